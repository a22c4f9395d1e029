"""What a notebook cell displays: a computed sentence, a table, a figure."""

from __future__ import annotations

import base64
import gzip
import io
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import date
from functools import cache
from html import escape
from pathlib import Path

import jinja2
import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import HTML, Markdown, display
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from analysis.figures import fonts
from analysis.figures.numbers import minus, ranged, three_digits
from analysis.language import amount_format, named, text

DISPLAY_DPI = 100
WIDEST, TITLE_SIZE, LINE = 6.4, 11.5, 0.21
"""Inches of the widest picture, points of a title and inches of a line of it."""
COLOURS = 64
MOST_SVG = 20_000
"""Bytes of a packed SVG that goes into a page; a cloud of points has more."""
TEMPLATES = Path(__file__).parent / "templates"

TERM = "term"
"""Name of an index whose names are those of a formula, which no language changes."""
Format = str | Callable[[object], str]


def say(message: str, plural: str = "", /, **values: object) -> None:
    """Display a computed sentence, as from `language.text`; Markdown marks work.

    Names from the data may stand in it: HTML tags are shown, not obeyed.
    """
    display(Markdown(text(message, plural, **values).replace("<", "&lt;")))


def table(
    frame: pd.DataFrame,
    caption: str,
    formats: Mapping[str, Format] | None = None,
    key: Hashable | None = None,
    *,
    folded: bool = False,
) -> None:
    """Display a small table; this is the only place where its numbers are rounded.

    Parameters
    ----------
    frame : DataFrame
        Its index heads the rows, unless it is a plain count: then the first column does.
    caption : str
        What the table shows, with units and the number of customers.
    formats : mapping of str to str or callable, optional
        By column: a format such as ".2f", "+.1%" or "amount", or a function of the value. Other
        whole numbers get thousands separators, other numbers three significant digits. An
        `Estimate` is shown with its interval.
    key : hashable, optional
        Head of the row that matters most.
    folded : bool
        Whether a reader opens it by its caption.
    """
    display(HTML(table_html(frame, caption, formats, key, folded=folded)))


def table_html(
    frame: pd.DataFrame,
    caption: str,
    formats: Mapping[str, Format] | None = None,
    key: Hashable | None = None,
    *,
    folded: bool = False,
) -> str:
    """Return a table as HTML; see `table`."""
    caption = named(caption)
    if isinstance(frame.index, pd.RangeIndex):
        frame = frame.set_index(frame.columns[0])
    columns, heads = [column for _, column in frame.items()], []
    for each in columns:
        is_number = pd.api.types.is_numeric_dtype(each) and not pd.api.types.is_bool_dtype(each)
        is_number |= bool(len(each)) and hasattr(each.iloc[0], "ci_low")
        heads.append((in_words(each.name), "right" if is_number else "left"))
    cells = [[_printed(v, _format(c, formats or {})) for v in c] for c in columns]
    is_formula = frame.index.name == TERM
    head = str if is_formula else _head
    return _template().render(
        caption=caption,
        folded=folded,
        is_formula=is_formula,
        corner=in_words(frame.index.name or ""),
        heads=heads,
        rows=[(head(each), [column[i] for column in cells]) for i, each in enumerate(frame.index)],
        key=None if key is None else head(key),
    )


def coefficients(fits: pd.DataFrame | object | Sequence[object], caption: str) -> None:
    """Display the coefficients of a regression, folded, so that a reader opens them.

    They are a table as from `models.coefficients`, or what it takes: a fit, or one for each
    imputation. The caption says what was regressed on what, and for whom.
    """
    if not isinstance(fits, pd.DataFrame):
        from analysis.statistics.regression import models  # statsmodels takes a second to load

        fits = models.coefficients(fits)
    formats = {"p_value": lambda p: "< .001" if p < 0.001 else f"{p:.3f}"}
    table(fits, caption, formats, folded=True)


def in_words(name: object) -> str:
    """Return a column's name as the reader's words."""
    known = named(name)
    return named(known.replace("_", " ")) if known == str(name) else known


def enumerated(parts: Iterable[str]) -> str:
    """Return texts as one enumeration, in the reader's language."""
    return text(", ").join(named(each) for each in parts)


