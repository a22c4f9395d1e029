"""Running notebooks: what is left when all goes well, and when something breaks."""

import json
import os
import tempfile
import time
from unittest.mock import Mock

import nbformat
import pandas as pd
import psutil
import pytest
from bs4 import BeautifulSoup

from analysis.claims import findings
from analysis.data import dataset, files
from sample_findings import loss_against_gain
from workbook import notebooks, runs
from workbook.notebooks import UsageError
from workbook.pages import collect
from workbook.running import execute, plan, up_to_date
from workbook.running.plan import Task

SETUP = 'region = "North"\nsource = "small"\nas_of = ""\nlanguage = "en"\nseed = 1'
CLAIM = """from analysis.claims.finding import conclude
from analysis.claims.hypotheses import hypothesis
from analysis.statistics.estimate import Estimate
found = {part.key: Estimate(0.5, 0.4, 0.6, 100, part.scale) for part in hypothesis(KEY).parts}
conclude(hypothesis(KEY), source, region, found)"""
STOP = """from IPython import get_ipython
class Stop(Exception): ...
def end(shell, *_, **__):
    shell._showtraceback(SystemExit, "", ["It ends here."])
get_ipython().set_custom_exc((Stop,), end)
raise Stop"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder of notebooks, instead of the project's."""
    monkeypatch.setattr(notebooks, "FOLDER", tmp_path / "notebooks")
    return tmp_path / "notebooks"


def write(folder, name, *cells, claim="H12", parameters=SETUP):
    """Write a notebook, with a heading before each cell, and return its path."""
    new = nbformat.v4
    tags = {"tags": ["parameters"]} if parameters else {}
    made = [
        new.new_markdown_cell("# A small notebook"),
        new.new_code_cell(parameters, metadata=tags),
    ]
    for number, cell in enumerate(cells):
        made.append(new.new_markdown_cell(f"## Section {number}"))
        made.append(new.new_code_cell(cell.replace("KEY", repr(claim))))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    path = folder / f"{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new.new_notebook(cells=made, metadata={"kernelspec": kernel}), path)
    return path


def task(folder, path, **parameters):
    theme = notebooks.Notebook(path, None).theme
    return Task(path, "small", "North", parameters, folder.parent / "reports", theme=theme)


def verdicts(reports):
    table = pd.read_csv(reports / "findings.csv")
    return table.groupby("hypothesis")["verdict"].first().to_dict()


