"""The index page: every hypothesis in every region, with links to the pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

import jinja2
from markupsafe import Markup

from analysis.claims import card, hypotheses, wording
from workbook.pages import changes, overview, report
from workbook.pages.overview import Overview


@dataclass(frozen=True)
class Entry:
    """A notebook's run for one region, as the index shows it.

    Attributes
    ----------
    source, region, notebook : str
        Whose data, and which notebook.
    theme, claim : str
        The notebook's folder, and the claim that it tests; empty where there is none.
    href : str
        The page, relative to the index.
    status : {"ok", "failed"}
        Whether the notebook ran to its end.
    error : str
        Why it did not; empty otherwise.
    title : str
        Title of the page.
    record : dict or None
        Its finding, as `findings.records` yields it; None where it tests no claim.
    files : tuple of str
        Files for the region's team that stand beside the page, relative to the index.
    """

    source: str
    region: str
    notebook: str
    theme: str
    claim: str
    href: str
    status: Literal["ok", "failed"]
    error: str
    title: str
    record: Mapping | None = None
    files: tuple[str, ...] = ()


def index(entries: Sequence[Entry], beyond: Overview, not_renewed: Sequence[str] = ()) -> str:
    """Return the page that shows every hypothesis in every region, with links to the pages.

    Parameters
    ----------
    entries : sequence of Entry
        In the order in which regions shall stand.
    beyond : Overview
        What is known over all regions, and of earlier runs.
    not_renewed : sequence of str
        Reports that the last run could not write, each with the reason.
    """
    records = [entry.record for entry in entries if entry.claim]
    used = Counter(record["language"] for record in records)
    language = used.most_common(1)[0][0] if used else "en"  # one run in another one is no majority
    entries = [
        replace(entry, record=_worded(entry.record, language)) if entry.claim else entry
        for entry in entries
    ]
    words = wording.words(language)
    columns = list(dict.fromkeys((entry.source, entry.region) for entry in entries))
    rows = [
        row
        for key in hypotheses.register()
        if (row := _row(key, columns, entries, beyond, language))
    ]
    verdicts = Counter(cell["verdict"] for row in rows for cell in row["cells"] if cell)
    return (
        environment()
        .get_template("index.html.j2")
        .render(
            language=language,
            words=words["index"],
            page_words=words["page"],
            pooled=overview.heads(beyond, len({source for source, _ in columns}) > 1, language),
            columns=_column_heads(columns),
            changes=changes.changes(beyond.past, language),
            change_words=words["changes"],
            not_renewed=not_renewed,
            notes=overview.notes(beyond, language),
            rows=rows,
            others=_other_rows(columns, entries, language) + _file_rows(columns, entries, language),
            counts=[
                (_chip(name, language), verdicts[name]) for name in card.SYMBOLS if verdicts[name]
            ],
            legend=[(_chip(name, language), words["legend"][name]) for name in card.SYMBOLS],
            legend_n=words["legend"]["n"],
            untested=_untested(rows, language),
            fingerprint=report.fingerprint(records),
            **report.assets(),
        )
    )


def _worded(record: Mapping, language: str) -> dict:
    """Return a record with the register's words in the index's language, whatever its run's was."""
    known = hypotheses.register().get(record["hypothesis"])
    words = {
        part.key: {name: getattr(part, name)[language] for name in ("label", "unit", "counts")}
        for part in (known.parts if known else ())
    }
    parts = [part | words.get(part["key"], {}) for part in record["parts"]]
    return {**record, "language": language, "parts": parts}


def _column_heads(columns: Sequence[tuple[str, str]]) -> list[dict]:
    """Return the regions, with their source where there is more than one."""
    several = len({source for source, _ in columns}) > 1
    return [{"region": region, "source": source if several else ""} for source, region in columns]


def _row(
    key: str,
    columns: Sequence[tuple[str, str]],
    entries: Sequence[Entry],
    beyond: Overview,
    language: str,
) -> dict | None:
    """Return the row of a hypothesis, None where no report tests it."""
    known = hypotheses.hypothesis(key)
    found = {(each.source, each.region): each for each in entries if each.claim == key}
    if not found:
        return None
    records = [entry.record for entry in found.values()]
    first = [record["parts"][0] for record in records if "estimate" in record["parts"][0]]
    everywhere = overview.headlines(beyond, known, language).values()
    scale = card.scale_of([*first, *everywhere]) if first else None
    return {
        "theme": report.in_words(next(iter(found.values())).theme),
        "id": key,
        "title": known.title[language],
        "notes": _row_notes(known, first, language),
        "pooled": [
            overview.cell(beyond, source, known, scale, language) for source in beyond.sources
        ],
        "cells": [
            _cell(found[place], scale, language)
            | overview.region_notes(beyond, *place, known, scale, language)
            if place in found
            else None
            for place in columns
        ],
    }


