"""An executed notebook as an offline page."""

from __future__ import annotations

import ast
import base64
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

from jinja2 import Template
from markupsafe import Markup
from nbconvert import HTMLExporter
from nbconvert.filters import markdown2html
from nbformat import NotebookNode, v4

from analysis.claims import card, findings, hypotheses, wording
from analysis.claims.finding import MIME_TYPE
from analysis.language import capitalised, named
from workbook.pages import plain
from workbook.running.executed import first_broken

TEMPLATES = Path(__file__).with_name("templates")

HIDDEN_TAGS = {"parameters", "injected-parameters", "papermill-error-cell-tag"}
SHOWN_PARAMETERS = ("source", "region", "as_of", "language", "seed")
SHOWN_PACKAGES = ("pandas", "statsmodels")
KINDS = ("code", "markdown", "raw", "unknown", "input", "output", "output_stdin")
WHOLE = {"global_content_filter": {f"include_{kind}": True for kind in KINDS}}
"""Lets nbconvert's template show cells and outputs of every kind."""
SHOWN_TYPES = ("text/html", "text/markdown", "image/png", "text/plain")

_ACTIVE_TAG = re.compile(r"<(?=/?(?:script|iframe|object|embed|link|meta|base|form)\b)", re.I)
_TERMINAL_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_ABSOLUTE_PATH = re.compile(r"(?<![\w.:~/\\])(?:[A-Za-z]:)?[\\/](?:[^\\/\s'\"<>|:]+[\\/])+")
_TITLE = re.compile(r"^# +(.+?)\s*$", re.M)
_FIGURE = re.compile(r"<figure\b.*?</figure>", re.S)
_HEADING = re.compile(r'<h2 id="([^"]*)">(.*?)<a class="anchor-link"', re.S)


def page(notebook: NotebookNode, home: str) -> str:
    """Return an executed notebook as one HTML page that asks for nothing when opened.

    The notebook's metadata "workbook" say source, region, notebook, status ("ok" or "failed"),
    error, language and parameters; `home` is the address of the index, relative to the page.
    """
    run = notebook.metadata["workbook"]
    cells = [
        cell for cell in notebook.cells if not HIDDEN_TAGS & set(cell.metadata.get("tags", ()))
    ]
    if run["status"] == "failed":
        cells = cells[: first_broken(cells)]
    records = list(findings.records(v4.new_notebook(cells=cells)))
    shown = _shown_cells(cells, run["language"])
    about = assets() | {
        "run": run,
        "words": wording.words(run["language"])["page"],
        "nav": plain.words(run["language"])["nav"],
        "home": home,
        "title": title(notebook),
        "kicker": " · ".join(
            filter(
                None, [named(in_words(run["theme"]), run["language"]), run["region"], run["source"]]
            )
        ),
        "message": plain_message(run["error"]),
        "records": records,
        "picture": Markup(_picture(shown)) if records else "",
        "contents": list(_contents(shown)),
        "footer": _footer(notebook, records),
    }
    # The template alone: the exporter would copy the notebook, and parse its own page again.
    body = v4.new_notebook(cells=shown, metadata=notebook.metadata)
    return _template().render(nb=body, resources=WHOLE | {"report": about})


