"""Weighted answers against what R's package `survey` says of its example, California's schools.

apistrat.csv: 200 schools drawn by level with known chances, as in Lumley (2004), Analysis of
complex survey samples, Journal of Statistical Software 9(8). Values are those of survey 4.1, with a
design of weights alone, and of its jackknife (JK1) with errors about the whole sample's estimate.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import special

from analysis.statistics import weighting
from analysis.statistics.regression import models

DRAWN = {"E": 44.21, "H": 15.10, "M": 20.36}
"""Schools of California that a school of the sample stands for: 4,421, 755 and 1,018 in all."""
SCHOOLS = pd.read_csv(Path(__file__).parent / "data" / "files" / "apistrat.csv")
SCHOOLS = SCHOOLS.assign(
    weight=SCHOOLS["level"].map(DRAWN),
    rank=pd.cut(SCHOOLS["api00"], [0, 550, 650, 750, 1000], labels=False) + 1.0,
)
LINE = "api00 ~ ell + meals + mobility"


def test_a_regression_is_the_published_one_and_its_errors_are_the_jackknife_s():
    """svyglm(api00 ~ ell + meals + mobility): 820.8873, -0.4806, -3.1415, 0.2257 are published."""
    fit = models.ols(LINE, SCHOOLS)
    slopes = [820.887315906, -0.480586612, -3.141535310, 0.225713210]
    np.testing.assert_allclose(fit.params, slopes, rtol=1e-6)
    jackknife = [11.383208507, 0.412594308, 0.302542167, 0.461585143]
    np.testing.assert_allclose(fit.bse * np.sqrt(199 / 200), jackknife, rtol=1e-6)
    linearised = np.array([10.970909087, 0.397175527, 0.291733251, 0.401249797])
    assert (fit.bse > linearised).all()
    np.testing.assert_allclose(fit.bse[:3], linearised[:3], rtol=0.05)


def test_errors_by_group_are_those_of_a_jackknife_of_clusters():
    fit = models.ols(LINE, SCHOOLS, "county")
    errors = [9.767570361, 0.626106329, 0.391384211, 0.479192277]
    np.testing.assert_allclose(fit.bse, errors, rtol=1e-6)


def test_a_mean_is_the_published_one():
    mean = models.contrast(models.ols("api00 ~ 1", SCHOOLS), "Intercept")
    assert mean.estimate == pytest.approx(662.2873632, rel=1e-6)  # svymean
    assert mean.se * np.sqrt(199 / 200) == pytest.approx(9.60104107, rel=1e-6)
    assert weighting.average(SCHOOLS["enroll"], SCHOOLS) == pytest.approx(595.2821371, rel=1e-6)
    assert weighting.spread(SCHOOLS["api00"], SCHOOLS) == pytest.approx(123.25009617, rel=1e-6)
    assert weighting.average(SCHOOLS["met"], SCHOOLS) == pytest.approx(0.827948011, rel=1e-6)
    assert weighting.quantile(SCHOOLS, "api00", 0.5) == 668  # svyquantile
    found = weighting.correlation(SCHOOLS, "meals", "ell")
    assert found == pytest.approx(0.746915993, rel=1e-6)


LINKED = {  # svyglm: coefficients, and linearised errors
    ("binomial", "met ~ ell + meals"): (
        [1.560408424, -0.006831057, 0.003524761],
        [0.328769853, 0.013309964, 0.008874050],
    ),
    ("poisson", "enroll ~ ell + meals"): (
        [6.430758297, 0.001691796, -0.001678399],
        [0.089399487, 0.002623761, 0.002233309],
    ),
}


@pytest.mark.parametrize("model", LINKED)
def test_rates_and_odds_are_those_of_svyglm(model):
    family, formula = model
    fit = models.robust_glm(formula, SCHOOLS, family=family)
    slopes, linearised = LINKED[model]
    np.testing.assert_allclose(fit.params, slopes, rtol=1e-5)
    assert (fit.bse > linearised).all()  # HC3 is a little wider
    np.testing.assert_allclose(fit.bse, linearised, rtol=0.06)


def test_an_ordered_probit_is_that_of_svyolr():
    fit = models.ordered("rank ~ ell + meals", SCHOOLS)
    np.testing.assert_allclose(fit.params[:2], [-0.01462565, -0.04040112], rtol=1e-4)
    np.testing.assert_allclose(fit.bse[:2], [0.00634580, 0.00523192], rtol=0.01)


# --- how often intervals hold


def test_the_fewer_answers_decide_an_estimate_the_fewer_degrees_of_freedom_it_has():
    """Of equal parts there are as many as answers; three of weight 10 beside 97 of 1 are few."""
    weight = np.where(np.arange(100) < 3, 10.0, 1.0)
    weight, parts = weight / weight.mean(), np.tile([1.0, -1.0], 50)
    fourth, second = 3 * 10**4 + 97, 3 * 10**2 + 97
    expected = 1 / (1 / 99 + fourth / second**2 - 1 / 100)
    found = weighting.degrees_of_freedom(parts * weight, weight, 99)
    assert found == pytest.approx(expected, rel=1e-12)
    assert weighting.degrees_of_freedom(parts, np.ones(100), 99) == 99
    assert weighting.degrees_of_freedom(parts, None, 99) == 99
    assert weighting.degrees_of_freedom(parts * weight, weight, np.inf) > expected


def of_mean(y, weight):
    """Return a weighted mean, its HC3 error, and what each answer adds to it."""
    mean, share = np.average(y, weights=weight), weight / weight.sum()
    parts = share * (y - mean) / (1 - share)
    return mean, np.sqrt((parts**2).sum()), parts


def test_a_regression_has_the_degrees_of_freedom_of_its_effect():
    own = weighting.of(SCHOOLS)
    _, se, parts = of_mean(SCHOOLS["api00"], own)
    kish = own.sum() ** 2 / (own @ own)
    found = models.contrast(models.ols("api00 ~ 1", SCHOOLS), "Intercept")
    assert found.se == pytest.approx(se, rel=1e-9)
    expected = weighting.degrees_of_freedom(parts.to_numpy(), own, kish - 1)
    assert found.df == pytest.approx(expected, rel=1e-9)
    assert found.df < kish - 1


def test_intervals_of_very_unequal_weights_hold_nearly_as_often_as_they_say():
    """Of 3,000 samples at a design effect of 1.7; with Kish's degrees of freedom 92 %."""
    rng, held = np.random.default_rng(7), {"own": 0, "kish": 0}
    for _ in range(3_000):
        y = np.sqrt(1.25) * rng.normal(size=600)
        chance = 1 / (1 + np.exp(-1.2 * y))
        asked = rng.random(600) < chance
        weight = 1 / chance[asked]
        mean, se, parts = of_mean(y[asked], weight / weight.mean())
        kish = weight.sum() ** 2 / (weight @ weight) - 1
        own = weighting.degrees_of_freedom(parts, weight / weight.mean(), kish)
        for name, df in (("own", own), ("kish", kish)):
            held[name] += abs(mean) <= special.stdtrit(df, 0.975) * se
    assert 0.935 <= held["own"] / 3_000 <= 0.955, held
    assert held["kish"] / 3_000 < 0.928, held
