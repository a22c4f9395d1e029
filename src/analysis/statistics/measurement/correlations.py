"""Correlations of drivers and outcome, with bootstrap samples, and without error of measurement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from analysis.statistics.estimate import NotEstimable

_TINY = 1e-12
_CHUNK = 4_000_000


def correlations(
    values: np.ndarray,
    n_boot: int = 0,
    seed: int | Sequence[int] = 0,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """Return the correlation matrix of the data, then those of bootstrap samples.

    A sample is a count per row, so its cross-products are the counts times the products
    of each row: one matrix multiplication for many samples.

    Parameters
    ----------
    values : ndarray, shape (n, k)
        No missing values.
    n_boot : int
        Samples with replacement.
    seed : int or sequence of int
        Makes the samples the same again.
    groups : ndarray, shape (n,), optional
        Draw whole groups, such as stations, instead of rows.

    Returns
    -------
    ndarray, shape (1 + n_boot, k, k)
        A column that is constant in a sample correlates 0 with the others.

    Raises
    ------
    ValueError
        If a value or group is missing.
    NotEstimable
        If there are fewer than 2 rows or groups to draw.

    References
    ----------
    Field, C. A., & Welsh, A. H. (2007). Bootstrapping clustered data. Journal of the
    Royal Statistical Society B 69, 369-390.
    """
    values = np.asarray(values, float)
    if not np.isfinite(values).all():
        raise ValueError("Correlations need a number in every row and column.")
    spread = values.std(axis=0)
    scaled = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1)
    design = np.column_stack([np.ones(len(scaled)), scaled])
    rows, columns = np.triu_indices(design.shape[1])
    products = design[:, rows] * design[:, columns]
    units = products if groups is None else _sums_by_group(products, groups)
    if len(units) < 2:
        raise NotEstimable(f"Correlations need at least 2 rows or groups, not {len(units)}.")
    sums = [units.sum(axis=0, keepdims=True), *_bootstrap_sums(units, n_boot, seed)]
    return _from_sums(np.concatenate(sums), rows, columns)


def disattenuated(correlations: np.ndarray, reliabilities: np.ndarray) -> np.ndarray:
    """Return the correlations that the variables would have without random error.

    Samples can correct to what no data can have, such as a correlation of 1.1. Negative
    eigenvalues are then set to 0 and the diagonal is scaled back to 1, which gives
    variables that depend on each other exactly; all other matrices stay as they are.

    Parameters
    ----------
    correlations : ndarray, shape (m, k, k) or (k, k)
    reliabilities : ndarray, shape (k,)
        Shares of variance that are not error, over 0 up to 1; 1 leaves a variable as it is.

    Raises
    ------
    ValueError
        If there is not one reliability per variable, or one is out of range.

    References
    ----------
    Spearman, C. (1904). The proof and measurement of association between two things.
    American Journal of Psychology 15, 72-101.
    Rebonato, R., & Jaeckel, P. (1999). The most general methodology to create a valid
    correlation matrix for risk management and option pricing purposes. Journal of Risk
    2(2), 17-27.
    """
    known = np.asarray(reliabilities, float)
    if known.shape != correlations.shape[-1:]:
        raise ValueError(f"{correlations.shape[-1]} variables need as many reliabilities.")
    if not ((known > 0) & (known <= 1)).all():
        raise ValueError(f"Reliabilities must be over 0 and at most 1, not {known.tolist()}.")
    corrected = correlations / np.sqrt(np.outer(known, known))
    corrected[..., np.arange(len(known)), np.arange(len(known))] = 1
    return _possible(corrected)


def _sums_by_group(products: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return the sums of each group's rows, shape (groups, columns)."""
    codes = pd.factorize(np.asarray(groups))[0]
    if len(codes) != len(products) or codes.min() < 0:
        raise ValueError("Every row needs a group.")
    sums = np.zeros((codes.max() + 1, products.shape[1]))
    np.add.at(sums, codes, products)
    return sums


def _bootstrap_sums(
    units: np.ndarray, n_boot: int, seed: int | Sequence[int]
) -> Iterator[np.ndarray]:
    """Yield column sums of samples of the units with replacement, (some, columns) at a time."""
    n, rng = len(units), np.random.default_rng(seed)
    step = max(1, _CHUNK // n)
    for start in range(0, n_boot, step):
        size = min(step, n_boot - start)
        counts = [np.bincount(rng.integers(0, n, n), minlength=n) for _ in range(size)]
        yield np.array(counts, float) @ units


def _from_sums(sums: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return correlations from sums of products, those with a column of ones first."""
    k = columns.max()
    moments = np.empty((len(sums), k + 1, k + 1))
    moments[:, rows, columns] = moments[:, columns, rows] = sums / sums[:, :1]
    means = moments[:, 0, 1:]
    covariances = moments[:, 1:, 1:] - means[:, :, None] * means[:, None, :]
    variances = np.diagonal(covariances, axis1=1, axis2=2)
    varies = variances > _TINY
    scale = np.where(varies, 1 / np.sqrt(np.where(varies, variances, 1)), 0)
    found = covariances * scale[:, :, None] * scale[:, None, :]
    found[:, np.arange(k), np.arange(k)] = 1
    return found


def samples(
    frames: Sequence[pd.DataFrame],
    columns: list[str],
    n_boot: int,
    seed: int,
    groups: str | None,
    known: Mapping[str, float],
) -> list[np.ndarray]:
    """Return each table's correlations and its part of the bootstrap samples."""
    reliabilities = np.array([known.get(name, 1.0) for name in columns])
    sizes = [len(part) for part in np.array_split(np.arange(n_boot), len(frames))]
    matrices = []
    for number, (frame, size) in enumerate(zip(frames, sizes, strict=True)):
        labels = None if groups is None else frame[groups].to_numpy()
        found = correlations(frame[columns].to_numpy(float), size, (seed, number), labels)
        matrices.append(disattenuated(found, reliabilities) if known else found)
    return matrices


def _possible(matrices: np.ndarray) -> np.ndarray:
    """Replace matrices with negative eigenvalues by near ones that are correlations."""
    values, vectors = np.linalg.eigh(matrices)
    kept = (vectors * np.maximum(values, 0)[..., None, :]) @ np.swapaxes(vectors, -1, -2)
    spread = np.sqrt(np.diagonal(kept, axis1=-2, axis2=-1))
    scaled = kept / (spread[..., :, None] * spread[..., None, :])
    return np.where((values[..., 0] < 0)[..., None, None], scaled, matrices)


def check_table(frame: pd.DataFrame, columns: list[str], others: Sequence[str] = ()) -> None:
    """Refuse columns that are absent, named twice or incomplete."""
    if len(set(columns)) < len(columns):
        raise ValueError(f"Drivers and outcome must be different columns, not {columns}.")
    absent = [name for name in [*columns, *others] if name not in frame]
    if absent:
        raise ValueError(f"The table has no column {absent}.")
    holes = [name for name in [*columns, *others] if frame[name].isna().any()]
    if holes:
        raise ValueError(f"Values are missing in {holes}; impute them or leave out the rows.")