def _row_notes(known: hypotheses.Hypothesis, parts: Sequence[Mapping], language: str) -> list[str]:
    """Return what is drawn in a row and where the claim puts it."""
    words = wording.words(language)["index"]
    headline = known.parts[0]
    notes = [f"{headline.label[language]} ({headline.unit[language]})"]
    if parts:
        notes.append(words["claimed"].format(claim=wording.claim_range(parts[0], language)))
    if len(known.parts) > 1:
        notes.append(words["parts"].format(n=len(known.parts)))
    return notes + reading(known, language)


def reading(known: hypotheses.Hypothesis, language: str) -> list[str]:
    """Say that a claim is about an association; nothing of others."""
    return [wording.words(language)["association"]] if known.reading == "association" else []


def _cell(entry: Entry, scale: tuple[float, float] | None, language: str) -> dict:
    """Return the cell of a region: verdict, drawing, numbers, or the reason for none."""
    words, record = wording.words(language), entry.record
    cell = {
        "href": f"{entry.href}#{record['hypothesis']}",
        "verdict": record["verdict"],
        "chip": _chip(record["verdict"], language),
        "reason": record["reason"],
        "warning": words["check_failed"] if wording.failed_checks(record) else "",
    }
    part = record["parts"][0]
    if "estimate" not in part:
        return cell
    notes = [wording.count(part, language), *decider(record)]
    drawing = Markup(card.interval_svg(part, *scale))
    return cell | {"drawing": drawing, "effect": wording.interval(part), "notes": notes}


def decider(record: Mapping) -> list[str]:
    """Return the part that gave the verdict, where it is not the one that is drawn.

    With the number of others that gave it, too; nothing where a check did.
    """
    part = wording.deciding_part(record)
    if part is record["parts"][0] or wording.failed_checks(record, blocking=True):
        return []
    words, is_open = wording.words(record["language"]), record["verdict"] == "inconclusive"
    said = words["left_open_by" if is_open else "decided_by"]
    others = [each["verdict"] for each in record["parts"]].count(record["verdict"]) - 1
    more = words["and_more"].format(n=others) if others else ""
    return [f"{said} {part['label']}: {wording.interval(part)}{more}"]


def _failed_cell(entry: Entry, language: str) -> dict:
    """Return the cell of a notebook that broke and tests no claim."""
    chip, reason = _chip("failed", language), report.plain_message(entry.error)
    return {"href": entry.href, "verdict": "failed", "chip": chip, "reason": reason}


def _other_rows(
    columns: Sequence[tuple[str, str]], entries: Sequence[Entry], language: str
) -> list[dict]:
    """Return a row of links for each notebook that tests no hypothesis."""
    others = [entry for entry in entries if not entry.claim]
    rows = {
        entry.notebook: {"title": entry.title, "cells": [None] * len(columns)} for entry in others
    }
    for entry in others:
        failed = entry.status == "failed"
        cell = _failed_cell(entry, language) if failed else {"href": entry.href}
        rows[entry.notebook]["cells"][columns.index((entry.source, entry.region))] = cell
    return list(rows.values())


def _file_rows(
    columns: Sequence[tuple[str, str]], entries: Sequence[Entry], language: str
) -> list[dict]:
    """Return a row of links for each kind of file that stands beside the pages."""
    rows: dict[str, dict] = {}
    words = wording.words(language)["index"]
    for entry in entries:
        for href in entry.files:
            name = href.rpartition("/")[2].removeprefix(f"{entry.notebook}_")
            title = words["files"].get(name.removesuffix(".csv"), name)
            row = rows.setdefault(name, {"title": title, "cells": [None] * len(columns)})
            row["notebook"] = entry.notebook
            cell = {"href": href, "open": words["open_file"]}
            row["cells"][columns.index((entry.source, entry.region))] = cell
    for row in rows.values():
        _without_file(row, columns, entries, language)
    return list(rows.values())


def _without_file(
    row: dict, columns: Sequence[tuple[str, str]], entries: Sequence[Entry], language: str
) -> None:
    """Fill the cells of regions whose notebook ran and left no file: the page says why."""
    said = wording.words(language)["index"]["no_file"]
    for entry in entries:
        place = columns.index((entry.source, entry.region))
        if entry.notebook == row["notebook"] and row["cells"][place] is None:
            failed = entry.status == "failed"
            cell = {"href": entry.href, "open": said}
            row["cells"][place] = _failed_cell(entry, language) if failed else cell


def _untested(rows: Sequence[Mapping], language: str) -> str:
    """Name the hypotheses of the register that no report here tests."""
    tested = {row["id"] for row in rows}
    words = wording.words(language)
    register = hypotheses.register()
    names = [f"{key} {register[key].title[language]}" for key in register if key not in tested]
    return words["index"]["untested"].format(names=words["join"].join(names)) if names else ""


def _chip(verdict: str, language: str) -> Markup:
    """Return a verdict's chip for a template that escapes text."""
    return Markup(card.chip(verdict, language))


@cache
def environment() -> jinja2.Environment:
    """Return the templates of the index, which escape every text."""
    return jinja2.Environment(loader=jinja2.FileSystemLoader(report.TEMPLATES), autoescape=True)
