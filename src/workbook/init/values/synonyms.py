"""What columns, files and values are called: `synonyms.toml`, and how near a name is to it."""

from __future__ import annotations

import difflib
import re
import tomllib
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SHORTEST, SHORTEST_CHINESE = 4, 2
"""Characters from which on a synonym may be a part of a longer name."""
ALIKE = 0.86
"""Similarity (difflib's ratio) from which on a name may be a misspelt synonym."""
REORDERED, PART, SHORTENED, MISSPELT = 0.9, 0.85, 0.75, 0.7
"""Scores, at most: the same words in another order, a name that holds a synonym, ...."""
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
_IN_BRACKETS = re.compile(r"[(\[（【].*?[)\]）】]\s*$")
_NUMBERED = re.compile(r"^\s*(?:Q|F|第)?\d+\s*[题.、．:：)）]\s*")
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_AT_END = re.compile(r"\d*$")
_SIGN_OF_NUMBER = re.compile(r"\s*[#＃]\s*$")
"""Member # is Member No."""
_FILLING = {"of", "the", "in", "to", "a", "for", "on", "at", "with", "der", "die", "das", "des"}
_FILLING |= {"mit", "und", "am", "im", "vom", "je", "pro", "and"}


@dataclass(frozen=True)
class Name:
    """A name without case, blanks, marks and accents.

    Attributes
    ----------
    plain : str
        Its letters and digits, without a number at the end.
    number : str
        The number at its end.
    words : tuple of str
        Its words, those that fill in apart.
    """

    plain: str
    number: str
    words: tuple[str, ...]


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
def name_of(text: str) -> Name:
    """Return a name in parts."""
    text = _SIGN_OF_NUMBER.sub(" no", text)
    whole = plain(text)
    number = _AT_END.search(whole)[0]
    parts = re.split(r"[\W_\d]+|(?<=[a-z])(?=[A-Z])", unicodedata.normalize("NFKC", text))
    words = [plain(each) for each in parts if each]
    own = tuple(each for each in words if each and each not in _FILLING)
    return Name(whole.removesuffix(number) if number != whole else whole, number, own)


@cache
def names_of(table: str) -> dict[str, tuple[Name, ...]]:
    """Return the synonyms of a table's columns, and of columns that the contract has not."""
    columns = known()["columns"]
    own = columns[table] | columns["any"] | columns["other"]
    own["customer_id"] = [*own["customer_id"], *columns[table].get("customer_id", ())]
    for name in [each for each in own if each[:-1] in ("satisfaction_", "loyalty_")]:
        words = [each.rstrip("1 ") + f" {name[-1]}" for each in columns[table][f"{name[:-1]}1"]]
        own[name] = [*own[name], *words]
    return {
        name: tuple(dict.fromkeys(map(name_of, [name, *words])))
        for name, words in own.items()
        if name != "station_id" or table in ("survey", "transactions")
    }


@cache
def likeness(name: str, synonyms: tuple[Name, ...]) -> float:
    """Return how near a column's name is to the nearest of some synonyms, from 0 to 1."""
    name = _NUMBERED.sub("", name)
    forms = {name_of(name), name_of(_IN_BRACKETS.sub("", name))}
    forms = {each for each in forms if each.plain}
    return max((_near(form, word) for form in forms for word in synonyms), default=0.0)


def meaning(value: str, choices: str) -> str | None:
    """Return what a value means in a list of `[values]` or `[answers]`; None if unknown."""
    own = _meanings(choices).get(plain(value))
    return own or next((to for to, form in _forms(choices).items() if form.search(value)), None)


def is_total(value: str) -> bool:
    """Tell whether a value is what stands before a total: 合计, Summe, Grand total."""
    own, words = name_of(value), _words("total", plain)
    if own.plain in words or set(own.words[:1]) & words:
        return True
    return any(word in own.plain for word in words if is_chinese(word))


def is_word(value: str, kind: str) -> bool:
    """Tell whether a value is one of the words of a kind in `[words]`."""
    return value.casefold() in _words(kind)


@cache
def _meanings(choices: str) -> dict[str, str]:
    lists = known()[choices] if choices == "answers" else known()["values"][choices]
    return {plain(word): to for to, words in reversed(lists.items()) for word in [to, *words]}


@cache
def _forms(choices: str) -> dict[str, re.Pattern[str]]:
    lists = known()["forms"].get(choices, {})
    return {to: re.compile(form, re.IGNORECASE | re.VERBOSE) for to, form in lists.items()}


@cache
def _words(kind: str, change: Callable[[str], str] = str.casefold) -> set[str]:
    return {change(each) for each in known()["words"][kind]}


def _near(name: Name, word: Name) -> float:
    """Return how near a name is to a synonym."""
    if name.number == word.number:
        return _near_without_number(name, word)
    if name.number and word.number:
        return 0.0
    return _near_without_number(name, word) * (0.95 if "1" in (name.number, word.number) else 0.6)


def _near_without_number(name: Name, word: Name) -> float:
    if name.plain == word.plain:
        return 1.0
    shortest = SHORTEST_CHINESE if is_chinese(word.plain) else SHORTEST
    scores = [0.0]
    if len(word.plain) >= shortest and word.plain in name.plain:
        scores.append(PART * (0.5 + 0.5 * len(word.plain) / len(name.plain)))
    if is_chinese(word.plain) or len(word.plain) <= SHORTEST:
        return max(scores)
    long = [each for each in name.words if len(each) > 2]
    letters = sum(map(len, long))
    if len(long) > 1 and letters >= 0.85 * len(word.plain) and all(w in word.plain for w in long):
        scores.append(REORDERED)
    if _is_shortened(name.words, word.words):
        scores.append(SHORTENED)
    ratio = difflib.SequenceMatcher(None, name.plain, word.plain)
    if ratio.real_quick_ratio() >= ALIKE and ratio.ratio() >= ALIKE:
        scores.append(MISSPELT * ratio.ratio())
    return max(scores)


def _is_shortened(name: tuple[str, ...], word: tuple[str, ...]) -> bool:
    """Tell whether each word of a name begins one of a synonym: price sens, cust. group."""
    left = list(word)
    for own in name:
        hit = next((each for each in left if len(own) > 2 and each.startswith(own)), None)
        if hit is None:
            return False
        left.remove(hit)
    return bool(name) and not left
