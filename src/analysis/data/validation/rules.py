"""The contract's rules as expressions that the engine evaluates, row by row."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import ibis
import ibis.expr.operations as ops
from ibis.expr.types import BooleanValue, Table, Value

from analysis.data.contract import ORDERED, TABLES, failing, in_words
from analysis.data.errors import DataError, nearest
from analysis.data.mapping import ColumnMap, Source, TableMap
from analysis.data.readers import ROW
from analysis.data.validation.values import AFTER_TIME, ZONE, RawColumn, local_time

REST = "rest_of_row"
"""Column with a hash of what a purchase line holds beside the contract's values."""
WRITTEN = "written."
"""Prefix of the columns with the values as they were written."""
ZONE_EXPECTED = "after the time nothing, or a zone that is Z, UTC, GMT or an offset up to 14:00"


@dataclass(frozen=True)
class Rule:
    """What a value must be.

    Attributes
    ----------
    column, expected : str
        Column of the contract; the rule in words.
    broken : BooleanValue
        True for the rows that break it.
    """

    column: str
    expected: str
    broken: BooleanValue


ORPHAN = Rule("customer_id", "a customer of the table 'customers'", ibis.literal(False))
FOLLOWER = Rule("customer_id", "a customer whose own row is valid", ibis.literal(False))


@dataclass(frozen=True)
class CheckedTable:
    """A table in the contract's columns, with the rules that each row breaks.

    Attributes
    ----------
    rows : Table
        Columns of the contract that the source has, `ROW`, for each column "written." and its
        name, and for each rule "broken_" and its number; `region`, once customers are known. Of
        purchases also `REST`, where the file holds more.
    rules : tuple of Rule
        What every row must fulfil.
    """

    rows: Table
    rules: tuple[Rule, ...]

    @property
    def broken(self) -> BooleanValue:
        """Whether a row breaks any rule."""
        flags = [self.rows[f"broken_{i}"] for i in range(len(self.rules))]
        return ibis.or_(*flags, ibis.literal(False))

    @property
    def good(self) -> Table:
        """The rows that break no rule."""
        return self.rows.filter(~self.broken)

    def of_customers(self, customers: Table) -> CheckedTable:
        """Give each row the region of its customer; flag rows of unknown or rejected customers.

        Parameters
        ----------
        customers : Table
            `known_id` of all customers, and `region` of the valid ones.
        """
        placed = self.rows.left_join(customers, self.rows["customer_id"] == customers["known_id"])
        is_without = placed["region"].isnull() & placed["customer_id"].notnull()
        n, is_unknown = len(self.rules), placed["known_id"].isnull()
        flags = {
            f"broken_{n}": is_without & is_unknown,
            f"broken_{n + 1}": is_without & ~is_unknown,
        }
        rows = placed.mutate(**flags).drop("known_id")
        return CheckedTable(rows, (*self.rules, ORPHAN, FOLLOWER))


def checked(source: Source, name: str, raw: Table) -> CheckedTable:
    """Bring a raw table into the contract's columns, and check every row.

    Parameters
    ----------
    source : Source
        Whose table it is.
    name : str
        Table of the contract.
    raw : Table
        As its owner wrote it, from `readers.raw_table`.

    Raises
    ------
    DataError
        If a column that is mapped or required is not there, or holds moments with a zone and
        it is not known which zone's days count.
    """
    table = source.tables[name]
    maps = _maps(name, table, raw)
    raw = _in_local_time(source, table.file, raw, maps)
    columns = {column: RawColumn(raw, source, name, column, each) for column, each in maps.items()}
    values = {column: each.value() for column, each in columns.items()}
    values |= {WRITTEN + column: each.text for column, each in columns.items()}
    if name == "transactions":
        values |= _rest(raw, maps)
    rows = raw.select(**values, **{ROW: raw[ROW]})
    if table.one_row_per:
        rows = _one_row_per(rows, maps)
    rules = tuple(_rules(name, rows, columns))
    flags = {f"broken_{i}": rule.broken.fill_null(False) for i, rule in enumerate(rules)}
    return CheckedTable(rows.mutate(**flags), rules)


def _maps(name: str, table: TableMap, raw: Table) -> dict[str, ColumnMap]:
    """Return the map of every column that the table has, in the contract's order."""
    own = [column for column in raw.columns if column != ROW]
    maps, missing = {}, []
    for column, schema in TABLES[name].columns.items():
        each = table.columns.get(column)
        if each is None and column in raw.columns:
            each = table.plain[column]
        if each is not None:
            maps[column] = each
            used = (*each.columns, *([each.scale_by] if each.scale_by else []))
            missing += [
                f"no column {used_name!r}.{nearest(used_name, own)}"
                for used_name in used
                if used_name not in raw.columns
            ]
        elif schema.required:
            hint = nearest(column, own)
            missing.append(f"no column {column!r}, which the table {name!r} needs.{hint}")
    if missing:
        raise DataError("\n".join(f"{table.file}: {each}" for each in missing))
    return maps


def _in_local_time(source: Source, file: str, raw: Table, maps: Mapping[str, ColumnMap]) -> Table:
    """Turn the columns that the engine has with a zone into what the source's clocks showed."""
    used = dict.fromkeys(column for each in maps.values() for column in each.columns)
    zoned = [name for name in used if getattr(raw[name].type(), "timezone", None)]
    return raw.mutate(**{name: local_time(source, file, name, raw[name]) for name in zoned})


