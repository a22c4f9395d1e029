import re

import pytest

from analysis.claims import checks, wording
from analysis.claims.finding import conclude
from analysis.claims.hypotheses import hypothesis
from analysis.statistics.estimate import Estimate, from_se
from sample_findings import ADVISORY, BLOCKING, each_verdict, loss_against_gain, performance

ASSOCIATION = " This is an association: it says what goes with what, not what brings it about."


@pytest.mark.parametrize(
    ("value", "show", "expected"),
    [
        (0.21, "number", "+0.21"),
        (-0.214, "number", "−0.21"),
        (0.0213, "number", "+0.021"),
        (28.44, "number", "+28.4"),
        (2840.4, "number", "+2,840"),
        (-0.00001, "number", "0.0000"),
        (0, "number", "0.00"),
        (1.12, "ratio", "1.12"),
        (1.12, "percent", "+12%"),
        (0.974, "percent", "−2.6%"),
        (0.642, "share", "64.2%"),
        (0.031, "points", "+3.1 pp"),
        (None, "number", "∞"),
        (float("-inf"), "number", "−∞"),
    ],
)
def test_format_value(value, show, expected):
    assert wording.format_value(value, show) == expected


def test_both_languages_say_the_same_things():
    def keys(words):
        for key, value in words.items():
            if isinstance(value, dict):
                yield from ((key, *rest) for rest in keys(value))
            else:
                yield (key, frozenset(re.findall(r"{(\w+)}", value)))

    assert set(keys(wording.words("en"))) == set(keys(wording.words("zh")))


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        (
            "supported",
            "Slope below expectation less slope above: +0.30 residual standard deviations "
            "of the opinion per point "
            "(95% interval +0.20 to +0.40); the whole interval meets the claim of at least +0.15.",
        ),
        (
            "contradicted",
            "Slope below expectation less slope above: −0.40 residual standard deviations "
            "of the opinion per point "
            "(95% interval −0.50 to −0.30); "
            "the effect goes the other way than the claim of at least +0.15.",
        ),
        (
            "too small to matter",
            "Slope below expectation less slope above: +0.01 residual standard deviations "
            "of the opinion per point "
            "(95% interval −0.09 to +0.11); "
            "all of it lies within −0.15 to +0.15, which is too small to matter.",
        ),
        (
            "inconclusive",
            "Slope below expectation less slope above: +0.10 residual standard deviations "
            "of the opinion per point "
            "(95% interval −0.29 to +0.49), against a claim of at least +0.15: "
            "the data fit both a yes and a no. This is not a “no”; more data would narrow it.",
        ),
        ("not testable", "This region’s data cannot answer it: Reason <not testable>."),
        (
            "failed",
            "The computation broke, and no earlier result is shown instead: Reason <failed>.",
        ),
    ],
)
def test_sentence_of_each_verdict(verdict, said):
    note = "" if verdict in ("not testable", "failed") else ASSOCIATION
    assert wording.sentence(each_verdict()[verdict]) == said + note


@pytest.mark.parametrize(("key", "says_so"), [("H03", True), ("H04", False), ("H15", False)])
def test_an_association_says_so_also_where_a_check_failed(key, says_so):
    known = hypothesis(key)
    estimates = {part.key: from_se(0.2, 0.01, 900, scale=part.scale) for part in known.parts}
    for failed in ((), (BLOCKING,)):
        record = conclude(known, "s", "r", estimates, checks=failed).record()
        assert wording.sentence(record).endswith(ASSOCIATION) == says_so
        chinese = wording.sentence(record | {"language": "zh"})
        assert ("相关关系，而非因果关系" in chinese) == says_so


@pytest.mark.parametrize(
    ("key", "n", "en", "zh"),
    [
        ("H03", 1840, "n = 1,840 customers", "n = 1,840位客户"),
        ("H08", 1234, "n = 1,234 cases", "n = 1,234件投诉"),
        ("H05", 12, "n = 12 stations", "n = 12个站点"),
    ],
)
def test_n_says_what_it_counts(key, n, en, zh):
    known = hypothesis(key)
    for language, said in (("en", en), ("zh", zh)):
        estimates = {p.key: from_se(0.2, 0.1, n, scale=p.scale) for p in known.parts}
        record = conclude(known, "s", "r", estimates, language=language).record()
        assert said in [wording.count(part, language) for part in record["parts"]]


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        ("supported", "整个区间都满足论断（至少+0.15）。"),
        ("contradicted", "效应的方向与论断（至少+0.15）相反。"),
        ("too small to matter", "整个区间都在−0.15至+0.15之内，影响过小，可以忽略。"),
        ("inconclusive", "论断为至少+0.15：数据与成立和不成立都相符。"),
        ("not testable", "本地区的数据无法回答：Reason <not testable>."),
        ("failed", "计算出错，也不以旧结果代替：Reason <failed>."),
    ],
)
def test_chinese_sentence_of_each_verdict(verdict, said):
    assert said in wording.sentence(each_verdict("zh")[verdict])


def test_inconclusive_says_when_only_the_size_is_open():
    clear = wording.sentence(loss_against_gain(0.20, 0.05).record())
    assert clear.startswith("The direction is clear (above 0), only the size is not.")
    below = conclude(
        hypothesis("H07"), "s", "r", {"price_sensitivity": from_se(-0.06, 0.02, 900)}
    ).record()
    assert "(below 0)" in wording.sentence(below)
    assert "direction" not in wording.sentence(each_verdict()["inconclusive"])


def test_failed_blocking_check_is_named_and_stands_before_the_estimate():
    record = loss_against_gain(0.30, 0.05, BLOCKING, ADVISORY).record()
    assert record["verdict"] == "inconclusive"
    said = wording.sentence(record)
    failed = "No conclusion, because a check failed: Overlap (0.01; needed: at least 0.05). "
    assert said.startswith(failed)
    assert "No handful decides" not in said


