"""How well a score tells who will be lost, with customers who appear at several dates."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pandas as pd
import patsy
import statsmodels.api as sm
from numpy.typing import ArrayLike
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from analysis.language import text
from analysis.statistics._aligned import aligned
from analysis.statistics.discrimination import EDGE, labelled
from analysis.statistics.estimate import Estimate, NotEstimable, share_of
from analysis.statistics.regression import _glm
from analysis.statistics.regression.formulas import coded


def held_out(
    formula: str, rows: pd.DataFrame, customers: ArrayLike, folds: int = 5, seed: int = 0
) -> np.ndarray:
    """Predict who is lost by a logit that was fitted to other customers.

    All rows of a customer are in one fold, and each fold is predicted from the others. Folds
    are dealt so that each has about the same number of lost rows: one with more of them
    would leave fewer to fit, be predicted too low, and so pull the AUC of all folds below
    that of the model. A category that the fitted rows lack counts as the reference one, and so
    do columns that, with the ones before them, tell the lost among the fitted rows without an
    exception: what they say of so few has no finite size.
    Terms of the formula that describe a column, such as center() or bs(), use all rows.

    Parameters
    ----------
    formula : str
        Such as "lost ~ trend + C(segment)"; before the "~" a column of 0 and 1.
    rows : DataFrame, shape (n, k)
    customers : array_like, shape (n,)
        Label of the customer of each row.
    folds : int
        From 2 to the number of customers.
    seed : int
        Deals the customers to folds; the order of the rows does not matter.

    Returns
    -------
    ndarray, shape (n,)
        Probability of being lost.

    Raises
    ------
    ValueError
        If lengths or labels differ, a value is missing, or the outcome is not 0 or 1.
    NotEstimable
        If the outcome does not differ among the rows outside a fold, or as in `_glm.fit`.

    References
    ----------
    Parker, Günter & Bedo (2007). Stratification bias in low signal microarray studies. BMC
    Bioinformatics 8, 326.
    """
    rows, customers = aligned(rows, customers)
    outcome, design = _design(formula, rows)
    if len(customers) != len(rows) or pd.isna(customers).any() or np.isnan(outcome).any():
        raise ValueError("Every row needs a customer and an outcome.")
    fold = _folds(outcome, customers, folds, seed)
    found = np.empty(len(rows))
    for each in range(folds):
        inside = fold == each
        if not _varies(outcome[~inside]):
            raise NotEstimable(
                text(
                    "The outcome of {n:,} rows does not differ outside one of {folds} folds.",
                    n=len(rows),
                    folds=folds,
                )
            )
        found[inside] = _predicted(outcome, design, ~inside, inside)
    return found


def walk_forward(
    formula: str, rows: pd.DataFrame, date: str, known: str, *, least: int = 20
) -> np.ndarray:
    """Predict who is lost, at each date by a logit fitted to what was known by then.

    Rows without an outcome, or without the day on which it became known, are predicted but
    never fitted. Formula, rows and errors are those of `held_out`.

    Parameters
    ----------
    date, known : str
        Columns of numbers or dates: when the row is predicted, and when its outcome became known,
        which is later.
    least : int
        Rows that must have been known to be lost for a fit, 1 or more.

    Returns
    -------
    ndarray, shape (n,)
        Probability of being lost; missing for rows without a date, and at dates when fewer
        than `least`, or than 2 for each column, were known to be lost or to have stayed.
    """
    outcome, design = _design(formula, rows)
    if (rows[known] <= rows[date]).any():
        raise ValueError(f'"{known}" must be later than "{date}" in every row.')
    found = np.full(len(rows), np.nan)
    for day in rows[date].dropna().unique():
        past = (rows[known] <= day).to_numpy(bool, na_value=False) & ~np.isnan(outcome)
        if _varies(outcome[past]) and outcome[past].sum() >= least:
            today = (rows[date] == day).to_numpy(bool, na_value=False)
            with suppress(NotEstimable):  # too few were known for so many columns
                found[today] = _predicted(outcome, design, past, today)
    return found


def first(score: ArrayLike, lost: ArrayLike, k: int) -> Estimate:
    """Estimate the share really lost among the k rows with the highest score.

    Of rows with equal scores at the border, the average over all choices counts. The interval is
    Wilson's. It takes rows to be independent: give one row per customer, such as those of one date.
    A share of 0 or 1 is kept a millionth inside. `score` and `lost` are as in `discrimination.auc`.

    References
    ----------
    Wilson (1927). Probable inference, the law of succession, and statistical inference. Journal
    of the American Statistical Association 22, 209-212.
    """
    count = _lost_among(score, lost, k)
    found = share_of(count / k, k)
    share, low, high = np.clip([found.estimate, found.ci_low, found.ci_high], EDGE, 1 - EDGE)
    method = "share of the first, Wilson"
    return Estimate(float(share), float(low), float(high), k, "logit", method=method)


def caught(score: ArrayLike, lost: ArrayLike, k: int) -> float:
    """Return the share of all who are lost that is among the k rows with the highest score."""
    count, total = _lost_among(score, lost, k), np.sum(lost)
    if total == 0:
        raise NotEstimable(text("Nobody was lost, so nobody can be caught."))
    return float(count / total)


def calibration(probability: ArrayLike, lost: ArrayLike, groups: int) -> pd.DataFrame:
    """Compare predicted probabilities with what happened, in groups of about equal size.

    Equal probabilities are in one group, so that with few different ones groups differ in
    size, and empty ones are left out. Intervals are Wilson's, for independent rows.

    Parameters
    ----------
    probability, lost : array_like, shape (n,)
        Predicted, from 0 to 1; true or 1 if lost.
    groups : int
        From 1 to n.

    Returns
    -------
    DataFrame, one row per group, from the lowest probability to the highest
        predicted (mean probability), observed (share lost), ci_low, ci_high, customers.
    """
    lost, probability = labelled(lost, probability)
    if not 1 <= groups <= len(lost):
        raise ValueError(f"groups must be between 1 and {len(lost)}, not {groups}.")
    if probability.min() < 0 or probability.max() > 1:
        raise ValueError("A probability must lie between 0 and 1.")
    group = np.ceil(groups * stats.rankdata(probability) / len(lost) - 1e-9).astype(int)
    frame = pd.DataFrame({"predicted": probability, "lost": lost, "group": group})
    table = frame.groupby("group").agg(
        predicted=("predicted", "mean"), observed=("lost", "mean"), customers=("lost", "size")
    )
    counts = table["observed"] * table["customers"]
    low, high = proportion_confint(counts, table["customers"], method="wilson")
    table.insert(2, "ci_low", low)
    table.insert(3, "ci_high", high)
    return table


def _folds(outcome: np.ndarray, customers: ArrayLike, folds: int, seed: int) -> np.ndarray:
    """Return the fold of each row, the same for all rows of a customer.

    Customers are sorted by lost rows, then by other rows, those alike at random, and dealt
    to the folds forwards and backwards in turn.
    """
    codes, labels = pd.factorize(np.asarray(customers), sort=True)
    if not 2 <= folds <= len(labels):
        raise ValueError(f"folds must be between 2 and {len(labels)}, not {folds}.")
    chance = np.random.default_rng(seed).random(len(labels))
    order = np.lexsort([chance, np.bincount(codes), np.bincount(codes, outcome)])
    fold = np.empty(len(labels), dtype=int)
    fold[order] = np.resize(np.r_[0:folds, folds - 1 : -1 : -1], len(labels))
    return fold[codes]


def _design(formula: str, rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the outcome, shape (n,), where it is known, and the design, shape (n, k)."""
    name, _, terms = formula.partition("~")
    if name.strip() not in rows:
        raise ValueError(f'"{formula}" must begin with the column of the outcome.')
    outcome = rows[name.strip()].to_numpy(float, na_value=np.nan)
    if not np.isin(outcome[~np.isnan(outcome)], (0, 1)).all():
        raise ValueError(f'"{name.strip()}" must be 0 or 1.')
    design = np.asarray(patsy.dmatrix(terms, coded(terms, rows)))
    if len(design) < len(rows) or not np.isfinite(design).all():
        raise ValueError(f"A row lacks a value of {terms.strip()}.")
    return outcome, design


