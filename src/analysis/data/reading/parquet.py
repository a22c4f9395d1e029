"""Parquet files: rows with their numbers, of all files of a table or of some of them."""

from __future__ import annotations

import glob
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import duckdb
import ibis
import pyarrow as pa
import pyarrow.parquet as pq
from ibis import BaseBackend
from ibis.expr.types import Table

from analysis.data.errors import DataError
from analysis.data.files import quoted_name

_HOW = "hive_partitioning = true, hive_types_autocast = false"  # 001 stays 001
_OWN = ("file_index", "file_row_number")
"""What the engine knows of each row besides the file's own columns."""


def read(
    engine: BaseBackend, paths: Sequence[Path], row: str, only: Collection[int] | None = None
) -> Table:
    """Return the rows of files; no file is read before they are asked for.

    Parameters
    ----------
    engine : BaseBackend
        As from `engine.connect`.
    paths : sequence of Path
        The files of a table.
    row : str
        Column for the number of a row, from 1, counted over all files.
    only : collection of int, optional
        Numbers of the files of which the rows are returned; all of them.

    Raises
    ------
    DataError
        If the files have not the same columns.
    """
    chosen = sorted(range(len(paths)) if only is None else only)
    schemas, counts = zip(*(_footer(each, paths) for each in paths), strict=True)
    for path, schema in zip(paths[1:], schemas[1:], strict=True):
        if other := set(schemas[0].names) ^ set(schema.names):
            raise DataError(
                f"{path.name} and {paths[0].name} have not the same columns: "
                f"{', '.join(map(repr, sorted(other)))} in one of them only."
            )
    name = ibis.util.gen_name("parquet")
    files = _listed([paths[each] for each in chosen], all(map(schemas[0].equals, schemas)))
    number = "row_number() over ()"  # by which the engine would have to read all rows
    if _has_numbers(schemas[0]):
        before = [sum(counts[:each]) + 1 for each in chosen]
        number = f"file_row_number + ({before}::bigint[])[file_index::bigint + 1]"
    own = f"exclude {row}" if row in schemas[0].names else ""
    engine.raw_sql(f"create temp view {name} as select * {own}, {number} as {row} from {files}")
    return engine.table(name)


def groups(paths: Sequence[Path], columns: Mapping[str, str], file: str, count: str) -> str:
    """Return the query for the different values of columns in each file.

    Parameters
    ----------
    paths : sequence of Path
        The files of a table.
    columns : mapping of str to str
        New names of columns, and those that the files have.
    file, count : str
        Names for the number of the file, from 0, and for the number of rows.
    """
    values = ", ".join(f"{quoted_name(old)} as {quoted_name(new)}" for new, old in columns.items())
    return (
        f"select file_index::bigint as {quoted_name(file)}, {values}, "
        f"count(*)::bigint as {quoted_name(count)} from {_listed(paths)} group by all"
    )


def are_alike(paths: Sequence[Path]) -> bool:
    """Tell whether files have columns of the same types, and rows that can be numbered."""
    first, *others = (_footer(each, paths)[0] for each in paths)
    return _has_numbers(first) and all(map(first.equals, others))


def damaged(paths: Sequence[Path]) -> list[Path]:
    """Return the files that can't be read to their end."""
    found = []
    for path in paths:
        try:
            with duckdb.connect() as engine:
                engine.execute(f"select max(hash(line)) from {_listed([path])} as line").fetchall()
        except duckdb.Error:
            found.append(path)
    return found


def _has_numbers(schema: pa.Schema) -> bool:
    """Tell whether the engine's names for the numbers of rows are no columns of the files."""
    return not set(_OWN) & set(map(str.lower, schema.names))


def _footer(path: Path, paths: Sequence[Path]) -> tuple[pa.Schema, int]:
    """Return the columns of one of several files, and its number of rows.

    Raises
    ------
    DataError
        If it is no whole Parquet file; it is named where it is one of several.
    """
    try:
        with pq.ParquetFile(path) as file:
            return file.schema_arrow.remove_metadata(), file.metadata.num_rows
    except (pa.ArrowException, OSError):
        own = f" {path.parent.name}/{path.name} in it" if len(paths) > 1 else ""
        raise DataError(f"the file{own} is damaged, or no Parquet file.") from None


def _listed(paths: Sequence[Path], are_alike: bool = True) -> str:
    """Return files as a table of a query; columns of several types are of one that holds all."""
    files = ", ".join("'" + glob.escape(str(each)).replace("'", "''") + "'" for each in paths)
    union = "" if are_alike else ", union_by_name = true"
    return f"read_parquet([{files}], {_HOW}{union})"
