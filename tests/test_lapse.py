"""Who is lost: limits and silences worked out by hand, plain loops, and planted leavers."""

import dataclasses
import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.cohorts import churn, purchases
from simulation import World, draw, simulate
from simulation.rehearsal import END, region_of
from simulation.world import N_WEEKS

properties = settings(max_examples=25)
START = pd.Timestamp("2024-07-02")
LENGTH = (pd.Timestamp(END) - START).days  # 727
HALF = (START + pd.Timedelta(days=182)).date()
WEEKLY = range(0, LENGTH + 1, 7)


def small(bought, **columns):
    """Return a region whose customers bought on these days after the first one."""
    lines = pd.DataFrame(
        [(who, START + pd.Timedelta(days=day, hours=9)) for who in bought for day in bought[who]],
        columns=["customer_id", "bought_at"],
    )
    people = pd.DataFrame({"customer_id": list(bought), "region": "Example", "joined_on": START})
    people = people.assign(segment="private", area="urban")
    return region_of(
        {"customers": people, "transactions": lines.assign(**{"amount": 10.0} | columns)}
    )


def on(*days):
    """Return these days after the first one as moments."""
    return [START + pd.Timedelta(days=day) for day in days]


# --- how long a silence is long


def rhythm(here, day=182, factor=churn.FACTOR):
    """Return the rhythm of a region's customers on one day for all."""
    ids = here.customers["customer_id"].tolist()
    return churn.limits(here, pd.Series(on(day)[0], pd.Index(ids)), factor)


def test_the_usual_gap_is_the_half_year_over_its_days_with_a_purchase():
    here = small({"a": [0, 1, 91, 182, 183], "b": [1, 1, *range(2, 15)], "never": []})
    found = rhythm(here)
    assert found["visits"].tolist() == [3, 14, 0]  # two lines of a day are one visit
    assert found["gap_days"].tolist() == pytest.approx([182 / 3, 13, 182])
    assert found["limit_days"].tolist() == [182, 130, 182]
    assert rhythm(here, 183)["visits"].tolist() == [3, 13, 0]


def test_limits_stop_at_eight_and_at_twenty_six_weeks():
    gaps = {"daily": 1, "short": 5, "seven": 7, "thirteen": 13, "long": 20, "monthly": 26}
    here = small({who: range(182, 0, -gap) for who, gap in gaps.items()})
    limits = rhythm(here)["limit_days"].to_dict()
    expected = {"daily": 56, "short": 56, "seven": 70, "thirteen": 130, "long": 182, "monthly": 182}
    assert limits == pytest.approx(expected)
    assert rhythm(here, factor=5).loc["thirteen", "limit_days"] == 65


def test_of_a_new_customer_counts_the_time_since_he_joined():
    """But four weeks at least: of two purchases in two days nothing can be told."""
    days = {"old": range(1, 183, 14), "new": range(122, 183, 6), "newest": [180, 181, 182]}
    here = small(days | {"first": [0]})
    people = here.customers.set_index("customer_id")
    people.loc[["new", "newest"], "joined_on"] = on(122, 180)
    here = here.with_tables(customers=people.reset_index())
    gaps = rhythm(here)["gap_days"]
    assert gaps[["old", "new", "newest"]].tolist() == pytest.approx([14, 61 / 11, 28 / 3])


def test_nothing_after_the_day_is_in_the_rhythm():
    """Whoever comes back after a long silence gets no longer limit for it than who stays away."""
    own = range(0, 183, 7)
    here = small({"back": [*own, *range(400, 700, 30)], "gone": own, "more": [*own, *WEEKLY[27:]]})
    found = rhythm(here)
    assert found["visits"].tolist() == [26, 26, 26]
    assert found["limit_days"].tolist() == [70, 70, 70]


# --- who is lost, and when


