"""Claims as a family: Holm's adjustment over what is tested at once, and the best claims first."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from analysis.claims import verdicts
from analysis.claims.hypotheses import Hypothesis, register
from analysis.statistics.estimate import LINKS, Scale

ALPHA = 0.05
KEYS = ["source", "region", "hypothesis"]
BEST_FIRST = [
    "supported", "contradicted", "too small to matter", "inconclusive", "not testable", "failed",
]  # fmt: skip


def by_region(found: pd.DataFrame) -> pd.DataFrame:
    """Return each region's own verdicts, held against the family of its hypotheses.

    Parameters
    ----------
    found : DataFrame
        As from `findings.tidy`.

    Returns
    -------
    DataFrame
        One row per source, region and hypothesis: verdict, p_value, p_holm and survives
        (of the region's hypotheses), and p_grid: Benjamini and Hochberg's over all hypotheses
        and regions of the source, for looking around.

    References
    ----------
    Benjamini, Y., & Hochberg, Y. (1995). Controlling the false discovery rate. Journal of the
    Royal Statistical Society B 57, 289-300.
    """
    found = found.drop_duplicates([*KEYS, "part"])
    table = found.drop_duplicates(KEYS)[[*KEYS, "verdict"]].reset_index(drop=True)
    groups = found[complete(found)].groupby("hypothesis", sort=False)
    known = [_p_values(register()[key], own) for key, own in groups]
    p = pd.concat([pd.Series(dtype=float), *known])
    table["p_value"] = p.reindex(pd.MultiIndex.from_frame(table[KEYS])).to_numpy()
    table = in_families(table, ["source", "region"])
    tested = table[table["p_value"].notna()].groupby("source")["p_value"]
    table["p_grid"] = tested.transform(stats.false_discovery_control)
    return table


def family(found: pd.DataFrame, pools: pd.DataFrame) -> pd.DataFrame:
    """Say for each source whether its claims are the pooled ones or each region's own.

    Pooled as soon as one hypothesis is pooled over the regions; else (few regions, or all of
    them blocked, failed or not testable) the claims of each region are a family of its own, as
    from `by_region`. This is the one place that decides it.

    Parameters
    ----------
    found : DataFrame
        With a source and a region of each finding.
    pools : DataFrame
        As from `pooled`, of the same findings.

    Returns
    -------
    DataFrame
        By source, in the order of `found`: is_pooled; claims (pooled hypotheses); regions (with
        findings) and poolable (the most regions over which one of its hypotheses can be pooled).
    """
    counts = found.groupby("source", sort=False)["region"].nunique().rename("regions").to_frame()
    with_numbers = pools[pools["estimate"].notna()]
    counts["poolable"] = pools.groupby("source")["n_regions"].max()
    counts["claims"] = with_numbers.groupby("source")["hypothesis"].nunique()
    counts = counts.fillna(0).astype(int)
    return counts.assign(is_pooled=counts["claims"] > 0)


def ranked(pools: pd.DataFrame) -> pd.DataFrame:
    """Return the pooled hypotheses (as from `pooled`), the row of each headline part, best first.

    Verdicts go as in `BEST_FIRST`; within each, what stands in the family goes first, then by
    p-value. Sources keep their order.
    """
    headlines = [register()[key].parts[0].key for key in pools["hypothesis"]]
    return best_first(pools[pools["part"] == headlines])


def best_first(table: pd.DataFrame) -> pd.DataFrame:
    """Sort rows with verdict, survives and p_value within their source, best claims first."""
    table = table.reset_index(drop=True)
    order = table.assign(
        source=pd.factorize(table["source"])[0],
        verdict=table["verdict"].map(BEST_FIRST.index),
        falls=~table["survives"].astype(bool),
    ).sort_values(["source", "verdict", "falls", "p_value", "hypothesis"])
    return table.loc[order.index].reset_index(drop=True)


def usable(rows: pd.DataFrame) -> pd.Series:
    """Mark the rows of findings that no check blocks and that are estimated, with an error."""
    return has_numbers(rows) & (rows["blocked_by"] == "")


def complete(found: pd.DataFrame) -> pd.Series:
    """Mark the rows from regions in which all parts of their hypothesis are usable."""
    return usable(found).groupby([found[name] for name in KEYS], sort=False).transform("all")


def adjusted(table: pd.DataFrame, family: list[str]) -> pd.Series:
    """Adjust the p-values of a table, where it has them, within each family (columns), by Holm.

    As statsmodels' `multipletests`, of all families at once; that collects garbage for each.
    """
    known = table[table["p_value"].notna()].astype({"p_value": float}).sort_values("p_value")
    groups = known.groupby(family)["p_value"]
    steps = known["p_value"] * (groups.transform("size") - groups.cumcount())
    p = steps.groupby([known[name] for name in family]).cummax().clip(upper=1)
    return p.reindex(table.index)


def in_families(table: pd.DataFrame, family: list[str]) -> pd.DataFrame:
    """Add p_holm and survives: a hypothesis counts once, whatever the number of its parts."""
    keys = [*family, "hypothesis"]
    one = table.drop_duplicates(keys)
    p = one.assign(p_holm=adjusted(one, family)).set_index(keys)["p_holm"]
    p_holm = p.reindex(pd.MultiIndex.from_frame(table[keys])).to_numpy(float)
    return table.assign(p_holm=p_holm, survives=p_holm <= ALPHA)


def has_numbers(rows: pd.DataFrame) -> pd.Series:
    """Mark the rows that are estimated, with an error."""
    ends = rows[["ci_low", "ci_high"]].to_numpy(float)
    has_error = np.isfinite(ends).all(axis=1) & (ends[:, 0] < ends[:, 1])
    return rows["estimate"].notna() & has_error


def _p_values(known: Hypothesis, own: pd.DataFrame) -> pd.Series:
    """Return the p of a hypothesis in each region, by source, region and hypothesis."""
    rows = [own[own["part"] == part.key].set_index(KEYS) for part in known.parts]
    rows = [each.reindex(rows[0].index) for each in rows]
    p = verdicts.p_of_verdicts(
        known.parts,
        [_Column(part.scale, each) for part, each in zip(known.parts, rows, strict=True)],
        rows[0]["verdict"].to_numpy(),
        np.array([each["part_verdict"] for each in rows]),
    )
    return pd.Series(p, rows[0].index)


class _Column:
    """One effect in many regions, with the answers of an `Estimate` as arrays."""

    def __init__(self, scale: Scale, rows: pd.DataFrame) -> None:
        self._link, inverse = LINKS[scale]
        low, high = self._link(rows[["ci_low", "ci_high"]].to_numpy(float).T)
        self._df, self._middle = rows["df"].to_numpy(float), (low + high) / 2
        self._se = (high - low) / 2 / stats.t.ppf(0.975, self._df)
        self.middle = inverse(self._middle)

    def p_value(self, value: float) -> np.ndarray:
        """Return the two-sided p-values of "the effect equals `value`"."""
        with np.errstate(divide="ignore"):
            away = np.abs(self._middle - self._link(value)) / self._se
        return 2 * stats.t.sf(away, self._df)
