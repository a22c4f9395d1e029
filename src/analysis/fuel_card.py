"""Who has a fuel card, from which day on, and how long such customers stay."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from analysis import landmarks, lapse, purchases
from analysis.data import Region

TRAITS = ("segment", "area", "log_tenure", "log_visits", "log_pace")
"""What customers are compared at: known before, and of each of them."""


def histories(region: Region, factor: float = lapse.FACTOR) -> pd.DataFrame:
    """Follow customers after their first half year, without and with a card.

    A customer who takes a card is one row until that day and another from then on: the time
    before the card is not the card's.

    Parameters
    ----------
    region : Region
        The data.
    factor : float
        What counts as lost, as in `lapse.rhythm`.

    Returns
    -------
    DataFrame
        One row per customer and status: customer_id, from_day, to_day (days since the start of
        the data), lost (1 or 0, in the last row), card (1 or 0), ever (1 if a card was taken in
        the time followed or before); segment, area, log_tenure, log_visits, log_pace (log of
        sales over their mean, both of the half year before he is followed).

    References
    ----------
    Suissa, S. (2008). Immortal time bias in pharmacoepidemiology. American Journal of
    Epidemiology 167, 492-499.
    """
    people = landmarks.traits(region)
    start = pd.Timestamp(region.start)
    entry = people["joined_on"].clip(lower=start) + pd.Timedelta(days=landmarks.HALF_YEAR)
    found = lapse.spells(region, entry.dropna(), factor).join(_before(region, entry.dropna()))
    found = found.join(people[["segment", "area"]])
    tenure = (entry - people["joined_on"]).dt.days
    found["log_tenure"] = landmarks.log_years(tenure.reindex(found.index))
    found = found[found["active"]]
    found = landmarks.without_rare(found, ("segment", "area"), found["lost"])
    card_day = (since(region).reindex(found.index) - start).dt.days
    return _split(found, card_day).drop(columns=["returned", "limit_days", "active"])


def since(region: Region) -> pd.Series:
    """Return the day of each customer's card, by customer_id; not before the day he joined."""
    people = region.customers.set_index("customer_id")
    card, joined = people["card_since"], people["joined_on"]
    return card.where(~(card < joined), joined)


def misdated(region: Region) -> float:
    """Return the share of cards that are dated before their customer joined."""
    people = region.customers.dropna(subset=["card_since"])
    earlier = people["card_since"].dt.normalize() < people["joined_on"].dt.normalize()
    return float(earlier.mean()) if len(people) else 0.0


def holders(region: Region, day: dt.date) -> pd.Series:
    """Return 1 for who had a card on a day, else 0, by customer_id."""
    return (since(region) < pd.Timestamp(day) + pd.Timedelta(days=1)).astype(float)


def at_landmark(region: Region, day: dt.date) -> pd.DataFrame:
    """Return the customers of half a year or more who were buying on a day, and what came after.

    Whoever has just joined has bought little yet, card or not: nothing would make him comparable.

    Returns
    -------
    DataFrame
        The columns of `landmarks.table` with card (1 or 0), tenure_bend (square of log_tenure
        about its mean: who takes a card does so early, or hardly ever), kept_half (1 if bought in
        the half year after), satisfaction and loyalty (of the latest answers; missing where not
        asked),
        by customer_id.
    """
    found = landmarks.table(region, day).join(holders(region, day).rename("card"))
    own_day = pd.Series(pd.Timestamp(day), found.index)
    found = found.join(landmarks.opinions(region, own_day))
    found = found[(found["active"] > 0) & (found["tenure_days"] >= landmarks.HALF_YEAR)]
    found = found.assign(
        kept_half=(found["visits_half"] > 0).astype(float),
        tenure_bend=(found["log_tenure"] - found["log_tenure"].mean()) ** 2,
    )
    return landmarks.without_rare(found, ("segment", "area"), found["card"], least=10)


def _before(region: Region, entry: pd.Series) -> pd.DataFrame:
    """Return what customers bought in the half year before a day; active: in its last quarter."""
    half, quarter = landmarks.HALF_YEAR, landmarks.QUARTER
    found = purchases.around(region, entry, {"half": (-half, -1), "quarter": (-quarter, -1)})
    return pd.DataFrame(
        {
            "log_visits": np.log1p(found["visits_half"]),
            "log_pace": landmarks.log_of_mean(found["sales_half"]),
            "active": found["visits_quarter"] > 0,
        }
    )


def _split(people: pd.DataFrame, card_day: pd.Series) -> pd.DataFrame:
    """Return each customer's time before and after the day of his card as rows of their own."""
    before = people[~(card_day <= people["from_day"])].assign(card=0.0)
    cut = card_day.reindex(before.index) < before["to_day"]
    before["to_day"] = before["to_day"].where(~cut, card_day.reindex(before.index))
    before["lost"] = before["lost"].where(~cut, 0.0)
    after = people[card_day < people["to_day"]].assign(card=1.0)
    after["from_day"] = after["from_day"].clip(lower=card_day.reindex(after.index))
    rows = pd.concat([before, after]).rename_axis("customer_id").reset_index()
    rows["ever"] = rows.groupby("customer_id")["card"].transform("max")
    return rows.sort_values(["customer_id", "from_day"], ignore_index=True)
