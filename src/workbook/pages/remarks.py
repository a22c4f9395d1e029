"""What is to be said of whole sources: not pooled, regions that are gone or of other ages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from analysis.claims import across_regions, wording
from workbook.pages.overview import Overview

MOST_NAMED = 12
"""Regions that are named; of more the number is given."""


def notes(known: Overview) -> Iterator[str]:
    """Say of whole sources that nothing is pooled, or regions are gone or of other ages."""
    for source, row in known.family[~known.family["is_pooled"]].iterrows():
        yield why_not_pooled(source, row, known.language)
    yield from _ages(known)
    for source in dict(known.gone):
        regions = [region for own, region in known.gone if own == source]
        yield known.words["gone"].format(source=source, regions=_named(regions, known))


def why_not_pooled(source: str, row: Mapping, language: str) -> str:
    """Say why nothing is pooled over a source, given its row as from `across_regions.family`."""
    words, least = wording.words(language)["index"], across_regions.LEAST_REGIONS
    name = "not_pooled" if row["regions"] < least else "none_pooled"
    name = "one_region" if row["regions"] == 1 else name
    return words[name].format(source=source, n=row["regions"], most=row["poolable"], least=least)


def _ages(known: Overview) -> Iterator[str]:
    """Say of each source whose regions' data end on different days which ends when."""
    now = known.past[known.past["run"] == known.last]
    for source, own in now[now["data_until"] != ""].groupby("source", sort=False):
        ends = own.groupby("data_until")["region"].unique()
        named = [
            known.words["age"].format(day=day, regions=_named(regions, known))
            for day, regions in ends.items()
        ]
        if len(named) > 1:
            yield known.words["ages"].format(source=source, ages="; ".join(named))


def _named(regions: Sequence[str], known: Overview) -> str:
    """Name regions, or say how many they are."""
    if len(regions) > MOST_NAMED:
        return known.words["pooled"].format(n=len(regions))
    return wording.join(regions, known.language)
