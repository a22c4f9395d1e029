"""Sources: find and read the TOML file that says where data are and what their names mean."""

from __future__ import annotations

import codecs
import os
import re
import tomllib
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path

from analysis.data.calendars import check_calendar, check_timezone, timezone_of
from analysis.data.contract import TABLES
from analysis.data.errors import DataError, nearest
from analysis.data.mapping import TIME, ColumnMap, Join, Source, TableMap, is_utc

ROOT = Path(__file__).resolve().parents[3]
DATA = ROOT / "data"
SHORTEST_SECRET = 4
"""Characters from which on a value of the environment is a secret: shorter ones are in any text."""

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_LITERAL_ZONE = re.compile(
    rf"{TIME} ?((?:UTC|GMT)?[+-]\d\d?:?\d\d(?!\d)|\+\d\d?|UTC|GMT|[Zz](?![A-Za-z])|[A-Z]{{2,4}}T\b"
    r"|\[?[A-Z][A-Za-z]+/[A-Z]\w+)"
)
_DEFAULTS = {"decimal": str, "thousands": str, "delimiter": str, "encoding": str}
_SOURCE_KEYS = _DEFAULTS | {
    **dict.fromkeys(("title", "folder", "database", "currency", "calendar", "timezone"), str),
    **{"earliest": date, "as_of": date, "max_set_aside": float, "notes": list, "date_format": str},
}
_TABLE_KEYS = {
    **dict.fromkeys(("file", "same_file_as", "delimiter", "encoding", "sheet", "one_row_per"), str),
    **{"columns": dict, "joins": list, "header": list},
}
_COLUMN_KEYS = {
    **dict.fromkeys(("column", "value", "format", "decimal", "thousands", "default"), str),
    **{"columns": list, "row": bool, "values": dict, "first": bool},
    **{"scale": float, "scale_by": str, "scales": dict, "offset": float},
}
_PLACES = ("column", "columns", "value", "row")
_OF_NUMBERS = ("scale", "scale_by", "scales", "offset")
_IDENTIFIERS = ("customer_id", "complaint_id")
_OF_FILES = ("file", "joins", "header", "delimiter", "encoding", "sheet")
_KINDS = {
    **{str: "text", list: "a list", float: "a number", bool: "true or false", date: "a date"},
    **{dict: "a table", (str, dict): "text"},
}


def reports_folder() -> Path:
    """Return where reports go: as the run that executes a notebook says, or the project's own."""
    return Path(os.environ.get("WORKBOOK_REPORTS", ROOT / "reports"))


