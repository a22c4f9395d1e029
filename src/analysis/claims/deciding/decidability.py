"""How often a claim whose effects are clear is decided, by the size of a region, and what by."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal

import pandas as pd
from scipy import stats

FILE = Path(__file__).parents[1] / "tables" / "decidability.csv"
KEYS = ["scene", "customers", "hypothesis"]
COUNTS = ["regions", "right", "wrong", "open", "untested"]
COLUMNS = [*KEYS, *COUNTS, "left_open_by", "failing"]
INTERVAL = "interval"
"""What leaves a claim open where no check fails: the interval fits both a yes and a no."""
HIDDEN = (
    "with a hidden cause as strong as any recorded",
    "net of the stations' other customers and of the waves before",
)
"""Checks against a hidden cause, by their names: no number of customers passes them."""
ENOUGH = 0.8
"""Share of regions that must be decided rightly for a size to be enough."""
LARGE = 10_000
"""Customers of the smallest region that tells what numbers alone do not decide."""
LEAST = 5
"""Simulated regions of a size without which that size is not named as enough."""
Outlook = Literal["data", "edge", "never", "open"]


def table() -> pd.DataFrame:
    """Return the table that `workbook calibrate --decidability` makes.

    One row per scene, customers of a region and hypothesis, with columns as from
    `simulation.error_rates.decided`.
    """
    return _read(FILE, FILE.stat().st_mtime_ns) if FILE.exists() else pd.DataFrame(columns=COLUMNS)


@lru_cache(maxsize=2)
def _read(file: Path, changed: int) -> pd.DataFrame:
    """Read the table as of a change of its file."""
    return pd.read_csv(file, keep_default_na=False)


def merged(new: pd.DataFrame) -> pd.DataFrame:
    """Return the table with new rows in place of those of the same scene, size and hypothesis."""
    known = [each for each in (table(), new) if len(each)]
    rows = pd.concat(known, ignore_index=True).drop_duplicates(KEYS, keep="last")
    return rows.sort_values(KEYS, kind="stable", ignore_index=True)[COLUMNS]


def by_size(hypothesis: str) -> pd.DataFrame:
    """Return what was counted for a hypothesis, the smallest regions first.

    Returns
    -------
    DataFrame
        One row per size, with the columns of `table`, and share, low and high: the share of regions
        that are decided rightly, and its 95% interval.

    References
    ----------
    Clopper, C. J. and Pearson, E. S. (1934). The use of confidence or fiducial limits illustrated
    in the case of the binomial. Biometrika 26, 404-413.
    """
    known = table()
    rows = known[known["hypothesis"] == hypothesis].sort_values("customers", ignore_index=True)
    ends = [interval(*pair) for pair in zip(rows["right"], rows["regions"], strict=True)]
    return rows.assign(
        share=(rows["right"] / rows["regions"]).astype(float),
        low=[low for low, _ in ends],
        high=[high for _, high in ends],
    )


def interval(count: int, n: int) -> tuple[float, float]:
    """Return the exact 95% interval of a share, from a count of n.

    Examples
    --------
    >>> [round(end, 3) for end in interval(5, 6)]
    [0.359, 0.996]
    """
    ends = stats.binomtest(int(count), int(n)).proportion_ci(0.95, "exact")
    return float(ends.low), float(ends.high)


def nearest(rows: pd.DataFrame, n_customers: int) -> pd.Series:
    """Return the row of `by_size` whose regions are nearest in size, by their ratio."""
    sizes = rows["customers"].astype(float)
    ratio = (sizes / max(n_customers, 1)).map(lambda each: max(each, 1 / each))
    return rows.loc[ratio.idxmin()]


def enough(rows: pd.DataFrame, least: int = 0) -> pd.Series | None:
    """Return the row of the smallest size that decides `ENOUGH` of its regions rightly, if any.

    Sizes of which fewer than `least` regions were simulated do not count.
    """
    good = rows[(rows["share"] >= ENOUGH) & (rows["regions"] >= least)]
    return good.iloc[0] if len(good) else None


def told(rows: pd.DataFrame) -> pd.Series:
    """Return the row of the largest size of which enough regions were simulated, else of any."""
    known = rows[rows["regions"] >= LEAST]
    return (known if len(known) else rows).iloc[-1]


def outlook(hypothesis: str, largest: int = 0) -> Outlook | None:
    """Return whether more customers would decide a claim, as far as it was measured.

    "data" where regions of some size are decided rightly often enough, but "edge" where a region in
    which it is open, whose `largest` has so many customers, is as large: its effect is none of the
    clear ones, or a check fails there; else, by the largest regions (`told`), "never" where none is
    decided and a hidden cause leaves most open, "open" where some are, or it is an interval or
    another check, which more customers may narrow or pass. None where nothing was measured, or no
    region as large as `LARGE`.
    """
    rows = by_size(hypothesis)
    if (best := enough(rows, LEAST)) is not None:
        return "edge" if best["customers"] <= largest else "data"
    if rows.empty or rows["customers"].iloc[-1] < LARGE:
        return None
    last = told(rows)
    return "never" if last["left_open_by"] in HIDDEN and not last["right"] else "open"
