"""The keys of a source's TOML file, with their types, ranges and meanings.

`schema` builds a source from them, `reference` writes data/README.md's tables from them.
"""

from __future__ import annotations

import math
import re
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from analysis.data.mapping.expressions import parse

TIME = r"%-?[HIMSfgnpTXc]"
"""A part of a date's format that is of a time."""
NAMED_FORMATS = ("excel", "unix", "unix_ms")
"""Formats of dates that are numbers: days of Excel, seconds and milliseconds since 1970."""

_CODES = re.compile(r"%(-?.)?", re.DOTALL)
_KNOWN_CODES = set("aAbBcdfgGHIjmMnpSuUVwWxXyYzZ%")
_LITERAL_ZONE = re.compile(
    rf"{TIME} ?((?:UTC|GMT)?[+-]\d\d?:?\d\d(?!\d)|\+\d\d?|UTC|GMT|[Zz](?![A-Za-z])|[A-Z]{{2,4}}T\b"
    r"|\[?[A-Z][A-Za-z]+/[A-Z]\w+)"
)
_UTC_AT_END = re.compile(rf"{TIME} ?(?:[Zz]|UTC|GMT)$")


def is_utc(format: str | None) -> bool:
    """Tell whether a format of dates ends in a Z, UTC or GMT that is written out."""
    return bool(_UTC_AT_END.search(format or ""))


def _one_character(text: str) -> str:
    if len(text) != 1 or text.isalnum():
        raise ValueError("expected one character that is no letter and no digit")
    return text


def _mark(text: str) -> str:
    return text and _one_character(text)


def _delimiter(text: str) -> str:
    if len(text) != 1 and text != "whitespace":
        raise ValueError("expected one character, or 'whitespace'")
    return text


def _encoding(text: str) -> str:
    try:
        "a".encode(text)
    except (LookupError, UnicodeError):  # of bytes, such as hex, or of none
        raise ValueError("expected one such as 'utf-8' or 'gb18030'") from None
    return text


def _format(text: str) -> str:
    if text in NAMED_FORMATS:
        return text
    codes = [code[1] or "" for code in _CODES.finditer(text)]
    unknown = [code for code in codes if code.removeprefix("-") not in _KNOWN_CODES]
    if unknown or not codes:
        what = f"%{unknown[0]} is no code of a date" if unknown else "it has no code of a date"
        raise ValueError(
            f"{what}; expected a format such as '%d.%m.%Y', or one of {', '.join(NAMED_FORMATS)}"
        )
    zone = _LITERAL_ZONE.search(text)
    if zone and not (is_utc(text) or re.search("%[zZ]", text)):
        raise ValueError(
            f"{zone[1]!r} would be read as letters; "
            "use %z for the zone (an offset such as +08:00), or %Z (its name)"
        )
    return text


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise ValueError("expected a finite number")
    return number


def _factor(number: float) -> float:
    if not number or not math.isfinite(number):
        raise ValueError("expected a finite number that is not 0")
    return number


def _range(ends: list[float]) -> list[float]:
    if len(ends) != 2 or ends[0] >= ends[1]:
        raise ValueError("expected the lowest and the highest answer, such as [1, 5]")
    return ends


def _day(value: date) -> date:
    if isinstance(value, datetime):
        raise ValueError("expected a date")
    if not 1900 <= value.year < 2200:
        raise ValueError("expected a date from 1900 to 2199")
    return value


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _as_texts(value: Any) -> Any:
    return [_as_text(each) for each in (value if isinstance(value, list) else [value])]


def _as_text(value: Any) -> Any:
    """Return numbers, days, and true and false as a file has them."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).lower() if isinstance(value, bool | int | float | date) else value


Mark = Annotated[str, AfterValidator(_mark)]
Decimal = Annotated[str, AfterValidator(_one_character)]
Delimiter = Annotated[str, AfterValidator(_delimiter)]
Encoding = Annotated[str, AfterValidator(_encoding)]
Format = Annotated[str, AfterValidator(_format)]
Formats = Annotated[list[Format], BeforeValidator(_as_list)]
Texts = Annotated[list[str], BeforeValidator(_as_texts)]
Number = Annotated[float, AfterValidator(_finite)]
Factor = Annotated[float, AfterValidator(_factor)]
Range = Annotated[list[Number], AfterValidator(_range)]
Day = Annotated[date, AfterValidator(_day)]
Formula = Annotated[str, AfterValidator(lambda text: (parse(text), text)[1])]


class Keys(BaseModel):
    """Keys of one part of the file: unknown ones, and values of another type, are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Marks(Keys):
    """How values are written; what a column does not say its table does, then the source."""

    decimal: Decimal | None = Field(None, description="decimal mark of numbers, by default a dot")
    thousands: Mark | None = Field(None, description="separator of thousands, by default none")
    missing: Texts | None = Field(
        None, description='words that stand for no value, such as `["NA", "99", "-"]`'
    )


class TextFile(Marks):
    """How text files and their dates are written."""

    encoding: Encoding | None = Field(
        None, description="of text files: `gb18030`, `utf-16`; by default utf-8"
    )
    delimiter: Delimiter | None = Field(
        None, description="of text files; `whitespace` for any run of blanks, by default a comma"
    )
    date_format: Formats | None = Field(
        None,
        description="format of dates, or several that are tried in turn: `%d.%m.%Y`, `excel` "
        "(days), `unix` or `unix_ms` (seconds, milliseconds since 1970); ISO dates and "
        "2024年3月5日 need none",
    )


