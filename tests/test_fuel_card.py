"""Time with and without a card: histories worked out by hand, and a card that does nothing."""

import dataclasses
import functools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import fuel_card, landmarks, lapse
from analysis.example import TRUTHS, World, draw
from analysis.example.rehearsal import END, region_of
from analysis.example.sample import large_draw
from analysis.survival import cox

START = pd.Timestamp("2024-07-02")
LENGTH = (pd.Timestamp(END) - START).days  # 727
WEEKLY = range(0, LENGTH + 1, 7)  # with a limit of 70 days
UNTIL_420 = range(0, 421, 7)


def small(bought, cards=(), joined=()):
    """Return a region of customers with the days on which they bought, took a card and joined."""
    lines = pd.DataFrame(
        [(who, START + pd.Timedelta(days=day, hours=9)) for who in bought for day in bought[who]],
        columns=["customer_id", "bought_at"],
    )
    people = pd.DataFrame({"customer_id": list(bought), "region": "Example"}).assign(
        segment="private",
        area="urban",
        card_since=on(dict(cards).get(who) for who in bought),
        joined_on=on(dict(joined).get(who, 0) for who in bought),
    )
    return region_of({"customers": people, "transactions": lines.assign(amount=10.0)})


def on(days):
    """Return days after the first one as moments; none for None."""
    return [pd.NaT if day is None else START + pd.Timedelta(days=day) for day in days]


def rows_of(here):
    """Return each customer's rows: from_day, to_day, lost, card, ever."""
    found = fuel_card.histories(here).set_index("customer_id")
    found = found[["from_day", "to_day", "lost", "card", "ever"]]
    return {who: found.loc[[who]].to_numpy().tolist() for who in found.index.unique()}


# --- a card splits the time followed


def test_a_card_splits_the_time_of_who_leaves():
    """All of them are followed from day 182 to the last purchase on day 420."""
    cards = {"none": None, "before": 100, "on entry": 182, "a day later": 183, "during": 300}
    cards |= {"a day before": 419, "on the last": 420, "after": 500}
    found = rows_of(small(dict.fromkeys(cards, UNTIL_420) | {"weekly": WEEKLY}, cards))
    assert found.pop("weekly") == [[182, LENGTH - 70, 0, 0, 0]]
    assert found == {
        "none": [[182, 420, 1, 0, 0]],
        "before": [[182, 420, 1, 1, 1]],
        "on entry": [[182, 420, 1, 1, 1]],
        "a day later": [[182, 183, 0, 0, 1], [183, 420, 1, 1, 1]],
        "during": [[182, 300, 0, 0, 1], [300, 420, 1, 1, 1]],
        "a day before": [[182, 419, 0, 0, 1], [419, 420, 1, 1, 1]],
        "on the last": [[182, 420, 1, 0, 0]],
        "after": [[182, 420, 1, 0, 0]],
    }


def test_a_card_splits_the_time_of_who_stays():
    cards = {"during": 300, "on the last": LENGTH - 70, "after": LENGTH - 69}
    found = rows_of(small(dict.fromkeys(cards, WEEKLY), cards))
    assert found == {
        "during": [[182, 300, 0, 0, 1], [300, LENGTH - 70, 0, 1, 1]],
        "on the last": [[182, LENGTH - 70, 0, 0, 0]],
        "after": [[182, LENGTH - 70, 0, 0, 0]],
    }


def test_a_card_dated_before_joining_counts_from_joining_on():
    here = small(
        {"a": WEEKLY, "b": WEEKLY, "c": WEEKLY, "d": WEEKLY},
        {"a": -30, "b": -30, "c": 50},
        {"b": -100, "c": 49},
    )
    assert fuel_card.since(here).dropna().to_dict() == dict(
        zip("abc", on([0, -30, 50]), strict=True)
    )
    assert fuel_card.misdated(here) == pytest.approx(1 / 3)
    assert rows_of(here)["a"] == [[182, LENGTH - 70, 0, 1, 1]]


