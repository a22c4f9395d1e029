"""A style of answering: its share, what it adds to covariances, and what is left without it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats


@dataclass(frozen=True)
class Style:
    """A style of answering that several ratings share.

    Attributes
    ----------
    share : float
        Its share of each rating's variance; 0 where the estimate is not above 0.
    low, high : float
        95 % interval of the share, both ends 0 or more.
    se : float
        Error of the share; 0 where it is assumed and not estimated.
    """

    share: float
    low: float
    high: float
    se: float


MOST = 0.99
"""Of the style that would leave nothing of some rating: as much as is taken out at the most."""
DRAWS = (np.arange(200) + 0.5) / 200
"""Places in the distribution of a style's share at which its error is worked out."""


def mixed(
    frames: Sequence[pd.DataFrame],
    mixes: Mapping[str, Mapping[str, float]],
    ratings: Sequence[str] | Mapping[str, float],
) -> tuple[np.ndarray, np.ndarray]:
    """Return the covariances of mixes of ratings, and how much a style of share 1 adds to each."""
    weights = pd.DataFrame({name: dict(mix) for name, mix in mixes.items()}).fillna(0.0)
    columns, mix = list(weights.index), weights.to_numpy()
    covariance = np.mean([each[columns].astype(float).cov().to_numpy() for each in frames], axis=0)
    strong = ratings if isinstance(ratings, Mapping) else dict.fromkeys(ratings, 1.0)
    spread = np.sqrt(np.diag(covariance)) * [strong.get(name, 0.0) for name in columns]
    return mix.T @ covariance @ mix, mix.T @ spread


def possible(style: Style, covariance: np.ndarray, strong: np.ndarray) -> Bounded:
    """Return a style of no more than these answers can have.

    Taking out more than 1 / (s' C^-1 s), C the covariances and s what the style adds, would leave
    correlations that no answers can have.
    """
    reach = strong @ np.linalg.pinv(covariance, hermitian=True) @ strong
    most = MOST / reach if reach > MOST else 1.0
    share, low, high = (min(each, most) for each in (style.share, style.low, style.high))
    return Bounded(share, low, high, style.se, most)


@dataclass(frozen=True)
class Bounded(Style):
    """A style, and the most that the answers can have of it."""

    most: float


def shifts_at(shift, names: Sequence[str], style: Bounded) -> pd.DataFrame:
    """Return shifts at a style's share and ends, and the error that the share's own gives them.

    The error is the root mean square of what the shift differs by from that at the share, over the
    normal distribution of the share, cut off at 0 and at the most that is possible: a derivative
    would count on shares that can't be.
    """
    at = {name: shift(getattr(style, name)) for name in ("share", "low", "high")}
    if style.se == 0:
        return pd.DataFrame(at | {"se": 0.0}, index=list(names))
    ends = (np.array([0.0, style.most]) - style.share) / style.se
    drawn = stats.truncnorm.ppf(DRAWS, *ends, loc=style.share, scale=style.se)
    apart = np.array([shift(each) for each in drawn]) - at["share"]
    return pd.DataFrame(at | {"se": np.sqrt((apart**2).mean(axis=0))}, index=list(names))


def correlation_of(covariance: np.ndarray) -> np.ndarray:
    """Return the correlations of a covariance matrix, 0 with what does not vary."""
    spread = np.sqrt(np.clip(np.diag(covariance), 0, None))
    scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 1e-9)
    return covariance * np.outer(scale, scale)


def slopes_of(correlation: np.ndarray) -> np.ndarray:
    """Return standardised slopes of the last variable on the others."""
    return np.linalg.pinv(correlation[:-1, :-1]) @ correlation[:-1, -1]
