"""The data contract: rows that break it are rejected, each with one message."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.data import dataset, sources
from analysis.data.errors import DataError
from analysis.data.reading import engine as engines
from analysis.data.reading.raw import raw_tables
from analysis.data.region import load_region, of_validated
from analysis.data.validation.checked import checked
from analysis.data.validation.rejected import rejected
from tables import CUSTOMERS, SURVEY, TEXTS, TRANSACTIONS, only_problem, opened

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
        {"transactions": TRANSACTIONS.replace(",300,", ',"1,300",')},
        ("transactions.csv", "amount", "row 2: '1,300'", "a number such as 1234.5"),
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
    found = dataset.problems(opened(path), shows_values=True).set_index("table")
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


def test_what_is_rejected_by_region_adds_up_to_the_whole(write_source):
    bad = "a,2024-02-03,S1,fuel,-1,9,8\nb,2024-02-03,S1,fuel,-2,9,8\nc,2024-02-03,S1,fuel,-3,9,8\n"
    nobody = "z,2024-02-03,S1,fuel,1,9,8\nz,2024-02-03,S1,fuel,-4,9,8\n"
    whole = opened(write_source(transactions=TRANSACTIONS + bad + nobody))
    each = rejected(whole.tables, shows_values=True).set_index(["region", "column"])
    assert each.loc[("North", "quantity"), ["rows", "share"]].tolist() == [2, 2 / 6]
    assert each.loc[("South", "quantity"), ["rows", "share"]].tolist() == [1, 1 / 2]
    assert each.loc["North", "example"].tolist() == ["row 7: '-1'"]
    assert each.loc["South", "example"].tolist() == ["row 9: '-3'"]
    lost = each[each.index.get_level_values("region").isna()].droplevel("region")
    assert lost["rows"].to_dict() == {"quantity": 1, "customer_id": 2}
    assert lost["share"].to_dict() == {"quantity": 1 / 10, "customer_id": 2 / 10}
    assert lost["example"].to_dict() == {"quantity": "row 11: '-4'", "customer_id": "row 10: 'z'"}
    together = dataset.problems(whole, shows_values=True).set_index("column")
    assert together["rows"].to_dict() == {"quantity": 4, "customer_id": 2}
    assert together.loc["quantity", "example"] == "row 7: '-1'"
    south = of_validated(dataset.validate(whole), "South").rejected
    assert south["rows"].tolist() == [1, 1, 2]
    assert south["example"].tolist()[:2] == ["row 9: '-3'", "row 11: '-4'"]


def test_a_bad_region_costs_the_others_nothing(write_source):
    people = CUSTOMERS.replace("c,South", "c,../x")
    path = write_source("as_of = 2024-12-31\n", customers=people)
    here = load_region(str(path), "North")
    assert here.rows["transactions"] == 4
    assert here.rejected["expected"].str.contains("own row is valid").any()


ANSWER = st.one_of(st.none(), st.integers(-1, 12))


@settings(max_examples=5)
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


@pytest.mark.parametrize("toml", ["", 'timezone = "Asia/Shanghai"\n'])
def test_the_query_of_a_table_stays_short(write_source, toml):
    """A check that repeats what it is given doubles it, and the engine reads each letter."""
    source = sources.read(str(write_source(toml)))
    engine = engines.connect(source)
    for name in source.tables:
        rows = checked(source, name, raw_tables(engine, source, name)).rows
        columns = TEXTS[name].partition("\n")[0].split(",")
        assert len(engine.compile(rows)) < 6_000 * len(columns), name