def figure(fig: Figure, alt: str, caption: str, title: str = "") -> None:
    """Display a figure, the same byte for byte in every run, and close it.

    Parameters
    ----------
    fig : Figure
        It is closed.
    alt : str
        What it shows, with its numbers, for readers who cannot see it; an empty one is refused.
    caption : str
        What is drawn: units, marks, the number of customers.
    title : str
        The message, drawn above it; below it where no font has its characters.
    """
    if not alt.strip():
        raise ValueError("A figure needs a text that says what it shows (alt).")
    caption = named(caption)
    fig.set_figwidth(min(fig.get_figwidth(), WIDEST))
    if key := _legible(fig):
        caption = " ".join([caption, *key])
    if title and fonts.drawable(title):
        _entitle(fig, title)
    elif title:
        caption = f"{title}。{caption}"
    image = base64.b64encode(png(fig)).decode()
    width, vector = round(fig.get_figwidth() * DISPLAY_DPI), packed_svg(fig)
    drawing = f' data-svg="{vector}"' if vector else ""
    plt.close(fig)
    display(
        HTML(
            f"<figure{drawing}>"
            f'<img src="data:image/png;base64,{image}" alt="{escape(alt)}" width="{width}">'
            f"<figcaption>{escape(caption)}</figcaption></figure>"
        )
    )


def _entitle(fig: Figure, title: str) -> None:
    """Write a title over a figure, which grows by its lines."""
    lines = fonts.wrapped(title, round(10 * fig.get_figwidth()))
    fig.set_figheight(fig.get_figheight() + 0.1 + LINE * (1 + lines.count("\n")))
    fig.suptitle(lines, x=0.01, ha="left", size=TITLE_SIZE, weight="bold")


def _legible(fig: Figure) -> list[str]:
    """Translate the names in a figure; return a key to the names that no font can draw.

    Those are drawn by their Latin part, or else by a number.
    """
    key: dict[str, str] = {}

    def drawn(words: str) -> str:
        words = named(words)
        if fonts.drawable(words):
            return words
        return fonts.latin_part(words) or key.setdefault(words, f"[{len(key) + 1}]")

    for axis in (axis for ax in fig.axes for axis in (ax.xaxis, ax.yaxis)):
        _name_ticks(axis, drawn)
    for each in fig.findobj(Text):
        if each.get_text().strip():
            each.set_text(drawn(each.get_text()))
    return [f"{number} {words}" for words, number in key.items()]


def _name_ticks(axis: Axis, drawn: Callable[[str], str]) -> None:
    """Write the names at the ticks of an axis of names."""
    places = axis.get_ticklocs()
    labels = axis.get_major_formatter().format_ticks(places)
    named_ones = [drawn(label) for label in labels]
    if named_ones != list(labels):
        limits = axis.get_view_interval()
        axis.set_ticks(places, labels=named_ones)
        axis.set_view_interval(*limits, ignore=True)


def png(fig: Figure) -> bytes:
    """Return a figure as PNG of twice its display size, in few colours, without metadata."""
    drawn, reduced = io.BytesIO(), io.BytesIO()
    fig.savefig(drawn, format="png", dpi=2 * DISPLAY_DPI, bbox_inches=None)
    colours = Image.open(drawn).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    colours.save(reduced, format="png", optimize=True)
    return reduced.getvalue()


def packed_svg(fig: Figure) -> str:
    """Return a figure as SVG, packed (gzip, base64) for a page to offer; empty if it is large."""
    drawn = io.BytesIO()
    with plt.rc_context({"svg.hashsalt": "workbook", "svg.fonttype": "none"}):
        fig.savefig(drawn, format="svg", bbox_inches=None, metadata={"Date": None})
    packed = gzip.compress(drawn.getvalue(), mtime=0)
    return base64.b64encode(packed).decode() if len(packed) <= MOST_SVG else ""


@cache
def _template() -> jinja2.Template:
    """Return the template of tables."""
    loader = jinja2.FileSystemLoader(TEMPLATES)
    return jinja2.Environment(loader=loader, autoescape=True).get_template("table.html.j2")


def _format(column: pd.Series, formats: Mapping[str, Format]) -> Format | None:
    """Return a column's format; amounts have as many decimals as the largest of them needs."""
    own = formats.get(column.name)
    if not isinstance(own, str):
        return own
    return amount_format(own, (getattr(v, "estimate", v) for v in column if pd.notna(v)))


def _printed(value: object, style: Format | None) -> str:
    """Return a value as it is printed."""
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return "–"
    if callable(style):
        return str(style(value))
    if hasattr(value, "ci_low"):
        return text(f"{{value:{style}}}", value=value) if style else ranged(value)
    if style is not None:
        return minus(format(value, style))
    if pd.api.types.is_bool(value):
        return "✓" if value else "✗"
    if pd.api.types.is_integer(value):
        return minus(f"{value:,}")
    if isinstance(value, date):
        return text("{day:%Y-%m-%d}", day=value)
    return three_digits(value) if pd.api.types.is_float(value) else named(value)


def _head(name: object) -> str:
    """Return the head of a row: a name in the reader's words, a day, or what else it is."""
    return _printed(name, None) if isinstance(name, date) else named(name)
