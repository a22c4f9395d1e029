"""Survival: Kaplan-Meier curves and the log-rank test."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.duration.survfunc import SurvfuncRight, survdiff

from analysis.language import text
from analysis.statistics.estimate import NotEstimable


def curves(rows: pd.DataFrame, stop: str, lost: str, by: str) -> pd.DataFrame:
    """Estimate the share of customers who are still there, day by day (Kaplan-Meier).

    Parameters
    ----------
    rows : DataFrame
        One row per customer, observed from day 0; those with a missing value in a named column
        are left out.
    stop, lost : str
        Columns: last day of observation; 1 if the customer was lost on it, else 0.
    by : str
        Column: category with a curve of its own.

    Returns
    -------
    DataFrame
        Rows by group and day: day 0, every day with a loss and the last day of observation.
        Columns: group, day, share, ci_low, ci_high (95 % for each day alone, by the log of -log;
        missing where the share is 1 or 0), at_risk (customers under observation), lost.

    Raises
    ------
    ValueError
        If `lost` is not 0 or 1, or a customer stops on day 0 or before.
    NotEstimable
        If no row is left.

    References
    ----------
    Kaplan, Meier (1958), JASA 53, 457-481. Kalbfleisch, Prentice (2002), The Statistical Analysis
    of Failure Time Data, 2nd ed., section 1.4.
    """
    times = known_times(rows, stop, lost, by=by)
    found = {name: _curve(each) for name, each in times.groupby("group", observed=True)}
    return pd.concat(found, names=["group", None]).reset_index("group").reset_index(drop=True)


def share_at(curve: pd.DataFrame, day: float) -> pd.DataFrame:
    """Read from `curves` the share of customers who are still there after a day.

    Returns
    -------
    DataFrame
        group, share, ci_low, ci_high, one row per group; missing before day 0 and after the
        last day of observation.
    """
    last = curve.groupby("group", sort=False, observed=True)["day"].max()
    found = curve[curve["day"] <= day].drop_duplicates("group", keep="last").set_index("group")
    found = found.reindex(last.index)[["share", "ci_low", "ci_high"]]
    return found.mask(last < day).reset_index()


def differ(rows: pd.DataFrame, stop: str, lost: str, by: str) -> float:
    """Return the p-value of "all groups have the same curve" (log-rank test).

    Parameters and errors are those of `curves`. It is not estimable, too, if there are fewer than
    two groups, nobody was lost, or a group has nobody at risk together with others on any day with
    a loss.

    References
    ----------
    Mantel (1966), Cancer Chemotherapy Reports 50, 163-170.
    """
    times = known_times(rows, stop, lost, by=by)
    codes, groups = pd.factorize(times["group"])
    if len(groups) < 2 or not times["lost"].any():
        raise NotEstimable(
            text('To compare curves, "{by}" needs 2 groups, and customers who were lost.', by=by)
        )
    try:
        chi2, _ = survdiff(times["stop"].to_numpy(), times["lost"].to_numpy(), codes)
    except np.linalg.LinAlgError:
        raise NotEstimable(
            text('Groups of "{by}" are not at risk together when some are lost.', by=by)
        ) from None
    return float(stats.chi2.sf(chi2, len(groups) - 1))


def known_times(
    rows: pd.DataFrame, stop: str, lost: str, entry: str | None = None, by: str | None = None
) -> pd.DataFrame:
    """Return stop, lost, entry (0 without a column) and group of the rows where all are known."""
    columns = {
        "stop": rows[stop].astype(float),
        "lost": rows[lost].astype(float),
        "entry": 0.0 if entry is None else rows[entry].astype(float),
        "group": "" if by is None else rows[by],
    }
    times = pd.DataFrame(columns, index=rows.index).dropna()
    if times.empty:
        raise NotEstimable(text("There is no row whose days are known."))
    if not times["lost"].isin([0, 1]).all():
        raise ValueError(f'"{lost}" must be 0 or 1 in every row.')
    if (times["entry"] >= times["stop"]).any():
        start = "day 0" if entry is None else f'"{entry}"'
        raise ValueError(f'"{stop}" must be later than {start} in every row.')
    return times


def _curve(times: pd.DataFrame) -> pd.DataFrame:
    """Return the curve of one group, with limits that are symmetric on the log of -log."""
    stop = times["stop"].to_numpy()
    fit = SurvfuncRight(stop, times["lost"].to_numpy())
    share = fit.surv_prob
    inside = np.where((share > 0) & (share < 1), share, np.nan)
    power = np.exp(stats.norm.ppf(0.975) * fit.surv_prob_se / (inside * np.abs(np.log(inside))))
    columns = {
        "day": fit.surv_times,
        "share": share,
        "ci_low": inside**power,
        "ci_high": inside ** (1 / power),
        "at_risk": fit.n_risk,
        "lost": fit.n_events,
    }
    found = pd.DataFrame(columns, dtype=float)
    found.loc[-1] = [0.0, 1.0, np.nan, np.nan, len(times), 0]
    found = found.sort_index()
    if found["day"].iloc[-1] < stop.max():
        end = {"day": stop.max(), "at_risk": (stop == stop.max()).sum(), "lost": 0}
        found = pd.concat([found, found.tail(1).assign(**end)])
    return found.astype({"at_risk": int, "lost": int})
