"""What the index says beyond the single region: all regions together, and what changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote

import pandas as pd
from markupsafe import Markup

from analysis.claims import across_regions, card, wording
from analysis.claims.finding import part_record
from analysis.claims.hypotheses import Hypothesis
from workbook.pages import history

MOST_NAMED = 12
"""Regions that are named; of more the number is given."""


@dataclass(frozen=True)
class Overview:
    """What is known beyond the single region.

    Attributes
    ----------
    pools : DataFrame
        As from `across_regions.pooled`.
    families : DataFrame
        As from `across_regions.by_region`.
    past : DataFrame
        As from `history.read`.
    pages : dict of str to tuple of str
        By source: address of the page over all its regions, and why its notebook failed (empty
        if it did not).
    gone : tuple of tuple of str
        Source and region of reports that count nowhere: the region is no longer in the data.
    """

    pools: pd.DataFrame
    families: pd.DataFrame
    past: pd.DataFrame
    pages: Mapping[str, tuple[str, str]]
    gone: tuple[tuple[str, str], ...] = ()

    @cached_property
    def family(self) -> pd.DataFrame:
        """As from `across_regions.family`."""
        return across_regions.family(self.families, self.pools)

    @cached_property
    def sources(self) -> list[str]:
        """Sources with effects that are pooled, in their order."""
        return self.family.index[self.family["is_pooled"]].tolist()


def heads(beyond: Overview, several: bool, language: str) -> list[dict]:
    """Return the heads of the columns over all regions of a source.

    Parameters
    ----------
    beyond : Overview
        What is known.
    several : bool
        Whether the index has several sources, which must be named.
    language : {"en", "zh"}
    """
    words = wording.words(language)["index"]
    return [
        {
            "region": words["all_regions"],
            "source": source if several else "",
            "href": beyond.pages.get(source, ("", ""))[0],
            "failed": beyond.pages.get(source, ("", ""))[1],
        }
        for source in beyond.sources
    ]


def headlines(beyond: Overview, known: Hypothesis, language: str) -> dict[str, dict]:
    """Return the pooled first part of a hypothesis as a part's record, by source."""
    part = known.parts[0]
    rows = beyond.pools[
        (beyond.pools["hypothesis"] == known.id)
        & (beyond.pools["part"] == part.key)
        & beyond.pools["estimate"].notna()
    ]
    return {
        row["source"]: part_record(part, row, language) for row in rows.to_dict(orient="records")
    }


def cell(
    beyond: Overview, source: str, known: Hypothesis, scale: tuple | None, language: str
) -> dict | None:
    """Return the cell of a hypothesis over all regions of a source; None where it has none."""
    own = beyond.pools[
        (beyond.pools["source"] == source) & (beyond.pools["hypothesis"] == known.id)
    ]
    if own.empty:
        return None
    row, words = own.iloc[0].to_dict(), wording.words(language)["index"]
    shown = {
        "href": _address(beyond, source, known),
        "verdict": row["verdict"],
        "chip": Markup(card.chip(row["verdict"], language)),
        "reason": row["reason"],
    }
    if pd.isna(row["estimate"]):
        return shown | {"notes": [words["no_family"]]}
    part = part_record(known.parts[0], row, language)
    shown["drawing"] = Markup(card.interval_svg(part, *scale))
    shown["effect"] = wording.interval(part)
    shown["notes"] = [words["pooled"].format(n=row["n_regions"]), *_elsewhere(part, row, words)]
    shown |= _line(beyond, source, history.EVERYWHERE, scale, known, language)
    size = own_family(beyond.pools[beyond.pools["source"] == source])
    return shown | _family_note(row["verdict"], bool(row["survives"]), size, words)


def region_notes(
    beyond: Overview,
    source: str,
    region: str,
    known: Hypothesis,
    scale: tuple | None,
    language: str,
) -> dict:
    """Return what stands beside a region's effect where it is not pooled.

    Its line over the runs and, where nothing is pooled over its source, its family.
    """
    if source in headlines(beyond, known, language):
        return {}
    line = _line(beyond, source, region, scale, known, language)
    own = beyond.families[
        (beyond.families["source"] == source) & (beyond.families["region"] == region)
    ]
    row = own[own["hypothesis"] == known.id]
    if source in beyond.sources or row.empty or pd.isna(row["p_value"].iloc[0]):
        return line
    verdict, survives = row["verdict"].iloc[0], bool(row["survives"].iloc[0])
    words = wording.words(language)["index"]
    return line | _family_note(verdict, survives, own_family(own), words)


