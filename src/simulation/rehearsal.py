"""Error rates of the notebooks' verdicts: their own cells, run in regions whose truth is known."""

from __future__ import annotations

import ast
import functools
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import ibis
import nbformat
import numpy as np
import pandas as pd
from pandas import DataFrame
from scipy import stats

from analysis.claims import claim
from analysis.claims.findings import Finding, no_finding
from analysis.claims.hypotheses import hypothesis, register
from analysis.cohorts import landmark, survey
from analysis.data.contract import TABLES
from analysis.data.region import Region
from analysis.statistics.causal import discontinuity
from analysis.statistics.estimate import NotEstimable
from simulation.drawing.tables import draw
from simulation.sample import large_draw
from simulation.scenes import SCENES, Scene
from simulation.truth import parts
from simulation.world import N_WEEKS, START

FEWER_IMPUTATIONS = {"IMPUTATIONS": 5, "MANY_IMPUTATIONS": 10}
"""A rehearsal fills missing answers less often than a report: it is as right, and faster."""

FALLEN = ("contradicted", "too small to matter")
ALWAYS = ("Question", "Data")
SHOWN = ("charts", "survey_charts", "case_charts", "retention_charts", "figures")
SHOWN += ("specifications", "say", "table")
END = (START + 7 * N_WEEKS - 1).item()  # the last day that is drawn


class Silent:
    """Stands where pictures, tables and sentences are shown: most of a notebook's time."""

    def __getattr__(self, name: str) -> Silent:
        return self

    def __call__(self, *values: object, **named: object) -> Silent:
        """Show nothing."""
        return self


@functools.cache
def sections(notebook: Path) -> dict[str, list]:
    """Return a notebook's compiled cells by the first word of their heading; "" its imports."""
    found, name = {"": []}, ""
    for i, cell in enumerate(nbformat.read(notebook, as_version=4).cells):
        if cell.cell_type == "markdown" and cell.source.startswith("## "):
            name = cell.source.split()[1]
        elif cell.cell_type == "code" and name:
            found.setdefault(name, []).append(compile(cell.source, f"{notebook.stem} {i}", "exec"))
        elif cell.cell_type == "code":
            found[""].append(compile(_imports(cell.source), f"{notebook.stem} {i}", "exec"))
    return found


def run(notebook: Path, here: Region, names: Sequence[str]) -> tuple[dict[str, Finding], dict]:
    """Run sections of a notebook on a region, without pictures.

    Returns
    -------
    findings : dict of str to Finding
        By hypothesis.
    variables : dict
        The notebook's variables at the end.
    """
    shown, cells = [], sections(notebook)
    known = {"here": here, "language": "en", "seed": 1}
    with ExitStack() as stack:
        stack.enter_context(patch.object(claim, "display", shown.append))
        stack.enter_context(patch.object(landmark, "table", _once_per_day(landmark.table)))
        stack.enter_context(patch.multiple(survey, **FEWER_IMPUTATIONS))
        for name in ("placebos", "covariate_jumps"):
            stack.enter_context(patch.object(discontinuity, name, _nothing))
        for name in ("", *ALWAYS, *names):
            try:
                for cell in cells[name]:
                    exec(cell, known)
            except NotEstimable as why:
                if name not in register():
                    raise
                shown.append(_untestable(name, here, str(why)))
            known |= {stub: Silent() for stub in SHOWN}
    return {finding.hypothesis.id: finding for finding in shown}, known


def region_of(tables: Mapping[str, DataFrame], without: Sequence[str] = ()) -> Region:
    """Hold tables as a region, without files; columns in `without` are empty."""
    frames = {}
    for name in ("customers", "survey", "complaints", "contacts"):
        drawn = tables.get(name, DataFrame())
        hidden = [each.split(".")[1] for each in without if each.startswith(f"{name}.")]
        kinds = {column: each.dtype.type for column, each in TABLES[name].columns.items()}
        drawn = drawn.drop(columns=hidden, errors="ignore")
        frames[name] = drawn.reindex(columns=list(kinds)).astype(kinds).reset_index(drop=True)
    lines = tables["transactions"]
    filled = {
        f"{name}.{column}"
        for name, frame in (frames | {"transactions": lines}).items()
        for column in frame.columns[frame.notna().any()]
    }
    return Region(
        source=SimpleNamespace(name="simulated", currency="CNY", calendar="CN"),
        name="Example",
        start=lines["bought_at"].min().date(),
        last=lines["bought_at"].max().date(),
        end=END,
        purchases=ibis.duckdb.connect(threads=1).create_table("transactions", lines),
        columns=frozenset(filled),
        rows={},
        set_aside=DataFrame(columns=["table", "column", "expected", "rows", "share", "example"]),
        problems={},
        **frames,
    )


