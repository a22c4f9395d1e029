"""What to do next: every open claim with the cheapest way to decide it, the most worthwhile first.

Costs and values are counted in years of a customer's margin, so that no currency is needed:

- to win, ask or draw lots for one more customer costs `COST` of it;
- a trial without a plan takes as many lots as the textbook says (`by_trial.rough_size`);
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
from dataclasses import replace

from analysis.claims.deciding import by_trial, decidability, edges, in_region
from analysis.claims.deciding.step import COST, NO_WAYS, Known, Step
from analysis.claims.deciding.worth import earns, of_knowing

OPEN = ("inconclusive", "not testable")
MORE = ("customers", "times", "regions")
"""Ways that are more of what is there."""


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
    regions, counted = tuple(record["region"] for record in own), decidability.by_size(key)
    best = decidability.enough(counted, decidability.LEAST)
    enough = 0.0 if counted.empty else None if best is None else float(best["customers"])
    found = list(by_trial.ways(key, own, known))
    if counted.empty or counted["right"].any():
        found += [each for one in own for each in in_region.ways(one, regions, known, enough)]
    if enough is not None:
        found += _over_regions(key, regions, known)
    if key in known.pooled and edges.is_on_edge(known.pooled[key]):
        found = [each for each in found if each.way not in MORE]
        found.append(Step(key, regions, "edge"))
    if enough is None:
        found.append(_scarce(key, regions))
    if any(each.given == "estimated" for each in found):
        found = [each for each in found if each.given not in ("none", "clear")]
    step = min(found, key=_cheapest, default=Step(key, regions, "none"))
    if step.way == "field":
        alike = (each.where for each in found if each.columns == step.columns)
        step = replace(step, places=tuple(dict.fromkeys(alike)))
    return _valued(step, own)


def _scarce(key: str, regions: tuple[str, ...]) -> Step:
    """Return that no size of region is known to decide a claim, with the largest that tells."""
    row = decidability.told(decidability.by_size(key))
    counts = {"n": float(row["customers"]), "could": int(row["right"])}
    return Step(key, regions, "scarce", **counts, needed=int(row["regions"]))


def _over_regions(key: str, regions: tuple[str, ...], known: Known) -> Iterable[Step]:
    """Yield the way to pool a claim over more regions like these."""
    if (need := known.needs.get(key)) is None or key not in known.pooled:
        return
    n = need["regions"]
    found, given = edges.times(known.pooled[key], need["regions_needed"] / n, math.nan)
    if math.isfinite(found) and found > 1:
        sizes = {each["region"]: each.get("customers", 0) for each in known.records}
        more = math.ceil((found - 1) * n)
        cost = COST * more * sum(sizes.values()) / len(sizes)
        yield Step(key, regions, "regions", n=float(more), given=given, cost=cost)


def _cheapest(step: Step) -> tuple[int, float, bool, int]:
    """Return what the ways to decide one claim are compared by; trials go to the largest region."""
    cost = math.inf if step.cost is None else step.cost
    none = NO_WAYS.index(step.way) + 1 if step.way in NO_WAYS else 0
    return none, cost, step.way == "trial", -step.could


def _valued(step: Step, own: Sequence[Mapping]) -> Step:
    """Return a step with what the decision is worth, and whether the claim is tested anywhere."""
    part = earns(step.claim)
    worth = [
        record["customers"] * of_knowing(part, each)
        for record in own
        for each in record["parts"]
        if part and each["key"] == part.key and "estimate" in each and record.get("customers")
    ]
    is_tested = any(record["verdict"] != "not testable" for record in own)
    return replace(step, value=math.fsum(worth) if worth else None, is_tested=is_tested)
