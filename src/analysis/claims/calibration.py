"""How often the verdicts are wrong: the table that `workbook calibrate` makes, and its lines."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pandas as pd
from scipy import stats

from analysis.data.files import whole

FILE = Path(__file__).parent / "tables" / "calibration.csv"
POOLED = Path(__file__).parent / "tables" / "calibration_pooled.csv"
PLANTED = "as planted"
LEAST_TESTABLE = 0.5
"""Share of simulated regions that must have been testable for a size to have a line."""
CHANCE = 0.01
"""Where chance alone makes coverage so low more rarely than this, an interval falls short."""
COLUMNS = [
    "scene", "customers", "hypothesis", "part", "regions", "testable", "truth", "bias",
    "coverage", "supported", "contradicted", "wrong", "power",
]  # fmt: skip


def table() -> pd.DataFrame:
    """Return the table: one row per scene, size of region, hypothesis and part."""
    return _read(FILE, FILE.stat().st_mtime_ns) if FILE.exists() else pd.DataFrame(columns=COLUMNS)


@lru_cache(maxsize=2)
def _read(file: Path, changed: int) -> pd.DataFrame:
    """Read a table as of a change of its file."""
    return pd.read_csv(file)


def merged(new: pd.DataFrame) -> pd.DataFrame:
    """Return the table with new rows in place of those of the same scene, size and hypothesis."""
    keys = ["scene", "customers", "hypothesis", "part"]
    known = [each for each in (table(), new) if len(each)]
    rows = pd.concat(known, ignore_index=True).drop_duplicates(keys, keep="last")
    rows["later"] = rows["scene"] != PLANTED
    return rows.sort_values(["later", *keys], kind="stable", ignore_index=True)[COLUMNS]


def pooled_line(n_regions: int) -> dict:
    """Return what was measured for about so many regions.

    That is regions and sets (number of regions nearest to it, and of simulated sets), mean and
    another (lowest and highest coverage over the spreads between regions, two numbers each).
    """
    rows = _read(POOLED, POOLED.stat().st_mtime_ns)  # as from `simulation.pooled_regions`
    nearest = min(rows["regions"].unique(), key=lambda each: abs(each - n_regions))
    own = rows[rows["regions"] == nearest]
    ends = {name: (own[name].min(), own[name].max()) for name in ("mean", "another")}
    return {"regions": int(nearest), "sets": int(own["sets"].iloc[0])} | ends


def write(rows: pd.DataFrame, file: Path | None = None) -> None:
    """Write a table, by default that of the hypotheses, whole or not at all."""
    with whole(file or FILE) as draft:
        rows.to_csv(draft, index=False, float_format="%.4f", lineterminator="\n")


def line(hypothesis: str, n_customers: int) -> dict | None:
    """Return what was measured for a hypothesis in regions of about this size.

    That is customers (size of the simulated regions nearest in size), coverage (by part); regions,
    wrong, open and bound (number of them that could be tested, whose verdict was wrong, and stayed
    open; `at_most`); worlds (number of worlds made to mislead the verdict) and misled (the worst of
    them: most often wrong, and then of the lowest coverage; and the one of the lowest coverage,
    where it is another one whose interval falls short). Each of misled has scene, regions, wrong,
    open, bound, part and coverage (the lowest) and is_short (whether that is below 95% by more
    than chance). It is None if nothing was measured.
    """
    rows = table()[table()["hypothesis"] == hypothesis]
    rows = rows[rows["testable"] >= LEAST_TESTABLE]
    is_planted = rows["scene"] == PLANTED
    sizes = rows.loc[is_planted, "customers"].unique()
    if not len(sizes):
        return None
    size = min(sizes, key=lambda each: abs(each - n_customers))
    here = rows[is_planted & (rows["customers"] == size)]
    coverage = here.set_index("part")["coverage"].astype(float).to_dict()
    found = {"customers": int(size), "coverage": coverage} | _counts(here.iloc[0])
    return found | _worlds(rows[~is_planted])


def at_most(wrong: int, regions: int) -> float:
    """Return the share that wrong verdicts have at most, with 95% certainty.

    References
    ----------
    Clopper, C. J. and Pearson, E. S. (1934). The use of confidence or fiducial limits illustrated
    in the case of the binomial. Biometrika 26, 404-413.

    Examples
    --------
    >>> round(at_most(0, 24), 3)
    0.117
    """
    counted = stats.binomtest(wrong, regions, alternative="less")
    return float(counted.proportion_ci(0.95, "exact").high)


def _counts(row: pd.Series) -> dict:
    """Return how many regions a row rests on: tested, wrong, open."""
    shares = (row["testable"], row["wrong"], row["supported"] + row["contradicted"])
    tested, wrong, decided = (round(row["regions"] * share) for share in shares)
    bound = at_most(wrong, tested)
    return {"regions": tested, "wrong": wrong, "open": tested - decided, "bound": bound}


def _worlds(rows: pd.DataFrame) -> dict:
    """Return the number of worlds made to mislead, and those in which a verdict did worst."""
    order = rows.sort_values(["wrong", "coverage"], ascending=[False, True], kind="stable")
    misled = [_world(row) for _, row in order[:1].iterrows()]
    for _, row in rows.nsmallest(1, "coverage").iterrows():
        lowest = _world(row)
        if lowest["is_short"] and lowest["scene"] != misled[0]["scene"]:
            misled.append(lowest)
    return {"worlds": int(rows["scene"].nunique()), "misled": misled}


def _world(row: pd.Series) -> dict:
    """Return what happened in one world, by the part whose interval did worst there."""
    counts, coverage = _counts(row), float(row["coverage"])
    held = round(coverage * counts["regions"])
    is_short = bool(stats.binom.cdf(held, counts["regions"], 0.95) < CHANCE)
    told = {"scene": str(row["scene"]), "part": str(row["part"]), "coverage": coverage}
    return told | counts | {"is_short": is_short}
