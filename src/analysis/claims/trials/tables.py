"""The tables of a trial with a reader's names: who takes part, how alike the arms are, effects."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from analysis.claims.hypotheses import Part
from analysis.claims.trials.reading import Reading, Result
from analysis.figures.display import in_words as in_plain_words
from analysis.language import current, named, phrase, text
from analysis.statistics.estimate import Estimate, means_by
from analysis.statistics.regression.controls import in_words

ARMS = {
    "called": phrase("called for their satisfaction"),
    "not_called": phrase("not called"),
    "contacted": phrase("contacted to keep them"),
    "not_contacted": phrase("not contacted"),
    "served": phrase("offered the service"),
    "not_served": phrase("not offered the service"),
    "first": phrase("handled first"),
    "in_turn": phrase("handled in turn"),
    "told": phrase("told on day three"),
    "not_told": phrase("not told on day three"),
    "offered": phrase("offered"),
    "not_offered": phrase("not offered"),
    "as_promised": phrase("visited as promised"),
    "as_now": phrase("visited as now"),
}
"""What a reader calls the arms of `designs.toml`."""


def arm(name: str) -> str:
    """Return what a reader calls an arm."""
    return named(ARMS.get(name, name))


def recruitment(trial: Reading) -> pd.DataFrame:
    """Return how many are in each arm, and what may be known of them while the trial runs."""
    columns = {
        "units": text("drawn"),
        "received": text("received it"),
        "complaints": text("complaints each since"),
        "first": text("first lot"),
        "last": text("last lot"),
    }
    days = {
        each: [text("{day}", day=day) for day in trial.recruitment[each]]
        for each in ("first", "last")
    }
    return trial.recruitment.assign(**days).rename(index=arm, columns=columns)


def balance(table: pd.DataFrame, arms: tuple[str, str]) -> pd.DataFrame:
    """Return how alike the arms are, from `balance`, the one with the offer first."""
    columns = {"mean_treated": arm(arms[0]), "mean_control": arm(arms[1])}
    columns["difference"] = text("difference (SD)")
    return table.rename(index=known_before, columns=columns).rename_axis(text("known before"))


def known_before(column: str) -> str:
    """Return what a reader calls a column of `coded`, such as "segment ride_hailing"."""
    name, _, value = column.partition(" ")
    words = in_words(name)
    if name.startswith("log_"):
        words = text("{name} (log)", name=words)
    if value == "missing":
        return text("{name}: not known", name=words)
    return text("{name}: {value}", name=words, value=in_plain_words(value)) if value else words


def past(units: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Return what was known of units of the past, by an outcome of 1 or 0."""
    ends = units["outcome"].map({1.0: text("stayed"), 0.0: text("did not stay")})
    means = means_by(units.groupby(ends, sort=False), names)
    return means.rename_axis(text("a year later")).rename(columns=known_before)


def effects(trial: Reading, result: Result) -> pd.DataFrame:
    """Return the effects that a trial's plan names, each with its interval, in a reader's unit.

    Where the claim is per standard deviation of a rating, those of the offer are in the outcome's.
    """
    lots, bounds, offer = result.lots, result.bounds, result.assigned
    rows = {
        text("of the offer, difference of means"): offer.unadjusted,
        text("of the offer, by regression"): offer.effect,
        text("of the offer, lots drawn again"): lots,
        text("of the offer, bounds for lost outcomes"): bounds,
        text("of what was received"): result.effect,
    }
    middle = {name: getattr(each, "estimate", np.nan) for name, each in rows.items()}
    found = {name: (middle[name], each.ci_low, each.ci_high) for name, each in rows.items()}
    table = pd.DataFrame.from_dict(found, "index", columns=["estimate", "ci_low", "ci_high"])
    return table * factor(trial.plan.as_designed.decides)


def answers(trial: Reading, result: Result, without: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """Return the answers of the trial and of other data, in a reader's unit, by their names."""
    times = factor(trial.plan.as_designed.decides)
    return {
        text("by trial"): result.effect.times(times),
        text("doubly robust, before the trial"): without["adjusted"].times(times),
        text("raw difference, before the trial (naive)"): without["raw"].times(times),
    }


def band(trial: Reading) -> tuple[float, float]:
    """Return the effects that are too small to matter, in a reader's unit."""
    part = trial.plan.as_designed.decides
    return factor(part) * part.negligible.low, factor(part) * part.negligible.high


def unit(part: Part) -> str:
    """Return a reader's unit of an effect."""
    return text("percentage points") if part.show == "points" else part.unit[current()]


def factor(part: Part) -> float:
    """Return what an effect is multiplied by for a reader."""
    return 100.0 if part.show == "points" else 1.0
