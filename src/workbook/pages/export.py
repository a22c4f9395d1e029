"""Findings for colleagues: one Excel file, tables as CSV, and a summary of one page."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from unicodedata import east_asian_width
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import pandas as pd
from markupsafe import Markup
from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE, Cell
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.worksheet import Worksheet
from openpyxl.writer.excel import ExcelWriter

from analysis.claims import across_regions, card, findings, wording
from analysis.claims.finding import part_record
from analysis.claims.hypotheses import Part, hypothesis, register
from analysis.data.files import FORMULA, whole
from workbook.pages import index, overview, report
from workbook.pages.overview import MOST_NAMED

WIDEST = 48
"""Characters of the widest column of a sheet; longer text is wrapped."""

ONE_LINE, WRAPPED = (Alignment(vertical="top", wrap_text=wrap) for wrap in (False, True))
UNDATED = datetime(1980, 1, 1)
"""The date of every Excel file, so that equal findings make equal files."""

SHOWN_AS = {
    "number": "0.000",
    "ratio": '0.00"×"',
    "percent": '0.00"×"',  # the value is a ratio, which no format can print as a change
    "share": "0.0%",
    "points": '0.0" pp"',  # of the value times 100
}
IN_UNIT = {
    "estimate", "ci_low", "ci_high", "prediction_low", "prediction_high", "claim_low", "claim_high",
}  # fmt: skip
"""Columns in the unit of the effect."""
FORMATS = {
    "n_obs": "#,##0", "n_regions": "0", "df": "#,##0", "q": "0.00",
    "p_value": "0.0000", "p_holm": "0.0000", "q_p_value": "0.0000",
    "tau": "0.000", "tau_low": "0.000", "tau_high": "0.000",
    "i2": "0.0%", "i2_low": "0.0%", "i2_high": "0.0%",
}  # fmt: skip


def write(found: pd.DataFrame, pools: pd.DataFrame, folder: Path, language: str) -> list[Path]:
    """Write findings and pooled effects for colleagues, each file whole or not at all.

    Parameters
    ----------
    found : DataFrame
        As from `findings.tidy`.
    pools : DataFrame
        As from `across_regions.pooled`.
    folder : Path
        Where the files go; made where it is missing.
    language : {"en", "zh"}
        Language of the words; CSV files have none but those of the findings.

    Returns
    -------
    list of Path
        findings.csv, pooled.csv, findings.xlsx and summary.html; equal input makes equal bytes.

    Raises
    ------
    ValueError
        If there are no findings, the language is another one, or the register lacks a
        hypothesis or part.
    """
    if found.empty:
        raise ValueError("There are no findings to export.")
    if language not in ("en", "zh"):
        raise ValueError(f"Language {language!r}: expected one of en, zh.")
    book, page = workbook(found, pools, language), summary(found, pools, language)
    saves = {
        "findings.csv": lambda path: findings.save_csv(found, path),
        "pooled.csv": lambda path: findings.save_csv(pools, path),
        "findings.xlsx": lambda path: path.write_bytes(book),
        "summary.html": lambda path: path.write_text(page, encoding="utf-8", newline="\n"),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, save in saves.items():
        with whole(folder / name) as draft:
            save(draft)
    return [folder / name for name in saves]


def workbook(found: pd.DataFrame, pools: pd.DataFrame, language: str) -> bytes:
    """Return an Excel file with one sheet of findings and one of pooled effects.

    Columns are those of the tables, with the hypothesis's title, the part's label and, where
    the table has none, its unit and what n_obs counts. An infinite number is the text "∞";
    differences of shares are in percentage points.

    Parameters
    ----------
    found, pools, language
        As in `write`.
    """
    book, names = Workbook(), wording.words(language)["export"]["sheets"]
    book.remove(book.active)
    for name, table in {names["findings"]: found, names["pooled"]: pools}.items():
        _fill(book.create_sheet(name), _with_words(table, language), _parts(table))
    return _undated(book)


def summary(found: pd.DataFrame, pools: pd.DataFrame, language: str) -> str:
    """Return a page with one line per hypothesis, best claims first, that prints on one A4.

    Sources have a table each. Where nothing is pooled, each region has a table of its own
    verdicts.

    Parameters
    ----------
    found, pools, language
        As in `write`.
    """
    words, assets = wording.words(language), report.assets()
    blocks = [
        block
        for source, own in found.groupby("source", sort=False)
        for block in _blocks(own, pools[pools["source"] == source], language)
    ]
    template = index.environment().get_template("summary.html.j2")
    return template.render(
        language=language,
        words=words["export"],
        same=words,
        blocks=blocks,
        associations=_associations(found, language),
        symbols=[(symbol, words["verdict"][name]) for name, symbol in card.SYMBOLS.items()],
        fingerprint=report.fingerprint(found.to_dict("records")),
        css=assets["css"],
        policy=assets["policy"],
    )


def _parts(table: pd.DataFrame) -> list[Part]:
    """Return the part of the register that each row is about."""
    return [_part(*row) for row in table[["hypothesis", "part"]].itertuples(index=False)]


@cache
def _part(key: str, name: str) -> Part:
    """Return a part of a hypothesis by its key."""
    for part in hypothesis(key).parts:
        if part.key == name:
            return part
    raise ValueError(f"{key} has no part {name!r} in the register.")


def _with_words(table: pd.DataFrame, language: str) -> pd.DataFrame:
    """Return a table with the words for its hypotheses and parts, and with units."""
    table, parts = table.copy(), _parts(table)
    titles = [hypothesis(key).title[language] for key in table["hypothesis"]]
    table.insert(table.columns.get_loc("hypothesis") + 1, "title", titles)
    table.insert(table.columns.get_loc("part") + 1, "label", [p.label[language] for p in parts])
    for name, after in {"unit": "ci_high", "counts": "n_obs"}.items():
        if name not in table:
            words = [getattr(part, name)[language] for part in parts]
            table.insert(table.columns.get_loc(after) + 1, name, words)
    return table


def _fill(sheet: Worksheet, table: pd.DataFrame, parts: Sequence[Part]) -> None:
    """Write a table to a sheet, with a head that stays in sight and filters its rows."""
    for column, name in enumerate(table.columns, start=1):
        _put(sheet.cell(1, column), name)
        sheet.cell(1, column).font = Font(bold=True)
    rows = table.astype(object).itertuples(index=False)
    for number, (row, part) in enumerate(zip(rows, parts, strict=True), start=2):
        for column, (name, value) in enumerate(zip(table.columns, row, strict=True), start=1):
            if name in IN_UNIT and part.show == "points":
                value = 100 * value
            _put(sheet.cell(number, column), value, _shown_as(name, part))
            if name in ("verdict", "part_verdict") and isinstance(value, str):
                _colour(sheet.cell(number, column), value)
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = sheet.dimensions
    _for_print(sheet)
    for column, cells in enumerate(sheet.columns, start=1):
        sheet.column_dimensions[get_column_letter(column)].width = _width(cells)


def _for_print(sheet: Worksheet) -> None:
    """Let a sheet print on A4 landscape, as wide as the page, with its head on each page."""
    sheet.page_setup.orientation = sheet.ORIENTATION_LANDSCAPE
    sheet.page_setup.paperSize = sheet.PAPERSIZE_A4
    sheet.page_setup.fitToHeight = 0  # as many pages as it takes
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    sheet.print_title_rows = "1:1"


def _shown_as(column: str, part: Part) -> str:
    """Return Excel's format for the numbers of a column; effects have that of their unit."""
    return SHOWN_AS[part.show] if column in IN_UNIT else FORMATS.get(column, "General")


