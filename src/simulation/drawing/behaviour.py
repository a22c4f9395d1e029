"""What customers do week by week: they visit, buy, form habits and lapse.

All that matters to `visit_rate` and `with_lapse` is a column of the customers, so that an arm of
an experiment is another column.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy import ndarray
from numpy.random import Generator
from pandas import DataFrame
from scipy import special

from analysis.statistics.value.customer_segments import abc_classes
from simulation.drawing import accounts
from simulation.drawing.accounts import VISITED_UNTIL
from simulation.drawing.people import draw_people
from simulation.drawing.unrecorded import odds_shifted
from simulation.world import CORE, LANDMARK, N_WEEKS, World

STREAMS = ("people", "survey", "complaints", "transactions", "contacts", "visits")
STREAMS += ("unseen", "first_wave", "costs")


@dataclass(frozen=True)
class History:
    """What a set of customers is and does, before it is written out as tables.

    `people` has attitudes, weeks of joining, card, case, campaign and lapse, and habits; all others
    are of shape (n_customers, N_WEEKS).
    """

    people: DataFrame
    visits: ndarray
    volume: ndarray  # litres or cubic metres
    beyond: ndarray  # visits that buy beyond fuel, too
    beyond_sales: ndarray  # their sales, CNY

    @property
    def fuel_sales(self) -> ndarray:
        """Sales of fuel and gas in CNY, shape (n_customers, N_WEEKS)."""
        return self.volume * weekly_price(self.people, np.arange(N_WEEKS))


def simulate(world: World, n_customers: int, seed: int, cards: ndarray | None = None) -> History:
    """Draw customers who buy at least once, and their weekly purchases; no lines, no answers.

    `cards` are weeks, from the landmark on, in which customers take a card that they are offered,
    `N_WEEKS` for those who take none, shape (n_customers,); nothing before the landmark moves.
    """
    streams = generators(seed)
    rng = streams["people"]
    first, second = np.split(np.arange(N_WEEKS), [LANDMARK])
    people = with_lapse(world, draw_people(world, n_customers, rng, streams["unseen"]))
    visits = _visits(world, people, first, rng)
    volume = _volume(people, visits, rng)
    people = people.assign(**_habits(world, people, visits, volume, rng))
    if cards is not None:
        people = people.assign(card_week=np.minimum(people["card_week"], cards))
    people = with_lapse(world, people.assign(**accounts.made(world, people, streams["visits"])))
    later = _visits(world, people, second, rng)
    visits = np.hstack([visits, later])
    beyond = _beyond(world, people, visits, rng)
    return History(people, visits, np.hstack([volume, _volume(people, later, rng)]), *beyond)


def generators(seed: int) -> dict[str, Generator]:
    """Return the streams of random numbers by what they draw; a new one leaves the others."""
    children = np.random.SeedSequence(seed).spawn(len(STREAMS))
    return dict(zip(STREAMS, map(np.random.default_rng, children), strict=True))


def weekly_price(people: DataFrame, weeks: ndarray) -> ndarray:
    """Return CNY per litre or cubic metre, shape (n_customers, n_weeks)."""
    return people["price"].to_numpy()[:, None] * (1 + 0.03 * np.sin(2 * np.pi * weeks / 40))


def _column(people: DataFrame, name: str) -> ndarray:
    """Return numbers that spread over weeks, shape (n_customers, 1)."""
    return people[name].to_numpy(np.float32)[:, None]


def with_lapse(world: World, people: DataFrame) -> DataFrame:
    """Add `lapse`, the first week without the customer; `N_WEEKS` for those who stay."""
    stays = cumulative_hazard(world, people) < _column(people, "luck")
    return people.assign(lapse=stays.sum(axis=1))


def cumulative_hazard(world: World, people: DataFrame) -> ndarray:
    """Return the hazard of lapse up to the end of each week, shape (n_customers, N_WEEKS)."""
    week = np.arange(N_WEEKS, dtype=np.float32)
    card_week, campaign_week = _column(people, "card_week"), _column(people, "campaign_week")
    card = week >= card_week
    beyond = world.beyond_log_hazard * _column(people, "beyond") * (week >= LANDMARK)
    visited = world.visit_log_hazard * _column(people, "visited") * (week >= VISITED_UNTIL)
    log_factor = (
        world.satisfaction_log_hazard * _column(people, "satisfaction")
        + world.affinity_log_hazard * _column(people, "affinity")
        + world.card_log_hazard * card
        + _column(people, "case_log_hazard") * (week > _column(people, "case_week"))
        + world.campaign_log_hazard * ((week >= campaign_week) & (week < campaign_week + 52))
        + beyond
        + visited
        - world.attachment * _column(people, "attachment")
    )
    hazard = world.lapse_hazard * np.exp(log_factor) * (week > _column(people, "joined"))
    return np.cumsum(hazard, axis=1)


def visit_rate(world: World, people: DataFrame, weeks: ndarray) -> ndarray:
    """Return expected visits a week, shape (n_customers, n_weeks), of customers who lapse then.

    `weeks` are the same for all, shape (n_weeks,), or each one's own, shape (n_customers, n_weeks).
    """
    week, lapse = weeks.astype(np.float32), _column(people, "lapse")
    age, left = week - _column(people, "joined"), lapse - week
    bond = (
        world.satisfaction_visits * _column(people, "satisfaction_later")
        + world.loyalty_visits * _column(people, "loyalty")
        + world.beyond_visits * _column(people, "beyond")
        + world.attachment * world.attachment_visits * _column(people, "attachment")
    )
    log_rate = (
        _column(people, "log_rate")
        + _column(people, "drift") * (week - LANDMARK) / 52
        + world.season * _column(people, "season") * np.cos(2 * np.pi * (week - 3) / 52)
        + bond * (week >= LANDMARK)
        + world.card_visits * (week >= _column(people, "card_week"))
        + world.two_rates * _column(people, "new_rate") * (week >= _column(people, "new_rate_week"))
    )
    ramp = 1 - 0.6 * np.exp(-np.maximum(age, 0) / 10)
    fading = _column(people, "declines") * (lapse < N_WEEKS)
    fade = 1 - fading * 0.95 * np.clip(1 - left / world.decline_weeks, 0, 1)
    away = (week >= _column(people, "pauses")) & (week < _column(people, "resumes"))
    return np.exp(log_rate) * ramp * fade * ((age >= 0) & (left > 0) & ~away)


def _visits(world: World, people: DataFrame, weeks: ndarray, rng: Generator) -> ndarray:
    visits = np.minimum(rng.poisson(visit_rate(world, people, weeks)), 7).astype(np.int8)
    joins = np.flatnonzero(people["joined"].between(weeks[0], weeks[-1]))
    week = people["joined"].to_numpy()[joins] - weeks[0]
    visits[joins, week] = np.maximum(visits[joins, week], 1)
    return visits


def _volume(people: DataFrame, visits: ndarray, rng: Generator) -> ndarray:
    """Draw a week's volume as the sum of its visits' gamma volumes (shape 16)."""
    volume, bought = np.zeros(visits.shape), visits > 0
    size = people["size"].to_numpy()[np.nonzero(bought)[0]]
    volume[bought] = rng.gamma(16.0 * visits[bought]) / 16 * size
    return volume


def _habits(
    world: World, people: DataFrame, visits: ndarray, volume: ndarray, rng: Generator
) -> dict:
    """Form habits from the first year's purchases: buying beyond fuel, tier, visits as planned.

    More of the accounts whose volume falls are visited as planned, and where it is a trap, of the
    dissatisfied.
    """
    sales = (volume * weekly_price(people, np.arange(LANDMARK))).sum(axis=1)
    years = np.log1p(np.maximum(LANDMARK - people["joined"], 0) / 52)
    odds = (
        world.beyond_level
        + world.beyond_by_visits * (np.log1p(visits.sum(axis=1)) - 3)
        + 0.2 * (years - 1)
        + 0.2 * (~people["suburban"])
        + world.beyond_by_satisfaction * people["satisfaction"]
        + world.attachment * people["attachment"]
    )
    falling = volume[:, 26:].sum(axis=1) < 0.8 * volume[:, :26].sum(axis=1)
    as_planned = 0.60 + 0.20 * falling - world.visit_by_risk * people["satisfaction"]
    as_planned = odds_shifted(as_planned, world.attachment * people["attachment"])
    core, draws = people["segment"].isin(CORE), rng.random((2, len(people)))
    return {
        "beyond": (draws[1] < special.expit(odds)) & (sales > 0),
        "tier": abc_classes(pd.Series(np.where(core, sales, 0))).astype(str).where(core, ""),
        "adherent": core & (draws[0] < as_planned),
    }


def bought_before(history: History, week: pd.Series) -> pd.Series:
    """Return who bought in the 13 weeks before their own week; nobody before week `N_WEEKS`."""
    so_far = np.pad(np.cumsum(history.visits > 0, axis=1), ((0, 0), (1, 0)))
    rows, end = np.arange(len(week)), week.to_numpy()
    recent = so_far[rows, end] > so_far[rows, np.maximum(end - 13, 0)]
    return pd.Series(recent & (end < N_WEEKS), week.index)


def beyond_probability(world: World, people: DataFrame, weeks: ndarray) -> ndarray:
    """Return the share of visits that buy beyond fuel too, shape (n_customers, n_weeks)."""
    later = np.where(weeks >= LANDMARK, world.beyond_later_share, 0)
    return np.where(people["beyond"].to_numpy()[:, None], world.beyond_share, later)


def _beyond(
    world: World, people: DataFrame, visits: ndarray, rng: Generator
) -> tuple[ndarray, ndarray]:
    """Draw visits that buy beyond fuel, one at least for those with the habit, and their sales."""
    counts = rng.binomial(visits, beyond_probability(world, people, np.arange(N_WEEKS)))
    none = np.flatnonzero(people["beyond"] & (counts[:, :LANDMARK].sum(axis=1) == 0))
    counts[none, visits[none, :LANDMARK].argmax(axis=1)] = 1
    spent, some = np.zeros(visits.shape), counts > 0
    usual = (world.beyond_spend * people["size"] * people["price"]).to_numpy()
    spent[some] = rng.gamma(2.0 * counts[some]) / 2 * usual[np.nonzero(some)[0]]
    return counts, spent
