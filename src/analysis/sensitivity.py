"""How strong something unmeasured would have to be to change an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import patsy
from scipy import stats

from analysis.estimates import Estimate, from_se
from analysis.models import coded

LEAST_ASKED = 50
"""Customers of whom a benchmark must be known."""
STYLE = 0.20
"""Share of a rating's variance that a style of answering may well have, where nothing tells."""


@dataclass(frozen=True)
class Confounding:
    """An effect, if something unmeasured were as strong as the strongest control.

    Attributes
    ----------
    benchmark : str
        The control whose strength would do the most; "none was recorded" without controls.
    robustness : float
        Share of what is left of both sides that a confounder has to explain to bring the
        estimate to nothing.
    lower, upper : Estimate
        The effect with such a confounder against it, and for it; anything is possible where
        there is no control to compare with.
    """

    benchmark: str
    robustness: float
    lower: Estimate
    upper: Estimate


def confounding(
    effect: Estimate,
    data: pd.DataFrame,
    outcome: str,
    treatment: str,
    controls: Sequence[str],
    benchmarks: Sequence[str] | None = None,
) -> Confounding:
    """Ask what a confounder as strong as a measured control would make of an effect.

    Parameters
    ----------
    effect : Estimate
        Coefficient of the treatment in the least-squares regression of the outcome on
        treatment and controls; its own (robust) error is kept.
    data : DataFrame
        Rows of that regression.
    outcome, treatment : str
        Columns.
    controls : sequence of str
        The other terms of the formula; a term with several columns counts as one control.
    benchmarks : sequence of str, optional
        Those controls whose strength is borrowed; all by default.

    Raises
    ------
    ValueError
        If a benchmark is not among the controls.

    References
    ----------
    Cinelli, C., & Hazlett, C. (2020). Making sense of sensitivity: extending omitted
    variable bias. Journal of the Royal Statistical Society B 82, 39-67.
    """
    columns = _columns(data.dropna(subset=[outcome, treatment]), outcome, treatment, controls)
    named = _benchmarks(columns, outcome, treatment, benchmarks)
    t, df, error = _classical(columns, outcome, treatment)
    if not named:  # nothing is known of how strong a hidden one may be
        open_ended = replace(effect, ci_low=-np.inf, ci_high=np.inf)
        return Confounding("none was recorded", robustness_value(t, df), open_ended, open_ended)
    strengths = {name: _strength(columns, outcome, treatment, name) for name in named}
    biases = {name: _bias(error, df, *strengths[name]) for name in named}
    worst = max(biases, key=biases.get)
    with_treatment, with_outcome = strengths[worst]
    wider = np.sqrt((1 - with_outcome) / (1 - with_treatment) * df / (df - 1))
    moved = [
        from_se(
            effect.estimate + sign * biases[worst], effect.se * wider, effect.n_obs,
            df=effect.df, method=effect.method,
        )
        for sign in (-1, 1)
    ]  # fmt: skip
    return Confounding(worst, robustness_value(t, df), *moved)


def strongest(
    effect: Estimate,
    data: pd.DataFrame,
    outcome: str,
    treatment: str,
    controls: Sequence[str],
    partly: Sequence[str],
) -> Confounding:
    """Do as `confounding`, with what is known of some customers only among the benchmarks.

    What was asked of a few can't be held equal for all, but it tells how strong such a cause is.

    Parameters
    ----------
    effect, data, outcome, treatment, controls
        As in `confounding`.
    partly : sequence of str
        Columns with missing values, such as satisfaction; those that are known of fewer than
        `LEAST_ASKED` customers, or do not vary, are left out.

    Returns
    -------
    Confounding
        The one that moves the effect most; its robustness is that among all customers.
    """
    found = [confounding(effect, data, outcome, treatment, controls)]
    for name in partly:
        rows = data.dropna(subset=[name])
        varies = (rows[[name, treatment, outcome]].nunique() > 1).all()
        if len(rows) >= LEAST_ASKED and varies:
            terms = [*controls, name]
            found.append(confounding(effect, rows, outcome, treatment, terms, [name]))
    worst = max(found, key=lambda each: each.upper.ci_high)
    return replace(worst, robustness=found[0].robustness)


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


def shifted(effect: Estimate, shift: float) -> Estimate:
    """Return an effect moved by an amount on the scale of its interval, its error unchanged."""
    link, inverse = (np.log, np.exp) if effect.scale == "log" else (float, float)
    middle = inverse(link(effect.estimate) + shift)
    return from_se(
        middle, effect.se, effect.n_obs, scale=effect.scale, df=effect.df, method=effect.method
    )


def as_log_hazard(change: float, share: float) -> float:
    """Return the change of a log hazard that makes a share of customers who stay change so much.

    Parameters
    ----------
    change : float
        Of the share, such as 0.02.
    share : float
        Of customers who stay, between 0 and 1.
    """
    return change / (share * np.log(share))


def as_risk_ratio(hazard_ratio: float) -> float:
    """Return the risk ratio that a hazard ratio comes to where the outcome is common.

    References
    ----------
    VanderWeele, T. J. (2020). Optimal approximate conversions of odds ratios and hazard ratios
    to risk ratios. Biometrics 76, 746-752.
    """
    return (1 - 0.5 ** np.sqrt(hazard_ratio)) / (1 - 0.5 ** np.sqrt(1 / hazard_ratio))


