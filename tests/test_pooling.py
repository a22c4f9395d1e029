"""Pooling over regions: published meta-analyses, closed forms, coverage in simulated regions."""

import os
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import optimize, special, stats
from statsmodels.stats.meta_analysis import combine_effects

from analysis.claims import calibration
from analysis.claims.hypotheses import hypothesis
from analysis.claims.verdicts import judge_part
from analysis.statistics.estimate import Estimate, from_se
from analysis.statistics.meta_analysis import (
    combined_p,
    leave_one_out,
    narrowing,
    pool,
    weighted_mean,
)

REPLICATES = int(os.environ.get("CALIBRATION_REPLICATES", "300"))
TABLE_REPLICATES = 3000  # behind the coverage that the tests compare with
Z = stats.norm.ppf(0.975)
properties = settings(max_examples=50)

# Colditz et al. (1994), JAMA 271, 698-702: trials of the BCG vaccine. Ill and not ill among
# the vaccinated, ill and not ill among the others, absolute latitude.
BCG = np.array(
    [
        [4, 119, 11, 128, 44], [6, 300, 29, 274, 55], [3, 228, 11, 209, 42],
        [62, 13536, 248, 12619, 52], [33, 5036, 47, 5761, 13], [180, 1361, 372, 1079, 44],
        [8, 2537, 10, 619, 19], [505, 87886, 499, 87892, 13], [29, 7470, 45, 7232, 27],
        [17, 1699, 65, 1600, 42], [186, 50448, 141, 27197, 18], [5, 2493, 3, 2338, 33],
        [27, 16886, 29, 17825, 33],
    ]
)  # fmt: skip
# Events and persons in the treated group, then in the other. Low-dose aspirin in pregnancy
# (DerSimonian & Kacker, 2007), diuretics in pregnancy (Collins et al., 1985), cisapride
# (Hartung & Knapp, 2001).
ASPIRIN = [
    [5, 5, 12, 69, 9, 313],
    [156, 303, 565, 1570, 103, 4659],
    [8, 17, 9, 94, 11, 352],
    [74, 303, 477, 1565, 105, 4650],
]
DIURETICS = [
    [14, 21, 14, 6, 12, 138, 15, 6, 65],
    [131, 385, 57, 38, 1011, 1370, 506, 108, 153],
    [14, 17, 24, 18, 35, 175, 20, 2, 40],
    [136, 134, 48, 40, 760, 1336, 524, 103, 102],
]
CISAPRIDE = [
    [15, 12, 29, 42, 14, 44, 14, 29, 10, 17, 38, 19, 21],
    [16, 16, 34, 56, 22, 54, 17, 58, 14, 26, 44, 29, 38],
    [9, 1, 18, 31, 6, 17, 7, 23, 3, 6, 12, 22, 19],
    [16, 16, 34, 56, 22, 55, 15, 58, 15, 27, 45, 30, 38],
]


def regions(effects, ses, scale="identity", df=np.inf):
    """Return estimates from effects and errors on the link scale."""
    inverse = {"identity": lambda value: value, "log": np.exp, "logit": special.expit}[scale]
    return [
        from_se(inverse(effect), se, 100, scale=scale, df=df)
        for effect, se in zip(effects, np.broadcast_to(ses, len(effects)), strict=True)
    ]


def risk_ratios():
    """Return the trials of BCG."""
    ill, well, other_ill, other_well, _ = BCG.T
    effects = np.log(ill / (ill + well)) - np.log(other_ill / (other_ill + other_well))
    variances = 1 / ill - 1 / (ill + well) + 1 / other_ill - 1 / (other_ill + other_well)
    return regions(effects, np.sqrt(variances), "log")


def odds_ratios(table, added=0.0):
    """Return trials of events among persons, with a constant added to all cells."""
    events, n, other_events, other_n = np.array(table, dtype=float)
    cells = np.array([events, n - events, other_events, other_n - other_events]) + added
    effects = np.array([1, -1, -1, 1]) @ np.log(cells)
    return regions(effects, np.sqrt((1 / cells).sum(axis=0)), "log")


def drawn(k, tau, seed, sizes=(100, 1500)):
    """Return regions of unequal size around a mean of 0.2."""
    rng, ses = np.random.default_rng(seed), 2 / np.sqrt(np.geomspace(*sizes, k))
    return regions(0.2 + tau * rng.normal(size=k) + ses * rng.normal(size=k), ses)


