"""One effect under all reasonable choices of outcome, controls and sample."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import product
from typing import Literal

import numpy as np
import pandas as pd

from analysis.language import phrase, text
from analysis.statistics import weighting
from analysis.statistics.estimate import Estimate, NotEstimable
from analysis.statistics.regression import formulas
from analysis.statistics.regression.models import Family, contrast, ordered, robust_glm

WEIGHTED, EQUAL = phrase("survey weights"), phrase("equal weights")


def curve(
    formula: str,
    effect: str | Mapping[str, float],
    data: pd.DataFrame,
    *,
    outcomes: Mapping[str, str] | None = None,
    controls: Mapping[str, str] | None = None,
    samples: Mapping[str, pd.DataFrame] | None = None,
    family: Family | Literal["ordered"] = "gaussian",
) -> pd.DataFrame:
    """Estimate an effect under every combination of choices.

    Parameters
    ----------
    formula : str
        The main specification.
    effect : str or mapping
        Coefficient, or weights of coefficients, as in `models.contrast`.
    data : DataFrame
        The rows of the main specification.
    outcomes, controls, samples : mapping, optional
        By the name that the reader sees: columns; formulas, made of the main one by
        `formulas.with_terms` or `without_terms`, whose outcome does not matter; tables. Where
        `data` is weighted, its weights are a choice, too: every model is fitted without them as
        well.
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
    ValueError
        If a specification names an unknown column, the main one is not among the choices, or two
        choices have the same name.
    NotEstimable
        If none can be fitted.

    References
    ----------
    Simonsohn, Simmons, Nelson (2020), Nature Human Behaviour 4, 1208-1214.
    """
    choices = (
        outcomes or {"outcome": formulas.outcome(formula)},
        controls or {"controls": formula},
        samples or {"all": data},
        {EQUAL: False} if weighting.of(data) is None else {WEIGHTED: True, EQUAL: False},
    )
    _check_names(choices)
    main, found, chosen_by = _fingerprint(formula, data), {}, defaultdict(list)
    fit = ordered if family == "ordered" else partial(robust_glm, family=family)
    is_among, problem = False, None
    for chosen in product(*choices):
        own = formulas.with_outcome(choices[1][chosen[1]], choices[0][chosen[0]])
        sample = choices[2][chosen[2]]
        if not choices[3][chosen[3]]:
            sample = sample.drop(columns=weighting.COLUMN, errors="ignore")
        model = _fingerprint(own, sample)
        is_among |= model == main
        try:
            if model not in chosen_by:
                found[model] = contrast(fit(own, sample), effect)
        except ValueError as error:  # too few rows, or nothing varies
            problem = error
            continue
        chosen_by[model].append(chosen)
    if not is_among:
        raise ValueError(f'"{formula}" is not among the choices of controls and samples.')
    if not found:
        raise NotEstimable(text("No specification can be fitted: {problem}", problem=problem))
    return pd.DataFrame(
        [_row(each, model == main, chosen_by[model], choices) for model, each in found.items()]
    )


def of_estimates(found: Mapping[tuple[str, ...], Estimate], main: tuple[str, ...]) -> pd.DataFrame:
    """Return estimates that are no coefficients as a table as from `curve`, by their choices."""
    options = [dict.fromkeys(each) for each in zip(*found, strict=True)]
    return pd.DataFrame(
        [_row(each, chosen == main, [chosen], tuple(options)) for chosen, each in found.items()]
    )


def agreement(table: pd.DataFrame, null: float = 0.0) -> float:
    """Return the share of specifications whose interval is on the main one's side of none.

    Where the main interval holds `null`, on neither side, it is the share of those that do. If the
    main one could not be fitted, that is NotEstimable.
    """
    if not table["main"].any():
        raise NotEstimable("The main specification could not be fitted.")
    low, high = np.sign(table["ci_low"] - null), np.sign(table["ci_high"] - null)
    sides = low.where(low == high, 0)
    return float((sides == sides[table["main"]].iloc[0]).mean())


def _check_names(choices: Sequence[Mapping]) -> None:
    """Refuse a name that two choices share: one would overwrite the column of the other."""
    shown = [name for options in choices if len(options) > 1 for name in options]
    repeated = sorted({name for name in shown if shown.count(name) > 1})
    if repeated:
        raise ValueError(
            f'Each choice needs a name of its own; more than one is called "{repeated[0]}".'
        )


def _fingerprint(formula: str, data: pd.DataFrame) -> tuple:
    """Return what makes a model the same as another: outcome, terms, rows and their weights."""
    names = sorted(formulas.columns(formula, data))
    rows = data.dropna(subset=names)
    weight = weighting.of(rows)
    own = b"" if weight is None else weight.tobytes()
    hashes = pd.util.hash_pandas_object(rows[names], index=False).to_numpy()
    return formulas.outcome(formula), frozenset(formulas.terms(formula)), hashes.tobytes(), own


def _row(found: Estimate, main: bool, chosen: list[tuple], choices: tuple[Mapping, ...]) -> dict:
    """Return one model: its numbers, and the choices that come to it."""
    numbers = {name: getattr(found, name) for name in ("estimate", "ci_low", "ci_high", "n_obs")}
    made = {
        option: any(option == each[i] for each in chosen)
        for i, options in enumerate(choices)
        for option in options
        if len(options) > 1
    }
    return numbers | {"main": main} | made
