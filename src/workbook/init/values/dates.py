"""The format of dates that texts are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from workbook.init.values.synonyms import is_word

_DATES = (
    (r"\d{4}-\d{1,2}-\d{1,2}", "%Y-%m-%d"),
    (r"\d{4}/\d{1,2}/\d{1,2}", "%Y/%m/%d"),
    (r"\d{4}\.\d{1,2}\.\d{1,2}", "%Y.%m.%d"),
    (r"\d{4}年\d{1,2}月\d{1,2}日", "%Y年%m月%d日"),
    (r"(?:19|20)\d{6}", "%Y%m%d"),
    (r"\d{1,2}-[A-Za-z]{3}-\d{4}", "%d-%b-%Y"),
    (r"\d{1,2}-[A-Za-z]{3}-\d{2}", "%d-%b-%y"),
    (r"\d{1,2} [A-Za-z]{3} \d{4}", "%d %b %Y"),
    (r"\d{1,2} [A-Za-z]{4,9} \d{4}", "%d %B %Y"),
    (r"[A-Za-z]{3} \d{1,2}, \d{4}", "%b %d, %Y"),
    (r"[A-Za-z]{4,9} \d{1,2}, \d{4}", "%B %d, %Y"),
)
_TIMES = (
    ("", ""),
    (r"\d{1,2}:\d{2}", "%H:%M"),
    (r"\d{1,2}:\d{2}:\d{2}", "%H:%M:%S"),
    (r"\d{1,2}:\d{2}:\d{2}\.\d+", "%H:%M:%S.%f"),
    (r"\d{1,2}:\d{2} ?[AaPp][Mm]", "%I:%M %p"),
    (r"\d{1,2}:\d{2}:\d{2} ?[AaPp][Mm]", "%I:%M:%S %p"),
    (r"\d{6}", "%H%M%S"),
    (r"\d{4}", "%H%M"),
)
_ZONE = r" ?(?:Z|UTC|GMT|[+-]\d{2}:?\d{2})"
_PARTED = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})")
_CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2})?")
_ISO = re.compile(r"%Y-%m-%d([ T]%H:%M(:%S(\.%f)?)?)?(%z)?")
_YEARS = {"excel": (29_221, 73_050), "unix": (3e8, 4e9), "unix_ms": (3e11, 4e12)}
"""Numbers that may be dates: days of Excel from 1980 to 2099, seconds and milliseconds."""


@dataclass(frozen=True)
class Dates:
    """How dates are written.

    Attributes
    ----------
    formats : tuple of str
        As the keys of the TOML file take them; none for ISO dates.
    share : float
        Of the values, how many are dates so.
    is_ambiguous : bool
        Whether day and month could be the other way round.
    has_zone, has_time : bool
        Whether values have a time zone; a time of day.
    example : str
        One of the values.
    """

    formats: tuple[str, ...] = ()
    share: float = 0.0
    is_ambiguous: bool = False
    has_zone: bool = False
    has_time: bool = False
    example: str = ""


def guess(texts: Sequence[str], month_first: bool | None = None) -> Dates:
    """Guess how dates are written.

    Parameters
    ----------
    texts : sequence of str
        Different values of a column.
    month_first : bool or None
        What to take where each number could be the day and the month; by default the day is first.
    """
    texts = [each for each in texts if not is_word(each, "missing")]
    if not texts:
        return Dates()
    parted = [found for found in map(_PARTED.match, texts) if found]
    days = sum(int(found[1]) > 12 for found in parted)
    months = sum(int(found[3]) > 12 for found in parted)
    is_month_first = months > days if months or days else bool(month_first)
    counts = Counter(_format(text, is_month_first) for text in texts)
    counts.pop(None, None)
    if not counts:
        return _numbers(texts)
    formats = [each for each, n in counts.most_common() if n >= 0.002 * len(texts)]
    example = next(text for text in texts if _format(text, is_month_first) == formats[0])
    return Dates(
        formats=() if all(_ISO.fullmatch(each) for each in formats) else tuple(formats),
        share=sum(counts.values()) / len(texts),
        is_ambiguous=bool(parted) and not (days or months),
        has_zone=any("%z" in each for each in formats),
        has_time=any(re.search("%[HI]", each) for each in formats),
        example=example,
    )


def are_clocks(texts: Sequence[str]) -> bool:
    """Tell whether texts are times of a day, such as 08:30."""
    return bool(texts) and all(_CLOCK.fullmatch(each) for each in texts)


def _numbers(texts: Sequence[str]) -> Dates:
    """Return how dates are written that are numbers."""
    try:
        numbers = [float(each) for each in texts]
    except ValueError:
        return Dates()
    for name, (low, high) in _YEARS.items():
        if all(low <= each <= high for each in numbers):
            has_time = any(each % 1 for each in numbers) or name != "excel"
            return Dates((name,), 1.0, False, name != "excel", has_time, texts[0])
    return Dates()


def _format(text: str, month_first: bool) -> str | None:
    """Return the format of one date; None if it is none."""
    found = _PARTED.match(text)
    if found:
        year = "%Y" if len(found[4]) == 4 else "%y"
        first, second = ("%m", "%d") if month_first else ("%d", "%m")
        if int(found[1 if month_first else 3]) > 12:
            return None
        return _with_time(text[found.end() :], found[2].join([first, second, year]))
    for pattern, name in _DATES:
        found = re.match(pattern, text)
        if found and (whole := _with_time(text[found.end() :], name)):
            return whole
    return None


def _with_time(rest: str, date: str) -> str | None:
    """Return the format of a date and of what follows it."""
    for gap in ("", " ", "T", "  ") if rest else ("",):
        for pattern, name in _TIMES:
            if not name and gap:
                continue
            is_packed = date == "%Y%m%d" and ":" not in pattern
            if gap == "" and name and not is_packed and "日" not in date:
                continue
            if re.fullmatch(re.escape(gap) + pattern, rest):
                own = name if " ?" not in pattern or " " in rest.strip() else name.replace(" ", "")
                return f"{date}{gap}{own}"
            if name and re.fullmatch(re.escape(gap) + pattern + _ZONE, rest):
                blank = " " if re.search(r"\d (?:Z|UTC|GMT|[+-])", rest) else ""
                mark = re.search(r"(Z|UTC|GMT)$", rest)
                is_iso = bool(_ISO.fullmatch(f"{date}{gap}{name}"))
                zone = "%z" if is_iso or not mark else mark[1]
                return f"{date}{gap}{name}{'' if is_iso else blank}{zone}"
    return None