def interval(found):
    return [found.ci_low, found.ci_high]


several = st.lists(st.tuples(st.floats(-3, 3), st.floats(0.05, 2)), min_size=4, max_size=12).map(
    lambda pairs: tuple(np.array(pairs).T)
)


# --- published values


def test_pool_equals_paule_and_mandel_of_a_published_table():
    """DerSimonian & Kacker (2007), Contemporary Clinical Trials 28, tables 3 and 4."""
    found = pool(odds_ratios(ASPIRIN))
    assert found.tau == pytest.approx(0.3681, abs=5e-5)
    assert np.log(found.estimate) == pytest.approx(-0.3811, abs=5e-5)
    assert found.normal_se == pytest.approx(0.2060, abs=5e-5)


def test_interval_of_tau_equals_a_published_q_profile():
    """Viechtbauer (2007), Statistics in Medicine 26, table II."""
    found = pool(odds_ratios(DIURETICS))
    assert [found.tau_low**2, found.tau_high**2] == pytest.approx([0.072, 2.203], abs=5e-4)


def test_heterogeneity_equals_that_of_another_implementation():
    """The R package metafor: what its own tests of `confint` expect for the trials of BCG."""
    found = pool(risk_ratios())
    assert found.q == pytest.approx(152.2330, abs=5e-5)
    assert [found.tau_low**2, found.tau_high**2] == pytest.approx([0.1197, 1.1115], abs=5e-5)
    assert [found.i2_low, found.i2_high] == pytest.approx([0.819177, 0.976781], abs=5e-5)


def test_a_pool_with_smoothed_variances_equals_a_published_one():
    """Berkey et al. (1995), Statistics in Medicine 14, p. 408, with their smoothed variances."""
    ill, well, other_ill, other_well, _ = BCG.T
    effects = np.log([each.estimate for each in risk_ratios()])
    variances = (well / ill).mean() / (ill + well)
    variances = variances + (other_well / other_ill).mean() / (other_ill + other_well)
    trials = regions(effects, np.sqrt(variances), "log")
    found = pool(trials)
    assert np.log(found.estimate) == pytest.approx(-0.5429, abs=5e-5)
    assert found.normal_se == pytest.approx(0.1842, abs=5e-5)
    assert found.tau**2 == pytest.approx(0.268, abs=5e-4)


def test_prediction_interval_is_near_that_of_its_authors():
    """Vignette of the R package pimeta: by 25,000 draws, and with fixed weights in Q."""
    found = pool(odds_ratios(CISAPRIDE, added=0.5))
    ends = np.log([found.prediction_low, found.prediction_high])
    assert ends == pytest.approx(np.log([0.533, 33.692]), abs=0.05)


# --- closed forms


def test_equal_errors_that_differ_more_than_by_chance():
    effects = np.array([0.1, 0.5, 0.2, 0.9, -0.3])
    found, variance = pool(regions(effects, 0.1)), effects.var(ddof=1)
    assert found.tau**2 == pytest.approx(variance - 0.01)
    assert found.i2 == pytest.approx(1 - 0.01 / variance)
    assert found.q == pytest.approx(4 * variance / 0.01)
    assert found.q_p_value == pytest.approx(stats.chi2.sf(found.q, 4))
    profile = 4 * variance / stats.chi2.ppf([0.975, 0.025], 4) - 0.01
    assert [found.tau_low**2, found.tau_high**2] == pytest.approx(profile)
    plain = stats.ttest_1samp(effects, 0.15)
    assert found.estimate == pytest.approx(effects.mean())
    assert interval(found) == pytest.approx(list(plain.confidence_interval()))
    assert interval(found.at_level(0.8)) == pytest.approx(list(plain.confidence_interval(0.8)))
    assert found.p_value(0.15) == pytest.approx(plain.pvalue)
    assert (found.df, found.n_obs, found.n_regions) == (4, 500, 5)
    assert found.se == pytest.approx(np.sqrt(variance / 5))


def test_equal_errors_that_differ_less_than_by_chance():
    effects = np.array([0.30, 0.31, 0.29, 0.32, 0.28])
    found = pool(regions(effects, 0.1))
    assert (found.tau, found.tau_low, found.tau_high, found.i2, found.i2_high) == (0, 0, 0, 0, 0)
    assert interval(found) == pytest.approx([0.3 - Z * np.sqrt(0.002), 0.3 + Z * np.sqrt(0.002)])
    assert found.hk_se == pytest.approx(effects.std(ddof=1) / np.sqrt(5))
    assert found.df == np.inf
    assert found.se == pytest.approx(np.sqrt(0.002))
    assert found.p_value(0.2) == pytest.approx(2 * stats.norm.sf(0.1 / np.sqrt(0.002)))
    assert found.q_p_value == pytest.approx(stats.chi2.sf(0.1, 4))


