"""What lies in a folder of reports and is none of ours ends nothing; nothing leaves the folder."""

import json
import os
import tempfile
from pathlib import Path

import nbformat
import pytest
from typer.testing import CliRunner

from analysis.claims.finding import MIME_TYPE
from analysis.data import files
from analysis.data.errors import DataError
from test_run import write_reports
from workbook import notebooks
from workbook.cli import app
from workbook.pages import collect
from workbook.running import execute, run_lock, up_to_date
from workbook.running.plan import Task
from workbook.unforeseen import LOG


def test_folders_and_links_with_names_of_ours_make_room(tmp_path):
    outside, reports = tmp_path / "outside", tmp_path / "reports"
    outside.write_text("whole")
    reports.mkdir()
    for name in (".lock", ".data-small.json", *up_to_date.INDEX):
        (reports / name).mkdir()
    for name in (".owner", LOG, "history.parquet"):
        (reports / name).symlink_to(outside)
    (reports / ".x.part").mkdir()
    with run_lock.alone(reports, "a test"):
        assert (reports / ".lock").is_file()
        assert "a test" in (reports / ".owner").read_text()
        assert not (reports / LOG).exists()
    assert outside.read_text() == "whole"
    assert (reports / "findings.csv.folder").is_dir()


@pytest.mark.parametrize("number", ["9" * 23, "²", "٣", "x", "", "-1", "0" * 400])
def test_a_strange_temporary_folder_stops_nobody(tmp_path, monkeypatch, number):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    strange = tmp_path / f"{files.TEMPORARY}{number[:200]}-x"
    strange.mkdir()
    run_lock.sweep(tmp_path)
    assert strange.is_dir()


def test_what_a_process_left_that_has_ended_is_taken_away(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    if not (child := os.fork()):
        os._exit(0)
    os.waitpid(child, 0)
    left, own = tmp_path / f"{files.TEMPORARY}{child}-x", tmp_path / f"{files.prefix()}x"
    for folder in (left, own):
        folder.mkdir()
        (folder / "data").write_text("customers")
    run_lock.sweep(tmp_path)
    assert not left.exists()
    assert own.is_dir()


def test_a_process_has_one_folder_for_copies_of_data_and_drops_it(tmp_path, monkeypatch):
    files.drop_scratch()
    monkeypatch.setenv(files.RUN_FOLDER, str(tmp_path))
    folder = files.scratch()
    assert folder == files.scratch()
    assert (folder.parent, folder.stat().st_mode & 0o777) == (tmp_path, 0o700)
    assert folder.name.startswith(files.TEMPORARY)
    files.drop_scratch()
    assert not Path(folder).exists()


def test_a_report_that_says_it_belongs_elsewhere_is_none(tmp_path):
    write_reports(tmp_path / "reports", "North")
    path = tmp_path / "reports" / "example" / "North" / "H03_loss.ipynb"
    assert up_to_date.is_report(path)
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata["workbook"]["source"] = "../../out"
    nbformat.write(notebook, path)
    assert not up_to_date.is_report(path)


@pytest.fixture
def report(tmp_path, monkeypatch):
    """A folder of reports with one report and its page, and the report."""
    reports = tmp_path / "reports"
    monkeypatch.setattr(notebooks, "FOLDER", tmp_path / "notebooks")
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "H03_loss.ipynb").write_text("{}")
    write_reports(reports, "North")
    path = reports / "example" / "North" / "H03_loss.ipynb"
    path.with_suffix(".html").write_text("<html></html>")
    return reports, path


def changed(path, change):
    """Change a report's notebook."""
    notebook = nbformat.read(path, as_version=4)
    change(notebook)
    path.write_text(json.dumps(notebook), encoding="utf-8")


def of_record(change):
    """Return a function that changes the record of a notebook's finding."""

    def change_notebook(notebook):
        for cell in notebook.cells:
            for output in cell.get("outputs", ()):
                if record := output.get("data", {}).get(MIME_TYPE):
                    change(record)

    return change_notebook


CHANGES = {
    "another language": lambda each: each.metadata["workbook"].update(language="xx"),
    "no claim of ours": lambda each: each.metadata["workbook"].update(claim="H99"),
    "a strange status": lambda each: each.metadata["workbook"].update(status="?"),
    "cells that are none": lambda each: each.update(cells=[1, "a"]),
    "a cell of no kind": lambda each: each.cells[0].update(cell_type="?"),
    "outputs that are none": lambda each: each.cells[0].update(cell_type="code", outputs=[1]),
    "a record without parts": of_record(lambda each: each.pop("parts")),
    "a record of no verdict": of_record(lambda each: each.update(verdict="?")),
    "parts that are none": of_record(lambda each: each.update(parts=[1])),
    "no numbers": of_record(lambda each: each["parts"][0].update(estimate="a")),
    "checks that are none": of_record(lambda each: each.update(checks=[{}])),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_report_that_somebody_changed_is_named_in_the_index_and_ends_nothing(report, change):
    reports, path = report
    changed(path, CHANGES[change])
    collect.rebuild(reports)
    index = (reports / "index.html").read_text(encoding="utf-8")
    assert "example/North/H03_loss.ipynb: not read; it is no whole report of a run." in index


def test_pages_that_are_no_text_and_folders_and_pipes_end_nothing(report):
    reports, path = report
    path.with_suffix(".html").write_bytes("<html>é</html>".encode("latin-1"))
    (reports / "zh").mkdir()
    (reports / "zh" / "index.html").write_bytes("<html>é</html>".encode("latin-1"))
    (path.parent / "index.html").mkdir()
    for pipe in ("H12_x.ipynb", ".H03_loss.json"):
        os.mkfifo(path.with_name(pipe))
    os.mkfifo(reports / "history.parquet")
    with run_lock.alone(reports, "a test"):
        entries = collect.rebuild(reports)
    assert [each.notebook for each in entries] == ["H03_loss"]
    assert "H03_loss.html: this is no page of a run." in (reports / "index.html").read_text()
    assert (path.parent / "index.html.folder").is_dir()
    assert "North" in (path.parent / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("link", ["example", "example/North"])
def test_nothing_is_written_through_a_linked_folder(report, tmp_path, link):
    reports, path = report
    outside = tmp_path / "outside"
    (reports / link).rename(outside)
    (reports / link).symlink_to(outside)
    before = {each: each.read_bytes() for each in outside.rglob("*") if each.is_file()}
    assert collect.rebuild(reports) == []
    said = (reports / "index.html").read_text(encoding="utf-8")
    assert f"{link}: not read; it is a link, and nothing is written there." in said
    task = Task(path, "example", "North", {"source": "example"}, reports)
    with pytest.raises(OSError, match="A link in the place of a folder"):
        execute.execute(task)
    assert {each: each.read_bytes() for each in outside.rglob("*") if each.is_file()} == before


@pytest.mark.parametrize("name", ["zh", "export"])
def test_a_linked_folder_of_a_language_or_an_export_is_refused(tmp_path, name):
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / name).symlink_to(tmp_path)
    for folder in (tmp_path / "reports", tmp_path / "reports" / name):
        with (
            pytest.raises(DataError, match=f"reports/{name} is a link"),
            run_lock.alone(folder, ""),
        ):
            pass


def test_reports_in_a_file_are_refused(tmp_path):
    (tmp_path / "own").write_text("")
    with pytest.raises(DataError, match="own: this is a file; expected a folder"):
        run_lock.refuse_links(tmp_path / "own")
    told = CliRunner().invoke(app, ["index", "--reports", str(tmp_path / "own")])
    assert told.exit_code == 2
