"""Progress of a run: what is shown where, what the log keeps, and the time left."""

import io
import itertools
import json
import math
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from shells import PATIENCE, wait_for
from workbook.running.progress import Progress, Step

EAST, WEST = Step("East 华东", "02_satisfaction_drivers", 6.0), Step("West", "04_value", 2.0)
ACROSS = Step("", "90_across_regions", 1.0)
COLOUR = re.compile(r"\x1b\[[\d;]*m")


class Clock:
    """A clock that is set by hand, and knows how often it was asked."""

    now, asked = 0.0, 0

    def __call__(self):
        self.asked += 1
        return self.now

    def wait(self):
        """Wait until the display was drawn, which asks for the time a few times."""
        before = self.asked
        assert wait_for(lambda: self.asked > before + 8)


def console(terminal=False, width=80, **environment):
    return Console(
        file=io.StringIO(),
        force_terminal=terminal,
        width=width,
        height=12,
        _environ={"TERM": "xterm"} | environment,
    )


def progress(tmp_path, steps, skipped=None, jobs=2, style="auto", out=None, **options):
    log = tmp_path / "run.log"
    return Progress(steps, skipped or {}, jobs, style, log, out or console(), **options)


def log_lines(tmp_path):
    """Return the lines of the log without the seconds, which each must start with."""
    lines = (tmp_path / "run.log").read_text(encoding="utf-8").splitlines()
    return [re.fullmatch(r" *\d+\.\d  (.*)", line)[1] for line in lines]


def screen(written):
    """Return the lines that a terminal shows in the end."""
    lines, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[\??[\d;]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", written):
        if part == "\r":
            column = 0
        elif part == "\n":
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        elif part == "\x1b[2K":
            lines[row] = ""
        elif part.endswith("A"):
            row -= int(part[2:-1])
        elif not part.startswith("\x1b"):
            lines[row] = lines[row][:column].ljust(column) + part + lines[row][column + len(part) :]
            column += len(part)
    return [line.rstrip() for line in lines if line.strip()]


def on_a_pseudo_terminal(script, tmp_path, interrupt=""):
    """Run a script on a pseudo terminal; return what it wrote.

    It is interrupted, as by Ctrl-C, as soon as it has written a given text.
    """
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "60", "LINES": "20"}
    environment.pop("NO_COLOR", None)
    environment["PYTHONPATH"] = str(Path(__file__).parent)
    ran = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "run.log")],
        **dict.fromkeys(("stdin", "stdout", "stderr"), theirs),
        env=environment,
    )
    os.close(theirs)
    written = b""
    while part := read(ours):
        written += part
        if interrupt and interrupt in written.decode(errors="ignore"):
            ran.send_signal(signal.SIGINT)
            interrupt = ""
    os.close(ours)
    return written.decode(), ran.wait(PATIENCE)


