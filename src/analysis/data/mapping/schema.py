"""Build a source from its TOML file; every mistake in it gets one sentence that names its place."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

from pydantic import ValidationError

from analysis.data.contract import ITEMS, TABLES
from analysis.data.errors import DataError, nearest
from analysis.data.mapping.keys import ColumnKeys, JoinKeys, Keys, Marks, SourceKeys, TableKeys
from analysis.data.mapping.source import ColumnMap, Part, Source, TableMap
from analysis.data.places import check_calendar, check_timezone, timezone_of

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_PLACES = ("column", "columns", "key", "value", "row", "expression")
_IDENTIFIERS = ("customer_id", "complaint_id")
_OF_FILES = (
    *("file", "files", "sheet", "skip", "header", "joins", "delimiter", "encoding"),
    *("keep", "drop", "count"),
)
_CASCADE = ("decimal", "thousands", "missing", "encoding", "delimiter", "date_format")
_OF_KINDS = {
    "number": (
        *("scale", "scale_by", "scales", "offset", "expression", "decimal", "thousands"),
        *("scale_of", "reverse"),
    ),
    "moment": ("format",),
}
_LABELS = {"number": "numbers", "moment": "dates"}
_EXPECTED = {
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "bool_type": "true or false",
    "float_type": "a number",
    "int_type": "a whole number",
    "date_type": "a date",
    "date_from_datetime_inexact": "a date",
    "greater_than_equal": "a number of at least {ge}",
    "less_than_equal": "a number of at most {le}",
    "finite_number": "a finite number",
    "literal_error": "{expected}",
    "too_short": "a list of at least {min_length}",
}


def variables(text: str) -> list[str]:
    """Return the environment variables that an address takes as ${NAME}."""
    return _VARIABLE.findall(text)


def build(path: Path, entry: dict) -> Source:
    """Build a source from what its file says; messages do not name the file yet.

    Raises
    ------
    DataError
        One line for each mistake.
    """
    _check_names(entry)
    own = _checked(SourceKeys, {key: each for key, each in entry.items() if key not in TABLES}, "")
    tables = {name: each for name, each in entry.items() if name in TABLES}
    if "customers" not in tables or len(tables) < 2:
        raise DataError("expected a table [customers] and at least one other.")
    _check_marks(own, "")
    maps = {name: _table(name, tables, own) for name in tables}
    _check_row_numbers(maps, own.database)
    zone = None
    if own.timezone is not None:
        zone = check_timezone(own.timezone)
    elif own.calendar is not None:
        zone = timezone_of(check_calendar(own.calendar))
    return Source(
        name=path.stem,
        title=own.title or path.stem,
        folder=path.parent / (own.folder or path.stem),
        database=_VARIABLE.sub(_variable, own.database) if own.database else None,
        currency=own.currency,
        calendar=check_calendar(own.calendar or "CN"),
        timezone=zone,
        earliest=own.earliest,
        as_of=own.as_of,
        max_set_aside=own.max_set_aside,
        notes=tuple(own.notes),
        tables=maps,
    )


def _check_names(entry: dict) -> None:
    """Refuse unknown keys of the file, and tables that are none."""
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


def _checked(kind: type[Keys], entry: dict, where: str) -> Keys:
    """Return the keys of one part of the file, or say what is wrong with each."""
    try:
        return kind.model_validate(entry)
    except ValidationError as error:
        lines = dict.fromkeys(_sentences(error, kind, where))
        raise DataError("\n".join(lines)) from None


def _sentences(error: ValidationError, kind: type[Keys], where: str) -> Iterator[str]:
    """Yield a sentence for each mistake in one part of the file."""
    for each in error.errors(include_url=False):
        place, key = [part for part in each["loc"] if isinstance(part, str)], None
        names = kind.model_fields
        if "columns" in place[:1] and kind is TableKeys and len(place) > 1:
            prefix, key = f"{where[:-2]}.columns] {place[1]}: ", ".".join(place[2:3])
            names = ColumnKeys.model_fields
        elif "joins" in place[:1] and len(place) > 1:
            prefix, key, names = f"{where}joins: ", place[1], JoinKeys.model_fields
        else:
            prefix, key = where, place[0] if place else ""
        if each["type"] == "extra_forbidden":
            yield f"{prefix}unknown key {place[-1]!r}.{nearest(place[-1], names)}"
        elif each["type"] == "missing":
            yield f"{prefix}needs a key {place[-1]!r}."
        elif each["type"] == "value_error":
            yield f"{prefix}{key} = {_shown(each['input'])}: {each['ctx']['error']}."
        else:
            expected = _EXPECTED.get(each["type"], each["msg"]).format(**each.get("ctx", {}))
            yield f"{prefix}{key} = {_shown(each['input'])}: expected {expected}."


def _shown(value: object) -> str:
    """Return a value as it stands in the file, or its beginning."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _table(name: str, tables: Mapping[str, dict | list], own: SourceKeys) -> TableMap:
    """Build the map of one table, of one part or several."""
    entries = tables[name] if isinstance(tables[name], list) else [tables[name]]
    parts = [part for entry in entries for part in _parts(name, entry, tables, own)]
    refunds = {part.refunds for part in parts if part.refunds}
    if len(refunds) > 1:
        raise DataError(f"[{name}] refunds: the parts of the table say different things.")
    return TableMap(tuple(parts), next(iter(refunds), "net"))


