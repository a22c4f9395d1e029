"""Customers: who they are, what they think, and what is to happen to them."""

import numpy as np
import pandas as pd
from numpy import ndarray
from numpy.random import Generator
from pandas import DataFrame
from scipy import special

from simulation.drawing.unrecorded import draw_unrecorded, odds_shifted, stretched
from simulation.world import CORE, DRIVERS, LANDMARK, N_WEEKS, SEGMENTS, START, WAVES, World

VALUES = ("product_value", "service_value", "personnel_value", "image_value")
COSTS = ("money_cost", "time_cost", "energy_cost", "effort_cost")
# Holidays and their make-up days: no case spans them, so that every calendar counts the same days.
_CLOSED = """
    2024-09-14 2024-09-17 2024-09-29 2024-10-12 2025-01-01 2025-01-01 2025-01-26 2025-02-08
    2025-04-04 2025-04-06 2025-04-27 2025-05-05 2025-05-31 2025-06-02 2025-09-28 2025-10-11
    2026-01-01 2026-01-04 2026-02-14 2026-02-28 2026-04-04 2026-04-06 2026-05-01 2026-05-09
    2026-06-19 2026-06-30
"""
CLOSED = np.array(_CLOSED.split(), dtype="datetime64[D]").reshape(-1, 2)
LONGEST_CASE = 12  # working days
REASONS = ("fuel_quality", "price_rating", "location_rating")
RATED_ALIKE = 0.2  # correlation of two of them
CAMPAIGNS = np.arange(30, 53, 2)  # weeks


def draw_people(world: World, n_customers: int, rng: Generator, unseen: Generator) -> DataFrame:
    """Return one row per customer: traits, attitudes, and the weeks of what is to happen.

    What nobody records has its own stream of random numbers, `unseen`.
    """
    people = _traits(world, draw_unrecorded(world, n_customers, unseen), rng)
    for block in (_views, _satisfaction, _cases, _bonds, _fates):
        people = people.assign(**block(world, people, rng))
    return people


