"""Purchases week by week: against simulated visits and volumes, and tables worked out by hand."""

import functools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.cohorts import weekly_activity
from analysis.cohorts.weekly_activity import Weeks
from simulation.drawing.behaviour import simulate
from simulation.drawing.tables import draw
from simulation.rehearsal import END, region_of
from simulation.world import World

FUTURE = ["lapse", "gone", "lapse_later", "again", "watched", "lapse_year"]
LANDMARKS = [28, 36, 44, 52, 60, 68, 76, 84]
properties = settings(max_examples=12)


@functools.cache
def example():
    tables = draw(World(), 300, 3)
    found = weekly_activity.read(region_of(tables))
    return tables, found, weekly_activity.changes(found)


def region_with(lines, **joined):
    """Return a region of these purchases: who, days before the end, product, quantity."""
    rows = pd.DataFrame(lines, columns=["customer_id", "before", "product", "quantity"])
    rows["bought_at"] = pd.Timestamp(END) - pd.to_timedelta(rows.pop("before"), "D")
    ids = sorted({*rows["customer_id"], *joined})
    people = pd.DataFrame({"customer_id": ids, "region": "Example"})
    days = pd.to_datetime(people["customer_id"].map(joined))
    return region_of(
        {"customers": people.assign(joined_on=days), "transactions": rows.assign(amount=1.0)}
    )


def by_week(volume, visits=1, segment="van", joined=0):
    """Return purchases of these volumes, shape (n_customers, n_weeks), on the week's last days."""
    volume = np.asarray(volume, np.float32)
    visits = np.broadcast_to(visits, volume.shape)
    bought = np.arange(7) >= 7 - visits[:, :, None]
    people = pd.DataFrame({"customer_id": [f"c{i:03}" for i in range(len(volume))]})
    people = people.assign(segment=segment, area="urban", joined=joined)
    return Weeks(people, bought.reshape(len(volume), -1), volume)


def steady(n, n_weeks=24, volume=10.0):
    return np.full((n, n_weeks), volume)


def last_changes(found):
    return weekly_activity.changes(found)[:, -1]


# --- reading


def test_arrays_equal_the_simulated_visits_and_volumes():
    _, found, _ = example()
    truth = simulate(World(), 300, 3)
    assert found.people["customer_id"].tolist() == [f"X{i:05}" for i in range(1, 301)]
    assert found.n_weeks == 104
    assert (found.visits == truth.visits).all()
    assert np.abs(found.volume - truth.volume).max() < 0.005 * 7 + 1e-3  # lines are rounded
    assert found.people["segment"].tolist() == truth.people["segment"].tolist()
    assert found.people["joined"].tolist() == truth.people["joined"].tolist()


def test_customers_without_purchases_are_there_and_strangers_are_not():
    lines = [("a", 20, "fuel", 10.0), ("c", 9, "fuel", 30.0)]
    found = weekly_activity.read(region_with(lines, b="2025-01-01", d=None))
    assert found.people["customer_id"].tolist() == ["a", "b", "c"]
    assert found.visits.tolist() == [[1, 0, 0], [0, 0, 0], [0, 1, 0]]
    assert found.people.loc[[0, 2], "joined"].tolist() == [0, 1]  # of the first purchase
    assert found.people.loc[1, "joined"] == (pd.Timestamp("2025-01-01") - first_day(21)).days // 7


def first_day(n_days):
    return pd.Timestamp(END) - pd.Timedelta(days=n_days - 1)


def test_weeks_are_whole_and_end_with_the_data():
    """Of 24 days the first three are left out."""
    days = [23, 21, 20, 14, 13, 7, 6, 0]
    found = weekly_activity.read(region_with([("a", day, "fuel", 2.0**day) for day in days]))
    assert np.flatnonzero(found.bought[0]).tolist() == [0, 6, 7, 13, 14, 20]
    assert found.volume[0].tolist() == [2**20 + 2**14, 2**13 + 2**7, 2**6 + 2**0]


def test_a_day_is_one_visit_and_only_fuel_and_gas_have_a_volume():
    lines = [("a", 6, "fuel", 10.0), ("a", 5.5, "gas", 5.0), ("a", 2, "shop", 7.0)]
    found = weekly_activity.read(region_with([*lines, ("a", 1, "fuel", None)]))
    assert found.visits.tolist() == [[3]]
    assert found.volume.tolist() == [[15.0]]


