"""Who answered the survey: one row per customer, with scores, traits and missing items filled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis import imputation, landmarks, scales
from analysis.contract import SCALES
from analysis.data import Region

VALUES = ("product_value", "service_value", "personnel_value", "image_value")
COSTS = ("money_cost", "time_cost", "energy_cost", "effort_cost")
RATINGS = (
    "expectation", "performance", *VALUES, *COSTS, *SCALES["satisfaction"], *SCALES["loyalty"],
    "price_sensitivity", "added_service",
)  # fmt: skip
"""Items that everybody is asked; those on works and on business are asked of some."""
TRAITS = ("segment", "area", "log_tenure")

IMPUTATIONS, MANY_IMPUTATIONS = 20, 50
LEAST_TO_FILL = 30
PAUSE = 28
"""Days without answers that end a wave."""
LEAST_RETEST = 0.3
"""Correlation below which an item hardly measures anything that lasts."""
MIDDLE = 5.5
"""Middle of the scale from 1 to 10."""
LEAST_ANSWERED = 0.5
"""Share of the ratings that a customer must have answered."""


def table(region: Region) -> pd.DataFrame:
    """Return each customer's latest answers beside his traits.

    Returns
    -------
    DataFrame
        One row per customer who answered at least half of the ratings that were asked here,
        indexed by customer_id: the survey's columns, segment, area, log_tenure (log of 1 +
        years as a customer when answering).
    """
    return _with_traits(region, region.answers())


def by_wave(region: Region) -> pd.DataFrame:
    """Return all answers, one row per customer and wave, with a column `wave` (1, 2, ...).

    A wave ends where nobody answers for four weeks. Of several answers of a customer in a
    wave the latest counts; undated answers are in no wave.
    """
    rows = region.survey.dropna(subset=["answered_on"]).sort_values("answered_on", kind="stable")
    gaps = rows["answered_on"].diff() > pd.Timedelta(days=PAUSE)
    rows = rows.assign(wave=gaps.cumsum().astype(int) + 1)
    rows = rows.groupby(["customer_id", "wave"]).tail(1).set_index("customer_id")
    return _with_traits(region, rows)


def imputed(people: pd.DataFrame, seed: int = 0) -> list[pd.DataFrame]:
    """Fill missing ratings several times over, each time with other plausible answers.

    Ratings, people told and traits fill each other by chained equations; outcome items are
    among them, or else effects would shrink.

    Parameters
    ----------
    people : DataFrame
        As from `table`.
    seed : int
        The same seed fills the same answers.

    Returns
    -------
    list of DataFrame
        `IMPUTATIONS` tables with the scores of `scored`; one where nothing is missing, or where
        fewer than 30 customers answered: too few to learn from.
    """
    if len(people) < LEAST_TO_FILL:
        return [scored(people)]
    numbers = [name for name in (*RATINGS, "told_others", "log_tenure") if _has(people, name)]
    words = [name for name in ("segment", "area", "channel") if people[name].nunique() > 1]
    together = people[numbers].astype(float)
    if words:
        dummies = pd.get_dummies(people[words], drop_first=True, dtype=float)
        together = pd.concat([together, dummies], axis=1)
    filled = imputation.impute(together, m=IMPUTATIONS, seed=seed)
    return [scored(people.assign(**{name: each[name] for name in numbers})) for each in filled]


def scored(people: pd.DataFrame) -> pd.DataFrame:
    """Add what is computed from the ratings.

    Returns
    -------
    DataFrame
        With satisfaction, loyalty (means of items); gap (performance less expectation, points),
        surplus and shortfall (its two sides, both 0 or more); total_value, total_cost (means
        of four), delivered (their difference); service (mean of added service and staff);
        and each of them and each rating as z_<name>, as by `standardised`.
    """
    gap = people["performance"] - people["expectation"]
    value, cost = (people[list(names)].mean(axis=1, skipna=False) for names in (VALUES, COSTS))
    people = people.assign(
        satisfaction=scales.index(people, "satisfaction"),
        loyalty=scales.index(people, "loyalty"),
        gap=gap,
        surplus=gap.clip(lower=0),
        shortfall=(-gap).clip(lower=0),
        total_value=value,
        total_cost=cost,
        delivered=value - cost,
        service=(people["added_service"] + people["personnel_value"]) / 2,
    )
    scores = ("satisfaction", "loyalty", "total_value", "total_cost", "delivered", "service")
    return standardised(people, [*RATINGS, *scores])


def centred(people: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Add c_<name>: ratings from the middle of the scale, in standard deviations."""
    found = {f"c_{name}": (people[name] - MIDDLE) / people[name].std() for name in names}
    return people.assign(**found)


