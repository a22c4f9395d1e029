"""The purchase lines that one region needs: its own, and those of customers of no region."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace

import ibis
from ibis import BaseBackend
from ibis.expr.types import Table

from analysis.data.cache import short
from analysis.data.errors import DataError
from analysis.data.extraction import extract, needed, store
from analysis.data.extraction.extract import COUNT, FILE, KEY, TOKEN
from analysis.data.files import RUN_FOLDER
from analysis.data.mapping.source import Place, Source
from analysis.data.reading import names, parquet
from analysis.data.reading.kinds import state
from analysis.data.reading.raw import NEXT, ROW, RawTable, raw_tables, trimmed
from analysis.data.validation import regions
from analysis.data.validation.moments import in_local_time
from analysis.data.validation.tables import LEFT_OUT, CheckedTable
from analysis.data.validation.values import RawColumn

TABLE = "transactions"
MANY = 200_000
"""Customers whose lines a database is asked for by their identifiers, at most."""
_ID, _OWN = "customer_id", ".own"


def is_alone() -> bool:
    """Tell whether a region is loaded by itself, and not in a run that reads all regions."""
    return not os.environ.get(RUN_FOLDER)


def lines(
    engine: BaseBackend,
    source: Source,
    raws: Sequence[RawTable] | None,
    known: Table,
    region: str,
) -> tuple[Sequence[RawTable], int | None]:
    """Return the purchase lines that a region needs, and the number of the others.

    Who has lines in which file is looked up once, in the columns with their identifiers alone,
    and kept until a file changes: other regions' files are not read. A database counts the lines
    of each customer, and gives those of the region's. Where a rule needs all lines they are
    returned, and no number.

    Parameters
    ----------
    engine : BaseBackend
        As from `engine.connect`.
    source : Source
        Whose lines they are, extracted for the region.
    raws : sequence of RawTable, or None
        All lines, where they are in files or were extracted.
    known : Table
        As in `CheckedTable.of_customers`.
    region : str
        Whose lines are returned.

    Raises
    ------
    DataError
        If the lines can't be read, or change meanwhile.
    """
    columns = needed.whose(source)
    if source.database is None:
        return _of_files(engine, source, raws, columns, known, region) or (raws, None)
    if not source.keys:
        return raws, None
    if source.keys.keys() == columns.keys():
        found = _of_server(engine, source, columns, known, region)
        if found is not None:
            return found
    source = extract.extracted(replace(source, extracts={}, keys={}))
    return raw_tables(engine, source, TABLE), None


def _of_files(
    engine: BaseBackend,
    source: Source,
    raws: Sequence[RawTable],
    columns: Mapping[Place, Sequence[str]],
    known: Table,
    region: str,
) -> tuple[list[RawTable], int] | None:
    """Return the lines in Parquet files that a region needs; None where it needs all."""
    found, others = [], 0
    for number, raw in enumerate(raws):
        own = columns.get(Place("", "", raw.part.files[0]))
        schema = raw.rows.schema()
        texts = [each for each, kind in schema.items() if kind.is_string()]
        if not own or not raw.paths or not set(own) <= set(schema):
            return None
        if needed.may_have_zones(source, raw.part, texts) or not parquet.are_alike(raw.paths):
            return None
        keys = _placed(engine, source, raw, _keys(engine, raw, own), known, own, region)
        if keys is None:
            return None
        files = keys.group_by(FILE).agg(n=keys[COUNT].sum(), own=keys[COUNT].sum(where=keys[_OWN]))
        files = files.to_pandas().fillna(0).set_index(FILE).astype("int64")
        others += int((files["n"] - files["own"]).sum())
        files = files[files["own"] > 0]
        rows = raw.rows.filter(ibis.literal(False))
        if len(files):
            rows = trimmed(parquet.read(engine, raw.paths, ROW, files.index.tolist()))
            rows = rows.mutate(**{ROW: rows[ROW] + number * NEXT})
        if (files["own"] < files["n"]).any():
            rows = _of_keys(rows, keys, own)
        found.append(replace(raw, rows=rows))
    return found, others


def _of_server(
    engine: BaseBackend,
    source: Source,
    columns: Mapping[Place, Sequence[str]],
    known: Table,
    region: str,
) -> tuple[list[RawTable], int] | None:
    """Return the lines in a database that a region needs; None where it needs all."""
    extracts, wanted, others = dict(source.extracts), {}, 0
    for part in source.tables[TABLE].parts:
        for file in part.files:
            place = Place(part.catalog_name, part.schema_name, file)
            raw = RawTable(file, engine.read_parquet(source.keys[place]), part)
            own = columns[place]
            keys = _placed(engine, source, raw, raw.rows, known, own, region)
            if keys is None:
                return None
            rows = keys.filter(keys[_OWN]).select(*_names(own), COUNT, TOKEN).to_pandas()
            only = {
                each: sorted(rows[key].unique().tolist())
                for each, key in zip(own, _names(own), strict=True)
                if rows[key].notna().all()
            }
            if own[0] not in only or len(only[own[0]]) > MANY:
                return None
            rows = rows.sort_values([*rows.columns], ignore_index=True)
            token = short([rows.to_csv().encode()])
            extracts[place] = extract.lines(source, place, only, f"region {region}", token)
            wanted[place] = keys, int(rows[COUNT].sum())
            others += int(keys[COUNT].sum().execute()) - wanted[place][1]
    raws = raw_tables(engine, replace(source, extracts=extracts), TABLE)
    found = []
    for raw in raws:
        keys, count = wanted[_place(raw)]
        rows = _of_keys(raw.rows, keys, columns[_place(raw)])
        if rows.count().execute() != count:
            raise DataError(f"{_place(raw)}: the table changed while it was read.")
        found.append(replace(raw, rows=rows))
    return found, others


def _place(raw: RawTable) -> Place:
    """Return where a table is; a file has no schema and no catalog."""
    return Place(raw.part.catalog_name, raw.part.schema_name, raw.file)


def _names(columns: Sequence[str]) -> list[str]:
    """Return what columns that say whose a line is are called here."""
    return [KEY.format(number) for number in range(len(columns))]


def _of_keys(rows: Table, keys: Table, columns: Sequence[str]) -> Table:
    """Return the rows of the region's customers, and of those of no region."""
    own = keys.filter(keys[_OWN]).select(_names(columns)).distinct()
    pairs = zip(columns, own.columns, strict=True)
    return rows.semi_join(own, [rows[each].identical_to(own[key]) for each, key in pairs])


