"""Visits to key accounts against the promise; what winning and keeping a customer costs."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pandas as pd

from analysis.cohorts import landmark, purchases, target_trial
from analysis.data.region import Region
from analysis.statistics.concentration import tiers
from analysis.statistics.estimate import Estimate, NotEstimable, from_se, jackknife_se

PROMISED = {"A": 3.0, "B": 2.0, "C": 1.0}
"""Visits a month that the texts promise to the tiers of key accounts."""
KEPT = 0.8
"""Share of the promised visits from which on an account counts as visited as promised."""
STILL = 28
"""Days up to the end of the visits within which accounts buy that are compared."""
MONTH = landmark.YEAR / 12
"""Days of a month."""
DRAWS, LARGE_DF = 20_000, 1_000
"""Draws of an interval, and degrees of freedom that are as good as infinitely many."""
LEAST_CAMPAIGNS = 3
"""Months with campaigns without which an error by campaign can't be told."""
BEFORE = ("tier", "segment", "area", "log_tenure", "log_visits", "log_sales", "trend")
"""What accounts are compared at: known before the visits."""


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
        quarter and in the last four weeks of the one after: tier (A, B, C), monthly (visits a
        month), as_promised (1 if at least 0.8 of the promise), retained (1 if bought in the last
        quarter of the year after), tier_after (class by sales of the year after), segment, area,
        log_tenure, log_visits, log_sales (year before), trend (log of its second half over its
        first), satisfaction and loyalty (of answers before it).
    """
    day = landmark.landmark(region)
    until = day + dt.timedelta(days=landmark.QUARTER)
    people = _visited(region, day)
    people = people[(people["active"] > 0) & _buys(region, until)[people.index]]
    visits = _visits(region, day, until).reindex(people.index).fillna(0)
    monthly = visits / (landmark.QUARTER / MONTH)
    promised = people["tier"].map(PROMISED).astype(float)
    own_day = pd.Series(pd.Timestamp(day), people.index)
    columns = ["segment", "area", "log_tenure", "log_visits", "retained", "tier"]
    found = people[columns].assign(
        monthly=monthly,
        as_promised=(monthly >= KEPT * promised).astype(float),
        tier_after=_tier(region, region.end, people.index),
        log_sales=landmark.log_of_mean(people["sales_before"]),
        trend=_trend(region, day).reindex(people.index),
    )
    return found.join(landmark.opinions(region, own_day))


def campaigns(region: Region, seed: int = 0) -> pd.DataFrame:
    """Compare who was contacted in a campaign with who was not at that time.

    Parameters
    ----------
    region : Region
        The data.
    seed : int
        Seed of the days of those who were not contacted.

    Returns
    -------
    DataFrame
        The rows of `target_trial.emulate`, treated being a customer's first contact to keep
        them, with spent (to keep them, from that day for a year) and campaign (calendar month
        of that day).
    """
    rows = _spending(region, "retain")
    found = target_trial.emulate(region, rows.groupby("customer_id")["contacted_on"].min(), seed)
    days = rows.merge(found[["customer_id", "own_day"]].reset_index(), on="customer_id")
    since = (days["contacted_on"] - days["own_day"]).dt.days
    spent = days["cost"].where(since.between(0, landmark.YEAR)).groupby(days["index"]).sum()
    month = found["own_day"].dt.to_period("M").dt.to_timestamp()
    return found.assign(spent=spent.reindex(found.index).fillna(0.0), campaign=month)


def won(region: Region) -> pd.DataFrame:
    """Return what was spent to win customers, and who was won.

    Returns
    -------
    DataFrame
        One row per contact to acquire with a half year of data after it: customer_id, campaign
        (calendar month of the contact), cost, won (1 in one row of each customer who was not there
        before and made their first purchase in the half year after, else 0).
    """
    rows = _spending(region, "acquire").sort_values("contacted_on", kind="stable")
    last = pd.Timestamp(region.end) - pd.Timedelta(days=landmark.HALF_YEAR)
    rows = rows[rows["contacted_on"] <= last]
    day, ids = rows["contacted_on"].dt.normalize(), rows["customer_id"]
    month = day.dt.to_period("M").dt.to_timestamp()
    first = purchases.per_customer(region, region.start, region.end)["first_on"].reindex(ids)
    joined = region.customers.set_index("customer_id")["joined_on"].reindex(ids)
    wait = (first.to_numpy() - day).dt.days
    came = wait.between(0, landmark.HALF_YEAR) & ~(joined.to_numpy() < day.to_numpy())
    is_first = came.groupby(ids).cumsum() == 1
    columns = {"customer_id": ids, "campaign": month, "cost": rows["cost"]}
    return pd.DataFrame(columns).assign(won=(came & is_first).astype(float)).reset_index(drop=True)


def reached(region: Region) -> str:
    """Say how many customers were contacted, or that this is not recorded."""
    if "contacts" not in region.rows and region.contacts.empty:
        return "visits, calls and campaigns are not recorded"
    count = region.contacts["customer_id"].nunique()
    return f"{count:,} were visited, called or reached by a campaign"


def lacking(wins: pd.DataFrame, trial: pd.DataFrame) -> list[str]:
    """Say why costs of winning and keeping can't be compared; an empty list if they can.

    Parameters
    ----------
    wins : DataFrame
        As from `won`.
    trial : DataFrame
        As from `campaigns`.
    """
    contacted = trial[trial["treated"] == 1]
    for what, days in (
        ("won customers", wins.loc[wins["won"] > 0, "campaign"]),
        ("contacted customers to keep them, a year before the end", contacted["campaign"]),
    ):
        if days.nunique() < LEAST_CAMPAIGNS:
            return [f"Campaigns of {days.nunique()} months {what}; {LEAST_CAMPAIGNS} are needed."]
    spent = trial.groupby("treated")["spent"].mean().reindex([0.0, 1.0], fill_value=0.0)
    if spent[1.0] <= spent[0.0]:
        return ["No more was spent on customers who were contacted than on the others."]
    for what, cost in (
        ("to win customers", wins.groupby("campaign")["cost"].sum()),
        ("to keep them", contacted.groupby("campaign")["spent"].sum()),
    ):
        if (cost > 0).sum() < LEAST_CAMPAIGNS:
            months = f"Campaigns of {(cost > 0).sum()} months {what} had a cost"
            return [f"{months}; {LEAST_CAMPAIGNS} are needed."]
    return []


def by_campaign(wins: pd.DataFrame, contacted: pd.DataFrame) -> pd.DataFrame:
    """Return what each campaign cost per customer won, or per customer contacted.

    Parameters
    ----------
    wins : DataFrame
        As from `won`.
    contacted : DataFrame
        Rows of `campaigns` of those who were contacted.

    Returns
    -------
    DataFrame
        purpose ("won" or "contacted"), campaign (month), cost_per_head; months in which nobody
        was won are left out.
    """
    won_by = wins.groupby("campaign")[["cost", "won"]].sum().query("won > 0")
    kept_by = contacted.groupby("campaign")["spent"].mean()
    costs = {"won": won_by["cost"] / won_by["won"], "contacted": kept_by}
    found = pd.concat(costs, names=["purpose", "campaign"]).rename("cost_per_head")
    return found.reset_index()


def cost_known(region: Region) -> float:
    """Return the share of contacts to win or keep customers whose cost is known."""
    rows = region.contacts[region.contacts["purpose"].isin(["acquire", "retain"])]
    return float(rows["cost"].notna().mean()) if len(rows) else 0.0


def per_head(cost: pd.Series, heads: pd.Series, campaign: pd.Series) -> Estimate:
    """Estimate a cost per head, whose error is that of a sample of campaigns.

    Parameters
    ----------
    cost, heads : Series, shape (n,)
        Sums to be divided by each other.
    campaign : Series, shape (n,)
        What each row belongs to; costs of a campaign are alike.

    Returns
    -------
    Estimate
        On the log scale, with as many degrees of freedom as campaigns, less one. Its error is that
        of a jackknife over campaigns, and at least that of the mean of a log-normal quantity: where
        a few campaigns cost many times the others, most samples miss them, and the jackknife
        alone covers 83 to 94 instead of 95 % (standard deviation of the log 1 to 1.5).

    Raises
    ------
    NotEstimable
        If there are fewer than three campaigns, or one alone has all heads or costs.

    References
    ----------
    Zhou, X.-H., & Gao, S. (1997). Confidence intervals for the log-normal mean. Statistics in
    Medicine 16, 783-790.
    """
    sums = pd.DataFrame({"cost": cost, "heads": heads}).groupby(campaign.to_numpy()).sum()
    left_out = sums.sum() - sums
    if len(sums) < LEAST_CAMPAIGNS or (left_out <= 0).any().any():
        raise NotEstimable(
            f"A cost per head needs {LEAST_CAMPAIGNS} campaigns, no one with all of it; there are "
            f"{len(sums)}."
        )
    each = np.log(left_out["cost"] / left_out["heads"])
    k = len(sums)
    middle = sums["cost"].sum() / sums["heads"].sum()
    return from_se(
        middle, max(jackknife_se(each), _log_normal_se(sums)), int(sums["heads"].sum()),
        scale="log", df=k - 1, method=f"jackknife over {k} campaigns, at least log-normal",
    )  # fmt: skip


def cost_ratio(winning: Estimate, contact: Estimate, kept: Estimate, saved: float) -> Estimate:
    """Estimate how many times the cost of keeping a customer the cost of winning one is.

    Parameters
    ----------
    winning, contact : Estimate
        Cost per customer won, and per customer contacted, on the log scale.
    kept : Estimate
        Retained of those contacted less of those not contacted then.
    saved : float
        Spent per customer on those who were not contacted then: the others' contacts are paid
        for, too, and only the difference keeps more customers.

    Returns
    -------
    Estimate
        `winning` x `kept` / (`contact` less `saved`). Its interval is that of 20,000 draws of
        the three from their own distributions, the same every time: it stands where nobody is
        kept, and is as skewed as costs are.

    Raises
    ------
    NotEstimable
        If no more is spent on those who are contacted.
    """
    net = contact.estimate - saved
    if net <= 0:
        raise NotEstimable("No more was spent on customers who were contacted than on the others.")
    rng = np.random.default_rng(0)
    wins, costs, keeps = (
        each.se * rng.standard_t(min(each.df, LARGE_DF), DRAWS) for each in (winning, contact, kept)
    )
    # A contact that costs more costs more on those who are contacted later, too.
    drawn = winning.estimate * np.exp(wins - costs) * (kept.estimate + keeps) / net
    low, high = np.quantile(drawn, [0.025, 0.975])
    ratio = winning.estimate * kept.estimate / net
    method = f"costs by campaign times {kept.method}"
    return Estimate(float(ratio), float(low), float(high), kept.n_obs, method=method)


def costs_in_words(
    winning: Estimate, contact: Estimate, kept: Estimate, saved: float, currency: str
) -> str:
    """Say what winning and keeping cost, with the numbers that their ratio follows from.

    Parameters
    ----------
    winning, contact, kept, saved
        As in `cost_ratio`.
    currency : str
        Of the costs.
    """
    net = contact.estimate - saved
    said = (
        f"Winning a customer costs {_in_digits(winning.estimate)} {currency}. On each customer "
        f"contacted to keep them {_in_digits(net)} {currency} more was spent than on those not "
        f"contacted then ({_in_digits(contact.estimate)} less {_in_digits(saved)}), and of a "
        f"hundred {100 * kept.estimate:+.2f} more are there a year later than of comparable ones"
    )
    if kept.estimate <= 0:
        return f"{said}: nobody seems to be kept by it."
    each = net / kept.estimate
    return (
        f"{said}: {_in_digits(each)} {currency} for each customer kept because of it. Winning "
        f"costs {winning.estimate / each:.1f} times as much as keeping."
    )


def _in_digits(amount: float) -> str:
    """Write an amount with four significant digits or more."""
    digits = 3 - math.floor(math.log10(abs(amount))) if amount else 0
    return f"{amount:,.{min(max(digits, 0), 8)}f}"


def _log_normal_se(sums: pd.DataFrame) -> float:
    """Return the error of the log of a mean, if costs per head of campaigns are log-normal."""
    some = sums[(sums["cost"] > 0) & (sums["heads"] > 0)]
    variance = np.log(some["cost"] / some["heads"]).var() if len(some) > 1 else 0.0
    return float(np.sqrt(variance / len(sums) + variance**2 / (2 * (len(sums) - 1))))


def _trend(region: Region, day: dt.date) -> pd.Series:
    """Return the log of the visits of the half year before a day over those of the one before."""
    half = dt.timedelta(days=landmark.HALF_YEAR)
    earlier = purchases.per_customer(region, day - 2 * half + dt.timedelta(days=1), day - half)
    later = purchases.per_customer(region, day - half + dt.timedelta(days=1), day)
    return np.log1p(later["visits"]) - np.log1p(earlier["visits"])


def _visited(region: Region, day: dt.date) -> pd.DataFrame:
    """Return who had sales and visits in the year up to a day, with the tier that these make."""
    people = landmark.table(region, day)
    visited = _visits(region, day - dt.timedelta(days=landmark.YEAR), day).index
    people = people[(people["sales_before"] > 0) & people.index.isin(visited)]
    return people.assign(tier=_tier(region, day, people.index))


def _tier(region: Region, day: dt.date, ids: pd.Index) -> pd.Series:
    """Return the classes of customers by their sales of the year up to a day."""
    return tiers(_fuel_sales(region, day).reindex(ids).fillna(0.0))


def _buys(region: Region, day: dt.date) -> pd.Series:
    """Tell who bought in the weeks up to a day, by customer_id."""
    found = purchases.per_customer(region, day - dt.timedelta(days=STILL - 1), day)
    return found["visits"] > 0


def _fuel_sales(region: Region, day: dt.date) -> pd.Series:
    """Return sales of fuel and gas of the year up to a day, or all where products are unknown."""
    year = purchases.per_customer(region, day - dt.timedelta(days=landmark.YEAR - 1), day)
    return year["fuel_sales"] if "fuel_sales" in year else year["sales"]


def _visits(region: Region, after: dt.date, until: dt.date) -> pd.Series:
    """Count the visits to customers, by customer_id."""
    rows = region.contacts[region.contacts["kind"] == "visit"]
    day = rows["contacted_on"].dt.normalize()
    return (
        rows[(day > pd.Timestamp(after)) & (day <= pd.Timestamp(until))]
        .groupby("customer_id")
        .size()
    )


def _spending(region: Region, purpose: str) -> pd.DataFrame:
    """Return the contacts of a purpose; one without a known cost costs nothing."""
    rows = region.contacts[region.contacts["purpose"] == purpose]
    return rows.assign(cost=rows["cost"].fillna(0.0))
