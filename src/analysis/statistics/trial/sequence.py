"""An interval that may be looked at as often as one likes while a trial runs."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

FIRST = 50
"""Outcomes before the first interval, whose error must be roughly known."""


def confidence_sequence(
    outcome: ArrayLike,
    treated: ArrayLike,
    *,
    share: float,
    planned: int,
    predicted: ArrayLike | None = None,
    first: int = FIRST,
) -> pd.DataFrame:
    """Return the difference of means after each outcome, with intervals that hold at all times.

    In 95 % of trials every one of the intervals holds the effect, so that a trial may be stopped
    at whichever decides. They are about 1.5 times as wide as one interval at the planned end, and
    wider before. Each unit counts with its outcome, less what it was predicted to be and by how
    much earlier outcomes exceeded that, divided by the chance of its arm.

    Parameters
    ----------
    outcome, treated : array_like, shape (n,)
        In the order in which outcomes became known: numbers; 0 or 1, each drawn with the same
        chance (blocks only make the intervals wider than need be). Of clusters, their means.
    share : float
        The chance of being treated, between 0 and 1.
    planned : int
        Outcomes at which the interval is to be narrowest.
    predicted : array_like, shape (n,), optional
        What the outcome was predicted to be before.
    first : int
        Outcomes before the first interval.

    Returns
    -------
    DataFrame
        One row per number of outcomes (index n), from `first` on: estimate, ci_low, ci_high.

    Raises
    ------
    ValueError
        If lengths differ, a value is missing, or a share or size is impossible.

    References
    ----------
    Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2024). Time-uniform central limit theory and
    asymptotic confidence sequences. Annals of Statistics 52, 2613-2640.
    """
    y, z = np.asarray(outcome, float), np.asarray(treated, float)
    line = np.zeros(len(y)) if predicted is None else np.asarray(predicted, float)
    if not len(y) == len(z) == len(line):
        raise ValueError("Outcomes, arms and predictions must have the same length.")
    if not np.isfinite([y, z, line]).all() or not np.isin(z, (0, 1)).all():
        raise ValueError("Outcomes and predictions must be known, arms 0 or 1, in every row.")
    if not 0 < share < 1 or planned < 1 or first < 2:
        raise ValueError(
            f"A share of {share}, {planned} planned and {first} first outcomes are impossible."
        )
    t = np.arange(1, len(y) + 1)
    away = y - line
    earlier = np.concatenate([[0.0], np.cumsum(away)[:-1] / t[:-1]])
    each = (z - share) / (share * (1 - share)) * (away - earlier)
    mean = np.cumsum(each) / t
    variance = np.maximum(np.cumsum(each**2) / t - mean**2, 0.0)
    half = np.sqrt(variance * _boundary(t, planned))
    table = pd.DataFrame({"estimate": mean, "ci_low": mean - half, "ci_high": mean + half}, t)
    return table.loc[first:].rename_axis("n")


def _boundary(t: np.ndarray, planned: int) -> np.ndarray:
    """Return the squared half width, in standard deviations, after t outcomes."""
    alpha = 0.05
    log = -2 * np.log(alpha)
    squared = (log + np.log(log + 1)) / planned
    inside = t * squared + 1
    return 2 * inside / (t**2 * squared) * np.log(np.sqrt(inside) / alpha)