def _keys(engine: BaseBackend, raw: RawTable, columns: Sequence[str]) -> Table:
    """Return the different identifiers in each file, as the files have them."""
    states = [(str(path), state(path)) for path in raw.paths]
    key = short([repr((states, columns)).encode()])
    with store.alone(key):
        found = store.newest(key)
        if found is None:
            written = parquet.read(engine, raw.paths, ROW).columns
            written = dict(zip(names.of_columns(written), written, strict=True))
            own = {name: written[each] for each, name in zip(columns, _names(columns), strict=True)}
            query = parquet.groups(raw.paths, own, FILE, COUNT)
            found = store.write(key, query, engine.con, "", f"{raw.file}, whose lines")
    return engine.read_parquet(store.used(found))


def _placed(
    engine: BaseBackend,
    source: Source,
    raw: RawTable,
    keys: Table,
    known: Table,
    columns: Sequence[str],
    region: str,
) -> Table | None:
    """Say of identifiers whether the region needs their lines.

    None where a line is nobody's: it is said which share of all sales those are.
    """
    own = needed.map_of(raw.part, _ID)
    rows = keys.mutate(
        **{each: keys[key] for each, key in zip(columns, _names(columns), strict=True)}
    )
    rows = in_local_time(source, raw.file, rows, columns)
    values = {_ID: RawColumn(rows, raw.file, source, TABLE, _ID, own).value()}
    if regions.rule_of(source) == regions.EACH:
        values |= regions.own(source, TABLE, raw, rows)
    kept = [each for each in keys.columns if each.startswith(".")]
    rows = rows.select(*kept, **values, **{LEFT_OUT: ibis.null("string")})
    placed = CheckedTable(rows, ()).of_customers(known).rows
    is_own = (placed["region"] == region) | placed["region"].isnull()
    found = placed.select(*kept, _ID, **{_OWN: is_own.fill_null(True)})
    found = engine.create_table(ibis.util.gen_name("keys"), found, temp=True)
    return None if found[_ID].isnull().any().execute() else found
