"""How strong something unmeasured would have to be to change an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analysis.language import Verbatim, text
from analysis.statistics import weighting
from analysis.statistics.causal._partial import classical, columns_by_term, strength
from analysis.statistics.estimate import LINKS, Estimate, moved, on_scale
from analysis.statistics.regression.controls import in_words

LEAST_ASKED = 50
"""Customers of whom a benchmark must be known."""


@dataclass(frozen=True)
class Confounding:
    """An effect, if something unmeasured were as strong as the strongest control.

    `benchmark` is the control whose strength moves the ends of the interval furthest, or "none was
    recorded". `robustness` is the share of what is left of both sides that a confounder has to
    explain to bring the estimate to nothing; `shares` are those of treatment and outcome that one
    as strong as the benchmark explains, where there is one. `lower` and `upper` are the effect
    with such a confounder against it, and for it, never more precise than the effect itself;
    anything is possible where there is no control to compare with.
    """

    benchmark: str
    robustness: float
    lower: Estimate
    upper: Estimate
    shares: tuple[float, float] | None = None

    @property
    def in_words(self) -> str:
        """The benchmark as the reader knows it."""
        return text(" and ").join(in_words(name) for name in self.benchmark.split(" and "))

    @property
    def with_shares(self) -> str:
        """The benchmark with what it explains of treatment and outcome, beside the robustness."""
        if self.shares is None:
            return self.in_words
        of_treatment, of_outcome = self.shares
        return text(
            "{names}: {of_treatment:.1%} and {of_outcome:.1%}",
            names=Verbatim(self.in_words), of_treatment=of_treatment, of_outcome=of_outcome,
        )  # fmt: skip


def confounding(
    effect: Estimate,
    data: pd.DataFrame,
    outcome: str,
    treatment: str,
    controls: Sequence[str],
    benchmarks: Sequence[str] | None = None,
    together: Sequence[str] = (),
) -> Confounding:
    """Ask what a confounder as strong as a measured control would make of an effect.

    Of several controls the one counts that moves the ends of the interval furthest. A confounder
    that stays unmeasured takes no noise out of an estimate, so that an interval gets wider by it
    or stays as it is, also where the formula of the paper, for a regression in which the
    confounder were held equal, makes it narrower.

    Parameters
    ----------
    effect : Estimate
        Coefficient of the treatment in the least-squares regression of the outcome on
        treatment and controls; its own (robust) error is kept. Or a ratio of means ("log"),
        such as of a Poisson regression: what a confounder adds to the outcome as a share of its
        mean is then added to the log of the ratio.
    data : DataFrame
        Rows of that regression.
    outcome, treatment : str
        Columns.
    controls : sequence of str
        The other terms of the formula; a term with several columns counts as one control.
    benchmarks : sequence of str, optional
        Those controls whose strength is borrowed; all by default.
    together : sequence of str
        Controls that say nearly the same, such as visits and sales before: each explains little
        that the other does not, so that they are one more benchmark together.

    Raises
    ------
    NotEstimable
        If the controls determine the treatment.

    References
    ----------
    Cinelli & Hazlett (2020). Making sense of sensitivity: extending omitted variable bias.
    Journal of the Royal Statistical Society B 82, 39-67.
    """
    rows = data.dropna(subset=[outcome, treatment])
    columns = columns_by_term(rows, outcome, treatment, controls)
    t, df, error = classical(columns, outcome, treatment)
    if effect.scale == "log":
        one = columns["Intercept"]  # times the root of the weights, as the outcome is
        error /= float((one * columns[outcome]).sum() / (one**2).sum())
    names = benchmarks or [x for x in columns if x not in ("Intercept", outcome, treatment)]
    groups = [[name] for name in names] + ([together] if len(together) > 1 else [])
    if not groups:  # nothing is known of how strong a hidden one may be
        lowest = LINKS[effect.scale][1](-np.inf)
        open_ended = replace(effect, ci_low=float(lowest), ci_high=np.inf)
        return Confounding("none was recorded", robustness_value(t, df), open_ended, open_ended)
    found = []
    for terms in groups:
        shares = strength(columns, outcome, treatment, terms)
        name = " and ".join(each.removeprefix("C(").removesuffix(")") for each in terms)
        ends = _confounded(effect, df, error, *shares)
        found.append(Confounding(name, robustness_value(t, df), *ends, shares))
    return max(found, key=_reach)


def strongest(
    effect: Estimate,
    data: pd.DataFrame,
    outcome: str,
    treatment: str,
    controls: Sequence[str],
    partly: Sequence[str],
    together: Sequence[str] = (),
) -> Confounding:
    """Do as `confounding`, with what is known of some customers only among the benchmarks.

    What was asked of a few can't be held equal for all, but it tells how strong such a cause is.
    The robustness is that among all customers.

    `partly` are columns with missing values, such as satisfaction; those that are known of fewer
    than `LEAST_ASKED` customers, or do not vary, are left out. `together` are columns that say
    nearly the same; those of them that are controls are one more benchmark.
    """
    alike = [name for name in controls if name in together]
    found = [confounding(effect, data, outcome, treatment, controls, together=alike)]
    for name in partly:
        rows = weighting.of_those_asked(data.dropna(subset=[name]))
        varies = (rows[[name, treatment, outcome]].nunique() > 1).all()
        if len(rows) >= LEAST_ASKED and varies:
            terms = [*controls, name]
            found.append(confounding(effect, rows, outcome, treatment, terms, [name]))
    return replace(max(found, key=_reach), robustness=found[0].robustness)


def both_ways(parts: Mapping[str, Confounding]) -> list[dict[str, Estimate]]:
    """Return the parts of a claim with the hidden cause against all, and with it for all.

    `parts` has the confounding by part; the two results have estimates by part, as
    `Claim.conclude` takes them.
    """
    lower = {name: each.lower for name, each in parts.items()}
    return [lower, {name: each.upper for name, each in parts.items()}]


def as_log_hazard(change: float, share: float) -> float:
    """Return the change of a log hazard behind a small change of the share of who stay.

    `change` is that of the share, such as 0.02, and `share` that of customers who stay.
    """
    return change / (share * np.log(share))


def as_risk_ratio(hazard_ratio: float) -> float:
    """Return the risk ratio that a hazard ratio comes to where the outcome is common.

    VanderWeele (2020). Optimal approximate conversions of odds ratios and hazard ratios to risk
    ratios. Biometrics 76, 746-752.
    """
    return (1 - 0.5 ** np.sqrt(hazard_ratio)) / (1 - 0.5 ** np.sqrt(1 / hazard_ratio))


def robustness_value(t: float, df: float) -> float:
    """Return how strong a confounder must be to undo a coefficient.

    Given the coefficient's t value and its residual degrees of freedom: the share of the remaining
    variance, of both treatment and outcome, that the confounder has to explain.

    Cinelli & Hazlett (2020), as in `confounding`.
    """
    f2 = t**2 / df
    return float((np.sqrt(f2**2 + 4 * f2) - f2) / 2)


def e_value(ratio: float) -> float:
    """Return the ratio that a confounder needs with both sides to explain a risk ratio.

    The risk ratio is positive; of an interval, its end nearer to 1 (or 1 if it holds 1).

    VanderWeele & Ding (2017). Sensitivity analysis in observational research: introducing the
    E-value. Annals of Internal Medicine 167, 268-274.
    """
    above = max(ratio, 1 / ratio)
    return float(above + np.sqrt(above * (above - 1)))


def _confounded(
    effect: Estimate, df: float, error: float, with_treatment: float, with_outcome: float
) -> tuple[Estimate, Estimate]:
    """Return the effect with a confounder of such shares against it, and for it."""
    bias = error * np.sqrt(df * with_outcome * with_treatment / (1 - with_treatment))
    wider = max(np.sqrt((1 - with_outcome) / (1 - with_treatment) * df / (df - 1)), 1.0)
    return moved(effect, -bias, effect.se * wider), moved(effect, bias, effect.se * wider)


def _reach(found: Confounding) -> float:
    """Return the distance from the lowest to the highest end, on the effect's scale."""
    scale = found.lower.scale
    return on_scale(found.upper.ci_high, scale) - on_scale(found.lower.ci_low, scale)