def test_two_sizes_of_error_around_a_symmetric_mean():
    """Effects of -d, 0, d: the middle region, whatever its error, is not in Q."""
    found = pool(regions([-0.4, 0.0, 0.4], [0.1, 0.3, 0.1]))
    assert found.tau**2 == pytest.approx(0.16 - 0.01)
    assert found.estimate == pytest.approx(0, abs=1e-12)
    assert found.normal_se == pytest.approx((2 / 0.16 + 1 / 0.24) ** -0.5)
    profile = 0.32 / stats.chi2.ppf([0.975, 0.025], 2) - 0.01
    assert [found.tau_low**2, found.tau_high**2] == pytest.approx(profile)


def test_regions_that_agree_exactly():
    found = pool(regions([0.3] * 6, 0.1))
    assert (found.tau, found.q, found.i2, found.hk_se, found.q_p_value) == (0, 0, 0, 0, 1)
    assert interval(found) == pytest.approx([0.3 - Z * 0.1 / 6**0.5, 0.3 + Z * 0.1 / 6**0.5])
    assert found.p_value(0.3) == 1
    assert found.p_value(0.3 + Z * 0.1 / 6**0.5) == pytest.approx(0.05)
    half = stats.t.ppf(0.975, 5) * 0.1 / 6**0.5  # no tau in it: t times the error of the mean
    assert found.prediction_low == pytest.approx(0.3 - half, abs=1e-3 * half)
    assert found.prediction_high == pytest.approx(0.3 + half, abs=1e-3 * half)


def test_prediction_from_many_regions_is_the_normal_range_of_effects():
    effects = stats.norm.ppf((np.arange(2000) + 0.5) / 2000)
    found = pool(regions(effects, 0.1))
    assert found.prediction_high == pytest.approx(Z * np.hypot(found.tau, found.se), rel=2e-3)
    assert found.prediction_low == pytest.approx(-found.prediction_high, rel=1e-6)


# --- other implementations


@properties
@given(several)
def test_pool_equals_statsmodels(sample):
    """To 1e-4: its iteration ends when Q is within 1e-5 of k - 1."""
    effects, ses = sample
    assume(np.ptp(effects) > 0)
    found, other = pool(regions(effects, ses)), combine_effects(effects, ses**2, "pm")
    assert found.tau**2 == pytest.approx(other.tau2, abs=1e-4)
    assert found.q == pytest.approx(other.q, abs=1e-9)
    assert found.estimate == pytest.approx(other.mean_effect_re, abs=1e-4)
    assert found.normal_se == pytest.approx(other.sd_eff_w_re, rel=1e-4)
    assert found.hk_se == pytest.approx(other.sd_eff_w_re_hksj, rel=1e-4, abs=1e-9)


@properties
@given(several)
def test_variances_solve_their_equations(sample):
    effects, ses = sample
    found = pool(regions(effects, ses))

    def excess(tau2, target):
        weights = 1 / (ses**2 + tau2)
        return weights @ (effects - np.average(effects, weights=weights)) ** 2 - target

    df = len(effects) - 1
    targets = [df, *stats.chi2.ppf([0.975, 0.025], df)]
    for tau, target in zip((found.tau, found.tau_low, found.tau_high), targets, strict=True):
        if excess(0, target) < 0:
            assert tau == 0
        else:
            expected = optimize.brentq(excess, 0, 1e6, args=target)
            assert tau**2 == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("k", "tau", "seed"), [(3, 0.2, 267), (6, 0.05, 41), (12, 0.1, 0)])
