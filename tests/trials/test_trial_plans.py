"""Designs, lots and registered plans of trials: what is fixed before, and what is refused."""

import functools
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.claims.hypotheses import register
from analysis.claims.trials import designs, planning, plans, sizing, words
from analysis.cohorts.trials import units
from analysis.data.contract import TABLES
from analysis.data.errors import DataError
from analysis.language import use
from analysis.statistics.estimate import NotEstimable
from simulation.drawing.tables import draw
from simulation.rehearsal import region_of
from simulation.world import World

FIXED = {"needed": None, "power": None, "compliance": 0.6, "attrition": 0.0}


@functools.cache
def here():
    return region_of(draw(World(), 1200, 11))


@functools.cache
def past():
    return planning.history(here(), designs.design("H19"))


def drawn(seed=1, **more):
    given = {"past": past(), **FIXED, **more}
    return planning.drawn(here(), designs.design("H19"), "H19 Example", seed, **given)


# --- designs


@pytest.mark.parametrize("key", designs.designs())
def test_a_design_decides_a_part_of_its_claim(key):
    found = designs.design(key)
    assert found.decides.key in [each.key for each in register()[key].parts]
    effect = sizing.planted(found.decides)
    assert found.decides.claim.holds(effect, effect)
    assert not found.decides.claim.holds(found.decides.null, found.decides.null)
    assert len(set(found.arms)) == 2
    assert 0 < found.compliance <= 1
    assert found.unit_is in TABLES["assignments"].columns["unit_is"].rule.allowed


def test_an_effect_in_chinese_has_its_measure_word_once():
    use("zh")
    try:
        said = [words.effect(designs.design(key).decides, -0.1) for key in ("H08", "H19")]
    finally:
        use("en")
    assert said == ["−0.10个满意度标准差", "−10.0个百分点"]


def test_a_claim_without_a_design_gets_one_message():
    with pytest.raises(DataError, match=r"^H12: no trial is designed for this claim; there is one"):
        designs.design("H12")


# --- who can take part


def test_the_eligible_hold_no_card_and_bought_in_the_last_quarter():
    people = units.eligible(here(), "without_card", here().end)
    card = here().customers.set_index("customer_id")["card_since"].reindex(people.index)
    lines = here().purchases.to_pandas()
    recent = lines[lines["bought_at"] > pd.Timestamp(here().end) - pd.Timedelta(days=90)]
    assert card.isna().all()
    assert people.index.isin(recent["customer_id"]).all()
    others = here().customers.set_index("customer_id").drop(people.index)
    bought = others.index.isin(recent["customer_id"])
    assert (others["card_since"].notna() | ~bought | (others["joined_on"] > "2026-06-28")).all()


def test_who_is_eligible_on_a_day_does_not_depend_on_what_came_after():
    day = pd.Timestamp("2025-06-30").date()
    lines = here().purchases.to_pandas()
    tables = {name: here().tables[name] for name in ("customers", "survey", "contacts")}
    known = region_of(tables | {"transactions": lines[lines["bought_at"] < "2025-07-01"]})
    pd.testing.assert_frame_equal(
        units.eligible(known, "without_card", day), units.eligible(here(), "without_card", day)
    )


def test_late_cases_are_drawn_on_their_third_working_day():
    cases = units.eligible(here(), "late_cases", here().end)
    rows = here().complaints.set_index("complaint_id").loc[cases.index]
    assert (rows["resolved_at"].dt.normalize() > cases["assigned_on"])[
        rows["resolved_at"].notna()
    ].all()
    wait = (cases["assigned_on"] - rows["opened_at"].dt.normalize()).dt.days
    assert wait.between(3, 6).all()


def test_the_history_has_the_outcome_of_everybody_a_year_later():
    assert past()["outcome"].isin([0.0, 1.0]).all()
    lines = here().purchases.to_pandas()
    last = lines[lines["bought_at"] > pd.Timestamp(here().end) - pd.Timedelta(days=90)]
    there = past().index.isin(last["customer_id"])
    assert (there == (past()["outcome"] == 1)).mean() > 0.99  # 91 days against 90


def test_without_a_year_of_data_there_is_no_history():
    early = replace(here(), end=pd.Timestamp("2025-06-30").date())
    with pytest.raises(NotEstimable, match="do not reach back 455 days"):
        planning.history(early, designs.design("H19"))


# --- lots


def test_the_same_seed_gives_the_same_lots_and_another_one_others():
    one, same, other = drawn(), drawn(), drawn(2)
    pd.testing.assert_frame_equal(one.lots, same.lots)
    assert one.plan.fingerprint == same.plan.fingerprint
    assert one.plan.lots != other.plan.lots
    assert 0.4 < (one.lots["arm"] == other.lots["arm"]).mean() < 0.6


