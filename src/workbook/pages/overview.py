"""What index and region pages say beyond the single finding: all regions together, earlier runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from urllib.parse import quote

import pandas as pd
from markupsafe import Markup

from analysis.claims import across_regions, card, findings, hypotheses, wording
from analysis.claims.across_regions import sample_size
from analysis.claims.finding import part_record
from analysis.claims.hypotheses import Hypothesis, Part
from workbook.pages import changes, history, plain
from workbook.pages.entry import Entry, Place, judged, trials_of

DECIDED = across_regions.BEST_FIRST[:3]

Axis = tuple[float, float] | None
"""The ends of the scale of a claim's drawings; None where nothing is drawn."""


@dataclass(frozen=True)
class Overview:
    """What is known beyond the single region, and how the pages say it."""

    pools: pd.DataFrame  # as from `across_regions.pooled`
    families: pd.DataFrame  # as from `across_regions.by_region`
    past: pd.DataFrame  # as from `history.read`
    pages: Mapping[str, tuple[str, str]]
    """By source: address of the page over all its regions, and why its notebook failed, if so."""
    gone: tuple[Place, ...] = ()
    """Source and region of reports that count nowhere: the region is no longer in the data."""
    language: str = "en"
    found: pd.DataFrame = field(default_factory=lambda: findings.tidy([]))
    variants: pd.DataFrame = field(default_factory=lambda: findings.variants([]))
    entries: tuple[Entry, ...] = ()

    @cached_property
    def family(self) -> pd.DataFrame:
        """As from `across_regions.family`."""
        return across_regions.family(self.families, self.pools)

    @cached_property
    def sources(self) -> list[str]:
        """Sources with effects that are pooled, in their order."""
        return self.family.index[self.family["is_pooled"]].tolist()

    @cached_property
    def by_place(self) -> dict[Place, list[Entry]]:
        """By source and region, in their order, their entries."""
        found = defaultdict(list)
        for entry in self.entries:
            found[entry.place].append(entry)
        return dict(found)

    @property
    def places(self) -> list[Place]:
        """Source and region of all entries, in their order."""
        return list(self.by_place)

    @cached_property
    def claims(self) -> dict[str, dict[Place, Entry]]:
        """By claim, in the order of the register, its entries by place."""
        found: dict[str, dict] = {key: {} for key in hypotheses.register()}
        for entry in self.entries:
            if entry.claim:
                found[entry.claim][entry.place] = entry
        return {key: each for key, each in found.items() if each}

    @cached_property
    def trials(self) -> dict[tuple[str, str], dict[str, Entry]]:
        """By source and claim, the entries that say what a trial decided, by region."""
        return trials_of(self.entries)

    def tried(self, entry: Entry) -> Entry | None:
        """Return what says what a trial decided of a finding's claim in its region."""
        return self.trials.get((entry.source, entry.claim), {}).get(entry.region)

    def judged(self, entry: Entry) -> Entry:
        """Return a finding with what a trial in its region has decided, as `entry.judged`."""
        return replace(entry, record=judged(entry.record, self.tried(entry)))

    @cached_property
    def scales(self) -> dict[str, Axis]:
        """By claim, the scale on which the first part of it is drawn everywhere."""
        found = {}
        for key, each in self.claims.items():
            parts = [entry.record["parts"][0] for entry in each.values()]
            own = self.headlines(hypotheses.hypothesis(key)).values()
            parts = [part for part in [*parts, *own] if "estimate" in part]
            found[key] = card.scale_of(parts) if parts else None
        return found

    @property
    def words(self) -> Mapping:
        """The fixed words of what stands beside an effect."""
        return wording.words(self.language)["index"]

    def page(self, source: str) -> tuple[str, str]:
        """Return address of a source's page over all regions, and why its notebook failed."""
        return self.pages.get(source, ("", ""))

    def pooled(self, source: str, key: str) -> list[dict]:
        """Return the pooled parts of a claim as rows; none where it was not pooled."""
        return self._pooled.get((source, key), [])

    def pooled_part(self, source: str, known: Hypothesis, part: Part) -> dict | None:
        """Return a pooled part as a part's record; None where it has no numbers."""
        for row in self.pooled(source, known.id):
            if row["part"] == part.key and pd.notna(row["estimate"]):
                plain = self._plain.get((source, known.id, part.key))
                made = part_record(part, row, self.language)
                return made | ({"plain": plain} if plain else {})
        return None

    def headlines(self, known: Hypothesis) -> dict[str, dict]:
        """Return the pooled first part of a hypothesis as a part's record, by source."""
        return self._headlines.get(known.id, {})

    @cached_property
    def _headlines(self) -> dict[str, dict[str, dict]]:
        """As `headlines`, by hypothesis."""
        found = defaultdict(dict)
        for source, key in self._pooled:
            known = hypotheses.hypothesis(key)
            if part := self.pooled_part(source, known, known.parts[0]):
                found[key][source] = part
        return found

    @cached_property
    def changed(self) -> pd.DataFrame:
        """What changed since the run before, as from `history.changes`."""
        return history.changes(self.past)

    def changed_in(self, place: Place) -> pd.DataFrame:
        """Return what changed in a region."""
        return self._changed.get(place, self.changed[:0])

    @cached_property
    def _changed(self) -> dict[Place, pd.DataFrame]:
        return dict(list(self.changed.groupby(["source", "region"])))

    def finding_over_all(self, source: str, known: Hypothesis) -> str:
        """Return the address of a claim on the page over all regions; empty where there is none."""
        href, anchor = self.page(source)[0], f"{known.id} {known.title['en']}".replace(" ", "-")
        return f"{href}#{quote(anchor)}" if href else ""

    def cell(self, source: str, known: Hypothesis) -> dict | None:
        """Return the cell of a hypothesis over all regions of a source; None where it has none."""
        own, scale = self.pooled(source, known.id), self.scales.get(known.id)
        if not own:
            return None
        row, shown = own[0], {"href": self.finding_over_all(source, known)}
        why = self.pools[self.pools["hypothesis"] == known.id]
        why = across_regions.why_open(why[why["source"] == source], self._plain).iloc[0]
        shown |= {"verdict": row["verdict"], "reason": why}
        trials = [each.trial for each in self.trials.get((source, known.id), {}).values()]
        notes = plain.by_trial(trials, row["verdict"], self.language)
        part = self.pooled_part(source, known, known.parts[0])
        if part is None:
            return shown | {"notes": [*notes, self.words["no_family"]]}
        times = part.get("plain", {}).get("times", 1.0)
        parts = [self.pooled_part(source, known, each) for each in known.parts]
        record = {"verdict": row["verdict"], "parts": parts, "checks": []}
        notes += [] if row["reason"] else plain.decider(record | {"language": self.language})
        notes.append(self.words["pooled"].format(n=row["n_regions"]))
        if row["n_regions"] >= across_regions.LEAST_TO_PREDICT:
            ends = {
                end: known.parts[0].written(times * row[f"prediction_{end}"], self.language)
                for end in ("low", "high")
            }
            notes.append(self.words["elsewhere"].format(**ends))
        shown |= drawn(part, scale) | {"notes": notes}
        shown |= self._line((source, history.EVERYWHERE), known, part, scale)
        return shown | self._family_note(row, self._sizes[source, history.EVERYWHERE])

    def region_notes(self, place: Place, known: Hypothesis, part: Mapping, scale: Axis) -> dict:
        """Return what stands beside a region's effect, drawn on a scale.

        Its line over the runs and, where nothing is pooled over its source, its family.
        """
        source, region = place
        line = self._line(place, known, part, scale)
        row = self._families.get((source, region, known.id))
        if source in self.sources or row is None or pd.isna(row["p_value"]):
            return line
        return line | self._family_note(row, self._sizes[place])

    @cached_property
    def until(self) -> str:
        """The last day of all data, as a date; empty where none is known."""
        days = [entry.record.get("data_until") or "" for entry in self.entries if entry.record]
        return max(days, default="")

    @cached_property
    def needs(self) -> dict[str, dict[str, dict]]:
        """By source and claim, what would decide a pooled one: as `sample_size.pooled_needs`."""
        return {
            source: sample_size.pooled_needs(
                self._of(self.found, source), self._of(self.variants, source),
                self._of(self.pools, source),
            ).to_dict("index")
            for source in (self.sources if len(self.found) else ())
        }  # fmt: skip

    @cached_property
    def times(self) -> dict[str, dict[str, dict]]:
        """By source, region and claim, how many times its data a region would need."""
        sources = self.found["source"].unique()
        tables = {each: sample_size.times_needed(self._of(self.found, each)) for each in sources}
        return {source: table.to_dict() for source, table in tables.items()}

    @cached_property
    def _pooled(self) -> dict[tuple, list[dict]]:
        groups = self.pools.groupby(["source", "hypothesis"], sort=False)
        return {key: own.to_dict("records") for key, own in groups}

    @cached_property
    def _families(self) -> dict[tuple, dict]:
        rows = self.families.to_dict("records")
        return {(row["source"], row["region"], row["hypothesis"]): row for row in rows}

    @cached_property
    def _sizes(self) -> dict[Place, int]:
        """How many claims were tested at once: in a region, and of those that are pooled."""
        sizes = defaultdict(int)
        for row in self._families.values():
            sizes[row["source"], row["region"]] += pd.notna(row["p_value"])
        for (source, _), rows in self._pooled.items():
            sizes[source, history.EVERYWHERE] += pd.notna(rows[0]["p_value"])
        return sizes

    @cached_property
    def _plain(self) -> dict[tuple, dict]:
        return plain.mean_units(entry.record for entry in self.entries if entry.record)

    @cached_property
    def _runs(self) -> dict[tuple, pd.DataFrame]:
        """By source, claim and part, its effects over the runs, as from `history.lines`."""
        groups = self.past.groupby(["source", "hypothesis", "part"], sort=False)
        return {key: history.lines(own, *key) for key, own in groups}

    @cached_property
    def _days(self) -> dict[Place, pd.Series]:
        return history.days(self.past)

    @cached_property
    def last(self) -> int:
        """The number of the last run."""
        return self.past["run"].max()

    def _of(self, table: pd.DataFrame, source: str) -> pd.DataFrame:
        """Return the rows of a source."""
        return table[table["source"] == source]

    def _family_note(self, row: Mapping, size: int) -> dict:
        """Return whether a verdict that decides something stands among all that were tried."""
        if row["verdict"] not in DECIDED:
            return {}
        kind, word = ("stands", "stands") if row["survives"] else ("warning", "falls")
        return {kind: self.words[f"{word}_alone" if size == 1 else word].format(n=size)}

    def _line(self, place: Place, known: Hypothesis, record: Mapping, scale: Axis) -> dict:
        """Return the line of a part's record over the runs, and its first and last value in words.

        In words it is in a manager's unit. Empty where it has not changed from run to run (others'
        data may have), or the last run has none.
        """
        (source, region), times = place, record.get("plain", {}).get("times", 1.0)
        part = next(each for each in known.parts if each.key == record["key"])
        runs = self._runs.get((source, known.id, part.key))
        own = runs[region].dropna() if runs is not None and region in runs else ()
        if scale is None or len(own) < 2 or own.index[-1] != self.last or own.nunique() < 2:
            return {}

        def written(value: float) -> str:
            return part.written(times * value, self.language)

        shown, days = runs if region == history.EVERYWHERE else runs[[region]], self._days
        ends = [
            changes.at_run(run, days[source, region].get(run, ""), written(own[run]), self.language)
            for run in own.index[[0, -1]]
        ]
        return {
            "line": Markup(card.line_svg(shown, region, part.scale, *scale)),
            "line_words": wording.join(ends, self.language),
        }


def drawn(part: Mapping, scale: Axis) -> dict:
    """Return the drawing of a part's record on a scale, and its numbers."""
    return {
        "drawing": Markup(card.interval_svg(part, *scale)),
        "effect": wording.interval(wording.in_plain_unit(part)),
    }
