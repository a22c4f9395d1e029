"""Files and databases, as tables of an engine that Ibis drives."""

from __future__ import annotations

import contextlib
import csv
import re
import sqlite3
import tempfile
from pathlib import Path

import duckdb
import ibis
import pandas as pd
from ibis import BaseBackend
from ibis.expr.types import Table

from analysis.data.errors import DataError, nearest
from analysis.data.mapping import Join, Source, TableMap
from analysis.data.sources import counted

ROW = "row_in_file"

_TEXT = (".csv", ".txt", ".tsv")
_EXCEL = (".xlsx", ".xlsm")
_SIGNATURES = {b"PK\x03\x04": "an Excel or zip file", b"PAR1": "a Parquet file"}


def connect(source: Source) -> BaseBackend:
    """Connect to a source's database, or to an embedded DuckDB for its files.

    Raises
    ------
    DataError
        If the database can't be opened; the message does not repeat its address.
    """
    if source.database is None or _sqlite_file(source):
        return embedded()
    address = source.database
    if "://" not in address:
        address = f"duckdb://{_database_file(source)}?read_only=True"
    try:
        return ibis.connect(address)
    except Exception as error:
        raise DataError(
            f"{source.name}.toml: the database can't be opened ({type(error).__name__})."
        ) from None


def embedded() -> BaseBackend:
    """Start an embedded DuckDB, which draws no progress bar into a notebook."""
    engine = ibis.duckdb.connect()
    engine.raw_sql("PRAGMA disable_progress_bar")
    return engine


def raw_table(engine: BaseBackend, source: Source, table: TableMap) -> Table:
    """Return a table as its owner wrote it, with the row number of each row.

    Parameters
    ----------
    engine : BaseBackend
        As from `connect`.
    source : Source
        Whose table it is.
    table : TableMap
        Where it is and how it is written.

    Raises
    ------
    DataError
        If a file is missing, empty, not what its ending says, or can't be read.
    """
    rows = _one(engine, source, table, table.file)
    for join in table.joins:
        rows = _joined(rows, _one(engine, source, table, join.file), join, table.file)
    return rows


def stored(engine: BaseBackend, source: Source, name: str, rows: Table) -> Table:
    """Store a checked table in the embedded engine, so that no query checks it again.

    Text and Excel files are stored as tables; a Parquet file, which may be larger than
    memory, as a view. A database of the user's own is left as it is.

    Parameters
    ----------
    engine : BaseBackend
        As from `connect`.
    source : Source
        Whose table it is.
    name : str
        Table of the contract.
    rows : Table
        What to store.
    """
    if source.database is not None:
        return rows
    handle = ibis.util.gen_name(name)
    if source.tables[name].file.lower().endswith(".parquet"):
        return engine.create_view(handle, rows)
    return engine.create_table(handle, rows, temp=True)


def _one(engine: BaseBackend, source: Source, table: TableMap, file: str) -> Table:
    """Return one file or database table, with the row numbers that its owner sees."""
    if source.database is not None:
        own = _from_sqlite if _sqlite_file(source) else _from_database
        return own(engine, source, file).mutate(**{ROW: ibis.row_number() + 1})
    path = _existing(source.folder, file)
    first_row = 1 if table.header and file == table.file else 2
    try:
        rows, first_row = _open(engine, path, table, file == table.file, first_row)
    except (duckdb.Error, UnicodeDecodeError, ValueError, KeyError) as error:
        line = re.search(r"Line: (\d+)", str(error))
        where = f"{file}, row {line[1]}" if line else file
        raise DataError(f"{where}: {_in_words(error, table)}") from None
    if rows.count().execute() == 0:
        raise DataError(f"{file}: the file has no rows; expected a header and at least one row.")
    return rows.mutate(**{ROW: ibis.row_number() + first_row})


def _from_database(engine: BaseBackend, source: Source, name: str) -> Table:
    """Return a table of the user's own database; it stays there."""
    known = engine.list_tables()
    if name not in known:
        raise DataError(f"The database has no table {name!r}.{nearest(name, known)}")
    return engine.table(name)


def _from_sqlite(engine: BaseBackend, source: Source, name: str) -> Table:
    """Copy a table of a SQLite file into the embedded engine."""
    path, nullable = _database_file(source), {"dtype_backend": "numpy_nullable"}
    try:
        with contextlib.closing(sqlite3.connect(path)) as database:
            known = pd.read_sql("select name from sqlite_master", database)["name"].tolist()
            if name in known:
                frame = pd.read_sql(f'select * from "{name}"', database, **nullable)
    except pd.errors.DatabaseError:
        raise DataError(f"{source.database}: the file is not a SQLite database.") from None
    if name not in known:
        raise DataError(f"The database has no table {name!r}.{nearest(name, known)}")
    return _own_types(engine, frame)


def _own_types(engine: BaseBackend, frame: pd.DataFrame) -> Table:
    """Put a table into the engine: columns of numbers and dates as they are, others as text."""
    mixed = frame.select_dtypes(exclude=["number", "datetime", "datetimetz"])
    texts = {
        name: column.map(str, na_action="ignore").astype("str") for name, column in mixed.items()
    }
    return engine.create_table(ibis.util.gen_name("own"), frame.assign(**texts), temp=True)