def test_contradicted_without_going_the_other_way():
    share = {"top20_share": from_se(0.6, 0.02, 900, scale="logit")}
    share["a_share"] = from_se(0.2, 0.02, 900, scale="logit")
    record = conclude(hypothesis("H12"), "s", "r", share).record()
    assert "the whole interval misses the claim of 70% to 90%" in wording.sentence(record)


def test_of_several_parts_the_deciding_one_is_told():
    large, none, wide = from_se(0.3, 0.04, 900), from_se(0.0, 0.02, 900), from_se(-0.13, 0.05, 900)
    fallen = performance(large, none).record()
    assert wording.deciding_part(fallen)["key"] == "expectation"
    assert wording.sentence(fallen).startswith(
        "Of the claim’s 2 parts this one decides. Slope of expectation: "
    )
    still_open = wording.sentence(performance(large, wide).record())
    assert still_open.startswith("Of the claim’s 2 parts this one is open (1 supported). ")
    both = wording.sentence(performance(from_se(0.13, 0.05, 900), wide).record())
    assert both.startswith(
        "Of the claim’s 2 parts 2 are open (0 supported); this is the first of them. "
    )
    twice = wording.sentence(performance(none, none).record())
    assert twice.startswith("Of the claim’s 2 parts 2 decide; this is the first of them. ")
    held = wording.sentence(performance(large, from_se(-0.3, 0.04, 900)).record())
    assert held.startswith("Every part of the claim holds (2 of 2). Slope of performance: ")


def test_narrow_miss_of_a_claim_with_several_parts():
    near = from_se(-0.05, 0.0245, 10_000)
    record = performance(from_se(0.3, 0.04, 900), from_se(-0.05, 0.0245, 10_000)).record()
    assert near.ci_low > -0.1
    assert near.at_level(0.975).ci_low < -0.1
    assert record["verdict"] == "inconclusive"
    assert "too narrowly to reject a claim with 2 parts" in wording.sentence(record)


def test_claims_in_words():
    parts = {each.key: each for each in hypothesis("H19").parts}
    effects = {"hazard_ratio": from_se(0.7, 0.05, 900, scale="log")}
    effects |= {"retention": from_se(0.1, 0.01, 9), "margin": from_se(0.1, 0.01, 9)}
    record = conclude(hypothesis("H19"), "s", "r", effects).record()
    assert parts["hazard_ratio"].claim.low == 0
    assert [wording.claim_range(part) for part in record["parts"]] == [
        "at most 0.9",
        "at least +3 pp",
        "at least +5%",
    ]
    assert wording.interval(record["parts"][1]) == "+10.0 pp [+8.0, +12.0]"


VISITS = {
    "retention": from_se(0.1, 0.02, 346),
    "visits_a": Estimate(2.735772, 2.499803, 2.994016, 346, "log"),
    "visits_b": Estimate(2.0, 1.8, 2.2, 346, "log"),
    "visits_c": Estimate(1.0, 0.9, 1.1, 346, "log"),
}


def test_an_end_that_misses_the_claim_is_not_printed_as_if_it_met_it():
    part = conclude(hypothesis("H20"), "s", "r", VISITS).record()["parts"][1]
    assert part["verdict"] == "inconclusive"
    assert wording.interval(part) == "2.7358 [2.4998, 2.9940]"
    assert wording.claim_range(part) == "2.5 to 3.5"


@pytest.mark.parametrize(
    ("low", "printed"),
    [(0.0199, "[+0.0199, "), (0.0203, "[+0.0203, "), (0.02, "[+0.02, "), (0.03, "[+0.03, ")],
)
def test_ends_near_a_claim_are_told_from_it(low, printed):
    """The claim is +0.02 or more; what is equal to it is printed as equal."""
    effects = {"odds_ratio": from_se(2.0, 0.1, 900, scale="log")}
    effects["auc_gain"] = Estimate(0.15, low, 0.28, 900)
    part = conclude(hypothesis("H17"), "s", "r", effects).record()["parts"][1]
    assert printed in wording.interval(part)


@pytest.mark.parametrize("share", [0.0501, 0.05001, 0.0499, 0.0499999, 0.05, 0.2, 0.051])
def test_a_share_lies_on_its_side_of_the_rule_as_it_is_printed(share):
    for check, holds in (
        (checks.at_most("x", share, 0.05), lambda printed: printed <= 5),
        (checks.at_least_share("x", share, 0.05), lambda printed: printed >= 5),
    ):
        assert holds(float(check.value.removesuffix("%"))) == check.passed


@pytest.mark.parametrize("p_value", [0.0099, 0.00996, 0.01, 0.0104])
def test_a_p_value_lies_on_its_side_of_the_rule_as_it_is_printed(p_value):
    check = checks.not_by_chance("x", p_value)
    assert (float(check.value.removeprefix("p = ")) >= 0.01) == check.passed


@pytest.mark.parametrize("value", [0.2, 0.5])
def test_what_is_far_from_the_rule_keeps_its_digits(value):
    assert checks.at_most("x", value, 0.05).value == f"{value:.1%}"


def test_a_headline_is_in_a_managers_unit_and_scaled_once():
    record = loss_against_gain(0.30, 0.05).record()
    record["parts"][0]["plain"] = {"unit": "points of satisfaction, of 10", "times": 2.0}
    said = wording.sentence(record)
    assert "+0.60 points of satisfaction, of 10 (95% interval +0.40 to +0.80)" in said
    assert "the claim of at least +0.3" in said
    once = wording.in_plain_unit(record["parts"][0])
    assert wording.in_plain_unit(once)["estimate"] == pytest.approx(0.6)
