"""One run from its plan to the index: what is to be done, shown, logged, and put together."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console

from analysis.data import cache, files
from workbook.pages import collect
from workbook.running import execute, up_to_date
from workbook.running.execute import How, Outcome
from workbook.running.plan import Plan, Task
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
    """Tells the progress what ends, and keeps count."""

    progress: Progress
    failed: int = 0
    lost: list[str] = field(default_factory=list)

    def ended(self, outcome: Outcome, step: Step) -> None:
        """Tell how a task ended."""
        note = "second try" if outcome.tries > 1 else ""
        self.progress.ended(step, outcome.failure, outcome.seconds, outcome.cells, note)
        self.failed += bool(outcome.failure)
        if not outcome.written:
            self.lost.append(f"{step.name}: {outcome.failure}")


def perform(
    plan: Plan, todo: Sequence[Task], style: Style, console: Console, where: Where, how: How
) -> int:
    """Do what is to be done, then look at all regions together, and make the index.

    Parameters
    ----------
    plan : Plan
        What was asked for.
    todo : sequence of Task
        Those of its tasks in the regions that must be done.
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
    reports = plan.reports
    steps = [step_of(task) for task in [*todo, *plan.across()]]
    skipped = {UNCHANGED: len(plan.regional()) - len(todo)}
    with (
        _kept_data(where),
        Progress(steps, skipped, where.jobs, style, reports / LOG, console) as progress,
    ):
        told = _Told(progress)
        try:
            _execute(todo, told, where, how)
            entries = collect.collect(reports)
            found = collect.write_findings(reports, entries)
            # On this machine: they read what was just written.
            _execute(plan.across(), told, Where(where.jobs), how)
        except KeyboardInterrupt:
            collect.rebuild(reports, told.lost)
            raise
        collect.write_index(reports, entries, found, told.lost)
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


def _execute(tasks: Sequence[Task], told: _Told, where: Where, how: How) -> None:
    """Execute tasks side by side, and tell of each."""
    if not tasks:
        return
    steps = [step_of(task) for task in tasks]
    outcomes = execute.run(
        tasks, where.jobs, how, where.scheduler, lambda number: told.progress.started(steps[number])
    )
    by_task = dict(zip((task.executed for task in tasks), steps, strict=True))
    for outcome in outcomes:
        told.ended(outcome, by_task[outcome.task.executed])
