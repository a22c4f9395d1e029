"""An estimate with its interval: what every model of the workbook returns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import special, stats

Scale = Literal["identity", "log", "logit"]

_LINKS = {
    "identity": (lambda value: value, lambda value: value),
    "log": (np.log, np.exp),
    "logit": (special.logit, special.expit),
}


@dataclass(frozen=True)
class Estimate:
    """An effect and its 95 % interval.

    Attributes
    ----------
    estimate, ci_low, ci_high : float
        In the unit of the estimand.
    n_obs : int
        Customers (or other units) that the estimate rests on.
    scale : {"identity", "log", "logit"}
        Where the interval is symmetric and effects add up over regions.
    df : float
        Degrees of freedom of the interval; infinite for a normal one.
    method : str
        Model and standard error, in a few words for the reader.
    """

    estimate: float
    ci_low: float
    ci_high: float
    n_obs: int
    scale: Scale = "identity"
    df: float = np.inf
    method: str = ""

    @property
    def se(self) -> float:
        """Standard error on the scale of the interval."""
        link, _ = _LINKS[self.scale]
        half_width = (link(self.ci_high) - link(self.ci_low)) / 2
        return float(half_width / stats.t.ppf(0.975, self.df))

    def at_level(self, level: float) -> Estimate:
        """Return the same estimate with an interval of another confidence level.

        Parameters
        ----------
        level : float
            Confidence between 0 and 1, such as 0.99.
        """
        link, inverse = _LINKS[self.scale]
        middle = (link(self.ci_low) + link(self.ci_high)) / 2
        half_width = self.se * stats.t.ppf((1 + level) / 2, self.df)
        low, high = inverse(middle - half_width), inverse(middle + half_width)
        return replace(self, ci_low=float(low), ci_high=float(high))

    def p_value(self, value: float) -> float:
        """Return the two-sided p-value of "the effect equals `value`"."""
        link, _ = _LINKS[self.scale]
        middle = (link(self.ci_low) + link(self.ci_high)) / 2
        with np.errstate(divide="ignore"):
            distance = abs(middle - link(value)) / self.se
        return float(2 * stats.t.sf(distance, self.df))


def from_se(
    estimate: float,
    se: float,
    n_obs: int,
    *,
    scale: Scale = "identity",
    df: float = np.inf,
    method: str = "",
) -> Estimate:
    """Build an estimate from a standard error on its scale.

    Parameters
    ----------
    estimate : float
        In the unit of the estimand (a ratio for "log", a share for "logit").
    se : float
        Standard error of the estimate's log, logit or of itself, by `scale`.
    n_obs : int
        Units that the estimate rests on.
    scale, df, method
        As in `Estimate`.
    """
    link, inverse = _LINKS[scale]
    half_width = se * stats.t.ppf(0.975, df)
    low, high = inverse(link(estimate) - half_width), inverse(link(estimate) + half_width)
    return Estimate(float(estimate), float(low), float(high), int(n_obs), scale, float(df), method)


def smallest(estimates: Iterable[Estimate]) -> Estimate:
    """Return the smallest of several effects, with an interval for the smallest.

    The lower bound is the lowest of the 95 % lower bounds (intersection-union);
    the upper bound is the lowest of the upper bounds at 1 - 5 %/k (Bonferroni),
    so that each side misses in at most 2.5 % of samples.

    Raises
    ------
    ValueError
        If there is nothing to compare.

    References
    ----------
    Berger, R. L. (1982). Multiparameter hypothesis testing and acceptance
    sampling. Technometrics 24, 295-300.
    """
    found = list(estimates)
    if not found:
        raise ValueError("smallest() needs at least one estimate.")
    least = min(found, key=lambda each: each.estimate)
    upper = min(each.at_level(1 - 0.05 / len(found)).ci_high for each in found)
    return replace(least, ci_low=min(each.ci_low for each in found), ci_high=upper)
