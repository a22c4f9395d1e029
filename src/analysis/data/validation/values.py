"""A raw column in the contract's unit and type, as expressions that the engine evaluates."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from functools import cached_property

import ibis
import ibis.expr.datatypes as types
import pandera.pandas as pa
from ibis.expr.types import StringValue, Table, Value

from analysis.data.contract import TABLES, failing, kind_of
from analysis.data.errors import DataError
from analysis.data.mapping import ColumnMap, Source, is_utc
from analysis.data.readers import ROW

INSTANT = types.Timestamp(timezone="UTC")
"""A moment that was stored with its zone."""
OFFSET = r"[+-](?:(?:0\d|1[0-3])(?::?[0-5]\d)?|14(?::?00)?)"
"""How far from UTC a clock may be: up to 14 hours."""
ZONE = rf":\d{{2}}(?:\.\d+)? ?([Zz]|UTC|GMT|{OFFSET})$"
"""How a moment in ISO 8601 with a zone ends; the zone."""
AFTER_TIME = r":\d{2}(?:[.,]\d+)? *[^\d:., ]"
"""What a moment has that goes on after its time, with a zone or with something that is none."""


@ibis.udf.scalar.builtin(name="try_strptime")
def _try_strptime(text: str, format: str) -> dt.datetime:
    """Parse a date by its format; nothing where it does not fit (DuckDB's own function)."""


@ibis.udf.scalar.builtin(name="try_strptime", signature=((types.string, types.string), INSTANT))
def _try_strptime_with_zone(text: str, format: str) -> dt.datetime:
    """Parse a date by a format that has a zone (DuckDB's own function)."""


@ibis.udf.scalar.builtin(name="timezone", signature=((types.string, INSTANT), types.timestamp))
def _timezone(zone: str, moment: dt.datetime) -> dt.datetime:
    """Return what the clocks of a zone show (a function of DuckDB and PostgreSQL)."""


def local_time(source: Source, file: str, name: str, moment: Value) -> Value:
    """Return the local time of the moments in a file's column that have a zone.

    Raises
    ------
    DataError
        If the source does not say whose days count.
    """
    if source.timezone is None:
        raise DataError(
            f"{file}: the moments in {name!r} have a time zone, and {source.name}.toml does not "
            "say whose days count: expected a key such as timezone = 'Asia/Shanghai'."
        )
    return _timezone(source.timezone, moment)


@dataclass(frozen=True)
class RawColumn:
    """One column of the contract, as a source has it.

    Attributes
    ----------
    raw : Table
        The file as it was read.
    source : Source
        Whose file it is.
    table, name : str
        Names in the contract.
    map : ColumnMap
        Where the values come from.
    """

    raw: Table
    source: Source
    table: str
    name: str
    map: ColumnMap

    @property
    def schema(self) -> pa.Column:
        """What the contract says of the column."""
        return TABLES[self.table].columns[self.name]

    @property
    def kind(self) -> str:
        """One of "text", "number" and "moment"."""
        return kind_of(self.schema)

    @property
    def is_zoned(self) -> bool:
        """Whether the format of its dates has a zone."""
        own = self.map.format or ""
        return is_utc(own) or bool(re.search("%[zZ]", own))

    @property
    def is_typed(self) -> bool:
        """Whether the engine has the file's column in the contract's kind already."""
        if len(self.map.columns) != 1 or self.map.scale_by:
            return False
        kind = self.raw[self.map.columns[0]].type()
        return {"number": kind.is_numeric(), "moment": kind.is_temporal()}.get(self.kind, False)

    @cached_property
    def text(self) -> StringValue:
        """The text as it was written; nothing where it is empty."""
        if self.map.value is not None:
            return ibis.literal(self.map.value)
        if self.map.row:
            return self.raw[ROW].cast("string")
        parts = [self.raw[column].cast("string").strip() for column in self.map.columns]
        if self.kind == "number" and len(parts) > 1:  # one that is missing leaves the others
            return ibis.literal(" ").join([part.nullif("") for part in parts]).nullif("")
        text = parts[0]
        for part in parts[1:]:
            text = text + " " + part
        return text.nullif("")

    def value(self) -> Value:
        """Return the values in the contract's type; nothing where they do not fit."""
        if self.kind == "text":
            return self._category()
        if self.kind == "moment":
            return self._moment()
        if len(self.map.columns) > 1:
            return self._mean()
        return self._number(self.text, self.raw[self.map.columns[0]] if self.map.columns else None)

    def _local_time(self, moment: Value) -> Value:
        """Return the local time of moments that have a zone."""
        file, name = self.source.tables[self.table].file, " ".join(self.map.columns)
        return local_time(self.source, file, name, moment)

    def _number(self, text: StringValue, typed: Value | None) -> Value:
        """Return numbers, in the contract's unit; nothing where a text is none."""
        own = self.map
        if typed is not None and typed.type().is_numeric():
            number = typed.cast("float64")
        else:
            self._check_can_parse()
            plain = self._without_thousands(text) if own.thousands else text
            number = plain.replace(own.decimal, ".").try_cast("float64")
        number = ibis.ifelse(number.isnan() | number.isinf(), ibis.null("float64"), number)
        if own.scale_by:
            scales = [(key, float(value)) for key, value in own.scales.items()]
            number = number * self.raw[own.scale_by].cast("string").strip().cases(*scales)
        elif own.scale != 1:
            number = number * own.scale
        if own.offset:  # rounded, so that the end of a scale of 1 to 21 is 10 and no hair more
            number = (number + own.offset).round(9)
        return number

    def _mean(self) -> Value:
        """Return the mean of the numbers that are there; nothing where one of them is wrong."""
        columns = [self.raw[name] for name in self.map.columns]
        texts = [column.cast("string").strip().nullif("") for column in columns]
        numbers = [self._number(text, own) for text, own in zip(texts, columns, strict=True)]
        wrong = [a.isnull() & text.notnull() for a, text in zip(numbers, texts, strict=True)]
        wrong += [failing(check, a) for check in self.schema.checks for a in numbers]
        total = sum(a.fill_null(0.0) for a in numbers)
        count = sum(a.notnull().cast("int64") for a in numbers)
        return ibis.ifelse(ibis.or_(*wrong), ibis.null("float64"), total / count.nullif(0))

    def _without_thousands(self, text: StringValue) -> StringValue:
        """Take the separators out of numbers in groups of three; nothing else is touched."""
        mark, point = re.escape(self.map.thousands), re.escape(self.map.decimal)
        grouped = text.re_search(rf"^-?\d{{1,3}}({mark}\d{{3}})+({point}\d+)?$")
        plain = text.re_search(rf"^-?\d+({point}\d+)?$")
        without = text.replace(self.map.thousands, "")
        return ibis.cases((grouped, without), (plain, text), else_=ibis.null("string"))

    def _check_can_parse(self) -> None:
        """Refuse text in an engine that can't tell whether a text is a number or a date."""
        if not self.raw.get_backend().has_operation(ibis.expr.operations.TryCast):
            name = " ".join(self.map.columns)
            raise DataError(f"The column {name!r} is text: the database must give its own type.")

    def _moment(self) -> Value:
        """Return moments, in the local time of the source; nothing where a text is none."""
        text, own = self.text, self.map.format
        typed = self.raw[self.map.columns[0]] if len(self.map.columns) == 1 else text
        if typed.type().is_temporal():
            return typed.cast("timestamp")
        self._check_can_parse()
        if is_utc(own):
            return self._local_time(_try_strptime_with_zone(text + " +0000", f"{own} %z"))
        if self.is_zoned:
            return self._local_time(_try_strptime_with_zone(_with_offset(text, own), own))
        if own:
            return _try_strptime(text, own).cast("timestamp")
        plain, zoned = text.try_cast("timestamp"), text.re_search(ZONE)
        plain = ibis.ifelse(text.re_search(AFTER_TIME), ibis.null("timestamp"), plain)
        if self.source.timezone is None and not self.raw.filter(zoned).count().execute():
            return plain
        return ibis.ifelse(zoned, self._local_time(_instant(text)), plain)

    def _category(self) -> StringValue:
        """Return texts under the contract's names."""
        text = self.text if self.map.values else _as_allowed(self.text, self.schema)
        names = [(own, name) for name, owns in self.map.values.items() for own in owns]
        if not names:
            return text
        named = text.cases(*names, else_=self.map.default or text)
        return ibis.ifelse(text.isnull(), ibis.null("string"), named)


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


def _as_allowed(text: StringValue, schema: pa.Column) -> StringValue:
    """Return the values of a choice in lower case, and 1 and 0 as true and false."""
    allowed = [each.statistics["allowed_values"] for each in schema.checks if each.name == "isin"]
    if not allowed:
        return text
    if "true" in allowed[0]:
        return text.lower().cases(("1", "true"), ("0", "false"), else_=text.lower())
    return text.lower()
