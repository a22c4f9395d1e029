"""Discrimination: a published example, plain double loops, closed forms and planted truths."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import special, stats

from analysis.statistics import discrimination, prediction
from analysis.statistics.estimate import NotEstimable

# DeLong, DeLong & Clarke-Pearson (1988), as in the SAS/STAT User's Guide, PROC LOGISTIC,
# "Comparing Receiver Operating Characteristic Curves": albumin, total protein, K-G score
# and whether surgery helped, for the 43 patients without missing values.
OVARIAN = np.array([
    3.0, 5.8, 10, 0, 3.2, 6.3, 5, 1, 3.9, 6.8, 3, 1, 2.8, 4.8, 6, 0, 3.2, 5.8, 3, 1, 0.9, 4.0, 5, 0,
    2.5, 5.7, 8, 0, 1.6, 5.6, 5, 1, 3.8, 5.7, 5, 1, 3.7, 6.7, 6, 1, 3.2, 5.4, 4, 1, 3.8, 6.6, 6, 1,
    4.1, 6.6, 5, 1, 3.6, 5.7, 5, 1, 4.3, 7.0, 4, 1, 3.6, 6.7, 4, 0, 2.3, 4.4, 6, 1, 4.2, 7.6, 4, 0,
    4.0, 6.6, 6, 0, 3.5, 5.8, 6, 1, 3.8, 6.8, 7, 1, 3.0, 4.7, 8, 0, 4.5, 7.4, 5, 1, 3.7, 7.4, 5, 1,
    3.1, 6.6, 6, 1, 4.1, 8.2, 6, 1, 4.3, 7.0, 5, 1, 4.3, 6.5, 4, 1, 3.2, 5.1, 5, 1, 2.6, 4.7, 6, 1,
    3.3, 6.8, 6, 0, 1.7, 4.0, 7, 0, 3.7, 6.1, 5, 1, 3.3, 6.3, 7, 1, 4.2, 7.7, 6, 1, 3.5, 6.2, 5, 1,
    2.9, 5.7, 9, 0, 2.1, 4.8, 7, 1, 2.8, 6.2, 8, 0, 4.0, 7.0, 7, 1, 3.3, 5.7, 6, 1, 3.7, 6.9, 5, 1,
    3.6, 6.6, 5, 1,
]).reshape(-1, 4)  # fmt: skip
ALBUMIN, PROTEIN, KG, HELPED = OVARIAN.T * [[1], [1], [-1], [1]]

Z = stats.norm.ppf(0.975)
properties = settings(max_examples=50)
TIED = st.lists(st.tuples(st.integers(-4, 4), st.booleans()), min_size=6, max_size=30)


def visits(n=60, dates=6, seed=0):
    """Return customers at several dates: a score, another one, and who is lost."""
    rng = np.random.default_rng(seed)
    customer = np.repeat(np.arange(n), dates)
    level, risk = rng.normal(size=n)[customer], rng.choice([0.1, 0.8], n)[customer]
    lost = rng.random(n * dates) < risk
    return pd.DataFrame(
        {
            "customer": customer,
            "date": np.tile(np.arange(dates), n),
            "lost": lost.astype(int),
            "score": (level + 0.7 * rng.normal(size=n * dates) + lost).round(1),
            "base": (level + 0.7 * rng.normal(size=n * dates) + 0.5 * lost).round(1),
            "segment": rng.choice(["van", "private"], n * dates),
        }
    )


def pairs(score, lost):
    """Return the matrix of lost (rows) against kept (columns): 1 if higher, a half if equal."""
    score, lost = np.asarray(score, float), np.asarray(lost, bool)
    return np.array([[(a > b) + 0.5 * (a == b) for b in score[~lost]] for a in score[lost]])


def by_the_book(psi, lost, customers):
    """Return AUC and variance of a matrix of pairs, by Obuchowski's sums in plain loops."""
    lost, customers = np.asarray(lost, bool), np.asarray(customers)
    (m, n), area, labels = psi.shape, psi.mean(), set(customers)
    x = {c: (psi.mean(axis=1)[customers[lost] == c] - area).sum() for c in labels}
    y = {c: (psi.mean(axis=0)[customers[~lost] == c] - area).sum() for c in labels}
    i10, i01, i = len(set(customers[lost])), len(set(customers[~lost])), len(labels)
    s10 = i10 / ((i10 - 1) * m) * sum(x[c] ** 2 for c in labels)
    s01 = i01 / ((i01 - 1) * n) * sum(y[c] ** 2 for c in labels)
    s11 = i / (i - 1) * sum(x[c] * y[c] for c in labels)
    return area, s10 / m + s01 / n + 2 * s11 / (m * n)


