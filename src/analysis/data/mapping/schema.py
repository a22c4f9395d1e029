"""Build a source from its TOML file; every mistake in it gets one sentence that names its place."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

from analysis.data.contract import TABLES
from analysis.data.errors import DataError, nearest
from analysis.data.mapping import without_effect
from analysis.data.mapping.columns import column_of, marks_of
from analysis.data.mapping.keys import ColumnKeys, Marks, SourceKeys, TableKeys
from analysis.data.mapping.mistakes import check_name, checked, shown
from analysis.data.mapping.outside import check_no_address, files_outside, is_database_outside
from analysis.data.mapping.source import Part, Source, TableMap
from analysis.data.places import check_calendar, check_timezone, timezone_of
from analysis.language import text

_SCHEME = re.compile(r"[a-z][a-z0-9+]*")
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_OF_FILES = (
    *("file", "files", "sheet", "skip", "header", "joins", "delimiter", "encoding"),
    *("keep", "drop", "count", "schema_name", "catalog_name", "updated_at", "complete", "outside"),
)
_CASCADE = ("decimal", "thousands", "missing", "encoding", "delimiter", "date_format")


def variables(text: str) -> list[str]:
    """Return the environment variables that an address takes as ${NAME}."""
    return _VARIABLE.findall(text)


def filled(text: str) -> str:
    """Return a text in which each ${NAME} is taken from the environment, if it is there."""
    return _VARIABLE.sub(lambda match: os.environ.get(match[1], match[0]), text)


def build(path: Path, entry: dict) -> Source:
    """Build a source from what its file says; messages do not name the file yet.

    Raises
    ------
    DataError
        One line for each mistake.
    """
    check_name(path.stem)
    _check_names(entry)
    own = checked(SourceKeys, {key: each for key, each in entry.items() if key not in TABLES}, "")
    tables = {name: each for name, each in entry.items() if name in TABLES}
    if "customers" not in tables or len(tables) < 2:
        raise DataError("expected a table [customers] and at least one other.")
    _check_marks(own, "")
    without_effect.check_source(own)
    if own.as_of is not None and own.earliest > own.as_of:
        raise DataError(f"earliest = {own.earliest} lies after as_of = {own.as_of}.")
    maps = {name: _table(name, tables, own) for name in tables}
    _check_row_numbers(maps, own.database)
    zone = None
    if own.timezone is not None:
        zone = check_timezone(own.timezone)
    elif own.calendar is not None:
        zone = timezone_of(check_calendar(own.calendar))
    check_no_address("folder", own.folder or "")
    folder = Path(os.path.normpath(path.parent / (own.folder or path.stem)))
    address = _address(own.database)
    is_beyond = is_database_outside(own, address, path.parent)
    outside = {} if own.database else files_outside(maps, folder)
    beyond = [own.database] if is_beyond else [*outside]
    said = [text("{file!r} lies outside the folder of the source.", file=each) for each in beyond]
    return Source(
        name=path.stem,
        title=own.title or path.stem,
        folder=folder,
        database=address,
        currency=own.currency,
        calendar=check_calendar(own.calendar or "CN"),
        timezone=zone,
        earliest=own.earliest,
        as_of=own.as_of,
        max_set_aside=own.max_set_aside,
        notes=(*own.notes, *said),
        tables=maps,
        stated=own.database,
        outside=tuple(outside.values()),
        statement_timeout=own.statement_timeout,
    )


def _texts(value: object) -> Iterator[str]:
    """Yield all texts in a value of the file, keys among them."""
    if isinstance(value, dict):
        yield from value
    inner = value.values() if isinstance(value, dict) else value
    if isinstance(value, dict | list):
        for each in inner:
            yield from _texts(each)
    elif isinstance(value, str):
        yield value


def _check_names(entry: dict) -> None:
    """Refuse unknown keys of the file, tables that are none, and characters of no text."""
    for key, each in entry.items():
        if any("\0" in text for text in _texts({key: each})):
            raise DataError(f"{key.strip(chr(0))}: a text holds a character of no text (NUL).")
    known = (*SourceKeys.model_fields, *TABLES)
    lines = [f"unknown key {key!r}.{nearest(key, known)}" for key in entry if key not in known]
    for name in TABLES:
        each = entry.get(name, {})
        if not isinstance(each, dict) and not (
            isinstance(each, list) and each and all(isinstance(part, dict) for part in each)
        ):
            lines.append(f"{name} = {each!r}: expected a table.")
    if lines:
        raise DataError("\n".join(lines))


def _table(name: str, tables: Mapping[str, dict | list], own: SourceKeys) -> TableMap:
    """Build the map of one table, of one part or several."""
    entries = tables[name] if isinstance(tables[name], list) else [tables[name]]
    parts = [part for entry in entries for part in _parts(name, entry, tables, own)]
    refunds = {part.refunds for part in parts if part.refunds}
    if len(refunds) > 1:
        raise DataError(f"[{name}] refunds: the parts of the table say different things.")
    rules = {part.columns["region"].by for part in parts if "region" in part.columns}
    if len(rules - {None}) > 1:
        raise DataError(
            f"[{name}.columns] region: by: the parts of the table say different things."
        )
    return TableMap(tuple(parts), next(iter(refunds), "net"))


def _parts(
    name: str, entry: dict, tables: Mapping[str, dict | list], own: SourceKeys
) -> list[Part]:
    """Build one part of a table, or those of the table whose file it is."""
    where, other = f"[{name}] ", entry.get("same_file_as")
    _check_columns(name, entry.get("columns", {}))
    keys = checked(TableKeys, entry, where)
    if other is None:
        return [_part(name, keys, own)]
    others = [each for each in tables if each != name]
    if other not in others:
        raise DataError(
            f"{where}same_file_as = {other!r} is no other table of this source."
            f"{nearest(other, others)}"
        )
    same = tables[other] if isinstance(tables[other], list) else [tables[other]]
    shared = [{key: part[key] for key in _OF_FILES if key in part} for part in same]
    shared = [part for i, part in enumerate(shared) if part not in shared[:i]]
    return [_part(name, checked(TableKeys, part | entry, where), own) for part in shared]


def _check_columns(table: str, columns: object) -> None:
    """Refuse columns that the contract's table does not have."""
    if not isinstance(columns, dict):
        raise DataError(f"[{table}] columns = {shown(columns)}: expected a table.")
    known = TABLES[table].columns
    lines = [
        f"[{table}.columns] unknown key {name!r}.{nearest(name, known)}"
        for name in columns
        if name not in known
    ]
    if lines:
        raise DataError("\n".join(lines))


