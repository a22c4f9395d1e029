"""Findings as an Excel file."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from io import BytesIO
from unicodedata import east_asian_width
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import pandas as pd
from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE, Cell
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.worksheet import Worksheet
from openpyxl.writer.excel import ExcelWriter

from analysis.claims import card, findings, wording
from analysis.claims.hypotheses import Part, hypothesis
from analysis.data.files import FORMULA
from workbook.pages import plain, report
from workbook.pages.exports.rows import Line

WIDEST = 48
"""Characters of the widest column of a sheet; longer text is wrapped."""

FIRST_WIDTHS = {
    "source": 12, "claim": 24, "says": 40, "where": 16, "verdict": 14, "by_trial": 40,
    "sentence": 60, "effect": 40, "page": 8,
}  # fmt: skip
"""Characters of the columns of the sheet that is read."""
ONE_LINE, WRAPPED = (Alignment(vertical="top", wrap_text=wrap) for wrap in (False, True))
UNDATED = datetime(1980, 1, 1)
"""The date of every Excel file, so that equal findings make equal files."""

SHOWN_AS = {
    "number": "0.000",
    "ratio": '0.00"×"',
    "percent": '0.0"%"',
    "share": "0.0%",
    "points": '0.0" pp"',
}
FORMATS = {
    "n_obs": "#,##0", "n_regions": "0", "df": "#,##0", "q": "0.00",
    "p_value": "0.0000", "p_holm": "0.0000", "q_p_value": "0.0000",
    "tau": "0.000", "tau_low": "0.000", "tau_high": "0.000",
    "i2": "0.0%", "i2_low": "0.0%", "i2_high": "0.0%",
}  # fmt: skip


def workbook(
    found: pd.DataFrame, pools: pd.DataFrame, language: str, said: Sequence[Line] = ()
) -> bytes:
    """Return an Excel file: a sheet to read, one of findings and one of pooled effects.

    The first has what was found as `rows.lines` says it, with links to the pages. Columns of the
    others are those of the tables, with the hypothesis's title, the part's label and, where the
    table has none, its unit and what n_obs counts. An infinite number is the text "∞".
    """
    book, names = Workbook(), wording.words(language)["export"]["sheets"]
    book.remove(book.active)
    if said:
        _fill_first(book.create_sheet(plain.words(language)["export"]["sheet"]), said, language)
    for name, table in {names["findings"]: found, names["pooled"]: pools}.items():
        parts = [_part(*row) for row in zip(table["hypothesis"], table["part"], strict=True)]
        own = _with_words(findings.in_units(table), parts, language)
        _fill(book.create_sheet(name), own, parts)
    return _undated(book)


@cache
def _part(key: str, name: str) -> Part:
    """Return a part of a hypothesis by its key."""
    for part in hypothesis(key).parts:
        if part.key == name:
            return part
    raise ValueError(f"{key} has no part {name!r} in the register.")


def _with_words(table: pd.DataFrame, parts: Sequence[Part], language: str) -> pd.DataFrame:
    """Return a table with the words for its hypotheses and parts, and with units."""
    table = table.copy()
    titles = [hypothesis(key).title[language] for key in table["hypothesis"]]
    table.insert(table.columns.get_loc("hypothesis") + 1, "title", titles)
    table.insert(table.columns.get_loc("part") + 1, "label", [p.label[language] for p in parts])
    for name, after in {"unit": "ci_high", "counts": "n_obs"}.items():
        if name not in table:
            words = [getattr(part, name)[language] for part in parts]
            table.insert(table.columns.get_loc(after) + 1, name, words)
    return table


def _fill_first(sheet: Worksheet, said: Sequence[Line], language: str) -> None:
    """Write what was found, to be read."""
    words, verdict = plain.words(language)["export"], wording.words(language)["verdict"]
    for column, name in enumerate(FIRST_WIDTHS, start=1):
        _put(sheet.cell(1, column), words[name])
        sheet.cell(1, column).font = Font(bold=True)
        sheet.column_dimensions[get_column_letter(column)].width = FIRST_WIDTHS[name]
    for number, line in enumerate(said, start=2):
        effect = "" if line.part is None else plain.effect(line.part, language)
        title = f"{line.known.id} {line.known.title[language]}"
        where = line.region or words["everywhere"]
        says, verdict_said = line.known.claim[language], verdict[line.record["verdict"]]
        link = words["open"] if line.href else ""
        row = (line.source, title, says, where, verdict_said, line.by_trial, line.sentence, effect)
        row += (link,)
        for column, value in enumerate(row, start=1):
            _put(sheet.cell(number, column), value)
            sheet.cell(number, column).alignment = WRAPPED
        _coloured(sheet.cell(number, 5), line.record["verdict"])
        if line.href:
            sheet.cell(number, len(row)).hyperlink = f"../{line.href}"
            sheet.cell(number, len(row)).font = Font(color="0B55A0", underline="single")
    _set_up(sheet)


def _coloured(cell: Cell, verdict: str) -> None:
    """Give a cell the colours of a verdict."""
    ink, ground = colours()[card.slug(verdict)]
    cell.font = Font(color=ink)
    cell.fill = PatternFill("solid", start_color=ground)


def _set_up(sheet: Worksheet) -> None:
    """Let the head of a sheet stay, filter and print on each page: A4 landscape, page-wide."""
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = sheet.dimensions
    sheet.page_setup.orientation = sheet.ORIENTATION_LANDSCAPE
    sheet.page_setup.paperSize = sheet.PAPERSIZE_A4
    sheet.page_setup.fitToHeight = 0  # as many pages as it takes
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    sheet.print_title_rows = "1:1"


def _fill(sheet: Worksheet, table: pd.DataFrame, parts: Sequence[Part]) -> None:
    """Write a table to a sheet."""
    for column, name in enumerate(table.columns, start=1):
        _put(sheet.cell(1, column), name)
        sheet.cell(1, column).font = Font(bold=True)
    rows = table.astype(object).itertuples(index=False)
    for number, (row, part) in enumerate(zip(rows, parts, strict=True), start=2):
        for column, (name, value) in enumerate(zip(table.columns, row, strict=True), start=1):
            cell = sheet.cell(number, column)
            form = SHOWN_AS[part.show] if name in findings.IN_UNIT else FORMATS.get(name)
            _put(cell, value, form)
            if name in ("verdict", "part_verdict") and isinstance(value, str):
                _coloured(cell, value)
    for column, cells in enumerate(sheet.columns, start=1):
        sheet.column_dimensions[get_column_letter(column)].width = _width(cells)
    _set_up(sheet)


def _put(cell: Cell, value: object, shown_as: str | None = None) -> None:
    """Write a value to a cell; text stays text, whatever it begins with."""
    if pd.isna(value) or value == "":
        return
    if isinstance(value, float) and math.isinf(value):
        value = wording.format_value(value, "number")
    cell.alignment = WRAPPED if _length(value) > WIDEST else ONE_LINE
    if isinstance(value, str):
        cell.value = ILLEGAL_CHARACTERS_RE.sub("", value)
        cell.data_type = "s"
        cell.quotePrefix = value.startswith(FORMULA)
    else:
        cell.value, cell.number_format = value, shown_as or "General"


@cache
def colours() -> dict[str, tuple[str, str]]:
    """Return ink and ground of each verdict's chip, as the style sheet has them for light."""
    css = report.assets()["css"]
    light = dict(re.findall(r"--([\w-]+): light-dark\(#(\w{6})", css))
    ground = r"(?: background: var\(--([\w-]+)\))?"
    chips = re.findall(r"\.chip\.([\w-]+) \{ color: var\(--([\w-]+)\);" + ground, css)
    return {name: (light[ink], light[tint or "paper"]) for name, ink, tint in chips}


def _width(cells: Sequence[Cell]) -> int:
    """Return the width of a column that shows its cells and the head's button, in characters."""
    head, *rest = (_length(cell.value) for cell in cells if cell.value is not None)
    return min(max([head + 4, *(length + 2 for length in rest)]), WIDEST)


def _length(value: object) -> int:
    """Return the characters that a value takes; a Chinese one is as wide as two others."""
    if not isinstance(value, str):
        return 8
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in value)


def _undated(book: Workbook) -> bytes:
    """Return an Excel file without author and time; openpyxl dates the file and its entries."""
    book.properties.creator = None
    book.properties.created = book.properties.modified = UNDATED
    dated = BytesIO()
    ExcelWriter(book, ZipFile(dated, "w")).save()  # Workbook.save would set the time anew
    return undated_zip(dated)


def undated_zip(dated: BytesIO) -> bytes:
    """Return an archive whose entries have no time."""
    undated = BytesIO()
    with ZipFile(dated) as old, ZipFile(undated, "w") as new:
        for name in old.namelist():
            entry = ZipInfo(name, UNDATED.timetuple()[:6])
            new.writestr(entry, old.read(name), compress_type=ZIP_DEFLATED)
    return undated.getvalue()
