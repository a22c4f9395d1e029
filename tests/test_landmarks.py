"""What was known on a day, and what came after it."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from analysis.cohorts import landmark
from analysis.data.region import load_region
from analysis.statistics.causal.treatment_effects import independent
from analysis.statistics.estimate import NotEstimable, from_se
from analysis.statistics.regression.models import ols, robust_glm

DAYS = ["2023-06-15", "2023-11-01", "2023-12-30", "2024-01-02", "2024-06-20", "2024-12-20"]
CUSTOMERS = """customer_id,region,segment,area,joined_on,card_since
a,North,private,urban,2022-01-01,
b,North,van,suburban,2024-06-01,
"""
TRANSACTIONS = "customer_id,bought_at,product,quantity,amount,cost\n" + "".join(
    f"a,{day},{'shop' if i == 0 else 'fuel'},1,{10 * (i + 1)},{9 * (i + 1)}\n"
    for i, day in enumerate(DAYS)
)
SURVEY = """customer_id,answered_on,satisfaction_1,satisfaction_2,satisfaction_3
a,2023-12-20,8,9,
a,2024-02-01,1,1,1
"""


@pytest.fixture
def here(write_source):
    files = {"customers": CUSTOMERS, "transactions": TRANSACTIONS, "survey": SURVEY}
    return load_region(str(write_source("as_of = 2024-12-30\n", **files)), "North")


def test_the_landmark_is_a_year_of_weeks_before_the_end(here):
    assert landmark.landmark(here) == dt.date(2024, 1, 1)


def test_past_and_future_do_not_mix(here):
    found = landmark.table(here, landmark.landmark(here))
    assert found.index.tolist() == ["a"]  # b had not joined
    a = found.loc["a"]
    assert (a["visits_before"], a["sales_before"], a["value_before"]) == (3, 60.0, 6.0)
    assert (a["visits_half"], a["visits_after"], a["value_after"]) == (2, 3, 15.0)
    assert (a["sales_first"], a["sales_second"]) == (0.0, 50.0)
    assert (a["active"], a["beyond_before"], a["retained"]) == (True, True, 1.0)
    assert a["log_fuel"] == pytest.approx(np.log(50 / 25 + 0.001))
    assert a["tenure_days"] == 730


def test_satisfaction_is_that_of_the_last_answers_before(here):
    found = landmark.satisfaction(here, dt.date(2024, 1, 1))
    assert found.to_dict() == {"a": 8.5}
    assert landmark.satisfaction(here, dt.date(2024, 1, 1), days=5).empty


def test_groups_of_satisfaction_at_their_edges():
    found = landmark.satisfaction_groups(pd.Series([5.99, 6, 7.5, 8.99, 9, 10]))
    assert found.astype(str).tolist() == [
        "under 6",
        "6 to 7.5",
        "7.5 to 9",
        "7.5 to 9",
        "9 or more",
        "9 or more",
    ]


def test_ratios_of_two_groups_are_ratios_of_means():
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"group": ["9 or more"] * 40 + ["under 6"] * 60})
    frame["visits"] = rng.poisson(np.where(frame["group"] == "under 6", 5, 10))
    _, ratios = landmark.top_box_ratios(frame, "visits", [])
    means = frame.groupby("group")["visits"].mean()
    expected = means["9 or more"] / means["under 6"]
    assert ratios["all others"].estimate == pytest.approx(expected)
    assert ratios["under 6"].estimate == pytest.approx(expected)
    assert ratios["under 6"].df == 39


def test_share_of_mean_covers_the_truth():
    rng, reps, n = np.random.default_rng(11), 400, 300
    means = {"x": 1.0, "y": 2.0, "z": 4.0}
    truth = (4 - 1) / np.mean(list(means.values()))
    covered = 0
    for _ in range(reps):
        group = np.tile(list(means), n // 3)
        outcome = rng.gamma(2, [means[each] / 2 for each in group])
        frame = pd.DataFrame({"group": group, "outcome": outcome})
        found = landmark.share_of_mean(frame, "outcome", "group", "z", "x")
        covered += found.ci_low <= truth <= found.ci_high
    assert covered / reps == pytest.approx(0.95, abs=3 * np.sqrt(0.95 * 0.05 / reps))


def test_share_of_mean_does_not_depend_on_the_currency():
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"group": ["a", "b"] * 50, "cny": rng.gamma(1, 100, 100)})
    frame["eur"] = frame["cny"] / 8
    in_cny = landmark.share_of_mean(frame, "cny", "group", "a", "b")
    in_eur = landmark.share_of_mean(frame, "eur", "group", "a", "b")
    assert in_cny.estimate == pytest.approx(in_eur.estimate)
    assert in_cny.ci_low == pytest.approx(in_eur.ci_low)


def test_relative_scales_effect_and_interval():
    found = landmark.relative(from_se(10.0, 2.0, 50), 100.0)
    assert (found.estimate, found.se) == pytest.approx((0.10, 0.02))


def test_controls_are_those_that_are_known_and_differ():
    frame = pd.DataFrame({"segment": list("ab") * 10, "tenure": np.arange(20.0)})
    frame = frame.assign(flat=1.0, area=["urban"] * 19 + [None], late=frame["tenure"].shift())
    names = ("segment", "area", "flat", "late", "tenure")
    assert landmark.controls(frame, names) == ["C(segment)", "tenure"]
    assert landmark.controls(frame.assign(area="urban"), ("area",)) == []


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
    assert landmark.controls(frame, tuple(frame)) == ["C(five)", "five_ones"]


def test_a_control_that_earlier_ones_determine_is_left_out():
    segment = np.repeat(["private", "fleet", "van"], 10)
    frame = pd.DataFrame({"segment": segment, "x": np.arange(30.0) ** 2})
    frame["business"] = np.where(frame["segment"] == "private", "no", "yes")
    frame["is_van"] = frame["segment"] == "van"
    frame["mixed"] = 3 * frame["x"] - 2 * frame["is_van"] + 1
    names = ("segment", "business", "is_van", "x", "mixed")
    assert landmark.controls(frame, names) == ["C(segment)", "x"]
    assert landmark.controls(frame, names[::-1]) == ["mixed", "x", "C(business)"]
    fit = ols(" + ".join(["x ~ 1", *landmark.controls(frame, names[:3])]), frame)
    assert fit.n_obs == 30


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
    assert landmark.controls_in_words(frame, names) == (
        "adjusted for segment and tenure; left out: area (the same for all), "
        "trend of visits before (missing for 2 of 20), business (determined by the others), "
        "card (fewer than 5 differ), class of customer (not recorded), "
        "kind of case (not recorded)"
    )
    assert landmark.controls(frame, names) == ["C(segment)", "log_tenure"]
    assert landmark.controls_in_words(frame, ("area",)) == "not adjusted: area (the same for all)"
    assert landmark.controls_in_words(frame, ()) == "not adjusted for anything"
    three = frame.assign(log_visits=frame["log_tenure"] ** 2)
    said = landmark.controls_in_words(three, ("segment", "log_tenure", "log_visits"))
    assert said == "adjusted for segment, tenure and visits before"


def test_controls_in_words_know_what_a_comparison_of_groups_left_out():
    frame = pd.DataFrame({"segment": list("ab") * 10, "log_tenure": np.arange(20.0)})
    covariates = landmark.design(frame, ("segment", "log_tenure"))[["segment_b"]]
    assert landmark.controls_in_words(frame, ("segment", "log_tenure"), covariates) == (
        "adjusted for segment; left out: tenure (determined by the others in one of the groups)"
    )


def test_a_category_that_no_customer_has_does_not_make_a_control_rare():
    segment = pd.Categorical(list("ab") * 10, categories=["a", "b", "never"])
    assert landmark.controls(pd.DataFrame({"segment": segment}), ("segment",)) == ["C(segment)"]


def test_no_usable_control_is_a_table_without_columns():
    frame = pd.DataFrame({"area": ["urban"] * 3, "tenure": [1.0, 2.0, 3.0]})
    assert landmark.controls(frame, ("area", "tenure")) == []
    assert landmark.design(frame, ("area", "tenure")).shape == (3, 0)
    assert landmark.controls(frame.head(0), ("area", "tenure")) == []


def test_traits_take_the_first_purchase_where_joining_is_not_known(write_source):
    files = {"customers": CUSTOMERS.replace("2022-01-01", "").replace("van", "")}
    files |= {"transactions": TRANSACTIONS, "survey": SURVEY}
    here = load_region(str(write_source("as_of = 2024-12-30\n", **files)), "North")
    found = landmark.traits(here)
    assert found["joined_on"].astype(str).to_dict() == {"a": DAYS[0], "b": "2024-06-01"}
    assert found["segment"].to_dict() == {"a": "private", "b": "unknown"}


def test_rare_categories_join_the_largest_which_says_so():
    frame = pd.DataFrame({"segment": ["a"] * 50 + ["b"] * 30 + ["c"] * 3})
    lumped = landmark.without_rare(frame, ("segment",))
    assert lumped["segment"].value_counts().to_dict() == {"a and others": 53, "b": 30}
    assert landmark.design(lumped, ("segment",)).columns.tolist() == ["segment_b"]
    again = landmark.without_rare(pd.concat([lumped[:51], lumped[-6:]]), ("segment",))
    assert again["segment"].value_counts().to_dict() == {"a and others": 57}
    assert landmark.without_rare(lumped, ("segment",)).equals(lumped)


def test_rare_categories_that_are_enough_together_stay_apart_from_the_largest():
    """Segments of North-west: 49 and 55 private, 35 and 27 others, of whom no kind has 10."""
    kinds = ["private", "fleet", "restaurant", "ride_hailing", "van"]
    counts = {0: [49, 6, 10, 10, 9], 1: [55, 7, 5, 9, 6]}
    segment = np.concatenate([np.repeat(kinds, counts[arm]) for arm in (0, 1)])
    arms = pd.Series(np.repeat([0, 1], [84, 82]))
    frame = landmark.without_rare(pd.DataFrame({"segment": segment}), ("segment",), arms, 10)
    assert pd.crosstab(arms, frame["segment"]).to_dict() == {
        "others": {0: 35, 1: 27},
        "private": {0: 49, 1: 55},
    }
    assert landmark.controls(frame, ("segment",)) == ["C(segment)"]
    covariates = landmark.design(frame, ("segment",))
    assert independent(covariates, arms).columns.tolist() == ["segment_private"]


def test_large_categories_are_left_as_they_are():
    segment = pd.Series(np.repeat(["a", "b", "c"], 10)).astype("category")
    frame = pd.DataFrame({"segment": segment})
    assert landmark.without_rare(frame, ("segment",), least=10)["segment"].equals(segment)
    few = landmark.without_rare(frame[:25], ("segment",), least=10)["segment"]
    assert few.value_counts().to_dict() == {"a and others": 15, "b": 10}


def test_a_control_whose_groups_are_too_small_is_not_called_the_same_for_all():
    frame = pd.DataFrame({"segment": ["a"] * 50 + ["b"] * 3, "kind": ["a"] * 50 + ["b"] * 3})
    merged = landmark.without_rare(frame, ("segment",)).assign(area="urban")
    assert landmark.controls_in_words(merged, ("segment", "area", "kind")) == (
        "not adjusted: segment (too few in some of its groups to hold apart), "
        "area (the same for all), kind of case (only 3 in its rarest group)"
    )
    nobody = pd.DataFrame({"segment": list("aaabbc")})  # all rare
    said = landmark.controls_in_words(landmark.without_rare(nobody, ("segment",)), ("segment",))
    assert said == "not adjusted: segment (too few in some of its groups to hold apart)"


def test_opinions_are_those_of_the_latest_answers_before_each_day(here):
    days = pd.Series(pd.to_datetime(["2024-02-01", "2024-02-02"]), ["a", "b"])
    found = landmark.opinions(here, days)
    assert found.loc["a", "satisfaction"] == 8.5  # the answers of that very day are not known
    assert found.loc["b"].isna().all()
    later = landmark.opinions(here, days.shift(-1).fillna(days.iloc[1]))
    assert later.loc["a", "satisfaction"] == 1
    assert later["loyalty"].isna().all()


def test_weeks_observed_that_the_landmark_determines_are_left_out():
    """Issue 14: 200 ordinary customers, all of whom had joined before the data begin."""
    rng = np.random.default_rng(5)
    week = np.repeat([52, 60, 68], 40)
    frame = pd.DataFrame({"landmark": week.astype(str), "log_weeks": np.log(week)})
    frame["recency"], frame["lapse"] = rng.normal(size=120), rng.integers(0, 2, 120)
    terms = landmark.controls(frame, ("landmark", "log_weeks"))
    assert terms == ["C(landmark)"]
    assert robust_glm(" + ".join(["lapse ~ recency", *terms]), frame, family="binomial").converged


def test_the_unit_of_a_control_decides_nothing():
    frame = pd.DataFrame({"segment": list("abcd") * 10, "sales": 1e15 + np.arange(40.0) * 1e13})
    assert landmark.controls(frame, ("sales", "segment")) == ["sales", "C(segment)"]


def test_a_group_without_a_visit_gives_no_ratio_but_its_number():
    """Issue 14: a ratio of 5.6e10."""
    frame = pd.DataFrame({"group": ["9 or more"] * 40 + ["under 6"] * 60, "visits": 3.0})
    frame["visits"] += np.arange(100) % 4
    frame.loc[frame["group"] == "under 6", "visits"] = 0.0
    with pytest.raises(NotEstimable, match=r'Of 60 rows .*under 6.*, 0 have "visits" above 0'):
        landmark.top_box_ratios(frame, "visits", [])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"group": ["a"] * 100}, "0 customers are b; 2 are needed"),
        ({"group": ["b"] * 99 + ["a"]}, "1 customer is a; 2 are needed"),
        ({"cny": 0.0}, "The mean of 100 customers is 0, of which no share is"),
        ({"cny": 5.0}, '"y" is 1 in all 100 rows'),
        ({"cny": np.nan}, "0 customers are a; 2 are needed"),
    ],
)
def test_shares_of_a_mean_that_there_is_not_are_refused(change, sentence):
    frame = pd.DataFrame({"group": ["a", "b"] * 50, "cny": np.arange(100.0)}).assign(**change)
    with pytest.raises(NotEstimable, match=sentence):
        landmark.share_of_mean(frame, "cny", "group", "a", "b")


def test_groups_with_two_events_give_no_ratio():
    """A ratio of 877 [210, 3667] to groups with two visitors."""
    frame = pd.DataFrame({"group": ["9 or more"] * 40 + ["under 6"] * 60, "visits": 0.0})
    frame.loc[:39, "visits"] = 3.0 + np.arange(40) % 4
    frame.loc[[50, 60], "visits"] = 1.0
    with pytest.raises(NotEstimable, match=r'Events among the rows without "top": 2; .* 3 in each'):
        landmark.top_box_ratios(frame, "visits", [])


def test_customers_without_a_group_are_no_others():
    frame = pd.DataFrame({"group": ["9 or more"] * 40 + ["under 6"] * 60, "visits": 2.0})
    frame["visits"] += np.arange(100) % 4
    unknown = pd.DataFrame({"group": [None, np.nan] * 20, "visits": 50.0})
    _, expected = landmark.top_box_ratios(frame, "visits", [])
    fit, found = landmark.top_box_ratios(
        pd.concat([frame, unknown], ignore_index=True), "visits", []
    )
    assert found == expected
    assert fit.n_obs == 100


@pytest.mark.parametrize(("group", "number"), [("under 6", 0), ("9 or more", 100)])
def test_ratios_need_the_most_satisfied_and_others(group, number):
    frame = pd.DataFrame({"group": [group] * 100, "visits": np.arange(100.0)})
    with pytest.raises(NotEstimable, match=f"{number} of 100 customers .* 2 others are needed"):
        landmark.top_box_ratios(frame, "visits", [])


def test_groups_without_any_spread_tell_no_error_of_a_share():
    """Issue: -0.6 [-0.6, -0.6]."""
    frame = pd.DataFrame({"group": list("abc") * 20, "cny": [10.0, 20.0, 20.0] * 20})
    with pytest.raises(NotEstimable, match="60 rows give no standard error"):
        landmark.share_of_mean(frame, "cny", "group", "a", "b")


def test_shares_of_a_mean_take_decimals():
    frame = pd.DataFrame({"group": ["a", "b"] * 50, "cny": np.arange(100.0)})
    decimals = frame.assign(cny=frame["cny"].map(Decimal))
    expected = landmark.share_of_mean(frame, "cny", "group", "a", "b")
    assert landmark.share_of_mean(decimals, "cny", "group", "a", "b") == expected


def test_a_control_that_is_somewhere_infinite_is_left_out_with_the_reason():
    frame = pd.DataFrame({"sales": np.arange(40.0), "pace": [np.inf, *range(39)]})
    assert landmark.controls(frame, ("sales", "pace")) == ["sales"]
    said = landmark.controls_in_words(frame, ("sales", "pace"))
    assert said.endswith("left out: pace (infinite for 1 of 40)")
