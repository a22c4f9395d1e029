"""One look for all pictures; each figure draws on the Axes that it is given."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from IPython import get_ipython
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter
from scipy import stats

from analysis.figures import jupyter

BLUE, ORANGE, GREY, BAND, INK = "#0b63b0", "#d1600a", "#7a8490", "#e4e7ec", "#1d2733"

CHINESE_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "PingFang SC",
    "Hiragino Sans GB",
    "Microsoft YaHei",
    "SimHei",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
    "Arial Unicode MS",
    "Noto Sans CJK JP",
)

_RC = {
    "figure.constrained_layout.use": True,
    "figure.figsize": (7.2, 3.2),
    "savefig.bbox": None,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "grid.color": "#eceff3",
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
}


def use_theme(language: str = "en", fonts: Sequence[str] = CHINESE_FONTS) -> None:
    """Set the look of every figure, and of objects in JupyterLab, that are shown afterwards.

    Parameters
    ----------
    language : {"en", "zh"}
        Warns, once, where Chinese is asked for and no font has its characters.
    fonts : sequence of str
        Names of fonts with Chinese characters, the best first.
    """
    chinese = chinese_font(fonts)
    if chinese is None and language == "zh":
        message = (
            "No font with Chinese characters was found: figures will show boxes. Install one, "
            "such as Noto Sans CJK, and delete matplotlib's font cache."
        )
        warnings.warn(message, stacklevel=2)
    family = ["DejaVu Sans"] + [chinese] * (chinese is not None)
    sns.set_theme(style="ticks", font=family, palette=[BLUE, ORANGE, GREY], rc=_RC)
    if shell := get_ipython():
        jupyter.register(shell)


def chinese_font(fonts: Sequence[str] = CHINESE_FONTS) -> str | None:
    """Return the first of several fonts that is installed, None if there is none."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return next((name for name in fonts if name in installed), None)


def forest(
    ax: Axes,
    table: pd.DataFrame,
    null: float = 0.0,
    band: tuple[float, float] | None = None,
    *,
    unit: str = "",
    band_label: str = "",
) -> Axes:
    """Draw an effect and its interval under several choices, the first row in colour.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    table : DataFrame
        One row per choice or group, named by the index; columns estimate, ci_low, ci_high.
    null : float
        The effect that means "none".
    band : tuple of float, optional
        Where an effect is too small to matter.
    unit : str
        Label of the axis.
    band_label : str
        Words for the band, such as "too small to matter".
    """
    rows = np.arange(len(table))[::-1]
    _mark_none(ax, null, band, upright=True)
    for y, row, colour in zip(rows, table.itertuples(), _main_first(len(table)), strict=True):
        size = 7 if colour == BLUE else 5
        ax.plot([row.ci_low, row.ci_high], [y, y], color=colour, lw=size / 3, zorder=2)
        ax.plot(row.estimate, y, "o", color=colour, ms=size, zorder=3)
    ax.set_yticks(rows, [str(name) for name in table.index])
    top = len(table) - 0.5
    if band is not None and band_label:
        paper = {"facecolor": BAND, "edgecolor": "none", "pad": 1}
        ax.text(sum(band) / 2, top, band_label, ha="center", va="bottom", size=9, bbox=paper)
        top += 0.5
    ax.set(xlabel=unit, ylim=(-0.6, top))
    ax.locator_params(axis="x", nbins=7)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x")
    return ax


def lorenz(
    ax: Axes,
    curve: pd.DataFrame,
    mark: float = 0.2,
    *,
    labels: tuple[str, str] = ("share of customers, best first", "share of sales"),
    note: Callable[[float, float], str] = "{:.0%} → {:.0%}".format,
) -> Axes:
    """Draw how much of the sales the best customers bring.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    curve : DataFrame
        As from `value.lorenz`: share_customers and share_sales, best customers first.
    mark : float
        Share of customers at which the curve is read off.
    labels : tuple of str
        Labels of both axes.
    note : callable
        Words for a share of customers and their share of sales, written at the mark.
    """
    sales = float(np.interp(mark, curve["share_customers"], curve["share_sales"]))
    ax.plot([0, 1], [0, 1], color=GREY, lw=1)
    ax.plot(curve["share_customers"], curve["share_sales"], color=BLUE, lw=2.2)
    ax.plot([mark, mark, 0], [0, sales, sales], color=ORANGE, lw=1, ls="--")
    ax.plot(mark, sales, "o", color=ORANGE)
    ax.annotate(note(mark, sales), (mark, sales), (10, -14), textcoords="offset points")
    ax.set(xlim=(0, 1), ylim=(0, 1.02), xlabel=labels[0], ylabel=labels[1])
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
    return ax


