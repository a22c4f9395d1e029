"""Single lines of purchases, from what customers buy in a week."""

import numpy as np
import pandas as pd
from numpy import ndarray
from numpy.random import Generator
from pandas import DataFrame

from simulation.drawing.behaviour import History, weekly_price
from simulation.world import N_WEEKS, World, dates

COLUMNS = ["customer_id", "bought_at", "station_id", "product", "quantity", "amount", "cost"]
OTHER = {"shop": 0.7, "lubricants": 0.15, "services": 0.15}


def transactions(world: World, history: History, ids: ndarray, rng: Generator) -> DataFrame:
    """Return one row per line; `ids` are of shape (n_customers,)."""
    visit = _split(history, rng)
    person, week = visit["person"].to_numpy(), visit["week"].to_numpy()
    extra = (visit["turn"] < history.beyond[person, week]).to_numpy()
    traits = history.people.iloc[person].reset_index(drop=True)
    bought_at = dates(visit["day"]) + _moments(traits["evening"].to_numpy(), rng)
    visit = visit.assign(bought_at=bought_at, station_id=_visited(traits["station"], rng))
    quantity = history.volume[person, week] * _shares(visit["place"], rng, 16.0)
    price = weekly_price(history.people, np.arange(N_WEEKS))[person, week]
    fuel = visit.assign(
        product=np.where(traits["segment"] == "restaurant", "gas", "fuel"),
        quantity=quantity,
        amount=quantity * price,
        margin=traits["margin"],
    )
    spent = history.beyond_sales[person, week][extra]
    other = visit[extra].assign(
        amount=spent * _shares(visit["place"][extra], rng, 2.0),
        product=rng.choice(list(OTHER), len(spent), p=list(OTHER.values())),
        quantity=1.0 + rng.poisson(0.5, len(spent)),
        margin=world.beyond_margin,
    )
    return _tidy(pd.concat([fuel, other]), ids, rng)


def _split(history: History, rng: Generator) -> DataFrame:
    """Split weeks into visits on different days, one row each; a place is a customer's week."""
    who, week = np.nonzero(history.visits)
    counts = history.visits[who, week]
    place = np.repeat(np.arange(len(who)), counts)
    turn = np.arange(len(place)) - np.repeat(np.cumsum(counts) - counts, counts)
    day = rng.random((len(who), 7)).argsort(axis=1)[place, turn] + 7 * week[place]
    columns = {"person": who[place], "week": week[place], "place": place, "turn": turn, "day": day}
    return DataFrame(columns)


def _shares(group: pd.Series, rng: Generator, shape: float) -> ndarray:
    """Split every week's total at random over its lines (Dirichlet)."""
    weight = pd.Series(rng.gamma(shape, size=len(group)), group.index)
    return (weight / weight.groupby(group).transform("sum")).to_numpy()


def _moments(evening: ndarray, rng: Generator) -> ndarray:
    late = rng.random(len(evening)) < evening
    hour = np.where(late, rng.integers(18, 23, len(late)), rng.integers(6, 18, len(late)))
    return pd.to_timedelta(hour * 60 + rng.integers(0, 60, len(late)), unit="m")


def _visited(home: pd.Series, rng: Generator) -> ndarray:
    names = station_names(range(home.max() + 1))
    away = rng.integers(0, len(names), len(home))
    return names[np.where(rng.random(len(home)) < 0.85, home, away)]


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
