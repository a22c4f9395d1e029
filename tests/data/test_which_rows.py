"""Which rows of a file count: keep and drop, sales without a customer, refunds, equal rows."""

import pandas as pd
import pytest
from messy import CUSTOMERS, HEAD, LINES, PEOPLE, excel, opened, parquet

from analysis.data import dataset, exclusions
from analysis.data.region import of_validated

PAID = f"""{HEAD},Status,ok
a,2025-01-02,1,paid,true
a,2025-01-03,5,paid,true
a,2025-02-01,7,paid,false
b,2025-01-31 23:59,9,sent,true
b,2025-01-31,11,Failed,true
"""
FILTERS = {
    'keep = { Status = ["paid", "sent"] }': [1, 5, 7, 9],
    'drop = { Status = "Failed", customer_id = "a" }': [9],
    "keep = { amount = { min = 5, max = 9 } }": [5, 7, 9],
    "keep = { bought_at = { max = 2025-01-31 } }": [1, 5, 9, 11],
    "drop = { bought_at = { min = 2025-01-31 } }": [1, 5],
    'keep = { Status = "paid" }\ndrop = { amount = { max = 1.0 } }': [5, 7],
    "keep = { ok = true, amount = [5.0, 9] }": [5, 9],
}


@pytest.mark.parametrize("filters", FILTERS)
def test_keep_and_drop(tmp_path, filters):
    own = opened(tmp_path, f"{CUSTOMERS}{LINES}{filters}\n", {"t.csv": PAID})
    amounts = FILTERS[filters]
    assert own.rows("amount") == [(each,) for each in amounts]
    assert own.left_out == [("transactions", "not kept", 5 - len(amounts), None)]


PAID_IN_SHAPE = "t.csv, row 2: xxxx (4 characters) in 'Status'; expected a "
REFUSED = {
    'keep = { Status = "payed" }': "t.csv: keep and drop leave none of 5 rows",
    "keep = { Statuss = 1 }": "t.csv: no column 'Statuss' (keep). Did you mean 'Status'?",
    "drop = { Status = { min = 1 } }": f"{PAID_IN_SHAPE}number",
    "keep = { Status = { min = 2024-01-01 } }": f"{PAID_IN_SHAPE}date",
}


@pytest.mark.parametrize("filters", REFUSED)
def test_a_filter_that_can_not_be_right_is_refused(tmp_path, filters):
    own = opened(tmp_path, f"{CUSTOMERS}{LINES}{filters}\n", {"t.csv": PAID})
    assert own.why.startswith(REFUSED[filters])


def test_a_range_of_days_is_one_of_local_days(tmp_path):
    moments = ["2025-01-31T15:59Z", "2025-01-31T16:00Z"]  # the second is in February in Shanghai
    lines = parquet(customer_id=["a", "b"], bought_at=pd.to_datetime(moments), amount=[1.0, 2])
    toml = f'timezone = "Asia/Shanghai"\n{CUSTOMERS}[transactions]\nfile = "t.parquet"\n'
    filters = "keep = { bought_at = { max = 2025-01-31 } }\n"
    own = opened(tmp_path, toml + filters, {"t.parquet": lines})
    assert own.rows("amount", "bought_at") == [(1, "2025-01-31 23:59:00")]


def test_sales_without_a_customer_are_no_errors_and_counted_apart(tmp_path):
    lines = f"{HEAD}\na,2025-01-02,10\n,2025-01-02,30\n　,2025-01-03,10\nz,2025-01-03,1\n"
    own = opened(tmp_path, CUSTOMERS + LINES, {"t.csv": lines})
    assert own.rows("amount") == [(10,)]
    assert own.left_out == [("transactions", "without a customer", 2, 40)]
    assert dataset.validate(own.data).left_out["share"].tolist() == [0.8]
    assert [each[-1] for each in own.problems] == ["row 5: 'z'"]


def amounts(own, region="North", as_of=""):
    here = of_validated(dataset.validate(own.data), region, as_of)
    return sorted(here.purchases.to_pandas()["amount"])


