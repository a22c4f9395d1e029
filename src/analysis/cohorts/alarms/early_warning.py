"""Early warning: how long before the last purchase a customer's volume falls."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.cohorts import weekly_activity
from analysis.cohorts.weekly_activity import Weeks
from analysis.language import text
from analysis.statistics import discrimination, prediction
from analysis.statistics.estimate import Estimate, from_se, jackknife_se
from analysis.statistics.regression import formulas

FALSE_ALARMS = 0.10
"""Share of the regulars who stay that an alarm may call at any one landmark."""
OTHER_SHARES = (0.02, 0.05, FALSE_ALARMS, 0.20, 0.30)
"""Such shares along the alarm curve."""
LOOK_BACK, YEAR = 26, 52
"""Weeks before the last purchase, and of those who stay, in which an alarm is looked for."""
GROUPS, LEAST = 10, 8
"""Groups of customers of the jackknife; lost customers that a prediction is learnt from."""


def line(moments: pd.DataFrame, share: float = FALSE_ALARMS) -> float:
    """Return the alarm threshold at a given false-alarm rate.

    It is the change below which this share of the regulars who did not leave lies. Landmarks
    whose outcome was known by a week begin `weekly_activity.GAP` + `weekly_activity.QUARTER`
    weeks before it.
    """
    calm = moments[moments["watched"] & (moments["lapse_later"] == 0)]
    return -float(calm["fall"].quantile(1 - share))


def leads(found: Weeks, changed: np.ndarray, alarm_line: float) -> pd.Series:
    """Return how long before their last purchase the alarm of lost customers began.

    An alarm is on where the change (`weekly_activity.changes`) lies below the line (`line`), and
    stays on, or off, until the next week of which a usual volume is known: who fades until they
    are no regulars any more stays on the watch list.

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

    Of who bought in the last quarter and was a regular in the year before it: any_week (share under
    alarm, in the mean over that year's weeks), ever (share that was at least once in it), weeks
    (52, or fewer where the data begin later) and stayed (how many these customers are).
    """
    end = found.n_weeks - weekly_activity.QUARTER + 1
    start = max(end - YEAR, weekly_activity.RECENT + weekly_activity.USUAL)
    stays = found.visits[:, -weekly_activity.QUARTER :].any(axis=1)
    alarm = _alarm(changed[stays, start:end], alarm_line)
    alarm = alarm[~np.isnan(alarm).all(axis=1)]
    shares = {"any_week": np.nan, "ever": np.nan}
    if len(alarm):
        shares = {"any_week": np.nanmean(alarm), "ever": (alarm == 1).any(axis=1).mean()}
    return pd.Series(shares | {"weeks": end - start, "stayed": len(alarm)})


def curve(found: Weeks, changed: np.ndarray, moments: pd.DataFrame, enough: float) -> pd.DataFrame:
    """Return sensitivity and lead time of the alarm by false-alarm rate.

    The lines are taken from `weekly_activity.moments`; `enough` is the days of lead that are early
    enough.

    Returns
    -------
    DataFrame
        By false_alarms (share of `line`): line, lost (regulars), warned and early (shares of them
        with an alarm at their last purchase, and with enough lead), lead_days (median of the
        warned), any_week, ever, weeks and stayed (as from `false_alarms`).
    """
    rows = {}
    for share in OTHER_SHARES:
        alarm_line = line(moments, share)
        lead = leads(found, changed, alarm_line)
        told = {"lost": len(lead), "warned": (lead > 0).mean(), "early": (lead >= enough).mean()}
        told |= {"line": alarm_line, "lead_days": lead[lead > 0].median()}
        rows[share] = told | false_alarms(found, changed, alarm_line).to_dict()
    return (
        pd.DataFrame(rows)
        .T.rename_axis("false_alarms")
        .astype({"lost": int, "weeks": int, "stayed": int})
    )


def added(
    formula: str, rows: pd.DataFrame, judged: Sequence[int], seed: int = 0
) -> Estimate | None:
    """Estimate the gain in AUC by falling volume over the other terms of a formula, walk-forward.

    Every judged landmark is predicted by logits that were fitted to what was known then, with the
    fall and without any term that has it. The error is that of a jackknife over ten groups of
    customers, in which the logits are fitted anew: few are lost, and which ones decides the fit.

    Parameters
    ----------
    formula : str
        Such as "lapse_later ~ fall + recency + log_rate".
    rows : DataFrame
        As from `weekly_activity.moments`, watched regulars, of the earlier landmarks, too.
    judged : sequence of int
        Weeks of the landmarks at which predictions are judged.
    seed : int
        Of the groups.

    Returns
    -------
    Estimate or None
        Gain in AUC, t with 9 degrees of freedom; None where too few are lost.
    """
    rows = rows.assign(known=rows["week"] + weekly_activity.GAP + weekly_activity.QUARTER)
    ids = np.sort(rows["customer_id"].unique())
    group = pd.Series(np.random.default_rng(seed).permutation(len(ids)) % GROUPS, ids)
    own = rows["customer_id"].map(group).to_numpy()
    base = formulas.without_columns(formula, "fall")
    both = base, formulas.with_terms(base, *formulas.terms(formula))
    each = [_gain(both, rows[own != k], judged) for k in range(GROUPS)]
    gain = _gain(both, rows, judged)
    if gain is None or None in each:
        return None
    method = text("difference of AUCs, jackknife over {n} groups of customers", n=GROUPS)
    return from_se(gain, jackknife_se(each), len(ids), df=GROUPS - 1, method=method)


def _gain(both: tuple[str, str], rows: pd.DataFrame, judged: Sequence[int]) -> float | None:
    """Return the gain in AUC at the judged landmarks; None where too few are lost."""
    base, more = (
        prediction.walk_forward(formula, rows, "week", "known", least=LEAST) for formula in both
    )
    told = rows["week"].isin(judged).to_numpy() & np.isfinite(more)
    lost = rows[formulas.outcome(both[0])].to_numpy()[told]
    if min(lost.sum(), (1 - lost).sum()) < LEAST:
        return None
    return discrimination.auc_gain(more[told], base[told], lost).estimate


def paths(found: Weeks, changed: np.ndarray) -> pd.DataFrame:
    """Return how volumes change in the 26 weeks before the last purchase, and of those who stay.

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


def _alarm(change: np.ndarray, alarm_line: float) -> np.ndarray:
    """Return week by week whether an alarm is on (1 or 0), or was when last known; else missing."""
    told = np.where(np.isnan(change), np.nan, change < alarm_line)
    return pd.DataFrame(told).ffill(axis=1).to_numpy()


def _gone(found: Weeks) -> tuple[np.ndarray, np.ndarray]:
    """Mark who was lost in the last year, and return everybody's week of the last purchase."""
    visited = found.visits > 0
    last = found.n_weeks - 1 - visited[:, ::-1].argmax(axis=1)
    first = max(found.n_weeks - 52, weekly_activity.RECENT + weekly_activity.USUAL + LOOK_BACK)
    is_over = (last >= first) & (last < found.n_weeks - weekly_activity.QUARTER)
    return visited.any(axis=1) & is_over, last
