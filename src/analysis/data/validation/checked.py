"""The files of a table in the contract's columns, put together, and every row checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import ibis
import pandas as pd
from ibis.expr.types import Table, Value

from analysis.data.contract import DTYPES, ITEMS, TABLES
from analysis.data.errors import DataError
from analysis.data.mapping.source import ColumnMap, Source
from analysis.data.reading import names
from analysis.data.reading.raw import REPEAT, ROW, RawTable, files_of
from analysis.data.validation import regions, rules
from analysis.data.validation.filters import filtered_out, kept, thinned, unfound
from analysis.data.validation.moments import in_local_time
from analysis.data.validation.tables import (
    ANONYMOUS,
    EQUAL,
    IN_UTC,
    LEFT_OUT,
    REST,
    UNANSWERED,
    WRITTEN,
    CheckedTable,
    Rule,
)
from analysis.data.validation.values import RawColumn

ANSWERS = (*ITEMS, "told_others", "recommend")
"""Columns of the survey of which a row must have one; what comes with an answer is none."""
_TYPES = {"text": "string", "number": "float64", "moment": "timestamp"}


def checked(source: Source, name: str, raws: Sequence[RawTable]) -> CheckedTable:
    """Bring the files of a table into the contract's columns, and check every row.

    Parameters
    ----------
    source : Source
        Whose table it is.
    name : str
        Table of the contract.
    raws : sequence of RawTable
        As their owner wrote them, from `raw.raw_tables`.

    Raises
    ------
    DataError
        If a column that is mapped or required is not there, `keep` and `drop` leave nothing, or a
        column holds moments with a zone and it is not known which zone's days count.
    """
    parts = [_part(source, name, each) for each in raws]
    rows, own = _union(name, parts)
    filtered = filtered_out(source, raws)
    by = regions.rule_of(source)
    later: list[Rule] = []
    if name == "customers" and by not in (None, regions.EACH):
        is_merged = any(each.part.one_row_per for each in raws)
        rows = regions.one_region(rows, by, is_merged=is_merged)
        region = RawColumn(rows, "", source, name, "region", ColumnMap())
        later += rules.of_column(region, rows, "region")
    rows = _flagged(rows, len(own), later)
    if any(each.part.one_row_per for each in raws):
        rows = _one_row_per(name, rows, raws)
    between = list(rules.between(source, name, rows))
    rows = _flagged(rows, len(own) + len(later), between)
    rows = rows.mutate(**{LEFT_OUT: _left_out(name, rows)})
    every = (*own, *later, *between)
    if name in ("customers", "survey"):  # an equal row, or one without an answer, breaks nothing
        counts = rows[LEFT_OUT].isnull()
        flags = {f"broken_{i}": rows[f"broken_{i}"] & counts for i in range(len(every))}
        rows = rows.mutate(**flags)
    files = tuple(each.file for each in raws)
    parts = source.tables[name].parts
    empty = [file for part in parts for file in files_of(source, part) if file not in files]
    return CheckedTable(
        rows,
        every,
        files,
        filtered,
        unused=tuple(_unused(name, each) for each in raws),
        unfound=tuple(found for each in raws for found in unfound(source, each)),
        empty=tuple(empty),
        dropped=thinned(source, raws) if name == "customers" else None,
    )


def _flagged(rows: Table, first: int, later: Sequence[Rule]) -> Table:
    """Return rows with a flag for each of some more rules."""
    flags = {f"broken_{first + i}": each.broken.fill_null(False) for i, each in enumerate(later)}
    return rows.mutate(**flags) if flags else rows


def _part(source: Source, name: str, raw: RawTable) -> tuple[Table, list[Rule]]:
    """Bring one file into the contract's columns; its rules are expressions of these."""
    maps = _maps(name, raw)
    used = dict.fromkeys(column for each in maps.values() for column in each.columns)
    _check_kinds(raw, used)
    if name == "customers":
        used |= dict.fromkeys(regions.moments_of(source, raw))
    rows = in_local_time(source, raw.file, kept(source, raw), used)
    columns = {
        column: RawColumn(rows, raw.file, source, name, column, each)
        for column, each in maps.items()
    }
    values = {column: each.reading() for column, each in columns.items()}
    values |= {WRITTEN + column: each.text for column, each in columns.items()}
    faults = {
        WRITTEN + kind + column: fault
        for column, each in columns.items()
        for kind, fault in each.faults().items()
    }
    values |= faults
    if source.timezone and name in ("complaints", "transactions"):
        instants = {c: each.instant() for c, each in columns.items() if each.kind == "moment"}
        values |= {IN_UTC + c: each for c, each in instants.items() if each is not None}
    by = regions.rule_of(source)
    if name == "customers":
        values |= regions.scores(source, raw, rows)
    elif by == regions.EACH:
        values |= regions.own(source, name, raw, rows)
    if name == "transactions":
        values |= _rest(rows, maps)
        values |= {REPEAT: rows[REPEAT]} if REPEAT in rows.columns else {}
    found = rows.select(**values, **{ROW: rows[ROW]})
    found = found.mutate(**{c: each.within(found[c]) for c, each in columns.items()})
    is_late = name == "customers" and by not in (None, regions.EACH)  # once the region is chosen
    own = [
        rule
        for column, each in columns.items()
        if not (is_late and column == "region")
        for rule in rules.of_column(each, found, column)
        if not (column == "customer_id" and name == "transactions")  # then it is anonymous
        or not rule.expected.startswith(rules.VALUE_EXPECTED)
    ]
    return found, own


