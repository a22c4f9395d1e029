"""Inputs of users that once came out wrong, as a run of the command gives them today."""

import re

import nbformat
import numpy as np
import pandas as pd
import pytest

from analysis.claims import findings
from analysis.claims.hypotheses import register
from analysis.data.region import load_region
from analysis.data.sources import ROOT
from shells import Shell
from simulation import rehearsal
from workbook.pages import history

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shell():
    """The command, in folders of its own."""
    with Shell() as shell:
        yield shell


@pytest.fixture
def ran(case, shell, tmp_path):
    """Return a function that runs a case and returns the folder of its reports."""

    def run(name, *notebooks):
        words = [word for each in notebooks for word in ("-n", each)]
        words = ("run", "-s", case(name), "--reports", tmp_path, "-j", "1", *words)
        code, said = shell.workbook(ROOT / "notebooks", *words)
        assert code == 0, said
        return tmp_path

    return run


def outputs(reports):
    """Yield the texts of all that a reader is shown: pages, and what cells displayed."""
    for path in reports.rglob("*.html"):
        page = path.read_text(encoding="utf-8")
        yield re.sub(r"<(script|style|svg|pre).*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL)
    for path in reports.rglob("*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            for output in cell.get("outputs", ()):
                yield str(output.get("data", {}).get("text/markdown", ""))


def test_a_year_of_one_time_buyers_gives_no_absurd_margin(ran):
    reports = ran("21-absurd-margin-H16", "H16_buying_beyond_fuel")
    table = pd.read_csv(reports / "findings.csv").set_index("hypothesis")
    earlier = history.read(reports)
    for numbers in (table, findings.read_all(reports), earlier):
        ends = numbers[["estimate", "ci_low", "ci_high"]].to_numpy(float)
        assert np.abs(ends[np.isfinite(ends)]).max(initial=0) < 3_660
    assert set(table.loc["H16", "verdict"]) == {"not testable"}
    assert re.search(r"\b\d+\b", table.loc["H16", "reason"].iloc[0])  # the count that is too small
    for text in outputs(reports):
        assert not re.search(r"\d(,\d{3}){4}|\de\+?\d\d", text)


def test_who_bought_once_is_neither_loyal_nor_at_risk(ran):
    name = "segments_and_lifetime_value"
    (path,) = ran("21-absurd-margin-H16", name).rglob(f"{name}.ipynb")  # 87% bought once
    shown = [
        output["data"]["text/html"]
        for cell in nbformat.read(path, as_version=4).cells
        for output in cell.get("outputs", ())
        if "drifting" in output.get("data", {}).get("text/html", "")
    ]
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", shown[0])
    cells = [re.findall(r"<t[hd][^>]*>(?:<strong>)?(.*?)<", row) for row in rows]
    names, at = [row[0] for row in cells[1:]], cells[0].index("customers")
    sizes = {row[0]: int(row[at].replace(",", "")) for row in cells[1:]}
    often = sum(sizes[name] for name in names if name in ("champions", "loyal", "at risk"))
    assert sum(sizes.values()) > 200
    assert often < 0.13 * sum(sizes.values())


def test_a_scale_that_is_coded_the_other_way_round_is_found(ran):
    names = ("H01_performance_against_expectation", "H02_delivered_value")
    reports = ran("22-one-is-best", *names)
    for name in names:
        (path,) = reports.rglob(f"{name}.ipynb")
        (found,) = findings.records(nbformat.read(path, as_version=4))
        assert found["verdict"] == "inconclusive"
        failed = [each for each in found["checks"] if not each["passed"] and each["blocking"]]
        said = " ".join(f"{each['name']} {each['value']}" for each in failed)
        assert "satisfaction" in said
        assert re.search("loyalty|performance|value", said)
        assert re.search(r"[-−]0?\.\d", said)  # their correlation


def test_three_customers_decide_nothing_and_break_nothing(case):
    here = load_region(case("zero"), "R")
    found = [rehearsal.run(key, here)[0] for key in register()]
    assert {each.verdict for each in found} == {"not testable"}
    assert min(len(each.reason) for each in found) > 20
