"""Estimates and their intervals, against closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from analysis.statistics.estimate import Estimate, from_se, pooled, smallest

Z = stats.norm.ppf(0.975)

# SAS/STAT 13.2 User's Guide, Example 64.1: mean oxygen uptake in five imputed copies.
OXYGEN = [
    (47.0120, 0.95984),
    (47.2407, 0.93540),
    (47.4995, 1.00766),
    (47.1485, 0.95439),
    (47.0042, 0.96528),
]


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


def test_pooled_equals_a_published_example():
    """By PROC MIANALYZE with 30 degrees of freedom: 47.18 (45.1466 to 49.2154), df 26.298."""
    found = pooled([from_se(*each, 31, df=30, method="mean") for each in OXYGEN])
    assert found.estimate == pytest.approx(47.180993, abs=1e-4)
    assert found.se == pytest.approx(0.990266, abs=1e-5)
    assert (found.ci_low, found.ci_high) == pytest.approx((45.1466, 49.2154), abs=1e-4)
    assert found.df == pytest.approx(26.298, abs=1e-3)
    assert (found.n_obs, found.method) == (31, "mean, 5 imputations")


def test_pooled_normal_intervals_have_the_old_degrees_of_freedom():
    found = pooled([from_se(x, 1.0, 50) for x in (0.0, 1.0, 2.0)])  # W = B = 1
    assert found.se**2 == pytest.approx(1 + 4 / 3)
    assert found.df == pytest.approx(2 * (1 + 3 / 4) ** 2)


@pytest.mark.parametrize(
    ("scale", "link", "inverse"),
    [("log", np.log, np.exp), ("logit", special.logit, special.expit)],
)
def test_pooled_works_on_the_scale_of_the_estimates(scale, link, inverse):
    shares = np.array([0.2, 0.3, 0.45])
    found = pooled([from_se(share, 0.1, 50, scale=scale) for share in shares])
    assert found.scale == scale
    assert found.estimate == pytest.approx(inverse(link(shares).mean()))
    assert found.se**2 == pytest.approx(0.01 + 4 / 3 * link(shares).var(ddof=1))


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=9), st.floats(0.1, 2), st.floats(3, 500))
def test_pooled_is_never_surer_than_a_single_copy(values, se, df):
    found = pooled([from_se(value, se, 50, df=df) for value in values])
    assert found.se >= se * (1 - 1e-9)
    assert 0 < found.df < df
    assert min(values) - 1e-9 <= found.estimate <= max(values) + 1e-9


def test_pooled_of_copies_that_agree_has_their_error():
    found = pooled([from_se(0.4, 0.1, 50, df=20)] * 5)
    assert found.se == pytest.approx(0.1)
    assert found.df == pytest.approx(21 / 23 * 20)


def test_pooled_of_one_is_itself_and_scales_must_agree():
    one = from_se(1.3, 0.1, 50, scale="log")
    assert pooled([one]) is one
    with pytest.raises(ValueError, match="on one scale"):
        pooled([one, from_se(1.3, 0.1, 50)])
    with pytest.raises(ValueError, match="on one scale"):
        pooled([])


@pytest.mark.parametrize(("scale", "low"), [("identity", -np.inf), ("log", 0.0)])
def test_where_anything_is_possible_it_is_at_every_level(scale, low):
    known, unknown = from_se(1.5, 0.1, 90, scale=scale), Estimate(1.2, low, np.inf, 90, scale)
    assert unknown.at_level(0.99) == unknown
    least = smallest([known, unknown])
    assert (least.estimate, least.ci_low) == (1.2, low)
    assert least.ci_high == pytest.approx(known.at_level(0.975).ci_high)