def _parts(
    name: str, entry: dict, tables: Mapping[str, dict | list], own: SourceKeys
) -> list[Part]:
    """Build one part of a table, or those of the table whose file it is."""
    where, other = f"[{name}] ", entry.get("same_file_as")
    _check_columns(name, entry.get("columns", {}))
    keys = _checked(TableKeys, entry, where)
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
    return [_part(name, _checked(TableKeys, part | entry, where), own) for part in shared]


def _check_columns(table: str, columns: object) -> None:
    """Refuse columns that the contract's table does not have."""
    if not isinstance(columns, dict):
        raise DataError(f"[{table}] columns = {_shown(columns)}: expected a table.")
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
        raise DataError(f"{where}needs a key 'file', or 'files' for several.")
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
    _check_filters(keys, where)
    columns = {key: _column(name, key, each, keys, common) for key, each in keys.columns.items()}
    plain = {key: _column(name, key, ColumnKeys(column=key), keys, common) for key in known}
    return Part(
        files=tuple(keys.files or [keys.file]),
        is_pattern=keys.files is not None,
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
        marks={kind: _marks(kind, common) for kind in ("text", "number", "moment")},
        plain=plain,
    )


def _marks(kind: str, common: dict) -> ColumnMap:
    """Return how a column of a kind is written that says nothing else."""
    return ColumnMap(
        formats=tuple(common["date_format"] or ()) if kind == "moment" else (),
        decimal=common["decimal"] or ".",
        thousands=common["thousands"] or "",
        missing=tuple(common["missing"] or ()),
    )


def _check_filters(keys: TableKeys, where: str) -> None:
    """Refuse a range without an end, and a column that is kept and dropped by the same value."""
    for word, filters in (("keep", keys.keep), ("drop", keys.drop)):
        for column, each in filters.items():
            if isinstance(each, list):
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


