"""How the files of a folder are opened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import python_calamine as calamine

from analysis.data.reading import sheets
from workbook.init import text_files

TEXT = (".csv", ".txt", ".tsv")
TYPED = (".parquet", ".jsonl", ".ndjson")
PACKED = (".gz", ".zst")
LEAST_COLUMNS = 2


@dataclass(frozen=True)
class Layout:
    """How a file is opened: keys of a table, and what was seen."""

    encoding: str = ""
    delimiter: str = ""
    skip: int = 0
    sheet: str = ""
    header: tuple[str, ...] = ()
    seen: dict[str, str] = field(default_factory=dict, compare=False)


def of_file(path: Path) -> Iterator[Layout]:
    """Yield how a file is opened: once for each sheet; nothing for files of another kind."""
    suffix = path.suffix.lower()
    ending = path.with_suffix("").suffix.lower() if suffix in PACKED else suffix
    if ending in TYPED:
        yield Layout()
    elif ending in TEXT and path.stat().st_size:
        yield _text_layout(path, ending)
    elif ending in sheets.ENDINGS:
        names = sheets.sheets(path)
        for sheet in names:
            yield from _sheet_layout(path, sheet, is_only=len(names) == 1)


def _text_layout(path: Path, ending: str) -> Layout:
    encoding, seen = text_files.encoding_of(path)
    delimiter, skip, header = text_files.layout_of(path, encoding)
    notes = {"encoding": seen} if seen else {}
    own: tuple[str, ...] = ()
    if header and not text_files.is_header(header) and skip == 0:
        own = tuple(f"column {i}" for i in range(1, len(header) + 1))
        notes["header"] = f"the first row has no names: {_shown(header)}"
    if skip:
        notes["skip"] = f"the header is row {skip + 1}: {_shown(header)}"
    if ending == ".tsv":
        delimiter = "\t"
    return Layout(encoding, delimiter, skip, "", own, notes)


def _sheet_layout(path: Path, sheet: str, is_only: bool) -> Iterator[Layout]:
    """Yield how a sheet is opened, if it has a table."""
    with calamine.CalamineWorkbook.from_path(path) as book:
        rows = book.get_sheet_by_name(sheet).to_python(skip_empty_area=False, nrows=100)
    widths = [sum(str(cell).strip() != "" for cell in row) for row in rows]
    widest = max(widths, default=0)
    for i, row in enumerate(rows):
        cells = [str(cell) for cell in row]
        if widths[i] >= max(LEAST_COLUMNS, 0.8 * widest) and text_files.is_header(cells):
            named = {"skip": f"the header is row {i + 1}: {_shown(cells)}"} if i else {}
            yield Layout(skip=i, sheet="" if is_only else sheet, seen=named)
            return


def _shown(cells: Iterable[str]) -> str:
    """Return the first cells of a row."""
    text = ", ".join(each.strip() for each in cells if each.strip())
    return text if len(text) <= 50 else f"{text[:47]}..."