def _put(cell: Cell, value: object, shown_as: str = "General") -> None:
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
        cell.value, cell.number_format = value, shown_as


def _colour(cell: Cell, verdict: str) -> None:
    """Give a verdict's cell the colours of its chip."""
    ink, ground = _colours()[card.slug(verdict)]
    cell.font = Font(color=ink)
    cell.fill = PatternFill("solid", start_color=ground)


@cache
def _colours() -> dict[str, tuple[str, str]]:
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
    dated, undated = BytesIO(), BytesIO()
    ExcelWriter(book, ZipFile(dated, "w")).save()  # Workbook.save would set the time anew
    with ZipFile(dated) as old, ZipFile(undated, "w") as new:
        for name in old.namelist():
            entry = ZipInfo(name, UNDATED.timetuple()[:6])
            new.writestr(entry, old.read(name), compress_type=ZIP_DEFLATED)
    return undated.getvalue()


def _blocks(own: pd.DataFrame, pools: pd.DataFrame, language: str) -> Iterator[dict]:
    """Yield the tables of a source: the pooled one, or one per region where nothing is pooled."""
    source, family = own["source"].iloc[0], across_regions.family(own, pools).iloc[0]
    if family["is_pooled"]:
        yield _pooled_block(own, pools, language)
        return
    table, said = across_regions.by_region(own), overview.why_not_pooled(source, family, language)
    for region, rows in own.groupby("region", sort=False):
        heads = across_regions.best_first(table[table["region"] == region])
        lines = [_line(head, rows, language) for head in _rows(heads)]
        yield {"title": f"{source} · {region}", "note": said, "lines": lines}


