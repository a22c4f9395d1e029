"""Satisfaction over performance and expectation: a quadratic surface, and two half-planes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.statistics.estimate import Estimate, pooled
from analysis.statistics.regression.models import Fit, contrast

SLOPES = ("c_performance", "c_expectation")
BENDS = ("I(c_performance ** 2)", "I(c_performance * c_expectation)", "I(c_expectation ** 2)")
"""Terms of the surface; columns are from `survey.centred`."""
KINK = {"shortfall": -1, "surplus": -1}
"""Slope below expectation less the slope above it, in "surplus + shortfall + expectation".

With the level of expectation beside both sides of the gap, whatever ratings have in common by a
straight line, such as a style of answering that is stronger in one than in another, is taken up
by slopes and leaves the kink alone.
"""


def kink_attenuation(reliability: float) -> float:
    """Return the share of a kink that is left where performance and expectation carry error.

    Error moves customers over the kink, in both directions, and so blurs it more than it flattens
    a line. In closed form for a difference of ratings and its error that are normal about the
    kink: the slope of |true| on |rated|, from the covariance of the sizes of two normal variables.

    Parameters
    ----------
    reliability : float
        Of the difference of the two ratings, between 0 and 1: 1 leaves the kink whole.

    References
    ----------
    Nabeya (1951), Annals of the Institute of Statistical Mathematics 3, 2-6.
    """
    r = np.sqrt(reliability)
    covariance = 2 / np.pi * (r * np.arcsin(r) + np.sqrt(1 - reliability) - 1)
    return float(r * covariance / (1 - 2 / np.pi))


def slopes(fits: Sequence[Fit]) -> dict[str, Estimate]:
    """Return the slopes of performance and expectation at the middle of the scale."""
    return {
        name.removeprefix("c_"): pooled([contrast(fit, name) for fit in fits]) for name in SLOPES
    }


def features(fits: Sequence[Fit], ratio: float) -> dict[str, Estimate]:
    """Return slope and bend along the line of equality, and across it.

    Parameters
    ----------
    fits : sequence of Fit
        Of a formula with `SLOPES` and `BENDS`, one per imputation.
    ratio : float
        Standard deviation of performance over that of expectation, in points: both are equal
        where they are the same number of points, not of standard deviations.

    Returns
    -------
    dict of str to Estimate
        Per standard deviation of performance. Where only the difference matters, slope and
        bend along equality are nothing.

    References
    ----------
    Edwards, Parry (1993), Academy of Management Journal 36, 1577-1613.
    """
    found = {}
    for line, step in (("along equality", ratio), ("across equality", -ratio)):
        slope = dict(zip(SLOPES, (1, step), strict=True))
        bend = dict(zip(BENDS, (1, step, step**2), strict=True))
        for feature, weights in (("slope", slope), ("bend", bend)):
            found[f"{line}, {feature}"] = pooled([contrast(fit, weights) for fit in fits])
    return found
