"""Scales: published and exact values, other implementations, and planted truths."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from statsmodels.multivariate.factor import Factor

from analysis.statistics.estimate import NotEstimable
from analysis.statistics.measurement import scales

# Chatterjee & Price (1977), 30 departments: the data set "attitude" of R.
ATTITUDE = pd.DataFrame(
    {
        "rating": [43, 63, 71, 61, 81, 43, 58, 71, 72, 67, 64, 67, 69, 68, 77,
                   81, 74, 65, 65, 50, 50, 64, 53, 40, 63, 66, 78, 48, 85, 82],
        "complaints": [51, 64, 70, 63, 78, 55, 67, 75, 82, 61, 53, 60, 62, 83, 77,
                       90, 85, 60, 70, 58, 40, 61, 66, 37, 54, 77, 75, 57, 85, 82],
        "privileges": [30, 51, 68, 45, 56, 49, 42, 50, 72, 45, 53, 47, 57, 83, 54,
                       50, 64, 65, 46, 68, 33, 52, 52, 42, 42, 66, 58, 44, 71, 39],
        "learning": [39, 54, 69, 47, 66, 44, 56, 55, 67, 47, 58, 39, 42, 45, 72,
                     72, 69, 75, 57, 54, 34, 62, 50, 58, 48, 63, 74, 45, 71, 59],
        "raises": [61, 63, 76, 54, 71, 54, 66, 70, 71, 62, 58, 59, 55, 59, 79,
                   60, 79, 55, 75, 64, 43, 66, 63, 50, 66, 88, 80, 51, 77, 64],
        "critical": [92, 73, 86, 84, 83, 49, 68, 66, 83, 80, 67, 74, 63, 77, 77,
                     54, 79, 80, 85, 78, 64, 80, 80, 57, 75, 76, 78, 83, 74, 78],
        "advance": [45, 47, 48, 35, 47, 34, 35, 41, 31, 41, 34, 41, 25, 35, 46,
                    36, 63, 60, 46, 52, 33, 41, 37, 49, 33, 72, 49, 38, 55, 39],
    }
)  # fmt: skip
N_COVERAGE = 300
MC_ERROR = np.sqrt(0.95 * 0.05 / N_COVERAGE)
properties = settings(max_examples=25)


def with_covariance(covariance, n=500):
    """Return items whose sample covariance is exactly the given one."""
    draws = np.random.default_rng(0).normal(size=(n, len(covariance)))
    draws -= draws.mean(axis=0)
    white = draws @ np.linalg.inv(np.linalg.cholesky(np.cov(draws.T)).T)
    return pd.DataFrame(white @ np.linalg.cholesky(covariance).T)


def ratings(n, seed, loadings=(0.9, 0.8, 0.7), cuts=(-1.9, -1.1, -0.6, 0.0)):
    """Return five-point items of one factor, half of the answers at the top."""
    rng = np.random.default_rng(seed)
    latent = rng.normal(size=(n, 1)) * loadings + rng.normal(size=(n, len(loadings))) * 0.6
    return pd.DataFrame(1.0 + np.searchsorted(cuts, latent))


def feldt(alpha, n, k):
    """Return the exact interval for normal items of equal variance and covariance."""
    f = stats.f.ppf([0.975, 0.025], n - 1, (n - 1) * (k - 1))
    return 1 - (1 - alpha) * f


# --- score


def test_score_needs_half_of_the_items():
    items = pd.DataFrame([[1, 2, 6], [1, np.nan, 4], [np.nan, np.nan, 4], [np.nan] * 3])
    found = scales.score(items)
    assert found[:2].tolist() == [3, 2.5]
    assert found[2:].isna().all()
    assert scales.score(items[[0, 1]])[1] == 1  # one of two is half


def test_the_index_is_the_mean_of_the_items_that_were_asked():
    answers = pd.DataFrame(
        {
            "satisfaction_1": [8, 9, np.nan],
            "satisfaction_2": [np.nan] * 3,
            "satisfaction_3": [6, np.nan, np.nan],
        }
    )
    assert scales.asked(answers, "satisfaction") == ["satisfaction_1", "satisfaction_3"]
    found = scales.index(answers, "satisfaction")
    assert found.tolist() == pytest.approx([7, 9, np.nan], nan_ok=True)  # one of two is half
    of_three = scales.index(answers.assign(satisfaction_2=[2.0, np.nan, 5.0]), "satisfaction")
    assert of_three.tolist() == pytest.approx([16 / 3, np.nan, np.nan], nan_ok=True)


def test_a_scale_that_nobody_was_asked_has_no_scores():
    answers = pd.DataFrame({f"loyalty_{i}": [np.nan] * 4 for i in (1, 2, 3)}, index=list("abcd"))
    assert scales.asked(answers, "loyalty") == []
    assert scales.index(answers, "loyalty").isna().tolist() == [True] * 4
    assert scales.index(answers, "loyalty").index.tolist() == list("abcd")
    assert scales.index(answers.head(0), "loyalty").empty


# --- alpha


def test_alpha_of_a_published_example():
    """R's psych::alpha(attitude) gives raw alpha 0.84."""
    assert scales.alpha(ATTITUDE).estimate == pytest.approx(0.84, abs=0.005)


