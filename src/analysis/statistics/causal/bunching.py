"""Bunching of counts before a limit, such as cases settled on the last promised day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy import stats

from analysis.language import text
from analysis.statistics.causal.discontinuity import CUTOFF, whole_days
from analysis.statistics.estimate import NotEstimable

LAST, MIN_CASES, _DEGREE = 12, 50, 3
"""Day that stands for all later ones; cases that the test needs; degree of the polynomial."""


@dataclass(frozen=True)
class Bunching:
    """Whether one day holds more cases than its neighbours lead to expect.

    `excess` are the cases of the cutoff day less those expected. If they were moved from the days
    next to it, fewer were: those days then look emptier than they would have been. `p_value` is
    one-sided, of so many or more by chance. `table` has count and expected per day; the last day,
    which holds all later ones, is not fitted and its expected count is missing.
    """

    excess: float
    p_value: float
    table: pd.DataFrame


def bunching(days: pd.Series) -> Bunching:
    """Test whether cases pile up on the cutoff day.

    Counts per day follow a smooth curve, the cutoff day aside: a Poisson regression on a
    cubic in log(1 + day). Times to settle are skewed like a log-normal, whose log density
    is a parabola in log time; the cubic takes up that days are rounded down, where a parabola
    expects 5 % too many on day 3 and misses what it looks for. The test compares the deviances
    with and without a term for the cutoff day.

    `days` are whole, one per case; missing ones are left out, and `LAST` stands for all later ones.

    Raises
    ------
    NotEstimable
        If there are fewer than `MIN_CASES` cases, or fewer than 6 different days before the last.

    References
    ----------
    McCrary (2008). Manipulation of the running variable in the regression discontinuity design: a
    density test. Journal of Econometrics 142, 698-714.
    """
    whole = whole_days(days).dropna().clip(upper=LAST)
    count = whole.value_counts().reindex(range(LAST + 1), fill_value=0).sort_index()
    fitted = count.iloc[:LAST]
    if count.sum() < MIN_CASES or (fitted > 0).sum() < _DEGREE + 3:
        raise NotEstimable(
            text(
                "Bunching needs {needed} cases on {days} different days; there are {cases} "
                "on {on_days}.",
                needed=MIN_CASES,
                days=_DEGREE + 3,
                cases=count.sum(),
                on_days=(fitted > 0).sum(),
            )
        )
    logs = np.log1p(np.arange(LAST))
    design = np.vander((logs - logs.mean()) / logs.std(), _DEGREE + 1)
    rest = fitted.index != CUTOFF
    without = sm.GLM(fitted[rest], design[rest], family=sm.families.Poisson()).fit()
    smooth = sm.GLM(fitted, design, family=sm.families.Poisson()).fit()
    expected = pd.Series(without.predict(design), fitted.index)
    excess = float(count[CUTOFF] - expected[CUTOFF])
    root = np.sign(excess) * np.sqrt(max(smooth.deviance - without.deviance, 0))
    table = pd.DataFrame({"count": count, "expected": expected}).rename_axis("day")
    return Bunching(excess, float(stats.norm.sf(root)), table)
