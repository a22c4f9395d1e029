"""Raw tables: each file of a source as its owner wrote it, with the numbers of its rows."""

from __future__ import annotations

import posixpath
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import ibis
import pyarrow.parquet as pq
from ibis import BaseBackend
from ibis.expr.types import Table

from analysis.data.contract import TABLES
from analysis.data.errors import DataError
from analysis.data.mapping.found import check_place, files_of, parquet_files
from analysis.data.mapping.keys import JoinKeys, Limits
from analysis.data.mapping.source import Part, Place, Source
from analysis.data.reading import engine as engines
from analysis.data.reading import names, parquet, sheets, text
from analysis.data.reading.failures import UNREADABLE, in_words
from analysis.data.reading.joins import joined, prefix_of
from analysis.data.reading.kinds import JSON, ending_of, existing, is_blank, state
from analysis.data.reading.names import REPEAT, ROW

NEXT = 10**12
"""Added to the row numbers for each earlier file of the same table."""
NUMBERS = {
    name for each in TABLES.values() for name, own in each.columns.items() if own.kind == "number"
}
"""Columns of the contract that hold numbers, in whichever table."""
_NO_ROWS = "the file has no rows; expected a header and at least one row."

_CHANGED = "the file was changed while it was read; expected one that is whole."
_CUT = (
    "its last line has no end; was the file cut off? Expected a line end, or the key "
    "complete = true if nothing is missing."
)


@dataclass(frozen=True)
class RawTable:
    """One file as its owner wrote it.

    Attributes
    ----------
    file : str
        Its name in the source's folder, or that of a table of the database.
    rows : Table
        Its columns, completed by joins, and `ROW`; `REPEAT` where a row stands for several.
    part : Part
        How its columns become those of the contract.
    paths : tuple of Path
        Its Parquet files, where it has some.
    known : tuple of tuple
        Of each joined file its keys, and the prefix of its columns.
    states : dict of Path to list
        Of each Parquet file, joined ones included, what changes with it.
    """

    file: str
    rows: Table
    part: Part
    paths: tuple[Path, ...] = ()
    known: tuple[tuple[JoinKeys, Table, str], ...] = ()
    states: Mapping[Path, list] = field(default_factory=dict)


def raw_tables(engine: BaseBackend, source: Source, name: str) -> list[RawTable]:
    """Return the files of a table of the contract as their owner wrote them.

    Parameters
    ----------
    engine : BaseBackend
        As from `engine.connect`.
    source : Source
        Whose table it is.
    name : str
        Table of the contract.

    Raises
    ------
    DataError
        If a file is missing, of another layout than the others of its kind, not what its ending
        says, or can't be read; or if all are empty. Empty ones beside others are left out.
    """
    tables: list[RawTable] = []
    known: set[tuple] = set()
    every = [(part, files_of(source, part)) for part in source.tables[name].parts]
    is_alone = sum(len(files) for _, files in every) == 1
    for part, files in every:
        first = None
        for file in files:
            own = (posixpath.normpath(file), part.sheet, repr(part.keep), repr(part.drop))
            if own in known and name != "survey":  # whose waves may be columns of one file
                raise DataError(
                    f"{file}: two parts of [{name}] read it; its rows would count twice."
                )
            known.add(own)
            if source.database is None and not is_alone and is_blank(source.folder / file):
                continue
            rows = _one(engine, source, part, file, is_main=True)
            others = []
            _check_layout(file, rows, first)
            first = first or (file, rows)
            if source.database is None and not rows.count().execute():
                continue
            for join in part.joins:
                other = _one(engine, source, part, join.file, join=join).drop(ROW)
                if join.on not in rows.columns:
                    hint = names.hint(join.on, rows)
                    raise DataError(f"{file}: no column {join.on!r} (joins).{hint}")
                prefix = prefix_of(join, part.joins)
                rows = joined(rows, other, join, file, prefix)
                others.append((join, other.select(join.on), prefix))
            rows = rows.mutate(**{ROW: rows[ROW] + len(tables) * NEXT})
            paths = _parquet(source, file)
            lazy = [*paths, *(each for join in part.joins for each in _parquet(source, join.file))]
            states = {each: state(each) for each in lazy}
            own = RawTable(file, _repeated(rows, part, file), part, paths, tuple(others), states)
            tables.append(own)
    if not tables:
        raise DataError(f"{every[0][1][0]}: {_NO_ROWS}")
    return tables


def check_unchanged(raws: Sequence[RawTable]) -> None:
    """Refuse Parquet files that have changed since: they are read when rows are asked for."""
    for raw in raws:
        try:
            is_same = all(state(path) == before for path, before in raw.states.items())
        except OSError:  # it is gone
            is_same = False
        if not is_same:
            raise DataError(f"{raw.file}: {_CHANGED}")


def _parquet(source: Source, file: str) -> tuple[Path, ...]:
    """Return the Parquet files that a file of a source is, or that are in it; none of others."""
    paths = parquet_files(source.folder / file) if source.database is None else []
    return tuple(each for each in paths if ending_of(each) == ".parquet")


def place(row: int, files: tuple[str, ...]) -> str:
    """Return "row 5", or "sales_2.csv, row 5" where a table has several files."""
    number, own = divmod(int(row), NEXT)
    return f"row {own}" if len(files) < 2 else f"{files[number]}, row {own}"


def _check_layout(file: str, rows: Table, first: tuple[str, Table] | None) -> None:
    """Refuse a file whose columns are not those of the first file of its kind."""
    if first is None or set(rows.columns) == set(first[1].columns):
        return
    own, other = set(rows.columns), set(first[1].columns)
    if not names.is_header(rows):
        raise DataError(f"{file}: its columns are not those of {first[0]}.{names.hint('', rows)}")
    said = [f"without {', '.join(map(repr, sorted(other - own)))}"] if other - own else []
    said += [f"with {', '.join(map(repr, sorted(own - other)))}"] if own - other else []
    raise DataError(
        f"{file}: its columns are not those of {first[0]}: {', '.join(said)}. Files of another "
        "layout are a part of their own: [[table]] twice, each with its file and columns."
    )


