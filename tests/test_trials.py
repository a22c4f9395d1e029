"""Customers compared from a day of their own: tables worked out by hand, and planted truths."""

import functools

import numpy as np
import pandas as pd
import pytest

from analysis.claims.hypotheses import hypothesis
from analysis.cohorts import target_trial
from simulation.drawing.tables import draw
from simulation.rehearsal import region_of
from simulation.world import World

DAY = pd.Timestamp("2025-06-30")  # day 0 of these tests: a year before the end
FIRST = -463  # of the data, by default
ERRORS = 3.5


def after(days):
    """Return the moment so many days after day 0."""
    return DAY + pd.to_timedelta(days, "D")


def handmade(bought, joined=None, start=FIRST, **more):
    """Return a region of purchases {who: {day: amount}}; days of joining are dates."""
    lines = [(who, after(day), amount) for who, each in bought.items() for day, amount in each]
    lines = pd.DataFrame([("zero", after(start), 1.0), *lines])
    people = pd.DataFrame({"customer_id": sorted({"zero", *bought}), "region": "Example"})
    days = pd.to_datetime(people["customer_id"].map(joined or {}))
    lines = lines.set_axis(["customer_id", "bought_at", "amount"], axis=1)
    return region_of(
        {"customers": people.assign(joined_on=days, segment="private"), "transactions": lines}
        | more
    )


def on(*days, amount=1.0):
    return [(day, amount) for day in days]


def first(**days):
    moments = [after(day) for day in days.values()]
    return pd.Series(moments, pd.Index(list(days), dtype=object), dtype="datetime64[us]")


def both_arms(found):
    return [found[found["treated"] == arm].set_index("customer_id") for arm in (1, 0)]


@functools.cache
def example():
    tables = draw(World(), 400, 8)
    return tables, region_of(tables)


# --- who takes part, from which day on


def test_who_is_treated_starts_on_the_first_day():
    """The time of the day does not matter."""
    bought = {who: on(-10, -60) for who in "xyz"}
    own, _ = both_arms(target_trial.emulate(handmade(bought), first(x=-5.0, y=-50.3)))
    assert own["own_day"].to_dict() == {"x": after(-5), "y": after(-51)}


@pytest.mark.parametrize("day, there", [(-373, False), (-372, True), (0, True), (1, False)])
def test_a_quarter_precedes_a_day_and_a_year_follows(day, there):
    found = target_trial.emulate(handmade({"x": on(day - 5), "y": on(day - 5)}), first(x=day))
    assert (set(found["customer_id"]) >= {"x", "y"}) == there
    assert found.empty == (not there)


def test_the_others_have_days_of_treated_customers_as_often_as_these():
    treated = {f"t{i}": -200 if i < 30 else -50 for i in range(40)}
    others = [f"u{i}" for i in range(800)]
    bought = {who: on(-210, -60) for who in [*treated, *others]}
    _, found = both_arms(target_trial.emulate(handmade(bought), first(**treated)))
    days = found.loc[others, "own_day"]
    assert set(days) == {after(-200), after(-50)}
    error = np.sqrt(0.75 * 0.25 / len(others))
    assert (days == after(-200)).mean() == pytest.approx(0.75, abs=ERRORS * error)


def test_who_is_treated_later_is_among_the_others_until_then():
    """Treatments are on days -400 (no quarter before), -200, -50 and 1 (no year after)."""
    here = handmade({who: on(*range(-450, 300, 30)) for who in "vwxyz"})
    days, seen = first(v=-400, x=-200, y=-50, w=1), set()
    for seed in range(20):
        own, others = both_arms(target_trial.emulate(here, days, seed))
        assert own["own_day"].to_dict() == {"x": after(-200), "y": after(-50)}
        seen |= {(who, (day - DAY).days) for who, day in others["own_day"].items()}
    late = {(who, day) for who in "wz" for day in (-200, -50)}
    assert seen == late | {("y", -200)}


def test_who_bought_nothing_in_the_quarter_before_is_in_no_arm():
    """Purchases are 91, 92, 0 and 1 days before."""
    bought = {"w": on(-91 - 50), "x": on(-92 - 50), "y": on(-50), "z": on(-51)}
    joined = dict.fromkeys("wxyz", "2020-01-01")
    found = target_trial.emulate(handmade(bought, joined), first(w=-50, x=-50, y=-50, z=-50))
    assert found["customer_id"].tolist() == ["w", "z"]
    _, others = both_arms(target_trial.emulate(handmade(bought, joined), first(z=-50)))
    assert others.index.tolist() == ["w"]


@pytest.mark.parametrize("joined, there", [(-5, True), (-4, False), (-3, False)])
def test_who_joined_on_the_day_or_later_is_in_no_arm(joined, there):
    """Whatever purchases are on record before."""
    here = handmade({who: on(-9) for who in "xy"}, dict.fromkeys("xy", after(joined)))
    found = target_trial.emulate(here, first(x=-4))
    assert found["customer_id"].tolist() == (["x", "y"] if there else [])


