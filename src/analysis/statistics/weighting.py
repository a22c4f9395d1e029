"""Weights of survey answers: how many customers of the population each answer stands for.

A table of answers carries them as a column, `COLUMN`; whatever is estimated from a table takes
them from there, and its errors are robust ones that take the answers, not the customers they stand
for, as what was observed. Only their proportions count. Tables without the column, or whose weights
are all alike, are not weighted.

Of 2,500 simulated samples whose outcome decided who answered, 95 % intervals of a weighted slope,
and of a weighted mean, held the truth in 95 to 96 % at a design effect of 1.1 to 1.2, and in 94 to
95 % at 1.7 (300 and 1,000 answers). With the degrees of freedom of Kish's number these were 92 to
93 %: a few answers that stand for many decide the error as well. Without the weights a slope was
held in 90 % down to 4 %.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.statistics._aligned import aligned

COLUMN = "weight"
OF_ANSWER = "answer_weight"
"""Column with the same in a table of all customers, of whom only some were asked."""
_ALIKE = 1e-12


def of(frame: pd.DataFrame) -> np.ndarray | None:
    """Return a table's weights, scaled to a mean of 1, shape (n,); None where it is not weighted.

    A ValueError says that some rows have a weight and others have none, or that one is negative or
    infinite, or all are 0.
    """
    if COLUMN not in frame or frame[COLUMN].isna().all():
        return None
    given = frame[COLUMN].to_numpy(float, na_value=np.nan)
    if not (np.isfinite(given) & (given >= 0)).all() or not given.any():
        raise ValueError(
            f'"{COLUMN}" must be a number of 0 or more in every row, and above 0 in some.'
        )
    scaled = given / given.mean()
    return None if np.ptp(scaled) <= _ALIKE else scaled


def answered(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that stand for somebody: an answer of weight 0 says nothing of a model."""
    return frame if of(frame) is None else frame[frame[COLUMN].to_numpy(float) > 0]


def of_fit(fit: object) -> pd.Series:
    """Return the weights of the rows of a least-squares fit or GLM of statsmodels."""
    model = fit.model
    own = getattr(model, "var_weights", getattr(model, "weights", None))
    return pd.Series(np.broadcast_to(own, len(model.endog)), name=COLUMN)


def of_those_asked(frame: pd.DataFrame) -> pd.DataFrame:
    """Return rows of customers who were all asked, weighted by their answers (`OF_ANSWER`)."""
    if OF_ANSWER not in frame:
        return frame
    return frame.drop(columns=COLUMN, errors="ignore").rename(columns={OF_ANSWER: COLUMN})


def effective_size(weight: np.ndarray | None, n: int) -> float:
    """Return the answers of equal weight that tell as much as these n, as scaled by `of`.

    Kish, L. (1965). Survey Sampling. Wiley, section 11.7: n over 1 plus the relative variance of
    the weights.
    """
    return float(n) if weight is None else float(weight.sum() ** 2 / (weight @ weight))


def size(frame: pd.DataFrame) -> float:
    """Return the effective number of a table's answers; that of its rows if it is not weighted."""
    return effective_size(of(frame), len(frame))


def degrees_of_freedom(parts: np.ndarray, weight: np.ndarray | None, most: float) -> float:
    """Return the degrees of freedom of a weighted estimate's t.

    Its standard error is estimated, too, and the worse the fewer answers decide it. Each squared
    part tells of its own variance alone; what this would take away with equal weights is not
    taken, so that these have the degrees of freedom that no weights have.

    Parameters
    ----------
    parts : ndarray, shape (n,)
        What each answer adds to the error, whose square is the sum of their squares.
    weight : ndarray, shape (n,), or None
        As from `of`.
    most : float
        Degrees of freedom where no answer counts more than others.

    References
    ----------
    Lipsitz, S. R., Ibrahim, J. G., Parzen, M. (1999). A degrees-of-freedom approximation for a
    t-statistic with heterogeneous variance. Journal of the Royal Statistical Society D 48, 495-506.
    """
    if weight is None or not parts.any():
        return most
    answered = weight > 0
    parts, alike = parts[answered], parts[answered] / weight[answered]
    fewer = max(_concentration(parts) - _concentration(alike), 0.0)
    return max(1 / (1 / most + fewer), 1.0) if fewer else most


def _concentration(parts: np.ndarray) -> float:
    """Return one over the number of equal parts whose squares vary as much."""
    squares = (parts / np.abs(parts).max()) ** 2
    return float((squares**2).sum() / squares.sum() ** 2)


def _of_rows(values: pd.Series, frame: pd.DataFrame) -> pd.Series:
    """Return values in the order of a table's rows, by their labels; see `_aligned.aligned`."""
    return aligned(frame[COLUMN], values)[1]


