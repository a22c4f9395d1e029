"""Importance: a published example, refits in all orders, resampled rows and planted truths."""

from itertools import combinations, permutations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.statistics.estimate import NotEstimable
from analysis.statistics.measurement import correlations
from analysis.statistics.measurement import relative_importance as imp

# Fertility in 47 French-speaking provinces of Switzerland about 1888, from Mosteller & Tukey
# (1977), Data Analysis and Regression, pages 549-551: the data set "swiss" of R.
SWISS = pd.DataFrame(
    {
        "Fertility": [
            80.2, 83.1, 92.5, 85.8, 76.9, 76.1, 83.8, 92.4, 82.4, 82.9, 87.1, 64.1, 66.9, 68.9,
            61.7, 68.3, 71.7, 55.7, 54.3, 65.1, 65.5, 65, 56.6, 57.4, 72.5, 74.2, 72, 60.5, 58.3,
            65.4, 75.5, 69.3, 77.3, 70.5, 79.4, 65, 92.2, 79.3, 70.4, 65.7, 72.7, 64.4, 77.6, 67.6,
            35, 44.7, 42.8,
        ],
        "Agriculture": [
            17, 45.1, 39.7, 36.5, 43.5, 35.3, 70.2, 67.8, 53.3, 45.2, 64.5, 62, 67.5, 60.7, 69.3,
            72.6, 34, 19.4, 15.2, 73, 59.8, 55.1, 50.9, 54.1, 71.2, 58.1, 63.5, 60.8, 26.8, 49.5,
            85.9, 84.9, 89.7, 78.2, 64.9, 75.9, 84.6, 63.1, 38.4, 7.7, 16.7, 17.6, 37.6, 18.7, 1.2,
            46.6, 27.7,
        ],
        "Examination": [
            15, 6, 5, 12, 17, 9, 16, 14, 12, 16, 14, 21, 14, 19, 22, 18, 17, 26, 31, 19, 22, 14,
            22, 20, 12, 14, 6, 16, 25, 15, 3, 7, 5, 12, 7, 9, 3, 13, 26, 29, 22, 35, 15, 25, 37,
            16, 22,
        ],
        "Education": [
            12, 9, 5, 7, 15, 7, 7, 8, 7, 13, 6, 12, 7, 12, 5, 2, 8, 28, 20, 9, 10, 3, 12, 6, 1, 8,
            3, 10, 19, 8, 2, 6, 2, 6, 3, 9, 3, 13, 12, 11, 13, 32, 7, 7, 53, 29, 29,
        ],
        "Catholic": [
            9.96, 84.84, 93.4, 33.77, 5.16, 90.57, 92.85, 97.16, 97.67, 91.38, 98.61, 8.52, 2.27,
            4.43, 2.82, 24.2, 3.3, 12.11, 2.15, 2.84, 5.23, 4.52, 15.14, 4.2, 2.4, 5.23, 2.56,
            7.72, 18.46, 6.1, 99.71, 99.68, 100, 98.96, 98.22, 99.06, 99.46, 96.83, 5.62, 13.79,
            11.22, 16.92, 4.97, 8.65, 42.34, 50.43, 58.33,
        ],
        "Infant.Mortality": [
            22.2, 22.2, 20.2, 20.3, 20.6, 26.6, 23.6, 24.9, 21, 24.4, 24.5, 16.5, 19.1, 22.7, 18.7,
            21.2, 20, 20.2, 10.8, 20, 18, 22.4, 16.7, 15.3, 21, 23.8, 18, 16.3, 20.9, 22.5, 15.1,
            19.8, 18.3, 19.4, 20.2, 17.8, 16.3, 18.1, 20.3, 20.5, 18.9, 23, 20, 19.5, 18, 18.2,
            19.3,
        ],
    }
)  # fmt: skip
N_COVERAGE = 200
MC_ERROR = np.sqrt(0.95 * 0.05 / N_COVERAGE)
DRIVERS = ["a", "b", "c", "d"]
SLOPES = np.array([0.5, 0.3, 0.2, 0.0])
properties = settings(max_examples=25)


