"""What is to be known of a sheet's cells before they are read: errors, formulas, extent."""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from xml.etree import ElementTree

MOST_CELLS = 50_000_000
"""Cells of a sheet, empty ones included, that are read; more take the memory of a machine."""
MOST_BYTES = 8 * 2**30
"""Bytes of a sheet once it is unpacked."""
_CHUNK = 2**22
_URN = "{{urn:oasis:names:tc:opendocument:xmlns:{}:1.0}}".format
_TABLE, _OFFICE = _URN("table"), _URN("office")
_ERRORS = ("#", "Err:")
"""With which the text of a formula begins whose result is an error."""
_N = rb"(?:\w+:)?"  # a prefix of names
_ROW = re.compile(rb"<" + _N + rb"row\b")
_PLACE = re.compile(rb"<" + _N + rb"c\s[^>]*?\br=\"([A-Z]{1,3})(\d{1,7})\"")
_ERROR = re.compile(
    rb"<" + _N + rb"c\s(?=[^>]*\bt=\"e\")[^>]*?\br=\"([A-Z]{1,3}\d{1,7})\"[^>]*>"
    rb"(?:(?!</" + _N + rb"c>).)*?<" + _N + rb"v>([^<]*)<", re.DOTALL
)  # fmt: skip
_UNCOMPUTED = re.compile(
    rb"<" + _N + rb"c\s(?![^>]*\bt=\"(?:str|e)\")[^>]*?\br=\"([A-Z]{1,3}\d{1,7})\"[^>]*>\s*"
    rb"<" + _N + rb"f\b(?:[^>]*/>|[^>]*>[^<]*</" + _N + rb"f>)\s*"
    rb"(?:<" + _N + rb"v\s*/>|<" + _N + rb"v>\s*</" + _N + rb"v>)?\s*</" + _N + rb"c>"
)


@dataclass(frozen=True)
class Cells:
    """What is to be known of a sheet.

    Attributes
    ----------
    errors : dict of (int, int) to str
        What stands in cells that are an error of Excel's, such as "#N/A", by row and column from 0.
    uncomputed : str
        The first cell with a formula whose result was not stored; empty where there is none.
    last : str
        The cell farthest to the right and down.
    number : int
        How many cells there are up to there.
    """

    errors: dict[tuple[int, int], str] = field(default_factory=dict)
    uncomputed: str = ""
    last: str = "A1"
    number: int = 0


def looked_at(path: Path, sheet: str) -> Cells:
    """Look at the cells of a sheet of an .xlsx or .xlsm file.

    Raises
    ------
    ValueError, KeyError, OSError, zipfile.BadZipFile
        If the file is damaged.
    """
    with zipfile.ZipFile(path) as book:
        place = _place_of(book, sheet)
        if book.getinfo(place).file_size > MOST_BYTES:
            return Cells(number=MOST_CELLS + 1)
        with book.open(place) as stream:
            return _looked_at(stream)


def in_open_document(path: Path, sheet: str) -> Cells:
    """Look at the cells of a sheet of an .ods file, whose errors have a value that is none.

    Raises
    ------
    ValueError, KeyError, OSError, zipfile.BadZipFile, ElementTree.ParseError
        If the file is damaged.
    """
    errors, uncomputed, is_own, filled = {}, "", False, False
    row = column = right = down = 0
    with zipfile.ZipFile(path) as book, book.open("content.xml") as stream:
        for event, each in ElementTree.iterparse(stream, ("start", "end")):
            kind = each.tag.removeprefix(_TABLE)
            if event == "start":
                if kind == "table":
                    is_own, row, column = each.get(f"{_TABLE}name") == sheet, 0, 0
            elif is_own and kind in ("table-cell", "covered-table-cell"):
                text, has_value = "".join(each.itertext()), f"{_OFFICE}value-type" in each.attrib
                is_formula = f"{_TABLE}formula" in each.attrib
                if is_formula and text.startswith(_ERRORS):
                    errors[row, column] = text
                elif is_formula and not has_value and not uncomputed:
                    uncomputed = name_of(row, column)
                column += int(each.get(f"{_TABLE}number-columns-repeated", 1))
                right, filled = (max(right, column), True) if has_value else (right, filled)
            elif is_own and kind == "table-row":
                row += int(each.get(f"{_TABLE}number-rows-repeated", 1))
                column, down, filled = 0, row if filled else down, False
                each.clear()
    last = name_of(max(down, 1) - 1, max(right, 1) - 1)
    return Cells(errors, uncomputed, last, down * right)


def _looked_at(stream: IO[bytes]) -> Cells:
    """Look at the cells of a sheet's XML."""
    errors, uncomputed, right, down = {}, "", "A", 1
    for part in _rows(stream):
        for name, text in _ERROR.findall(part):
            errors[position(name.decode())] = text.decode(errors="replace")
        if not uncomputed and (found := _UNCOMPUTED.search(part)):
            uncomputed = found[1].decode()
        for column, row in set(_PLACE.findall(part)):
            right = max(right, column.decode(), key=lambda each: (len(each), each))
            down = max(down, int(row))
    last = f"{right}{down}"
    row, column = position(last)
    return Cells(errors, uncomputed, last, (row + 1) * (column + 1))


def position(cell: str) -> tuple[int, int]:
    """Return the row and the column of a cell such as "B3", from 0 on."""
    letters = cell.rstrip("0123456789")
    column = 0
    for letter in letters:
        column = column * 26 + ord(letter) - ord("A") + 1
    return int(cell[len(letters) :]) - 1, column - 1


def name_of(row: int, column: int) -> str:
    """Return the name of a cell by its row and column from 0 on."""
    letters = ""
    while column >= 0:
        letters, column = chr(ord("A") + column % 26) + letters, column // 26 - 1
    return f"{letters}{row + 1}"


def _rows(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield a sheet's XML in parts of whole rows."""
    rest = b""
    while chunk := stream.read(_CHUNK):
        rest += chunk
        starts = [match.start() for match in _ROW.finditer(rest)]
        if len(starts) > 1:
            yield rest[: starts[-1]]
            rest = rest[starts[-1] :]
    yield rest


def _place_of(book: zipfile.ZipFile, sheet: str) -> str:
    """Return the name in the zip file of the XML of a sheet."""
    ids = {}
    for each in ElementTree.fromstring(book.read("xl/workbook.xml")).iter():
        if each.tag.endswith("}sheet"):
            (own,) = [value for key, value in each.attrib.items() if key.endswith("}id")]
            ids[each.attrib["name"]] = own
    for each in ElementTree.fromstring(book.read("xl/_rels/workbook.xml.rels")):
        if each.attrib["Id"] == ids[sheet]:
            return posixpath.normpath(posixpath.join("/xl", each.attrib["Target"]))[1:]
    raise ValueError("The workbook has no such sheet.")
