"""The effect of assignment: statsmodels, closed forms, all lots of a small case, planted truths.

`TRIALS=1000 pytest tests/statistics` draws as many trials per design.
"""

import itertools
import os

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from analysis.statistics.estimate import NotEstimable
from analysis.statistics.trial._least_squares import between_arms, coefficient
from analysis.statistics.trial.effects import intention_to_treat
from analysis.statistics.trial.randomisation import randomisation_test
from analysis.statistics.trial.units import Trial

N_COVERAGE = int(os.environ.get("TRIALS", "120"))
MC_ERROR = np.sqrt(0.95 * 0.05 / N_COVERAGE)


def drawn(n, seed=0, effect=0.5, share=0.5):
    """Return units of a trial: two covariates, an effect that grows with one of them."""
    rng = np.random.default_rng(seed)
    units = pd.DataFrame({"spend": rng.gamma(1.0, size=n), "tenure": rng.normal(size=n)})
    units["treated"] = rng.permutation(np.arange(n) < round(share * n)).astype(int)
    own = effect + units["spend"] - units["spend"].mean()
    units["y"] = units["treated"] * own + 2 * units["spend"] + rng.normal(size=n)
    return units


def design(z, x):
    """Return a constant, the arm, centred columns and their products with the arm."""
    x = x - x.mean(axis=0)
    return np.column_stack([np.ones(len(z)), z, x, x * z[:, None]])


def in_clusters(n_clusters, seed, effect=0.5, size=20):
    """Return units of stations of different sizes, each station in one arm."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(size // 2, 2 * size, n_clusters)
    station = np.repeat(np.arange(n_clusters), sizes)
    arm = rng.permutation(np.arange(n_clusters) % 2)
    units = pd.DataFrame({"station": station, "treated": arm[station]})
    units["spend"] = rng.normal(size=n_clusters)[station] + rng.normal(size=len(units))
    shared = rng.normal(size=n_clusters)[station]
    units["y"] = effect * units["treated"] + units["spend"] + shared + rng.normal(size=len(units))
    return units


def test_lin_is_one_regression_in_each_arm():
    units = drawn(200, share=0.3)
    found = intention_to_treat(Trial(units, "y", "treated", ("spend", "tenure")))
    x = sm.add_constant(units[["spend", "tenure"]] - units[["spend", "tenure"]].mean())
    arms = [sm.OLS(units["y"][rows], x[rows]).fit(cov_type="HC2")
            for rows in (units["treated"] == 1, units["treated"] == 0)]  # fmt: skip
    gap = arms[0].params["const"] - arms[1].params["const"]
    assert found.effect.estimate == pytest.approx(gap, rel=1e-10)
    assert found.effect.se == pytest.approx(np.hypot(*(fit.bse["const"] for fit in arms)))
    assert found.adjusted_for == ("spend", "tenure")
    assert (found.n_treated, found.n_control, found.n_clusters) == (60, 140, None)


def test_unadjusted_is_welch():
    units = drawn(90, 1, share=0.2)
    one, other = (units["y"][units["treated"] == arm] for arm in (1, 0))
    found = intention_to_treat(Trial(units, "y", "treated", ("spend",))).unadjusted
    assert found.estimate == pytest.approx(one.mean() - other.mean())
    assert found.se == pytest.approx(np.sqrt(one.var() / 18 + other.var() / 72))
    sizes = np.array([18, 72])
    closed = (1 / sizes).sum() ** 2 / (1 / (sizes**2 * (sizes - 1))).sum()
    assert found.df == pytest.approx(closed)


def test_degrees_of_freedom_as_published():
    """Imbens & Kolesar (2016): 2.5 with 3 treated of 30."""
    treated = (np.arange(30) < 3).astype(float)
    x = np.column_stack([np.ones(30), treated])
    found = coefficient(x, np.random.default_rng(0).normal(size=(30, 1)), 1)
    assert found.df == pytest.approx(2.5, abs=0.05)


@pytest.mark.parametrize("clustered", [False, True])
def test_errors_and_degrees_of_freedom_equal_their_definition(clustered):
    """Bell & McCaffrey's formulas with n x n matrices, as they are printed."""
    units = in_clusters(9, 3, size=6)
    x = design(units["treated"].to_numpy(float), units[["spend"]].to_numpy())
    y, n = units[["y", "spend"]].to_numpy(), len(units)
    codes = units["station"].to_numpy() if clustered else np.arange(n)
    bread = np.linalg.inv(x.T @ x)
    keep = np.eye(n) - x @ bread @ x.T
    own, residual = x @ bread[:, 1], keep @ y
    parts, columns = [], []
    for code in np.unique(codes):
        rows = codes == code
        values, vectors = np.linalg.eigh(keep[np.ix_(rows, rows)])
        weight = vectors @ np.diag(values**-0.5) @ vectors.T @ own[rows]
        parts.append(weight @ residual[rows])
        columns.append(keep[:, rows] @ weight)
    covariance = np.array(parts).T @ np.array(parts)
    spectrum = np.linalg.eigvalsh(np.array(columns) @ np.array(columns).T)
    codes = codes if clustered else None
    by_arm = between_arms(units[["spend"]].to_numpy(), y, units["treated"].to_numpy(), codes)
    for found in (coefficient(x, y, 1, codes), by_arm):
        assert found.estimates == pytest.approx((bread @ x.T @ y)[1])
        assert found.covariance == pytest.approx(covariance)
        assert found.df == pytest.approx(spectrum.sum() ** 2 / (spectrum**2).sum())