class Limits(Keys):
    """A range of a column: numbers, or dates as text."""

    min: Number | date | None = Field(None, description="lowest value that counts")
    max: Number | date | None = Field(None, description="highest value that counts")


Filter = dict[str, Limits | Texts]


class ColumnKeys(Marks):
    """Where one column of the contract comes from, where its name alone does not say it."""

    column: str | None = Field(None, description="the file's column")
    columns: list[str] | None = Field(
        None,
        min_length=1,
        description="several: numbers become the mean of those filled in, dates and texts are "
        "joined by a blank",
    )
    key: list[str] | None = Field(
        None, min_length=2, description="several columns that are one identifier together"
    )
    value: str | None = Field(None, description="the same value for every row")
    row: bool = Field(False, description="an identifier: the number of the row in the file")
    expression: Formula | None = Field(
        None,
        description="numbers computed from columns of the file: `Quantity * UnitPrice`; names "
        "with blanks stand in backticks; + - * / and brackets",
    )
    format: Formats | None = Field(None, description="of dates, as `date_format`")
    values: dict[str, Texts] = Field(
        default_factory=dict,
        description="the contract's value, and the file's own words for it: "
        '`{ urban = ["Stadt", "City"] }`, `{ 5 = "非常满意" }`',
    )
    default: str | None = Field(None, description="the contract's value for every other word")
    scale: Factor | None = Field(None, description="what one unit of the file is")
    offset: Number | None = Field(None, description="added after scaling")
    scale_by: str | None = Field(None, description="column whose value chooses out of `scales`")
    scales: dict[str, Factor] | None = Field(None, description="scale by value of `scale_by`")
    scale_of: Range | None = Field(
        None, description="lowest and highest answer of a rating: they become 1 and 10"
    )
    reverse: bool = Field(False, description="a rating whose lowest answer is the best")
    numeric: bool = Field(
        False, description="an identifier that is a number: 00123, 123 and 123.0 are the same"
    )
    first: bool = Field(False, description="with `one_row_per`: the smallest value of the group")
    by: Literal["most sales", "last", "first", "each"] | None = Field(
        None, description="the region that counts for a customer who is in several"
    )


class JoinKeys(Keys):
    """A second file whose row with the same key completes each row."""

    file: str = Field(description="the second file; its columns become `name.column`")
    on: str = Field(description="the column that both have")
    sheet: str | None = Field(None, description="of an Excel or OpenDocument file")


class TableKeys(TextFile):
    """One table of the contract, or one of several parts of it (`[[transactions]]`)."""

    file: str | None = Field(
        None,
        description="a file (.csv, .txt, .tsv, also .gz and .zst; .parquet, .jsonl, .xlsx, .xls, "
        ".ods), a folder of Parquet files (`year=2024/...`), or a table of the database",
    )
    files: Annotated[list[str], BeforeValidator(_as_list)] | None = Field(
        None, min_length=1, description='several files of one layout: a list, or `"sales_*.csv"`'
    )
    sheet: str | None = Field(None, description="of an Excel or OpenDocument file; the first")
    skip: Annotated[int, Field(ge=0)] = Field(0, description="rows above the header")
    header: list[str] | None = Field(None, description="names for a file without a header")
    joins: list[JoinKeys] = Field(default_factory=list, description="files that complete each row")
    same_file_as: str | None = Field(None, description="the table whose file this is, too")
    one_row_per: str | None = Field(
        None, description="the table is made of the distinct values of a longer one"
    )
    keep: Filter = Field(
        default_factory=dict,
        description="only rows with these values, or in this range, of columns of the file: "
        '`{ Status = ["paid", "sent"], Day = { min = 2024-01-01 } }`',
    )
    drop: Filter = Field(default_factory=dict, description="not these rows")
    count: str | None = Field(None, description="column that says how many rows one row stands for")
    scale_of: Range | None = Field(
        None, description="of a survey: `scale_of` for all of its ratings"
    )
    refunds: Literal["net", "leave_out"] | None = Field(
        None,
        description="of purchases: negative lines are netted against their purchase (`net`, by "
        "default) or left out",
    )
    columns: dict[
        str,
        Annotated[
            ColumnKeys,
            BeforeValidator(lambda value: {"column": value} if isinstance(value, str) else value),
        ],
    ] = Field(default_factory=dict, description="by the contract's name")


class SourceKeys(TextFile):
    """A source: what holds for all of its tables."""

    title: str | None = Field(None, description="a line for the reader")
    folder: str | None = Field(
        None, description="folder beside this file; by default of the same name"
    )
    database: str | None = Field(
        None,
        description="instead of a folder: a DuckDB or SQLite file, or an address; `${NAME}` is "
        "taken from the environment",
    )
    currency: str = Field("", description="code of the currency")
    calendar: str | None = Field(
        None, description="country whose working days count: `CN` (the default), `DE-BY`"
    )
    timezone: str | None = Field(
        None, description="zone whose days count, for moments that have one: `Asia/Shanghai`"
    )
    earliest: Day = Field(date(1980, 1, 1), description="days before it are errors")
    as_of: Day | None = Field(None, description="the day the data was taken; later days are errors")
    max_set_aside: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = Field(
        0.05, description="share of rows that may break a rule before a region is stopped"
    )
    notes: list[str] = Field(
        default_factory=list, description="what a reader of the reports should know"
    )