def counted(number: int, noun: str) -> str:
    """Return a number and what is counted: "1 line", "2 lines"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


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
        return _source(path, tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path.name}: not a TOML file in UTF-8: {error}.") from None
    except DataError as error:
        lines = str(error).splitlines()
        raise DataError("\n".join(f"{path.name}: {line}" for line in lines)) from None


def secrets(source: str) -> list[str]:
    """Return what a source takes from the environment: no report, log or message may show it.

    Parameters
    ----------
    source : str
        As in `find`.
    """
    address = tomllib.loads(find(source).read_text(encoding="utf-8-sig")).get("database", "")
    values = {os.environ.get(name, "") for name in _VARIABLE.findall(address)}
    return sorted((each for each in values if len(each) >= SHORTEST_SECRET), key=len, reverse=True)


def _source(path: Path, entry: dict) -> Source:
    """Build a source from its file; messages do not name the file yet."""
    tables = {name: value for name, value in entry.items() if name in TABLES}
    top = {name: value for name, value in entry.items() if name not in TABLES}
    _check_keys(top, _SOURCE_KEYS, also=tuple(TABLES))
    _check_keys(tables, dict.fromkeys(TABLES, dict))
    if "customers" not in tables or len(tables) < 2:
        raise DataError("expected a table [customers] and at least one other.")
    _check_format(top.get("date_format", ""), "date_format")
    zone = None
    if "timezone" in top:
        zone = check_timezone(top["timezone"])
    elif "calendar" in top:
        zone = timezone_of(check_calendar(top["calendar"]))
    database = top.get("database")
    maps = {name: _table(name, tables, top) for name in tables}
    _check_row_numbers(maps, database)
    return Source(
        name=path.stem,
        title=top.get("title", path.stem),
        folder=path.parent / top.get("folder", path.stem),
        database=_VARIABLE.sub(_variable, database) if database else None,
        currency=top.get("currency", ""),
        calendar=check_calendar(top.get("calendar", "CN")),
        timezone=zone,
        earliest=top.get("earliest", date(1980, 1, 1)),
        as_of=top.get("as_of"),
        max_set_aside=float(top.get("max_set_aside", 0.05)),
        notes=tuple(top.get("notes", ())),
        tables=maps,
    )


def _table(name: str, tables: Mapping[str, dict], top: dict) -> TableMap:
    """Build the map of one table."""
    entry = tables[name]
    _check_keys(entry, _TABLE_KEYS, f"[{name}] ")
    other = entry.get("same_file_as")
    if other is not None:
        others = [each for each in tables if each != name]
        if other not in others:
            raise DataError(
                f"[{name}] same_file_as = {other!r} is no other table of this source."
                f"{nearest(other, others)}"
            )
        entry = {key: tables[other][key] for key in _OF_FILES if key in tables[other]} | entry
    if "file" not in entry:
        raise DataError(f"[{name}] needs a key 'file'.")
    columns, known = entry.get("columns", {}), TABLES[name].columns
    _check_keys(columns, dict.fromkeys(known, (str, dict)), f"[{name}.columns] ")
    common = {key: top[key] for key in ("delimiter", "encoding") if key in top}
    entry = {"delimiter": ",", "encoding": "utf-8"} | common | entry
    _check_text_file(entry["delimiter"], entry["encoding"])
    given = {key: entry[key] for key in entry if key not in ("same_file_as", "columns")}
    return TableMap(
        **given
        | {
            "columns": {key: _column(name, key, value, top) for key, value in columns.items()},
            "joins": tuple(_join(name, join) for join in entry.get("joins", ())),
            "header": tuple(entry.get("header", ())),
            "plain": {key: _column(name, key, key, top) for key in known},
        }
    )


def _column(table: str, name: str, entry: str | dict, top: dict) -> ColumnMap:
    """Build the map of one column."""
    common = {key: top[key] for key in ("decimal", "thousands") if key in top}
    if TABLES[table].columns[name].dtype.type.kind == "M" and "date_format" in top:
        common["format"] = top["date_format"]
    if isinstance(entry, str):
        return ColumnMap(columns=(entry,), **common)
    where = f"[{table}.columns] {name}: "
    _check_keys(entry, _COLUMN_KEYS, where)
    _check_column(table, name, entry, where)
    given = {key: value for key, value in entry.items() if key != "column"}
    columns = entry.get("columns", [entry["column"]] if "column" in entry else [])
    values = {
        key: (own,) if isinstance(own, str) else tuple(map(str, own))
        for key, own in entry.get("values", {}).items()
    }
    return ColumnMap(**common | given | {"columns": tuple(columns), "values": values})


def _join(table: str, entry: object) -> Join:
    """Build a join."""
    if not isinstance(entry, dict) or set(entry) != {"file", "on"}:
        raise DataError(f"[{table}] joins: expected {{ file = ..., on = ... }}.")
    return Join(**entry)


def _variable(match: re.Match) -> str:
    """Return the environment variable that ${NAME} stands for."""
    if match[1] not in os.environ:
        raise DataError(f"the environment variable {match[1]} is not set.")
    return os.environ[match[1]]


def _check_column(table: str, name: str, entry: dict, where: str) -> None:
    """Refuse a column in no place or in two, and keys that its kind does not have."""
    if sum(entry.get(key, False) is not False for key in _PLACES) != 1:
        raise DataError(f"{where}expected one of {', '.join(map(repr, _PLACES))}.")
    extra = [key for key in _OF_NUMBERS if key in entry]
    if extra and TABLES[table].columns[name].dtype.type.kind != "f":
        raise DataError(f"{where}{extra[0]!r} is for columns of numbers.")
    _check_format(entry.get("format", ""), f"{where}format")
    if entry.get("row") and name not in _IDENTIFIERS:
        raise DataError(f"{where}'row' is for {' and '.join(_IDENTIFIERS)}.")


def _check_format(text: str, where: str) -> None:
    """Refuse a zone written out in a format, which would not be read as one."""
    zone = _LITERAL_ZONE.search(text)
    if zone and not (is_utc(text) or re.search("%[zZ]", text)):
        raise DataError(
            f"{where} = {text!r}: {zone[1]!r} would be read as letters; "
            "use %z for the zone (an offset such as +08:00), or %Z (its name)."
        )


def _check_row_numbers(tables: Mapping[str, TableMap], database: str | None) -> None:
    """Refuse customers numbered by row unless every table is the same file."""
    ids = [each.columns.get("customer_id", ColumnMap()) for each in tables.values()]
    files = {(each.file, each.sheet, each.header) for each in tables.values()}
    is_one_file = len(files) == 1 and not database and all(each.row for each in ids)
    if any(each.row for each in ids) and not is_one_file:
        raise DataError(
            "customer_id = { row = true } numbers the rows of one file: "
            "expected in every table, all of them the same file and none in a database."
        )


def _check_text_file(delimiter: str, encoding: str) -> None:
    """Refuse a delimiter of several characters, and an unknown encoding."""
    if len(delimiter) != 1 and delimiter != "whitespace":
        raise DataError(f"delimiter = {delimiter!r}: expected one character, or 'whitespace'.")
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise DataError(
            f"encoding = {encoding!r}: expected one such as 'utf-8' or 'gb18030'."
        ) from None


def _check_keys(entry: dict, kinds: Mapping, where: str = "", also: tuple[str, ...] = ()) -> None:
    """Refuse unknown keys, all at once, and values of another kind."""
    unknown = [
        f"{where}unknown key {key!r}.{nearest(key, (*kinds, *also))}"
        for key in entry
        if key not in kinds
    ]
    if unknown:
        raise DataError("\n".join(unknown))
    for key, value in entry.items():
        kind = (int, float) if kinds[key] is float else kinds[key]
        is_flag = isinstance(value, bool) and kind is not bool
        if not isinstance(value, kind) or isinstance(value, datetime) or is_flag:
            raise DataError(f"{where}{key} = {value!r}: expected {_KINDS[kinds[key]]}.")
