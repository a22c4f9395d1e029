"""The answer first: which sentences stand at the top, for all regions and for one."""

from dataclasses import replace

import pytest
from bs4 import BeautifulSoup

from analysis.claims import across_regions, findings
from analysis.claims.finding import conclude
from analysis.claims.hypotheses import hypothesis
from analysis.statistics.estimate import from_se
from sample_findings import BLOCKING, beyond, each_verdict, loss_against_gain
from workbook.pages import answers, history, index, navigation
from workbook.pages.entry import Entry

REGIONS = ("North 华北", "East 华东", "South <华南>")
KINDS = ["act", "stop", "open", "differ", "changed"]


def entry(record, region, **other):
    key = record["hypothesis"]
    given = {
        "source": "example", "notebook": f"{key}_x", "theme": "satisfaction", "claim": key,
        "href": f"example/{region}/{key}_x.html", "status": "ok", "error": "", "title": "Title",
    }  # fmt: skip
    return Entry(**given | other, region=region, record=record | {"region": region})


def runs(effects, *checks, se=0.05, language="en"):
    """H03 (at least 0.15, negligible within it) in as many regions as there are effects."""
    for effect, region in zip(effects, REGIONS, strict=False):
        found = loss_against_gain(effect, se, *checks, region=region, language=language)
        yield entry(found.record(), region)


def said(entries, *past, folder=None, lost=()):
    """Return the answers over all regions as kind and text."""
    entries = list(entries)
    around = beyond(entries)
    if folder:
        for each in (*past, entries):
            found = findings.tidy([one.record for one in each])
            known = history.append(folder, found, across_regions.pooled(found))
        around = replace(around, past=known)
    known = index.with_entries(around, entries)
    found = answers.over_all("example", known, lost)
    return [(each.kind, BeautifulSoup(each.text, "html.parser").text) for each in found]


def test_what_holds_everywhere_comes_first_with_its_range_and_a_link(tmp_path):
    found = said(runs((0.40, 0.41, 0.43)), folder=tmp_path)
    assert [kind for kind, _ in found] == KINDS
    text = found[0][1]
    assert text.startswith("H03 Loss against gain holds over all 3 regions together, and in 3 of")
    assert "+0.41 (95% interval +0.3" in text
    assert found[2][1] == "No claim is open for want of data alone."
    assert found[4][1].startswith("This is the first run")


@pytest.mark.parametrize(
    ("effects", "why"),
    [
        ((0.0, 0.01, -0.01), "whatever the effect is, it is too small to change a decision"),
        ((-0.4, -0.41, -0.43), "the whole interval lies outside what is claimed (at least +0.15)"),
    ],
)
def test_what_does_not_hold_says_why(effects, why):
    kind, text = said(runs(effects))[1]
    assert kind == "stop"
    assert f"does not hold over all 3 regions together: {why}. " in text
    assert "95% interval" in text


def test_what_is_open_says_the_cheapest_way_to_close_it():
    text = dict(said(runs((0.02, 0.12, 0.07), se=0.09)))["open"]
    assert "yes and a no. The cheapest way to decide it: " in text
    assert "more regions like these" in text or "times as many customers" in text


def test_an_effect_near_an_edge_of_the_claim_is_not_settled_by_telling_it_from_none():
    """From 0.03 to 0.27 around an edge of 0.15: no effect is told from the claim already."""
    text = dict(said(runs((0.10, 0.20, 0.15), se=0.08)))["open"]
    assert text.endswith("an edge of what is claimed, and only a much narrower range would.")


def test_an_interval_that_a_check_alone_leaves_open_fits_no_yes_and_no():
    """0.6 to 0.8, where at least 0.15 is claimed: nothing but the check is open."""
    blocked, wide = (
        loss_against_gain(*each, BLOCKING).record() for each in ((0.7, 0.05), (0.1, 0.2))
    )
    for record, fits in ((blocked, False), (wide, True)):
        found = [entry(record, REGIONS[0])]
        known = index.with_entries(beyond(found), found)
        kinds = {
            each.kind: each.text
            for each in answers.of_region(("example", REGIONS[0]), found, known)
        }
        assert ("fit both a yes and a no" in kinds["open"]) == fits
        assert "It failed on: Overlap." in kinds["open"]


def test_a_claim_that_is_not_pooled_is_open_too():
    text = dict(said([*runs((0.3, 0.3, 0.3), BLOCKING), *more("H04")]))["open"]
    assert text.startswith("H03 Loss against gain is open in 3 of 3 regions. 0 of 3 regions can")


def test_a_claim_that_is_not_pooled_and_false_in_some_regions_is_named():
    first, second = runs((-0.4, -0.41))
    blocked = loss_against_gain(0.3, 0.05, BLOCKING, region=REGIONS[2]).record()
    found = dict(said([first, second, entry(blocked, REGIONS[2]), *more("H04")]))
    assert found["stop"].startswith(
        "H03 Loss against gain does not hold in North 华北, East 华东: "
    )
    assert (
        "North 华北: Slope below expectation less slope above: −0.40 (95% interval" in found["stop"]
    )


