"""Survey answers: one row per customer, with scores, traits and imputed ratings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.cohorts import landmark
from analysis.cohorts.answer_quality import COSTS, VALUES, ItemCoding, item_coding, straightlined
from analysis.cohorts.answer_quality import gap_reliability as gap_reliability
from analysis.cohorts.answer_quality import retest as retest
from analysis.data.cache import per_region
from analysis.data.contract import SCALES
from analysis.data.region import Region
from analysis.language import text
from analysis.statistics import effort, weighting
from analysis.statistics.estimate import NotEstimable
from analysis.statistics.measurement import imputation, response_style, scales
from analysis.statistics.measurement.response_style import ASSUMED, Style
from analysis.statistics.regression.controls import without_rare

RATINGS = (
    "expectation", "performance", *VALUES, *COSTS, *SCALES["satisfaction"], *SCALES["loyalty"],
    "price_sensitivity", "added_service",
)  # fmt: skip
"""Items that everybody is asked; those on works and on business are asked of some."""
HALO = dict.fromkeys(("performance", *SCALES["satisfaction"]), 1.0)
HALO |= {"expectation": response_style.HALO_ON_MARKER}
"""Assumed strength of a halo on ratings, at most."""
SERVICE_HALO = {"added_service": 1.0, "personnel_value": 1.0}
TRAITS = ("segment", "area", "log_tenure")

IMPUTATIONS, MANY_IMPUTATIONS = 20, 50
MIN_FOR_IMPUTATION, MIN_FOR_STYLE = 30, 50
"""Customers who are needed to impute ratings, and to estimate a response style."""
PAUSE = pd.Timedelta(days=28)
"""Time without answers that ends a wave."""
MIDDLE = 5.5
"""Middle of the scale from 1 to 10."""
MIN_ANSWERED = 0.5
"""Share of the ratings that a customer must have answered."""


@dataclass(frozen=True, repr=False)
class Answers:
    """A region's survey answers, as the notebooks on satisfaction use them; see `answers`."""

    everybody: pd.DataFrame
    """Latest answers of each customer who answered at least half of the ratings, as from `table`.
    """
    people: pd.DataFrame
    """Those of them who did not straight-line; ratings may be missing."""
    waves: pd.DataFrame
    """All answers of such customers, one row per customer and wave, as from `by_wave`."""
    completed: list[pd.DataFrame]
    """`people` with missing ratings imputed several times, and the scores of `scored`."""
    complete: pd.DataFrame
    """Customers of `people` who left out nothing that was asked, with the scores of `scored`."""
    asked: list[str]
    """The ratings that anybody answered."""
    components: list[str]
    """The values and costs that were asked and that vary."""
    style: Style
    halo: Style
    """Share of a common response style, and of a halo, in the variance of a rating."""
    style_is_estimated: bool
    """Whether they are estimated from these answers, or assumed."""
    coding: ItemCoding
    """Items that seem to be coded the other way round; `checks.coding` makes a check of it."""
    n_answerers: int
    """Customers who answered anything at all."""

    @property
    def summary(self) -> str:
        """Who answered, who is left out, and how many ratings are missing."""
        missing = self.people[self.asked].isna()
        sides = [self.everybody[list(names)] for names in (VALUES, COSTS)]
        excluded = text(
            "{n:,} gave values and costs one and the same number throughout, which says nothing "
            "of either: they are left out.",
            n=len(self.everybody) - len(self.people),
        )
        if not all(each.notna().any(axis=None) for each in sides):
            excluded = text(
                "Values and costs were not both asked: straight-lining can't be recognised."
            )
        return text(
            "Customers who answered at least half of the {n_asked} ratings: {enough:,}; fewer: "
            "{fewer:,}. {excluded} Used: {used:,}. {missing:.1%} of their ratings are missing, "
            "and {incomplete:.0%} lack at least one. Waves of answers: {waves}.",
            n_asked=len(self.asked), enough=len(self.everybody),
            fewer=self.n_answerers - len(self.everybody), excluded=excluded,
            used=len(self.people), missing=missing.to_numpy().mean(),
            incomplete=missing.any(axis=1).mean(),
            waves=self.waves["wave"].nunique() or text("not dated"),
        ) + weights_in_words(self.people)  # fmt: skip

    @property
    def style_in_words(self) -> str:
        """The share of the response style, how it is known, and what is done about it."""
        source = text("estimated from these answers")
        if not self.style_is_estimated:
            source = text(
                "assumed, because too few customers gave all the ratings that it is estimated from"
            )
        return text(
            "A common response style accounts for **{share:.0%}** of each rating's variance here "
            "[{low:.0%}, {high:.0%}], {source}. Where a finding rests on two ratings of the same "
            "person, that much is removed, and the verdict must be the same with the smallest and "
            "with the largest share of that interval; otherwise it is *inconclusive*.",
            share=self.style.share, low=self.style.low, high=self.style.high, source=source,
        )  # fmt: skip


