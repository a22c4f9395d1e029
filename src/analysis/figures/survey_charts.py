"""Pictures of survey answers: distributions, drivers, surfaces, choices of specification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from analysis.cohorts.survey import MIDDLE
from analysis.figures import marks, theme, titles
from analysis.figures.display import enumerated, figure, in_words
from analysis.language import named, text
from analysis.statistics import weighting
from analysis.statistics.estimate import Estimate, pooled, share_of
from analysis.statistics.measurement.relative_importance import Importance
from analysis.statistics.regression.models import Fit, contrast
from analysis.statistics.regression.response_surface import BENDS, SLOPES
from analysis.statistics.regression.specification_curve import agreement


def answers(people: pd.DataFrame, names: Sequence[str], caption: str) -> None:
    """Show how often each answer from 1 to 10 was given, one panel per item."""
    fig, axes = plt.subplots(1, len(names), figsize=(7.2, 2.3), sharey=True, squeeze=False)
    tops = {}
    for ax, name in zip(axes[0], names, strict=True):
        shares = weighting.shares(people[name].round(), people).reindex(range(1, 11)).fillna(0)
        ax.bar(shares.index, shares, color=theme.BLUE, width=0.85)
        ax.set(xlabel=in_words(name), xticks=[1, 5, 10])
        known = weighting.size(people[people[name].notna()])
        tops[in_words(name)] = share_of(shares.loc[10], known)
    axes[0, 0].set(ylabel=text("share of answers"))
    listed = enumerated(text("{name} {share:.0%}", name=k, share=v) for k, v in tops.items())
    alt = text("Bars of answers from 1 to 10. At the top of the scale: {tops}.", tops=listed)
    figure(fig, alt, caption, titles.highest_answers(tops))


def surface(fits: Sequence[Fit], people: pd.DataFrame, caption: str) -> None:
    """Show satisfaction over expectation and performance, as a fitted quadratic surface.

    The fits, one for each imputation, have c_performance, c_expectation, their squares and their
    product, which are drawn without the controls; people, for the dots, have performance and
    expectation from 1 to 10.
    """
    params = sum(fit.params for fit in fits) / len(fits)
    scale = np.linspace(1, 10, 60)
    wanted, seen = np.meshgrid(scale, scale)
    height = sum(params[name] * term for name, term in _surface(people, seen, wanted).items())
    fig, ax = plt.subplots(figsize=(5.2, 4))
    drawn = ax.contourf(wanted, seen, height, levels=12, cmap="Blues")
    fig.colorbar(drawn, ax=ax, label=text("satisfaction (SD)"))
    ax.plot([1, 10], [1, 10], color=theme.INK, lw=1, ls="--")
    cells = people.groupby([people["expectation"].round(), people["performance"].round()]).size()
    sizes = 4 + 60 * cells / cells.max()
    ax.scatter(*zip(*cells.index, strict=True), s=sizes, color=theme.ORANGE, alpha=0.7, lw=0)
    ax.set(xlabel=text("expectation"), ylabel=text("performance"), xlim=(1, 10), ylim=(1, 10))
    alt = text(
        "Contours of fitted satisfaction. On the dashed line, where performance equals "
        "expectation, it goes from {low:+.1f} SD at 1 to {high:+.1f} SD at 10; at performance 10 "
        "and expectation 1 it is {beyond:+.1f} SD.",
        low=height[0, 0], high=height[-1, -1], beyond=height[-1, 0],
    )  # fmt: skip
    gap = people["performance"] - people["expectation"]
    terms = pd.DataFrame(_surface(people, people["performance"], people["expectation"]))
    above, below = (
        pooled([contrast(fit, terms[side].mean().to_dict()) for fit in fits])
        if side.any()
        else share_of(np.nan, 0)
        for side in (gap > 0, gap < 0)
    )
    figure(fig, alt, caption, titles.surface(above, below))


def _surface(people: pd.DataFrame, seen: ArrayLike, wanted: ArrayLike) -> dict[str, ArrayLike]:
    """Return the terms of the surface, at performances and expectations, by coefficient."""
    spread, other = weighting.spreads(people, ["performance", "expectation"])
    p, e = (seen - MIDDLE) / spread, (wanted - MIDDLE) / other
    return dict(zip((*SLOPES, *BENDS), (p, e, p**2, p * e, e**2), strict=True))


def interaction(
    fit: Fit,
    people: pd.DataFrame,
    names: tuple[str, str],
    outcome: str,
    caption: str,
) -> None:
    """Show an outcome (its name) over two drivers and their product, in standard deviations.

    The fit has both drivers (columns such as z_org_benefit) and their product; people, for the
    dots, have both drivers.
    """
    params = fit.params
    span = np.linspace(-2, 2, 41)
    x, y = np.meshgrid(span, span)
    product = params[f"{names[0]}:{names[1]}"]
    height = params[names[0]] * x + params[names[1]] * y + product * x * y
    fig, ax = plt.subplots(figsize=(5.2, 4))
    drawn = ax.contourf(x, y, height, levels=12, cmap="Blues")
    fig.colorbar(drawn, ax=ax, label=text("{name} (SD)", name=outcome))
    inside = people[(people[list(names)].abs() <= 2).all(axis=1)]
    ax.plot(inside[names[0]], inside[names[1]], "o", color=theme.ORANGE, alpha=0.3, ms=3)
    words = [in_words(name.removeprefix("z_")) for name in names]
    ax.set(xlabel=text("{name} (SD)", name=words[0]), ylabel=text("{name} (SD)", name=words[1]))
    alt = text(
        "Contours of fitted {outcome}: {both:+.1f} SD where both are two standard deviations "
        "high, {first:+.1f} and {second:+.1f} SD where one of them is, {none:+.1f} SD where both "
        "are low.",
        outcome=outcome, both=height[-1, -1], first=height[0, -1], second=height[-1, 0],
        none=height[0, 0],
    )  # fmt: skip
    corners = [
        contrast(fit, {names[0]: x, names[1]: y, f"{names[0]}:{names[1]}": x * y})
        for x, y in ((2, 2), (2, -2), (-2, 2))
    ]
    figure(fig, alt, caption, titles.interaction(outcome, *corners))


def shares(found: Importance, caption: str) -> None:
    """Show each driver's share of the explained variance, the largest on top."""
    table = found.table.sort_values("share")
    fig, ax = plt.subplots(figsize=(7.2, 0.8 + 0.32 * len(table)))
    names = [in_words(name) for name in table.index]
    ax.barh(names, table["share"], color=theme.BAND)
    marks.intervals(ax, names, table, "share")
    ax.set(xlabel=text("share of explained variance (LMG)"))
    listed = enumerated(
        f"{in_words(name)} {titles.share(row['share'], row['ci_low'], row['ci_high'])}"
        for name, row in table.iterrows()
    )
    alt = text("Shares of an R² of {r2:.2f}, smallest first: {listed}.", r2=found.r2, listed=listed)
    figure(fig, alt, caption, titles.largest_share(names[-1], table.iloc[-1]))


