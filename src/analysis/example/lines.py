"""Single lines of purchases, from what customers buy in a week."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy import ndarray
from numpy.random import Generator
from pandas import DataFrame

from analysis.example.behaviour import History, weekly_price
from analysis.example.world import N_WEEKS, World, dates

COLUMNS = ["customer_id", "bought_at", "station_id", "product", "quantity", "amount", "cost"]


def transactions(world: World, history: History, ids: ndarray, rng: Generator) -> DataFrame:
    """Return one row per line; `ids` are of shape (n_customers,)."""
    people, (who, week) = history.people, np.nonzero(history.visits)
    counts = history.visits[who, week]
    place = np.repeat(np.arange(len(who)), counts)
    turn = np.arange(len(place)) - np.repeat(np.cumsum(counts) - counts, counts)
    days = rng.random((len(who), 7)).argsort(axis=1)[place, turn] + 7 * week[place]
    person, week = who[place], week[place]
    moments = _moments(people["evening"].to_numpy()[person], rng)
    visit = DataFrame(
        {
            "person": person,
            "bought_at": dates(days) + moments,
            "station_id": _visited(people, person, rng),
        }
    )
    fuel = _fuel(history, visit, week, place, rng)
    extra = turn < history.beyond[person, week]
    totals = history.beyond_sales[person, week][extra]
    other = _other(world, visit[extra], totals, place[extra], rng)
    return _tidy(pd.concat([fuel, other]), ids, rng)


def _fuel(
    history: History, visit: DataFrame, week: ndarray, place: ndarray, rng: Generator
) -> DataFrame:
    people, person = history.people, visit["person"].to_numpy()
    quantity = history.volume[person, week] * _shares(place, rng, 16.0)
    return visit.assign(
        product=np.where(people["segment"] == "restaurant", "gas", "fuel")[person],
        quantity=quantity,
        amount=quantity * weekly_price(people, np.arange(N_WEEKS))[person, week],
        margin=people["margin"].to_numpy()[person],
    )


def _other(
    world: World, visit: DataFrame, totals: ndarray, place: ndarray, rng: Generator
) -> DataFrame:
    n, kinds = len(visit), ["shop", "lubricants", "services"]
    amount = totals * _shares(place, rng, 2.0)
    return visit.assign(
        product=rng.choice(kinds, n, p=[0.7, 0.15, 0.15]),
        quantity=1.0 + rng.poisson(0.5, n),
        amount=amount,
        margin=world.beyond_margin,
    )


def _shares(group: ndarray, rng: Generator, shape: float) -> ndarray:
    """Split every week's total at random over its lines (Dirichlet)."""
    weight = pd.Series(rng.gamma(shape, size=len(group)))
    return (weight / weight.groupby(group).transform("sum")).to_numpy()


def _moments(evening: ndarray, rng: Generator) -> ndarray:
    late = rng.random(len(evening)) < evening
    hour = np.where(late, rng.integers(18, 23, len(late)), rng.integers(6, 18, len(late)))
    return pd.to_timedelta(hour * 60 + rng.integers(0, 60, len(late)), unit="m")


def _visited(people: DataFrame, person: ndarray, rng: Generator) -> ndarray:
    home, n_stations = people["station"].to_numpy()[person], people["station"].max() + 1
    away = rng.integers(0, n_stations, len(person))
    names = station_names(np.arange(n_stations))
    return names[np.where(rng.random(len(person)) < 0.85, home, away)]


def station_names(numbers: ndarray) -> ndarray:
    """Return the stations' identifiers, same shape."""
    return np.array([f"S{number + 1:02d}" for number in numbers])


def _tidy(lines: DataFrame, ids: ndarray, rng: Generator) -> DataFrame:
    amount = lines["amount"].clip(lower=0.01).round(2)
    margin = lines["margin"] + 0.01 * rng.standard_normal(len(lines))
    return lines.assign(
        customer_id=ids[lines["person"]],
        quantity=lines["quantity"].clip(lower=0.01).round(2),
        amount=amount,
        cost=(amount * (1 - margin)).round(2),
    ).sort_values(["bought_at", "customer_id", "product"], ignore_index=True)[COLUMNS]
