"""What customers answer: to the survey's items, and after a case."""

import numpy as np
from numpy import ndarray
from numpy.random import Generator
from pandas import DataFrame
from scipy import special, stats

from simulation.drawing.people import COSTS, REASONS, VALUES
from simulation.world import WAVES, World

SATISFACTION = ("satisfaction_1", "satisfaction_2", "satisfaction_3")
LOYALTY = ("loyalty_1", "loyalty_2", "loyalty_3")
ITEMS = ["expectation", "performance", *VALUES, *COSTS, *SATISFACTION, *LOYALTY]
ITEMS += ["price_sensitivity", "works_quality", "works_communication"]
ITEMS += ["org_benefit", "personal_benefit", "added_service"]
SATISFACTION_UNIT = 0.8  # of an item's score per unit of satisfaction
# How answers from 1 to 10 are spread: many sevens to nines, few below four.
CUTS = 1.1 * stats.norm.ppf([0.015, 0.04, 0.075, 0.13, 0.21, 0.33, 0.50, 0.71, 0.88])
# Shaped like a J: many ones, few below the seven, and half of them tens.
J_CUTS = 1.1 * stats.norm.ppf([0.06, 0.075, 0.09, 0.105, 0.13, 0.16, 0.22, 0.32, 0.48])


def answers(world: World, people: DataFrame, wave: int, rng: Generator) -> DataFrame:
    """Return everyone's latent answers in a wave, one row per customer.

    A score per item with a spread of about one, before it becomes a whole number (`to_scale`); and
    had_works (bool), told_others (people), responds, one_number (bool), asked (the chance to be).
    Stations inform from wave 2 on.
    """
    n = len(people)
    informed = people["informed"].to_numpy() & (wave == 2)
    had_works = rng.random(n) < 0.45
    quality = 0.20 * informed + rng.standard_normal(n)  # the informed also see better work
    is_settled = people["case_week"] < WAVES[wave][0]
    latent = (people["satisfaction"] + people["handled"].where(is_settled, 0)).to_numpy()
    humour = world.station_mood[wave] * people["informed"].to_numpy()
    works = world.works_slope * quality + world.works_communication * informed
    mood = latent + 0.25 * rng.standard_normal(n) + had_works * works + humour
    agree = world.acquiescence * rng.standard_normal(n)
    seen = people.assign(works_quality=quality, works_communication=-0.9 + 1.8 * informed + humour)
    scores = _scores(world, seen, mood, rng) + agree[:, None]
    impression = world.halo * people["halo"].to_numpy()
    scores[["performance", *VALUES, *SATISFACTION]] += impression[:, None]
    scores[list(COSTS)] -= impression[:, None]
    scores["expectation"] += world.halo_on_expectation * impression
    scores[["fuel_quality", *LOYALTY]] += world.halo_on_loyalty * people["halo"].to_numpy()[:, None]
    engaged = -0.1 + 0.35 * people["log_rate"] + 0.25 * people["loyalty"] + world.silence * latent
    told = _told(world, mood, rng)
    responds, asked = rng.random(n) < special.expit(engaged), np.ones(n)
    if world.chosen:
        asked = special.expit(world.chosen * latent)
        responds &= rng.spawn(1)[0].random(n) < asked
    more = {"had_works": had_works, "told_others": told, "responds": responds, "asked": asked}
    return scores.assign(**more, one_number=people["one_number"])


def _scores(world: World, people: DataFrame, mood: ndarray, rng: Generator) -> DataFrame:
    """Return every item's score without a tendency to agree."""
    n, single = len(people), [name for name in ITEMS if name in people and "works" not in name]
    scores = people[single] + 0.25 * rng.standard_normal((n, len(single)))
    scores[list(COSTS)] -= 0.5
    own = rng.spawn(1)[0]  # leaves the other items as they are without these
    scores[list(REASONS)] = people[list(REASONS)] + 0.25 * own.standard_normal((n, len(REASONS)))
    scores["works_quality"] = people["works_quality"]
    scores["works_communication"] = people["works_communication"] + 0.7 * rng.standard_normal(n)
    bond = people["loyalty"].to_numpy() / 1.1
    for items, score in ((SATISFACTION, SATISFACTION_UNIT * mood), (LOYALTY, bond)):
        scores[list(items)] = score[:, None] + world.item_noise * rng.standard_normal((n, 3))
    return scores


def _told(world: World, mood: ndarray, rng: Generator) -> ndarray:
    """Draw how many are told; some of the larger counts are rounded to fives, as people do."""
    shape, n = world.told_shape, len(mood)
    mean = 6.0 * np.exp(world.told_slope * mood) * rng.gamma(shape, size=n)
    counts = rng.poisson(mean / shape)
    rounded = (counts > 4) & (rng.random(n) < 0.4)
    return np.where(rounded, 5 * np.rint(counts / 5), counts).astype(int)


def to_scale(world: World, scores: ndarray) -> ndarray:
    """Return answers from 1 to 10 for latent scores; same shape."""
    return 1 + np.searchsorted(J_CUTS if world.j_shaped else CUTS, scores)


def to_items(world: World, latent: DataFrame) -> DataFrame:
    """Return every item from 1 to 10; a point of expectation and performance is equally large.

    Who gives one number throughout gives that of the first item of satisfaction.
    """
    names = [*ITEMS, *REASONS]
    items = DataFrame(to_scale(world, latent[names].to_numpy()), columns=names)
    for name in ("expectation", "performance"):
        items[name] = np.clip(np.rint(6.8 + 1.7 * latent[name]), 1, 10).astype(int)
    alike = latent["one_number"].to_numpy()
    items.loc[alike] = items.loc[alike, [SATISFACTION[0]] * len(names)].to_numpy()
    return items


def took_part(people: DataFrame, latent: DataFrame, wave: int) -> ndarray:
    """Return who answered a wave: customers at the time who respond; shape (n_customers,)."""
    first, last = WAVES[wave]
    return (latent["responds"] & (people["joined"] < first) & (people["lapse"] > last)).to_numpy()


def has_case(people: DataFrame) -> ndarray:
    """Return who complained while a customer, shape (n_customers,)."""
    return people["case_week"].between(people["joined"] + 1, people["lapse"] - 1).to_numpy()


def case_scores(
    world: World, people: DataFrame, within: ndarray, told: ndarray, noise: ndarray
) -> ndarray:
    """Return latent satisfaction after a case settled within three days or later, explained or not.

    `within` and `told` are bool, one or of shape (n_customers,); `noise` is standard normal.
    """
    explanation = world.explanation_effect * np.where(told, 0.5, -0.5)
    return (
        0.45 * people["satisfaction"]
        + world.day_slope * (people["case_days"] - 3)
        + world.severity_effect * (people["severity"] - 2.8)
        + np.where(within, world.promise_jump, explanation)
        + 0.8 * noise
    ).to_numpy()


def case_answers(world: World, people: DataFrame, *course: ndarray) -> ndarray:
    """Return the answers from 1 to 10 after a case; arguments of `case_scores`."""
    return to_scale(world, case_scores(world, people, *course) / 1.05)
