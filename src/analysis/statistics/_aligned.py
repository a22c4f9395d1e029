"""Columns as floats, and columns that belong to the same rows."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.language import text
from analysis.statistics.estimate import NotEstimable


def aligned(*columns: object) -> tuple:
    """Return columns in the order of the first one with labels.

    Series and DataFrames are paired by their index, others by position; None stays None. A
    ValueError says that labels differ or stand twice, or that labels in another order meet a
    column without labels.
    """
    known = [each for each in columns if isinstance(each, pd.Series | pd.DataFrame)]
    if all(each.index.equals(known[0].index) for each in known):
        return columns
    index = known[0].index
    if not all(each.index.is_unique and index.symmetric_difference(each.index).empty
               for each in known):  # fmt: skip
        raise ValueError("Columns must have the same labels (index), each of them once.")
    if any(each is not None and not isinstance(each, pd.Series | pd.DataFrame) for each in columns):
        raise ValueError("Columns with labels in another order can't be paired with plain arrays.")
    return tuple(None if each is None else each.loc[index] for each in columns)


def floats(values: pd.Series) -> pd.Series:
    """Return numbers, decimals, or true and false as floats, missing ones as nan."""
    try:
        plain = pd.Series(values.to_numpy(float, na_value=np.nan), values.index, name=values.name)
    except (TypeError, ValueError):
        what = "Values" if values.name is None else f'Values of "{values.name}"'
        raise ValueError(f"{what} must be numbers, or true and false.") from None
    infinite = int(np.isinf(plain).sum())
    if infinite:
        raise NotEstimable(
            text(
                '"{name}" is infinite in {infinite:,} of {n:,} rows.',
                name=values.name,
                infinite=infinite,
                n=len(plain),
            )
        )
    return plain
