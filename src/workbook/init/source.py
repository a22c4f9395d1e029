"""A source's TOML file for files that nobody has described yet."""

from __future__ import annotations

import datetime as dt
import os
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from analysis.data.contract import TABLES
from analysis.data.errors import DataError, counted, listed
from analysis.data.files import is_file, is_folder, write_text
from analysis.data.mapping.schema import build
from analysis.data.mapping.source import Part, Source
from analysis.data.reading import sheets
from analysis.data.validation.moments import local_time
from analysis.data.validation.values import RawColumn
from workbook.init import layouts, looking
from workbook.init import plan as plans
from workbook.init.drafting import drafts, writing
from workbook.init.drafting.drafts import Draft
from workbook.init.drafting.writing import line
from workbook.init.matching import Match
from workbook.init.plan import Plan
from workbook.init.values import numbers
from workbook.init.values.synonyms import is_chinese, known

DATABASES = (".duckdb", ".ddb", *looking.SQLITE)
FILES = (*layouts.TEXT, *layouts.TYPED, *layouts.PACKED, *sheets.ENDINGS)
_PASSWORDS = (
    re.compile(r"://[^:/@]*:(?!\$\{)([^?]+)@"),
    re.compile(r"[?&](?:password|passwd|pwd)=(?!\$\{)([^&]+)", re.IGNORECASE),
)
"""Where an address has a password: before its host, or among what follows it."""
_MISSPELT = re.compile(r":.*@|(?:password|passwd|pwd)=\S+", re.IGNORECASE)
_VARIABLE = "database: the password is not in the file; set the variable DATABASE_PASSWORD to it"
_GERMAN = re.compile(r"[äöüß]|kunde|datum|betrag|menge", re.IGNORECASE)

