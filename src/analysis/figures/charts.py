"""The pictures of the notebooks: each draws one, says what is in it, and shows it."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from analysis.figures import marks, theme, titles
from analysis.figures.display import enumerated, figure, in_words
from analysis.figures.numbers import three_digits
from analysis.language import text
from analysis.statistics.estimate import Estimate
from analysis.statistics.value.lifetime_value import Holdout

CATEGORIES = ("segment", "area", "tier", "kind", "channel", "landmark")
"""Covariates whose groups have columns of their own, such as area_urban."""


def months(table: pd.DataFrame, currency: str) -> None:
    """Show customers and sales of each month, as from `purchases.per_month`."""
    fig, axes = plt.subplots(1, 2, figsize=(7.2, 2.6))
    customers, sales = table["customers"], table["sales"] / 1000
    for ax, values in zip(axes, (customers, sales), strict=True):
        ax.step(table["month"], values, where="post")
        ax.set_ylim(bottom=0)
        ax.tick_params(axis="x", rotation=45)
    axes[0].set(ylabel=text("customers who bought"))
    axes[1].set(ylabel=text("sales (1,000 {currency})", currency=currency))
    alt = text(
        "Steps by month ({n}): {fewest:,} to {most:,} customers bought in a month, fewest in "
        "{month:%B %Y}; sales were {low:amount} to {high:amount} thousand.",
        n=len(table), fewest=customers.min(), most=customers.max(), low=sales.min(),
        high=sales.max(), month=table.loc[customers.idxmin(), "month"],
    )  # fmt: skip
    caption = text("Customers who bought, and their sales, by month; the ends may be cut.")
    figure(fig, alt, caption, titles.months(table, currency))


def effects(
    found: Mapping[str, Estimate] | pd.DataFrame,
    unit: str,
    caption: str,
    *,
    null: float = 0.0,
    band: tuple[float, float] | None = None,
) -> None:
    """Show effects with their 95% intervals, by name, the first that is not naive in colour.

    Parameters
    ----------
    found : mapping of str to Estimate, or DataFrame
        A table has the columns estimate, ci_low and ci_high.
    unit : str
        Label of the axis.
    null : float
        The effect that means "none".
    band : tuple of float, optional
        Where an effect is too small to matter.
    """
    if isinstance(found, Mapping):
        found = pd.DataFrame({name: vars(each) for name, each in found.items()}).T
    fig, ax = plt.subplots(figsize=(7.2, 0.9 + 0.32 * len(found)))
    main = titles.main_of(found.index)
    marks.forest(ax, found, null, band, unit, main)
    named = enumerated(
        text("{name} {value:.2f}", name=name, value=row) for name, row in found.iterrows()
    )
    alt = text("Effects with 95% intervals ({unit}): {named}.", unit=unit, named=named)
    figure(fig, alt, caption, titles.effects(found.iloc[main:], null, band))


def boxes(table: pd.DataFrame, value: str, group: str, unit: str, caption: str) -> None:
    """Show the distribution of a positive value in each group, on a logarithmic scale."""
    medians = table.groupby(group, observed=True)[value].median()
    fig, ax = plt.subplots(figsize=(7.2, 0.8 + 0.42 * len(medians)))
    sns.boxplot(table, x=value, y=group, order=medians.index, ax=ax, fliersize=1.5)
    ax.set(xscale="log", xlabel=text("{unit}, logarithmic", unit=unit), ylabel="")
    ax.xaxis.set_major_formatter("{x:,.10g}")
    alt = text(
        "Boxes by group ({n}); the median runs from {low:amount} ({lowest}) to {high:amount} "
        "({highest}).",
        n=len(medians), low=medians.min(), lowest=medians.idxmin(), high=medians.max(),
        highest=medians.idxmax(),
    )  # fmt: skip
    figure(fig, alt, caption, titles.boxes(medians))


def spread(values: pd.Series, unit: str, caption: str) -> None:
    """Show how a positive value is spread over customers, on a logarithmic scale."""
    fig, ax = plt.subplots(figsize=(7.2, 2.4))
    sns.histplot(values, log_scale=True, bins=40, ax=ax)
    ax.set(xlabel=text("{unit}, logarithmic", unit=unit), ylabel=text("customers"))
    ax.xaxis.set_major_formatter("{x:,.10g}")
    low, high = values.quantile([0.1, 0.9])
    alt = text(
        "Histogram: eight of ten customers lie between {low:amount} and {high:amount}; the largest "
        "has {most:amount}.",
        low=low, high=high, most=values.max(),
    )  # fmt: skip
    title = text(
        "Eight of ten customers lie between {low:amount} and {high:amount} {unit}",
        low=low, high=high, unit=unit,
    )  # fmt: skip
    figure(fig, alt, caption, title)


def concentration(curve: pd.DataFrame, top: Estimate, claimed: float, caption: str) -> None:
    """Show a Lorenz curve (`concentration.lorenz`) and the claimed share of the best 20%."""
    fig, ax = plt.subplots(figsize=(4.8, 3.6))
    marks.lorenz(ax, curve, 0.2)
    ax.plot(0.2, claimed, "x", color=theme.GREY, ms=9)
    ax.annotate(
        text("claimed"), (0.2, claimed), (0, 7), textcoords="offset points", ha="center",
        color=theme.GREY,
    )  # fmt: skip
    alt = text(
        "Lorenz curve: the best 20% of customers bring {top:.1%} of sales; the claim says "
        "{claimed:.0%}.",
        top=top.estimate, claimed=claimed,
    )  # fmt: skip
    figure(fig, alt, caption, titles.concentration(top, claimed))


def grid(
    shares: pd.DataFrame,
    labels: tuple[str, str],
    caption: str,
    errors: pd.DataFrame | None = None,
) -> None:
    """Show a table of shares as a heat map: both axes rise from low to high.

    Their standard errors are a table of the same form, unless they are shares of everybody.
    """
    written = shares.map("{:.0%}".format)
    if errors is not None:
        written = shares.combine(errors, lambda x, e: x.combine(e, titles.within_bounds))
    largest = written.loc[shares.stack().idxmax()]
    written = written.reindex_like(marks.rising(marks.rising(shares.T).T).iloc[::-1])
    shares = marks.rising(marks.rising(shares.T).T).iloc[::-1]
    fig, ax = plt.subplots(figsize=(5, 3.2))
    shares = shares.rename(index=in_words, columns=in_words)
    size = {"size": 10 if errors is None else 9}
    sns.heatmap(shares, annot=written, fmt="", cmap="Blues", cbar=False, ax=ax, annot_kws=size)
    ax.set(xlabel=labels[0], ylabel=labels[1])
    row, column = shares.stack().idxmax()
    alt = text(
        "Heat map of {n} shares; the largest, {largest}, is at {down} {row} and {across} "
        "{column}.",
        n=shares.size, largest=largest, down=labels[1], row=row, across=labels[0], column=column,
    )  # fmt: skip
    title = text(
        "The largest share, {largest}: {down} {row}, {across} {column}",
        largest=largest, down=labels[1], row=row, across=labels[0], column=column,
    )  # fmt: skip
    figure(fig, alt, caption, title)


def forecasts(holdouts: Mapping[str, Holdout], weeks: float) -> None:
    """Show actual purchases of a holdout period beside the forecasts of one or more models."""
    fig, ax = plt.subplots(figsize=(7.2, 3))
    actual = next(iter(holdouts.values())).table
    ax.bar(actual["frequency"], actual["actual"], color=theme.BAND, label=text("actual"))
    ax.vlines(actual["frequency"], actual["ci_low"], actual["ci_high"], color=theme.GREY)
    looks = zip(holdouts.items(), ("o", "x"), (theme.BLUE, theme.ORANGE), strict=False)
    for (name, each), mark, colour in looks:
        ax.plot(each.table["frequency"], each.table["expected"], mark, color=colour, label=name)
    ax.set(xlabel=text("repeat purchases before"))
    ax.set(ylabel=text("purchases in {weeks:.0f} weeks", weeks=weeks))
    marks.legend(ax)
    missed = enumerated(
        text("{name} {error:+.0%}", name=name, error=each.error) for name, each in holdouts.items()
    )
    alt = text(
        "Actual and forecast purchases by group ({n}); forecast against actual total: {missed}.",
        n=len(actual),
        missed=missed,
    )
    caption = text(
        "Purchases after the fit: bars are means with 95% intervals, marks are forecasts."
    )
    title = text("Forecast against actual purchases in all: {missed}", missed=missed)
    figure(fig, alt, caption, title)


def group_means(table: pd.DataFrame, labels: tuple[str, str], caption: str) -> None:
    """Show means with 95% intervals of ordered groups; columns mean and sem."""
    fig, ax = plt.subplots(figsize=(5.4, 2.8))
    names = [str(name) for name in table.index]
    ax.errorbar(names, table["mean"], 1.96 * table["sem"], fmt="o", color=theme.BLUE)
    ax.set(xlabel=labels[0], ylabel=labels[1], ylim=(0, None))
    means = {name: titles.mean(row) for name, row in table.iterrows()}
    named = text("; ").join(text("{name} {value}", name=k, value=v) for k, v in means.items())
    alt = text("Means of {y} by {x}. {named}.", y=labels[1], x=labels[0], named=named)
    figure(fig, alt, caption, titles.groups(labels[1], means))


def bins(
    x: pd.Series,
    y: pd.Series,
    labels: tuple[str, str],
    caption: str,
    weight: pd.Series | None = None,
) -> None:
    """Show means of `y` in equally large groups of `x`, with 95% intervals.

    Weights are those of the rows of `x`, in the same order, if these are answers that have some.
    """
    fig, ax = plt.subplots(figsize=(5.4, 2.8))
    table = marks.binned_means(ax, x, y, 6, weight)
    ax.set(xlabel=labels[0], ylabel=labels[1])
    means = zip(map(three_digits, table["x"]), titles.ranges(table, "y"), strict=True)
    named = text("; ").join(text("{name} {value}", name=at, value=mean) for at, mean in means)
    alt = text("Means of {y} by {x}. {named}.", y=labels[1], x=labels[0], named=named)
    figure(fig, alt, caption, titles.bins(table, labels))


def balance(table: pd.DataFrame, caption: str) -> None:
    """Show differences between two groups before and after weighting (`AIPW.balance`)."""
    table = table.sort_values("smd_before")
    before, after = table["smd_before"], table["smd_after"]
    fig, ax = plt.subplots(figsize=(7.2, 0.9 + 0.3 * len(table)))
    ax.axvspan(-0.1, 0.1, color=theme.BAND)
    names = [_plain(each) for each in table.index]
    ax.plot(before, names, "o", color=theme.ORANGE, label=text("before weighting"))
    ax.plot(after, names, "o", color=theme.BLUE, label=text("after weighting"))
    ax.set(xlabel=text("difference in standard deviations"))
    ax.xaxis.set_major_locator(MaxNLocator(6))
    marks.legend(ax)
    alt = text(
        "Largest difference before weighting {before:.2f}, after {after:.2f} standard deviations.",
        before=before.abs().max(), after=after.abs().max(),
    )  # fmt: skip
    figure(fig, alt, caption, titles.balance(before, after))


def overlap(
    propensity: ArrayLike, treated: ArrayLike, names: tuple[str, str], caption: str
) -> None:
    """Show the estimated probability of treatment in both arms, named treated first.

    Probabilities and whether treated (1 or True) have shape (n,); missing ones are left out.
    """
    columns = {"chance": np.asarray(propensity), "treated": np.asarray(treated, dtype=float)}
    people = pd.DataFrame(columns).dropna()
    arms = [people.loc[people["treated"] == arm, "chance"] for arm in (1, 0)]
    edges = np.histogram_bin_edges(people["chance"], 40)
    fig, ax = plt.subplots(figsize=(7.2, 2.8))
    for name, values, colour in zip(names, arms, marks.COLOURS, strict=False):
        shares = np.histogram(values, edges)[0] / max(len(values), 1)
        ax.stairs(shares, edges, color=colour, lw=1.8, label=f"{in_words(name)} ({len(values):,})")
        ax.stairs(shares, edges, color=colour, fill=True, alpha=0.15)
    ax.set(xlabel=text("estimated probability"), ylabel=text("share of the group"))
    ax.yaxis.set_major_formatter(marks.per_cent)
    marks.legend(ax)
    first, second = (_arm(names[i], arms[i], names[1 - i], arms[1 - i]) for i in (0, 1))
    alt = text("Estimated probabilities. {first} {second}", first=first, second=second)
    figure(fig, alt, caption, titles.overlap(arms, names))


def _plain(column: str) -> str:
    """Return a column's name in words; that of a category with the group that it marks."""
    group, _, value = column.partition("_")
    if group in CATEGORIES and value:
        return text("{name}: {value}", name=group, value=value)
    words = in_words(column)
    return f"{words.removeprefix('log ')} (log)" if words.startswith("log ") else words


def _arm(name: str, own: pd.Series, other_name: str, other: pd.Series) -> str:
    """Return the range of an arm, and how much of it lies outside the other's."""
    if own.empty or other.empty:
        return text("{name}: {n:,} customers.", name=name, n=len(own))
    return text(
        "{name}: {low:.3f} to {high:.3f}, {above:.1%} above and {below:.1%} below all of {other}.",
        name=name, low=own.min(), high=own.max(), other=other_name,
        above=(own > other.max()).mean(), below=(own < other.min()).mean(),
    )  # fmt: skip
