"""The notebooks: how they are written, and what they say about worlds that are known."""

import ast
import html
import re

import nbformat
import numpy as np
import pandas as pd
import papermill
import pytest

from analysis.claims import across_regions, calibration, checks, claim, findings, sample_size
from analysis.claims.hypotheses import register
from analysis.claims.verdicts import Check
from analysis.claims.wording import format_value
from analysis.statistics.estimate import LINKS, from_se, on_scale
from simulation import World, draw
from workbook import notebooks
from workbook.pages import report
from workbook.running import execute, plan
from workbook.running.plan import Task

NOTEBOOKS = {each.name: each.path for each in notebooks.discover().values() if each.is_per_region}
OVER = notebooks.FOLDER / f"{plan.ACROSS}.ipynb"
ALL = NOTEBOOKS | {plan.ACROSS: OVER}
MAX_LINES = 26


def cells(path, kind):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def code_of(cell):
    return "\n".join(line for line in cell.source.splitlines() if not line.startswith("%"))


@pytest.mark.parametrize("path", ALL.values(), ids=ALL)
class TestHowItIsWritten:
    def test_it_is_valid_and_has_no_outputs(self, path):
        nbformat.validate(nbformat.read(path, as_version=4))
        for cell in cells(path, "code"):
            assert cell.outputs == []
            assert cell.execution_count is None

    def test_the_parameters_are_literals(self, path):
        first = cells(path, "code")[0]
        assert first.metadata["tags"] == ["parameters"]
        names = {}
        for line in ast.parse(first.source).body:
            names[line.targets[0].id] = ast.literal_eval(line.value)
        per_region = ["region", "source", "as_of", "language", "seed"]
        assert list(names) == (["source", "language"] if path == OVER else per_region)
        assert set(papermill.inspect_notebook(str(path))) == set(names)

    def test_nothing_is_defined_and_no_warning_is_hidden(self, path):
        for cell in cells(path, "code"):
            for node in ast.walk(ast.parse(code_of(cell))):
                assert not isinstance(
                    node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda
                )
            assert "warnings" not in cell.source

    def test_cells_are_short_and_introduced_by_a_sentence(self, path):
        before = None
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code":
                tags = cell.metadata.get("tags", [])
                assert len(cell.source.splitlines()) <= MAX_LINES, cell.source
                if "raises-exception" in tags:
                    assert before == "markdown", cell.source
            before = cell.cell_type

    def test_no_number_from_the_data_is_typed_into_the_text(self, path):
        for cell in cells(path, "markdown"):
            assert not re.search(r"\d+\.\d\d|\d,\d{3}|p\s*[=<]", cell.source), cell.source

    def test_a_section_that_breaks_lets_the_next_one_go_on(self, path):
        started = False
        for cell in nbformat.read(path, as_version=4).cells:
            started = started or cell.source.startswith("## ")
            if cell.cell_type == "code" and started:
                assert "raises-exception" in cell.metadata.get("tags", [])

    def test_it_has_a_section_for_each_of_its_hypotheses_and_no_other(self, path):
        text = "\n".join(cell.source for cell in cells(path, "markdown"))
        headings = re.findall(r"^## (H\d\d) (.+)$", text, re.MULTILINE)
        expected = [
            (key, each.title["en"])
            for key, each in register().items()
            if each.notebook == path.stem
        ]
        assert headings == expected

    def test_a_verdict_only_comes_from_the_register(self, path):
        code = "\n".join(cell.source for cell in cells(path, "code"))
        for key in re.findall(r'claim\("(\w+)"', code):
            assert register()[key].notebook == path.stem

    def test_what_is_read_causally_is_held_against_a_hidden_cause(self, path):
        section, concluded = "", set()
        for cell in nbformat.read(path, as_version=4).cells:
            heading = re.search(r"^## (\w+)", cell.source, re.MULTILINE)
            section = heading[1] if cell.cell_type == "markdown" and heading else section
            for call in ast.walk(ast.parse(code_of(cell) if cell.cell_type == "code" else "")):
                if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "conclude":
                    given = "hidden" in {each.arg for each in call.keywords}
                    assert given == register()[section].causal, section
                    concluded.add(section)
        assert concluded == {k for k, each in register().items() if each.notebook == path.stem}


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
    execute.rebuild(folder / "reports")
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
    execute.rebuild(folder / "reports")
    return outcomes, folder / "reports"


