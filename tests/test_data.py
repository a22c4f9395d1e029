"""The data contract: what is read, what is rejected, and what is said about it."""

import contextlib
import datetime as dt
import sqlite3
from dataclasses import replace

import duckdb
import ibis
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.claims import hypotheses
from analysis.cohorts import complaints, data_profile, purchases, survey
from analysis.data import dataset, exclusions, sources
from analysis.data.errors import DataError
from analysis.data.exclusions import Refunds, one_a_day
from analysis.data.region import load_region, of_validated
from analysis.data.validation.rejected import rejected
from tables import CUSTOMERS, SURVEY, TRANSACTIONS


def opened(path):
    return dataset.open_source(sources.read(str(path)))


def only_problem(path):
    found = dataset.problems(opened(path))
    assert len(found) == 1, found.to_string()
    return found.iloc[0]


def test_a_whole_source_has_nothing_to_say(write_source):
    whole = opened(write_source())
    assert dataset.problems(whole).empty
    assert whole.regions().to_dict("list") == {"region": ["North", "South"], "customers": [2, 1]}


def test_a_region_holds_its_own_rows(write_source):
    here = load_region(str(write_source()), "North")
    assert here.customers["customer_id"].tolist() == ["a", "b"]
    assert here.rows == {"customers": 2, "transactions": 4, "survey": 2}
    assert (here.start, here.end) == (dt.date(2024, 2, 1), dt.date(2024, 12, 31))
    assert here.days == 335
    assert here.survey["satisfaction_2"].isna().tolist() == [False, True]
    assert "survey.loyalty_1" not in here.columns
    assert "survey.satisfaction_2" in here.columns


def test_purchases_stay_in_the_engine(write_source):
    here = load_region(str(write_source()), "North")
    assert isinstance(here.purchases, ibis.expr.types.Table)
    assert not isinstance(here.purchases, pd.DataFrame)


def test_what_was_not_known_on_the_day_is_left_out(write_source):
    here = load_region(str(write_source()), "North", as_of="2024-02-15")
    assert here.rows == {"customers": 2, "transactions": 2, "survey": 0}
    assert here.end == dt.date(2024, 2, 15)


COMPLAINTS = """complaint_id,customer_id,opened_at,explained_at,resolved_at,satisfaction_after
1,a,2024-04-10 09:00,2024-04-12 10:00,2024-04-20 09:00,8
2,b,2024-03-10 09:00,,,7
"""


@pytest.mark.parametrize(
    ("as_of", "explained", "settled"),
    [
        ("2024-04-11", False, False),
        ("2024-04-12", True, False),
        ("2024-04-19", True, False),
        ("2024-04-20", True, True),
        ("", True, True),
    ],
)
def test_an_open_complaint_does_not_know_its_end(write_source, as_of, explained, settled):
    toml = "[complaints]\nfile = 'complaints.csv'\n"
    here = load_region(str(write_source(toml, complaints=COMPLAINTS)), "North", as_of)
    first, second = here.complaints.set_index("complaint_id").loc[["1", "2"]].itertuples()
    assert pd.notna(first.explained_at) == explained
    assert pd.notna(first.resolved_at) == settled
    assert (first.satisfaction_after == 8) == settled
    assert second.satisfaction_after == 7  # nobody says when it was settled
    assert ("complaints.resolved_at" in here.columns) == settled


def test_a_complaint_that_was_not_yet_opened_is_not_there(write_source):
    toml = "[complaints]\nfile = 'complaints.csv'\n"
    path = write_source(toml, complaints=COMPLAINTS)
    assert load_region(str(path), "North", "2024-04-09").complaints["complaint_id"].tolist() == [
        "2"
    ]


def test_a_card_of_a_later_day_is_not_known(write_source):
    path = str(write_source())
    assert load_region(path, "North", "2024-05-31").customers["card_since"].isna().all()
    cards = load_region(path, "North", "2024-06-01").customers["card_since"]
    assert cards.tolist() == [pd.NaT, pd.Timestamp("2024-06-01")]


def test_tables_that_are_not_there_have_the_kinds_of_those_that_are(write_source):
    path = write_source(survey=None)
    here = load_region(str(path), "North")
    assert here.survey.empty
    assert here.survey["answered_on"].dtype.kind == here.complaints["opened_at"].dtype.kind == "M"
    assert here.survey["satisfaction_1"].dtype == float
    assert survey.table(here).empty
    assert complaints.table(here).empty