def _rest(raw: Table, maps: Mapping[str, ColumnMap]) -> dict[str, Value]:
    """Return a hash of what a row holds beside the contract's values; nothing if it is all there.

    Two lines are the same purchase only if all columns of the file agree. Where the engine has no
    hash, every row is unlike the others.
    """
    alone = {each.columns for each in maps.values() if len(each.columns) == 1 and not each.values}
    rest = {name: raw[name] for name in raw.columns if name != ROW and (name,) not in alone}
    if not rest:
        return {}
    can_hash = raw.get_backend().has_operation(ops.Hash)
    return {REST: ibis.struct(rest).hash() if can_hash else raw[ROW]}


def _one_row_per(rows: Table, maps: Mapping[str, ColumnMap]) -> Table:
    """Return the distinct rows, with the smallest value of the columns marked `first`."""
    least = [column for column, each in maps.items() if each.first]
    least = {name: rows[name].min() for column in least for name in (column, WRITTEN + column)}
    keys = [column for column in rows.columns if column not in least and column != ROW]
    return rows.group_by(keys).agg(**least, **{ROW: rows[ROW].min()})


def _rules(name: str, rows: Table, columns: Mapping[str, RawColumn]) -> Iterator[Rule]:
    """Yield the rules of a table."""
    for column, each in columns.items():
        yield from _column_rules(each, rows[column], rows[WRITTEN + column])
    for link in ORDERED.get(name, ()):
        if {link.earlier, link.later} <= set(columns):
            broken = rows[link.later] < rows[link.earlier]
            yield Rule(link.later, f"not before {link.earlier}", broken)
    for column in TABLES[name].unique or ():
        if column in columns:
            yield from _identity_rules(name, rows, column)


def _column_rules(each: RawColumn, value: Value, text: Value) -> Iterator[Rule]:
    """Yield the rules of one column: a value, of the right kind, that passes the checks.

    A column that has the right type in the engine has no value of another kind.
    """
    name = each.name
    conversion = _conversion(each.map)
    checks = [(in_words(own) + conversion, failing(own, value)) for own in each.schema.checks]
    if each.schema.required:
        yield Rule(name, "a value", value.isnull() if each.is_typed else text.isnull())
    if each.kind != "text" and not each.is_typed:
        unread = value.isnull() & text.notnull()
        if each.kind == "moment" and not each.map.format:
            zoned = text.re_search(AFTER_TIME)
            yield Rule(name, ZONE_EXPECTED, unread & zoned)
            unread = unread & ~zoned
        yield Rule(name, _readable(each, [words for words, _ in checks]), unread)
    if each.kind == "moment":
        yield from _date_rules(each, value, text)
    for words, broken in checks:
        yield Rule(name, words, broken)


def _date_rules(each: RawColumn, value: Value, text: Value) -> Iterator[Rule]:
    """Yield the rules that a date lies between the source's first and last day."""
    source = each.source
    first, last = source.earliest, source.as_of or dt.date.today()
    outside = (value < first) | (value >= last + dt.timedelta(days=1))
    expected = f"a date from {first} to {last}"
    if source.timezone and not each.is_typed:
        zoned = ibis.literal(each.is_zoned) if each.map.format else text.re_search(ZONE)
        yield Rule(each.name, f"{expected} in the timezone {source.timezone}", outside & zoned)
        outside = outside & ~zoned
    yield Rule(each.name, expected, outside)


def _identity_rules(name: str, rows: Table, column: str) -> Iterator[Rule]:
    """Yield the rules that a key stands once, and a customer in one region."""
    same = [rows[column]]
    if name == "customers":
        each = ibis.window(group_by=same)
        two = rows["region"].min().over(each) != rows["region"].max().over(each)
        yield Rule("region", "one region for each customer", two)
        same = [rows[column], rows["region"]]
    before = ibis.row_number().over(group_by=same, order_by=rows[ROW])
    yield Rule(column, "each value once", rows[column].notnull() & (before > 0))


def _conversion(own: ColumnMap) -> str:
    """Return in words how the file's number becomes the contract's; nothing where it is that."""
    if own.scale == 1 and not own.scale_by and not own.offset:
        return ""
    factor = f"its scale by {own.scale_by}" if own.scale_by else f"{own.scale:g}"
    sign = "-" if own.offset < 0 else "+"
    return f" after times {factor}" + (f" {sign} {abs(own.offset):g}" if own.offset else "")


def _readable(each: RawColumn, limits: list[str]) -> str:
    """Return in words what a value that can't be read should have been."""
    own = each.map
    if each.kind == "moment":
        offset = ", a zone offset up to 14:00 for %z" if "%z" in (own.format or "") else ""
        return f"a date in the format {own.format or 'YYYY-MM-DD'}{offset}"
    if len(own.columns) > 1:
        return f"in each of {', '.join(own.columns)} {' and '.join(limits) or 'a number'}"
    if own.scale_by:
        return f"a number, and in {own.scale_by} one of {', '.join(own.scales)}"
    separator = f"; {own.thousands!r} separates thousands" if own.thousands else ""
    return f"a number such as 1234{own.decimal}5{separator}"