def population():
    """Return the correlations of the drivers and the outcome of `survey`, the outcome last."""
    among = np.full((4, 4), 0.3) + 0.7 * np.eye(4)
    link = among @ SLOPES / np.sqrt(SLOPES @ among @ SLOPES + 0.5)
    return np.block([[among, link[:, None]], [link, np.ones((1, 1))]])


def survey(n=400, seed=0):
    """Return four correlated drivers and an outcome."""
    noise = np.random.default_rng(seed).normal(size=(n, 5))
    return pd.DataFrame(noise @ np.linalg.cholesky(population()).T, columns=[*DRIVERS, "y"])


def random_correlations(seed, p):
    """Return the correlations of p drivers and an outcome that are anything but equal."""
    rng = np.random.default_rng(seed)
    return np.corrcoef(rng.normal(size=(3 * p, p + 1)) @ rng.normal(size=(p + 1, p + 1)), rowvar=0)


def r2(correlation, chosen):
    """Return R2 of the chosen drivers, by solving the normal equations."""
    chosen = list(chosen)
    link = correlation[chosen, -1]
    return link @ np.linalg.solve(correlation[np.ix_(chosen, chosen)], link)


def resampled(values, n_boot, seed):
    """Return the correlations of rows that are drawn one sample after the other."""
    rng = np.random.default_rng(seed)
    rows = [rng.integers(0, len(values), len(values)) for _ in range(n_boot)]
    return [np.corrcoef(values[each], rowvar=False) for each in rows]


def covers(row, truth):
    """Tell whether an interval contains the truth."""
    return row["ci_low"] <= truth <= row["ci_high"]


# --- lmg


def test_lmg_of_a_published_example():
    """Values of R's relaimpo, type "lmg", for the fertility of Swiss provinces."""
    drivers = SWISS.columns.drop("Fertility")
    found = imp.lmg(correlations.correlations(SWISS[[*drivers, "Fertility"]].to_numpy()))[0]
    expected = [0.0570912, 0.1711730, 0.2601347, 0.1055702, 0.1127659]
    assert found == pytest.approx(expected, abs=1e-6)
    assert found.sum() == pytest.approx(0.7067350, abs=1e-6)


def test_lmg_equals_refits_in_all_orders():
    data = survey(60)[[*DRIVERS, "y"]]

    def refitted(names):
        return sm.OLS(data["y"], sm.add_constant(data[list(names)])).fit().rsquared if names else 0

    fits = {frozenset(s): refitted(s) for k in range(5) for s in combinations(DRIVERS, k)}
    added = dict.fromkeys(DRIVERS, 0.0)
    for order in permutations(DRIVERS):
        for place, name in enumerate(order):
            added[name] += fits[frozenset(order[: place + 1])] - fits[frozenset(order[:place])]
    found = imp.lmg(correlations.correlations(data.to_numpy()))[0]
    assert found == pytest.approx(np.array(list(added.values())) / 24, abs=1e-10)


@properties
@given(st.integers(0, 10_000), st.integers(1, 8))
def test_contributions_are_not_negative_and_add_up_to_r2(seed, p):
    correlation = random_correlations(seed, p)
    found = imp.lmg(correlation[None])[0]
    assert found.min() > -1e-12
    assert found.sum() == pytest.approx(r2(correlation, range(p)), abs=1e-9)


@properties
@given(st.integers(0, 10_000), st.permutations(range(6)))
def test_the_order_of_drivers_does_not_matter(seed, order):
    correlation = random_correlations(seed, 6)
    other = correlation[np.ix_([*order, 6], [*order, 6])]
    found = imp.lmg(np.array([correlation, other]))
    assert found[1] == pytest.approx(found[0][list(order)], abs=1e-9)


@properties
@given(st.lists(st.floats(-0.3, 0.3), min_size=1, max_size=9))
def test_uncorrelated_drivers_contribute_their_squared_correlations(links):
    correlation = np.eye(len(links) + 1)
    correlation[-1, :-1] = correlation[:-1, -1] = links
    assert imp.lmg(correlation[None])[0] == pytest.approx(np.square(links), abs=1e-12)


