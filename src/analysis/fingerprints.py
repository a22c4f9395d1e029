"""Fingerprints of what a finding came from: the region's data, the notebook, the module."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import ibis
import pandas as pd
from ibis.expr.types import Table

from analysis import hypotheses
from analysis.data import last_day
from analysis.dataset import Dataset, Held
from analysis.reading import ROW
from analysis.sources import ROOT, Source

MODULE = Path(__file__).parent
LENGTH = 12
"""Characters of a fingerprint."""


def notebook(path: Path) -> str:
    """Return the fingerprint of a notebook's file."""
    return _hash([path.read_bytes()])


@cache
def module() -> str:
    """Return the fingerprint of the helper module and of the versions that it runs with.

    The register has its own, and the example regions are data.
    """
    own = [path for path in sorted(MODULE.rglob("*")) if path.suffix in (".py", ".toml", ".csv")]
    templates = [path for path in sorted((MODULE / "templates").rglob("*")) if path.is_file()]
    parts = [path for path in dict.fromkeys(own + templates) if not _elsewhere(path)]
    lock = ROOT / "requirements.lock"
    return _hash(path.read_bytes() for path in [*parts, *([lock] if lock.exists() else [])])


def regions(dataset: Dataset, as_of: str = "") -> dict[str, str]:
    """Return the fingerprint of each region's data, computed in the engine.

    It covers the values of all rows whatever their order, the rows that are set aside with their
    place in the file, the source's own file, and the last day that counts. Of a database
    by address only numbers of rows, sums and ranges of each column are compared: that is cheap,
    and blind to a change that keeps them all.

    Parameters
    ----------
    dataset : Dataset
        An open source.
    as_of : str
        As in `data.load`.

    Returns
    -------
    dict of str to str
        By region.
    """
    own = [settings(dataset.source), str(last_day(dataset, as_of)), *dataset.problems.values()]
    by_address = "://" in (dataset.source.database or "")
    summary = _ranges if by_address else _contents
    tables = {name: summary(held) for name, held in sorted(dataset.tables.items())}
    return {
        region: _hash(
            text.encode()
            for text in [*own, *(_rows_of(table, region) for table in tables.values())]
        )
        for region in dataset.regions()["region"]
    }


def settings(source: Source) -> str:
    """Return what a source says of itself, without the address of a database."""
    return repr([getattr(source, name) for name in ("name", "currency", "calendar", "tables")]) + (
        repr([source.earliest, source.as_of, source.max_set_aside, source.notes])
    )


def _contents(held: Held) -> pd.DataFrame:
    """Return, for each region, the number of rows and two sums of their hashes."""
    rows = held.rows
    broken = ibis.or_(*(rows[f"broken_{i}"] for i in range(len(held.rules))), ibis.literal(False))
    values = {name: rows[name] for name in sorted(set(rows.columns) - {ROW})}
    place = broken.ifelse(rows[ROW], ibis.null())
    hashed = rows.select(region="region", hash=ibis.struct(values | {ROW: place}).hash())
    low, high = hashed["hash"] & 0xFFFFFFFF, hashed["hash"] >> 32  # sums that fit 64 bits
    return _by_region(hashed, n=hashed.count(), low=low.sum(), high=high.sum())


def _ranges(held: Held) -> pd.DataFrame:
    """Return, for each region, how many values each column has, their sum and their range."""
    rows, measures = held.rows, {"n": held.rows.count()}
    for name in sorted(set(rows.columns) - {ROW, "region"}):
        measures[f"n.{name}"] = rows[name].nunique()
        if rows[name].type().is_numeric():
            measures[f"sum.{name}"] = rows[name].sum()
        if not rows[name].type().is_boolean():
            measures[f"min.{name}"], measures[f"max.{name}"] = rows[name].min(), rows[name].max()
    return _by_region(rows, **measures)


def _by_region(rows: Table, **measures: object) -> pd.DataFrame:
    """Return measures by region; those of rows without one are missing's."""
    found = rows.group_by("region").agg(**measures).to_pandas()
    return found.set_index("region").astype(object)


def _rows_of(table: pd.DataFrame, region: str) -> str:
    """Return what was measured for a region, and for rows that belong to none."""
    own = table[(table.index == region) | table.index.isna()]
    return own.sort_index().to_csv()


def _elsewhere(path: Path) -> bool:
    """Tell whether a file of the module is fingerprinted by other means, or not at all."""
    return path == hypotheses.REGISTER_FILE or (MODULE / "example") in path.parents


def _hash(parts: Iterable[bytes]) -> str:
    """Return a short SHA-256 of several parts."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(hashlib.sha256(part).digest())
    return whole.hexdigest()[:LENGTH]