ROW_CASES = {
    "a date of 1900": (
        {"transactions": TRANSACTIONS.replace("2024-02-20 18:00", "1900-01-01 00:00")},
        ("transactions.csv", "bought_at", "row 5: '1900-01-01 00:00'", "1980-01-01 to 2024-12-31"),
    ),
    "a date in the future": (
        {"transactions": TRANSACTIONS.replace("2024-02-20 18:00", "2025-01-01 00:00")},
        ("transactions.csv", "bought_at", "row 5: '2025-01-01 00:00'", "to 2024-12-31"),
    ),
    "no date at all": (
        {"transactions": TRANSACTIONS.replace("2024-02-20 18:00", "20 Feb")},
        ("transactions.csv", "bought_at", "row 5: '20 Feb'", "a date in the format YYYY-MM-DD"),
    ),
    "thousands separators": (
        {"transactions": TRANSACTIONS.replace(",300,", ',"1,300.50",')},
        ("transactions.csv", "amount", "row 2: '1,300.50'", "a number such as 1234.5"),
    ),
    "a negative quantity": (
        {"transactions": TRANSACTIONS.replace(",40,", ",-40,")},
        ("transactions.csv", "quantity", "row 2: '-40'", "a number not below 0"),
    ),
    "an item of 11": (
        {"survey": SURVEY.replace(",9,", ",11,")},
        ("survey.csv", "satisfaction_3", "row 2: '11'", "a number from 1 to 10"),
    ),
    "an unknown channel": (
        {"survey": SURVEY.replace("online", "on-line")},
        ("survey.csv", "channel", "row 2: 'on-line'", "one of online, on_site, phone"),
    ),
    "a customer nobody knows": (
        {"survey": SURVEY.replace("b,", "x,")},
        ("survey.csv", "customer_id", "row 3: 'x'", "a customer of the table 'customers'"),
    ),
    "a missing amount": (
        {"transactions": TRANSACTIONS.replace(",300,", ",,")},
        ("transactions.csv", "amount", "row 2: nothing", "a value"),
    ),
    "a duplicate id": (
        {"customers": CUSTOMERS + "a,North,van,urban,2024-01-05,\n"},
        ("customers.csv", "customer_id", "row 5: 'a'", "each value once"),
    ),
    "a region that is a path": (
        {"customers": CUSTOMERS + "d,../x,van,urban,2024-01-05,\n"},
        ("customers.csv", "region", "row 5: '../x'", "a name of at most 60 characters"),
    ),
    "a region that is a script": (
        {"customers": CUSTOMERS + "d,<script>,van,urban,2024-01-05,\n"},
        ("customers.csv", "region", "row 5: '<script>'", "a name of at most 60 characters"),
    ),
}


@pytest.mark.parametrize("case", ROW_CASES)
def test_a_bad_row_gets_one_message(write_source, case):
    files, (file, column, example, expected) = ROW_CASES[case]
    found = only_problem(write_source(**files))
    assert (found["file"], found["column"], found["rows"]) == (file, column, 1)
    assert found["example"] == example
    assert expected in found["expected"]


@pytest.mark.parametrize("case", ["an item of 11", "a negative quantity", "a missing amount"])
def test_a_bad_row_is_rejected_in_the_region_and_no_other(write_source, case):
    files, (_, column, example, _) = ROW_CASES[case]
    path = write_source(**files)
    north, south = load_region(str(path), "North"), load_region(str(path), "South")
    assert north.rejected[["column", "rows", "example"]].values.tolist() == [[column, 1, example]]
    assert sum(north.rows.values()) == 7
    assert south.rejected.empty


def test_a_customer_in_two_regions_is_in_none(write_source):
    path = write_source(customers=CUSTOMERS + "a,South,private,urban,2024-01-05,\n")
    found = dataset.problems(opened(path)).set_index("table")
    assert found.loc["customers", ["column", "rows", "example"]].tolist() == [
        "region",
        2,
        "row 2: 'North'",
    ]
    assert found.loc["transactions", ["rows", "expected"]].tolist() == [
        3,
        "a customer whose own row is valid",
    ]
    assert opened(path).regions()["customers"].tolist() == [1, 1]


def test_too_many_bad_rows_stop_the_region_and_no_other(write_source):
    toml = "as_of = 2024-12-31\nmax_set_aside = 0.1\n"
    path = write_source(toml, survey=SURVEY.replace(",9,", ",11,"))
    with pytest.raises(
        DataError, match=r"survey.csv: 50.0% of the rows of North .*'11'.*at most 10%"
    ):
        load_region(str(path), "North")
    assert load_region(str(path), "South").rows["customers"] == 1


TABLE_CASES = {
    "a missing file": ({"survey": None}, "survey.csv: no such file in the folder small/."),
    "an empty file": ({"survey": ""}, "survey.csv: the file is empty; expected a header"),
    "only a header": (
        {"survey": SURVEY.splitlines()[0] + "\n"},
        "survey.csv: the file has no rows",
    ),
    "not what its ending says": (
        {"survey": "PK\x03\x04"},
        "expected a text file by its ending .csv",
    ),
    "a missing column": (
        {"transactions": TRANSACTIONS.replace("amount", "amunt")},
        "transactions.csv: no column 'amount', which the table 'transactions' needs. "
        "Did you mean 'amunt'?",
    ),
    "a row too long": ({"survey": SURVEY + "a,b,c,d,e,f,g,h,i\n"}, "survey.csv, row 4: expected 7"),
}


@pytest.mark.parametrize("case", TABLE_CASES)
def test_a_table_that_cannot_be_read_is_named_and_the_rest_goes_on(write_source, case):
    files, message = TABLE_CASES[case]
    path = write_source()
    for name, text in files.items():
        file = path.parent / "small" / f"{name}.csv"
        file.unlink() if text is None else file.write_text(text, encoding="utf-8")
    found = only_problem(path)
    assert message in found["expected"]
    assert str(path.parent) not in found["expected"]
    assert opened(path).regions()["customers"].tolist() == [2, 1]


