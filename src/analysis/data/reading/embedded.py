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

    It loads no extensions, keeps what does not fit into memory in a temporary folder of this
    process, and draws no progress bar into a notebook.

    Parameters
    ----------
    places : iterable of Path
        Files, and folders with all that is in them.
    """
    engine = unlocked()
    engine.raw_sql("PRAGMA disable_progress_bar")
    return _locked(engine, [*places, files.scratch()])


def opened(path: Path) -> BaseBackend:
    """Open a DuckDB file, which can't be changed and whose views read no other file."""
    return _locked(ibis.duckdb.connect(path, read_only=True, **CLOSED, **_spill()))


def unlocked() -> BaseBackend:
    """Start an embedded DuckDB that may load what is asked for by name, and nothing by itself."""
    return ibis.duckdb.connect(**CLOSED, **_spill())


def _spill() -> dict[str, str]:
    """Return where DuckDB keeps what does not fit into memory: it is deleted with this process."""
    return {"temp_directory": str(files.scratch() / "spill")}


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
