"""Normalise executed notebooks: strip what varies, hide secrets, say why one broke."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import quote, quote_plus

import nbformat
from nbformat import NotebookNode

from analysis.claims import findings
from analysis.claims.finding import MIME_TYPE, no_finding
from analysis.claims.hypotheses import hypothesis
from analysis.data import sources
from analysis.data.sources import DataError
from analysis.data.validation.shown import without_values
from analysis.language import translate
from analysis.statistics.estimate import NotEstimable
from workbook import unforeseen
from workbook.running.plan import Task

MESSAGES = ("DataError", "UsageError")
"""Errors whose message is for the user, as it is."""
HIDDEN = "***"
"""Stands where a secret stood."""

_SHOWN = ("text", "data", "ename", "evalue", "traceback")
"""Keys of an output under which it shows something."""
_HEADING = re.compile(r"^##? (.+)", re.MULTILINE)
_WARNING = re.compile(r"^\S*: \w*Warning: (.+)$", re.MULTILINE)
_PATHS = re.compile(r"(?:/[\w.@+-]+)+/(?=[\w.-]+\.py|ipykernel)")


def tidy(notebook: NotebookNode, task: Task, stop: str, secrets: Sequence[str] = ()) -> str:
    """Leave in an executed notebook only what the next run would leave too, and no secret.

    `stop` says why the execution ended before its end, if it did. Returned is what broke, as a
    sentence; nothing if nothing did.
    """
    language = str(task.parameters.get("language", "en"))
    for cell in notebook.cells:
        cell["outputs"] = [_without(each, secrets) for each in cell.get("outputs", [])]
        if cell.cell_type != "code":
            cell.source = translate(cell.source, "", language, {})
            del cell["outputs"]
    failure = _end(notebook, task) or stop
    if failure:
        # What the cell that broke and those after it found is not known.
        _take_records(notebook.cells[first_broken(notebook.cells) :])
    failure = _foreign_findings(notebook, task) or _several_findings(notebook, task) or failure
    if task.claim and not list(findings.records(notebook)):
        failure = failure or f"The notebook ended without a finding on {task.claim}."
        tags, shown = {"tags": ["failed-finding"]}, [_finding(task, "failed", failure)]
        notebook.cells.append(nbformat.v4.new_code_cell("", outputs=shown, metadata=tags))
    kernel = ("kernelspec", "language_info")
    kept = {name: notebook.metadata[name] for name in kernel if notebook.metadata.get(name)}
    notebook.metadata = {
        **kept,
        "workbook": {
            "source": task.source,
            "region": task.region,
            "notebook": task.notebook.stem,
            "theme": task.theme,
            "claim": task.claim,
            "status": "failed" if failure else "ok",
            "error": failure,
            "language": language,
            "parameters": task.given | {"source": task.source},
            "provenance": dict(task.provenance),
        },
    }
    for number, cell in enumerate(notebook.cells):
        tags = cell.metadata.get("tags", [])
        cell.metadata = {"tags": tags} if tags else {}
        cell.id = f"cell-{number}"
        if "injected-parameters" in tags:  # a path may name folders of this machine
            given = repr(str(task.parameters.get("source", "")))
            cell.source = cell.source.replace(given.replace("'", '"'), f'"{task.source}"')
    return failure


def story(notebook: NotebookNode, secrets: Sequence[str] = ()) -> list[str]:
    """Return where an error came from that nobody foresaw, line by line; nothing else is told."""
    errors = (
        output
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if output.output_type == "error"
    )
    foreseen = (*MESSAGES, NotEstimable.__name__, "SystemExit")
    found = next((each for each in errors if each.ename not in foreseen), None)
    return unforeseen.story(_hidden(list(found.traceback), secrets)) if found else []


def _named(error: NotebookNode) -> str:
    """Return an error with its kind."""
    return f"{error.ename}: {error.evalue}".rstrip(": ")


def slowest(notebook: NotebookNode) -> tuple[tuple[str, float], ...]:
    """Return the three slowest cells: the heading they stand under, and their seconds."""
    found, heading = [], ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            match = _HEADING.search(cell.source)
            heading = match[1] if match else heading
        seconds = cell.metadata.get("papermill", {}).get("duration")
        if seconds is not None:
            found.append((heading, round(float(seconds), 2)))
    return tuple(sorted(found, key=lambda each: -each[1])[:3])


def warnings_of(notebook: NotebookNode) -> tuple[str, ...]:
    """Return what code in a notebook warned of, each once."""
    texts = [
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if output.output_type == "stream" and output.name == "stderr"
    ]
    found = _WARNING.findall("\n".join(texts))
    return tuple(dict.fromkeys(without_values(each, "Warning") for each in found))


def without_paths(text: str) -> str:
    """Return a text without folders of this machine."""
    return _PATHS.sub("", text)


def secrets_of(task: Task) -> list[str]:
    """Return what no report may show: what a source takes from the environment."""
    try:
        return sources.secrets(str(task.parameters["source"]))
    except (DataError, KeyError):
        return []


def first_broken(cells: Sequence[NotebookNode]) -> int:
    """Return the place of the first code cell that broke or was never run; else their number."""
    for place, cell in enumerate(cells):
        if cell.cell_type == "code":
            failed = any(output.output_type == "error" for output in cell.outputs)
            if failed or (cell.source.strip() and cell.execution_count is None):
                return place
    return len(cells)


def _without(output: NotebookNode, secrets: Sequence[str]) -> NotebookNode:
    """Return an output with every secret in what it shows hidden, and its own words kept."""
    shown = {key: _hidden(output[key], secrets) for key in _SHOWN if key in output}
    return NotebookNode(output | shown)


def _hidden(value: object, secrets: Sequence[str]) -> object:
    """Return a value with every secret in its texts hidden, however it is spelt.

    That is: as it is, in an address, in HTML and in quotes.
    """
    if isinstance(value, str):
        for secret in secrets:
            quoted = [repr(secret)[1:-1], json.dumps(secret)[1:-1]]
            in_html = [html.escape(secret), html.escape(secret, quote=False)]
            for spelt in [secret, quote(secret, safe=""), quote_plus(secret), *in_html, *quoted]:
                value = value.replace(spelt, HIDDEN)
        return value
    if isinstance(value, dict):
        return type(value)({name: _hidden(each, secrets) for name, each in value.items()})
    return [_hidden(each, secrets) for each in value] if isinstance(value, list) else value


def _end(notebook: NotebookNode, task: Task) -> str:
    """Return the error that a notebook ended with, if it did, as a sentence.

    `SystemExit` without a message is a regular end, as it is for papermill: nothing follows it.
    So is `NotEstimable`, which says why the data do not allow an estimate.
    """
    banner = "papermill-error-cell-tag"  # of a cell that papermill put in to report an error
    notebook.cells = [
        cell for cell in notebook.cells if banner not in cell.metadata.get("tags", ())
    ]
    for number, cell in enumerate(notebook.cells):
        errors = [each for each in cell.get("outputs", ()) if each.output_type == "error"]
        if not errors:
            continue
        error, others = errors[0], [each for each in cell.outputs if each not in errors]
        if error.ename == NotEstimable.__name__:
            others.append(_finding(task, "not testable", error.evalue))
        elif error.ename != "SystemExit" or error.evalue not in ("", "0"):
            if error.ename not in MESSAGES:
                error.evalue = without_values(without_paths(error.evalue), error.ename)
            failure = error.evalue if error.ename in MESSAGES else _named(error)
            error.traceback = [failure]
            cell.outputs = [*others, error]
            return failure
        cell.outputs, notebook.cells = others, notebook.cells[: number + 1]
        return ""
    return ""


def _take_records(
    cells: Sequence[NotebookNode], is_wrong: Callable[[Mapping], bool] = lambda record: True
) -> list[Mapping]:
    """Take findings out of cells, all or the wrong ones, and return their records."""
    taken = []
    for cell in cells:
        for output in list(cell.get("outputs", ())):
            record = output.get("data", {}).get(MIME_TYPE)
            if record is not None and is_wrong(record):
                taken.append(record)
                cell.outputs.remove(output)
    return taken


def _foreign_findings(notebook: NotebookNode, task: Task) -> str:
    """Take out findings on other claims or on other data than the task's; name them."""
    name = task.notebook.stem
    others = _take_records(notebook.cells, lambda record: record["hypothesis"] != task.claim)
    if others:
        keys = ", ".join(dict.fromkeys(record["hypothesis"] for record in others))
        return (
            f"{name} concludes on {keys}. A finding counts only in the notebook whose "
            f"name begins with the claim: {keys}_... Take it out, or rename the notebook."
        )
    own = (task.source, task.region)
    elsewhere = _take_records(
        notebook.cells, lambda record: (record["source"], record["region"]) != own
    )
    if not elsewhere:
        return ""
    places = dict.fromkeys(f"{each['region']} ({each['source']})" for each in elsewhere)
    return (
        f"{name} was run for {task.region} ({task.source}) and concludes on {', '.join(places)}. "
        "Load the region that the notebook is given: load_region(source, region, as_of)."
    )


def _several_findings(notebook: NotebookNode, task: Task) -> str:
    """Take out the findings of a notebook that concludes more than once, and say so."""
    found = list(findings.records(notebook))
    if all(record == found[0] for record in found):  # shown twice, it is still one
        return ""
    _take_records(notebook.cells, lambda record: not record.get("variant"))
    return (
        f"{task.notebook.stem} concludes on {task.claim} more than once, and not in the same way. "
        "Keep one conclusion; show another with claim.compare(...)."
    )


def _finding(task: Task, verdict: str, why: str) -> NotebookNode:
    """Return the output that shows that a claim has no estimate, and why; without claim, why."""
    if not task.claim:
        return nbformat.v4.new_output("display_data", data={"text/markdown": why})
    language = str(task.parameters.get("language", "en"))
    about = (hypothesis(task.claim), task.source, task.region, verdict, why)
    found = no_finding(*about, language=language)
    return nbformat.v4.new_output("display_data", data=found._repr_mimebundle_())
