"""The region of a customer who is in several: `region = { by = ... }`."""

from __future__ import annotations

import datetime as dt

import ibis
import pandas as pd
from ibis.expr.types import Table, Value

from analysis.data.errors import DataError
from analysis.data.mapping.source import ColumnMap, Part, Source
from analysis.data.reading.raw import ROW, RawTable
from analysis.data.validation.shown import LEAST_SHOWN
from analysis.data.validation.tables import OWN_REGION, WRITTEN, CheckedTable
from analysis.data.validation.values import RawColumn

EACH = "each"
LARGE = 30
"""Customers of a region beside which one of a few is rather a mistake."""
_SALES, _MOMENT, _INSTANT = "region_sales", "region_moment", "region_instant"


def rule_of(source: Source) -> str | None:
    """Return which region of a customer counts: None, or one of the words of `by`."""
    parts = source.tables["customers"].parts
    rules = {part.columns["region"].by for part in parts if "region" in part.columns}
    return next(iter(rules - {None}), None)


def region_map(source: Source) -> ColumnMap:
    """Return where the region of customers comes from."""
    part = source.tables["customers"].parts[0]
    return part.columns.get("region", part.plain["region"])


def moments_of(source: Source, raw: RawTable) -> tuple[str, ...]:
    """Return the columns of a file of customers that say when they bought, where that decides."""
    own = _lines(source, raw)
    if rule_of(source) in (None, EACH) or own is None or source.timezone is None:
        return ()
    used = own.columns.get("bought_at", own.plain["bought_at"]).used
    return used if set(used) <= set(raw.rows.columns) else ()


def _lines(source: Source, raw: RawTable) -> Part | None:
    """Return the part of the purchases that is the same file."""
    lines = source.tables.get("transactions")
    parts = lines.parts if lines else ()
    return next((part for part in parts if part.files == raw.part.files), None)


def scores(source: Source, raw: RawTable, rows: Table) -> dict[str, Value]:
    """Return what decides about a customer's region, for each row of the file of customers.

    Raises
    ------
    DataError
        If it is sales, and the file has none.
    """
    by = rule_of(source)
    if by in (None, EACH):
        return {}
    own, values = _lines(source, raw), {}
    for hidden, name in ((_SALES, "amount"), (_MOMENT, "bought_at")):
        each = own and own.columns.get(name, own.plain[name])
        if each and set(each.used) <= set(rows.columns):
            column = RawColumn(rows, raw.file, source, "transactions", name, each)
            values[hidden] = column.value()
            instant = column.instant() if hidden == _MOMENT and source.timezone else None
            values |= {} if instant is None else {_INSTANT: instant}
    if _MOMENT in values:  # a line whose date breaks the contract decides nothing
        moment, last = values[_MOMENT], source.as_of or dt.date.today()
        counts = (moment >= source.earliest) & (moment < last + dt.timedelta(days=1))
        values = {hidden: counts.ifelse(each, ibis.null()) for hidden, each in values.items()}
    if by == "most sales" and _SALES not in values:
        raise DataError(
            f"{raw.file}: region = {{ by = 'most sales' }} needs the sales beside the region: "
            "[customers] same_file_as = 'transactions'."
        )
    return values


def own(source: Source, name: str, raw: RawTable, rows: Table) -> dict[str, Value]:
    """Return the region that each row of a file names itself, where the file says it.

    Raises
    ------
    DataError
        If purchases do not say it: they would count in each region of their customer.
    """
    where = region_map(source)
    if where.columns and set(where.used) <= set(rows.columns):
        region = RawColumn(rows, raw.file, source, "customers", "region", where)
        return {OWN_REGION: region.value()}
    if name == "transactions" and where.columns:
        raise DataError(
            f"{raw.file}: no column {' '.join(where.columns)!r}, and region = {{ by = 'each' }} "
            "needs the region of each purchase."
        )
    return {}


def known_customers(source: Source, people: CheckedTable) -> Table:
    """Return `known_id` of all customers, `region` of the valid ones, and who is dropped."""
    rows = people.rows
    known = rows.group_by(known_id="customer_id")
    known = known.agg(region=rows["region"].max(where=~people.broken))
    if rule_of(source) == EACH:
        each = people.good.select(known_id="customer_id", region="region").distinct()
        known = each.union(known.filter(known["region"].isnull()).select("known_id", "region"))
    known = known.mutate(is_dropped=ibis.literal(False))
    if people.dropped is None:
        return known
    dropped = people.dropped.anti_join(known, [people.dropped["customer_id"] == known["known_id"]])
    columns = {"region": ibis.null("string"), "is_dropped": ibis.literal(True)}
    return known.union(dropped.select(known_id="customer_id").mutate(**columns))


def one_region(rows: Table, by: str, *, is_merged: bool) -> Table:
    """Return the rows of customers with the one region that counts for each.

    Parameters
    ----------
    rows : Table
        customer_id, region, `ROW`, and what `scores` gave.
    by : str
        "most sales", "last" or "first": by the moment of the purchase, or by the file's order.
    is_merged : bool
        Whether a customer's rows become one later on; else those of other regions are not theirs.
    """
    hidden = [name for name in (_SALES, _MOMENT, _INSTANT) if name in rows.columns]
    if _INSTANT in hidden:  # what came first in an hour that clocks show twice
        own = ibis.window(group_by="customer_id")
        is_known = rows[_INSTANT].count().over(own) == rows[_MOMENT].count().over(own)
        rows = rows.mutate(**{_MOMENT: ibis.ifelse(is_known, rows[_INSTANT], rows[_MOMENT])})
    moment = rows[_MOMENT] if _MOMENT in rows.columns else rows[ROW]
    pairs = rows.filter(rows["region"].notnull()).group_by("customer_id", "region")
    pairs = pairs.agg(
        sales=rows[_SALES].sum() if _SALES in rows.columns else ibis.literal(0.0),
        begin=moment.min(),
        end=moment.max(),
        row=rows[ROW].min(),
        last_row=rows[ROW].max(),
    )
    order = {
        "most sales": [pairs["sales"].fill_null(0.0).desc(), pairs["row"]],
        "last": [pairs["end"].desc(), pairs["last_row"].desc()],
        "first": [pairs["begin"], pairs["row"]],
    }[by]
    place = ibis.row_number().over(group_by="customer_id", order_by=order)
    chosen = pairs.mutate(place=place).filter(ibis._.place == 0)
    chosen = chosen.select(chosen_for="customer_id", chosen="region")
    joined = rows.left_join(chosen, rows["customer_id"] == chosen["chosen_for"])
    if not is_merged:  # with its region a row has a segment and an area
        is_other = (joined["region"] != joined["chosen"]).fill_null(False)
        joined = joined.filter(~is_other)
    chosen = dict.fromkeys(("region", WRITTEN + "region"), joined["chosen"])
    return joined.mutate(**chosen).drop("chosen", "chosen_for", *hidden)


def by_size(people: Table, rare: bool = False) -> pd.DataFrame:
    """Return `region`, its number of `customers` and its `first` row, by name: usual or rare ones.

    Rare ones have fewer than `LEAST_SHOWN` customers in a source with a region of `LARGE` or more.
    Their names may be a person's, by a shifted row, so that no report is made of them.
    """
    first = people[ROW].min() if ROW in people.columns else ibis.null("int64")
    counts = people.group_by("region").agg(customers=people.count(), first=first)
    counts = counts.order_by("region").to_pandas()
    is_rare = (counts["customers"] < LEAST_SHOWN) & bool(counts["customers"].max() >= LARGE)
    return counts[is_rare == rare].reset_index(drop=True)
