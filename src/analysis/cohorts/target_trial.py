"""Customers compared from a day of their own: what was known then, and who stayed."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.cohorts import landmark, purchases
from analysis.data.region import Region

BEFORE = ("segment", "area", "log_tenure", "log_visits", "log_pace", "trend")
"""What customers are compared at: known before their day, and of each of them."""
PURCHASES = ("log_visits", "log_sales", "log_pace", "trend")
"""Those of them that say nearly the same of a customer: one benchmark of a hidden cause."""


def followed(region: Region, first: pd.Series, seed: int = 0, still: int = 0) -> pd.DataFrame:
    """Compare customers to whom something happened with those to whom it had not yet.

    Who is treated starts on that day. The others get the day of a random treated customer (the
    same seed, the same days), and may be treated later: to leave those out would leave out
    customers who are known to have stayed. So a treatment now is compared with none now. Everybody
    takes part who bought in the quarter before, and nothing of the day itself counts.

    Parameters
    ----------
    region : Region
        The data.
    first : Series of datetime, by customer_id
        Day on which it happened; customers to whom it never did may be left out.
    seed : int
        Seed of the random days.
    still : int
        Days after their day within which everybody must buy, where a treatment itself shows that
        somebody is a customer still; 0 where it does not.

    Returns
    -------
    DataFrame
        One row per customer and day that a quarter precedes and a year follows: customer_id,
        own_day, treated (1 or 0); before: segment, area, log_tenure, log_visits, log_pace (log of
        sales a week as a customer over their mean), trend (log of the quarter's visits over
        those of the quarter before), satisfaction, loyalty (missing where not asked); after:
        retained (1 if bought in the last quarter of the year), value_after (`landmark.worth` of
        the year, in the source's currency).

    References
    ----------
    Hernan, M. A., & Robins, J. M. (2016). Using big data to emulate a target trial when a
    randomized trial is not available. American Journal of Epidemiology 183, 758-764.
    """
    first = first.dropna().dt.normalize()
    treated = _known(region, _usable(region, first), still)
    drawn = _drawn(region, treated["own_day"].sort_index(), seed)
    own = first.reindex(drawn.index)
    others = _known(region, drawn[own.isna() | (drawn < own)], still)
    found = pd.concat([treated.assign(treated=1.0), others.assign(treated=0.0)])
    found = found.rename_axis("customer_id").reset_index()
    return found.assign(log_pace=landmark.log_of_mean(found.pop("pace")))


def _usable(region: Region, own_day: pd.Series) -> pd.Series:
    """Return the days that a quarter precedes and a year of data follows."""
    first = pd.Timestamp(region.start) + pd.Timedelta(days=landmark.QUARTER)
    last = pd.Timestamp(region.end) - pd.Timedelta(days=landmark.YEAR)
    return own_day[(own_day >= first) & (own_day <= last)].sort_index()


def _drawn(region: Region, days: pd.Series, seed: int) -> pd.Series:
    """Give every customer the day of a random treated one; nobody a day where there is none."""
    ids = np.sort(region.customers["customer_id"].to_numpy(object))[: None if len(days) else 0]
    days = np.random.default_rng(seed).choice(days.to_numpy(), len(ids)) if len(ids) else []
    return pd.Series(days, pd.Index(ids, dtype=object), dtype="datetime64[us]")


def _known(region: Region, own_day: pd.Series, still: int) -> pd.DataFrame:
    """Return what is known of customers on a day of their own, and what came after it."""
    year, half, quarter = landmark.YEAR, landmark.HALF_YEAR, landmark.QUARTER
    spans = {
        "year": (-year, -1), "earlier": (-half, -quarter - 1), "quarter": (-quarter, -1),
        "after": (1, year), "last": (year - quarter + 1, year), "next": (1, still),
    }  # fmt: skip
    found = purchases.around(region, own_day, spans)
    people = landmark.traits(region).join(own_day.rename("own_day"), how="inner")
    found = found.reindex(people.index)
    tenure = (people["own_day"] - people.pop("joined_on")).dt.days
    seen = (people["own_day"] - pd.Timestamp(region.start)).dt.days.clip(upper=year)
    weeks = np.minimum(tenure, seen).clip(lower=purchases.DAYS_IN_WEEK) / purchases.DAYS_IN_WEEK
    people = people.join(landmark.opinions(region, own_day)).assign(
        log_tenure=landmark.log_years(tenure),
        log_visits=np.log1p(found["visits_year"]),
        pace=found["sales_year"] / weeks,
        trend=np.log1p(found["visits_quarter"]) - np.log1p(found["visits_earlier"]),
        retained=(found["visits_last"] > 0).astype(float),
        value_after=found[f"{landmark.worth(region)}_after"],
    )
    is_customer = (found["visits_quarter"] > 0) & ((found["visits_next"] > 0) | (still == 0))
    return people[is_customer & (tenure > 0)]
