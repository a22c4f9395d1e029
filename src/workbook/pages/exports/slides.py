"""Findings as a PowerPoint file: one slide for each claim."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from io import BytesIO

from pptx import Presentation
from pptx.dml.color import RGBColor
from pptx.enum.text import MSO_AUTO_SIZE
from pptx.slide import Slide
from pptx.util import Cm, Pt

from analysis.claims import card, wording
from analysis.claims.hypotheses import register
from workbook.pages import plain
from workbook.pages.exports import excel
from workbook.pages.exports.rows import Line

WIDTH, HEIGHT, EDGE = Cm(33.87), Cm(19.05), Cm(1.5)
MOST_ROWS = 9
"""Regions in the table of a slide; the number of the others is said."""


def presentation(said: Sequence[Line], language: str) -> bytes:
    """Return a PowerPoint file with a slide for each claim of each source, without a date.

    A slide has the claim, the verdict, one sentence with the range, and the regions.
    """
    show = Presentation()
    show.slide_width, show.slide_height = WIDTH, HEIGHT
    order = {key: number for number, key in enumerate(register())}
    groups: dict[tuple[str, str], list[Line]] = {}
    for line in said:
        groups.setdefault((line.source, line.known.id), []).append(line)
    for key in sorted(groups, key=lambda each: (each[0], order[each[1]])):
        _draw(show.slides.add_slide(show.slide_layouts[5]), groups[key], language)
    properties = show.core_properties
    properties.created = properties.modified = excel.UNDATED
    properties.author = properties.last_modified_by = properties.title = ""
    written = BytesIO()
    show.save(written)
    return excel.undated_zip(written)


def _draw(slide: Slide, lines: Sequence[Line], language: str) -> None:
    """Draw a claim: its verdict over all regions, or of its only line, above the regions."""
    words, verdicts = plain.words(language)["export"], wording.words(language)["verdict"]
    regions = [line for line in lines if line.region]
    whole = [line for line in lines if not line.region and line.part is not None]
    main = (whole or regions)[0]
    title = slide.shapes.title
    title.left, title.top, title.width, title.height = EDGE, Cm(0.8), WIDTH - 2 * EDGE, Cm(1.8)
    _write(title, f"{main.known.id} {main.known.title[language]}", 28, bold=True)
    place = [EDGE, Cm(2.6), WIDTH - 2 * EDGE, Cm(2)]
    _write(slide.shapes.add_textbox(*place), main.known.claim[language], 14)
    verdict = main.record["verdict"]
    chip = slide.shapes.add_textbox(EDGE, Cm(4.8), Cm(8), Cm(1.1))
    _write(chip, f"{card.SYMBOLS[verdict]} {verdicts[verdict]}", 18, bold=True)
    ink, ground = (RGBColor.from_string(each) for each in excel.colours()[card.slug(verdict)])
    chip.fill.solid()
    chip.fill.fore_color.rgb = ground
    chip.text_frame.paragraphs[0].runs[0].font.color.rgb = ink
    where = words["everywhere"] if whole else main.region
    said = slide.shapes.add_textbox(EDGE, Cm(6.1), WIDTH - 2 * EDGE, Cm(2.6))
    trial = f" ({words['by_trial']}: {main.by_trial})" if main.by_trial else ""
    _write(said, f"{where}: {main.sentence}{trial}", 16)
    counts = Counter(line.record["verdict"] for line in regions)
    listed = [f"{verdicts[name]} {counts[name]}" for name in card.SYMBOLS if counts[name]]
    counted = words["counts"].format(counts=plain.words(language)["join"].join(listed))
    _write(slide.shapes.add_textbox(EDGE, Cm(8.8), WIDTH - 2 * EDGE, Cm(0.9)), counted, 12)
    _table(slide, regions, language)


def _table(slide: Slide, regions: Sequence[Line], language: str) -> None:
    """Draw the regions: verdict, effect and range."""
    words, verdicts = plain.words(language)["export"], wording.words(language)["verdict"]
    shown = regions[:MOST_ROWS]
    heads = [words["where"], words["verdict"], words["effect"]]
    place = [EDGE, Cm(9.8), WIDTH - 2 * EDGE, Cm(0.8) * (len(shown) + 1)]
    table = slide.shapes.add_table(len(shown) + 1, 3, *place).table
    for column, width in zip(table.columns, (Cm(8), Cm(6), WIDTH - 2 * EDGE - Cm(14)), strict=True):
        column.width = width
    for number, line in enumerate([None, *shown]):
        cells = heads
        if line:
            effect = line.record["reason"] if line.part is None else ""
            effect = effect or plain.effect(line.part, language)
            effect = "; ".join(filter(None, [line.by_trial, effect]))
            cells = [line.region, verdicts[line.record["verdict"]], effect]
        for cell, text in zip(table.rows[number].cells, cells, strict=True):
            cell.text = text
            cell.text_frame.paragraphs[0].runs[0].font.size = Pt(11)
    if len(regions) > len(shown):
        more = words["more"].format(n=len(regions) - len(shown))
        _write(slide.shapes.add_textbox(EDGE, Cm(18.1), WIDTH - 2 * EDGE, Cm(0.8)), more, 11)


def _write(shape: object, text: str, size: int, *, bold: bool = False) -> None:
    """Write a text into a shape, wrapped."""
    frame = shape.text_frame
    frame.word_wrap, frame.auto_size = True, MSO_AUTO_SIZE.NONE
    frame.text = text
    for run in frame.paragraphs[0].runs:
        run.font.size, run.font.bold = Pt(size), bold
