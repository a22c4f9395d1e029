"""Models of how often customers will buy, and for how much: (M)BG/NBD and gamma-gamma."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import special, stats

from analysis.language import text
from analysis.statistics.estimate import NotEstimable
from analysis.statistics.value._likelihood import (
    buying_likelihood,
    log_odds_gone,
    maximise,
    spend_likelihood,
)

HISTORY = ["frequency", "recency_weeks", "age_weeks"]
MIN_REPEATERS = 50
"""Customers with a repeat purchase that a fit needs; with fewer, parameters run away."""


@dataclass(frozen=True)
class BuyingModel:
    """Customers buy at random, each at an own rate, until they leave unseen.

    Rates are gamma(r, alpha) over customers, alpha in weeks. The probability to
    leave is beta(a, b), after each repeat purchase ("bg") or after each purchase ("mbg").
    `covariance` (4 x 4) is that of the logs of r, alpha, a, b. `converged` is false also
    where a parameter ran to its bound: the data cannot tell, do not use the model.
    """

    kind: Literal["bg", "mbg"]
    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float
    converged: bool
    covariance: np.ndarray = field(compare=False, repr=False)


@dataclass(frozen=True)
class SpendModel:
    """Amounts per purchase: gamma(p, nu) with an own nu, gamma(q, v) over customers.

    `v` is in the currency. `correlation` is that of frequency and mean amount, which
    the model assumes to be zero.
    """

    p: float
    q: float
    v: float
    correlation: float
    converged: bool


def fit_buying(summary: pd.DataFrame, kind: Literal["bg", "mbg"] = "mbg") -> BuyingModel:
    """Fit a model of purchases by maximum likelihood.

    Parameters
    ----------
    summary : DataFrame
        frequency, recency_weeks, age_weeks, as from `purchases.purchase_history`.
    kind : {"mbg", "bg"}
        "bg" holds everybody without a repeat purchase to be a customer for ever.

    Raises
    ------
    ValueError
        If a history is impossible.
    NotEstimable
        If fewer than `MIN_REPEATERS` customers bought again.

    References
    ----------
    Fader, Hardie & Lee (2005). "Counting your customers" the easy way. Marketing Science 24,
    275-284.
    Batislam, Denizel & Filiztekin (2007). Empirical validation and comparison of models for
    customer base analysis. IJRM 24, 201-209.
    """
    x, recency, age = _histories(summary)
    possible = (x >= 0) & (recency >= 0) & (recency <= age) & ((x > 0) == (recency > 0))
    if not possible.all():
        raise ValueError(
            f"Customers with an impossible history: {int((~possible).sum())}. Frequency and "
            "recency must be positive together, and recency may not exceed age."
        )
    _check_repeaters(int((x > 0).sum()))
    merged = summary.groupby(HISTORY, as_index=False).size()
    count, scale = merged["size"].to_numpy(float), 10 / float(merged["age_weeks"].max())
    x, recency, age = _histories(merged) * [[1], [scale], [scale]]

    def log_likelihood(logs: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = buying_likelihood(logs, x, recency, age, kind)
        return count @ value, gradient @ count

    starts = [(0, 0, 0, 0), (-1, 1, -1, 1), (1, 2, 0, 2)]
    found = maximise(log_likelihood, starts, len(summary))
    r, alpha, a, b = (float(each) for each in np.exp(found.logs))
    value = found.log_likelihood + float(count @ x * np.log(scale))
    return BuyingModel(kind, r, alpha / scale, a, b, value, found.converged, found.covariance)


def fit_spend(frequency: ArrayLike, mean_amount: ArrayLike) -> SpendModel:
    """Fit the gamma-gamma model to customers with repeat purchases of positive amounts.

    Both are as from `purchases.purchase_history`, shape (n,); margins instead of amounts give the
    margin. NotEstimable says that fewer than `MIN_REPEATERS` customers qualify, or that all of
    them bought again equally often or for the same: their spread can't be told from chance.

    References
    ----------
    Fader & Hardie (2013). The gamma-gamma model of monetary value.
    """
    x, amount = np.asarray(frequency, float), np.asarray(mean_amount, float)
    used = (x > 0) & (amount > 0)
    _check_repeaters(int(used.sum()))
    x, amount = x[used], amount[used]
    if not np.ptp(x) * np.ptp(amount):
        raise NotEstimable(
            text(
                "All of {n:,} customers with repeat purchases bought again equally often, or for "
                "the same amount: a model of spending can't be fitted.",
                n=len(x),
            )
        )
    scale = float(amount.mean())

    def log_likelihood(logs: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = spend_likelihood(logs, x, amount / scale)
        return value.sum(), gradient.sum(axis=1)

    found = maximise(log_likelihood, [(1, 1, 0), (2, 2, 2)], len(x))
    p, q, v = (float(each) for each in np.exp(found.logs))
    correlation = float(np.corrcoef(x, amount)[0, 1])
    return SpendModel(p, q, v * scale, correlation, found.converged)


def parameter_table(model: BuyingModel) -> pd.DataFrame:
    """Return one row per parameter: parameter, estimate, ci_low, ci_high.

    Intervals are from the Hessian, symmetric on the log; missing where it is singular, and where
    they reach a thousand times the estimate: the likelihood is flat, as where nobody leaves.
    """
    names = ["r", "alpha", "a", "b"]
    values = np.array([getattr(model, name) for name in names])
    width = stats.norm.ppf(0.975) * np.sqrt(np.diag(model.covariance))
    factor = np.exp(np.where(width < np.log(1_000), width, np.nan))
    limits = {"ci_low": values / factor, "ci_high": values * factor}
    return pd.DataFrame({"parameter": names, "estimate": values, **limits})


def p_alive(model: BuyingModel, summary: pd.DataFrame) -> np.ndarray:
    """Return each customer's probability to be a customer still, shape (n,)."""
    x, recency, age = _histories(summary)
    logs = np.log([model.r, model.alpha, model.a, model.b])
    return special.expit(-log_odds_gone(logs, x, recency, age, model.kind))


