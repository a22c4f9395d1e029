"""Trials that might have been: the past drawn again, an effect planted, the planned analysis."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd

from analysis.statistics._aligned import floats
from analysis.statistics.estimate import Estimate, from_se
from analysis.statistics.trial._least_squares import between_arms
from analysis.statistics.trial.complier import anderson_rubin
from analysis.statistics.trial.lots import LEAST_IN_BLOCK, assigned, blocks_of
from analysis.statistics.trial.units import LEAST, coded, usable


@dataclass(frozen=True)
class Plan:
    """A trial, and what it would meet.

    Attributes
    ----------
    history : DataFrame
        One row per unit: a past period's outcome, and what was known before it.
    outcome : str
        Column: numbers, or 0 and 1; known for everybody.
    effect : float
        What treatment does to those who receive it, in the outcome's unit; of an outcome of 0 and
        1 a difference of shares.
    covariates : tuple of str
        Columns that the analysis adjusts for, see `units.Trial`.
    within : tuple of str
        Columns whose combinations are blocks.
    predicted : str, optional
        Column along which blocks are cut, see `lots.draw_lots`.
    cluster : str, optional
        Column: what is drawn as one.
    share : float
        Of units (clusters) to be treated.
    compliance : float
        Share of those assigned to treatment who will receive it; nobody else does. With a dose: by
        how much assignment raises it.
    attrition : float
        Share of units whose outcome will not be known, whatever their arm.
    of : {"assigned", "received"}
        Whose effect is to be decided: of assignment (intention to treat, the effect times the
        compliance), or of what was received (Anderson-Rubin interval).
    least_in_block : int
        Units (clusters) of a block.
    dose : str, optional
        Column: how much was received in the past; the effect is of one more of it.

    Raises
    ------
    ValueError
        If a column is not there or has missing values (covariates may), a share is impossible, or
        an effect moves a share beyond 0 or 1.
    """

    history: pd.DataFrame
    outcome: str
    effect: float
    covariates: tuple[str, ...] = ()
    within: tuple[str, ...] = ()
    predicted: str | None = None
    cluster: str | None = None
    share: float = 0.5
    compliance: float = 1.0
    attrition: float = 0.0
    of: Literal["assigned", "received"] = "assigned"
    least_in_block: int = LEAST_IN_BLOCK
    dose: str | None = None

    def __post_init__(self):
        complete = (self.outcome, *self.within, self.predicted, self.cluster, self.dose)
        for name in (*self.covariates, *(each for each in complete if each is not None)):
            if name not in self.history:
                raise ValueError(f'The history has no column "{name}".')
            if name in complete and self.history[name].isna().any():
                raise ValueError(f'Every unit of the history needs a value of "{name}".')
        for name, value, ends in (
            ("share", self.share, 0 < self.share < 1),
            ("compliance", self.compliance, 0 < self.compliance <= (np.inf if self.dose else 1)),
            ("attrition", self.attrition, 0 <= self.attrition < 1),
        ):
            if not ends:
                raise ValueError(f"A {name} of {value} is impossible.")
        most = self.effect * (1.0 if self.dose is None else self.compliance)
        if self.is_share and not 0 <= self._y.mean() + most <= 1:
            raise ValueError(
                f'An effect of {most} moves "{self.outcome}", a share of '
                f"{self._y.mean():.3f}, beyond 0 or 1."
            )

    @property
    def effect_on_average(self) -> float:
        """The effect that is to be decided."""
        return self.effect * (self.compliance if self.of == "assigned" else 1.0)

    @cached_property
    def available(self) -> int:
        """How many lots the history has: units, or clusters."""
        return int(self._codes.max()) + 1

    @property
    def least(self) -> int:
        """The smallest trial: with as many in each arm as an analysis needs."""
        return int(np.ceil(LEAST / min(self.share, 1 - self.share)))

    @cached_property
    def is_share(self) -> bool:
        """Whether the outcome is 0 and 1."""
        return bool(np.isin(self._y, (0, 1)).all())

    @cached_property
    def _y(self) -> np.ndarray:
        return floats(self.history[self.outcome]).to_numpy()

    @cached_property
    def _dose(self) -> np.ndarray:
        if self.dose is None:
            return np.zeros(len(self.history))
        return floats(self.history[self.dose]).to_numpy()

    @cached_property
    def _x(self) -> np.ndarray:
        return coded(self.history[list(self.covariates)]).to_numpy(float)

    @cached_property
    def _codes(self) -> np.ndarray:
        if self.cluster is None:
            return np.arange(len(self.history))
        return pd.factorize(self.history[self.cluster], sort=True)[0]

    @cached_property
    def _rows(self) -> list[np.ndarray]:
        """Rows of each lot."""
        order = np.argsort(self._codes, kind="stable")
        return np.split(order, np.cumsum(np.bincount(self._codes))[:-1])

    @cached_property
    def _cells(self) -> np.ndarray:
        """Codes of combinations of `within`, by lot, of a cluster of its commonest values."""
        cells = np.zeros(self.available, int)
        for name in self.within:
            codes = pd.factorize(self.history[name], sort=True)[0]
            table = np.zeros((self.available, codes.max() + 1))
            np.add.at(table, (self._codes, codes), 1)
            cells = cells * table.shape[1] + table.argmax(axis=1)
        return np.unique(cells, return_inverse=True)[1]

    @cached_property
    def _line(self) -> np.ndarray | None:
        if self.predicted is None:
            return None
        line = floats(self.history[self.predicted]).to_numpy()
        return np.bincount(self._codes, line) / np.bincount(self._codes)


def replicates(plan: Plan, n: int, times: int, seed: int) -> Iterator[Estimate | None]:
    """Yield the estimates of simulated trials of n units (clusters); None where there is none.

    Units are drawn from the history with replacement, the i-th the same at every n.
    """
    for k in range(times):
        streams = [np.random.default_rng([seed, k, i]) for i in range(3)]
        yield _replicate(plan, n, streams)


def _replicate(plan: Plan, n: int, streams: list[np.random.Generator]) -> Estimate | None:
    """Return the estimate of one simulated trial."""
    drawing, of_lots, of_units = streams
    chosen = drawing.integers(plan.available, size=n)
    blocks = blocks_of(
        plan._cells[chosen], None if plan._line is None else plan._line[chosen], plan.least_in_block
    )
    start, lots = of_lots.random(), of_lots.random(n)
    z = assigned(lots, blocks, plan.share, start)
    rows, own = chosen, np.arange(n)
    if plan.cluster is not None:
        rows = np.concatenate([plan._rows[i] for i in chosen])
        own = np.repeat(own, [len(plan._rows[i]) for i in chosen])
    complies, stays, moves = of_units.random((len(rows), 3)).T
    received = z[own] & (complies < plan.compliance)
    if plan.dose is not None:
        received = plan.compliance * z[own]
    y = _planted(plan, plan._y[rows], received, moves)
    received = received + plan._dose[rows]
    seen = stays >= plan.attrition
    arm, y, received, own = z[own][seen], y[seen], received[seen], own[seen]
    if min(np.count_nonzero(np.bincount(own[rows])) for rows in (arm, ~arm)) < LEAST:
        return None
    x = np.column_stack([plan._x[rows][seen], _dummies(blocks[own])])
    clusters = None if plan.cluster is None else np.unique(own, return_inverse=True)[1]
    x = x[:, usable(x, arm, clusters)]
    found = between_arms(x, np.column_stack([y, received]), arm, clusters)
    if plan.of == "assigned":
        se = np.sqrt(found.covariance[0, 0])
        return from_se(found.estimates[0], se, len(y), df=found.df) if se > 0 else None
    return _received(found.estimates, found.covariance, found.df, len(y))


def _received(estimates: np.ndarray, covariance: np.ndarray, df: float, n: int) -> Estimate | None:
    """Return the complier effect with its Anderson-Rubin interval, open if that is not one."""
    if not estimates[1] > 0:
        return None
    region = anderson_rubin(*estimates, covariance, df)
    low, high = region[0] if len(region) == 1 else (-np.inf, np.inf)
    return Estimate(float(estimates[0] / estimates[1]), low, high, n, df=df)


def _planted(plan: Plan, y: np.ndarray, received: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """Return outcomes with the effect: added, or by so many who change from 0 to 1 (1 to 0)."""
    if not plan.is_share:
        return y + plan.effect * received
    mean, target = plan._y.mean(), float(plan.effect > 0)
    chance = abs(plan.effect) / ((1 - mean) if target else mean) if plan.effect else 0.0
    return np.where((y != target) & (moves < chance * received), target, y)


def _dummies(blocks: np.ndarray) -> np.ndarray:
    """Return columns of 0 and 1 for all blocks but the commonest, shape (n, blocks - 1)."""
    levels = np.argsort(-np.bincount(blocks), kind="stable")[1:]
    return (blocks[:, None] == levels).astype(float)