def performance_map(table: pd.DataFrame, slopes: Mapping[str, Estimate], caption: str) -> None:
    """Show importance against performance, as from `relative_importance.performance_map`.

    The slopes are those of the table's drivers with their intervals.
    """
    fig, ax = plt.subplots(figsize=(5.6, 3.6))
    ax.axhline(0, color=theme.GREY, lw=1)
    ax.axvline(table["performance"].mean(), color=theme.GREY, lw=1, ls=":")
    ax.plot(table["performance"], table["importance"], "o", color=theme.BLUE)
    for i, (name, row) in enumerate(table.sort_values("importance").iterrows()):
        side = {"ha": "left", "xytext": (6, 0)} if i % 2 else {"ha": "right", "xytext": (-6, 0)}
        ax.annotate(in_words(name), (row["performance"], row["importance"]), va="center", size=9,
                    textcoords="offset points", **side)  # fmt: skip
    ax.margins(x=0.3)
    ax.set(xlabel=text("performance (0 to 100)"))
    ax.set(ylabel=text("slope of satisfaction, points per point"))
    listed = enumerated(
        text("{name} {slope:+.2f} at {performance:.0f}", name=in_words(name), slope=slopes[name],
             performance=row.performance)
        for name, row in table.iterrows()
    )  # fmt: skip
    alt = text("Slope of satisfaction and mean performance: {listed}.", listed=listed)
    first = table["importance"].idxmax()
    title = text(
        "{name} matters most: {slope:+.2f} points of satisfaction per point",
        name=in_words(first), slope=slopes[first],
    )  # fmt: skip
    figure(fig, alt, caption, title)


