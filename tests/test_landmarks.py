"""What was known on a day, and what came after it."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from analysis.cohorts import landmark
from analysis.data.region import load_region
from analysis.statistics.estimate import NotEstimable, from_se
from analysis.statistics.value import customer_segments
from simulation import World, draw, rehearsal
from simulation.rehearsal import region_of

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
    assert landmark.customers(here).people["satisfaction"].to_dict() == {"a": 8.5}
    later = here.with_tables(survey=here.survey[here.survey["answered_on"] > "2024-01-01"])
    assert landmark.customers(later).people["satisfaction"].isna().all()


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


def test_traits_take_the_first_purchase_where_joining_is_not_known(write_source):
    files = {"customers": CUSTOMERS.replace("2022-01-01", "").replace("van", "")}
    files |= {"transactions": TRANSACTIONS, "survey": SURVEY}
    here = load_region(str(write_source("as_of = 2024-12-30\n", **files)), "North")
    found = landmark.traits(here)
    assert found["joined_on"].astype(str).to_dict() == {"a": DAYS[0], "b": "2024-06-01"}
    assert found["segment"].to_dict() == {"a": "private", "b": "unknown"}


def test_opinions_are_those_of_the_latest_answers_before_each_day(here):
    days = pd.Series(pd.to_datetime(["2024-02-01", "2024-02-02"]), ["a", "b"])
    found = landmark.opinions(here, days)
    assert found.loc["a", "satisfaction"] == 8.5  # the answers of that very day are not known
    assert found.loc["b"].isna().all()
    later = landmark.opinions(here, days.shift(-1).fillna(days.iloc[1]))
    assert later.loc["a", "satisfaction"] == 1
    assert later["loyalty"].isna().all()


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


def test_what_stages_bring_in_a_month_is_of_a_month():
    """364 days are 11.96 months of 365.25 / 12 days."""
    region = region_of(draw(World(), 1_500, 5))
    people = landmark.customers(region).people
    volumes = people["sales_first"], people["sales_second"], people["tenure_days"]
    stage = customer_segments.lifecycle_stage(*volumes, forming_days=landmark.HALF_YEAR)
    mature = people.loc[stage == "mature", "value_after"].mean() / 364 * 30.4375
    found, _ = rehearsal.run("H15", region)
    assert f"mature CNY {mature:,.0f};" in found.meaning


def test_losses_are_a_share_of_money_not_of_heads():
    """One of 100 customers loses 30 where the others bring 1 each: 30 of 99."""
    values = pd.Series([1.0] * 99 + [-30.0])
    groups = pd.Series(["a"] * 50 + ["b"] * 50)
    assert landmark.share_lost(values) == pytest.approx(30 / 99)
    assert landmark.share_lost(values, groups) == pytest.approx(30 / 49)
    assert landmark.share_lost(values.abs(), groups) == 0
    assert landmark.share_lost(-values.abs()) == np.inf


@pytest.mark.parametrize("key", ["H14", "H16", "H19"])
def test_a_claim_on_margin_is_capped_where_losses_taken_as_0_are_much_of_the_money(key):
    """Eight customers, the largest, are sold to far below cost: few heads, much money."""
    tables = draw(World(), 1500, 3)
    lines = tables["transactions"]
    largest = lines.groupby("customer_id")["amount"].sum().nlargest(8).index
    below = np.where(lines["customer_id"].isin(largest), 3 * lines["amount"], lines["cost"])
    found, _ = rehearsal.run(key, region_of({**tables, "transactions": lines.assign(cost=below)}))
    (check,) = (each for each in found.checks if "losses, taken as 0" in each.name)
    assert not check.passed
    assert found.verdict == "inconclusive"
