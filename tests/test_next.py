"""What to do next: the cheapest way to decide each open claim, the most worthwhile first."""

import json
import math

import pandas as pd
import pytest
from bs4 import BeautifulSoup
from scipy import stats

import test_by_trial
from analysis.claims import calibration
from analysis.claims.deciding import by_trial, decidability, edges, next_steps
from analysis.claims.deciding.step import Known, Step
from analysis.claims.finding import conclude, no_finding
from analysis.claims.hypotheses import hypothesis
from analysis.claims.trials import plans
from analysis.claims.trials.designs import design
from analysis.claims.verdicts import Check
from analysis.statistics.estimate import from_se
from sample_findings import beyond, loss_against_gain
from simulation.scenes import CLEAR
from test_answers import entry
from test_cli import workbook
from workbook.deciding import shown
from workbook.pages import answers, index

HIDDEN = Check("with a hidden cause as strong as any recorded", "the same verdict", "no", False)
Z = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)


@pytest.fixture(autouse=True)
def table(tmp_path, monkeypatch):
    """Numbers decide H03 and H12 from 10,000 customers on; a check blocks H10, H19 and H21."""
    monkeypatch.setattr(decidability, "FILE", tmp_path / "decidability.csv")
    lines = [("H03", 5, "interval"), ("H12", 6, ""), ("H19", 0, HIDDEN.name)]
    lines += [("H10", 0, HIDDEN.name), ("H21", 0, HIDDEN.name)]
    found = pd.DataFrame(
        {
            "scene": CLEAR.name, "customers": 10_000, "hypothesis": key, "regions": 6,
            "right": right, "wrong": 0, "open": 6 - right, "untested": 0, "left_open_by": by,
            "failing": 6 - right,
        }
        for key, right, by in lines
    )  # fmt: skip
    calibration.write(found, decidability.FILE)
    monkeypatch.setattr(plans, "FOLDER", tmp_path / "plans")


def open_h03(region="North", se=0.2, customers=2_000):
    return loss_against_gain(0.1, se, region=region, customers=customers)


def card_keeps(*checks, region="North", retention=(0.04, 0.02), customers=3_000, n=900):
    """H19: hazard ratio, retention, and a margin claimed to be at least 5% of its mean."""
    effects = {
        "hazard_ratio": from_se(0.8, 0.1, 900, scale="log"),
        "retention": from_se(*retention, n),
        "margin": from_se(0.08, 0.04, 900),
    }
    known = {"checks": checks, "customers": customers}
    return conclude(hypothesis("H19"), "example", region, effects, **known)


def no_severity(region="North"):
    """H08 decided by nothing but what was not recorded."""
    effects = {"policy": from_se(0.5, 0.05, 400), "jump": from_se(0.6, 0.1, 200)}
    check = Check("severity is held equal", "yes", "no", False)
    return conclude(hypothesis("H08"), "example", region, effects, checks=(check,), customers=3_000)


def todo(*found):
    """What to do next, from findings."""
    entries = [entry(each.record(), each.region) for each in found]
    return shown.of_source("example", shown.of_entries(entries, "en"))


def test_further_customers_follow_from_the_error_where_it_is_cheapest():
    """A factor of (error x quantiles / distance)^2, where fewest further ones are needed.

    An effect of 0.1 is too near to 0.15 to be told from it, and none at all is as near as 0.15.
    """
    errors = {"North": 0.1, "South": 0.09, "East": 0.11}
    [step] = todo(*(open_h03(name, error, 4_000) for name, error in errors.items()))
    factor = (0.09 * Z / 0.15) ** 2
    assert (step.way, step.where, step.given) == ("customers", "South", "none")
    assert step.n == math.ceil((factor - 1) * 4_000)
    assert shown.says(step, "en") == "7,303 more customers in South, if there is no effect."
    assert step.cost == pytest.approx(0.02 * step.n)
    assert step.regions == ("North", "South", "East")


