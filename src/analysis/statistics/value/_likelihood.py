"""Likelihoods of purchases and amounts, and their maximum.

Formulas are those of the papers that `lifetime_value` cites; "bg" and "mbg" differ only in the
number of chances to leave, so one likelihood serves both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

BOUND = 9.0
"""Parameters stay within exp(-9) and exp(9): without bounds, sparse data overflow."""


@dataclass(frozen=True)
class Maximum:
    """Logs of the parameters, their covariance, the log-likelihood, and whether it is one."""

    logs: np.ndarray
    covariance: np.ndarray
    log_likelihood: float
    converged: bool


def buying_likelihood(
    logs: np.ndarray, x: np.ndarray, recency: np.ndarray, age: np.ndarray, kind: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return log-likelihoods (n,) and their gradients by the logs of r, alpha, a, b (4, n)."""
    r, alpha, a, b = np.exp(logs)
    chances = x + (kind == "mbg")  # purchases after which the customer could have left
    log_odds = log_odds_gone(logs, x, recency, age, kind)
    gone, now, then = special.expit(log_odds), alpha + age, alpha + recency
    value = (
        special.gammaln(r + x) - special.gammaln(r) + r * logs[1] - (r + x) * np.log(now)
        + special.betaln(a, b + chances) - special.betaln(a, b) + np.logaddexp(0, log_odds)
    )  # fmt: skip
    pair = special.digamma(a + b) - special.digamma(a + b + chances)
    gradient = (
        special.digamma(r + x) - special.digamma(r) + logs[1] - np.log(now)
        + gone * np.log(now / then),
        r / alpha - (r + x) / now + gone * (r + x) * (1 / now - 1 / then),
        pair + gone / a,
        pair + special.digamma(b + chances) - special.digamma(b)
        - gone / np.where(chances > 0, b + chances - 1, 1),
    )  # fmt: skip
    return value, np.array(gradient) * np.array([[r], [alpha], [a], [b]])


def log_odds_gone(
    logs: np.ndarray, x: np.ndarray, recency: np.ndarray, age: np.ndarray, kind: str
) -> np.ndarray:
    """Return the log odds (n,) of having left after the last purchase, given the history."""
    r, alpha, a, b = np.exp(logs)
    chances = x + (kind == "mbg")
    left = np.log(a) - np.log(np.where(chances > 0, b + chances - 1, 1))
    silence = (r + x) * np.log((alpha + age) / (alpha + recency))
    return np.where(chances > 0, left + silence, -np.inf)


def spend_likelihood(
    logs: np.ndarray, x: np.ndarray, amount: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return log-likelihoods (n,) and their gradients by the logs of p, q, v (3, n)."""
    p, q, v = np.exp(logs)
    shape, total, log_sum = p * x, x * amount, np.log(v + x * amount)
    value = (
        -special.betaln(shape, q) + q * logs[2] + shape * np.log(total)
        - np.log(amount) - (shape + q) * log_sum
    )  # fmt: skip
    both = special.digamma(shape + q)
    gradient = (
        x * (both - special.digamma(shape) + np.log(total) - log_sum),
        both - special.digamma(q) + logs[2] - log_sum,
        q / v - (shape + q) / (v + total),
    )
    return value, np.array(gradient) * np.array([[p], [q], [v]])


def maximise(log_likelihood: Callable, starts: list[tuple[float, ...]], n: int) -> Maximum:
    """Maximise a function of the logs that returns its value and gradient, for n customers.

    Later starts are tried only if the ones before end at a bound or on a slope.
    """

    def loss(logs: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = log_likelihood(logs)
        return -value / n, -gradient / n

    best = None
    for start in starts:
        bounds, options = [(-BOUND, BOUND)] * len(start), {"ftol": 1e-14, "gtol": 1e-7}
        found = optimize.minimize(loss, start, jac=True, bounds=bounds, options=options)
        best = found if best is None or found.fun < best.fun else best
        inside = np.abs(best.x).max() < BOUND - 1e-3
        if inside and np.abs(best.jac).max() < 1e-4:
            break
    covariance = _inverse_hessian(lambda logs: loss(logs)[1] * n, best.x)
    converged = inside and np.abs(best.jac).max() < 1e-4 and np.isfinite(covariance).all()
    return Maximum(best.x, covariance, float(-best.fun * n), bool(converged))


def _inverse_hessian(gradient: Callable, logs: np.ndarray, step: float = 1e-4) -> np.ndarray:
    """Return the covariance by differences of the gradient; missing if it is not one."""
    steps = step * np.eye(len(logs))
    hessian = np.array([gradient(logs + each) - gradient(logs - each) for each in steps])
    hessian = (hessian + hessian.T) / (4 * step)
    if np.linalg.eigvalsh(hessian).min() <= 0:
        return np.full_like(hessian, np.nan)
    return np.linalg.inv(hessian)
