"""Which table of the contract a file is, and which column which."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from analysis.data.contract import ITEMS, TABLES
from workbook.init.looking import Found, Profile
from workbook.init.values import dates, numbers
from workbook.init.values.synonyms import is_word, known, likeness, meaning, names_of, plain

LEAST = 0.4
"""Score from which on a column of a file is taken for one of the contract."""
UNLIKELY = 0.45
"""Factor of a column whose values do not look like what its name says."""
MANY = 0.8
"""Share of values that must be numbers, or dates, in a column of them."""
HALF = 0.5
"""Share of words that must be known in a column of ratings; the others are named."""
WEIGHTS = {
    "customers": {"region": 2.0, "segment": 1.5, "area": 1.5, "joined_on": 2.0, "card_since": 2.0},
    "survey": {"answered_on": 1.0} | dict.fromkeys(ITEMS, 1.0),
    "complaints": {"complaint_id": 1.5, "opened_at": 2.0, "resolved_at": 2.0, "explained_at": 2.0}
    | {"severity": 1.5, "satisfaction_after": 1.0, "kind": 0.5, "channel": 0.5},
    "transactions": {"bought_at": 2.0, "amount": 2.0, "quantity": 1.5, "product": 1.0, "cost": 0.5}
    | {"order_id": 1.0, "unit_price": 1.0, "station_id": 0.5},
    "contacts": {"contacted_on": 2.0, "kind": 1.0, "purpose": 2.0, "cost": 1.0},
}
"""How much a column says about which table a file is."""
NAMED = 2.5
"""What the name of a file, or sheet, adds."""
NEEDED = {
    "customers": (("customer_id",),),
    "survey": (tuple(ITEMS),),
    "complaints": (("opened_at",),),
    "transactions": (("bought_at",), ("amount", "unit_price")),
    "contacts": (("contacted_on",),),
}
"""Of each group at least one: without it, a file is not that table."""
ENOUGH = 3.0
"""Score from which on a file is taken for a table."""


@dataclass(frozen=True)
class Match:
    """A file as a table of the contract.

    Attributes
    ----------
    found : Found
        The file, or files of one layout.
    table : str
        The contract's table.
    columns : dict of str to str
        The file's column, by the contract's name or by one of `[columns.other]`.
    scores : dict of str to float
        How sure each of them is, from 0 to 1.
    score : float
        How well the file fits the table.
    """

    found: Found
    table: str
    columns: dict[str, str]
    scores: dict[str, float]
    score: float


def match(found: Found, table: str) -> Match:
    """Return the best reading of a file as a table; a score of minus infinity if it can't be."""
    names = names_of(table)
    profiles = list(found.columns.values())
    score = np.array(
        [[_score(each, table, name, names[name]) for name in names] for each in profiles]
    )
    rows, columns = linear_sum_assignment(score**2, maximize=True)
    order = list(names)
    pairs = {
        order[j]: (profiles[i].name, float(score[i, j]))
        for i, j in zip(rows, columns, strict=True)
        if score[i, j] >= LEAST
    }
    own = {name: pairs[name][0] for name in order if name in pairs}
    scores = {name: pairs[name][1] for name in own}
    return Match(found, table, own, scores, _fit(found, table, scores, own))


def best(found: Found) -> list[Match]:
    """Return what a file can be, the likeliest first."""
    every = [match(found, table) for table in TABLES]
    return sorted((each for each in every if each.score >= ENOUGH), key=lambda each: -each.score)


def _fit(found: Found, table: str, scores: dict[str, float], columns: dict[str, str]) -> float:
    """Return how well a file fits a table."""
    if any(not set(group) & set(scores) for group in NEEDED[table]):
        return -math.inf
    weights = WEIGHTS[table]
    total = sum(weights.get(name, 0.0) * each for name, each in scores.items())
    total += NAMED * _named(found, table) + (1.0 if "customer_id" in scores else -1.0)
    if table == "customers":
        own = found.columns[columns["customer_id"]]
        total += 1.5 if own.distinct > 0.98 * own.filled else -4.0
    return total


