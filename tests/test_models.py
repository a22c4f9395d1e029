"""Regressions: other implementations, jackknives and planted truths."""

from decimal import Decimal

import numpy as np
import pandas as pd
import patsy
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.statistics.estimate import NotEstimable, pooled, smallest
from analysis.statistics.regression import _glm, formulas, models, specification_curve

N_COVERAGE = 300
MC_ERROR = np.sqrt(0.95 * 0.05 / N_COVERAGE)
FAMILIES = ["gaussian", "poisson", "binomial"]
properties = settings(max_examples=25)


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


def gee_errors(formula, data, family, groups):
    """Return the errors of statsmodels' own GEE, by groups."""
    model = smf.gee(
        formula,
        groups,
        data,
        family=_glm.FAMILIES[family](),
        cov_struct=sm.cov_struct.Independence(),
    )
    return model.fit(cov_type="bias_reduced")


def with_results(fit, **values):
    """Return a fit with some of its results replaced."""
    for name, value in values.items():
        setattr(fit._results, name, value)
    return fit


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
    assert fit.cov_params().to_numpy() == pytest.approx(other.cov_params().to_numpy())


def test_errors_by_group_equal_leaving_each_group_out():
    data = survey()
    fit = models.ols("gaussian ~ x + box", data, groups="station")
    left = [
        smf.ols("gaussian ~ x + box", data[data["station"] != station]).fit().params
        for station in range(12)
    ]
    away = np.array(left) - fit.params.to_numpy()
    assert fit.cov_params().to_numpy() == pytest.approx(11 / 12 * away.T @ away, rel=1e-9)
    assert fit.df_resid_inference == 11


@pytest.mark.parametrize("family", FAMILIES)
def test_errors_equal_a_gee_with_independent_rows(family):
    data = survey().assign(row=range(300))
    formula = f"{family} ~ x + box"
    by_row = gee_errors(formula, data, family, "row")
    fit = models.robust_glm(formula, data, family=family)
    assert fit.params.to_numpy() == pytest.approx(by_row.params.to_numpy(), rel=1e-5)
    assert np.sqrt(np.diag(fit.cov_params())) == pytest.approx(by_row.bse.to_numpy(), rel=1e-5)
    by_station = gee_errors(formula, data, family, "station")
    fit = models.robust_glm(formula, data, family=family, groups="station")
    expected = by_station.bse.to_numpy() * np.sqrt(11 / 12)
    assert np.sqrt(np.diag(fit.cov_params())) == pytest.approx(expected, rel=1e-5)


def test_ratio_of_two_groups_is_the_ratio_of_totals():
    data = survey().assign(top=lambda each: (each["box"] == "top").astype(int))
    means = data.groupby("top")["poisson"].mean()
    fit = models.poisson_rate("poisson ~ top", data)
    assert models.contrast(fit, "top").estimate == pytest.approx(means[1] / means[0])


def test_rows_with_missing_values_are_left_out_with_their_group():
    data = survey()
    holes = data.copy().astype({"station": float})
    holes.loc[3, "x"] = holes.loc[50, "months"] = holes.loc[77, "station"] = np.nan
    holes.loc[120, "box"] = None
    holes.index = range(1000, 1300)
    kept = data.drop(index=[3, 50, 77, 120])
    options = {"family": "poisson", "groups": "station"}
    found = models.robust_glm("poisson ~ x + months + box", holes, **options)
    expected = models.robust_glm("poisson ~ x + months + box", kept, **options)
    assert found.nobs == 296
    assert found.cov_params().to_numpy() == pytest.approx(expected.cov_params().to_numpy())


# --- results of statsmodels