def _part(name: str, keys: TableKeys, own: SourceKeys) -> Part:
    """Build one part of a table."""
    where = f"[{name}] "
    if (keys.file is None) == (keys.files is None):
        raise DataError(
            f"{where}'file' and 'files' contradict each other."
            if keys.file
            else f"{where}needs a key 'file', or 'files' for several."
        )
    common = {key: getattr(keys, key) for key in _CASCADE}
    common = {key: getattr(own, key) if each is None else each for key, each in common.items()}
    common |= {"scale_of": keys.scale_of}
    known = TABLES[name].columns
    if keys.one_row_per is not None and keys.one_row_per not in known:
        raise DataError(
            f"{where}one_row_per = {keys.one_row_per!r}: the table has no such column."
            f"{nearest(keys.one_row_per, known)}"
        )
    if keys.scale_of and name != "survey":
        raise DataError(f"{where}scale_of is for the ratings of [survey].")
    if keys.refunds and name != "transactions":
        raise DataError(f"{where}refunds is for [transactions].")
    if keys.header and keys.skip:
        raise DataError(f"{where}skip is for rows above a header, and this file has none.")
    header = [each.strip() for each in keys.header or ()]
    if twice := sorted({each for each in header if header.count(each) > 1}):
        raise DataError(f"{where}header names {twice[0]!r} twice.")
    _check_filters(keys, where)
    without_effect.check_table(name, keys, where, own.database)
    columns = {key: column_of(name, key, each, keys, common) for key, each in keys.columns.items()}
    plain = {key: column_of(name, key, ColumnKeys(column=key), keys, common) for key in known}
    return Part(
        files=tuple(keys.files or [keys.file]),
        is_pattern=keys.files is not None,
        schema_name=keys.schema_name or "",
        catalog_name=keys.catalog_name or "",
        updated_at=keys.updated_at or "",
        outside=own.outside if keys.outside is None else keys.outside,
        complete=own.complete if keys.complete is None else keys.complete,
        sheet=keys.sheet or "",
        skip=keys.skip,
        header=tuple(keys.header or ()),
        encoding=common["encoding"] or "utf-8",
        delimiter=common["delimiter"] or ",",
        joins=tuple(keys.joins),
        one_row_per=keys.one_row_per,
        keep=keys.keep,
        drop=keys.drop,
        count=keys.count,
        refunds=keys.refunds,
        columns=columns,
        marks={kind: marks_of(kind, common) for kind in ("text", "number", "moment")},
        plain=plain,
    )


