"""Execute notebooks in parallel, and write each with its page."""

from __future__ import annotations

import contextvars
import errno
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import dask
import nbformat
import papermill
from distributed import CancelledError, Client, LocalCluster, Status, as_completed, get_worker
from nbformat import NotebookNode
from papermill.engines import NBClientEngine, papermill_engines
from papermill.iorw import write_ipynb

from analysis.data.files import make_room, scratch, whole
from analysis.data.sources import DataError
from analysis.data.validation.shown import without_values
from workbook import notebooks
from workbook.running import executed, fork_server, kernels, up_to_date
from workbook.running.plan import Task

CLOCK = 2.0
"""Seconds by which clocks of file systems may be behind."""
TRIES = 2  # of a notebook whose kernel dies or hangs
STARTED = "notebook-started"
"""Topic under which workers say what they begin."""

DIED = "The kernel died; most often there was not enough memory."
HUNG = "It was stopped after {minutes:g} min; --timeout gives it more."
GONE = "The scheduler went away before this was done."

_stopping = threading.Event()


class StoppedError(Exception):
    """The run was stopped while this notebook was executed; nothing of it is kept."""


class _Once(NBClientEngine):
    """papermill's engine, which writes the notebook once, also when the kernel dies."""

    @classmethod
    def execute_notebook(
        cls, nb: NotebookNode, kernel_name: str, output_path: str = "", **options: object
    ) -> NotebookNode:
        """Execute a notebook, and write it at the end whatever happened."""
        try:
            return super().execute_notebook(nb, kernel_name, **options)
        finally:
            write_ipynb(nb, output_path)


papermill_engines.register("once", _Once)


@dataclass(frozen=True)
class How:
    """How notebooks are executed."""

    cold: bool = False  # a new Python for each, not a fork of one that has everything imported
    timeout: float = 30 * 60.0  # seconds after which a notebook hangs


@dataclass(frozen=True)
class Outcome:
    """How a task ended."""

    task: Task
    failure: str  # what broke, as a sentence; empty when nothing did
    seconds: float
    cells: tuple[tuple[str, float], ...] = ()  # the slowest: the heading above, and seconds
    tries: int = 1
    written: bool = True  # its report; else the one before it is still there
    story: tuple[str, ...] = ()  # where an error came from that nobody foresaw; for the log
    warnings: tuple[str, ...] = ()  # what code in it warned of


def execute(task: Task, how: How = How()) -> Outcome:
    """Execute a notebook for a region, and write it and its page, each whole or not at all.

    A notebook that breaks, and has not concluded on its claim by then, fails the claim. A kernel
    that dies or hangs is tried once more. `StoppedError` if the run was stopped meanwhile.
    """
    started, before = time.monotonic(), time.time()
    if up_to_date.is_linked(task.reports, task.executed.parent):
        raise OSError(errno.ELOOP, "A link in the place of a folder", task.executed.parent)
    task.executed.parent.mkdir(parents=True, exist_ok=True)
    if task.region:  # beside a page of a source stand folders of regions, whatever they are called
        make_room(task.executed)
        make_room(task.executed.with_suffix(".html"))
    up_to_date.begin(task)
    os.environ["WORKBOOK_REPORTS"] = str(task.reports.resolve())  # the kernel's, too
    (notebook, stop), tries = _run(task, how), 1
    while stop and tries < TRIES:
        (notebook, stop), tries = _run(task, how), tries + 1
    cells = executed.slowest(notebook)
    secrets = executed.secrets_of(task)
    story = tuple(executed.story(notebook, secrets))
    failure = executed.tidy(notebook, task, stop, secrets)
    _write(notebook, task, before)
    seconds = time.monotonic() - started
    up_to_date.finish(task, seconds, bool(failure))
    warned = executed.warnings_of(notebook)
    return Outcome(task, failure, seconds, cells, tries, story=story, warnings=warned)


def run(
    tasks: Sequence[Task],
    jobs: int,
    how: How = How(),
    scheduler: str = "",
    on_start: Callable[[int], None] = lambda number: None,
) -> Iterator[Outcome]:
    """Execute tasks, so many at once, and yield each outcome as it comes.

    `scheduler` is the address of a Dask scheduler whose workers see the same files, empty for this
    machine: none there is a `DataError`. `on_start` is called, from another thread, with the number
    of a task that begins.
    """
    _stopping.clear()
    if not (scheduler or how.cold):
        fork_server.warm(notebooks.FOLDER)
    with _client(jobs, scheduler) as client:
        client.subscribe_topic(STARTED, lambda event: on_start(event[1]))
        futures = {
            client.submit(_perform, number, task, how, pure=False): task
            for number, task in enumerate(tasks)
        }
        try:
            for future in as_completed(list(futures)):
                task = futures.pop(future)
                try:
                    yield future.result()
                except CancelledError:
                    yield Outcome(task, GONE, 0.0, written=False)
                except Exception as error:
                    yield _not_run(task, error)
                future.release()
        except BaseException:  # stopped: by Ctrl-C, or by who asked for the outcomes
            _stopping.set()
            client.cancel(list(futures))
            kernels.end_all()
            raise


