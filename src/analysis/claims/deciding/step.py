"""A step towards deciding a claim, and what is known of a source from which steps follow."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from analysis.claims.deciding.edges import Given
from analysis.claims.trials.plans import Plan

COST = 0.02
"""Of one more customer, one more answer, or one lot: share of a customer's yearly margin."""
Way = Literal[
    "field", "wave", "customers", "times", "regions", "trial", "small", "edge", "scarce",
    "untested", "none",
]  # fmt: skip
NO_WAYS = ("small", "edge", "scarce", "untested", "none")


@dataclass(frozen=True)
class Step:
    """The cheapest way to decide an open claim.

    Attributes
    ----------
    claim : str
        Its id.
    regions : tuple of str
        Where it is open.
    way : str
        "field": columns to be recorded; "wave": one more wave of the survey; "customers": more of
        them in a region; "times": so many times what its error shrinks with; "regions": more of
        them; "trial"; "small": a trial, for which all regions are too small; "edge": none, as the
        effect lies on the edge of the claim; "scarce": none, as no size that was simulated decides
        it; "untested": none, as no number of customers is known to make it testable; "none" that
        is known.
    where : str
        The region in which it is cheapest; empty where it is in none of its own.
    n : float or None
        Customers, times, regions, or units of a trial; of "scarce" the customers of the largest
        simulated regions; None where the way has no number.
    given : str
        On which effect a number of customers rests, as in `edges.Given`; "first" where the way is
        only the first that it takes: what else keeps the claim open shows then; "part" of a trial
        that decides one part, beside others that are open.
    columns, places : tuple of str
        To be recorded, and in which regions.
    trial : str
        Name of the trial's plan, where one is registered.
    could : int
        Units of the region's data that could take part in a trial, or for "small" of all regions;
        of "scarce" regions that were decided; 0 where that is not known.
    needed : int or None
        Units for 80% power of a trial that is planned with fewer; of "scarce" regions in all.
    years : float or None
        That a trial of cases takes at the region's rate of them, or for "small" at that of all
        regions together.
    reason : str
        Why it can't be tested.
    is_tested : bool
        Whether it can be tested in a region where it is open.
    value, cost : float or None
        In years of a customer's margin; None where no margin is in the outcome, or not known.
    """

    claim: str
    regions: tuple[str, ...]
    way: Way
    where: str = ""
    n: float | None = None
    given: Given | Literal["first", "part", ""] = ""
    columns: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    trial: str = ""
    could: int = 0
    needed: int | None = None
    years: float | None = None
    reason: str = ""
    is_tested: bool = True
    value: float | None = None
    cost: float | None = None

    @property
    def rank(self) -> tuple:
        """What steps are sorted by.

        First those with a value, by how much it is above the cost; then by cost; a cost that is not
        known comes after those that are, then what is not worth its cost, and claims that nothing
        decides come last.
        """
        gains = self.value is not None and self.cost is not None
        net = self.value - self.cost if gains else 0.0
        cost = math.inf if self.cost is None else self.cost
        group = (self.way in NO_WAYS, not self.is_worth_it, not gains)
        return *group, -net, cost, -(self.value or 0.0), self.claim

    @property
    def is_worth_it(self) -> bool:
        """Whether it costs no more than the decision brings, as far as either is known."""
        return self.value is None or self.cost is None or self.cost <= self.value


@dataclass(frozen=True)
class Known:
    """What is known of a source's claims.

    Attributes
    ----------
    records : sequence of mapping
        Of its findings, as from `findings.records`.
    settled : set of str
        Claims that all regions together decide, and that stand in their family.
    times : mapping of str to mapping
        By region and claim, as from `sample_size.times_needed`.
    needs : mapping of str to mapping
        By claim, the rows of `sample_size.pooled_needs`.
    plans : sequence of Plan
        Of its trials.
    tried : set of tuple
        Claim and region of trials that were read back.
    pooled : mapping of str to mapping
        By claim that intervals alone leave open over all regions: hypothesis, and parts as those of
        a record.
    """

    records: Sequence[Mapping]
    settled: frozenset[str]
    times: Mapping[str, Mapping[str, float]]
    needs: Mapping[str, Mapping]
    plans: Sequence[Plan] = ()
    tried: frozenset[tuple[str, str]] = frozenset()
    pooled: Mapping[str, Mapping] = field(default_factory=dict)
