"""What a finding rests on: one check each, with the rule that it is held to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from analysis.claims import answer_weights, verdicts, wording
from analysis.claims.deciding.testable import (
    Few,
    few_answers,
    few_ends,
    few_in_arm,
    lacking,
    nothing_in,
    same_answers,
    times_enough,
    too_small,
)
from analysis.claims.verdicts import Check
from analysis.cohorts.answer_quality import ItemCoding, Reversed
from analysis.cohorts.churn import Completeness
from analysis.figures.display import enumerated, in_words
from analysis.language import capitalised, phrase, text
from analysis.statistics import weighting
from analysis.statistics.causal.treatment_effects import AIPW
from analysis.statistics.estimate import Estimate
from analysis.statistics.measurement.correlations import correlation_of
from analysis.statistics.value.concentration import tail_index

__all__ = [
    "Few", "at_least", "at_least_share", "at_most", "coding", "comparison", "complete_purchases",
    "converged", "few_answers", "few_ends", "few_in_arm", "holds", "lacking", "listed",
    "nobody_decides", "not_by_chance", "not_collinear", "not_more", "nothing_in", "same_answers",
    "same_verdict", "shown", "tail", "times_enough", "too_small",
]  # fmt: skip

if TYPE_CHECKING:  # claims use checks
    from analysis.claims.claim import Claim

LARGEST_SHARE, LARGEST_IN_GROUP, LIGHT_TAIL = 0.05, 0.15, 1.3
MOST_APART = 0.1
"""Standard deviations that two groups may differ by on a covariate, once they are weighted."""
MOST_INFLATED = 10


def _told(value: float, limit: float, style: str) -> str:
    """Write a number in a style such as ".1%", with the digits that its side of a limit takes."""
    digits, kind, scale = int(style[1:-1]), style[-1], 100 if style[-1] == "%" else 1
    side = np.sign(value - limit)
    for more in range(digits, digits + 7):
        if np.sign(round(scale * value, more) - round(scale * limit, 6)) == side:
            return f"{value:.{more}{kind}}"
    return f"{value:{style}}"


def at_least(name: str, count: float | pd.DataFrame, least: int) -> Check:
    """Check that there are enough; weighted answers count at their effective number."""
    size, value = answer_weights.counted(count)
    return Check(name, text("at least {least:,}", least=least), value, size >= least)


def at_least_share(name: str, share: float, least: float) -> Check:
    """Check that a share is not too small."""
    rule = text("at least {least:.0%}", least=least)
    return Check(name, rule, _told(share, least, ".1%"), share >= least)


def not_by_chance(name: str, p_value: float, least: float = 0.01) -> Check:
    """Check that what would be wrong is not there beyond chance."""
    rule = text("p at least {least}", least=f"{100 * least:g}%")
    value = f"p = {_told(p_value, least, '.3f')}"
    return Check(name, rule, value, p_value >= least, p_value=float(p_value), least=least)


def not_collinear(frame: pd.DataFrame, names: Sequence[str]) -> Check:
    """Check that no driver is nearly a mixture of the others (variance inflation)."""
    covariance = weighting.covariance(frame, names).to_numpy()
    r, varies = correlation_of(covariance), covariance.diagonal().min() > 1e-12
    rule, worst, value = text("at most {most:,}", most=MOST_INFLATED), np.inf, text("collinear")
    if varies and np.linalg.matrix_rank(r, hermitian=True) == len(r):
        worst = np.linalg.inv(r).diagonal().max()
    if worst < MOST_INFLATED * 100:
        value = _told(worst, MOST_INFLATED, ".1f")
    return Check(phrase("variance inflation"), rule, value, worst <= MOST_INFLATED)


def at_most(name: str, share: float, most: float) -> Check:
    """Check that a share is not too large."""
    rule = text("at most {most:.0%}", most=most)
    return Check(name, rule, _told(share, most, ".1%"), share <= most)


def not_more(name: str, count: float, most: int) -> Check:
    """Check that there are not too many of something."""
    return Check(name, text("at most {most:,}", most=most), f"{count:,.0f}", count <= most)


def holds(name: str, is_so: bool) -> Check:
    """Check that a condition holds."""
    return Check(name, text("yes"), text("yes") if is_so else text("no"), bool(is_so))


def converged(is_converged: bool) -> Check:
    """Check that a model's fit came to an end."""
    return holds(phrase("the model converged"), is_converged)


def nobody_decides(values: pd.Series, groups: pd.Series | None = None) -> Check:
    """Check that the largest customer does not decide a share, or a group's mean, alone."""
    if groups is None:
        share = values.max() / values.sum()
        return at_most(phrase("share of the largest customer"), share, LARGEST_SHARE)
    each = values.groupby(groups, observed=True)
    largest = (each.max() / each.sum().where(each.sum() > 0)).fillna(1.0).max()
    name = phrase("share of the largest customer in their group")
    return at_most(name, largest, LARGEST_IN_GROUP)