def test_alpha_equals_hoyts_analysis_of_variance():
    x = ratings(200, 1).to_numpy()
    n, k = x.shape
    rows, columns = x.mean(axis=1, keepdims=True), x.mean(axis=0, keepdims=True)
    between = k * ((rows - x.mean()) ** 2).sum() / (n - 1)
    residual = ((x - rows - columns + x.mean()) ** 2).sum() / ((n - 1) * (k - 1))
    assert scales.alpha(pd.DataFrame(x)).estimate == pytest.approx(1 - residual / between)


def test_alpha_of_two_equal_items_is_spearman_brown():
    items = with_covariance(np.array([[1, 0.6], [0.6, 1]]))
    assert scales.alpha(items).estimate == pytest.approx(2 * 0.6 / 1.6)
    assert scales.omega(items).estimate == pytest.approx(2 * 0.6 / 1.6)


def test_alpha_error_equals_the_bootstrap_of_customers():
    items, rng = ratings(120, 2), np.random.default_rng(9)
    draws = []
    for _ in range(200):
        sample = items.to_numpy()[rng.integers(0, 120, 120)]
        own, total = sample.var(axis=0, ddof=1).sum(), sample.sum(axis=1).var(ddof=1)
        draws.append(1.5 * (1 - own / total))
    found = scales.alpha(items, n_boot=200, seed=9)
    expected = np.std(draws, ddof=1) / (found.estimate * (1 - found.estimate))
    assert found.se == pytest.approx(expected)
    assert found == scales.alpha(items, n_boot=200, seed=9)


def test_alpha_interval_is_feldts_where_that_holds():
    rng = np.random.default_rng(3)
    items = pd.DataFrame(rng.normal(size=(2000, 1)) + rng.normal(size=(2000, 4)) * 0.8)
    found = scales.alpha(items, n_boot=2000)
    low, high = feldt(found.estimate, 2000, 4)
    assert found.ci_high - found.ci_low == pytest.approx(high - low, rel=0.08)
    assert found.ci_low == pytest.approx(low, abs=0.002)


@properties
@given(st.integers(0, 500), st.floats(0.1, 50), st.floats(-100, 100))
def test_reliability_does_not_depend_on_the_unit(seed, factor, shift):
    items = ratings(60, seed)
    for function in (scales.alpha, scales.omega):
        found = function(items, n_boot=20)
        other = function(factor * items + shift, n_boot=20)
        assert other.estimate == pytest.approx(found.estimate, abs=1e-6)
        assert other.se == pytest.approx(found.se, rel=1e-4)


@pytest.mark.slow
def test_coverage_of_reliabilities_of_skewed_ratings():
    big = ratings(1_000_000, 4)
    truth = [scales.alpha(big, n_boot=2).estimate, scales.omega(big, n_boot=2).estimate]
    hits, exact = np.zeros(2), 0
    for seed in range(N_COVERAGE):
        items = ratings(300, 100 + seed)
        found = [scales.alpha(items, n_boot=199), scales.omega(items, n_boot=199)]
        hits += [e.ci_low <= t <= e.ci_high for e, t in zip(found, truth, strict=True)]
        low, high = feldt(found[0].estimate, 300, 3)
        exact += low <= truth[0] <= high
    assert np.abs(hits / N_COVERAGE - 0.95).max() < 3 * MC_ERROR
    assert exact / N_COVERAGE < hits[0] / N_COVERAGE  # Feldt's interval is too short here


# --- omega


@pytest.mark.parametrize("k", [3, 4, 6])
def test_omega_of_an_exact_one_factor_model(k):
    loadings, own = np.linspace(0.5, 1.1, k), np.linspace(0.9, 0.3, k)
    items = with_covariance(np.outer(loadings, loadings) + np.diag(own))
    expected = loadings.sum() ** 2 / (loadings.sum() ** 2 + own.sum())
    assert scales.omega(items, n_boot=20).estimate == pytest.approx(expected, abs=1e-4)
    assert scales.alpha(items, n_boot=20).estimate < expected


def test_omega_is_alpha_for_equally_good_items():
    items = with_covariance(np.full((3, 3), 0.5) + np.diag([0.2, 0.6, 1.0]))
    assert scales.omega(items).estimate == pytest.approx(scales.alpha(items).estimate)


def test_omega_of_three_items_equals_the_library():
    items = ratings(400, 5)
    correlation = items.corr().to_numpy()
    fit = Factor(corr=correlation, n_factor=1, method="pa").fit(maxiter=5000, tol=1e-12)
    loadings = fit.loadings[:, 0] * items.std().to_numpy()
    expected = loadings.sum() ** 2 / items.cov().to_numpy().sum()
    assert scales.omega(items).estimate == pytest.approx(expected, abs=1e-4)


HEYWOOD = np.array([[1, 0.9, 0.9], [0.9, 1, 0.7], [0.9, 0.7, 1]])
WEAK_PAIR = np.array(
    [[1, 0.8, 0.7, 0.6], [0.8, 1, 0.3, 0.2], [0.7, 0.3, 1, 0.4], [0.6, 0.2, 0.4, 1]]
)