def more(key, value=0.5):
    """A claim that is supported everywhere."""
    known = hypothesis(key)
    effects = {part.key: from_se(value, 0.05, 500, scale=part.scale) for part in known.parts}
    for region in REGIONS:
        yield entry(conclude(known, "example", region, effects).record(), region)


def test_where_regions_differ_the_ends_are_named_with_their_ranges():
    text = dict(said(runs((0.2, 0.9, 0.5))))["differ"]
    low, high = "+0.20 (+0.10 to +0.30) in North 华北", "+0.90 (+0.80 to +1.00) in East 华东"
    assert f"from {low} to {high}" in text


def test_verdicts_that_moved_are_said_with_the_cause(tmp_path):
    first, later = ([*runs(each)] for each in ((0.4, 0.41, 0.43), (0.4, 0.41, 0.0)))
    changed = [replace(each, record=each.record | {"data": each.region}) for each in later]
    before = [replace(each, record=each.record | {"data": "d"}) for each in first]
    text = dict(said(changed, before, folder=tmp_path))["changed"]
    assert "because of the data: " in text
    assert "H03 Loss against gain in South <华南> from Supported to Too small to matter" in text


def test_a_source_that_joins_others_has_its_first_run(tmp_path):
    others = [*runs((0.4, 0.41, 0.43))]
    found = findings.tidy([each.record | {"source": "pilot"} for each in others])
    history.append(tmp_path, found, across_regions.pooled(found))
    joined = dict(said(others, folder=tmp_path))
    assert joined["changed"].startswith("This is the first run")
    later = dict(said(runs((0.42, 0.41, 0.43)), folder=tmp_path))
    assert later["changed"].startswith("No verdict has moved")


def test_few_regions_speak_for_themselves():
    found = said(runs((0.4, 0.0)))
    assert found[0][1].startswith("H03 Loss against gain holds in North 华北. ")
    assert found[1][1].startswith("H03 Loss against gain does not hold in East 华东: whatever")
    assert (
        dict(found)["differ"]
        == "From so few regions it cannot be told how far others would differ."
    )


def test_reports_that_failed_are_named():
    broken = entry(each_verdict()["failed"], REGIONS[0])
    entries = [*runs((0.4, 0.41, 0.43)), broken]
    assert dict(said(entries))["broken"] == "One report failed: North 华北 · H05_x."
    assert '<b class="broken">Failed</b>' in index.index(entries, beyond(entries))


def test_a_region_has_five_answers_and_says_what_sets_it_apart(tmp_path):
    entries = list(runs((0.2, 0.9, 0.5)))
    found = findings.tidy([each.record for each in entries])
    past = history.append(tmp_path, found, across_regions.pooled(found))
    known = index.with_entries(replace(beyond(entries), past=past), entries)
    told = answers.of_region(("example", REGIONS[1]), [known.entries[1]], known, "../../")
    assert [each.kind for each in told] == KINDS
    assert 'href="../../example/East 华东/H03_x.html#H03"' in told[0].text
    assert "is +0.90 (95% interval +0.80 to +1.00) here, and +0.5" in told[3].text


def test_a_manager_s_unit_is_the_mean_of_the_regions_by_their_size():
    entries = []
    for each, times in zip(runs((0.40, 0.40, 0.40)), (1.0, 2.0, 3.0), strict=True):
        part = each.record["parts"][0] | {"plain": {"unit": "points of 10", "times": times}}
        entries.append(replace(each, record=each.record | {"parts": [part]}))
    text = dict(said(entries))["act"]
    assert "+0.80 (95% interval" in text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_answer_is_in_one_language(language):
    found = said(runs((0.4, 0.0, 0.1), language=language))
    words = " ".join(text for _, text in found)
    assert ("置信区间" in words) is (language == "zh")
    assert ("interval" in words) is (language == "en")


def test_neighbours_are_linked_in_the_order_of_regions_and_claims(tmp_path):
    entries = [*runs((0.4, 0.41, 0.43)), *more("H04")]
    for each in [*entries, Entry("example", REGIONS[0], "x", "", "", "x", "ok", "", "Profile")]:
        folder = tmp_path / "example" / each.region
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("index.html", f"{each.notebook}.html"):
            (folder / name).write_text('<html lang="en"><!--nav-->old<!--/nav--></html>')
    (tmp_path / "index.html").write_text('<html lang="en"></html>')
    navigation.fill(tmp_path, entries, "en", [])
    page = tmp_path / "example" / REGIONS[1] / "H03_x.html"
    shown = [
        (a.text, a["href"])
        for a in BeautifulSoup(page.read_text("utf-8"), "html.parser").select("nav a")
    ]
    assert shown == [("East 华东", "index.html"), ("H04 →", "H04_x.html")]
    page = BeautifulSoup((page.parent / "index.html").read_text("utf-8"), "html.parser")
    assert [a.text for a in page.select("nav > a")] == ["← North 华北", "South <华南> →"]
    assert [a.text for a in page.select("nav li")] == list(REGIONS)
    before = page.encode()
    navigation.fill(tmp_path, entries, "en", [])
    again = (tmp_path / "example" / REGIONS[1] / "index.html").read_text("utf-8")
    assert BeautifulSoup(again, "html.parser").encode() == before
