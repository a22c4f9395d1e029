"""Every hypothesis over the regions of a source: pooled, and held against the family."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from analysis import pooling, verdicts
from analysis.estimates import Estimate
from analysis.hypotheses import Hypothesis, register

LEAST_REGIONS = 3
"""Regions without which nothing is pooled: how far regions differ can't be told from two."""
LEAST_TO_PREDICT = 5
"""Regions without which nothing is said of a further region."""
ALPHA = 0.05
BEST_FIRST = [
    "supported", "contradicted", "too small to matter", "inconclusive", "not testable", "failed",
]  # fmt: skip
COLUMNS = [
    "source", "hypothesis", "part", "verdict", "part_verdict", "survives", "p_value", "p_holm",
    "estimate", "ci_low", "ci_high", "prediction_low", "prediction_high",
    "tau", "tau_low", "tau_high", "i2", "i2_low", "i2_high", "q", "q_p_value",
    "scale", "n_obs", "n_regions", "regions", "left_out", "reason",
]  # fmt: skip


def pooled(found: pd.DataFrame) -> pd.DataFrame:
    """Pool every hypothesis over the regions of each source.

    A region takes part with a finding that no blocking check has capped; what failed, can't
    be tested or is blocked is named in `left_out`, and nothing is put in its place. Verdicts
    are those of `verdicts.judge` on the pooled intervals.

    Parameters
    ----------
    found : DataFrame
        As from `findings.tidy`.

    Returns
    -------
    DataFrame
        One row per source, hypothesis and part, of hypotheses with a finding: verdict of the
        hypothesis, part_verdict, p_value (of the verdict, as from `verdicts.p_value`), p_holm
        (that of the family of the source's pooled hypotheses), survives (whether the
        verdict stands in the family), the fields of `pooling.Pooled`, regions and left_out
        (names, with the reason). Where fewer than three regions take part there are no
        numbers, the verdict is "not testable" and reason says why.
    """
    rows = [
        row
        for (source, key), own in found.groupby(["source", "hypothesis"], sort=False)
        for row in _rows(register()[key], source, own)
    ]
    table = pd.DataFrame(rows, columns=COLUMNS)
    return _in_families(table, ["source"])


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
    rows = [
        {"source": source, "region": region, "hypothesis": key, "verdict": own["verdict"].iloc[0],
         "p_value": _p_value(register()[key], own)}
        for (source, region, key), own in found.groupby(
            ["source", "region", "hypothesis"], sort=False
        )
    ]  # fmt: skip
    columns = ["source", "region", "hypothesis", "verdict", "p_value"]
    table = _in_families(pd.DataFrame(rows, columns=columns), ["source", "region"])
    table["p_grid"] = _adjusted(table, ["source"], "fdr_bh")
    return table


def ranked(pools: pd.DataFrame) -> pd.DataFrame:
    """Return the pooled hypotheses, best claims first.

    Supported, contradicted, too small to matter, inconclusive, not testable; within each, what
    stands in the family goes first, then by p-value.

    Parameters
    ----------
    pools : DataFrame
        As from `synthesis.pooled`.

    Returns
    -------
    DataFrame
        One row per source and hypothesis, that of the headline part; sources keep their order.
    """
    headlines = [register()[key].parts[0].key for key in pools["hypothesis"]]
    return best_first(pools[pools["part"] == headlines])


def best_first(table: pd.DataFrame) -> pd.DataFrame:
    """Sort rows with verdict, survives and p_value within their source, best claims first."""
    table = table.reset_index(drop=True)
    order = pd.DataFrame(
        {
            "source": pd.factorize(table["source"])[0],
            "verdict": table["verdict"].map(BEST_FIRST.index),
            "falls": ~table["survives"].astype(bool),
            "p_value": table["p_value"],
            "hypothesis": table["hypothesis"],
        }
    )
    return table.loc[order.sort_values(list(order)).index].reset_index(drop=True)


def estimates(rows: pd.DataFrame) -> list[Estimate]:
    """Return the estimates of rows of findings."""
    columns = ["estimate", "ci_low", "ci_high", "n_obs", "scale", "df", "method"]
    return [Estimate(*row) for row in rows[columns].itertuples(index=False)]