def test_prediction_interval_equals_draws_of_what_it_says(k, tau, seed):
    estimates, draws = drawn(k, tau, seed), stats.qmc.Sobol(3, rng=0).random_base2(17).T
    effects = np.array([each.estimate for each in estimates])
    variances = np.array([each.se**2 for each in estimates])
    grid = np.append(0, np.geomspace(1e-7, 1e4, 4000))
    weights = 1 / (variances + grid[:, None])
    means = weights @ effects / weights.sum(axis=1)
    qs = (weights * (effects - means[:, None]) ** 2).sum(axis=1)
    errors = np.sqrt(np.maximum(qs / (k - 1), 1) / weights.sum(axis=1))
    tau2 = np.interp(-stats.chi2.ppf(draws[0], k - 1), -qs, grid)
    new = np.interp(tau2, grid, means) + np.sqrt(tau2) * stats.norm.ppf(draws[1])
    new += np.interp(tau2, grid, errors) * stats.t.ppf(draws[2], k - 1)
    found, ends = pool(estimates), np.quantile(new, [0.025, 0.975])
    close = 2e-3 * (ends[1] - ends[0])
    assert [found.prediction_low, found.prediction_high] == pytest.approx(ends, abs=close)


# --- properties


@properties
@given(several, st.floats(0.5, 0.999), st.floats(-4, 4))
def test_intervals_contain_both_and_agree_with_p(sample, level, value):
    found = pool(regions(*sample)).at_level(level)
    middle, df = (found.ci_low + found.ci_high) / 2, found.n_regions - 1
    half = (found.ci_high - found.ci_low) / 2
    widths = [stats.norm.ppf((1 + level) / 2) * found.normal_se]
    widths.append(stats.t.ppf((1 + level) / 2, df) * found.hk_se)
    assert middle == pytest.approx(found.estimate, abs=1e-9)
    assert half == pytest.approx(max(widths))
    assert found.p_value(found.ci_low) == pytest.approx(1 - level, abs=1e-6)
    p = found.p_value(value)
    assume(abs(p - (1 - level)) > 1e-6)
    assert (p > 1 - level) == (found.ci_low < value < found.ci_high)


@properties
@given(several, st.randoms(use_true_random=False))
def test_the_order_of_regions_does_not_matter(sample, random):
    estimates = regions(*sample)
    shuffled = random.sample(estimates, len(estimates))
    first, second = pool(estimates), pool(shuffled)
    for name in ("estimate", "ci_low", "tau", "tau_high", "i2", "prediction_low"):
        assert getattr(second, name) == pytest.approx(getattr(first, name), abs=1e-7)


@properties
@given(several, st.floats(-100, 100), st.floats(0.001, 1000))
def test_another_unit_changes_nothing_else(sample, shift, factor):
    effects, ses = sample
    first, second = (
        pool(regions(effects, ses)),
        pool(regions(shift + factor * effects, factor * ses)),
    )
    for name in ("estimate", "ci_low", "ci_high", "prediction_low", "prediction_high"):
        expected = shift + factor * getattr(first, name)
        assert getattr(second, name) == pytest.approx(expected, rel=1e-6, abs=1e-6 * factor)
    for name in ("tau", "tau_low", "tau_high"):
        expected = factor * getattr(first, name)
        assert getattr(second, name) == pytest.approx(expected, abs=1e-6 * factor)
    assert second.i2 == pytest.approx(first.i2, abs=1e-6)


@properties
@given(several)
def test_intervals_are_in_order(sample):
    found = pool(regions(*sample))
    assert found.tau_low <= found.tau <= found.tau_high
    assert 0 <= found.i2_low <= found.i2 <= found.i2_high < 1
    assert found.prediction_low < found.ci_low < found.estimate
    assert found.estimate < found.ci_high < found.prediction_high


@properties
@given(several, st.sampled_from(["log", "logit"]))
def test_ratios_and_shares_are_pooled_on_their_scale(sample, scale):
    plain, found = pool(regions(*sample)), pool(regions(*sample, scale))
    link = {"log": np.log, "logit": special.logit}[scale]
    for name in ("estimate", "ci_low", "ci_high", "prediction_low", "prediction_high"):
        assert link(getattr(found, name)) == pytest.approx(getattr(plain, name), abs=1e-6)
    assert (found.scale, found.tau) == (scale, pytest.approx(plain.tau, abs=1e-7))
    assert found.p_value(0.6) == pytest.approx(plain.p_value(link(0.6)), abs=1e-6)


@properties
@given(several)
def test_leaving_a_region_out_is_pooling_the_others(sample):
    estimates = regions(*sample, "log")
    found = leave_one_out(estimates)
    assert found.index.tolist() == list(range(len(estimates)))
    for i, row in enumerate(found.itertuples()):
        other = pool(estimates[:i] + estimates[i + 1 :])
        assert [row.estimate, row.ci_low, row.ci_high] == pytest.approx(
            [other.estimate, other.ci_low, other.ci_high], rel=1e-6
        )
        assert row.tau == pytest.approx(other.tau, abs=1e-6)


