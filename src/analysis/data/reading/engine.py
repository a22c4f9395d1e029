"""The engine: an embedded DuckDB for files, or the source's own database."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable
from pathlib import Path

import duckdb
import ibis
import pandas as pd
from ibis import BaseBackend
from ibis.expr.types import Table

from analysis.data import files
from analysis.data.errors import DataError, nearest
from analysis.data.mapping.source import Source

CLOSED = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
"""Settings of DuckDB: it brings all that is needed, and loads nothing else."""


def connect(source: Source) -> BaseBackend:
    """Connect to a source's database, or to an embedded DuckDB for its files.

    Raises
    ------
    DataError
        If the database can't be opened; the message does not repeat its address.
    """
    if source.database is None or _sqlite_file(source):
        return embedded([source.folder, *source.outside])
    address = source.database
    try:
        if "://" in address:
            return ibis.connect(address)
        path = _database_file(source)
        return _locked(ibis.duckdb.connect(path, read_only=True, **CLOSED, **_spill()))
    except DataError:
        raise
    except Exception as error:
        raise DataError(
            f"{source.name}.toml: the database can't be opened ({type(error).__name__})."
        ) from None


def embedded(places: Iterable[Path] = ()) -> BaseBackend:
    """Start an embedded DuckDB that reads nothing but what lies in some places.

    It loads no extensions, keeps what does not fit into memory in a temporary folder of this
    process, and draws no progress bar into a notebook.

    Parameters
    ----------
    places : iterable of Path
        Files, and folders with all that is in them.
    """
    engine = ibis.duckdb.connect(**CLOSED, **_spill())
    engine.raw_sql("PRAGMA disable_progress_bar")
    return _locked(engine, [*places, files.scratch()])


def _spill() -> dict[str, str]:
    """Return where DuckDB keeps what does not fit into memory: it is deleted with this process."""
    return {"temp_directory": str(files.scratch() / "spill")}


def _locked(engine: BaseBackend, places: Iterable[Path] = ()) -> BaseBackend:
    """Forbid an engine to read other files, also through a view, and to be told otherwise."""
    folders = [f"{path}/" for path in places if path.is_dir()]
    alone = [str(path) for path in places if not path.is_dir()]
    for setting, value in {"allowed_directories": folders, "allowed_paths": alone}.items():
        quoted = ", ".join("'" + each.replace("'", "''") + "'" for each in value)
        engine.raw_sql(f"SET {setting} = [{quoted}]")
    engine.raw_sql("SET enable_external_access = false")
    engine.raw_sql("SET lock_configuration = true")
    return engine


def stored(engine: BaseBackend, source: Source, name: str, rows: Table) -> Table:
    """Store a checked table in the embedded engine, so that no query checks it again.

    Text and Excel files are stored as tables; Parquet files, which may be larger than
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

    Raises
    ------
    DataError
        If the engine can't read the file, which may be damaged.
    """
    if source.database is not None:
        return rows
    handle = ibis.util.gen_name(name)
    files = [file for part in source.tables[name].parts for file in part.files]
    try:
        if all(file.lower().endswith((".parquet", "/")) for file in files):
            return engine.create_view(handle, rows)
        return engine.create_table(handle, rows, temp=True)
    except duckdb.Error as error:
        said = str(error).splitlines()[0]
        raise DataError(f"{files[0]}: the engine can't read it: {said}") from None


def database_table(engine: BaseBackend, source: Source, name: str) -> Table:
    """Return a table of a source's database: where it is, or copied from a SQLite file."""
    return (_from_sqlite if _sqlite_file(source) else _from_database)(engine, source, name)


def own_types(engine: BaseBackend, frame: pd.DataFrame) -> Table:
    """Put a table into the engine: columns of numbers and dates as they are, others as text."""
    mixed = frame.select_dtypes(exclude=["number", "datetime", "datetimetz"])
    texts = {
        name: column.map(str, na_action="ignore").astype("str") for name, column in mixed.items()
    }
    return engine.create_table(ibis.util.gen_name("own"), frame.assign(**texts), temp=True)


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
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
            database.execute("pragma trusted_schema = off")
            known = pd.read_sql("select name from sqlite_master", database)["name"].tolist()
            if name in known:
                frame = pd.read_sql(f'select * from "{name}"', database, **nullable)
    except pd.errors.DatabaseError:
        raise DataError(f"{source.stated}: the file is not a SQLite database.") from None
    if name not in known:
        raise DataError(f"The database has no table {name!r}.{nearest(name, known)}")
    return own_types(engine, frame)


def _sqlite_file(source: Source) -> bool:
    """Tell whether a source is a SQLite file."""
    address = source.database or ""
    return "://" not in address and address.endswith((".sqlite", ".sqlite3", ".db"))


def _database_file(source: Source) -> Path:
    """Return the path of a source's database file, beside its TOML file."""
    path = source.folder.parent / source.database
    if not files.is_file(path):
        raise DataError(f"{source.name}.toml: there is no database file {source.stated!r}.")
    return path
