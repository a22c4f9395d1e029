"""A notebook's run for one region."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from analysis.claims import hypotheses
from analysis.claims.verdicts import of_parts

Place = tuple[str, str]
"""Source and region."""
UNKNOWN = ("not testable", "failed")
"""Verdicts of findings without an effect."""


@dataclass(frozen=True)
class Entry:
    """A notebook's run for one region, as index and region page show it."""

    source: str
    region: str
    notebook: str
    theme: str  # the notebook's folder; empty where there is none
    claim: str  # which it tests; empty where there is none
    href: str  # the page, relative to the index
    status: Literal["ok", "failed"]
    error: str  # why it did not run to its end
    title: str
    record: Mapping | None = None  # its finding, as `findings.records` yields it
    trial: Mapping | None = None  # what a trial decided, as `findings.of_trials` yields it
    files: tuple[str, ...] = ()  # for the region's team, beside the page, relative to the index

    @property
    def place(self) -> Place:
        """Source and region."""
        return self.source, self.region

    @property
    def finding(self) -> str:
        """Address of the finding on the page."""
        return f"{self.href}#{self.claim}"

    def worded(self, language: str) -> Entry:
        """Return it with the register's words in a language, whatever that of its run was."""
        if self.trial:
            part = self.trial["part"]
            words = _words(self.trial["hypothesis"], language).get(part["key"], {})
            return replace(self, trial={**self.trial, "part": _worded(part, words)})
        if not self.record:
            return self
        words = _words(self.record["hypothesis"], language, self.record.get("worth", "margin"))
        parts = [_worded(part, words.get(part["key"], {})) for part in self.record["parts"]]
        return replace(self, record={**self.record, "language": language, "parts": parts})


def is_settled(tried: Entry | None) -> bool:
    """Tell whether a trial that was read back has decided the part that it measured."""
    return tried is not None and tried.trial["verdict"] != "inconclusive"


def judged(record: Mapping | None, tried: Entry | None) -> Mapping | None:
    """Return a finding's record with what a trial has decided in place of its own part.

    The verdict is that of the claim's rule over all parts. Those that the trial did not measure
    count as without it: they are open where a check blocks them, or nothing is known of them.
    """
    if not is_settled(tried):
        return record
    part, claim = tried.trial["part"], tried.trial["hypothesis"]
    if record is None:
        parts = [{"key": each.key} for each in hypotheses.hypothesis(claim).parts]
        record = {"verdict": "inconclusive", "reason": "", "parts": parts, "checks": []}
    others = [each for each in record["parts"] if each["key"] != part["key"]]
    is_blocked = any(each["blocking"] and not each["passed"] for each in record["checks"])
    counted = ["inconclusive" if is_blocked else each.get("verdict") for each in others]
    verdict = of_parts([tried.trial["verdict"], *counted])
    is_open, is_known = verdict == "inconclusive", record["verdict"] not in UNKNOWN
    checks = [each for each in record["checks"] if others and (is_open or not each["blocking"])]
    return {
        **record,
        "verdict": verdict if is_known or not is_open else record["verdict"],
        "reason": record["reason"] if is_open else "",
        "parts": [part if each["key"] == part["key"] else each for each in record["parts"]],
        "checks": checks,
    }


def trials_of(entries: Iterable[Entry]) -> dict[tuple[str, str], dict[str, Entry]]:
    """Return the entries that say what a trial decided, by source and claim, then by region."""
    trials: dict[tuple[str, str], dict[str, Entry]] = {}
    for entry in entries:
        if entry.trial:
            key = entry.source, entry.trial["hypothesis"]
            trials.setdefault(key, {})[entry.region] = entry
    return trials


def _words(claim: str, language: str, worth: str = "margin") -> dict[str, dict[str, str]]:
    """Return the register's words for the parts of a claim, by their keys."""
    known = hypotheses.register().get(claim)
    known = known and hypotheses.of_worth(known, worth)
    words = {
        part.key: {name: getattr(part, name)[language] for name in ("label", "unit", "counts")}
        for part in (known.parts if known else ())
    }
    for part in known.parts if known else ():
        if part.plain:
            words[part.key]["plain"] = part.plain[language]
    return words


def _worded(part: Mapping, words: Mapping) -> dict:
    """Return a part of a record with other words."""
    made = {**part, **words}
    made.pop("plain", None)
    if part.get("plain"):
        made["plain"] = part["plain"] | {"unit": words.get("plain", part["plain"]["unit"])}
    return made