def _pooled_block(own: pd.DataFrame, pools: pd.DataFrame, language: str) -> dict:
    """Return the table of a source's pooled hypotheses, and which are not pooled."""
    heads = across_regions.ranked(pools)
    heads["reason"] = [_why_not(head, own, language) for head in _rows(heads)]
    lines = {
        head["hypothesis"]: _line(head, pools, language)
        | {"counts": _counts(own, head["hypothesis"], language)}
        for head in _rows(heads)
    }
    is_pooled = heads["estimate"].notna()
    rest = heads[~is_pooled].groupby("reason", sort=False)["hypothesis"]
    return {
        "title": own["source"].iloc[0],
        "note": _regions(own["region"].unique().tolist(), language),
        "is_pooled": True,
        "lines": [lines[key] for key in heads.loc[is_pooled, "hypothesis"]],
        "not_pooled": [(reason, [lines[key] for key in keys]) for reason, keys in rest],
    }


def _regions(names: Sequence[str], language: str) -> str:
    """Say how many regions there are, with their names if they are not too many."""
    said = wording.words(language)["export"]
    said = said["regions" if len(names) <= MOST_NAMED else "many_regions"]
    return said.format(n=len(names), names=wording.join(names, language))


def _why_not(head: Mapping, own: pd.DataFrame, language: str) -> str:
    """Say how many regions a hypothesis could be pooled over, and how many that takes."""
    regions = own.loc[own["hypothesis"] == head["hypothesis"], "region"].nunique()
    said = wording.words(language)["export"]["too_few"]
    return said.format(n=head["n_regions"], regions=regions, least=across_regions.LEAST_REGIONS)


def _rows(table: pd.DataFrame) -> list[dict]:
    """Return the rows of a table as mappings."""
    return table.to_dict("records")


def _line(head: Mapping, table: pd.DataFrame, language: str) -> dict:
    """Return what the summary says of a hypothesis; `table` has a row for each of its parts."""
    own = table[table["hypothesis"] == head["hypothesis"]]
    line = {
        "id": head["hypothesis"],
        "title": hypothesis(head["hypothesis"]).title[language],
        "chip": Markup(card.chip(head["verdict"], language)),
        "stands": _stands(head, language),
        "reason": own["reason"].iloc[0],
    }
    return line if own["estimate"].isna().any() else line | _effect(head, own, language)


def _effect(head: Mapping, own: pd.DataFrame, language: str) -> dict:
    """Return the headline's effect in words and drawn, and the part that gave the verdict."""
    rows = {row["part"]: row for row in _rows(own)}
    known = hypothesis(head["hypothesis"])
    parts = [part_record(part, rows[part.key], language) for part in known.parts]
    decider = []
    if not head.get("blocked_by"):
        record = {"verdict": head["verdict"], "parts": parts, "checks": [], "language": language}
        decider = index.decider(record)
    return {
        "effect": wording.interval(parts[0]),
        "drawing": Markup(card.interval_svg(parts[0], *card.scale_of(parts[:1]))),
        "notes": [parts[0]["unit"], *decider],
    }


def _associations(found: pd.DataFrame, language: str) -> str:
    """Name the hypotheses that are associations; nothing where there are none."""
    keys = found["hypothesis"].unique()
    names = [key for key in register() if key in keys and hypothesis(key).reading == "association"]
    said = wording.words(language)["export"]["associations"]
    return said.format(names=wording.join(names, language)) if names else ""


def _stands(head: Mapping, language: str) -> str:
    """Say whether a verdict stands in its family; nothing where there is no verdict to stand."""
    p = head["p_holm"]
    if head["verdict"] not in across_regions.BEST_FIRST[:3] or pd.isna(p):
        return ""
    said = wording.words(language)["export"]["stands" if head["survives"] else "falls"]
    return said.format(p=f"p = {p:.3f}" if p >= 0.001 else "p < 0.001")


def _counts(own: pd.DataFrame, key: str, language: str) -> list[tuple[str, str, str]]:
    """Return how many regions say what of a hypothesis: colour class, symbol with number, words."""
    verdicts = own[own["hypothesis"] == key].drop_duplicates("region")["verdict"].value_counts()
    words = wording.words(language)["verdict"]
    return [
        (card.slug(name), f"{symbol} {verdicts[name]}", f"{words[name]}: {verdicts[name]}")
        for name, symbol in card.SYMBOLS.items()
        if name in verdicts
    ]
