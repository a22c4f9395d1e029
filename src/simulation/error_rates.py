"""Error rates of the notebooks' verdicts, in regions whose truth is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from pandas import DataFrame
from scipy import stats

from analysis.claims.deciding.decidability import INTERVAL
from analysis.claims.finding import Finding
from analysis.claims.hypotheses import hypothesis
from simulation.drawing.tables import draw
from simulation.processes import one_core_each
from simulation.rehearsal import region_of, run
from simulation.sample import large_draw
from simulation.scenes import CLEAR, CLEAR_REGIONS, SCENES, Scene
from simulation.truth import parts

FALLEN = ("contradicted", "too small to matter")


def rehearse(
    scene: Scene, n_customers: int, replicates: int, *, first_seed: int = 4_000, jobs: int = 1
) -> DataFrame:
    """Run a scene's hypotheses in many regions, of seeds from `first_seed` on.

    Returns
    -------
    DataFrame
        One row per region, hypothesis and part: replicate (seed), hypothesis, part, verdict (of the
        hypothesis), blocked_by (names of the checks that cap it), estimate, ci_low, ci_high and se
        (missing where not testable).
    """
    tasks = [(scene, n_customers, first_seed + i) for i in range(replicates)]
    if jobs == 1:
        rows = [row for task in tasks for row in _one(task)]
    else:
        with one_core_each(jobs) as pool:
            rows = [row for found in pool.map(_one, tasks, chunksize=4) for row in found]
    return DataFrame(rows)


def planted(scene: Scene, n_draw: int, seed: int = 4_000) -> dict[tuple[str, str], float]:
    """Return the true value of every part of a scene's hypotheses, from a large draw."""
    sample = large_draw(scene.truth, seed, n_draw)
    return {
        (name, key): float(value)
        for name in scene.hypotheses
        for key, value in parts.TRUTHS[name](sample).items()
    }


def calibrate(
    replicates: int, *, jobs: int = 1, n_draw: int = 400_000, scenes: Sequence[Scene] = SCENES
) -> Iterator[DataFrame]:
    """Yield the error rates of each scene and size, as from `rates`, one table at a time.

    Parameters
    ----------
    replicates : int
        Regions of each size.
    jobs : int
        Processes.
    n_draw : int
        Customers in the draw that tells the true values.
    scenes : sequence of Scene
        By default all.
    """
    for scene in scenes:
        true = planted(scene, n_draw)
        for size in scene.sizes:
            table = rates(rehearse(scene, size, replicates, jobs=jobs), true)
            yield table.assign(scene=scene.name, customers=size)


def decide(
    replicates: Mapping[int, int] = CLEAR_REGIONS,
    *,
    jobs: int = 1,
    n_draw: int = 400_000,
    scene: Scene = CLEAR,
) -> Iterator[DataFrame]:
    """Yield how often each claim is decided, as from `decided`, one size of region at a time.

    `replicates` are the regions of each size, by their customers; the others are as in `calibrate`.
    """
    true = planted(scene, n_draw)
    for size, regions in replicates.items():
        table = decided(rehearse(scene, size, regions, jobs=jobs), true)
        yield table.assign(scene=scene.name, customers=size)


def decided(found: DataFrame, planted: Mapping[tuple[str, str], float]) -> DataFrame:
    """Count how replicates, as from `rehearse`, are decided.

    Returns
    -------
    DataFrame
        One row per hypothesis: regions, of which right, wrong, open and untested (the verdict is
        so); left_open_by, the check that most of the open ones fail, `INTERVAL` where it is that
        none fails and the interval is wide, and empty where none is open; and failing, in how many.
    """
    rows = []
    for name, each in found.groupby("hypothesis", sort=False):
        each = each.drop_duplicates("replicate")
        is_open = each["verdict"] == "inconclusive"
        is_wrong = wrong(each["verdict"], name, planted)
        is_untested = each["verdict"] == "not testable"
        outcomes = {"wrong": is_wrong, "open": is_open, "untested": is_untested}
        outcomes["right"] = ~(is_wrong | is_open | is_untested)
        counts = {outcome: int(marked.sum()) for outcome, marked in outcomes.items()}
        causes = Counter(
            cause
            for names in each.loc[is_open, "blocked_by"]
            for cause in (names.split("; ") if names else [INTERVAL])
        )
        [(most, failing)] = causes.most_common(1) or [("", 0)]
        known = {"hypothesis": name, "regions": len(each), **counts}
        rows.append(known | {"left_open_by": most, "failing": failing})
    return DataFrame(rows)


