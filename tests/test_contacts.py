"""Visits, campaigns and their costs: tables worked out by hand, simulated truths, closed forms."""

import functools
import re
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.cohorts import contacts, landmark
from analysis.language import text
from analysis.statistics.estimate import Estimate, from_se
from analysis.statistics.value import campaign_costs
from simulation.drawing.behaviour import simulate
from simulation.drawing.tables import draw
from simulation.rehearsal import region_of
from simulation.world import World

DAY = pd.Timestamp("2025-06-30")  # the landmark: a year before the end
START = pd.Timestamp("2024-07-02")
N_COVERAGE = 1000
MC_ERROR = np.sqrt(0.95 * 0.05 / N_COVERAGE)
properties = settings(max_examples=50)


@functools.cache
def example():
    tables = draw(World(), 1000, 8)
    truth = simulate(World(), 1000, 8)
    ids = tables["customers"]["customer_id"]
    return tables, region_of(tables), truth, pd.Series(range(1000), ids)


def after(days):
    """Return the moment so many days after the landmark."""
    return DAY + pd.to_timedelta(days, "D")


def handmade(bought, made=(), joined=None):
    """Return a region of purchases {who: {day: amount}} and contacts (who, day, kind, ...).

    Days count from the landmark.
    """
    lines = [(who, after(day), amount) for who, each in bought.items() for day, amount in each]
    lines = pd.DataFrame([("zero", START, 1.0), *lines])
    rows = pd.DataFrame(made, columns=["customer_id", "day", "kind", "purpose", "cost"])
    ids = sorted({"zero", *bought, *rows["customer_id"]})
    people = pd.DataFrame({"customer_id": ids, "region": "Example", "segment": "private"})
    days = pd.to_datetime(people["customer_id"].map(joined or {}))
    return region_of(
        {
            "customers": people.assign(joined_on=days),
            "transactions": lines.set_axis(["customer_id", "bought_at", "amount"], axis=1),
            "contacts": rows.assign(contacted_on=after(rows.pop("day").astype(float))),
        }
    )


def on(*days, amount=1.0):
    return [(day, amount) for day in days]


def visits(who, *days):
    return [(who, day, "visit", "service", 80.0) for day in days]


def retain(who, *days, cost=10.0):
    return [(who, day, "campaign", "retain", cost) for day in days]


def acquire(who, *days, cost=600.0):
    return [(who, day, "campaign", "acquire", cost) for day in days]


# --- key accounts

STILL = 80
"""A day of the last four weeks of the quarter in which accounts are visited."""


def three_accounts(made=(), **more):
    """Return a region with accounts of 60, 30 and 10 per cent of the sales of those visited."""
    sales = {"a": 600, "b": 300, "c": 100}
    bought = {who: on(-10, amount=x) + on(STILL, 300) for who, x in sales.items()}
    before = visits("a", -100) + visits("b", -363) + visits("c", 0)
    return handmade(bought | more, [*before, *made])


def test_tiers_and_visits_by_hand():
    made = visits("a", *range(1, 10)) + visits("b", 5, 60, 91) + visits("c", 1, 2, 3)
    found = contacts.accounts(three_accounts(made))
    assert found["tier"].to_dict() == {"a": "A", "b": "B", "c": "C"}
    assert found["monthly"].tolist() == pytest.approx([3, 1, 1])
    assert found["as_promised"].tolist() == [1, 0, 1]
    assert found["retained"].tolist() == [1, 1, 1]
    assert found["tier_after"].to_dict() == {"a": "A", "b": "A", "c": "B"}  # all buy alike then
    assert found["log_visits"].tolist() == pytest.approx([np.log(2)] * 3)
    assert found["trend"].tolist() == pytest.approx([np.log(2)] * 3)
    assert found["log_tenure"].tolist() == pytest.approx([np.log1p(10 / 365.25)] * 3)
    expected = np.log(np.array([600, 300, 100]) / (1000 / 3) + 0.001)
    assert found["log_sales"].tolist() == pytest.approx(expected.tolist())
    assert set(contacts.BEFORE) <= set(found)


