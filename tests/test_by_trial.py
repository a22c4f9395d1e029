"""What a trial decided comes first on index and region page, with what was found without it."""

import nbformat
import pytest
from bs4 import BeautifulSoup

from analysis.claims import across_regions, findings
from analysis.claims.finding import TRIAL_MIME_TYPE, conclude, part_record
from analysis.claims.hypotheses import hypothesis
from analysis.claims.verdicts import judge_part
from analysis.statistics.estimate import from_se
from sample_findings import beyond
from workbook.deciding import shown
from workbook.pages import collect, index, region_page
from workbook.pages.entry import Entry, judged
from workbook.pages.exports import rows

H19 = hypothesis("H19")
REGIONS = ("North 华北", "East 华东", "South")
RETENTION = next(part for part in H19.parts if part.key == "retention")


AS_CLAIMED = {"hazard_ratio": (0.5, 0.05), "margin": (0.2, 0.02)}
"""The parts that the trial does not measure, well inside what is claimed."""


def observed(region, **effects):
    """Return the run of H19 in a region; parts that are not given hold both a yes and a no."""
    effects = {
        part.key: from_se(
            *effects.get(part.key, (1.0, 0.2) if part.scale == "log" else (0.02, 0.2)),
            900,
            scale=part.scale,
        )
        for part in H19.parts
    }
    record = conclude(H19, "example", region, effects).record()
    record |= dict.fromkeys(("data", "notebook", "module", "parameters"), "x")
    record["data_until"] = "2026-06-30"
    return Entry(
        source="example", region=region, notebook="H19_fuel_card", theme="retention",
        claim="H19", href=f"{region}/H19.html", status="ok", error="", title="H19", record=record,
    )  # fmt: skip


def tried(region, effect, se=0.01, language="en"):
    """Return the run of the notebook that reads a trial back."""
    found = from_se(effect, se, 800)
    verdict = judge_part(RETENTION, found)
    row = vars(found) | {"part_verdict": verdict}
    record = {
        "trial": "H19-1", "source": "example", "region": region, "hypothesis": "H19",
        "verdict": verdict, "language": language, "part": part_record(RETENTION, row, language),
    }  # fmt: skip
    return Entry(
        source="example", region=region, notebook="card_offered_by_lot", theme="trials", claim="",
        href=f"{region}/trial.html", status="ok", error="", title="A card", trial=record,
    )  # fmt: skip


def known(*trials):
    entries = [*map(observed, REGIONS), *trials]
    return index.with_entries(beyond(entries), entries)


def page(*trials):
    entries = [*map(observed, REGIONS), *trials]
    return BeautifulSoup(index.index(entries, beyond(entries)), "html.parser")


def low_letters(element):
    return " ".join(element.text.lower().split())


def region_row(known, region):
    text = region_page.page(("example", region), known.by_place["example", region], known)
    return BeautifulSoup(text, "html.parser")


@pytest.mark.parametrize(
    ("effect", "others", "verdict"),
    [
        (0.08, {}, "inconclusive"),  # staying is as claimed, of hazard and margin nobody knows
        (0.08, AS_CLAIMED, "supported"),
        (-0.08, {}, "contradicted"),
        (0.0, AS_CLAIMED, "too small to matter"),
        (0.08, AS_CLAIMED | {"margin": (-0.2, 0.02)}, "contradicted"),
    ],
)
def test_a_trial_decides_the_part_that_it_measured_and_the_claim_by_the_rule(
    effect, others, verdict
):
    entry, trial = observed(REGIONS[0], **others), tried(REGIONS[0], effect)
    assert judged(entry.record, trial)["verdict"] == verdict
    entries = [entry, trial]
    here = index.with_entries(beyond(entries), entries)
    soup = region_row(here, REGIONS[0])
    assert low_letters(soup.select_one("tr#H19 td .chip")).endswith(verdict)
    said, low = low_letters(soup.select_one("tr#H19")), 100 * (effect - 1.96 * 0.01)
    assert "by trial in north 华北, of this part alone: " in said
    assert "without a trial: " in said and f"{abs(low):.1f}" in said
    by_trial = {
        "supported": "one part by trial, the others without one",
        "inconclusive": "By trial, one part of",
    }
    said = soup.select_one("ol.answers").text
    holds_back = others.get("margin", (1,))[0] < 0
    assert (by_trial.get(verdict, "By trial: H19") in said) != holds_back


def test_a_check_that_blocks_leaves_the_parts_open_that_no_trial_has_measured():
    record = observed(REGIONS[0], **AS_CLAIMED).record
    check = {"name": "balance", "blocking": True, "passed": False}
    found = judged(record | {"checks": [check]}, tried(REGIONS[0], 0.08))
    assert (found["verdict"], found["checks"]) == ("inconclusive", [check])
    fallen = judged(record | {"checks": [check]}, tried(REGIONS[0], -0.08))
    assert (fallen["verdict"], fallen["checks"]) == ("contradicted", [])


