"""Run the notebooks' own cells in simulated regions, without Jupyter and without pictures."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import CodeType, SimpleNamespace
from unittest.mock import Mock, patch

import ibis
import nbformat
from pandas import DataFrame

from analysis.claims import claim
from analysis.claims.finding import Finding
from analysis.cohorts import survey
from analysis.data.contract import DTYPES, TABLES
from analysis.data.region import Region
from analysis.data.sources import ROOT
from analysis.statistics.causal import discontinuity
from analysis.statistics.estimate import NotEstimable
from simulation.world import N_WEEKS, START

FEWER_IMPUTATIONS = {"IMPUTATIONS": 5, "MANY_IMPUTATIONS": 10}
"""A rehearsal fills missing answers less often than a report: it is as right, and faster."""

FIGURES = "analysis.figures"
"""The package of which a rehearsal shows nothing."""

END = (START + 7 * N_WEEKS - 1).item()
"""The last day that is drawn."""


def run(key: str, here: Region) -> tuple[Finding, dict]:
    """Run a claim's notebook on a region, without pictures.

    Returns the region's finding, *not testable* where a cell raised `NotEstimable`, and the
    notebook's variables at the end.
    """
    shown, known = [], {}  # the claim comes first
    given = {"region": here.name, "source": here.source.name, "language": "en", "seed": 1}
    with ExitStack() as stack:
        stack.enter_context(patch.object(claim, "display", shown.append))
        stack.enter_context(patch.multiple(survey, **FEWER_IMPUTATIONS))
        for name in ("placebos", "covariate_jumps"):  # they only fill a table
            stack.enter_context(patch.object(discontinuity, name, lambda *_, **__: DataFrame()))
        try:
            for _ in perform(notebook_of(key), known, given, here):
                pass
        except NotEstimable as why:
            if not shown:  # before the claim it is a mistake of the notebook
                raise
            shown[0].not_testable(str(why))
    return shown[0].finding, known


def perform(
    notebook: Path,
    known: dict,
    given: Mapping[str, object],
    here: Region | None = None,
    loud: Sequence[str] = (),
) -> Iterator[object]:
    """Execute a notebook's cells; yield the value that each shows.

    `known` takes the notebook's variables, `given` are its parameters, and `here` takes the place
    of what `load_region` loads. Of `FIGURES`, most of a notebook's time, only `loud` modules show
    what they are asked to show, or all of it with `FIGURES` itself.
    """
    for is_parameters, imports, body, last in _cells(notebook):
        exec(imports, known)
        if here is not None and "load_region" in known:
            known["load_region"] = lambda *_, **__: here
        known |= {name: Mock() for name, each in known.items() if _is_figure(each, loud)}
        exec(body, known)
        if is_parameters:
            known |= given
        yield eval(last, known)


def notebook_of(key: str) -> Path:
    """Return the notebook of a claim."""
    for path in (ROOT / "notebooks").rglob(f"{key}_*.ipynb"):
        return path
    raise FileNotFoundError(f"{key} has no notebook {key}_... in notebooks/.")


def region_of(tables: Mapping[str, DataFrame], without: Sequence[str] = ()) -> Region:
    """Hold tables as a region, without files; columns in `without` are empty."""
    frames = {}
    for name in ("customers", "survey", "complaints", "contacts", "assignments"):
        drawn = tables.get(name, DataFrame())
        hidden = [each.split(".")[1] for each in without if each.startswith(f"{name}.")]
        kinds = {column: DTYPES[each.kind] for column, each in TABLES[name].columns.items()}
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
        rejected=DataFrame(columns=["table", "column", "expected", "rows", "share", "example"]),
        problems={},
        tables=frames,
    )


@functools.cache
def _cells(notebook: Path) -> list[tuple[bool, CodeType, CodeType, CodeType]]:
    """Return of each cell of code whether it has the parameters, its imports, body and value."""
    found = []
    for number, cell in enumerate(nbformat.read(notebook, as_version=4).cells):
        if cell.cell_type != "code":
            continue
        source = "".join(line for line in cell.source.splitlines(True) if line[:1] != "%")
        lines = ast.parse(source).body
        last = ast.Constant(None)
        if lines and isinstance(lines[-1], ast.Expr):
            last = lines.pop().value
        imports = [each for each in lines if isinstance(each, ast.Import | ast.ImportFrom)]
        body = [each for each in lines if each not in imports]
        where = f"{notebook.stem}[{number}]"
        codes = [compile(ast.Module(each, []), where, "exec") for each in (imports, body)]
        value = compile(ast.fix_missing_locations(ast.Expression(last)), where, "eval")
        found.append(("parameters" in cell.metadata.get("tags", ()), *codes, value))
    return found


def _is_figure(value: object, loud: Sequence[str]) -> bool:
    """Tell whether a variable is a module of `FIGURES`, or comes from one, that is not loud."""
    home = getattr(value, "__module__", None) or getattr(value, "__name__", "")
    return str(home).startswith(FIGURES) and not str(home).startswith(tuple(loud) or "\0")
