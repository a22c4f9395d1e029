"""How the files of a folder are opened: encoding, delimiter, sheets, rows above the header."""

from __future__ import annotations

import csv
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import python_calamine as calamine

from analysis.data.reading import sheets
from analysis.data.reading.kinds import JSON, ending_of
from analysis.data.reading.text import UTF16, opened

TEXT = (".csv", ".txt", ".tsv")
TYPED = (".parquet", *JSON)
PACKED = (".gz", ".zst")
LEAST_COLUMNS = 2
LINES = 400
"""Lines that are looked at for the delimiter and the header."""
BLOCK = 1 << 20
"""Characters that are decoded at once."""
DELIMITERS = (",", ";", "\t", "|", "whitespace")
_NUMBER = re.compile(r"^[\s+-]*[\d.,:/\s-]*\d[\d.,:/\s-]*%?$")


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
    """Yield how a file is opened: once for each sheet; nothing for files of another kind.

    Raises
    ------
    UnicodeDecodeError, OSError, EOFError, calamine.CalamineError
        If the file can't be read.
    """
    ending = ending_of(path)
    if ending in TYPED:
        yield Layout()
    elif ending in TEXT and path.stat().st_size:
        yield _of_text(path, ending)
    elif ending in sheets.ENDINGS:
        names = sheets.sheets(path)
        for sheet in names:
            yield from _of_sheet(path, sheet, is_only=len(names) == 1)


def _of_text(path: Path, ending: str) -> Layout:
    encoding, seen = _encoding(path)
    with opened(path, encoding) as file:
        lines = [line.rstrip("\r\n") for line in itertools.islice(file, LINES)]
    delimiters = ("\t",) if ending == ".tsv" else DELIMITERS
    tried = [(*_fit(lines, each), each) for each in delimiters]
    score, skip, delimiter = max(tried, key=lambda each: each[0])
    notes = {"encoding": seen} if seen else {}
    if not score:
        return Layout(encoding, ",", seen=notes)
    header, own = split(lines[skip], delimiter), ()
    if not is_header(header) and skip == 0:
        own = tuple(f"column {i}" for i in range(1, len(header) + 1))
        notes["header"] = f"the first row has no names: {_shown(header)}"
    if skip:
        notes["skip"] = f"the header is row {skip + 1}: {_shown(header)}"
    return Layout(encoding, delimiter, skip, "", own, notes)


def _of_sheet(path: Path, sheet: str, is_only: bool) -> Iterator[Layout]:
    """Yield how a sheet is opened, if it has a table."""
    with calamine.CalamineWorkbook.from_path(path) as book:
        rows = book.get_sheet_by_name(sheet).to_python(skip_empty_area=False, nrows=100)
    rows = [[str(cell) for cell in row] for row in rows]
    widths = [sum(cell.strip() != "" for cell in row) for row in rows]
    least = max(LEAST_COLUMNS, 0.8 * max(widths, default=0))
    for i, row in enumerate(rows):
        if widths[i] >= least and is_header(row):
            named = {"skip": f"the header is row {i + 1}: {_shown(row)}"} if i else {}
            yield Layout(skip=i, sheet="" if is_only else sheet, seen=named)
            return


def split(line: str, delimiter: str) -> list[str]:
    """Return the values of a line."""
    if delimiter == "whitespace":
        return line.split()
    return next(csv.reader([line], delimiter=delimiter), [])


def is_header(cells: Sequence[str]) -> bool:
    """Tell whether a row has names of columns: no numbers or dates, none twice, few empty."""
    filled = [each.strip() for each in cells if each.strip()]
    numbers = sum(bool(_NUMBER.match(each)) for each in filled)
    years = sum(bool(re.fullmatch("(19|20)\\d\\d", each)) for each in filled)
    return (
        len(filled) >= max(LEAST_COLUMNS, 0.6 * len(cells))
        and len(set(filled)) == len(filled)
        and numbers == years < len(filled)
    )


def _shown(cells: Iterable[str]) -> str:
    """Return the first cells of a row."""
    text = ", ".join(each.strip() for each in cells if each.strip())
    return text if len(text) <= 50 else f"{text[:47]}..."


def _fit(lines: list[str], delimiter: str) -> tuple[float, int]:
    """Return how well a delimiter splits lines alike (0: not at all), and where the header is."""
    rows = [split(line, delimiter) for line in lines]
    widths = Counter(len(row) for row in rows if any(row))
    width, count = max(widths.items(), key=lambda each: (each[1], each[0]), default=(0, 0))
    if width < LEAST_COLUMNS:
        return 0.0, 0
    likely = 0.0001 if delimiter == "whitespace" else 1.0  # where nothing else fits
    wide = [i for i, row in enumerate(rows) if len(row) == width]
    skip = next((i for i in wide if is_header(rows[i])), None)
    if skip is None:  # no header: the first line of that width is one of data
        return likely * (0.5 * count / sum(widths.values()) + 0.001 * min(width, 100)), wide[0]
    after = [len(row) == width for row in rows[skip:] if any(row)]
    return likely * (sum(after) / len(after) + 0.001 * min(width, 100)), skip


def _encoding(path: Path) -> tuple[str, str]:
    """Return the encoding of a text file, and what of it was seen."""
    with opened(path, "iso-8859-1") as file:
        start = file.read(BLOCK)
    if start.encode("iso-8859-1").startswith(UTF16):
        return "utf-16", "begins with the mark of UTF-16"
    if "\0" in start[:200]:
        is_big = start[:200:2].count("\0") > start[1:200:2].count("\0")
        return f"utf-16-{'be' if is_big else 'le'}", "every other byte is 0: UTF-16 without mark"
    if _fits(path, "utf-8"):
        return "utf-8", ""
    runs = [len(run) for run in re.findall("[\x81-\xff]+", start)]  # Chinese: pairs of bytes
    is_in_pairs = sum(n // 2 for n in runs) > sum(n % 2 for n in runs)
    words = {"gb18030": "Chinese (GB 18030)", "cp1252": "Western (Windows)"}
    for name in words if is_in_pairs else reversed(words):
        if text := _fits(path, name):
            found = re.search(r"\w*[^\x00-\x7f]+\w*", text)
            example = f": {found[0][:30]!r}" if found else ""
            return name, f"not UTF-8; read as {words[name]}{example}"
    return "iso-8859-1", "not UTF-8; read byte by byte: look at the letters with accents"


def _fits(path: Path, encoding: str) -> str:
    """Return the first text of a file that is in an encoding; nothing if some of it is not."""
    try:
        with opened(path, encoding) as file:
            first = file.read(BLOCK)
            while file.read(BLOCK):
                pass
    except UnicodeDecodeError:
        return ""
    return first or " "