def test_trend_is_the_second_half_of_the_year_before_over_the_first():
    """Four days with a purchase in the half year up to the landmark, two in that before."""
    bought = {"a": on(-363, -182, -181, -90, -9.6, -9.4, 0, 0.9, 1, STILL), "b": on(-9, STILL)}
    found = contacts.accounts(handmade(bought, visits("a", -9) + visits("b", -9)))
    assert found["trend"].tolist() == pytest.approx([np.log(5 / 3), np.log(2)])


@pytest.mark.parametrize("who, least", [("a", 8), ("b", 5), ("c", 3)])
def test_as_promised_is_eighty_per_cent_of_the_promise(who, least):
    """In three months that is of 9, 6 and 3 visits 7.2, 4.8 and 2.4."""
    for count, kept in ((least - 1, 0), (least, 1)):
        found = contacts.accounts(three_accounts(visits(who, *range(1, count + 1))))
        assert found.loc[who, "as_promised"] == kept


def test_visits_of_the_quarter_after_count_and_calls_do_not():
    """Two visits on a day are two."""
    days = [-1, 0, 0.4, 1, 1.3, 30, 30, 91, 91.9, 92, 200]
    calls = [("a", day, "call", "service", 5.0) for day in range(50, 60)]
    found = contacts.accounts(three_accounts(visits("a", *days) + calls))
    assert found["monthly"].tolist() == pytest.approx([2, 0, 0])


@pytest.mark.parametrize("day, there", [(-364, False), (-363, True), (0.9, True), (1, False)])
def test_key_accounts_are_those_visited_in_the_year_before(day, there):
    """Whoever is not visited, or only called, counts in no tier, however much he buys."""
    big = {who: on(-10, amount=1e6) + on(STILL) for who in "pq"}
    calls = [("q", -5, "call", "service", 5.0)]
    found = contacts.accounts(three_accounts(visits("p", day) + calls, **big))
    assert found.index.tolist() == list("abcp" if there else "abc")
    tiers = {"a": "C", "b": "C", "c": "C", "p": "A"} if there else {"a": "A", "b": "B", "c": "C"}
    assert found["tier"].to_dict() == tiers


@pytest.mark.parametrize("day, there", [(-91, False), (-90, True), (0, True), (1, False)])
def test_accounts_are_those_that_bought_in_the_last_quarter_before(day, there):
    """The others count in the tiers, if they bought in the year at all."""
    bought = {"a": on(-200, amount=799) + on(day), "b": on(-10, amount=150) + on(-11, amount=50)}
    bought = {who: days + on(STILL) for who, days in bought.items()}
    made = visits("a", -9) + visits("b", -9) + visits("c", -9)
    found = contacts.accounts(handmade(bought | {"c": on(1, STILL)}, made))
    assert found["tier"].to_dict() == ({"a": "A"} if there else {}) | {"b": "B"}


@pytest.mark.parametrize("day, retained", [(273, 0), (274, 1), (364, 1)])
def test_retained_is_a_purchase_in_the_last_quarter_of_the_year(day, retained):
    """Who never comes again is followed, too."""
    bought = {"a": on(-10, STILL, 150, day), "b": on(-10, STILL, day), "c": on(-10, STILL)}
    made = [row for who in "abc" for row in visits(who, -9)]
    found = contacts.accounts(handmade(bought, made))
    assert found["retained"].tolist() == [retained, retained, 0]


@pytest.mark.parametrize("day, there", [(63.9, False), (64, True), (91.9, True), (92, False)])
def test_accounts_are_those_that_still_buy_when_the_quarter_ends(day, there):
    """Nobody visits an account that has gone: the loss would be the cause of the fewer visits."""
    lost = {"a": on(-10, 5, amount=600), "b": on(-10, day, amount=300), "c": on(-10, STILL, 300)}
    made = [row for who in "abc" for row in visits(who, -9, 5)]
    found = contacts.accounts(handmade(lost, made))
    assert found.index.tolist() == (["b", "c"] if there else ["c"])
    assert found["tier"].tolist() == (["B", "C"] if there else ["C"])  # of all that were visited


