"""Which controls a model can use, how rare categories are merged, and what the reader is told."""

import re
from decimal import Decimal

import nbformat
import numpy as np
import pandas as pd

from analysis.data.sources import ROOT
from analysis.statistics.causal.treatment_effects import independent
from analysis.statistics.regression import controls
from analysis.statistics.regression.models import ols, robust_glm


def test_controls_are_those_that_are_known_and_differ():
    frame = pd.DataFrame({"segment": list("ab") * 10, "tenure": np.arange(20.0)})
    frame = frame.assign(flat=1.0, area=["urban"] * 19 + [None], late=frame["tenure"].shift())
    names = ("segment", "area", "flat", "late", "tenure")
    assert controls.controls(frame, names) == ["C(segment)", "tenure"]
    assert controls.controls(frame.assign(area="urban"), ("area",)) == []


def test_controls_by_which_fewer_than_five_differ_are_left_out():
    n = np.arange(40)
    frame = pd.DataFrame(
        {
            "four": np.where(n < 4, "x", "y"),
            "five": np.where(n < 5, "x", "y"),
            "three_ones": (n < 3).astype(float),
            "five_ones": (n % 8 == 0).astype(float),
            "four_others": np.where(n < 36, 7.0, n),
        }
    )
    assert controls.controls(frame, tuple(frame)) == ["C(five)", "five_ones"]


def test_a_control_that_earlier_ones_determine_is_left_out():
    segment = np.repeat(["private", "fleet", "van"], 10)
    frame = pd.DataFrame({"segment": segment, "x": np.arange(30.0) ** 2})
    frame["business"] = np.where(frame["segment"] == "private", "no", "yes")
    frame["is_van"] = frame["segment"] == "van"
    frame["mixed"] = 3 * frame["x"] - 2 * frame["is_van"] + 1
    names = ("segment", "business", "is_van", "x", "mixed")
    assert controls.controls(frame, names) == ["C(segment)", "x"]
    assert controls.controls(frame, names[::-1]) == ["mixed", "x", "C(business)"]
    fit = ols(" + ".join(["x ~ 1", *controls.controls(frame, names[:3])]), frame)
    assert fit.nobs == 30


def test_controls_are_named_in_words_with_the_reason_for_each_that_is_left_out():
    frame = pd.DataFrame({"segment": list("ab") * 10, "log_tenure": np.arange(20.0)})
    frame = frame.assign(
        area="urban",
        trend=frame["log_tenure"].shift(2),
        business=frame["segment"].map({"a": "no", "b": "yes"}),
        card=[1.0] * 3 + [0.0] * 17,
        tier="unknown",
    )
    names = ("segment", "log_tenure", "area", "trend", "business", "card", "tier", "kind")
    assert controls.controls_in_words(frame, names) == (
        "adjusted for segment and tenure; left out: area (the same for all), "
        "trend of visits before (missing for 2 of 20), business (determined by the others), "
        "card (fewer than 5 differ), class of customer (not recorded), "
        "kind of case (not recorded)"
    )
    assert controls.controls(frame, names) == ["C(segment)", "log_tenure"]
    assert controls.controls_in_words(frame, ("area",)) == "not adjusted: area (the same for all)"
    assert controls.controls_in_words(frame, ()) == "not adjusted for anything"
    three = frame.assign(log_visits=frame["log_tenure"] ** 2)
    said = controls.controls_in_words(three, ("segment", "log_tenure", "log_visits"))
    assert said == "adjusted for segment, tenure and visits before"


def test_controls_in_words_know_what_a_comparison_of_groups_left_out():
    frame = pd.DataFrame({"segment": list("ab") * 10, "log_tenure": np.arange(20.0)})
    covariates = controls.design(frame, ("segment", "log_tenure"))[["segment_b"]]
    assert controls.controls_in_words(frame, ("segment", "log_tenure"), covariates) == (
        "adjusted for segment; left out: tenure (determined by the others in one of the groups)"
    )


def test_a_category_that_no_customer_has_does_not_make_a_control_rare():
    segment = pd.Categorical(list("ab") * 10, categories=["a", "b", "never"])
    assert controls.controls(pd.DataFrame({"segment": segment}), ("segment",)) == ["C(segment)"]


def test_no_usable_control_is_a_table_without_columns():
    frame = pd.DataFrame({"area": ["urban"] * 3, "tenure": [1.0, 2.0, 3.0]})
    assert controls.controls(frame, ("area", "tenure")) == []
    assert controls.design(frame, ("area", "tenure")).shape == (3, 0)
    assert controls.controls(frame.head(0), ("area", "tenure")) == []


