"""The answer first: a few computed sentences over all regions, or for one of them."""

from __future__ import annotations

from collections.abc import Sequence

from workbook.pages.answers.alone import Alone, apart
from workbook.pages.answers.pooled import Pooled
from workbook.pages.answers.view import FALSE, Answer, joined
from workbook.pages.entry import Entry, Place
from workbook.pages.overview import Overview

__all__ = ["Answer", "apart", "of_region", "over_all"]


def over_all(source: str, known: Overview, lost: Sequence[Entry] = ()) -> list[Answer]:
    """Answer for a source: what to act on, what not, what is open, differs and has changed.

    `lost` are the reports of notebooks without a claim that failed.
    """
    if source in known.sources:
        view = Pooled(source, known)
    else:
        entries = [entry for each in known.claims.values() for entry in each.values()]
        view = Alone(source, known, [entry for entry in entries if entry.source == source])
    said = [
        *view.settled("act", ("supported",)),
        *view.settled("stop", FALSE),
        *view.unsettled(),
        *view.apart(),
        *view.broken(lost),
        *view.changed(known.changed),
    ]
    return joined(said)


def of_region(
    place: Place, found: Sequence[Entry], known: Overview, prefix: str = ""
) -> list[Answer]:
    """Give the five answers for a region from its findings; `prefix` stands before addresses."""
    view = Alone(place[0], known, found, place[1], prefix)
    said = [
        *view.settled("act", ("supported",)),
        *view.settled("stop", FALSE),
        *view.unsettled(),
        *view.apart(),
        *view.changed(known.changed_in(place)),
    ]
    return joined(said)
