"""The format of dates that texts are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from workbook.init.values.synonyms import is_word

_DATES = (
    (r"9{4}-9{1,2}-9{1,2}", "%Y-%m-%d"),
    (r"9{4}/9{1,2}/9{1,2}", "%Y/%m/%d"),
    (r"9{4}\.9{1,2}\.9{1,2}", "%Y.%m.%d"),
    (r"9{4}年9{1,2}月9{1,2}日", "%Y年%m月%d日"),
    (r"9{8}", "%Y%m%d"),
    (r"9{1,2}-[A-Za-z]{3}-9{4}", "%d-%b-%Y"),
    (r"9{1,2}-[A-Za-z]{3}-9{2}", "%d-%b-%y"),
    (r"9{1,2} [A-Za-z]{3} 9{4}", "%d %b %Y"),
    (r"9{1,2} [A-Za-z]{4,9} 9{4}", "%d %B %Y"),
    (r"[A-Za-z]{3} 9{1,2}, 9{4}", "%b %d, %Y"),
    (r"[A-Za-z]{4,9} 9{1,2}, 9{4}", "%B %d, %Y"),
    *(
        (rf"9{{1,2}}\{mark}9{{1,2}}\{mark}9{{{n}}}", mark.join(("%1", "%2", year)))
        for mark in "./-"
        for n, year in ((4, "%Y"), (2, "%y"))
    ),
)
"""Shapes of dates, each digit a 9; the first two numbers of the last are day and month."""
_TIMES = (
    (r"9{1,2}:99", "%H:%M"),
    (r"9{1,2}:99:99", "%H:%M:%S"),
    (r"9{1,2}:99:99\.9+", "%H:%M:%S.%f"),
    (r"9{1,2}:99 [AaPp][Mm]", "%I:%M %p"),
    (r"9{1,2}:99[AaPp][Mm]", "%I:%M%p"),
    (r"9{1,2}:99:99 [AaPp][Mm]", "%I:%M:%S %p"),
    (r"9{1,2}:99:99[AaPp][Mm]", "%I:%M:%S%p"),
    *(
        (rf"[上下]午{gap}9{{1,2}}:99{seconds}", f"%p{gap}%I:%M{code}")
        for gap in ("", " ")
        for seconds, code in (("", ""), (":99", ":%S"))
    ),
    (r"9{6}", "%H%M%S"),
    (r"9{4}", "%H%M"),
)
_ZONE = re.compile(r"( ?)(Z|UTC|GMT|[+-]99:?99)$")
_PARTED = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2")
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
    parted = [found for found in map(_PARTED.match, texts) if found]
    days = sum(int(found[1]) > 12 for found in parted)
    months = sum(int(found[3]) > 12 for found in parted)
    is_month_first = months > days if months or days else bool(month_first)
    own = {text: _format(text, is_month_first) for text in texts}
    counts = Counter(filter(None, own.values()))
    if not counts:
        return _numbers(texts)
    formats = [each for each, n in counts.most_common() if n >= 0.002 * len(texts)]
    return Dates(
        formats=() if all(_ISO.fullmatch(each) for each in formats) else tuple(formats),
        share=sum(counts.values()) / len(texts),
        is_ambiguous=bool(parted) and not (days or months),
        has_zone=any(re.search("%z|Z$|UTC$|GMT$", each) for each in formats),
        has_time=any(re.search("%[HI]", each) for each in formats),
        example=next(text for text in texts if own[text] == formats[0]),
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
        if numbers and all(low <= each <= high for each in numbers):
            has_time = any(each % 1 for each in numbers) or name != "excel"
            return Dates((name,), 1.0, False, name != "excel", has_time, texts[0])
    return Dates()


def _format(text: str, month_first: bool) -> str | None:
    """Return the format of one date; None if it is none."""
    form = _format_of_shape(re.sub(r"\d", "9", text))
    if form is None or (form.startswith("%Y%m%d") and text[:2] not in ("19", "20")):
        return None
    if form.startswith("%1"):
        second = _PARTED.match(text)[1 if month_first else 3]
        day, month = ("%2", "%1") if month_first else ("%1", "%2")
        return form.replace(day, "%d").replace(month, "%m") if int(second) <= 12 else None
    return form


@cache
def _format_of_shape(shape: str) -> str | None:
    """Return the format of dates whose digits are all written as 9."""
    found = next(
        ((re.match(form, shape), date) for form, date in _DATES if re.match(form, shape)), None
    )
    if found is None:
        return None
    date, rest = found[1], shape[found[0].end() :]
    zone = _ZONE.search(rest)
    clock = rest[: zone.start()] if zone else rest
    gap = re.match(r"T| {0,2}", clock)[0]
    time = next((name for form, name in _TIMES if re.fullmatch(form, clock[len(gap) :])), None)
    if rest and (time is None or (not gap and date not in ("%Y%m%d", "%Y年%m月%d日"))):
        return None
    whole = f"{date}{gap}{time}" if rest else date
    if not zone:
        return whole
    if _ISO.fullmatch(whole):
        return f"{whole}%z"
    return f"{whole}{zone[1]}{zone[2] if zone[2].isalpha() else '%z'}"
