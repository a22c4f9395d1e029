"""Intervals of a difference of two shares, where one that is symmetric about it is too short."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import stats

from analysis.statistics.estimate import Estimate


def with_own_interval(
    difference: Estimate, shares: Sequence[float], influence: Sequence[np.ndarray], df: float
) -> Estimate:
    """Give a difference of two shares the interval that those of the shares make.

    What each of the n customers contributes to either share is its `influence`, shape (n,): their
    variances over n are those of the shares, and tell the sizes at which Wilson's intervals are
    taken, with the t quantile of `df`.

    Newcombe (1998). Interval estimation for the difference between independent proportions:
    comparison of eleven methods. Statistics in Medicine 17, 873-890.
    Zou & Donner (2008). Construction of confidence limits about effect measures: a general
    approach. Statistics in Medicine 27, 1693-1702.
    """
    quantile = stats.t.ppf(0.975, df)
    correlation = np.corrcoef(influence)[0, 1]
    (low, high), (other_low, other_high) = (
        _wilson(share, each.var(ddof=1) / len(each), quantile)
        for share, each in zip(shares, influence, strict=True)
    )
    down, up = (
        np.sqrt(max(a**2 + b**2 - 2 * correlation * a * b, 0.0))
        for a, b in ((low, other_high), (high, other_low))
    )
    middle = difference.estimate
    return replace(
        difference, ci_low=float(middle - down), ci_high=float(middle + up), df=float(df)
    )


def _wilson(share: float, variance: float, quantile: float) -> tuple[float, float]:
    """Return how far Wilson's interval of a share with that variance reaches down and up."""
    share = np.clip(share, 0.001, 0.999)
    size = share * (1 - share) / variance
    wider = 1 + quantile**2 / size
    middle = (share + quantile**2 / (2 * size)) / wider
    half = quantile / wider * np.sqrt(share * (1 - share) / size + (quantile / (2 * size)) ** 2)
    return share - (middle - half), middle + half - share
