"""Joins: a second file whose row with the same key completes each row."""

from __future__ import annotations

from pathlib import Path

import ibis
from ibis.expr.types import StringValue, Table

from analysis.data.errors import DataError
from analysis.data.mapping.keys import JoinKeys
from analysis.data.reading import names
from analysis.data.validation.numbers import numeric_id

_KEY = "key_of_join"


def joined(rows: Table, other: Table, join: JoinKeys, file: str, prefix: str) -> Table:
    """Complete each row by the row of another file with the same key.

    Parameters
    ----------
    rows, other : Table
        The file, and the second one.
    join : JoinKeys
        Which column both have.
    file, prefix : str
        The file's name; what stands before the names of the second file's columns.

    Raises
    ------
    DataError
        If the second file has no such column, a key stands in rows that differ, or none is in both.
    """
    if join.on not in other.columns:
        raise DataError(f"{join.file}: no column {join.on!r}.{names.hint(join.on, other)}")
    other = other.mutate(**{_KEY: _key(other, join)}).filter(ibis._[_KEY].notnull())
    other = other.rename(lambda name: name if name == _KEY else f"{prefix}.{name}")
    once = other.drop(f"{prefix}.{join.on}").distinct()
    if once.count().execute() > once[_KEY].nunique().execute():
        raise DataError(
            f"{join.file}: a value of {join.on!r} stands in several rows that differ; expected one."
        )
    key = _key(rows, join)
    if not rows.filter(key.isin(once[_KEY])).count().execute():
        raise DataError(
            f"{join.file}: no value of {join.on!r} in {file} stands there; expected the same "
            "identifiers in both files."
        )
    once = once.mutate(**{f"{prefix}.{join.on}": once[_KEY]})
    return rows.left_join(once, key == once[_KEY]).drop(_KEY)


def _key(rows: Table, join: JoinKeys) -> StringValue:
    """Return the values of the column that both files have."""
    text = names.written(rows, join.on)
    return numeric_id(text) if join.numeric else text


def prefix_of(join: JoinKeys, joins: tuple[JoinKeys, ...]) -> str:
    """Return the name of a join's file without endings; with its sheet, where another has it."""
    stem = _stem(join.file)
    is_alone = [_stem(each.file) for each in joins].count(stem) == 1
    return stem if is_alone or not join.sheet else f"{stem}.{join.sheet}"


def _stem(file: str) -> str:
    name = Path(file)
    return Path(name.stem).stem if name.suffix.lower() in (".gz", ".zst") else name.stem