def own_family(rows: pd.DataFrame) -> int:
    """Return how many hypotheses a family has: those with a p-value."""
    return int(rows.drop_duplicates("hypothesis")["p_value"].notna().sum())


def notes(beyond: Overview, language: str) -> list[str]:
    """Say what holds for whole sources: nothing is pooled, regions are gone, or of other ages."""
    words = wording.words(language)["index"]
    rows = beyond.family[~beyond.family["is_pooled"]].iterrows()
    unpooled = [why_not_pooled(source, row, language) for source, row in rows]
    gone: dict[str, list[str]] = {}
    for source, region in beyond.gone:
        gone.setdefault(source, []).append(region)
    return [*unpooled, *_ages(beyond, language)] + [
        words["gone"].format(source=source, regions=_named(regions, language))
        for source, regions in gone.items()
    ]


def why_not_pooled(source: str, row: Mapping, language: str) -> str:
    """Say why nothing is pooled over a source's regions; row as from `across_regions.family`."""
    words, least = wording.words(language)["index"], across_regions.LEAST_REGIONS
    name = "not_pooled" if row["regions"] < least else "none_pooled"
    name = "one_region" if row["regions"] == 1 else name
    return words[name].format(source=source, n=row["regions"], most=row["poolable"], least=least)


def _named(regions: Sequence[str], language: str) -> str:
    """Name regions, or say how many they are."""
    if len(regions) > MOST_NAMED:
        return wording.words(language)["index"]["pooled"].format(n=len(regions))
    return wording.join(regions, language)


def _ages(beyond: Overview, language: str) -> Iterator[str]:
    """Say of each source whose regions' data end on different days which ends when."""
    words, past = wording.words(language)["index"], beyond.past
    now = past[(past["run"] == past["run"].max()) & (past["data_until"] != "")]
    for source, own in now.groupby("source", sort=False):
        ends = own.groupby("data_until")["region"].unique()
        named = [
            words["age"].format(day=day, regions=_named(regions, language))
            for day, regions in ends.items()
        ]
        if len(named) > 1:
            yield words["ages"].format(source=source, ages="; ".join(named))


def _family_note(verdict: str, survives: bool, size: int, words: Mapping) -> dict:
    """Return whether a verdict that decides something stands among all that were tried."""
    if verdict not in across_regions.BEST_FIRST[:3]:
        return {}
    alone = "_alone" if size == 1 else ""
    if survives:
        return {"stands": words[f"stands{alone}"].format(n=size)}
    return {"warning": words[f"falls{alone}"].format(n=size)}


def _elsewhere(part: Mapping, row: Mapping, words: Mapping) -> list[str]:
    """Say where the effect of a further region would lie, where that can be said."""
    if row["n_regions"] < across_regions.LEAST_TO_PREDICT:
        return []
    low, high = (
        wording.format_value(row[name], part["show"])
        for name in ("prediction_low", "prediction_high")
    )
    return [words["elsewhere"].format(low=low, high=high)]


def _line(
    beyond: Overview,
    source: str,
    region: str,
    scale: tuple | None,
    known: Hypothesis,
    language: str,
) -> dict:
    """Return an effect's line over the runs, and its first and last value in words.

    Empty where there are fewer than two runs with a value, or the last run has none.
    """
    part = known.parts[0]
    runs = history.lines(beyond.past, source, known.id, part.key)
    own = runs[region].dropna() if region in runs else pd.Series(dtype=float)
    if scale is None or len(own) < 2 or own.index[-1] != beyond.past["run"].max():
        return {}
    shown = runs if region == history.EVERYWHERE else runs[[region]]
    days, words = history.days(beyond.past, source, region), wording.words(language)["index"]
    first, last = (
        words["at_run" if days[run] else "at_undated_run"].format(
            run=run, day=days[run], effect=wording.format_value(own[run], part.show)
        )
        for run in own.index[[0, -1]]
    )
    return {
        "line": Markup(card.line_svg(shown, region, part.scale, *scale)),
        "line_words": wording.join([first, last], language),
    }


def _address(beyond: Overview, source: str, known: Hypothesis) -> str:
    """Return where the page over all regions shows a hypothesis."""
    href = beyond.pages.get(source, ("", ""))[0]
    heading = f"{known.id} {known.title['en']}".replace(" ", "-")
    return f"{href}#{quote(heading)}" if href else ""