def page_of(task):
    return task.executed.with_suffix(".html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_notebook_that_breaks_fails_its_claim_and_no_other(folder):
    broken = ["raise ValueError('no such thing')", CLAIM]
    paths = [write(folder / "value", "H13_b", *broken, claim="H13"), write(folder, "H12_a", CLAIM)]
    outcomes = [execute.execute(task(folder, path)) for path in paths]
    reports = folder.parent / "reports"
    entries = collect.rebuild(reports)
    assert [each.failure for each in outcomes] == ["ValueError: no such thing", ""]
    assert [(each.claim, each.theme) for each in entries] == [("H12", ""), ("H13", "value")]
    found = verdicts(reports)
    assert found["H13"] == "failed"
    assert found["H12"] != "failed"
    table = pd.read_csv(reports / "findings.csv").set_index("hypothesis")
    assert set(table.loc["H13", "reason"]) == {"ValueError: no such thing"}


@pytest.mark.slow
def test_an_end_by_system_exit_is_the_end_of_the_page(folder):
    todo = task(folder, write(folder, "H12_a", CLAIM, STOP, "1 / 0"))
    assert execute.execute(todo).failure == ""
    page = page_of(todo)
    assert "Section 1" in page
    assert "Section 2" not in page
    assert "This step broke" not in page
    left = nbformat.read(todo.executed, as_version=4).cells
    assert left[-1].source == STOP
    assert left[-1].outputs == []


@pytest.mark.slow
def test_a_notebook_without_its_claim_or_with_another_one_says_so(folder):
    nothing = task(folder, write(folder, "H12_a", "1"))
    assert execute.execute(nothing).failure == "The notebook ended without a finding on H12."
    other = task(folder, write(folder, "H13_b", CLAIM, claim="H14"))
    failure = execute.execute(other).failure
    assert failure.startswith("H13_b concludes on H14. A finding counts only in the notebook whose")
    own = task(folder, write(folder / "mine", "my_experiment", CLAIM, claim="H12"))
    assert execute.execute(own).failure.startswith("my_experiment concludes on H12.")
    reports = folder.parent / "reports"
    collect.rebuild(reports)
    assert verdicts(reports) == {"H12": "failed", "H13": "failed"}


def test_data_that_change_while_they_are_read_are_read_again_by_the_next_run(
    write_source, tmp_path, monkeypatch
):
    path, read = write_source(), dataset.open_source
    known = runs.sources.read(str(path))

    def while_they_change(source):
        found = read(source)
        with (tmp_path / "small" / "customers.csv").open("a") as file:
            file.write("d,North,private,urban,2024-01-05,\n")
        return found

    monkeypatch.setattr(dataset, "open_source", while_they_change)
    asked = Mock(source=known, style="quiet")
    noted = runs._read_data(asked, "", None, warm=False)
    assert plan.noted_data(known, "", vars(noted)) is None


@pytest.mark.slow
def test_a_run_listens_here_only_and_keeps_dask_s_folder_in_its_own(folder, tmp_path, monkeypatch):
    files.drop_scratch()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    todo = task(folder, write(folder, "H12_a", CLAIM))
    heard = []

    def look(number):
        family = [psutil.Process(), *psutil.Process().children(recursive=True)]
        every = [one for each in family for one in each.net_connections("inet")]
        heard.extend(one.laddr.ip for one in every if one.status == psutil.CONN_LISTEN)

    found = list(execute.run([todo], 1, execute.How(cold=True), on_start=look))
    assert [each.failure for each in found] == [""]
    assert set(heard) == {"127.0.0.1"}
    left = [each.name for each in (tmp_path / "temporary").iterdir()]
    assert [each for each in left if not each.startswith(files.TEMPORARY)] == []
    files.drop_scratch()


BREAKS = f"{CLAIM.replace('conclude(', 'display(conclude(')})\n1 / 0"
OTHER = CLAIM.replace("0.5, 0.4, 0.6", "0.7, 0.6, 0.8")


@pytest.mark.slow
def test_a_finding_of_another_region_of_a_broken_cell_or_beside_another_one_does_not_count(folder):
    elsewhere = CLAIM.replace("source, region", "source, 'East'")
    said = {
        "H12_a": (elsewhere, "H12_a was run for North (small) and concludes on East (small)."),
        "H13_b": (BREAKS, "ZeroDivisionError: division by zero"),
        "H14_c": (f"{CLAIM}\n", "H14_c concludes on H14 more than once"),
    }
    for name, (cell, failure) in said.items():
        cells = [cell, OTHER] if name == "H14_c" else [cell]
        todo = task(folder, write(folder, name, *cells, claim=name[:3]))
        assert execute.execute(todo).failure.startswith(failure)
    collect.rebuild(folder.parent / "reports")
    assert set(verdicts(folder.parent / "reports").values()) == {"failed"}


@pytest.mark.slow
def test_a_set_up_that_breaks_fails_the_notebook_with_its_message(folder, tmp_path):
    setup = (
        "from analysis.data.sources import DataError\nraise DataError('lines.csv: row 7 is odd.')"
    )
    todo = task(folder, write(folder, "H12_a", setup, CLAIM))
    outcome = execute.execute(todo)
    collect.rebuild(todo.reports)
    assert outcome.failure == "lines.csv: row 7 is odd."
    assert set(verdicts(todo.reports).values()) == {"failed"}
    page = todo.executed.with_suffix(".html").read_text(encoding="utf-8")
    assert "lines.csv: row 7 is odd." in page
    assert "Traceback" not in page
    assert str(tmp_path) not in page


@pytest.mark.slow
def test_a_kernel_that_dies_is_reported_and_nothing_is_left_behind(folder):
    todo = task(folder, write(folder, "H12_a", "import os\nos._exit(1)", CLAIM))
    outcome = execute.execute(todo)
    collect.rebuild(todo.reports)
    assert "The kernel died" in outcome.failure
    assert verdicts(todo.reports) == {"H12": "failed"}
    left = {path.name for path in todo.executed.parent.iterdir()}
    assert left == {"H12_a.html", "H12_a.ipynb", ".H12_a.json", "index.html"}
    assert outcome.tries == 2


@pytest.mark.slow
def test_the_same_input_gives_the_same_bytes_and_no_paths(folder, tmp_path):
    todo = task(folder, write(folder, "H12_a", CLAIM, "1 / 0"), seed=5)
    execute.execute(todo)
    files = [todo.executed, todo.executed.with_suffix(".html")]
    first = [path.read_bytes() for path in files]
    execute.execute(todo)
    assert [path.read_bytes() for path in files] == first
    assert all(str(tmp_path).encode() not in each for each in first)
    about = json.loads(first[0])["metadata"]["workbook"]
    assert about["parameters"] == {"seed": 5, "region": "North", "source": "small"}


@pytest.mark.slow
def test_parameters_reach_the_notebook(folder):
    todo = task(
        folder, write(folder, "H12_a", "print(region, seed, language)"), seed=77, language="zh"
    )
    execute.execute(todo)
    executed = nbformat.read(todo.executed, as_version=4)
    outputs = [output for cell in executed.cells for output in cell.get("outputs", ())]
    assert [output.text for output in outputs if "text" in output] == ["North 77 zh\n"]
    assert next(findings.records(executed))["language"] == "zh"


@pytest.mark.slow
def test_tasks_run_side_by_side_and_a_failure_stops_none(folder):
    good, bad = write(folder, "H12_a", CLAIM), write(folder, "H17_b", "1 / 0")
    tasks = [
        Task(path, "small", region, {}, folder.parent / "reports")
        for region in ("North", "South 华南")
        for path in (bad, good)
    ]
    outcomes = list(execute.run(tasks, jobs=2))
    assert {each.task.region for each in outcomes} == {"North", "South 华南"}
    failures = sorted(each.failure for each in outcomes)
    assert failures == ["", "", *["ZeroDivisionError: division by zero"] * 2]
    reports = tasks[0].reports
    (reports / "small" / "North" / ".draft.ipynb").write_text("{}")  # of a run that was killed
    entries = collect.rebuild(reports)
    assert len(entries) == 4
    index = (reports / "index.html").read_text(encoding="utf-8")
    assert "South 华南" in index
    assert entries[0].href in index


def test_nothing_is_noted_of_what_threads_do():
    with execute._client(1, "") as client:
        client.submit(time.sleep, 2).result()  # Dask's profile is put together every second
        assert client.profile()["count"] == 0


def test_names_are_refused_with_the_nearest():
    assert notebooks.choose([], ["a", "b"], "region") == ["a", "b"]
    assert notebooks.choose(["b", "b"], ["a", "b"], "region") == ["b"]
    with pytest.raises(UsageError, match=r"No region 'Nroth'\. Did you mean 'North'\?"):
        notebooks.choose(["Nroth"], ["North", "South"], "region")


def test_notebooks_are_found_in_any_folder_and_taken_by_name_or_theme(folder):
    write(folder / "value", "H12_a")
    write(folder / "value", "H13_b")
    write(folder / "mine" / "more", "an idea")
    write(folder / "value" / ".ipynb_checkpoints", "H12_a-checkpoint")
    write(folder, "everywhere", parameters='source = "nowhere"')
    found = notebooks.discover()
    assert {name: (each.theme, each.claim, each.is_per_region) for name, each in found.items()} == {
        "H12_a": ("value", "H12", True), "H13_b": ("value", "H13", True),
        "an idea": ("mine/more", "", True), "everywhere": ("", "", False),
    }  # fmt: skip
    assert selected("value") == (["H12_a", "H13_b"], [])
    assert selected("an idea", "value")[0][-1] == "H13_b"
    assert selected("H13") == (["H13_b"], [])
    assert len(selected()[0]) == 4
    message = r"No notebook, claim or theme 'valeu'\. Did you mean 'value'\?"
    with pytest.raises(UsageError, match=message):
        selected("valeu")


def selected(*names):
    """Return the names of the notebooks to be run, and why others are refused."""
    chosen, refused = notebooks.select(names)
    return [each.name for each in chosen], refused


def test_a_notebook_without_parameters_is_left_out_unless_it_is_named_or_tests_a_claim(folder):
    write(folder, "H12_a")
    write(folder, "scratch", parameters="")
    assert selected() == (["H12_a"], [])
    with pytest.raises(UsageError, match=r"notebooks/scratch.ipynb: no cell is tagged"):
        selected("scratch")
    names, (refused,) = selected("scratch", "H12")
    assert (names, refused[:41]) == (["H12_a"], "notebooks/scratch.ipynb: no cell is tagge")
    write(folder / "value", "H13_b", parameters="")
    names, (refused,) = selected()
    assert names == ["H12_a"]
    assert refused.startswith("notebooks/value/H13_b.ipynb: no cell is tagged")


def test_two_notebooks_for_one_claim_and_a_claim_that_is_not_registered_are_refused(folder):
    first = write(folder / "mine", "H12_again")
    write(folder / "value", "H12_a")
    write(folder / "value", "H13_b")
    both = "notebooks/mine/H12_again.ipynb and notebooks/value/H12_a.ipynb"
    for names in ["H12"], ["mine"]:
        with pytest.raises(UsageError, match=f"Two notebooks test H12: {both}"):
            selected(*names)
    assert selected("H13") == (["H13_b"], [])
    for names in [], ["value"]:  # both are refused once, and the other one is run
        good, (refused,) = selected(*names)
        assert good == ["H13_b"]
        assert refused.startswith(f"Two notebooks test H12: {both}")
    first.rename(folder / "value" / "H92_a.ipynb")
    good, (refused,) = selected()
    assert good == ["H12_a", "H13_b"]
    assert refused.startswith("H92_a.ipynb: the register has no claim H92.")
    (folder / "value" / "H92_a.ipynb").rename(folder / "mine" / "H12_a.ipynb")
    with pytest.raises(UsageError, match="Two notebooks have one name: notebooks/mine/H12_a"):
        selected("H12_a")


def test_each_bad_notebook_is_refused_with_a_message_of_its_own(folder):
    write(folder, "H12_a")
    write(folder, "H92_a")
    write(folder, "H13_b", parameters="")
    (folder / "odd.ipynb").write_text("{", encoding="utf-8")
    good, refused = selected()
    assert good == ["H12_a"]
    assert [said.split(":")[0] for said in refused] == [
        "notebooks/H13_b.ipynb", "H92_a.ipynb", "notebooks/odd.ipynb",
    ]  # fmt: skip
    with pytest.raises(UsageError, match=r"H13_b(.|\n)*H92_a"):
        selected("H13_b", "H92_a")


def test_parameters_must_be_plain_values(folder):
    write(folder, "odd", parameters="region = 'North'\nseed = len(region)")
    write(folder, "H12_a")
    odd, good = sorted(notebooks.find_all(), key=lambda each: not each.problem)
    assert odd.problem.startswith('notebooks/odd.ipynb: the cell tagged "parameters" must assign')
    assert good.problem == ""
    assert notebooks.select(["H12"]) == ([good], [])
    assert notebooks.select([]) == ([good], [odd.problem])
    with pytest.raises(UsageError, match=r"odd\.ipynb"):
        notebooks.select(["odd"])


def test_the_notebook_of_a_claim_without_a_region_is_refused(folder):
    write(folder, "H12_a", parameters='source = "small"\nlanguage = "en"')
    with pytest.raises(UsageError, match=r"H12_a\.ipynb.*it lacks region, as_of, seed"):
        notebooks.select([])


def test_parameters_are_read_in_the_type_of_their_default(folder):
    write(folder, "H12_a")
    ((one,), _) = notebooks.select([])

    def read(*texts):
        return notebooks.parameters([one], texts)[one]

    assert read("seed=7", "language=zh") == {"seed": 7, "language": "zh"}
    with pytest.raises(UsageError, match=r"H12_a has no parameter 'sed'\. Did you mean 'seed'\?"):
        read("sed=7")
    with pytest.raises(UsageError, match="seed = 'x': expected a whole number"):
        read("seed=x")
    with pytest.raises(UsageError, match="language = 'fr': expected one of en, zh"):
        read("language=fr")
    with pytest.raises(UsageError, match="no parameter 'region'"):
        read("region=South")


def test_each_notebook_gets_the_parameters_that_it_has(folder):
    write(folder, "H12_a")
    write(folder, "everywhere", parameters='source = "nowhere"')
    chosen, _ = notebooks.select([])
    given = notebooks.parameters(chosen, ["seed=7"])
    assert {each.name: own for each, own in given.items()} == {
        "H12_a": {"seed": 7},
        "everywhere": {},
    }


def write_reports(reports, *regions):
    """Write executed notebooks as a run leaves them, one for each region."""
    for region in regions:
        data = loss_against_gain(0.3, 0.05, region=region)._repr_mimebundle_()
        output = nbformat.v4.new_output("display_data", data=data)
        cell = nbformat.v4.new_code_cell("", outputs=[output])
        about = {"source": "example", "region": region, "notebook": "H03_loss", "theme": "",
                 "claim": "H03", "status": "ok", "error": "",
                 "language": "en", "parameters": {},
                 "provenance": {"data_until": "2026-06-30"}}  # fmt: skip
        path = reports / "example" / region / "H03_loss.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata={"workbook": about}), path)


def note(reports, *regions):
    """Note that a source's data has these regions."""
    data = plan.Data(dict.fromkeys(regions, "d1"), "2026-06-30")
    up_to_date.note_data(reports, "example", vars(data))


def test_a_region_that_is_no_longer_in_the_data_counts_nowhere_and_nothing_is_deleted(
    folder, tmp_path
):
    write(folder, "H03_loss")
    before = ["Central 华中", "East", "North", "South"]
    write_reports(tmp_path, *before)
    collect.rebuild(tmp_path)
    assert findings.read_all(tmp_path)["region"].tolist() == before  # nothing is noted
    note(tmp_path, *before)
    collect.rebuild(tmp_path)
    assert findings.read_all(tmp_path)["region"].tolist() == before
    fingerprint = up_to_date.of_reports(tmp_path, "example")
    assert up_to_date.is_indexed(tmp_path)

    note(tmp_path, "Centre", *before[1:])
    assert not up_to_date.is_indexed(tmp_path)
    assert up_to_date.of_reports(tmp_path, "example") != fingerprint
    write_reports(tmp_path, "Centre")
    entries = collect.rebuild(tmp_path)
    now = ["Centre", *before[1:]]
    assert [each.region for each in entries] == now
    assert findings.read_all(tmp_path)["region"].tolist() == now
    index = BeautifulSoup((tmp_path / "index.html").read_text(encoding="utf-8"), "html.parser")
    assert [head.text for head in index.select(".matrix thead th")][2:] == now
    assert "4 regions" in index.select_one("td.pooled").text
    assert "No longer in the data of example: Central 华中." in index.text
    assert "Central 华中: no longer there." in index.select_one(".changes").text
    assert (tmp_path / "example" / "Central 华中" / "H03_loss.ipynb").exists()

    note(tmp_path, *before)  # it comes back
    assert [each.region for each in collect.rebuild(tmp_path)] == before


def test_a_report_of_an_earlier_version_with_another_regions_finding_fails_its_claim(
    folder, tmp_path
):
    write(folder, "H03_loss")
    write_reports(tmp_path, "North", "East")
    north, east = (tmp_path / "example" / name / "H03_loss.ipynb" for name in ("North", "East"))
    wrong = nbformat.read(north, as_version=4)
    wrong.cells = nbformat.read(east, as_version=4).cells
    nbformat.write(wrong, north)
    for _ in range(2):  # the history is read again
        collect.rebuild(tmp_path)
    found = findings.read_all(tmp_path).set_index("region")["verdict"]
    assert found.to_dict() == {"East": "supported", "North": "failed"}


def test_parameters_have_a_fingerprint_that_does_not_depend_on_where_the_source_is(folder):
    write(folder, "H12_a")
    ((one,), _) = notebooks.select([])
    data = plan.Data({"North": "d1"}, "2026-06-30")

    def of(**given):
        (made,) = plan.Plan("small", data, ["North"], {one: given}, folder).regional()
        assert set(made.provenance) == set(findings.PROVENANCE)
        return made.provenance["parameters"]

    assert of(seed=1, source="small") == of(seed=1, source="../far/small.toml")
    assert len({of(), of(seed=1), of(seed=2), of(seed=1, language="zh")}) == 4


LIST = """import os
from pathlib import Path
folder = Path(os.environ["WORKBOOK_REPORTS"]) / "small" / region
(folder / "H12_a_customers_to_call.csv").write_text("rank,customer_id")"""


@pytest.mark.slow
def test_a_list_stands_beside_its_page_until_a_run_that_makes_none(folder):
    todo = task(folder, write(folder, "H12_a", CLAIM, LIST))
    execute.execute(todo)
    beside = todo.executed.with_name("H12_a_customers_to_call.csv")
    assert beside.read_text() == "rank,customer_id"
    (entry,) = collect.rebuild(todo.reports)
    assert entry.files == ("small/North/H12_a_customers_to_call.csv",)
    assert entry.files[0] in (todo.reports / "index.html").read_text(encoding="utf-8")
    os.utime(beside, (0, 0))  # written by a run of long ago
    other = beside.with_name("H17_b_customers_to_call.csv")
    other.write_text("of another notebook")
    os.utime(other, (0, 0))
    execute.execute(task(folder, write(folder, "H12_a", "1 / 0", CLAIM)))
    assert not beside.exists()
    assert other.exists()
    (entry,) = collect.rebuild(todo.reports)
    assert entry.files == ()
