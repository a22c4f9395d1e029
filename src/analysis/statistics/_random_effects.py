"""Random effects: the variance between regions, by Newton steps, and intervals that need it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special, stats

from analysis.statistics.estimate import LINKS, Estimate, Scale

MAX_STEPS = 100
"""Newton steps to a variance between regions; about five are needed."""
_CLOSE = 1e-10
"""Relative length of a step that is not worth taking."""
_LEAST = 1e-9
"""Smallest Q that is looked for; to lower ones belongs a variance that is nearly infinite."""
_NODES, _WEIGHTS = special.roots_sh_legendre(40)
"""Probabilities at which quantiles are taken to average over a distribution, and weights."""


@dataclass(frozen=True)
class Fit:
    """A weighted mean for each of m variances between regions; arrays, shape (m,).

    `se` is its normal standard error, `q` the weighted sum of squared residuals, and `fall`
    how fast that falls as `tau2` rises.
    """

    tau2: np.ndarray
    value: np.ndarray
    se: np.ndarray
    q: np.ndarray
    fall: np.ndarray

    def hk_se(self, df: int) -> np.ndarray:
        """Return Hartung and Knapp's standard errors, whose scale comes from the residuals."""
        return self.se * np.sqrt(self.q / df)


def weighted_fit(
    effects: np.ndarray, variances: np.ndarray, tau2: np.ndarray, left_out: np.ndarray | None = None
) -> Fit:
    """Return the weighted mean for each tau2, without a region for each if so asked."""
    weights = 1 / (variances + tau2[:, None])
    if left_out is not None:
        weights[np.arange(len(tau2)), left_out] = 0
    total = weights.sum(axis=1)
    mean = weights @ effects / total
    residuals = effects - mean[:, None]
    weighted = weights * residuals
    q, fall = np.vecdot(weighted, residuals), np.vecdot(weighted, weighted)
    return Fit(tau2, mean, total**-0.5, q, fall)


def between(fit: Callable[[np.ndarray], Fit], targets: ArrayLike, start: float = 0) -> Fit:
    """Return the fit with the variances at which Q equals the targets, 0 where it is below.

    By Newton steps on 1/Q. Q is a sum of terms b / (a + tau2), hence 1/Q concave: after the
    first step the solution is approached from below, and with equal variances it is there.
    """
    tau2 = np.full(len(targets), float(start))
    for _ in range(MAX_STEPS):
        found = fit(tau2)
        size = found.q / np.maximum(found.fall, np.finfo(float).tiny)
        step = np.where(found.q > 0, (found.q / targets - 1) * size, -tau2)
        step = np.maximum(step, -tau2)
        if (np.abs(step) <= _CLOSE * (tau2 + size)).all():
            break
        tau2 = tau2 + step
    return found


def half_widths(
    normal_se: ArrayLike, hk_se: ArrayLike, df: int, level: float = 0.95
) -> tuple[ArrayLike, ArrayLike]:
    """Return half the width of the normal interval and of that by Hartung and Knapp."""
    normal, t = stats.t.ppf((1 + level) / 2, [np.inf, df])
    return normal * normal_se, t * hk_se


def typical_variance(variances: np.ndarray) -> float:
    """Return the sampling variance that I2 compares with (Higgins and Thompson)."""
    weights = 1 / variances
    total = weights.sum()
    return (len(weights) - 1) * total / (total**2 - weights @ weights)


def prediction_interval(fit: Callable[[np.ndarray], Fit], q: float, df: int) -> tuple[float, float]:
    """Return the 95 % interval for another region, by confidence distributions.

    Its effect is the mean plus tau times a normal variate plus the error of the mean times a
    t variate with k - 1 degrees of freedom. tau2 is where Q equals a chi2 variate, mean and
    error are those at that tau2, and the error is at least the normal one. The distribution
    of all this is averaged over quantiles of the two chi2 variates, not over random numbers:
    that of Q, and that in the denominator of t. Of the first, those above `q`, which is Q at
    0, all belong to a tau2 of 0.

    Nagashima, Noma & Furukawa (2019). Prediction intervals for random-effects meta-analysis: a
    confidence distribution approach. Statistical Methods in Medical Research 28, 1689-1702.
    """
    below = stats.chi2.cdf(q, df)
    drawn = stats.chi2.ppf(below * _NODES, df)
    tau2 = np.append(between(fit, np.maximum(drawn, _LEAST)).tau2, 0)
    weights = np.outer(np.append(below * _WEIGHTS, 1 - below), _WEIGHTS)
    found = fit(tau2)
    error = np.maximum(found.se, found.hk_se(df)) ** 2
    variances = tau2[:, None] + error[:, None] * df / stats.chi2.ppf(_NODES, df)
    centre, spread = found.value[:, None], np.sqrt(variances)
    return tuple(_mixed_quantile(each, weights, centre, spread) for each in (0.025, 0.975))


def _mixed_quantile(
    probability: float, weights: np.ndarray, centre: np.ndarray, spread: np.ndarray
) -> float:
    """Return a quantile of a mixture of normal distributions; it lies among theirs."""
    quantiles = centre + special.ndtri(probability) * spread

    def miss(value: float) -> float:
        return np.vdot(weights, special.ndtr((value - centre) / spread)) - probability

    close = 1e-9 * spread.min()
    return optimize.brentq(miss, quantiles.min() - close, quantiles.max() + close, xtol=close)


def on_link_scale(
    estimates: Sequence[Estimate], least: int
) -> tuple[np.ndarray, np.ndarray, Scale]:
    """Return effects, their squared standard errors, and their scale."""
    if len(estimates) < least:
        raise ValueError(f"At least {least} regions are needed, not {len(estimates)}.")
    scales = sorted({each.scale for each in estimates})
    if len(scales) > 1:
        raise ValueError(f"Effects must be on one scale to be pooled, not on {scales}.")
    link, _ = LINKS[scales[0]]
    limits = np.array([[each.ci_low, each.ci_high, each.df] for each in estimates]).T
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = link(limits[:2])
        effects, half = (low + high) / 2, (high - low) / 2
        variances = (half / stats.t.ppf(0.975, limits[2])) ** 2
    bad = np.flatnonzero(~(np.isfinite(variances) & (variances > 0)))
    if len(bad):
        raise ValueError(f"Region {bad[0] + 1} has a standard error of zero, or no finite one.")
    return effects, variances, scales[0]
