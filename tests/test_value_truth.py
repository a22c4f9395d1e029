"""Error rates of the notebook on customer value, in worlds whose truth is known.

The notebook's own cells run for many small regions; nothing of them is repeated here. Set
CALIBRATION_REPLICATES to draw more regions than the few that a test can afford.
"""

import datetime as dt
import functools
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import ibis
import nbformat
import numpy as np
import pandas as pd
import pytest

from analysis import (
    checks,
    claims,
    estimates,
    landmarks,
    lifetime,
    models,
    purchases,
    value,
)
from analysis.contract import TABLES
from analysis.data import Region
from analysis.hypotheses import hypothesis

pytestmark = pytest.mark.slow

REPLICATES = int(os.environ.get("CALIBRATION_REPLICATES", "60"))
CUSTOMERS = 1_000
TRUTH_CUSTOMERS = 60_000
SEED = 4_000
END = dt.date(2026, 6, 30)
NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "04_customer_value.ipynb"
ALWAYS = ("Question", "Data")
TESTED = ("H12", "H13", "H14", "H15", "H16")
PARTS = [(name, part.key) for name in TESTED for part in hypothesis(name).parts]

NO_EFFECTS = {
    # of satisfaction, on visits and on staying, by whatever way
    "satisfaction_visits": 0.0,
    "loyalty_visits": 0.0,
    "satisfaction_log_hazard": 0.0,
    "quick_log_hazard": 0.0,
    "late_log_hazard": 0.0,
    # of buying beyond fuel, which the frequent do far more often
    "beyond_by_visits": 1.0,
    "beyond_log_hazard": 0.0,
    "beyond_visits": 0.0,
    "beyond_margin": 0.0,
}


def monte_carlo_error(rate, n):
    return np.sqrt(rate * (1 - rate) / n)


HIGHEST_ERROR = 0.025 + 3 * monte_carlo_error(0.025, REPLICATES)


@functools.cache
def sections():
    """Return the notebook's compiled cells by the first word of their heading."""
    found, name = {}, ""
    for i, cell in enumerate(nbformat.read(NOTEBOOK, as_version=4).cells):
        if cell.cell_type == "markdown" and cell.source.startswith("## "):
            name = cell.source.split()[1]
        elif cell.cell_type == "code" and name:
            found.setdefault(name, []).append(compile(cell.source, f"cell {i}", "exec"))
    return found


def run(here, names, monkeypatch):
    """Run sections of the notebook without its pictures; return findings and its variables."""
    shown = []
    monkeypatch.setattr(claims, "display", shown.append)
    known = {
        "claim": claims.claim,
        "here": here,
        "language": "en",
        "seed": 1,
        **{"dt": dt, "np": np, "pd": pd, "checks": checks, "estimates": estimates},
        **{"landmarks": landmarks, "lifetime": lifetime, "models": models},
        **{"purchases": purchases, "value": value},
        **{stub: MagicMock() for stub in ("charts", "figures", "say", "table")},
    }
    for name in (*ALWAYS, *names):
        for cell in sections()[name]:
            exec(cell, known)
    return {finding.hypothesis.id: finding for finding in shown}, known


def region_of(tables):
    """Hold tables as a region, without files."""
    frames = {}
    for name in ("customers", "survey", "complaints", "contacts"):
        kinds = {column: each.dtype.type for column, each in TABLES[name].columns.items()}
        frames[name] = tables.get(name, pd.DataFrame()).reindex(columns=list(kinds)).astype(kinds)
    lines = tables["transactions"]
    filled = {
        f"{name}.{column}"
        for name, frame in (frames | {"transactions": lines}).items()
        for column in frame.columns[frame.notna().any()]
    }
    return Region(
        source=SimpleNamespace(name="simulated", currency="CNY"),
        name="Example",
        start=lines["bought_at"].min().date(),
        end=END,
        purchases=ibis.duckdb.connect().create_table("transactions", lines),
        columns=frozenset(filled),
        rows={},
        set_aside=pd.DataFrame(),
        problems={},
        **frames,
    )


def replicates(world, names):
    """Run the notebook in many regions of one world; one row per region and part."""
    from analysis import example

    rows = []
    for replicate in range(REPLICATES):
        here = region_of(example.draw(world, CUSTOMERS, SEED + replicate))
        with pytest.MonkeyPatch.context() as patch:
            # the sections ask for the same table: build it once
            people = landmarks.table(here, landmarks.landmark(here))
            patch.setattr(landmarks, "table", lambda *_, people=people: people.copy())
            found, known = run(here, names, patch)
        for name in names:
            record = found[name].record()
            for part in record["parts"]:
                rows.append(part | {"hypothesis": name, "joint": record["verdict"], "raw": np.nan})
        if "H16" in names:
            raw = known["differences"]["raw"]
            rows[-2]["raw"], rows[-1]["raw"] = raw["value_after"], raw["retained"]
    return pd.DataFrame(rows)


def planted(world):
    """Return the planted value of every part."""
    from analysis import example

    table = example.planted(world, SEED, n_draw=TRUTH_CUSTOMERS)
    return table.set_index(["hypothesis", "part"])["truth"].to_dict()


def rows_of(table, name, key):
    return table[(table["hypothesis"] == name) & (table["key"] == key)]


def part_of(name, key):
    return next(part for part in hypothesis(name).parts if part.key == key)


@pytest.fixture(scope="module")
def world():
    from analysis import example

    return example.World()


@pytest.fixture(scope="module")
def drawn(world):
    return replicates(world, TESTED)


@pytest.fixture(scope="module")
def truth(world):
    return planted(world)


@pytest.fixture(scope="module")
def without_effects(world):
    nothing = replace(world, **NO_EFFECTS)
    return replicates(nothing, ("H13", "H14", "H16")), planted(nothing)


@pytest.mark.parametrize(("name", "key"), PARTS)
def test_estimates_are_unbiased(drawn, truth, name, key):
    found = rows_of(drawn, name, key)["estimate"]
    planted_value, null = truth[name, key], part_of(name, key).null
    error = found.std() / np.sqrt(REPLICATES)
    room = 3 * error + 0.05 * abs(planted_value - null)
    assert abs(found.mean() - planted_value) < room


@pytest.mark.parametrize(("name", "key"), PARTS)
def test_intervals_hold_the_truth(drawn, truth, name, key):
    found = rows_of(drawn, name, key)
    held = (found["ci_low"] <= truth[name, key]) & (truth[name, key] <= found["ci_high"])
    stated = STATED.get(name, 0.95)
    assert held.mean() >= stated - SLACK - 3 * monte_carlo_error(stated, REPLICATES)


@pytest.mark.parametrize("name", TESTED)
def test_verdicts_are_rarely_wrong(drawn, truth, name):
    verdicts = drawn.loc[drawn["hypothesis"] == name].groupby(level=0)["joint"].first()
    assert wrong(verdicts, name, truth).mean() <= HIGHEST_ERROR


def wrong(verdicts, name, truth):
    """Mark verdicts that the planted values contradict."""
    parts = hypothesis(name).parts
    inside = [part.claim.holds(truth[name, part.key], truth[name, part.key]) for part in parts]
    small = [
        part.negligible is not None
        and part.negligible.holds(truth[name, part.key], truth[name, part.key])
        for part in parts
    ]
    right = {
        "supported": all(inside),
        "contradicted": not all(inside),
        "too small to matter": any(small),
        "inconclusive": True,
    }
    return ~verdicts.map(right).astype(bool)
