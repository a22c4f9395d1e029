"""Error rates of the notebook on customer value, in worlds whose truth is known.

The notebook's own cells run for many small regions; nothing of them is repeated here. Set
CALIBRATION_REPLICATES to draw more regions than the few that a test can afford.
"""

import ast
import functools
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import ibis
import nbformat
import numpy as np
import pandas as pd
import pytest

from analysis import claims, example, landmarks
from analysis.contract import TABLES
from analysis.data import Region
from analysis.example import world
from analysis.example.sample import large_draw
from analysis.hypotheses import hypothesis

pytestmark = pytest.mark.slow

REPLICATES = int(os.environ.get("CALIBRATION_REPLICATES", "40"))
CUSTOMERS = 1_000
TRUTH_CUSTOMERS = 120_000
SEED = 4_000
END = (world.START + 7 * world.N_WEEKS - 1).item()  # the last day that is drawn
SHORTFALL = {"H12": 0.02}  # of coverage below 95 %, in heavy tails
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
    "beyond_by_visits": 0.7,
    "beyond_log_hazard": 0.0,
    "beyond_visits": 0.0,
    "beyond_margin": 0.0,
}


def monte_carlo_error(rate, n):
    return np.sqrt(rate * (1 - rate) / n)


HIGHEST_ERROR = 0.025 + 3 * monte_carlo_error(0.025, REPLICATES)
REGIONS_ALIKE = 10


class Silent:
    """Stands where pictures, tables and sentences are shown: most of a notebook's time."""

    def __getattr__(self, name):
        return self

    def __call__(self, *values, **named):
        return None


@functools.cache
def sections():
    """Return the notebook's compiled cells by the first word of their heading; "" its imports."""
    found, name = {}, ""
    for i, cell in enumerate(nbformat.read(NOTEBOOK, as_version=4).cells):
        if cell.cell_type == "code" and "from analysis import" in cell.source:
            code = ast.parse(
                "".join(line for line in cell.source.splitlines(True) if not line.startswith("%"))
            )
            code.body = [
                each for each in code.body if isinstance(each, ast.Import | ast.ImportFrom)
            ]
            found[""] = [compile(code, f"cell {i}", "exec")]
        if cell.cell_type == "markdown" and cell.source.startswith("## "):
            name = cell.source.split()[1]
        elif cell.cell_type == "code" and name:
            found.setdefault(name, []).append(compile(cell.source, f"cell {i}", "exec"))
    return found


def run(here, names, patch):
    """Run sections of the notebook without its pictures; return findings and its variables."""
    shown = []
    patch.setattr(claims, "display", shown.append)
    known = {"here": here, "language": "en", "seed": 1}
    for name in ("", *ALWAYS, *names):
        for cell in sections()[name]:
            exec(cell, known)
        known |= {stub: Silent() for stub in ("charts", "figures", "say", "table")}
    return {finding.hypothesis.id: finding for finding in shown}, known


def region_of(tables):
    """Hold tables as a region, without files."""
    frames = {}
    for name in ("customers", "survey", "complaints", "contacts"):
        drawn = tables.get(name, pd.DataFrame())
        kinds = {column: each.dtype.type for column, each in TABLES[name].columns.items()}
        frames[name] = drawn.reindex(columns=list(kinds)).astype(kinds)
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
        last=lines["bought_at"].max().date(),
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
    rows = []
    for replicate in range(REPLICATES):
        here = region_of(example.draw(world, CUSTOMERS, SEED + replicate))
        with pytest.MonkeyPatch.context() as patch:
            # four sections ask for the same table: build it once
            people = landmarks.table(here, landmarks.landmark(here))
            patch.setattr(landmarks, "table", lambda *_, people=people: people.copy())
            found, known = run(here, names, patch)
        raw = known["differences"]["raw"].rename({"value_after": "margin", "retained": "retention"})
        for name in names:
            record = found[name].record()
            same = {"replicate": replicate, "hypothesis": name, "joint": record["verdict"]}
            rows += [part | same | {"raw": raw.get(part["key"])} for part in record["parts"]]
    return pd.DataFrame(rows)


def rows_of(table, name, key):
    return table[(table["hypothesis"] == name) & (table["key"] == key)]