@properties
@given(st.floats(-0.9, 0.9), st.floats(-0.6, 0.6), st.floats(-0.6, 0.6))
def test_two_drivers_have_a_closed_form(among, first, second):
    both = (first**2 + second**2 - 2 * first * second * among) / (1 - among**2)
    correlation = np.array([[1, among, first], [among, 1, second], [first, second, 1]])
    expected = [(both + first**2 - second**2) / 2, (both + second**2 - first**2) / 2]
    assert imp.lmg(correlation[None])[0] == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("sign", [1, -1])
def test_duplicates_share_what_one_of_them_adds(sign):
    data = survey()
    values = np.column_stack([data["a"], data["b"], sign * data["a"], data["y"]])
    doubled = imp.lmg(correlations.correlations(values))[0]
    assert doubled[0] == pytest.approx(doubled[2])
    single = imp.lmg(correlations.correlations(values[:, [0, 1, 3]]))[0]
    assert doubled.sum() == pytest.approx(single.sum())
    # "b" comes before both of them in a third of the orders
    correlation = np.corrcoef(values, rowvar=False)
    before, after = r2(correlation, [1]), single.sum() - r2(correlation, [0])
    assert doubled[1] == pytest.approx(before / 3 + after * 2 / 3)


def test_a_sum_of_drivers_adds_nothing_to_r2():
    data = survey()
    total = data["a"] + data["b"] - 2 * data["c"]
    values = np.column_stack([data[["a", "b", "c"]], total, data["y"]])
    found = imp.lmg(correlations.correlations(values))[0]
    expected = smf.ols("y ~ a + b + c", data).fit().rsquared
    assert found.sum() == pytest.approx(expected)
    assert (found > 0).all()


def test_many_matrices_give_what_each_gives_alone():
    matrices = np.array([random_correlations(seed, 12) for seed in range(60)])
    together = imp.lmg(matrices)
    alone = np.concatenate([imp.lmg(each[None]) for each in matrices])
    assert together == pytest.approx(alone, abs=1e-12)


def test_impossible_numbers_of_drivers_are_refused():
    with pytest.raises(ValueError, match="1 to 15 drivers, not 16"):
        imp.lmg(np.eye(17)[None])


# --- correlations


def test_bootstrap_from_products_equals_resampled_rows():
    values = 50 + 3 * survey(200)[[*DRIVERS, "y"]].to_numpy()
    found = correlations.correlations(values, n_boot=6, seed=3)
    assert found[0] == pytest.approx(np.corrcoef(values, rowvar=False), abs=1e-12)
    assert found[1:] == pytest.approx(np.array(resampled(values, 6, 3)), abs=1e-10)


def test_bootstrap_of_many_rows_in_pieces_equals_resampled_rows():
    values = np.random.default_rng(1).normal(size=(100_000, 2))
    found = correlations.correlations(values, n_boot=45, seed=4)  # 40 samples fit into a piece
    assert found[1:] == pytest.approx(np.array(resampled(values, 45, 4)), abs=1e-10)


def test_a_constant_column_correlates_with_nothing():
    rare = np.zeros(12)
    rare[0] = 1
    values = np.column_stack([rare, np.arange(12.0), np.full(12, 0.1)])
    found = correlations.correlations(values, n_boot=200)
    assert np.isfinite(found).all()
    assert (found[:, 2, :2] == 0).all()
    share = np.mean(found[1:, 0, 1] == 0)  # the one row is not drawn
    assert share == pytest.approx((11 / 12) ** 12, abs=4 * np.sqrt(0.35 * 0.65 / 200))


def test_correlations_need_complete_values_of_two_rows():
    with pytest.raises(ValueError, match="a number in every row"):
        correlations.correlations(np.array([[1, 2], [np.nan, 3]]))
    with pytest.raises(ValueError, match="at least 2 rows"):
        correlations.correlations(np.eye(1))