def test_a_region_shorter_than_24_weeks_has_no_changes():
    lines = [("a", day, "fuel", 10.0) for day in range(0, 7 * 23)]
    found = weekly_activity.read(region_with(lines, a="2020-01-01"))
    assert found.n_weeks == 23
    assert weekly_activity.changes(found).shape == (1, 24)
    assert np.isnan(weekly_activity.changes(found)).all()
    assert weekly_activity.every(found) == weekly_activity.judged(found) == []


def test_a_region_too_short_for_a_landmark_has_no_moments():
    found = by_week(steady(2, 40))
    assert len(weekly_activity.moments(found, weekly_activity.changes(found))) == 0


# --- changes


def test_changes_by_hand():
    """Volumes of 10, 20 and 5 a week become 5, 20 and 10 in the last four."""
    volume = np.repeat([[10.0], [20], [5]], 24, axis=1)
    volume[:, -4:] = [[5], [20], [10]]
    found = weekly_activity.changes(by_week(volume))
    assert np.isnan(found[:, :24]).all()
    assert found[:, 24] == pytest.approx(np.log([0.5, 1, 2]))  # the median has not changed


def test_one_customer_with_half_of_the_volume_is_not_the_season():
    """Volumes of 10, 10, 10 and 30 become 8, 8, 8 and 3: the season takes a fifth."""
    volume = np.repeat([[10.0], [10], [10], [30]], 24, axis=1)
    volume[:, -4:] = [[8], [8], [8], [3]]
    assert last_changes(by_week(volume)) == pytest.approx([0, 0, 0, np.log(0.1 / 0.8)], abs=1e-6)


def test_the_season_is_that_of_the_regulars():
    """Of the third, who came in nine of the weeks, nothing is taken into account."""
    volume = np.vstack([np.repeat([[10.0], [20]], 24, axis=1), np.full((1, 24), 100.0)])
    volume[:, -4:] = [[10], [40], [500]]
    visits = np.ones((3, 24), int)
    visits[2, 9:] = 0
    found = last_changes(by_week(volume, visits))
    assert found[:2] == pytest.approx(np.log([1, 2]) - np.log(2) / 2)
    assert np.isnan(found[2])


def test_regular_is_ten_visits_in_twenty_weeks_and_24_weeks_as_a_customer():
    visits = np.zeros((5, 24), int)
    visits[:, :10] = 1
    visits[1, 9], visits[1, 20:] = 0, 7  # the last four weeks don't count
    found = by_week(steady(5), visits, joined=[0, 0, 1, -50, 0])
    found.volume[4, :20] = 0
    assert np.isfinite(last_changes(found)).tolist() == [True, False, False, True, False]


def test_a_volume_of_nothing_is_minus_infinity():
    volume = steady(3)
    volume[1, -4:] = 0
    assert last_changes(by_week(volume)).tolist() == [0, -np.inf, 0]


@properties
@given(st.integers(0, 10_000), st.floats(0.1, 10))
def test_a_season_that_all_share_moves_no_change(seed, factor):
    rng = np.random.default_rng(seed)
    volume = rng.gamma(2.0, size=(30, 30))
    segment = rng.choice(["van", "fleet"], 30, p=[0.8, 0.2])
    before = by_week(volume, rng.integers(0, 3, volume.shape), segment)
    volume[:, -4:] *= factor
    after = replace(before, volume=volume.astype(np.float32))
    expected = pytest.approx(last_changes(before), abs=1e-5, nan_ok=True)
    assert last_changes(after) == expected


@pytest.mark.parametrize("n, own", [(20, True), (19, False)])
def test_a_segment_of_fewer_than_20_regulars_has_the_season_of_the_region(n, own):
    volume = steady(n + 30)
    volume[:n, -4:] *= 2
    found = last_changes(by_week(volume, segment=["van"] * n + ["fleet"] * 30))
    assert found[:n] == pytest.approx(np.full(n, 0 if own else np.log(2)), abs=1e-6)
    assert found[n:] == pytest.approx(np.zeros(30), abs=1e-6)


