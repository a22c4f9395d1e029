"""Pictures of customers who stay or leave: who is still there, who is called, what it costs.

The caption of each says what is to be learnt from it.
"""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.dates import AutoDateLocator, DateFormatter

from analysis.cohorts.churn import FACTOR
from analysis.figures import marks, theme, titles
from analysis.figures.display import enumerated, figure
from analysis.figures.numbers import ranged
from analysis.language import text
from analysis.statistics.estimate import Estimate, share_of
from analysis.statistics.regression.survival import share_at

HALF_BAND = 0.5
"""Visits a month that a tier may be off and still count as visited as claimed."""
LEAST = 0.05
"""Share of the usual volume below which all is drawn as this."""


def survival(curves: pd.DataFrame, time: str, caption: str) -> None:
    """Show the share of customers who are still there, as from `survival.curves`.

    There is one line with its 95% band per group; `time` is the label of the axis of days.
    """
    fig, ax = plt.subplots(figsize=(7.2, 3.2))
    groups = curves.groupby("group", observed=True)
    for (name, rows), look in zip(groups, marks.looks(groups.groups), strict=False):
        ax.step(rows["day"], rows["share"], where="post", label=str(name), **look)
        ax.fill_between(rows["day"], rows["ci_low"], rows["ci_high"], step="post", lw=0,
                        alpha=0.15, color=look["color"])  # fmt: skip
    ax.set(xlabel=time, ylabel=text("still there"), ylim=(0, 1.02), xlim=(0, None))
    ax.yaxis.set_major_formatter(marks.per_cent)
    marks.name_lines(ax)
    last = groups["day"].max().min()
    at_last = share_at(curves, last)
    ends = {row.group: titles.share(row.share, row.ci_low, row.ci_high)
            for row in at_last.itertuples()}  # fmt: skip
    listed = enumerated(text("{name} {value}", name=k, value=v) for k, v in ends.items())
    alt = text(
        "Share of customers who are still there after {n:,.0f} days: {listed}.",
        n=last, listed=listed,
    )  # fmt: skip
    title = titles.groups(text("Still there after {n:,.0f} days", n=last), ends)
    figure(fig, alt, caption, title)


def rules(table: pd.DataFrame, caption: str) -> None:
    """Show what other rules would call lost, as from `churn.rules`; the main one in orange."""
    fig, axes = plt.subplots(1, 2, figsize=(7.2, 2.8), sharex=True)
    labels = {"lost": text("share lost"), "returned": text("came back, of the lost")}
    for ax, (column, label) in zip(axes, labels.items(), strict=True):
        ax.plot(table.index, table[column], "o-", color=theme.BLUE, clip_on=False)
        main = table[column].where(table.index == FACTOR)
        ax.plot(table.index, main, "o", color=theme.ORANGE, ms=10, clip_on=False,
                label=text("main rule"))  # fmt: skip
        ax.set(xscale="log", xlabel=text("silence, in usual gaps"), ylabel=label)
        ax.set_ylim(0, 1.15 * np.fmax(table[column].max(), 0.01))
        ax.set_xticks(table.index, [f"{factor:g}" for factor in table.index])
        ax.minorticks_off()
        ax.yaxis.set_major_formatter(marks.per_cent)
    marks.legend(axes[0])
    listed = text("; ").join(
        text(
            "{gaps:g} gaps (median {days:.0f} days): {lost} of {n:,} lost, came back {returned}",
            gaps=row.Index, days=row.limit_days, lost=_told(row.lost, ".1%"), n=row.customers,
            returned=_told(row.returned),
        )
        for row in table.itertuples()
    )  # fmt: skip
    own = table[table.index == FACTOR].iloc[0] if FACTOR in table.index else table.iloc[0]
    alt = text("Lost after a silence of {listed}.", listed=listed)
    figure(fig, alt, caption, titles.rule(own))


