"""How much more data it would take to decide: customers of a region, and regions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import optimize, stats

from analysis.claims.across_regions.families import usable
from analysis.claims.across_regions.pooling import estimates, taking_part
from analysis.claims.hypotheses import Part, register
from analysis.language import phrase
from analysis.statistics import meta_analysis
from analysis.statistics.estimate import Estimate, on_scale

POWER = 0.8
MOST_REGIONS = 10_000
COUNTED = {"H05": phrase("stations with works"), "H21": phrase("campaigns")}
"""What errors shrink with, where that is not the number of customers."""


def factor(part: Part, estimate: Estimate) -> float:
    """Return how many times the data it would take to tell "no effect" from the claim.

    The standard error must be small enough that, if there is no effect, the interval misses the
    claim, whose nearest edge is what must be told, with the probability `POWER`. It falls with the
    root of the number of customers. The factor is missing where "none" is the edge of the claim: no
    sample tells the two apart.

    References
    ----------
    Schuirmann, D. J. (1987). A comparison of the two one-sided tests procedure and the power
    approach for assessing the equivalence of average bioavailability. Journal of
    Pharmacokinetics and Biopharmaceutics 15, 657-680.
    """
    needed = _distance(part, estimate) / (stats.norm.ppf(0.975) + stats.norm.ppf(POWER))
    return float((estimate.se / needed) ** 2) if needed > 0 else np.nan


def times_needed(found: pd.DataFrame) -> pd.DataFrame:
    """Return how many times its data each region would need to decide each hypothesis.

    Parameters
    ----------
    found : DataFrame
        As from `findings.tidy`, of one source.

    Returns
    -------
    DataFrame
        By hypothesis, one column per region: `factor` for the part that needs most; missing
        where the region has no estimate, or a check blocks it: one of size is met by more data,
        others are not. So it is for claims that describe a level, which "no effect" is none of.
    """
    rows = found[usable(found) & ~found["hypothesis"].map(_describes)]
    times = [
        factor(_part(key, part), each)
        for key, part, each in zip(rows["hypothesis"], rows["part"], estimates(rows), strict=True)
    ]
    most = rows.assign(times=times).groupby(["hypothesis", "region"])["times"].max().unstack()
    names = found[["hypothesis", "region"]].drop_duplicates()
    return most.reindex(names["hypothesis"].unique(), columns=names["region"].unique())


def customers_needed(times: pd.DataFrame, customers: pd.Series) -> pd.DataFrame:
    """Return how many customers each region would need, from `times_needed` and how many it has.

    Hypotheses whose errors shrink with something else (`COUNTED`) are left out.
    """
    rows = times.drop(index=list(COUNTED), errors="ignore")
    return np.ceil(rows * customers.reindex(times.columns))


def further(needed: pd.DataFrame, customers: pd.Series) -> pd.DataFrame:
    """Return how many further customers the regions would need together, from `customers_needed`.

    By hypothesis, the nearest to a decision first, there are known and regions (how many have a
    number, and of how many) and customers, missing unless all regions have a number.
    """
    more = needed.sub(customers.reindex(needed.columns)).clip(lower=0)
    table = pd.DataFrame({"known": needed.notna().sum(axis=1), "regions": needed.shape[1]})
    table["customers"] = more.sum(axis=1, min_count=1).where(needed.notna().all(axis=1))
    return table.sort_values(["customers", "known"], ascending=[True, False], kind="stable")


def regions_needed(part: Part, regions: Sequence[Estimate]) -> float:
    """Return over how many regions of the same kind an effect would have to be pooled.

    As `factor`, for the mean over regions: its standard error, with the spread between regions
    as it is estimated, falls with the root of their number k; the quantiles are those of t(k - 1).
    It is at least 3, and infinite where `MOST_REGIONS` would not do.
    """
    pool, k = meta_analysis.pool(regions), np.arange(3, MOST_REGIONS + 1)
    distance, errors = _distance(part, pool), pool.normal_se * np.sqrt(pool.n_regions / k)
    if distance == 0:
        return np.nan
    enough = errors * _quantiles(k) <= distance
    return float(k[enough.argmax()]) if enough.any() else np.inf


def customers_factor(part: Part, regions: Sequence[Estimate]) -> float:
    """Return how many times their customers the same regions would need, pooled, as `factor`.

    It is infinite where no number of customers helps: the spread between regions alone leaves the
    mean over so few of them too uncertain.
    """
    pool, k = meta_analysis.pool(regions), len(regions)
    needed, errors = _distance(part, pool) / _quantiles(k), [each.se for each in regions]
    if needed == 0:
        return np.nan
    if pool.tau / math.sqrt(k) >= needed:
        return np.inf

    def excess(log_times: float) -> float:
        variances = np.square(errors) / math.exp(log_times) + pool.tau**2
        return (1 / variances).sum() - needed**-2

    return math.exp(optimize.brentq(excess, -50, 50))


def pooled_needs(found: pd.DataFrame, others: pd.DataFrame, pools: pd.DataFrame) -> pd.DataFrame:
    """Return what it would take to decide the pooled claims whose intervals leave them open.

    Parameters
    ----------
    found, others, pools : DataFrame
        As from `findings.tidy`, `findings.variants` and `across_regions.pooled`, of one source.

    Returns
    -------
    DataFrame
        By hypothesis: regions, regions_needed and times_the_customers, of the part that needs
        most; infinite where no number would do. Claims that hang on a check are not in it: it is
        not the amount of data alone that keeps them open. Nor are those that describe a level.
    """
    is_open = (pools["verdict"] == "inconclusive") & (pools["reason"] == "")
    is_open &= ~pools["hypothesis"].map(_describes)
    rows = []
    for row in pools[is_open].itertuples():
        part = _part(row.hypothesis, row.part)
        own = estimates(taking_part(found, others, row.hypothesis, row.part))
        needs = {"regions_needed": regions_needed(part, own)}
        needs["times_the_customers"] = customers_factor(part, own)
        rows.append({"hypothesis": row.hypothesis, "regions": len(own)} | needs)
    columns = ["hypothesis", "regions", "regions_needed", "times_the_customers"]
    return pd.DataFrame(rows, columns=columns).groupby("hypothesis").max()


def _distance(part: Part, estimate: Estimate) -> float:
    """Return how far "none" is from the nearest edge of the claim, on the estimate's scale."""
    none = on_scale(part.null, estimate.scale)
    return min(abs(on_scale(end, estimate.scale) - none) for end in part.claim.ends)


def _describes(hypothesis: str) -> bool:
    """Tell whether a claim describes a level, so that there may not be nothing in it."""
    return register()[hypothesis].reading == "description"


def _quantiles(k: ArrayLike) -> np.ndarray:
    """Return how many errors of the mean over k regions the distance must be."""
    return stats.t.ppf(0.975, k - 1) + stats.t.ppf(POWER, k - 1)


def _part(hypothesis: str, key: str) -> Part:
    """Return a part of a hypothesis by its key."""
    return next(part for part in register()[hypothesis].parts if part.key == key)
