"""Names of columns as a header has them."""

from __future__ import annotations

from collections.abc import Sequence

BLANKS = " \t\r\n\v\f\u00a0\u3000\ufeff"
"""What is trimmed at both ends of names and values: blanks, also no-break and full-width ones."""


def of_columns(header: Sequence[object]) -> list[str]:
    """Return the names in a header, trimmed; a column without one gets its number.

    Raises
    ------
    ValueError
        If a name stands there twice.
    """
    texts = ["" if each is None else str(each).strip(BLANKS) for each in header]
    names = [text or f"column {number}" for number, text in enumerate(texts, start=1)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"the column {twice[0]!r} stands twice in the header.")
    return names
