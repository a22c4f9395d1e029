"""Visits to key accounts: how many are planned, how many are made, and whether as promised."""

import numpy as np
from numpy import ndarray
from numpy.random import Generator
from pandas import DataFrame

from analysis.cohorts.contacts import KEPT, PROMISED
from simulation.world import LANDMARK, N_WEEKS, World

MONTH = 52 / 12  # weeks
VISITED_UNTIL = LANDMARK + 13
NOTICED = 2  # weeks after which visits to an account that has gone end
SPANS = {"before": (0, LANDMARK), "quarter": (LANDMARK, VISITED_UNTIL)}
SPANS |= {"rest": (VISITED_UNTIL, N_WEEKS)}  # first and last week but one


def made(world: World, people: DataFrame, rng: Generator) -> dict:
    """Return visits by span of weeks, and who was visited as promised in the quarter.

    `people` have a tier ("" where nobody is visited) and say whether their visits are as planned.
    """
    monthly, joined = planned(world, people), people["joined"].to_numpy()
    counts = {
        f"visits_{name}": rng.poisson(
            monthly * np.maximum(end - np.maximum(start, joined), 0) / MONTH
        )
        for name, (start, end) in SPANS.items()
    }
    promised = people["tier"].map(PROMISED).to_numpy() * 13 / MONTH
    return counts | {"visited": counts["visits_quarter"] >= KEPT * promised}


def planned(world: World, people: DataFrame) -> ndarray:
    """Return expected visits a month, 0 for those without a tier, shape (n_customers,)."""
    plan = people["tier"].map(dict(zip("ABC", world.visit_plan, strict=True))).fillna(0)
    return plan.to_numpy() * np.where(people["adherent"], 1.0, 0.65)


def visits(people: DataFrame, rng: Generator) -> tuple[ndarray, ndarray]:
    """Return who is visited on which day since the start, one of each per visit.

    Two weeks after an account has gone nobody visits it any more.
    """
    persons, days = [], []
    for name, (start, end) in SPANS.items():
        person = np.repeat(np.arange(len(people)), people[f"visits_{name}"])
        first = np.maximum(people["joined"].to_numpy()[person], start) * 7
        persons.append(person)
        days.append(rng.integers(first, end * 7))
    person, day = np.concatenate(persons), np.concatenate(days)
    known = day < 7 * (people["lapse"].to_numpy()[person] + NOTICED)
    return person[known], day[known]
