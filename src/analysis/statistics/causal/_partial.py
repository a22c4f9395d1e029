"""Partial R2 of the terms of a regression, from what other terms leave of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import patsy

from analysis.language import text
from analysis.statistics import weighting
from analysis.statistics.estimate import NotEstimable
from analysis.statistics.regression.controls import in_words
from analysis.statistics.regression.formulas import coded


def columns_by_term(
    data: pd.DataFrame, outcome: str, treatment: str, controls: Sequence[str]
) -> dict[str, np.ndarray]:
    """Return the columns of a regression by term, each an array of shape (n, some).

    Those of weighted answers are multiplied by the square root of the weights: what least squares
    of them says is what weighted least squares says of the columns.
    """
    formula = f"{outcome} ~ " + " + ".join([treatment, *controls])
    data = weighting.answered(data).reset_index(drop=True)
    used = coded(formula, data)
    weight = weighting.of(data.loc[used.index])
    root = 1.0 if weight is None else np.sqrt(weight)[:, None]
    left, right = patsy.dmatrices(formula, used)
    places = right.design_info.term_name_slices
    return {name: root * np.asarray(right)[:, place] for name, place in places.items()} | {
        outcome: root * np.asarray(left)
    }


def classical(
    columns: dict[str, np.ndarray], outcome: str, treatment: str
) -> tuple[float, float, float]:
    """Return t, degrees of freedom and classical error of the treatment's coefficient."""
    others = [name for name in columns if name not in (outcome, treatment)]
    y, d = (_left(columns, name, others)[:, 0] for name in (outcome, treatment))
    df = len(y) - sum(columns[name].shape[1] for name in [treatment, *others])
    if df < 2 or np.ptp(d) < 1e-9:
        raise NotEstimable(
            text(
                "{n:,} rows are too few to tell {treatment} from what is held equal.",
                n=len(y),
                treatment=in_words(treatment),
            )
        )
    slope = (d @ y) / (d @ d)
    error = np.sqrt(((y - slope * d) ** 2).sum() / df / (d @ d))
    return float(slope / error), float(df), float(error)


def strength(
    columns: dict[str, np.ndarray], outcome: str, treatment: str, terms: Sequence[str]
) -> tuple[float, float]:
    """Return the shares of treatment and outcome of a confounder like these controls together."""
    others = [each for each in columns if each not in (outcome, treatment, *terms)]
    of_treatment = _share(columns, treatment, others, terms)
    of_outcome = _share(columns, outcome, [treatment, *others], terms)
    with_treatment = min(of_treatment / (1 - of_treatment), 0.99)
    overlap = min((of_treatment / (1 - of_treatment)) ** 2, 0.99)
    factor = (1 + np.sqrt(overlap)) / np.sqrt(1 - overlap)
    return with_treatment, min(factor**2 * of_outcome / (1 - of_outcome), 0.99)


def _share(columns: dict, outcome: str, others: Sequence[str], terms: Sequence[str]) -> float:
    """Return the share of what the others leave of the outcome that the terms explain."""
    without = (_left(columns, outcome, others) ** 2).sum()
    left = (_left(columns, outcome, [*others, *terms]) ** 2).sum()
    return float(min(max(1 - left / without, 0.0), 0.99)) if without > 0 else 0.0


def _left(columns: dict[str, np.ndarray], name: str, others: Sequence[str]) -> np.ndarray:
    """Return what the other terms leave of a term's columns."""
    x = np.column_stack([columns[each] for each in others])
    return columns[name] - x @ np.linalg.lstsq(x, columns[name], rcond=None)[0]
