"""Styles of answering: correlations without them, and how large they can be."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.statistics.estimate import from_se
from analysis.statistics.measurement import relative_importance, response_style
from analysis.statistics.measurement.correlations import correlation_of

N_COVERAGE = 1000
properties = settings(max_examples=25)

ITEMS = ("a", "b", "c", "d")
SPREADS = np.array([1.0, 2.0, 0.5, 1.5])
OPINIONS = np.array([[1, 0.5, 0.3, 0.2], [0.5, 1, 0.4, 0], [0.3, 0.4, 1, 0.1], [0.2, 0, 0.1, 1]])
MIXES = {"gap": {"a": 1.0, "b": -1.0}, "c": {"c": 1.0}, "mean": {"a": 0.5, "d": 0.5}}


def styled(share, n=500, seed=0, exact=True):
    """Return ratings with a common style beside a column without, and the opinions behind them.

    `exact`: covariances in the sample are those planted, without sampling error.
    """
    latent = np.random.default_rng(seed).normal(size=(n, 6))
    if exact:
        latent -= latent.mean(axis=0)
        latent = latent @ np.linalg.inv(np.linalg.cholesky(np.cov(latent.T))).T
    opinions = latent[:, :4] @ np.linalg.cholesky(OPINIONS).T
    years = opinions @ [0.3, 0.2, 0, 0.1] + latent[:, 4]
    ratings = (np.sqrt(1 - share) * opinions + np.sqrt(share) * latent[:, [5]]) * SPREADS
    frames = [pd.DataFrame(each, columns=ITEMS) for each in (ratings, opinions * SPREADS)]
    return [each.assign(years=years) for each in frames]


def mixed(data, mixes):
    """Return what the mixes are, by hand."""
    return pd.DataFrame(
        {
            name: sum(weight * data[item] for item, weight in mix.items())
            for name, mix in mixes.items()
        }
    )


def without_style(frames, mixes, ratings, share):
    """Return correlations as observed, and without a style of this share."""
    covariance, strong = response_style._mixed(frames, mixes, ratings)
    cleaned = covariance - share * np.outer(strong, strong)
    return correlation_of(covariance), correlation_of(cleaned)


@properties
@given(st.floats(0, 0.8))
def test_without_the_style_correlations_are_those_of_the_opinions(share):
    ratings, opinions = styled(share)
    mixes = MIXES | {"years": {"years": 1.0}}
    observed, cleaned = without_style([ratings], mixes, ITEMS, share)
    assert observed == pytest.approx(mixed(ratings, mixes).corr().to_numpy())
    assert cleaned == pytest.approx(mixed(opinions, mixes).corr().to_numpy(), abs=1e-9)


def test_a_sample_gives_them_within_its_error():
    ratings, _ = styled(0.25, n=200_000, seed=1, exact=False)
    single = {name: {name: 1.0} for name in ITEMS}
    observed, cleaned = without_style([ratings], single, ITEMS, 0.25)
    assert np.abs(cleaned - OPINIONS).max() < 0.015
    assert np.abs(observed - (0.75 * OPINIONS + 0.25)).max() < 0.01


def test_columns_that_share_no_style_keep_their_correlation():
    ratings, _ = styled(0.3)
    mixes = {"a": {"a": 1.0}, "b": {"b": 1.0}, "years": {"years": 1.0}}
    observed, cleaned = without_style([ratings], mixes, ["a"], 0.3)
    assert cleaned[1, 2] == observed[1, 2] == pytest.approx(ratings["b"].corr(ratings["years"]))
    assert cleaned[0, 2] == pytest.approx(observed[0, 2] / np.sqrt(0.7))


def test_a_style_does_not_touch_a_difference_of_equally_spread_ratings():
    ratings, _ = styled(0.3)
    ratings = ratings / ratings.std()
    mixes = {"gap": {"a": 1.0, "b": -1.0}, "other": {"c": 1.0, "d": -1.0}}
    observed, cleaned = without_style([ratings], mixes, ITEMS, 0.3)
    assert cleaned == pytest.approx(observed)


def test_slope_shifts_are_what_the_style_adds_to_slopes():
    ratings, opinions = styled(0.2)
    mixes = {"gap": MIXES["gap"], "c": MIXES["c"], "years": {"years": 1.0}, "d": {"d": 1.0}}
    style = response_style.Style(0.2, 0.0, 0.2, 0.01)
    found = response_style.slope_shifts([ratings], mixes, ITEMS, style)
    slopes = []
    for data in (ratings, opinions):
        each = mixed(data, mixes)
        each = each / each.std()
        slopes.append(smf.ols("d ~ gap + c + years", each).fit().params[["gap", "c", "years"]])
    assert list(found.index) == ["gap", "c", "years"]
    assert found["share"].to_numpy() == pytest.approx((slopes[1] - slopes[0]).to_numpy(), abs=1e-9)
    assert found.loc["c", "share"] < -0.1
    assert found["low"].to_numpy() == pytest.approx(0, abs=1e-12)
    assert found["high"].to_numpy() == pytest.approx(found["share"].to_numpy())
    step = 1e-4
    near = [
        response_style.slope_shifts([ratings], mixes, ITEMS, replace(style, share=0.2 + side))
        for side in (-step, step)
    ]
    derivative = (near[1]["share"] - near[0]["share"]) / (2 * step)
    assert found["se"].to_numpy() == pytest.approx(abs(derivative.to_numpy()) * 0.01, rel=0.01)


def test_importance_shifts_are_what_the_style_adds_to_shares():
    ratings, opinions = styled(0.2)
    mixes = {name: {name: 1.0} for name in ITEMS}
    style = response_style.Style(0.2, 0.4, 0.3, 0.01)
    found = response_style.importance_shifts([ratings], mixes, ITEMS, style, ["a"], ["b", "c"])
    truth = []
    for data in (ratings, opinions):
        shares = relative_importance.lmg(data[list(ITEMS)].corr().to_numpy()[None])[0]
        truth.append((shares[0] - shares[1] - shares[2]) / shares.sum())
    assert found["share"] == pytest.approx(truth[1] - truth[0], abs=1e-9)
    assert found["low"] == pytest.approx(found["share"])  # half of 0.4
    assert abs(found["high"]) > abs(found["share"])


def test_several_imputations_count_alike():
    (one, _), (other, _) = styled(0.2), styled(0.2, seed=1)
    mixes = {name: {name: 1.0} for name in ITEMS}
    _, both = without_style([one, other, one, other], mixes, ITEMS, 0.2)
    mean = (one[list(ITEMS)].cov() + other[list(ITEMS)].cov()).to_numpy() / 2
    style = 0.2 * np.sqrt(np.outer(np.diag(mean), np.diag(mean)))
    spread = np.sqrt(np.diag(mean - style))
    assert both == pytest.approx((mean - style) / np.outer(spread, spread))


def test_taken_out_moves_an_effect_and_adds_the_error_of_the_style():
    effect = from_se(0.4, 0.03, 500, method="a model")
    shifts = pd.DataFrame({"share": -0.1, "low": 0.0, "high": -0.2, "se": 0.04}, index=["slope"])
    found, ends = response_style.taken_out({"slope": effect}, shifts.T)
    assert found["slope"].estimate == pytest.approx(0.3)
    assert found["slope"].se == pytest.approx(0.05)
    assert found["slope"].method == "a model"
    assert [each["slope"].estimate for each in ends] == pytest.approx([0.4, 0.2])
    assert [each["slope"].se for each in ends] == pytest.approx([0.03, 0.03])


# --- a style that is hardly known


def hardly_known(n=120, seed=2):
    """Return ratings of few customers and a style that may well be more than they can have."""
    ratings, _ = styled(0.2, n, seed, exact=False)
    return ratings, response_style.Style(0.2, 0.0, 0.6, 0.2)


def test_no_more_of_a_style_is_taken_out_than_answers_can_have():
    ratings, style = hardly_known()
    mixes = {name: {name: 1.0} for name in ITEMS}
    most = 1 / np.linalg.inv(ratings[list(ITEMS)].corr()).sum()
    assert most < style.high
    assert np.linalg.eigvalsh(ratings[list(ITEMS)].corr() - most).min() == pytest.approx(
        0, abs=1e-9
    )
    found = response_style.slope_shifts([ratings], mixes, ITEMS, style)
    at_most = replace(style, share=response_style.MOST * most, low=0.0, se=0.0)
    expected = response_style.slope_shifts([ratings], mixes, ITEMS, at_most)
    assert found["high"].to_numpy() == pytest.approx(expected["share"].to_numpy())


@pytest.mark.parametrize("seed", range(5))
def test_the_error_of_a_hardly_known_style_is_that_of_its_possible_shares(seed):
    ratings, style = hardly_known(seed=seed)
    mixes = {name: {name: 1.0} for name in ITEMS}
    pair = (["a", "b"], ["c"])
    most = response_style.MOST / np.linalg.inv(ratings[list(ITEMS)].corr()).sum()
    drawn = np.random.default_rng(seed).normal(style.share, style.se, 20_000)
    drawn = drawn[(drawn >= 0) & (drawn <= most)]
    cleaned = ratings[list(ITEMS)].corr().to_numpy() - drawn[:, None, None]
    cleaned = cleaned / (1 - drawn[:, None, None])
    cleaned[:, range(4), range(4)] = 1
    shares = relative_importance.lmg(cleaned)
    shares = shares @ [1, 1, -1] / shares.sum(axis=1)
    observed = relative_importance.lmg(ratings[list(ITEMS)].corr().to_numpy()[None])[0]
    observed = observed @ [1, 1, -1] / observed.sum()
    shift = response_style.importance_shifts([ratings], mixes, ITEMS, style, *pair)
    middle = observed + shift["share"]
    assert shift["se"] == pytest.approx(np.sqrt(((shares - middle) ** 2).mean()), rel=0.05)
    assert np.abs(observed + shift[["share", "low", "high"]]).max() <= 1


def test_near_no_style_its_error_is_the_derivatives():
    ratings, _ = styled(0.2)
    mixes = {name: {name: 1.0} for name in ITEMS}
    style = response_style.Style(0.0, 0.0, 0.02, 0.01)
    found = response_style.slope_shifts([ratings], mixes, ITEMS, style)
    near = response_style.slope_shifts([ratings], mixes, ITEMS, replace(style, share=1e-4, se=0))
    derivative = near["share"].abs() / 1e-4
    assert found["se"].to_numpy() == pytest.approx(derivative.to_numpy() * 0.01, rel=0.05)


@pytest.mark.parametrize("observed", [-0.95, 0.0, 0.57, 0.99])
@pytest.mark.parametrize("se", [0.01, 0.5, 3.0])
def test_a_difference_of_shares_stays_between_all_and_nothing(observed, se):
    effect = from_se(observed, 0.05, 135)
    shift = pd.Series({"share": -0.8, "low": 0.0, "high": -6.5, "se": se})
    found, ends = response_style.taken_out({"x": effect}, {"x": shift}, shares=["x"])
    for each in (found, *ends):
        assert -1 <= each["x"].ci_low < each["x"].estimate < each["x"].ci_high <= 1
    if (observed, se) == (0.57, 0.01):
        half = stats.norm.ppf(0.975) * np.hypot(0.05, 0.01)
        assert found["x"].ci_high - found["x"].ci_low == pytest.approx(2 * half, rel=0.01)


# --- how large a style can be

GOOD, BAD = ["good_1", "good_2", "good_3", "good_4"], ["bad_1", "bad_2", "bad_3", "bad_4"]


def balanced(share, n=500, seed=0, step=0.0):
    """Return expectation beside good and bad sides of a service, all with a style of that share.

    What is expected goes with good sides (0.3) and against bad ones (-0.3); `step` rounds.
    """
    rng = np.random.default_rng(seed)
    quality, wanted, style = rng.normal(size=(3, n, 1))
    wanted = 0.6 * quality + 0.8 * wanted
    signs = np.repeat([1, -1], 4)
    sides = 0.5 * signs * quality + np.sqrt(0.75) * rng.normal(size=(n, 8))
    answers = np.sqrt(1 - share) * np.hstack([wanted, sides]) + np.sqrt(share) * style
    if step:
        answers = np.clip(np.round(5.5 + answers / step), 1, 10)
    return pd.DataFrame(answers, columns=["expectation", *GOOD, *BAD])


def estimated(data):
    return response_style.estimated([data], "expectation", GOOD, BAD)


def test_the_style_of_many_customers_is_found():
    for share in (0.05, 0.2, 0.4):
        found = estimated(balanced(share, 100_000))
        assert found.share == pytest.approx(share, abs=0.01)
        assert found.low < share < found.high < share + 0.015
    assert estimated(balanced(0.2, 100_000, step=0.5)).share == pytest.approx(0.2, abs=0.01)


def test_without_a_style_it_is_near_nothing():
    found = estimated(balanced(0.0, 100_000))
    assert 0 <= found.low <= found.share <= found.high < 0.01


def test_the_style_is_the_mean_correlation_and_its_jackknife_error():
    data = balanced(0.2, 300, 1)
    means = []
    for rows in [data, *(data.drop(index=i) for i in range(300))]:
        means.append(np.corrcoef(rows.to_numpy().T)[0, 1:].mean())
    mean, left = means[0], np.array(means[1:])
    error = np.sqrt(299 / 300 * ((left - left.mean()) ** 2).sum())
    half = stats.norm.ppf(0.975) * error / (1 - mean**2)
    found = estimated(data)
    assert found.share == pytest.approx(mean)
    assert found.se == pytest.approx(error, rel=0.01)
    ends = np.tanh(np.arctanh(mean) + np.array([-half, half]))
    assert [found.low, found.high] == pytest.approx(ends, rel=0.01)


def test_the_style_is_never_negative():
    data = balanced(0.2, 2000)
    data["expectation"] = -data["expectation"]
    found = estimated(data)
    assert (found.share, found.low, found.high) == (0, 0, 0)
    assert found.se > 0


def test_what_is_assumed_is_no_style_and_up_to_a_fifth():
    assert response_style.Style(0.0, 0.0, 0.2, 0.0) == response_style.ASSUMED


@pytest.mark.slow
@pytest.mark.parametrize(("share", "step"), [(0.0, 0), (0.4, 0), (0.2, 0.5)])
def test_the_interval_covers_the_style_in_as_many_samples_as_it_says(share, step):
    truth = share
    if step:  # rounding and the ends of the scale take a little away
        big = balanced(share, 1_000_000, 7, step).corr()
        truth = big.loc["expectation", [*GOOD, *BAD]].mean()
    found = [estimated(balanced(share, 300, 100 + i, step)) for i in range(N_COVERAGE)]
    error = 3 * np.sqrt(0.975 * 0.025 / N_COVERAGE)
    assert abs(np.mean([each.high >= truth for each in found]) - 0.975) < error or truth == 0
    assert abs(np.mean([each.low <= truth for each in found]) - 0.975) < error or truth == 0
    if truth == 0:
        assert abs(np.mean([each.high > 0 for each in found]) - 0.975) < error


def test_sides_that_cannot_tell_a_style_are_refused():
    data = balanced(0.2)
    with pytest.raises(ValueError, match="4 good sides, but 3 bad ones"):
        response_style.estimated([data], "expectation", GOOD, BAD[1:])
    with pytest.raises(ValueError, match="bad_2 must vary"):
        estimated(data.assign(bad_2=7.0))


# --- a halo


def liked(strength, on_marker, n=100_000, seed=3):
    """Return expectation and eight sides, unrelated but for a halo of that share of a variance."""
    rng = np.random.default_rng(seed)
    halo, own = rng.normal(size=(n, 1)), rng.normal(size=(n, 9))
    loadings = np.sqrt(strength) * np.repeat([on_marker, 1.0, -1.0], [1, 4, 4])
    answers = np.sqrt(1 - loadings**2) * own + loadings * halo
    return pd.DataFrame(answers, columns=["expectation", *GOOD, *BAD])


@pytest.mark.parametrize("strength", [0.0, 0.1, 0.3])
def test_a_halo_half_as_strong_on_what_tells_it_is_found_whole(strength):
    found = response_style.halo([liked(strength, 0.5)], "expectation", GOOD, BAD)
    assert found.share == pytest.approx(strength, abs=0.01)
    assert abs(found.share - strength) < 3 * found.se + 1e-3
    same = response_style.halo([liked(strength, 1.0)], "expectation", GOOD, BAD)
    assert same.share == pytest.approx(2 * strength, abs=0.02)  # more than it is, never less


def test_a_style_of_answering_is_no_halo():
    assert response_style.halo([liked(0.0, 0.5) + 1], "expectation", GOOD, BAD).high < 0.02
    styled_too = balanced(0.3, 100_000)
    wanted = styled_too.assign(expectation=np.random.default_rng(1).normal(size=100_000))
    assert response_style.halo([wanted], "expectation", GOOD, BAD).high < 0.02


def test_without_a_halo_of_unequal_strength_correlations_are_those_of_the_opinions():
    data, strong = liked(0.3, 0.5), {"expectation": 0.5, "good_1": 1.0, "bad_1": -1.0}
    mixes = {name: {name: 1.0} for name in strong}
    observed, cleaned = without_style([data], mixes, strong, 0.3)
    assert observed[0, 1] == pytest.approx(0.15, abs=0.01)
    assert cleaned == pytest.approx(np.eye(3), abs=0.02)
