"""Contacts: visits to key accounts, and the costs of winning and of keeping a customer."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from analysis.cohorts import landmark, purchases, target_trial
from analysis.data.cache import per_region
from analysis.data.region import Region
from analysis.language import text
from analysis.statistics.value.campaign_costs import MIN_CAMPAIGNS, no_more_spent
from analysis.statistics.value.customer_segments import tiers

PROMISED = {"A": 3.0, "B": 2.0, "C": 1.0}
"""Visits a month that are promised to key accounts, by tier."""
KEPT = 0.8
"""Share of the promised visits from which on an account counts as visited as promised."""
MONTH = landmark.YEAR / 12  # days
BEFORE = ("tier", "segment", "area", "log_tenure", "log_visits", "log_sales", "trend")
"""Covariates that accounts are compared at: known before the visits."""


@per_region
def accounts(region: Region) -> pd.DataFrame:
    """Return the key accounts, how often they were visited, and whether they stayed.

    The tier is the class by sales of fuel and gas (of everything, where products are not known) in
    the year before a landmark; visits are those of the quarter after it. Accounts are compared
    that still buy when that quarter ends: nobody visits an account that has gone, and to count it
    as visited less would make the loss the cause of itself.

    Returns
    -------
    DataFrame
        By customer_id, customers visited in the year before the landmark who bought in its last
        quarter and in the last four weeks of the one after: the columns of `landmark.observe`,
        tier (A, B, C), trend (log of the visits of the last half year over those of the half year
        before), log_sales (year before), satisfaction and loyalty (of answers before); monthly
        (visits a month), as_promised (1 if at least 0.8 of the promise), tier_after (class by
        sales of the year after).
    """
    day = landmark.landmark(region)
    people = landmark.table(region, day)
    visited = _visits(region, day - dt.timedelta(days=landmark.YEAR), day)
    people = people[(people["sales_before"] > 0) & people.index.isin(visited.index)]
    spans = {
        "earlier": (1 - landmark.YEAR, -landmark.HALF_YEAR),
        "later": (1 - landmark.HALF_YEAR, 0),
        "year": (1 - landmark.YEAR, 0),
        "still": (landmark.QUARTER - landmark.FOUR_WEEKS + 1, landmark.QUARTER),
        "after": (1, landmark.YEAR),
    }
    bought = purchases.around(region, people["own_day"], spans)
    sales = "fuel_sales" if "fuel_sales_year" in bought else "sales"
    people = people.assign(
        tier=tiers(bought[f"{sales}_year"]),
        trend=np.log1p(bought["visits_later"]) - np.log1p(bought["visits_earlier"]),
    )
    people = people[(people["active"] > 0) & (bought["visits_still"] > 0)]
    visits = _visits(region, day, day + dt.timedelta(days=landmark.QUARTER))
    monthly = visits.reindex(people.index).fillna(0) / (landmark.QUARTER / MONTH)
    return people.assign(
        monthly=monthly,
        as_promised=(monthly >= KEPT * people["tier"].map(PROMISED).astype(float)).astype(float),
        tier_after=tiers(bought[f"{sales}_after"].reindex(people.index)),
        log_sales=landmark.log_of_mean(people["sales_before"]),
    ).join(landmark.opinions(region, people["own_day"]))


@per_region
def campaigns(region: Region, seed: int = 0) -> pd.DataFrame:
    """Emulate a trial of a customer's first contact to keep them.

    Returns
    -------
    DataFrame
        As from `target_trial.emulate`, with spent (to keep the customer, from that day for a year)
        and campaign (calendar month of that day).
    """
    rows = spending(region, "retain")
    trial = target_trial.emulate(region, rows.groupby("customer_id")["contacted_on"].min(), seed)
    days = rows.merge(trial[["customer_id", "own_day"]].reset_index(), on="customer_id")
    since = (days["contacted_on"] - days["own_day"]).dt.days
    spent = days["cost"].where(since.between(0, landmark.YEAR)).groupby(days["index"]).sum()
    campaign = trial["own_day"].dt.to_period("M").dt.to_timestamp()
    return trial.assign(spent=spent.reindex(trial.index).fillna(0.0), campaign=campaign)


@per_region
def won(region: Region) -> pd.DataFrame:
    """Return what was spent to win customers, and who was won.

    Returns
    -------
    DataFrame
        One row per contact to acquire with a half year of data after it: customer_id, campaign
        (calendar month of the contact), cost, won (1 in one row of each customer who was not there
        before and made their first purchase in the half year after, else 0).
    """
    rows = spending(region, "acquire").sort_values("contacted_on", kind="stable")
    last = pd.Timestamp(region.end) - pd.Timedelta(days=landmark.HALF_YEAR)
    rows = rows[rows["contacted_on"] <= last]
    day, ids = rows["contacted_on"].dt.normalize(), rows["customer_id"]
    first = purchases.per_customer(region, region.start, region.end)["first_on"].reindex(ids)
    joined = region.customers.set_index("customer_id")["joined_on"].reindex(ids)
    wait = (first.to_numpy() - day).dt.days
    came = wait.between(0, landmark.HALF_YEAR) & ~(joined.to_numpy() < day.to_numpy())
    is_first = came.groupby(ids).cumsum() == 1
    wins = rows[["customer_id", "cost"]].assign(
        campaign=day.dt.to_period("M").dt.to_timestamp(), won=(came & is_first).astype(float)
    )
    return wins.reset_index(drop=True)


def reached(region: Region) -> str:
    """Say how many customers were contacted, or that this is not recorded."""
    if "contacts" not in region.rows and region.contacts.empty:
        return text("visits, calls and campaigns are not recorded")
    return text(
        "{customers:,} were visited, called or reached by a campaign",
        customers=region.contacts["customer_id"].nunique(),
    )


def lacking(wins: pd.DataFrame, trial: pd.DataFrame) -> list[str]:
    """Say why costs of `won` and `campaigns` can't be compared; an empty list if they can."""
    contacted = trial[trial["treated"] == 1]
    spent = trial.groupby("treated")["spent"].mean().reindex([0.0, 1.0], fill_value=0.0)
    kept_in = contacted["campaign"].nunique()
    with_cost = [
        (rows.groupby("campaign")[column].sum() > 0).sum()
        for rows, column in ((wins, "cost"), (contacted, "spent"))
    ]
    months = {
        text("won customers"): wins.loc[wins["won"] > 0, "campaign"].nunique(),
        text("contacted customers to keep them, a year before the end"): kept_in,
        text("to win customers had a cost"): with_cost[0],
        text("to keep them had a cost"): with_cost[1],
    }
    for what, n in months.items():
        if n < MIN_CAMPAIGNS:
            return [text(
                "Campaigns of {n} months {what}; {least} are needed.",
                n=n, what=what, least=MIN_CAMPAIGNS,
            )]  # fmt: skip
    return [] if spent[1.0] > spent[0.0] else [no_more_spent()]


