"""What charts are made of: dots with intervals, bands, named lines; each draws on given Axes."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator
from itertools import cycle, product

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, PercentFormatter
from numpy.typing import ArrayLike
from scipy import stats
from scipy.optimize import isotonic_regression

from analysis.figures.theme import BAND, BLUE, GREY, INK, ORANGE
from analysis.language import text
from analysis.statistics import weighting

COLOURS = (BLUE, ORANGE, INK, GREY,
           "#0b7a5b", "#8e44a3", "#8a5a2b", "#c2185b")  # fmt: skip
"""One per line; lines beyond these are dotted."""
OWN = {
    "lost": ORANGE, "stayed": BLUE, "urban": BLUE, "suburban": ORANGE, "card": BLUE,
    "with a card": BLUE, "no card": ORANGE, "acquire": ORANGE, "retain": BLUE,
    "online": BLUE, "on_site": ORANGE, "phone": INK,
}  # fmt: skip
"""Colours of groups that stand in several pictures."""
LOW_TO_HIGH = ["low", "high"]
LETTERS = 50
"""Of a line of an axis's label."""
MOST_NAMED = 5
"""Lines that are named at their ends; more of them need a legend."""


def intervals(
    ax: Axes, places: ArrayLike, table: pd.DataFrame, value: str = "estimate", *,
    color: str = BLUE, upright: bool = False, label: str | None = None,
) -> None:  # fmt: skip
    """Draw dots with their 95% intervals (columns `value`, ci_low, ci_high) at places."""
    lines = ax.vlines if upright else ax.hlines
    lines(places, table["ci_low"], table["ci_high"], color=color, lw=2)
    dots = (places, table[value]) if upright else (table[value], places)
    ax.plot(*dots, "o", color=color, clip_on=False, label=label)


def forest(
    ax: Axes, table: pd.DataFrame, null: float, band: tuple[float, float] | None, unit: str,
    main: int = 0,
) -> None:  # fmt: skip
    """Draw an effect and its interval in each row of a table, the main row in colour.

    Columns are estimate, ci_low and ci_high; `null` is the effect that means "none", `band` where
    one is too small to matter, `unit` the label of the axis.
    """
    rows = np.arange(len(table))[::-1]
    mark_none(ax, null, band, upright=True)
    is_main = np.arange(len(table)) == main
    intervals(ax, rows[~is_main], table[~is_main], color=GREY)
    intervals(ax, rows[is_main], table[is_main])
    ax.set_yticks(rows, [str(name) for name in table.index])
    ax.set(xlabel=textwrap.fill(unit, LETTERS), ylim=(-0.6, len(table) - 0.5))
    ax.locator_params(axis="x", nbins=7)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x")


def lorenz(ax: Axes, curve: pd.DataFrame, mark: float) -> None:
    """Draw a curve as from `concentration.lorenz`, and read it off at a share of customers."""
    sales = float(np.interp(mark, curve["share_customers"], curve["share_sales"]))
    ax.plot([0, 1], [0, 1], color=GREY, lw=1)
    ax.plot(curve["share_customers"], curve["share_sales"], color=BLUE, lw=2.2)
    ax.plot([mark, mark, 0], [0, sales, sales], color=ORANGE, lw=1, ls="--")
    ax.plot(mark, sales, "o", color=ORANGE)
    note = f"{mark:.0%} → {sales:.0%}"
    ax.annotate(note, (mark, sales), (10, -14), textcoords="offset points")
    ax.set(xlim=(0, 1), xlabel=text("share of customers, best first"))
    ax.set(ylim=(0, 1.02), ylabel=text("share of sales"))
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0))


def binned_means(
    ax: Axes, x: pd.Series, y: pd.Series, bins: int, weight: pd.Series | None = None
) -> pd.DataFrame:
    """Draw, and return, the mean of `y` with its 95% interval in equally large groups of `x`.

    There are fewer groups than `bins` where values of `x` are tied; the interval is missing where
    a group has one customer. The columns are x, y (means), ci_low, ci_high and n. Means are
    weighted, if the rows of x have weights.
    """
    pairs = pd.DataFrame({"x": x, "y": y})
    if weight is not None and weight.notna().any():
        pairs = pairs.assign(**{weighting.COLUMN: weight.to_numpy()})
    pairs = pairs.dropna().astype(float)
    bins = pd.qcut(pairs["x"], bins, duplicates="drop")
    means = weighting.by_group(pairs, bins, "y").rename(
        columns={"mean": "y", "sem": "se", "size": "n"}
    )
    means.insert(0, "x", weighting.by_group(pairs, bins, "x")["mean"])
    means = means[means["n"] > 0].drop(columns="var")
    half_width = stats.t.ppf(0.975, means["n"] - 1) * means.pop("se")
    means = means.assign(ci_low=means["y"] - half_width, ci_high=means["y"] + half_width)
    intervals(ax, means["x"], means, "y", upright=True)
    ax.grid(axis="y")
    return means.reset_index(drop=True)


