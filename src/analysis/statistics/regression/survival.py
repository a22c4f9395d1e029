"""How long customers stay: curves of those who are still there, and what they depend on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import patsy
from scipy import stats
from statsmodels.duration.survfunc import SurvfuncRight, survdiff

from analysis.statistics.estimate import NotEstimable
from analysis.statistics.regression import _glm
from analysis.statistics.regression.models import Fit, coded

MAX_STEPS = 100
"""Newton steps; each changes the log hazard ratio of any two rows by 1 at most."""

_GAIN = 1e-9
"""Rise of the log-likelihood (doubled) that is none."""
_LONG = 0.1
"""Change of a log hazard ratio by a last step that should be 0, but not at an infinite maximum."""
_TINY = 1e-9
"""Share of what a variance would be at most, below which it is none."""


def curves(
    rows: pd.DataFrame, stop: str, lost: str, entry: str | None = None, by: str | None = None
) -> pd.DataFrame:
    """Estimate the share of customers who are still there, day by day (Kaplan-Meier).

    Parameters
    ----------
    rows : DataFrame
        One row per customer; those with a missing value in a named column are left out.
    stop, lost : str
        Columns: last day of observation; 1 if the customer was lost on it, else 0.
    entry : str, optional
        Column: day after which the customer is observed, by default 0.
    by : str, optional
        Column: category with a curve of its own.

    Returns
    -------
    DataFrame
        Rows by group ("all" without `by`) and day: the first entry, every day with a loss
        and the last day of observation. Columns: group, day, share, ci_low, ci_high
        (95 % for each day alone, by the log of -log; missing where the share is 1 or 0),
        at_risk (customers under observation; on the first day, those who enter), lost.

    Raises
    ------
    ValueError
        If `lost` is not 0 or 1, or a customer stops before they enter.
    NotEstimable
        If no row is left.

    References
    ----------
    Kaplan, E. L., & Meier, P. (1958). Nonparametric estimation from incomplete
    observations. JASA 53, 457-481.
    Kalbfleisch, J. D., & Prentice, R. L. (2002). The statistical analysis of failure time
    data, 2nd ed. Wiley. Section 1.4.
    """
    times = _times(rows, stop, lost, entry, by)
    found = {name: _curve(each) for name, each in times.groupby("group", observed=True)}
    return pd.concat(found, names=["group", None]).reset_index("group").reset_index(drop=True)


def share_at(curve: pd.DataFrame, day: float) -> pd.DataFrame:
    """Read the share of customers who are still there after a day.

    Parameters
    ----------
    curve : DataFrame
        From `curves`.
    day : float

    Returns
    -------
    DataFrame
        group, share, ci_low, ci_high, one row per group; missing on days before anybody
        entered and after the last day of observation.
    """
    last = curve.groupby("group", sort=False, observed=True)["day"].max()
    found = curve[curve["day"] <= day].drop_duplicates("group", keep="last").set_index("group")
    found = found.reindex(last.index)[["share", "ci_low", "ci_high"]]
    return found.mask(last < day).reset_index()


def differ(rows: pd.DataFrame, stop: str, lost: str, by: str, entry: str | None = None) -> float:
    """Return the p-value of "all groups have the same curve" (log-rank test).

    Parameters
    ----------
    rows, stop, lost, by, entry
        As in `curves`.

    Raises
    ------
    ValueError
        As in `curves`.
    NotEstimable
        As in `curves`; also if there are fewer than two groups, nobody was lost, or a group
        has nobody at risk together with others on any day with a loss.

    References
    ----------
    Mantel, N. (1966). Evaluation of survival data and two new rank order statistics
    arising in its consideration. Cancer Chemotherapy Reports 50, 163-170.
    """
    times = _times(rows, stop, lost, entry, by)
    codes, groups = pd.factorize(times["group"])
    if len(groups) < 2 or not times["lost"].any():
        raise NotEstimable(
            f'To compare curves, "{by}" needs 2 groups, and customers who were lost.'
        )
    ends, events, entries = times[["stop", "lost", "entry"]].to_numpy().T
    try:
        chi2, _ = survdiff(ends, events, codes, entry=entries)
    except np.linalg.LinAlgError:
        raise NotEstimable(
            f'Groups of "{by}" are not at risk together when some are lost.'
        ) from None
    return float(stats.chi2.sf(chi2, len(groups) - 1))


def cox(formula: str, rows: pd.DataFrame, start: str, stop: str, lost: str) -> Fit:
    """Fit hazard ratios of being lost, with columns that may change over time.

    statsmodels' PHReg finds the same numbers (a test says so) if no row starts on a day
    with a loss: it counts a row as at risk on the very day of its start, so a customer
    whose card changes that day is counted twice. Its full Newton steps also overshoot where
    a column is skewed, and an infinite estimate may go unnoticed.

    Parameters
    ----------
    formula : str
        Right side, such as "card + C(segment) + log_tenure".
    rows : DataFrame
        A customer has one row for every spell in which nothing changes; rows with a missing
        value are left out. At most one spell of a customer ends with a loss.
    start, stop, lost : str
        Columns: day after which the spell begins; its last day; 1 if the customer was lost
        on that day, else 0.

    Returns
    -------
    Fit
        Exponentials are hazard ratios. Errors are normal, from the information, and n_obs
        counts rows, not customers.

    Raises
    ------
    ValueError
        If a spell stops before it starts.
    NotEstimable
        If no row is left, fewer than 2 customers were lost for each column, a column does not
        vary among customers at risk or is collinear, or an estimate would be infinite. On the
        number of losses see `_glm.fit`.

    References
    ----------
    Cox, D. R. (1972). Regression models and life-tables. JRSS B 34, 187-220.
    Efron, B. (1977). The efficiency of Cox's likelihood function for censored data.
    JASA 72, 557-565.
    """
    spells = _spells(formula, rows, start, stop, lost)
    params, information = _maximum(spells)
    covariance = np.linalg.inv(information) / np.outer(spells.scale, spells.scale)
    return Fit(
        params=pd.Series(params / spells.scale, spells.names),
        covariance=pd.DataFrame(covariance, spells.names, spells.names),
        df=np.inf,
        n_obs=len(spells.x),
        scale="log",
        converged=True,
        method="Cox regression, Efron ties",
        events=spells.events,
    )


def proportional(
    formula: str, rows: pd.DataFrame, start: str, stop: str, lost: str, column: str
) -> float:
    """Return the p-value of "the hazard ratio of one column is the same at all times".

    The score test against a coefficient that changes with 1 less the Kaplan-Meier share on
    the eve of the day, so that only the order of days matters. It takes the variance of the
    column on each day as it is. That of a card, say, is small before many have one; versions
    of the test that average it over days find too few changes then.

    Parameters
    ----------
    formula, rows, start, stop, lost
        As in `cox`.
    column : str
        Name of a coefficient.

    Raises
    ------
    ValueError
        As in `cox`; also if there is no such coefficient.
    NotEstimable
        As in `cox`; also if the column varies among customers at risk on a single day with
        losses.

    References
    ----------
    Grambsch, P. M., & Therneau, T. M. (1994). Proportional hazards tests and diagnostics
    based on weighted residuals. Biometrika 81, 515-526.
    """
    spells = _spells(formula, rows, start, stop, lost)
    if column not in spells.names:
        raise ValueError(f'No coefficient "{column}"; there are {spells.names}.')
    params, information = _maximum(spells)
    j, gone = spells.names.index(column), _gone(spells)
    score, cross = _derivatives(params, spells, gone)
    own = _derivatives(params, spells, gone**2)[1][j, j]
    variance = own - cross[j] @ np.linalg.solve(information, cross[j])
    if variance <= _TINY * own:
        raise NotEstimable(
            f'"{column}" varies among customers at risk on one day with losses only.'
        )
    return float(stats.chi2.sf(score[j] ** 2 / variance, 1))


def _times(
    rows: pd.DataFrame, stop: str, lost: str, entry: str | None, by: str | None = None
) -> pd.DataFrame:
    """Return stop, lost, entry and group of the rows where they are known."""
    columns = {
        "stop": rows[stop].astype(float),
        "lost": rows[lost].astype(float),
        "entry": 0.0 if entry is None else rows[entry].astype(float),
        "group": "all" if by is None else rows[by],
    }
    times = pd.DataFrame(columns, index=rows.index).dropna()
    if times.empty:
        raise NotEstimable("There is no row whose days are known.")
    if not times["lost"].isin([0, 1]).all():
        raise ValueError(f'"{lost}" must be 0 or 1 in every row.')
    if (times["entry"] >= times["stop"]).any():
        raise ValueError(f'"{stop}" must be later than {_quoted(entry)} in every row.')
    return times


def _quoted(entry: str | None) -> str:
    """Return the name of the column of entries, or the day that stands for it."""
    return "day 0" if entry is None else f'"{entry}"'


def _days(times: pd.DataFrame) -> np.ndarray:
    """Return the days with a loss in order, or say that there are none."""
    days = np.unique(times["stop"][times["lost"] == 1])
    if not len(days):
        raise NotEstimable("Nobody was lost, so that hazards cannot be compared.")
    return days


def _curve(times: pd.DataFrame) -> pd.DataFrame:
    """Return the curve of one group."""
    stop, first = times["stop"].to_numpy(), times["entry"].min()
    fit = SurvfuncRight(stop, times["lost"].to_numpy(), entry=times["entry"].to_numpy())
    share = np.minimum.accumulate(fit.surv_prob)  # once 0, it stays 0
    low, high = _log_log_interval(share, fit.surv_prob_se)
    names = ["day", "share", "ci_low", "ci_high", "at_risk", "lost"]
    values = [fit.surv_times, share, low, high, fit.n_risk, fit.n_events]
    found = pd.DataFrame(np.column_stack(values), columns=names)
    found.loc[-1] = [first, 1.0, np.nan, np.nan, (times["entry"] == first).sum(), 0]
    found = found.sort_index()
    if found["day"].iloc[-1] < stop.max():
        end = {"day": stop.max(), "at_risk": (stop == stop.max()).sum(), "lost": 0}
        found = pd.concat([found, found.tail(1).assign(**end)])
    return found.astype({"at_risk": int, "lost": int})


def _log_log_interval(share: np.ndarray, se: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return 95 % limits that are symmetric on the log of -log."""
    inside = np.where((share > 0) & (share < 1), share, np.nan)
    power = np.exp(stats.norm.ppf(0.975) * se / (inside * np.abs(np.log(inside))))
    return inside**power, inside ** (1 / power)