def gain_and_loss(people: pd.DataFrame, caption: str) -> None:
    """Show mean satisfaction by performance less expectation, in whole points."""
    gap = people["gap"].round().clip(-4, 4)
    means = weighting.by_group(people, gap, "satisfaction")
    means = means[means["size"] >= 5]
    fig, ax = plt.subplots(figsize=(5.6, 3))
    ax.axvline(0, color=theme.GREY, lw=1)
    ax.errorbar(means.index, means["mean"], 1.96 * means["sem"], fmt="o-", color=theme.BLUE)
    ax.set(xlabel=text("performance less expectation (points; ends: 4 or more)"))
    ax.set(ylabel=text("satisfaction"))
    alt = text(
        "Mean satisfaction is {low} at {lowest:+.0f} points, {high} at {highest:+.0f} points.",
        low=titles.mean(means.iloc[0]), lowest=means.index[0], high=titles.mean(means.iloc[-1]),
        highest=means.index[-1],
    )  # fmt: skip
    figure(fig, alt, caption, titles.gain_and_loss(means))


def channels(table: pd.DataFrame, caption: str) -> None:
    """Show mean satisfaction by area and channel; columns area, channel, mean, sem."""
    fig, ax = plt.subplots(figsize=(5.6, 2.8))
    places = {name: i for i, name in enumerate(sorted(table["area"].unique()))}
    groups = table.groupby("channel")
    looks = marks.looks(groups.groups)
    for k, ((name, rows), look) in enumerate(zip(groups, looks, strict=False)):
        x = rows["area"].map(places) + 0.1 * (k - 1)
        ax.errorbar(x, rows["mean"], 1.96 * rows["sem"], fmt="o", color=look["color"],
                    label=in_words(name))  # fmt: skip
    ax.set(xticks=list(places.values()), xticklabels=list(places), ylabel=text("satisfaction"))
    ax.set_xlim(-0.5, len(places) - 0.5)
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    listed = enumerated(
        f"{in_words(row['area'])} {in_words(row['channel'])} {titles.mean(row)}"
        for _, row in table.iterrows()
    )
    title = titles.channels(table)
    figure(fig, text("Mean satisfaction: {listed}.", listed=listed), caption, title)


def stations(changes: pd.DataFrame, caption: str) -> None:
    """Show each station's change of satisfaction against its change of communication."""
    fig, ax = plt.subplots(figsize=(5.6, 3.2))
    ax.axhline(0, color=theme.GREY, lw=1)
    labels = text("began to inform"), text("the others")
    for informs, colour, label in zip((True, False), (theme.BLUE, theme.GREY), labels, strict=True):
        rows = changes[changes["informs"] == informs]
        size = 8 * np.sqrt(rows[["answers_before", "answers_after"]].min(axis=1))
        ax.scatter(rows["communication"], rows["satisfaction"], s=size, color=colour, label=label)
    ax.set(xlabel=text("change of communication (points)"))
    ax.set(ylabel=text("change of satisfaction (points)"))
    marks.legend(ax)
    means = changes.groupby("informs")["satisfaction"].agg(["mean", "sem", "size"])
    informing, others = (titles.mean_of(row) for _, row in means.reindex([True, False]).iterrows())
    alt = text(
        "Stations: {n}; satisfaction changed by {informing:+.2f} points where they began to "
        "inform, by {others:+.2f} elsewhere.",
        n=len(changes), informing=informing, others=others,
    )  # fmt: skip
    figure(fig, alt, caption, titles.stations(informing, others))


