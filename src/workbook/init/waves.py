"""Wide files: a survey with a column for each wave, such as "Satisfaction 2024" or "W2 loyalty"."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace

from workbook.init.looking import Found
from workbook.init.matching import RATINGS
from workbook.init.values.synonyms import likeness, names_of

_WAVE = re.compile(
    r"(?<!\d)((?:19|20)\d\d)(?!\d)\s?年?(?:度(?!\w))?|第\s?([0-9一二三四五六])\s?[轮次期波]"
    r"|(?<![^\W_])(?:wave|welle|round|w)[\s_]?(\d)(?!\d)",
    re.IGNORECASE,
)
LIKELY = 0.6
"""Likeness of a column to a rating from which on it may be one of a wave."""


def apart(found: Found) -> list[Found]:
    """Return a file in parts, one for each wave; as it is where it has no columns of waves."""
    titles, waves = {}, defaultdict(list)
    for name in found.columns:
        if hit := _WAVE.search(name):
            titles[name] = (name[: hit.start()] + name[hit.end() :]).strip(" _-.:/（）()")
            waves[next(filter(None, hit.groups()))].append(name)
    ratings = {name: words for name, words in names_of("survey").items() if name in RATINGS}
    like = [
        {title for name in own if _is_rating(title := titles[name], ratings)}
        for own in waves.values()
    ]
    if len(waves) < 2 or not set.intersection(*like):
        return [found]
    shared = {name: each for name, each in found.columns.items() if name not in titles}
    parts = []
    for wave, names in sorted(waves.items()):
        own = {name: replace(found.columns[name], title=titles[name]) for name in names}
        parts.append(replace(found, columns=shared | own, wave=wave))
    return parts


def _is_rating(title: str, ratings: dict) -> bool:
    return any(likeness(title, words) >= LIKELY for words in ratings.values())
