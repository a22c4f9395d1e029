"""Churn: inactivity beyond a customer-specific limit."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import ibis
import pandas as pd

from analysis.cohorts import landmark, purchases
from analysis.data.cache import per_region
from analysis.data.region import Region
from analysis.language import text
from analysis.statistics.estimate import NotEstimable
from analysis.statistics.value.customer_segments import tiers

FACTOR = 10
"""Times a customer's usual gap between two purchases from which on inactivity is churn."""
FACTORS = (4, 6, FACTOR, 16)
"""That factor, and others to compare it with."""
SHORTEST, LONGEST = 56, 182
"""Days: no shorter inactivity is churn, and every longer one is."""
MIN_OBSERVED = 28
"""Days over which the gap of a new customer is computed at least."""
CLOSED_AFTER = 28
"""Days without any purchase after which a station may have closed."""


@dataclass(frozen=True)
class Completeness:
    """Gaps of the data that look like churn; `checks.complete_purchases` makes checks of them."""

    share_of_closed: float | None
    """Share of the customers whose usual station closed; None where that can't be known."""
    longest_pause: int
    """Most days on end without any purchase in the region."""
    repeated_days: int
    """Days all of whose lines stand in the data more than once."""


@per_region
def completeness(region: Region) -> Completeness:
    """Look for gaps, closed stations and repeated days in a region's purchases.

    Raises
    ------
    NotEstimable
        If there are no purchases.
    """
    if not region.days or region.customers.empty:
        raise NotEstimable(text("There are no purchases."))
    is_known = "transactions.station_id" in region.columns and region.days > 2 * CLOSED_AFTER
    share = closed(region)["customers"].sum() / len(region.customers) if is_known else None
    return Completeness(share, longest_pause(region), len(purchases.repeated_days(region)))


def limits(region: Region, since: pd.Series, factor: float = FACTOR) -> pd.DataFrame:
    """Return each customer's limit of inactivity, from purchases before a day of their own.

    Later purchases are not used: they would raise the limit of customers who came back after a
    long silence, and of nobody else. Indexed as `since`: visits (days with a purchase in the half
    year that ends on the day), gap_days (that half year, or the part of it as a customer, over the
    visits) and limit_days (`factor` times that, 56 to 182).
    """
    half = {"half": (1 - landmark.HALF_YEAR, 0)}
    visits = purchases.around(region, since, half)["visits_half"]
    entry = landmark.traits(region)["joined_on"].clip(lower=pd.Timestamp(region.start))
    observed = (since - entry.reindex(since.index)).dt.days + 1
    gap = observed.clip(MIN_OBSERVED, landmark.HALF_YEAR) / visits.clip(lower=1)
    limit = (factor * gap).clip(SHORTEST, LONGEST)
    return pd.DataFrame({"visits": visits, "gap_days": gap, "limit_days": limit})


def spells(region: Region, since: pd.Series | dt.date, factor: float = FACTOR) -> pd.DataFrame:
    """Follow customers from a day (of all, or by customer_id of each one) to churn or censoring.

    Customers who bought less than their limit before the end of the data may still come back: they
    are censored at that limit before the end (Fleming & Harrington 1991, Counting Processes and
    Survival Analysis). Inactivity counts from the last purchase.

    By customer_id, those who bought after that day (their first purchase may lie after it, too):
    from_day, to_day (days since the start of the data), lost (1 or 0), returned (whether they
    bought again later) and limit_days.
    """
    if not isinstance(since, pd.Series):
        since = pd.Series(pd.Timestamp(since), pd.Index(region.customers["customer_id"]))
    since = since.dropna().rename("since").sort_index()
    people = limits(region, since, factor).join(since)
    people = people.join(purchases.first_silences(region, people), how="inner")
    start, length = pd.Timestamp(region.start), region.days - 1
    to_day = (people["silent_from"] - start).dt.days
    censored = length - people["limit_days"]
    followed = pd.DataFrame(
        {
            "from_day": (people["since"] - start).dt.days,
            "to_day": to_day.fillna(length).clip(upper=censored),
            "lost": (to_day <= censored).astype(float),
            "returned": people["returned"],
            "limit_days": people["limit_days"],
        }
    )
    return followed[followed["to_day"] > followed["from_day"]]


@per_region
def cohort(region: Region) -> pd.DataFrame:
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
        raise NotEstimable(text(
            "Customers are followed from the end of the first half year on: {year} days of "
            "purchases are needed; there are {days}.",
            year=landmark.YEAR, days=region.days,
        ))  # fmt: skip
    day, recent = _recent(region)
    sales = purchases.per_customer(region, region.start, day)["sales"]
    people = landmark.traits(region).drop(columns="joined_on")
    followed = spells(region, day).join(people).join(tiers(sales[sales > 0]).rename("tier"))
    followed = followed[followed.index.isin(recent)]
    return followed.assign(days=followed.pop("to_day") - followed.pop("from_day"))


