"""Time with and without a card: histories worked out by hand, and a card that does nothing."""

import functools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.cohorts import churn, landmark, target_trial
from analysis.statistics.regression.controls import controls
from analysis.statistics.regression.hazards import cox
from simulation import TRUTHS, World, draw
from simulation.rehearsal import END, region_of
from simulation.sample import large_draw

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
    found = target_trial.card_spells(here).set_index("customer_id")
    found = found[["from_day", "to_day", "lost", "card", "ever"]]
    return {who: found.loc[[who]].to_numpy().tolist() for who in found.index.unique()}


# --- a card splits the time followed


def test_a_card_splits_the_time_of_who_leaves():
    """All of them are followed from day 182 to the last purchase on day 420."""
    cards = {"none": None, "a day later": 183, "during": 300}
    cards |= {"a day before": 419, "on the last": 420, "after": 500}
    found = rows_of(small(dict.fromkeys(cards, UNTIL_420) | {"weekly": WEEKLY}, cards))
    assert found.pop("weekly") == [[182, LENGTH - 70, 0, 0, 0]]
    assert found == {
        "none": [[182, 420, 1, 0, 0]],
        "a day later": [[182, 183, 0, 0, 1], [183, 420, 1, 1, 1]],
        "during": [[182, 300, 0, 0, 1], [300, 420, 1, 1, 1]],
        "a day before": [[182, 419, 0, 0, 1], [419, 420, 1, 1, 1]],
        "on the last": [[182, 420, 1, 0, 0]],
        "after": [[182, 420, 1, 0, 0]],
    }


def test_who_has_a_card_already_is_not_followed():
    cards = {"joined with it": -9, "before": 100, "on entry": 182, "a day later": 183}
    found = rows_of(small(dict.fromkeys(cards, UNTIL_420) | {"none": WEEKLY}, cards))
    assert list(found) == ["a day later", "none"]


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
    assert target_trial.card_since(here).dropna().to_dict() == dict(
        zip("abc", on([0, -30, 50]), strict=True)
    )
    assert target_trial.early_cards(here) == pytest.approx(1 / 3)
    assert list(rows_of(here)) == ["d"]


def test_where_joining_is_not_known_the_card_is_taken_as_dated():
    here = small({"a": WEEKLY, "b": WEEKLY}, {"a": 300}, {"a": None, "b": None})
    assert target_trial.card_since(here).dropna().tolist() == on([300])
    assert target_trial.early_cards(here) == 0
    assert rows_of(here)["a"] == [[182, 300, 0, 0, 1], [300, LENGTH - 70, 0, 1, 1]]


def test_without_a_card_none_is_misdated():
    assert target_trial.early_cards(small({"a": [0]})) == 0


# --- who is followed, and what is known of them


def test_newcomers_are_followed_after_a_half_year_of_their_own():
    here = small(
        {"old": WEEKLY, "new": range(100, 500, 7), "late": range(600, LENGTH, 7)},
        joined={"old": -100, "new": 100, "late": 600},
    )
    assert rows_of(here) == {"new": [[282, 499, 1, 0, 0]], "old": [[182, LENGTH - 70, 0, 0, 0]]}
    found = target_trial.card_spells(here).set_index("customer_id")
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
    found = target_trial.card_spells(small({"a": [*once, 182, 189, 250], "b": more}))
    assert found["log_visits"].nunique() == 1
    assert found["log_pace"].to_numpy() == pytest.approx(np.log(1.001))


def test_nobody_followed_is_a_table_without_rows():
    found = target_trial.card_spells(small({"a": range(0, 100, 7), "b": [0, 300]}, {"a": 50}))
    assert found.empty
    assert {"customer_id", "from_day", "to_day", "lost", "card", "ever"} <= set(found)


def test_a_single_customer_has_a_history():
    assert rows_of(small({"a": UNTIL_420}, {"a": 300}))["a"][1] == [300, 420, 1, 1, 1]


@functools.cache
def takers():
    """Return customers with a card from day 200 on, the only day that a year follows, and others.

    The four weeks after it have days 201 to 228, the quarter before it days 109 to 199.
    """
    before = range(0, 200, 7)
    bought = {
        "holder": WEEKLY,
        "idle holder": [*before, 200, 229],
        "later": WEEKLY,
        "earlier": WEEKLY,
        "never": range(0, 420, 7),
        "in time": [*before, 228, 564],
        "too late": [*before, 200, 229],
        "not active": [*range(0, 109, 7), *range(200, LENGTH, 7)],
        "newcomer": range(200, LENGTH, 7),
    }
    cards = {"holder": 200, "idle holder": 200, "later": 400, "earlier": 50}
    return small(bought, cards, {"never": -165, "newcomer": 200})


def test_new_holders_by_hand():
    found = target_trial.card_holders(takers()).set_index("customer_id")
    assert found["card"].to_dict() == {"holder": 1, "in time": 0, "later": 0, "never": 0}
    assert found["own_day"].unique().tolist() == on([200])
    visits = {"holder": 29, "in time": 29, "later": 29, "never": 29}
    assert np.expm1(found["log_visits"]).to_dict() == pytest.approx(visits)
    assert found["retained"].to_dict() == {"holder": 1, "in time": 1, "later": 1, "never": 0}
    value = {"holder": 520, "in time": 20, "later": 520, "never": 310}  # no costs: sales
    assert found["value_after"].to_dict() == value
    tenure = np.log1p(pd.Series([200, 200, 200, 365], found.index.sort_values()) / 365.25)
    assert found["log_tenure"].to_dict() == pytest.approx(tenure.to_dict())
    assert found["tenure_bend"].to_dict() == pytest.approx(
        ((tenure - tenure.mean()) ** 2).to_dict()
    )