def test_where_joining_is_not_known_the_card_is_taken_as_dated():
    here = small({"a": WEEKLY, "b": WEEKLY}, {"a": 300}, {"a": None, "b": None})
    assert fuel_card.since(here).dropna().tolist() == on([300])
    assert fuel_card.misdated(here) == 0
    assert rows_of(here)["a"] == [[182, 300, 0, 0, 1], [300, LENGTH - 70, 0, 1, 1]]


def test_who_holds_a_card_on_a_day():
    here = small({"a": [0], "b": [0], "c": [0]}, {"a": 100, "b": 101})
    assert fuel_card.holders(here, on([100])[0].date()).to_dict() == {"a": 1, "b": 0, "c": 0}
    assert fuel_card.misdated(small({"a": [0]})) == 0


# --- who is followed, and what is known of them


def test_newcomers_are_followed_after_a_half_year_of_their_own():
    here = small(
        {"old": WEEKLY, "new": range(100, 500, 7), "late": range(600, LENGTH, 7)},
        {"new": 281},
        {"old": -100, "new": 100, "late": 600},
    )
    assert rows_of(here) == {"new": [[282, 499, 1, 1, 1]], "old": [[182, LENGTH - 70, 0, 0, 0]]}
    found = fuel_card.histories(here).set_index("customer_id")
    years = np.array([182, 282]) / 365.25
    assert found["log_tenure"].to_dict() == pytest.approx(
        dict(zip(["new", "old"], np.log1p(years), strict=True))
    )
    assert found["log_visits"].tolist() == pytest.approx([np.log1p(26)] * 2)
    assert found[["segment", "area"]].to_numpy().tolist() == [["private", "urban"]] * 2


def test_only_those_who_bought_in_the_quarter_before_are_followed():
    """The quarter before day 182 has days 91 to 181."""
    later = [200, 230, 260]
    here = small({"in": [0, 31, 61, 91, *later], "out": [0, 30, 60, 90, *later], "w": WEEKLY})
    assert list(rows_of(here)) == ["in", "w"]


def test_purchases_on_the_day_or_later_are_not_what_was_known_before():
    once, more = [*range(0, 182, 7)], [*range(0, 182, 7), *range(182, 420)]
    found = fuel_card.histories(small({"a": [*once, 182, 189, 250], "b": more}))
    assert found["log_visits"].nunique() == 1
    assert found["log_pace"].to_numpy() == pytest.approx(np.log(1.001))


def test_nobody_followed_is_a_table_without_rows():
    found = fuel_card.histories(small({"a": range(0, 100, 7), "b": [0, 300]}, {"a": 50}))
    assert found.empty
    assert {"customer_id", "from_day", "to_day", "lost", "card", "ever"} <= set(found)


def test_a_single_customer_has_a_history():
    assert rows_of(small({"a": UNTIL_420}, {"a": 300}))["a"][1] == [300, 420, 1, 1, 1]


def test_customers_of_a_landmark_by_hand():
    """The landmark is day 363, its quarter began on day 273, and half a year later is day 545."""
    day, before = landmarks.landmark(small({"a": WEEKLY})), range(0, 364, 3)
    bought = {
        "always": range(0, LENGTH + 1, 3),
        "till then": before,
        "next day": [*before, 364],
        "half a year later": [*before, 545],
        "too late": [*before, 546],
        "not active": [*range(0, 273, 3), 364],
        "half a year": range(181, LENGTH, 3),
        "newcomer": range(182, LENGTH, 3),
    }
    cards = {"always": 363, "till then": 364, "next day": -9, "newcomer": 200}
    here = small(bought, cards, {"half a year": 181, "newcomer": 182})
    found = fuel_card.at_landmark(here, day)
    kept = {"always": 1, "half a year": 1, "half a year later": 1, "next day": 1}
    assert found["kept_half"].to_dict() == kept | {"till then": 0, "too late": 0}
    assert found.index[found["card"] == 1].tolist() == ["always", "next day"]


@functools.cache
def five():
    return small({"a": WEEKLY, "b": UNTIL_420, "c": range(0, 300, 7), "d": WEEKLY, "e": UNTIL_420})


