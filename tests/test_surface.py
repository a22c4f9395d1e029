"""The quadratic surface: planted ones, and those of a difference."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.cohorts import survey
from analysis.statistics.estimate import pooled
from analysis.statistics.regression import models, response_surface

properties = settings(max_examples=25)
NAMES = ("performance", "expectation")
SIDES = "surplus + shortfall + expectation"
coefficient = st.floats(-2, 2)


def rated(n=120, seed=0, spread=1.0):
    """Return ratings counted from the middle of the scale; `spread` is that of expectation."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=n)
    performance = np.clip(6.5 + shared + rng.normal(size=n), 1, 10)
    expectation = np.clip(6 + spread * (shared + rng.normal(size=n)), 1, 10)
    people = pd.DataFrame({"performance": performance, "expectation": expectation})
    return survey.centred(people.assign(age=rng.normal(size=n)), NAMES)


def surface(outcome, controls=()):
    """Return the formula of the surface."""
    terms = [*response_surface.SLOPES, *response_surface.BENDS, *controls]
    return f"{outcome} ~ {' + '.join(terms)}"


def fitted(people, y, controls=()):
    """Return the surface of an outcome."""
    return models.ols(surface("y", controls), people.assign(y=y))


def planted(people, y):
    """Return the surface of an outcome with noise that no term explains: its terms are exact."""
    noise = np.random.default_rng(9).normal(size=len(people))
    noise = smf.ols(surface("noise", ["age"]), people.assign(noise=noise)).fit().resid
    return fitted(people, y + noise, ["age"])


@properties
@given(st.tuples(*[coefficient] * 6))
def test_features_of_a_planted_surface_are_exact(b):
    people = rated()
    p, e = people["c_performance"], people["c_expectation"]
    y = b[0] + b[1] * p + b[2] * e + b[3] * p**2 + b[4] * p * e + b[5] * e**2 + people["age"]
    fit = planted(people, y)
    assert {
        name: each.estimate for name, each in response_surface.features([fit], 1.0).items()
    } == pytest.approx(
        {
            "along equality, slope": b[1] + b[2],
            "along equality, bend": b[3] + b[4] + b[5],
            "across equality, slope": b[1] - b[2],
            "across equality, bend": b[3] - b[4] + b[5],
        },
        abs=1e-9,
    )
    slopes = response_surface.slopes([fit])
    assert slopes["performance"].estimate == pytest.approx(b[1], abs=1e-9)
    assert slopes["expectation"].estimate == pytest.approx(b[2], abs=1e-9)


@properties
@given(coefficient, coefficient, st.floats(0.3, 2))
def test_a_difference_in_points_is_nothing_along_equality(straight, bent, spread):
    """Whatever the spread of the two: equal are equal points, not equal standard deviations."""
    people = rated(spread=spread)
    gap = people["performance"] - people["expectation"]
    sd = people["performance"].std()
    ratio = sd / people["expectation"].std()
    found = response_surface.features([planted(people, straight * gap + bent * gap**2)], ratio)
    assert {name: each.estimate for name, each in found.items()} == pytest.approx(
        {
            "along equality, slope": 0,
            "along equality, bend": 0,
            "across equality, slope": 2 * straight * sd,
            "across equality, bend": 4 * bent * sd**2,
        },
        abs=1e-8,
    )


def test_equal_standard_deviations_would_take_a_difference_for_none():
    people = rated(n=2000, spread=0.5)
    noise = np.random.default_rng(1).normal(size=2000)
    fit = fitted(people, people["performance"] - people["expectation"] + 0.1 * noise)
    ratio = people["performance"].std() / people["expectation"].std()
    along = "along equality, slope"
    assert response_surface.features([fit], 1.0)[along].ci_low > 0.3
    right = response_surface.features([fit], ratio)[along]
    assert right.ci_low < 0 < right.ci_high


def test_one_rating_alone_rises_along_and_across_equality():
    people = rated()
    found = response_surface.features([planted(people, 0.7 * people["c_performance"])], 1.0)
    assert found["along equality, slope"].estimate == pytest.approx(0.7)
    assert found["across equality, slope"].estimate == pytest.approx(0.7)