def test_without_customers_there_is_nothing(write_source):
    path = write_source(customers="")
    with pytest.raises(DataError, match=r"customers\.csv: the file is empty"):
        opened(path)


def test_an_unknown_region_is_refused_with_the_nearest(write_source):
    with pytest.raises(
        DataError, match=r"No region 'Nroth' in the source 'small'\. Did you mean 'North'"
    ):
        load_region(str(write_source()), "Nroth")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
def test_encodings_of_text(write_source, encoding):
    path = write_source(f'as_of = 2024-12-31\nencoding = "{encoding.removesuffix("-sig")}"\n')
    for file in (path.parent / "small").glob("*.csv"):
        text = file.read_text(encoding="utf-8").replace("North", "华北")
        file.write_text(text, encoding=encoding)
    assert opened(path).regions()["region"].tolist() == ["South", "华北"]


def test_the_wrong_encoding_is_named(write_source):
    path = write_source()
    file = path.parent / "small" / "survey.csv"
    file.write_text(SURVEY.replace("online", "线上"), encoding="gb18030")
    assert "encoding = 'gb18030'" in only_problem(path)["expected"]


def test_what_is_rejected_by_region_adds_up_to_the_whole(write_source):
    bad = "a,2024-02-03,S1,fuel,-1,9,8\nb,2024-02-03,S1,fuel,-2,9,8\nc,2024-02-03,S1,fuel,-3,9,8\n"
    nobody = "z,2024-02-03,S1,fuel,1,9,8\nz,2024-02-03,S1,fuel,-4,9,8\n"
    whole = opened(write_source(transactions=TRANSACTIONS + bad + nobody))
    each = rejected(whole.tables).set_index(["region", "column"])
    assert each.loc[("North", "quantity"), ["rows", "share"]].tolist() == [2, 2 / 6]
    assert each.loc[("South", "quantity"), ["rows", "share"]].tolist() == [1, 1 / 2]
    assert each.loc["North", "example"].tolist() == ["row 7: '-1'"]
    assert each.loc["South", "example"].tolist() == ["row 9: '-3'"]
    lost = each[each.index.get_level_values("region").isna()].droplevel("region")
    assert lost["rows"].to_dict() == {"quantity": 1, "customer_id": 2}
    assert lost["share"].to_dict() == {"quantity": 1 / 10, "customer_id": 2 / 10}
    assert lost["example"].to_dict() == {"quantity": "row 11: '-4'", "customer_id": "row 10: 'z'"}
    together = dataset.problems(whole).set_index("column")
    assert together["rows"].to_dict() == {"quantity": 4, "customer_id": 2}
    assert together.loc["quantity", "example"] == "row 7: '-1'"
    south = of_validated(dataset.validate(whole), "South").rejected
    assert south["rows"].tolist() == [1, 1, 2]
    assert south["example"].tolist()[:2] == ["row 9: '-3'", "row 11: '-4'"]


def test_parquet_and_excel_files(write_source):
    path = write_source(
        "as_of = 2024-12-31\n[transactions]\nfile = 'transactions.parquet'\n"
        "[survey]\nfile = 'survey.xlsx'\n"
    )
    folder = path.parent / "small"
    lines = pd.read_csv(folder / "transactions.csv", parse_dates=["bought_at"])
    lines.to_parquet(folder / "transactions.parquet")
    answers = pd.read_csv(folder / "survey.csv", parse_dates=["answered_on"])
    answers.to_excel(folder / "survey.xlsx", index=False)
    whole = opened(path)
    assert dataset.problems(whole).empty
    here = of_validated(dataset.validate(whole), "North")
    assert here.survey["answered_on"].tolist() == [
        pd.Timestamp("2024-03-01"),
        pd.Timestamp("2024-03-02"),
    ]
    assert here.purchases["amount"].sum().execute() == 695


@pytest.mark.parametrize("ending", ["duckdb", "sqlite"])
def test_a_database_gives_what_the_files_give(write_source, ending):
    path = write_source(f"as_of = 2024-12-31\ndatabase = 'own.{ending}'\n")
    text = path.read_text().replace(".csv", "")
    path.write_text(text)
    folder = path.parent / "small"
    tables = {
        name: pd.read_csv(folder / f"{name}.csv")
        for name in ("customers", "transactions", "survey")
    }
    if ending == "duckdb":
        with duckdb.connect(str(path.parent / "own.duckdb")) as own:
            for name in tables:
                own.sql(f"create table {name} as from read_csv('{folder / name}.csv')")
    else:
        with contextlib.closing(sqlite3.connect(path.parent / "own.sqlite")) as own:
            for name, frame in tables.items():
                frame.to_sql(name, own, index=False)
    here = load_region(str(path), "North")
    assert here.rows == {"customers": 2, "transactions": 4, "survey": 2}
    bought = purchases.per_customer(here, here.start, here.end)
    assert bought["sales"].to_dict() == {"a": 545.0, "b": 150.0}
    assert bought["visits"].to_dict() == {"a": 2, "b": 1}


