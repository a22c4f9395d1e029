"""Doubly robust effects: another implementation and planted truths."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.treatment.treatment_effects import TreatmentEffect

from analysis import causal

N_COVERAGE = 300
MC_ERROR = np.sqrt(0.95 * 0.05 / N_COVERAGE)
FAMILIES = ["gaussian", "poisson", "binomial"]
properties = settings(deadline=None, max_examples=25, derandomize=True)


def confounded(n, seed=0, family="gaussian"):
    """Return outcome, treatment and covariates; the truth is 0.5 (means) or by hand."""
    rng = np.random.default_rng(seed)
    z = pd.DataFrame(rng.normal(size=(n, 2)), columns=["spend", "tenure"])
    chance = stats.logistic.cdf(-0.3 + 0.8 * z["spend"] - 0.5 * z["tenure"])
    treated = (rng.random(n) < chance).astype(int)
    level = z["spend"] + 0.5 * z["tenure"]
    if family == "gaussian":
        y = 1 + 0.5 * treated + level + rng.normal(size=n)
    elif family == "poisson":
        y = rng.poisson(np.exp(0.5 + 0.2 * treated + 0.3 * level)).astype(float)
    else:
        y = (rng.random(n) < stats.logistic.cdf(0.4 * treated + level)).astype(float)
    return y, treated, z


def truth_of(family):
    """Return the planted effect, integrated over the covariates' normal distribution."""
    if family == "gaussian":
        return 0.5
    points, weights = np.polynomial.hermite_e.hermegauss(60)
    level, weights = np.sqrt(1.25) * points, weights / weights.sum()
    if family == "poisson":
        return weights @ (np.exp(0.7 + 0.3 * level) - np.exp(0.5 + 0.3 * level))
    return weights @ (stats.logistic.cdf(0.4 + level) - stats.logistic.cdf(level))


def test_aipw_equals_statsmodels_where_that_exists():
    y, treated, z = confounded(800)
    found = causal.aipw(y, treated, z)
    design = sm.add_constant(z)
    selection = sm.Logit(treated, design).fit(disp=0)
    other = TreatmentEffect(sm.OLS(y, design), treated, results_select=selection).aipw()
    assert found.share_truncated == 0
    assert found.effect.estimate == pytest.approx(other.effect[0], rel=1e-6)
    assert found.effect.se == pytest.approx(other.results_gmm.bse[0], rel=0.02)


@pytest.mark.parametrize("family", FAMILIES)
def test_aipw_recovers_the_planted_effect(family):
    y, treated, z = confounded(20_000, 1, family)
    found = causal.aipw(y, treated, z, family=family).effect
    truth = truth_of(family)
    assert abs(found.estimate - truth) < 4 * found.se
    naive = y[treated == 1].mean() - y[treated == 0].mean()
    assert abs(naive - truth) > 10 * found.se


@pytest.mark.parametrize("missing", ["propensity", "outcome"])
def test_aipw_is_right_if_either_model_is(missing):
    y, treated, z = confounded(40_000, 2)
    half = z[["tenure"]]
    pair = (half, z) if missing == "propensity" else (z, half)
    found = causal.aipw(y, treated, *pair).effect
    assert abs(found.estimate - 0.5) < 4 * found.se
    neither = causal.aipw(y, treated, half, half).effect
    assert abs(neither.estimate - 0.5) > 10 * neither.se


def test_aipw_reports_balance_overlap_and_effective_sizes():
    y, treated, z = confounded(5000, 3)
    found = causal.aipw(y, treated, z)
    x, one = z["spend"], treated == 1
    spread = np.sqrt((x[one].var() + x[~one].var()) / 2)
    expected = (x[one].mean() - x[~one].mean()) / spread
    assert found.balance.loc["spend", "smd_before"] == pytest.approx(expected)
    assert found.balance["smd_before"].abs().min() > 0.3
    assert found.balance["smd_after"].abs().max() < 0.05
    assert 0 < found.lowest_propensity < 0.1 < 0.9 < found.highest_propensity < 1
    assert 0.3 * one.sum() < found.effective_treated < one.sum()
    assert 0.3 * (~one).sum() < found.effective_control < (~one).sum()
    fit = sm.Logit(treated, sm.add_constant(z)).fit(disp=0).predict()
    assert [found.lowest_propensity, found.highest_propensity] == pytest.approx(
        [fit.min(), fit.max()], rel=1e-5
    )


def test_aipw_of_a_trial_is_the_difference_of_means():
    rng = np.random.default_rng(4)
    z = pd.DataFrame({"spend": np.tile([0.0, 0.0, 1.0, 1.0], 50)})
    treated = np.tile([0, 1, 0, 1], 50)
    y = 2 * z["spend"] + treated + rng.normal(size=200)
    found = causal.aipw(y, treated, z)
    assert found.effect.estimate == pytest.approx(y[treated == 1].mean() - y[treated == 0].mean())
    assert found.effective_treated == pytest.approx(100)
    assert found.balance["smd_after"].abs().max() < 1e-6


def test_aipw_counts_truncated_probabilities():
    rng = np.random.default_rng(5)
    z = pd.DataFrame({"spend": rng.normal(size=4000)})
    chance = stats.logistic.cdf(3 * z["spend"])
    treated = (rng.random(4000) < chance).astype(int)
    found = causal.aipw(z["spend"] + rng.normal(size=4000), treated, z)
    expected = 2 * stats.norm.cdf(-stats.logistic.ppf(0.99) / 3)
    assert found.share_truncated == pytest.approx(expected, abs=0.03)
    assert found.lowest_propensity < 0.001 < 0.999 < found.highest_propensity


@properties
@given(st.floats(0.1, 1000), st.floats(-5, 5))
def test_aipw_follows_the_unit(factor, shift):
    y, treated, z = confounded(200, 6)
    found = causal.aipw(y, treated, z).effect
    other = causal.aipw(factor * y, treated, z * factor + shift).effect
    assert other.estimate == pytest.approx(factor * found.estimate, rel=1e-6, abs=1e-9)
    assert other.se == pytest.approx(factor * found.se, rel=1e-6)


def test_aipw_says_what_it_cannot_use():
    y, treated, z = confounded(200)
    cases = {
        "same length": (y[1:], treated, z),
        "known for everybody": (np.where(y > 2, np.nan, y), treated, z),
        "0 or 1": (y, 2 * treated, z),
        "needs 20 customers; there are 5 treated and 195": (y, np.arange(200) < 5, z),
        "constant within an arm": (y, treated, z.assign(spend=treated)),
    }
    for sentence, call in cases.items():
        with pytest.raises(ValueError, match=sentence):
            causal.aipw(*call)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_coverage_of_aipw(family):
    truth, hits, errors = truth_of(family), 0, []
    for seed in range(N_COVERAGE):
        y, treated, z = confounded(800, 1000 + seed, family)
        found = causal.aipw(y, treated, z, family=family).effect
        hits += found.ci_low <= truth <= found.ci_high
        errors.append(found.estimate - truth)
    assert abs(np.mean(errors)) < 4 * np.std(errors) / np.sqrt(N_COVERAGE)
    assert abs(hits / N_COVERAGE - 0.95) < 3 * MC_ERROR