@pytest.mark.slow
class TestWhatItSays:
    def test_nothing_breaks_not_even_with_twelve_customers(self, reports):
        outcomes, _ = reports
        assert len(outcomes) == 2 * len(NOTEBOOKS) + 1
        assert [each.failures for each in outcomes] == [()] * len(outcomes)

    def test_each_hypothesis_has_a_verdict_or_a_reason(self, reports):
        table = pd.read_csv(reports[1] / "findings.csv")
        expected = {key for key, each in register().items() if each.notebook in NOTEBOOKS}
        for _, rows in table.groupby("region"):
            assert set(rows["hypothesis"]) == expected
        assert "failed" not in set(table["verdict"])
        untested = table["verdict"] == "not testable"
        assert table.loc[untested, "reason"].str.len().min() > 10
        assert table.loc[~untested, ["estimate", "ci_low", "ci_high"]].notna().all().all()

    def test_what_a_claim_must_survive_stands_among_its_checks(self, reports):
        paths = reports[1].rglob("0*.ipynb")
        found = [each for path in paths for each in findings.records(nbformat.read(path, 4))]
        told = [each for each in found if "estimate" in each["parts"][0]]
        assert {each["hypothesis"] for each in told if register()[each["hypothesis"]].causal}
        for each in told:
            names = [check["name"] for check in each["checks"]]
            assert names.count(claim.HIDDEN) == register()[each["hypothesis"]].causal
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
            assert report.page(notebook, home) == page


@pytest.mark.slow
def test_a_run_on_the_same_data_changes_no_byte(reports):
    outcomes, folder = reports
    task = next(each.task for each in outcomes if each.task.region == "Few")
    files = [task.executed, task.executed.with_suffix(".html"), folder / "findings.csv"]
    before = [path.read_bytes() for path in files]
    execute.execute(task)
    execute.rebuild(folder)
    assert [path.read_bytes() for path in files] == before


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
            found.append(findings.no_finding(known, "six", name, "not testable", "No campaigns."))
            continue
        found.append(findings.conclude(known, "six", name, effects, checks=[hangs, *blocking]))
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
    findings.write(findings.tidy(records), findings.variants(records), folder)
    outcome = execute.execute(Task(OVER, "six", "", {"source": str(toml)}, folder))
    assert outcome.failures == ()
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
        assert shown["stands"].tolist() == ["✓" if each else "✗" for each in best["survives"]]
        assert shown["regions"].tolist() == [str(each) for each in best["n_regions"]]
        for row in best.itertuples():
            show = register()[row.hypothesis].parts[0].show
            low, high = (format_value(each, show) for each in (row.ci_low, row.ci_high))
            assert shown.loc[row.hypothesis, "effect"] == format_value(row.estimate, show)
            assert shown.loc[row.hypothesis, "interval"] == f"{low} to {high}"
        spreads = table_of(made[0], "differ most").set_index("part", append=True)
        for row in pools.itertuples():
            if (row.hypothesis, row.part) in spreads.index:
                own = spreads.loc[(row.hypothesis, row.part)]
                assert own["tau"] == f"{row.tau:.3f}"

    def test_what_hangs_on_a_check_is_open_and_says_so(self, made, pools):
        own = pools[pools["hypothesis"] == "H01"]
        assert set(own["verdict"]) == {"inconclusive"}
        assert set(own["part_verdict"]) == {"inconclusive"}
        why = table_of(made[0], "Why a claim is open")
        assert why.loc["H01", "reason"] == own["reason"].iloc[0]
        assert "without a style of answering it would be" in why.loc["H01", "reason"]
        assert why.loc["H21", "left out"] == "North 华北 (not testable)"

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
            assert near.loc[row.Index, "with a number"] == f"{row.known} of 6 regions"
            assert near.loc[row.Index, "further customers"] == whole(row.customers)

    def test_the_coverage_is_that_of_the_fewest_regions_in_use(self, made, pools):
        shown = " ".join(re.sub(r"<[^>]+>", " ", text_of(made[0])).split())
        fewest = pools["n_regions"].min()
        low, high = calibration.pooled_line(fewest)["mean"]
        assert fewest == 5
        assert f"The fewest regions of a claim are {fewest}." in shown
        assert f"held the true mean in {low:.1%} to {high:.1%}" in shown
        assert f"{1 - low:.0%} of such intervals miss the mean" in shown

    def test_regions_that_turn_a_verdict_are_in_the_table(self, made, records):
        found, others = findings.tidy(records), findings.variants(records)
        shown = table_of(made[0], "Without one region").set_index("part", append=True)
        for key in SIX:
            for part, each in across_regions.without_each(found, others, key).items():
                turns = each.index[each["turns"]]
                expected = ", ".join(turns[:3]) + " …" * (len(turns) > 3) or "–"
                assert shown.loc[(key, part), "turns without"] == expected


