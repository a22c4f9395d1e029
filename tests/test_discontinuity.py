"""Jumps: exact lines, worst cases by linear programming, and planted truths."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from analysis.statistics.causal import _curvature, bunching, discontinuity
from analysis.statistics.estimate import NotEstimable

properties = settings(max_examples=25)
COVARIATES = ["prior", "C(severity)"]


def cases(n, seed=0, jump=0.3, slope=-0.06, bend=0.0, pulled=0.0):
    """Return settled cases; `pulled` is the share of easy ones of days 4 and 5 hurried."""
    rng = np.random.default_rng(seed)
    difficulty, prior = rng.normal(size=n), rng.normal(size=n)
    logs = 1.05 + 0.35 * difficulty + 0.55 * rng.normal(size=n)
    day = np.floor(np.exp(logs)).clip(max=12)
    hurried = np.isin(day, [4, 5]) & (difficulty < 0) & (rng.random(n) < pulled)
    day = np.where(hurried, 3.0, day)
    effect = jump * (day <= 3) + slope * day + bend * (day - 3.5) ** 2 / 2
    noise = rng.normal(size=n) * (0.7 + 0.1 * day)
    return pd.DataFrame(
        {
            "day": day,
            "prior": prior,
            "difficulty": difficulty,
            "severity": np.searchsorted([-0.5, 0.7], difficulty),
            "team": rng.integers(0, 12, n),
            "y": 5 + effect - 0.25 * difficulty + 0.4 * prior + noise,
        }
    )


def spread_days(per_day=20, seed=0):
    """Return as many cases on each of the days 0 to 12, and a little noise."""
    day = np.repeat(np.arange(13.0), per_day)
    return pd.DataFrame({"day": day, "noise": np.random.default_rng(seed).normal(size=len(day))})


# --- jump


@properties
@given(st.floats(-3, 3), st.floats(-1, 1), st.floats(-1, 1), st.integers(2, 9), st.booleans())
def test_two_lines_give_their_jump_exactly(size, before, after, cutoff, donut):
    frame = spread_days()
    distance = frame["day"] - cutoff - 0.5
    lines = np.where(distance < 0, size + before * distance, after * distance)
    found = discontinuity.jump(
        frame.assign(y=lines + 1e-6 * frame["noise"]), "y", "day", cutoff=cutoff, donut=donut
    )
    assert found.estimate == pytest.approx(size, abs=1e-5)
    assert found.n_obs == (100 if donut else 120)


@pytest.mark.parametrize("donut", [False, True])
def test_jump_equals_least_squares_by_hand(donut):
    frame = cases(400)
    near = frame[frame["day"].between(1, 6) & ~(donut & (frame["day"] == 3))]
    near = near.assign(within=(near["day"] <= 3) * 1, x=near["day"] - 3.5)
    fit = smf.ols("y ~ within * x + prior + C(severity)", near).fit(cov_type="HC3", use_t=True)
    found = discontinuity.jump(frame, "y", "day", covariates=COVARIATES, donut=donut)
    assert found.estimate == pytest.approx(fit.params["within"])
    assert [found.ci_low, found.ci_high] == pytest.approx(fit.conf_int().loc["within"].tolist())
    assert found.n_obs == len(near)
    assert found.method == "local line, 3 days on each side, HC3"


def test_rows_with_missing_values_are_left_out():
    frame = cases(400).astype({"severity": float})
    holes = frame.copy()
    holes.loc[3, "y"] = holes.loc[50, "day"] = holes.loc[77, "team"] = np.nan
    holes.loc[90, "prior"] = holes.loc[120, "severity"] = np.nan
    kept = frame.drop(index=[3, 50, 77, 90, 120])
    options = {"covariates": COVARIATES, "groups": "team"}
    found = discontinuity.jump(holes, "y", "day", **options)
    assert found == discontinuity.jump(kept, "y", "day", **options)
    assert found.method == "local line, 3 days on each side, jackknife by team (12 groups)"
    honest = discontinuity.honest_jump(holes, "y", "day", curvature=0.1, **options)
    assert honest == discontinuity.honest_jump(kept, "y", "day", curvature=0.1, **options)


@pytest.mark.parametrize(
    ("kept", "call", "sentence"),
    [
        ("day <= 3", {}, "after the cutoff there are 0 and 0"),
        ("day != 1 and day != 2", {}, "up to the cutoff there are 1 and 20"),
        ("day <= 3 or 115 <= index < 120 or day > 6", {}, "after the cutoff there are 1 and 5"),
        ("day >= 0", {"covariates": ["C(unknown)"]}, "up to the cutoff there are 1"),
    ],
)
def test_a_side_without_a_line_is_refused(kept, call, sentence):
    frame = spread_days().assign(unknown=lambda each: np.where(each["day"] < 3, None, "a"))
    with pytest.raises(ValueError, match=sentence):
        discontinuity.jump(frame.query(kept), "noise", "day", **call)


def test_parts_of_days_and_a_constant_outcome_are_refused():
    frame = spread_days().assign(half=lambda each: each["day"] + 0.5, same=1)
    with pytest.raises(ValueError, match="whole"):
        discontinuity.jump(frame, "noise", "half")
    with pytest.raises(ValueError, match='"same" is the same in every case'):
        discontinuity.jump(frame, "same", "day")


# --- honest intervals


def test_honest_interval_holds_the_jump_of_a_curve_where_the_plain_one_misses():
    frame = spread_days()
    distance = frame["day"] - 3.5
    bend = np.where(distance < 0, 0.1, -0.1) * distance**2 / 2
    frame["y"] = 0.3 * (distance < 0) + bend + 1e-3 * frame["noise"]
    plain = discontinuity.jump(frame, "y", "day")
    honest = discontinuity.honest_jump(frame, "y", "day", curvature=0.1)
    assert honest.estimate == plain.estimate
    assert not plain.ci_low <= 0.3 <= plain.ci_high
    assert honest.ci_low <= 0.3 <= honest.ci_high
    too_little = discontinuity.honest_jump(frame, "y", "day", curvature=0.08)
    assert not too_little.ci_low <= 0.3 <= too_little.ci_high


def largest_error(weights, distance, step=0.05):
    """Return the worst case of two curves bent by at most 1, by linear programming."""
    total = 0.0
    for side in (distance < 0, distance > 0):
        at = np.rint(np.abs(distance[side]) / step).astype(int)
        size = at.max() + 1
        cost = -np.bincount(at, weights[side], minlength=size)
        bends = (np.eye(size, k=1) - 2 * np.eye(size) + np.eye(size, k=-1))[1:-1] / step**2
        limits = np.concatenate([bends, -bends])
        flat = [(0, 0), (-(step**2) / 2, step**2 / 2)] + [(None, None)] * (size - 2)
        total -= optimize.linprog(cost, limits, np.ones(len(limits)), bounds=flat).fun
    return total


@pytest.mark.parametrize("seed", [2, 3, 5])
def test_worst_case_equals_linear_programming(seed):
    """With hardly any noise the interval is as wide as the largest error."""
    frame = cases(60, seed=seed)
    rows = frame[(frame["day"] - 3.5).abs() < 3]
    distance = rows["day"].to_numpy() - 3.5
    within = (distance < 0) * 1.0
    columns = [within, np.ones(len(rows)), distance, within * distance, rows["prior"]]
    weights = np.linalg.pinv(np.column_stack(columns))[0]
    frame["quiet"] = 1e-6 * frame["y"]
    found = discontinuity.honest_jump(frame, "quiet", "day", curvature=0.7, covariates=["prior"])
    expected = 0.7 * largest_error(weights, distance)
    assert found.ci_high == pytest.approx(expected, rel=0.01)
    assert found.ci_low == pytest.approx(-expected, rel=0.01)


def test_worst_case_of_weights_that_change_sign_equals_linear_programming():
    rng = np.random.default_rng(1)
    for _ in range(5):
        distance = np.repeat([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5], 2)
        weights = rng.normal(size=len(distance))
        found = _curvature.worst_bias(weights, distance)
        assert found == pytest.approx(largest_error(weights, distance), rel=0.02)


@properties
@given(st.floats(0, 20), st.floats(0.01, 10))
def test_half_width_is_a_quantile_of_the_folded_normal(ratio, se):
    found = _curvature.half_width(ratio * se, se, np.inf)
    assert found / se == pytest.approx(np.sqrt(stats.ncx2.ppf(0.95, 1, ratio**2 + 1e-12)), rel=1e-5)


@pytest.mark.parametrize(("ratio", "quantile"), [(0, 1.960), (0.5, 2.181), (1, 2.646), (2, 3.645)])
def test_half_width_equals_the_published_table(ratio, quantile):
    """Critical values of Armstrong and Kolesár (2020)."""
    assert _curvature.half_width(ratio, 1.0, np.inf) == pytest.approx(quantile, abs=6e-4)


@settings(properties, max_examples=10)
@given(st.integers(0, 1000), st.floats(0, 1), st.floats(0, 1))
def test_more_curvature_never_shortens_the_interval(seed, less, more):
    frame = cases(150, seed=seed)
    less, more = sorted([less, more])
    plain = discontinuity.jump(frame, "y", "day", covariates=["prior"])
    found = [
        discontinuity.honest_jump(frame, "y", "day", curvature=each, covariates=["prior"])
        for each in (0.0, less, more)
    ]
    widths = [each.ci_high - each.ci_low for each in found]
    assert widths[0] == pytest.approx(plain.ci_high - plain.ci_low)
    assert widths[0] <= widths[1] + 1e-9 <= widths[2] + 2e-9


# --- other days, and covariates


def test_placebos_use_one_side_of_the_real_cutoff():
    frame = spread_days()
    steps = 1.0 * (frame["day"] <= 3) + 0.5 * (frame["day"] <= 9)
    frame["y"] = steps + 0.01 * frame["noise"]
    found = discontinuity.placebos(frame, "y", "day", [0, 1, 2, 4, 5, 9, 11])
    assert found.index.tolist() == [1, 5, 9]
    assert found.columns.tolist() == ["estimate", "ci_low", "ci_high", "n_obs"]
    assert found["estimate"].tolist() == pytest.approx([0, 0, 0.5], abs=0.02)
    assert found["n_obs"].tolist() == [80, 100, 120]
    exact = discontinuity.jump(frame.query("day > 3"), "y", "day", cutoff=5)
    assert found.loc[5, "ci_low"] == exact.ci_low


def test_covariate_jumps_are_in_standard_deviations():
    frame = spread_days().assign(
        prior=lambda each: 20 * (each["day"] <= 3) + each["noise"],
        channel=lambda each: np.where(each["noise"] > 0, "phone", "web"),
        constant=1.0,
    )
    found = discontinuity.covariate_jumps(frame, ["prior", "channel", "constant"], "day")
    assert found.index.tolist() == ["prior", "channel_phone", "channel_web"]
    alone = discontinuity.jump(frame, "prior", "day")
    assert found.loc["prior", "estimate"] == pytest.approx(alone.estimate / frame["prior"].std())
    assert found.loc["channel_web", "estimate"] == pytest.approx(
        -found.loc["channel_phone", "estimate"]
    )


def test_hurried_easy_cases_show_as_a_jump_of_difficulty():
    found = discontinuity.covariate_jumps(cases(4000, pulled=0.5), ["difficulty", "prior"], "day")
    assert found.loc["difficulty", "ci_high"] < 0
    assert found.loc["prior", "ci_low"] < 0 < found.loc["prior", "ci_high"]


# --- bunching


def test_smooth_counts_are_expected_as_they_are():
    logs = np.log1p(np.arange(12))
    smooth = np.rint(1000 * np.exp(-0.3 + 1.2 * logs - 0.8 * logs**2)).astype(int)
    days = pd.Series(np.repeat(np.arange(13), [*smooth, 40]))
    found = bunching.bunching(days)
    assert found.table["count"].tolist() == [*smooth, 40]
    assert found.table["expected"].iloc[:12].to_numpy() == pytest.approx(smooth, rel=0.01, abs=1)
    assert np.isnan(found.table.loc[12, "expected"])
    assert found.p_value == pytest.approx(0.5, abs=0.1)
    more = bunching.bunching(pd.concat([days, pd.Series([3] * 150 + [99, None])]))
    assert more.excess == pytest.approx(found.excess + 150)
    assert more.p_value < 1e-4


def test_bunching_equals_a_poisson_regression_with_an_indicator():
    days = cases(800)["day"]
    counts = days[days < 12].value_counts().reindex(range(12), fill_value=0).sort_index()
    table = pd.DataFrame({"n": counts, "x": np.log1p(counts.index), "at": counts.index == 3})
    curve = "n ~ x + I(x**2) + I(x**3)"
    free, null = (smf.poisson(each, table).fit(disp=0) for each in (f"{curve} + at", curve))
    ratio = 2 * (free.llf - null.llf)
    p_value = stats.norm.sf(np.sign(free.params["at[T.True]"]) * np.sqrt(ratio))
    found = bunching.bunching(days)
    assert found.p_value == pytest.approx(p_value, rel=1e-4)
    assert found.table.loc[3, "count"] / found.table.loc[3, "expected"] == pytest.approx(
        np.exp(free.params["at[T.True]"]), rel=1e-4
    )


@pytest.mark.parametrize(
    ("days", "sentence"),
    [
        (np.arange(12), "50 cases on 6 different days; there are 12 on 12"),
        (np.arange(100) % 5, "there are 100 on 5"),
        (np.arange(100) % 12 + 0.5, "whole"),
    ],
)
def test_too_few_days_for_bunching_are_refused(days, sentence):
    with pytest.raises(ValueError, match=sentence):
        bunching.bunching(pd.Series(days))


@pytest.mark.slow
@pytest.mark.parametrize("n", [50, 300, 1500])
def test_bunching_raises_few_false_alarms_and_finds_hurried_cases(n):
    reps, rng = 200, np.random.default_rng(n)
    alarms = np.zeros(2)
    for _ in range(reps):
        days = pd.Series(np.floor(np.exp(1.05 + 0.65 * rng.normal(size=n))))
        alarms[0] += bunching.bunching(days).p_value < 0.05
        hurried = days.isin([4, 5]) & (rng.random(n) < 0.5)
        alarms[1] += bunching.bunching(days.mask(hurried, 3)).p_value < 0.05
    assert alarms[0] / reps < 0.05 + 3 * np.sqrt(0.05 * 0.95 / reps)
    assert alarms[1] / reps > {50: 0.35, 300: 0.95, 1500: 0.99}[n]


# --- coverage


@pytest.mark.slow
@pytest.mark.parametrize(
    ("jump", "bend", "pulled"), [(0.0, 0.0, 0.0), (0.3, 0.04, 0.0), (0.0, 0.0, 0.5)]
)
def test_coverage_at_300_cases(jump, bend, pulled):
    reps, hits = 60, np.zeros(3)
    for seed in range(reps):
        frame = cases(300, seed, jump, bend=bend, pulled=pulled)
        options = {"covariates": ["prior", "difficulty"]}
        plain = discontinuity.jump(frame, "y", "day", **options)
        honest = discontinuity.honest_jump(frame, "y", "day", curvature=0.04, **options)
        hits[:2] += [each.ci_low <= jump <= each.ci_high for each in (plain, honest)]
        means = frame.groupby(frame["day"] <= 3)["y"].agg(["mean", "sem"])
        naive = means.loc[True, "mean"] - means.loc[False, "mean"]
        hits[2] += abs(naive - jump) < 1.96 * np.hypot(*means["sem"])
    error = np.sqrt(0.05 * 0.95 / reps)
    assert hits[0] / reps > 0.95 - 3 * error
    assert hits[1] / reps > 0.95 - 2 * error
    assert hits[2] / reps < 0.6


@pytest.mark.parametrize("curvature", [-0.1, np.nan, np.inf])
def test_a_curvature_that_is_no_size_is_refused(curvature):
    with pytest.raises(ValueError, match="curvature must be a number of 0 or more"):
        discontinuity.honest_jump(pd.DataFrame(), "y", "days", curvature)


def test_an_infinite_outcome_is_called_by_its_name():
    frame = pd.DataFrame({"y": [1.0, np.inf] * 30, "days": list(range(6)) * 10})
    with pytest.raises(NotEstimable, match='"y" is infinite in 30 of 60 rows'):
        discontinuity.jump(frame, "y", "days")
