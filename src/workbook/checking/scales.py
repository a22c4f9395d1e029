"""Numbers that keep every rule, and may be on another scale than they are read on."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from ibis.expr.types import Table

from analysis.data.contract import ITEMS, TABLES
from analysis.data.dataset import Dataset
from analysis.data.errors import listed
from analysis.data.mapping.source import ColumnMap, TableMap
from analysis.data.validation.tables import WRITTEN

FEW = {5: 30, 7: 100}
"""Highest answers of usual scales, and answers from which on none above is worth a word."""
MARKED = 30
"""Numbers with a mark from which on it is worth a word that all have three digits behind it."""
HIGHEST = 10


def other_scales(dataset: Dataset) -> Iterator[str]:
    """Yield ratings that end at 5 or 7, and numbers whose decimal mark may separate thousands."""
    for name, table in dataset.tables.items():
        maps, file = dataset.source.tables[name], dataset.source.tables[name].file
        yield from (f"{file}: {each}" for each in _low_ratings(name, table.good, maps))
        yield from (f"{file}: {each}" for each in _thousands(name, table.rows, maps))


def _maps(maps: TableMap, column: str) -> list[ColumnMap]:
    """Return how each part of a table has a column."""
    return [each.columns.get(column, each.plain[column]) for each in maps.parts]


def _low_ratings(name: str, rows: Table, maps: TableMap) -> Iterator[str]:
    """Yield the ratings of which nobody gave an answer in the upper half."""
    turned = {}
    for column in (*ITEMS, "satisfaction_after"):
        if column in rows.columns:
            own = [each.conversion for each in _maps(maps, column) if not each.values]
            if set(own) in ({(1.0, 0.0)}, {(-1.0, 11.0)}) and len(own) == len(maps.parts):
                turned[column] = own[0] == (-1.0, 11.0)
    if not turned:
        return
    values = {column: 11 - rows[column] if own else rows[column] for column, own in turned.items()}
    counts = {f"n.{column}": each.count() for column, each in values.items()}
    highest = {column: each.max() for column, each in values.items()}
    found = rows.agg(**counts, **highest).to_pandas().iloc[0]
    ends = defaultdict(list)
    for column in turned:
        for end, few in FEW.items():
            if found[f"n.{column}"] >= few and found[column] <= end:
                ends[end].append(column)
                break
    for end, columns in ends.items():
        yield (
            f"no answer above {end} in {listed(columns)}, where {HIGHEST} is the highest: if {end} "
            f"is the highest that there is, scale_of = [1, {end}]."
        )


def _thousands(name: str, rows: Table, maps: TableMap) -> Iterator[str]:
    """Yield the columns in which all numbers with a decimal mark look like thousands."""
    for column, schema in TABLES[name].columns.items():
        text = WRITTEN + column
        if schema.kind != "number" or text not in rows.columns:
            continue
        own = _maps(maps, column)
        marks = {each.decimal for each in own}
        if len(marks) > 1 or any(each.thousands or each.expression for each in own):
            continue
        (mark,) = marks
        forms = {
            "marked": re.escape(mark),
            "grouped": rf"^[+-]?[1-9]\d{{0,2}}{re.escape(mark)}\d{{3}}$",
            "small": r"^[+-]?\d{1,3}$",
            "large": r"^[+-]?\d{4,}$",
        }
        counts = {key: rows[text].re_search(form).sum() for key, form in forms.items()}
        n = rows.agg(**counts).to_pandas().fillna(0).iloc[0]
        if n["marked"] == n["grouped"] >= MARKED and n["small"] and not n["large"]:
            other = "," if mark == "." else "."
            yield (
                f"{column!r} is never above 999 without a {mark!r}, and has three digits behind "
                f"each: if it separates thousands, decimal = {other!r} and thousands = {mark!r}."
            )
