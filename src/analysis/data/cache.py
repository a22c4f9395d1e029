"""Cache of validated data, and of what several notebooks compute from a region's data.

`workbook run` gives its notebooks a folder that is deleted with the run. In JupyterLab and
papermill the cache is the user's own folder, readable by nobody else, and every entry's name
comes from the data and the code: what changed is computed again.

Own code, because joblib and diskcache would be new dependencies, and neither keeps the engine's
tables.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import datetime as dt
import functools
import hashlib
import inspect
import itertools
import os
import pickle
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Concatenate, ParamSpec, TypeVar

import numpy as np
import pandas as pd
import platformdirs
from filelock import FileLock

from analysis.data.files import RUN_FOLDER, is_file, whole
from analysis.data.mapping.found import paths_of
from analysis.data.sources import ROOT
from analysis.language import current

if TYPE_CHECKING:
    from ibis.expr.types import Table

    from analysis.data.mapping.source import Source
    from analysis.data.region import Region

FOLDER = RUN_FOLDER
"""Environment variable: the cache folder of a run; when empty, nothing is cached on disk."""
LENGTH = 12
"""Characters of a fingerprint."""
HERE = Path(__file__).parent
"""The package that validates data."""
PACKAGE = HERE.parent
"""The package whose code decides about what is computed of a region."""
MAX_AGE, MAX_BYTES = dt.timedelta(days=30), 2 * 1024**3
"""Limits of the user's own cache."""
LARGE = 64 * 2**20
"""Bytes of a source's files above which they are known by their times, and not by their content."""

Value = TypeVar("Value")
Arguments = ParamSpec("Arguments")


