"""How a style of answering makes ratings of one person go together, and what is left without it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats

STYLE = 0.20
"""Share of a rating's variance that a style of answering may well have, where nothing tells."""


def without_style(
    data: pd.DataFrame,
    mixes: Mapping[str, Mapping[str, float]],
    ratings: Sequence[str],
    share: float = STYLE,
) -> tuple[np.ndarray, np.ndarray]:
    """Return correlations as observed, and without a common style of answering.

    Some people tick high whatever they are asked. Such a style adds to the covariance of any
    two ratings; here it is taken out, as a share of their variance.

    Parameters
    ----------
    data : DataFrame
        One row per person, nothing missing.
    mixes : mapping of str to mapping
        What is correlated, by name: weights of columns, such as {"gap": {"performance": 1,
        "expectation": -1}}.
    ratings : sequence of str
        The columns that share the style.
    share : float
        The style's share of a rating's variance.

    Returns
    -------
    observed, cleaned : ndarray, shape (k, k)
        Correlation matrices in the order of `mixes`.

    References
    ----------
    Lindell, M. K., & Whitney, D. J. (2001). Accounting for common method variance in
    cross-sectional research designs. Journal of Applied Psychology 86, 114-121.
    """
    weights = pd.DataFrame({name: dict(mix) for name, mix in mixes.items()}).fillna(0.0)
    columns = list(weights.index)
    covariance = data[columns].astype(float).cov().to_numpy()
    spread = np.sqrt(np.diag(covariance)) * [name in set(ratings) for name in columns]
    style = share * np.outer(spread, spread)
    mix = weights.to_numpy()
    return _correlation(mix.T @ covariance @ mix), _correlation(mix.T @ (covariance - style) @ mix)


def style_bound(
    data: pd.DataFrame, marker: str, positive: Sequence[str], negative: Sequence[str]
) -> float:
    """Return how much of a rating's variance a style of answering can have, at the most.

    Whatever the marker has to do with the good sides of a service, it has to do with its bad
    sides the other way round; a style of answering adds to both. So the mean of the marker's
    correlations with as many good as bad sides is the style's share; its 95 % upper bound is
    returned, and never less than nothing.

    Parameters
    ----------
    data : DataFrame
        One row per person, nothing missing.
    marker : str
        A rating that is neither of the two kinds, such as what was expected.
    positive, negative : sequence of str
        Ratings where high is good, and as many where high is bad.

    Raises
    ------
    ValueError
        If there are not as many of one kind as of the other, or a rating does not vary.

    References
    ----------
    Billiet, J. B., & McClendon, M. J. (2000). Modeling acquiescence in measurement models
    for two balanced sets of items. Structural Equation Modeling 7, 608-628.
    """
    if len(positive) != len(negative):
        raise ValueError(f"There are {len(positive)} good sides, but {len(negative)} bad ones.")
    same = [name for name in (marker, *positive, *negative) if data[name].nunique() < 2]
    if same:
        raise ValueError(f"{', '.join(same)} must vary to tell a style of answering.")
    mean, se = _mean_correlation(data[[marker, *positive, *negative]].astype(float))
    upper = np.tanh(np.arctanh(mean) + stats.norm.ppf(0.975) * se / (1 - mean**2))
    return float(max(upper, 0.0))


def style_shift(
    data: pd.DataFrame,
    mixes: Mapping[str, Mapping[str, float]],
    ratings: Sequence[str],
    share: float = STYLE,
) -> pd.Series:
    """Return what taking out a style of answering does to the slopes on the last of `mixes`.

    Parameters are those of `without_style`.

    Returns
    -------
    Series
        By driver: its standardised slope without the style less the one as observed.
    """
    observed, cleaned = without_style(data, mixes, ratings, share)
    return pd.Series(_slopes(cleaned) - _slopes(observed), list(mixes)[:-1])


def _mean_correlation(answers: pd.DataFrame) -> tuple[float, float]:
    """Return the mean correlation of the first column with the others, and its error."""
    scores = ((answers - answers.mean()) / answers.std(ddof=0)).to_numpy()
    first, others = scores[:, [0]], scores[:, 1:]
    each = (first * others).mean(axis=0)
    influence = (first * others - each * (first**2 + others**2) / 2).mean(axis=1)
    mean = np.clip(each.mean(), -0.999, 0.999)
    return float(mean), float(influence.std(ddof=1) / np.sqrt(len(answers)))


def _correlation(covariance: np.ndarray) -> np.ndarray:
    """Return the correlations of a covariance matrix, 0 with what does not vary."""
    spread = np.sqrt(np.clip(np.diag(covariance), 0, None))
    scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 1e-9)
    return covariance * np.outer(scale, scale)


def _slopes(correlation: np.ndarray) -> np.ndarray:
    """Return standardised slopes of the last variable on the others."""
    return np.linalg.pinv(correlation[:-1, :-1]) @ correlation[:-1, -1]