def error(found):
    """Return the standard error of an AUC itself, from that on the logit."""
    return found.se * found.estimate * (1 - found.estimate)


# --- AUC


@pytest.mark.parametrize(
    ("score", "area", "se"),
    [(ALBUMIN, 0.7366, 0.0927), (PROTEIN, 0.6478, 0.1000), (KG, 0.7258, 0.1028)],
)
def test_auc_of_a_published_example(score, area, se):
    found = discrimination.auc(score, HELPED)
    assert found.estimate == pytest.approx(area, abs=5e-5)
    assert error(found) == pytest.approx(se, abs=5e-5)
    assert special.logit(found.ci_low) == pytest.approx(
        special.logit(area) - Z * found.se, abs=1e-3
    )
    assert (found.n_obs, found.scale) == (43, "logit")


@pytest.mark.parametrize(
    ("score", "gain", "se", "p"),
    [(ALBUMIN, 0.0108, 0.0953, 0.9102), (PROTEIN, -0.0780, 0.1046, 0.4561)],
)
def test_gain_of_a_published_example(score, gain, se, p):
    found = discrimination.auc_gain(score, KG, HELPED)
    assert found.estimate == pytest.approx(gain, abs=5e-5)
    assert found.se == pytest.approx(se, abs=5e-5)
    assert found.p_value(0) == pytest.approx(p, abs=5e-5)
    assert found.scale == "identity"


@pytest.mark.parametrize("seed", range(3))
def test_auc_equals_plain_loops_over_pairs_and_customers(seed):
    data = visits(seed=seed)
    score, lost, customer = data["score"], data["lost"], data["customer"]
    area, variance = by_the_book(pairs(score, lost), lost, customer)
    found = discrimination.auc(score, lost, customer)
    assert found.estimate == pytest.approx(area)
    assert error(found) == pytest.approx(np.sqrt(variance))
    assert found.n_obs == 60
    alone = discrimination.auc(score, lost)
    assert error(alone) == pytest.approx(
        np.sqrt(by_the_book(pairs(score, lost), lost, data.index)[1])
    )


@pytest.mark.parametrize("seed", range(3))
def test_gain_equals_plain_loops_over_pairs_and_customers(seed):
    data = visits(seed=seed)
    psi = pairs(data["score"], data["lost"]) - pairs(data["base"], data["lost"])
    gain, variance = by_the_book(psi, data["lost"], data["customer"])
    found = discrimination.auc_gain(data["score"], data["base"], data["lost"], data["customer"])
    assert found.estimate == pytest.approx(gain)
    assert found.se == pytest.approx(np.sqrt(variance))


def test_delong_errors_equal_covariances_of_the_matrix_of_pairs():
    data = visits()
    both = [pairs(data[name], data["lost"]) for name in ("score", "base")]
    across, down = np.cov([p.mean(axis=1) for p in both]), np.cov([p.mean(axis=0) for p in both])
    covariance = across / len(both[0]) + down / len(both[0].T)
    found = discrimination.auc(data["score"], data["lost"])
    assert error(found) == pytest.approx(np.sqrt(covariance[0, 0]))
    gain = discrimination.auc_gain(data["score"], data["base"], data["lost"])
    assert gain.se == pytest.approx(np.sqrt([1, -1] @ covariance @ [1, -1]))


def test_clustered_error_is_close_to_leaving_each_customer_out():
    data = visits(n=150)
    lost, customer = data["lost"].to_numpy(bool), data["customer"].to_numpy()
    psi = pairs(data["score"], lost)
    areas = [psi[customer[lost] != c][:, customer[~lost] != c].mean() for c in range(150)]
    found = discrimination.auc(data["score"], data["lost"], data["customer"])
    assert error(found) == pytest.approx(np.sqrt(149 * np.var(areas)), rel=0.02)


