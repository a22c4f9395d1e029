"""How often claims are decided by size of region: counted, kept in a table, and shown."""

import re
from pathlib import Path

import pandas as pd
import pytest
from bs4 import BeautifulSoup

from analysis.claims import calibration, card
from analysis.claims.deciding import decidability, on_card
from analysis.claims.deciding.decidability import INTERVAL
from analysis.claims.hypotheses import hypothesis
from analysis.claims.verdicts import Check
from analysis.statistics.estimate import LINKS, on_scale
from sample_findings import BLOCKING, loss_against_gain
from simulation import World, error_rates
from simulation.scenes import CLEAR, CLEAR_REGIONS, Scene
from test_answers import entry, runs
from test_answers import said as answers_of

HIDDEN = decidability.HIDDEN[0]
SRC = Path(decidability.__file__).parents[3]
NOT_CLEAR = {("H06", "told_ratio"), ("H18", "auc"), ("H19", "margin")}
"""Parts that no world moves so far: a claim of two ends that are near, an AUC, and a margin."""


def rows(name, *counts, by=INTERVAL):
    """Lines of the table: customers, regions, decided rightly; the others are left open."""
    return pd.DataFrame(
        {
            "scene": CLEAR.name,
            "customers": customers,
            "hypothesis": name,
            "regions": n,
            "right": right,
            "wrong": 0,
            "open": n - right,
            "untested": 0,
            "left_open_by": by if n > right else "",
            "failing": n - right,
        }
        for customers, n, right in counts
    )


@pytest.fixture
def table(tmp_path, monkeypatch):
    """A table of three claims: one that numbers decide, one that none does, one not yet."""
    monkeypatch.setattr(decidability, "FILE", tmp_path / "decidability.csv")
    known = [
        rows("H03", (1_000, 20, 4), (3_000, 12, 7), (10_000, 6, 5), (100_000, 1, 1)),
        rows("H08", (1_000, 20, 1), (10_000, 6, 0), by=HIDDEN),
        rows("H21", (1_000, 20, 0), (10_000, 6, 2)),
    ]
    calibration.write(pd.concat(known), decidability.FILE)


def test_replicates_are_counted_by_how_they_end_and_what_left_them_open():
    """H01 holds in truth; checks of one region count each, and the commonest is named."""
    truth = {("H01", "performance"): 0.6, ("H01", "expectation"): -0.4}
    found = pd.DataFrame(
        [
            (1, "supported", ""),
            (2, "contradicted", ""),
            (3, "inconclusive", "customers"),
            (4, "inconclusive", f"{HIDDEN}; customers"),
            (5, "inconclusive", ""),
            (6, "not testable", ""),
            (7, "too small to matter", ""),
        ],
        columns=["replicate", "verdict", "blocked_by"],
    )
    found = found.assign(hypothesis="H01", part="performance")
    found = pd.concat([found, found.assign(part="expectation")])
    [row] = error_rates.decided(found, truth).to_dict("records")
    assert row == {
        "hypothesis": "H01", "regions": 7, "right": 1, "wrong": 2, "open": 3, "untested": 1,
        "left_open_by": "customers", "failing": 2,
    }  # fmt: skip


def test_sizes_are_measured_one_at_a_time_and_merged(tmp_path, monkeypatch):
    monkeypatch.setattr(decidability, "FILE", tmp_path / "decidability.csv")
    scene = Scene("a small world", World(), ("H06",))
    for replicates in ({300: 2}, {200: 1}, {300: 3}):
        for new in error_rates.decide(replicates, n_draw=20_000, scene=scene):
            calibration.write(decidability.merged(new), decidability.FILE)
    found = decidability.table()
    assert found[["scene", "customers", "hypothesis", "regions"]].values.tolist() == [
        ["a small world", 200, "H06", 1],
        ["a small world", 300, "H06", 3],
    ]
    assert (found[["right", "wrong", "open", "untested"]].sum(axis=1) == found["regions"]).all()


def test_clear_effects_lie_clear_of_the_edges_of_their_claims():
    """At least 1.5 smallest effects that matter, on the scale of the estimate."""
    true = error_rates.planted(CLEAR, 120_000)
    assert {name for name, _ in true} == set(CLEAR.hypotheses)
    near = set()
    for (name, key), value in true.items():
        part = next(part for part in hypothesis(name).parts if part.key == key)
        if part.sesoi is None:
            continue
        at, none = on_scale(value, part.scale), on_scale(part.null, part.scale)
        edges = [on_scale(end, part.scale) for end in part.claim.ends if end not in (0.0, 1.0)]
        smallest = min(abs(edge - none) for edge in edges)
        if min(abs(at - edge) for edge in edges) < 1.5 * smallest:
            near.add((name, key))
    assert near == NOT_CLEAR
    assert set(LINKS) == {"identity", "log", "logit"}


