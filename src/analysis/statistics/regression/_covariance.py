"""Robust covariance of regression coefficients: HC3, and the jackknife over groups (CR3).

Both take the design, x, shape (n, k); the family's variance function at the fitted means and the
residuals, shape (n,); and the bread, shape (k, k): the inverse of x's weighted cross products.
"""

from __future__ import annotations

import numpy as np

from analysis.language import text
from analysis.statistics.estimate import NotEstimable


def hc3(x: np.ndarray, weight: np.ndarray, residual: np.ndarray, bread: np.ndarray) -> np.ndarray:
    """Return what each row adds to the errors of coefficients, shape (n, k): HC3 is its square."""
    one_minus_leverage = 1 - weight * np.einsum("ij,jk,ik->i", x, bread, x)
    _check_leverage(one_minus_leverage)
    return x * (residual / one_minus_leverage)[:, None] @ bread


def jackknife(
    x: np.ndarray, weight: np.ndarray, residual: np.ndarray, bread: np.ndarray, groups: np.ndarray
) -> np.ndarray:
    """Return the covariance of leaving out one of G groups at a time: CR3 times (G - 1) / G.

    Groups are numbered from 0 to G - 1. It takes k x k matrices instead of group x group ones,
    which 10,000 rows in a group would not survive.
    """
    size = groups.max() + 1
    if size < 2:
        raise NotEstimable(text("Errors by group need at least 2 groups."))
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
            text(
                "One row or group alone decides a coefficient, so that its standard error "
                "cannot be estimated; merge rare categories."
            )
        )
