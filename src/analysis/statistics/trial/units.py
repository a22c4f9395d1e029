"""The units of a trial: what was drawn for each, what came of it, and what was known before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from analysis.language import text
from analysis.statistics._aligned import floats
from analysis.statistics.estimate import NotEstimable

LEAST = 2
"""Units (clusters, if those were drawn) with an outcome that each arm needs."""
UNITS_PER_COLUMN, CLUSTERS_PER_COLUMN = 20, 4
"""Of the smaller arm, for each column that the analysis adjusts for."""
_NEW = 1e-7
"""Share of a column's size that earlier ones must leave of it."""


@dataclass(frozen=True)
class Trial:
    """Everybody who was drawn, in two arms.

    Attributes
    ----------
    units : DataFrame
        One row for each, also for those whose outcome is not known.
    outcome, treated : str
        Columns: numbers or true and false, missing if lost; and the arm, 0 or 1.
    covariates : tuple of str
        Columns known before the lot was drawn, in their order of importance: numbers, true and
        false, or categories. What is missing becomes the mean with a column that says so.
    block, cluster : str, optional
        Columns: within what the lot was drawn, and what it was drawn for (a station, a manager),
        if not for each unit.

    Raises
    ------
    ValueError
        If a column is not there, an arm is missing or other than 0 or 1, a block or cluster is
        missing, an outcome is no number, or a cluster has units in both arms or in two blocks.
    NotEstimable
        If an arm has fewer than `LEAST` units (clusters) with an outcome.
    """

    units: pd.DataFrame
    outcome: str
    treated: str
    covariates: tuple[str, ...] = ()
    block: str | None = None
    cluster: str | None = None

    def __post_init__(self):
        named = (self.outcome, self.treated, *self.covariates, self.block, self.cluster)
        for name in (each for each in named if each is not None):
            if name not in self.units:
                raise ValueError(f'The table of units has no column "{name}".')
        if not self.units[self.treated].isin((0, 1)).all():
            raise ValueError(f'"{self.treated}" must be 0 or 1 for every unit.')
        for name in (self.block, self.cluster):
            if name is not None and self.units[name].isna().any():
                raise ValueError(f'Every unit needs a value of "{name}".')
        if self.cluster is not None:
            for name in filter(None, (self.treated, self.block)):
                pairs = np.column_stack([self.clusters, pd.factorize(self.units[name])[0]])
                if len(np.unique(pairs, axis=0)) > self.clusters.max() + 1:
                    raise ValueError(
                        f'A "{self.cluster}" is drawn as one, but has units with different '
                        f'values of "{name}".'
                    )
        arms = [self.drawn(self.is_observed & (self.z == arm)) for arm in (1, 0)]
        if min(arms) < LEAST:
            raise NotEstimable(
                text(
                    "Each arm needs {least} with an outcome; the treated have {treated:,}, the "
                    "controls {controls:,}.",
                    least=LEAST,
                    treated=arms[0],
                    controls=arms[1],
                )
            )

    @cached_property
    def y(self) -> np.ndarray:
        """Outcomes, shape (n,), nan if lost."""
        return self.numbers(self.outcome)

    @cached_property
    def z(self) -> np.ndarray:
        """Arms, shape (n,), 1 for treated."""
        return self.units[self.treated].to_numpy(float)

    @cached_property
    def is_observed(self) -> np.ndarray:
        """Whose outcome is known, shape (n,)."""
        return ~np.isnan(self.y)

    @cached_property
    def clusters(self) -> np.ndarray | None:
        """Codes of clusters from 0 on, shape (n,), if those were drawn."""
        return None if self.cluster is None else pd.factorize(self.units[self.cluster])[0]

    @cached_property
    def observed_clusters(self) -> np.ndarray | None:
        """Codes of the clusters of those whose outcome is known, from 0 on."""
        if self.clusters is None:
            return None
        return np.unique(self.clusters[self.is_observed], return_inverse=True)[1]

    @cached_property
    def blocks(self) -> np.ndarray:
        """Codes of blocks from 0 on, shape (n,); one block for all without."""
        if self.block is None:
            return np.zeros(len(self.units), int)
        return pd.factorize(self.units[self.block])[0]

    @cached_property
    def columns(self) -> pd.DataFrame:
        """What the analysis adjusts for: complete numbers of those whose outcome is known.

        Covariates come first, then the blocks, of which those with fewer than `LEAST` of an arm
        count as one. A column that says nothing new in an arm is left out, and so are the last
        ones where the smaller arm has too few units for so many: as each block has the same share
        of treated, that costs precision only.
        """
        rows = self.is_observed
        known = self.units.loc[rows, list(self.covariates)]
        blocks = pd.Series(self._pooled_blocks(), known.index, name=self.block or "block")
        all_columns = pd.concat([coded(known), coded(blocks.astype("category").to_frame())], axis=1)
        kept = usable(all_columns.to_numpy(), self.z[rows], self.observed_clusters)
        return all_columns.iloc[:, kept]

    def numbers(self, name: str) -> np.ndarray:
        """Return a column as floats, shape (n,), missing ones as nan."""
        if name not in self.units:
            raise ValueError(f'The table of units has no column "{name}".')
        return floats(self.units[name]).to_numpy()

    def drawn(self, rows: np.ndarray) -> int:
        """Return how many lots some rows stand for: units, or clusters."""
        return int(rows.sum() if self.clusters is None else len(np.unique(self.clusters[rows])))

    def without_adjustment(self) -> Trial:
        """Return the same trial without covariates and blocks."""
        return replace(self, covariates=(), block=None)

    def _pooled_blocks(self) -> np.ndarray:
        """Return blocks of those with an outcome; blocks with too few of an arm are one block."""
        rows = self.is_observed
        blocks = self.blocks[rows]
        own = np.arange(rows.sum()) if self.clusters is None else self.observed_clusters
        lots = pd.DataFrame({"block": blocks, "arm": self.z[rows], "lot": own})
        counts = lots.drop_duplicates().groupby(["block", "arm"]).size().unstack(fill_value=0)
        counts = counts.reindex(columns=[0.0, 1.0], fill_value=0)
        few = counts.index[counts.min(axis=1) < LEAST].tolist()
        left = counts.drop(few)
        if few and counts.loc[few].sum().min() < LEAST and len(left):
            few.append(left.sum(axis=1).idxmin())
        return np.where(np.isin(blocks, few), -1, blocks)


