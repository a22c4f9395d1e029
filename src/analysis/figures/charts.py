"""The pictures of the notebooks: each draws one, says what is in it, and shows it."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from numpy.typing import ArrayLike

from analysis.figures import marks, theme
from analysis.figures.display import figure
from analysis.language import text
from analysis.statistics.estimate import Estimate
from analysis.statistics.value.lifetime_value import Holdout


def months(table: pd.DataFrame, currency: str) -> None:
    """Show customers and sales of each month, as from `purchases.per_month`."""
    fig, axes = plt.subplots(1, 2, figsize=(7.2, 2.6))
    sales = table["sales"] / 1000
    for ax, values in zip(axes, (table["customers"], sales), strict=True):
        ax.step(table["month"], values, where="post")
        ax.set_ylim(bottom=0)
        ax.tick_params(axis="x", rotation=45)
    axes[0].set(ylabel="customers who bought")
    axes[1].set(ylabel=f"sales (1,000 {currency})")
    least = table.loc[table["customers"].idxmin()]
    alt = (
        f"Steps by month ({len(table)}): {table['customers'].min():,} to "
        f"{table['customers'].max():,} customers bought in a month, fewest in "
        f"{least['month']:%B %Y}; sales were {sales.min():,.0f} to {sales.max():,.0f} thousand."
    )
    figure(fig, alt, "Customers who bought, and their sales, by month; the ends may be cut.")


def effects(
    found: Mapping[str, Estimate] | pd.DataFrame,
    unit: str,
    caption: str,
    *,
    null: float = 0.0,
    band: tuple[float, float] | None = None,
) -> None:
    """Show effects with their 95 % intervals, the first in colour.

    Parameters
    ----------
    found : mapping of str to Estimate, or DataFrame
        By name; a table has the columns estimate, ci_low and ci_high.
    unit, caption : str
        Label of the axis; what is shown.
    null, band
        As in `marks.forest`.
    """
    if isinstance(found, Mapping):
        found = pd.DataFrame({name: vars(each) for name, each in found.items()}).T
    fig, ax = plt.subplots(figsize=(7.2, 0.9 + 0.32 * len(found)))
    marks.forest(ax, found, null, band, unit)
    named = ", ".join(f"{name} {row.estimate:.2f}" for name, row in found.iterrows())
    figure(fig, f"Effects with 95 % intervals ({unit}): {named}.", caption)


def boxes(table: pd.DataFrame, value: str, group: str, unit: str, caption: str) -> None:
    """Show the distribution of a positive value in each group, on a logarithmic scale."""
    medians = table.groupby(group)[value].median().sort_values()
    fig, ax = plt.subplots(figsize=(7.2, 0.8 + 0.42 * len(medians)))
    sns.boxplot(table, x=value, y=group, order=medians.index, ax=ax, fliersize=1.5)
    ax.set(xscale="log", xlabel=f"{unit}, logarithmic", ylabel="")
    alt = (
        f"Boxes by group ({len(medians)}); the median runs from {medians.iloc[0]:,.0f} "
        f"({medians.index[0]}) to {medians.iloc[-1]:,.0f} ({medians.index[-1]})."
    )
    figure(fig, alt, caption)


def spread(values: pd.Series, unit: str, caption: str) -> None:
    """Show how a positive value is spread over customers, on a logarithmic scale."""
    fig, ax = plt.subplots(figsize=(7.2, 2.4))
    sns.histplot(values, log_scale=True, bins=40, ax=ax)
    ax.set(xlabel=f"{unit}, logarithmic", ylabel="customers")
    low, high = values.quantile([0.1, 0.9])
    alt = (
        f"Histogram: eight of ten customers lie between {low:,.0f} and {high:,.0f}; the largest "
        f"has {values.max():,.0f}."
    )
    figure(fig, alt, caption)


def concentration(curve: pd.DataFrame, top: Estimate, claimed: float, caption: str) -> None:
    """Show a Lorenz curve (`concentration.lorenz`) and the claimed share of the best 20 %."""
    fig, ax = plt.subplots(figsize=(4.8, 3.6))
    marks.lorenz(ax, curve)
    ax.plot(0.2, claimed, "x", color=theme.GREY, ms=9)
    ax.annotate(
        text("claimed"), (0.2, claimed), (8, 4), textcoords="offset points", color=theme.GREY
    )
    alt = text(
        "Lorenz curve: the best 20 % of customers bring {top:.1%} of sales; the claim says "
        "{claimed:.0%}.",
        top=top.estimate,
        claimed=claimed,
    )
    figure(fig, alt, caption)


def grid(shares: pd.DataFrame, labels: tuple[str, str], caption: str) -> None:
    """Show a table of shares as a heat map; rows from the highest index down."""
    shares = shares.sort_index(ascending=False)
    fig, ax = plt.subplots(figsize=(5, 3.2))
    sns.heatmap(shares, annot=True, fmt=".0%", cmap="Blues", cbar=False, ax=ax)
    ax.set(xlabel=labels[0], ylabel=labels[1])
    row, column = shares.stack().idxmax()
    alt = (
        f"Heat map of {shares.size} shares; the largest, {shares.max().max():.0%}, is at "
        f"{labels[1]} {row} and {labels[0]} {column}."
    )
    figure(fig, alt, caption)


def forecasts(holdouts: Mapping[str, Holdout], weeks: float) -> None:
    """Show actual purchases of a holdout period beside the forecasts of one or more models."""
    fig, ax = plt.subplots(figsize=(7.2, 3))
    actual = next(iter(holdouts.values())).table
    ax.bar(actual["frequency"], actual["actual"], color=theme.BAND, label="actual")
    ax.vlines(actual["frequency"], actual["ci_low"], actual["ci_high"], color=theme.GREY)
    looks = zip(holdouts.items(), ("o", "x"), (theme.BLUE, theme.ORANGE), strict=False)
    for (name, each), mark, colour in looks:
        ax.plot(each.table["frequency"], each.table["expected"], mark, color=colour, label=name)
    ax.set(xlabel="repeat purchases before", ylabel=f"purchases in {weeks:.0f} weeks")
    ax.legend(frameon=False)
    missed = ", ".join(f"{name} {each.total_error:+.0%}" for name, each in holdouts.items())
    figure(
        fig,
        f"Actual and forecast purchases by group ({len(actual)}); forecast against actual total: "
        f"{missed}.",
        "Purchases after the fit: bars are means with 95 % intervals, marks are forecasts.",
    )


def group_means(table: pd.DataFrame, labels: tuple[str, str], caption: str) -> None:
    """Show means with 95 % intervals of ordered groups; columns mean and sem."""
    fig, ax = plt.subplots(figsize=(5.4, 2.8))
    names = [str(name) for name in table.index]
    ax.errorbar(names, table["mean"], 1.96 * table["sem"], fmt="o", color=theme.BLUE)
    ax.set(xlabel=labels[0], ylabel=labels[1], ylim=(0, None))
    named = ", ".join(
        f"{name}: {mean:.1f}" for name, mean in zip(names, table["mean"], strict=True)
    )
    figure(fig, f"Means of {labels[1]} by {labels[0]}. {named}.", caption)


def bins(x: pd.Series, y: pd.Series, labels: tuple[str, str], caption: str) -> None:
    """Show means of `y` in equally large groups of `x`, with 95 % intervals."""
    fig, ax = plt.subplots(figsize=(5.4, 2.8))
    means = marks.binned_means(ax, x, y, 6)["y"]
    ax.set(xlabel=labels[0], ylabel=labels[1])
    alt = (
        f"Mean of {labels[1]} is {_short(means.iloc[0])} in the lowest group of {labels[0]} and "
        f"{_short(means.iloc[-1])} in the highest."
    )
    figure(fig, alt, caption)


def balance(table: pd.DataFrame, caption: str) -> None:
    """Show differences between two groups before and after weighting (`AIPW.balance`)."""
    table = table.sort_values("smd_before")
    fig, ax = plt.subplots(figsize=(7.2, 0.9 + 0.3 * len(table)))
    ax.axvspan(-0.1, 0.1, color=theme.BAND)
    for name, colour in (("before", theme.ORANGE), ("after", theme.BLUE)):
        names = [_plain(each) for each in table.index]
        ax.plot(table[f"smd_{name}"], names, "o", color=colour, label=f"{name} weighting")
    ax.set(xlabel="difference in standard deviations")
    ax.legend(frameon=False)
    alt = (
        f"Largest difference before weighting {table['smd_before'].abs().max():.2f}, after "
        f"{table['smd_after'].abs().max():.2f} standard deviations."
    )
    figure(fig, alt, caption)


def overlap(
    propensity: ArrayLike, treated: ArrayLike, names: tuple[str, str], caption: str
) -> None:
    """Show the estimated probability of treatment in both arms.

    Parameters
    ----------
    propensity, treated : array_like, shape (n,)
        Probability; 1 or True if treated. Missing probabilities are left out.
    names : tuple of str
        Labels of the treated and of the others.
    """
    columns = {"chance": np.asarray(propensity), "treated": np.asarray(treated, dtype=float)}
    people = pd.DataFrame(columns).dropna()
    arms = [people.loc[people["treated"] == arm, "chance"] for arm in (1, 0)]
    edges = np.histogram_bin_edges(people["chance"], 40)
    fig, ax = plt.subplots(figsize=(7.2, 2.8))
    for name, values, colour in zip(names, arms, marks.COLOURS, strict=False):
        shares = np.histogram(values, edges)[0] / max(len(values), 1)
        ax.stairs(shares, edges, color=colour, lw=1.8, label=f"{name} ({len(values):,})")
        ax.stairs(shares, edges, color=colour, fill=True, alpha=0.15)
    ax.set(xlabel="estimated probability", ylabel="share of the group")
    ax.yaxis.set_major_formatter(marks.per_cent)
    ax.legend(frameon=False)
    told = [_arm(names[i], arms[i], names[1 - i], arms[1 - i]) for i in (0, 1)]
    figure(fig, f"Estimated probabilities. {' '.join(told)}", caption)


def _short(value: float) -> str:
    """Return a number in three digits, or all digits before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _plain(column: str) -> str:
    """Return a column's name in words."""
    words = column.replace("_", " ")
    return f"{words.removeprefix('log ')} (log)" if words.startswith("log ") else words


def _arm(name: str, own: pd.Series, other_name: str, other: pd.Series) -> str:
    """Return the range of an arm, and how much of it lies outside the other's."""
    if own.empty or other.empty:
        return f"{name}: {len(own):,} customers."
    above, below = (own > other.max()).mean(), (own < other.min()).mean()
    return (
        f"{name}: {own.min():.3f} to {own.max():.3f}, {above:.1%} above and {below:.1%} below all "
        f"of {other_name}."
    )
