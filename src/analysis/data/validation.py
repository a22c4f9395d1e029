"""The contract's rules as expressions that the engine evaluates, row by row."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import ibis
import ibis.expr.datatypes as types
import ibis.expr.operations as ops
import pandera.pandas as pa
from ibis.expr.types import BooleanValue, StringValue, Table, Value

from analysis.data.contract import ORDERED, TABLES
from analysis.data.errors import DataError, nearest
from analysis.data.mapping import ColumnMap, Source, TableMap, is_utc
from analysis.data.readers import ROW


@ibis.udf.scalar.builtin(name="try_strptime")
def _try_strptime(text: str, format: str) -> dt.datetime:
    """Parse a date by its format; nothing where it does not fit (DuckDB's own function)."""


INSTANT = types.Timestamp(timezone="UTC")
"""A moment that was stored with its zone."""


@ibis.udf.scalar.builtin(name="try_strptime", signature=((types.string, types.string), INSTANT))
def _try_strptime_with_zone(text: str, format: str) -> dt.datetime:
    """Parse a date by a format that has a zone (DuckDB's own function)."""


@ibis.udf.scalar.builtin(name="timezone", signature=((types.string, INSTANT), types.timestamp))
def _timezone(zone: str, moment: dt.datetime) -> dt.datetime:
    """Return what the clocks of a zone show (a function of DuckDB and PostgreSQL)."""


Localiser = Callable[[str, Value], Value]
"""Returns the local time of moments that have a zone; a message names their column."""

REST = "rest_of_row"
"""Column with a hash of what a purchase line holds beside the contract's values."""

OFFSET = r"[+-](?:(?:0\d|1[0-3])(?::?[0-5]\d)?|14(?::?00)?)"
"""How far from UTC a clock may be: up to 14 hours."""

ZONE = rf":\d{{2}}(?:\.\d+)? ?([Zz]|UTC|GMT|{OFFSET})$"
"""How a moment in ISO 8601 with a zone ends; the zone."""

AFTER_TIME = r":\d{2}(?:[.,]\d+)? *[^\d:., ]"
"""What a moment has that goes on after its time, with a zone or with something that is none."""


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


@dataclass(frozen=True)
class Mapped:
    """A table in the contract's columns, with the values as they were written.

    Attributes
    ----------
    rows : Table
        Columns of the contract that the source has, `ROW`, and "written.<column>"; of purchases
        also `REST`, where the file holds more.
    rules : tuple of Rule
        What every row must fulfil, on the columns of `rows`.
    """

    rows: Table
    rules: tuple[Rule, ...]


def written(column: str) -> str:
    """Return the name under which a column's own text is kept."""
    return f"written.{column}"


def mapped(source: Source, name: str, raw: Table) -> Mapped:
    """Bring a raw table into the contract's columns, and state its rules.

    Parameters
    ----------
    source : Source
        Whose table it is.
    name : str
        Table of the contract.
    raw : Table
        As its owner wrote it, from `reading.raw_table`.

    Raises
    ------
    DataError
        If a column that is mapped or required is not there, or holds moments with a zone and
        it is not known which zone's days count.
    """
    table = source.tables[name]
    maps = _maps(name, table, raw)
    schema = TABLES[name].columns
    local = partial(_local, source, table)
    raw = _in_local_time(raw, maps, local)
    texts = {column: _text(raw, each, schema[column]) for column, each in maps.items()}
    values = {
        column: _value(raw, each, texts[column], schema[column], local)
        for column, each in maps.items()
    }
    kept = {written(column): text for column, text in texts.items()}
    if name == "transactions":
        kept |= _rest(raw, maps)
    rows = raw.select(**values, **kept, **{ROW: raw[ROW]})
    if table.one_row_per:
        rows = _one_row_per(rows, maps)
    typed = {column for column, each in maps.items() if _is_typed(raw, each, schema[column])}
    return Mapped(rows, tuple(_rules(source, name, rows, maps, typed)))


def _rest(raw: Table, maps: dict[str, ColumnMap]) -> dict[str, Value]:
    """Return a hash of what a row holds beside the contract's values; nothing if it is all there.

    Two lines are the same purchase only if all columns of the file agree. Where the engine has no
    hash, every row is unlike the others.
    """
    alone = {each.columns for each in maps.values() if len(each.columns) == 1 and not each.values}
    rest = {name: raw[name] for name in _own(raw) if (name,) not in alone}
    if not rest:
        return {}
    can_hash = raw.get_backend().has_operation(ops.Hash)
    return {REST: ibis.struct(rest).hash() if can_hash else raw[ROW]}


def _in_local_time(raw: Table, maps: dict[str, ColumnMap], local: Localiser) -> Table:
    """Turn the columns that the engine holds with a zone into what the source's clocks showed."""
    used = dict.fromkeys(column for each in maps.values() for column in each.columns)
    zoned = [name for name in used if getattr(raw[name].type(), "timezone", None)]
    return raw.mutate(**{name: local(name, raw[name]) for name in zoned}) if zoned else raw


def _local(source: Source, table: TableMap, column: str, moment: Value) -> Value:
    """Return the local time of moments that have a zone."""
    if source.timezone is None:
        raise DataError(
            f"{table.file}: the moments in {column!r} have a time zone, and {source.name}.toml "
            "does not say whose days count: expected a key such as timezone = 'Asia/Shanghai'."
        )
    return _timezone(source.timezone, moment)


def _maps(name: str, table: TableMap, raw: Table) -> dict[str, ColumnMap]:
    """Return the map of every column that the table has, in the contract's order."""
    maps, lacking = {}, []
    for column, schema in TABLES[name].columns.items():
        each = table.columns.get(column)
        if each is None and column in raw.columns:
            each = table.plain[column]
        if each is not None:
            maps[column] = each
            lacking += _lacking(raw, each)
        elif schema.required:
            hint = nearest(column, _own(raw))
            lacking.append(f"no column {column!r}, which the table {name!r} needs.{hint}")
    if lacking:
        raise DataError("\n".join(f"{table.file}: {each}" for each in lacking))
    return maps


def _lacking(raw: Table, each: ColumnMap) -> list[str]:
    """Name the columns of a map that the file does not have."""
    names = (*each.columns, *([each.scale_by] if each.scale_by else []))
    missing = [name for name in names if name not in raw.columns]
    return [f"no column {name!r}.{nearest(name, _own(raw))}" for name in missing]


def _own(raw: Table) -> list[str]:
    """Return the names of the owner's columns."""
    return [column for column in raw.columns if column != ROW]


def _text(raw: Table, each: ColumnMap, schema: pa.Column) -> StringValue:
    """Return the text of a column as it was written; nothing where it is empty."""
    if each.value is not None:
        return ibis.literal(each.value)
    if each.row:
        return raw[ROW].cast("string")
    parts = [raw[column].cast("string").strip() for column in each.columns]
    if kind_of(schema) == "number" and len(parts) > 1:  # one that is missing leaves the others
        return ibis.literal(" ").join([part.nullif("") for part in parts]).nullif("")
    text = parts[0]
    for part in parts[1:]:
        text = text + " " + part
    return text.nullif("")


def _value(
    raw: Table, each: ColumnMap, text: StringValue, schema: pa.Column, local: Localiser
) -> Value:
    """Return a column's values in the contract's type; nothing where they do not fit."""
    typed = raw[each.columns[0]] if len(each.columns) == 1 else text
    kind = kind_of(schema)
    if kind == "number":
        many = len(each.columns) > 1
        return _mean(raw, each, schema) if many else _number(raw, each, text, typed)
    if kind == "moment":
        return _moment(raw, each, text, local)
    return _category(each, text, schema)


def kind_of(schema: pa.Column) -> str:
    """Return "text", "number" or "moment" for a column of the contract."""
    return {"M": "moment", "f": "number"}.get(schema.dtype.type.kind, "text")


def _is_typed(raw: Table, each: ColumnMap, schema: pa.Column) -> bool:
    """Tell whether the engine already holds a column in the contract's kind, as it is."""
    if len(each.columns) != 1 or each.scale_by:
        return False
    kind = raw[each.columns[0]].type()
    return {"number": kind.is_numeric(), "moment": kind.is_temporal()}.get(kind_of(schema), False)


def _number(raw: Table, each: ColumnMap, text: StringValue, typed: Value) -> Value:
    """Return numbers, in the contract's unit; nothing where a text is none."""
    if typed.type().is_numeric():
        number = typed.cast("float64")
    else:
        _can_parse(raw, each)
        plain = _without_thousands(text, each) if each.thousands else text
        number = plain.replace(each.decimal, ".").try_cast("float64")
    number = ibis.ifelse(number.isnan() | number.isinf(), ibis.null("float64"), number)
    if each.scale_by:
        scales = [(key, float(value)) for key, value in each.scales.items()]
        number = number * raw[each.scale_by].cast("string").strip().cases(*scales)
    elif each.scale != 1:
        number = number * each.scale
    if each.offset:  # rounded, so that the end of a scale of 1 to 21 is 10 and no hair more
        number = (number + each.offset).round(9)
    return number


def _mean(raw: Table, each: ColumnMap, schema: pa.Column) -> Value:
    """Return the mean of the numbers that are there; nothing where one of them is wrong."""
    texts = [raw[column].cast("string").strip().nullif("") for column in each.columns]
    pairs = zip(each.columns, texts, strict=True)
    numbers = [_number(raw, each, text, raw[column]) for column, text in pairs]
    wrong = [a.isnull() & text.notnull() for a, text in zip(numbers, texts, strict=True)]
    wrong += [_compiled(check, a)[1] for check in schema.checks for a in numbers]
    total = sum(a.fill_null(0.0) for a in numbers)
    count = sum(a.notnull().cast("int64") for a in numbers)
    return ibis.ifelse(ibis.or_(*wrong), ibis.null("float64"), total / count.nullif(0))


def _without_thousands(text: StringValue, each: ColumnMap) -> StringValue:
    """Take the separators out of numbers in groups of three; nothing else is touched."""
    mark, point = re.escape(each.thousands), re.escape(each.decimal)
    grouped = text.re_search(rf"^-?\d{{1,3}}({mark}\d{{3}})+({point}\d+)?$")
    plain = text.re_search(rf"^-?\d+({point}\d+)?$")
    without = text.replace(each.thousands, "")
    return ibis.cases((grouped, without), (plain, text), else_=ibis.null("string"))


def _can_parse(raw: Table, each: ColumnMap) -> None:
    """Refuse text in an engine that can't tell whether a text is a number or a date."""
    if not raw.get_backend().has_operation(ops.TryCast):
        name = " ".join(each.columns)
        raise DataError(f"The column {name!r} is text: the database must give its own type.")


def _moment(raw: Table, each: ColumnMap, text: StringValue, local: Localiser) -> Value:
    """Return moments, in the local time of the source; nothing where a text is none."""
    name, typed = " ".join(each.columns), text
    if len(each.columns) == 1:
        typed = raw[name]
    if typed.type().is_temporal():
        return typed.cast("timestamp")
    _can_parse(raw, each)
    if is_utc(each.format):
        return local(name, _try_strptime_with_zone(text + " +0000", f"{each.format} %z"))
    if each.format and re.search("%[zZ]", each.format):
        return local(name, _try_strptime_with_zone(_with_offset(text, each.format), each.format))
    if each.format:
        return _try_strptime(text, each.format).cast("timestamp")
    plain, zoned = text.try_cast("timestamp"), text.re_search(ZONE)
    plain = ibis.ifelse(text.re_search(AFTER_TIME), ibis.null("timestamp"), plain)
    try:
        moment = local(name, _instant(text))
    except DataError:
        if raw.filter(zoned).count().execute():
            raise
        return plain
    return ibis.ifelse(zoned, moment, plain)


def _with_offset(text: StringValue, format: str) -> StringValue:
    """Return the texts in a format whose %z is an offset that clocks have; nothing for others."""
    if "%z" not in format:
        return text
    parts = [
        ".*?".join(map(re.escape, re.split(r"%-?\w|%(?=%)", each))) for each in format.split("%z")
    ]
    return ibis.ifelse(text.re_search(f"^{OFFSET.join(parts)}$"), text, ibis.null("string"))


def _instant(text: StringValue) -> Value:
    """Return the moments of texts in ISO 8601 that have a zone."""
    zone = text.re_extract(ZONE, 1)
    moment = text.left(text.length() - zone.length()).try_cast("timestamp")
    offset = ibis.ifelse(zone.re_search(r"\d"), zone, "+00")
    return (moment.cast("string") + offset).try_cast(INSTANT)


def _category(each: ColumnMap, text: StringValue, schema: pa.Column) -> StringValue:
    """Return texts under the contract's names."""
    if not each.values:
        text = _as_allowed(text, schema)
    names = [(own, name) for name, owns in each.values.items() for own in owns]
    if not names:
        return text
    named = text.cases(*names, else_=each.default or text)
    return ibis.ifelse(text.isnull(), ibis.null("string"), named)


def _as_allowed(text: StringValue, schema: pa.Column) -> StringValue:
    """Return the values of a choice in lower case, and 1 and 0 as true and false."""
    allowed = [
        check.statistics["allowed_values"] for check in schema.checks if check.name == "isin"
    ]
    if not allowed:
        return text
    if "true" in allowed[0]:
        return text.lower().cases(("1", "true"), ("0", "false"), else_=text.lower())
    return text.lower()


def _one_row_per(rows: Table, maps: dict[str, ColumnMap]) -> Table:
    """Return the distinct rows, with the smallest value of the columns marked `first`."""
    least = [column for column, each in maps.items() if each.first]
    least = {name: rows[name].min() for column in least for name in (column, written(column))}
    keys = [column for column in rows.columns if column not in least and column != ROW]
    return rows.group_by(keys).agg(**least, **{ROW: rows[ROW].min()})


def _rules(
    source: Source, name: str, rows: Table, maps: dict[str, ColumnMap], typed: set[str]
) -> Iterator[Rule]:
    """Yield the rules of a table."""
    for column, each in maps.items():
        yield from _column_rules(source, name, rows, column, each, column in typed)
    for link in ORDERED.get(name, ()):
        if {link.earlier, link.later} <= set(maps):
            broken = rows[link.later] < rows[link.earlier]
            yield Rule(link.later, f"not before {link.earlier}", broken)
    for column in TABLES[name].unique or ():
        if column in maps:
            yield from _identity_rules(name, rows, column)


def _column_rules(
    source: Source, table: str, rows: Table, column: str, each: ColumnMap, is_typed: bool
) -> Iterator[Rule]:
    """Yield the rules of one column: a value, of the right kind, that passes the checks.

    A column that has the right type in the engine can't hold a value of another kind.
    """
    schema = TABLES[table].columns[column]
    value, text = rows[column], rows[written(column)]
    checks = [_compiled(check, value) for check in schema.checks]
    checks = [(words + _conversion(each), broken) for words, broken in checks]
    if schema.required:
        yield Rule(column, "a value", value.isnull() if is_typed else text.isnull())
    if kind_of(schema) != "text" and not is_typed:
        expected = _expected(each, schema, [words for words, _ in checks])
        unread = value.isnull() & text.notnull()
        if kind_of(schema) == "moment" and not each.format:
            zoned = text.re_search(AFTER_TIME)
            yield Rule(column, ZONE_EXPECTED, unread & zoned)
            unread = unread & ~zoned
        yield Rule(column, expected, unread)
    if kind_of(schema) == "moment":
        first, last = _limits(source)
        outside = (value < first) | (value >= last + dt.timedelta(days=1))
        expected = f"a date from {first} to {last}"
        if source.timezone and not is_typed:
            zoned = _is_zoned(each, text)
            words = f"{expected} in the timezone {source.timezone}"
            yield Rule(column, words, outside & zoned)
            outside = outside & ~zoned
        yield Rule(column, expected, outside)
    for words, broken in checks:
        yield Rule(column, words, broken)


def _is_zoned(each: ColumnMap, text: StringValue) -> BooleanValue:
    """Mark the texts of moments that have a zone."""
    if each.format:
        return ibis.literal(is_utc(each.format) or bool(re.search("%[zZ]", each.format)))
    return text.re_search(ZONE)


def _limits(source: Source) -> tuple[dt.date, dt.date]:
    """Return the first and the last day that a date may have."""
    return source.earliest, source.as_of or dt.date.today()


def _conversion(each: ColumnMap) -> str:
    """Return in words how the file's number becomes the contract's; nothing where it is that."""
    if each.scale == 1 and not each.scale_by and not each.offset:
        return ""
    factor = f"its scale by {each.scale_by}" if each.scale_by else f"{each.scale:g}"
    sign = "-" if each.offset < 0 else "+"
    return f" after times {factor}" + (f" {sign} {abs(each.offset):g}" if each.offset else "")


def _expected(each: ColumnMap, schema: pa.Column, limits: list[str]) -> str:
    """Return in words what a value that can't be read should have been."""
    if kind_of(schema) == "moment":
        offset = ", a zone offset up to 14:00 for %z" if "%z" in (each.format or "") else ""
        return f"a date in the format {each.format or 'YYYY-MM-DD'}{offset}"
    if len(each.columns) > 1:
        return f"in each of {', '.join(each.columns)} {' and '.join(limits) or 'a number'}"
    if each.scale_by:
        return f"a number, and in {each.scale_by} one of {', '.join(each.scales)}"
    separator = f"; {each.thousands!r} separates thousands" if each.thousands else ""
    return f"a number such as 1234{each.decimal}5{separator}"


def _compiled(check: pa.Check, value: Value) -> tuple[str, BooleanValue]:
    """Return a check of the schema in words, and as the rows that fail it."""
    limits = check.statistics
    if check.name == "isin":
        return f"one of {', '.join(limits['allowed_values'])}", ~value.isin(
            limits["allowed_values"]
        )
    if check.name == "in_range":
        low, high = limits["min_value"], limits["max_value"]
        return f"a number from {low} to {high}", (value < low) | (value > high)
    if check.name == "greater_than_or_equal_to":
        return f"a number not below {limits['min_value']}", value < limits["min_value"]
    if check.name == "str_matches":
        words = "a name of at most 60 characters that begins with none of . - and has no "
        words += '/ \\ < > : " | ? * { } $ % ~'
        return words, ~value.re_search(limits["pattern"])
    raise NotImplementedError(f"The check {check.name!r} has no expression for the engine.")


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
