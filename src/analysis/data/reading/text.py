"""Text files: CSV and its kin, in any encoding, compressed or not; JSON lines."""

from __future__ import annotations

import codecs
import csv
import glob
import gzip
import io
import itertools
import mmap
import os
from pathlib import Path
from typing import IO

import duckdb
import ibis
import pyarrow as pa
from ibis import BaseBackend
from ibis.expr.types import Table

from analysis.data import files
from analysis.data.errors import DataError
from analysis.data.reading import names

_KINDS = """
with lines as (select json, row_number() over () as nth from read_ndjson_objects(?)),
named as (select unnest(json_keys(json)) as name, json, nth from lines)
select name, list(distinct json_type(json, '/' || replace(replace(name, '~', '~0'), '/', '~1')))
from named group by name order by min(nth), name
"""
_NUL = "row {row} holds a byte of no text (NUL); the file may be damaged."
_PART = 2**20
"""Characters that are looked at once."""
UTF16 = (b"\xff\xfe", b"\xfe\xff")
"""The marks with which a file in UTF-16 begins."""
WIDE = {b"\xff\xfe\0\0": "utf-32", b"\0\0\xfe\xff": "utf-32"} | dict.fromkeys(UTF16, "utf-16")
"""Encodings of files by the marks with which they begin."""


def opened(path: Path, encoding: str, newline: str | None = "") -> IO[str]:
    """Open a text file for reading, compressed or not."""
    encoding = "utf-8-sig" if _is_utf8(encoding) else encoding
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding=encoding, newline=newline)
    if path.suffix.lower() == ".zst":
        stream = pa.CompressedInputStream(pa.OSFile(str(path)), "zstd")
        return io.TextIOWrapper(io.BufferedReader(stream), encoding=encoding, newline=newline)
    return path.open(encoding=encoding, newline=newline)


def read(
    engine: BaseBackend,
    path: Path,
    *,
    delimiter: str,
    encoding: str,
    skip: int = 0,
    header: tuple[str, ...] = (),
) -> Table:
    """Read a text file into the engine, every value as text.

    Parameters
    ----------
    engine : BaseBackend
        The embedded DuckDB.
    path : Path
        Ends in .csv, .txt or .tsv, and then perhaps in .gz or .zst.
    delimiter : str
        One character, or "whitespace" for any run of blanks; of .tsv always the tabulator.
    encoding : str
        Of the file.
    skip : int
        Lines above the header.
    header : tuple of str
        Names of the columns of a file that has no header.

    Raises
    ------
    duckdb.Error, UnicodeDecodeError, DataError
        If it can't be read.
    """
    delimiter = "\t" if ".tsv" in path.suffixes else delimiter
    if _is_utf8(encoding):
        _check_bytes(path)
    arguments = {"delimiter": delimiter, "skip": skip, "header": header}
    is_known = path.suffix.lower() not in (".gz", ".zst") or path.suffix.islower()
    if delimiter != "whitespace" and _is_utf8(encoding) and is_known and not _has_gaps(path):
        try:
            return _read_utf8(engine, path, **arguments)
        except duckdb.Error as error:
            if "Columns" in str(error):
                raise
    with files.temporary(files.scratch()) as folder:  # lines of one end, in UTF-8
        whole = _as_utf8(path, Path(folder) / "text", encoding, delimiter, skip)
        arguments["delimiter"] = "\t" if delimiter == "whitespace" else delimiter
        return _read_utf8(engine, whole, **arguments)


def is_cut(path: Path) -> bool:
    """Tell whether a file may be cut off: its last line has no end, and no quote is closed there.

    Packed files say themselves whether they are whole.
    """
    if path.suffix.lower() in (".gz", ".zst"):
        return False
    with path.open("rb") as file:
        file.seek(-min(8, path.stat().st_size), os.SEEK_END)
        end = file.read().replace(b"\0", b"")
    return not end.endswith((b"\r", b"\n", b'"'))