def _check_filters(keys: TableKeys, where: str) -> None:
    """Refuse a range without an end, and a column that is kept and dropped by the same value."""
    for word, filters in (("keep", keys.keep), ("drop", keys.drop)):
        for column, each in filters.items():
            if isinstance(each, list):
                if not each:
                    raise DataError(f"{where}{word}: {column}: expected at least one word.")
                continue
            ends = [end for end in (each.min, each.max) if end is not None]
            if not ends:
                raise DataError(f"{where}{word}: {column}: expected min, max, or both.")
            if len({isinstance(end, date) for end in ends}) > 1 or ends[0] > ends[-1]:
                raise DataError(f"{where}{word}: {column}: min and max contradict each other.")
    for column in keys.keep.keys() & keys.drop.keys():
        kept, dropped = keys.keep[column], keys.drop[column]
        if isinstance(kept, list) and isinstance(dropped, list) and set(kept) & set(dropped):
            raise DataError(f"{where}keep and drop name the same value of {column!r}.")


def _check_marks(marks: Marks, where: str) -> None:
    """Refuse a decimal mark that separates thousands, too."""
    if marks.thousands and marks.thousands == (marks.decimal or "."):
        raise DataError(f"{where}decimal and thousands are both {marks.thousands!r}.")


def _check_row_numbers(tables: Mapping[str, TableMap], database: str | None) -> None:
    """Refuse customers numbered by row unless every table is the same file."""
    parts = [part for table in tables.values() for part in table.parts]
    ids = [part.columns.get("customer_id") for part in parts]
    numbered = [each is not None and each.row for each in ids]
    files = {(part.files, part.sheet, part.header) for part in parts}
    if any(numbered) and not (all(numbered) and len(files) == 1 and not database):
        raise DataError(
            "customer_id = { row = true } numbers the rows of one file: "
            "expected in every table, all of them the same file and none in a database."
        )


def _address(stated: str | None) -> str | None:
    """Return a database as it is opened; that of a DuckDB or SQLite file is its path.

    Another spelling of a scheme would pass by what is known of it: "DuckDB://" by its lock.
    """
    if not stated:
        return None
    address = _VARIABLE.sub(_variable, stated)
    scheme, mark, path = address.partition("://")
    kinds = [each.partition("://")[0] for each in (stated, address) if "://" in each]
    if not all(map(_SCHEME.fullmatch, kinds)):
        raise DataError(
            f"database = {stated!r}: expected before :// the kind of a database in small letters, "
            'such as "postgresql".'
        )
    if mark and scheme in ("duckdb", "sqlite"):
        return path.partition("?")[0]
    try:
        _ = mark and urlsplit(address).port
    except ValueError:  # whose text may hold the password
        raise DataError(
            "database: expected an address such as 'postgresql://user:${PASSWORD}@host:5432/name'; "
            "in a name or password, : / ? # [ ] @ are written as %3A %2F %3F %23 %5B %5D %40."
        ) from None
    return address


def _variable(match: re.Match) -> str:
    """Return the environment variable that ${NAME} stands for."""
    if match[1] not in os.environ:
        raise DataError(f"the environment variable {match[1]} is not set.")
    return os.environ[match[1]]