def coded(frame: pd.DataFrame) -> pd.DataFrame:
    """Return columns as complete floats: categories as 0 and 1, without their commonest.

    A missing number is the mean, a missing category a category; a column of 0 and 1 says where a
    number was missing.

    References
    ----------
    Zhao & Ding (2024). To adjust or not to adjust? Estimating the average treatment effect in
    randomized experiments with missing covariates. JASA 119, 450-460.
    """
    parts = []
    for name in frame:
        values = frame[name]
        is_number = pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values)
        if is_number:
            known = floats(values)
            mean = 0.0 if known.isna().all() else known.mean()
            parts.append(known.fillna(mean).rename(str(name)))
            if known.isna().any():
                parts.append(known.isna().astype(float).rename(f"{name} missing"))
            continue
        words = values.astype(object).where(values.notna(), "missing").astype(str)
        counts = words.value_counts()
        levels = sorted(counts.index, key=lambda level: (-counts[level], level))
        parts += [(words == level).astype(float).rename(f"{name} {level}") for level in levels[1:]]
    return pd.concat(parts, axis=1) if parts else pd.DataFrame(index=frame.index)


def usable(x: np.ndarray, z: np.ndarray, clusters: np.ndarray | None) -> list[int]:
    """Return which columns an analysis adjusts for: those that say something new, as many as may.

    Columns x, shape (n, k), and arms z, shape (n,), are of the units with an outcome.
    """
    if clusters is None:
        most = np.bincount(z.astype(int)).min() // UNITS_PER_COLUMN
    else:
        most = min(len(np.unique(clusters[z == arm])) for arm in (0, 1)) // CLUSTERS_PER_COLUMN
    return independent(x, z)[:most]


def independent(x: np.ndarray, z: np.ndarray) -> list[int]:
    """Return which columns say something new in both arms, beside a constant and earlier ones."""
    arms = [np.column_stack([np.ones((z == arm).sum()), x[z == arm]]) for arm in (0, 1)]
    sizes = [np.sqrt((own**2).sum(axis=0)) for own in arms]
    if min(map(len, arms)) > x.shape[1]:
        left = [np.abs(np.diag(np.linalg.qr(own, mode="r"))) for own in arms]
        if all((a > _NEW * b).all() for a, b in zip(left, sizes, strict=True)):
            return list(range(x.shape[1]))
    bases = [own[:, :1] / sizes[i][0] for i, own in enumerate(arms)]
    kept = []
    for j in range(1, x.shape[1] + 1):
        new = [own[:, j] for own in arms]
        for _ in range(2):  # twice is enough against rounding
            new = [own - base @ (base.T @ own) for own, base in zip(new, bases, strict=True)]
        left = [np.sqrt(own @ own) for own in new]
        if all(a > _NEW * b[j] for a, b in zip(left, sizes, strict=True)):
            kept.append(j - 1)
            bases = [
                np.column_stack([base, own / size])
                for base, own, size in zip(bases, new, left, strict=True)
            ]
    return kept