def average(values: pd.Series, frame: pd.DataFrame) -> float:
    """Return the weighted mean of values of a table's rows; missing ones are left out.

    It is missing where no known value has a weight above 0.
    """
    weight = of(frame)
    if weight is None:
        return values.mean()
    values = _of_rows(values, frame)
    known = values.notna().to_numpy() & (weight > 0)
    if not known.any():
        return np.nan
    return float(np.average(values.to_numpy(float, na_value=np.nan)[known], weights=weight[known]))


def spread(values: pd.Series, frame: pd.DataFrame) -> float:
    """Return the weighted standard deviation of values of a table's rows, with n - 1."""
    if of(frame) is None:
        return values.std()
    values = _of_rows(values, frame)
    n = (values.notna() & (frame[COLUMN] > 0)).sum()
    if n < 2:
        return np.nan
    squares = (values.astype(float) - average(values, frame)) ** 2
    return float(np.sqrt(average(squares, frame) * n / (n - 1)))


def means(frame: pd.DataFrame, names: Sequence[str]) -> pd.Series:
    """Return weighted means of columns; missing values are left out."""
    if of(frame) is None:
        return frame[list(names)].mean()
    return pd.Series({name: average(frame[name], frame) for name in names}, dtype=float)


def spreads(frame: pd.DataFrame, names: Sequence[str]) -> pd.Series:
    """Return weighted standard deviations of columns, with n - 1 for n known values."""
    if of(frame) is None:
        return frame[list(names)].std()
    return pd.Series({name: spread(frame[name], frame) for name in names}, dtype=float)


def covariance(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return the weighted covariances of columns without missing values, with n - 1."""
    weight, values = of(frame), frame[list(names)].astype(float)
    if weight is None:
        return values.cov()
    n = int((weight > 0).sum())
    found = np.cov(values.to_numpy().T, aweights=weight, ddof=0) * n / (n - 1)
    return pd.DataFrame(np.atleast_2d(found), values.columns, values.columns)


def correlations(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return the weighted correlations of columns, in the rows that have all of them."""
    if of(frame) is None:
        return frame[list(names)].corr()
    found = covariance(frame.dropna(subset=list(names)), names)
    scale = np.sqrt(np.diag(found))
    return found / np.outer(scale, scale)


def correlation(frame: pd.DataFrame, first: str, second: str) -> float:
    """Return the weighted correlation of two columns, in the rows that have both."""
    if of(frame) is None:
        return frame[first].corr(frame[second])
    return float(correlations(frame, [first, second]).iloc[0, 1])


def shares(values: pd.Series, frame: pd.DataFrame) -> pd.Series:
    """Return the weighted share of each value of a table's rows; missing ones are left out."""
    weight = of(frame)
    if weight is None:
        return values.value_counts(normalize=True)
    sums = pd.Series(weight).groupby(_of_rows(values, frame).to_numpy()).sum()
    return sums / sums.sum()


def quantile(frame: pd.DataFrame, name: str, share: float) -> float:
    """Return the value at and below which a share of the customers lies, missing ones left out."""
    rows = frame.dropna(subset=[name]).sort_values(name, kind="stable")
    weight = of(rows)
    if weight is None:
        return rows[name].quantile(share)
    upto = np.cumsum(weight) / weight.sum()
    return float(rows[name].iloc[min(np.searchsorted(upto, share), len(rows) - 1)])


def by_group(frame: pd.DataFrame, by: str | Sequence[str] | pd.Series, name: str) -> pd.DataFrame:
    """Return a column's mean, its standard error, variance and count in each group.

    Parameters
    ----------
    frame : DataFrame
    by : str, sequence of str or Series
        As `DataFrame.groupby` takes it; a category without rows has a row of its own.
    name : str
        Column; missing values are left out of all but the size.

    Returns
    -------
    DataFrame
        By group: mean, sem (linearised, as of a ratio of sums; missing where values are all
        equal), var, size (rows).

    References
    ----------
    Lumley, T. (2010). Complex Surveys: A Guide to Analysis Using R. Wiley, section 2.2.
    """
    groups = frame.groupby(by, observed=False)
    if of(frame) is None:
        found = groups[name].agg(["mean", "sem", "var", "size"])
        return found.assign(sem=found["sem"].where(groups[name].nunique() > 1))
    counts = groups.size()
    found = groups[[name, COLUMN]].apply(_described).reindex(counts.index)
    return found.assign(size=counts)


def _described(rows: pd.DataFrame) -> pd.Series:
    """Return mean, standard error and variance of the first column by weights of the second."""
    values, weight = rows[rows.iloc[:, 1] > 0].dropna().to_numpy(float).T
    n, total = len(values), weight.sum()
    if not total:
        return pd.Series({"mean": np.nan, "sem": np.nan, "var": np.nan})
    mean = weight @ values / total
    away, factor = values - mean, n / (n - 1) if n > 1 else np.nan
    error = np.sqrt(factor * ((weight * away) ** 2).sum()) / total if np.ptp(values) else np.nan
    return pd.Series({"mean": mean, "sem": error, "var": factor * (weight @ away**2) / total})
