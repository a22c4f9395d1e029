"""The trial of H21: whoever is kept by contacts by lot, at what those and new customers cost."""

import functools
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.claims.trials import designs, in_units, planning, reading, sizing, words
from analysis.claims.verdicts import judge_part
from analysis.cohorts import contacts
from analysis.cohorts.trials import units
from analysis.language import use
from analysis.statistics.estimate import Estimate, NotEstimable
from analysis.statistics.trial.complier import complier_effect
from analysis.statistics.value import campaign_costs
from simulation.rehearsal import END, region_of

DESIGN = designs.design("H21")
DAY = pd.Timestamp(END) - pd.Timedelta(days=364)
"""The last day before the lots."""
SIZE = 5_000
CONTACT, KEPT, STAY = 8.0, 0.25, 0.5
"""What a contact costs, whom it keeps, and who stays without one."""
IDS = np.array([f"A{i:05}" for i in range(SIZE)])
MONTHS = pd.date_range("2024-07-10", periods=18, freq="MS") + pd.Timedelta(days=9)
PER_MONTH, SPREAD = 20, 0.10
"""Contacts to win customers in a month, and the spread of the log of a month's cost of each."""


def region(ratio, treated, rng):
    """Return a region in which winning costs so many times what keeping costs; 0 keeps nobody."""
    kept = KEPT if ratio else 0.0
    each = (ratio or 6.5) * CONTACT / KEPT / 2  # half of those whom it is spent on are won
    level = each * np.exp(SPREAD * rng.standard_normal(len(MONTHS)) - SPREAD**2 / 2)
    new = np.array([f"B{i:05}" for i in range(PER_MONTH * len(MONTHS))])
    day = np.repeat(MONTHS, PER_MONTH)
    won = rng.random(len(new)) < 0.5
    chosen, stays = rng.random((2, SIZE))
    reached = chosen < np.where(treated == 1, 0.9, 0.05)
    stays = stays < STAY + kept * reached
    bought = [
        pd.DataFrame({"customer_id": IDS, "bought_at": DAY - pd.Timedelta(days=30)}),
        pd.DataFrame({"customer_id": IDS, "bought_at": pd.Timestamp("2024-07-02 09:00")}),
        pd.DataFrame({"customer_id": IDS[stays], "bought_at": END - pd.Timedelta(days=20)}),
        pd.DataFrame({"customer_id": new[won], "bought_at": day[won] + pd.Timedelta(days=10)}),
    ]
    cost = CONTACT * np.exp(0.3 * rng.standard_normal(reached.sum()) - 0.045)
    made = {"customer_id": IDS[reached], "contacted_on": DAY + pd.Timedelta(days=8), "cost": cost}
    spent = {"customer_id": new, "contacted_on": day, "cost": np.repeat(level, PER_MONTH)}
    people = {"customer_id": np.append(IDS, new), "segment": "private", "area": "urban"}
    people["joined_on"] = np.append(np.full(SIZE, np.datetime64("2020-01-01")), day)
    lines = pd.concat(bought, ignore_index=True)
    return region_of(
        {
            "customers": pd.DataFrame(people),
            "contacts": pd.concat(
                [
                    pd.DataFrame(made).assign(purpose="retain", kind="campaign"),
                    pd.DataFrame(spent).assign(purpose="acquire", kind="campaign"),
                ]
            ),
            "transactions": lines.astype({"bought_at": "datetime64[us]"}).assign(
                station_id="S1", product="fuel", quantity=30.0, amount=220.0, cost=200.0
            ),
        }
    )


@functools.cache
def people():
    """Return those who could take part; what is known of them is the same in every trial."""
    here = region(6.5, np.zeros(SIZE), np.random.default_rng(0))
    found = units.eligible(here, "customers", DAY.date())
    return found[found.index.isin(IDS)]


@functools.cache
def plan():
    here = replace(region(6.5, np.zeros(SIZE), np.random.default_rng(0)), end=DAY.date())
    fixed = {"needed": None, "power": None, "compliance": 0.9, "attrition": 0.0}
    return planning.drawn(here, DESIGN, "H21 Example", 1, past=pd.DataFrame(), **fixed).plan


def trial(ratio, seed):
    """Return the region of a trial, and the trial as it is read back."""
    rng = np.random.default_rng(seed)
    treated = rng.permutation(SIZE) % 2
    here = region(ratio, treated, rng)
    known = people().assign(treated=treated, received=treated, over=True)
    return here, reading.Reading(plan(), known, here.end, ())


def ratio_of(ratio, seed):
    """Return the cost ratio that a trial found, and its verdict."""
    here, found = trial(ratio, seed)
    kept = complier_effect(reading.with_outcomes(here, found), "dose").interval
    effect = in_units.unit_of(here, DESIGN).told(kept)
    return effect, judge_part(DESIGN.decides, effect)


