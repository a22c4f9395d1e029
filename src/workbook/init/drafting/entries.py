"""What the TOML file says of one column, and what was seen of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from analysis.data.contract import TABLES
from workbook.init.looking import Profile
from workbook.init.matching import RATINGS, Match
from workbook.init.values import dates, numbers
from workbook.init.values.numbers import Marks
from workbook.init.values.ratings import Scale
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
        As `mapping.keys.ColumnKeys` has them.
    saw : str
        For a comment.
    unsure : str
        What a reader should look at; empty where nothing is.
    """

    name: str
    keys: dict[str, object]
    saw: str = ""
    unsure: str = ""


@dataclass(frozen=True)
class Common:
    """How the values of a part are written, which its columns need not say again."""

    marks: Marks = field(default_factory=Marks)
    missing: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    scale: Scale | None = None
    month_first: bool | None = None


def entry(match: Match, name: str, common: Common) -> Entry:
    """Return what the TOML file says of a column that was found."""
    profile = match.found.columns[match.columns[name]]
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
    score = match.scores.get(name, 0.0)
    if score < SURE and not unsure:
        unsure = f"a guess by its name, {profile.name!r}, and its values"
    return Entry(name, {"column": profile.name} | made.keys, made.saw, unsure)


def missing_words(profiles: Iterable[Profile]) -> tuple[str, ...]:
    """Return the words for no value that stand in some columns."""
    found = (text for each in profiles for text in each.texts if is_word(text, "missing"))
    return tuple(dict.fromkeys(found))


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
    clock = match.columns.get("time")
    formats = found.formats
    if clock and name in ("bought_at", "opened_at") and not found.has_time and found.share:
        own = match.found.columns[clock].texts
        longest = "%H:%M:%S" if all(each.count(":") == 2 for each in own) else "%H:%M"
        keys = {"columns": [profile.name, clock], "column": None}
        formats = tuple(f"{each} {longest}" for each in formats)
    if formats != common.formats and formats:
        keys["format"] = formats[0] if len(formats) == 1 else list(formats)
    saw = f"such as {found.example}" if found.example else ""
    unsure = ""
    if found.is_ambiguous:
        order = "day, month" if "%d" in formats[0][:2] else "month, day"
        unsure = f"{found.example!r} may be day and month or month and day: taken as {order}"
    elif found.share < 1:
        bad = next(
            (t for t in profile.texts if not dates.guess([t]).share and not is_word(t, "missing")),
            "",
        )
        unsure = f"{1 - found.share:.0%} of the values are no dates, such as {bad!r}" if bad else ""
    return Entry(name, keys, saw, unsure)


def _number(profile: Profile, name: str, common: Common) -> Entry:
    keys: dict[str, object] = {}
    unsure, saw = "", ""
    unit = _UNIT.search(profile.name)
    units = {plain(each): factor for each, factor in known()["units"].items()}
    if unit and plain(unit[1]) in units:
        keys["scale"] = units[plain(unit[1])]
        saw = f"in {unit[1]}"
    if common.codes:
        keys["missing"] = list(common.missing)
    if profile.kind == "text":
        own = numbers.marks(profile.texts)
        saw = saw or f"such as {shown(_widest(profile.texts), 2)}"
        if (own.comma or own.dot) and own.decimal != common.marks.decimal:
            keys |= {"decimal": own.decimal, "thousands": own.thousands}
        bad = [t for t in profile.texts if numbers.share([t]) == 0 and not is_word(t, "missing")]
        if bad:
            unsure = f"{len(bad)} values are no numbers, such as {bad[0]!r}"
    return Entry(name, keys, saw, unsure)


def _rating(profile: Profile, name: str, common: Common) -> Entry:
    """Return what is said of a rating: its words, and its scale where it is another."""
    own = Scale.of([profile], "severity" if name == "severity" else "answers")
    keys: dict[str, object] = {}
    if own.words:
        keys["values"] = {to: list(words) for to, words in own.words.items()}
    saw = f"{own.low:g} to {own.high:g}" if own.high else ""
    known_as = {each for words in (own.words or {}).values() for each in words}
    strange = [
        each
        for each in profile.texts
        if each not in known_as and not numbers.values([each]) and not is_word(each, "missing")
    ]
    not_known = f"not known: {shown(strange, MOST)}" if strange else ""
    if name in ("severity", "recommend"):
        top = 5 if name == "severity" else 10
        too_high = f"answers up to {own.high:g}, expected up to {top}" if own.high > top else ""
        unsure = "; ".join(filter(None, (not_known, too_high)))
        if own.codes:
            keys["missing"] = [*common.missing, *own.codes]
        return Entry(name, keys, saw, unsure)
    shared = common.scale
    if shared is None:
        if own.range:
            keys["scale_of"] = list(own.range)
        if own.codes:
            keys["missing"] = [*common.missing, *own.codes]
        return Entry(name, keys, saw, "; ".join(filter(None, (not_known, own.unsure))))
    is_lower = own.high <= 5 < shared.top and profile.filled >= 100
    if (is_lower or (own.words and not shared.words)) and own.range and own.range != shared.range:
        keys["scale_of"] = list(own.range)
        low = f"no answer above {own.high:g}, others go up to {shared.top:g}"
        return Entry(name, keys, saw, "; ".join(filter(None, (not_known, low))))
    return Entry(name, keys, saw, not_known)


def _text(profile: Profile, name: str, table: str, common: Common) -> Entry:
    saw = f"{profile.distinct:,} different: {shown(profile.texts)}" if profile.distinct < 30 else ""
    choices = known()["values"].get(name) if (table, name) != ("complaints", "channel") else None
    if (
        (table, name) == ("complaints", "kind")
        or choices is None
        or (profile.distinct > 200 and name != "product")
    ):
        return Entry(name, {}, saw)
    found: dict[str, list[str]] = {}
    strange = []
    for text in profile.texts:
        to = meaning(text, name)
        if to is not None:
            found.setdefault(to, []).append(text)
        elif not is_word(text, "missing"):
            strange.append(text)
    lost = {each for words in found.values() for each in words} & set(common.missing)
    keys: dict[str, object] = {}
    found = {to: sorted(found[to]) for to in choices if to in found}
    if any(words != [to] for to, words in found.items()):
        keys["values"] = found
    if lost:
        keys["missing"] = [each for each in common.missing if each not in lost]
    must = name in ("area", "had_works") or (table, name) == ("survey", "channel")
    unsure = "not known" if must else "not known, and left as they are"
    unsure = f"{unsure}: {shown(strange, MOST)}" if strange else ""
    return Entry(name, keys, saw, unsure)


def _widest(texts: tuple[str, ...]) -> list[str]:
    """Return the longest of some texts first."""
    return sorted(texts[:500], key=lambda each: (-len(each), each))[:2]
