"""Doubly robust effects of a treatment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import statsmodels.api as sm
from numpy.typing import ArrayLike

from analysis.estimates import Estimate, from_se
from analysis.models import FAMILIES, Family, check_family

TRUNCATION = 0.01
MAX_LEVERAGE = 0.99
MIN_ARM = 20
"""Customers that each arm of `aipw` needs."""


@dataclass(frozen=True)
class AIPW:
    """An average treatment effect by augmented inverse-probability weighting.

    Attributes
    ----------
    effect : Estimate
        Mean outcome if all were treated less mean outcome if none were.
    lowest_propensity, highest_propensity : float
        Estimated probabilities of treatment, before truncation.
    share_truncated : float
        Customers whose probability was moved to 0.01 or 0.99.
    propensity : ndarray, shape (n,)
        Each customer's estimated probability of treatment, before truncation.
    effective_treated, effective_control : float
        Sizes of unweighted samples that would be as informative as the weighted arms.
    balance : DataFrame
        Per covariate: mean difference in standard deviations, smd_before and smd_after
        weighting; under 0.1 in size is usually called balanced.
    """

    effect: Estimate
    lowest_propensity: float
    highest_propensity: float
    share_truncated: float
    propensity: np.ndarray
    effective_treated: float
    effective_control: float
    balance: pd.DataFrame


def aipw(
    outcome: ArrayLike,
    treated: ArrayLike,
    propensity_covariates: pd.DataFrame,
    outcome_covariates: pd.DataFrame | None = None,
    family: Family = "gaussian",
) -> AIPW:
    """Estimate an average treatment effect, right if either of two models is.

    A logit gives the probability of treatment, truncated to 0.01-0.99; a regression in
    each arm gives the outcome. Neither sees what was not measured. The standard error
    divides each residual by 1 less its leverage, since a regression shrinks the residuals
    that it was fitted to: without that, intervals cover 91 instead of 95 % at n = 650.

    Parameters
    ----------
    outcome, treated : array_like, shape (n,)
        `treated` is 0 or 1. For an effect as a share of the overall mean, divide the
        outcome by its mean first.
    propensity_covariates, outcome_covariates : DataFrame, shape (n, k)
        Numbers known before treatment; the second is the first if not given.
    family : {"gaussian", "binomial", "poisson"}
        Of the outcome; "binomial" for 0 or 1, the effect being a difference of shares.

    Raises
    ------
    ValueError
        If a value is missing, lengths differ, `treated` is not 0 or 1, an arm has
        fewer than `MIN_ARM` customers, or covariates are collinear.

    References
    ----------
    Robins, J. M., Rotnitzky, A., & Zhao, L. P. (1994). Estimation of regression
    coefficients when some regressors are not always observed. JASA 89, 846-866.
    """
    check_family(family)
    covariates = propensity_covariates.astype(float)
    others = covariates if outcome_covariates is None else outcome_covariates.astype(float)
    y, arm = np.asarray(outcome, float), np.asarray(treated, float)
    _check_arms(y, arm, covariates, others)
    fitted, _ = _predict(arm, covariates, covariates, "binomial")
    score = np.clip(fitted, TRUNCATION, 1 - TRUNCATION)
    weights = np.where(arm == 1, 1 / score, 1 / (1 - score))
    none, of_none = _predict(y[arm == 0], others[arm == 0], others, family)
    one, of_one = _predict(y[arm == 1], others[arm == 1], others, family)
    leverage = np.empty(len(y))
    leverage[arm == 0], leverage[arm == 1] = of_none, of_one
    correction = np.where(arm == 1, weights, -weights) * (y - np.where(arm == 1, one, none))
    effect = (one - none + correction).mean()
    influence = one - none + correction / (1 - leverage)
    se = influence.std(ddof=1) / np.sqrt(len(y))
    method = f"doubly robust (AIPW), {family} outcome, influence-function error"
    return AIPW(
        effect=from_se(effect, se, len(y), method=method),
        lowest_propensity=float(fitted.min()),
        highest_propensity=float(fitted.max()),
        share_truncated=float(np.mean(fitted != score)),
        propensity=fitted,
        effective_treated=_effective_size(weights[arm == 1]),
        effective_control=_effective_size(weights[arm == 0]),
        balance=_balance(arm, covariates, weights),
    )


def independent(covariates: pd.DataFrame, treated: ArrayLike) -> pd.DataFrame:
    """Return the covariates that add something to the earlier ones, in each arm.

    Parameters
    ----------
    covariates : DataFrame, shape (n, k)
        Numbers; a column that the columns before it determine in one of the arms is left out.
    treated : array_like, shape (n,)
        0 or 1.
    """
    arm, kept = np.asarray(treated, float), []
    for name in covariates:
        together = sm.add_constant(covariates[[*kept, name]], has_constant="add").to_numpy(float)
        ranks = [np.linalg.matrix_rank(together[arm == side]) for side in (0, 1)]
        if min(ranks) == together.shape[1]:
            kept.append(name)
    return covariates[kept]


def _predict(
    y: np.ndarray, seen: pd.DataFrame, everybody: pd.DataFrame, family: str
) -> tuple[np.ndarray, np.ndarray]:
    """Fit y on some customers' covariates; return predictions for all, leverage of the seen."""
    design = sm.add_constant(seen, has_constant="add")
    fit = sm.GLM(y, design, family=FAMILIES[family]()).fit()
    predicted = fit.predict(sm.add_constant(everybody, has_constant="add"))
    weighted = np.sqrt(fit.family.weights(fit.mu))[:, None] * fit.model.exog
    leverage = (np.linalg.qr(weighted).Q ** 2).sum(axis=1)
    return np.asarray(predicted), np.clip(leverage, 0, MAX_LEVERAGE)