# --- reliability


def test_correction_divides_by_the_root_of_the_reliabilities():
    observed = population()
    found = correlations.disattenuated(observed, np.array([0.8, 1, 1, 1, 0.9]))
    assert found[0, 1] == pytest.approx(0.3 / np.sqrt(0.8))
    assert found[0, 4] == pytest.approx(observed[0, 4] / np.sqrt(0.72))
    assert (np.diag(found) == 1).all()
    assert (found[1:4, 1:4] == observed[1:4, 1:4]).all()


def test_correction_recovers_the_importance_without_error():
    true, data = imp.lmg(population()[None])[0], survey(50_000)
    rng = np.random.default_rng(8)
    seen = data.assign(a=data["a"] + rng.normal(size=len(data)))  # half of it is error
    options = {"drivers": DRIVERS, "outcome": "y", "n_boot": 100}
    plain = imp.importance([seen], **options).table["share"]
    corrected = imp.importance([seen], **options, reliabilities={"a": 0.5})
    assert corrected.table["share"].to_numpy() == pytest.approx(true / true.sum(), abs=0.02)
    slope = np.linalg.solve(population()[:4, :4], population()[:4, 4])[0]
    assert corrected.table["slope"]["a"] == pytest.approx(slope, abs=0.02)
    assert plain["a"] < true[0] / true.sum() - 0.1


def test_a_correlation_above_one_becomes_one():
    observed = np.array([[[1, 0.9], [0.9, 1]], [[1, 0.2], [0.2, 1]]])
    found = correlations.disattenuated(observed, np.array([0.8, 0.9]))
    assert found[0] == pytest.approx(np.ones((2, 2)))
    assert found[1, 0, 1] == pytest.approx(0.2 / np.sqrt(0.72))


@properties
@given(st.integers(0, 10_000), st.lists(st.floats(0.05, 1), min_size=5, max_size=5))
def test_corrected_matrices_are_correlations(seed, reliabilities):
    found = correlations.disattenuated(random_correlations(seed, 4)[None], np.array(reliabilities))
    assert np.linalg.eigvalsh(found).min() > -1e-9
    assert np.abs(found).max() < 1 + 1e-9
    total = imp.lmg(found)[0]
    assert total.min() > -1e-6
    assert total.sum() < 1 + 1e-6


@pytest.mark.parametrize("wrong", [[0, 1], [1.1, 1], [np.nan, 1]])
def test_impossible_reliabilities_are_refused(wrong):
    with pytest.raises(ValueError, match="eliabilities"):
        correlations.disattenuated(np.eye(2)[None], np.array(wrong))


# --- importance


def test_shares_slopes_and_r2_equal_those_of_a_regression():
    data = survey()
    found = imp.importance([data], DRIVERS, "y", n_boot=50)
    fit = smf.ols("y ~ a + b + c + d", data).fit()
    assert found.r2 == pytest.approx(fit.rsquared)
    assert found.table["share"].sum() == pytest.approx(1)
    expected = fit.params[DRIVERS] * data[DRIVERS].std() / data["y"].std()
    assert found.table["slope"].to_numpy() == pytest.approx(expected.to_numpy())
    assert found.table.index.tolist() == DRIVERS
    assert (found.n_obs, found.draws.shape) == (400, (50, 4))
    assert found.table["rank_first"].sum() == pytest.approx(1)


def test_intervals_are_the_percentiles_of_resampled_shares():
    data = survey()
    found = imp.importance([data], DRIVERS, "y", n_boot=40, seed=6)
    matrices = np.array(resampled(data[[*DRIVERS, "y"]].to_numpy(), 40, (6, 0)))
    shares = imp.lmg(matrices) / imp.lmg(matrices).sum(axis=1, keepdims=True)
    assert found.draws == pytest.approx(shares, abs=1e-9)
    low, high = np.percentile(shares, [2.5, 97.5], axis=0)
    assert found.table["ci_low"].to_numpy() == pytest.approx(low, abs=1e-9)
    assert found.table["ci_high"].to_numpy() == pytest.approx(high, abs=1e-9)
    first = np.bincount(shares.argmax(axis=1), minlength=4) / 40
    assert found.table["rank_first"].to_numpy() == pytest.approx(first)


