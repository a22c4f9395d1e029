"""Jumps of an outcome between two days, and the checks that go with them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pandas as pd
import statsmodels.api as sm
import statsmodels.formula.api as smf

from analysis.statistics.causal._curvature import half_width, worst_bias
from analysis.statistics.estimate import Estimate, NotEstimable
from analysis.statistics.regression.models import contrast, ols

MIN_DAYS, MIN_ROWS = 2, 10
"""Different days and cases that a line on one side needs."""


def jump(
    frame: pd.DataFrame,
    outcome: str,
    days: str,
    *,
    cutoff: int = 3,
    window: int = 3,
    covariates: Sequence[str] = (),
    groups: str | None = None,
    donut: bool = False,
) -> Estimate:
    """Estimate how much an outcome drops when a promised day has passed.

    A line of its own on each side, over a few days only: the jump is what separates them
    midway between the cutoff and the day after it. Errors are not clustered by day: with
    so few days, such intervals cover less than half of the time.

    Parameters
    ----------
    frame : DataFrame
        One row per case; rows with a missing value are left out.
    outcome, days : str
        Columns: the outcome, and whole days; the cutoff is the last that is in time.
    cutoff, window : int
        Cases of the days cutoff - window + 1 to cutoff are compared with those of the
        days cutoff + 1 to cutoff + window.
    covariates : sequence of str
        Terms of a formula, such as "prior" and "C(severity)", known before the days were.
    groups : str, optional
        Column within which errors may be correlated.
    donut : bool
        Leave out the cutoff day itself, where cases may have been hurried to be in time.

    Returns
    -------
    Estimate
        Within the promise less later, in the unit of the outcome.

    Raises
    ------
    ValueError
        If a side has fewer than 2 different days or 10 cases, days are not whole, the
        outcome does not vary, or as in `models.ols`.

    References
    ----------
    Lee, D. S., & Lemieux, T. (2010). Regression discontinuity designs in economics.
    Journal of Economic Literature 48, 281-355.
    Kolesár, M., & Rothe, C. (2018). Inference in regression discontinuity designs with a
    discrete running variable. American Economic Review 108, 2277-2304.
    """
    options = {"cutoff": cutoff, "window": window, "covariates": covariates, "groups": groups}
    model, rows = _local_lines(frame, outcome, days, **options, donut=donut)
    fit = ols(model.formula, rows, groups)
    error = fit.label.removeprefix("gaussian regression, ")
    method = f"local line, {window} days on each side, {error}"
    return replace(contrast(fit, "_within"), method=method)


def honest_jump(
    frame: pd.DataFrame,
    outcome: str,
    days: str,
    *,
    curvature: float,
    cutoff: int = 3,
    window: int = 3,
    covariates: Sequence[str] = (),
    groups: str | None = None,
) -> Estimate:
    """Estimate the same jump, with an interval that allows for a curved outcome.

    A line through a curve misses the jump. The estimate is a weighted sum of outcomes, and
    its weights (which already account for the covariates) tell the largest error that a
    second derivative of at most `curvature` can cause. The interval covers the jump in 95 %
    of samples even then. It is never shorter than that of `jump`, and takes the covariates
    to have straight-line effects.

    Parameters
    ----------
    frame, outcome, days, cutoff, window, covariates, groups
        As in `jump`.
    curvature : float
        Largest size of the second derivative on either side, in units of the outcome per
        day squared, declared beforehand.

    Returns
    -------
    Estimate
        The interval, and so the standard error read from it, includes the largest error.

    Raises
    ------
    ValueError
        As in `jump`, or if the curvature is negative.

    References
    ----------
    Kolesár, M., & Rothe, C. (2018). Inference in regression discontinuity designs with a
    discrete running variable. American Economic Review 108, 2277-2304.
    Armstrong, T. B., & Kolesár, M. (2020). Simple and honest confidence intervals in
    nonparametric regression. Quantitative Economics 11, 1-39.
    """
    if not curvature >= 0:
        raise ValueError(f"Curvature must be 0 or more, not {curvature}.")
    options = {"cutoff": cutoff, "window": window, "covariates": covariates, "groups": groups}
    plain = jump(frame, outcome, days, **options)
    model, rows = _local_lines(frame, outcome, days, **options)
    weights = np.linalg.pinv(model.exog)[model.exog_names.index("_within")]
    bias = curvature * worst_bias(weights, rows["_distance"].to_numpy())
    half = half_width(bias, plain.se, plain.df)
    return replace(
        plain,
        ci_low=plain.estimate - half,
        ci_high=plain.estimate + half,
        method=f"{plain.method}, curvature up to {curvature:.3g}",
    )


def placebos(
    frame: pd.DataFrame,
    outcome: str,
    days: str,
    cutoffs: Sequence[int],
    *,
    cutoff: int = 3,
    **options,
) -> pd.DataFrame:
    """Estimate jumps at days to which nothing was promised.

    Each uses cases of its own side of the real cutoff only, so that the real jump does
    not leak into it.

    Parameters
    ----------
    frame, outcome, days
        As in `jump`.
    cutoffs : sequence of int
        Other days; those that leave too few days or cases on a side are left out.
    cutoff : int
        The real one.
    **options
        As in `jump`: window, covariates, groups, donut.

    Returns
    -------
    DataFrame, one row per day that could be estimated
        estimate, ci_low, ci_high, n_obs.

    Raises
    ------
    ValueError
        If the real cutoff is among the other days.
    """
    if cutoff in cutoffs:
        raise ValueError(f"Day {cutoff} is the real cutoff, not a placebo.")
    in_time = whole_days(frame[days]) <= cutoff
    found = {}
    for day in cutoffs:
        rows = frame[in_time] if day < cutoff else frame[~in_time]
        with suppress(ValueError):
            found[day] = jump(rows, outcome, days, cutoff=day, **options)
    return _table(found, "cutoff")


def covariate_jumps(
    frame: pd.DataFrame, columns: Sequence[str], days: str, **options
) -> pd.DataFrame:
    """Estimate jumps of what was settled before the days were, which should have none.

    Parameters
    ----------
    frame, days
        As in `jump`.
    columns : sequence of str
        Numbers or categories; a category counts as its share, one row for each.
    **options
        As in `jump`: cutoff, window, groups, donut.

    Returns
    -------
    DataFrame, one row per column that could be estimated
        estimate, ci_low, ci_high in standard deviations of all cases; n_obs.
    """
    values = pd.get_dummies(frame[list(columns)]).astype(float)
    found = {}
    for name, column in values.items():
        rows = frame.assign(_covariate=(column - column.mean()) / column.std())
        with suppress(ValueError):
            found[name] = jump(rows, "_covariate", days, **options)
    return _table(found, "covariate")


def _table(found: dict[int | str, Estimate], name: str) -> pd.DataFrame:
    """Return estimates as rows."""
    columns = ["estimate", "ci_low", "ci_high", "n_obs"]
    rows = [[getattr(each, column) for column in columns] for each in found.values()]
    return pd.DataFrame(rows, index=pd.Index(list(found), name=name), columns=columns)


def whole_days(days: pd.Series) -> pd.Series:
    """Return days as floats, or refuse parts of days."""
    found = days.astype(float)
    if (found % 1 > 0).any():
        raise ValueError("Days must be whole numbers.")
    return found


def _sides(frame: pd.DataFrame, outcome: str, days: str, cutoff: int) -> pd.DataFrame:
    """Return the frame with the outcome, the side and the distance from the boundary."""
    day = whole_days(frame[days])
    return frame.assign(
        _outcome=frame[outcome].astype(float),
        _within=(day <= cutoff).astype(float),
        _distance=day - cutoff - 0.5,
    )


def _local_lines(
    frame: pd.DataFrame,
    outcome: str,
    days: str,
    *,
    cutoff: int,
    window: int,
    covariates: Sequence[str],
    groups: str | None,
    donut: bool = False,
) -> tuple[sm.OLS, pd.DataFrame]:
    """Return the regression, not yet fitted, and its complete rows inside the window."""
    rows = _sides(frame, outcome, days, cutoff)
    near = rows["_distance"].abs() < window
    rows = rows[near & ~(donut & (rows["_distance"] == -0.5))]
    known = ["_outcome", groups, *covariates]
    rows = rows.dropna(subset=[name for name in known if name in rows]).reset_index(drop=True)
    _check_sides(rows)
    formula = " + ".join(["_outcome ~ _within * _distance", *covariates])
    model = smf.ols(formula, rows)
    rows = rows.loc[model.data.row_labels].reset_index(drop=True)
    _check_sides(rows)
    if rows["_outcome"].nunique() == 1:
        raise NotEstimable(f'"{outcome}" is the same in every case near the cutoff.')
    return model, rows


def _check_sides(rows: pd.DataFrame) -> None:
    """Refuse a side that cannot carry a line."""
    for name, within in (("up to the cutoff", 1), ("after the cutoff", 0)):
        distance = rows.loc[rows["_within"] == within, "_distance"]
        if distance.nunique() < MIN_DAYS or len(distance) < MIN_ROWS:
            raise NotEstimable(
                f"Each side needs {MIN_DAYS} different days and {MIN_ROWS} cases; "
                f"{name} there are {distance.nunique()} and {len(distance)}."
            )
