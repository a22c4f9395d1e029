"""What the index says beyond the single region: all regions together, and what changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote

import pandas as pd
from markupsafe import Markup

from analysis import cards, findings, history, synthesis, wording
from analysis.hypotheses import Hypothesis


@dataclass(frozen=True)
class Overview:
    """What is known beyond the single region.

    Attributes
    ----------
    pools : DataFrame
        As from `synthesis.pooled`.
    families : DataFrame
        As from `synthesis.by_region`.
    past : DataFrame
        As from `history.read`.
    pages : dict of str to tuple of str
        By source: address of the page over all its regions, and why its notebook failed (empty
        if it did not).
    """

    pools: pd.DataFrame
    families: pd.DataFrame
    past: pd.DataFrame
    pages: Mapping[str, tuple[str, str]]

    @cached_property
    def sources(self) -> list[str]:
        """Sources with effects that are pooled, in their order."""
        with_numbers = self.pools[self.pools["estimate"].notna()]
        return with_numbers["source"].drop_duplicates().tolist()


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
        row["source"]: findings.part_record(part, row, language)
        for row in rows.to_dict(orient="records")
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
        "chip": Markup(cards.chip(row["verdict"], language)),
        "reason": row["reason"],
    }
    if pd.isna(row["estimate"]):
        return shown
    part = findings.part_record(known.parts[0], row, language)
    shown["drawing"] = Markup(cards.interval_svg(part, *scale))
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
    """Return what stands beside a region's effect where nothing is pooled over its source."""
    if source in beyond.sources:
        return {}
    own = beyond.families[
        (beyond.families["source"] == source) & (beyond.families["region"] == region)
    ]
    row = own[own["hypothesis"] == known.id]
    if row.empty or pd.isna(row["p_value"].iloc[0]):
        return {}
    verdict, survives = row["verdict"].iloc[0], bool(row["survives"].iloc[0])
    line = _line(beyond, source, region, scale, known, language)
    words = wording.words(language)["index"]
    return line | _family_note(verdict, survives, own_family(own), words)


def own_family(rows: pd.DataFrame) -> int:
    """Return how many hypotheses a family has: those with a p-value."""
    return int(rows.drop_duplicates("hypothesis")["p_value"].notna().sum())


def not_pooled(beyond: Overview, language: str) -> list[str]:
    """Say of which sources nothing is pooled, and why."""
    words = wording.words(language)["index"]
    regions = beyond.families.groupby("source", sort=False)["region"].nunique()
    return [
        words["not_pooled"].format(source=source, n=n, least=synthesis.LEAST_REGIONS)
        for source, n in regions.items()
        if source not in beyond.sources
    ]


def changes(beyond: Overview, language: str) -> list[str]:
    """Say what changed since the run before, and why, one sentence for each region.

    Returns
    -------
    list of str
        Plain text; regions in which nothing changed are counted together at the end.
    """
    words = wording.words(language)["changes"]
    if beyond.past.empty:
        return []
    if beyond.past["run"].max() == 1:
        return [words["first"]]
    return list(_sentences(history.changes(beyond.past), words, language))


def _sentences(found: pd.DataFrame, words: Mapping, language: str) -> Iterator[str]:
    """Yield a sentence for each region in which something changed, and one for the others."""
    several, calm = found["source"].nunique() > 1, 0
    for (source, region), own in found.groupby(["source", "region"], sort=False):
        if not own["moved"].any() and not own["anew"].any():
            calm += region != history.EVERYWHERE
            continue
        where = region or words["everywhere"]
        where = f"{source} · {where}" if several else where
        yield words["region"].format(where=where, what=_what(own, words, language))
    if calm:
        yield words["calm"].format(n=calm)


def _what(own: pd.DataFrame, words: Mapping, language: str) -> str:
    """Say what changed in a region: new, gone, or by which cause, with the verdicts that moved."""
    if own["before"].isna().all() or own["verdict"].isna().all():
        return words["new" if own["before"].isna().all() else "gone"]
    causes = [name for name in history.CAUSES if name in set().union(*own["causes"])]
    names = wording.join([words["causes"][name] for name in causes], language)
    verdict = wording.words(language)["verdict"] | {"": "–"}
    turned = own[own["before"].fillna("") != own["verdict"].fillna("")].fillna("")
    turns = [
        words["turn"].format(
            key=row.hypothesis, before=verdict[row.before], after=verdict[row.verdict]
        )
        for row in turned.itertuples()
    ]
    moved = int(own["moved"].sum()) - len(turned)
    same = len(own) - len(turned) - moved
    counts = words["counts"].format(moved=moved, same=same)
    return words["what"].format(
        causes=names or "–", turns=wording.join(turns, language) or words["none"], counts=counts
    )


def _family_note(verdict: str, survives: bool, size: int, words: Mapping) -> dict:
    """Return whether a verdict that decides something stands among all that were tried."""
    if verdict not in ("supported", "contradicted", "too small to matter"):
        return {}
    if survives:
        return {"stands": words["stands"].format(n=size)}
    return {"warning": words["falls"].format(n=size)}


def _elsewhere(part: Mapping, row: Mapping, words: Mapping) -> list[str]:
    """Say where the effect of a further region would lie, where that can be said."""
    if row["n_regions"] < synthesis.LEAST_TO_PREDICT:
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
    scale: tuple,
    known: Hypothesis,
    language: str,
) -> dict:
    """Return an effect's line over the runs, and its first and last value in words."""
    part = known.parts[0]
    runs = history.lines(beyond.past, source, known.id, part.key)
    own = runs[region].dropna() if region in runs else pd.Series(dtype=float)
    if len(own) < 2:
        return {}
    shown = runs if region == history.EVERYWHERE else runs[[region]]
    first, last = (wording.format_value(own.iloc[i], part.show) for i in (0, -1))
    words = wording.words(language)["index"]["line"]
    return {
        "line": Markup(cards.line_svg(shown, region, part.scale, *scale)),
        "line_words": words.format(run=own.index[0], first=first, now=own.index[-1], last=last),
    }


def _address(beyond: Overview, source: str, known: Hypothesis) -> str:
    """Return where the page over all regions shows a hypothesis."""
    href = beyond.pages.get(source, ("", ""))[0]
    heading = f"{known.id} {known.title['en']}".replace(" ", "-")
    return f"{href}#{quote(heading)}" if href else ""
