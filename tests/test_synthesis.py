"""Pooled verdicts: who takes part, the family, and error rates of the whole rule."""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects
from statsmodels.stats.multitest import multipletests

from analysis.claims import across_regions, checks, claim, findings
from analysis.claims.across_regions import across_regions_charts, families
from analysis.claims.finding import conclude, no_finding
from analysis.claims.hypotheses import hypothesis, register
from analysis.claims.verdicts import Check, judge, judge_part, p_value
from analysis.statistics import meta_analysis
from analysis.statistics.causal import sensitivity
from analysis.statistics.estimate import LINKS, from_se, on_scale
from analysis.statistics.regression import models
from simulation import draw, rehearsal
from simulation.pooled_regions import errors
from simulation.scenes import SCENES

SOME = ("R0", "R500", "R999")

REGIONS = ["North 华北", "East 华东", "South 华南", "West 西部"]


def loss(effect, se, region, *found):
    """H03: one part, supported from 0.15 on."""
    return conclude(
        hypothesis("H03"), "example", region, {"asymmetry": from_se(effect, se, 500)}, checks=found
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
    row = across_regions.pooled(tidy(*(loss(*each) for each in rows))).iloc[0]
    other = combine_effects(effects, se**2, method_re="pm", use_t=True)
    assert row["tau"] ** 2 == pytest.approx(other.tau2, rel=1e-4)
    assert row["estimate"] == pytest.approx(other.mean_effect_re, rel=1e-4)
    low, high = other.conf_int(use_t=True)[3]
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((low, high), rel=1e-3)


def test_what_failed_is_not_testable_or_blocked_is_named_and_not_pooled():
    blocked = Check("Overlap", "at least 0.05", "0.01", False)
    row = across_regions.pooled(
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
    row = across_regions.pooled(tidy(*(loss(0.4, 0.05, region) for region in REGIONS[:2]))).iloc[0]
    assert (row["verdict"], row["n_regions"]) == ("not testable", 2)
    assert row["reason"] == "2 of 2 regions can be pooled; 3 are needed."
    assert np.isnan(row["estimate"])
    assert not row["survives"]


def test_a_claim_of_two_parts_needs_both_and_counts_once_in_the_family():
    found = tidy(
        *(performance(0.4, -0.02, 0.05, region) for region in REGIONS),
        *(loss(0.4, 0.05, region) for region in REGIONS),
    )
    pools = across_regions.pooled(found)
    both = pools[pools["hypothesis"] == "H01"]
    assert both["verdict"].tolist() == ["too small to matter"] * 2
    assert both["part_verdict"].tolist() == ["supported", "too small to matter"]
    one = pools.drop_duplicates("hypothesis").sort_values("p_value")
    smaller, larger = one["p_value"]
    assert one["p_holm"].tolist() == pytest.approx([2 * smaller, max(2 * smaller, larger)])


def test_an_interval_without_an_end_takes_no_part():
    found = tidy(*(loss(0.4, 0.05, region) for region in REGIONS))
    found.loc[0, "ci_high"] = np.inf
    row = across_regions.pooled(found).iloc[0]
    assert row["n_regions"] == 3
    assert row["left_out"] == "North 华北 (an interval without an end)"


def test_a_finding_that_is_shown_twice_counts_once():
    found = tidy(*(loss(0.1 * i, 0.05, region) for i, region in enumerate(REGIONS)))
    twice = pd.concat([found, found.iloc[[1]]], ignore_index=True)
    for summary in (across_regions.pooled, across_regions.by_region):
        pd.testing.assert_frame_equal(summary(twice), summary(found))


def test_each_source_is_pooled_by_itself():
    first = tidy(*(loss(0.4, 0.05, region) for region in REGIONS))
    second = first.assign(source="other", estimate=first["estimate"] - 1,
                          ci_low=first["ci_low"] - 1, ci_high=first["ci_high"] - 1)  # fmt: skip
    pools = across_regions.pooled(pd.concat([first, second], ignore_index=True))
    assert pools.set_index("source")["estimate"].to_dict() == pytest.approx(
        {"example": 0.4, "other": -0.6}
    )


def test_one_region_is_a_family_of_its_own():
    found = tidy(loss(0.4, 0.05, "East 华东"), performance(0.16, -0.5, 0.02, "East 华东"))
    own = across_regions.by_region(found).set_index("hypothesis")
    p = own["p_value"].sort_values()
    assert own.loc[p.index[0], "p_holm"] == pytest.approx(2 * p.iloc[0])
    assert own.loc[p.index[1], "p_holm"] == pytest.approx(max(2 * p.iloc[0], p.iloc[1]))
    assert own["survives"].all()


def test_the_grid_is_adjusted_over_regions_and_hypotheses_together():
    found = tidy(*(loss(0.10 + 0.1 * i, 0.05, region) for i, region in enumerate(REGIONS)))
    own = across_regions.by_region(found)
    p = np.sort(own["p_value"])
    by_hand = np.minimum.accumulate((p * len(p) / np.arange(1, len(p) + 1))[::-1])[::-1]
    assert np.sort(own["p_grid"]) == pytest.approx(np.minimum(by_hand, 1))


@pytest.mark.parametrize("key", ["H03", "H06", "H12"])  # effects, logs of ratios, logits
def test_the_spread_between_many_regions_is_found(key):
    """Sixty regions of unequal size: tau to a quarter, with neither 0 nor its double in reach."""
    rng, tau, records = np.random.default_rng(4), 0.25, []
    for i, se in enumerate(errors(60)):
        effects = {
            part.key: from_se(LINKS[part.scale][1](rng.normal(0.4, np.hypot(tau, se))), se, 500,
                              scale=part.scale)
            for part in hypothesis(key).parts
        }  # fmt: skip
        records.append(conclude(hypothesis(key), "s", f"R{i}", effects).record())
    for row in across_regions.pooled(findings.tidy(records)).itertuples():
        assert row.n_regions == 60
        assert 0.75 * tau <= row.tau <= 1.25 * tau
        assert 0 < row.tau_low < tau < row.tau_high < 2 * tau
        assert row.q_p_value < 1e-6
        low, middle, high = (
            on_scale(each, row.scale) for each in (row.ci_low, row.estimate, row.ci_high)
        )
        assert low < 0.4 < high
        assert (high - low) / 2 == pytest.approx(2 * np.sqrt((tau**2 + 0.01) / 60), rel=0.25)
        assert middle == pytest.approx((low + high) / 2)


def test_no_findings_are_no_pools():
    assert across_regions.pooled(findings.tidy([])).empty
    assert across_regions.by_region(findings.tidy([])).empty


@pytest.mark.slow
def test_a_family_of_claims_at_their_boundary_is_wrong_in_few_runs():
    """All of 12 claims at the edge of what supports them: any wrong verdict in 5% at most."""
    rng, k, runs, wrong = np.random.default_rng(5), 6, 60, 0
    keys, se = [f"claim {i}" for i in range(12)], 0.05
    for _ in range(runs):
        p_values = []
        for _ in keys:
            own = rng.normal(0.15, 0.04, k) + se * rng.standard_normal(k)
            pool = meta_analysis.pool([from_se(each, se, 500) for each in own])
            p_values.append(p_value(hypothesis("H03"), {"asymmetry": pool}))
        table = pd.DataFrame({"source": "s", "hypothesis": keys, "p_value": p_values})
        wrong += families.in_families(table, ["source"])["survives"].any()
    assert wrong / runs <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)


@pytest.mark.parametrize("seed", range(4))
def test_p_values_are_adjusted_within_each_family(seed):
    rng = np.random.default_rng(seed)
    p = rng.choice([0.0, 0.001, 0.01, 0.04, 0.3, 1.0, np.nan], 15)  # with ties
    table = pd.DataFrame({"family": rng.choice(list("ab"), 15), "p_value": p})
    found = families.adjusted(table, ["family"]).to_numpy()
    assert np.isnan(found).tolist() == np.isnan(p).tolist()
    for family in "ab":
        own = (table["family"] == family) & ~np.isnan(p)
        assert found[own] == pytest.approx(multipletests(p[own], method="holm")[1])


# --- who takes part, and whether the verdict is the same if something were otherwise

HIDDEN = "with a hidden cause as strong as any"
SMALL = 0.3  # an error with which no region decides anything


def hanging(effect, se, region, *others, name=HIDDEN):
    """H03 with a check for the same verdict, whose variants have these effects."""
    own = claim.Claim(hypothesis("H03"), None, ())
    found = {"asymmetry": from_se(effect, se, 500)}
    varied = [{"asymmetry": from_se(each, se, 500)} for each in others]
    return loss(effect, se, region, checks.same_verdict(own, found, name, varied))


def both(*found):
    records = [each.record() for each in found]
    return findings.tidy(records), findings.variants(records)


MANY = [f"Region {i:02d}" for i in range(24)]


def test_regions_too_small_to_decide_do_not_decide_together_what_hangs_on_a_hidden_cause():
    found, others = both(*(hanging(0.4, SMALL, each, 0.5, 0.2) for each in MANY))
    assert (found["verdict"] == "inconclusive").all()
    assert (found["blocked_by"] == "").all()
    assert across_regions.pooled(found)["verdict"].tolist() == ["supported"]
    row = across_regions.pooled(found, others).iloc[0]
    assert row["estimate"] == pytest.approx(0.4)
    assert (row["verdict"], row["part_verdict"]) == ("inconclusive", "inconclusive")
    assert (row["p_value"], row["p_holm"], row["survives"]) == (1, 1, False)
    assert row["reason"] == f"It would be supported; {HIDDEN} it would be inconclusive."


def test_a_verdict_that_is_the_same_with_every_variant_stands_with_the_largest_p():
    found, others = both(*(hanging(0.5, SMALL, each, 0.6, 0.4) for each in MANY))
    _, lowest = both(*(loss(0.4, SMALL, each) for each in MANY))
    row = across_regions.pooled(found, others).iloc[0]
    alone = across_regions.pooled(tidy(*(loss(0.4, SMALL, each) for each in MANY))).iloc[0]
    assert lowest.empty
    assert (row["verdict"], row["reason"], row["survives"]) == ("supported", "", True)
    assert row["p_value"] == pytest.approx(alone["p_value"])
    twice = [pd.concat([each, each], ignore_index=True) for each in (found, others)]
    pd.testing.assert_frame_equal(
        across_regions.pooled(*twice), across_regions.pooled(found, others)
    )


def test_a_region_that_decided_is_not_left_out_for_a_check_of_the_same_verdict():
    large = hanging(0.6, 0.02, "Large", 0.1)
    found, others = both(large, *(hanging(0.3, SMALL, each, 0.3) for each in MANY[:4]))
    assert large.verdict == "inconclusive"
    assert found["blocked_by"].tolist() == [HIDDEN, "", "", "", ""]
    row = across_regions.pooled(found, others).iloc[0]
    assert (row["n_regions"], row["left_out"]) == (5, "")
    assert len(across_regions.taking_part(found, others, "H03", "asymmetry")) == 5
    assert len(across_regions.taking_part(found, findings.variants([]), "H03", "asymmetry")) == 4
    own = across_regions.by_region(found).set_index("region")["p_value"]
    assert own.isna().to_dict() == {"Large": True} | dict.fromkeys(MANY[:4], False)


def test_a_verdict_that_falls_with_another_part_half_way_is_open():
    """H01: contradicted by its first part or, with the variant, by its second; between, by none."""
    effects, turned = (
        {"performance": from_se(first, SMALL, 500), "expectation": from_se(second, SMALL, 500)}
        for first, second in ((-0.4, -0.2), (0.2, 0.4))
    )
    own = claim.Claim(hypothesis("H01"), None, ())
    hangs = checks.same_verdict(own, effects, HIDDEN, [turned])
    found, others = both(
        *(conclude(hypothesis("H01"), "example", each, effects, checks=[hangs]) for each in MANY)
    )
    assert (found["verdict"] == "inconclusive").all()  # no region decides by itself
    assert (found["blocked_by"] == "").all()
    instead = tidy(*(conclude(hypothesis("H01"), "example", each, turned) for each in MANY))
    for each in (found, instead):
        assert set(across_regions.pooled(each)["verdict"]) == {"contradicted"}
    row = across_regions.pooled(found, others).iloc[0]
    assert row["verdict"] == "inconclusive"
    assert row["reason"] == f"It would be contradicted; {HIDDEN} it would be inconclusive."


def explained(region, seed):
    """H09 where nothing is true: who is told is as much by a hidden cause as by a recorded one."""
    rng = np.random.default_rng(seed)
    recorded, hidden = rng.standard_normal((2, 300))
    told = (0.5 * (recorded + hidden) + rng.standard_normal(300) > 0).astype(float)
    satisfaction = 0.6 * (recorded + hidden) + rng.standard_normal(300)
    data = pd.DataFrame({"satisfaction": satisfaction, "told": told, "recorded": recorded})
    effect = models.contrast(models.ols("satisfaction ~ told + recorded", data), "told")
    found = sensitivity.confounding(effect, data, "satisfaction", "told", ["recorded"])
    known, parts = hypothesis("H09"), {"explanation": effect}
    hidden = sensitivity.both_ways({"explanation": found})
    check = checks.same_verdict(claim.Claim(known, None), parts, HIDDEN, hidden)
    return conclude(known, "example", region, parts, checks=[check])


def test_a_hidden_cause_supports_nothing_in_eight_pools_of_six_regions():
    """Without the check the interval that pooling makes narrow supports what is not true."""
    alone, checked = [], []
    for pool in range(8):
        found, others = both(*(explained(each, 10 * pool + i) for i, each in enumerate(MANY[:6])))
        one = found.assign(blocked_by="")
        alone.append(across_regions.pooled(one)["verdict"].iloc[0])
        checked.append(across_regions.pooled(found, others)["verdict"].iloc[0])
    assert alone.count("supported") >= 6
    assert checked == ["inconclusive"] * 8


def with_tests(*found):
    records = [each.record() for each in found]
    return findings.tidy(records), findings.variants(records), findings.tests(records)


@pytest.mark.parametrize(("p", "verdict"), [(0.5, "supported"), (0.05, "inconclusive")])
def test_what_each_region_may_have_by_chance_all_of_them_may_not(p, verdict):
    """24 regions with p = .05 each pass at 1%, and together have p far below it."""
    piled = checks.not_by_chance("cases pile up on day three", p)
    found, others, tests = with_tests(*(loss(0.4, 0.05, each, piled) for each in MANY))
    assert piled.passed
    assert across_regions.pooled(found, others)["verdict"].tolist() == ["supported"]
    row = across_regions.pooled(found, others, tests).iloc[0]
    assert row["verdict"] == verdict
    said = "It would be supported; cases pile up on day three: p < .001 in 24 regions together, "
    assert row["reason"] == ("" if verdict == "supported" else said + "where 1% is the least.")
    assert row["survives"] == (verdict == "supported")


def test_a_region_that_fails_a_test_is_left_out_and_no_test_of_the_others():
    p = dict.fromkeys(REGIONS, 0.5) | {"West 西部": 1e-9}
    piled = {each: checks.not_by_chance("cases pile up on day three", p[each]) for each in REGIONS}
    found, others, tests = with_tests(*(loss(0.4, 0.05, each, piled[each]) for each in REGIONS))
    row = across_regions.pooled(found, others, tests).iloc[0]
    assert (row["verdict"], row["reason"], row["n_regions"]) == ("supported", "", 3)
    assert row["left_out"] == "West 西部 (cases pile up on day three)"
    advisory = [replace(each, blocking=False) for each in piled.values()]
    rows = zip(REGIONS, advisory, strict=True)
    assert findings.tests([loss(0.4, 0.05, *each).record() for each in rows]).empty


@pytest.mark.parametrize(("each", "verdict"), [(0.06, "inconclusive"), (0.01, "supported")])
def test_a_difference_that_all_regions_share_must_be_small_for_the_narrower_interval(each, verdict):
    """Sixteen regions have a fourth of a region's width, so that .025 SD are the limit."""
    rows = balanced(dict.fromkeys(MANY[:16], each))
    row = across_regions.pooled(*with_tests(*rows)).iloc[0]
    assert row["verdict"] == verdict
    by_chance = {name: 0.06 * (-1) ** i for i, name in enumerate(MANY[:16])}
    assert (
        across_regions.pooled(*with_tests(*balanced(by_chance)))["verdict"].iloc[0] == "supported"
    )
    if verdict == "inconclusive":
        limit = 0.1 * (row["ci_high"] - row["ci_low"]) / (2 * 1.96 * 0.05)
        assert limit < 0.03
        assert row["reason"] == (
            "It would be supported; balance after weighting: tenure differs by +0.060 in the mean "
            f"over regions, and an interval so narrow allows less than {limit:.3f}."
        )


def balanced(apart):
    """H03 in regions whose groups differ so much, in standard deviations, in tenure."""
    places = (np.arange(len(apart)) + 0.5) / len(apart)
    effects = 0.5 + 0.05 * stats.norm.ppf(places)
    found = []
    for (name, each), effect in zip(apart.items(), effects, strict=True):
        said = ("balance after weighting", "below 0.1 SD", f"{each:.2f}", abs(each) < 0.1)
        found.append(loss(effect, 0.05, name, Check(*said, biases={"tenure": each}, most=0.1)))
    return found


def test_another_check_still_leaves_a_region_out_and_only_it_is_named():
    overlap = Check("Overlap", "at least 0.05", "0.01", False)
    found = [hanging(0.6, 0.02, each, 0.6) for each in REGIONS[:3]]
    hidden = hanging(0.6, 0.02, "West 西部", 0.1).checks
    found, others = both(*found, loss(0.6, 0.02, "West 西部", *hidden, overlap))
    assert found["blocked_by"].iloc[-1] == f"{HIDDEN}; Overlap"
    row = across_regions.pooled(found, others).iloc[0]
    assert row["left_out"] == "West 西部 (Overlap)"
    assert row["verdict"] == "supported"


def test_what_is_not_known_from_all_regions_supports_nothing():
    without = loss(0.6, 0.02, "West 西部")
    found, others = both(*(hanging(0.6, 0.02, each, 0.5) for each in REGIONS[:3]), without)
    row = across_regions.pooled(found, others).iloc[0]
    assert row["verdict"] == "inconclusive"
    assert row["reason"] == (
        f"It would be supported; what it would be {HIDDEN} is known from 3 of 4 regions only."
    )
    others.loc[0, "ci_low"] = -np.inf
    reason = across_regions.pooled(found, others)["reason"].iloc[0]
    assert "from 2 of 4 regions only" in reason


def test_a_verdict_that_turns_without_one_region_is_marked():
    firsts = dict(zip(REGIONS, (0.13, 0.166, 0.166, 0.166), strict=True))
    found, others = both(*(performance(each, -0.5, 0.055, name) for name, each in firsts.items()))
    tables = across_regions.without_each(found, others, "H01")
    assert list(tables) == ["performance", "expectation"]
    whole = across_regions.pooled(found)["verdict"].iloc[0]
    for region, row in tables["performance"].iterrows():
        rest = across_regions.pooled(found[found["region"] != region]).iloc[0]
        assert row["estimate"] == pytest.approx(rest["estimate"])
        assert row["ci_low"] == pytest.approx(rest["ci_low"])
        assert row["turns"] == (rest["verdict"] != whole)
    assert tables["performance"]["turns"].equals(tables["expectation"]["turns"])
    assert tables["performance"]["turns"].tolist() == [False, True, True, True]


def test_the_variants_of_a_source_are_not_those_of_another():
    found, others = both(*(hanging(0.4, 0.05, each, 0.0) for each in REGIONS))
    two = pd.concat([found.assign(source="other", blocked_by=""), found], ignore_index=True)
    pools = across_regions.pooled(two, others).set_index("source")["verdict"]
    assert pools.to_dict() == {"other": "supported", "example": "inconclusive"}


def test_one_place_says_which_family_counts():
    blocked = Check("Overlap", "at least 0.05", "0.01", False)
    found = pd.concat(
        [
            tidy(*(loss(0.4, 0.05, each, blocked) for each in REGIONS[:3])),
            tidy(loss(0.4, 0.05, "A"), loss(0.4, 0.05, "B")).assign(source="few"),
            tidy(*(loss(0.4, 0.05, each) for each in REGIONS)).assign(source="many"),
        ]
    )
    pools = across_regions.pooled(found)
    for table in (found, across_regions.by_region(found)):
        assert across_regions.family(table, pools).to_dict("index") == {
            "example": {"regions": 3, "poolable": 0, "claims": 0, "is_pooled": False},
            "few": {"regions": 2, "poolable": 2, "claims": 0, "is_pooled": False},
            "many": {"regions": 4, "poolable": 4, "claims": 1, "is_pooled": True},
        }
    none = findings.tidy([])
    assert across_regions.family(none, across_regions.pooled(none)).empty


def test_traits_are_chosen_before_any_effect_is_seen():
    names = ["customers", "share_suburban", "share_urban", "share_rare", "share_private"]
    traits = pd.DataFrame([[9, 0.2, 0.8, 0.4, 0.6], [9, 0.5, 0.5, 0.1, 0.9]], columns=names)
    chosen = ["customers", "share_urban", "share_private"]
    assert list(across_regions_charts.common(traits)) == chosen
    assert list(across_regions_charts.common(traits[["customers"]])) == ["customers"]


@pytest.mark.parametrize(("n", "lines"), [(4, 0), (5, 1)])
def test_the_range_of_another_region_is_drawn_from_five_regions_on(n, lines):
    found = tidy(*(loss(0.4, 0.05, each) for each in MANY[:n]))
    ax = plt.figure().add_subplot()
    across_regions_charts._diamond(ax, across_regions.pooled(found).iloc[0])
    assert len(ax.lines) == lines
    plt.close()


@pytest.mark.slow
@pytest.mark.parametrize(("regions", "customers"), [(12, 500)])
def test_many_small_regions_do_not_support_what_a_style_of_answering_makes(regions, customers):
    """Only expectation matters, and a style of answering; hardly a region decides by itself."""
    name = "only expectation matters, and a style of answering"
    scene = next(scene for scene in SCENES if scene.name == name)
    records = []
    for i in range(regions):
        here = rehearsal.region_of(draw(scene.world, customers, 9_000 + i))
        found, _ = rehearsal.run("H01", here)
        records.append(found.record() | {"region": f"R{i}"})
    found, others = findings.tidy(records), findings.variants(records)
    checked = across_regions.pooled(found, others).set_index("part")
    assert set(checked["n_regions"]) == {regions}
    assert checked.loc["performance", "ci_low"] < 0 < checked.loc["performance", "ci_high"]
    assert set(checked["verdict"]) <= {"inconclusive", "too small to matter"}  # it has no slope


@pytest.fixture(scope="module")
def thousand():
    """All hypotheses over 1,000 regions, with estimates of one planted mean and spread."""
    rng, tables, names = np.random.default_rng(1), [], [f"R{i}" for i in range(1_000)]
    for known in register().values():
        for part in known.parts:
            middle, se = rng.normal(0.3, 0.1, 1_000), rng.uniform(0.05, 0.2, 1_000)
            effects = middle + se * rng.standard_normal(1_000)
            inverse = LINKS[part.scale][1]
            ends = inverse(effects + stats.norm.ppf([[0.025], [0.5], [0.975]]) * se)
            numbers = dict(zip(("ci_low", "estimate", "ci_high"), ends, strict=True))
            same = {"source": "s", "hypothesis": known.id, "part": part.key, "scale": part.scale}
            same |= {"n_obs": 400, "df": np.inf, "blocked_by": "", "failed_checks": ""}
            tables.append(pd.DataFrame({**same, "region": names, **numbers}))
    return with_verdicts(pd.concat(tables, ignore_index=True))


def with_verdicts(found):
    """Add the verdicts of some regions, by the rule; the others are said to be inconclusive."""
    found = found.assign(verdict="inconclusive", part_verdict="inconclusive")
    for (_, key), own in found[found["region"].isin(SOME)].groupby(["region", "hypothesis"]):
        known, each = register()[key], of_parts(own)
        found.loc[own.index, "verdict"] = judge(known, each)
        found.loc[own.index, "part_verdict"] = [
            judge_part(part, each[part.key], len(each)) for part in known.parts
        ]
    return found


def of_parts(own):
    return dict(zip(own["part"], across_regions.estimates(own), strict=True))


@pytest.mark.slow
def test_all_hypotheses_are_pooled_over_a_thousand_regions(thousand):
    pools = across_regions.pooled(thousand)
    assert len(pools) == sum(len(each.parts) for each in register().values())
    assert (pools["n_regions"] == 1_000).all()
    assert pools["tau"].to_numpy() == pytest.approx(0.1, abs=0.025)
    middles = [float(on_scale(row.estimate, row.scale)) for row in pools.itertuples()]
    assert middles == pytest.approx([0.3] * len(pools), abs=0.02)


@pytest.mark.slow
def test_a_thousand_regions_have_the_p_and_the_families_of_each_alone(thousand):
    own = across_regions.by_region(thousand)
    assert len(own) == 1_000 * len(register())
    for region in SOME:
        rows = thousand[thousand["region"] == region]
        alone = {
            key: p_value(register()[key], of_parts(each))
            for key, each in rows.groupby("hypothesis", sort=False)
        }
        found = own[own["region"] == region]
        assert found["hypothesis"].tolist() == list(alone)
        assert found["p_value"].to_numpy() == pytest.approx(list(alone.values()), rel=1e-9)
        holm = multipletests(list(alone.values()), method="holm")[1]
        assert found["p_holm"].to_numpy() == pytest.approx(holm, rel=1e-9)
    grid = multipletests(own["p_value"], method="fdr_bh")[1]
    assert own["p_grid"].to_numpy() == pytest.approx(grid, rel=1e-9)
