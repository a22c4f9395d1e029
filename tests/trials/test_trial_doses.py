"""Trials whose offer moves a rating: what the lot alone moved of it has the planted effect."""

import functools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.claims.trials import designs, planning, plans, reading, sizing, words
from analysis.claims.verdicts import judge_part
from analysis.cohorts.trials import answers, outcomes, units
from analysis.statistics.estimate import NotEstimable
from analysis.statistics.measurement import scales
from analysis.statistics.regression import models
from analysis.statistics.trial.complier import complier_effect
from simulation.drawing.survey import to_scale
from simulation.drawing.tables import draw
from simulation.rehearsal import region_of
from simulation.world import World

DAY = pd.Timestamp("2025-12-29")
"""The last day before the lots: 182 days before the end."""
MOVED = 0.6
"""By how much the offer moves the service, in units of its latent score."""
TRIALS = 100
PLANTED = -0.6
RNG = np.random.default_rng(3)


@functools.cache
def here():
    """Return a region of 2,500 customers, in which nobody answered."""
    tables = draw(World(), 2500, 5)
    return region_of(tables | {"survey": tables["survey"].iloc[:0]})


@functools.cache
def people():
    return units.eligible(here(), "customers", DAY.date())


def latent(n, treated, effect, rng):
    """Return service and price: one tendency in both answers hides what the service does."""
    style, own, other = rng.standard_normal((3, n))
    service = 0.8 * style + 0.6 * own + MOVED * treated
    return service, effect * service + 1.0 * style + other


def answered(ids, days, treated, effect, rng, more=0.0):
    """Return the survey's rows of some customers."""
    service, price = latent(len(ids), treated, effect, rng)
    price = price + more
    world, noise = World(), 0.3 * rng.standard_normal((2, len(ids)))
    rows = {"customer_id": ids, "answered_on": days, "price_sensitivity": to_scale(world, price)}
    rows |= {
        name: to_scale(world, service + each)
        for name, each in zip(("added_service", "personnel_value"), noise, strict=True)
    }
    return pd.DataFrame(rows)


def surveyed(treated, effect, rng):
    """Return the region with answers of everybody before the lot, and of 70% after it."""
    ids, n = people().index.to_numpy(), len(people())
    first = answered(ids, DAY - pd.Timedelta(days=30), np.zeros(n), effect, rng)
    days = DAY + pd.to_timedelta(rng.integers(10, 150, n), "D")
    later = answered(ids, days, treated, effect, rng)[rng.random(n) < 0.7]
    rows = pd.concat([first, later], ignore_index=True)
    return here().with_tables(survey=rows.reindex(columns=here().survey.columns))


@functools.cache
def truth(effect):
    """Return the effect in the claim's unit, from a large draw of answers without an offer."""
    n = 400_000
    before = answered(np.arange(n), DAY, np.zeros(n), effect, np.random.default_rng(1))
    after = answered(np.arange(n), DAY, np.ones(n), effect, np.random.default_rng(1))
    mean = [answers.scores(each.assign(satisfaction_1=1.0))["service"] for each in (before, after)]
    dose = (mean[1] - mean[0]).mean() / mean[0].std()
    _, price = latent(n, np.zeros(n), effect, np.random.default_rng(1))
    left = price.std() * np.sqrt(1 - np.corrcoef(price, mean[0])[0, 1] ** 2)
    return effect * MOVED / left / dose


@functools.cache
def plan():
    """Return the plan that was made on the day before the lots, and the lots."""
    fixed = {"needed": None, "power": None, "compliance": 0.5, "attrition": 0.3}
    then = replace(here(), end=DAY.date())
    return planning.drawn(
        then, designs.design("H07"), "H07 Example", 1, past=pd.DataFrame(), **fixed
    )


def trial(effect, seed):
    """Return the effect that a trial found, and its verdict."""
    rng = np.random.default_rng(seed)
    treated = rng.permutation(len(people())) % 2
    region = surveyed(treated, effect, rng)
    found = reading.Reading(plan().plan, people().assign(treated=treated), region.end, ())
    effect = complier_effect(reading.with_outcomes(region, found), "dose").interval
    return effect, judge_part(designs.design("H07").decides, effect)


# --- the unit of the claim


def test_an_opinion_has_the_slope_of_an_ordered_probit():
    """Segments differ in price sensitivity, and the answers are crowded at the top."""
    ids = people().index.to_numpy()
    segment = here().customers.set_index("customer_id")["segment"].reindex(ids)
    private = (segment == "private").to_numpy(float)
    known = answered(ids, DAY, np.zeros(len(ids)), -0.5, np.random.default_rng(2), private)
    known = known.set_index("customer_id").reindex(columns=here().survey.columns[1:])
    known = known.assign(**answers.scores(known))
    own = known["price_sensitivity"], known, "price_sensitivity", "service"
    frame = known.assign(
        y=answers.as_opinions(here(), *own),
        z=answers.in_deviations(known["service"], known, "service"),
        private=private,
    )
    line = models.contrast(models.ols("y ~ z + private", frame), "z")
    probit = models.contrast(models.ordered("price_sensitivity ~ z + private", frame), "z")
    assert line.estimate == pytest.approx(probit.estimate, abs=0.01)
    raw = models.contrast(models.ols("price_sensitivity ~ z + private", frame), "z")
    raw = raw.estimate / frame["price_sensitivity"].std()
    assert abs(raw - probit.estimate) > 0.03


