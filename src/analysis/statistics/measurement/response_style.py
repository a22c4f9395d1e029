"""How a style of answering makes ratings of one person go together, and what is left without it.

Some people tick high whatever they are asked. Such a style adds to the covariance of any two
ratings; here it is taken out, as a share of their variance (Lindell, Whitney 2001, Journal of
Applied Psychology 86, 114-121).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

from analysis.statistics import weighting
from analysis.statistics.estimate import Estimate, from_se, moved, pooled
from analysis.statistics.measurement.correlations import correlation_of, slopes_of
from analysis.statistics.measurement.relative_importance import lmg

Mixes = Mapping[str, Mapping[str, float]]
Ratings = Sequence[str] | Mapping[str, float]
STYLE = 0.20
"""Share of a rating's variance that a style of answering may well have, where nothing tells."""
HALO_ON_MARKER = 0.5
"""How strong a halo may be on the rating that tells it, as a share of its strength on others."""
MOST = 0.99
"""Of the style that would leave nothing of some rating: as much as is taken out at the most."""
DRAWS = (np.arange(200) + 0.5) / 200
"""Places in the distribution of a style's share at which its error is worked out."""
Z = stats.norm.ppf(0.975)


@dataclass(frozen=True)
class Style:
    """A style of answering that several ratings share: a share of each rating's variance.

    Of the share (0 where the estimate is not above 0) there are a 95 % interval, both ends 0 or
    more, and an error, 0 where the share is assumed and not estimated.
    """

    share: float
    low: float
    high: float
    se: float


ASSUMED = Style(0.0, 0.0, STYLE, 0.0)


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
    Billiet, McClendon (2000), Structural Equation Modeling 7, 608-628.
    """
    return _from_marker(frames, marker, positive, negative, 1)


def halo(
    frames: Sequence[pd.DataFrame], marker: str, positive: Sequence[str], negative: Sequence[str]
) -> Style:
    """Estimate how much of a rating's variance a halo may be: who likes it rates all of it well.

    A halo lifts the marker and the good sides and lowers the bad ones. So the mean of the marker's
    correlations with good sides, and with bad ones turned round, is the halo's share, divided by
    `HALO_ON_MARKER`, as the marker may have less of it than what was experienced. Whatever truly
    links the marker with the sides is in it too: it is as much as a halo can be.

    Parameters and errors are those of `estimated`.

    References
    ----------
    Thorndike (1920), Journal of Applied Psychology 4, 25-29.
    """
    found = _from_marker(frames, marker, positive, negative, -1)
    share, low, high = (
        min(each / HALO_ON_MARKER, 0.99) for each in (found.share, found.low, found.high)
    )
    return Style(share, low, high, found.se / HALO_ON_MARKER)


def slope_shifts(
    frames: Sequence[pd.DataFrame], mixes: Mixes, ratings: Ratings, style: Style
) -> pd.DataFrame:
    """Return what taking out a style of answering does to the slopes on the last of `mixes`.

    Parameters
    ----------
    frames : sequence of DataFrame
        One row per person, nothing missing; one per imputation, whose covariances are averaged.
    mixes : mapping of str to mapping
        Drivers and, last, the outcome, by name: weights of columns, such as {"gap":
        {"performance": 1, "expectation": -1}}.
    ratings : sequence of str, or mapping of str to float
        The columns that share the style; or by column how strong it is there, 1 meaning as its
        share says.
    style : Style
        As from `estimated`, or `ASSUMED`.

    Returns
    -------
    DataFrame
        By driver: its standardised slope without the style less the one as observed, at the
        share (column "share") and at both ends of its interval ("low", "high"), and the error
        that the share's own error gives it ("se").
    """
    return _shifts(slopes_of, list(mixes)[:-1], frames, mixes, ratings, style)


def importance_shifts(
    frames: Sequence[pd.DataFrame], mixes: Mixes, ratings: Ratings, style: Style,
    first: Sequence[str], second: Sequence[str],
) -> pd.Series:  # fmt: skip
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

    def difference(correlation: np.ndarray) -> np.ndarray:
        shares = lmg(correlation[None])
        return shares @ signs / shares.sum()

    weaker = replace(style, low=style.low / 2)
    found = _shifts(difference, ["difference"], frames, mixes, ratings, weaker)
    return found.loc["difference"]


def taken_out(
    effects: Mapping[str, Estimate], shifts: Mapping[str, pd.Series], shares: Sequence[str] = ()
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
    found, ends = {}, [{}, {}]
    for name, effect in effects.items():
        move, shift = _moved_share if name in shares else moved, shifts[name]
        found[name] = move(effect, shift["share"], np.hypot(effect.se, shift["se"]))
        for end, at in zip(ends, ("low", "high"), strict=True):
            end[name] = move(effect, shift[at], effect.se)
    return found, ends


def _from_marker(
    frames: Sequence[pd.DataFrame], marker: str, positive: Sequence[str], negative: Sequence[str],
    sign: int,
) -> Style:  # fmt: skip
    """Return the marker's mean correlation with good sides, and with bad ones times a sign."""
    if len(positive) != len(negative):
        raise ValueError(f"There are {len(positive)} good sides, but {len(negative)} bad ones.")
    names = [marker, *positive, *negative]
    same = [name for name in names if min(each[name].nunique() for each in frames) < 2]
    if same:
        raise ValueError(f"{', '.join(same)} must vary to tell a style of answering.")
    signs = np.repeat([1, 1, sign], [1, len(positive), len(negative)])
    found = pooled([_mean_correlation(each[names].astype(float) * signs, each) for each in frames])
    mean, half = found.estimate, Z * found.se / (1 - found.estimate**2)
    low, high = (float(np.tanh(np.arctanh(mean) + side * half)) for side in (-1, 1))
    return Style(max(mean, 0.0), max(low, 0.0), max(high, 0.0), found.se)


