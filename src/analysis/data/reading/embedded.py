"""DuckDB inside this process, which reads what it is allowed to and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import ibis
from ibis import BaseBackend

from analysis.data import files

CLOSED = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
"""Settings of DuckDB: it brings all that is needed, and loads nothing else."""


def embedded(places: Iterable[Path] = ()) -> BaseBackend:
    """Start an embedded DuckDB that reads nothing but what lies in some places.

    It loads no extensions, and keeps what does not fit into memory in a temporary folder of this
    process.

    Parameters
    ----------
    places : iterable of Path
        Files, and folders with all that is in them.
    """
    return _locked(unlocked(), [*places, files.scratch()])


def opened(path: Path) -> BaseBackend:
    """Open a DuckDB file, which can't be changed and whose views read no other file."""
    return _locked(_connected(path, read_only=True))


def unlocked() -> BaseBackend:
    """Start an embedded DuckDB that may load what is asked for by name, and nothing by itself."""
    return _connected(":memory:")


def _connected(place: Path | str, **options: bool) -> BaseBackend:
    """Start DuckDB, which draws no progress bar into a notebook.

    What does not fit into memory is deleted with this process.
    """
    spill = str(files.scratch() / "spill")
    engine = ibis.duckdb.connect(place, temp_directory=spill, **CLOSED, **options)
    engine.raw_sql("PRAGMA disable_progress_bar")
    return engine


def _locked(engine: BaseBackend, places: Iterable[Path] = ()) -> BaseBackend:
    """Forbid an engine to read other files, also through a view, and to be told otherwise."""
    folders = [f"{path}/" for path in places if files.is_folder(path)]
    alone = [str(path) for path in places if not files.is_folder(path)]
    for setting, value in {"allowed_directories": folders, "allowed_paths": alone}.items():
        quoted = ", ".join(f"'{files.quoted(each)}'" for each in value)
        engine.raw_sql(f"SET {setting} = [{quoted}]")
    engine.raw_sql("SET enable_external_access = false")
    engine.raw_sql("SET lock_configuration = true")
    return engine