def _one(
    engine: BaseBackend,
    source: Source,
    part: Part,
    file: str,
    *,
    is_main: bool = False,
    join: JoinKeys | None = None,
) -> Table:
    """Return one file or database table, with the row numbers that its owner sees."""
    if source.database is not None:
        try:
            place = Place(part.catalog_name, part.schema_name, file)
            rows = trimmed(engines.database_table(engine, source, place))
        except UnicodeError:
            raise DataError(
                f"{source.stated}: {file!r} holds bytes (BLOB); expected text."
            ) from None
        except ValueError as error:
            raise DataError(str(error)) from None
        except sqlite3.Error as error:
            kind = type(error).__name__
            raise DataError(f"{source.stated}: {file!r} can't be read ({kind}).") from None
        return rows.mutate(**{ROW: ibis.row_number() + 1})
    check_place(source, file)
    try:
        path = existing(source.folder, file, part.encoding)
        before = state(path)
    except OSError as error:
        raise DataError(f"{file}: the file can't be opened: {error.strerror}.") from None
    skip, header = (part.skip, part.header) if is_main else (0, ())
    sheet = part.sheet if is_main else join.sheet or ""
    try:
        rows, first_row = _open(engine, path, part, sheet, skip, header, join)
        count = rows.count().execute()
        if state(path) != before:
            raise DataError(_CHANGED)
    except UNREADABLE as error:
        raise DataError(in_words(error, file, part.encoding, skip)) from None
    if count == 0 and not is_main:
        raise DataError(f"{file}: {_NO_ROWS}")
    if path.is_dir() or ending_of(path) == ".parquet":
        return rows
    rows = rows.mutate(**{ROW: ibis.row_number() + first_row})
    _check_repeated_header(rows, file)
    own = [rows[name].cast("string") for name in rows.columns if name != ROW]
    is_empty = ibis.coalesce(*own).isnull()  # a chain of 1,000 columns would be too deep
    return rows.filter(~is_empty) if rows.filter(is_empty).count().execute() else rows


def _open(
    engine: BaseBackend,
    path: Path,
    part: Part,
    sheet: str,
    skip: int,
    header: tuple[str, ...],
    join: JoinKeys | None,
) -> tuple[Table, int]:
    """Open a file by its ending; return it with the number of its first row."""
    first_row = skip + (1 if header else 2)
    ending = ending_of(path)
    if path.is_dir() or ending == ".parquet":
        files = parquet_files(path)
        names.of_columns(pq.read_schema(files[0]).names)  # which the engine would rename
        return trimmed(parquet.read(engine, files, ROW)), 1
    if ending in sheets.ENDINGS:
        frame = sheets.read(path, sheet, skip, header, _decimals(part, join))
        return engines.own_types(engine, frame), first_row
    if ending in JSON:
        return text.read_json_lines(engine, path), 1
    how = {"delimiter": part.delimiter, "encoding": part.encoding, "skip": skip}
    rows = text.read(engine, path, **how, header=header)
    if not part.complete and text.is_cut(path):
        raise DataError(_CUT)
    return rows, first_row


def _decimals(part: Part, join: JoinKeys | None) -> dict[str, str]:
    """Return the decimal mark of the columns of numbers of a file, or of one that is joined."""
    found = {
        column: each.decimal
        for name, each in (part.plain | part.columns).items()
        if name in NUMBERS
        for column in each.used
    }
    for column, each in (*part.keep.items(), *part.drop.items()):
        if isinstance(each, Limits) and isinstance(each.min or each.max, int | float):
            found.setdefault(column, part.marks["number"].decimal)
    if join is None:
        return found
    prefix = f"{prefix_of(join, part.joins)}."
    return {
        column.removeprefix(prefix): each
        for column, each in found.items()
        if column.startswith(prefix)
    }


def _check_repeated_header(rows: Table, file: str) -> None:
    """Refuse a file in which a row is the header once more, as where files were put together."""
    own = [name for name in names.of_file(rows) if not name.startswith("column ")]
    if len(own) < 2 or not all(rows[name].type().is_string() for name in own):
        return
    first = rows.filter([names.written(rows, name) == name for name in own])[ROW].min().execute()
    if first == first and first is not None:
        raise DataError(f"{file}, row {int(first)}: the header stands there once more.")


def trimmed(rows: Table) -> Table:
    """Return a table with its columns' names trimmed."""
    new = dict(zip(names.of_columns(rows.columns), rows.columns, strict=True))
    return rows.rename({name: old for name, old in new.items() if name != old})


def _repeated(rows: Table, part: Part, file: str) -> Table:
    """Repeat each row as often as its column `count` says."""
    if part.count is None:
        return rows
    if part.count not in rows.columns:
        hint = names.hint(part.count, rows)
        raise DataError(f"{file}: no column {part.count!r} (count).{hint}")
    text = rows[part.count].cast("string").strip()
    mark = part.marks["number"].thousands
    times = (text.replace(mark, "") if mark else text).try_cast("float64")
    bad = rows.filter(times.isnull() | (times < 0) | (times % 1 != 0) | (times > 10**7))
    first = bad[ROW].min().execute()
    if first == first and first is not None:
        raise DataError(
            f"{file}, row {int(first) % NEXT}: expected a whole number of rows in {part.count!r} "
            "(count)."
        )
    each = ibis.range(0, times.cast("int64")).unnest()
    return rows.mutate(**{REPEAT: each})
