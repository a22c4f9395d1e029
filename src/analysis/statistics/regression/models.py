"""Regressions with errors that hold, and the effects that are read from them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import numpy as np
import pandas as pd
import patsy
import statsmodels.formula.api as smf
from statsmodels.tools.sm_exceptions import MissingDataError

from analysis.statistics.estimate import Estimate, NotEstimable, Scale, from_se
from analysis.statistics.regression import _glm, _ordinal
from analysis.statistics.regression._glm import FAMILIES

Family = Literal["gaussian", "poisson", "binomial"]

LEAST_IN_GROUP = 3
"""Events that each group needs whose ratio is read: of two or fewer it is mostly chance."""
_EXACT = 1e-10
"""Share of an effect that its standard error exceeds, unless the outcome is a sum of columns."""
_ROUNDING = 1e-13
"""Share of the outcome's size below which an error comes from rounding alone."""


@dataclass(frozen=True)
class Fit:
    """A fitted regression.

    Attributes
    ----------
    params : Series, shape (k,)
        Coefficients, by name.
    covariance : DataFrame, shape (k, k)
        HC3, or with groups the jackknife over groups.
    df : float
        Degrees of freedom of intervals: groups less 1, or rows less k.
    n_obs : int
        Rows used, those with every value known.
    scale : {"identity", "log"}
        "log" for Poisson and binomial: exponentials are ratios of means or of odds.
    converged : bool
    method : str
    sizes : Series, optional
        Coefficients that would move the outcome (its log, for ratios) by its own size.
    events : DataFrame, optional
        For ratios, by coefficient of a column of 0 and 1: its term, and the events among the
        rows that have it (`inside`) and among those with none of the term (`outside`).
    """

    params: pd.Series
    covariance: pd.DataFrame
    df: float
    n_obs: int
    scale: Scale
    converged: bool
    method: str
    sizes: pd.Series | None = None
    events: pd.DataFrame | None = None


