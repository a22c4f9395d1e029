"""Moments with a zone become the local time of the source, whoever reads them and wherever."""

import contextlib
import sqlite3

import duckdb
import pandas as pd
import pytest

from analysis.data import dataset, sources
from analysis.data.calendars import working_days
from analysis.data.reading import embedded as readers
from analysis.data.region import load_region
from analysis.data.validation.shown import described

LOCAL = ["2025-03-04 07:00:00", "2025-03-05 00:30:00", "2025-03-05 23:45:00"]
"""On a clock in Shanghai; the first two are on the day before in London."""

SHANGHAI = 'as_of = 2025-12-31\nmax_set_aside = 1.0\ncalendar = "CN"\n'
LINES = '[transactions]\nfile = "{}"\n'
TEXTS = {
    "an offset": lambda m: m.isoformat(),
    "an offset without a colon": lambda m: m.strftime("%Y-%m-%d %H:%M:%S%z"),
    "Z": lambda m: m.tz_convert("UTC").strftime("%Y-%m-%dT%H:%M:%SZ"),
    "UTC": lambda m: m.tz_convert("UTC").strftime("%Y-%m-%d %H:%M:%S UTC"),
    "no seconds": lambda m: m.tz_convert("UTC").strftime("%Y-%m-%d %H:%M+00"),
    "parts of seconds": lambda m: m.tz_convert("America/New_York").isoformat(
        timespec="microseconds"
    ),
    "no zone": lambda m: m.strftime("%Y-%m-%d %H:%M:%S"),
}


def moments(texts=LOCAL, zone="Asia/Shanghai"):
    return pd.Series(pd.to_datetime(list(texts))).dt.tz_localize(zone)


def lines(bought_at):
    n = len(bought_at)
    ids, amounts = (["a", "b"] * n)[:n], [float(each + 1) for each in range(n)]
    return pd.DataFrame({"customer_id": ids, "bought_at": bought_at, "amount": amounts})


def read_back(path):
    """Return when each line was bought, by its amount."""
    here = load_region(str(path), "North")
    assert here.rejected.empty
    bought = here.purchases.order_by("amount").to_pandas()["bought_at"]
    assert bought.dt.tz is None
    return bought.astype(str).tolist()


@pytest.mark.parametrize("text", TEXTS)
def test_texts_are_read_as_local_time(write_source, text):
    written = lines(moments().map(TEXTS[text])).to_csv(index=False)
    assert read_back(write_source(SHANGHAI, transactions=written)) == LOCAL


def test_days_and_moments_without_a_zone_stay_as_they_are_beside_others(write_source):
    written = lines(["2025-03-04", "2025-03-04 23:00", "2025-03-04T23:00:00Z"]).to_csv(index=False)
    expected = ["2025-03-04 00:00:00", "2025-03-04 23:00:00", "2025-03-05 07:00:00"]
    assert read_back(write_source(SHANGHAI, transactions=written)) == expected


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", ["Asia/Shanghai", "UTC", "America/New_York"])
def test_parquet_is_read_as_local_time_whatever_zone_it_was_written_in(write_source, zone, unit):
    path = write_source(SHANGHAI + LINES.format("lines.parquet"))
    written = moments().dt.tz_convert(zone).dt.as_unit(unit)
    lines(written).to_parquet(path.parent / "small" / "lines.parquet")
    assert read_back(path) == LOCAL


def test_parquet_without_a_zone_stays_as_it_is(write_source):
    path = write_source(SHANGHAI + LINES.format("lines.parquet"))
    lines(pd.to_datetime(LOCAL)).to_parquet(path.parent / "small" / "lines.parquet")
    assert read_back(path) == LOCAL


def write_duckdb(file):
    with duckdb.connect(str(file)) as own:
        own.sql("set timezone = 'America/New_York'")
        own.sql("create table customers as select 'a' customer_id, 'North' region")
        own.sql("insert into customers values ('b', 'North')")
        frame = lines(moments().map(pd.Timestamp.isoformat))
        own.register("frame", frame)
        zoned = "bought_at::timestamptz as bought_at"
        own.sql(f"create table lines as select * replace ({zoned}) from frame")


def write_sqlite(file):
    with contextlib.closing(sqlite3.connect(file)) as own:
        people = pd.DataFrame({"customer_id": ["a", "b"], "region": "North"})
        people.to_sql("customers", own, index=False)
        lines(moments().map(pd.Timestamp.isoformat)).to_sql("lines", own, index=False)


