"""The pictures of the notebook over all regions."""

from __future__ import annotations

import textwrap

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter, NullLocator

from analysis.claims.across_regions.pooling import LEAST_TO_PREDICT, taking_part
from analysis.claims.across_regions.reasons import why_open
from analysis.claims.hypotheses import Hypothesis, Part, register
from analysis.figures import marks, theme, titles
from analysis.figures.display import enumerated, figure, in_words, say
from analysis.language import Verbatim, current, text

WIDEST = 3
"""Times the usual width of an interval at which one leaves the picture."""


def forests(
    found: pd.DataFrame, others: pd.DataFrame, pools: pd.DataFrame, hypothesis: str
) -> None:
    """Show every part of a hypothesis (its id) in all regions that estimate it, under a heading.

    The tables are as from `findings.tidy`, `findings.variants` and `across_regions.pooled`.
    """
    known = register()[hypothesis]
    own = found[(found["hypothesis"] == hypothesis) & found["estimate"].notna()]
    over = pools[pools["hypothesis"] == hypothesis]
    over = over.assign(reason=why_open(over)).set_index("part")
    say(f"### {hypothesis} {known.title[current()]}")
    if own.empty:
        say("No region has an estimate.")
        return
    for part in known.parts:
        rows = own[own["part"] == part.key]
        used = rows.index.isin(taking_part(found, others, hypothesis, part.key).index)
        pooled = over.loc[part.key]
        forest(part, rows.assign(used=used), pooled, _caption(known, part, pooled))


def forest(part: Part, regions: pd.DataFrame, pooled: pd.Series, caption: str) -> None:
    """Show an effect in every region, and what it is over all of them.

    The regions are findings of that part, with `used`: whether a region takes part; it is drawn
    open if not. `pooled` is its row of `across_regions.pooled`, which may be without numbers.
    """
    fig, ax = plt.subplots(figsize=(7.2, 1.3 + 0.3 * len(regions)))
    _ground(ax, part)
    rows = regions.iloc[::-1].reset_index(drop=True)
    for y, row in rows.iterrows():
        colour, fill = (theme.BLUE, theme.BLUE) if row["used"] else (theme.GREY, "white")
        ax.plot([row["ci_low"], row["ci_high"]], [y + 1, y + 1], color=colour, lw=1.8)
        ax.plot(row["estimate"], y + 1, "o", color=colour, mfc=fill, ms=6)
    if pd.notna(pooled["estimate"]):
        _diamond(ax, pooled)
    ax.set_yticks(range(len(rows) + 1), [text("all regions"), *rows["region"]])
    low, high = _limits(part, regions, pooled)
    ax.set(xlim=(low, high), ylim=(-0.7, len(rows) + 0.6))
    label, unit = part.label[current()], part.unit[current()].removeprefix("个")
    ax.set(xlabel=text("{label} ({unit})", label=label, unit=unit), xscale=_axis_scale(part))
    _as_effects(ax.xaxis, part)
    ax.tick_params(axis="y", length=0)
    title = titles.pooled(part.label[current()], part.ranged, pooled)
    figure(fig, _alt(part, regions, pooled), caption, title)


def moderators(effects: pd.DataFrame, traits: pd.DataFrame, part: Part, caption: str) -> None:
    """Show the effect of a part in each region over what sets regions apart, without a line.

    By region, effects have estimate, ci_low and ci_high, traits a column each.
    """
    fig, axes = plt.subplots(1, traits.shape[1], figsize=(7.2, 2.5), sharey=True, squeeze=False)
    both = effects[["estimate", "ci_low", "ci_high"]].join(traits)
    for ax, name in zip(axes[0], traits.columns, strict=True):
        marks.intervals(ax, both[name], both, upright=True)
        ax.axhline(part.null, color=theme.GREY, lw=1)
        ax.set_xlabel(in_words(name))
    axes[0, 0].set_ylabel(textwrap.fill(part.label[current()], 24), size=9)
    axes[0, 0].set_yscale(_axis_scale(part))
    _as_effects(axes[0, 0].yaxis, part)
    ranks = both.corr(method="spearman")["estimate"]
    alt = text(
        "Dots by region ({n}); rank correlations with the effect: {named}.",
        n=len(both),
        named=enumerated(
            text("{name} {rank:+.2f}", name=in_words(name), rank=ranks[name]) for name in traits
        ),
    )
    first = ranks[list(traits)].abs().idxmax()
    title = text(
        "Closest to the effect by rank: {name}, {rank:+.2f}, with {n} regions too few to tell why",
        name=in_words(first), rank=ranks[first], n=len(both),
    )  # fmt: skip
    figure(fig, alt, caption, title)