def test_adjustment_narrows_the_interval():
    units = drawn(400, 2)
    found = intention_to_treat(Trial(units, "y", "treated", ("spend", "tenure")))
    assert found.effect.se < 0.7 * found.unadjusted.se
    assert found.effect.ci_low < 0.5 < found.effect.ci_high


def test_shares_stay_differences():
    units = drawn(300, 4).assign(bought=lambda each: each["y"] > 2)
    found = intention_to_treat(Trial(units, "bought", "treated"))
    assert found.effect.estimate == pytest.approx(found.mean_treated - found.mean_control)
    assert 0 < found.mean_control < found.mean_treated < 1


def test_blocks_categories_and_missing_covariates_are_adjusted_for():
    units = drawn(400, 5)
    units["tier"] = np.where(
        units["tenure"] > 1, "gold", np.where(units["tenure"] > 0, "red", None)
    )
    units["block"] = np.where(units["spend"] > 2, "top", "rest")
    units.loc[::7, "spend"] = np.nan
    found = intention_to_treat(Trial(units, "y", "treated", ("spend", "tier"), block="block"))
    assert found.adjusted_for == (
        "spend", "spend missing", "tier red", "tier gold", "block 1",
    )  # fmt: skip
    whole = units.assign(
        spend=units["spend"].fillna(units["spend"].mean()), gap=units["spend"].isna().astype(float),
        red=(units["tier"] == "red") * 1.0, gold=(units["tier"] == "gold") * 1.0,
        top=(units["block"] == "top") * 1.0,
    )  # fmt: skip
    x = whole[["spend", "gap", "red", "gold", "top"]].to_numpy()
    x = design(units["treated"].to_numpy(float), x)
    fit = sm.OLS(units["y"].to_numpy(), x).fit(cov_type="HC2")
    assert found.effect.estimate == pytest.approx(fit.params[1])
    assert found.effect.se == pytest.approx(fit.bse[1])


def test_columns_that_break_a_regression_are_left_out():
    units = drawn(120, 6).assign(same=1.0, double=lambda each: 3 * each["spend"])
    units["few"] = (np.arange(120) == np.flatnonzero(units["treated"] == 1)[0]).astype(float)
    names = ("same", "spend", "double", "few", "tenure", "third", "fourth")
    rng = np.random.default_rng(0)
    units = units.assign(third=rng.normal(size=120), fourth=rng.normal(size=120))
    found = intention_to_treat(Trial(units, "y", "treated", names))
    assert found.adjusted_for == ("spend", "tenure", "third")  # 60 in an arm, 20 for each


