"""Early warning: how long before the end a volume falls, and whom to call now."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.claims import findings
from analysis.cohorts import weekly_activity
from analysis.cohorts.weekly_activity import Weeks
from analysis.data.files import whole
from analysis.data.region import Region
from analysis.data.sources import reports_folder
from analysis.statistics import prediction
from analysis.statistics.estimate import Estimate, from_se, jackknife_se

FALSE_ALARMS = 0.10
"""Share of the regulars who stay that an alarm may call at any one landmark."""
OTHER_SHARES = (0.02, 0.05, FALSE_ALARMS, 0.20, 0.30)
"""Such shares along the alarm curve."""
LOOK_BACK, YEAR = 26, 52
"""Weeks before the last purchase, and of those who stay, in which an alarm is looked for."""
LATE = 3.0
"""Usual gaps of silence from which on a call comes late."""
GROUPS, LEAST = 10, 8
"""Groups of customers of the jackknife; lost customers that a prediction is learnt from."""
FILE = "05_customer_retention_customers_to_call.csv"
"""Begins with the name of the notebook that writes it, as `run` expects."""
RISK = "recency + log_visits + log_weeks + regular + fall"
"""What the risk to lose a customer within a quarter is told from."""


def line(moments: pd.DataFrame, share: float = FALSE_ALARMS) -> float:
    """Return the change below which this share of the regulars lies who did not leave.

    All landmarks given count. Those whose outcome was known by a week are the ones that begin
    `weekly_activity.GAP` + `weekly_activity.QUARTER` weeks before it.
    """
    calm = moments[moments["watched"] & (moments["lapse_later"] == 0)]
    return -float(calm["fall"].quantile(1 - share))


def leads(found: Weeks, changed: np.ndarray, alarm_line: float) -> pd.Series:
    """Return how long before their last purchase the alarm of lost customers began.

    An alarm is on, or off, until the next week of which a usual volume is known: who fades until
    they are no regulars any more stays on the watch list.

    Parameters
    ----------
    found : Weeks
        The region's purchases.
    changed : ndarray
        As from `weekly_activity.changes`.
    alarm_line : float
        As from `line`.

    Returns
    -------
    Series
        Days of unbroken alarm up to the last purchase, by customer_id: of who was a regular in
        the 26 weeks before it, if it lies in the last year and 13 empty weeks follow. 0 for who
        was lost without an alarm.
    """
    gone, last = _gone(found)
    at = last[gone][:, None] - np.arange(LOOK_BACK)[::-1]
    alarm = _alarm(np.take_along_axis(changed[gone], at, axis=1), alarm_line)
    run = np.cumprod(alarm[:, ::-1] == 1, axis=1).sum(axis=1)
    day = found.bought.shape[1] - 1 - found.bought[gone, ::-1].argmax(axis=1)
    days = np.where(run > 0, weekly_activity.WEEK * (run - 1) + day % weekly_activity.WEEK + 1, 0)
    ids = found.people["customer_id"].to_numpy()[gone]
    return pd.Series(days, ids, name="lead_days")[~np.isnan(alarm[:, -1])]


def false_alarms(found: Weeks, changed: np.ndarray, alarm_line: float) -> pd.Series:
    """Return how many of the customers who stay are under alarm, too.

    Parameters
    ----------
    found, changed, alarm_line
        As in `leads`.

    Returns
    -------
    Series
        Of who bought in the last quarter and was a regular in the year before it: any_week (share
        under alarm, in the mean over that year's weeks), ever (share that was at least once in
        it) and weeks (52, or fewer where the data begin later).
    """
    end = found.n_weeks - weekly_activity.QUARTER + 1
    start = max(end - YEAR, weekly_activity.RECENT + weekly_activity.USUAL)
    stays = found.visits[:, -weekly_activity.QUARTER :].any(axis=1)
    alarm = _alarm(changed[stays, start:end], alarm_line)
    alarm = alarm[~np.isnan(alarm).all(axis=1)]
    shares = {"any_week": np.nan, "ever": np.nan}
    if len(alarm):
        shares = {"any_week": np.nanmean(alarm), "ever": (alarm == 1).any(axis=1).mean()}
    return pd.Series(shares | {"weeks": end - start})


def curve(found: Weeks, changed: np.ndarray, moments: pd.DataFrame, enough: float) -> pd.DataFrame:
    """Return what an alarm tells of the lost, the more of those who stay it may call.

    Parameters
    ----------
    found, changed
        As in `leads`.
    moments : DataFrame
        As from `weekly_activity.moments`: the lines are taken from it.
    enough : float
        Days of lead that are early enough.

    Returns
    -------
    DataFrame
        By false_alarms (share of `line`): line, lost (regulars), warned and early (shares of them
        with an alarm at their last purchase, and with enough lead), lead_days (median of the
        warned), any_week, ever and weeks (as from `false_alarms`).
    """
    rows = {}
    for share in OTHER_SHARES:
        alarm_line = line(moments, share)
        lead = leads(found, changed, alarm_line)
        told = {"lost": len(lead), "warned": (lead > 0).mean(), "early": (lead >= enough).mean()}
        told |= {"line": alarm_line, "lead_days": lead[lead > 0].median()}
        rows[share] = told | false_alarms(found, changed, alarm_line).to_dict()
    return pd.DataFrame(rows).T.rename_axis("false_alarms").astype({"lost": int, "weeks": int})


def added(rows: pd.DataFrame, judged: Sequence[int], seed: int = 0) -> Estimate | None:
    """Estimate what a falling volume adds to recency and purchase rate, walk-forward.

    Every landmark is predicted by logits that were fitted to what was known then, with the fall
    and without. The error is that of a jackknife over ten groups of customers, in which the logits
    are fitted anew: few are lost, and which ones decides the fit.

    Parameters
    ----------
    rows : DataFrame
        As from `weekly_activity.moments`, regulars that are watched, of the earlier landmarks, too.
    judged : sequence of int
        Landmarks at which predictions are judged.
    seed : int
        Seed of the groups.

    Returns
    -------
    Estimate or None
        Gain in AUC, t with 9 degrees of freedom; None where too few are lost.
    """
    rows = rows.assign(known=rows["week"] + weekly_activity.GAP + weekly_activity.QUARTER)
    ids = np.sort(rows["customer_id"].unique())
    group = pd.Series(np.random.default_rng(seed).permutation(len(ids)) % GROUPS, ids)
    own = rows["customer_id"].map(group).to_numpy()
    each = [_gain(rows[own != k], judged) for k in range(GROUPS)]
    gain = _gain(rows, judged)
    if gain is None or None in each:
        return None
    method = f"difference of AUCs, jackknife over {GROUPS} groups of customers"
    return from_se(gain, jackknife_se(each), len(ids), df=GROUPS - 1, method=method)


def _gain(rows: pd.DataFrame, judged: Sequence[int]) -> float | None:
    """Return the gain in AUC at the judged landmarks; None where too few are lost."""
    base, more = (
        prediction.walk_forward(f"lapse_later ~ {terms}", rows, "week", "known", least=LEAST)
        for terms in ("recency + log_rate", "recency + log_rate + fall")
    )
    told = rows["week"].isin(judged).to_numpy() & np.isfinite(more)
    lost = rows["lapse_later"].to_numpy()[told]
    if min(lost.sum(), (1 - lost).sum()) < LEAST:
        return None
    return prediction.auc_gain(more[told], base[told], lost).estimate


def paths(found: Weeks, changed: np.ndarray) -> pd.DataFrame:
    """Return how volumes change in the 26 weeks before the last purchase, and of those who stay.

    Parameters
    ----------
    found, changed
        As in `leads`.

    Returns
    -------
    DataFrame
        By weeks_before, from 26 to 0: lost, lost_low, lost_high (median and quartiles of the
        change of customers who were lost) and stayed, stayed_low, stayed_high (of regulars who
        bought in the last quarter, up to its beginning).
    """
    gone, last = _gone(found)
    stays = found.visits[:, -weekly_activity.QUARTER :].any(axis=1)
    ends = {
        "lost": (gone, last),
        "stayed": (stays, np.full(len(last), found.n_weeks - weekly_activity.QUARTER)),
    }
    back, columns = np.arange(LOOK_BACK, -1, -1), {}
    for name, (rows, end) in ends.items():
        change = np.take_along_axis(changed[rows], end[rows][:, None] - back, axis=1)
        change = pd.DataFrame(change[np.isfinite(change[:, -1])], columns=back)
        for suffix, share in (("", 0.5), ("_low", 0.25), ("_high", 0.75)):
            columns[name + suffix] = change.quantile(share)
    return pd.DataFrame(columns).rename_axis("weeks_before")


def scored(moments: pd.DataFrame) -> pd.DataFrame:
    """Add each row's risk to be gone in a quarter, told only from what was known at its landmark.

    That somebody was gone is known another quarter later, when nothing was bought in it.

    Parameters
    ----------
    moments : DataFrame
        As from `weekly_activity.moments`.

    Returns
    -------
    DataFrame
        With fall 0 where it is not known, and risk (probability; missing where too little was
        known).
    """
    known = (
        (moments["week"] + 2 * weekly_activity.QUARTER)
        .astype(float)
        .where(moments["gone"].notna(), np.inf)
    )
    rows = moments.assign(fall=moments["fall"].fillna(0.0), known=known)
    risk = prediction.walk_forward(f"gone ~ {RISK}", rows, "week", "known")
    return rows.assign(risk=risk).drop(columns="known")


def in_rhythm(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of customers who may still come: silent for three usual gaps at most.

    Whoever has been silent for longer is to be won back; a call to keep them comes too late. A risk
    that these are called by is to be `scored` among these: one told from all is too high for them.
    """
    return rows[_silence(rows) <= LATE + 1e-9]  # logs and back