def test_rows_given_twice_under_the_same_customer_change_nothing():
    once = discrimination.auc(ALBUMIN, HELPED)
    gain = discrimination.auc_gain(ALBUMIN, KG, HELPED)
    a, k, h, who = (np.tile(each, 2) for each in (ALBUMIN, KG, HELPED, np.arange(43)))
    twice = discrimination.auc(a, h, who)
    assert (twice.estimate, twice.se) == pytest.approx((once.estimate, once.se))
    assert discrimination.auc_gain(a, k, h, who).se == pytest.approx(gain.se)
    assert discrimination.auc(a, h).se == pytest.approx(once.se / np.sqrt(2), rel=0.05)


def test_without_customers_each_row_is_its_own():
    labels = [f"customer {i}" for i in range(43)]
    with_labels = discrimination.auc(ALBUMIN, HELPED, labels)
    found = discrimination.auc(ALBUMIN, HELPED)
    assert (found.ci_low, found.ci_high) == pytest.approx((with_labels.ci_low, with_labels.ci_high))


@properties
@given(TIED, st.integers(2, 5))
def test_only_the_order_of_a_score_counts_and_its_direction_mirrors_the_auc(rows, size):
    score, lost = np.array(rows).T
    customers = np.arange(len(rows)) // size
    assume(len(set(score)) > 1)
    assume(min(len(set(customers[lost == side])) for side in (0, 1)) > 1)
    found = discrimination.auc(score, lost, customers)
    stretched = discrimination.auc(np.exp(score) + 7, lost, customers)
    assert stretched == found
    swapped = discrimination.auc(score, 1 - lost, customers)
    expected = (1 - found.estimate, 1 - found.ci_high, 1 - found.ci_low)
    assert (swapped.estimate, swapped.ci_low, swapped.ci_high) == pytest.approx(expected)
    assert 0 < found.ci_low <= found.estimate <= found.ci_high < 1
    with pytest.raises(NotEstimable, match="alike, so that a gain has no error"):
        discrimination.auc_gain(np.exp(score), score, lost, customers)


@pytest.mark.parametrize("n", [2, 20, 1000])
def test_a_perfect_score_has_newcombes_lower_end(n):
    """The lower end is Z errors below 1, by Hanley and McNeil's formula at the lower end."""
    found = discrimination.auc(np.arange(2 * n), np.arange(2 * n) >= n)
    assert found.estimate == pytest.approx(1 - 0.5 / n**2)
    low = found.ci_low
    q1, q2 = low / (2 - low), 2 * low**2 / (1 + low)
    variance = (low * (1 - low) + (n - 1) * (q1 + q2 - 2 * low**2)) / n**2
    assert 1 - low == pytest.approx(Z * np.sqrt(variance))
    assert found.estimate < found.ci_high < 1
    assert found.p_value(low) == pytest.approx(0.05, rel=1e-3)
    worst = discrimination.auc(np.arange(2 * n), np.arange(2 * n) < n)
    assert (worst.estimate, worst.ci_high) == pytest.approx((1 - found.estimate, 1 - low))


def test_a_perfect_score_of_few_customers_with_many_rows_is_no_more_certain():
    score, lost, who = np.arange(20), np.arange(20) >= 10, np.arange(20)
    few = discrimination.auc(score, lost, who)
    many = discrimination.auc(*(np.repeat(each, 50) for each in (score, lost, who)))
    assert many.ci_low == pytest.approx(few.ci_low)


def test_a_score_without_order_gains_what_the_other_has_above_a_half():
    gain = discrimination.auc_gain(ALBUMIN, np.zeros(43), HELPED)
    alone = discrimination.auc(ALBUMIN, HELPED)
    assert gain.estimate == pytest.approx(alone.estimate - 0.5)
    assert gain.se == pytest.approx(error(alone))


