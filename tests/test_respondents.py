"""Who answered: waves, scores and fillings, by hand and on the example."""

import functools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.claims import checks
from analysis.cohorts import answer_quality
from analysis.cohorts import survey as respondents
from analysis.data.contract import SCALES, TABLES
from analysis.language import named
from analysis.statistics.estimate import NotEstimable
from analysis.statistics.regression.controls import design
from simulation.drawing.tables import draw
from simulation.rehearsal import region_of
from simulation.scenes import _NO_EFFECT
from simulation.world import World

START = pd.Timestamp("2024-09-01")
ITEMS = list(respondents.RATINGS)
numbers = st.one_of(st.none(), st.integers(1, 10))
UNDIRECTED = ", ".join(map(named, answer_quality.UNDIRECTED))


@functools.cache
def example():
    return draw(World(), 500, 5)


@functools.cache
def completed(seed=3):
    people = respondents.table(region_of(example()))
    return people, respondents.imputed(people, seed)


def surveyed(rows, **columns):
    """Return a region in which these customers answered all ratings alike on these days."""
    survey = pd.DataFrame(rows, columns=["customer_id", "answered_on", "rating"])
    rating = survey.pop("rating").to_numpy()
    survey = survey.assign(**dict.fromkeys(ITEMS, rating)).assign(**columns)
    customers = survey[["customer_id"]].drop_duplicates()
    people = customers.assign(region="Example", joined_on=START - pd.Timedelta(days=366))
    lines = customers.assign(bought_at=START + pd.Timedelta(hours=8), amount=1.0)
    return region_of({"customers": people, "survey": survey, "transactions": lines})


def day(number):
    return START + pd.Timedelta(days=number)


# --- answers and waves


def test_four_weeks_without_answers_end_a_wave():
    here = surveyed([("a", day(0), 5), ("b", day(28), 5), ("c", day(57), 5)])
    assert respondents.by_wave(here)["wave"].to_dict() == {"a": 1, "b": 1, "c": 2}


def test_the_latest_of_two_answers_in_a_wave_counts_and_undated_ones_do_not():
    rows = [("a", day(9), 7), ("a", day(3), 2), ("a", day(80), 4), ("b", pd.NaT, 9)]
    found = respondents.by_wave(surveyed(rows))
    assert found.index.tolist() == ["a", "a"]
    assert found["wave"].tolist() == [1, 2]
    assert found["performance"].tolist() == [7, 4]


@settings(max_examples=15)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 300)), min_size=1, max_size=12))
def test_waves_lie_apart_and_hold_nobody_twice(rows):
    found = respondents.by_wave(surveyed([(who, day(when), 5) for who, when in rows]))
    days = np.unique([when for _, when in rows])
    assert found["wave"].max() == 1 + (np.diff(days) > 28).sum()
    assert not found.reset_index().duplicated(["customer_id", "wave"]).any()
    ends = found.groupby("wave")["answered_on"].agg(["min", "max"])
    assert ((ends["min"].shift(-1) - ends["max"]).dropna() > pd.Timedelta(days=28)).all()
    assert (
        found.groupby(level=0)["answered_on"].apply(lambda each: each.is_monotonic_increasing).all()
    )


def test_the_table_has_the_latest_answers_and_traits():
    here = surveyed([("a", day(90), 7), ("a", day(0), 2), ("b", pd.NaT, 9)])
    found = respondents.table(here)
    assert found["performance"].to_dict() == {"a": 7, "b": 9}
    assert found.loc["a", "log_tenure"] == pytest.approx(np.log1p((366 + 90) / 365.25))
    assert np.isnan(found.loc["b", "log_tenure"])
    assert found["segment"].tolist() == ["unknown", "unknown"]


