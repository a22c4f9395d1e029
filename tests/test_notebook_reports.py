"""What the notebooks say about worlds that are known, and about real data."""

import re

import nbformat
import pandas as pd
import pytest

from analysis.claims import findings
from analysis.claims.hypotheses import register
from analysis.data.region import load_region
from simulation import World, draw, rehearsal
from workbook import notebooks
from workbook.pages import collect, report
from workbook.running import execute, plan
from workbook.running.plan import Task

pytestmark = pytest.mark.slow

HIDDEN_CAUSE = "with a hidden cause as strong as any recorded"
MOOD = "net of the stations' other customers and of the waves before"
NOTEBOOKS = {each.name: each.path for each in notebooks.discover().values() if each.is_per_region}


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """Two regions of the example world, one of 12 customers, run through every notebook."""
    folder = tmp_path_factory.mktemp("regions")
    data = folder / "two"
    data.mkdir()
    many, few = draw(World(), 500, 1), draw(World(), 12, 2)
    for name, table in many.items():
        other = few[name].copy()
        for frame, region, letter in ((table, "Many 多", "m"), (other, "Few", "f")):
            frame["customer_id"] = letter + frame["customer_id"].astype(str)
            if "complaint_id" in frame:
                frame["complaint_id"] = letter + frame["complaint_id"].astype(str)
            if "region" in frame:
                frame["region"] = region
        pd.concat([table, other]).to_csv(data / f"{name}.csv", index=False)
    names = ("customers", "survey", "complaints", "transactions", "contacts")
    toml = "as_of = 2026-06-29\n" + "".join(f"[{n}]\nfile = '{n}.csv'\n" for n in names)
    (folder / "two.toml").write_text(toml, encoding="utf-8")
    tasks = [
        Task(path, "two", region, {"source": str(folder / "two.toml")}, folder / "reports")
        for region in ("Many 多", "Few")
        for path in NOTEBOOKS.values()
    ]
    outcomes = list(execute.run(tasks, jobs=2))
    collect.rebuild(folder / "reports")
    outcomes += map(
        execute.execute,
        plan.Plan(
            "two",
            plan.Data({}, ""),
            [],
            {notebooks.discover()[plan.ACROSS]: {"source": str(folder / "two.toml")}},
            folder / "reports",
        ).across(),
    )
    collect.rebuild(folder / "reports")
    return outcomes, folder / "reports"


LINKS = re.compile(r"(<!--(\w+)-->).*?(<!--/\2-->)", re.DOTALL)
"""What a run fills in where it knows all pages: links to the ones beside."""


