"""A source's TOML file: every mistake in it gets one message that names it."""

import datetime as dt

import pytest

from analysis.data import sources
from analysis.data.errors import DataError

WHOLE = """
title = "Ours"
currency = "CNY"
as_of = 2026-06-30
[customers]
file = "customers.csv"
[transactions]
file = "lines.csv"
[transactions.columns]
amount = { column = "Summe", decimal = "," }
"""

MISTAKES = {
    "a misspelt key": (
        WHOLE.replace("currency", "curency"),
        r"own\.toml: unknown key 'curency'\. Did you mean 'currency'\?",
    ),
    "a misspelt table": (
        WHOLE.replace("[transactions]", "[transaction]").replace("[transactions.", "[transaction."),
        r"own\.toml: unknown key 'transaction'\. Did you mean 'transactions'\?",
    ),
    "a misspelt key of a table": (
        WHOLE.replace('file = "lines.csv"', 'fiel = "lines.csv"'),
        r"own\.toml: \[transactions\] unknown key 'fiel'\. Did you mean 'file'\?",
    ),
    "a misspelt column": (
        WHOLE.replace("amount =", "ammount ="),
        r"own\.toml: \[transactions\.columns\] unknown key 'ammount'\. Did you mean 'amount'\?",
    ),
    "a misspelt key of a column": (
        WHOLE.replace("decimal", "decimals"),
        r"amount: unknown key 'decimals'\. Did you mean 'decimal'\?",
    ),
    "two places for a column": (
        WHOLE.replace("decimal =", "value ="),
        r"amount: expected one of 'column', 'columns', 'key', 'value'",
    ),
    "no place for a column": (
        WHOLE.replace('column = "Summe", decimal = ","', "row = false"),
        r"amount: expected one of 'column', 'columns', 'key', 'value', 'row', 'expression'",
    ),
    "an offset that is no number": (
        WHOLE.replace('decimal = ","', 'offset = "11"'),
        r"amount: offset = '11': expected a number",
    ),
    "a scheme of other letters": (
        'database = "DuckDB://own.duckdb"\n' + WHOLE,
        r"database = 'DuckDB://own.duckdb': expected before :// the kind of a database in small",
    ),
    "an offset that is true": (
        WHOLE.replace('decimal = ","', "offset = true"),
        r"amount: offset = true: expected a number",
    ),
    "an offset of a text": (
        WHOLE + 'product = { column = "Art", offset = 11 }\n',
        r"own\.toml: \[transactions\.columns\] product: 'offset' is for columns of numbers",
    ),
    "a scale of a date": (
        WHOLE + 'bought_at = { column = "Tag", scale = 2 }\n',
        r"bought_at: 'scale' is for columns of numbers",
    ),
    "a number of the row for another column": (
        WHOLE + "product = { row = true }\n",
        r"product: 'row' is for customer_id and complaint_id",
    ),
    "rows of two files": (
        WHOLE.replace("amount = {", "customer_id = { row = true }\namount = {")
        + "[customers.columns]\ncustomer_id = { row = true }\n",
        r"own\.toml: customer_id = \{ row = true \} numbers the rows of one file",
    ),
    "rows of two sheets": (
        WHOLE.replace('file = "lines.csv"', 'same_file_as = "customers"\nsheet = "Lines"')
        .replace("customers.csv", "customers.xlsx")
        .replace("amount = {", "customer_id = { row = true }\namount = {")
        + "[customers.columns]\ncustomer_id = { row = true }\n",
        r"own\.toml: customer_id = \{ row = true \} numbers the rows of one file",
    ),
    "rows in one table and identifiers in the other": (
        WHOLE + "[customers.columns]\ncustomer_id = { row = true }\n",
        r"own\.toml: customer_id = \{ row = true \} numbers the rows of one file",
    ),
    "rows of a database": (
        'database = "own.db"\n'
        + WHOLE.replace("amount = {", "customer_id = { row = true }\namount = {").replace(
            'file = "customers.csv"', 'same_file_as = "transactions"'
        )
        + "[customers.columns]\ncustomer_id = { row = true }\n",
        r"all of them the same file and none in a database",
    ),
    "an unknown time zone": (
        'timezone = "Asia/Shangai"\n' + WHOLE,
        r"own\.toml: timezone = 'Asia/Shangai': no .* Did you mean 'Asia/Shanghai'\?",
    ),
    "a city for a time zone": (
        'timezone = "New York"\n' + WHOLE,
        r"timezone = 'New York': no time zone .* Did you mean 'America/New_York'\?",
    ),
    "a misspelt city that has no zone of its own": (
        'timezone = "Asia/Bejing"\n' + WHOLE,
        r"timezone = 'Asia/Bejing': no time zone .* Did you mean 'Asia/Shanghai'\?",
    ),
    "a zone that only this machine knows": (
        'timezone = "localtime"\n' + WHOLE,
        r"timezone = 'localtime': no time zone .* Expected one such as 'Asia/Shanghai'\.",
    ),
    "a zone that is none": (
        'timezone = "Factory"\n' + WHOLE,
        r"timezone = 'Factory': no time zone has this name",
    ),
    "an offset in a format": (
        'date_format = "%Y-%m-%d %H:%M:%S+08:00"\n' + WHOLE,
        r"own\.toml: date_format = .*: '\+08:00' would be read as letters; use %z for the zone",
    ),
    "the name of a zone in a column's format": (
        WHOLE + 'bought_at = { column = "Tag", format = "%d.%m.%Y %H:%M CST" }\n',
        r"\[transactions\.columns\] bought_at: format = .*: 'CST' would be read as letters; use %z",
    ),
    "a zone amid a format": (
        'date_format = "%H:%M:%SZ %d.%m.%Y"\n' + WHOLE,
        r"date_format = .*: 'Z' would be read as letters; use %z",
    ),
    "a value of another kind": (
        WHOLE.replace("2026-06-30", '"June"'),
        r"own\.toml: as_of = 'June': expected a date",
    ),
    "no file": (
        WHOLE.replace('file = "lines.csv"', ""),
        r"own\.toml: \[transactions\] needs a key 'file'",
    ),
    "no customers": (
        WHOLE.replace("[customers]", "[survey]"),
        r"own\.toml: expected a table \[customers\] and at least one other",
    ),
    "the same file as nothing": (
        WHOLE.replace('file = "customers.csv"', 'same_file_as = "transaction"'),
        r"same_file_as = 'transaction' .* Did you mean 'transactions'\?",
    ),
    "a table that is none": (
        'transactions = "x.csv"\n' + WHOLE.split("[transactions]")[0],
        r"own\.toml: transactions = 'x\.csv': expected a table",
    ),
    "an encoding nobody knows": (
        'encoding = "gb18300"\n' + WHOLE,
        r"encoding = 'gb18300': expected one such as",
    ),
    "a long delimiter": ('delimiter = "||"\n' + WHOLE, r"delimiter = '\|\|': expected one char"),
    "a calendar of no country": (
        'calendar = "CHN"\n' + WHOLE,
        r"own\.toml: calendar = 'CHN': no country has the code 'CHN'\. Did you mean 'CN'\?",
    ),
    "a country by its name": (
        'calendar = "Germany"\n' + WHOLE,
        r"own\.toml: calendar = 'Germany': .* Did you mean 'DE'\?",
    ),
    "a calendar of no part of a country": (
        'calendar = "US-NYC"\n' + WHOLE,
        r"own\.toml: calendar = 'US-NYC': US has no part 'NYC'\. Did you mean 'US-NY'\?",
    ),
    "a moment for a day": (
        WHOLE.replace("2026-06-30", "2026-06-30T00:00:00"),
        r"as_of = .*: expected a date",
    ),
    "not TOML": (WHOLE + "]", r"own\.toml: not a TOML file in UTF-8"),
    "no such variable": (
        'database = "x://me:${NO_SUCH_VARIABLE}@there/db"\n' + WHOLE,
        r"own\.toml: the environment variable NO_SUCH_VARIABLE is not set",
    ),
}


