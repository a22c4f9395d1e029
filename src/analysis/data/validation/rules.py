"""The contract's rules as expressions that the engine evaluates, row by row."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator

import ibis
from ibis.expr.types import Table, Value

from analysis.data.contract import ORDERED, TABLES
from analysis.data.mapping.source import ColumnMap, Source
from analysis.data.reading.raw import ROW
from analysis.data.validation import regions
from analysis.data.validation.moments import AFTER_TIME, NUMERIC, ZONE
from analysis.data.validation.tables import IN_UTC, WRITTEN, Rule, kind_of_unit
from analysis.data.validation.values import RawColumn

VALUE_EXPECTED = "a value"
ZONE_EXPECTED = "after the time nothing, or a zone that is Z, UTC, GMT or an offset up to 14:00"
NUMBER_EXPECTED = (
    "a date; if these are days of Excel format = 'excel', if seconds or milliseconds since 1970 "
    "format = 'unix' or 'unix_ms', if such as 20240305 format = '%Y%m%d'"
)
MISSING_WORDS = ("NA", "N/A", "#N/A", "NAN", "NULL", "NONE", "-", "--", ".", "无", "缺失")
_OTHER_MARKS = " (decimal and thousands name other marks)"
MISSING_KEY = "this word stands for no value, missing = ['NA'] with this word"


def between(source: Source, name: str, rows: Table) -> Iterator[Rule]:
    """Yield the rules between two columns, and between rows."""
    for link in ORDERED.get(name, ()):
        if {link.earlier, link.later} <= set(rows.columns):
            earlier, later = rows[link.earlier], rows[link.later]
            broken = later.date() < earlier.date() if link.by_day else later < earlier
            if {IN_UTC + link.earlier, IN_UTC + link.later} <= set(rows.columns):
                known = rows[IN_UTC + link.later] < rows[IN_UTC + link.earlier]
                broken = ibis.coalesce(known, broken)
            yield Rule(link.later, f"not before {link.earlier}", broken)
    if TABLES[name].unique in rows.columns:
        yield from _identity_rules(source, name, rows, TABLES[name].unique)
    if name == "assignments":
        yield from _lot_rules(rows)


def of_column(each: RawColumn, rows: Table, name: str) -> Iterator[Rule]:
    """Yield the rules of one column: a value, of the right kind, that passes the checks.

    A column that has the right type in the engine has no value of another kind. Of several columns
    that make a value together, the one is named that is blank or wrong.
    """
    value, text = rows[name], rows[WRITTEN + name]
    blank, wrong = (WRITTEN + kind + name for kind in ("blank.", "wrong."))
    conversion = _conversion(each.map)
    own = each.schema.rule
    checks = [(f"{own}{conversion}", own.broken(value))] if own else []
    if each.map.scale_of:
        low, high = each.map.scale_of
        checks = [(f"a number from {low:g} to {high:g}", broken) for _, broken in checks]
    if each.schema.required or each.schema.whole:
        if blank in rows.columns:
            for part in each.parts:
                yield Rule(name, f"{VALUE_EXPECTED} in {part!r}{_of(each)}", rows[blank] == part)
        else:
            is_missing = value.isnull() if each.is_typed else text.isnull()
            yield Rule(name, VALUE_EXPECTED, is_missing)
    if wrong in rows.columns:
        limits = " and ".join(words for words, _ in checks if not each.map.expression)
        for part in each.parts:
            words = f"{limits or 'a number'} in {part!r}{_of(each)}"
            yield Rule(name, words, value.isnull() & (rows[wrong] == part))
        text = ibis.ifelse(rows[wrong].isnull(), text, ibis.null("string"))
    if each.kind != "text" and not each.is_typed:
        unread = value.isnull() & text.notnull()
        if each.kind == "number":
            words = "|".join(map(re.escape, MISSING_WORDS))  # a list would be a join for each rule
            missing = text.upper().re_search(f"^({words})$")
            yield Rule(name, f"a number; if {MISSING_KEY}", unread & missing)
            unread = unread & ~missing
        if each.kind == "moment" and not each.map.formats:
            zoned, numeric = text.re_search(AFTER_TIME), text.re_search(NUMERIC)
            yield Rule(name, ZONE_EXPECTED, unread & zoned)
            yield Rule(name, NUMBER_EXPECTED, unread & numeric)
            unread = unread & ~zoned & ~numeric
        yield Rule(name, _readable(each), unread)
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
        has_zone = ibis.literal(each.map.is_zoned) if each.map.formats else text.re_search(ZONE)
        yield Rule(each.name, f"{expected} in the timezone {source.timezone}", outside & has_zone)
        outside = outside & ~has_zone
    yield Rule(each.name, expected, outside)


def _identity_rules(source: Source, name: str, rows: Table, column: str) -> Iterator[Rule]:
    """Yield the rules that a key stands once, and a customer in one region."""
    same = [rows[column]]
    if name == "customers":
        each = ibis.window(group_by=same)
        if regions.rule_of(source) is None:
            two = rows["region"].min().over(each) != rows["region"].max().over(each)
            words = "one region for each customer; otherwise region = { by = 'most sales' }"
            yield Rule("region", words, two)
        same = [rows[column], rows["region"]]
    before = ibis.row_number().over(group_by=same, order_by=rows[ROW])
    yield Rule(column, "each value once", rows[column].notnull() & (before > 0))


def _lot_rules(rows: Table) -> Iterator[Rule]:
    """Yield the rules that a unit is in one trial, once, in one arm."""
    unit = [kind_of_unit(rows), rows["unit"]]
    own, each = ibis.window(group_by=unit), ibis.window(group_by=[*unit, rows["trial"]])
    trials = rows["trial"].min().over(own) != rows["trial"].max().over(own)
    arms = rows["arm"].min().over(each) != rows["arm"].max().over(each)
    before = ibis.row_number().over(group_by=[*unit, rows["trial"]], order_by=rows[ROW])
    is_again = rows["unit"].notnull() & (before > 0)
    yield Rule("trial", "one trial for each unit", trials)
    yield Rule("arm", "one arm for each unit of a trial", arms)
    yield Rule("unit", "each unit of a trial once", is_again & ~arms.fill_null(False))


def _conversion(own: ColumnMap) -> str:
    """Return in words how the file's number becomes the contract's; nothing where it is that."""
    if own.scale_of or (own.scale == 1 and not own.scale_by and not own.offset):
        return ""
    factor = f"its scale by {own.scale_by}" if own.scale_by else f"{own.scale:g}"
    sign = "-" if own.offset < 0 else "+"
    return f" after times {factor}" + (f" {sign} {abs(own.offset):g}" if own.offset else "")


def _of(each: RawColumn) -> str:
    """Return the expression that a column stands in, in brackets."""
    return f" ({each.map.expression})" if each.map.expression else ""


def _readable(each: RawColumn) -> str:
    """Return in words what a value that can't be read should have been."""
    own = each.map
    if each.kind == "moment":
        words = " or ".join(own.formats) or "YYYY-MM-DD (date_format names another)"
        offset = ", a zone offset up to 14:00 for %z" if "%z" in words else ""
        return f"a date in the format {words}{offset}"
    if own.expression:
        return f"no division by 0 in {own.expression}"
    if own.scale_by:
        return f"a number, and in {own.scale_by} one of {', '.join(own.scales)}"
    if own.values:
        words = [word for each_word in own.values.values() for word in each_word]
        return f"a number, or one of {', '.join(words)} (values)"
    marks = f"; {own.thousands!r} separates thousands" if own.thousands else _OTHER_MARKS
    currency = f", in {each.currency}" if each.currency else ""
    return f"a number such as 1234{own.decimal}5{currency}{marks}"
