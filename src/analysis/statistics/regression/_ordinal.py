"""Maximum likelihood of an ordered probit, by Newton's method on its exact derivatives.

statsmodels' OrderedModel finds the same maximum (a test says so) from numerical derivatives: more
than a second a fit where this takes a few milliseconds, and every fit is made once for each
imputation. So its results object gets this maximum.
"""

from __future__ import annotations

import numpy as np
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


def results(model: OrderedModel, weight: np.ndarray | None = None) -> OrderedResultsWrapper:
    """Fit a model and put the maximum into statsmodels' results object.

    With weights, shape (n,), it is the maximum of the weighted log-likelihood, and the covariance
    the robust one. Columns are standardised for the fit. The results hold slopes, the first
    threshold and the logs of the distances between thresholds; their covariance is by the delta
    method.
    """
    x, p = model.exog, model.k_vars
    middle, spread = x.mean(axis=0), x.std(axis=0)
    found, covariance, half, converged = _fit(model.endog, (x - middle) / spread, weight)
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
    own.by_answer = None if half is None else (half @ change.T, weight)
    own.hasconst, own.converged, own.method = 0, converged, "newton"
    return OrderedResultsWrapper(own)


def _fit(
    codes: np.ndarray, x: np.ndarray, weight: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, bool]:
    """Return slopes and then thresholds, their covariance, and whether the steps converged.

    Before the last stands what each weighted answer adds to the errors, shape (n, p + k - 1).

    Answers, shape (n,), are 0 to k - 1, each of which occurs; x, shape (n, p), has no constant.
    The covariance is the inverse of the observed information; with weights, which make a
    pseudo-likelihood, that times the variance of the weighted scores times it again.
    """
    thresholds = np.eye(codes.max() + 2)[:, 1:-1]  # below the first and above the last: none
    upper, lower = (np.hstack([-x, thresholds[codes + above]]) for above in (1, 0))
    own = np.ones(len(codes)) if weight is None else weight
    shares = np.cumsum(np.bincount(codes, own))[:-1] / own.sum()
    params, converged = np.r_[np.zeros(x.shape[1]), stats.norm.ppf(shares)], False
    value, scores, information = _derivatives(params, upper, lower, codes, own)
    for _ in range(MAX_STEPS):
        step = np.linalg.lstsq(information, scores.sum(axis=0), rcond=None)[0]
        is_last = np.abs(step).max() < 1e-8
        for _ in range(30):  # halved until the likelihood does not fall
            found = _derivatives(params + step, upper, lower, codes, own)
            if found[0] >= value - 1e-9:
                break
            step = step / 2
        params, (value, scores, information) = params + step, found
        if is_last:
            converged = bool(np.linalg.cond(information) < WORST_CONDITION)
            break
    covariance, half = np.linalg.pinv(information), None
    if weight is not None:
        n = len(codes)
        half = np.sqrt(n / (n - 1)) * scores @ covariance
        covariance = half.T @ half
    return params, covariance, half, converged


def _derivatives(
    params: np.ndarray, upper: np.ndarray, lower: np.ndarray, codes: np.ndarray, own: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return log-likelihood, each answer's score and the observed information, all weighted.

    `upper` and `lower` say what the limits of each answer are made of, shape (n, p + k - 1).
    """
    high = np.where(codes < codes.max(), upper @ params, np.inf)
    low = np.where(codes > 0, lower @ params, -np.inf)
    chance = np.maximum(stats.norm.cdf(high) - stats.norm.cdf(low), TINY)
    high, low = np.clip(high, -40, 40), np.clip(low, -40, 40)
    density_high, density_low = stats.norm.pdf(high) / chance, stats.norm.pdf(low) / chance
    scores = density_high[:, None] * upper - density_low[:, None] * lower
    half = np.sqrt(own)[:, None] * scores
    information = half.T @ half
    information += (upper.T * (own * high * density_high)) @ upper
    information -= (lower.T * (own * low * density_low)) @ lower
    return float(own @ np.log(chance)), own[:, None] * scores, information
