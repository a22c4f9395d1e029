"""Dates and moments as people write them, in the local time of the source."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable

import ibis
import ibis.expr.datatypes as types
from ibis.expr.types import BooleanValue, StringValue, Table, TimestampValue, Value

from analysis.data.errors import DataError
from analysis.data.mapping.source import Source
from analysis.data.mapping.types import NAMED_FORMATS, is_utc

INSTANT = types.Timestamp(timezone="UTC")
"""A moment that was stored with its zone."""
ZONED = "with zone."
"""Prefix of the columns with the moments of another as they were stored, with their zone."""
OFFSET = r"[+-](?:(?:0\d|1[0-3])(?::?[0-5]\d)?|14(?::?00)?)"
"""How far from UTC a clock may be: up to 14 hours."""
NAME = r"(?:UTC|GMT|Z|[A-Z][A-Za-z]+/[A-Z][A-Za-z_/-]+)"
"""A zone by a name that means one."""
ZONE = rf":\d{{2}}(?:\.\d+)? ?([Zz]|UTC|GMT|{OFFSET})$"
"""How a moment in ISO 8601 with a zone ends; the zone."""
AFTER_TIME = r":\d{2}(?:[.,]\d+)? *[^\d:., ]"
"""What a moment has that goes on after its time, with a zone or with something that is none."""
NUMERIC = r"^\d+(\.\d+)?$"
"""A date that is a number, for which a format must be named."""
_CHINESE = r"^(\d{4})年(\d{1,2})月(\d{1,2})[日号]"
_CLOCK = r"(\d{1,2})[时時点](\d{1,2})分(?:(\d{1,2})秒)?$"
_CLOCKS = ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:")
_HALF = r" *([上下]午) *"
_FAR = 10_000 * 366 * 86_400_000
"""Milliseconds from 1970 beyond which there is no date."""


@ibis.udf.scalar.builtin(name="try_strptime")
def _try_strptime(text: str, format: str) -> dt.datetime:
    """Parse a date by its format; nothing where it does not fit (DuckDB's own function)."""


@ibis.udf.scalar.builtin(name="try_strptime")
def _try_each(text: str, formats: list[str]) -> dt.datetime:
    """Parse a date by the first format that fits (DuckDB's own function)."""


@ibis.udf.scalar.builtin(name="try_strptime", signature=((types.string, types.string), INSTANT))
def _try_strptime_with_zone(text: str, format: str) -> dt.datetime:
    """Parse a date by a format that has a zone (DuckDB's own function)."""


@ibis.udf.scalar.builtin(name="timezone", signature=((types.string, INSTANT), types.timestamp))
def clock(zone: str, moment: dt.datetime) -> dt.datetime:
    """Return what the clocks of a zone show (a function of DuckDB and PostgreSQL)."""


@ibis.udf.scalar.builtin(name="epoch_ms", signature=((types.int64,), types.timestamp))
def _since_1970(milliseconds: int) -> dt.datetime:
    """Return the moment so long after the beginning of 1970 in UTC (DuckDB's own function)."""


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
    return clock(source.timezone, moment)


def in_local_time(source: Source, file: str, rows: Table, columns: Iterable[str]) -> Table:
    """Turn the columns that the engine has with a zone into what the source's clocks showed.

    They stay beside it as they were (`ZONED` and the name).
    """
    zoned = [name for name in columns if getattr(rows[name].type(), "timezone", None)]
    local = {name: local_time(source, file, name, rows[name]) for name in zoned}
    return rows.mutate(**local, **{ZONED + name: rows[name] for name in zoned}) if zoned else rows


def has_year(moment: Value) -> BooleanValue:
    """Tell which days or moments have a year of four digits: others are beyond what Python has."""
    return moment.year().between(1, 9999)


def with_format(text: StringValue, format: str) -> TimestampValue:
    """Return the moments of texts in a format; nothing where a text does not fit it.

    With a zone in the format, or since 1970, they are of the type `INSTANT`.
    """
    if format in NAMED_FORMATS:
        number = text.try_cast("float64")
        if format == "excel":  # day 60 is a 29 February 1900 that never was: later days are right
            is_day = (number >= 61) & (number < 2_958_466)
            day = ibis.ifelse(is_day, number, ibis.null("float64"))
            return _since_1970(((day - 25569) * 86_400_000).round().cast("int64"))
        ms = number * (1000 if format == "unix" else 1)
        is_near = (ms.abs() < _FAR) & ~ms.isnan()
        ms = ibis.ifelse(is_near, ms, ibis.null("float64")).round().cast("int64")
        return (_since_1970(ms).cast("string") + "+00").try_cast(INSTANT)
    if is_utc(format):
        return _try_strptime_with_zone(text + " +0000", f"{format} %z")
    if re.search("%[zZ]", format):
        return _try_strptime_with_zone(_with_offset(text, format), format)
    if "%p" in format:
        text = text.replace("上午", "AM").replace("下午", "PM")
    return _try_strptime(text, format).cast("timestamp")


def iso(text: StringValue) -> TimestampValue:
    """Return the moments of texts in ISO 8601 without a zone, or such as 2024年3月5日 08:30.

    上午 and 下午 are read as the hours before and after noon.
    """
    half, text = text.re_extract(_HALF, 1), text.re_replace(_HALF, " ").strip()
    plain = ibis.ifelse(text.re_search(AFTER_TIME), ibis.null("string"), text)
    western = plain.re_replace(_CHINESE, r"\1-\2-\3 ").re_replace(_CLOCK, r"\1:\2:\3")
    western = western.re_replace(" +", " ").strip()
    chinese = _try_each(western, list(_CLOCKS)).cast("timestamp")
    is_day = plain.re_search(r"^[+-]?\d+-")  # the engine knows words, too: epoch, infinity
    other = ibis.ifelse(is_day, plain, ibis.null("string")).try_cast("timestamp")
    moment = ibis.ifelse(text.re_search(_CHINESE), chinese, other)
    hour = text.re_extract(r"(\d{1,2})[:时時点]", 1)
    later = (half == "下午") & ~hour.re_search("^(1[2-9]|2.)$")
    earlier = (half == "上午") & (hour == "12")
    return moment + ibis.cases((later, 12), (earlier, -12), else_=0).as_interval("h")


def instant(text: StringValue) -> Value:
    """Return the moments of texts in ISO 8601 that have a zone."""
    zone = text.re_extract(ZONE, 1)
    moment = text.left(text.length() - zone.length()).try_cast("timestamp")
    offset = ibis.ifelse(zone.re_search(r"\d"), zone, "+00")
    return (moment.cast("string") + offset).try_cast(INSTANT)


def _with_offset(text: StringValue, format: str) -> StringValue:
    """Return the texts in a format whose zone is one for sure; nothing for others.

    %z is an offset that clocks have. %Z is UTC, GMT or a name such as Asia/Shanghai: CST is a
    zone of China, of America and of Cuba.
    """
    parts = [
        {"%z": OFFSET, "%Z": NAME}.get(each, ".*?" if re.match(r"%-?\w", each) else re.escape(each))
        for each in re.split(r"(%-?\w|%(?=%))", format)
    ]
    return ibis.ifelse(text.re_search(f"^{''.join(parts)}$"), text, ibis.null("string"))
