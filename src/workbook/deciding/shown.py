"""What to do next, in the words of the index and of the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analysis.claims import across_regions, findings, wording
from analysis.claims.across_regions import sample_size
from analysis.claims.deciding.next_steps import settled_together as settled
from analysis.claims.deciding.next_steps import steps
from analysis.claims.deciding.step import COST, Known, Step
from analysis.claims.deciding.worth import earns
from analysis.claims.hypotheses import hypothesis
from analysis.claims.trials import plans
from analysis.claims.trials.designs import LONGEST, design
from analysis.data.errors import DataError
from analysis.language import named, phrase
from workbook.pages import history, plain
from workbook.pages.entry import Entry
from workbook.pages.overview import DECIDED, Overview

CUSTOMERS = phrase("customers")


def of_source(source: str, known: Overview, region: str | None = None) -> list[Step]:
    """Return what to do next in a source, or for a region, from all that is known of its last run.

    It is what index, region page and terminal say, so that there is one answer for each claim.
    """
    return steps(_known(source, known, region))


def settled_together(source: str, known: Overview) -> str:
    """Name the claims that are open in regions and that all together decide; empty if none."""
    said, language = plain.words(known.language)["next"], known.language
    names = [f"{key} {hypothesis(key).title[language]}" for key in settled(_known(source, known))]
    return said["pool"].format(claims=wording.join(names, language)) if names else ""


def _known(source: str, known: Overview, region: str | None = None) -> Known:
    """Return what is known of a source, or of one of its regions."""
    own = [each for each in known.entries if each.claim and each.source == source]
    own = [each for each in own if region in (None, each.region)]
    records = [known.judged(each).record for each in own]
    tried = frozenset((each.claim, each.region) for each in own if known.tried(each))
    own = known.pools[known.pools["source"] == source].drop_duplicates("hypothesis")
    stands = own[own["verdict"].isin(DECIDED) & own["survives"].astype(bool)]
    try:
        planned = plans.trials_of(source)
    except DataError:  # whoever plans or reads that trial is told
        planned = []
    times, needs = known.times.get(source, {}), known.needs.get(source, {})
    needs = needs if region is None else {}
    settled_ones, over_all = frozenset(stands["hypothesis"]), _pooled(source, known)
    return Known(records, settled_ones, times, needs, planned, tried, over_all)


def _pooled(source: str, known: Overview) -> dict[str, Mapping]:
    """Return the claims that intervals alone leave open over all regions, with their parts."""
    rows = known.pools[(known.pools["source"] == source) & (known.pools["reason"] == "")]
    keys = rows.loc[rows["verdict"] == "inconclusive", "hypothesis"].unique()
    return {
        key: {
            "hypothesis": key,
            "parts": [known.pooled_part(source, claim, part) for part in claim.parts],
        }
        for key, claim in ((key, hypothesis(key)) for key in keys)
    }


def of_entries(entries: Sequence[Entry], language: str) -> Overview:
    """Return what is known of findings without their history, in a language."""
    records = [each.record for each in entries if each.claim]
    found, others = findings.tidy(records), findings.variants(records)
    pools = across_regions.pooled(found, others, findings.tests(records))
    tables = pools, across_regions.by_region(found), history.empty()
    worded = tuple(each.worded(language) for each in entries)
    more = {"found": found, "variants": others, "entries": worded}
    return Overview(*tables, {}, language=language, **more)


def summary(todo: Sequence[Step], language: str) -> str:
    """Say how many claims are open, and how many of them can't be tested."""
    said, untested = plain.words(language)["next"], sum(not each.is_tested for each in todo)
    key = "one" if len(todo) == 1 else "summary_untested" if untested else "summary"
    return said[key].format(n=len(todo), untested=untested)


def row(step: Step, source: str, language: str) -> dict:
    """Return a step as its cells: claim, regions, way, command, cost and worth."""
    said, claim = plain.words(language)["next"], hypothesis(step.claim)
    none = "unknown" if earns(step.claim) else "no_money"
    return {
        "id": step.claim,
        "claim": f"{step.claim} {claim.title[language]}",
        "regions": plain.named(step.regions, language),
        "says": says(step, language),
        "command": command(step, source),
        "cost": said["unknown"] if step.cost is None else _years(step.cost),
        "worth": _years(step.value) if step.value is not None else said[none],
    }


def says(step: Step, language: str) -> str:
    """Say how a claim is decided."""
    said, key = plain.words(language)["next"], step.way
    places = wording.join(step.places or (step.where,), language)
    facts = {"where": places, "columns": wording.join(step.columns, language)}
    facts["n"] = f"{step.n or 0:,.{1 if key == 'times' else 0}f}"
    facts |= {"could": f"{step.could:,}", "needed": f"{step.needed or 0:,}", "trial": step.trial}
    facts |= {"given": said["given"].get(step.given, ""), "reason": step.reason}
    if key == "times":
        facts["what"] = named(sample_size.COUNTED.get(step.claim, CUSTOMERS), language)
    if step.trial:
        key = "trial_planned_small" if step.needed else "trial_planned"
    elif key in ("trial", "small"):
        key = _of_trial(step)
        is_of_cases = design(step.claim).unit_is == "complaint"
        facts["units"] = said["cases" if is_of_cases else "units"]
        facts["years"] = f"{step.years or 0:,.{0 if (step.years or 0) >= 10 else 1}f}"
    if key in ("customers", "regions") and step.n == 1:
        key = f"one_{key}"
    if step.given == "first":
        key = f"{key}_first"
    more = said["one_part"] if step.given == "part" else ""
    return said[key].format(**facts) + more + ("" if step.is_worth_it else said["not_worth_it"])


def _of_trial(step: Step) -> str:
    """Return which sentence says a trial without a plan."""
    if design(step.claim).unit_is == "complaint":
        if step.way == "small":
            return "too_slow"
        is_slow = step.years is not None and step.years > LONGEST
        return "trial_slow" if is_slow else "trial_of_cases" if step.years else "trial"
    return "trial_large" if step.way == "trial" and step.n > step.could > 0 else step.way


def command(step: Step, source: str) -> str:
    """Return the command that plans the trial of a step; empty where that is not the way."""
    if step.way != "trial" or step.trial:
        return ""
    return f'workbook trial plan {step.claim} --source {source} --region "{step.where}"'


def assumptions(language: str) -> str:
    """Say what costs and worth are, and what was assumed."""
    return plain.words(language)["next"]["assumptions"].format(cost=f"{COST:.0%}")


def as_json(step: Step, source: str, language: str) -> Mapping:
    """Return a step as plain values."""
    words = row(step, source, language)
    return vars(step) | {name: words[name] for name in ("command", "says")}


def _years(value: float) -> str:
    """Write years of a customer's margin."""
    return f"{value:,.0f}" if value >= 10 or value == 0 else f"{value:,.1f}"
