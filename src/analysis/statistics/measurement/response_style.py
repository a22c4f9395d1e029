"""How a style of answering makes ratings of one person go together, and what is left without it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats

from analysis.statistics.estimate import Estimate, from_se, moved, pooled
from analysis.statistics.measurement import relative_importance
from analysis.statistics.measurement._style import (
    Style,
    correlation_of,
    mixed,
    possible,
    shifts_at,
    slopes_of,
)

STYLE = 0.20
"""Share of a rating's variance that a style of answering may well have, where nothing tells."""
Z = stats.norm.ppf(0.975)


ASSUMED = Style(0.0, 0.0, STYLE, 0.0)
HALO_ON_MARKER = 0.5
"""How strong a halo may be on the rating that tells it, as a share of its strength on others."""


def without_style(
    frames: Sequence[pd.DataFrame],
    mixes: Mapping[str, Mapping[str, float]],
    ratings: Sequence[str] | Mapping[str, float],
    share: float = STYLE,
) -> tuple[np.ndarray, np.ndarray]:
    """Return correlations as observed, and without a common style of answering.

    Some people tick high whatever they are asked. Such a style adds to the covariance of any
    two ratings; here it is taken out, as a share of their variance.

    Parameters
    ----------
    frames : sequence of DataFrame
        One row per person, nothing missing; one per imputation, whose covariances are averaged.
    mixes : mapping of str to mapping
        What is correlated, by name: weights of columns, such as {"gap": {"performance": 1,
        "expectation": -1}}.
    ratings : sequence of str, or mapping of str to float
        The columns that share the style; or by column how strong it is there, 1 meaning as `share`
        says.
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
    covariance, strong = mixed(frames, mixes, ratings)
    return correlation_of(covariance), correlation_of(covariance - share * np.outer(strong, strong))


def estimated(
    frames: Sequence[pd.DataFrame], marker: str, positive: Sequence[str], negative: Sequence[str]
) -> Style:
    """Estimate how much of a rating's variance is a style of answering.

    Whatever the marker has to do with the good sides of a service, it has to do with its bad
    sides the other way round; a style of answering adds to both. So the mean of the marker's
    correlations with as many good as bad sides is the style's share.

    Parameters
    ----------
    frames : sequence of DataFrame
        One row per person, nothing missing; one per imputation.
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
    names = _checked(frames, marker, positive, negative)
    return _style(frames, names, np.ones(len(names) - 1))


def halo(
    frames: Sequence[pd.DataFrame], marker: str, positive: Sequence[str], negative: Sequence[str]
) -> Style:
    """Estimate how much of a rating's variance a halo may be: who likes it rates all of it well.

    A halo lifts the marker and the good sides and lowers the bad ones. So the mean of the marker's
    correlations with good sides, and with bad ones turned round, is the halo's share, divided by
    `HALO_ON_MARKER`, as the marker may have less of it than what was experienced. Whatever truly
    links the marker with the sides is in it too: it is as much as a halo can be.

    Parameters
    ----------
    frames, marker, positive, negative
        As for `estimated`.

    Raises
    ------
    ValueError
        As in `estimated`.

    References
    ----------
    Thorndike, E. L. (1920). A constant error in psychological ratings. Journal of Applied
    Psychology 4, 25-29.
    """
    names = _checked(frames, marker, positive, negative)
    signs = np.repeat([1.0, -1.0], [len(positive), len(negative)])
    found = _style(frames, names, signs)
    share, low, high = (
        min(each / HALO_ON_MARKER, 0.99) for each in (found.share, found.low, found.high)
    )
    return Style(share, low, high, found.se / HALO_ON_MARKER)


def _checked(
    frames: Sequence[pd.DataFrame], marker: str, positive: Sequence[str], negative: Sequence[str]
) -> list[str]:
    """Return all ratings, or refuse those that can't tell a style of answering."""
    if len(positive) != len(negative):
        raise ValueError(f"There are {len(positive)} good sides, but {len(negative)} bad ones.")
    names = [marker, *positive, *negative]
    same = [name for name in names if min(each[name].nunique() for each in frames) < 2]
    if same:
        raise ValueError(f"{', '.join(same)} must vary to tell a style of answering.")
    return names


def _style(frames: Sequence[pd.DataFrame], names: Sequence[str], signs: np.ndarray) -> Style:
    """Return the mean correlation of the first rating with the others, each by its sign."""
    turned = [each[names].astype(float) * np.concatenate([[1.0], signs]) for each in frames]
    found = pooled([_mean_correlation(each) for each in turned])
    mean, half = found.estimate, Z * found.se / (1 - found.estimate**2)
    low, high = (float(np.tanh(np.arctanh(mean) + side * half)) for side in (-1, 1))
    return Style(max(mean, 0.0), max(low, 0.0), max(high, 0.0), found.se)


