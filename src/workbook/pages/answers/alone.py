"""Answers from each region's own findings: of one region, or of few that are not pooled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd
from markupsafe import Markup

from analysis.claims import wording
from analysis.claims.hypotheses import Hypothesis, hypothesis
from workbook.pages import plain
from workbook.pages.answers.view import MOST, OPEN, Answer, View, with_range
from workbook.pages.entry import Entry
from workbook.pages.overview import Overview


class Alone(View):
    """Answers from each region's own findings: of one region, or of few that are not pooled."""

    def __init__(
        self,
        source: str,
        known: Overview,
        found: Sequence[Entry],
        region: str | None = None,
        prefix: str = "",
    ) -> None:
        super().__init__(source, known, prefix)
        self.observed = found
        self.found = [known.judged(each) for each in found]
        self.most = MOST if region is None else 1
        self.region = region

    def address(self, known: Hypothesis) -> str:
        """Return the address of the first finding on a claim."""
        own = (each for each in self.found if each.claim == known.id)
        return self.prefix + next(own).finding

    def link_to(self, entry: Entry) -> Markup:
        """Return a link to a finding."""
        return self.link(hypothesis(entry.claim), self.prefix + entry.finding)

    def settled(self, kind: str, verdicts: Sequence[str]) -> Iterator[Answer]:
        """Say which claims are settled in a region."""
        tried = self.tried(verdicts)
        yield from self.by_trial(kind, tried)
        rows = [each for each in self.found if each.record["verdict"] in verdicts]
        rows = [each for each in rows if self.known.tried(each) not in tried]
        for each in rows[: self.most]:
            part = wording.deciding_part(each.record)
            facts = {"claim": self.link_to(each), "where": each.region, "effect": self.effect(part)}
            if kind == "act":
                yield self.holds("holds_in", hypothesis(each.claim), **facts)
            else:
                why = self.why_not(part, each.record["verdict"])
                yield self.answer(kind, "fails_in", why=why, **facts)
        if rest := rows[self.most :]:
            claims = self._links(rest)
            yield self.answer(
                kind, "also_hold" if kind == "act" else "also_fail", True, claims=claims
            )
        if not rows and not tried:
            yield self.answer(kind, "nothing_holds_in" if kind == "act" else "nothing_fails")

    def unsettled(self) -> Iterator[Answer]:
        """Say which claim is open and what would close it, and what can't be tested."""
        rows = [each for each in self.found if each.record["verdict"] == "inconclusive"]
        open_ones = sorted(rows, key=self._far)
        if open_ones:
            each = open_ones[0]
            part, way = wording.deciding_part(each.record), self.way(each.claim)
            if checks := wording.failed_checks(each.record, blocking=True):
                names = plain.named(checks, self.known.language)
                way = plain.sentences([self.words["blocked_in"].format(checks=names), way])
            facts = {"claim": self._links([each]), "effect": self.effect(part)}
            if wording.fits_both(part):
                yield self.answer("open", "open_one", way=way, **facts)
            else:  # a check leaves it open, and not its interval
                yield self.answer("open", "open_check", reason=way, **facts)
            if open_ones[1:]:
                yield self.answer("open", "also_open", True, claims=self._links(open_ones[1:]))
        missing = [each for each in self.found if each.record["verdict"] == "not testable"]
        if missing:
            facts = {"claim": self.link_to(missing[0]), "reason": missing[0].record["reason"]}
            facts["n"] = len({each.claim for each in missing})
            key = "untested_one" if facts["n"] == 1 else "untested_more"
            yield self.answer("missing", key, True, **facts)
        if not open_ones and not missing:
            yield self.answer("open", "nothing_open")
        yield from self.by_trial("open", self.tried(OPEN))
        yield from self.outlooks(each.claim for each in open_ones)

    def apart(self) -> Iterator[Answer]:
        """Say which effect of a region lies apart from the mean of all."""
        if self.source not in self.known.sources:
            yield self.answer("differ", "few_regions")
            return
        rows = apart(self.observed, self.known)
        if not rows:
            yield self.answer("differ", "not_apart")
            return
        each, part, mean = rows[0]
        facts = plain.numbers(part) | {
            "mean": with_range(mean, self.known.language),
            "claim": self.link_to(each),
        }
        yield self.answer("differ", "apart", **facts)

    def _links(self, entries: Sequence[Entry]) -> Markup:
        """Return findings as one enumeration of links; several regions are named."""
        several = self.region is None
        links = [
            self.link_to(each) + (Markup(" ({})").format(each.region) if several else "")
            for each in entries
        ]
        return self.joined(links)

    def _far(self, each: Entry) -> tuple[bool, bool, float]:
        """Return how far a claim is from a decision: what no amount of data tells comes last."""
        blocked = bool(wording.failed_checks(each.record, blocking=True))
        near = wording.excludes_none(wording.deciding_part(each.record))
        return blocked, near, self._times(each)

    def _times(self, each: Entry) -> float:
        """Return how many times its data a region would need to decide a claim."""
        own = self.known.times.get(each.source, {}).get(each.region, {})
        times = own.get(each.claim, float("nan"))
        return float("inf") if pd.isna(times) else times


def apart(found: Sequence[Entry], known: Overview) -> list[tuple[Entry, dict, dict]]:
    """Return findings whose interval does not hold the mean of all regions, the farthest first.

    With each the first part, and the same over all regions.
    """
    rows = []
    for each in found:
        part, entry = each.record["parts"][0], hypothesis(each.claim)
        mean = known.headlines(entry).get(each.source)
        if mean is None or "estimate" not in part:
            continue
        low, high = wording.ends(part["ci_low"], part["ci_high"])
        away = max(low - mean["estimate"], mean["estimate"] - high)
        if away > 0:
            rows.append((away / (high - low), each, part, mean))
    return [row[1:] for row in sorted(rows, key=lambda row: -row[0])]
