"""Lost outcomes: what may have become of the effect on those who would be seen in either arm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from analysis.statistics.estimate import Estimate, from_se
from analysis.statistics.trial._least_squares import coefficient
from analysis.statistics.trial.units import Trial


@dataclass(frozen=True)
class AttritionBounds:
    """Bounds of the effect on those whose outcome would be known in either arm.

    Attributes
    ----------
    low, high : float
        The bounds; equal if as many outcomes are known in both arms.
    ci_low, ci_high : float
        95 % interval for the effect itself (Imbens & Manski), wherever it lies between them.
    observed_treated, observed_control : float
        Shares whose outcome is known.
    difference : Estimate
        Of these shares: whether assignment moved who is seen.
    share_trimmed : float
        Of the known outcomes of the arm with more of them: how many may be of those whom the other
        arm would have lost.
    """

    low: float
    high: float
    ci_low: float
    ci_high: float
    observed_treated: float
    observed_control: float
    difference: Estimate
    share_trimmed: float


def attrition_bounds(trial: Trial) -> AttritionBounds:
    """Bound the effect by trimming the arm with more known outcomes, without covariates.

    It is assumed that assignment moves everybody's being seen the same way, if at all. The trimmed
    mean is that of all outcomes beyond a quantile, of which those equal to it count in part, so
    that outcomes of few values, such as 0 and 1, are trimmed exactly. Errors follow from the
    influence of each unit, summed by cluster where those were drawn.

    Raises
    ------
    NotEstimable
        If the known outcomes of an arm are too few (see `Trial`).

    References
    ----------
    Lee (2009). Training, wages, and sample selection: estimating sharp bounds on treatment
    effects. Review of Economic Studies 76, 1071-1102.
    Imbens & Manski (2004). Confidence intervals for partially identified parameters. Econometrica
    72, 1845-1857.
    """
    seen, z, n = trial.is_observed, trial.z == 1, len(trial.z)
    shares = {arm: seen[z == arm].mean() for arm in (True, False)}
    more = shares[True] >= shares[False]
    trimmed = 1 - shares[not more] / shares[more]
    y = np.where(seen, trial.y, 0.0)
    influence_of_share = {
        arm: np.where(z == arm, (seen - shares[arm]) * n / (z == arm).sum(), 0.0)
        for arm in (True, False)
    }
    of_trimmed = (
        -influence_of_share[not more] / shares[more]
        + shares[not more] / shares[more] ** 2 * influence_of_share[more]
    )
    plain = y[seen & (z != more)].mean()
    of_plain = np.where(seen & (z != more), (y - plain) * n / (seen & (z != more)).sum(), 0.0)
    ends = []
    for sign in (-1, 1):  # the smallest mean of the arm with more, then the largest
        mean, influence, slope = _beyond(sign * y, seen & (z == more), trimmed)
        influence = sign * (influence + slope * of_trimmed) - of_plain
        ends.append((sign * mean - plain, _standard_error(trial, influence)))
    if not more:
        ends = [(-value, se) for value, se in ends[::-1]]
    (low, se_low), (high, se_high) = ends
    critical = imbens_manski(high - low, max(se_low, se_high))
    return AttritionBounds(
        low=float(low),
        high=float(high),
        ci_low=float(low - critical * se_low),
        ci_high=float(high + critical * se_high),
        observed_treated=float(shares[True]),
        observed_control=float(shares[False]),
        difference=_difference_of_shares(trial),
        share_trimmed=float(trimmed),
    )


def imbens_manski(width: float, se: float) -> float:
    """Return by how many standard errors bounds are widened to hold the effect in 95 %.

    1.96 where the bounds are one point, 1.645 where they lie far apart.
    """
    if not se > 0:
        return float(special.ndtri(0.975))

    def missing(c: float) -> float:
        return special.ndtr(c + width / se) - special.ndtr(-c) - 0.95

    return float(optimize.brentq(missing, 1.0, 2.5))


def _beyond(y: np.ndarray, rows: np.ndarray, share: float) -> tuple[float, np.ndarray, float]:
    """Return the mean without the lowest share of some rows, its influence and its slope in it.

    It is the least, over q, of q plus the mean of what exceeds q divided by 1 - share; so the
    quantile's own error does not count.
    """
    own = np.sort(y[rows])
    quantile = own[min(int(np.floor(share * len(own))), len(own) - 1)]
    above = np.where(rows, np.maximum(y - quantile, 0.0), 0.0) / (1 - share)
    mean = quantile + above[rows].mean()
    influence = np.where(rows, (above + quantile - mean) * len(y) / rows.sum(), 0.0)
    return mean, influence, (mean - quantile) / (1 - share)


def _standard_error(trial: Trial, influence: np.ndarray) -> float:
    """Return the standard error of a mean of influences, by cluster where those were drawn."""
    codes = np.arange(len(influence)) if trial.clusters is None else trial.clusters
    sums = np.bincount(codes, influence)
    return float(np.sqrt(len(sums) / (len(sums) - 1) * sums @ sums) / len(influence))


def _difference_of_shares(trial: Trial) -> Estimate:
    """Return the difference of the shares whose outcome is known."""
    seen = trial.is_observed.astype(float)
    x = np.column_stack([np.ones(len(seen)), trial.z])
    arm = coefficient(x, seen[:, None], 1, trial.clusters)
    se = float(np.sqrt(arm.covariance[0, 0]))
    return from_se(float(arm.estimates[0]), se, len(seen), df=arm.df, method="difference of shares")
