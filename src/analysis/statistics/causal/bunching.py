"""Bunching of counts before a limit, such as cases settled on the last promised day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy import stats

from analysis.statistics.causal.discontinuity import whole_days
from analysis.statistics.estimate import NotEstimable

MIN_CASES, _DEGREE = 50, 3
"""Cases that the test needs; degree of the polynomial through the counts."""


@dataclass(frozen=True)
class Bunching:
    """Whether one day holds more cases than its neighbours lead to expect.

    Attributes
    ----------
    excess : float
        Cases of the cutoff day less those expected. If they were moved from the days next
        to it, fewer were: those days then look emptier than they would have been.
    p_value : float
        Of so many or more by chance; one-sided.
    table : DataFrame
        Per day count and expected; the last day, which holds all later ones, is not
        fitted and its expected count is missing.
    """

    excess: float
    p_value: float
    table: pd.DataFrame


def bunching(days: pd.Series, cutoff: int = 3, last: int = 12) -> Bunching:
    """Test whether cases pile up on the cutoff day.

    Counts per day follow a smooth curve, the cutoff day aside: a Poisson regression on a
    cubic in log(1 + day). Times to settle are skewed like a log-normal, whose log density
    is a parabola in log time; the cubic takes up that days are rounded down, where a parabola
    expects 5 % too many on day 3 and misses what it looks for. The test compares the deviances
    with and without a term for the cutoff day.

    Parameters
    ----------
    days : Series
        Whole days, one per case; missing ones are left out.
    cutoff : int
        Day to test.
    last : int
        Day that also stands for all later ones.

    Raises
    ------
    ValueError
        If there are fewer than 50 cases, fewer than 6 different days before the last, or
        the cutoff is not one of those.

    References
    ----------
    McCrary, J. (2008). Manipulation of the running variable in the regression
    discontinuity design: a density test. Journal of Econometrics 142, 698-714.
    """
    whole = whole_days(days).dropna().clip(upper=last)
    count = whole.value_counts().reindex(range(last + 1), fill_value=0).sort_index()
    _check_counts(count, cutoff)
    fitted = count.iloc[:last]
    design = _cubic_in_logs(fitted.index)
    rest = fitted.index != cutoff
    without = sm.GLM(fitted[rest], design[rest], family=sm.families.Poisson()).fit()
    smooth = sm.GLM(fitted, design, family=sm.families.Poisson()).fit()
    expected = pd.Series(without.predict(design), fitted.index)
    excess = float(count[cutoff] - expected[cutoff])
    root = np.sign(excess) * np.sqrt(max(smooth.deviance - without.deviance, 0))
    table = pd.DataFrame({"count": count, "expected": expected}).rename_axis("day")
    return Bunching(excess, float(stats.norm.sf(root)), table)


def _cubic_in_logs(days: pd.Index) -> np.ndarray:
    """Return powers of the standardised log of 1 + day, shape (days, 4)."""
    logs = np.log1p(np.asarray(days, float))
    return np.vander((logs - logs.mean()) / logs.std(), _DEGREE + 1)


def _check_counts(count: pd.Series, cutoff: int) -> None:
    """Refuse counts per day that tell no curve."""
    before = count.iloc[:-1]
    if cutoff not in before.index:
        raise ValueError(f"The cutoff must be between 0 and {len(before) - 1}, not {cutoff}.")
    if count.sum() < MIN_CASES or (before > 0).sum() < _DEGREE + 3:
        raise NotEstimable(
            f"Bunching needs {MIN_CASES} cases on {_DEGREE + 3} different days; "
            f"there are {count.sum()} on {(before > 0).sum()}."
        )