def weights_in_words(people: pd.DataFrame) -> str:
    """Say how much answers tell that count by their weights; nothing where they have none."""
    if weighting.of(people) is None:
        return ""
    return " " + text(
        "Answers count by their weights: these {n:,} tell as much as {size:,.0f} with equal "
        "weights.",
        n=len(people), size=weighting.size(people),
    )  # fmt: skip


def answers(region: Region, seed: int = 0) -> Answers:
    """Return a region's survey answers, with missing ratings imputed; computed once per region.

    The seed is that of the imputations.

    Raises
    ------
    NotEstimable
        If no customer answered half of the ratings with more than one number.
    """
    return _answers(region, seed, effort.imputations(IMPUTATIONS))


@per_region
def _answers(region: Region, seed: int, m: int) -> Answers:
    """Return the answers with `m` imputations."""
    everybody, waves = table(region), by_wave(region)
    people = everybody[~straightlined(everybody)]
    if people.empty:
        why = text(
            "No customer answered at least half of the survey's ratings with more than one number."
        )
        raise NotEstimable(why)
    asked = [name for name in RATINGS if people[name].notna().any()]
    completed, components = imputed(people, seed, m), [*VALUES, *COSTS]
    rows = completed[0][["expectation", *components]].dropna()
    is_estimated = len(rows) >= MIN_FOR_STYLE and rows.nunique().min() > 1
    style, halo = (
        estimate(completed, "expectation", VALUES, COSTS) if is_estimated else ASSUMED
        for estimate in (response_style.estimated, response_style.halo)
    )
    return Answers(
        everybody=everybody,
        people=people,
        waves=waves[~straightlined(waves)],
        completed=completed,
        complete=scored(people).dropna(subset=asked),
        asked=asked,
        components=[name for name in components if name in asked and people[name].nunique() > 1],
        style=style,
        halo=halo,
        style_is_estimated=is_estimated,
        coding=item_coding(people),
        n_answerers=region.survey["customer_id"].nunique(),
    )


def table(region: Region) -> pd.DataFrame:
    """Return each customer's latest answers beside their traits.

    Returns
    -------
    DataFrame
        By customer_id, who answered at least half of the ratings that were asked here: the
        survey's columns, segment, area, log_tenure (log of 1 + years as a customer when answering).
    """
    return _with_traits(region, region.answers())


def by_wave(region: Region) -> pd.DataFrame:
    """Return all answers, one row per customer and wave, with a column `wave` (1, 2, ...).

    A wave ends where nobody answers for four weeks. Of each customer's answers in a wave the
    latest counts; undated answers are in no wave.
    """
    rows = region.survey.dropna(subset=["answered_on"]).sort_values("answered_on", kind="stable")
    rows = rows.assign(wave=(rows["answered_on"].diff() > PAUSE).cumsum().astype(int) + 1)
    rows = rows.groupby(["customer_id", "wave"]).tail(1).set_index("customer_id")
    return _with_traits(region, rows)


