"""What the index says of all regions together, and of what changed since the run before."""

from dataclasses import replace

import pytest
from bs4 import BeautifulSoup

from analysis.claims import across_regions, finding, findings, wording
from analysis.claims.finding import conclude, part_record
from analysis.claims.hypotheses import hypothesis
from analysis.statistics.estimate import from_se
from sample_findings import BLOCKING, beyond, loss_against_gain, performance
from workbook.pages import history, index, region_page, remarks
from workbook.pages.entry import Entry

REGIONS = ("North 华北", "East 华东", "South <华南>")
PROVENANCE = {
    "data_until": "2026-06-30", "data": "d1", "notebook": "n1", "module": "m1", "parameters": "p1",
}  # fmt: skip


def entries(effects=(0.30, 0.31, 0.33), *checks, blocked=None, **changed):
    """Return the runs of a notebook in as many regions as there are effects.

    Checks are those of all regions, or of those that are blocked.
    """
    for effect, region in zip(effects, REGIONS, strict=False):
        own = checks if blocked is None or region in blocked else ()
        record = loss_against_gain(effect, 0.05, *own, region=region).record()
        record |= PROVENANCE | changed.get(region.split()[0], {})
        yield Entry(
            source="example", region=region, notebook="H03_loss", theme="satisfaction",
            claim="H03", href="x.html", status="ok", error="", title="Drivers", record=record,
        )  # fmt: skip


def past_of(folder, *runs):
    """Return the history of several runs."""
    for run in runs:
        found = findings.tidy([entry.record for entry in run])
        past = history.append(folder, found, across_regions.pooled(found))
    return past


def page(runs, gone=(), **known):
    runs = list(runs)
    around = replace(beyond(runs, **known), gone=gone)
    return BeautifulSoup(index.index(runs, around), "html.parser")


def region(runs, name, **known):
    """Return the page of a region."""
    runs = list(runs)
    around = index.with_entries(beyond(runs, **known), runs)
    own = around.by_place["example", name]
    return BeautifulSoup(region_page.page(("example", name), own, around), "html.parser")


def with_another(runs):
    """Add a claim that can be pooled to the findings of each region."""
    for run in runs:
        known = hypothesis("H04")
        effects = {part.key: from_se(0.5, 0.05, 500, scale=part.scale) for part in known.parts}
        other = conclude(known, "example", run.region, effects).record()
        provenance = {name: run.record[name] for name in PROVENANCE}
        yield from (run, replace(run, claim="H04", record=other | provenance))


def pooled_cell(soup):
    return soup.select_one("td.pooled")


def test_the_range_of_another_region_is_in_the_unit_of_the_effect():
    """Three points for each unit of the model: the pooled effect and its range are tripled."""
    runs = []
    for number, effect in enumerate((0.30, 0.36, 0.25, 0.33, 0.40, 0.28)):
        record = loss_against_gain(effect, 0.02, region=f"R{number}").record() | PROVENANCE
        record["parts"][0]["plain"] = {"unit": "points", "times": 3.0}
        (run,) = entries((effect,))
        runs.append(replace(run, region=f"R{number}", record=record))
    row = beyond(runs).pools.iloc[0]
    low, high = (3 * row[f"prediction_{end}"] for end in ("low", "high"))
    assert low < 3 * row["estimate"] < high
    said = " ".join(pooled_cell(page(runs)).text.split())
    assert f"another region: {low:+.2f} to {high:+.2f}" in said


def test_why_a_pooled_claim_is_open_is_said_in_the_unit_of_its_effect():
    runs = []
    for number, effect in enumerate((-0.3, 0.4, 0.1)):
        record = loss_against_gain(effect, 0.2, region=f"R{number}").record() | PROVENANCE
        record["parts"][0]["plain"] = {"unit": "points of satisfaction", "times": 3.0}
        (run,) = entries((effect,))
        runs.append(replace(run, region=f"R{number}", record=record))
    cell = pooled_cell(page(runs))
    said = " ".join(cell.text.split())
    part = part_record(hypothesis("H03").parts[0], beyond(runs).pools.iloc[0], "en")
    tripled = wording.in_plain_unit(part | {"plain": {"unit": "", "times": 3.0}})
    assert f"{wording.interval(tripled)} points of satisfaction, claimed" in said
    assert wording.interval(part) not in said


