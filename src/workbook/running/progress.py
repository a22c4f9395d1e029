"""What a run says while it goes on, and the log it leaves."""

from __future__ import annotations

import heapq
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event, RLock, Thread
from typing import Literal, Self, TextIO, get_args

from rich.cells import cell_len
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

Style = Literal["auto", "quiet", "json"]

REFRESH = 0.25
"""Seconds between two looks at what is running, on a terminal."""
BAR = 40
"""Characters of the bar, where there is room."""
SLOWEST = 3
"""Notebooks and cells that are named at the end."""


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
    """Shows a run and logs it: a context manager that is told what starts and ends.

    It may be told so from any thread. What it is told after the context has ended is
    not written anywhere.

    Parameters
    ----------
    steps : sequence of Step
        What will be run, each once.
    skipped : mapping of str to int
        Why notebooks are not run, such as "unchanged", and how many.
    jobs : int
        How many notebooks run at once.
    style : {"auto", "quiet", "json"}
        "auto" shows on a terminal what is running, with a bar and the time left, and
        elsewhere a line for each notebook that ended. "quiet" prints failures and the
        last line. "json" prints one object per line; see the notes.
    log : Path
        Where the log goes. It is written line by line and takes the place of the log
        before it, which stays if there are no steps.
    console : Console
        Where to print.
    clock : callable
        Gives the time in seconds.

    Raises
    ------
    ValueError
        If a step comes twice, `jobs` is below 1, or the style is none of the three.

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

    Lines are printed and the terminal is refreshed under one lock. The thread in which
    `rich.live.Live` refreshes has a lock of its own, and waits for this one while a line
    that is printed here waits for that one; hence a thread here.
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
        if len({(each.region, each.notebook) for each in steps}) < len(steps):
            raise ValueError("Steps must differ in their region or their notebook.")
        if jobs < 1:
            raise ValueError(f"At least 1 notebook must run at once, not {jobs}.")
        if style not in get_args(Style):
            raise ValueError(f"Style must be one of {', '.join(get_args(Style))}, not {style!r}.")
        self._steps, self._jobs, self._style = tuple(steps), jobs, style
        self._skipped = {reason: count for reason, count in skipped.items() if count}
        self._console, self._path, self._clock = console, log, clock
        self._log: TextIO | None = None
        self._live: Live | None = None
        self._lock, self._over = RLock(), Event()
        self._start = clock()
        self._running: dict[Step, float] = {}
        self._ended: dict[Step, float] = {}
        self._failed = 0
        self._cells: list[tuple[float, str, Step]] = []

    def __enter__(self) -> Self:
        self._start = self._clock()
        if self._steps:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._log = self._path.open("w", encoding="utf-8", newline="\n", buffering=1)
            self._write(f"{_counted(len(self._steps), 'notebook')}, {self._jobs} at once")
        for reason, count in self._skipped.items():
            self._write(f"skipped {count}: {_one_line(reason)}")
            self._emit("skipped", reason=reason, notebooks=count)
            self._print(f"skipped {count}: {_one_line(reason)}", always=False)
        if self._style == "auto" and self._console.is_interactive and self._steps:
            self._show()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._lock:
            try:
                self._hide()
                self._close(kind)
            finally:
                self._over.set()
                if self._log:
                    self._log.close()

    def started(self, step: Step) -> None:
        """Tell that a step has started; if it runs already, that it starts again.

        Raises
        ------
        ValueError
            If the step is not of this run, or has ended.
        """
        with self._lock:
            self._check(step)
            self._running[step] = self._clock()
            self._write(f"started {step.name}")
            about = {"region": step.region, "notebook": step.notebook, "expected": step.expected}
            self._emit("started", **about)

    def ended(
        self,
        step: Step,
        failures: Sequence[str],
        seconds: float,
        cells: Sequence[tuple[str, float]] = (),
        note: str = "",
    ) -> None:
        """Tell that a step has ended, whether or not it had started.

        Parameters
        ----------
        step : Step
            What ended.
        failures : sequence of str
            What broke, as sentences; empty when nothing did.
        seconds : float
            How long it took.
        cells : sequence of (str, float)
            Headings of its cells, and the seconds they took.
        note : str
            What else there is to say, such as "second try".

        Raises
        ------
        ValueError
            As in `started`.
        """
        with self._lock:
            self._check(step)
            self._running.pop(step, None)
            self._ended[step] = seconds
            self._failed += bool(failures)
            found = [(spent, heading, step) for heading, spent in cells]
            self._cells = _largest([*self._cells, *found])
            self._report(step, failures, note)

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
        with self._lock:
            usual, now = self._usual(), self._clock()
            todo = [step for step in self._steps if step not in self._ended]
            if usual is None:
                return math.nan if todo else 0.0
            spent = [now - self._running.get(step, now) for step in todo]
        expected = [usual if step.expected is None else step.expected for step in todo]
        left = [max(a - b, 0.0) for a, b in zip(expected, spent, strict=True)]
        return max(math.fsum(left) / self._jobs, max(left, default=0.0))

    def _usual(self) -> float | None:
        """Return the mean seconds of the steps of which they are known."""
        taken = [self._ended.get(step, step.expected) for step in self._steps]
        known = [each for each in taken if each is not None]
        return math.fsum(known) / len(known) if known else None

    def _check(self, step: Step) -> None:
        """Refuse a step that can't be running."""
        if step not in self._steps:
            raise ValueError(f"{step.name} is not a step of this run.")
        if step in self._ended:
            raise ValueError(f"{step.name} has ended already.")

    def _report(self, step: Step, failures: Sequence[str], note: str) -> None:
        """Write and print how a step ended."""
        event, colour = ("failed", "red") if failures else ("done", "green")
        seconds = self._ended[step]
        after = f" ({_span(seconds)}{', ' if note else ''}{_one_line(note)})"
        broken = [f"  {_one_line(failure)}" for failure in failures]
        self._write(f"{event} {step.name}{after}", *broken)
        about = {"region": step.region, "notebook": step.notebook, "seconds": round(seconds, 3)}
        self._emit(event, **about, failures=list(failures), note=note)
        self._print(Text.assemble((event, colour), " "), step.name, after, always=bool(failures))
        for line in broken:
            self._print(line)

    def _close(self, kind: type[BaseException] | None) -> None:
        """Write and print how the run ended."""
        last, slow = self._last_line(kind), [] if kind else self._slowest()
        self._write(last, *("".join(line) for line in slow))
        self._emit("end", complete=kind is None, **self._totals())
        if kind is None or issubclass(kind, KeyboardInterrupt):
            self._print(last)
        for seconds, name in slow:
            self._print(seconds, name, always=False)

    def _write(self, *lines: str) -> None:
        """Write lines to the log, each after the seconds since the start."""
        if self._log and not self._over.is_set():
            elapsed = self._clock() - self._start
            self._log.writelines(f"{elapsed:8.1f}  {line}\n" for line in lines)

    def _emit(self, event: str, **facts: object) -> None:
        """Print an event as JSON, if that is the style."""
        if self._style == "json" and not self._over.is_set():
            elapsed = round(self._clock() - self._start, 3)
            line = json.dumps({"event": event, "elapsed": elapsed} | facts)
            self._console.out(line, highlight=False)

    def _print(
        self, before: str | Text, name: str = "", after: str = "", *, always: bool = True
    ) -> None:
        """Print a line for people, on a terminal with as much of the name as fits."""
        if self._style == "json" or (self._style == "quiet" and not always) or self._over.is_set():
            return
        line = self._fitted(Text.assemble(before), name, after)
        self._console.print(line, soft_wrap=True)

    def _fitted(self, before: Text, name: str, after: str) -> Text:
        """Return a line, its name cut where the terminal is too narrow."""
        middle = Text(name)
        if self._console.is_terminal:
            room = self._console.width - before.cell_len - cell_len(after)
            middle.truncate(max(room, 1), overflow="ellipsis")
        return Text.assemble(before, middle, after)

    def _show(self) -> None:
        """Start the live display."""
        # Nothing is redirected: a line from elsewhere would be printed without the lock.
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            get_renderable=self._display,
        )
        self._live.start(refresh=True)
        Thread(target=self._refresh, daemon=True).start()

    def _refresh(self) -> None:
        """Bring the live display up to date, again and again."""
        while not self._over.wait(REFRESH):
            with self._lock:
                if self._live:
                    self._live.refresh()

    def _hide(self) -> None:
        """Take the live display away."""
        if self._live:
            self._live.stop()
            self._live = None

    def _display(self) -> Group:
        """Return what is running, as far as the terminal is high enough, and the bar."""
        now, room = self._clock(), max(self._console.height - 2, 0)
        shown = list(self._running.items())[:room]
        lines = [
            self._fitted(Text(), step.name, f"  {_time(now - since)}") for step, since in shown
        ]
        return Group(*lines, self._bar())

    def _bar(self) -> Table:
        """Return the bar over all steps, with their number and the time left."""
        left = self.time_left()
        columns = [Column(no_wrap=True, max_width=width) for width in (None, BAR, None, None)]
        row = Table.grid(*columns, padding=(0, 1))
        row.add_row(
            "Reports",
            ProgressBar(len(self._steps), len(self._ended)),
            f"{len(self._ended)}/{len(self._steps)}",
            f"{_time(left)} left" if not math.isnan(left) else "",
        )
        return row

    def _last_line(self, kind: type[BaseException] | None) -> str:
        """Return how the run ended."""
        done, of = len(self._ended), _counted(len(self._steps), "report")
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            return f"Stopped; what was finished stays: {done} of {of}."
        if kind is not None:
            return f"Broken off ({kind.__name__}) after {done} of {of}."
        ran = f"{_counted(done, 'report')} in {_span(self._clock() - self._start)}"
        failed = f", {self._failed} failed" if self._failed else ""
        unrun = [f"{count} {_one_line(reason)}" for reason, count in self._skipped.items()]
        said = ran + failed if self._steps else "Nothing to run"
        return f"{said}; {', '.join(unrun)}" if unrun else said

    def _slowest(self) -> list[tuple[str, str]]:
        """Return lines that name the slowest notebooks and cells: seconds, and what took them."""
        notebooks = [(spent, step.name) for spent, step in self._slowest_steps()]
        cells = [(spent, f"{step.name}: {_one_line(text)}") for spent, text, step in self._cells]
        lines = []
        for kind, found in (("notebooks", notebooks), ("cells", cells)):
            lines += [("", f"Slowest {kind}:")] if found else []
            lines += [(f"{_span(spent):>12}  ", name) for spent, name in found]
        return lines

    def _slowest_steps(self) -> list[tuple[float, Step]]:
        """Return the steps that took longest, with their seconds."""
        return _largest([(spent, step) for step, spent in self._ended.items()])

    def _totals(self) -> dict[str, object]:
        """Return what the last line of JSON says."""
        return {
            "ended": len(self._ended),
            "failed": self._failed,
            "skipped": self._skipped,
            "slowest_notebooks": [
                {"region": step.region, "notebook": step.notebook, "seconds": round(spent, 3)}
                for spent, step in self._slowest_steps()
            ],
            "slowest_cells": [
                {"heading": text, "region": step.region, "notebook": step.notebook}
                | {"seconds": round(spent, 3)}
                for spent, text, step in self._cells
            ],
        }


def _largest(found: list[tuple]) -> list[tuple]:
    """Return the few that took the most seconds, which come first in each."""
    return heapq.nlargest(SLOWEST, found, key=lambda each: each[0])


def _one_line(text: str) -> str:
    """Return a text in one line, without what would control a terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _counted(count: int, what: str) -> str:
    """Return a number of things in words."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def _span(seconds: float) -> str:
    """Return how long something took, for a reader."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _time(seconds: float) -> str:
    """Return seconds as a clock shows them."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
