"""A raw column in the contract's unit and type, as expressions that the engine evaluates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import ibis
from ibis.expr.types import BooleanValue, NumericValue, StringValue, Table, Value

from analysis.data.contract import TABLES, Column, as_allowed
from analysis.data.errors import DataError
from analysis.data.mapping.expressions import parse
from analysis.data.mapping.source import ColumnMap, Source
from analysis.data.reading import names, sheets
from analysis.data.reading.raw import NEXT, REPEAT, ROW
from analysis.data.validation import moments
from analysis.data.validation.numbers import finite, number, numeric_id, plain

IDENTIFIERS = ("customer_id", "complaint_id", "unit")


@dataclass(frozen=True)
class RawColumn:
    """One column of the contract, as a file has it.

    Attributes
    ----------
    raw : Table
        The file as it was read.
    file : str
        Its name.
    source : Source
        Whose file it is.
    table, name : str
        Names in the contract.
    map : ColumnMap
        Where the values come from.
    """

    raw: Table
    file: str
    source: Source
    table: str
    name: str
    map: ColumnMap

    @property
    def schema(self) -> Column:
        """What the contract says of the column."""
        return TABLES[self.table].columns[self.name]

    @property
    def kind(self) -> str:
        """One of "text", "number" and "moment"."""
        return self.schema.kind

    @property
    def is_typed(self) -> bool:
        """Whether the engine has the file's column in the contract's kind already."""
        own = self.map
        if len(own.columns) != 1 or own.scale_by or own.values or own.missing or own.formats:
            return False
        kind = self.raw[own.columns[0]].type()
        return {"number": kind.is_numeric(), "moment": kind.is_temporal()}.get(self.kind, False)

    @cached_property
    def text(self) -> StringValue:
        """The text as it was written; nothing where it is empty, or a word for no value."""
        own = self.map
        if own.value is not None:
            return ibis.literal(own.value)
        if own.row:
            return self._row()
        if own.expression:
            return self._joined(parse(own.expression).columns, all_needed=True)
        if own.is_key:
            return self._key()
        return self._identifier(self._joined(own.columns, all_needed=self.needs_all))

    def value(self) -> Value:
        """Return the values in the contract's type; nothing where they do not fit."""
        return self.within(self.reading())

    def reading(self) -> Value:
        """Return the values in the contract's type, also such as lie beyond all bounds."""
        if self.kind == "text":
            return self._category()
        return self._moment() if self.kind == "moment" else self._any_number()

    def within(self, value: Value) -> Value:
        """Return what was read; nothing where a number or a year is beyond all bounds."""
        if self.kind == "moment":
            return ibis.ifelse(moments.has_year(value), value, ibis.null("timestamp"))
        return finite(value) if self.kind == "number" else value

    def _any_number(self) -> NumericValue:
        """Return numbers, also such as have no bounds."""
        if self.map.expression:
            return self._scaled(finite(parse(self.map.expression).value(self._operand)))
        if len(self.map.columns) > 1:
            return self._mean()
        own = self.map.columns
        return self._number(own[0]) if own else self._scaled(self._parsed(self.text))

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """The columns that make one value together; none where one column does."""
        own = self.map
        names = parse(own.expression).columns if own.expression else own.columns
        return names if own.expression or len(names) > 1 else ()

    @property
    def needs_all(self) -> bool:
        """Whether a row has no value where one of several columns is blank."""
        own = self.map
        is_one = self.kind == "moment" or self.name in IDENTIFIERS
        return bool(own.expression or own.is_key or is_one)

    def faults(self) -> dict[str, StringValue]:
        """Return the first of several columns that is blank, and the first that is no number."""
        texts = {name: self.written(name) for name in self.parts}
        found = {}
        if texts and self.needs_all:
            found["blank."] = _first({name: text.isnull() for name, text in texts.items()})
        if texts and self.kind == "number":
            read = self._operand if self.map.expression else self._number
            own = {name: (read(name), text.notnull()) for name, text in texts.items()}
            wrong = {name: value.isnull() & there for name, (value, there) in own.items()}
            if self.schema.rule and not self.map.expression:
                wrong = {name: wrong[name] | self.schema.rule.broken(own[name][0]) for name in own}
            found["wrong."] = _first(wrong)
        return found

    def written(self, column: str) -> StringValue:
        """Return the texts in a column of the file, trimmed; nothing for words for no value."""
        text = names.written(self.raw, column)
        if not self.map.missing:
            return text
        return ibis.ifelse(self.is_one_of(text, self.map.missing), ibis.null("string"), text)

    def is_one_of(self, text: StringValue, words: Iterable[str]) -> BooleanValue:
        """Tell which texts are one of some words, or the same number: 99 stands for 99.0, too."""
        words, point = list(words), self.map.decimal
        whole = [each.rstrip("0").removesuffix(point) for each in words if point in each]
        return text.isin(words) | plain(text, point).isin([*words, *whole])

    @property
    def currency(self) -> str:
        """The currency of amounts, where the source says it."""
        return self.source.currency if self.name in ("amount", "cost") else ""

    def _identifier(self, text: StringValue) -> StringValue:
        """Return an identifier; as a number, if it is said to be one."""
        if not self.map.numeric:
            return text
        return numeric_id(text)

    def _key(self) -> StringValue:
        """Return several columns as one identifier; nothing where one is missing."""
        parts = [self._identifier(self.written(column)) for column in self.map.columns]
        text, *later = (each.replace("\\", "\\\\").replace("|", "\\|") for each in parts)
        for part in later:
            text = text + "|" + part
        return text

    def _joined(self, columns: tuple[str, ...], all_needed: bool) -> StringValue:
        """Return the texts of several columns, joined by a blank."""
        parts = [self.written(column) for column in columns]
        if len(parts) > 1 and not all_needed:  # one that is missing leaves the others
            return ibis.literal(" ").join(parts).nullif("")
        text = parts[0]
        for part in parts[1:]:
            text = text + " " + part
        return text.nullif("")

    def _row(self) -> StringValue:
        """Return the row's number as an identifier."""
        text = (self.raw[ROW] % NEXT).cast("string")
        parts = self.source.tables[self.table].parts
        if any(part.is_pattern for part in parts):
            text = ibis.literal(f"{self.file} ") + text
        if REPEAT not in self.raw.columns:
            return text
        again = self.raw[REPEAT]
        return ibis.ifelse(again == 0, text, text + "-" + again.cast("string"))

    def _number(self, column: str) -> NumericValue:
        """Return the numbers of one column, in the contract's unit."""
        return self._scaled(self._operand(column))

    def _parsed(self, text: StringValue) -> NumericValue:
        own = self.map
        return self._named(text, number(text, own.decimal, own.thousands, self.currency))

    def _named(self, text: StringValue, value: NumericValue) -> NumericValue:
        """Return numbers, and those that words stand for."""
        own = self.map
        if not any(own.values.values()):
            return ibis.ifelse(text.isnull(), ibis.null("float64"), value) if own.missing else value
        words = [(self.is_one_of(text, words), float(to)) for to, words in own.values.items()]
        other = value if own.default is None else ibis.literal(float(own.default))
        named = ibis.cases(*words, else_=other)
        return ibis.ifelse(text.isnull(), ibis.null("float64"), named)

    def _operand(self, column: str) -> NumericValue:
        """Return the numbers of one column, in the file's unit."""
        raw = self.raw[column]
        if not raw.type().is_numeric():
            return self._parsed(self.written(column))
        value = finite(raw.cast("float64"))
        if not self.map.values and not self.map.missing:
            return value
        return self._named(self.written(column), value)

    def _scaled(self, value: NumericValue) -> NumericValue:
        """Return numbers in the contract's unit."""
        own = self.map
        scale, offset = own.conversion
        if own.scale_by:
            scales = [(key, float(each)) for key, each in own.scales.items()]
            value = value * self.written(own.scale_by).cases(*scales)
        elif scale != 1:
            value = value * scale
        if offset:  # rounded, so that the end of a scale of 1 to 21 is 10 and no hair more
            value = (value + offset).round(9)
        return value

    def _mean(self) -> Value:
        """Return the mean of the numbers that are there; nothing where one of them is wrong."""
        values = [self._number(name) for name in self.map.columns]
        is_wrong = self.faults()["wrong."].notnull()
        total = sum(a.fill_null(0.0) for a in values)
        count = sum(a.notnull().cast("int64") for a in values)
        return ibis.ifelse(is_wrong, ibis.null("float64"), total / count.nullif(0))

    def instant(self) -> Value | None:
        """Return the moments that have a zone in UTC, for what came first; None if none can have.

        An hour that clocks show twice is two hours there.
        """
        own = self.map
        if own.columns and moments.ZONED + own.columns[0] in self.raw.columns:
            found = [self.raw[moments.ZONED + own.columns[0]]]
        elif any(self.raw[each].type().is_temporal() for each in own.columns):
            return None
        else:
            found = [each for each in self._readings() if each.type() == moments.INSTANT]
        return moments.clock("UTC", ibis.coalesce(*found)) if found else None

    def _moment(self) -> Value:
        """Return moments, in the local time of the source; nothing where a text is none."""
        text, own = self.text, self.map
        typed = self.raw[own.columns[0]] if len(own.columns) == 1 else text
        if typed.type().is_temporal():
            if typed.type().is_time():
                raise DataError(
                    f"{self.file}: {own.columns[0]!r} holds times of a day; expected a date."
                )
            moment = ibis.ifelse(moments.has_year(typed), typed, ibis.null(typed.type()))
            return ibis.ifelse(text.isnull(), ibis.null("timestamp"), moment.cast("timestamp"))
        where = (self.source, self.file, " ".join(own.columns))
        return ibis.coalesce(
            *(
                moments.local_time(*where, each) if each.type() == moments.INSTANT else each
                for each in self._readings()
            )
        )

    def _readings(self) -> list[Value]:
        """Return the texts as moments, in each way that they may be read; the first one counts."""
        text, own, iso = self.text, self.map, moments.iso(self.text)
        is_stored = any(self.raw[each].type().is_temporal() for each in own.columns)
        if own.formats and not is_stored:  # days of a sheet beside their hours are ISO dates
            found = [moments.with_format(text, each) for each in own.formats]
            is_sheet = Path(self.file).suffix.lower() in sheets.ENDINGS
            return [*found, iso] if is_sheet or not own.columns else found
        zoned = text.re_search(moments.ZONE)
        if self.source.timezone is None and not self.raw.filter(zoned).count().execute():
            return [iso]
        return [ibis.ifelse(zoned, moments.instant(text), ibis.null(moments.INSTANT)), iso]

    def _category(self) -> StringValue:
        """Return texts under the contract's names."""
        own = self.map
        text = self.text if own.values else as_allowed(self.text, self.schema)
        words = [(self.is_one_of(text, each), name) for name, each in own.values.items()]
        if not words:
            return text
        named = ibis.cases(*words, else_=own.default or text)
        return ibis.ifelse(text.isnull(), ibis.null("string"), named)


def _first(broken: dict[str, BooleanValue]) -> StringValue:
    """Return the first name whose flag is set; nothing where none is."""
    flags = [(flag.fill_null(False), name) for name, flag in broken.items()]
    return ibis.cases(*flags, else_=ibis.null("string"))