def _check_kinds(raw: RawTable, used: Iterable[str]) -> None:
    """Refuse columns of values that are no text, number or date."""
    for column in used:
        kind = raw.rows[column].type()
        if kind.is_binary() or kind.is_nested() or kind.is_interval():
            raise DataError(
                f"{raw.file}: the values of {column!r} are of the kind {kind}; expected text, "
                "numbers or dates."
            )


def _union(name: str, parts: list[tuple[Table, list[Rule]]]) -> tuple[Table, list[Rule]]:
    """Return all rows of a table, with a flag for each of its rules, and the rules."""
    order = list(TABLES[name].columns)
    keys = dict.fromkeys((rule.column, rule.expected) for _, own in parts for rule in own)
    keys = sorted(keys, key=lambda key: order.index(key[0]))  # stable: within a column as given
    known = {column: kind for rows, _ in parts for column, kind in rows.schema().items()}
    tables = []
    for rows, own in parts:
        broken = {(rule.column, rule.expected): rule.broken for rule in own}
        flags = {
            f"broken_{i}": broken[key].fill_null(False) if key in broken else ibis.literal(False)
            for i, key in enumerate(keys)
        }
        absent = {
            column: ibis.null(_TYPES[TABLES[name].columns[column].kind])
            if column in TABLES[name].columns
            else ibis.null(kind)
            for column, kind in known.items()
            if column not in rows.columns
        }
        tables.append(rows.mutate(**flags, **absent))
    names = tables[0].columns
    rows = tables[0]
    if len(tables) > 1:
        rows = ibis.union(*(each.select(*names) for each in tables))
    return rows, [Rule(*key, rows[f"broken_{i}"]) for i, key in enumerate(keys)]


def _maps(name: str, raw: RawTable) -> dict[str, ColumnMap]:
    """Return the map of every column that the file has, in the contract's order."""
    part, rows = raw.part, raw.rows
    own = names.of_file(rows)
    maps, missing = {}, []
    for column, schema in TABLES[name].columns.items():
        each = part.columns.get(column)
        if each is None and column in own:
            each = part.plain[column]
        if each is not None:
            maps[column] = each
            missing += [
                f"no column {used!r}.{names.hint(used, rows)}"
                for used in each.used
                if used not in own
            ]
        elif schema.required:
            hint = names.hint(column, rows)
            missing.append(f"no column {column!r}, which the table {name!r} needs.{hint}")
    marks = [mark for mark in ";\t|," if mark in own[0]] if len(own) == 1 else []
    if missing and marks:
        raise DataError(
            f"{raw.file}: the header is one column, which holds {marks[0]!r}; expected a key such "
            f"as delimiter = {marks[0]!r}."
        )
    if missing:
        raise DataError("\n".join(f"{raw.file}: {each}" for each in missing))
    return maps


