"""The Net Promoter Score and its interval."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from analysis.language import text
from analysis.statistics import weighting
from analysis.statistics.estimate import Estimate, NotEstimable

PROMOTER, DETRACTOR = 9, 6
"""Least answer of a promoter, greatest of a detractor."""
ADDED = (0.75, 0.75, 3.0)
"""Promoters, detractors and answers that the adjusted Wald interval adds."""


def net_promoter_score(answers: pd.Series, weight: pd.Series | None = None) -> Estimate:
    """Return the share of promoters less that of detractors, with an adjusted Wald interval.

    Parameters
    ----------
    answers : Series of float, shape (n,)
        How likely a recommendation is, from 0 to 10; missing ones are left out.
    weight : Series of float, shape (n,), optional
        Of each answer; the interval is then taken at the number of equal answers whose score would
        have the linearised variance of this one.

    Returns
    -------
    Estimate
        In percentage points, from -100 to 100.

    Raises
    ------
    ValueError
        If an answer lies outside 0 to 10.
    NotEstimable
        If nobody answered.

    References
    ----------
    Rocks, B. (2016). Interval estimation for the "Net Promoter Score". The American Statistician
    70(4), 365-372: the adjusted Wald interval AW(3, T). Korn, E. L., Graubard, B. I. (1998).
    Confidence intervals for proportions with small expected number of positive counts estimated
    from survey data. Survey Methodology 24, 193-201: the effective number of answers.
    """
    rows = pd.DataFrame({"answer": answers, weighting.COLUMN: np.nan if weight is None else weight})
    rows = rows.dropna(subset=["answer"])
    known, n, own = rows["answer"].to_numpy(float), len(rows), weighting.of(rows)
    if not n:
        raise NotEstimable(text("Nobody answered whether they would recommend."))
    if not ((known >= 0) & (known <= 10)).all():
        raise ValueError("Answers must lie between 0 and 10.")
    is_weighted, effective = own is not None, weighting.effective_size(own, n)
    df, own = np.inf, own if is_weighted else np.ones(n)
    promoters, detractors = own[known >= PROMOTER].sum(), own[known <= DETRACTOR].sum()
    away = 1.0 * (known >= PROMOTER) - (known <= DETRACTOR) - (promoters - detractors) / n
    if is_weighted and np.ptp(away):
        effective = n * (own @ away**2) / ((own * away) ** 2).sum()
        df = weighting.degrees_of_freedom(own * away, own, df)
    more, less, size = effective / n * np.array([promoters, detractors, n]) + ADDED
    middle = (more - less) / size
    se = np.sqrt(((more + less) / size - middle**2) / size)
    low, high = np.clip(middle + stats.t.ppf([0.025, 0.975], df) * se, -1, 1) * 100
    score = float((promoters - detractors) / n * 100)
    return Estimate(score, float(low), float(high), n, method="adjusted Wald interval")


def by_group(
    answers: pd.Series, groups: pd.Series, weight: pd.Series | None = None
) -> pd.DataFrame:
    """Return the score of all, and of each group.

    Parameters
    ----------
    answers : Series of float, shape (n,)
        As in `net_promoter_score`, by customer.
    groups : Series of str
        Group of each customer, with an index that holds those of `answers`.
    weight : Series of float, optional
        As in `net_promoter_score`, by customer.

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
    scores = {
        name: net_promoter_score(each, None if weight is None else weight.reindex(each.index))
        for name, each in parts.items()
    }
    rows = [(each.estimate, each.ci_low, each.ci_high, each.n_obs) for each in scores.values()]
    return pd.DataFrame(rows, list(scores), ["estimate", "ci_low", "ci_high", "answers"])
