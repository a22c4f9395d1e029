"""Extract what a source needs of its database, or take what was extracted before."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar
from urllib.parse import urlsplit

import duckdb
import pyarrow as pa

from analysis.data.errors import DataError
from analysis.data.extraction import errors, store
from analysis.data.extraction.needed import Needed, may_have_zones, needed, whose
from analysis.data.extraction.servers import EVERY, Only, Rows, Server, connected
from analysis.data.files import NO_ROOM, is_full, quoted, quoted_name, scratch
from analysis.data.mapping.source import Place, Source
from analysis.data.reading import names
from analysis.data.reading.failures import of_engine
from analysis.data.validation.tables import REST

Result = TypeVar("Result")
_UNFIT = (pa.ArrowInvalid, duckdb.ConversionException, duckdb.InvalidInputException, OverflowError)
FILE, COUNT, TOKEN, KEY = ".file", ".n", ".token", ".key {}"
"""Columns of what is kept of all purchases: the number of the file, how many lines, what changes
with them, and those that say whose they are."""
_VERSION = "1"
"""Changes when extracts are made in another way."""


def extracted(source: Source, region: str = "") -> Source:
    """Return a source whose database's tables stand in files.

    The database is asked for the columns that the mapping reads, and nothing else: no rule, no
    arithmetic and no change of type ever runs there. What has not changed since it was extracted is
    not read again. Sources of files, and those that were extracted, are returned as they are.

    Parameters
    ----------
    source : Source
        As from `sources.read`.
    region : str, optional
        The only region whose purchases are needed. Where they can be told from others, of all
        purchases it is only extracted which customers have how many; `lines` extracts them.

    Raises
    ------
    DataError
        If the database can't be opened. A table that can't be read is said when it is opened.
    """
    if source.database is None or source.extracts or is_sqlite(source):
        return source
    return _extracts(source, needed(source), whose=whose(source) if region else {})


def whole_table(source: Source, place: Place) -> Source:
    """Return a source of which a table's columns were extracted, all of them."""
    return _extracts(source, {place: Needed()}, all_columns=True)


def lines(source: Source, place: Place, only: Only, which: str, token: str) -> Path:
    """Extract some rows of a table, unless they were and have not changed.

    Parameters
    ----------
    source : Source
        Whose table it is.
    place : Place
        The table.
    only : mapping of str to list
        Columns, as the database calls them, and the values that are wanted of them.
    which, token : str
        A name for these rows; something that changes with them.

    Raises
    ------
    DataError
        If they can't be read.
    """
    needs = needed(source)[place]
    key = _key(source, place, needs, which)
    with store.alone(key):
        last = store.newest(key)
        if last is not None and store.token_of(last) == token:
            return store.used(last)

        def read(server: Server) -> Path | str:
            about = (key, token, f"{source.name}: {place}, {which}")
            return _safely(source, place, partial(_written, server, place, needs, about, only=only))

        found = _twice(source, read)
    if isinstance(found, str):
        raise DataError(found)
    return found


def tables_of(source: Source) -> list[str]:
    """Return the names of the tables and views of a source's database."""
    with connected(source) as server:
        return server.tables()


def is_sqlite(source: Source) -> bool:
    """Tell whether a source is a SQLite file."""
    address = source.database or ""
    return "://" not in address and address.endswith((".sqlite", ".sqlite3", ".db"))


def _extracts(
    source: Source,
    wanted: Mapping[Place, Needed],
    whose: Mapping[Place, Sequence[str]] = MappingProxyType({}),
    all_columns: bool = False,
) -> Source:
    """Return a source with the extract of each table, or why there is none."""
    names = {place: _key(source, place, each, all_columns) for place, each in wanted.items()}
    with store.alone(_short(_about(source))):
        found = {place: store.newest(key) for place, key in names.items()}
        if all(map(store.is_of_this_run, found.values())):
            return replace(source, extracts=found)

        def read(server: Server) -> Source:
            extracts: dict[Place, Path | str] = {}
            keys: dict[Place, Path] = {}
            for place, each in wanted.items():
                about = (names[place], f"{source.name}: {place}")
                if place in whose:
                    own = partial(_keys, source, server, place, each, about, whose[place])
                    own = _safely(source, place, own)
                    if isinstance(own, Path):
                        keys[place] = own
                        continue
                own = partial(_whole, server, place, each, about, all_columns)
                extracts[place] = _safely(source, place, own)
            return replace(source, extracts=extracts, keys=keys)

        return _twice(source, read)