def read_json_lines(engine: BaseBackend, path: Path) -> Table:
    """Read a file of one JSON object per line: columns of numbers as such, others as texts."""
    if path.suffix.lower() not in (".gz", ".zst") and path.open("rb").read(3) == codecs.BOM_UTF8:
        raise DataError("the file begins with a mark (BOM); save it as UTF-8 without one.")
    _check_bytes(path)
    place = glob.escape(str(path))
    found = engine.con.execute(_KINDS, [place]).fetchall()
    nested = [name for name, kinds in found if {"ARRAY", "OBJECT"} & set(kinds)]
    if nested:
        raise DataError(f"the values of {nested[0]!r} are lists or objects; expected single ones.")
    if not found:
        raise DataError("expected one JSON object per line.")
    columns = {name: _json_type(set(kinds) - {"NULL"}) for name, kinds in found}
    query = "select * from read_json(?, format = 'newline_delimited', columns = ?)"
    rows = engine.con.execute(query, [place, columns]).to_arrow_table()
    rows = rows.rename_columns(names.of_columns(rows.column_names))
    return engine.create_table(ibis.util.gen_name("json"), rows, temp=True)


def _json_type(kinds: set[str]) -> str:
    """Return the type of a column of JSON values: texts and what is mixed stay as written."""
    if kinds and kinds <= {"BIGINT", "UBIGINT"}:
        return "BIGINT" if kinds == {"BIGINT"} else "VARCHAR"
    return "DOUBLE" if kinds and kinds <= {"BIGINT", "UBIGINT", "DOUBLE"} else "VARCHAR"


def _read_utf8(
    engine: BaseBackend, path: Path, delimiter: str, skip: int, header: tuple[str, ...]
) -> Table:
    """Read a text file in UTF-8."""
    own = header or _header(path, delimiter, skip)
    lines = engine.read_csv(
        glob.escape(str(path)),
        auto_detect=False,
        columns=dict.fromkeys(own, "VARCHAR"),
        header=not header,
        skip=skip,
        delim=delimiter,
        quote='"',
        escape='"',
    )
    return engine.create_table(ibis.util.gen_name("text"), lines, temp=True)


def _header(path: Path, delimiter: str, skip: int) -> list[str]:
    """Return the names in the header of a text file in UTF-8."""
    with opened(path, "utf-8") as file:
        lines = itertools.islice(file, skip, None)
        row = next(csv.reader(lines, delimiter=delimiter), None)
    if row is None:
        raise DataError(names.without_header(skip))
    if not row:
        raise DataError(
            f"row {skip + 1} is empty; expected the header there: skip = {skip + 1} leaves it out."
        )
    if row[0].lower().startswith("sep=") and len(row) < 3:
        raise DataError(
            f"its row {skip + 1} is for Excel, sep=...: skip = {skip + 1} leaves it out."
        )
    return names.of_columns(row)


def _as_utf8(path: Path, target: Path, encoding: str, delimiter: str, skip: int) -> Path:
    """Write a text file again in UTF-8 with Unix line ends, runs of blanks as tabs.

    A blank line between others becomes a row without values, so that later rows keep their numbers.
    """
    gaps, empty, is_quoted = 0, "", False
    with opened(path, encoding, newline=None) as old, target.open("w", encoding="utf-8") as new:
        for number, line in enumerate(old, start=1):
            if "\0" in line:
                raise DataError(_NUL.format(row=number))
            if delimiter == "whitespace":
                line = "\t".join(line.split()) + "\n"
            elif number == skip + 1:
                width = len(next(csv.reader([line], delimiter=delimiter), []))
                empty = delimiter * (width - 1) + "\n" if width > 1 else ""
            if empty and not is_quoted and line == "\n":
                gaps += 1
                continue
            is_quoted ^= line.count('"') % 2 == 1
            new.write(empty * gaps + line)
            gaps = 0
    return target


def _has_gaps(path: Path) -> bool:
    """Tell whether a text file in UTF-8 has a blank line between others; not if it is packed."""
    if path.suffix.lower() in (".gz", ".zst"):
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        end = len(data) - 4
        return any(-1 < data.find(gap) < end for gap in (b"\n\n", b"\n\r\n", b"\r\r"))


def _check_bytes(path: Path) -> None:
    """Refuse a file that holds NUL, which would be read past; packed ones are read to their end."""
    if path.suffix.lower() in (".gz", ".zst"):
        with opened(path, "latin-1") as file:  # in parts: its lines may have no end
            before, row = 1, 0
            while not row and (part := file.read(_PART)):
                place = part.find("\0")
                row = before + part[:place].count("\n") if place >= 0 else 0
                before += part.count("\n")
    else:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            place = data.find(b"\0")
            row = data[:place].count(b"\n") + 1 if place >= 0 else 0
    if row:
        raise DataError(_NUL.format(row=row))


def _is_utf8(encoding: str) -> bool:
    """Tell whether a name of an encoding means UTF-8, with or without a mark."""
    return encoding.lower().replace("-", "").replace("_", "") in ("utf8", "utf8sig")
