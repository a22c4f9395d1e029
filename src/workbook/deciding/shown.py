"""What to do next, in the words of the index and of the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analysis.claims import across_regions, findings, wording
from analysis.claims.across_regions import sample_size
from analysis.claims.deciding.edges import is_on_edge
from analysis.claims.deciding.next_steps import COST, Known, Step, steps
from analysis.claims.deciding.next_steps import settled_together as settled
from analysis.claims.deciding.worth import earns
from analysis.claims.hypotheses import hypothesis
from analysis.claims.trials import plans
from analysis.claims.trials.designs import design
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
    on_edge = frozenset(filter(lambda key: _is_on_edge(source, key, known), own["hypothesis"]))
    return Known(records, frozenset(stands["hypothesis"]), times, needs, planned, tried, on_edge)


def _is_on_edge(source: str, key: str, known: Overview) -> bool:
    """Tell whether a claim's effect over all regions lies on an edge of what is claimed."""
    rows, claim = known.pooled(source, key), hypothesis(key)
    if rows[0]["verdict"] != "inconclusive" or rows[0]["reason"]:
        return False
    parts = [known.pooled_part(source, claim, part) for part in claim.parts]
    return is_on_edge({"hypothesis": key, "parts": parts})


def of_entries(entries: Sequence[Entry], language: str) -> Overview:
    """Return what is known of findings without their history, in a language."""
    records = [each.record for each in entries if each.claim]
    found, others = findings.tidy(records), findings.variants(records)
    pools = across_regions.pooled(found, others, findings.tests(records))
    tables = pools, across_regions.by_region(found), history.empty()
    worded = tuple(each.worded(language) for each in entries)
    more = {"found": found, "variants": others, "entries": worded}
    return Overview(*tables, {}, language=language, **more)


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
    said = plain.words(language)["next"]
    facts = {"where": step.where, "columns": wording.join(step.columns, language)}
    facts["n"] = f"{step.n or 0:,.{1 if step.way == 'times' else 0}f}"
    if step.way == "times":
        facts["what"] = named(sample_size.COUNTED.get(step.claim, CUSTOMERS), language)
    key = step.way
    if step.trial:
        key, facts["trial"] = "trial_planned_small" if step.needed else "trial_planned", step.trial
        facts["needed"] = f"{step.needed or 0:,}"
    elif step.way in ("trial", "small"):
        is_of_cases = design(step.claim).unit_is == "complaint"
        facts["units"] = said["cases" if is_of_cases else "units"]
        facts["could"] = f"{step.could:,}"
        if step.way == "trial" and not is_of_cases and step.n > step.could > 0:
            key = "trial_large"
    if key in ("customers", "regions") and step.n == 1:
        key = f"one_{key}"
    return said[key].format(**facts) + ("" if step.is_worth_it else said["not_worth_it"])


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
