"""Visits to key accounts against the promise; what winning and keeping a customer costs."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from analysis import landmarks, purchases
from analysis.data import Region
from analysis.estimates import Estimate, from_se
from analysis.value import tiers

PROMISED = {"A": 3.0, "B": 2.0, "C": 1.0}
"""Visits a month that the texts promise to the tiers of key accounts."""
KEPT = 0.8
"""Share of the promised visits from which on an account counts as visited as promised."""
KEY_SEGMENT = 0.5
"""Share of a segment's customers that must be visited for it to be one of key accounts."""
MONTH = landmarks.YEAR / 12
"""Days of a month."""
DRAWS, LARGE_DF = 20_000, 1_000
"""Draws of an interval, and degrees of freedom that are as good as infinitely many."""
LEAST_CAMPAIGNS = 3
"""Campaigns without which an error by campaign can't be told."""
BEFORE = ("segment", "area", "log_tenure", "log_visits", "log_sales", "trend")
"""What customers are compared at: known before the visits, or before the campaign."""


def accounts(region: Region) -> pd.DataFrame:
    """Return the key accounts, how often they were visited, and whether they stayed.

    The tier is the class by sales of fuel and gas (of everything, where products are not known) in
    the year before a landmark, visits are those of the half
    year after it, and whoever bought in its last quarter is followed for another half year: what
    comes later decides nothing earlier.

    Returns
    -------
    DataFrame
        By customer_id, customers of segments most of which is visited, who bought in the year
        before the landmark and in the quarter before the half year ended: tier (A, B, C), monthly
        (visits a month), as_promised (1 if at least 0.8 of the promise), retained (1 if bought in
        the last quarter), segment, area, log_tenure, log_visits, log_sales (year before), trend
        (log of its second half over its first), satisfaction and loyalty (of answers before it).
    """
    day = landmarks.landmark(region)
    middle = day + dt.timedelta(days=landmarks.HALF_YEAR)
    people = landmarks.traits(region)
    tenure = (pd.Timestamp(day) - people.pop("joined_on")).dt.days
    people = people.assign(log_tenure=landmarks.log_years(tenure)).join(_bought(region, day))
    people = people[people.pop("sales") > 0]
    people = people[_is_key(region, people, day)]
    tier = tiers(_fuel_sales(region, day).reindex(people.index))
    visits = _visits(region, day, middle).reindex(people.index).fillna(0)
    monthly = visits / (landmarks.HALF_YEAR / MONTH)
    own_day = pd.Series(pd.Timestamp(day), people.index)
    found = people.join(landmarks.opinions(region, own_day)).assign(
        tier=tier,
        monthly=monthly,
        as_promised=(monthly >= KEPT * tier.map(PROMISED)).astype(float),
    )
    return found[found.pop("active") & (tenure.reindex(found.index) >= 0)]


def campaigns(region: Region, seed: int = 0) -> pd.DataFrame:
    """Compare who was contacted in a campaign with who was not at that time.

    Every customer's first contact to keep him is his day 0. The others get the day of a random
    campaign (the same seed, the same days), and may be contacted later: to leave those out would
    leave out customers who are known to have stayed. So the comparison is of a contact now with
    none now, in what was spent and in who is retained.

    Parameters
    ----------
    region : Region
        The data.
    seed : int
        Seed of the random days.

    Returns
    -------
    DataFrame
        One row per customer and day who bought in the quarter before it: customer_id, own_day,
        contacted (1 or 0), spent (to keep him, in the year from that day), retained (1 if bought
        in its last quarter), segment, area, log_tenure, log_visits, log_sales, trend,
        satisfaction and loyalty (of answers before that day; missing where not asked).
    """
    rows = _spending(region, "retain")
    first = rows.groupby("customer_id")["contacted_on"].min().dt.normalize()
    usable = _followed(region, first)
    ids = np.sort(region.customers["customer_id"].to_numpy(object))
    days = np.sort(usable.unique())
    drawn = np.random.default_rng(seed).choice(days, len(ids)) if len(days) else []
    others = pd.Series(drawn, ids[: len(drawn)], dtype="datetime64[us]")
    own = first.reindex(others.index)
    waiting = others[own.isna() | (others < own)]
    arms = [
        _compared(region, each, rows).assign(contacted=arm)
        for arm, each in ((1.0, usable), (0.0, waiting))
    ]
    found = pd.concat(arms).rename_axis("customer_id").reset_index()
    return found.assign(log_sales=landmarks.log_of_mean(found.pop("sales")))


