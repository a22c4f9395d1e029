"""How many more customers it would take."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis import findings, power
from analysis.estimates import from_se
from analysis.findings import conclude
from analysis.hypotheses import hypothesis, register

(PART,) = hypothesis("H03").parts  # claimed to be at least 0.15


def test_at_the_needed_error_four_of_five_see_that_nothing_is_there():
    needed = 0.15 / (stats.norm.ppf(0.975) + stats.norm.ppf(0.8))
    assert power.factor(PART, from_se(0.3, needed, 100)) == pytest.approx(1)
    draws = needed * np.random.default_rng(0).standard_normal(200_000)
    misses = draws + stats.norm.ppf(0.975) * needed < 0.15
    assert misses.mean() == pytest.approx(0.8, abs=0.005)


def test_half_the_error_needs_four_times_the_customers():
    wide, narrow = (power.factor(PART, from_se(0.3, se, 100)) for se in (0.2, 0.1))
    assert wide / narrow == pytest.approx(4)


def test_the_distance_is_that_on_the_scale_of_the_part():
    ratio = next(part for part in hypothesis("H17").parts if part.scale == "log")
    se, edge = 0.1, np.log(ratio.claim.low)
    by_hand = (se * (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) / edge) ** 2
    assert power.factor(ratio, from_se(1.5, se, 100, scale="log")) == pytest.approx(by_hand)


def test_every_part_of_the_register_has_a_distance_unless_none_is_its_edge():
    for known in register().values():
        for part in known.parts:
            middle = 0.5 if part.scale == "logit" else 1.2
            times = power.factor(part, from_se(middle, 0.1, 100, scale=part.scale))
            edges = {part.claim.low, part.claim.high}
            assert np.isnan(times) if part.null in edges else times > 0


def test_the_part_that_needs_most_decides_and_customers_are_whole():
    effects = {"performance": from_se(0.4, 0.05, 500), "expectation": from_se(-0.4, 0.1, 500)}
    rows = [conclude(hypothesis("H01"), "s", "East", effects).record()]
    table = power.customers_needed(findings.tidy(rows), pd.Series({"East": 1_000, "West": 50}))
    times = power.factor(hypothesis("H01").parts[1], effects["expectation"])
    assert table.loc["H01", "East"] == np.ceil(1_000 * times)
    assert list(table.columns) == ["East"]