def _mean_correlation(answers: pd.DataFrame, rows: pd.DataFrame) -> Estimate:
    """Return the mean correlation of the first column with the others, weighted as the rows are."""
    weight = weighting.of(rows)
    middle, spread = answers.mean(), answers.std(ddof=0)
    if weight is not None:
        middle = np.average(answers, axis=0, weights=weight)
        spread = np.sqrt(np.average((answers - middle) ** 2, axis=0, weights=weight))
    scores = ((answers - middle) / spread).to_numpy()
    first, others = scores[:, [0]], scores[:, 1:]
    each = np.average(first * others, axis=0, weights=weight)
    influence = (first * others - each * (first**2 + others**2) / 2).mean(axis=1)
    if weight is not None:
        influence = weight * influence
    mean = np.clip(each.mean(), -0.999, 0.999)
    se = influence.std(ddof=1) / np.sqrt(len(answers))
    return from_se(float(mean), float(se), len(answers))


def _mixed(
    frames: Sequence[pd.DataFrame], mixes: Mixes, ratings: Ratings
) -> tuple[np.ndarray, np.ndarray]:
    """Return the covariances of mixes of ratings, and how much a style of share 1 adds to each."""
    weights = pd.DataFrame({name: dict(mix) for name, mix in mixes.items()}).fillna(0.0)
    columns, mix = list(weights.index), weights.to_numpy()
    each = [weighting.covariance(frame, columns).to_numpy() for frame in frames]
    covariance = np.mean(each, axis=0)
    strong = ratings if isinstance(ratings, Mapping) else dict.fromkeys(ratings, 1.0)
    spread = np.sqrt(np.diag(covariance)) * [strong.get(name, 0.0) for name in columns]
    return mix.T @ covariance @ mix, mix.T @ spread


def _shifts(
    statistic: Callable[[np.ndarray], np.ndarray],
    names: Sequence[str],
    frames: Sequence[pd.DataFrame],
    mixes: Mixes,
    ratings: Ratings,
    style: Style,
) -> pd.DataFrame:
    """Return what taking out a style does to statistics of the correlations; see `slope_shifts`.

    Taking out more than 1 / (s' C^-1 s), C the covariances and s what the style adds, would leave
    correlations that no answers can have. The error is the root mean square of what the shift
    differs by from that at the share, over the normal distribution of the share, cut off at 0 and
    at the most that is possible: a derivative would count on shares that can't be.
    """
    covariance, strong = _mixed(frames, mixes, ratings)

    def shift(share: float) -> np.ndarray:
        cleaned = covariance - share * np.outer(strong, strong)
        return statistic(correlation_of(cleaned)) - statistic(correlation_of(covariance))

    reach = strong @ np.linalg.pinv(covariance, hermitian=True) @ strong
    most = MOST / reach if reach > MOST else 1.0
    share, low, high = (min(each, most) for each in (style.share, style.low, style.high))
    at = {"share": shift(share), "low": shift(low), "high": shift(high), "se": 0.0}
    if style.se:
        ends = (np.array([0.0, most]) - share) / style.se
        drawn = stats.truncnorm.ppf(DRAWS, *ends, loc=share, scale=style.se)
        apart = np.array([shift(each) for each in drawn]) - at["share"]
        at["se"] = np.sqrt((apart**2).mean(axis=0))
    return pd.DataFrame(at, index=names)


def _moved_share(effect: Estimate, shift: float, se: float) -> Estimate:
    """Return a difference of shares moved, with an interval inside -1 to 1."""
    value = np.clip(effect.estimate + shift, -0.999, 0.999)
    half = Z * se / (1 - value**2)
    low, high = np.tanh(np.arctanh(value) + np.array([-half, half]))
    return replace(effect, estimate=float(value), ci_low=float(low), ci_high=float(high))
