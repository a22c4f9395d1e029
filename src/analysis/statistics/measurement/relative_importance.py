"""Relative importance of drivers (LMG), from correlation matrices instead of refits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.statistics import effort
from analysis.statistics.estimate import Estimate, NotEstimable
from analysis.statistics.measurement._lmg import lmg
from analysis.statistics.measurement.correlations import check_table, samples

_PIVOT = 1e-8
_TINY = 1e-12


@dataclass(frozen=True)
class Importance:
    """How much each driver contributes to what all of them explain.

    Attributes
    ----------
    drivers : tuple of str
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
        Rows.
    method : str
        For the reader.
    """

    drivers: tuple[str, ...]
    r2: float
    table: pd.DataFrame
    draws: np.ndarray
    n_obs: int
    method: str

    def difference(self, first: Sequence[str], second: Sequence[str]) -> Estimate:
        """Estimate the shares of the `first` drivers together less those of the `second`.

        Parameters
        ----------
        first, second : sequence of str
            Drivers; either may be empty.

        Returns
        -------
        Estimate
            In shares of R2, with the 95 % percentile interval.

        Raises
        ------
        ValueError
            If a name is not a driver.
        NotEstimable
            If the difference is the same in every bootstrap sample, as of a driver with itself.
        """
        unknown = sorted({*first, *second} - set(self.drivers))
        if unknown:
            raise ValueError(f"No driver {unknown}; there are {list(self.drivers)}.")
        signs = np.array([(name in first) - (name in second) for name in self.drivers], float)
        low, high = np.quantile(self.draws @ signs, [0.025, 0.975])
        value = float(self.table["share"].to_numpy() @ signs)
        if high - low < _TINY:
            raise NotEstimable(f"The difference is {value:.3g} in every bootstrap sample.")
        return Estimate(value, float(low), float(high), self.n_obs, method=self.method)


def importance(
    frames: Sequence[pd.DataFrame],
    drivers: Sequence[str],
    outcome: str,
    *,
    n_boot: int = 1000,
    seed: int = 0,
    groups: str | None = None,
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
        The same table, imputed again and again; no missing values.
    drivers, outcome : sequence of str, str
        Columns of numbers.
    n_boot, seed : int
        Bootstrap samples of all tables together, and the seed that makes them the same.
    groups : str, optional
        Column: draw whole groups, such as stations. The intervals held the true share
        90 % of the time with 8 groups, 92 with 16, 93 with 24, 94 with 48.
    reliabilities : mapping of str to float, optional
        By column, drivers or outcome: correct for random error as `disattenuated` does.
        They are taken as known, so that the intervals leave out their uncertainty.

    Raises
    ------
    ValueError
        If there are fewer than 2 drivers, a column is absent or named twice, a value is
        missing, tables differ in length, or there are fewer bootstrap samples than tables.
    NotEstimable
        If the drivers explain nothing, as for a constant outcome, or fewer than 2 rows or
        groups are left.

    References
    ----------
    Groemping, U. (2006). Relative importance for linear regression in R: the package
    relaimpo. Journal of Statistical Software 17(1).
    Schomaker, M., & Heumann, C. (2018). Bootstrap inference when using multiple
    imputation. Statistics in Medicine 37, 2252-2266.
    """
    columns, known, n_boot = [*drivers, outcome], dict(reliabilities or {}), effort.draws(n_boot)
    _check_request(frames, columns, n_boot, groups, known)
    matrices = samples(frames, columns, n_boot, seed, groups, known)
    parts = [lmg(each) for each in matrices]
    found = np.array([part[0] for part in parts])
    if found.sum(axis=1).min() < _TINY:
        raise NotEstimable(f'The drivers explain nothing of "{outcome}"; is it constant?')
    draws = _shares(np.concatenate([part[1:] for part in parts]))
    slope = np.mean([_slopes(each[0]) for each in matrices], axis=0)
    return Importance(
        drivers=tuple(drivers),
        r2=float(found.sum(axis=1).mean()),
        table=_table(drivers, _shares(found).mean(axis=0), draws, slope),
        draws=draws,
        n_obs=len(frames[0]),
        method=_method(n_boot, len(frames), groups, known),
    )


