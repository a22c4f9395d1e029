"""Time what a run costs beside its notebooks, for many regions and all notebooks.

    python benchmarks/overhead.py [regions] [times]

First, `workbook run` where nothing has changed. The reports are not computed: they are put there
and marked as done, as a run would mark them. Then the cluster in the driver's process, with tasks
that do nothing: the seconds to start and end it, and those that each further task takes.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from runs import BIN, WORKERS, small_regions, timed

from analysis.data import dataset, sources
from analysis.data.region import last_day
from workbook import notebooks
from workbook.running import contents, execute, fingerprints, plan, up_to_date


def main(regions: int = 100, times: int = 5) -> None:
    """Print medians of both."""
    nothing_changed(regions, times)
    cluster(regions * len(notebooks.discover()), times)


def nothing_changed(regions: int, times: int) -> None:
    """Print how long it takes to find that nothing is to be done."""
    with tempfile.TemporaryDirectory() as place:
        source, reports = small_regions(Path(place), regions), Path(place) / "reports"
        count = done(source, reports)
        command = [BIN / "workbook", "run", "--source", source, "--reports", reports]
        subprocess.run(command, check=True)  # says that nothing was to be done
        quiet = [*command, "--quiet"]
        seconds = [timed(lambda: subprocess.run(quiet, check=True)) for _ in range(times)]
    each = ", ".join(f"{second:.2f}" for second in seconds)
    print(f"{count} unchanged reports: {statistics.median(seconds):.2f} s (median of {each})")


def cluster(tasks: int, times: int) -> None:
    """Print how long it takes to hand out tasks that do nothing."""
    execute.execute = lambda task, how: execute.Outcome(task, "", 0.0)
    task = plan.Task(Path("nothing.ipynb"), "", "", {}, Path())
    how, alone, more = execute.How(cold=True), [], []
    for _ in range(times):
        alone.append(timed(lambda: list(execute.run([task], WORKERS, how))))
        more.append(
            timed(lambda: list(execute.run([task] * (1 + tasks), WORKERS, how))) - alone[-1]
        )
    start, each = statistics.median(alone), statistics.median(more) / tasks
    print(f"cluster with one task: {start:.2f} s; each of {tasks} more: {1000 * each:.1f} ms")


def done(source: str, reports: Path) -> int:
    """Mark all reports of a source as done; return how many they are."""
    reports.mkdir()
    known = sources.read(source)
    opened = dataset.open_source(known)
    prints, until = contents.regions(opened), str(last_day(opened))
    seen = plan.Data(prints, until, "", fingerprints.content(known))
    up_to_date.note_data(reports, known.name, vars(seen))
    named = {"source": Path(os.path.relpath(source, sources.ROOT)).as_posix()}
    given = dict.fromkeys(notebooks.discover().values(), named)
    asked = plan.Plan(known.name, seen, list(prints), given, reports)
    tasks = asked.regional()
    for task in tasks:
        mark(task)
    over = asked.across()
    for task in over:
        mark(task)
    for name in up_to_date.INDEX:
        (reports / name).write_text("there", encoding="utf-8")
    up_to_date.indexed(reports)
    return len(tasks) + len(over)


def mark(task: plan.Task) -> None:
    """Put a report there and mark it as done."""
    task.executed.parent.mkdir(parents=True, exist_ok=True)
    for ending in (".ipynb", ".html"):
        task.executed.with_suffix(ending).write_text("there", encoding="utf-8")
    up_to_date.finish(task, 1, failed=False)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
