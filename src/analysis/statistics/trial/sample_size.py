"""How many a trial needs, by planting an effect in the past and drawing lots for it again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special, stats

from analysis.language import text
from analysis.statistics.estimate import Estimate, NotEstimable
from analysis.statistics.trial._replicates import Plan as Plan
from analysis.statistics.trial._replicates import replicates

POWER, REPLICATES = 0.8, 500
FEWEST, IN_ALL = 200, 2_500_000
"""Simulated trials of a large size, and units in the trials of one size that are not too many."""
NEAR = 1.02
"""Ratio of two sizes that need not be told apart."""
_STEP = 1.3
"""Factor between sizes that are tried until one is large enough and one is not."""


@dataclass(frozen=True)
class SampleSize:
    """The smallest trial that decides often enough.

    Attributes
    ----------
    n : int or None
        Units (clusters, if those are drawn); None if all that there are do not suffice.
    power : float
        Share of simulated trials of that size (of all that there are, without one) that decide.
    available : int
        Units (clusters) that there are.
    first_guess : int
        By the normal approximation, also beyond what there is.
    simulated : DataFrame
        One row per size that was tried (index n): power, and its exact 95 % interval ci_low and
        ci_high.
    """

    n: int | None
    power: float
    available: int
    first_guess: int
    simulated: pd.DataFrame


def sample_size(
    plan: Plan,
    decides: Callable[[Estimate], bool],
    seed: int,
    *,
    power: float = POWER,
    at_most: int | None = None,
    n_replicates: int | None = None,
) -> SampleSize:
    """Return the smallest size at which a share of simulated trials decides.

    The size at which an interval is narrow enough follows from the error of trials of all that
    there is. From there sizes are bracketed and halved on the log scale until two of a ratio of
    `NEAR` are left; every size meets the same random numbers.

    Parameters
    ----------
    plan : Plan
    decides : callable
        Whether an effect with this interval is a decision, such as "inside the claim".
    seed : int
    power : float
        Share of trials that must decide.
    at_most : int, optional
        Largest size; by default all units (clusters) of the history.
    n_replicates : int, optional
        Trials of each size; by default `REPLICATES`, of more than 5,000 units fewer.

    Raises
    ------
    NotEstimable
        If an interval of no width about the effect would not be a decision: the effect lies on the
        edge of the claim, which no number of units decides; or no trial of all gave an interval.
    """
    at_most = at_most or plan.available
    guess = first_guess(plan, decides, seed, power)
    low, high = plan.least - 1, min(max(guess, plan.least), at_most)
    if n_replicates is None:
        units = high * len(plan.history) / plan.available
        n_replicates = int(np.clip(IN_ALL / units, FEWEST, REPLICATES))
    found = {}

    def rate(n: int) -> float:
        if n not in found:
            each = replicates(plan, n, n_replicates, seed)
            found[n] = sum(one is not None and bool(decides(one)) for one in each)
        return found[n] / n_replicates

    while rate(high) < power and high < at_most:
        low, high = high, min(int(np.ceil(_STEP * high)), at_most)
    while rate(high) >= power and low < plan.least and high > plan.least:
        smaller = max(int(high / _STEP), plan.least)
        low, high = (low, smaller) if rate(smaller) >= power else (smaller, high)
    while rate(high) >= power and low >= plan.least and high > max(NEAR * low, low + 1):
        middle = int(np.sqrt(low * high))
        middle = min(max(middle, low + 1), high - 1)
        low, high = (low, middle) if rate(middle) >= power else (middle, high)
    return SampleSize(
        n=high if rate(high) >= power else None,
        power=rate(high),
        available=plan.available,
        first_guess=guess,
        simulated=_table(found, n_replicates),
    )


def power_of(
    plan: Plan,
    n: int,
    decides: Callable[[Estimate], bool],
    seed: int,
    n_replicates: int = REPLICATES,
) -> pd.DataFrame:
    """Return the share of simulated trials of one size that decide, as a row of `simulated`."""
    each = replicates(plan, n, n_replicates, seed)
    hits = sum(one is not None and bool(decides(one)) for one in each)
    return _table({n: hits}, n_replicates)


def first_guess(
    plan: Plan, decides: Callable[[Estimate], bool], seed: int, power: float = POWER
) -> int:
    """Return the size at which a normal interval about the effect decides often enough.

    The widest interval about the effect that still decides must be (1.96 + z) standard errors to
    each side, z being the normal quantile of the power; the squared error falls as 1/n from that
    of a few trials of all that there is.
    """
    effect, n = plan.effect_on_average, plan.available

    def is_decided(half: float) -> bool:
        return bool(decides(Estimate(effect, effect - half, effect + half, n)))

    errors = [each.se for each in replicates(plan, n, 5, seed) if each is not None]
    errors = [each for each in errors if np.isfinite(each)]
    if not errors:
        raise NotEstimable(
            text("No simulated trial of all {n:,} that there are gave an interval.", n=n)
        )
    se = float(np.median(errors))
    if not is_decided(1e-6 * se):
        raise NotEstimable(
            text(
                "An effect of {effect:g} lies on the edge of what is claimed: no number of units "
                "decides it.",
                effect=effect,
            )
        )
    low, high = 1e-6 * se, 1e6 * se
    for _ in range(80):
        middle = np.sqrt(low * high)
        low, high = (middle, high) if is_decided(middle) else (low, middle)
    needed = low / (special.ndtri(0.975) + special.ndtri(power))
    return max(int(np.ceil(n * (se / needed) ** 2)), plan.least)


def _table(hits: dict[int, int], total: int) -> pd.DataFrame:
    """Return power and its exact interval by size."""
    rows = {}
    for n, k in sorted(hits.items()):
        interval = stats.binomtest(k, total).proportion_ci()
        rows[n] = (k / total, float(interval.low), float(interval.high))
    table = pd.DataFrame.from_dict(rows, "index", columns=["power", "ci_low", "ci_high"])
    return table.rename_axis("n")