def test_changes_of_a_landmark_do_not_know_what_comes_later():
    _, found, changed = example()
    for n in (23, 24, 60, 103):
        start = Weeks(found.people, found.bought[:, : 7 * n], found.volume[:, :n])
        assert weekly_activity.changes(start) == pytest.approx(
            changed[:, : n + 1], abs=1e-6, nan_ok=True
        )
    assert np.isfinite(changed).sum() > 5_000


# --- landmarks


def test_landmarks_are_eight_weeks_apart_and_those_of_the_last_year_are_judged():
    _, found, _ = example()
    assert weekly_activity.every(found) == LANDMARKS
    assert weekly_activity.judged(found) == [52, 60, 68, 76, 84]


@pytest.mark.parametrize("n_weeks, expected", [(43, []), (44, [24]), (52, [24, 32]), (51, [31])])
def test_24_weeks_lie_before_a_landmark_and_20_after_it(n_weeks, expected):
    assert weekly_activity.every(by_week(steady(1, n_weeks))) == expected


def test_moments_by_hand():
    """Customer a joined 30 weeks before week 30 of 56, and bought weekly up to week 31."""
    visits, volume = np.ones((3, 56), int), steady(3, 56)
    visits[0, 32:] = volume[0, 32:] = 0
    volume[0, 26:32] = 5
    visits[1, 16:30] = volume[1, 16:30] = 0  # away for a quarter: not there
    visits[2], volume[2, 26:30] = 2, 4
    found = by_week(volume, visits, joined=[0, 0, -22])
    moments = weekly_activity.moments(found, weekly_activity.changes(found), [30]).set_index(
        "customer_id"
    )
    assert moments.index.tolist() == ["c000", "c002"]
    a, c = moments.loc["c000"], moments.loc["c002"]
    assert np.exp([a["log_visits"], a["log_weeks"], a["log_rate"]]) == pytest.approx([30, 30, 20])
    assert np.exp([c["log_visits"], c["log_weeks"], c["log_rate"]]) == pytest.approx([60, 30, 40])
    assert np.expm1([a["log_tenure"], c["log_tenure"]]) == pytest.approx(
        [210 / 365.25, 364 / 365.25]
    )
    assert a["change"] == pytest.approx(np.log(0.5) - np.log(0.4))  # b is a regular, too
    assert a["fall"] == -a["change"]
    assert a[["recency", "regular", "watched"]].tolist() == [0, 1, True]
    assert a[FUTURE[:4]].tolist() == [0, 1, 1, 0]
    assert c[FUTURE[:4]].tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize(
    "bought, gone, again",
    [(37, 1, 0), (38, 1, 1), (42, 1, 1), (43, 0, 1), (55, 0, 1), (56, 1, 1)],
)
def test_gone_is_a_second_quarter_without_a_purchase_and_again_any_after_eight_weeks(
    bought, gone, again
):
    """After the landmark of week 30 there is one purchase only."""
    visits = np.ones((1, 60), int)
    visits[:, 30:] = 0
    visits[:, bought] = 1
    found = by_week(steady(1, 60), visits)
    row = weekly_activity.moments(found, weekly_activity.changes(found), [30]).iloc[0]
    assert row[["gone", "again"]].tolist() == [gone, again]


def test_a_pause_ends_within_a_year():
    """Customers buy up to week 30 of 90, and again after 8, 20, 51 and 52 weeks or never."""
    visits = np.ones((5, 90), int)
    visits[:, 30:] = 0
    for row, pause in enumerate((8, 20, 51, 52)):
        visits[row, 30 + pause] = 1
    found = by_week(steady(5, 90), visits)
    rows = weekly_activity.moments(found, weekly_activity.changes(found), [30])
    assert rows["lapse"].tolist() == [1, 1, 1, 1, 1]
    assert rows["lapse_year"].tolist() == [0, 0, 0, 1, 1]
    assert (
        weekly_activity.moments(found, weekly_activity.changes(found), [39])["lapse_year"]
        .isna()
        .all()
    )


@pytest.mark.parametrize("away", [(26, 30), (30, 34), (25, 29), (31, 35)])
def test_watched_are_regulars_who_bought_in_the_four_weeks_before_and_after(away):
    visits = np.ones((3, 48), int)
    visits[1, slice(*away)] = 0
    visits[2, :20] = 0  # too few visits
    found = by_week(steady(3, 48), visits)
    watched = weekly_activity.moments(found, weekly_activity.changes(found), [30])["watched"]
    assert watched.tolist() == [True, away[0] in (25, 31), False]


