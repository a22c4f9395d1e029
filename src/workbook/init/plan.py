"""Which file is which table, and where customers stand if no file is theirs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from analysis.data.contract import TABLES
from workbook.init import matching, totals
from workbook.init.looking import Found, as_text
from workbook.init.matching import Match
from workbook.init.values import dates, numbers
from workbook.init.values.synonyms import is_chinese

HALF = 0.5
"""A second file is a part of a table if it fits at least so much as well as the first."""
SHARED = 0.1
"""Share of identifiers that two files of customers may have in common."""
OVERLAP = 0.5
"""Share of a column's values that must be customers for it to be taken for their identifier."""
FEW = 20
"""Different values below which a column may be ratings, and is no identifier unless named so."""
_GERMAN = re.compile(r"[äöüß]|kunde|datum|betrag|menge", re.IGNORECASE)
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


def plan(every: Iterable[Found]) -> Plan:
    """Decide which file is which table."""
    tables: dict[str, list[Match]] = {}
    unused: dict[str, str] = {}
    for found in every:
        choices = matching.best(found)
        own = totals.without(choices[0]) if choices else found
        if own.totals:
            choices = matching.best(own)
        if choices:
            tables.setdefault(choices[0].table, []).append(choices[0])
        else:
            unused[label(found)] = f"no table is like it; its columns: {', '.join(found.columns)}"
    tables = {name: _parts(name, tables[name], unused) for name in TABLES if name in tables}
    derived = ""
    if "customers" not in tables and tables:
        tables, derived = _derived(tables)
    if "customers" not in tables:
        return Plan(tables, unused)
    return _identified(Plan(tables, unused, derived))


def ids(match: Match) -> set[str]:
    """Return the customers that a file names."""
    column = match.columns.get("customer_id")
    return values(match.found, column) if column else set()


def values(found: Found, column: str) -> set[str]:
    """Return all different values of a column, as text."""
    frame = found.table.select(value=found.table[column]).distinct().execute()
    return {as_text(each) for each in frame["value"].dropna()} - {""}


def as_number(text: str) -> str:
    """Return an identifier that is a number without zeros before it, and without decimals."""
    return _ZEROS.sub(r"\1", text)


def country(plan: Plan) -> str:
    """Return the country whose language the columns have; nothing for English."""
    names = [
        name for parts in plan.tables.values() for each in parts for name in each.found.columns
    ]
    counts = Counter(
        "CN" if is_chinese(name) else "DE" if _GERMAN.search(name) else "" for name in names
    )
    country = counts.most_common(1)[0][0]
    if not country and counts["CN"] + counts["DE"] > 0.2 * len(names):
        country = "CN" if counts["CN"] >= counts["DE"] else "DE"
    return country


def currency(plan: Plan) -> str:
    """Return the currency whose sign or code stands in amounts, or in their columns' names."""
    texts = []
    for match in plan.tables.get("transactions", []):
        columns = match.found.columns
        for name in ("amount", "currency", "unit_price"):
            if name in match.columns:
                own = columns[match.columns[name]]
                texts += [own.name, *(own.texts[:1000] if own.kind == "text" else ())]
    return numbers.currency(texts) or ""


def has_zones(plan: Plan) -> bool:
    """Tell whether moments have a time zone."""
    for parts in plan.tables.values():
        for match in parts:
            for name, column in match.columns.items():
                schema = TABLES[match.table].columns.get(name)
                if schema is None or schema.kind != "moment":
                    continue
                own = match.found.columns[column]
                if own.has_zone or (own.kind != "moment" and dates.guess(own.texts).has_zone):
                    return True
    return False


def _parts(name: str, matches: list[Match], unused: dict[str, str]) -> list[Match]:
    """Return the files that are one table together; others are said to be unused."""
    matches = sorted(matches, key=lambda each: -each.score)
    kept, seen = matches[:1], ids(matches[0]) if name == "customers" else set()
    for each in matches[1:]:
        own = ids(each) if name == "customers" else set()
        if each.score < HALF * matches[0].score:
            unused[label(each.found)] = f"less like {name} than {label(kept[0].found)}"
        elif len(own & seen) > SHARED * len(own):
            unused[label(each.found)] = f"names the same customers as {label(kept[0].found)}"
        else:
            kept, seen = [*kept, each], seen | own
    return kept


def _derived(tables: dict[str, list[Match]]) -> tuple[dict[str, list[Match]], str]:
    """Take customers out of the file of another table, best one that says their region."""
    options = []
    for name, parts in tables.items():
        if len(parts) > 1 or "customer_id" not in parts[0].columns:
            continue
        own, used = parts[0], {*parts[0].columns.values()}
        people = matching.match(own.found, "customers")
        columns = {"customer_id": own.columns["customer_id"]} | {
            key: column
            for key, column in people.columns.items()
            if key in ("region", "segment", "area")
            and column not in used
            and (key == "region" or is_constant(own, column))
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
    each = rows.group_by(match.columns["customer_id"]).agg(n=rows[column].nunique())
    return bool((each["n"].max() <= 1).execute())


def _identified(plan: Plan) -> Plan:
    """Find the identifiers of customers that names do not tell, and how they agree."""
    people = set().union(*map(ids, plan.tables["customers"]))
    as_numbers = {as_number(each) for each in people}
    can_be_numbers = len(as_numbers) == len(people)
    tables, known, numeric = dict(plan.tables), {}, False
    own: dict[tuple[str, int], set[str]] = {}
    for name in [each for each in tables if each != "customers"]:
        parts = [_with_id(each, people, as_numbers) for each in tables[name]]
        tables[name] = parts
        own |= {(name, i): ids(each) for i, each in enumerate(parts)}
    for each in own.values():
        plain = len(each & people)
        better = len({v for v in each if as_number(v) in as_numbers})
        numeric = numeric or (can_be_numbers and better > plain)
    for key, each in own.items():
        outside = sorted(
            v
            for v in each
            if (as_number(v) if numeric else v) not in (as_numbers if numeric else people)
        )
        known[key] = (len(each) - len(outside), len(each), outside[0] if outside else "")
    return replace(plan, tables=tables, numeric=numeric, known=known)


def _with_id(match: Match, people: set[str], as_numbers: set[str]) -> Match:
    """Return a match whose customers are the column that holds most of them."""

    def share(column: str) -> float:
        own = match.found.columns[column].texts
        return sum(as_number(each) in as_numbers for each in own) / len(own) if own else 0.0

    named = match.columns.get("customer_id")
    if named and share(named) >= OVERLAP:
        return match
    free = [each for each in match.found.columns if each not in match.columns.values()]
    shares = {each: share(each) for each in free}
    top = max(shares, key=shares.get, default=None)
    if top is None or shares[top] < OVERLAP or match.found.columns[top].distinct < FEW:
        return match
    return replace(match, columns=match.columns | {"customer_id": top})


def label(found: Found) -> str:
    """Return the name of a file and of its sheet, or of the first of several."""
    name = found.files[0] if len(found.files) == 1 else f"{found.files[0]} and others"
    return f"{name}, sheet {found.layout.sheet}" if found.layout.sheet else name