def _unused(name: str, raw: RawTable) -> tuple[str, frozenset[str]]:
    """Return a file, or a sheet of it, and the columns of it of which nothing is made."""
    part = raw.part
    used = {column for each in _maps(name, raw).values() for column in each.used}
    used |= {
        ROW,
        REPEAT,
        REST,
        part.count,
        *part.keep,
        *part.drop,
        *(each.on for each in part.joins),
    }
    label = f"{raw.file}, sheet {part.sheet}" if part.sheet else raw.file
    return label, frozenset(raw.rows.columns) - used


def _rest(rows: Table, maps: Mapping[str, ColumnMap]) -> dict[str, Value]:
    """Return a hash of what a row holds beside the contract's values; nothing if it is all there.

    Two lines are the same purchase only if all columns of the file agree.
    """
    alone = {each.columns for each in maps.values() if len(each.columns) == 1 and not each.values}
    rest = {name: rows[name] for name in rows.columns if name != ROW and (name,) not in alone}
    return {REST: ibis.struct(rest).hash()} if rest else {}


def _one_row_per(name: str, rows: Table, raws: Sequence[RawTable]) -> Table:
    """Return the distinct rows, with the smallest value of the columns marked `first`.

    Lines without a customer are no row of customers.
    """
    if name == "customers":
        rows = rows.filter(rows["customer_id"].notnull())
    maps = [(column, each) for raw in raws for column, each in raw.part.columns.items()]
    least = {column for column, each in maps if each.first}
    keys = [column for column in rows.columns if column in TABLES[name].columns]
    keys = [column for column in keys if column not in least]
    sums = {
        column: rows[column].any() if column.startswith("broken_") else rows[column].min()
        for column in rows.columns
        if column not in keys
    }
    return rows.group_by(keys).agg(**sums)


def _left_out(name: str, rows: Table) -> Value:
    """Return why a row does not count although it breaks no rule; nothing where it does."""
    if name == "transactions":
        return ibis.ifelse(rows["customer_id"].isnull(), ANONYMOUS, ibis.null("string"))
    if name == "survey":  # a wave beside others is blank for whoever did not take part
        texts = [rows[WRITTEN + each] for each in ANSWERS if WRITTEN + each in rows.columns]
        is_blank = ibis.and_(*(each.isnull() for each in texts)) if texts else ibis.literal(False)
        return ibis.ifelse(is_blank, UNANSWERED, ibis.null("string"))
    if name != "customers":
        return ibis.null("string")
    same = [column for column in rows.columns if column in TABLES[name].columns]
    before = ibis.row_number().over(group_by=same, order_by=rows[ROW])
    is_equal = rows["customer_id"].notnull() & (before > 0)
    return ibis.ifelse(is_equal, EQUAL, ibis.null("string"))


def in_pandas(name: str, rows: Table | None) -> pd.DataFrame:
    """Bring a table's rows into pandas, in the file's order where it counts."""
    schema = TABLES[name]
    kinds = {column: DTYPES[each.kind] for column, each in schema.columns.items()}
    if rows is None:
        return pd.DataFrame(columns=list(kinds)).astype(kinds)
    frame = rows.drop(*({"region"} - set(schema.columns))).to_pandas()
    order = [ROW] if ROW in frame else list(kinds)
    frame = frame.reindex(columns=list(dict.fromkeys([*kinds, *order]))).astype(kinds)
    return frame.sort_values(order, ignore_index=True)[list(kinds)]