def test_spells_by_hand():
    """Weekly buyers have a limit of 70 days, whatever they did later."""
    here = small(
        {
            "stays": WEEKLY,
            "leaves": range(0, 295, 7),
            "returns": [*range(0, 295, 7), *range(401, 717, 7)],
            "pauses": [*range(0, 295, 7), *range(357, LENGTH, 7)],
            "on the day": range(0, 183, 7),
            "before": range(0, 176, 7),
            "once more": [*range(1, 177, 7), 183],
        }
    )
    found = churn.spells(here, HALF)
    assert sorted(found.index) == ["leaves", "once more", "pauses", "returns", "stays"]
    assert (found["from_day"] == 182).all()
    assert found["lost"].to_dict() == {
        "leaves": 1, "once more": 1, "pauses": 0, "returns": 1, "stays": 0
    }  # fmt: skip
    assert found.index[found["returned"]].tolist() == ["returns"]
    assert found.loc[["leaves", "returns", "once more"], "to_day"].tolist() == [294, 294, 183]
    assert found.loc["stays", "to_day"] == LENGTH - 70
    assert (found["limit_days"] == 70).all()


def test_a_silence_as_long_as_the_limit_is_not_longer():
    last = LENGTH - 70
    days = {"at": range(last % 7, last + 1, 7), "over": range((last - 1) % 7, last, 7)}
    found = churn.spells(small(days | {"first": [0]}), HALF)
    assert found.loc["at"].tolist() == [182, last, 0, False, 70]
    assert found.loc["over"].tolist() == [182, last - 1, 1, False, 70]


def test_a_silence_within_is_as_long_as_the_limit_or_longer():
    own = range(7, 183, 7)
    days = {"at": [*own, 252, 322], "over": [*own, 200, 271, 341], "none": [200, 382]}
    found = churn.spells(small(days | {"first": [0]}), HALF)
    assert found["limit_days"].to_dict() == {"at": 70, "over": 70, "none": 182}
    assert found["to_day"].to_dict() == {"at": 322, "over": 200, "none": 382}
    assert found["returned"].to_dict() == {"at": False, "over": True, "none": False}


def test_who_cannot_be_lost_any_more_is_not_followed():
    """After the last day less his limit, nobody can be seen to fall silent for so long."""
    here = small({"weekly": WEEKLY, "monthly": range(0, LENGTH, 30), "first": [0]})
    late = (START + pd.Timedelta(days=600)).date()
    assert churn.spells(here, late).index.tolist() == ["weekly"]
    assert churn.spells(here, (START + pd.Timedelta(days=657)).date()).empty


def test_each_customer_is_followed_from_a_day_of_his_own():
    """Gap and limit are those of the half year before it; only silences after it count."""
    days = [*range(0, 50), *range(203, 400, 7)]  # silent from day 49 to day 203
    here = small({"a": days, "b": days, "c": days, "d": days})
    since = pd.Series(on(40, 210, 300), pd.Index(["a", "b", "c"]))
    found = churn.spells(here, pd.concat([since, pd.Series(on(0), ["unknown"])]))
    assert found["from_day"].to_dict() == {"a": 40, "b": 210, "c": 300}
    limits = {"a": 56, "b": 10 * 182 / 23, "c": 10 * 182 / 14}
    assert found["limit_days"].to_dict() == pytest.approx(limits)
    assert found["to_day"].tolist() == [49, 399, 399]
    assert found["lost"].tolist() == [1, 1, 1]
    assert found["returned"].tolist() == [True, False, False]
    assert churn.spells(here, since.mask(since == on(40)[0])).index.tolist() == ["b", "c"]


def test_who_is_silent_on_the_day_is_not_followed_because_he_came_back():
    """Who is as silent and stays away is not; to follow those who come back is to look ahead."""
    here = small({"a": [*range(0, 148, 7), *range(400, 716, 7)], "b": range(0, 148, 7)})
    assert rhythm(here).loc["a", "limit_days"] < 400 - 147
    assert churn.spells(here, HALF).empty


