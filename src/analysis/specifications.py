"""One effect under all reasonable choices of outcome, controls and sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Literal

import numpy as np
import pandas as pd

from analysis.estimates import Estimate
from analysis.models import Family, Fit, contrast, ordered, robust_glm


def curve(
    effect: str | Mapping[str, float],
    drivers: str,
    *,
    outcomes: Mapping[str, str],
    controls: Mapping[str, Sequence[str]],
    samples: Mapping[str, pd.DataFrame],
    family: Family | Literal["ordered"] = "gaussian",
) -> pd.DataFrame:
    """Estimate an effect under every combination of choices.

    Parameters
    ----------
    effect : str or mapping
        Coefficient, or weights of coefficients, as in `models.contrast`.
    drivers : str
        Terms that every formula has, such as "performance + expectation".
    outcomes, controls, samples : mapping
        The choices, by the name that the reader shall see: columns, lists of terms, tables.
        The first of each makes the main specification.
    family : {"gaussian", "poisson", "binomial", "ordered"}
        Of the regression, errors HC3; or an ordered probit.

    Returns
    -------
    DataFrame
        One row per specification that can be fitted: estimate, ci_low, ci_high, n_obs, main
        (bool), and a true-or-false column for each choice of which there is more than one.

    Raises
    ------
    ValueError
        If none can be fitted.

    References
    ----------
    Simonsohn, U., Simmons, J. P., Nelson, L. D. (2020). Specification curve analysis.
    Nature Human Behaviour 4, 1208-1214.
    """
    rows, problem = [], "there is no choice"
    for chosen in product(outcomes, controls, samples):
        formula = " + ".join([f"{outcomes[chosen[0]]} ~ {drivers}", *controls[chosen[1]]])
        try:
            found = _effect(formula, samples[chosen[2]], family, effect)
        except ValueError as error:  # too few rows, or nothing varies, in this sample
            problem = error
            continue
        rows.append(_row(found, chosen, (outcomes, controls, samples)))
    if not rows:
        raise ValueError(f"No specification can be fitted: {problem}")
    return pd.DataFrame(rows)


def agreement(table: pd.DataFrame, null: float = 0.0) -> float:
    """Return the share of specifications whose interval is on the main one's side of none.

    Where the main interval holds `null`, on neither side, it is the share of those that do.

    Raises
    ------
    ValueError
        If the main specification is not among them.
    """
    if not table["main"].any():
        raise ValueError("The main specification could not be fitted.")
    low, high = np.sign(table["ci_low"] - null), np.sign(table["ci_high"] - null)
    sides = low.where(low == high, 0)
    return float((sides == sides[table["main"]].iloc[0]).mean())


def _effect(
    formula: str, data: pd.DataFrame, family: str, effect: str | Mapping[str, float]
) -> Estimate:
    """Estimate the effect in one specification."""
    fit = _fit(formula, data, family)
    found = contrast(fit, effect)
    if not fit.converged or not np.isfinite([found.ci_low, found.ci_high]).all():
        raise ValueError(f'"{formula}" does not converge.')
    return found


def _fit(formula: str, data: pd.DataFrame, family: str) -> Fit:
    """Fit one specification."""
    if data[formula.partition(" ~ ")[0]].nunique() < 2:
        raise ValueError(f'The outcome of "{formula}" does not vary.')
    return (
        ordered(formula, data) if family == "ordered" else robust_glm(formula, data, family=family)
    )


def _row(found: Estimate, chosen: Sequence[str], choices: Sequence[Mapping]) -> dict:
    """Return one specification: its numbers, and which choices it makes."""
    numbers = {name: getattr(found, name) for name in ("estimate", "ci_low", "ci_high", "n_obs")}
    main = all(name == next(iter(each)) for name, each in zip(chosen, choices, strict=True))
    made = {
        option: option == name
        for name, each in zip(chosen, choices, strict=True)
        for option in each
        if len(each) > 1
    }
    return numbers | {"main": main} | made
