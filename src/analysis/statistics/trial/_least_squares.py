"""Least squares with HC2 or CR2 errors and the degrees of freedom of Bell and McCaffrey.

`regression` has HC3 and the jackknife over groups, whose t has as many degrees of freedom as there
are groups less 1: safe with many. A trial may have ten stations in an arm, and its arms may differ
in size; CR2 is unbiased there if errors are alike, and its degrees of freedom follow from the
design. statsmodels has HC2, but neither CR2 nor these degrees of freedom.

References
----------
Bell & McCaffrey (2002). Bias reduction in standard errors for linear regression with multi-stage
samples. Survey Methodology 28, 169-181.
Imbens & Kolesar (2016). Robust standard errors in small samples. Review of Economics and
Statistics 98, 701-712.
Pustejovsky & Tipton (2018). Small-sample methods for cluster-robust variance estimation. Journal
of Business & Economic Statistics 36, 672-683.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_NO_RESIDUAL = 1e-8
"""What is left of a row (1 less its leverage), below which it has no residual."""


@dataclass(frozen=True)
class Coefficient:
    """One coefficient of m outcomes that are regressed on the same columns.

    `estimates` have shape (m,), their joint robust `covariance` (m, m); `df` are the degrees of
    freedom of their t, which depend on the columns alone.
    """

    estimates: np.ndarray
    covariance: np.ndarray
    df: float


def coefficient(
    x: np.ndarray, y: np.ndarray, column: int, clusters: np.ndarray | None = None
) -> Coefficient:
    """Regress outcomes on columns and return the coefficient of one column.

    Parameters
    ----------
    x : ndarray, shape (n, k)
        Of full rank.
    y : ndarray, shape (n, m)
    column : int
        Whose coefficient is returned.
    clusters : ndarray of int, shape (n,), optional
        Codes from 0 on; every row is a cluster of its own without (CR2 is then HC2).
    """
    return _coefficient(_pieces(x, y, column, clusters))


def between_arms(
    x: np.ndarray, y: np.ndarray, treated: np.ndarray, clusters: np.ndarray | None = None
) -> Coefficient:
    """Return the arm's coefficient of outcomes on columns, the arm, and their products.

    It is the difference of the constants of a regression in each arm, on columns that are centred
    over both: no row or cluster is in two arms, so that all else adds up.
    """
    x = np.column_stack([np.ones(len(x)), x - x.mean(axis=0)])
    pieces = []
    for arm in (1, 0):
        rows = treated == arm
        own = None if clusters is None else np.unique(clusters[rows], return_inverse=True)[1]
        pieces.append(_pieces(x[rows], y[rows], 0, own))
    (one, *ours), (other, *theirs) = pieces
    return _coefficient((one - other, *(a + b for a, b in zip(ours, theirs, strict=True))))


def _coefficient(pieces: tuple[np.ndarray, np.ndarray, float, float]) -> Coefficient:
    estimates, covariance, trace, squared = pieces
    df = max(trace**2 / squared, 1.0) if squared > 0 else 1.0
    return Coefficient(estimates, covariance, float(df))


def _pieces(
    x: np.ndarray, y: np.ndarray, column: int, clusters: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Return estimates, their covariance, and the trace of G'G and of its square.

    G is Bell and McCaffrey's: its columns are what each cluster adds to the variance if errors are
    alike and independent.
    """
    q, r = np.linalg.qr(x)
    on_q = q.T @ y
    residual = y - q @ on_q
    unit = np.zeros(x.shape[1])
    unit[column] = 1
    direction = np.linalg.solve(r.T, unit)  # x's coefficient is direction @ on_q
    split = _by_row if clusters is None else _by_cluster
    parts, size, inner = split(q, direction, residual, clusters)
    trace = size.sum() - (inner**2).sum()
    squared = size @ size - 2 * size @ (inner**2).sum(axis=1) + ((inner.T @ inner) ** 2).sum()
    return direction @ on_q, parts.T @ parts, trace, squared


def _by_row(
    q: np.ndarray, direction: np.ndarray, residual: np.ndarray, _: None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what each row adds to the coefficient's error, and two parts of its variance.

    With u the weight of a row's residual: u times the residual, u'u, and q'u.
    """
    left = 1 - (q**2).sum(axis=1)
    known = left > _NO_RESIDUAL
    weight = np.where(known, q @ direction / np.sqrt(np.where(known, left, 1.0)), 0.0)
    return weight[:, None] * residual, weight**2, weight[:, None] * q


def _by_cluster(
    q: np.ndarray, direction: np.ndarray, residual: np.ndarray, clusters: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the same for clusters, from k x k instead of row x row matrices.

    (1 - q q')^(-1/2) q equals q (1 - q'q)^(-1/2). Its inverse is a generalised one, as Pustejovsky
    and Tipton have it, where a column is known from one cluster alone.
    """
    order = np.argsort(clusters, kind="stable")
    rows = np.split(order, np.cumsum(np.bincount(clusters))[:-1])
    gram = np.array([q[i].T @ q[i] for i in rows])
    values, vectors = np.linalg.eigh(np.eye(q.shape[1]) - gram)
    known = values > _NO_RESIDUAL
    root = np.where(known, 1 / np.sqrt(np.where(known, values, 1.0)), 0.0)
    weights = ((vectors * root[:, None, :]) @ vectors.transpose(0, 2, 1)) @ direction  # (G, k)
    inner = np.einsum("gij,gj->gi", gram, weights)
    scores = np.array([q[i].T @ residual[i] for i in rows])  # (G, k, m)
    return np.einsum("gk,gkm->gm", weights, scores), (weights * inner).sum(axis=1), inner