def test_own_names_values_units_and_formats(write_source):
    path = write_source(
        """as_of = 2024-12-31
max_set_aside = 1.0
decimal = ","
thousands = "."
date_format = "%d.%m.%Y"

[customers]
file = "kunden.csv"
delimiter = ";"
[customers.columns]
customer_id = "Nr"
region = { value = "Ost" }
area = { column = "Lage", values = { urban = ["Stadt", "City"], suburban = "Land" } }
joined_on = "Seit"

[transactions]
file = "belege.csv"
delimiter = ";"
joins = [{ file = "artikel.csv", on = "Artikel" }]
[transactions.columns]
customer_id = "Nr"
bought_at = { columns = ["Tag", "Zeit"], format = "%d.%m.%Y %H:%M" }
product = { column = "artikel.Art", values = { fuel = "Diesel" }, default = "shop" }
quantity = { column = "Menge", scale = 0.5 }
amount = { column = "Summe", scale_by = "Kurs", scales = { EUR = 8.0, CNY = 1.0 } }
""",
        kunden="Nr;Lage;Seit\n1;City;05.01.2024\n2;Land;\n",
        belege="Nr;Tag;Zeit;Artikel;Menge;Summe;Kurs\n1;01.02.2024;08:30;7;2;1.000,5;EUR\n"
        "2;02.02.2024;09:00;8;4;3;CNY\n2;02.02.2024;09:00;9;4;3;USD\n",
        artikel="Artikel;Art\n7;Diesel\n8;Kaffee\n",
        survey=None,
    )
    (path.parent / "small" / "survey.csv").write_text("customer_id\n1\n", encoding="utf-8")
    here = of_validated(dataset.validate(opened(path)), "Ost")
    assert here.customers["area"].tolist() == ["urban", "suburban"]
    lines = here.purchases.order_by("customer_id").to_pandas()
    assert lines["amount"].tolist() == [8004.0, 3.0]
    assert lines["quantity"].tolist() == [1.0, 2.0]
    assert lines["product"].tolist() == ["fuel", "shop"]
    assert lines["bought_at"].tolist() == [
        pd.Timestamp("2024-02-01 08:30"),
        pd.Timestamp("2024-02-02 09:00"),
    ]
    assert "and in Kurs one of EUR, CNY" in here.rejected["expected"].item()


def test_marks_of_a_source_hold_for_columns_with_the_contract_s_names(write_source):
    lines = TRANSACTIONS.replace(",300,270", ',"1.300,5",270').replace(
        "2024-02-01 08:00", "01.02.2024"
    )
    days = {
        f"2024-{m}-{d} {t}": f"{d}.{m}.2024"
        for m, d, t in (
            ("02", "01", "19:30"),
            ("03", "15", "10:00"),
            ("02", "20", "18:00"),
            ("04", "01", "09:00"),
        )
    }
    for iso, own in days.items():
        lines = lines.replace(iso, own)
    people = CUSTOMERS.replace("2024-01-05", "05.01.2024").replace("2023-11-01", "01.11.2023")
    people = people.replace("2024-06-01", "01.06.2024").replace("2022-03-09", "09.03.2022")
    marks = 'as_of = 2024-12-31\ndecimal = ","\nthousands = "."\ndate_format = "%d.%m.%Y"\n'
    path = write_source(
        marks, customers=people, transactions=lines, survey="customer_id,satisfaction_1\na,7\n"
    )
    assert dataset.problems(opened(path)).empty
    here = load_region(str(path), "North")
    assert here.purchases["amount"].max().execute() == 1300.5


@pytest.mark.parametrize("text", ["12.5", "1.23", "1.2345", "1,5.000"])
def test_a_separator_in_the_wrong_place_is_no_number(write_source, text):
    toml = 'as_of = 2024-12-31\nmax_set_aside = 1.0\ndecimal = ","\nthousands = "."\n'
    found = only_problem(
        write_source(toml, transactions=TRANSACTIONS.replace(",300,", f',"{text}",'))
    )
    assert (found["column"], found["example"]) == ("amount", f"row 2: {text!r}")


def test_numbers_of_an_excel_sheet_are_numbers_whatever_the_marks(write_source):
    toml = 'as_of = 2024-12-31\ndecimal = ","\nthousands = "."\n'
    path = write_source(toml + "[transactions]\nfile = 'lines.xlsx'\n")
    lines = pd.read_csv(path.parent / "small" / "transactions.csv")
    lines.assign(amount=[12.5, 1234.75, 3.0, 4.0, 5.0]).to_excel(
        path.parent / "small" / "lines.xlsx", index=False
    )
    here = load_region(str(path), "North")
    assert here.purchases["amount"].sum().execute() == 12.5 + 1234.75 + 3 + 4


def test_a_key_with_two_meanings_is_refused(write_source):
    toml = "as_of = 2024-12-31\n[transactions]\nfile = 'transactions.csv'\n"
    toml += "joins = [{ file = 'stations.csv', on = 'station_id' }]\n"
    path = write_source(toml, stations="station_id,city\nS1,A\nS1,B\nS2,C\nS3,D\n")
    assert "'station_id' stands in several rows that differ" in only_problem(path)["expected"]


def test_a_bad_region_costs_the_others_nothing(write_source):
    people = CUSTOMERS.replace("c,South", "c,../x")
    path = write_source("as_of = 2024-12-31\n", customers=people)
    here = load_region(str(path), "North")
    assert here.rows["transactions"] == 4
    assert here.rejected["expected"].str.contains("own row is valid").any()