def lists(rows: pd.DataFrame, sales: pd.Series) -> pd.DataFrame:
    """Return what customers could be called by: the higher, the sooner.

    Parameters
    ----------
    rows : DataFrame
        One landmark of `scored`.
    sales : Series
        Sales of the year before, by customer_id.

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

    Parameters
    ----------
    rows, scores, sales
        As in `lists`.
    currency : str
        Of the sales, such as "CNY".

    Returns
    -------
    DataFrame
        rank, customer_id, segment, area, risk, sales_at_risk_<currency>, sales_year_<currency>,
        days_since_purchase, usual_gap_days, volume_change (share of the usual volume, the season
        taken out; missing for customers without a usual volume).
    """
    rows = rows.set_index("customer_id").join(scores.drop(columns=["fall", "risk"]))
    order = rows.sort_values(["sales at risk", "risk"], ascending=False, kind="stable")
    days = 2 ** order["recency"] - 1
    change = np.expm1(order["change"]).round(3)
    return pd.DataFrame(
        {
            "rank": range(1, len(order) + 1),
            "customer_id": order.index,
            "segment": order["segment"],
            "area": order["area"],
            "risk": order["risk"].round(3),
            f"sales_at_risk_{currency.lower()}": order["sales at risk"].round(2),
            f"sales_year_{currency.lower()}": sales.reindex(order.index).fillna(0).round(2),
            "days_since_purchase": days.round().astype(int),
            "usual_gap_days": _gap_days(order).round(1),
            "volume_change": change,
        }
    )


