"""PostgreSQL: rows come through COPY, which is many times faster than a cursor."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator, Sequence

import pyarrow as pa
import sqlglot as sg
from pyarrow import csv

from analysis.data.extraction.servers import EVERY, Only, Rows, Server, unfit
from analysis.data.mapping.source import Place

_BLOCK = 8 * 2**20
_ARROW = {
    "bool": pa.bool_(),
    "int2": pa.int16(),
    "int4": pa.int32(),
    "int8": pa.int64(),
    "oid": pa.int64(),
    "float4": pa.float32(),
    "float8": pa.float64(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", "UTC"),
}
"""Types by PostgreSQL's name; every other one comes as the text that it writes."""
_KEYS = ("int2", "int4", "int8", "text", "varchar", "uuid")
"""Types whose values are the same where their texts are."""
_MANY = ("json", "jsonb", "bytea", "xml", "hstore")
_MANY_CATEGORIES = {
    "A": "an array",
    "C": "a row",
    "R": "a range",
    "T": "an interval",
    "G": "a shape",
}
_MOST_DIGITS = 38
"""Digits of DuckDB's longest decimal. A numeric that does not say how many it has is a double."""


class PostgreSQL(Server):
    """A PostgreSQL server."""

    def begin(self) -> None:
        """Begin one transaction that can only read, and sees one state of all tables."""
        logging.getLogger("psycopg").setLevel(logging.ERROR)  # what it says of a query that we stop
        con = self.backend.con
        con.execute("set client_encoding to 'UTF8'")
        con.execute("set datestyle to 'ISO, YMD'")
        con.execute(f"set statement_timeout to {round(self.timeout * 1000)}")
        con.execute("begin isolation level repeatable read read only")

    def state(self, place: Place, updated_at: str = "") -> str:
        """Return number, sum and largest of the transactions that wrote a table's rows.

        Every insert, update and delete changes one of them; vacuum and the order of rows none.
        Empty for views, which have no such numbers.
        """
        if updated_at:
            return super().state(place, updated_at)
        table = self._name(place)
        query = (
            "select max(t), count(*), sum(x), max(x) from (select tableoid::bigint as t, "
            f"xmin::text::bigint as x from {table}) as rows"
        )
        con = self.backend.con
        with contextlib.suppress(Exception), con.transaction():
            return ":".join(map(str, con.execute(query).fetchone()))
        return ""

    def keys(self, place: Place, columns: Sequence[str], updated_at: str) -> Rows | None:
        """Return the different values of columns; what changes is a sum of hashes of the rows."""
        kinds = self._kinds(place, columns)
        if any(kind not in _KEYS for kind, *_ in kinds.values()):
            return None
        own = [_quoted(each) for each in columns]
        token = f"max({_quoted(updated_at)})" if updated_at else "sum(hashtextextended(t::text, 0))"
        types = {f"c{i}": _ARROW.get(kinds[each][0], pa.string()) for i, each in enumerate(columns)}
        query = (
            f"copy (select {', '.join(own)}, count(*), {token} from {self._name(place)} as t "
            f"group by {', '.join(own)}) to stdout (format csv)"
        )
        types |= {"n": pa.int64(), "token": pa.string()}
        values = [
            _stored(f"c{i}", kinds[each][0], *kinds[each][2:]) for i, each in enumerate(columns)
        ]
        reader = _reader(self.backend.con, query, types)
        return Rows((*columns, "n", "token"), reader, (*values, "n", "token"))

    def read(
        self, place: Place, columns: Sequence[str], checked: Sequence[str], only: Only = EVERY
    ) -> Rows:
        """Return the rows of a table."""
        kinds = self._kinds(place, columns)
        for name in checked:
            kind, category = kinds[name][:2]
            if kind in _MANY or category in _MANY_CATEGORIES:
                raise unfit(place, name, _MANY_CATEGORIES.get(category, kind))
        parts, types, values = [], {}, []
        for number, name in enumerate(columns):
            kind, _, precision, scale = kinds[name]
            quoted = _quoted(name)
            parts.append(f"{quoted}::numeric" if kind == "money" else quoted)
            types[f"c{number}"] = _ARROW.get(kind, pa.string())
            values.append(_stored(f"c{number}", kind, precision, scale))
        where = " and ".join(f"{_quoted(each)} = any({_array(own)})" for each, own in only.items())
        rows = f"{self._name(place)}{' where ' * bool(where)}{where}"
        query = f"copy (select {', '.join(parts)} from {rows}) to stdout (format csv)"
        return Rows(tuple(columns), _reader(self.backend.con, query, types), tuple(values))

    def close(self) -> None:
        """Stop what the server is doing for us, and close the connection."""
        con = self.backend.con
        with contextlib.suppress(Exception):
            if con.info.transaction_status.name == "ACTIVE":
                con.cancel_safe(timeout=5)
        with contextlib.suppress(Exception):
            con.close()

    def _name(self, place: Place) -> str:
        """Return a table's name in SQL."""
        table = sg.table(
            place.name, db=place.schema or None, catalog=place.catalog or None, quoted=True
        )
        return table.sql("postgres")

    def _kinds(self, place: Place, columns: Sequence[str]) -> dict[str, tuple]:
        """Return each column's type, its category, its digits in all and after the point."""
        con = self.backend.con
        self.table(place)  # which says that it is not there
        with con.transaction():
            described = con.execute(f"select * from {self._name(place)} limit 0").description
            oids = [each.type_code for each in described]
            query = "select oid, typname, typcategory from pg_type where oid = any(%s)"
            known = {oid: own for oid, *own in con.execute(query, [oids]).fetchall()}
        return {
            each.name: (*known.get(each.type_code, ("", "")), each.precision, each.scale)
            for each in described
            if each.name in columns
        }