REFUNDS = {  # lines, net amounts, lines that stay errors
    "the latest purchase of that amount": (
        "a,2025-01-01,6,,x\na,2025-01-02,6,,x\na,2025-01-03,-6,,x\n",
        [6],
        0,
    ),
    "more refunds than purchases": (
        "a,2025-01-01,6,,x\na,2025-01-03,-6,,x\na,2025-01-04,-6,,x\n",
        [],
        1,
    ),
    "another product": ("a,2025-01-01,6,,x\na,2025-01-03,-6,,y\n", [6], 1),
    "another customer": ("a,2025-01-01,6,,x\nb,2025-01-03,-6,,x\n", [6], 1),
    "before the purchase": ("a,2025-01-03,6,,x\na,2025-01-01,-6,,x\n", [6], 1),
    "on the same day, above it in the file": ("a,2025-01-01,-6,,x\na,2025-01-01,6,,x\n", [], 0),
    "the line of its order": (
        "a,2025-01-01,6,1,x\na,2025-01-02,6,2,x\na,2025-01-03,-6,1,x\n",
        [6],
        0,
    ),
    "an order in proportion": (
        "a,2025-01-01,6,1,x\na,2025-01-01,4,1,y\na,2025-01-03,-5,1,\n",
        [2, 3],
        0,
    ),
    "more than its order": ("a,2025-01-01,6,1,x\na,2025-01-03,-7,1,x\n", [6], 1),
}


@pytest.mark.parametrize("case", REFUNDS)
def test_refunds_are_netted_against_the_purchase_that_they_undo(tmp_path, case):
    lines, net, errors = REFUNDS[case]
    lines += "a,2025-01-01,1,,z\nb,2025-01-01,1,,z\n"
    own = opened(tmp_path, CUSTOMERS + LINES, {"t.csv": f"{HEAD},order_id,product\n{lines}"})
    assert amounts(own) == sorted([1, 1, *net])
    assert sum(each[1] for each in own.problems) == errors


def test_a_refund_counts_from_its_day_on(tmp_path):
    lines = f"{HEAD}\na,2025-01-01,6\na,2025-03-01,-6\nb,2025-01-01,1\n"
    own = opened(tmp_path, CUSTOMERS + LINES, {"t.csv": lines})
    assert amounts(own) == [1]
    assert amounts(own, as_of="2025-02-28") == [1, 6]
    assert own.left_out == [("transactions", "given back", 1, 6)]


def test_refunds_that_are_left_out_leave_the_purchase(tmp_path):
    lines = f"{HEAD}\na,2025-01-01,6\na,2025-03-01,-6\n"
    own = opened(tmp_path, f'{CUSTOMERS}{LINES}refunds = "leave_out"\n', {"t.csv": lines})
    assert amounts(own) == [6]
    assert (own.problems, own.left_out) == ([], [])
    refunds = exclusions.refunds_by_region(own.data)["North"]
    assert (refunds.lines, refunds.amount, refunds.sales) == (1, 6, 6)


def test_a_row_that_stands_for_many_is_many_and_a_refund_undoes_one(tmp_path):
    lines = f"{HEAD},Freq\na,2025-01-01,6,3\nb,2025-01-01,7,0\na,2025-01-02,-6,1\n"
    own = opened(tmp_path, f'{CUSTOMERS}{LINES}count = "Freq"\n', {"t.csv": lines})
    assert amounts(own) == [6, 6]


def test_a_count_has_the_thousands_of_the_file(tmp_path):
    lines = f'{HEAD},Freq\na,2025-01-05,10,"1,002"\n'
    toml = f'thousands = ","\n{CUSTOMERS}{LINES}count = "Freq"\n'
    assert len(opened(tmp_path, toml, {"t.csv": lines}).rows("amount")) == 1002


@pytest.mark.parametrize("times", ["1.5", "-1", "", "x"])
def test_a_count_that_is_none_is_refused(tmp_path, times):
    lines = f"{HEAD},Freq\na,2025-01-01,6,3\nb,2025-01-01,7,{times}\n"
    own = opened(tmp_path, f'{CUSTOMERS}{LINES}count = "Freq"\n', {"t.csv": lines})
    assert own.why == "t.csv, row 3: expected a whole number of rows in 'Freq' (count)."


