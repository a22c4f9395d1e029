"""Regressions with errors that hold, and the effects that are read from them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import patsy
import statsmodels.api as sm
import statsmodels.formula.api as smf

from analysis import _ordinal
from analysis.estimates import Estimate, Scale, from_se

Family = Literal["gaussian", "poisson", "binomial"]

FAMILIES = {
    "gaussian": sm.families.Gaussian,
    "poisson": sm.families.Poisson,
    "binomial": sm.families.Binomial,
}


@dataclass(frozen=True)
class Fit:
    """A fitted regression.

    Attributes
    ----------
    params : Series, shape (k,)
        Coefficients, by name.
    covariance : DataFrame, shape (k, k)
        HC3, or with groups CR3, the jackknife over groups.
    df : float
        Degrees of freedom of intervals: groups less 1, or rows less k.
    n_obs : int
        Rows used, those with every value known.
    scale : {"identity", "log"}
        "log" for Poisson and binomial: exponentials are ratios of means or of odds.
    converged : bool
    method : str
    """

    params: pd.Series
    covariance: pd.DataFrame
    df: float
    n_obs: int
    scale: Scale
    converged: bool
    method: str


def robust_glm(
    formula: str,
    data: pd.DataFrame,
    *,
    family: Family,
    groups: str | None = None,
    exposure: str | None = None,
) -> Fit:
    """Fit a regression with its natural link and robust errors.

    Without groups, every row is a group of its own: HC3. With groups, CR3. These are the
    "bias_reduced" errors of a GEE with independent rows, from k x k matrices instead of
    group x group ones, which 10,000 rows in a group would not survive. The Poisson family
    needs no counts: for any outcome of zero or more it is pseudo-maximum likelihood.

    Parameters
    ----------
    formula : str
        Such as "visits ~ top_box + tenure".
    data : DataFrame
        Rows with a missing value are left out.
    family : {"gaussian", "poisson", "binomial"}
    groups, exposure : str, optional
        Columns: what errors may be correlated within; time under observation.

    Raises
    ------
    ValueError
        If the family is unknown, an exposure is not positive, an outcome is impossible,
        columns are collinear, there is one group only, or one row or group alone decides
        a coefficient.

    References
    ----------
    Mancl, L. A., & DeRouen, T. A. (2001). A covariance estimator for GEE with improved
    small-sample properties. Biometrics 57, 126-134.
    Santos Silva, J. M. C., & Tenreyro, S. (2006). The log of gravity. Review of Economics
    and Statistics 88, 641-658.
    """
    check_family(family)
    known = [name for name in (groups, exposure) if name is not None]
    data = data.dropna(subset=known).reset_index(drop=True)
    if exposure is not None and (data[exposure] <= 0).any():
        raise ValueError(f'Exposure "{exposure}" must be positive in every row.')
    times = {} if exposure is None else {"exposure": data[exposure]}
    model = smf.glm(formula, coded(formula, data), family=FAMILIES[family](), **times)
    _check_design(model, family)
    fit = model.fit()
    rows = model.data.row_labels
    codes = None if groups is None else pd.factorize(data.loc[rows, groups])[0]
    covariance, df = _robust_covariance(model.exog, model.endog, fit.mu, family, codes)
    names = model.exog_names
    error = f"CR3 by {groups} ({codes.max() + 1} groups)" if groups else "HC3"
    return Fit(
        params=pd.Series(np.asarray(fit.params), names),
        covariance=pd.DataFrame(covariance, names, names),
        df=float(df),
        n_obs=len(model.endog),
        scale="identity" if family == "gaussian" else "log",
        converged=bool(fit.converged),
        method=f"{family} regression, {error}",
    )


def poisson_rate(
    formula: str, data: pd.DataFrame, groups: str | None = None, exposure: str | None = None
) -> Fit:
    """Fit rates or other outcomes of zero or more; contrasts are ratios. See `robust_glm`."""
    return robust_glm(formula, data, family="poisson", groups=groups, exposure=exposure)


def ols(formula: str, data: pd.DataFrame, groups: str | None = None) -> Fit:
    """Fit means by least squares; contrasts are differences. See `robust_glm`.

    For differences as a share of the overall mean, divide the outcome by its mean first.
    """
    return robust_glm(formula, data, family="gaussian", groups=groups)


def ordered(formula: str, data: pd.DataFrame, link: Literal["probit", "logit"] = "probit") -> Fit:
    """Fit an ordered outcome, such as one item from 1 to 10.

    The slopes are those of the opinion behind the answer, in its standard deviations
    (probit) or log odds (logit): a scale whose top is crowded does not bend them, as it
    bends a line through the answers.

    Parameters
    ----------
    formula : str
        Such as "satisfaction_1 ~ surplus + shortfall".
    data : DataFrame
        Rows with a missing value are left out.
    link : {"probit", "logit"}

    Returns
    -------
    Fit
        Slopes without the thresholds; errors from the observed information, normal. It has
        not converged where a category's answers all lie at one end of the scale.

    Raises
    ------
    ValueError
        If the outcome has fewer than 3 values, or columns are collinear.

    References
    ----------
    McCullagh, P. (1980). Regression models for ordinal data. JRSS B 42, 109-142.
    """
    left, x = patsy.dmatrices(formula, coded(formula, data), return_type="dataframe")
    outcome, x = left.iloc[:, 0], x.drop(columns="Intercept")
    if outcome.nunique() < 3:
        raise ValueError(f'"{outcome.name}" needs 3 different values for an ordered model.')
    if np.linalg.matrix_rank(x.assign(constant=1.0)) <= x.shape[1]:
        raise ValueError(f"Columns {list(x)} are collinear; leave one out.")
    codes = np.unique(outcome, return_inverse=True)[1]
    params, covariance, _, converged = _ordinal.fit(codes, x.to_numpy(), link)
    names, p = list(x.columns), x.shape[1]
    return Fit(
        params=pd.Series(params[:p], names),
        covariance=pd.DataFrame(covariance[:p, :p], names, names),
        df=np.inf,
        n_obs=len(x),
        scale="identity",
        converged=converged,
        method=f"ordered {link} model",
    )


def contrast(
    fit: Fit,
    weights: str | Mapping[str, float],
    *,
    scale: Scale | None = None,
    df: float | None = None,
) -> Estimate:
    """Read an effect from a fit.

    Parameters
    ----------
    fit : Fit
    weights : str or mapping
        A coefficient's name, or weights by name: {"box[T.5]": 1, "box[T.4]": -1}.
    scale : {"identity", "log"}, optional
        "log" gives the exponential; by default as the fit says.
    df : float, optional
        Degrees of freedom, if the smallest group compared has fewer than the fit.

    Raises
    ------
    ValueError
        If a name is not a coefficient.
    """
    weights = {weights: 1.0} if isinstance(weights, str) else dict(weights)
    unknown = sorted(set(weights) - set(fit.params.index))
    if unknown:
        raise ValueError(f"No coefficient {unknown}; there are {list(fit.params.index)}.")
    names, values = list(weights), np.array(list(weights.values()), float)
    middle = float(values @ fit.params[names].to_numpy())
    se = float(np.sqrt(values @ fit.covariance.loc[names, names].to_numpy() @ values))
    scale = scale or fit.scale
    value = np.exp(middle) if scale == "log" else middle
    return from_se(value, se, fit.n_obs, scale=scale, df=df or fit.df, method=fit.method)


def cross_validated(
    formulas: Mapping[str, str], data: pd.DataFrame, folds: int = 10, seed: int = 0
) -> pd.Series:
    """Return how well linear models foretell the outcome of rows that they have not seen.

    Parameters
    ----------
    formulas : mapping of str to str
        By the model's name; all with the same outcome.
    data : DataFrame
        Rows without missing values in any formula.
    folds, seed : int
        Parts that the rows are split into, and the seed of the split.

    Returns
    -------
    Series
        R2 on unseen rows, by model: 1 less the squared errors over those about the mean.
    """
    part = np.random.default_rng(seed).permutation(len(data)) % folds
    found = {}
    for name, formula in formulas.items():
        left, right = patsy.dmatrices(formula, data)
        y, x = np.asarray(left)[:, 0], np.asarray(right)
        missed = np.empty(len(y))
        for k in range(folds):
            solution = np.linalg.lstsq(x[part != k], y[part != k], rcond=None)[0]
            missed[part == k] = y[part == k] - x[part == k] @ solution
        found[name] = 1 - (missed**2).sum() / ((y - y.mean()) ** 2).sum()
    return pd.Series(found, name="r2")


def coded(formula: str, data: pd.DataFrame) -> pd.DataFrame:
    """Return the columns that a formula names, text as categories.

    The design is the same; patsy looks at text value by value, at categories in one go. With
    names that patsy must quote, all columns are returned as they are.
    """
    if "Q(" in formula:
        return data
    names = [name for name in data if re.search(rf"\b{re.escape(str(name))}\b", formula)]
    words = [name for name in names if not pd.api.types.is_numeric_dtype(data[name])]
    return data[names].astype(dict.fromkeys(words, "category"))


def check_family(family: str) -> None:
    """Refuse an unknown family."""
    if family not in FAMILIES:
        raise ValueError(f'Unknown family "{family}"; known are {", ".join(FAMILIES)}.')


def _robust_covariance(
    x: np.ndarray, y: np.ndarray, mean: np.ndarray, family: str, codes: np.ndarray | None
) -> tuple[np.ndarray, int]:
    """Return the HC3 or, by groups, the CR3 covariance and its degrees of freedom."""
    weight, residual = FAMILIES[family]().variance(mean), y - mean
    bread = np.linalg.inv((x.T * weight) @ x)
    if codes is None:
        room = 1 - weight * np.einsum("ij,jk,ik->i", x, bread, x)
        _check_room(room)
        scores, correction, df = x * (residual / room)[:, None], 1.0, len(x) - x.shape[1]
    else:
        size = codes.max() + 1
        if size < 2:
            raise ValueError("Errors by group need at least 2 groups.")
        scores = _group_scores(x, weight, residual, bread, codes)
        correction, df = (size - 1) / size, size - 1
    half = scores @ bread
    return correction * half.T @ half, df


def _group_scores(
    x: np.ndarray, weight: np.ndarray, residual: np.ndarray, bread: np.ndarray, codes: np.ndarray
) -> np.ndarray:
    """Return each group's score, shape (groups, k), grown by the leverage of the group."""
    order = np.argsort(codes, kind="stable")
    rows = np.split(order, np.cumsum(np.bincount(codes))[:-1])
    identity = np.eye(x.shape[1])
    room = np.array([identity - (x[i].T * weight[i]) @ x[i] @ bread for i in rows])
    _check_room(np.linalg.det(room))
    raw = np.array([x[i].T @ residual[i] for i in rows])
    return np.linalg.solve(room, raw[..., None])[..., 0]


def _check_design(model, family: str) -> None:
    """Refuse outcomes that the family cannot have, and collinear columns."""
    y = np.asarray(model.endog)
    highest = 1 if family == "binomial" else np.inf
    if family != "gaussian" and (y.min() < 0 or y.max() > highest):
        raise ValueError(f"A {family} outcome must lie between 0 and {highest}.")
    if np.linalg.matrix_rank(model.exog) < model.exog.shape[1]:
        raise ValueError(f"Columns {model.exog_names} are collinear; leave one out.")


def _check_room(room: np.ndarray) -> None:
    """Refuse rows or groups without which a coefficient could not be estimated."""
    if room.min() < 1e-8:
        raise ValueError(
            "One row or group alone decides a coefficient, so its error cannot be told; "
            "merge rare categories."
        )
