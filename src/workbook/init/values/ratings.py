"""The scale of ratings: its lowest and highest answer, its words, and codes for no answer."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from workbook.init.looking import Profile
from workbook.init.values import numbers
from workbook.init.values.synonyms import is_word, known, meaning, plain

TOPS = (5, 7, 10, 100)
"""Highest answers of the usual scales."""
MANY = 100
"""Answers from which on a scale that none of them goes past may end at 6."""
STRAY = 0.05
"""Answers past the end of a scale, as errors of typing: at most so many of those at the end."""
LOW, HIGH = 1, 10
"""Ends of a rating in the contract."""
_NUMBERED = re.compile(
    r"^(\d{1,3})\s*(?:(?:[-–—=:：.)）、]|分|\s)\s*\D|(?:分|星|points?|stars?|Punkte?|Sterne?)$|/\s?1?\d0?$)"
)


@dataclass(frozen=True)
class Scale:
    """How ratings were answered.

    Attributes
    ----------
    low, high : float
        Lowest and highest answer that was seen on the scale; 0 where none was.
    top : float
        The highest answer that there could be.
    words : dict of str to list of str
        Words, by the number that they stand for.
    codes : tuple of str
        Numbers that stand for no answer.
    strange : dict of str to int
        Words of which it is not known what they mean, and how often they stand there.
    stray : int
        Answers past the end of the scale.
    """

    low: float = 0.0
    high: float = 0.0
    top: float = 0.0
    words: dict[str, list[str]] = field(default_factory=dict)
    codes: tuple[str, ...] = ()
    strange: dict[str, int] = field(default_factory=dict)
    stray: int = 0

    @property
    def range(self) -> list[float] | None:
        """The key `scale_of`; None where answers are from 1 to 10 already, or there are none."""
        bottom = 0 if self.low < LOW or self.top == 100 else LOW
        return [bottom, self.top] if self.high and (bottom, self.top) != (LOW, HIGH) else None

    @property
    def unsure(self) -> str:
        """What a reader should look at."""
        if not self.high:
            return ""
        if self.stray:
            return f"answers above {self.top:g}, {self.stray} in all, are taken for errors"
        if self.low < LOW:
            return "0 is taken for the lowest answer; if it is none: missing = ['0']"
        if self.high < self.top != HIGH and not self.words:
            return f"no answer above {self.high:g}: is {self.top:g} the highest that there is?"
        same = [each for each in self.words.values() if len(set(map(plain, each))) > 1]
        return f"taken for the same answer: {', '.join(same[0])}" if same else ""

    @classmethod
    def of(cls, profiles: Sequence[Profile], choices: str = "answers") -> Scale:
        """Return the scale that some columns share."""
        counts: dict[str, int] = defaultdict(int)
        for each in profiles:
            for text, n in each.counts.items():
                counts[text] += n * (not is_word(text, "missing"))
        texts = [each for each in counts if counts[each]]
        found = {each: value for each in texts for value in numbers.values([each])}
        words, top = _words([each for each in texts if each not in found], choices)
        codes = _codes(found)
        named = {each for own in words.values() for each in own}
        strange = {t: counts[t] for t in texts if t not in found and t not in named}
        seen = [value for each, value in found.items() if each not in codes]
        seen += [float(each) for each in words]
        if not seen:
            return cls(strange=strange)
        has_many = sum(counts.values()) >= MANY
        end = _end(found, counts, codes) if has_many and not words else max(seen)
        low, high = min(seen), max(each for each in seen if each <= end)
        tops = (*TOPS, 6) if has_many else TOPS
        top = max(top, min((each for each in tops if high <= each), default=high))
        stray = sum(
            counts[each] for each, value in found.items() if each not in codes and value > end
        )
        return cls(low, high, float(top), words, codes, strange, stray)


def _end(found: dict[str, float], counts: dict[str, int], codes: Sequence[str]) -> float:
    """Return the highest answer that is no error: a usual end that few answers go past."""
    n: dict[float, int] = defaultdict(int)
    for text in found.keys() - codes:
        n[found[text]] += counts[text]
    past = {top: sum(n[value] for value in n if value > top) for top in TOPS}
    return next((top for top in TOPS if 0 < past[top] <= STRAY * n.get(top, 0)), max(n))


def _words(texts: Sequence[str], choices: str) -> tuple[dict[str, list[str]], int]:
    """Return the words of a scale by their number, and the highest number that they may be.

    Known words are of seven levels. They become five steps, unless all three levels of one side
    stand there: "good" is the highest of "good, rather good", and the second of "very good, good".
    """
    numbered = {t: int(found[1]) for t in texts if (found := _NUMBERED.match(t))}
    levels = {t: int(m) for t in texts if t not in numbered and (m := meaning(t, choices))}
    steps, top = {each: each for each in levels.values()}, 5
    if choices == "answers":
        if 4 not in levels.values():  # nothing else stands in the middle
            levels |= {text: 4 for text in levels if "基本" in text}
        good, bad = ({*levels.values()} & side for side in ({5, 6, 7}, {1, 2, 3}))
        if max(len(good), len(bad)) == 3:
            top = 7
        else:
            steps = {1: 1, 2: 2, 3: 2, 4: 3, 5: 4, 6: 4, 7: 5}
            steps |= {6: 5} if good == {5, 6} else {}
            steps |= {2: 1} if bad == {2, 3} else {}
    words: dict[str, list[str]] = defaultdict(list)
    for text, to in (numbered | {t: steps[level] for t, level in levels.items()}).items():
        words[str(to)].append(text)
    return dict(sorted(words.items(), key=lambda each: int(each[0]))), top * bool(levels)


def _codes(found: dict[str, float]) -> tuple[str, ...]:
    """Return the numbers that are codes for no answer: far from all others, and usual for it."""
    codes = {each for each in found if f"{found[each]:g}" in known()["words"]["codes"]} - {"0"}
    others = [value for each, value in found.items() if each not in codes]
    if not others or max(others) > HIGH:
        codes = {each for each in codes if found[each] < 0 or found[each] > 100}
    return tuple(sorted(each for each in codes if found[each] != 0))
