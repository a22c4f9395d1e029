"""Regions that lack something: a reason or an open verdict, no error, no confident number."""

import numpy as np
import pandas as pd
import pytest

from bad_regions import DECIDED, changed, hold_whole
from simulation import World, draw, rehearsal
from simulation.scenes import CASES, SURVEY

pytestmark = pytest.mark.slow

ITEMS = ["satisfaction_1", "satisfaction_2", "satisfaction_3", "expectation", "performance"]
COMPONENTS = ["product_value", "service_value", "personnel_value", "image_value"]
COMPONENTS += ["money_cost", "time_cost", "energy_cost", "effort_cost"]
OTHERS = ["loyalty_1", "loyalty_2", "loyalty_3", "price_sensitivity", "added_service"]
RATINGS = ITEMS + COMPONENTS + OTHERS


@pytest.fixture(scope="module")
def tables():
    return draw(World(), 900, 3)


def findings_of(tables, without=()):
    """Run all sections of both notebooks; return findings by hypothesis, held to be whole."""
    here = rehearsal.region_of(tables, without)
    found = {key: rehearsal.run(key, here)[0] for key in (*SURVEY, *CASES)}
    hold_whole(found)
    return found


def test_nobody_complained(tables):
    found = findings_of({**tables, "complaints": tables["complaints"].iloc[:0]})
    assert {found[key].verdict for key in CASES} == {"not testable"}
    assert "complaints" in found["H08"].reason
    assert found["H01"].verdict != "not testable"


def test_all_answers_are_equal(tables):
    found = findings_of(changed(tables, "survey", **dict.fromkeys(RATINGS, 8)))
    assert {found[key].verdict for key in SURVEY} == {"not testable"}
    assert "No customer answered" in found["H01"].reason
    assert "more than one number" in found["H01"].reason  # one number throughout says nothing


def test_all_are_equally_satisfied(tables):
    equal = dict.fromkeys(ITEMS[:3], 9) | dict.fromkeys(OTHERS[:3], 9)
    found = findings_of(changed(tables, "survey", **equal))
    assert {found[key].verdict for key in SURVEY[:6]} == {"not testable"}
    assert "satisfaction" in found["H02"].reason


def test_satisfaction_after_every_case_is_the_same(tables):
    found = findings_of(changed(tables, "complaints", satisfaction_after=7))
    assert found["H08"].verdict == found["H09"].verdict == "not testable"
    assert "same" in found["H08"].reason


def test_a_component_is_missing_for_all(tables):
    found = findings_of(changed(tables, "survey", image_value=np.nan))
    assert found["H02"].verdict == "not testable"
    assert "image_value" in found["H02"].reason
    assert found["H01"].verdict != "not testable"


def test_twelve_customers():
    found = findings_of(draw(World(), 12, 2))
    assert not DECIDED & {finding.verdict for finding in found.values()}


def test_sixty_customers_decide_little():
    found = findings_of(draw(World(), 160, 2))
    assert not DECIDED & {found[key].verdict for key in ("H05", *CASES)}


def test_one_wave_only(tables):
    survey = tables["survey"]
    last = survey["answered_on"] > survey["answered_on"].max() - pd.Timedelta(days=60)
    found = findings_of({**tables, "survey": survey[last]})
    assert "two waves" in found["H05"].reason
    assert found["H01"].verdict != "not testable"


def test_undated_answers(tables):
    found = findings_of(changed(tables, "survey", answered_on=pd.NaT))
    assert found["H05"].verdict == "not testable"
    assert found["H11"].verdict in ("not testable", "inconclusive")


def test_a_constant_channel(tables):
    found = findings_of(changed(tables, "survey", channel="online"))
    assert found["H04"].verdict == "not testable"
    assert "channel" in found["H04"].reason


def test_everybody_lives_in_the_city(tables):
    found = findings_of(changed(tables, "customers", area="urban"))
    assert found["H04"].verdict == "not testable"


def test_perfectly_collinear_components(tables):
    same = changed(tables, "survey", service_value=tables["survey"]["product_value"])
    found = findings_of(same)
    assert found["H02"].verdict == "inconclusive"
    failed = [check for check in found["H02"].checks if not check.passed]
    assert ("variance inflation", "collinear") in {(each.name, each.value) for each in failed}


def test_cases_resolved_before_they_were_opened(tables):
    early = tables["complaints"]["opened_at"] - pd.Timedelta(days=2)
    found = findings_of(changed(tables, "complaints", resolved_at=early))
    assert found["H08"].verdict == "not testable"
    assert "Settled cases with a value" in found["H08"].reason
    assert ": 0; 50 are needed" in found["H08"].reason


def test_every_case_is_settled_in_time(tables):
    soon = tables["complaints"]["opened_at"] + pd.Timedelta(hours=5)
    found = findings_of(changed(tables, "complaints", resolved_at=soon, explained_at=pd.NaT))
    assert found["H08"].verdict == found["H09"].verdict == "not testable"


def test_nobody_was_told_on_day_three(tables):
    opened = tables["complaints"]["opened_at"]
    found = findings_of(changed(tables, "complaints", explained_at=opened.max()))
    assert found["H09"].verdict == "not testable"


def test_no_severity_was_recorded(tables):
    found = findings_of(tables, without=["complaints.severity"])
    assert {found["H08"].verdict, found["H09"].verdict} <= {"inconclusive", "not testable"}
    failed = {check.name for check in found["H08"].checks if not check.passed}
    assert "cases whose severity is known" in failed


def test_several_cases_of_the_same_customers(tables):
    cases = tables["complaints"]
    few = cases["customer_id"].iloc[np.arange(len(cases)) // 3].to_numpy()
    found = findings_of({**tables, "complaints": cases.assign(customer_id=few)})
    assert "jackknife" in found["H08"].estimates["policy"].method


def test_half_of_the_ratings_are_missing(tables):
    rng, survey = np.random.default_rng(1), tables["survey"].copy()
    survey[RATINGS] = survey[RATINGS].mask(rng.random((len(survey), len(RATINGS))) < 0.45)
    findings_of({**tables, "survey": survey})


def test_everybody_tells_nobody(tables):
    found = findings_of(changed(tables, "survey", told_others=0))
    assert found["H06"].verdict == "not testable"


def test_no_segment_no_area_no_day_of_joining(tables):
    nothing = {"segment": pd.NA, "area": pd.NA, "joined_on": pd.NaT}
    found = findings_of(changed(tables, "customers", **nothing))
    assert found["H01"].verdict != "not testable"
    assert found["H04"].verdict == "not testable"


def test_no_survey_at_all(tables):
    found = findings_of({**tables, "survey": tables["survey"].iloc[:0]})
    assert {found[key].verdict for key in (*SURVEY, "H11")} == {"not testable"}