def open_h12():
    effects = {
        "top20_share": from_se(0.71, 0.1, 800, scale="logit"),
        "a_share": from_se(0.21, 0.2, 800, scale="logit"),
    }
    return conclude(hypothesis("H12"), "example", "North", effects, customers=2_500)


def test_a_claim_that_describes_a_level_needs_the_size_at_which_it_was_decided():
    [step] = todo(open_h12())
    assert (step.way, step.given, step.n) == ("customers", "clear", 7_500)
    assert shown.says(step, "en") == (
        "7,500 more customers in North, if the effect is clear: simulated regions of that size "
        "decide it then."
    )


def test_what_all_regions_together_decide_is_not_open():
    found = [loss_against_gain(0.22, 0.05, region=name, customers=900) for name in "ABCDEF"]
    assert {each.verdict for each in found} == {"inconclusive"}
    known = shown.of_entries([entry(each.record(), each.region) for each in found], "en")
    assert shown.of_source("example", known) == []
    assert shown.settled_together("example", known) == (
        "Open in some regions, but decided by all regions together: H03 Loss against gain."
    )


def test_columns_that_a_check_or_the_register_misses_are_to_be_recorded():
    missing = no_finding(
        hypothesis("H25"), "example", "North", "not testable", "No prices.",
        missing=("survey.price_rating",), customers=3_000,
    )  # fmt: skip
    first, second = todo(no_severity(), missing)
    assert (first.claim, first.way, first.columns) == ("H08", "field", ("complaints.severity",))
    assert (second.claim, second.columns) == ("H25", ("survey.price_rating",))
    assert shown.says(first, "en") == "Record complaints.severity in North."
    assert shown.says(first, "zh") == "在North补记complaints.severity。"
    assert shown.says(second, "en") == (
        "First record survey.price_rating in North: what else it takes shows then."
    )
    [both] = todo(no_severity(), no_severity("South"))
    assert shown.says(both, "en") == "Record complaints.severity in North, South."


def test_a_hidden_cause_leaves_a_trial_and_goes_to_the_largest_region():
    small = card_keeps(HIDDEN, region="Small", n=1_000)
    [step] = todo(small, card_keeps(HIDDEN, region="Large", n=25_000))
    assert (step.way, step.where) == ("trial", "Large")
    assert step.n == by_trial.rough_size(design("H19")) == math.ceil((Z / (0.6 * 0.03)) ** 2)
    assert "about 24,225 customers; its plan" in shown.says(step, "en")
    assert shown.command(step, "ours") == 'workbook trial plan H19 --source ours --region "Large"'


@pytest.mark.parametrize(("n", "way", "said"), [
    (13_000, "trial", "more than the 13,000 or so who could take part in North: in"),
    (461, "small", "large enough: one takes about 24,225 customers, and about 922 in all"),
])  # fmt: skip
def test_a_trial_takes_no_more_than_could_take_part(n, way, said):
    [step] = todo(card_keeps(HIDDEN, n=n), card_keeps(HIDDEN, region="South", n=n))
    assert step.way == way
    assert said in shown.says(step, "en")


def test_what_costs_more_than_it_brings_is_said_and_comes_after_what_is_free():
    """About 16 years of margin for 24,225 lots at 2% of one."""
    first, second = todo(card_keeps(HIDDEN, n=25_000), no_severity())
    assert (first.claim, second.claim) == ("H08", "H19")
    assert shown.says(second, "en").endswith(
        "Not worth it: it costs more than the decision brings."
    )
    assert "Not worth it" not in shown.says(first, "en")


def test_an_effect_on_the_edge_of_its_claim_is_not_decided_by_more():
    """H06: 2.06 [1.69, 2.50] where 2 to 5 is claimed; 3% away, with an error of 10%."""
    effects = {"ratio": from_se(2.06, 0.1, 900, scale="log")}
    keys = [part.key for part in hypothesis("H06").parts]
    found = conclude(
        hypothesis("H06"),
        "example",
        "North",
        dict(zip(keys, effects.values(), strict=True)),
        customers=3_000,
    )
    [step] = todo(found)
    assert step.way == "edge"
    assert "lies near an edge of what is claimed" in shown.says(step, "en")