def written(tmp_path, text):
    path = tmp_path / "own.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_whole_file_is_read(tmp_path):
    source = sources.read(written(tmp_path, WHOLE))
    assert (source.name, source.title, source.currency) == ("own", "Ours", "CNY")
    assert source.as_of == dt.date(2026, 6, 30)
    assert source.folder == tmp_path.resolve() / "own"
    assert source.tables["transactions"].parts[0].columns["amount"].decimal == ","
    assert source.max_set_aside == 0.05


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_gets_one_message(tmp_path, mistake):
    text, message = MISTAKES[mistake]
    with pytest.raises(DataError, match=message):
        sources.read(written(tmp_path, text))


def test_a_number_has_a_scale_and_an_offset(tmp_path):
    plain = sources.read(written(tmp_path, WHOLE)).tables["transactions"].parts[0].columns["amount"]
    assert (plain.scale, plain.offset) == (1, 0)
    text = WHOLE.replace('decimal = ","', "scale = -1, offset = 11")
    turned = sources.read(written(tmp_path, text)).tables["transactions"].parts[0].columns["amount"]
    assert (turned.scale, turned.offset) == (-1, 11)


@pytest.mark.parametrize("calendar", ["CN", "DE-BY", "US"])
def test_a_calendar_is_a_country_or_a_part_of_one(tmp_path, calendar):
    text = f'calendar = "{calendar}"\n' + WHOLE
    assert sources.read(written(tmp_path, text)).calendar == calendar