def test_accounts_of_a_region_are_those_of_the_simulated_history():
    _, here, truth, row = example()
    found = contacts.accounts(here)
    people = truth.people.set_index(row.index)
    bought = truth.visits[:, 39:52].any(axis=1) & truth.visits[:, 61:65].any(axis=1)
    expected = people.index[(people["visits_before"] > 0) & bought]
    assert found.index.tolist() == sorted(expected)
    people = people.loc[found.index]
    assert people["segment"].isin(["fleet", "restaurant"]).all()
    alike = found["tier"] == people["tier"]
    assert alike.mean() > 0.98  # lines are rounded
    last = truth.visits[row[found.index], 91:].sum(axis=1) > 0
    assert found["retained"].tolist() == last.astype(float).tolist()
    assert found.loc[people["lapse"] <= 91, "retained"].eq(0).all()
    assert (people["lapse"] > 61).all()  # nobody who was lost before the last four weeks
    assert found["monthly"].tolist() == pytest.approx((people["visits_quarter"] / 3).tolist())
    assert (found["as_promised"] == people["visited"])[alike].all()
    assert len(found) > 80


def test_whoever_counts_lost_accounts_as_visited_less_finds_an_effect_that_is_not_there():
    """In a world in which visits keep nobody: three regions, with and without those lost."""
    world, found = World(visit_plan=(3.6, 2.5, 1.4)), {"still": [], "everybody": []}
    for seed in range(3):
        here = region_of(draw(world, 3_000, seed))
        still = contacts.accounts(here)
        with patch.object(landmark, "FOUR_WEEKS", 2 * landmark.QUARTER):  # the quarter before, too
            everybody = contacts.accounts.__wrapped__(here)
        for name, rows in (("still", still), ("everybody", everybody)):
            means = rows.groupby("as_promised")["retained"].mean()
            found[name].append(means[1.0] - means[0.0])
    assert np.mean(found["everybody"]) > 0.15
    assert abs(np.mean(found["still"])) < 0.06  # two standard errors of three regions


def test_a_region_where_nobody_is_visited_has_no_key_accounts():
    assert len(contacts.accounts(handmade({"a": on(-10, 150)}))) == 0


# --- campaigns


def both_arms(found):
    return [found[found["treated"] == arm].set_index("customer_id") for arm in (1, 0)]


def test_first_contacts_are_those_of_the_simulated_campaigns():
    """The last campaign, of week 52, is a day too late to be followed for a year."""
    tables, here, truth, row = example()
    own, _ = both_arms(contacts.campaigns(here))
    week = truth.people["campaign_week"].to_numpy()
    reached = [
        i for i in range(1000) if week[i] < 52 and truth.visits[i, week[i] - 13 : week[i]].any()
    ]
    assert sorted(row[own.index]) == reached
    place = row[own.index].to_numpy()
    day = START + pd.to_timedelta(7 * week[place], "D")
    assert own["own_day"].tolist() == day.tolist()
    assert own["campaign"].tolist() == day.to_period("M").start_time.tolist()
    paid = tables["contacts"].query("purpose == 'retain'").set_index("customer_id")["cost"]
    assert own["spent"].tolist() == paid[own.index].tolist()
    before = np.log1p([truth.visits[i, max(week[i] - 52, 0) : week[i]].sum() for i in place])
    assert own["log_visits"].tolist() == pytest.approx(before.tolist())