def test_an_effect_apart_from_none_takes_what_tells_it_from_the_edge():
    """+0.5 [+0.11, +0.89] where +0.15 is claimed: (0.2 x 2.8 / 0.35)^2 times, not (.../0.15)^2."""
    [step] = todo(loss_against_gain(0.5, 0.2, region="North", customers=6_000))
    assert step.n == math.ceil(((0.2 * Z / 0.35) ** 2 - 1) * 6_000)
    assert shown.says(step, "en").endswith("in North, if the effect is as it is estimated there.")


def test_an_effect_that_is_not_told_from_none_takes_no_more_than_as_it_is_estimated():
    """+0.82 [-0.04, +1.67] where +0.15 is claimed: 3.3 times, though none takes 66 times."""
    [step] = todo(loss_against_gain(0.82, 0.436, region="North", customers=4_000))
    assert (step.given, step.n) == ("estimated", math.ceil(((0.436 * Z / 0.67) ** 2 - 1) * 4_000))


def test_a_number_is_no_smaller_than_what_simulated_regions_take():
    """Its error alone takes 2,000 x 2.56 = 5,125 customers; H03 is decided from 10,000 on."""
    [step] = todo(loss_against_gain(0.5, 0.2, region="North", customers=2_000))
    assert step.n == 8_000


def test_what_is_estimated_is_the_estimate_and_not_the_middle_of_its_interval():
    """Lead of 35 days [24, 54] where 28 is claimed: (30 / 3.92 x 2.8 / 7)^2 = 9.4 times."""
    lead = {"estimate": 35.0, "ci_low": 24, "ci_high": 54, "n_obs": 87}
    lead |= {"scale": "identity", "claim": [28.0, None]}
    assert edges.times_as_estimated(lead) == pytest.approx((30 / 3.92 * Z / 7) ** 2, rel=1e-3)


def litres(region, customers, mean, se):
    """H24: litres a month claimed to be 260 to 300, beside visits and evenings as claimed."""
    known = {"litres": (mean, se), "visits": (3.6, 0.05), "evening": (0.68, 0.02)}
    claim = hypothesis("H24")
    effects = {
        part.key: from_se(*values, 219, scale=part.scale)
        for part, values in zip(claim.parts, known.values(), strict=True)
    }
    return conclude(claim, "example", region, effects, customers=customers)


def test_a_level_that_the_data_show_to_lie_on_an_edge_is_not_for_want_of_customers():
    """303 [293, 313] where 260 to 300 is claimed: of 9,000 customers 1,000 more tell nothing."""
    lines = pd.DataFrame({
        "scene": CLEAR.name, "customers": [10_000], "hypothesis": "H24", "regions": 5, "right": 5,
        "wrong": 0, "open": 0, "untested": 0, "left_open_by": "", "failing": 0,
    })  # fmt: skip
    calibration.write(lines, decidability.FILE)
    assert [step.way for step in todo(litres("East", 9_000, 303, 5.06))] == ["edge"]
    [step] = todo(litres("East", 9_000, 303, 5.06), litres("West", 2_700, 272.9, 8.49))
    assert (step.where, step.given, step.n) == ("West", "estimated", 7_300)


def untested(reason="Nobody joined.", times=None, **known):
    known |= {"customers": 2_000, "times": times}
    return no_finding(hypothesis("H03"), "example", "North", "not testable", reason, **known)


def test_what_no_number_of_customers_makes_testable_is_said_to_be_so():
    [step] = todo(untested())
    assert step.way == "untested"
    assert shown.says(step, "en") == (
        "No number of customers is known to make it testable: Nobody joined."
    )
    [step] = todo(untested(times=7.5))  # 2 of 15 that are needed
    assert (step.way, step.given, step.n) == ("customers", "clear", 13_000)
    [step] = todo(untested(times=1.25))  # H03 takes 10,000
    assert step.n == 8_000