def robust_glm(
    formula: str,
    data: pd.DataFrame,
    *,
    family: Family,
    groups: str | None = None,
    exposure: str | None = None,
) -> Fit:
    """Fit a regression with its natural link and robust errors.

    Without groups, every row is a group of its own: HC3, the "bias_reduced" variance of a
    GEE with independent rows. With groups it is that variance times (G - 1) / G for G groups:
    for least squares exactly the jackknife that leaves out one group at a time (Bell and
    McCaffrey's CR3 is without the factor), else its first step. It is computed from k x k
    matrices instead of group x group ones, which 10,000 rows in a group would not survive.
    The Poisson family needs no counts: for any outcome of zero or more it is pseudo-maximum
    likelihood.

    Parameters
    ----------
    formula : str
        Such as "visits ~ top_box + tenure".
    data : DataFrame
        Rows with a missing value are left out. The outcome is numbers, or true and false.
    family : {"gaussian", "poisson", "binomial"}
    groups, exposure : str, optional
        Columns: what errors may be correlated within; time under observation.

    Raises
    ------
    ValueError
        If the family is unknown, an exposure is not positive, or the outcome is text or
        impossible.
    NotEstimable
        If a value is infinite, no row is left, the outcome is the same in every row, columns
        are collinear, there are too few events or none in a group (see `_glm.fit`), there is
        one group only, or one row or group alone decides a coefficient.

    References
    ----------
    Bell, R. M., & McCaffrey, D. F. (2002). Bias reduction in standard errors for linear
    regression with multi-stage samples. Survey Methodology 28, 169-181.
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
    time = None if exposure is None else _floats(data[exposure])
    used = coded(formula, data)
    times = {} if time is None else {"exposure": time[used.index]}
    model = _model(formula, used, family, times)
    _check_design(model, family)
    fit = _glm.fit(model, family, f'"{model.endog_names}"')
    rows = model.data.row_labels
    codes = None if groups is None else pd.factorize(data.loc[rows, groups])[0]
    covariance, df = _robust_covariance(model.exog, model.endog, fit.mu, family, codes)
    names = model.exog_names
    is_ratio = family != "gaussian"
    error = f"jackknife by {groups} ({codes.max() + 1} groups)" if groups else "HC3"
    return Fit(
        params=pd.Series(np.asarray(fit.params), names),
        covariance=pd.DataFrame(covariance, names, names),
        df=float(df),
        n_obs=len(model.endog),
        scale="log" if is_ratio else "identity",
        converged=bool(fit.converged),
        method=f"{family} regression, {error}",
        sizes=_sizes(model, family),
        events=_glm.events_by_group(model.exog, model.endog, names, family) if is_ratio else None,
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
        not converged where a category's answers all lie at one end of the scale; `contrast`
        then refuses.

    Raises
    ------
    ValueError
        If the outcome is text.
    NotEstimable
        If the outcome has fewer than 3 values, columns are collinear, or the answers differ
        too little: n less the sum of cubed category sizes over n squared, Harrell's effective
        number, must be 2 for each slope.

    References
    ----------
    Harrell, F. E. (2015). Regression Modeling Strategies, 2nd ed., section 4.4. Springer.
    McCullagh, P. (1980). Regression models for ordinal data. JRSS B 42, 109-142.
    """
    left, x = patsy.dmatrices(formula, coded(formula, data), return_type="dataframe")
    outcome, x = left.iloc[:, 0], x.drop(columns="Intercept")
    if outcome.nunique() < 3:
        raise NotEstimable(
            f'"{outcome.name}" needs 3 different values for an ordered model; the {len(x):,} rows '
            f"have {outcome.nunique()}."
        )
    if np.linalg.matrix_rank(_standard(x.assign(constant=1.0))) <= x.shape[1]:
        raise NotEstimable(f"Columns {list(x)} are collinear; leave one out.")
    codes = np.unique(outcome, return_inverse=True)[1]
    _check_answers(np.bincount(codes), x.shape[1], outcome.name)
    scale = x.std(ddof=0).to_numpy()
    params, covariance, _, converged = _ordinal.fit(
        codes, ((x - x.mean()) / scale).to_numpy(), link
    )
    names, p = list(x.columns), x.shape[1]
    return Fit(
        params=pd.Series(params[:p] / scale, names),
        covariance=pd.DataFrame(covariance[:p, :p] / np.outer(scale, scale), names, names),
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
    NotEstimable
        If the fit has not converged, the effect has no finite standard error above 0 (or above
        rounding), or one of the groups that it compares has fewer than `LEAST_IN_GROUP` events:
        rows with an outcome above 0, of a binomial one the rarer kind.
    """
    weights = {weights: 1.0} if isinstance(weights, str) else dict(weights)
    unknown = sorted(set(weights) - set(fit.params.index))
    if unknown:
        raise ValueError(f"No coefficient {unknown}; there are {list(fit.params.index)}.")
    names, values = list(weights), np.array(list(weights.values()), float)
    middle = float(values @ fit.params[names].to_numpy())
    se = float(np.sqrt(values @ fit.covariance.loc[names, names].to_numpy() @ values))
    scale = scale or fit.scale
    with np.errstate(over="ignore"):
        value = np.exp(middle) if scale == "log" else middle
    if not fit.converged:
        raise NotEstimable(f"The {fit.method} of {fit.n_obs:,} rows did not converge.")
    _check_groups(fit, pd.Series(values, names))
    rounding = 0 if fit.sizes is None else _ROUNDING * (np.abs(values) @ fit.sizes[names])
    if not (np.isfinite([middle, value, se]).all() and se > max(_EXACT * abs(middle), rounding)):
        raise NotEstimable(f"{fit.n_obs:,} rows give no standard error for {' and '.join(names)}.")
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
    """Return the columns that a formula names, as patsy reads them rightly, in complete rows.

    Text becomes categories (the design is the same; patsy looks at text value by value), without
    those that no row has; an outcome of true and false becomes 1 and 0; decimals and pandas'
    nullable numbers become floats. With names that patsy must quote, all columns are returned as
    they are.

    Raises
    ------
    ValueError
        If the outcome is text or a category: the first level would silently count as 1.
    NotEstimable
        If a value is infinite, or no row is complete.
    """
    if "Q(" in formula:
        return data
    unquoted = re.sub(r"'[^']*'|\"[^\"]*\"", "", formula)
    names = [name for name in data if re.search(rf"\b{re.escape(str(name))}\b", unquoted)]
    left, tilde, _ = formula.partition("~")
    outcome = left.strip() if tilde else None
    found = pd.DataFrame({name: _plain(data[name], name == outcome) for name in names}, data.index)
    found = found.dropna()
    if names and found.empty:
        raise NotEstimable(
            f"None of {len(data):,} rows has every one of {', '.join(map(str, names))}."
        )
    words = list(found.select_dtypes("category"))
    return found.assign(**{name: found[name].cat.remove_unused_categories() for name in words})


def _plain(values: pd.Series, is_outcome: bool) -> pd.Series:
    """Return a column as floats, true and false or categories; see `coded`."""
    known = values.dropna()
    if values.dtype == object and len(known) and known.map(lambda v: isinstance(v, Decimal)).all():
        return _floats(values)
    if pd.api.types.is_bool_dtype(known.infer_objects() if values.dtype == object else values):
        return _floats(values) if is_outcome else _true_or_false(values)
    if pd.api.types.is_numeric_dtype(values):
        plain = _floats(values)
        return values if isinstance(values.dtype, np.dtype) else plain
    if is_outcome and len(known) and pd.api.types.is_numeric_dtype(known.infer_objects()):
        return _floats(values)
    if is_outcome:
        levels = ", ".join(map(str, list(dict.fromkeys(known))[:5]))
        raise ValueError(
            f'The outcome "{values.name}" must be numbers, or true and false; it has the values '
            f"{levels}."
        )
    return values.astype("category")


def _floats(values: pd.Series) -> pd.Series:
    """Return numbers, decimals, or true and false as floats, missing ones as nan."""
    plain = pd.Series(values.to_numpy(float, na_value=np.nan), values.index, name=values.name)
    infinite = int(np.isinf(plain).sum())
    if infinite:
        raise NotEstimable(f'"{values.name}" is infinite in {infinite:,} of {len(plain):,} rows.')
    return plain


def _true_or_false(values: pd.Series) -> pd.Series:
    """Return true and false as such, or where some are missing as categories."""
    return values.astype("category") if values.isna().any() else values.astype(bool)


def check_family(family: str) -> None:
    """Refuse an unknown family."""
    if family not in FAMILIES:
        raise ValueError(f'Unknown family "{family}"; known are {", ".join(FAMILIES)}.')


def _model(formula: str, data: pd.DataFrame, family: str, times: Mapping):
    """Return the model of a formula, not fitted."""
    try:
        model = smf.glm(formula, data, family=FAMILIES[family](), **times)
    except MissingDataError:
        raise NotEstimable(f'A term of "{formula}" is infinite.') from None
    if np.ndim(model.endog) > 1 or not isinstance(model.endog_names, str):
        raise ValueError(
            f'The outcome of "{formula}" must be numbers, or a column of true and false.'
        )
    return model


def _standard(x: pd.DataFrame) -> np.ndarray:
    """Return columns divided by their size, so that ranks do not depend on units."""
    size = np.abs(x.to_numpy(float)).max(axis=0, initial=0)
    return x.to_numpy(float) / np.where(size > 0, size, 1.0)


def _check_answers(sizes: np.ndarray, slopes: int, name: str) -> None:
    """Refuse answers that differ too little for so many slopes."""
    n = sizes.sum()
    different = n - (sizes.astype(float) ** 3).sum() / n**2
    if different < _glm.LEAST_EVENTS * slopes:
        raise NotEstimable(
            f'"{name}" differs too little in {n:,} rows ({sizes.max():,} alike): as good as '
            f"{different:.0f} different ones, and {slopes} slopes need "
            f"{_glm.LEAST_EVENTS * slopes}."
        )


def _robust_covariance(
    x: np.ndarray, y: np.ndarray, mean: np.ndarray, family: str, codes: np.ndarray | None
) -> tuple[np.ndarray, int]:
    """Return the HC3 or, by groups, the jackknife covariance and its degrees of freedom."""
    weight, residual = FAMILIES[family]().variance(mean), y - mean
    bread = np.linalg.inv((x.T * weight) @ x)
    if codes is None:
        room = 1 - weight * np.einsum("ij,jk,ik->i", x, bread, x)
        _check_room(room)
        scores, correction, df = x * (residual / room)[:, None], 1.0, len(x) - x.shape[1]
    else:
        size = codes.max() + 1
        if size < 2:
            raise NotEstimable("Errors by group need at least 2 groups.")
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


def _sizes(model, family: str) -> pd.Series:
    """Return the size of the outcome over that of each column; of a log it is 1."""
    outcome = np.abs(model.endog).max() if family == "gaussian" else 1.0
    return pd.Series(outcome / np.abs(model.exog).max(axis=0), model.exog_names)


def _check_groups(fit: Fit, weights: pd.Series) -> None:
    """Refuse a ratio of groups of which one has hardly any events."""
    if fit.events is None:
        return
    read = fit.events.loc[[name for name in weights.index if name in fit.events.index]]
    for term, levels in read[weights[read.index] != 0].groupby("term", sort=False):
        groups = {f'with "{name}"': events for name, events in levels["inside"].items()}
        if abs(weights[levels.index].sum()) > _EXACT:
            named = " or ".join(
                f'"{name}"' for name in fit.events.index[fit.events["term"] == term]
            )
            groups[f"without {named}"] = levels["outside"].iloc[0]
        for who, events in groups.items():
            if events < LEAST_IN_GROUP:
                raise NotEstimable(
                    f"Events among the rows {who}: {events:.0f}; a ratio of groups needs "
                    f"{LEAST_IN_GROUP} in each."
                )


def _check_design(model, family: str) -> None:
    """Refuse outcomes that the family cannot have, and collinear columns."""
    y = np.asarray(model.endog)
    highest = 1 if family == "binomial" else np.inf
    if family != "gaussian" and (y.min() < 0 or y.max() > highest):
        raise ValueError(f"A {family} outcome must lie between 0 and {highest}.")
    if np.linalg.matrix_rank(_standard(pd.DataFrame(model.exog))) < model.exog.shape[1]:
        raise NotEstimable(
            f"Columns {model.exog_names} are collinear in {len(y):,} rows; leave one out."
        )


def _check_room(room: np.ndarray) -> None:
    """Refuse rows or groups without which a coefficient could not be estimated."""
    if room.min() < 1e-8:
        raise NotEstimable(
            "One row or group alone decides a coefficient, so its error cannot be told; "
            "merge rare categories."
        )
