"""The scale of ratings: its lowest and highest answer, its words, and codes for no answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from workbook.init.looking import Profile
from workbook.init.values import numbers
from workbook.init.values.synonyms import is_word, known, meaning

TOPS = (5, 7, 10, 100)
"""Highest answers of the usual scales."""
LOW, HIGH = 1, 10
"""Ends of a rating in the contract."""
_NUMBERED = re.compile(r"^(\d{1,2})\s*(?:[-–—=:：.)）、]|\s)\s*\D")


@dataclass(frozen=True)
class Scale:
    """How ratings were answered.

    Attributes
    ----------
    low, high : float
        Lowest and highest answer that was seen; 0 where none was.
    top : float
        The highest answer that there could be.
    words : dict of str to tuple of str
        Words, by the number that they stand for.
    codes : tuple of str
        Numbers that stand for no answer.
    """

    low: float = 0.0
    high: float = 0.0
    top: float = 0.0
    words: dict[str, tuple[str, ...]] | None = None
    codes: tuple[str, ...] = ()

    @property
    def range(self) -> tuple[float, float] | None:
        """The key `scale_of`; None where answers are from 1 to 10 already, or there are none."""
        bottom = 0 if self.low < LOW or self.top == 100 else LOW
        if not self.high or (bottom, self.top) == (LOW, HIGH):
            return None
        return (bottom, self.top)

    @property
    def unsure(self) -> str:
        """What a reader should look at."""
        if not self.high:
            return ""
        if self.low < LOW:
            return "0 is taken for the lowest answer; if it is none: missing = ['0']"
        if self.high < self.top != HIGH and not self.words:
            return f"no answer above {self.high:g}: is {self.top:g} the highest that there is?"
        return ""

    @classmethod
    def of(cls, profiles: Sequence[Profile], choices: str = "answers") -> Scale:
        """Return the scale that some columns share."""
        texts = list(dict.fromkeys(text for each in profiles for text in each.texts))
        texts = [each for each in texts if not is_word(each, "missing")]
        words = _words(texts, choices)
        found = {each: value for each in texts for value in numbers.values([each])}
        codes = _codes(found)
        seen = [value for each, value in found.items() if each not in codes]
        seen += [float(each) for each in words]
        if not seen:
            return cls()
        low, high = min(seen), max(seen)
        top = 5 if words and high <= 5 else next((each for each in TOPS if high <= each), high)
        return cls(low, high, float(top), {k: tuple(v) for k, v in words.items()} or None, codes)


def _words(texts: Sequence[str], choices: str) -> dict[str, list[str]]:
    """Return the words of a scale, by their number."""
    words: dict[str, list[str]] = {}
    for text in texts:
        numbered = _NUMBERED.match(text)
        to = str(int(numbered[1])) if numbered else meaning(text, choices)
        if to and to != text:
            words.setdefault(to, []).append(text)
    return dict(sorted(words.items(), key=lambda each: int(each[0])))


def _codes(found: dict[str, float]) -> tuple[str, ...]:
    """Return the numbers that are codes for no answer: far from all others, and usual for it."""
    codes = {each for each in found if f"{found[each]:g}" in known()["words"]["codes"]} - {"0"}
    others = [value for each, value in found.items() if each not in codes]
    if not others or max(others) > HIGH:
        codes = {each for each in codes if found[each] < 0 or found[each] > 100}
    return tuple(sorted(each for each in codes if found[each] != 0))
