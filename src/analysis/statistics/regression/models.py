"""Regressions with HC3 or CR3 standard errors, and the effects that are read from them.

Fits are results of statsmodels with the robust covariance set on them, so that `params`, `bse`,
`summary()`, `resid`, `predict(...)` and `get_influence()` work and agree with each other. Each
also has `converged` and `label`: model and standard error, in a few words for the reader.
A table of survey answers with weights (`weighting`) gives weighted fits: pseudo-maximum
likelihood, whose robust errors are those of a sample drawn with these weights (Binder 1983,
International Statistical Review 51, 279-292), and whose degrees of freedom are fewer the more a
few answers decide an effect (`weighting.degrees_of_freedom`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
import pandas as pd
import statsmodels.formula.api as smf
from statsmodels.base.model import Model
from statsmodels.miscmodels.ordinal_model import OrderedModel
from statsmodels.tools.sm_exceptions import MissingDataError

from analysis.language import text
from analysis.statistics import weighting
from analysis.statistics.estimate import NotEstimable
from analysis.statistics.regression import _covariance, _glm, _ordinal
from analysis.statistics.regression._contrast import Fit
from analysis.statistics.regression._contrast import coefficients as coefficients
from analysis.statistics.regression._contrast import contrast as contrast
from analysis.statistics.regression._glm import FAMILIES
from analysis.statistics.regression.formulas import coded, outcome

Family = Literal["gaussian", "poisson", "binomial"]
FOLDS = 10
"""Parts of the rows, each of which is predicted from the others."""


def ols(formula: str, data: pd.DataFrame, groups: str | None = None) -> Fit:
    """Fit means by least squares; contrasts are differences. See `robust_glm`.

    For differences as a share of the overall mean, divide the outcome by its mean first.
    """
    return robust_glm(formula, data, family="gaussian", groups=groups)


def poisson_rate(formula: str, data: pd.DataFrame) -> Fit:
    """Fit rates or other outcomes of zero or more; contrasts are ratios. See `robust_glm`."""
    return robust_glm(formula, data, family="poisson")


def robust_glm(
    formula: str, data: pd.DataFrame, *, family: Family, groups: str | None = None
) -> Fit:
    """Fit a regression with its natural link and robust errors.

    Without groups, every row is a group of its own: HC3, the "bias_reduced" variance of a
    GEE with independent rows. With groups it is that variance times (G - 1) / G for G groups:
    for least squares exactly the jackknife that leaves out one group at a time (Bell and
    McCaffrey's CR3 is without the factor), else its first step. Intervals use t with rows less
    coefficients, or groups less 1, degrees of freedom. The Poisson family needs no counts: for
    any outcome of zero or more it is pseudo-maximum likelihood.

    Parameters
    ----------
    formula : str
        Such as "visits ~ top_box + tenure".
    data : DataFrame
        Rows with a missing value are left out. The outcome is numbers, or true and false.
    family : {"gaussian", "poisson", "binomial"}
    groups : str, optional
        Column: what errors may be correlated within.

    Returns
    -------
    RegressionResults or GLMResults

    Raises
    ------
    ValueError
        If the family or a column is unknown, or the outcome is text or impossible.
    NotEstimable
        If a value is infinite, no row is left, the outcome is the same in every row, columns
        are collinear, there are too few events or none in a group (see `_glm.fit`), there is
        one group only, or one row or group alone decides a coefficient.

    References
    ----------
    Bell, McCaffrey (2002), Survey Methodology 28, 169-181. Mancl, DeRouen (2001), Biometrics 57,
    126-134. Santos Silva, Tenreyro (2006), Review of Economics and Statistics 88, 641-658.
    """
    _glm.check_family(family)
    if groups is not None:
        if groups not in data:
            raise ValueError(f'The table has no column "{groups}" of groups.')
        data = data.dropna(subset=groups)
    data = weighting.answered(data).reset_index(drop=True)
    used = coded(formula, data)
    own = weighting.of(data.loc[used.index])
    if family == "gaussian":
        line, options = (smf.ols, {}) if own is None else (smf.wls, {"weights": own})
        model = _model(line, formula, used, **options)
    else:
        options = {} if own is None else {"var_weights": own}
        model = _model(smf.glm, formula, used, family=FAMILIES[family](), **options)
    _check_design(model)
    fit = _glm.fit(model, family, f'"{model.endog_names}"')
    x, mean = model.exog, np.asarray(fit.fittedvalues)
    weight, residual = FAMILIES[family]().variance(mean), model.endog - mean
    if own is not None:
        weight, residual = own * weight, own * residual
        family = f"weighted {family}"
    parts = x, weight, residual, np.linalg.inv((x.T * weight) @ x)
    if groups is None:
        half = _covariance.hc3(*parts)
        df = max(weighting.effective_size(own, len(x)) - x.shape[1], 1.0)
        fit = _with_covariance(fit, half.T @ half, df, family, "HC3")
        fit._results.by_answer = None if own is None else (half, own)
        return fit
    codes = pd.factorize(data.loc[model.data.row_labels, groups])[0]
    label = f"jackknife by {groups} ({codes.max() + 1} groups)"
    return _with_covariance(fit, _covariance.jackknife(*parts, codes), codes.max(), family, label)


def ordered(formula: str, data: pd.DataFrame) -> Fit:
    """Fit an ordered probit to an outcome such as one item from 1 to 10.

    The slopes are those of the opinion behind the answer, in its residual standard deviations:
    a scale whose top is crowded does not bend them, as it bends a line through the answers.

    Parameters
    ----------
    formula : str
        Such as "satisfaction_1 ~ surplus + shortfall".
    data : DataFrame
        Rows with a missing value are left out.

    Returns
    -------
    OrderedResults
        Slopes, then thresholds as statsmodels has them (the first, and logs of the distances);
        errors from the observed information, normal. It has not converged where a category's
        answers all lie at one end of the scale; `contrast` then refuses. Of weighted answers the
        errors are robust ones, and t: the information says nothing of pseudo-likelihoods.

    Raises
    ------
    ValueError
        If a column is unknown, or the outcome is text.
    NotEstimable
        If the outcome has fewer than 3 values, columns are collinear, or the answers differ
        too little: n less the sum of cubed category sizes over n squared, Harrell's effective
        number, must be 2 for each slope.

    References
    ----------
    Harrell (2015), Regression Modeling Strategies, 2nd ed., section 4.4. McCullagh (1980), JRSS B
    42, 109-142.
    """
    data = weighting.answered(data).reset_index(drop=True)
    used = coded(formula, data)
    weight = weighting.of(data.loc[used.index])
    model = _model(OrderedModel.from_formula, formula, used, distr="probit", hasconst=False)
    name, n, slopes = model.endog_names, len(model.endog), model.k_vars
    if model.k_levels < 3:
        raise NotEstimable(
            text(
                '"{name}" needs 3 different values for an ordered model; the {n:,} rows have '
                "{k_levels}.",
                name=name,
                n=n,
                k_levels=model.k_levels,
            )
        )
    if np.linalg.matrix_rank(_glm.unitless(np.column_stack([np.ones(n), model.exog]))) <= slopes:
        raise NotEstimable(
            text(
                "Columns {columns} are collinear; leave one out.", columns=model.exog_names[:slopes]
            )
        )
    sizes = np.bincount(model.endog)
    different = n - (sizes.astype(float) ** 3).sum() / n**2
    different *= weighting.effective_size(weight, n) / n
    if different < _glm.LEAST_EVENTS * slopes:
        raise NotEstimable(
            text(
                '"{name}" differs too little in {total:,} rows ({max:,} alike): as good as '
                "{different:.0f} different ones, and {n} slope needs {needed}.",
                '"{name}" differs too little in {total:,} rows ({max:,} alike): as good as '
                "{different:.0f} different ones, and {n} slopes need {needed}.",
                name=name,
                total=n,
                max=sizes.max(),
                different=different,
                n=slopes,
                needed=_glm.LEAST_EVENTS * slopes,
            )
        )
    fit = _ordinal.results(model, weight)
    fit.label = "ordered probit model" if weight is None else "weighted ordered probit, robust"
    return fit


def cross_validated(formulas: Mapping[str, str], data: pd.DataFrame, seed: int) -> pd.Series:
    """Return how well linear models predict the outcome of rows that they have not seen.

    Parameters
    ----------
    formulas : mapping of str to str
        By the model's name.
    data : DataFrame
        Rows without missing values in any formula.
    seed : int
        Of the split into `FOLDS` parts.

    Returns
    -------
    Series
        R2 on unseen rows, by model: 1 less the squared errors over those about the mean.

    Raises
    ------
    ValueError
        If a value is missing.
    NotEstimable
        If a value or a term is infinite, or the outcome is the same in every row.
    """
    weight = weighting.of(data)
    root = np.ones(len(data)) if weight is None else np.sqrt(weight)
    part = np.random.default_rng(seed).permutation(len(data)) % FOLDS
    found = {}
    for name, formula in formulas.items():
        used = coded(formula, data)
        if len(used) < len(data):
            raise ValueError(f'Rows with a missing value of "{formula}": {len(data) - len(used)}.')
        model = _model(smf.ols, formula, used)
        y, x = model.endog, model.exog
        if not np.ptp(y):
            raise NotEstimable(
                text(
                    '"{outcome}" is the same in all {n:,} rows.', outcome=outcome(formula), n=len(y)
                )
            )
        away = y - np.average(y, weights=weight)
        missed, x, y, away = np.empty(len(y)), x * root[:, None], y * root, away * root
        for k in range(FOLDS):
            solution = np.linalg.lstsq(x[part != k], y[part != k], rcond=None)[0]
            missed[part == k] = y[part == k] - x[part == k] @ solution
        found[name] = 1 - (missed**2).sum() / (away**2).sum()
    return pd.Series(found, name="r2")


def _model(maker: Callable, formula: str, data: pd.DataFrame, **options: object) -> Model:
    """Return the model of a formula, not fitted."""
    try:
        model = maker(formula, data, **options)
    except MissingDataError:
        raise NotEstimable(text('A term of "{formula}" is infinite.', formula=formula)) from None
    if np.ndim(model.endog) > 1 or not isinstance(model.endog_names, str):
        raise ValueError(
            f'The outcome of "{formula}" must be numbers, or a column of true and false.'
        )
    if not (np.isfinite(model.exog).all() and np.isfinite(model.endog).all()):
        raise NotEstimable(text('A term of "{formula}" is infinite.', formula=formula))
    return model


def _check_design(model: Model) -> None:
    """Refuse collinear columns."""
    if np.linalg.matrix_rank(_glm.unitless(model.exog)) < model.exog.shape[1]:
        raise NotEstimable(
            text(
                "Columns {exog_names} are collinear in {n:,} rows; leave one out.",
                exog_names=model.exog_names,
                n=len(model.endog),
            )
        )


def _with_covariance(fit: Fit, covariance: np.ndarray, df: float, family: str, kind: str) -> Fit:
    """Set a robust covariance and the degrees of freedom of its t on results of statsmodels."""
    results = fit._results
    results.cov_params_default = covariance
    results.cov_type, results.cov_kwds = kind, {"description": f"Standard errors: {kind}."}
    results.use_t, results.df_resid_inference = True, float(df)
    results.converged, results.label = True, f"{family} regression, {kind}"
    return fit
