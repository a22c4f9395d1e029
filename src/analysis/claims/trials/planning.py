"""From a region's own history to a plan: how many units, what they cost, and who gets which arm."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd

from analysis.claims.trials.designs import LONGEST, Design
from analysis.claims.trials.plans import Plan, of_lots
from analysis.cohorts import landmark
from analysis.cohorts.trials import outcomes, units
from analysis.data.region import Region
from analysis.language import text
from analysis.statistics.estimate import NotEstimable
from analysis.statistics.trial.balance import balance
from analysis.statistics.trial.lots import draw_lots, lot
from analysis.statistics.trial.units import coded

IN_BLOCK = 8
"""Cases that come one after the other and have as many of each arm."""
MOST_CASES = 2_000
"""Lots for cases that are kept ready at most."""


@dataclass(frozen=True)
class Drawn:
    """A plan, and the lots that it fixes.

    Attributes
    ----------
    plan : Plan
    lots : DataFrame
        One row for each unit: place (from 1), and the columns of the table of assignments, `unit`
        and `assigned_on` empty where the unit is a case to come; block.
    balance : DataFrame or None
        As from `balance`; None of cases to come.
    eligible : int or None
        Customers who could be drawn; None of cases.
    a_year : int or None
        Such cases in the last year; None of customers.
    """

    plan: Plan
    lots: pd.DataFrame
    balance: pd.DataFrame | None
    eligible: int | None
    a_year: int | None = None

    @property
    def how_long(self) -> list[str]:
        """In how many years the cases of a trial come, at the rate of the last one."""
        if self.a_year is None:
            return []
        if not self.a_year:
            return [text("No such case came in the last year.")]
        size, years = self.plan.size, self.plan.size / self.a_year
        said = text(
            "In the last year {n:,} such cases came: {size:,} lots take about {years:.1f} years.",
            n=self.a_year, size=size, years=years,
        )  # fmt: skip
        too_long = text("That is too long for a trial in this region alone.")
        return [said, too_long] if years > LONGEST else [said]


def history(region: Region, design: Design) -> pd.DataFrame:
    """Return units as they would have been drawn a horizon ago, with what came of them.

    Where the outcome needs an answer, it is early enough that those of the last wave count.

    Returns
    -------
    DataFrame
        By unit: the columns of `units.eligible`, and those of `outcomes.measured`.

    Raises
    ------
    NotEstimable
        If the data do not reach back a horizon and a quarter, or as `outcomes.measured`.
    """
    day = region.end - dt.timedelta(days=design.horizon)
    asked = region.survey["answered_on"].max()
    if design.within and pd.notna(asked):
        day = min(day, asked.date() - dt.timedelta(days=design.within))
    first = pd.Timestamp(day) - pd.Timedelta(days=landmark.QUARTER)
    if design.unit_is == "customer" and not (region.start and first >= pd.Timestamp(region.start)):
        raise NotEstimable(
            text(
                "The data do not reach back {n} days, which the outcome and a quarter before it "
                "take.",
                n=design.horizon + landmark.QUARTER,
            )
        )
    found = units.eligible(region, design.who, day)
    return found.join(outcomes.measured(region, found, *design.measures, until=region.end))


def predicted(past: pd.DataFrame, now: pd.DataFrame, known: Sequence[str]) -> pd.Series:
    """Return the outcome of units as a regression on those of the past has it."""
    both = pd.concat([past[list(known)], now[list(known)]], keys=["past", "now"])
    x = np.column_stack([np.ones(len(both)), coded(both).to_numpy()])
    y = past["outcome"].to_numpy(float)
    rows = np.isfinite(y)
    slopes = np.linalg.lstsq(x[: len(past)][rows], y[rows], rcond=None)[0]
    return pd.Series(x[len(past) :] @ slopes, now.index)


def lots_of_customers(
    people: pd.DataFrame,
    design: Design,
    seed: int,
    share: float,
    size: int | None,
    past: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw lots for customers who could take part.

    Parameters
    ----------
    people : DataFrame
        As from `units.eligible`.
    size : int, optional
        How many are drawn for, whom a lot chooses; all of them when omitted, or if fewer there are.
    past : DataFrame
        As from `history`; empty where there is none, so that blocks know no predicted outcome.

    Returns
    -------
    DataFrame, DataFrame
        By unit, who was drawn for: what was known of them, and block and treated.

    Raises
    ------
    NotEstimable
        If fewer than 2 blocks' worth of customers could take part.
    """
    if len(people) < 2 * IN_BLOCK:
        raise NotEstimable(
            text("{n:,} could take part; {least} are needed.", n=len(people), least=2 * IN_BLOCK)
        )
    if design.who == "key_accounts":
        people = units.with_tiers(people)
    if size is not None and size < len(people):
        chosen = [lot(f"{seed} takes part", name) for name in people.index.astype(str)]
        people = people.loc[people.index[np.argsort(chosen, kind="stable")[:size]]].sort_index()
    if len(past):
        known = units.known_before(design.who)
        people = people.assign(predicted=predicted(past, people, known))
    drawn = draw_lots(
        people,
        seed,
        share=share,
        within=units.blocks(people),
        predicted="predicted" if len(past) else None,
    )
    return people, drawn


