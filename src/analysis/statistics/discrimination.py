"""AUC of a risk score, with customers who stand in several rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import optimize, special, stats

from analysis.language import text
from analysis.statistics._aligned import aligned
from analysis.statistics.estimate import Estimate, NotEstimable, from_se

EDGE = 1e-6
"""How far a share of 0 or 1, and its end of the interval, are kept inside."""
_NO_VARIANCE = 1e-20
"""Variance of a difference of two probabilities that comes from rounding alone."""


def auc(score: ArrayLike, lost: ArrayLike, customers: ArrayLike | None = None) -> Estimate:
    """Estimate the probability that who is lost has a higher score than who is not.

    This is the area under the ROC curve; equal scores count half. The interval is DeLong's
    on the logit scale. With `customers`, what the rows contribute is added up per customer
    first, so that a customer may have several rows, some lost and some not.

    Where all who are lost come first (or last), there is no error to estimate. The estimate
    is then half a pair of rows inside 1 (or 0), and the far end of the interval Newcombe's,
    which tells how often that happens by chance among so many customers.

    Parameters
    ----------
    score : array_like, shape (n,)
        Any scale; only the order counts.
    lost : array_like, shape (n,)
        True or 1 if lost.
    customers : array_like, shape (n,), optional
        Label of the customer of each row; by default each row is another customer. Series are
        paired by their index.

    Returns
    -------
    Estimate
        Between 0 and 1; `n_obs` is the number of customers.

    Raises
    ------
    ValueError
        If lengths or labels differ, a value is missing, or `lost` is not 0 or 1.
    NotEstimable
        If the score is the same in every row, fewer than 2 customers have a row that was lost
        or one that was not, or every customer adds the same, as where each is in both.

    References
    ----------
    DeLong, DeLong & Clarke-Pearson (1988). Comparing the areas under two or more correlated
    receiver operating characteristic curves. Biometrics 44, 837-845.
    Obuchowski (1997). Nonparametric analysis of clustered ROC curve data. Biometrics 53, 567-578.
    Newcombe (2006). Confidence intervals for an effect size measure based on the Mann-Whitney
    statistic. Part 2. Statistics in Medicine 25, 559-573.
    """
    lost, codes, score = checked(lost, customers, score)
    if score.min() == score.max():
        raise NotEstimable(
            text("The score is the same in all {n:,} rows, so it tells nobody apart.", n=len(score))
        )
    placed = _placements(score, lost)
    value, n = placed[lost].mean(), codes.max() + 1
    if value in (0, 1):
        value, error = _at_the_edge(value, lost, codes)
    elif (variance := _variance(placed, lost, codes)) < _NO_VARIANCE:
        raise NotEstimable(
            text("All of {n:,} customers add the same to the AUC: it has no error.", n=n)
        )
    else:
        error = np.sqrt(variance) / (value * (1 - value))
    return from_se(value, error, n, scale="logit", method=_method("AUC", customers))


def auc_gain(
    score: ArrayLike, base: ArrayLike, lost: ArrayLike, customers: ArrayLike | None = None
) -> Estimate:
    """Estimate by how much the AUC of a score exceeds that of another on the same rows.

    The error takes into account that both scores meet the same customers. Parameters and errors
    are those of `auc`, but a score may be the same in every row: its AUC is 0.5. The estimate is a
    difference of two probabilities.

    Raises
    ------
    NotEstimable
        If every customer adds the same to the gain, as where both scores order the rows alike:
        there is no error then to judge it by.
    """
    lost, codes, score, base = checked(lost, customers, score, base)
    placed = _placements(score, lost) - _placements(base, lost)
    variance = _variance(placed, lost, codes)
    if variance < _NO_VARIANCE:
        raise NotEstimable(
            text(
                "Both scores order the lost and the others of {n:,} customers alike, so "
                "that a gain has no error to judge it by.",
                n=codes.max() + 1,
            )
        )
    method = _method("difference of AUCs", customers)
    return from_se(placed[lost].mean(), np.sqrt(variance), codes.max() + 1, method=method)


def _placements(score: np.ndarray, lost: np.ndarray) -> np.ndarray:
    """Return for each lost row the share of kept rows below it, for a kept one of lost above.

    Ties count half. These are DeLong's structural components; the mean of either is the AUC.
    """
    ranks, n_lost = stats.rankdata(score), lost.sum()
    placed = np.empty(len(score))
    placed[lost] = (ranks[lost] - stats.rankdata(score[lost])) / (len(score) - n_lost)
    placed[~lost] = 1 - (ranks[~lost] - stats.rankdata(score[~lost])) / n_lost
    return placed


def _variance(placed: np.ndarray, lost: np.ndarray, codes: np.ndarray) -> float:
    """Return Obuchowski's variance of an AUC, or of a difference of AUCs, from its components.

    With one row per customer the sum over both sides is empty, and this is DeLong's.
    """
    away, n = placed - placed[lost].mean(), codes.max() + 1
    sums = [np.bincount(codes[rows], away[rows], n) / rows.sum() for rows in (lost, ~lost)]
    sizes = customers_by_side(lost, codes)
    own = sum(size / (size - 1) * each @ each for size, each in zip(sizes, sums, strict=True))
    return own + 2 * n / (n - 1) * sums[0] @ sums[1]


def customers_by_side(lost: np.ndarray, codes: np.ndarray) -> tuple[int, int]:
    """Return how many customers have a lost row, and how many a kept one."""
    return len(np.unique(codes[lost])), len(np.unique(codes[~lost]))


def _at_the_edge(value: float, lost: np.ndarray, codes: np.ndarray) -> tuple[float, float]:
    """Return an AUC of 0 or 1 moved inside by half a pair, and its error on the logit.

    Newcombe's far end of an AUC of 1 lies z errors below it, by their size there.
    """
    half_pair = 0.5 / (lost.sum() * (~lost).sum())
    m, n = customers_by_side(lost, codes)
    z_squared, others = stats.chi2.ppf(0.95, 1), (m + n) / 2 - 1

    def excess(area: float) -> float:
        spread = 1 + others * ((1 - area) / (2 - area) + area / (1 + area))
        return (1 - area) - z_squared * area * spread / (m * n)

    far = optimize.brentq(excess, 0, 1)
    error = (special.logit(1 - half_pair) - special.logit(far)) / stats.norm.ppf(0.975)
    return half_pair if value == 0 else 1 - half_pair, error


def _method(what: str, customers: ArrayLike | None) -> str:
    """Return the words for the reader."""
    return f"{what}, DeLong" if customers is None else f"{what}, DeLong by customer (Obuchowski)"


def checked(lost: ArrayLike, customers: ArrayLike | None, *scores: ArrayLike) -> tuple:
    """Return lost as bool, customers as codes from 0 on and the scores, fit for an AUC."""
    lost, customers, *scores = aligned(lost, customers, *scores)
    lost, *scores = labelled(lost, *scores)
    codes = np.arange(len(lost))
    if customers is not None:
        codes, _ = pd.factorize(np.asarray(customers))
    if len(codes) != len(lost) or (codes < 0).any():
        raise ValueError("Every row needs a customer.")
    sides = customers_by_side(lost, codes)
    if min(sides) < 2:
        raise NotEstimable(
            text(
                "An AUC needs 2 customers who were lost and 2 who were not, not {lost} and "
                "{others}.",
                lost=sides[0],
                others=sides[1],
            )
        )
    return lost, codes, *scores


def labelled(lost: ArrayLike, *scores: ArrayLike) -> tuple[np.ndarray, ...]:
    """Return lost as bool and the scores as floats, or say what is wrong with them."""
    lost, *scores = aligned(lost, *scores)
    if len({len(each) for each in (lost, *scores)}) > 1:
        raise ValueError("Scores and outcomes must have the same length.")
    if any(pd.isna(each).any() for each in (lost, *scores)):
        raise ValueError("Scores and outcomes must be known in every row.")
    if not np.isin(lost, (0, 1)).all():
        raise ValueError("Outcomes must be 0 or 1.")
    return np.asarray(lost).astype(bool), *(np.asarray(each).astype(float) for each in scores)
