"""Running notebooks: what is left when all goes well, and when something breaks."""

import json
import os
import time

import nbformat
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from analysis.claims import findings
from sample_findings import loss_against_gain
from workbook.running import execute, plan, up_to_date
from workbook.running.plan import Task, UsageError

SETUP = 'region = "North"\nsource = "nowhere"\nlanguage = "en"\nseed = 1'
CLAIM = """from analysis import findings
from analysis.statistics.estimate import Estimate
from analysis.claims.hypotheses import hypothesis
found = {part.key: Estimate(0.5, 0.4, 0.6, 100) for part in hypothesis(KEY).parts}
findings.conclude(hypothesis(KEY), source, region, found)"""


def notebook(tmp_path, sections, name="04_customer_value", setup="1"):
    """Write a notebook with a section for each hypothesis, and return its path."""
    new = nbformat.v4
    cells = [
        new.new_markdown_cell("# A small notebook"),
        new.new_code_cell(SETUP, metadata={"tags": ["parameters"]}),
        new.new_code_cell(setup),
    ]
    for key, code in sections.items():
        cells.append(new.new_markdown_cell(f"## {key} A claim"))
        for source in code if isinstance(code, list) else [code]:
            tags = {"tags": ["raises-exception"]}
            cells.append(new.new_code_cell(source.replace("KEY", repr(key)), metadata=tags))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    written = new.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    path = tmp_path / f"{name}.ipynb"
    nbformat.write(written, path)
    return path


def task(tmp_path, path, **parameters):
    return Task(path, "small", "North", parameters, tmp_path / "reports")


def verdicts(folder):
    table = pd.read_csv(folder / "findings.csv")
    return table.groupby("hypothesis")["verdict"].first().to_dict()


@pytest.mark.slow
def test_a_section_that_breaks_takes_no_other_down(tmp_path):
    sections = {
        "H12": CLAIM,
        "H13": ["raise ValueError('no such thing')", "found = 1 / 0", CLAIM],
        "H14": CLAIM,
    }
    todo = task(tmp_path, notebook(tmp_path, sections))
    outcome = execute.execute(todo)
    execute.rebuild(todo.reports)
    assert outcome.failures == ("H13: ValueError: no such thing",)
    assert verdicts(todo.reports)["H13"] == "failed"
    assert verdicts(todo.reports)["H12"] != "failed"
    assert verdicts(todo.reports)["H14"] != "failed"
    assert verdicts(todo.reports)["H16"] == "failed"  # the notebook has no section for it
    table = pd.read_csv(todo.reports / "findings.csv").set_index("hypothesis")
    assert set(table.loc["H13", "reason"]) == {"ValueError: no such thing"}


@pytest.mark.slow
def test_a_set_up_that_breaks_fails_the_notebook_with_its_message(tmp_path):
    setup = (
        "from analysis.data.sources import DataError\nraise DataError('lines.csv: row 7 is odd.')"
    )
    todo = task(tmp_path, notebook(tmp_path, {"H12": CLAIM}, setup=setup))
    outcome = execute.execute(todo)
    execute.rebuild(todo.reports)
    assert outcome.failures == ("lines.csv: row 7 is odd.",)
    assert set(verdicts(todo.reports).values()) == {"failed"}
    page = todo.executed.with_suffix(".html").read_text(encoding="utf-8")
    assert "lines.csv: row 7 is odd." in page
    assert "Traceback" not in page
    assert str(tmp_path) not in page


@pytest.mark.slow
def test_a_kernel_that_dies_is_reported_and_nothing_is_left_behind(tmp_path):
    sections = {"H12": CLAIM, "H13": "import os\nos._exit(1)", "H14": CLAIM}
    todo = task(tmp_path, notebook(tmp_path, sections))
    outcome = execute.execute(todo)
    execute.rebuild(todo.reports)
    assert "The kernel died" in outcome.failures[0]
    assert verdicts(todo.reports)["H12"] != "failed"
    assert verdicts(todo.reports)["H14"] == "failed"
    left = {path.name for path in todo.executed.parent.iterdir()}
    assert left == {
        "04_customer_value.html", "04_customer_value.ipynb", ".04_customer_value.json"
    }  # fmt: skip
    assert outcome.tries == 2


