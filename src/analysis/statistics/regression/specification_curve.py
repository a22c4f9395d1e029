"""One effect under all reasonable choices of outcome, controls and sample."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Literal

import numpy as np
import pandas as pd

from analysis.statistics.estimate import Estimate, NotEstimable
from analysis.statistics.regression.models import Family, Fit, coded, contrast, ordered, robust_glm


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
        One row per model that can be fitted: estimate, ci_low, ci_high, n_obs, main (bool),
        and a true-or-false column for each choice of which there is more than one. Choices
        that come to the same terms and the same rows are one model, and all of them are true.

    Raises
    ------
    NotEstimable
        If none can be fitted.

    References
    ----------
    Simonsohn, U., Simmons, J. P., Nelson, L. D. (2020). Specification curve analysis.
    Nature Human Behaviour 4, 1208-1214.
    """
    choices, problem = (outcomes, controls, samples), "there is no choice"
    found, chosen_by = {}, defaultdict(list)
    for chosen in product(*choices):
        terms = [*_terms(drivers), *controls[chosen[1]]]
        formula = " + ".join([f"{outcomes[chosen[0]]} ~ {drivers}", *controls[chosen[1]]])
        try:
            model = _model(outcomes[chosen[0]], terms, formula, samples[chosen[2]])
            if model not in chosen_by:
                found[model] = _effect(formula, samples[chosen[2]], family, effect)
        except ValueError as error:  # too few rows, or nothing varies, in this sample
            problem = error
            continue
        chosen_by[model].append(chosen)
    if not found:
        raise NotEstimable(f"No specification can be fitted: {problem}")
    return pd.DataFrame([_row(found[model], chosen_by[model], choices) for model in found])


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
    return contrast(_fit(formula, data, family), effect)


def _fit(formula: str, data: pd.DataFrame, family: str) -> Fit:
    """Fit one specification."""
    if data[formula.partition(" ~ ")[0]].nunique() < 2:
        raise ValueError(f'The outcome of "{formula}" does not vary.')
    return (
        ordered(formula, data) if family == "ordered" else robust_glm(formula, data, family=family)
    )


def _terms(formula: str) -> list[str]:
    """Return the terms of a right side, one by one."""
    return [term.strip() for term in re.split(r"\+(?![^(]*\))", formula)]


def _model(outcome: str, terms: Sequence[str], formula: str, data: pd.DataFrame) -> tuple:
    """Return what makes a model the same as another: outcome, terms and the rows it uses."""
    rows = pd.util.hash_pandas_object(coded(formula, data), index=False)
    return outcome, frozenset(terms), rows.to_numpy().tobytes()


def _row(found: Estimate, chosen: Sequence[Sequence[str]], choices: Sequence[Mapping]) -> dict:
    """Return one model: its numbers, and the choices that come to it."""
    numbers = {name: getattr(found, name) for name in ("estimate", "ci_low", "ci_high", "n_obs")}
    main = tuple(next(iter(each)) for each in choices) in chosen
    made = {
        option: any(option == each[i] for each in chosen)
        for i, options in enumerate(choices)
        for option in options
        if len(options) > 1
    }
    return numbers | {"main": main} | made
