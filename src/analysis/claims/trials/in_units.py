"""The effect that a trial measures, in the unit of its claim."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from analysis.claims.trials.designs import Design
from analysis.cohorts import contacts
from analysis.data.region import Region
from analysis.statistics.estimate import Estimate
from analysis.statistics.value import campaign_costs


@dataclass(frozen=True)
class Unit:
    """How an effect that a trial measures is told in the unit of its claim.

    Attributes
    ----------
    told : callable
        From the effect per dose, with its interval, to the claim's.
    measured : callable
        From an effect in the claim's unit to that per dose.
    offer : float
        What one offer that is taken adds to the dose.
    """

    told: Callable[[Estimate], Estimate]
    measured: Callable[[float], float]
    offer: float = 1.0


AS_IT_IS = Unit(told=lambda effect: effect, measured=lambda value: value)


def unit_of(region: Region, design: Design) -> Unit:
    """Return the unit of a design's claim.

    Raises
    ------
    NotEstimable
        If what a customer costs to win can't be told.
    """
    key = f"{design.outcome} by {design.dose}"
    return UNITS[key](region) if key in UNITS else AS_IT_IS


def _cost_ratio(region: Region) -> Unit:
    """Tell retention by money spent as the cost of winning a customer over that of keeping one.

    What the lot added to spending is known, of this trial; of another it may be more or less. The
    cost of winning has the error of a sample of campaigns, as in `campaign_costs.cost_ratio`.
    """
    wins = contacts.won(region)
    winning = campaign_costs.per_head(wins["cost"], wins["won"], wins["campaign"])
    known = Estimate(1.0, np.nan, np.nan, winning.n_obs, "log")

    def told(kept: Estimate) -> Estimate:
        if np.isfinite([kept.ci_low, kept.ci_high]).all():
            return campaign_costs.cost_ratio(winning, known, kept, 0.0)
        return replace(kept.times(winning.estimate), ci_low=-np.inf, ci_high=np.inf)

    cost = contacts.spending(region, "retain")["cost"].mean()
    return Unit(told, lambda ratio: ratio / winning.estimate, float(cost))


def _ratio(region: Region) -> Unit:
    """Tell a difference, as a share of the mean of both arms, as the ratio that makes it.

    A ratio r of two means is a difference of 2 (r - 1) / (r + 1) of their mean, which is log r but
    for its cube.
    """

    def told(effect: Estimate) -> Estimate:
        middle, low, high = np.exp([effect.estimate, effect.ci_low, effect.ci_high])
        return replace(effect, estimate=middle, ci_low=low, ci_high=high, scale="log")

    return Unit(told, lambda ratio: float(np.log(ratio)))


UNITS = {"retained by spent": _cost_ratio, "worth by satisfaction": _ratio}
"""By outcome and dose; other effects are measured in the unit of their claim."""
