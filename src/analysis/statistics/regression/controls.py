"""Control variables: which of them can be used, and what the reader calls them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import pandas as pd

from analysis.language import named, phrase, text
from analysis.statistics._aligned import floats

LEAST = 5
"""Rows that a category needs, and rows in which a number must differ from its usual value."""
UNKNOWN = "unknown"
"""Category of rows for which it is not recorded."""
OTHERS, AND_OTHERS = "others", " and others"
"""Several rare categories, merged; "fleet and others" contains a large one, too."""
IN_WORDS = {
    "active": "buying in the quarter before",
    "kind": "kind of case",
    "landmark": "the day of the forecast",
    "log_fuel": "fuel sales before",
    "log_pace": "sales a week before",
    "log_rate": "visits a week before",
    "log_sales": "sales before",
    "log_value": "what customers brought before",
    "log_visits": "visits before",
    "prior": "satisfaction before",
    "prior_known": "whether asked before",
    "tenure_bend": "a bend in tenure",
    "tier": "class of customer",
    "trend": "trend of visits before",
}
"""What the reader calls a control, where its column's name does not say it."""


def controls(frame: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """Return the formula's terms of the usable controls (see `left_out`); text is a category."""
    return [
        name if pd.api.types.is_numeric_dtype(frame[name]) else f"C({name})"
        for name, reason in left_out(frame, names).items()
        if not reason
    ]


def left_out(frame: pd.DataFrame, names: Sequence[str]) -> dict[str, str]:
    """Return for each control why it can't be used; an empty text where it can.

    A control is left out if it is not recorded, incomplete, the same for all rows or determined
    by the earlier ones, and if fewer than `LEAST` rows differ from the others: they alone would
    decide its coefficient. Where rows were dropped after `without_rare`, call that again first.
    """
    reasons, columns = {}, np.ones((len(frame), 1))
    for name in names:
        values = frame[name] if name in frame else pd.Series(UNKNOWN, frame.index, dtype=object)
        if values.map(lambda each: isinstance(each, Decimal)).any():
            values = floats(values)
        is_number = pd.api.types.is_numeric_dtype(values)
        reasons[name] = _unusable(values, is_number)
        if reasons[name]:
            continue
        wide = values if is_number else pd.get_dummies(values.astype(str), drop_first=True)
        new = wide.to_numpy(float).reshape(len(values), -1)
        together = np.column_stack([columns, new / np.abs(new).max(axis=0)])
        if np.linalg.matrix_rank(together) < together.shape[1]:
            reasons[name] = phrase("determined by the others")
        else:
            columns = together
    return reasons


def controls_in_words(
    frame: pd.DataFrame, names: Sequence[str], covariates: pd.DataFrame | None = None
) -> str:
    """Say what a model is adjusted for, and what is left out, with the reason.

    Parameters
    ----------
    frame : DataFrame
        The rows of the model, as given to `controls`, `design` or `formulas.usable`.
    names : sequence of str
        Columns, as given to them.
    covariates : DataFrame, optional
        What is left of `design` after `treatment_effects.independent`, where that was used.

    Returns
    -------
    str
        Such as "adjusted for segment and tenure; left out: area (the same for all)".
    """
    reasons = left_out(frame, names)
    if covariates is not None:
        for name in (each for each, reason in reasons.items() if not reason):
            if not any(str(c) == name or str(c).startswith(f"{name}_") for c in covariates):
                reasons[name] = phrase("determined by the others in one of the groups")
    used = [in_words(name) for name, reason in reasons.items() if not reason]
    left = text(", ").join(
        text("{name} ({reason})", name=in_words(name), reason=reason)
        for name, reason in reasons.items()
        if reason
    )
    if not used:
        unused = text("not adjusted for anything")
        return text("not adjusted: {left}", left=left) if left else unused
    parts = [text(", ").join(used[:-1]), used[-1]] if len(used) > 1 else used
    said = text("adjusted for {names}", names=text(" and ").join(parts))
    return said + (text("; left out: {left}", left=left) if left else "")


def in_words(name: str) -> str:
    """Return what the reader calls a column, or a formula's term of it."""
    name = name.removeprefix("C(").removesuffix(")").removeprefix("z_")
    return named(IN_WORDS.get(name, name.removeprefix("log_").replace("_", " ")))


def without_rare(
    frame: pd.DataFrame, names: Sequence[str], arms: pd.Series | None = None, least: int = LEAST
) -> pd.DataFrame:
    """Merge rare categories.

    A category of one row would decide its own coefficient and leave no error to judge it by;
    those of `least` or more stay, because merging large ones costs precision. The rare ones
    become one category, `OTHERS`; where that is still too small, they join the largest, whose
    name says so. Call it after the last row was left out.

    Parameters
    ----------
    frame : DataFrame
    names : sequence of str
    arms : Series, optional
        Groups that are compared: a category must have `least` rows in each.
    least : int
        Rows that a category needs.
    """
    groups = pd.Series(0, index=frame.index) if arms is None else arms
    return frame.assign(**{name: _merged(frame[name], groups, least) for name in names})


def design(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return the usable controls as numbers, categories as columns of 0 and 1."""
    usable = [name for name, reason in left_out(frame, names).items() if not reason]
    if not usable:
        return pd.DataFrame(index=frame.index)
    wide = pd.get_dummies(frame[usable], drop_first=True, dtype=float)
    return wide.loc[:, wide.nunique() > 1]


def _unusable(values: pd.Series, is_number: bool) -> str:
    """Return why a column alone can't be controlled for; an empty text if it can."""
    missing = int(values.isna().sum())
    if missing == len(values) or (values == UNKNOWN).all():
        return phrase("not recorded")
    if missing:
        return text("missing for {n:,} of {all:,}", n=missing, all=len(values))
    infinite = int(np.isinf(values.to_numpy(float)).sum()) if is_number else 0
    if infinite:
        return text("infinite for {n:,} of {all:,}", n=infinite, all=len(values))
    if values.nunique() < 2:
        is_merged = str(values.iloc[0]).endswith(OTHERS)
        few_apart = phrase("too few in some of its groups to hold apart")
        return few_apart if is_merged else phrase("the same for all")
    counts = (values if is_number else values.astype(str)).value_counts()
    few = int(len(values) - counts.iloc[0] if is_number else counts.iloc[-1])
    if few >= LEAST:
        return ""
    if is_number:
        return text("fewer than {least} differ", least=LEAST)
    return text("only {n} in its rarest group", n=few)


def _merged(values: pd.Series, groups: pd.Series, least: int) -> pd.Series:
    """Return categories, the rare ones of them together or with the largest."""
    plain = values.astype(object)
    sizes = plain.map(pd.crosstab(plain, groups).min(axis=1))
    if not (sizes < least).any() or plain.nunique() < 2:
        return values
    small = (sizes < least) | (plain == OTHERS)
    enough = pd.crosstab(small, groups).loc[True].min() >= least
    if enough and not small[plain.notna()].all():
        return plain.mask(small, OTHERS)
    largest = plain.mode().iloc[0]
    together = f"{str(largest).removesuffix(AND_OTHERS)}{AND_OTHERS}"
    return plain.mask(small | (plain == largest), together)
