"""What it is worth to know an effect exactly, over acting on its estimate alone."""

from __future__ import annotations

import math
from collections.abc import Mapping

from analysis.claims import wording
from analysis.claims.hypotheses import Part, hypothesis
from analysis.statistics.estimate import LINKS, Estimate

EARNS = ("margin", "retention")
"""Keys of parts that are money: a share of the margin, or customers who stay and bring theirs."""


def earns(claim: str) -> Part | None:
    """Return the part of a claim that is money: what is brought about, in margin or staying."""
    known = hypothesis(claim)
    parts = {part.key: part for part in known.parts if known.causal}
    return next((parts[key] for key in EARNS if key in parts), None)


def of_knowing(part: Part, each: Mapping) -> float:
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
