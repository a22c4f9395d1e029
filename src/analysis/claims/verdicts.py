"""The rule that gives a verdict, and the checks that can cap it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from analysis.claims.hypotheses import Hypothesis, Part, Range
from analysis.statistics.estimate import Estimate

Verdict = Literal[
    "supported", "too small to matter", "contradicted", "inconclusive", "not testable", "failed",
]  # fmt: skip


@dataclass(frozen=True)
class Check:
    """A condition that a finding rests on, with the rule that it was held to.

    Attributes
    ----------
    name, rule, value : str
        What is checked, in English, which is the check's key in every language; what it must be,
        what it is.
    blocking : bool
        Whether a failure caps the verdict at *inconclusive*.
    variants : tuple of mapping
        Estimates of all parts, by key, as they would be if what is checked were otherwise; so
        that what is pooled over regions can be checked likewise.
    p_value, least : float or None
        Of a test that must not reject, and the p from which on it does not; so that the tests of
        several regions can be combined.
    biases, most : mapping of str to float, float or None
        What could bias an effect, signed and by name, and the size that each must stay below; so
        that what regions have in common, which pooling does not average away, can be checked.
    """

    name: str
    rule: str
    value: str
    passed: bool
    blocking: bool = True
    variants: tuple[Mapping[str, Estimate], ...] = ()
    p_value: float | None = None
    least: float | None = None
    biases: Mapping[str, float] = field(default_factory=dict)
    most: float | None = None


def judge_part(part: Part, estimate: Estimate, n_parts: int = 1) -> Verdict:
    """Hold one interval against its claim; the whole rule for a single effect.

    *Supported* when the 95% interval lies inside the claim region, *too small to
    matter* when it lies inside the negligible band, *contradicted* when it lies
    wholly outside the claim region otherwise, *inconclusive* in every other case.
    A claim falls with any of its parts, so its parts are contradicted by intervals
    at 1 - 5%/`n_parts` (Bonferroni): a true claim is rejected in at most 2.5% of
    samples on each side, however many parts it has.
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

    There is an estimate for each part, by its key; a failed blocking check caps the verdict at
    *inconclusive*.

    References
    ----------
    Berger, R. L. (1982). Multiparameter hypothesis testing and acceptance
    sampling. Technometrics 24, 295-300.
    """
    if any(check.blocking and not check.passed for check in checks):
        return "inconclusive"
    parts = hypothesis.parts
    return of_parts([judge_part(part, estimates[part.key], len(parts)) for part in parts])


def of_parts(verdicts: Sequence[Verdict]) -> Verdict:
    """Return a claim's verdict from those of its parts."""
    for fallen in ("contradicted", "too small to matter"):
        if fallen in verdicts:
            return fallen
    return "supported" if set(verdicts) == {"supported"} else "inconclusive"


def changed_verdict(
    hypothesis: Hypothesis,
    estimates: Mapping[str, Estimate],
    variants: Sequence[Mapping[str, Estimate]],
) -> Verdict | None:
    """Return the first other verdict that variants lead to; None if all lead to the same.

    What is varied may also be true by half: intervals that reach from an effect to its variant
    count as well. Variants have all parts; effects may be pooled ones.
    """
    verdict = judge(hypothesis, estimates)
    between = [{key: _hull(estimates[key], each[key]) for key in estimates} for each in variants]
    others = (judge(hypothesis, each) for each in (*variants, *between))
    return next((each for each in others if each != verdict), None)


def _hull(first: Estimate, second: Estimate) -> Estimate:
    """Return the first estimate with an interval that holds both, also of pooled ones."""
    low, high = min(first.ci_low, second.ci_low), max(first.ci_high, second.ci_high)
    return Estimate(first.estimate, low, high, first.n_obs, first.scale, min(first.df, second.df))


def p_value(hypothesis: Hypothesis, estimates: Mapping[str, Estimate]) -> float:
    """Return the smallest level at which a hypothesis gets the verdict that it has.

    *Supported*: the largest p of its parts. *Contradicted* and *too small to matter*: the smallest
    p, times the number of parts, of the parts that are so. *Inconclusive*: the smallest p of any
    verdict that would decide it. It is below 5% where `judge` at 95% decides. Adjusted for
    several hypotheses (Holm) it says which verdicts stand as a family.

    References
    ----------
    Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal
    of Statistics 6, 65-70.
    """
    parts, found = hypothesis.parts, [estimates[part.key] for part in hypothesis.parts]
    each = [judge_part(part, one, len(parts)) for part, one in zip(parts, found, strict=True)]
    return float(p_of_verdicts(parts, found, judge(hypothesis, estimates), np.array(each)))


def p_of_verdicts(
    parts: Sequence[Part],
    estimates: Sequence[Estimate],
    verdict: ArrayLike,
    part_verdicts: np.ndarray,
) -> np.ndarray:
    """Return the p of a verdict that is known, also of many regions at once.

    The n estimates, one for each part, are `Estimate` or have its `middle` and `p_value` as arrays
    of m regions; the verdict on the hypothesis has shape () or (m,), those on its parts (n,) or
    (n, m).
    """
    pairs, n = list(zip(parts, estimates, strict=True)), len(parts)
    inside, outside = (
        np.array([_p_of(part.claim, each, inside=is_inside) for part, each in pairs])
        for is_inside in (True, False)
    )
    small = np.array([_p_of(part.negligible, each, inside=True) for part, each in pairs])
    supported = inside.max(axis=0)
    falls = {"contradicted": n * outside, "too small to matter": n * small}
    decided = {
        name: np.where(part_verdicts == name, p, np.inf).min(axis=0) for name, p in falls.items()
    } | {"supported": supported}
    undecided = np.minimum.reduce([supported, *(p.min(axis=0) for p in falls.values())])
    known = [np.asarray(verdict) == name for name in decided]
    return np.minimum(np.select(known, list(decided.values()), undecided), 1.0)


def _p_of(where: Range | None, estimate: Estimate, *, inside: bool) -> ArrayLike:
    """Return the p of "the effect lies outside" (or inside) a range: 1 where the estimate does.

    Else it is the largest of "the effect is this end", for the ends that are not open.
    """
    if where is None:
        return np.ones_like(estimate.middle)
    of_ends = [estimate.p_value(end) for end in where.ends]
    p = np.max(of_ends, axis=0) if of_ends else float(not inside)
    is_within = (where.low <= estimate.middle) & (estimate.middle <= where.high)
    return np.where(is_within == inside, p, 1.0)