def before_the_end(paths: pd.DataFrame, caption: str) -> None:
    """Show how volumes changed before the last purchase of the lost, and of who stayed.

    By weeks before the last purchase `paths` has the medians lost and stayed and the quartiles
    lost_low, lost_high, stayed_low and stayed_high, all of the log of the volume over the usual
    one. What is below `LEAST` is drawn there.
    """
    volume = np.exp(paths.sort_index(ascending=False))
    drawn = volume.clip(lower=LEAST)
    fig, ax = plt.subplots(figsize=(7.2, 3.2))
    ax.axhline(1, color=theme.GREY, lw=1, ls=":")
    names = {"lost": text("lost"), "stayed": text("stayed")}
    for (name, label), colour in zip(names.items(), (theme.ORANGE, theme.BLUE), strict=True):
        ax.plot(drawn.index, drawn[name], color=colour, lw=2, label=label)
        ax.fill_between(drawn.index, drawn[f"{name}_low"], drawn[f"{name}_high"], lw=0,
                        alpha=0.15, color=colour)  # fmt: skip
    height = text("share of usual volume")
    if (volume < LEAST).any(axis=None):
        height += "\n" + text("({least:.0%}: or less)", least=LEAST)
    ax.set(xlabel=text("weeks before the last purchase"), ylabel=height)
    ax.set(xlim=(drawn.index.max(), drawn.index.min()))
    marks.logarithmic(ax, marks.per_cent)
    marks.name_lines(ax)
    first, last = volume.iloc[0], volume.iloc[-1]
    listed = enumerated(
        text(
            "{name} {first}, then {last} (quartiles {low} and {high})",
            name=label, first=_told(first[name]), last=_told(last[name]),
            low=_told(last[f"{name}_low"]), high=_told(last[f"{name}_high"]),
        )
        for name, label in names.items()
    )  # fmt: skip
    alt = text(
        "Median volume, as a share of the usual one, {first} and {last} weeks before the last "
        "purchase: {listed}.",
        first=first.name, last=last.name, listed=listed,
    )  # fmt: skip
    halves = {
        name: Estimate(last[name], last[f"{name}_low"], last[f"{name}_high"], 0) for name in names
    }
    when = text("{weeks} weeks before the last purchase", weeks=last.name)
    title = text(
        "{when} the lost buy {lost:.0%} of their usual volume, who stays {stayed:.0%} (in "
        "brackets: half of them)",
        when=when if last.name else text("In the weeks up to the last purchase"), **halves,
    )  # fmt: skip
    figure(fig, alt, caption, title)


def alarm_curve(table: pd.DataFrame, enough: float, caption: str) -> None:
    """Show what an alarm tells of the lost, the more of those who stay it may call.

    The table is as from `early_warning.curve`; `enough` is the days of lead that are early enough.
    """
    fig, (shares, days) = plt.subplots(1, 2, figsize=(7.2, 3.6), width_ratios=(3, 2))
    lines = {
        "warned": text("lost: under alarm"),
        "early": text("lost: {enough:g} days early", enough=enough),
        "any_week": text("staying: any week"),
    }
    for (column, label), look in zip(lines.items(), marks.looks(), strict=False):
        shares.plot(table.index, table[column], "o-", color=look["color"], label=label)
    days.axhline(enough, color=theme.GREY, lw=1, ls=":")
    days.plot(table.index, table["lead_days"], "o-", color=theme.BLUE, clip_on=False)
    shares.set(ylabel=text("share of customers"), ylim=(0, 1))
    days.set(ylabel=text("median lead in days"))
    days.set(ylim=(0, 1.15 * np.fmax(table["lead_days"].max(), enough)))
    shares.yaxis.set_major_formatter(marks.per_cent)
    for ax in (shares, days):
        ax.set(xlabel=text("false alarms at a landmark"), xlim=(0, None))
        ax.xaxis.set_major_formatter(marks.per_cent)
    marks.legend(shares, columns=1)
    listed = text("; ").join(
        text(
            "{rate}: {warned} of the lost under alarm, {early} for {enough:g} days or more, "
            "median lead {lead} days, {any_week} of those who stay in any week",
            rate=_told(row.Index), warned=_told(row.warned), early=_told(row.early), enough=enough,
            lead=_told(row.lead_days, ".0f"), any_week=_told(row.any_week),
        )
        for row in table.itertuples()
    )  # fmt: skip
    own = table.iloc[np.abs(table.index.to_numpy(float) - 0.1).argmin()]
    title = text(
        "With {rate} false alarms, {early:.0%} of the lost are under alarm for {enough:g} days or "
        "more",
        rate=_told(own.name), early=share_of(own["early"], own["lost"]), enough=enough,
    )  # fmt: skip
    alt = text("By false alarms at a landmark, {listed}.", listed=listed)
    figure(fig, alt, caption, title)