def test_the_table_counts_every_region_of_every_claim_once():
    found = decidability.table()
    assert list(found.columns) == decidability.COLUMNS
    assert set(found["customers"]) <= set(CLEAR_REGIONS)
    assert not found.duplicated(decidability.KEYS).any()
    assert (found[["right", "wrong", "open", "untested"]].sum(axis=1) == found["regions"]).all()
    assert (found["failing"] <= found["open"]).all()
    assert ((found["left_open_by"] == "") == (found["open"] == 0)).all()
    for _, own in found.groupby("customers"):
        assert set(own["hypothesis"]) == set(CLEAR.hypotheses)
    assert found["wrong"].sum() <= 0.025 * found["regions"].sum()


@pytest.mark.usefixtures("table")
def test_shares_have_exact_intervals():
    """Clopper and Pearson: 5 of 6, and none and all of n by the closed forms."""
    found = decidability.by_size("H03").set_index("customers")
    assert found.loc[10_000, "share"] == pytest.approx(5 / 6)
    assert found.loc[10_000, ["low", "high"]].tolist() == pytest.approx([0.3588, 0.9958], abs=1e-4)
    assert found.loc[100_000, ["low", "high"]].tolist() == pytest.approx([0.025, 1.0])
    assert decidability.interval(0, 20) == pytest.approx((0, 1 - 0.025 ** (1 / 20)))


@pytest.mark.usefixtures("table")
def test_whether_numbers_decide_is_told_from_what_leaves_the_largest_regions_open():
    kinds = {key: decidability.outlook(key) for key in ("H03", "H08", "H21", "H01")}
    assert kinds == {"H03": "data", "H08": "never", "H21": "open", "H01": None}
    calibration.write(rows("H08", (3_000, 20, 1), by=HIDDEN), decidability.FILE)
    assert decidability.outlook("H08") is None  # of larger ones nothing is known
    calibration.write(rows("H03", (1_000, 20, 4), (10_000, 6, 5)), decidability.FILE)
    known = decidability.by_size("H03")
    assert decidability.enough(known)["customers"] == 10_000
    nearest = [decidability.nearest(known, n)["customers"] for n in (0, 3_100, 3_200, 10**6)]
    assert nearest == [1_000, 1_000, 10_000, 10_000]


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        (
            "en",
            "On clear effects, regions of about 10,000 customers are decided rightly in 5 of 6 "
            "simulated cases; this region: 3,200. Of 12 regions of about 3,000 customers 5 stay "
            "open, most often (5) by an interval that is too wide.",
        ),
        (
            "zh",
            "效应明确时，约10,000名客户的地区在6次模拟中有5次得到正确判定；本地区：3,200名客户。"
            "约3,000名客户的12个模拟地区中，5个没有下结论，最常见的原因（5个）是区间过宽。",
        ),
    ],
)
def test_a_card_says_how_large_regions_must_be_and_draws_the_table(language, sentence):
    record = loss_against_gain(0.1, 0.2, language=language, customers=3_200).record()
    assert on_card.sentence(record) == sentence
    page = BeautifulSoup(card.card(record), "html.parser")
    assert page.select_one(".decidable small").text == sentence
    cells = [[cell.text for cell in row.select("th, td")] for row in page.select(".sizes tbody tr")]
    assert [row[0] for row in cells] == ["1,000", "3,000", "10,000", "100,000"]
    assert re.findall(r"\d+", cells[2][1]) == (
        ["5", "6", "36", "100"] if language == "en" else ["6", "5", "36", "100"]
    )
    assert [row[3] for row in cells] == ["16", "5", "1", "0"]


