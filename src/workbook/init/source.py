"""A source's TOML file for files that nobody has described yet."""

from __future__ import annotations

import datetime as dt
import os
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from analysis.data.contract import TABLES
from analysis.data.errors import DataError
from analysis.data.files import write_text
from analysis.data.mapping.schema import build, variables
from analysis.data.mapping.source import Part, Source
from analysis.data.reading import sheets
from analysis.data.validation.moments import local_time
from analysis.data.validation.values import RawColumn
from workbook.init import layouts, looking
from workbook.init import plan as plans
from workbook.init.drafting import drafts, report, writing
from workbook.init.drafting.toml_text import line
from workbook.init.matching import Match
from workbook.init.plan import Plan
from workbook.init.values.synonyms import known

DATABASES = (".duckdb", ".ddb", *looking.SQLITE)
FILES = (*layouts.TEXT, *layouts.TYPED, *layouts.PACKED, *sheets.ENDINGS)
_PASSWORD = re.compile(r"(://[^:/@]+:)(?!\$\{)[^@]+@")
_NOT_LAST = ("card_since", "joined_on")


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
        Path of a folder, of a file, of a DuckDB or SQLite file, or a database's address.
    output : Path, optional
        The TOML file; by default beside what is looked at, and named after it.
    force : bool
        Whether an existing file may be replaced.

    Raises
    ------
    DataError
        If there is nothing, no two tables are recognised, or the TOML file exists.
    """
    where = _where(address, output)
    path = where.path
    if path.exists() and not force:
        raise DataError(f"{path}: the file exists; --force replaces it, --output names another.")
    empty = _empty(where)
    found, passed = looking.look(empty)
    if where.only is not None:
        found = [each for each in found if each.files == (where.only,)]
        passed = {k: v for k, v in passed.items() if k.split(", sheet")[0] == where.only}
    plan = plans.plan(found)
    _check(plan, found, passed, address)
    folder = None if where.database else empty.folder
    made = drafts.draft(plan, folder, _region_name(path.stem))
    keys, saw, left = writing.lifted(made)
    country = plans.country(plan)
    draft = _text(where, keys, saw, left, plan, country, "")
    final = _text(where, keys, saw, left, plan, country, _as_of(path, draft, plan))
    write_text(path, final)
    unused = plan.unused | passed
    return Written(
        path=path,
        tables=tuple(map(report.table_line, made)),
        unsure=tuple(report.unsure(made)),
        passed=tuple(f"{name}: {why}" for name, why in unused.items()),
    )


@dataclass(frozen=True)
class _Where:
    """Where the data are, and where the TOML file goes."""

    path: Path
    folder: str = ""
    database: str = ""
    only: str | None = None


def _where(address: str, output: Path | None) -> _Where:
    """Return where the data are, from the point of the TOML file."""
    if "://" in address:
        name = re.sub(r"\W+", "_", address.rsplit("/", 1)[-1].split("?")[0]) or "database"
        return _Where(
            output or Path(f"{name}.toml"),
            database=_PASSWORD.sub(r"\1${DATABASE_PASSWORD}@", address),
        )
    looked = Path(address)
    if not looked.exists():
        raise DataError(
            f"{address}: there is no such folder or file; expected a folder of files, an Excel "
            "file, a DuckDB or SQLite file, or an address such as postgres://host/name."
        )
    looked = looked.resolve()
    if looked.is_dir():
        path = (output or looked.with_name(f"{looked.name}.toml")).absolute()
        return _Where(path, folder=_from(looked, path))
    path = (output or looked.with_name(f"{looked.stem.split('.')[0]}.toml")).absolute()
    if looked.suffix.lower() in DATABASES:
        return _Where(path, database=_from(looked, path))
    if looked.suffix.lower() not in FILES:
        raise DataError(
            f"{looked.name}: expected a folder, or a file that ends in one of "
            f"{', '.join([*FILES, *DATABASES])}."
        )
    return _Where(path, folder=_from(looked.parent, path), only=looked.name)


def _from(looked: Path, path: Path) -> str:
    """Return the path of what was looked at, from the folder of the TOML file."""
    return Path(os.path.relpath(looked, path.parent)).as_posix()


def _empty(where: _Where) -> Source:
    """Return a source without tables, whose files can be opened."""
    address = where.database
    for name in variables(address):
        if name not in os.environ:
            raise DataError(
                f"the environment variable {name} is not set; the TOML file names it in the place "
                "of what nobody should read there."
            )
        address = address.replace(f"${{{name}}}", os.environ[name])
    return Source(
        name=where.path.stem,
        title="",
        folder=where.path.parent / (where.folder or where.path.stem),
        database=address or None,
        currency="",
        calendar="CN",
        timezone=None,
        earliest=dt.date(1980, 1, 1),
        as_of=None,
        max_set_aside=0.05,
        notes=(),
        tables={},
    )


def _check(plan: Plan, found: list, passed: dict[str, str], address: str) -> None:
    """Refuse data in which no two tables are recognised."""
    if "customers" in plan.tables and len(plan.tables) > 1:
        return
    lines = [f"{name}: {why}" for name, why in passed.items()]
    lines += [f"{plans.label(each)} has the columns {', '.join(each.columns)}" for each in found]
    known_as = ", ".join(plan.tables) or "none"
    raise DataError(
        "\n".join(
            [
                f"{address}: expected customers and at least one of survey, complaints, "
                f"transactions and contacts; recognised: {known_as}. docs/data-contract.md says "
                "what a table needs; a TOML file of your own can name any column.",
                *lines,
            ]
        )
    )


def _text(
    where: _Where,
    keys: dict,
    saw: dict[str, str],
    left: list[drafts.Draft],
    plan: Plan,
    country: str,
    as_of: str,
) -> str:
    """Return the TOML file's text."""
    own = known()["countries"].get(country, {})
    head = [
        "# Written by workbook init: guesses, each with what was seen. CHECK: not sure.",
        "",
        line("title", where.path.stem.replace("_", " "), "a line for the reader"),
    ]
    if where.database:
        head.append(line("database", where.database))
    else:
        head.append(line("folder", where.folder))
    sign = plans.currency(plan)
    currency = sign or own.get("currency", "")
    why = "its sign stands in the data" if sign else "by the language of the columns"
    head.append(line("currency", currency, why) if currency else '# currency = "CNY"  # not seen')
    if country:
        head.append(line("calendar", country, "CHECK: by the language of the columns"))
    else:
        head.append('# calendar = "CN"  # whose working days count; this is the default')
    zone = own.get("timezone", "Asia/Shanghai")
    if plans.has_zones(plan):
        head.append(line("timezone", zone, "CHECK: moments have a zone; whose days count?"))
    else:
        head.append(f'# timezone = "{zone}"  # no moment has a zone, so none is needed')
    if as_of:
        head.append(f"as_of = {as_of:<35}  # the last day seen; later days are errors")
    else:
        head.append("# as_of = 2026-06-30  # the day the data was taken; no day could be read")
    head += [line(key, each, saw.get(key, "")) for key, each in keys.items()]
    shown = [replace(each, keys=_shown(each.keys)) for each in left]
    return writing.text_of(head, shown)


def _shown(keys: dict[str, object]) -> dict[str, object]:
    """Return the keys that have a value."""
    return {key: each for key, each in keys.items() if each is not None}


def _as_of(path: Path, text: str, plan: Plan) -> str:
    """Return the last day in a source, by its draft; nothing where no date can be read."""
    days = []
    try:
        source = build(path, tomllib.loads(text))
        for name, parts in plan.tables.items():
            for match, part in zip(parts, source.tables[name].parts, strict=True):
                days += list(_last_days(source, match, part))
    except DataError:
        return ""
    return max(days).isoformat() if days else ""


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
        last = value.max().execute()
        if not pd.isna(last):
            yield pd.Timestamp(last).date()


def _region_name(stem: str) -> str:
    """Return a name for the one region of a source."""
    return re.sub(r"[^\w -]", "", stem).strip(" .-_") or "all"
