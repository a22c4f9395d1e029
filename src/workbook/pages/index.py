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
from workbook.pages import changes, report
from workbook.pages.overview import Axis, Overview, drawn


@dataclass(frozen=True)
class Entry:
    """A notebook's run for one region, as the index shows it."""

    source: str
    region: str
    notebook: str
    theme: str  # the notebook's folder; empty where there is none
    claim: str  # which it tests; empty where there is none
    href: str  # the page, relative to the index
    status: Literal["ok", "failed"]
    error: str  # why it did not run to its end
    title: str
    record: Mapping | None = None  # its finding, as `findings.records` yields it
    files: tuple[str, ...] = ()  # for the region's team, beside the page, relative to the index

    @property
    def place(self) -> tuple[str, str]:
        """Source and region."""
        return self.source, self.region


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
    beyond = replace(beyond, language=language)
    entries = [
        replace(entry, record=_worded(entry.record, language)) if entry.claim else entry
        for entry in entries
    ]
    words = wording.words(language)
    columns = list(dict.fromkeys(entry.place for entry in entries))
    rows = [_row(key, columns, entries, beyond) for key in hypotheses.register()]
    rows = [row for row in rows if row["cells"]]
    verdicts = Counter(cell["verdict"] for row in rows for cell in row["cells"] if cell)
    template = environment(language).get_template("index.html.j2")
    return template.render(
        language=language,
        words=words["index"],
        page_words=words["page"],
        pooled=[(source, *beyond.page(source)) for source in beyond.sources],
        columns=columns,
        several=len({source for source, _ in columns}) > 1,
        changes=changes.changes(beyond.past, language),
        change_words=words["changes"],
        not_renewed=not_renewed,
        notes=beyond.notes(),
        rows=rows,
        others=_other_rows(columns, entries, words) + _file_rows(columns, entries, words),
        counts=[(name, verdicts[name]) for name in card.SYMBOLS if verdicts[name]],
        legend=[(name, words["legend"][name]) for name in card.SYMBOLS],
        legend_n=words["legend"]["n"],
        untested=_untested(rows, language),
        fingerprint=report.fingerprint(records),
        **report.assets(),
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


def _row(
    key: str, columns: Sequence[tuple[str, str]], entries: Sequence[Entry], beyond: Overview
) -> dict:
    """Return the row of a hypothesis, without cells where no report tests it."""
    known, language = hypotheses.hypothesis(key), beyond.language
    found = {entry.place: entry for entry in entries if entry.claim == key}
    if not found:
        return {"id": key, "cells": []}
    headlines = [entry.record["parts"][0] for entry in found.values()]
    first = [part for part in headlines if "estimate" in part]
    scale = card.scale_of([*first, *beyond.headlines(known).values()]) if first else None
    return {
        "theme": report.in_words(next(iter(found.values())).theme),
        "id": key,
        "title": known.title[language],
        "notes": _row_notes(known, first, language),
        "pooled": [beyond.cell(source, known, scale) for source in beyond.sources],
        "cells": [
            _cell(found[place], scale, language) | beyond.region_notes(*place, known, scale)
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


def _cell(entry: Entry, scale: Axis, language: str) -> dict:
    """Return the cell of a region: verdict, drawing, numbers, or the reason for none."""
    record, failed = entry.record, wording.words(language)["check_failed"]
    cell = {
        "href": f"{entry.href}#{record['hypothesis']}",
        "verdict": record["verdict"],
        "reason": record["reason"],
        "warning": failed if wording.failed_checks(record) else "",
    }
    part = record["parts"][0]
    if "estimate" not in part:
        return cell
    return cell | drawn(part, scale) | {"notes": [wording.count(part, language), *decider(record)]}


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


def _link(entry: Entry, said: str) -> dict:
    """Return the cell of a notebook that tests no claim, or left no file: the page says why."""
    if entry.status != "failed":
        return {"href": entry.href, "open": said}
    reason = report.plain_message(entry.error)
    return {"href": entry.href, "verdict": "failed", "reason": reason}


def _other_rows(
    columns: Sequence[tuple[str, str]], entries: Sequence[Entry], words: Mapping
) -> list[dict]:
    """Return a row of links for each notebook that tests no hypothesis."""
    others = [entry for entry in entries if not entry.claim]
    titles = {entry.notebook: entry.title for entry in others}
    cells = {(each.notebook, *each.place): _link(each, words["index"]["open"]) for each in others}
    return [
        {"title": title, "cells": [cells.get((name, *place)) for place in columns]}
        for name, title in titles.items()
    ]


def _file_rows(
    columns: Sequence[tuple[str, str]], entries: Sequence[Entry], words: Mapping
) -> list[dict]:
    """Return a row of links for each kind of file that stands beside the pages."""
    words, made_by, cells = words["index"], {}, {}
    for entry in entries:
        for href in entry.files:
            name = href.rpartition("/")[2].removeprefix(f"{entry.notebook}_")
            made_by[name] = entry.notebook
            cells[name, *entry.place] = {"href": href, "open": words["open_file"]}
    for entry in entries:
        for name, notebook in made_by.items():
            if entry.notebook == notebook:
                cells.setdefault((name, *entry.place), _link(entry, words["no_file"]))
    return [
        {
            "title": words["files"].get(name.removesuffix(".csv"), name),
            "cells": [cells.get((name, *place)) for place in columns],
        }
        for name in made_by
    ]


def _untested(rows: Sequence[Mapping], language: str) -> str:
    """Name the hypotheses of the register that no report here tests."""
    tested = {row["id"] for row in rows}
    words = wording.words(language)
    register = hypotheses.register()
    names = [f"{key} {register[key].title[language]}" for key in register if key not in tested]
    return words["index"]["untested"].format(names=words["join"].join(names)) if names else ""


@cache
def environment(language: str) -> jinja2.Environment:
    """Return the templates, which escape every text, with verdicts' chips in a language."""
    loader = jinja2.FileSystemLoader(report.TEMPLATES)
    made = jinja2.Environment(loader=loader, autoescape=True)
    made.filters["chip"] = lambda verdict: Markup(card.chip(verdict, language))
    return made