def test_a_step_takes_away_all_that_stands_in_the_way():
    """A wave mends nothing beside it; what never decided a region is not offered."""
    wave = Check("waves before the change", "at least 1", "0", False)
    other = Check("balance after weighting", "below 0.1", "0.3", False)
    for checks, way in (((wave,), "wave"), ((wave, other), "none")):
        [step] = todo(loss_against_gain(0.1, 0.2, *checks, region="North", customers=2_000))
        assert step.way == way
    lines = pd.DataFrame({
        "scene": CLEAR.name, "customers": [1_000, 10_000], "hypothesis": "H03", "regions": 20,
        "right": 0, "wrong": 0, "open": 20, "untested": 0, "left_open_by": "interval", "failing": 0,
    })  # fmt: skip
    calibration.write(lines, decidability.FILE)
    [step] = todo(loss_against_gain(0.1, 0.2, wave, region="North", customers=2_000))
    assert step.way == "scarce"
    assert shown.says(step, "en") == (
        "No size of region is known that would decide it: of simulated regions of 10,000 customers "
        "with clear effects 0 of 20 are decided, and of larger ones too few were simulated."
    )


def test_a_size_that_rests_on_two_simulated_regions_is_not_named():
    lines = pd.DataFrame({
        "scene": CLEAR.name, "customers": [10_000, 30_000], "hypothesis": "H12",
        "regions": [6, 2], "right": [1, 2], "wrong": 0, "open": [5, 0], "untested": 0,
        "left_open_by": ["interval", ""], "failing": 0,
    })  # fmt: skip
    calibration.write(lines, decidability.FILE)
    assert (
        decidability.enough(lines.assign(share=lines["right"] / lines["regions"]))["customers"]
        == 30_000
    )
    [step] = todo(open_h12())
    assert (step.way, step.n, step.could, step.needed) == ("scarce", 10_000, 1, 6)


def test_the_rough_size_of_a_trial_is_that_of_two_arms():
    """H08: 4 (1.96 + 0.84)^2 / (0.7 x 0.2)^2 units, in standard deviations."""
    assert by_trial.rough_size(design("H08")) == math.ceil(4 * (Z / 0.14) ** 2) == 1602


def cases(region, n, policy, days=730, customers=3_000):
    """H08: its policy (at least 0.2) from so many cases, and a drop at the third day that is so."""
    effects = {"policy": from_se(policy, 0.1, n), "jump": from_se(0.8, 0.1, 200)}
    known = {"customers": customers, "days": days}
    return conclude(hypothesis("H08"), "example", region, effects, **known)


def no_size_decides(key):
    lines = pd.DataFrame({
        "scene": CLEAR.name, "customers": [10_000], "hypothesis": key, "regions": 6, "right": 0,
        "wrong": 0, "open": 6, "untested": 0, "left_open_by": HIDDEN.name, "failing": 6,
    })  # fmt: skip
    calibration.write(lines, decidability.FILE)


@pytest.mark.parametrize(("n", "way", "said"), [
    (2_000, "trial", "of about 1,602 cases, which come in about 1.6 years there; its plan says"),
    (800, "trial", "about 1,602 cases, which take about 4.0 years to come in North: in several"),
    (220, "small", "about 1,602 cases, which come in about 7.3 years in all regions together."),
])  # fmt: skip
def test_a_trial_of_cases_takes_as_long_as_they_take_to_come(n, way, said):
    """1,602 cases at n in two years of 365 days: 1,602 / (n / 730 x 365.25) years."""
    no_size_decides("H08")
    [step] = todo(cases("North", n, 0.25), cases("South", n, 0.25))
    assert step.way == way
    assert said in shown.says(step, "en")
    among = n if way == "trial" else 2 * n
    assert step.years == pytest.approx(1_602 * 730 / 365.25 / among)


