"""What customers answer after a lot: the rating that an offer moves, and what that brings about."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.cohorts import landmark
from analysis.data.region import Region
from analysis.language import text
from analysis.statistics import weighting
from analysis.statistics.estimate import NotEstimable
from analysis.statistics.measurement import scales
from analysis.statistics.trial.units import coded

LEAST = 100
"""Answers from before the lot that make the unit of a rating."""
LEAST_LEFT = 0.1
"""Share of an opinion's variance that is not explained, at least."""


def scores(answers: pd.DataFrame) -> pd.DataFrame:
    """Return what trials ask of answers: service, satisfaction (indices), price_sensitivity."""
    service = answers[["added_service", "personnel_value"]].mean(axis=1, skipna=False)
    return pd.DataFrame(
        {
            "service": service,
            "satisfaction": scales.index(answers, "satisfaction"),
            "price_sensitivity": answers["price_sensitivity"],
        }
    ).astype(float)


def first_after(
    region: Region, units: pd.DataFrame, within: int, names: Sequence[str]
) -> pd.DataFrame:
    """Return the first answers of units, by unit, with all of some scores; missing without one.

    Parameters
    ----------
    units : DataFrame
        By unit: customer_id and assigned_on.
    within : int
        Days after that of the lot.
    names : sequence of str
        As from `scores`.
    """
    rows = region.survey.dropna(subset=["answered_on"])
    rows = scores(rows)[[*names]].assign(**rows[["customer_id", "answered_on"]]).dropna()
    own = units[["customer_id", "assigned_on"]].reset_index(names="unit")
    both = own.merge(rows, on="customer_id").sort_values("answered_on", kind="stable")
    wait = (both["answered_on"].dt.normalize() - both["assigned_on"].dt.normalize()).dt.days
    return both[wait.between(1, within)].groupby("unit")[[*names]].first().reindex(units.index)


def before(region: Region, day: dt.date) -> pd.DataFrame:
    """Return each customer's latest answers of a day's end, with their `scores`.

    They say what a standard deviation is, which no arm has moved if the lots came after.

    Raises
    ------
    NotEstimable
        If they are fewer than `LEAST`.
    """
    known = region.answers(until=day)
    if len(known) < LEAST:
        raise NotEstimable(
            text(
                "{n:,} customers answered the survey until {day}, whose spread is the unit of the "
                "outcome; {least} are needed.",
                n=len(known),
                day=day,
                least=LEAST,
            )
        )
    return known.assign(**scores(known))


def in_deviations(found: pd.Series, known: pd.DataFrame, name: str) -> pd.Series:
    """Return a score in standard deviations of the answers from before (see `before`)."""
    return found / weighting.spread(known[name], known)


def as_opinions(
    region: Region, found: pd.Series, known: pd.DataFrame, name: str, given: str
) -> pd.Series:
    """Return an item in residual standard deviations of the opinion behind it.

    That is the unit of an ordered probit, fitted to the answers from before (see `before`), of the
    item on another score and on segment, area and tenure.
    """
    rows = known.dropna(subset=[name, given]).join(landmark.traits(region))
    opinion = scales.opinions(rows[name])
    tenure = landmark.log_years((rows["answered_on"] - rows["joined_on"]).dt.days)
    x = coded(rows[[given, "segment", "area"]].assign(tenure=tenure)).assign(constant=1.0)
    y = opinion[rows[name]].to_numpy()
    explained = (x.to_numpy() @ np.linalg.lstsq(x.to_numpy(), y)[0]).var()
    scored = np.interp(found, opinion.index, opinion / np.sqrt(max(1 - explained, LEAST_LEFT)))
    return pd.Series(scored, found.index).where(found.notna())
