"""Amounts of purchase lines: totals of a line, or made of the price of a unit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from analysis.data.contract import TABLES
from workbook.init import matching
from workbook.init.drafting import entries
from workbook.init.drafting.entries import Entry
from workbook.init.looking import as_text
from workbook.init.matching import Match
from workbook.init.values import numbers
from workbook.init.values.synonyms import known, likeness, names_of, plain

SAME = 0.02
"""Relative difference up to which quantity times price is the amount."""
LEAST_LINES = 20
"""Lines from which on numbers in them are compared."""
PRICED = ("unit_price", "unit_cost")
"""Columns of which amounts, and costs, are made."""
_NO_RIVALS = {*TABLES["transactions"].columns, *PRICED, "time", "status", "currency"}
PRICES = ("price", "preis", "价格", "单价", "油价")
"""What names of prices hold, be it of a unit or of a line."""

SEEN = 0.8
"""A column of what was paid has at least so many of the values that another amount has."""


def paid(match: Match) -> Match:
    """Take for the amount what was paid, before any other sum, and what was due last."""
    if match.table != "transactions" or "amount" not in match.columns:
        return match
    now, found = match.columns["amount"], match.found.columns
    taken = {*match.columns.values()}
    sure = {
        name: score
        for name, score in _likenesses(match).items()
        if name not in taken and matching.is_number(found[name]) and found[name].distinct > 2
        if found[name].filled >= SEEN * found[now].filled and _rank(name) is not None
        if _rank(name) > 0 or score >= entries.SURE
    }
    top = max(sure, key=lambda name: (_rank(name), sure[name]), default=now)
    if (_rank(top) or 0) <= (_rank(now) or 0):
        return match
    return replace(
        match,
        columns=match.columns | {"amount": top},
        scores=match.scores | {"amount": sure[top]},
    )


def rivals(match: Match) -> str:
    """Return what else may be the amount, and why the one that is taken is; empty without any."""
    now = match.columns["amount"]
    own = {each for key, each in match.columns.items() if key in _NO_RIVALS}
    found = match.found.columns
    names = [
        name
        for name in _likenesses(match)
        if name not in own and name != now and matching.is_number(found[name])
    ]
    rank = _rank(now) or 0
    why = {1: "by its name what was paid", -1: "by its name what was due, before discounts"}
    if not names and rank >= 0:
        return ""
    also = f"; there are also {entries.shown(names, 8)}" if names else ""
    return f"{now!r} is {why.get(rank, 'taken for what was paid')}{also}"


def _rank(name: str) -> int | None:
    """Return 1 for what was paid, -1 for what was due, 0 for any amount, None for another sum."""
    words = known()["amounts"]
    own = plain(name)
    for kind, rank in (("other", None), ("paid", 1), ("due", -1), ("off", None)):
        if any(plain(each) in own for each in words[kind]):
            return rank
    return 0


def _likenesses(match: Match) -> dict[str, float]:
    """Return how near the names of columns are to an amount's, those that are."""
    words = names_of(match.table)["amount"]
    near = {name: likeness(name, words) for name in match.found.columns}
    return {name: each for name, each in near.items() if each >= matching.LEAST}


def amounts(columns: list[Entry], match: Match) -> list[Entry]:
    """Make the amount of a line out of a price of a unit, where the file has only that."""
    if match.table != "transactions":
        return columns
    if "quantity" in match.columns:
        columns = _of_units(columns, match)
    if "amount" not in match.columns:
        return columns
    others = rivals(match)
    return [
        replace(each, unsure="; ".join(filter(None, (each.unsure, others))))
        if each.name == "amount" and each.keys.get("column") == match.columns["amount"]
        else each
        for each in columns
    ]


def _of_units(columns: list[Entry], match: Match) -> list[Entry]:
    """Make amounts and costs out of those of a unit, where the file has only these."""
    quantity = match.columns["quantity"]
    by = {each.name: each for each in columns}
    price = match.columns.get("unit_price")
    if "amount" not in by and price:
        saw = "the file has prices of a unit, and no amounts"
        own = {"expression": f"`{quantity}` * `{price}`"}
        by["amount"] = Entry("amount", own, saw)
    elif "amount" in by and _rank(match.columns["amount"]) == 1:
        pass
    elif "amount" in by and price and not _is_product(match, quantity, price):
        column = match.columns["amount"]
        if match.scores["amount"] < 1:
            own = {"expression": f"`{quantity}` * `{price}`"}
            unsure = f"{column!r} is not {quantity!r} times {price!r}: taken for something else"
            by["amount"] = Entry("amount", own, "", unsure)
            if "cost" not in by and plain("cost") in plain(column):
                by["cost"] = Entry("cost", {"column": column}, "", "a guess by its name")
        else:
            unsure = f"it is not {quantity!r} times {price!r}: is it the total of the line?"
            by["amount"] = replace(by["amount"], unsure=unsure)
    elif "amount" in by and not price and _is_unit_price(match, quantity):
        column = match.columns["amount"]
        unsure = f"{column!r} does not grow with {quantity!r}: taken for the price of a unit"
        by["amount"] = Entry("amount", {"expression": f"`{quantity}` * `{column}`"}, "", unsure)
    if "cost" not in by and "unit_cost" in match.columns:
        own = {"expression": f"`{quantity}` * `{match.columns['unit_cost']}`"}
        by["cost"] = Entry("cost", own, "the file has costs of a unit")
    order = [name for name in TABLES["transactions"].columns if name in by]
    return [by[name] for name in order]


def _is_product(match: Match, quantity: str, price: str) -> bool:
    """Tell whether amounts are quantity times price, in most lines."""
    lines = _lines(match, match.columns["amount"], quantity, price)
    if len(lines) < LEAST_LINES:
        return True
    amount, product = lines[:, 0], lines[:, 1] * lines[:, 2]
    return bool(np.mean(np.abs(amount - product) <= SAME * np.abs(product) + 0.01) > 0.5)


def _is_unit_price(match: Match, quantity: str) -> bool:
    """Tell whether a column that may be a price or an amount does not grow with the quantity."""
    column = match.columns["amount"]
    if not any(each in plain(column) for each in PRICES):
        return False
    lines = _lines(match, column, quantity)
    if len(lines) < LEAST_LINES:
        return False
    first, second = lines.argsort(axis=0).argsort(axis=0).T
    return bool(np.corrcoef(first, second)[0, 1] < 0.5)


def _lines(match: Match, *columns: str) -> np.ndarray:
    """Return the numbers in some columns of the first purchase lines that have them all."""
    rows = match.found.table.select(*dict.fromkeys(columns)).limit(2_000).execute()
    marks = numbers.marks(
        str(each) for name in columns for each in rows[name] if isinstance(each, str)
    )
    own = [
        [numbers.values([as_text(each)], marks.decimal, marks.thousands) for each in rows[name]]
        for name in columns
    ]
    return np.array([[v[0] for v in line] for line in zip(*own, strict=True) if all(line)])
