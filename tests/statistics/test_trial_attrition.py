"""Lee's bounds: closed forms, and coverage where the dissatisfied are lost.

`TRIALS=1000 pytest tests/statistics` draws as many trials per design.
"""

import os

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.statistics.trial.attrition import attrition_bounds, imbens_manski
from analysis.statistics.trial.effects import intention_to_treat
from analysis.statistics.trial.units import Trial

N_COVERAGE = int(os.environ.get("TRIALS", "120"))


def arms(one, other):
    """Return a trial of two lists of outcomes, None where it is lost."""
    return Trial(
        pd.DataFrame({
            "y": pd.array([*one, *other], dtype="Float64"),
            "treated": [1] * len(one) + [0] * len(other),
        }),
        "y",
        "treated",
    )  # fmt: skip


def test_a_fifth_of_the_treated_is_trimmed():
    """1 to 10 are known of the treated, 8 of 10 controls: means of 1 to 8, and of 3 to 10."""
    found = attrition_bounds(arms(range(1, 11), [2, 2, 3, 3, 4, 4, 5, 5, None, None]))
    assert found.share_trimmed == pytest.approx(0.2)
    assert (found.low, found.high) == pytest.approx((4.5 - 3.5, 6.5 - 3.5))
    assert (found.observed_treated, found.observed_control) == (1.0, 0.8)
    assert found.difference.estimate == pytest.approx(0.2)
    assert found.ci_low < found.low < found.high < found.ci_high


def test_controls_are_trimmed_where_more_of_them_are_known():
    found = attrition_bounds(arms([2, 2, 3, 3, 4, 4, 5, 5, None, None], range(1, 11)))
    mirrored = attrition_bounds(arms(range(1, 11), [2, 2, 3, 3, 4, 4, 5, 5, None, None]))
    assert (found.low, found.high) == pytest.approx((-mirrored.high, -mirrored.low))
    assert (found.ci_low, found.ci_high) == pytest.approx((-mirrored.ci_high, -mirrored.ci_low))


def test_a_share_is_trimmed_in_part():
    """7 of 10 bought, 1/5 is trimmed: shares of (0.7 - 0.2) / 0.8 and 0.7 / 0.8."""
    found = attrition_bounds(arms([1] * 7 + [0] * 3, [1] * 4 + [0] * 4 + [None] * 2))
    assert (found.low, found.high) == pytest.approx((0.625 - 0.5, 0.875 - 0.5))


def test_bounds_are_one_point_where_as_many_are_known():
    """Then the interval is that of the difference of means, as large samples have it."""
    rng = np.random.default_rng(0)
    one, other = [*rng.normal(1, 1, 90), *[None] * 10], [*rng.normal(0, 1, 90), *[None] * 10]
    found = attrition_bounds(arms(one, other))
    plain = intention_to_treat(arms(one, other)).effect
    assert found.low == pytest.approx(found.high) == pytest.approx(plain.estimate)
    assert found.share_trimmed == 0


def test_errors_are_lees():
    """Lee (2009), Proposition 3: the variance of the upper bound with uniform outcomes."""
    rng, n = np.random.default_rng(1), 400_000
    z = rng.permutation(np.arange(n) % 2)
    seen = np.where(z == 1, rng.random(n) < 0.8, rng.random(n) < 0.6)
    y = rng.random(n)
    units = pd.DataFrame({"y": np.where(seen, y, np.nan), "treated": z})
    found = attrition_bounds(Trial(units, "y", "treated"))
    p, half = 0.25, 0.5  # trimmed; treated
    quantile, mean, known = p, (1 + p) / 2, 0.8 * half
    own = ((1 - p) ** 2 / 12 + (mean - quantile) ** 2 * p) / (known * (1 - p))
    of_p = (1 - p) ** 2 * (0.2 / (0.8 * half) + 0.4 / (0.6 * half))
    of_share = ((mean - quantile) / (1 - p)) ** 2 * of_p
    of_controls = 1 / 12 / (0.6 * half)
    se = np.sqrt((own + of_share + of_controls) / n)
    assert found.high == pytest.approx(mean - 0.5, abs=4 * se)
    critical = imbens_manski(found.high - found.low, se)
    assert critical == pytest.approx(stats.norm.ppf(0.95), abs=1e-6)
    assert (found.ci_high - found.high) / critical == pytest.approx(se, rel=0.01)


def test_imbens_manski_lies_between_one_and_two_sides():
    assert imbens_manski(0.0, 1.0) == pytest.approx(stats.norm.ppf(0.975))
    assert imbens_manski(100.0, 1.0) == pytest.approx(stats.norm.ppf(0.95))
    middle = imbens_manski(0.5, 1.0)
    assert stats.norm.cdf(middle + 0.5) - stats.norm.cdf(-middle) == pytest.approx(0.95)


@pytest.mark.slow
def test_coverage_where_the_dissatisfied_are_lost():
    """Treatment keeps some of the dissatisfied: the effect of 0.5 on who is seen either way."""
    hits, naive, noticed = 0, 0, 0
    for seed in range(N_COVERAGE):
        rng = np.random.default_rng(1000 + seed)
        z, level = rng.permutation(np.arange(600) % 2), rng.normal(size=600)
        seen = level > np.where(z == 1, -1.2, -0.5)
        y = level + 0.5 * z + 0.5 * rng.normal(size=600)
        trial = Trial(pd.DataFrame({"y": np.where(seen, y, np.nan), "treated": z}), "y", "treated")
        found, plain = attrition_bounds(trial), intention_to_treat(trial).effect
        hits += found.ci_low <= 0.5 <= found.ci_high
        naive += plain.ci_low <= 0.5 <= plain.ci_high
        noticed += found.difference.ci_low > 0
    assert hits / N_COVERAGE > 0.95 - 3 * np.sqrt(0.95 * 0.05 / N_COVERAGE)
    assert naive / N_COVERAGE < 0.2
    assert noticed / N_COVERAGE > 0.99
