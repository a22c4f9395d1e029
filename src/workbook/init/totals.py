"""Lines of totals: a word such as 合计 in one of the first columns, no customer and no date."""

from __future__ import annotations

from dataclasses import replace

import ibis
from ibis.expr.types import BooleanValue, Table

from workbook.init.looking import Found, as_text, profiled
from workbook.init.matching import Match
from workbook.init.values.synonyms import is_total

FIRST = 5
"""Columns in which the word is looked for."""
BLANK = ("", "-", "--", "/", "—")
"""What stands in a cell without a value."""


def without(match: Match) -> Found:
    """Return the files of a match without their lines of totals."""
    found = match.found
    kept, totals = found.table, {}
    for name in list(found.columns)[:FIRST] if not found.wave else ():
        if own := _words(match, kept, name) if found.columns[name].kind == "text" else []:
            kept = kept.filter(~kept[name].isin(own).fill_null(False))
            totals[name] = sorted({as_text(each) for each in own})
    if not totals:
        return found
    left = profiled(replace(found, table=kept, totals=totals))
    return replace(left, dropped=found.rows - left.rows)


def _words(match: Match, rows: Table, name: str) -> list[str]:
    """Return the words, as they are written, that stand in lines of totals and in no other."""
    keys = ["customer_id", *match.moments]
    keys += ["region", "segment"] if match.table == "customers" else []
    empty = {match.columns[key] for key in keys if key in match.columns} - {name}
    if not empty:
        return []
    blank = ibis.and_(*(_is_blank(rows, each) for each in sorted(empty)))
    alone = rows.filter(blank, rows[name].notnull())[name].value_counts(name="n").execute()
    counts = {w: n for w, n in zip(alone[name], alone["n"], strict=True) if is_total(w)}
    if not counts:
        return []
    every = rows.filter(rows[name].isin([*counts]))[name].value_counts(name="n").execute()
    return [w for w, n in zip(every[name], every["n"], strict=True) if counts[w] == n]


def _is_blank(rows: Table, name: str) -> BooleanValue:
    own = rows[name]
    return own.isnull() | own.strip().isin(BLANK) if own.type().is_string() else own.isnull()