def test_coverage_with_correlated_rows_needs_customers():
    """Risk and level of a customer last, so that his rows are no news; the truth is known."""
    rng, n, dates, hits = np.random.default_rng(1), 100, 8, np.zeros(2)
    truth = stats.norm.cdf(1 / np.sqrt(2 * (1 + 0.5)))
    customers = np.repeat(np.arange(n), dates)
    for _ in range(400):
        lost = rng.random(n * dates) < rng.choice([0.05, 0.9], n)[customers]
        score = rng.normal(size=n)[customers] + np.sqrt(0.5) * rng.normal(size=n * dates) + lost
        found = discrimination.auc(score, lost, customers), discrimination.auc(score, lost)
        hits += [each.ci_low <= truth <= each.ci_high for each in found]
    by_customer, by_row = hits / 400
    assert by_customer == pytest.approx(0.95, abs=3 * np.sqrt(0.95 * 0.05 / 400))
    assert by_row < 0.75


def test_coverage_of_a_gain_with_correlated_rows():
    """Both scores are equally good, so that the true gain is zero."""
    rng, n, dates, hits = np.random.default_rng(2), 100, 8, 0
    customers = np.repeat(np.arange(n), dates)
    for _ in range(400):
        lost = rng.random(n * dates) < rng.choice([0.05, 0.9], n)[customers]
        score, base = rng.normal(size=(2, n))[:, customers] + rng.normal(size=n * dates) + lost
        found = discrimination.auc_gain(score, base, lost, customers)
        hits += found.ci_low <= 0 <= found.ci_high
    assert hits / 400 == pytest.approx(0.95, abs=3 * np.sqrt(0.95 * 0.05 / 400))


def test_what_has_no_auc_is_refused():
    for lost, counts in (
        ([0, 0, 0, 0], "0 and 4"),
        ([1, 1, 1, 1], "4 and 0"),
        ([0, 1, 0, 0], "1 and 3"),
    ):
        with pytest.raises(ValueError, match=f"not {counts}"):
            discrimination.auc([1, 2, 3, 4], lost)
    with pytest.raises(ValueError, match="not 1 and 1"):
        discrimination.auc([1, 2, 3, 4], [0, 1, 0, 1], list("aaaa"))
    with pytest.raises(ValueError, match="same length"):
        discrimination.auc([1, 2, 3], [0, 1, 0, 1])
    with pytest.raises(ValueError, match="same length"):
        discrimination.auc_gain([1, 2, 3, 4], [1, 2, 3], [0, 1, 0, 1])
    with pytest.raises(ValueError, match="known in every row"):
        discrimination.auc([1, np.nan, 3, 4], [0, 1, 0, 1])
    with pytest.raises(ValueError, match="known in every row"):
        discrimination.auc([1, 2, 3, 4], [0, 1, None, 1])
    with pytest.raises(ValueError, match="0 or 1"):
        discrimination.auc([1, 2, 3, 4], [0, 1, 2, 1])
    with pytest.raises(ValueError, match="needs a customer"):
        discrimination.auc([1, 2, 3, 4], [0, 1, 0, 1], ["a", "b", None, "d"])
    with pytest.raises(ValueError, match="needs a customer"):
        discrimination.auc([1, 2, 3, 4], [0, 1, 0, 1], ["a", "b", "c"])
    with pytest.raises(ValueError, match="same in all 4 rows"):
        discrimination.auc([1, 1, 1, 1], [0, 1, 0, 1])


# --- predictions

FORMULA = "lost ~ score + base + C(segment)"


def test_held_out_equals_a_logit_of_the_other_customers():
    data = visits()
    found = prediction.held_out(FORMULA, data, data["customer"], folds=60)
    for customer in (0, 17, 59):
        own = data["customer"] == customer
        expected = smf.logit(FORMULA, data[~own]).fit(disp=False).predict(data[own])
        assert found[own] == pytest.approx(expected.to_numpy(), rel=1e-6)