def slope_shifts(
    frames: Sequence[pd.DataFrame],
    mixes: Mapping[str, Mapping[str, float]],
    ratings: Sequence[str] | Mapping[str, float],
    style: Style,
) -> pd.DataFrame:
    """Return what taking out a style of answering does to the slopes on the last of `mixes`.

    Parameters
    ----------
    frames, mixes, ratings
        As for `without_style`; the last of the mixes is the outcome.
    style : Style
        As from `estimated`, or `ASSUMED`.

    Returns
    -------
    DataFrame
        By driver: its standardised slope without the style less the one as observed, at the
        share (column "share") and at both ends of its interval ("low", "high"), and the error
        that the share's own error gives it ("se").
    """
    covariance, strong = mixed(frames, mixes, ratings)
    observed = slopes_of(correlation_of(covariance))

    def shift(share: float) -> np.ndarray:
        return slopes_of(correlation_of(covariance - share * np.outer(strong, strong))) - observed

    return shifts_at(shift, list(mixes)[:-1], possible(style, covariance, strong))


def importance_shifts(
    frames: Sequence[pd.DataFrame],
    mixes: Mapping[str, Mapping[str, float]],
    ratings: Sequence[str],
    style: Style,
    first: Sequence[str],
    second: Sequence[str],
) -> pd.Series:
    """Return what taking out a style does to the shares of R2 of some drivers less others'.

    A little more or less of the style changes these shares a lot, and it may be weaker in what
    was rated than in the rating that it is told by: so the low end is half of the style's own.

    Parameters
    ----------
    frames, mixes, ratings, style
        As for `slope_shifts`.
    first, second : sequence of str
        Of the mixes.

    Returns
    -------
    Series
        share, low, high, se; as a row of `slope_shifts`.
    """
    signs = np.array([(name in first) - (name in second) for name in list(mixes)[:-1]], float)

    covariance, strong = mixed(frames, mixes, ratings)

    def shift(share: float) -> np.ndarray:
        cleaned = covariance - share * np.outer(strong, strong)
        shares = relative_importance.lmg(
            np.stack([correlation_of(each) for each in (covariance, cleaned)])
        )
        before, after = (shares @ signs) / shares.sum(axis=1)
        return np.array([after - before])

    weaker = possible(replace(style, low=style.low / 2), covariance, strong)
    return shifts_at(shift, ["difference"], weaker).loc["difference"]


def taken_out(
    effects: Mapping[str, Estimate],
    shifts: Mapping[str, pd.Series],
    shares: Sequence[str] = (),
) -> tuple[dict[str, Estimate], list[dict[str, Estimate]]]:
    """Return effects without a style of answering, and at both ends of what is known of it.

    Parameters
    ----------
    effects : mapping of str to Estimate
        As observed.
    shifts : mapping of str to Series
        By effect: share, low, high and se, as from `slope_shifts`.
    shares : sequence of str
        The effects that lie between -1 and 1, as differences of shares do: so do their intervals,
        which are symmetric on the scale of the inverse hyperbolic tangent.

    Returns
    -------
    found : dict of str to Estimate
        At the style's share, with its error.
    ends : list of dict, length 2
        With the least and with the most style that the answers allow, as for
        `checks.same_verdict`.
    """
    move = {name: _moved_share if name in shares else moved for name in effects}
    found = {
        name: move[name](each, shifts[name]["share"], np.hypot(each.se, shifts[name]["se"]))
        for name, each in effects.items()
    }
    ends = [
        {name: move[name](each, shifts[name][end], each.se) for name, each in effects.items()}
        for end in ("low", "high")
    ]
    return found, ends


def _moved_share(effect: Estimate, shift: float, se: float) -> Estimate:
    """Return a difference of shares moved, with an interval inside -1 to 1."""
    value = np.clip(effect.estimate + shift, -0.999, 0.999)
    half = Z * se / (1 - value**2)
    low, high = np.tanh(np.arctanh(value) + np.array([-half, half]))
    return replace(effect, estimate=float(value), ci_low=float(low), ci_high=float(high))


def _mean_correlation(answers: pd.DataFrame) -> Estimate:
    """Return the mean correlation of the first column with the others."""
    scores = ((answers - answers.mean()) / answers.std(ddof=0)).to_numpy()
    first, others = scores[:, [0]], scores[:, 1:]
    each = (first * others).mean(axis=0)
    influence = (first * others - each * (first**2 + others**2) / 2).mean(axis=1)
    mean = np.clip(each.mean(), -0.999, 0.999)
    se = influence.std(ddof=1) / np.sqrt(len(answers))
    return from_se(float(mean), float(se), len(answers))