@pytest.mark.parametrize("days", [0, 1, 6, 7, 90])
def test_recency_doubles_with_the_days_since_the_last_purchase(days):
    found = by_week(steady(1, 30), 7)
    found.bought[0, 7 * 30 - days :] = False
    moments = weekly_activity.moments(found, weekly_activity.changes(found), [30])
    assert 2 ** moments["recency"].tolist()[0] == pytest.approx(1 + days)


def test_who_bought_nothing_for_a_quarter_is_not_at_a_landmark():
    found = by_week(steady(1, 30), 7)
    found.bought[0, 7 * 30 - 91 :] = False
    assert weekly_activity.moments(found, weekly_activity.changes(found), [30]).empty


def test_a_regular_whose_volume_is_nothing_has_fallen_as_far_as_can_be():
    volume, visits = steady(5), np.ones((5, 24), int)
    volume[0, -4:] = visits[0, -4:] = 0
    volume[1, -4:] = 0.01
    found = by_week(volume, visits)
    fall = weekly_activity.moments(found, weekly_activity.changes(found), [24])["fall"]
    assert fall.tolist()[:2] == [3, 3]


def test_outcomes_beyond_the_data_are_missing():
    _, found, changed = example()
    known = {
        week: weekly_activity.moments(found, changed, [week])[FUTURE[:3]].notna().all().tolist()
        for week in (78, 79, 87, 88, 96, 97, 104)
    }
    assert known[78] == [True, True, True]
    assert known[79] == known[87] == [True, False, True]
    assert known[88] == known[96] == [True, False, False]
    assert known[97] == known[104] == [False, False, False]


def test_outcomes_are_those_of_the_simulated_visits_and_lapses():
    _, found, changed = example()
    truth = simulate(World(), 300, 3)
    row = {name: i for i, name in enumerate(found.people["customer_id"])}
    moments = weekly_activity.moments(found, changed)
    for week, each in moments.groupby("week"):
        rows = each["customer_id"].map(row).to_numpy()
        visits, left = truth.visits[rows, week:], truth.people["lapse"].to_numpy()[rows]
        spans = {"lapse": (0, 8), "lapse_later": (4, 17)}
        for name, (first, end) in (
            spans | {"lapse_year": (0, 52)} if week <= 52 else spans
        ).items():
            assert each[name].tolist() == (visits[:, first:end].sum(axis=1) == 0).tolist()
        assert each["again"].tolist() == (visits[:, 8:].sum(axis=1) > 0).tolist()
        if week == 84:
            assert each["gone"].isna().all()
        else:
            assert each["gone"].tolist() == (visits[:, 13:26].sum(axis=1) == 0).tolist()
            assert each["gone"][left <= week + 13].eq(1).all()
        assert (truth.visits[rows, week - 13 : week].sum(axis=1) > 0).all()
    assert moments["week"].unique().tolist() == LANDMARKS
    assert moments["gone"].sum() > 50


@functools.cache
def read_without(*columns):
    found = weekly_activity.read(region_of(example()[0], columns))
    return found, weekly_activity.changes(found)


@properties
@given(st.sampled_from([*LANDMARKS, 104]), st.integers(0, 3), st.booleans())
def test_a_row_that_describes_the_past_does_not_know_the_future(week, kept, days_of_joining):
    """Of all later purchases none, or one, two or three in four are left."""
    columns = () if days_of_joining else ("customers.joined_on",)
    tables = example()[0]
    lines = tables["transactions"]
    later = lines["bought_at"] >= pd.Timestamp("2024-07-02") + pd.Timedelta(weeks=week)
    left = ~later | (np.arange(len(lines)) % 4 < kept)
    there = weekly_activity.read(region_of(tables | {"transactions": lines[left]}, columns))
    after = weekly_activity.moments(there, weekly_activity.changes(there), [week])
    before = weekly_activity.moments(*read_without(*columns), [week])
    pd.testing.assert_frame_equal(after.drop(columns=FUTURE), before.drop(columns=FUTURE))
    if week < 104 and kept == 0:
        assert after["lapse"].eq(1).all()
        assert before["lapse"].mean() < 0.5
