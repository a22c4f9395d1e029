"""What to do next: every open claim with the cheapest way to decide it, the most worthwhile first.

Costs and values are counted in years of a customer's margin, so that no currency is needed:

- to win, ask or draw lots for one more customer costs `COST` of it;
- a trial without a plan takes as many lots as the textbook says (`rough_size`);
- acting on a claim pays from the smallest effect that matters on, and an effect beyond that brings
  its excess, for every customer of the regions where the claim is open;
- what is known of an effect is normal, with the mean and error of its estimate. The value of a
  decision is what knowing the effect exactly would bring over acting on the estimate alone.

References
----------
Raiffa, H. and Schlaifer, R. (1961). Applied Statistical Decision Theory. Harvard University,
chapter 5 (the expected value of perfect information, and the unit normal loss).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from scipy import stats

from analysis.claims.across_regions import sample_size
from analysis.claims.deciding import decidability, edges
from analysis.claims.deciding.worth import earns, of_knowing
from analysis.claims.trials.designs import Design, design, designs
from analysis.claims.trials.plans import Plan

COST = 0.02
"""Of one more customer, one more answer, or one lot: share of a customer's yearly margin."""
OPEN = ("inconclusive", "not testable")
FIELDS = {
    "severity is held equal": "complaints.severity",
    "cases whose severity is known": "complaints.severity",
    "contacts whose cost is known": "contacts.cost",
}
"""Columns without which a check fails."""
WAVES = (
    "satisfaction was asked before loyalty",
    "complainers whose satisfaction before is known",
    "waves before the change",
)
"""Checks that an earlier wave of the survey would pass."""
Way = Literal[
    "field", "wave", "customers", "clear", "times", "regions", "trial", "small", "edge", "none",
]  # fmt: skip
NO_WAYS = ("small", "edge", "none")


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
        them in a region; "clear": so many, if its effects are clear; "times": so many times what
        its error shrinks with; "regions": more of them; "trial"; "small": a trial, for which all
        regions are too small; "edge": none, as the effect lies on the edge of the claim; "none"
        that is known.
    where : str
        The region in which it is cheapest; empty where it is in none of its own.
    n : float or None
        Customers, times, regions, or units of a trial; None where the way has no number.
    columns : tuple of str
        To be recorded.
    trial : str
        Name of the trial's plan, where one is registered.
    could : int
        Units of the region's data that could take part in a trial, or for "small" of all regions;
        0 where that is not known.
    needed : int or None
        Units for 80% power of a trial that is planned with fewer.
    value, cost : float or None
        In years of a customer's margin; None where no margin is in the outcome, or not known.
    """

    claim: str
    regions: tuple[str, ...]
    way: Way
    where: str = ""
    n: float | None = None
    columns: tuple[str, ...] = ()
    trial: str = ""
    could: int = 0
    needed: int | None = None
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
    edges : set of str
        Claims whose effect over all regions lies on an edge of what is claimed.
    """

    records: Sequence[Mapping]
    settled: frozenset[str]
    times: Mapping[str, Mapping[str, float]]
    needs: Mapping[str, Mapping]
    plans: Sequence[Plan] = ()
    tried: frozenset[tuple[str, str]] = frozenset()
    edges: frozenset[str] = frozenset()


def steps(known: Known) -> list[Step]:
    """Return the cheapest way to decide each open claim of a source, the most worthwhile first.

    Those that all regions together decide are not open.
    """
    made = [_step(key, own, known) for key, own in _open(known).items() if key not in known.settled]
    return sorted(made, key=lambda each: each.rank)


def settled_together(known: Known) -> list[str]:
    """Return the claims that are open in a region and that all regions together decide."""
    return [key for key in _open(known) if key in known.settled]


def _open(known: Known) -> dict[str, list[Mapping]]:
    """Return the records of findings that are open, by claim."""
    found: dict[str, list[Mapping]] = {}
    for record in known.records:
        if record["verdict"] in OPEN:
            found.setdefault(record["hypothesis"], []).append(record)
    return found


def _step(key: str, own: Sequence[Mapping], known: Known) -> Step:
    """Return the cheapest way to decide a claim, from its records where it is open."""
    regions = tuple(record["region"] for record in own)
    sizes = [each.get("customers", 0) for each in own if each["verdict"] == "inconclusive"]
    outlook, counted = decidability.outlook(key, max(sizes, default=0)), decidability.by_size(key)
    outlook = "edge" if key in known.edges and outlook != "never" else outlook
    enough = decidability.enough(counted, decidability.LEAST) if outlook == "data" else None
    size = None if enough is None else int(enough["customers"])
    is_hopeless = outlook == "never" or (len(counted) > 0 and not counted["right"].any())
    found = [each for record in own for each in _trial(record, regions, known)]
    if not is_hopeless:
        found += [each for record in own for each in _in_region(record, regions, known, size)]
        found += _over_regions(key, regions, known)
    if outlook == "edge":
        found = [each for each in found if each.way not in ("customers", "times", "regions")]
        found.append(Step(key, regions, "edge"))
    best = min(found, key=_cheapest, default=Step(key, regions, "none"))
    return _valued(best, own)