def specification_curve(
    axes: tuple[Axes, Axes],
    table: pd.DataFrame,
    null: float,
    band: tuple[float, float] | None,
    unit: str,
) -> None:
    """Draw an effect under all reasonable choices, sorted; dots below tell which choices.

    A row per specification has estimate, ci_low, ci_high and a true-or-false column per choice,
    named as the reader shall see it; `main` marks the one in orange. For others see `forest`.

    References
    ----------
    Simonsohn, U., Simmons, J. P., Nelson, L. D. (2020). Specification curve analysis.
    Nature Human Behaviour 4, 1208-1214.
    """
    table = table.sort_values("estimate", kind="stable").reset_index(drop=True)
    top, bottom = axes
    mark_none(top, null, band)
    for is_main, colour in ((False, BLUE), (True, ORANGE)):
        rows = table[table["main"] == is_main]
        top.vlines(rows.index, rows["ci_low"], rows["ci_high"], color=colour, lw=1.2)
        top.plot(rows.index, rows["estimate"], "o", color=colour, ms=8 if is_main else 4)
    top.set(ylabel=unit, xticks=[])
    choices = table.select_dtypes(bool).drop(columns="main").iloc[:, ::-1]
    for y, name in enumerate(choices):
        bottom.scatter(choices.index, np.full(len(choices), y), s=9, color=BAND)
        made = choices.index[choices[name]]
        bottom.scatter(made, np.full(len(made), y), s=12, color=INK)
    bottom.set_yticks(range(choices.shape[1]), [str(name) for name in choices])
    bottom.set(xticks=[], xlim=top.get_xlim(), ylim=(-0.6, choices.shape[1] - 0.4))
    bottom.tick_params(axis="y", length=0)
    bottom.spines[:].set_visible(False)


def mark_none(
    ax: Axes, null: float, band: tuple[float, float] | None, *, upright: bool = False
) -> None:
    """Draw the line at "none" and the band that is too small to matter."""
    line, span = (ax.axvline, ax.axvspan) if upright else (ax.axhline, ax.axhspan)
    line(null, color=GREY, lw=1, zorder=1)
    if band is not None:
        span(*band, color=BAND, lw=0, zorder=0)


def rising(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose rows rise, from low to high."""
    if set(table.index) == set(LOW_TO_HIGH):
        return table.reindex(LOW_TO_HIGH)
    return table.sort_index()


def legend(ax: Axes, columns: int = 3) -> None:
    """Name the marks above the axes, where no data lie, in so many columns at the most."""
    n = len(ax.get_legend_handles_labels()[0])
    ax.legend(frameon=False, loc="lower left", bbox_to_anchor=(-0.02, 1), ncols=min(n, columns),
              borderaxespad=0.1, columnspacing=1.2, handletextpad=0.4)  # fmt: skip


def looks(names: Iterable[object] = ()) -> Iterator[dict[str, str]]:
    """Return a colour and a style for each line: those of its name in every picture (`OWN`).

    Without names, or for others, they are the next ones, again and again.
    """
    names = [str(name) for name in names]
    taken = {OWN[name] for name in names if name in OWN}
    others = cycle(
        {"color": colour, "ls": style}
        for style, colour in product("-:", COLOURS)
        if style == ":" or colour not in taken
    )
    if not names:
        return others
    return ({"color": OWN[n], "ls": "-"} if n in OWN else next(others) for n in names)


def logarithmic(ax: Axes, form: str | Callable[[float, int], str]) -> None:
    """Make the upright axis logarithmic, with plain numbers."""
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    steps = (1, 2, 5) if high > 10 * low else (1, 1.5, 2, 3, 5, 7)
    ax.yaxis.set_major_locator(LogLocator(subs=steps))
    ax.yaxis.set_major_formatter(form)
    ax.yaxis.minorticks_off()


def name_lines(ax: Axes) -> None:
    """Write the name of each labelled line at its right end, or all of them in a legend."""
    lines = [line for line in ax.lines if not line.get_label().startswith("_")]
    if len(lines) > MOST_NAMED:
        ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
        return
    ax.get_ylim()  # settles the limits, which the heights below need
    points = [line.get_xydata() for line in lines]
    ends = [each[np.isfinite(each).all(axis=1)] for each in points]
    named = [(line, end[-1]) for line, end in zip(lines, ends, strict=True) if len(end)]
    to_axes = ax.transData + ax.transAxes.inverted()
    heights = _apart(np.array([to_axes.transform(end)[1] for _, end in named]))
    for (line, end), height in zip(named, heights, strict=True):
        leader = {"arrowstyle": "-", "color": line.get_color(), "lw": 0.7, "alpha": 0.6}
        ax.annotate(line.get_label(), end, (1.03, height), textcoords="axes fraction",
                    color=line.get_color(), va="center", size=10, arrowprops=leader)  # fmt: skip


def per_cent(share: float, _: int) -> str:
    """Return the label of a tick: per cent, with decimals where they are needed."""
    return f"{100 * share:.3g}%"


def _apart(heights: np.ndarray, gap: float = 0.08) -> np.ndarray:
    """Return heights as near as can be (least squares) to those given, but a gap apart."""
    order = np.argsort(heights, kind="stable")
    steps = gap * np.arange(len(heights))
    moved = np.empty(len(heights))
    if len(heights):
        near = isotonic_regression(heights[order] - steps).x
        moved[order] = np.clip(near, 0, 1 - steps[-1]) + steps
    return moved