def test_held_out_never_uses_a_customers_own_outcomes():
    data = visits()
    found = prediction.held_out(FORMULA, data, data["customer"], folds=60)
    for customer in range(0, 60, 6):
        own = (data["customer"] == customer).to_numpy()
        flipped = data.assign(lost=data["lost"].where(~own, 1 - data["lost"]))
        other = prediction.held_out(FORMULA, flipped, flipped["customer"], folds=60)
        assert (other[own] == found[own]).all()
        assert not np.isclose(other[~own], found[~own], rtol=1e-9).any()


def test_a_fold_has_whole_customers_and_its_share_of_the_lost():
    """Without predictors, a prediction is the share lost outside the fold."""
    data = visits(n=100)
    found = prediction.held_out("lost ~ 1", data, data["customer"])
    assert (pd.Series(found).groupby(data["customer"]).nunique() == 1).all()
    assert found == pytest.approx(data["lost"].mean(), abs=0.01)


def test_a_model_that_knows_nothing_is_not_worse_than_chance():
    """With folds at random its AUC would be 0.42 on average."""
    areas = []
    for seed in range(20):
        data = visits(n=100, seed=seed)
        found = prediction.held_out("lost ~ 1", data, data["customer"], seed=seed)
        areas.append(discrimination.auc(found, data["lost"]).estimate)
    assert np.mean(areas) == pytest.approx(0.5, abs=0.02)


def test_a_column_that_only_names_the_customer_predicts_nobody():
    """Each lost customer has a category of his own, so that a split by rows would tell all."""
    data = visits(n=80, seed=3)
    data["lost"] = data["customer"] % 2
    data["name"] = np.where(data["lost"] == 1, "n" + data["customer"].astype(str), "a")
    data["name"] = data["name"].where(data["customer"] % 3 > 0, "a")
    found = prediction.held_out("lost ~ C(name)", data, data["customer"])
    with pytest.raises(NotEstimable, match="the same in all 480 rows"):
        discrimination.auc(found, data["lost"], data["customer"])


def test_held_out_depends_on_the_seed_and_not_on_the_order_of_rows():
    data = visits()
    labels = "c" + data["customer"].astype(str)
    found = prediction.held_out(FORMULA, data, labels, seed=4)
    order = np.random.default_rng(0).permutation(len(data))
    shuffled = prediction.held_out(FORMULA, data.iloc[order], labels.iloc[order], seed=4)
    assert shuffled == pytest.approx(found[order], rel=1e-9)
    assert (prediction.held_out(FORMULA, data, labels, seed=4) == found).all()
    assert not np.allclose(prediction.held_out(FORMULA, data, labels, seed=5), found)


def test_what_cannot_be_held_out_is_refused():
    data = visits(n=10)
    for folds in (1, 11):
        with pytest.raises(ValueError, match="folds must be between 2 and 10"):
            prediction.held_out(FORMULA, data, data["customer"], folds=folds)
    with pytest.raises(ValueError, match="60 rows does not differ outside one of 5 folds"):
        only = data.assign(lost=(data["customer"] == 3).astype(int))
        prediction.held_out(FORMULA, only, data["customer"])
    with pytest.raises(ValueError, match="needs a customer and an outcome"):
        prediction.held_out(FORMULA, data, data["customer"].where(data.index > 0))
    with pytest.raises(ValueError, match="needs a customer and an outcome"):
        prediction.held_out(FORMULA, data, data["customer"].tolist()[1:])
    with pytest.raises(ValueError, match="needs a customer and an outcome"):
        holes = data.assign(lost=data["lost"].where(data.index > 0))
        prediction.held_out(FORMULA, holes, data["customer"])
    with pytest.raises(ValueError, match="lacks a value of score"):
        holes = data.assign(score=data["score"].where(data.index > 0))
        prediction.held_out("lost ~ score", holes, data["customer"])
    with pytest.raises(ValueError, match='"lost" must be 0 or 1'):
        prediction.held_out(FORMULA, data.assign(lost=2), data["customer"])
    with pytest.raises(ValueError, match="must begin with the column"):
        prediction.held_out("left ~ score", data, data["customer"])


