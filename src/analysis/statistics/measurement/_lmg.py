"""Shares of R2, averaged over the orders in which drivers can enter (LMG)."""

from __future__ import annotations

from math import comb

import numpy as np

_PIVOT, _TINY = 1e-8, 1e-12
MAX_DRIVERS = 15
"""Every subset of the drivers is visited: 2 to the power of 15 are 32,768."""
_SWEEP_CHUNK = 200_000


def lmg(correlations: np.ndarray) -> np.ndarray:
    """Return what each driver adds to R2, averaged over all orders of entering them.

    The recursion keeps the covariances that are left of the drivers still to come and of
    the outcome, for all subsets of the earlier drivers at once. Each driver doubles the
    subsets: left out, its row is dropped; taken in, it is swept from the others. A driver
    with nothing left of its variance adds nothing, so that duplicates share.

    Parameters
    ----------
    correlations : ndarray, shape (m, p + 1, p + 1)
        The outcome is last.

    Returns
    -------
    ndarray, shape (m, p)
        The p contributions add up to R2; 0 or more.

    Raises
    ------
    ValueError
        If the shape is another, or there are more than `MAX_DRIVERS` drivers.

    References
    ----------
    Goodnight, J. H. (1979). A tutorial on the SWEEP operator. American Statistician 33,
    149-158.
    Groemping, U. (2007). Estimators of relative importance in linear regression based on
    variance decomposition. American Statistician 61, 139-147.
    Lindeman, R. H., Merenda, P. F., & Gold, R. Z. (1980). Introduction to Bivariate and
    Multivariate Analysis. Scott, Foresman.
    """
    if correlations.ndim != 3 or correlations.shape[1] != correlations.shape[2]:
        raise ValueError(f"Matrices must have shape (m, p + 1, p + 1), not {correlations.shape}.")
    p = correlations.shape[1] - 1
    if not 1 <= p <= MAX_DRIVERS:
        raise ValueError(f"LMG needs 1 to {MAX_DRIVERS} drivers, not {p}; combine some.")
    weights, step = _order_weights(p), max(1, _SWEEP_CHUNK >> p)
    contributions = np.empty((len(correlations), p))
    for start in range(0, len(correlations), step):
        explained = _r2_of_subsets(correlations[start : start + step])
        contributions[start : start + step] = (weights @ explained).T
    return contributions


def _r2_of_subsets(correlations: np.ndarray) -> np.ndarray:
    """Return R2 of each subset, shape (2 ** p, m); bit j of the row number is driver j."""
    left = np.ascontiguousarray(correlations.transpose(1, 2, 0)[:, :, None, :])
    for _ in range(len(left) - 1):
        pivot, row, rest = left[0, 0], left[0, 1:], left[1:, 1:]
        inverse = np.where(pivot > _PIVOT, 1 / np.where(pivot > _PIVOT, pivot, 1), 0)
        left = np.concatenate([rest, rest - row[:, None] * (row * inverse)], axis=2)
    return 1 - left[0, 0]


def _order_weights(p: int) -> np.ndarray:
    """Return (p, 2 ** p) weights: drivers' mean contributions over all orders, of R2s."""
    taken = (np.arange(2**p) >> np.arange(p)[:, None]) & 1 == 1
    before = taken.sum(axis=0) - taken
    weight = np.array([1 / (p * comb(p - 1, size)) for size in range(p)])
    return np.where(taken, 1, -1) * weight[before]
