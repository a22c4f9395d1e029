"""Trials read back: planted effects are found, and what is not as planned is said."""

import functools
from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest

from analysis.claims.trials import beside, plans, reading
from analysis.statistics.estimate import NotEstimable
from simulation import pilot
from simulation.drawing.behaviour import simulate
from simulation.rehearsal import region_of

SIZE, ERRORS = 3_000, 3.5


@functools.cache
def tables():
    return pilot.tables(SIZE)


def region(changed=None, name=pilot.REGION):
    rows = tables()[0]
    found = region_of(rows | ({"assignments": changed} if changed is not None else {}))
    source = SimpleNamespace(name=pilot.NAME, currency="CNY", calendar="CN")
    return replace(found, name=name, source=source)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("plans")
    for each in tables()[1]:
        plans.register(each.plan, each.lots, where)
    return where


def assignments():
    return tables()[0]["assignments"].copy()


def failed(found):
    return [each.name for each in found.checks if not each.passed]


# --- as planned


@pytest.mark.parametrize(("trial", "key"), [(pilot.CARD, "H19"), (pilot.CASE, "H09")])
def test_a_trial_as_planned_passes_its_checks_and_finds_what_was_planted(folder, trial, key):
    here = region()
    found = reading.read_trial(here, trial, folder)
    assert failed(found) == []
    assert found.is_over
    result = reading.analysed(here, found, seed=1)
    truth = pilot.truths().set_index("hypothesis")["truth"][key]
    effect = result.effect
    assert abs(effect.estimate - truth) < ERRORS * result.received.effect.se
    assert effect.ci_low < effect.estimate < effect.ci_high
    assert result.lots.ci_low < result.assigned.effect.estimate < result.lots.ci_high
    compliance = {"H19": 0.54, "H09": 0.90}[key]
    assert result.received.compliance.estimate == pytest.approx(compliance, abs=0.08)
    wald = result.assigned.effect.estimate / result.received.compliance.estimate
    assert effect.estimate == pytest.approx(wald, rel=1e-9)


def test_before_the_trial_the_answers_mislead(folder):
    here = region()
    truth = pilot.truths().set_index("hypothesis")["truth"]
    case = beside.without_lots(here, reading.read_trial(here, pilot.CASE, folder))
    assert case["raw"].ci_high < truth["H09"]
    card = beside.without_lots(here, reading.read_trial(here, pilot.CARD, folder))
    assert card["raw"].estimate > truth["H19"]


def test_while_a_trial_runs_there_is_no_outcome(folder):
    here = replace(region(), end=pd.Timestamp("2026-01-31").date())
    found = reading.read_trial(here, pilot.CARD, folder)
    assert not found.is_over
    assert found.recruitment["units"].sum() == len(tables()[1][0].lots)
    assert found.recruitment.loc["offered", "received"] == pytest.approx(0.57, abs=0.04)
    with pytest.raises(NotEstimable, match="The trial runs"):
        reading.analysed(here, found)


# --- not as planned


def test_a_trial_that_nobody_planned_is_not_read(tmp_path):
    with pytest.raises(NotEstimable, match="no plan of this trial is registered"):
        reading.read_trial(region(), pilot.CARD, tmp_path)


def test_a_trial_that_is_not_there(folder):
    with pytest.raises(NotEstimable, match="Nothing was assigned in a trial 'H19 South' here"):
        reading.read_trial(region(), "H19 South", folder)


def test_a_region_that_has_become_another(folder):
    with pytest.raises(NotEstimable, match="was planned for the region 'Pilot 试点'"):
        reading.read_trial(region(name="North"), pilot.CARD, folder)


def test_an_arm_that_the_plan_has_not(folder):
    rows = assignments().replace({"arm": {"offered": "card"}})
    with pytest.raises(NotEstimable, match="is called 'card'; its plan has 'offered' and"):
        reading.read_trial(region(rows), pilot.CARD, folder)


def test_an_arm_of_nobody(folder):
    rows = assignments().query("arm != 'not_offered'")
    with pytest.raises(NotEstimable, match="Nobody is in the arm 'not_offered'"):
        reading.read_trial(region(rows), pilot.CARD, folder)