def test_walk_forward_equals_a_logit_of_what_was_known():
    data = visits().assign(known=lambda each: each["date"] + 2)
    found = prediction.walk_forward(FORMULA, data, "date", "known", least=1)
    assert np.isnan(found[data["date"] < 2]).all()
    for date in range(2, 6):
        past, today = data["date"] <= date - 2, data["date"] == date
        expected = smf.logit(FORMULA, data[past]).fit(disp=False).predict(data[today])
        assert found[today] == pytest.approx(expected.to_numpy(), rel=1e-6)


def test_walk_forward_never_uses_an_outcome_before_it_was_known():
    data = visits().assign(known=lambda each: each["date"] + 1 + each["customer"] % 3)
    found = prediction.walk_forward(FORMULA, data, "date", "known")
    for date in range(1, 6):
        later = data["known"] > date
        for outcome in (1 - data["lost"], data["lost"] * np.nan):
            changed = data.assign(lost=data["lost"].where(~later, outcome))
            other = prediction.walk_forward(FORMULA, changed, "date", "known")
            until = data["date"] <= date
            assert np.array_equal(other[until], found[until], equal_nan=True)
    flipped = data.assign(lost=data["lost"].where(data["known"] > 3, 1 - data["lost"]))
    other = prediction.walk_forward(FORMULA, flipped, "date", "known")
    assert not np.allclose(other[data["date"] == 3], found[data["date"] == 3])


def test_walk_forward_waits_until_enough_are_known_to_be_lost():
    data = visits().assign(known=lambda each: each["date"] + 1)
    by_date = data.groupby("date")["lost"].sum().cumsum().shift(fill_value=0)
    least = int(by_date[3])
    found = prediction.walk_forward("lost ~ score", data, "date", "known", least=least)
    assert np.array_equal(np.isnan(found), data["date"] < 3)
    later = prediction.walk_forward("lost ~ score", data, "date", "known", least=least + 1)
    assert np.array_equal(np.isnan(later), data["date"] < 4)
    everybody = prediction.walk_forward("lost ~ score", data.assign(lost=1), "date", "known")
    assert np.isnan(everybody).all()


def test_walk_forward_by_calendar_dates():
    data = visits().assign(known=lambda each: each["date"] + 2)
    day = {
        name: pd.Timestamp("2024-01-31") + pd.to_timedelta(7 * data[name], "D")
        for name in ("date", "known")
    }
    expected = prediction.walk_forward(FORMULA, data, "date", "known")
    found = prediction.walk_forward(FORMULA, data.assign(**day), "date", "known")
    assert np.array_equal(found, expected, equal_nan=True)
    unknown = data.assign(**day).assign(known=pd.NaT)
    assert np.isnan(prediction.walk_forward(FORMULA, unknown, "date", "known")).all()


def test_an_outcome_known_before_its_date_is_refused():
    data = visits().assign(known=lambda each: each["date"])
    with pytest.raises(ValueError, match='"known" must be later than "date"'):
        prediction.walk_forward(FORMULA, data, "date", "known")


def test_rows_without_an_outcome_are_predicted_and_never_fitted():
    data = visits().assign(known=lambda each: each["date"] + 2)
    unknown = data["customer"] % 5 == 0
    holes = data.assign(lost=data["lost"].where(~unknown))
    found = prediction.walk_forward(FORMULA, holes, "date", "known")
    expected = prediction.walk_forward(FORMULA, data[~unknown], "date", "known")
    assert np.array_equal(found[~unknown], expected, equal_nan=True)
    assert np.isfinite(found[unknown & (data["date"] == 5)]).all()


@pytest.mark.filterwarnings("error")
def test_a_category_that_appears_later_counts_as_the_reference():
    data = visits().assign(known=lambda each: each["date"] + 1)
    data["segment"] = data["segment"].where(data["date"] < 5, "truck")
    private = data.assign(segment=data["segment"].replace("truck", "private"))
    found = prediction.walk_forward(FORMULA, data, "date", "known")
    expected = prediction.walk_forward(FORMULA, private, "date", "known")
    assert found == pytest.approx(expected, nan_ok=True)


# --- the first k


