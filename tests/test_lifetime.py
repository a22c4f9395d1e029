"""Purchases and amounts: published values, integrals of the model, and planted truths."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize, stats

from analysis.data.sources import ROOT
from analysis.statistics.estimate import NotEstimable
from analysis.statistics.value import _likelihood as likelihood
from analysis.statistics.value import lifetime_value, purchase_models
from simulation import World, draw, rehearsal
from simulation.rehearsal import region_of

CDNOW = Path(__file__).parents[2] / "shared" / "data" / "cdnow"
HISTORY = ["frequency", "recency_weeks", "age_weeks"]
PLANTED = {"r": 1.2, "alpha": 4.0, "a": 0.8, "b": 5.0}
N_COVERAGE = 100
LOWEST_COVERAGE = 0.95 - 3 * np.sqrt(0.95 * 0.05 / N_COVERAGE)  # three Monte-Carlo errors


def buying_model(kind, r, alpha, a, b):
    return purchase_models.BuyingModel(kind, r, alpha, a, b, 0.0, True, np.eye(4))


def spend_model(p, q, v):
    return purchase_models.SpendModel(p, q, v, 0.0, True)


def simulate(kind, n, seed, *, horizon=0.0, ages=(26, 52), r, alpha, a, b):
    """Return histories, purchases in the horizon and who is a customer still."""
    rng = np.random.default_rng(seed)
    age, rate, leave = rng.uniform(*ages, n), rng.gamma(r, 1 / alpha, n), rng.beta(a, b, n)
    clock, last, still = np.zeros(n), np.zeros(n), np.ones(n, bool)
    count, later = np.zeros(n, int), np.zeros(n, int)
    stays = rng.random(n) >= leave if kind == "mbg" else np.ones(n, bool)
    still &= stays
    while stays.any():
        clock[stays] += rng.exponential(1, stays.sum()) / rate[stays]
        stays &= clock <= age + horizon
        past = stays & (clock <= age)
        count += past
        later += stays & ~past
        last = np.where(past, clock, last)
        left = stays & (rng.random(n) < leave)
        still &= ~(left & past)
        stays &= ~left
    return pd.DataFrame({"frequency": count, "recency_weeks": last, "age_weeks": age}), later, still


@pytest.fixture(scope="module")
def cdnow():
    if not CDNOW.exists():
        pytest.skip("CDNOW data (../shared/data/cdnow) are not here")
    names = ["id", "customer_id", "bought_on", "units", "amount"]
    visits = pd.read_csv(CDNOW / "CDNOW_sample.txt", sep=r"\s+", names=names)
    return visits.assign(bought_on=pd.to_datetime(visits["bought_on"].astype(str)))


def summarise(visits, end):
    """Summarise purchases in pandas; the workbook does the same in its engine."""
    rows = visits[visits["bought_on"] <= end]
    days = rows.groupby(["customer_id", "bought_on"])["amount"].sum().reset_index()
    people = days.groupby("customer_id")
    first, last = people["bought_on"].min(), people["bought_on"].max()
    repeats = people.size() - 1
    later = (people["amount"].sum() - people["amount"].first()) / repeats.where(repeats > 0)
    weeks = {"recency_weeks": last - first, "age_weeks": pd.Timestamp(end) - first}
    table = {name: each.dt.days / 7 for name, each in weeks.items()}
    return pd.DataFrame({"frequency": repeats, **table, "mean_amount": later.fillna(0.0)})


# --- buying


def test_bg_reproduces_published_cdnow(cdnow):
    summary = summarise(cdnow, "1997-09-30")
    model = purchase_models.fit_buying(summary, "bg")
    assert model.converged
    assert (round(model.r, 3), round(model.alpha, 3)) == (0.243, 4.414)
    assert (round(model.a, 3), round(model.b, 3)) == (0.793, 2.426)
    assert round(model.log_likelihood, 1) == -9582.4


def test_cdnow_holdout_fits_and_counts_everybody(cdnow):
    summary = summarise(cdnow, "1997-09-30")
    later = summarise(cdnow, "1998-06-30")["frequency"] - summary["frequency"]
    found = lifetime_value.holdout(summary, later, purchase_models.fit_buying(summary, "bg"), 39)
    assert found.table["customers"].tolist() == [1411, 439, 214, 100, 62, 38, 29, 64]
    assert found.fits
    assert found.error.estimate == pytest.approx(-0.12, abs=0.01)


@pytest.mark.parametrize("kind", ["bg", "mbg"])
@pytest.mark.parametrize(("x", "recency", "age"), [(0, 0, 30.0), (1, 12.0, 30.0), (5, 29.0, 30.0)])
def test_likelihood_is_the_integral_of_the_model(kind, x, recency, age):
    r, alpha, a, b = PLANTED.values()
    rate, leave = stats.gamma(r, scale=1 / alpha), stats.beta(a, b)
    chances = x + (kind == "mbg")

    def over_rates(time):
        return integrate.quad(lambda y: y**x * np.exp(-y * time) * rate.pdf(y), 0, 20)[0]

    still = integrate.quad(lambda p: (1 - p) ** chances * leave.pdf(p), 0, 1)[0] * over_rates(age)
    gone = 0.0
    if chances:
        here = integrate.quad(lambda p: p * (1 - p) ** (chances - 1) * leave.pdf(p), 0, 1)[0]
        gone = here * over_rates(recency)
    logs = np.log(list(PLANTED.values()))
    value, _ = likelihood.buying_likelihood(
        logs, np.array([float(x)]), np.array([recency]), np.array([age]), kind
    )
    assert value[0] == pytest.approx(np.log(still + gone), abs=1e-6)
    summary = pd.DataFrame([[x, recency, age]], columns=HISTORY)
    alive = purchase_models.p_alive(buying_model(kind, **PLANTED), summary)[0]
    assert alive == pytest.approx(still / (still + gone), abs=1e-6)


@settings(max_examples=30)
@given(st.lists(st.floats(-3, 3), min_size=4, max_size=4), st.sampled_from(["bg", "mbg"]))
def test_buying_gradient_equals_finite_differences(logs, kind):
    summary, _, _ = simulate(kind, 50, 1, **PLANTED)
    rows = summary[HISTORY].to_numpy(float).T

    def value(point):
        return likelihood.buying_likelihood(point, *rows, kind)[0].sum()

    exact = likelihood.buying_likelihood(np.array(logs), *rows, kind)[1].sum(axis=1)
    numeric = optimize.approx_fprime(np.array(logs), value, 1e-6)
    assert exact == pytest.approx(numeric, rel=1e-3, abs=1e-2)


@pytest.mark.parametrize("kind", ["bg", "mbg"])
def test_fit_recovers_planted_parameters(kind):
    summary, _, _ = simulate(kind, 8000, 3, **PLANTED)
    model = purchase_models.fit_buying(summary, kind)
    table = purchase_models.parameter_table(model).set_index("parameter")
    assert model.converged
    for name, planted in PLANTED.items():
        se = np.log(table.loc[name, "ci_high"] / table.loc[name, "ci_low"]) / (2 * 1.96)
        assert abs(np.log(getattr(model, name) / planted)) < 4 * se
        assert se < 0.5


def test_fit_is_the_same_in_days_and_of_merged_rows():
    summary, _, _ = simulate("mbg", 2000, 4, **PLANTED)
    weekly = summary.assign(
        recency_weeks=np.ceil(summary["recency_weeks"]), age_weeks=np.ceil(summary["age_weeks"])
    )
    daily = weekly.assign(
        recency_weeks=weekly["recency_weeks"] * 7, age_weeks=weekly["age_weeks"] * 7
    )
    model, other = purchase_models.fit_buying(weekly), purchase_models.fit_buying(daily)
    assert other.alpha == pytest.approx(7 * model.alpha, rel=1e-4)
    assert (other.r, other.a) == pytest.approx((model.r, model.a), rel=1e-4)
    shift = weekly["frequency"].sum() * np.log(7)
    assert other.log_likelihood == pytest.approx(model.log_likelihood - shift, abs=1e-5)
    twice = purchase_models.fit_buying(pd.concat([weekly, weekly]))
    assert twice.log_likelihood == pytest.approx(2 * model.log_likelihood, abs=1e-4)
    assert twice.covariance == pytest.approx(model.covariance / 2, rel=1e-2)


NEW = pd.DataFrame([[0.0, 0.0, 0.0]], columns=HISTORY)


@pytest.mark.parametrize("kind", ["bg", "mbg"])
def test_expected_purchases_of_a_new_customer_equal_simulation(kind):
    weeks, n = 40.0, 200_000
    summary, _, _ = simulate(kind, n, 5, ages=(weeks, weeks + 1e-9), **PLANTED)
    model = buying_model(kind, **PLANTED)
    expected = purchase_models.expected_purchases(model, NEW, weeks)[0]
    error = summary["frequency"].std() / np.sqrt(n)
    assert abs(summary["frequency"].mean() - expected) < 4 * error


@pytest.mark.parametrize("weeks", [0.0, 10.0, 100.0])
def test_expected_purchases_exist_where_a_is_one(weeks):
    at_one, beside = (buying_model("mbg", 1.2, 4.0, a, 5.0) for a in (1.0, 1.001))
    found = purchase_models.expected_purchases(at_one, NEW, weeks)[0]
    assert found == pytest.approx(
        purchase_models.expected_purchases(beside, NEW, weeks)[0], rel=2e-3
    )
    assert (found > 0) == (weeks > 0)


@pytest.mark.parametrize("x", [0, 3, 40, 400])  # the textbook's form is nan for 400
@pytest.mark.parametrize("weeks", [1, 26, 260])
def test_expected_purchases_equal_their_integral(x, weeks):
    r, alpha, a, b = PLANTED.values()
    age = 60.0
    model = buying_model("mbg", **PLANTED)
    summary = pd.DataFrame([[x, age if x else 0.0, age]], columns=HISTORY)
    leave = stats.beta(a, b + x + 1)

    def buys(p):
        return -np.expm1(-(r + x) * np.log1p(p * weeks / (alpha + age))) / p * leave.pdf(p)

    cuts = leave.ppf([0.01, 0.5, 0.99, 0.9999])
    edges = [1e-14, *cuts, 1.0]
    parts = [integrate.quad(buys, *pair, limit=500)[0] for pair in pairwise(edges)]
    alive = purchase_models.p_alive(model, summary)[0]
    found = purchase_models.expected_purchases(model, summary, weeks)[0]
    assert found == pytest.approx(alive * sum(parts), rel=1e-5)


def test_only_bg_keeps_everybody_without_a_repeat_purchase():
    summary = pd.DataFrame({"frequency": [0, 0], "recency_weeks": 0.0, "age_weeks": [1.0, 300.0]})
    assert purchase_models.p_alive(buying_model("bg", **PLANTED), summary).tolist() == [1.0, 1.0]
    young, old = purchase_models.p_alive(buying_model("mbg", **PLANTED), summary)
    assert 0 < old < young < 5.0 / 5.8  # who is left after the first purchase at most


@pytest.mark.parametrize("kind", ["bg", "mbg"])
def test_p_alive_is_calibrated(kind):
    summary, _, still = simulate(kind, 60_000, 6, **PLANTED)
    alive = purchase_models.p_alive(buying_model(kind, **PLANTED), summary)
    tenths = pd.Series(still).groupby(np.floor(alive * 9.999)).agg(["mean", "size"])
    said = pd.Series(alive).groupby(np.floor(alive * 9.999)).mean()
    error = np.sqrt(said * (1 - said) / tenths["size"]) + 1e-9
    assert (np.abs(tenths["mean"] - said) / error).max() < 4


def test_fit_says_what_is_missing():
    few = pd.DataFrame({"frequency": 1, "recency_weeks": 2.0, "age_weeks": 9.0}, index=range(49))
    with pytest.raises(ValueError, match="Customers with a repeat purchase: 49; 50"):
        purchase_models.fit_buying(few)
    with pytest.raises(ValueError, match="impossible history"):
        purchase_models.fit_buying(few.assign(recency_weeks=10.0))
    with pytest.raises(ValueError, match="Customers with a repeat purchase: 49; 50 are needed"):
        purchase_models.fit_spend(np.ones(49), np.ones(49))


@pytest.mark.parametrize("x", [np.ones(80), np.arange(1.0, 81)])
def test_a_model_of_spending_needs_differences(x):
    """Everybody bought again once; or everybody for the same amount."""
    amounts = np.full(80, 30.0) if np.ptp(x) else np.linspace(10, 90, 80)
    with pytest.raises(NotEstimable, match=r"^All of 80 customers with repeat purchases"):
        purchase_models.fit_spend(x, amounts)


def test_data_that_cannot_tell_are_flagged_not_raised():
    """Nobody leaves and all have one rate: dropout and its spread are not identified."""
    rng = np.random.default_rng(7)
    count = rng.poisson(20, 400).clip(1)
    same = pd.DataFrame({"frequency": count, "recency_weeks": 51.9, "age_weeks": 52.0})
    model = purchase_models.fit_buying(same)
    assert not model.converged
    assert np.isfinite(model.log_likelihood)


# --- spend


def test_spend_reproduces_published_cdnow(cdnow):
    summary = summarise(cdnow, "1997-09-30")
    model = purchase_models.fit_spend(summary["frequency"], summary["mean_amount"])
    assert (round(model.p, 2), round(model.q, 2), round(model.v, 2)) == (6.25, 3.74, 15.44)
    assert round(model.correlation, 2) == 0.11  # published: 0.11


@pytest.mark.parametrize(("x", "amount"), [(1, 20.0), (4, 55.0)])
def test_spend_likelihood_and_expectation_are_integrals_of_the_model(x, amount):
    p, q, v = 6.25, 3.74, 15.44
    nu = stats.gamma(q, scale=1 / v)

    def density(y):
        return stats.gamma(p * x, scale=1 / (y * x)).pdf(amount) * nu.pdf(y)

    whole = integrate.quad(density, 0, 5, limit=200)[0]
    value, _ = likelihood.spend_likelihood(
        np.log([p, q, v]), np.array([float(x)]), np.array([amount])
    )
    assert value[0] == pytest.approx(np.log(whole), abs=1e-6)
    mean = integrate.quad(lambda y: p / y * density(y), 0, 5, limit=200)[0] / whole
    assert purchase_models.expected_spend(spend_model(p, q, v), [x], [amount])[0] == pytest.approx(
        mean
    )


def test_spend_gradient_equals_finite_differences():
    rng = np.random.default_rng(8)
    x, amount = rng.integers(1, 9, 40).astype(float), rng.gamma(3, 10, 40)

    def value(logs):
        return likelihood.spend_likelihood(logs, x, amount)[0].sum()

    for logs in np.random.default_rng(9).uniform(-2, 3, (5, 3)):
        exact = likelihood.spend_likelihood(logs, x, amount)[1].sum(axis=1)
        assert exact == pytest.approx(optimize.approx_fprime(logs, value, 1e-6), rel=1e-3, abs=1e-2)


def test_spend_recovers_planted_truth_and_shrinks():
    rng = np.random.default_rng(10)
    n, p, q, v = 6000, 6.0, 4.0, 50.0
    x = rng.integers(1, 12, n)
    nu = rng.gamma(q, 1 / v, n)
    amount = rng.gamma(p * x, 1 / (nu * x))
    model = purchase_models.fit_spend(x, amount)
    assert (model.p * model.v, model.q) == pytest.approx((p * v, q), rel=0.1)  # p and v trade off
    assert purchase_models.expected_spend(model, [0], [0.0])[0] == pytest.approx(
        p * v / (q - 1), rel=0.03
    )
    seldom, often = purchase_models.expected_spend(model, [1, 50], [300.0, 300.0])
    assert 100 < seldom < often < 300
    in_fen = purchase_models.fit_spend(x, 100 * amount)
    assert (in_fen.p, in_fen.q, in_fen.v) == pytest.approx((model.p, model.q, 100 * model.v), 1e-4)


# --- value


def valued(spend, margin_rate):
    """Return a forecast of 200 customers, with their histories and the model of purchases."""
    summary, _, _ = simulate("mbg", 200, 11, **PLANTED)
    summary["mean_amount"] = np.where(summary["frequency"] > 0, 20.0, 0.0)
    model = buying_model("mbg", **PLANTED)
    return lifetime_value.forecast(model, spend, summary, margin_rate), summary, model


def test_value_is_purchases_times_spend_and_discounts():
    spend = spend_model(6.25, 3.74, 15.44)
    found, summary, model = valued(spend, 0.2)
    each = purchase_models.expected_spend(spend, summary["frequency"], summary["mean_amount"])
    edges = np.linspace(0, 52, 1001)
    bought = np.array([purchase_models.expected_purchases(model, summary, week) for week in edges])
    years = (edges[1:] + edges[:-1]) / 2 * 7 / 365.25
    fine = 0.2 * each * (1.1**-years @ np.diff(bought, axis=0))
    assert found["value"].to_numpy() == pytest.approx(fine, rel=1e-4)  # steps of four weeks
    assert found["purchases"].to_numpy() == pytest.approx(bought[-1])


def test_spend_without_a_mean_gives_no_value():
    found, _, _ = valued(spend_model(6, 0.9, 15), 1.0)
    assert found["value"].isna().all()
    assert found["purchases"].notna().all()


# --- holdout


def test_holdout_rule_accepts_the_right_model_and_refuses_a_wrong_one():
    right, wrong, halved = 0, 0, 0
    for seed in range(10):
        summary, later, _ = simulate("mbg", 2000, seed, horizon=26, **PLANTED)
        model = purchase_models.fit_buying(summary, "mbg")
        right += lifetime_value.holdout(summary, later, model, 26).fits
        wrong += lifetime_value.holdout(
            summary, later, purchase_models.fit_buying(summary, "bg"), 26
        ).fits
        fewer = np.random.default_rng(seed).binomial(later, 0.5)
        halved += lifetime_value.holdout(summary, fewer, model, 26).fits
    assert right >= 9
    assert wrong <= 1
    assert halved == 0


def test_holdout_refuses_errors_that_cancel_in_the_total():
    summary, later, _ = simulate("mbg", 5000, 1, horizon=26, **PLANTED)
    woken = np.where(summary["frequency"] == 0, 1, later)
    found = lifetime_value.holdout(summary, woken, purchase_models.fit_buying(summary), 26)
    assert abs(found.error.estimate) < 0.2
    assert found.table.set_index("frequency")["fits"].to_dict()["0"] is False
    assert not found.fits


def test_holdout_of_a_group_that_bought_nothing_has_an_interval():
    summary = pd.DataFrame({"frequency": 0, "recency_weeks": 0.0, "age_weeks": 100.0}, range(60))
    row = lifetime_value.holdout(
        pd.concat([summary, summary.assign(frequency=9, recency_weeks=99.0)]),
        np.repeat([0, 4], 60),
        buying_model("mbg", **PLANTED),
        26,
    ).table.iloc[0]
    assert (row["ci_low"], row["actual"]) == (0, 0)
    assert row["ci_high"] == pytest.approx(stats.chi2.ppf(0.975, 2) / 2 / 60)


@pytest.mark.slow
def test_coverage_of_parameters_and_holdout_rule():
    hits, fits = np.zeros(4), 0
    for seed in range(N_COVERAGE):
        summary, later, _ = simulate("mbg", 1500, 100 + seed, horizon=26, **PLANTED)
        model = purchase_models.fit_buying(summary)
        table = purchase_models.parameter_table(model)
        planted = np.array(list(PLANTED.values()))
        hits += ((table["ci_low"] <= planted) & (planted <= table["ci_high"])).to_numpy()
        fits += lifetime_value.holdout(summary, later, model, 26).fits
    assert (hits / N_COVERAGE).min() > LOWEST_COVERAGE
    assert fits / N_COVERAGE >= 0.9


def test_nothing_bought_later_is_no_measure_of_a_forecast():
    summary = pd.DataFrame({"frequency": [1, 2], "recency_weeks": [1, 2], "age_weeks": [9, 9]})
    model = purchase_models.BuyingModel("mbg", 1.0, 1.0, 1.0, 1.0, 0.0, True, np.eye(4))
    with pytest.raises(NotEstimable, match="None of 2 customers bought in the 26 weeks after"):
        lifetime_value.holdout(summary, [0, 0], model, 26)


def test_the_error_of_a_holdout_is_that_of_the_bootstrap():
    """Groups of one customer count, too: three of 43 decide the total."""
    summary = pd.DataFrame(
        {"frequency": [0] * 200 + [4, 5, 6], "recency_weeks": [0.0] * 200 + [40.0] * 3}
    )
    summary["age_weeks"] = 50.0
    rng, later = np.random.default_rng(0), np.r_[np.tile([0, 0, 0, 3], 50), 5, 30, 3]
    model = buying_model("mbg", **PLANTED)
    found = lifetime_value.holdout(summary, later, model, 52).error
    expected = purchase_models.expected_purchases(model, summary, 52)
    drawn = rng.integers(0, len(later), (4_000, len(later)))
    ratios = np.log(expected[drawn].sum(axis=1) / later[drawn].sum(axis=1))
    half = np.log((1 + found.ci_high) / (1 + found.ci_low)) / 2
    assert half == pytest.approx(1.96 * ratios.std(), rel=0.1)
    assert found.estimate == pytest.approx(expected.sum() / later.sum() - 1)


@pytest.mark.parametrize("kind", ["bg", "mbg"])
def test_forecasts_of_a_model_with_large_parameters_are_those_of_a_simulation(kind):
    """All leave with the same probability, two thirds, as the parameters a and b run away."""
    summary = pd.DataFrame({"frequency": [0], "recency_weeks": [0.0], "age_weeks": [1.0]})
    model = purchase_models.BuyingModel(kind, 2.0, 1.0, 2e5, 1e5, 0.0, True, np.eye(4))
    (found,) = purchase_models.expected_purchases(model, summary, 52)
    rng = np.random.default_rng(1)
    bought = rng.poisson(rng.gamma(2.0, 1 / 2.0, 400_000) * 52)  # two weeks of age, with alpha
    stayed = rng.geometric(2 / 3, len(bought))  # purchases until they leave
    alive = purchase_models.p_alive(model, summary)[0]
    assert found == pytest.approx(alive * np.minimum(bought, stayed).mean(), rel=0.01)


def test_a_missing_forecast_is_no_forecast_of_nothing():
    summary = pd.DataFrame({"frequency": [1, 2], "recency_weeks": [1, 2], "age_weeks": [9, 9]})
    model = purchase_models.BuyingModel("mbg", np.nan, 1.0, 1.0, 1.0, 0.0, False, np.eye(4))
    found = lifetime_value.holdout(summary, [1, 0], model, 26)
    assert np.isnan(found.error.estimate)
    assert not found.fits


def test_nothing_is_advised_where_goods_cost_more_than_they_bring():
    tables = draw(World(), 1_000, 3)
    lines = tables["transactions"]
    here = region_of({**tables, "transactions": lines.assign(cost=1.3 * lines["amount"])})
    given = {"region": here.name, "source": "simulated", "language": "en", "seed": 1}
    path, known = ROOT / "notebooks/value/segments_and_lifetime_value.ipynb", {}
    for _ in rehearsal.perform(path, known, given, here):
        pass
    said = " ".join(str(call.args[0]) for call in known["say"].call_args_list)
    assert "Nothing is expected" in said or "can't be told" in said
    assert "Most is expected" not in said
    assert "the most that may be spent" not in said
