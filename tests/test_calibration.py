"""The table of error rates under version control: what it must show, and how a card quotes it."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.claims import calibration, card, wording
from analysis.claims.finding import conclude
from analysis.claims.hypotheses import hypothesis, register
from analysis.statistics.estimate import from_se
from simulation.scenes import SCENES

TESTED = list(register())
SIZES = {300, 1_000, 3_000}
ALSO_LARGE = {"H01", "H02", "H03", "H04", "H06", "H07", "H23", "H25"}  # at 10,000 customers
# Where coverage is known to fall short, and the card's caveats say so.
SHORT = {
    ("H12", "top20_share"): 0.05,  # heavy tails
    ("H12", "a_share"): 0.05,
}


@pytest.fixture(scope="module")
def table():
    return calibration.table()


@pytest.mark.parametrize("key", TESTED)
def test_every_hypothesis_was_rehearsed_at_every_size(table, key):
    rows = table[(table["hypothesis"] == key) & (table["scene"] == calibration.PLANTED)]
    assert set(rows["customers"]) == SIZES | ({10_000} if key in ALSO_LARGE else set())
    assert set(rows["part"]) == {part.key for part in hypothesis(key).parts}


@pytest.mark.parametrize("key", TESTED)
def test_every_hypothesis_was_put_into_a_world_made_to_mislead(table, key):
    rows = table[(table["hypothesis"] == key) & (table["scene"] != calibration.PLANTED)]
    assert len(rows)


def test_intervals_cover_within_monte_carlo_error(table):
    rows = table[(table["scene"] == calibration.PLANTED) & (table["testable"] >= 0.5)]
    tested = rows["regions"] * rows["testable"]
    nominal = 0.95 - pd.Series(
        [SHORT.get(pair, 0.0) for pair in zip(rows["hypothesis"], rows["part"], strict=True)],
        rows.index,
    )
    low = rows["coverage"] < nominal - 3 * np.sqrt(nominal * (1 - nominal) / tested)
    assert rows[low].empty, rows[low].to_string()


def test_verdicts_are_wrong_in_at_most_two_and_a_half_percent(table):
    highest = 0.025 + 3 * np.sqrt(0.025 * 0.975 / table["regions"])
    bad = table[table["wrong"] > highest]
    assert bad.empty, bad.to_string()


def record(customers, language="en"):
    effects = {name: from_se(0.4, 0.05, 800) for name in ("performance", "expectation")}
    line = calibration.line("H01", customers)
    return conclude(
        hypothesis("H01"), "example", "North", effects, calibration=line, language=language
    ).record()


def row(scene, part, coverage, wrong=0.0, decided=0.5, regions=60, testable=1.0, customers=3_000):
    same = {"scene": scene, "customers": customers, "hypothesis": "H01", "part": part}
    shares = {"coverage": coverage, "supported": decided, "contradicted": 0.0, "wrong": wrong}
    return same | shares | {"regions": regions, "testable": testable}


def both(scene, performance, expectation, **others):
    pairs = {"performance": performance, "expectation": expectation}
    return [row(scene, part, coverage, **others) for part, coverage in pairs.items()]


@pytest.fixture
def measured(monkeypatch):
    """Return what puts rows in the place of the table."""

    def put(*rows):
        table = pd.DataFrame([each for rows_of_one in rows for each in rows_of_one])
        monkeypatch.setattr(calibration, "table", lambda: table)

    return put


PLANTED = both(calibration.PLANTED, 0.95, 0.9667)
MISLED_TWICE = (
    both("nobody leaves", 0.95, 0.95, wrong=0.05),
    both("the loyal take the card", 0.45, 0.95, decided=0.0),
)


def test_a_card_quotes_the_line_of_the_nearest_size(table):
    rows = table[(table["hypothesis"] == "H01") & (table["scene"] == calibration.PLANTED)]
    row = rows[(rows["customers"] == 1_000) & (rows["part"] == "performance")].iloc[0]
    line = calibration.line("H01", 800)
    assert (line["customers"], line["regions"]) == (1_000, row["regions"])
    assert line["coverage"]["performance"] == row["coverage"]
    assert f"In {row['regions']:,} simulated regions of 1,000 customers" in card.card(record(800))


@pytest.mark.parametrize("key", TESTED)
def test_every_card_says_in_how_many_regions_the_verdict_was_wrong(table, key):
    line = calibration.line(key, 3_000)
    rows = table[(table["hypothesis"] == key) & (table["scene"] != calibration.PLANTED)]
    for each in (line, *line["misled"]):
        assert each["wrong"] + each["open"] <= each["regions"]
        assert each["wrong"] / each["regions"] < each["bound"] <= 1
    worst = line["misled"][0]
    there = rows[rows["scene"] == worst["scene"]].iloc[0]
    assert worst["wrong"] == round(there["wrong"] * there["regions"])
    assert there["wrong"] == rows["wrong"].max()
    assert line["misled"][-1]["coverage"] <= worst["coverage"]


@pytest.mark.parametrize(("wrong", "regions"), [(0, 24), (0, 300), (1, 24), (7, 60)])
def test_the_bound_is_that_of_clopper_and_pearson(wrong, regions):
    """As rare as five in a hundred: so few wrong verdicts, if the bound were the true share."""
    bound = calibration.at_most(wrong, regions)
    assert stats.binom.cdf(wrong, regions, bound) == pytest.approx(0.05)
    if wrong == 0:
        assert bound == pytest.approx(1 - 0.05 ** (1 / regions))


def test_the_bound_of_verdicts_that_were_all_wrong_is_all():
    assert calibration.at_most(5, 5) == 1


def test_regions_that_could_not_be_tested_do_not_count(measured):
    measured(both(calibration.PLANTED, 0.9, 0.9, regions=80, testable=0.85, decided=0.5))
    line = calibration.line("H01", 3_000)
    assert (line["regions"], line["open"]) == (68, 28)
    assert line["bound"] == calibration.at_most(0, 68)
    assert (line["worlds"], line["misled"]) == (0, [])


def test_a_size_that_can_hardly_be_tested_has_no_line(measured):
    small = both(calibration.PLANTED, 1.0, 1.0, testable=0.3, customers=300)
    measured(small, PLANTED)
    assert calibration.line("H01", 300)["customers"] == 3_000
    measured(small)
    assert calibration.line("H01", 300) is None


def test_of_worlds_where_nothing_went_wrong_the_one_of_the_lowest_coverage_is_told(measured):
    measured(PLANTED, both("nobody leaves", 0.95, 0.95), both("no effect", 0.95, 0.45))
    line = calibration.line("H01", 3_000)
    assert [each["scene"] for each in line["misled"]] == ["no effect"]
    assert line["misled"][0]["part"] == "expectation"


def test_the_lowest_coverage_is_told_beside_the_most_wrong_verdicts(measured):
    measured(PLANTED, *MISLED_TWICE)
    worst, lowest = calibration.line("H01", 3_000)["misled"]
    assert (worst["scene"], worst["wrong"], worst["is_short"]) == ("nobody leaves", 3, False)
    assert lowest["scene"] == "the loyal take the card"
    assert (lowest["part"], lowest["coverage"]) == ("performance", 0.45)
    assert (lowest["wrong"], lowest["open"], lowest["is_short"]) == (0, 60, True)


def test_a_coverage_that_chance_explains_is_not_told_beside_another(measured):
    measured(PLANTED, both("nobody leaves", 0.95, 0.95, wrong=0.05), both("no effect", 0.9, 0.95))
    assert [each["scene"] for each in calibration.line("H01", 3_000)["misled"]] == ["nobody leaves"]


def test_the_sentence_of_a_card(measured):
    measured(PLANTED, MISLED_TWICE[1])
    text = wording.calibration(record(3_000))
    assert text == (
        "In 60 simulated regions of 3,000 customers the 95% interval held the truth in "
        "95 to 97%, by part, and the verdict was wrong in 0 of 60 (95% sure: in at most 5%). "
        "In a world made to mislead it (the loyal take the card) it was wrong in 0 of 60 "
        "(at most 5%); the interval held the truth in 45% (slope of performance). There the "
        "interval cannot be trusted; the verdict was left open in 60 of 60."
    )
    assert text in card.card(record(3_000))


def test_the_sentence_where_another_world_has_the_lowest_coverage(measured):
    measured(PLANTED, *MISLED_TWICE)
    text = wording.calibration(record(3_000))
    assert (
        "In the worst of 2 worlds made to mislead it (nobody leaves) it was wrong in 3 of" in text
    )
    assert text.count("cannot be trusted") == 1
    assert "In another (the loyal take the card) it was wrong in 0 of 60" in text


def test_a_card_says_where_one_region_can_hardly_decide(measured):
    said = "one region of 3,000 customers can hardly decide this claim"
    measured(PLANTED)
    assert said not in wording.calibration(record(3_000))
    measured(both(calibration.PLANTED, 0.95, 0.95, decided=0.0))
    assert f"It was left open in all of them: {said}." in wording.calibration(record(3_000))
    assert "很难判定这一论断" in wording.calibration(record(3_000, "zh"))


def test_a_chinese_card_says_it_in_chinese(measured):
    measured(PLANTED, *MISLED_TWICE)
    assert wording.calibration(record(3_000, "zh")) == (
        "在60个各有3,000名客户的模拟地区中，95%置信区间包含真值的比例为95至97%（因部分而异），"
        "60个中有0个结论错误（95%把握：至多5%）。"
        "在2种有意误导的情形中，最差的一种（没有客户离开）里60个地区有3个结论错误（至多13%），"
        "区间包含真值的比例为95%（感知效果的回归系数）。"
        "在另一种情形（办卡的是忠诚客户）里60个地区有0个结论错误（至多5%），"
        "区间包含真值的比例为45%（感知效果的回归系数）。"
        "那里的区间不可信；60个地区中有60个没有下结论。"
    )


def test_every_misleading_world_has_a_chinese_name():
    named = set(wording.words("zh")["scenes"]["names"])
    assert named == {scene.name for scene in SCENES} - {calibration.PLANTED}


def test_a_share_of_nearly_all_is_not_all(measured):
    measured(both(calibration.PLANTED, 0.9967, 1.0, regions=300))
    assert "held the truth in 99 to 100%, by part" in wording.calibration(record(3_000))
    measured(both(calibration.PLANTED, 0.95, 0.95))
    assert "held the truth in 95%, and" in wording.calibration(record(3_000))


def test_what_was_not_rehearsed_has_no_line():
    assert calibration.line("H99", 1_000) is None
    assert wording.calibration({"calibration": None, "language": "en"}) == ""


def test_new_rows_replace_the_old_ones_of_the_same_world():
    old = calibration.table()
    row = old.iloc[[0]].assign(coverage=0.123)
    new = calibration.merged(row)
    assert len(new) == len(old)
    assert (new["coverage"] == 0.123).sum() == 1
