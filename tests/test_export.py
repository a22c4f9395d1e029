"""What colleagues get: an Excel file, tables as CSV, and a page that prints on one A4."""

import base64
import io
import math
import re
import zipfile

import numpy as np
import openpyxl
import pandas as pd
import pytest
from axe_core_python.selenium import Axe
from hypothesis import given
from hypothesis import strategies as st

import test_browser
from analysis.claims import across_regions, findings
from analysis.claims.finding import conclude
from analysis.claims.hypotheses import hypothesis, register
from analysis.data.files import FORMULA
from analysis.statistics.estimate import LINKS, from_se
from sample_findings import BLOCKING, each_verdict, loss_against_gain, performance
from workbook.pages import remarks
from workbook.pages.exports import excel, export, rows

REGIONS = ["North 华北", "South 华南", "East 华东", "West 华西", "Centre 华中", "Coast 沿海"]
A4 = (595, 842)

driver = test_browser.driver


def finding(key, region, *shifts, source="example", language="en", se=0.05):
    """A finding whose effects lie so many standard errors inside the edge of their claims."""
    entry = hypothesis(key)
    effects = {}
    for i, part in enumerate(entry.parts):
        link, inverse = LINKS[part.scale]
        from_below = part.claim.low > (-math.inf if part.scale == "identity" else 0)
        edge = part.claim.low if from_below else part.claim.high
        inside = shifts[min(i, len(shifts) - 1)] * se * (1 if from_below else -1)
        effects[part.key] = from_se(inverse(link(edge) + inside), se, 500, scale=part.scale)
    return conclude(entry, source, region, effects, language=language).record()


def tables(records):
    """Findings and pooled effects of records."""
    found = findings.tidy(records)
    return found, across_regions.pooled(found)


def whole_register(*shifts, language="en"):
    """Every hypothesis in six regions."""
    return [
        finding(key, region, *shifts, language=language) for key in register() for region in REGIONS
    ]


