"""Files and databases are read as their owners wrote them."""

import contextlib
import sqlite3
import subprocess
import sys

import duckdb
import pandas as pd
import pytest

from analysis.cohorts import data_profile, purchases
from analysis.data import dataset, sources
from analysis.data.errors import DataError
from analysis.data.region import load_region, of_validated
from tables import SURVEY, TRANSACTIONS, only_problem, opened

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
    assert dataset.problems(whole, shows_values=True).empty
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


def test_a_database_that_is_not_there_is_said_once(write_source):
    path = write_source("as_of = 2024-12-31\ndatabase = 'gone.sqlite'\n")
    path.write_text(path.read_text().replace(".csv", ""))
    with pytest.raises(DataError) as error:
        opened(path)
    assert str(error.value) == "small.toml: there is no database file 'gone.sqlite'."


LOCKS = {
    "duckdb": "import duckdb as own; c = own.connect({file!r})",
    "sqlite": "import sqlite3 as own; c = own.connect({file!r}); c.execute('begin exclusive')",
}


@pytest.mark.parametrize("ending", LOCKS)
def test_a_database_that_another_program_writes_is_called_so(write_source, ending):
    path = write_source(f"as_of = 2024-12-31\ndatabase = 'own.{ending}'\n")
    path.write_text(path.read_text().replace(".csv", ""))
    code = LOCKS[ending].format(file=str(path.parent / f"own.{ending}"))
    program = subprocess.Popen(
        [sys.executable, "-c", f"{code}; print('open', flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with program:
        assert program.stdout.readline() == b"open\n"
        with pytest.raises(DataError, match="another program has the database open for writing"):
            opened(path)
        program.communicate(b"\n")


def test_a_key_with_two_meanings_is_refused(write_source):
    toml = "as_of = 2024-12-31\n[transactions]\nfile = 'transactions.csv'\n"
    toml += "joins = [{ file = 'stations.csv', on = 'station_id' }]\n"
    path = write_source(toml, stations="station_id,city\nS1,A\nS1,B\nS2,C\nS3,D\n")
    assert "'station_id' stands in several rows that differ" in only_problem(path)["expected"]


def test_a_source_does_not_show_its_password(write_source, monkeypatch):
    monkeypatch.setenv("OUR_PASSWORD", "hunter2")
    path = write_source("as_of = 2024-12-31\ndatabase = 'x://me:${OUR_PASSWORD}@there'\n")
    source = sources.read(str(path))
    assert "hunter2" in source.database
    assert "hunter2" not in repr(source)


def test_a_file_of_one_column_has_one_column(write_source):
    problem = only_problem(write_source(survey="customer_id\na,b\n"))
    assert problem["expected"] == "survey.csv, row 2: expected 1 column, found 2."


@pytest.mark.parametrize("commas", [",", ",,"])
def test_columns_without_a_name_are_left_alone(write_source, commas):
    lines = "".join(f"{line}{commas}\n" for line in TRANSACTIONS.splitlines())
    path = write_source(transactions=lines)
    assert dataset.problems(opened(path), shows_values=True).empty
    assert load_region(str(path), "North").purchases["amount"].sum().execute() == 695


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
    two_countries = (
        dataset.problems(whole, shows_values=True).set_index("table").loc["transactions", "rows"]
    )
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