@pytest.mark.parametrize(("ending", "write"), [("duckdb", write_duckdb), ("sqlite", write_sqlite)])
def test_a_database_is_read_as_local_time(tmp_path, ending, write):
    write(tmp_path / f"own.{ending}")
    path = tmp_path / "own.toml"
    path.write_text(
        SHANGHAI + f'database = "own.{ending}"\n[customers]\nfile = "customers"\n'
        '[transactions]\nfile = "lines"\n'
    )
    assert read_back(path) == LOCAL


@pytest.mark.parametrize("session", ["UTC", "America/New_York", "Pacific/Auckland"])
def test_the_zone_of_the_engine_does_not_matter(write_source, monkeypatch, session):
    lock = readers._locked

    def elsewhere(engine, places):
        engine.raw_sql(f"set timezone = '{session}'")
        return lock(engine, places)

    monkeypatch.setattr(readers, "_locked", elsewhere)
    path = write_source(SHANGHAI + LINES.format("lines.parquet"))
    lines(moments()).to_parquet(path.parent / "small" / "lines.parquet")
    assert read_back(path) == LOCAL
    written = lines(moments().map(pd.Timestamp.isoformat)).to_csv(index=False)
    assert read_back(write_source(SHANGHAI, transactions=written)) == LOCAL


def test_an_hour_that_happens_twice_and_one_that_does_not(write_source):
    """In New York clocks went back at 06:00 UTC on 2 November 2025, ahead at 07:00 on 9 March."""
    written = lines(["2025-11-02T05:30:00Z", "2025-11-02T06:30:00Z", "2025-03-09T07:30:00Z"])
    top = 'as_of = 2025-12-31\ntimezone = "America/New_York"\n'
    expected = ["2025-11-02 01:30:00", "2025-11-02 01:30:00", "2025-03-09 03:30:00"]
    assert read_back(write_source(top, transactions=written.to_csv(index=False))) == expected


def test_a_format_with_an_offset(write_source):
    top = SHANGHAI + 'date_format = "%d.%m.%Y %H:%M %z"\n'
    written = lines(moments().dt.strftime("%d.%m.%Y %H:%M %z")).to_csv(index=False)
    people = "customer_id,region\na,North\nb,North\n"
    path = write_source(top, customers=people, transactions=written, survey=None)
    assert read_back(path) == LOCAL


@pytest.mark.parametrize("end", ["Z", " UTC", " GMT"])
def test_a_format_that_ends_in_a_zone_written_out(write_source, end):
    top = SHANGHAI + f'date_format = "%Y-%m-%dT%H:%M:%S{end}"\n'
    texts = moments().dt.tz_convert("UTC").dt.strftime(f"%Y-%m-%dT%H:%M:%S{end}")
    people = "customer_id,region\na,North\nb,North\n"
    written = lines(texts).to_csv(index=False)
    path = write_source(top, customers=people, transactions=written, survey=None)
    assert read_back(path) == LOCAL


WRONG = ["+25:00", "+99", "-15", "+14:30", "+08:75", "+08:00:30"]


def test_a_zone_that_no_clock_has_breaks_the_rule(write_source):
    wrong = [*WRONG, " UTC+08:00", " CST", "[Asia/Shanghai]"]
    texts = [f"2025-03-04T23:00:00{zone}" for zone in ("+14:00", "-12", *wrong)]
    path = write_source(SHANGHAI, transactions=lines(texts).to_csv(index=False))
    here = load_region(str(path), "North")
    bought = here.purchases.order_by("amount").to_pandas()["bought_at"].astype(str).tolist()
    assert bought == ["2025-03-04 17:00:00", "2025-03-05 19:00:00"]
    expected = "after the time nothing, or a zone that is Z, UTC, GMT or an offset up to 14:00"
    assert here.rejected[["rows", "expected", "example"]].values.tolist() == [
        [len(wrong), expected, f"row 4: {described(texts[2])}"]
    ]


@pytest.mark.parametrize("form", ["%d.%m.%Y %H:%M:%S%z", "%z %Y-%m-%d %H:%M"])
def test_an_offset_of_a_format_that_no_clock_has_breaks_the_rule(write_source, form):
    toml = SHANGHAI + LINES.format("transactions.csv")
    toml += f'[transactions.columns]\nbought_at = {{ column = "bought_at", format = "{form}" }}\n'
    plain = pd.Timestamp("2025-03-04 23:00").strftime(form.replace("%z", "{}"))
    texts = [plain.format(offset) for offset in ("+14:00", "-1200", *WRONG)]
    path = write_source(toml, transactions=lines(texts).to_csv(index=False))
    here = load_region(str(path), "North")
    bought = here.purchases.order_by("amount").to_pandas()["bought_at"].astype(str).tolist()
    assert bought == ["2025-03-04 17:00:00", "2025-03-05 19:00:00"]
    assert here.rejected[["rows", "expected"]].values.tolist() == [
        [len(WRONG), f"a date in the format {form}, a zone offset up to 14:00 for %z"]
    ]


