"""Working days: against the published Chinese calendar, numpy and cases worked out by hand."""

import datetime as dt

import chinese_calendar
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.data.calendars import working_days, working_days_later
from analysis.data.errors import DataError
from analysis.data.places import check_timezone
from simulation import World, draw

COUNTRIES = st.sampled_from(["CN", "US", "DE-BY", "AE", "IL"])
DAYS = st.dates(dt.date(2021, 1, 1), dt.date(2024, 12, 31))


def moments(*texts):
    return pd.Series(pd.to_datetime(list(texts), format="ISO8601"))


def took(opened, closed, country="CN"):
    """Return the working days of one case."""
    return working_days(moments(str(opened)), moments(str(closed)), country)[0]


def later(day, count, country="CN"):
    """Return the day that is some working days after one day."""
    return working_days_later(moments(str(day)), count, country)[0].date()


@pytest.fixture(scope="module")
def chinese_days():
    """Return all days that chinese_calendar knows, and whether each is worked."""
    days = pd.Series(pd.date_range("2004-01-01", "2026-12-31"))
    return days, days.dt.date.map(chinese_calendar.is_workday).astype(bool)


# ---- against other calendars


def test_every_chinese_day_is_as_in_chinese_calendar_but_one(chinese_days):
    days, worked = chinese_days
    ours = working_days_later(days, 0, "CN") == days  # a day off moves to the next working day
    # The notice of New Year 2006 made this Saturday a working day; chinese_calendar has no
    # make-up day for it.
    assert days[ours != worked].dt.date.tolist() == [dt.date(2005, 12, 31)]
    assert ours[days == "2005-12-31"].all()


def test_many_cases_are_counted_as_with_the_days_of_chinese_calendar(chinese_days):
    days, worked = chinese_days
    rng = np.random.default_rng(1)
    opened = days.iloc[rng.integers(800, len(days) - 60, 20_000)].reset_index(drop=True)
    closed = opened + pd.to_timedelta(rng.integers(0, 60, len(opened)), unit="D")
    known = days[worked].to_numpy()
    expected = np.searchsorted(known, closed, "right") - np.searchsorted(known, opened, "left") - 1
    assert (working_days(opened, closed, "CN") == np.maximum(expected, 0)).all()


def test_without_holidays_it_is_numpys_count():
    spring = pd.date_range("2025-03-01", "2025-05-23")  # no federal holiday of the US
    pairs = pd.MultiIndex.from_product([spring, spring]).to_frame(index=False)
    pairs = pairs[(pairs[0] <= pairs[1]) & (pairs[0].dt.day_of_week < 5)]
    first, last = (pairs[k].to_numpy().astype("datetime64[D]") for k in (0, 1))
    assert len(pairs) > 2000
    assert (working_days(pairs[0], pairs[1], "US") == np.busday_count(first + 1, last + 1)).all()


def test_example_cases_are_the_same_by_numpys_count_and_the_chinese_calendar():
    cases = draw(World(), 300, 1)["complaints"].dropna(subset="resolved_at")
    opened, settled = (
        cases[name].to_numpy().astype("datetime64[D]") for name in ("opened_at", "resolved_at")
    )
    ours = working_days(cases["opened_at"], cases["resolved_at"], "CN")
    assert len(ours) > 30
    assert (ours == np.busday_count(opened, settled)).all()


# ---- by hand


@pytest.mark.parametrize(
    ("opened", "closed", "expected"),
    [
        # Spring Festival 2026: off from 15 to 23 February, Saturdays 14 and 28 are worked.
        ("2026-02-13", "2026-02-24", 2),  # the 14th, the 24th
        ("2026-02-14", "2026-02-24", 1),
        ("2026-02-14", "2026-02-23", 0),
        ("2026-02-16", "2026-02-23", 0),
        ("2026-02-16", "2026-02-24", 0),  # day 0 is the 24th
        ("2026-02-16", "2026-02-25", 1),
        ("2026-02-25", "2026-03-02", 4),  # the 26th, 27th and 28th, 2 March
        # National Day 2026: off from 1 to 7 October; 20 September, 10 October are worked.
        ("2026-09-18", "2026-09-21", 2),
        ("2026-09-30", "2026-10-08", 1),
        ("2026-10-08", "2026-10-12", 3),
        ("2026-10-11", "2026-10-12", 0),
    ],
)
def test_chinese_make_up_days_are_worked(opened, closed, expected):
    assert took(opened, closed) == expected


def test_a_friday_evening_case_takes_its_first_working_day_on_monday():
    friday = "2025-03-14T21:30"
    assert took(friday, "2025-03-14T21:45") == 0
    assert took(friday, "2025-03-16T12:00") == 0  # Sunday
    assert took(friday, "2025-03-17T08:00") == 1
    assert later(friday, 3) == dt.date(2025, 3, 19)


