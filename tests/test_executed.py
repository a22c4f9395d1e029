"""What an executed notebook leaves behind: no secret, no path, its slowest cells."""

from dataclasses import replace

import nbformat
import pytest

from analysis.claims import findings
from analysis.data.sources import secrets
from workbook.running import executed
from workbook.running.plan import Task

SECRET = "p@ss/w:rd 1<'&\"\\"
WRITTEN = {
    "as it is": SECRET,
    "in an address": "p%40ss%2Fw%3Ard%201%3C%27%26%22%5C",
    "in a query": "p%40ss%2Fw%3Ard+1%3C%27%26%22%5C",
    "in HTML": "p@ss/w:rd 1&lt;'&amp;\"\\",
    "in an attribute": "p@ss/w:rd 1&lt;&#x27;&amp;&quot;\\",
    "in Python": "p@ss/w:rd 1<\\'&\"\\\\",
    "in JSON": "p@ss/w:rd 1<'&\\\"\\\\",
}


def notebook(*outputs):
    new = nbformat.v4
    cells = [
        new.new_markdown_cell("# A notebook"),
        new.new_markdown_cell("## Data\nThe rows."),
        new.new_code_cell("1", outputs=list(outputs), metadata={"papermill": {"duration": 2.504}}),
        new.new_markdown_cell("## H12 A claim"),
        new.new_code_cell("2", metadata={"papermill": {"duration": 9.0}}),
        new.new_code_cell("3", metadata={"papermill": {"duration": None}}),
    ]
    return new.new_notebook(cells=cells)


@pytest.fixture
def task(tmp_path):
    return Task(tmp_path / "01_data_profile.ipynb", "ours", "North", {}, tmp_path / "reports")


def test_the_slowest_cells_are_named_by_their_heading():
    assert executed.slowest(notebook()) == (("H12 A claim", 9.0), ("Data", 2.5))


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
def test_a_secret_is_hidden_in_every_kind_of_output(task, written):
    new = nbformat.v4
    made = notebook(
        new.new_output("stream", text=f"to postgres://me:{written}@host"),
        new.new_output(
            "display_data", data={"text/html": f"<b>{written}</b>", "x/json": [written]}
        ),
        new.new_output("error", ename="E", evalue=f"no {written}", traceback=[f"at {written}"]),
    )
    failure = executed.tidy(made, task, "", [SECRET])
    text = nbformat.writes(made)
    assert "p@ss" not in text
    assert "p%40ss" not in text
    assert text.count(executed.HIDDEN) == 6  # twice in the error, once in what is said of it
    assert failure == f"E: no {executed.HIDDEN}"


def test_the_secrets_of_a_source_are_what_it_takes_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("PW", SECRET)
    monkeypatch.setenv("SHORT", "abc")
    path = tmp_path / "ours.toml"
    path.write_text('database = "postgres://${SHORT}:${PW}@host/db"\n', encoding="utf-8")
    assert secrets(str(path)) == [SECRET]
    path.write_text('database = "ours.duckdb"\n', encoding="utf-8")
    assert secrets(str(path)) == []


def test_a_path_of_this_machine_is_taken_out():
    text = 'File "/home/someone/lib/python3/site-packages/x.py", line 3'
    assert executed.without_paths(text) == 'File "x.py", line 3'


def test_data_that_do_not_allow_an_estimate_end_the_notebook_and_break_nothing(task):
    new, why = nbformat.v4, "Only 2 of 35 treated customers stayed."
    said = new.new_output("error", ename="NotEstimable", evalue=why, traceback=["File x.py"])
    made = notebook()
    made.cells[4].outputs = [said]
    claimed = replace(task, notebook=task.notebook.with_name("H12_concentration.ipynb"))
    assert executed.tidy(made, claimed, "") == ""
    (record,) = findings.records(made)
    assert (record["hypothesis"], record["verdict"], record["reason"]) == (
        "H12",
        "not testable",
        why,
    )
    assert len(made.cells) == 5

    made = notebook(said)
    assert executed.tidy(made, task, "") == ""
    assert made.cells[-1].outputs[0].data == {"text/markdown": why}


@pytest.mark.parametrize("evalue", ["", "0"])
def test_a_regular_end_leaves_what_was_shown_before_it_and_nothing_after(task, evalue):
    new = nbformat.v4
    shown = new.new_output("stream", text="a card")
    made = notebook(shown, new.new_output("error", ename="SystemExit", evalue=evalue, traceback=[]))
    assert executed.tidy(made, task, "") == ""
    assert made.metadata["workbook"]["status"] == "ok"
    assert [cell.source for cell in made.cells][-1] == "1"
    assert made.cells[-1].outputs == [shown]


def test_an_exit_with_a_message_is_an_error(task):
    made = notebook(
        nbformat.v4.new_output("error", ename="SystemExit", evalue="no data", traceback=[])
    )
    assert executed.tidy(made, task, "") == "SystemExit: no data"
    assert made.metadata["workbook"]["status"] == "failed"


@pytest.mark.parametrize("word", ["data", "customers", "2024"])
def test_a_secret_that_is_a_word_is_hidden_in_an_address_only(task, tmp_path, monkeypatch, word):
    monkeypatch.setenv("PW", word)
    path = tmp_path / "ours.toml"
    path.write_text('database = "postgres://me:${PW}@host/db"\n', encoding="utf-8")
    record = {"data": f"all {word}"}
    shown = [
        nbformat.v4.new_output(
            "display_data", data={"text/html": f"<b class='{word}'>", "application/x+json": record}
        ),
        nbformat.v4.new_output("stream", text=f"postgres://me:{word}@host/db or password={word}"),
    ]
    made = notebook(*shown)
    assert executed.tidy(made, task, "", secrets(str(path))) == ""
    outputs = made.cells[2].outputs
    assert outputs[0].data == {"text/html": f"<b class='{word}'>", "application/x+json": record}
    assert outputs[1].text == "*** or ***"


def test_an_error_that_nobody_foresaw_is_a_line_and_its_origin_goes_to_the_log(task):
    name = "Erika Mustermann"
    lines = [
        "\x1b[31mValueError\x1b[0m  Traceback (most recent call last)",
        "File \x1b[32m/home/me/lib/frame.py:7\x1b[0m, in f(x)",
        "----> 7 float(x)",
        f"ValueError: could not convert string to float: '{name}'",
        f"Original Line: {name}",
    ]
    error = nbformat.v4.new_output(
        "error", ename="ValueError", evalue=lines[3].partition(": ")[2], traceback=lines
    )
    made = notebook(error)
    assert executed.story(made) == [
        "ValueError",
        "File frame.py:7, in f(x)",
        "----> 7 float(x)",
        "ValueError: could not convert string to float: Xxxxx Xxxxxxxxxx (16 characters)",
    ]
    failure = executed.tidy(made, task, "")
    assert failure == lines[3].replace(f"'{name}'", "Xxxxx Xxxxxxxxxx (16 characters)")
    assert name not in nbformat.writes(made)
    assert "frame.py" not in nbformat.writes(made)