def test_difference_is_of_the_same_samples():
    found = imp.importance([survey()], DRIVERS, "y", n_boot=200)
    share, draws = found.table["share"], found.draws
    estimate = found.difference(["a", "b"], ["c"])
    assert estimate.estimate == pytest.approx(share["a"] + share["b"] - share["c"])
    expected = np.percentile(draws[:, 0] + draws[:, 1] - draws[:, 2], [2.5, 97.5])
    assert [estimate.ci_low, estimate.ci_high] == pytest.approx(expected)
    assert (estimate.n_obs, estimate.scale) == (400, "identity")
    assert estimate.method == "LMG shares of R2, percentile bootstrap (200)"
    with pytest.raises(ValueError, match=r"No driver \['z'\]; there are \['a'"):
        found.difference(["a"], ["z"])


def test_same_seed_same_result_in_any_order_of_drivers():
    data = survey()
    first = imp.importance([data], DRIVERS, "y", n_boot=60, seed=1).table
    second = imp.importance([data], DRIVERS[::-1], "y", n_boot=60, seed=1).table
    assert second.loc[DRIVERS].to_numpy() == pytest.approx(first.to_numpy())
    other = imp.importance([data], DRIVERS, "y", n_boot=60, seed=2).table
    assert (other["ci_low"] != first["ci_low"]).all()


def test_duplicates_are_first_equally_often():
    data = survey().assign(twin=lambda each: 5 - 2 * each["a"])
    found = imp.importance([data], ["d", "a", "twin"], "y", n_boot=50).table
    assert found["rank_first"].tolist() == pytest.approx([0, 0.5, 0.5])
    assert found["slope"]["a"] == pytest.approx(-found["slope"]["twin"])


def test_imputed_tables_are_averaged_and_their_samples_pooled():
    data, rng = survey(), np.random.default_rng(9)
    frames = [data.assign(a=data["a"] + 0.8 * rng.normal(size=len(data))) for _ in range(3)]
    found = imp.importance(frames, DRIVERS, "y", n_boot=100)
    alone = [imp.importance([each], DRIVERS, "y", n_boot=34) for each in frames]
    expected = np.mean([each.table["share"] for each in alone], axis=0)
    assert found.table["share"].to_numpy() == pytest.approx(expected)
    assert found.r2 == pytest.approx(np.mean([each.r2 for each in alone]))
    assert found.draws.shape == (100, 4)
    assert found.draws[:34] == pytest.approx(alone[0].draws)
    assert "(100 of 3 imputed tables)" in found.method
    twice = imp.importance([data, data], DRIVERS, "y", n_boot=20).draws
    assert (twice[:10] != twice[10:]).all()  # samples of their own, even of the same table


@pytest.mark.parametrize(
    ("change", "call", "sentence"),
    [
        ({}, {"drivers": ["a"]}, "at least 2 drivers"),
        ({}, {"drivers": ["a", "b", "a"]}, "must be different columns"),
        ({}, {"drivers": ["a", "z"]}, r"no column \['z'\]"),
        ({"b": np.nan}, {}, r"missing in \['b'\]"),
        ({"y": 7.0}, {}, 'explain nothing of "y"'),
        ({}, {"reliabilities": {"z": 0.8}}, r"given for \['z'\]"),
        ({}, {"n_boot": 0}, "a bootstrap sample for each"),
        ({}, {"frames": []}, "needs a table"),
        ({}, {"frames": [survey(), survey(300)]}, "the same rows"),
    ],
)
def test_impossible_requests_are_refused(change, call, sentence):
    options = {"frames": [survey().assign(**change)], "drivers": DRIVERS, "n_boot": 20}
    with pytest.raises(ValueError, match=sentence):
        imp.importance(**{"outcome": "y", **options, **call})


