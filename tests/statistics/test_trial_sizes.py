"""Sample sizes: closed forms, statsmodels, and trials of another draw that reach their power."""

import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.power import TTestIndPower

from analysis.statistics.estimate import NotEstimable
from analysis.statistics.trial._replicates import replicates
from analysis.statistics.trial.effects import intention_to_treat
from analysis.statistics.trial.lots import draw_lots
from analysis.statistics.trial.sample_size import Plan, first_guess, power_of, sample_size
from analysis.statistics.trial.units import Trial


def above(effect):
    return effect.ci_low > 0


def past(n=4000, seed=0, n_stations=80, by_station=0.0):
    """Return a history: half of the outcome's variance is known before."""
    rng = np.random.default_rng(seed)
    station = rng.integers(0, n_stations, n)
    shared = by_station * rng.normal(size=n_stations)
    frame = pd.DataFrame({"before": rng.normal(size=n), "station": station})
    frame["tier"] = np.where(frame["before"] > 1, "gold", "plain")
    return frame.assign(y=frame["before"] + rng.normal(size=n) + shared[station])


def test_without_covariates_it_is_that_of_a_t_test():
    history = past()
    found = sample_size(Plan(history, "y", 0.4), above, 1)
    closed = 2 * TTestIndPower().solve_power(0.4 / history["y"].std(), alpha=0.05, power=0.8)
    assert found.first_guess == pytest.approx(closed, rel=0.03)
    assert found.n == pytest.approx(closed, rel=0.1)  # 500 trials: 2 % of power, 5 % of size
    assert found.power >= 0.8 > found.simulated["power"].iloc[0]
    assert found.simulated["power"].is_monotonic_increasing
    pd.testing.assert_frame_equal(
        found.simulated, sample_size(Plan(history, "y", 0.4), above, 1).simulated
    )


@pytest.mark.parametrize(
    "other, factor",
    [
        ({"covariates": ("before",)}, 0.5),
        ({"attrition": 0.2}, 1 / 0.8),
        ({"compliance": 0.5}, 4),
        ({"compliance": 0.5, "of": "received"}, 4),
        ({"share": 0.2}, 0.25 / 0.16),
    ],
)
def test_what_moves_the_size(other, factor):
    """Variance explained, lost outcomes, compliance squared, unequal arms."""
    plan = Plan(past(), "y", 0.4)
    plain = first_guess(plan, above, 1)
    assert first_guess(replace(plan, **other), above, 1) == pytest.approx(factor * plain, rel=0.12)


def test_clusters_are_counted_as_such():
    """50 customers at a station, a shared part of variance 0.25: 0.25 + 2/50 of each station."""
    history = past(by_station=0.5)
    plan = Plan(history, "y", 0.4, cluster="station")
    found = sample_size(plan, above, 1, n_replicates=300)
    spread = history.groupby("station")["y"].mean().var()
    closed = 2 * TTestIndPower().solve_power(0.4 / np.sqrt(spread), alpha=0.05, power=0.8)
    assert plan.available == found.available == 80
    assert found.n == pytest.approx(closed, rel=0.12)


def test_more_than_there_are_is_no_size():
    found = sample_size(Plan(past(300), "y", 0.2), above, 1, n_replicates=100)
    assert found.n is None
    assert found.first_guess > 1200
    assert found.simulated.index.tolist() == [300]
    assert found.power == found.simulated["power"].iloc[0] < 0.6


def test_too_small_to_matter_needs_an_effect_of_nothing():
    """An interval within 0.5 of 0 on both sides: (1.96 + 1.28) errors, as both can fail."""

    def negligible(effect):
        return effect.ci_low > -0.5 and effect.ci_high < 0.5

    history = past()
    found = sample_size(Plan(history, "y", 0.0), negligible, 1)
    closed = 4 * history["y"].var() * ((1.96 + 1.2816) / 0.5) ** 2
    assert found.n == pytest.approx(closed, rel=0.1)


def test_an_effect_on_the_edge_is_never_decided():
    with pytest.raises(NotEstimable, match="no number of units decides"):
        sample_size(Plan(past(), "y", 0.5), lambda each: each.ci_low > 0.5, 1)


def test_shares_move_by_the_effect():
    history = past().assign(y=lambda each: (each["y"] > 1).astype(int))
    for effect in (0.1, -0.1):
        plan = Plan(history, "y", effect, compliance=0.5)
        found = np.mean([each.estimate for each in replicates(plan, 2000, 200, 1)])
        assert found == pytest.approx(0.5 * effect, abs=4 * 0.02 / np.sqrt(200))
    with pytest.raises(ValueError, match="beyond 0 or 1"):
        Plan(history, "y", 0.9)


def test_without_an_effect_hardly_any_trial_decides():
    """A lognormal amount, 60 of 300 treated: at most 2.5 % of intervals lie above 0."""
    history = past().assign(y=np.random.default_rng(3).lognormal(0, 1, 4000))
    plan = Plan(history, "y", 0.0, covariates=("before",), within=("tier",), share=0.2)
    found = power_of(plan, 300, above, 1, n_replicates=600)
    assert found["power"].iloc[0] <= 0.025 + 3 * np.sqrt(0.025 * 0.975 / 600)


def test_what_is_no_plan_is_said():
    history = past(50).assign(gap=np.nan)
    cases = {
        'no column "wave"': {"covariates": ("wave",)},
        'a value of "gap"': {"within": ("gap",)},
        "share of 1 is": {"share": 1},
        "compliance of 0 is": {"compliance": 0},
        "attrition of 1 is": {"attrition": 1},
    }
    for sentence, other in cases.items():
        with pytest.raises(ValueError, match=sentence):
            Plan(history, "y", 0.1, **other)


@pytest.mark.slow
def test_trials_of_another_draw_reach_the_power():
    """Lots, blocks and analysis as one would: trials of customers who were not in the past."""
    plan = Plan(past(), "y", 0.3, covariates=("before",), within=("tier",), predicted="before")
    n, hits = sample_size(plan, above, 1, n_replicates=1000).n, 0
    n_trials = int(os.environ.get("TRIALS", "120"))
    for seed in range(n_trials):
        units = past(n, 10_000 + seed)
        units = units.join(draw_lots(units, seed, within=("tier",), predicted="before"))
        units["y"] += 0.3 * units["treated"]
        trial = Trial(units, "y", "treated", ("before",), block="block")
        hits += above(intention_to_treat(trial).effect)
    assert hits / n_trials == pytest.approx(0.8, abs=3 * np.sqrt(0.16 / n_trials) + 0.02)
