"""The page of a region: its answers, all its claims, its lists, what sets it apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from markupsafe import Markup

from analysis.claims import card, hypotheses, wording
from workbook.pages import answers, changes, index, plain, report
from workbook.pages.entry import Entry, Place
from workbook.pages.overview import Overview

HOME = "../../"
"""From a region's page to the index; addresses of entries are relative to the index."""
ALPHA = 0.05


def page(place: Place, own: Sequence[Entry], known: Overview) -> str:
    """Return the page of a region.

    Parameters
    ----------
    place : tuple of str
        Source and region.
    own : sequence of Entry
        Its entries, in the language of the overview.
    known : Overview
        With the entries of all regions.
    """
    language, words = known.language, wording.words(known.language)
    tested = [entry for entry in own if entry.claim]
    order = list(hypotheses.register())
    tested.sort(key=lambda entry: order.index(entry.claim))
    apart = answers.apart(tested, known)
    compared = sum(bool(known.headlines(hypotheses.hypothesis(each.claim))) for each in tested)
    ran = {entry.claim for entry in tested}
    missing = [key for key in known.claims if key not in ran]
    template = index.environment(language).get_template("region.html.j2")
    return template.render(
        language=language,
        source=place[0],
        region=place[1],
        home=HOME,
        words=words,
        own=plain.words(language),
        about=_about(tested, language),
        answers=answers.of_region(place, tested, known, HOME),
        rows=[_row(entry, known) for entry in tested],
        lists=list(_lists(own, known)),
        apart=[_difference(*each) for each in apart],
        compared=compared,
        chance=f"{ALPHA * compared:.0f}",
        is_pooled=place[0] in known.sources,
        changes=changes.of_region(known.past, known.changed_in(place), language),
        missing=plain.named(missing, language),
        fingerprint=report.fingerprint([entry.record for entry in tested]),
        **report.assets("region"),
    )


def _about(tested: Sequence[Entry], language: str) -> str:
    """Say how many claims were run, and up to which day the data go."""
    words, n = plain.words(language), len(tested)
    until = max((entry.record.get("data_until") or "" for entry in tested), default="")
    return words["region"]["about" if until else "about_undated"].format(
        claims=words["index"]["claim" if n == 1 else "claims"].format(n=n),
        until=plain.day(until, language),
    )


def _row(entry: Entry, known: Overview) -> dict:
    """Return the row of a claim: verdict, effect and range, and what stands beside it."""
    record, language = known.judged(entry).record, known.language
    claim = hypotheses.hypothesis(entry.claim)
    part = wording.deciding_part(record)
    row = {
        "id": claim.id,
        "title": claim.title[language],
        "claim": claim.claim[language],
        "href": HOME + entry.finding,
        "verdict": record["verdict"],
        "reason": record["reason"],
    }
    if failed := wording.failed_checks(record):
        said = wording.words(language)["failed_names"].format(names=plain.named(failed, language))
        row["failed"] = said
    scale = known.scales[claim.id]
    if "estimate" in part:
        if part is not record["parts"][0] or part is not entry.record["parts"][0]:
            scale = card.scale_of([part])
        row |= {
            "drawing": Markup(card.interval_svg(part, *scale)),
            "effect": plain.effect(part, language),
            "n": wording.count(part, language),
        }
    if tried := known.tried(entry):
        notes = plain.by_trial([tried.trial], entry.record["verdict"], language)
        row |= {"notes": notes, "tried": HOME + tried.href}
    if tried is None or part is not tried.trial["part"]:
        row |= known.region_notes(entry.place, claim, part, scale)
    return row


def _lists(own: Sequence[Entry], known: Overview) -> Iterator[dict]:
    """Yield what else there is of a region: lists for its team, reports without a claim."""
    words = wording.words(known.language)["index"]
    for entry in own:
        for href in entry.files:
            name = href.rpartition("/")[2].removeprefix(f"{entry.notebook}_")
            title = words["files"].get(name.removesuffix(".csv"), name)
            yield {"href": HOME + href, "title": title}
    for entry in own:
        if not entry.claim:
            error = report.plain_message(entry.error) if entry.status == "failed" else ""
            yield {"href": HOME + entry.href, "title": entry.title, "error": error}


def _difference(entry: Entry, part: Mapping, mean: Mapping) -> dict:
    """Return an effect here, and over all regions."""
    known = hypotheses.hypothesis(entry.claim)
    language = entry.record["language"]
    return {
        "href": HOME + entry.finding,
        "title": f"{known.id} {known.title[language]}",
        "unit": f"{part['label']} ({wording.in_plain_unit(part)['unit']})",
        "here": wording.interval(wording.in_plain_unit(part)),
        "mean": wording.interval(wording.in_plain_unit(mean)),
    }
