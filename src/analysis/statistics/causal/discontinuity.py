"""Jumps of an outcome between two days, and the checks that go with them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pandas as pd
import patsy

from analysis.language import text
from analysis.statistics._aligned import floats
from analysis.statistics.causal._curvature import half_width, worst_bias
from analysis.statistics.estimate import Estimate, NotEstimable
from analysis.statistics.regression.models import contrast, ols

CUTOFF, WINDOW = 3, 3
"""Promised days; days on each side of a cutoff whose cases are compared."""
MIN_DAYS, MIN_ROWS = 2, 10
"""Different days and cases that a line on one side needs."""


def jump(
    frame: pd.DataFrame,
    outcome: str,
    days: str,
    *,
    cutoff: int = CUTOFF,
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
        Columns: the outcome, and whole days.
    cutoff : int
        The last day that is in time. Cases of the `WINDOW` days up to it are compared with those
        of the `WINDOW` days after it.
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
        If days are not whole.
    NotEstimable
        If a side has fewer than `MIN_DAYS` different days or `MIN_ROWS` cases, the outcome does
        not vary, or as in `models.ols`.

    References
    ----------
    Lee & Lemieux (2010). Regression discontinuity designs in economics. Journal of Economic
    Literature 48, 281-355.
    Kolesár & Rothe (2018). Inference in regression discontinuity designs with a discrete running
    variable. American Economic Review 108, 2277-2304.
    """
    formula, _, rows = _local_lines(frame, outcome, days, cutoff, covariates, groups, donut)
    return _read_jump(formula, rows, groups)


def honest_jump(
    frame: pd.DataFrame,
    outcome: str,
    days: str,
    curvature: float,
    covariates: Sequence[str] = (),
    groups: str | None = None,
) -> Estimate:
    """Estimate the same jump, with an interval that allows for a curved outcome.

    A line through a curve misses the jump. The estimate is a weighted sum of outcomes, and
    its weights (which already account for the covariates) tell the largest error that a
    second derivative of at most `curvature` can cause. The interval covers the jump in 95 %
    of samples even then. It is never shorter than that of `jump`, and takes the covariates
    to have straight-line effects.

    The other parameters are those of `jump`. `curvature` is the largest size of the second
    derivative on either side, in units of the outcome per day squared, 0 or more, declared
    beforehand. The interval, and so the standard error read from it, includes the largest error.

    References
    ----------
    Kolesár & Rothe (2018), as in `jump`.
    Armstrong & Kolesár (2020). Simple and honest confidence intervals in nonparametric
    regression. Quantitative Economics 11, 1-39.
    """
    if not 0 <= curvature < np.inf:
        raise ValueError(f"The curvature must be a number of 0 or more, not {curvature}.")
    formula, design, rows = _local_lines(frame, outcome, days, CUTOFF, covariates, groups)
    plain = _read_jump(formula, rows, groups)
    weights = np.linalg.pinv(design)[design.columns.get_loc("_within")]
    bias = curvature * worst_bias(weights, rows["_distance"].to_numpy())
    half = half_width(bias, plain.se, plain.df)
    return replace(
        plain,
        ci_low=plain.estimate - half,
        ci_high=plain.estimate + half,
        method=f"{plain.method}, curvature up to {curvature:.3g}",
    )


def placebos(
    frame: pd.DataFrame, outcome: str, days: str, cutoffs: Sequence[int], **options
) -> pd.DataFrame:
    """Estimate jumps at days to which nothing was promised.

    Each uses cases of its own side of the real cutoff only, so that the real jump does
    not leak into it.

    Frame, outcome, days and options are those of `jump`. Of the other days, `cutoffs`, those that
    leave too few days or cases on a side are left out: one row for each that could be estimated,
    with estimate, ci_low, ci_high, n_obs.
    """
    in_time = whole_days(frame[days]) <= CUTOFF
    found = {}
    for day in cutoffs:
        rows = frame[in_time] if day < CUTOFF else frame[~in_time]
        with suppress(ValueError):
            found[day] = jump(rows, outcome, days, cutoff=day, **options)
    return _table(found, "cutoff")


def covariate_jumps(frame: pd.DataFrame, columns: Sequence[str], days: str) -> pd.DataFrame:
    """Estimate jumps of what was settled before the days were, which should have none.

    Frame and days are those of `jump`, `columns` numbers or categories; a category counts as its
    share, one row for each. Each row that could be estimated has estimate, ci_low, ci_high in
    standard deviations of all cases, and n_obs.
    """
    values = pd.get_dummies(frame[list(columns)]).astype(float)
    found = {}
    for name, column in values.items():
        rows = frame.assign(_covariate=(column - column.mean()) / column.std())
        with suppress(ValueError):
            found[name] = jump(rows, "_covariate", days)
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


def _local_lines(
    frame: pd.DataFrame,
    outcome: str,
    days: str,
    cutoff: int,
    covariates: Sequence[str],
    groups: str | None,
    donut: bool = False,
) -> tuple[str, pd.DataFrame, pd.DataFrame]:
    """Return the regression's formula, its design, and its complete rows inside the window."""
    day = whole_days(frame[days])
    rows = frame.assign(
        _outcome=floats(frame[outcome]),
        _within=(day <= cutoff).astype(float),
        _distance=day - cutoff - 0.5,
    )
    rows = rows[rows["_distance"].abs() < WINDOW]
    rows = rows[~(donut & (rows["_distance"] == -0.5))]
    known = ["_outcome", groups, *covariates]
    rows = rows.dropna(subset=[name for name in known if name in rows]).reset_index(drop=True)
    _check_sides(rows)
    formula = " + ".join(["_outcome ~ _within * _distance", *covariates])
    _, design = patsy.dmatrices(formula, rows, return_type="dataframe")
    rows = rows.loc[design.index].reset_index(drop=True)
    _check_sides(rows)
    if rows["_outcome"].nunique() == 1:
        raise NotEstimable(
            text('"{outcome}" is the same in every case near the cutoff.', outcome=outcome)
        )
    return formula, design, rows


def _read_jump(formula: str, rows: pd.DataFrame, groups: str | None) -> Estimate:
    """Fit the lines and read the jump between them."""
    fit = ols(formula, rows, groups)
    error = fit.label.removeprefix("gaussian regression, ")
    method = f"local line, {WINDOW} days on each side, {error}"
    return replace(contrast(fit, "_within"), method=method)


def _check_sides(rows: pd.DataFrame) -> None:
    """Refuse a side that cannot carry a line."""
    for name, within in (("up to the cutoff", 1), ("after the cutoff", 0)):
        distance = rows.loc[rows["_within"] == within, "_distance"]
        if distance.nunique() < MIN_DAYS or len(distance) < MIN_ROWS:
            raise NotEstimable(
                text(
                    "Each side needs {days} different days and {cases} cases; {name} "
                    "there are {has_days} and {has_cases}.",
                    days=MIN_DAYS,
                    cases=MIN_ROWS,
                    name=name,
                    has_days=distance.nunique(),
                    has_cases=len(distance),
                )
            )
