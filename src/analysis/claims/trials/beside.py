"""What would be said without a trial: the same question, where nobody drew lots."""

from __future__ import annotations

import pandas as pd

from analysis.claims.trials.reading import Reading
from analysis.cohorts import complaints, target_trial
from analysis.cohorts.trials import units
from analysis.data.region import Region
from analysis.language import text
from analysis.statistics.causal import treatment_effects
from analysis.statistics.estimate import Estimate, NotEstimable
from analysis.statistics.regression import models
from analysis.statistics.regression.controls import design


def without_lots(region: Region, reading: Reading, seed: int = 0) -> dict[str, Estimate]:
    """Return the raw and the doubly robust difference before the trial began.

    Raises
    ------
    NotEstimable
        If the claim's treatment is recorded in no other way than by the trial, or too few had it.
    """
    who, before = reading.plan.as_designed.who, reading.people["assigned_on"].min()
    if who == "without_card":
        rows, outcome, treated = target_trial.card_holders(region, seed), "retained", "card"
        rows = rows[rows["own_day"] < before]
        known = [name for name in units.OF_CUSTOMERS if name != "prior"]
    elif who in units.CASES:
        cases = complaints.cases(region).rated
        cases = cases[cases["opened_at"] < before].rename(columns={"z_after": "outcome"})
        late = who == "late_cases"
        rows = complaints.still_open(cases) if late else cases
        outcome, treated = "outcome", "told" if late else "within"
        known = list(complaints.BEFORE)
    else:
        raise NotEstimable(text("Before the trial nobody recorded who received what it offers."))
    arm = rows[treated].astype(float)
    x = treatment_effects.independent(design(rows, known), arm)
    adjusted = treatment_effects.aipw(rows[outcome], arm, x, shares=outcome == "retained")
    frame = pd.DataFrame({"y": rows[outcome].astype(float), "arm": arm})
    return {
        "raw": models.contrast(models.ols("y ~ arm", frame), "arm"),
        "adjusted": adjusted.effect,
    }
