"""Extract what a source needs of its database, or take what was extracted before."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import duckdb
import pyarrow as pa

from analysis.data.errors import DataError
from analysis.data.extraction import errors, store
from analysis.data.extraction.needed import Needed, needed
from analysis.data.extraction.servers import Rows, Server, connected
from analysis.data.files import scratch
from analysis.data.mapping.source import Place, Source
from analysis.data.reading import names
from analysis.data.validation.tables import REST

_UNFIT = (pa.ArrowInvalid, duckdb.ConversionException, duckdb.InvalidInputException, OverflowError)
_VERSION = "1"
"""Changes when extracts are made in another way."""


def extracted(source: Source) -> Source:
    """Return a source whose database's tables stand in files.

    The database is asked for the columns that the mapping reads, and nothing else: no rule, no
    arithmetic and no change of type ever runs there. What has not changed since it was extracted is
    not read again. Sources of files, and those that were extracted, are returned as they are.

    Raises
    ------
    DataError
        If the database can't be opened. A table that can't be read is said when it is opened.
    """
    if source.database is None or source.extracts or is_sqlite(source):
        return source
    return replace(source, extracts=_extracts(source, needed(source)))


def whole_table(source: Source, place: Place) -> Source:
    """Return a source of which a table's columns were extracted, all of them."""
    return replace(source, extracts=_extracts(source, {place: Needed()}, all_columns=True))


def tables_of(source: Source) -> list[str]:
    """Return the names of the tables and views of a source's database."""
    with connected(source) as server:
        return server.tables()


def is_sqlite(source: Source) -> bool:
    """Tell whether a source is a SQLite file."""
    address = source.database or ""
    return "://" not in address and address.endswith((".sqlite", ".sqlite3", ".db"))


def _extracts(
    source: Source, wanted: Mapping[Place, Needed], all_columns: bool = False
) -> dict[Place, Path | str]:
    """Return the extract of each table, or why there is none."""
    keys = {place: _key(source, place, each, all_columns) for place, each in wanted.items()}
    of_source = _short(_about(source))
    with store.alone(of_source):
        found = {place: store.newest(key) for place, key in keys.items()}
        if all(map(store.is_of_this_run, found.values())):
            return found
        try:
            return _from_server(source, wanted, keys, all_columns)
        except errors.ConnectionCutError:
            pass
        try:  # once more
            return _from_server(source, wanted, keys, all_columns)
        except errors.ConnectionCutError:
            raise DataError(
                f"{source.name}.toml: the connection to the database was cut twice."
            ) from None


def _from_server(
    source: Source, wanted: Mapping[Place, Needed], keys: Mapping[Place, str], all_columns: bool
) -> dict[Place, Path | str]:
    """Extract tables in one connection."""
    found: dict[Place, Path | str] = {}
    with connected(source) as server:
        for place, each in wanted.items():
            last = store.newest(keys[place])
            try:
                state = server.state(place)
                if last is not None and state and store.token_of(last) == state:
                    found[place] = store.used(last)
                else:
                    about = (keys[place], state, f"{source.name}: {place}")
                    found[place] = _written(server, place, each, about, all_columns)
            except DataError as error:
                found[place] = str(error)
            except _UNFIT as error:
                found[place] = _unfit_value(place, error)
            except OSError as error:
                raise DataError(
                    f"{place}: the extract can't be written: {error.strerror}."
                ) from None
            except Exception as error:
                found[place] = str(errors.not_read(source, place, error))
    return found


def _written(
    server: Server, place: Place, needs: Needed, about: tuple[str, str, str], all_columns: bool
) -> Path:
    """Write the extract of a table; its key, state and name say what it is."""
    raw = list(server.table(place).columns)
    try:
        trimmed = names.of_columns(raw)
    except ValueError as error:
        raise DataError(f"{place}: {error}") from None
    kept = [
        name for name, own in zip(raw, trimmed, strict=True) if all_columns or own in needs.columns
    ]
    rest = [name for name in raw if name not in kept] if needs.is_whole else []
    rows = server.read(place, [*kept, *rest] or raw[:1], kept)
    with duckdb.connect() as engine:
        engine.execute(f"set temp_directory = '{scratch() / 'spill'}'")
        query = _query(rows, dict(zip(raw, trimmed, strict=True)), len(kept), bool(rest))
        engine.register("batch", pa.Table.from_batches([], rows.reader.schema))
        engine.execute(f"create temp table extract as {query}")
        for batch in rows.reader:  # here and not in the engine, where Ctrl-C would not be heard
            engine.register("batch", pa.Table.from_batches([batch]))
            engine.execute(f"insert into extract {query}")
        order = "" if server.is_ordered else " order by all"
        key, state, name = about
        return store.write(key, f"from extract{order}", engine, state, name)


def _query(rows: Rows, trimmed: Mapping[str, str], kept: int, has_rest: bool) -> str:
    """Return what is stored: the columns that are needed, and the names of the others."""
    values = dict(zip(rows.names[:kept], rows.values[:kept], strict=True))
    parts = [
        f"{values.get(name, 'null::varchar')} as {_name(own)}" for name, own in trimmed.items()
    ]
    if has_rest:
        others = ", ".join(rows.values[kept:])
        parts.append(f"hash({others}) as {_name(REST)}")
    return f"select {', '.join(parts)} from batch"


def _unfit_value(place: Place, error: Exception) -> str:
    """Say that a value of a table has no place in a file."""
    said = str(error).splitlines()[0].removeprefix("Invalid Input Error: ")
    return f"{place}: a value can't be read: {said}."


def _about(source: Source) -> str:
    """Return which database a source is, and for whom, without the password."""
    if "://" not in source.database:
        return str(source.folder.parent / source.database)
    parts = urlsplit(source.database)
    where = parts.netloc.rpartition("@")[2]
    return repr((parts.scheme, parts.username, where, parts.path, parts.query))


def _key(source: Source, place: Place, needs: Needed, all_columns: bool) -> str:
    """Return the name under which a table's extracts are stored."""
    about = (_VERSION, _about(source), tuple(place), sorted(needs.columns), needs.is_whole)
    return _short(repr((*about, all_columns)))


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'