@pytest.mark.slow
def test_the_same_input_gives_the_same_bytes_and_no_paths(tmp_path):
    todo = task(tmp_path, notebook(tmp_path, {"H12": CLAIM, "H13": "1 / 0"}), seed=5)
    execute.execute(todo)
    files = [todo.executed, todo.executed.with_suffix(".html")]
    first = [path.read_bytes() for path in files]
    execute.execute(todo)
    assert [path.read_bytes() for path in files] == first
    assert all(str(tmp_path).encode() not in each for each in first)
    about = json.loads(first[0])["metadata"]["workbook"]
    assert about["parameters"] == {"seed": 5, "region": "North", "source": "small"}


@pytest.mark.slow
def test_parameters_reach_the_notebook(tmp_path):
    path = notebook(tmp_path, {"H12": "print(region, seed, language)"})
    todo = task(tmp_path, path, seed=77, language="zh")
    execute.execute(todo)
    executed = nbformat.read(todo.executed, as_version=4)
    printed = [
        output.text
        for cell in executed.cells
        for output in cell.get("outputs", ())
        if "text" in output
    ]
    assert printed == ["North 77 zh\n"]
    failed = next(findings.records(executed))
    assert failed["language"] == "zh"


@pytest.mark.slow
def test_tasks_run_side_by_side_and_a_failure_stops_none(tmp_path):
    good = notebook(tmp_path, {"H12": CLAIM})
    bad = notebook(tmp_path, {"H17": "1 / 0"}, name="05_customer_retention")
    reports = tmp_path / "reports"
    tasks = [
        Task(path, "small", region, {}, reports)
        for region in ("North", "South 华南")
        for path in (bad, good)
    ]
    outcomes = list(execute.run(tasks, jobs=2))
    assert {each.task.region for each in outcomes} == {"North", "South 华南"}
    assert (
        sum("H17: ZeroDivisionError: division by zero" in each.failures for each in outcomes) == 2
    )
    (reports / "small" / "North" / ".draft.ipynb").write_text("{}")  # of a run that was killed
    entries = execute.rebuild(reports)
    assert len(entries) == 4
    index = (reports / "index.html").read_text(encoding="utf-8")
    assert "South 华南" in index
    assert entries[0].href in index


def test_nothing_is_noted_of_what_threads_do():
    with execute._client(1, "") as client:
        client.submit(time.sleep, 2).result()  # Dask's profile is put together every second
        assert client.profile()["count"] == 0


def test_names_are_refused_with_the_nearest():
    assert plan.chosen([], ["a", "b"], "region") == ["a", "b"]
    assert plan.chosen(["b", "b"], ["a", "b"], "region") == ["b"]
    with pytest.raises(UsageError, match=r"No region 'Nroth'\. Did you mean 'North'\?"):
        plan.chosen(["Nroth"], ["North", "South"], "region")


def test_parameters_are_read_in_the_type_of_their_default(tmp_path):
    path = notebook(tmp_path, {})
    assert plan.parameters(path, ["seed=7", "language=zh"]) == {"seed": 7, "language": "zh"}
    with pytest.raises(UsageError, match=r"has no parameter 'sed'\. Did you mean 'seed'\?"):
        plan.parameters(path, ["sed=7"])
    with pytest.raises(UsageError, match="seed = 'x': expected a whole number"):
        plan.parameters(path, ["seed=x"])
    with pytest.raises(UsageError, match="language = 'fr': expected one of en, zh"):
        plan.parameters(path, ["language=fr"])
    with pytest.raises(UsageError, match="no parameter 'region'"):
        plan.parameters(path, ["region=South"])


def write_reports(reports, *regions):
    """Write executed notebooks as a run leaves them, one for each region."""
    for region in regions:
        data = loss_against_gain(0.3, 0.05, region=region)._repr_mimebundle_()
        output = nbformat.v4.new_output("display_data", data=data)
        cell = nbformat.v4.new_code_cell("", outputs=[output])
        about = {"source": "example", "region": region, "notebook": "02_satisfaction_drivers",
                 "status": "ok", "error": "", "prints": {"data_until": "2026-06-30"}}  # fmt: skip
        path = reports / "example" / region / "02_satisfaction_drivers.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata={"workbook": about}), path)


