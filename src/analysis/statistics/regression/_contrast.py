"""Effects that are read from fitted regressions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress

import numpy as np
import pandas as pd
import statsmodels.api as sm
from statsmodels.base.model import LikelihoodModelResults
from statsmodels.base.wrapper import ResultsWrapper

from analysis.language import text
from analysis.statistics import weighting
from analysis.statistics.estimate import Estimate, NotEstimable, Scale, from_se, pooled

Fit = ResultsWrapper | LikelihoodModelResults
"""Results of statsmodels: of least squares, a GLM, an ordered model or a Cox regression."""
LEAST_IN_GROUP = 3
"""Events that each group needs whose ratio is read: of two or fewer it is mostly chance."""
_EXACT = 1e-10
"""Share of an effect that its standard error exceeds, unless the outcome is a sum of columns."""
_ROUNDING = 1e-13
"""Share of the outcome's size below which an error comes from rounding alone."""


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
    fit : results of statsmodels
    weights : str or mapping
        A coefficient's name, or weights by name: {"box[T.5]": 1, "box[T.4]": -1}.
    scale : {"identity", "log"}, optional
        "log" gives the exponential; by default for Poisson, binomial and Cox regressions.
    df : float, optional
        Degrees of freedom, if the smallest group compared has fewer than the fit.

    Raises
    ------
    ValueError
        If a name is not a coefficient, or `df` is not above 0.
    NotEstimable
        If the fit has not converged, the effect has no finite standard error above 0 (or above
        rounding), or one of the groups that it compares has fewer than `LEAST_IN_GROUP` events:
        rows with an outcome above 0, of a binomial one the rarer kind.
    """
    weights = {weights: 1.0} if isinstance(weights, str) else dict(weights)
    unknown = sorted(set(weights) - set(fit.params.index))
    if unknown:
        raise ValueError(f"No coefficient {unknown}; there are {list(fit.params.index)}.")
    if df is not None and not df > 0:
        raise ValueError(f"Degrees of freedom must be above 0, not {df}.")
    names, values = list(weights), np.array(list(weights.values()), float)
    middle = float(values @ fit.params[names].to_numpy())
    se = float(np.sqrt(values @ fit.cov_params().loc[names, names].to_numpy() @ values))
    n_obs, scale = len(fit.model.endog), scale or _scale(fit)
    plain = f"{type(fit.model).__name__}, {getattr(fit, 'cov_type', 'nonrobust')} errors"
    label = getattr(fit, "label", plain)
    with np.errstate(over="ignore"):
        value = np.exp(middle) if scale == "log" else middle
    if not getattr(fit, "converged", True):
        raise NotEstimable(
            text("The {label} of {n_obs:,} rows did not converge.", label=label, n_obs=n_obs)
        )
    _check_groups(fit, weights)
    rounding = _ROUNDING * np.abs(values) @ _sizes(fit)[names]
    none = text(
        "{n_obs:,} rows give no standard error for {names}.",
        n_obs=n_obs,
        names=" and ".join(names),
    )
    if not (np.isfinite([middle, value, se]).all() and se > max(_EXACT * abs(middle), rounding)):
        raise NotEstimable(none)
    if df is None:
        df = getattr(fit, "df_resid_inference", fit.df_resid) if fit.use_t else np.inf
    if by_answer := getattr(fit, "by_answer", None):
        half, own = by_answer
        parts = half[:, fit.params.index.get_indexer(names)] @ values
        df = weighting.degrees_of_freedom(parts, own, df)
    with np.errstate(divide="ignore", over="ignore"):
        found = from_se(value, se, n_obs, scale=scale, df=df, method=label)
    lowest = 0.0 if scale == "log" else -np.inf
    if not lowest < found.ci_low < value < found.ci_high < np.inf:
        raise NotEstimable(none)  # of a ratio beyond what a number can hold
    return found


def coefficients(fits: Fit | Sequence[Fit]) -> pd.DataFrame:
    """Return the coefficients of a regression; of several, fitted to imputed tables, pooled.

    Returns
    -------
    DataFrame
        One row per coefficient (`term`; of an ordered model without the thresholds): estimate,
        ci_low, ci_high, as `contrast` gives them (ratios for Poisson, binomial and Cox
        regressions), se (of a ratio's log) and p_value of no effect; missing where `contrast`
        refuses.
    """
    fits = list(fits) if isinstance(fits, Sequence) else [fits]
    columns, rows = ["estimate", "se", "ci_low", "ci_high", "p_value"], {}
    for name in fits[0].model.exog_names[: fits[0].model.exog.shape[1]]:
        rows[name] = [np.nan] * len(columns)
        with suppress(NotEstimable):
            found = pooled([contrast(fit, name) for fit in fits])
            p_value = found.p_value(float(found.scale == "log"))
            rows[name] = [found.estimate, found.se, found.ci_low, found.ci_high, p_value]
    return pd.DataFrame.from_dict(rows, "index", columns=columns).rename_axis("term")


def _scale(fit: Fit) -> Scale:
    """Return "log" where exponentials of coefficients are ratios."""
    model = fit.model
    is_glm = isinstance(model, sm.GLM) and not isinstance(model.family, sm.families.Gaussian)
    return "log" if is_glm or isinstance(model, sm.PHReg) else "identity"


def _sizes(fit: Fit) -> pd.Series:
    """Return coefficients that would move the outcome (its log, for ratios) by its own size."""
    model = fit.model
    if not isinstance(model, sm.WLS | sm.GLM):
        return pd.Series(0.0, fit.params.index)
    outcome = 1.0 if _scale(fit) == "log" else np.abs(model.endog).max()
    return pd.Series(outcome / np.abs(model.exog).max(axis=0), fit.params.index)


def _check_groups(fit: Fit, weights: Mapping[str, float]) -> None:
    """Refuse a ratio of groups (columns of 0 and 1) of which one has hardly any events."""
    if _scale(fit) != "log":
        return
    model, names = fit.model, list(fit.params.index)
    x, y = model.exog, model.status if isinstance(model, sm.PHReg) else model.endog
    is_binomial = isinstance(getattr(model, "family", None), sm.families.Binomial)
    terms = {}
    for j in range(x.shape[1]):
        if np.ptp(x[:, j]) and np.isin(x[:, j], (0, 1)).all():
            terms.setdefault(re.sub(r"\[.*?\]", "", names[j]), []).append(j)
    for levels in terms.values():
        read = [j for j in levels if weights.get(names[j])]
        groups = {f'with "{names[j]}"': x[:, j] == 1 for j in read}
        reference = ~x[:, levels].any(axis=1)
        if reference.any() and abs(sum(weights[names[j]] for j in read)) > _EXACT:
            groups["without " + " or ".join(f'"{names[j]}"' for j in levels)] = reference
        for who, rows in groups.items():
            events = int((y[rows] > 0).sum())
            if is_binomial:
                events = min(events, int((y[rows] < 1).sum()))
            if events < LEAST_IN_GROUP:
                raise NotEstimable(
                    text(
                        "Events among the rows {who}: {events}; a ratio of groups needs "
                        "{needed} in each.",
                        who=who,
                        events=events,
                        needed=LEAST_IN_GROUP,
                    )
                )
