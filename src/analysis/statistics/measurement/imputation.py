"""Multiple imputation: several copies of a table, each with its gaps filled in at random."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.statistics.estimate import NotEstimable

DONORS = 10
"""Nearest customers of whom one, at random, gives its value."""
_RIDGE = 1e-5
"""Share of each column's variance added to it, so that collinear columns have a solution."""


def impute(frame: pd.DataFrame, m: int = 20, cycles: int = 10, seed: int = 0) -> list[pd.DataFrame]:
    """Fill in missing values several times, by chained equations.

    Column by column, from left to right, a linear regression on all other columns predicts
    the missing values; each is then replaced by the value of one of the `DONORS` customers whose
    predictions are nearest (predictive mean matching), so that only values that occur are filled
    in. The regression is drawn anew each time from its posterior distribution, so that copies
    differ by as much as is unknown. Fit the model to each copy and pool the estimates with
    `estimate.pooled`. Everything that the model uses belongs into the table, its outcome
    too; scores are computed afterwards, from the items of each copy.

    Parameters
    ----------
    frame : DataFrame, shape (n, k)
        Numbers or booleans; codes of categories as dummy columns.
    m : int
        Copies.
    cycles : int
        Rounds over the columns before a copy is taken.
    seed : int
        Makes copies the same again; the first copies do not depend on `m`.

    Returns
    -------
    list of DataFrame, length m
        As `frame`; columns with missing values are floats. If nothing is missing, a list
        of one copy, which `estimate.pooled` takes too.

    Raises
    ------
    ValueError
        If a column is not numeric.
    NotEstimable
        If a column has infinite values or no value at all.

    Notes
    -----
    Matching cannot go beyond the customers who answered. With 24 % of a driver missing,
    mostly where the outcome is high, a slope of 0.50 came out as 0.48 (complete cases: 0.45)
    and its 95 % intervals covered 95 % of the time at n = 300, 91 % at n = 800. With 39 %
    missing it was 0.45 (complete cases: 0.40), covering 86 % at n = 300.

    References
    ----------
    van Buuren (2018), Flexible Imputation of Missing Data, 2nd ed., chapters 3 and 4. Morris,
    White, Royston (2014), BMC Medical Research Methodology 14, 75.
    """
    values = _checked(frame)
    if not np.isnan(values).any():
        return [frame.copy()]
    streams = np.random.default_rng(seed).spawn(m)
    copies = []
    for rng in streams:
        filled, copy = (
            np.take_along_axis(values, _givers(values, cycles, rng), axis=0),
            frame.copy(),
        )
        for j in np.flatnonzero(frame.isna().any()):
            copy.isetitem(j, filled[:, j])
        copies.append(copy)
    return copies


def _checked(frame: pd.DataFrame) -> np.ndarray:
    """Return the table as floats, or say which columns cannot be imputed."""
    refusal = "To be imputed, these columns must {}: {}."
    words = frame.select_dtypes(exclude=["number", "bool", "boolean"]).columns
    if len(words):
        raise ValueError(refusal.format("be numeric", ", ".join(map(str, words))))
    values = frame.to_numpy(float, na_value=np.nan)
    gap = np.isnan(values)
    is_empty = gap.any(axis=0) & gap.all(axis=0)
    rules = {"be finite": np.isinf(values).any(axis=0), "have at least one value": is_empty}
    for rule, is_broken in rules.items():
        if is_broken.any():
            names = ", ".join(map(str, frame.columns[is_broken]))
            raise NotEstimable(refusal.format(rule, names))
    return values


def _givers(values: np.ndarray, cycles: int, rng: np.random.Generator) -> np.ndarray:
    """Return the row whose value each cell takes, shape (n, k); its own where it is known."""
    known = [np.flatnonzero(column) for column in ~np.isnan(values.T)]
    gaps = [np.flatnonzero(column) for column in np.isnan(values.T)]
    incomplete = [j for j, rows in enumerate(gaps) if len(rows)]
    givers = np.tile(np.arange(len(values))[:, None], values.shape[1])
    for j in incomplete:
        givers[gaps[j], j] = rng.choice(known[j], len(gaps[j]))
    spread = np.nanstd(values, axis=0)
    standard = (values - np.nanmean(values, axis=0)) / np.where(spread > 0, spread, 1)
    x = np.column_stack([np.take_along_axis(standard, givers, axis=0), np.ones(len(values))])
    products = x.T @ x
    for j in incomplete * cycles:
        rows = gaps[j]
        products -= x[rows].T @ x[rows]  # leaves those of the rows where j is known
        estimate, draw = _regression(products, j, len(known[j]), rng)
        near = _match((x @ estimate)[known[j]], x[rows] @ draw, rng)
        givers[rows, j] = known[j][near]
        x[rows, j] = x[known[j][near], j]
        products += x[rows].T @ x[rows]
    return givers


def _regression(
    products: np.ndarray, j: int, n: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return coefficients for column j (0 for itself): the estimate, and a posterior draw."""
    others = np.arange(len(products)) != j
    inner, outer = products[others][:, others], products[others, j]
    ridged = inner + _RIDGE * n * np.eye(len(inner))
    middle = np.linalg.solve(ridged, outer)
    squares = max(products[j, j] - 2 * middle @ outer + middle @ inner @ middle, 0)
    sd = np.sqrt(squares / rng.chisquare(max(n - len(middle), 1)))
    away = np.linalg.solve(np.linalg.cholesky(ridged).T, rng.normal(size=len(middle)))
    estimate, draw = np.zeros((2, len(products)))
    estimate[others], draw[others] = middle, middle + sd * away
    return estimate, draw


def _match(known: np.ndarray, wanted: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return for each wanted prediction the position of one of those nearest to it."""
    known = known.round(9)  # so that equal customers have equal predictions
    order = np.argsort(known)
    ranked, donors = known[order], min(DONORS, len(known))
    width = min(2 * donors, len(known))
    first = np.searchsorted(ranked, wanted) - donors
    around = np.clip(first, 0, len(known) - width)[:, None] + np.arange(width)
    nearest = np.argsort(np.abs(ranked[around] - wanted[:, None]), axis=1)
    picked = nearest[np.arange(len(wanted)), rng.integers(donors, size=len(wanted))]
    value = ranked[around[np.arange(len(wanted)), picked]]
    ties = [np.searchsorted(ranked, value, side=side) for side in ("left", "right")]
    return order[rng.integers(*ties)]
