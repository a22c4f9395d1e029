"""An estimate with its interval: what every model of the workbook returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from pandas.api.typing import DataFrameGroupBy
from scipy import special

Scale = Literal["identity", "log", "logit"]
ROUNDING = 1e-12
"""Error as a share of what it is the error of, which is rounding and tells no spread."""

LINKS = {
    "identity": (lambda value: value, lambda value: value),
    "log": (np.log, np.exp),
    "logit": (special.logit, special.expit),
}


class NotEstimable(ValueError):  # noqa: N818 - a reason, and no failure
    """The data do not allow this fit or estimate; the message names the count that is too small.

    In a notebook it ends the section of its claim, which is then *not testable* for this reason.

    Attributes
    ----------
    times : float or None
        How many times its units the data would hold enough of them; None where that is not known.
    """

    def __init__(self, why: str, times: float | None = None) -> None:
        super().__init__(why)
        self.times = times

    def _render_traceback_(self) -> list[str]:
        """Show one line instead of a traceback in IPython."""
        return [f"Not testable: {self}"]


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
        link, _ = LINKS[self.scale]
        half_width = (link(self.ci_high) - link(self.ci_low)) / 2
        return float(half_width / special.stdtrit(self.df, 0.975))

    @property
    def _middle(self) -> float:
        """Middle of the interval on its scale."""
        link, _ = LINKS[self.scale]
        return (link(self.ci_low) + link(self.ci_high)) / 2

    @property
    def middle(self) -> float:
        """Middle of the interval on its scale, in the unit of the estimand."""
        _, inverse = LINKS[self.scale]
        return float(inverse(self._middle))

    def _half_width(self, level: float) -> float:
        """Return half the width, on its scale, of the interval of a confidence level."""
        return self.se * special.stdtrit(self.df, (1 + level) / 2)

    def at_level(self, level: float) -> Estimate:
        """Return the same estimate with an interval of another confidence level, such as 0.99."""
        if self.ci_high == np.inf:  # anything is possible, at every level
            return self
        _, inverse = LINKS[self.scale]
        half = self._half_width(level)
        low, high = inverse(self._middle - half), inverse(self._middle + half)
        return replace(self, ci_low=float(low), ci_high=float(high))

    def times(self, factor: float) -> Estimate:
        """Return an effect in another unit, of which its own is so much; its scale is "identity".

        Degrees of freedom stay.
        """
        low, high = sorted((factor * self.ci_low, factor * self.ci_high))
        middle = factor * self.estimate
        return replace(self, estimate=middle, ci_low=low, ci_high=high, scale="identity")

    def p_value(self, value: float) -> float:
        """Return the two-sided p-value of "the effect equals `value`"."""
        distance = abs(self._middle - on_scale(value, self.scale)) / self.se
        return float(2 * special.stdtr(self.df, -distance))


def on_scale(value: float, scale: Scale) -> float:
    """Return a value of an estimand's unit on the scale on which effects add up."""
    link, _ = LINKS[scale]
    with np.errstate(divide="ignore"):
        return float(link(value))


def jackknife_se(left_out: Sequence[float]) -> float:
    """Return the jackknife's standard error, from estimates that each leave one unit out.

    References
    ----------
    Efron & Stein (1981). The jackknife estimate of variance. Annals of Statistics 9, 586-596.
    """
    values = np.asarray(left_out, dtype=float)
    return float(np.sqrt((len(values) - 1) * values.var()))


def from_se(
    estimate: float,
    se: float,
    n_obs: int,
    *,
    scale: Scale = "identity",
    df: float = np.inf,
    method: str = "",
) -> Estimate:
    """Build an estimate from a standard error on its scale; without one it has no interval.

    An error of 0, or of rounding alone, is none: values that are all equal tell no spread.

    Parameters
    ----------
    estimate : float
        In the unit of the estimand (a ratio for "log", a share for "logit").
    se : float
        Standard error of the estimate's log, logit or of itself, by `scale`.
    n_obs, scale, df, method
        As in `Estimate`.
    """
    link, inverse = LINKS[scale]
    has_error = se > ROUNDING * abs(link(estimate))
    half_width = se * special.stdtrit(df, 0.975) if has_error else np.nan
    low, high = inverse(link(estimate) - half_width), inverse(link(estimate) + half_width)
    return Estimate(float(estimate), float(low), float(high), int(n_obs), scale, float(df), method)


def share_of(share: float, n: float, method: str = "share, Wilson") -> Estimate:
    """Return a share of n independent customers with Wilson's 95 % interval; missing for no n.

    References
    ----------
    Wilson (1927). Probable inference, the law of succession, and statistical inference. Journal
    of the American Statistical Association 22, 209-212.
    """
    if not n or np.isnan(share):
        return Estimate(np.nan, np.nan, np.nan, 0, "logit", method=method)
    from statsmodels.stats.proportion import proportion_confint  # it takes a second to load

    low, high = np.clip(proportion_confint(share * n, n, method="wilson"), 0, 1)
    return Estimate(float(share), float(low), float(high), int(n), "logit", method=method)


