"""Estimates and their intervals, against closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.estimates import Estimate, from_se, smallest

Z = stats.norm.ppf(0.975)


@pytest.mark.parametrize(
    ("scale", "low", "high"),
    [
        ("identity", 0.4 - Z * 0.1, 0.4 + Z * 0.1),
        ("log", 0.4 * np.exp(-Z * 0.1), 0.4 * np.exp(Z * 0.1)),
        ("logit", 1 / (1 + 1.5 * np.exp(Z * 0.1)), 1 / (1 + 1.5 * np.exp(-Z * 0.1))),
    ],
)
def test_intervals_are_symmetric_on_their_scale(scale, low, high):
    found = from_se(0.4, 0.1, 50, scale=scale)
    assert (found.ci_low, found.ci_high) == pytest.approx((low, high))
    assert found.se == pytest.approx(0.1)


def test_few_degrees_of_freedom_widen_the_interval():
    found = from_se(0.0, 1.0, 5, df=4)
    assert found.ci_high == pytest.approx(2.776445)
    assert found.at_level(0.99).ci_high == pytest.approx(4.604095)


@given(st.floats(0.05, 0.95), st.floats(0.01, 2), st.sampled_from(["identity", "log", "logit"]))
def test_p_is_five_percent_at_both_ends(estimate, se, scale):
    found = from_se(estimate, se, 10, scale=scale)
    assert found.p_value(found.ci_low) == pytest.approx(0.05, rel=1e-4)
    assert found.p_value(found.ci_high) == pytest.approx(0.05, rel=1e-4)
    assert found.p_value(estimate) == pytest.approx(1, abs=1e-6)


def test_smallest_misses_on_each_side_in_at_most_a_fortieth_of_samples():
    truth, rng, reps = np.array([0.0, 0.0, 0.0, 1.0]), np.random.default_rng(5), 2000
    found = [smallest([from_se(x, 1.0, 9) for x in rng.normal(truth)]) for _ in range(reps)]
    limit = 0.025 + 3 * np.sqrt(0.025 * 0.975 / reps)
    assert np.mean([each.ci_low > truth.min() for each in found]) <= limit
    assert np.mean([each.ci_high < truth.min() for each in found]) <= limit


def test_smallest_of_one_is_itself():
    one = from_se(1.3, 0.1, 50, scale="log")
    assert smallest([one]).ci_high == pytest.approx(one.ci_high)
    with pytest.raises(ValueError, match="at least one"):
        smallest([])


def test_se_comes_back_from_an_interval_of_a_bootstrap():
    assert Estimate(2.0, 1.0, 4.0, 10, "log").se == pytest.approx(np.log(4) / (2 * Z))