def test_lines_of_nothing_are_visits():
    """A line without sales is a day on which he came."""
    days = range(0, 295, 7)
    here = small({"a": days}, amount=[10.0] * 20 + [0.0] * (len(days) - 20))
    found = churn.spells(here, HALF)
    assert found.loc["a", ["to_day", "lost"]].tolist() == [294, 1]
    assert rhythm(here, 294).loc["a", "visits"] == 26


def test_nobody_after_the_day_is_a_table_without_rows():
    found = churn.spells(small({"a": range(0, 100, 7), "b": [3, 9]}), HALF)
    assert found.shape == (0, 5)
    nobody = pd.Series([], pd.Index([], name="customer_id", dtype=str), dtype="datetime64[us]")
    assert churn.spells(small({"a": WEEKLY}), nobody).empty


# --- customers of the first half year, and other rules

COHORT = {
    "a": WEEKLY,
    "b": range(0, 295, 7),
    "c": [*range(0, 295, 7), *range(401, 717, 7)],
    "d": [2, 32, 62, 92, 200, 230],
    "e": [1, 31, 61, 91, 200, 230],  # not in the 91 days that end on day 182
    "f": range(200, 700, 7),
}


def test_the_customers_of_the_first_half_year_by_hand():
    found = churn.cohort(small(COHORT))
    assert found.index.tolist() == ["a", "b", "c", "d"]
    assert found["days"].tolist() == [657 - 182, 294 - 182, 294 - 182, 230 - 182]
    assert found["lost"].tolist() == [0, 1, 1, 1]
    assert found["returned"].tolist() == [False, False, True, False]
    assert found["tier"].tolist() == ["A", "A", "B", "C"]  # sales 270, 270, 270, 40 (and 40)
    assert found[["segment", "area"]].drop_duplicates().to_numpy().tolist() == [
        ["private", "urban"]
    ]


def test_other_rules_by_hand():
    """A factor of 16 gives the weekly buyers, of whom one paused for 107 days, a limit of 112."""
    here = small(COHORT)
    found = churn.rules(here, churn.cohort(here)).drop(6)
    assert found.index.tolist() == [4, 10, 16]
    assert found["customers"].tolist() == [4, 4, 4]
    assert found["limit_days"].tolist() == [56, 70, 112]
    assert found["lost"].tolist() == [0.75, 0.75, 0.5]
    assert found["returned"].tolist() == pytest.approx([1 / 3, 1 / 3, 0])


def test_a_single_customer_is_a_cohort():
    here = small({"a": range(0, 295, 7)})
    assert churn.cohort(here)["days"].to_dict() == {"a": 294 - 182}
    assert churn.rules(here, churn.cohort(here))["lost"].loc[churn.FACTOR] == 1


# --- stations that closed, and days on which nobody came


def test_closed_stations_by_hand():
    """A weekly station may be silent for 70 days, a daily one or one of a single day for 28."""
    days = {
        "open": WEEKLY,
        "weekly 70": range(LENGTH % 7, LENGTH - 69, 7),
        "weekly 71": range((LENGTH - 71) % 7, LENGTH - 70, 7),
        "daily 28": range(500, LENGTH - 27),
        "daily 29": range(500, LENGTH - 28),
        "single 28": [LENGTH - 28],
        "single 29": [LENGTH - 29],
    }
    station = [name for name, own in days.items() for _ in own]
    found = churn.closed(small(days, station_id=station))
    assert found.index.tolist() == ["daily 29", "single 29", "weekly 71"]
    assert found["silent_from"].tolist() == on(LENGTH - 29, LENGTH - 29, LENGTH - 71)
    assert found["silent_days"].tolist() == [29, 29, 71]
    assert found["customers"].tolist() == [1, 1, 1]