@pytest.mark.parametrize("day", ["2030-01-01", "31.12.2024"])
def test_a_day_that_the_data_does_not_reach_is_refused(write_source, day):
    with pytest.raises(DataError, match="as_of = "):
        load_region(str(write_source()), "North", as_of=day)


def test_a_product_that_is_not_named_is_not_beyond_fuel(write_source):
    lines = TRANSACTIONS.replace("S1,shop", "S1,").replace("S2,fuel", "S2,shop")
    here = load_region(str(write_source(transactions=lines)), "North")
    bought = purchases.per_customer(here, here.start, here.end)
    assert bought["beyond_fuel"].to_dict() == {"a": False, "b": True}


def test_costs_of_a_part_of_the_lines_are_no_margin(write_source):
    here = load_region(str(write_source(transactions=TRANSACTIONS.replace(",270", ","))), "North")
    assert "transactions.cost" not in here.columns
    assert "margin" not in purchases.per_customer(here, here.start, here.end)


def test_a_source_does_not_show_its_password(write_source, monkeypatch):
    monkeypatch.setenv("OUR_PASSWORD", "hunter2")
    path = write_source("as_of = 2024-12-31\ndatabase = 'x://me:${OUR_PASSWORD}@there'\n")
    source = sources.read(str(path))
    assert "hunter2" in source.database
    assert "hunter2" not in repr(source)


REVERSED = (
    "as_of = 2024-12-31\nmax_set_aside = 1.0\n[survey]\nfile = 'survey.csv'\n[survey.columns]\n"
)
PAIR = (
    "satisfaction_1 = { columns = ['satisfaction_1', 'satisfaction_2'], scale = -1, offset = 11 }"
)


def test_a_reversed_item_is_turned_round_and_a_missing_one_stays_missing(write_source):
    toml = REVERSED + "satisfaction_2 = { column = 'satisfaction_2', scale = -1, offset = 11 }\n"
    path = write_source(toml)
    assert dataset.problems(opened(path)).empty
    assert load_region(str(path), "North").survey["satisfaction_2"].tolist()[0] == 3
    assert load_region(str(path), "North").survey["satisfaction_2"].isna().tolist() == [False, True]


SCALES = {  # lowest and highest answer in the file, scale, offset
    "turned round": (1, 10, -1, 11),
    "five points": (1, 5, 2.25, -1.25),
    "five points, turned round": (1, 5, -2.25, 12.25),
    "seven points": (1, 7, 1.5, -0.5),
    "from nought": (0, 10, 0.9, 1),
    "twenty-one points": (1, 21, 0.45, 0.55),  # 21 x 0.45 + 0.55 is a hair above 10
}


@pytest.mark.parametrize("scale", SCALES)
def test_the_ends_of_a_scale_become_1_and_10_and_what_lies_beyond_is_rejected(write_source, scale):
    low, high, factor, offset = SCALES[scale]
    rows = [low, high, low - 1, high + 1]
    answers = "customer_id,q\n" + "".join(f"a,{each}\n" for each in rows)
    toml = REVERSED + f"loyalty_1 = {{ column = 'q', scale = {factor}, offset = {offset} }}\n"
    path = write_source(toml, survey=answers)
    here = load_region(str(path), "North")
    assert sorted(here.survey["loyalty_1"]) == [1, 10]
    found = only_problem(path)
    assert (found["rows"], found["example"]) == (2, f"row 4: '{low - 1}'")
    assert found["expected"].startswith(f"a number from 1 to 10 after times {factor} ")


def test_an_offset_is_added_after_the_scale_that_a_column_chooses(write_source):
    toml = "as_of = 2024-12-31\n[transactions]\nfile = 'transactions.csv'\n[transactions.columns]\n"
    toml += "amount = { column = 'amount', scale_by = 'product', offset = 5, "
    toml += "scales = { fuel = 2.0, shop = -0.1, gas = 1.0 } }\n"
    path = write_source(toml)
    lines = load_region(str(path), "North").purchases.order_by("bought_at").to_pandas()
    assert lines["amount"].tolist() == [605, 3, 305, 455]
    found = only_problem(write_source(toml, transactions=TRANSACTIONS.replace(",20,12", ",60,12")))
    assert found["example"] == "row 3: '60'"
    assert found["expected"] == "a number not below 0 after times its scale by product + 5"


def test_several_numbers_become_the_mean_of_those_that_are_there(write_source):
    path = write_source(REVERSED + PAIR)
    assert dataset.problems(opened(path)).empty
    assert load_region(str(path), "North").survey["satisfaction_1"].tolist() == [3.5, 8]


@pytest.mark.parametrize("text", ["11", "0", "x"])
def test_a_mean_does_not_hide_a_wrong_number(write_source, text):
    path = write_source(REVERSED + PAIR, survey=SURVEY.replace(",7,8,", f",{text},8,"))
    found = only_problem(path)
    assert (found["column"], found["rows"]) == ("satisfaction_1", 1)
    assert found["example"] == f"row 2: '{text} 8'"
    each = "in each of satisfaction_1, satisfaction_2"
    assert found["expected"] == f"{each} a number from 1 to 10 after times -1 + 11"


