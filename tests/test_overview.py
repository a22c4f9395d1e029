"""What the index says of all regions together, and of what changed since the run before."""

import pytest
from bs4 import BeautifulSoup

from analysis import findings, history, index_page, synthesis, wording
from analysis.hypotheses import hypothesis
from sample_findings import BLOCKING, beyond, loss_against_gain

REGIONS = ("North 华北", "East 华东", "South <华南>")
PRINTS = {"data_until": "2026-06-30", "data": "d1", "notebook": "n1", "module": "m1"}


def entries(effects=(0.30, 0.31, 0.33), *checks, **prints):
    """Return the runs of a notebook in as many regions as there are effects."""
    for effect, region in zip(effects, REGIONS, strict=False):
        finding = loss_against_gain(effect, 0.05, *checks, region=region)
        record = finding.record() | PRINTS | prints.get(region.split()[0], {})
        yield index_page.Entry(
            source="example", region=region, notebook="02_satisfaction_drivers", href="x.html",
            status="ok", error="", title="Drivers", records=(record,),
        )  # fmt: skip


def past_of(folder, *runs):
    """Return the history of several runs."""
    for run in runs:
        found = findings.tidy([record for entry in run for record in entry.records])
        past = history.append(folder, found, synthesis.pooled(found))
    return past


def page(runs, **known):
    runs = list(runs)
    return BeautifulSoup(index_page.index(runs, beyond(runs, **known)), "html.parser")


def pooled_cell(soup):
    return soup.select_one("td.pooled .cell")


def test_the_pooled_effect_stands_first_with_its_numbers():
    runs = list(entries())
    row = beyond(runs).pools.iloc[0]
    part = findings.part_record(hypothesis("H03").parts[0], row, "en")
    soup = page(runs)
    assert [head.text for head in soup.select("thead th")][1] == "All regions"
    cell = pooled_cell(soup)
    assert wording.interval(part) in cell.text
    assert "3 regions" in cell.text
    assert "stands among 1 claims" in cell.text
    assert "another region" not in cell.text  # of three regions that can't be said


def test_a_verdict_that_falls_in_its_family_says_so():
    edge = list(entries((0.24, 0.25, 0.26)))
    many = beyond(edge)
    pools = many.pools.assign(p_value=0.04, p_holm=0.4, survives=False)
    changed = type(many)(pools, many.families, many.past, {})
    soup = BeautifulSoup(index_page.index(edge, changed), "html.parser")
    assert "does not stand among 1 claims" in pooled_cell(soup).select_one(".warn").text


def test_the_column_of_all_regions_links_its_page_and_the_claim_on_it():
    pages = {"example": ("example/90_across_regions.html", "")}
    soup = page(entries(), pages=pages)
    assert soup.select_one("th.pooled a")["href"] == pages["example"][0]
    title = f"H03 {hypothesis('H03').title['en']}".replace(" ", "-")
    assert pooled_cell(soup)["href"] == f"{pages['example'][0]}#{title}"


def test_two_regions_are_not_pooled_and_each_has_its_own_family():
    soup = page(entries((0.30, 0.31)))
    assert soup.select("td.pooled") == []
    assert "example has 2 regions: from fewer than 3 nothing is pooled" in soup.text
    assert soup.text.count("stands among 1 claims") == 2


def test_three_regions_that_are_blocked_leave_nothing_to_pool():
    soup = page(entries((0.30, 0.31, 0.33), BLOCKING))
    assert soup.select("td.pooled") == []


def test_the_first_run_has_nothing_to_compare_with(tmp_path):
    past = past_of(tmp_path, list(entries()))
    soup = page(entries(), past=past)
    assert "This is the first run" in soup.select_one(".changes").text
    assert soup.select("svg.runs") == []


def test_what_changed_and_why_is_said_for_the_region_and_for_the_whole(tmp_path):
    later = list(entries((0.30, 0.01, 0.33), East={"data": "d2"}))
    past = past_of(tmp_path, list(entries()), later)
    told = [each.text for each in page(later, past=past).select(".changes li")]
    assert told[0].startswith("all regions together: computed anew because of the data; H03")
    assert told[1].startswith("East 华东: computed anew because of the data; H03 Supported → Too")
    assert told[2] == "2 regions: nothing changed."
    assert len(told) == 3


def test_a_region_with_a_tag_in_its_name_is_only_text(tmp_path):
    later = list(entries((0.30, 0.31, 0.01), South={"data": "d2"}))
    past = past_of(tmp_path, list(entries()), later)
    assert "South <华南>" in page(later, past=past).select_one(".changes").text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_cause_has_a_word(language):
    assert set(wording.words(language)["changes"]["causes"]) == set(history.CAUSES)


def test_the_line_over_the_runs_has_a_point_for_each_run(tmp_path):
    later = list(entries((0.30, 0.21, 0.33), East={"data": "d2"}))
    past = past_of(tmp_path, list(entries()), later)
    cell = pooled_cell(page(later, past=past))
    lines = cell.select("svg.runs polyline")
    assert [len(line["points"].split()) for line in lines] == [2] * 4
    assert lines[-1]["class"] == ["main"]
    ends = past[past["region"] == history.EVERYWHERE]["estimate"]
    first, last = (wording.format_value(each, "number") for each in ends)
    assert f"run 1: {first}, run 2: {last}" in cell.text