def test_rare_categories_join_the_largest_which_says_so():
    frame = pd.DataFrame({"segment": ["a"] * 50 + ["b"] * 30 + ["c"] * 3})
    lumped = controls.without_rare(frame, ("segment",))
    assert lumped["segment"].value_counts().to_dict() == {"a and others": 53, "b": 30}
    assert controls.design(lumped, ("segment",)).columns.tolist() == ["segment_b"]
    again = controls.without_rare(pd.concat([lumped[:51], lumped[-6:]]), ("segment",))
    assert again["segment"].value_counts().to_dict() == {"a and others": 57}
    assert controls.without_rare(lumped, ("segment",)).equals(lumped)


def test_rare_categories_that_are_enough_together_stay_apart_from_the_largest():
    """Segments of North-west: 49 and 55 private, 35 and 27 others, of whom no kind has 10."""
    kinds = ["private", "fleet", "restaurant", "ride_hailing", "van"]
    counts = {0: [49, 6, 10, 10, 9], 1: [55, 7, 5, 9, 6]}
    segment = np.concatenate([np.repeat(kinds, counts[arm]) for arm in (0, 1)])
    arms = pd.Series(np.repeat([0, 1], [84, 82]))
    frame = controls.without_rare(pd.DataFrame({"segment": segment}), ("segment",), arms, 10)
    assert pd.crosstab(arms, frame["segment"]).to_dict() == {
        "others": {0: 35, 1: 27},
        "private": {0: 49, 1: 55},
    }
    assert controls.controls(frame, ("segment",)) == ["C(segment)"]
    covariates = controls.design(frame, ("segment",))
    assert independent(covariates, arms).columns.tolist() == ["segment_private"]


def test_large_categories_are_left_as_they_are():
    segment = pd.Series(np.repeat(["a", "b", "c"], 10)).astype("category")
    frame = pd.DataFrame({"segment": segment})
    assert controls.without_rare(frame, ("segment",), least=10)["segment"].equals(segment)
    few = controls.without_rare(frame[:25], ("segment",), least=10)["segment"]
    assert few.value_counts().to_dict() == {"a and others": 15, "b": 10}


def test_a_control_whose_groups_are_too_small_is_not_called_the_same_for_all():
    frame = pd.DataFrame({"segment": ["a"] * 50 + ["b"] * 3, "kind": ["a"] * 50 + ["b"] * 3})
    merged = controls.without_rare(frame, ("segment",)).assign(area="urban")
    assert controls.controls_in_words(merged, ("segment", "area", "kind")) == (
        "not adjusted: segment (too few in some of its groups to hold apart), "
        "area (the same for all), kind of case (only 3 in its rarest group)"
    )
    nobody = pd.DataFrame({"segment": list("aaabbc")})  # all rare
    said = controls.controls_in_words(controls.without_rare(nobody, ("segment",)), ("segment",))
    assert said == "not adjusted: segment (too few in some of its groups to hold apart)"


def test_weeks_observed_that_the_landmark_determines_are_left_out():
    """Issue 14: 200 ordinary customers, all of whom had joined before the data begin."""
    rng = np.random.default_rng(5)
    week = np.repeat([52, 60, 68], 40)
    frame = pd.DataFrame({"landmark": week.astype(str), "log_weeks": np.log(week)})
    frame["recency"], frame["lapse"] = rng.normal(size=120), rng.integers(0, 2, 120)
    terms = controls.controls(frame, ("landmark", "log_weeks"))
    assert terms == ["C(landmark)"]
    assert robust_glm(" + ".join(["lapse ~ recency", *terms]), frame, family="binomial").converged


def test_the_unit_of_a_control_decides_nothing():
    frame = pd.DataFrame({"segment": list("abcd") * 10, "sales": 1e15 + np.arange(40.0) * 1e13})
    assert controls.controls(frame, ("sales", "segment")) == ["sales", "C(segment)"]


def test_a_control_that_is_somewhere_infinite_is_left_out_with_the_reason():
    frame = pd.DataFrame({"sales": np.arange(40.0), "pace": [np.inf, *range(39)]})
    assert controls.controls(frame, ("sales", "pace")) == ["sales"]
    said = controls.controls_in_words(frame, ("sales", "pace"))
    assert said.endswith("left out: pace (infinite for 1 of 40)")


def test_no_words_of_a_notebook_list_the_controls():
    """What is held equal depends on the columns that a region has: a computed sentence says it."""
    files = [nbformat.read(path, as_version=4) for path in ROOT.glob("notebooks/*/*.ipynb")]
    cells = [cell["source"] for each in files for cell in each.cells if "markdown" in cell.values()]
    assert len(cells) > 200
    listed = r"(segment|area|tenure)[^.]*held equal|held equal[^.]*\b(segment|area|tenure)\b"
    assert not [said for said in cells if re.search(listed, said)]


def test_decimals_are_numbers_to_hold_equal():
    values = np.random.default_rng(0).normal(size=100).round(2)
    frame = pd.DataFrame({"paid": [Decimal(str(each)) for each in values]})
    assert controls.left_out(frame, ["paid"]) == {"paid": ""}