def test_equal_rows_of_a_customer_are_one_and_others_are_errors(tmp_path):
    people = "customer_id,region,segment\na,North,x\na,North,x\nb,North,x\nb,North,y\n"
    lines = f"{HEAD}\na,2025-01-01,6\nb,2025-01-01,7\n"
    own = opened(tmp_path, CUSTOMERS + LINES, {"t.csv": lines}, people)
    assert own.rows("customer_id", "segment", table="customers") == [("a", "x"), ("b", "x")]
    assert amounts(own) == [6, 7]
    assert [each[-1] for each in own.problems] == ["row 5: 'b'"]
    assert own.left_out == [("customers", "equal to an earlier row", 1, None)]


def test_rows_of_customers_who_are_not_kept_do_not_count_and_break_nothing(tmp_path):
    people = "customer_id,region,Type\na,North,x\nb,North,Test\nb2,South,Test\nc,South,\n"
    people += "d,North,Test\nd,North,x\n"  # a second row of theirs is kept
    toml = f'{CUSTOMERS}drop = {{ Type = "Test" }}\n{LINES}[survey]\nfile = "s.csv"\n'
    lines = "a,2025-01-01,1\nb,2025-01-01,2\nb2,bad,4\nb,2025-01-02,-2\nd,2025-01-01,8\n"
    files = {"t.csv": f"{HEAD}\n{lines}z,2025-01-01,16\n"}
    files |= {"s.csv": "customer_id,satisfaction_1\na,5\nb,50\nb2,6\n"}
    own = opened(tmp_path, toml, files, people)
    assert own.rows("amount") == [(1,), (8,)]
    assert own.rows("satisfaction_1", table="survey") == [(5,)]
    assert [each[-1] for each in own.problems] == ["row 7: 'z'"]
    assert own.left_out == [
        ("customers", "not kept", 3, None),
        ("survey", "of a customer not kept", 2, None),
        ("transactions", "of a customer not kept", 3, 8),
    ]
    found = exclusions.left_out(own.data)
    assert exclusions.left_out_sentences(found, "")[1:] == [
        "2 rows of the table 'survey' are of customers whom keep and drop leave out",
        "3 rows of the table 'transactions' are of customers whom keep and drop leave out",
    ]


def test_a_word_of_a_sheet_that_is_a_number_is_kept_by_its_number(tmp_path):
    lines = {"customer_id": ["a", "b"], "bought_at": ["2025-01-01"] * 2, "amount": [1, 2]}
    toml = f'{CUSTOMERS}[transactions]\nfile = "t.xlsx"\nkeep = {{ code = 7 }}\n'
    own = opened(tmp_path, toml, {"t.xlsx": excel(A=lines | {"code": [7.0, None]})}, PEOPLE)
    assert own.rows("amount") == [(1,)]


def test_a_wave_that_somebody_did_not_answer_is_no_answer(tmp_path):
    toml = CUSTOMERS
    for year in (24, 25):
        toml += f'[[survey]]\nfile = "w.csv"\n[survey.columns]\nsatisfaction_1 = "s{year}"\n'
        toml += f'weight = "w{year}"\nanswered_on = {{ value = "20{year}-06-30" }}\n'
    answers = "customer_id,s24,w24,s25,w25\na,5,1,,\nb,4,1,6,2\nc,,,,\n"
    own = opened(tmp_path, toml, {"w.csv": answers})
    assert own.rows("customer_id", "satisfaction_1", table="survey") == [
        ("a", 5),
        ("b", 4),
        ("b", 6),
    ]
    assert own.problems == []
    assert own.left_out == [("survey", "without an answer", n, None) for n in (1, 2)]


