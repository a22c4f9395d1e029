"""A connection to a database: which columns a table has, and its rows as Arrow batches."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import ibis
import ibis.common.exceptions as ibis_errors
import pyarrow as pa

from analysis.data import files
from analysis.data.errors import DataError, nearest
from analysis.data.extraction import errors
from analysis.data.mapping.source import Place, Source
from analysis.data.reading import embedded

if TYPE_CHECKING:
    from ibis import BaseBackend
    from ibis.expr.types import Table

BATCH = 100_000
"""Rows that are fetched at once."""


Only = Mapping[str, Sequence]
EVERY: Only = MappingProxyType({})


@dataclass(frozen=True)
class Rows:
    """Rows of a table of a database.

    Attributes
    ----------
    names : tuple of str
        Columns, as the database calls them.
    reader : RecordBatchReader
        The rows; columns are named "c0", "c1" and so on.
    values : tuple of str
        For each column the value that is stored, in DuckDB's SQL.
    """

    names: tuple[str, ...]
    reader: pa.RecordBatchReader
    values: tuple[str, ...]


class Server:
    """A database that Ibis knows; other classes know more of one.

    Parameters
    ----------
    backend : BaseBackend
        As from `ibis.connect`.
    timeout : float
        Seconds that one query may take.
    """

    is_ordered = False
    """Whether a table's rows have an order of their own, as in a file."""

    def __init__(self, backend: BaseBackend, timeout: float) -> None:
        self.backend, self.timeout = backend, timeout

    def begin(self) -> None:
        """Begin to read, in one state of all tables where the database can give it."""

    def tables(self, schema: str = "") -> list[str]:
        """Return the names of tables and views."""
        return sorted(self.backend.list_tables(database=schema or None))

    def state(self, place: Place, updated_at: str = "") -> str:
        """Return something that is another after every change of a table; empty if unknown.

        Where the table has a column that says when a row last changed, the number of rows and the
        latest change.
        """
        if not updated_at:
            return ""
        table = self.table(place)
        if updated_at not in table.columns:
            hint = nearest(updated_at, table.columns)
            raise DataError(f"{place}: no column {updated_at!r} (updated_at).{hint}")
        last = table[updated_at].max().cast("string")
        found = self.backend.to_pyarrow(table.agg(n=table.count(), last=last)).to_pylist()[0]
        return ":".join(map(str, found.values()))

    def keys(self, place: Place, columns: Sequence[str], updated_at: str) -> Rows | None:
        """Return the different values of columns with their rows and what changes with these.

        None where the database has no such thing, or compares values in a way of its own.

        Parameters
        ----------
        place : Place
            The table.
        columns : sequence of str
            Those that say whose a row is.
        updated_at : str
            The column that says when a row last changed; empty where none is named.
        """
        table = self.table(place)
        if not updated_at or not all(table[each].type().is_integer() for each in columns):
            return None
        groups = table.group_by([table[each].name(f"c{i}") for i, each in enumerate(columns)])
        groups = groups.agg(n=table.count(), token=table[updated_at].max().cast("string"))
        return Rows((*columns, "n", "token"), self.batches(groups), tuple(groups.columns))

    def table(self, place: Place) -> Table:
        """Return a table.

        Raises
        ------
        DataError
            If it is not there.
        """
        where = (place.catalog, place.schema) if place.catalog else place.schema or None
        try:
            return self.backend.table(place.name, database=where)
        except ibis_errors.TableNotFound:
            known = self.tables(place.schema)
            if place.name in known:
                raise DataError(
                    f"{str(place)!r} is a view that does not work: what it reads is gone."
                ) from None
            raise DataError(
                f"The database has no table {str(place)!r}.{nearest(place.name, known)}"
            ) from None

    def read(
        self, place: Place, columns: Sequence[str], checked: Sequence[str], only: Only = EVERY
    ) -> Rows:
        """Return the rows of a table.

        Parameters
        ----------
        place : Place
            The table.
        columns, checked : sequence of str
            What is read; those of which single values are expected.
        only : mapping of str to list
            Columns, and the values that are wanted of them.
        """
        table = chosen(self.table(place), only)
        for name in checked:
            kind = table[name].type()
            if kind.is_json() or kind.is_nested() or kind.is_binary() or kind.is_interval():
                raise unfit(place, name, str(kind).split("<")[0].split("(")[0])
        rows = selected(table, columns)
        return Rows(tuple(columns), self.batches(rows), tuple(rows.columns))

    def batches(self, rows: Table) -> pa.RecordBatchReader:
        """Return rows as Arrow batches."""
        return self.backend.to_pyarrow_batches(rows, chunk_size=BATCH)

    def close(self) -> None:
        """Close the connection, whatever it is doing."""
        with contextlib.suppress(Exception):
            self.backend.disconnect()


