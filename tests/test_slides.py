"""What colleagues get to read: the first sheet of the Excel file, and slides."""

import io

import openpyxl
import pytest

from analysis.claims import across_regions, findings
from analysis.claims.verdicts import Check
from analysis.statistics.estimate import from_se
from sample_findings import each_verdict, loss_against_gain
from workbook.pages.exports import excel, rows

REGIONS = ["North 华北", "East 华东", "South 华南"]


@pytest.fixture(scope="module")
def tables():
    records = [loss_against_gain(0.4, 0.05, region=each).record() for each in REGIONS]
    records.append(each_verdict(region=REGIONS[0])["not testable"])
    found = findings.tidy(records)
    return found, across_regions.pooled(found), rows.units([], "en")


@pytest.fixture
def said(tables, tmp_path):
    found, pools, units = tables
    page = tmp_path / "example" / REGIONS[0] / "H03_loss_against_gain.html"
    page.parent.mkdir(parents=True)
    page.write_text("")
    return rows.lines(found, pools, "en", units, tmp_path)


def test_the_first_sheet_says_each_claim_in_each_place(tables, said):
    found, pools, _ = tables
    book = openpyxl.load_workbook(io.BytesIO(excel.workbook(found, pools, "en", said)))
    assert book.sheetnames == ["claims", "findings", "all regions"]
    head, *lines = book["claims"].iter_rows(values_only=True)
    assert head == (
        "Source", "Claim", "What it says", "Region", "Verdict", "By trial", "In plain words",
        "Effect and range", "Page",
    )  # fmt: skip
    assert [(line[1].split()[0], line[3], line[4]) for line in lines] == [
        ("H03", "All regions", "Supported"),
        ("H04", "All regions", "Not testable"),
        ("H03", "North 华北", "Supported"),
        ("H03", "East 华东", "Supported"),
        ("H03", "South 华南", "Supported"),
        ("H04", "North 华北", "Not testable"),
    ]
    assert lines[1][6] == "0 of 1 regions can be pooled; 3 are needed."
    assert "the whole interval meets the claim of at least +0.15" in lines[2][6]
    assert "+0.40 (95% interval +0.30 to +0.50)" in lines[2][7]
    link = book["claims"]["I4"].hyperlink.target
    assert link == "../example/North%20%E5%8D%8E%E5%8C%97/H03_loss_against_gain.html#H03"
    assert book["claims"]["I5"].value is None
    assert book["claims"].print_title_rows == "$1:$1"


def test_what_a_check_keeps_open_over_all_regions_is_no_matter_of_size():
    """Supported on its own interval; with a hidden cause half of the effect is left."""
    check = Check(
        "with a hidden cause", "the same verdict", "no", False,
        variants=({"asymmetry": from_se(0.2, 0.05, 1840)},),
    )  # fmt: skip
    records = [loss_against_gain(0.4, 0.05, check, region=each).record() for each in REGIONS]
    found = findings.tidy(records)
    pools = across_regions.pooled(found, findings.variants(records))
    everywhere = rows.lines(found, pools, "en")[0]
    assert everywhere.record["verdict"] == "inconclusive"
    assert "). It would be supported; with a hidden cause it would be inconclusive." in (
        everywhere.sentence
    )
    assert "direction is clear" not in everywhere.sentence


@pytest.mark.parametrize("language", ["en", "zh"])
def test_there_is_a_slide_for_each_claim_and_equal_findings_make_equal_files(tables, language):
    pptx = pytest.importorskip("pptx")
    from workbook.pages.exports import slides

    found, pools, units = tables
    told = rows.lines(found, pools, language, units)
    show = slides.presentation(told, language)
    assert show == slides.presentation(told, language)
    pages = pptx.Presentation(io.BytesIO(show)).slides
    titles = [page.shapes.title.text for page in pages]
    assert [title.split()[0] for title in titles] == ["H03", "H04"]
    texts = " ".join(each.text_frame.text for each in pages[0].shapes if each.has_text_frame)
    assert {"en": "✓ Supported", "zh": "✓ 成立"}[language] in texts
    (table,) = (each.table for each in pages[0].shapes if each.has_table)
    assert [row.cells[0].text for row in table.rows][1:] == REGIONS