def mixes(people: pd.DataFrame, names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return what scores are made of, as weights of ratings, for `response_style.without_style`.

    Parameters
    ----------
    people : DataFrame
        As from `scored`.
    names : sequence of str
        Ratings, or the scores satisfaction, loyalty, delivered, service.
    """
    items = {name: scales.asked(people, name) for name in SCALES}
    made = {name: {item: 1 / len(each) for item in each} for name, each in items.items() if each}
    made["delivered"] = dict.fromkeys(VALUES, 0.25) | dict.fromkeys(COSTS, -0.25)
    made["service"] = {"added_service": 0.5, "personnel_value": 0.5}
    return {name: made.get(name, {name: 1.0}) for name in names}


def thirds(scores: pd.Series, seed: int = 0) -> pd.Series:
    """Sort scores into "dissatisfied", "middle" and "satisfied", a third each.

    Equal scores at a border are sorted by lot: with a cut at a score, how many are below it
    would jump from sample to sample, and with it what is compared.
    """
    lot = np.random.default_rng(seed).permutation(len(scores))
    ranks = scores.iloc[lot].rank(method="first").reindex(scores.index)
    names = ["dissatisfied", "middle", "satisfied"]
    return pd.qcut(ranks, 3, labels=names).astype(str)


def retest(answers: pd.DataFrame, names: Sequence[str], least: int = 50) -> dict[str, float]:
    """Return each item's correlation with itself, from one wave to the next.

    A lower bound of its reliability, since opinions also change.

    Parameters
    ----------
    answers : DataFrame
        As from `by_wave`.
    names : sequence of str
        Items.
    least : int
        Customers who must have answered both times.

    Returns
    -------
    dict of str to float
        By item; empty where too few customers answered twice, or an item does not repeat.
    """
    last = answers[answers["wave"] == answers["wave"].max()][list(names)]
    before = answers[answers["wave"] == answers["wave"].max() - 1][list(names)]
    both = before.join(last.add_suffix("_again"), how="inner")
    if len(both.dropna()) < least:
        return {}
    found = {name: float(both[name].corr(both[f"{name}_again"])) for name in names}
    return found if all(each > LEAST_RETEST for each in found.values()) else {}


def standardised(people: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Add z_<name>: less the mean, in standard deviations; 0 where all are equal."""
    found = {}
    for name in names:
        values = people[name].astype(float)
        spread = values.std()
        found[f"z_{name}"] = (values - values.mean()) / spread if spread > 0 else values * 0.0
    return people.assign(**found)


def _with_traits(region: Region, answers: pd.DataFrame) -> pd.DataFrame:
    """Join traits to answers and leave out who answered hardly anything."""
    ratings = [name for name in RATINGS if answers[name].notna().any()]
    enough = answers[ratings].notna().mean(axis=1) >= LEAST_ANSWERED
    people = answers[enough].join(landmarks.traits(region))
    days = (people["answered_on"] - people.pop("joined_on")).dt.days
    people = people.assign(log_tenure=landmarks.log_years(days))
    return landmarks.without_rare(people, ("segment", "area"))


def _has(people: pd.DataFrame, name: str) -> bool:
    """Tell whether a column holds anything."""
    return bool(people[name].notna().any())
