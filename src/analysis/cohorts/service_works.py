"""Works at stations: difference in differences of stations that began to inform customers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from analysis.language import text
from analysis.statistics import weighting
from analysis.statistics.estimate import Estimate

RISE = 2.0
"""Points of 10 by which communication must rise for a station to count as informing."""
MIN_STATIONS = 3
COLUMNS = [
    "answers_before", "answers_after", "communication", "satisfaction", "as_rated", "informs",
]  # fmt: skip
MIN_ANSWERS = 3
"""Answers on works that a station needs in each wave."""
_USED = ["station_id", "wave", "satisfaction", "works_quality", "works_communication"]


def at_once() -> str:
    """Name the comparison with customers without works at the same stations."""
    return text("less customers without works")


def before() -> str:
    """Name the comparison with earlier waves at the same stations."""
    return text("less the waves before")


def waves_asked(answers: pd.DataFrame) -> list[int]:
    """Return the waves in which satisfaction with works was asked, from the first to the last."""
    return sorted(answers[_USED].dropna()["wave"].unique())


def station_changes(answers: pd.DataFrame, rise: float = RISE, back: int = 0) -> pd.DataFrame:
    """Return how communication and satisfaction changed at each station.

    Parameters
    ----------
    answers : DataFrame
        As from `survey.by_wave`, with satisfaction as a column, of customers who had
        works; the last wave is compared with the one before. Means of a station are weighted, if
        the answers are; every station counts once.
    rise : float
        Points of communication from which on a station counts as informing.
    back : int
        1 compares the two waves before the last, and so on.

    Returns
    -------
    DataFrame
        By station_id: answers_before, answers_after, communication (change in points),
        satisfaction (change in points at equal quality of the works), as_rated (at whatever
        quality), informs (bool).
    """
    rows = answers.dropna(subset=_USED)
    waves = sorted(rows["wave"].unique())
    waves = waves[: len(waves) - back][-2:]
    if len(waves) < 2:
        kinds = {"informs": bool, "satisfaction": float, "as_rated": float}
        return pd.DataFrame(columns=COLUMNS).astype(kinds)
    earlier, later = waves
    rows = rows[rows["wave"].isin(waves)]
    rows = rows.assign(satisfaction=_at_equal_quality(rows), as_rated=rows["satisfaction"])
    cells, by = rows.groupby(["station_id", "wave"]), ["station_id", "wave"]
    rated = ("works_communication", "satisfaction", "as_rated")
    means = pd.DataFrame({name: weighting.by_group(rows, by, name)["mean"] for name in rated})
    change = means.xs(later, level="wave") - means.xs(earlier, level="wave")
    counts = cells.size().unstack("wave", fill_value=0)
    changes = pd.DataFrame(
        {
            "answers_before": counts[earlier],
            "answers_after": counts[later],
            "communication": change["works_communication"],
            "satisfaction": change["satisfaction"],
            "as_rated": change["as_rated"],
        }
    )
    changes = changes[counts.min(axis=1) >= MIN_ANSWERS]
    return changes.assign(informs=changes["communication"] >= rise)


def placebo_changes(answers: pd.DataFrame, waves: Sequence[int]) -> pd.Series:
    """Return how satisfaction changed at each station among customers without works.

    Nobody informs them of works, so that whatever else came to the station shows in them too.

    Parameters
    ----------
    answers : DataFrame
        As from `survey.by_wave`, with satisfaction as a column, of those without works.
    waves : sequence of int, length 2
        The waves to compare.

    Returns
    -------
    Series
        By station_id, points; stations with enough answers in both waves.
    """
    rows = answers.dropna(subset=["station_id", "wave", "satisfaction"])
    means = weighting.by_group(rows, ["station_id", "wave"], "satisfaction")
    means = means["mean"].where(means["size"] >= MIN_ANSWERS).unstack("wave")
    earlier, later = (means.get(each, pd.Series(dtype=float)) for each in waves)
    return (later - earlier).dropna()


def net_of(changes: pd.DataFrame, others: pd.Series) -> pd.DataFrame:
    """Return changes of satisfaction less other changes at the same stations, where known."""
    net = changes["satisfaction"] - others.reindex(changes.index)
    return changes.assign(satisfaction=net).dropna(subset=["satisfaction"])


def difference_or_open(changes: pd.DataFrame, spread: float, effect: Estimate) -> Estimate:
    """Return `difference`, or the effect with an open interval where stations are too few.

    Without anything to hold the finding (`effect`) against, anything is possible.
    """
    counts = changes["informs"].value_counts().reindex([True, False], fill_value=0)
    if counts.min() < MIN_STATIONS or changes["satisfaction"].std() < 1e-9:
        return replace(effect, ci_low=-np.inf, ci_high=np.inf)
    return difference(changes, spread)


def moods_in_words(computed: Collection[str]) -> str:
    """Say which other changes at the stations are removed from the effect, and which can't be.

    `computed` has those of `at_once` and `before` that could be computed.
    """
    causes = {
        at_once(): text("what came at the same time to all customers of a station"),
        before(): text("what was on its way in the waves before"),
    }
    taken = [cause for name, cause in causes.items() if name in computed]
    left = [cause for name, cause in causes.items() if name not in computed]
    said = []
    if taken:
        causes = text(" and ").join(taken)
        said.append(text("The comparison above takes out {causes}.", causes=causes))
    if left:
        said.append(text(
            "The effect can't be told from {causes}: too few stations have the answers that "
            "would tell.",
            causes=text(" or ").join(left),
        ))  # fmt: skip
    alone = text(
        "What came at that time to customers with works alone can't be told from it either way."
    )
    return " ".join([*said, alone])


def lacking(answers: pd.DataFrame, changes: pd.DataFrame) -> list[str]:
    """Say why stations can't be compared; an empty list if they can.

    The changes are those of `station_changes`, of these answers.
    """
    waves = answers[_USED].dropna()["wave"].nunique()
    if waves < 2:
        if waves:
            return [text("It needs two waves of answers on works; there is only one.")]
        return [text("It needs two waves of answers on works; there is none.")]
    informing, others = int(changes["informs"].sum()), int((~changes["informs"]).sum())
    few = text(
        "{n} station with enough answers began to inform and {others} did not; {least} of each "
        "are needed.",
        "{n} stations with enough answers began to inform and {others} did not; {least} of each "
        "are needed.",
        n=informing, others=others, least=MIN_STATIONS,
    )  # fmt: skip
    if min(informing, others) < MIN_STATIONS:
        return [few]
    spread = changes.groupby("informs")["satisfaction"].std().max()
    return [] if spread > 1e-9 else [text("Satisfaction changed alike at all stations of a kind.")]


def difference(changes: pd.DataFrame, spread: float) -> Estimate:
    """Compare the change at stations that inform with that at the others, by Welch's t.

    `changes` are those of `station_changes`, with at least 2 stations of each kind; `spread` is the
    points that are one standard deviation of satisfaction.
    """
    one, other = _arms(changes)
    pair = CompareMeans(DescrStatsW(one / spread), DescrStatsW(other / spread))
    low, high = pair.tconfint_diff(usevar="unequal")
    df = pair.dof_satt()
    middle = float(np.mean(one) - np.mean(other)) / spread
    method = text("difference in differences of {n} stations, Welch", n=len(changes))
    return Estimate(middle, float(low), float(high), len(changes), df=float(df), method=method)


def permutation_p(changes: pd.DataFrame, seed: int = 0) -> float:
    """Return how often chance alone sorts the stations into arms that differ as much."""
    one, other = _arms(changes)
    test = stats.permutation_test(
        (one, other), lambda a, b, axis: np.abs(a.mean(axis=axis) - b.mean(axis=axis)),
        vectorized=True, n_resamples=9_999, alternative="greater",
        rng=np.random.default_rng(seed),
    )  # fmt: skip
    return float(test.pvalue)


def _at_equal_quality(rows: pd.DataFrame) -> pd.Series:
    """Return satisfaction less what the quality of the works explains within station and wave."""
    both, weight = rows[["satisfaction", "works_quality"]], weighting.of(rows)
    own = pd.Series(1.0 if weight is None else weight, rows.index)
    cells = [rows["station_id"], rows["wave"]]
    sums = both.mul(own, axis=0).groupby(cells).transform("sum")
    within = both - sums.div(own.groupby(cells).transform("sum"), axis=0)
    variation = (own * within["works_quality"] ** 2).sum()
    if variation < 1e-9:
        return rows["satisfaction"]
    slope = (own * within["satisfaction"] * within["works_quality"]).sum() / variation
    usual = weighting.average(rows["works_quality"], rows)
    return rows["satisfaction"] - slope * (rows["works_quality"] - usual)


def _arms(changes: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the changes of satisfaction at stations that inform, and at the others."""
    informs = changes["informs"]
    return tuple(changes.loc[each, "satisfaction"].to_numpy() for each in (informs, ~informs))