def test_opinions_of_two_equal_halves():
    """The mean of half a normal is 0.798; a slope on it is (2/pi) of that of the opinion."""
    found = scales.opinions(pd.Series([1, 2] * 50))
    assert found.tolist() == pytest.approx([-np.sqrt(np.pi / 2), np.sqrt(np.pi / 2)])


# --- planted effects


def test_intervals_hold_the_planted_effect_and_no_verdict_is_wrong():
    effects, verdicts = zip(*[trial(PLANTED, seed) for seed in range(TRIALS)], strict=True)
    covered = [each.ci_low <= truth(PLANTED) <= each.ci_high for each in effects]
    assert np.mean(covered) >= 0.90  # 95% less two errors and a half
    assert set(verdicts) == {"supported", "inconclusive"}
    assert verdicts.count("supported") > 0.8 * TRIALS
    middle = pd.Series([each.estimate for each in effects])
    assert abs(middle.mean() - truth(PLANTED)) < 3 * middle.std() / np.sqrt(TRIALS)


def test_a_service_without_effect_is_not_supported():
    """Answers alone say that the better served mind the price more: a tendency in both."""
    effects, verdicts = zip(*[trial(0.0, seed) for seed in range(TRIALS)], strict=True)
    assert np.mean([each.ci_low <= 0 <= each.ci_high for each in effects]) >= 0.90
    assert verdicts.count("supported") <= 0.05 * TRIALS


# --- from plan to verdict


def test_a_trial_is_planned_listed_and_read_back(tmp_path):
    past = here().with_tables(survey=surveyed(np.zeros(len(people())), 0.0, RNG).survey)
    known = planning.history(past, designs.design("H07"))
    assert known["outcome"].notna().mean() > 0.9
    size = sizing.sizing(known, designs.design("H07"), 0.5, 0.5, 1, replicates=10)
    assert size.attrition == pytest.approx(known["outcome"].isna().mean())
    assert size.needed is None or size.needed > 10_000
    made = plan()
    plans.register(made.plan, made.lots, tmp_path)
    lots = made.lots.drop(columns=["place", "block"])
    is_served = (lots.set_index("unit")["arm"] == "served").reindex(people().index)
    region = surveyed(is_served.to_numpy(), PLANTED, RNG)
    days = lots.assign(assigned_on=pd.Timestamp(DAY) + pd.Timedelta(days=1))
    days["received_on"] = days["assigned_on"].where(lots["arm"] == "served")
    region = region.with_tables(assignments=days)
    found = reading.read_trial(region, "H07 Example", tmp_path)
    assert [each.name for each in found.checks if not each.passed] == []
    result = reading.analysed(region, found, 1)
    assert result.verdict == "supported"
    said = words.of_result(found, result)
    assert "Per standard deviation of what the offer moved (the mean rating of added" in said
    assert "The offer moved it by +0.46 (" in said
    with pytest.raises(NotEstimable, match="The trial runs"):
        reading.analysed(region, replace(found, people=found.people.assign(over=False)), 1)


def test_without_answers_before_the_lot_there_is_no_unit():
    region = here().with_tables(survey=answered(people().index[:99], DAY, np.zeros(99), 0.0, RNG))
    with pytest.raises(NotEstimable, match="99 customers answered the survey until 2025-12-29"):
        outcomes.measured(region, people(), *designs.design("H07").measures)


def test_answers_that_the_offer_itself_brings_hold_the_verdict_back():
    """Of those without the offer every second does not answer: who did may be another kind."""
    treated = np.arange(len(people())) % 2
    region = surveyed(treated, PLANTED, np.random.default_rng(4))
    rows, silent = region.survey, people().index[treated == 0][::2]
    rows = rows[~(rows["customer_id"].isin(silent) & (rows["answered_on"] > DAY))]
    known = people().assign(treated=treated, received=treated, over=True)
    found = reading.Reading(plan().plan, known, region.end, ())
    result = reading.analysed(region.with_tables(survey=rows), found, 1)
    assert [each.name for each in result.checks if not each.passed] == [
        "as many outcomes known in both arms"
    ]
    assert result.verdict == "inconclusive"


def test_a_rating_that_the_offer_did_not_move_decides_nothing():
    """Its interval is open where the lot moved the rating no more than chance would."""
    region = surveyed(np.zeros(len(people())), PLANTED, np.random.default_rng(5))
    known = people().assign(treated=np.arange(len(people())) % 2, received=0, over=True)
    result = reading.analysed(region, reading.Reading(plan().plan, known, region.end, ()), 1)
    assert not result.received.is_bounded
    assert result.verdict == "inconclusive"