def test_a_station_that_was_shut_for_a_while_is_found():
    """Of its customers those wait who bought nowhere meanwhile; one left long before."""
    shut = [*range(0, 301), *range(345, LENGTH + 1)]
    days = {"elsewhere": [*shut, 310, 320], "left": range(0, 200), "waits": shut, "too": shut[5:]}
    names = ["S2" if 300 < day < 345 else "S1" for each in days.values() for day in each]
    here = small(days, station_id=names)
    found = churn.closed(here).loc["S1"]
    assert found.tolist() == [*on(300), 45, 2]


def test_a_station_with_a_new_name_has_not_closed():
    """All go on buying at the same place, which is called otherwise from day 400 on."""
    days = {"a": WEEKLY, "b": range(3, LENGTH, 14), "c": range(0, 300)}
    names = ["old" if day < 400 else "new" for each in days.values() for day in each]
    found = churn.closed(small(days, station_id=names))
    assert found["customers"].to_dict() == {"old": 0}


def test_without_stations_none_is_closed():
    assert churn.closed(small({"a": [0, 1, 2]})).empty


def test_the_longest_pause_is_that_of_all_customers_together():
    """Days without any purchase, those at the end of the data among them."""
    end = LENGTH
    here = small({"a": [end - 30, end - 30, end - 27, end - 9], "b": [end - 20, end - 18, end]})
    assert churn.longest_pause(here) == 8
    assert churn.longest_pause(small({"a": [end], "b": [end]})) == 0
    assert churn.longest_pause(small({"a": [end - 40]})) == 40


# --- plain loops over random days