def common(traits: pd.DataFrame) -> pd.DataFrame:
    """Return which of `Dataset.traits` effects are held against: chosen beforehand.

    They are the number of customers, the share of urban ones and that of the largest segment.
    """
    areas = [f"share_{area}" for area in ("urban", "suburban")]
    segments = traits.filter(like="share_").drop(columns=areas, errors="ignore")
    names = ["customers", "share_urban", *segments.mean().nlargest(1).index]
    return traits[[name for name in names if name in traits]]


def _caption(known: Hypothesis, part: Part, pooled: pd.Series) -> str:
    """Say what a forest plot shows, and what it comes to."""
    named, reason = f"{known.id} {part.label[current()]}", pooled["reason"]
    if pd.isna(pooled["estimate"]):
        return text("{named}. {reason}", named=named, reason=Verbatim(reason))
    said = text(
        "{named}: {verdict} over {n} regions.",
        named=named, verdict=text(pooled["part_verdict"]), n=pooled["n_regions"],
    )  # fmt: skip
    if reason and pooled["part_verdict"] == "inconclusive":
        why = reason[:1].lower() + reason[1:]
        said += " " + text("The claim is open: {why}", why=why)
    return said


def _ground(ax: Axes, part: Part) -> None:
    """Draw "none", what is too small to matter, and where the claim puts the effect."""
    ax.axvline(part.null, color=theme.GREY, lw=1)
    if part.negligible is not None:
        ax.axvspan(part.negligible.low, part.negligible.high, color=theme.BAND, lw=0, zorder=0)
    for edge in part.claim.ends:
        ax.axvline(edge, color=theme.ORANGE, lw=1, ls="--")


def _diamond(ax: Axes, pooled: pd.Series) -> None:
    """Draw the pooled interval as a diamond; as a thin line, if known, that of another region."""
    if pooled["n_regions"] >= LEAST_TO_PREDICT:
        ax.plot(pooled[["prediction_low", "prediction_high"]], [0, 0], color=theme.GREY, lw=1)
    corners = [pooled["ci_low"], pooled["estimate"], pooled["ci_high"], pooled["estimate"]]
    ax.fill(corners, [0, 0.28, 0, -0.28], color=theme.INK)


def _limits(part: Part, regions: pd.DataFrame, pooled: pd.Series) -> tuple[float, float]:
    """Return the ends of the axis: all estimates are in; a very wide interval leaves it."""
    onto, back = (np.log, np.exp) if part.scale == "log" else (np.array, np.array)
    fixed = (part.null, *part.claim.ends)
    points = [*regions["estimate"], *pooled[["ci_low", "ci_high"]].dropna(), *fixed]
    ends = regions[["ci_low", "ci_high"]].replace([np.inf, -np.inf], np.nan).dropna()
    places = onto(np.array([each for each in points if each > 0 or part.scale != "log"], float))
    ends = onto(ends.to_numpy(float))
    reach = WIDEST / 2 * (np.median(np.diff(ends, axis=1)) if len(ends) else 0.0)
    spread, every = np.ptp(places), np.append(places, ends)
    low = max(every.min(), places.min() - reach) - 0.03 * spread
    high = min(every.max(), places.max() + reach) + 0.03 * spread
    return float(back(low)), float(back(high))


def _as_effects(axis: Axis, part: Part) -> None:
    """Write the numbers of an axis as effects are written elsewhere."""
    axis.set_major_locator(MaxNLocator(7))
    axis.set_major_formatter(FuncFormatter(lambda value, _: part.written(value)))
    axis.set_minor_formatter(NullFormatter())
    axis.set_minor_locator(NullLocator())


def _axis_scale(part: Part) -> str:
    """Return the scale of an axis: ratios are drawn on that of their logarithms."""
    return "log" if part.scale == "log" else "linear"


def _alt(part: Part, regions: pd.DataFrame, pooled: pd.Series) -> str:
    """Say what a forest plot shows."""
    named = text("; ").join(
        text("{name} {value}", name=row["region"], value=part.ranged(row))
        for _, row in regions.iterrows()
    )
    facts = {"label": part.label[current()], "named": named}
    if pd.isna(pooled["estimate"]):
        return text("{label} with 95% intervals: {named}; nothing is pooled.", **facts)
    facts["effect"] = part.ranged(pooled)
    return text("{label} with 95% intervals: {named}; all {effect}.", **facts)
