"""Correlations with bootstrap samples, and without random error of measurement."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.language import text
from analysis.statistics.estimate import NotEstimable

_TINY = 1e-6
"""Standard deviation, in the unit of a column, of what does not vary."""
_CHUNK = 4_000_000


def correlations(
    values: np.ndarray,
    n_boot: int = 0,
    seed: int | Sequence[int] = 0,
    weight: np.ndarray | None = None,
) -> np.ndarray:
    """Return the correlations of the data, then those of bootstrap samples.

    Values, shape (n, k), have no gaps; the result has shape (1 + n_boot, k, k). A column that is
    constant in a sample correlates 0 with the others. Rows are drawn with equal chances and bring
    their weights, shape (n,), along.
    """
    if not np.isfinite(values).all():
        raise ValueError("Correlations need a number in every row and column.")
    if len(values) < 2:
        raise NotEstimable(text("Correlations need at least 2 rows, not {n}.", n=len(values)))
    spread = values.std(axis=0)
    scaled = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1)
    return correlation_of(covariances(scaled, n_boot, seed, weight))


def covariances(
    values: np.ndarray, n_boot: int, seed: int | Sequence[int], weight: np.ndarray | None = None
) -> np.ndarray:
    """Return the covariances of centred data, shape (n, k), then those of bootstrap samples.

    The divisor is n, or the sum of the weights, shape (n,), of a sample. A sample is a count per
    row, so its cross-products are the counts times the products of each row: one matrix
    multiplication for many samples.
    """
    (n, k), rng = values.shape, np.random.default_rng(seed)
    products = np.column_stack([values, (values[:, :, None] * values[:, None, :]).reshape(n, -1)])
    own = np.ones(n) if weight is None else weight
    products *= own[:, None]
    sums, totals = [products.sum(axis=0, keepdims=True)], [own.sum(keepdims=True)]
    step = max(1, _CHUNK // n)
    for start in range(0, n_boot, step):
        size = min(step, n_boot - start)
        counts = [np.bincount(rng.integers(0, n, n), minlength=n) for _ in range(size)]
        sums.append(np.array(counts, float) @ products)
        totals.append(np.array(counts, float) @ own)
    moments = np.concatenate(sums) / np.concatenate(totals)[:, None]
    means = moments[:, :k]
    return moments[:, k:].reshape(-1, k, k) - means[:, :, None] * means[:, None, :]


def correlation_of(covariance: np.ndarray) -> np.ndarray:
    """Return the correlations of covariances, shape (..., k, k), 0 with what does not vary."""
    spread = np.sqrt(np.clip(np.diagonal(covariance, axis1=-2, axis2=-1), 0, None))
    scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > _TINY)
    found = covariance * scale[..., :, None] * scale[..., None, :]
    each = np.arange(covariance.shape[-1])
    found[..., each, each] = 1
    return found


def slopes_of(correlation: np.ndarray) -> np.ndarray:
    """Return standardised slopes of the last variable on the others; duplicates share theirs."""
    inverse = np.linalg.pinv(correlation[:-1, :-1], rcond=1e-8, hermitian=True)
    return inverse @ correlation[:-1, -1]


def disattenuated(correlations: np.ndarray, reliabilities: np.ndarray) -> np.ndarray:
    """Return the correlations, shape (..., k, k), that variables would have without random error.

    Reliabilities, shape (k,), are the shares of variance that are not error, over 0 up to 1.
    Samples can correct to what no data can have, such as a correlation of 1.1. Negative
    eigenvalues are then set to 0 and the diagonal is scaled back to 1, which gives variables that
    depend on each other exactly; all other matrices stay as they are.

    Sources: Spearman (1904), American Journal of Psychology 15, 72-101; Rebonato, Jaeckel (1999),
    Journal of Risk 2(2), 17-27.
    """
    known = np.asarray(reliabilities, float)
    if not ((known > 0) & (known <= 1)).all():
        raise ValueError(f"Reliabilities must be over 0 and at most 1, not {known.tolist()}.")
    corrected = correlations / np.sqrt(np.outer(known, known))
    each = np.arange(len(known))
    corrected[..., each, each] = 1
    values, vectors = np.linalg.eigh(corrected)
    kept = (vectors * np.maximum(values, 0)[..., None, :]) @ np.swapaxes(vectors, -1, -2)
    is_impossible = (values[..., 0] < 0)[..., None, None]
    return np.where(is_impossible, correlation_of(kept), corrected)