def _sqlite_file(source: Source) -> bool:
    """Tell whether a source is a SQLite file."""
    return (source.database or "").endswith((".sqlite", ".sqlite3", ".db"))


def _database_file(source: Source) -> Path:
    """Return the path of a source's database file, beside its TOML file."""
    path = source.folder.parent / source.database
    if not path.is_file():
        raise DataError(f"{source.name}.toml: there is no database file {source.database!r}.")
    return path


def _open(
    engine: BaseBackend, path: Path, table: TableMap, is_main: bool, first_row: int
) -> tuple[Table, int]:
    """Open a file by its ending; return it with the number of its first row."""
    if path.suffix.lower() == ".parquet":
        return engine.read_parquet(path), 1
    if path.suffix.lower() in _EXCEL:
        sheet = table.sheet if is_main and table.sheet else 0
        frame = pd.read_excel(path, sheet_name=sheet, dtype_backend="numpy_nullable")
        return _own_types(engine, frame), 2
    return _text(engine, path, table, table.header if is_main else ()), first_row


def _text(engine: BaseBackend, path: Path, table: TableMap, header: tuple[str, ...]) -> Table:
    """Read a text file into the engine, every value as text."""
    delimiter = "\t" if path.suffix.lower() == ".tsv" else table.delimiter
    with tempfile.TemporaryDirectory() as folder:
        blanks = delimiter == "whitespace"
        if blanks or table.encoding.lower().replace("-", "") != "utf8":
            path = _as_utf8(path, Path(folder) / "text", table.encoding, blanks)
        delimiter = "\t" if blanks else delimiter
        names = header or _header(path, delimiter)
        lines = engine.read_csv(
            path,
            auto_detect=False,
            columns=dict.fromkeys(names, "VARCHAR"),
            header=not header,
            delim=delimiter,
            quote='"',
            escape='"',
        )
        return engine.create_table(ibis.util.gen_name("text"), lines, temp=True)


def _header(path: Path, delimiter: str) -> list[str]:
    """Return the names in the first row of a text file; a column without one gets its number."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        row = next(csv.reader(file, delimiter=delimiter))
    names = [name.strip() or f"column {number}" for number, name in enumerate(row, start=1)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"the column {twice[0]!r} stands twice in the header.")
    return names


def _as_utf8(path: Path, target: Path, encoding: str, blanks: bool) -> Path:
    """Write a text file again in UTF-8, runs of blanks as tabs, line by line."""
    with path.open(encoding=encoding) as old, target.open("w", encoding="utf-8") as new:
        for line in old:
            new.write("\t".join(line.split()) + "\n" if blanks else line)
    return target


def _joined(rows: Table, other: Table, join: Join, file: str) -> Table:
    """Complete each row by the row of another file with the same key."""
    for table, name in ((rows, file), (other, join.file)):
        if join.on not in table.columns:
            raise DataError(f"{name}: no column {join.on!r}.{nearest(join.on, table.columns)}")
    stem = Path(join.file).stem
    other = other.drop(ROW).rename(lambda name: f"{stem}.{name}")
    key = f"{stem}.{join.on}"
    once = other.distinct()
    if once.count().execute() > once[key].nunique().execute():
        raise DataError(
            f"{join.file}: a value of {join.on!r} stands in several rows that differ; expected one."
        )
    return rows.left_join(once, rows[join.on].cast("string") == once[key].cast("string"))


def _existing(folder: Path, file: str) -> Path:
    """Return the path of a file, if it exists and its first bytes fit its ending."""
    path = folder / file
    if not path.is_file():
        there = [each.name for each in folder.glob("*") if each.is_file()]
        raise DataError(f"{file}: no such file in the folder {folder.name}/.{nearest(file, there)}")
    ending = path.suffix.lower()
    if ending not in (*_TEXT, *_EXCEL, ".parquet"):
        expected = ", ".join((*_TEXT, *_EXCEL, ".parquet"))
        raise DataError(f"{file}: expected a file that ends in one of {expected}.")
    with path.open("rb") as opened:
        start = opened.read(4096)
    if not start.strip():
        raise DataError(f"{file}: the file is empty; expected a header and at least one row.")
    kind = next((kind for mark, kind in _SIGNATURES.items() if start.startswith(mark)), None)
    kind = kind or ("a binary file" if b"\0" in start else "a text file")
    expected = "an Excel or zip file" if ending in _EXCEL else "a text file"
    expected = "a Parquet file" if ending == ".parquet" else expected
    if kind != expected:
        raise DataError(f"{file}: expected {expected} by its ending {ending}, found {kind}.")
    return path


def _in_words(error: Exception, table: TableMap) -> str:
    """Return what is wrong with a file in a sentence, without paths."""
    text = str(error)
    columns = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", text)
    if columns:
        return f"expected {counted(int(columns[1]), 'column')}, found {columns[2]}."
    if isinstance(error, UnicodeDecodeError) or "unicode" in text or "utf-8" in text:
        return f"not text in {table.encoding!r}; name its encoding, such as encoding = 'gb18030'."
    return f"the file can't be read: {text.splitlines()[0].split(': ', 1)[-1]}"