@settings(deadline=None, max_examples=25, derandomize=True)
@given(st.lists(st.none() | st.integers(-100, 800), min_size=5, max_size=5))
def test_time_with_a_card_is_the_time_followed_from_the_card_on(cards):
    people = five().customers.assign(card_since=pd.Series(on(cards), dtype="datetime64[us]"))
    found = fuel_card.histories(dataclasses.replace(five(), customers=people))
    to_day = {"a": 657, "b": 420, "c": 294, "d": 657, "e": 420}
    days = (found["to_day"] - found["from_day"]).groupby(found["customer_id"])
    assert days.min().gt(0).all()
    assert days.sum().to_dict() == {who: last - 182 for who, last in to_day.items()}
    with_card = found[found["card"] == 1].set_index("customer_id")
    with_card = (with_card["to_day"] - with_card["from_day"]).to_dict()
    for card, (who, last) in zip(cards, to_day.items(), strict=True):
        day = last if card is None else card
        assert with_card.get(who, 0) == max(last - max(day, 182), 0)
    assert found.groupby("customer_id")["lost"].sum().tolist() == [0, 1, 1, 0, 1]


# --- regions that are drawn


@pytest.fixture(scope="module")
def drawn():
    here = region_of(draw(World(), 3_000, 2))
    return here, fuel_card.histories(here)


def test_rows_add_up_to_the_time_followed(drawn):
    here, found = drawn
    joined = landmarks.traits(here)["joined_on"].dropna().clip(lower=pd.Timestamp(here.start))
    spells = lapse.spells(here, joined + pd.Timedelta(days=landmarks.HALF_YEAR))
    by_customer = found.groupby("customer_id")
    spells = spells.reindex(by_customer.size().index)
    total = (found["to_day"] - found["from_day"]).groupby(found["customer_id"]).sum()
    assert total.to_numpy() == pytest.approx((spells["to_day"] - spells["from_day"]).to_numpy())
    assert by_customer["from_day"].min().tolist() == spells["from_day"].tolist()
    assert by_customer["lost"].sum().tolist() == spells["lost"].tolist()
    assert by_customer["lost"].last().tolist() == spells["lost"].tolist()
    assert by_customer.ngroups > 1_500


def test_two_rows_of_a_customer_meet_on_the_day_of_his_card(drawn):
    here, found = drawn
    since = (fuel_card.since(here) - pd.Timestamp(here.start)).dt.days
    changes = found[found.groupby("customer_id")["card"].transform("size") == 2]
    first, second = (changes[changes["card"] == card].set_index("customer_id") for card in (0, 1))
    assert len(first) == len(second) > 150
    assert first["to_day"].tolist() == second["from_day"].tolist()
    assert first["to_day"].tolist() == since.reindex(first.index).tolist()
    assert found["customer_id"].value_counts().max() == 2
    has_card = since.reindex(found["customer_id"]).to_numpy() <= found["from_day"]
    assert found["card"].tolist() == has_card.astype(float).tolist()


def hazard(rows, card="card"):
    """Fit hazard ratios of being lost, at equal traits."""
    terms = [card, *landmarks.controls(rows, fuel_card.TRAITS)]
    return cox(" + ".join(terms), rows, "from_day", "to_day", "lost")


def test_a_card_that_does_nothing_does_nothing_unless_it_counts_from_the_start():
    """Whoever takes a card later has stayed until then: that time is not the card's."""
    world = World(card_log_hazard=0, affinity_log_hazard=0)
    found = fuel_card.histories(region_of(draw(world, 3_000, 3)))
    honest, naive = (hazard(found, card) for card in ("card", "ever"))
    error = np.sqrt(honest.covariance.loc["card", "card"])
    assert abs(honest.params["card"]) < 2 * error
    assert naive.params["ever"] < -3 * error


@pytest.mark.slow
def test_the_effect_of_the_card_is_the_planted_one():
    world, found = World(), []
    for seed in range(4):
        rows = fuel_card.histories(region_of(draw(world, 3_000, seed)))
        found.append(hazard(rows))
    truth = np.log(TRUTHS["H19"](large_draw(world, 3, 100_000))["hazard_ratio"])
    estimate = np.mean([fit.params["card"] for fit in found])
    error = np.sqrt(np.sum([fit.covariance.loc["card", "card"] for fit in found])) / len(found)
    assert error < 0.08
    assert abs(estimate - truth) < 2.5 * error