def test_the_pooled_effect_stands_first_with_its_numbers():
    runs = list(entries())
    row = beyond(runs).pools.iloc[0]
    part = part_record(hypothesis("H03").parts[0], row, "en")
    soup = page(runs)
    assert [head.text for head in soup.select(".matrix thead th")][1] == "All regions"
    cell = pooled_cell(soup)
    assert wording.interval(part) in cell.text
    assert "3 regions" in cell.text
    assert "stands as the only claim tested" in cell.text
    assert "another region" not in cell.text  # of three regions that can't be said


def test_a_verdict_that_falls_in_its_family_says_so():
    edge = list(entries((0.24, 0.25, 0.26)))
    many = beyond(edge)
    pools = many.pools.assign(p_value=0.04, p_holm=0.4, survives=False)
    changed = type(many)(pools, many.families, many.past, {})
    soup = BeautifulSoup(index.index(edge, changed), "html.parser")
    assert (
        "does not stand, though it is the only claim" in pooled_cell(soup).select_one(".warn").text
    )


def test_the_column_of_all_regions_links_its_page_and_the_claim_on_it():
    pages = {"example": ("example/90_across_regions.html", "")}
    soup = page(entries(), pages=pages)
    assert soup.select_one("th.pooled a")["href"] == pages["example"][0]
    title = f"H03 {hypothesis('H03').title['en']}".replace(" ", "-")
    assert pooled_cell(soup).a["href"] == f"{pages['example'][0]}#{title}"


def test_a_claim_that_is_an_association_says_so_in_its_row():
    soup = page(with_another(entries()))
    assert "an association, not a cause" in soup.select_one("#H03 .unit").text
    assert "an association" not in soup.select_one("#H04 .unit").text


def test_two_regions_are_not_pooled_and_each_has_its_own_family():
    soup = page(entries((0.30, 0.31)))
    assert soup.select("td.pooled") == []
    assert "example has 2 regions: from fewer than 3 nothing is pooled" in soup.text
    for name in REGIONS[:2]:
        assert "stands as the only claim tested" in region(entries((0.30, 0.31)), name).text


def test_one_region_is_a_region():
    assert "example has one region: from fewer than 3" in page(entries((0.30,))).text


def test_three_regions_that_are_blocked_leave_nothing_to_pool():
    soup = page(entries((0.30, 0.31, 0.33), BLOCKING))
    assert soup.select("td.pooled") == []
    assert "example has 3 regions, but at most 0 of them can be pooled for any one" in soup.text
    assert "Each region’s claims are a family of their own." in soup.text


def test_what_is_not_pooled_beside_what_is_belongs_to_no_family():
    soup = page(with_another(entries((0.30, 0.31, 0.33), BLOCKING, blocked=REGIONS[:2])))
    first, second = soup.select("td.pooled")
    assert "not pooled: part of no family" in first.text
    assert "1 of 3 regions can be pooled; 3 are needed." in first.text
    assert "no family" not in second.text
    assert soup.text.count("the only claim tested") == 1  # that of the pooled claim
    assert "nothing is pooled" not in soup.text


def test_what_is_not_pooled_has_the_line_of_each_region(tmp_path):
    runs = [
        list(with_another(entries(effects, BLOCKING, blocked=REGIONS[:2], East=prints)))
        for effects, prints in [((0.30, 0.31, 0.33), {}), ((0.30, 0.21, 0.33), {"data": "d2"})]
    ]
    past = past_of(tmp_path, *runs)
    rows = [region(runs[-1], name, past=past).select_one("#H03") for name in REGIONS]
    lines = [row.select("svg.runs polyline") for row in rows]
    assert [len(own) for own in lines] == [0, 1, 0]  # only East is not what it was
    assert len(lines[1][0]["points"].split()) == 2
    assert "run 1 (data to 2026-06-30): +0.31, run 2 (data to 2026-06-30): +0.21" in rows[1].text


def test_a_region_that_says_nothing_any_more_has_no_line(tmp_path):
    first, second, third = (list(entries((effect, effect))) for effect in (0.30, 0.29, 0.28))
    part = hypothesis("H03").parts[0]
    third[0].record["parts"] = [finding._rule(part, "en")]
    third[0].record["verdict"] = "not testable"
    past = past_of(tmp_path, first, second, third)
    north, east = (region(third, name, past=past) for name in REGIONS[:2])
    assert north.select("svg.runs") == []
    assert len(east.select("svg.runs")) == 1


def test_regions_whose_data_end_on_other_days_are_named(tmp_path):
    later = list(entries(East={"data_until": "2026-09-30"}))
    said = page(later, past=past_of(tmp_path, later)).text
    assert "North 华北, South <华南> on 2026-06-30; East 华东 on 2026-09-30." in said
    assert "on different days" not in page(entries(), past=past_of(tmp_path, entries())).text


