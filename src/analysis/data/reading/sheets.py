"""Sheets of Excel and OpenDocument files."""

from __future__ import annotations

import datetime as dt
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from xml.etree import ElementTree

import pandas as pd
import python_calamine as calamine

from analysis.data.errors import DataError, nearest
from analysis.data.reading import cells, names

_DAMAGED = (calamine.CalamineError, OSError, ValueError, KeyError, zipfile.BadZipFile)
_DAMAGED += (zlib.error, EOFError, ElementTree.ParseError, NotImplementedError)
ENDINGS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
_LOOKS = {".xlsx": cells.looked_at, ".xlsm": cells.looked_at, ".ods": cells.in_open_document}


def read(
    path: Path,
    sheet: str = "",
    skip: int = 0,
    header: tuple[str, ...] = (),
    decimals: Mapping[str, str] = MappingProxyType({}),
) -> pd.DataFrame:
    """Read a sheet: columns of numbers and of dates as such, all others as text.

    Parameters
    ----------
    path : Path
        Ends in one of `ENDINGS`.
    sheet : str
        Its name; by default the first that has cells.
    skip : int
        Rows above the header.
    header : tuple of str
        Names of the columns of a sheet without a header.
    decimals : mapping of str to str
        Of columns whose texts have another decimal mark than a dot: that mark. Numbers that stand
        among texts are written with it, too.

    Raises
    ------
    DataError
        If the file is damaged or protected, or has no such sheet or header.
    """
    try:
        with calamine.CalamineWorkbook.from_path(path) as book:
            rows = _rows(book, path, sheet)
            others = [each for each in _shown(book) if not sheet][1:]
    except calamine.PasswordError:
        raise DataError("the file is protected by a password; save it without one.") from None
    except DataError:
        raise
    except _DAMAGED as error:
        kind = type(error).__name__
        raise DataError(f"the file is damaged, or not what its ending says ({kind}).") from None
    if len(rows) <= skip:
        raise DataError(names.without_header(skip))
    own = list(header) or names.of_columns([_text(each) for each in rows[skip]])
    lines = rows[skip if header else skip + 1 :]
    if header and any(len(line) != len(header) for line in lines):
        raise DataError(f"expected {len(header)} columns, found {len(lines[0])}.")
    values = zip(*lines, strict=True) if lines else [()] * len(own)
    columns = {
        name: _column(list(each), decimals.get(name, "."))
        for name, each in zip(own, values, strict=True)
    }
    frame = pd.DataFrame(columns)
    filled = frame.notna().any(axis=1).to_numpy().nonzero()[0]
    if not len(filled) and others:
        raise DataError(
            f"its first sheet has no rows below a header; expected sheet = {others[0]!r}, or "
            "another of its sheets."
        )
    return frame.iloc[: filled[-1] + 1 if len(filled) else 0]


def sheets(path: Path) -> list[str]:
    """Return the names of the sheets that hold cells and are not hidden."""
    with calamine.CalamineWorkbook.from_path(path) as book:
        return _shown(book)


def _with_cells(book: calamine.CalamineWorkbook) -> dict[str, bool]:
    """Return whether each sheet that holds cells is shown."""
    return {
        each.name: each.visible == calamine.SheetVisibleEnum.Visible
        for each in book.sheets_metadata
        if each.typ == calamine.SheetTypeEnum.WorkSheet
    }


def _shown(book: calamine.CalamineWorkbook) -> list[str]:
    return [name for name, is_shown in _with_cells(book).items() if is_shown]


def _rows(book: calamine.CalamineWorkbook, path: Path, sheet: str) -> list[list]:
    """Return the cells of a sheet, from its first row and column on; errors of Excel as texts."""
    known, shown = list(_with_cells(book)), _shown(book)
    if sheet and sheet not in known:
        raise DataError(f"no sheet {sheet!r}.{nearest(sheet, shown)}")
    if not sheet and not shown:
        hidden = f"; its sheet {known[0]!r} is hidden: name it if it is meant" if known else ""
        raise DataError(f"the file has no sheet with cells{hidden}.")
    name = sheet or shown[0]
    look = _LOOKS.get(path.suffix.lower())
    about = look(path, name) if look else None
    if about and about.number > cells.MOST_CELLS:
        raise DataError(
            f"the cells of the sheet {name!r} go to {about.last}, which is more than can be read; "
            "delete what stands far from the table."
        )
    if about and about.uncomputed:
        raise DataError(
            f"the cell {about.uncomputed} of the sheet {name!r} has a formula without a result; "
            "open the file in its program and save it, so that results are stored."
        )
    rows = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
    for (row, column), text in (about.errors if about else {}).items():
        if row < len(rows) and column < len(rows[row]):
            rows[row][column] = text
    return rows


def _column(each_cell: list, decimal: str) -> pd.Series:
    """Return a column in the type that all of its cells have; empty cells are missing."""
    values = [None if each == "" else each for each in each_cell]
    kinds = {type(each) for each in values if each is not None}
    if kinds and kinds <= {int, float}:
        whole = all(
            each is None or (float(each).is_integer() and abs(each) < 2**63) for each in values
        )
        return pd.Series(values, dtype="Int64" if whole else "Float64")
    if kinds and kinds <= {dt.date, dt.datetime}:
        return pd.Series(pd.to_datetime(values), dtype="datetime64[us]")
    texts = [None if each is None else _text(each, decimal) for each in values]
    return pd.Series(texts, dtype="str")


def _text(cell: object, decimal: str = ".") -> str:
    """Return a cell of a mixed column as text: whole numbers without a decimal mark.

    True and false are written as in TOML, JSON and Parquet.
    """
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, float):
        return str(cell).replace(".", decimal)
    if isinstance(cell, dt.datetime):
        return cell.isoformat(sep=" ")
    return str(cell)
