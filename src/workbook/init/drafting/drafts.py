"""What the TOML file says of each table, with what was seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

from analysis.data.contract import ITEMS, TABLES
from analysis.data.errors import counted
from workbook.init.drafting import advice, entries, money
from workbook.init.drafting.entries import Common, Entry
from workbook.init.looking import Profile
from workbook.init.matching import Match
from workbook.init.plan import Plan, is_constant
from workbook.init.text_files import LABELS
from workbook.init.values import dates, numbers
from workbook.init.values.numbers import Marks
from workbook.init.values.ratings import Scale

OF_SOURCE = ("encoding", "delimiter", "decimal", "thousands", "date_format", "missing")
DEFAULTS = {"encoding": "utf-8", "delimiter": ",", "decimal": "."}


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
    advice : tuple of str
        Lines for comments.
    is_text : bool
        Whether it is of text files, which have an encoding and a delimiter.
    unused : tuple of str
        Columns of its files that nothing is made of.
    """

    table: str
    keys: dict[str, object]
    saw: dict[str, str]
    columns: tuple[Entry, ...]
    advice: tuple[str, ...] = ()
    is_text: bool = field(default=False)
    unused: tuple[str, ...] = ()


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
        _draft(plan, match, i, folder, region, first)
        for name, parts in plan.tables.items()
        for i, match in enumerate(parts)
    ]


def _draft(
    plan: Plan, match: Match, number: int, folder: Path | None, region: str, first: bool | None
) -> Draft:
    """Return what the TOML file says of one part."""
    match = money.paid(match)
    found, table = match.found, match.table
    layout, is_text = found.layout, bool(found.layout.encoding)
    known = TABLES[table].columns
    own = [name for name in known if name in match.columns]
    profiles = {name: found.columns[match.columns[name]] for name in own}
    prices = [found.columns[match.columns[p]] for p in money.PRICED if p in match.columns]
    common = _common(table, profiles, prices, first)
    keys: dict[str, object] = _files(found.files, folder)
    saw = {"": _size(match), **layout.seen}
    if table == "customers" and plan.derived:
        keys = {"same_file_as": plan.derived, "one_row_per": "customer_id"}
        saw = {"": f"no file of customers: they are those in the file of {plan.derived}"}
        layout = replace(layout, sheet="", skip=0, header=(), encoding="", delimiter="")
    texts = {"sheet": layout.sheet, "skip": layout.skip, "header": list(layout.header)}
    keys |= {key: each for key, each in texts.items() if each}
    if found.totals and "same_file_as" not in keys:
        keys["drop"] = {column: list(words) for column, words in found.totals.items()}
        saw["drop"] = f"{counted(found.dropped, 'line')} of totals, without a customer and a date"
    if is_text and layout.encoding:
        keys |= {"encoding": layout.encoding, "delimiter": layout.delimiter}
        saw.setdefault(
            "delimiter", f"{LABELS.get(layout.delimiter, '')} between the columns".strip()
        )
    if common.marks != Marks():
        keys |= {"decimal": common.marks.decimal, "thousands": common.marks.thousands or None}
        saw["decimal"] = saw["thousands"] = _numbers_seen(profiles.values())
    if _has_text_dates(table, profiles):
        one = common.formats[0] if len(common.formats) == 1 else list(common.formats)
        keys["date_format"] = one or None
    missing = [*common.missing, *common.codes]
    keys |= {"missing": missing} if missing else {}
    saw["missing"] = "words, or codes, that stand for no value"
    if common.scale and common.scale.range:
        keys["scale_of"] = list(common.scale.range)
        scale = common.scale
        saw["scale_of"] = f"answers from {scale.low:g} to {scale.high:g}; {scale.unsure}".rstrip(
            "; "
        )
    columns = [entries.entry(match, name, common) for name in own]
    columns = _ids(columns, plan, table, number)
    columns = money.amounts(columns, match)
    if table == "customers":
        columns = _region(columns, match, plan, region)
    is_of_other = table == "customers" and plan.derived
    unused = () if is_of_other else advice.unused(plan, match, columns)
    return Draft(
        table, keys, saw, tuple(columns), tuple(advice.lines(match, columns)), is_text, unused
    )


def _common(
    table: str, profiles: dict[str, Profile], prices: list[Profile], first: bool | None
) -> Common:
    """Return how the values of a part are written."""
    kinds = {name: TABLES[table].columns[name].kind for name in profiles}
    texts = [
        each
        for name, each in profiles.items()
        if kinds[name] == "number" and each.kind == "text" and name not in ITEMS
    ]
    texts += [each for each in prices if each.kind == "text"]
    marks = numbers.marks(text for each in texts for text in each.texts)
    said = [
        each
        for name, each in profiles.items()
        if kinds[name] != "text" or name in ("area", "channel", "segment", "had_works")
        if not (name == "had_works" and set(each.texts) & {"无"})
    ]
    ratings = [each for name, each in profiles.items() if name in ITEMS]
    scale = Scale.of(ratings) if ratings else None
    formats: list[tuple[str, ...]] = [
        dates.guess(each.texts, first).formats
        for name, each in profiles.items()
        if kinds[name] == "moment" and each.kind != "moment" and each.filled
    ]
    shared = formats[0] if formats and all(each == formats[0] for each in formats) else ()
    codes = scale.codes if scale else ()
    return Common(marks, entries.missing_words(said), codes, shared, scale, first)


