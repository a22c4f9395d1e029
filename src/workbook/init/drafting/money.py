"""Amounts of purchase lines: totals of a line, or made of the price of a unit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from analysis.data.contract import TABLES
from workbook.init.drafting.entries import Entry
from workbook.init.looking import as_text
from workbook.init.matching import Match
from workbook.init.values import numbers
from workbook.init.values.synonyms import plain

SAME = 0.02
"""Relative difference up to which quantity times price is the amount."""
LEAST_LINES = 20
"""Lines from which on numbers in them are compared."""
PRICED = ("unit_price", "unit_cost")
"""Columns of which amounts, and costs, are made."""
PRICES = ("price", "preis", "价格", "单价", "油价")
"""What names of prices hold, be it of a unit or of a line."""


def amounts(columns: list[Entry], match: Match) -> list[Entry]:
    """Make the amount of a line out of a price of a unit, where the file has only that."""
    if match.table != "transactions" or "quantity" not in match.columns:
        return columns
    quantity = match.columns["quantity"]
    by = {each.name: each for each in columns}
    price = match.columns.get("unit_price")
    if "amount" not in by and price:
        saw = "the file has prices of a unit, and no amounts"
        own = {"expression": f"`{quantity}` * `{price}`"}
        by["amount"] = Entry("amount", own, saw)
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