def test_with_still_both_arms_buy_within_these_days():
    """The day itself does not count: on that day the treatment itself may be a purchase."""
    days = {"a": 0, "b": 1, "c": 28, "d": 29}
    bought = {arm + who: on(-9, day) for arm in "tu" for who, day in days.items()}
    own_days = first(**{"t" + who: 0 for who in days})
    here = handmade(bought)
    for still, expected in ((True, "bc"), (False, "abcd")):
        found = target_trial.emulate(here, own_days, still=still)
        assert found["customer_id"].tolist() == [arm + who for arm in "tu" for who in expected]
        assert found["treated"].tolist() == [1] * len(expected) + [0] * len(expected)


@pytest.mark.parametrize("days", [{}, {"x": np.nan}, {"x": 9}, {"x": -400}])
def test_without_a_treatment_that_can_be_followed_nothing_is_compared(days):
    found = target_trial.emulate(handmade({"x": on(-5, 5), "y": on(-5)}), first(**days))
    assert found.empty
    assert {"treated", "own_day", "retained", "value_after", *target_trial.BEFORE} <= set(found)


# --- what was known before


def all_on_one_day(bought, joined=None, **more):
    """Return the treated when all are treated on day 0, so that there are no others."""
    here = handmade(bought, joined, **more)
    return target_trial.emulate(here, first(**dict.fromkeys(bought, 0))).set_index("customer_id")


def test_log_pace_by_hand():
    """Sales a week of a newcomer, of an old customer, and of one who joined three days before."""
    bought = {
        "new": on(-28, -1, amount=20) + on(0, amount=1e6),
        "old": on(-364, -1, amount=52) + on(-365, 0, amount=1e6),
        "newest": on(-3, amount=5),
    }
    found = all_on_one_day(bought, {"old": "2020-01-01"}, start=-800)
    pace = pd.Series({"new": 10, "old": 2, "newest": 5})
    expected = np.log(pace / pace.mean() + 0.001)
    assert found["log_pace"].to_dict() == pytest.approx(expected.to_dict())


def test_pace_is_that_of_the_time_for_which_there_are_data():
    bought = {"old": on(-99, -1, amount=70), "new": on(-14, amount=2)}
    found = all_on_one_day(bought, {"old": "2020-01-01"}, start=-100)
    pace = pd.Series({"old": 140 / 100 * 7, "new": 1})
    expected = np.log(pace / pace.mean() + 0.001)
    assert found["log_pace"].to_dict() == pytest.approx(expected.to_dict())


def test_trend_visits_and_tenure_by_hand():
    """Three days with a purchase in the quarter, two in the one before; the day does not count."""
    days = [-365, -364, -183, -182, -92, -91, -50.0, -49.9, -1, 0]
    found = all_on_one_day({"x": on(*days), "y": on(-20)}, {"x": after(-500)}, start=-800)
    assert found["trend"].to_dict() == pytest.approx({"x": np.log(4 / 3), "y": np.log(2)})
    assert found["log_visits"].to_dict() == pytest.approx({"x": np.log(8), "y": np.log(2)})
    years = np.array([500, 20]) / 365.25  # y joined with his first purchase
    assert found["log_tenure"].tolist() == pytest.approx(np.log1p(years).tolist())


def test_opinions_are_the_latest_before_the_day():
    rows = [("x", -40, 7, 5), ("x", -1, 9, 6), ("x", 0, 1, 1), ("y", -300, 4, 3), ("z", 1, 1, 1)]
    answers = pd.DataFrame(rows, columns=["customer_id", "day", "satisfaction", "loyalty"])
    items = {
        f"{name}_{i}": answers[name] for name in ("satisfaction", "loyalty") for i in (1, 2, 3)
    }
    survey = pd.DataFrame(items).assign(
        customer_id=answers["customer_id"], answered_on=after(answers["day"])
    )
    found = all_on_one_day({who: on(-9) for who in "xyz"}, survey=survey)
    assert found["satisfaction"].tolist() == pytest.approx([9, 4, np.nan], nan_ok=True)
    assert found["loyalty"].tolist() == pytest.approx([6, 3, np.nan], nan_ok=True)


# --- what came after


@pytest.mark.parametrize("day, retained", [(273, 0), (274, 1), (364, 1), (365, 0)])
def test_retained_is_a_purchase_in_the_last_quarter_of_the_year_after(day, retained):
    here = handmade({who: on(-120, day - 100) for who in "xy"})
    found = target_trial.emulate(here, first(x=-100))
    assert found["treated"].tolist() == [1, 0]
    assert found["retained"].tolist() == [retained] * 2


