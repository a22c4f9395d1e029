"""Errors in a user's data, and the words that their messages share."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable

LOCKED = "another program has the database open for writing; close it there first"
"""What is wrong with the file of a database that can't be opened now."""


LIKE = 0.5
"""Likeness, from 0 to 1, from which on a name may be misspelt for another."""


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
    best = max(known, key=lambda each: _alike(name, each), default="")
    if best and _alike(name, best)[0] >= LIKE:
        return f" Did you mean {best!r}?"
    return f" There are: {', '.join(known)}." if known else " There are none."


def _alike(name: str, other: str) -> tuple[float, int]:
    """Return how alike two names are: by all letters, then by those that both begin with."""
    same = itertools.takewhile(lambda both: both[0] == both[1], zip(name, other, strict=False))
    return difflib.SequenceMatcher(None, other, name).ratio(), len(list(same))