def partial_r2(t: float, df: float) -> float:
    """Return the share of the remaining variance that a regressor with this t explains."""
    return t**2 / (t**2 + df)


def robustness_value(t: float, df: float, q: float = 1, alpha: float | None = None) -> float:
    """Return how strong a confounder must be to undo a coefficient.

    Parameters
    ----------
    t, df : float
        The coefficient's t value and its residual degrees of freedom.
    q : float
        Share of the coefficient to be explained away.
    alpha : float, optional
        If given, to take away significance at this level instead of the coefficient.

    Returns
    -------
    float
        Share of the remaining variance, of both treatment and outcome, that the
        confounder has to explain; 0 if nothing is left to undo.

    References
    ----------
    Cinelli, C., & Hazlett, C. (2020). Making sense of sensitivity: extending omitted
    variable bias. Journal of the Royal Statistical Society B 82, 39-67.
    """
    f = q * abs(t) / np.sqrt(df)
    critical = 0.0 if alpha is None else stats.t.ppf(1 - alpha / 2, df - 1) / np.sqrt(df - 1)
    excess = f - critical
    if excess <= 0:
        return 0.0
    if f * critical > 1:  # the outcome then needs less than the treatment
        return float((f**2 - critical**2) / (1 + f**2))
    return float((np.sqrt(excess**4 + 4 * excess**2) - excess**2) / 2)


def e_value(ratio: float) -> float:
    """Return the ratio that a confounder needs with both sides to explain a risk ratio.

    Parameters
    ----------
    ratio : float
        Risk ratio, positive; for an interval its end nearer to 1 (or 1 if it holds 1).

    Raises
    ------
    ValueError
        If the ratio is not positive.

    References
    ----------
    VanderWeele, T. J., & Ding, P. (2017). Sensitivity analysis in observational
    research: introducing the E-value. Annals of Internal Medicine 167, 268-274.
    """
    if not ratio > 0:
        raise ValueError(f"A ratio must be positive, not {ratio}.")
    above = max(ratio, 1 / ratio)
    return float(above + np.sqrt(above * (above - 1)))


def _columns(
    data: pd.DataFrame, outcome: str, treatment: str, controls: Sequence[str]
) -> dict[str, np.ndarray]:
    """Return the columns of a regression by term, each an array of shape (n, some)."""
    formula = f"{outcome} ~ " + " + ".join([treatment, *controls])
    left, right = patsy.dmatrices(formula, coded(formula, data))
    places = right.design_info.term_name_slices
    return {name: np.asarray(right)[:, place] for name, place in places.items()} | {
        outcome: np.asarray(left)
    }


def _benchmarks(
    columns: dict[str, np.ndarray], outcome: str, treatment: str, named: Sequence[str] | None
) -> list[str]:
    """Return the controls whose strength is borrowed; refuse unknown ones."""
    known = [name for name in columns if name not in ("Intercept", outcome, treatment)]
    unknown = sorted(set(named or ()) - set(known))
    if unknown:
        raise ValueError(f"No control {unknown}; there are {known}.")
    return known if named is None else list(named)


def _classical(
    columns: dict[str, np.ndarray], outcome: str, treatment: str
) -> tuple[float, float, float]:
    """Return t, degrees of freedom and classical error of the treatment's coefficient."""
    others = [name for name in columns if name not in (outcome, treatment)]
    y, d = (_left(columns, name, others)[:, 0] for name in (outcome, treatment))
    df = len(y) - sum(columns[name].shape[1] for name in [treatment, *others])
    slope = (d @ y) / (d @ d)
    error = np.sqrt(((y - slope * d) ** 2).sum() / df / (d @ d))
    return float(slope / error), float(df), float(error)


def _strength(
    columns: dict[str, np.ndarray], outcome: str, treatment: str, name: str
) -> tuple[float, float]:
    """Return the shares of treatment and outcome of a confounder like the control `name`."""
    others = [each for each in columns if each not in (outcome, treatment, name)]
    of_treatment = _share(columns, treatment, others, name)
    of_outcome = _share(columns, outcome, [treatment, *others], name)
    with_treatment = min(of_treatment / (1 - of_treatment), 0.99)
    overlap = min((of_treatment / (1 - of_treatment)) ** 2, 0.99)
    factor = (1 + np.sqrt(overlap)) / np.sqrt(1 - overlap)
    return with_treatment, min(factor**2 * of_outcome / (1 - of_outcome), 0.99)


def _share(columns: dict[str, np.ndarray], outcome: str, others: Sequence[str], name: str) -> float:
    """Return the share of what the others leave of the outcome that a term explains."""
    without = (_left(columns, outcome, others) ** 2).sum()
    left = (_left(columns, outcome, [*others, name]) ** 2).sum()
    return float(min(max(1 - left / without, 0.0), 0.99)) if without > 0 else 0.0


def _left(columns: dict[str, np.ndarray], name: str, others: Sequence[str]) -> np.ndarray:
    """Return what the other terms leave of a term's columns."""
    x = np.column_stack([columns[each] for each in others])
    return columns[name] - x @ np.linalg.lstsq(x, columns[name], rcond=None)[0]


def _bias(error: float, df: float, with_treatment: float, with_outcome: float) -> float:
    """Return the bias of a coefficient whose classical error is known."""
    return error * np.sqrt(df * with_outcome * with_treatment / (1 - with_treatment))


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
