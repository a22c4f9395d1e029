"""A source: the TOML file that says where a data set is and what its own names mean."""

from __future__ import annotations

import codecs
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from importlib import resources
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

import holidays
from holidays.registry import COUNTRIES

from analysis.claims.hypotheses import nearest
from analysis.data.contract import TABLES

ROOT = Path(__file__).resolve().parents[3]
DATA = ROOT / "data"
SHORTEST_SECRET = 4
"""Characters from which on a value of the environment is a secret: shorter ones are in any text."""

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_TIME = r"%-?[HIMSfgnpTXc]"
_LITERAL_UTC = re.compile(rf"{_TIME} ?(?:[Zz]|UTC|GMT)$")
_LITERAL_ZONE = re.compile(
    rf"{_TIME} ?((?:UTC|GMT)?[+-]\d\d?:?\d\d(?!\d)|\+\d\d?|UTC|GMT|[Zz](?![A-Za-z])|[A-Z]{{2,4}}T\b"
    r"|\[?[A-Z][A-Za-z]+/[A-Z]\w+)"
)


def reports_folder() -> Path:
    """Return where reports go: as the run that executes a notebook says, or the project's own."""
    return Path(os.environ.get("WORKBOOK_REPORTS", ROOT / "reports"))


class DataError(ValueError):
    """What is wrong with a user's data, as a message for that user."""


