"""Effects and days in a manager's words, and the fixed words of index and region pages."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from analysis.claims import wording
from analysis.claims.hypotheses import hypothesis
from analysis.language import capitalised, chinese_day, translated_file
from analysis.language import named as translated

WORDS_FILE = Path(__file__).with_name("words.toml")
MOST_NAMED = 6
"""Names in a sentence; of more the number of the others is given."""


def words(language: str) -> Mapping:
    """Return the fixed words of index and region pages, by key."""
    return translated_file(WORDS_FILE, language)


def mean_units(records: Iterable[Mapping]) -> dict[tuple[str, str, str], dict]:
    """Return a manager's unit by source, claim and part: the mean of the regions' by their size."""
    seen = defaultdict(list)
    for record in records:
        for part in record["parts"]:
            if part.get("plain") and "estimate" in part:
                key = record["source"], record["hypothesis"], part["key"]
                seen[key].append((part["plain"], part["n_obs"]))
    return {
        key: rows[0][0] | {"times": sum(a["times"] * n for a, n in rows) / sum(n for _, n in rows)}
        for key, rows in seen.items()
    }


def numbers(part: Mapping) -> dict[str, str]:
    """Return estimate and interval as they are printed: value, low and high."""
    value, _, rest = wording.interval(wording.in_plain_unit(part)).partition(" [")
    low, _, high = rest.removesuffix("]").partition(", ")
    return {"value": value, "low": low, "high": high}


def effect(part: Mapping, language: str) -> str:
    """Say an effect with its range and its unit; never without its range."""
    facts, part = numbers(part), wording.in_plain_unit(part)
    unit = part["unit"] if part["show"] == "number" else ""
    label = capitalised(part["label"])
    return words(language)["effect"].format(label=label, unit=unit, **facts).strip()


def decider(record: Mapping) -> list[str]:
    """Return the part that gave the verdict, where it is not the one that is drawn.

    With the number of others that gave it, too; nothing where a check did.
    """
    part = wording.deciding_part(record)
    if part is record["parts"][0] or wording.failed_checks(record, blocking=True):
        return []
    words, is_open = wording.words(record["language"]), record["verdict"] == "inconclusive"
    said = words["left_open_by" if is_open else "decided_by"]
    others = [each["verdict"] for each in record["parts"]].count(record["verdict"]) - 1
    more = words["and_more"].format(n=others) if others else ""
    shown = wording.interval(wording.in_plain_unit(part))
    return [f"{said} {part['label']}: {shown}{more}"]


def by_trial(trials: Iterable[Mapping], verdict: str, language: str) -> list[str]:
    """Return what each trial says of the part that it measured, and the verdict without them.

    Nothing where there is no trial.
    """
    said, names = words(language)["by_trial"], wording.words(language)["verdict"]
    notes = [
        said["said" if len(hypothesis(each["hypothesis"]).parts) == 1 else "said_part"].format(
            verdict=names[each["verdict"]],
            effect=effect(each["part"], language),
            where=each["region"],
        )
        for each in trials
    ]
    return [*notes, said["without"].format(verdict=names[verdict])] if notes else []


def sentences(said: Iterable[str]) -> str:
    """Return sentences one after the other, those that are empty left out."""
    text = ""
    for each in filter(None, said):
        text = text + ("" if not text or text.endswith("。") else " ") + each
    return text


def named(names: Sequence[str], language: str) -> str:
    """Return names in the reader's words as one enumeration, of many only the first."""
    said = words(language)
    text = said["join"].join(translated(each, language) for each in names[:MOST_NAMED])
    more = len(names) - MOST_NAMED
    return said["and_more"].format(names=text, n=more) if more > 0 else text


def day(iso: str, language: str) -> str:
    """Write a day (2026-06-29) for a reader; a text that is no day stays as it is."""
    try:
        when = dt.date.fromisoformat(iso[:10])
    except ValueError:
        return iso
    return chinese_day(when) if language == "zh" else f"{when.day} {when:%B %Y}"