@pytest.mark.parametrize("correlation", [HEYWOOD, WEAK_PAIR])
def test_omega_where_a_factor_explains_an_item_and_more(correlation):
    """Heywood cases: no loading goes beyond 1. Reference: SciPy's bounded least squares."""
    rows, columns = np.triu_indices(len(correlation), 1)
    wanted = correlation[rows, columns]
    best = optimize.least_squares(
        lambda x: x[rows] * x[columns] - wanted,
        np.full(len(correlation), 0.7),
        bounds=(-1, 1),
        xtol=1e-14,
        ftol=1e-14,
        gtol=1e-14,
    ).x
    assert best.max() == pytest.approx(1)
    found = scales.omega(with_covariance(correlation), n_boot=50)
    assert found.estimate == pytest.approx(best.sum() ** 2 / correlation.sum(), abs=1e-6)
    assert found.ci_high < 1


def test_omega_of_many_items_is_that_of_the_least_residuals():
    """The data set "attitude" of R, seven items; reference: SciPy's least squares."""
    correlation = ATTITUDE.corr().to_numpy()
    rows, columns = np.triu_indices(7, 1)
    wanted = correlation[rows, columns]
    best = optimize.least_squares(lambda x: x[rows] * x[columns] - wanted, np.full(7, 0.5)).x
    expected = (best @ ATTITUDE.std()) ** 2 / ATTITUDE.cov().to_numpy().sum()
    assert scales.omega(ATTITUDE, n_boot=20).estimate == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("k", [3, 4, 6])
def test_omega_refuses_a_reversed_item_by_name(k):
    items = ratings(300, 1, loadings=(0.9, 0.8, 0.7, 0.8, 0.6, 0.7)[:k])
    items = items.set_axis(list("abcdef")[:k], axis=1)
    with pytest.raises(NotEstimable, match="told: b against the other items"):
        scales.omega(items.assign(b=6 - items["b"]))


def test_omega_does_not_drop_the_samples_without_a_solution():
    """Three items that hardly correlate: in a third of the samples they have no common factor."""
    items = with_covariance(np.full((3, 3), 0.05) + 0.95 * np.eye(3), n=100)
    with pytest.raises(NotEstimable, match=r"100 customers .* in [2-5]\d% of bootstrap samples"):
        scales.omega(items)
    few = pd.DataFrame({"a": [1.0] * 99 + [2], "b": range(100), "c": range(100)})
    with pytest.raises(NotEstimable, match=r"3\d% of bootstrap samples it has no solution"):
        scales.omega(few.assign(c=few["c"] + few["a"] * 30))


# --- item table


def test_item_table_by_hand():
    values = np.tile([[1, 2, 5], [3, 4, 5], [5, 3, 4], [1, 5, 5]], (10, 1)).astype(float)
    items = pd.DataFrame(values, columns=["a", "b", "c"])
    items.loc[0, "c"] = np.nan
    found = scales.item_table(items, 1, 5)
    assert found["n"].tolist() == [40, 40, 39]
    assert found["missing"].tolist() == [0, 0, 1]
    assert found.loc["a", ["mean", "floor_share", "ceiling_share"]].tolist() == [2.5, 0.5, 0.25]
    assert found.loc["b", "sd"] == pytest.approx(np.std(values[:, 1], ddof=1))
    assert found.loc["c", ["floor_share", "ceiling_share"]].tolist() == [0, 29 / 39]
    rest = items.dropna()
    expected = np.corrcoef(rest["a"], rest["b"] + rest["c"])[0, 1]
    assert found.loc["a", "item_total"] == pytest.approx(expected)


# --- errors


def test_what_is_no_scale_is_refused():
    items = ratings(60, 6).set_axis(["a", "b", "c"], axis=1)
    for function in (scales.alpha, scales.omega, partial(scales.item_table, lowest=1, highest=5)):
        with pytest.raises(ValueError, match="at least 2 items"):
            function(items[["a"]])
        with pytest.raises(ValueError, match="Customers who answered every item: 29"):
            function(items.head(29))
        with pytest.raises(ValueError, match="same answer to b"):
            function(items.assign(b=4))
    with pytest.raises(ValueError, match="same direction"):
        scales.alpha(items[["a", "b"]].assign(b=6 - items["b"]))
    opposed = np.array([[1, 0.5, 0.5], [0.5, 1, -0.3], [0.5, -0.3, 1]])
    with pytest.raises(ValueError, match="same direction"):
        scales.omega(with_covariance(opposed))


def test_infinite_answers_are_refused_by_item():
    items = ratings(60, 6).set_axis(["a", "b", "c"], axis=1).astype(float)
    items.loc[[1, 2], "b"] = np.inf
    table = partial(scales.item_table, lowest=1, highest=5)
    for function in (scales.alpha, scales.omega, table, scales.score):
        with pytest.raises(NotEstimable, match='"b" is infinite in 2 of 60 rows'):
            function(items)