def lots_of_cases(seed: int, share: float, size: int) -> pd.DataFrame:
    """Draw lots for cases to come, in their order: in each eight as many of each arm."""
    places = pd.DataFrame(index=pd.RangeIndex(1, size + 1, name="place"))
    places["eight"] = (places.index - 1) // IN_BLOCK
    return draw_lots(places, seed, share=share, within=["eight"])


def drawn(
    region: Region,
    design: Design,
    trial: str,
    seed: int,
    *,
    past: pd.DataFrame,
    size: int | None = None,
    share: float = 0.5,
    **fixed: object,
) -> Drawn:
    """Draw the lots of a trial and fix its plan.

    Parameters
    ----------
    region, design
    trial : str
        Its name.
    seed : int
    past : DataFrame
        As from `history`; maybe empty.
    size : int, optional
        Units; of customers all who could take part, of cases `MOST_CASES` when omitted.
    share : float
        Of units with the offer.
    **fixed
        Other fields of the plan: needed, power, compliance, attrition, replaces.

    Raises
    ------
    NotEstimable
        If too few could take part.
    """
    could, a_year = units.eligible(region, design.who, region.end), None
    if design.unit_is == "complaint":
        first = pd.Timestamp(region.end) - pd.Timedelta(days=landmark.YEAR)
        a_year = int((could["assigned_on"] >= first).sum())
        found = lots_of_cases(seed, share, min(size or MOST_CASES, MOST_CASES))
        names, days = [""] * len(found), [""] * len(found)
        alike, within, eligible = None, ("eight",), None
    else:
        people, found = lots_of_customers(could, design, seed, share, size, past)
        names = people.index.astype(str)
        days = people["assigned_on"].dt.strftime("%Y-%m-%d")
        known = [*units.known_before(design.who), *people.columns.intersection(["predicted"])]
        alike = balance(people.assign(treated=found["treated"]), "treated", known)
        within = (*units.blocks(people), *people.columns.intersection(["predicted"]))
        eligible = len(could)
    lots = pd.DataFrame(
        {
            "place": range(1, len(found) + 1),
            "trial": trial,
            "unit": list(names),
            "unit_is": design.unit_is,
            "arm": np.where(found["treated"] == 1, *design.arms),
            "assigned_on": list(days),
            "received_on": "",
            "block": found["block"].to_numpy(),
        }
    )
    plan = Plan(
        trial=trial,
        claim=design.claim,
        source=region.source.name,
        region=region.name,
        data_until=str(region.end),
        seed=seed,
        size=len(lots),
        share=share,
        smallest=design.decides.sesoi,
        adjusted_for=_recorded(could, units.known_before(design.who)),
        within=within,
        lots=of_lots(lots),
        design=asdict(replace(design, worth=landmark.worth(region))) | {"arms": list(design.arms)},
        **fixed,
    )
    return Drawn(plan, lots, alike, eligible, a_year)


def _recorded(could: pd.DataFrame, names: Sequence[str]) -> tuple[str, ...]:
    """Return those columns that are recorded and differ; all where nobody tells, as of no case."""
    return tuple(name for name in names if could.empty or could[name].nunique() > 1)


def with_power(drawn: Drawn, power: float) -> Drawn:
    """Return a plan that says how often a trial of its size decides."""
    return replace(drawn, plan=replace(drawn.plan, power=power))