def tail(sales: pd.Series) -> Check:
    """Check that the tail of the sales is light enough for a share to be known from a sample.

    Where the claim of 80/20 is true, the tail is so heavy that most samples miss the
    customers who make it true, and their intervals lie too low.
    """
    low = tail_index(sales).at_level(0.90).ci_low
    rule, value = text("at least {least:,}", least=LIGHT_TAIL), _told(low, LIGHT_TAIL, ".2f")
    return Check(phrase("tail index, 95% bound"), rule, value, low >= LIGHT_TAIL)


def coding(items: ItemCoding) -> Check:
    """Check that no scale of the survey is coded the other way round."""
    known = phrase("scales coded the same way"), text("none against most of the others")
    if items.reversed:
        value = text(
            "{against}. Is it coded the other way round? Then reverse it in the source.",
            against="; ".join(_reversed_in_words(each) for each in items.reversed),
        )
        return Check(*known, value, passed=False)
    n = items.n_compared
    value = text("all {n}", n=n) if n > 1 else text("no other scale to compare with")
    if items.not_compared:
        names = enumerated(map(in_words, items.not_compared))
        value += text("; not compared: {names}", names=names)
    return Check(*known, value, passed=True)


def _reversed_in_words(item: Reversed) -> str:
    """Say what an item goes against."""
    name, worst = map(in_words, (item.name, item.worst))
    said = {"name": name, "worst": worst, "scale": item.scale, "r": item.r}
    if item.scale:
        return text("{name} goes against the rest of {scale} (r = {r:+.2f})", **said)
    if not item.n_others:
        return text("{name} goes against {worst} (r = {r:+.2f})", **said)
    return text(
        "{name} goes against {n} of {others} other scales, most of all against {worst} "
        "(r = {r:+.2f})",
        n=item.n_against, others=item.n_others, **said,
    )  # fmt: skip


def complete_purchases(purchases: Completeness) -> list[Check]:
    """Check that no silence of customers is a gap of the data, or a station that closed."""
    closed, name = purchases.share_of_closed, phrase("customers of stations that closed")
    return [
        shown(name, text("not known")) if closed is None else at_most(name, closed, 0.05),
        not_more(phrase("days on end without any purchase"), purchases.longest_pause, 14),
        not_more(phrase("days that stand in the data twice"), purchases.repeated_days, 0),
    ]


def listed(found: Sequence[Check]) -> str:
    """Return checks and their values as a sentence."""
    said = [text("{name}: {value}", name=each.name, value=each.value) for each in found]
    return capitalised(text("{checks}.", checks=text("; ").join(said)))


def same_verdict(
    claim: Claim,
    found: Mapping[str, Estimate],
    name: str,
    variants: Sequence[Mapping[str, Estimate]],
) -> Check:
    """Check that the verdict does not hang on something that the data can't tell.

    Parameters
    ----------
    claim : Claim
        Whose verdict it is.
    found : mapping of str to Estimate
        One for each part, by its key.
    name : str
        What might be otherwise.
    variants : sequence of mapping
        Estimates that replace those of `found`, by part, if it is otherwise. In the same order
        in every region: the check carries them, and each is pooled over regions as well. Where
        there are none, nothing is known, and nothing blocked.
    """
    if not variants:
        return shown(name, text("not known"))
    whole = tuple({**found, **each} for each in variants)
    verdict = verdicts.judge(claim.hypothesis, found)
    changed = verdicts.changed_verdict(claim.hypothesis, found, whole)
    passed = changed is None or verdict == "inconclusive"
    value = text("the same") if changed is None else text("open either way")
    if not passed:
        value = text("{one} would be {other}", one=text(verdict), other=text(changed))
    return Check(name, text("the same verdict"), value, passed, variants=whole)


def shown(name: str, value: str) -> Check:
    """State a fact beside the checks, which blocks nothing."""
    return Check(name, wording.INFORMATION, value, passed=True, blocking=False)


def comparison(arms: pd.Series, adjusted: AIPW, least: int = 100) -> list[Check]:
    """Check a doubly robust comparison of two groups: their size, balance and overlap.

    `arms` has the customers in each group; the smaller one needs `least`.
    """
    apart = adjusted.balance["smd_after"]
    rule, worst = text("below {most:g} SD", most=MOST_APART), apart.abs().max()
    balance = (rule, _told(worst, MOST_APART, ".2f"), worst < MOST_APART)
    low, high = adjusted.propensity.min(), adjusted.propensity.max()
    chances = text("{low:.2f} to {high:.2f}", low=low, high=high)
    return [
        at_least(phrase("customers in the smaller group"), arms.min(), least),
        Check(phrase("balance after weighting"), *balance, biases=dict(apart), most=MOST_APART),
        at_most(phrase("customers without a counterpart"), adjusted.share_truncated, 0.05),
        shown(phrase("probability to be in the group"), chances),
    ]
