"""The rule that gives a verdict, and the checks that can cap it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from analysis.estimates import Estimate
from analysis.hypotheses import Hypothesis, Part

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
