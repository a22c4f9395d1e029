"""A large draw of customers, with all that the truth is computed from."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy import ndarray
from numpy.random import Generator
from pandas import DataFrame

from simulation.drawing import survey
from simulation.drawing.behaviour import History, bought_before, simulate
from simulation.world import LANDMARK, N_WEEKS, World

CHUNK = 20_000
QUARTER = 13  # weeks
MOMENTS = (52, 60, 68, 76, 84)  # weeks that begin at a landmark of the early warning


@dataclass(frozen=True)
class Sample:
    """A large draw."""

    world: World
    everyone: DataFrame  # by customer: traits, purchases by period, items and latent of wave 2
    latest: DataFrame  # of who answered any wave: traits, items and latent of their last answer
    moments: DataFrame  # by customer and landmark: recency, change of volume, lapse
    leads: pd.Series  # days of unbroken alarm up to the last purchase, of who lapsed alarmed

    @property
    def answered(self) -> DataFrame:
        """Those who answered wave 2; all of them had joined before the landmark."""
        return self.everyone[self.everyone["answered"]]

    @property
    def cases(self) -> DataFrame:
        """Those who complained."""
        return self.everyone[self.everyone["complained"]]


def large_draw(world: World, seed: int, n_draw: int) -> Sample:
    """Return a large draw, simulated in equal chunks of at most `CHUNK` customers."""
    n_chunks = -(-n_draw // CHUNK)
    seeds = np.random.SeedSequence(seed, spawn_key=(2,)).generate_state(n_chunks)
    chunks = [_chunk(world, -(-n_draw // n_chunks), int(one)) for one in seeds]
    return Sample(
        world, *(pd.concat(each, ignore_index=True) for each in zip(*chunks, strict=True))
    )


def _chunk(world: World, size: int, seed: int) -> tuple[DataFrame, DataFrame, DataFrame, pd.Series]:
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(3,)))
    history = simulate(world, size, seed)
    known = [history.people, DataFrame(purchases(world, history))]
    second, earlier = _wave(world, history.people, 2, rng), rng.spawn(1)[0]
    blocks = [*known, second, DataFrame(_after_cases(world, history.people, rng))]
    latest = second
    for wave in (1, 0):
        before = _wave(world, history.people, wave, earlier)
        latest = latest.where(latest["answered"], before)
    latest = pd.concat([*known, latest], axis=1)[latest["answered"]]
    changes = _changes(history)
    moments = pd.concat([_moment(history, changes, week, rng) for week in MOMENTS])
    return pd.concat(blocks, axis=1), latest, moments, _leads(history, changes, moments, rng)


def purchases(world: World, history: History) -> dict:
    """Return each customer's time and purchases before and after the landmark.

    Days of tenure are those to the eve of the landmark, of who joined on the first day of a week.
    """
    fuel, beyond = history.fuel_sales, history.beyond_sales
    sales, visits, start = fuel + beyond, history.visits, LANDMARK - QUARTER
    margin = fuel * history.people["margin"].to_numpy()[:, None] + beyond * world.beyond_margin
    weeks = LANDMARK - history.people["joined"]
    return {
        "tenure_days": 7 * weeks - 1,
        "years": np.log1p(weeks.clip(lower=0) / 52),
        "sales_before": sales[:, :LANDMARK].sum(axis=1),
        "sales_first": sales[:, start - QUARTER : start].sum(axis=1),
        "sales_second": sales[:, start:LANDMARK].sum(axis=1),
        "sales_after": sales[:, LANDMARK:].sum(axis=1),
        "margin_before": margin[:, :LANDMARK].sum(axis=1),
        "margin_after": margin[:, LANDMARK:].sum(axis=1),
        "visits_after": visits[:, LANDMARK : LANDMARK + 2 * QUARTER].sum(axis=1),
        "active": visits[:, start:LANDMARK].any(axis=1),
        "reached": bought_before(history, history.people["campaign_week"]),
        **_in_blocks(history),
    }


def _in_blocks(history: History) -> dict:
    """Return litres and visits in 4 weeks of the last year, mean of those amid purchases.

    Of the 13 blocks those count in which a customer bought, as in the one before and the one after.
    """
    visits, litres = (
        each[:, LANDMARK:].reshape(len(each), 13, 4).sum(axis=2)
        for each in (history.visits, history.volume)
    )
    amid = (visits[:, :-2] > 0) & (visits[:, 1:-1] > 0) & (visits[:, 2:] > 0)
    counted = np.where(amid.any(axis=1), amid.sum(axis=1), np.nan)
    means = [(each[:, 1:-1] * amid).sum(axis=1) / counted for each in (litres, visits)]
    return dict(zip(("litres_in_block", "visits_in_block"), means, strict=True))


def _wave(world: World, people: DataFrame, wave: int, rng: Generator) -> DataFrame:
    latent = survey.answers(world, people, wave, rng)
    scale = survey.to_items(world, latent)
    return DataFrame(
        {
            **scale.add_prefix("item_"),
            **latent[survey.ITEMS].add_prefix("latent_"),
            **latent[["had_works", "told_others"]],
            "index": scale[list(survey.SATISFACTION)].mean(axis=1),
            "loyalty_index": scale[list(survey.LOYALTY)].mean(axis=1),
            "answered": survey.took_part(people, latent, wave),
        }
    )


def _after_cases(world: World, people: DataFrame, rng: Generator) -> dict:
    """Return satisfaction after a case as it was, and as it would be under each course of it."""
    noise, within = rng.standard_normal(len(people)), people["case_days"] <= 3
    courses = {"after": (within, people["explained"]), "after_within": (True, True)}
    courses |= {"after_told": (False, True), "after_untold": (False, False)}
    return {"complained": survey.has_case(people), "within": within} | {
        name: survey.case_answers(world, people, *course, noise) for name, course in courses.items()
    }


def _moment(history: History, changes: ndarray, week: int, rng: Generator) -> DataFrame:
    """Return recency, change and lapse of everyone who bought in the 13 weeks before a landmark."""
    people, visits = history.people, history.visits

    def count(start: int, end: int) -> ndarray:
        return visits[:, week + start : week + end].sum(axis=1)

    frame = people[["segment", "suburban"]].assign(
        week=week,
        years=np.log1p((week - people["joined"]).clip(lower=0) / 52),
        recency=np.log2(1 + _days_since(visits[:, :week], rng)),
        log_visits=np.log(np.maximum(count(-week, 0), 1)),
        log_weeks=np.log((week - people["joined"]).clip(1, week)),
        log_rate=np.log(np.maximum(count(-24, -4), 1)),
        change=changes[:, week].clip(-3, 3),
        lapse=count(0, 8) == 0,
        lapse_later=count(4, 17) == 0,
        watched=(count(-4, 0) > 0) & (count(0, 4) > 0) & ~np.isnan(changes[:, week]),
    )
    return frame[count(-QUARTER, 0) > 0]


def _changes(history: History) -> ndarray:
    """Return the log of the volume of 4 weeks over that of the 20 before, less the usual one.

    Shape (n_customers, N_WEEKS + 1): column w is as of the beginning of week w, of those with 10
    visits in the 20 weeks who joined before the 24; -inf for a volume of nothing. The usual one is
    the median of the segment.
    """
    visits, volume = (
        np.pad(np.cumsum(each, axis=1, dtype=float), ((0, 0), (1, 0)))
        for each in (history.visits, history.volume)
    )
    recent, usual = volume[:, 24:] - volume[:, 20:-4], volume[:, 20:-4] - volume[:, :-24]
    joined = history.people["joined"].to_numpy()[:, None]
    regular = (visits[:, 20:-4] - visits[:, :-24] >= 10) & (joined <= np.arange(N_WEEKS - 23))
    with np.errstate(divide="ignore", invalid="ignore"):
        change = np.where(regular, np.log(5 * recent / usual), np.nan)
    for rows in history.people.groupby("segment").indices.values():
        change[rows] -= np.nanmedian(change[rows], axis=0)
    return np.hstack([np.full((len(change), 24), np.nan), change])


def _days_since(visits: ndarray, rng: Generator) -> ndarray:
    """Draw the days since the last visit, from the weeks that hold the visits."""
    ago = (visits > 0)[:, ::-1].argmax(axis=1)
    last = visits[np.arange(len(visits)), visits.shape[1] - 1 - ago]
    return 7 * ago + np.floor(7 * (1 - rng.random(len(visits)) ** (1 / np.maximum(last, 1))))


def _leads(history: History, changes: ndarray, moments: DataFrame, rng: Generator) -> pd.Series:
    """Return days of unbroken alarm up to the last purchase, of regulars who lapsed alarmed.

    Regulars of the 26 weeks before; of those who are none any more, the alarm as last known.
    """
    calm = moments[moments["watched"] & ~moments["lapse_later"]]
    last = N_WEEKS - 1 - (history.visits > 0)[:, ::-1].argmax(axis=1)
    gone = (last >= LANDMARK) & (last < N_WEEKS - QUARTER)
    change = np.take_along_axis(changes[gone], last[gone][:, None] - np.arange(25, -1, -1), axis=1)
    known = np.maximum.accumulate(np.where(np.isnan(change), 0, np.arange(26)), axis=1)
    alarm = np.take_along_axis(change, known, axis=1) < calm["change"].quantile(0.10)
    run = np.cumprod(alarm[:, ::-1], axis=1).sum(axis=1)
    visits = history.visits[gone, last[gone]]
    day = np.floor(7 * rng.random(len(run)) ** (1 / visits))  # of the last visit in its week
    return pd.Series((7 * (run - 1) + day + 1)[run > 0])
