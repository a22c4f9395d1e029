"""What all answers share: words, links to findings, what failed and what changed."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import pandas as pd
from markupsafe import Markup, escape

from analysis.claims import wording
from analysis.claims.deciding import decidability, on_card
from analysis.claims.deciding.next_steps import MORE
from analysis.claims.deciding.step import NO_WAYS, Step
from analysis.claims.hypotheses import Hypothesis, hypothesis
from analysis.language import translate
from workbook.deciding import shown
from workbook.pages import history, plain
from workbook.pages.entry import Entry, is_settled, judged
from workbook.pages.overview import Overview

FALSE = ("contradicted", "too small to matter")
OPEN = ("inconclusive", "not testable", "failed")
MOST = 2
"""Claims of a kind that get an answer of their own; the others are named beside the last one."""


@dataclass(frozen=True)
class Answer:
    """A sentence with links, and what kind it is: a key of the words of `answers`."""

    kind: str
    text: Markup
    goes_on: bool = False  # it belongs to the one before it


class View:
    """What the two kinds of answers share: words, and links to findings."""

    region: str | None = None  # the only one that is spoken of; None where it is all

    def __init__(self, source: str, known: Overview, prefix: str = "") -> None:
        self.source, self.known, self.prefix = source, known, prefix
        self.words = plain.words(known.language)["answers"]

    def answer(self, kind: str, key: str, goes_on: bool = False, **values: object) -> Answer:
        """Return a sentence of a kind; values may have links."""
        return Answer(kind, Markup(escape(self.words[key])).format(**values), goes_on)

    def holds(self, key: str, known: Hypothesis, **values: object) -> Answer:
        """Say that a claim holds, and of an association that it is no more than that."""
        found = self.answer("act", key, **values)
        if known.reading != "association":
            return found
        note = wording.words(self.known.language)["say"]["association"].strip()
        return replace(found, text=plain.sentences([found.text, note]))

    def link(self, known: Hypothesis, href: str = "") -> Markup:
        """Return a claim's title as a link to its finding."""
        href, title = href or self.address(known), known.title[self.known.language]
        return Markup('<a href="{}">{} {}</a>').format(href, known.id, title)

    def named(self, claims: Sequence[Hypothesis]) -> Markup:
        """Return claims as one enumeration of links."""
        return self.joined([self.link(each) for each in claims])

    def joined(self, links: Sequence[Markup]) -> Markup:
        """Return links as one enumeration, of many only the first: the map has them all."""
        words = plain.words(self.known.language)
        text = Markup(escape(words["join"])).join(links[: plain.MOST_NAMED])
        more = len(links) - plain.MOST_NAMED
        said = Markup(escape(words["and_more"]))
        return said.format(names=text, n=more) if more > 0 else text

    @cached_property
    def steps(self) -> dict[str, Step]:
        """By claim, the cheapest way to decide it: the same that index and terminal list."""
        found = shown.of_source(self.source, self.known, self.region)
        return {step.claim: step for step in found}

    def way(self, claim: str) -> str:
        """Say the cheapest way to decide an open claim."""
        if claim not in self.steps:
            return self.words["together"]
        step = self.steps[claim]
        says = shown.says(step, self.known.language)
        return says if step.way in NO_WAYS else self.words["cheapest"].format(way=says)

    def outlooks(self, claims: Iterable[str], hang: Container[str] = ()) -> Iterator[Answer]:
        """Say which open claims more customers would close, and which no number of them.

        Over all regions together those that `hang` on a check are closed by none.
        """
        found: dict[str | None, list[str]] = {}
        for key in (each for each in dict.fromkeys(claims) if each in self.steps):
            way, outlook = self.steps[key].way, decidability.outlook(key, self._largest(key))
            more = "in_region" if key in hang else "more"
            outlook = more if way in MORE else "edge" if way == "edge" else outlook
            found.setdefault(outlook, []).append(key)
        said = {"more": "closed_by_data", "in_region": "closed_in_region"}
        for name, words in (said | {"edge": "closed_by_none_edge"}).items():
            if keys := found.get(name):
                claims = self.named([hypothesis(key) for key in keys])
                yield self.answer("decide", words, True, claims=claims)
        for name in ("never", "open"):
            if keys := found.get(name):
                last = [decidability.told(decidability.by_size(key)) for key in keys]
                language = self.known.language
                causes = dict.fromkeys(on_card.cause(row, language) for row in last if row["open"])
                facts = {"n": f"{max(row['customers'] for row in last):,}"}
                facts["k"] = f"{min(row['regions'] for row in last):,}"
                facts["causes"] = wording.join(list(causes), language)
                facts["claims"] = self.named([hypothesis(key) for key in keys])
                yield self.answer("decide", f"closed_by_none_{name}", True, **facts)

    def tried(self, verdicts: Sequence[str]) -> list[Entry]:
        """Return trials that have decided a part of a claim which so has one of some verdicts.

        Not of claims that fall with another part, which no trial has measured.
        """
        found = [
            each
            for (source, _), own in self.known.trials.items()
            for each in own.values()
            if source == self.source and is_settled(each) and self.region in (None, each.region)
        ]
        return [each for each in found if self._verdict(each) in verdicts]

    def _verdict(self, tried: Entry) -> str:
        """Return the verdict of a trial's claim with the trial; none where another part falls."""
        own = self.known.claims.get(tried.trial["hypothesis"], {}).get(tried.place)
        verdict = judged(own and own.record, tried)["verdict"]
        return "" if verdict in FALSE and tried.trial["verdict"] not in FALSE else verdict

    def by_trial(self, kind: str, tried: Sequence[Entry]) -> Iterator[Answer]:
        """Say which claims trials have settled, or a part of which."""
        for each in tried:
            known, part = hypothesis(each.trial["hypothesis"]), each.trial["part"]
            facts = {"claim": self.link(known, self.prefix + each.href), "where": each.region}
            facts |= {"effect": self.effect(part)}
            is_part = kind != "stop" and len(known.parts) > 1
            key = f"trial_{kind}_part" if is_part else f"trial_{kind}"
            yield self.answer(kind, key, **facts)

    def _largest(self, claim: str) -> int:
        """Return how many customers the largest region has in which a claim is open."""
        sizes = [
            each.record.get("customers", 0)
            for each in self.known.claims[claim].values()
            if each.source == self.source
            and self.region in (None, each.region)
            and each.record["verdict"] == "inconclusive"
        ]
        return max(sizes, default=0)

    def effect(self, part: Mapping) -> str:
        """Say a part's effect with its range."""
        return plain.effect(part, self.known.language)

    def why_not(self, part: Mapping, verdict: str) -> str:
        """Say why a claim does not hold."""
        if verdict == "too small to matter":
            return self.words["small"]
        part = wording.in_plain_unit(part)
        claimed = wording.claim_range(part, self.known.language)
        return self.words["contradicted"].format(claimed=claimed)

    def broken(self, lost: Sequence[Entry]) -> Iterator[Answer]:
        """Say which reports failed."""
        failed = [
            entry
            for each in self.known.claims.values()
            for entry in each.values()
            if entry.record["verdict"] == "failed" and entry.source == self.source
        ]
        failed += [each for each in lost if each.source == self.source]
        if failed:
            names = [f"{each.region} · {each.notebook}" for each in failed]
            names = plain.named(names, self.known.language)
            key = "failed_one" if len(failed) == 1 else "failed"
            yield self.answer("broken", key, n=len(failed), names=names)

    def changed(self, found: pd.DataFrame) -> Iterator[Answer]:
        """Say which verdicts moved since the run before, and why."""
        if self.known.past.empty:
            return
        if self.known.past.loc[self.known.past["source"] == self.source, "run"].nunique() == 1:
            yield self.answer("changed", "first")
            return
        language = self.known.language
        words, verdict = self.words, wording.words(language)["verdict"]
        own = found[
            (found["source"] == self.source) & found["before"].notna() & found["verdict"].notna()
        ]
        own = own[own["before"] != own["verdict"]]
        if own.empty:
            yield self.answer("changed", "calm")
            return
        causes = {name for each in own["causes"] for name in each}
        why = wording.words(language)["changes"]["causes"]
        why = [why[name] for name in history.REASONS if name in causes] or [words["unexplained"]]
        turns = [
            words["turn"].format(
                claim=f"{row.hypothesis} {hypothesis(row.hypothesis).title[language]}",
                where=row.region or words["everywhere"],
                before=verdict[row.before],
                after=verdict[row.verdict],
            )
            for row in own.itertuples()
        ]
        facts = {"n": len(turns), "turns": plain.named(turns, language)}
        facts["why"] = plain.named(why, language)
        yield self.answer("changed", "moved_one" if len(turns) == 1 else "moved", **facts)


def joined(said: Iterable[Answer]) -> list[Answer]:
    """Return answers, those that go on as one with the answer before them."""
    found: list[Answer] = []
    for each in said:
        if each.goes_on and found and found[-1].kind == each.kind:
            found[-1] = Answer(each.kind, plain.sentences([found[-1].text, each.text]))
        else:
            found.append(each)
    return found


def with_range(part: Mapping, language: str) -> str:
    """Return an effect and its interval in brackets."""
    found = plain.numbers(part)
    facts = {"middle": found.pop("value"), **found}
    return translate("{middle} ({low} to {high})", "", language, facts)
