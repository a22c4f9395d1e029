"""Cox regression with columns that change over time, and the test of its proportional hazards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import patsy
import statsmodels.api as sm
from scipy import stats
from statsmodels.duration.hazard_regression import PHRegResults

from analysis.language import text
from analysis.statistics.estimate import NotEstimable
from analysis.statistics.regression import _glm
from analysis.statistics.regression.formulas import coded
from analysis.statistics.regression.survival import known_times

MAX_STEPS = 100
"""Newton steps; each changes the log hazard ratio of any two rows by 1 at most."""
_GAIN = 1e-9
"""Rise of the log-likelihood (doubled) that is none."""
_LONG = 0.1
"""Change of a log hazard ratio by a last step that should be 0, but not at an infinite maximum."""
_TINY = 1e-9
"""Share of what a variance would be at most, below which it is none."""


def cox(formula: str, rows: pd.DataFrame, start: str, stop: str, lost: str) -> PHRegResults:
    """Fit hazard ratios of being lost, with columns that may change over time.

    The maximum is set into the results of statsmodels' PHReg. Its own (the same, a test says so)
    would count a row as at risk on the very day of its start, so that a customer whose card
    changes on a day with a loss is counted twice; its full Newton steps overshoot where a column
    is skewed; and an infinite estimate may go unnoticed.

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
    PHRegResults
        Exponentials are hazard ratios. Errors are normal, from the information; rows are counted,
        not customers.

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
    Cox (1972), JRSS B 34, 187-220. Efron (1977), JASA 72, 557-565.
    """
    spells = _spells(formula, rows, start, stop, lost)
    params, information = _maximum(spells)
    model = sm.PHReg.from_formula(
        f"{stop} ~ {formula}",
        spells.rows,
        status=spells.times["lost"],
        entry=np.nextafter(spells.times["entry"], np.inf),  # at risk after it, not on it
        ties="efron",
    )
    covariance = np.linalg.inv(information) / np.outer(spells.scale, spells.scale)
    fit = PHRegResults(
        model,
        pd.Series(params / spells.scale, spells.names),
        pd.DataFrame(covariance, spells.names, spells.names),
    )
    fit.converged, fit.label = True, "Cox regression, Efron ties"
    return fit


def proportional(
    formula: str, rows: pd.DataFrame, start: str, stop: str, lost: str, column: str
) -> float:
    """Return the p-value of "the hazard ratio of one column is the same at all times".

    The score test against a coefficient that changes with 1 less the Kaplan-Meier share on
    the eve of the day, so that only the order of days matters. It takes the variance of the
    column on each day as it is. That of a card, say, is small before many have one; versions
    of the test that average it over days find too few changes then.

    `column` is the name of a coefficient; all else, and errors, are as in `cox`. It is not
    estimable, too, if the column varies among customers at risk on a single day with losses.

    References
    ----------
    Grambsch, Therneau (1994), Biometrika 81, 515-526.
    """
    spells = _spells(formula, rows, start, stop, lost)
    if column not in spells.names:
        raise ValueError(f'No coefficient "{column}"; there are {spells.names}.')
    params, information = _maximum(spells)
    at_risk = spells.sums_at_risk(np.ones((len(spells.x), 1)))[:, 0]
    share = np.cumprod(1 - np.bincount(spells.day) / at_risk)
    gone, j = 1 - np.append(1.0, share[:-1]), spells.names.index(column)
    score, cross = _derivatives(params, spells, gone)
    own = _derivatives(params, spells, gone**2)[1][j, j]
    variance = own - cross[j] @ np.linalg.solve(information, cross[j])
    if variance <= _TINY * own:
        raise NotEstimable(
            text(
                '"{column}" varies among customers at risk on one day with losses only.',
                column=column,
            )
        )
    return float(stats.chi2.sf(score[j] ** 2 / variance, 1))


@dataclass(frozen=True)
class _Spells:
    """Rows of a Cox regression in the order of their last day.

    x is centred and divided by `scale`. `before` and `until` count the days with a loss up
    to start and up to stop: a row is at risk on those in between. `lost` are the rows that
    end with a loss, `day` is the number of its day, from 0 to size - 1.
    """

    rows: pd.DataFrame
    times: pd.DataFrame
    names: list[str]
    x: np.ndarray
    scale: np.ndarray
    before: np.ndarray
    until: np.ndarray
    lost: np.ndarray
    day: np.ndarray
    size: int

    def sums_at_risk(self, values: np.ndarray) -> np.ndarray:
        """Return sums of values, shape (n, m), over who is at risk on each day, (size, m)."""
        moved = _sums(self.before, values, self.size) - _sums(self.until, values, self.size)
        return np.cumsum(moved, axis=0)


def _spells(formula: str, rows: pd.DataFrame, start: str, stop: str, lost: str) -> _Spells:
    """Put the rows in order, centre their columns and find when they are at risk."""
    rows = rows.reset_index(drop=True)
    times = known_times(rows, stop, lost, start).sort_values("stop")
    used = coded(f"{stop} ~ {formula}", rows.loc[times.index])
    x = patsy.dmatrix(formula, used, return_type="dataframe")
    x = x.drop(columns="Intercept", errors="ignore")
    times, spread = times.loc[x.index], x.std(ddof=0).to_numpy()
    scale, days = np.where(spread > 0, spread, 1.0), np.unique(times["stop"][times["lost"] == 1])
    if not len(days):
        raise NotEstimable(text("Nobody was lost, so that hazards cannot be compared."))
    before, until = (np.searchsorted(days, times[name], "right") for name in ("entry", "stop"))
    events = np.flatnonzero(times["lost"])
    return _Spells(
        rows=used.loc[x.index],
        times=times,
        names=list(x.columns),
        x=(x - x.mean()).to_numpy() / scale,
        scale=scale,
        before=before,
        until=until,
        lost=events,
        day=until[events] - 1,
        size=len(days),
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
            text(
                "Only {losses:,} of {total:,} rows end with a loss; {n} coefficient needs "
                "{needed}.",
                "Only {losses:,} of {total:,} rows end with a loss; {n} coefficients need "
                "{needed}.",
                losses=losses,
                total=len(spells.x),
                n=columns,
                needed=_glm.LEAST_EVENTS * columns,
            )
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
            text(
                'The hazard ratio of "{name}" is zero or infinite: only customers at one end '
                "of it were lost; merge rare categories, or take the logarithm of a skewed "
                "column.",
                name=name,
            )
        )
    if score @ step >= _GAIN:
        raise NotEstimable(
            text("The Cox regression of {losses:,} losses does not converge.", losses=losses)
        )
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
    place = (np.arange(len(day)) - np.searchsorted(day, day)) / np.bincount(day)[day]
    tied = _sums(day, terms[lost], spells.size)
    at_risk = spells.sums_at_risk(terms)[day] - place[:, None] * tied[day]
    mean, rate = at_risk[:, 1:] / at_risk[:, :1], weight[day] / at_risk[:, 0]
    total = np.append(0.0, np.cumsum(np.bincount(day, rate)))
    expected = total[spells.until] - total[spells.before]
    expected[lost] -= np.bincount(day, rate * place)[day]
    information = (x.T * (hazard * expected)) @ x - (mean.T * weight[day]) @ mean
    return weight[day] @ (x[lost] - mean), information


def _sums(day: np.ndarray, values: np.ndarray, size: int) -> np.ndarray:
    """Return the sums of values, shape (n, m), over the rows of each day, shape (size, m)."""
    return np.column_stack([np.bincount(day, each, size + 1)[:size] for each in values.T])


def _check_columns(information: np.ndarray, spells: _Spells) -> None:
    """Refuse columns that do not vary among customers at risk, and collinear ones."""
    own = np.diag(information)
    for j in np.flatnonzero(own < _TINY * len(spells.day)):
        name = spells.names[j]
        raise NotEstimable(
            text('"{name}" does not vary among customers at risk; leave it out.', name=name)
        )
    if np.linalg.eigvalsh(information / np.sqrt(np.outer(own, own))).min() < _TINY:
        raise NotEstimable(
            text("Columns {names} are collinear; leave one out.", names=spells.names)
        )
