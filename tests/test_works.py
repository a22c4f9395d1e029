"""Works on site: hand-made stations, scipy's own test, full enumeration, planted effects."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.cohorts import service_works
from analysis.statistics.regression import models

N_COVERAGE = 300
MC_ERROR = np.sqrt(0.95 * 0.05 / N_COVERAGE)
properties = settings(max_examples=25)


def answers(*rows):
    """Return answers on works from (station, wave, satisfaction, quality, communication)."""
    names = ["station_id", "wave", "satisfaction", "works_quality", "works_communication"]
    return pd.DataFrame(rows, columns=names)


def simulated(effect=0.0, slope=0.5, seed=0, informing=6, others=10, n=30):
    """Return answers of two waves: noise of customers, and of stations that is theirs alone.

    Communication rises by 4 points at the informing stations and satisfaction by `effect`;
    quality rises by a point there and lifts satisfaction by `slope`.
    """
    rng = np.random.default_rng(seed)
    stations = informing + others
    station = np.repeat(np.arange(stations), 2 * n)
    after = np.tile(np.repeat([0, 1], n), stations)
    told = (station < informing) * after
    quality = 6 + told + rng.normal(size=len(station))
    shock = 0.4 * rng.normal(size=(stations, 2))[station, after]
    satisfaction = 3 + slope * quality + effect * told + shock + rng.normal(size=len(station))
    return pd.DataFrame(
        {
            "station_id": station,
            "wave": after + 1,
            "satisfaction": satisfaction,
            "works_quality": quality,
            "works_communication": 3 + 4 * told + rng.normal(size=len(station)),
        }
    )


def stations(informing, others):
    """Return changes of satisfaction at stations, as from `service_works.station_changes`."""
    informs = [True] * len(informing) + [False] * len(others)
    return pd.DataFrame({"satisfaction": [*informing, *others], "informs": informs})


# --- changes of stations


def test_changes_are_differences_of_means_where_quality_is_equal():
    rows = answers(
        *[("A", 1, 4.0, 7, 2), ("A", 1, 5.0, 7, 3), ("A", 1, 6.0, 7, 4)],
        *[("A", 2, 8.0, 7, 8), ("A", 2, 8.5, 7, 7), ("A", 2, 9.0, 7, 6)],
        *[("B", 1, 5.0, 7, 3), ("B", 1, 5.0, 7, 4), ("B", 1, 5.0, 7, 5)],
        *[("B", 2, 4.0, 7, 5), ("B", 2, 5.0, 7, 4), ("B", 2, 6.0, 7, 6), ("B", 2, 5.0, 7, 5)],
    )
    found = service_works.station_changes(rows)
    assert list(found.columns) == service_works.COLUMNS
    assert found.loc["A"].tolist() == [3, 3, 4.0, 3.5, 3.5, True]
    assert found.loc["B"].tolist() == [3, 4, 1.0, 0.0, 0.0, False]
    assert service_works.station_changes(rows, rise=1)["informs"].tolist() == [True, True]
    assert service_works.station_changes(rows, rise=4.1)["informs"].tolist() == [False, False]


def test_quality_that_rose_is_taken_out():
    """Within station and wave a point of quality is 0.5; quality alone rises, at A by 4."""
    quality = {("A", 1): 3, ("A", 2): 7, ("B", 1): 5, ("B", 2): 6}
    rows = answers(
        *[
            (station, wave, 2 + 0.5 * (level + step), level + step, 5)
            for (station, wave), level in quality.items()
            for step in (-1, 0, 1)
        ]
    )
    assert service_works.station_changes(rows)["satisfaction"].to_numpy() == pytest.approx([0, 0])
    rows.loc[(rows["station_id"] == "A") & (rows["wave"] == 2), "satisfaction"] += 1.5
    assert service_works.station_changes(rows)["satisfaction"].to_numpy() == pytest.approx([1.5, 0])
    same = service_works.station_changes(rows.assign(satisfaction=8.0))
    assert same["satisfaction"].tolist() == [0, 0]


def test_quality_that_lifts_everything_is_not_taken_for_communication():
    rows = simulated(effect=0.0, slope=0.8, seed=1, informing=40, others=40)
    found = service_works.difference(service_works.station_changes(rows), 1.0)
    assert found.ci_low < 0 < found.ci_high
    assert abs(found.estimate) < 0.3
    raw = service_works.difference(service_works.station_changes(rows.assign(works_quality=5)), 1.0)
    assert raw.estimate == pytest.approx(0.8, abs=0.4)
    assert raw.ci_low > 0


def test_the_last_wave_is_compared_with_the_one_before():
    rows = simulated(seed=2, informing=2, others=2)
    first = rows[rows["wave"] == 1].assign(wave=0, satisfaction=99.0, works_communication=0.0)
    three = pd.concat([first, rows])
    assert service_works.waves_asked(three) == [0, 1, 2]
    pd.testing.assert_frame_equal(
        service_works.station_changes(three), service_works.station_changes(rows)
    )
    earlier = service_works.station_changes(three, back=1)
    assert earlier["satisfaction"].max() < -50
    assert service_works.station_changes(rows, back=1).empty


def test_stations_with_too_few_answers_in_a_wave_are_left_out():
    rows = simulated(seed=3, informing=3, others=3, n=service_works.MIN_ANSWERS)
    assert len(service_works.station_changes(rows)) == 6
    once = rows.drop(index=rows.index[(rows["station_id"] == 0) & (rows["wave"] == 1)][0])
    unknown = once.copy()
    unknown.loc[unknown["station_id"] == 4, "works_quality"] = np.nan
    gone = unknown[(unknown["station_id"] != 5) | (unknown["wave"] == 1)]
    for each, left in ((once, [1, 2, 3, 4, 5]), (unknown, [1, 2, 3, 5]), (gone, [1, 2, 3])):
        assert service_works.station_changes(each).index.tolist() == left


# --- what came to the stations as well


def with_mood(jump=0.0, trend=0.0, seed=0, effect=0.0, stations=40):
    """Return three waves of customers with works and without: a mood at the informing stations.

    Satisfaction rises there by `jump` in the last wave, and by `trend` from wave to wave.
    """
    rng = np.random.default_rng(seed)
    n = 40 * stations
    frames = []
    for wave in (1, 2, 3):
        station = rng.integers(0, stations, n)
        informing, had_works = station % 2 == 0, rng.random(n) < 0.5
        told = informing & (wave == 3)
        mood = jump * told + trend * wave * informing
        quality = rng.normal(size=n)
        score = 6 + mood + had_works * (0.3 * quality + effect * told) + rng.normal(size=n)
        frames.append(
            pd.DataFrame(
                {
                    "station_id": station,
                    "wave": wave,
                    "satisfaction": score,
                    "had_works": had_works,
                    "works_quality": np.where(had_works, quality, np.nan),
                    "works_communication": np.where(had_works, 3 + 4 * told, np.nan),
                }
            )
        )
    return pd.concat(frames)


def three_ways(rows):
    """Return the difference, less customers without works, and less the waves before."""
    yes, no = rows[rows["had_works"]], rows[~rows["had_works"]]
    changes = service_works.station_changes(yes)
    effect = service_works.difference(changes, 1.0)
    placebo = service_works.placebo_changes(no, service_works.waves_asked(yes)[-2:])
    before = service_works.station_changes(yes, back=1)["satisfaction"]
    return [effect] + [
        service_works.difference_or_open(service_works.net_of(changes, each), 1.0, effect)
        for each in (placebo, before)
    ]


def test_a_mood_that_comes_with_the_informing_is_taken_off_by_customers_without_works():
    effect, without, _ = three_ways(with_mood(jump=1.0, effect=0.5, seed=1))
    assert effect.estimate == pytest.approx(1.5, abs=4 * effect.se)
    assert effect.ci_low > 0.8
    assert without.estimate == pytest.approx(0.5, abs=4 * without.se)
    assert without.ci_high < 1.2


def test_a_trend_of_the_stations_is_taken_off_by_the_waves_before():
    effect, without, before = three_ways(with_mood(trend=1.0, seed=2))
    assert effect.ci_low > 0.6
    for each in (without, before):
        assert each.estimate == pytest.approx(0.0, abs=4 * each.se)
        assert each.ci_high < 0.6


def test_an_effect_stays_where_there_is_no_mood():
    for each in three_ways(with_mood(effect=1.0, seed=3)):
        assert each.estimate == pytest.approx(1.0, abs=4 * each.se)
        assert each.ci_low > 0.2


def test_placebo_changes_are_differences_of_means_of_stations_with_enough_answers():
    rows = pd.DataFrame(
        [("A", 1, 4.0), ("A", 1, 5.0), ("A", 1, 6.0), ("A", 2, 7.0), ("A", 2, 7.0), ("A", 2, 10.0)]
        + [
            ("B", 1, 4.0),
            ("B", 1, 5.0),
            ("B", 1, None),
            ("B", 2, 7.0),
            ("B", 2, 7.0),
            ("B", 2, 1.0),
        ]
        + [("C", 1, 4.0)] * 3,
        columns=["station_id", "wave", "satisfaction"],
    )
    assert service_works.placebo_changes(rows, [1, 2]).to_dict() == {"A": 3.0}
    assert service_works.placebo_changes(rows.head(0), [1, 2]).empty
    assert service_works.placebo_changes(rows, [2, 3]).empty


def test_stations_without_a_counterpart_are_left_out_and_few_tell_nothing():
    changes = stations([1.0, 2.0, 3.0], [0.0, 0.5, 1.0])
    net = service_works.net_of(changes, pd.Series({0: 0.5, 1: 0.5, 3: 1.0, 4: 0.0, 5: 0.0, 9: 7.0}))
    assert net["satisfaction"].to_dict() == {0: 0.5, 1: 1.5, 3: -1.0, 4: 0.5, 5: 1.0}
    effect = service_works.difference(changes, 1.0)
    few = service_works.difference_or_open(net, 1.0, effect)
    assert (few.estimate, few.ci_low, few.ci_high) == (effect.estimate, -np.inf, np.inf)
    none = service_works.difference_or_open(
        service_works.net_of(changes, pd.Series(dtype=float)), 1.0, effect
    )
    assert none.ci_high == np.inf
    assert service_works.difference_or_open(changes, 1.0, effect) == effect


# --- what is lacking


def test_one_wave_cannot_be_compared():
    rows = simulated()
    single = rows[rows["wave"] == 1]
    changes = service_works.station_changes(single)
    assert changes.empty
    assert list(changes.columns) == service_works.COLUMNS
    assert service_works.lacking(single, changes) == [
        "It needs two waves of answers on works; there is only one."
    ]


def test_nobody_with_works_cannot_be_compared():
    nobody = simulated().head(0)
    assert service_works.lacking(nobody, service_works.station_changes(nobody)) == [
        "It needs two waves of answers on works; there is none."
    ]


def test_a_wave_without_complete_answers_does_not_count():
    rows = simulated()
    rows.loc[rows["wave"] == 2, "works_quality"] = np.nan
    changes = service_works.station_changes(rows)
    assert service_works.lacking(rows, changes) == [
        "It needs two waves of answers on works; there is only one."
    ]


def test_what_is_lacking_is_said():
    rows = simulated(informing=2, others=5)
    assert service_works.lacking(rows, service_works.station_changes(rows)) == [
        "2 stations with enough answers began to inform and 5 did not; 3 of each are needed."
    ]
    assert service_works.lacking(rows, stations([1.0] * 3, [0.5] * 3)) == [
        "Satisfaction changed alike at all stations of a kind."
    ]
    assert service_works.lacking(rows, stations([1.0, 1.0, 1.5], [0.5] * 3)) == []
    enough = simulated(informing=3, others=3)
    assert service_works.lacking(enough, service_works.station_changes(enough)) == []


# --- the comparison


@properties
@given(
    st.lists(st.floats(-3, 3), min_size=2, max_size=9),
    st.lists(st.floats(-3, 3), min_size=2, max_size=9),
    st.floats(0.2, 5),
)
def test_difference_is_scipys_welch_test(informing, others, spread):
    informing[0], others[0] = informing[0] + 7, others[0] + 7  # not all the same
    test = stats.ttest_ind(np.divide(informing, spread), np.divide(others, spread), equal_var=False)
    interval = test.confidence_interval()
    found = service_works.difference(stations(informing, others), spread)
    mean = (np.mean(informing) - np.mean(others)) / spread
    assert found.estimate == pytest.approx(mean, abs=1e-12)
    assert [found.ci_low, found.ci_high] == pytest.approx([interval.low, interval.high])
    assert found.df == pytest.approx(test.df)
    assert found.p_value(0) == pytest.approx(test.pvalue)
    assert found.n_obs == len(informing) + len(others)


@pytest.mark.parametrize("shape", [(3, 3), (3, 6), (4, 5)])
def test_permutation_p_is_that_of_all_arrangements(shape):
    rng = np.random.default_rng(sum(shape))
    one, other = rng.normal(1, 1, shape[0]), rng.normal(0, 1, shape[1])
    together = np.concatenate([one, other])
    gaps = []
    for chosen in combinations(range(sum(shape)), shape[0]):
        inside = np.isin(range(sum(shape)), chosen)
        gaps.append(abs(together[inside].mean() - together[~inside].mean()))
    expected = np.mean(np.array(gaps) >= gaps[0] - 1e-12)
    assert service_works.permutation_p(stations(one, other)) == pytest.approx(expected)


def test_permutation_p_of_many_stations_is_close_to_welch_and_the_same_again():
    rng = np.random.default_rng(5)
    changes = stations(rng.normal(0.4, 1, 30), rng.normal(0, 1, 30))
    found = service_works.permutation_p(changes, seed=1)
    assert found == pytest.approx(service_works.difference(changes, 1.0).p_value(0), abs=0.02)
    assert found == service_works.permutation_p(changes, seed=1)


def test_the_planted_effect_is_found():
    changes = service_works.station_changes(simulated(effect=0.6, seed=6, informing=60, others=60))
    found = service_works.difference(changes, 2.0)
    assert found.ci_low > 0
    assert found.estimate == pytest.approx(0.3, abs=4 * found.se)
    assert service_works.permutation_p(changes) < 0.01


@pytest.mark.slow
def test_stations_cover_the_effect_where_customers_cover_far_too_little():
    hits = np.zeros(2)
    for seed in range(N_COVERAGE):
        rows = simulated(effect=0.5, seed=100 + seed)
        by_station = service_works.difference(service_works.station_changes(rows), 1.0)
        rows["told"] = (rows["station_id"] < 6).astype(int)
        fit = models.ols("satisfaction ~ told * wave + works_quality", rows)
        by_customer = models.contrast(fit, "told:wave")
        hits += [e.ci_low <= 0.5 <= e.ci_high for e in (by_station, by_customer)]
    by_station, by_customer = hits / N_COVERAGE
    assert abs(by_station - 0.95) < 3 * MC_ERROR
    assert by_customer < 0.75


def test_a_mood_is_said_to_be_taken_out_only_where_it_is():
    both = service_works.moods_in_words([service_works.at_once(), service_works.before()])
    assert "takes out what came at the same time to all customers of a station and what" in both
    assert "too few" not in both
    one = service_works.moods_in_words([service_works.before()])
    assert "takes out what was on its way in the waves before." in one
    assert "can't be told from what came at the same time to all customers of a station" in one
    none = service_works.moods_in_words({})
    assert "takes out" not in none
    assert "all customers of a station or what was on its way in the waves before: too few" in none
