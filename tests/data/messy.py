"""Messy sources for tests: files of any name and kind, and what is read of them."""

import zipfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd

from analysis.data import dataset, sources
from analysis.data.dataset import Dataset

PEOPLE = "customer_id,region\na,North\nb,North\nc,South\n"
CUSTOMERS = '[customers]\nfile = "c.csv"\n'
LINES = '[transactions]\nfile = "t.csv"\n'
HEAD = "customer_id,bought_at,amount"


@dataclass(frozen=True)
class Opened:
    """A source that was opened."""

    data: Dataset

    def rows(self, *columns, table="transactions"):
        """Return the rows that count, in the order of these columns."""
        good = dataset.validate(self.data).good[table]
        rows = good.select(*columns).order_by(list(columns)).to_pandas()
        return [tuple(map(_plain, row)) for row in rows.itertuples(index=False, name=None)]

    @property
    def problems(self):
        """Return what is wrong: column, rows, what was expected, and the first such row."""
        found = dataset.problems(self.data, shows_values=True)[
            ["column", "rows", "expected", "example"]
        ]
        return [tuple(row) for row in found.itertuples(index=False)]

    @property
    def why(self):
        """Return why the one table that could not be read was not."""
        (text,) = self.data.problems.values()
        return text

    @property
    def left_out(self):
        """Return table, reason, rows and amount of what does not count."""
        found = dataset.validate(self.data).left_out
        columns = ["table", "reason", "rows", "amount"]
        return [tuple(map(_plain, row)) for row in found[columns].itertuples(index=False)]


def opened(
    folder: Path,
    toml: str,
    files: dict,
    people: str | None = PEOPLE,
    as_of: str = "as_of = 2025-12-31\n",
) -> Opened:
    """Write a source and open it; a file is a text, bytes, or a function that writes it."""
    place = folder / "own"
    place.mkdir(parents=True)
    for name, content in (({"c.csv": people} if people else {}) | files).items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if callable(content):
            content(path)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
    path = folder / "own.toml"
    start = f"{as_of}max_set_aside = 1.0\n"
    path.write_text(start + toml, encoding="utf-8")
    return Opened(dataset.open_source(sources.read(str(path))))


def excel(**sheets):
    """Return a function that writes an Excel file with these sheets."""

    def write(path):
        with pd.ExcelWriter(path) as book:
            for name, rows in sheets.items():
                frame = pd.DataFrame(rows)
                has_names = isinstance(rows, dict)
                frame.to_excel(book, sheet_name=name, index=False, header=has_names)

    return write


def parquet(**columns):
    """Return a function that writes a Parquet file."""
    return lambda path: pd.DataFrame(columns).to_parquet(path)


def ods(*rows):
    """Return a function that writes an OpenDocument sheet."""

    def cell(value):
        if isinstance(value, date):
            return f'<table:table-cell office:value-type="date" office:date-value="{value}"/>'
        if isinstance(value, int | float):
            return f'<table:table-cell office:value-type="float" office:value="{value}"/>'
        text = f"<text:p>{value}</text:p>"
        return f'<table:table-cell office:value-type="string">{text}</table:table-cell>'

    lines = (f"<table:table-row>{''.join(map(cell, row))}</table:table-row>" for row in rows)
    table = f'<table:table table:name="Belege">{"".join(lines)}</table:table>'
    urn = "urn:oasis:names:tc:opendocument:xmlns"
    spaces = " ".join(f'xmlns:{each}="{urn}:{each}:1.0"' for each in ("office", "table", "text"))
    body = f"<office:body><office:spreadsheet>{table}</office:spreadsheet></office:body>"
    content = f'<?xml version="1.0"?><office:document-content {spaces}>{body}'

    def write(path):
        with zipfile.ZipFile(path, "w") as book:
            book.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
            manifest = f'<manifest:manifest xmlns:manifest="{urn}:manifest:1.0"/>'
            book.writestr("META-INF/manifest.xml", f'<?xml version="1.0"?>{manifest}')
            book.writestr("content.xml", f"{content}</office:document-content>")

    return write


def _plain(value):
    """Return a value that can be compared: missing ones as None, moments as text."""
    if pd.isna(value):
        return None
    return str(value) if isinstance(value, pd.Timestamp) else value
