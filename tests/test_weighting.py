"""Weights of answers: against other implementations, closed forms and a sample whose rule is known.

Equal weights, whatever they are, must give what no weights give; and every weighted formula must
come to that as weights become equal.
"""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from analysis.claims import checks
from analysis.cohorts import service_works, survey
from analysis.statistics import weighting
from analysis.statistics.causal import discontinuity, sensitivity, treatment_effects
from analysis.statistics.estimate import Estimate, NotEstimable
from analysis.statistics.measurement import (
    net_promoter,
    relative_importance,
    response_style,
    scales,
)
from analysis.statistics.regression import models, specification_curve

N = 240
ITEMS = ["a", "b", "c"]


def answers(seed=1):
    """Return answers to three items of one scale, a treatment, a count, and weights."""
    rng = np.random.default_rng(seed)
    common, box = rng.normal(size=N), rng.integers(0, 2, N).astype(float)
    items = {name: np.clip(np.rint(6 + 2 * common + rng.normal(size=N)), 1, 10) for name in ITEMS}
    outcome = 0.5 * common + 0.4 * box + rng.normal(size=N) * (1 + 0.5 * np.abs(common))
    frame = pd.DataFrame(items).assign(
        x=common,
        box=box,
        y=outcome,
        count=rng.poisson(np.exp(0.5 + 0.3 * common + 0.2 * box)),
        rating=pd.cut(outcome, [-9, -1, 0, 1, 9], labels=False) + 1.0,
        group=rng.integers(0, 12, N).astype(str),
        days=rng.integers(0, 7, N).astype(float),
    )
    return frame.assign(weight=np.exp(0.7 * rng.normal(size=N)))


DATA = answers()
PLAIN = DATA.drop(columns="weight")


def twice(frame, counts):
    """Return a table in which each row stands as often as its weight says."""
    return frame.loc[frame.index.repeat(counts)].reset_index(drop=True)


# --- regressions


def test_least_squares_are_those_of_statsmodels_and_their_errors_its_hc3():
    fit = models.ols("y ~ x + box", DATA)
    x, weight = sm.add_constant(DATA[["x", "box"]]), DATA["weight"] / DATA["weight"].mean()
    other = sm.WLS(DATA["y"], x, weights=weight).fit(cov_type="HC3")
    np.testing.assert_allclose(fit.params, other.params, rtol=1e-9)
    np.testing.assert_allclose(fit.bse, other.bse, rtol=1e-9)
    assert fit.label == "weighted gaussian regression, HC3"
    kish = DATA["weight"].sum() ** 2 / (DATA["weight"] ** 2).sum()
    assert models.contrast(fit, "x").df == pytest.approx(kish - 3)


def test_errors_by_group_are_the_jackknife_that_leaves_one_group_out():
    fit = models.ols("y ~ x", DATA, "group")
    x = sm.add_constant(DATA[["x"]])

    def slope(rows):
        return sm.WLS(DATA["y"][rows], x[rows], weights=DATA["weight"][rows]).fit().params["x"]

    left_out = np.array([slope(DATA["group"] != each) for each in sorted(set(DATA["group"]))])
    full = slope(DATA["y"].notna())
    variance = (len(left_out) - 1) / len(left_out) * ((left_out - full) ** 2).sum()
    assert fit.bse["x"] ** 2 == pytest.approx(variance, rel=1e-9)


def test_a_ratio_of_weighted_means_has_the_linearised_error_in_closed_form():
    """The error of each mean, its residuals over 1 less their leverage, as a share of the mean."""
    found = models.contrast(models.poisson_rate("count ~ box", DATA), "box")
    means, variance = [], 0.0
    for _, rows in DATA.groupby("box"):
        y, w = rows["count"].to_numpy(float), rows["weight"].to_numpy()
        mean = np.average(y, weights=w)
        away = w * (y - mean) / (1 - w / w.sum())
        means.append(mean)
        variance += (away**2).sum() / (w.sum() * mean) ** 2
    assert found.estimate == pytest.approx(means[1] / means[0], rel=1e-9)
    assert found.se == pytest.approx(np.sqrt(variance), rel=1e-9)


def test_a_weighted_logit_is_that_of_statsmodels():
    fit = models.robust_glm("box ~ x", DATA, family="binomial")
    x, weight = sm.add_constant(DATA[["x"]]), DATA["weight"] / DATA["weight"].mean()
    binomial = sm.families.Binomial()
    other = sm.GLM(DATA["box"], x, family=binomial, var_weights=weight).fit()
    np.testing.assert_allclose(fit.params, other.params, rtol=1e-8)