def read(terminal):
    """Return what a pseudo terminal has; Linux ends it with an error."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


def test_time_left_is_shared_among_the_jobs(tmp_path):
    steps = [Step("North", f"{i:02}", seconds) for i, seconds in enumerate([4.0, 6.0, 8.0, 10.0])]
    assert progress(tmp_path, steps, jobs=1).time_left() == 28.0
    assert progress(tmp_path, steps, jobs=2).time_left() == 14.0
    assert progress(tmp_path, steps, jobs=4).time_left() == 10.0  # the longest is run by one


def test_time_left_falls_while_steps_run_but_not_below_zero(tmp_path):
    clock = Clock()
    now = progress(tmp_path, [EAST, WEST], jobs=1, clock=clock)
    now.started(EAST)
    clock.now = 5.0
    assert now.time_left() == (6.0 - 5.0) + 2.0
    clock.now = 20.0
    assert now.time_left() == 0.0 + 2.0


def test_a_step_that_never_ran_is_expected_to_take_the_mean_of_those_known(tmp_path):
    unknown = [Step("South", "02"), Step("South", "04")]
    now = progress(tmp_path, [EAST, WEST, *unknown], jobs=1)
    assert now.time_left() == 6.0 + 2.0 + 2 * 4.0
    now.ended(EAST, "", 10.0)
    assert now.time_left() == 2.0 + 2 * (10.0 + 2.0) / 2
    now.ended(unknown[0], "", 3.0)
    assert now.time_left() == 2.0 + (10.0 + 2.0 + 3.0) / 3


def test_time_left_is_not_known_in_a_first_run_until_something_has_ended(tmp_path):
    steps = [Step("South", "02"), Step("South", "04"), Step("West", "02")]
    now = progress(tmp_path, steps, jobs=2)
    assert math.isnan(now.time_left())
    now.ended(steps[0], "", 5.0)
    assert now.time_left() == 5.0
    assert progress(tmp_path, []).time_left() == 0.0


expected = st.none() | st.floats(0.0, 1e4)


@given(st.lists(expected, max_size=12), st.integers(1, 5), st.data())
def test_time_left_falls_to_zero_as_steps_end_as_expected(tmp_path_factory, seconds, jobs, data):
    clock = Clock()
    steps = [Step("North", str(i), each) for i, each in enumerate(seconds)]
    now = progress(tmp_path_factory.getbasetemp(), steps, jobs=jobs, clock=clock)
    known = [each for each in seconds if each is not None]
    usual = sum(known) / len(known) if known else 1.0
    before = math.inf
    for step in data.draw(st.permutations(steps)):
        now.started(step)
        took = usual if step.expected is None else step.expected
        clock.now += took
        now.ended(step, "", took)
        left = now.time_left()
        assert 0.0 <= left <= before * (1 + 1e-9) + 1e-9
        before = left
    assert now.time_left() == 0.0


def test_without_a_terminal_each_notebook_that_ended_is_a_plain_line(tmp_path):
    out, clock = console(width=30), Clock()
    skipped = {"unchanged": 18, "too few answers": 1, "never": 0}
    with progress(tmp_path, [EAST, WEST, ACROSS], skipped, out=out, clock=clock) as now:
        now.started(EAST)
        now.started(WEST)
        now.ended(EAST, "H05: two\nlines", 7.2, [("H05 Drivers", 5.0)])
        now.ended(WEST, "", 31.7, [("Setting up", 1.0), ("H12 Pareto", 30.0)], note="second try")
        now.ended(ACROSS, "", 0.5, [("Pooling", 0.2)])
        clock.now = 48.0
    assert out.file.getvalue().splitlines() == [
        "skipped 18: unchanged",
        "skipped 1: too few answers",
        "failed East 华东 · 02_satisfaction_drivers (7.2 s)",
        "  H05: two lines",
        "done West · 04_value (32 s, second try)",
        "done 90_across_regions (0.5 s)",
        "3 reports in 48 s, 1 failed; 18 unchanged, 1 too few answers",
        "Slowest notebooks:",
        "        32 s  West · 04_value",
        "       7.2 s  East 华东 · 02_satisfaction_drivers",
        "       0.5 s  90_across_regions",
        "Slowest cells:",
        "        30 s  West · 04_value: H12 Pareto",
        "       5.0 s  East 华东 · 02_satisfaction_drivers: H05 Drivers",
        "       1.0 s  West · 04_value: Setting up",
    ]


def test_quiet_says_only_what_failed_and_the_last_line(tmp_path):
    out = console(terminal=True, NO_COLOR="1")
    with progress(tmp_path, [EAST, WEST], {"unchanged": 2}, style="quiet", out=out) as now:
        now.ended(EAST, "", 7.2, [("H05", 5.0)])
        now.ended(WEST, "H12: no sales", 125.0)
    assert out.file.getvalue().splitlines() == [
        "failed West · 04_value (2 min 5 s)",
        "  H12: no sales",
        "2 reports in 0.0 s, 1 failed; 2 unchanged",
    ]


def test_json_has_an_object_per_line_with_the_same_facts(tmp_path):
    out, clock = console(width=20), Clock()
    with progress(
        tmp_path, [EAST, WEST], {"unchanged": 2}, style="json", out=out, clock=clock
    ) as now:
        now.started(EAST)
        clock.now = 1.5
        now.ended(EAST, "H05: no such thing", 1.5, [("H05", 1.25)], note="second try")
        assert out.file.getvalue().count("\n") == 3
        now.ended(WEST, "", 2.0)
    east = {"region": EAST.region, "notebook": EAST.notebook}
    west = {"region": "West", "notebook": "04_value"}
    failed = {"seconds": 1.5, "failures": ["H05: no such thing"], "note": "second try"}
    assert [json.loads(line) for line in out.file.getvalue().splitlines()] == [
        {"event": "skipped", "elapsed": 0.0, "reason": "unchanged", "notebooks": 2},
        {"event": "started", "elapsed": 0.0, **east, "expected": 6.0},
        {"event": "failed", "elapsed": 1.5, **east, **failed},
        {"event": "done", "elapsed": 1.5, **west, "seconds": 2.0, "failures": [], "note": ""},
        {
            "event": "end",
            "elapsed": 1.5,
            "complete": True,
            "ended": 2,
            "failed": 1,
            "skipped": {"unchanged": 2},
            "slowest_notebooks": [west | {"seconds": 2.0}, east | {"seconds": 1.5}],
            "slowest_cells": [{"heading": "H05", **east, "seconds": 1.25}],
        },
    ]


@pytest.mark.parametrize("style", ["auto", "quiet", "json"])
def test_the_log_is_the_same_in_every_style_and_there_at_once(tmp_path, style):
    clock = Clock()
    with progress(tmp_path, [EAST, WEST], {"unchanged": 2}, style=style, clock=clock) as now:
        now.started(EAST)
        clock.now = 7.25
        now.ended(EAST, "H05: no such thing", 7.2, [("H05", 5.0)], note="second try")
        assert (tmp_path / "run.log").read_text(encoding="utf-8").splitlines() == [
            "     0.0  2 notebooks, 2 at once",
            "     0.0  skipped 2: unchanged",
            "     0.0  started East 华东 · 02_satisfaction_drivers",
            "     7.2  failed East 华东 · 02_satisfaction_drivers (7.2 s, second try)",
            "     7.2    H05: no such thing",
        ]
        now.ended(WEST, "", 1.0)
    assert log_lines(tmp_path)[5:8] == [
        "done West · 04_value (1.0 s)",
        "2 reports in 7.2 s, 1 failed; 2 unchanged",
        "Slowest notebooks:",
    ]


def test_a_new_run_replaces_the_log_but_not_one_that_skips_everything(tmp_path):
    for step in (EAST, WEST):
        with progress(tmp_path, [step]) as now:
            now.ended(step, "", 1.0)
    kept, out = log_lines(tmp_path), console()
    assert "done West · 04_value (1.0 s)" in kept
    assert not any("East" in line for line in kept)
    with progress(tmp_path, [], {"unchanged": 18}, out=out):
        pass
    assert log_lines(tmp_path) == kept
    assert out.file.getvalue().splitlines()[-1] == "Nothing to run; 18 unchanged"


def test_an_error_in_the_middle_leaves_a_log_and_is_passed_on(tmp_path):
    out, broken = console(), console()
    with pytest.raises(RuntimeError), progress(tmp_path, [EAST, WEST], out=out) as now:
        now.ended(EAST, "", 1.0)
        raise RuntimeError("/home/someone")
    assert log_lines(tmp_path)[1:] == [
        "done East 华东 · 02_satisfaction_drivers (1.0 s)",
        "Broken off (RuntimeError) after 1 of 2 reports.",
    ]
    assert out.file.getvalue().splitlines() == ["done East 华东 · 02_satisfaction_drivers (1.0 s)"]
    with pytest.raises(RuntimeError), progress(tmp_path, [EAST], style="json", out=broken):
        raise RuntimeError
    end = json.loads(broken.file.getvalue())
    assert (end["event"], end["complete"], end["ended"]) == ("end", False, 0)


def test_what_ends_after_the_end_is_not_written_anywhere(tmp_path):
    out = console()
    with pytest.raises(KeyboardInterrupt), progress(tmp_path, [EAST, WEST], out=out) as now:
        now.started(EAST)
        now.ended(WEST, "", 1.0)
        raise KeyboardInterrupt
    stopped = "Stopped; what was finished stays: 1 of 2 reports."
    now.ended(EAST, "", 1.0)
    assert out.file.getvalue().splitlines() == ["done West · 04_value (1.0 s)", stopped]
    assert log_lines(tmp_path)[-1] == stopped


@pytest.mark.parametrize("terminal", [True, False])
def test_names_and_failures_are_no_markup_and_control_no_terminal(tmp_path, terminal):
    odd = Step("[red]North[/] [x] :smile: \x1b[31m\r", "[b]02", 1.0)
    out = console(terminal)
    with progress(tmp_path, [odd], {"[i]old": 1}, out=out) as now:
        now.started(odd)
        now.ended(odd, "no [column] \x1b[2J[/]", 1.0, [("[bold]H05", 0.5)])
    shown = "\n".join(screen(out.file.getvalue()))
    assert "skipped 1: [i]old" in shown
    assert "done [red]North" not in shown
    assert "failed [red]North[/] [x] :smile: [31m · [b]02 (1.0 s)" in shown
    assert "  no [column] [2J[/]" in shown
    assert "[bold]H05" in shown
    assert "\x1b[31m\r" not in out.file.getvalue()
    assert "\x1b[2J" not in out.file.getvalue()


def shown_while(tmp_path, out, steps, clock_at):
    """Return what the terminal shows while steps run for some seconds."""
    clock = Clock()
    with progress(tmp_path, steps, out=out, clock=clock) as now:
        for step in steps[1:]:
            now.started(step)
        now.ended(steps[0], "", 6.0)
        clock.now = clock_at
        if out.is_terminal and not out.is_dumb_terminal:
            clock.wait()
        return screen(out.file.getvalue())


def test_a_terminal_shows_what_runs_with_a_bar_and_the_time_left(tmp_path):
    steps = [EAST, WEST, Step("North", "02_satisfaction_drivers", 80.0)]
    lines = shown_while(tmp_path, console(terminal=True), steps, clock_at=7.0)
    assert lines[0] == "done East 华东 · 02_satisfaction_drivers (6.0 s)"
    assert re.fullmatch(r"Reports +[━╸╺]+ +1/3 +0:01:13 left", lines[1])
    assert [line.split("  ")[0].split(" 0:")[0] for line in lines[2:]] == [
        "West · 04_value", "North · 02_satisfaction_drivers",
    ]  # fmt: skip


def test_on_a_narrow_terminal_the_names_of_what_runs_are_cut(tmp_path):
    long = [Step("North-west 西北", f"{i:02}_a_notebook_with_a_very_long_name") for i in range(3)]
    lines = shown_while(tmp_path, console(terminal=True, width=40), long, clock_at=3700)
    running = [line for line in lines if line.startswith("North-west")]
    assert len(running) == 2
    assert all("…" in line and cell_len(line) <= 40 for line in running)


def test_more_notebooks_than_lines_leave_the_bar_in_sight(tmp_path):
    steps = [Step("North", f"{i:02}", 1.0) for i in range(40)]
    lines = shown_while(tmp_path, console(terminal=True), steps, clock_at=1.0)
    assert len(lines) == 1 + 12  # what ended, then as many lines as there are
    assert lines[1].startswith("Reports")


def test_the_live_display_is_gone_in_the_end_and_the_cursor_back(tmp_path):
    out = console(terminal=True)
    shown_while(tmp_path, out, [EAST, WEST], clock_at=5.0)
    assert screen(out.file.getvalue()) == [
        "done East 华东 · 02_satisfaction_drivers (6.0 s)",
        "1 report in 5.0 s",
        "Slowest notebooks:",
        "       6.0 s  East 华东 · 02_satisfaction_drivers",
    ]
    assert out.file.getvalue().rindex("\x1b[?25h") > out.file.getvalue().rindex("\x1b[?25l")


def test_colours_are_only_for_terminals_that_want_them(tmp_path):
    coloured = {}
    for name, out in {
        "terminal": console(terminal=True),
        "no color": console(terminal=True, NO_COLOR="1"),
        "pipe": console(),
    }.items():
        shown_while(tmp_path, out, [EAST, WEST], clock_at=5.0)
        codes = ";".join(code[2:-1] for code in COLOUR.findall(out.file.getvalue())).split(";")
        coloured[name] = any(code not in ("", "0") for code in codes)
    assert coloured == {"terminal": True, "no color": False, "pipe": False}


def test_without_a_terminal_nothing_is_printed_while_time_passes(tmp_path):
    dumb = console(terminal=True, TERM="dumb", NO_COLOR="1")
    for out in (console(), dumb):
        lines = shown_while(tmp_path, out, [EAST, WEST], clock_at=5.0)
        assert lines == ["done East 华东 · 02_satisfaction_drivers (6.0 s)"]
        assert "\x1b" not in out.file.getvalue()


@pytest.fixture
def impatient_threads():
    """Let threads interrupt each other all the time."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def hammer(now, steps):
    """Start and end steps from eight threads at once."""
    turn, barrier = itertools.cycle(range(3)), threading.Barrier(8)

    def work(mine):
        barrier.wait()
        for step in mine:
            now.started(step)
            time.sleep(0.001)
            now.ended(step, "broke" if next(turn) == 0 else "", 0.1, [("cell", 0.1)])

    threads = [threading.Thread(target=work, args=(steps[i::8],), daemon=True) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads)


