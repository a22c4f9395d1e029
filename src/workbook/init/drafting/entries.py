"""What the TOML file says of one column, and what was seen of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from analysis.data.contract import TABLES
from workbook.init.looking import Profile
from workbook.init.matching import RATINGS, Match
from workbook.init.values import dates, numbers
from workbook.init.values.numbers import Marks
from workbook.init.values.ratings import MANY, Scale
from workbook.init.values.synonyms import is_word, known, meaning, plain

SURE = 0.8
"""Score from which on a column's name is taken for sure."""
MOST = 8
"""Words without a meaning that are named."""
_UNIT = re.compile(r"[(（\[](.+?)[)）\]]\s*$")


@dataclass(frozen=True)
class Entry:
    """One column of the contract.

    Attributes
    ----------
    name : str
        In the contract.
    keys : dict
        As `mapping.keys.ColumnKeys` has them; those that are None do not count.
    saw : str
        For a comment.
    unsure : str
        What a reader should look at; empty where nothing is.
    strange : dict of str to int
        Words that break the contract until they are mapped, and how often they stand there.
    """

    name: str
    keys: dict[str, object]
    saw: str = ""
    unsure: str = ""
    strange: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Common:
    """How the values of a part are written, which its columns need not say again."""

    marks: Marks
    missing: list[str]
    formats: tuple[str, ...]
    scale: Scale | None
    month_first: bool | None

    @classmethod
    def of(cls, match: Match, prices: Iterable[str], month_first: bool | None) -> Common:
        """Return how the values of a part are written; `prices` are more columns of numbers."""
        kinds = {name: each.kind for name, each in TABLES[match.table].columns.items()}
        own = {name: match.profile(name) for name in kinds if name in match.columns}
        figures = [each for name, each in own.items() if kinds[name] == "number"]
        figures += [match.found.columns[each] for each in prices]
        texts = [each.texts for each in figures if each.kind == "text"]
        said = [
            each
            for name, each in own.items()
            if kinds[name] != "text" or name in ("area", "channel", "segment", "had_works")
            if not (name == "had_works" and "无" in each.texts)
        ]
        missing = [t for each in said for t in each.texts if is_word(t, "missing")]
        ratings = [each for name, each in own.items() if name in RATINGS and name != "recommend"]
        scale = _shared(ratings) if match.table == "survey" and ratings else None
        formats = [
            dates.guess(each.texts, month_first).formats
            for each in match.moments.values()
            if each.kind != "moment" and each.filled
        ]
        one = formats[0] if formats and len(set(formats)) == 1 else ()
        missing = [*dict.fromkeys(missing), *(scale.codes if scale else ())]
        return cls(numbers.marks(t for own in texts for t in own), missing, one, scale, month_first)


def _shared(ratings: list[Profile]) -> Scale:
    """Return the scale of most ratings of a survey: of those that are numbers, if any are."""
    scales = [Scale.of([each]) for each in ratings]
    figures = [each for each, own in zip(ratings, scales, strict=True) if not own.words]
    shared = Scale.of(figures)
    ranges = [str(each.range) for each in scales]
    most = max(ranges, key=ranges.count)
    return shared if shared.high else scales[ranges.index(most)]


def entry(match: Match, name: str, common: Common) -> Entry:
    """Return what the TOML file says of a column that was found."""
    profile = match.profile(name)
    kind = TABLES[match.table].columns[name].kind
    if name in RATINGS or name == "severity":
        made = _rating(profile, name, common)
    elif kind == "moment":
        made = _moment(match, profile, name, common)
    elif kind == "number":
        made = _number(profile, name, common)
    else:
        made = _text(profile, name, match.table, common)
    unsure = made.unsure
    if match.scores.get(name, 0.0) < SURE and not unsure and not made.strange:
        unsure = f"a guess by its name, {profile.name!r}, and its values"
        if not match.scores.get(name):
            unsure = f"a guess by the values of {profile.name!r}"
    return Entry(name, {"column": profile.name} | made.keys, made.saw, unsure, made.strange)


def shown(texts: Iterable[str], most: int = 4) -> str:
    """Return some values for a comment."""
    every = list(texts)
    text = ", ".join(each if len(each) <= 30 else f"{each[:27]}..." for each in every[:most])
    return f"{text}, ..." if len(every) > most else text


