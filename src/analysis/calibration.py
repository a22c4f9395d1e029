"""How often the verdicts are wrong: the table that `workbook calibrate` makes, and its lines."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd

from analysis.files import whole

FILE = Path(__file__).with_name("calibration.csv")
POOLED = Path(__file__).with_name("calibration_pooled.csv")
PLANTED = "as planted"
LEAST_TESTABLE = 0.5
"""Share of simulated regions that must have been testable for a size to have a line."""
COLUMNS = [
    "scene", "customers", "hypothesis", "part", "regions", "testable", "truth", "bias",
    "coverage", "supported", "contradicted", "wrong", "power",
]  # fmt: skip


@cache
def table() -> pd.DataFrame:
    """Read the table: one row per scene, size of region, hypothesis and part."""
    return pd.read_csv(FILE) if FILE.exists() else pd.DataFrame(columns=COLUMNS)


def merged(new: pd.DataFrame) -> pd.DataFrame:
    """Return the table with new rows in place of those of the same scene, size and hypothesis."""
    keys = ["scene", "customers", "hypothesis", "part"]
    known = [each for each in (table(), new) if len(each)]
    rows = pd.concat(known, ignore_index=True).drop_duplicates(keys, keep="last")
    first = rows["scene"] != PLANTED
    order = rows.assign(later=first).sort_values(["later", *keys], kind="stable").index
    return rows.loc[order, COLUMNS].reset_index(drop=True)


@cache
def pooled_table() -> pd.DataFrame:
    """Read how often pooled intervals hold the truth, as from `example.regions.rates`."""
    return pd.read_csv(POOLED)


def pooled_line(n_regions: int) -> dict:
    """Return what was measured for about so many regions.

    Returns
    -------
    dict
        regions and sets (number of regions nearest to it, and of simulated sets), mean and
        another (lowest and highest coverage over the spreads between regions, two numbers each).
    """
    rows = pooled_table()
    nearest = min(rows["regions"].unique(), key=lambda each: abs(each - n_regions))
    own = rows[rows["regions"] == nearest]
    ends = {name: (own[name].min(), own[name].max()) for name in ("mean", "another")}
    return {"regions": int(nearest), "sets": int(own["sets"].iloc[0])} | ends


def write(rows: pd.DataFrame, file: Path | None = None) -> None:
    """Write a table, by default that of the hypotheses, whole or not at all."""
    with whole(file or FILE) as draft:
        rows.to_csv(draft, index=False, float_format="%.4f", lineterminator="\n")
    table.cache_clear()
    pooled_table.cache_clear()


def line(hypothesis: str, n_customers: int) -> dict | None:
    """Return what was measured for a hypothesis in regions of about this size.

    Parameters
    ----------
    hypothesis : str
        Its id.
    n_customers : int
        Customers of the region.

    Returns
    -------
    dict or None
        customers and regions (size and number of the simulated regions nearest in size), coverage
        (by part); worlds (number of worlds made to mislead the verdict), wrong (highest
        share of wrong verdicts in one of them) and scene (which; None without any). None if
        there is no line.
    """
    rows = table()[table()["hypothesis"] == hypothesis]
    planted = rows[(rows["scene"] == PLANTED) & (rows["testable"] >= LEAST_TESTABLE)]
    if planted.empty:
        return None
    sizes = planted["customers"].unique()
    size = min(sizes, key=lambda each: abs(each - n_customers))
    here = planted[planted["customers"] == size]
    found = {
        "customers": int(size),
        "regions": int(here["regions"].iloc[0]),
        "coverage": here.set_index("part")["coverage"].astype(float).to_dict(),
        "worlds": 0,
        "wrong": None,
        "scene": None,
    }
    traps = rows[rows["scene"] != PLANTED]
    if len(traps):
        worst = traps.loc[traps["wrong"].idxmax()]
        found |= {"worlds": int(traps["scene"].nunique()), "wrong": float(worst["wrong"])}
        found |= {"scene": str(worst["scene"])}
    return found
