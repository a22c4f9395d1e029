"""Formulas as text: other formulas made of them, and the columns that they name.

A claim's notebook writes its regression once, such as `"loyalty ~ z + segment + log_tenure"`;
its variants are made from that text, so that an edit of it moves all of them.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import lru_cache

import numpy as np
import pandas as pd
import patsy

from analysis.language import text
from analysis.statistics._aligned import floats
from analysis.statistics.estimate import NotEstimable
from analysis.statistics.regression.controls import left_out

_KNOWN = {*dir(builtins), *patsy.builtins.__all__, "np", "pd"}
"""Names of a formula that are functions, or modules of functions."""


def outcome(formula: str) -> str:
    """Return the left side."""
    return formula.partition("~")[0].strip()


def terms(formula: str) -> list[str]:
    """Return the terms of the right side, as they are written."""
    right, found, depth, start = formula.rpartition("~")[2], [], 0, 0
    for i, sign in enumerate(right):
        depth += (sign in "([") - (sign in ")]")
        if sign == "+" and depth == 0:
            found.append(right[start:i])
            start = i + 1
    return [term.strip() for term in (*found, right[start:])]


def with_outcome(formula: str, name: str) -> str:
    """Return the same formula with another outcome."""
    return _joined(name, terms(formula))


def with_terms(formula: str, *added: str) -> str:
    """Return a formula with more terms; those that it has already stay where they are."""
    return _joined(outcome(formula), [*terms(formula), *added])


def without_terms(formula: str, *dropped: str) -> str:
    """Return a formula without some terms, given as they are written or as columns."""
    plain = {_bare(term) for term in dropped}
    return _joined(outcome(formula), [each for each in terms(formula) if _bare(each) not in plain])


def without_columns(formula: str, *names: str) -> str:
    """Return a formula without every term that has one of these columns."""
    kept = [each for each in terms(formula) if not _names(each) & {*names}]
    return _joined(outcome(formula), kept)


def held(formula: str, *drivers: str) -> list[str]:
    """Return the columns that a formula holds equal: those of its terms without a driver."""
    own = [_names(term) for term in terms(formula)]
    found = [name for names in own if not names & {*drivers} for name in sorted(names - _KNOWN)]
    return list(dict.fromkeys(found))


def require_outcome(formula: str, registered: str) -> None:
    """Refuse an outcome that is not the registered one, whose unit the finding speaks of."""
    if (left := outcome(formula)) != registered:
        raise ValueError(
            f'The claim is about "{registered}", so its formula must start with '
            f'"{registered} ~", not with "{left} ~".'
        )


def columns(formula: str, frame: pd.DataFrame, optional: Sequence[str] = ()) -> list[str]:
    """Return the columns that a formula names, in the order of the table; some may be missing.

    Another name that is neither a column nor a function is refused.
    """
    names = _names(formula)
    unknown = sorted(names - {*map(str, frame.columns), *optional, *_KNOWN})
    if unknown:
        raise ValueError(
            f'The formula "{formula}" names {", ".join(unknown)}, which the table does not have. '
            f"Its columns are {', '.join(map(str, frame.columns))}."
        )
    return [name for name in frame.columns if str(name) in names]


def usable(formula: str, frame: pd.DataFrame, controls: Sequence[str]) -> str:
    """Return a formula without the controls that can't be used with a table.

    Parameters
    ----------
    formula : str
    frame : DataFrame
        The rows of the model.
    controls : sequence of str
        Columns that may be left out, by the rules of `controls.left_out`, with every term that
        has one of them; `controls.controls_in_words` says which and why.

    Raises
    ------
    ValueError
        If the formula has an unknown name that is no control; the message lists the columns.
    """
    columns(formula, frame, controls)
    in_order = [name for term in terms(formula) for name in controls if name in _names(term)]
    reasons = left_out(frame, list(dict.fromkeys(in_order)))
    unused = {name for name, reason in reasons.items() if reason}
    return without_columns(formula, *unused)


def coded(formula: str, data: pd.DataFrame) -> pd.DataFrame:
    """Return the columns that a formula names, as patsy reads them rightly, in complete rows.

    Text becomes categories (the design is the same; patsy looks at text value by value), without
    those that no row has; an outcome of true and false becomes 1 and 0; decimals and pandas'
    nullable numbers become floats. An outcome of text or categories is refused: the first level
    would silently count as 1. So are infinite values, and a table without a complete row.
    """
    names = columns(formula, data)
    left = outcome(formula) if "~" in formula else None
    found = pd.DataFrame({name: _plain(data[name], name == left) for name in names}, data.index)
    found = found.dropna()
    if names and found.empty:
        raise NotEstimable(
            text(
                "None of {n:,} rows has every one of {columns}.",
                n=len(data),
                columns=", ".join(map(str, names)),
            )
        )
    words = {name: each.cat for name, each in found.select_dtypes("category").items()}
    return found.assign(**{
        name: found[name].astype(object).astype(bool)
        if pd.api.types.is_bool_dtype(each.categories)
        else each.remove_unused_categories()
        for name, each in words.items()
    })  # fmt: skip


def _joined(left: str, right: Iterable[str]) -> str:
    """Return a formula of these terms, each of them once."""
    once = {}
    for term in right:
        once.setdefault(_bare(term), term)
    text = " + ".join(once.values()) or "1"
    return f"{left} ~ {text}" if left else text


def _bare(term: str) -> str:
    """Return a term without spaces, and without the mark of a category."""
    return re.sub(r"^C\((\w+)\)$", r"\1", re.sub(r"\s", "", term))


@lru_cache
def _names(formula: str) -> frozenset[str]:
    """Return the names that a formula uses, of columns and of functions."""
    found = set()
    for side in (formula.partition("~") if "~" in formula else (formula,))[::2]:
        described = patsy.ModelDesc.from_formula(side)
        factors = {factor for term in described.rhs_termlist for factor in term.factors}
        for node in (each for factor in factors for each in ast.walk(ast.parse(factor.code))):
            if isinstance(node, ast.Name):
                found.add(node.id)
            elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Q":
                found.add(ast.literal_eval(node.args[0]))
    return frozenset(found)


def _plain(values: pd.Series, is_outcome: bool) -> pd.Series:
    """Return a column as floats, true and false or categories; see `coded`."""
    known, is_object = values.dropna(), values.dtype == object
    kind = known.infer_objects().dtype if is_object else values.dtype
    is_bool = pd.api.types.is_bool_dtype(kind)
    if is_bool and not is_outcome:
        return values.astype("category" if values.isna().any() else bool)
    is_decimal = is_object and len(known) and known.map(lambda v: isinstance(v, Decimal)).all()
    if is_bool or is_decimal or pd.api.types.is_numeric_dtype(kind if is_outcome else values):
        is_plain = isinstance(values.dtype, np.dtype) and values.dtype.kind in "iuf"
        plain = floats(values)
        return values if is_plain else plain
    if is_outcome:
        raise ValueError(
            f'The outcome "{values.name}" must be numbers, or true and false; it has '
            f"{known.nunique():,} different values of the type {values.dtype}."
        )
    return values.astype("category")
