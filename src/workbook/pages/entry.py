"""A notebook's run for one region."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from analysis.claims import hypotheses

Place = tuple[str, str]
"""Source and region."""


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
        words = _words(self.record["hypothesis"], language)
        parts = [_worded(part, words.get(part["key"], {})) for part in self.record["parts"]]
        return replace(self, record={**self.record, "language": language, "parts": parts})


def is_settled(tried: Entry | None) -> bool:
    """Tell whether a trial that was read back has decided its claim."""
    return tried is not None and tried.trial["verdict"] != "inconclusive"


def trials_of(entries: Iterable[Entry]) -> dict[tuple[str, str], dict[str, Entry]]:
    """Return the entries that say what a trial decided, by source and claim, then by region."""
    trials: dict[tuple[str, str], dict[str, Entry]] = {}
    for entry in entries:
        if entry.trial:
            key = entry.source, entry.trial["hypothesis"]
            trials.setdefault(key, {})[entry.region] = entry
    return trials


def _words(claim: str, language: str) -> dict[str, dict[str, str]]:
    """Return the register's words for the parts of a claim, by their keys."""
    known = hypotheses.register().get(claim)
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