def joint(table, name):
    """Return the verdict on a hypothesis in every region."""
    return table[table["hypothesis"] == name].drop_duplicates("replicate")["joint"]


def wrong(verdicts, name, truth):
    """Mark verdicts that the planted values contradict."""
    values = [(part, truth[name, part.key]) for part in hypothesis(name).parts]
    holds = all(part.claim.holds(each, each) for part, each in values)
    small = any(part.negligible and part.negligible.holds(each, each) for part, each in values)
    right = {"supported": holds, "contradicted": not holds, "too small to matter": small}
    return ~verdicts.map(right | {"inconclusive": True}).astype(bool)


@pytest.fixture(scope="module")
def drawn():
    return replicates(example.World(), TESTED)


@pytest.fixture(scope="module")
def truth():
    sample = large_draw(example.World(), SEED, TRUTH_CUSTOMERS)
    planted = {name: example.TRUTHS[name](sample) for name in TESTED}
    return {(name, key): value for name in TESTED for key, value in planted[name].items()}


@pytest.fixture(scope="module")
def without_effects():
    return replicates(replace(example.World(), **NO_EFFECTS), ("H13", "H14", "H16"))


@pytest.mark.parametrize(("name", "key"), PARTS)
def test_estimates_are_unbiased(drawn, truth, name, key):
    part = next(part for part in hypothesis(name).parts if part.key == key)
    found = rows_of(drawn, name, key)["estimate"]
    room = 3 * found.std() / np.sqrt(REPLICATES) + 0.05 * abs(truth[name, key] - part.null)
    assert abs(found.mean() - truth[name, key]) < room


@pytest.mark.parametrize(("name", "key"), PARTS)
def test_intervals_hold_the_truth(drawn, truth, name, key):
    found = rows_of(drawn, name, key)
    held = (found["ci_low"] <= truth[name, key]) & (truth[name, key] <= found["ci_high"])
    nominal = 0.95 - SHORTFALL.get(name, 0)
    assert held.mean() >= nominal - 3 * monte_carlo_error(nominal, REPLICATES)


@pytest.mark.parametrize("name", TESTED)
def test_verdicts_are_rarely_wrong(drawn, truth, name):
    assert wrong(joint(drawn, name), name, truth).mean() <= HIGHEST_ERROR


@pytest.mark.parametrize("name", ["H13", "H14", "H16"])
def test_no_effect_is_rarely_supported(without_effects, name):
    assert (joint(without_effects, name) == "supported").mean() <= HIGHEST_ERROR


@pytest.mark.parametrize("key", ["margin", "retention"])
def test_frequent_customers_who_buy_everything_more_often_are_no_effect(without_effects, key):
    found = rows_of(without_effects, "H16", key)
    assert found["raw"].mean() > 0.10
    assert abs(found["estimate"].mean()) < 0.015 + 3 * found["estimate"].std() / np.sqrt(REPLICATES)
    assert (found["verdict"] == "supported").mean() <= HIGHEST_ERROR


def test_customers_who_are_all_alike_are_not_concentrated():
    """Two visits a month of the same amount: unequal by chance, and hardly over a year."""
    rng, first = np.random.default_rng(SEED), pd.Timestamp(END) - pd.Timedelta(days=363)
    for _ in range(REGIONS_ALIKE):
        counts = 1 + rng.poisson(23, 400)
        customer = np.repeat([f"C{i:03d}" for i in range(400)], counts)
        days = first + pd.to_timedelta(rng.integers(0, 364, len(customer)), unit="D")
        lines = pd.DataFrame({"customer_id": customer, "bought_at": days, "amount": 250.0})
        people = pd.DataFrame({"customer_id": np.unique(customer), "region": "Example"})
        here = region_of({"customers": people, "transactions": lines})
        with pytest.MonkeyPatch.context() as patch:
            found, known = run(here, ["H12"], patch)
        assert found["H12"].verdict == "contradicted"
        assert known["ginis"]["gini"].is_monotonic_decreasing
        assert known["ginis"]["gini"].loc[1] > 0.35 > 0.15 > known["ginis"]["gini"].loc[12]