def export(region: Region, rows: pd.DataFrame) -> Path:
    """Write the customers to call beside the region's report, whole or not at all.

    This file is the only one that names customers. It is one for spreadsheets: with a byte order
    mark, and ids that no spreadsheet takes for formulas.

    Parameters
    ----------
    region : Region
        Whose customers they are.
    rows : DataFrame
        What to write, the first to call on top.
    """
    path = reports_folder() / region.source.name / region.name / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as draft:
        findings.save_csv(rows, draft)
    return path


def no_list(moments: pd.DataFrame, needed: int) -> str:
    """Say why there is no list of customers to call.

    Parameters
    ----------
    moments : DataFrame
        As from `weekly_activity.moments`; no rows where there are too few weeks of purchases.
    needed : int
        Weeks of purchases without which nothing is told.
    """
    if moments.empty:
        return f"No list: there are not {needed} weeks of purchases, or nobody bought in them."
    return "No list: nobody is in their rhythm still, or no risk can be told from so few losses."


def _gap_days(rows: pd.DataFrame) -> pd.Series:
    """Return each customer's usual days between two purchases."""
    return weekly_activity.WEEK * np.exp(rows["log_weeks"] - rows["log_visits"])


def _silence(rows: pd.DataFrame) -> pd.Series:
    """Return the days since the last purchase over the usual gap."""
    return (2 ** rows["recency"] - 1) / _gap_days(rows)


def _alarm(change: np.ndarray, alarm_line: float) -> np.ndarray:
    """Return week by week whether an alarm is on (1 or 0), or was when last known; else missing."""
    told = np.where(np.isnan(change), np.nan, change < alarm_line)
    return pd.DataFrame(told).ffill(axis=1).to_numpy()


def _gone(found: Weeks) -> tuple[np.ndarray, np.ndarray]:
    """Mark who was lost in the last year, and return everybody's week of the last purchase."""
    visited = found.visits > 0
    last = found.n_weeks - 1 - visited[:, ::-1].argmax(axis=1)
    first = max(found.n_weeks - 52, weekly_activity.RECENT + weekly_activity.USUAL + LOOK_BACK)
    return visited.any(axis=1) & (last >= first) & (
        last < found.n_weeks - weekly_activity.QUARTER
    ), last
