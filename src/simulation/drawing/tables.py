"""The contract's tables of one region, but assignments."""

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy import ndarray
from numpy.random import Generator
from pandas import DataFrame

from simulation.drawing import accounts, survey
from simulation.drawing.behaviour import History, bought_before, generators, simulate
from simulation.drawing.lines import station_names, transactions
from simulation.drawing.people import REASONS
from simulation.world import N_WEEKS, START, WAVES, World, dates

KINDS = ["billing", "delivery", "equipment", "quality", "service"]
NOON, MORNING = 13 * 60, 8 * 60 + 30  # minutes of the day


def draw(
    world: World, n_customers: int, seed: int, history: History | None = None
) -> dict[str, DataFrame]:
    """Return five tables of one region, with the contract's columns; nobody was drawn by lot.

    The same seed gives the same tables; the table customers has `n_customers` rows. Without a
    `history` it is the one of `simulate`.
    """
    history, rng = history or simulate(world, n_customers, seed), generators(seed)
    people = history.people
    code = "".join(part[0] for part in re.split(r"[\s-]+", world.region.rpartition(" ")[0] or "X"))
    ids = np.array([f"{code.upper()}{number:05d}" for number in range(1, n_customers + 1)])
    lines = transactions(world, history, ids, rng["transactions"])
    return {
        "customers": _customers(world, people, ids, lines),
        "survey": pd.concat([_wave(world, people, ids, wave, rng) for wave in WAVES]),
        "complaints": _complaints(world, people, ids, rng["complaints"]),
        "transactions": lines,
        "contacts": _contacts(world, history, ids, rng),
    }


def _customers(world: World, people: DataFrame, ids: ndarray, lines: DataFrame) -> DataFrame:
    first = lines.groupby("customer_id")["bought_at"].min().dt.normalize().reindex(ids)
    start = dates(people["joined"] * 7 + people.index % 7)
    joined = np.where(people["joined"] < 0, start, first)
    has_card = people["card_week"] < people["lapse"]
    card = np.maximum(dates((people["card_week"] * 7).where(has_card)), joined)
    return DataFrame({"customer_id": ids, "region": world.region}).assign(
        segment=people["segment"],
        area=np.where(people["suburban"], "suburban", "urban"),
        joined_on=joined,
        card_since=pd.Series(card).where(has_card),
    )


def _wave(
    world: World, people: DataFrame, ids: ndarray, wave: int, streams: Mapping[str, Generator]
) -> DataFrame:
    rng = streams["survey" if wave else "first_wave"]
    latent, (first, last) = survey.answers(world, people, wave, rng), WAVES[wave]
    answered_on = dates(rng.integers(first * 7, last * 7 + 7, len(people)))
    scale = survey.to_items(world, latent).astype("Int64")
    reasons = scale[list(REASONS)]
    scale = scale[survey.ITEMS].mask(rng.random((len(scale), len(survey.ITEMS))) < 0.03)
    scale.loc[~latent["had_works"], ["works_quality", "works_communication"]] = pd.NA
    scale.loc[~people["business"], ["org_benefit", "personal_benefit"]] = pd.NA
    frame = DataFrame({"customer_id": ids, "answered_on": answered_on}).assign(
        station_id=station_names(people["station"]),
        **scale,
        **reasons.mask(rng.spawn(1)[0].random(reasons.shape) < 0.03),
        channel=people["channel"],
        had_works=np.where(latent["had_works"], "true", "false"),
        told_others=latent["told_others"].astype("Int64"),
    )
    if world.chosen:
        frame["weight"] = (1 / latent["asked"]).round(4)
    return frame[survey.took_part(people, latent, wave)]


def _complaints(world: World, people: DataFrame, ids: ndarray, rng: Generator) -> DataFrame:
    case = survey.has_case(people)
    ids, people = ids[case], people[case].reset_index(drop=True)
    n, late = len(people), people["case_days"] > 3
    told, noise = late & people["explained"], rng.standard_normal(n)
    after = pd.Series(survey.case_answers(world, people, ~late, told, noise), dtype="Int64")
    settled = rng.random(n) > 0.02
    opened, resolved, explained = _case_times(people, rng)
    frame = DataFrame({"complaint_id": ids, "customer_id": ids}).assign(
        complaint_id=lambda d: d["customer_id"] + "-1",
        kind=rng.choice(KINDS, n),
        channel=people["channel"],
        severity=people["severity"],
        opened_at=opened,
        explained_at=explained.where(told),
        resolved_at=resolved.where(settled),
        satisfaction_after=after.where(settled & (rng.random(n) < 0.9)),
    )
    return frame.sort_values(["opened_at", "complaint_id"], ignore_index=True)


def _case_times(people: DataFrame, rng: Generator) -> list[pd.Series]:
    """Return when cases were opened (before noon), answered, and explained (after noon)."""
    opened, days = START + people["case_day"].to_numpy(), (0, people["case_days"], 3)
    minutes = rng.integers(0, 240, (3, len(people))) + np.array([[MORNING], [NOON], [NOON]])
    return [
        pd.Series(np.busday_offset(opened, after) + minute.astype("timedelta64[m]"))
        for after, minute in zip(days, minutes, strict=True)
    ]


def _contacts(
    world: World, history: History, ids: ndarray, streams: Mapping[str, Generator]
) -> DataFrame:
    people, rng = history.people, streams["contacts"]
    joined, week = people["joined"], people["campaign_week"]
    reached = bought_before(history, week)
    blocks = [
        _campaign((joined // 4 * 4)[joined >= 0], "acquire", world.acquire_cost, rng),
        _campaign(week[reached], "retain", world.retain_cost, rng),
        _calls(people, rng),
        _account_visits(people, rng),
    ]
    for campaign in blocks[:2]:
        own = world.cost_outliers * streams["costs"].standard_normal(len(campaign))
        campaign["cost"] = (campaign["cost"] * np.exp(own - world.cost_outliers**2 / 2)).round(2)
    frame = pd.concat(blocks, ignore_index=True)
    frame.insert(0, "customer_id", ids[frame.pop("person")])
    frame["contacted_on"] = dates(frame["contacted_on"])
    return frame.sort_values(["contacted_on", "customer_id", "kind"], ignore_index=True)


def _campaign(week: pd.Series, purpose: str, cost: float, rng: Generator) -> DataFrame:
    """Return a row per customer won (campaign of the four weeks) or per customer contacted."""
    level = cost * np.exp(0.40 * rng.standard_normal(N_WEEKS) - 0.40**2 / 2)
    return _rows(week.index, week * 7, "campaign", purpose, level[week])


def _calls(people: DataFrame, rng: Generator) -> DataFrame:
    person = np.flatnonzero(rng.random(len(people)) < 0.3)
    first = np.maximum(people["joined"].to_numpy()[person], 0) * 7
    return _rows(person, rng.integers(first, N_WEEKS * 7), "call", "service", 5.0)


def _account_visits(people: DataFrame, rng: Generator) -> DataFrame:
    person, day = accounts.visits(people, rng)
    return _rows(person, day, "visit", "service", rng.gamma(9, 80 / 9, len(person)))


def _rows(person: ndarray, day: ndarray, kind: str, purpose: str, cost: ndarray) -> DataFrame:
    columns = {"person": np.asarray(person), "contacted_on": np.asarray(day)}
    return DataFrame(columns).assign(kind=kind, purpose=purpose, cost=np.round(cost, 2))