def test_leaving_out_one_of_many_regions():
    estimates = drawn(150, 0.1, seed=1)
    found = leave_one_out(estimates)
    for i in (0, 63, 64, 149):
        other = pool(estimates[:i] + estimates[i + 1 :])
        expected = [other.estimate, other.ci_low, other.ci_high, other.tau]
        expected += [other.normal_se, other.hk_se]
        assert found.loc[i].tolist() == pytest.approx(expected, rel=1e-9)


def test_leaving_out_the_only_region_that_differs():
    found = leave_one_out(regions([0.3, 0.3, 0.3, 0.3, 5.0], 0.1))
    assert found["tau"].tolist()[4] == 0
    assert found["tau"].iloc[:4].min() > 1
    assert found["estimate"].tolist()[4] == pytest.approx(0.3)


# --- what goes in


def test_degrees_of_freedom_of_a_region_are_taken_out_of_its_interval():
    effects, ses = [0.1, 0.5, 0.2, 0.9], [0.1, 0.2, 0.3, 0.1]
    few, many = (pool(regions(effects, ses, df=df)) for df in (7, np.inf))
    assert interval(few) == pytest.approx(interval(many))
    assert few.tau == pytest.approx(many.tau)


def test_the_middle_of_an_interval_is_the_effect():
    lopsided = [Estimate(0.25, 0.1, 0.5, 10) for _ in range(3)]
    assert pool(lopsided).estimate == pytest.approx(0.3)


def test_verdicts_are_given_on_a_pooled_effect():
    part = hypothesis("H01").parts[0]
    bound = part.claim.low
    far, near = (regions(bound + away + np.array([-0.01, 0, 0.01]), 0.05) for away in (1, 0.03))
    assert judge_part(part, pool(far)) == "supported"
    assert judge_part(part, pool(near), n_parts=2) == "inconclusive"


@pytest.mark.parametrize(
    ("estimates", "sentence"),
    [
        (regions([0.1, 0.2], 0.1), "At least 3 regions are needed, not 2"),
        ([*regions([0.1, 0.2], 0.1), *regions([0.1], 0.1, "log")], "on one scale"),
        ([*regions([0.1, 0.2], 0.1), Estimate(0.3, 0.3, 0.3, 10)], "Region 3 has a standard error"),
        ([*regions([0.1, 0.2], 0.1), Estimate(0.3, 0.1, np.inf, 10)], "Region 3 has"),
        ([Estimate(0.3, np.nan, 0.4, 10), *regions([0.1, 0.2], 0.1)], "Region 1 has"),
        ([*regions([0.1, 0.2], 0.1, "log"), Estimate(0.3, 0.0, 1.0, 10, "log")], "Region 3 has"),
    ],
)
def test_what_can_not_be_pooled_is_refused(estimates, sentence):
    with pytest.raises(ValueError, match=sentence):
        pool(estimates)


def test_too_few_regions_are_refused():
    with pytest.raises(ValueError, match="At least 4 regions"):
        leave_one_out(regions([0.1, 0.2, 0.3], 0.1))


# --- coverage


def coverage(k, tau, ses, replicates=REPLICATES, df=np.inf):
    """Return how often intervals for the mean, tau and another region hold the truth."""
    rng, hits = np.random.default_rng(1000 * k + int(100 * tau)), np.zeros(3)
    for _ in range(replicates):
        effects = 0.2 + tau * rng.normal(size=k) + ses * rng.normal(size=k)
        shown = ses if np.isinf(df) else ses * np.sqrt(rng.chisquare(df, k) / df)
        found, new = pool(regions(effects, shown, df=df)), 0.2 + tau * rng.normal()
        hits += [
            found.ci_low <= 0.2 <= found.ci_high,
            found.tau_low <= tau <= found.tau_high,
            found.prediction_low <= new <= found.prediction_high,
        ]
    return hits / replicates


def near(found, expected):
    """Tell whether two simulated shares differ by no more than chance (3.5 errors)."""
    share = np.clip(expected, 0.01, 0.99)
    error = np.sqrt(share * (1 - share) * (1 / REPLICATES + 1 / TABLE_REPLICATES))
    return abs(found - expected) < 3.5 * error


