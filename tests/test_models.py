"""Models: other implementations, jackknives, planted truths and published sensitivity values."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.treatment.treatment_effects import TreatmentEffect

from analysis import models
from analysis.estimates import smallest

N_COVERAGE = 300
MC_ERROR = np.sqrt(0.95 * 0.05 / N_COVERAGE)
FAMILIES = ["gaussian", "poisson", "binomial"]
properties = settings(deadline=None, max_examples=25, derandomize=True)


def survey(n=300, stations=12, seed=0):
    """Return customers in stations, with a station effect and an over-dispersed count."""
    rng = np.random.default_rng(seed)
    station = rng.integers(0, stations, n)
    x, months = rng.normal(size=n), rng.uniform(2, 12, n)
    level = 0.3 * rng.normal(size=stations)[station]
    rate = np.exp(0.2 + 0.3 * x + level) * rng.gamma(2, 0.5, n)
    return pd.DataFrame(
        {
            "station": station,
            "box": rng.choice(["low", "middle", "top"], n),
            "x": x,
            "months": months,
            "gaussian": 2 + 0.5 * x + level + rng.normal(size=n) * (1 + 0.5 * np.abs(x)),
            "poisson": rng.poisson(rate * months).astype(float),
            "binomial": (rng.random(n) < stats.logistic.cdf(0.3 + 0.5 * x + level)).astype(float),
        }
    )


def gee_errors(formula, data, family, groups, exposure=None):
    """Return the errors of statsmodels' own GEE, by groups."""
    options = {} if exposure is None else {"exposure": data[exposure]}
    model = smf.gee(
        formula,
        groups,
        data,
        family=models.FAMILIES[family](),
        cov_struct=sm.cov_struct.Independence(),
        **options,
    )
    return model.fit(cov_type="bias_reduced")


# --- robust errors


def test_ols_equals_statsmodels_hc3():
    data = survey()
    fit = models.ols("gaussian ~ x + box", data)
    other = smf.ols("gaussian ~ x + box", data).fit(cov_type="HC3", use_t=True)
    found = models.contrast(fit, "x")
    assert found.estimate == pytest.approx(other.params["x"])
    assert [found.ci_low, found.ci_high] == pytest.approx(other.conf_int().loc["x"].tolist())
    assert found.p_value(0) == pytest.approx(other.pvalues["x"])
    assert (found.df, found.n_obs) == (296, 300)
    assert fit.covariance.to_numpy() == pytest.approx(other.cov_params().to_numpy())


def test_errors_by_group_equal_leaving_each_group_out():
    data = survey()
    fit = models.ols("gaussian ~ x + box", data, groups="station")
    left = [
        smf.ols("gaussian ~ x + box", data[data["station"] != station]).fit().params
        for station in range(12)
    ]
    away = np.array(left) - fit.params.to_numpy()
    assert fit.covariance.to_numpy() == pytest.approx(11 / 12 * away.T @ away, rel=1e-9)
    assert fit.df == 11


@pytest.mark.parametrize("family", FAMILIES)
def test_errors_equal_a_gee_with_independent_rows(family):
    data = survey().assign(row=range(300))
    formula = f"{family} ~ x + box"
    by_row = gee_errors(formula, data, family, "row")
    fit = models.robust_glm(formula, data, family=family)
    assert fit.params.to_numpy() == pytest.approx(by_row.params.to_numpy(), rel=1e-5)
    assert np.sqrt(np.diag(fit.covariance)) == pytest.approx(by_row.bse.to_numpy(), rel=1e-5)
    by_station = gee_errors(formula, data, family, "station")
    fit = models.robust_glm(formula, data, family=family, groups="station")
    expected = by_station.bse.to_numpy() * np.sqrt(11 / 12)
    assert np.sqrt(np.diag(fit.covariance)) == pytest.approx(expected, rel=1e-5)


def test_exposure_equals_a_gee_with_exposure():
    data = survey()
    other = gee_errors("poisson ~ x", data, "poisson", "station", "months")
    fit = models.poisson_rate("poisson ~ x", data, groups="station", exposure="months")
    assert fit.params.to_numpy() == pytest.approx(other.params.to_numpy(), rel=1e-5)
    found = models.contrast(fit, "x")
    assert found.se == pytest.approx(other.bse["x"] * np.sqrt(11 / 12), rel=1e-5)
    assert found.estimate == pytest.approx(np.exp(other.params["x"]), rel=1e-5)