def test_a_mean_of_numbers_that_an_excel_sheet_holds(write_source):
    path = write_source(REVERSED.replace(".csv", ".xlsx") + PAIR)
    answers = pd.read_csv(path.parent / "small" / "survey.csv")
    answers.to_excel(path.parent / "small" / "survey.xlsx", index=False)
    assert load_region(str(path), "North").survey["satisfaction_1"].tolist() == [3.5, 8]


# --- several answers of a customer

AGAIN = "customer_id,answered_on,satisfaction_1,satisfaction_2,channel\n"
ORDERS = {
    "the emptier one first": ("a,2024-03-01,,,\na,2024-03-01,6,7,\n", 6),
    "the emptier one last": ("a,2024-03-01,6,7,\na,2024-03-01,9,,\n", 6),
    "a channel is no rating": ("a,2024-03-01,3,4,\na,2024-03-01,9,,online\n", 3),
    "a channel makes none more complete": ("a,2024-03-01,6,,phone\na,2024-03-01,9,,\n", 9),
    "a channel at an earlier hour": (
        "a,2024-03-01 10:00,3,4,online\na,2024-03-01 11:00,9,9,\n",
        9,
    ),
    "as complete, the lower one last": ("a,2024-03-01,9,9,\na,2024-03-01,4,4,\n", 4),
    "as complete, the higher one last": ("a,2024-03-01,4,4,\na,2024-03-01,9,9,\n", 9),
    "as complete, the later hour first": ("a,2024-03-01 11:00,4,4,\na,2024-03-01 10:00,9,9,\n", 4),
    "the emptier one at a later hour": ("a,2024-03-01 10:00,4,4,\na,2024-03-01 11:00,9,,\n", 4),
    "of three the second": ("a,2024-03-01,8,,\na,2024-03-01,4,4,\na,2024-03-01,9,,\n", 4),
}


@pytest.mark.parametrize("order", ORDERS)
def test_of_answers_of_one_day_the_more_complete_counts_then_the_later(write_source, order):
    rows, expected = ORDERS[order]
    path = write_source(survey=AGAIN + "b,2024-03-01,5,5,\n" + rows)
    here = load_region(str(path), "North")
    assert here.answers()["satisfaction_1"].to_dict() == {"a": expected, "b": 5}
    assert here.survey["customer_id"].tolist() == ["a", "b"]
    repeated = rows.count("\n") - 1
    assert here.repeated_answers == repeated
    assert here.rows["survey"] == 2 + repeated
    assert exclusions.repeated_answers(opened(path)) == {"North": repeated}


def test_answers_of_other_days_and_of_no_day_all_stay(write_source):
    rows = "a,2024-03-01,4,4,\na,2024-03-02,5,,\nb,,4,4,\nb,,5,,\nc,2024-03-01,4,4,\n"
    path = write_source(survey=AGAIN + rows)
    here = load_region(str(path), "North")
    assert here.answers()["satisfaction_1"].to_dict() == {"a": 5, "b": 4}
    assert (len(here.survey), here.repeated_answers) == (4, 0)
    assert exclusions.repeated_answers(opened(path)) == {}


def test_answers_after_the_last_day_are_not_counted_as_repeated(write_source):
    rows = "a,2024-03-01,4,4,\na,2024-03-01,5,,\na,2024-03-09,6,,\na,2024-03-09,7,7,\n"
    path = str(write_source(survey=AGAIN + rows))
    early, late = load_region(path, "North", "2024-03-08"), load_region(path, "North")
    assert (early.repeated_answers, late.repeated_answers) == (1, 2)
    assert early.answers()["satisfaction_1"].tolist() == [4]
    assert late.answers()["satisfaction_1"].tolist() == [7]


@settings(max_examples=15)
@given(st.permutations(range(12)), st.randoms(use_true_random=False))
def test_the_order_of_the_file_counts_for_equally_complete_answers_alone(order, chance):
    frame = pd.DataFrame(
        {
            "customer_id": [f"c{number // 3}" for number in range(12)],
            "answered_on": pd.Timestamp("2024-03-01"),
            "station_id": None,
            "satisfaction_1": 5.0,
            "satisfaction_2": [5.0, None, None] * 4,
            "loyalty_1": [chance.randint(1, 10) for _ in range(12)],
        }
    )
    first, again = (one_a_day(each) for each in (frame, frame.iloc[list(order)]))
    pd.testing.assert_frame_equal(first, again)
    assert first["loyalty_1"].tolist() == frame["loyalty_1"][::3].tolist()


def test_who_broke_off_and_began_again_takes_part(case):
    """Customers 1 and 3 left a row that is nearly empty beside a complete one."""
    here = load_region(case("27-restarted-answer"), "North")
    ratings = ["expectation", "performance", "satisfaction_1", "loyalty_1"]
    expected = {"C1": [6, 7, 8, 9], "C2": [5, 5, 5, 5], "C3": [4, 4, 4, 4]}
    assert here.answers()[ratings].T.to_dict("list") == expected
    assert here.repeated_answers == 2
    assert survey.table(here).index.tolist() == ["C1", "C2", "C3"]


# --- refunds


