"""What a finding rests on: one check each, with the rule that it is held to."""

from __future__ import annotations

import pandas as pd

from analysis.causal import AIPW
from analysis.value import tail_index
from analysis.verdicts import Check

LARGEST_SHARE, LARGEST_IN_GROUP, LIGHT_TAIL = 0.05, 0.15, 1.3


def at_least(name: str, count: float, least: int) -> Check:
    """Check that there are enough of something."""
    return Check(name, f"at least {least:,}", f"{count:,.0f}", count >= least)


def at_most(name: str, share: float, most: float) -> Check:
    """Check that a share is not too large."""
    return Check(name, f"at most {most:.0%}", f"{share:.1%}", share <= most)


def converged(is_converged: bool) -> Check:
    """Check that a model's fit came to an end."""
    return Check("the model converged", "yes", "yes" if is_converged else "no", is_converged)


def nobody_decides(values: pd.Series, groups: pd.Series | None = None) -> Check:
    """Check that the largest customer does not decide a share, or a group's mean, alone."""
    if groups is None:
        return at_most("share of the largest customer", values.max() / values.sum(), LARGEST_SHARE)
    each = values.groupby(groups, observed=True)
    largest = (each.max() / each.sum().where(each.sum() > 0)).fillna(1.0).max()
    return at_most("share of the largest customer in his group", largest, LARGEST_IN_GROUP)


def tail(sales: pd.Series) -> Check:
    """Check that the tail of the sales is light enough for a share to be known from a sample.

    Where the claim of 80/20 is true, the tail is so heavy that most samples miss the
    customers who make it true, and their intervals lie too low.
    """
    index = tail_index(sales)
    low = index.at_level(0.90).ci_low
    return Check(
        "tail index, 95 % bound", f"at least {LIGHT_TAIL}", f"{low:.2f}", low >= LIGHT_TAIL
    )


def shown(name: str, value: str) -> Check:
    """State a fact beside the checks, which blocks nothing."""
    return Check(name, "for information", value, passed=True, blocking=False)


def comparison(arms: pd.Series, adjusted: AIPW) -> list[Check]:
    """Check a comparison of two groups: their size, balance and overlap.

    Parameters
    ----------
    arms : Series of int
        Customers in each group.
    adjusted : AIPW
        The doubly robust comparison.
    """
    worst = adjusted.balance["smd_after"].abs().max()
    low, high = adjusted.lowest_propensity, adjusted.highest_propensity
    return [
        at_least("customers in the smaller group", arms.min(), 100),
        Check("balance after weighting", "below 0.1 SD", f"{worst:.2f}", worst < 0.1),
        at_most("customers without a counterpart", adjusted.share_truncated, 0.05),
        shown("probability to be in the group", f"{low:.2f} to {high:.2f}"),
    ]
