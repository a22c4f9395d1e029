"""Names of columns as a header has them, and values as texts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import ibis
from ibis.expr.types import StringValue, Table

from analysis.data.errors import DataError, nearest

BLANKS = " \t\r\n\v\f\u00a0\u3000\ufeff"
"""What is trimmed at both ends of names and values: blanks, also no-break and full-width ones."""


ROW = "row_in_file"
"""Column with a row's number in its file; files after the first begin at multiples of `NEXT`."""
REPEAT = "repeat_of_row"
"""Column with the number of the repetition of a row that stands for several; the first is 0."""
ADDED = (ROW, REPEAT)
MOST = 5_000
"""Columns of a file; the time that they take grows with their square."""
LONGEST = 2_000
"""Characters of a column's name; some are whole questions of a survey."""
_VALUE = re.compile(r"[+-]?[\d.,:/ T-]*\d[\d.,:/ T-]*|[A-Za-z]{1,3}[-_]?\d{4,}|.*@.*")
_KEYS = (
    "skip = ... says how many rows stand above the header, and header = [...] names the columns of "
    "a file without one."
)
_HEADER = f" Its first row looks like data: {_KEYS}"
_UNSURE = f" Its first row is not shown, since it may be data: {_KEYS}"


def look_like_data(header: Iterable[str]) -> bool:
    """Tell whether names look like values, which no message may show: some number, code, day.

    A file without a header has its first row there.
    """
    return any(_VALUE.fullmatch(part) for name in header for part in re.split(r"[;\t|]", name))


def hint(name: str, rows: Table) -> str:
    """Return the nearest name in a table's header, or all of them, unless they may be values."""
    own = of_file(rows)
    if is_header(rows):
        return nearest(name, own)
    return _HEADER if look_like_data(own) else _UNSURE


def of_file(rows: Table) -> list[str]:
    """Return the names of the columns that a file has itself."""
    return [name for name in rows.columns if name not in ADDED]


def is_header(rows: Table) -> bool:
    """Tell whether a table's names are names for sure, which a message may show.

    Where all is text, and no column holds numbers or dates below a name that is none, the first
    row of a file without a header may stand there: the names of its first customer.
    """
    own = of_file(rows)
    if look_like_data(own):
        return False
    if any(not rows[name].type().is_string() for name in own):
        return True
    first = rows.select(*own).limit(20).to_pyarrow().to_pylist()
    return any(_VALUE.fullmatch(str(value)) for row in first for value in row.values() if value)


def of_columns(header: Sequence[object]) -> list[str]:
    """Return the names in a header, trimmed; a column without one gets its number.

    Raises
    ------
    DataError
        If a name stands there twice, is longer than `LONGEST`, or there are more than `MOST`.
    """
    if len(header) > MOST:
        raise DataError(f"its first row has {len(header):,} columns; expected at most {MOST:,}.")
    texts = ["" if each is None else str(each).strip(BLANKS) for each in header]
    names = [text or f"column {number}" for number, text in enumerate(texts, start=1)]
    if (longest := max(map(len, names), default=0)) > LONGEST:
        raise DataError(f"its first row holds a name of {longest:,} characters; expected a header.")
    lower = [name.lower() for name in names]  # the engine does not tell Amount from amount
    twice = [name for name in names if lower.count(name.lower()) > 1]
    if twice and look_like_data(texts):
        raise DataError(f"the header names a column twice.{_HEADER}")
    if twice:
        raise DataError(f"the column {twice[-1]!r} stands twice in the header.")
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
