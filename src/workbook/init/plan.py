"""Which file is which table, and where customers stand if no file is theirs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from analysis.data.contract import TABLES
from workbook.init import matching, totals, waves
from workbook.init.looking import Found, as_text
from workbook.init.matching import Match

HALF = 0.5
"""A second file is a part of a table if it fits at least so much as well as the first."""
SHARED = 0.1
"""Share of identifiers that two files of customers may have in common."""
OVERLAP = 0.5
"""Share of a column's values that must be customers for it to be taken for their identifier."""
FEW = 20
"""Different values below which a column may be ratings, and is no identifier unless named so."""
_ZEROS = re.compile(r"^0*(\d+)(\.0+)?$")


@dataclass(frozen=True)
class Plan:
    """Which file is which table.

    Attributes
    ----------
    tables : dict of str to list of Match
        The parts of each table, the best first; customers first.
    unused : dict of str to str
        Why a file is no table, by its name.
    derived : str
        The table whose file customers are taken from, where they have none of their own.
    numeric : bool
        Whether identifiers agree between files only as numbers.
    known : dict of str to tuple
        Of each table's parts: how many of the identifiers are customers, of how many, and one
        that is none.
    """

    tables: dict[str, list[Match]]
    unused: dict[str, str]
    derived: str = ""
    numeric: bool = False
    known: dict[tuple[str, int], tuple[int, int, str]] = field(default_factory=dict)

    @property
    def matches(self) -> list[Match]:
        """All parts of all tables."""
        return [each for parts in self.tables.values() for each in parts]


def plan(every: Iterable[Found]) -> Plan:
    """Decide which file is which table."""
    tables: dict[str, list[Match]] = {}
    unused: dict[str, str] = {}
    for found in (part for each in every for part in waves.apart(each)):
        choices = matching.best(found)
        own = totals.without(choices[0]) if choices else found
        if own.totals:
            choices = matching.best(own)
        if found.wave:
            choices = [each for each in choices if each.table == "survey"]
        if choices:
            tables.setdefault(choices[0].table, []).append(choices[0])
        else:
            said = matching.lacking(found)
            unused[found.label] = f"{said}; its columns: {', '.join(found.columns)}"
    if set(tables) == {"customers"}:  # what customers did may stand in the same file
        more = [each for own in tables["customers"] for each in matching.best(own.found)]
        more = [each for each in more if each.table != "customers"]
        tables = {each.table: [each] for each in more[:1]} or tables
    tables = {name: _parts(name, tables[name], unused) for name in TABLES if name in tables}
    derived = ""
    if "customers" not in tables and tables:
        tables, derived = _derived(tables)
    made = Plan(tables, unused, derived)
    return _identified(made) if "customers" in tables else made


def _ids(match: Match) -> set[str]:
    """Return the customers that a file names."""
    column = match.columns.get("customer_id")
    if column is None:
        return set()
    frame = match.found.table.select(value=match.found.table[column]).distinct().execute()
    return {as_text(each) for each in frame["value"].dropna()} - {""}


def _as_number(text: str) -> str:
    """Return an identifier that is a number without zeros before it, and without decimals."""
    return _ZEROS.sub(r"\1", text)


def _parts(name: str, matches: list[Match], unused: dict[str, str]) -> list[Match]:
    """Return the files that are one table together; others are said to be unused."""
    matches = sorted(matches, key=lambda each: -each.score)
    kept, seen = matches[:1], _ids(matches[0]) if name == "customers" else set()
    for each in matches[1:]:
        own = _ids(each) if name == "customers" else set()
        first = kept[0].found.label
        if each.score < HALF * matches[0].score and not each.found.wave:
            unused[each.found.label] = f"less like {name} than {first}"
        elif len(own & seen) > SHARED * len(own):
            unused[each.found.label] = f"names the same customers as {first}"
        else:
            kept, seen = [*kept, each], seen | own
    return kept


def _derived(tables: dict[str, list[Match]]) -> tuple[dict[str, list[Match]], str]:
    """Take customers out of the file of another table, best one that says their region.

    A questionnaire alone that names no customer has one in each row.
    """
    options = []
    for name, parts in tables.items():
        own, columns = parts[0], {}
        if len({(each.found.files, each.found.layout) for each in parts}) > 1:
            continue
        if "customer_id" in own.columns:
            columns["customer_id"] = own.columns["customer_id"]
        elif (name, len(tables), len(own.found.files)) != ("survey", 1, 1):
            continue
        people, used = matching.match(own.found, "customers"), {*own.columns.values()}
        columns |= {
            key: column
            for key, column in people.columns.items()
            if key in ("region", "segment", "area") and column not in used
            if key == "region" or is_constant(own, column)
        }
        rank = ("region" in columns, name == "transactions", len(columns))
        options.append((rank, name, replace(people, columns=columns)))
    if not options:
        return tables, ""
    _, name, people = max(options, key=lambda each: each[0])
    return {"customers": [people]} | tables, name


def is_constant(match: Match, column: str) -> bool:
    """Tell whether each customer of a file has one value of a column."""
    rows = match.found.table
    if "customer_id" not in match.columns:
        return True
    each = rows.group_by(match.columns["customer_id"]).agg(n=rows[column].nunique())
    return bool((each["n"].max() <= 1).execute())


def _identified(plan: Plan) -> Plan:
    """Find the identifiers of customers that names do not tell, and how they agree."""
    people = set().union(*map(_ids, plan.tables["customers"]))
    as_numbers = {_as_number(each) for each in people}
    tables, own = dict(plan.tables), {}
    for name in [each for each in tables if each != "customers"]:
        tables[name] = [_with_id(each, as_numbers) for each in tables[name]]
        own |= {(name, i): _ids(each) for i, each in enumerate(tables[name])}
    numeric = len(as_numbers) == len(people) and any(
        len({v for v in each if _as_number(v) in as_numbers}) > len(each & people)
        for each in own.values()
    )
    known = {}
    for key, each in own.items():
        is_known = [(_as_number(v) in as_numbers) if numeric else v in people for v in each]
        outside = sorted(v for v, hit in zip(each, is_known, strict=True) if not hit)
        known[key] = (sum(is_known), len(each), outside[0] if outside else "")
    return replace(plan, tables=tables, numeric=numeric, known=known)


def _with_id(match: Match, as_numbers: set[str]) -> Match:
    """Return a match whose customers are the column that holds most of them."""

    def share(column: str) -> float:
        own = match.found.columns[column].texts
        return sum(_as_number(each) in as_numbers for each in own) / len(own) if own else 0.0

    named = match.columns.get("customer_id")
    if named and share(named) >= OVERLAP:
        return match
    free = [each for each in match.found.columns if each not in match.columns.values()]
    shares = {each: share(each) for each in free}
    top = max(shares, key=shares.get, default=None)
    if top is None or shares[top] < OVERLAP or match.found.columns[top].distinct < FEW:
        return match
    return replace(match, columns=match.columns | {"customer_id": top})
