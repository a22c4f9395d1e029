"""Findings, history, index and region pages of a folder, from the executed notebooks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import nbformat
import pandas as pd

from analysis import language
from analysis.claims import across_regions, findings, hypotheses
from analysis.claims.finding import no_finding
from analysis.data.errors import DataError
from analysis.data.files import make_room, write_text
from workbook.pages import history, index, navigation, plain, region_page, report
from workbook.pages.entry import Entry
from workbook.pages.overview import Overview
from workbook.running import up_to_date
from workbook.running.plan import ACROSS


def rebuild(reports: Path, lost: Sequence[str] = ()) -> list[Entry]:
    """Write findings, history and index anew from the executed notebooks in a folder.

    The index says which reports were `lost`: could not be written, each with the reason.
    """
    entries = collect(reports)
    write_index(reports, entries, write_findings(reports, entries), lost)
    return entries


def collect(reports: Path) -> list[Entry]:
    """Return what the index needs to know of the regions' executed notebooks in a folder.

    Those of regions that are no longer in the data are left out.
    """
    found = (_entry_if_whole(path, reports) for path in up_to_date.of_regions(reports))
    return [each for each in found if each is not None]


def write_findings(reports: Path, entries: Sequence[Entry]) -> pd.DataFrame:
    """Write the findings of all reports, and return them as from `findings.tidy`."""
    records = [entry.record for entry in entries if entry.claim]
    found = findings.tidy(records)
    findings.write(found, findings.variants(records), reports, findings.tests(records))
    return found


def write_index(
    reports: Path, entries: Sequence[Entry], found: pd.DataFrame, lost: Sequence[str] = ()
) -> None:
    """Write the history and the index; see `rebuild`."""
    with _in_language(index.language_of(entries)):
        _write_index(reports, entries, found, lost)


@contextmanager
def _in_language(name: str) -> Iterator[None]:
    """Compute sentences in a language."""
    before = language.current()
    language.use(name)
    try:
        yield
    finally:
        language.use(before)


def _write_index(
    reports: Path, entries: Sequence[Entry], found: pd.DataFrame, lost: Sequence[str]
) -> None:
    """Write the history and the index, in the language of the process."""
    records = [entry.record for entry in entries if entry.claim]
    pools = across_regions.pooled(found, findings.variants(records), findings.tests(records))
    unread = [*up_to_date.unreadable(reports), *_without_entry(reports, entries)]
    try:
        past = history.append(reports, found, pools)
    except DataError as error:  # it stays as it is, for whoever mends it
        past, unread = history.empty(), [*unread, str(error)]
    over = [path for path in up_to_date.over_regions(reports) if path.stem == ACROSS]
    over = [each for path in over if (each := _entry_if_whole(path, reports))]
    pages = {each.source: (each.href, each.error) for each in over}
    gone = dict.fromkeys(path.parts[-3:-1] for path in up_to_date.of_regions(reports, gone=True))
    families, others = across_regions.by_region(found), findings.variants(records)
    beyond = Overview(pools, families, past, pages, tuple(gone), found=found, variants=others)
    known = index.with_entries(beyond, entries)
    for place, own in known.by_place.items():
        page = reports.joinpath(*place, "index.html")
        make_room(page)
        write_text(page, region_page.page(place, own, known))
    write_text(reports / "index.html", index.index(entries, beyond, [*lost, *unread]))
    above = [reports / each.source / f"{ACROSS}.html" for each in over]
    navigation.fill(reports, entries, known.language, above, _of_trials(reports, known))
    if not lost:  # else the next run writes the index again, without what is said of them
        up_to_date.indexed(reports)


def _of_trials(reports: Path, known: Overview) -> dict[Path, tuple[Path, str]]:
    """Return by a claim's page that of its trial, and what the trial says of the claim."""
    found = {}
    for entry in known.entries:
        if entry.record and (tried := known.tried(entry)):
            notes = plain.by_trial([tried.trial], entry.record["verdict"], known.language)
            pages = [
                reports.joinpath(*each.place, f"{each.notebook}.html") for each in (entry, tried)
            ]
            found[pages[0]] = (pages[1], language.text("; ").join(notes))
    return found


def _entry_if_whole(path: Path, reports: Path) -> Entry | None:
    """Return what the index needs to know of a notebook; nothing if its cells are not as they were.

    Somebody may have changed it, or another program: whatever is wrong there ends nothing.
    """
    try:
        return _entry(path, reports)
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError):
        return None


def _without_entry(reports: Path, entries: Sequence[Entry]) -> list[str]:
    """Return a sentence for each report of a region that has no entry."""
    known = {each.href for each in entries}
    names = [path.relative_to(reports) for path in up_to_date.of_regions(reports)]
    return [
        f"{name.as_posix()}: not read; it is no whole report of a run."
        for name in names
        if quote(name.with_suffix(".html").as_posix()) not in known
    ]


def _entry(path: Path, reports: Path) -> Entry:
    """Return what the index needs to know of an executed notebook."""
    # Not validated: for all reports together that would take longer than to make one.
    notebook = nbformat.v4.reads(path.read_text(encoding="utf-8"))
    about = notebook.metadata["workbook"]
    page = path.with_suffix(".html").relative_to(reports)
    record = _record(notebook, about) if about["claim"] else None
    return Entry(
        source=about["source"],
        region=about["region"],
        notebook=about["notebook"],
        theme=about["theme"],
        claim=about["claim"],
        href=quote(page.as_posix()),
        status=about["status"],
        error=about["error"],
        title=report.title(notebook),
        record=_of_run(record, about) if record else None,
        trial=next(_trials(notebook, about), None),
        files=tuple(
            quote(file.relative_to(reports).as_posix()) for file in up_to_date.files_of(path)
        ),
    )


def _trials(notebook: nbformat.NotebookNode, about: Mapping) -> Iterator[Mapping]:
    """Yield what trials decided that a notebook without a claim has read back."""
    own = {"source": about["source"], "region": about["region"]}
    for record in findings.of_trials(notebook) if not about["claim"] else ():
        if own.items() <= record.items() and record["hypothesis"] in hypotheses.register():
            yield record


def _of_run(record: Mapping, about: Mapping) -> dict:
    """Return a record with what its run says of it: where it is from, and the page's language."""
    language = about.get("language", record["language"])
    return {**record, **about["provenance"], "language": language}


def _record(notebook: nbformat.NotebookNode, about: Mapping) -> dict:
    """Return the finding of an executed notebook; one of an earlier version may be another's."""
    own = {"source": about["source"], "region": about["region"], "hypothesis": about["claim"]}
    for record in findings.records(notebook):
        if own.items() <= record.items():
            return findings.checked(record)
    known = hypotheses.hypothesis(about["claim"])
    why = about["error"] or f"The report has no finding on {known.id} for {about['region']}."
    where, language = (about["source"], about["region"]), about.get("language", "en")
    return no_finding(known, *where, "failed", why, language=language).record()
