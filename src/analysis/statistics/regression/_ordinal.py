"""Maximum likelihood of an ordered outcome, by Newton's method on its exact derivatives.

statsmodels' OrderedModel finds the same maximum (a test says so) from numerical derivatives: more
than a second a fit where this takes a few milliseconds, and every fit is made once for each
imputation. So its results object gets this maximum.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.base.model import LikelihoodModelResults
from statsmodels.miscmodels.ordinal_model import (
    OrderedModel,
    OrderedResults,
    OrderedResultsWrapper,
)

MAX_STEPS = 100
WORST_CONDITION = 1e10
"""Of the information, above which some slope is not determined: separated answers, say."""
TINY = 1e-300


@dataclass(frozen=True)
class Link:
    """A distribution of the opinion behind the answer: its function, density and slope of it."""

    cdf: Callable[[np.ndarray], np.ndarray]
    pdf: Callable[[np.ndarray], np.ndarray]
    slope: Callable[[np.ndarray], np.ndarray]


def _logistic_slope(value: np.ndarray) -> np.ndarray:
    """Return the derivative of the logistic density."""
    return stats.logistic.pdf(value) * (1 - 2 * stats.logistic.cdf(value))


LINKS = {
    "probit": Link(stats.norm.cdf, stats.norm.pdf, lambda value: -value * stats.norm.pdf(value)),
    "logit": Link(stats.logistic.cdf, stats.logistic.pdf, _logistic_slope),
}


def model(formula: str, data: pd.DataFrame, link: str) -> OrderedModel:
    """Return the model of a formula, not fitted."""
    return OrderedModel.from_formula(formula, data, distr=link, hasconst=False)


def results(model: OrderedModel, link: str) -> OrderedResultsWrapper:
    """Fit a model and put the maximum into statsmodels' results object.

    Columns are standardised for the fit. The results hold slopes, the first threshold and the
    logs of the distances between thresholds; their covariance is by the delta method.
    """
    x, p = model.exog, model.k_vars
    middle, spread = x.mean(axis=0), x.std(axis=0)
    found, covariance, _, converged = fit(model.endog, (x - middle) / spread, link)
    back = np.diag(np.r_[1 / spread, np.ones(model.k_levels - 1)])
    back[p:, :p] = middle / spread
    found = back @ found
    distances = np.diff(found[p:])
    logs = np.eye(len(found))
    for j, distance in enumerate(distances, p + 1):
        logs[j, j], logs[j, j - 1] = 1 / distance, -1 / distance
    change = logs @ back
    params = np.r_[found[: p + 1], np.log(distances)]
    fitted = LikelihoodModelResults(model, params, change @ covariance @ change.T)
    fitted.mle_retvals, fitted.mle_settings = {"converged": converged}, {"optimizer": "newton"}
    own = OrderedResults(model, fitted)
    own.hasconst, own.converged, own.method = 0, converged, "newton"
    return OrderedResultsWrapper(own)


def fit(codes: np.ndarray, x: np.ndarray, link: str, weights: np.ndarray | None = None) -> tuple:
    """Fit slopes and thresholds.

    Parameters
    ----------
    codes : ndarray of int, shape (n,)
        Outcome from 0 to k - 1, each of which occurs.
    x : ndarray, shape (n, p)
        Without a constant.
    link : {"probit", "logit"}
    weights : ndarray, shape (n,), optional
        How often each row occurs.

    Returns
    -------
    params : ndarray, shape (p + k - 1,)
        Slopes, then thresholds.
    covariance : ndarray
        Inverse of the observed information.
    log_likelihood : float
    converged : bool
    """
    weights = np.ones(len(codes)) if weights is None else weights
    upper, lower = _designs(codes, x)
    shares = np.cumsum(np.bincount(codes, weights))[:-1] / weights.sum()
    start = stats.norm.ppf(shares) if link == "probit" else np.log(shares / (1 - shares))
    params, converged = np.concatenate([np.zeros(x.shape[1]), start]), False
    value, gradient, information = _derivatives(params, upper, lower, codes, LINKS[link], weights)
    for _ in range(MAX_STEPS):
        step = np.linalg.lstsq(information, gradient, rcond=None)[0]
        params, found = _improve(params, step, value, upper, lower, codes, LINKS[link], weights)
        value, gradient, information = found
        if np.abs(step).max() < 1e-8:
            converged = np.linalg.cond(information) < WORST_CONDITION
            break
    return params, np.linalg.pinv(information), float(value), bool(converged)


def _designs(codes: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what the upper and the lower limit of each answer are made of."""
    thresholds = np.eye(codes.max() + 2)[:, 1:-1]  # below the first and above the last: none
    return np.hstack([-x, thresholds[codes + 1]]), np.hstack([-x, thresholds[codes]])


def _derivatives(
    params: np.ndarray, upper: np.ndarray, lower: np.ndarray, codes: np.ndarray, link: Link,
    weights: np.ndarray,
) -> tuple[float, np.ndarray, np.ndarray]:  # fmt: skip
    """Return log-likelihood, its gradient and the observed information."""
    high = np.where(codes < codes.max(), upper @ params, np.inf)
    low = np.where(codes > 0, lower @ params, -np.inf)
    chance = np.maximum(link.cdf(high) - link.cdf(low), TINY)
    high, low = np.clip(high, -40, 40), np.clip(low, -40, 40)
    scores = (link.pdf(high) / chance)[:, None] * upper - (link.pdf(low) / chance)[:, None] * lower
    bend_high, bend_low = link.slope(high) / chance, link.slope(low) / chance
    information = (scores.T * weights) @ scores
    information -= (upper.T * (weights * bend_high)) @ upper
    information += (lower.T * (weights * bend_low)) @ lower
    return float(weights @ np.log(chance)), scores.T @ weights, information


def _improve(
    params: np.ndarray, step: np.ndarray, value: float, *data: np.ndarray
) -> tuple[np.ndarray, tuple]:
    """Take a Newton step, halved until the likelihood does not fall."""
    for _ in range(30):
        found = _derivatives(params + step, *data)
        if found[0] >= value - 1e-9:
            break
        step = step / 2
    return params + step, found
