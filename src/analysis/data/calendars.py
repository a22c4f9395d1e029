"""Working days of countries, make-up days on weekends included."""

from __future__ import annotations

from functools import lru_cache

import holidays
import numpy as np
import pandas as pd

from analysis.data.errors import DataError
from analysis.data.places import check_calendar


def working_days(opened: pd.Series, closed: pd.Series, country: str) -> pd.Series:
    """Count the working days from the opening to the closing of each case.

    The opening day is day 0, or the next working day if it is a day off. A case that is closed
    on the same day, or on days off right after it, took 0 days.

    Parameters
    ----------
    opened, closed : Series of datetime64, shape (n,)
        With the same index. The hour does not count.
    country : str
        Code of the country, or of a part of it: "CN", "DE-BY".

    Returns
    -------
    Series of float, shape (n,)
        In working days; missing where a date is, and where a case was closed on a day before
        it was opened.

    Raises
    ------
    DataError
        If the country is unknown, or its working days in a year of these cases are.
    ValueError
        If the two do not have the same index.
    """
    if not opened.index.equals(closed.index):
        raise ValueError("opened and closed must have the same index.")
    days = pd.Series(np.nan, index=opened.index)
    first, last = _dates(opened), _dates(closed)
    is_counted = first <= last  # never true of a missing date
    if is_counted.any():
        first, last = first[is_counted], last[is_counted]
        _check_years(country, first, last)
        calendar = _calendar(country, _year(first.min()), _year(last.max()))
        passed = np.busday_count(first, last + 1, busdaycal=calendar) - 1
        days[is_counted] = np.maximum(passed, 0)
    return days


def working_days_later(days: pd.Series, count: int, country: str) -> pd.Series:
    """Return the day that is some working days later.

    The first day is day 0, or the next working day if it is a day off, as in `working_days`.

    Parameters
    ----------
    days : Series of datetime64, shape (n,)
        The hour does not count.
    count : int
        Working days, 0 or more.
    country : str
        As in `working_days`.

    Returns
    -------
    Series of datetime64, shape (n,)
        Missing where the day is.

    Raises
    ------
    DataError
        As in `working_days`.
    ValueError
        If `count` is negative.
    """
    if count < 0:
        raise ValueError(f"count must be 0 or more, not {count}.")
    later, known = _dates(days), days.notna().to_numpy()
    if known.any():
        first = later[known]
        # No country works fewer than 150 days a year; one more year ends the last holidays.
        calendar = _calendar(country, _year(first.min()), _year(first.max()) + 1 + count // 150)
        later[known] = np.busday_offset(first, count, roll="forward", busdaycal=calendar)
        _check_years(country, first, later[known])
    return pd.Series(later.astype("datetime64[us]"), index=days.index)


def _dates(moments: pd.Series) -> np.ndarray:
    """Return the days of moments."""
    return pd.to_datetime(moments).to_numpy().astype("datetime64[D]")


def _year(day: np.datetime64) -> int:
    """Return the year of a day."""
    return day.item().year


@lru_cache(maxsize=16)
def _calendar(country: str, first: int, last: int) -> np.busdaycalendar:
    """Return the working days of some years; every day off, weekends too, is a holiday.

    A holiday can be moved across New Year, which the next year's table says.
    """
    holiday = _holidays(country, range(first - 1, last + 2))
    days = np.arange(f"{first}-01-01", f"{last + 1}-01-01", dtype="datetime64[D]")
    is_off = [not holiday.is_working_day(day) for day in days.tolist()]
    return np.busdaycalendar(weekmask="1111111", holidays=days[is_off])


def _holidays(country: str, years: range) -> holidays.HolidayBase:
    """Return the holidays of a country, or of a part of it."""
    code, _, part = check_calendar(country).partition("-")
    return holidays.country_holidays(code, subdiv=part or None, years=years)


def _check_years(country: str, first: np.ndarray, last: np.ndarray) -> None:
    """Refuse years whose working days are not published, or not in the package.

    Where weekend days are worked in exchange for days off, a government says so year by year;
    outside those years the package would return the statutory holidays alone.
    """
    holiday = _holidays(country, range(0))
    known = [holiday.start_year, holiday.end_year]
    if holiday.has_substituted_holidays:
        table = holiday.special_public_holidays
        known = [max(known[0], min(table)), min(known[1], max(table))]
    missing = {_year(first.min()), _year(last.max())} - set(range(known[0], known[1] + 1))
    if missing:
        raise DataError(
            f"The working days of {country!r} are known from {known[0]} to {known[1]}, "
            f"and the data needs {min(missing)}. A newer version of the package 'holidays' may "
            "know that year."
        )
