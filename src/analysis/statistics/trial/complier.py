"""The effect of what was received, where not everybody took what they were assigned."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from analysis.language import text
from analysis.statistics.estimate import Estimate, NotEstimable, from_se
from analysis.statistics.trial._least_squares import Coefficient
from analysis.statistics.trial.effects import of_arm
from analysis.statistics.trial.units import Trial


@dataclass(frozen=True)
class ComplierEffect:
    """What the treatment did to those who take it when it is offered, and not otherwise.

    Attributes
    ----------
    effect : Estimate
        Two-stage least squares; its interval is wrong where hardly anybody complies.
    region : tuple of (float, float)
        All effects that the Anderson-Rubin test does not reject at 5 %: one interval, two half
        lines, or the whole line, each with its ends. Its coverage does not depend on how many
        comply.
    compliance : Estimate
        First stage: what assignment does to what is received, a difference of shares.
    first_stage_f : float
        Robust F of the first stage.
    """

    effect: Estimate
    region: tuple[tuple[float, float], ...]
    compliance: Estimate
    first_stage_f: float

    @property
    def is_bounded(self) -> bool:
        """Whether the Anderson-Rubin region is one interval with two ends."""
        return len(self.region) == 1 and bool(np.isfinite(self.region[0]).all())

    @property
    def interval(self) -> Estimate:
        """The effect with the ends of the Anderson-Rubin region, for a verdict.

        A region that is not bounded has infinite ends: it decides nothing.
        """
        low, high = self.region[0] if self.is_bounded else (-np.inf, np.inf)
        method = f"{self.effect.method}, Anderson-Rubin interval"
        return replace(self.effect, ci_low=low, ci_high=high, method=method)


def complier_effect(trial: Trial, received: str) -> ComplierEffect:
    """Estimate the effect of what was received, with the lot as its instrument.

    With one instrument two-stage least squares is the effect of assignment on the outcome divided
    by that on what was received, both of the regression of `intention_to_treat`; its error is the
    robust one of outcome less effect times received. The Anderson-Rubin test of an effect b is
    that of no effect of assignment on outcome less b times received; with one robust covariance
    for both regressions its region solves a quadratic inequality.

    Looked at: `IV2SLS` of linearmodels (no Anderson-Rubin interval, neither HC2, CR2 nor their
    degrees of freedom; three packages more) and of statsmodels' sandbox (no robust errors).

    Parameters
    ----------
    trial : Trial
    received : str
        Column of the units, 0 or 1 or a dose, known wherever the outcome is.

    Raises
    ------
    ValueError
        If what was received is missing for a unit with an outcome.
    NotEstimable
        If assignment made no difference to what was received.

    References
    ----------
    Anderson & Rubin (1949). Estimation of the parameters of a single equation in a complete
    system of stochastic equations. Annals of Mathematical Statistics 20, 46-63.
    Angrist, Imbens & Rubin (1996). Identification of causal effects using instrumental variables.
    JASA 91, 444-455.
    """
    rows = trial.is_observed
    dose = trial.numbers(received)[rows]
    if np.isnan(dose).any():
        raise ValueError(
            f'"{received}" must be known for every unit with an outcome; it is missing for '
            f"{np.isnan(dose).sum():,}."
        )
    arm = of_arm(trial, np.column_stack([trial.y[rows], dose]))
    if abs(arm.estimates[1]) < 1e-12 * max(np.abs(dose).max(), 1e-300):
        raise NotEstimable(
            text("Being assigned made no difference to what the {n:,} units received.", n=len(dose))
        )
    return two_stage(arm, len(dose), "HC2" if trial.clusters is None else f"CR2 by {trial.cluster}")


def two_stage(arm: Coefficient, n: int, errors: str) -> ComplierEffect:
    """Return the effect of what was received.

    Parameters
    ----------
    arm : Coefficient
        Of the lot, for the outcome and for what was received.
    n : int
        Units.
    errors : str
        What kind the covariance is, for the reader.
    """
    on_outcome, on_dose = arm.estimates
    effect = on_outcome / on_dose
    away = np.array([1.0, -effect])
    se = np.sqrt(away @ arm.covariance @ away) / abs(on_dose)
    se_dose = np.sqrt(arm.covariance[1, 1])
    method = f"two-stage least squares, {errors}"
    return ComplierEffect(
        effect=from_se(effect, se, n, df=arm.df, method=method),
        region=anderson_rubin(on_outcome, on_dose, arm.covariance, arm.df),
        compliance=from_se(on_dose, se_dose, n, df=arm.df, method=f"first stage, {errors}"),
        first_stage_f=float((on_dose / se_dose) ** 2) if se_dose else np.inf,
    )


def anderson_rubin(
    on_outcome: float, on_dose: float, covariance: np.ndarray, df: float = np.inf
) -> tuple[tuple[float, float], ...]:
    """Return all ratios b at which on_outcome - b on_dose is not significant at 5 %.

    `covariance`, shape (2, 2), is that of both. The region is one interval, two half lines or the
    whole line (Fieller's theorem).
    """
    critical = special.stdtrit(df, 0.975) ** 2
    square = on_dose**2 - critical * covariance[1, 1]
    linear = -2 * (on_outcome * on_dose - critical * covariance[0, 1])
    constant = on_outcome**2 - critical * covariance[0, 0]
    inside = linear**2 - 4 * square * constant
    if square > 0:  # the quadratic is below 0 at the estimate, so that it has two roots
        root = np.sqrt(max(inside, 0.0))
        return ((float((-linear - root) / (2 * square)), float((-linear + root) / (2 * square))),)
    if square == 0 or inside <= 0:
        return ((-np.inf, np.inf),)
    ends = sorted(float((-linear + sign * np.sqrt(inside)) / (2 * square)) for sign in (1, -1))
    return ((-np.inf, ends[0]), (ends[1], np.inf))
