"""Notebooks x regions: execute each, export it, and rebuild the index from what is there."""

from __future__ import annotations

import ast
import contextvars
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import nbformat
import papermill
from distributed import Client, LocalCluster, as_completed
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode

from analysis import findings, fingerprints, history, index_page, report, synthesis
from analysis.data import last_day
from analysis.dataset import Dataset
from analysis.files import write_text
from analysis.hypotheses import hypothesis, nearest, register
from analysis.overview import Overview
from analysis.sources import ROOT, DataError

LANGUAGES = ("en", "zh")
NOTEBOOKS = ROOT / "notebooks"
ACROSS = "90_across_regions"
"""The notebook that is run once per source, over the findings of its regions."""
ACROSS_NEEDS = ("source", "language")
CLOCK = 2.0
"""Seconds by which clocks of file systems may be behind."""

_SECTION = re.compile(r"^#+ (H\d\d)\b", re.MULTILINE)
_HEADING = re.compile(r"^##? (.+)", re.MULTILINE)
_PATHS = re.compile(r"(?:/[\w.@+-]+)+/(?=[\w.-]+\.py|ipykernel)")


class UsageError(DataError):
    """A name or value on the command line that can't be right, as a message for the user."""


@dataclass(frozen=True)
class Task:
    """One notebook to be executed for one region.

    Attributes
    ----------
    notebook : Path
        The notebook, as it is in git.
    source : str
        Name of the source.
    region : str
        Name of the region; empty for a notebook over all regions.
    parameters : dict
        All parameters that are given to the notebook.
    reports : Path
        Where the executed notebook and its page go.
    prints : dict of str
        Fingerprints of what its findings come from; see `findings.PRINTS`.
    """

    notebook: Path
    source: str
    region: str
    parameters: Mapping[str, object]
    reports: Path
    prints: Mapping[str, str] = field(default_factory=dict)

    @property
    def executed(self) -> Path:
        """Where the executed notebook goes; its page stands beside it."""
        return self.reports / self.source / self.region / self.notebook.name

    @property
    def given(self) -> dict[str, object]:
        """What the notebook is given: its parameters and, if it is run per region, the region."""
        return dict(self.parameters) | ({"region": self.region} if self.region else {})


@dataclass(frozen=True)
class Outcome:
    """How a task ended.

    Attributes
    ----------
    task : Task
        What was done.
    failures : tuple of str
        What broke, as sentences; empty when nothing did.
    seconds : float
        How long it took.
    """

    task: Task
    failures: tuple[str, ...]
    seconds: float


def notebooks() -> dict[str, Path]:
    """Return the notebooks that are run per region, by name."""
    return {path.stem: path for path in sorted(NOTEBOOKS.glob("[0-8]*.ipynb"))}


def chosen(names: Sequence[str], known: Sequence[str], kind: str) -> list[str]:
    """Return the chosen names, or all that are known when none is chosen.

    Raises
    ------
    UsageError
        If a name is not known; the message has the nearest one.
    """
    for name in names:
        if name not in known:
            raise UsageError(f"No {kind} {name!r}.{nearest(name, known)}")
    return list(dict.fromkeys(names)) or list(known)


def parameters(notebook: Path, given: Sequence[str]) -> dict[str, object]:
    """Read "name=value" parameters for a notebook, in the type of its defaults.

    Raises
    ------
    UsageError
        If a name is not a parameter of the notebook, or a value is of another type.
    """
    known = papermill.inspect_notebook(str(notebook))
    found = {}
    for text in given:
        name, _, value = text.partition("=")
        if name not in known or name in ("region", "source"):
            free = [each for each in known if each not in ("region", "source")]
            raise UsageError(f"{notebook.stem} has no parameter {name!r}.{nearest(name, free)}")
        found[name] = _like(ast.literal_eval(known[name]["default"]), name, value)
        if name == "language" and value not in LANGUAGES:
            raise UsageError(f"Parameter language = {value!r}: expected one of en, zh.")
    return found


def _like(default: object, name: str, value: str) -> object:
    """Return a value in the type of the parameter's default."""
    try:
        return type(default)(value)
    except ValueError:
        kind = {"int": "a whole number", "float": "a number"}.get(type(default).__name__, "text")
        raise UsageError(f"Parameter {name} = {value!r}: expected {kind}.") from None


