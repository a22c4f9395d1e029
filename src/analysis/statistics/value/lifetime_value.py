"""Lifetime value: how often customers will buy, whether they still do, and for how much.

Time is in weeks; a purchase is a customer's day with at least one purchase, and
a repeat purchase is any but the first. Only customers whose first purchase was
seen may enter: whoever was a customer before the data begin looks too faithful.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from analysis.language import text
from analysis.statistics.estimate import Estimate, NotEstimable, from_se
from analysis.statistics.value.purchase_models import (
    BuyingModel,
    SpendModel,
    expected_purchases,
    expected_spend,
    p_alive,
)

FREQUENCIES = ("0", "1", "2-3", "4-7", "8 or more")
"""Numbers of repeat purchases, as customers are grouped by them."""

WEEKS, DISCOUNT = 52, 0.10
"""Horizon of a forecast, beyond which there is no value; rate of discount per year, compounding."""

_TOLERANCE, _MIN_GROUP = 0.20, 30


@dataclass(frozen=True)
class Holdout:
    """How well a model foretold purchases that it had not seen.

    `table` has a row per frequency before ("0" to "7+"): customers, expected and actual mean
    purchases, ci_low and ci_high of the actual mean, fits. `error` is the expected over the actual
    total, less 1, with the 95% interval of a ratio of two sums over customers (delta method, on the
    log); not a number where a forecast is none. The model `fits` if that is within 20 % and, in
    every group of 30 or more customers, the expected mean is within the 95 % interval of the actual
    one, widened on either side by 20 % of it: the interval alone would refuse every model of
    100,000 customers, 20 % alone a right one of a small group.
    """

    table: pd.DataFrame
    error: Estimate
    fits: bool


def forecast(
    buying: BuyingModel, spend: SpendModel, summary: pd.DataFrame, margin_rate: float
) -> pd.DataFrame:
    """Forecast each customer's coming `WEEKS`.

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
    table["purchases"] = expected_purchases(buying, summary, WEEKS)
    table["value"] = np.nan
    if spend.q > 1:
        amount = expected_spend(spend, summary["frequency"], summary["mean_amount"])
        table["value"] = margin_rate * (amount * _discounted_purchases(buying, summary))
    return table


def _discounted_purchases(model: BuyingModel, summary: pd.DataFrame) -> np.ndarray:
    """Return purchases as `forecast`, each at the middle of its four weeks, shape (n,)."""
    edges = np.linspace(0, WEEKS, WEEKS // 4 + 1)
    bought = np.array([expected_purchases(model, summary, edge) for edge in edges])
    years = (edges[1:] + edges[:-1]) / 2 * 7 / 365.25
    return (1 + DISCOUNT) ** -years @ np.diff(bought, axis=0)


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
    """Compare expected and actual purchases in the `weeks` after the end of a summary.

    `summary` is what the model knew, as from `purchases.purchase_history`; `actual_purchases` are
    purchase days in these weeks, in the order of its rows, shape (n,). NotEstimable says that
    there are none, so that no error is a share of them.
    """
    if not np.any(actual_purchases):
        raise NotEstimable(
            text(
                "None of {n:,} customers bought in the {weeks:.0f} weeks after the fit: no "
                "forecast can be held against that.",
                n=len(summary),
                weeks=weeks,
            )
        )
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
    error = _total_error(data["expected"], data["actual"])
    judged = table.loc[table["customers"] >= _MIN_GROUP, "fits"]
    return Holdout(table, error, bool(abs(error.estimate) <= _TOLERANCE and judged.all()))


def _total_error(expected: pd.Series, actual: pd.Series) -> Estimate:
    """Return the sum expected over the actual one, less 1; no number if a forecast is missing."""
    n, total = len(actual), expected.sum(skipna=False)
    relative = expected / total - actual / actual.sum()
    ratio = from_se(total / actual.sum(), relative.std() * np.sqrt(n), n, scale="log")
    ends = {"ci_low": ratio.ci_low - 1, "ci_high": ratio.ci_high - 1}
    return replace(ratio, estimate=ratio.estimate - 1, scale="identity", **ends)


def _compare_group(group: pd.DataFrame) -> pd.Series:
    """Return a group's size, means and t interval (if nobody bought: exact Poisson)."""
    n, mean = len(group), group["actual"].mean()
    half = stats.t.ppf(0.975, max(n - 1, 1)) * group["actual"].std() / np.sqrt(n)
    high = mean + half if mean > 0 else -np.log(0.025) / n
    expected, low = group["expected"].mean(skipna=False), max(mean - half, 0.0)
    row = {"customers": n, "expected": expected, "actual": mean, "ci_low": low, "ci_high": high}
    return pd.Series(row)
