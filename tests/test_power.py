"""How many more customers it would take."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from analysis.claims import findings, wording
from analysis.claims.across_regions import sample_size
from analysis.claims.finding import conclude
from analysis.claims.hypotheses import Range, hypothesis, register
from analysis.claims.verdicts import Check
from analysis.statistics.estimate import from_se

(PART,) = hypothesis("H03").parts  # claimed to be at least 0.15


def test_at_the_needed_error_four_of_five_see_that_nothing_is_there():
    needed = 0.15 / (stats.norm.ppf(0.975) + stats.norm.ppf(0.8))
    assert sample_size.factor(PART, from_se(0.3, needed, 100)) == pytest.approx(1)
    draws = needed * np.random.default_rng(0).standard_normal(200_000)
    misses = draws + stats.norm.ppf(0.975) * needed < 0.15
    assert misses.mean() == pytest.approx(0.8, abs=0.005)


def test_half_the_error_needs_four_times_the_customers():
    wide, narrow = (sample_size.factor(PART, from_se(0.3, se, 100)) for se in (0.2, 0.1))
    assert wide / narrow == pytest.approx(4)


def test_the_distance_is_that_on_the_scale_of_the_part():
    ratio = next(part for part in hypothesis("H17").parts if part.scale == "log")
    se, edge = 0.1, np.log(ratio.claim.low)
    by_hand = (se * (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) / edge) ** 2
    assert sample_size.factor(ratio, from_se(1.5, se, 100, scale="log")) == pytest.approx(by_hand)


def test_every_part_of_the_register_has_a_distance_unless_none_is_its_edge():
    for known in register().values():
        for part in known.parts:
            middle = 0.5 if part.scale == "logit" else 1.2
            times = sample_size.factor(part, from_se(middle, 0.1, 100, scale=part.scale))
            edges = {part.claim.low, part.claim.high}
            assert np.isnan(times) if part.null in edges else times > 0


def loss(region, effect=0.1, se=0.1, *found):
    effects = {"asymmetry": from_se(effect, se, 500)}
    return conclude(hypothesis("H03"), "s", region, effects, checks=found).record()


def test_the_part_that_needs_most_decides_and_customers_are_whole():
    effects = {"performance": from_se(0.4, 0.05, 500), "expectation": from_se(-0.4, 0.1, 500)}
    rows = [conclude(hypothesis("H01"), "s", "East", effects).record()]
    customers = pd.Series({"East": 1_000, "West": 50})
    table = sample_size.customers_needed(sample_size.times_needed(findings.tidy(rows)), customers)
    times = sample_size.factor(hypothesis("H01").parts[1], effects["expectation"])
    assert table.loc["H01", "East"] == np.ceil(1_000 * times)
    assert list(table.columns) == ["East"]


def test_only_what_is_known_of_all_regions_is_ranked():
    blocked = Check("Overlap", "at least 0.05", "0.01", False)
    works = {"communication": from_se(0.1, 0.2, 20)}
    rows = [loss("East"), loss("West", 0.1, 0.1, blocked)]
    rows += [conclude(hypothesis("H05"), "s", each, works).record() for each in ("East", "West")]
    for region, se in {"East": 0.30, "West": 0.01}.items():
        effects = {"price_sensitivity": from_se(0.1, se, 500)}
        rows.append(conclude(hypothesis("H07"), "s", region, effects).record())
    customers = pd.Series({"East": 1_000, "West": 50})
    times = sample_size.times_needed(findings.tidy(rows))
    needed = sample_size.customers_needed(times, customers)
    assert list(times.index) == ["H03", "H05", "H07"]
    assert list(needed.index) == ["H03", "H07"]  # errors of H05 shrink with stations
    table = sample_size.further(needed, customers)
    assert list(table.index) == ["H07", "H03"]
    assert table.loc["H07"].tolist() == [2, 2, needed.loc["H07", "East"] - 1_000]
    assert table.loc["H03", ["known", "regions"]].tolist() == [1, 2]
    assert np.isnan(table.loc["H03", "customers"])


def alike(tau, se, k):
    """k regions with equal errors whose effects lie so that Paule and Mandel find tau."""
    places = np.linspace(-1, 1, k)
    places *= np.sqrt((tau**2 + se**2) / places.var(ddof=1))
    return [from_se(each, se, 500) for each in places]


@given(st.floats(0, 0.3), st.floats(0.02, 0.5), st.integers(3, 12))
def test_regions_that_the_mean_needs_by_hand(tau, se, k):
    """With equal errors the variance of the mean is (se**2 + tau**2) / k."""
    found = sample_size.regions_needed(PART, alike(tau, se, k))
    spread = np.sqrt(tau**2 + se**2)
    for n, is_enough in ((found, True), (found - 1, False)):
        quantiles = stats.t.ppf(0.975, n - 1) + stats.t.ppf(0.8, n - 1)
        if n >= 3:
            assert (spread / np.sqrt(n) * quantiles <= 0.15 * (1 + 1e-6)) >= is_enough
            assert (spread / np.sqrt(n) * quantiles <= 0.15 * (1 - 1e-6)) <= is_enough


@given(st.floats(0, 0.3), st.floats(0.02, 0.5), st.integers(3, 12))
def test_customers_that_the_same_regions_need_by_hand(tau, se, k):
    """(se**2 / times + tau**2) / k is the variance that is needed, if tau leaves room for it."""
    needed = 0.15 / (stats.t.ppf(0.975, k - 1) + stats.t.ppf(0.8, k - 1))
    room = k * needed**2 - tau**2
    assume(abs(room) > 1e-5)
    found = sample_size.customers_factor(PART, alike(tau, se, k))
    assert found == (pytest.approx(se**2 / room, rel=1e-3) if room > 0 else np.inf)


def test_no_number_of_regions_tells_none_from_a_claim_that_begins_there():
    (part,) = hypothesis("H14").parts[:1]
    part = dataclasses.replace(part, claim=Range(part.null, np.inf))
    regions = [from_se(each, 0.1, 500, scale=part.scale) for each in (1.1, 1.2, 1.4)]
    assert np.isnan(sample_size.regions_needed(part, regions))
    assert np.isnan(sample_size.customers_factor(part, regions))


def test_a_level_is_never_nothing_and_has_no_direction():
    """Drivers' litres can't be 0: how many drivers would tell them from 0 says nothing."""
    effects = {"litres": (283, 15), "visits": (3.2, 0.2), "evening": (0.6, 0.05)}
    scales = {part.key: part.scale for part in hypothesis("H24").parts}
    effects = {key: from_se(*each, 40, scale=scales[key]) for key, each in effects.items()}
    record = conclude(hypothesis("H24"), "s", "East", effects).record()
    assert record["verdict"] == "inconclusive"
    assert sample_size.times_needed(findings.tidy([record])).isna().all(axis=None)
    assert "direction" not in wording.sentence(record)