def _named(found: Found, table: str) -> float:
    """Return how much the names of a file and its sheet say that it is a table."""
    texts = [plain(Path(found.files[0].split(".")[0]).name), plain(found.layout.sheet)]
    hits = {
        name: max((len(plain(w)) for w in words for text in texts if plain(w) in text), default=0)
        for name, words in known()["tables"].items()
    }
    longest = max(hits.values())
    if not longest or not hits[table]:
        return 0.0
    return 1.0 if hits[table] == longest else 0.5


def _score(profile: Profile, table: str, name: str, words: tuple[str, ...]) -> float:
    """Return how likely a column is one of the contract, by its name and its values."""
    near = likeness(profile.name, words)
    if near < LEAST:
        return 0.0
    if not profile.filled:
        return near
    return near * _plausibility(profile, table, name)


def _plausibility(profile: Profile, table: str, name: str) -> float:
    """Return a factor for how much a column's values look like those of the contract's column."""
    test = _OTHERS.get(name)
    if name in TABLES[table].columns:
        kind = TABLES[table].columns[name].kind
        test = _ids.get(name) or (is_rating if name in RATINGS else None) or _KINDS[kind]
        if kind == "text" and name in CHOICES:
            test = _is_area if name == "area" else _is_choice
        if name == "region" and _is_area(profile):
            return UNLIKELY
    if test is None or test(profile):
        return 1.0
    return 0.1 if dates.are_clocks(profile.texts) else UNLIKELY


def is_moment(profile: Profile) -> bool:
    """Tell whether a column holds dates."""
    return profile.kind == "moment" or dates.guess(profile.texts).share >= MANY


def is_number(profile: Profile) -> bool:
    """Tell whether a column holds numbers, or words for them."""
    if profile.kind == "number":
        return True
    return profile.kind == "text" and numbers.share(profile.texts) >= MANY


def is_rating(profile: Profile) -> bool:
    """Tell whether a column holds ratings: few different numbers, or words of a scale."""
    if profile.kind == "moment" or profile.distinct > 120:
        return False
    texts = [each for each in profile.texts if not is_word(each, "missing")]
    worded = [each for each in texts if meaning(each, "answers") or each[:1].isdigit()]
    return is_number(profile) or len(worded) >= HALF * len(texts)


def _is_choice(profile: Profile) -> bool:
    return profile.kind != "moment" and profile.distinct <= 30 and not _is_date_text(profile)


def _is_area(profile: Profile) -> bool:
    known_as = sum(meaning(each, "area") is not None for each in profile.texts)
    return 0 < profile.distinct <= 10 and 2 * known_as >= profile.distinct


def _is_name(profile: Profile) -> bool:
    return profile.kind != "moment" and not _is_date_text(profile)


def _is_date_text(profile: Profile) -> bool:
    return profile.kind == "text" and dates.guess(profile.texts[:200]).share >= MANY


def _is_severity(profile: Profile) -> bool:
    worded = sum(meaning(each, "severity") is not None for each in profile.texts)
    return profile.distinct <= 12 and (is_number(profile) or worded >= HALF * profile.distinct)


def _is_unique(profile: Profile, least: float) -> bool:
    return profile.kind != "moment" and profile.distinct > least * profile.filled


RATINGS = {*ITEMS, "satisfaction_after", "recommend"}
CHOICES = {"area", "channel", "had_works", "segment", "purpose"}
_KINDS: dict[str, Callable[[Profile], bool]] = {
    "moment": is_moment,
    "number": is_number,
    "text": _is_name,
}
_ids: dict[str, Callable[[Profile], bool]] = {
    "complaint_id": partial(_is_unique, least=0.98),
    "severity": _is_severity,
}
_OTHERS: dict[str, Callable[[Profile], bool]] = {
    "unit_price": is_number,
    "unit_cost": is_number,
    "time": lambda profile: dates.are_clocks(profile.texts),
    "status": _is_choice,
    "currency": _is_choice,
    "discount": is_number,
    "tax": is_number,
}
