"""What lies in a folder of reports and is none of ours ends nothing; nothing leaves the folder."""

import os
import tempfile
from pathlib import Path

import nbformat
import pytest

from analysis.data import files
from test_run import write_reports
from workbook.running import run_lock, up_to_date
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
