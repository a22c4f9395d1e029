"""Models of how often customers will buy, and for how much: (M)BG/NBD and gamma-gamma."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import special

from analysis.statistics.estimate import NotEstimable, from_se
from analysis.statistics.value._likelihood import (
    buying_likelihood,
    log_odds_gone,
    maximise,
    spend_likelihood,
)

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
    n_customers: int
    converged: bool
    covariance: np.ndarray = field(compare=False, repr=False)


@dataclass(frozen=True)
class SpendModel:
    """Amounts per purchase: gamma(p, nu) with an own nu, gamma(q, v) over customers.

    `v` is in the currency. `correlation` is that of frequency and mean amount, which
    the model assumes to be zero. `covariance` (3 x 3) is that of the logs of p, q, v.
    """

    p: float
    q: float
    v: float
    log_likelihood: float
    n_customers: int
    correlation: float
    converged: bool
    covariance: np.ndarray = field(compare=False, repr=False)


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
        If `kind` is unknown, a history is impossible, or fewer than `MIN_REPEATERS`
        customers bought again.

    References
    ----------
    Fader, P. S., Hardie, B. G. S., & Lee, K. L. (2005). "Counting your customers" the
    easy way. Marketing Science 24, 275-284.
    Batislam, E. P., Denizel, M., & Filiztekin, A. (2007). Empirical validation and
    comparison of models for customer base analysis. IJRM 24, 201-209.
    """
    if kind not in ("bg", "mbg"):
        raise ValueError(f'Unknown kind "{kind}"; known are "bg" and "mbg".')
    _check_histories(summary)
    columns = ["frequency", "recency_weeks", "age_weeks"]
    merged = summary.groupby(columns, as_index=False).size()
    count, scale = merged["size"].to_numpy(float), 10 / float(merged["age_weeks"].max())
    x, recency, age = merged[columns].to_numpy(float).T * [[1], [scale], [scale]]

    def log_likelihood(logs: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = buying_likelihood(logs, x, recency, age, kind)
        return count @ value, gradient @ count

    starts = [(0, 0, 0, 0), (-1, 1, -1, 1), (1, 2, 0, 2)]
    n = len(summary)
    found = maximise(log_likelihood, starts, n)
    r, alpha, a, b = (float(each) for each in np.exp(found.logs))
    value = found.log_likelihood + float(count @ x * np.log(scale))
    return BuyingModel(kind, r, alpha / scale, a, b, value, n, found.converged, found.covariance)


def fit_spend(frequency: ArrayLike, mean_amount: ArrayLike) -> SpendModel:
    """Fit the gamma-gamma model to customers with repeat purchases of positive amounts.

    Parameters
    ----------
    frequency, mean_amount : array_like, shape (n,)
        As from `purchases.purchase_history`; margins instead of amounts give the margin.

    Raises
    ------
    ValueError
        If fewer than `MIN_REPEATERS` customers qualify.

    References
    ----------
    Fader, P. S., & Hardie, B. G. S. (2013). The gamma-gamma model of monetary value.
    """
    x, amount = np.asarray(frequency, float), np.asarray(mean_amount, float)
    used = (x > 0) & (amount > 0)
    _check_repeaters(int(used.sum()))
    x, amount = x[used], amount[used]
    scale = float(amount.mean())

    def log_likelihood(logs: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = spend_likelihood(logs, x, amount / scale)
        return value.sum(), gradient.sum(axis=1)

    n, found = len(x), maximise(log_likelihood, [(1, 1, 0), (2, 2, 2)], len(x))
    p, q, v = (float(each) for each in np.exp(found.logs))
    value = found.log_likelihood - float(n * np.log(scale))
    correlation = float(np.corrcoef(x, amount)[0, 1])
    return SpendModel(p, q, v * scale, value, n, correlation, found.converged, found.covariance)


def parameter_table(model: BuyingModel | SpendModel) -> pd.DataFrame:
    """Return one row per parameter: parameter, estimate, ci_low, ci_high.

    Intervals are from the Hessian, symmetric on the log; missing where it is singular.
    """
    names = ["r", "alpha", "a", "b"] if isinstance(model, BuyingModel) else ["p", "q", "v"]
    errors = np.sqrt(np.diag(model.covariance))
    rows = []
    for name, se in zip(names, errors, strict=True):
        found = from_se(getattr(model, name), se, model.n_customers, scale="log")
        rows.append((name, found.estimate, found.ci_low, found.ci_high))
    return pd.DataFrame(rows, columns=["parameter", "estimate", "ci_low", "ci_high"])


def p_alive(model: BuyingModel, summary: pd.DataFrame) -> np.ndarray:
    """Return each customer's probability to be a customer still, shape (n,)."""
    x, recency, age = _histories(summary)
    logs = np.log([model.r, model.alpha, model.a, model.b])
    return special.expit(-log_odds_gone(logs, x, recency, age, model.kind))


def expected_purchases(model: BuyingModel, summary: pd.DataFrame, weeks: float) -> np.ndarray:
    """Return each customer's expected purchases in the coming `weeks`, shape (n,)."""
    x, _, age = _histories(summary)
    b = model.b + x + (model.kind == "mbg")
    still = expected_while_active(model.r + x, model.alpha + age, model.a, b, weeks)
    return p_alive(model, summary) * still


def expected_spend(model: SpendModel, frequency: ArrayLike, mean_amount: ArrayLike) -> np.ndarray:
    """Return each customer's expected amount per purchase, shape (n,).

    An average of the customer's own mean and everybody's, p v / (q - 1), the own one
    weighing more the more often it was seen.

    Raises
    ------
    ValueError
        If q is 1 or less: then the mean over customers does not exist.
    """
    if model.q <= 1:
        raise ValueError(f"Amounts vary too much for a mean to exist (q = {model.q:.2f}).")
    x = np.asarray(frequency, float)
    total = x * np.asarray(mean_amount, float)
    return model.p * (model.v + total) / (model.p * x + model.q - 1)


def expected_while_active(r, alpha, a, b, weeks) -> np.ndarray:
    """Return expected purchases of those active now, whose parameters are r, alpha, a, b.

    Euler's form of the published hypergeometric: the usual one is nan for regular buyers.
    """
    a = a if abs(a - 1) > 1e-6 else 1 + 1e-6  # the limit at a = 1 exists
    weeks = np.asarray(weeks, float)
    late = weeks / (alpha + weeks)
    log_never = (a - 1) * np.log1p(-late)
    series = special.hyp2f1(a + b - 1 - r, a - 1, a + b - 1, late)
    return (a + b - 1) / (a - 1) * (1 - np.exp(log_never) * series)


def _histories(summary: pd.DataFrame) -> np.ndarray:
    """Return frequency, recency and age as an array of shape (3, n)."""
    return summary[["frequency", "recency_weeks", "age_weeks"]].to_numpy(float).T


def _check_histories(summary: pd.DataFrame) -> None:
    """Refuse impossible histories and too few repeat purchases."""
    x, recency, age = _histories(summary)
    possible = (x >= 0) & (recency >= 0) & (recency <= age) & ((x > 0) == (recency > 0))
    if not possible.all():
        raise ValueError(
            f"Customers with an impossible history: {int((~possible).sum())}. Frequency and "
            "recency must be positive together, and recency may not exceed age."
        )
    _check_repeaters(int((x > 0).sum()))


def _check_repeaters(count: int) -> None:
    """Refuse a fit on too few customers with a repeat purchase."""
    if count < MIN_REPEATERS:
        raise NotEstimable(
            f"Customers with a repeat purchase: {count}; {MIN_REPEATERS} are needed."
        )