@st.composite
def days_and_own_day(draw):
    """Draw the days of six customers, and for each a day of his own on which he bought."""
    one = st.lists(st.integers(0, LENGTH), min_size=1, max_size=30, unique=True).map(sorted)
    bought = {who: draw(one) for who in "abcdef"}
    first_half = {who: own[: len(own) // 2 + 1] for who, own in bought.items()}
    return bought, {who: draw(st.sampled_from(own)) for who, own in first_half.items()}


def plainly(days, own_day, limit):
    """Walk through a customer's days to the first silence that is too long: to_day, lost, back."""
    after = [day for day in days if day >= own_day]
    for day, following in zip(after, [*after[1:], LENGTH], strict=True):
        if following - day > limit:
            return day, 1, day < after[-1]
    return LENGTH - limit, 0, False


def plain_limit(days, own_day, factor, first):
    """Return how long a silence is long, from the days of the half year up to an own day.

    The data begin on the day `first`; no customer is new.
    """
    visits = sum(own_day - 182 < day <= own_day for day in days)
    seen = min(max(own_day - first + 1, 28), 182)
    return min(max(factor * seen / visits, 56), 182)


def followed(here, own_day, factor):
    """Return the customers followed, each from a day of his own; days count from `START`."""
    since = pd.Series({who: on(day)[0] for who, day in own_day.items()})
    found = churn.spells(here, since, factor)
    found[["from_day", "to_day"]] += (pd.Timestamp(here.start) - START).days
    return found


@properties
@given(days_and_own_day(), st.sampled_from([2, 4, 10]))
def test_spells_are_those_of_a_plain_loop(drawn, factor):
    bought, own_day = drawn
    here = small(bought)
    found = followed(here, own_day, factor)
    first = min(map(min, bought.values()))
    limits = {who: plain_limit(bought[who], own_day[who], factor, first) for who in bought}
    for who in bought:
        to_day, lost, back = plainly(bought[who], own_day[who], limits[who])
        assert (who in found.index) == (to_day > own_day[who])
        if who in found.index:
            expected = [own_day[who], to_day, lost, back, limits[who]]
            assert found.loc[who].tolist() == pytest.approx(expected)


@properties
@given(days_and_own_day())
def test_every_spell_has_a_length_and_ends_lost_or_within_the_limit_of_the_end(drawn):
    bought, own_day = drawn
    found = followed(small(bought), own_day, 10)
    lost, seen = found["lost"] == 1, LENGTH - found["limit_days"]
    assert (found["from_day"] < found["to_day"]).all()
    assert found["lost"].isin([0, 1]).all()
    assert not found.loc[~lost, "returned"].any()
    assert (found["to_day"] <= seen + 1e-9).all()
    assert found.loc[~lost, "to_day"].tolist() == pytest.approx(seen[~lost].tolist())


@settings(properties, max_examples=15)
@given(days_and_own_day(), st.floats(1, 5), st.floats(1, 4))
def test_a_longer_limit_loses_nobody_else_of_those_followed_with_both(drawn, factor, times):
    bought, own_day = drawn
    here = small(bought)
    short, long = (followed(here, own_day, each) for each in (factor, factor * times))
    both = short.add_suffix("_short").join(long.add_suffix("_long"), how="inner")
    assert (both["lost_long"] <= both["lost_short"]).all()
    later = both[both["lost_long"] == 1]
    assert (later["to_day_long"] >= later["to_day_short"]).all()
    for who in set(long.index) - set(short.index):  # silent from the very day on, then back
        limit = plain_limit(bought[who], own_day[who], factor, min(map(min, bought.values())))
        found = plainly(bought[who], own_day[who], limit)
        assert found == (own_day[who], 1, True)


def test_a_longer_limit_may_lose_more_as_it_follows_more():
    """To the short limit he was lost on the day already, to the long one he leaves later."""
    here = small({"a": [*range(0, 183, 7), *range(245, 400, 7)], "b": WEEKLY})
    assert churn.spells(here, HALF, 4).index.tolist() == ["b"]
    assert churn.spells(here, HALF, 10)["lost"].to_dict() == {"a": 1, "b": 0}


# --- leavers who were planted


@pytest.fixture(scope="module")
def planted():
    """Customers followed from half a year on, with the week in which they truly leave."""
    world, n_customers, seed = World(), 3_000, 2
    here = region_of(draw(world, n_customers, seed))
    people = simulate(world, n_customers, seed).people
    people.index = [f"X{number:05d}" for number in range(1, n_customers + 1)]
    return here, churn.cohort(here).join(people["lapse"])


def test_nearly_all_who_leave_are_lost_and_hardly_any_who_stay(planted):
    _, found = planted
    leave, stay = found[found["lapse"] < 80], found[found["lapse"] == N_WEEKS]
    assert len(leave) > 200
    assert len(stay) > 1_000
    assert leave["lost"].mean() > 0.98
    assert stay["lost"].mean() < 0.025
    assert 0.03 < found.loc[found["lost"] == 1, "returned"].mean() < 0.1


def test_the_day_found_is_that_of_a_purchase_before_the_week_of_leaving(planted):
    here, found = planted
    lost = found[(found["lost"] == 1) & (found["lapse"] < 80)]
    early = 7 * lost["lapse"] - (lost["days"] + 182)
    assert early.min() >= 1
    assert early.median() < 42  # visits fade for half a year before
    gone = lost[~lost["returned"]]
    bought = purchases.per_customer(here, here.start, here.end)["last_on"].reindex(gone.index)
    assert (bought - pd.Timestamp(here.start)).dt.days.tolist() == (gone["days"] + 182).tolist()


def test_rules_trade_false_alarms_against_leavers_not_yet_seen(planted):
    found = churn.rules(*planted)
    assert (np.diff(found["returned"]) < 0).all()
    assert (np.diff(found["lost"]) < 0).all()
    assert (np.diff(found["limit_days"]) >= 0).all()
    assert found.loc[churn.FACTOR, "lost"] == pytest.approx(planted[1]["lost"].mean())


def test_a_station_of_the_example_is_closed_once_it_sells_nothing(planted):
    here = planted[0]
    assert churn.closed(here).empty
    rows = here.purchases
    gone = (rows["station_id"] == "S03") & (rows["bought_at"] >= dt.date(2026, 3, 1))
    assert churn.closed(dataclasses.replace(here, purchases=rows.filter(~gone))).index.tolist() == [
        "S03"
    ]