def per_region(
    function: Callable[Concatenate[Region, Arguments], Value],
) -> Callable[Concatenate[Region, Arguments], Value]:
    """Decorate a function of a region: it is computed once for each region and arguments.

    The value is looked up first on the `Region`, then on disk, where its name comes from the
    region's data, the arguments, the code of this package and the reader's language. A `Region`
    that was simulated or changed after it was loaded has no key; its values stay in memory. Each
    caller gets a value of its own (`private`).

    Parameters
    ----------
    function : callable
        Takes a `Region`, then numbers, texts, dates or tuples of these. Whatever else the
        value depends on must be an argument, too. Returns something that can be pickled.
    """
    name, parameters = f"{function.__module__}.{function.__qualname__}", inspect.signature(function)

    @functools.wraps(function)
    def cached(here: Region, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Value:
        given = parameters.bind(here, *args, **kwargs)
        given.apply_defaults()
        own = repr((name, list(given.arguments.items())[1:], code() if here.key else "", current()))
        if own not in here.computed:
            folder = _folder() if here.key else None
            place = folder and folder / short(each.encode() for each in (here.key, own))
            here.computed[own] = load_or_compute(place, lambda: function(here, *args, **kwargs))
        return private(here.computed[own])

    return cached


def private(value: Value) -> Value:
    """Return a value whose frames and arrays can be changed without changing the value's own.

    Also those in dataclasses, lists, tuples and dicts; frames copy what is changed (pandas 3).
    """
    if isinstance(value, pd.DataFrame | pd.Series):
        return value.copy(deep=False)
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, dict):
        return {key: private(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(private, value))
    if dataclasses.is_dataclass(value):
        own = copy.copy(value)
        vars(own).update(private(vars(value)))
        return own
    return value


class Tables(Mapping[str, pd.DataFrame]):
    """Tables by name; each caller gets a frame of its own."""

    def __init__(self, frames: Mapping[str, pd.DataFrame]) -> None:
        self._frames = private(dict(frames))

    def __getitem__(self, name: str) -> pd.DataFrame:
        return private(self._frames[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._frames)

    def __len__(self) -> int:
        return len(self._frames)


def clear() -> None:
    """Delete the user's own cache."""
    shutil.rmtree(_own_folder(), ignore_errors=True)


def path_of(source: Source, *which: str) -> Path | None:
    """Return the path at which a source is cached, or a region of it as of a day.

    None without a cache folder, and for a database that was not extracted.
    """
    folder = _folder()
    if folder is None or ("://" in (source.database or "") and not source.extracts):
        return None
    if not os.environ.get(FOLDER):  # outlasts this run: the data and the code may change
        data = content(source)
        if data is None:
            return None
        which = (*which, str(source.folder), data, code(HERE))
    return folder / short(repr(each).encode() for each in (source.name, *which))


def load_or_compute(path: Path | None, compute: Callable[[], Value]) -> Value:
    """Load from the cache, or compute and store.

    Of several notebooks that need it at once the first computes it, and the others wait.

    Parameters
    ----------
    path : Path or None
        As from `path_of`.
    compute : callable
        Computes anything that can be pickled; the engine's tables in it are stored as
        Parquet files.
    """
    if path is None:
        return compute()
    try:
        lock = FileLock(path.with_suffix(".lock")).acquire()
    except OSError:
        return compute()
    with lock:
        with contextlib.suppress(Exception), path.open("rb") as file:  # a damaged file, too
            return pickle.load(file)
        value = compute()
        try:
            with whole(path) as draft, draft.open("wb") as file:
                _Pickler(file, path).dump(value)
        except Exception:  # no room, or it can't be pickled: each notebook computes its own
            for rows in path.parent.glob(f"{path.name}.*.parquet"):
                rows.unlink()
            return value
        with path.open("rb") as file:
            return pickle.load(file)


def content(source: Source) -> str | None:
    """Return the fingerprint of a source's files; None for a database that was not extracted.

    Files that are large together are not read for it: it changes when one is written, even if
    nothing in it is another.
    """
    if "://" in (source.database or "") and not source.extracts:
        return None
    files = paths_of(source)
    if not all(map(is_file, files)):
        return None
    problems = [each.encode() for each in source.extracts.values() if isinstance(each, str)]
    known = _state if sum(each.stat().st_size for each in files) > LARGE else _digest
    return short([repr(source).encode(), *problems, *map(known, files)])


def short(parts: Iterable[bytes]) -> str:
    """Return a short SHA-256 of several parts."""
    total = hashlib.sha256()
    for part in parts:
        total.update(hashlib.sha256(part).digest())
    return total.hexdigest()[:LENGTH]


def code(package: Path = PACKAGE) -> str:
    """Return the fingerprint of a package's code and of the versions it runs with.

    As it is now: notebooks reload modules whose files change.
    """
    files = [path for path in sorted(package.rglob("*")) if path.suffix in (".py", ".toml")]
    lock = ROOT / "requirements.lock"
    return short(path.read_bytes() for path in [*files, *([lock] if lock.exists() else [])])


def _folder() -> Path | None:
    """Return the cache folder: the run's, or the user's own; None where there is none."""
    if FOLDER in os.environ or "WORKBOOK_REPORTS" in os.environ:  # on a cluster a run has none
        return Path(os.environ[FOLDER]) if os.environ.get(FOLDER) else None
    folder = _own_folder()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)  # fails where it is somebody else's
        _drop_old(folder)
    except OSError:
        return None
    return folder


@functools.cache
def _drop_old(folder: Path) -> None:
    """Keep the user's own cache within its limits; looked at once in a process, before it is read.

    What is loaded afterwards reads its tables from their files when they are asked for.
    """
    total, oldest = 0, time.time() - MAX_AGE.total_seconds()
    files = [(path.stat(), path) for path in folder.iterdir() if path.is_file()]
    for about, path in sorted(files, key=lambda each: each[0].st_mtime, reverse=True):
        total += about.st_size
        if total > MAX_BYTES or about.st_mtime < oldest:
            path.unlink(missing_ok=True)


def _own_folder() -> Path:
    """Return the user's own cache folder, which may not be there."""
    return platformdirs.user_cache_path("customer-research-workbook")


def _digest(path: Path) -> bytes:
    """Return the SHA-256 of a file, without holding all of it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _state(path: Path) -> bytes:
    """Return what is another after a file was written, also where its time was set back."""
    about = path.stat()
    return repr((str(path), about.st_size, about.st_mtime_ns, about.st_ctime_ns)).encode()


class _Pickler(pickle.Pickler):
    """Pickles to a path; each of the engine's tables goes to a Parquet file beside it."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        super().__init__(file)
        self._places = (path.with_suffix(f".{n}.parquet") for n in itertools.count(1))

    def reducer_override(self, thing: object) -> object:
        """Store a table in the order of its regions and values, whatever it was."""
        import pyarrow.parquet as pq  # here, and below: the command starts without it
        from ibis.expr.types import Table

        if not isinstance(thing, Table):
            return NotImplemented
        rows = next(self._places)
        with whole(rows) as draft:
            batches = thing.order_by(
                *dict.fromkeys(["region", *thing.columns])
            ).to_pyarrow_batches()
            with pq.ParquetWriter(draft, batches.schema) as writer:  # the engine may write nothing
                for batch in batches:
                    writer.write_batch(batch)
        return _read_table, (rows,)


def _read_table(rows: Path) -> Table:
    """Read a table that a `_Pickler` stored."""
    from analysis.data.reading import engine

    return engine.embedded([rows]).read_parquet(rows)
