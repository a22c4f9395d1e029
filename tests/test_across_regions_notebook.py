"""The notebook over all regions, run on findings that are written beforehand."""

import html
import re

import nbformat
import numpy as np
import pandas as pd
import pytest

from analysis.claims import across_regions, calibration, checks, claim, findings
from analysis.claims.across_regions import sample_size
from analysis.claims.finding import conclude, no_finding
from analysis.claims.hypotheses import register
from analysis.claims.verdicts import Check
from analysis.claims.wording import format_value
from analysis.statistics.estimate import LINKS, from_se, on_scale
from workbook import notebooks
from workbook.running import execute, plan
from workbook.running.plan import Task

OVER = notebooks.FOLDER / f"{plan.ACROSS}.ipynb"
SIX = {"H01": 2, "H03": 1, "H05": 1, "H12": 2, "H14": 1, "H21": 1}  # parts of each
SEGMENTS = ["private", "private", "van", "fleet"]


def write_regions(folder, names):
    """Write a source whose regions differ in what sets regions apart, and nothing else."""
    (folder / "six").mkdir()
    people = pd.DataFrame({"region": np.repeat(names, range(40, 40 + 10 * len(names), 10))})
    people["customer_id"] = [f"C{i}" for i in people.index]
    people["area"] = np.where(people.index % 3 == 0, "urban", "suburban")
    people["segment"] = np.resize(SEGMENTS, len(people))
    people.to_csv(folder / "six" / "customers.csv", index=False)
    bought = {"customer_id": ["C0"], "bought_at": ["2026-01-05 08:00"], "amount": [100.0]}
    pd.DataFrame(bought).to_csv(folder / "six" / "transactions.csv", index=False)
    tables = "".join(f"[{name}]\nfile = '{name}.csv'\n" for name in ("customers", "transactions"))
    (folder / "six.toml").write_text(f"as_of = 2026-06-29\n{tables}", encoding="utf-8")
    return folder / "six.toml"


def records_of(names, *blocking):
    """Findings of a few hypotheses; H01 hangs on a style of answering, H03 on nothing."""
    rng, found = np.random.default_rng(3), []
    for number, (name, key) in enumerate((name, key) for name in names for key in SIX):
        known, se, spread = register()[key], 0.06 + 0.01 * (number % 5), 0.3 if key == "H01" else 1
        times = 3 + spread * rng.normal()
        effects = {part.key: effect_of(part, times, se) for part in known.parts}
        hangs = checks.same_verdict(
            claim.Claim(known, None, ()), effects, "without a style of answering",
            [{part.key: effect_of(part, 0.0, se) for part in known.parts}] if key == "H01" else [],
        )  # fmt: skip
        if (name, key) == (names[0], "H21"):
            found.append(no_finding(known, "six", name, "not testable", "No campaigns."))
            continue
        found.append(conclude(known, "six", name, effects, checks=[hangs, *blocking]))
    return [each.record() for each in found]


def effect_of(part, times, se):
    """An effect so many times as far from none as the edge of the claim."""
    edge = part.claim.low if np.isfinite(part.claim.low) else part.claim.high
    none, edge = (on_scale(each, part.scale) for each in (part.null, edge))
    middle = none + times * (edge - none if part.scale != "logit" else 0.2)
    return from_se(LINKS[part.scale][1](middle), se, 200, scale=part.scale)


def across(folder, records, names):
    """Run the notebook over all regions on written findings; return it and its page."""
    toml = write_regions(folder, names)
    findings.write(
        findings.tidy(records), findings.variants(records), folder, findings.tests(records)
    )
    outcome = execute.execute(Task(OVER, "six", "", {"source": str(toml)}, folder))
    assert outcome.failure == ""
    page = outcome.task.executed.with_suffix(".html").read_text(encoding="utf-8")
    return nbformat.read(outcome.task.executed, as_version=4), page


def table_of(notebook, caption):
    """Return a table that a notebook shows, by a part of its caption, as texts."""
    shown = [
        output["data"]["text/html"]
        for cell in cells_of(notebook)
        for output in cell.outputs
        if caption in output.get("data", {}).get("text/html", "").partition("</caption>")[0]
    ]
    rows = [
        [html.unescape(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)]
        for row in re.findall(r"<tr[^>]*>(.*?)</tr>", shown[0])
    ]
    return pd.DataFrame(rows[1:], columns=rows[0]).set_index(rows[0][0])


def whole(number):
    return "–" if np.isnan(number) else f"{number:,.0f}"