def performance_map(
    frame: pd.DataFrame,
    drivers: Sequence[str],
    outcome: str,
    lowest: float = 1,
    highest: float = 10,
) -> pd.DataFrame:
    """Set what a point more of each driver would bring against how it is rated now.

    Parameters
    ----------
    frame : DataFrame
        No missing values.
    drivers, outcome : sequence of str, str
        Columns; the drivers are rated from `lowest` to `highest`.
    lowest, highest : float
        Ends of the rating scale.

    Returns
    -------
    DataFrame, one row per driver
        importance (change of the outcome, in its unit, per point of the driver, the
        other drivers held constant; negative for what does harm), performance (mean
        rating, from 0 at `lowest` to 100 at `highest`).

    Raises
    ------
    ValueError
        If a column is absent or named twice, or a value is missing or off the scale.
    NotEstimable
        If the drivers are collinear.

    References
    ----------
    Martilla, J. A., & James, J. C. (1977). Importance-performance analysis. Journal of
    Marketing 41, 77-79.
    Ringle, C. M., & Sarstedt, M. (2016). Gain more insight from your PLS-SEM results: the
    importance-performance map analysis. Industrial Management & Data Systems 116,
    1865-1886.
    """
    drivers = list(drivers)
    check_table(frame, [*drivers, outcome])
    ratings, values = frame[drivers].to_numpy(float), frame[outcome].to_numpy(float)
    if not lowest < highest or ratings.min() < lowest or ratings.max() > highest:
        raise ValueError(f"Drivers must be rated from {lowest} to {highest}.")
    centred = ratings - ratings.mean(axis=0)
    if np.linalg.matrix_rank(centred) < len(drivers):
        raise NotEstimable(f"Drivers {drivers} are collinear or constant; leave one out.")
    slope = np.linalg.lstsq(centred, values - values.mean())[0]
    performance = 100 * (ratings.mean(axis=0) - lowest) / (highest - lowest)
    index = pd.Index(drivers, name="driver")
    return pd.DataFrame({"importance": slope, "performance": performance}, index)


def _shares(contributions: np.ndarray) -> np.ndarray:
    """Return contributions as shares of their sum, all 0 where nothing is explained."""
    total = contributions.sum(axis=1, keepdims=True)
    return np.where(total > _TINY, contributions / np.where(total > _TINY, total, 1), 0)


def _slopes(correlation: np.ndarray) -> np.ndarray:
    """Return standardised slopes; duplicates share theirs."""
    inverse = np.linalg.pinv(correlation[:-1, :-1], rcond=_PIVOT, hermitian=True)
    return inverse @ correlation[:-1, -1]


def _table(
    drivers: Sequence[str], share: np.ndarray, draws: np.ndarray, slope: np.ndarray
) -> pd.DataFrame:
    """Return the table of `Importance`."""
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    first = draws >= draws.max(axis=1, keepdims=True) - _TINY
    columns = {
        "share": share,
        "ci_low": low,
        "ci_high": high,
        "rank_first": (first / first.sum(axis=1, keepdims=True)).mean(axis=0),
        "slope": slope,
    }
    return pd.DataFrame(columns, pd.Index(list(drivers), name="driver"))


def _method(n_boot: int, versions: int, groups: str | None, known: Mapping[str, float]) -> str:
    """Return how the shares were found, in a few words for the reader."""
    by = f" by {groups}" if groups else ""
    of = f" of {versions} imputed tables" if versions > 1 else ""
    corrected = ", corrected for reliability" if known else ""
    return f"LMG shares of R2{corrected}, percentile bootstrap{by} ({n_boot}{of})"


def _check_request(
    frames: Sequence[pd.DataFrame],
    columns: list[str],
    n_boot: int,
    groups: str | None,
    known: Mapping[str, float],
) -> None:
    """Refuse what `importance` cannot answer."""
    if len(columns) < 3:
        raise ValueError("Importance needs at least 2 drivers to compare.")
    if not len(frames) or n_boot < len(frames):
        raise ValueError("Importance needs a table, and a bootstrap sample for each.")
    for frame in frames:
        check_table(frame, columns, [groups] if groups else [])
    if len({len(frame) for frame in frames}) > 1:
        raise ValueError("Imputed tables must have the same rows.")
    unknown = sorted(set(known) - set(columns))
    if unknown:
        raise ValueError(f"Reliabilities are given for {unknown}, not among {columns}.")
