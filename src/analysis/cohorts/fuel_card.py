"""Who has a fuel card, from which day on, and how long such customers stay."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.cohorts import churn, landmark, purchases, target_trial
from analysis.data.region import Region

TRAITS = ("segment", "area", "log_tenure", "log_visits", "log_pace")
"""What hazards are compared at: known before a customer is followed."""
STILL = 28
"""Days within which customers buy who are compared from the day of a card."""


def histories(region: Region, factor: float = churn.FACTOR) -> pd.DataFrame:
    """Follow customers who had no card after their first half year, before and with one.

    A customer who takes a card is one row until that day and another from then on: the time
    before the card is not the card's.

    Parameters
    ----------
    region : Region
        The data.
    factor : float
        What counts as lost, as in `churn.rhythm`.

    Returns
    -------
    DataFrame
        One row per customer and status: customer_id, from_day, to_day (days since the start of
        the data), lost (1 or 0, in the last row), card (1 or 0), ever (1 if a card was taken in
        the time followed); segment, area, log_tenure, log_visits, log_pace (log of
        sales over their mean, both of the half year before).

    References
    ----------
    Suissa, S. (2008). Immortal time bias in pharmacoepidemiology. American Journal of
    Epidemiology 167, 492-499.
    """
    people = landmark.traits(region)
    start = pd.Timestamp(region.start)
    entry = people["joined_on"].clip(lower=start) + pd.Timedelta(days=landmark.HALF_YEAR)
    entry = entry[~(since(region).reindex(entry.index) <= entry)].dropna()
    found = churn.spells(region, entry, factor).join(_before(region, entry))
    found = found.join(people[["segment", "area"]])
    tenure = (entry - people["joined_on"]).dt.days
    found["log_tenure"] = landmark.log_years(tenure.reindex(found.index))
    found = found[found["active"]]
    found = landmark.without_rare(found, ("segment", "area"), found["lost"])
    card_day = (since(region).reindex(found.index) - start).dt.days
    return _split(found, card_day).drop(columns=["returned", "limit_days", "active"])


def since(region: Region) -> pd.Series:
    """Return the day of each customer's card, by customer_id; not before that of joining."""
    people = region.customers.set_index("customer_id")
    card, joined = people["card_since"], people["joined_on"]
    return card.where(~(card < joined), joined)


def misdated(region: Region) -> float:
    """Return the share of cards that are dated before their customer joined."""
    people = region.customers.dropna(subset=["card_since"])
    earlier = people["card_since"].dt.normalize() < people["joined_on"].dt.normalize()
    return float(earlier.mean()) if len(people) else 0.0


def of_one_day(region: Region) -> float:
    """Return the share of cards that carry the commonest date: a roll-out, or a filled-in date."""
    days = region.customers["card_since"].dropna().dt.normalize()
    return float(days.value_counts(normalize=True).max()) if len(days) else 0.0


def new_holders(region: Region, seed: int = 0) -> pd.DataFrame:
    """Compare who takes a card with who has none yet, from the day of the card on.

    Whoever takes a card is a customer still; so that the others are too, all must buy in the four
    weeks after. Who has had a card for long is not compared: what they bought before some other day
    would be the card's doing already.

    Parameters
    ----------
    region : Region
        The data.
    seed : int
        Seed of the days of those who had none yet.

    Returns
    -------
    DataFrame
        The rows of `target_trial.followed` with card (1 or 0, for treated) and tenure_bend (square
        of log_tenure about its mean: who takes a card does so early, or hardly ever).
    """
    found = target_trial.followed(region, since(region), seed, still=STILL)
    found = found.rename(columns={"treated": "card"})
    bend = (found["log_tenure"] - found["log_tenure"].mean()) ** 2
    found = found.assign(tenure_bend=bend)
    return landmark.without_rare(found, ("segment", "area"), found["card"], least=10)


def holders(region: Region) -> str:
    """Say how many customers took a card, or that this is not recorded."""
    if "customers.card_since" not in region.columns:
        return "cards are not recorded"
    return f"{region.customers['card_since'].notna().sum():,} took a card"


def _before(region: Region, entry: pd.Series) -> pd.DataFrame:
    """Return what customers bought in the half year before a day; active: in its last quarter."""
    half, quarter = landmark.HALF_YEAR, landmark.QUARTER
    found = purchases.around(region, entry, {"half": (-half, -1), "quarter": (-quarter, -1)})
    return pd.DataFrame(
        {
            "log_visits": np.log1p(found["visits_half"]),
            "log_pace": landmark.log_of_mean(found["sales_half"]),
            "active": found["visits_quarter"] > 0,
        }
    )


def _split(people: pd.DataFrame, card_day: pd.Series) -> pd.DataFrame:
    """Return each customer's time before and after the day of the card as rows of their own."""
    before = people[~(card_day <= people["from_day"])].assign(card=0.0)
    cut = card_day.reindex(before.index) < before["to_day"]
    before["to_day"] = before["to_day"].where(~cut, card_day.reindex(before.index))
    before["lost"] = before["lost"].where(~cut, 0.0)
    after = people[card_day < people["to_day"]].assign(card=1.0)
    after["from_day"] = after["from_day"].clip(lower=card_day.reindex(after.index))
    rows = pd.concat([before, after]).rename_axis("customer_id").reset_index()
    rows["ever"] = rows.groupby("customer_id")["card"].transform("max")
    return rows.sort_values(["customer_id", "from_day"], ignore_index=True)
