"""Which rows of a file count: `keep` and `drop` of the TOML file."""

from __future__ import annotations

import dataclasses
from datetime import date

import ibis
from ibis.expr.types import BooleanValue, Table

from analysis.data.contract import TABLES
from analysis.data.errors import DataError
from analysis.data.mapping.keys import Limits
from analysis.data.mapping.source import Source
from analysis.data.reading import names
from analysis.data.reading.raw import ROW, RawTable
from analysis.data.reading.raw import place as place_of
from analysis.data.validation import moments
from analysis.data.validation.shown import described
from analysis.data.validation.values import RawColumn


def kept(source: Source, raw: RawTable) -> Table:
    """Return the rows of a file that its filters keep.

    Raises
    ------
    DataError
        If a filter names a column that is not there.
    """
    part = raw.part
    used = dict.fromkeys((*part.keep, *part.drop))
    for column in used:
        if column not in raw.rows.columns:
            word, own = "keep" if column in part.keep else "drop", set(raw.rows.columns) - {ROW}
            raise DataError(f"{raw.file}: no column {column!r} ({word}).{names.hint(column, own)}")
    raw = dataclasses.replace(raw, rows=moments.in_local_time(source, raw.file, raw.rows, used))
    found = [_has(source, raw, *each).fill_null(False) for each in part.keep.items()]
    found += [~_has(source, raw, *each).fill_null(False) for each in part.drop.items()]
    return raw.rows.filter(found) if found else raw.rows


def _has(source: Source, raw: RawTable, column: str, wanted: Limits | list[str]) -> BooleanValue:
    """Tell which rows have one of some values, or one in a range."""
    if not isinstance(wanted, list):
        return _within(source, raw, column, wanted)
    own = _column(source, raw, "customers", "segment", column)
    known, text = own.written(column), names.written(raw.rows, column)
    return known.fill_null("").isin(wanted) | own.is_one_of(text, wanted).fill_null(False)


def _within(source: Source, raw: RawTable, column: str, limits: Limits) -> BooleanValue:
    """Tell which rows lie in a range, both ends included.

    Raises
    ------
    DataError
        If a value is no number, or no date: it would be in no range.
    """
    is_date = isinstance(limits.min if limits.min is not None else limits.max, date)
    place = ("transactions", "bought_at") if is_date else ("transactions", "quantity")
    own = _column(source, raw, *place, column)
    value = own.value()
    bad = own.raw.filter(value.isnull() & own.written(column).notnull())
    first = bad.order_by(ROW).limit(1).to_pandas()
    if len(first):
        words = "a date (date_format says how it is written)" if is_date else "a number"
        where = place_of(first[ROW][0], (raw.file,))
        raise DataError(
            f"{raw.file}, {where}: {described(first[column][0])} in {column!r}; expected {words} "
            "for the range of keep or drop."
        )
    if is_date:
        value = value.date()
    ends = []
    if limits.min is not None:
        ends.append(value >= limits.min)
    if limits.max is not None:
        ends.append(value <= limits.max)
    return ibis.and_(*ends)


def _column(source: Source, raw: RawTable, table: str, name: str, column: str) -> RawColumn:
    """Return a column of the file, read as a column of the contract would be."""
    own = dataclasses.replace(raw.part.marks[TABLES[table].columns[name].kind], columns=(column,))
    return RawColumn(raw.rows, raw.file, source, table, name, own)
