"""Indirect effects: closed forms, integration and planted truths."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize, stats

from analysis.statistics.causal import mediation
from analysis.statistics.estimate import Estimate, from_se
from analysis.statistics.regression.models import contrast, ols

REPS = 200
properties = settings(max_examples=25)


def chain(n, a, b, seed):
    """Return the two paths of cause, mediator and result, as estimated from n customers."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    m = a * x + rng.normal(size=n)
    frame = pd.DataFrame({"x": x, "m": m, "y": b * m + rng.normal(size=n)})
    first = contrast(ols("m ~ x", frame), "x")
    return [first, contrast(ols("y ~ m + x", frame), "m")]


def product_quantile(probability, a, sa, b, sb):
    """Return a quantile of the product of two normals, by integration over the first."""

    def below(limit):
        def given_first(first):
            inside = stats.norm.cdf(limit / first, b, sb)
            return stats.norm.pdf(first, a, sa) * (inside if first > 0 else 1 - inside)

        low, high = a - 9 * sa, a + 9 * sa
        return integrate.quad(given_first, low, high, points=[0.0], limit=200)[0]

    return optimize.brentq(lambda limit: below(limit) - probability, -5, 5, xtol=1e-8)


@pytest.mark.parametrize(("a", "sa", "b", "sb"), [(0.3, 0.1, 0.4, 0.1), (0.05, 0.1, 0.2, 0.15)])
def test_interval_of_two_paths_equals_integration(a, sa, b, sb):
    found = mediation.indirect([from_se(a, sa, 90), from_se(b, sb, 80)], draws=400_000)
    spread = np.sqrt(a**2 * sb**2 + b**2 * sa**2 + sa**2 * sb**2)
    assert found.estimate == pytest.approx(a * b)
    assert found.ci_low == pytest.approx(product_quantile(0.025, a, sa, b, sb), abs=spread / 50)
    assert found.ci_high == pytest.approx(product_quantile(0.975, a, sa, b, sb), abs=spread / 50)
    assert (found.n_obs, found.scale) == (80, "identity")


def test_interval_of_certain_paths_is_the_normal_one():
    """With b and c nearly certain only a varies, times b * c."""
    paths = [from_se(0.3, 0.1, 50), from_se(0.5, 1e-9, 50), from_se(-2, 1e-9, 50)]
    found = mediation.indirect(paths, draws=400_000)
    assert found.estimate == pytest.approx(-0.3)
    expected = [-0.3 - 1.96 * 0.1, -0.3 + 1.96 * 0.1]
    assert [found.ci_low, found.ci_high] == pytest.approx(expected, abs=0.002)


def test_few_degrees_of_freedom_widen_the_interval():
    certain = from_se(1.0, 1e-9, 50)
    found = mediation.indirect([from_se(0.0, 1.0, 50, df=4), certain], draws=400_000)
    assert found.ci_high == pytest.approx(stats.t.ppf(0.975, 4), rel=0.02)


@properties
@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(-1, 1), st.integers(0, 100))
def test_units_and_signs_carry_over(a, b, c, seed):
    paths = [from_se(value, 0.1, 50) for value in (a, b, c)]
    scaled = [paths[0], from_se(10 * b, 1.0, 50), paths[2]]
    found, other = (mediation.indirect(each, draws=500, seed=seed) for each in (paths, scaled))
    assert found.estimate == pytest.approx(a * b * c)
    assert other.ci_low == pytest.approx(10 * found.ci_low)
    assert other.ci_high == pytest.approx(10 * found.ci_high)
    assert found == mediation.indirect(paths, draws=500, seed=seed)


def test_joint_significance_needs_every_path():
    clear, negative, unclear = from_se(0.5, 0.1, 50), from_se(-0.5, 0.1, 50), from_se(0.1, 0.1, 50)
    assert mediation.joint_significance([clear, negative, clear])
    assert not mediation.joint_significance([clear, unclear, negative])


@pytest.mark.parametrize("function", [mediation.indirect, mediation.joint_significance])
def test_what_is_no_chain_is_refused(function):
    path = from_se(0.5, 0.1, 50)
    with pytest.raises(ValueError, match="at least 2 paths, not 1"):
        function([path])
    with pytest.raises(ValueError, match="not ratios"):
        function([path, from_se(1.5, 0.1, 50, scale="log")])


@pytest.mark.slow
@pytest.mark.parametrize(("a", "b", "cover"), [(0.14, 0.14, 0.962), (0.0, 0.39, 0.950)])
def test_coverage_at_100_customers(a, b, cover):
    hits = 0
    for seed in range(REPS):
        found = mediation.indirect(chain(100, a, b, seed), draws=2000, seed=seed)
        hits += found.ci_low <= a * b <= found.ci_high
    assert abs(hits / REPS - cover) < 3 * np.sqrt(0.05 * 0.95 / REPS)


def test_a_chain_with_a_path_of_which_nothing_is_known_can_be_anything():
    open_ended = Estimate(0.5, -np.inf, np.inf, 90)
    found = mediation.indirect([from_se(0.4, 0.1, 80), open_ended])
    assert (found.estimate, found.ci_low, found.ci_high) == (0.2, -np.inf, np.inf)
