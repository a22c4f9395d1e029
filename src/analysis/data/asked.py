"""Whether a survey was answered at the time that a claim needs."""

from __future__ import annotations

import datetime as dt

import pandas as pd

from analysis.language import text

QUARTER = 91


def unasked(answered_on: pd.Series, end: dt.date, before: int) -> str:
    """Say that nobody answered in the quarter before a day, and when such answers are there.

    Parameters
    ----------
    answered_on : Series
        Days of answers.
    end : date
        Of the data.
    before : int
        Days from that day to the end of the data.

    Returns
    -------
    str
        Empty where somebody did.
    """
    day, known = end - dt.timedelta(days=before), answered_on.dropna().dt.normalize()
    wait = (pd.Timestamp(day) - known).dt.days
    if known.empty or wait.between(0, QUARTER - 1).any():
        return ""
    facts = {"day": day, "n": before, "until": known.max().date() + dt.timedelta(days=before)}
    if facts["until"] > end:
        return text(
            "Nobody answered in the quarter before {day}, {n} days before the data end. The latest "
            "answers will do once the data reach {until}.",
            **facts,
        )
    return text(
        "Nobody answered in the quarter before {day}, {n} days before the data end. The latest "
        "answers will do with as_of = {until} in the source.",
        **facts,
    )