def as_share(mean: Estimate) -> Estimate:
    """Return a mean of shares with an interval between 0 and 1: symmetric on the logit."""
    value, odds = mean.estimate, {"scale": "logit", "df": mean.df, "method": mean.method}
    return from_se(value, mean.se / (value * (1 - value)), mean.n_obs, **odds)


def means_by(
    groups: DataFrameGroupBy, names: Sequence[str], shares: Sequence[str] = ()
) -> pd.DataFrame:
    """Return the mean of each column in each group, an `Estimate` in each cell.

    `shares` are the columns of 0 and 1, with Wilson's intervals; others have those of Student's t,
    and none where a group's values are all equal. Missing values are left out.
    """
    return pd.DataFrame(
        {name: {k: _mean(rows[name], name in shares) for k, rows in groups} for name in names}
    )


def _mean(values: pd.Series, is_share: bool) -> Estimate:
    """Return the mean of values with its interval."""
    known = values.dropna().astype(float)
    if is_share:
        return share_of(known.mean(), len(known))
    if known.nunique() < 2:
        return Estimate(known.mean(), np.nan, np.nan, len(known))
    return from_se(known.mean(), known.sem(), len(known), df=len(known) - 1)


def moved(effect: Estimate, shift: float, se: float | None = None) -> Estimate:
    """Return an effect moved by an amount on its scale, such as that of the log of a ratio.

    `se` is the standard error afterwards; by default that of the effect. An interval that reaches
    farther on one side, such as that of two shares, still does so.
    """
    link, inverse = LINKS[effect.scale]
    middle, wider = link(effect.estimate), 1.0 if se is None else se / effect.se
    low, high = (
        float(inverse(middle + shift + wider * (link(end) - middle)))
        for end in (effect.ci_low, effect.ci_high)
    )
    return replace(effect, estimate=float(inverse(middle + shift)), ci_low=low, ci_high=high)


def smallest(estimates: Sequence[Estimate]) -> Estimate:
    """Return the smallest of several effects, with an interval for the smallest.

    The lower bound is the lowest of the 95 % lower bounds (intersection-union); the upper bound
    is the lowest of the upper bounds at 1 - 5 %/k (Bonferroni), so that each side misses in at
    most 2.5 % of samples. A ValueError says that there is nothing to compare.

    References
    ----------
    Berger (1982). Multiparameter hypothesis testing and acceptance sampling. Technometrics 24,
    295-300.
    """
    if not estimates:
        raise ValueError("smallest() needs at least one estimate.")
    least = min(estimates, key=lambda each: each.estimate)
    upper = min(each.at_level(1 - 0.05 / len(estimates)).ci_high for each in estimates)
    return replace(least, ci_low=min(each.ci_low for each in estimates), ci_high=upper)


def pooled(estimates: Sequence[Estimate]) -> Estimate:
    """Pool the same effect, estimated in several imputed copies of the data (Rubin's rules).

    On the scale of the estimates: their mean, and as its variance the mean of the squared
    standard errors plus (1 + 1/m) times the variance between the m copies.

    Parameters
    ----------
    estimates : sequence of Estimate, length m
        One per copy, on one scale; a single one is returned as it is.

    Returns
    -------
    Estimate
        With the degrees of freedom of Barnard and Rubin; where those of the copies differ
        the smallest count as those of complete data. `n_obs` is that of the first copy.

    Raises
    ------
    ValueError
        If there is nothing to pool, or scales differ.

    References
    ----------
    Rubin (1987). Multiple Imputation for Nonresponse in Surveys. Wiley.
    Barnard & Rubin (1999). Small-sample degrees of freedom with multiple imputation.
    Biometrika 86, 948-955.
    """
    scales = sorted({each.scale for each in estimates})
    if len(scales) != 1:
        raise ValueError(f"pooled() needs estimates on one scale, not {scales}.")
    first, m = estimates[0], len(estimates)
    if m == 1:
        return first
    link, inverse = LINKS[first.scale]
    values = link(np.array([each.estimate for each in estimates]))
    within = np.mean([each.se**2 for each in estimates])
    between = (1 + 1 / m) * values.var(ddof=1)
    share = between / (within + between)
    df = (m - 1) / share**2 if share else np.inf  # Rubin's own
    complete = min(each.df for each in estimates)
    if np.isfinite(complete):
        observed = (complete + 1) / (complete + 3) * complete * (1 - share)
        df = 1 / (1 / df + 1 / observed)
    middle, se = inverse(values.mean()), np.sqrt(within + between)
    method = f"{first.method}, {m} imputations"
    return from_se(middle, se, first.n_obs, scale=first.scale, df=df, method=method)