def test_value_after_is_that_of_days_1_to_364():
    amounts = {-101: 32.0, -100: 1.0, -99: 2.0, 264: 4.0, 265: 8.0}
    found = target_trial.emulate(handmade({"x": amounts.items(), "y": on(-120)}), first(x=-100))
    assert found["value_after"].tolist() == [6, 0]


def test_rows_are_those_of_the_drawn_tables():
    """Every row is worked out again from the lines of its customer; where costs are, by margin."""
    tables, here = example()
    found = target_trial.emulate(here, target_trial.card_since(here), still=True)
    own, others = both_arms(found)
    assert min(len(own), len(others)) > 20
    lines = tables["transactions"].groupby("customer_id")
    for row in found.itertuples():
        bought = lines.get_group(row.customer_id)
        day = (bought["bought_at"].dt.normalize() - row.own_day).dt.days
        quarter, earlier, year, still, last = (
            day[day.between(*span)].nunique()
            for span in ((-91, -1), (-182, -92), (-364, -1), (1, 28), (274, 364))
        )
        assert quarter and still
        assert (row.log_visits, row.trend, row.retained) == pytest.approx(
            (np.log1p(year), np.log1p(quarter) - np.log1p(earlier), float(last > 0))
        )
        margin = (bought["amount"] - bought["cost"])[day.between(1, 364)].sum()
        assert row.value_after == pytest.approx(margin)


# --- random days


def test_random_days_can_be_drawn_again_whatever_the_order_of_rows():
    tables, here = example()
    days = target_trial.card_since(here)
    found = target_trial.emulate(here, days, 3)
    mixed = {name: each.sample(frac=1, random_state=1) for name, each in tables.items()}
    again = target_trial.emulate(region_of(mixed), days.sample(frac=1, random_state=2), 3)
    both = [
        each.sort_values(["treated", "customer_id"], ignore_index=True) for each in (found, again)
    ]
    pd.testing.assert_frame_equal(*both)


def test_another_seed_moves_the_days_of_the_others_only():
    _, here = example()
    arms = [
        both_arms(target_trial.emulate(here, target_trial.card_since(here), seed))
        for seed in (3, 4)
    ]
    assert arms[0][0]["own_day"].equals(arms[1][0]["own_day"])
    both = pd.concat([others["own_day"] for _, others in arms], axis=1, join="inner")
    assert len(both) > 50
    assert (both.iloc[:, 0] != both.iloc[:, 1]).mean() > 0.8


# --- planted


def difference(found):
    """Return how many errors the treated are retained more often than the others."""
    each = found.groupby("treated")["retained"].agg(["mean", "size"])
    se = np.sqrt((each["mean"] * (1 - each["mean"]) / each["size"]).sum())
    return (each["mean"][1.0] - each["mean"][0.0]) / se


def leaving(n=4000, seed=5):
    """Return a region whose customers buy every week until they leave, and who is treated when.

    Both come at constant rates, independent of each other; nobody is treated who has left.
    """
    rng = np.random.default_rng(seed)
    left, treated = (FIRST + rng.exponential(mean, n) for mean in (500, 900))
    ids = np.char.add("c", np.arange(n).astype(str)).astype(object)
    bought = {
        who: on(*range(FIRST + i % 7, int(min(end, 364)), 7))
        for i, (who, end) in enumerate(zip(ids, left, strict=True))
    }
    there = treated < np.minimum(left, 364)
    return handmade(bought), pd.Series(after(np.floor(treated[there])), ids[there])


def test_a_treatment_that_does_nothing_keeps_nobody_if_all_are_customers_still():
    """Without that, the others who have left, though not a quarter ago, make it look good."""
    here, days = leaving()
    assert difference(target_trial.emulate(here, days)) > ERRORS
    assert abs(difference(target_trial.emulate(here, days, still=True))) < ERRORS


def test_a_card_that_does_nothing_keeps_nobody():
    world = World(card_log_hazard=0.0, card_affinity=0.0)
    here = region_of(draw(world, 2500, 3))
    found = target_trial.emulate(here, target_trial.card_since(here), still=True)
    assert min(found["treated"].value_counts()) > 100
    assert abs(difference(found)) < ERRORS


def test_rows_that_hold_a_customer_twice_are_not_called_customers():
    """Once as treated, once as not yet treated."""
    found = target_trial.card_holders(example()[1], 1)
    assert len(found) > found["customer_id"].nunique()
    for key, parts in {"H10": ["retention"], "H19": ["retention", "margin"],
                       "H21": ["cost_ratio"]}.items():  # fmt: skip
        counts = {part.key: part.counts for part in hypothesis(key).parts}
        for part in parts:
            assert counts[part]["en"] == "rows, one for each customer and starting day"
            assert counts[part]["zh"] == "条记录（每位客户每个起始日一条）"