def _twice(source: Source, read: Callable[[Server], Result]) -> Result:
    """Do something in one connection, and once more in another if that is cut."""
    for _ in range(2):
        with contextlib.suppress(errors.ConnectionCutError), connected(source) as server:
            return read(server)
    raise DataError(f"{source.name}.toml: the connection to the database was cut twice.")


def _safely(source: Source, place: Place, read: Callable[[], Path | None]) -> Path | str | None:
    """Return an extract, or why there is none."""
    try:
        return read()
    except DataError as error:
        return str(error)
    except _UNFIT as error:
        return f"{place}: it can't be read: {of_engine(error)}"
    except Exception as error:
        if not (is_full(error) or isinstance(error, OSError)):
            return str(errors.not_read(source, place, error))
        said = NO_ROOM if is_full(error) else error.strerror
        raise DataError(f"{place}: the extract can't be written: {said}.") from None


def _whole(
    server: Server, place: Place, needs: Needed, about: tuple[str, str], all_columns: bool
) -> Path:
    """Return the extract of a table, which is read again if it has changed."""
    key, name = about
    last, state = store.newest(key), server.state(place, needs.updated_at)
    if last is not None and state and store.token_of(last) == state:
        return store.used(last)
    return _written(server, place, needs, (key, state, name), all_columns)


def _keys(
    source: Source,
    server: Server,
    place: Place,
    needs: Needed,
    about: tuple[str, str],
    columns: Sequence[str],
) -> Path | None:
    """Return which customers have how many purchases, and what changes with these.

    None where the database can't tell, or all purchases were extracted and have not changed.
    """
    key, name = about
    last, state = store.newest(key), server.state(place, needs.updated_at)
    if last is not None and state and store.token_of(last) == state:
        return None
    table = server.table(place)
    texts = [each for each in table.columns if table[each].type().is_string()]
    parts = [each for each in source.tables["transactions"].parts if place.name in each.files]
    has_zones = any(may_have_zones(source, each, texts) for each in parts)
    if has_zones or not set(columns) <= set(table.columns):
        return None
    key = _short(repr((key, columns)))
    last = store.newest(key)
    if last is not None and state and store.token_of(last) == state:
        return store.used(last)
    rows = server.keys(place, columns, needs.updated_at)
    if rows is None:
        return None
    values = [f"{each} as {quoted_name(KEY.format(i))}" for i, each in enumerate(rows.values[:-2])]
    values += [
        f"{rows.values[-2]} as {quoted_name(COUNT)}",
        f"{rows.values[-1]} as {quoted_name(TOKEN)}",
    ]
    with duckdb.connect() as engine:
        engine.register("groups", rows.reader.read_all())
        query = (
            f"select 0::bigint as {quoted_name(FILE)}, {', '.join(values)} from groups order by all"
        )
        return store.write(key, query, engine, state, f"{name}, whose lines")


def _written(
    server: Server,
    place: Place,
    needs: Needed,
    about: tuple[str, str, str],
    all_columns: bool = False,
    only: Only = EVERY,
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
    rows = server.read(place, [*kept, *rest] or raw[:1], kept, only)
    with duckdb.connect() as engine:
        engine.execute(f"set temp_directory = '{quoted(scratch() / 'spill')}'")
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
        f"{values.get(name, 'null::varchar')} as {quoted_name(own)}"
        for name, own in trimmed.items()
    ]
    if has_rest:
        others = ", ".join(rows.values[kept:])
        parts.append(f"hash({others}) as {quoted_name(REST)}")
    return f"select {', '.join(parts)} from batch"


def _about(source: Source) -> str:
    """Return which database a source is, and for whom, without the password."""
    if "://" not in source.database:
        return str(source.folder.parent / source.database)
    parts = urlsplit(source.database)
    where = parts.netloc.rpartition("@")[2]
    return repr((parts.scheme, parts.username, where, parts.path, parts.query))


def _key(source: Source, place: Place, needs: Needed, which: bool | str) -> str:
    """Return the name under which a table's extracts are stored."""
    about = (_VERSION, _about(source), tuple(place), sorted(needs.columns), needs.is_whole)
    return _short(repr((*about, which)))


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:20]