@pytest.mark.parametrize("groups", [None, "station"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_summary_shows_the_robust_errors(family, groups):
    fit = models.robust_glm(f"{family} ~ x + box", survey(), family=family, groups=groups)
    row = next(row for row in fit.summary().tables[1].data if row[0].strip() == "x")
    found = models.contrast(fit, "x", scale="identity")
    shown = [float(row[i]) for i in (1, 2, 5, 6)]
    assert shown == pytest.approx([found.estimate, found.se, found.ci_low, found.ci_high], abs=6e-4)
    kind = "HC3" if groups is None else "jackknife by station (12 groups)"
    assert kind in str(fit.summary())
    assert fit.bse["x"] == pytest.approx(found.se)
    assert fit.pvalues["x"] == pytest.approx(found.p_value(0))


def test_residuals_predictions_and_influence_are_those_of_the_fit():
    data = survey()
    fit = models.ols("gaussian ~ x + box", data)
    new = pd.DataFrame({"x": [0.0, 1.0], "box": ["top", "low"]})
    expected = [
        fit.params["Intercept"] + fit.params["box[T.top]"],
        fit.params[["Intercept", "x"]].sum(),
    ]
    assert fit.predict(new).tolist() == pytest.approx(expected)
    assert fit.resid.to_numpy() == pytest.approx((data["gaussian"] - fit.predict(data)).to_numpy())
    leverage = fit.get_influence().hat_matrix_diag
    assert leverage.sum() == pytest.approx(4)
    ratio = models.poisson_rate("poisson ~ x", data)
    assert ratio.predict(new).tolist() == pytest.approx(
        np.exp(ratio.params["Intercept"] + ratio.params["x"] * new["x"]).tolist()
    )


def test_a_plain_fit_of_statsmodels_may_be_read_too():
    data = survey()
    plain = models.contrast(smf.ols("gaussian ~ x", data).fit(cov_type="HC3", use_t=True), "x")
    ours = models.contrast(models.ols("gaussian ~ x", data), "x")
    assert (plain.estimate, plain.ci_low) == pytest.approx((ours.estimate, ours.ci_low))
    assert plain.method == "OLS, HC3 errors"


def test_coefficients_are_the_contrasts_pooled_over_imputations():
    data = survey()
    fits = [models.poisson_rate("poisson ~ x + box", survey(seed=seed)) for seed in range(3)]
    one, all_three = models.coefficients(fits[0]), models.coefficients(fits)
    found = models.contrast(fits[0], "box[T.top]")
    expected = [found.estimate, found.se, found.ci_low, found.ci_high, found.p_value(1)]
    assert one.loc["box[T.top]"].tolist() == pytest.approx(expected)
    assert one.index.tolist() == ["Intercept", "box[T.middle]", "box[T.top]", "x"]
    both = pooled([models.contrast(fit, "x") for fit in fits])
    assert all_three.loc["x", ["estimate", "ci_high"]].tolist() == pytest.approx(
        [both.estimate, both.ci_high]
    )
    rare = data.assign(rare=np.arange(300) < 40, poisson=data["poisson"].where(data.index > 37, 0))
    assert (
        models.coefficients(models.poisson_rate("poisson ~ rare", rare))
        .loc["rare[T.True]"]
        .isna()
        .all()
    )


# --- text columns


def test_only_columns_of_the_formula_are_kept_and_text_is_a_category():
    found = formulas.coded("poisson ~ C(box) + np.log(months)", survey())
    assert sorted(found) == ["box", "months", "poisson"]
    assert found["box"].dtype == "category"
    assert found["months"].dtype == float


@pytest.mark.parametrize("terms", ["x + box", "x + C(box)", "C(box, Treatment('top'))", "x * box"])
def test_categories_have_the_design_and_the_fit_of_text(terms):
    data, formula = survey(), f"gaussian ~ {terms}"
    data.loc[data["x"] > 1.5, "box"] = None
    plain, found = (patsy.dmatrix(terms, each) for each in (data, formulas.coded(formula, data)))
    assert found.design_info.column_names == plain.design_info.column_names
    assert np.asarray(found).tolist() == np.asarray(plain).tolist()
    other = smf.ols(formula, data).fit()
    fit = models.ols(formula, data)
    assert fit.params.to_dict() == pytest.approx(other.params.to_dict())
    assert fit.nobs == other.nobs < 300


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


# --- rows that a model has not seen


def unseen_r2(x, y, part):
    """Return the R2 of predictions for each part from a fit to the others."""
    x, missed = np.column_stack([np.ones(len(y)), x]), np.empty(len(y))
    for k in np.unique(part):
        seen = part != k
        slopes = np.linalg.solve(x[seen].T @ x[seen], x[seen].T @ y[seen])
        missed[~seen] = y[~seen] - x[~seen] @ slopes
    return 1 - (missed**2).mean() / y.var()


def test_cross_validation_by_normal_equations(monkeypatch):
    monkeypatch.setattr(models, "FOLDS", 5)
    data = survey(203)
    part = np.random.default_rng(4).permutation(203) % 5
    formulas = {"line": "gaussian ~ x", "curve": "gaussian ~ x + I(x ** 2)"}
    found = models.cross_validated(formulas, data, seed=4)
    x, y = data["x"].to_numpy(), data["gaussian"].to_numpy()
    expected = [unseen_r2(x, y, part), unseen_r2(np.column_stack([x, x**2]), y, part)]
    assert found.tolist() == pytest.approx(expected)
    assert found.index.tolist() == ["line", "curve"]
    assert found.equals(models.cross_validated(formulas, data, seed=4))


def test_leaving_each_row_out_is_the_sum_of_press_residuals(monkeypatch):
    monkeypatch.setattr(models, "FOLDS", 60)
    data = survey(60)
    fit = smf.ols("gaussian ~ x + box", data).fit()
    press = fit.get_influence().resid_press
    expected = 1 - (press**2).sum() / fit.centered_tss
    found = models.cross_validated({"it": "gaussian ~ x + box"}, data, seed=0)
    assert found["it"] == pytest.approx(expected)


def test_cross_validation_finds_what_is_planted_and_nothing_in_noise():
    rng = np.random.default_rng(2)
    names = [f"n{i}" for i in range(12)]
    data = pd.DataFrame(rng.normal(size=(2000, 13)), columns=["x", *names])
    data["y"] = data["x"] + rng.normal(size=2000)
    noise = " + ".join(names)
    formulas = {"truth": "y ~ x", "noise": f"y ~ {noise}", "both": f"y ~ x + {noise}"}
    found = models.cross_validated(formulas, data, seed=0)
    assert found["truth"] == pytest.approx(0.5, abs=4 * 2 * 0.5 * np.sqrt(0.5 / 2000))
    assert found["noise"] < 0
    assert found["both"] < found["truth"]


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


# --- data that allow no estimate


def test_a_group_without_events_is_refused_by_name_and_count():
    """Issue 14: an odds ratio of 7e8 [4e8, 1.4e9] where a group has no event."""
    data = survey().assign(group=lambda each: np.where(each.index < 260, "usual", "vip"))
    data.loc[data["group"] == "vip", "binomial"] = 0.0
    expected = r'Of 40 rows with "group\[T.vip\]", 0 have "binomial" above 0'
    with pytest.raises(NotEstimable, match=expected):
        models.robust_glm("binomial ~ x + group", data, family="binomial")
    data.loc[data["group"] == "vip", ["binomial", "poisson"]] = 1.0, 0.0
    with pytest.raises(NotEstimable, match=r'Of 40 rows with "group\[T.vip\]", 40 have'):
        models.robust_glm("binomial ~ x + group", data, family="binomial")
    with pytest.raises(NotEstimable, match=r'Of 40 rows with "group\[T.vip\]", 0 have "poisson"'):
        models.poisson_rate("poisson ~ x + group", data)
    data.loc[270:272, ["binomial", "poisson"]] = 0.0, 1.0  # three exceptions are enough
    assert models.contrast(models.poisson_rate("poisson ~ x + group", data), "group[T.vip]").se < 2
    fit = models.robust_glm("binomial ~ x + group", data, family="binomial")
    assert 1 < models.contrast(fit, "group[T.vip]").estimate < 1000


def test_a_column_that_decides_the_outcome_is_refused():
    data = survey().assign(past=lambda each: (each["x"] > 0.3).astype(float))
    with pytest.raises(NotEstimable, match=r'x tell apart, .* of 300 rows have "past" above 0'):
        models.robust_glm("past ~ x", data, family="binomial")
    data.loc[data["x"].idxmax(), "past"] = 0.0
    fit = models.robust_glm("past ~ x", data, family="binomial")
    assert models.contrast(fit, "x").ci_low > 1


@pytest.mark.parametrize("family", ["binomial", "poisson"])
def test_separation_is_that_of_exhaustive_search(family):
    """Of two columns: is there an angle at which no row moves away from its outcome?"""
    rng = np.random.default_rng(9)
    angles = np.linspace(0, 2 * np.pi, 3601)
    around = np.column_stack([np.cos(angles), np.sin(angles)])
    found = []
    for _ in range(200):
        x = rng.normal(size=(8, 2))
        y = rng.integers(0, 2, 8) * (1.0 if family == "binomial" else rng.gamma(2, 1, 8))
        upper = (y == 1) if family == "binomial" else np.zeros(8, bool)
        move = around @ x.T * np.where(upper, 1, -1)
        stays = np.abs(move[:, y > 0]) < 1e-3 if family == "poisson" else np.ones((len(move), 0))
        falls = (move if family == "binomial" else move[:, y == 0]) >= -1e-9
        expected = bool((falls.all(axis=1) & stays.all(axis=1)).any())
        assert (_glm.separating(x, y, family) is not None) == expected
        found.append(expected)
    assert 5 < sum(found) < 195 or family == "poisson"


def test_too_few_events_for_the_columns_are_refused_with_their_number():
    rng = np.random.default_rng(1)
    data = pd.DataFrame(rng.normal(size=(200, 6)), columns=list("abcdef")).assign(y=0.0)
    data.loc[:10, "y"] = 1.0
    sentence = 'Only 11 of 200 rows have "y" above 0; 6 coefficients need 12'
    for family in ("binomial", "poisson"):
        with pytest.raises(NotEstimable, match=sentence):
            models.robust_glm("y ~ a + b + c + d + e + f", data, family=family)
        assert models.robust_glm("y ~ a + b", data, family=family).converged
    with pytest.raises(NotEstimable, match="Only 11 of 200 rows do not have"):
        models.robust_glm("I(1 - y) ~ a + b + c + d + e + f", data, family="binomial")


@pytest.mark.parametrize("family", FAMILIES)
def test_outcomes_that_do_not_differ_and_no_rows_are_refused(family):
    with pytest.raises(NotEstimable, match='"y" is 0 in all 300 rows'):
        models.robust_glm("y ~ x", survey().assign(y=0.0), family=family)
    with pytest.raises(NotEstimable, match='"y" is 1 in all 300 rows'):
        models.robust_glm("y ~ x", survey().assign(y=True), family=family)
    with pytest.raises(NotEstimable, match="None of 0 rows has every one of x, "):
        models.robust_glm(f"{family} ~ x", survey().head(0), family=family)
    with pytest.raises(NotEstimable, match="None of 300 rows"):
        models.robust_glm("y ~ x", survey().assign(y=np.nan), family=family)


def test_an_effect_without_a_standard_error_is_refused():
    data = survey().assign(exact=lambda each: 1 + 2 * each["x"])
    with pytest.raises(NotEstimable, match="300 rows give no standard error for x"):
        models.contrast(models.ols("exact ~ x", data), "x")
    fit = models.ols("gaussian ~ x", data)
    with pytest.raises(NotEstimable, match="did not converge"):
        models.contrast(with_results(fit, converged=False), "x")
    fit = models.ols("gaussian ~ x", data)
    with pytest.raises(NotEstimable, match="no standard error"):
        models.contrast(with_results(fit, cov_params_default=np.full((2, 2), np.nan)), "x")


def test_a_fit_in_yuan_converges_as_in_millions():
    data = survey(2000).assign(yuan=lambda each: each["poisson"] * 1e9)
    fit, other = models.poisson_rate("yuan ~ x", data), models.poisson_rate("poisson ~ x", data)
    assert fit.params["x"] == pytest.approx(other.params["x"], rel=1e-9)
    tiny = models.poisson_rate("yuan ~ x", data.assign(yuan=1e-21 * data["yuan"]))
    assert tiny.params["x"] == pytest.approx(other.params["x"], rel=1e-9)


# --- kinds of columns


def test_true_counts_as_one():
    """Issue 14: an odds ratio of 0.344 for 2.909, because the first level counted as 1."""
    data = survey().assign(yes=lambda each: each["binomial"] == 1)
    expected = models.robust_glm("binomial ~ x", data, family="binomial")
    for kind in ("bool", "boolean", "object", "Int64"):
        fit = models.robust_glm("yes ~ x", data.astype({"yes": kind}), family="binomial")
        assert fit.params.to_dict() == pytest.approx(expected.params.to_dict())
    assert models.ols("yes ~ x", data).params["x"] == pytest.approx(
        models.ols("binomial ~ x", data).params["x"]
    )


@pytest.mark.parametrize("kind", ["object", "str", "category"])
def test_an_outcome_of_words_is_refused_without_its_values(kind):
    data = survey().assign(lost=lambda each: np.where(each["binomial"] == 1, "gone", "here"))
    with pytest.raises(
        ValueError,
        match=r'The outcome "lost" must be numbers.*; it has 2 different values of the type',
    ):
        models.robust_glm("lost ~ x", data.astype({"lost": kind}), family="binomial")
    with pytest.raises(ValueError, match='The outcome "lost" must be numbers'):
        models.ordered("lost ~ x", data.astype({"lost": kind}))


def test_an_expression_of_true_and_false_is_refused_as_outcome():
    with pytest.raises(ValueError, match=r'The outcome of "\(x > 0\) ~ months" must be numbers'):
        models.robust_glm("(x > 0) ~ months", survey(), family="binomial")


def test_nullable_and_decimal_columns_are_numbers_with_gaps():
    data = survey()
    expected = models.poisson_rate("poisson ~ x + months + box", data.drop(index=[4, 9, 30]))
    odd = data.astype({"poisson": "Int64", "x": "Float64", "box": "string"})
    odd["months"] = odd["months"].map(Decimal)
    odd.loc[4, "poisson"] = odd.loc[9, "x"] = pd.NA
    odd.loc[30, "months"] = None
    found = models.poisson_rate("poisson ~ x + months + box", odd)
    assert found.nobs == 297
    assert found.params.to_dict() == pytest.approx(expected.params.to_dict())


def test_categories_that_no_row_has_are_no_columns():
    data = survey()
    data["box"] = pd.Categorical(data["box"], ["low", "middle", "never", "top"])
    data.loc[data["box"] == "middle", "x"] = np.nan  # nor one whose rows are left out
    assert list(models.ols("gaussian ~ x + box", data).params.index) == [
        "Intercept", "box[T.top]", "x",
    ]  # fmt: skip


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_infinite_values_are_refused_by_column_and_number():
    data = survey()
    data.loc[[1, 2], "x"] = np.inf
    with pytest.raises(NotEstimable, match='"x" is infinite in 2 of 300 rows'):
        models.ols("gaussian ~ x", data)
    with pytest.raises(NotEstimable, match=r'A term of "gaussian ~ np.log\(none\)" is infinite'):
        models.ols("gaussian ~ np.log(none)", survey().assign(none=lambda d: d["poisson"] * 0.0))


def test_a_column_named_like_a_category_in_quotes_leaves_no_row_out():
    data = survey().assign(top=np.nan)
    assert models.ols("gaussian ~ C(box, Treatment('top'))", data).nobs == 300


def test_errors_by_group_are_called_the_jackknife():
    fit = models.ols("gaussian ~ x", survey(), groups="station")
    assert fit.label == "gaussian regression, jackknife by station (12 groups)"


def test_separation_of_many_rows_needs_no_square_matrix():
    """With one of rows by rows, 200,000 of them would take 320 GB."""
    rng = np.random.default_rng(0)
    x = np.column_stack([np.ones(200_000), rng.normal(size=200_000), np.arange(200_000) < 50])
    y = rng.poisson(1, 200_000).astype(float)
    assert _glm.separating(x, y, "poisson") is None
    y[:50] = 0.0
    direction = _glm.separating(x, y, "poisson")
    assert np.abs(direction[:2]).max() < 1e-9 < -direction[2]


# --- what a tester broke


@pytest.mark.parametrize("kind", ["boolean", "object"])
@pytest.mark.parametrize("gap", [None, pd.NA])
def test_true_and_false_with_gaps_leave_those_rows_out(kind, gap):
    data = survey()
    yes = (data["binomial"] == 1).astype(object)
    yes[[4, 9, 30]] = gap
    odd, expected = data.assign(y=yes.astype(kind)), data.drop(index=[4, 9, 30])
    found = models.robust_glm("y ~ x", odd, family="binomial")
    assert found.nobs == 297
    assert found.params.to_dict() == pytest.approx(
        models.robust_glm("binomial ~ x", expected, family="binomial").params.to_dict()
    )
    table = specification_curve.curve("y ~ x", "x", odd, family="binomial")
    assert table["n_obs"].tolist() == [297]


def test_decimals_and_numbers_as_objects_may_have_gaps():
    data = survey()
    expected = models.ols("gaussian ~ x", data.drop(index=[4]))
    odd = data.assign(gaussian=data["gaussian"].astype(object), x=data["x"].map(Decimal))
    odd.loc[4, ["gaussian", "x"]] = pd.NA
    assert models.ols("gaussian ~ x", odd).params.to_dict() == pytest.approx(
        expected.params.to_dict()
    )


@pytest.mark.parametrize("level", [0.1, 1.9])
def test_an_error_of_rounding_alone_is_none(level):
    """The difference of two groups without any spread: 0, with an error of 1e-16."""
    data = pd.DataFrame({"g": list("aabbcc") * 5, "y": level})
    data.loc[data["g"] == "c", "y"] = np.arange(10) + 7.0
    fit = models.ols("y ~ 0 + g", data)
    with pytest.raises(NotEstimable, match="30 rows give no standard error"):
        models.contrast(fit, {"g[a]": 1, "g[b]": -1})
    with pytest.raises(NotEstimable, match="30 rows give no standard error"):
        models.contrast(fit, {"g[a]": 1.5, "g[b]": -0.5, "g[c]": 0})
    assert models.contrast(fit, {"g[c]": 1, "g[a]": -1}).estimate == pytest.approx(11.5 - level)


def test_a_small_error_of_a_large_outcome_is_one():
    data = survey().assign(y=lambda each: 1e9 + each["gaussian"])
    found, plain = (models.ols(f"{name} ~ x", data) for name in ("y", "gaussian"))
    assert models.contrast(found, "x").se == pytest.approx(models.contrast(plain, "x").se, 1e-5)


@pytest.mark.parametrize(
    ("column", "name", "who"),
    [
        ("few", "few", 'with "few"'),
        ("most", "most", 'without "most"'),
        ("box", "box[T.top]", r'without "box\[T.middle\]" or "box\[T.top\]"'),
    ],
)
def test_a_group_with_two_events_gives_no_ratio(column, name, who):
    data = survey()
    data["few"] = (data["box"] == "low").astype(float)
    data["most"] = 1 - data["few"]
    data.loc[data["few"] == 1, "poisson"] = 0.0
    data.loc[data.index[data["few"] == 1][:2], "poisson"] = [1e-9, 5.0]
    fit = models.poisson_rate(f"poisson ~ x + {column}", data)
    with pytest.raises(NotEstimable, match=f"Events among the rows {who}: 2; .* needs 3 in each"):
        models.contrast(fit, name)
    models.contrast(fit, "x")  # controls may have few
    data.loc[data.index[data["few"] == 1][2], "poisson"] = 1.0
    models.contrast(models.poisson_rate(f"poisson ~ x + {column}", data), name)


def test_levels_are_compared_without_their_reference():
    data = survey()
    low = data.index[data["box"] == "low"]
    data.loc[low, "binomial"] = 1.0
    data.loc[low[:2], "binomial"] = 0.0
    fit = models.robust_glm("binomial ~ box", data, family="binomial")
    assert models.contrast(fit, {"box[T.top]": 1, "box[T.middle]": -1}).n_obs == 300
    with pytest.raises(NotEstimable, match=": 2; a ratio of groups needs 3 in each"):
        models.contrast(fit, {"box[T.top]": 1})


def test_a_column_far_from_zero_is_refused_where_floats_cannot_tell_it():
    """A slope of 0 for 0.5."""
    data = survey().assign(far=lambda each: 1e9 + each["x"], near=lambda each: 1e4 + each["x"])
    with pytest.raises(NotEstimable, match=r'"far" differs by only .* take its mean away first'):
        models.ols("gaussian ~ far", data)
    assert models.ols("gaussian ~ near", data).params["near"] == pytest.approx(
        models.ols("gaussian ~ x", data).params["x"]
    )


def test_no_outcome_is_called_minus_zero():
    with pytest.raises(NotEstimable, match='"y" is 0 in all 300 rows'):
        models.poisson_rate("y ~ x", survey().assign(y=-0.0))


@pytest.mark.parametrize("unit", [1e-9, 1e-6])
def test_a_ratio_that_no_number_can_hold_is_refused(unit):
    rng = np.random.default_rng(1)
    rows = pd.DataFrame({"x": rng.normal(size=200) * unit, "b": rng.random(200) < 0.4})
    for family in ("binomial", "poisson"):
        fit = models.robust_glm("b ~ x", rows, family=family)
        with pytest.raises(NotEstimable, match="200 rows give no standard error for x"):
            models.contrast(fit, "x")
        assert models.coefficients(fit).loc["x"].isna().all()


def test_groups_that_are_no_column_are_named():
    rows = pd.DataFrame({"y": [1.0, 2, 4, 3], "x": [1.0, 2, 3, 5]})
    with pytest.raises(ValueError, match='The table has no column "station" of groups'):
        models.ols("y ~ x", rows, groups="station")


@pytest.mark.parametrize("sign", ["", "-"])
def test_a_term_that_is_infinite_is_refused_on_either_side(sign):
    data = pd.DataFrame({"y": np.random.default_rng(0).normal(size=50), "n": np.arange(50.0)})
    with (
        np.errstate(divide="ignore"),
        pytest.raises(NotEstimable, match=r"A term of .* is infinite"),
    ):
        models.ols(f"y ~ I({sign}np.log(n))", data)


def test_what_can_not_be_predicted_is_said():
    data = pd.DataFrame(np.random.default_rng(0).normal(size=(200, 2)), columns=["y", "a"])
    first = data.index == 0
    for wrong, said in (
        (data.assign(a=data["a"].mask(first, np.inf)), "infinite in 1 of 200"),
        (data.assign(a=data["a"].mask(first)), "Rows with a missing value of .*: 1"),
        (data.assign(y=1.0), "is the same in all 200 rows"),
    ):
        with pytest.raises(ValueError, match=said):
            models.cross_validated({"m": "y ~ a"}, wrong, 0)


@pytest.mark.parametrize("df", [0, -1, np.nan])
def test_no_degrees_of_freedom_are_refused(df):
    data = pd.DataFrame(np.random.default_rng(0).normal(size=(50, 2)), columns=["y", "a"])
    with pytest.raises(ValueError, match="Degrees of freedom must be above 0"):
        models.contrast(models.ols("y ~ a", data), "a", df=df)


def test_true_and_false_with_missing_ones_have_the_name_of_those_without():
    data = pd.DataFrame({"y": np.random.default_rng(0).normal(size=50), "a": [True, False] * 25})
    some = data.assign(a=data["a"].astype("boolean").mask(data.index == 0))
    assert list(models.ols("y ~ a", some).params.index) == ["Intercept", "a[T.True]"]