def test_many_threads_leave_each_line_whole_on_a_terminal(tmp_path, impatient_threads):
    steps = [Step("North", f"{i:03}", 0.1) for i in range(400)]
    out = console(terminal=True)
    with progress(tmp_path, steps, jobs=8, out=out) as now:
        hammer(now, steps)
        assert now.time_left() == 0.0
    lines = screen(out.file.getvalue())
    ended = [
        each[2] for line in lines if (each := re.match(r"(done|failed) North · (\d+) \(", line))
    ]
    assert sorted(ended) == [step.notebook for step in steps]
    assert len(lines) == 400 + 134 + 1 + 8  # a third broke; the last line; the slowest
    assert [line == "  broke" for line in lines[1:536]] == [
        line.startswith("failed") for line in lines[:535]
    ]
    logged = log_lines(tmp_path)
    assert sum(line.startswith("started") for line in logged) == 400
    assert sum(line.startswith(("done", "failed")) for line in logged) == 400


def test_many_threads_leave_each_object_whole_in_json(tmp_path, impatient_threads):
    steps = [Step("North", f"{i:03}", 0.1) for i in range(400)]
    out = console()
    with progress(tmp_path, steps, jobs=8, style="json", out=out) as now:
        hammer(now, steps)
    found = [json.loads(line) for line in out.file.getvalue().splitlines()]
    assert len(found) == 2 * 400 + 1
    assert [each["elapsed"] for each in found] == sorted(each["elapsed"] for each in found)
    assert found[-1]["failed"] == sum(each["event"] == "failed" for each in found) == 134


