"""Hidden causes and styles of answering: constructed ones, planted truths, published values."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.statistics.causal import sensitivity
from analysis.statistics.estimate import Estimate, NotEstimable, from_se, moved
from analysis.statistics.regression import models

properties = settings(max_examples=25)


# --- a hidden cause as strong as a control


def survey(n=200, seed=0, sign=1):
    """Return an outcome, a treatment and three controls, of which `strong` confounds most."""
    rng = np.random.default_rng(seed)
    strong, weak = rng.normal(size=(2, n))
    segment = rng.choice(["private", "taxi", "van"], n)
    treated = 0.5 * strong + 0.1 * weak + 0.2 * (segment == "taxi") + rng.normal(size=n)
    y = 0.4 * treated + sign * 0.5 * strong + 0.1 * weak + rng.normal(size=n)
    return pd.DataFrame(
        {"y": y, "treated": treated, "strong": strong, "weak": weak, "segment": segment}
    )


def least_squares(formula, data, name="treated"):
    """Return a coefficient with its classical error, by statsmodels."""
    fit = smf.ols(formula, data).fit()
    return from_se(fit.params[name], fit.bse[name], len(data), df=fit.df_resid)


def twin(data, name, others, seed=99):
    """Return a variable that nothing measured tells from a control, but orthogonal to it.

    Of what the other controls leave, it has the control's length and the control's products
    with treatment and outcome; so it explains as much of either as the control does.
    """
    left = {
        each: smf.ols(f"{each} ~ {others}", data).fit().resid.to_numpy()
        for each in (name, "treated", "y")
    }
    known = np.column_stack(list(left.values()))
    wanted = known.T @ left[name] * [0, 1, 1]
    inside = known @ np.linalg.solve(known.T @ known, wanted)
    noise = np.random.default_rng(seed).normal(size=len(data))
    rest = smf.ols(f"noise ~ {others} + {name} + treated + y", data.assign(noise=noise)).fit().resid
    length = left[name] @ left[name] - inside @ inside
    return inside + rest.to_numpy() * np.sqrt(length / (rest @ rest))


@pytest.mark.parametrize(("sign", "side"), [(1, "lower"), (-1, "upper")])
def test_the_bound_is_the_regression_with_a_hidden_twin_of_the_control(sign, side):
    data = survey(sign=sign)
    controls = "strong + weak + segment"
    effect = least_squares(f"y ~ treated + {controls}", data)
    found = sensitivity.confounding(effect, data, "y", "treated", controls.split(" + "))
    data["hidden"] = twin(data, "strong", "weak + segment")
    expected = least_squares(f"y ~ treated + {controls} + hidden", data)
    bound = getattr(found, side)
    assert found.benchmark == "strong"
    assert abs(expected.estimate - effect.estimate) > 0.1
    assert bound.estimate == pytest.approx(expected.estimate, rel=1e-9)
    assert expected.se < effect.se  # held equal it would take noise out, but it is hidden
    assert bound.se == pytest.approx(effect.se, rel=1e-9)
    middle = (found.lower.estimate + found.upper.estimate) / 2
    assert middle == pytest.approx(effect.estimate)


def test_a_twin_that_takes_out_no_noise_makes_the_interval_wider():
    """It explains a good part of the treatment and hardly anything of the outcome."""
    data = survey()
    data["y"] = 0.4 * data["treated"] + 0.1 * data["weak"] + np.sin(np.arange(200) * 7.0)
    effect = least_squares("y ~ treated + strong + weak", data)
    found = sensitivity.confounding(effect, data, "y", "treated", ["strong", "weak"], ["strong"])
    data["hidden"] = twin(data, "strong", "weak")
    expected = least_squares("y ~ treated + strong + weak + hidden", data)
    assert expected.se > 1.05 * effect.se
    assert found.lower.se == pytest.approx(expected.se, rel=1e-9)
    ends = (found.lower.estimate, found.upper.estimate)
    assert min(abs(end - expected.estimate) for end in ends) < 1e-9


@properties
@given(st.integers(0, 10_000), st.floats(0, 3), st.floats(0, 3))
def test_a_hidden_cause_never_makes_an_interval_narrower(seed, on_treatment, on_outcome):
    rng = np.random.default_rng(seed)
    x, z, d, y = rng.normal(size=(4, 60))
    d, y = d + on_treatment * x + z, y + on_outcome * x
    data = pd.DataFrame({"y": y, "treated": d, "x": x, "z": z})
    effect = models.contrast(models.ols("y ~ treated + x + z", data), "treated")
    found = sensitivity.confounding(effect, data, "y", "treated", ["x", "z"])
    for bound in (found.lower, found.upper):
        assert bound.se >= effect.se * (1 - 1e-9)
    assert found.lower.ci_low <= effect.ci_low
    assert effect.ci_high <= found.upper.ci_high


def test_the_benchmark_is_the_one_whose_end_is_furthest_out():
    """`biased` moves the estimate more, but `wide` makes the interval so wide that it goes on."""
    rng = np.random.default_rng(5)
    n = 40
    wide, biased, noise, d, y = rng.normal(size=(5, n))
    basis = np.linalg.qr(np.column_stack([np.ones(n), wide, biased, d, y, noise]))[0] * np.sqrt(n)
    wide, biased, d, y = basis[:, 1:5].T
    d = d + 0.82 * wide + 0.2 * biased
    y = y + 0.35 * biased + 0.02 * wide
    data = pd.DataFrame({"y": y, "treated": d, "wide": wide, "biased": biased})
    effect = least_squares("y ~ treated + wide + biased", data)
    each = {
        name: sensitivity.confounding(effect, data, "y", "treated", ["wide", "biased"], [name])
        for name in ("wide", "biased")
    }
    assert each["biased"].lower.estimate < each["wide"].lower.estimate
    assert each["wide"].lower.ci_low < each["biased"].lower.ci_low
    assert each["biased"].upper.ci_high < each["wide"].upper.ci_high
    found = sensitivity.confounding(effect, data, "y", "treated", ["wide", "biased"])
    assert found == each["wide"]


def test_a_ratio_is_moved_by_as_much_as_a_hidden_cause_makes_it_wrong():
    """A Poisson regression without one of two equally strong causes, against the one with both."""
    rng = np.random.default_rng(11)
    n = 40_000
    seen, hidden = rng.normal(size=(2, n))
    treated = (0.6 * seen + 0.6 * hidden + rng.normal(size=n) > 0).astype(float)
    visits = rng.poisson(np.exp(0.5 + 0.2 * treated + 0.25 * seen + 0.25 * hidden))
    data = pd.DataFrame({"visits": visits, "treated": treated, "seen": seen, "hidden": hidden})
    ratio, right = (
        models.contrast(models.poisson_rate(f"visits ~ treated + {names}", data), "treated")
        for names in ("seen", "seen + hidden")
    )
    found = sensitivity.confounding(ratio, data, "visits", "treated", ["seen"])
    assert right.estimate == pytest.approx(np.exp(0.2), abs=0.03)
    assert ratio.estimate > np.exp(0.35)
    assert found.lower.estimate == pytest.approx(right.estimate, abs=0.04)
    assert np.log(found.upper.estimate * found.lower.estimate) == pytest.approx(
        2 * np.log(ratio.estimate)
    )
    assert (found.lower.scale, found.lower.n_obs) == ("log", n)
    assert found.lower.se >= ratio.se


def test_a_ratio_with_nothing_to_compare_with_can_be_anything_above_nothing():
    data = survey().assign(y=lambda rows: rows["y"] - rows["y"].min() + 1)
    ratio = models.contrast(models.poisson_rate("y ~ treated", data), "treated")
    found = sensitivity.confounding(ratio, data, "y", "treated", [])
    assert (found.lower.ci_low, found.lower.ci_high) == (0.0, np.inf)


def test_both_ways_are_all_parts_against_the_claim_and_for_it():
    data = survey()
    effect = least_squares("y ~ treated + strong", data)
    one = sensitivity.confounding(effect, data, "y", "treated", ["strong"])
    other = sensitivity.confounding(effect, data, "y", "treated", [])
    assert sensitivity.both_ways({"a": one, "b": other}) == [
        {"a": one.lower, "b": other.lower},
        {"a": one.upper, "b": other.upper},
    ]


def test_a_treatment_that_the_controls_determine_is_refused():
    data = survey(30)
    data["same"] = data["treated"]
    effect = least_squares("y ~ treated", data)
    with pytest.raises(NotEstimable, match="30 rows are too few to tell"):
        sensitivity.confounding(effect, data, "y", "treated", ["same"])


def test_the_twin_is_as_strong_as_the_control():
    """The construction above, checked on its own: shares explained, and no overlap."""
    data = survey()
    data["hidden"] = twin(data, "strong", "weak + segment")
    assert data["hidden"] @ data["strong"] == pytest.approx(0, abs=1e-9)
    for outcome, given_too in (("treated", "weak + segment"), ("y", "treated + weak + segment")):
        t = [
            smf.ols(f"{outcome} ~ {name} + {given_too}", data).fit().tvalues[name]
            for name in ("strong", "hidden")
        ]
        assert t[0] == pytest.approx(t[1])


def test_robustness_is_that_of_the_coefficient():
    data = survey()
    fit = smf.ols("y ~ treated + strong", data).fit()
    effect = models.contrast(models.ols("y ~ treated + strong", data), "treated")
    found = sensitivity.confounding(effect, data, "y", "treated", ["strong"])
    f2 = fit.tvalues["treated"] ** 2 / fit.df_resid
    assert found.robustness == pytest.approx((np.sqrt(f2**2 + 4 * f2) - f2) / 2)


def test_a_robust_error_is_kept_and_only_scaled():
    data = survey()
    classical = least_squares("y ~ treated + strong", data)
    robust = models.contrast(models.ols("y ~ treated + strong", data), "treated")
    one, other = (
        sensitivity.confounding(effect, data, "y", "treated", ["strong"]).lower
        for effect in (classical, robust)
    )
    assert one.estimate == pytest.approx(other.estimate)
    assert other.se / one.se == pytest.approx(robust.se / classical.se)
    assert (other.n_obs, other.df, other.method) == (200, 197, robust.method)


def test_a_control_of_several_columns_counts_as_one():
    data = survey()
    effect = least_squares("y ~ treated + segment", data)
    found = sensitivity.confounding(effect, data, "y", "treated", ["segment"])
    without, both = (smf.ols(f"treated ~ {x}", data).fit().ssr for x in ("1", "segment"))
    of_treatment = 1 - both / without
    without, both = (smf.ols(f"y ~ treated{x}", data).fit().ssr for x in ("", " + segment"))
    of_outcome = 1 - both / without
    odds = of_treatment / (1 - of_treatment)
    hidden = ((1 + odds) ** 2 / (1 - odds**2)) * of_outcome / (1 - of_outcome)
    bias = effect.se * np.sqrt(effect.df * hidden * odds / (1 - odds))
    assert found.benchmark == "segment"
    assert found.with_shares == f"segment: {odds:.1%} and {hidden:.1%}"
    assert effect.estimate - found.lower.estimate == pytest.approx(bias)


def test_a_benchmark_is_named_without_the_formula_around_it():
    data = survey()
    effect = least_squares("y ~ treated + segment", data)
    terms, together = ["C(segment)", "strong"], ["C(segment)", "strong"]
    found = sensitivity.confounding(effect, data, "y", "treated", terms[:1])
    assert found.benchmark == found.in_words == "segment"
    both = sensitivity.confounding(effect, data, "y", "treated", terms, together=together)
    assert both.benchmark == "segment and strong"


def test_too_few_rows_are_said_in_words():
    data = pd.DataFrame({"y": [1.0, 2, 4], "z_log_value": [1.0, 3, 2], "x": [1.0, 2, 0]})
    effect = from_se(0.0, 1.0, 3)
    with pytest.raises(NotEstimable, match="3 rows are too few to tell what customers brought"):
        sensitivity.confounding(effect, data, "y", "z_log_value", ["x"])


def test_benchmarks_limit_whose_strength_is_borrowed():
    data = survey()
    controls = ["strong", "weak", "I(weak**2)"]
    effect = least_squares("y ~ treated + strong + weak + I(weak**2)", data)
    everything = sensitivity.confounding(effect, data, "y", "treated", controls)
    only = sensitivity.confounding(effect, data, "y", "treated", controls, ["weak"])
    assert (everything.benchmark, only.benchmark) == ("strong", "weak")
    assert everything.lower.estimate < only.lower.estimate < effect.estimate


def test_rows_with_missing_values_do_not_count():
    data = survey()
    holes = pd.concat([data, data.head(20).assign(weak=np.nan), data.head(9).assign(y=np.nan)])
    effect = least_squares("y ~ treated + strong + weak", data)
    calls = [(effect, each, "y", "treated", ["strong", "weak"]) for each in (data, holes)]
    assert sensitivity.confounding(*calls[0]) == sensitivity.confounding(*calls[1])


def test_with_nothing_to_compare_with_anything_is_possible():
    data = survey()
    effect = least_squares("y ~ treated", data)
    found = sensitivity.confounding(effect, data, "y", "treated", [])
    assert found.benchmark == "none was recorded"
    assert (found.lower.ci_low, found.lower.ci_high) == (-np.inf, np.inf)
    assert found.robustness > 0


@pytest.mark.parametrize(
    ("name", "words"),
    [("C(segment)", "segment"), ("log_tenure", "tenure"), ("log_visits", "visits before"),
     ("z_satisfaction", "satisfaction"), ("none was recorded", "none was recorded"),
     ("log_visits and log_fuel", "visits before and fuel sales before")],
)  # fmt: skip
def test_a_benchmark_is_said_in_words(name, words):
    effect = from_se(0.0, 1.0, 9)
    assert sensitivity.Confounding(name, 0.1, effect, effect).in_words == words


def test_controls_that_say_the_same_are_one_benchmark_together():
    """Two noisy measures of one cause: weak given each other, together they are the cause."""
    rng = np.random.default_rng(3)
    n = 5_000
    cause, one, other = rng.normal(size=(3, n)) * [[1.0], [0.2], [0.2]]
    treated = 0.5 * cause + rng.normal(size=n)
    data = pd.DataFrame({"treated": treated, "y": 0.5 * cause + rng.normal(size=n)})
    data = data.assign(one=cause + one, other=cause + other, cause=cause)
    controls = ["one", "other"]
    effect = least_squares("y ~ treated + one + other", data)
    alone = sensitivity.confounding(effect, data, "y", "treated", controls)
    both = sensitivity.confounding(effect, data, "y", "treated", controls, together=controls)
    single = least_squares("y ~ treated + cause", data)
    wanted = sensitivity.confounding(single, data, "y", "treated", ["cause"])
    assert both.benchmark == "one and other"
    moved, right, little = (
        each.upper.estimate - each.lower.estimate for each in (both, wanted, alone)
    )
    assert moved == pytest.approx(right, rel=0.1)
    assert little < 0.7 * moved
    partly = sensitivity.strongest(effect, data, "y", "treated", controls, [], controls)
    assert partly == both


# --- an effect that is moved


def test_shifted_moves_the_interval_with_the_estimate():
    effect = from_se(0.3, 0.1, 50, df=47, method="HC3")
    found = moved(effect, -0.12)
    assert found.estimate == pytest.approx(0.18)
    assert [found.ci_low, found.ci_high] == pytest.approx(
        [effect.ci_low - 0.12, effect.ci_high - 0.12]
    )
    assert (found.n_obs, found.df, found.method) == (50, 47, "HC3")


@properties
@given(st.floats(0.05, 20), st.floats(-2, 2))
def test_a_ratio_is_shifted_on_the_log_scale(ratio, shift):
    effect = from_se(ratio, 0.1, 900, scale="log")
    found = moved(effect, shift)
    ends = [effect.estimate, effect.ci_low, effect.ci_high]
    expected = pytest.approx(np.exp(shift) * np.array(ends))
    assert [found.estimate, found.ci_low, found.ci_high] == expected
    assert (found.se, found.scale) == (pytest.approx(0.1), "log")


# --- published and closed forms


def test_robustness_values_of_the_published_example():
    """Darfur, directly harmed: Cinelli & Hazlett (2020), table 1."""
    t, df = 4.18445, 783
    assert sensitivity.robustness_value(t, df) == pytest.approx(0.1388, abs=5e-5)


@pytest.mark.parametrize(("t", "df"), [(4.2, 783), (2.5, 40), (-9.0, 200), (20.0, 5)])
def test_a_confounder_of_that_strength_just_undoes_the_coefficient(t, df):
    """The lowest t that a confounder within the value can leave, over all its strengths."""
    value = sensitivity.robustness_value(t, df)
    strengths = np.linspace(0, value, 801)
    outcome, treatment = np.meshgrid(strengths, strengths)
    bias = np.sqrt(df) * np.sqrt(outcome * treatment / (1 - treatment))
    error = np.sqrt((1 - outcome) / (1 - treatment) * df / (df - 1))
    left = (abs(t) - bias) / error
    assert left.min() == pytest.approx(0, abs=1e-6)


def test_robustness_value_of_what_is_not_significant_is_zero():
    assert sensitivity.robustness_value(0, 100) == 0


def test_e_values_of_the_published_example():
    """VanderWeele & Ding (2017): risk ratio 3.9, lower end 1.8."""
    assert sensitivity.e_value(3.9) == pytest.approx(7.26, abs=0.005)
    assert sensitivity.e_value(1.8) == pytest.approx(3.0, abs=0.005)
    assert sensitivity.e_value(1.0) == 1.0


@given(st.floats(0.01, 100))
def test_a_confounder_of_the_e_value_explains_the_ratio(ratio):
    e = sensitivity.e_value(ratio)
    assert e * e / (2 * e - 1) == pytest.approx(max(ratio, 1 / ratio))
    assert sensitivity.e_value(1 / ratio) == pytest.approx(e)


@properties
@given(st.floats(0.05, 0.95), st.sampled_from([-1e-6, 1e-6]))
def test_a_change_of_a_share_is_that_of_the_log_hazard_behind_it(share, change):
    """The share who stay is exp(-H); H is the hazard over the time."""
    hazard = -np.log(share) * np.exp(sensitivity.as_log_hazard(change, share))
    assert np.exp(-hazard) - share == pytest.approx(change, rel=1e-3)


def test_fewer_who_stay_is_a_higher_hazard():
    assert sensitivity.as_log_hazard(-0.02, 0.8) == pytest.approx(0.02 / (0.8 * np.log(1.25)))


@properties
@given(st.floats(0.05, 20))
def test_a_risk_ratio_is_that_of_risks_on_both_sides_of_a_half(hazard_ratio):
    """Hazards of that ratio whose geometric mean leaves half of the customers."""
    hazards = np.log(2) * hazard_ratio ** np.array([0.5, -0.5])
    risks = 1 - np.exp(-hazards)
    found = sensitivity.as_risk_ratio(hazard_ratio)
    assert found == pytest.approx(risks[0] / risks[1])
    assert sensitivity.as_risk_ratio(1 / hazard_ratio) == pytest.approx(1 / found)
    assert min(1, hazard_ratio) <= found <= max(1, hazard_ratio)


def test_a_hazard_ratio_of_one_is_a_risk_ratio_of_one():
    assert sensitivity.as_risk_ratio(1) == 1


class TestBenchmarksKnownOfSome:
    """A hidden cause of treatment and outcome, which a survey asked a third of the customers."""

    @pytest.fixture
    def people(self):
        rng = np.random.default_rng(8)
        hidden, known = rng.standard_normal((2, 3_000))
        treated = (0.9 * hidden + 0.2 * known + rng.standard_normal(3_000) > 0).astype(float)
        outcome = 0.5 * hidden + 0.1 * known + rng.standard_normal(3_000)
        asked = np.where(rng.random(3_000) < 1 / 3, hidden, np.nan)
        return pd.DataFrame({"y": outcome, "d": treated, "known": known, "asked": asked})

    def test_what_was_asked_of_some_is_the_strongest_benchmark(self, people):
        effect = models.contrast(models.ols("y ~ d + known", people), "d")
        assert effect.ci_low > 0.4  # of an effect that is not there
        weak = sensitivity.confounding(effect, people, "y", "d", ["known"])
        assert weak.lower.ci_low > 0
        strong = sensitivity.strongest(effect, people, "y", "d", ["known"], ["asked"])
        assert strong.benchmark == "asked"
        assert strong.lower.ci_low < 0 < strong.upper.ci_low
        assert strong.robustness == weak.robustness

    def test_a_benchmark_of_too_few_or_of_one_value_is_left_out(self, people):
        effect = models.contrast(models.ols("y ~ d + known", people), "d")
        weak = sensitivity.confounding(effect, people, "y", "d", ["known"])
        few = people.assign(asked=people["asked"].where(people.index < 100))
        same = people.assign(asked=7.0)
        for frame in (few, same, people.assign(asked=np.nan)):
            assert sensitivity.strongest(effect, frame, "y", "d", ["known"], ["asked"]) == weak


@pytest.mark.parametrize(("low", "high"), [(-0.3, 0.12), (0.08, 0.5)])
def test_a_hidden_cause_leaves_no_end_of_a_lopsided_interval_nearer_than_it_was(low, high):
    """Intervals of two shares (Newcombe) reach farther on one side; both ends must move out."""
    rng = np.random.default_rng(4)
    rows = pd.DataFrame(rng.normal(size=(200, 3)), columns=["y", "d", "k"])
    effect = Estimate(0.1, low, high, 200, df=40.0)
    found = sensitivity.confounding(effect, rows, "y", "d", ["k"])
    assert found.lower.ci_low < low and found.upper.ci_high > high
    bias = 0.1 - found.lower.estimate
    wider = (0.1 - bias - found.lower.ci_low) / (0.1 - low)
    assert wider >= 1
    assert found.upper.ci_high == pytest.approx(0.1 + bias + wider * (high - 0.1))
