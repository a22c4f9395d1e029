"""The trial of H14: a call by lot moves satisfaction, which moves what customers bring."""

import functools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.claims.trials import designs, in_units, planning, plans, reading, sizing, words
from analysis.claims.verdicts import judge_part
from analysis.cohorts import landmark
from analysis.cohorts.trials import units
from analysis.statistics.estimate import Estimate
from analysis.statistics.trial.complier import complier_effect
from simulation.drawing.survey import to_scale
from simulation.rehearsal import END, region_of
from simulation.world import World

DESIGN = designs.design("H14")
DAY = pd.Timestamp(END) - pd.Timedelta(days=455)
"""The last day before the lots."""
SIZE, TRIALS = 6_000, 60
MOVED, ANSWERS, NOISE = 0.8, 0.8, 0.4
"""What a call adds to latent satisfaction, who answers, and the log's spread of what is bought."""
IDS = np.array([f"A{i:05}" for i in range(SIZE)])
BASE = np.exp(0.5 * np.random.default_rng(0).standard_normal(SIZE))
"""What each would buy, which is seen in the year before."""
FIXED = {"needed": None, "power": None, "compliance": 0.5, "attrition": 0.2}
ITEMS = ("satisfaction_1", "satisfaction_2", "satisfaction_3")


def rated(latent, rng):
    """Return the three items of satisfaction."""
    return {
        name: to_scale(World(), 0.8 * latent + 0.4 * rng.standard_normal(len(latent)))
        for name in ITEMS
    }


def region(effect, treated, rng):
    """Return a region in which a unit of satisfaction is so much of the log of what is brought.

    Whoever is attached is satisfied and buys more, which is no effect of satisfaction.
    """
    attached, own = rng.standard_normal((2, SIZE))
    latent = 0.7 * attached + 0.7 * own + MOVED * treated
    noise = rng.standard_normal(SIZE)
    after = BASE * np.exp(effect * latent + 0.2 * attached + NOISE * noise)
    asked, reply = (
        rng.random(SIZE) < ANSWERS,
        DAY + pd.to_timedelta(rng.integers(20, 90, SIZE), "D"),
    )
    first = {"customer_id": IDS, "answered_on": DAY - pd.Timedelta(days=40)}
    first |= rated(latent - MOVED * treated, rng)
    later = {"customer_id": IDS, "answered_on": reply, **rated(latent, rng)}
    days = {"2024-07-02 09:00": BASE, DAY - pd.Timedelta(days=30): BASE}
    days[pd.Timestamp(END) - pd.Timedelta(days=100)] = after
    amounts = [
        pd.DataFrame({"customer_id": IDS, "bought_at": pd.Timestamp(day), "amount": 1000 * each})
        for day, each in days.items()
    ]
    lines = pd.concat(amounts, ignore_index=True).astype({"bought_at": "datetime64[us]"})
    people = {"customer_id": IDS, "segment": "private", "area": "urban"}
    return region_of(
        {
            "customers": pd.DataFrame(people).assign(joined_on=pd.Timestamp("2020-01-01")),
            "survey": pd.concat([pd.DataFrame(first), pd.DataFrame(later)[asked]]),
            "transactions": lines.assign(
                station_id="S1", product="fuel", quantity=30.0, cost=0.9 * lines["amount"]
            ),
        }
    )


@functools.cache
def people():
    here = region(0.0, np.zeros(SIZE), np.random.default_rng(1))
    return units.eligible(here, "customers", DAY.date())


@functools.cache
def made():
    """Return the plan that was made on the day before the lots, and the lots."""
    here = replace(region(0.0, np.zeros(SIZE), np.random.default_rng(1)), end=DAY.date())
    return planning.drawn(here, DESIGN, "H14 Example", 1, past=pd.DataFrame(), **FIXED)


@functools.cache
def truth(effect):
    """Return the ratio per standard deviation of the index, from a large draw."""
    rng = np.random.default_rng(2)
    latent = np.sqrt(0.98) * rng.standard_normal(400_000)
    index = [
        np.mean([*rated(each, np.random.default_rng(3)).values()], axis=0)
        for each in (latent, latent + MOVED)
    ]
    return np.exp(effect * MOVED * index[0].std() / (index[1] - index[0]).mean())


def trial(effect, seed):
    """Return the ratio that a trial found, and its verdict."""
    rng = np.random.default_rng(seed)
    treated = rng.permutation(SIZE) % 2
    here = region(effect, treated, rng)
    found = reading.Reading(made().plan, people().assign(treated=treated), here.end, ())
    raised = complier_effect(reading.with_outcomes(here, found), "dose").interval
    ratio = in_units.unit_of(here, DESIGN).told(raised)
    return ratio, judge_part(DESIGN.decides, ratio)


