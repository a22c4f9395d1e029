"""What colleagues read of each claim: a line over all regions, and one for each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

import pandas as pd

from analysis.claims import across_regions, wording
from analysis.claims.finding import part_record
from analysis.claims.hypotheses import Hypothesis, hypothesis
from analysis.language import translate
from workbook.pages import history, plain
from workbook.pages.entry import Entry, is_settled, judged, trials_of

KEYS = ["source", "region", "hypothesis"]
Units = Mapping[tuple[str, str, str, str], Mapping]
"""By source, region (`history.EVERYWHERE` for all), claim and part, a manager's unit."""


@dataclass(frozen=True)
class Line:
    """A claim in a region, or over all of a source's regions (`region` is empty)."""

    source: str
    region: str
    known: Hypothesis
    record: Mapping  # as of a finding; with the parts' numbers, where it has any
    href: str = ""  # of its page, relative to the files of the export
    by_trial: str = ""  # what trials decided, and the claim's verdict with them

    @property
    def sentence(self) -> str:
        """What was found, in one sentence with its range."""
        if not self.region and self.part is None:  # a reason over all regions
            return self.record["reason"]
        return wording.sentence(self.record)

    @property
    def part(self) -> Mapping | None:
        """The part that gave the verdict; None where there are no numbers."""
        if "estimate" not in self.record["parts"][0]:
            return None
        return wording.deciding_part(self.record)


def units(records: Sequence[Mapping], language: str) -> dict:
    """Return the units of findings, as `Units`; those over all regions are means."""
    found = {
        (record["source"], record["region"], record["hypothesis"], part["key"]): part["plain"]
        | {"unit": _words(record["hypothesis"], part["key"], language)}
        for record in records
        for part in record["parts"]
        if part.get("plain")
    }
    means = {
        (source, history.EVERYWHERE, key, part): own | {"unit": _words(key, part, language)}
        for (source, key, part), own in plain.mean_units(records).items()
    }
    return found | means


def by_trial(entries: Sequence[Entry], language: str) -> dict[tuple[str, str, str], str]:
    """Return what trials decided, by source, region and claim, as index and region page say it.

    In a region with the claim's verdict over all parts; of all regions, what each of them has.
    """
    verdicts, found = wording.words(language)["verdict"], {}
    observed = {(*each.place, each.claim): each.record for each in entries if each.record}
    for (source, claim), own in trials_of(each.worded(language) for each in entries).items():
        for region, tried in own.items():
            key, everywhere = (source, region, claim), (source, history.EVERYWHERE, claim)
            [said, _] = plain.by_trial([tried.trial], tried.trial["verdict"], language)
            with_it = judged(observed.get(key), tried)
            found[key] = f"{verdicts[with_it['verdict']]}; {said}" if is_settled(tried) else said
            found[everywhere] = "; ".join(filter(None, [found.get(everywhere), said]))
    return found


def lines(
    found: pd.DataFrame,
    pools: pd.DataFrame,
    language: str,
    in_units: Units = MappingProxyType({}),
    reports: Path | None = None,
    trials: Mapping[tuple[str, str, str], str] = MappingProxyType({}),
) -> list[Line]:
    """Return a line for each claim over all regions of a source, best first, and in each region.

    The tables are as from `findings.tidy` and `across_regions.pooled`; `reports` is the folder of
    the pages, beside or above that of the export, and `trials` are as from `by_trial`.
    """
    best = across_regions.ranked(pools) if len(pools) else pools
    order = [tuple(row) for row in best[["source", "hypothesis"]].itertuples(index=False)]
    heads = dict(list(pools.assign(region="").groupby(["source", "hypothesis"])))
    made = [_line(heads[key], language, in_units) for key in order]
    made += [
        _line(own, language, in_units, _href(reports, *key))
        for key, own in found.groupby(KEYS, sort=False)
    ]
    return [
        replace(each, by_trial=trials.get((each.source, each.region, each.known.id), ""))
        for each in made
    ]


def _line(own: pd.DataFrame, language: str, in_units: Units, href: str = "") -> Line:
    """Return the line of the rows of a claim in one place."""
    own = own.drop_duplicates("part")
    head, known = own.iloc[0], hypothesis(own["hypothesis"].iloc[0])
    rows, place = own.set_index("part").to_dict("index"), (head["source"], head["region"])
    has_numbers = own["estimate"].notna().all()
    parts = []
    for part in known.parts:
        made = part_record(part, rows[part.key], language) if has_numbers else {"key": part.key}
        unit = in_units.get((*place, known.id, part.key))
        parts.append(made | ({"plain": unit} if unit else {}))
    blocking = set(filter(None, str(head.get("blocked_by") or "").split("; ")))
    checks = [
        {"name": name, "passed": False, "blocking": name in blocking}
        for name in filter(None, str(head.get("failed_checks") or "").split("; "))
    ]
    record = {
        "hypothesis": known.id, "reading": known.reading, "language": language,
        "verdict": head["verdict"], "reason": translate(str(head["reason"]), "", language, {}),
        "parts": parts, "checks": checks,
    }  # fmt: skip
    return Line(*place, known, record, href)


def _words(key: str, name: str, language: str) -> str:
    """Return what a part's effect is called in a manager's unit."""
    return next(part for part in hypothesis(key).parts if part.key == name).plain[language]


def _href(reports: Path | None, source: str, region: str, claim: str) -> str:
    """Return the address of a finding from the folder `export` in the reports; empty if none."""
    if reports is None:
        return ""
    page = next((reports / source / region).glob(f"{claim}_*.html"), None)
    return f"{quote(page.relative_to(reports).as_posix())}#{claim}" if page else ""
