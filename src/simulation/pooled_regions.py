"""Sets of regions whose true effects are known: how often what is pooled over them is right."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd

from analysis.statistics import meta_analysis
from analysis.statistics.estimate import from_se

MEAN = 0.2
NUMBERS, SPREADS = (3, 6, 12), (0.0, 0.05, 0.1, 0.2)
SMALLEST, LARGEST = 100, 1_500
"""Customers of the smallest and of the largest region of a set; the others lie between."""


def errors(k: int) -> np.ndarray:
    """Return the standard errors of k regions of unequal size, about 0.2 to 0.05."""
    return 2 / np.sqrt(np.geomspace(SMALLEST, LARGEST, k))


def coverage(k: int, tau: float, replicates: int) -> dict[str, float]:
    """Return how often 95 % intervals hold the truth, over simulated sets of `k` regions.

    `tau` is the standard deviation of their true effects. The shares are those of the intervals of
    the mean, of tau, and of another (the true effect of a further region).
    """
    rng, ses, hits = np.random.default_rng([k, int(100 * tau)]), errors(k), np.zeros(3)
    for _ in range(replicates):
        effects = MEAN + tau * rng.normal(size=k) + ses * rng.normal(size=k)
        found = meta_analysis.pool([from_se(*each, 400) for each in zip(effects, ses, strict=True)])
        another = MEAN + tau * rng.normal()
        hits += [
            found.ci_low <= MEAN <= found.ci_high,
            found.tau_low <= tau <= found.tau_high,
            found.prediction_low <= another <= found.prediction_high,
        ]
    return dict(zip(("mean", "tau_interval", "another"), hits / replicates, strict=True))


def rates(replicates: int) -> pd.DataFrame:
    """Return the coverage for several numbers of regions and spreads between them.

    Returns
    -------
    DataFrame
        regions, tau, sets (number simulated), mean, tau_interval, another (shares).
    """
    rows = [
        {"regions": k, "tau": tau, "sets": replicates, **coverage(k, tau, replicates)}
        for k, tau in product(NUMBERS, SPREADS)
    ]
    return pd.DataFrame(rows)
