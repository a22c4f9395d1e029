"""Pictures of customers who stay or leave: who is still there, who is called, what it costs.

The caption of each says what is to be learnt from it.
"""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

from analysis.cohorts.churn import FACTOR
from analysis.figures import marks, theme
from analysis.figures.display import figure
from analysis.statistics.regression.survival import share_at

HALF_BAND = 0.5
"""Visits a month that a tier may be off and still count as visited as claimed."""
LEAST = 0.05
"""Share of the usual volume below which all is drawn as this."""

_DAYS = {"days": 1, "weeks": 7}


def survival(curves: pd.DataFrame, unit: str, caption: str) -> None:
    """Show the share of customers who are still there, one line with its 95 % band per group.

    Parameters
    ----------
    curves : DataFrame
        As from `survival.curves`.
    unit : str
        Label of the time axis, which begins with its unit: "days" or "weeks".

    Raises
    ------
    ValueError
        If the unit is another one.
    """
    word = unit.partition(" ")[0]
    if word not in _DAYS:
        raise ValueError(f'The time axis must begin with "days" or "weeks", not "{unit}".')
    fig, ax = plt.subplots(figsize=(7.2, 3.2))
    groups = curves.groupby("group", observed=True)
    for (name, rows), look in zip(groups, marks.looks(), strict=False):
        days = rows["day"] / _DAYS[word]
        ax.step(days, rows["share"], where="post", label=str(name), **look)
        ax.fill_between(days, rows["ci_low"], rows["ci_high"], step="post", lw=0, alpha=0.15,
                        color=look["color"])  # fmt: skip
    lowest = min(curves[["share", "ci_low"]].min(axis=None), 0.95)
    bottom = np.floor(10 * lowest) / 10 if lowest >= 0.5 else 0.0  # near the lowest if all are high
    ax.set(xlabel=unit, ylabel="still there", ylim=(bottom, 1 + 0.02 * (1 - bottom)))
    ax.yaxis.set_major_formatter(marks.per_cent)
    marks.name_lines(ax)
    last = groups["day"].max().min()
    at_last = share_at(curves, last)
    listed = ", ".join(
        f"{name} {_told(share)}"
        for name, share in zip(at_last["group"], at_last["share"], strict=True)
    )
    when = f"after {last / _DAYS[word]:,.0f} {word}"
    figure(fig, f"Share of customers who are still there {when}: {listed}.", caption)


def rules(table: pd.DataFrame, caption: str) -> None:
    """Show what other rules would call lost, as from `churn.rules`; the main one in orange."""
    fig, axes = plt.subplots(1, 2, figsize=(7.2, 2.8), sharex=True)
    labels = {"lost": "share lost", "returned": "came back, of the lost"}
    for ax, (column, label) in zip(axes, labels.items(), strict=True):
        ax.plot(table.index, table[column], "o-", color=theme.BLUE, clip_on=False)
        main = table[column].where(table.index == FACTOR)
        ax.plot(table.index, main, "o", color=theme.ORANGE, ms=10, clip_on=False,
                label="main rule")  # fmt: skip
        ax.set(xscale="log", xlabel="silence, in usual gaps", ylabel=label)
        ax.set_ylim(0, 1.15 * np.fmax(table[column].max(), 0.01))
        ax.set_xticks(table.index, [f"{factor:g}" for factor in table.index])
        ax.minorticks_off()
        ax.yaxis.set_major_formatter(marks.per_cent)
    axes[0].legend(frameon=False)
    listed = "; ".join(
        f"{row.Index:g} gaps (median {row.limit_days:.0f} days): {_told(row.lost, '.1%')} of "
        f"{row.customers:,} lost, came back {_told(row.returned)}"
        for row in table.itertuples()
    )
    figure(fig, f"Lost after a silence of {listed}.", caption)


