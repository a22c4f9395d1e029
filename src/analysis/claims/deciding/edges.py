"""How many times its data a claim would take, and on which effect that rests."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

from scipy import stats

from analysis.claims import wording
from analysis.claims.across_regions.sample_size import POWER
from analysis.claims.hypotheses import hypothesis
from analysis.statistics.estimate import Estimate, on_scale

MOST = 10.0
"""Times the data beyond which an effect counts as on the edge of its claim."""
Given = Literal["estimated", "none", "clear"]
"""The effect that a number rests on: as it is estimated, none at all, or clear of every edge."""
QUANTILES = stats.norm.ppf(0.975) + stats.norm.ppf(POWER)


def times_as_estimated(part: Mapping) -> float:
    """Return how many times its data a part's record would take if its effect is as estimated.

    The standard error must be so small that the interval misses the nearest edge of the claim with
    the probability `POWER`; it falls with the root of the data.

    Examples
    --------
    >>> part = {"estimate": 0.25, "ci_low": 0.054, "ci_high": 0.446, "n_obs": 900}
    >>> part |= {"scale": "identity", "claim": [0.15, None]}
    >>> round(times_as_estimated(part), 2)  # (0.1 (1.96 + 0.84) / 0.1)^2
    7.85
    """
    at = on_scale(part["estimate"], part["scale"])
    away = min(abs(at - edge) for edge in _edges(part))
    return float((_found(part).se * QUANTILES / away) ** 2) if away else math.inf


def can_be_clear(part: Mapping, times: float) -> bool:
    """Tell whether a part's interval holds an effect that so many times its data would decide.

    It is far enough from every edge of the claim: at an end of the interval, or amid the claim.
    """
    found, edges = _found(part), _edges(part)
    needed = found.se * QUANTILES / math.sqrt(times)
    low, high = (on_scale(end, found.scale) for end in (found.ci_low, found.ci_high))
    places = [low, high, min(max(sum(edges) / len(edges), low), high)]  # the last amid the claim
    return any(min(abs(at - edge) for edge in edges) >= needed for at in places)


def times(record: Mapping, factor: float, enough: float) -> tuple[float, Given]:
    """Return how many times its data a record's claim would take, and given which effect.

    As its effects are estimated; where that is on an edge of the claim, but the interval holds
    "no effect", `factor`, which tells that from the claim. Where neither will do within `MOST`, it
    is `enough`, the times that clear effects take, if the interval still holds one that is clear.
    Infinite on the edge.
    """
    parts = open_parts(record)
    found = max(map(times_as_estimated, parts), default=0.0)
    if found <= MOST:
        return found, "estimated"
    if is_on_edge(record):
        return math.inf, "estimated"
    if factor <= MOST:
        return factor, "none"
    can_be = all(can_be_clear(part, enough) for part in parts)
    return (enough if can_be else math.inf), "clear"


def is_on_edge(record: Mapping) -> bool:
    """Tell whether a claim that its interval leaves open is nothing that more data decide."""
    if hypothesis(record["hypothesis"]).reading == "description":
        return False
    excluding = filter(wording.excludes_none, open_parts(record))
    return any(times_as_estimated(part) > MOST for part in excluding)


def open_parts(record: Mapping) -> list[Mapping]:
    """Return the parts of a record that their intervals leave open."""
    return [part for part in record["parts"] if "estimate" in part and wording.fits_both(part)]


def _found(part: Mapping) -> Estimate:
    """Return a part's record as an estimate, with a normal interval."""
    ends = wording.ends(part["ci_low"], part["ci_high"])
    return Estimate(part["estimate"], *ends, part["n_obs"], part["scale"])


def _edges(part: Mapping) -> list[float]:
    """Return the ends of a part's claim, on its scale."""
    ends = wording.claim_ends(part)
    return [on_scale(end, part["scale"]) for end in ends if end is not None]
