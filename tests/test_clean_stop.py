"""A claim that can't be tested ends its notebook: with a card and one line, and no traceback."""

import subprocess
import sys

import nbformat
import pytest
from jupyter_client.manager import start_new_kernel

from analysis.claims import findings

pytestmark = pytest.mark.slow
PATIENCE = 600
START = """from analysis.claims.claim import claim
from analysis.statistics.estimate import NotEstimable
from simulation import World, draw
from simulation.rehearsal import region_of
here = region_of(draw(World(), 60, 1))
print("ready")"""
TAKE = 'h03 = claim("H03", here)'
REQUIRE = 'h03.require(["7 customers answered.", "50 are needed."])'
RAISE = 'raise NotEstimable("The interval is of no width.")'
CRASH = "1 / 0"
AFTER = "print('after')"
LINE = "H03 is not testable here; the notebook ends with this cell."


def run_by_papermill(folder, *sources):
    """Run cells as one does who knows nothing of the workbook; return exit status and outputs."""
    cells = [nbformat.v4.new_code_cell(source) for source in (START, *sources)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "x", "language": "python"}
    nbformat.write(notebook, folder / "in.ipynb")
    command = [sys.executable, "-m", "papermill", "in.ipynb", "out.ipynb", "--no-progress-bar"]
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=PATIENCE, check=False)
    made = nbformat.read(folder / "out.ipynb", as_version=4)
    return done.returncode, made


@pytest.mark.parametrize(
    ("end", "reason"),
    [(REQUIRE, "7 customers answered. 50 are needed."), (RAISE, "The interval is of no width.")],
    ids=["required", "raised by a fit"],
)
def test_papermill_takes_it_for_the_end(tmp_path, end, reason):
    status, made = run_by_papermill(tmp_path, TAKE, end, AFTER)
    assert status == 0
    (record,) = findings.records(made)
    assert (record["verdict"], record["reason"]) == ("not testable", reason)
    *_, ended, after = made.cells
    assert after.outputs == []
    card, line = ended.outputs
    assert "Not testable" in card.data["text/html"]
    assert (line.output_type, line.ename, line.traceback) == ("error", "SystemExit", [LINE])


def test_a_claim_that_lacks_columns_ends_where_it_is_taken(tmp_path):
    lacking = TAKE.replace("here", 'region_of(draw(World(), 60, 1), ["survey.expectation"])')
    status, made = run_by_papermill(tmp_path, lacking, AFTER)
    assert status == 0
    (record,) = findings.records(made)
    assert "expectation" in record["reason"]
    assert made.cells[-1].outputs == []


@pytest.mark.parametrize("cells", [(TAKE, CRASH, AFTER), (RAISE, AFTER)], ids=["crash", "no claim"])
def test_a_crash_is_a_crash(tmp_path, cells):
    status, made = run_by_papermill(tmp_path, *cells)
    assert status != 0
    assert list(findings.records(made)) == []


@pytest.fixture(scope="module")
def client():
    """A kernel as JupyterLab has it, where the claim was taken."""
    manager, client = start_new_kernel(kernel_name="python3")
    for code in (START, TAKE):
        execute(client, code)
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def execute(client, code):
    """Execute a cell; return the reply and what was shown."""
    seen = []
    reply = client.execute_interactive(code, timeout=PATIENCE, output_hook=seen.append)
    shown = [m["content"] for m in seen if m["msg_type"] in ("display_data", "error", "stream")]
    return reply["content"], shown


@pytest.mark.parametrize("end", [REQUIRE, RAISE], ids=["required", "raised by a fit"])
def test_run_all_halts_in_jupyterlab_with_one_line(client, end):
    reply, (card, line) = execute(client, end)
    assert reply["status"] == "error"  # on which JupyterLab halts what is queued
    assert "Not testable" in card["data"]["text/html"]
    assert line["traceback"] == [LINE]
    assert execute(client, AFTER)[1][0]["text"] == "after\n"  # a researcher may go on by hand


def test_a_crash_in_jupyterlab_shows_its_traceback_and_no_card(client):
    reply, (error,) = execute(client, CRASH)
    assert (reply["status"], error["ename"]) == ("error", "ZeroDivisionError")
    assert "division by zero" in error["traceback"][-1]
    assert len(error["traceback"]) > 1