def _with_traits(region: Region, rows: pd.DataFrame) -> pd.DataFrame:
    """Join traits to answers, and leave out customers who answered few of the ratings."""
    asked = [name for name in RATINGS if rows[name].notna().any()]
    people = rows[rows[asked].notna().mean(axis=1) >= MIN_ANSWERED].join(landmark.traits(region))
    days = (people["answered_on"] - people.pop("joined_on")).dt.days
    return without_rare(people.assign(log_tenure=landmark.log_years(days)), ("segment", "area"))


def imputed(people: pd.DataFrame, seed: int = 0, m: int = IMPUTATIONS) -> list[pd.DataFrame]:
    """Impute missing ratings `m` times by chained equations; once where fewer than 30 answered.

    Ratings, people told and traits predict each other; outcome items are among them, or else
    effects would shrink, and so is the logarithm of a weight, or else what it goes with would. The
    tables have the scores of `scored`.
    """
    if len(people) < MIN_FOR_IMPUTATION:
        return [scored(people)]
    names = (*RATINGS, "told_others", "log_tenure")
    numbers = [name for name in names if people[name].notna().any()]
    words = [name for name in ("segment", "area", "channel") if people[name].nunique() > 1]
    together = people[numbers].astype(float)
    if words:
        dummies = pd.get_dummies(people[words], drop_first=True, dtype=float)
        together = pd.concat([together, dummies], axis=1)
    if (weight := weighting.of(people)) is not None:
        together = together.assign(log_weight=np.log(weight))
    filled = imputation.impute(together, m=m, seed=seed)
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


def standardised(people: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Add z_<name>: less the (weighted) mean, in standard deviations; 0 where all are equal."""
    names = list(names)
    rows = people.astype(dict.fromkeys(names, float))
    spread = weighting.spreads(rows, names)
    z = (rows[names] - weighting.means(rows, names)) / spread.where(spread > 0, 1.0)
    return people.assign(**z.add_prefix("z_"))


def centred(people: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Add c_<name>: ratings from the middle of the scale, in standard deviations."""
    values, spread = people[list(names)], weighting.spreads(people, names)
    return people.assign(**((values - MIDDLE) / spread).add_prefix("c_"))


def mixes(people: pd.DataFrame, names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return what scores are made of, as weights of ratings, for `response_style.slope_shifts`.

    `names` are ratings of `people`, or the scores satisfaction, loyalty, delivered, service.
    """
    items = {name: scales.asked(people, name) for name in SCALES}
    made = {name: {item: 1 / len(each) for item in each} for name, each in items.items() if each}
    made["delivered"] = dict.fromkeys(VALUES, 0.25) | dict.fromkeys(COSTS, -0.25)
    made["service"] = {"added_service": 0.5, "personnel_value": 0.5}
    return {name: made.get(name, {name: 1.0}) for name in names}


def thirds(scores: pd.Series, seed: int = 0, weight: np.ndarray | None = None) -> pd.Series:
    """Sort scores into "dissatisfied", "middle" and "satisfied", a third each.

    Ties at a border are broken at random: a cut at a score would give groups of unequal sizes.
    With weights, as from `weighting.of`, each third stands for as many customers.
    """
    order = np.random.default_rng(seed).permutation(len(scores))
    if weight is not None:
        sorted_by = order[np.argsort(scores.to_numpy()[order], kind="stable")]
        upto = np.cumsum(weight[sorted_by]) - weight[sorted_by] / 2
        found = pd.Series("middle", scores.index)
        found.iloc[sorted_by[upto <= weight.sum() / 3]] = "dissatisfied"
        found.iloc[sorted_by[upto > 2 * weight.sum() / 3]] = "satisfied"
        return found
    ranks = scores.iloc[order].rank(method="first").reindex(scores.index)
    return pd.qcut(ranks, 3, labels=["dissatisfied", "middle", "satisfied"]).astype(str)
