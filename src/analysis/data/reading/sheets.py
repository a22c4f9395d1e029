"""Sheets of Excel and OpenDocument files."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd
import python_calamine as calamine

from analysis.data.errors import nearest
from analysis.data.reading import names

ENDINGS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")


def read(path: Path, sheet: str = "", skip: int = 0, header: tuple[str, ...] = ()) -> pd.DataFrame:
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

    Raises
    ------
    ValueError
        If the file is damaged or protected, or has no such sheet or header.
    """
    try:
        with calamine.CalamineWorkbook.from_path(path) as book:
            rows = _rows(book, sheet)
            others = [each for each in book.sheet_names if not sheet][1:]
    except calamine.PasswordError:
        raise ValueError("the file is protected by a password; save it without one.") from None
    except (calamine.CalamineError, OSError) as error:
        raise ValueError(f"the file is damaged, or not what its ending says ({error}).") from None
    if len(rows) <= skip:
        raise ValueError(names.without_header(skip))
    own = list(header) or names.of_columns([_text(each) for each in rows[skip]])
    lines = rows[skip if header else skip + 1 :]
    if header and any(len(line) != len(header) for line in lines):
        raise ValueError(f"expected {len(header)} columns, found {len(lines[0])}.")
    cells = zip(*lines, strict=True) if lines else [()] * len(own)
    columns = {name: _column(list(each)) for name, each in zip(own, cells, strict=True)}
    frame = pd.DataFrame(columns)
    filled = frame.notna().any(axis=1).to_numpy().nonzero()[0]
    if not len(filled) and others:
        raise ValueError(
            f"its first sheet has no rows below a header; expected sheet = {others[0]!r}, or "
            "another of its sheets."
        )
    return frame.iloc[: filled[-1] + 1 if len(filled) else 0]


def sheets(path: Path) -> list[str]:
    """Return the names of the sheets that hold cells."""
    with calamine.CalamineWorkbook.from_path(path) as book:
        kinds = {each.name: each.typ for each in book.sheets_metadata}
        return [
            name for name in book.sheet_names if kinds[name] == calamine.SheetTypeEnum.WorkSheet
        ]


def _rows(book: calamine.CalamineWorkbook, sheet: str) -> list[list]:
    """Return the cells of a sheet, from its first row and column on."""
    cells = [each.name for each in book.sheets_metadata if str(each.typ).endswith("WorkSheet")]
    if sheet and sheet not in cells:
        raise ValueError(f"no sheet {sheet!r}.{nearest(sheet, cells)}")
    if not cells:
        raise ValueError("the file has no sheet with cells.")
    return book.get_sheet_by_name(sheet or cells[0]).to_python(skip_empty_area=False)


def _column(cells: list) -> pd.Series:
    """Return a column in the type that all of its cells have; empty cells are missing."""
    values = [None if each == "" else each for each in cells]
    kinds = {type(each) for each in values if each is not None}
    if kinds and kinds <= {int, float}:
        whole = all(
            each is None or (float(each).is_integer() and abs(each) < 2**63) for each in values
        )
        return pd.Series(values, dtype="Int64" if whole else "Float64")
    if kinds and kinds <= {dt.date, dt.datetime}:
        return pd.Series(pd.to_datetime(values), dtype="datetime64[us]")
    return pd.Series([None if each is None else _text(each) for each in values], dtype="str")


def _text(cell: object) -> str:
    """Return a cell of a mixed column as text: whole numbers without a decimal mark."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, dt.datetime):
        return cell.isoformat(sep=" ")
    return str(cell)
