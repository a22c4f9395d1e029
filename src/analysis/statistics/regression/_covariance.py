"""Robust covariance of regression coefficients: HC3, and the jackknife over groups (CR3)."""

from __future__ import annotations

import numpy as np

from analysis.statistics.estimate import NotEstimable


def hc3(
    x: np.ndarray, weight: np.ndarray | float, residual: np.ndarray, bread: np.ndarray
) -> np.ndarray:
    """Return the HC3 covariance.

    Parameters
    ----------
    x : ndarray, shape (n, k)
    weight : ndarray, shape (n,), or 1
        Variance function of the family at the fitted means.
    residual : ndarray, shape (n,)
        Outcomes less fitted means.
    bread : ndarray, shape (k, k)
        Inverse of the weighted cross products of x.
    """
    one_minus_leverage = 1 - weight * np.einsum("ij,jk,ik->i", x, bread, x)
    _check_leverage(one_minus_leverage)
    scores = x * (residual / one_minus_leverage)[:, None]
    half = scores @ bread
    return half.T @ half


def jackknife(
    x: np.ndarray,
    weight: np.ndarray,
    residual: np.ndarray,
    bread: np.ndarray,
    groups: np.ndarray,
) -> np.ndarray:
    """Return the covariance of leaving out one group at a time: CR3 times (G - 1) / G.

    It takes k x k matrices instead of group x group ones, which 10,000 rows in a group would
    not survive.

    Parameters
    ----------
    x, weight, residual, bread
        As in `hc3`.
    groups : ndarray of int, shape (n,)
        From 0 to G - 1.
    """
    size = groups.max() + 1
    if size < 2:
        raise NotEstimable("Errors by group need at least 2 groups.")
    order = np.argsort(groups, kind="stable")
    rows = np.split(order, np.cumsum(np.bincount(groups))[:-1])
    identity = np.eye(x.shape[1])
    one_minus_leverage = np.array([identity - (x[i].T * weight[i]) @ x[i] @ bread for i in rows])
    _check_leverage(np.linalg.det(one_minus_leverage))
    scores = np.array([x[i].T @ residual[i] for i in rows])
    half = np.linalg.solve(one_minus_leverage, scores[..., None])[..., 0] @ bread
    return (size - 1) / size * half.T @ half


def _check_leverage(one_minus_leverage: np.ndarray) -> None:
    """Refuse rows or groups without which a coefficient could not be estimated."""
    if one_minus_leverage.min() < 1e-8:
        raise NotEstimable(
            "One row or group alone decides a coefficient, so that its standard error cannot be "
            "estimated; merge rare categories."
        )
