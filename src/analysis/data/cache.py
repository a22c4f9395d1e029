"""What a run has validated, kept for its length: done once, read by all its notebooks.

A run sets `FOLDER` in the environment of its kernels. Without it, as in JupyterLab, nothing
is kept. What is kept are customers' data: the folder is the user's own, and goes with the run.
"""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import duckdb
from filelock import FileLock
from ibis.expr.types import Table

from analysis.data import readers
from analysis.data.files import whole
from analysis.data.sources import Source

FOLDER = "WORKBOOK_PREPARED"

Kept = TypeVar("Kept")


def place(source: Source, *which: str) -> Path | None:
    """Return where a source is kept, or a region of it as of a day.

    None where nothing is kept, or where a database keeps its rows.
    """
    folder = os.environ.get(FOLDER)
    if not folder or "://" in (source.database or ""):
        return None
    name = hashlib.sha256(repr((source.name, *which)).encode()).hexdigest()[:16]
    return Path(folder, name)


def kept(path: Path | None, make: Callable[[], Kept]) -> Kept:
    """Return what was kept, or make and keep it.

    Of several notebooks that need it at once the first makes it, and the others wait.

    Parameters
    ----------
    path : Path or None
        As from `place`.
    make : callable
        Makes what is to be kept: anything that can be pickled, but for the engine's tables
        in it, which are kept as Parquet files.
    """
    if path is None:
        return make()
    with FileLock(path.with_suffix(".lock")):
        if not path.exists():
            made = make()
            try:
                with whole(path) as draft, draft.open("wb") as file:
                    _Keeper(file, path).dump(made)
            except (OSError, duckdb.IOException):  # no room: each notebook makes its own
                for lines in path.parent.glob(f"{path.name}.*.parquet"):
                    lines.unlink()
                return made
    with path.open("rb") as file:
        return _Reader(file).load()


class _Keeper(pickle.Pickler):
    """Pickles; a table of the engine goes to a file of its own."""

    def __init__(self, file: object, path: Path) -> None:
        super().__init__(file)
        self.path, self.count = path, 0

    def persistent_id(self, thing: object) -> Path | None:
        """Keep a table in the order of its regions and values, whatever it was."""
        if not isinstance(thing, Table):
            return None
        self.count += 1
        lines = self.path.with_suffix(f".{self.count}.parquet")
        with whole(lines) as draft:
            thing.order_by(*dict.fromkeys(["region", *thing.columns])).to_parquet(draft)
        return lines


class _Reader(pickle.Unpickler):
    """Reads what a `_Keeper` wrote."""

    def persistent_load(self, lines: Path) -> Table:
        """Read a table from its file."""
        return readers.embedded().read_parquet(lines)
