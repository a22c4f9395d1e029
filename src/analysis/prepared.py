"""A region's validated data, kept for the length of one run: validated once, read by all notebooks.

A run sets `FOLDER` in the environment of its kernels. Without it, as in JupyterLab, nothing
is kept. What is kept are customers' data: the folder is the user's own, and goes with the run.
"""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import ibis
from filelock import FileLock

from analysis.files import whole
from analysis.sources import Source

if TYPE_CHECKING:
    from analysis.data import Region

FOLDER = "WORKBOOK_PREPARED"


def place(source: Source, region: str, as_of: str) -> Path | None:
    """Return where a region is kept; None where nothing is, or where a database keeps its rows."""
    folder = os.environ.get(FOLDER)
    if not folder or "://" in (source.database or ""):
        return None
    name = hashlib.sha256(repr((source.name, region, as_of)).encode()).hexdigest()[:16]
    return Path(folder, name)


def kept(path: Path | None, load: Callable[[], Region]) -> Region:
    """Return a region as it was kept, or load and keep it.

    Of several notebooks that need it at once the first loads it, and the others wait.

    Parameters
    ----------
    path : Path or None
        As from `place`.
    load : callable
        Loads the region.
    """
    if path is None:
        return load()
    with FileLock(path.with_suffix(".lock")):
        if not path.exists():
            here = load()
            try:
                _keep(here, path)
            except (OSError, duckdb.IOException):  # no room: each notebook loads its own
                return here
    return _read(path)


def _keep(here: Region, path: Path) -> None:
    """Keep a region; its purchases in the order of all their columns, whatever it was."""
    purchases = here.purchases
    if purchases is not None:
        with whole(path.with_suffix(".parquet")) as draft:
            purchases.order_by(*purchases.columns).to_parquet(draft)
    with whole(path) as draft:
        draft.write_bytes(pickle.dumps(replace(here, purchases=None)))


def _read(path: Path) -> Region:
    """Read a region that was kept."""
    here = pickle.loads(path.read_bytes())
    lines = path.with_suffix(".parquet")
    if not lines.exists():
        return here
    return replace(here, purchases=ibis.duckdb.connect().read_parquet(lines))
