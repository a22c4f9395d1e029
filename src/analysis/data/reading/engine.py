"""The engine: an embedded DuckDB, which reads files and what was extracted from databases."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import replace
from pathlib import Path

import ibis
import pandas as pd
from ibis import BaseBackend
from ibis.expr.types import Table

from analysis.data.errors import LOCKED, DataError, nearest
from analysis.data.extraction import extract, store
from analysis.data.extraction.servers import database_file
from analysis.data.files import quoted, quoted_name, scratch
from analysis.data.mapping.source import Place, Source
from analysis.data.reading.embedded import embedded
from analysis.data.validation.tables import WRITTEN, CheckedTable


def connect(source: Source) -> BaseBackend:
    """Start an embedded DuckDB that reads a source's files, and what was extracted for it."""
    return embedded([source.folder, *source.outside, store.folder()])


def stored(engine: BaseBackend, source: Source, name: str, table: CheckedTable) -> CheckedTable:
    """Store a checked table, so that no query checks it again.

    Text and Excel files are stored as tables of the embedded engine. Parquet files and extracts,
    which may be larger than memory, become a Parquet file that is deleted with this process; what
    was written is kept of rows that break a rule.

    Parameters
    ----------
    engine : BaseBackend
        As from `connect`.
    source : Source
        Whose table it is.
    name : str
        Table of the contract.
    table : CheckedTable
        What to store.
    """
    handle, rows = ibis.util.gen_name(name), table.rows
    files = [file for part in source.tables[name].parts for file in part.files]
    is_large = source.extracts or all(each.lower().endswith((".parquet", "/")) for each in files)
    if not is_large:
        return replace(table, rows=engine.create_table(handle, rows, temp=True))
    path = scratch() / f"{handle}.parquet"
    written = [each for each in rows.columns if each.startswith(WRITTEN)]
    kept = {each: ibis.ifelse(table.broken, rows[each], ibis.null()) for each in written}
    every = engine.compile(rows.mutate(**kept))
    engine.raw_sql(f"copy ({every}) to '{quoted(path)}' (format parquet)")
    return replace(table, rows=engine.read_parquet(path))


def database_table(engine: BaseBackend, source: Source, place: Place) -> Table:
    """Return a table of a source's database, as it was extracted; all of it where it was not.

    Raises
    ------
    DataError
        If it could not be extracted.
    """
    if extract.is_sqlite(source):
        return _from_sqlite(engine, source, place.name)
    if place not in source.extracts:
        source = extract.whole_table(source, place)
    found = source.extracts[place]
    if not isinstance(found, Path):
        raise DataError(found)
    return engine.read_parquet(found)


def own_types(engine: BaseBackend, frame: pd.DataFrame) -> Table:
    """Put a table into the engine: columns of numbers and dates as they are, others as text."""
    mixed = frame.select_dtypes(exclude=["number", "datetime", "datetimetz"])
    for name, column in mixed.items():
        if any(isinstance(each, bytes) for each in column):
            raise DataError(f"the values of {name!r} are bytes (BLOB); expected text or numbers.")
    texts = {
        name: column.map(str, na_action="ignore").astype("str") for name, column in mixed.items()
    }
    return engine.create_table(ibis.util.gen_name("own"), frame.assign(**texts), temp=True)


def _from_sqlite(engine: BaseBackend, source: Source, name: str) -> Table:
    """Copy a table of a SQLite file into the embedded engine."""
    path, nullable, known = database_file(source), {"dtype_backend": "numpy_nullable"}, []
    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
            database.execute("pragma trusted_schema = off")
            known = pd.read_sql("select name from sqlite_master", database)["name"].tolist()
            if name in known:
                frame = pd.read_sql(f"select * from {quoted_name(name)}", database, **nullable)
    except pd.errors.DatabaseError as error:
        said = f"{name!r} can't be read; expected a table, or a view that works"
        said = said if known else "the file is not a SQLite database"
        said = LOCKED if "database is locked" in str(error) else said
        raise DataError(f"{source.stated}: {said}.") from None
    if name not in known:
        raise DataError(f"The database has no table {name!r}.{nearest(name, known)}")
    return own_types(engine, frame)