def _in_region(
    record: Mapping, regions: tuple[str, ...], known: Known, enough: int | None
) -> Iterable[Step]:
    """Yield the ways that decide a claim in a region by what is collected there.

    They take away all that stands in the way. `enough` customers decide it where its effects are
    clear.
    """
    key, where, size = record["hypothesis"], record["region"], record.get("customers", 0)
    failed = {each["name"] for each in record["checks"] if each["blocking"] and not each["passed"]}
    columns = list(record.get("missing", ())) + [FIELDS[name] for name in failed & set(FIELDS)]
    factor = known.times.get(where, {}).get(key, math.nan)
    if columns and failed <= set(FIELDS):
        yield Step(key, regions, "field", where, columns=tuple(dict.fromkeys(columns)), cost=0.0)
    elif failed and failed <= set(WAVES):
        yield Step(key, regions, "wave", where, n=float(size), cost=COST * size)
    elif math.isfinite(factor):
        yield _more(key, regions, where, edges.times(record, factor), size)
    elif enough and 0 < size < enough and not failed & {*FIELDS, *WAVES}:
        more = float(enough - size)
        yield Step(key, regions, "clear", where, n=more, cost=COST * more)


def _trial(record: Mapping, regions: tuple[str, ...], known: Known) -> Iterable[Step]:
    """Yield the trial that decides a claim in a region, unless one was read back there."""
    key, where = record["hypothesis"], record["region"]
    if key not in designs() or (key, where) in known.tried:
        return
    plans = [each for each in known.plans if (each.claim, each.region) == (key, where)]
    if plans:
        n, needed = float(plans[0].size), plans[0].needed
        needed = needed if needed and needed > n else None
        yield Step(
            key, regions, "trial", where, n, trial=plans[0].trial, needed=needed, cost=COST * n
        )
        return
    n, could = rough_size(design(key)), _could(record)
    total = sum(_could(each) for each in known.records if each["hypothesis"] == key)
    if 0 < total < n and design(key).unit_is == "customer":
        yield Step(key, regions, "small", n=n, could=total)
    else:
        yield Step(key, regions, "trial", where, n, could=could, cost=COST * n)


def _could(record: Mapping) -> int:
    """Return about how many could take part in a trial: as many as its part rests on."""
    part = next(
        each for each in record["parts"] if each["key"] == design(record["hypothesis"]).part
    )
    return part.get("n_obs", record.get("customers", 0))


def rough_size(each: Design) -> float:
    """Return how many units a trial takes about, in two arms of one size, without history.

    An effect of twice the smallest that matters, of those who take what they are offered, must be
    told from the smallest itself with the probability `sample_size.POWER`. The variance is 1 where
    effects are in standard deviations, and the largest that a share can have where they are points.
    """
    apart = each.compliance * float(each.decides.sesoi or math.nan)
    variance = 0.25 if each.decides.show == "points" else 1.0
    quantiles = stats.norm.ppf(0.975) + stats.norm.ppf(sample_size.POWER)
    return float(math.ceil(4 * variance * (quantiles / apart) ** 2))


def _more(key: str, regions: tuple[str, ...], where: str, factor: float, size: int) -> Step:
    """Return the way to collect more of what a claim's error shrinks with."""
    if not math.isfinite(factor):
        return Step(key, regions, "edge", where)
    more = math.ceil((factor - 1) * size)
    if key in sample_size.COUNTED or not size:
        return Step(key, regions, "times", where, n=factor, cost=COST * more if size else None)
    return Step(key, regions, "customers", where, n=float(more), cost=COST * more)


def _over_regions(key: str, regions: tuple[str, ...], known: Known) -> Iterable[Step]:
    """Yield the way to pool a claim over more regions like these."""
    need = known.needs.get(key)
    if need is None or not math.isfinite(need["regions_needed"]):
        return
    if need["regions_needed"] <= need["regions"]:  # as many as tell "none" from the claim
        yield Step(key, regions, "edge")
        return
    sizes = {each["region"]: each.get("customers", 0) for each in known.records}
    more = need["regions_needed"] - need["regions"]
    yield Step(key, regions, "regions", n=more, cost=COST * more * sum(sizes.values()) / len(sizes))


def _cheapest(step: Step) -> tuple[int, float, bool, int]:
    """Return what the ways to decide one claim are compared by; trials go to the largest region."""
    cost = math.inf if step.cost is None else step.cost
    none = NO_WAYS.index(step.way) + 1 if step.way in NO_WAYS else 0
    return none, cost, step.way == "trial", -step.could


def _valued(step: Step, own: Sequence[Mapping]) -> Step:
    """Return a step with what the decision is worth in the regions where its claim is open."""
    part = earns(step.claim)
    worth = [
        record["customers"] * of_knowing(part, each)
        for record in own
        for each in record["parts"]
        if part and each["key"] == part.key and "estimate" in each and record.get("customers")
    ]
    return replace(step, value=math.fsum(worth) if worth else None)
