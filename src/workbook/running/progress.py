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
COLOURS = {
    "skipped": "none", "refused": "red", "failed": "red", "done": "green", "warning": "yellow",
    "end": "none",
}  # fmt: skip
"""Of the first word of an event's line; others are not printed for people."""
WHEN_QUIET = ("refused", "failed", "end")


@dataclass(frozen=True)
class Step:
    """One notebook of one region; of no region if it is one over all regions."""

    region: str
    notebook: str
    expected: float | None = None  # seconds that it took in an earlier run

    @property
    def name(self) -> str:
        """What a reader sees, in one line."""
        return _one_line(f"{self.region} · {self.notebook}" if self.region else self.notebook)

    def about(self, seconds: float) -> dict[str, object]:
        """Return the step as JSON has it, with what it took."""
        return {"region": self.region, "notebook": self.notebook, "seconds": round(seconds, 3)}


class Progress:
    """Shows a run and logs it: a context manager that is told, from any thread, what goes on.

    It runs each of `steps` once, so many `jobs` at once; `skipped` counts by reason what is not
    run, and `refused` says why notebooks that were asked for can't be. The style "auto" prints a
    line for each notebook that ended, and shows on a terminal what is running, with a bar and the
    time left; "quiet" prints failures and the last line. The log is written line by line and takes
    the place of the one before it, which stays if there are no steps. Each line of the style
    "json" is an object with the keys `event` and `elapsed`, the seconds since the start, and

    =============  ==================================================================
    skipped        reason, notebooks (how many); once per reason
    refused        reason; once per reason
    started        region, notebook, expected (seconds, or null)
    done, failed   region, notebook, seconds, failures (list of text), note
    warning        region, notebook, text; once per text
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
        refused: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._steps, self._jobs, self._style = tuple(steps), jobs, style
        self._skipped = {_one_line(reason): count for reason, count in skipped.items() if count}
        self._console, self._path, self._clock = console, log, clock
        self._refused, self.failed = tuple(refused), 0
        self.failures, self._warned = [], set()
        self._log: TextIO | None = None
        self._display: Display | None = None
        self._lock, self._is_over, self._start = Lock(), False, clock()
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
            facts = {"reason": reason, "notebooks": count}
            self._tell("skipped", [f"skipped {count}: {reason}"], facts)
        for reason in self._refused:
            self._tell("refused", [f"refused {_one_line(reason)}"], {"reason": reason})
        if self._style == "auto" and self._console.is_interactive and self._steps:
            self._display = Display(self._console, len(self._steps), self.time_left)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._display:
            self._display.stop()
            self._display = None
        with self._lock:  # what is told from now on is not written anywhere
            self._is_over = True
            steps, cells = (
                heapq.nlargest(SLOWEST, found, key=lambda each: each[0])
                for found in ([(spent, each) for each, spent in self._ended.items()], self._cells)
            )
            facts = {
                "complete": kind is None,
                "ended": len(self._ended),
                "failed": self.failed,
                "skipped": self._skipped,
                "slowest_notebooks": [step.about(spent) for spent, step in steps],
                "slowest_cells": [
                    {"heading": text} | step.about(spent) for spent, step, text in cells
                ],
            }
            is_broken = kind is not None and not issubclass(kind, KeyboardInterrupt)
            self._tell("end", [self._last_line(kind)], facts, is_for_people=not is_broken)
            slowest = [] if kind else [*_slowest("notebooks", steps), *_slowest("cells", cells)]
            self._write(*slowest)
            if slowest and self._style == "auto":
                self._print(Text("\n".join(slowest)))
        if self._log:
            self._log.close()

    def started(self, step: Step) -> None:
        """Tell that a step has started; if it runs already, that it starts again."""
        with self._lock:
            if self._is_over:
                return
            self._running[step] = self._clock()
            facts = {"region": step.region, "notebook": step.notebook, "expected": step.expected}
            self._tell("started", [f"started {step.name}"], facts)
        if self._display:
            self._display.started(step, step.name)

    def ended(
        self,
        step: Step,
        failure: str,
        seconds: float,
        cells: Sequence[tuple[str, float]] = (),
        note: str = "",
        story: Sequence[str] = (),
    ) -> None:
        """Tell that a step has ended, whether or not it had started.

        `failure` says what broke, as a sentence; `cells` are headings and seconds, and `note` is
        what else there is to say, such as "second try". `story` is for the log alone.
        """
        event = "failed" if failure else "done"
        lines = [f"{event} {step.name} ({_span(seconds)}{', ' if note else ''}{_one_line(note)})"]
        lines += [f"  {_one_line(failure)}"] if failure else []
        with self._lock:
            if self._is_over:
                return
            self._running.pop(step, None)
            self._ended[step] = seconds
            self.failed += bool(failure)
            self.failures += [f"{step.name}: {_one_line(failure)}"] if failure else []
            self._cells += [(spent, step, heading) for heading, spent in cells]
            failures = [failure] if failure else []
            facts = step.about(seconds) | {"failures": failures, "note": note}
            self._tell(event, lines, facts)
            self._write(*(f"    {line}" for line in story))
        if self._display:
            self._display.ended(step, len(self._ended))

    def warned(self, step: Step, texts: Sequence[str]) -> None:
        """Tell of what was warned of in a step, each text once in a run."""
        with self._lock:
            for text in dict.fromkeys(map(_one_line, texts)):
                if text not in self._warned and not self._is_over:
                    self._warned.add(text)
                    facts = {"region": step.region, "notebook": step.notebook, "text": text}
                    self._tell("warning", [f"warning {step.name}: {text}"], facts)

    def time_left(self) -> float:
        """Return the seconds that the run will still take; missing while nothing is known.

        A step takes as long as in an earlier run, and one that never ran as long as the
        mean of the others: those that ended in this run, and those with an expected time.
        The steps left are shared among the jobs; but the longest of them is run by one.

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

    def _tell(
        self, event: str, lines: Sequence[str], facts: Mapping, *, is_for_people: bool = True
    ) -> None:
        """Log an event, and print it in the style of the run."""
        self._write(*lines)
        if self._style == "json":
            elapsed = round(self._clock() - self._start, 3)
            told = json.dumps({"event": event, "elapsed": elapsed} | dict(facts))
            self._console.out(told, highlight=False)
        elif is_for_people and event in (COLOURS if self._style == "auto" else WHEN_QUIET):
            shown = Text("\n".join(lines))
            shown.stylize(COLOURS[event], 0, len(event))
            self._print(shown)

    def _write(self, *lines: str) -> None:
        """Write lines to the log, each after the seconds since the start."""
        if self._log:
            elapsed = self._clock() - self._start
            self._log.writelines(f"{elapsed:8.1f}  {line}\n" for line in lines)

    def _print(self, shown: Text) -> None:
        """Print lines above the display, where there is one."""
        if self._display:
            self._display.print(shown)
        else:
            self._console.print(shown, soft_wrap=True)

    def _last_line(self, kind: type[BaseException] | None) -> str:
        """Return how the run ended."""
        done, of = len(self._ended), counted(len(self._steps), "report")
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            return f"Stopped; what was finished stays: {done} of {of}."
        if kind is not None:
            return f"Broken off ({kind.__name__}) after {done} of {of}."
        ran = f"{counted(done, 'report')} in {_span(self._clock() - self._start)}"
        failed = f", {self.failed} failed" if self.failed else ""
        said = ran + failed if self._steps else "Nothing to run"
        unrun = ", ".join(f"{count} {reason}" for reason, count in self._skipped.items())
        return f"{said}; {unrun}" if unrun else said


def _slowest(kind: str, found: Sequence[tuple]) -> list[str]:
    """Return lines that name the slowest notebooks or cells: seconds, step and maybe a heading."""
    lines = [f"Slowest {kind}:"] if found else []
    for spent, step, *heading in found:
        name = ": ".join([step.name, *map(_one_line, heading)])
        lines.append(f"{_span(spent):>12}  {name}")
    return lines


def _one_line(text: str) -> str:
    """Return a text in one line, without what would control a terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _span(seconds: float) -> str:
    """Return how long something took, for a reader."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
