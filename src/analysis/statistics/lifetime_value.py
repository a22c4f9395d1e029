"""Lifetime value: how often customers will buy, whether they still do, and for how much.

Time is in weeks; a purchase is a customer's day with at least one purchase, and
a repeat purchase is any but the first. Only customers whose first purchase was
seen may enter: whoever was a customer before the data begin looks too faithful.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import special, stats

from analysis.statistics._likelihood import (
    buying_likelihood,
    log_odds_gone,
    maximise,
    spend_likelihood,
)
from analysis.statistics.estimate import NotEstimable, from_se

MIN_REPEATERS = 50
"""Customers with a repeat purchase that a fit needs; with fewer, parameters run away."""
FREQUENCIES = ("0", "1", "2-3", "4-7", "8 or more")
"""Numbers of repeat purchases, as customers are grouped by them."""

_TOLERANCE, _MIN_GROUP = 0.20, 30


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


@dataclass(frozen=True)
class Holdout:
    """How well a model foretold purchases that it had not seen.

    `table` has a row per frequency before ("0" to "7+"): customers, expected and actual
    mean purchases, ci_low and ci_high of the actual mean, fits. `total_error` is the
    expected over the actual total, less 1. The model `fits` if that is within 20 % and,
    in every group of 30 or more customers, the expected mean is within the 95 % interval
    of the actual one, widened on either side by 20 % of it: the interval alone would
    refuse every model of 100,000 customers, 20 % alone a right one of a small group.
    """

    table: pd.DataFrame
    total_error: float
    fits: bool


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
    still = _expected_while_active(model.r + x, model.alpha + age, model.a, b, weeks)
    return p_alive(model, summary) * still


def expected_new(model: BuyingModel, weeks: ArrayLike) -> np.ndarray:
    """Return a new customer's expected repeat purchases within `weeks`, in their shape."""
    r, alpha, a, b = model.r, model.alpha, model.a, model.b
    if model.kind == "bg":
        return _expected_while_active(r, alpha, a, b, weeks)
    return b / (a + b) * _expected_while_active(r, alpha, a, b + 1, weeks)


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


def lifetime_value(
    buying: BuyingModel,
    spend: SpendModel | ArrayLike,
    summary: pd.DataFrame,
    weeks: float = 52,
    discount_rate: float = 0.10,
) -> np.ndarray:
    """Return each customer's discounted value of purchases in the coming `weeks`.

    Parameters
    ----------
    buying : BuyingModel
    spend : SpendModel or array_like, shape (n,) or ()
        Fitted to amounts or margins; or the amount or margin per purchase itself.
    summary : DataFrame
        As from `purchases.purchase_history`.
    weeks : float
        Horizon; there is no value beyond it.
    discount_rate : float
        Per year of 365.25 days, compounding; purchases count at the middle of periods of
        four weeks or less.

    Returns
    -------
    ndarray, shape (n,)
        In the currency of `spend`.
    """
    if isinstance(spend, SpendModel):
        spend = expected_spend(spend, summary["frequency"], summary["mean_amount"])
    edges = np.linspace(0, weeks, int(np.ceil(weeks / 4)) + 1)
    bought = np.array([expected_purchases(buying, summary, edge) for edge in edges])
    years = (edges[1:] + edges[:-1]) / 2 * 7 / 365.25
    return np.asarray(spend) * ((1 + discount_rate) ** -years @ np.diff(bought, axis=0))


def forecast(
    buying: BuyingModel, spend: SpendModel, summary: pd.DataFrame, margin_rate: float = 1.0
) -> pd.DataFrame:
    """Forecast each customer's coming 52 weeks.

    Parameters
    ----------
    buying, spend : BuyingModel, SpendModel
    summary : DataFrame
        As from `purchases.purchase_history`.
    margin_rate : float
        Margin per unit of sales; 1 where sales themselves are valued.

    Returns
    -------
    DataFrame
        With the index of `summary`: p_alive, purchases, value (discounted; missing where
        amounts vary too much for a mean to exist).
    """
    table = pd.DataFrame(index=summary.index)
    table["p_alive"] = p_alive(buying, summary)
    table["purchases"] = expected_purchases(buying, summary, 52)
    has_mean = spend.q > 1
    table["value"] = margin_rate * lifetime_value(buying, spend, summary) if has_mean else np.nan
    return table


def forecast_table(table: pd.DataFrame, groups: pd.Series) -> pd.DataFrame:
    """Return means of a forecast by group, with customers and total_value."""
    grouped = table.groupby(groups, observed=True)
    means = grouped.mean()
    means.insert(0, "customers", grouped.size())
    return means.assign(total_value=grouped["value"].sum(min_count=1)).rename_axis(
        "repeat purchases"
    )


def holdout(
    summary: pd.DataFrame, actual_purchases: ArrayLike, model: BuyingModel, weeks: float
) -> Holdout:
    """Compare expected and actual purchases in the weeks after the summary's end.

    Parameters
    ----------
    summary : DataFrame
        What the model knew, as from `purchases.purchase_history`.
    actual_purchases : array_like, shape (n,)
        Purchase days in the `weeks` after, in the order of the rows.
    """
    data = pd.DataFrame(
        {
            "frequency": summary["frequency"].clip(upper=7).astype(int).to_numpy(),
            "expected": expected_purchases(model, summary, weeks),
            "actual": np.asarray(actual_purchases, float),
        }
    )
    table = data.groupby("frequency").apply(_compare_group).reset_index()
    table["frequency"] = table["frequency"].astype(str).replace("7", "7+")
    table["customers"] = table["customers"].astype(int)
    slack = _TOLERANCE * table["actual"]
    above, below = table["expected"] - table["ci_high"], table["ci_low"] - table["expected"]
    table["fits"] = (above <= slack) & (below <= slack)
    error = float(data["expected"].sum() / data["actual"].sum() - 1)
    judged = table.loc[table["customers"] >= _MIN_GROUP, "fits"]
    return Holdout(table, error, bool(abs(error) <= _TOLERANCE and judged.all()))


def _compare_group(group: pd.DataFrame) -> pd.Series:
    """Return a group's size, means and t interval (if nobody bought: exact Poisson)."""
    n, mean = len(group), group["actual"].mean()
    half = stats.t.ppf(0.975, max(n - 1, 1)) * group["actual"].std() / np.sqrt(n)
    high = mean + half if mean > 0 else -np.log(0.025) / n
    values = (n, group["expected"].mean(), mean, max(mean - half, 0.0), high)
    names = ["customers", "expected", "actual", "ci_low", "ci_high"]
    return pd.Series(values, index=names)


def _expected_while_active(r, alpha, a, b, weeks) -> np.ndarray:
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
            f"{int((~possible).sum())} customers have an impossible history: frequency and "
            "recency must be positive together, and recency may not exceed age."
        )
    _check_repeaters(int((x > 0).sum()))


def _check_repeaters(count: int) -> None:
    """Refuse a fit on too few customers with a repeat purchase."""
    if count < MIN_REPEATERS:
        raise NotEstimable(
            f"Only {count} customers have a repeat purchase; {MIN_REPEATERS} are needed."
        )
