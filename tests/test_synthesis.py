"""Pooled verdicts: who takes part, the family, and error rates of the whole rule."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.meta_analysis import combine_effects

from analysis import findings, pooling, synthesis
from analysis.estimates import from_se
from analysis.findings import conclude, no_finding
from analysis.hypotheses import hypothesis
from analysis.verdicts import Check

REGIONS = ["North 华北", "East 华东", "South 华南", "West 西部"]


def loss(effect, se, region, *checks):
    """H03: one part, supported from 0.15 on."""
    return conclude(
        hypothesis("H03"), "example", region, {"asymmetry": from_se(effect, se, 500)}, checks=checks
    )


def performance(first, second, se, region):
    """H01: two parts, at least 0.1 and at most -0.1."""
    effects = {"performance": from_se(first, se, 500), "expectation": from_se(second, se, 500)}
    return conclude(hypothesis("H01"), "example", region, effects)


def tidy(*found):
    return findings.tidy([each.record() for each in found])


def test_the_pooled_numbers_are_those_of_another_implementation():
    effects, se = np.array([0.30, 0.55, 0.12, 0.42]), np.array([0.05, 0.08, 0.06, 0.07])
    rows = zip(effects, se, REGIONS, strict=True)
    row = synthesis.pooled(tidy(*(loss(*each) for each in rows))).iloc[0]
    other = combine_effects(effects, se**2, method_re="pm", use_t=True)
    assert row["tau"] ** 2 == pytest.approx(other.tau2, rel=1e-4)
    assert row["estimate"] == pytest.approx(other.mean_effect_re, rel=1e-4)
    low, high = other.conf_int(use_t=True)[3]
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((low, high), rel=1e-3)


def test_what_failed_is_not_testable_or_blocked_is_named_and_not_pooled():
    blocked = Check("Overlap", "at least 0.05", "0.01", False)
    row = synthesis.pooled(
        tidy(
            *(loss(0.4, 0.05, region) for region in REGIONS[:3]),
            loss(-9.0, 0.01, "West 西部", blocked),
            no_finding(hypothesis("H03"), "example", "Far", "failed", "It broke."),
            no_finding(hypothesis("H03"), "example", "New", "not testable", "No survey."),
        )
    ).iloc[0]
    assert row["regions"] == "North 华北; East 华东; South 华南"
    assert row["left_out"] == "West 西部 (Overlap); Far (failed); New (not testable)"
    assert row["estimate"] == pytest.approx(0.4)
    assert row["verdict"] == "supported"


def test_two_regions_are_not_pooled_and_the_reason_is_said():
    row = synthesis.pooled(tidy(*(loss(0.4, 0.05, region) for region in REGIONS[:2]))).iloc[0]
    assert (row["verdict"], row["n_regions"]) == ("not testable", 2)
    assert row["reason"] == "2 of 2 regions can be pooled; 3 are needed."
    assert np.isnan(row["estimate"])
    assert not row["survives"]


def test_a_claim_of_two_parts_needs_both_and_counts_once_in_the_family():
    found = tidy(
        *(performance(0.4, -0.02, 0.05, region) for region in REGIONS),
        *(loss(0.4, 0.05, region) for region in REGIONS),
    )
    pools = synthesis.pooled(found)
    both = pools[pools["hypothesis"] == "H01"]
    assert both["verdict"].tolist() == ["too small to matter"] * 2
    assert both["part_verdict"].tolist() == ["supported", "too small to matter"]
    one = pools.drop_duplicates("hypothesis").sort_values("p_value")
    smaller, larger = one["p_value"]
    assert one["p_holm"].tolist() == pytest.approx([2 * smaller, max(2 * smaller, larger)])


def test_an_interval_without_an_end_takes_no_part():
    found = tidy(*(loss(0.4, 0.05, region) for region in REGIONS))
    found.loc[0, "ci_high"] = np.inf
    row = synthesis.pooled(found).iloc[0]
    assert row["n_regions"] == 3
    assert row["left_out"] == "North 华北 (an interval without an end)"


def test_each_source_is_pooled_by_itself():
    first = tidy(*(loss(0.4, 0.05, region) for region in REGIONS))
    second = first.assign(source="other", estimate=first["estimate"] - 1,
                          ci_low=first["ci_low"] - 1, ci_high=first["ci_high"] - 1)  # fmt: skip
    pools = synthesis.pooled(pd.concat([first, second], ignore_index=True))
    assert pools.set_index("source")["estimate"].to_dict() == pytest.approx(
        {"example": 0.4, "other": -0.6}
    )


def test_one_region_is_a_family_of_its_own():
    found = tidy(loss(0.4, 0.05, "East 华东"), performance(0.16, -0.5, 0.02, "East 华东"))
    own = synthesis.by_region(found).set_index("hypothesis")
    p = own["p_value"].sort_values()
    assert own.loc[p.index[0], "p_holm"] == pytest.approx(2 * p.iloc[0])
    assert own.loc[p.index[1], "p_holm"] == pytest.approx(max(2 * p.iloc[0], p.iloc[1]))
    assert own["survives"].all()


def test_the_grid_is_adjusted_over_regions_and_hypotheses_together():
    found = tidy(*(loss(0.10 + 0.1 * i, 0.05, region) for i, region in enumerate(REGIONS)))
    own = synthesis.by_region(found)
    p = np.sort(own["p_value"])
    by_hand = np.minimum.accumulate((p * len(p) / np.arange(1, len(p) + 1))[::-1])[::-1]
    assert np.sort(own["p_grid"]) == pytest.approx(np.minimum(by_hand, 1))


def test_no_findings_are_no_pools():
    assert synthesis.pooled(findings.tidy([])).empty
    assert synthesis.by_region(findings.tidy([])).empty


@pytest.mark.slow
def test_a_family_of_claims_at_their_boundary_is_wrong_in_few_runs():
    """All of 12 claims at the edge of what supports them: any wrong verdict in 5 % at most."""
    rng, k, runs, wrong = np.random.default_rng(5), 6, 60, 0
    keys, se = [f"claim {i}" for i in range(12)], 0.05
    for _ in range(runs):
        p_values = []
        for _ in keys:
            own = rng.normal(0.15, 0.04, k) + se * rng.standard_normal(k)
            pool = pooling.pool([from_se(each, se, 500) for each in own])
            p_values.append(synthesis.verdicts.p_value(hypothesis("H03"), {"asymmetry": pool}))
        table = pd.DataFrame({"source": "s", "hypothesis": keys, "p_value": p_values})
        wrong += synthesis._in_families(table, ["source"])["survives"].any()
    assert wrong / runs <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)


@pytest.mark.slow
def test_forty_parts_over_a_thousand_regions_are_pooled():
    rng, rows = np.random.default_rng(1), []
    for region in range(1_000):
        rows.append(loss(rng.normal(0.3, 0.1), 0.05, f"R{region}").record())
    found = findings.tidy(rows)
    many = pd.concat([found.assign(source=f"s{i}") for i in range(40)], ignore_index=True)
    pools = synthesis.pooled(many)
    assert len(pools) == 40
    assert pools["estimate"].nunique() == 1
    assert pools["tau"].iloc[0] == pytest.approx(0.1, abs=0.02)