def rules(region: Region, followed: pd.DataFrame) -> pd.DataFrame:
    """Return how many customers are lost by other factors on the usual gap than that of `cohort`.

    Returns
    -------
    DataFrame
        By factor: limit_days (median), customers followed, lost (share), returned (share of
        the lost who bought again by the end of the data: the rule's false alarms so far).
    """
    rows, (day, recent) = {}, _recent(region)
    for factor in FACTORS:
        people = followed if factor == FACTOR else spells(region, day, factor)
        people = people[people.index.isin(recent)]
        rows[factor] = {
            "limit_days": people["limit_days"].median(),
            "customers": len(people),
            "lost": people["lost"].mean(),
            "returned": people.loc[people["lost"] == 1, "returned"].mean(),
        }
    return pd.DataFrame(rows).T.rename_axis("factor").astype({"customers": int})


def _recent(region: Region) -> tuple[dt.date, pd.Index]:
    """Return the end of the first half year, and who bought in the quarter before it."""
    day = region.start + dt.timedelta(days=landmark.HALF_YEAR)
    bought = purchases.per_customer(region, day - dt.timedelta(days=landmark.QUARTER - 1), day)
    return day, bought.index[bought["visits"] > 0]


def closed(region: Region) -> pd.DataFrame:
    """Return the stations that look closed, and how many customers lost their station by it.

    A station looks closed after a silence beyond its own limit, as for a customer, and of four
    weeks at least, at the end of the data or before. Of its customers those are counted who did
    not buy anywhere in the silence: where they did, the station has another name now, or they
    went on elsewhere.

    By station_id: silent_from (day of the last purchase before its longest silence), silent_days,
    customers (whose usual station it is, who bought in the eight weeks before the silence, and
    nowhere in it). Empty where stations are not known.
    """
    if "transactions.station_id" not in region.columns:
        return pd.DataFrame(columns=["silent_from", "silent_days", "customers"])
    stations, usual = per_station(region), usual_stations(region)
    gap = (stations["last_on"] - stations["first_on"]).dt.days / (stations["days"] - 1).clip(1)
    is_closed = stations["silent_days"] > (FACTOR * gap).clip(lower=CLOSED_AFTER)
    stations = stations.loc[is_closed, ["silent_from", "silent_days"]]
    counts = []
    for name, silent_from, days in stations.itertuples():
        spans = {"before": (1 - SHORTEST, 0), "silence": (1, days - 1)}
        people = pd.Series(silent_from, usual.index[usual == name])
        bought = purchases.around(region, people, spans)
        counts.append(((bought["visits_before"] > 0) & (bought["visits_silence"] == 0)).sum())
    return stations.assign(customers=pd.Series(counts, stations.index, dtype=int))


def per_station(region: Region) -> pd.DataFrame:
    """Count the days with a purchase of each station, and return its longest silence.

    By station_id: days (with a purchase), first_on, last_on, silent_from (day of the last purchase
    before the longest silence) and silent_days (to the next purchase, or to the end of the data).
    """
    rows = region.purchases.filter(region.purchases["station_id"].notnull())
    days = rows.select("station_id", day=rows["bought_at"].date()).distinct()
    by_station = ibis.window(group_by="station_id", order_by="day")
    following = days["day"].lead().over(by_station).fill_null(ibis.literal(region.end))
    days = days.mutate(silence=following.delta(days["day"], unit="day"))
    stations = days.group_by("station_id").agg(
        days=days.count(),
        first_on=days["day"].min().cast("timestamp"),
        last_on=days["day"].max().cast("timestamp"),
        silent_from=days["day"].argmax(days["silence"]).cast("timestamp"),
        silent_days=days["silence"].max(),
    )
    return stations.to_pandas().set_index("station_id").sort_index()


def usual_stations(region: Region) -> pd.Series:
    """Return the station where each customer bought on most days; of two alike the first by name.

    By customer_id, of those customers of whom a station is known.
    """
    rows = region.purchases.filter(region.purchases["station_id"].notnull())
    visits = rows.group_by("customer_id", "station_id").agg(
        visits=rows["bought_at"].date().nunique()
    )
    visits = visits.to_pandas().sort_values(["visits", "station_id"], ascending=[False, True])
    return visits.groupby("customer_id")["station_id"].first()


def longest_pause(region: Region) -> int:
    """Return the most days on end, up to the end of the data, without any purchase."""
    days = region.purchases.select(day=region.purchases["bought_at"].date()).distinct().to_pandas()
    days = pd.to_datetime(days["day"]).sort_values().to_list()
    days.append(pd.Timestamp(region.end) + pd.Timedelta(days=1))
    return int(pd.Series(days).diff().dt.days.max()) - 1
