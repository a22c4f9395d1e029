"""Generalised linear models whose maximum exists, or the count that is too small for one."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import statsmodels.api as sm
from numpy.typing import ArrayLike
from scipy import linalg, optimize
from statsmodels.tools.sm_exceptions import ModelWarning

from analysis.language import text
from analysis.statistics.estimate import NotEstimable

FAMILIES = {
    "gaussian": sm.families.Gaussian,
    "poisson": sm.families.Poisson,
    "binomial": sm.families.Binomial,
}
LEAST_EVENTS = 2
"""Events that each coefficient needs: below, estimates are mostly chance (see `fit`)."""
FAR = 12.0
"""Log odds of a fitted row beyond which a maximum may lie at infinity: 6 in a million."""
LEAST_SPREAD = 1e-6
"""Standard deviation of a column as a share of its largest value."""
_SEPARATES = 1e-6
"""Least distance that a direction must put between rows to tell them apart."""


class Separated(NotEstimable):
    """Columns tell rows with the outcome from rows without it, and leave no exception."""


def fit(model: sm.GLM | sm.WLS, family: str, outcome: str, rows: str = "rows"):
    """Fit a model of statsmodels, or say why the data do not allow it.

    `outcome` and `rows` are what the reader calls the outcome ("lapse"), and whom rows stand for.
    Refused are outcomes that are the same in every row or above 0 (binomial: of either kind) in
    fewer than `LEAST_EVENTS` rows for each coefficient; columns that differ by less than
    `LEAST_SPREAD` of their size, which no float can tell well from a constant; fits that do not
    converge; and, as `Separated`, those of which a coefficient would be infinite.

    Ten events for each coefficient is the usual advice; five to nine do nearly as well, two to
    four often give wide or biased answers (Vittinghoff and McCulloch 2007, American Journal of
    Epidemiology 165, 710-718), and what ruins them is separation (van Smeden et al. 2016, BMC
    Medical Research Methodology 16, 163). So two are the least that is let through, and separation
    is tested for by itself: by linear programming (Konis 2007, DPhil thesis, University of Oxford;
    for counts Correia et al. 2019, arXiv 1903.01633), without a look at how far a fit has come.
    """
    x, y = np.asarray(model.exog, float), np.asarray(model.endog, float)
    highest = 1 if family == "binomial" else np.inf
    if family != "gaussian" and (y.min() < 0 or y.max() > highest):
        raise ValueError(f"A {family} outcome must lie between 0 and {highest}.")
    _check_events(x, y, family, outcome, rows)
    _check_offsets(x, model.exog_names)
    found = _maximum(model)
    has_converged = found is not None and getattr(found, "converged", True)
    is_near = has_converged and not np.abs(x @ np.asarray(found.params)).max() > FAR
    if family == "poisson" or (family == "binomial" and not is_near):
        direction = separating(x, y, family)
        if direction is not None:
            raise Separated(_told_apart(direction, x, y, model.exog_names, outcome, rows))
    if not has_converged or not np.isfinite(found.params).all():
        raise NotEstimable(
            text(
                "A {family} model of {outcome} ({n:,} {rows}) does not converge.",
                family=family,
                outcome=outcome,
                n=len(y),
                rows=rows,
            )
        )
    return found


def unitless(x: ArrayLike) -> ArrayLike:
    """Return columns divided by their size, so that ranks do not depend on units."""
    return x / _sizes(x)


def _sizes(x: ArrayLike) -> np.ndarray:
    """Return the largest number of each column, 1 where all are 0."""
    size = np.abs(np.asarray(x)).max(axis=0, initial=0)
    return np.where(size > 0, size, 1.0)


def check_family(family: str) -> None:
    """Refuse an unknown family."""
    if family not in FAMILIES:
        raise ValueError(f'Unknown family "{family}"; known are {", ".join(FAMILIES)}.')


def separating(x: np.ndarray, y: np.ndarray, family: str) -> np.ndarray | None:
    """Return a direction along which the likelihood rises for ever; None if there is none.

    Along it no row of x, shape (n, k), moves away from its outcome: rows with the highest possible
    outcome (1, of a binomial family) only rise, those with 0 only fall, all others stay.
    """
    scale = _sizes(x)
    lowest, highest = y == 0, (y == 1) & (family == "binomial")
    inside = ~(lowest | highest)
    fixed = np.linalg.qr(x[inside] / scale, mode="r")  # as the rows, but no more than columns
    free = linalg.null_space(fixed) if inside.any() else np.eye(x.shape[1])
    if free.shape[1] == 0:
        return None
    toward = np.where(highest, 1.0, -1.0)[~inside, None] * (x[~inside] / scale) @ free
    found = optimize.linprog(-toward.sum(axis=0), -toward, np.zeros(len(toward)), bounds=(-1, 1))
    if found.status != 0 or (toward @ found.x).max() < _SEPARATES:
        return None
    return free @ found.x / scale


def not_separating(x: np.ndarray, y: np.ndarray, family: str) -> list[int]:
    """Return the columns that do not, with the kept ones before them, separate the outcome."""
    kept: list[int] = []
    for j in range(x.shape[1]):
        if separating(x[:, [*kept, j]], y, family) is None:
            kept.append(j)
    return kept


def _check_events(x: np.ndarray, y: np.ndarray, family: str, outcome: str, rows: str) -> None:
    """Refuse outcomes that do not differ, and those of too few rows."""
    n, k = x.shape
    if np.ptp(y) <= 1e-12 * np.abs(y).max():
        raise NotEstimable(
            text(
                "{outcome} is {value:g} in all {n:,} {rows}.",
                outcome=outcome,
                value=y[0] + 0.0,
                n=n,
                rows=rows,
            )
        )
    if family == "gaussian":
        return
    some = int((y > 0).sum())
    events = min(some, n - some) if family == "binomial" else some
    if events < LEAST_EVENTS * (k - 1):
        known = {"events": events, "total": n, "rows": rows, "outcome": outcome}
        known |= {"n": k - 1, "needed": LEAST_EVENTS * (k - 1)}
        if events < some:
            said = text(
                "Only {events:,} of {total:,} {rows} do not have {outcome} above 0; {n} "
                "coefficient needs {needed}.",
                "Only {events:,} of {total:,} {rows} do not have {outcome} above 0; {n} "
                "coefficients need {needed}.",
                **known,
            )
        else:
            said = text(
                "Only {events:,} of {total:,} {rows} have {outcome} above 0; {n} coefficient "
                "needs {needed}.",
                "Only {events:,} of {total:,} {rows} have {outcome} above 0; {n} coefficients "
                "need {needed}.",
                **known,
            )
        raise NotEstimable(said)


def _check_offsets(x: np.ndarray, names: Sequence[str]) -> None:
    """Refuse columns that hardly differ beside their size: their slopes would be rounding."""
    spread, size = x.std(axis=0), np.abs(x).max(axis=0)
    for j in np.flatnonzero((np.ptp(x, axis=0) > 0) & (spread < LEAST_SPREAD * size)):
        raise NotEstimable(
            text(
                '"{column}" differs by only {spread:.3g} about {mean:.3g}; take its mean '
                "away first.",
                column=names[j],
                spread=spread[j],
                mean=x[:, j].mean(),
            )
        )


def _maximum(model: sm.GLM):
    """Fit a model; None where the steps lead nowhere. Convergence does not depend on the unit."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", ModelWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            if isinstance(model, sm.WLS):
                return model.fit()
            if isinstance(
                model.family, sm.families.Binomial
            ):  # of many rows in a tenth of the time
                found = model.fit(method="newton", max_start_irls=0, disp=False)
                if found.mle_retvals["converged"] and np.isfinite(found.params).all():
                    return found
            y, weight = model.endog, model.var_weights
            null = model.family.deviance(y, np.full(len(y), y.mean()), weight)
            return model.fit(atol=1e-13 * null, rtol=1e-13)  # in the unit of the outcome
        except (ValueError, np.linalg.LinAlgError):
            return None


def _told_apart(
    direction: np.ndarray, x: np.ndarray, y: np.ndarray, names: Sequence[str], outcome: str,
    rows: str,
) -> str:  # fmt: skip
    """Say which rows a direction tells apart, by a group of them where that is one."""
    for j in np.argsort(-np.abs(direction)):
        inside = x[:, j] == 1
        if np.isin(x[:, j], (0, 1)).all() and 0 < inside.sum() < len(y) and direction[j]:
            some = int((y[inside] > 0).sum())
            if some in (0, inside.sum()):
                return text(
                    'Of {n:,} {rows} with "{name}", {some:,} have {outcome} above 0: where all or '
                    "none have it, there is no finite ratio.",
                    n=inside.sum(), rows=rows, name=names[j], some=some, outcome=outcome,
                )  # fmt: skip
    apart = int((np.abs(x @ direction) > _SEPARATES).sum())
    used = [str(names[j]) for j in range(len(names)) if direction[j] and np.ptp(x[:, j])]
    return text(
        "{names} tell apart, without an exception, which of {apart:,} of {n:,} {rows} have "
        "{outcome} above 0: there is no finite ratio.",
        names=text(" and ").join(used), apart=apart, n=len(y), rows=rows, outcome=outcome,
    )  # fmt: skip