def calibration(table: pd.DataFrame, caption: str) -> None:
    """Show predicted against observed shares, as from `prediction.calibration`."""
    fig, ax = plt.subplots(figsize=(4.6, 3.8))
    end = 1.05 * np.fmax(table[["predicted", "observed", "ci_high"]].max(axis=None), 0.01)
    ax.plot([0, end], [0, end], color=theme.GREY, lw=1, label=text("as predicted"))
    marks.intervals(ax, table["predicted"], table, "observed", upright=True)
    ax.set(xlabel=text("predicted share lost"), ylabel=text("observed share lost"))
    ax.set(xlim=(0, end), ylim=(0, end))
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(marks.per_cent)
    marks.legend(ax)
    inside = table["predicted"].between(table["ci_low"], table["ci_high"]).sum()
    listed = enumerated(
        text("{predicted} and {observed}", predicted=_told(row.predicted, ".1%"),
             observed=_told(row.observed, ".1%"))
        for row in table.itertuples()
    )  # fmt: skip
    alt = text(
        "Predicted and observed shares: {listed}. The 95% interval holds the prediction in "
        "{inside} of {n} groups.",
        listed=listed, inside=inside, n=len(table),
    )  # fmt: skip
    title = text(
        "What was predicted lies within the interval in {inside} of {n} groups",
        inside=inside, n=len(table),
    )  # fmt: skip
    figure(fig, alt, caption, title)


def visits(table: pd.DataFrame, promised: Mapping[str, float], caption: str) -> None:
    """Show visits a month by tier (estimate, ci_low, ci_high) beside those promised.

    The light bar is what is near enough to the promise (`HALF_BAND`).
    """
    claimed = np.array([promised.get(tier, np.nan) for tier in table.index])
    places = np.arange(len(table))
    fig, ax = plt.subplots(figsize=(6.4, 3))
    ax.bar(places, 2 * HALF_BAND, bottom=claimed - HALF_BAND, width=0.6, color=theme.BAND,
           label=text("promised ± {band:g}", band=HALF_BAND))  # fmt: skip
    ax.plot(places, claimed, "x", color=theme.ORANGE, ms=9, mew=2, label=text("promised"))
    marks.intervals(ax, places, table, upright=True, label=text("visited"))
    ax.set(xlabel=text("tier"), ylabel=text("visits a month"))
    ax.set(ylim=(0, None), xlim=(-0.6, len(table) - 0.4))
    ax.set_xticks(places, [str(tier) for tier in table.index])
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    listed = text("; ").join(
        text(
            "{tier} {visits} ({low} to {high}), promised {promised}",
            tier=tier, visits=_told(row.estimate, ".1f"), low=_told(row.ci_low, ".1f"),
            high=_told(row.ci_high, ".1f"), promised=_told(claim, "g"),
        )
        for (tier, row), claim in zip(table.iterrows(), claimed, strict=True)
    )  # fmt: skip
    title = titles.promised(table, claimed, HALF_BAND)
    alt = text("Visits a month with 95% intervals: {listed}.", listed=listed)
    figure(fig, alt, caption, title)