def test_the_same_seed_draws_the_same_days(drawn):
    here, _ = drawn
    one, again, other = (target_trial.card_holders(here, seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one, again)
    days = [each.loc[each["card"] == 0, "own_day"].tolist() for each in (one, other)]
    assert days[0] != days[1]
    holders = [each.query("card == 1").set_index("customer_id") for each in (one, other)]
    assert holders[0]["own_day"].equals(holders[1]["own_day"])


def test_new_holders_start_on_the_day_of_their_card_and_others_have_none_yet(drawn):
    here, _ = drawn
    found = target_trial.card_holders(here)
    since = target_trial.card_since(here).dt.normalize().reindex(found["customer_id"]).to_numpy()
    treated = found["card"].to_numpy() == 1
    own_day = found["own_day"].to_numpy()
    assert (own_day[treated] == since[treated]).all()
    assert (np.isnat(since[~treated]) | (own_day[~treated] < since[~treated])).all()
    assert min(treated.sum(), (~treated).sum()) > 100


def test_where_nobody_takes_a_card_nobody_is_compared():
    found = target_trial.card_holders(small({"a": WEEKLY, "b": WEEKLY}))
    assert found.empty
    assert {"card", "tenure_bend", "retained", "value_after"} <= set(found)


@functools.cache
def five():
    return small({"a": WEEKLY, "b": UNTIL_420, "c": range(0, 300, 7), "d": WEEKLY, "e": UNTIL_420})


@settings(max_examples=25)
@given(st.lists(st.none() | st.integers(-100, 800), min_size=5, max_size=5))
def test_time_with_a_card_is_the_time_followed_from_the_card_on(cards):
    people = five().customers.assign(card_since=pd.Series(on(cards), dtype="datetime64[us]"))
    found = target_trial.card_spells(five().with_tables(customers=people))
    to_day = {"a": 657, "b": 420, "c": 294, "d": 657, "e": 420}
    of = dict(zip(to_day, cards, strict=True))
    to_day = {who: last for who, last in to_day.items() if of[who] is None or of[who] > 182}
    days = (found["to_day"] - found["from_day"]).groupby(found["customer_id"])
    assert days.min().gt(0).all()
    assert days.sum().to_dict() == {who: last - 182 for who, last in to_day.items()}
    with_card = found[found["card"] == 1].set_index("customer_id")
    with_card = (with_card["to_day"] - with_card["from_day"]).to_dict()
    for who, last in to_day.items():
        day = last if of[who] is None else of[who]
        assert with_card.get(who, 0) == max(last - day, 0)
    left = found.groupby("customer_id")["lost"].sum().to_dict()
    assert left == {who: who in "bce" for who in to_day}


# --- regions that are drawn


@pytest.fixture(scope="module")
def drawn():
    here = region_of(draw(World(), 3_000, 2))
    return here, target_trial.card_spells(here)


def test_rows_add_up_to_the_time_followed(drawn):
    here, found = drawn
    joined = landmark.traits(here)["joined_on"].dropna().clip(lower=pd.Timestamp(here.start))
    spells = churn.spells(here, joined + pd.Timedelta(days=landmark.HALF_YEAR))
    by_customer = found.groupby("customer_id")
    spells = spells.reindex(by_customer.size().index)
    total = (found["to_day"] - found["from_day"]).groupby(found["customer_id"]).sum()
    assert total.to_numpy() == pytest.approx((spells["to_day"] - spells["from_day"]).to_numpy())
    assert by_customer["from_day"].min().tolist() == spells["from_day"].tolist()
    assert by_customer["lost"].sum().tolist() == spells["lost"].tolist()
    assert by_customer["lost"].last().tolist() == spells["lost"].tolist()
    assert by_customer.ngroups > 1_000


def test_two_rows_of_a_customer_meet_on_the_day_of_his_card(drawn):
    here, found = drawn
    since = (target_trial.card_since(here) - pd.Timestamp(here.start)).dt.days
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
    terms = [card, *controls(rows, target_trial.CARD_TRAITS)]
    return cox(" + ".join(terms), rows, "from_day", "to_day", "lost")


def test_a_card_that_does_nothing_does_nothing_unless_it_counts_from_the_start():
    """Whoever takes a card later has stayed until then: that time is not the card's."""
    world = World(card_log_hazard=0, affinity_log_hazard=0)
    found = target_trial.card_spells(region_of(draw(world, 3_000, 3)))
    honest, naive = (hazard(found, card) for card in ("card", "ever"))
    error = np.sqrt(honest.cov_params().loc["card", "card"])
    assert abs(honest.params["card"]) < 2 * error
    assert naive.params["ever"] < -3 * error


@pytest.mark.slow
def test_the_effect_of_the_card_is_the_planted_one():
    world, found = World(), []
    for seed in range(6):
        rows = target_trial.card_spells(region_of(draw(world, 3_000, seed)))
        found.append(hazard(rows))
    truth = np.log(TRUTHS["H19"](large_draw(world, 3, 100_000))["hazard_ratio"])
    estimate = np.mean([fit.params["card"] for fit in found])
    error = np.sqrt(np.sum([fit.cov_params().loc["card", "card"] for fit in found])) / len(found)
    assert error < 0.1
    assert abs(estimate - truth) < 2.5 * error


def test_cards_that_are_not_recorded_are_not_none():
    tables = draw(World(), 50, 8)
    assert target_trial.cards_in_words(region_of(tables)).endswith(" took a card")
    tables["customers"] = tables["customers"].assign(card_since=pd.NaT)
    assert target_trial.cards_in_words(region_of(tables)) == "cards are not recorded"
