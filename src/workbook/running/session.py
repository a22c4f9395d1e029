"""One run from its plan to the index: what is to be done, shown, logged, and put together."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from rich.console import Console

from workbook.running import execute, up_to_date
from workbook.running.execute import How
from workbook.running.plan import Plan, Task
from workbook.running.progress import Progress, Step, Style
from workbook.unforeseen import LOG

UNCHANGED = "unchanged: same notebook, parameters, data and code"


def perform(
    plan: Plan,
    todo: Sequence[Task],
    style: Style,
    console: Console,
    jobs: int,
    scheduler: str,
    how: How,
) -> list[str]:
    """Do what is to be done, then look at all regions together, and make the index.

    Of the plan's tasks in the regions those of `todo` must be done, so many at once. The other
    arguments are as in `Progress` and `execute.run`.

    Returns
    -------
    list of str
        Reports that failed or were refused, each with the reason.
    """
    reports, lost = plan.reports, list(plan.refused)
    steps = [step_of(task) for task in [*todo, *plan.across()]]
    skipped, log = {UNCHANGED: len(plan.regional()) - len(todo)}, reports / LOG
    with Progress(steps, skipped, jobs, style, log, console, refused=plan.refused) as progress:
        try:
            _execute(todo, progress, lost, jobs, how, scheduler)
            from workbook.pages import collect

            entries = collect.collect(reports)
            found = collect.write_findings(reports, entries)
            # On this machine: they read what was just written.
            _execute(plan.across(), progress, lost, jobs, how, "")
        except KeyboardInterrupt:
            from workbook.pages import collect

            collect.rebuild(reports, lost)
            raise
        collect.write_index(reports, entries, found, lost)
    if style == "auto":
        _advise(plan, console)
    return [*progress.failures, *plan.refused]


def _advise(plan: Plan, console: Console) -> None:
    """Say once how to get a font that the pictures of a run lacked."""
    from analysis.figures import fonts

    tasks = plan.regional()
    spoken = {str(task.parameters.get("language", "en")) for task in tasks}
    if said := fonts.advice({task.region for task in tasks}, max(spoken, default="en")):
        console.print(said, soft_wrap=True)


def step_of(task: Task) -> Step:
    """Return a task as progress knows it, with what it took in an earlier run."""
    return Step(task.region, task.notebook.stem, up_to_date.record(task.executed).seconds)


def _execute(
    tasks: Sequence[Task],
    progress: Progress,
    lost: list[str],
    jobs: int,
    how: How,
    scheduler: str,
) -> None:
    """Execute tasks side by side, tell of each, and add those that could not be written."""
    if not tasks:
        return
    steps = {task.executed: step_of(task) for task in tasks}
    numbered = list(steps.values())

    def start(number: int) -> None:
        progress.started(numbered[number])
        import_module("workbook.pages.collect")  # it draws figures: imported beside the kernels

    for outcome in execute.run(tasks, jobs, how, scheduler, start):
        step, note = steps[outcome.task.executed], "second try" if outcome.tries > 1 else ""
        progress.warned(step, outcome.warnings)
        about = (outcome.failure, outcome.seconds, outcome.cells, note, outcome.story)
        progress.ended(step, *about)
        if not outcome.written:
            lost.append(f"{step.name}: {outcome.failure}")
