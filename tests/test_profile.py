"""The tables of the data profile, and claims that can't be tested."""

import dataclasses
import datetime as dt

import numpy as np
import pandas as pd
import pytest

from analysis.claims import checks
from analysis.claims.claim import claim
from analysis.claims.hypotheses import register
from analysis.cohorts import data_profile, landmark, purchases
from analysis.data.region import load_region
from analysis.statistics.causal.treatment_effects import aipw
from analysis.statistics.estimate import NotEstimable
from tables import CUSTOMERS, SURVEY, TRANSACTIONS


@pytest.fixture
def north(write_source):
    return load_region(str(write_source()), "North")


def test_tables_count_rows_and_name_empty_columns(north):
    found = data_profile.tables(north)
    assert found["rows"].to_dict() == {
        "customers": 2,
        "survey": 2,
        "complaints": 0,
        "transactions": 4,
        "contacts": 0,
    }
    assert found.loc["customers", "without values"] == ""
    assert found.loc["complaints", "without values"] == "no such table"
    assert "loyalty_1" in found.loc["survey", "without values"]
    assert found.loc["transactions", "columns with values"] == 7


def test_a_table_that_cannot_be_read_says_why(write_source):
    here = load_region(str(write_source(survey="")), "North")
    assert (
        "survey.csv: the file is empty" in data_profile.tables(here).loc["survey", "without values"]
    )
    reason = data_profile.requirements(here, register()).loc["H14", "lacks"]
    assert reason.startswith("The table 'survey' can't be read: survey.csv: the file is empty")


def test_what_a_hypothesis_lacks(north):
    found = data_profile.requirements(north, register())
    assert list(found.index) == list(register())
    assert (found["has the data"] == "yes").eq(found["lacks"] == "").all()
    assert found.loc["H01", "lacks"] == (
        "The table 'survey' has no values in expectation, performance."
    )
    assert found.loc["H21", "lacks"] == "There is no table 'contacts' for this region."
    assert found.loc["H12", "lacks"] == "It needs 360 days of purchases; there are 335."


YEARS = {
    "2024-12-31": "335 days, from 2024-02-01 to 2024-12-31. That is less than a year.",
    "2025-01-29": "364 days, from 2024-02-01 to 2025-01-29. All of them are in the last year.",
    "2025-01-30": (
        "365 days, from 2024-02-01 to 2025-01-30. The first day (2024-02-01) is not in the last "
        "year, which begins on 2024-02-02."
    ),
    "2025-12-31": (
        "700 days, from 2024-02-01 to 2025-12-31. The first 336 days are not in the last year, "
        "which begins on 2025-01-02."
    ),
}


@pytest.mark.parametrize("end", YEARS)
def test_what_a_year_of_52_weeks_leaves_out_is_said(north, end):
    here = dataclasses.replace(north, end=dt.date.fromisoformat(end))
    assert data_profile.last_year(here) == (
        "A year is 52 weeks, 364 days, so that each has the same days of the week. The data has "
        + YEARS[end]
    )


def test_the_last_year_is_the_one_that_is_counted(north):
    """A purchase on the day that is left out is in no yearly number, one a day later is."""
    here = dataclasses.replace(north, end=dt.date(2025, 1, 30))
    first = landmark.landmark(here) + dt.timedelta(days=1)
    year = purchases.per_customer(here, first, here.end)
    assert f"begins on {first}" in data_profile.last_year(here)
    assert year["sales"].to_dict() == {"a": 225.0, "b": 150.0}  # a bought for 320 on 1 February


def test_spans_and_months_by_hand(north):
    spans = data_profile.spans(north)
    assert spans.loc["survey"].tolist() == ["2024-03-01", "2024-03-02", 2]
    assert spans.loc["transactions"].tolist() == ["2024-02-01", "2024-03-15", 2]
    monthly = data_profile.monthly(north)
    months = 335 / (365.25 / 12)
    assert monthly.loc["a", "sales_per_month"] == pytest.approx(545 / months)
    assert set(monthly["segment"]) == {"others"}  # of one customer each: it may be a name
    named = monthly.assign(segment=["private", "van"])
    quartiles = data_profile.quartiles(named, "sales_per_month")
    assert quartiles.index.tolist() == ["private", "van"]
    nobody = data_profile.quartiles(named[:0], "sales_per_month")
    assert nobody.columns.equals(quartiles.columns)