@pytest.mark.parametrize(
    ("effect", "right"),
    [
        (0.18, {"supported"}),
        (0.0, {"too small to matter", "contradicted"}),
        (-0.15, {"contradicted"}),
    ],
)
def test_intervals_hold_the_planted_ratio_and_no_verdict_is_wrong(effect, right):
    """Satisfied customers bring more in every case, since the attached are satisfied."""
    found, verdicts = zip(*[trial(effect, seed) for seed in range(TRIALS)], strict=True)
    covered = [each.ci_low <= truth(effect) <= each.ci_high for each in found]
    assert np.mean(covered) >= 0.88  # 95% less two errors and a half
    assert set(verdicts) <= {*right, "inconclusive"}
    if effect:
        assert sum(each in right for each in verdicts) > 0.5 * TRIALS


# --- from plan to verdict


def test_a_difference_of_the_mean_is_told_as_the_ratio_that_makes_it():
    """Means of 1.1 and 1 differ by 0.0952 of 1.05, and log 1.1 is 0.0953."""
    unit = in_units.unit_of(region(0.0, np.zeros(SIZE), np.random.default_rng(1)), DESIGN)
    told = unit.told(Estimate(0.1 / 1.05, 0.0, 0.2, SIZE))
    assert told.estimate == pytest.approx(1.1, abs=1e-4)
    assert (told.ci_low, told.scale) == (1.0, "log")
    assert unit.measured(1.1) == pytest.approx(0.0953, abs=1e-4)
    everything = unit.told(Estimate(0.1, -np.inf, np.inf, SIZE))
    assert judge_part(DESIGN.decides, everything) == "inconclusive"


def test_a_trial_is_planned_listed_and_read_back(tmp_path):
    plans.register(made().plan, made().lots, tmp_path)
    lots = made().lots.drop(columns=["place", "block"])
    called = (lots.set_index("unit")["arm"] == "called").reindex(IDS).to_numpy()
    here = region(0.18, called, np.random.default_rng(5))
    days = lots.assign(assigned_on=DAY + pd.Timedelta(days=1))
    days["received_on"] = days["assigned_on"].where(lots["arm"] == "called")
    here = here.with_tables(assignments=days)
    found = reading.read_trial(here, "H14 Example", tmp_path)
    assert [each.name for each in found.checks if not each.passed] == []
    result = reading.analysed(here, found, 1)
    assert result.verdict == "supported"
    assert result.bounds.observed_treated == pytest.approx(ANSWERS, abs=0.03)
    assert "satisfaction in the first answer within a quarter), the effect is +2" in (
        words.of_result(found, result)
    )
    said = " ".join(each for _, sentences in words.of_plan(found.plan) for each in sentences)
    assert "Smallest effect that matters: +5.0% (next-year margin per SD of satisfaction)" in said
    assert "The first answer within 91 days counts" in said
    sales = replace(here, columns=here.columns - {"transactions.cost"})
    assert landmark.worth(sales) == "sales"
    of_sales = planning.drawn(
        replace(sales, end=DAY.date()), DESIGN, "H14 sales", 1, past=pd.DataFrame(), **FIXED
    ).plan
    assert of_sales.is_as_designed
    assert of_sales.as_designed.decides.label["en"] == "next-year sales per SD of satisfaction"
    again = reading.analysed(sales, found, 1)  # a tenth of sales is margin here
    assert again.effect.estimate == pytest.approx(result.effect.estimate)


def test_the_past_tells_the_size():
    """Of 80% who answer, outcomes vary by a tenth or two of what a year before did not tell."""
    here = region(0.0, np.zeros(SIZE), np.random.default_rng(6))
    past = planning.history(here, DESIGN)
    assert past["outcome"].notna().mean() == pytest.approx(ANSWERS, abs=0.03)
    assert past["outcome"].mean() == pytest.approx(1.0)
    unit = in_units.unit_of(here, DESIGN)
    size = sizing.sizing(past, DESIGN, 0.8, 0.5, 1, replicates=40, unit=unit)
    assert size.effect == pytest.approx(1.10)
    error = past["outcome"].sub(BASE[past.index.get_indexer(IDS)] / BASE.mean()).std()
    closed = 4 * (2.8 * error / 0.8 / np.log(1.1 / 1.05)) ** 2 / ANSWERS
    assert size.needed == pytest.approx(closed, rel=0.35)