@pytest.mark.slow
def test_over_three_regions_that_are_all_blocked_nothing_is_pooled_and_nothing_breaks(tmp_path):
    blocked = Check("Overlap", "at least 0.05", "0.01", False)
    names = ["North 华北", "East 华东", "South 华南"]
    notebook, page = across(tmp_path, records_of(names, blocked), names)
    assert is_clean(page)
    shown = " ".join(re.sub(r"<[^>]+>", " ", text_of(notebook)).split())
    assert "0 claims are pooled over 3 regions or more; 0 are supported" in shown
    assert "Pooled effects" not in shown
    assert "nothing is pooled" in page
    why = table_of(notebook, "Why a claim is open")
    assert why.loc["H03", "reason"] == "0 of 3 regions can be pooled; 3 are needed."
    assert why.loc["H03", "left out"].startswith("North 华北 (Overlap); East")


@pytest.fixture(scope="module")
def real_reports(tmp_path_factory):
    """Return a function that runs every notebook on a region of real data."""

    def make(toml, region):
        folder = tmp_path_factory.mktemp("real")
        found = {}
        for path in NOTEBOOKS.values():
            task = Task(path, "real", region, {"source": str(toml)}, folder)
            outcome = execute.execute(task)
            assert outcome.failures == ()
            found[path.stem] = nbformat.read(task.executed, as_version=4)
        return found

    return make


def text_of(notebook):
    """Return all that a notebook shows: Markdown and HTML outputs."""
    data = [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", ())]
    return " ".join(each.get("text/markdown", each.get("text/html", "")) for each in data)


@pytest.mark.slow
def test_cdnow_gives_the_published_parameters(real_source, real_reports):
    notebook = real_reports(real_source("cdnow"), "cdnow")["04_customer_value"]
    shown = re.sub(r"<[^>]+>", " ", text_of(notebook))
    shown = " ".join(shown.replace("−", "-").split())
    for parameter, value in {"r": "0.243", "alpha": "4.414", "a": "0.793", "b": "2.426"}.items():
        assert f"BG/NBD {parameter} {value}" in shown
    assert "BG/NBD -9582.4" in shown
    assert "Classes by cumulated sales" in shown
    verdicts = {each["hypothesis"]: each for each in findings.records(notebook)}
    assert "There is no table 'survey'" in verdicts["H13"]["reason"]
    assert verdicts["H14"]["verdict"] == "not testable"
    assert verdicts["H12"]["verdict"] == "contradicted"


@pytest.mark.slow
def test_a_questionnaire_alone_tests_no_claim_but_shows_its_drivers(
    real_source, real_reports, shared
):
    executed = real_reports(real_source("customer_sat", "satisfaction"), "advertisers")
    records = {
        each["hypothesis"]: each for one in executed.values() for each in findings.records(one)
    }
    assert set(records) == {k for k, each in register().items() if each.notebook in NOTEBOOKS}
    assert {each["verdict"] for each in records.values()} == {"not testable"}
    assert "no values in service_value" in records["H02"]["reason"]
    own = pd.read_csv(shared / "satisfaction" / "customer_sat.csv")
    price, effect = own.loc[:, "q2":"q4"].mean(axis=1), own.loc[:, "q5":"q10"].mean(axis=1)
    r, s, between = own["q1"].corr(price), own["q1"].corr(effect), price.corr(effect)
    r2 = (r**2 + s**2 - 2 * r * s * between) / (1 - between**2)
    share = (r**2 + r2 - s**2) / 2 / r2  # of two drivers: the mean of entering first and last
    shown = re.sub(r"<[^>]+>", " ", text_of(executed["02_satisfaction_drivers"]))
    shown = " ".join(shown.replace("−", "-").split())
    slope = -(r - s * between) / (1 - between**2)
    assert f"R² = {r2:.2f} driver slope" in shown
    assert f"money_cost {slope:+.2f} {share:.0%}" in shown
    assert "Relative importance of 2 drivers; 1,811 customers." in shown


@pytest.mark.slow
def test_four_days_of_ccs_give_no_lifetime_value(real_source, real_reports):
    executed = real_reports(real_source("ccs"), "Czechia")
    profile, worth = (text_of(executed[name]) for name in ("01_data_profile", "04_customer_value"))
    assert "not enough" in worth
    assert "Of " not in re.findall(r"expected to be active", worth)
    assert "p alive" not in worth
    records = list(findings.records(executed["04_customer_value"]))
    assert {each["verdict"] for each in records} == {"not testable"}
    assert "there are 4" in records[0]["reason"]
    assert "89 lines have an amount but no quantity" in profile
    assert "one region for each customer" in profile
    assert "44480" not in profile  # the customer who bought in both countries
    assert "24.9 CZK" in profile
