"""How many units decide a claim by trial, from a region's own history, and whether it pays."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from analysis.claims.hypotheses import Part
from analysis.claims.trials.designs import Design
from analysis.claims.trials.in_units import AS_IT_IS, Unit
from analysis.claims.verdicts import judge_part
from analysis.cohorts import landmark, purchases
from analysis.cohorts.trials import units
from analysis.data.region import Region
from analysis.language import text
from analysis.statistics.estimate import Estimate, NotEstimable
from analysis.statistics.trial import sample_size as sizes

LEAST_PAST = 50
"""Units of the past, with an outcome, that tell how outcomes vary."""
REPLICATES = 100
"""Simulated trials of each size."""
AT_MOST = 50_000
TIMES = 2.0
"""The effect that is planted, in smallest effects that matter: on its edge nothing is decided."""
OFFERS = ("without_card", "fuel_only")
"""Kinds of units whose offer costs what a contact to keep a customer does."""


@dataclass(frozen=True)
class Sizing:
    """How many units a trial needs.

    Attributes
    ----------
    needed : int or None
        Units for 80% power; None where more than `AT_MOST` are needed.
    power : float
        Of a trial of so many, in simulated ones.
    past : int
        Units of the past with an outcome.
    effect : float
        Effect that was planted, in the unit of the claim's part.
    compliance, attrition : float
        What was assumed: the share who take the offer because of it, or by how many standard
        deviations it moves the dose; and whose outcome is lost.
    simulated : DataFrame
        Power by size, as from `sample_size`.
    """

    needed: int | None
    power: float
    past: int
    effect: float
    compliance: float
    attrition: float
    simulated: pd.DataFrame


@dataclass(frozen=True)
class Money:
    """What an offer costs, and what it brings if the claim is just true.

    Attributes
    ----------
    cost : float
        Of a contact to keep a customer, mean of the last year.
    value : float
        Yearly worth of a customer who could take part, mean of the last year.
    brings : float
        Of an offer: the smallest effect that matters, times those who take it, times the value.
    worth : str
        What a customer is worth: "margin" or "sales".
    currency : str
    """

    cost: float
    value: float
    brings: float
    worth: str
    currency: str

    @property
    def pays(self) -> bool:
        """Whether an offer brings more than it costs."""
        return self.brings > self.cost


def sizing(
    past: pd.DataFrame,
    design: Design,
    compliance: float,
    share: float,
    seed: int,
    replicates: int | None = None,
    unit: Unit = AS_IT_IS,
) -> Sizing:
    """Return how many units decide, by drawing trials from the past with an effect planted.

    Parameters
    ----------
    past : DataFrame
        As from `planning.history`.
    design : Design
    compliance, share : float
        Assumed, and of units with the offer.
    seed : int
    replicates : int, optional
        Simulated trials of each size, by default `REPLICATES`.
    unit : Unit
        As from `unit_of`.

    Raises
    ------
    NotEstimable
        If the past has fewer than `LEAST_PAST` units with an outcome, or the outcome leaves no room
        for the effect.
    """
    known = past.dropna(subset=["outcome"])
    if len(known) < LEAST_PAST or known["outcome"].nunique() < 2:
        raise NotEstimable(
            text(
                "In the past {n:,} units had an outcome; {least} that differ are needed.",
                n=len(known),
                least=LEAST_PAST,
            )
        )
    try:
        plan = _plan(past, design, compliance, share, unit)
    except ValueError as why:
        raise NotEstimable(
            text("The past leaves no room for the effect: {why}", why=str(why))
        ) from None
    decides = _decides(design, unit)
    if not decides(Estimate(plan.effect, plan.effect, plan.effect, len(known))):
        raise NotEstimable(
            text(
                "What winning a customer costs varies so much between campaigns that no number of "
                "units decides."
            )
        )
    found = sizes.sample_size(
        plan, decides, seed, at_most=AT_MOST, n_replicates=replicates or REPLICATES
    )
    return Sizing(
        needed=found.n,
        power=found.power,
        past=len(known),
        effect=planted(design.decides),
        compliance=compliance,
        attrition=plan.attrition,
        simulated=found.simulated,
    )


def power_of(
    past: pd.DataFrame,
    design: Design,
    size: Sizing,
    n: int,
    share: float,
    seed: int,
    unit: Unit = AS_IT_IS,
) -> float:
    """Return how often a trial of n units decides, under the assumptions of a sizing."""
    plan = _plan(past, design, size.compliance, share, unit)
    return float(sizes.power_of(plan, n, _decides(design, unit), seed, REPLICATES)["power"].iloc[0])


def planted(part: Part) -> float:
    """Return the effect that is planted: twice the smallest, or the middle of two ends."""
    if len(part.claim.ends) == 2:
        return sum(part.claim.ends) / 2
    return part.null + TIMES * (part.claim.ends[0] - part.null)


def _plan(
    past: pd.DataFrame, design: Design, compliance: float, share: float, unit: Unit
) -> sizes.Plan:
    """Return the trial that is drawn from the past again and again."""
    known = past.dropna(subset=["outcome"])
    return sizes.Plan(
        known,
        "outcome",
        unit.measured(planted(design.decides)),
        covariates=units.known_before(design.who),
        within=units.blocks(known) if design.unit_is == "customer" else (),
        share=share,
        compliance=compliance * unit.offer,
        attrition=1 - len(known) / len(past),
        of="received",
        dose="dose" if design.dose else None,
    )


def _decides(design: Design, unit: Unit) -> Callable[[Estimate], bool]:
    """Return whether an interval supports the claim's part."""
    return lambda each: judge_part(design.decides, unit.told(each)) == "supported"


def money(region: Region, design: Design, compliance: float) -> Money | None:
    """Return what an offer costs and brings; None where that is not recorded, or not money."""
    rows = region.contacts
    since = pd.Timestamp(region.end) - pd.Timedelta(days=landmark.YEAR)
    costs = rows.loc[(rows["purpose"] == "retain") & (rows["contacted_on"] > since), "cost"]
    if design.who not in OFFERS or costs.isna().all():
        return None
    people = units.eligible(region, design.who, region.end)
    first = region.end - dt.timedelta(days=landmark.YEAR - 1)
    worth = landmark.worth(region)
    bought = purchases.per_customer(region, first, region.end)[worth]
    value = float(bought.reindex(people.index).mean())
    smallest = float(design.decides.sesoi)
    brings = smallest * compliance * value
    return Money(float(costs.mean()), value, brings, worth, region.source.currency)