def _traits(world: World, unrecorded: DataFrame, rng: Generator) -> DataFrame:
    n = len(unrecorded)
    kind = rng.choice(len(SEGMENTS), n, p=SEGMENTS["share"])
    traits = SEGMENTS.iloc[kind].reset_index(names="segment").drop(columns="share")
    before = rng.random(n) < 0.55
    tenure = np.minimum(rng.exponential(150, n).astype(int) + 1, 700)
    spread = np.where(traits["segment"].isin(CORE), world.key_account_spread, 1.0)
    n_stations = int(max(np.clip(n // 40, 12, 24), n // world.station_size))
    weights = rng.dirichlet(np.full(n_stations, 12.0))
    usual, usual_sd = np.log(traits["visits"]) + world.visit_level, traits["visits_sd"]
    usual += world.driver_pace * traits["segment"].isin(DRIVERS)
    rate_tail, size_tail = unrecorded["rate_tail"], unrecorded["size_tail"]
    return traits.join(unrecorded).assign(
        suburban=rng.random(n) < 0.45,
        station=rng.choice(n_stations, n, p=weights),
        informed=lambda d: d["station"] % 4 == 0,
        joined=np.where(before, -tenure, _newcomers(world, rng.integers(0, N_WEEKS, n))),
        log_rate=usual + usual_sd * stretched(rng.standard_normal(n), rate_tail),
        drift=0.20 * rng.standard_normal(n),  # own growth in log visits a year
        size=lambda d: (
            d["quantity"]
            * np.exp(spread * d["quantity_sd"] * stretched(rng.standard_normal(n), size_tail))
        ),
        station_effect=lambda d: world.station_sd * rng.standard_normal(n_stations)[d["station"]],
    )


def _newcomers(world: World, week: ndarray) -> ndarray:
    """Return the week of joining, for a share of them in the quarter before week 52 or 84."""
    late = np.where(week % 2, LANDMARK, LANDMARK + 32) - 1 - week % 13
    return np.where(week < world.late_newcomers * N_WEEKS, late, week)


def _views(world: World, people: DataFrame, rng: Generator) -> dict:
    """Return what customers see, expect and pay, and the channel they use."""
    n, suburban = len(people), people["suburban"]
    tail = people["opinion_tail"].to_numpy()
    quality, noise = tail * rng.standard_normal(n), tail * rng.standard_normal((10, n))
    values = np.sqrt(0.5) * (quality + noise[:4])
    costs = -np.sqrt(0.2) * quality + np.sqrt(0.8) * noise[4:8]
    own = np.sqrt(0.91 - world.performance_quality**2)
    online, choice = np.where(suburban, 0.35, 0.45), rng.random(n)
    reach = [choice < online, choice < online + 0.35]
    return dict(zip(VALUES + COSTS, np.vstack([values, costs]), strict=True)) | {
        "quality": quality,
        "delivered": world.value_slopes @ values + world.cost_slopes @ costs,
        "expectation": noise[8],
        "performance": world.performance_quality * quality + 0.3 * noise[8] + own * noise[9],
        "channel": np.select(reach, ["online", "on_site"], "phone"),
    }


def _satisfaction(world: World, people: DataFrame, rng: Generator) -> dict:
    n, suburban, channel = len(people), people["suburban"], people["channel"]
    shortfall = np.maximum(people["expectation"] - people["performance"], 0)
    satisfaction = (
        people["delivered"]
        + world.performance_slope * people["performance"]
        + world.expectation_slope * people["expectation"]
        - world.loss_slope * (shortfall - 0.47)
        + world.online_suburban * (suburban & (channel == "online"))
        + world.on_site_urban * (~suburban & (channel == "on_site"))
        + people["station_effect"]
        + 0.50 * people["opinion_tail"] * rng.standard_normal(n)
        + world.attachment_satisfaction * people["attachment"]
    )
    service = 0.4 * people["quality"] + np.sqrt(0.84) * rng.standard_normal(n)
    return {"satisfaction": satisfaction, "added_service": service}


def _cases(world: World, people: DataFrame, rng: Generator) -> dict:
    """Give every customer at most one case: its day, its severity and its days to the answer."""
    n = len(people)
    opened = rng.choice(_opening_days(), n)
    severity = 1 + rng.binomial(4, 0.45, n)
    difficulty = (severity - 2.8) / 0.995
    took = np.exp(1.05 + 0.35 * difficulty + 0.55 * rng.standard_normal(n))
    days = np.minimum(took.astype(int), LONGEST_CASE)
    pulled = (severity <= 2) & np.isin(days, (4, 5)) & (rng.random(n) < world.sorting_share)
    days = np.where(pulled, 3, days)
    odds = world.complaint_slope * people["satisfaction"] - 0.2
    complains = rng.random(n) < special.expit(odds + world.attachment * people["attachment"])
    return {
        "case_day": opened,
        "case_week": np.where(complains, opened // 7, N_WEEKS),
        "severity": severity,
        "case_days": days,
        "explained": rng.random(n) < 0.5,
        "case_log_hazard": np.where(days <= 3, world.quick_log_hazard, world.late_log_hazard),
    }


def _opening_days() -> ndarray:
    """Return the days since the start on which a case can open: no holiday until it is settled."""
    days = START + np.arange(N_WEEKS * 7)
    closed = (days[:, None] <= CLOSED[:, 1]) & (days[:, None] + 18 >= CLOSED[:, 0])
    return np.flatnonzero(np.is_busday(days) & ~closed.any(axis=1))


def _bonds(world: World, people: DataFrame, rng: Generator) -> dict:
    """Return what follows from satisfaction: after a case, loyalty, price sensitivity."""
    n = len(people)
    effect = world.handling_effect * np.where(people["case_days"] <= 3, 0.5, -0.5)
    handled = np.where(people["case_week"] > people["joined"], effect, 0)
    later = people["satisfaction"] + np.where(people["case_week"] < WAVES[2][0], handled, 0)
    organisation, person = rng.standard_normal((2, n))
    person = 0.3 * organisation + np.sqrt(0.91) * person
    benefits = 0.20 * (organisation + person) + world.synergy * organisation * person
    bound = world.loyalty_slope * later + np.where(people["business"], benefits, 0)
    rest = rng.standard_normal(n)
    service = (people["added_service"] + people["personnel_value"]) / np.sqrt(2)
    return {
        "handled": handled,
        "satisfaction_later": later,
        "loyalty": bound + 0.8 * rest,
        "org_benefit": organisation,
        "personal_benefit": person,
        "price_sensitivity": world.service_price_slope * service + rng.standard_normal(n),
        **_reasons(world, rest, rng.spawn(1)[0]),
    }


def _reasons(world: World, rest: ndarray, rng: Generator) -> dict:
    """Return how fuel, price and location of the station are rated.

    They make up a part of the loyalty that satisfaction does not (`rest`, standard normal), each
    by its weight. It is drawn the other way round, from the distribution that they have given
    `rest`, so that the loyalty itself is the same whatever the weights are.
    """
    spread = np.full((3, 3), RATED_ALIKE) + (1 - RATED_ALIKE) * np.eye(3)
    shared = spread @ world.choice
    left = np.linalg.cholesky(spread - np.outer(shared, shared))
    rated = np.outer(shared, rest) + left @ rng.standard_normal((3, len(rest)))
    return dict(zip(REASONS, rated, strict=True))


def _fates(world: World, people: DataFrame, rng: Generator) -> dict:
    """Return affinity, weeks of card and campaign, and each customer's luck against lapse."""
    n = len(people)
    affinity = people["affinity"] + 0.5 * (people["suburban"] - 0.45)
    pull = card_pull(world, people.assign(affinity=affinity))
    waiting = rng.exponential(1, n) / (world.card_hazard * np.exp(pull))
    targeted = rng.random(n) < _targeted(world, people)
    return {
        "affinity": affinity,
        "card_week": np.ceil(np.maximum(people["joined"], -150) + waiting),
        "campaign_week": np.where(targeted, rng.choice(CAMPAIGNS, n), N_WEEKS),
        "luck": rng.exponential(1, n),
        "declines": rng.random(n) < world.decline_share,
        "beyond": False,
        "visited": False,
    }


def card_pull(world: World, people: DataFrame) -> pd.Series:
    """Return the log of each customer's hazard to take a card, over the usual one."""
    return (
        world.card_affinity * people["affinity"]
        + world.card_by_loyalty * people["loyalty"]
        + world.attachment * people["attachment"]
    )


def another_week(world: World, people: DataFrame, rng: Generator) -> ndarray:
    """Return the week of a campaign after each one's own, as customers not yet contacted get it.

    `N_WEEKS` for those whom none contacts; shape (n_customers,).
    """
    left = (people["campaign_week"].to_numpy()[:, None] < CAMPAIGNS).sum(axis=1)
    chance = np.clip(_targeted(world, people), 0, 1)
    later = chance * left / len(CAMPAIGNS)
    contacted = rng.random(len(people)) < later / (1 - chance + later)
    place = len(CAMPAIGNS) - 1 - (rng.random(len(people)) * left).astype(int)
    return np.where(contacted, CAMPAIGNS[place], N_WEEKS)


def _targeted(world: World, people: DataFrame) -> pd.Series:
    """Return each customer's chance to be contacted by some campaign (as a share, if in 0 to 1)."""
    chance = 0.5 + world.campaign_by_loyalty * people["satisfaction"]
    return odds_shifted(chance, world.attachment * people["attachment"])
