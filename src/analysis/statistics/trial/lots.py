"""Assignment by lot: blocks, and lots that anybody can draw again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.statistics._aligned import floats

LEAST_IN_BLOCK = 8
"""Units (clusters, if those are drawn) that a block has, where there are so many."""
SLICES = 4
"""Parts into which a block is cut along the predicted outcome, where there are so many units."""


def draw_lots(
    units: pd.DataFrame,
    seed: int | str,
    *,
    share: float = 0.5,
    within: Sequence[str] = (),
    predicted: str | None = None,
    cluster: str | None = None,
    least: int = LEAST_IN_BLOCK,
) -> pd.DataFrame:
    """Assign units to treatment or control by lot within blocks.

    The lot of a unit is the SHA-256 of the seed and its identifier: it depends neither on the
    order of the rows nor on who else takes part or on a library's version, and anybody can draw it
    again. Within each block the units are put in the order of their lots; going through all
    blocks, every 1/share-th one is treated, from a start that the seed decides too. So each unit's
    chance is `share`, each block has its share of treated to within one, and so have all together.

    Parameters
    ----------
    units : DataFrame
        Indexed by the unit's identifier, each once.
    seed : int or str
        Written down before.
    share : float
        Of units (clusters) to be treated, between 0 and 1.
    within : sequence of str
        Columns whose combinations are blocks; one with fewer than `least` units joins the other
        small ones.
    predicted : str, optional
        Column: a number, such as the outcome as it is predicted, along which blocks are cut into
        `SLICES` parts, or fewer, of at least `least` units.
    cluster : str, optional
        Column: what is drawn as one. Its value of `within` is the commonest of its units, that of
        `predicted` their mean.
    least : int
        Units (clusters) in a block.

    Returns
    -------
    DataFrame
        Indexed as `units`, in their order: block (int, from 0), treated (0 or 1), and the cluster.

    Raises
    ------
    ValueError
        If the share is not between 0 and 1, an identifier stands twice, a column is not there or
        has missing values, or an arm would have nobody.
    """
    if not 0 < share < 1:
        raise ValueError(f"The share of treated must lie between 0 and 1, not at {share}.")
    if not units.index.is_unique:
        raise ValueError("Every unit must stand once in the table that lots are drawn for.")
    for name in (*within, *filter(None, (predicted, cluster))):
        if name not in units:
            raise ValueError(f'The table of units has no column "{name}".')
        if units[name].isna().any():
            raise ValueError(f'Every unit needs a value of "{name}" before lots are drawn.')
    own = units.index if cluster is None else pd.Index(units[cluster])
    names, codes = np.unique(own.astype(str).to_numpy(dtype=object), return_inverse=True)
    if len(names) < 2:
        raise ValueError(f"Lots need two or more to be drawn for; there are {len(names)}.")
    by_lot = pd.DataFrame(index=np.arange(len(names)))
    for name in within:
        by_lot[name] = _commonest(units[name].astype(str).to_numpy(dtype=object), codes)
    line = None
    if predicted is not None:
        line = np.bincount(codes, floats(units[predicted])) / np.bincount(codes)
    blocks = blocks_of(by_lot, line, least)
    lots = np.array([lot(seed, name) for name in names])
    treated = assigned(lots, blocks, share, lot(seed, ""))
    if not 0 < treated.sum() < len(treated):
        raise ValueError(f"A share of {share} of {len(names)} leaves an arm with nobody.")
    drawn = {"block": blocks[codes], "treated": treated[codes].astype(int)}
    found = pd.DataFrame(drawn, units.index)
    return found if cluster is None else found.assign(**{cluster: units[cluster]})


def lot(seed: int | str, name: str) -> float:
    """Return a unit's lot: a number from 0 to 1 that the seed and its identifier decide."""
    digest = hashlib.sha256(f"{seed}|{name}".encode()).digest()
    return int.from_bytes(digest[:6]) / 2**48


def assigned(lots: np.ndarray, blocks: np.ndarray, share: float, start: float) -> np.ndarray:
    """Return who is treated, shape (n,): every 1/share-th, by block and in the order of lots."""
    order = np.lexsort((lots, blocks))
    steps = np.floor(start + share * np.arange(len(lots) + 1) + 1e-9)
    treated = np.empty(len(lots), bool)
    treated[order] = np.diff(steps) > 0
    return treated


def blocks_of(
    cells: pd.DataFrame, line: np.ndarray | None, least: int = LEAST_IN_BLOCK
) -> np.ndarray:
    """Return block codes from 0 on, shape (n,): combinations of columns, cut along a line.

    Combinations with fewer than `least` rows are one block, which may have fewer itself.
    """
    codes = np.zeros(len(cells), int)
    if len(cells.columns):
        codes = cells.groupby(list(cells.columns), sort=True).ngroup().to_numpy()
        small = np.bincount(codes)[codes] < least
        codes = np.where(small, -1, codes)
    if line is not None:
        ranks = pd.Series(line).groupby(codes).rank(method="first").to_numpy() - 1
        sizes = pd.Series(codes).map(pd.Series(codes).value_counts()).to_numpy()
        slices = np.clip(sizes // least, 1, SLICES)
        codes = codes * SLICES + np.floor(ranks * slices / sizes).astype(int)
    return np.unique(codes, return_inverse=True)[1]


def _commonest(values: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return each code's commonest value, of several the first in alphabetical order."""
    counts = pd.DataFrame({"code": codes, "value": values}).value_counts(sort=False).reset_index()
    counts = counts.sort_values(["code", "count", "value"], ascending=[True, False, True])
    return counts.drop_duplicates("code")["value"].to_numpy()
