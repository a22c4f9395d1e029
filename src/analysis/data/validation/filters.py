"""Which rows of a file count: `keep` and `drop` of the TOML file."""

from __future__ import annotations

import dataclasses
from datetime import date

import ibis
from ibis.expr.types import BooleanValue, Table

from analysis.data.contract import TABLES
from analysis.data.errors import DataError, nearest
from analysis.data.mapping.keys import Limits
from analysis.data.mapping.source import Source
from analysis.data.reading.raw import ROW, RawTable
from analysis.data.validation.values import RawColumn


def kept(source: Source, raw: RawTable) -> Table:
    """Return the rows of a file that its filters keep.

    Raises
    ------
    DataError
        If a filter names a column that is not there.
    """
    part, rows = raw.part, raw.rows
    for filters, is_kept in ((part.keep, True), (part.drop, False)):
        for column, wanted in filters.items():
            if column not in raw.rows.columns:
                word, own = "keep" if is_kept else "drop", [c for c in rows.columns if c != ROW]
                raise DataError(f"{raw.file}: no column {column!r} ({word}).{nearest(column, own)}")
            found = _has(source, raw, column, wanted).fill_null(False)
            rows = rows.filter(found if is_kept else ~found)
    return rows


def _has(source: Source, raw: RawTable, column: str, wanted: Limits | list[str]) -> BooleanValue:
    """Tell which rows have one of some values, or one in a range."""
    if not isinstance(wanted, list):
        return _within(source, raw, column, wanted)
    text = _column(source, raw, "customers", "segment", column).written(column)
    return text.fill_null("").isin(wanted)


def _within(source: Source, raw: RawTable, column: str, limits: Limits) -> BooleanValue:
    """Tell which rows lie in a range, both ends included."""
    is_date = isinstance(limits.min if limits.min is not None else limits.max, date)
    place = ("transactions", "bought_at") if is_date else ("transactions", "amount")
    value = _column(source, raw, *place, column).value()
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