def test_a_day_and_a_time_with_a_zone_in_two_columns(write_source):
    toml = SHANGHAI + LINES.format("transactions.csv")
    toml += "[transactions.columns]\nbought_at = { columns = ['day', 'time'] }\n"
    texts = moments().dt.tz_convert("UTC").dt.strftime("%Y-%m-%d %H:%M:%SZ").str.split(expand=True)
    written = lines(LOCAL).drop(columns="bought_at").assign(day=texts[0], time=texts[1])
    assert read_back(write_source(toml, transactions=written.to_csv(index=False))) == LOCAL


def test_what_happened_on_the_last_day_here_is_in_the_data(write_source):
    """23:45 on 31 December in Shanghai is known, 00:30 on 1 January lies in the future."""
    written = lines(moments(["2025-12-31 23:45", "2026-01-01 00:30"]).map(pd.Timestamp.isoformat))
    path = write_source(SHANGHAI, transactions=written.to_csv(index=False))
    here = load_region(str(path), "North")
    assert here.purchases["bought_at"].max().execute() == pd.Timestamp("2025-12-31 23:45")
    assert here.rejected[["expected", "example"]].values.tolist() == [
        [
            "a date from 1980-01-01 to 2025-12-31 in the timezone Asia/Shanghai",
            "row 3: 9999-99-99X99:99:99+99:99 (25 characters)",
        ]
    ]


@pytest.mark.parametrize("country", ["", 'calendar = "US"\n'])
@pytest.mark.parametrize("kind", ["text", "format", "parquet"])
def test_without_a_zone_of_the_source_a_column_with_one_is_refused(write_source, country, kind):
    top, file = f"as_of = 2025-12-31\n{country}", "transactions.csv"
    written = lines(moments().map(pd.Timestamp.isoformat))
    if kind == "format":
        top += 'date_format = "%Y-%m-%dT%H:%M:%S%z"\n'
    if kind == "parquet":
        file = "lines.parquet"
    people = "customer_id,region\na,North\nb,North\n"
    toml = top + LINES.format(file)
    path = write_source(toml, customers=people, transactions=written.to_csv(index=False))
    lines(moments()).to_parquet(path.parent / "small" / "lines.parquet")
    problem = dataset.open_source(sources.read(str(path))).problems["transactions"]
    assert problem == (
        f"{file}: the moments in 'bought_at' have a time zone, and small.toml does not say whose "
        "days count: expected a key such as timezone = 'Asia/Shanghai'."
    )


def test_without_a_zone_of_the_source_moments_without_one_are_read(write_source):
    path = write_source("as_of = 2025-12-31\n", transactions=lines(LOCAL).to_csv(index=False))
    assert read_back(path) == LOCAL


def test_cases_around_the_clock_take_the_working_days_of_the_place(case):
    """30 cases, opened at 07:00 on a Tuesday and settled on the Thursday; one in a holiday week."""
    cases = load_region(case("17-timezone-parquet"), "North").complaints
    assert set(cases["opened_at"].dt.hour) == {7}
    days = working_days(cases["opened_at"], cases["resolved_at"], "CN")
    assert days.value_counts().to_dict() == {2: 29, 1: 1}


def test_cases_in_local_time_take_the_days_that_they_take_without_a_zone(write_source):
    """As above, without the file: Tuesdays to Thursdays of ten weeks."""
    opened = pd.Series(pd.date_range("2025-02-11 07:00", periods=10, freq="7D"))
    cases = pd.DataFrame({"complaint_id": range(10), "customer_id": "a"})
    cases = cases.assign(opened_at=opened, resolved_at=opened + pd.Timedelta(hours=51))
    zoned = cases.assign(
        **{
            name: cases[name].dt.tz_localize("Asia/Shanghai").map(pd.Timestamp.isoformat)
            for name in ("opened_at", "resolved_at")
        }
    )
    took = []
    for each in (cases, zoned):
        toml = SHANGHAI + '[complaints]\nfile = "complaints.csv"\n'
        path = write_source(toml, complaints=each.to_csv(index=False))
        read = load_region(str(path), "North").complaints
        took.append(working_days(read["opened_at"], read["resolved_at"], "CN").tolist())
    assert took[0] == took[1] == [2.0] * 10