@dataclass(frozen=True)
class _Spells:
    """Rows of a Cox regression in the order of their last day.

    x is centred and divided by `scale`. `before` and `until` count the days with a loss up
    to start and up to stop: a row is at risk on those in between. `lost` are the rows that
    end with a loss, `day` is the number of its day, from 0 to size - 1. `events` are the losses
    of each group, as in `models.Fit`.
    """

    names: list[str]
    x: np.ndarray
    scale: np.ndarray
    before: np.ndarray
    until: np.ndarray
    lost: np.ndarray
    day: np.ndarray
    size: int
    events: pd.DataFrame


def _spells(formula: str, rows: pd.DataFrame, start: str, stop: str, lost: str) -> _Spells:
    """Put the rows in order, centre their columns and find when they are at risk."""
    rows = rows.reset_index(drop=True)
    times = _times(rows, stop, lost, start).sort_values("stop")
    x = patsy.dmatrix(formula, coded(formula, rows.loc[times.index]), return_type="dataframe")
    x = x.drop(columns="Intercept", errors="ignore")
    times, spread = times.loc[x.index], x.std(ddof=0).to_numpy()
    scale, days = np.where(spread > 0, spread, 1.0), _days(times)
    before, until = (np.searchsorted(days, times[name], "right") for name in ("entry", "stop"))
    events = np.flatnonzero(times["lost"])
    return _Spells(
        names=list(x.columns),
        x=(x - x.mean()).to_numpy() / scale,
        scale=scale,
        before=before,
        until=until,
        lost=events,
        day=until[events] - 1,
        size=len(days),
        events=_glm.events_by_group(
            x.to_numpy(), times["lost"].to_numpy(), list(x.columns), "poisson"
        ),
    )


