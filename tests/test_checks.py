"""Checks: each with a case that passes, one that does not, and what is said."""

import math
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.claims import checks
from analysis.claims import claim as claims
from analysis.claims.claim import Claim
from analysis.claims.hypotheses import Hypothesis, Part, Range
from analysis.statistics.estimate import Estimate, NotEstimable
from simulation import rehearsal
from simulation.drawing.tables import draw
from simulation.rehearsal import region_of
from simulation.world import World

TEXT = {"en": "x", "zh": "x"}


def told(check):
    return check.passed, check.rule, check.value


# --- what keeps a model from being fitted


def test_a_model_needs_rows_in_which_everything_is_known():
    frame = pd.DataFrame({"log_sales": np.arange(60.0), "told": [0, 1] * 30})
    assert checks.lacking(frame, ["log_sales", "told"]) == []
    frame.loc[:10, "told"] = np.nan
    assert checks.lacking(frame, ["log_sales", "told"]) == [
        "Customers with a value for all of sales before (log), told: 49; 50 are needed."
    ]
    assert checks.lacking(frame, ["log_sales", "told"], 49, "cases") == []


def test_a_model_needs_columns_that_differ():
    frame = pd.DataFrame({"x_1": [3.0] * 60, "area": ["urban"] * 60, "y": np.arange(60)})
    assert checks.lacking(frame, ["x_1", "y", "area"], what="cases") == [
        "All 60 cases have the same x 1.",
        "All 60 cases have the same area.",
    ]
    times = checks.times_enough
    assert times(checks.lacking(frame.head(20), ["y"])) == 2.5  # of 50
    assert times(checks.lacking(frame.head(0), ["y"])) is None
    assert times([*checks.lacking(frame.head(20), ["y"]), "Nothing was recorded."]) is None
    assert times([]) is None
    assert checks.lacking(frame.head(0), ["y"]) == [
        "Customers with a value for all of y: 0; 50 are needed."
    ]


@given(st.integers(0, 120), st.integers(1, 100))
def test_lacking_counts_rows(n, least):
    frame = pd.DataFrame({"y": np.arange(n, dtype=float)})
    found = checks.lacking(frame, ["y"], least)
    assert (found == []) == (n >= max(least, 2))


def test_small_cells_are_named():
    cells = pd.DataFrame({"online": [40, 9], "on_site": [0, 10]}, index=["urban", "sub_urban"])
    assert checks.too_small(cells, 10) == [
        "Customers who are urban and on site: 0; 10 are needed.",
        "Customers who are sub urban and online: 9; 10 are needed.",
    ]
    assert checks.too_small(cells + 10, 10) == []


def test_both_arms_need_customers():
    counts = pd.Series({1.0: 9, 0.0: 1200})
    assert checks.few_in_arm(counts, "explained") == [
        "Customers explained: 9; not explained: 1,200; 10 of each are needed."
    ]
    assert checks.few_in_arm(counts, "explained", 9) == []
    assert checks.few_in_arm(pd.Series({1.0: 50}), "explained") == [
        "Customers explained: 50; not explained: 0; 10 of each are needed."
    ]
    assert len(checks.few_in_arm(pd.Series(dtype=int), "explained")) == 1


def test_what_is_counted_and_who_was_not_treated_are_named():
    """Customers who never complained are not those whose case was settled late."""
    counts = pd.Series({1.0: 9, 0.0: 30})
    assert checks.few_in_arm(counts, "explained", others="not told", who="complaints") == [
        "Complaints explained: 9; not told: 30; 10 of each are needed."
    ]
    treated, stayed = pd.Series([1, 1, 0, 0]), pd.Series([1, 0, 1, 1])
    assert checks.few_ends(treated, stayed, "settled", 1, "without a complaint") == [
        "Customers who are without a complaint and lost: 0; 1 are needed."
    ]


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("H10", r"Customers settled within three days: \d+; without a complaint: \d+; 20 of each"),
        (
            "H18",
            r"Rows \(a customer on a landmark\) lost after a gap of four weeks: \d+; not lost:",
        ),
        ("H16", r"Customers who are buyers beyond fuel and lost: 1; 5 are needed. .* of fuel only"),
    ],
)
def test_a_small_region_says_who_are_too_few(key, said):
    size = 60 if key == "H16" else 300
    found, _ = rehearsal.run(key, region_of(draw(World(), size, 5)))
    assert found.verdict == "not testable"
    assert re.match(said, found.reason)


def test_customers_who_bought_for_nothing_are_not_said_to_have_stayed_away():
    tables = draw(World(), 60, 1)
    free = tables["transactions"].assign(amount=0.0)
    found, _ = rehearsal.run("H12", region_of({**tables, "transactions": free}))
    assert found.reason == "Fewer than 2 customers have sales above 0 in the last year."