def binned_means(ax: Axes, x: pd.Series, y: pd.Series, bins: int = 10) -> Axes:
    """Draw the mean of `y`, with its 95 % interval, in equally large groups of `x`.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    x, y : Series
        Of the same customers; pairs with a missing value are left out. Their names
        become the labels of the axes.
    bins : int
        Number of groups; fewer where values of `x` are tied.
    """
    means = bin_means(x, y, bins)
    ax.vlines(means["x"], means["ci_low"], means["ci_high"], color=BLUE, lw=1.8)
    ax.plot(means["x"], means["y"], "o", color=BLUE, ms=6)
    ax.set(xlabel=x.name, ylabel=y.name)
    ax.grid(axis="y")
    return ax


def bin_means(x: pd.Series, y: pd.Series, bins: int = 10) -> pd.DataFrame:
    """Return the means that `binned_means` draws, for its alternative text.

    Returns
    -------
    DataFrame
        One row per group: x, y (means), ci_low, ci_high, n; sorted by x. The interval
        is missing where a group has a single customer.
    """
    pairs = pd.DataFrame({"x": x, "y": y}).dropna().astype(float)
    groups = pairs.groupby(pd.qcut(pairs["x"], bins, duplicates="drop"), observed=True)
    means = groups.agg(x=("x", "mean"), y=("y", "mean"), se=("y", "sem"), n=("y", "size"))
    half_width = stats.t.ppf(0.975, means["n"] - 1) * means.pop("se")
    means = means.assign(ci_low=means["y"] - half_width, ci_high=means["y"] + half_width)
    return means[["x", "y", "ci_low", "ci_high", "n"]].reset_index(drop=True)


def specification_curve(
    ax_top: Axes,
    ax_bottom: Axes,
    table: pd.DataFrame,
    null: float = 0.0,
    band: tuple[float, float] | None = None,
    *,
    unit: str = "",
    main: str = "main",
) -> tuple[Axes, Axes]:
    """Draw an effect under all reasonable choices, sorted; dots below tell which choices.

    Parameters
    ----------
    ax_top, ax_bottom : Axes
        For the effects and for the choices; they share the x axis.
    table : DataFrame
        One row per specification: estimate, ci_low, ci_high, and a true-or-false column
        per choice, named as the reader shall see it.
    null : float
        The effect that means "none".
    band : tuple of float, optional
        Where an effect is too small to matter.
    unit : str
        Label of the effect's axis.
    main : str
        True-or-false column that marks the main specification, drawn in orange.

    References
    ----------
    Simonsohn, U., Simmons, J. P., Nelson, L. D. (2020). Specification curve analysis.
    Nature Human Behaviour 4, 1208-1214.
    """
    table = table.sort_values("estimate", kind="stable").reset_index(drop=True)
    is_main = table[main] if main in table else pd.Series(False, index=table.index)
    _mark_none(ax_top, null, band)
    for chosen, colour in ((~is_main, BLUE), (is_main, ORANGE)):
        rows = table[chosen]
        ax_top.vlines(rows.index, rows["ci_low"], rows["ci_high"], color=colour, lw=1.2)
        ax_top.plot(rows.index, rows["estimate"], "o", color=colour, ms=4)
    ax_top.set(ylabel=unit, xticks=[])
    _choices(ax_bottom, table.select_dtypes(bool).drop(columns=main, errors="ignore"))
    ax_bottom.set_xlim(ax_top.get_xlim())
    return ax_top, ax_bottom


def _choices(ax: Axes, choices: pd.DataFrame) -> None:
    """Draw which choices each specification makes, one line of dots per choice."""
    for y, name in enumerate(reversed(choices.columns)):
        ax.scatter(choices.index, np.full(len(choices), y), s=9, color=BAND)
        made = choices.index[choices[name]]
        ax.scatter(made, np.full(len(made), y), s=12, color=INK)
    ax.set_yticks(range(choices.shape[1]), [str(name) for name in reversed(choices.columns)])
    ax.set(xticks=[], ylim=(-0.6, choices.shape[1] - 0.4))
    ax.tick_params(axis="y", length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)


def _mark_none(
    ax: Axes, null: float, band: tuple[float, float] | None, *, upright: bool = False
) -> None:
    """Draw the line at "none" and the band that is too small to matter."""
    line, span = (ax.axvline, ax.axvspan) if upright else (ax.axhline, ax.axhspan)
    line(null, color=GREY, lw=1, zorder=1)
    if band is not None:
        span(*band, color=BAND, lw=0, zorder=0)


def _main_first(n: int) -> list[str]:
    """Return a colour per row: the first stands out."""
    return ([BLUE] + [GREY] * n)[:n]