def test_rate_ratio_of_two_groups_is_the_ratio_of_totals():
    data = survey().assign(top=lambda each: (each["box"] == "top").astype(int))
    total = data.groupby("top")[["poisson", "months"]].sum()
    rates = total["poisson"] / total["months"]
    fit = models.poisson_rate("poisson ~ top", data, exposure="months")
    assert models.contrast(fit, "top").estimate == pytest.approx(rates[1] / rates[0])


def test_rows_with_missing_values_are_left_out_with_their_group():
    data = survey()
    holes = data.copy().astype({"station": float})
    holes.loc[3, "x"] = holes.loc[50, "months"] = holes.loc[77, "station"] = np.nan
    holes.loc[120, "box"] = None
    holes.index = range(1000, 1300)
    kept = data.drop(index=[3, 50, 77, 120])
    options = {"groups": "station", "exposure": "months"}
    found = models.poisson_rate("poisson ~ x + box", holes, **options)
    expected = models.poisson_rate("poisson ~ x + box", kept, **options)
    assert found.n_obs == 296
    assert found.covariance.to_numpy() == pytest.approx(expected.covariance.to_numpy())


# --- contrasts


@properties
@given(st.integers(0, 1000), st.sampled_from(["low", "middle", "top"]))
def test_contrasts_do_not_depend_on_the_reference(seed, reference):
    data = survey(120, seed=seed)
    fit = models.poisson_rate(f"poisson ~ C(box, Treatment('{reference}'))", data)
    plain = models.poisson_rate("poisson ~ C(box, Treatment('low'))", data)

    def weights(box, start):
        if box == start:
            return {}
        return {f"C(box, Treatment('{start}'))[T.{box}]": 1.0}

    difference = weights("top", reference)
    for name in weights("middle", reference):
        difference[name] = -1.0
    found = models.contrast(fit, difference)
    expected = models.contrast(
        plain,
        {"C(box, Treatment('low'))[T.top]": 1, "C(box, Treatment('low'))[T.middle]": -1},
    )
    assert found.estimate == pytest.approx(expected.estimate, rel=1e-6)
    assert [found.ci_low, found.ci_high] == pytest.approx(
        [expected.ci_low, expected.ci_high], rel=1e-6
    )


@properties
@given(st.integers(0, 1000), st.floats(0.01, 100))
def test_ratios_do_not_depend_on_the_currency(seed, price):
    data = survey(120, seed=seed)
    fit = models.poisson_rate("poisson ~ x", data)
    other = models.poisson_rate("poisson ~ x", data.assign(poisson=price * data["poisson"]))
    first, second = models.contrast(fit, "x"), models.contrast(other, "x")
    assert second.estimate == pytest.approx(first.estimate, rel=1e-6)
    assert second.se == pytest.approx(first.se, rel=1e-6)


def test_contrast_scales_and_degrees_of_freedom():
    fit = models.poisson_rate("poisson ~ x", survey())
    ratio, log = models.contrast(fit, "x"), models.contrast(fit, "x", scale="identity")
    assert ratio.scale == "log"
    assert np.log([ratio.ci_low, ratio.ci_high]) == pytest.approx([log.ci_low, log.ci_high])
    few = models.contrast(fit, "x", df=9)
    assert few.se == pytest.approx(ratio.se)
    assert np.log(few.ci_high / few.estimate) / few.se == pytest.approx(stats.t.ppf(0.975, 9))
    doubled = models.contrast(fit, {"x": 2})
    assert doubled.estimate == pytest.approx(ratio.estimate**2)
    assert doubled.se == pytest.approx(2 * ratio.se)


def test_smallest_ratio_of_the_top_box_to_any_other():
    data = survey(2000, seed=4)
    lift = data["box"].map({"low": 1.0, "middle": 1.3, "top": 2.0})
    data["visits"] = np.random.default_rng(5).poisson(3 * lift)
    fit = models.poisson_rate("visits ~ box", data)
    pairs = [
        models.contrast(fit, {"box[T.top]": 1, "box[T.middle]": -1}),
        models.contrast(fit, "box[T.top]"),
    ]
    found = smallest(pairs)
    assert found.estimate == pytest.approx(2 / 1.3, rel=0.05)
    assert found.ci_low == pairs[0].ci_low > 1


