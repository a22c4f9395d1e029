"""What is there: the files of a folder, or tables of a database, with what their columns hold."""

from __future__ import annotations

import contextlib
import datetime as dt
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import ibis
import ibis.expr.operations as ops
import pandas as pd
import python_calamine as calamine
from ibis import BaseBackend
from ibis.expr.types import Table

from analysis.data.errors import DataError
from analysis.data.extraction import extract
from analysis.data.mapping.source import Part, Source, TableMap
from analysis.data.reading import engine as engines
from analysis.data.reading.failures import UNREADABLE
from analysis.data.reading.names import BLANKS
from analysis.data.reading.raw import ROW, raw_tables
from workbook.init import layouts
from workbook.init.layouts import Layout
from workbook.init.values import dates, numbers
from workbook.init.values.dates import Dates

SQLITE = (".sqlite", ".sqlite3", ".db")
MANY = 0.8
"""Share of values that must be numbers, or dates, in a column of them."""
SAMPLE = 20_000
"""Different values of a column that are looked at."""


@dataclass(frozen=True)
class Profile:
    """What a column holds.

    Attributes
    ----------
    name, title : str
        In the header; without the wave that it is of.
    kind : {"text", "number", "moment"}
        Its type in the engine.
    has_zone : bool
        Whether the engine has it as moments with a time zone.
    filled, distinct : int
        Rows with a value, different values.
    counts : dict of str to int
        Different values (at most `SAMPLE`), as text and trimmed, and how often each stands there.
    """

    name: str
    title: str
    kind: str
    has_zone: bool
    filled: int
    distinct: int
    counts: dict[str, int]

    @property
    def texts(self) -> tuple[str, ...]:
        """The different values."""
        return tuple(self.counts)

    @cached_property
    def dates(self) -> Dates:
        """How the values are written, if they are dates."""
        return dates.guess(self.texts)

    @cached_property
    def is_moment(self) -> bool:
        """Whether the column holds dates."""
        return self.kind == "moment" or self.dates.share >= MANY

    @cached_property
    def numbers(self) -> list[float]:
        """The numbers among the values."""
        return numbers.values(self.texts, numbers.marks(self.texts))

    @cached_property
    def is_number(self) -> bool:
        """Whether the column holds numbers."""
        is_text = self.kind == "text"
        return self.kind == "number" or (is_text and numbers.share(self.texts) >= MANY)


@dataclass(frozen=True)
class Found:
    """Files of one layout, or a table of a database.

    Attributes
    ----------
    files : tuple of str
        Their names.
    layout : Layout
        How they are opened.
    columns : dict of str to Profile
        By name, in the file's order.
    rows : int
        Of all files.
    table : Table
        The rows of all files, lines of totals apart.
    totals : dict of str to list of str
        The words of lines of totals, by the column in which they stand.
    dropped : int
        Lines of totals.
    wave : str
        Of a file with columns for each wave of a survey: the wave that these are of.
    """

    files: tuple[str, ...]
    layout: Layout
    columns: dict[str, Profile]
    rows: int
    table: Table = field(repr=False)
    totals: dict[str, list[str]] = field(default_factory=dict)
    dropped: int = 0
    wave: str = ""

    @property
    def label(self) -> str:
        """The name of a file and of its sheet, or of the first of several."""
        name = self.files[0] if len(self.files) == 1 else f"{self.files[0]} and others"
        return _label(name, self.layout)


def look(source: Source) -> tuple[list[Found], dict[str, str]]:
    """Look at everything in a source's folder or database.

    Returns
    -------
    list of Found
        Files of one layout together.
    dict of str to str
        Why a file was passed over, by its name.

    Raises
    ------
    DataError
        If there is no such database.
    """
    engine = engines.connect(source)
    groups: dict[tuple, list[tuple[str, Layout, Table]]] = {}
    passed: dict[str, str] = {}
    for file, layout in _files(source, engine, passed):
        try:
            table = _open(engine, source, file, layout)
        except DataError as error:
            passed[_label(file, layout)] = str(error).removeprefix(f"{file}: ")
            continue
        names = tuple(sorted(each for each in table.columns if each != ROW))
        if len(names) < layouts.LEAST_COLUMNS:
            passed[_label(file, layout)] = "it has one column"
            continue
        key = (names, layout, Path(file).suffix if source.database is None else file)
        groups.setdefault(key, []).append((file, layout, table))
    kept: dict[tuple, Found] = {}
    for each in (_together(engine, group) for group in groups.values()):
        key = (each.rows, *((p.name, p.distinct, *sorted(p.texts)) for p in each.columns.values()))
        if key in kept:
            passed[each.label] = f"it holds the same rows as {kept[key].label}"
        kept.setdefault(key, each)
    return list(kept.values()), passed


