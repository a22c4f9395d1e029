"""The ways that decide a claim in a region by what is collected there."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from analysis.claims.across_regions import sample_size
from analysis.claims.deciding import edges
from analysis.claims.deciding.step import COST, Known, Step

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


def ways(
    record: Mapping, regions: tuple[str, ...], known: Known, enough: float | None
) -> Iterable[Step]:
    """Yield the ways that decide a claim in a region, from its record there.

    They take away all that stands in the way, or are named as the first of several.

    Parameters
    ----------
    record : mapping
        Of an open finding.
    regions : tuple of str
        Where the claim is open.
    known : Known
    enough : float or None
        Customers of the regions that decide the claim where its effects are clear; 0 where that
        was not measured, None where no size was found.
    """
    key, where, size = record["hypothesis"], record["region"], record.get("customers", 0)
    failed = {each["name"] for each in record["checks"] if each["blocking"] and not each["passed"]}
    columns = list(record.get("missing", ())) + [FIELDS[name] for name in failed & set(FIELDS)]
    is_alone = record["verdict"] != "not testable" and not edges.open_parts(record)
    given = "" if is_alone and enough is not None else "first"
    if columns and failed <= set(FIELDS):
        names = tuple(dict.fromkeys(columns))
        yield Step(key, regions, "field", where, given=given, columns=names, cost=0.0)
    elif failed and failed <= set(WAVES):
        cost = COST * size
        yield Step(key, regions, "wave", where, n=float(size), given=given, cost=cost)
    elif enough is not None and not failed & {*FIELDS, *WAVES}:
        yield from _more(record, regions, known, enough, is_blocked=bool(failed))


def _more(
    record: Mapping, regions: tuple[str, ...], known: Known, enough: float, *, is_blocked: bool
) -> Iterable[Step]:
    """Yield the way to collect more of what a claim's error shrinks with.

    As many as its effects take, and no fewer than were enough in simulated regions.
    """
    key, where, size = record["hypothesis"], record["region"], record.get("customers", 0)
    is_tested, measured = record["verdict"] != "not testable", enough / size if size else 0.0
    if not is_tested and not (record.get("times") and measured > 1):
        yield Step(key, regions, "untested", where, reason=record["reason"])
        return
    if is_blocked and not measured:  # nothing tells that a larger region passes the check
        return
    factor = known.times.get(where, {}).get(key, math.nan)
    found, given = edges.times(record, factor, measured or math.nan)
    if not is_tested:
        found, given = record["times"], "clear"
    if is_blocked and found < measured:
        given = "clear"
    found = max(found, measured)
    if not measured and given == "clear":
        return
    if not math.isfinite(found) or 0 < measured <= 1:
        yield Step(key, regions, "edge", where)
        return
    more = math.ceil((found - 1) * size)
    cost = COST * more if size else None
    if key in sample_size.COUNTED or not size:
        yield Step(key, regions, "times", where, n=found, given=given, cost=cost)
    else:
        yield Step(key, regions, "customers", where, n=float(more), given=given, cost=cost)
