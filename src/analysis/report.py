"""Executed notebooks as offline pages, and the index page over all of them."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import jinja2
from markupsafe import Markup
from nbconvert import HTMLExporter
from nbconvert.filters import markdown2html
from nbformat import NotebookNode, v4

from analysis import cards, findings, hypotheses

TEMPLATES = Path(__file__).with_name("templates")

HIDDEN_TAGS = {"parameters", "injected-parameters", "papermill-error-cell-tag"}
SHOWN_PARAMETERS = ("source", "region", "as_of", "language", "seed")
SHOWN_PACKAGES = ("pandas", "statsmodels")
SHOWN_TYPES = ("text/html", "text/markdown", "image/png", "text/plain")

_ACTIVE_TAG = re.compile(r"<(?=/?(?:script|iframe|object|embed|link|meta|base|form)\b)", re.I)
_TERMINAL_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_ABSOLUTE_PATH = re.compile(r"(?<![\w.:~/\\])(?:[A-Za-z]:)?[\\/](?:[^\\/\s'\"<>|:]+[\\/])+")
_TITLE = re.compile(r"^# +(.+?)\s*$", re.M)
_HEADING = re.compile(r'<h2 id="([^"]*)">(.*?)<a class="anchor-link"', re.S)


@dataclass(frozen=True)
class Entry:
    """A notebook's run for one region, as the index shows it.

    Attributes
    ----------
    source, region, notebook : str
        Whose data, and which notebook.
    href : str
        The page, relative to the index.
    status : {"ok", "failed"}
        Whether the notebook ran to its end.
    error : str
        Why it did not; empty otherwise.
    title : str
        Title of the page.
    records : tuple of dict
        Its findings, as `findings.records` yields them.
    """

    source: str
    region: str
    notebook: str
    href: str
    status: Literal["ok", "failed"]
    error: str
    title: str
    records: tuple[dict, ...]


def page(notebook: NotebookNode, home: str) -> str:
    """Return an executed notebook as one HTML page that asks for nothing when opened.

    Parameters
    ----------
    notebook : NotebookNode
        Executed; `notebook.metadata["workbook"]` says source, region, notebook, status
        ("ok" or "failed"), error, language and parameters.
    home : str
        Address of the index, relative to the page.
    """
    run = notebook.metadata["workbook"]
    cells = [
        cell for cell in notebook.cells if not HIDDEN_TAGS & set(cell.metadata.get("tags", ()))
    ]
    if run["status"] == "failed":
        cells = _until_failure(cells)
    records = list(findings.records(v4.new_notebook(cells=cells)))
    shown = _shown_cells(cells, run["language"])
    about = _about(run, records) | {
        "home": home,
        "title": title(notebook),
        "contents": list(_contents(shown)),
        "footer": _footer(notebook, records),
    }
    body = v4.new_notebook(cells=shown, metadata=notebook.metadata)
    html, _ = _exporter().from_notebook_node(body, {"report": about})
    return html


def title(notebook: NotebookNode) -> str:
    """Return a notebook's first heading, or its name in words where it has none."""
    texts = (cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    found = next((match for text in texts if (match := _TITLE.search(text))), None)
    return found[1] if found else _theme(notebook.metadata["workbook"]["notebook"])


def index(entries: Sequence[Entry]) -> str:
    """Return the page that shows every hypothesis in every region, with links to the pages.

    Parameters
    ----------
    entries : sequence of Entry
        In the order in which regions shall stand.
    """
    records = [record for entry in entries for record in entry.records]
    language = records[0]["language"] if records else "en"
    words = cards.words(language)
    columns = list(dict.fromkeys((entry.source, entry.region) for entry in entries))
    rows = [row for key in hypotheses.register() if (row := _row(key, columns, entries, language))]
    verdicts = Counter(cell["verdict"] for row in rows for cell in row["cells"] if cell)
    return (
        _environment()
        .get_template("index.html.j2")
        .render(
            language=language,
            words=words["index"],
            page_words=words["page"],
            columns=_column_heads(columns),
            rows=rows,
            others=_other_rows(columns, entries, language),
            counts=[
                (_chip(name, language), verdicts[name]) for name in cards.SYMBOLS if verdicts[name]
            ],
            legend=[(_chip(name, language), words["legend"][name]) for name in cards.SYMBOLS],
            legend_n=words["legend"]["n"],
            untested=_untested(rows, language),
            fingerprint=_fingerprint(records),
            **_assets(),
        )
    )


def _about(run: Mapping, records: Sequence[Mapping]) -> dict:
    """Return what the page's template says besides the notebook's cells."""
    words = cards.words(run["language"])
    return _assets() | {
        "language": run["language"],
        "words": words["page"],
        "region": run["region"],
        "kicker": " · ".join([_theme(run["notebook"]), run["region"], run["source"]]),
        "failed": run["status"] == "failed",
        "failed_chip": cards.chip("failed", run["language"]),
        "message": plain_message(run["error"]),
        "verdicts": [_summary(record) for record in records],
    }


def _summary(record: Mapping) -> dict:
    """Return a finding as it is listed at the top of its page."""
    part = cards.deciding_part(record)
    said = {
        "id": record["hypothesis"],
        "title": record["title"],
        "chip": cards.chip(record["verdict"], record["language"]),
        "sentence": cards.sentence(record),
    }
    if "estimate" not in part:
        return said
    drawing = cards.interval_svg(part, *cards.scale_of([part]))
    return said | {"drawing": drawing, "effect": cards.interval(part), "unit": part["unit"]}


def _until_failure(cells: Sequence[NotebookNode]) -> list[NotebookNode]:
    """Return the cells before the one that broke or was never run."""
    broken = (i for i, cell in enumerate(cells) if cell.cell_type == "code" and _is_broken(cell))
    return list(cells[: next(broken, len(cells))])


def _is_broken(cell: NotebookNode) -> bool:
    """Tell whether a code cell ended with an error, or was never run."""
    failed = any(output.output_type == "error" for output in cell.outputs)
    return failed or (bool(cell.source.strip()) and cell.execution_count is None)


def _shown_cells(cells: Sequence[NotebookNode], language: str) -> list[NotebookNode]:
    """Return the cells as the page shows them, without the title, which stands at its top."""
    shown, seen, is_titled = [], set(), False
    for cell in cells:
        if cell.cell_type == "code":
            outputs = [new for old in cell.outputs if (new := _output(old, seen, language))]
            shown.append(v4.new_code_cell(cell.source, outputs=outputs))
        elif cell.cell_type == "markdown":
            source = cell.source if is_titled else _TITLE.sub("", cell.source, count=1)
            is_titled |= source != cell.source
            shown.append(v4.new_markdown_cell(_harmless(source)))
    return shown


def _output(output: NotebookNode, seen: set[str], language: str) -> NotebookNode | None:
    """Return an output as the page shows it: a finding as its card, an error as its message."""
    if output.output_type == "stream":
        return output if output.name == "stdout" else None
    if output.output_type == "error":
        text = plain_message(output.evalue or output.ename)
        said = cards.words(language)["page"]["broken"].format(message=text)
        return _html(Markup('<p class="message">{}</p>').format(said))
    if (record := output.data.get(findings.MIME_TYPE)) is not None:
        anchor = (
            "" if record["hypothesis"] in seen else Markup(' id="{}"').format(record["hypothesis"])
        )
        seen.add(record["hypothesis"])
        return _html(f"<div{anchor}>{cards.card(record)}</div>")
    data = {name: output.data[name] for name in SHOWN_TYPES if name in output.data}
    for name in {"text/html", "text/markdown"} & set(data):
        data[name] = _harmless(data[name])
    return v4.new_output("display_data", data) if data else None


def _html(text: str) -> NotebookNode:
    """Return an output that shows HTML."""
    return v4.new_output("display_data", {"text/html": str(text)})


def _harmless(text: str) -> str:
    """Return text in which tags that act or fetch are only shown."""
    return _ACTIVE_TAG.sub("&lt;", text)


def _contents(cells: Sequence[NotebookNode]) -> Iterator[tuple[str, str]]:
    """Yield anchor and text of every "## " heading, as the page's Markdown makes them."""
    for cell in cells:
        texts = [
            output.get("data", {}).get("text/markdown", "") for output in cell.get("outputs", ())
        ]
        for text in [cell.source] if cell.cell_type == "markdown" else texts:
            if "## " in text:
                yield from _HEADING.findall(markdown2html(text))


def _footer(notebook: NotebookNode, records: Sequence[Mapping]) -> list[tuple[str, str]]:
    """Return what the page was made of; no time and no path, so that equal runs are equal."""
    run = notebook.metadata["workbook"]
    words = cards.words(run["language"])["page"]
    given = run["parameters"]
    chosen = [
        f"{key} = {plain_message(str(given[key]))}" for key in SHOWN_PARAMETERS if key in given
    ]
    python = notebook.metadata.get("language_info", {}).get("version", "")
    versions = [f"Python {python}"] + [f"{name} {version(name)}" for name in SHOWN_PACKAGES]
    return [
        (words["parameters"], ", ".join(chosen)),
        (words["versions"], ", ".join(versions)),
        (words["register"], _fingerprint(records)),
    ]


def plain_message(text: str) -> str:
    """Return the message of an error: its last line if it is a traceback, and no folders."""
    text = _TERMINAL_COLOUR.sub("", text).strip()
    if "Traceback (most recent call last)" in text:
        text = text.splitlines()[-1]
    return _ABSOLUTE_PATH.sub("", text)


def _theme(notebook: str) -> str:
    """Return a notebook's name in words: "04_customer_value" is "Customer value"."""
    return notebook.lstrip("0123456789_").replace("_", " ").capitalize()


def _fingerprint(records: Sequence[Mapping]) -> str:
    """Return the fingerprint of the register that judged the records."""
    found = dict.fromkeys(record["register"] for record in records)
    return ", ".join(found) or hypotheses.fingerprint()


def _column_heads(columns: Sequence[tuple[str, str]]) -> list[dict]:
    """Return the regions, with their source where there is more than one."""
    several = len({source for source, _ in columns}) > 1
    return [{"region": region, "source": source if several else ""} for source, region in columns]


def _row(
    key: str, columns: Sequence[tuple[str, str]], entries: Sequence[Entry], language: str
) -> dict | None:
    """Return the row of a hypothesis, None where no notebook tests it."""
    known = hypotheses.hypothesis(key)
    found = _found(known, entries)
    if not found:
        return None
    records = [record for _, record in found.values() if record]
    first = [record["parts"][0] for record in records if "estimate" in record["parts"][0]]
    scale = cards.scale_of(first) if first else None
    return {
        "id": key,
        "title": known.title[language],
        "notes": _row_notes(known, first, language),
        "cells": [
            _cell(*found[place], scale, language) if place in found else None for place in columns
        ],
    }


def _found(known: hypotheses.Hypothesis, entries: Sequence[Entry]) -> dict:
    """Return entry and record of a hypothesis by region; no record where its notebook failed."""
    found, finished = {}, False
    for entry in entries:
        record = next((each for each in entry.records if each["hypothesis"] == known.id), None)
        tests = entry.notebook == known.notebook
        finished |= tests and entry.status == "ok"
        if record or (tests and entry.status == "failed"):
            found[entry.source, entry.region] = (entry, record)
    has_records = any(record for _, record in found.values())
    return found if has_records or not finished else {}


def _row_notes(known: hypotheses.Hypothesis, parts: Sequence[Mapping], language: str) -> list[str]:
    """Return what is drawn in a row and where the claim puts it."""
    words = cards.words(language)["index"]
    headline = known.parts[0]
    notes = [f"{headline.label[language]} ({headline.unit[language]})"]
    if parts:
        notes.append(words["claimed"].format(claim=cards.claim_range(parts[0], language)))
    if len(known.parts) > 1:
        notes.append(words["parts"].format(n=len(known.parts)))
    return notes


def _cell(
    entry: Entry, record: Mapping | None, scale: tuple[float, float] | None, language: str
) -> dict:
    """Return the cell of a region: verdict, drawing, numbers, or the reason for none."""
    if record is None:
        return _failed_cell(entry, language)
    words = cards.words(language)
    cell = {
        "href": f"{entry.href}#{record['hypothesis']}",
        "verdict": record["verdict"],
        "chip": _chip(record["verdict"], language),
        "reason": record["reason"],
        "warning": words["check_failed"] if cards.failed_checks(record) else "",
    }
    part = record["parts"][0]
    if "estimate" not in part:
        return cell
    notes = [words["index"]["n"].format(n=f"{part['n_obs']:,}"), *_decider(record)]
    drawing = Markup(cards.interval_svg(part, *scale))
    return cell | {"drawing": drawing, "effect": cards.interval(part), "notes": notes}


def _decider(record: Mapping) -> list[str]:
    """Return the part that gave the verdict, where it is not the one that is drawn."""
    part = cards.deciding_part(record)
    if part is record["parts"][0]:
        return []
    said = cards.words(record["language"])["decided_by"]
    return [f"{said} {part['label']}: {cards.interval(part)}"]


def _failed_cell(entry: Entry, language: str) -> dict:
    """Return the cell of a notebook that broke before it came to the hypothesis."""
    chip, reason = _chip("failed", language), plain_message(entry.error)
    return {"href": entry.href, "verdict": "failed", "chip": chip, "reason": reason}


def _other_rows(
    columns: Sequence[tuple[str, str]], entries: Sequence[Entry], language: str
) -> list[dict]:
    """Return a row of links for each notebook that tests no hypothesis."""
    testing = {each.notebook for each in hypotheses.register().values()}
    testing |= {entry.notebook for entry in entries if entry.records}
    others = [entry for entry in entries if entry.notebook not in testing]
    rows = {
        entry.notebook: {"title": entry.title, "cells": [None] * len(columns)} for entry in others
    }
    for entry in others:
        failed = entry.status == "failed"
        cell = _failed_cell(entry, language) if failed else {"href": entry.href}
        rows[entry.notebook]["cells"][columns.index((entry.source, entry.region))] = cell
    return list(rows.values())


def _untested(rows: Sequence[Mapping], language: str) -> str:
    """Name the hypotheses of the register that no notebook tests."""
    tested = {row["id"] for row in rows}
    words = cards.words(language)
    register = hypotheses.register()
    names = [f"{key} {register[key].title[language]}" for key in register if key not in tested]
    return words["index"]["untested"].format(names=words["join"].join(names)) if names else ""


def _chip(verdict: str, language: str) -> Markup:
    """Return a verdict's chip for a template that escapes text."""
    return Markup(cards.chip(verdict, language))


@cache
def _exporter() -> HTMLExporter:
    """Return the process's exporter: loading its templates takes longer than a page."""
    return HTMLExporter(template_name="report", extra_template_basedirs=[str(TEMPLATES)])


@cache
def _environment() -> jinja2.Environment:
    """Return the templates of the index, which escape every text."""
    return jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True)


@cache
def _assets() -> dict:
    """Return style, script and the policy that lets a page run nothing else and fetch nothing."""
    css, script = (
        (TEMPLATES / "report" / name).read_text(encoding="utf-8")
        for name in ("report.css", "report.js")
    )
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    policy += f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return {"css": Markup(css), "script": Markup(script), "policy": policy}