def won(region: Region) -> pd.DataFrame:
    """Return what was spent to win customers, and who was won.

    Returns
    -------
    DataFrame
        One row per contact to acquire with a half year of data after it: customer_id, campaign
        (day of the contact), cost, won (1 in one row of each customer who was not there before
        and made his first purchase in the half year after, else 0).
    """
    rows = _spending(region, "acquire").sort_values("contacted_on", kind="stable")
    last = pd.Timestamp(region.end) - pd.Timedelta(days=landmarks.HALF_YEAR)
    rows = rows[rows["contacted_on"] <= last]
    day, ids = rows["contacted_on"].dt.normalize(), rows["customer_id"]
    first = purchases.per_customer(region, region.start, region.end)["first_on"].reindex(ids)
    joined = region.customers.set_index("customer_id")["joined_on"].reindex(ids)
    wait = (first.to_numpy() - day).dt.days
    came = wait.between(0, landmarks.HALF_YEAR) & ~(joined.to_numpy() < day.to_numpy())
    is_first = came.groupby(ids).cumsum() == 1
    columns = {"customer_id": ids, "campaign": day, "cost": rows["cost"]}
    return pd.DataFrame(columns).assign(won=(came & is_first).astype(float)).reset_index(drop=True)


def lacking(wins: pd.DataFrame, trial: pd.DataFrame) -> list[str]:
    """Say why costs of winning and keeping can't be compared; an empty list if they can.

    Parameters
    ----------
    wins : DataFrame
        As from `won`.
    trial : DataFrame
        As from `campaigns`.
    """
    contacted = trial[trial["contacted"] == 1]
    for what, days in (
        ("won customers", wins.loc[wins["won"] > 0, "campaign"]),
        ("contacted customers to keep them, a year before the end", contacted["own_day"]),
    ):
        if days.nunique() < LEAST_CAMPAIGNS:
            return [f"{days.nunique()} campaigns {what}; {LEAST_CAMPAIGNS} are needed."]
    spent = trial.groupby("contacted")["spent"].mean().reindex([0.0, 1.0], fill_value=0.0)
    if spent[1.0] <= spent[0.0]:
        return ["No more was spent on customers who were contacted than on the others."]
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
        purpose ("won" or "contacted"), campaign (day), cost_per_head; campaigns that won
        nobody are left out.
    """
    won_by = wins.groupby("campaign")[["cost", "won"]].sum().query("won > 0")
    kept_by = contacted.groupby("own_day")["spent"].mean()
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
        On the log scale; jackknife over campaigns with as many degrees of freedom less one.

    Raises
    ------
    ValueError
        If there are fewer than three campaigns, or one alone has all heads or costs.

    References
    ----------
    Efron, B., & Stein, C. (1981). The jackknife estimate of variance. Annals of Statistics 9,
    586-596.
    """
    sums = pd.DataFrame({"cost": cost, "heads": heads}).groupby(campaign.to_numpy()).sum()
    left_out = sums.sum() - sums
    if len(sums) < LEAST_CAMPAIGNS or (left_out <= 0).any().any():
        raise ValueError(
            f"A cost per head needs {LEAST_CAMPAIGNS} campaigns, no one with all of it; there are "
            f"{len(sums)}."
        )
    each = np.log(left_out["cost"] / left_out["heads"])
    k = len(sums)
    se = np.sqrt((k - 1) / k * ((each - each.mean()) ** 2).sum())
    middle = sums["cost"].sum() / sums["heads"].sum()
    return from_se(
        middle, se, int(sums["heads"].sum()), scale="log", df=k - 1,
        method=f"jackknife over {k} campaigns",
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
    ValueError
        If no more is spent on those who are contacted.
    """
    net = contact.estimate - saved
    if net <= 0:
        raise ValueError("No more was spent on customers who were contacted than on the others.")
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


def _bought(region: Region, day: dt.date) -> pd.DataFrame:
    """Return what accounts bought before a landmark, at the end of half a year, and at last."""
    half, quarter, year = landmarks.HALF_YEAR, landmarks.QUARTER, landmarks.YEAR
    own_day = pd.Series(pd.Timestamp(day), pd.Index(region.customers["customer_id"]))
    spans = {
        "year": (1 - year, 0), "first": (1 - year, -half), "second": (1 - half, 0),
        "active": (half - quarter + 1, half), "last": (year - quarter + 1, year),
    }  # fmt: skip
    found = purchases.around(region, own_day, spans)
    return pd.DataFrame(
        {
            "sales": found["sales_year"],
            "log_sales": landmarks.log_of_mean(found["sales_year"]),
            "log_visits": np.log1p(found["visits_year"]),
            "trend": np.log1p(found["visits_second"]) - np.log1p(found["visits_first"]),
            "active": found["visits_active"] > 0,
            "retained": (found["visits_last"] > 0).astype(float),
        }
    )


def _fuel_sales(region: Region, day: dt.date) -> pd.Series:
    """Return sales of fuel and gas of the year up to a day, or all where products are unknown."""
    year = purchases.per_customer(region, day - dt.timedelta(days=landmarks.YEAR - 1), day)
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


def _is_key(region: Region, people: pd.DataFrame, day: dt.date) -> pd.Series:
    """Mark the customers of segments that are visited: known from the year before the landmark."""
    year_before = day - dt.timedelta(days=landmarks.YEAR)
    visited = people.index.isin(_visits(region, year_before, day).index)
    share = pd.Series(visited, people.index).groupby(people["segment"]).transform("mean")
    return share >= KEY_SEGMENT


def _spending(region: Region, purpose: str) -> pd.DataFrame:
    """Return the contacts of a purpose; one without a known cost costs nothing."""
    rows = region.contacts[region.contacts["purpose"] == purpose]
    return rows.assign(cost=rows["cost"].fillna(0.0))


def _followed(region: Region, own_day: pd.Series) -> pd.Series:
    """Return the days that a quarter precedes and a year of data follows."""
    first = pd.Timestamp(region.start) + pd.Timedelta(days=landmarks.QUARTER)
    last = pd.Timestamp(region.end) - pd.Timedelta(days=landmarks.YEAR - 1)
    return own_day[(own_day >= first) & (own_day <= last)].sort_index()


def _compared(region: Region, own_day: pd.Series, rows: pd.DataFrame) -> pd.DataFrame:
    """Return what is known of customers on a day of their own, what was spent, and who stayed."""
    year, half, quarter = landmarks.YEAR, landmarks.HALF_YEAR, landmarks.QUARTER
    spans = {
        "year": (-year, -1), "earlier": (-half, -quarter - 1), "quarter": (-quarter, -1),
        "last": (year - quarter, year - 1),
    }  # fmt: skip
    found = purchases.around(region, own_day, spans)
    people = landmarks.traits(region).join(own_day.rename("own_day"), how="inner")
    tenure = (people["own_day"] - people.pop("joined_on")).dt.days
    since = (rows["contacted_on"] - own_day.reindex(rows["customer_id"]).to_numpy()).dt.days
    spent = rows["cost"].where(since.between(0, year - 1)).groupby(rows["customer_id"]).sum()
    people = people.assign(
        log_tenure=landmarks.log_years(tenure),
        log_visits=np.log1p(found["visits_year"]),
        sales=found["sales_year"],
        trend=np.log1p(found["visits_quarter"]) - np.log1p(found["visits_earlier"]),
        spent=spent.reindex(people.index).fillna(0.0),
        retained=(found["visits_last"] > 0).astype(float),
    )
    people = people.join(landmarks.opinions(region, own_day))
    return people[(found["visits_quarter"] > 0).reindex(people.index)]
