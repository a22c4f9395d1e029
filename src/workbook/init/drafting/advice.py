"""What a reader may want to add to what the TOML file says of a table."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from analysis.data.contract import TABLES
from analysis.data.errors import counted
from workbook.init.drafting import entries, toml_text
from workbook.init.drafting.entries import Entry
from workbook.init.matching import Match
from workbook.init.plan import Plan
from workbook.init.values import numbers
from workbook.init.values.synonyms import is_word

_IN_EXPRESSION = re.compile("`([^`]+)`")


def lines(match: Match, columns: Sequence[Entry]) -> Iterator[str]:
    """Yield lines for comments under the keys of a table."""
    yield from _status(match)
    amount = match.columns.get("amount")
    if amount and any(each < 0 for each in numbers.values(match.found.columns[amount].texts)):
        yield "negative amounts are netted against their purchase (refunds = 'net')"
    currency = match.columns.get("currency")
    if currency and match.found.columns[currency].distinct > 1:
        own = entries.shown(match.found.columns[currency].texts, 8)
        yield f"{currency!r} has {own}: amount may need scale_by and scales"
    there = {each.name for each in columns}
    for name, each in TABLES[match.table].columns.items():
        if each.required and name not in there:
            yield f'not found, and needed: {name} = "..."'


def unused(plan: Plan, match: Match, columns: Sequence[Entry]) -> tuple[str, ...]:
    """Return the columns of a table's files that nothing is made of."""
    used = {name for each in columns for name in _sources(each)} | {*match.found.totals}
    if match.table == plan.derived:
        used |= {each for own in plan.tables["customers"] for each in own.columns.values()}
    return tuple(each for each in match.found.columns if each not in used)


def _sources(entry: Entry) -> list[str]:
    """Return the columns of the file that one of the contract is made of."""
    own = [entry.keys.get("column"), *(entry.keys.get("columns") or ())]
    own += _IN_EXPRESSION.findall(str(entry.keys.get("expression", "")))
    return [each for each in own if each]


def _status(match: Match) -> Iterator[str]:
    """Yield what a column of states says: which rows may not count."""
    status = match.columns.get("status")
    if not status:
        return
    counts = match.found.columns[status].counts
    words = [each for each in counts if is_word(each, "not_done")]
    words += [each for each in counts if is_word(each, "given_back")]
    if not words:
        yield f"{status!r} has {entries.shown(counts, 8)}: all of them count"
        return
    rows = counted(sum(counts[each] for each in words), "row")
    totals = {column: list(own) for column, own in match.found.totals.items()}
    is_more = ", in the place of the drop above" if totals else ""
    yield f"{status!r} says that {rows} may not count{is_more}; to leave them out:"
    yield toml_text.line("drop", totals | {status: [*totals.get(status, ()), *words]})
