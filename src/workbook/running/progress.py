"""What a run shows while it goes on, and the log that it leaves."""

from __future__ import annotations

import heapq
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Literal, Self, TextIO

from rich.console import Console
from rich.text import Text

from analysis.data.errors import counted
from workbook.terminal import Display

Style = Literal["auto", "quiet", "json"]

SLOWEST = 3  # notebooks and cells that are named at the end


@dataclass(frozen=True)
class Step:
    """One notebook of one region.

    Attributes
    ----------
    region : str
        Name of the region; empty for a notebook over all regions.
    notebook : str
        Name of the notebook.
    expected : float or None
        Seconds it took in an earlier run; None if it never ran.
    """

    region: str
    notebook: str
    expected: float | None = None

    @property
    def name(self) -> str:
        """What a reader sees, in one line."""
        return _one_line(f"{self.region} · {self.notebook}" if self.region else self.notebook)


class Progress:
    """Shows a run and logs it: a context manager that is told, from any thread, what goes on.

    Parameters
    ----------
    steps : sequence of Step
        What will be run, each once.
    skipped : mapping of str to int
        Why notebooks are not run, such as "unchanged", and how many.
    jobs : int
        How many notebooks run at once.
    style : {"auto", "quiet", "json"}
        "auto" prints a line for each notebook that ended, and shows on a terminal what is
        running, with a bar and the time left. "quiet" prints failures and the last line.
        "json" prints one object per line; see the notes.
    log : Path
        Where the log goes. It is written line by line and takes the place of the log
        before it, which stays if there are no steps.
    console : Console
        Where to print.
    clock : callable
        Gives the time in seconds.

    Notes
    -----
    Each line of JSON has the keys `event` and `elapsed`, the seconds since the start, and

    =============  ==================================================================
    skipped        reason, notebooks (how many); once per reason
    started        region, notebook, expected (seconds, or null)
    done, failed   region, notebook, seconds, failures (list of text), note
    end            complete (false if the run was stopped), ended, failed (how many),
                   skipped (how many by reason), slowest_notebooks (list of region,
                   notebook, seconds), slowest_cells (the same and heading)
    =============  ==================================================================
    """

    def __init__(
        self,
        steps: Sequence[Step],
        skipped: Mapping[str, int],
        jobs: int,
        style: Style,
        log: Path,
        console: Console,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._steps, self._jobs, self._style = tuple(steps), jobs, style
        self._skipped = {_one_line(reason): count for reason, count in skipped.items() if count}
        self._console, self._path, self._clock = console, log, clock
        self._log: TextIO | None = None
        self._display: Display | None = None
        self._lock, self._is_over = Lock(), False
        self._start, self._failed = clock(), 0
        self._running: dict[Step, float] = {}
        self._ended: dict[Step, float] = {}
        self._cells: list[tuple[float, Step, str]] = []

    def __enter__(self) -> Self:
        self._start = self._clock()
        if self._steps:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._log = self._path.open("w", encoding="utf-8", newline="\n", buffering=1)
            self._write(f"{counted(len(self._steps), 'notebook')}, {self._jobs} at once")
        for reason, count in self._skipped.items():
            self._write(f"skipped {count}: {reason}")
            self._emit("skipped", reason=reason, notebooks=count)
            self._print(f"skipped {count}: {reason}", always=False)
        if self._style == "auto" and self._console.is_interactive and self._steps:
            self._display = Display(self._console, len(self._steps), self.time_left)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._display:
            self._display.stop()
            self._display = None
        with self._lock:  # what is told from now on is not written anywhere
            last, slowest = self._last_line(kind), [] if kind else self._slowest()
            self._write(last, *slowest)
            self._is_over = True
        self._emit("end", complete=kind is None, **self._totals())
        if kind is None or issubclass(kind, KeyboardInterrupt):
            self._print(last)
        for line in slowest:
            self._print(line, always=False)
        if self._log:
            self._log.close()

    def started(self, step: Step) -> None:
        """Tell that a step has started; if it runs already, that it starts again."""
        with self._lock:
            if self._is_over:
                return
            self._running[step] = self._clock()
            self._write(f"started {step.name}")
            self._emit("started", **_about(step), expected=step.expected)
        if self._display:
            self._display.started(step, step.name)

    def ended(
        self,
        step: Step,
        failure: str,
        seconds: float,
        cells: Sequence[tuple[str, float]] = (),
        note: str = "",
    ) -> None:
        """Tell that a step has ended, whether or not it had started.

        Parameters
        ----------
        step : Step
            What ended.
        failure : str
            What broke, as a sentence; empty when nothing did.
        seconds : float
            How long it took.
        cells : sequence of (str, float)
            Headings of its cells, and the seconds they took.
        note : str
            What else there is to say, such as "second try".
        """
        event, colour = ("failed", "red") if failure else ("done", "green")
        after = f"{step.name} ({_span(seconds)}{', ' if note else ''}{_one_line(note)})"
        broken = [f"  {_one_line(failure)}"] if failure else []
        with self._lock:
            if self._is_over:
                return
            self._running.pop(step, None)
            self._ended[step] = seconds
            self._failed += bool(failure)
            self._cells += [(spent, step, heading) for heading, spent in cells]
            self._write(f"{event} {after}", *broken)
            failures = [failure] if failure else []
            self._emit(event, **_about(step, seconds), failures=failures, note=note)
        if self._display:
            self._display.ended(step, len(self._ended))
        lines = "\n".join([after, *broken])
        self._print(Text.assemble((event, colour), " ", lines), always=bool(failure))

    def time_left(self) -> float:
        """Return the seconds that the run will still take.

        A step takes as long as in an earlier run, and one that never ran as long as the
        mean of the others: those that ended in this run, and those with an expected time.
        The steps left are shared among the jobs; but the longest of them is run by one.

        Returns
        -------
        float
            0 when all steps have ended; missing while nothing is known of any step.

        References
        ----------
        Graham, R. L. (1969). Bounds on multiprocessing timing anomalies. SIAM Journal on
        Applied Mathematics 17, 416-429.
        """
        ended, running, now = dict(self._ended), dict(self._running), self._clock()
        todo = [step for step in self._steps if step not in ended]
        taken = [ended.get(step, step.expected) for step in self._steps]
        known = [each for each in taken if each is not None]
        if not known:
            return math.nan if todo else 0.0
        usual = math.fsum(known) / len(known)
        expected = [usual if step.expected is None else step.expected for step in todo]
        spent = [now - running.get(step, now) for step in todo]
        left = [max(a - b, 0.0) for a, b in zip(expected, spent, strict=True)]
        return max(math.fsum(left) / self._jobs, max(left, default=0.0))

    def _write(self, *lines: str) -> None:
        """Write lines to the log, each after the seconds since the start."""
        if self._log:
            elapsed = self._clock() - self._start
            self._log.writelines(f"{elapsed:8.1f}  {line}\n" for line in lines)

    def _emit(self, event: str, **facts: object) -> None:
        """Print an event as JSON, if that is the style."""
        if self._style == "json":
            elapsed = round(self._clock() - self._start, 3)
            line = json.dumps({"event": event, "elapsed": elapsed} | facts)
            self._console.out(line, highlight=False)

    def _print(self, line: str | Text, *, always: bool = True) -> None:
        """Print a line for people."""
        if self._style == "auto" or (self._style == "quiet" and always):
            told = self._display or self._console
            told.print(line, soft_wrap=True, markup=False, highlight=False, emoji=False)

    def _last_line(self, kind: type[BaseException] | None) -> str:
        """Return how the run ended."""
        done, of = len(self._ended), counted(len(self._steps), "report")
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            return f"Stopped; what was finished stays: {done} of {of}."
        if kind is not None:
            return f"Broken off ({kind.__name__}) after {done} of {of}."
        ran = f"{counted(done, 'report')} in {_span(self._clock() - self._start)}"
        failed = f", {self._failed} failed" if self._failed else ""
        said = ran + failed if self._steps else "Nothing to run"
        unrun = ", ".join(f"{count} {reason}" for reason, count in self._skipped.items())
        return f"{said}; {unrun}" if unrun else said

    def _slowest(self) -> list[str]:
        """Return lines that name the slowest notebooks and cells."""
        (steps, cells), lines = self._longest(), []
        named = {"notebooks": [(spent, step.name) for spent, step in steps]}
        named["cells"] = [(spent, f"{step.name}: {_one_line(text)}") for spent, step, text in cells]
        for kind, found in named.items():
            lines += [f"Slowest {kind}:"] if found else []
            lines += [f"{_span(spent):>12}  {name}" for spent, name in found]
        return lines

    def _longest(self) -> tuple[list, list]:
        """Return the steps and the cells that took longest, each with their seconds first."""
        steps = [(spent, step) for step, spent in self._ended.items()]
        return tuple(
            heapq.nlargest(SLOWEST, found, key=lambda each: each[0])
            for found in (steps, self._cells)
        )

    def _totals(self) -> dict[str, object]:
        """Return what the last line of JSON says."""
        steps, cells = self._longest()
        return {
            "ended": len(self._ended),
            "failed": self._failed,
            "skipped": self._skipped,
            "slowest_notebooks": [_about(step, spent) for spent, step in steps],
            "slowest_cells": [
                {"heading": text} | _about(step, spent) for spent, step, text in cells
            ],
        }


def _about(step: Step, seconds: float | None = None) -> dict[str, object]:
    """Return a step as JSON has it, with what it took."""
    about = {"region": step.region, "notebook": step.notebook}
    return about if seconds is None else about | {"seconds": round(seconds, 3)}


def _one_line(text: str) -> str:
    """Return a text in one line, without what would control a terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _span(seconds: float) -> str:
    """Return how long something took, for a reader."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
