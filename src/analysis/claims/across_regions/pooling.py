"""Every hypothesis over the regions of a source: pooled, and held against the family."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import pandas as pd

from analysis.claims import verdicts
from analysis.claims.across_regions.families import KEYS, complete, has_numbers, in_families
from analysis.claims.hypotheses import Hypothesis, register
from analysis.figures.display import in_words
from analysis.language import named, text
from analysis.statistics import meta_analysis
from analysis.statistics.estimate import Estimate

LEAST_REGIONS = 3
"""Regions without which nothing is pooled: how far regions differ can't be told from two."""
LEAST_TO_PREDICT = 5
"""Regions without which nothing is said of a further region."""
VARIED = ["check", "variant", "part"]
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
    found, others, tested : DataFrame
        As from `findings.tidy`, `findings.variants` and `findings.tests`; without others no check
        is taken for one for the same verdict, without tested no test is combined.

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
    marked["takes_part"] = complete(marked)
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
    return in_families(table, ["source"])


def estimates(rows: pd.DataFrame) -> list[Estimate]:
    """Return the estimates of rows of findings, or of their variants."""
    columns = ["estimate", "ci_low", "ci_high", "n_obs", "scale", "df"]
    return [Estimate(*row) for row in rows[columns].itertuples(index=False)]


def taking_part(
    found: pd.DataFrame, others: pd.DataFrame, hypothesis: str, part: str
) -> pd.DataFrame:
    """Return the findings of a part from the regions over which its hypothesis is pooled."""
    own = found[found["hypothesis"] == hypothesis]
    return own[complete(own.assign(blocked_by=_blocking(own, others))) & (own["part"] == part)]


def without_each(
    found: pd.DataFrame, others: pd.DataFrame, hypothesis: str
) -> dict[str, pd.DataFrame]:
    """Pool a hypothesis (by its id) again without each of its regions, which are more than three.

    Parameters
    ----------
    found, others : DataFrame
        As in `pooled`, of one source.

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
        "left_out": text("; ").join(_why_left_out(rest)),
    }
    if len(regions) < LEAST_REGIONS:
        reason = text(
            "{n} of {regions} regions can be pooled; {least} are needed.",
            n=len(regions), regions=own["region"].nunique(), least=LEAST_REGIONS,
        )  # fmt: skip
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
        n = (own.loc[has_numbers(own), "region"].value_counts() == len(known.parts)).sum()
        n_regions = used["region"].nunique()
        if n < n_regions:
            said = text(
                "what it would be {check} is known from {n} of {regions} regions only",
                check=check, n=n, regions=n_regions,
            )  # fmt: skip
        elif other := verdicts.changed_verdict(known, parts, [pools := _pool(known, own)]):
            said = text("{check} it would be {other}", check=check, other=text(other))
        if said:
            break
        p.append(verdicts.p_value(known, pools))
    if said:
        said = text("It would be {verdict}; {but}.", verdict=text(verdict), but=said)
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
                return text(
                    "{check}: {p} in {n} regions together, where {limit:.0%} is the least",
                    check=check, p="p < .001" if p < 0.001 else f"p = {p:.3f}", n=len(values),
                    limit=limit,
                )  # fmt: skip
            continue
        for key, pool in parts.items():
            each, own = estimates(alone[key]), alone[key]["region"]
            mean = meta_analysis.weighted_mean(values.reindex(own, fill_value=0), each, pool)
            most = limit * meta_analysis.narrowing(each, pool)
            if abs(mean) >= most:
                return text(
                    "{check}: {bias} differs by {mean:+.3f} in the mean over regions, and an "
                    "interval so narrow allows less than {most:.3f}",
                    check=check, bias=in_words(bias), mean=mean, most=most,
                )  # fmt: skip
    return ""


def _numbers(
    known: Hypothesis, parts: Mapping[str, meta_analysis.Pooled], is_open: bool
) -> Iterator[dict]:
    """Yield what is pooled for each part, with the verdict on its interval if no check is open."""
    for part in known.parts:
        each = parts[part.key]
        numbers = {name: value for name, value in vars(each).items() if name in COLUMNS}
        alone = verdicts.judge_part(part, each, len(parts))
        yield numbers | {"part": part.key, "part_verdict": "inconclusive" if is_open else alone}


def _why_left_out(own: pd.DataFrame) -> list[str]:
    """Return the regions that take no part, each with why, in brackets."""
    own = own.drop_duplicates("region")
    why = own["verdict"].map(text).mask(own["estimate"].notna(), text("an interval without an end"))
    checks = [text(", ").join(map(named, names.split("; "))) for names in own["blocked_by"]]
    why = why.where(own["blocked_by"] == "", checks)
    return [
        text("{name} ({reason})", name=region, reason=each)
        for region, each in zip(own["region"], why, strict=True)
    ]
