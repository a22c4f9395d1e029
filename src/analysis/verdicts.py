"""The rule that gives a verdict, and the checks that can cap it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from analysis.estimates import Estimate
from analysis.hypotheses import Hypothesis, Part, Range

Verdict = Literal[
    "supported",
    "too small to matter",
    "contradicted",
    "inconclusive",
    "not testable",
    "failed",
]


@dataclass(frozen=True)
class Check:
    """A condition that a finding rests on, with the rule that it was held to.

    Attributes
    ----------
    name, rule, value : str
        What is checked, what it must be, what it is.
    passed : bool
        Whether the rule holds.
    blocking : bool
        Whether a failure caps the verdict at *inconclusive*.
    """

    name: str
    rule: str
    value: str
    passed: bool
    blocking: bool = True


def judge_part(part: Part, estimate: Estimate, n_parts: int = 1) -> Verdict:
    """Hold one interval against its claim; the whole rule for a single effect.

    *Supported* when the 95 % interval lies inside the claim region, *too small to
    matter* when it lies inside the negligible band, *contradicted* when it lies
    wholly outside the claim region otherwise, *inconclusive* in every other case.
    A claim falls with any of its parts, so its parts are contradicted by intervals
    at 1 - 5 %/`n_parts` (Bonferroni): a true claim is rejected in at most 2.5 % of
    samples on each side, however many parts it has.

    Parameters
    ----------
    part : Part
        Claim region and negligible band.
    estimate : Estimate
        Effect with its 95 % interval.
    n_parts : int
        Number of parts of the hypothesis.
    """
    if part.claim.holds(estimate.ci_low, estimate.ci_high):
        return "supported"
    wide = estimate if n_parts == 1 else estimate.at_level(1 - 0.05 / n_parts)
    if part.negligible is not None and part.negligible.holds(wide.ci_low, wide.ci_high):
        return "too small to matter"
    if part.claim.misses(wide.ci_low, wide.ci_high):
        return "contradicted"
    return "inconclusive"


def judge(
    hypothesis: Hypothesis, estimates: Mapping[str, Estimate], checks: Sequence[Check] = ()
) -> Verdict:
    """Give the verdict on a hypothesis: supported when all parts are, fallen when any is.

    Parameters
    ----------
    hypothesis : Hypothesis
        The entry of the register.
    estimates : mapping of str to Estimate
        One for each part, by its key.
    checks : sequence of Check
        A failed blocking check caps the verdict at *inconclusive*.

    References
    ----------
    Berger, R. L. (1982). Multiparameter hypothesis testing and acceptance
    sampling. Technometrics 24, 295-300.
    """
    if any(check.blocking and not check.passed for check in checks):
        return "inconclusive"
    parts = hypothesis.parts
    verdicts = [judge_part(part, estimates[part.key], len(parts)) for part in parts]
    for fallen in ("contradicted", "too small to matter"):
        if fallen in verdicts:
            return fallen
    return "supported" if set(verdicts) == {"supported"} else "inconclusive"


def p_value(hypothesis: Hypothesis, estimates: Mapping[str, Estimate]) -> float:
    """Return the smallest level at which a hypothesis gets a verdict that decides it.

    `judge` at 95 % decides where this is below 5 %: by the largest p of its parts for *supported*,
    the smallest, times their number, for *contradicted* and *too small to matter*. Adjusted for
    several hypotheses (Holm) it says which verdicts stand as a family.

    Parameters
    ----------
    hypothesis : Hypothesis
        The entry of the register.
    estimates : mapping of str to Estimate
        One for each part, by its key.

    References
    ----------
    Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal
    of Statistics 6, 65-70.
    """
    pairs = [(part, estimates[part.key]) for part in hypothesis.parts]
    supported = max(_inside(part.claim, each) for part, each in pairs)
    outside = min(_outside(part.claim, each) for part, each in pairs)
    small = min(_inside(part.negligible, each) for part, each in pairs)
    return min(supported, len(pairs) * outside, len(pairs) * small, 1.0)


def _inside(where: Range | None, estimate: Estimate) -> float:
    """Return the p of "the effect lies outside": that of the nearest end, 1 if it does."""
    if where is None or not where.holds(estimate.middle, estimate.middle):
        return 1.0
    return max(_p_of_ends(where, estimate), default=0.0)


def _outside(where: Range, estimate: Estimate) -> float:
    """Return the p of "the effect lies inside": that of the nearest end, 1 if it does."""
    if where.holds(estimate.middle, estimate.middle):
        return 1.0
    return max(_p_of_ends(where, estimate), default=1.0)


def _p_of_ends(where: Range, estimate: Estimate) -> list[float]:
    """Return the p of "the effect is this end", for the ends that are not open."""
    return [estimate.p_value(end) for end in (where.low, where.high) if math.isfinite(end)]