def _maximum(spells: _Spells) -> tuple[np.ndarray, np.ndarray]:
    """Return the maximum of the partial likelihood and the information there.

    A Newton step that changes no log hazard ratio by more than 1 always goes up, because
    the third derivatives are bounded by the second (Bach, 2010, Electronic Journal of
    Statistics 4, 384-414). Where the likelihood hardly rises but the next step is still long,
    the maximum lies at infinity.
    """
    losses, columns = len(spells.lost), spells.x.shape[1]
    if losses < _glm.LEAST_EVENTS * columns:
        raise NotEstimable(
            f"Only {losses:,} of {len(spells.x):,} rows end with a loss; {columns} coefficients "
            f"need {_glm.LEAST_EVENTS * columns}."
        )
    params, equal = np.zeros(columns), np.ones(spells.size)
    _check_columns(_derivatives(params, spells, equal)[1], spells)
    for _ in range(MAX_STEPS):
        score, information = _derivatives(params, spells, equal)
        step = np.linalg.solve(information, score)
        change = np.ptp(spells.x @ step)
        params = params + step / max(1.0, change)
        if score @ step < _GAIN:
            break
    if change > _LONG:
        name = spells.names[np.argmax(np.abs(step) * np.ptp(spells.x, axis=0))]
        raise NotEstimable(
            f'The hazard ratio of "{name}" is zero or infinite: only customers at one end of it '
            "were lost; merge rare categories, or take the logarithm of a skewed column."
        )
    if score @ step >= _GAIN:
        raise NotEstimable(f"The Cox regression of {losses:,} losses does not converge.")
    return params, _derivatives(params, spells, equal)[1]


