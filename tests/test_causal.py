"""Doubly robust effects: another implementation and planted truths."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.treatment.treatment_effects import TreatmentEffect

from analysis.statistics.causal import treatment_effects
from analysis.statistics.estimate import NotEstimable

N_COVERAGE = 300
MC_ERROR = np.sqrt(0.95 * 0.05 / N_COVERAGE)
FAMILIES = ["gaussian", "poisson", "binomial"]
properties = settings(max_examples=25)


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
    found = treatment_effects.aipw(y, treated, z)
    design = sm.add_constant(z)
    selection = sm.Logit(treated, design).fit(disp=0)
    other = TreatmentEffect(sm.OLS(y, design), treated, results_select=selection).aipw()
    assert found.share_truncated == 0
    assert found.effect.estimate == pytest.approx(other.effect[0], rel=1e-6)
    assert found.effect.se == pytest.approx(other.results_gmm.bse[0], rel=0.02)


@pytest.mark.parametrize("family", FAMILIES)
def test_aipw_recovers_the_planted_effect(family):
    y, treated, z = confounded(20_000, 1, family)
    found = treatment_effects.aipw(y, treated, z, family=family).effect
    truth = truth_of(family)
    assert abs(found.estimate - truth) < 4 * found.se
    naive = y[treated == 1].mean() - y[treated == 0].mean()
    assert abs(naive - truth) > 10 * found.se


@pytest.mark.parametrize("bent", [{"propensity"}, {"outcome"}, {"propensity", "outcome"}])
def test_aipw_is_right_if_either_model_is(bent):
    """Both models take the covariate to have straight lines; a square bends one or both."""
    rng, n = np.random.default_rng(2), 40_000
    z = pd.DataFrame({"spend": rng.normal(size=n)})
    line, curve = z["spend"], z["spend"] + z["spend"] ** 2
    chance = stats.logistic.cdf((curve if "propensity" in bent else line) - 0.5)
    treated = (rng.random(n) < chance).astype(int)
    y = 0.5 * treated + (curve if "outcome" in bent else line) + rng.normal(size=n)
    found = treatment_effects.aipw(y, treated, z).effect
    away = abs(found.estimate - 0.5) / found.se
    assert away > 10 if len(bent) == 2 else away < 4


def test_aipw_reports_balance_and_overlap():
    y, treated, z = confounded(5000, 3)
    found = treatment_effects.aipw(y, treated, z)
    x, one = z["spend"], treated == 1
    spread = np.sqrt((x[one].var() + x[~one].var()) / 2)
    expected = (x[one].mean() - x[~one].mean()) / spread
    assert found.balance.loc["spend", "smd_before"] == pytest.approx(expected)
    assert found.balance["smd_before"].abs().min() > 0.3
    assert found.balance["smd_after"].abs().max() < 0.05
    fit = sm.Logit(treated, sm.add_constant(z)).fit(disp=0).predict()
    assert found.propensity == pytest.approx(fit, rel=1e-5)


def test_aipw_of_a_trial_is_the_difference_of_means():
    rng = np.random.default_rng(4)
    z = pd.DataFrame({"spend": np.tile([0.0, 0.0, 1.0, 1.0], 50)})
    treated = np.tile([0, 1, 0, 1], 50)
    y = 2 * z["spend"] + treated + rng.normal(size=200)
    found = treatment_effects.aipw(y, treated, z)
    assert found.effect.estimate == pytest.approx(y[treated == 1].mean() - y[treated == 0].mean())
    assert found.balance["smd_after"].abs().max() < 1e-6


def test_aipw_counts_truncated_probabilities():
    rng = np.random.default_rng(5)
    z = pd.DataFrame({"spend": rng.normal(size=4000)})
    chance = stats.logistic.cdf(3 * z["spend"])
    treated = (rng.random(4000) < chance).astype(int)
    found = treatment_effects.aipw(z["spend"] + rng.normal(size=4000), treated, z)
    expected = 2 * stats.norm.cdf(-stats.logistic.ppf(0.99) / 3)
    assert found.share_truncated == pytest.approx(expected, abs=0.03)
    assert found.propensity.min() < 0.001 < 0.999 < found.propensity.max()


@properties
@given(st.floats(0.1, 1000), st.floats(-5, 5))
def test_aipw_follows_the_unit(factor, shift):
    y, treated, z = confounded(200, 6)
    found = treatment_effects.aipw(y, treated, z).effect
    other = treatment_effects.aipw(factor * y, treated, z * factor + shift).effect
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
            treatment_effects.aipw(*call)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_coverage_of_aipw(family):
    truth, hits, errors = truth_of(family), 0, []
    for seed in range(N_COVERAGE):
        y, treated, z = confounded(800, 1000 + seed, family)
        found = treatment_effects.aipw(y, treated, z, family=family).effect
        hits += found.ci_low <= truth <= found.ci_high
        errors.append(found.estimate - truth)
    assert abs(np.mean(errors)) < 4 * np.std(errors) / np.sqrt(N_COVERAGE)
    assert abs(hits / N_COVERAGE - 0.95) < 3 * MC_ERROR


# --- data that allow no estimate


def few(n1, rate, seed, n0=150):
    """Return amounts that few have, without an effect; the arms differ by chance alone."""
    rng = np.random.default_rng(seed)
    z = pd.DataFrame(rng.normal(size=(n1 + n0, 6)), columns=list("abcdef"))
    treated = np.r_[np.ones(n1), np.zeros(n0)]
    y = (rng.random(n1 + n0) < rate) * rng.gamma(2, 20, n1 + n0)
    return y / y.mean(), treated, z


def test_two_buyers_of_35_give_no_effect_but_their_number():
    """Issue 14, case 21: a margin of +4e34% from 35 customers of whom 2 came back."""
    rng = np.random.default_rng(3)
    z = pd.DataFrame(rng.normal(size=(156, 5)), columns=list("abcde"))
    treated, y = np.r_[np.ones(35), np.zeros(121)], np.zeros(156)
    y[z["a"][:35].nlargest(2).index], y[35:85] = [80.0, 95.0], 60.0
    sentence = "Only 2 of 35 customers treated have the outcome above 0; 5 coefficients need 10"
    for family, outcome in (("poisson", y), ("binomial", (y > 0).astype(float))):
        with pytest.raises(NotEstimable, match=sentence):
            treatment_effects.aipw(outcome, treated, z, family=family)
    with pytest.raises(NotEstimable, match="the outcome is 0 in all 35 customers treated"):
        treatment_effects.aipw(np.where(treated == 1, 0, y), treated, z, family="poisson")


@pytest.mark.parametrize(("n1", "rate"), [(35, 0.06), (60, 0.15), (100, 0.06), (100, 0.3)])
def test_few_buyers_give_no_effect_or_a_sane_one(n1, rate):
    held = []
    for seed in range(20):
        try:
            found = treatment_effects.aipw(*few(n1, rate, seed), family="poisson").effect
        except NotEstimable:
            continue
        assert abs(found.estimate) < 3  # times the mean; the truth is 0
        held.append(found.ci_low <= 0 <= found.ci_high)
    assert sum(held) >= len(held) - 3
    assert len(held) == 20 or rate < 0.3


def test_predictions_far_beyond_what_an_arm_had_are_refused():
    rng = np.random.default_rng(8)
    z = pd.DataFrame({"spend": rng.normal(size=300)})
    treated = (rng.random(300) < stats.logistic.cdf(z["spend"])).astype(float)
    y = np.exp(z["spend"])
    assert abs(treatment_effects.aipw(y, treated, z, family="poisson").effect.estimate) < 0.2
    lone = z.assign(spend=z["spend"].where(z.index != z["spend"][treated == 0].idxmax(), 6.0))
    with pytest.raises(NotEstimable, match=r"customers treated had .* would follow for another"):
        treatment_effects.aipw(y, treated, lone, family="poisson")


def test_treatment_that_a_covariate_decides_is_refused():
    y, treated, z = confounded(200)
    z = z.assign(spend=np.where(treated == 1, 3, 0) + z["spend"].rank(pct=True))
    with pytest.raises(NotEstimable, match="customers have the treatment above 0"):
        treatment_effects.aipw(y, treated, z)


def separated(seed):
    """Return outcomes that nobody of one kind has, among the treated; the effect is 0."""
    rng = np.random.default_rng(seed)
    n = 260
    z = pd.DataFrame({"spend": rng.normal(size=n), "away": (rng.random(n) < 0.12).astype(float)})
    treated = (rng.random(n) < stats.logistic.cdf(0.5 * z["spend"] - 0.7)).astype(float)
    chance = np.where(z["away"] == 1, 0.04, stats.logistic.cdf(0.5 + z["spend"]))
    return (rng.random(n) < chance).astype(float), treated, z


def test_a_covariate_that_separates_an_arm_is_left_to_the_weights():
    held, number = 0, 0
    for seed in range(90):
        y, treated, z = separated(seed)
        own = treated == 1
        found = treatment_effects.aipw(y, treated, z, family="binomial").effect
        if y[own & (z["away"] == 1)].any() or not y[~own & (z["away"] == 1)].any():
            continue
        number += 1
        held += found.ci_low <= 0 <= found.ci_high
        assert found.se < 0.2
    assert number > 25
    assert stats.binomtest(held, number, 0.95).pvalue > 0.01


# --- labels and kinds of numbers


def test_series_are_paired_by_their_labels():
    y, treated, z = confounded(300)
    y, treated = pd.Series(y, z.index), pd.Series(treated, z.index)
    expected = treatment_effects.aipw(y, treated, z).effect
    mixed = treatment_effects.aipw(y, treated.sample(frac=1, random_state=1), z[::-1]).effect
    assert mixed.estimate == pytest.approx(expected.estimate, rel=1e-9)
    z["only"] = z["spend"].where(treated == 1, 0.0)
    assert list(treatment_effects.independent(z, treated[::-1])) == ["spend", "tenure"]
    with pytest.raises(ValueError, match="same labels"):
        treatment_effects.aipw(y, treated.set_axis(range(1, 301)), z)
    with pytest.raises(ValueError, match="plain arrays"):
        treatment_effects.aipw(y.to_numpy(), treated[::-1], z)


def test_weights_are_paired_by_their_labels():
    """Plain weights, which have no labels, can't follow columns into another order."""
    y, treated, z = confounded(300)
    y, treated = pd.Series(y, z.index), pd.Series(treated, z.index)
    weight = pd.Series(np.random.default_rng(4).gamma(2, 1, 300), z.index)
    expected = treatment_effects.aipw(y, treated, z, weight=weight.to_numpy()).effect
    found = treatment_effects.aipw(y[::-1], treated, z, weight=weight).effect
    assert [found.estimate, found.se] == pytest.approx([expected.estimate, expected.se], rel=1e-6)
    with pytest.raises(ValueError, match="plain arrays"):
        treatment_effects.aipw(y[::-1], treated, z, weight=weight.to_numpy())


