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
PRICES = ("price", "preis", "价格", "单价", "油价")
"""What names of prices hold, be it of a unit or of a line."""
SEEN = 0.8
"""A column of what was paid has at least so many of the values that another amount has."""
OTHER = -2
"""Rank of a sum that is no amount: a discount, a tax, points."""
_NO_RIVALS = {*TABLES["transactions"].columns, *PRICED, "time", "status", "currency"}


def paid(match: Match) -> Match:
    """Take for the amount what was paid, before any other sum, and what was due last."""
    if match.table != "transactions" or "amount" not in match.columns:
        return match
    now, found = match.columns["amount"], match.found.columns
    taken, least = {*match.columns.values()}, SEEN * found[now].filled
    sure = {
        name: (_rank(name), score)
        for name, score in _alike(match).items()
        if name not in taken and found[name].distinct > 2 and found[name].filled >= least
        if _rank(name) > 0 or score >= entries.SURE or _rank(now) == OTHER
    }
    top = max(sure, key=sure.get, default=now)
    if _rank(top) <= _rank(now):
        return match
    columns, scores = match.columns | {"amount": top}, match.scores | {"amount": sure[top][1]}
    return replace(match, columns=columns, scores=scores)


def _rivals(match: Match) -> str:
    """Return what else may be the amount, and why the one that is taken is; empty without any."""
    now = match.columns["amount"]
    own = {each for key, each in match.columns.items() if key in _NO_RIVALS}
    names = [name for name in _alike(match) if name not in own]
    rank = _rank(now)
    why = {1: "by its name what was paid", -1: "by its name what was due, before discounts"}
    if not names and rank >= 0:
        return ""
    also = f"; there are also {entries.shown(names, 8)}" if names else ""
    return f"{now!r} is {why.get(rank, 'taken for what was paid')}{also}"


def _rank(name: str) -> int:
    """Return 1 for what was paid, 0 for any amount, -1 for what was due, `OTHER` for other sums."""
    for kind, rank in (("other", OTHER), ("paid", 1), ("due", -1), ("off", OTHER)):
        if any(plain(each) in plain(name) for each in known()["amounts"][kind]):
            return rank
    return 0


def _alike(match: Match) -> dict[str, float]:
    """Return how near the names of columns of numbers are to an amount's, those that are."""
    words, columns = names_of(match.table)["amount"], match.found.columns
    near = {name: likeness(name, words) for name in columns}
    is_near = {name: n >= matching.LEAST and columns[name].is_number for name, n in near.items()}
    return {name: near[name] for name in columns if is_near[name]}


def amounts(columns: list[Entry], match: Match) -> list[Entry]:
    """Make amounts and costs out of those of a unit, where the file has only these."""
    if match.table != "transactions":
        return columns
    by = {each.name: each for each in columns}
    own, quantity = match.columns, match.columns.get("quantity")
    amount, price = own.get("amount"), own.get("unit_price")

    def product(of: str) -> dict[str, object]:
        return {"expression": f"`{quantity}` * `{of}`"}

    is_paid = amount is not None and _rank(amount) == 1
    if quantity and price and amount is None:
        by["amount"] = Entry("amount", product(price), "the file has prices of a unit, no amounts")
    elif quantity and price and not is_paid and not _is_product(match, quantity, price):
        unsure = f"it is not {quantity!r} times {price!r}: is it the total of the line?"
        by["amount"] = replace(by["amount"], unsure=unsure)
        if match.scores["amount"] < 1:
            unsure = f"{amount!r} is not {quantity!r} times {price!r}: taken for something else"
            by["amount"] = Entry("amount", product(price), "", unsure)
            if "cost" not in by and plain("cost") in plain(amount):
                by["cost"] = Entry("cost", {"column": amount}, "", "a guess by its name")
    elif quantity and amount and not is_paid and not price and _is_unit_price(match, quantity):
        unsure = f"{amount!r} does not grow with {quantity!r}: taken for the price of a unit"
        by["amount"] = Entry("amount", product(amount), "", unsure)
    if quantity and "cost" not in by and "unit_cost" in own:
        by["cost"] = Entry("cost", product(own["unit_cost"]), "the file has costs of a unit")
    if amount and by["amount"].keys.get("column") == amount:
        said = "; ".join(filter(None, (by["amount"].unsure, _rivals(match))))
        by["amount"] = replace(by["amount"], unsure=said)
    return [by[name] for name in TABLES["transactions"].columns if name in by]


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
    lines = _lines(match, column, quantity)
    if not any(each in plain(column) for each in PRICES) or len(lines) < LEAST_LINES:
        return False
    first, second = lines.argsort(axis=0).argsort(axis=0).T
    return bool(np.corrcoef(first, second)[0, 1] < 0.5)


def _lines(match: Match, *columns: str) -> np.ndarray:
    """Return the numbers in some columns of the first purchase lines that have them all."""
    rows = match.found.table.select(*dict.fromkeys(columns)).limit(2_000).execute()
    texts = {name: [as_text(each) for each in rows[name]] for name in columns}
    marks = numbers.marks(t for name in columns if rows[name].dtype == object for t in texts[name])
    lines = zip(
        *([numbers.values([t], marks) for t in texts[name]] for name in columns), strict=True
    )
    return np.array([[own[0] for own in line] for line in lines if all(line)])