def test_answerers_differ_by_a_planted_difference(write_source):
    rng = np.random.default_rng(4)
    n = 400
    answered = rng.random(n) < 0.5
    suburban = rng.random(n) < np.where(answered, 0.7, 0.4)
    rows = [
        f"c{i},North,x,{'suburban' if each else 'urban'},2024-01-01,"
        for i, each in enumerate(suburban)
    ]
    answers = [f"c{i},2024-03-01,7,8,9,online,true" for i in np.flatnonzero(answered)]
    path = write_source(
        customers="\n".join([CUSTOMERS.splitlines()[0], *rows]) + "\n",
        transactions=TRANSACTIONS.replace("\na,", "\nc1,")
        .replace("\nb,", "\nc2,")
        .replace("\nc,", "\nc3,"),
        survey="\n".join([SURVEY.splitlines()[0], *answers]) + "\n",
    )
    found = data_profile.answerers(load_region(str(path), "North"))
    a, b = suburban[answered], suburban[~answered]
    expected = (a.mean() - b.mean()) / np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2)
    row = found.loc["suburban"]
    assert row["estimate"] == pytest.approx(expected)
    assert row["ci_low"] < (0.7 - 0.4) / np.sqrt((0.21 + 0.24) / 2) < row["ci_high"]
    assert "segment x" not in found.index  # everybody is in it


def test_reliability_of_parallel_items():
    rng = np.random.default_rng(8)
    true = rng.normal(size=4000)
    items = pd.DataFrame({f"i{k}": true + rng.normal(size=4000) for k in range(3)})
    found = data_profile.reliability({"s": items}, seed=1).set_index("scale")
    covariance = items.cov().to_numpy()
    alpha = 1.5 * (1 - np.trace(covariance) / covariance.sum())
    assert found.loc["s, alpha", "estimate"] == pytest.approx(alpha)
    assert found["estimate"].to_numpy() == pytest.approx(0.75, abs=0.03)  # 3 / (3 + 1)
    half_width = (found["ci_high"] - found["ci_low"]) / 2
    assert half_width.to_numpy() == pytest.approx(0.013, abs=0.003)
    assert (found["customers"] == 4000).all()
    assert not data_profile.can_be_scored(items.head(29))
    assert not data_profile.can_be_scored(items.assign(i1=1.0))


def test_a_claim_that_cannot_be_tested_says_what_is_missing(north):
    with pytest.raises(NotEstimable, match="There is no table 'contacts'"):
        claim("H21", north)


def test_checks_fail_on_what_they_are_for():
    assert not checks.at_least("customers", 29, 30).passed
    assert checks.at_least("customers", 30, 30).passed
    assert not checks.nobody_decides(pd.Series([94.0, 6.0])).passed
    assert checks.nobody_decides(pd.Series([1.0] * 20)).passed
    assert not checks.converged(False).passed
    assert not checks.shown("fact", "3").blocking


def test_a_comparison_without_overlap_is_blocked():
    rng = np.random.default_rng(3)
    x = pd.DataFrame({"x": rng.normal(size=600)})
    alike = pd.Series(rng.random(600) < 0.5)
    apart = pd.Series(x["x"] + rng.normal(0, 0.15, 600) > 0)
    outcome = x["x"] + rng.normal(size=600)
    for treated, passed in ((alike, True), (apart, False)):
        arms = treated.value_counts()
        found = checks.comparison(arms, aipw(outcome, treated, x))
        assert all(check.passed for check in found) == passed


def test_no_sales_by_month_from_a_few_days(north):
    """Of four days, a month would be seven times what was seen."""
    here = dataclasses.replace(north, start=dt.date(2024, 12, 28))
    assert here.days == 4
    assert data_profile.monthly(here).empty
    assert data_profile.over_days(here) == (
        "The data has purchases of 4 days: sales by month are told from 28 on."
    )
    assert "up to 335 days" in data_profile.over_days(north)


def test_who_joined_days_ago_has_no_sales_by_month(north):
    people = north.customers.assign(joined_on=pd.Timestamp("2024-12-20"))
    here = north.with_tables(customers=people)
    assert data_profile.monthly(here).empty
    assert data_profile.known_of_all(here)["sales a month (logarithm)"].isna().all()


def test_tables_that_are_not_recorded_are_not_empty(north):
    assert data_profile.recorded(north, " over a while") == (
        "purchase lines: 4 over a while, survey answers: 2, complaints not recorded, "
        "contacts not recorded"
    )
