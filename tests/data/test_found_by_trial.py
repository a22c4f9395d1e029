"""What real folders held that was refused, lost or shown although it should not have been."""

import datetime as dt
import io

import pytest
from messy import CUSTOMERS, HEAD, LINES, excel, opened
from rich.console import Console

from analysis.data import exclusions
from workbook.checking import report

BERLIN = 'timezone = "Europe/Berlin"\n'
CASES = '[complaints]\nfile = "k.csv"\n'
OPENED = "complaint_id,customer_id,opened_at,explained_at\n"


def said(own, shows_values=False):
    """Return what `workbook check` prints."""
    text = io.StringIO()
    report.check(own.data, Console(file=text, width=250, markup=False), shows_values)
    return text.getvalue()


@pytest.mark.parametrize("form", ["", 'date_format = "%Y-%m-%d %H:%M%z"\n'])
def test_what_came_first_in_an_hour_that_happens_twice_is_known_by_its_zone(tmp_path, form):
    """On 27 October 2024 clocks in Berlin showed 02:10 +01:00 after 02:50 +02:00."""
    first, second = "2024-10-27 02:50+02:00", "2024-10-27 02:10+01:00"
    files = {
        "t.csv": f"{HEAD}\na,{first},5\na,{second},-5\nb,{first},7\n",
        "k.csv": f"{OPENED}1,a,{first},{second}\n2,a,{second},{first}\n",
    }
    own = opened(tmp_path, BERLIN + form + CUSTOMERS + LINES + CASES, files)
    assert own.rows("complaint_id", table="complaints") == [("1",)]
    (problem,) = own.problems
    assert problem[:3] == ("explained_at", 1, "not before opened_at")
    assert own.left_out == [("transactions", "given back", 1, 5)]


@pytest.mark.parametrize("empty", [f"{HEAD}\n", "", "\n"])
def test_a_file_without_rows_among_others_adds_none_and_is_said(tmp_path, empty):
    toml = f'{CUSTOMERS}[transactions]\nfiles = "t*.csv"\n'
    own = opened(
        tmp_path / "a",
        toml,
        {"t1.csv": empty, "t2.csv": f"{HEAD}\na,2024-01-01,x\n,2024-01-01,1\n"},
    )
    assert own.problems[0][-1] == "row 2: 'x'"
    assert said(own).startswith(
        "t1.csv has no rows, and adds none.\n"
        "1 purchase line has no customer: 1, 100.0% of all sales; it belongs to no region.\n"
    )
    alone = opened(tmp_path / "b", toml, {"t1.csv": f"{HEAD}\n"})
    assert alone.why == ("t1.csv: the file has no rows; expected a header and at least one row.")


def test_days_of_a_sheet_beside_texts_are_days_whatever_the_format(tmp_path):
    days = [dt.date(2024, 3, 5), "04.03.2024", dt.datetime(2024, 3, 6, 7, 30), "2024-13-01"]
    sheet = {"customer_id": ["a"] * 4, "bought_at": days, "amount": [1, 2, 3, 4]}
    toml = f'date_format = "%d.%m.%Y"\n{CUSTOMERS}[transactions]\nfile = "t.xlsx"\n'
    own = opened(tmp_path, toml, {"t.xlsx": excel(A=sheet)})
    assert own.rows("amount", "bought_at") == [
        (1, "2024-03-05 00:00:00"),
        (2, "2024-03-04 00:00:00"),
        (3, "2024-03-06 07:30:00"),
    ]
    assert own.problems[0][1:3] == (1, "a date in the format %d.%m.%Y")


def test_a_day_that_the_toml_file_states_is_an_iso_date_or_one_of_the_source_s_format(tmp_path):
    days = ['"2024-06-30"', "2024-07-30", '"30.08.2024"']
    toml = 'date_format = "%d.%m.%Y"\n' + CUSTOMERS
    for day in days:
        toml += f'[[survey]]\nfile = "c.csv"\n[survey.columns]\nanswered_on = {{ value = {day} }}\n'
        toml += "weight = { value = 1 }\n"
    people = "customer_id,region,satisfaction_1\na,North,5\n"
    own = opened(tmp_path, toml, {}, people)
    found = [str(day)[:10] for day, _ in own.rows("answered_on", "weight", table="survey")]
    assert found == ["2024-06-30", "2024-07-30", "2024-08-30"]


PRODUCTS = "sku,kind\n007,fuel\n8,gas\n"


@pytest.mark.parametrize("numeric", ["", ", numeric = true"])
def test_rows_that_find_nothing_in_a_joined_file_are_counted(tmp_path, numeric):
    toml = f'{CUSTOMERS}{LINES}joins = [{{ file = "p.csv", on = "sku"{numeric} }}]\n'
    toml += 'drop = { amount = 9 }\n[transactions.columns]\nproduct = "p.kind"\n'
    lines = [("1", "7"), ("2", "8"), ("3", "5"), ("4", ""), ("9", "5")]
    text = f"{HEAD},sku\n" + "".join(f"a,2024-01-01,{n},{sku}\n" for n, sku in lines)
    own = opened(tmp_path, toml, {"t.csv": text, "p.csv": PRODUCTS})
    assert own.rows("amount", "product")[0] == (1, "fuel" if numeric else None)
    counted = exclusions.left_out(own.data).set_index("reason").loc["not in a joined file"]
    assert counted[["rows", "all", "numeric"]].tolist() == [
        2 if numeric else 3,
        4,
        int(not numeric),
    ]
    if not numeric:
        assert (
            "3 of 4 rows of t.csv find nothing in p.csv, joined by sku; 1 stands there, written "
            "otherwise: joins = [{ ..., numeric = true }]."
        ) in said(own)


EACH = f"{CUSTOMERS}[customers.columns]\nregion = {{ column = 'R', by = 'each' }}\n"


