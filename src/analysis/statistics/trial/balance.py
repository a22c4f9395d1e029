"""What the lots came to: how alike the arms are, and whether their sizes are those planned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from analysis.statistics.trial.units import coded

LEAST_P = 0.001
"""Below it the counts of the arms are not those of a lot with the planned shares."""


@dataclass(frozen=True)
class SampleRatio:
    """Whether the arms have about as many units as were planned.

    `arms` has observed and expected counts by arm; `p_value` is exact for two arms, else
    chi-square's.
    """

    arms: pd.DataFrame
    p_value: float

    @property
    def passed(self) -> bool:
        """Whether the counts can be those of the planned lot (p of `LEAST_P` or more)."""
        return self.p_value >= LEAST_P


def balance(units: pd.DataFrame, treated: str, covariates: Sequence[str]) -> pd.DataFrame:
    """Return how alike the arms are in what was known before.

    Returns
    -------
    DataFrame
        One row per covariate or category (index): mean_treated, mean_control, and difference, in
        standard deviations (the root of the arms' mean variance); under 0.1 in size is usually
        called balanced. A column that does not vary has a difference of 0. Without covariates
        there is no row.
    """
    x = pd.concat([units[[]], *(coded(units[[name]]) for name in covariates)], axis=1)
    is_treated = units[treated].to_numpy() == 1
    one, other = x[is_treated], x[~is_treated]
    spread = np.sqrt((one.var() + other.var()) / 2)
    gap = one.mean() - other.mean()
    difference = (gap / spread.where(spread > 0)).fillna(0.0)
    return pd.DataFrame(
        {"mean_treated": one.mean(), "mean_control": other.mean(), "difference": difference}
    ).rename_axis("covariate")


def sample_ratio(counts: Mapping[str, int], shares: Mapping[str, float]) -> SampleRatio:
    """Test whether counts of arms are those of a lot with planned shares.

    Parameters
    ----------
    counts : mapping of str to int
        Units (clusters, if those were drawn) by arm.
    shares : mapping of str to float
        Planned, by arm; they add up to 1.

    Raises
    ------
    ValueError
        If arms differ, there are fewer than two or nobody in any, or shares do not add up to 1.
    """
    if set(counts) != set(shares) or len(shares) < 2:
        raise ValueError(
            f"Counted arms are {sorted(counts)}, planned ones {sorted(shares)}; they must be the "
            "same two or more."
        )
    if min(shares.values()) <= 0 or abs(sum(shares.values()) - 1) > 1e-9:
        raise ValueError("Planned shares must be above 0 and add up to 1.")
    arms = pd.DataFrame({"observed": pd.Series(counts, dtype=int), "planned": pd.Series(shares)})
    arms = arms.loc[list(shares)].rename_axis("arm")
    total = int(arms["observed"].sum())
    if not total:
        raise ValueError("Nobody is in any arm.")
    arms["expected"] = total * arms.pop("planned")
    if len(arms) == 2:
        first = arms.iloc[0]
        p_value = stats.binomtest(int(first["observed"]), total, first["expected"] / total).pvalue
    else:
        p_value = stats.chisquare(arms["observed"], arms["expected"]).pvalue
    return SampleRatio(arms, float(p_value))
