"""The table of who was drawn by lot: which rows count, and one message for each mistake."""

import pytest

from analysis.cohorts import data_profile
from analysis.data import contract, dataset
from analysis.data.errors import DataError
from analysis.data.region import load_region
from tables import COMPLAINTS, only_problem, opened

ASSIGNMENTS = """trial,unit,unit_is,arm,assigned_on,received_on
H19 one,a,,offered,2024-04-01,2024-04-03
H19 one,b,customer,not offered,2024-04-01,
H19 two,c,,offered,2024-04-01,
H09 one,k1,complaint,told,2024-02-02,2024-02-02 15:00
H09 one,k2,complaint,not told,2024-02-02 09:00,2024-02-02
"""
TABLES = """
[complaints]
file = "complaints.csv"
[assignments]
file = "assignments.csv"
"""
CASES = {
    "an arm is missing": (("b,customer,not offered", "b,customer,"), "arm", 1, "a value"),
    "a trial without a name": (("H19 two,c", ",c"), "trial", 1, "a value"),
    "a unit in two trials": (("H19 two,c", "H19 two,a"), "trial", 2, "one trial for each unit"),
    "two arms": (("H19 two,c,,offered", "H19 one,b,,offered"), "arm", 2, "one arm for each unit"),
    "twice": (("H19 two,c", "H19 one,a"), "unit", 1, "each unit of a trial once"),
    "nobody": (("two,c", "two,x"), "unit", 1, "a customer of the table 'customers'"),
    "no case": (("k1,", "k9,"), "unit", 1, "a case of the table 'complaints'"),
    "a case as a customer": (("k1,complaint", "k1,"), "unit", 1, "a customer of the table"),
    "received before": (("04-01,2024-04-03", "04-01,2024-03-31"), "received_on", 1, "not before"),
    "later than the data": (("c,,offered,2024", "c,,offered,2025"), "assigned_on", 1, "2024-12-31"),
    "another kind of unit": (("k1,complaint", "k1,station"), "unit_is", 1, "customer, complaint"),
}


def source(write_source, text=ASSIGNMENTS):
    return write_source(TABLES, complaints=COMPLAINTS, assignments=text)


def test_units_are_in_the_region_of_their_customer(write_source):
    path = source(write_source)
    assert dataset.problems(opened(path)).empty
    north = load_region(str(path), "North").tables["assignments"]
    assert north["unit"].tolist() == ["k1", "k2", "a", "b"]
    assert north["arm"].tolist() == ["told", "not told", "offered", "not offered"]
    assert north["received_on"].notna().tolist() == [True, True, True, False]
    assert list(north.columns) == list(contract.TABLES["assignments"].columns)
    assert load_region(str(path), "South").tables["assignments"]["unit"].tolist() == ["c"]


def test_of_a_unit_that_is_a_case_and_a_customer_the_kind_decides(write_source):
    cases = COMPLAINTS.replace("k1,a", "c,a")  # c is a customer of the South, too
    path = write_source(TABLES, complaints=cases, assignments=ASSIGNMENTS.replace("k1,", "c,"))
    assert dataset.problems(opened(path)).empty
    assert "c" in load_region(str(path), "North").tables["assignments"]["unit"].tolist()
    assert load_region(str(path), "South").tables["assignments"]["trial"].tolist() == ["H19 two"]


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_gets_one_message(write_source, case):
    change, column, rows, expected = CASES[case]
    found = only_problem(source(write_source, ASSIGNMENTS.replace(*change)))
    assert (found["table"], found["column"], found["rows"]) == ("assignments", column, rows)
    assert expected in found["expected"]


def test_without_a_table_of_complaints_a_case_is_unknown(write_source):
    toml = '[assignments]\nfile = "assignments.csv"\n'
    found = only_problem(write_source(toml, assignments=ASSIGNMENTS))
    assert (found["column"], found["rows"]) == ("unit", 2)


def test_a_trial_with_many_mistakes_stops_its_region(write_source):
    text = ASSIGNMENTS.replace("not told", "").replace("not offered", "")
    toml = f"as_of = 2024-12-31\nmax_set_aside = 0.05\n{TABLES}"
    path = write_source(toml, complaints=COMPLAINTS, assignments=text)
    with pytest.raises(DataError, match=r"assignments.csv: 50.0% of the rows of North"):
        load_region(str(path), "North")


def test_what_was_not_known_on_a_day_is_not_there(write_source):
    path = source(write_source, ASSIGNMENTS)
    early = load_region(str(path), "North", "2024-04-02").tables["assignments"]
    assert early["unit"].tolist() == ["k1", "k2", "a", "b"]
    assert early["received_on"].notna().tolist() == [True, True, False, False]
    before = load_region(str(path), "North", "2024-03-31").tables["assignments"]
    assert before["unit"].tolist() == ["k1", "k2"]


def test_the_profile_has_the_table_only_where_it_is_there(write_source):
    north = load_region(str(source(write_source)), "North")
    assert data_profile.tables(north).loc["assignments", "rows"] == 4
    other = load_region(str(write_source()), "North")
    assert "assignments" not in data_profile.tables(other).index
