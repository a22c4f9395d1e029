"""A trial read back as planned: who took part, and once it is over what came of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from analysis.claims import checks
from analysis.claims.hypotheses import hypothesis
from analysis.claims.trials import plans
from analysis.claims.trials.as_planned import as_planned
from analysis.claims.trials.in_units import unit_of
from analysis.claims.trials.plans import Plan
from analysis.claims.verdicts import Check, Verdict, judge_part
from analysis.cohorts import contacts
from analysis.cohorts.answer_quality import item_coding
from analysis.cohorts.trials import outcomes, units
from analysis.data.errors import DataError
from analysis.data.region import Region
from analysis.language import Verbatim, phrase, text
from analysis.statistics.estimate import Estimate, NotEstimable
from analysis.statistics.trial.attrition import AttritionBounds, attrition_bounds
from analysis.statistics.trial.balance import SampleRatio, balance, sample_ratio
from analysis.statistics.trial.complier import ComplierEffect, complier_effect
from analysis.statistics.trial.effects import IntentionToTreat, intention_to_treat
from analysis.statistics.trial.randomisation import RandomisationTest, randomisation_test
from analysis.statistics.trial.units import Trial


@dataclass(frozen=True, repr=False)
class Reading:
    """A trial of a region as its data have it, beside its plan.

    Attributes
    ----------
    plan : Plan
        As registered.
    people : DataFrame
        By unit, those that were assigned: treated (1 or 0), assigned_on, received (1 or 0), over
        (whether the horizon is), complaints (since the lot), what was known before, block where
        the plan's list has it.
    end : date
        Last day of the data.
    checks : tuple of Check
        Whether the trial is the one that was planned.
    """

    plan: Plan
    people: pd.DataFrame
    end: object
    checks: tuple[Check, ...]

    @property
    def is_over(self) -> bool:
        """Whether the outcome of every unit can be known; before, none is looked at.

        While lots of the plan are left, that is so when no case has taken one for a horizon.
        """
        return bool(self.people["over"].all())

    @property
    def recruitment(self) -> pd.DataFrame:
        """How many are in each arm, received what is offered, and complained since; and when."""
        names = dict(zip((1, 0), self.plan.as_designed.arms, strict=True))
        arms = self.people.groupby(self.people["treated"].map(names), sort=False)
        found = arms.agg(
            units=("treated", "size"),
            received=("received", "mean"),
            complaints=("complaints", "mean"),
            first=("assigned_on", "min"),
            last=("assigned_on", "max"),
        )
        days = {name: found[name].dt.strftime("%Y-%m-%d") for name in ("first", "last")}
        return found.assign(**days).rename_axis("arm").loc[list(self.plan.as_designed.arms)]

    @property
    def ratio(self) -> SampleRatio:
        """Whether the arms have about as many units as were planned."""
        first, second = self.plan.as_designed.arms
        counts = self.people["treated"].value_counts()
        share = self.plan.share
        planned = {first: share, second: 1 - share}
        return sample_ratio({first: counts.get(1, 0), second: counts.get(0, 0)}, planned)

    @property
    def balance(self) -> pd.DataFrame:
        """How alike the arms are in what was known before."""
        return balance(self.people, "treated", self.plan.adjusted_for)


@dataclass(frozen=True, repr=False)
class Result:
    """What came of a trial that is over.

    Attributes
    ----------
    assigned : IntentionToTreat
        The effect of the offer.
    received : ComplierEffect
        The effect of what was offered on those who took it because of the offer.
    effect : Estimate
        That effect with its Anderson-Rubin interval in the claim's unit, which is judged.
    lots : RandomisationTest
        What the lot alone says of the offer.
    bounds : AttritionBounds
        Of the offer, on those whose outcome is known in either arm.
    verdict : str
        By the claim's rule, of the part that the effect of what was offered decides; *inconclusive*
        where the trial is not the one that was planned.
    checks : tuple of Check
        Of the reading, of outcomes that are lost, and of what was received.
    """

    assigned: IntentionToTreat
    received: ComplierEffect
    effect: Estimate
    lots: RandomisationTest
    bounds: AttritionBounds
    verdict: Verdict
    checks: tuple[Check, ...]


def trials_in(region: Region) -> list[str]:
    """Return the names of the trials that a region has assignments of."""
    return sorted(region.tables["assignments"]["trial"].unique())


def of_claim(region: Region, claim: str, folder: Path | None = None) -> Reading:
    """Read back the trial that decides a claim; of several the last by name.

    Raises
    ------
    NotEstimable
        If the region has no assignments of such a trial; or as in `read_trial`.
    """
    planned = {each.trial for each in plans.trials_of(region.source.name, [claim], folder)}
    here = trials_in(region)
    if not here:
        raise NotEstimable(text("Nobody was drawn by lot here."))
    own = [each for each in here if each in planned]
    if not own:
        raise NotEstimable(
            text("No trial of {claim} here has a registered plan.", claim=Verbatim(claim))
        )
    return read_trial(region, own[-1], folder)


def read_trial(region: Region, trial: str, folder: Path | None = None) -> Reading:
    """Read a trial back from a region's data, and hold it against its plan.

    Parameters
    ----------
    region : Region
    trial : str
        Its name, as in the table of assignments.
    folder : Path, optional
        Where plans are registered.

    Raises
    ------
    NotEstimable
        If nothing was assigned, no plan is registered or it is another region's, an arm is not one
        of the plan or has nobody, or nothing is known of the units.
    """
    rows = region.tables["assignments"]
    rows = rows[rows["trial"] == trial].set_index("unit").sort_index()
    if rows.empty:
        raise NotEstimable(text("Nothing was assigned in a trial {trial!r} here.", trial=trial))
    try:
        plan = plans.read(region.source.name, trial, folder)
    except DataError as why:
        raise NotEstimable(str(why)) from None
    _refuse_another(region, plan, rows)
    design = plan.as_designed
    own = units.traits(region, design.who, rows["assigned_on"])
    people = rows.drop(columns=["trial", "unit_is"]).join(
        own.drop(
            columns=["assigned_on", "active", "beyond_before", "tenure_days"], errors="ignore"
        ),
        how="inner",
    )
    if people.empty:
        raise NotEstimable(text("Nothing is known of the units of this trial before its lot."))
    lots = plans.read_lots(region.source.name, trial, folder)
    people = people.assign(
        treated=(people["arm"] == design.arms[0]).astype(int),
        received=outcomes.received(region, people, design.who),
        over=outcomes.is_over(people, region.end, design.horizon),
        complaints=outcomes.complaints_since(region, people),
    )
    if design.unit_is == "customer":
        blocks = lots.set_index("unit")["block"].reindex(people.index)
        people = people.assign(block=blocks) if blocks.notna().all() else people
    found = Reading(plan, people, region.end, ())
    return replace(found, checks=tuple(as_planned(region, found, rows, lots, folder)))


def analysed(region: Region, reading: Reading, seed: int = 0) -> Result:
    """Analyse a trial as planned.

    Raises
    ------
    NotEstimable
        If it is not over, or its arms are too small.
    """
    if not reading.is_over:
        raise NotEstimable(text("The trial runs: until it is over its outcome is not looked at."))
    design, trial = reading.plan.as_designed, with_outcomes(region, reading)
    assigned, received = intention_to_treat(trial), complier_effect(trial, "dose")
    bounds = attrition_bounds(trial)
    low, high = bounds.difference.ci_low, bounds.difference.ci_high
    is_equal = bounds.observed_treated == bounds.observed_control
    lost = Check(
        phrase("as many outcomes known in both arms"),
        text("the interval of the difference holds 0"),
        text("{low:+.1%} to {high:+.1%}", low=low, high=high),
        passed=is_equal or low <= 0 <= high,
    )
    found = (*reading.checks, lost)
    if design.received_as in ALSO:
        found += (ALSO[design.received_as](region),)
    parts = hypothesis(reading.plan.claim).parts
    effect = unit_of(region, design).told(received.interval)
    verdict = judge_part(design.decides, effect, len(parts))
    if any(each.blocking and not each.passed for each in found):
        verdict = "inconclusive"
    lots = randomisation_test(trial, seed)
    return Result(assigned, received, effect, lots, bounds, verdict, found)


def with_outcomes(region: Region, reading: Reading) -> Trial:
    """Return who was drawn, with what came of them (see `outcomes.measured`)."""
    design, people = reading.plan.as_designed, reading.people
    return Trial(
        people.join(outcomes.measured(region, people, *design.measures)),
        "outcome",
        "treated",
        covariates=reading.plan.adjusted_for,
        block="block" if "block" in people else None,
    )


ALSO = {
    "rating": lambda region: checks.coding(item_coding(region.answers())),
    "money": lambda region: checks.at_least_share(
        phrase("contacts whose cost is known"), contacts.cost_known(region), 0.95
    ),
}
"""Checks of what is received, by what it is."""


def _refuse_another(region: Region, plan: Plan, rows: pd.DataFrame) -> None:
    """Refuse assignments that can't be those of the plan."""
    if plan.region != region.name:
        raise NotEstimable(
            text(
                "The trial {trial!r} was planned for the region {region!r}.",
                trial=plan.trial, region=plan.region,
            )
        )  # fmt: skip
    arms = plan.as_designed.arms
    if other := sorted(set(rows["arm"]) - set(arms)):
        raise NotEstimable(
            text(
                "An arm of the trial {trial!r} is called {other!r}; its plan has {one!r} and "
                "{two!r}.",
                trial=plan.trial, other=other[0], one=arms[0], two=arms[1],
            )
        )  # fmt: skip
    if nobody := [each for each in arms if each not in set(rows["arm"])]:
        raise NotEstimable(
            text("Nobody is in the arm {arm!r} of the trial {trial!r}.", arm=nobody[0],
                 trial=plan.trial)
        )  # fmt: skip
