"""Whole notebooks on random small regions that lack whatever a region can lack.

`FUZZ_REGIONS=300 pytest tests/test_fuzz_notebooks.py` runs all 300; without it the first few run.
A failure names its seed: `run_notebooks(write_region(folder, seed), drawn)` makes it again.
"""

import dataclasses
import html
import json
import math
import os
import re
import warnings
from unittest.mock import Mock, patch

import numpy as np
import pandas as pd
import pytest

from analysis.claims import claim, findings
from analysis.claims.hypotheses import register
from analysis.cohorts import survey
from analysis.data import cache
from analysis.data.contract import TABLES
from analysis.figures import display
from analysis.statistics.estimate import NotEstimable
from simulation import draw, rehearsal
from simulation.rehearsal import FEWER_IMPUTATIONS
from simulation.scenes import SCENES
from workbook import notebooks

REGIONS = int(os.environ.get("FUZZ_REGIONS", "4"))
DRAWN = 6
"""Every so many regions all pictures are drawn, and gaps are filled as often as in a report."""

SPARE = 60
"""Customers that are drawn besides: the simulator needs more than a dozen."""
WORLDS = [scene.world for scene in SCENES]
OF_ONE = {"segment": "private", "area": "urban", "kind": "visit", "product": "fuel"}
UNKNOWN = re.compile(r"\bnan\b|\bNaT\b|\binf\b|∞|\bNone\b|<NA>|\d[eE]\+?\d\d|(?:\d,\d{3}){5}")
"""What stands on no page: no number, an endless one, or one that nothing has."""


def draw_region(seed):
    """Return the tables of a region of 10 to 400 customers, from which much was taken away."""
    rng = np.random.default_rng(seed)
    n_customers = int(np.exp(rng.uniform(np.log(10), np.log(401))))
    tables = draw(WORLDS[rng.integers(len(WORLDS))], n_customers + SPARE, seed)
    ids = set(rng.choice(tables["customers"]["customer_id"], n_customers, replace=False))
    tables = {name: frame[frame["customer_id"].isin(ids)] for name, frame in tables.items()}
    for name in ("survey", "complaints", "contacts", "transactions"):
        if rng.random() < 0.12:
            del tables[name]
    share = rng.choice([0, 0.03, 0.1, 0.3])
    for name, frame in tables.items():
        tables[name] = spoil(TABLES[name], thin(name, frame, rng), share, rng)
    return tables


def thin(name, frame, rng):
    """Leave a share of the rows, or those of a time; of purchases also one for each customer."""
    kinds = ["all", "all", "all", "few", "a hundredth", "late", "early"]
    kind = "all" if name == "customers" else rng.choice(kinds)
    if name == "transactions" and rng.random() < 0.1:
        frame = frame.groupby("customer_id").head(rng.integers(1, 4))
    shares = {"few": 0.3, "a hundredth": 0.01}
    if kind in shares:
        return frame[rng.random(len(frame)) < shares[kind]]
    days = frame.select_dtypes("datetime")
    if kind in ("late", "early") and days.shape[1]:
        first = days.iloc[:, 0]
        edge = first.min() + rng.random() * (first.max() - first.min())
        return frame[first >= edge if kind == "late" else first <= edge]
    return frame


def spoil(schema, frame, share, rng):
    """Take out columns that need not be there, values, and differences."""
    for name, column in schema.columns.items():
        if name not in frame or column.required or name == "complaint_id":
            continue
        fate = rng.random()
        if fate < share:
            frame = frame.drop(columns=name)
        elif fate < 1.5 * share:
            frame = frame.mask((frame.columns == name) & (rng.random((len(frame), 1)) < 0.5))
        elif fate < 2 * share and len(frame):
            one = OF_ONE.get(name, frame[name].dropna().min())
            frame = frame.assign(**{name: one})
    amounts = [name for name in ("amount", "cost") if name in frame]
    if len(amounts) == 2 and rng.random() < 0.1:
        scale = 10 ** rng.uniform(-2, 4)
        frame = frame.assign(**{name: (scale * frame[name]).round(2) for name in amounts})
    elif "amount" in frame and rng.random() < 0.05:
        frame = frame.assign(amount=rng.choice([0.0, 100.0]))
    return frame


def write_region(folder, seed):
    """Write a region's tables and the TOML file of their source; return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = draw_region(seed)
    for name, frame in tables.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    tables = "".join(f'[{name}]\nfile = "{name}.csv"\n' for name in tables)
    path = folder.with_suffix(".toml")
    path.write_text(f'as_of = 2026-06-29\nmax_set_aside = 1.0\ncalendar = "CN"\n{tables}')
    return path


@dataclasses.dataclass
class Read:
    """What a reader of a notebook gets, and what broke."""

    findings: list = dataclasses.field(default_factory=list)
    texts: list = dataclasses.field(default_factory=list)
    errors: list = dataclasses.field(default_factory=list)


def run_notebooks(source, drawn, language="en"):
    """Run all notebooks of a region as a run does; what can't be estimated ends a notebook."""
    read = Read()
    given = {"region": "Example", "source": str(source), "language": language, "seed": 1}
    loud = rehearsal.FIGURES if drawn else display.__name__
    for notebook in notebooks.discover().values():
        shown = []
        if not notebook.is_per_region:
            continue
        with patch.object(claim, "display", shown.append), \
             patch.object(display, "display", read.texts.append):  # fmt: skip
            try:
                for value in rehearsal.perform(notebook.path, {}, given, loud=(loud,)):
                    if value is not None and not isinstance(value, Mock):
                        read.texts.append(value)
            except NotEstimable as why:
                read.texts.append(str(why))
                for each in shown[:1]:
                    each.not_testable(str(why))
            except Exception as error:
                read.errors.append(f"{where(error)}: {type(error).__name__}: {error}")
        read.findings += shown[1:]
    return read


