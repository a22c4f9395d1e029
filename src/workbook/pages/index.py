"""The index page: the answer, then every claim in every region, with links to the pages."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from urllib.parse import unquote

import jinja2
from markupsafe import Markup

from analysis.claims import card, hypotheses, wording
from analysis.figures import fonts
from analysis.language import named, text
from workbook.deciding import shown
from workbook.pages import answers, changes, plain, remarks, report
from workbook.pages.entry import Entry
from workbook.pages.overview import Overview

ROOMY = 8
"""Regions up to which each cell shows its numbers, and lists and other reports have rows; more show
their numbers where the reader points, and the rest is on their pages."""
PER_SHEET = 20
"""Regions on a sheet of A4; the style sheet and the script go by it."""


def index(entries: Sequence[Entry], beyond: Overview, not_renewed: Sequence[str] = ()) -> str:
    """Return the page that opens with the answer and shows every claim in every region.

    Parameters
    ----------
    entries : sequence of Entry
        In the order in which regions shall stand.
    beyond : Overview
        What is known over all regions, and of earlier runs.
    not_renewed : sequence of str
        Reports that the last run could not write, each with the reason.
    """
    known = with_entries(beyond, entries)
    language, words = known.language, wording.words(known.language)
    records = [entry.record for entry in known.entries if entry.claim]
    rows = [_row(key, known) for key in known.claims]
    verdicts = Counter(cell["verdict"] for row in rows for cell in row["cells"] if cell)
    lost = [each for each in known.entries if not each.claim and each.status == "failed"]
    sources = list(dict.fromkeys(source for source, _ in known.places))
    is_roomy = len(known.places) <= ROOMY
    template = environment(language).get_template("index.html.j2")
    return template.render(
        language=language,
        words=words["index"],
        page_words=words["page"],
        own=plain.words(language),
        about=_about(known),
        answers=[(each, answers.over_all(each, known, lost)) for each in sources],
        todo=[(each, *todo) for each in sources if any(todo := _todo(each, known))],
        assumptions=shown.assumptions(language),
        pooled=[(source, *known.page(source)) for source in known.sources],
        columns=_columns(known),
        several=len(sources) > 1,
        roomy=is_roomy,
        sheets=math.ceil(len(known.places) / PER_SHEET),
        per_sheet=PER_SHEET,
        themes=list(dict.fromkeys(row["theme"] for row in rows)),
        changes=changes.changes(known.past, known.changed, language),
        change_words=words["changes"],
        not_renewed=not_renewed,
        notes=remarks.notes(known),
        has_font=fonts.chinese_font() is not None or not _needs_font(known),
        rows=rows,
        others=_other_rows(known, words) + _file_rows(known, words) if is_roomy else [],
        symbols=card.SYMBOLS,
        counts=[(name, verdicts[name]) for name in card.SYMBOLS if verdicts[name]],
        legend=[(name, words["legend"][name]) for name in card.SYMBOLS],
        legend_n=words["legend"]["n"],
        untested=_untested(rows, language),
        fingerprint=report.fingerprint(records),
        **report.assets("index"),
    )


def _todo(source: str, known: Overview) -> tuple[list[dict], str, str]:
    """Return what to do next in a source: as rows, their summary, what all regions decide."""
    steps = shown.of_source(source, known)
    rows = [shown.row(step, source, known.language) for step in steps]
    said = shown.summary(steps, known.language) if steps else ""
    return rows, said, shown.settled_together(source, known)


def with_entries(beyond: Overview, entries: Sequence[Entry]) -> Overview:
    """Return an overview with its entries, in the language of most of them."""
    language = language_of(entries)
    worded = tuple(entry.worded(language) for entry in entries)
    return replace(beyond, language=language, entries=worded)


def language_of(entries: Sequence[Entry]) -> str:
    """Return the language of most findings: one run in another one is no majority."""
    used = Counter(entry.record["language"] for entry in entries if entry.record)
    return used.most_common(1)[0][0] if used else "en"


def _about(known: Overview) -> str:
    """Say how many regions and claims there are, and up to which day the data go."""
    words = plain.words(known.language)["index"]
    regions, claims = len(known.places), len(known.claims)
    return words["about" if known.until else "about_undated"].format(
        regions=words["region" if regions == 1 else "regions"].format(n=regions),
        claims=words["claim" if claims == 1 else "claims"].format(n=claims),
        until=plain.day(known.until, known.language),
    )


def _columns(known: Overview) -> list[dict]:
    """Return the regions with their pages and how many customers their findings rest on."""
    sizes = dict.fromkeys(known.places, 0)
    everybody = hypotheses.COUNTS[known.language]
    for entry in known.entries:
        for part in entry.record["parts"] if entry.record else ():
            if part.get("counts") == everybody:
                sizes[entry.place] = max(sizes[entry.place], part.get("n_obs", 0))
    return [
        {"source": source, "region": region, "size": size, "href": report.region_address(place)}
        for place, size in sizes.items()
        for source, region in [place]
    ]


def _row(key: str, known: Overview) -> dict:
    """Return the row of a claim."""
    entry, found, language = hypotheses.hypothesis(key), known.claims[key], known.language
    cells = [_cell(found.get(place), known) for place in known.places]
    counts = Counter(cell["verdict"] for cell in cells if cell)
    return {
        "theme": named(report.in_words(next(iter(found.values())).theme), language),
        "id": key,
        "title": entry.title[language],
        "claim": entry.claim[language],
        "notes": _row_notes(entry, known),
        "tally": [(name, counts[name]) for name in card.SYMBOLS if counts[name]],
        "pooled": [known.cell(source, entry) for source in known.sources],
        "cells": cells,
    }


def _row_notes(claim: hypotheses.Hypothesis, known: Overview) -> Iterator[str]:
    """Say what the numbers of a row are, where the claim puts them, and how it is read."""
    words = wording.words(known.language)["index"]
    entries = known.claims[claim.id].values()
    worths = {each.record.get("worth") for each in entries}
    headline = hypotheses.of_worth(claim, "sales" if worths == {"sales"} else "margin").parts[0]
    parts = [*known.headlines(claim).values(), *(each.record["parts"][0] for each in entries)]
    part = next((wording.in_plain_unit(part) for part in parts if "estimate" in part), None)
    unit = part["unit"] if part else headline.unit[known.language]
    yield f"{headline.label[known.language]} ({unit})"
    if part:
        yield words["claimed"].format(claim=wording.claim_range(part, known.language))
    if len(claim.parts) > 1:
        yield words["parts"].format(n=len(claim.parts))
    if claim.reading == "association":
        yield wording.words(known.language)["association"]


def _cell(entry: Entry | None, known: Overview) -> dict | None:
    """Return the cell of a region: verdict, numbers, and whether a check failed, or what broke."""
    if entry is None:
        return None
    record, language = known.judged(entry).record, known.language
    part, words = record["parts"][0], wording.words(language)
    said = [wording.interval(wording.in_plain_unit(part))] if "estimate" in part else []
    said = plain.decider(record) or said
    said += [words["check_failed"]] if wording.failed_checks(record) else []
    said += [record["reason"]] if record["verdict"] == "failed" else []
    return {
        "href": _short(entry.finding),
        "verdict": record["verdict"],
        "said": text("; ").join(said),
    } | _tried(entry, known, said)


def _tried(entry: Entry, known: Overview, said: Sequence[str]) -> dict:
    """Return what a trial makes of a region's cell; nothing where there is none."""
    tried = known.tried(entry)
    if tried is None:
        return {}
    notes = plain.by_trial([tried.trial], entry.record["verdict"], known.language)
    return {"href": _short(tried.href), "said": text("; ").join([*notes, *said])}