@pytest.mark.usefixtures("table")
def test_the_drawing_has_a_dot_for_each_share_and_a_line_for_each_interval():
    record = loss_against_gain(0.1, 0.2, customers=3_200).record()
    drawing = on_card.drawing(record)
    known = decidability.by_size("H03")
    (bottom, _), _, (top, _) = drawing["scale"]
    shares = [(bottom - each["share"]) / (bottom - top) for each in drawing["points"]]
    assert shares == pytest.approx([0.2, 7 / 12, 5 / 6, 1.0])
    for name in ("low", "high"):
        drawn = [(bottom - each[name]) / (bottom - top) for each in drawing["points"]]
        assert drawn == pytest.approx(known[name].tolist())
    places = [each["x"] for each in drawing["points"]]
    assert places[1] < drawing["here"] < places[2]
    assert (places[2] - places[0]) / (places[3] - places[0]) == pytest.approx(0.5)  # logarithmic
    svg = BeautifulSoup(card.card(record), "html.parser").select_one("svg.decidability")
    heights = [float(each["cy"]) for each in svg.select("circle")]
    assert heights == pytest.approx([each["share"] for each in drawing["points"]], abs=0.06)
    assert [each.text for each in svg.select("text")][3:] == ["1,000", "3,000", "10,000", "100,000"]


@pytest.mark.usefixtures("table")
def test_a_record_of_a_run_before_has_no_such_line():
    record = loss_against_gain(0.1, 0.2).record()
    assert "customers" not in record
    assert "decidable" not in card.card(record)


@pytest.mark.usefixtures("table")
def test_a_claim_that_no_number_decides_is_said_to_be_so():
    record = loss_against_gain(0.1, 0.2, customers=9_000).record() | {"hypothesis": "H08"}
    assert on_card.sentence(record) == (
        "On clear effects, the largest simulated regions, of about 10,000 customers, are decided "
        "rightly in 0 of 6 cases; this region: 9,000. Of 6 regions of about 10,000 customers 6 "
        f"stay open, most often (6) by the check “{HIDDEN}”."
    )


@pytest.mark.usefixtures("table")
def test_where_a_region_is_as_large_as_clear_effects_take_it_is_not_for_want_of_customers():
    """H03 of clear effects is decided from 10,000 customers on."""
    said = []
    for customers in (9_999, 10_000):
        found = [loss_against_gain(0.05, 0.07, customers=customers, region="North").record()]
        [text] = [text for kind, text in answers_of([entry(found[0], "North")]) if kind == "decide"]
        said.append(text)
    assert said[0] == (
        "More customers or regions would close these, if their effects are as estimated or clear: "
        "H03 Loss against gain."
    )
    assert said[1].endswith(
        "A region here has as many customers as clear effects take; so the effect of these lies "
        "near an edge of what is claimed, or a check fails in these data: H03 Loss against gain."
    )


@pytest.mark.usefixtures("table")
def test_the_index_says_which_open_claims_numbers_close(monkeypatch):
    open_one = [
        text for kind, text in answers_of(runs((0.02, 0.12, 0.07), se=0.09)) if kind == "decide"
    ]
    assert len(open_one) == 1
    assert open_one == [
        "More customers or regions would close these, if their effects are as estimated or clear: "
        "H03 Loss against gain."
    ]
    never = rows("H03", (1_000, 20, 4), (10_000, 6, 0), by=HIDDEN)
    calibration.write(never, decidability.FILE)
    [text] = [
        text for kind, text in answers_of(runs((0.02, 0.12, 0.07), se=0.09)) if kind == "decide"
    ]
    assert text.endswith(
        "as a hidden cause may change the verdict even in simulated regions of 10,000 with clear "
        "effects (as few as 6 were simulated): H03 Loss against gain."
    )
    calibration.write(rows("H03", (1_000, 20, 4), (10_000, 6, 3)), decidability.FILE)
    blocked = entry(loss_against_gain(0.1, 0.2, BLOCKING).record(), "North")
    [text] = [text for kind, text in answers_of([blocked]) if kind == "decide"]
    assert text.endswith(
        "Simulated regions of 10,000 customers (as few as 6 of them) too often leave these "
        "open even where effects are clear, by an interval that is too wide: H03 Loss against gain."
    )


def test_checks_against_a_hidden_cause_have_the_names_that_claims_give_them():
    code = (SRC / "analysis/claims/claim.py").read_text(encoding="utf-8")
    assert f'phrase("{decidability.HIDDEN[0]}")' in code
    given = [
        name
        for path in (SRC.parent / "notebooks").rglob("H*.ipynb")
        for name in re.findall(r'hidden_as=\\"(.*?)\\"', path.read_text(encoding="utf-8"))
    ]
    assert given == [decidability.HIDDEN[1]]


def test_a_finding_names_the_checks_that_block_it():
    failed, advised = Check("a", "x", "y", False), Check("b", "x", "y", False, blocking=False)
    found = loss_against_gain(0.4, 0.05, failed, advised)
    assert found.blocked_by == ["a"]
    assert found.is_blocked
