"""Build the map of one column of the contract from its keys, and refuse those that contradict."""

from __future__ import annotations

import re

from analysis.data.contract import ITEMS, TABLES
from analysis.data.errors import DataError
from analysis.data.mapping.keys import ColumnKeys, TableKeys
from analysis.data.mapping.source import ColumnMap
from analysis.data.mapping.types import LARGEST

_PLACES = ("column", "columns", "key", "value", "row", "expression")
_IDENTIFIERS = ("customer_id", "complaint_id", "unit")
_OF_KINDS = {
    "number": (
        *("scale", "scale_by", "scales", "offset", "expression", "decimal", "thousands"),
        *("scale_of", "reverse"),
    ),
    "moment": ("format",),
}
_OF_WRITTEN = ("values", "missing", "format", "decimal", "thousands", "numeric", "first")
"""Keys that say how a file writes what is read."""
_LABELS = {"number": "numbers", "moment": "dates"}


def marks_of(kind: str, common: dict) -> ColumnMap:
    """Return how a column of a kind is written that says nothing else."""
    return ColumnMap(
        formats=tuple(common["date_format"] or ()) if kind == "moment" else (),
        decimal=common["decimal"] or ".",
        thousands=common["thousands"] or "",
        missing=tuple(common["missing"] or ()),
    )


def column_of(table: str, name: str, keys: ColumnKeys, part: TableKeys, common: dict) -> ColumnMap:
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
    _check_formats(formats, where)
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
    known_as = "customer_id, complaint_id and unit"
    rules = {
        "'row' is for customer_id and complaint_id": keys.row and name not in _IDENTIFIERS[:2],
        f"'key' is for {known_as}": keys.key and name not in _IDENTIFIERS,
        f"'numeric' is for {known_as}": keys.numeric and name not in _IDENTIFIERS,
        "'values' is for columns of text and of numbers": keys.values and kind == "moment",
        "'values' names no word of the file": "values" in given
        and not all([keys.values, *keys.values.values()]),
        "'default' has no effect without 'values'": keys.default is not None and not keys.values,
        "'default' is empty": keys.default == "",
        "'scales' is empty": keys.scales == {},
        "'scale_by' needs 'scales', and 'scales' needs 'scale_by'": (keys.scale_by is None)
        != (keys.scales is None),
        "'first' has no effect without 'one_row_per'": keys.first and not part.one_row_per,
        "'first' takes the smallest name; a region needs by = 'most sales', 'last', 'first' or "
        "'each'": keys.first and (table, name) == ("customers", "region") and not keys.by,
        "'by' is for the region of [customers]": keys.by
        and (table, name) != ("customers", "region"),
        "'scale_of' and 'reverse' are for ratings": (keys.scale_of or keys.reverse)
        and name not in {*ITEMS, "satisfaction_after"},
        "'scale_of' and 'reverse' contradict 'scale', 'scale_by' and 'offset'": (
            keys.scale_of or keys.reverse
        )
        and given & {"scale", "scale_by", "offset"},
        "'first' and 'by' contradict each other": keys.first and keys.by,
        "'scale' and 'scale_by' contradict each other": {"scale", "scale_by"} <= given,
    }
    place = next((key for key in ("value", "row") if getattr(keys, key) not in (None, False)), "")
    idle = [key for key in _OF_WRITTEN if key in given and place]
    rules |= {f"{key!r} has no effect beside {place!r}": True for key in idle}
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


_DAY_AND_MONTH = re.compile(r"(?<!%[Yy][-/. ])%-?([dm])([^%]*)%-?([dm])")


def _check_formats(formats: list[str], where: str) -> None:
    """Refuse two formats that read a text such as 03/04/2024 as two days."""
    known: dict[str, tuple[str, str]] = {}
    for each in formats:
        found = _DAY_AND_MONTH.search(each)
        if found is None:
            continue
        mark, order = found[2], found[1] + found[3]
        first, other = known.setdefault(mark, (each, order))
        if other != order:
            raise DataError(
                f"{where}{first!r} and {each!r} read 03{mark}04{mark}2024 as different days; "
                "expected one, and a part of its own for files that write dates in another way."
            )


def _is_number(text: str) -> bool:
    """Tell whether a text is a number as TOML writes it."""
    return bool(re.fullmatch(r"[+-]?\d+(\.\d+)?", text)) and abs(float(text)) <= LARGEST