SCRIPT = """
import sys, time
from pathlib import Path
from rich.console import Console
from workbook.running.progress import Progress, Step
from test_progress import Clock
east, west = Step("East 华东", "02_satisfaction_drivers", 1.0), Step("West", "04_value")
clock = Clock()
with Progress([east, west], {}, 2, "auto", Path(sys.argv[1]), Console(), clock=clock) as now:
    now.started(east)
    now.started(west)
    clock.wait()
    now.ended(east, "", 0.4)
    WAIT
    now.ended(west, "no sales", 0.8)
"""


def test_a_pseudo_terminal_shows_the_run_and_then_only_what_ended(tmp_path):
    written, code = on_a_pseudo_terminal(SCRIPT.replace("WAIT", "clock.wait()"), tmp_path)
    assert code == 0
    assert re.search(r"West · 04_value +(\x1b\[\d+m)?0:00:0", written)
    assert "1/2" in written
    lines = screen(written)
    assert lines[:3] == [
        "done East 华东 · 02_satisfaction_drivers (0.4 s)",
        "failed West · 04_value (0.8 s)",
        "  no sales",
    ]
    assert lines[3] == "2 reports in 0.0 s, 1 failed"


def test_ctrl_c_on_a_pseudo_terminal_says_how_many_stay(tmp_path):
    script = SCRIPT.replace("WAIT", "time.sleep(1000)")
    written, code = on_a_pseudo_terminal(script, tmp_path, interrupt="1/2")
    stopped = "Stopped; what was finished stays: 1 of 2 reports."
    assert code == -signal.SIGINT
    assert screen(written)[:2] == ["done East 华东 · 02_satisfaction_drivers (0.4 s)", stopped]
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")
    assert log_lines(tmp_path)[-1] == stopped
