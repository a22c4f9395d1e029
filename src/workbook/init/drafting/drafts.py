"""What the TOML file says of each table, with what was seen."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from itertools import takewhile
from pathlib import Path

import ibis

from analysis.data.contract import TABLES
from analysis.data.errors import counted, listed
from analysis.data.reading import names, text
from analysis.data.reading.kinds import ending_of
from workbook.init.drafting import entries, money
from workbook.init.drafting.entries import Common, Entry
from workbook.init.layouts import TEXT
from workbook.init.matching import Match
from workbook.init.plan import Plan, is_constant
from workbook.init.values.synonyms import is_word

_BETWEEN = {"\t": "tabulators between the columns", "whitespace": "blanks between the columns"}
_IN_EXPRESSION = re.compile("`([^`]+)`")


@dataclass(frozen=True)
class Draft:
    """One part of a table.

    Attributes
    ----------
    table : str
        In the contract.
    keys : dict
        As `mapping.keys.TableKeys` has them, without its columns.
    saw : dict of str to str
        What was seen, by key; "" for the table itself.
    columns : tuple of Entry
        Its columns.
    unsure : tuple of str
        What a reader should look at beside the columns.
    unused : tuple of str
        Columns of its files that nothing is made of.
    """

    table: str
    keys: dict[str, object]
    saw: dict[str, str]
    columns: tuple[Entry, ...]
    unsure: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """The files of a part, and their sheet."""
        place = next(
            self.keys[key] for key in ("file", "files", "same_file_as") if key in self.keys
        )
        place = ", ".join(place) if isinstance(place, list) else str(place)
        return f"{place}, sheet {self.keys['sheet']}" if self.keys.get("sheet") else place


def draft(plan: Plan, folder: Path | None, region: str) -> list[Draft]:
    """Return what the TOML file says of each part of each table.

    Parameters
    ----------
    plan : Plan
        Which file is which table.
    folder : Path or None
        Where the files are; None for a database.
    region : str
        The region of all customers where no column says it.
    """
    first = _month_first(plan)
    return [
        _draft(plan, money.paid(match), i, folder, region, first)
        for parts in plan.tables.values()
        for i, match in enumerate(parts)
    ]


def _draft(
    plan: Plan, match: Match, number: int, folder: Path | None, region: str, first: bool | None
) -> Draft:
    """Return what the TOML file says of one part."""
    found, table, layout = match.found, match.table, match.found.layout
    prices = [match.columns[each] for each in money.PRICED if each in match.columns]
    common = Common.of(match, prices, first)
    columns = [
        entries.entry(match, each, common)
        for each in TABLES[table].columns
        if each in match.columns
    ]
    saw, unsure = {"": _size(match), **layout.seen}, []
    keys: dict[str, object] = _files(found.files, folder)
    keys |= {"sheet": layout.sheet, "skip": layout.skip, "header": list(layout.header)}
    keys |= {"encoding": layout.encoding, "delimiter": layout.delimiter}
    saw.setdefault("delimiter", _BETWEEN.get(layout.delimiter, ""))
    if folder and (cut := [each for each in found.files if _is_cut(folder / each)]):
        keys["complete"] = True
        saw["complete"] = f"CHECK: the last line of {listed(cut)} has no end"
    is_derived = table == "customers" and bool(plan.derived)
    if is_derived:
        saw[""] = f"no file of customers: they are those in the file of {plan.derived}"
        if len(plan.tables[plan.derived]) == 1:  # otherwise its parts, the waves, are one file
            keys, saw = {"same_file_as": plan.derived}, {"": saw[""]}
        keys |= {"one_row_per": "customer_id"} if "customer_id" in match.columns else {}
    if "same_file_as" not in keys:
        keys["drop"], saw["drop"] = _drop(match)
    if common.marks.is_seen:
        keys |= {"decimal": common.marks.decimal, "thousands": common.marks.thousands}
    if any(each.kind != "moment" and each.filled for each in match.moments.values()):
        keys["date_format"] = common.formats[0] if len(common.formats) == 1 else [*common.formats]
    keys["missing"] = common.missing
    saw["missing"] = "words, or codes, that stand for no value"
    if common.scale and common.scale.range:
        scale, keys["scale_of"] = common.scale, common.scale.range
        saw["scale_of"] = f"answers from {scale.low:g} to {scale.high:g}"
        if scale.unsure:
            saw["scale_of"] += f"; {scale.unsure}"
            unsure.append(saw["scale_of"])
    columns = money.amounts(_ids(columns, plan, table, number), match)
    if table == "customers":
        columns = _region(columns, match, plan, region)
    if table == "survey" and len(found.wave) == 4 and "answered_on" not in match.columns:
        unsure_of = f"on which day in {found.wave}?"
        columns.append(Entry("answered_on", {"value": f"{found.wave}-07-01"}, "", unsure_of))
    people = plan.tables["customers"][0]
    if plan.derived and "customer_id" not in people.columns:
        columns.insert(0, Entry("customer_id", {"row": True}, "", "each row is one customer"))
    there = {each.name for each in columns}
    known = TABLES[table].columns.items()
    unsure += _doubts(match)
    unsure += [
        f'not found, and needed: {n} = "..."' for n, c in known if c.required and n not in there
    ]
    unused = () if is_derived else _unused(plan, match, columns, keys)
    return Draft(table, keys, saw, tuple(columns), tuple(unsure), unused)


def _is_cut(path: Path) -> bool:
    """Tell whether the last line of a text file has no end."""
    return ending_of(path) in TEXT and text.is_cut(path)


def _drop(match: Match) -> tuple[dict[str, list[str]], str]:
    """Return which rows do not count: totals, purchases that did not come about, test customers."""
    found, status = match.found, match.profile("status")
    drop = {column: list(words) for column, words in found.totals.items()}
    said = [f"{counted(found.dropped, 'line')} of totals, without a customer and a date"]
    said = said if drop else []
    amount = match.profile("amount")
    is_netted = amount is not None and any(each < 0 for each in amount.numbers)
    kinds = ["not_done", *(["given_back"] * (not is_netted))]
    asked = [status] if match.table == "transactions" and status else []
    if match.table == "customers":
        asked, kinds = [each for each in found.columns.values() if each.kind == "text"], ["test"]
    words = {
        each.name: [word for word in each.counts if any(is_word(word, kind) for kind in kinds)]
        for each in asked
    }
    if words := {name: own for name, own in words.items() if own}:
        drop |= {name: [*drop.get(name, ()), *own] for name, own in words.items()}
        rows = [names.written(found.table, name).isin(own) for name, own in words.items()]
        n = int(found.table.filter(ibis.or_(*rows)).count().execute())
        said.append(
            f"CHECK: {' and '.join(map(repr, words))} {'says' if len(words) == 1 else 'say'} that "
            f"{counted(n, 'row')} {'does' if n == 1 else 'do'} not count"
        )
    return drop, "; ".join(said)


def _doubts(match: Match) -> Iterator[str]:
    """Yield what a reader should know of amounts and states."""
    amount, currency = match.profile("amount"), match.profile("currency")
    if amount and any(each < 0 for each in amount.numbers):
        yield "negative amounts are netted against their purchase (refunds = 'net')"
    if currency and currency.distinct > 1:
        own = entries.shown(currency.texts, 8)
        yield f"{currency.name!r} has {own}: amount may need scale_by and scales"


def _unused(plan: Plan, match: Match, columns: Sequence[Entry], keys: dict) -> tuple[str, ...]:
    """Return the columns of a part's files that nothing is made of."""
    used = {*keys.get("drop", ())}
    for each in columns:
        used |= {each.keys.get("column"), *(each.keys.get("columns") or ())}
        used |= {*_IN_EXPRESSION.findall(str(each.keys.get("expression", "")))}
    if match.table == plan.derived:
        used |= {each for own in plan.tables["customers"] for each in own.columns.values()}
    return tuple(each for each in match.found.columns if each not in used)


