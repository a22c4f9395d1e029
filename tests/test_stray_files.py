"""What lies in a folder of reports and is none of ours ends nothing; nothing leaves the folder."""

import json
import os
import shutil
import tempfile
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from typer.testing import CliRunner

from analysis.claims import findings
from analysis.claims.finding import MIME_TYPE
from analysis.data import files
from analysis.data.errors import DataError
from test_run import write_reports
from workbook import notebooks, unforeseen
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


def test_room_is_made_again_and_nothing_is_written_through_a_linked_draft(tmp_path):
    outside, page = tmp_path / "outside", tmp_path / "index.html"
    outside.write_text("whole")
    for _ in range(3):
        (page / "own").mkdir(parents=True)
        files.make_room(page)
    names = [f"index.html.folder{n}" for n in ("", 2, 3)]
    assert sorted(each.name for each in tmp_path.iterdir() if each.is_dir()) == names
    draft = tmp_path / ".index.html.part"
    for make in (
        lambda: draft.symlink_to(outside),
        lambda: draft.mkdir(),
        lambda: os.mkfifo(draft),
    ):
        make()
        files.write_text(page, "new")
        assert (page.read_text(), outside.read_text()) == ("new", "whole")
        assert not os.path.lexists(draft)


def test_what_nobody_foresaw_is_written_through_no_link(tmp_path, monkeypatch):
    outside = tmp_path / "outside"
    outside.write_text("whole")
    (tmp_path / LOG).symlink_to(outside)
    monkeypatch.setattr(unforeseen, "reports", tmp_path)
    assert "More is in" in unforeseen.said(RuntimeError("x"))
    assert outside.read_text() == "whole"
    assert (tmp_path / LOG).read_text() == "RuntimeError: x\n"


def test_an_owner_s_file_that_is_no_text_ends_nothing(tmp_path):
    with run_lock.alone(tmp_path, "a test"):
        (tmp_path / run_lock.OWNER).write_bytes(b"\xff")
        with pytest.raises(DataError, match="it has just begun"), run_lock.alone(tmp_path, "me"):
            pass


@pytest.mark.parametrize("name", ["zh", "export", "index.html", "history.parquet"])
def test_a_source_called_as_what_stands_in_the_reports_is_refused(write_source, tmp_path, name):
    path = write_source().rename(tmp_path / f"{name}.toml")
    said = CliRunner().invoke(app, ["run", "-s", str(path), "--reports", str(tmp_path / "reports")])
    assert isinstance(said.exception, DataError)
    assert f"{name}.toml: {name} in the reports is another thing" in str(said.exception)
    assert not (tmp_path / "reports").exists()


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
    "a scale of no kind": of_record(lambda each: each["parts"][0].update(scale={})),
    "a number without bounds": of_record(lambda each: each["parts"][0].update(estimate=1e999)),
    "an open range of what is negligible": of_record(
        lambda each: each["parts"][0].update(negligible=[None, 1.0])
    ),
    "where it comes from is no text": lambda each: each.metadata["workbook"].update(
        provenance={"data_until": [1]}
    ),
    "half of a character": of_record(lambda each: each.update(reason="\ud83d")),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_report_that_somebody_changed_is_named_in_the_index_and_ends_nothing(report, change):
    reports, path = report
    changed(path, CHANGES[change])
    collect.rebuild(reports)
    index = (reports / "index.html").read_text(encoding="utf-8")
    assert "example/North/H03_loss.ipynb: not read; it is no whole report of a run." in index


def test_a_name_that_is_no_text_is_said_and_ends_nothing(report):
    reports, path = report
    path.with_name("a\udcff.ipynb").write_text("{}")
    assert len(collect.rebuild(reports)) == 1
    said = (reports / "index.html").read_text(encoding="utf-8")
    assert "example/North/a\ufffd.ipynb: not read; it is no whole report of a run." in said


def test_a_page_over_all_regions_that_somebody_changed_ends_nothing(report):
    reports, path = report
    shutil.copy(path, over := path.parents[1] / "across_regions.ipynb")
    changed(over, lambda each: each.metadata["workbook"].update(region=""))
    changed(over, CHANGES["a record without parts"])
    assert up_to_date.is_report(over)
    assert len(collect.rebuild(reports)) == 1


OBJECTS = {"source": [[1]], "region": [{"a": 1}], "hypothesis": ["H03"]}


@pytest.mark.parametrize("content", [b"PAR1PAR1", b"x", {"a": [1]}, {"hypothesis": ["x"]}, OBJECTS])
@pytest.mark.parametrize("name", ["findings", "variants", "tests"])
def test_a_strange_table_of_findings_is_called_damaged(tmp_path, name, content):
    path = tmp_path / f"{name}.parquet"
    if isinstance(content, dict):
        pd.DataFrame(content).to_parquet(path)
    else:
        path.write_bytes(content)
    read = {"findings": findings.read_all, "variants": findings.read_variants}
    with pytest.raises(DataError, match=f"{name}.parquet: it is damaged; workbook index makes it"):
        read.get(name, findings.read_tests)(tmp_path)


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
    (tmp_path / "loop").symlink_to("loop")
    for place in (tmp_path / "loop", tmp_path / "own" / "in", tmp_path / ("x" * 300)):
        with pytest.raises(DataError, match=r"expected a folder|the folder can't be made"):
            run_lock.alone(place, "a test").__enter__()