@pytest.mark.slow
def test_coverage_of_shares_and_of_their_difference():
    true = imp.lmg(population()[None])[0]
    true, hits = true / true.sum(), np.zeros(4)
    for seed in range(N_COVERAGE):
        found = imp.importance([survey(600, seed)], DRIVERS, "y", n_boot=400)
        hits[:3] += [covers(found.table.loc[DRIVERS[i]], true[i]) for i in range(3)]
        difference = found.difference(["a"], ["b"])
        hits[3] += difference.ci_low <= true[0] - true[1] <= difference.ci_high
    assert (hits / N_COVERAGE).min() > 0.95 - 4 * MC_ERROR
    assert (hits / N_COVERAGE).max() < 0.95 + 3.5 * MC_ERROR


@pytest.mark.slow
def test_coverage_with_a_third_of_the_outcomes_imputed():
    """Proper imputation: slopes of a bootstrap sample, and noise of its own in each table."""
    true, hits = imp.lmg(population()[None])[0], np.zeros(3)
    true = true / true.sum()
    for seed in range(N_COVERAGE):
        data, rng = survey(300, seed), np.random.default_rng((seed, 1))
        lost, frames = rng.random(300) < 1 / 3, []
        design = sm.add_constant(data[DRIVERS].to_numpy())
        for _ in range(10):
            rows = rng.choice(np.flatnonzero(~lost), (~lost).sum())
            fit = sm.OLS(data["y"].to_numpy()[rows], design[rows]).fit()
            guess = fit.predict(design) + np.sqrt(fit.scale) * rng.normal(size=300)
            frames.append(data.assign(y=np.where(lost, guess, data["y"])))
        found = imp.importance(frames, DRIVERS, "y", n_boot=400)
        hits += [covers(found.table.loc[DRIVERS[i]], true[i]) for i in range(3)]
    assert (hits / N_COVERAGE).min() > 0.95 - 4 * MC_ERROR


# --- performance map


def test_performance_map_shows_slopes_per_point_and_mean_ratings():
    rng = np.random.default_rng(3)
    data = pd.DataFrame(rng.integers(1, 11, (300, 2)), columns=["service", "waiting"])
    data["y"] = 2 + 0.4 * data["service"] - 0.3 * data["waiting"] + rng.normal(size=300)
    found = imp.performance_map(data, ["service", "waiting"], "y")
    fit = smf.ols("y ~ service + waiting", data).fit()
    assert found["importance"].to_numpy() == pytest.approx(fit.params[1:].to_numpy())
    assert found["importance"]["waiting"] < 0
    expected = (data[["service", "waiting"]].mean() - 1) / 9 * 100
    assert found["performance"].to_numpy() == pytest.approx(expected.to_numpy())


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"a": 11}, "rated from 1 to 10"),
        ({"a": 3}, "collinear or constant"),
        ({"a": None}, r"missing in \['a'\]"),
    ],
)
def test_impossible_performance_maps_are_refused(change, sentence):
    data = survey().clip(-2, 2) + 5
    with pytest.raises(ValueError, match=sentence):
        imp.performance_map(data.assign(**change), DRIVERS, "y")


def test_the_difference_of_a_driver_and_itself_is_no_estimate():
    rng = np.random.default_rng(3)
    data = pd.DataFrame(rng.normal(size=(80, 2)), columns=["a", "b"])
    data["y"] = data["a"] + rng.normal(size=80)
    found = imp.importance([data], ["a", "b"], "y", n_boot=50)
    assert found.difference(["a"], ["b"]).ci_low > 0
    for first, second in ((["a"], ["a"]), ([], []), (["a", "b"], [])):
        with pytest.raises(NotEstimable, match="in every bootstrap sample"):
            found.difference(first, second)


def test_a_constant_driver_has_no_share_below_0():
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(200, 3)), columns=list("aby"))
    found = imp.importance([frame.assign(c=1.0)], ["a", "b", "c"], "y", n_boot=50)
    assert (found.draws >= 0).all()
    assert found.table.loc["c", "share"] == 0