def test_units_in_another_arm_than_drawn_hold_the_verdict_back(folder):
    rows = assignments()
    first = rows.index[rows["trial"] == pilot.CARD][:20]
    other = {"offered": "not_offered", "not_offered": "offered"}
    rows.loc[first, "arm"] = rows.loc[first, "arm"].map(other)
    here = region(rows)
    found = reading.read_trial(here, pilot.CARD, folder)
    assert failed(found) == ["units in another arm than drawn"]
    assert reading.analysed(here, found).verdict == "inconclusive"


def test_units_that_are_left_away_are_said(folder):
    rows = assignments()
    left = rows.index[(rows["trial"] == pilot.CARD) & (rows["arm"] == "offered")][:150]
    found = reading.read_trial(region(rows.drop(index=left)), pilot.CARD, folder)
    assert "units of the list without assignment" in failed(found)
    assert "arms as large as planned" in failed(found)


@pytest.mark.parametrize(("kept", "held_back"), [(95, False), (74, True)])
def test_a_trial_of_cases_that_ends_before_its_lots_are_used_stays_open(folder, kept, held_back):
    """Of 100 lots five may be left; whoever stops where chance is kind gets no verdict."""
    rows = assignments()
    cases = rows.index[rows["trial"] == pilot.CASE]
    here = region(rows.drop(index=cases[kept:]))
    found = reading.read_trial(here, pilot.CASE, folder)
    assert ("units of the list without assignment" in failed(found)) == held_back
    if held_back:
        assert reading.analysed(here, found).verdict == "inconclusive"


def test_cases_beyond_the_lots_of_the_plan_hold_the_verdict_back(folder, tmp_path):
    plan = next(each for each in tables()[1] if each.plan.claim == "H09")
    lots = plan.lots.iloc[:90]
    fewer = replace(plan.plan, size=90, lots=plans.of_lots(lots))
    plans.register(fewer, lots, tmp_path)
    assert failed(reading.read_trial(region(), pilot.CASE, tmp_path)) == ["units beyond the list"]


def test_cases_that_were_assigned_after_they_were_settled(folder):
    rows = assignments()
    is_case = rows["trial"] == pilot.CASE
    days = pd.to_datetime(rows.loc[is_case, "assigned_on"]) + pd.Timedelta(days=40)
    rows.loc[is_case, "assigned_on"] = days.dt.strftime("%Y-%m-%d")
    found = reading.read_trial(region(rows), pilot.CASE, folder)
    assert failed(found) == ["nobody assigned after the outcome"]


def test_a_plan_that_was_changed_after_the_assignment(folder, tmp_path):
    card = tables()[1][0]
    plans.register(card.plan, card.lots, tmp_path)
    easier = replace(card.plan, adjusted_for=("log_visits",))
    path = plans.folder_of(pilot.NAME, pilot.CARD, tmp_path) / plans.PLAN
    plans.register(easier, card.lots, tmp_path / "other")
    path.write_bytes(
        (plans.folder_of(pilot.NAME, pilot.CARD, tmp_path / "other") / plans.PLAN).read_bytes()
    )
    found = reading.read_trial(region(), pilot.CARD, tmp_path)
    assert failed(found) == ["the plan as it was registered"]


def test_a_plan_that_came_after_the_assignment(tmp_path):
    card = tables()[1][0]
    plans.register(replace(card.plan, data_until="2025-09-30"), card.lots, tmp_path)
    found = reading.read_trial(region(), pilot.CARD, tmp_path)
    assert failed(found) == ["planned before the first assignment"]


# --- the pilot region


def test_an_offer_moves_nothing_before_the_landmark():
    before = simulate(pilot.WORLD, 500, 1)
    cards = pilot.cards_of(before.people, before.people["suburban"].to_numpy(), 1)
    after = simulate(pilot.WORLD, 500, 1, cards)
    assert (before.visits[:, :52] == after.visits[:, :52]).all()
    assert (before.volume[:, :52] == after.volume[:, :52]).all()
    assert (before.people["card_week"] != after.people["card_week"]).sum() > 50


def test_every_assignment_of_the_card_was_drawn_by_the_plan():
    lots = tables()[1][0].lots.set_index("unit")["arm"]
    rows = assignments().query("trial == @pilot.CARD").set_index("unit")["arm"]
    assert rows.equals(lots.reindex(rows.index))
    assert len(rows) == len(lots)
