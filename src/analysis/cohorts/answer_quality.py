"""Quality of survey answers: items coded the other way round, straight-lining, retest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.data.contract import SCALES
from analysis.language import text
from analysis.statistics import weighting
from analysis.statistics.measurement import response_style, scales
from analysis.statistics.measurement.correlations import correlations

VALUES = ("product_value", "service_value", "personnel_value", "image_value")
COSTS = ("money_cost", "time_cost", "energy_cost", "effort_cost")
UNDIRECTED = ("expectation", "price_sensitivity", "org_benefit", "personal_benefit")
"""Items that may go either way with the others: a wrong coding of them shows nowhere."""
REVERSED = -0.1
"""Correlation below which two ratings go against each other."""
MIN_PAIRS = 30
"""Customers who must have answered both of two ratings that are correlated."""
MIN_FOR_RETEST = 50
"""Customers who must have answered twice."""
MIN_RETEST = 0.3
"""Correlation below which an item hardly measures anything that lasts."""
GAP_RELIABILITY = 0.6
"""Reliability taken for a difference of two single ratings, where too few answered twice."""
LEAST_RELIABILITY = 0.01
"""What a difference that does not repeat at all is taken for."""


@dataclass(frozen=True)
class Reversed:
    """An item or scale that seems to be coded the other way round."""

    name: str
    """The item or scale."""
    r: float
    """Its correlation with the rest of its own scale, or with the one of the other scales that it
    goes against most."""
    scale: str = ""
    """The scale to whose other items it runs counter; empty where it is compared with others."""
    worst: str = ""
    """The scale that it goes against most; empty where it is compared with its own."""
    n_against: int = 0
    n_others: int = 0
    """Other scales that it goes against, and all that it is compared with; 0 if with one alone."""


@dataclass(frozen=True)
class ItemCoding:
    """Whether items are coded in the same direction; `checks.coding` makes a check of it."""

    reversed: tuple[Reversed, ...]
    """Items and scales that seem to be coded the other way round."""
    n_compared: int
    """Scales that were compared with each other."""
    not_compared: tuple[str, ...]
    """Items of the survey that have no direction of their own."""


def item_coding(answers: pd.DataFrame) -> ItemCoding:
    """Find scales that are coded the other way round, in answers of one row per customer.

    Satisfaction, loyalty, performance, the four values and added service should rise together,
    and the four costs fall with them. A scale is taken as reversed that goes against most of the
    others (correlations below -0.1) and clearly against their mean (the upper 95% bound lies
    below -0.1), and so is an item that goes clearly against the rest of its own scale. A response
    style makes costs rise with all others, so that a cost must go against them by more than the
    style can do.

    A survey that is turned as a whole agrees with itself: a scale of opinion is also taken as
    reversed that goes clearly against `recommend`, on whose scale 10 is the best everywhere.
    """
    names = ("performance", *VALUES, "added_service", *COSTS)
    scores = {name: scales.index(answers, name) for name in SCALES}
    scores |= {name: answers[name].astype(float) for name in names}
    scores = pd.DataFrame({name: each for name, each in scores.items() if each.nunique() > 1})
    used = ["expectation", *VALUES, *COSTS]
    rows, tolerance = answers.dropna(subset=used), response_style.STYLE
    if len(rows) >= MIN_PAIRS and rows[used].nunique().min() > 1:
        tolerance = response_style.estimated([rows], "expectation", VALUES, COSTS).high
    asked = (name for name in UNDIRECTED if name in answers and answers[name].notna().any())
    against = (*_against_own_scale(answers), *_against_others(scores, tolerance, answers))
    if "recommend" in answers:
        known = {each.name for each in against}
        against += tuple(each for each in _against_recommend(answers) if each.name not in known)
    return ItemCoding(against, scores.shape[1], tuple(asked))


def _against_own_scale(answers: pd.DataFrame) -> list[Reversed]:
    """Return the items that go against the mean of the others of their scale."""
    against = []
    for scale in SCALES:
        items = answers[scales.asked(answers, scale)].astype(float)
        for name in items if items.shape[1] > 1 else ():
            rest = items.drop(columns=name).mean(axis=1, skipna=False)
            r, upper = _correlation(items[name], rest, answers)
            if upper < REVERSED:
                against.append(Reversed(name, r, scale))
    return against


def _against_recommend(answers: pd.DataFrame) -> list[Reversed]:
    """Return the scales of opinion that go against how likely a recommendation is."""
    recommend = answers["recommend"].astype(float)
    pairs = {name: _correlation(scales.index(answers, name), recommend, answers) for name in SCALES}
    return [
        Reversed(name, r, worst="recommend")
        for name, (r, upper) in pairs.items()
        if upper < REVERSED
    ]


def _against_others(
    scores: pd.DataFrame, tolerance: float, answers: pd.DataFrame
) -> list[Reversed]:
    """Return the scales that go against most of the others, and clearly against their mean."""
    against = []
    signs = pd.Series([-1 if name in COSTS else 1 for name in scores], scores.columns)
    upwards = scores * signs
    upwards = (upwards - upwards.mean()) / upwards.std()
    for name in scores:
        others = scores.columns.drop(name)
        r = pd.Series(
            {each: _correlation(scores[name], scores[each], answers)[0] for each in others}
        )
        same = signs[others] * signs[name]
        beyond = (r * same).dropna() + np.where(same[r.notna()] < 0, tolerance, 0.0)
        rest = upwards.drop(columns=name).mean(axis=1)
        _, upper = _correlation(upwards[name], rest, answers)
        below = beyond < REVERSED
        if upper < REVERSED and below.mean() > 0.5:
            worst = beyond.idxmin()
            counts = int(below.sum()), len(beyond)
            against.append(Reversed(name, r[worst], "", worst, *counts))
    return against


def _correlation(first: pd.Series, second: pd.Series, answers: pd.DataFrame) -> tuple[float, float]:
    """Return the correlation of two ratings and its upper 95% bound; NaN of few answers."""
    known = (first.notna() & second.notna()).to_numpy()
    both = pd.concat([first, second], axis=1)[known].to_numpy(float)
    if len(both) < MIN_PAIRS or (both.std(axis=0) < 1e-9).any():
        return np.nan, np.nan
    weight = weighting.of(answers[known])
    n = max(weighting.effective_size(weight, len(both)), 4.0)
    r = np.corrcoef(both.T) if weight is None else correlations(both, weight=weight)[0]
    r = float(np.clip(r[0, 1], -0.999999, 0.999999))
    return r, float(np.tanh(np.arctanh(r) + 1.96 / np.sqrt(n - 3)))


def straightlined(people: pd.DataFrame) -> pd.Series:
    """Mark customers who gave the values and the costs one and the same number throughout.

    That says nothing of either. Only values and costs decide, which no model here has as its
    outcome; where they were not both asked, nobody is marked.
    """
    values, costs = people[list(VALUES)], people[list(COSTS)]
    enough = (values.notna().sum(axis=1) > 1) & (costs.notna().sum(axis=1) > 1)
    both = people[[*VALUES, *COSTS]].astype(float)
    return enough & (both.max(axis=1) == both.min(axis=1))


def retest(waves: pd.DataFrame, names: Sequence[str]) -> dict[str, float]:
    """Return the correlation of each item with itself, from one wave to the next.

    A lower bound of its reliability, since opinions also change. The waves are those of
    `survey.by_wave`; their last weights count.

    Returns
    -------
    dict of str to float
        By item; empty where fewer than 50 customers answered twice, or an item does not repeat.
    """
    both = _twice(waves, names)
    if len(both.dropna()) < MIN_FOR_RETEST:
        return {}
    r = {name: float(weighting.correlation(both, name, f"{name}_again")) for name in names}
    return r if all(each > MIN_RETEST for each in r.values()) else {}


def _twice(waves: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return the answers of the last wave (`_again`) beside those of the wave before."""
    last, before = (
        waves.loc[waves["wave"] == waves["wave"].max() - back, list(names)] for back in (0, 1)
    )
    both = before.join(last.add_suffix("_again"), how="inner")
    if weighting.COLUMN in waves:
        own = waves.loc[waves["wave"] == waves["wave"].max(), weighting.COLUMN]
        both = both.assign(**{weighting.COLUMN: own})
    return both


