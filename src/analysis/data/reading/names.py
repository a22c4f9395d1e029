"""Names of columns as a header has them, and values as texts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import ibis
from ibis.expr.types import StringValue, Table

from analysis.data.errors import nearest

BLANKS = " \t\r\n\v\f\u00a0\u3000\ufeff"
"""What is trimmed at both ends of names and values: blanks, also no-break and full-width ones."""


_VALUE = re.compile(r"[+-]?[\d.,:/ T-]*\d[\d.,:/ T-]*|.*@.*")
_HEADER = " Its first row looks like data: header = [...] names the columns of a file without one."


def look_like_data(header: Iterable[str]) -> bool:
    """Tell whether names look like values, which a message may not show: some number, day, address.

    A file without a header has its first row there.
    """
    return any(_VALUE.fullmatch(part) for name in header for part in re.split(r"[;\t|]", name))


def hint(name: str, header: Iterable[str]) -> str:
    """Return the nearest name in a header, or all of them, unless they are values."""
    known = list(header)
    return _HEADER if look_like_data(known) else nearest(name, known)


def of_columns(header: Sequence[object]) -> list[str]:
    """Return the names in a header, trimmed; a column without one gets its number.

    Raises
    ------
    ValueError
        If a name stands there twice.
    """
    texts = ["" if each is None else str(each).strip(BLANKS) for each in header]
    names = [text or f"column {number}" for number, text in enumerate(texts, start=1)]
    lower = [name.lower() for name in names]  # the engine does not tell Amount from amount
    twice = [name for name in names if lower.count(name.lower()) > 1]
    if twice and look_like_data(texts):
        raise ValueError(f"the header names a column twice.{_HEADER}")
    if twice:
        raise ValueError(f"the column {twice[-1]!r} stands twice in the header.")
    return names


@ibis.udf.scalar.builtin(name="trim")
def _trim(text: str, characters: str) -> str:
    """Take characters off both ends of a text (DuckDB's own function)."""


def written(rows: Table, column: str) -> StringValue:
    """Return a column as trimmed texts; nothing where it is empty.

    A number without decimals is 123, not 123.0, and a day without an hour has none.
    """
    raw = rows[column]
    kind, text = raw.type(), raw.cast("string")
    if kind.is_floating() or kind.is_decimal():
        number = raw.cast("float64")
        whole = (number % 1 == 0) & (number.abs() < 1e15)
        text = ibis.ifelse(whole, number.try_cast("int64").cast("string"), text)
        return ibis.ifelse(number.isnan(), ibis.null("string"), text)
    if kind.is_timestamp():
        return text.re_replace(" 00:00:00$", "")
    if kind.is_string():
        text = _trim(text, BLANKS)
    return text.nullif("")


def without_header(skip: int) -> str:
    """Return what is wrong with a file or sheet that ends before its header."""
    if skip:
        return f"it ends before its header, which skip = {skip} looks for."
    return "the file is empty; expected a header and at least one row."