def where(error):
    """Return the cell and the innermost line of the project in which an error came up."""
    at, names = error.__traceback__, []
    while at is not None:
        name = at.tb_frame.f_code.co_filename
        if name.endswith("]") or "/analysis/" in name:
            names.append(f"{name.rpartition('/')[2]}:{at.tb_lineno}")
        at = at.tb_next
    return " > ".join([names[0], *names[1:][-2:]]) if names else "?"


def wrong(read):
    """Return all that is wrong with what a reader gets, as sentences."""
    found = list(read.errors)
    counts = pd.Series([each.hypothesis.id for each in read.findings]).value_counts()
    broken = {error[:3] for error in read.errors}
    for key in register():
        if counts.get(key, 0) != 1 and key not in broken:
            found.append(f"{key}: {counts.get(key, 0)} findings")
    for finding in read.findings:
        found += [f"{finding.hypothesis.id}: {each}" for each in wrong_with(finding)]
    for each in read.texts:
        text = plain(each)
        if UNKNOWN.search(text):
            found.append(f"shown: …{around(text)}…")
    return found


def wrong_with(finding):
    """Yield what is wrong with a finding: numbers that can't be, and what it says."""
    if finding.verdict == "not testable" and len(finding.reason) < 20:
        yield f"not testable without a reason: {finding.reason!r}"
    record = finding.record()
    for part in finding.hypothesis.parts:
        each = finding.estimates.get(part.key)
        if each is not None:
            yield from wrong_number(part.key, each)
            if not part.sane.holds(each.estimate, each.estimate):
                yield f"{part.key} is {each.estimate:g}, which is not sane"
    for check in finding.checks:
        for number, variant in enumerate(check.variants):
            for key, each in variant.items():
                yield from wrong_number(f"variant {number} of {key}, {check.name}", each)
    supported = [part["key"] for part in record["parts"] if part.get("verdict") == "supported"]
    if finding.is_blocked and supported:
        yield f"supported {supported}, and blocked"
    json.dumps(record, allow_nan=False)
    card = plain(finding)
    texts = [card, record["meaning"], record["reason"], *record["caveats"]]
    texts += [f"{check['name']}: {check['value']} ({check['rule']})" for check in record["checks"]]
    for text in texts:
        if UNKNOWN.search(text):
            yield f"says …{around(text)}…"
    findings.tidy([record])


def wrong_number(name, each):
    """Yield what is wrong with an estimate and its interval."""
    numbers = f"{each.estimate:g} [{each.ci_low:g}, {each.ci_high:g}]"
    if not all(math.isfinite(value) for value in (each.estimate, each.ci_low, each.ci_high)):
        yield f"{name} is not finite: {numbers}"
    elif not each.ci_low < each.ci_high:
        yield f"{name} has no width: {numbers}"
    elif not each.ci_low <= each.estimate <= each.ci_high:
        yield f"{name} lies beside its interval: {numbers}"


def plain(shown):
    """Return what a reader sees of an output, as text without marks; of a picture its words."""
    if isinstance(shown, str):
        return shown
    bundle = getattr(shown, "_repr_mimebundle_", lambda: {})()
    text = bundle.get("text/html") if isinstance(bundle, dict) else None
    if text is None:
        text = getattr(shown, "data", None) or getattr(shown, "_repr_html_", lambda: None)()
    text = str(shown) if text is None else text
    text = re.sub(r'src="data:[^"]*"', "", text)
    words = " ".join(re.findall(r'(?:alt|aria-label)="([^"]*)"', text))
    return html.unescape(re.sub(r"<[^>]+>", " ", re.sub(r"<svg.*?</svg>", "", text)) + " " + words)


def around(text):
    """Return a text about the first of what stands on no page."""
    start = UNKNOWN.search(text).start()
    return " ".join(text[max(0, start - 60) : start + 60].split())


def problems(folder, seed):
    """Draw, write and run one region; return what is wrong."""
    drawn, language = seed % DRAWN == 0, "zh" if seed % 5 == 4 else "en"
    often = {name: getattr(survey, name) for name in FEWER_IMPUTATIONS}
    kept = folder / f"kept{seed}"  # by a run, for all notebooks of a region
    kept.mkdir()
    with (
        warnings.catch_warnings(),
        patch.multiple(survey, **often if drawn else FEWER_IMPUTATIONS),
        patch.dict(os.environ, {cache.FOLDER: str(kept)}),
    ):
        warnings.simplefilter("ignore")
        return wrong(run_notebooks(write_region(folder / f"r{seed}", seed), drawn, language))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(REGIONS))
def test_nothing_untrue_is_shown_of_a_small_region(seed, tmp_path):
    assert problems(tmp_path, seed) == []
