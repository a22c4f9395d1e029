"""A region in which lots were drawn: two trials, and a past that misleads about both.

Customers take the fuel card who are loyal, and stay for that; before the trial staff explain
cases to those who press them. From the landmark on, a card is offered by lot to customers without
one, and six of ten take it; late cases are explained by lot.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
from numpy import ndarray
from pandas import DataFrame, Series
from scipy import special

from analysis.claims.trials import planning, plans
from analysis.claims.trials.designs import design
from analysis.cohorts.trials import outcomes, units
from analysis.data.region import Region
from simulation.drawing import survey
from simulation.drawing.behaviour import History, simulate, visit_rate
from simulation.drawing.tables import draw
from simulation.rehearsal import region_of
from simulation.sample import CHUNK, QUARTER
from simulation.world import LANDMARK, N_WEEKS, START, World
from simulation.writing import replaced

NAME, REGION, SIZE, SEED = "pilot", "Pilot 试点", 9_000, 20250630
WORLD = World(
    REGION,
    card_hazard=0.003,
    card_by_loyalty=0.4,
    card_log_hazard=-0.8,
    lapse_hazard=0.012,
    attachment=0.9,
    explanation_effect=1.0,
    complaint_slope=-0.4,
)
CARD, CASE = f"H19 {REGION}", f"H09 {REGION}"
"""Names of the trials."""
SHARE_TAKES, WEEKS_TO_TAKE = 0.6, 5
"""Of the offered, who take the card; and within how many weeks."""
LATEST_WEEK = outcomes.RECEIVES // 7
"""From when on a card that is taken is another one."""
TOLD, TOLD_ANYWAY = 0.93, 0.03
"""Of late cases in either arm, those that are explained."""
PRESSED = 2.0
"""Log odds to be told, before the trial, per unit of dissatisfaction."""
DAY = (START + 7 * LANDMARK - 1).item()
"""The last day before the trials."""
LAST_WEEK = N_WEEKS - 8
"""Until its beginning lots are drawn for cases."""
ROWS = ["trial", "unit", "unit_is", "arm", "assigned_on", "received_on"]


def write_pilot(folder: Path, size: int = SIZE, seed: int = SEED) -> None:
    """Write the tables of the region, their truth, and the plans of its trials.

    Parameters
    ----------
    folder : Path
        Replaced if it holds an earlier pilot; plans are registered beside it, in `plans/pilot`.
    size : int
        Customers.
    seed : int
        The same seed gives the same bytes.

    Raises
    ------
    FileExistsError
        If the folder holds anything else.
    """
    drawn, made = tables(size, seed)
    registered = folder.parent / plans.FOLDER.name
    replaced(drawn | {"truth": truths(seed)}, folder)
    shutil.rmtree(registered / NAME, ignore_errors=True)
    for each in made:
        plans.register(each.plan, each.lots, registered)


def takers(people: DataFrame, rng: np.random.Generator) -> ndarray:
    """Return who takes a card that is offered: more of the attached, `SHARE_TAKES` in all."""
    level = special.logit(SHARE_TAKES) + 0.06
    return rng.random(len(people)) < special.expit(0.8 * people["attachment"] + level)


def cards_of(people: DataFrame, offered: ndarray, seed: int) -> ndarray:
    """Return the weeks in which those who are offered a card take it, shape (n_customers,)."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(7,)))
    takes = takers(people, rng) & offered
    return np.where(takes, LANDMARK + rng.integers(0, WEEKS_TO_TAKE, len(people)), N_WEEKS)


def tables(size: int = SIZE, seed: int = SEED) -> tuple[dict[str, DataFrame], list[planning.Drawn]]:
    """Return the six tables of the region and the plans of its trials."""
    before = simulate(WORLD, size, seed)
    past = draw(WORLD, size, seed, before)
    ids = past["customers"]["customer_id"].to_numpy()
    cards = planned(past, "H19", CARD, seed)
    offered = np.isin(ids, cards.lots.loc[cards.lots["arm"] == "offered", "unit"])
    after = simulate(WORLD, size, seed, cards_of(before.people, offered, seed))
    after, cases, lots = explained_by_lot(after, ids, seed)
    drawn = draw(WORLD, size, seed, after)
    moment = pd.Timestamp(DAY) + pd.Timedelta(days=1)
    lines = [past["transactions"], drawn["transactions"]]
    lines = [lines[0][lines[0]["bought_at"] < moment], lines[1][lines[1]["bought_at"] >= moment]]
    joined = past["customers"]["joined_on"]
    drawn["customers"]["joined_on"] = joined.where(joined < moment, drawn["customers"]["joined_on"])
    drawn["transactions"] = pd.concat(lines, ignore_index=True)
    rows = [_cards(cards.lots, drawn["customers"]), _cases(lots, drawn)]
    return drawn | {"assignments": pd.concat(rows, ignore_index=True)}, [cards, cases]


