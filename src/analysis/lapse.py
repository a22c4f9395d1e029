"""What *lost* means: a silence that is long for that customer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import pandas as pd

from analysis import landmarks, purchases
from analysis.data import Region
from analysis.value import tiers

FACTOR = 10
"""Times a customer's usual gap between two purchases that a silence must last."""
SHORTEST, LONGEST = 56, 182
"""Days: no shorter silence counts as lost, and every longer one does."""
LEAST_VISITS = 5
"""Days with a purchase from which on a customer has a usual gap of his own."""
CLOSED_AFTER = 28
"""Days without any purchase after which a station, or a whole region, looks closed."""


def rhythm(region: Region, factor: float = FACTOR) -> pd.DataFrame:
    """Return how often each customer usually buys, and how long a silence is long for him.

    Parameters
    ----------
    region : Region
        The data.
    factor : float
        Times the usual gap.

    Returns
    -------
    DataFrame
        Customers with a purchase, by customer_id: visits (days with a purchase), first_on,
        last_on, gap_days (mean days between two of them; of customers with fewer than five
        visits, the median of the others) and limit_days (`factor` times that, 56 to 182).
    """
    found = purchases.per_customer(region, region.start, region.end)
    found = found.loc[found["visits"] > 0, ["visits", "first_on", "last_on"]]
    gap = (found["last_on"] - found["first_on"]).dt.days / (found["visits"] - 1)
    gap = gap.where(found["visits"] >= LEAST_VISITS)
    gap = gap.fillna(gap.median() if gap.notna().any() else LONGEST)
    return found.assign(gap_days=gap, limit_days=(factor * gap).clip(SHORTEST, LONGEST))


def spells(region: Region, since: pd.Series | dt.date, factor: float = FACTOR) -> pd.DataFrame:
    """Follow customers from a day until they fall silent, or until that can no longer be seen.

    Whoever bought within his own limit of the end of the data may still come: he is followed up
    to that limit before the end, and no further. The silence counts from the last purchase.

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
    known = rhythm(region, factor)
    own = since if isinstance(since, pd.Series) else pd.Series(pd.Timestamp(since), known.index)
    known = known.join(own.rename("since"), how="inner").dropna(subset=["since"])
    silent = purchases.first_silences(region, known)
    known = known.join(silent, how="inner")
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


def cohort(region: Region, factor: float = FACTOR) -> pd.DataFrame:
    """Follow the customers of the first half year from its end on.

    Returns
    -------
    DataFrame
        Those who bought in the quarter before that day, by customer_id: days followed, lost,
        returned, segment, area, tier (class by sales of the half year), limit_days.
    """
    day, recent = _recent(region)
    before = purchases.per_customer(region, region.start, day)
    tier = tiers(before.loc[before["sales"] > 0, "sales"]).rename("tier")
    found = spells(region, day, factor).join(landmarks.traits(region)).join(tier)
    found = found[found.index.isin(recent)]
    days = found.pop("to_day") - found.pop("from_day")
    return found.drop(columns="joined_on").assign(days=days)


def rules(region: Region, factors: Sequence[float] = (4, 6, 10, 16)) -> pd.DataFrame:
    """Return what other rules would call lost.

    Returns
    -------
    DataFrame
        By factor: limit_days (median), customers followed, lost (share), returned (share of
        the lost who bought again by the end of the data: the rule's false alarms so far).
    """
    rows, (day, recent) = {}, _recent(region)
    for factor in factors:
        found = spells(region, day, factor)
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
    day = region.start + dt.timedelta(days=landmarks.HALF_YEAR)
    found = purchases.per_customer(region, day - dt.timedelta(days=landmarks.QUARTER - 1), day)
    return day, found.index[found["visits"] > 0]


def closed(region: Region) -> pd.DataFrame:
    """Return the stations that sell nothing any more: their customers did not leave of their own.

    A station looks closed after a silence that is long for it, as for a customer, and of four
    weeks at least.

    Returns
    -------
    DataFrame
        By station_id: last_on, customers (whose usual station it is).
    """
    found = purchases.per_station(region)
    if found.empty:
        return found[["last_on", "customers"]]
    gap = (found["last_on"] - found["first_on"]).dt.days / (found["days"] - 1).clip(lower=1)
    silent = (pd.Timestamp(region.end) - found["last_on"]).dt.days
    is_closed = silent > (FACTOR * gap).clip(lower=CLOSED_AFTER)
    return found.loc[is_closed, ["last_on", "customers"]]


def longest_pause(region: Region) -> int:
    """Return the most days on end, up to the end of the data, on which nobody bought anything."""
    days = region.purchases.select(day=region.purchases["bought_at"].date()).distinct().to_pandas()
    on = pd.to_datetime(days["day"]).sort_values().reset_index(drop=True)
    on[len(on)] = pd.Timestamp(region.end) + pd.Timedelta(days=1)
    return int(on.diff().dt.days.max()) - 1
