"""A source as the program knows it: its files, and where each column's values come from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import NamedTuple

from analysis.data.mapping.expressions import parse
from analysis.data.mapping.keys import JoinKeys, Limits
from analysis.data.mapping.types import is_utc

LOW, HIGH = 1.0, 10.0
"""Ends of a rating in the contract."""


@dataclass(frozen=True)
class ColumnMap:
    """Where the values of one column of the contract come from; see `keys.ColumnKeys`.

    Attributes
    ----------
    columns : tuple of str
        Columns of the file. Empty with `value`, `row` and `expression`.
    is_key : bool
        Whether the columns are one identifier together.
    value : str or None
        The same value for every row.
    row : bool
        The row's number in the file.
    expression : str or None
        Arithmetic on columns of the file, as `expressions.parse` reads it.
    formats : tuple of str
        Formats of dates that are tried in turn; ISO dates where there is none.
    decimal, thousands : str
        Marks of numbers.
    missing : tuple of str
        Words that stand for no value.
    values : dict of str to tuple of str
        Own words, by the contract's value.
    default : str or None
        The contract's value for every other word.
    scale, offset : float
        The contract's number is the file's times `scale` plus `offset`.
    scale_by : str or None
        Column whose value chooses the scale out of `scales`.
    scale_of : tuple of float, or None
        Lowest and highest answer of a rating, which become 1 and 10; 10 and 1 with `reverse`.
    numeric : bool
        An identifier that is a number: 00123 and 123.0 are 123.
    first : bool
        With `one_row_per`: the smallest value of the group.
    by : str or None
        Which region of a customer counts.
    """

    columns: tuple[str, ...] = ()
    is_key: bool = False
    value: str | None = None
    row: bool = False
    expression: str | None = None
    formats: tuple[str, ...] = ()
    decimal: str = "."
    thousands: str = ""
    missing: tuple[str, ...] = ()
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    default: str | None = None
    scale: float = 1.0
    offset: float = 0.0
    scale_by: str | None = None
    scales: Mapping[str, float] = field(default_factory=dict)
    scale_of: tuple[float, ...] | None = None
    reverse: bool = False
    numeric: bool = False
    first: bool = False
    by: str | None = None

    @property
    def used(self) -> tuple[str, ...]:
        """All columns of the file that are read for it."""
        own = parse(self.expression).columns if self.expression else self.columns
        return (*own, *([self.scale_by] if self.scale_by else []))

    @property
    def conversion(self) -> tuple[float, float]:
        """The scale and the offset of its numbers; of a rating those that its scale comes to."""
        if not self.scale_of:
            return self.scale, self.offset
        low, high = self.scale_of
        scale = (HIGH - LOW) / (high - low) * (-1 if self.reverse else 1)
        return scale, (HIGH if self.reverse else LOW) - scale * low

    @property
    def is_zoned(self) -> bool:
        """Whether a format of its dates has a zone."""
        return any(is_utc(each) or re.search("%[zZ]", each) for each in self.formats)


class Place(NamedTuple):
    """Where a table of a database is; catalog and schema are the user's own where empty."""

    catalog: str
    schema: str
    name: str

    def __str__(self) -> str:
        return ".".join(filter(None, self))


@dataclass(frozen=True)
class Part:
    """Files of one layout that are a table of the contract, or a part of it.

    Attributes
    ----------
    files : tuple of str
        Names in the source's folder, or of a table of its database.
    is_pattern : bool
        Whether a name may hold * and ? for several files.
    schema_name, catalog_name, updated_at, outside, complete, sheet, skip, header, encoding, \
    delimiter, joins, one_row_per, keep, drop, count, refunds
        As in `keys.TableKeys`.
    columns : dict of str to ColumnMap
        By the contract's name; columns that the file calls as the contract does need no entry.
    marks : dict of str to ColumnMap
        By kind (text, number, moment), how a column is written that says nothing else.
    plain : dict of str to ColumnMap
        For every column, how it is read where the file calls it as the contract does.
    """

    files: tuple[str, ...]
    is_pattern: bool = False
    schema_name: str = ""
    catalog_name: str = ""
    updated_at: str = ""
    outside: bool = False
    complete: bool = False
    sheet: str = ""
    skip: int = 0
    header: tuple[str, ...] = ()
    encoding: str = "utf-8"
    delimiter: str = ","
    joins: tuple[JoinKeys, ...] = ()
    one_row_per: str | None = None
    keep: Mapping[str, Limits | list[str]] = field(default_factory=dict)
    drop: Mapping[str, Limits | list[str]] = field(default_factory=dict)
    count: str | None = None
    refunds: str | None = None
    columns: Mapping[str, ColumnMap] = field(default_factory=dict)
    marks: Mapping[str, ColumnMap] = field(default_factory=dict)
    plain: Mapping[str, ColumnMap] = field(default_factory=dict)


@dataclass(frozen=True)
class TableMap:
    """Where one table of the contract is, in parts of one layout each.

    Attributes
    ----------
    parts : tuple of Part
        At least one.
    refunds : str
        Whether negative purchase lines are netted ("net") or left out ("leave_out").
    """

    parts: tuple[Part, ...]
    refunds: str = "net"

    @property
    def file(self) -> str:
        """The table's file, or its files, for a message."""
        names = [name for part in self.parts for name in part.files]
        return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


@dataclass(frozen=True)
class Source:
    """A data set that the workbook can read.

    Its `repr` says what the file says of the data, without the folder and the address.

    Attributes
    ----------
    name, title : str
        File name without ending; a line for the reader.
    folder : Path
        Where its files are.
    database : str or None
        DuckDB or SQLite file, or address; ${NAME} is taken from the environment.
    currency, calendar : str
        Code of the currency; country whose working days count.
    timezone : str or None
        Zone whose days count for moments that are stored with a zone, such as "Asia/Shanghai".
        None where it is not stated and the country of a stated calendar has several.
    earliest : date
        Days before it are errors.
    as_of : date or None
        Day on which the data was taken; days after it (or after today) are errors.
    max_set_aside : float
        Share of rows that may break the contract before a region is refused.
    notes : tuple of str
        What a reader of the reports should know about the data.
    tables : dict of str to TableMap
        By the contract's name.
    stated : str or None
        The database as it stands in the TOML file, before the environment is filled in: what a
        message may show.
    outside : tuple of Path
        Files that the source names outside its folder; of a pattern the folder.
    statement_timeout : float
        Seconds that one query of the database may take.
    extracts : dict of Place to Path or str
        The file to which each table of the database was extracted, or why it was not.
    keys : dict of Place to Path
        Of tables of purchases that were not extracted: which customers have how many lines.
    """

    name: str
    title: str
    folder: Path = field(repr=False)
    database: str | None = field(repr=False)
    currency: str
    calendar: str
    timezone: str | None
    earliest: date
    as_of: date | None
    max_set_aside: float
    notes: tuple[str, ...]
    tables: Mapping[str, TableMap]
    stated: str | None = None
    outside: tuple[Path, ...] = field(default=(), repr=False)
    statement_timeout: float = field(default=600.0, repr=False)
    extracts: Mapping[Place, Path | str] = field(default_factory=dict, repr=False)
    keys: Mapping[Place, Path] = field(default_factory=dict, repr=False)