def _quoted(name: str) -> str:
    """Return a column's name in SQL."""
    return sg.to_identifier(name, quoted=True).sql("postgres")


def _array(values: Sequence[object]) -> str:
    """Return values as an array in SQL, which takes the type of what it is compared with."""
    texts = (str(each).replace("\\", "\\\\").replace('"', '\\"') for each in values)
    text = ",".join(f'"{each}"' for each in texts).replace("'", "''")
    return f"'{{{text}}}'"


def _stored(column: str, kind: str, precision: int | None, scale: int | None) -> str:
    """Return the value of a column that is stored, in DuckDB's SQL."""
    if kind not in ("numeric", "money"):
        return column
    number = f"nullif({column}, 'NaN')"
    if precision and precision <= _MOST_DIGITS and 0 <= (scale or 0) <= precision:
        return f"cast({number} as decimal({precision}, {scale or 0}))"
    said = "a whole number of more than 15 digits in a column without a number of digits"
    is_long = f"abs({column}::double) > 9e15"
    return f"if({is_long}, error('{said}'), {number}::double)"


def _reader(con: object, query: str, types: dict[str, pa.DataType]) -> pa.RecordBatchReader:
    """Return the rows of a COPY."""
    schema = pa.schema(list(types.items()))

    def batches() -> Iterator[pa.RecordBatch]:
        with con.cursor() as cursor, con.transaction(), cursor.copy(query) as copy:
            stream = _Stream(copy)
            if not stream.peek():
                return
            yield from csv.open_csv(
                pa.PythonFile(stream, mode="r"),
                csv.ReadOptions(use_threads=False, block_size=_BLOCK, column_names=list(types)),
                csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
                csv.ConvertOptions(
                    column_types=types,
                    null_values=[""],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                    true_values=["t"],
                    false_values=["f"],
                ),
            )

    return pa.RecordBatchReader.from_batches(schema, batches())


class _Stream(io.RawIOBase):
    """What a COPY sends, a row at a time, as a file that is read in blocks."""

    def __init__(self, copy: object) -> None:
        self._copy, self._rest = copy, b""

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return at most so many bytes; none at the end."""
        parts, total = [self._rest], len(self._rest)
        while total < size and (block := self._copy.read()):
            parts.append(bytes(block))
            total += len(block)
        whole = b"".join(parts)
        self._rest = whole[size:]
        return whole[:size]

    def peek(self) -> bytes:
        """Return what comes next, and leave it there."""
        self._rest = self._rest or bytes(self._copy.read())
        return self._rest
