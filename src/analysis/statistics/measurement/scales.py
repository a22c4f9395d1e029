"""Scales of several survey items: the index, how reliable it is, and item by item."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy import stats

from analysis.language import text
from analysis.statistics import effort, weighting
from analysis.statistics._aligned import floats
from analysis.statistics.estimate import Estimate, NotEstimable, from_se
from analysis.statistics.measurement.correlations import correlation_of, correlations, covariances

MIN_ANSWERERS = 30
"""Customers who answered every item, for a reliability."""
MOST_LOST = 0.05
"""Share of bootstrap samples that may have no solution."""
_ROUNDS, _STEP = 2_000, 1e-10


def score(items: pd.DataFrame) -> pd.Series:
    """Return the mean of the items (columns) that a customer answered, if they are half or more."""
    values = items.apply(floats)
    return values.mean(axis=1).where(2 * values.notna().sum(axis=1) >= items.shape[1])


def asked(answers: pd.DataFrame, scale: str) -> list[str]:
    """Return the items of a scale that anybody answered: "satisfaction_1", "satisfaction_2" ..."""
    items = [name for name in answers if re.fullmatch(rf"{scale}_\d+", str(name))]
    return [name for name in items if answers[name].notna().any()]


def index(answers: pd.DataFrame, scale: str) -> pd.Series:
    """Return the score of a scale from those of its items that were asked."""
    items = asked(answers, scale)
    return score(answers[items]) if items else pd.Series(np.nan, answers.index, name=scale)


def opinions(answers: pd.Series) -> pd.Series:
    """Return the opinion behind each value of an item, in standard deviations, by value.

    The opinion is normal, and cut into the answers. Each answer has the mean opinion of those who
    give it over the variance of these means: a least-squares slope of such scores is that of the
    opinion itself, which a line through the answers flattens.

    References
    ----------
    Bussgang (1952). Crosscorrelation functions of amplitude-distorted Gaussian signals. MIT
    Research Laboratory of Electronics, Report 216.
    """
    shares = answers.value_counts(normalize=True).sort_index()
    ends = stats.norm.ppf(np.append(0.0, np.append(shares.cumsum()[:-1], 1.0)))
    means = -np.diff(stats.norm.pdf(ends)) / shares
    return means / (shares * means**2).sum()


def alpha(items: pd.DataFrame, *, n_boot: int = 999, seed: int = 0) -> Estimate:
    """Estimate Cronbach's alpha, from customers who answered every item.

    The interval is from the bootstrap standard error, symmetric on the logit. Feldt's
    exact one holds for normal items of equal variance and covariance; rating items that
    most customers answer at the top are neither.

    Parameters
    ----------
    items : DataFrame, shape (n, k)
        All coded in the same direction; beside them maybe their weights (`weighting`).
    n_boot, seed : int
        Bootstrap samples, and the seed that makes them the same again.

    Raises
    ------
    ValueError
        If there are fewer than 2 items.
    NotEstimable
        If there are fewer than 30 such customers, an item is constant or somewhere infinite,
        alpha is not positive (the items then have no common scale), more than `MOST_LOST` of the
        bootstrap samples have no solution, or it has no error.

    References
    ----------
    Cronbach (1951), Psychometrika 16, 297-334.
    """
    return _reliability(items, _alpha, "Cronbach's alpha", n_boot, seed)


def omega(items: pd.DataFrame, *, n_boot: int = 999, seed: int = 0) -> Estimate:
    """Estimate McDonald's omega, from customers who answered every item.

    The share of the sum's variance that one common factor explains; unlike alpha it lets
    items differ in how much they reflect it. Loadings are those that leave the least squares of
    the correlations unexplained (minres). A factor that would explain more than all of an item
    (an improper, or Heywood, solution) is held to explain all of it. Two items do not identify
    loadings; they are taken to be equally good, and omega is alpha.

    Parameters and errors are those of `alpha`. It is not estimable, too, if an item goes against
    the others.

    References
    ----------
    McDonald (1999), Test Theory: A Unified Treatment. Harman, Jones (1966), Psychometrika 31,
    351-368.
    """
    name = "McDonald's omega"
    if items.columns.drop(weighting.COLUMN, errors="ignore").size == 2:
        return _reliability(items, _alpha, name, n_boot, seed)
    complete, weight = _complete(items)
    against = complete.columns[_loadings(correlations(complete.to_numpy(), weight=weight))[0] < 0]
    if len(against):
        raise NotEstimable(
            text(
                "{name} cannot be told: {items} against the other items. Are all coded in "
                "the same direction?",
                name=name,
                items=", ".join(map(str, against)),
            )
        )
    return _reliability(items, _omega, name, n_boot, seed)


def item_table(items: pd.DataFrame, lowest: float, highest: float) -> pd.DataFrame:
    """Describe items that are all coded in the same direction, from `lowest` to `highest`.

    Returns
    -------
    DataFrame, one row per item
        n (answers), missing, mean, sd, floor_share and ceiling_share (of answers at the
        ends of the scale), item_total (correlation with the sum of the other items,
        among customers who answered all). All but the counts are weighted, if the items come with
        weights. Errors are those of `alpha`.
    """
    complete, weight = _complete(items)
    own = items[[weighting.COLUMN]] if weighting.COLUMN in items else pd.DataFrame()
    values = items.drop(columns=own.columns).apply(floats)
    answered, rest = values.notna().sum(), complete.rsub(complete.sum(axis=1), axis=0)
    if weight is None:
        item_total = complete.corrwith(rest)
    else:
        both = correlations(np.column_stack([complete, rest]), weight=weight)[0]
        item_total = np.diag(both[: rest.shape[1], rest.shape[1] :])
    ends = {
        end: weighting.means((values == at).where(values.notna()).assign(**own), values)
        for end, at in (("floor_share", lowest), ("ceiling_share", highest))
    }
    table = {
        "n": answered,
        "missing": len(items) - answered,
        "mean": weighting.means(values.assign(**own), values),
        "sd": weighting.spreads(values.assign(**own), values),
        **ends,
        "item_total": item_total,
    }
    return pd.DataFrame(table).rename_axis("item")


def _reliability(
    items: pd.DataFrame, function: Callable, name: str, n_boot: int, seed: int
) -> Estimate:
    """Return a function of covariance matrices, shape (m, k, k), with its bootstrap interval."""
    complete, weight = _complete(items)
    n_boot = effort.draws(n_boot)
    values = complete.to_numpy()
    value, *draws = function(covariances(values - values.mean(axis=0), n_boot, seed, weight))
    if not value > 0:
        raise NotEstimable(
            text(
                "{name} cannot be told: the items hardly correlate, or in opposite "
                "directions. Are all coded in the same direction?",
                name=name,
            )
        )
    value = min(float(value), 1 - 1e-6)
    lost, spread = np.isnan(draws).mean(), np.nanstd(draws, ddof=1)
    if lost > MOST_LOST or spread < 1e-9:
        raise NotEstimable(
            text(
                "{n} customers who answered every item do not tell the error of {name}: in "
                "{lost:.0%} of bootstrap samples it has no solution.",
                n=len(values),
                name=name,
                lost=lost,
            )
        )
    se = spread / (value * (1 - value))
    method = f"{name}, {'' if weight is None else 'weighted, '}bootstrap ({n_boot})"
    return from_se(value, se, len(values), scale="logit", method=method)


def _alpha(covariances: np.ndarray) -> np.ndarray:
    """Return alpha of covariance matrices of shape (m, k, k)."""
    k = covariances.shape[1]
    own, total = np.trace(covariances, axis1=1, axis2=2), covariances.sum(axis=(1, 2))
    return k / (k - 1) * (1 - own / total)


def _omega(covariances: np.ndarray) -> np.ndarray:
    """Return omega of covariance matrices of shape (m, k, k).

    It is nan where an item is constant, or where three items have no common factor.
    """
    spread = np.sqrt(np.clip(np.diagonal(covariances, axis1=1, axis2=2), 0, None))
    usable = spread.min(axis=1) > 1e-12
    if covariances.shape[1] == 3:
        usable &= covariances[:, 0, 1] * covariances[:, 0, 2] * covariances[:, 1, 2] > 0
    found, known = np.full(len(covariances), np.nan), covariances[usable]
    common = (_loadings(correlation_of(known)) * spread[usable]).sum(axis=1) ** 2
    found[usable] = common / known.sum(axis=(1, 2))
    return found


def _loadings(correlations: np.ndarray) -> np.ndarray:
    """Return loadings on one factor, at most 1 in size, shape (m, k), for matrices (m, k, k).

    Each loading in turn is set to the best one given the others, until none moves; the sign is
    that of most of the items.
    """
    values, vectors = np.linalg.eigh(correlations)
    loadings = np.clip(vectors[:, :, -1] * np.sqrt(values[:, [-1]]), -1, 1)
    loadings *= np.where(loadings.sum(axis=1) < 0, -1, 1)[:, None]
    for _ in range(_ROUNDS):
        before = loadings.copy()
        for j in range(loadings.shape[1]):
            others = np.delete(loadings, j, axis=1)
            wanted = np.delete(correlations[:, j], j, axis=1)
            squares = np.maximum((others**2).sum(axis=1), 1e-12)
            loadings[:, j] = np.clip((wanted * others).sum(axis=1) / squares, -1, 1)
        if np.abs(loadings - before).max(initial=0) < _STEP:
            break
    return loadings


def _complete(items: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray | None]:
    """Return the answers of who answered every item, and weights; or say what a scale lacks."""
    answers = items.drop(columns=weighting.COLUMN, errors="ignore")
    if answers.shape[1] < 2:
        raise ValueError("A scale needs at least 2 items.")
    values = answers.apply(floats)
    is_complete = values.notna().all(axis=1)
    complete = values[is_complete]
    if len(complete) < MIN_ANSWERERS:
        raise NotEstimable(
            text(
                "Customers who answered every item: {n}; {needed} are needed.",
                n=len(complete),
                needed=MIN_ANSWERERS,
            )
        )
    constant = [str(name) for name in complete if complete[name].nunique() == 1]
    if constant:
        raise NotEstimable(
            text("Everybody gave the same answer to {items}.", items=", ".join(constant))
        )
    return complete, weighting.of(items[is_complete])
