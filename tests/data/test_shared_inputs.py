"""Inputs that once failed (../shared/cases): each is read as it should be, or refused by name."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from analysis.data import dataset, sources
from analysis.data.errors import DataError
from analysis.data.region import load_region, of_validated
from tables import opened

HOSTILE = Path(__file__).resolve().parents[3] / "shared" / "cases" / "hostile"
SALES = ("01-fullwidth-digits", "03-trailing-comma-header", "05e-utf16", "09d-mixed-line-ends")
"""Cases of one purchase of each of forty customers."""


@pytest.mark.parametrize("name", SALES)
def test_forty_lines_of_11_to_50_are_read(case, name):
    whole = opened(case(name))
    assert dataset.problems(whole, shows_values=True).empty
    amounts = whole.tables["transactions"].good["amount"].to_pandas()
    assert sorted(amounts) == list(range(11, 51))
    assert whole.regions()["customers"].tolist() == [40]


def test_days_of_excel_are_named_and_read_by_their_key(case, tmp_path):
    toml = Path(case("13-excel-serial-dates"))
    (problem,) = dataset.problems(opened(toml), shows_values=True).to_dict("records")
    assert "format = 'excel'" in problem["expected"]
    shutil.copytree(toml.parent, tmp_path / "own", copy_function=shutil.copyfile)
    own = tmp_path / "own" / "src.toml"
    own.write_text('date_format = "excel"\n' + toml.read_text())
    days = opened(own).tables["transactions"].good["bought_at"].to_pandas()
    assert days.min() >= pd.Timestamp("2025-03-01")
    assert (days == pd.Timestamp("2025-03-02")).any()


def test_na_is_named_and_missing_by_its_key(case, tmp_path):
    toml = Path(case("14-NA-strings"))
    (problem,) = dataset.problems(opened(toml), shows_values=True).to_dict("records")
    assert (problem["rows"], "missing = ['NA']" in problem["expected"]) == (13, True)
    shutil.copytree(toml.parent, tmp_path / "own", copy_function=shutil.copyfile)
    own = tmp_path / "own" / "src.toml"
    own.write_text('missing = ["NA"]\n' + toml.read_text())
    here = load_region(str(own), "North")
    assert (len(here.survey), here.survey["loyalty_1"].isna().sum()) == (40, 13)


def test_words_are_numbers_on_the_scale_of_the_contract(case):
    here = load_region(case("14e-values-ignored"), "North")
    scores = here.answers()["satisfaction_1"]
    assert scores[["C1", "C2", "C3", "C4", "C5"]].tolist() == [10, 7.75, 5.5, 1, 3.25]


def test_the_smallest_traps_are_read_or_named(case):
    whole = opened(case("dup"))  # the header ends in a comma
    assert whole.tables["transactions"].good["amount"].to_pandas().tolist() == [5.0]
    found = dataset.problems(whole, shows_values=True)[
        ["column", "rows", "example"]
    ].values.tolist()
    assert sorted(map(tuple, found)) == [
        ("amount", 1, "row 5: '(5.00)'"),  # 5 given back that nobody bought
        ("amount", 1, "row 6: '5-'"),
        ("customer_id", 2, "row 3: '01'"),
    ]


def test_a_purchase_that_was_given_back_is_netted(case):
    here = load_region(case("23-refund"), "North")
    assert here.purchases["amount"].sum().execute() == 1200


REFUSED = {
    "F_bom_only": "customers.csv: the file is empty",
    "F_parquet_flipped": "customers.parquet: the file is damaged",
    "F_xlsx_duplicate_names": "customers.xlsx: the file can't be read: the column 'segment' stands",
    "F_xlsx_truncated": "customers.xlsx: the file is damaged",
    "P_address_ends_db": "small.toml: the server does not answer",
    "P_typo_no_colon": "small.toml: there is no database file 'postgres//me:${OUR_PASSWORD}@127",
    "P_value_is_word_data": "small.toml: there is no database file '${OUR_HOME}/ours.duckdb'",
    "T_as_of_9999": "small.toml: as_of = ",
    "T_aside_nan": "small.toml: max_set_aside = nan",
    "T_aside_percent": "small.toml: max_set_aside = 30.0",
    "T_columns_ints": "small.toml: [customers.columns] region: columns = 1: expected text",
    "T_decimal_same": "small.toml: decimal and thousands are both '.'",
    "T_default_without_values": "small.toml: [customers.columns] segment: 'default' has no effect",
    "T_encoding_hex": "small.toml: encoding = 'hex': expected one such as",
    "T_format_bad": "small.toml: date_format = '%Q': %Q is no code of a date",
    "T_header_ints": "small.toml: [customers] header = 1: expected text",
    "T_one_row_per_unknown": "small.toml: [customers] one_row_per = 'nope': the table has no such",
    "T_scale_zero": "small.toml: [transactions.columns] amount: scale = 0: expected",
    "T_scales_missing": "small.toml: [transactions.columns] amount: 'scale_by' needs 'scales'",
    "T_values_same_twice": "small.toml: [customers.columns] segment: values: 'van' stands under",
}
NAMED = {
    "F_amount_underscore": "row 101: '1_000'",
    "F_nul_late": "transactions.csv: the file can't be read: row 701 holds a byte of no text",
    "F_parquet_time_column": "'bought_at' holds times of a day; expected a date",
    "T_tx_file_markup": "b[/x].csv: no such file in the folder small/",
}
READ = {
    "F_region_markup": ["Nord [red]x", "South"],
    "F_xlsx_date_header": ["North", "South"],
    "F_xlsx_na_region": ["NA", "South"],
    "F_xlsx_number_header": ["North", "South"],
    "M_glob_brackets": ["North", "South"],
}


@pytest.fixture
def hostile(tmp_path):
    """Return a function that lays a case over the small source that keeps the contract."""

    def place(name):
        if not HOSTILE.is_dir():
            pytest.skip("the hostile inputs (../shared/cases/hostile) are not on this machine")
        for each in ("base", name):
            copy = {"copy_function": shutil.copyfile, "dirs_exist_ok": True}
            shutil.copytree(HOSTILE / each, tmp_path / "own", **copy)
        for folder in (tmp_path / "own").rglob("*"):
            folder.chmod(0o755)
        return tmp_path / "own" / "small.toml"

    return place


@pytest.mark.parametrize("name", REFUSED)
def test_a_source_that_is_wrong_is_refused_by_name(hostile, name, monkeypatch):
    monkeypatch.setenv("OUR_PASSWORD", "s3cret-of-ours")
    monkeypatch.setenv("OUR_HOME", "data")
    with pytest.raises(DataError) as error:
        dataset.open_source(sources.read(str(hostile(name))))
    assert str(error.value).startswith(REFUSED[name])
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize("name", NAMED)
def test_what_is_wrong_in_a_table_is_named(hostile, name):
    found = dataset.problems(opened(hostile(name)), shows_values=True)
    said = found["expected"].fillna("") + found["example"].fillna("").astype(str)
    assert any(NAMED[name] in each for each in said)


@pytest.mark.parametrize("name", READ)
def test_a_strange_file_is_read_as_it_is(hostile, name):
    assert opened(hostile(name)).regions()["region"].tolist() == READ[name]


@pytest.mark.parametrize("name", ["PD_ids_and_names", "PD_stop_message"])
def test_no_name_is_said_of_what_breaks_a_rule(hostile, name):
    data = opened(hostile(name))
    known = dataset.problems(data)
    said = [known.to_csv(), dataset.validate(data).rejected.to_csv()]
    for region in data.regions()["region"]:
        try:
            of_validated(dataset.validate(data), region)
        except DataError as error:
            said.append(str(error))
    assert not [text for text in said if "Erika" in text or "Mustermann" in text]
    assert "Xxxxx Xxxxxxxxxx (16 characters)" in said[0]
    assert "Mustermann" in dataset.problems(data, shows_values=True).to_csv()