def cells_of(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def is_clean(page):
    text = re.sub(r"<(script|style|pre).*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL)
    return not re.search(r"\bnan\b|\binf\b|Traceback|None\b", text)


SIX_NAMES = ["North 华北", "East 华东", "South 华南", "West 西部", "Central", "Far"]


@pytest.fixture(scope="module")
def records():
    return records_of(SIX_NAMES)


@pytest.fixture(scope="module")
def pools(records):
    return across_regions.pooled(findings.tidy(records), findings.variants(records))


@pytest.fixture(scope="module")
def made(records, tmp_path_factory):
    return across(tmp_path_factory.mktemp("across"), records, SIX_NAMES)


@pytest.mark.slow
class TestOverSixRegions:
    def test_the_tables_are_those_of_the_synthesis(self, made, pools):
        shown, best = table_of(made[0], "Pooled effects"), across_regions.ranked(pools)
        assert shown.index.tolist() == best["hypothesis"].tolist()
        assert shown["verdict"].tolist() == best["verdict"].tolist()
        assert shown["survives all tests"].tolist() == [
            "✓" if each else "✗" for each in best["survives"]
        ]
        assert shown["regions"].tolist() == [str(each) for each in best["n_regions"]]
        for row in best.itertuples():
            show = register()[row.hypothesis].parts[0].show
            low, high = (format_value(each, show) for each in (row.ci_low, row.ci_high))
            assert shown.loc[row.hypothesis, "effect"] == format_value(row.estimate, show)
            assert shown.loc[row.hypothesis, "95% interval"] == f"{low} to {high}"
        spreads = table_of(made[0], "differ most").set_index("part", append=True)
        for row in pools.itertuples():
            part = next(p for p in register()[row.hypothesis].parts if p.key == row.part)
            if (row.hypothesis, part.label["en"]) in spreads.index:
                own = spreads.loc[(row.hypothesis, part.label["en"])]
                assert own["SD between regions"] == f"{row.tau:.3f}"

    def test_what_hangs_on_a_check_is_open_and_says_so(self, made, pools):
        own = pools[pools["hypothesis"] == "H01"]
        assert set(own["verdict"]) == {"inconclusive"}
        assert set(own["part_verdict"]) == {"inconclusive"}
        why = table_of(made[0], "Why a claim is open")
        assert why.loc["H01", "reason"] == own["reason"].iloc[0]
        assert "without a style of answering it would be" in why.loc["H01", "reason"]
        assert why.loc["H21", "regions left out"] == "North 华北 (not testable)"

    def test_every_part_has_one_picture_under_an_anchor_of_the_index(self, made):
        page = made[1]
        drawn = re.findall(r'<img[^>]*alt="([^"]*)"', page)
        for key, n in SIX.items():
            known = register()[key]
            assert len(known.parts) == n
            for part in known.parts:
                assert sum(alt.startswith(f"{part.label['en']} with") for alt in drawn) == 1
        assert is_clean(page)

    def test_no_claim_of_the_register_is_missing(self, made):
        headings = re.findall(r'<h3 id="(H\d+)-', made[1])
        assert headings == list(register())

    def test_what_to_do_next_ranks_what_all_regions_have_a_number_for(self, made, records, pools):
        customers = pd.Series(range(40, 100, 10), SIX_NAMES)
        times = sample_size.times_needed(findings.tidy(records))
        needed = sample_size.customers_needed(times, customers)
        shown = table_of(made[0], "Customers needed")
        assert shown.index.tolist() == ["own customers", *needed.dropna(how="all").index]
        for key in shown.index[1:]:
            assert shown.loc[key, "Far"] == whole(needed.loc[key, "Far"])
        assert (
            table_of(made[0], "Times what the region has").loc["H05", "counts"].startswith("stat")
        )
        near = table_of(made[0], "Further customers needed")
        expected = sample_size.further(needed, customers).loc[near.index]
        assert set(near.index) == set(pools.query("verdict == 'inconclusive'")["hypothesis"]) - {
            *sample_size.COUNTED
        }
        for row in expected.itertuples():
            assert near.loc[row.Index, "with a number"] == f"{row.known} of 6"
            assert near.loc[row.Index, "further customers"] == whole(row.customers)

    def test_the_coverage_is_that_of_the_fewest_regions_in_use(self, made, pools):
        shown = " ".join(re.sub(r"<[^>]+>", " ", text_of(made[0])).split())
        fewest = pools["n_regions"].min()
        low, high = calibration.pooled_line(fewest)["mean"]
        assert fewest == 5
        assert f"The fewest regions of a claim are {fewest}." in shown
        assert f"held the true mean in {low:.1%} to {high:.1%}" in shown
        low, high = calibration.pooled_line(fewest)["another"]
        assert f"its true effect in {low:.1%}–{high:.1%} (from 5 regions on)" in shown

    def test_regions_that_turn_a_verdict_are_in_the_table(self, made, records):
        found, others = findings.tidy(records), findings.variants(records)
        shown = table_of(made[0], "Without one region")
        for key in SIX:
            labels = {part.key: part.label["en"] for part in register()[key].parts}
            for part, each in across_regions.without_each(found, others, key).items():
                turns = each.index[each["turns"]]
                expected = ", ".join(turns) or "–"
                assert shown.loc[f"{key} {labels[part]}", "another verdict without"] == expected


@pytest.mark.slow
def test_over_three_regions_that_are_all_blocked_nothing_is_pooled_and_nothing_breaks(tmp_path):
    blocked = Check("Overlap", "at least 0.05", "0.01", False)
    names = ["North 华北", "East 华东", "South 华南"]
    notebook, page = across(tmp_path, records_of(names, blocked), names)
    assert is_clean(page)
    shown = " ".join(re.sub(r"<[^>]+>", " ", text_of(notebook)).split())
    assert "No claim has enough regions that can say something: nothing is pooled." in shown
    assert "Pooled effects" not in shown
    assert "nothing is pooled" in page
    why = table_of(notebook, "Why a claim is open")
    assert why.loc["H03", "reason"] == "0 of 3 regions can be pooled; 3 are needed."
    assert why.loc["H03", "regions left out"].startswith("North 华北 (Overlap); East")


def text_of(notebook):
    """Return all that a notebook shows: Markdown and HTML outputs."""
    data = [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", ())]
    return " ".join(each.get("text/markdown", each.get("text/html", "")) for each in data)
