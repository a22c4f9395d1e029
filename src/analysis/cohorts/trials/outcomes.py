"""What came after the lot: outcomes of units, and when they are known."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from analysis.cohorts import contacts, landmark, purchases
from analysis.cohorts.trials import answers
from analysis.cohorts.trials.units import recorded_cases
from analysis.data.region import Region

RECEIVES = 56
"""Days after the lot in which what is offered counts as received."""


def is_over(units: pd.DataFrame, end: dt.date, horizon: int) -> pd.Series:
    """Tell for which units the horizon, in days, ended by a day."""
    last = units["assigned_on"].dt.normalize() + pd.Timedelta(days=horizon - 1)
    return last <= pd.Timestamp(end)


def measured(
    region: Region,
    units: pd.DataFrame,
    kind: str,
    horizon: int,
    dose: str = "",
    within: int = 0,
    until: dt.date | None = None,
) -> pd.DataFrame:
    """Return outcomes of units whose horizon is over, missing of all others, and their doses.

    Parameters
    ----------
    region : Region
    units : DataFrame
        By unit: customer_id and assigned_on, as from `units.eligible`; received.
    kind : str
        "retained": bought in the last quarter of the horizon (1 or 0). "case_satisfaction": answer
        after the case, in standard deviations of all units; missing without one.
        "worth": margin (sales, where costs are not known) of the last year of the horizon, over its
        mean. "price_sensitivity": the opinion behind the answer, in residual standard deviations.
    horizon : int
        Days, that of the lot the first.
    dose : str
        What was received, 0 or 1, if empty. "spent": on contacts to keep the customer, within the
        horizon. Else, with `within`, the score of the first answer after the lot that the offer
        moves (see `answers.scores`), in standard deviations.
    within : int
        Days in which that answer counts.
    until : date, optional
        Last day of the answers that say what a standard deviation is; that before the first lot
        when omitted.

    Returns
    -------
    DataFrame
        By unit: outcome, dose; missing where either is.

    Raises
    ------
    NotEstimable
        If too few answers say what a standard deviation is.
    """
    over = is_over(units, region.end, horizon)
    if not within:
        found = OUTCOMES[kind](region, units[over], horizon)
        dosed = DOSES[dose](region, units, horizon)
        return pd.DataFrame({"outcome": found.reindex(units.index), "dose": dosed})
    day = units["assigned_on"].min() - pd.Timedelta(days=1)
    known = answers.before(region, until or day.date())
    asked = [dose, *(name for name in (kind,) if name not in OUTCOMES)]
    found = answers.first_after(region, units, within, asked).where(over)
    if kind in OUTCOMES:
        result = OUTCOMES[kind](region, units[found[dose].notna()], horizon)
    else:
        result = answers.as_opinions(region, found[kind], known, kind, dose)
    dosed = answers.in_deviations(found[dose], known, dose)
    return pd.DataFrame({"outcome": result.reindex(units.index), "dose": dosed})


def _retained(region: Region, units: pd.DataFrame, horizon: int) -> pd.Series:
    """Return whether a unit's customer bought in the last quarter of the horizon."""
    days = units.set_index("customer_id")["assigned_on"].dt.normalize()
    spans = {"last": (horizon - landmark.QUARTER, horizon - 1)}
    bought = purchases.around(region, days, spans)["visits_last"] > 0
    return pd.Series(bought.to_numpy(float), units.index)


def _case_satisfaction(region: Region, units: pd.DataFrame, horizon: int) -> pd.Series:
    """Return the answer after each case, in standard deviations."""
    found = recorded_cases(region)["satisfaction_after"].reindex(units.index)
    spread = found.std()
    return (found - found.mean()) / spread if spread > 0 else found * np.nan


def _worth(region: Region, units: pd.DataFrame, horizon: int) -> pd.Series:
    """Return what each unit's customer brought in the last year of the horizon, over its mean."""
    days, worth = units.set_index("customer_id")["assigned_on"], landmark.worth(region)
    spans = {"year": (horizon - landmark.YEAR, horizon - 1)}
    found = purchases.around(region, days, spans)[f"{worth}_year"].to_numpy(float)
    return pd.Series(found / found.mean() if found.sum() > 0 else np.nan, units.index)


def _received(region: Region, units: pd.DataFrame, horizon: int) -> pd.Series:
    """Return whether what is offered was received, where that is known already."""
    return units.get("received", pd.Series(np.nan, units.index))


def _spent(region: Region, units: pd.DataFrame, horizon: int) -> pd.Series:
    """Return what was spent on contacts to keep each unit's customer, within the horizon."""
    rows = contacts.spending(region, "retain")
    both = units[["customer_id", "assigned_on"]].reset_index(names="unit").merge(rows)
    wait = (both["contacted_on"].dt.normalize() - both["assigned_on"].dt.normalize()).dt.days
    spent = both[wait.between(0, horizon - 1)].groupby("unit")["cost"].sum()
    return spent.reindex(units.index, fill_value=0.0)


DOSES = {"": _received, "spent": _spent}
"""What was received, by its name in a design; others are scores of answers."""
OUTCOMES = {"retained": _retained, "case_satisfaction": _case_satisfaction, "worth": _worth}
"""What is not asked in the survey, by its name in a design."""


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
