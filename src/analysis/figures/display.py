"""What a notebook cell displays: a computed sentence, a table, a figure."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Hashable, Mapping
from html import escape

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import HTML, Markdown, display
from matplotlib.figure import Figure
from PIL import Image

DISPLAY_DPI = 100
COLOURS = 64

Format = str | Callable[[object], str]


def say(text: str) -> None:
    """Display a computed sentence; Markdown marks work, HTML tags do not.

    Parameters
    ----------
    text : str
        Markdown. Names from the data may stand in it: tags are shown, not obeyed.
    """
    display(Markdown(text.replace("<", "&lt;")))


def table(
    frame: pd.DataFrame,
    caption: str,
    formats: Mapping[str, Format] | None = None,
    key: Hashable | None = None,
) -> None:
    """Display a small table; this is the only place where its numbers are rounded.

    Parameters
    ----------
    frame : DataFrame
        Its index heads the rows, unless it is a plain count: then the first column does.
    caption : str
        What the table shows, with units and the number of customers.
    formats : mapping of str to str or callable, optional
        By column: a format such as ".2f" or "+.1%", or a function of the value. Other
        whole numbers get thousands separators, other numbers three significant digits.
    key : hashable, optional
        Head of the row that matters most.
    """
    if isinstance(frame.index, pd.RangeIndex):
        frame = frame.set_index(frame.columns[0])
    columns = [_column(frame.iloc[:, i], formats or {}) for i in range(frame.shape[1])]
    rows = [
        _row(name, [column[i] for column in columns], name == key)
        for i, name in enumerate(frame.index)
    ]
    title = escape(caption)
    display(
        HTML(
            f'<div class="table" tabindex="0" role="region" aria-label="{title}" '
            f'style="overflow-x:auto"><table style="font-variant-numeric:tabular-nums">'
            f"<caption>{title}</caption>{_head(frame)}<tbody>{''.join(rows)}</tbody></table></div>"
        )
    )


def figure(fig: Figure, alt: str, caption: str) -> None:
    """Display a figure as an image that is the same, byte for byte, in every run.

    Parameters
    ----------
    fig : Figure
        Closed afterwards.
    alt : str
        What the picture shows, with its numbers, for readers who cannot see it.
    caption : str
        What is to be learnt from it.

    Raises
    ------
    ValueError
        If `alt` is empty.
    """
    if not alt.strip():
        raise ValueError("A figure needs a text that says what it shows (alt).")
    image = base64.b64encode(png(fig)).decode()
    width = round(fig.get_figwidth() * DISPLAY_DPI)
    plt.close(fig)
    display(
        HTML(
            f'<figure><img src="data:image/png;base64,{image}" alt="{escape(alt)}" width="{width}">'
            f"<figcaption>{escape(caption)}</figcaption></figure>"
        )
    )


def png(fig: Figure) -> bytes:
    """Return a figure as PNG of twice its display size, in few colours, without metadata."""
    drawn, reduced = io.BytesIO(), io.BytesIO()
    fig.savefig(drawn, format="png", dpi=2 * DISPLAY_DPI, bbox_inches=None)
    colours = Image.open(drawn).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    colours.save(reduced, format="png", optimize=True)
    return reduced.getvalue()


def _head(frame: pd.DataFrame) -> str:
    """Return the row of column heads."""
    first = _words(frame.index.name or "")
    corner = f'<th scope="col">{first}</th>' if first else "<td></td>"
    numeric = [_is_numeric(frame.iloc[:, i]) for i in range(frame.shape[1])]
    heads = (
        f'<th scope="col"{_align(right)}>{_words(name)}</th>'
        for name, right in zip(frame.columns, numeric, strict=True)
    )
    return f"<thead><tr>{corner}{''.join(heads)}</tr></thead>"


def _words(name: object) -> str:
    """Return a column's name as words."""
    return escape(str(name).replace("_", " "))


def _row(name: object, cells: list[str], is_key: bool) -> str:
    """Return a row; the key row is bold too, where there is no style sheet."""
    head = escape(str(name))
    head = f"<strong>{head}</strong>" if is_key else head
    mark = ' class="key"' if is_key else ""
    return f'<tr{mark}><th scope="row" style="text-align:left">{head}</th>{"".join(cells)}</tr>'


def _column(column: pd.Series, formats: Mapping[str, Format]) -> list[str]:
    """Return a column's cells."""
    align = _align(_is_numeric(column))
    style = formats.get(column.name)
    return [f"<td{align}>{escape(_text(value, style))}</td>" for value in column]


def _align(right: bool) -> str:
    """Return the attribute that aligns a cell: numbers to the right, words to the left."""
    return f' style="text-align:{"right" if right else "left"}"'


def _is_numeric(column: pd.Series) -> bool:
    """Tell whether a column holds numbers (yes and no are words)."""
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _text(value: object, style: Format | None) -> str:
    """Return a value as it is printed."""
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return "–"
    if callable(style):
        return str(style(value))
    if style is not None:
        return _minus(format(value, style))
    if pd.api.types.is_bool(value):
        return "✓" if value else "✗"
    if pd.api.types.is_integer(value):
        return _minus(f"{value:,}")
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    return _minus(_three_digits(value)) if pd.api.types.is_float(value) else str(value)


def _three_digits(value: float) -> str:
    """Return a number with three significant digits and thousands separators."""
    if not math.isfinite(value) or value == 0:
        return f"{value:g}".replace("inf", "∞")
    decimals = 2 - math.floor(math.log10(abs(value)))
    return f"{value:,.{min(max(decimals, 0), 6)}f}"


def _minus(text: str) -> str:
    """Return a number with a true minus sign."""
    return text.replace("-", "−")
