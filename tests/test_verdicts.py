"""The verdict rule, as properties and as error rates."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from analysis.claims.across_regions.families import _Column
from analysis.claims.hypotheses import Hypothesis, Part, Range
from analysis.claims.verdicts import Check, judge, judge_part, p_of_verdicts, p_value
from analysis.statistics.estimate import Estimate, from_se

TEXT = {"en": "x", "zh": "x"}
VERDICTS = {"supported", "too small to matter", "contradicted", "inconclusive"}
SESOI = 0.1


def part(claim=(SESOI, math.inf), negligible=(-SESOI, SESOI), key="effect"):
    band = Range(*negligible) if negligible else None
    return Part(key, TEXT, TEXT, "number", "identity", 0.0, Range(*claim), band)


def claim_of(*parts):
    return Hypothesis("H99", TEXT, TEXT, (), "", (), 0, parts)


def interval(low, high):
    return Estimate((low + high) / 2, low, high, 100)


numbers = st.floats(-2, 2, allow_nan=False)
ends = st.tuples(numbers, numbers).map(sorted)


@given(ends, ends, st.floats(0, 1))
def test_any_interval_has_exactly_one_verdict(found, claim, sesoi):
    rule = part(tuple(claim), (-sesoi, sesoi))
    assert judge_part(rule, interval(*found)) in VERDICTS
    inside = claim[0] <= found[0] and found[1] <= claim[1]
    assert (judge_part(rule, interval(*found)) == "supported") == inside


@given(ends, ends, st.floats(0, 1), st.integers(1, 4))
def test_a_flip_of_sign_changes_nothing(found, claim, sesoi, n_parts):
    there = part(tuple(claim), (-sesoi, sesoi))
    back = part((-claim[1], -claim[0]), (-sesoi, sesoi))
    flipped = interval(-found[1], -found[0])
    assert judge_part(there, interval(*found), n_parts) == judge_part(back, flipped, n_parts)


@given(ends)
def test_a_failed_blocking_check_caps_the_verdict(found):
    check = Check("rows", "at least 200", "12", passed=False)
    note = dataclasses.replace(check, blocking=False)
    claim, estimates = claim_of(part()), {"effect": interval(*found)}
    assert judge(claim, estimates, [check]) == "inconclusive"
    assert judge(claim, estimates, [note]) == judge(claim, estimates)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.1, 0.5, "supported"),
        (0.09, 0.5, "inconclusive"),
        (-0.1, 0.1, "too small to matter"),
        (-0.1, 0.11, "inconclusive"),
        (-0.5, -0.01, "contradicted"),
        (-0.5, 0.09, "contradicted"),
        (-0.5, 0.1, "inconclusive"),
        (-0.09, 0.09, "too small to matter"),
        (0.1, math.inf, "supported"),
        (-math.inf, math.inf, "inconclusive"),
    ],
)
def test_the_rule_case_by_case(low, high, verdict):
    assert judge_part(part(), Estimate(0.0, low, high, 10)) == verdict


def test_non_inferiority_and_bands():
    margin = part((-0.05, math.inf), None)
    assert judge_part(margin, interval(-0.04, 0.04)) == "supported"
    assert judge_part(margin, interval(-0.20, -0.06)) == "contradicted"
    band = part((5, 8), None)
    assert judge_part(band, interval(5.5, 7.5)) == "supported"
    assert judge_part(band, interval(8.5, 9)) == "contradicted"
    assert judge_part(band, interval(4, 9)) == "inconclusive"


def test_a_claim_holds_with_all_of_its_parts_and_falls_with_any():
    claim = claim_of(part(key="a"), part(key="b"))
    yes, no, open_ = interval(0.2, 0.4), interval(-0.9, -0.7), interval(0.0, 0.2)
    small = interval(-0.01, 0.01)
    assert judge(claim, {"a": yes, "b": yes}) == "supported"
    assert judge(claim, {"a": yes, "b": open_}) == "inconclusive"
    assert judge(claim, {"a": open_, "b": no}) == "contradicted"
    assert judge(claim, {"a": yes, "b": small}) == "too small to matter"
    assert judge(claim, {"a": small, "b": no}) == "contradicted"


# Measured and published shares of supported and contradicted, in percent, by SE and effect in
# units of the SESOI; "too small to matter" is one of the words for contradicted.
RULE_A = [
    (0.15, 0.0, 0, 100),
    (0.30, 0.0, 0, 92),
    (0.50, 0.0, 0, 52),
    (0.15, 1.0, 3, 3),
    (0.30, 1.0, 3, 3),
    (0.30, 1.5, 38, 0),
    (0.50, 2.0, 52, 0),
    (1.00, 3.0, 52, 0),
]


@pytest.mark.parametrize(("se", "effect", "supported", "contradicted"), RULE_A)
def test_error_rates_of_the_rule(se, effect, supported, contradicted):
    grid = stats.norm.ppf((np.arange(4000) + 0.5) / 4000, effect * SESOI, se * SESOI)
    verdicts = [judge_part(part(), from_se(x, se * SESOI, 9)) for x in grid]
    share = pd.Series(verdicts).value_counts(normalize=True).mul(100)
    fallen = share.get("contradicted", 0) + share.get("too small to matter", 0)
    assert share.get("supported", 0) == pytest.approx(supported, abs=1.0)
    assert fallen == pytest.approx(contradicted, abs=1.0)


def test_a_true_claim_of_three_parts_is_rarely_contradicted():
    claim = claim_of(*(part(negligible=None, key=key) for key in "abc"))
    rng, reps = np.random.default_rng(7), 2000
    draws = rng.normal(SESOI, 0.05, (reps, 3))  # every part exactly at the edge of its claim
    verdicts = [
        judge(claim, {k: from_se(x, 0.05, 9) for k, x in zip("abc", row, strict=True)})
        for row in draws
    ]
    limit = 0.025 + 3 * np.sqrt(0.025 * 0.975 / reps)
    assert np.mean([verdict == "contradicted" for verdict in verdicts]) <= limit


@given(ends, ends, st.floats(0.01, 1), st.integers(1, 3))
def test_a_verdict_is_given_where_its_p_is_below_five_percent(found, claim, sesoi, n_parts):
    parts = tuple(part(tuple(claim), (-sesoi, sesoi), key=f"part {i}") for i in range(n_parts))
    estimates = {each.key: interval(found[0], found[1] + 0.01) for each in parts}
    p = p_value(claim_of(*parts), estimates)
    assume(abs(p - 0.05) > 1e-6)
    assert (judge(claim_of(*parts), estimates) != "inconclusive") == (p < 0.05)


def test_the_p_of_a_verdict_by_hand():
    low = from_se(0.3, 0.1, 100)  # two errors above the edge of the claim
    assert p_value(claim_of(part()), {"effect": low}) == pytest.approx(2 * stats.norm.sf(2))
    two = claim_of(part(key="a"), part(key="b"))
    both = {"a": low, "b": from_se(0.6, 0.1, 100)}
    assert p_value(two, both) == pytest.approx(2 * stats.norm.sf(2))
    below = {"a": low, "b": from_se(-0.3, 0.1, 100)}  # four errors below the edge, of two parts
    assert p_value(two, below) == pytest.approx(2 * 2 * stats.norm.sf(4))


def test_a_verdict_does_not_stand_by_the_p_of_another_one():
    """The first part is clearly too small; what contradicts is the second, and that barely."""
    two = claim_of(part(key="a"), part(key="b"))
    found = {"a": from_se(0.0, 0.005, 100), "b": from_se(-0.132, 0.1, 100)}
    assert judge(two, found) == "contradicted"
    assert p_value(two, found) == pytest.approx(2 * 2 * stats.norm.sf(2.32))
    small = found | {"b": from_se(0.3, 0.001, 100)}
    assert judge(two, small) == "too small to matter"
    assert p_value(two, small) == pytest.approx(2 * 2 * stats.norm.sf(20))


@given(st.lists(st.tuples(ends, ends), min_size=1, max_size=6), st.floats(0.01, 1))
def test_many_regions_at_once_have_the_p_of_each(regions, sesoi):
    """Two parts with bands of different width, so that routes differ."""
    two = claim_of(part((sesoi, math.inf), (-sesoi, sesoi), "a"), part((-1, 1), None, "b"))
    wide = [[interval(low, high + 0.01) for low, high in each] for each in regions]
    found = [dict(zip("ab", each, strict=True)) for each in wide]
    columns = [
        _Column("identity", pd.DataFrame(list(map(vars, each)))) for each in zip(*wide, strict=True)
    ]
    p = p_of_verdicts(
        two.parts,
        columns,
        np.array([judge(two, each) for each in found]),
        np.array([[judge_part(k, each[k.key], 2) for each in found] for k in two.parts]),
    )
    assert p == pytest.approx([p_value(two, each) for each in found], rel=1e-9, abs=1e-300)
