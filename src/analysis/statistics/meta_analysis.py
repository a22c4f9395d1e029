"""One effect over regions: its mean, how far regions differ, and what to expect in another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from analysis.statistics._random_effects import (
    between,
    half_widths,
    on_link_scale,
    prediction_interval,
    typical_variance,
    weighted_fit,
)
from analysis.statistics.estimate import LINKS, Estimate, on_scale

_BLOCK = 64
"""Regions that are left out at a time: memory grows with their number, not its square."""


@dataclass(frozen=True, kw_only=True)
class Pooled(Estimate):
    """The mean of an effect over regions, and how far they differ.

    The interval is at every level the wider of the normal one and that of Hartung and Knapp
    with t(k - 1), and a p-value the larger of the two. Where estimates differ more than by
    chance, both have the same standard error and t is the wider; where they happen to agree,
    Hartung and Knapp's alone can be far too narrow. `df` and `se` are those of the wider one
    at 95 %.

    Of k = `n_regions` regions (`n_obs` is the sum over them): the 95 % interval for the true effect
    in another region, `prediction_low` to `prediction_high`, in the unit of the estimand and from
    3 or 4 regions so wide that it says little; `tau`, the standard deviation of true effects
    between regions on `scale`, 0 where regions agree better than they would by chance; `i2`, the
    share of the variance of estimates that is between regions, 0 to 1, for a region with a typical
    standard error; Cochran's `q` and the p-value of "the effect is the same in all regions"; and
    the standard errors of the two intervals, on `scale`.
    """

    n_regions: int
    prediction_low: float
    prediction_high: float
    tau: float
    tau_low: float
    tau_high: float
    i2: float
    i2_low: float
    i2_high: float
    q: float
    q_p_value: float
    normal_se: float
    hk_se: float

    def _half_width(self, level: float) -> float:
        """Return half the width of the wider interval; tau, I2 and another region keep theirs."""
        return np.max(half_widths(self.normal_se, self.hk_se, self.n_regions - 1, level))

    def p_value(self, value: float) -> float:
        """Return the two-sided p-value of "the mean over regions equals `value`"."""
        with np.errstate(divide="ignore", invalid="ignore"):
            distance = np.abs(self._middle - on_scale(value, self.scale))
            ratios = distance / np.array([self.normal_se, self.hk_se])
        return float(np.nanmax(2 * stats.t.sf(ratios, [np.inf, self.n_regions - 1])))


def pool(estimates: Sequence[Estimate]) -> Pooled:
    """Pool one effect over regions whose true effects may differ (random effects).

    A region's effect is the middle of its interval on the link scale, and it counts by
    1 / (squared standard error + variance between regions). That variance is Paule and
    Mandel's, with a Q-profile interval. Standard errors are taken as known.

    Parameters
    ----------
    estimates : sequence of Estimate, length k
        One per region, on one scale, from different customers.

    Returns
    -------
    Pooled
        In the unit of the estimand. Of logs and logits it is the effect in the middle region:
        half of the regions have a larger one.

    Raises
    ------
    ValueError
        If there are fewer than three regions, scales differ, or a standard error is zero,
        infinite or missing.

    Notes
    -----
    `Estimate.se` is half the interval over its t quantile: few degrees of freedom widen a
    region's own interval, but not its part here. In 6 or 12 simulated regions of unequal size
    with 7 degrees of freedom each, the 95 % interval of the mean covers 92 to 96 % (with
    infinitely many, 93 to 98 %), and larger errors for them would not better that. But Q then
    rejects equal effects in 14 to 20 % of samples instead of 5 %, and the interval of tau
    covers 85 to 93 %; with 15 degrees of freedom, 9 to 12 % and 92 to 95 %.

    With 3 regions, some far larger than others, whose effects differ much, the interval of
    the mean covers 92 %.

    References
    ----------
    Paule & Mandel (1982). Consensus values and weighting factors. Journal of Research of the
    National Bureau of Standards 87, 377-385.
    Hartung & Knapp (2001). A refined method for the meta-analysis of controlled clinical trials
    with binary outcome. Statistics in Medicine 20, 3875-3889.
    Viechtbauer (2007). Confidence intervals for the amount of heterogeneity in meta-analysis.
    Statistics in Medicine 26, 37-52.
    Higgins & Thompson (2002). Quantifying heterogeneity in a meta-analysis. Statistics in
    Medicine 21, 1539-1558.
    """
    effects, variances, scale = on_link_scale(estimates, least=3)
    _, inverse = LINKS[scale]
    fit, df = partial(weighted_fit, effects, variances), len(effects) - 1
    found = between(fit, [df, *stats.chi2.ppf([0.975, 0.025], df)])
    q, mean, tau2 = fit(np.zeros(1)).q[0], found.value[0], found.tau2
    normal_se, hk_se = float(found.se[0]), float(found.hk_se(df)[0])
    normal, knapp = half_widths(normal_se, hk_se, df)
    ends = mean + np.array([-1, 1]) * max(normal, knapp)
    effect = inverse(np.array([mean, *ends, *prediction_interval(fit, q, df)]))
    numbers = {
        ("estimate", "ci_low", "ci_high", "prediction_low", "prediction_high"): effect,
        ("tau", "tau_low", "tau_high"): np.sqrt(tau2),
        ("i2", "i2_low", "i2_high"): tau2 / (tau2 + typical_variance(variances)),
        ("q", "q_p_value"): (q, stats.chi2.sf(q, df)),
    }
    named = {
        name: float(value)
        for names, values in numbers.items()
        for name, value in zip(names, values, strict=True)
    }
    return Pooled(
        n_obs=sum(each.n_obs for each in estimates),
        scale=scale,
        df=float(df) if knapp >= normal else np.inf,
        method="random effects, Paule-Mandel, wider of normal and Hartung-Knapp",
        n_regions=len(effects),
        normal_se=normal_se,
        hk_se=hk_se,
        **named,
    )


def leave_one_out(estimates: Sequence[Estimate]) -> pd.DataFrame:
    """Pool again without each of the regions.

    Of at least four: a row for each, in the order given, with what `pool` finds for the others:
    estimate, ci_low, ci_high (95 %, unit of the estimand), tau, normal_se and hk_se.
    """
    effects, variances, scale = on_link_scale(estimates, least=4)
    _, inverse = LINKS[scale]
    df, everyone = len(effects) - 2, np.arange(len(effects))
    start = between(partial(weighted_fit, effects, variances), [df + 1]).tau2[0]
    parts = []
    for left_out in np.split(everyone, everyone[_BLOCK::_BLOCK]):
        fit = partial(weighted_fit, effects, variances, left_out=left_out)
        found = between(fit, np.full(len(left_out), df), start)
        parts.append([found.tau2, found.value, found.se, found.hk_se(df)])
    tau2, mean, se, knapp = np.hstack(parts)
    half = np.max(half_widths(se, knapp, df), axis=0)
    limits = {"estimate": mean, "ci_low": mean - half, "ci_high": mean + half}
    limits = pd.DataFrame(limits).apply(inverse)
    return limits.assign(tau=np.sqrt(tau2), normal_se=se, hk_se=knapp)


def combined_p(p_values: ArrayLike, least: float, sizes: ArrayLike) -> float:
    """Combine the tests of a check over regions that each passed it.

    By Stouffer's sum of normal scores, weighted by the root of each region's size: what all
    regions share, which alone stays in their mean, counts by what they know of it. With 20 unequal
    regions whose tests are off by one standard error, it finds 32 %, and Fisher's sum of logs
    19 %; with 6 equal ones both find 12 to 13 %. As only regions take part whose p is at
    least `least`, their p is uniform from there to 1 where nothing is wrong, and is stretched so.

    Parameters
    ----------
    p_values, sizes : array_like, shape (k,)
        One per region, each at least `least`; what each region's test rests on.
    least : float
        Below it a region takes no part.

    Returns
    -------
    float
        P of "nothing is wrong in any region"; 1 without regions.

    References
    ----------
    Stouffer et al. (1949). The American Soldier, vol. 1. Princeton University Press.
    Zaykin (2011). Optimally weighted Z-test is a powerful method for combining probabilities in
    meta-analysis. Journal of Evolutionary Biology 24, 1836-1841.
    """
    p = (np.asarray(p_values, dtype=float) - least) / (1 - least)
    if not len(p):
        return 1.0
    p = np.clip(p, np.finfo(float).tiny, 1 - least)  # a test that counts can give exactly 1
    found = stats.combine_pvalues(p, method="stouffer", weights=np.sqrt(np.asarray(sizes, float)))
    return float(found.pvalue)


def weighted_mean(values: ArrayLike, estimates: Sequence[Estimate], pooled: Pooled) -> float:
    """Return the mean of one value per region, in which each counts as in its pooled effect.

    `estimates` are the effects of the same k regions in the same order, `pooled` what `pool` makes
    of them.
    """
    _, variances, _ = on_link_scale(estimates, least=1)
    return float(np.average(values, weights=1 / (variances + pooled.tau**2)))


def narrowing(estimates: Sequence[Estimate], pooled: Pooled) -> float:
    """Return the width of the pooled interval over the regions' median width, at most 1.

    `pooled` is what `pool` makes of the regions' `estimates`.
    """
    link, _ = LINKS[pooled.scale]
    ends = np.array([[each.ci_low, each.ci_high] for each in [*estimates, pooled]])
    *widths, width = np.diff(link(ends), axis=1).ravel()
    return float(min(width / np.median(widths), 1.0))
