"""One run from its plan to the index: what is to be done, shown, logged, and put together."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console

from analysis.data import cache, files
from workbook.running import execute, plan, up_to_date
from workbook.running.execute import How, Outcome
from workbook.running.plan import Task
from workbook.running.progress import Progress, Step, Style

LOG = "run.log"
UNCHANGED = "unchanged: same notebook, parameters, data and code"


@dataclass(frozen=True)
class Where:
    """Where notebooks are executed.

    Attributes
    ----------
    jobs : int
        How many at once.
    scheduler : str
        Address of a Dask scheduler; empty for this machine.
    """

    jobs: int
    scheduler: str = ""


@dataclass
class _Told:
    """Tells the progress what starts and ends, and keeps count."""

    progress: Progress
    steps: Sequence[Step]
    failed: int = 0
    lost: list[Outcome] = field(default_factory=list)

    def started(self, number: int) -> None:
        """Tell that a task begins."""
        self.progress.started(self.steps[number])

    def ended(self, outcome: Outcome, step: Step) -> None:
        """Tell how a task ended."""
        note = "second try" if outcome.tries > 1 else ""
        self.progress.ended(step, outcome.failures, outcome.seconds, outcome.cells, note)
        self.failed += bool(outcome.failures)
        if not outcome.written:
            self.lost.append(outcome)


def perform(
    tasks: Sequence[Task],
    todo: Sequence[Task],
    style: Style,
    console: Console,
    where: Where,
    how: How,
) -> int:
    """Do what is to be done, then look at all regions together, and make the index.

    Parameters
    ----------
    tasks, todo : sequence of Task
        All tasks that were asked for; those of them that must be done.
    style : {"auto", "quiet", "json"}
        How the run is shown; see `Progress`.
    console : Console
        Where it is shown.
    where : Where
        Where notebooks are executed.
    how : How
        How they are executed.

    Returns
    -------
    int
        Number of reports that failed.
    """
    reports = tasks[0].reports
    steps = [step_of(task) for task in [*todo, *plan.across(tasks)]]
    skipped = {UNCHANGED: len(tasks) - len(todo)}
    with (
        _kept_data(where),
        Progress(steps, skipped, where.jobs, style, reports / LOG, console) as progress,
    ):
        told = _Told(progress, steps)
        try:
            _regions(todo, told, where, how)
            entries = execute.collect(reports)
            found = execute.write_findings(reports, entries)
            for task in plan.across(tasks):
                _across(task, told, how)
        except KeyboardInterrupt:
            execute.rebuild(reports, told.lost)
            raise
        execute.write_index(reports, entries, found, told.lost)
    return told.failed


def step_of(task: Task) -> Step:
    """Return a task as progress knows it, with what it took in an earlier run."""
    return Step(task.region, task.notebook.stem, up_to_date.record(task.executed).seconds)


@contextmanager
def _kept_data(where: Where) -> Iterator[None]:
    """Keep the data of regions for the notebooks of this run, on this machine."""
    if where.scheduler:  # whose workers may have other folders
        yield
        return
    with files.temporary() as folder:
        os.environ[cache.FOLDER] = folder
        try:
            yield
        finally:
            del os.environ[cache.FOLDER]


def _regions(todo: Sequence[Task], told: _Told, where: Where, how: How) -> None:
    """Do the tasks of the regions."""
    steps = {task.executed: step for task, step in zip(todo, told.steps, strict=False)}
    outcomes = execute.run(todo, where.jobs, how, where.scheduler, told.started) if todo else ()
    for outcome in outcomes:
        told.ended(outcome, steps[outcome.task.executed])


def _across(task: Task, told: _Told, how: How) -> None:
    """Do the task over all regions, on this machine: it reads what was just written."""
    told.started(len(told.steps) - 1)
    (outcome,) = execute.run([task], 1, how)
    told.ended(outcome, told.steps[-1])