def _predicted(
    outcome: np.ndarray, design: np.ndarray, fitted: np.ndarray, asked: np.ndarray
) -> np.ndarray:
    """Return the probabilities of the rows asked for, by a logit of the rows fitted."""
    y, x = outcome[fitted], design[:, design[fitted].any(axis=0)]  # columns that the fitted have

    def by_logit(x: np.ndarray) -> np.ndarray:
        model = sm.GLM(y, x[fitted], family=sm.families.Binomial())
        return _glm.fit(model, "binomial", "the outcome").predict(x[asked])

    try:
        return by_logit(x)
    except _glm.Separated:
        return by_logit(x[:, _glm.not_separating(x[fitted], y, "binomial")])


def _varies(outcome: np.ndarray) -> bool:
    """Return whether both outcomes occur."""
    return 0 < outcome.sum() < len(outcome)


def _lost_among(score: ArrayLike, lost: ArrayLike, k: int) -> float:
    """Return how many of the first k are lost, on average over the choices among equals."""
    lost, score = labelled(lost, score)
    if not 1 <= k <= len(score):
        raise ValueError(f"k must be between 1 and {len(score)}, not {k}.")
    border = np.partition(score, -k)[-k]
    above, level = score > border, score == border
    return lost[above].sum() + (k - above.sum()) * lost[level].mean()
