"""What a notebook starts ends with it, also what has left its process group and its parents."""

import os
import subprocess
import sys

import psutil
import pytest

from shells import wait_for, write_notebook
from workbook import children

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a kernel adopts on Linux only")

ORPHAN = """import os, subprocess, sys
subprocess.Popen([sys.executable, "-c", "import subprocess; subprocess.Popen(['sleep', '1000'], "
    "start_new_session=True)"], start_new_session=True).wait()"""
FORKED = """import os, time
if not os.fork():
    os.setsid()
    if not os.fork():
        time.sleep(1000)
    os._exit(0)"""


def living(mark):
    """Return the sleeping processes with a mark in their environment."""
    found = []
    for process in psutil.process_iter(["name"]):
        try:
            if process.environ().get("TEST_OF_CHILDREN") == mark and process.status() != "zombie":
                found.append(process.pid)
        except psutil.Error:
            pass
    return found


@pytest.mark.parametrize("mark", ["marked", "unmarked"])
def test_an_orphan_in_a_session_of_its_own_is_ended(mark):
    """One is known by its mark, or by the parent that adopts it."""
    own = {"TEST_OF_CHILDREN": f"{os.getpid()}-{mark}"}
    own |= {children.KERNEL: f"k{os.getpid()}"} if mark == "marked" else {}
    code = (
        f"from workbook import children\nchildren.adopt()\n{ORPHAN}\nprint('ready', flush=True)\n"
    )
    code += "import time; time.sleep(1000)"
    parent = subprocess.Popen(
        [sys.executable, "-c", code], env=os.environ | own, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout.readline() == "ready\n"
    assert len(living(own["TEST_OF_CHILDREN"])) == 2
    children.end(f"k{os.getpid()}", parent.pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert wait_for(lambda: not living(own["TEST_OF_CHILDREN"]))


FORKING = """import os, time
for number in range(60):
    if not os.fork():
        os.setsid()
        time.sleep(number / 1000)
        if not os.fork():
            time.sleep(1000)
        os._exit(0)"""


def test_children_that_fork_while_they_are_ended_are_ended():
    own = {"TEST_OF_CHILDREN": f"{os.getpid()}-forking"}
    code = (
        f"from workbook import children\nchildren.adopt()\n{FORKING}\nchildren.end('', os.getpid())"
    )
    subprocess.run([sys.executable, "-c", code], env=os.environ | own, check=True, timeout=600)
    assert not living(own["TEST_OF_CHILDREN"])


def test_what_a_run_left_that_was_killed_is_ended_and_nothing_else():
    own = {"TEST_OF_CHILDREN": f"{os.getpid()}-left"}
    gone = f"{children.HOST}-999999999-1"
    here = children._name(psutil.Process())
    elsewhere = "another-999999999-1"
    sleeping = [
        subprocess.Popen(["sleep", "1000"], env=os.environ | own | {children.RUN: run})
        for run in (gone, here, elsewhere)
    ]
    children.end_left()
    assert sleeping[0].wait(60) == -9
    assert [each.poll() for each in sleeping[1:]] == [None, None]
    for each in sleeping[1:]:
        each.kill()
        each.wait()


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--cold",)])
def test_a_notebook_leaves_no_orphan(shell, place, tmp_path, options):
    cells = {"profile": ORPHAN, "dies": f"{ORPHAN}\nos.kill(os.getpid(), 9)"}
    if not options:
        cells["forks"] = FORKED
    for name, cell in cells.items():
        write_notebook(tmp_path / "notebooks", name, cell)
    words = ("run", "-s", place / "small.toml", "--reports", tmp_path / "reports", "-r", "North")
    shell.workbook(tmp_path / "notebooks", *words, *options)
    assert shell.is_left_alone()
