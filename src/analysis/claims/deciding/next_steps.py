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

from analysis.claims import across_regions, wording
from analysis.claims.across_regions import sample_size
from analysis.claims.deciding import decidability
from analysis.claims.hypotheses import Part, hypothesis
from analysis.claims.trials.designs import Design, design, designs
from analysis.claims.trials.plans import Plan
from analysis.statistics.estimate import LINKS, Estimate

COST = 0.02
"""Of one more customer, one more answer, or one lot: share of a customer's yearly margin."""
OPEN = ("inconclusive", "not testable")
DECIDED = across_regions.BEST_FIRST[:3]
EARNS = ("margin", "retention")
"""Keys of parts that are money: a share of the margin, or customers who stay and bring theirs."""
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
Way = Literal["pool", "field", "wave", "customers", "clear", "times", "regions", "trial", "none"]


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
        "pool": all regions together decide it; "field": columns to be recorded; "wave": one more
        wave of the survey; "customers": more of them in a region; "clear": so many, if its effects
        are clear; "times": so many times what its error shrinks with; "regions": more of them;
        "trial"; "none" that is known.
    where : str
        The region in which it is cheapest; empty where it is in none of its own.
    n : float or None
        Customers, times, regions, or units of a trial; None where the way has no number.
    columns : tuple of str
        To be recorded.
    trial : str
        Name of the trial's plan, where one is registered.
    customers : int
        Of the region; 0 where that is not known.
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
    customers: int = 0
    value: float | None = None
    cost: float | None = None

    @property
    def rank(self) -> tuple:
        """What steps are sorted by.

        First those with a value, by how much it is above the cost; then by cost; a cost that is not
        known comes after those that are, and claims that nothing decides come last.
        """
        gains = self.value is not None and self.cost is not None
        net = self.value - self.cost if gains else 0.0
        cost = math.inf if self.cost is None else self.cost
        return self.way == "none", not gains, -net, cost, -(self.value or 0.0), self.claim


@dataclass(frozen=True)
class Known:
    """What is known of a source's claims.

    Attributes
    ----------
    records : sequence of mapping
        Of its findings, as from `findings.records`.
    verdicts : mapping of str to str
        By claim, over all regions.
    times : mapping of str to mapping
        By region and claim, as from `sample_size.times_needed`.
    needs : mapping of str to mapping
        By claim, the rows of `sample_size.pooled_needs`.
    plans : sequence of Plan
        Of its trials.
    tried : set of tuple
        Claim and region of trials that were read back.
    """

    records: Sequence[Mapping]
    verdicts: Mapping[str, str]
    times: Mapping[str, Mapping[str, float]]
    needs: Mapping[str, Mapping]
    plans: Sequence[Plan] = ()
    tried: frozenset[tuple[str, str]] = frozenset()


def steps(known: Known) -> list[Step]:
    """Return the cheapest way to decide each open claim of a source, the most worthwhile first."""
    is_open: dict[str, list[Mapping]] = {}
    for record in known.records:
        if record["verdict"] in OPEN:
            is_open.setdefault(record["hypothesis"], []).append(record)
    made = [_step(key, own, known) for key, own in is_open.items()]
    return sorted(made, key=lambda each: each.rank)


def _step(key: str, own: Sequence[Mapping], known: Known) -> Step:
    """Return the cheapest way to decide a claim, from its records where it is open."""
    regions = tuple(record["region"] for record in own)
    if known.verdicts.get(key) in DECIDED:
        return Step(key, regions, "pool", cost=0.0)
    outlook, counted = decidability.outlook(key), decidability.by_size(key)
    enough = decidability.enough(counted) if outlook == "data" else None
    size = None if enough is None else int(enough["customers"])
    found = [
        each
        for record in own
        for each in _in_region(record, regions, known, size, numbers=outlook != "never")
    ]
    if outlook != "never":
        found += _over_regions(key, regions, known)
    best = min(found, key=_cheapest, default=Step(key, regions, "none"))
    return _valued(best, own)


