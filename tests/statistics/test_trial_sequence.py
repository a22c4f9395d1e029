"""Intervals for all times: they hold at every look, where repeated intervals do not."""

import numpy as np
import pytest
from scipy import stats

from analysis.statistics.trial.sequence import confidence_sequence

TIMES, LONG = 500, 2000


def sequences(seed, effect=0.5):
    rng = np.random.default_rng(seed)
    z, before = rng.permutation(np.arange(LONG) % 2), rng.normal(size=LONG)
    return effect * z + 2 * before + rng.exponential(size=LONG), z, 2 * before


def test_every_look_at_once_is_covered():
    """A trial of 2,000: all intervals hold the effect in 95 %; one after each outcome does not."""
    always, naive = 0, 0
    for seed in range(TIMES):
        y, z, _ = sequences(seed)
        found = confidence_sequence(y, z, share=0.5, planned=LONG)
        always += ((found["ci_low"] <= 0.5) & (found["ci_high"] >= 0.5)).all()
        n = found.index.to_numpy()
        one, other = np.cumsum(z * y)[n - 1], np.cumsum((1 - z) * y)[n - 1]
        treated = np.cumsum(z)[n - 1]
        error = 2 * np.sqrt(5 / n)
        gap = one / treated - other / (n - treated)
        naive += (abs(gap - 0.5) <= stats.norm.ppf(0.975) * error).all()
    assert always / TIMES >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / TIMES)
    assert naive / TIMES < 0.8


def test_width_at_the_planned_end():
    """1.55 times that of one interval: by hand, with 7.94 the square of rho times the size."""
    rng = np.random.default_rng(1)
    z = (rng.random(20_000) < 0.5) * 1
    y = rng.normal(size=20_000)
    found = confidence_sequence(y, z, share=0.5, planned=20_000).iloc[-1]
    closed = np.sqrt(2 * 8.936 / 7.936 * np.log(np.sqrt(8.936) / 0.05)) / 1.96
    half = (found["ci_high"] - found["ci_low"]) / 2
    assert half / (1.96 * 2 / np.sqrt(20_000)) == pytest.approx(closed, rel=0.02)


def test_predictions_narrow_it_and_shares_are_allowed_for():
    y, z, before = sequences(1)
    plain = confidence_sequence(y, z, share=0.5, planned=LONG).iloc[-1]
    found = confidence_sequence(y, z, share=0.5, planned=LONG, predicted=before).iloc[-1]
    assert found["ci_high"] - found["ci_low"] < 0.5 * (plain["ci_high"] - plain["ci_low"])
    rng = np.random.default_rng(2)
    z = (rng.random(LONG) < 0.2) * 1
    found = confidence_sequence(z + rng.normal(size=LONG), z, share=0.2, planned=LONG).iloc[-1]
    assert found["ci_low"] < 1.0 < found["ci_high"]


def test_it_says_what_it_cannot_use():
    y, z, _ = sequences(1)
    cases = {
        "same length": (y[1:], z, {}),
        "known": (np.where(y > 2, np.nan, y), z, {}),
        "impossible": (y, z, {"share": 1.0}),
    }
    for sentence, (outcome, treated, other) in cases.items():
        with pytest.raises(ValueError, match=sentence):
            confidence_sequence(outcome, treated, **{"share": 0.5, "planned": 100} | other)