@pytest.mark.parametrize(
    ("count", "k", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_first_has_the_wilson_intervals_of_newcombe_1998(count, k, low, high):
    """Table I of Statistics in Medicine 17, 857-872."""
    score = np.r_[np.full(k, 2), np.ones(50)]
    lost = np.arange(k + 50) < count
    found = prediction.first(score, lost, k)
    assert found.estimate == pytest.approx(count / k, abs=2e-6)
    assert (found.ci_low, found.ci_high) == pytest.approx((low, high), abs=5e-5)
    assert (found.n_obs, found.scale) == (k, "logit")
    assert found.p_value(found.ci_high) == pytest.approx(0.05, rel=1e-4)


def test_first_and_caught_by_hand():
    score, lost = [9, 7, 7, 7, 5, 1], [1, 1, 0, 0, 1, 0]
    assert prediction.first(score, lost, 1).estimate == pytest.approx(1, abs=2e-6)
    assert prediction.first(score, lost, 3).estimate == pytest.approx((1 + 2 / 3) / 3)
    assert prediction.caught(score, lost, 3) == pytest.approx((1 + 2 / 3) / 3)
    assert prediction.first(score, lost, 5).estimate == pytest.approx(3 / 5)
    assert [prediction.caught(score, lost, k) for k in (1, 4, 5, 6)] == pytest.approx(
        [1 / 3, 2 / 3, 1, 1]
    )


@properties
@given(TIED, st.integers(0, 1000))
def test_ties_at_the_border_count_as_the_average_over_their_order(rows, seed):
    score, lost = np.array(rows).T
    assume(lost.any())
    k, rng = 1 + len(rows) // 3, np.random.default_rng(seed)
    draws = [np.lexsort([rng.random(len(rows)), -score])[:k] for _ in range(400)]
    shares = [lost[each].mean() for each in draws]
    found = prediction.first(score, lost, k).estimate
    assert found == pytest.approx(np.mean(shares), abs=4.5 * np.std(shares) / 20 + 2e-6)
    assert prediction.caught(score, lost, k) == pytest.approx(found * k / lost.sum(), abs=1e-4)


def test_first_and_caught_refuse_what_they_cannot_tell():
    for k in (0, 4):
        with pytest.raises(ValueError, match="k must be between 1 and 3"):
            prediction.first([1, 2, 3], [0, 1, 0], k)
    with pytest.raises(ValueError, match="Nobody was lost"):
        prediction.caught([1, 2, 3], [0, 0, 0], 2)


# --- calibration


def test_calibration_by_hand():
    found = prediction.calibration([0.1, 0.4, 0.2, 0.3], [0, 1, 0, 1], groups=2)
    assert found["predicted"].tolist() == pytest.approx([0.15, 0.35])
    assert found["observed"].tolist() == [0, 1]
    assert found["customers"].tolist() == [2, 2]
    far = Z**2 / (2 + Z**2)  # Wilson's end for none of 2
    assert found["ci_low"].tolist() == pytest.approx([0, 1 - far])
    assert found["ci_high"].tolist() == pytest.approx([far, 1])


def test_true_probabilities_are_calibrated_and_others_are_not():
    rng = np.random.default_rng(5)
    truth = rng.beta(1, 4, 20_000)
    lost = rng.random(20_000) < truth
    found = prediction.calibration(truth, lost, 10)
    assert (found["customers"] == 2000).all()
    assert found["predicted"].is_monotonic_increasing
    assert found["predicted"].between(found["ci_low"], found["ci_high"]).sum() >= 9
    bold = prediction.calibration(special.expit(2 * special.logit(truth)), lost, 10)
    assert bold["predicted"].between(bold["ci_low"], bold["ci_high"]).sum() <= 3


@properties
@given(TIED, st.integers(1, 6))
def test_groups_keep_equal_probabilities_together_and_every_customer(rows, groups):
    score, lost = np.array(rows).T
    probability = (score + 4) / 8
    found = prediction.calibration(probability, lost, groups)
    assert found["customers"].sum() == len(rows)
    assert found["observed"] @ found["customers"] == pytest.approx(lost.sum())
    assert found["predicted"] @ found["customers"] == pytest.approx(probability.sum())
    order = np.random.default_rng(0).permutation(len(rows))
    again = prediction.calibration(probability[order], lost[order], groups)
    pd.testing.assert_frame_equal(again, found)


def test_calibration_refuses_what_is_no_probability():
    with pytest.raises(ValueError, match="between 0 and 1"):
        prediction.calibration([0.1, 1.2], [0, 1], groups=1)
    with pytest.raises(ValueError, match="groups must be between 1 and 2, not 3"):
        prediction.calibration([0.1, 0.2], [0, 1], groups=3)


# --- labels, and data that allow no estimate


def test_series_are_paired_by_their_labels():
    data = visits(seed=4).set_axis([f"row{i}" for i in range(360)])
    columns = [data[name] for name in ("score", "base", "lost", "customer")]
    mixed = [each.sample(frac=1, random_state=i) for i, each in enumerate(columns)]
    gain = discrimination.auc_gain(*columns)
    assert discrimination.auc_gain(*mixed).estimate == pytest.approx(gain.estimate, abs=1e-12)
    area = discrimination.auc(data["score"], data["lost"], data["customer"])
    assert discrimination.auc(mixed[0], mixed[2], mixed[3]).se == pytest.approx(area.se, rel=1e-9)
    risk = prediction.held_out(FORMULA, data, data["customer"])
    assert prediction.held_out(FORMULA, data, mixed[3]) == pytest.approx(risk)
    chance = pd.Series(risk, data.index)
    table = prediction.calibration(chance, data["lost"], 10)
    pd.testing.assert_frame_equal(prediction.calibration(chance[::-1], data["lost"], 10), table)
    first = prediction.first(chance, data["lost"], 30)
    assert prediction.first(chance, mixed[2], 30) == first


def test_series_with_other_labels_are_refused():
    data = visits()
    with pytest.raises(ValueError, match="same labels"):
        discrimination.auc(data["score"], data["lost"].set_axis(range(1, 361)))
    with pytest.raises(ValueError, match="plain arrays"):
        discrimination.auc(data["score"], data["lost"][::-1], data["customer"].to_numpy())
    twice = data.set_axis([0, *range(359)])
    with pytest.raises(ValueError, match="each of them once"):
        discrimination.auc(twice["score"], twice["lost"][::-1])


def test_two_scores_that_put_all_lost_first_have_no_gain_to_judge():
    lost = np.repeat([1, 0], 10)
    with pytest.raises(NotEstimable, match="the others of 20 customers alike"):
        discrimination.auc_gain(lost + np.arange(20) / 99, lost, lost)


def test_a_category_of_whom_nobody_was_lost_counts_as_the_reference():
    data = visits(n=120, seed=5)
    data["kind"] = np.where(data["customer"] % 10 == 0, "never", "usual")
    data.loc[data["kind"] == "never", "lost"] = 0
    found = prediction.held_out("lost ~ score + kind", data, data["customer"])
    other = prediction.held_out("lost ~ score", data, data["customer"])
    assert found == pytest.approx(other)
    assert 0.001 < found.min() < found.max() < 0.999


def test_too_few_lost_for_the_columns_are_refused_or_waited_for():
    data = visits(n=40, seed=6)
    data["lost"] = (data.index % 60 == 0).astype(int)
    terms = " + ".join(f"np.sin({i + 1} * score)" for i in range(6))
    with pytest.raises(
        NotEstimable, match=r"Only [34] of .* rows have the outcome above 0; 6 coef"
    ):
        prediction.held_out(f"lost ~ {terms}", data, data["customer"])
    data["known"] = data["date"] + 0.5
    found = prediction.walk_forward(f"lost ~ {terms}", data, "date", "known", least=1)
    assert np.isnan(found).all()


@pytest.mark.parametrize("kept", [[1, 2, 3, 4], [1.5, 2.5, 3.5, 4.5]])
def test_customers_who_all_add_the_same_leave_an_auc_without_an_error(kept):
    """Each has a lost and a kept row with the same score: the interval had no width."""
    score, lost = [1, 2, 3, 4, *kept], [1] * 4 + [0] * 4
    with pytest.raises(NotEstimable, match="All of 4 customers add the same to the AUC"):
        discrimination.auc(score, lost, [1, 2, 3, 4] * 2)
    assert discrimination.auc(score, lost).se > 0