def test_a_trial_is_no_way_where_its_own_part_is_decided():
    """Policy +0.8 [+0.6, +1.0] holds; the drop at the third day is what is open."""
    no_size_decides("H08")
    effects = {"policy": from_se(0.8, 0.1, 2_000), "jump": from_se(0.15, 0.1, 200)}
    found = conclude(hypothesis("H08"), "example", "North", effects, customers=3_000)
    assert [step.way for step in todo(found)] == ["scarce"]


def test_a_planned_trial_has_the_size_of_its_plan(tmp_path):
    lots = pd.DataFrame({"place": [1], "unit": ["a"], "arm": ["offered"]})
    given = {
        "trial": "cards", "claim": "H19", "source": "example", "region": "North",
        "data_until": "2026-06-30", "seed": 1, "size": 557, "share": 0.5, "smallest": 0.03,
        "needed": 14_483, "power": 0.8, "compliance": 0.6, "attrition": 0.0, "adjusted_for": (),
        "within": (), "lots": "x", "design": {},
    }  # fmt: skip
    plans.register(plans.Plan(**given), lots)
    [step] = todo(card_keeps(HIDDEN))
    assert (step.trial, step.n) == ("cards", 557)
    assert shown.says(step, "en") == (
        "The trial cards in North, which is planned: 557 are drawn for, where 14,483 would decide "
        "it with 80% power. It decides one part of the claim."
    )
    assert shown.command(step, "example") == ""
    [step] = todo(card_keeps(HIDDEN), card_keeps(HIDDEN, region="South", n=60_000))
    assert (step.trial, step.where) == ("cards", "North")  # which is not left for another region


@pytest.mark.parametrize(
    ("claim", "effect"), [("H10", {"retention": (0.1, 0.02)}), ("H21", {"cost_ratio": (6.5, 0.1)})]
)
def test_a_claim_without_a_trial_that_a_check_blocks_has_no_way(claim, effect):
    """What a trial of H21 takes depends on costs, which its plan alone reads."""
    effects = {key: from_se(*each, 900) for key, each in effect.items()}
    found = conclude(
        hypothesis(claim), "example", "North", effects, checks=(HIDDEN,), customers=3_000
    )
    [step] = todo(found)
    assert step.way == "scarce"


def test_a_decision_is_worth_the_unit_normal_loss_of_the_edge():
    """Margin 8% with an error of 4%, worth acting on from 5% on, for 3,000 customers."""
    [step] = todo(card_keeps(HIDDEN))
    away = (0.08 - 0.05) / 0.04
    loss = 0.04 * (stats.norm.pdf(away) - away * stats.norm.sf(away))
    assert step.value == pytest.approx(3_000 * loss)
    assert 3_000 * loss == pytest.approx(15.74, abs=0.01)


def test_money_comes_first_by_worth_less_cost_then_the_others_by_cost():
    made = [
        Step("H01", ("A",), "customers", cost=5.0),
        Step("H02", ("A",), "none"),
        Step("H14", ("A",), "customers", value=50.0, cost=30.0),
        Step("H16", ("A",), "trial", value=500.0, cost=490.0),
        Step("H19", ("A",), "trial", value=90.0, cost=20.0),
        Step("H07", ("A",), "field", cost=0.0),
        Step("H20", ("A",), "trial", value=10.0, cost=100.0),
    ]
    order = [each.claim for each in sorted(made, key=lambda each: each.rank)]
    assert order == ["H19", "H14", "H16", "H07", "H01", "H20", "H02"]
    ranked = [each.claim for each in todo(open_h03(), card_keeps(HIDDEN), no_severity())]
    assert ranked == ["H08", "H03", "H19"]