def test_the_calendar_is_chinese_unless_the_file_says_otherwise(tmp_path):
    assert sources.read(written(tmp_path, WHOLE)).calendar == "CN"


ZONES = {"CN": "Asia/Shanghai", "DE-BY": "Europe/Berlin", "CZ": "Europe/Prague", "US": None}


@pytest.mark.parametrize("calendar", ZONES)
def test_the_time_zone_is_that_of_the_country_if_its_clocks_agree(tmp_path, calendar):
    text = f'calendar = "{calendar}"\n' + WHOLE
    assert sources.read(written(tmp_path, text)).timezone == ZONES[calendar]


def test_a_stated_time_zone_goes_before_that_of_the_country(tmp_path):
    text = 'calendar = "CN"\ntimezone = "America/New_York"\n' + WHOLE
    assert sources.read(written(tmp_path, text)).timezone == "America/New_York"


def test_without_a_stated_calendar_no_time_zone_is_guessed(tmp_path):
    assert sources.read(written(tmp_path, WHOLE)).timezone is None


def test_a_password_comes_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("OUR_PASSWORD", "secret")
    text = 'database = "postgres://me:${OUR_PASSWORD}@there/db"\n' + WHOLE
    assert sources.read(written(tmp_path, text)).database == "postgres://me:secret@there/db"


@pytest.mark.parametrize(
    "text",
    [
        "%Y-%m-01",
        "%Y-%m-%dT%H:%M:%S",
        "%d.%m.%Y %H:%M Uhr",
        "%H:%M:%S %d-%m-%Y",
        "%a %b %d %Y %H:%M:%S GMT%z",
        "%Y-%m-%dT%H:%M:%SZ",
        "%Y-%m-%d %H:%M UTC",
    ],
)
def test_a_format_without_a_literal_zone_or_one_that_ends_in_utc_is_read(tmp_path, text):
    path = tmp_path / "own.toml"
    path.write_text(f'date_format = "{text}"\n{WHOLE}', encoding="utf-8")
    assert sources.read(str(path)).tables["transactions"].parts[0].plain["bought_at"].formats == (
        text,
    )


def test_an_unknown_source_names_the_nearest():
    with pytest.raises(DataError, match=r"No source 'exmple'\. Did you mean 'example'\?"):
        sources.read("exmple")


@pytest.mark.parametrize("name", ["example", "cdnow", "ccs"])
def test_the_sources_that_ship_are_whole(name):
    assert name in sources.available()
    assert set(sources.read(name).tables) >= {"customers", "transactions"}


def test_the_questionnaire_that_ships_is_one_file_of_rows_without_names():
    assert "customer_sat" in sources.available()
    tables = sources.read("customer_sat").tables
    assert {name: each.file for name, each in tables.items()} == dict.fromkeys(
        ("survey", "customers"), "customer_sat.csv"
    )
    assert all(each.parts[0].columns["customer_id"].row for each in tables.values())
