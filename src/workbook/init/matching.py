"""Which table of the contract a file is, and which column which."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from analysis.data.contract import ITEMS, TABLES
from workbook.init.looking import Found, Profile
from workbook.init.values import dates
from workbook.init.values.synonyms import is_word, known, likeness, meaning, names_of, plain

LEAST = 0.4
"""Score from which on a column of a file is taken for one of the contract."""
UNLIKELY = 0.45
"""Factor of a column whose values do not look like what its name says."""
HALF = 0.5
"""Share of words that must be known in a column of ratings; the others are named."""
MANY_WORDS = 12
"""Different words of a choice above which a column is none, whatever it is called."""
WEIGHTS = {
    "customers": {"region": 2.0, "segment": 1.5, "area": 1.5, "joined_on": 2.0, "card_since": 2.0},
    "survey": {"answered_on": 1.0} | dict.fromkeys(ITEMS, 1.0),
    "complaints": {"complaint_id": 1.5, "opened_at": 2.0, "resolved_at": 2.0, "explained_at": 2.0}
    | {"severity": 1.5, "satisfaction_after": 1.0, "kind": 0.5, "channel": 0.5},
    "transactions": {"bought_at": 2.0, "amount": 2.0, "quantity": 1.5, "product": 1.0, "cost": 0.5}
    | {"order_id": 1.0, "unit_price": 1.0, "station_id": 0.5},
    "contacts": {"contacted_on": 2.0, "kind": 1.0, "purpose": 2.0, "cost": 1.0},
    "assignments": {"trial": 2.0, "unit": 1.0, "arm": 2.0, "assigned_on": 1.0, "received_on": 1.0},
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
    "assignments": (("trial",), ("unit",), ("arm",), ("assigned_on",)),
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

    def profile(self, name: str) -> Profile | None:
        """Return what a column of the contract holds, if the file has it."""
        return self.found.columns.get(self.columns.get(name, ""))

    @property
    def moments(self) -> dict[str, Profile]:
        """The columns of moments, by the contract's name."""
        known = TABLES[self.table].columns
        own = [name for name in self.columns if name in known and known[name].kind == "moment"]
        return {name: self.profile(name) for name in own}


def match(found: Found, table: str) -> Match:
    """Return the best reading of a file as a table; a score of minus infinity if it can't be."""
    names = names_of(table)
    profiles = list(found.columns.values())
    score = np.array(
        [[_score(each, table, name, names[name]) for name in names] for each in profiles]
    )
    rows, columns = linear_sum_assignment(score**2, maximize=True)
    pairs = {
        list(names)[j]: (profiles[i].name, float(score[i, j]))
        for i, j in zip(rows, columns, strict=True)
        if score[i, j] >= LEAST
    }
    taken = {name for name, _ in pairs.values()}
    for day in ("bought_at", "opened_at", "contacted_on"):
        if day in names and day not in pairs:
            free = [each.name for each in profiles if each.name not in taken and each.is_moment]
            pairs |= {day: (free[0], LEAST)} if len(free) == 1 else {}  # whatever it is called
    for choice in ("area", "channel"):
        if choice in TABLES[table].columns and choice not in pairs:
            free = [p.name for p in profiles if p.name not in taken and _says(p, choice)]
            pairs |= {choice: (free[0], 0.0)} if len(free) == 1 else {}
    own = {name: pairs[name][0] for name in names if name in pairs}
    scores = {name: pairs[name][1] for name in own}
    return Match(found, table, own, scores, _fit(found, table, scores, own))


def best(found: Found) -> list[Match]:
    """Return what a file can be, the likeliest first."""
    every = [match(found, table) for table in TABLES]
    return sorted((each for each in every if each.score >= ENOUGH), key=lambda each: -each.score)


def lacking(found: Found) -> str:
    """Say which table a file that is none is nearest to, and what it would need for it."""
    every = [match(found, table) for table in TABLES]
    named = {each.table: sum(WEIGHTS[each.table].get(n, 0) for n in each.columns) for each in every}
    named = {table: n + NAMED * _named(found, table) for table, n in named.items()}
    near = max(every, key=lambda each: named[each.table])
    if named[near.table] < ENOUGH:
        return "no table is like it"
    own = [group for group in NEEDED[near.table] if not set(group) & set(near.columns)]
    needs = " and ".join(" or ".join(group[:2]) for group in own)
    return f"like {near.table}, but no column is like {needs}" if needs else "no table is like it"


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
    near = likeness(profile.title, words)
    if near < LEAST or not profile.filled:
        return near * (near >= LEAST)
    return near * _plausibility(profile, table, name)


def _plausibility(profile: Profile, table: str, name: str) -> float:
    """Return a factor for how much a column's values look like those of the contract's column."""
    own = TABLES[table].columns.get(name)
    test = _TESTS.get(name) or (_TESTS[own.kind] if own else None)
    if name == "region" and profile.texts and all(meaning(t, "area") for t in profile.texts):
        return UNLIKELY
    if test is None or test(profile):
        return 1.0 if own else 0.99  # where both fit, a column of the contract goes first
    return 0.1 if dates.are_clocks(profile.texts) else UNLIKELY


def is_rating(profile: Profile) -> bool:
    """Tell whether a column holds ratings: few different numbers, or words of a scale."""
    if profile.kind == "moment" or profile.distinct > 120:
        return False
    texts = [each for each in profile.texts if not is_word(each, "missing")]
    worded = [each for each in texts if meaning(each, "answers") or each[:1].isdigit()]
    return profile.is_number or len(worded) >= HALF * len(texts)


def _is_choice(profile: Profile) -> bool:
    return profile.distinct <= 30 and _is_name(profile)


def _says(profile: Profile, choices: str) -> bool:
    """Tell whether a column's values are words of a choice, of at least two, and no others."""
    if profile.kind != "text" or profile.distinct > MANY_WORDS:
        return False
    said = {meaning(t, choices) for t in profile.texts if not is_word(t, "missing") and len(t) > 1}
    return len(said) > 1 and None not in said


def _is_area(profile: Profile) -> bool:
    known_as = sum(meaning(each, "area") is not None for each in profile.texts)
    return 0 < profile.distinct <= 10 and 2 * known_as >= profile.distinct


def _is_name(profile: Profile) -> bool:
    return not (profile.is_moment and profile.kind != "number")


def _is_severity(profile: Profile) -> bool:
    worded = sum(meaning(each, "severity") is not None for each in profile.texts)
    return profile.distinct <= 12 and (profile.is_number or worded >= HALF * profile.distinct)


def _is_unique(profile: Profile) -> bool:
    return profile.kind != "moment" and profile.distinct > 0.98 * profile.filled


RATINGS = {*ITEMS, "satisfaction_after", "recommend"}
CHOICES = {"channel", "had_works", "segment", "purpose"}
_TESTS: dict[str, Callable[[Profile], bool]] = {
    "moment": lambda profile: profile.is_moment,
    "number": lambda profile: profile.is_number,
    "text": _is_name,
    "area": _is_area,
    "complaint_id": _is_unique,
    "severity": _is_severity,
    "time": lambda profile: dates.are_clocks(profile.texts),
    **dict.fromkeys(
        ("unit_price", "unit_cost", "discount", "tax"), lambda profile: profile.is_number
    ),
    **dict.fromkeys(("status", "currency", *CHOICES), _is_choice),
    **dict.fromkeys(RATINGS, is_rating),
}
"""What values must look like, by the name of their column or, where it has none, its kind."""