def test_the_others_are_customers_not_yet_contacted_on_a_campaign_s_day():
    tables, here, truth, row = example()
    own, others = both_arms(contacts.campaigns(here))
    assert others["own_day"].isin(own["own_day"]).all()
    assert others["campaign"].isin(own["campaign"]).all()
    week = ((others["own_day"] - START).dt.days // 7).to_numpy()
    place = row[others.index].to_numpy()
    assert all(truth.visits[i, w - 13 : w].any() for i, w in zip(place, week, strict=True))
    paid = tables["contacts"].query("purpose == 'retain'").set_index("customer_id")
    paid = paid.reindex(others.index)
    assert not (paid["contacted_on"] <= others["own_day"]).any()
    assert others["spent"].tolist() == paid["cost"].fillna(0).tolist()
    assert 20 < others["spent"].gt(0).sum() < others["spent"].eq(0).sum()


def test_random_days_can_be_drawn_again():
    tables, here, _, _ = example()
    found = contacts.campaigns(here, 3)
    mixed = {name: each.sample(frac=1, random_state=1) for name, each in tables.items()}
    again = contacts.campaigns(region_of(mixed), 3)
    both = [
        each.sort_values(["treated", "customer_id"], ignore_index=True) for each in (found, again)
    ]
    pd.testing.assert_frame_equal(*both)


def test_what_is_spent_later_on_the_others_is_theirs():
    """Campaigns are on days -200 and -50."""
    bought = {who: on(*range(-270, 300, 30)) for who in "xyz"}
    here = handmade(bought, retain("x", -200) + retain("y", -50, -45.5))
    seen = set()
    for seed in range(12):
        own, others = both_arms(contacts.campaigns(here, seed))
        assert own["spent"].to_dict() == {"x": 10, "y": 20}
        seen |= set(zip(others.index, others["own_day"], others["spent"], strict=True))
    assert seen == {("y", after(-200), 20), ("z", after(-200), 0), ("z", after(-50), 0)}


def test_spent_is_what_is_spent_within_a_year():
    """That is from the day itself to the 364th after it."""
    bought = {"x": on(-120, 200), "y": on(-101)}
    made = [
        *retain("x", -99.6, cost=1.0),
        *retain("x", -99.5, cost=2.0),
        *retain("x", 264.9, cost=4.0),
        *retain("x", 265, cost=8.0),
        ("x", 0, "campaign", "acquire", 16.0),
        *retain("y", -100, cost=32.0),
    ]
    own, _ = both_arms(contacts.campaigns(handmade(bought, made)))
    assert own["spent"].to_dict() == {"x": 7, "y": 32}
    assert own["retained"].to_dict() == {"x": 1, "y": 0}


def test_a_campaign_is_a_calendar_month():
    """Days -90 and -60.1 are the first and the last of a month, day -60 is the next one's first."""
    days = {"x": -90, "y": -60.1, "z": -60}
    made = [row for who, day in days.items() for row in retain(who, day)]
    own, _ = both_arms(contacts.campaigns(handmade({who: on(-100) for who in days}, made)))
    months = {"x": "2025-04-01", "y": "2025-04-01", "z": "2025-05-01"}
    assert own["campaign"].to_dict() == {who: pd.Timestamp(day) for who, day in months.items()}


def test_without_contacts_nothing_is_compared():
    here = handmade({"x": on(-5)}, visits("x", -9) + acquire("x", -9) + retain("x", -9, cost=None))
    assert contacts.campaigns(here).empty
    assert contacts.won(handmade({"x": on(-5)})).empty


# --- customers won


def wins(here):
    found = contacts.won(here)
    month = found["campaign"].astype(str)
    return list(zip(found["customer_id"], month, found["cost"], found["won"], strict=True))


def test_won_by_hand():
    bought = {"a": on(-90, -80), "b": on(-300, -90), "c": on(-100), "d": on(83), "e": on(82)}
    made = [row for who in "abcdef" for row in acquire(who, -100)]
    assert wins(handmade(bought, made)) == [
        ("a", "2025-03-01", 600, 1),  # ten days after
        ("b", "2025-03-01", 600, 0),  # a customer before
        ("c", "2025-03-01", 600, 1),  # the same day
        ("d", "2025-03-01", 600, 0),  # 183 days after
        ("e", "2025-03-01", 600, 1),  # 182 days after
        ("f", "2025-03-01", 600, 0),  # never
    ]


def test_contacts_without_half_a_year_after_them_are_left_out():
    bought = {"a": on(190), "b": on(190), "c": on(190)}
    made = acquire("a", 182) + acquire("b", 182.5) + acquire("c", 183)
    assert [who for who, *_ in wins(handmade(bought, made))] == ["a"]


def test_a_second_contact_costs_and_wins_nobody():
    made = acquire("a", -95, cost=50.0) + acquire("a", -100.0, cost=100.0)
    found = wins(handmade({"a": on(-90)}, made))
    assert found == [("a", "2025-03-01", 100, 1), ("a", "2025-03-01", 50, 0)]


def test_other_contacts_win_nobody():
    made = retain("a", -300) + visits("a", -300)
    assert wins(handmade({"a": on(-290)}, made)) == []


def test_a_contact_of_unknown_cost_wins_and_is_counted_as_unknown():
    here = handmade({"a": on(-290)}, acquire("a", -300, cost=None) + retain("a", -100))
    assert wins(here) == [("a", "2024-09-01", 0, 1)]
    assert contacts.cost_known(here) == 0.5


def test_a_second_contact_may_win_who_did_not_come_after_the_first():
    here = handmade({"a": on(-200)}, acquire("a", -500) + acquire("a", -210))
    assert [row[-1] for row in wins(here)] == [0, 1]


def test_contacts_of_a_calendar_month_are_a_campaign():
    made = acquire("a", -90) + acquire("b", -60.1) + acquire("c", -60)
    months = [month for _, month, *_ in wins(handmade({"a": on(-50)}, made))]
    assert months == ["2025-04-01", "2025-04-01", "2025-05-01"]


def test_who_joined_before_the_contact_is_not_won():
    """His first purchase was before the data begin."""
    here = handmade({"a": on(-350)}, acquire("a", -360), joined={"a": "2020-01-01"})
    assert wins(here) == [("a", "2024-07-01", 600, 0)]


def test_customers_won_are_those_who_joined():
    """In the example whoever is contacted buys within four weeks and six days."""
    tables, here, truth, row = example()
    found = contacts.won(here)
    week = truth.people["joined"].iloc[row[found["customer_id"]]].to_numpy()
    assert found["won"].eq(1).all()
    day = START + pd.to_timedelta(week // 4 * 28, "D")
    assert found["campaign"].tolist() == day.to_period("M").start_time.tolist()
    expected = truth.people["joined"].between(0, 104 - 26 - 1).sum()
    assert abs(len(found) - expected) < 0.05 * expected
    paid = tables["contacts"].query("purpose == 'acquire'").set_index("customer_id")["cost"]
    assert found["cost"].tolist() == paid[found["customer_id"]].tolist()


def test_costs_of_each_campaign_by_hand():
    days = pd.to_datetime(["2025-01-01", "2025-01-01", "2025-02-01", "2025-03-01"])
    acquired = pd.DataFrame({"campaign": days, "cost": [4.0, 8, 5, 9], "won": [1.0, 1, 1, 0]})
    contacted = pd.DataFrame({"campaign": days, "spent": [1.0, 3, 4, 5]})
    found = contacts.by_campaign(acquired, contacted)
    assert found["purpose"].tolist() == ["won"] * 2 + ["contacted"] * 3
    assert found["campaign"].tolist() == [*days[[0, 2]], *days[[0, 2, 3]]]
    assert found["cost_per_head"].tolist() == [6, 5, 2, 4, 5]


def wins_and_trial(months_won=3, months_contacted=3, saved=1.0):
    """Return customers won, and contacted ones for 5 each, of so many months."""
    won, contacted = (
        pd.date_range("2025-01-01", periods=n, freq="MS") for n in (months_won, months_contacted)
    )
    frame = pd.DataFrame({"campaign": contacted, "treated": 1.0, "spent": 5.0})
    others = frame.assign(treated=0.0, spent=saved)
    return pd.DataFrame({"campaign": won, "won": 1.0, "cost": 8.0}), pd.concat([frame, others])


@pytest.mark.parametrize(
    "case, said",
    [
        ({"months_won": 2}, "Campaigns of 2 months won customers; 3 are needed."),
        ({"months_contacted": 1}, "Campaigns of 1 months contacted customers to keep them, a year"),
        ({"saved": 5.0}, "No more was spent"),
    ],
)
def test_what_is_lacking_is_said(case, said):
    (sentence,) = contacts.lacking(*wins_and_trial(**case))
    assert sentence.startswith(said)


def test_nothing_is_lacking_with_three_months_and_more_spent():
    wins, trial = wins_and_trial()
    assert contacts.lacking(wins, trial) == []
    assert len(contacts.lacking(wins.assign(won=0.0), trial)) == 1
    assert contacts.lacking(wins, trial[trial["treated"] == 1]) == []
    paid_once = wins.assign(cost=[8.0, 0.0, 0.0])
    assert contacts.lacking(paid_once, trial) == [
        "Campaigns of 1 months to win customers had a cost; 3 are needed."
    ]


# --- costs per head


def plain_jackknife(cost, heads, campaign):
    """Return the log ratio and its error, leaving out one campaign after the other."""
    left = []
    for each in np.unique(campaign):
        others = campaign != each
        left.append(np.log(cost[others].sum() / heads[others].sum()))
    k = len(left)
    return np.log(cost.sum() / heads.sum()), np.sqrt((k - 1) * np.var(left)), k


def log_normal_error(cost, heads, campaign):
    """Return Cox's error of the log of a log-normal mean, from costs per head by campaign."""
    logs = [
        np.log(cost[campaign == each].sum() / heads[campaign == each].sum())
        for each in np.unique(campaign)
    ]
    variance, k = np.var(logs, ddof=1), len(logs)
    return np.sqrt(variance / k + variance**2 / (2 * (k - 1)))


@properties
@given(st.integers(0, 10_000), st.integers(3, 15))
def test_a_cost_per_head_is_a_jackknife_over_campaigns_and_at_least_log_normal(seed, k):
    rng = np.random.default_rng(seed)
    campaign = np.concatenate([np.arange(k), rng.integers(0, k, 40)])
    cost, heads = rng.lognormal(3, 1, k + 40), rng.integers(1, 4, k + 40)
    found = campaign_costs.per_head(pd.Series(cost), pd.Series(heads), pd.Series(campaign))
    middle, se, n_campaigns = plain_jackknife(cost, heads, campaign)
    se = max(se, log_normal_error(cost, heads, campaign))
    assert np.log(found.estimate) == pytest.approx(middle)
    assert found.se == pytest.approx(se)
    assert (found.scale, found.df, found.n_obs) == ("log", n_campaigns - 1, heads.sum())
    width = stats.t.ppf(0.975, k - 1) * se
    assert np.log([found.ci_low, found.ci_high]) == pytest.approx([middle - width, middle + width])


@properties
@given(st.integers(0, 10_000), st.floats(0.01, 100))
def test_another_currency_multiplies_the_cost_and_its_interval(seed, rate):
    rng = np.random.default_rng(seed)
    cost, heads = pd.Series(rng.lognormal(3, 1, 20)), pd.Series(rng.integers(1, 4, 20))
    campaign = pd.Series(np.arange(20) % 5)
    one = campaign_costs.per_head(cost, heads, campaign)
    other = campaign_costs.per_head(rate * cost, heads, campaign)
    both = [(each.estimate, each.ci_low, each.ci_high) for each in (one, other)]
    assert np.array(both[1]) == pytest.approx(rate * np.array(both[0]))
    assert other.se == pytest.approx(one.se)


def test_campaigns_of_the_same_cost_per_head_leave_no_error():
    heads = pd.Series([1, 5, 3, 2])
    found = campaign_costs.per_head(7.0 * heads, heads, pd.Series(list("abca")))
    assert found.estimate == pytest.approx(7)
    assert np.isnan([found.ci_low, found.ci_high]).all()


@pytest.mark.parametrize(
    "cost, heads, campaign",
    [
        ([5.0, 6, 7], [1, 1, 1], list("aab")),
        ([5.0, 6, 7], [0, 0, 2], list("abc")),
        ([5.0, 0, 0], [1, 1, 1], list("abc")),
        ([], [], []),
    ],
    ids=["two campaigns", "one has all heads", "one has all costs", "none"],
)
def test_a_cost_per_head_needs_three_campaigns(cost, heads, campaign):
    with pytest.raises(ValueError, match="needs 3 campaigns"):
        campaign_costs.per_head(*(pd.Series(each) for each in (cost, heads, campaign)))


# --- what winning costs over what keeping costs

WINNING = from_se(600, 0.1, 90, scale="log", df=10)
CONTACT = from_se(10, 0.2, 500, scale="log", df=8)
KEPT = from_se(0.05, 0.01, 900, df=np.inf, method="adjusted")


@pytest.mark.parametrize("uncertain", ["winning", "contact", "kept"])
def test_with_one_error_the_interval_is_that_of_its_own_distribution(uncertain):
    effects = {
        "winning": from_se(600, 0.2 * (uncertain == "winning"), 9, scale="log", df=11),
        "contact": from_se(10, 0.2 * (uncertain == "contact"), 9, scale="log", df=11),
        "kept": from_se(0.05, 0.02 * (uncertain == "kept"), 900, df=11),
    }
    found = campaign_costs.cost_ratio(*effects.values(), saved=2.0)
    assert found.estimate == pytest.approx(600 * 0.05 / 8)
    half = stats.t.ppf(0.975, 11)
    away = 1 + 0.4 * half if uncertain == "kept" else np.exp(0.2 * half)
    near = 1 - 0.4 * half if uncertain == "kept" else 1 / away
    ends = [near * found.estimate, away * found.estimate]
    assert [found.ci_low, found.ci_high] == pytest.approx(ends, abs=0.03 * ends[1])
    assert (found.scale, found.n_obs) == ("identity", 900)


def test_small_errors_add_up_as_the_delta_method_says():
    found = campaign_costs.cost_ratio(
        from_se(600, 0.02, 9, scale="log"), from_se(10, 0.03, 9, scale="log"),
        from_se(0.05, 0.001, 900), saved=2.0,
    )  # fmt: skip
    expected = found.estimate * np.sqrt(0.02**2 + 0.03**2 + (0.001 / 0.05) ** 2)
    assert found.se == pytest.approx(expected, rel=0.03)


def test_the_interval_is_the_same_every_time():
    first, second = (campaign_costs.cost_ratio(WINNING, CONTACT, KEPT, 2.0) for _ in range(2))
    assert (first.ci_low, first.ci_high) == (second.ci_low, second.ci_high)
    assert first.method.endswith("adjusted")


def test_where_nobody_is_kept_the_ratio_is_nothing_with_an_interval():
    nobody = from_se(0.0, 0.01, 900, df=40)
    found = campaign_costs.cost_ratio(WINNING, CONTACT, nobody, saved=2.0)
    half_width = 75 * 0.01 * stats.t.ppf(0.975, 40)
    assert found.estimate == 0
    # winning and contacts have errors, too: the interval is a little wider
    assert [-found.ci_low, found.ci_high] == pytest.approx([half_width, half_width], rel=0.2)


def test_without_any_error_the_ratio_is_a_number():
    sure = [
        Estimate(x, x, x, 9, scale) for x, scale in ((600, "log"), (10, "log"), (0.1, "identity"))
    ]
    found = campaign_costs.cost_ratio(*sure, saved=0.0)
    assert (found.estimate, found.ci_low, found.ci_high) == (6, 6, 6)


@pytest.mark.parametrize("saved", [10.0, 12.0])
def test_a_ratio_needs_more_spent_on_those_contacted(saved):
    with pytest.raises(ValueError, match="No more was spent"):
        campaign_costs.cost_ratio(WINNING, CONTACT, KEPT, saved)


def spending(rng, mean):
    """Return costs, heads and campaigns of twelve campaigns with log-normal costs."""
    heads = pd.Series(rng.poisson(20.0, 12) + 1)
    cost = mean * np.exp(0.4 * rng.standard_normal(12) - 0.08)
    return heads * cost, heads, pd.Series(range(12))


def kept_more(rng, n=1500, shares=(0.8, 0.7)):
    """Estimate the difference of two shares, of n customers each."""
    first, second = rng.binomial(n, shares) / n
    se = np.sqrt((first * (1 - first) + second * (1 - second)) / n)
    return from_se(first - second, se, 2 * n)


@pytest.mark.slow
@pytest.mark.parametrize(("k", "spread"), [(6, 1.0), (12, 1.5)])
def test_a_few_campaigns_that_cost_many_times_the_others_do_not_make_intervals_too_short(k, spread):
    """A jackknife alone covers 89 and 87% here."""
    rng, held = np.random.default_rng(1), []
    for _ in range(N_COVERAGE):
        heads = pd.Series(rng.poisson(30.0, k) + 1)
        cost = heads * np.exp(spread * rng.standard_normal(k) - spread**2 / 2)
        found = campaign_costs.per_head(cost, heads, pd.Series(range(k)))
        held.append(found.ci_low <= 1 <= found.ci_high)
    assert 0.92 <= np.mean(held) <= 0.975


@pytest.mark.slow
def test_coverage_of_costs_per_head_and_of_their_ratio():
    rng, held = np.random.default_rng(1), []
    for _ in range(N_COVERAGE):
        winning, contact = (campaign_costs.per_head(*spending(rng, mean)) for mean in (600, 8.4))
        ratio = campaign_costs.cost_ratio(winning, contact, kept_more(rng), saved=2.4)
        truths = {600: winning, 8.4: contact, 10: ratio}
        held.append([each.ci_low <= value <= each.ci_high for value, each in truths.items()])
    assert np.mean(held, axis=0) == pytest.approx([0.95] * 3, abs=3 * MC_ERROR)


@pytest.mark.parametrize(
    ("winning", "contact", "kept", "saved"),
    [(599.3, 9.2, 0.111, 3.27), (612.0, 30.4, 0.063, 0.0), (0.91, 0.024, 0.2, 0.01),
     (61_234.0, 512.3, 0.0412, 12.7)],
)  # fmt: skip
def test_the_ratio_of_costs_follows_from_the_numbers_that_are_printed(
    winning, contact, kept, saved
):
    costs = [from_se(each, 0.1, 100, scale="log", df=20) for each in (winning, contact)]
    effect = from_se(kept, 0.01, 1000)
    said = campaign_costs.costs_in_words(*costs, effect, saved, "CNY")
    number = r"([+−]?[\d,]*\.?\d+)"
    win, net, of_contact, other, more, each, ratio = (
        float(re.search(where.replace("#", number), said).group(1).replace(",", ""))
        for where in (
            r"costs # \(", "keep them # CNY", r"\(# less", r"less #\)", r"hundred # \(",
            r": # \(", r"Winning costs # \(",
        )
    )  # fmt: skip
    assert win / each == pytest.approx(ratio, rel=5e-3, abs=0.06)  # three digits are printed
    assert 100 * net / more == pytest.approx(each, rel=1e-2)
    assert of_contact - other == pytest.approx(net, rel=5e-3)
    whole = campaign_costs.cost_ratio(*costs, effect, saved)
    ends = f"({whole.ci_low:.1f} to {whole.ci_high:.1f}) times what keeping costs."
    assert ratio == pytest.approx(whole.estimate, abs=0.06)
    assert said.endswith(ends)


def test_campaigns_that_all_cost_the_same_have_no_range_and_a_ratio():
    """50 for each head in each of 6 months, and 5 of a hundred kept, give or take 1.96."""
    months = pd.Series(range(6))
    cost = campaign_costs.per_head(months * 0 + 500.0, months * 0 + 10.0, months)
    assert cost.estimate == 50
    kept = from_se(0.05, 0.01, 900)
    ratio = campaign_costs.cost_ratio(cost, cost, kept, 40.0)
    ends = [50 / 10 * (0.05 - 0.0196), 50 / 10 * (0.05 + 0.0196)]
    assert [ratio.ci_low, ratio.ci_high] == pytest.approx(ends, rel=0.02)
    said = campaign_costs.costs_in_words(cost, cost, kept, 40.0, "CNY")
    assert said.startswith("Winning a customer costs 50 (range unknown) CNY. ")


def test_the_cost_of_a_customer_kept_has_the_range_of_what_it_is_made_of():
    """Sure costs of 8 more, and 5 of a hundred kept with a standard error of 1: 8 / (5 ± 1.96)."""
    sure = Estimate(10, 10, 10, 9, "log")
    found = campaign_costs.cost_of_keeping(sure, from_se(0.05, 0.01, 900), saved=2.0)
    assert found.estimate == pytest.approx(160)
    ends = [8 / (0.05 + 0.0196), 8 / (0.05 - 0.0196)]
    assert [found.ci_low, found.ci_high] == pytest.approx(ends, rel=0.02)
    perhaps = campaign_costs.cost_of_keeping(sure, from_se(0.01, 0.01, 900), saved=2.0)
    assert (perhaps.estimate, perhaps.ci_high) == (pytest.approx(800), np.inf)
    assert text("{each:amount}", each=perhaps).endswith(" to ∞)")
    nobody = campaign_costs.cost_of_keeping(sure, from_se(-0.01, 0.01, 900), saved=2.0)
    assert np.isnan(nobody.estimate)


def test_no_ratio_of_costs_is_printed_where_nobody_is_kept():
    costs = [from_se(each, 0.1, 100, scale="log", df=20) for each in (600.0, 9.0)]
    said = campaign_costs.costs_in_words(*costs, from_se(-0.01, 0.01, 1000), 3.0, "CNY")
    assert said.endswith("nobody seems to be kept by it.")
    assert "times" not in said


def test_contacts_that_are_not_recorded_are_not_none():
    tables, here, *_ = example()
    assert contacts.reached(here).endswith("were visited, called or reached by a campaign")
    without = region_of({name: each for name, each in tables.items() if name != "contacts"})
    assert contacts.reached(without) == "visits, calls and campaigns are not recorded"