def tasks(
    dataset: Dataset,
    regions: Sequence[str],
    given: Mapping[Path, Mapping[str, object]],
    reports: Path,
) -> list[Task]:
    """Return what is to be done: every notebook for every region.

    Parameters
    ----------
    dataset : Dataset
        An open source.
    regions : sequence of str
        Names of its regions.
    given : mapping of Path to dict
        Parameters of each notebook.
    reports : Path
        Where reports go.

    Raises
    ------
    DataError
        If `as_of` is among the parameters and no day of the data.
    """
    as_of = str(next(iter(given.values()), {}).get("as_of", ""))
    data, until = fingerprints.regions(dataset, as_of), last_day(dataset, as_of)
    whole = {"data_until": str(until or ""), "module": fingerprints.module()}
    return [
        Task(path, dataset.source.name, region, parameters, reports, prints)
        for region in regions
        for path, parameters in given.items()
        for prints in [whole | {"data": data[region], "notebook": fingerprints.notebook(path)}]
    ]


def across(task: Task) -> Task:
    """Return the task that looks at all regions of a task's source together."""
    path = NOTEBOOKS / f"{ACROSS}.ipynb"
    shared = {name: task.parameters[name] for name in ACROSS_NEEDS if name in task.parameters}
    prints = {"module": fingerprints.module(), "notebook": fingerprints.notebook(path)}
    return Task(path, task.source, "", shared, task.reports, prints)


def execute(task: Task) -> Outcome:
    """Execute a notebook for a region, and write it and its page, each whole or not at all.

    An error in a hypothesis's section is that hypothesis's finding; an error elsewhere
    fails all hypotheses of the notebook that come after it.
    """
    started, before = time.monotonic(), time.time()
    task.executed.parent.mkdir(parents=True, exist_ok=True)
    draft = task.executed.with_name(f".{task.executed.name}")
    os.environ["WORKBOOK_REPORTS"] = str(task.reports.resolve())  # the kernel's, too
    try:
        notebook, stop = _run(task, draft)
    finally:
        draft.unlink(missing_ok=True)
    failures = _tidy(notebook, task, stop)
    page = report.page(notebook, home="../../index.html" if task.region else "../index.html")
    write_text(task.executed, nbformat.writes(notebook))
    write_text(task.executed.with_suffix(".html"), page)
    for file in _files(task.executed):
        if file.stat().st_mtime < before - CLOCK:  # of an earlier run: this one wrote none
            file.unlink()
    return Outcome(task, tuple(failures), time.monotonic() - started)


def run(tasks: Sequence[Task], jobs: int) -> Iterator[Outcome]:
    """Execute tasks side by side and yield each outcome as it comes.

    Parameters
    ----------
    tasks : sequence of Task
        What to do.
    jobs : int
        How many notebooks run at once; each has a kernel of its own.
    """
    for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(threads, "1")
    cluster = LocalCluster(
        n_workers=1, threads_per_worker=jobs, processes=False, dashboard_address="127.0.0.1:0"
    )
    with cluster, Client(cluster) as client:
        futures = {client.submit(execute, task, pure=False): task for task in tasks}
        for future in as_completed(futures):
            error = future.exception()
            yield _not_run(futures[future], error) if error else future.result()


def rebuild(reports: Path) -> list[index_page.Entry]:
    """Write findings, history and index anew from the executed notebooks in a folder."""
    paths = sorted(path for path in reports.glob("*/*/*.ipynb") if path.name[0] != ".")
    entries = [_entry(path, reports) for path in paths]
    found = findings.tidy([record for entry in entries for record in entry.records])
    findings.write(found, reports)
    pools = synthesis.pooled(found)
    past = history.append(reports, found, pools)
    over = [_entry(path, reports) for path in sorted(reports.glob(f"*/{ACROSS}.ipynb"))]
    pages = {each.source: (each.href, each.error) for each in over}
    beyond = Overview(pools, synthesis.by_region(found), past, pages)
    write_text(reports / "index.html", index_page.index(entries, beyond))
    return entries


def _not_run(task: Task, error: BaseException) -> Outcome:
    """Return the outcome of a task that could not even be written down."""
    return Outcome(task, (f"{type(error).__name__}: {_PATHS.sub('', str(error))}",), 0.0)


def _run(task: Task, draft: Path) -> tuple[NotebookNode, str]:
    """Run papermill; return what was executed and why it stopped early, if it did."""
    stop = ""
    options = {
        "parameters": task.given,
        "kernel_name": "python3",
        "progress_bar": False,
        "autosave_cell_every": 0,
        "extra_arguments": ["--IPKernelApp.log_level=CRITICAL"],
    }
    try:
        # A context of its own: the event loop of another thread would be found in this one.
        contextvars.Context().run(
            papermill.execute_notebook, str(task.notebook), str(draft), **options
        )
    except papermill.PapermillExecutionError:
        pass
    except DeadKernelError:
        stop = "The kernel died; most often there was not enough memory."
    return nbformat.read(draft, as_version=4), stop


