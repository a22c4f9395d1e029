"""MySQL and MariaDB."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator, Sequence

import ibis.expr.datatypes as types
import pyarrow as pa
import sqlglot as sg

from analysis.data.extraction.servers import BATCH, EVERY, Only, Rows, Server, chosen, unfit
from analysis.data.mapping.source import Place

_MIDNIGHT = dt.datetime(1970, 1, 1)


def arguments() -> dict[str, object]:
    """Return how a connection fetches rows: not all of them at once.

    The driver is mysqlclient, or PyMySQL where that is not installed.
    """
    try:
        import MySQLdb.cursors
    except ImportError:
        import pymysql

        pymysql.install_as_MySQLdb()
        import MySQLdb.cursors
    return {"cursorclass": MySQLdb.cursors.SSCursor, "charset": "utf8mb4"}


class MySQL(Server):
    """A MySQL or MariaDB server."""

    def begin(self) -> None:
        """Begin one transaction that can only read, and sees one state of all tables."""
        for query in (
            "set session time_zone = '+00:00'",
            f"set session max_statement_time = {self.timeout:g}",
            f"set session max_execution_time = {round(self.timeout * 1000)}",
            "set session transaction isolation level repeatable read",
            "start transaction with consistent snapshot, read only",
        ):
            with contextlib.suppress(Exception), self.backend.con.cursor() as cursor:
                cursor.execute(query)  # MariaDB knows the first limit, MySQL the second

    def keys(self, place: Place, columns: Sequence[str], updated_at: str) -> Rows | None:
        """Return the different values of columns; what changes is a sum of hashes of the rows.

        Of whole numbers: texts of another case are the same to the server.
        """
        table = self.table(place)
        schema = table.schema()
        if not all(schema[each].is_integer() for each in columns):
            return None
        name = sg.table(place.name, db=place.schema or None, quoted=True).sql("mysql")
        own = [_quoted(each) for each in columns]
        values = ", ".join(f"coalesce(cast({_quoted(each)} as binary), 0x1e)" for each in schema)
        token = f"cast(conv(left(md5(concat_ws(0x1f, {values})), 15), 16, 10) as unsigned)"
        token = f"max({_quoted(updated_at)})" if updated_at else f"sum({token})"
        query = f"select {', '.join(own)}, count(*), {token} from {name} group by {', '.join(own)}"
        kinds = [(f"c{i}", _arrow(schema[each])) for i, each in enumerate(columns)]
        kinds = pa.schema([*kinds, ("n", pa.int64()), ("token", pa.string())])
        reader = pa.RecordBatchReader.from_batches(kinds, self._batches(query, kinds))
        return Rows((*columns, "n", "token"), reader, tuple(kinds.names))

    def read(
        self, place: Place, columns: Sequence[str], checked: Sequence[str], only: Only = EVERY
    ) -> Rows:
        """Return the rows of a table."""
        table = chosen(self.table(place), only)
        schema = table.schema()
        for name in checked:
            kind = schema[name]
            if kind.is_json() or kind.is_binary():
                raise unfit(place, name, "JSON" if kind.is_json() else "binary")
        query = self.backend.compile(table.select(*columns))
        kinds = [_arrow(schema[name]) for name in columns]
        own = pa.schema([(f"c{i}", kind) for i, kind in enumerate(kinds)])
        values = [_stored(f"c{i}", schema[name]) for i, name in enumerate(columns)]
        reader = pa.RecordBatchReader.from_batches(own, self._batches(query, own))
        return Rows(tuple(columns), reader, tuple(values))

    def _batches(self, query: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a query."""
        with self.backend.con.cursor() as cursor:
            cursor.execute(query)
            while rows := cursor.fetchmany(BATCH):
                columns = zip(*rows, strict=True)
                arrays = [
                    pa.array(map(_CONVERT.get(kind, _same), column), kind)
                    for column, kind in zip(columns, schema.types, strict=True)
                ]
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _quoted(name: str) -> str:
    """Return a column's name in SQL."""
    return sg.to_identifier(name, quoted=True).sql("mysql")


def _arrow(kind: types.DataType) -> pa.DataType:
    """Return the Arrow type as which a column comes; decimals and what is rare as text."""
    if kind.is_integer() or kind.is_floating() or kind.is_boolean():
        return kind.to_pyarrow()
    if kind.is_timestamp():
        return pa.timestamp("us", "UTC" if kind.timezone else None)
    if kind.is_date():
        return pa.date32()
    return pa.time64("us") if kind.is_time() else pa.string()


def _stored(column: str, kind: types.DataType) -> str:
    """Return the value of a column that is stored, in DuckDB's SQL."""
    if not kind.is_decimal():
        return column
    is_known = kind.precision and kind.precision <= 38
    digits = (kind.precision, kind.scale or 0) if is_known else (38, 10)
    return f"cast({column} as decimal({digits[0]}, {digits[1]}))"


def _same(value: object) -> object:
    return value


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _time(value: object) -> dt.time | None:
    return (_MIDNIGHT + value).time() if isinstance(value, dt.timedelta) else value


def _bits(value: object) -> int | None:
    return int.from_bytes(value, "big") if isinstance(value, bytes) else value


_CONVERT = {pa.string(): _text, pa.time64("us"): _time, pa.int8(): _bits, pa.int64(): _bits}
"""What the driver gives in another type than Arrow takes."""
