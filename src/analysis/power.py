"""How many more customers it would take to decide."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy import stats

from analysis.estimates import Estimate, on_scale
from analysis.hypotheses import Part, register
from analysis.synthesis import estimates, usable

POWER = 0.8


def factor(part: Part, estimate: Estimate, power: float = POWER) -> float:
    """Return how many times the data it would take to tell "no effect" from the claim.

    The standard error must be small enough that, if there is no effect, the interval misses the
    claim with the probability `power`. It falls with the root of the number of customers.

    Parameters
    ----------
    part : Part
        The distance from "none" to the nearest edge of its claim is what must be told.
    estimate : Estimate
        Its standard error, on the scale of the part, is that of the region's own data.
    power : float
        Between 0 and 1.

    Returns
    -------
    float
        Below 1 where there is enough already; missing where "none" is the edge of the claim:
        no sample tells the two apart.

    References
    ----------
    Schuirmann, D. J. (1987). A comparison of the two one-sided tests procedure and the power
    approach for assessing the equivalence of average bioavailability. Journal of
    Pharmacokinetics and Biopharmaceutics 15, 657-680.
    """
    ends = [each for each in (part.claim.low, part.claim.high) if math.isfinite(each)]
    none = on_scale(part.null, estimate.scale)
    distance = min(abs(on_scale(each, estimate.scale) - none) for each in ends)
    needed = distance / (stats.norm.ppf(0.975) + stats.norm.ppf(power))
    return float((estimate.se / needed) ** 2) if needed > 0 else np.nan


def customers_needed(found: pd.DataFrame, customers: pd.Series) -> pd.DataFrame:
    """Return how many customers each region would need to decide each hypothesis.

    Parameters
    ----------
    found : DataFrame
        As from `findings.tidy`, of one source.
    customers : Series
        Number of customers by region.

    Returns
    -------
    DataFrame
        By hypothesis, one column per region: customers needed for the part that needs most, as
        multiples of the region's own number; missing where there is no estimate.
    """
    rows = found[usable(found)]
    times = [
        factor(_part(key, part), each)
        for key, part, each in zip(rows["hypothesis"], rows["part"], estimates(rows), strict=True)
    ]
    most = rows.assign(times=times).groupby(["hypothesis", "region"])["times"].max().unstack()
    own = customers.reindex(most.columns)
    return np.ceil(most * own).reindex(columns=customers.index.intersection(most.columns))


def _part(hypothesis: str, key: str) -> Part:
    """Return a part of a hypothesis by its key."""
    return next(part for part in register()[hypothesis].parts if part.key == key)