def test_intervals_are_those_of_the_sums_of_coefficients():
    people = rated()
    y = 0.4 * people["c_performance"] + np.random.default_rng(2).normal(size=len(people))
    found = response_surface.features([fitted(people, y)], 1.0)
    other = smf.ols(surface("y"), people.assign(y=y)).fit(cov_type="HC3", use_t=True)
    expected = {
        "along equality, slope": [0, 1, 1, 0, 0, 0],
        "along equality, bend": [0, 0, 0, 1, 1, 1],
        "across equality, slope": [0, 1, -1, 0, 0, 0],
        "across equality, bend": [0, 0, 0, 1, -1, 1],
    }
    for name, weights in expected.items():
        low, high = other.t_test(weights).conf_int()[0]
        assert [found[name].ci_low, found[name].ci_high] == pytest.approx([low, high])


def test_imputations_are_pooled():
    people = rated()
    noise = np.random.default_rng(3).normal(size=(3, len(people)))
    fits = [fitted(people, people["c_performance"] + each) for each in noise]
    apart = [response_surface.features([fit], 1.0)["along equality, slope"] for fit in fits]
    assert response_surface.features(fits, 1.0)["along equality, slope"] == pooled(apart)
    assert response_surface.slopes(fits)["performance"] == pooled(
        [response_surface.slopes([fit])["performance"] for fit in fits]
    )
    with pytest.raises(ValueError, match="needs estimates"):
        response_surface.features([], 1.0)


# --- two half-planes that meet at what was expected


def with_halo(kink, on_expectation, n=8_000, seed=4, ceiling=1.0):
    """Return answers with a kink at the true gap and one impression in all of them."""
    rng = np.random.default_rng(seed)
    wanted, own, impression = rng.normal(size=(3, n))
    high = 6.8 + ceiling + 1.5 * (0.3 * wanted + np.sqrt(0.91) * own)
    wanted = 6.8 + ceiling + 1.5 * wanted
    opinion = 0.12 * high - 0.08 * wanted - kink * np.clip(wanted - high, 0, None)
    opinion = opinion + rng.normal(size=n) + 1.2 * impression
    satisfaction = np.searchsorted(np.quantile(opinion, np.arange(0.1, 0.8, 0.1)), opinion)
    performance = np.clip(np.rint(high + 2 * impression), 1, 10)
    expectation = np.clip(np.rint(wanted + 2 * on_expectation * impression), 1, 10)
    gap = performance - expectation
    sides = {"surplus": np.clip(gap, 0, None), "shortfall": np.clip(-gap, 0, None)}
    return pd.DataFrame({"satisfaction": satisfaction, "expectation": expectation} | sides)


def kink(people, sides=SIDES):
    return models.contrast(models.ordered(f"satisfaction ~ {sides}", people), response_surface.KINK)


@pytest.mark.parametrize("on_expectation", [0.5, 1.0])
def test_a_halo_of_whatever_strength_on_expectation_is_no_kink(on_expectation):
    """Without the level of expectation it is taken for one."""
    people = with_halo(0.0, on_expectation)
    assert abs(kink(people).estimate) < 0.06
    assert kink(people, "surplus + shortfall").ci_low > 0.15


def test_a_true_kink_stays_and_a_halo_makes_it_smaller_only():
    assert 0.15 < kink(with_halo(0.4, 0.5)).estimate < 0.4
    people = rated(20_000, seed=3)
    gap = people["performance"] - people["expectation"]
    people = people.assign(surplus=gap.clip(lower=0), shortfall=(-gap).clip(lower=0))
    noise = np.random.default_rng(8).normal(size=len(people))
    opinion = 0.2 * people["surplus"] - 0.5 * people["shortfall"] - 0.3 * people["expectation"]
    cuts = np.quantile(opinion + noise, np.arange(0.1, 1, 0.1))
    found = kink(people.assign(satisfaction=np.searchsorted(cuts, opinion + noise)))
    assert found.estimate == pytest.approx(0.3, abs=4 * found.se)


def test_error_in_the_ratings_leaves_the_share_of_a_kink_that_the_closed_form_says():
    rng, n = np.random.default_rng(5), 400_000
    gap, noise = rng.normal(size=(2, n))
    for reliability in (0.4, 0.6, 0.9):
        error = np.sqrt((1 - reliability) / reliability)
        rated = gap + error * rng.normal(size=n)
        y = 0.3 * gap - 0.5 * np.maximum(-gap, 0) + 0.2 * noise
        x = np.column_stack([np.ones(n), np.maximum(rated, 0), np.maximum(-rated, 0)])
        _, surplus, shortfall = np.linalg.lstsq(x, y, rcond=None)[0]
        left = response_surface.kink_attenuation(reliability)
        assert -shortfall - surplus == pytest.approx(0.5 * left, abs=0.01)
    assert response_surface.kink_attenuation(1.0) == pytest.approx(1.0)
