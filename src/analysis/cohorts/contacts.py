"""Contacts: visits to key accounts, and the costs of winning and of keeping a customer."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pandas as pd

from analysis.cohorts import landmark, purchases, target_trial
from analysis.data.cache import per_region
from analysis.data.region import Region
from analysis.language import text
from analysis.statistics.estimate import Estimate, NotEstimable, from_se, jackknife_se
from analysis.statistics.value.customer_segments import tiers

PROMISED = {"A": 3.0, "B": 2.0, "C": 1.0}
"""Visits a month that are promised to key accounts, by tier."""
KEPT = 0.8
"""Share of the promised visits from which on an account counts as visited as promised."""
MONTH = landmark.YEAR / 12  # days
DRAWS, LARGE_DF = 20_000, 1_000  # of an interval; as good as infinitely many
MIN_CAMPAIGNS = 3  # months with campaigns that a standard error by campaign needs
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
    rows = _spending(region, "retain")
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
    rows = _spending(region, "acquire").sort_values("contacted_on", kind="stable")
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
    return [] if spent[1.0] > spent[0.0] else [_no_more_spent()]


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
        of a jackknife over campaigns, and at least that of the mean of a log-normal quantity (Zhou
        & Gao 1997, Statistics in Medicine 16, 783-790): where a few campaigns cost many times the
        others, most samples miss them, and the jackknife alone covers 83 to 94 instead of 95 %
        (standard deviation of the log 1 to 1.5).

    Raises
    ------
    NotEstimable
        If there are fewer than three campaigns, or one alone has all heads or costs.
    """
    sums = pd.DataFrame({"cost": cost, "heads": heads}).groupby(campaign.to_numpy()).sum()
    k, left_out = len(sums), sums.sum() - sums
    if k < MIN_CAMPAIGNS or (left_out <= 0).any(axis=None):
        raise NotEstimable(text(
            "A cost per head needs {least} campaigns, no one with all of it; there are {n}.",
            least=MIN_CAMPAIGNS, n=k,
        ))  # fmt: skip
    jackknife = jackknife_se(np.log(left_out["cost"] / left_out["heads"]))
    some = sums[(sums > 0).all(axis=1)]
    variance = np.log(some["cost"] / some["heads"]).var() if len(some) > 1 else 0.0
    log_normal = float(np.sqrt(variance / k + variance**2 / (2 * (k - 1))))
    return from_se(
        sums["cost"].sum() / sums["heads"].sum(), max(jackknife, log_normal),
        int(sums["heads"].sum()), scale="log", df=k - 1,
        method=text("jackknife over {n} campaigns, at least log-normal", n=k),
    )  # fmt: skip


def cost_ratio(winning: Estimate, contact: Estimate, kept: Estimate, saved: float) -> Estimate:
    """Estimate how many times the cost of keeping a customer the cost of winning one is.

    Parameters
    ----------
    winning, contact : Estimate
        Cost per customer won, and per customer contacted, on the log scale.
    kept : Estimate
        Difference in retention between those contacted and those not contacted then.
    saved : float
        Spent per customer on those who were not contacted then: the others' contacts are paid
        for, too, and only the difference keeps more customers.

    Returns
    -------
    Estimate
        `winning` x `kept` / (`contact` less `saved`), with an interval of 20,000 draws of the three
        from their own distributions: it exists where nobody is kept, and is as skewed as costs.

    Raises
    ------
    NotEstimable
        If no more is spent on those who are contacted.
    """
    net = contact.estimate - saved
    if net <= 0:
        raise NotEstimable(_no_more_spent())
    rng = np.random.default_rng(0)
    wins, costs, keeps = (
        each.se * rng.standard_t(min(each.df, LARGE_DF), DRAWS) for each in (winning, contact, kept)
    )
    # A contact that costs more costs more on those who are contacted later, too.
    drawn = winning.estimate * np.exp(wins - costs) * (kept.estimate + keeps) / net
    low, high = np.quantile(drawn, [0.025, 0.975])
    ratio = winning.estimate * kept.estimate / net
    method = f"costs by campaign, {kept.method}"  # a method stays English, piece by piece
    return Estimate(float(ratio), float(low), float(high), kept.n_obs, method=method)


def costs_in_words(
    winning: Estimate, contact: Estimate, kept: Estimate, saved: float, currency: str
) -> str:
    """Say what winning and keeping cost, from the arguments of `cost_ratio`."""
    net = contact.estimate - saved
    costs = text(
        "Winning a customer costs {winning} {currency} [{win_low}, {win_high}]. On each customer "
        "contacted to keep them {more} {currency} more was spent than on those not contacted then "
        "({spent} less {saved}), and of a hundred {kept.estimate:+.1f} more "
        "[{kept.ci_low:+.1f}, {kept.ci_high:+.1f}] are there a year later than of comparable ones",
        winning=amount(winning.estimate), win_low=amount(winning.ci_low),
        win_high=amount(winning.ci_high), more=amount(net), spent=amount(contact.estimate),
        saved=amount(saved), kept=kept.times(100), currency=currency,
    )  # fmt: skip
    if kept.estimate <= 0:
        return text("{costs}: nobody seems to be kept by it.", costs=costs)
    return text(
        "{costs}: {each} {currency} for each customer kept because of it. Winning costs "
        "{ratio.estimate:.1f} [{ratio.ci_low:.1f}, {ratio.ci_high:.1f}] times what keeping costs.",
        costs=costs, each=amount(net / kept.estimate), currency=currency,
        ratio=cost_ratio(winning, contact, kept, saved),
    )  # fmt: skip


def _no_more_spent() -> str:
    """Say why nobody can be said to be kept by spending."""
    return text("No more was spent on customers who were contacted than on the others.")


def amount(value: float) -> str:
    """Write an amount in whole units, or with three significant digits where that is more."""
    digits = 2 - math.floor(math.log10(abs(value))) if value else 0
    return f"{value:,.{min(max(digits, 0), 8)}f}"


def _visits(region: Region, after: dt.date, until: dt.date) -> pd.Series:
    """Count the visits to customers, by customer_id."""
    rows = region.contacts[region.contacts["kind"] == "visit"]
    day = rows["contacted_on"].dt.normalize()
    rows = rows[(day > pd.Timestamp(after)) & (day <= pd.Timestamp(until))]
    return rows.groupby("customer_id").size()


def _spending(region: Region, purpose: str) -> pd.DataFrame:
    """Return the contacts of a purpose; one without a known cost costs nothing."""
    rows = region.contacts[region.contacts["purpose"] == purpose]
    return rows.assign(cost=rows["cost"].fillna(0.0))
