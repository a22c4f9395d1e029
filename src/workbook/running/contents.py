"""Fingerprints of each region's data, computed in the engine."""

from __future__ import annotations

import ibis
import pandas as pd
from ibis.expr.types import Table

from analysis.data.dataset import Dataset, last_day
from analysis.data.reading.raw import ROW
from analysis.data.validation.tables import CheckedTable
from workbook.running import fingerprints


def regions(dataset: Dataset, as_of: str = "") -> dict[str, str]:
    """Return the fingerprint of each region's data, computed in the engine.

    It covers the values of all rows whatever their order, the place in the file of rejected rows
    and of several answers of a customer on one day (it says which counts), the source's own file,
    and the last day that counts.
    """
    own = [repr(dataset.source), str(last_day(dataset, as_of)), *dataset.problems.values()]
    tables = {name: _contents(name, table) for name, table in sorted(dataset.tables.items())}
    found = {}
    for region in dataset.regions()["region"]:
        rows = [  # of the region, and of none
            table[(table.index == region) | table.index.isna()].sort_index().to_csv()
            for table in tables.values()
        ]
        found[region] = fingerprints.short(text.encode() for text in [*own, *rows])
    return found


def _contents(name: str, table: CheckedTable) -> pd.DataFrame:
    """Return, for each region, the number of rows and two sums of their hashes."""
    rows, placed = table.rows, table.broken
    values = {column: rows[column] for column in sorted(set(rows.columns) - {ROW})}
    if name == "survey":
        day = [rows["answered_on"].date()] if "answered_on" in rows.columns else []
        same = ibis.window(group_by=[rows["customer_id"], *day])
        placed = placed | (rows.count().over(same) > 1)
    place = placed.ifelse(rows[ROW], ibis.null())
    hashed = rows.select(region="region", hash=ibis.struct(values | {ROW: place}).hash())
    low, high = hashed["hash"] & 0xFFFFFFFF, hashed["hash"] >> 32  # sums that fit 64 bits
    return _by_region(hashed, n=hashed.count(), low=low.sum(), high=high.sum())


def _by_region(rows: Table, **measures: object) -> pd.DataFrame:
    """Return measures by region; those of rows without one are missing's."""
    found = rows.group_by("region").agg(**measures).to_pandas()
    return found.set_index("region").astype(object)
