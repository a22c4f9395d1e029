"""Which rows count: `keep` and `drop`, what was known on a day, what finds nothing joined."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta

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
from analysis.data.validation.numbers import numeric_id
from analysis.data.validation.refunds import KEPT, UNDONE
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
            word, hint = "keep" if column in part.keep else "drop", names.hint(column, raw.rows)
            raise DataError(f"{raw.file}: no column {column!r} ({word}).{hint}")
    raw = dataclasses.replace(raw, rows=moments.in_local_time(source, raw.file, raw.rows, used))
    found = [_has(source, raw, *each).fill_null(False) for each in part.keep.items()]
    found += [~_has(source, raw, *each).fill_null(False) for each in part.drop.items()]
    return raw.rows.filter(found) if found else raw.rows


def filtered_out(source: Source, raws: Sequence[RawTable]) -> int:
    """Return how many rows `keep` and `drop` take out.

    Raises
    ------
    DataError
        If these are all.
    """
    filters = [column for each in raws for column in (*each.part.keep, *each.part.drop)]
    if not filters:
        return 0
    every = sum(int(each.rows.count().execute()) for each in raws)
    left = sum(int(kept(source, each).count().execute()) for each in raws)
    if not left:
        columns = ", ".join(dict.fromkeys(filters))
        raise DataError(
            f"{raws[0].file}: keep and drop leave none of {every:,} rows; expected words and "
            f"ranges as they stand in {columns}."
        )
    return every - left


def thinned(source: Source, raws: Iterable[RawTable]) -> Table | None:
    """Return the identifiers of all customers in the files of which not all rows are kept."""
    found = []
    for raw in raws:
        part = raw.part
        if part.keep or part.drop:
            own = part.columns.get("customer_id", part.plain["customer_id"])
            each = RawColumn(raw.rows, raw.file, source, "customers", "customer_id", own)
            found.append(raw.rows.select(customer_id=each.value()).distinct())
    if not found:
        return None
    every = ibis.union(*found) if len(found) > 1 else found[0]
    return every.filter(every["customer_id"].notnull()).distinct()


def unfound(source: Source, raw: RawTable) -> Iterator[dict[str, object]]:
    """Yield of each joined file how many rows find nothing there, and how many would as numbers."""
    rows = kept(source, raw) if raw.known else raw.rows
    for join, known, prefix in raw.known:
        lost = rows.filter(rows[f"{prefix}.{join.on}"].isnull())
        if n := int(lost.count().execute()):
            numbers = known.select(own=numeric_id(names.written(known, join.on))).distinct()
            text = numeric_id(names.written(lost, join.on))
            yield {
                "file": raw.file,
                "other": join.file,
                "key": join.on,
                "rows": n,
                "all": int(rows.count().execute()),
                "numeric": int(lost.filter(text.isin(numbers["own"])).count().execute()),
            }


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


def known_by(name: str, rows: Table, end: date) -> Table:
    """Return the rows of a table that were known on a day, without what came later."""
    schema, tomorrow = TABLES[name].columns, end + timedelta(days=1)
    moments = [each for each in rows.columns if each in schema and schema[each].kind == "moment"]
    first = next((each for each in moments if each != "card_since"), None)
    if first is not None:
        rows = rows.filter(rows[first].isnull() | (rows[first] < tomorrow))
    if UNDONE in rows.columns:
        rows = _without_refunds(rows, tomorrow)
    return _without_later(rows, [each for each in moments if each != first], tomorrow)


def _without_refunds(rows: Table, tomorrow: date) -> Table:
    """Take what was given back by a day out of purchases."""
    given_back = rows[UNDONE].filter(lambda moment: moment < tomorrow).length().fill_null(0)
    kept = ibis.ifelse(given_back > 0, rows[KEPT][given_back - 1], 1.0)
    left = rows.mutate(**{KEPT: kept}).filter(ibis._[KEPT] > 0)
    names = [each for each in ("amount", "quantity", "cost") if each in rows.columns]
    return left.mutate(**{each: left[each] * left[KEPT] for each in names}).drop(KEPT, UNDONE)


def _without_later(rows: Table, later: list[str], tomorrow: date) -> Table:
    """Empty what a row says of days to come: a card, an answer to a complaint."""
    known = {column: rows[column] < tomorrow for column in later}
    values = {column: known[column].ifelse(rows[column], ibis.null()) for column in later}
    if "resolved_at" in known and "satisfaction_after" in rows.columns:
        settled = known["resolved_at"].fill_null(True)
        values["satisfaction_after"] = settled.ifelse(rows["satisfaction_after"], ibis.null())
    return rows.mutate(**values) if values else rows
