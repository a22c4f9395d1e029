"""Imputation: what must never change, another implementation, and planted truths."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from statsmodels.imputation.mice import MICEData

from analysis.statistics.estimate import pooled
from analysis.statistics.measurement import imputation
from analysis.statistics.measurement.imputation import impute
from analysis.statistics.regression import models

properties = settings(max_examples=50)
cells = st.floats(-1e6, 1e6) | st.sampled_from([0.0, 1.0]) | st.just(np.nan)
tables = st.tuples(st.integers(1, 30), st.integers(1, 5)).flatmap(
    lambda shape: arrays(float, shape, elements=cells)
)


def survey(n=400, k=12, missing=0.03, seed=0):
    """Return ten-point items of one factor, each with as many answers missing."""
    rng = np.random.default_rng(seed)
    latent = 7 + 1.5 * rng.normal(size=(n, 1)) + rng.normal(size=(n, k))
    items = pd.DataFrame(latent.round().clip(1, 10)).add_prefix("q")
    return items.mask(rng.random((n, k)) < missing)


def regression(n=300, seed=0):
    """Return y of slope 0.5 in x, where x is often missing if y is high."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    x = 0.5 * z + rng.normal(size=n)
    y = 1 + 0.5 * x + 0.5 * z + rng.normal(size=n)
    gone = rng.random(n) < 1 / (1 + np.exp(-1.5 * (y - 2.5)))
    return pd.DataFrame({"y": y, "x": np.where(gone, np.nan, x), "z": z})


def slopes(copies):
    """Return the slope of x in each copy."""
    return [models.contrast(models.ols("y ~ x + z", copy), "x") for copy in copies]


# --- what never changes


@properties
@given(tables)
def test_known_values_stay_and_only_known_values_are_filled_in(table):
    gap = np.isnan(table)
    assume(gap.any() and not gap.all(axis=0).any())
    for copy in impute(pd.DataFrame(table), m=2, cycles=2):
        filled = copy.to_numpy()
        assert (filled[~gap] == table[~gap]).all()
        for j in range(table.shape[1]):
            assert set(filled[gap[:, j], j]) <= set(table[~gap[:, j], j])


def test_complete_columns_index_and_names_stay():
    data = survey(50).assign(works=np.arange(50) % 2 == 0, visits=range(50))
    data["card"] = pd.array([True, None] * 25, dtype="boolean")
    data.index = [f"c{i}" for i in range(50)]
    (copy,) = impute(data, m=1, cycles=1)
    pd.testing.assert_frame_equal(copy[["works", "visits"]], data[["works", "visits"]])
    assert copy.columns.equals(data.columns)
    assert copy.index.equals(data.index)
    assert (copy["card"] == 1).all()
    assert copy["card"].dtype == float


def test_same_seed_same_copies_and_more_copies_only_add():
    data = survey(60, 4)
    first, again = impute(data, m=3, seed=5), impute(data, m=4, seed=5)
    for one, other in zip(first, again, strict=False):
        pd.testing.assert_frame_equal(one, other)
    assert not first[0].equals(first[1])
    assert not first[0].equals(impute(data, m=1, seed=6)[0])


def test_nothing_missing_gives_one_copy():
    data = survey(30, 3, missing=0)
    (copy,) = impute(data)
    pd.testing.assert_frame_equal(copy, data)


def test_what_cannot_be_imputed_is_named():
    data = pd.DataFrame({"a": [1.0, np.nan], "b": [np.nan, np.nan], "c": ["x", "y"]})
    with pytest.raises(ValueError, match="must be numeric: c"):
        impute(data)
    with pytest.raises(ValueError, match="must have at least one value: b"):
        impute(data[["a", "b"]])
    with pytest.raises(ValueError, match="must be finite: a"):
        impute(data[["a"]].replace(1.0, np.inf))


# --- odd columns


def test_a_twin_column_gives_the_answers_back():
    whole = survey(400, 3, missing=0)
    data = whole.assign(twin=whole["q0"].mask(np.arange(400) % 10 == 0), constant=3.0)
    common = whole["q0"].isin(whole["q0"].value_counts().index[:5])  # over 10 donors each
    for copy in impute(data.assign(constant=data["constant"].mask(common)), m=3):
        assert (copy["twin"] == whole["q0"])[common].all()
        assert (copy["constant"] == 3).all()


def test_a_dummy_keeps_its_share_in_each_group():
    rng = np.random.default_rng(1)
    group = rng.integers(0, 2, 2000)
    card = pd.Series((rng.random(2000) < np.where(group, 0.8, 0.3)).astype(float))
    gap = rng.random(2000) < 0.3
    copies = impute(pd.DataFrame({"group": group, "card": card.mask(gap)}), m=20, cycles=1)
    filled = np.mean([copy["card"] for copy in copies], axis=0)
    for each in (0, 1):
        known = card[~gap & (group == each)].mean()
        assert filled[gap & (group == each)].mean() == pytest.approx(known, abs=0.03)


