"""What a trial decided comes first on index and region page, with what was found without it."""

import nbformat
import pytest
from bs4 import BeautifulSoup

from analysis.claims import findings
from analysis.claims.finding import TRIAL_MIME_TYPE, conclude, part_record
from analysis.claims.hypotheses import hypothesis
from analysis.claims.verdicts import judge_part
from analysis.statistics.estimate import from_se
from sample_findings import beyond
from workbook.deciding import shown
from workbook.pages import collect, index, region_page
from workbook.pages.entry import Entry

H19 = hypothesis("H19")
REGIONS = ("North 华北", "East 华东", "South")
RETENTION = next(part for part in H19.parts if part.key == "retention")


def observed(region):
    """Return the run of H19 in a region, whose intervals hold both a yes and a no."""
    effects = {
        part.key: from_se(1.0 if part.scale == "log" else 0.02, 0.2, 900, scale=part.scale)
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


@pytest.mark.parametrize(
    ("effect", "verdict"), [(0.08, "supported"), (-0.08, "contradicted"), (0.0, "too small")]
)
def test_the_verdict_of_a_trial_comes_before_what_was_found_without_it(effect, verdict):
    soup = page(tried(REGIONS[0], effect))
    over_all = soup.select_one("td.pooled")
    low, high = 100 * (effect - 1.96 * 0.01), 100 * (effect + 1.96 * 0.01)
    said = low_letters(over_all)
    assert verdict in low_letters(over_all.select_one(".chip"))
    assert f"by trial in {REGIONS[0].lower()}: {verdict}" in said
    assert f"{abs(low):.1f}" in said and f"{abs(high):.1f}" in said
    assert "without a trial: inconclusive" in said
    tally = low_letters(soup.select_one(".counts"))
    assert tally.count(" 2") == 1  # the two regions without a trial are open
    assert verdict in tally


def test_a_region_without_a_trial_keeps_its_finding():
    one, other = tried(REGIONS[0], 0.08), known(tried(REGIONS[0], 0.08))
    rows = {}
    for region in REGIONS:
        place = "example", region
        text = region_page.page(place, other.by_place[place], other)
        rows[region] = BeautifulSoup(text, "html.parser").select_one("tr#H19")
    assert "supported" in low_letters(rows[REGIONS[0]].select_one("td"))
    assert rows[REGIONS[0]].select_one("td a")["href"].endswith(one.href)
    assert "without a trial: inconclusive" in low_letters(rows[REGIONS[0]])
    for region in REGIONS[1:]:
        assert "inconclusive" in low_letters(rows[region].select_one("td"))
        assert "trial" not in rows[region].text


def test_trials_that_disagree_leave_a_claim_open_over_all():
    soup = page(tried(REGIONS[0], 0.08), tried(REGIONS[1], -0.08))
    said = low_letters(soup.select_one("td.pooled"))
    assert "inconclusive" in low_letters(soup.select_one("td.pooled .chip"))
    assert f"by trial in {REGIONS[0].lower()}: supported" in said
    assert f"by trial in {REGIONS[1].lower()}: contradicted" in said


def test_the_first_screen_says_what_a_trial_settled_and_no_longer_that_it_is_open():
    said = page(tried(REGIONS[0], 0.08)).select_one("ol.answers").text
    assert f"By trial: H19 {H19.title['en']} holds in {REGIONS[0]}." in said
    assert said.count("H19") == 1
    assert "H19" in page().select_one("ol.answers").text


def test_what_to_do_next_leaves_out_where_a_trial_has_decided():
    before = {step.claim: step for step in shown.of_source("example", known())}
    after = {
        step.claim: step for step in shown.of_source("example", known(tried(REGIONS[0], 0.08)))
    }
    assert set(before["H19"].regions) == set(REGIONS)
    assert set(after["H19"].regions) == set(REGIONS[1:])
    wide = known(tried(REGIONS[0], 0.02, se=0.05))  # the trial left it open
    assert set(shown.of_source("example", wide)[0].regions) == set(REGIONS)


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