def test_the_list_is_the_table_of_assignments():
    lots = drawn().lots
    assert set(TABLES["assignments"].columns) <= set(lots.columns)
    assert lots["assigned_on"].unique().tolist() == ["2026-06-30"]
    assert abs((lots["arm"] == "offered").sum() - (lots["arm"] == "not_offered").sum()) <= 1
    counts = lots.groupby(["block", "arm"]).size().unstack()
    assert (counts["offered"] - counts["not_offered"]).abs().max() <= 1
    assert drawn().balance["difference"].abs().max() < 0.15


def test_a_smaller_trial_is_of_customers_whom_a_lot_chose():
    some, all_of_them = drawn(size=100), drawn()
    assert len(some.lots) == some.plan.size == 100
    assert set(some.lots["unit"]) < set(all_of_them.lots["unit"])
    assert some.eligible == len(all_of_them.lots)


def test_lots_for_cases_lie_ready_in_eights():
    plan = planning.drawn(
        here(), designs.design("H09"), "H09 Example", 5, past=past(), size=80, **FIXED
    )
    treated = (plan.lots["arm"] == "told").to_numpy().reshape(10, 8)
    assert treated.sum(axis=1).tolist() == [4] * 10
    assert len(np.unique(treated, axis=0)) > 5
    assert plan.lots["unit"].eq("").all()


# --- the register


def test_a_trial_of_cases_says_how_long_they_take_to_come_and_adjusts_for_what_is_known():
    """The last year of 364 days; cases whose channel nobody recorded can't be adjusted for it."""
    design, last = designs.design("H08"), pd.Timestamp(here().end)
    blank = here().complaints.assign(channel=pd.Series(pd.NA, here().complaints.index, "string"))
    unknown = here().with_tables(complaints=blank)
    found, less = (
        planning.drawn(each, design, "H08 Example", 5, past=past(), size=800, **FIXED)
        for each in (here(), unknown)
    )
    none = here().with_tables(complaints=here().complaints.head(0))
    first = planning.drawn(none, design, "H08 Example", 5, past=past(), size=800, **FIXED)
    assert first.plan.adjusted_for == units.OF_CASES  # nobody tells what will be recorded
    opened = here().complaints.dropna(subset=["complaint_id"])["opened_at"]
    recent = units.eligible(here(), "cases", here().end)["assigned_on"] > last - pd.Timedelta(
        days=365
    )
    assert found.a_year == recent.sum() <= (opened > last - pd.Timedelta(days=365)).sum()
    said = words.of_size(found, None, "Nothing tells.")[1]
    years = 800 / found.a_year
    assert said[1] == (
        f"In the last year {found.a_year} such cases came: 800 lots take about {years:.1f} years."
    )
    assert ("too long" in said[-1]) == (years > 3)
    known = set(found.plan.adjusted_for)
    assert "channel" in known
    assert set(less.plan.adjusted_for) == known - {"channel"}


def test_a_plan_reads_back_and_its_fingerprint_is_registered(tmp_path):
    found = drawn()
    plans.register(found.plan, found.lots, tmp_path)
    plan = plans.read("simulated", "H19 Example", tmp_path)
    assert plan == found.plan
    assert plans.is_unchanged(plan, tmp_path)
    assert plans.of_lots(plans.read_lots("simulated", "H19 Example", tmp_path)) == plan.lots
    assert plans.trials_of("simulated", ["H19"], tmp_path) == [plan]


def test_a_plan_that_was_changed_afterwards_is_known(tmp_path):
    found = drawn()
    place = plans.register(found.plan, found.lots, tmp_path)
    entry = json.loads((place / plans.PLAN).read_text())
    (place / plans.PLAN).write_text(json.dumps(entry | {"smallest": 0.01}))
    changed = plans.read("simulated", "H19 Example", tmp_path)
    assert not plans.is_unchanged(changed, tmp_path)


def test_a_trial_is_planned_once_and_a_seed_tried_once(tmp_path):
    found = drawn()
    plans.refuse_again("simulated", "H19 Example", 1, tmp_path, replace=False)
    plans.register(found.plan, found.lots, tmp_path)
    with pytest.raises(DataError, match=rf"seed 1, fingerprint {found.plan.fingerprint}"):
        plans.refuse_again("simulated", "H19 Example", 2, tmp_path, replace=False)
    with pytest.raises(DataError, match="the seed 1 was tried already"):
        plans.refuse_again("simulated", "H19 Example", 1, tmp_path, replace=True)
    plans.refuse_again("simulated", "H19 Example", 2, tmp_path, replace=True)


@pytest.mark.parametrize("text", ["{", "{}", "[1]", '{"trial": 1}'])
def test_a_file_that_is_no_plan_is_refused(tmp_path, text):
    found = drawn()
    place = plans.register(found.plan, found.lots, tmp_path)
    (place / plans.PLAN).write_text(text)
    with pytest.raises(DataError, match=r"^plan.json of H19 Example: expected the plan"):
        plans.read("simulated", "H19 Example", tmp_path)