def three_of_h03():
    """H03 over six regions: three supported, two inconclusive, one not testable."""
    missing = each_verdict()["not testable"] | {"hypothesis": "H03", "region": REGIONS[5]}
    missing["parts"] = missing["parts"][:1]
    missing["parts"][0] = missing["parts"][0] | {"key": "asymmetry"}
    shifts = zip(REGIONS, (3, 3, 3, 1, 1), strict=False)
    return [finding("H03", region, shift) for region, shift in shifts] + [missing]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The files of six regions and all hypotheses, with their tables."""
    found, pools = tables(whole_register(3, -4))
    folder = tmp_path_factory.mktemp("export")
    return export.write(found, pools, folder, "en"), found, pools


def sheet(found, pools, name="findings", language="en"):
    """A sheet of the Excel file as openpyxl reads it, and its columns by name."""
    book = openpyxl.load_workbook(io.BytesIO(excel.workbook(found, pools, language)))
    letters = {cell.value: cell.column_letter for cell in book[name][1]}
    return book[name], letters


def test_csv_and_excel_hold_the_tables_value_by_value(written):
    (csv, pooled_csv, book, _), found, pools = written
    sheets = pd.read_excel(book, sheet_name=None)
    assert list(sheets) == ["findings", "all regions"]
    for path, name, table in ((csv, "findings", found), (pooled_csv, "all regions", pools)):
        assert path.read_bytes().startswith(b"\xef\xbb\xbf")
        empty = findings.in_units(table).replace("", np.nan)
        pd.testing.assert_frame_equal(pd.read_csv(path), empty, check_dtype=False, rtol=1e-12)
        again = sheets[name][list(table.columns)].replace("∞", np.inf)
        pd.testing.assert_frame_equal(again, empty, check_dtype=False, rtol=1e-14)


@pytest.mark.parametrize(
    ("key", "numbers", "shown"),
    [
        ("H10", (0.0414, -0.012, 0.0948), (4.14, -1.2, 9.48)),  # percentage points of retention
        ("H14", (1.368, 1.3, 1.44), (36.8, 30, 44)),  # percent of margin
        ("H13", (1.5, 1.2, 1.9), (1.5, 1.2, 1.9)),  # a ratio
    ],
)
def test_numbers_are_in_the_unit_that_stands_beside_them(key, numbers, shown, tmp_path):
    found, pools = tables([finding(key, region, 3) for region in REGIONS[:3]])
    names = ["estimate", "ci_low", "ci_high"]
    found.loc[0, names] = numbers
    csv, _, book, _ = export.write(found, pools, tmp_path / "export", "en")
    findings.write(found, findings.variants([]), tmp_path, findings.tests([]))
    read = [pd.read_csv(path) for path in (csv, tmp_path / "findings.csv")]
    for table in (*read, pd.read_excel(book, sheet_name="findings")):
        assert table.loc[0, names].tolist() == pytest.approx(shown)
    pd.testing.assert_frame_equal(findings.read_all(tmp_path)[names], found[names])


def test_equal_findings_make_equal_files_without_a_date(written, tmp_path):
    paths, found, pools = written
    for old, new in zip(paths, export.write(found, pools, tmp_path, "en"), strict=True):
        assert old.name == new.name
        assert old.read_bytes() == new.read_bytes()
    with zipfile.ZipFile(paths[2]) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        properties = archive.read("docProps/core.xml").decode()
    assert set(re.findall(r"\d{4}-\d\d-\d\dT[\d:]+", properties)) == {"1980-01-01T00:00:00"}
    assert "creator" not in properties


@pytest.mark.parametrize("start", FORMULA)
def test_no_name_is_taken_for_a_formula(start, tmp_path):
    region = f"{start}1+1|cmd"
    inert = f"'{region}".replace("\r", " ")
    found, pools = tables([finding("H03", name, -9) for name in (region, *REGIONS[:2])])
    csv, pooled_csv, *_ = export.write(found, pools, tmp_path / "export", "en")
    findings.write(found, findings.variants([]), tmp_path, findings.tests([]))
    for path in (csv, tmp_path / "findings.csv"):
        read = pd.read_csv(path)
        assert read["region"].tolist() == [inert, *REGIONS[:2]]
        assert (read["estimate"] < 0).all()  # a number stays one
    assert pd.read_csv(pooled_csv)["regions"].tolist() == ["; ".join([inert, *REGIONS[:2]])]
    assert findings.read_all(tmp_path)["region"].iloc[0] == region
    cells, letters = sheet(found, pools)
    cell = cells[f"{letters['region']}2"]
    assert (cell.value.strip(), cell.data_type, cell.quotePrefix) == (region.strip(), "s", True)
    assert {each.data_type for row in cells for each in row} <= {"s", "n"}


def test_a_character_that_excel_refuses_is_left_out():
    cells, letters = sheet(*tables([finding("H03", "North\x07 华北", 3)]))
    assert cells[f"{letters['region']}2"].value == "North 华北"


@pytest.mark.parametrize(
    ("key", "shown_as"),
    [
        ("H12", "0.0%"),
        ("H13", '0.00"×"'),
        ("H14", '0.0"%"'),
        ("H10", '0.0" pp"'),
        ("H03", "0.000"),
    ],
)
def test_numbers_have_the_format_of_their_unit(key, shown_as):
    found, pools = tables([finding(key, region, 3) for region in REGIONS[:3]])
    for name in ("findings", "all regions"):
        cells, letters = sheet(found, pools, name)
        for column in ("estimate", "ci_low", "ci_high"):
            assert cells[f"{letters[column]}2"].number_format == shown_as
        assert cells[f"{letters['n_obs']}2"].number_format == "#,##0"
        assert cells[f"{letters['estimate']}2"].data_type == "n"


def test_the_head_stays_filters_and_is_bold_and_columns_fit():
    cells, letters = sheet(*tables(three_of_h03()))
    assert cells.freeze_panes == "A2"
    assert cells.auto_filter.ref == cells.dimensions
    assert all(cell.font.bold for cell in cells[1])
    assert cells.column_dimensions[letters["region"]].width == len("Centre 华中") + 2 + 2
    assert cells.column_dimensions[letters["label"]].width == len(cells["F2"].value) + 2


@pytest.mark.parametrize("name", ["findings", "all regions"])
def test_a_sheet_prints_landscape_as_wide_as_the_page_with_its_head_on_each(name):
    cells, _ = sheet(*tables(three_of_h03()), name)
    assert (cells.page_setup.orientation, cells.page_setup.paperSize) == ("landscape", 9)
    assert cells.sheet_properties.pageSetUpPr.fitToPage
    assert (cells.page_setup.fitToWidth or 1, cells.page_setup.fitToHeight) == (1, 0)
    assert cells.print_title_rows == "$1:$1"


def test_long_text_is_wrapped():
    record = loss_against_gain(0.3, 0.05).record()
    record["parts"][0]["method"] = 30 * "word "
    cells, letters = sheet(*tables([record]))
    assert cells[f"{letters['method']}2"].alignment.wrap_text
    assert not cells[f"{letters['region']}2"].alignment.wrap_text
    assert cells.column_dimensions[letters["method"]].width == excel.WIDEST


def test_verdicts_have_the_colours_of_the_report():
    found, pools = tables(list(each_verdict().values()))
    cells, letters = sheet(found, pools)
    colours = {
        cell.value: (cell.font.color.rgb[2:], cell.fill.start_color.rgb[2:])
        for cell in cells[letters["verdict"]][1:]
    }
    assert colours == {
        "supported": ("0b55a0", "e1edfa"),
        "contradicted": ("8f3004", "fbe7dc"),
        "too small to matter": ("424b57", "e7eaee"),
        "inconclusive": ("644700", "fcf1cf"),
        "not testable": ("4d5866", "ffffff"),
        "failed": ("99142b", "fde3e7"),
    }


VERDICTS = st.tuples(st.sampled_from(across_regions.BEST_FIRST), st.floats(0, 1), st.booleans())


def pools_of(rows):
    """A pooled table with given (source, hypothesis, verdict, p, survives), all parts."""
    return pd.DataFrame(
        [
            {"source": source, "hypothesis": key, "part": part.key, "verdict": verdict,
             "p_value": p, "survives": survives, "estimate": 0.5}
            for source, key, verdict, p, survives in rows
            for part in hypothesis(key).parts
        ]
    )  # fmt: skip


def test_best_claims_come_first():
    pools = pools_of(
        [
            ("b", "H01", "not testable", math.nan, False),
            ("b", "H02", "inconclusive", 0.4, False),
            ("b", "H03", "too small to matter", 0.01, False),
            ("b", "H04", "contradicted", 0.03, False),
            ("b", "H05", "contradicted", 0.001, True),
            ("b", "H06", "supported", 0.04, False),
            ("b", "H07", "supported", 0.002, True),
            ("b", "H08", "supported", 0.001, True),
            ("a", "H09", "supported", 0.0, True),
        ]
    )
    best = across_regions.ranked(pools)
    assert best["hypothesis"].tolist() == [
        "H08", "H07", "H06", "H05", "H04", "H03", "H02", "H01", "H09",
    ]  # fmt: skip
    assert all(row.part == hypothesis(row.hypothesis).parts[0].key for row in best.itertuples())


@given(st.lists(VERDICTS, min_size=1, max_size=len(register())), st.randoms())
def test_the_order_does_not_depend_on_that_of_the_rows(verdicts, chance):
    rows = [("s", key, *each) for key, each in zip(register(), verdicts, strict=False)]
    best = across_regions.ranked(pools_of(rows))
    assert sorted(best["hypothesis"]) == [row[1] for row in rows]
    order = [
        (across_regions.BEST_FIRST.index(row.verdict), not row.survives)
        for row in best.itertuples()
    ]
    assert order == sorted(order)
    chance.shuffle(rows)
    assert (
        across_regions.ranked(pools_of(rows))["hypothesis"].tolist() == best["hypothesis"].tolist()
    )


def text_of(html):
    """What a reader sees of a page, in one line."""
    body = html.partition("<body")[2].partition(">")[2]
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def test_a_line_says_verdict_family_effect_and_what_regions_say():
    found, pools = tables(three_of_h03())
    html = export.summary(found, pools, "en")
    row = pools.iloc[0]
    assert row["verdict"] == "supported"
    said = text_of(html)
    assert "H03 Loss against gain ✓ Supported" in said
    effect = f"+{row['estimate']:.2f} [+{row['ci_low']:.2f}, +{row['ci_high']:.2f}]"
    assert f"{effect} {hypothesis('H03').parts[0].unit['en']}" in said
    assert re.findall(r'aria-label="(\w+ ?\w*: \d)"', html) == [
        "Supported: 3", "Inconclusive: 2", "Not testable: 1",
    ]  # fmt: skip
    assert found["register"].iloc[0] in said


@pytest.mark.parametrize(
    ("survives", "p", "said"),
    [(True, 0.0004, "yes, p &lt; 0.001"), (True, 0.0126, "yes, p = 0.013"),
     (False, 0.0527, "no, p = 0.053")],
)  # fmt: skip
def test_a_verdict_says_whether_it_stands_among_all_claims(survives, p, said):
    found, pools = tables(three_of_h03())
    html = export.summary(found, pools.assign(survives=survives, p_holm=p), "en")
    assert f'<td class="num">{said}</td>' in html


def test_what_a_verdict_of_another_part_rests_on_is_named():
    records = [
        performance(from_se(0.3, 0.01, 500), from_se(0.3, 0.01, 500)).record() | {"region": region}
        for region in REGIONS[:3]
    ]
    html = export.summary(*tables(records), "en")
    said = text_of(html)
    assert "✗ Contradicted" in said
    assert 'aria-label="Contradicted: 3"' in html
    assert "decided by slope of expectation: +0.30 [+0.29, +0.31]" in said


def test_what_is_not_pooled_stands_at_the_end_with_the_reason():
    records = [finding("H03", region, 3) for region in REGIONS]
    records += [finding("H05", region, -3) for region in REGIONS[:2]]
    said = text_of(export.summary(*tables(records), "en"))
    assert said.index("H03") < said.index("Not pooled, and part of no family : 2 of 2 regions can")
    assert said.index("Not pooled") < said.index("H05 Communication during works")


def test_with_two_regions_each_says_its_own():
    records = [finding("H03", "North", 4), finding("H03", "South", 0), finding("H05", "North", 4)]
    found, pools = tables([*records, each_verdict(region="North")["not testable"]])
    said = text_of(export.summary(found, pools, "en"))
    assert said.count("example has 2 regions: from fewer than 3 nothing is pooled") == 2
    north = said[said.index("example · North") : said.index("example · South")]
    assert north.count("✓ Supported yes, p &lt; 0.001") == 2
    assert "H04 Channel by area – Not testable – Reason &lt;not testable&gt;." in north
    assert "? Inconclusive" in said[said.index("example · South") :]


def test_with_three_regions_that_are_all_blocked_each_says_its_own():
    records = [
        loss_against_gain(0.30, 0.05, BLOCKING, region=region).record() for region in REGIONS[:3]
    ]
    said = text_of(export.summary(*tables(records), "en"))
    assert said.count("example has 3 regions, but at most 0 of them can be pooled") == 3
    assert "Not pooled" not in said


def test_each_source_has_its_own_table():
    records = [
        finding("H03", region, 3, source=source)
        for source in ("first", "second")
        for region in REGIONS[:4]
    ]
    html = export.summary(*tables(records), "zh")
    assert re.findall(r"<h2[^>]*>(.*?)</h2>", html) == ["first", "second"]
    assert html.count("地区（4个）：") == 2
    assert text_of(html).count("H03 损失与获益 ✓ 成立") == 2


def test_many_regions_are_counted_and_not_named():
    records = [finding("H03", f"Region {i}", 3) for i in range(remarks.MOST_NAMED + 1)]
    html = export.summary(*tables(records), "en")
    assert "Regions: 13" in html
    assert "Region 7" not in html


def test_names_from_outside_are_escaped():
    html = export.summary(*tables([finding("H03", "<script>x</script>", 3)]), "en")
    assert "<script" not in html
    assert "&lt;script&gt;x" in html


def test_what_cannot_be_written_leaves_the_old_files(tmp_path):
    found, pools = tables([finding("H03", "North", 3)])
    export.write(found, pools, tmp_path, "en")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(before) == {"findings.csv", "pooled.csv", "findings.xlsx", "summary.html"}
    with pytest.raises(ValueError, match="H03 has no part 'slope' in the register"):
        export.write(found.assign(part="slope"), pools, tmp_path, "en")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.fixture(params=["en", "zh"])
def page(request, tmp_path):
    """The longest summary of six regions: every claim of several parts falls with its second."""
    found, pools = tables(whole_register(3, -4, language=request.param))
    return export.write(found, pools, tmp_path, request.param)[-1].as_uri()


@pytest.mark.slow
def test_it_prints_on_one_page_of_a4(driver, page):
    test_browser.show(driver, page)
    options = {"preferCSSPageSize": True, "printBackground": True}
    pdf = base64.b64decode(driver.execute_cdp_cmd("Page.printToPDF", options)["data"])
    assert len(re.findall(rb"/Type /Page\b", pdf)) == 1
    box = re.search(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", pdf)
    assert tuple(round(float(side)) for side in box.groups()) == A4


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [test_browser.PHONE, 794])
def test_everyone_can_read_it_and_nothing_is_asked_for(driver, page, theme, width):
    test_browser.show(driver, page, theme=theme, width=width)
    assert test_browser.requests(driver) == [page]
    assert driver.get_log("browser") == []
    measure = "const page = document.documentElement; return [page.scrollWidth, page.clientWidth]"
    needed, given_width = driver.execute_script(measure)
    assert needed <= given_width <= width
    found = Axe().run(driver)
    assert len(found["passes"]) > 10
    assert [(each["id"], len(each["nodes"])) for each in found["violations"]] == []


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "Associations, not causes: H03, H22."),
        ("zh", "只是相关，而非因果：H03、H22。"),
    ],
)
def test_the_summary_says_which_claims_are_associations(language, said):
    found = [finding(key, "North", 3) for key in ("H03", "H04", "H15", "H22")]
    assert said in export.summary(*tables(found), language)
    assert said[:4] not in export.summary(*tables(found[1:3]), language)


def test_a_blocked_claim_is_exported_with_the_name_of_its_check():
    found, pools = tables([loss_against_gain(0.30, 0.05, BLOCKING).record()])
    assert BLOCKING.name in rows.lines(found, pools, "en")[-1].sentence
