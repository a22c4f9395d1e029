"""One run at a time in a folder of reports, and nothing left over."""

import os
import subprocess
import sys
import tempfile

import pytest

from analysis.data import files
from analysis.data.sources import DataError
from workbook.running import run_lock

HOLD = """import sys, time
from pathlib import Path
from workbook.running import run_lock
with run_lock.alone(Path(sys.argv[1]), "workbook run --source ours"):
    print("held", flush=True)
    time.sleep(1000)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the folder."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "reports")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_the_second_is_refused_and_told_who_is_first(tmp_path, holder):
    expected = f"Another run writes to reports: process {holder.pid}, workbook run --source ours"
    with pytest.raises(DataError, match=expected), run_lock.alone(tmp_path / "reports", "me"):
        raise AssertionError("two at once")


def test_the_folder_is_free_once_the_first_was_killed(tmp_path, holder):
    holder.kill()
    holder.wait()
    with run_lock.alone(tmp_path / "reports", "me"):
        assert "me" in (tmp_path / "reports" / run_lock.OWNER).read_text()
    assert not (tmp_path / "reports" / run_lock.OWNER).exists()


def test_an_error_lets_go_of_the_folder(tmp_path):
    with pytest.raises(RuntimeError), run_lock.alone(tmp_path, "me"):
        raise RuntimeError
    with run_lock.alone(tmp_path, "me again"):
        pass


def test_drafts_are_swept_away_and_nothing_else(tmp_path):
    kept = [tmp_path / "a" / "b" / name for name in ("x.html", ".x.json", "x.ipynb", "part.part")]
    drafts = [tmp_path / "a" / "b" / name for name in (".x.html.part", ".x.part.ipynb")]
    kept[0].parent.mkdir(parents=True)
    for path in kept + drafts:
        path.write_text("x")
    run_lock.sweep(tmp_path)
    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in drafts)


def test_only_folders_of_processes_that_have_ended_are_swept_away(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    names = [
        f"{files.TEMPORARY}{ended.pid}-abc",
        f"{files.TEMPORARY}{os.getpid()}-abc",
        f"workbook-another-{ended.pid}-abc",  # of a machine whose processes are not seen here
        "workbook-mine",
    ]
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "rows").write_text("x")
    run_lock.sweep(tmp_path / "reports")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names[1:])
