"""What *lost* means: a silence that is long for that customer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.cohorts import landmark, purchases
from analysis.data.cache import per_region
from analysis.data.region import Region
from analysis.statistics import prediction
from analysis.statistics.concentration import tiers
from analysis.statistics.estimate import Estimate, NotEstimable
from analysis.statistics.regression import models

FACTOR = 10
"""Times a customer's usual gap between two purchases that a silence must last."""
SHORTEST, LONGEST = 56, 182
"""Days: no shorter silence counts as lost, and every longer one does."""
SEEN = 28
"""Days for which a customer counts as seen at least, however new they are."""
CLOSED_AFTER = 28
"""Days without any purchase after which a station, or a whole region, looks closed."""


@dataclass(frozen=True)
class Completeness:
    """What could look like customers who left, and is none; `checks.complete_purchases`.

    Attributes
    ----------
    share_of_closed : float or None
        Share of the customers whose usual station closed; None where that can't be known.
    longest_pause : int
        Most days on end without any purchase in the region.
    repeated_days : int
        Days all of whose lines stand in the data more than once.
    """

    share_of_closed: float | None
    longest_pause: int
    repeated_days: int


@per_region
def completeness(region: Region) -> Completeness:
    """Look for gaps, closed stations and repeated days in a region's purchases.

    Raises
    ------
    NotEstimable
        If there are no purchases.
    """
    if not region.days or region.customers.empty:
        raise NotEstimable("There are no purchases.")
    is_known = "transactions.station_id" in region.columns and region.days > 2 * CLOSED_AFTER
    share = closed(region)["customers"].sum() / len(region.customers) if is_known else None
    return Completeness(share, longest_pause(region), len(purchases.repeated_days(region)))


def rhythm(region: Region, since: pd.Series, factor: float = FACTOR) -> pd.DataFrame:
    """Return how often customers bought before a day of their own, and what silence is long then.

    Nothing after that day is known: a rhythm that had the later purchases in it would forgive
    who comes back after a long silence, and nobody else.

    Parameters
    ----------
    region : Region
        The data.
    since : Series of datetime, by customer_id
        Each customer's day.
    factor : float
        Times the usual gap.

    Returns
    -------
    DataFrame
        Indexed as `since`: visits (days with a purchase in the half year that ends on the day),
        gap_days (that half year, or the part of it as a customer, over the visits)
        and limit_days (`factor` times that, 56 to 182).
    """
    half = {"half": (1 - landmark.HALF_YEAR, 0)}
    visits = purchases.around(region, since, half)["visits_half"]
    entry = landmark.traits(region)["joined_on"].clip(lower=pd.Timestamp(region.start))
    seen = (since - entry.reindex(since.index)).dt.days + 1
    gap = seen.clip(SEEN, landmark.HALF_YEAR) / visits.clip(lower=1)
    limit = (factor * gap).clip(SHORTEST, LONGEST)
    return pd.DataFrame({"visits": visits, "gap_days": gap, "limit_days": limit})


def spells(region: Region, since: pd.Series | dt.date, factor: float = FACTOR) -> pd.DataFrame:
    """Follow customers from a day until they fall silent, or until that can no longer be seen.

    Whoever bought within their own limit of the end of the data may still come: they are followed
    up to that limit before the end, and no further. The silence counts from the last purchase.

    Parameters
    ----------
    region : Region
        The data.
    since : date, or Series of datetime by customer_id
        Day from which on customers are followed; one for all, or each one's own.
    factor : float
        As in `rhythm`.

    Returns
    -------
    DataFrame
        Customers who bought after that day (their first purchase may lie after it, too), by
        customer_id: from_day, to_day (days since the start of the data), lost (1 or 0), returned
        (after the silence) and limit_days.

    References
    ----------
    Fleming, T. R., & Harrington, D. P. (1991). Counting Processes and Survival Analysis.
    Wiley.
    """
    own = since
    if not isinstance(since, pd.Series):
        own = pd.Series(pd.Timestamp(since), pd.Index(region.customers["customer_id"]))
    own = own.dropna().rename("since").sort_index()
    known = rhythm(region, own, factor).join(own)
    known = known.join(purchases.first_silences(region, known), how="inner")
    start, length = pd.Timestamp(region.start), region.days - 1
    to_day = (known["silent_from"] - start).dt.days
    seen = length - known["limit_days"]
    found = pd.DataFrame(
        {
            "from_day": (known["since"] - start).dt.days,
            "to_day": to_day.fillna(length).clip(upper=seen),
            "lost": (to_day <= seen).astype(float),
            "returned": known["returned"],
            "limit_days": known["limit_days"],
        }
    )
    return found[found["to_day"] > found["from_day"]]


@per_region
def cohort(region: Region, factor: float = FACTOR) -> pd.DataFrame:
    """Follow the customers of the first half year from its end on.

    Returns
    -------
    DataFrame
        Those who bought in the quarter before that day, by customer_id: days followed, lost,
        returned, segment, area, tier (class by sales of the half year), limit_days.

    Raises
    ------
    NotEstimable
        If the data have less than a year of purchases.
    """
    if region.days < landmark.YEAR:
        raise NotEstimable(
            f"Customers are followed from the end of the first half year on: {landmark.YEAR} days "
            f"of purchases are needed; there are {region.days}."
        )
    day, recent = _recent(region)
    before = purchases.per_customer(region, region.start, day)
    tier = tiers(before.loc[before["sales"] > 0, "sales"]).rename("tier")
    found = spells(region, day, factor).join(landmark.traits(region)).join(tier)
    found = found[found.index.isin(recent)]
    days = found.pop("to_day") - found.pop("from_day")
    return found.drop(columns="joined_on").assign(days=days)


