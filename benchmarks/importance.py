"""Time importance and errors by group from cross-products against refits, in one run."""

from __future__ import annotations

import platform
from collections.abc import Callable
from itertools import combinations
from math import comb
from statistics import median
from time import process_time

import numpy as np
import pandas as pd
import statsmodels
import statsmodels.api as sm
import statsmodels.formula.api as smf

from analysis.statistics.measurement import correlations, relative_importance
from analysis.statistics.regression import models

N_ROWS, N_DRIVERS, N_BOOT, N_REFITTED, RUNS = 1_500, 9, 2_000, 3, 5


def main() -> None:
    """Print both comparisons."""
    print(
        f"Python {platform.python_version()}, numpy {np.__version__}, "
        f"statsmodels {statsmodels.__version__}; CPU time, medians of {RUNS} runs"
    )
    values = survey()
    compare_importance(values)
    for groups in (24, 240):
        compare_errors(values, groups)


def survey(seed: int = 0) -> np.ndarray:
    """Return correlated drivers and, last, an outcome."""
    rng = np.random.default_rng(seed)
    drivers = rng.normal(size=(N_ROWS, N_DRIVERS)) + rng.normal(size=(N_ROWS, 1))
    outcome = drivers @ np.linspace(0, 0.4, N_DRIVERS) + rng.normal(size=N_ROWS)
    return np.column_stack([drivers, outcome])


def compare_importance(values: np.ndarray) -> None:
    """Compare LMG of bootstrap samples with refits of every subset of the drivers."""
    ours, found = timed(lambda: relative_importance.lmg(correlations.correlations(values, N_BOOT)))
    samples = resampled(values, N_REFITTED)
    print(f"\nLMG, {N_DRIVERS} drivers, {N_ROWS:,} rows, {N_BOOT:,} bootstrap samples")
    print(f"  cross-products and sweeps      {ours:10.3f} s")
    for name, r2 in (("statsmodels OLS", statsmodels_r2), ("numpy lstsq", numpy_r2)):
        times, refitted = [], []
        for sample in samples:
            start = process_time()
            refitted.append(lmg_by_refits(sample, r2))
            times.append(process_time() - start)
        theirs = median(times) * N_BOOT
        away = np.abs(np.array(refitted) - found[1 : N_REFITTED + 1]).max()
        print(f"  {name + ' refits':30} {theirs:10.1f} s, ratio {theirs / ours:,.0f}")
        print(f"    extrapolated from {N_REFITTED} samples of {2**N_DRIVERS - 1} fits each")
        print(f"    largest difference between the contributions {away:.1e}")


def compare_errors(values: np.ndarray, groups: int) -> None:
    """Compare CR3 from the groups' cross-products with leaving each group out."""
    names = [f"x{number}" for number in range(N_DRIVERS)]
    station = np.random.default_rng(1).permutation(np.arange(N_ROWS) % groups)
    data = pd.DataFrame(values, columns=[*names, "y"]).assign(station=station)
    formula = "y ~ " + " + ".join(names)
    ours, fit = timed(lambda: models.ols(formula, data, groups="station"))
    print(f"\nCR3, {N_DRIVERS} drivers, {N_ROWS:,} rows, {groups} groups")
    print(f"  models.ols(..., groups=)       {1000 * ours:10.1f} ms")
    refits = {
        "smf.ols refits": lambda kept: smf.ols(formula, data[kept]).fit(),
        "bare sm.OLS refits": lambda kept: sm.OLS(values[kept, -1], design[kept]).fit(),
    }
    design = sm.add_constant(values[:, :-1])
    for name, refit in refits.items():
        theirs, covariance = timed(lambda refit=refit: jackknife(refit, station, groups))
        away = np.abs(fit.cov_params().to_numpy() / covariance - 1).max()
        print(f"  {name:30} {1000 * theirs:10.1f} ms, ratio {theirs / ours:.1f}")
        print(f"    largest relative difference between the covariances {away:.1e}")


def resampled(values: np.ndarray, size: int, seed: int = 0) -> list[np.ndarray]:
    """Return the first samples of rows that `correlations.correlations` draws."""
    rng = np.random.default_rng(seed)
    return [values[rng.integers(0, len(values), len(values))] for _ in range(size)]


def lmg_by_refits(values: np.ndarray, r2: Callable) -> np.ndarray:
    """Return contributions to R2 from a fit of every subset of the drivers."""
    p, y = values.shape[1] - 1, values[:, -1]
    x, ones = values[:, :-1], np.ones((len(values), 1))
    explained = {(): 0.0}
    for size in range(1, p + 1):
        for chosen in combinations(range(p), size):
            explained[chosen] = r2(y, np.hstack([ones, x[:, chosen]]))
    contributions = np.zeros(p)
    for chosen, value in explained.items():
        for driver in chosen:
            before = explained[tuple(each for each in chosen if each != driver)]
            contributions[driver] += (value - before) / (p * comb(p - 1, len(chosen) - 1))
    return contributions


def statsmodels_r2(y: np.ndarray, design: np.ndarray) -> float:
    """Return R2 of a statsmodels fit."""
    return sm.OLS(y, design).fit().rsquared


def numpy_r2(y: np.ndarray, design: np.ndarray) -> float:
    """Return R2 of a bare least-squares fit."""
    residual = y - design @ np.linalg.lstsq(design, y)[0]
    return 1 - residual @ residual / ((y - y.mean()) ** 2).sum()


def jackknife(refit: Callable, station: np.ndarray, groups: int) -> np.ndarray:
    """Return the covariance of coefficients from refits without each group."""
    everyone = np.full(len(station), True)
    left = np.array([refit(station != each).params for each in range(groups)])
    away = left - np.asarray(refit(everyone).params)
    return (groups - 1) / groups * away.T @ away


def timed(function: Callable) -> tuple[float, object]:
    """Return the median time of several runs, in seconds, and the result."""
    times = []
    for _ in range(RUNS):
        start = process_time()
        result = function()
        times.append(process_time() - start)
    return median(times), result


if __name__ == "__main__":
    main()
