"""Randomisation inference: the same statistic under the lots that might have been drawn."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from analysis.statistics.trial.units import Trial

DRAWS = 2000
_AT_ONCE = 64
"""Draws whose statistics are computed together."""
_RIDGE = 1e-10
"""Share of its size that is added to a Gram matrix, which a draw may leave without full rank."""


@dataclass(frozen=True)
class RandomisationTest:
    """What the lot alone says of an effect.

    Attributes
    ----------
    p_value : float
        Two-sided, of "no unit's outcome depends on its arm".
    ci_low, ci_high : float
        Effects, the same for every unit, that are not rejected at 5 %; infinite where no effect
        is, because so few lots could have been drawn.
    n_draws : int
        Lots that were compared, the one drawn among them.
    is_exact : bool
        Whether these are all that could have been drawn.
    """

    p_value: float
    ci_low: float
    ci_high: float
    n_draws: int
    is_exact: bool


def randomisation_test(trial: Trial, seed: int, draws: int = DRAWS) -> RandomisationTest:
    """Compare the trial's statistic with those of lots that might have been drawn instead.

    Lots are drawn again within the blocks, of whole clusters where those were drawn, with as many
    treated as there were; for everybody who was drawn, also those whose outcome is not known. All
    of them are compared where there are no more than `draws`. The statistic is the effect of
    `effects.intention_to_treat` divided by its robust standard error (HC0, summed by cluster):
    exact for the hypothesis of no effect on anybody, and right in large samples for that of none
    on average.

    References
    ----------
    Zhao & Ding (2021). Covariate-adjusted Fisher randomization tests for the average treatment
    effect. Journal of Econometrics 225, 278-294.
    """
    lots, is_exact = _lots(trial, np.random.default_rng(seed), draws)
    rows = trial.is_observed
    columns = trial.columns.to_numpy()
    columns = columns - columns.mean(axis=0)
    columns = columns / columns.std(axis=0)
    x = np.column_stack([np.ones(len(columns)), columns])
    y = np.column_stack([trial.y[rows], trial.z[rows]])
    clusters = None if trial.clusters is None else trial.clusters[rows]
    found = [
        _statistics(lots[i : i + _AT_ONCE, rows], x, y, clusters)
        for i in range(0, len(lots), _AT_ONCE)
    ]
    statistics = _Statistics(*(np.concatenate(each) for each in zip(*found, strict=True)))
    ends = [statistics.end(sign) for sign in (-1, 1)]
    return RandomisationTest(statistics.p_value(0.0), *ends, len(lots), is_exact)


@dataclass(frozen=True)
class _Statistics:
    """Effects on outcome and arm, shape (d, 2), and their covariances (d, 2, 2); the first is ours.

    If every unit's effect is b, another lot would have given the effect on outcome less b times
    the arm that was drawn, which is linear in b, and its variance is quadratic.
    """

    effects: np.ndarray
    covariances: np.ndarray

    def p_value(self, effect: float) -> float:
        """Return the share of lots at least as far from an effect as ours."""
        away = np.array([1.0, -effect])
        variance = np.einsum("i,dij,j->d", away, self.covariances, away)
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.abs(self.effects @ away) / np.sqrt(np.maximum(variance, 0.0))
        t = np.nan_to_num(t, nan=0.0)
        return float((t >= t[0] * (1 - 1e-9)).mean())

    def end(self, sign: int) -> float:
        """Return one end of what is not rejected at 5 %, by bisection."""
        inside, step = self.effects[0, 0], np.sqrt(self.covariances[0, 0, 0])
        for _ in range(12):
            outside = inside + sign * step
            if self.p_value(outside) <= 0.05:
                break
            inside, step = outside, 2 * step
        else:
            return sign * np.inf
        for _ in range(30):
            middle = (inside + outside) / 2
            inside, outside = (
                (inside, middle) if self.p_value(middle) <= 0.05 else (middle, outside)
            )
        return float((inside + outside) / 2)


def _statistics(
    lots: np.ndarray, x: np.ndarray, y: np.ndarray, clusters: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return effects (d, m), covariances (d, m, m) of lots (d, n), by a regression in each arm."""
    (n, k), m = x.shape, y.shape[1]
    squares = (x[:, :, None] * x[:, None, :]).reshape(n, k * k)
    products = (x[:, :, None] * y[:, None, :]).reshape(n, k * m)
    effects, covariances = 0.0, 0.0
    for sign, drawn in ((1, lots.astype(float)), (-1, 1.0 - lots)):
        gram = (drawn @ squares).reshape(-1, k, k) + _RIDGE * n * np.eye(k)
        inverse = np.linalg.inv(gram)
        slopes = inverse @ (drawn @ products).reshape(-1, k, m)
        weight = drawn * (inverse[:, 0, :] @ x.T)
        parts = weight[..., None] * (y - x @ slopes)
        if clusters is not None:
            parts = _sums(parts, clusters)
        effects = effects + sign * slopes[:, 0, :]
        covariances = covariances + np.einsum("dgi,dgj->dij", parts, parts)
    return effects, covariances


def _sums(parts: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """Return sums over the rows of each cluster, shape (d, G, m)."""
    order = np.argsort(clusters, kind="stable")
    starts = np.flatnonzero(np.diff(clusters[order], prepend=-1))
    return np.add.reduceat(parts[:, order], starts, axis=1)


def _lots(trial: Trial, rng: np.random.Generator, draws: int) -> tuple[np.ndarray, bool]:
    """Return arms (d, n), that of the trial first, and whether they are all that there could be."""
    codes = np.arange(len(trial.units)) if trial.clusters is None else trial.clusters
    _, first, codes = np.unique(codes, return_index=True, return_inverse=True)
    arm, block = trial.z[first] == 1, trial.blocks[first]
    rows = [np.flatnonzero(block == each) for each in np.unique(block)]
    n_all = math.prod(math.comb(len(each), int(arm[each].sum())) for each in rows)
    if n_all <= draws:
        return np.array([arm, *_others(arm, rows)])[:, codes], True
    lots = np.tile(arm, (draws, 1))
    for each in rows:
        order = rng.random((draws - 1, len(each))).argsort(axis=1)
        lots[1:, each] = arm[each][order]
    return lots[:, codes], False


def _others(arm: np.ndarray, rows: list[np.ndarray]) -> list[np.ndarray]:
    """Return all other arms with as many treated in each block."""
    choices = [itertools.combinations(each, int(arm[each].sum())) for each in rows]
    found = []
    for chosen in itertools.product(*choices):
        other = np.zeros(len(arm), bool)
        other[np.concatenate([np.array(each, int) for each in chosen])] = True
        if (other != arm).any():
            found.append(other)
    return found