def test_an_ordered_probit_with_whole_weights_is_that_of_repeated_rows():
    counts = np.random.default_rng(2).integers(1, 4, N)
    found = models.ordered("rating ~ x + box", PLAIN.assign(weight=counts * 0.7))
    repeated = models.ordered("rating ~ x + box", twice(PLAIN, counts))
    np.testing.assert_allclose(found.params, repeated.params, rtol=1e-6)


def test_the_error_of_an_ordered_probit_is_the_infinitesimal_jackknife():
    """What the slope gains by a little more weight of each answer, squared and added up."""
    rows = DATA.iloc[:40]
    found = models.ordered("rating ~ x", rows)
    moves = []
    for i in range(len(rows)):
        heavier = rows["weight"].to_numpy().copy()
        heavier[i] *= 1.001
        moves.append(models.ordered("rating ~ x", rows.assign(weight=heavier)).params["x"])
    influence = (np.array(moves) - found.params["x"]) / 0.001
    expected = np.sqrt(len(rows) / (len(rows) - 1) * (influence**2).sum())
    assert found.bse["x"] == pytest.approx(expected, rel=1e-2)


def test_weights_are_no_frequencies():
    """Repeating rows makes errors smaller; the same number as a weight of all does not."""
    one = models.ols("y ~ x", PLAIN).bse["x"]
    assert models.ols("y ~ x", PLAIN.assign(weight=4.0)).bse["x"] == pytest.approx(one, rel=1e-9)
    assert models.ols("y ~ x", twice(PLAIN, 4)).bse["x"] < 0.55 * one


# --- means, scales and scores


def test_means_by_group_have_linearised_errors():
    found = weighting.by_group(DATA, "box", "y")
    for name, rows in DATA.groupby("box"):
        w, y = rows["weight"].to_numpy(), rows["y"].to_numpy()
        mean = (w * y).sum() / w.sum()
        error = np.sqrt(len(y) / (len(y) - 1) * ((w * (y - mean)) ** 2).sum()) / w.sum()
        assert found.loc[name, ["mean", "sem", "size"]].tolist() == pytest.approx(
            [mean, error, len(y)]
        )


def test_the_effective_number_of_answers_is_kish_s():
    frame = pd.DataFrame({"weight": [1.0, 1.0, 2.0, 4.0]})
    assert weighting.size(frame) == pytest.approx(64 / 22)
    assert checks.at_least("customers", frame, 3).value == "4, by their weights as good as 3"
    assert not checks.at_least("customers", frame, 3).passed
    assert checks.at_least("customers", frame.assign(weight=5.0), 4).passed


def test_a_net_promoter_score_counts_answers_by_their_weights():
    """Promoter 3, passive 1, detractor 1 of 5; its variance is that of 5 x 2.2 / 3.92 answers."""
    found = net_promoter.net_promoter_score(pd.Series([9, 8, 2]), pd.Series([3.0, 1.0, 1.0]))
    assert found.estimate == pytest.approx(40)
    away = np.array([1, 0, -1]) - 0.4
    weight = np.array([3, 1, 1]) / (5 / 3)
    size = 3 * (weight @ away**2) / ((weight * away) ** 2).sum()
    more, less, total = size * 0.6 + 0.75, size * 0.2 + 0.75, size + 3
    middle = (more - less) / total
    half = 1.959964 * np.sqrt(((more + less) / total - middle**2) / total)
    assert found.ci_high == pytest.approx(100 * min(middle + half, 1), rel=1e-6)
    assert found.ci_low == pytest.approx(100 * (middle - half), rel=1e-6)