@pytest.mark.parametrize(
    ("ratio", "right", "times"),
    [(6.5, "supported", 80), (14.0, "contradicted", 40), (0.0, "contradicted", 40)],
)
def test_intervals_hold_the_planted_ratio_and_no_verdict_is_wrong(ratio, right, times):
    effects, verdicts = zip(*[ratio_of(ratio, seed) for seed in range(times)], strict=True)
    assert np.mean([each.ci_low <= ratio <= each.ci_high for each in effects]) >= 0.87
    assert set(verdicts) <= {right, "inconclusive"}
    assert verdicts.count(right) > 0.3 * times


def test_it_is_the_ratio_of_the_notebook_from_the_effect_of_the_lot():
    """What was spent more on each, and how many more stayed, make the same ratio and interval."""
    here, found = trial(6.5, 1)
    result = reading.analysed(here, found, 1)
    drawn = reading.with_outcomes(here, found)
    spent = drawn.units.groupby("treated")["dose"].mean()
    wins = contacts.won(here)
    winning = campaign_costs.per_head(wins["cost"], wins["won"], wins["campaign"])
    contact = Estimate(spent[1], np.nan, np.nan, SIZE, "log")
    usual = campaign_costs.cost_ratio(winning, contact, result.assigned.effect, spent[0])
    assert result.effect.estimate == pytest.approx(usual.estimate, rel=0.01)
    assert result.effect.ci_low == pytest.approx(usual.ci_low, rel=0.02)
    assert result.effect.ci_high == pytest.approx(usual.ci_high, rel=0.02)


def test_a_contact_that_keeps_nobody_has_an_interval_that_holds_none():
    here, found = trial(6.5, 1)
    lot = np.random.default_rng(9).permutation(SIZE) % 2
    unit = in_units.unit_of(here, DESIGN)
    nobody = unit.told(Estimate(-0.0001, -0.003, 0.0028, SIZE))
    assert nobody.ci_low < 0 < nobody.ci_high < 5
    assert judge_part(DESIGN.decides, nobody) == "contradicted"
    none = here.with_tables(contacts=here.contacts.query("purpose == 'acquire'"))
    with pytest.raises(NotEstimable, match="made no difference to what the"):
        reading.analysed(none, replace(found, people=found.people.assign(treated=lot)))
    open_end = unit.told(Estimate(0.02, -np.inf, np.inf, SIZE))
    assert judge_part(DESIGN.decides, open_end) == "inconclusive"


def test_contacts_without_a_cost_hold_the_verdict_back():
    here, found = trial(6.5, 1)
    rows = here.contacts.copy()
    first = rows.index[rows["purpose"] == "retain"][:300]
    rows.loc[first, "cost"] = np.nan
    result = reading.analysed(here.with_tables(contacts=rows), found, 1)
    assert result.verdict == "inconclusive"
    assert [each.name for each in result.checks if not each.passed] == [
        "contacts whose cost is known"
    ]


def test_a_plan_assumes_the_middle_of_the_claim():
    """6.5 times what keeping costs is 6.5 x 0.9 x 8 / 208 = 22.5 more of a hundred that stay."""
    here = region(6.5, np.zeros(SIZE), np.random.default_rng(0))
    unit = in_units.unit_of(here, DESIGN)
    assert unit.offer == pytest.approx(CONTACT, rel=0.05)
    per_head = 6.5 / unit.measured(6.5)
    assert per_head == pytest.approx(6.5 * CONTACT / KEPT, rel=0.1)
    past = people().assign(outcome=np.arange(SIZE) % 2.0, dose=0.0)
    size = sizing.sizing(past, DESIGN, 0.9, 0.5, 1, replicates=40, unit=unit)
    assert size.effect == 6.5
    assert 2_000 < size.needed < 9_000
    dear = replace(unit, told=lambda each: Estimate(each.estimate, 0.0, 13.0, SIZE))
    with pytest.raises(NotEstimable, match="varies so much between campaigns"):
        sizing.sizing(past, DESIGN, 0.9, 0.5, 1, unit=dear)


def test_it_is_said_in_the_claim_s_own_words():
    here, found = trial(6.5, 1)
    result = reading.analysed(here, found, 1)
    said = words.of_result(found, result)
    assert "Winning a customer costs 6.78 times what keeping one costs (95%" in said
    assert re.search(r"The lot added 6\.\d+ ", said)
    [claimed] = [each for title, each in words.of_plan(found.plan) if "Outcome" in each[0]]
    assert "Claimed: 5.00 to 8.00 (cost of winning over cost of keeping)." in claimed
    use("zh")
    try:
        assert "争取新客户的成本是保留老客户的6.78" in words.of_result(found, result)
    finally:
        use("en")