def test_who_answered_less_than_half_of_what_was_asked_is_left_out():
    never = dict.fromkeys(("loyalty_2", "loyalty_3"), np.nan)
    here = surveyed([("a", day(0), 5), ("b", day(0), 5), ("c", day(0), 5)], **never)
    asked = [name for name in ITEMS if name not in never]
    survey = here.survey.copy()
    survey.loc[1, asked[: len(asked) // 2]] = np.nan
    survey.loc[2, asked[: len(asked) // 2 + 1]] = np.nan
    tables = {"customers": here.customers, "survey": survey}
    here = region_of(tables | {"transactions": here.purchases.to_pandas()})
    assert len(asked) == 16
    assert respondents.table(here).index.tolist() == ["a", "b"]


# --- scores


def test_scores_by_hand():
    rows = pd.DataFrame([np.arange(len(ITEMS)) % 10 + 1.0, np.full(len(ITEMS), 4.0)], columns=ITEMS)
    found = respondents.scored(rows).loc[0]
    value = rows.loc[0, list(respondents.VALUES)].mean()
    cost = rows.loc[0, list(respondents.COSTS)].mean()
    assert (found["gap"], found["surplus"], found["shortfall"]) == (1, 1, 0)
    assert (found["total_value"], found["total_cost"]) == (value, cost)
    assert found["delivered"] == value - cost == -4
    assert found["service"] == (found["added_service"] + found["personnel_value"]) / 2
    assert found["satisfaction"] == rows.loc[0, list(SCALES["satisfaction"])].mean()
    assert found["z_delivered"] == pytest.approx(-1 / np.sqrt(2))


def test_a_shortfall_is_as_large_as_the_gap_is_negative():
    people = completed()[1][0]
    assert (people["surplus"] - people["shortfall"]).tolist() == people["gap"].tolist()
    assert (people["surplus"] * people["shortfall"] == 0).all()


@given(st.lists(numbers, min_size=1, max_size=30))
def test_standardised_values_have_mean_0_and_spread_1_or_are_all_0(values):
    frame = pd.DataFrame({"x": pd.Series(values, dtype=float)})
    found = respondents.standardised(frame, ["x"])["z_x"]
    known = frame["x"].dropna()
    assert found.isna().tolist() == frame["x"].isna().tolist()
    if known.nunique() > 1:
        assert [found.mean(), found.std()] == pytest.approx([0, 1], abs=1e-9)
    else:
        assert (found.dropna() == 0).all()


def test_centred_ratings_are_0_in_the_middle_of_the_scale():
    frame = pd.DataFrame({"performance": [1.0, 5.5, 10.0]})
    found = respondents.centred(frame, ["performance"])["c_performance"]
    assert found.tolist() == pytest.approx([-1, 0, 1])


@pytest.mark.parametrize("without", [(), ("survey.loyalty_3", "survey.satisfaction_1")])
def test_mixes_times_ratings_are_the_scores(without):
    people = respondents.table(region_of(example(), without))
    names = ["satisfaction", "loyalty", "delivered", "service", "expectation"]
    asked = [name for name in ITEMS if people[name].notna().any()]
    whole = respondents.scored(people).dropna(subset=asked)
    for name, weights in respondents.mixes(people, names).items():
        made = sum(weight * whole[item] for item, weight in weights.items())
        assert made.to_numpy() == pytest.approx(whole[name].to_numpy())
    assert len(whole) > 50


# --- the same item again


def two_waves(n, reliability, seed=1, **columns):
    """Return two waves of an item that keeps this share of its variance."""
    rng = np.random.default_rng(seed)
    truth = np.sqrt(reliability) * rng.normal(size=n)
    noise = np.sqrt(1 - reliability) * rng.normal(size=(2, n))
    waves = [pd.DataFrame({"x": truth + noise[i], "wave": i + 1}) for i in (0, 1)]
    return pd.concat(waves).assign(**columns)


def test_retest_finds_the_planted_reliability():
    found = respondents.retest(two_waves(20_000, 0.6), ["x"])
    assert found["x"] == pytest.approx(0.6, abs=4 * (1 - 0.6**2) / np.sqrt(20_000))


def test_retest_compares_the_last_two_waves_only():
    answers = two_waves(500, 0.9)
    first = answers[answers["wave"] == 1].assign(x=0.0)
    later = answers.assign(wave=answers["wave"] + 1)
    found = respondents.retest(pd.concat([first, later]), ["x"])
    assert found == respondents.retest(answers, ["x"])


def test_retest_says_nothing_of_few_customers_or_of_items_that_do_not_repeat():
    assert respondents.retest(two_waves(49, 0.9), ["x"]) == {}
    assert respondents.retest(two_waves(500, 0.0), ["x"]) == {}
    alike = two_waves(500, 0.9, same=4.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        assert respondents.retest(alike, ["same", "x"]) == {}
        assert respondents.retest(alike, ["x", "same"]) == {}


# --- missing answers


def test_imputed_ratings_are_complete_and_keep_what_was_answered():
    people, filled = completed()
    assert len(filled) == respondents.IMPUTATIONS
    gaps = people[ITEMS].isna()
    assert gaps.any(axis=1).mean() > 0.2
    for each in filled:
        assert each[ITEMS].notna().all(axis=None)
        assert (each[ITEMS].where(~gaps) == people[ITEMS]).where(~gaps, True).all(axis=None)
        assert each[ITEMS].isin(range(1, 11)).all(axis=None)
    first, second = (each[ITEMS].where(gaps).stack() for each in filled[:2])
    assert 0.2 < (first != second).mean() < 1


def test_scores_of_imputed_ratings_are_computed_anew():
    for each in completed()[1][:3]:
        assert each["gap"].tolist() == (each["performance"] - each["expectation"]).tolist()
        index = each[list(SCALES["satisfaction"])].mean(axis=1)
        assert each["satisfaction"].to_numpy() == pytest.approx(index.to_numpy())
        assert each["z_satisfaction"].std() == pytest.approx(1)


def test_the_same_seed_fills_the_same_answers():
    people, filled = completed()
    again, other = respondents.imputed(people, 3), respondents.imputed(people, 4)
    pd.testing.assert_frame_equal(again[7], filled[7])
    assert not other[7][ITEMS].equals(filled[7][ITEMS])


def test_what_nobody_was_asked_stays_empty():
    people = respondents.table(region_of(example(), ("survey.expectation",)))
    filled = respondents.imputed(people)[0]
    assert filled[["expectation", "gap", "z_expectation"]].isna().all(axis=None)
    assert filled["performance"].notna().all()


def test_few_answers_are_not_filled():
    people, _ = completed()
    few = people.head(respondents.MIN_FOR_IMPUTATION - 1)
    found = respondents.imputed(few)
    assert len(found) == 1
    assert found[0][ITEMS].isna().sum().sum() == few[ITEMS].isna().sum().sum() > 0


def test_answers_are_filled_where_customers_have_no_traits():
    hidden = ("customers.segment", "customers.area", "survey.channel")
    people = respondents.table(region_of(example(), hidden))
    assert respondents.imputed(people)[0][ITEMS].notna().all(axis=None)


# --- hardly anything there


def nothing(tables, *names):
    return tables | {name: tables[name].iloc[:0] for name in names}


@pytest.mark.parametrize(
    "tables",
    [
        nothing(example(), "survey"),
        nothing(example(), "complaints"),
        nothing(example(), "survey", "complaints"),
        draw(World(), 12, 3),
        draw(World(), 12, 4),
    ],
)
def test_little_data_gives_small_tables(tables):
    here = region_of(tables)
    people, waves = respondents.table(here), respondents.by_wave(here)
    assert len(people) == waves.index.nunique() <= len(tables["survey"])
    assert respondents.retest(waves, ["performance"]) == {} or len(waves) > 100
    filled = respondents.imputed(people)
    assert {len(each) for each in filled} == {len(people)}
    assert len(design(filled[0], respondents.TRAITS)) == len(people)


def test_thirds_are_thirds_even_where_scores_are_tied():
    scores = pd.Series([7.0] * 20 + [8.0] * 25 + [9.0] * 15, [f"c{i}" for i in range(60)])
    groups = respondents.thirds(scores, seed=3)
    assert groups.value_counts().to_dict() == dict.fromkeys(
        ["dissatisfied", "middle", "satisfied"], 20
    )
    assert set(groups[scores == 7.0]) == {"dissatisfied"}
    assert set(groups[scores == 9.0]) == {"satisfied"}
    pd.testing.assert_series_equal(groups, respondents.thirds(scores, seed=3))


# --- scales that are coded the other way round

CASE_22 = Path(__file__).parents[2] / "shared/cases/data/22-one-is-best/survey.csv"


@functools.cache
def answerers(style=0.0, n=1_000, effects=True, seed=5):
    world = replace(World() if effects else _NO_EFFECT, acquiescence=style)
    return respondents.table(region_of(draw(world, n, seed)))


def coding(people):
    return checks.coding(answer_quality.item_coding(people))


def turned(people, names):
    return people.assign(**{name: 11 - people[name] for name in names})


@pytest.mark.parametrize("style", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("effects", [True, False])
def test_scales_that_are_coded_alike_pass_with_weak_relations_and_a_style_of_answering(
    style, effects
):
    for seed in (5, 6):
        found = coding(answerers(style, 1_000, effects, seed))
        assert (found.passed, found.value) == (True, f"all 12; not compared: {UNDIRECTED}")


@pytest.mark.parametrize(
    ("scale", "names"),
    [
        ("satisfaction", SCALES["satisfaction"]),
        ("loyalty", SCALES["loyalty"]),
        ("performance", ["performance"]),
        ("image_value", ["image_value"]),
        ("time_cost", ["time_cost"]),
    ],
)
def test_the_scale_that_is_turned_is_named_with_its_worst_pair(scale, names):
    people = answerers()
    found = coding(turned(people, names))
    assert not found.passed
    assert found.blocking
    assert found.value.startswith(f"{named(scale)} goes against ")
    assert found.value.count("goes against") == 1
    word = found.value.split("most of all against ")[1].split(" (r")[0]
    other = next(name for name in respondents.scored(people) if named(name) == word)
    pair = respondents.scored(people)[[scale, other]].astype(float).corr()
    r = abs(float(found.value.split("r = ")[1][1:5]))
    assert abs(pair.iloc[0, 1]) == pytest.approx(r, abs=0.05)


def test_one_turned_item_of_a_scale_is_named():
    found = coding(turned(answerers(), ["satisfaction_2"]))
    assert not found.passed
    assert found.value.startswith(
        "satisfaction, item 2 goes against the rest of satisfaction (r = −0."
    )


def test_all_costs_turned_are_found_among_many():
    found = coding(turned(answerers(n=3_000), respondents.COSTS))
    assert not found.passed
    assert "satisfaction goes against" not in found.value
    assert "cost in money goes against" in found.value


def test_a_survey_that_is_turned_as_a_whole_is_told_from_who_would_recommend():
    """All scales agree with each other; on that of a recommendation 10 is the best everywhere."""
    people = answerers()
    likely = (2 * people["loyalty_1"] - 9).clip(0, 10)
    asked = people.assign(recommend=likely)
    assert coding(asked).passed
    scales = [name for name in ITEMS if name not in respondents.COSTS]
    for wrong in (turned(asked, ITEMS), turned(asked, scales), asked.assign(recommend=10 - likely)):
        found = coding(wrong)
        assert not found.passed
        assert "loyalty goes against would recommend (r = −0." in found.value
    assert coding(turned(people, ITEMS)).passed  # nothing tells


def test_two_scales_that_go_against_each_other_are_both_named():
    known = answerers()[["satisfaction_1", "performance"]]
    people = turned(known, ["satisfaction_1"]).reindex(columns=answerers().columns)
    found = coding(people)
    assert not found.passed
    assert found.value.count("goes against 1 of 1 other scales") == 2


def test_the_real_file_where_one_is_best_is_found():
    if not CASE_22.exists():
        pytest.skip("the cases that are shared between projects are not here")
    survey = pd.read_csv(CASE_22).reindex(columns=list(TABLES["survey"].columns))
    found = coding(survey)
    assert not found.passed
    assert found.value.startswith("satisfaction goes against 11 of 11 other scales")


def test_nothing_to_compare_is_no_failure():
    people = answerers()
    nothing = people.assign(**dict.fromkeys(ITEMS, np.nan))
    single = nothing.assign(satisfaction_1=people["satisfaction_1"])
    alike = people.assign(**dict.fromkeys(ITEMS, 7.0))
    for each in (nothing, single, alike, people.head(0), people.head(3)):
        assert coding(each).passed


# --- customers who tick one number throughout


def test_straight_are_those_with_one_number_for_values_and_costs():
    rows = {name: [5.0, 5.0, 5.0, np.nan] for name in respondents.VALUES}
    rows |= {name: [5.0, 5.0, np.nan, 5.0] for name in respondents.COSTS}
    people = pd.DataFrame(rows)
    people.loc[1, "time_cost"] = 4
    assert respondents.straightlined(people).tolist() == [True, False, False, False]
    people.loc[0, ["product_value", "time_cost", "money_cost"]] = np.nan
    assert respondents.straightlined(people).tolist() == [True, False, False, False]
    people.loc[0, "energy_cost"] = np.nan  # a single cost is left
    assert not respondents.straightlined(people).any()


def test_straight_customers_are_counted_where_good_and_bad_sides_were_asked():
    here = region_of(draw(World(), 120, 5))
    items = [*respondents.VALUES, *respondents.COSTS]
    straight = here.survey.index[here.survey["customer_id"].isin(here.survey["customer_id"][:1])]
    answers = here.survey
    answers.loc[straight, items] = 5.0
    here = here.with_tables(survey=answers)
    found = respondents.answers(here, 1)
    assert ". 1 gave values and costs one and the same number" in found.summary
    assert len(found.people) == len(found.everybody) - 1
    assert found.completed[0][items].notna().all(axis=None)
    here = here.with_tables(survey=here.survey.assign(**dict.fromkeys(respondents.COSTS, np.nan)))
    assert "not both asked" in respondents.answers(here, 2).summary


def test_answers_are_refused_where_there_are_none():
    here = region_of(draw(World(), 60, 5))
    with pytest.raises(NotEstimable, match="No customer answered"):
        respondents.answers(here.with_tables(survey=here.survey.head(0)), 1)


def test_hardly_anybody_is_straight_by_chance():
    assert respondents.straightlined(answerers(n=3_000)).mean() < 0.002


def test_a_gap_that_repeats_tells_its_reliability():
    rng, n = np.random.default_rng(8), 4_000
    true = rng.normal(size=n)
    waves = [
        pd.DataFrame(
            {"wave": wave, "performance": true + 0.5 * rng.normal(size=n), "expectation": 0.0}
        )
        for wave in (1, 2)
    ]
    found = respondents.gap_reliability(pd.concat(waves))
    assert (found.value, found.n) == (pytest.approx(0.8, abs=0.02), n)
    assert "4,000 customers" in found.source
    alone = respondents.gap_reliability(waves[0])
    assert (alone.value, alone.n) == (answer_quality.GAP_RELIABILITY, 0)
    assert "taken" in alone.source


def test_a_gap_that_does_not_repeat_has_the_reliability_that_was_measured():
    """Independent answers: no correlation, whatever is taken where nobody answered twice."""
    rng, n = np.random.default_rng(9), 4_000
    waves = [
        pd.DataFrame({"wave": wave, "performance": rng.normal(size=n), "expectation": 0.0})
        for wave in (1, 2)
    ]
    found = respondents.gap_reliability(pd.concat(waves))
    assert answer_quality.LEAST_RELIABILITY <= found.value < 4 / np.sqrt(n)
    assert found.n == n


def test_items_that_were_not_compared_are_named():
    rng = np.random.default_rng(2)
    liking = rng.normal(size=(300, 1))
    items = liking + rng.normal(size=(300, 3))
    names = ["satisfaction_1", "loyalty_1", "performance"]
    answers = pd.DataFrame(np.clip(np.round(6 + items), 1, 10), columns=names)
    columns = list(TABLES["survey"].columns)
    answers = answers.assign(expectation=5.0, price_sensitivity=rng.integers(1, 11, 300))
    found = coding(answers.reindex(columns=columns))
    assert found.passed
    assert found.value == "all 3; not compared: expectation, price sensitivity"