def before_the_end(paths: pd.DataFrame, caption: str) -> None:
    """Show how volumes changed before the last purchase of the lost, and of who stayed.

    Parameters
    ----------
    paths : DataFrame
        By weeks before the last purchase: medians lost and stayed, and quartiles lost_low,
        lost_high, stayed_low, stayed_high, all of the log of the volume over the usual one.
        What is below `LEAST` is drawn there.
    """
    volume = np.exp(paths.sort_index(ascending=False))
    drawn = volume.clip(lower=LEAST)
    fig, ax = plt.subplots(figsize=(7.2, 3.2))
    ax.axhline(1, color=theme.GREY, lw=1, ls=":")
    for name, colour in (("lost", theme.ORANGE), ("stayed", theme.BLUE)):
        ax.plot(drawn.index, drawn[name], color=colour, lw=2, label=name)
        ax.fill_between(drawn.index, drawn[f"{name}_low"], drawn[f"{name}_high"], lw=0,
                        alpha=0.15, color=colour)  # fmt: skip
    least = f"\n({LEAST:.0%}: or less)" if (volume < LEAST).any(axis=None) else ""
    ax.set(xlabel="weeks before the last purchase", ylabel=f"share of usual volume{least}")
    ax.set(xlim=(drawn.index.max(), drawn.index.min()))
    marks.logarithmic(ax, marks.per_cent)
    marks.name_lines(ax)
    listed = ", ".join(
        f"{name} {_told(volume[name].iloc[0])}, then {_told(volume[name].iloc[-1])} (quartiles "
        f"{_told(volume[f'{name}_low'].iloc[-1])} and {_told(volume[f'{name}_high'].iloc[-1])})"
        for name in ("lost", "stayed")
    )
    when = f"{drawn.index[0]} and {drawn.index[-1]} weeks before the last purchase"
    figure(fig, f"Median volume, as a share of the usual one, {when}: {listed}.", caption)


def alarm_curve(table: pd.DataFrame, enough: float, caption: str) -> None:
    """Show what an alarm tells of the lost, the more of those who stay it may call.

    Parameters
    ----------
    table : DataFrame
        As from `early_warning.curve`.
    enough : float
        Days of lead that are early enough.
    """
    fig, (shares, days) = plt.subplots(1, 2, figsize=(7.2, 3), width_ratios=(3, 2))
    lines = {"warned": "lost: under alarm", "early": f"lost: {enough:g} days early"}
    lines |= {"any_week": "staying: any week"}
    for (column, label), look in zip(lines.items(), marks.looks(), strict=False):
        shares.plot(table.index, table[column], "o-", color=look["color"], label=label)
    days.axhline(enough, color=theme.GREY, lw=1, ls=":")
    days.plot(table.index, table["lead_days"], "o-", color=theme.BLUE, clip_on=False)
    shares.set(ylabel="share of customers", ylim=(0, 1))
    days.set(
        ylabel="median lead in days", ylim=(0, 1.15 * np.fmax(table["lead_days"].max(), enough))
    )
    shares.yaxis.set_major_formatter(marks.per_cent)
    for ax in (shares, days):
        ax.set(xlabel="false alarms at a landmark", xlim=(0, None))
        ax.xaxis.set_major_formatter(marks.per_cent)
    shares.legend(frameon=False)
    listed = "; ".join(
        f"{_told(row.Index)}: {_told(row.warned)} of the lost under alarm, {_told(row.early)} for "
        f"{enough:g} days or more, median lead {_told(row.lead_days, '.0f')} days, "
        f"{_told(row.any_week)} of those who stay in any week"
        for row in table.itertuples()
    )
    figure(fig, f"By false alarms at a landmark, {listed}.", caption)


def calibration(table: pd.DataFrame, caption: str) -> None:
    """Show predicted against observed shares, as from `prediction.calibration`."""
    fig, ax = plt.subplots(figsize=(4.6, 3.8))
    end = 1.05 * np.fmax(table[["predicted", "observed", "ci_high"]].max(axis=None), 0.01)
    ax.plot([0, end], [0, end], color=theme.GREY, lw=1, label="as predicted")
    marks.intervals(ax, table["predicted"], table, "observed", upright=True)
    ax.set(xlabel="predicted share lost", ylabel="observed share lost")
    ax.set(xlim=(0, end), ylim=(0, end))
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(marks.per_cent)
    ax.legend(frameon=False)
    inside = table["predicted"].between(table["ci_low"], table["ci_high"]).sum()
    listed = ", ".join(
        f"{_told(row.predicted, '.1%')} and {_told(row.observed, '.1%')}"
        for row in table.itertuples()
    )
    alt = (
        f"Predicted and observed shares: {listed}. The 95 % interval holds the prediction in "
        f"{inside} of {len(table)} groups."
    )
    figure(fig, alt, caption)