@contextmanager
def _client(jobs: int, scheduler: str) -> Iterator[Client]:
    """Connect to a cluster: one in this process, or that of a scheduler elsewhere."""
    if not scheduler:
        here = {"n_workers": 1, "threads_per_worker": jobs, "processes": False}
        quiet = {"dashboard_address": "127.0.0.1:0", "silence_logs": logging.CRITICAL}
        quiet["worker_dashboard_address"] = "127.0.0.1:0"  # else it listens to everybody
        own = {"distributed.worker.profile.enabled": False}  # it only grows
        own["temporary-directory"] = str(scratch())
        with dask.config.set(own), ExitStack() as stack:
            with fork_server.uninterrupted():  # half started they would go on
                cluster = stack.enter_context(LocalCluster(**here, **quiet))
                client = stack.enter_context(Client(cluster))
            yield client
        return
    try:
        client = Client(scheduler, timeout=15)
    except (OSError, ValueError) as error:
        why = type(error).__name__
        raise DataError(f"No scheduler answers at {scheduler} ({why}).") from None
    with client:
        yield client


def _perform(number: int, task: Task, how: How) -> Outcome:
    """Execute a task on a worker, and say that it begins."""
    if _stopping.is_set():
        raise StoppedError
    if not how.cold:
        fork_server.warm(notebooks.FOLDER)
    get_worker().log_event(STARTED, number)
    try:
        return execute(task, how)
    except OSError as error:  # a full disk is not the worker's failure, which would print it
        return _not_run(task, error)


def _wanted() -> Callable[[], bool]:
    """Return what tells whether the run that gave this thread its task still waits for it."""
    try:
        worker, key = get_worker(), get_worker().get_current_task()
    except ValueError:  # not on a worker
        return lambda: True
    own = worker.state.tasks[key]
    return lambda: worker.status == Status.running and own.state == "executing"


def _not_run(task: Task, error: Exception) -> Outcome:
    """Return the outcome of a task that could not even be written down."""
    name = error.filename if isinstance(error, OSError) and error.filename else ""
    said = f"{error.strerror}: {Path(name).name}" if name else without_values(str(error))
    return Outcome(task, f"{type(error).__name__}: {said}", 0.0, written=False)


def _run(task: Task, how: How) -> tuple[NotebookNode, str]:
    """Run a notebook; return what was executed and why it stopped early, if it did."""
    draft = task.executed.with_name(f".{task.executed.stem}.part.ipynb")
    try:
        stop = _run_papermill(task, draft, how)
        return nbformat.read(draft, as_version=4), stop
    finally:
        draft.unlink(missing_ok=True)


def _run_papermill(task: Task, draft: Path, how: How) -> str:
    """Run papermill, which writes to a draft; return why it stopped early, if it did."""
    options = {
        "parameters": task.given,
        "kernel_name": "python3",
        "language": "python",  # which a notebook need not say
        "progress_bar": False,
        "engine_name": "once",
        "extra_arguments": ["--IPKernelApp.log_level=CRITICAL"],
    }
    try:
        with kernels.Limit(how.timeout, _wanted()) as limit:
            if _stopping.is_set():  # before `end_all` could know of this limit
                raise StoppedError
            options |= kernels.options(limit=limit, cold=how.cold)
            # A context of its own: the event loop of another thread would be found in this one.
            contextvars.Context().run(
                papermill.execute_notebook, str(task.notebook), str(draft), **options
            )
    except papermill.PapermillExecutionError:
        pass
    except RuntimeError:  # it died; `DeadKernelError` is one, and so is a death in starting
        return HUNG.format(minutes=how.timeout / 60) if limit.is_over else DIED
    finally:
        if _stopping.is_set() or limit.is_abandoned:
            raise StoppedError
    return ""


def _write(notebook: NotebookNode, task: Task, before: float) -> None:
    """Write an executed notebook and its page, and take away lists of an earlier run."""
    from workbook.pages import report  # the session has imported it beside the kernels

    page = report.page(notebook, home="../../index.html" if task.region else "../index.html")
    with whole(task.executed) as first, whole(task.executed.with_suffix(".html")) as second:
        first.write_text(nbformat.writes(notebook), encoding="utf-8", newline="\n")
        second.write_text(page, encoding="utf-8", newline="\n")
    for file in up_to_date.files_of(task.executed):
        if file.stat().st_mtime < before - CLOCK:  # of an earlier run: this one wrote none
            file.unlink()