def costs(campaigns: pd.DataFrame, found: Mapping[str, Estimate], caption: str) -> None:
    """Show the cost per head of each campaign and that found by purpose, on a logarithmic axis.

    The columns are campaign (date), purpose and cost_per_head; what is found has its 95% band.
    Campaigns without a cost, or without a head, are left out and counted in the text.
    """
    cost = campaigns["cost_per_head"]
    shown = campaigns[(cost > 0) & np.isfinite(cost)]
    fig, ax = plt.subplots(figsize=(7.2, 3))
    told, listed = {}, []
    groups = shown.groupby("purpose")
    for (name, rows), look in zip(groups, marks.looks(groups.groups), strict=False):
        own, ends = found[name], [shown["campaign"].min(), shown["campaign"].max()]
        ax.plot(rows["campaign"], rows["cost_per_head"], "o", ms=5, color=look["color"])
        ax.plot(ends, [own.estimate, own.estimate], lw=1.5, label=str(name), **look)
        ax.fill_between(ends, own.ci_low, own.ci_high, lw=0, alpha=0.15, color=look["color"])
        told[name] = ranged(own)
        listed.append(text("{name} {value}, campaigns: {n}", name=name, value=told[name],
                           n=len(rows)))  # fmt: skip
    ax.set(ylabel=text("cost per head, logarithmic"))
    ax.xaxis.set_major_locator(AutoDateLocator(minticks=2, maxticks=7))
    ax.xaxis.set_major_formatter(DateFormatter("%Y-%m"))
    marks.logarithmic(ax, "{x:,.10g}")
    marks.name_lines(ax)
    alt = text(
        "Cost per head: {means}. Campaigns not shown: {n}.",
        means=text("; ").join(listed) or text("of no campaign"), n=len(campaigns) - len(shown),
    )  # fmt: skip
    figure(fig, alt, caption, titles.groups(text("Cost per head"), told) if told else "")


def lists(table: pd.DataFrame, base_rate: float, caption: str) -> None:
    """Show which share of the first on each list was lost, as from `call_list.caught`.

    `base_rate` is the share lost of all customers, which a list drawn by lot would have.
    """
    names = [str(name) for name in table.index]
    rows = np.arange(len(table))[::-1]
    fig, ax = plt.subplots(figsize=(7.2, 1.1 + 0.36 * len(table)))
    ax.axvline(base_rate, color=theme.GREY, lw=1, ls="--")
    ax.annotate(text("lost by chance"), (base_rate, 1), (0, 3), ha="center", color=theme.GREY,
                xycoords=("data", "axes fraction"), textcoords="offset points")  # fmt: skip
    marks.intervals(ax, rows, table, "precision", label=text("lost"))
    in_time = table["precision"] * table["in_time"] / table["lost"].clip(lower=1)
    ax.plot(in_time, rows, "D", color=theme.ORANGE, clip_on=False, label=text("of these, in time"))
    ax.set_yticks(rows, names)
    ax.set(xlabel=text("share lost among the first on the list"))
    ax.set(xlim=(0, None), ylim=(-0.6, len(table) - 0.4))
    ax.xaxis.set_major_formatter(marks.per_cent)
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    listed = enumerated(
        text(
            "{name} {share} ({low} to {high}), {in_time} in time",
            name=row.Index, share=_told(row.precision), low=_told(row.ci_low),
            high=_told(row.ci_high), in_time=_told(share),
        )
        for row, share in zip(table.itertuples(), in_time, strict=True)
    )  # fmt: skip
    alt = text(
        "Share lost among the first on each list, 95% interval: {listed}; by chance {rate}.",
        listed=listed, rate=_told(base_rate, ".1%"),
    )  # fmt: skip
    figure(fig, alt, caption, titles.lists(table, base_rate))


def _told(value: float, form: str = ".0%") -> str:
    """Return a number as text, or say that it is not known."""
    return text("unknown") if pd.isna(value) else format(value, form)