def by_campaign(wins: pd.DataFrame, contacted: pd.DataFrame) -> pd.DataFrame:
    """Return costs per customer won, and per customer contacted, of `won` and of `campaigns`.

    Columns: purpose ("won" or "contacted"), campaign (month), cost_per_head; months in which nobody
    was won are left out.
    """
    won_by = wins.groupby("campaign")[["cost", "won"]].sum().query("won > 0")
    kept_by = contacted.groupby("campaign")["spent"].mean()
    costs = {"won": won_by["cost"] / won_by["won"], "contacted": kept_by}
    return pd.concat(costs, names=["purpose", "campaign"]).rename("cost_per_head").reset_index()


def cost_known(region: Region) -> float:
    """Return the share of contacts to win or keep customers whose cost is known."""
    rows = region.contacts[region.contacts["purpose"].isin(["acquire", "retain"])]
    return float(rows["cost"].notna().mean()) if len(rows) else 0.0


def _visits(region: Region, after: dt.date, until: dt.date) -> pd.Series:
    """Count the visits to customers, by customer_id."""
    rows = region.contacts[region.contacts["kind"] == "visit"]
    day = rows["contacted_on"].dt.normalize()
    rows = rows[(day > pd.Timestamp(after)) & (day <= pd.Timestamp(until))]
    return rows.groupby("customer_id").size()


def spending(region: Region, purpose: str) -> pd.DataFrame:
    """Return the contacts of a purpose; one without a known cost costs nothing."""
    rows = region.contacts[region.contacts["purpose"] == purpose]
    return rows.assign(cost=rows["cost"].fillna(0.0))