def _balance(arm: np.ndarray, covariates: pd.DataFrame, weights: np.ndarray) -> pd.DataFrame:
    """Return standardised mean differences before and after weighting, by covariate."""
    x, one, none = covariates.to_numpy(), arm == 1, arm == 0
    spread = np.sqrt((x[one].var(axis=0, ddof=1) + x[none].var(axis=0, ddof=1)) / 2)
    before = x[one].mean(axis=0) - x[none].mean(axis=0)
    averages = [np.average(x[i], axis=0, weights=weights[i]) for i in (one, none)]
    table = {"smd_before": before / spread, "smd_after": (averages[0] - averages[1]) / spread}
    return pd.DataFrame(table, index=pd.Index(covariates.columns, name="covariate"))


def _effective_size(weights: np.ndarray) -> float:
    """Return Kish's effective sample size."""
    return float(weights.sum() ** 2 / (weights**2).sum())


def _check_arms(
    y: np.ndarray, arm: np.ndarray, covariates: pd.DataFrame, others: pd.DataFrame
) -> None:
    """Refuse what `aipw` cannot use."""
    if len({len(y), len(arm), len(covariates), len(others)}) > 1:
        raise ValueError("Outcome, treatment and covariates must have the same length.")
    together = np.column_stack([y, arm, covariates, others])
    if not np.isfinite(together).all():
        raise ValueError("Outcome, treatment and covariates must be known for everybody.")
    if not np.isin(arm, [0, 1]).all():
        raise ValueError("Treatment must be 0 or 1.")
    if min(arm.sum(), (1 - arm).sum()) < MIN_ARM:
        raise ValueError(
            f"Each arm needs {MIN_ARM} customers; there are {int(arm.sum())} treated and "
            f"{int((1 - arm).sum())} others."
        )
    for table in (covariates, others):
        for rows in (table, table[arm == 1], table[arm == 0]):
            if np.linalg.matrix_rank(sm.add_constant(rows, has_constant="add")) <= table.shape[1]:
                raise ValueError("Covariates are collinear or constant within an arm.")
