"""Every hypothesis over the regions of a source: pooled, and held against the family."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats

from analysis.claims import verdicts
from analysis.claims.hypotheses import Hypothesis, register
from analysis.statistics import meta_analysis
from analysis.statistics.estimate import LINKS, Estimate, Scale

LEAST_REGIONS = 3
"""Regions without which nothing is pooled: how far regions differ can't be told from two."""
LEAST_TO_PREDICT = 5
"""Regions without which nothing is said of a further region."""
ALPHA = 0.05
KEYS = ["source", "region", "hypothesis"]
VARIED = ["check", "variant", "part"]
BEST_FIRST = [
    "supported", "contradicted", "too small to matter", "inconclusive", "not testable", "failed",
]  # fmt: skip
COLUMNS = [
    "source", "hypothesis", "part", "verdict", "part_verdict", "survives", "p_value", "p_holm",
    "estimate", "ci_low", "ci_high", "prediction_low", "prediction_high",
    "tau", "tau_low", "tau_high", "i2", "i2_low", "i2_high", "q", "q_p_value",
    "scale", "n_obs", "n_regions", "regions", "left_out", "reason",
]  # fmt: skip


def pooled(
    found: pd.DataFrame, others: pd.DataFrame | None = None, tested: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Pool every hypothesis over the regions of each source.

    A region takes part unless it failed, can't be tested, or a check blocks it; which those
    are stands in `left_out`, and nothing is put in their place. Verdicts are those of
    `verdicts.judge` on the pooled intervals.

    Checks for the same verdict (`checks.same_verdict`) block no region here: regions that had
    decided would be left out, and those too small to decide would pass. Instead, what they vary
    is pooled over the same regions, and what is pooled is inconclusive unless it has the same
    verdict each time, and from finding to variant.

    A check that each region passes can still fail over all of them, whose interval is narrower:
    tests are combined (`meta_analysis.combined_p`), and of a balance between two groups the mean
    over regions must stay below its limit in proportion to the width (`meta_analysis.narrowing`):
    chance differences average away as fast as the interval narrows, common ones do not.

    Parameters
    ----------
    found : DataFrame
        As from `findings.tidy`.
    others : DataFrame, optional
        As from `findings.variants`; without it, no check is taken for one for the same verdict.
    tested : DataFrame, optional
        As from `findings.tests`; without it, no test is combined.

    Returns
    -------
    DataFrame
        One row per source, hypothesis and part, of hypotheses with a finding: verdict of the
        hypothesis, part_verdict (of the interval; inconclusive where a check keeps the claim
        open), p_value (of the verdict, as from `verdicts.p_value`: the largest over what is
        varied, and 1 where a check keeps the claim open), p_holm (that of the family of the
        source's pooled hypotheses), survives (whether the verdict stands in the family), the
        fields of `meta_analysis.Pooled`, regions and left_out (names, with the reason), reason
        (what keeps the claim open). With fewer than three regions there are no numbers, the
        verdict is "not testable" and reason says why.
    """
    found = found.drop_duplicates([*KEYS, "part"])  # shown twice is one
    others, tested = _none(others, VARIED), _none(tested, ["check", "bias"])
    marked = found.assign(blocked_by=_blocking(found, others))
    marked["takes_part"] = _complete(marked)
    varied = dict(list(others.groupby(["source", "hypothesis"])))
    tests = dict(list(tested.groupby(["source", "hypothesis"])))
    rows = [
        row
        for (source, key), own in marked.groupby(["source", "hypothesis"], sort=False)
        for row in _rows(
            register()[key],
            own,
            varied.get((source, key), others[:0]),
            tests.get((source, key), tested[:0]),
        )
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
    found = found.drop_duplicates([*KEYS, "part"])
    table = found.drop_duplicates(KEYS)[[*KEYS, "verdict"]].reset_index(drop=True)
    groups = found[_complete(found)].groupby("hypothesis", sort=False)
    known = [_p_values(register()[key], own) for key, own in groups]
    p = pd.concat([pd.Series(dtype=float), *known])
    table["p_value"] = p.reindex(pd.MultiIndex.from_frame(table[KEYS])).to_numpy()
    table = _in_families(table, ["source", "region"])
    table["p_grid"] = benjamini_hochberg(table, ["source"])
    return table


def family(found: pd.DataFrame, pools: pd.DataFrame) -> pd.DataFrame:
    """Say for each source whether its claims are the pooled ones or each region's own.

    Pooled as soon as one hypothesis is pooled over the regions; else (few regions, or all of
    them blocked, failed or not testable) the claims of each region are a family of its own, as
    from `by_region`. This is the one place that decides it.

    Parameters
    ----------
    found : DataFrame
        As from `findings.tidy` or from `by_region`: of it, source and region are used.
    pools : DataFrame
        As from `pooled`, of the same findings.

    Returns
    -------
    DataFrame
        By source, in the order of `found`: is_pooled; claims (pooled hypotheses); regions (with
        findings) and poolable (the most regions over which one of its hypotheses can be pooled).
        Where nothing is pooled, poolable is below `LEAST_REGIONS`, and it may be less than regions.
    """
    counts = found.groupby("source", sort=False)["region"].nunique().rename("regions").to_frame()
    with_numbers = pools[pools["estimate"].notna()]
    counts["poolable"] = pools.groupby("source")["n_regions"].max()
    counts["claims"] = with_numbers.groupby("source")["hypothesis"].nunique()
    counts = counts.fillna(0).astype(int)
    return counts.assign(is_pooled=counts["claims"] > 0)


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
    """Return the estimates of rows of findings, or of their variants."""
    columns = ["estimate", "ci_low", "ci_high", "n_obs", "scale", "df"]
    return [Estimate(*row) for row in rows[columns].itertuples(index=False)]


def taking_part(
    found: pd.DataFrame, others: pd.DataFrame, hypothesis: str, part: str
) -> pd.DataFrame:
    """Return the findings of a part from the regions over which its hypothesis is pooled."""
    own = found[found["hypothesis"] == hypothesis]
    return own[_complete(own.assign(blocked_by=_blocking(own, others))) & (own["part"] == part)]


def without_each(
    found: pd.DataFrame, others: pd.DataFrame, hypothesis: str
) -> dict[str, pd.DataFrame]:
    """Pool a hypothesis again without each of its regions.

    Parameters
    ----------
    found, others : DataFrame
        As in `pooled`, of one source; of the hypothesis more than three regions take part.
    hypothesis : str
        Its id.

    Returns
    -------
    dict of str to DataFrame
        By part, as from `meta_analysis.leave_one_out`, by the region that is left out, with
        `turns`: whether the verdict of the pooled intervals is another one without it.
    """
    known = register()[hypothesis]
    rows = {part.key: taking_part(found, others, hypothesis, part.key) for part in known.parts}
    alone = {key: estimates(own) for key, own in rows.items()}
    whole = {key: meta_analysis.pool(each) for key, each in alone.items()}
    less = {key: meta_analysis.leave_one_out(each) for key, each in alone.items()}
    parts = [[replace(whole[key], **row, n_regions=whole[key].n_regions - 1)
              for row in own.to_dict("records")] for key, own in less.items()]  # fmt: skip
    verdict = verdicts.judge(known, whole)
    turns = [
        verdicts.judge(known, dict(zip(less, each, strict=True))) != verdict
        for each in zip(*parts, strict=True)
    ]
    return {
        key: own.assign(turns=turns).set_index(rows[key]["region"]) for key, own in less.items()
    }


def usable(rows: pd.DataFrame) -> pd.Series:
    """Mark the rows of findings that no check blocks and that are estimated, with an error."""
    return _has_numbers(rows) & (rows["blocked_by"] == "")


def _has_numbers(rows: pd.DataFrame) -> pd.Series:
    """Mark the rows that are estimated, with an error."""
    ends = rows[["ci_low", "ci_high"]].to_numpy(float)
    has_error = np.isfinite(ends).all(axis=1) & (ends[:, 0] < ends[:, 1])
    return rows["estimate"].notna() & has_error


def holm(table: pd.DataFrame, family: list[str]) -> pd.Series:
    """Adjust the p-values of a table within each family, by Holm's procedure.

    Parameters
    ----------
    table : DataFrame
        With a column p_value; where it is missing, so is what is returned.
    family : list of str
        Columns that tell the families apart.
    """
    p, families, rank, size = _ordered(table, family)
    return (p * (size - rank)).groupby(families).cummax().clip(upper=1).reindex(table.index)


def benjamini_hochberg(table: pd.DataFrame, family: list[str]) -> pd.Series:
    """Adjust p-values as `holm` does, for the share of false ones among those that stand."""
    p, families, rank, size = _ordered(table, family)
    scaled = (p * size / (rank + 1))[::-1]
    return scaled.groupby(families).cummin().clip(upper=1).reindex(table.index)


def _none(table: pd.DataFrame | None, names: list[str]) -> pd.DataFrame:
    """Return a table's rows, each once, also where none was given."""
    columns = [*KEYS, *names]
    return pd.DataFrame(columns=columns) if table is None else table.drop_duplicates(columns)


def _blocking(found: pd.DataFrame, others: pd.DataFrame) -> pd.Series:
    """Return the names of the checks that block each row and do not carry variants."""
    varied = set(others[[*KEYS, "check"]].drop_duplicates().itertuples(index=False, name=None))
    left, is_blocked = found["blocked_by"].copy(), found["blocked_by"] != ""
    rows = found.loc[is_blocked, [*KEYS, "blocked_by"]].itertuples(index=False, name=None)
    left[is_blocked] = [
        "; ".join(name for name in names.split("; ") if (*key, name) not in varied)
        for *key, names in rows
    ]
    return left


def _complete(found: pd.DataFrame) -> pd.Series:
    """Mark the rows from regions in which all parts of their hypothesis are usable."""
    return usable(found).groupby([found[name] for name in KEYS], sort=False).transform("all")


def _rows(
    known: Hypothesis, own: pd.DataFrame, others: pd.DataFrame, tested: pd.DataFrame
) -> list[dict]:
    """Return the rows of one hypothesis of one source."""
    used, rest = own[own["takes_part"]], own[~own["takes_part"]]
    regions = used["region"].drop_duplicates().tolist()
    named = {
        "source": own["source"].iloc[0],
        "hypothesis": known.id,
        "n_regions": len(regions),
        "regions": "; ".join(regions),
        "left_out": "; ".join(_why_left_out(rest)),
    }
    if len(regions) < LEAST_REGIONS:
        reason = f"{len(regions)} of {own['region'].nunique()} regions can be pooled; "
        reason += f"{LEAST_REGIONS} are needed."
        return [
            named | {"part": part.key, "verdict": "not testable", "reason": reason}
            for part in known.parts
        ]
    parts = _pool(known, used)
    others, tested = (each[each["region"].isin(regions)] for each in (others, tested))
    whole = _checked(known, parts, others, tested, used)
    return [named | whole | each for each in _numbers(known, parts, whole["reason"] != "")]


def _pool(known: Hypothesis, rows: pd.DataFrame) -> dict[str, meta_analysis.Pooled]:
    """Pool each part of a hypothesis."""
    return {
        part.key: meta_analysis.pool(estimates(rows[rows["part"] == part.key]))
        for part in known.parts
    }


def _checked(
    known: Hypothesis,
    parts: Mapping[str, meta_analysis.Pooled],
    others: pd.DataFrame,
    tested: pd.DataFrame,
    used: pd.DataFrame,
) -> dict:
    """Return verdict, p and reason; the verdict must pass what a region's must."""
    verdict, p = verdicts.judge(known, parts), [verdicts.p_value(known, parts)]
    if verdict == "inconclusive":
        return {"verdict": verdict, "p_value": p[0], "reason": ""}
    said = _failed_test(known, parts, used, tested)
    for (check, _), own in () if said else others.groupby(["check", "variant"], sort=False):
        if where := _not_everywhere(known, own, used["region"].nunique()):
            said = f"what it would be {check} is known {where}"
        elif other := verdicts.changed_verdict(known, parts, [pools := _pool(known, own)]):
            said = f"{check} it would be {other}"
        if said:
            break
        p.append(verdicts.p_value(known, pools))
    if said:
        said = f"It would be {verdict}; {said}."
        return {"verdict": "inconclusive", "p_value": 1.0, "reason": said}
    return {"verdict": verdict, "p_value": max(p), "reason": ""}


def _failed_test(
    known: Hypothesis,
    parts: Mapping[str, meta_analysis.Pooled],
    used: pd.DataFrame,
    tested: pd.DataFrame,
) -> str:
    """Say which check the regions fail together though each one passes; nothing if they pass."""
    alone = {key: used[used["part"] == key] for key in parts}
    sizes = alone[known.parts[0].key].set_index("region")["n_obs"]
    for (check, bias), rows in tested.groupby(["check", "bias"], sort=False):
        values, limit = rows.set_index("region")["value"].dropna(), rows["limit"].iloc[0]
        if not bias:
            p = meta_analysis.combined_p(values, limit, sizes[values.index])
            if p < limit:
                n, given = len(values), "p < .001" if p < 0.001 else f"p = {p:.3f}"
                return f"{check}: {given} in {n} regions together, where {limit:.0%} is the least"
            continue
        for key, pool in parts.items():
            each, own = estimates(alone[key]), alone[key]["region"]
            mean = meta_analysis.weighted_mean(values.reindex(own, fill_value=0), each, pool)
            most = limit * meta_analysis.narrowing(each, pool)
            if abs(mean) >= most:
                named = bias.replace("_", " ")
                return (
                    f"{check}: {named} differs by {mean:+.3f} in the mean over regions, and an "
                    f"interval so narrow allows less than {most:.3f}"
                )
    return ""


def _not_everywhere(known: Hypothesis, varied: pd.DataFrame, n_regions: int) -> str:
    """Say from how few regions a variant is known; nothing where it is known from all."""
    parts = varied.loc[_has_numbers(varied), "region"].value_counts()
    n = (parts == len(known.parts)).sum()
    return f"from {n} of {n_regions} regions only" if n < n_regions else ""


def _numbers(
    known: Hypothesis, parts: Mapping[str, meta_analysis.Pooled], is_open: bool
) -> Iterator[dict]:
    """Yield what is pooled for each part of a hypothesis, with the verdict on its interval.

    Where a check keeps the claim open, nothing is concluded of its parts either.
    """
    for part in known.parts:
        each = parts[part.key]
        numbers = {name: value for name, value in vars(each).items() if name in COLUMNS}
        alone = verdicts.judge_part(part, each, len(parts))
        yield numbers | {"part": part.key, "part_verdict": "inconclusive" if is_open else alone}


def _why_left_out(own: pd.DataFrame) -> list[str]:
    """Return the regions that take no part, each with why, in brackets."""
    why = own["blocked_by"].where(own["blocked_by"] != "", own["verdict"])
    named = own.assign(why=why).drop_duplicates("region")
    open_ended = named["estimate"].notna() & (named["blocked_by"] == "")
    named["why"] = named["why"].mask(open_ended, "an interval without an end")
    return [f"{row.region} ({row.why})" for row in named.itertuples()]


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


def _in_families(table: pd.DataFrame, family: list[str]) -> pd.DataFrame:
    """Add p_holm and survives: a hypothesis counts once, whatever the number of its parts."""
    keys = [*family, "hypothesis"]
    one = table.drop_duplicates(keys)
    adjusted = one[keys].assign(p_holm=holm(one, family))
    joined = table.drop(columns=["p_holm", "survives"], errors="ignore")
    joined = joined.merge(adjusted, on=keys, how="left")
    joined["survives"] = joined["p_holm"] <= ALPHA
    return joined[list(dict.fromkeys([*table.columns, "p_holm", "survives"]))]


def _ordered(
    table: pd.DataFrame, family: list[str]
) -> tuple[pd.Series, list, pd.Series, pd.Series]:
    """Return the p-values that are known, ascending, with family, rank from 0 on, and size."""
    known = table[table["p_value"].notna()].sort_values("p_value", kind="stable")
    families = [known[name] for name in family]
    groups = known["p_value"].astype(float).groupby(families)
    return known["p_value"].astype(float), families, groups.cumcount(), groups.transform("size")