def expected_purchases(model: BuyingModel, summary: pd.DataFrame, weeks: float) -> np.ndarray:
    """Return each customer's expected purchases in the coming `weeks`, shape (n,).

    Euler's form of the published hypergeometric: the usual one is nan for regular buyers. Where it
    is nan itself, with a large `a`, Euler's integral of it stands in: a mean over beta(a - 1, b).
    """
    x, _, age = _histories(summary)
    r, alpha, b = model.r + x, model.alpha + age, model.b + x + (model.kind == "mbg")
    a = model.a if abs(model.a - 1) > 1e-6 else 1 + 1e-6  # the limit at a = 1 exists
    late = weeks / (alpha + weeks)
    never = np.exp((a - 1) * np.log1p(-late))
    series = special.hyp2f1(a + b - 1 - r, a - 1, a + b - 1, late)
    still = never * series
    large = ~np.isfinite(still) & (a > 1)
    if large.any():
        nodes, shares = np.polynomial.legendre.leggauss(200)
        leave = stats.beta.ppf((1 + nodes[:, None]) / 2, a - 1, b[large])
        still[large] = shares @ (1 + leave * weeks / alpha[large]) ** -r[large] / 2
    while_active = (a + b - 1) / (a - 1) * (1 - still)
    return p_alive(model, summary) * while_active


def expected_spend(model: SpendModel, frequency: ArrayLike, mean_amount: ArrayLike) -> np.ndarray:
    """Return each customer's expected amount per purchase, shape (n,).

    An average of the customer's own mean and everybody's, p v / (q - 1), the own one
    weighing more the more often it was seen; if q is 1 or less there is no mean over customers.
    """
    x = np.asarray(frequency, float)
    total = x * np.asarray(mean_amount, float)
    return model.p * (model.v + total) / (model.p * x + model.q - 1)


def _histories(summary: pd.DataFrame) -> np.ndarray:
    """Return frequency, recency and age as an array of shape (3, n)."""
    return summary[HISTORY].to_numpy(float).T


def _check_repeaters(count: int) -> None:
    """Refuse a fit on too few customers with a repeat purchase."""
    if count < MIN_REPEATERS:
        raise NotEstimable(
            text(
                "Customers with a repeat purchase: {count}; {needed} are needed.",
                count=count,
                needed=MIN_REPEATERS,
            )
        )