def truths(seed: int = SEED, n_draw: int = CHUNK) -> DataFrame:
    """Return what is true of both trials, as `truth.parts.planted` does, from a large draw.

    A card: staying of those who take it because it is offered, with it less without it. Being
    told: satisfaction after late cases, in standard deviations of the answers in the trial.
    """
    before = simulate(WORLD, n_draw, seed).people
    everybody = np.ones(n_draw, bool)
    after = simulate(WORLD, n_draw, seed, cards_of(before, everybody, seed)).people
    weeks = np.arange(LANDMARK - QUARTER, LANDMARK)
    active = 1 - np.exp(-visit_rate(WORLD, before, weeks).sum(axis=1))
    takes = (after["card_week"] < LANDMARK + WEEKS_TO_TAKE) & (after["card_week"] < after["lapse"])
    complies = takes & (before["card_week"] > LANDMARK + LATEST_WEEK)
    weeks = np.arange(N_WEEKS - QUARTER, N_WEEKS)
    stay = [1 - np.exp(-visit_rate(WORLD, each, weeks).sum(axis=1)) for each in (after, before)]
    card = np.average(stay[0] - stay[1], weights=active * complies)
    late = before[survey.has_case(before) & (before["case_days"] > 3)].reset_index(drop=True)
    noise = np.random.default_rng(seed).standard_normal(len(late))
    told, untold = (survey.case_answers(WORLD, late, False, arm, noise) for arm in (True, False))
    spread = np.concatenate([told, untold]).std()
    rows = [("H19", "retention", card), ("H09", "explanation", (told - untold).mean() / spread)]
    found = DataFrame(rows, columns=["hypothesis", "part", "truth"])
    found.insert(0, "region", REGION)
    return found


def planned(
    past: dict[str, DataFrame], claim: str, trial: str, seed: int, size: int | None = None
) -> planning.Drawn:
    """Return the plan that was made of a trial on the day before it."""
    known = region_of(past)
    source = SimpleNamespace(name=NAME, currency="CNY", calendar="CN")
    here: Region = replace(known, source=source, name=REGION, end=DAY)
    own = design(claim)
    fixed = {"needed": None, "power": None, "compliance": own.compliance, "attrition": 0.0}
    return planning.drawn(here, own, trial, seed, past=DataFrame(), size=size, **fixed)


def explained_by_lot(
    history: History, ids: ndarray, seed: int
) -> tuple[History, planning.Drawn, Series]:
    """Return customers whose cases are explained as staff chose, and then by lot; plan and arms.

    Arms are by place of the customer, in the order in which their late cases were opened.
    """
    people, rng = (
        history.people,
        np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(8,))),
    )
    chosen, lot = rng.random((2, len(people)))
    told = chosen < special.expit(-PRESSED * people["satisfaction"])
    late = survey.has_case(people) & (people["case_days"] > 3).to_numpy()
    by_lot = late & people["case_day"].between(7 * LANDMARK, 7 * LAST_WEEK).to_numpy()
    order = people[by_lot].sort_values("case_day", kind="stable").index
    empty = {"transactions": DataFrame({"bought_at": [pd.Timestamp(START)]})}
    plan = planned(empty, "H09", CASE, seed, size=len(order))
    arms = Series(plan.lots["arm"].to_numpy(), order)
    chance = arms.map({"told": TOLD, "not_told": TOLD_ANYWAY})
    told = told.where(~by_lot, Series(lot, people.index) < chance.reindex(people.index))
    return replace(history, people=people.assign(explained=told.astype(bool))), plan, arms


def _cards(lots: DataFrame, customers: DataFrame) -> DataFrame:
    """Return the assignments of the card's trial, with the day on which a card was taken."""
    since = customers.set_index("customer_id")["card_since"].reindex(lots["unit"])
    day = pd.Timestamp(DAY) + pd.Timedelta(days=1)
    took = (lots["arm"] == "offered").to_numpy() & (since >= day).to_numpy()
    soon = took & (since < day + pd.Timedelta(days=7 * WEEKS_TO_TAKE)).to_numpy()
    return lots.assign(received_on=np.where(soon, since.dt.strftime("%Y-%m-%d"), ""))[ROWS]


def _cases(arms: Series, drawn: dict[str, DataFrame]) -> DataFrame:
    """Return the assignments of late cases, with the day on which they were explained."""
    here = region_of(drawn)
    ids = drawn["customers"]["customer_id"].reindex(arms.index) + "-1"
    late = units.eligible(here, "late_cases", here.end)
    names = [each for each in ids if each in late.index]
    by_unit = Series(arms.to_numpy(), ids)
    told = here.complaints.set_index("complaint_id")["explained_at"].reindex(names)
    days = late.loc[names, "assigned_on"].dt.strftime("%Y-%m-%d")
    received = told.dt.strftime("%Y-%m-%d").fillna("")
    found = {"unit": names, "arm": by_unit[names].to_numpy(), "assigned_on": days.to_numpy()}
    found |= {"trial": CASE, "unit_is": "complaint", "received_on": received.to_numpy()}
    return DataFrame(found)[ROWS]
