"""Who can take part in a trial, and what was known of each before the lot."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from analysis.cohorts import complaints, landmark, target_trial
from analysis.data.region import Region
from analysis.statistics.value.customer_segments import tiers

OF_CUSTOMERS = ("log_visits", "log_pace", "trend", "log_tenure", "segment", "area", "prior")
OF_CASES = ("difficulty", "channel", "kind", "prior", "log_tenure", "segment", "area")
"""What a trial's analysis adjusts for, in its order of importance; all known before the lot."""
BLOCKS = ("tier", "segment", "area", "difficulty")
"""Within what lots are drawn, where it is known."""
CASES = ("late_cases", "cases")
"""Kinds of eligible units that are cases; all others are customers."""


def known_before(who: str) -> tuple[str, ...]:
    """Return the columns that the analysis of a kind of units adjusts for."""
    return OF_CASES if who in CASES else OF_CUSTOMERS


def blocks(people: pd.DataFrame) -> tuple[str, ...]:
    """Return the columns of `BLOCKS` that are known of units and differ between them."""
    return tuple(name for name in BLOCKS if name in people and people[name].nunique() > 1)


def recorded_cases(region: Region) -> pd.DataFrame:
    """Return the complaints of a region that have an identifier, by it."""
    return region.complaints.dropna(subset=["complaint_id"]).set_index("complaint_id")


def eligible(region: Region, who: str, day: dt.date) -> pd.DataFrame:
    """Return who could be drawn by lot at the end of a day, by unit, in the order of identifiers.

    Parameters
    ----------
    region : Region
        What it knows beyond the day is not used.
    who : str
        "without_card": customers who bought in the last quarter and hold no card; "fuel_only":
        those who bought nothing but fuel in the last year; "key_accounts": those who were visited
        in it; "customers": all who bought in the last quarter. "late_cases": cases opened by then
        that were open at the end of their third working day and not explained before it; "cases":
        all of them.

    Returns
    -------
    DataFrame
        customer_id, assigned_on (the day after; of a case the third working day, or that of
        opening), and the columns of `known_before`; tier of key accounts.
    """
    if who in CASES:
        cases = _cases(region, who)
        return cases[cases["assigned_on"] <= pd.Timestamp(day)].sort_index()
    ids = pd.Index(region.customers["customer_id"].sort_values(), name="unit")
    own_day = pd.Series(pd.Timestamp(day) + pd.Timedelta(days=1), ids)
    people = _observed(region, own_day)
    people = people[(people["active"] > 0) & (people["tenure_days"] > 0)]
    return people[_takes_part(region, people, who, day)].drop(columns=["active", "beyond_before"])


def traits(region: Region, who: str, own_day: pd.Series) -> pd.DataFrame:
    """Return what was known of units before a day of their own, by unit; see `eligible`.

    Units of which nothing is known, such as a case that is none of the region's, are left out.
    """
    if who in CASES:
        cases = _cases(region, "cases")
        return cases.drop(columns="assigned_on").reindex(cases.index.intersection(own_day.index))
    return _observed(region, own_day.rename_axis("unit"))


def _observed(region: Region, own_day: pd.Series) -> pd.DataFrame:
    """Return what was known of customers before a day of their own."""
    people = landmark.observe(region, own_day.rename_axis("customer_id"), gap=1)
    prior = landmark.opinions(region, people["own_day"])["satisfaction"]
    people = people.assign(
        customer_id=people.index,
        assigned_on=people["own_day"],
        log_pace=landmark.log_of_mean(people["pace"]),
        prior=prior,
        beyond_before=people.get("beyond_before", False),
    )
    own = ["customer_id", "assigned_on", "active", "tenure_days", "beyond_before", *OF_CUSTOMERS]
    return people[own].rename_axis("unit").sort_index()


def _takes_part(region: Region, people: pd.DataFrame, who: str, day: dt.date) -> pd.Series:
    """Tell which customers are of a kind."""
    if who == "without_card":
        card = target_trial.card_since(region).reindex(people.index)
        return ~(card <= pd.Timestamp(day))
    if who == "fuel_only":
        return ~people["beyond_before"].astype(bool)
    if who == "key_accounts":
        rows, last = region.contacts, pd.Timestamp(day)
        is_recent = rows["contacted_on"].between(last - pd.Timedelta(days=landmark.YEAR), last)
        visited = rows.loc[is_recent & (rows["kind"] == "visit"), "customer_id"]
        return pd.Series(people.index.isin(visited), people.index)
    return pd.Series(True, people.index)


def with_tiers(people: pd.DataFrame) -> pd.DataFrame:
    """Add the tier of key accounts: the class by sales of the year before."""
    return people.assign(tier=tiers(np.exp(people["log_pace"])).astype(str))


def _cases(region: Region, who: str) -> pd.DataFrame:
    """Return cases by their identifier, and the day on which the lot is drawn."""
    found = complaints.table(region)
    names = region.complaints.loc[found.index, "complaint_id"]
    if who == "late_cases":
        found = complaints.still_open(found)
        later, country = complaints.PROMISE, region.source.calendar
        assigned = complaints.working_days_later(found["opened_at"], later, country)
    else:
        assigned = found["opened_at"].dt.normalize()
    found = found.assign(
        assigned_on=assigned,
        unit=names.reindex(found.index),
        prior=found["prior"].where(found["prior_known"] > 0),
    )
    found = found.dropna(subset=["unit"]).set_index("unit")
    return found[["customer_id", "assigned_on", *OF_CASES]].sort_index()