def visits(table: pd.DataFrame, promised: Mapping[str, float], caption: str) -> None:
    """Show visits a month by tier beside those promised.

    Parameters
    ----------
    table : DataFrame
        By tier: estimate, ci_low, ci_high.
    promised : mapping of str to float
        Visits a month by tier; the light bar is what is near enough.
    """
    claimed = np.array([promised.get(tier, np.nan) for tier in table.index])
    places = np.arange(len(table))
    fig, ax = plt.subplots(figsize=(6.4, 3))
    ax.bar(places, 2 * HALF_BAND, bottom=claimed - HALF_BAND, width=0.6, color=theme.BAND,
           label=f"promised ± {HALF_BAND:g}")  # fmt: skip
    ax.plot(places, claimed, "x", color=theme.ORANGE, ms=9, mew=2, label="promised")
    marks.intervals(ax, places, table, upright=True, label="visited")
    ax.set(xlabel="tier", ylabel="visits a month", ylim=(0, None), xlim=(-0.6, len(table) - 0.4))
    ax.set_xticks(places, [str(tier) for tier in table.index])
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    listed = "; ".join(
        f"{tier} {_told(row.estimate, '.1f')} ({_told(row.ci_low, '.1f')} to "
        f"{_told(row.ci_high, '.1f')}), promised {_told(claim, 'g')}"
        for (tier, row), claim in zip(table.iterrows(), claimed, strict=True)
    )
    figure(fig, f"Visits a month with 95 % intervals: {listed}.", caption)


def costs(campaigns: pd.DataFrame, caption: str) -> None:
    """Show the cost per head of each campaign and its mean by purpose, on a logarithmic axis.

    Parameters
    ----------
    campaigns : DataFrame
        campaign (date), purpose, cost_per_head; the means are of campaigns, not of heads.
        Campaigns without a cost, or without a head, are left out and counted in the text.
    """
    cost = campaigns["cost_per_head"]
    shown = campaigns[(cost > 0) & np.isfinite(cost)]
    fig, ax = plt.subplots(figsize=(7.2, 3))
    listed = []
    for (name, rows), look in zip(shown.groupby("purpose"), marks.looks(), strict=False):
        mean, days = rows["cost_per_head"].mean(), shown["campaign"]
        ax.plot(rows["campaign"], rows["cost_per_head"], "o", ms=5, color=look["color"])
        ax.plot([days.min(), days.max()], [mean, mean], lw=1.5, label=str(name), **look)
        listed.append(f"{name} {mean:,.2f} (campaigns: {len(rows)})")
    ax.set(ylabel="cost per head, logarithmic")
    ax.xaxis.set_major_locator(AutoDateLocator())
    ax.xaxis.set_major_formatter(ConciseDateFormatter(ax.xaxis.get_major_locator()))
    marks.logarithmic(ax, "{x:,.10g}")
    marks.name_lines(ax)
    means = ", ".join(listed) or "of no campaign"
    alt = f"Mean cost per head: {means}. Campaigns not shown: {len(campaigns) - len(shown)}."
    figure(fig, alt, caption)


def lists(table: pd.DataFrame, base_rate: float, caption: str) -> None:
    """Show which share of the first on each list was lost, as from `call_list.caught`.

    Parameters
    ----------
    table : DataFrame
        By list: lost, in_time, precision, ci_low, ci_high.
    base_rate : float
        Share lost of all customers, which a list drawn by lot would have.
    """
    names = [str(name) for name in table.index]
    rows = np.arange(len(table))[::-1]
    fig, ax = plt.subplots(figsize=(7.2, 1.1 + 0.36 * len(table)))
    ax.axvline(base_rate, color=theme.GREY, lw=1, ls="--")
    ax.annotate("lost by chance", (base_rate, 1), (0, 3), xycoords=("data", "axes fraction"),
                textcoords="offset points", ha="center", color=theme.GREY)  # fmt: skip
    marks.intervals(ax, rows, table, "precision", label="lost")
    in_time = table["precision"] * table["in_time"] / table["lost"].clip(lower=1)
    ax.plot(in_time, rows, "D", color=theme.ORANGE, clip_on=False, label="of these, in time")
    ax.set_yticks(rows, names)
    ax.set(xlabel="share lost among the first on the list", ylim=(-0.6, len(table) - 0.4))
    ax.set_xlim(left=0)
    ax.xaxis.set_major_formatter(marks.per_cent)
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    listed = ", ".join(
        f"{row.Index} {_told(row.precision)} ({_told(row.ci_low)} to {_told(row.ci_high)}), "
        f"{_told(share)} in time"
        for row, share in zip(table.itertuples(), in_time, strict=True)
    )
    alt = f"Share lost among the first on each list, 95 % interval: {listed}; by chance "
    figure(fig, f"{alt}{_told(base_rate, '.1%')}.", caption)


def _told(value: float, form: str = ".0%") -> str:
    """Return a number as text, or say that it is not known."""
    return "unknown" if pd.isna(value) else format(value, form)