_DONE = {
    "drop": "drop leaves them out",
    "complete": "complete = true says that nothing is missing",
}


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes
    ----------
    path : Path
        The TOML file.
    tables : tuple of str
        A line for each file that is a table, or a part of one.
    unsure : tuple of str
        What to look at before anything else.
    passed : tuple of str
        A line for each file that is not used.
    """

    path: Path
    tables: tuple[str, ...]
    unsure: tuple[str, ...]
    passed: tuple[str, ...]


def write(address: str, output: Path | None = None, *, force: bool = False) -> Written:
    """Look at a folder, a file or a database, and write a TOML file with guesses.

    Parameters
    ----------
    address : str
        A folder, an Excel or text file, a DuckDB or SQLite file, or a database's address.
    output : Path, optional
        The TOML file; by default beside the data.
    force : bool
        Whether an existing TOML file is replaced.

    Raises
    ------
    DataError
        If there is no such data, no two tables are recognised in it, or the TOML file exists.
    """
    path, place, only = _place(address, output)
    if is_folder(path) or not is_folder(path.parent):
        raise DataError(f"{path.name}: no file can be there; expected one in a folder that is.")
    if path.exists() and not force:
        raise DataError(
            f"{path.name}: the file exists; --force replaces it, --output names another."
        )
    empty = build(path, place | {"customers": {"file": "-"}, "survey": {"file": "-"}})
    try:
        found, passed = looking.look(empty)
    except DataError as error:  # which names the file that is still to be written
        said = str(error).removeprefix(f"{path.name}: ")
        raise DataError(f"{place['database']}: {said}" if empty.database else str(error)) from None
    if only:
        found = [each for each in found if each.files == (only,)]
        passed = {name: why for name, why in passed.items() if name.split(", sheet")[0] == only}
    plan = plans.plan(found)
    passed |= plan.unused
    _check(plan, passed, place.get("database", address))
    made = drafts.draft(plan, None if empty.database else empty.folder, _region_name(path.stem))
    lines, left = writing.lifted(made)
    head, tables = _head(path, place, plan), writing.text_of(left)
    draft = "\n".join([*head, *lines, tables])
    write_text(path, "\n".join([*head, _last_day(path, draft, plan), *lines, tables]))
    return Written(
        path=path,
        tables=tuple(map(_found, made)),
        unsure=tuple(dict.fromkeys(said for each in made for said in _unsure(each)))
        + tuple(_unused(made))
        + (_VARIABLE,) * ("DATABASE_PASSWORD" in place.get("database", "")),
        passed=tuple(f"{name}: {why}" for name, why in passed.items()),
    )


def _place(address: str, output: Path | None) -> tuple[Path, dict[str, str], str]:
    """Return the TOML file, its key of where the data are, and the one file to look at, if any."""
    if "://" in address:
        hidden = _hidden(address)
        last = hidden.split("?")[0].rsplit("/", 1)[-1].rpartition("@")[2]
        name = re.sub(r"\W+", "_", last) or "database"
        return (output or Path(f"{name}.toml")).absolute(), {"database": hidden}, ""
    looked = Path(os.path.realpath(address))
    if not (is_file(looked) or is_folder(looked)):
        raise DataError(
            f"{_MISSPELT.sub('***', address)}: there is no such folder or file; expected a folder "
            "of files, an Excel file, a DuckDB or SQLite file, or an address such as "
            "postgres://host/name."
        )
    name = looked.name if looked.is_dir() else looked.stem.split(".")[0]
    path = (output or looked.with_name(f"{name}.toml")).absolute()
    is_database = looked.suffix.lower() in DATABASES
    if not (looked.is_dir() or is_database or looked.suffix.lower() in FILES):
        raise DataError(
            f"{looked.name}: expected a folder, or a file that ends in one of "
            f"{', '.join([*FILES, *DATABASES])}."
        )
    is_whole = looked.is_dir() or is_database
    beside = Path(os.path.relpath(looked if is_whole else looked.parent, path.parent)).as_posix()
    return path, {"database" if is_database else "folder": beside}, "" if is_whole else looked.name


def _hidden(address: str) -> str:
    """Return an address without its password, which is not for the file, but for this run."""
    for pattern in _PASSWORDS:
        if found := pattern.search(address):
            os.environ["DATABASE_PASSWORD"] = found[1]
            return f"{address[: found.start(1)]}${{DATABASE_PASSWORD}}{address[found.end(1) :]}"
    return address


def _check(plan: Plan, passed: dict[str, str], address: str) -> None:
    """Refuse data in which no two tables are recognised."""
    if "customers" in plan.tables and len(plan.tables) > 1:
        return
    lines = [f"{name}: {why}" for name, why in passed.items()]
    lines += [f"{m.found.label} has the columns {', '.join(m.found.columns)}" for m in plan.matches]
    head = (
        f"{address}: expected customers and at least one of survey, complaints, transactions and "
        f"contacts; recognised: {', '.join(plan.tables) or 'none'}. docs/data-contract.md says "
        "what a table needs; a TOML file of your own can name any column."
    )
    raise DataError("\n".join([head, *lines]))


def _head(path: Path, place: dict[str, str], plan: Plan) -> list[str]:
    """Return the lines of the source itself."""
    sign, countries = _currency(plan), known()["countries"]
    of_sign = [each for each, own in countries.items() if own["currency"] == sign != "EUR"]
    country = of_sign[0] if of_sign else _country(plan)
    by = "currency" if of_sign else "language of the columns"
    own = countries.get(country, {})
    currency = sign or own.get("currency", "")
    why = "its sign stands in the data" if sign else "by the language of the columns"
    zone = own.get("timezone", "Asia/Shanghai")
    return [
        "# Written by workbook init: guesses, each with what was seen. CHECK: not sure.",
        "",
        line("title", path.stem.replace("_", " "), "a line for the reader"),
        *(line(key, each) for key, each in place.items()),
        line("currency", currency, why) if currency else '# currency = "CNY"  # not seen',
        line("calendar", country, f"CHECK: by the {by}")
        if country
        else '# calendar = "CN"  # whose working days count; this is the default',
        line("timezone", zone, "CHECK: moments have a zone; whose days count?")
        if _has_zones(plan)
        else f'# timezone = "{zone}"  # no moment has a zone, so none is needed',
    ]


def _country(plan: Plan) -> str:
    """Return the country whose language the columns have; nothing for English."""
    names = [name for each in plan.matches for name in each.found.columns]
    counts = Counter(
        "CN" if is_chinese(name) else "DE" if _GERMAN.search(name) else "" for name in names
    )
    if counts[""] > 0.8 * len(names):
        return ""
    return "CN" if counts["CN"] >= counts["DE"] else "DE"


def _currency(plan: Plan) -> str:
    """Return the currency whose sign or code stands in amounts, or in their columns' names."""
    own = [m.profile(n) for m in plan.matches for n in ("amount", "currency", "unit_price")]
    own = [each for each in own if each is not None]
    texts = [t for each in own for t in (each.texts[:1000] if each.kind == "text" else ())]
    return numbers.currency([*(each.name for each in own), *texts])


