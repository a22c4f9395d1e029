"""What a claim lacks to be tested, and how many times the customers would be enough of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from analysis.claims import answer_weights
from analysis.figures.display import enumerated, in_words
from analysis.language import capitalised, named, phrase, text

LEAST_ROWS, MOST_ALIKE = 50, 0.99


class Few(str):
    """A sentence that says of what there is too little: `n`, where `least` are needed."""

    def __new__(cls, said: str, n: float, least: float) -> Few:
        """Keep how many times the customers there would be enough; infinite where there is none."""
        made = super().__new__(cls, said)
        made.times = least / n if 0 < n < least else math.inf
        return made


def times_enough(lacks: Sequence[str]) -> float | None:
    """Return how many times its customers a region would have enough of all that it lacks.

    None where a sentence counts nothing, or nothing is there to count on.

    Examples
    --------
    >>> times_enough([Few("Lost: 4; 5 are needed.", 4, 5), Few("10 of 25.", 10, 25)])
    2.5
    """
    times = [each.times if isinstance(each, Few) else math.inf for each in lacks]
    return max(times) if times and math.isfinite(max(times)) else None


def lacking(
    frame: pd.DataFrame, names: Sequence[str], least: int = LEAST_ROWS, what: str = ""
) -> list[str]:
    """Say why a model of these columns can't be fitted; an empty list if it can.

    Parameters
    ----------
    frame : DataFrame
        One row per customer, or whatever `what` says.
    names : sequence of str
        Columns that must be known and differ.
    least : int
        Rows that are needed.
    what : str
        What a row is, for the sentence; by default customers.
    """
    rows, what = frame.dropna(subset=list(names)), named(what or "customers")
    size, n = answer_weights.counted(rows)
    if size < least:
        said = text(
            "{what} with a value for all of {names}: {n}; {least} are needed.",
            what=capitalised(what), names=enumerated(map(in_words, names)),
            n=n, least=least,
        )  # fmt: skip
        return [Few(said, size, least)]
    same = (name for name in names if rows[name].nunique() == 1)
    said = phrase("All {n:,} {what} have the same {name}.")
    return [text(said, n=len(rows), what=what, name=in_words(name)) for name in same]


def too_small(cells: pd.DataFrame, least: int) -> list[str]:
    """Say which cells of a table of counts hold fewer customers than are needed."""
    counts = cells.stack()
    said = phrase("Customers who are {row} and {column}: {n:,}; {least} are needed.")
    facts = [
        {"row": in_words(row), "column": in_words(column), "n": count, "least": least}
        for (row, column), count in counts[counts < least].items()
    ]
    return [Few(text(said, **each), each["n"], least) for each in facts]


def few_in_arm(
    counts: pd.Series, what: str, least: int = 10, others: str = "", who: str = "customers"
) -> list[str]:
    """Say that too few (`who`) were treated, or too few were not (`others`); counts by 1 and 0."""
    counts, who = counts.reindex([1, 0], fill_value=0), named(who)
    said = phrase("{who} {what}: {n:,}; {others}: {n_not:,}; {least} of each are needed.")
    facts = {"who": capitalised(who), "what": what, "n": counts[1], "n_not": counts[0]}
    facts |= {"others": others or text("not {what}", what=what), "least": least}
    return [] if counts.min() >= least else [Few(text(said, **facts), counts.min(), least)]


def few_ends(
    treated: pd.Series, retained: pd.Series, what: str, least: int, others: str = ""
) -> list[str]:
    """Say which of treated and not treated (`others`) have too few who stayed or were lost."""
    cells = pd.crosstab(treated, retained).reindex(index=[1, 0], columns=[1, 0], fill_value=0)
    cells.index = [what, others or text("not {what}", what=what)]
    cells.columns = [text("still there a year later"), text("lost")]
    return too_small(cells, least)


def nothing_in(values: pd.Series, what: str) -> list[str]:
    """Say that a quantity is above 0 for nobody; an empty list if it is for some."""
    is_something = values.empty or (values > 0).any()
    return [] if is_something else [text("Nobody has {what} above 0.", what=what)]


def few_answers(frame: pd.DataFrame, names: Sequence[str], least: int = 3) -> list[str]:
    """Say which columns have too few different values for a model that bends."""
    few = (in_words(name) for name in names if frame[name].nunique() < least)
    said = phrase("There are fewer than {least} different answers on {name}.")
    return [text(said, least=least, name=name) for name in few]


def same_answers(frame: pd.DataFrame, first: str, second: str) -> list[str]:
    """Say that two columns are one and the same, or each other's mirror."""
    if abs(frame[first].astype(float).corr(frame[second].astype(float))) <= MOST_ALIKE:
        return []
    one, other = (in_words(name).lower() for name in (first, second))
    return [text("{first} and {second} can't be told apart.", first=one.capitalize(), second=other)]