def test_whole_weights_give_the_estimates_of_repeated_rows():
    counts = np.random.default_rng(4).integers(1, 4, N)
    own, repeated = PLAIN.assign(weight=counts.astype(float)), twice(PLAIN, counts)
    n = len(repeated)

    def close(one, other):
        np.testing.assert_allclose(one, other, rtol=1e-8)

    first, second = (
        relative_importance.importance([each], ITEMS, "y", n_boot=50) for each in (own, repeated)
    )
    close(first.table["share"], second.table["share"])
    close(
        relative_importance.performance_map(own, ITEMS, "y"),
        relative_importance.performance_map(repeated, ITEMS, "y"),
    )
    for function in (scales.alpha, scales.omega):
        one, other = (function(each[[*ITEMS, *extra]], n_boot=99)
                      for each, extra in ((own, ["weight"]), (repeated, [])))  # fmt: skip
        close(one.estimate, other.estimate)
    items, described = (
        scales.item_table(each[[*ITEMS, *extra]], 1, 10)
        for each, extra in ((own, ["weight"]), (repeated, []))
    )
    close(items[["mean", "ceiling_share", "item_total"]],
          described[["mean", "ceiling_share", "item_total"]])  # fmt: skip
    close(weighting.spreads(own, ITEMS) * np.sqrt((N - 1) / N),
          weighting.spreads(repeated, ITEMS) * np.sqrt((n - 1) / n))  # fmt: skip
    close(weighting.correlation(own, "a", "b"), repeated["a"].corr(repeated["b"]))
    close(weighting.quantile(own, "y", 0.5), repeated["y"].quantile(0.5, "lower"))
    style, other = (response_style.estimated([each], "a", ["b"], ["x"]) for each in (own, repeated))
    close(style.share, other.share)


def test_thirds_stand_for_a_third_of_the_customers_each():
    group = survey.thirds(DATA["y"], 1, weighting.of(DATA))
    shares = DATA["weight"].groupby(group).sum() / DATA["weight"].sum()
    assert shares.to_numpy() == pytest.approx(np.full(3, 1 / 3), abs=0.02)
    assert DATA["y"][group == "dissatisfied"].max() <= DATA["y"][group == "middle"].min()


def test_stations_count_once_and_their_means_by_weight():
    rows = pd.DataFrame(
        {
            "station_id": ["s"] * 6,
            "wave": [1] * 3 + [2] * 3,
            "satisfaction": [2.0, 5, 8, 4, 7, 10],
            "works_quality": 5.0,
            "works_communication": [1.0, 2, 3, 6, 7, 8],
            "weight": [1.0, 1, 4, 1, 1, 2],
        }
    )
    found = service_works.station_changes(rows).loc["s"]
    assert found["satisfaction"] == pytest.approx((4 + 7 + 20) / 4 - (2 + 5 + 32) / 6)
    assert found["communication"] == pytest.approx((6 + 7 + 16) / 4 - (1 + 2 + 12) / 6)


# --- equal weights


def everything(frame):
    """Return what every weighted formula says of a table, as numbers."""
    weight = weighting.of(frame)
    style = response_style.estimated([frame], "a", ["b"], ["x"])
    effect = models.contrast(models.ols("y ~ box + x", frame), "box")
    hidden = sensitivity.confounding(effect, frame, "y", "box", ["x"])
    rate = models.contrast(models.poisson_rate("count ~ box + x", frame), "box")
    ratio = sensitivity.confounding(rate, frame, "count", "box", ["x"])
    covariates = frame[["x"]]
    found = {
        "means": weighting.means(frame, ITEMS),
        "spreads": weighting.spreads(frame, ITEMS),
        "by group": weighting.by_group(frame, "box", "y"),
        "z": survey.standardised(frame, ITEMS)["z_a"],
        "ols": effect,
        "by station": models.contrast(models.ols("y ~ x", frame, "group"), "x"),
        "rate": rate,
        "logit": models.contrast(models.robust_glm("box ~ x", frame, family="binomial"), "x"),
        "unseen": models.cross_validated({"one": "y ~ x"}, frame, 1),
        "jump": discontinuity.jump(frame, "y", "days"),
        "aipw": treatment_effects.aipw(frame["y"], frame["box"], covariates, weight=weight).effect,
        "hidden": hidden.lower,
        "hidden ratio": ratio.upper,
        "importance": relative_importance.importance([frame], ITEMS, "y", n_boot=50).table,
        "map": relative_importance.performance_map(frame, ITEMS, "y"),
        "alpha": scales.alpha(frame[[*ITEMS, *(["weight"] if "weight" in frame else [])]]),
        "omega": scales.omega(frame[[*ITEMS, *(["weight"] if "weight" in frame else [])]]),
        "nps": net_promoter.net_promoter_score(frame["a"], frame.get("weight")),
        "style": pd.Series(vars(style)),
        "slopes": response_style.slope_shifts(
            [frame], {"a": {"a": 1.0}, "y": {"y": 1.0}}, ["a", "y"], style
        ),
        "collinear": float(checks.not_collinear(frame, ITEMS).value),
    }
    return {
        name: [each.estimate, each.ci_low, each.ci_high] if isinstance(each, Estimate) else each
        for name, each in found.items()
    }