def test_refunds_are_a_share_of_the_sales_of_their_region_and_their_time(write_source):
    back = "a,2024-02-02 09:00,S1,shop,-1,-20,-12\na,2024-05-01 09:00,S1,fuel,-30,-225,\n"
    nobody = "z,2024-02-02 09:00,S1,shop,-1,-999,\n"
    path = write_source(transactions=TRANSACTIONS + back + nobody)
    north, south = (load_region(str(path), name).refunds for name in ("North", "South"))
    assert (north.lines, north.amount, north.sales) == (2, 245.0, 695.0)
    assert north.share == pytest.approx(245 / 695)
    assert (south.lines, south.amount, south.sales, south.share) == (0, 0, 400, 0)
    early = load_region(str(path), "North", "2024-02-15").refunds
    assert (early.lines, early.amount, early.sales) == (1, 20.0, 320.0)
    assert exclusions.refunds_by_region(opened(path)) == {"North": north}
    assert north.sentence("CNY") == (
        "2 refund lines are excluded: 245 of 695 CNY, 35.3 % of sales; the purchases they belong "
        "to stay in"
    )


def test_a_region_without_purchases_has_no_refunds(write_source):
    path = write_source(transactions=None)
    assert load_region(str(path), "North").refunds == Refunds(0, 0.0, 0.0, 0.0)
    assert exclusions.refunds_by_region(opened(path)) == {}


def test_refunds_of_a_region_that_sold_nothing_else_are_all_of_its_sales(write_source):
    lines = TRANSACTIONS.replace(",400,350", ",-400,350")
    path = write_source(transactions=lines)
    here = load_region(str(path), "South")
    assert here.refunds.share == 1
    assert here.refunds.sentence("CNY") == (
        "1 refund line is excluded: 400 CNY; there are no sales that it could belong to"
    )
    assert Refunds.of(2, 500, 0).sentence("") == (
        "2 refund lines are excluded: 500; there are no sales that they could belong to"
    )
    bought = hypotheses.register()["H12"]
    assert here.missing(bought) == [
        "The table 'transactions' has no row for this region that meets the data contract."
    ]


def test_a_region_without_lines_has_no_table_though_lines_of_strangers_are_rejected(write_source):
    lines = TRANSACTIONS.replace("c,2024-04-01", "z,2024-04-01")
    path = write_source(transactions=lines)
    here = load_region(str(path), "South")
    assert here.rejected["table"].tolist() == ["transactions"]
    lacks = here.missing(hypotheses.register()["H12"])
    assert lacks == ["There is no table 'transactions' for this region."]


def test_what_is_counted_is_one_or_many():
    words = [sources.counted(n, "line") for n in (0, 1, 2, 1000)]
    assert words == ["0 lines", "1 line", "2 lines", "1,000 lines"]
    assert exclusions.repeated_sentence(1).startswith("1 answer is left out")
    assert exclusions.repeated_sentence(2).startswith("2 answers are left out")


def test_a_file_of_one_column_has_one_column(write_source):
    problem = only_problem(write_source(survey="customer_id\na,b\n"))
    assert problem["expected"] == "survey.csv, row 2: expected 1 column, found 2."


def test_a_region_of_one_day_has_one_day(write_source):
    here = load_region(str(write_source("as_of = 2024-04-01\n")), "South")
    needs = hypotheses.register()["H12"]
    assert here.missing(replace(needs, needs=("transactions.amount",))) == [
        f"It needs {needs.min_days} days of purchases; there is 1."
    ]


def test_a_purchase_that_was_given_back_is_said_and_not_netted(case):
    """One customer bought for 30 and for 1,000, and gave the 1,000 back: 1,200 net of 2,200."""
    here = load_region(case("23-refund"), "North")
    assert here.refunds == Refunds(1, 1000.0, 2200.0, 1000 / 2200)
    assert purchases.per_customer(here, here.start, here.end)["sales"].max() == 1030


# --- small inputs that once came out wrong


def test_six_purchase_lines_of_three_customers_are_a_region(case):
    path = case("zero")
    [name] = opened(path).regions()["region"]
    here = load_region(path, name)
    assert here.rows == {"customers": 3, "transactions": 6}
    assert here.rejected.empty


@pytest.mark.parametrize("commas", [",", ",,"])
def test_columns_without_a_name_are_left_alone(write_source, commas):
    lines = "".join(f"{line}{commas}\n" for line in TRANSACTIONS.splitlines())
    path = write_source(transactions=lines)
    assert dataset.problems(opened(path)).empty
    assert load_region(str(path), "North").purchases["amount"].sum().execute() == 695


ANSWER = st.one_of(st.none(), st.integers(-1, 12))