def _has_zones(plan: Plan) -> bool:
    """Tell whether moments have a time zone."""
    moments = [each for match in plan.matches for each in match.moments.values()]
    return any(m.has_zone or (m.kind != "moment" and m.dates.has_zone) for m in moments)


def _last_day(path: Path, text: str, plan: Plan) -> str:
    """Return the line of the last day in a source, by its draft."""
    days = []
    try:
        source = build(path, tomllib.loads(text))
        for name, parts in plan.tables.items():
            for match, part in zip(parts, source.tables[name].parts, strict=True):
                days += list(_last_days(source, match, part))
    except DataError:
        days = []
    if not days:
        return "# as_of = 2026-06-30  # the day the data was taken; no day could be read"
    return f"as_of = {max(days).isoformat():<35}  # the last day seen; later days are errors"


def _last_days(source: Source, match: Match, part: Part) -> Iterator[dt.date]:
    """Yield the last day in each column of dates of a file."""
    rows, file = match.found.table, match.found.files[0]
    for name, schema in TABLES[match.table].columns.items():
        own = part.columns.get(name)
        if own is None or schema.kind != "moment":
            continue
        zoned = [each for each in own.columns if getattr(rows[each].type(), "timezone", None)]
        local = {each: local_time(source, file, each, rows[each]) for each in zoned}
        value = RawColumn(rows.mutate(**local), file, source, match.table, name, own).value()
        last = own.value or value.max().execute()
        if not pd.isna(last):
            yield pd.Timestamp(last).date()


def _region_name(stem: str) -> str:
    """Return a name for the one region of a source."""
    return re.sub(r"[^\w -]", "", stem).strip(" .-_") or "all"


def _found(draft: Draft) -> str:
    """Return a line on which file is a table."""
    found = counted(sum("value" not in each.keys for each in draft.columns), "column")
    return f"{draft.table}: {draft.place} ({draft.saw['']}, {found} recognised)"


def _unsure(draft: Draft) -> Iterator[str]:
    """Yield what a reader should look at."""
    for each in draft.columns:
        said = "; ".join(filter(None, (each.unsure, writing.strange(each))))
        if said:
            yield f"{draft.table}.{each.name}: {said}"
    for key, done in _DONE.items():
        if "CHECK" in draft.saw.get(key, ""):
            yield f"{draft.table}: {draft.saw[key].partition('CHECK: ')[2]}: {done}"
    yield from (f"{draft.table}: {said}" for said in draft.unsure)


def _unused(made: list[Draft]) -> Iterator[str]:
    """Yield the columns that nothing is made of, once for files alike."""
    for columns in dict.fromkeys(each.unused for each in made if each.unused):
        places = dict.fromkeys(each.place for each in made if each.unused == columns)
        yield f"{listed(places, 80)}: columns not used: {listed(columns)}"