def _moment(match: Match, profile: Profile, name: str, common: Common) -> Entry:
    if profile.kind == "moment":
        return Entry(name, {}, f"dates{', with a time zone' if profile.has_zone else ''}")
    found = dates.guess(profile.texts, common.month_first)
    keys: dict[str, object] = {}
    clock, formats = match.profile("time"), found.formats
    if clock and name in ("bought_at", "opened_at") and not found.has_time and found.share:
        longest = "%H:%M:%S" if all(each.count(":") == 2 for each in clock.texts) else "%H:%M"
        keys = {"columns": [profile.name, clock.name], "column": None}
        formats = tuple(f"{each} {longest}" for each in formats)
    if formats != common.formats and formats:
        keys["format"] = formats[0] if len(formats) == 1 else list(formats)
    unsure = ""
    if found.is_ambiguous:
        order = "day, month" if "%d" in formats[0][:2] else "month, day"
        unsure = f"{found.example!r} may be day and month or month and day: taken as {order}"
    elif found.share < 1:
        texts = (each for each in profile.texts if not is_word(each, "missing"))
        own = ((each, dates.guess([each])) for each in texts)
        others = (each for each, one in own if not one.share or {*one.formats} - {*found.formats})
        bad = next(others, "")
        said = f"{1 - found.share:.0%} of the values are no such dates, as {bad!r}"
        unsure = said if bad else ""
    return Entry(name, keys, f"such as {found.example}" if found.example else "", unsure)


def _number(profile: Profile, name: str, common: Common) -> Entry:
    keys: dict[str, object] = {}
    unsure, saw = "", ""
    unit = next(iter(_UNIT.findall(profile.name)), profile.name)
    factors = {plain(each): factor for each, factor in known()["units"].items()}
    if plain(unit) in factors:
        keys["scale"], saw = factors[plain(unit)], f"in {unit}"
    if common.scale and common.scale.codes:  # 99 people told are 99
        keys["missing"] = [each for each in common.missing if each not in common.scale.codes]
    if profile.kind == "text":
        own = numbers.marks(profile.texts)
        widest = sorted(profile.texts[:500], key=lambda each: (-len(each), each))
        saw = saw or f"such as {shown(widest[:2])}"
        if own.is_sure and own.decimal != common.marks.decimal:
            keys |= {"decimal": own.decimal, "thousands": own.thousands}
        bad = [t for t in profile.texts if not numbers.share([t]) and not is_word(t, "missing")]
        unsure = f"{len(bad)} values are no numbers, such as {bad[0]!r}" if bad else ""
    return Entry(name, keys, saw, unsure)


def _rating(profile: Profile, name: str, common: Common) -> Entry:
    """Return what is said of a rating: its words, and its scale where it is another."""
    own = Scale.of([profile], "severity" if name == "severity" else "answers")
    keys: dict[str, object] = {"values": own.words} if own.words else {}
    saw = f"{own.low:g} to {own.high:g}" if own.high else ""
    top, shared, unsure = {"severity": 5, "recommend": 10}.get(name), common.scale, ""
    if (top or shared is None) and own.codes:
        keys["missing"] = [*common.missing, *own.codes]
    if top:
        unsure = f"answers up to {own.high:g}, expected up to {top}" if own.high > top else ""
    elif shared is None:
        keys |= {"scale_of": own.range} if own.range else {}
        unsure = own.unsure
    else:
        is_lower = own.high <= 5 < shared.top and profile.filled >= MANY and not own.words
        if own.range and own.range != shared.range and (is_lower or own.words):
            keys["scale_of"] = own.range
        if is_lower and "scale_of" in keys:
            unsure = f"no answer above {own.high:g}, others go up to {shared.top:g}"
        unsure = unsure or (own.unsure if own.words else "")
    return Entry(name, keys, saw, unsure, own.strange)


def _text(profile: Profile, name: str, table: str, common: Common) -> Entry:
    saw = f"{profile.distinct:,} different: {shown(profile.texts)}" if profile.distinct < 30 else ""
    choices = known()["values"].get(name)
    is_free = table == "complaints" or (profile.distinct > 200 and name != "product")
    if choices is None or is_free:
        return Entry(name, {}, saw)
    found: dict[str, list[str]] = {to: [] for to in choices}
    strange = {}
    for text, n in profile.counts.items():
        to = meaning(text, name)
        if to is not None:
            found[to].append(text)
        elif not is_word(text, "missing"):
            strange[text] = n
    found = {to: sorted(words) for to, words in found.items() if words}
    keys: dict[str, object] = {}
    if any(words != [to] for to, words in found.items()):
        keys["values"] = found
    lost = {each for words in found.values() for each in words} & set(common.missing)
    if lost:
        keys["missing"] = [each for each in common.missing if each not in lost]
    if name in ("area", "had_works", "channel"):
        return Entry(name, keys, saw, "", strange)
    unsure = f"not known, and left as they are: {shown(strange, MOST)}" if strange else ""
    return Entry(name, keys, saw, unsure)
