"""Findings with every verdict, for the tests of what a reader sees."""

import pandas as pd

from analysis.claims import across_regions, findings
from analysis.claims.finding import Finding, conclude, no_finding
from analysis.claims.hypotheses import hypothesis
from analysis.claims.verdicts import Check
from analysis.statistics.estimate import Estimate, from_se
from workbook.pages.history import COLUMNS
from workbook.pages.overview import Overview

PASSED = Check("Enough customers", "at least 200", "1,840", True)
BLOCKING = Check("Overlap", "at least 0.05", "0.01", False)
ADVISORY = Check("No handful decides", "below 8%", "9%", False, blocking=False)


def loss_against_gain(estimate: float, se: float, *checks: Check, **texts) -> Finding:
    """H03: one part, claimed to be at least 0.15, negligible within 0.15 of zero."""
    effect = from_se(estimate, se, 1840, method="ordered probit")
    return conclude(
        hypothesis("H03"), "example", texts.pop("region", "North 华北"), {"asymmetry": effect},
        checks=(PASSED, *checks), **texts,
    )  # fmt: skip


def performance(first: Estimate, second: Estimate, language: str = "en") -> Finding:
    """H01: two parts, at least +0.1 and at most -0.1."""
    effects = {"performance": first, "expectation": second}
    return conclude(hypothesis("H01"), "example", "North 华北", effects, language=language)


def each_verdict(language: str = "en", region: str = "North 华北") -> dict[str, dict]:
    """Return one record for every verdict."""
    said = {"language": language, "region": region}
    none = {
        verdict: no_finding(
            hypothesis(key), "example", region, verdict, f"Reason <{verdict}>.", language=language
        )
        for key, verdict in {"H04": "not testable", "H05": "failed"}.items()
    }
    found = {
        "supported": loss_against_gain(0.30, 0.05, **said),
        "contradicted": loss_against_gain(-0.40, 0.05, **said),
        "too small to matter": loss_against_gain(0.01, 0.05, **said),
        "inconclusive": loss_against_gain(0.10, 0.20, **said),
    }
    return {verdict: finding.record() for verdict, finding in (found | none).items()}


def beyond(entries, past=None, pages=None) -> Overview:
    """Return what an index says beyond its entries."""
    found = findings.tidy([entry.record for entry in entries if entry.record])
    past = pd.DataFrame(columns=COLUMNS) if past is None else past
    pools, families = across_regions.pooled(found), across_regions.by_region(found)
    return Overview(pools, families, past, pages or {}, found=found)