def counted(number: int, noun: str) -> str:
    """Return a number and what is counted: "1 line", "2 lines"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


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
    folder: Path
    database: str | None = field(repr=False)
    currency: str
    calendar: str
    timezone: str | None
    earliest: date
    as_of: date | None
    max_set_aside: float
    notes: tuple[str, ...]
    tables: Mapping[str, TableMap]


def is_utc(format: str | None) -> bool:
    """Tell whether a format of dates ends in a Z, UTC or GMT that is written out."""
    return bool(_LITERAL_UTC.search(format or ""))


def available() -> list[str]:
    """Return the names of the sources in data/."""
    return sorted(path.stem for path in DATA.glob("*.toml"))


def find(source: str) -> Path:
    """Return the TOML file of a source.

    Parameters
    ----------
    source : str
        Name of a file in data/, without its ending, or a path to a TOML file
        (a relative one starts where the workbook is).

    Raises
    ------
    DataError
        If there is none; the message names the nearest source.
    """
    paths = [Path(source), ROOT / source] if source.endswith(".toml") else [DATA / f"{source}.toml"]
    for path in paths:
        if path.is_file():
            return path.resolve()
    raise DataError(f"No source {source!r}.{nearest(source, available())}")


def read(source: str) -> Source:
    """Read and check a source's TOML file.

    Parameters
    ----------
    source : str
        As in `find`.

    Raises
    ------
    DataError
        If the file is not TOML, a key is unknown or a value is not what it must be.
    """
    path = find(source)
    try:
        entry = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path.name}: not a TOML file in UTF-8: {error}.") from None
    return _Reader(path.name).source(path, entry)


def secrets(source: str) -> list[str]:
    """Return what a source takes from the environment: no report, log or message may show it.

    Parameters
    ----------
    source : str
        As in `find`.
    """
    address = tomllib.loads(find(source).read_text(encoding="utf-8-sig")).get("database", "")
    names = _VARIABLE.findall(address)
    values = {os.environ.get(name, "") for name in names}
    return sorted((each for each in values if len(each) >= SHORTEST_SECRET), key=len, reverse=True)


def check_calendar(country: str, where: str = "") -> str:
    """Return the code of a country, or of a part of it as in "DE-BY", if its holidays are known.

    Parameters
    ----------
    country : str
        ISO 3166 code: two letters, and for a part of the country a hyphen and the part's code.
    where : str
        What the message starts with.

    Raises
    ------
    DataError
        If nobody knows the code; the message names the nearest.
    """
    code, _, part = country.partition("-")
    codes = sorted(names[1] for names in COUNTRIES.values())
    if code not in codes:
        meant = {name.lower(): names[1] for names in COUNTRIES.values() for name in names}
        near = nearest(meant.get(code.lower(), code.upper()), codes)
        raise DataError(f"{where}calendar = {country!r}: no country has the code {code!r}.{near}")
    entity = getattr(holidays, code)
    parts = [*entity.subdivisions, *entity.subdivisions_aliases]
    if part not in parts and country != code:
        near = nearest(country, [f"{code}-{each}" for each in parts])
        raise DataError(f"{where}calendar = {country!r}: {code} has no part {part!r}.{near}")
    return country


def check_timezone(name: str, where: str = "") -> str:
    """Return the name of a time zone, if the time zone database and the engine know it.

    Parameters
    ----------
    name : str
        Such as "Asia/Shanghai".
    where : str
        What the message starts with.

    Raises
    ------
    DataError
        If nobody knows the zone; the message names the nearest.
    """
    import duckdb  # takes a moment to import, and most sources state no zone

    with duckdb.connect() as engine:
        known = {row[0] for row in engine.sql("select name from pg_timezone_names()").fetchall()}
    zones = sorted((available_timezones() & known) - {"Factory", "localtime", "posixrules"})
    if name not in zones:
        named = [zone for zone in zones if not zone.startswith("Etc/")]  # Etc/GMT+8 is UTC-8
        cities = {zone.rpartition("/")[2]: zone for zone in named} | {"Beijing": "Asia/Shanghai"}
        near = nearest(cities.get(name.replace(" ", "_").title(), name), named)
        if "Did you mean" not in near:  # there are hundreds
            near = " Expected one such as 'Asia/Shanghai'."
        raise DataError(f"{where}timezone = {name!r}: no time zone has this name.{near}")
    return name


@lru_cache(maxsize=16)
def timezone_of(calendar: str) -> str | None:
    """Return the time zone of a country; None where its clocks have differed since 1990.

    Parameters
    ----------
    calendar : str
        As in `check_calendar`.

    Notes
    -----
    The zones are those of zone.tab in the time zone database. China has one legal time; the
    database also lists the unofficial one of Xinjiang.
    """
    code = calendar.partition("-")[0]
    if code == "CN":
        return "Asia/Shanghai"
    lines = (resources.files("tzdata") / "zoneinfo" / "zone.tab").read_text("utf-8").splitlines()
    zones = [line.split("\t")[2] for line in lines if line.startswith(f"{code}\t")]
    days = [
        datetime(year, month, day)
        for year in range(1990, date.today().year + 1)
        for month in range(1, 13)
        for day in (1, 15)
    ]
    clocks = {tuple(ZoneInfo(zone).utcoffset(day) for day in days) for zone in zones}
    return zones[0] if len(clocks) == 1 else None


_SOURCE_KEYS = {
    "title": str,
    "folder": str,
    "database": str,
    "currency": str,
    "calendar": str,
    "timezone": str,
    "earliest": date,
    "as_of": date,
    "max_set_aside": float,
    "notes": list,
    "encoding": str,
    "delimiter": str,
    "decimal": str,
    "thousands": str,
    "date_format": str,
}
_TABLE_KEYS = {
    "file": str,
    "same_file_as": str,
    "columns": dict,
    "joins": list,
    "header": list,
    "delimiter": str,
    "encoding": str,
    "sheet": str,
    "one_row_per": str,
}
_COLUMN_KEYS = {
    "column": str,
    "columns": list,
    "value": str,
    "row": bool,
    "format": str,
    "decimal": str,
    "thousands": str,
    "values": dict,
    "default": str,
    "scale": float,
    "scale_by": str,
    "scales": dict,
    "offset": float,
    "first": bool,
}
_PLACES = ("column", "columns", "value", "row")
_OF_NUMBERS = ("scale", "scale_by", "scales", "offset")
_IDENTIFIERS = ("customer_id", "complaint_id")


@dataclass(frozen=True)
class _Reader:
    """Builds a source from a file's tables; the messages name the file."""

    file: str

    def source(self, path: Path, entry: dict) -> Source:
        """Build the source."""
        tables = {name: value for name, value in entry.items() if name in TABLES}
        top = {name: value for name, value in entry.items() if name not in TABLES}
        self._known(top, _SOURCE_KEYS, "", also=tuple(TABLES))
        self._known(tables, dict.fromkeys(TABLES, dict), "")
        if "customers" not in tables or len(tables) < 2:
            raise DataError(f"{self.file}: expected a table [customers] and at least one other.")
        if "date_format" in top:
            self._no_literal_zone(top["date_format"], "date_format")
        database = top.get("database")
        maps = {name: self._table(name, tables, top) for name in tables}
        self._one_numbering(maps, database)
        return Source(
            name=path.stem,
            title=top.get("title", path.stem),
            folder=path.parent / top.get("folder", path.stem),
            database=_with_environment(database, self.file) if database else None,
            currency=top.get("currency", ""),
            calendar=check_calendar(top.get("calendar", "CN"), f"{self.file}: "),
            timezone=self._timezone(top),
            earliest=top.get("earliest", date(1980, 1, 1)),
            as_of=top.get("as_of"),
            max_set_aside=float(top.get("max_set_aside", 0.05)),
            notes=tuple(top.get("notes", ())),
            tables=maps,
        )

    def _timezone(self, top: dict) -> str | None:
        """Return the zone that is stated, or that of the country of a stated calendar."""
        if "timezone" in top:
            return check_timezone(top["timezone"], f"{self.file}: ")
        return timezone_of(top["calendar"]) if "calendar" in top else None

    def _table(self, name: str, tables: dict, top: dict) -> TableMap:
        """Build the map of one table."""
        entry = tables[name]
        self._known(entry, _TABLE_KEYS, f"[{name}] ")
        entry = self._followed(name, entry, tables)
        if "file" not in entry:
            raise DataError(f"{self.file}: [{name}] needs a key 'file'.")
        columns = entry.get("columns", {})
        self._known(columns, dict.fromkeys(TABLES[name].columns, (str, dict)), f"[{name}.columns] ")
        return TableMap(
            file=entry["file"],
            columns={key: self._column(name, key, value, top) for key, value in columns.items()},
            joins=tuple(self._join(name, join) for join in entry.get("joins", ())),
            header=tuple(entry.get("header", ())),
            delimiter=self._delimiter(entry.get("delimiter", top.get("delimiter", ","))),
            encoding=self._encoding(entry.get("encoding", top.get("encoding", "utf-8"))),
            sheet=entry.get("sheet", ""),
            one_row_per=entry.get("one_row_per"),
            plain={key: self._column(name, key, key, top) for key in TABLES[name].columns},
        )

    def _followed(self, name: str, entry: dict, tables: dict) -> dict:
        """Take the file and its format from the table that `same_file_as` names."""
        other = entry.get("same_file_as")
        if other is None:
            return entry
        if other not in tables or other == name:
            raise DataError(
                f"{self.file}: [{name}] same_file_as = {other!r} is no other table of this source."
                f"{nearest(other, [each for each in tables if each != name])}"
            )
        same = ("file", "joins", "header", "delimiter", "encoding", "sheet")
        return {key: tables[other][key] for key in same if key in tables[other]} | entry

    def _column(self, table: str, name: str, entry: str | dict, top: dict) -> ColumnMap:
        """Build the map of one column."""
        common = {key: top[key] for key in ("decimal", "thousands") if key in top}
        if TABLES[table].columns[name].dtype.type.kind == "M" and "date_format" in top:
            common["format"] = top["date_format"]
        if isinstance(entry, str):
            return ColumnMap(columns=(entry,), **common)
        where = f"[{table}.columns] {name}: "
        self._known(entry, _COLUMN_KEYS, where)
        self._fits(table, name, entry, where)
        plain = {key: value for key, value in entry.items() if key not in ("column", "columns")}
        columns = entry.get("columns", [entry["column"]] if "column" in entry else [])
        values = {key: _as_tuple(names) for key, names in entry.get("values", {}).items()}
        return ColumnMap(**{**common, **plain, "columns": tuple(columns), "values": values})

    def _fits(self, table: str, name: str, entry: dict, where: str) -> None:
        """Refuse a column in no place or in two, and keys that its kind does not have."""
        if sum(entry.get(key, False) is not False for key in _PLACES) != 1:
            places = ", ".join(map(repr, _PLACES))
            raise DataError(f"{self.file}: {where}expected one of {places}.")
        extra = [key for key in _OF_NUMBERS if key in entry]
        if extra and TABLES[table].columns[name].dtype.type.kind != "f":
            raise DataError(f"{self.file}: {where}{extra[0]!r} is for columns of numbers.")
        if "format" in entry:
            self._no_literal_zone(entry["format"], f"{where}format")
        if entry.get("row") and name not in _IDENTIFIERS:
            raise DataError(f"{self.file}: {where}'row' is for {' and '.join(_IDENTIFIERS)}.")

    def _no_literal_zone(self, text: str, where: str) -> None:
        """Refuse a zone written out in a format, which would not be read as one."""
        zone = _LITERAL_ZONE.search(text)
        if zone and not (is_utc(text) or re.search("%[zZ]", text)):
            raise DataError(
                f"{self.file}: {where} = {text!r}: {zone[1]!r} would be read as letters; "
                "use %z for the zone (an offset such as +08:00), or %Z (its name)."
            )

    def _one_numbering(self, tables: Mapping[str, TableMap], database: str | None) -> None:
        """Refuse customers numbered by row unless every table is the same file."""
        ids = [each.columns.get("customer_id", ColumnMap()) for each in tables.values()]
        if not any(each.row for each in ids):
            return
        files = {(each.file, each.sheet, each.header) for each in tables.values()}
        if database or len(files) > 1 or not all(each.row for each in ids):
            raise DataError(
                f"{self.file}: customer_id = {{ row = true }} numbers the rows of one file: "
                "expected in every table, all of them the same file and none in a database."
            )

    def _delimiter(self, delimiter: str) -> str:
        """Refuse a delimiter of several characters."""
        if len(delimiter) != 1 and delimiter != "whitespace":
            raise DataError(
                f"{self.file}: delimiter = {delimiter!r}: expected one character, or 'whitespace'."
            )
        return delimiter

    def _encoding(self, encoding: str) -> str:
        """Refuse an encoding that nobody knows."""
        try:
            codecs.lookup(encoding)
        except LookupError:
            raise DataError(
                f"{self.file}: encoding = {encoding!r}: expected one such as 'utf-8' or 'gb18030'."
            ) from None
        return encoding

    def _join(self, table: str, entry: object) -> Join:
        """Build a join."""
        if not isinstance(entry, dict) or set(entry) != {"file", "on"}:
            raise DataError(f"{self.file}: [{table}] joins: expected {{ file = ..., on = ... }}.")
        return Join(entry["file"], entry["on"])

    def _known(self, entry: dict, keys: Mapping, where: str, also: tuple[str, ...] = ()) -> None:
        """Refuse unknown keys and values of another kind; unknown ones all at once."""
        unknown = [
            f"{self.file}: {where}unknown key {key!r}.{nearest(key, (*keys, *also))}"
            for key in entry
            if key not in keys
        ]
        if unknown:
            raise DataError("\n".join(unknown))
        for key, value in entry.items():
            kind = (int, float) if keys[key] is float else keys[key]
            is_flag = isinstance(value, bool) and kind is not bool
            if not isinstance(value, kind) or isinstance(value, datetime) or is_flag:
                expected = "a table" if keys[key] is dict else _KINDS.get(keys[key], "text")
                raise DataError(f"{self.file}: {where}{key} = {value!r}: expected {expected}.")


_KINDS = {str: "text", list: "a list", float: "a number", bool: "true or false", date: "a date"}


def _as_tuple(names: str | list) -> tuple[str, ...]:
    """Return one or more names as a tuple."""
    return (names,) if isinstance(names, str) else tuple(str(name) for name in names)


def _with_environment(text: str, file: str) -> str:
    """Put environment variables in the place of ${NAME}."""

    def value(match: re.Match) -> str:
        if match[1] not in os.environ:
            raise DataError(f"{file}: the environment variable {match[1]} is not set.")
        return os.environ[match[1]]

    return _VARIABLE.sub(value, text)