def _short(address: str) -> str:
    """Return an address with its letters as they are: thousands stand on the page."""
    return re.sub(r"(?:%[89A-F][0-9A-F])+", lambda found: unquote(found[0]), address)


def _link(entry: Entry, said: str) -> dict:
    """Return the cell of a notebook that tests no claim, or left no file: the page says why."""
    if entry.status != "failed":
        return {"href": entry.href, "said": said}
    return {"href": entry.href, "said": report.plain_message(entry.error), "verdict": "failed"}


def _other_rows(known: Overview, words: Mapping) -> list[dict]:
    """Return a row of links for each notebook that tests no hypothesis."""
    others = [entry for entry in known.entries if not entry.claim]
    titles = {entry.notebook: entry.title for entry in others}
    cells = {(each.notebook, *each.place): _link(each, words["index"]["open"]) for each in others}
    return [
        {"title": title, "cells": [cells.get((name, *place)) for place in known.places]}
        for name, title in titles.items()
    ]


def _file_rows(known: Overview, words: Mapping) -> list[dict]:
    """Return a row of links for each kind of file that stands beside the pages."""
    words, made_by, cells = words["index"], {}, {}
    for entry in known.entries:
        for href in entry.files:
            name = href.rpartition("/")[2].removeprefix(f"{entry.notebook}_")
            made_by[name] = entry.notebook
            cells[name, *entry.place] = {"href": href, "said": words["open_file"]}
    for entry in known.entries:
        for name, notebook in made_by.items():
            if entry.notebook == notebook:
                cells.setdefault((name, *entry.place), _link(entry, words["no_file"]))
    return [
        {
            "title": words["files"].get(name.removesuffix(".csv"), name),
            "cells": [cells.get((name, *place)) for place in known.places],
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


def _needs_font(known: Overview) -> bool:
    """Tell whether a name or the language has Chinese characters, which pictures must draw."""
    texts = [region for _, region in known.places]
    return known.language == "zh" or any("\u4e00" <= each <= "\u9fff" for each in "".join(texts))


@cache
def environment(language: str) -> jinja2.Environment:
    """Return the templates, which escape every text, with verdicts' chips in a language."""
    loader = jinja2.FileSystemLoader(report.TEMPLATES)
    made = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    chips = {verdict: Markup(card.chip(verdict, language)) for verdict in card.SYMBOLS}
    made.filters["chip"] = chips.__getitem__
    made.filters["letter"] = lambda verdict: verdict[0]
    made.globals["verdict_words"] = wording.words(language)["verdict"]
    return made
