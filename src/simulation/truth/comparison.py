"""Comparisons that the truth is told by: at equal controls, and between two arms of customers."""

import numpy as np
import pandas as pd
from numpy import ndarray
from pandas import DataFrame
from scipy import stats
from statsmodels.genmod.families import Binomial, Family, Poisson
from statsmodels.genmod.generalized_linear_model import GLM

from simulation.drawing.behaviour import beyond_probability, visit_rate, weekly_price
from simulation.world import SEGMENTS, World


def scaled(values: pd.Series) -> ndarray:
    """Return values less their mean, in standard deviations."""
    return ((values - values.mean()) / values.std()).to_numpy()


def design(frame: DataFrame, *drivers: ndarray) -> ndarray:
    """Return the drivers and the controls as columns: segment, area, log(1 + years of tenure)."""
    segments = [frame["segment"] == name for name in SEGMENTS.index[1:]]
    controls = [np.ones(len(frame)), *segments, frame["suburban"], frame["years"]]
    return np.column_stack([*drivers, *controls]).astype(float)


def slopes(frame: DataFrame, outcome: ndarray, *drivers: ndarray) -> tuple[ndarray, float]:
    """Return least-squares slopes of the drivers at equal controls, and the SD left over."""
    columns, outcome = design(frame, *drivers), np.asarray(outcome, float)
    found = np.linalg.lstsq(columns, outcome)[0]
    return found[: len(drivers)], np.std(outcome - columns @ found)


def likeliest(columns: ndarray, outcome: ndarray, family: Family) -> ndarray:
    """Return the coefficients of a generalised linear model."""
    return GLM(outcome, columns, family).fit(tol=1e-9, tol_criterion="params").params


def log_slopes(frame: DataFrame, counts: ndarray, *drivers: ndarray) -> ndarray:
    """Return slopes of the log of the mean (Poisson) at equal controls."""
    counts = np.asarray(counts, float) / np.mean(counts)
    return likeliest(design(frame, *drivers), counts, Poisson())[: len(drivers)]


def logit(columns: ndarray, lapse: ndarray) -> tuple[ndarray, float]:
    """Return slopes of the log odds, and the AUC of the prediction."""
    found = likeliest(columns, lapse, Binomial())
    return found, auc(lapse, columns @ found)


def auc(lapse: ndarray, score: ndarray) -> float:
    """Return how often who lapses has the higher score of two."""
    lost, kept = score[lapse], score[~lapse]
    return stats.mannwhitneyu(lost, kept).statistic / (len(lost) * len(kept))


def gain(world: World, start: ndarray | int, treated: DataFrame, untreated: DataFrame) -> float:
    """Return the chance to buy in weeks 39 to 51 after `start`, of one arm less another's.

    An arm is the same customers with other columns; both share their random numbers.
    """
    arms = [bought_in(world, arm, np.asarray(start) + 39, 13) for arm in (treated, untreated)]
    return (arms[0] - arms[1]).mean()


def bought_in(world: World, people: DataFrame, start: ndarray, weeks: int) -> ndarray:
    """Return each customer's chance to buy in the weeks from a start, shape (n_customers,)."""
    span = np.reshape(start, (-1, 1)) + np.arange(weeks)
    return -np.expm1(-visit_rate(world, people, span).sum(axis=1))


def yearly_margin(world: World, people: DataFrame, start: ndarray) -> ndarray:
    """Return each customer's expected margin in CNY in the year from a start, (n_customers,)."""
    weeks = np.reshape(start, (-1, 1)) + np.arange(52)
    beyond = beyond_probability(world, people, weeks) * world.beyond_spend * world.beyond_margin
    fuel = people["margin"].to_numpy()[:, None] * weekly_price(people, weeks)
    rate = visit_rate(world, people, weeks) * people["size"].to_numpy()[:, None]
    return (rate * (fuel + beyond * people["price"].to_numpy()[:, None])).sum(axis=1)
