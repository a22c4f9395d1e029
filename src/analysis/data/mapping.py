"""A source as the program knows it: its files, and where each column's values come from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

TIME = r"%-?[HIMSfgnpTXc]"
"""A part of a date's format that is of a time."""
_UTC_AT_END = re.compile(rf"{TIME} ?(?:[Zz]|UTC|GMT)$")


def is_utc(format: str | None) -> bool:
    """Tell whether a format of dates ends in a Z, UTC or GMT that is written out."""
    return bool(_UTC_AT_END.search(format or ""))


@dataclass(frozen=True)
class ColumnMap:
    """Where the values of one column of the contract come from.

    Attributes
    ----------
    columns : tuple of str
        Columns of the file: several numbers become their mean, of those that are there;
        dates and texts are joined by a space. Empty with `value` or `row`.
    value : str or None
        The same value for every row.
    row : bool
        The row's number in the file, for a file that has no identifier.
    format : str or None
        Format of dates, as in `strptime`; ISO dates need none. A Z, UTC or GMT at its end is the
        zone, as %z is.
    decimal, thousands : str
        Decimal mark and thousands separator of numbers.
    values : dict of str to tuple of str
        Own names of categories, by the contract's name.
    default : str or None
        The contract's name for every other value.
    scale : float
        What one unit of the file is in units of the contract.
    scale_by : str or None
        Column whose value chooses the scale out of `scales`.
    offset : float
        Added after scaling: -1 and 11 turn a rating from 1 to 10 round.
    first : bool
        With `one_row_per`: the smallest value of the group.
    """

    columns: tuple[str, ...] = ()
    value: str | None = None
    row: bool = False
    format: str | None = None
    decimal: str = "."
    thousands: str = ""
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    default: str | None = None
    scale: float = 1.0
    scale_by: str | None = None
    scales: Mapping[str, float] = field(default_factory=dict)
    offset: float = 0.0
    first: bool = False


@dataclass(frozen=True)
class Join:
    """A second file whose row with the same key completes each row."""

    file: str
    on: str


@dataclass(frozen=True)
class TableMap:
    """Where one table of the contract is, and how it is written.

    Attributes
    ----------
    file : str
        File in the source's folder, or table of its database.
    columns : dict of str to ColumnMap
        By the contract's name; columns that the file calls as the contract does need no entry.
    joins : tuple of Join
        Their columns are named "file.column", the file without its ending.
    header : tuple of str
        Names of the columns of a file that has none.
    delimiter, encoding, sheet : str
        Of a text file ("whitespace" for any run of blanks), of an Excel file.
    one_row_per : str or None
        The table is made of the distinct values of a longer one.
    plain : dict of str to ColumnMap
        For every column, how it is read where the file calls it as the contract does.
    """

    file: str
    columns: Mapping[str, ColumnMap]
    joins: tuple[Join, ...] = ()
    header: tuple[str, ...] = ()
    delimiter: str = ","
    encoding: str = "utf-8"
    sheet: str = ""
    one_row_per: str | None = None
    plain: Mapping[str, ColumnMap] = field(default_factory=dict)


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