def _tidy(notebook: NotebookNode, task: Task, stop: str) -> list[str]:
    """Leave in an executed notebook only what the next run would leave too.

    Returns
    -------
    list of str
        What broke.
    """
    errors = _errors(notebook, stop)
    kernel = ("kernelspec", "language_info")
    kept = {name: notebook.metadata[name] for name in kernel if notebook.metadata.get(name)}
    notebook.metadata = {
        **kept,
        "workbook": {
            "source": task.source,
            "region": task.region,
            "notebook": task.notebook.stem,
            "status": "failed" if "" in errors else "ok",
            "error": errors.get("", ""),
            "language": str(task.parameters.get("language", "en")),
            "parameters": task.given | {"source": task.source},
            "prints": dict(task.prints),
        },
    }
    for number, cell in enumerate(notebook.cells):
        tags = cell.metadata.get("tags", [])
        cell.metadata = {"tags": tags} if tags else {}
        cell.id = f"cell-{number}"
        if "injected-parameters" in tags:  # a path may name folders of this machine
            given = repr(str(task.parameters.get("source", "")))
            cell.source = cell.source.replace(given.replace("'", '"'), f'"{task.source}"')
    _add_failed(notebook, task, errors)
    return [f"{key}: {text}" if key else text for key, text in errors.items()]


def _errors(notebook: NotebookNode, stop: str) -> dict[str, str]:
    """Return the first error of each section, "" for one that ended the notebook.

    What comes after an error in the same section is its consequence, and is taken out.
    """
    section, errors = "", {"": stop} if stop else {}
    notebook.cells = [cell for cell in notebook.cells if not _is_banner(cell)]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            section = _section(cell, section)
            continue
        if section in errors:
            cell.outputs = []
        broken = [output for output in cell.outputs if output.output_type == "error"]
        if broken:
            cell.outputs = broken
            broken[0].traceback = [_PATHS.sub("", line) for line in broken[0].traceback]
            goes_on = "raises-exception" in cell.metadata.get("tags", ())
            errors[section if goes_on else ""] = _sentence(broken[0])
    return errors


def _section(cell: NotebookNode, before: str) -> str:
    """Return the section that a cell of text starts: a hypothesis's id, or its heading."""
    found = _SECTION.search(cell.source)
    if found:
        return found[1]
    heading = _HEADING.search(cell.source)
    return heading[1] if heading else before


def _sentence(error: NotebookNode) -> str:
    """Return what an error says, with its kind unless it is a message for the user."""
    if error.ename in ("DataError", "UsageError"):
        return error.evalue
    return f"{error.ename}: {_PATHS.sub('', error.evalue)}"


def _is_banner(cell: NotebookNode) -> bool:
    """Tell whether papermill put this cell in to report an error."""
    return "papermill-error-cell-tag" in cell.metadata.get("tags", ())


def _add_failed(notebook: NotebookNode, task: Task, errors: Mapping[str, str]) -> None:
    """Add a finding for each hypothesis of the notebook that has none."""
    there = {record["hypothesis"] for record in findings.records(notebook)}
    for key, entry in register().items():
        if entry.notebook == task.notebook.stem and key not in there:
            why = errors.get(key) or errors.get("") or "The notebook has no finding for it."
            language = str(task.parameters.get("language", "en"))
            failed = findings.no_finding(
                hypothesis(key), task.source, task.region, "failed", why, language=language
            )
            notebook.cells.append(_cell_with(failed, len(notebook.cells)))


def _cell_with(finding: findings.Finding, number: int) -> NotebookNode:
    """Return a cell that shows a finding, under the heading of its hypothesis."""
    bundle = finding._repr_mimebundle_()
    output = nbformat.v4.new_output("display_data", data=bundle)
    return nbformat.v4.new_code_cell(
        "", outputs=[output], metadata={"tags": ["failed-finding"]}, id=f"cell-{number}"
    )


def _entry(path: Path, reports: Path) -> index_page.Entry:
    """Return what the index needs to know of an executed notebook."""
    notebook = nbformat.read(path, as_version=4)
    about = notebook.metadata["workbook"]
    page = path.with_suffix(".html").relative_to(reports)
    return index_page.Entry(
        source=about["source"],
        region=about["region"],
        notebook=about["notebook"],
        href=quote(page.as_posix()),
        status=about["status"],
        error=about["error"],
        title=report.title(notebook),
        records=tuple(record | about.get("prints", {}) for record in findings.records(notebook)),
        files=tuple(quote(file.relative_to(reports).as_posix()) for file in _files(path)),
    )


def _files(executed: Path) -> list[Path]:
    """Return the files that a notebook wrote beside its page, for the region's team."""
    return sorted(executed.parent.glob(f"{executed.stem}_*.csv"))
