"""How a text file is written: its encoding, delimiter and the rows above its header."""

from __future__ import annotations

import csv
import itertools
import re
from collections import Counter
from pathlib import Path

from analysis.data.reading.text import UTF16, opened

LINES = 400
"""Lines that are looked at for the delimiter and the header."""
BLOCK = 1 << 20
"""Characters that are decoded at once."""
DELIMITERS = (",", ";", "\t", "|")
LABELS = {"\t": "tabulators", "whitespace": "blanks"}
_NUMBER = re.compile(r"^[\s+-]*[\d.,:/\s-]*\d[\d.,:/\s-]*%?$")


def encoding_of(path: Path) -> tuple[str, str]:
    """Return the encoding of a text file, and what of it was seen.

    Parameters
    ----------
    path : Path
        May be compressed.
    """
    start = _start(path)
    if start.startswith(UTF16):
        return "utf-16", "begins with the mark of UTF-16"
    if b"\0" in start[:200]:
        is_big = start[:200:2].count(0) > start[1:200:2].count(0)
        return (
            "utf-16-be" if is_big else "utf-16-le"
        ), "every other byte is 0: UTF-16 without mark"
    if _fits(path, "utf-8"):
        return "utf-8", ""
    order = ["gb18030", "cp1252"] if _is_in_pairs(path) else ["cp1252", "gb18030"]
    words = {"gb18030": "read as Chinese (GB 18030)", "cp1252": "read as Western (Windows)"}
    for name in order:
        if _fits(path, name):
            return name, f"not UTF-8; {words[name]}: {_example(path, name)}"
    return "iso-8859-1", "not UTF-8; read byte by byte: look at the letters with accents"


def layout_of(path: Path, encoding: str) -> tuple[str, int, tuple[str, ...]]:
    """Return the delimiter of a text file, the rows above its header, and its first line.

    Raises
    ------
    UnicodeDecodeError, OSError, EOFError
        If the file can't be read.
    """
    with opened(path, encoding) as file:
        lines = [line.rstrip("\r\n") for line in itertools.islice(file, LINES)]
    if not lines:
        return ",", 0, ()
    tried = [(_fit(lines, each), each) for each in DELIMITERS]
    (score, skip), delimiter = max(tried, key=lambda each: each[0][0])
    if score == 0:
        (score, skip), delimiter = _fit(lines, "whitespace"), "whitespace"
    if score == 0:
        return ",", 0, ()
    return delimiter, skip, tuple(split(lines[skip], delimiter))


def split(line: str, delimiter: str) -> list[str]:
    """Return the values of a line."""
    if delimiter == "whitespace":
        return line.split()
    return next(csv.reader([line], delimiter=delimiter), [])


def is_header(cells: tuple[str, ...] | list[str]) -> bool:
    """Tell whether a row has names of columns: no numbers or dates, none twice, few empty."""
    filled = [each.strip() for each in cells if each.strip()]
    return (
        len(filled) >= max(2, 0.6 * len(cells))
        and len(set(filled)) == len(filled)
        and not any(_NUMBER.match(each) for each in filled)
    )


def _fit(lines: list[str], delimiter: str) -> tuple[float, int]:
    """Return how well a delimiter splits lines alike (0: not at all), and where the header is."""
    rows = [split(line, delimiter) for line in lines]
    widths = Counter(len(row) for row in rows if any(row))
    width, count = max(widths.items(), key=lambda each: (each[1], each[0]), default=(0, 0))
    if width < 2:
        return 0.0, 0
    skip = next((i for i, row in enumerate(rows) if len(row) == width and is_header(row)), None)
    share = count / sum(widths.values())
    if skip is None:  # no header: the first line of that width is one of data
        first = next(i for i, row in enumerate(rows) if len(row) == width)
        return 0.5 * share + 0.001 * min(width, 100), first
    after = [len(row) == width for row in rows[skip:] if any(row)]
    return sum(after) / len(after) + 0.001 * min(width, 100), skip


def _start(path: Path) -> bytes:
    """Return the first bytes of a file, unpacked."""
    with opened(path, "iso-8859-1") as file:
        return file.read(4096).encode("iso-8859-1")


def _fits(path: Path, encoding: str) -> bool:
    """Tell whether all of a file is text in an encoding."""
    try:
        with opened(path, encoding) as file:
            while file.read(BLOCK):
                pass
    except UnicodeDecodeError:
        return False
    return True


def _is_in_pairs(path: Path) -> bool:
    """Tell whether bytes above 127 mostly stand in pairs, as those of Chinese characters."""
    with opened(path, "iso-8859-1") as file:
        runs = re.findall("[\x81-\xff]+", file.read(BLOCK))
    pairs = sum(len(run) // 2 for run in runs)
    alone = sum(len(run) % 2 for run in runs)
    return pairs > alone


def _example(path: Path, encoding: str) -> str:
    """Return the first word of a file that is not ASCII."""
    with opened(path, encoding) as file:
        found = re.search(r"\w*[^\x00-\x7f]+\w*", file.read(BLOCK))
    return repr(found[0][:30]) if found else ""