def _month_first(plan: Plan) -> bool | None:
    """Tell whether months stand before days in the columns that can't be read both ways."""
    moments = [each for match in plan.matches for each in match.moments.values()]
    guesses = [each.dates for each in moments if each.kind == "text"]
    sure = [each.formats[0] for each in guesses if each.formats and not each.is_ambiguous]
    votes = [each.startswith("%m") for each in sure if each[:2] in ("%d", "%m")]
    return all(votes) if votes else None


def _files(files: tuple[str, ...], folder: Path | None) -> dict[str, object]:
    """Return the key `file`, or `files` with a pattern that matches these and no other."""
    if len(files) == 1:
        return {"file": files[0]}
    start = _start(files).rstrip("0123456789")
    end = _start([each[::-1] for each in files])[::-1].lstrip("0123456789")
    end = end[max(0, len(start) + len(end) - min(map(len, files))) :]
    there = [p.relative_to(folder).as_posix() for p in folder.rglob("*")] if folder else files
    hits = [each for each in there if fnmatchcase(each, f"{start}*{end}")]
    is_flat = len({each.rpartition("/")[0] for each in hits}) == 1
    is_plain = not set("[]?*") & set(start + end)
    is_pattern = set(hits) == set(files) and is_flat and is_plain
    return {"files": f"{start}*{end}" if is_pattern else list(files)}


def _start(texts: Sequence[str]) -> str:
    """Return what all texts begin with."""
    letters = zip(*texts, strict=False)
    return "".join(each[0] for each in takewhile(lambda own: len(set(own)) == 1, letters))


def _size(match: Match) -> str:
    """Return how many rows and files a part has."""
    rows, files = counted(match.found.rows, "row"), match.found.files
    more = f" in {counted(len(files), 'file')} of one layout" if len(files) > 1 else ""
    return f"{rows}{more}" + (f", wave {match.found.wave}" if match.found.wave else "")


def _ids(columns: list[Entry], plan: Plan, table: str, number: int) -> list[Entry]:
    """Say of identifiers whether they are customers, and how they agree."""
    made = []
    for each in columns:
        if each.name == "customer_id":
            hits, all_, example = plan.known.get((table, number), (0, 0, ""))
            saw, unsure = each.saw, each.unsure
            if all_ and hits == all_:
                saw = f"all {all_:,} are customers"
            elif all_:
                unsure = f"{all_ - hits:,} of {all_:,} are no customers, such as {example!r}"
            if plan.numeric:
                saw = f"{saw}; 00123 and 123 are the same".lstrip("; ")
            keys = each.keys | ({"numeric": True} if plan.numeric else {})
            each = replace(each, keys=keys, saw=saw, unsure=unsure)
        made.append(each)
    return made


def _region(columns: list[Entry], match: Match, plan: Plan, region: str) -> list[Entry]:
    """Say which region customers are in, if no column does, or where they are in several."""
    own = next((each for each in columns if each.name == "region"), None)
    if own is None:
        unsure = "no column looks like a region: all customers are in one"
        return [*columns[:1], Entry("region", {"value": region}, "", unsure), *columns[1:]]
    if plan.derived and not is_constant(match, match.columns["region"]):
        by = "most sales" if plan.derived == "transactions" else "last"
        unsure = f"some customers are in several: the one with {by!r} counts"
        several = replace(own, keys=own.keys | {"by": by}, unsure=unsure)
        return [several if each is own else each for each in columns]
    return columns