def test_the_strongest_recorded_cause_is_named_as_the_reader_knows_it():
    """The caveat of the card named the columns log_visits, log_pace and trend."""
    found, _ = rehearsal.run("H19", region_of(draw(World(), 800, 11)))
    said = found.caveats[0]
    assert "(the strongest recorded: visits before and sales a week before and trend of" in said
    assert "_" not in said


def test_a_claim_ends_where_the_data_lack_what_it_needs():
    taken = claims.claim("H01", region_of(draw(World(), 60, 1)))
    taken.require([])
    with pytest.raises(NotEstimable, match="7 customers answered"):
        taken.require(["7 customers answered.", "50 are needed."])
    assert taken.not_testable("7 customers answered.").reason == "7 customers answered."


def test_a_claim_ends_where_it_is_taken_if_columns_have_no_values():
    here = region_of(draw(World(), 60, 1), ("survey.expectation",))
    with pytest.raises(NotEstimable, match="'survey' has no values in expectation"):
        claims.claim("H01", here)


# --- thresholds


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        (checks.at_least("n", 100, 100), (True, "at least 100", "100")),
        (checks.at_least("n", 1999, 2000), (False, "at least 2,000", "1,999")),
        (checks.at_least_share("s", 0.1, 0.1), (True, "at least 10%", "10.0%")),
        (checks.at_least_share("s", 0.099, 0.1), (False, "at least 10%", "9.9%")),
        (checks.at_least_share("s", np.nan, 0.1), (False, "at least 10%", "nan%")),
        (checks.at_most("s", 0.05, 0.05), (True, "at most 5%", "5.0%")),
        (checks.at_most("s", 0.051, 0.05), (False, "at most 5%", "5.1%")),
        (checks.not_more("days", 14, 14), (True, "at most 14", "14")),
        (checks.not_more("days", 1_500, 1_000), (False, "at most 1,000", "1,500")),
        (checks.not_by_chance("p", 0.01), (True, "p at least 1%", "p = 0.010")),
        (checks.not_by_chance("p", 0.004), (False, "p at least 1%", "p = 0.004")),
        (checks.not_by_chance("p", 0.03, 0.05), (False, "p at least 5%", "p = 0.030")),
        (checks.holds("so", np.bool_(True)), (True, "yes", "yes")),
        (checks.holds("so", 0), (False, "yes", "no")),
        (checks.converged(False), (False, "yes", "no")),
    ],
)
def test_a_check_says_its_rule_and_its_value(check, expected):
    assert told(check) == expected
    assert check.blocking


def test_a_fact_that_is_shown_blocks_nothing():
    assert not checks.shown("weakest link", "the first").blocking


def test_the_largest_customer_decides_nothing_in_his_group():
    values = pd.Series([15.0, *[5.0] * 17, 0, 0])
    assert told(checks.nobody_decides(values))[::2] == (False, "15.0%")
    groups = pd.Series(["a"] * 18 + ["b"] * 2)
    assert told(checks.nobody_decides(values, groups))[::2] == (False, "100.0%")
    assert told(checks.nobody_decides(values, groups.replace("b", "a")))[::2] == (True, "15.0%")


# --- collinear drivers


@given(st.floats(0, 0.99))
def test_two_drivers_inflate_by_their_correlation(r):
    first, second = np.tile([1.0, 1, -1, -1], 5), np.tile([1.0, -1, 1, -1], 5)
    frame = pd.DataFrame({"a": first, "b": r * first + np.sqrt(1 - r**2) * second})
    found, inflation = checks.not_collinear(frame, ["a", "b"]), 1 / (1 - r**2)
    assert float(found.value) == pytest.approx(inflation, abs=0.051)
    if abs(inflation - 10) > 1e-6:
        assert found.passed == (inflation <= 10)


@pytest.mark.parametrize(
    "driver", [lambda f: f["a"] + f["b"] - 2 * f["c"], lambda f: 3.0, lambda f: -f["b"]]
)
def test_drivers_that_determine_each_other_are_collinear(driver):
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(100, 3)), columns=list("abc"))
    assert checks.not_collinear(frame, list("abc")).passed
    for names in (list("abcd"), list("dabc")):
        found = checks.not_collinear(frame.assign(d=driver(frame)), names)
        assert told(found) == (False, "at most 10", "collinear")


# --- verdicts that hang on something


def claimed(*keys):
    """Return a claim that each effect is 0.1 or more."""
    claim, band = Range(0.1, math.inf), Range(-0.1, 0.1)
    parts = tuple(Part(key, TEXT, TEXT, "number", "identity", 0.0, claim, band) for key in keys)
    return Claim(Hypothesis("H99", TEXT, TEXT, (), "", (), 0, parts), None)


