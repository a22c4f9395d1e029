"""Relative importance of drivers (LMG), from correlation matrices instead of refits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
import pandas as pd

from analysis.language import text
from analysis.statistics import effort, weighting
from analysis.statistics.estimate import Estimate, NotEstimable
from analysis.statistics.measurement.correlations import correlations, disattenuated, slopes_of

MAX_DRIVERS = 15
"""Every subset of the drivers is visited: 2 to the power of 15 are 32,768."""
_PIVOT, _TINY = 1e-8, 1e-12
_SWEEP_CHUNK = 200_000
LOWEST, HIGHEST = 1, 10
"""Ends of the rating scale."""


@dataclass(frozen=True)
class Importance:
    """How much each driver contributes to what all of them explain.

    Attributes
    ----------
    r2 : float
        Share of the outcome's variance that all drivers explain together.
    table : DataFrame, one row per driver
        share (of R2; they add up to 1), ci_low and ci_high (95 %, percentile bootstrap),
        rank_first (share of bootstrap samples in which it is the largest, ties split),
        slope (standard deviations of the outcome per standard deviation of the driver,
        the other drivers held constant).
    draws : ndarray, shape (n_boot, p)
        Shares in the bootstrap samples.
    n_obs : int
    method : str
        For the reader.
    """

    r2: float
    table: pd.DataFrame
    draws: np.ndarray
    n_obs: int
    method: str

    def difference(self, first: Sequence[str], second: Sequence[str]) -> Estimate:
        """Estimate the shares of the `first` drivers together less those of the `second`.

        In shares of R2, with the 95 % percentile interval; not estimable if the difference is the
        same in every bootstrap sample, as of a driver with itself.
        """
        drivers = list(self.table.index)
        unknown = sorted({*first, *second} - set(drivers))
        if unknown:
            raise ValueError(f"No driver {unknown}; there are {drivers}.")
        signs = np.array([(name in first) - (name in second) for name in drivers], float)
        low, high = np.quantile(self.draws @ signs, [0.025, 0.975])
        value = float(self.table["share"].to_numpy() @ signs)
        if high - low < _TINY:
            raise NotEstimable(
                text(
                    "The difference is {difference:.3g} in every bootstrap sample.",
                    difference=value,
                )
            )
        return Estimate(value, float(low), float(high), self.n_obs, method=self.method)


def importance(
    frames: Sequence[pd.DataFrame],
    drivers: Sequence[str],
    outcome: str,
    *,
    n_boot: int = 1000,
    seed: int = 0,
    reliabilities: Mapping[str, float] | None = None,
) -> Importance:
    """Estimate the drivers' shares of R2, from one or several imputed tables.

    Estimates are means over the tables. The bootstrap samples are divided evenly among
    them and pooled, so that intervals contain both sampling and imputation. In simulated
    surveys of 600 and 1,500 rows the 95 % intervals held the true share 91 to 97 % of the
    time. A share near 0 is overestimated, since contributions are never negative: with
    200 rows the interval of a share of 0.004 held it 82 % of the time.

    Parameters
    ----------
    frames : sequence of DataFrame
        The same table, imputed again and again; no missing values. Weights of answers
        (`weighting`) are used.
    drivers, outcome : sequence of str, str
        Columns of numbers.
    n_boot, seed : int
        Bootstrap samples of all tables together, and the seed that makes them the same.
    reliabilities : mapping of str to float, optional
        By column, drivers or outcome: correct for random error as `disattenuated` does.
        They are taken as known, so that the intervals leave out their uncertainty.

    Raises
    ------
    ValueError
        If there are fewer than 2 drivers, a column is absent or named twice, a value is
        missing, tables differ in length, or there are fewer bootstrap samples than tables.
    NotEstimable
        If the drivers explain nothing, as for a constant outcome, or there are fewer than 2 rows.

    References
    ----------
    Groemping (2006), Journal of Statistical Software 17(1). Schomaker, Heumann (2018), Statistics
    in Medicine 37, 2252-2266.
    """
    columns, known, n_boot = [*drivers, outcome], dict(reliabilities or {}), effort.draws(n_boot)
    _check_request(frames, columns, n_boot, known)
    kept = np.array([known.get(name, 1.0) for name in columns])
    sizes = [len(part) for part in np.array_split(np.arange(n_boot), len(frames))]
    matrices = []
    for number, (frame, size) in enumerate(zip(frames, sizes, strict=True)):
        weight = weighting.of(frame)
        observed = correlations(frame[columns].to_numpy(float), size, (seed, number), weight)
        matrices.append(disattenuated(observed, kept) if known else observed)
    parts = [lmg(each) for each in matrices]
    found = np.array([part[0] for part in parts])
    if found.sum(axis=1).min() < _TINY:
        raise NotEstimable(
            text('The drivers explain nothing of "{outcome}"; is it constant?', outcome=outcome)
        )
    draws = _shares(np.concatenate([part[1:] for part in parts]))
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    first = draws >= draws.max(axis=1, keepdims=True) - _TINY
    table = {
        "share": _shares(found).mean(axis=0),
        "ci_low": low,
        "ci_high": high,
        "rank_first": (first / first.sum(axis=1, keepdims=True)).mean(axis=0),
        "slope": np.mean([slopes_of(each[0]) for each in matrices], axis=0),
    }
    corrected = ", corrected for reliability" if known else ""
    corrected += "" if weight is None else ", weighted"
    of = f" of {len(frames)} imputed tables" if len(frames) > 1 else ""
    return Importance(
        r2=float(found.sum(axis=1).mean()),
        table=pd.DataFrame(table, pd.Index(list(drivers), name="driver")),
        draws=draws,
        n_obs=len(frames[0]),
        method=f"LMG shares of R2{corrected}, percentile bootstrap ({n_boot}{of})",
    )


def lmg(correlations: np.ndarray) -> np.ndarray:
    """Return what each driver adds to R2, averaged over all orders of entering them.

    The recursion keeps the covariances that are left of the drivers still to come and of
    the outcome, for all subsets of the earlier drivers at once. Each driver doubles the
    subsets: left out, its row is dropped; taken in, it is swept from the others. A driver
    with nothing left of its variance adds nothing, so that duplicates share.

    Correlations have shape (m, p + 1, p + 1), the outcome last; contributions, shape (m, p), are 0
    or more and add up to R2.

    Sources: Lindeman, Merenda, Gold (1980), Introduction to Bivariate and Multivariate Analysis;
    Groemping (2007), American Statistician 61, 139-147; Goodnight (1979), the same 33, 149-158.
    """
    p = correlations.shape[1] - 1
    if not 1 <= p <= MAX_DRIVERS:
        raise ValueError(f"LMG needs 1 to {MAX_DRIVERS} drivers, not {p}; combine some.")
    taken = (np.arange(2**p) >> np.arange(p)[:, None]) & 1 == 1  # drivers in each subset
    before = taken.sum(axis=0) - taken
    weight = np.array([1 / (p * comb(p - 1, size)) for size in range(p)])
    weights, step = np.where(taken, 1, -1) * weight[before], max(1, _SWEEP_CHUNK >> p)
    parts = range(0, len(correlations), step)
    explained = [_r2_of_subsets(correlations[start : start + step]) for start in parts]
    return np.concatenate([(weights @ each).T for each in explained])


def performance_map(frame: pd.DataFrame, drivers: Sequence[str], outcome: str) -> pd.DataFrame:
    """Set what a point more of each driver would bring against how it is rated now.

    Parameters
    ----------
    frame : DataFrame
        No missing values.
    drivers, outcome : sequence of str, str
        Columns; the drivers are rated from 1 to 10.

    Returns
    -------
    DataFrame, one row per driver
        importance (change of the outcome, in its unit, per point of the driver, the
        other drivers held constant; negative for what does harm), performance (mean
        rating, from 0 at the lowest to 100 at the highest).

    Raises
    ------
    ValueError
        If a column is absent or named twice, or a value is missing or off the scale.
    NotEstimable
        If the drivers are collinear.

    References
    ----------
    Martilla, James (1977), Journal of Marketing 41, 77-79. Ringle, Sarstedt (2016), Industrial
    Management & Data Systems 116, 1865-1886.
    """
    drivers = list(drivers)
    _check_table(frame, [*drivers, outcome])
    ratings, values = frame[drivers].to_numpy(float), frame[outcome].to_numpy(float)
    if ratings.min() < LOWEST or ratings.max() > HIGHEST:
        raise ValueError(f"Drivers must be rated from {LOWEST} to {HIGHEST}.")
    weight = weighting.of(frame)
    mean, middle = (np.average(each, axis=0, weights=weight) for each in (ratings, values))
    centred, away = ratings - mean, values - middle
    if np.linalg.matrix_rank(centred) < len(drivers):
        raise NotEstimable(
            text("Drivers {drivers} are collinear or constant; leave one out.", drivers=drivers)
        )
    root = np.ones(len(frame)) if weight is None else np.sqrt(weight)
    slope = np.linalg.lstsq(centred * root[:, None], away * root)[0]
    performance = 100 * (mean - LOWEST) / (HIGHEST - LOWEST)
    index = pd.Index(drivers, name="driver")
    return pd.DataFrame({"importance": slope, "performance": performance}, index)


def _r2_of_subsets(correlations: np.ndarray) -> np.ndarray:
    """Return R2 of each subset, shape (2 ** p, m); bit j of the row number is driver j."""
    left = np.ascontiguousarray(correlations.transpose(1, 2, 0)[:, :, None, :])
    for _ in range(len(left) - 1):
        pivot, row, rest = left[0, 0], left[0, 1:], left[1:, 1:]
        inverse = np.where(pivot > _PIVOT, 1 / np.where(pivot > _PIVOT, pivot, 1), 0)
        left = np.concatenate([rest, rest - row[:, None] * (row * inverse)], axis=2)
    return 1 - left[0, 0]


def _shares(contributions: np.ndarray) -> np.ndarray:
    """Return contributions as shares of their sum, all 0 where nothing is explained."""
    contributions = contributions.clip(min=0)  # one of nothing may be less by rounding
    total = contributions.sum(axis=1, keepdims=True)
    return np.where(total > _TINY, contributions / np.where(total > _TINY, total, 1), 0)


def _check_request(
    frames: Sequence[pd.DataFrame], columns: list[str], n_boot: int, known: Mapping[str, float]
) -> None:
    """Refuse what `importance` cannot answer."""
    if len(columns) < 3:
        raise ValueError("Importance needs at least 2 drivers to compare.")
    if not len(frames) or n_boot < len(frames):
        raise ValueError("Importance needs a table, and a bootstrap sample for each.")
    for frame in frames:
        _check_table(frame, columns)
    if len({len(frame) for frame in frames}) > 1:
        raise ValueError("Imputed tables must have the same rows.")
    unknown = sorted(set(known) - set(columns))
    if unknown:
        raise ValueError(f"Reliabilities are given for {unknown}, not among {columns}.")


def _check_table(frame: pd.DataFrame, columns: list[str]) -> None:
    """Refuse columns that are absent, named twice or incomplete."""
    if len(set(columns)) < len(columns):
        raise ValueError(f"Drivers and outcome must be different columns, not {columns}.")
    absent = [name for name in columns if name not in frame]
    if absent:
        raise ValueError(f"The table has no column {absent}.")
    holes = [name for name in columns if frame[name].isna().any()]
    if holes:
        raise ValueError(f"Values are missing in {holes}; impute them or leave out the rows.")
