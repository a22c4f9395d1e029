"""The trial that decides a claim, and how long it takes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from analysis.claims.deciding.edges import QUANTILES
from analysis.claims.deciding.step import COST, Known, Step
from analysis.claims.trials.designs import LONGEST, Design, design, designs

YEAR = 365.25


def ways(key: str, own: Sequence[Mapping], known: Known) -> Iterable[Step]:
    """Yield the trials that decide a claim in the regions where it is open, in records `own`.

    Only where the part that is drawn for is open, and none was read back; if some have a plan, only
    those. Other parts that are open stay so.
    """
    if key not in designs():
        return
    regions = tuple(record["region"] for record in own)
    own = [r for r in own if (key, r["region"]) not in known.tried and _is_open(_part(r))]
    plans = {each.region: each for each in known.plans if each.claim == key}
    if planned := [record for record in own if record["region"] in plans]:
        for record in planned:
            plan = plans[record["region"]]
            n = float(plan.size)
            needed = plan.needed if plan.needed and plan.needed > n else None
            more = {"trial": plan.trial, "needed": needed, "cost": COST * n}
            yield Step(key, regions, "trial", plan.region, n, _given(record), **more)
        return
    if design(key).decides.sesoi is None:  # its size follows from costs, which a plan reads
        return
    n, everywhere = rough_size(design(key)), [r for r in known.records if r["hypothesis"] == key]
    is_of_cases = design(key).unit_is == "complaint"
    total = sum(map(_could, everywhere))
    years = _years(n, everywhere) if is_of_cases else None
    is_small = years is not None and years > LONGEST if is_of_cases else 0 < total < n
    for record in own:
        if is_small:
            yield Step(key, regions, "small", n=n, could=total, years=years)
        else:
            alone = _years(n, [record]) if is_of_cases else None
            more = {"could": _could(record), "years": alone, "cost": COST * n}
            yield Step(key, regions, "trial", record["region"], n, _given(record), **more)


def rough_size(each: Design) -> float:
    """Return how many units a trial takes about, in two arms of one size, without history.

    An effect of twice the smallest that matters, of those who take what they are offered, must be
    told from the smallest itself, as in `edges.times_as_estimated`. The variance is 1 where effects
    are in standard deviations, and the largest that a share can have where they are points.
    """
    apart = each.compliance * float(each.decides.sesoi or math.nan)
    variance = 0.25 if each.decides.show == "points" else 1.0
    return float(math.ceil(4 * variance * (QUANTILES / apart) ** 2))


def _part(record: Mapping) -> Mapping:
    """Return the part of a claim's record that a trial decides."""
    key = design(record["hypothesis"]).part
    return next(each for each in record["parts"] if each["key"] == key)


def _is_open(part: Mapping) -> bool:
    """Tell whether a part is open; where a check blocks its claim each of them is."""
    return part.get("verdict") in (None, "inconclusive")


def _given(record: Mapping) -> Literal["part", ""]:
    """Tell whether other parts than that of the trial are open as well."""
    rest = [each for each in record["parts"] if each["key"] != _part(record)["key"]]
    return "part" if any(map(_is_open, rest)) else ""


def _could(record: Mapping) -> int:
    """Return about how many could take part in a trial: as many as its part rests on."""
    return _part(record).get("n_obs", record.get("customers", 0))


def _years(n: float, records: Sequence[Mapping]) -> float | None:
    """Return in how many years n cases come, as many a year as the findings rest on.

    None where no record tells; one without an estimate counts for none.
    """
    known = [each for each in records if each.get("days") and "estimate" in each["parts"][0]]
    rate = sum(_could(each) / each["days"] * YEAR for each in known)
    return n / rate if rate else None