def note(reports, *regions):
    """Note that a source's data has these regions."""
    data = plan.Data(dict.fromkeys(regions, "d1"), "2026-06-30")
    up_to_date.note_data(reports, "example", vars(data))


def test_a_region_that_is_no_longer_in_the_data_counts_nowhere_and_nothing_is_deleted(tmp_path):
    before = ["Central 华中", "East", "North", "South"]
    write_reports(tmp_path, *before)
    execute.rebuild(tmp_path)
    assert findings.read_all(tmp_path)["region"].tolist() == before  # nothing is noted
    note(tmp_path, *before)
    execute.rebuild(tmp_path)
    assert findings.read_all(tmp_path)["region"].tolist() == before
    fingerprint = up_to_date.of_reports(tmp_path, "example")
    assert up_to_date.is_indexed(tmp_path)

    note(tmp_path, "Centre", *before[1:])
    assert not up_to_date.is_indexed(tmp_path)
    assert up_to_date.of_reports(tmp_path, "example") != fingerprint
    write_reports(tmp_path, "Centre")
    entries = execute.rebuild(tmp_path)
    now = ["Centre", *before[1:]]
    assert [each.region for each in entries] == now
    assert findings.read_all(tmp_path)["region"].tolist() == now
    index = BeautifulSoup((tmp_path / "index.html").read_text(encoding="utf-8"), "html.parser")
    assert [head.text for head in index.select("thead th")][2:] == now
    assert "4 regions" in index.select_one("td.pooled").text
    assert "No longer in the data of example: Central 华中." in index.text
    assert "Central 华中: no longer there." in index.select_one(".changes").text
    assert (tmp_path / "example" / "Central 华中" / "02_satisfaction_drivers.ipynb").exists()

    note(tmp_path, *before)  # it comes back
    assert [each.region for each in execute.rebuild(tmp_path)] == before


def test_parameters_have_a_fingerprint_that_does_not_depend_on_where_the_source_is(tmp_path):
    path = notebook(tmp_path, {"H12": CLAIM})
    data = plan.Data({"North": "d1"}, "2026-06-30")

    def of(**given):
        (made,) = plan.tasks("small", data, ["North"], {path: given}, tmp_path)
        assert set(made.prints) == set(findings.PRINTS)
        return made.prints["parameters"]

    assert of(seed=1, source="small") == of(seed=1, source="../far/small.toml")
    assert len({of(), of(seed=1), of(seed=2), of(seed=1, language="zh")}) == 4


LIST = """import os
from pathlib import Path
folder = Path(os.environ["WORKBOOK_REPORTS"]) / "small" / region
(folder / "04_customer_value_customers_to_call.csv").write_text("rank,customer_id")"""


@pytest.mark.slow
def test_a_list_stands_beside_its_page_until_a_run_that_makes_none(tmp_path):
    todo = task(tmp_path, notebook(tmp_path, {"H12": [CLAIM, LIST]}))
    execute.execute(todo)
    beside = todo.executed.with_name("04_customer_value_customers_to_call.csv")
    assert beside.read_text() == "rank,customer_id"
    (entry,) = execute.rebuild(todo.reports)
    assert entry.files == ("small/North/04_customer_value_customers_to_call.csv",)
    assert entry.files[0] in (todo.reports / "index.html").read_text(encoding="utf-8")
    os.utime(beside, (0, 0))  # written by a run of long ago
    other = beside.with_name("05_customer_retention_customers_to_call.csv")
    other.write_text("of another notebook")
    os.utime(other, (0, 0))
    execute.execute(task(tmp_path, notebook(tmp_path, {"H12": CLAIM}, setup="1 / 0")))
    assert not beside.exists()
    assert other.exists()
    (entry,) = execute.rebuild(todo.reports)
    assert entry.files == ()