def test_regions_that_are_no_longer_in_the_data_are_named_and_many_are_counted():
    said = page(entries(), gone=(("example", "Centre <华中>"), ("other", "West"))).text
    assert "No longer in the data of example: Centre <华中>. The reports are still" in said
    assert "No longer in the data of other: West." in said
    many = tuple(("example", f"Region {i}") for i in range(remarks.MOST_NAMED + 1))
    assert "No longer in the data of example: 13 regions." in page(entries(), gone=many).text


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
    assert set(wording.words(language)["changes"]["causes"]) == set(history.REASONS)


def told(*runs, folder):
    """Return what is said of the last of several runs."""
    return [each.text for each in page(runs[-1], past=past_of(folder, *runs)).select(".changes li")]


def test_a_region_more_is_why_what_is_pooled_is_another_number(tmp_path):
    three, two = list(entries()), list(entries((0.30, 0.31)))
    fourth = replace(three[0], region="West", record=three[0].record | {"region": "West"})
    said = told(three, [*three, fourth], folder=tmp_path)
    assert said[0].startswith("all regions together: computed anew because of regions added or")
    assert said[1:] == ["West: new.", "3 regions: nothing changed."]
    said = told(three, two, folder=tmp_path)
    assert "all regions together: no longer there." in said
    assert "South <华南>: no longer there." in said


def test_why_is_never_empty(tmp_path):
    moved = (0.301, 0.311, 0.331)
    said = told(list(entries()), list(entries(moved)), folder=tmp_path)
    assert all("other numbers, which nothing that was recorded explains" in each for each in said)
    anew = {name: {"parameters": "p2"} for name in ("North", "East", "South")}
    said = told(list(entries()), list(entries(moved, **anew)), folder=tmp_path)
    assert all("computed anew because of the parameters; no verdict moved" in each for each in said)


def test_a_verdict_that_stands_no_longer_in_its_family_is_said(tmp_path):
    runs = list(entries())
    found = findings.tidy([entry.record for entry in runs])
    pools = across_regions.pooled(found)
    for survives in (True, False, True):
        past = history.append(tmp_path, found, pools.assign(survives=survives))
        said = [each.text for each in page(runs, past=past).select(".changes li")]
        if past["run"].max() > 1:
            word = "now stands" if survives else "no longer stands"
            assert f"H03 {word} among all claims" in said[0]


def test_the_line_over_the_runs_has_a_point_for_each_run(tmp_path):
    later = list(entries((0.30, 0.21, 0.33), East={"data": "d2"}))
    past = past_of(tmp_path, list(entries()), later)
    cell = pooled_cell(page(later, past=past))
    lines = cell.select("svg.runs polyline")
    assert [len(line["points"].split()) for line in lines] == [2] * 4
    assert lines[-1]["class"] == ["main"]
    ends = past[past["region"] == history.EVERYWHERE]["estimate"]
    first, last = (wording.format_value(each, "number") for each in ends)
    days = "(data to 2026-06-30)"
    assert f"run 1 {days}: {first}, run 2 {days}: {last}" in cell.text


def test_a_claim_that_falls_with_its_second_part_shows_that_part_and_its_history(tmp_path):
    """H01: performance is as claimed, expectation +0.2 and then +0.3 where at most -0.1 is."""

    def run(expectation):
        for name in REGIONS:
            first, second = from_se(0.3, 0.02, 900), from_se(expectation, 0.02, 900)
            record = performance(first, second).record() | PROVENANCE | {"region": name}
            (one,) = entries((0.3,))
            yield replace(one, region=name, claim="H01", record=record)

    past = past_of(tmp_path, list(run(0.2)), list(run(0.3)))
    row = region(run(0.3), REGIONS[0], past=past).select_one("tr#H01")
    days = "(data to 2026-06-30)"
    assert f"run 1 {days}: +0.20, run 2 {days}: +0.30" in row.text
    soup = page(run(0.3), past=past)
    label = hypothesis("H01").parts[1].label["en"]
    here, over_all = soup.select_one("tr#H01 td.c").text, pooled_cell(soup).text
    for said in (here, over_all):
        assert "Contradicted" in said
        assert f"{label}: +0.30 [" in said


def test_the_foot_of_the_index_names_the_register_that_judged():
    own = list(entries())
    foot = page(own).footer.text
    register = own[0].record["register"]
    assert f"Register of hypotheses: {register}. What every verdict must meet" in foot
    assert "{" not in foot
