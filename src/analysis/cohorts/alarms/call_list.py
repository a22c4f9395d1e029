"""Customers to call: who may be lost within a quarter, most sales at risk first."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from analysis.cohorts import weekly_activity
from analysis.cohorts.weekly_activity import Weeks
from analysis.language import current, named
from analysis.statistics import prediction

LATE = 3.0
"""Usual gaps of silence from which on a call comes late."""
RISK = "recency + log_visits + log_weeks + regular + fall"
"""Predictors of the risk to lose a customer within a quarter."""


def scored(moments: pd.DataFrame) -> pd.DataFrame:
    """Add the risk to be gone in a quarter, predicted from what was known at each landmark.

    That somebody was gone is known another quarter later, when nothing was bought in it.

    Returns
    -------
    DataFrame
        `moments` (as from `weekly_activity.moments`) with fall 0 where it is not known, and risk
        (probability; missing where too little was known to predict it).
    """
    known = (moments["week"] + 2 * weekly_activity.QUARTER).astype(float)
    known = known.where(moments["gone"].notna(), np.inf)
    rows = moments.assign(fall=moments["fall"].fillna(0.0), known=known)
    risk = prediction.walk_forward(f"gone ~ {RISK}", rows, "week", "known")
    return rows.assign(risk=risk).drop(columns="known")


def in_rhythm(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of customers who may still come: silent for three usual gaps at most.

    A call to keep those who have been silent for longer comes too late. Use `scored` on these rows:
    a risk learnt from all customers is too high for them.
    """
    return rows[_silence(rows) <= LATE + 1e-9]  # logs and back


def lists(rows: pd.DataFrame, sales: pd.Series) -> pd.DataFrame:
    """Return scores that customers could be called by, the highest first.

    From one landmark of `scored`, and the sales of the year before by customer_id.

    Returns
    -------
    DataFrame
        By customer_id: silence (days since the last purchase over the usual gap), fall (of the
        volume, log), risk (to be lost in a quarter) and sales at risk (risk times sales).
    """
    rows = rows.set_index("customer_id")
    return pd.DataFrame(
        {
            "silence": _silence(rows),
            "fall": rows["fall"],
            "risk": rows["risk"],
            "sales at risk": rows["risk"] * sales.reindex(rows.index).fillna(0.0),
        }
    )


def caught(
    scores: pd.DataFrame, lost: pd.Series, sales: pd.Series, days_left: pd.Series, k: int
) -> pd.DataFrame:
    """Return what the first k of each list would have caught.

    Parameters
    ----------
    scores : DataFrame
        As from `lists`.
    lost, sales, days_left : Series, by customer_id
        1 if gone a quarter later, known of every customer on the lists; sales of the year
        before; days from the date of the list to the last purchase, 0 if there was none any more.
    k : int
        Customers that can be called.

    Returns
    -------
    DataFrame
        By list: lost (of the first k), in_time (of these: who bought once more, so that a call
        could come before the end), precision (lost of k) with ci_low and ci_high, of_all (share
        of all who were lost), sales (of the lost among the first k), days_left (their median).
    """
    rows, lost = {}, lost.reindex(scores.index)
    for name, score in scores.items():
        found = prediction.first(score, lost, k)
        top = score.sort_values(ascending=False, kind="stable").index[:k]
        hit = top[lost[top] > 0]
        rows[name] = {
            "lost": len(hit),
            "in_time": (days_left.reindex(hit) > 0).sum(),
            "precision": found.estimate,
            "ci_low": found.ci_low,
            "ci_high": found.ci_high,
            "of_all": prediction.caught(score, lost, k),
            "sales": sales.reindex(hit).sum(),
            "days_left": days_left.reindex(hit).median(),
        }
    return pd.DataFrame(rows).T.rename_axis("list").astype({"lost": int, "in_time": int})


def days_left(found: Weeks, week: int) -> pd.Series:
    """Return the days from the beginning of a week to each customer's last purchase, or 0."""
    after = found.bought[:, weekly_activity.WEEK * week :]
    days = np.where(after.any(axis=1), after.shape[1] - after[:, ::-1].argmax(axis=1), 0)
    return pd.Series(days, found.people["customer_id"], name="days_left")


def to_call(
    rows: pd.DataFrame, scores: pd.DataFrame, sales: pd.Series, currency: str
) -> pd.DataFrame:
    """Return the customers of a list, the first to call on top, with what a caller should know.

    From `scored` rows of one landmark, their `lists`, and the sales of the year before.

    Returns
    -------
    DataFrame
        rank, customer_id, segment, area, risk, sales_at_risk_<currency>, sales_year_<currency>,
        days_since_purchase, usual_gap_days, volume_change (share of the usual volume, the season
        taken out; missing for customers without a usual volume).
    """
    rows = rows.set_index("customer_id").join(scores.drop(columns=["fall", "risk"]))
    order = rows.sort_values(["sales at risk", "risk"], ascending=False, kind="stable")
    most = sales.max()  # in whatever unit: five digits of it, and two decimals at least
    decimals = max(2, 4 - math.floor(math.log10(most))) if most > 0 else 2
    return pd.DataFrame(
        {
            "rank": range(1, len(order) + 1),
            "customer_id": order.index,
            "segment": order["segment"],
            "area": order["area"],
            "risk": order["risk"].round(3),
            f"sales_at_risk_{currency.lower()}": order["sales at risk"].round(decimals),
            f"sales_year_{currency.lower()}": sales.reindex(order.index).fillna(0).round(decimals),
            "days_since_purchase": (2 ** order["recency"] - 1).round().astype(int),
            "usual_gap_days": _gap_days(order).round(1),
            "volume_change": np.expm1(order["change"]).round(3),
        }
    )


def headed(calls: pd.DataFrame) -> pd.DataFrame:
    """Return a list with heads in the reader's language; English ones are the columns' names."""
    return calls if current() == "en" else calls.rename(columns=named)


def _gap_days(rows: pd.DataFrame) -> pd.Series:
    """Return each customer's usual days between two purchases."""
    return weekly_activity.WEEK * np.exp(rows["log_weeks"] - rows["log_visits"])


def _silence(rows: pd.DataFrame) -> pd.Series:
    """Return the days since the last purchase over the usual gap."""
    return (2 ** rows["recency"] - 1) / _gap_days(rows)