def rates(found: DataFrame, planted: Mapping[tuple[str, str], float]) -> DataFrame:
    """Turn replicates, as from `rehearse`, into error rates.

    Returns
    -------
    DataFrame
        One row per hypothesis and part: regions, testable (share of them), truth, bias,
        coverage (of the interval, where testable), supported, contradicted (or too small), wrong
        (shares of all regions whose verdict is so), power (share of regions that would tell
        an effect of the smallest size that matters from none, by their own errors).
    """
    rows = []
    for (name, key), each in found.groupby(["hypothesis", "part"], sort=False):
        value, told = planted[name, key], each.dropna(subset=["estimate"])
        held = (told["ci_low"] <= value) & (value <= told["ci_high"])
        rows.append(
            {
                "hypothesis": name,
                "part": key,
                "regions": len(each),
                "testable": len(told) / len(each),
                "truth": value,
                "bias": (told["estimate"] - value).mean(),
                "coverage": held.mean() if len(told) else np.nan,
                "supported": (each["verdict"] == "supported").mean(),
                "contradicted": each["verdict"].isin(FALLEN).mean(),
                "wrong": wrong(each["verdict"], name, planted).mean(),
                "power": _power(told, name, key),
            }
        )
    return DataFrame(rows)


def wrong(verdicts: pd.Series, name: str, planted: Mapping[tuple[str, str], float]) -> pd.Series:
    """Mark the verdicts on a hypothesis that its true values contradict."""
    values = [(part, planted[name, part.key]) for part in hypothesis(name).parts]
    holds = all(part.claim.holds(each, each) for part, each in values)
    small = any(part.negligible and part.negligible.holds(each, each) for part, each in values)
    right = {"supported": holds, "contradicted": not holds, "too small to matter": small}
    return ~pd.Series([right.get(each, True) for each in verdicts], verdicts.index, dtype=bool)


def _one(task: tuple[Scene, int, int]) -> list[dict]:
    """Draw one region of a scene and return the rows of its findings."""
    scene, n_customers, seed = task
    here = region_of(draw(scene.world, n_customers, seed), scene.without)
    return [
        {"replicate": seed, **row} for key in scene.hypotheses for row in _rows(run(key, here)[0])
    ]


def _rows(finding: Finding) -> Iterator[dict]:
    """Yield one row per part of a finding."""
    for part in finding.hypothesis.parts:
        each = finding.estimates.get(part.key)
        names = ("estimate", "ci_low", "ci_high", "se")
        numbers = {name: getattr(each, name, np.nan) for name in names}
        same = {"hypothesis": finding.hypothesis.id, "part": part.key, "verdict": finding.verdict}
        same["blocked_by"] = "; ".join(finding.blocked_by)
        yield same | numbers


def _power(told: DataFrame, name: str, key: str) -> float:
    """Return the mean chance that an effect of the smallest size that matters is told from none."""
    part = next(part for part in hypothesis(name).parts if part.key == key)
    if part.sesoi is None or told.empty:
        return np.nan
    edge = part.claim.low if np.isfinite(part.claim.low) and part.claim.low else part.claim.high
    size = abs(np.log(edge / part.null)) if part.scale == "log" else part.sesoi
    return float(stats.norm.cdf(size / told["se"] - stats.norm.ppf(0.975)).mean())
