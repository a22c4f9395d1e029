"""The Net Promoter Score and its interval."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from analysis.language import text
from analysis.statistics.estimate import Estimate, NotEstimable

PROMOTER, DETRACTOR = 9, 6
"""Least answer of a promoter, greatest of a detractor."""
ADDED = (0.75, 0.75, 3.0)
"""Promoters, detractors and answers that the adjusted Wald interval adds."""


def net_promoter_score(answers: pd.Series) -> Estimate:
    """Return the share of promoters less that of detractors, with an adjusted Wald interval.

    Parameters
    ----------
    answers : Series of float, shape (n,)
        How likely a recommendation is, from 0 to 10; missing ones are left out.

    Returns
    -------
    Estimate
        In percentage points, from -100 to 100.

    Raises
    ------
    NotEstimable
        If nobody answered.

    References
    ----------
    Rocks, B. (2016). Interval estimation for the "Net Promoter Score". The American Statistician
    70(4), 365-372: the adjusted Wald interval AW(3, T).
    """
    known = answers.dropna()
    n = len(known)
    if not n:
        raise NotEstimable(text("Nobody answered whether they would recommend."))
    promoters, detractors = (known >= PROMOTER).sum(), (known <= DETRACTOR).sum()
    more, less, size = np.array([promoters, detractors, n]) + ADDED
    middle = (more - less) / size
    se = np.sqrt(((more + less) / size - middle**2) / size)
    low, high = np.clip(middle + stats.norm.ppf([0.025, 0.975]) * se, -1, 1) * 100
    score = float((promoters - detractors) / n * 100)
    return Estimate(score, float(low), float(high), n, method="adjusted Wald interval")


def by_group(answers: pd.Series, groups: pd.Series) -> pd.DataFrame:
    """Return the score of all, and of each group.

    Parameters
    ----------
    answers : Series of float, shape (n,)
        As in `net_promoter_score`, by customer.
    groups : Series of str
        Group of each customer, with an index that holds those of `answers`.

    Returns
    -------
    DataFrame
        By group ("all" first): estimate, ci_low, ci_high (percentage points) and answers; empty
        where nobody answered.
    """
    known = answers.dropna()
    if known.empty:
        return pd.DataFrame()
    own = groups.reindex(known.index)
    parts = {"all": known} | {name: known[own == name] for name in sorted(own.dropna().unique())}
    scores = {name: net_promoter_score(each) for name, each in parts.items()}
    rows = [(each.estimate, each.ci_low, each.ci_high, each.n_obs) for each in scores.values()]
    return pd.DataFrame(rows, list(scores), ["estimate", "ci_low", "ci_high", "answers"])
