"""Works on site: how satisfaction changed at stations that began to inform their customers."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from analysis.estimates import Estimate

RISE = 2.0
"""Points of 10 by which communication must rise for a station to count as informing."""
LEAST_STATIONS = 3
COLUMNS = ["answers_before", "answers_after", "communication", "satisfaction", "informs"]
LEAST_ANSWERS = 3
"""Answers on works that a station needs in each wave."""
_USED = ["station_id", "wave", "satisfaction", "works_quality", "works_communication"]


def station_changes(answers: pd.DataFrame, rise: float = RISE) -> pd.DataFrame:
    """Return how communication and satisfaction changed at each station.

    Parameters
    ----------
    answers : DataFrame
        As from `respondents.by_wave`, with satisfaction as a column, of customers who had
        works; the first wave is compared with the last.
    rise : float
        Points of communication from which on a station counts as informing.

    Returns
    -------
    DataFrame
        By station_id: answers_before, answers_after, communication (change in points),
        satisfaction (change in points at equal quality of the works), informs (bool).
    """
    rows = answers[_USED].dropna()
    if rows["wave"].nunique() < 2:
        return pd.DataFrame(columns=COLUMNS).astype({"informs": bool, "satisfaction": float})
    ends = {rows["wave"].min(): "before", rows["wave"].max(): "after"}
    rows = rows.assign(time=rows["wave"].map(ends)).dropna(subset=["time"])
    rows["satisfaction"] = _at_equal_quality(rows)
    groups = rows.groupby(["station_id", "time"])
    means = groups[["works_communication", "satisfaction"]].mean().unstack("time")
    counts = groups.size().unstack("time").reindex(columns=["before", "after"]).fillna(0)
    enough = counts.min(axis=1) >= LEAST_ANSWERS
    found = pd.DataFrame(
        {
            "answers_before": counts["before"],
            "answers_after": counts["after"],
            "communication": _change(means, "works_communication"),
            "satisfaction": _change(means, "satisfaction"),
        }
    )
    found = found[enough].astype({"answers_before": int, "answers_after": int})
    return found.assign(informs=found["communication"] >= rise)


def lacking(answers: pd.DataFrame, changes: pd.DataFrame) -> list[str]:
    """Say why stations can't be compared; an empty list if they can.

    Parameters
    ----------
    answers : DataFrame
        What the changes were computed from.
    changes : DataFrame
        As from `station_changes`.
    """
    waves = answers[_USED].dropna()["wave"].nunique()
    if waves < 2:
        many = "only one" if waves else "none"
        return [f"It needs two waves of answers on works; there is {many}."]
    informing, others = int(changes["informs"].sum()), int((~changes["informs"]).sum())
    few = (
        f"{informing} stations with enough answers began to inform and {others} did not; "
        f"{LEAST_STATIONS} of each are needed."
    )
    if min(informing, others) < LEAST_STATIONS:
        return [few]
    spread = changes.groupby("informs")["satisfaction"].std().max()
    return [] if spread > 1e-9 else ["Satisfaction changed alike at all stations of a kind."]


def difference(changes: pd.DataFrame, spread: float) -> Estimate:
    """Compare the change at stations that inform with that at the others, by Welch's t.

    Parameters
    ----------
    changes : DataFrame
        As from `station_changes`, at least 2 stations of each kind.
    spread : float
        Points that are one standard deviation of satisfaction.
    """
    one, other = _arms(changes)
    pair = CompareMeans(DescrStatsW(one / spread), DescrStatsW(other / spread))
    low, high = pair.tconfint_diff(usevar="unequal")
    df = pair.dof_satt()
    middle = float(np.mean(one) - np.mean(other)) / spread
    method = f"difference in differences of {len(changes)} stations, Welch"
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
    cell = rows.groupby(["station_id", "wave"])
    inner = rows[["satisfaction", "works_quality"]] - cell[
        ["satisfaction", "works_quality"]
    ].transform("mean")
    varied = (inner["works_quality"] ** 2).sum()
    if varied < 1e-9:
        return rows["satisfaction"]
    slope = (inner["satisfaction"] * inner["works_quality"]).sum() / varied
    return rows["satisfaction"] - slope * (rows["works_quality"] - rows["works_quality"].mean())


def _change(means: pd.DataFrame, name: str) -> pd.Series:
    """Return the mean after less the mean before, missing where there is only one of them."""
    table = means[name].reindex(columns=["before", "after"])
    return table["after"] - table["before"]


def _arms(changes: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the changes of satisfaction at stations that inform, and at the others."""
    informs = changes["informs"]
    return tuple(changes.loc[each, "satisfaction"].to_numpy() for each in (informs, ~informs))