def test_answers_after_the_last_purchase_are_counted(tmp_path):
    answers = "customer_id,answered_on,satisfaction_1\n"
    answers += "a,2024-09-10,5\nb,2024-08-23 23:59,4\nc,2024-08-24,4\n"
    files = {"s.csv": answers, "t.csv": f"{HEAD}\na,2024-08-23,1\n"}
    own = opened(tmp_path, f'{CUSTOMERS}{LINES}[survey]\nfile = "s.csv"\n', files, as_of="")
    found = exclusions.left_out(own.data)
    end = "last purchase of 2024-08-23; as_of = 2024-09-10 would count it"
    said = [f"1 row of survey lies after the {end}"] * 2  # in North and in South
    assert exclusions.left_out_sentences(found, "") == said


SAME = {
    "keep = { Grp = [1] }": [1, 2],  # 1 and 1.0 are one number, and 01 is a code
    'drop = { Grp = "1.0" }': [3, 4],
    'missing = ["NA"]\ndrop = { Status = ["NA", "x"] }': [2, 4],
    'missing = ["NA"]\nkeep = { Status = "" }': [1, 4],
}


@pytest.mark.parametrize("filters", SAME)
def test_filters_know_a_number_and_a_word_for_no_value(tmp_path, filters):
    lines = f"{HEAD},Grp,Status\na,2025-01-01,1,1,NA\na,2025-01-02,2,1.0,ok\n"
    lines += "b,2025-01-03,3,01,x\nb,2025-01-04,4,2,\n"
    own = opened(tmp_path, f"{CUSTOMERS}{LINES}{filters}\n", {"t.csv": lines})
    assert own.rows("amount") == [(each,) for each in SAME[filters]]


def test_values_know_a_number_that_is_written_otherwise(tmp_path):
    toml = f"""{CUSTOMERS}[survey]
file = "s.csv"
[survey.columns]
satisfaction_1 = {{ column = "Q", values = {{ 10 = "1", 1 = "3" }} }}
channel = {{ column = "W", values = {{ online = "1" }}, default = "phone" }}
"""
    answers = "customer_id,Q,W\na,1,1.0\nb,1.0,1\nc,3.00,2\n"
    own = opened(tmp_path, toml, {"s.csv": answers})
    found = own.rows("customer_id", "satisfaction_1", "channel", table="survey")
    assert found == [("a", 10, "online"), ("b", 10, "online"), ("c", 1, "phone")]


def test_the_region_of_a_row_brings_its_segment(tmp_path):
    people = "customer_id,Branch,segment\na,N,small\na,S,big\nb,N,small\n"
    toml = f"""{CUSTOMERS}[customers.columns]
region = {{ column = "Branch", by = "last" }}
"""
    own = opened(tmp_path, f"{toml}{LINES}", {"t.csv": f"{HEAD}\na,2025-01-01,1\n"}, people)
    assert own.problems == []
    found = own.rows("customer_id", "region", "segment", table="customers")
    assert found == [("a", "S", "big"), ("b", "N", "small")]


@pytest.mark.parametrize("by", ["last", "most sales"])
def test_a_line_that_breaks_the_contract_decides_no_region(tmp_path, by):
    toml = f"""[customers]
same_file_as = "transactions"
one_row_per = "customer_id"
[customers.columns]
region = {{ column = "Branch", by = "{by}" }}
{LINES}"""
    lines = f"{HEAD},Branch\na,2025-01-01,10,N\na,2027-01-01,99,S\n"  # after as_of
    own = opened(tmp_path, toml, {"t.csv": lines}, None)
    assert own.rows("customer_id", "region", table="customers") == [("a", "N")]


def test_an_answer_that_stands_for_nobody_takes_no_place(tmp_path):
    answers = "customer_id,answered_on,satisfaction_1,loyalty_1,weight\n"
    answers += "c,2025-06-01,7,,3\nc,2025-06-01 12:00,9,9,0\n"
    own = opened(tmp_path, f'{CUSTOMERS}[survey]\nfile = "s.csv"\n', {"s.csv": answers})
    survey = of_validated(dataset.validate(own.data), "South").tables["survey"]
    assert survey[["satisfaction_1", "weight"]].to_numpy().tolist() == [[7, 3]]