class DuckDB(Server):
    """A DuckDB file, whose rows have an order."""

    is_ordered = True


class Spark(Server):
    """Spark, whose own Arrow keeps the zone of moments, which pandas would lose."""

    def batches(self, rows: Table) -> pa.RecordBatchReader:
        """Return rows as Arrow batches."""
        from pyspark.sql import SparkSession

        session = SparkSession.getActiveSession()
        return session.sql(self.backend.compile(rows)).toArrow().to_reader()


def chosen(table: Table, only: Only) -> Table:
    """Return the rows of a table that have one of some values in each of some columns."""
    for name, values in only.items():
        table = table.filter(table[name].isin(values))
    return table


def selected(table: Table, columns: Sequence[str]) -> Table:
    """Return columns of a table, named "c0", "c1" and so on; all that a database is asked for."""
    return table.select(**{f"c{i}": table[name] for i, name in enumerate(columns)})


def unfit(place: Place, column: str, kind: str) -> DataError:
    """Say that a column holds no single values, and what can be done."""
    return DataError(
        f"{place}: the column {column!r} is {kind}; expected single values: text, numbers or "
        "dates. A view whose column takes them out can stand in the place of the table."
    )


def database_file(source: Source) -> Path:
    """Return the path of a source's database file, beside its TOML file."""
    path = source.folder.parent / source.database
    if not files.is_file(path):
        raise DataError(f"{source.name}.toml: there is no database file {source.stated!r}.")
    return path


@contextlib.contextmanager
def connected(source: Source) -> Iterator[Server]:
    """Connect to a source's database, and close the connection on every way out.

    Raises
    ------
    DataError
        If it can't be opened; the message does not repeat its address.
    """
    from analysis.data.extraction import mysql, object_stores, postgresql

    address, toml, timeout = source.database, f"{source.name}.toml", source.statement_timeout
    kind = address.split("://")[0] if "://" in address else "file"
    makers = {
        "postgres": postgresql.PostgreSQL,
        "postgresql": postgresql.PostgreSQL,
        "mysql": mysql.MySQL,
        "duckdb": DuckDB,
        "file": DuckDB,
        "pyspark": Spark,
    }
    maker = makers.get(kind, Server)
    given: dict[str, object] = {} if maker in (Server, DuckDB) else {"connect_timeout": 15}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a server knows no zones by name
            if maker is mysql.MySQL:
                given |= mysql.arguments()
            if kind in object_stores.KINDS:
                server = object_stores.ObjectStore(address, timeout)
            else:
                opened = embedded.opened(database_file(source)) if kind == "file" else None
                server = maker(opened or ibis.connect(address, **given), timeout)
    except DataError as error:
        raise DataError(str(error) if kind == "file" else f"{toml}: {error}") from None
    except ImportError as error:
        raise errors.missing_driver(toml, address, error) from None
    except Exception as error:
        raise errors.not_opened(toml, error) from None
    try:
        server.begin()
        yield server
    finally:
        server.close()
