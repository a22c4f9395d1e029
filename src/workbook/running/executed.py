"""What an executed notebook leaves behind: the same for the same input, and why it broke."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote, quote_plus

import nbformat
from nbformat import NotebookNode

from analysis.claims import findings
from analysis.claims.hypotheses import hypothesis, register
from analysis.statistics.estimate import NotEstimable
from workbook.running.plan import Task

HIDDEN = "***"
"""Stands where a secret stood."""

_SECTION = re.compile(r"^#+ (H\d\d)\b", re.MULTILINE)
_HEADING = re.compile(r"^##? (.+)", re.MULTILINE)
_PATHS = re.compile(r"(?:/[\w.@+-]+)+/(?=[\w.-]+\.py|ipykernel)")


def tidy(notebook: NotebookNode, task: Task, stop: str, secrets: Sequence[str] = ()) -> list[str]:
    """Leave in an executed notebook only what the next run would leave too, and no secret.

    Parameters
    ----------
    notebook : NotebookNode
        As executed; it is changed.
    task : Task
        What was to be done.
    stop : str
        Why the execution ended before its end; empty if it did not.
    secrets : sequence of str
        Texts that must stand nowhere.

    Returns
    -------
    list of str
        What broke.
    """
    for cell in notebook.cells:
        cell["outputs"] = _hidden(cell.get("outputs", []), secrets)
        if cell.cell_type != "code":
            del cell["outputs"]
    errors = _errors(notebook, stop, task)
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


def slowest(notebook: NotebookNode, n: int = 3) -> tuple[tuple[str, float], ...]:
    """Return the slowest cells: the heading they stand under, and their seconds."""
    found, heading = [], ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            match = _HEADING.search(cell.source)
            heading = match[1] if match else heading
        seconds = cell.metadata.get("papermill", {}).get("duration")
        if seconds is not None:
            found.append((heading, round(float(seconds), 2)))
    return tuple(sorted(found, key=lambda each: -each[1])[:n])


def without_paths(text: str) -> str:
    """Return a text without folders of this machine."""
    return _PATHS.sub("", text)


def _hidden(value: object, secrets: Sequence[str]) -> object:
    """Return a value with every secret in its texts hidden."""
    if isinstance(value, str):
        for written in [each for secret in secrets for each in _spellings(secret)]:
            value = value.replace(written, HIDDEN)
        return value
    if isinstance(value, dict):
        return type(value)({name: _hidden(each, secrets) for name, each in value.items()})
    return [_hidden(each, secrets) for each in value] if isinstance(value, list) else value


def _spellings(secret: str) -> list[str]:
    """Return a secret as it is, and as it stands in an address, in HTML and in quotes."""
    quoted = [repr(secret)[1:-1], json.dumps(secret)[1:-1]]
    in_html = [html.escape(secret), html.escape(secret, quote=False)]
    return [secret, quote(secret, safe=""), quote_plus(secret), *in_html, *quoted]


def _errors(notebook: NotebookNode, stop: str, task: Task) -> dict[str, str]:
    """Return the first error of each section, "" for one that ended the notebook.

    What comes after an error in the same section is its consequence, and is taken out. Data that
    do not allow an estimate are no error: in the section of a claim the finding says so.
    """
    section, errors, ended = "", {"": stop} if stop else {}, set()
    notebook.cells = [cell for cell in notebook.cells if not _is_banner(cell)]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            section = _section(cell, section)
            continue
        if section in errors or section in ended:
            cell.outputs = []
        broken = [output for output in cell.outputs if output.output_type == "error"]
        if broken and broken[0].ename == NotEstimable.__name__:
            ended.add(section)
            cell.outputs = [_untestable(section, task, broken[0].evalue)]
        elif broken:
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


def _untestable(key: str, task: Task, why: str) -> NotebookNode:
    """Return the output that shows a claim as not testable, or, in other sections, the reason."""
    if key not in register():
        return nbformat.v4.new_output("display_data", data={"text/markdown": why})
    language = str(task.parameters.get("language", "en"))
    found = findings.no_finding(
        hypothesis(key), task.source, task.region, "not testable", why, language=language
    )
    return nbformat.v4.new_output("display_data", data=found._repr_mimebundle_())


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