def _files(source: Source, engine: BaseBackend, passed: dict) -> Iterator[tuple[str, Layout]]:
    """Yield each file, sheet or table, and how it is opened."""
    if source.database is not None:
        yield from ((name, Layout()) for name in _tables(source))
        return
    taken: list[Path] = []
    for path in sorted(source.folder.rglob("*")):
        inside = path.relative_to(source.folder)
        if any(part.startswith((".", "~$")) for part in inside.parts):
            continue
        if any(folder in path.parents for folder in taken):
            continue
        if path.is_dir():
            if any(path.glob("*=*")) and any(path.rglob("*.parquet")):
                taken.append(path)
                yield f"{inside.as_posix()}/", Layout()
            continue
        try:
            yield from ((inside.as_posix(), each) for each in layouts.of_file(path))
        except UnicodeError:
            passed[inside.as_posix()] = "no text in a known encoding"
        except (*UNREADABLE, calamine.CalamineError) as error:
            passed[inside.as_posix()] = f"it can't be read ({type(error).__name__})"


def _open(engine: BaseBackend, source: Source, file: str, layout: Layout) -> Table:
    """Return the rows of a file, read as the workbook will."""
    part = Part(
        files=(file,),
        sheet=layout.sheet,
        skip=layout.skip,
        header=layout.header,
        encoding=layout.encoding or "utf-8",
        delimiter=layout.delimiter or ",",
        complete=True,
    )
    own = replace(source, tables={"customers": TableMap((part,))})
    return raw_tables(engine, own, "customers")[0].rows


def _tables(source: Source) -> list[str]:
    """Return the names of a database's tables."""
    if extract.is_sqlite(source):
        with contextlib.closing(sqlite3.connect(source.folder.parent / source.database)) as own:
            query = "select name from sqlite_master where type in ('table', 'view')"
            found = [row[0] for row in own.execute(query)]
    else:
        found = extract.tables_of(source)
    return sorted(each for each in found if not each.startswith(("sqlite_", "pg_")))


def _together(engine: BaseBackend, group: list[tuple[str, Layout, Table]]) -> Found:
    """Describe the columns of files of one layout."""
    (_, layout, table), tables = group[0], [each for _, _, each in group]
    if len(group) > 1:
        names = table.columns
        is_same = all(each[n].type() == table[n].type() for each in tables for n in names)
        own = [
            each.select(**{n: each[n] if is_same else each[n].cast("string") for n in names})
            for each in tables
        ]
        table = engine.create_table(ibis.util.gen_name("files"), ibis.union(*own), temp=True)
    return profiled(Found(tuple(file for file, _, _ in group), layout, {}, 0, table))


def profiled(found: Found) -> Found:
    """Describe the columns of some files by their rows."""
    table = found.table
    columns = {name: _profile(table, name) for name in table.columns if name != ROW}
    return replace(found, columns=columns, rows=int(table.count().execute()))


def _profile(table: Table, name: str) -> Profile:
    """Describe one column."""
    kind = table[name].type()
    values = table.filter(table[name].notnull()).group_by(value=table[name]).agg(n=ibis._.count())
    values = values.mutate(filled=ibis._.n.sum().over(), distinct=ibis._.count().over())
    if table.get_backend().has_operation(ops.Hash):
        values = values.order_by(values["value"].hash(), values["value"])
    frame = values.limit(SAMPLE).execute()
    filled, distinct = frame.loc[0, ["filled", "distinct"]] if len(frame) else (0, 0)
    counts: dict[str, int] = {}
    for value, n in zip(frame["value"], frame["n"], strict=True):
        if text := as_text(value):
            counts[text] = counts.get(text, 0) + int(n)
    word = "number" if kind.is_numeric() else "moment" if kind.is_temporal() else "text"
    has_zone = bool(getattr(kind, "timezone", None))
    return Profile(name, name, word, has_zone, int(filled), int(distinct), counts)


def as_text(value: object) -> str:
    """Return a value as the text that the workbook reads: whole numbers without a mark."""
    if isinstance(value, float):
        return "" if value != value else str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, dt.datetime):
        return "" if pd.isna(value) else value.isoformat(sep=" ")
    return str(value).strip(BLANKS)


def _label(file: str, layout: Layout) -> str:
    """Return the name of a file, and of its sheet."""
    return f"{file}, sheet {layout.sheet}" if layout.sheet else file
