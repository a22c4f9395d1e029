"""The store of extracts: Parquet files in the user's own cache folder, kept between runs."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import platformdirs
import pyarrow.parquet as pq
from filelock import FileLock

from analysis.data.extraction import SINCE
from analysis.data.files import quoted, scratch

FOLDER = "WORKBOOK_EXTRACTS"
"""Environment variable: another folder than the user's cache, such as one on an encrypted disk."""
MAX_BYTES = int(os.environ.get("WORKBOOK_EXTRACTS_BYTES", 20 * 1024**3))
"""Limit of the store; the least recently used extracts are deleted first."""
SUPERSEDED = 24 * 3600
"""Seconds after which an extract is deleted that a newer one of the same rows has replaced."""


def folder() -> Path:
    """Return the store's folder, which only its user can read.

    Where the user has no cache folder it lives as long as this process.
    """
    place = os.environ.get(FOLDER)
    place = Path(place) if place else platformdirs.user_cache_path("customer-research-workbook")
    place /= "extracts"
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.chmod(0o700)  # fails where it is somebody else's
    except OSError:
        return scratch()
    return place


@contextlib.contextmanager
def alone(key: str) -> Iterator[None]:
    """Let one process at a time extract a source."""
    with FileLock(folder() / f"{key}.lock"):
        yield


def newest(key: str) -> Path | None:
    """Return the newest extract of a key that is whole."""
    found = sorted(folder().glob(f"{key}-*.parquet"), key=lambda each: each.name)
    return found[-1] if found else None


def is_of_this_run(path: Path | None) -> bool:
    """Tell whether an extract was made since the run began that this process belongs to."""
    since = os.environ.get(SINCE)
    return path is not None and bool(since) and path.stat().st_mtime >= float(since)


def token_of(path: Path | None) -> str:
    """Return what was noted of the table's state when it was extracted; empty where nothing was."""
    return "" if path is None else _noted(path, "token")


def write(key: str, query: str, engine: duckdb.DuckDBPyConnection, token: str, about: str) -> Path:
    """Write the rows of a query as the newest extract of a key, whole or not at all.

    Parameters
    ----------
    key : str
        Which rows these are.
    query : str
        In DuckDB's SQL.
    engine : DuckDBPyConnection
        Runs it.
    token : str
        The table's state, as from `Server.state`.
    about : str
        Which table this is, for a list of extracts.

    Returns
    -------
    Path
        The extract; where the rows are those of the last one, that one.
    """
    last = newest(key)
    path = folder() / f"{key}-{time.time_ns():020}.parquet"
    draft = path.with_name(f".{path.name}.part")
    try:
        draft.touch(mode=0o600)
        noted = f"token: '{quoted(token)}', about: '{quoted(about)}'"
        engine.execute(
            f"copy ({query}) to '{quoted(draft)}' "
            f"(format parquet, compression zstd, use_tmp_file false, kv_metadata {{{noted}}})"
        )
        draft.chmod(0o600)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    if last is not None and _same(last, path):
        path.replace(last)  # the token may be a newer one
        path = last
    _drop_old(key, path)
    return used(path)


def used(path: Path) -> Path:
    """Note that an extract is in use, and as good as new."""
    os.utime(path, (time.time(), time.time()))  # exact; the file system's own clock lags
    return path


def listed() -> list[tuple[Path, int, float]]:
    """Return each extract with its bytes, and when it was last used (seconds since 1970)."""
    found = [(path, path.stat()) for path in folder().glob("*.parquet")]
    return sorted(((path, s.st_size, s.st_mtime) for path, s in found), key=lambda each: -each[2])


def about(path: Path) -> str:
    """Return which table an extract is of."""
    return _noted(path, "about") or "damaged"


def clear() -> None:
    """Delete all extracts."""
    for path in folder().iterdir():
        if path.is_file():
            path.unlink(missing_ok=True)


def _drop_old(key: str, current: Path) -> None:
    """Keep the store within its limit, and delete what newer extracts have replaced."""
    total, now = 0, time.time()
    for path, size, last_used in listed():
        total += size
        is_replaced = path.name.startswith(f"{key}-") and now - last_used > SUPERSEDED
        if path != current and (is_replaced or total > MAX_BYTES):
            path.unlink(missing_ok=True)


def _same(one: Path, other: Path) -> bool:
    """Tell whether two extracts hold the same rows in the same order."""
    with duckdb.connect() as engine:
        sums = []
        for path in (one, other):
            query = (
                "select count(*), sum(hash(line, n)) from (select line, row_number() over () as n "
                f"from read_parquet('{quoted(path)}') as line)"
            )
            try:
                sums.append(engine.execute(query).fetchone())
            except duckdb.Error:
                return False
    return sums[0] == sums[1]


def _noted(path: Path, key: str) -> str:
    """Return what stands in the head of an extract; empty where it is damaged."""
    try:
        metadata = pq.read_metadata(path).metadata or {}
    except (OSError, ValueError):
        return ""
    return metadata.get(key.encode(), b"").decode()
