"""Whether more data would decide an effect, or it lies on the edge of what is claimed."""

from __future__ import annotations

import math
from collections.abc import Mapping

from scipy import stats

from analysis.claims import wording
from analysis.claims.across_regions.sample_size import POWER
from analysis.claims.hypotheses import hypothesis
from analysis.statistics.estimate import Estimate, on_scale

MOST = 10.0
"""Times the data beyond which an effect counts as on the edge of its claim."""


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
    ends = wording.ends(part["ci_low"], part["ci_high"])
    found = Estimate(part["estimate"], *ends, part["n_obs"], part["scale"])
    middle = on_scale(found.middle, found.scale)
    edges = [on_scale(end, found.scale) for end in wording.claim_ends(part) if end is not None]
    away = min(abs(middle - edge) for edge in edges)
    quantiles = stats.norm.ppf(0.975) + stats.norm.ppf(POWER)
    return float((found.se * quantiles / away) ** 2) if away else math.inf


def times(record: Mapping, factor: float) -> float:
    """Return how many times its data a record's claim would take; infinite on the edge.

    It is `factor`, which tells "no effect" from the claim, unless its interval does not hold "no
    effect", or is narrow enough for that: then as if the effect is as estimated.
    """
    parts = [part for part in record["parts"] if "estimate" in part and wording.fits_both(part)]
    excludes = parts and all(wording.excludes_none(part) for part in parts)
    if factor > 1 and not excludes:
        return factor
    found = max(map(times_as_estimated, parts), default=math.inf)
    return found if found <= MOST else math.inf


def is_on_edge(record: Mapping) -> bool:
    """Tell whether a claim that its interval leaves open is nothing that more data decide."""
    if hypothesis(record["hypothesis"]).reading == "description":
        return False
    parts = filter(wording.fits_both, record["parts"])
    excluding = [part for part in parts if wording.excludes_none(part)]
    return any(times_as_estimated(part) > MOST for part in excluding)
