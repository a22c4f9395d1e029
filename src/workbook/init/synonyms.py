"""What columns, files and values are called: `synonyms.toml`, and how near a name is to it."""

from __future__ import annotations

import difflib
import re
import tomllib
import unicodedata
from functools import cache
from pathlib import Path

_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
_IN_BRACKETS = re.compile(r"[(\[（【].*?[)\]）】]\s*$")
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
SHORTEST, SHORTEST_CHINESE = 4, 2
"""Characters from which on a synonym may be a part of a longer name."""
ALIKE = 0.86
"""Similarity (difflib's ratio) from which on a name may be a misspelt synonym."""
PART, MISSPELT = 0.85, 0.7
"""Scores of a name that holds a synonym, at most, and of a misspelt one."""


@cache
def known() -> dict:
    """Return `synonyms.toml`."""
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


def is_chinese(text: str) -> bool:
    """Tell whether a text has a Chinese character."""
    return bool(_CHINESE.search(text))


@cache
def plain(text: str) -> str:
    """Return a name without case, blanks, marks and accents."""
    text = unicodedata.normalize("NFKC", text).casefold().translate(_UMLAUTS)
    text = unicodedata.normalize("NFKD", text)
    return "".join(each for each in text if each.isalnum())


@cache
def names_of(table: str) -> dict[str, tuple[str, ...]]:
    """Return the plain synonyms of a table's columns, and of columns that the contract has not."""
    columns = known()["columns"]
    own = columns[table] | columns["any"] | columns["other"]
    return {
        name: tuple(dict.fromkeys([plain(name), *map(plain, words)]))
        for name, words in own.items()
        if name != "station_id" or table in ("survey", "transactions")
    }


@cache
def likeness(name: str, words: tuple[str, ...]) -> float:
    """Return how near a column's name is to the nearest of some plain synonyms, from 0 to 1."""
    forms = {plain(name), plain(_IN_BRACKETS.sub("", name))} - {""}
    if forms & set(words):
        return 1.0
    return max((_partly(form, word) for form in forms for word in words), default=0.0)


def meaning(value: str, choices: str) -> str | None:
    """Return what a value means in a list of `[values]` or `[answers]`; None if unknown."""
    lists = known()[choices] if choices == "answers" else known()["values"][choices]
    own = plain(value)
    return next((to for to, words in lists.items() if own in {plain(to), *map(plain, words)}), None)


def is_word(value: str, kind: str) -> bool:
    """Tell whether a value is one of the words of a kind in `[words]`."""
    return value.casefold() in {each.casefold() for each in known()["words"][kind]}


def _partly(name: str, word: str) -> float:
    """Return how much of a name a synonym is, or how like it is to a misspelt one."""
    shortest = SHORTEST_CHINESE if is_chinese(word) else SHORTEST
    if len(word) >= shortest and word in name:
        return PART * (0.5 + 0.5 * len(word) / len(name))
    if len(word) > SHORTEST and not is_chinese(word) and name[-1:].isdigit() == word[-1:].isdigit():
        ratio = difflib.SequenceMatcher(None, name, word).ratio()
        return MISSPELT * ratio if ratio >= ALIKE else 0.0
    return 0.0
