"""Ordered models: published values, statsmodels' numbers, a slope that a ceiling can't bend."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.miscmodels.ordinal_model import OrderedModel

from analysis.statistics.estimate import NotEstimable
from analysis.statistics.regression import models

# Venables & Ripley (2002), Modern Applied Statistics with S, section 7.3, with a probit link:
# `update(house.plr, method = "probit")` on the page of polr in R's package MASS.
HOUSING = {
    "C(Infl)[T.Medium]": 0.3464,
    "C(Infl)[T.High]": 0.7829,
    "C(Type)[T.Apartment]": -0.3475,
    "C(Type)[T.Atrium]": -0.2179,
    "C(Type)[T.Terrace]": -0.6642,
    "C(Cont)[T.High]": 0.2224,
}
THRESHOLDS = (-0.2998, 0.4267)
DEVIANCE = 3479.689


@pytest.fixture
def housing(shared):
    table = pd.read_csv(shared / "satisfaction" / "housing.csv")
    orders = {
        "Sat": ["Low", "Medium", "High"],
        "Infl": ["Low", "Medium", "High"],
        "Type": ["Tower", "Apartment", "Atrium", "Terrace"],
        "Cont": ["Low", "High"],
    }
    for name, order in orders.items():
        table[name] = pd.Categorical(table[name], order)
    return table


def test_housing_gives_the_published_numbers(housing):
    people = housing.loc[housing.index.repeat(housing["Freq"])]
    people = people.assign(sat=people["Sat"].cat.codes)
    fit = models.ordered("sat ~ C(Infl) + C(Type) + C(Cont)", people)
    assert fit.converged
    assert fit.params[list(HOUSING)].tolist() == pytest.approx([*HOUSING.values()], abs=5.1e-5)
    first, distance = fit.params.iloc[6:]
    assert (first, first + np.exp(distance)) == pytest.approx(THRESHOLDS, abs=5.1e-5)
    assert -2 * fit.llf == pytest.approx(DEVIANCE, abs=5.1e-4)


def answers(n, seed, slope=0.5, cuts=(-2.6, -1.9, -1.0, 0.1)):
    rng = np.random.default_rng(seed)
    data = pd.DataFrame(rng.normal(size=(n, 2)), columns=["x", "w"])
    latent = slope * data["x"] - 0.3 * data["w"] + rng.normal(size=n)
    return data.assign(answer=1 + np.searchsorted(cuts, latent))


def test_statsmodels_finds_the_same():
    data = answers(300, 1)
    ours = models.ordered("answer ~ x + w", data)
    outcome = pd.Series(pd.Categorical(data["answer"], ordered=True))
    theirs = OrderedModel(outcome, data[["x", "w"]], distr="probit")
    theirs = theirs.fit(method="bfgs", disp=False, gtol=1e-8)
    assert ours.params.to_numpy() == pytest.approx(theirs.params.to_numpy(), abs=1e-4)
    errors = np.sqrt(np.diag(ours.cov_params()))
    assert errors == pytest.approx(theirs.bse.to_numpy(), rel=1e-3)
    assert ours.llf == pytest.approx(theirs.llf, abs=1e-6)
    new = pd.DataFrame({"x": [0.0, 2.0], "w": [1.0, -1.0]})
    assert ours.predict(new).to_numpy() == pytest.approx(theirs.predict(new), abs=1e-4)
    assert f"{ours.bse['x']:.3f}" in str(ours.summary())
    assert models.coefficients(ours).index.tolist() == ["x", "w"]


def test_two_answers_of_few_people_and_far_values_still_converge():
    rng = np.random.default_rng(3)
    x = np.r_[rng.normal(size=40), 9.0]
    data = pd.DataFrame({"x": x, "answer": np.r_[1, 10, rng.integers(4, 8, 39)]})
    fit = models.ordered("answer ~ x", data)
    assert fit.converged
    assert np.isfinite(fit.cov_params().to_numpy()).all()


def test_two_different_answers_are_refused():
    data = answers(80, 4).assign(answer=lambda d: (d["answer"] > 3).astype(int))
    with pytest.raises(ValueError, match="3 different values"):
        models.ordered("answer ~ x", data)


def test_collinear_columns_are_refused():
    with pytest.raises(ValueError, match="collinear"):
        models.ordered("answer ~ x + twice", answers(80, 5).assign(twice=lambda d: 2 * d["x"]))


def test_a_ceiling_bends_a_line_but_not_the_ordered_slopes():
    """The trap of H03 and H07: the truth is linear, and the top of the scale is crowded."""
    data = answers(20_000, 6, slope=0.8)
    data = data.assign(above=data["x"].clip(lower=0), below=data["x"].clip(upper=0))
    line = models.contrast(
        models.ols("answer ~ above + below + w", data), {"below": 1, "above": -1}
    )
    fit = models.ordered("answer ~ above + below + w", data)
    bend = models.contrast(fit, {"below": 1, "above": -1})
    assert line.ci_low > 0.2
    assert bend.ci_low < 0 < bend.ci_high
    assert fit.params["above"] == pytest.approx(0.8, abs=0.05)


def test_intervals_of_the_slope_hold_the_truth():
    held, n = 0, 300
    for seed in range(n):
        found = models.contrast(models.ordered("answer ~ x + w", answers(200, seed)), "x")
        held += found.ci_low <= 0.5 <= found.ci_high
    assert abs(held / n - 0.95) < 3 * np.sqrt(0.95 * 0.05 / n)
    assert stats.binomtest(held, n, 0.95).pvalue > 0.001


def test_answers_that_a_category_separates_are_said_not_to_converge():
    rng = np.random.default_rng(8)
    data = pd.DataFrame({"group": np.repeat([0.0, 1.0], [50, 6])})
    data["answer"] = np.r_[rng.integers(1, 7, 50), np.full(6, 9)]
    fit = models.ordered("answer ~ group", data)
    assert not fit.converged
    assert np.isfinite(fit.cov_params().to_numpy()).all()


def test_a_covariate_in_yuan_converges_to_the_slope_of_any_other_unit():
    data = answers(300, 1).assign(yuan=lambda each: 3e5 + 1e5 * each["x"])
    fit, other = models.ordered("answer ~ yuan + w", data), models.ordered("answer ~ x + w", data)
    assert fit.converged
    assert fit.params["yuan"] * 1e5 == pytest.approx(other.params["x"], rel=1e-9)
    assert fit.params["w"] == pytest.approx(other.params["w"], rel=1e-9)
    errors = [models.contrast(each, name).se for each, name in ((fit, "yuan"), (other, "x"))]
    assert errors[0] * 1e5 == pytest.approx(errors[1], rel=1e-9)


def test_a_slope_that_did_not_converge_is_no_estimate():
    data = pd.DataFrame({"group": np.repeat([0.0, 1.0], [50, 6])})
    data["answer"] = np.r_[np.random.default_rng(8).integers(1, 7, 50), np.full(6, 9)]
    fit = models.ordered("answer ~ group", data)
    with pytest.raises(NotEstimable, match="ordered probit model of 56 rows did not converge"):
        models.contrast(fit, "group")


def test_answers_that_hardly_differ_are_refused_with_their_number():
    rng = np.random.default_rng(2)
    data = pd.DataFrame(rng.normal(size=(60, 3)), columns=list("abc"))
    data["answer"] = np.r_[1, 2, 3, np.full(57, 10)]
    with pytest.raises(NotEstimable, match=r"60 rows \(57 alike\): as good as 9 .* 5 slopes need"):
        models.ordered("answer ~ a + b + c + I(a**2) + I(b**2)", data)
    assert np.isfinite(models.ordered("answer ~ a", data).params["a"])