@pytest.mark.parametrize(("language", "title"), [("en", "What to do next"), ("zh", "下一步做什么")])
def test_the_index_lists_them_with_costs_and_assumptions(language, title):
    found = [
        loss_against_gain(0.1, 0.2, region="North", customers=2_000, language=language).record(),
        card_keeps(HIDDEN, n=25_000).record() | {"language": language},
    ]
    entries = [entry(record, "North") for record in found]
    page = BeautifulSoup(index.index(entries, beyond(entries)), "html.parser")
    assert page.select_one("#next").text == title
    lines = page.select(".next tbody tr")
    assert [line.th.a["href"] for line in lines] == ["#H03", "#H19"]
    costs = [line.select("td")[2].text for line in lines]
    assert costs == ["160", "484"]  # 8,000 customers, 24,225 lots
    assert lines[1].select("td")[3].text == "16"
    assert lines[1].code.text == 'workbook trial plan H19 --source example --region "North"'
    assert "2%" in page.select_one(".next > p").text


def test_claims_that_cannot_be_tested_are_counted_apart():
    todo_now = todo(open_h12(), untested())
    assert shown.summary(todo_now, "en").startswith(
        "2 claims are open, of which 1 cannot be tested"
    )
    assert shown.summary(todo(open_h12(), open_h03()), "en").startswith("2 open claims, each")


@pytest.mark.parametrize(("effect", "given", "n"), [
    (0.5, "estimated", math.ceil(((0.2 * Z / 0.35) ** 2 - 1) * 3)),  # 5 more
    (0.14, "none", 17),  # to tell none from the claim 20 are needed, of which 3 are there
])  # fmt: skip
def test_further_regions_rest_on_an_effect_too(effect, given, n):
    own = [open_h03(name, customers=100).record() for name in ("North", "South", "East")]
    pooled = loss_against_gain(effect, 0.2).record()
    needs = {"H03": {"regions": 3, "regions_needed": 20, "times_the_customers": 7}}
    [step] = next_steps.steps(Known(own, frozenset(), {}, needs, pooled={"H03": pooled}))
    assert (step.way, step.given, step.n) == ("regions", given, n)
    assert step.cost == pytest.approx(0.02 * n * 100)


def test_a_region_calls_open_what_is_open_and_names_where_an_effect_is():
    found = [open_h12(), untested()]
    entries = [entry(each.record(), "North") for each in found]
    known = index.with_entries(beyond(entries), entries)
    kinds = [each.kind for each in answers.of_region(("example", "North"), entries, known)]
    assert [kind for kind in kinds if kind in ("open", "missing")] == ["open", "missing"]
    said = [each.text for each in answers.over_all("example", known) if each.kind == "open"]
    assert "(North): Sales of the top 20%" in BeautifulSoup(said[0], "html.parser").text


def test_an_index_on_which_all_is_decided_has_no_such_list():
    entries = [entry(loss_against_gain(0.4, 0.05, customers=900).record(), "North")]
    page = BeautifulSoup(index.index(entries, beyond(entries)), "html.parser")
    assert page.select_one("#next") is None


def test_the_command_says_that_nothing_ran_yet_and_that_a_source_is_not_known(tmp_path):
    folder = tmp_path / "reports"
    code, said = workbook("next", "--reports", folder)
    assert code == 2
    assert "No run of example yet: workbook run --source example." in said
    code, said = workbook("next", "--source", "exampel", "--reports", folder)
    assert code == 2
    assert "No source 'exampel'" in said
    assert not folder.exists()


def test_what_trials_have_decided_is_open_no_more():
    runs = [test_by_trial.observed(region) for region in test_by_trial.REGIONS]
    trials = [test_by_trial.tried(region, -0.08) for region in test_by_trial.REGIONS]
    for entries, claims in ((runs, ["H19"]), ([*runs, *trials], [])):
        found = shown.of_source("example", shown.of_entries(entries, "en"))
        assert [step.claim for step in found] == claims


def test_a_step_is_plain_json():
    [step] = todo(card_keeps(HIDDEN, n=25_000))
    made = json.loads(json.dumps(shown.as_json(step, "example", "en")))
    assert made["claim"] == "H19"
    assert made["way"] == "trial"
    assert made["n"] == 24225
    assert made["command"] == 'workbook trial plan H19 --source example --region "North"'