class TestWhatItSays:
    def test_nothing_breaks_not_even_with_twelve_customers(self, reports):
        outcomes, _ = reports
        assert len(outcomes) == 2 * len(NOTEBOOKS) + 1
        assert [each.failure for each in outcomes] == [""] * len(outcomes)

    def test_each_hypothesis_has_a_verdict_or_a_reason(self, reports):
        table = pd.read_csv(reports[1] / "findings.csv")
        expected = set(register())
        for _, rows in table.groupby("region"):
            assert set(rows["hypothesis"]) == expected
        assert "failed" not in set(table["verdict"])
        untested = table["verdict"] == "not testable"
        assert table.loc[untested, "reason"].str.len().min() > 10
        assert table.loc[~untested, ["estimate", "ci_low", "ci_high"]].notna().all().all()

    def test_what_a_claim_must_survive_stands_among_its_checks(self, reports):
        paths = reports[1].rglob("H*.ipynb")
        found = [each for path in paths for each in findings.records(nbformat.read(path, 4))]
        told = [each for each in found if "estimate" in each["parts"][0]]
        assert {each["hypothesis"] for each in told if register()[each["hypothesis"]].causal}
        for each in told:
            names = [check["name"] for check in each["checks"]]
            hidden = MOOD if each["hypothesis"] == "H05" else HIDDEN_CAUSE
            assert names.count(hidden) == register()[each["hypothesis"]].causal
            is_about_money = register()[each["hypothesis"]].money
            assert sum("refunds" in name for name in names) == is_about_money

    def test_twelve_customers_decide_nothing(self, reports):
        table = pd.read_csv(reports[1] / "findings.csv").set_index("region")
        assert set(table.loc["Few", "verdict"]) <= {"inconclusive", "not testable"}

    def test_pages_say_no_nan_and_show_no_traceback(self, reports):
        for path in reports[1].rglob("*.html"):
            page = path.read_text(encoding="utf-8")
            text = re.sub(r"<(script|style|pre).*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL)
            assert not re.search(r"\bnan\b|\binf\b|Traceback|None\b", text), path.name

    def test_no_customer_is_named(self, reports):
        data = reports[1].parent / "two" / "customers.csv"
        ids = pd.read_csv(data, dtype=str)["customer_id"]
        assert len(ids) == 512
        for path in [*reports[1].rglob("*.html"), *reports[1].rglob("*.ipynb")]:
            text = path.read_text(encoding="utf-8")
            assert not [each for each in ids if each in text], path.name

    def test_every_figure_says_what_is_in_it(self, reports):
        for path in reports[1].rglob("*.html"):
            page = path.read_text(encoding="utf-8")
            images = re.findall(r"<img[^>]*>", page)
            assert all(re.search(r'alt="[^"]{20,}"', image) for image in images)

    def test_pages_can_be_made_again_from_the_executed_notebooks(self, reports):
        for path in reports[1].rglob("*.ipynb"):
            notebook = nbformat.read(path, as_version=4)
            page = path.with_suffix(".html").read_text(encoding="utf-8")
            home = "../" * (len(path.relative_to(reports[1]).parts) - 1) + "index.html"
            assert report.page(notebook, home) == LINKS.sub(r"\1\3", page)


def test_a_run_on_the_same_data_changes_no_byte(reports):
    outcomes, folder = reports
    task = next(each.task for each in outcomes if each.task.region == "Few")
    files = [task.executed, task.executed.with_suffix(".html"), folder / "findings.csv"]
    before = [path.read_bytes() for path in files]
    execute.execute(task)
    collect.rebuild(folder)
    assert [path.read_bytes() for path in files] == before


@pytest.fixture(scope="module")
def real_reports(tmp_path_factory):
    """Return a function that runs notebooks on a region of real data, by the start of names."""

    def make(toml, region, *starts):
        folder, found = tmp_path_factory.mktemp("real"), {}
        for name, path in NOTEBOOKS.items():
            if name.startswith(starts):
                task = Task(path, toml.stem, region, {"source": str(toml)}, folder)
                assert execute.execute(task).failure == ""
                found[name.partition("_")[0]] = nbformat.read(task.executed, as_version=4)
        return found

    return make


def text_of(notebook):
    """Return all that a notebook shows as plain text, and why it ended early."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    data = [output.get("data", {"text/html": output.get("evalue", "")}) for output in outputs]
    shown = " ".join(each.get("text/markdown", each.get("text/html", "")) for each in data)
    return " ".join(re.sub(r"<[^>]+>", " ", shown).replace("−", "-").split())


def finding_of(notebook):
    """Return the record of a notebook's finding."""
    (found,) = findings.records(notebook)
    return found


def test_cdnow_gives_the_published_parameters(real_source, real_reports):
    executed = real_reports(real_source("cdnow"), "cdnow", "segments", "H12", "H13", "H14")
    shown = text_of(executed["segments"])
    for parameter, value in {"r": "0.243", "alpha": "4.414", "a": "0.793", "b": "2.426"}.items():
        assert f"BG/NBD {parameter} {value}" in shown
    assert "BG/NBD -9582.4" in shown
    assert "Classes by cumulated sales" in text_of(executed["H12"])
    assert "There is no table 'survey'" in finding_of(executed["H13"])["reason"]
    assert finding_of(executed["H14"])["verdict"] == "not testable"
    assert finding_of(executed["H12"])["verdict"] == "contradicted"


def test_a_questionnaire_alone_tests_no_claim_but_shows_its_drivers(
    real_source, real_reports, shared
):
    toml = real_source("customer_sat", "satisfaction")
    executed, here = real_reports(toml, "advertisers", "dr"), load_region(str(toml), "advertisers")
    found = {key: rehearsal.run(key, here)[0] for key in register()}
    assert {each.verdict for each in found.values()} == {"not testable"}
    assert "no values in service_value" in found["H02"].reason
    own = pd.read_csv(shared / "satisfaction" / "customer_sat.csv")
    price, effect = own.loc[:, "q2":"q4"].mean(axis=1), own.loc[:, "q5":"q10"].mean(axis=1)
    r, s, between = own["q1"].corr(price), own["q1"].corr(effect), price.corr(effect)
    r2 = (r**2 + s**2 - 2 * r * s * between) / (1 - between**2)
    share = (r**2 + r2 - s**2) / 2 / r2  # of two drivers: the mean of entering first and last
    slope = -(r - s * between) / (1 - between**2)
    shown = text_of(executed["drivers"])
    assert f"R² = {r2:.2f} driver slope" in shown
    assert f"cost in money {slope:+.2f} {share:.0%}" in shown
    assert "Relative importance of 2 drivers; 1,811 customers." in shown


def test_four_days_of_ccs_give_no_lifetime_value(real_source, real_reports):
    executed = real_reports(real_source("ccs"), "Czechia", "data", "segments", "H12", "H15")
    profile, worth = text_of(executed["data"]), text_of(executed["segments"])
    assert "That is not enough for a model of repeat buying" in worth
    assert "expected to be active" not in worth
    for key in ("H12", "H15"):
        assert finding_of(executed[key])["verdict"] == "not testable"
        assert "there are 4" in finding_of(executed[key])["reason"]
    assert "89 lines have an amount but no quantity" in profile
    assert "one region for each customer" in profile
    assert "44480" not in profile  # the customer who bought in both countries
    assert "24.9 CZK" in profile
