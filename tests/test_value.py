"""Concentration, classes, scores and stages: closed forms, hand tables, properties."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.statistics.estimate import NotEstimable
from analysis.statistics.value import concentration, customer_segments

N_COVERAGE = 300
MC_ERROR = np.sqrt(0.95 * 0.05 / N_COVERAGE)

amounts = st.lists(st.integers(0, 10_000), min_size=2, max_size=60).filter(
    lambda each: sum(x > 0 for x in each) >= 2
)
properties = settings(max_examples=60)


def lognormal(n, sigma, seed=0):
    return np.random.default_rng(seed).lognormal(0, sigma, n)


# --- Lorenz curve and concentration


def test_lorenz_by_hand():
    found = concentration.lorenz([20, 0, 50, 30])
    assert found["share_customers"].tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert found["share_sales"].tolist() == [0, 0.5, 0.8, 1, 1]


@properties
@given(amounts)
def test_lorenz_is_concave_and_above_the_diagonal(sales):
    curve = concentration.lorenz(sales)
    steps = np.diff(curve["share_sales"])
    assert (np.diff(steps) <= 1e-12).all()
    assert (curve["share_sales"] >= curve["share_customers"] - 1e-12).all()
    assert curve.iloc[-1].tolist() == [1, 1]


@properties
@given(amounts)
def test_gini_is_twice_the_area_between_curve_and_diagonal(sales):
    curve = concentration.lorenz(sales)
    area = np.trapezoid(curve["share_sales"], curve["share_customers"])
    assert concentration.gini_coefficient(sales) == pytest.approx(2 * area - 1, abs=1e-9)


def test_jackknife_equals_leaving_each_customer_out():
    sales = lognormal(40, 1.0)
    full = concentration.concentration(sales, n_boot=2).gini
    left = [
        concentration.concentration(np.delete(sales, i), n_boot=2).gini.estimate for i in range(40)
    ]
    se = np.sqrt(39 / 40 * ((left - np.mean(left)) ** 2).sum())
    assert full.se == pytest.approx(se / (full.estimate * (1 - full.estimate)))


@properties
@given(amounts, st.floats(0.01, 1000), st.randoms(use_true_random=False))
def test_concentration_ignores_currency_and_order(sales, price, random):
    sales = [*sales, *range(1, 41)]
    other = [price * each for each in sales]
    random.shuffle(other)
    try:
        before, after = (concentration.concentration(each, n_boot=2) for each in (sales, other))
    except NotEstimable:  # one customer has so much that the draws tell no error
        return
    for name in ("gini", "top20_share", "a_share", "b_share", "c_share"):
        assert getattr(before, name).estimate == pytest.approx(
            getattr(after, name).estimate, abs=1e-9
        )


@properties
@given(st.integers(2, 50), st.floats(0.1, 1e6))
def test_equal_customers_are_not_concentrated_and_tell_no_error(n, sales):
    assert concentration.gini_coefficient(np.full(n, sales)) == pytest.approx(0, abs=1e-12)
    for function in (concentration.concentration, concentration.tail_index):
        with pytest.raises(NotEstimable, match=f"{n} (customers|of them)|of {n} customers"):
            function(np.full(n, sales))


def test_a_share_with_a_kink_has_a_range_on_both_sides():
    """Of 80 x 1 and 20 x 4 the best fifth bring half, the most that it can be with these two.

    With 13 or 28 customers who buy for 4, which is as likely as not, it is 43% to 46%.
    """
    found = concentration.concentration(np.repeat([1.0, 4.0], [80, 20])).top20_share
    assert found.estimate == pytest.approx(0.5)
    assert 0.38 < found.ci_low < 0.44
    assert found.ci_high > 0.5


@pytest.mark.slow
@pytest.mark.parametrize("of_four", [0.15, 0.25])
def test_coverage_of_the_share_of_customers_who_buy_for_two_amounts(of_four):
    rng, held = np.random.default_rng(3), 0
    top = (4 * min(of_four, 0.2) + max(0.2 - of_four, 0)) / (4 * of_four + 1 - of_four)
    for seed in range(200):
        sales = np.where(rng.random(100) < of_four, 4.0, 1.0)
        found = concentration.concentration(sales, n_boot=199, seed=seed).top20_share
        held += found.ci_low <= top <= found.ci_high
    assert held >= 185  # 95% of 200 less 1.6 standard errors; without the bootstrap's own 147


def test_two_customers_tell_no_error_of_a_gini_coefficient():
    assert concentration.gini_coefficient([30, 10]) == pytest.approx(0.25)
    with pytest.raises(NotEstimable, match="2 customers tell no error"):
        concentration.concentration([30, 10])


@properties
@given(amounts)
def test_no_interval_of_concentration_is_without_a_width(sales):
    try:
        found = concentration.concentration(sales, n_boot=19)
    except NotEstimable:
        return
    for each in vars(found).values():
        assert 0 < each.ci_low < each.ci_high < 1


@pytest.mark.parametrize("sigma", [0.5, 1.0, 1.5])
def test_concentration_of_lognormal_sales_equals_closed_form(sigma):
    """Reference: the Lorenz curve of a log-normal is Phi(sigma + Phi^-1(share))."""
    found = concentration.concentration(lognormal(100_000, sigma, seed=1), n_boot=99)
    normal = stats.norm
    a, b = normal.cdf(normal.ppf([0.55, 0.85]) - sigma)
    truth = {
        "gini": 2 * normal.cdf(sigma / np.sqrt(2)) - 1,
        "top20_share": normal.cdf(sigma + normal.ppf(0.20)),
        "a_share": a,
        "b_share": b - a,
        "c_share": 1 - b,
    }
    for name, expected in truth.items():
        estimate = getattr(found, name)
        distance = stats.logistic.ppf(estimate.estimate) - stats.logistic.ppf(expected)
        assert abs(distance) < 4 * estimate.se
        assert estimate.estimate == pytest.approx(expected, rel=0.05)


def test_bootstrap_error_equals_resampled_customers():
    sales, rng = lognormal(300, 1.0, seed=2), np.random.default_rng(3)
    found = concentration.concentration(sales, n_boot=2000).top20_share
    draws = []
    for _ in range(2000):
        curve = concentration.lorenz(rng.choice(sales, 300))
        draws.append(np.interp(0.2, curve["share_customers"], curve["share_sales"]))
    expected = np.std(draws) / (found.estimate * (1 - found.estimate))
    assert found.se == pytest.approx(expected, rel=0.08)  # two bootstraps of 2000


def test_concentration_is_the_same_again_by_seed():
    sales = lognormal(200, 1.0)
    assert concentration.concentration(sales, seed=5) == concentration.concentration(sales, seed=5)
    assert concentration.concentration(sales, seed=5) != concentration.concentration(sales, seed=6)


def test_short_windows_manufacture_concentration():
    """Identical customers with two visits a month, by the length of the window."""
    for months, gini in ((1, 0.39), (3, 0.23), (12, 0.12)):
        visits = np.random.default_rng(months).poisson(2 * months, 50_000)
        found = concentration.concentration(visits, n_boot=2).gini
        assert found.estimate == pytest.approx(gini, abs=0.01)


@pytest.mark.parametrize(
    ("sales", "sentence"),
    [
        ([1, -2, 3], "not negative"),
        ([1, np.nan, 3], "must be known"),
        ([0, 0, 0], "at least 2 customers"),
        ([5], "at least 2 customers"),
    ],
)
def test_impossible_sales_are_refused(sales, sentence):
    with pytest.raises(ValueError, match=sentence):
        concentration.concentration(sales)


@pytest.mark.slow
def test_coverage_of_the_concentration_of_lognormal_sales():
    """Nominal 95%; 94 to 95% for 1500 log-normal customers, less for heavier tails."""
    normal, hits = stats.norm, np.zeros(3)
    truth = [2 * normal.cdf(1 / np.sqrt(2)) - 1, normal.cdf(1 + normal.ppf(0.2))]
    truth.append(normal.cdf(normal.ppf(0.55) - 1))
    for seed in range(N_COVERAGE):
        found = concentration.concentration(
            lognormal(1500, 1.0, 1000 + seed), n_boot=199, seed=seed
        )
        each = (found.gini, found.top20_share, found.a_share)
        hits += [e.ci_low <= t <= e.ci_high for e, t in zip(each, truth, strict=True)]
    covered = hits / N_COVERAGE
    assert covered.min() > 0.95 - 4 * MC_ERROR
    assert covered.max() < 0.95 + 4 * MC_ERROR


# --- classes


def test_classes_by_hand():
    sales = pd.Series([10, 40, 0, 20, 30], index=list("abcde"))
    found = customer_segments.abc_classes(sales)
    # from the largest: 40 (to 40%), 30 (passes 55%), 20 (passes 85%), 10, 0
    assert found.to_dict() == {"b": "A", "e": "A", "d": "B", "a": "C", "c": "C"}
    assert found.cat.ordered
    assert found.cat.categories.tolist() == ["A", "B", "C"]


def test_whoever_ends_on_the_limit_ends_the_class():
    assert customer_segments.abc_classes(pd.Series([55, 30, 15])).tolist() == ["A", "B", "C"]
    assert customer_segments.abc_classes(pd.Series([0.55, 0.30, 0.15])).tolist() == ["A", "B", "C"]


def test_tiers_stand_for_one_customer_and_for_none():
    assert customer_segments.tiers(pd.Series([55.0, 30, 15], ["x", "y", "z"])).to_dict() == {
        "x": "A", "y": "B", "z": "C",
    }  # fmt: skip
    assert customer_segments.tiers(pd.Series([0.0], ["x"])).to_dict() == {"x": "A"}
    assert customer_segments.tiers(pd.Series([], dtype=float)).empty
    assert customer_segments.abc_classes(pd.Series([25, 25, 25, 25])).tolist() == [
        "A",
        "A",
        "A",
        "B",
    ]


@properties
@given(amounts)
def test_classes_partition_customers_at_the_limits(sales):
    sales = pd.Series(sales, dtype=float)
    classes = customer_segments.abc_classes(sales)
    assert classes.notna().all()
    total = sales.sum()
    for limit, upper in ((0.55, classes == "A"), (0.85, classes != "C")):
        assert sales[upper].sum() >= limit * total * (1 - 1e-9)
        assert sales[upper].sum() - sales[upper].min() < limit * total
        assert sales[upper].min() >= sales[~upper].max() or upper.all()
    assert (classes[sales == 0] == "C").all()


@properties
@given(amounts)
def test_class_a_is_the_smooth_share_rounded_up(sales):
    curve = concentration.lorenz(sales)
    found = np.interp(0.55, curve["share_sales"], curve["share_customers"]) * len(sales)
    assert (customer_segments.abc_classes(pd.Series(sales)) == "A").sum() == np.ceil(found - 1e-6)


def test_class_table_by_hand():
    found = customer_segments.abc_table(pd.Series([10, 40, 0, 20, 30]))
    expected = pd.DataFrame(
        {
            "customers": [2, 1, 2],
            "share_customers": [0.4, 0.2, 0.4],
            "sales": [70, 20, 10],
            "share_sales": [0.7, 0.2, 0.1],
            "lowest_sales": [30, 20, 0],
            "mean_sales": [35.0, 20.0, 5.0],
        },
        index=["A", "B", "C"],
    )
    pd.testing.assert_frame_equal(found, expected, check_names=False, check_dtype=False)


def test_migration_by_hand():
    before = customer_segments.abc_classes(pd.Series([40, 30, 20, 10, 0], index=list("vwxyz")))
    after = pd.Series(pd.Categorical(["A", "C", "B", "A"], list("ABC")), index=list("vwxn"))
    found = customer_segments.migration(before, after)
    assert found.columns.tolist() == ["A", "B", "C", "none"]
    assert found.loc["A"].tolist() == [0.5, 0, 0.5, 0]
    assert found.loc["B"].tolist() == [0, 1, 0, 0]
    assert found.loc["C"].tolist() == [0, 0, 0, 1]


@properties
@given(amounts, amounts)
def test_migration_rows_add_up(first, second):
    before, after = (customer_segments.abc_classes(pd.Series(each)) for each in (first, second))
    rows = customer_segments.migration(before, after).sum(axis=1)
    assert rows[before.unique()].to_numpy() == pytest.approx(1)


# --- segments


def sorted_out(rows, weeks=52):
    return customer_segments.segments(
        pd.DataFrame(rows, columns=["recency_days", "purchases"]), weeks
    )


def test_every_segment_follows_its_breaks():
    rows = [
        (28, 52), (0, 300), (29, 52), (28, 51), (91, 12), (28, 11), (0, 1), (29, 11), (91, 2),
        (92, 12), (300, 60), (92, 11), (363, 1),
    ]  # fmt: skip
    found = sorted_out(rows)
    assert found["segment"].tolist() == [
        "champions", "champions", "loyal", "loyal", "loyal", "new or occasional",
        "new or occasional", "drifting", "drifting", "at risk", "at risk", "lost", "lost",
    ]  # fmt: skip
    assert found["recency"].astype(str).tolist()[:5] == [
        "lately", "lately", "a while ago", "lately", "a while ago",
    ]  # fmt: skip
    assert found["frequency"].cat.ordered


def test_purchases_count_for_a_year():
    assert sorted_out([(1, 6)], weeks=26).loc[0, "segment"] == "loyal"
    assert sorted_out([(1, 5)], weeks=26).loc[0, "segment"] == "new or occasional"


@properties
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(1, 400)), min_size=1, max_size=40),
       st.floats(0.5, 104))  # fmt: skip
def test_everybody_is_in_a_segment_and_who_bought_once_is_never_loyal(rows, weeks):
    found = sorted_out(rows, weeks)
    names = {each["name"] for each in customer_segments.segment_rules()["segments"]}
    assert set(found["segment"]) <= names
    once = found["segment"][[purchases == 1 for _, purchases in rows]]
    assert not once.isin(["champions", "loyal", "at risk"]).any()


@pytest.mark.parametrize("share", [0.5, 0.8, 0.9, 1.0])
def test_where_most_bought_once_they_are_still_seldom(share):
    rng, n = np.random.default_rng(1), 2_000
    once = np.arange(n) < share * n
    rows = {"recency_days": rng.integers(1, 400, n), "purchases": rng.integers(12, 60, n)}
    rows = pd.DataFrame(rows).assign(purchases=lambda x: x["purchases"].mask(once, 1))
    found = customer_segments.segments(rows, 52)
    assert (found["segment"].isin(["champions", "loyal", "at risk"]) == ~once).all()


def test_the_breaks_are_said_in_words():
    assert customer_segments.breaks_in_words() == (
        "Last purchase: lately within 28 days, a while ago within 91, long ago before that. "
        "Purchases in 52 weeks: seldom fewer than 12, or a single one, often fewer than 52, very "
        "often 52 or more."
    )


def test_segments_add_up_by_hand():
    customers = pd.DataFrame({"sales": [10.0, 30, 60], "visits": [1, 2, 60]})
    found = customer_segments.segment_table(pd.Series(["lost", "lost", "champions"]), customers)
    assert found.index.tolist() == ["champions", "lost"]
    assert found["customers"].tolist() == [1, 2]
    assert found["share_of_sales"].tolist() == [0.6, 0.4]
    assert found["median_visits"].tolist() == [60, 1.5]
    assert found["who"].tolist() == [
        "come very often, and came lately", "came seldom or once, long ago",
    ]  # fmt: skip


def test_segments_need_every_value():
    with pytest.raises(ValueError, match="every customer"):
        sorted_out([(1, np.nan)])


# --- stages


def stages(rows, forming_days=180):
    table = pd.DataFrame(rows, columns=["first", "second", "tenure"], dtype=float)
    return customer_segments.lifecycle_stage(
        table["first"], table["second"], table["tenure"], forming_days
    )


def test_stages_by_hand():
    rows = [
        (100, 100, 400),  # 1.00 of the expected
        (100, 119, 400),  # 1.19
        (100, 121, 400),  # 1.21
        (100, 81, 400),
        (100, 79, 400),
        (100, 0, 400),
        (0, 100, 400),
        (0, 0, 400),
        (0, 50, 20),
        (10, 0, 179),
        (0, 0, 20),
        (300, 300, 180),
    ]
    found = stages(rows)  # those no longer forming bought 900 in either half
    assert found.cat.categories.tolist() == ["forming", "growing", "mature", "declining"]
    expected = ["mature", "mature", "growing", "mature", "declining", "declining", "growing"]
    expected += ["none", "forming", "forming", "none", "mature"]
    assert found.astype(object).fillna("none").tolist() == expected


def test_customers_are_forming_for_as_long_as_is_said():
    rows = [(100, 100, 70), (100, 140, 70), (100, 60, 70)]
    assert stages(rows, forming_days=60).tolist() == ["mature", "growing", "declining"]
    assert stages(rows).tolist() == ["forming"] * 3


def test_new_customers_do_not_make_the_others_decline():
    """The yardstick is those who were there in both halves, not the whole total."""
    rows = [(100, 100, 500)] * 5 + [(0, 100, 60)] * 5
    assert stages(rows).tolist() == ["mature"] * 5 + ["forming"] * 5


def test_impossible_volumes_are_refused():
    with pytest.raises(ValueError, match="not negative"):
        stages([(1, -1, 500)])
    with pytest.raises(NotEstimable, match="one of the two halves"):
        stages([(1, 0, 500), (2, 0, 500)])


@properties
@given(
    st.lists(
        st.tuples(st.integers(1, 500), st.integers(0, 500), st.integers(0, 900)),
        min_size=5,
        max_size=40,
    ),
    st.sampled_from([0.25, 0.5, 2.0, 4.0]),
)
def test_stages_ignore_season(rows, season):
    rows = [*rows, (10, 10, 500)]
    winter = [(first, season * second, tenure) for first, second, tenure in rows]
    assert stages(rows).equals(stages(winter))


@pytest.mark.parametrize("index", [1.3, 2.0, 3.0])
def test_tail_index_of_pareto_sales(index):
    rng = np.random.default_rng(9)
    found = [concentration.tail_index(rng.pareto(index, 3000) + 1) for _ in range(200)]
    held = np.mean([each.ci_low <= index <= each.ci_high for each in found])
    assert np.mean([each.estimate for each in found]) == pytest.approx(index, rel=0.02)
    assert held == pytest.approx(0.95, abs=3 * np.sqrt(0.95 * 0.05 / 200) + 0.01)


def test_tail_index_of_few_buyers_has_a_positive_interval():
    """One customer of five is the tail: log 8 apart from the next, with a relative error of 1."""
    found = concentration.tail_index([8.0, 1.0, 1.0, 1.0, 1.0])
    expected = np.array([1.0, np.exp(-1.959964), np.exp(1.959964)]) / np.log(8)
    assert [found.estimate, found.ci_low, found.ci_high] == pytest.approx(expected, rel=1e-6)


def test_concentration_that_a_longer_window_would_lower_is_said():
    """The same buyers, 2 purchases a year each by chance: the window makes most of it."""
    rng = np.random.default_rng(4)
    half, more = rng.poisson(1.0, (2, 4000))
    ginis = [concentration.gini_coefficient(each) for each in (half, half + more)]
    assert ginis == pytest.approx([0.524, 0.387], abs=0.02)  # Poisson's, of means 1 and 2
    (said,) = concentration.unsettled(*ginis)
    assert said.startswith("The Gini coefficient still falls by 2")
    assert concentration.unsettled(0.634, 0.613) == concentration.unsettled(0.5, 0.6) == []
    assert concentration.unsettled(np.nan, 0.6) == concentration.unsettled(0.0, 0.6) == []
    (said,) = concentration.unsettled(0.69, 0.58)
    assert "by 16%, from 0.69 in 6 months to 0.58 in 12" in said


@pytest.mark.parametrize(("days", "n", "weeks"), [(-1, 1, 52), (1, 0, 52), (1, 1, 0)])
def test_a_time_that_can_not_be_is_no_segment(days, n, weeks):
    people = pd.DataFrame({"recency_days": [days, 400], "purchases": [n, 2]})
    with pytest.raises(ValueError, match="Recency must be 0 or more"):
        customer_segments.segments(people, weeks)


def test_an_infinite_volume_is_no_stage():
    volumes = pd.Series([1.0, np.inf]), pd.Series([1.0, 1.0]), pd.Series([400, 400])
    with pytest.raises(ValueError, match="or infinite"):
        customer_segments.lifecycle_stage(*volumes, forming_days=182)