def test_without_predictors_every_known_value_is_as_likely():
    rng = np.random.default_rng(2)
    known = rng.gamma(1, size=500)
    values = np.concatenate([known, np.full(500, np.nan)])
    copies = impute(pd.DataFrame({"x": values}), m=40, cycles=1)
    filled = np.concatenate([copy["x"][500:] for copy in copies])
    _, counts = np.unique(filled, return_counts=True)
    assert len(counts) == 500
    assert counts.var() == pytest.approx(40, rel=0.3)  # Poisson: 20,000 draws of 500 values


def test_fewer_rows_than_columns():
    copies = impute(survey(8, 12, missing=0.2), m=2)
    assert not any(copy.isna().any(axis=None) for copy in copies)


# --- another implementation, closed forms, planted truths


def test_one_of_the_nearest_donors_is_as_likely_as_another(monkeypatch):
    monkeypatch.setattr(imputation, "DONORS", 3)
    x = np.append(np.arange(21.0), 10.2)
    data = pd.DataFrame({"x": x, "y": 2 * x}).where(lambda each: each["y"] != 20.4)
    copies = impute(data.assign(x=x), m=600, cycles=1)
    counts = pd.Series([copy["y"].iloc[-1] for copy in copies]).value_counts()
    assert sorted(counts.index) == [18, 20, 22]
    assert counts.min() > 200 - 4 * np.sqrt(600 * 2 / 9)


def test_copies_differ_by_as_much_as_is_unknown():
    """The mean of the filled values varies as its prediction and as the draws around it."""
    rng, half = np.random.default_rng(4), 300
    unknown = np.repeat([False, True], half)
    both, apart = rng.normal(size=2 * half), rng.normal(size=2 * half) + unknown
    x = np.column_stack([np.ones(2 * half), both + 0.2 * apart, both - 0.2 * apart])
    y = x[:, 1] + x[:, 2] + rng.normal(size=2 * half)
    data = pd.DataFrame({"a": x[:, 1], "b": x[:, 2], "y": np.where(unknown, np.nan, y)})
    found = np.var([copy["y"][unknown].mean() for copy in impute(data, m=500, cycles=1)])
    fit, middle = sm.OLS(y[~unknown], x[~unknown]).fit(), x[unknown].mean(axis=0)
    expected = middle @ fit.cov_params() @ middle + fit.scale / half
    assert found == pytest.approx(expected, rel=0.2)


def test_correlation_of_two_incomplete_columns_stays():
    rng = np.random.default_rng(6)
    whole = pd.DataFrame(rng.multivariate_normal([0, 0], [[1, 0.9], [0.9, 1]], 1000))
    copies = impute(whole.mask(rng.random((1000, 2)) < 0.25), m=5)
    found = np.mean([copy[0].corr(copy[1]) for copy in copies])
    assert found == pytest.approx(whole[0].corr(whole[1]), abs=0.02)


def test_slopes_equal_those_of_statsmodels():
    data = regression(200, seed=3)
    other = MICEData(data, k_pmm=10, rng=0)
    theirs = []
    for _ in range(40):
        other.update_all(1)
        theirs.append(other.data.copy())
    theirs, ours = slopes(theirs), slopes(impute(data, m=40, cycles=2))
    spread = np.std([each.estimate for each in ours], ddof=1)
    away = pooled(ours).estimate - pooled(theirs).estimate
    assert abs(away) < 3 * spread * np.sqrt(2 / 40)
    assert pooled(ours).se == pytest.approx(pooled(theirs).se, rel=0.1)


def test_imputing_a_few_answers_saves_what_complete_cases_lose():
    whole = survey(800, missing=0)
    rng = np.random.default_rng(1)
    data = whole.mask(rng.random(whole.shape) < 0.03)
    formula = "q0 ~ " + " + ".join(whole.columns[1:])
    full, cases = (models.contrast(models.ols(formula, each), "q1") for each in (whole, data))
    found = pooled(
        [models.contrast(models.ols(formula, each), "q1") for each in impute(data, cycles=3)]
    )
    assert cases.n_obs < 0.72 * full.n_obs
    assert found.n_obs == full.n_obs
    assert full.se < found.se < 0.93 * cases.se
    assert abs(found.estimate - full.estimate) < full.se


@pytest.mark.slow
def test_the_pooled_interval_covers_where_complete_cases_do_not():
    """Over 120 samples, a fifth of x missing by y."""
    reps = range(120)
    cases = [slopes([regression(seed=rep)])[0] for rep in reps]
    found = [pooled(slopes(impute(regression(seed=rep), m=5, cycles=1))) for rep in reps]
    covered = [[e.ci_low < 0.5 < e.ci_high for e in each] for each in (cases, found)]
    assert np.mean(covered[0]) < 0.85
    assert np.mean(covered[1]) > 0.95 - 3 * np.sqrt(0.95 * 0.05 / len(reps))
    middle = [np.mean([e.estimate for e in each]) for each in (cases, found)]
    assert abs(middle[1] - 0.5) < 0.5 * abs(middle[0] - 0.5)