def rehearse(
    scene: Scene, n_customers: int, replicates: int, *, first_seed: int = 4_000, jobs: int = 1
) -> DataFrame:
    """Run a scene's hypotheses in many regions.

    Parameters
    ----------
    scene : Scene
        World and hypotheses.
    n_customers, replicates : int
        Size and number of regions.
    first_seed : int
        Seed of the first region; the others follow.
    jobs : int
        Processes.

    Returns
    -------
    DataFrame
        One row per region, hypothesis and part: replicate, hypothesis, part, verdict (of the
        hypothesis), estimate, ci_low, ci_high, se and null (missing where not testable).
    """
    tasks = [(scene, n_customers, first_seed + i) for i in range(replicates)]
    if jobs == 1:
        rows = [row for task in tasks for row in _one(task)]
    else:
        with ProcessPoolExecutor(jobs, initializer=_one_thread) as pool:
            rows = [row for found in pool.map(_one, tasks, chunksize=4) for row in found]
    return DataFrame(rows)


def planted(scene: Scene, n_draw: int, seed: int = 4_000) -> dict[tuple[str, str], float]:
    """Return the true value of every part of a scene's hypotheses, from a large draw."""
    sample = large_draw(scene.told_by or scene.world, seed, n_draw)
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


def rates(found: DataFrame, planted: Mapping[tuple[str, str], float]) -> DataFrame:
    """Turn replicates into error rates.

    Parameters
    ----------
    found : DataFrame
        As from `rehearse`.
    planted : mapping
        True values by hypothesis and part.

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
                "contradicted": each["verdict"]
                .isin(["contradicted", "too small to matter"])
                .mean(),
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
    rows = []
    for notebook, names in _by_notebook(scene.hypotheses):
        found, _ = run(notebook, here, names)
        for name in names:
            rows += [{"replicate": seed, **row} for row in _rows(found[name])]
    return rows


def _rows(finding: Finding) -> Iterator[dict]:
    """Yield one row per part of a finding."""
    for part in finding.hypothesis.parts:
        each = finding.estimates.get(part.key)
        numbers = {"estimate": np.nan, "ci_low": np.nan, "ci_high": np.nan, "se": np.nan}
        if each is not None:
            numbers = {name: getattr(each, name) for name in numbers}
        same = {"hypothesis": finding.hypothesis.id, "part": part.key, "verdict": finding.verdict}
        yield same | numbers


def _by_notebook(names: Sequence[str]) -> list[tuple[Path, list[str]]]:
    """Sort hypotheses by the notebook that tests them."""
    from workbook.running.plan import notebooks

    paths = notebooks()
    wanted = {stem: [key for key in names if register()[key].notebook == stem] for stem in paths}
    return [(paths[stem], keys) for stem, keys in wanted.items() if keys]


def _power(told: DataFrame, name: str, key: str) -> float:
    """Return the mean chance that an effect of the smallest size that matters is told from none."""
    part = next(part for part in hypothesis(name).parts if part.key == key)
    if part.sesoi is None or told.empty:
        return np.nan
    edge = part.claim.low if np.isfinite(part.claim.low) and part.claim.low else part.claim.high
    size = abs(np.log(edge / part.null)) if part.scale == "log" else part.sesoi
    return float(stats.norm.cdf(size / told["se"] - stats.norm.ppf(0.975)).mean())


def _once_per_day(function):
    """Return a function that remembers its result: several sections ask for the same table."""
    known = {}

    def remembered(region: Region, day):
        if day not in known:
            known[day] = function(region, day)
        return known[day].copy()

    return remembered


def _untestable(key: str, here: Region, why: str) -> Finding:
    """Return the finding of a section that ended because the data do not allow an estimate."""
    return no_finding(hypothesis(key), here.source.name, here.name, "not testable", why)


def _nothing(*_: object, **__: object) -> DataFrame:
    """Stand for a table that is only drawn."""
    return DataFrame()


def _imports(source: str) -> str:
    """Return the import statements of a cell."""
    lines = "".join(line for line in source.splitlines(True) if not line.startswith("%"))
    body = [each for each in ast.parse(lines).body if isinstance(each, ast.Import | ast.ImportFrom)]
    return "\n".join(ast.unparse(each) for each in body)


def _one_thread() -> None:
    """Keep every process to one core."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