def test_american_holidays_are_off():
    assert took("2025-11-26", "2025-11-28", "US") == 1  # Thanksgiving
    # New Year 2022 is a Saturday, so that Friday 31 December 2021 is off.
    assert took("2021-12-30", "2021-12-31", "US") == 0
    assert took("2021-12-30", "2022-01-03", "US") == 1


def test_a_part_of_a_country_has_holidays_of_its_own():
    before, after = "2026-06-03", "2026-06-05"  # Corpus Christi lies between them
    assert took(before, after, "DE") == 2
    assert took(before, after, "DE-BY") == 1


def test_weekends_are_those_of_the_country_and_time():
    assert took("2026-01-08", "2026-01-11", "IL") == 1  # Thursday to Sunday
    assert took("2021-11-11", "2021-11-14", "AE") == 1  # Friday and Saturday until 2021
    assert took("2023-01-05", "2023-01-09", "AE") == 2  # Saturday and Sunday since 2022


# ---- properties


@given(COUNTRIES, DAYS, st.integers(0, 60), st.integers(0, 60))
def test_closing_later_never_takes_fewer_days(country, opened, days, more):
    closed = opened + dt.timedelta(days)
    assert 0 <= took(opened, closed, country) <= days
    assert took(opened, closed, country) <= took(opened, closed + dt.timedelta(more), country)


@given(COUNTRIES, DAYS, st.integers(0, 60), st.integers(0, 60))
def test_two_stretches_that_meet_on_a_working_day_add_up(country, opened, days, more):
    middle = later(opened + dt.timedelta(days), 0, country)
    closed = middle + dt.timedelta(more)
    parts = took(opened, middle, country) + took(middle, closed, country)
    assert took(opened, closed, country) == parts


@given(COUNTRIES, DAYS, st.integers(0, 60))
def test_the_day_later_inverts_the_count(country, opened, count):
    due = later(opened, count, country)
    assert took(opened, due, country) == count
    if count:
        assert took(opened, due - dt.timedelta(1), country) == count - 1


# ---- what is missing, what is refused


def test_a_missing_date_and_a_closing_before_the_opening_count_as_missing():
    opened = moments("2025-03-10", None, "2025-03-10", "2025-03-12").set_axis([5, 3, 9, 1])
    closed = moments("2025-03-12", "2025-03-12", None, "2025-03-10").set_axis([5, 3, 9, 1])
    days = working_days(opened, closed, "CN")
    assert days.index.tolist() == [5, 3, 9, 1]
    assert days[5] == 2
    assert days[[3, 9, 1]].isna().all()
    due = working_days_later(opened, 2, "CN")
    assert due[5] == pd.Timestamp("2025-03-12")
    assert due.isna().tolist() == [False, True, False, False]


def test_no_dates_at_all_give_no_days():
    nothing = moments(None, None)
    assert working_days(nothing, nothing, "CN").isna().all()
    assert working_days_later(nothing, 3, "CN").isna().all()


def test_a_year_whose_make_up_days_are_not_known_is_refused():
    message = r"working days of 'CN' are known from 2001 to (\d+), and the data needs 2100\."
    with pytest.raises(DataError, match=message):
        took("2026-12-30", "2100-01-05")
    with pytest.raises(DataError, match=r"and the data needs 2000\."):
        took("2000-12-29", "2001-01-05")


def test_a_day_later_that_falls_in_an_unknown_year_is_refused():
    with pytest.raises(DataError, match="and the data needs") as refusal:
        later("2026-12-30", 251 * 20)
    assert "2001 to" in str(refusal.value)
    assert later("2025-12-30", 1) == dt.date(2025, 12, 31)


def test_a_country_without_make_up_days_has_later_years():
    assert took("2027-07-02", "2027-07-06", "US") == 1  # 4 July is a Sunday, so Monday is off


def test_an_unknown_country_is_refused():
    with pytest.raises(DataError, match=r"calendar = 'CHN': .* Did you mean 'CN'\?"):
        took("2025-03-10", "2025-03-12", "CHN")
    with pytest.raises(DataError, match=r"DE has no part 'BYE'\. Did you mean 'DE-BY'\?"):
        later("2025-03-10", 1, "DE-BYE")


def test_other_mistakes_of_the_caller_are_refused():
    with pytest.raises(ValueError, match="count must be 0 or more, not -1"):
        later("2025-03-10", -1)
    with pytest.raises(ValueError, match="must have the same index"):
        working_days(moments("2025-03-10"), moments("2025-03-12").set_axis([7]), "CN")


# ---- time zones


def test_every_zone_that_is_known_is_one_of_the_engine():
    zones = [check_timezone(zone) for zone in ("Asia/Shanghai", "UTC", "Europe/Kyiv")]
    assert zones == ["Asia/Shanghai", "UTC", "Europe/Kyiv"]
    for zone in ("localtime", "Factory", "posixrules"):
        with pytest.raises(DataError, match="no time zone has this name"):
            check_timezone(zone)