def test_a_block_that_lost_an_arm_joins_the_others():
    units = drawn(200, 7).assign(block=lambda each: np.arange(200) // 50)
    lost = (units["block"] == 2) & (units["treated"] == 1)
    units.loc[lost, "y"] = np.nan
    trial = Trial(units, "y", "treated", block="block")
    blocks = trial.columns.to_numpy() @ np.arange(1, trial.columns.shape[1] + 1)
    assert len(np.unique(blocks)) == 3
    assert np.isfinite(intention_to_treat(trial).effect.se)


def test_what_is_no_trial_is_said():
    units = drawn(40).assign(station=np.arange(40) // 4, gap=np.nan)
    cases = {
        'no column "wave"': {"covariates": ("wave",)},
        "0 or 1 for every unit": {"treated": "gap"},
        'needs a value of "gap"': {"block": "gap"},
        "drawn as one": {"cluster": "station"},
    }
    for sentence, other in cases.items():
        with pytest.raises(ValueError, match=sentence):
            Trial(units, **{"outcome": "y", "treated": "treated"} | other)
    with pytest.raises(NotEstimable, match="the treated have 0, the controls 20"):
        Trial(units.assign(y=units["y"].where(units["treated"] == 0)), "y", "treated")
    with pytest.raises(NotEstimable, match="no error"):
        intention_to_treat(Trial(units.assign(y=1.0), "y", "treated"))


# --- drawing the lots again


def by_hand(units, lots):
    """Return the p-value of a studentised difference of means among lots, the first ours."""
    t = []
    for lot in lots:
        one, other = units["y"][lot == 1], units["y"][lot == 0]
        se = np.sqrt(one.var(ddof=0) / len(one) + other.var(ddof=0) / len(other))
        t.append(abs(one.mean() - other.mean()) / se)
    return np.mean(np.array(t) >= t[0] - 1e-9)


def test_randomisation_of_a_small_case_is_the_share_of_all_lots():
    units = pd.DataFrame(
        {"y": [3.1, 5.2, 1.0, 7.7, 2.4, 6.0, 9.9], "treated": [0, 1, 0, 1, 0, 0, 1]}
    )
    ours = units["treated"].to_numpy()
    lots = [np.isin(np.arange(7), each) * 1 for each in itertools.combinations(range(7), 3)]
    others = [each for each in lots if (each != ours).any()]
    found = randomisation_test(Trial(units, "y", "treated"), seed=1)
    assert (found.n_draws, found.is_exact) == (35, True)
    assert found.p_value == pytest.approx(by_hand(units, [ours, *others]))
    assert found.p_value == pytest.approx(3 / 35)
    sampled = randomisation_test(Trial(units, "y", "treated"), seed=1, draws=30)
    assert not sampled.is_exact


def test_lots_are_drawn_again_within_blocks_and_for_clusters():
    units = pd.DataFrame({"y": np.arange(16.0) ** 1.5, "treated": [0, 0, 1, 1] * 4})
    units = units.assign(block=np.arange(16) // 8, station=np.arange(16) // 2)
    plain = randomisation_test(Trial(units, "y", "treated", block="block"), 1, draws=5000)
    assert (plain.n_draws, plain.is_exact) == (70**2, True)
    clustered = Trial(units, "y", "treated", block="block", cluster="station")
    assert randomisation_test(clustered, 1).n_draws == 6**2
    assert randomisation_test(Trial(units, "y", "treated", cluster="station"), 1).n_draws == 70


def test_randomisation_agrees_with_regression_in_large_samples():
    units = drawn(1000, 8, effect=0.15)
    trial = Trial(units, "y", "treated", ("spend", "tenure"))
    effect = intention_to_treat(trial).effect
    found = randomisation_test(trial, seed=2, draws=4000)
    assert found.p_value == pytest.approx(effect.p_value(0.0), abs=0.03)
    assert found.ci_low == pytest.approx(effect.ci_low, abs=0.1 * effect.se)
    assert found.ci_high == pytest.approx(effect.ci_high, abs=0.1 * effect.se)
    assert found == randomisation_test(trial, seed=2, draws=4000)


def test_too_few_lots_reject_nothing():
    units = pd.DataFrame({"y": [1.0, 2.0, 4.0, 8.0], "treated": [0, 0, 1, 1]})
    found = randomisation_test(Trial(units, "y", "treated"), 1)
    assert found.n_draws == 6
    assert (found.ci_low, found.ci_high) == (-np.inf, np.inf)


def test_randomisation_keeps_its_level_where_the_outcome_is_skewed():
    """20 customers, 5 treated, a lognormal amount: exact whatever the outcome."""
    rng, p_values = np.random.default_rng(3), []
    for _ in range(300):
        units = pd.DataFrame({"y": rng.lognormal(0, 2, 20)})
        units["treated"] = rng.permutation(np.arange(20) < 5).astype(int)
        p_values.append(randomisation_test(Trial(units, "y", "treated"), 1, draws=200).p_value)
    assert np.mean(np.array(p_values) <= 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)


# --- many trials


def covered(make, *names, truth=0.5, **columns):
    """Return the share of `N_COVERAGE` trials whose interval has the truth."""
    hits = 0
    for seed in range(N_COVERAGE):
        found = intention_to_treat(Trial(make(seed), "y", "treated", names, **columns)).effect
        hits += found.ci_low <= truth <= found.ci_high
    return hits / N_COVERAGE


@pytest.mark.slow
@pytest.mark.parametrize("n, share", [(80, 0.5), (120, 0.25)])
def test_coverage_of_units(n, share):
    rate = covered(lambda seed: drawn(n, 10_000 + seed, share=share), "spend", "tenure")
    assert abs(rate - 0.95) < 3 * MC_ERROR


@pytest.mark.slow
@pytest.mark.parametrize("n_clusters", [8, 20])
def test_coverage_of_clusters(n_clusters):
    rate = covered(lambda seed: in_clusters(n_clusters, 10_000 + seed), "spend", cluster="station")
    assert abs(rate - 0.95) < 3 * MC_ERROR


@pytest.mark.slow
def test_neighbours_who_talk_need_a_lot_for_their_station():
    """Half of what is offered at a station reaches everybody there: an effect of 1 in all."""

    def talking(seed, by_station):
        rng = np.random.default_rng(seed)
        station = np.repeat(np.arange(30), 20)
        lot = rng.permutation(np.arange(30) % 2)[station]
        units = pd.DataFrame({"station": station, "treated": lot})
        if not by_station:
            units["treated"] = rng.permutation(np.arange(600) % 2)
        near = units.groupby("station")["treated"].transform("mean")
        units["y"] = 0.5 * units["treated"] + 0.5 * near + rng.normal(size=600)
        return units

    by_station = covered(lambda seed: talking(10_000 + seed, True), truth=1.0, cluster="station")
    by_unit = covered(lambda seed: talking(10_000 + seed, False), truth=1.0)
    assert abs(by_station - 0.95) < 3 * MC_ERROR
    assert by_unit < 0.01