@pytest.mark.parametrize("unit", [1e13, 1e-14])
def test_covariates_may_have_any_unit(unit):
    y, treated, z = confounded(300)
    expected = treatment_effects.aipw(y, treated, z).effect
    other = z.assign(spend=unit * z["spend"])
    assert list(treatment_effects.independent(other, treated)) == list(z)
    found = treatment_effects.aipw(y, treated, other).effect
    assert found.estimate == pytest.approx(expected.estimate, rel=1e-6)


def test_nullable_numbers_true_and_false_and_decimals_count_as_numbers():
    y, treated, z = confounded(300, family="binomial")
    expected = treatment_effects.aipw(y, treated, z, family="binomial").effect
    found = treatment_effects.aipw(
        pd.Series(y == 1),
        pd.Series(treated, dtype="Int64"),
        z.assign(spend=z["spend"].astype("Float64"), tenure=z["tenure"].map(Decimal)),
        family="binomial",
    )
    assert found.effect.estimate == pytest.approx(expected.estimate, rel=1e-9)
    with pytest.raises(ValueError, match="known for everybody"):
        treatment_effects.aipw(
            y, treated, z.assign(spend=z["spend"].astype("Float64").mask(z.index == 3))
        )


@pytest.mark.parametrize(
    ("outcome", "family", "said"),
    [
        (lambda y: (y > 0) * 2.0, "binomial", "A binomial outcome must lie between 0 and 1"),
        (lambda y: y, "poisson", "A poisson outcome must lie between 0 and inf"),
        (lambda y: np.where(y > 0, "yes", "no"), "binomial", "must be numbers, or true and false"),
    ],
)
def test_outcomes_that_a_family_cannot_have_are_refused(outcome, family, said):
    """A share of outcomes 0 and 2 came out as a number."""
    rng = np.random.default_rng(2)
    known = pd.DataFrame({"x": rng.normal(size=200)})
    treated, y = rng.integers(0, 2, 200), rng.normal(size=200)
    with pytest.raises(ValueError, match=said):
        treatment_effects.aipw(outcome(y), treated, known, family=family)
