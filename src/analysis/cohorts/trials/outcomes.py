"""What came after the lot: outcomes of units, and when they are known."""

from __future__ import annotations

import datetime as dt

import pandas as pd

from analysis.cohorts import landmark, purchases
from analysis.cohorts.trials.units import recorded_cases
from analysis.data.region import Region

RECEIVES = 56
"""Days after the lot in which what is offered counts as received."""


def is_over(units: pd.DataFrame, end: dt.date, horizon: int) -> pd.Series:
    """Tell for which units the horizon, in days, ended by a day."""
    last = units["assigned_on"].dt.normalize() + pd.Timedelta(days=horizon - 1)
    return last <= pd.Timestamp(end)


def outcome(region: Region, units: pd.DataFrame, kind: str, horizon: int) -> pd.Series:
    """Return an outcome of units whose horizon is over, missing of all others.

    Parameters
    ----------
    region : Region
    units : DataFrame
        By unit: customer_id and assigned_on, as from `units.eligible`.
    kind : str
        "retained": bought in the last quarter of the horizon (1 or 0). "case_satisfaction": answer
        after the case, in standard deviations of all units; missing without one.
    horizon : int
        Days, that of the lot the first.
    """
    over = is_over(units, region.end, horizon)
    if kind == "retained":
        days = units.set_index("customer_id")["assigned_on"].dt.normalize()
        spans = {"last": (horizon - landmark.QUARTER, horizon - 1)}
        bought = purchases.around(region, days, spans)["visits_last"] > 0
        found = pd.Series(bought.to_numpy(float), units.index)
        return found.where(over)
    found = recorded_cases(region)["satisfaction_after"].reindex(units.index).where(over)
    spread = found.std()
    return (found - found.mean()) / spread if spread > 0 else found * float("nan")


def received(region: Region, units: pd.DataFrame, who: str) -> pd.Series:
    """Return whether a unit received what was offered, within `RECEIVES` days (1 or 0).

    Parameters
    ----------
    units : DataFrame
        By unit: assigned_on and received_on.
    who : str
        Kind of units; of customers "without_card" a card that they took counts as well, in
        whichever arm.
    """
    on = units["received_on"]
    if who == "without_card":
        cards = region.customers.set_index("customer_id")["card_since"]
        on = on.fillna(cards.reindex(units.index))
    if who == "late_cases":
        on = on.fillna(recorded_cases(region)["explained_at"].reindex(units.index))
    wait = (on.dt.normalize() - units["assigned_on"].dt.normalize()).dt.days
    return wait.between(0, RECEIVES).astype(float)


def complaints_since(region: Region, units: pd.DataFrame) -> pd.Series:
    """Return how many cases each unit's customer opened after the day of the lot."""
    rows = region.complaints[["customer_id", "opened_at"]].dropna()
    own = units[["customer_id", "assigned_on"]].reset_index(names="unit")
    both = own.merge(rows, on="customer_id")
    later = both[both["opened_at"].dt.normalize() > both["assigned_on"].dt.normalize()]
    return later["unit"].value_counts().reindex(units.index, fill_value=0)
