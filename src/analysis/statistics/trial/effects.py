"""The effect of being assigned: by regression, and by drawing the lots again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.language import text
from analysis.statistics.estimate import Estimate, NotEstimable, from_se
from analysis.statistics.trial._least_squares import Coefficient, between_arms
from analysis.statistics.trial.units import Trial


@dataclass(frozen=True)
class IntentionToTreat:
    """What being assigned did to the outcome, whether or not it was taken up.

    Attributes
    ----------
    effect : Estimate
        Of the outcome's unit; of an outcome of 0 and 1 a difference of shares (0.01 is one
        percentage point).
    unadjusted : Estimate
        The plain difference of means.
    mean_treated, mean_control : float
        Of those whose outcome is known.
    n_treated, n_control : int
        Units with an outcome.
    n_clusters : int or None
        Clusters with an outcome, if those were drawn.
    adjusted_for : tuple of str
        Columns of the regression.
    """

    effect: Estimate
    unadjusted: Estimate
    mean_treated: float
    mean_control: float
    n_treated: int
    n_control: int
    n_clusters: int | None
    adjusted_for: tuple[str, ...]


def intention_to_treat(trial: Trial) -> IntentionToTreat:
    """Estimate the effect of assignment by regression with interactions.

    The outcome is regressed on the arm, the centred covariates and blocks, and their products with
    the arm, which is never less precise in large samples than a difference of means, whatever the
    covariates do; errors are HC2, of clusters CR2, with degrees of freedom that follow from the
    design (see `_least_squares`).

    Raises
    ------
    NotEstimable
        If the outcome is the same for everybody, or leaves no error to judge by.

    References
    ----------
    Lin (2013). Agnostic notes on regression adjustments to experimental data. Annals of Applied
    Statistics 7, 295-318.
    Su & Ding (2021). Model-assisted analyses of cluster-randomized experiments. JRSS B 83,
    994-1015.
    """
    rows = trial.is_observed
    y, z = trial.y[rows], trial.z[rows]
    plain = trial.without_adjustment()
    return IntentionToTreat(
        effect=_estimate(trial, of_arm(trial, y[:, None])),
        unadjusted=_estimate(plain, of_arm(plain, y[:, None])),
        mean_treated=float(y[z == 1].mean()),
        mean_control=float(y[z == 0].mean()),
        n_treated=int(z.sum()),
        n_control=int((1 - z).sum()),
        n_clusters=None if trial.clusters is None else trial.drawn(rows),
        adjusted_for=tuple(trial.columns.columns),
    )


def of_arm(trial: Trial, y: np.ndarray) -> Coefficient:
    """Return the arm's coefficient for outcomes of shape (n, m) of the observed rows."""
    rows = trial.is_observed
    return between_arms(trial.columns.to_numpy(), y, trial.z[rows], trial.observed_clusters)


def _estimate(trial: Trial, arm: Coefficient) -> Estimate:
    """Return the estimate of the first outcome, or say that there is no error to judge it by."""
    value, se = float(arm.estimates[0]), float(np.sqrt(arm.covariance[0, 0]))
    n = int(trial.is_observed.sum())
    if not se > 1e-10 * max(np.abs(trial.y[trial.is_observed]).max(), 1e-300):
        raise NotEstimable(
            text("The outcomes of {n:,} units leave no error to judge a difference by.", n=n)
        )
    kind = "HC2" if trial.clusters is None else f"CR2 by {trial.cluster}"
    columns = len(trial.columns.columns)
    method = f"difference of means, {kind}"
    if columns:
        method = f"regression with {columns} columns and their products with the arm, {kind}"
    return from_se(value, se, n, df=arm.df, method=method)
