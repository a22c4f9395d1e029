"""Pictures of complaints: how long they took, where satisfaction drops, who came back."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy import stats

from analysis.cohorts.complaints import PROMISE
from analysis.figures import marks, theme, titles
from analysis.figures.display import enumerated, figure
from analysis.language import text
from analysis.statistics.causal.bunching import Bunching
from analysis.statistics.estimate import Estimate


def days(found: Bunching, caption: str) -> None:
    """Show cases per working day beside the counts of a smooth curve."""
    table = found.table
    fig, ax = plt.subplots(figsize=(7.2, 2.6))
    colours = np.where(table.index <= PROMISE, theme.BLUE, theme.BAND)
    ax.bar(table.index, table["count"], color=colours, width=0.85)
    smooth = {"color": theme.ORANGE, "ms": 4, "label": text("smooth curve")}
    ax.plot(table.index, table["expected"], "o-", **smooth)
    ax.set(xlabel=text("working days until settled (last: or more)"), ylabel=text("cases"))
    marks.legend(ax)
    alt = text(
        "Bars of cases by working days; {cases:.0f} cases were settled on day {day} where a "
        "smooth curve expects {expected:.0f}.",
        cases=table.loc[PROMISE, "count"], day=PROMISE, expected=table.loc[PROMISE, "expected"],
    )  # fmt: skip
    low, high = stats.poisson.interval(0.95, table.loc[PROMISE, "expected"])
    title = text(
        "{cases:.0f} cases were settled on day {day}; a smooth curve expects {expected:.0f}, by "
        "chance {low:.0f} to {high:.0f}",
        cases=table.loc[PROMISE, "count"], day=PROMISE, expected=table.loc[PROMISE, "expected"],
        low=low, high=high,
    )  # fmt: skip
    figure(fig, alt, caption, title)


def drop(cases: pd.DataFrame, caption: str) -> None:
    """Show mean satisfaction by working day, with a line on each side of the promise."""
    means = cases["z_after"].groupby(cases["days"]).agg(["mean", "sem", "size"])
    means = means[means["size"] >= 5]
    fig, ax = plt.subplots(figsize=(7.2, 3))
    ax.axvline(PROMISE + 0.5, color=theme.GREY, lw=1, ls="--")
    ax.errorbar(means.index, means["mean"], 1.96 * means["sem"], fmt="o", color=theme.GREY)
    sides = (1, PROMISE, theme.BLUE), (PROMISE + 1, 2 * PROMISE, theme.ORANGE)
    for first, last, colour in sides:
        rows = cases[cases["days"].between(first, last)]
        slope, height = np.polyfit(rows["days"], rows["z_after"], 1)
        ends = np.array([first - 0.5, last + 0.5])
        ax.plot(ends, height + slope * ends, color=colour, lw=2)
    ax.set(xlabel=text("working days until settled"), ylabel=text("satisfaction after (SD)"))
    sides = means.reindex([PROMISE, PROMISE + 1]).iterrows()
    last, after = (titles.mean_of(row) for _, row in sides)
    alt = text(
        "Mean satisfaction is {last:+.2f} SD for cases settled on day {day} and {after:+.2f} SD "
        "on day {next}.",
        last=last, day=PROMISE, after=after, next=PROMISE + 1,
    )  # fmt: skip
    figure(fig, alt, caption, titles.drop(means, PROMISE))


def against_published(
    shares: Mapping[str, Estimate], published: Mapping[str, float], caption: str
) -> None:
    """Show shares with 95% intervals beside the published ones (crosses)."""
    fig, ax = plt.subplots(figsize=(7.2, 0.9 + 0.4 * len(shares)))
    names = list(shares)
    marks.intervals(ax, names, pd.DataFrame([vars(each) for each in shares.values()]))
    ax.plot([published[name] for name in names], names, "x", color=theme.ORANGE, ms=9)
    ax.set(xlabel=text("share of customers (cross: published)"), xlim=(0, 1.02))
    ax.xaxis.set_major_formatter("{x:.0%}")
    ax.margins(y=0.3)
    listed = enumerated(
        text("{name} {share}, published {published:.0%}", name=name, published=published[name],
             share=titles.share(each.estimate, each.ci_low, each.ci_high))
        for name, each in shares.items()
    )  # fmt: skip
    alt = text("Shares of quickly settled complainers: {listed}.", listed=listed)
    found = {
        text("{name} (published {published:.0%})", name=name, published=published[name]):
            titles.share(each.estimate, each.ci_low, each.ci_high)
        for name, each in shares.items()
    }  # fmt: skip
    figure(fig, alt, caption, titles.groups(text("Quickly settled complainers"), found))