PLAINLY = everything(PLAIN)


@pytest.mark.parametrize("known", [0, 1])
def test_a_question_that_few_or_none_answered_has_what_it_has_without_weights(known):
    rows = DATA.assign(y=DATA["y"].where(DATA.index < known).astype("Float64"))
    plain = rows.drop(columns="weight")
    for function in (weighting.means, weighting.spreads):
        pd.testing.assert_series_equal(
            function(rows, ["x", "y"]).isna(), function(plain, ["x", "y"]).isna()
        )
    assert weighting.means(rows, ["y"]).isna().all() == (known == 0)
    assert weighting.by_group(rows, "box", "y")["mean"].count() == known
    assert np.isnan(weighting.average(rows["x"].where(rows["x"].isna()), rows))


def test_known_values_that_all_have_the_weight_0_have_no_mean():
    rows = pd.DataFrame({"y": [1.0, 2.0, None], "box": 1, "weight": [0.0, 0.0, 1.0]})
    assert np.isnan(weighting.average(rows["y"], rows))
    assert weighting.by_group(rows, "box", "y")[["mean", "sem", "var"]].isna().all(axis=None)


def test_rows_of_weight_zero_change_no_spread():
    """Of 1, 2, 4 with weights 1, 2, 3 the variance is 53/36 times 3/2, and its mean is 17/6."""
    rows = pd.DataFrame({"y": [1.0, 2.0, 4.0, 99.0], "g": "a", "weight": [1.0, 2.0, 3.0, 0.0]})
    mean, variance = 17 / 6, 53 / 36 * 3 / 2
    error = np.sqrt(1.5 * ((1 * (1 - mean)) ** 2 + (2 * (2 - mean)) ** 2 + (3 * (4 - mean)) ** 2))
    assert weighting.spread(rows["y"], rows) == pytest.approx(np.sqrt(variance))
    assert weighting.covariance(rows, ["y"]).to_numpy() == pytest.approx(variance)
    found = weighting.by_group(rows, "g", "y").loc["a"]
    assert found[["mean", "sem", "var"]].tolist() == pytest.approx([mean, error / 6, variance])


def test_values_meet_the_weights_of_their_own_rows():
    rows = pd.DataFrame({"y": [1.0, 2.0, 4.0], "weight": [1.0, 1.0, 8.0]}, index=list("abc"))
    turned = rows["y"][::-1]
    assert weighting.average(turned, rows) == pytest.approx(3.5)
    assert weighting.spread(turned, rows) == pytest.approx(weighting.spread(rows["y"], rows))
    assert weighting.shares(turned, rows)[4.0] == pytest.approx(0.8)
    for function in (weighting.average, weighting.spread, weighting.shares):
        with pytest.raises(ValueError, match="same labels"):
            function(turned.set_axis([0, 1, 2]), rows)


@pytest.mark.parametrize("weight", [1.0, 0.003, 12_345.6])
def test_equal_weights_change_nothing(weight):
    for name, each in everything(PLAIN.assign(weight=weight)).items():
        np.testing.assert_allclose(each, PLAINLY[name], rtol=1e-9, atol=1e-12, err_msg=name)
    ordered = [models.ordered("rating ~ x", each) for each in (PLAIN, PLAIN.assign(weight=weight))]
    np.testing.assert_array_equal(ordered[0].bse, ordered[1].bse)


def test_weights_that_become_equal_come_to_the_same():
    """So that the weighted formulas themselves are right there, and not only their way round."""
    nearly = 1 + 1e-9 * np.random.default_rng(5).normal(size=N)
    for name, each in everything(PLAIN.assign(weight=nearly)).items():
        np.testing.assert_allclose(each, PLAINLY[name], rtol=1e-6, atol=1e-8, err_msg=name)