@pytest.mark.parametrize(
    ("name", "regions", "floor"),
    [("mean", 3, 0.91), ("mean", 6, 0.93), ("mean", 12, 0.935), ("tau_interval", 3, 0.94),
     ("tau_interval", 6, 0.94), ("tau_interval", 12, 0.94), ("another", 6, 0.94),
     ("another", 12, 0.935)],
)  # fmt: skip
def test_measured_coverage_of_what_is_pooled_is_what_the_docs_say(name, regions, floor):
    """The table that notebook 90 quotes; of three regions the docs of `pool` say 92%."""
    table = pd.read_csv(calibration.POOLED)
    own = table[table["regions"] == regions]
    assert (own["sets"] >= 4_000).all()
    assert set(own["tau"]) == {0, 0.05, 0.1, 0.2}
    assert own[name].min() >= floor


@pytest.mark.slow
@pytest.mark.parametrize(
    ("k", "tau", "mean", "another"),
    [
        (4, 0.0, 0.980, None),
        (4, 0.1, 0.971, None),
        (4, 0.2, 0.959, None),
        (6, 0.0, 0.977, 0.999),
        (6, 0.05, 0.972, 0.983),
        (6, 0.1, 0.957, 0.953),
        (6, 0.2, 0.949, 0.946),
        (12, 0.0, None, 0.997),
        (12, 0.05, None, 0.960),
        (12, 0.1, 0.954, 0.926),
        (12, 0.2, None, 0.942),
    ],
)
def test_coverage_with_equal_errors_is_what_an_earlier_study_measured(k, tau, mean, another):
    """Shares from other code, 3,000 or 4,000 draws each, with errors of 0.1 and a mean of 0.2."""
    found = coverage(k, tau, np.full(k, 0.1))
    assert mean is None or near(found[0], mean)
    assert another is None or near(found[2], another)
    assert found[1] > 0.95 - 3.5 * np.sqrt(0.95 * 0.05 / REPLICATES)


@pytest.mark.slow
def test_coverage_with_regions_of_unequal_size_and_few_degrees_of_freedom():
    """Degrees of freedom as small as those of errors by station cost the mean hardly anything."""
    error = np.sqrt(0.95 * 0.05 / REPLICATES)
    for k, tau in product((6, 12), (0.0, 0.1, 0.2)):
        ses = 2 / np.sqrt(np.geomspace(100, 1500, k))
        assert coverage(k, tau, ses)[0] > 0.93 - 3 * error
        assert coverage(k, tau, ses, df=7)[0] > 0.92 - 3 * error


def test_tests_that_each_region_passed_are_rejected_together_as_often_as_one_alone():
    """Uniform p of 6 regions of unequal size, of which only those above 1% take part."""
    rng, sizes = np.random.default_rng(1), np.array([300, 500, 800, 1_000, 2_000, 6_000])
    p = [combined_p(rng.uniform(0.01, 1, 6), 0.01, sizes) for _ in range(4_000)]
    assert stats.kstest(p, "uniform").pvalue > 0.01
    assert np.mean(np.array(p) < 0.01) == pytest.approx(0.01, abs=3 * np.sqrt(0.01 * 0.99 / 4_000))


def test_combined_p_by_hand():
    """Normal scores 1 and 2 with weights 3 and 4: their sum over 5 is 2.2."""
    p = 0.01 + 0.99 * stats.norm.sf([1, 2])
    assert combined_p(p, 0.01, [9, 16]) == pytest.approx(stats.norm.sf(2.2))
    assert combined_p([], 0.01, []) == 1
    assert combined_p([1.0, 0.011], 0.01, [9, 9]) < 0.5  # which counts: no p is quite 1


def test_a_bias_is_averaged_as_the_effect_is_and_held_against_its_width():
    """Equal effects: weights are the inverse squares of the errors 1 and 2, so 4 to 1."""
    estimates = [from_se(0.0, se, 100) for se in (1.0, 2.0, 2.0)]
    pooled = pool(estimates)
    assert pooled.tau == 0
    assert weighted_mean([3.0, 0.0, 9.0], estimates, pooled) == pytest.approx(21 / 6)
    width = (pooled.ci_high - pooled.ci_low) / (2 * 1.959964 * 2)
    assert narrowing(estimates, pooled) == pytest.approx(width)
    apart = [from_se(each, 0.1, 100) for each in (-9.0, 0.0, 9.0)]
    assert narrowing(apart, pool(apart)) == 1