def test_pseudo_likelihood_recovers_a_semi_elasticity_with_zeros():
    """Margins with zeros and a spread that grows with x, where logs are biased."""
    rng = np.random.default_rng(6)
    x = rng.normal(size=20_000)
    spread = 0.4 + 0.2 * np.abs(x)
    noise = np.exp(spread * rng.normal(size=len(x)) - spread**2 / 2)
    margin = np.exp(4 + 0.10 * x) * noise * rng.binomial(1, 0.7, len(x))
    fit = models.poisson_rate("margin ~ x", pd.DataFrame({"margin": margin, "x": x}))
    found = models.contrast(fit, "x")
    assert abs(np.log(found.estimate) - 0.10) < 4 * found.se
    assert found.se < 0.02


@pytest.mark.parametrize(
    ("change", "call", "sentence"),
    [
        ({}, {"family": "gamma"}, 'Unknown family "gamma"; known are gaussian, poisson'),
        ({"poisson": -1.0}, {}, "poisson outcome must lie between 0 and inf"),
        ({"months": 0.0}, {"exposure": "months"}, '"months" must be positive'),
        ({"station": 1}, {"groups": "station"}, "at least 2 groups"),
        ({"x": 3.0}, {}, "collinear"),
    ],
)
def test_impossible_regressions_are_refused(change, call, sentence):
    data = survey().assign(**change)
    with pytest.raises(ValueError, match=sentence):
        models.robust_glm("poisson ~ x", data, **{"family": "poisson", **call})


def test_a_coefficient_of_one_row_or_group_is_refused():
    data = survey().assign(rare=lambda each: (each.index == 7).astype(int))
    with pytest.raises(ValueError, match="One row or group alone"):
        models.ols("gaussian ~ rare", data)
    data["own"] = (data["station"] == 3).astype(int)
    with pytest.raises(ValueError, match="merge rare categories"):
        models.ols("gaussian ~ own", data, groups="station")


def test_unknown_coefficient_is_named():
    fit = models.ols("gaussian ~ x", survey())
    with pytest.raises(ValueError, match=r"\['y'\]; there are \['Intercept', 'x'\]"):
        models.contrast(fit, {"y": 1, "x": 1})


@pytest.mark.slow
def test_coverage_of_rate_ratios_and_of_station_effects():
    hits = np.zeros(2)
    for seed in range(N_COVERAGE):
        data = survey(300, stations=24, seed=seed)
        rng = np.random.default_rng(seed)
        data["visits"] = rng.poisson(6 * np.exp(0.3 * data["x"]) * rng.gamma(1.5, 1 / 1.5, 300))
        found = models.contrast(models.poisson_rate("visits ~ x", data), "x")
        hits[0] += found.ci_low <= np.exp(0.3) <= found.ci_high
        data["office"] = data["station"] % 2  # no effect, but shared within a station
        found = models.contrast(models.ols("gaussian ~ office + x", data, "station"), "office")
        hits[1] += found.ci_low <= 0 <= found.ci_high
    assert (hits / N_COVERAGE).min() > 0.95 - 3 * MC_ERROR
    assert (hits / N_COVERAGE).max() < 0.95 + 4 * MC_ERROR


# --- doubly robust effects


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
    found = models.aipw(y, treated, z)
    design = sm.add_constant(z)
    selection = sm.Logit(treated, design).fit(disp=0)
    other = TreatmentEffect(sm.OLS(y, design), treated, results_select=selection).aipw()
    assert found.share_truncated == 0
    assert found.effect.estimate == pytest.approx(other.effect[0], rel=1e-6)
    assert found.effect.se == pytest.approx(other.results_gmm.bse[0], rel=0.02)


@pytest.mark.parametrize("family", FAMILIES)
def test_aipw_recovers_the_planted_effect(family):
    y, treated, z = confounded(20_000, 1, family)
    found = models.aipw(y, treated, z, family=family).effect
    truth = truth_of(family)
    assert abs(found.estimate - truth) < 4 * found.se
    naive = y[treated == 1].mean() - y[treated == 0].mean()
    assert abs(naive - truth) > 10 * found.se


@pytest.mark.parametrize("missing", ["propensity", "outcome"])
def test_aipw_is_right_if_either_model_is(missing):
    y, treated, z = confounded(40_000, 2)
    half = z[["tenure"]]
    pair = (half, z) if missing == "propensity" else (z, half)
    found = models.aipw(y, treated, *pair).effect
    assert abs(found.estimate - 0.5) < 4 * found.se
    neither = models.aipw(y, treated, half, half).effect
    assert abs(neither.estimate - 0.5) > 10 * neither.se