def test_a_specification_curve_tries_equal_weights_too():
    found = specification_curve.curve(
        "y ~ x", "x", DATA, samples={"all": DATA, "half": DATA.iloc[: N // 2]}
    )
    assert found[["survey weights", "equal weights"]].sum().tolist() == [2, 2]
    assert len(specification_curve.curve("y ~ x", "x", PLAIN)) == 1
    plain = found[found["equal weights"] & found["all"]]["estimate"].item()
    assert plain == pytest.approx(models.ols("y ~ x", PLAIN).params["x"])


# --- a sample whose rule is known


def test_in_an_informative_sample_weights_cover_what_equal_ones_miss():
    """The outcome decides who answers: a line through the answers is too flat, weights mend it.

    Of 40 samples of about 1,000 from y = 0.5 x + noise, drawn with odds of exp(0.8 y).
    """
    rng = np.random.default_rng(11)
    held = {"weighted": 0, "equal": 0, "mean": 0}
    for _ in range(40):
        x = rng.normal(size=2_000)
        y = 0.5 * x + rng.normal(size=2_000)
        chance = 1 / (1 + np.exp(-0.8 * y))
        rows = pd.DataFrame({"x": x, "y": y, "weight": 1 / chance})[rng.random(2_000) < chance]
        for name, each in (("weighted", rows), ("equal", rows.drop(columns="weight"))):
            slope = models.contrast(models.ols("y ~ x", each), "x")
            held[name] += slope.ci_low <= 0.5 <= slope.ci_high
        mean = models.contrast(models.ols("y ~ 1", rows), "Intercept")
        held["mean"] += mean.ci_low <= 0 <= mean.ci_high
    assert held["weighted"] >= 35, held
    assert held["mean"] >= 35, held
    assert held["equal"] <= 28, held


# --- mistakes


@pytest.mark.parametrize("weight", [[1.0, -1, 1], [1.0, np.inf, 1], [1.0, np.nan, 1], [0.0, 0, 0]])
def test_weights_that_can_not_be_are_refused(weight):
    with pytest.raises(ValueError, match='"weight" must be a number of 0 or more in every row'):
        weighting.of(pd.DataFrame({"weight": weight}))


def test_no_weights_are_no_mistake():
    assert weighting.of(pd.DataFrame({"weight": [np.nan, np.nan]})) is None
    assert weighting.of(pd.DataFrame({"a": [1]})) is None


def test_answers_of_weight_zero_are_no_events_and_no_rows():
    """All events of a group had weight 0: the odds ratio was 6e-11 [4e-11, 9e-11]."""
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"g": rng.integers(0, 2, 300), "b": rng.random(300) < 0.3})
    rows["weight"] = np.where((rows["g"] == 1) & rows["b"], 0.0, 1.0)
    for family in ("binomial", "poisson"):
        with pytest.raises(NotEstimable, match='with "g", 0 have "b" above 0'):
            models.robust_glm("b ~ g", rows, family=family)
    frame = answers().assign(weight=np.where(np.arange(N) < 40, 0.0, 1.0))
    kept = frame.iloc[40:].drop(columns="weight")
    for fit in (models.ols, models.ordered):
        assert models.contrast(fit("rating ~ x + box", frame), "x") == models.contrast(
            fit("rating ~ x + box", kept), "x"
        )
    effect = models.contrast(models.ols("y ~ box + x", kept), "box")
    assert sensitivity.confounding(effect, frame, "y", "box", ["x"]) == sensitivity.confounding(
        effect, kept, "y", "box", ["x"]
    )


def test_what_no_weighted_answer_says_is_missing():
    rows = pd.DataFrame({"x": [1.0, 2.0, np.nan], "y": np.nan, "weight": [0.0, 0.0, 3.0]})
    assert weighting.means(rows, ["x", "y"]).isna().all()
    assert weighting.spreads(rows.assign(weight=[1.0, 2.0, 3.0]), ["y"]).isna().all()
    one = rows.assign(x=[1.0, np.nan, np.nan], weight=[1.0, 2.0, 3.0])
    assert np.isnan(weighting.spread(one["x"], one))


def test_few_heavy_answers_widen_the_interval_of_an_ordered_model():
    """15 of 300 answers have 20 times the weight: about two degrees of freedom, not normal."""
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"x": rng.normal(size=300)})
    rows["rating"] = pd.cut(rows["x"] * 0.3 + rng.normal(size=300), [-9, -0.5, 0.5, 9]).cat.codes
    rows["weight"] = np.where(np.arange(300) < 15, 20.0, 1.0)
    found = models.contrast(models.ordered("rating ~ x", rows), "x")
    assert 1 <= found.df < 10
