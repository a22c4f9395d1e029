"""What a bounded curvature does to a weighted sum of outcomes, and intervals that allow for it."""

from __future__ import annotations

import numpy as np
from scipy import optimize, stats


def worst_bias(weights: np.ndarray, distance: np.ndarray) -> float:
    """Return the largest error of a weighted sum under a second derivative of at most 1.

    A side's deviation from its tangent at the cutoff is the integral, over s, of the
    second derivative at s times (|distance| - s) where that is positive. The weighted sum
    is then the integral of the second derivative times a function that is linear between
    days, and largest when the derivative is 1 with that function's sign.
    """
    return sum(
        _absolute_area(weights[side], np.abs(distance[side]))
        for side in (distance < 0, distance > 0)
    )


def _absolute_area(weights: np.ndarray, reach: np.ndarray) -> float:
    """Return the integral over s >= 0 of |sum of weights * max(reach - s, 0)|."""
    knots = np.unique(np.append(reach, 0.0))
    value = np.maximum(reach - knots[:, None], 0) @ weights
    left, right = np.abs(value[:-1]), np.abs(value[1:])
    total = np.maximum(left + right, np.finfo(float).tiny)
    crosses = value[:-1] * value[1:] < 0
    mean = np.where(crosses, (left**2 + right**2) / total, left + right) / 2
    return float(np.diff(knots) @ mean)


def half_width(bias: float, se: float, df: float) -> float:
    """Return the 95 % quantile of |bias + se * T|, T with a t distribution."""
    ratio = bias / se if se > 0 else np.inf

    def excess(value: float) -> float:
        return stats.t.cdf(value, df) - stats.t.cdf(-value - 2 * ratio, df) - 0.95

    return float(bias + se * optimize.brentq(excess, 0, 2 * stats.t.ppf(0.975, df)))