@settings(max_examples=8)
@given(st.lists(st.tuples(ANSWER, ANSWER, ANSWER), min_size=1, max_size=20))
def test_a_mean_is_that_of_pandas_and_bad_rows_are_counted(tmp_path_factory, answers):
    folder = tmp_path_factory.mktemp("rows") / "s"
    folder.mkdir()
    frame = pd.DataFrame(answers, columns=["x", "y", "z"], dtype="Int64").assign(w="a")
    frame.to_csv(folder / "s.csv", index=False)
    item = "loyalty_1 = { columns = ['x', 'y', 'z'], scale = -1, offset = 11 }\n"
    toml = folder.parent / "s.toml"
    toml.write_text(
        "max_set_aside = 1.0\n[survey]\nfile = 's.csv'\n[survey.columns]\n"
        f"customer_id = {{ row = true }}\n{item}"
        "[customers]\nsame_file_as = 'survey'\n[customers.columns]\n"
        "customer_id = { row = true }\nregion = { value = 'North' }\n"
    )
    here = load_region(str(toml), "North")
    numbers = frame[["x", "y", "z"]].astype(float)
    good = ~((numbers < 1) | (numbers > 10)).any(axis=1)
    ids = [str(row + 2) for row in frame.index[good]]
    expected = (11 - numbers[good].mean(axis=1)).tolist()
    found = here.survey.set_index("customer_id")["loyalty_1"].reindex(ids)
    assert found.tolist() == pytest.approx(expected, nan_ok=True)
    assert here.rejected["rows"].sum() == (~good).sum()


def test_rows_without_an_identifier_are_numbered_as_in_the_file(write_source):
    toml = (
        "as_of = 2024-12-31\nmax_set_aside = 1.0\n[survey]\nfile = 'survey.csv'\n[survey.columns]\n"
        "customer_id = { row = true }\n[customers]\nsame_file_as = 'survey'\n"
        "[customers.columns]\ncustomer_id = { row = true }\nregion = { value = 'North' }\n"
    )
    path = write_source(toml, transactions="x\n", survey=SURVEY.replace(",7,8,", ",7,80,"))
    path.write_text(path.read_text().split("[transactions]")[0], encoding="utf-8")
    here = load_region(str(path), "North")
    assert here.customers["customer_id"].tolist() == ["2", "3"]
    assert here.survey[["customer_id", "satisfaction_1"]].values.tolist() == [["3", 3.0]]
    assert here.rejected["example"].tolist() == ["row 2: '80'"]


@settings(max_examples=12)
@given(st.lists(st.sampled_from(["5", "0", "-1", "1e3", "", "abc", "nan", "1,5"]), min_size=1))
def test_every_row_is_valid_or_rejected(tmp_path_factory, quantities):
    folder = tmp_path_factory.mktemp("rows") / "s"
    folder.mkdir()
    (folder / "customers.csv").write_text("customer_id,region\na,North\n")
    rows = "".join(f'a,2024-01-01,1,"{each}"\n' for each in quantities)
    (folder / "t.csv").write_text("customer_id,bought_at,amount,quantity\n" + rows)
    toml = folder.parent / "s.toml"
    toml.write_text(
        "as_of = 2024-12-31\nmax_set_aside = 1.0\n[customers]\nfile = 'customers.csv'\n"
        "[transactions]\nfile = 't.csv'\n"
    )
    here = load_region(str(toml), "North")
    bad = sum(each in ("-1", "abc", "nan", "1,5") for each in quantities)
    assert here.rows["transactions"] == len(quantities) - bad
    assert here.rejected["rows"].sum() == bad


def test_cdnow_is_read_by_its_toml(real_source):
    here = load_region(str(real_source("cdnow")), "cdnow")
    assert here.rows == {"customers": 2357, "transactions": 6919}
    assert here.rejected.empty
    assert (here.purchases["amount"] == 0).sum().execute() == 8
    assert here.purchases["amount"].sum().execute() == pytest.approx(244091.94)


def test_ccs_survives_its_traps(real_source):
    whole = opened(real_source("ccs"))
    assert whole.regions().set_index("region")["customers"].to_dict() == {
        "Czechia": 474,
        "Slovakia": 42,
    }
    czech, slovak = (
        of_validated(dataset.validate(whole), name) for name in ("Czechia", "Slovakia")
    )
    lines = {name: each.rows["transactions"] for name, each in (("cz", czech), ("sk", slovak))}
    two_countries = dataset.problems(whole).set_index("table").loc["transactions", "rows"]
    assert lines["cz"] + lines["sk"] + two_countries == 1000
    prices = {
        each.name: data_profile.per_product(each).set_index("product") for each in (czech, slovak)
    }
    assert prices["Czechia"].loc["fuel", "unit_price"] == pytest.approx(23.06, abs=0.01)
    assert 21 < prices["Slovakia"].loc["fuel", "unit_price"] < 25  # paid in euro, shown in crowns
    unmeasured = sum(each["without_quantity"].sum() for each in prices.values())
    assert unmeasured == 91
    assert czech.days == 4


def test_a_questionnaire_without_customers_is_read_by_its_toml(real_source, shared):
    here = load_region(str(real_source("customer_sat", "satisfaction")), "advertisers")
    assert here.rows == {"customers": 1811, "survey": 1811}
    assert here.rejected.empty
    own = pd.read_csv(shared / "satisfaction" / "customer_sat.csv")
    own.index = (own.index + 2).astype(str)
    ours = here.survey.set_index("customer_id").loc[own.index]
    assert (ours["satisfaction_1"] == own["q1"]).all()
    cost = 11 - own[["q2", "q3", "q4"]].mean(axis=1)
    worth = own[["q5", "q6", "q7", "q8", "q9", "q10"]].mean(axis=1)
    assert ours["money_cost"].to_numpy() == pytest.approx(cost.to_numpy())
    assert ours["product_value"].to_numpy() == pytest.approx(worth.to_numpy())
