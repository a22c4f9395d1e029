"""The keys of a source's TOML file, with their types, ranges and meanings.

`schema` builds a source from them, `reference` writes data/README.md's tables from them.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from analysis.data.mapping.types import (
    Day,
    Decimal,
    Delimiter,
    Encoding,
    Factor,
    Filled,
    Formats,
    Formula,
    Mark,
    Number,
    Range,
    Text,
    Texts,
    as_list,
)


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


OUTSIDE = "files outside the source's folder may be read, such as `../common/stations.csv`"


class Limits(Keys):
    """A range of a column: numbers, or dates as text."""

    min: Number | date | None = Field(None, description="lowest value that counts")
    max: Number | date | None = Field(None, description="highest value that counts")


Filter = dict[str, Limits | Texts]


COMPLETE = "a text file whose last line has no end is whole"


class ColumnKeys(Marks):
    """Where one column of the contract comes from, where its name alone does not say it."""

    column: Filled | None = Field(None, description="the file's column")
    columns: list[Filled] | None = Field(
        None,
        min_length=1,
        description="several: numbers become the mean of those filled in, dates and texts are "
        "joined by a blank",
    )
    key: list[Filled] | None = Field(
        None, min_length=2, description="several columns that are one identifier together"
    )
    value: Text | None = Field(None, description="the same value for every row")
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
    scale_by: Filled | None = Field(None, description="column whose value chooses out of `scales`")
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

    file: Filled = Field(description="the second file; its columns become `name.column`")
    on: Filled = Field(description="the column that both have")
    sheet: Filled | None = Field(None, description="of an Excel or OpenDocument file")
    numeric: bool = Field(
        False, description="values that are numbers: 00123, 123 and 123.0 are the same"
    )


class TableKeys(TextFile):
    """One table of the contract, or one of several parts of it (`[[transactions]]`)."""

    file: Filled | None = Field(
        None,
        description="a file (.csv, .txt, .tsv, also .gz and .zst; .parquet, .jsonl, .xlsx, .xls, "
        ".ods), a folder of Parquet files (`year=2024/...`), or a table of the database",
    )
    files: Annotated[list[Filled], BeforeValidator(as_list)] | None = Field(
        None, min_length=1, description='several files of one layout: a list, or `"sales_*.csv"`'
    )
    outside: bool | None = Field(None, description=f"as in the source: {OUTSIDE}")
    complete: bool | None = Field(None, description=f"as in the source: {COMPLETE}")
    schema_name: str | None = Field(
        None, description="of a database's table: its schema, where it is not the user's own"
    )
    catalog_name: str | None = Field(
        None, description="of a database's table: its catalog, where the database has several"
    )
    updated_at: str | None = Field(
        None, description="of a database's table: its column that says when a row last changed"
    )
    sheet: Filled | None = Field(None, description="of an Excel or OpenDocument file; the first")
    skip: Annotated[int, Field(ge=0, le=1_000_000)] = Field(0, description="rows above the header")
    header: list[str] | None = Field(
        None, min_length=1, description="names for a file without a header"
    )
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
    count: Filled | None = Field(
        None, description="column that says how many rows one row stands for"
    )
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
    folder: Filled | None = Field(
        None, description="folder beside this file; by default of the same name"
    )
    outside: bool = Field(False, description=f"whether {OUTSIDE}; the report says which")
    complete: bool = Field(False, description=f"whether {COMPLETE}; else it is refused as cut off")
    database: Filled | None = Field(
        None,
        description="instead of a folder: a DuckDB or SQLite file, or an address; `${NAME}` is "
        "taken from the environment",
    )
    statement_timeout: Annotated[float, Field(gt=0, le=86_400)] = Field(
        600.0, description="seconds that one query of the database may take"
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
