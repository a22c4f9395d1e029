"""Answers from what is pooled over the regions of a source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from analysis.claims import across_regions, wording
from analysis.claims.hypotheses import Hypothesis, hypothesis
from workbook.pages import plain
from workbook.pages.answers.view import MOST, OPEN, Answer, View, with_range
from workbook.pages.entry import Entry
from workbook.pages.overview import DECIDED, Overview


class Pooled(View):
    """Answers from what is pooled over the regions of a source."""

    def __init__(self, source: str, known: Overview) -> None:
        super().__init__(source, known)
        pools = known.pools[known.pools["source"] == source]
        self.best = across_regions.ranked(pools).to_dict("records")

    def own(self, claim: str) -> list[Entry]:
        """Return a claim's findings in the regions, with what trials have decided there."""
        entries = self.known.claims.get(claim, {}).values()
        return [self.known.judged(each) for each in entries if each.source == self.source]

    def address(self, known: Hypothesis) -> str:
        """Return the address of a claim over all regions."""
        return self.known.finding_over_all(self.source, known) or f"#{known.id}"

    def part(self, row: Mapping) -> dict | None:
        """Return the pooled part that gives the verdict of a claim, else the first."""
        known = hypothesis(row["hypothesis"])
        rows = self.known.pooled(self.source, known.id)
        keys = [each["part"] for each in rows if each["part_verdict"] == row["verdict"]]
        keys = [part for part in known.parts if part.key in keys] or list(known.parts)
        return self.known.pooled_part(self.source, known, keys[0])

    def settled(self, kind: str, verdicts: Sequence[str]) -> Iterator[Answer]:
        """Say which claims are settled, and stand among all that were tested."""
        tried = self.tried(verdicts)
        yield from self.by_trial(kind, tried)
        rows = [row for row in self.best if row["verdict"] in verdicts and row["survives"]]
        for row in rows[:MOST]:
            known, part = hypothesis(row["hypothesis"]), self.part(row)
            alone = [each.record["verdict"] for each in self.own(known.id)]
            facts = {"claim": self.link(known), "n": row["n_regions"], "effect": self.effect(part)}
            if kind == "act":
                k = alone.count("supported")
                yield self.holds("holds_everywhere", known, k=k, **facts)
            else:
                why = self.why_not(part, row["verdict"])
                yield self.answer(kind, "fails_everywhere", why=why, **facts)
        if rest := rows[MOST:]:
            claims = self.named([hypothesis(row["hypothesis"]) for row in rest])
            yield self.answer(
                kind, "also_hold" if kind == "act" else "also_fail", True, claims=claims
            )
        if not rows and not tried:
            none = self.answer(kind, "nothing_holds" if kind == "act" else "nothing_fails")
            yield (kind == "stop" and self._false_somewhere(verdicts)) or none

    def _false_somewhere(self, verdicts: Sequence[str]) -> Answer | None:
        """Say which claim that can't be pooled does not hold in the most regions; None if none."""
        found = {}
        for row in (row for row in self.best if row["verdict"] == "not testable"):
            own = self.own(row["hypothesis"])
            own = [each for each in own if each.record["verdict"] in verdicts]
            found[len(own)] = own
        if not (entries := found[max(found)] if found else []):
            return None
        first, part = entries[0], wording.deciding_part(entries[0].record)
        known = hypothesis(first.claim)
        where = plain.named([each.region for each in entries], self.known.language)
        effect = f"{first.region}: {self.effect(part)}"
        why = self.why_not(part, first.record["verdict"])
        facts = {"claim": self.link(known), "where": where, "why": why, "effect": effect}
        return self.answer("stop", "fails_in", **facts)

    def unsettled(self) -> Iterator[Answer]:
        """Say which claim is open and how it is closed most cheaply, and which others are."""
        needs = self.known.needs.get(self.source, {})
        rows = {row["hypothesis"]: row for row in self.best if row["verdict"] == "inconclusive"}
        near = sorted(
            set(needs) & set(rows),
            key=lambda key: (wording.excludes_none(self.part(rows[key])), _cost(needs[key])),
        )
        order = [*near, *(key for key in rows if key not in near)]
        if not order:
            yield self._unpooled()
            yield from self._not_standing()
            yield from self.by_trial("open", self.tried(OPEN))
            return
        row = rows[order[0]]
        known, part = hypothesis(order[0]), self.part(row)
        facts = {"claim": self.link(known), "effect": self.effect(part)}
        if row["reason"]:
            yield self.answer("open", "open_check", reason=row["reason"], **facts)
        else:
            yield self.answer("open", "open_one", way=self.way(known.id), **facts)
        if order[1:]:
            claims = self.named([hypothesis(key) for key in order[1:]])
            yield self.answer("open", "also_open", True, claims=claims)
        yield from self._not_standing()
        yield from self.by_trial("open", self.tried(OPEN))
        yield from self.outlooks(order, [key for key in order if rows[key]["reason"]])

    def _not_standing(self) -> Iterator[Answer]:
        """Say which claims are decided alone, and do not stand among all that were tested."""
        rows = [row for row in self.best if row["verdict"] in DECIDED and not row["survives"]]
        if rows:
            n = sum(pd.notna(row["p_value"]) for row in self.best)
            claims = self.named([hypothesis(row["hypothesis"]) for row in rows])
            yield self.answer("open", "not_standing", n=n, claims=claims)

    def _unpooled(self) -> Answer:
        """Say which claim that can't be pooled is open in the most regions."""
        found = {}
        for row in (row for row in self.best if row["verdict"] == "not testable"):
            verdicts = [each.record["verdict"] for each in self.own(row["hypothesis"])]
            found[verdicts.count("inconclusive")] = row, len(verdicts)
        k = max(found, default=0)
        if not k:
            return self.answer("open", "nothing_open")
        row, n = found[k]
        known = hypothesis(row["hypothesis"])
        facts = {"claim": self.link(known), "k": k, "n": n, "reason": row["reason"]}
        return self.answer("open", "open_unpooled", **facts)

    def apart(self) -> Iterator[Answer]:
        """Say which effect differs most between the regions."""
        differ = [
            row for row in self.best
            if pd.notna(row["q_p_value"]) and row["q_p_value"] < across_regions.ALPHA
        ]  # fmt: skip
        if not differ:
            yield self.answer("differ", "no_difference")
            return
        row = min(differ, key=lambda each: each["q_p_value"])
        known = hypothesis(row["hypothesis"])
        parts = {
            place[1]: entry.record["parts"][0]
            for place, entry in self.known.claims.get(known.id, {}).items()
            if place[0] == self.source and "estimate" in entry.record["parts"][0]
        }
        if not parts:
            return
        ends = [pick(parts, key=lambda name: parts[name]["estimate"]) for pick in (min, max)]
        said = [with_range(parts[name], self.known.language) for name in ends]
        facts = {"claim": self.link(known), "lowest": ends[0], "highest": ends[1]}
        facts |= {"low": said[0], "high": said[1]}
        yield self.answer("differ", "differ_pair", **facts)


def _cost(need: Mapping) -> float:
    """Return by how much the data would have to grow to decide a claim, the cheaper way."""
    ways = [need["regions_needed"] / need["regions"], need["times_the_customers"]]
    return min((each for each in ways if pd.notna(each)), default=float("inf"))
