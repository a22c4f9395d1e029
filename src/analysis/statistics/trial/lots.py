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
    again. In each block those with the lowest lots are treated, as many as the share says; where
    that is no whole number one more or less, so that each unit's chance is `share`, and all
    together have their share of treated to within one.

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
    cells = np.zeros(len(names), int)
    for name in within:
        values = _commonest(units[name].astype(str).to_numpy(dtype=object), codes)
        levels, own = np.unique(values, return_inverse=True)
        cells = np.unique(cells * len(levels) + own, return_inverse=True)[1]
    line = None
    if predicted is not None:
        line = np.bincount(codes, floats(units[predicted])) / np.bincount(codes)
    blocks = blocks_of(cells, line, least)
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
    """Return who is treated, shape (n,): in each block those with the lowest lots.

    Block codes go from 0 on; `start`, from 0 to 1, decides where the share of a block is rounded
    up.
    """
    sizes = np.bincount(blocks)
    ends = np.cumsum(sizes)
    before, after = (np.floor(start + share * n + 1e-9) for n in (ends - sizes, ends))
    return _rank(lots, blocks, sizes) < (after - before)[blocks]


def blocks_of(
    cells: np.ndarray, line: np.ndarray | None = None, least: int = LEAST_IN_BLOCK
) -> np.ndarray:
    """Return block codes from 0 on, shape (n,): codes of cells, cut along a line.

    Cells with fewer than `least` rows are one block, which may have fewer itself.
    """
    codes = np.where(np.bincount(cells)[cells] < least, 0, cells + 1)
    if line is not None:
        sizes = np.bincount(codes)
        size, rank = sizes[codes], _rank(line, codes, sizes)
        codes = codes * SLICES + rank * np.clip(size // least, 1, SLICES) // size
    return np.unique(codes, return_inverse=True)[1]


def _rank(values: np.ndarray, codes: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return each row's place, from 0 on, among those of its code."""
    order = np.lexsort((values, codes))
    rank = np.empty(len(codes), int)
    rank[order] = np.arange(len(codes)) - (np.cumsum(sizes) - sizes)[codes[order]]
    return rank


def _commonest(values: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return each code's commonest value, of several the first in alphabetical order."""
    counts = pd.DataFrame({"code": codes, "value": values}).value_counts(sort=False).reset_index()
    counts = counts.sort_values(["code", "count", "value"], ascending=[True, False, True])
    return counts.drop_duplicates("code")["value"].to_numpy()