@dataclass(frozen=True)
class Reliability:
    """Share of the variance of a rating that is no error."""

    value: float
    n: int
    """Customers whose two answers tell it; 0 where it is assumed."""

    @property
    def source(self) -> str:
        """Where it comes from, in words."""
        if not self.n:
            return text(
                "Too few answered twice to tell its reliability, for which {value:.2f} is taken.",
                value=self.value,
            )
        return text(
            "The reliability of the gap, from {n:,} customers who answered twice, is {value:.2f}.",
            n=self.n, value=self.value,
        )  # fmt: skip


def gap_reliability(waves: pd.DataFrame) -> Reliability:
    """Return the retest correlation of performance less expectation, however low it is.

    Between `LEAST_RELIABILITY` and 1; `GAP_RELIABILITY` where fewer than `MIN_FOR_RETEST`
    customers answered twice or all gaps of a wave are equal.
    """
    twice = _twice(waves.assign(gap=waves["performance"] - waves["expectation"]), ["gap"]).dropna()
    known = len(twice) >= MIN_FOR_RETEST and twice[["gap", "gap_again"]].nunique().min() > 1
    if not known:
        return Reliability(GAP_RELIABILITY, 0)
    r = float(weighting.correlation(twice, "gap", "gap_again"))
    return Reliability(max(r, LEAST_RELIABILITY), len(twice))
