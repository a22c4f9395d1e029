"""Runs in which something breaks: what was finished stays, the rest says why, nothing is left.

Everything is real: processes, kernels, a full disk. What is small are the notebooks.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pandas as pd
import psutil
import pytest

from shells import (
    ACROSS,
    CLAIMS,
    DIE,
    HANG,
    PATIENCE,
    WIDE,
    Shell,
    drafts,
    index_of,
    ran,
    shown,
    wait_for,
    write_notebook,
    write_notebooks,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="it looks at processes as Linux shows them"),
]

COMMAND = Path(sys.executable).with_name("workbook")


def test_a_kernel_that_starts_after_its_time_is_stopped(shell, place, tmp_path):
    write_notebook(tmp_path / "notebooks", "hangs", HANG)
    words = ("run", "-s", place / "small.toml", "--reports", tmp_path / "reports", "-r", "North")
    # The first kernel of a process takes longer than 0.6 seconds to start.
    code, said = shell.workbook(tmp_path / "notebooks", *words, "--timeout", "0.01")
    assert code == 1
    assert "It was stopped after 0.01 min" in said
    assert "It was stopped after 0.01 min" in index_of(tmp_path / "reports")
    assert shell.is_left_alone()


def test_a_notebook_that_breaks_takes_no_other_down(shell, place, tmp_path):
    notebooks = write_notebooks(
        tmp_path / "notebooks",
        dies_once=DIE.replace("LIVES", "2"),
        H01_satisfaction=DIE.replace("LIVES", "9"),
    )
    write_notebook(notebooks / "retention", "H17_retention", "raise ValueError('no such thing')")
    reports = tmp_path / "reports"
    words = ("run", "-s", place / "small.toml", "--reports", reports, "-r", "North")
    code, said = shell.workbook(notebooks, *words)
    assert code == 1
    log = (reports / "run.log").read_text(encoding="utf-8")
    for line in ("done North · dies_once (", "failed North · H01_satisfaction ("):
        assert line in log
    assert log.count("second try)") == 2  # not of the one that only raises
    table = pd.read_csv(reports / "findings.csv").groupby("hypothesis")["reason"].first()
    assert table["H01"] == "The kernel died; most often there was not enough memory."
    assert table["H17"] == "ValueError: no such thing"
    assert table["H12"] != table["H12"]  # missing: nothing failed
    for reason in (table["H01"], table["H17"]):
        assert reason in index_of(reports)
        assert reason in said
    shown(reports)
    assert drafts(reports) == []
    assert shell.is_left_alone()


def test_a_notebook_that_hangs_is_stopped_with_all_that_it_has_started(shell, place, tmp_path):
    write_notebook(tmp_path / "notebooks", "H08_complaints", HANG)
    words = ("run", "-s", place / "small.toml", "--reports", tmp_path / "reports", "-r", "North")
    code, said = shell.workbook(tmp_path / "notebooks", *words, "--timeout", "0.1")
    assert code == 1
    assert said.count("second try)") == 1
    table = pd.read_csv(tmp_path / "reports" / "findings.csv").set_index("hypothesis")["reason"]
    reason = "It was stopped after 0.1 min; --timeout gives it more."
    assert set(table["H08"]) == {reason}
    assert reason in index_of(tmp_path / "reports")
    assert shell.is_left_alone()


def test_a_kernel_that_dies_while_it_starts_is_started_again(shell, place, tmp_path):
    startup = shell.temporary / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True, exist_ok=True)
    once = DIE.replace("NAME + region", "'started'").replace("LIVES", "2")
    (startup / "00.py").write_text(once, encoding="utf-8")
    words = ("run", "-s", place / "small.toml", "--reports", tmp_path / "reports")
    code, said = shell.workbook(place / "notebooks", *words, "-n", "H12_value", "-j", "1")
    (startup / "00.py").unlink()
    assert code == 0, said
    assert said.count("second try") == 1
    assert shell.is_left_alone()


@pytest.mark.parametrize(
    ("name", "text"),
    [("H01_satisfaction", "<<<<<<< HEAD\n{}"), ("across_regions", '{"nothing": 1}')],
)
def test_a_file_that_is_no_notebook_is_named_and_the_others_run(shell, place, tmp_path, name, text):
    notebooks = write_notebooks(tmp_path / "notebooks")
    (notebooks / f"{name}.ipynb").write_text(text, encoding="utf-8")
    words = ("run", "-s", place / "small.toml", "--reports", tmp_path / "reports")
    code, said = shell.workbook(notebooks, *words, "-n", name)
    assert code == 2
    assert f"{name}.ipynb: not a notebook" in said
    assert not list((tmp_path / "reports").rglob("*.html"))
    code, said = shell.workbook(notebooks, *words)
    assert code == 1
    assert said.count(f"{name}.ipynb: not a notebook") == 1
    assert "done North · H12_value" in said
    assert "Traceback" not in said


def test_a_folder_without_notebooks_is_named(shell, place, tmp_path):
    code, said = shell.workbook(tmp_path, "run", "-s", place / "small.toml")
    assert code == 2
    assert f"There is no notebook in {tmp_path.name}/" in said


def test_a_report_that_cannot_be_written_is_named_and_the_others_are_whole(shell, place, tmp_path):
    notebooks = write_notebooks(tmp_path / "notebooks")
    large = "print('x' * 400_000 * (region == 'North'))"
    write_notebook(notebooks / "retention", "H17_retention", CLAIMS, large)
    reports, process = tmp_path / "reports", psutil.Process(shell.process.pid)
    words = ("run", "-s", place / "small.toml", "--reports", reports)
    limits = process.rlimit(psutil.RLIMIT_FSIZE)
    process.rlimit(psutil.RLIMIT_FSIZE, (300_000, limits[1]))
    code, said = shell.workbook(notebooks, *words)
    process.rlimit(psutil.RLIMIT_FSIZE, limits)
    assert code == 1
    assert "failed North · H17_retention" in said
    assert "North · H17_retention: OSError: [Errno 27] File too large" in index_of(reports)
    assert drafts(reports) == []
    pages = {name for name in shown(reports) if name.endswith("H17_retention.html")}
    assert pages == {"small/South/H17_retention.html"}
    code, said = shell.workbook(notebooks, *words, "--json")
    assert (code, ran(said)) == (0, ["North H17", "across"])
    assert "File too large" not in index_of(reports)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 100 kB, and a function that makes it large."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", disk]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield disk, lambda: subprocess.run(["mount", "-o", "remount,size=100m", disk], check=True)
    subprocess.run(["umount", disk], check=True)


def test_on_a_full_disk_what_is_there_is_whole_and_the_next_run_does_the_rest(
    shell, place, small_disk, undisturbed
):
    disk, enlarge = small_disk
    words = ("run", "-s", place / "small.toml", "--reports", disk / "reports")
    code, said = shell.workbook(place / "notebooks", *words)
    assert code == 1
    assert "No space left on device" in said
    assert "Error: No space left on device. What was finished stays." in said
    assert "Traceback" not in said
    assert drafts(disk) == []
    there = {Path(name) for name in shown(disk / "reports") if "/" in name}
    assert there == {each.with_suffix(end) for each in there for end in (".ipynb", ".html")}
    assert shell.is_left_alone()
    enlarge()
    assert shell.workbook(place / "notebooks", *words)[0] == 0
    there = shown(disk / "reports")
    assert {name: there[name] for name in undisturbed if "/" in name} == {
        name: content for name, content in undisturbed.items() if "/" in name
    }


MOMENTS = {
    "nothing runs yet": lambda shell, reports: (reports / ".owner").exists(),
    "a kernel starts": lambda shell, reports: len(shell.folders()) > 1,
    "notebooks run": lambda shell, reports: shell.asleep(),
    "all regions are looked at": lambda shell, reports: (reports / "findings.csv").exists(),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_stops_at_ctrl_c_whenever_it_comes(place, tmp_path, moment):
    hang = {} if moment == "all regions are looked at" else {"hangs": HANG}
    notebooks, reports = write_notebooks(tmp_path / "notebooks", **hang), tmp_path / "reports"
    write_notebook(notebooks, "across_regions", ACROSS, HANG)
    with Shell() as shell:
        shell.order(notebooks, "run", "-s", place / "small.toml", "--reports", reports)
        assert wait_for(lambda: MOMENTS[moment](shell, reports))
        os.killpg(shell.process.pid, signal.SIGINT)
        code, said = shell.answer()
        assert code == 130, said
        assert "Traceback" not in said
        assert shell.is_left_alone()
    assert drafts(reports) == []
    shown(reports)


def test_ctrl_c_while_workers_start_leaves_none_of_them(tmp_path):
    command = [sys.executable, Path(__file__).with_name("interrupted.py")]
    own = os.environ | {"TMPDIR": str(tmp_path)}
    done = subprocess.run(command, env=own, stdout=subprocess.PIPE, text=True, timeout=PATIENCE)
    assert done.returncode == 0
    said = done.stdout.splitlines()
    assert len(said) == 12
    assert {line.split(" ", 1)[1] for line in said} == {"0 []"}
    assert said[0].startswith("False")  # it came before they were running


def test_the_second_of_two_runs_is_refused_and_the_first_can_be_stopped(shell, place, tmp_path):
    notebooks = write_notebooks(tmp_path / "notebooks", hangs=HANG)
    reports, source = tmp_path / "reports", place / "small.toml"
    shell.order(notebooks, "run", "-s", source, "--reports", reports, "-j", 3)
    assert wait_for(lambda: len(shell.asleep()) == 2)
    first = f"process {shell.process.pid}, workbook run --source {source}"
    for words in (["run", "-s", source, "-n", "H12"], ["index"]):
        second = [COMMAND, *words, "--reports", reports]
        done = subprocess.run(second, capture_output=True, text=True, env=WIDE)
        assert done.returncode == 2
        assert f"Another run writes to reports: {first}." in done.stdout
    os.killpg(shell.process.pid, signal.SIGINT)
    code, said = shell.answer()
    assert code == 130
    assert "Stopped; what was finished stays: " in said
    assert shell.is_left_alone()
    assert drafts(reports) == []
    finished = {name for name in shown(reports) if name.endswith("H12_value.html")}
    assert finished <= {f"small/{region}/H12_value.html" for region in ("North", "South")}
    assert all(name in index_of(reports) for name in finished)
    code, said = shell.workbook(place / "notebooks", "run", "-s", source, "--reports", reports)
    assert code == 0, said


def kill(place, temporary, folder, moment):
    """Kill a run in a folder, some seconds after some lines of its log are written."""
    (lines, seconds), log = moment, folder / "run.log"
    with Shell(temporary) as shell:
        shell.order(place / "notebooks", "run", "-s", place / "small.toml", "--reports", folder)
        assert wait_for(lambda: log.exists() and log.read_text().count("\n") >= lines)
        time.sleep(seconds)
        shell.process.kill()
        assert wait_for(lambda: not shell.living())


def test_a_run_killed_at_any_moment_and_started_again_ends_with_the_same_bytes(
    shell, place, undisturbed, tmp_path
):
    rng = random.Random(20260630)
    # The log begins with one line; five notebooks are started and done.
    moments = [(rng.randint(0, 11), rng.uniform(0, 1)) for _ in range(4)]
    folders = [tmp_path / str(number) for number in range(4)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(partial(kill, place, shell.temporary), folders, moments))
    for folder in folders:
        words = ("run", "-s", place / "small.toml", "--reports", folder)
        code, said = shell.workbook(place / "notebooks", *words)
        assert code == 0, said
        assert shown(folder) == undisturbed
        assert drafts(folder) == []
    assert shell.folders() == []