def test_a_known_customer_in_another_region_is_not_called_unknown(tmp_path):
    people = "customer_id,R\na,N\na,S\nb,N\nx,\n"
    rows = "".join(
        f"{who},2024-01-01,{i},{r}\n"
        for i, (who, r) in enumerate(
            [("a", "N"), ("a", "S"), ("a", "W"), ("b", "S"), ("x", "N"), ("z", "N")]
        )
    )
    own = opened(tmp_path, EACH + LINES, {"t.csv": f"{HEAD},R\n{rows}"}, people)
    assert own.rows("customer_id", "region") == [("a", "N"), ("a", "S")]
    assert own.problems[1:] == [
        ("customer_id", 1, "a customer of the table 'customers'", "row 7: 'z'"),
        ("customer_id", 1, "a customer whose own row is valid", "row 6: 'x'"),
        (
            "customer_id",
            2,
            "a customer whom the table 'customers' has in the region of this row",
            "row 4: 'a'",
        ),
    ]


def test_of_several_columns_the_one_is_named_that_is_blank_or_wrong(tmp_path):
    toml = f"""{CUSTOMERS}[customers.columns]
customer_id = {{ key = ["branch", "no"] }}
[transactions]
file = "t.csv"
[transactions.columns]
customer_id = {{ key = ["branch", "no"] }}
bought_at = {{ columns = ["day", "hour"], format = "%Y-%m-%d %H:%M" }}
amount = {{ expression = "n * `unit price` / (1 - off)" }}
"""
    people = "branch,no,region\nN,1,North\nN,,North\n"
    good, rows = ["N", "1", "2024-01-01", "08:00", "2", "3", "0"], []
    for place, value in ((None, ""), (5, ""), (4, "x"), (3, ""), (6, "1"), (1, "")):
        rows.append(list(good))
        if place is not None:
            rows[-1][place] = value
    text = "branch,no,day,hour,n,unit price,off\n" + "".join(",".join(r) + "\n" for r in rows)
    own = opened(tmp_path, toml, {"t.csv": text}, people)
    whole = "n * `unit price` / (1 - off)"
    assert own.rows("amount") == [(6,)]
    assert [(each[0], each[2], each[3].split(":")[0]) for each in own.problems] == [
        ("customer_id", "a value in 'no'", "row 3"),
        ("bought_at", "a value in 'hour'", "row 5"),
        ("amount", f"a value in 'unit price' ({whole})", "row 3"),
        ("amount", f"a number in 'n' ({whole})", "row 4"),
        ("amount", f"no division by 0 in {whole}", "row 6"),
    ]
    assert own.left_out[0][:3] == ("transactions", "without a customer", 1)


def test_refunds_that_are_to_be_left_out_stop_no_region(tmp_path):
    lines = f"{HEAD}\na,2024-01-01,9\na,2024-01-02,-4\na,2024-01-03,-4\na,bad,-4\nz,2024-01-03,-4\n"
    own = opened(tmp_path, f'{CUSTOMERS}{LINES}refunds = "leave_out"\n', {"t.csv": lines})
    assert own.rows("amount") == [(9,)]
    assert [each[:2] for each in own.problems] == [
        ("bought_at", 1),
        ("amount", 1),
        ("customer_id", 1),
    ]
    refunds = exclusions.refunds_by_region(own.data)["North"]
    assert (refunds.lines, refunds.amount) == (3, 12)


def test_check_shows_no_value_of_one_customer_and_no_row_as_a_header(tmp_path):
    people = "customer_id,region,C00123,Berta Maier\na,North,,\nb,North,,\n"
    text = f"{HEAD},product\n" + "a,2024-01-01,1,Anna's van\n" * 2 + "b,2024-01-01,1,Bus\n"
    own = opened(tmp_path, CUSTOMERS + LINES, {"t.csv": text}, people)
    hidden, shown = said(own), said(own, shows_values=True)
    for value, shape in (("Anna's van", "Xxxx'x xxx"), ("Berta Maier", "Xxxxx Xxxxx")):
        assert value not in hidden
        assert shape in hidden
        assert value in shown


def test_a_column_that_is_there_is_not_asked_for(tmp_path):
    text = "customer_id,answered_on,satisfaction_1\na,2024-06-01,5\n"
    toml = f'{CUSTOMERS}{LINES}[survey]\nfile = "s.csv"\n'
    files = {"s.csv": text, "t.csv": f"{HEAD}\na,2024-01-01,1\n"}
    own = opened(tmp_path, toml, files, as_of="")
    found = said(own)
    assert "1 row of survey lies after the last purchase of 2024-01-01" in found
    assert 'satisfaction_1 = "your column"' not in found


HOURS = {
    "2024年3月5日下午3:30": "15:30:00",
    "2024-03-05 上午 12:05:09": "00:05:09",
    "2024-3-5 下午 12:30": "12:30:00",
    "2024-03-05 下午 15:30": "15:30:00",
    "2024-03-05 08:30 上午": "08:30:00",
    "2024年3月5日 下午3时30分": "15:30:00",
}


@pytest.mark.parametrize("form", [None, "%Y.%m.%d %p %I:%M"])
def test_hours_before_and_after_noon_in_chinese(tmp_path, form):
    hours = {"2024.03.05 下午 03:30": "15:30:00"} if form else HOURS
    rows = "".join(f"a,{text},{i}\n" for i, text in enumerate(hours))
    toml = (f'date_format = "{form}"\n' if form else "") + CUSTOMERS + LINES
    own = opened(tmp_path, toml, {"t.csv": f"{HEAD}\n{rows}"})
    assert [day for _, day in own.rows("amount", "bought_at")] == [
        f"2024-03-05 {clock}" for clock in hours.values()
    ]