def _has_text_dates(table: str, profiles: dict[str, Profile]) -> bool:
    """Tell whether dates of a part are text, which a format is for."""
    return any(
        TABLES[table].columns[name].kind == "moment" and each.kind != "moment" and each.filled
        for name, each in profiles.items()
    )


def _month_first(plan: Plan) -> bool | None:
    """Tell whether months stand before days in the columns that can't be read both ways."""
    votes = []
    for parts in plan.tables.values():
        for match in parts:
            for name, column in match.columns.items():
                profile = match.found.columns[column]
                schema = TABLES[match.table].columns.get(name)
                if schema is None or schema.kind != "moment" or profile.kind != "text":
                    continue
                own = dates.guess(profile.texts)
                if own.formats and not own.is_ambiguous and own.formats[0][:2] in ("%d", "%m"):
                    votes.append(own.formats[0].startswith("%m"))
    return all(votes) if votes else None


def _files(files: tuple[str, ...], folder: Path | None) -> dict[str, object]:
    """Return the key `file`, or `files` with a pattern that matches these and no other."""
    if len(files) == 1:
        return {"file": files[0]}
    start = _common_start(files)
    end = _common_start([each[::-1] for each in files])[::-1]
    shortest = min(map(len, files))
    end = end[max(0, len(start) + len(end) - shortest) :]
    pattern = f"{start}*{end}"
    there = [p.relative_to(folder).as_posix() for p in folder.rglob("*")] if folder else files
    hits = [each for each in there if fnmatchcase(each, pattern)]
    is_flat = "/" not in pattern[len(start) :] and all(
        each.count("/") == pattern.count("/") for each in hits
    )
    is_glob = not set("[]?*") & set(start + end)
    if set(hits) == set(files) and is_flat and is_glob:
        return {"files": pattern}
    return {"files": list(files)}


def _common_start(texts: Sequence[str]) -> str:
    """Return what all texts begin with."""
    start = min(texts)
    last = max(texts)
    n = next((i for i, (a, b) in enumerate(zip(start, last, strict=False)) if a != b), len(start))
    return start[:n].rstrip("0123456789")


def _size(match: Match) -> str:
    """Return how many rows and files a part has."""
    found = match.found
    rows = counted(found.rows, "row")
    if len(found.files) == 1:
        return rows
    return f"{rows} in {counted(len(found.files), 'file')} of one layout"


def _numbers_seen(profiles: Sequence[Profile]) -> str:
    """Return an example of the numbers in some columns."""
    texts = [
        text
        for each in profiles
        for text in each.texts[:300]
        if each.kind == "text" and {",", "."} & set(text) and numbers.share([text])
    ]
    return f"such as {max(texts, key=len)}" if texts else ""


def _ids(columns: list[Entry], plan: Plan, table: str, number: int) -> list[Entry]:
    """Say of identifiers whether they are customers, and how they agree."""
    made = []
    for each in columns:
        if each.name == "customer_id":
            keys = each.keys | ({"numeric": True} if plan.numeric else {})
            hits, all_, example = plan.known.get((table, number), (0, 0, ""))
            saw, unsure = each.saw, each.unsure
            if all_ and hits == all_:
                saw = f"all {all_:,} are customers"
            elif all_:
                unsure = f"{all_ - hits:,} of {all_:,} are no customers, such as {example!r}"
            if plan.numeric:
                saw = f"{saw}; 00123 and 123 are the same".lstrip("; ")
            each = replace(each, keys=keys, saw=saw, unsure=unsure)
        made.append(each)
    return made


def _region(columns: list[Entry], match: Match, plan: Plan, region: str) -> list[Entry]:
    """Say which region customers are in, if no column does, or where they are in several."""
    made = []
    for each in columns:
        if (
            each.name == "region"
            and plan.derived
            and not is_constant(match, match.columns["region"])
        ):
            by = "most sales" if plan.derived == "transactions" else "last"
            unsure = f"some customers are in several: the one with {by!r} counts"
            each = replace(each, keys=each.keys | {"by": by}, unsure=unsure)
        made.append(each)
    if "region" not in {each.name for each in made}:
        unsure = "no column looks like a region: all customers are in one"
        made.insert(1, Entry("region", {"value": region}, "", unsure))
    return made