def _column(table: str, name: str, keys: ColumnKeys, part: TableKeys, common: dict) -> ColumnMap:
    """Build the map of one column; what it does not say, its table and its source do."""
    where = f"[{table}.columns] {name}: "
    kind = TABLES[table].columns[name].kind
    _check_column(table, name, kind, keys, part, where)
    values = {each: tuple(owns) for each, owns in keys.values.items()}
    is_rating = table == "survey" and name in ITEMS
    scale_of = keys.scale_of or (
        common["scale_of"]
        if is_rating and keys.scale is None and keys.offset is None and keys.scale_by is None
        else None
    )
    formats = (keys.format or common["date_format"] or []) if kind == "moment" else []
    column = ColumnMap(
        columns=tuple([keys.column] if keys.column is not None else keys.columns or keys.key or ()),
        is_key=keys.key is not None,
        value=keys.value,
        row=keys.row,
        expression=keys.expression,
        formats=tuple(formats),
        decimal=keys.decimal or common["decimal"] or ".",
        thousands=common["thousands"] or "" if keys.thousands is None else keys.thousands,
        missing=tuple(common["missing"] or () if keys.missing is None else keys.missing),
        values=values,
        default=keys.default,
        scale=1.0 if keys.scale is None else keys.scale,
        offset=keys.offset or 0.0,
        scale_by=keys.scale_by,
        scales=keys.scales or {},
        scale_of=tuple(scale_of) if scale_of else ((1.0, 10.0) if keys.reverse else None),
        reverse=keys.reverse,
        numeric=keys.numeric,
        first=keys.first,
        by=keys.by,
    )
    if kind == "number" and column.decimal == column.thousands:
        raise DataError(f"{where}decimal and thousands are both {column.decimal!r}.")
    return column


def _check_column(
    table: str, name: str, kind: str, keys: ColumnKeys, part: TableKeys, where: str
) -> None:
    """Refuse a column in no place or in two, and keys that would do nothing where they stand."""
    if sum(getattr(keys, key) not in (None, False) for key in _PLACES) != 1:
        raise DataError(f"{where}expected one of {', '.join(map(repr, _PLACES))}.")
    given = keys.model_fields_set
    for own_kind, names in _OF_KINDS.items():
        extra = [key for key in names if key in given]
        if extra and kind != own_kind:
            raise DataError(f"{where}{extra[0]!r} is for columns of {_LABELS[own_kind]}.")
    rules = {
        "'row' is for customer_id and complaint_id": keys.row and name not in _IDENTIFIERS,
        "'key' is for customer_id and complaint_id": keys.key and name not in _IDENTIFIERS,
        "'numeric' is for customer_id and complaint_id": keys.numeric and name not in _IDENTIFIERS,
        "'values' is for columns of text and of numbers": keys.values and kind == "moment",
        "'default' has no effect without 'values'": keys.default is not None and not keys.values,
        "'scale_by' needs 'scales', and 'scales' needs 'scale_by'": (keys.scale_by is None)
        != (keys.scales is None),
        "'first' has no effect without 'one_row_per'": keys.first and not part.one_row_per,
        "'by' is for the region of [customers]": keys.by
        and (table, name) != ("customers", "region"),
        "'scale_of' and 'reverse' are for ratings": (keys.scale_of or keys.reverse)
        and name not in {*ITEMS, "satisfaction_after"},
        "'scale_of' and 'reverse' contradict 'scale', 'scale_by' and 'offset'": (
            keys.scale_of or keys.reverse
        )
        and given & {"scale", "scale_by", "offset"},
        "'scale' and 'scale_by' contradict each other": {"scale", "scale_by"} <= given,
    }
    for sentence, is_broken in rules.items():
        if is_broken:
            raise DataError(f"{where}{sentence}.")
    owns = [own for each in keys.values.values() for own in each]
    twice = sorted({own for own in owns if owns.count(own) > 1})
    if twice:
        raise DataError(f"{where}values: {twice[0]!r} stands under two names.")
    numbers = [*keys.values, *([keys.default] if keys.default is not None else [])]
    if kind == "number" and (bad := [each for each in numbers if not _is_number(each)]):
        raise DataError(f"{where}values: {bad[0]!r} is no number, and the column holds numbers.")


def _is_number(text: str) -> bool:
    """Tell whether a text is a number as TOML writes it."""
    return bool(re.fullmatch(r"[+-]?\d+(\.\d+)?", text))


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


def _variable(match: re.Match) -> str:
    """Return the environment variable that ${NAME} stands for."""
    if match[1] not in os.environ:
        raise DataError(f"the environment variable {match[1]} is not set.")
    return os.environ[match[1]]