def test_a_trial_that_is_inconclusive_takes_nothing_back():
    """One rule for the sentence and the row: what was found without it stays, and it is said."""
    entries = [
        observed(REGIONS[0], retention=(0.1, 0.01), **AS_CLAIMED),
        tried(REGIONS[0], 0.02, se=0.05),
    ]
    soup = region_row(index.with_entries(beyond(entries), entries), REGIONS[0])
    assert "H19 Fuel card holds in North" in soup.select_one("ol.answers").text
    assert low_letters(soup.select_one("tr#H19 td .chip")).endswith("supported")
    assert "of this part alone: inconclusive" in low_letters(soup.select_one("tr#H19"))


@pytest.mark.parametrize("effects", [(0.08,), (0.08, -0.08), (0.02,)])
def test_trials_in_regions_stand_beside_what_all_regions_together_say(effects):
    runs = [observed(each, retention=(0.1, 0.01), **AS_CLAIMED) for each in REGIONS]
    trials = [
        tried(*each, se=0.01 if abs(each[1]) > 0.05 else 0.05)
        for each in zip(REGIONS, effects, strict=False)
    ]
    entries = [*runs, *trials]
    soup = BeautifulSoup(index.index(entries, beyond(entries)), "html.parser")
    over_all = soup.select_one("td.pooled")
    assert low_letters(over_all.select_one(".chip")).endswith("supported")
    for region in REGIONS[: len(effects)]:
        assert f"by trial in {region.lower()}, of this part alone: " in low_letters(over_all)
    assert "H19 Fuel card holds over all 3 regions together" in soup.select_one("ol.answers").text


def test_a_region_without_a_trial_keeps_its_finding():
    one, other = tried(REGIONS[0], -0.08), known(tried(REGIONS[0], -0.08))
    rows = {region: region_row(other, region).select_one("tr#H19") for region in REGIONS}
    assert "contradicted" in low_letters(rows[REGIONS[0]].select_one("td"))
    assert rows[REGIONS[0]].select_one("td a")["href"].endswith(one.href)
    assert "n = 800" in rows[REGIONS[0]].text  # the trial's own units
    for region in REGIONS[1:]:
        assert "inconclusive" in low_letters(rows[region].select_one("td"))
        assert "trial" not in rows[region].text


def test_what_to_do_next_leaves_out_where_a_trial_has_decided():
    def steps(*trials):
        return shown.of_source("example", known(*trials))

    assert set(steps()[0].regions) == set(REGIONS)
    assert set(steps(tried(REGIONS[0], -0.08))[0].regions) == set(REGIONS[1:])
    wide = [tried(region, 0.02, se=0.05) for region in REGIONS]  # they left it open
    assert set(steps(*wide)[0].regions) == set(REGIONS)
    assert {step.way for step in steps(*wide)} & {"trial"} == set()


def test_a_record_is_found_in_a_notebook_of_its_own_region_alone():
    record = tried(REGIONS[0], 0.08).trial
    output = nbformat.v4.new_output("display_data", {TRIAL_MIME_TYPE: record, "text/plain": "x"})
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1", outputs=[output])])
    assert list(findings.of_trials(notebook)) == [record]
    about = {"source": "example", "region": REGIONS[0], "claim": ""}
    assert list(collect._trials(notebook, about)) == [record]
    assert list(collect._trials(notebook, about | {"region": REGIONS[1]})) == []
    output["data"][TRIAL_MIME_TYPE]["part"].pop("label")
    with pytest.raises(ValueError, match="label"):
        list(findings.of_trials(notebook))


def test_an_export_says_what_trials_decided_beside_what_was_found_without_them():
    entries = [*map(observed, REGIONS), tried(REGIONS[0], 0.08), tried(REGIONS[1], -0.08)]
    found = findings.tidy([each.record for each in entries if each.record])
    trials = rows.by_trial(entries, "en")
    pools = across_regions.pooled(found)
    said = {each.region: each.by_trial for each in rows.lines(found, pools, "en", trials=trials)}
    assert said[REGIONS[0]].startswith("Inconclusive; by trial in North 华北, of this part")
    assert said[REGIONS[1]].startswith("Contradicted; by trial in East 华东, of this part")
    assert said[REGIONS[2]] == ""
    assert said[""].count("by trial in") == 2


def test_a_claim_s_own_page_says_what_its_trial_found_and_leads_there(tmp_path):
    entries = [*map(observed, REGIONS), tried(REGIONS[1], 0.08)]
    pages = [tmp_path.joinpath(*each.place, f"{each.notebook}.html") for each in entries]
    for each in pages:
        each.parent.mkdir(parents=True, exist_ok=True)
        each.write_text('<html lang="en"><!--trial-->old<!--/trial-->')
    collect.write_index(tmp_path, entries, collect.write_findings(tmp_path, entries))
    shown = [BeautifulSoup(each.read_text("utf-8"), "html.parser").a for each in pages]
    assert [shown[number] for number in (0, 2, 3)] == [None, None, None]
    assert shown[1]["href"] == "card_offered_by_lot.html"
    said = shown[1].text
    assert said.startswith("by trial in East 华东, of this part alone: Supported; Retention, ")
    assert ": +8.0 pp (95% interval +6.0 to +10.0); " in said
    assert said.endswith("; without a trial: Inconclusive")