def title(notebook: NotebookNode) -> str:
    """Return a notebook's first heading, or its name in words where it has none."""
    texts = (cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    found = next((match for text in texts if (match := _TITLE.search(text))), None)
    return found[1] if found else in_words(notebook.metadata["workbook"]["notebook"])


def plain_message(text: str) -> str:
    """Return the message of an error: its last line if it is a traceback, and no folders."""
    text = _TERMINAL_COLOUR.sub("", text).strip()
    if "Traceback (most recent call last)" in text:
        text = text.splitlines()[-1]
    return _ABSOLUTE_PATH.sub("", text)


def fingerprint(records: Sequence[Mapping]) -> str:
    """Return the fingerprint of the register that judged the records."""
    found = dict.fromkeys(record["register"] for record in records)
    return ", ".join(found) or hypotheses.fingerprint()


def region_address(place: tuple[str, str]) -> str:
    """Return the address of the page of a region (its source and name), relative to the index."""
    return quote(f"{place[0]}/{place[1]}/index.html")


@cache
def assets(kind: str = "report") -> dict:
    """Return style, script and the policy that lets a page run nothing else and fetch nothing.

    Pages of a kind have, beside what all have, the files of that name, where there are any.
    """
    names = dict.fromkeys(["report", kind])
    css, script = (
        "".join(
            (TEMPLATES / "report" / f"{name}.{ending}").read_text(encoding="utf-8")
            for name in names
            if (TEMPLATES / "report" / f"{name}.{ending}").exists()
        )
        for ending in ("css", "js")
    )
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    policy += f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return {"css": Markup(css), "script": Markup(script), "policy": policy}


def _shown_cells(cells: Sequence[NotebookNode], language: str) -> list[NotebookNode]:
    """Return the cells as the page shows them, without the title, which stands at its top."""
    shown, seen, is_titled = [], set(), False
    for cell in cells:
        if cell.cell_type == "code":
            outputs = [new for old in cell.outputs if (new := _output(old, seen, language))]
            shown.append(v4.new_code_cell(cell.source, outputs=outputs, metadata=_kept_open(cell)))
        elif cell.cell_type == "markdown":
            source = cell.source if is_titled else _TITLE.sub("", cell.source, count=1)
            is_titled |= source != cell.source
            shown.append(v4.new_markdown_cell(_harmless(source)))
    return shown


def _picture(cells: Sequence[NotebookNode]) -> str:
    """Return the first figure, which shows what the claim is about; empty where there is none."""
    htmls = (
        output.data.get("text/html", "")
        for cell in cells
        for output in cell.get("outputs", ())
        if "data" in output
    )
    return next((match[0] for html in htmls if (match := _FIGURE.search(html))), "")


def _kept_open(cell: NotebookNode) -> dict:
    """Mark the cell that writes the regression's formula, and only that: its code is not folded."""
    try:
        body = ast.parse(cell.source).body
    except SyntaxError:  # a line that is IPython's own
        return {}
    names = [ast.unparse(line.targets[0]) for line in body if isinstance(line, ast.Assign)]
    return {"formula": True} if len(body) == 1 and names == ["formula"] else {}


def _output(output: NotebookNode, seen: set[str], language: str) -> NotebookNode | None:
    """Return an output as the page shows it: a finding as its card, an error as its message."""
    if output.output_type == "stream":
        return output if output.name == "stdout" else None
    if output.output_type == "error":
        text = plain_message(output.evalue or output.ename)
        said = wording.words(language)["page"]["broken"].format(message=text)
        data = {"text/html": str(Markup('<p class="message">{}</p>').format(said))}
    elif (record := output.data.get(MIME_TYPE)) is not None:
        key = record["hypothesis"]
        anchor = "" if key in seen else Markup(' id="{}"').format(key)
        seen.add(key)
        data = {"text/html": f"<div{anchor}>{card.card(record)}</div>"}
    else:
        data = {name: output.data[name] for name in SHOWN_TYPES if name in output.data}
        for name in {"text/html", "text/markdown"} & set(data):
            data[name] = _harmless(data[name])
    return v4.new_output("display_data", data) if data else None


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


def _footer(notebook: NotebookNode, records: Sequence[Mapping]) -> dict[str, str]:
    """Return what the page was made of; no time and no path, so that equal runs are equal."""
    given = notebook.metadata["workbook"]["parameters"]
    chosen = [
        f"{key} = {plain_message(str(given[key]))}" for key in SHOWN_PARAMETERS if key in given
    ]
    python = notebook.metadata.get("language_info", {}).get("version", "")
    versions = [f"Python {python}"] + [f"{name} {version(name)}" for name in SHOWN_PACKAGES]
    return {
        "parameters": ", ".join(chosen),
        "versions": ", ".join(versions),
        "register": fingerprint(records),
    }


def in_words(name: str) -> str:
    """Return the name of a file or folder in words: "data_profile" is "Data profile"."""
    return capitalised(name).replace("_", " ")


@cache
def _template() -> Template:
    """Return the template of pages, with nbconvert's blocks and filters."""
    filters = {
        "chip": card.chip,
        "drawn": lambda part: card.interval_svg(part, *card.scale_of([part])),
        "deciding_part": wording.deciding_part,
        "plain": wording.in_plain_unit,
        "interval": wording.interval,
        "sentence": wording.sentence,
    }
    where = {"template_name": "report", "extra_template_basedirs": [str(TEMPLATES)]}
    return HTMLExporter(filters=filters, **where).template
