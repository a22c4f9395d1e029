"""Extracts of databases: one state for a run, and what of them is kept."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from analysis.data.errors import counted
from analysis.data.extraction import SINCE

if TYPE_CHECKING:
    from analysis.data.mapping.source import Source


def of_run(source: Source) -> Source:
    """Extract a source's database for this run, whose notebooks all see the same rows."""
    if source.database is None:
        return source
    from analysis.data.extraction import extract

    os.environ[SINCE] = str(time.time())
    return extract.extracted(source)


def lines() -> Iterator[str]:
    """Yield a line for each extract that is kept, and one for all."""
    from analysis.data.extraction import store

    kept = store.listed()
    for path, size, used in kept:
        when = f"{datetime.fromtimestamp(used):%Y-%m-%d %H:%M}"
        yield f"{store.about(path)}: {size / 1e6:,.1f} MB, last used {when}"
    total, limit = sum(size for _, size, _ in kept) / 1e6, store.MAX_BYTES / 1e6
    yield f"{counted(len(kept), 'extract')}, {total:,.1f} of {limit:,.0f} MB, in {store.folder()}"