def _derivatives(
    params: np.ndarray, spells: _Spells, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return score and information, with a weight for each day with a loss.

    Of the customers lost on the same day, the second is compared with those at risk less an
    even share of one of them, the third less a share of two, and so on (Efron).
    """
    x, lost, day = spells.x, spells.lost, spells.day
    hazard = x @ params
    hazard = np.exp(hazard - hazard.max())
    terms = hazard[:, None] * np.column_stack([np.ones(len(x)), x])
    moved = _sums(spells.before, terms, spells.size) - _sums(spells.until, terms, spells.size)
    place = (np.arange(len(day)) - np.searchsorted(day, day)) / np.bincount(day)[day]
    tied = _sums(day, terms[lost], spells.size)
    at_risk = np.cumsum(moved, axis=0)[day] - place[:, None] * tied[day]
    mean, rate = at_risk[:, 1:] / at_risk[:, :1], weight[day] / at_risk[:, 0]
    total = np.append(0.0, np.cumsum(np.bincount(day, rate)))
    expected = total[spells.until] - total[spells.before]
    expected[lost] -= np.bincount(day, rate * place)[day]
    information = (x.T * (hazard * expected)) @ x - (mean.T * weight[day]) @ mean
    return weight[day] @ (x[lost] - mean), information


def _sums(day: np.ndarray, values: np.ndarray, size: int) -> np.ndarray:
    """Return the sums of values, shape (n, m), over the rows of each day, shape (size, m)."""
    return np.column_stack([np.bincount(day, each, size + 1)[:size] for each in values.T])


def _gone(spells: _Spells) -> np.ndarray:
    """Return 1 less the Kaplan-Meier share on the eve of each day with a loss."""
    one = np.ones((len(spells.x), 1))
    moved = _sums(spells.before, one, spells.size) - _sums(spells.until, one, spells.size)
    stays = 1 - np.bincount(spells.day) / np.cumsum(moved[:, 0])
    return 1 - np.append(1.0, np.cumprod(stays)[:-1])


def _check_columns(information: np.ndarray, spells: _Spells) -> None:
    """Refuse columns that do not vary among customers at risk, and collinear ones."""
    own = np.diag(information)
    for name, value in zip(spells.names, own, strict=True):
        if value < _TINY * len(spells.day):
            raise NotEstimable(f'"{name}" does not vary among customers at risk; leave it out.')
    if np.linalg.eigvalsh(information / np.sqrt(np.outer(own, own))).min() < _TINY:
        raise NotEstimable(f"Columns {spells.names} are collinear; leave one out.")