def _in_region(
    record: Mapping, regions: tuple[str, ...], known: Known, enough: int | None, *, numbers: bool
) -> Iterable[Step]:
    """Yield the ways that decide a claim in a region.

    `enough` customers decide it where its effects are clear; `numbers` says whether any do.
    """
    key, where, size = record["hypothesis"], record["region"], record.get("customers", 0)
    failed = {each["name"] for each in record["checks"] if each["blocking"] and not each["passed"]}
    columns = list(record.get("missing", ())) + [FIELDS[name] for name in failed & set(FIELDS)]
    if columns:
        yield Step(key, regions, "field", where, columns=tuple(dict.fromkeys(columns)), cost=0.0)
        return
    if failed & set(WAVES):
        yield Step(key, regions, "wave", where, n=float(size), cost=COST * size)
    factor = known.times.get(where, {}).get(key, math.nan)
    if math.isfinite(factor) and numbers:
        yield _more(key, regions, where, factor, size)
    elif enough and 0 < size < enough:
        more = float(enough - size)
        yield Step(key, regions, "clear", where, n=more, cost=COST * more)
    if key in designs() and (key, where) not in known.tried:
        plan = next(
            (each for each in known.plans if (each.claim, each.region) == (key, where)), None
        )
        n = float(plan.needed or plan.size) if plan else rough_size(design(key))
        name = plan.trial if plan else ""
        yield Step(key, regions, "trial", where, n, trial=name, customers=size, cost=COST * n)


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


def earns(claim: str) -> Part | None:
    """Return the part of a claim that is money: what is brought about, in margin or staying."""
    known = hypothesis(claim)
    parts = {part.key: part for part in known.parts if known.causal}
    return next((parts[key] for key in EARNS if key in parts), None)


def _more(key: str, regions: tuple[str, ...], where: str, factor: float, size: int) -> Step:
    """Return the way to collect more of what a claim's error shrinks with."""
    factor = max(factor, 1.1)
    more = math.ceil((factor - 1) * size)
    if key in sample_size.COUNTED:
        return Step(key, regions, "times", where, n=factor, cost=COST * more if size else None)
    return Step(key, regions, "customers", where, n=float(more), cost=COST * more)


def _over_regions(key: str, regions: tuple[str, ...], known: Known) -> Iterable[Step]:
    """Yield the way to pool a claim over more regions like these."""
    need = known.needs.get(key)
    if need is None or not math.isfinite(need["regions_needed"]):
        return
    sizes = {each["region"]: each.get("customers", 0) for each in known.records}
    more = max(need["regions_needed"] - need["regions"], 1.0)
    yield Step(key, regions, "regions", n=more, cost=COST * more * sum(sizes.values()) / len(sizes))


def _cheapest(step: Step) -> tuple[float, bool, int]:
    """Return what the ways to decide one claim are compared by; trials go to the largest region."""
    cost = math.inf if step.cost is None else step.cost
    return cost, step.way == "trial", -step.customers


def _valued(step: Step, own: Sequence[Mapping]) -> Step:
    """Return a step with what the decision is worth in the regions where its claim is open."""
    part = earns(step.claim)
    worth = [
        record["customers"] * _of_knowing(part, each)
        for record in own
        for each in record["parts"]
        if part and each["key"] == part.key and "estimate" in each and record.get("customers")
    ]
    return replace(step, value=math.fsum(worth) if worth else None)


def _of_knowing(part: Part, each: Mapping) -> float:
    """Return what knowing an effect is worth, per customer: the unit normal loss of its edge.

    On the scale of the estimate: a log ratio is about the share that it changes the margin by.
    """
    link, _ = LINKS[part.scale]
    ends = wording.ends(each["ci_low"], each["ci_high"])
    known = Estimate(each["estimate"], *ends, each["n_obs"], part.scale, each.get("df") or math.inf)
    away = abs(float(link(known.middle) - link(_edge(part)))) / known.se
    density = math.exp(-(away**2) / 2) / math.sqrt(2 * math.pi)
    return known.se * (density - away * math.erfc(away / math.sqrt(2)) / 2)


def _edge(part: Part) -> float:
    """Return the edge of a claim that is nearest to none: where acting begins to pay."""
    link, _ = LINKS[part.scale]
    return min(part.claim.ends, key=lambda end: abs(float(link(end)) - float(link(part.null))))