def rules(
    region: Region, followed: pd.DataFrame, others: Sequence[float] = (4, 6, 16)
) -> pd.DataFrame:
    """Return what other rules would call lost.

    Parameters
    ----------
    region : Region
        The data.
    followed : DataFrame
        As from `cohort`, by the usual factor.
    others : sequence of float
        Other factors on the usual gap.

    Returns
    -------
    DataFrame
        By factor: limit_days (median), customers followed, lost (share), returned (share of
        the lost who bought again by the end of the data: the rule's false alarms so far).
    """
    rows, (day, recent) = {}, _recent(region)
    for factor in sorted((*others, FACTOR)):
        found = followed if factor == FACTOR else spells(region, day, factor)
        found = found[found.index.isin(recent)]
        lost = found["lost"] == 1
        rows[factor] = {
            "limit_days": found["limit_days"].median(),
            "customers": len(found),
            "lost": lost.mean(),
            "returned": found.loc[lost, "returned"].mean(),
        }
    return pd.DataFrame(rows).T.rename_axis("factor").astype({"customers": int})


def _recent(region: Region) -> tuple[dt.date, pd.Index]:
    """Return the end of the first half year, and who bought in the quarter before it."""
    day = region.start + dt.timedelta(days=landmark.HALF_YEAR)
    found = purchases.per_customer(region, day - dt.timedelta(days=landmark.QUARTER - 1), day)
    return day, found.index[found["visits"] > 0]


def by_recency(
    rows: pd.DataFrame, outcome: str, controls: Sequence[str], seed: int = 0
) -> dict[str, Estimate]:
    """Estimate what the time since the last purchase tells of a silence, at equal controls.

    Parameters
    ----------
    rows : DataFrame
        As from `weeks.moments`, with the controls; nothing missing.
    outcome : str
        Column of 0 and 1, such as "lapse_year".
    controls : sequence of str
        Terms of the formula, as from `landmark.controls`.
    seed : int
        Deals customers to folds.

    Returns
    -------
    dict of str to Estimate
        odds_ratio (of the silence per doubling of the time; logit, errors by customer) and
        auc_gain (of predictions for customers whom the model has not seen, over those without it).
    """
    people, formula = rows["customer_id"], " + ".join([f"{outcome} ~ recency", *controls])
    fit = models.robust_glm(formula, rows, family="binomial", groups="customer_id")
    risk, base = (
        prediction.held_out(each, rows, people, seed=seed)
        for each in (formula, formula.replace("recency", "1", 1))
    )
    return {
        "odds_ratio": models.contrast(fit, "recency"),
        "auc_gain": prediction.auc_gain(risk, base, rows[outcome], people),
    }


def closed(region: Region) -> pd.DataFrame:
    """Return the stations that sell nothing any more: their customers did not leave of their own.

    A station looks closed after a silence that is long for it, as for a customer, and of four
    weeks at least, at the end of the data or within them. Of its customers those are counted
    who did not buy anywhere in the silence: where they did, the station has another name now, or
    they went on elsewhere.

    Returns
    -------
    DataFrame
        By station_id: silent_from (day of the last purchase before its longest silence),
        silent_days, customers (whose usual station it is, who bought in the eight weeks before
        the silence, and nowhere in it).
    """
    found = purchases.per_station(region)
    gap = (found["last_on"] - found["first_on"]).dt.days / (found["days"] - 1).clip(lower=1)
    is_closed = found["silent_days"] > (FACTOR * gap).clip(lower=CLOSED_AFTER)
    found = found.loc[is_closed, ["silent_from", "silent_days"]]
    usual = purchases.usual_stations(region)
    waiting = [
        int(_waiting(region, row.silent_from, row.silent_days)[usual.index[usual == name]].sum())
        for name, row in zip(found.index, found.itertuples(), strict=True)
    ]
    return found.assign(customers=pd.Series(waiting, found.index, dtype=int))


def _waiting(region: Region, silent_from: pd.Timestamp, days: int) -> pd.Series:
    """Tell who bought in the weeks up to a day and nowhere in the days after it."""
    day = silent_from.date()
    before = purchases.per_customer(region, day - dt.timedelta(days=SHORTEST - 1), day)
    until = min(day + dt.timedelta(days=int(days) - 1), region.end)
    after = purchases.per_customer(region, day + dt.timedelta(days=1), until)
    return (before["visits"] > 0) & (after["visits"] == 0)


def longest_pause(region: Region) -> int:
    """Return the most days on end, up to the end of the data, on which nobody bought anything."""
    days = region.purchases.select(day=region.purchases["bought_at"].date()).distinct().to_pandas()
    on = pd.to_datetime(days["day"]).sort_values().reset_index(drop=True)
    on[len(on)] = pd.Timestamp(region.end) + pd.Timedelta(days=1)
    return int(on.diff().dt.days.max()) - 1
