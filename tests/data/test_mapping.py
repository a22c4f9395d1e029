"""A source's own names, formats, units and scales become those of the contract."""

import pandas as pd
import pytest

from analysis.data import dataset
from analysis.data.region import load_region, of_validated
from tables import CUSTOMERS, SURVEY, TRANSACTIONS, only_problem, opened


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
    assert dataset.problems(opened(path), shows_values=True).empty
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


REVERSED = (
    "as_of = 2024-12-31\nmax_set_aside = 1.0\n[survey]\nfile = 'survey.csv'\n[survey.columns]\n"
)

PAIR = (
    "satisfaction_1 = { columns = ['satisfaction_1', 'satisfaction_2'], scale = -1, offset = 11 }"
)


def test_a_reversed_item_is_turned_round_and_a_missing_one_stays_missing(write_source):
    toml = REVERSED + "satisfaction_2 = { column = 'satisfaction_2', scale = -1, offset = 11 }\n"
    path = write_source(toml)
    assert dataset.problems(opened(path), shows_values=True).empty
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
    assert dataset.problems(opened(path), shows_values=True).empty
    assert load_region(str(path), "North").survey["satisfaction_1"].tolist() == [3.5, 8]


@pytest.mark.parametrize("text", ["11", "0", "x"])
def test_a_mean_does_not_hide_a_wrong_number(write_source, text):
    path = write_source(REVERSED + PAIR, survey=SURVEY.replace(",7,8,", f",{text},8,"))
    found = only_problem(path)
    assert (found["column"], found["rows"]) == ("satisfaction_1", 1)
    assert found["example"] == f"row 2: '{text} 8'"

    assert found["expected"] == "a number from 1 to 10 after times -1 + 11 in 'satisfaction_1'"


def test_a_mean_of_numbers_that_an_excel_sheet_holds(write_source):
    path = write_source(REVERSED.replace(".csv", ".xlsx") + PAIR)
    answers = pd.read_csv(path.parent / "small" / "survey.csv")
    answers.to_excel(path.parent / "small" / "survey.xlsx", index=False)
    assert load_region(str(path), "North").survey["satisfaction_1"].tolist() == [3.5, 8]
