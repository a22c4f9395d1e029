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
from analysis.claims.hypotheses import Hypothesis, Part
from workbook.pages import history

MOST_NAMED = 12
"""Regions that are named; of more the number is given."""

Axis = tuple[float, float] | None
"""The ends of the scale of a row; None where nothing is drawn in it."""


@dataclass(frozen=True)
class Overview:
    """What is known beyond the single region, and how the index says it."""

    pools: pd.DataFrame  # as from `across_regions.pooled`
    families: pd.DataFrame  # as from `across_regions.by_region`
    past: pd.DataFrame  # as from `history.read`
    pages: Mapping[str, tuple[str, str]]
    """By source: address of the page over all its regions, and why its notebook failed, if so."""
    gone: tuple[tuple[str, str], ...] = ()
    """Source and region of reports that count nowhere: the region is no longer in the data."""
    language: str = "en"

    @cached_property
    def family(self) -> pd.DataFrame:
        """As from `across_regions.family`."""
        return across_regions.family(self.families, self.pools)

    @cached_property
    def sources(self) -> list[str]:
        """Sources with effects that are pooled, in their order."""
        return self.family.index[self.family["is_pooled"]].tolist()

    @property
    def words(self) -> Mapping:
        """The fixed words of the index."""
        return wording.words(self.language)["index"]

    def page(self, source: str) -> tuple[str, str]:
        """Return address of a source's page over all regions, and why its notebook failed."""
        return self.pages.get(source, ("", ""))

    def headlines(self, known: Hypothesis) -> dict[str, dict]:
        """Return the pooled first part of a hypothesis as a part's record, by source."""
        part, own = known.parts[0], self.pools[self.pools["hypothesis"] == known.id]
        rows = own[(own["part"] == part.key) & own["estimate"].notna()].to_dict("records")
        return {row["source"]: part_record(part, row, self.language) for row in rows}

    def cell(self, source: str, known: Hypothesis, scale: Axis) -> dict | None:
        """Return the cell of a hypothesis over all regions of a source; None where it has none."""
        pools = self.pools[self.pools["source"] == source]
        own = pools[pools["hypothesis"] == known.id]
        if own.empty:
            return None
        row, (href, _) = own.iloc[0].to_dict(), self.page(source)
        anchor = quote(f"{known.id} {known.title['en']}".replace(" ", "-"))
        shown = {"href": f"{href}#{anchor}" if href else ""}
        shown |= {"verdict": row["verdict"], "reason": row["reason"]}
        if pd.isna(row["estimate"]):
            return shown | {"notes": [self.words["no_family"]]}
        part = part_record(known.parts[0], row, self.language)
        notes = [self.words["pooled"].format(n=row["n_regions"])]
        if row["n_regions"] >= across_regions.LEAST_TO_PREDICT:
            ends = {
                end: wording.format_value(row[f"prediction_{end}"], part["show"])
                for end in ("low", "high")
            }
            notes.append(self.words["elsewhere"].format(**ends))
        shown |= drawn(part, scale) | {"notes": notes}
        shown |= self._line(source, history.EVERYWHERE, known, scale)
        return shown | self._family_note(row, pools)

    def region_notes(self, source: str, region: str, known: Hypothesis, scale: Axis) -> dict:
        """Return what stands beside a region's effect where it is not pooled.

        Its line over the runs and, where nothing is pooled over its source, its family.
        """
        if source in self.headlines(known):
            return {}
        line = self._line(source, region, known, scale)
        own = self.families[self.families["source"] == source]
        own = own[own["region"] == region]
        row = own[own["hypothesis"] == known.id]
        if source in self.sources or row.empty or pd.isna(row["p_value"].iloc[0]):
            return line
        return line | self._family_note(row.iloc[0], own)

    def notes(self) -> Iterator[str]:
        """Say of whole sources that nothing is pooled, or regions are gone or of other ages."""
        for source, row in self.family[~self.family["is_pooled"]].iterrows():
            yield why_not_pooled(source, row, self.language)
        yield from self._ages()
        for source in dict(self.gone):
            regions = [region for own, region in self.gone if own == source]
            yield self.words["gone"].format(source=source, regions=self._named(regions))

    def _ages(self) -> Iterator[str]:
        """Say of each source whose regions' data end on different days which ends when."""
        now = self.past[self.past["run"] == self.past["run"].max()]
        for source, own in now[now["data_until"] != ""].groupby("source", sort=False):
            ends = own.groupby("data_until")["region"].unique()
            named = [
                self.words["age"].format(day=day, regions=self._named(regions))
                for day, regions in ends.items()
            ]
            if len(named) > 1:
                yield self.words["ages"].format(source=source, ages="; ".join(named))

    def _named(self, regions: Sequence[str]) -> str:
        """Name regions, or say how many they are."""
        if len(regions) > MOST_NAMED:
            return self.words["pooled"].format(n=len(regions))
        return wording.join(regions, self.language)

    def _family_note(self, row: Mapping, family: pd.DataFrame) -> dict:
        """Return whether a verdict that decides something stands among all that were tried."""
        if row["verdict"] not in across_regions.BEST_FIRST[:3]:
            return {}
        size = int(family.drop_duplicates("hypothesis")["p_value"].notna().sum())
        kind, word = ("stands", "stands") if row["survives"] else ("warning", "falls")
        return {kind: self.words[f"{word}_alone" if size == 1 else word].format(n=size)}

    def _line(self, source: str, region: str, known: Hypothesis, scale: Axis) -> dict:
        """Return an effect's line over the runs, and its first and last value in words.

        Empty where there are fewer than two runs with a value, or the last run has none.
        """
        part = known.parts[0]
        runs = history.lines(self.past, source, known.id, part.key)
        own = runs[region].dropna() if region in runs else pd.Series(dtype=float)
        if scale is None or len(own) < 2 or own.index[-1] != self.past["run"].max():
            return {}
        shown = runs if region == history.EVERYWHERE else runs[[region]]
        days = history.days(self.past, source, region)
        ends = [self._at_run(run, days[run], own[run], part) for run in own.index[[0, -1]]]
        return {
            "line": Markup(card.line_svg(shown, region, part.scale, *scale)),
            "line_words": wording.join(ends, self.language),
        }

    def _at_run(self, run: int, day: str, value: float, part: Part) -> str:
        """Say what an effect was after a run, with the last day of the data where it is known."""
        effect = wording.format_value(value, part.show)
        return self.words["at_run" if day else "at_undated_run"].format(
            run=run, day=day, effect=effect
        )


def drawn(part: Mapping, scale: Axis) -> dict:
    """Return the drawing of a part's record on a scale, and its numbers."""
    return {
        "drawing": Markup(card.interval_svg(part, *scale)),
        "effect": wording.interval(part),
    }


def why_not_pooled(source: str, row: Mapping, language: str) -> str:
    """Say why nothing is pooled over a source, given its row as from `across_regions.family`."""
    words, least = wording.words(language)["index"], across_regions.LEAST_REGIONS
    name = "not_pooled" if row["regions"] < least else "none_pooled"
    name = "one_region" if row["regions"] == 1 else name
    return words[name].format(source=source, n=row["regions"], most=row["poolable"], least=least)
