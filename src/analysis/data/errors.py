"""Errors in a user's data, and the words that their messages share."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DataError(ValueError):
    """What is wrong with a user's data, as a message for that user."""


def counted(number: int, noun: str) -> str:
    """Return a number and what is counted: "1 line", "2 lines"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(names: Iterable[str], characters: int = 200) -> str:
    """Return names for a line or two, and how many more there are."""
    every = list(names)
    kept = list(every)
    while len(kept) > 1 and sum(len(each) + 2 for each in kept) > characters:
        kept.pop()
    return ", ".join(kept) + (f" and {len(every) - len(kept)} more" if kept != every else "")


def nearest(name: str, names: Iterable[object]) -> str:
    """Return " Did you mean ...?" for a misspelt name, or the known names where none is near."""
    known = [str(each) for each in names]
    similar = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if similar:
        return f" Did you mean {similar[0]!r}?"
    return f" There are: {', '.join(known)}." if known else " There are none."