def told(people: pd.DataFrame, claimed: Mapping[str, float], caption: str) -> None:
    """Show how many are told, by thirds of satisfaction; `claimed` means by group."""
    fig, ax = plt.subplots(figsize=(7.2, 2.6))
    listed, colours = [], (theme.ORANGE, theme.GREY, theme.BLUE)
    groups = people.groupby("group", observed=True)
    means = weighting.by_group(people, "group", "told_others")
    for (name, rows), colour in zip(groups, colours, strict=False):
        counts = weighting.shares(rows["told_others"].clip(upper=25), rows).sort_index()
        ax.plot(counts.index, counts, "o-", ms=3, lw=1, color=colour, label=in_words(name))
        listed.append(text("{name} {mean}", name=name, mean=titles.mean(means.loc[name])))
        if name in claimed:
            ax.axvline(claimed[name], color=colour, lw=1, ls=":")
    ax.set(xlabel=text("people told (25: or more); dotted: claimed"))
    ax.set(ylabel=text("share of customers"))
    marks.legend(ax)
    told = enumerated(listed)
    alt = text("Shares of customers by people told. Means: {means}.", means=told)
    figure(fig, alt, caption, text("Mean number of people told: {means}", means=told))


def specifications(
    table: pd.DataFrame, unit: str, caption: str, band: tuple[float, float] | None = None,
    null: float = 0.0, main: Estimate | None = None, nothing: str = "no effect",
) -> None:  # fmt: skip
    """Show a specification curve, as from `specification_curve.curve`; the main one in orange.

    The main mark is `main`, where it is given, such as the estimate that is pooled over all
    imputations: the curve is from one of them. `nothing` says what the value `null` means.
    """
    if main is not None:
        numbers = [main.estimate, main.ci_low, main.ci_high]
        table = table.copy()
        table.loc[table["main"], ["estimate", "ci_low", "ci_high"]] = numbers
    choices = table.select_dtypes(bool).shape[1] - 1
    fig, axes = plt.subplots(
        2, 1, figsize=(7.2, 2.6 + 0.2 * choices), height_ratios=[2.2, 0.25 * choices]
    )
    marks.specification_curve(axes, table, null, band, unit)
    found, said = table["estimate"], _agreement_in_words(table, null, nothing)
    form = f",.{2 if found.abs().max() < 10 else 0}f"
    ends = {"low": found.min(), "high": found.max(), "median": found.median()}
    alt = text(
        "Specifications: {n}; estimates from {low} to {high}, median {median}.",
        n=len(table), **{name: text(f"{{each:{form}}}", each=each) for name, each in ends.items()},
    )  # fmt: skip
    main = table[table["main"]].iloc[0]
    figure(
        fig,
        f"{alt} {said}",
        f"{named(caption)} {said}",
        titles.agreement(main, agreement(table, null), len(table)),
    )


def _agreement_in_words(table: pd.DataFrame, null: float, nothing: str) -> str:
    """Say what `agreement` counts: intervals clear of none, or those that hold it."""
    main = table[table["main"]].iloc[0]
    facts = {"share": agreement(table, null), "n": len(table), "none": null, "nothing": nothing}
    if main["ci_low"] > null:
        return text(
            "{share:.0%} of {n} intervals lie above {none:g}, {nothing}, as the main one does.",
            **facts,
        )
    if main["ci_high"] < null:
        return text(
            "{share:.0%} of {n} intervals lie below {none:g}, {nothing}, as the main one does.",
            **facts,
        )
    return text(
        "{share:.0%} of {n} intervals hold {none:g}, {nothing}, as the main one does.", **facts
    )