def taking_part(found: pd.DataFrame, hypothesis: str, part: str) -> pd.DataFrame:
    """Return the findings of a part from the regions over which its hypothesis is pooled."""
    own = found[found["hypothesis"] == hypothesis]
    return own[_complete(own) & (own["part"] == part)]


def usable(rows: pd.DataFrame) -> pd.Series:
    """Mark the rows of findings that can be pooled: estimated, not blocked, with an error."""
    ends = rows[["ci_low", "ci_high"]].to_numpy(float)
    has_error = np.isfinite(ends).all(axis=1) & (ends[:, 0] < ends[:, 1])
    return rows["estimate"].notna() & (rows["blocked_by"] == "") & has_error


def _rows(known: Hypothesis, source: str, own: pd.DataFrame) -> list[dict]:
    """Return the rows of one hypothesis of one source."""
    good = _complete(own)
    regions = own.loc[good, "region"].drop_duplicates().tolist()
    named = {
        "source": source,
        "hypothesis": known.id,
        "n_regions": len(regions),
        "regions": "; ".join(regions),
        "left_out": "; ".join(_why_left_out(own[~good])),
    }
    if len(regions) < LEAST_REGIONS:
        reason = f"{len(regions)} of {own['region'].nunique()} regions can be pooled; "
        reason += f"{LEAST_REGIONS} are needed."
        return [
            named | {"part": part.key, "verdict": "not testable", "reason": reason}
            for part in known.parts
        ]
    rows = own[good]
    parts = {
        part.key: pooling.pool(estimates(rows[rows["part"] == part.key])) for part in known.parts
    }
    return [named | each for each in _judged(known, parts)]


def _complete(own: pd.DataFrame) -> pd.Series:
    """Mark the rows of one hypothesis from regions in which all its parts can be pooled."""
    return usable(own).groupby(own["region"], sort=False).transform("all")


def _judged(known: Hypothesis, parts: Mapping[str, pooling.Pooled]) -> list[dict]:
    """Return what is found for each part of a hypothesis, with the verdict on all of it."""
    whole = {
        "verdict": verdicts.judge(known, parts),
        "p_value": verdicts.p_value(known, parts),
        "reason": "",
    }
    return [
        whole
        | {name: value for name, value in vars(parts[part.key]).items() if name in COLUMNS}
        | {
            "part": part.key,
            "part_verdict": verdicts.judge_part(part, parts[part.key], len(parts)),
        }
        for part in known.parts
    ]


def _why_left_out(own: pd.DataFrame) -> list[str]:
    """Return the regions that take no part, each with why, in brackets."""
    why = own["blocked_by"].where(own["blocked_by"] != "", own["verdict"])
    named = own.assign(why=why).drop_duplicates("region")
    open_ended = named["estimate"].notna() & (named["blocked_by"] == "")
    named["why"] = named["why"].mask(open_ended, "an interval without an end")
    return [f"{row.region} ({row.why})" for row in named.itertuples()]


def _p_value(known: Hypothesis, own: pd.DataFrame) -> float:
    """Return the p of a region's finding; missing where it has none, or a check blocks it."""
    if not usable(own).all():
        return np.nan
    found = dict(zip(own["part"], estimates(own), strict=True))
    return verdicts.p_value(known, found)


def _in_families(table: pd.DataFrame, family: list[str]) -> pd.DataFrame:
    """Add p_holm and survives: a hypothesis counts once, whatever the number of its parts."""
    one = table.drop_duplicates([*family, "hypothesis"])
    holm = _adjusted(one, family, "holm").rename("p_holm")
    keys = [*family, "hypothesis"]
    joined = table.drop(columns=["p_holm", "survives"], errors="ignore").merge(
        pd.concat([one[keys], holm], axis=1), on=keys, how="left"
    )
    joined["survives"] = joined["p_holm"] <= ALPHA
    return joined[list(dict.fromkeys([*table.columns, "p_holm", "survives"]))]


def _adjusted(table: pd.DataFrame, family: list[str], method: str) -> pd.Series:
    """Return p-values adjusted within each family, missing where there is none."""
    found = pd.Series(np.nan, table.index)
    known = table[table["p_value"].notna()]
    for _, own in known.groupby(family, sort=False):
        found[own.index] = multipletests(own["p_value"].astype(float), method=method)[1]
    return found