def test_aipw_reports_balance_overlap_and_effective_sizes():
    y, treated, z = confounded(5000, 3)
    found = models.aipw(y, treated, z)
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
    found = models.aipw(y, treated, z)
    assert found.effect.estimate == pytest.approx(y[treated == 1].mean() - y[treated == 0].mean())
    assert found.effective_treated == pytest.approx(100)
    assert found.balance["smd_after"].abs().max() < 1e-6


def test_aipw_counts_truncated_probabilities():
    rng = np.random.default_rng(5)
    z = pd.DataFrame({"spend": rng.normal(size=4000)})
    chance = stats.logistic.cdf(3 * z["spend"])
    treated = (rng.random(4000) < chance).astype(int)
    found = models.aipw(z["spend"] + rng.normal(size=4000), treated, z)
    expected = 2 * stats.norm.cdf(-stats.logistic.ppf(0.99) / 3)
    assert found.share_truncated == pytest.approx(expected, abs=0.03)
    assert found.lowest_propensity < 0.001 < 0.999 < found.highest_propensity


@properties
@given(st.floats(0.1, 1000), st.floats(-5, 5))
def test_aipw_follows_the_unit(factor, shift):
    y, treated, z = confounded(200, 6)
    found = models.aipw(y, treated, z).effect
    other = models.aipw(factor * y, treated, z * factor + shift).effect
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
            models.aipw(*call)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_coverage_of_aipw(family):
    truth, hits, errors = truth_of(family), 0, []
    for seed in range(N_COVERAGE):
        y, treated, z = confounded(800, 1000 + seed, family)
        found = models.aipw(y, treated, z, family=family).effect
        hits += found.ci_low <= truth <= found.ci_high
        errors.append(found.estimate - truth)
    assert abs(np.mean(errors)) < 4 * np.std(errors) / np.sqrt(N_COVERAGE)
    assert abs(hits / N_COVERAGE - 0.95) < 3 * MC_ERROR


# --- sensitivity


def test_robustness_values_of_the_published_example():
    """Darfur, directly harmed: Cinelli & Hazlett (2020), table 1."""
    t, df = 4.18445, 783
    assert models.robustness_value(t, df) == pytest.approx(0.1388, abs=5e-5)
    assert models.robustness_value(t, df, alpha=0.05) == pytest.approx(0.0763, abs=5e-5)
    assert models.partial_r2(t, df) == pytest.approx(0.0219, abs=5e-5)


@pytest.mark.parametrize("alpha", [None, 0.05])
@pytest.mark.parametrize(("t", "df"), [(4.2, 783), (2.5, 40), (-9.0, 200), (20.0, 5)])
def test_a_confounder_of_that_strength_just_undoes_the_coefficient(t, df, alpha):
    """The lowest t that a confounder within the value can leave, over all its strengths."""
    value = models.robustness_value(t, df, alpha=alpha)
    strengths = np.linspace(0, value, 801)
    outcome, treatment = np.meshgrid(strengths, strengths)
    bias = np.sqrt(df) * np.sqrt(outcome * treatment / (1 - treatment))
    error = np.sqrt((1 - outcome) / (1 - treatment) * df / (df - 1))
    left = (abs(t) - bias) / error
    critical = 0.0 if alpha is None else stats.t.ppf(1 - alpha / 2, df - 1)
    assert left.min() == pytest.approx(critical, abs=1e-6)


def test_robustness_value_of_what_is_not_significant_is_zero():
    assert models.robustness_value(1.5, 100, alpha=0.05) == 0
    assert models.robustness_value(0, 100) == 0


def test_e_values_of_the_published_example():
    """VanderWeele & Ding (2017): risk ratio 3.9, lower end 1.8."""
    assert models.e_value(3.9) == pytest.approx(7.26, abs=0.005)
    assert models.e_value(1.8) == pytest.approx(3.0, abs=0.005)
    assert models.e_value(1.0) == 1.0
    with pytest.raises(ValueError, match="positive"):
        models.e_value(0.0)


@given(st.floats(0.01, 100))
def test_a_confounder_of_the_e_value_explains_the_ratio(ratio):
    e = models.e_value(ratio)
    assert e * e / (2 * e - 1) == pytest.approx(max(ratio, 1 / ratio))
    assert models.e_value(1 / ratio) == pytest.approx(e)