def interval(low, high):
    return Estimate((low + high) / 2, low, high, 100)


CLEAR, OPEN, SMALL = interval(0.2, 0.4), interval(0.05, 0.4), interval(-0.05, 0.05)


@pytest.mark.parametrize(
    ("found", "variants", "passed", "value"),
    [
        (CLEAR, [interval(0.11, 0.3)], True, "the same"),
        (CLEAR, [OPEN], False, "supported would be inconclusive"),
        (CLEAR, [CLEAR, SMALL], False, "supported would be too small to matter"),
        (SMALL, [interval(-0.4, -0.2)], False, "too small to matter would be contradicted"),
        (OPEN, [CLEAR], True, "open either way"),
        (interval(-0.3, -0.2), [interval(-0.5, -0.4)], True, "the same"),
    ],
)
def test_a_verdict_must_not_hang_on_what_is_not_known(found, variants, passed, value):
    variants = [{"effect": each} for each in variants]
    check = checks.same_verdict(claimed("effect"), {"effect": found}, "otherwise", variants)
    assert told(check) == (passed, "the same verdict", value)
    assert check.name == "otherwise"


def test_where_nothing_could_be_varied_nothing_is_known():
    check = checks.same_verdict(claimed("effect"), {"effect": CLEAR}, "otherwise", [])
    assert (check.value, check.blocking) == ("not known", False)


def test_a_cause_of_half_the_strength_counts_too():
    band = Part("effect", TEXT, TEXT, "number", "identity", 0.0, Range(5, 8), None)
    claim = Claim(Hypothesis("H99", TEXT, TEXT, (), "", (), 0, (band,)), None)
    below, above = interval(3, 4), interval(9, 10)  # both miss the band; what lies between does not
    check = checks.same_verdict(claim, {"effect": below}, "hidden", [{"effect": above}])
    assert told(check) == (False, "the same verdict", "contradicted would be inconclusive")


def test_variants_replace_only_the_parts_they_name():
    found = {"first": CLEAR, "second": CLEAR}
    claim = claimed("first", "second")
    check = checks.same_verdict(claim, found, "x", [{"second": CLEAR}, {"first": OPEN}])
    assert check.variants == (found, {"first": OPEN, "second": CLEAR})
    assert checks.same_verdict(claim, found, "x", [{"second": CLEAR}]).passed
    assert not checks.same_verdict(claim, found, "x", [{"second": OPEN}]).passed


def test_nobody_of_one_kind_is_said_not_dropped():
    treated, stayed = pd.Series([1, 1, 1, 0, 0, 0]), pd.Series([1, 1, 1, 1, 1, 1])
    assert checks.few_ends(treated, stayed, "with a card", 3) == [
        "Customers who are with a card and lost: 0; 3 are needed.",
        "Customers who are not with a card and lost: 0; 3 are needed.",
    ]
    assert checks.few_ends(treated, pd.Series([1, 1, 0, 1, 0, 0]), "with a card", 1) == []


def test_answers_that_are_two_or_mirrors_can_not_be_told_apart():
    frame = pd.DataFrame({"org_benefit": range(1, 11), "personal_benefit": range(10, 0, -1)})
    assert checks.few_answers(frame, list(frame)) == []
    assert checks.few_answers(frame % 2, ["org_benefit"]) == [
        "There are fewer than 3 different answers on benefit of the organisation."
    ]
    (said,) = checks.same_answers(frame, "org_benefit", "personal_benefit")
    assert said == "Benefit of the organisation and personal benefit can't be told apart."
    frame["personal_benefit"] = [1, 9, 2, 8, 3, 7, 4, 6, 5, 5]
    assert checks.same_answers(frame, "org_benefit", "personal_benefit") == []


def test_a_margin_of_nothing_is_said():
    assert checks.nothing_in(pd.Series([0.0, -1.0]), "margin") == ["Nobody has margin above 0."]
    assert checks.nothing_in(pd.Series([0.0, 1.0]), "margin") == []


def test_one_customer_who_told_thousands_does_not_decide_how_many_are_told():
    """Of counts with a tail like a log-normal of SD 2 intervals miss the truth 17 times in 100."""
    tables = draw(World(), 900, 3)
    answers = tables["survey"]
    told = answers["told_others"].where(
        answers["customer_id"] != answers["customer_id"].iloc[-1], 5000
    )
    found, _ = rehearsal.run(
        "H06", region_of({**tables, "survey": answers.assign(told_others=told)})
    )
    (check,) = (each for each in found.checks if "largest customer" in each.name)
    assert not check.passed
    assert found.verdict == "inconclusive"
