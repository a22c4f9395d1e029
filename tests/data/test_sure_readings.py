"""What might be read in two ways is read in the sure one, or refused in words."""

import pandas as pd
import pytest

from analysis.data import sources
from analysis.data.errors import DataError
from analysis.data.region import load_region
from tables import opened

PEOPLE = "customer_id,region\na,North\n"


def lines(text, header="customer_id,bought_at,amount"):
    return header + "\n" + "\n".join(text) + "\n"


def sold(path):
    """Return the amounts of the purchases that count."""
    return sorted(load_region(str(path), "North").purchases.to_pandas()["amount"])


@pytest.mark.parametrize(
    "toml",
    [
        '[[transactions]]\nfiles = "t*.csv"\n[[transactions]]\nfile = "t2.csv"\n',
        '[transactions]\nfiles = ["t1.csv", "t2.csv", "./t2.csv"]\n',
    ],
)
def test_a_file_that_two_parts_read_is_refused(write_source, toml):
    own = lines(["a,2024-01-01,10"])
    path = write_source(toml, t1=own, t2=own, customers=PEOPLE, transactions=None, survey=None)
    (path.parent / "small" / "survey.csv").write_text("customer_id\na\n")
    found = opened(path).problems["transactions"]
    assert found.startswith("t2.csv: ")
    assert "twice" in found


@pytest.mark.parametrize(
    ("zone", "clock"), [("UTC", "20:00"), ("Asia/Shanghai", "12:00"), ("CST", None), ("IST", None)]
)
def test_a_named_zone_counts_only_where_its_name_means_one(write_source, zone, clock):
    toml = (
        'as_of = 2024-12-31\nmax_set_aside = 1.0\ntimezone = "Asia/Shanghai"\n[transactions]\n'
        'file = "transactions.csv"\n[transactions.columns]\n'
        'bought_at = { column = "bought_at", format = "%a %b %d %H:%M:%S %Z %Y" }\n'
    )
    own = lines([f"a,Tue Mar 05 12:00:00 {zone} 2024,10"])
    path = write_source(toml, customers=PEOPLE, transactions=own, survey="customer_id\na\n")
    read = load_region(str(path), "North").purchases.to_pandas()["bought_at"]
    expected = [] if clock is None else [pd.Timestamp(f"2024-03-05 {clock}")]
    assert read.tolist() == expected


def test_a_refund_after_the_last_purchase_is_netted_without_an_end_of_the_data(write_source):
    own = lines(["a,2024-01-01,100", "a,2024-01-01,30", "a,2024-01-02,-100"])
    files = {"customers": PEOPLE, "transactions": own, "survey": "customer_id\na\n"}
    path = write_source("currency = 'CNY'\n", **files)
    text = path.read_text(encoding="utf-8").replace("as_of = 2024-12-31\n", "")
    path.write_text(text, encoding="utf-8")
    assert sold(path) == [30]


def test_a_cancellation_with_a_number_of_its_own_is_netted_by_its_amount(write_source):
    header = "customer_id,bought_at,amount,order_id"
    own = ["a,2024-01-01,100,536", "a,2024-01-01,30,536", "a,2024-01-05,-100,C536"]
    own += ["a,2024-01-06,-30,"]
    files = {"customers": PEOPLE, "transactions": lines(own, header), "survey": "customer_id\na\n"}
    assert sold(write_source("as_of = 2024-12-31\n", **files)) == []


CURRENCIES = {"CHF": "CHF 2", "CNY": "8元", "RMB": "¥4", "USD": "$1", "KRW": "₩2", "EUR": "2 €"}
FOREIGN = {"CHF": "$1", "CNY": "$1", "RMB": "$1", "USD": "₩2", "KRW": "$1", "EUR": "£3"}


@pytest.mark.parametrize("code", CURRENCIES)
def test_the_sign_of_another_currency_is_no_number(write_source, code):
    own = lines([f"a,2024-01-01,{CURRENCIES[code]}", f"a,2024-01-02,{FOREIGN[code]}"])
    files = {"customers": PEOPLE, "transactions": own, "survey": "customer_id\na\n"}
    top = f'as_of = 2024-12-31\nmax_set_aside = 1.0\ncurrency = "{code}"\n'
    path = write_source(top, **files)
    digits = "".join(each for each in CURRENCIES[code] if each.isdigit())
    assert sold(path) == [float(digits)]
    assert load_region(str(path), "North").rejected["rows"].tolist() == [1]


WRONG = {
    "times make no difference to day and month": (
        'date_format = ["%m/%d/%Y", "%d/%m/%Y %H:%M"]\n',
        "read 03/04/2024 as different days",
    ),
    "nor do years of two digits": (
        'date_format = ["%d/%m/%Y", "%m/%d/%y"]\n',
        "read 03/04/2024 as different days",
    ),
    "a first day after the last": (
        "earliest = 2025-01-01\nas_of = 2024-01-01\n",
        "earliest = 2025-01-01 lies after as_of = 2024-01-01",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_keys_that_contradict_each_other_are_refused(tmp_path, case):
    top, words = WRONG[case]
    path = tmp_path / "own.toml"
    tables = '[customers]\nfile = "c.csv"\n[transactions]\nfile = "t.csv"\n'
    path.write_text(top + tables, encoding="utf-8")
    with pytest.raises(DataError, match=words):
        sources.read(str(path))


def test_dates_of_two_marks_have_an_order_each(tmp_path):
    path = tmp_path / "own.toml"
    tables = '[customers]\nfile = "c.csv"\n[transactions]\nfile = "t.csv"\n'
    path.write_text('date_format = ["%d.%m.%Y", "%m/%d/%Y", "%Y/%m/%d"]\n' + tables)
    assert len(sources.read(str(path)).tables["transactions"].parts[0].marks["moment"].formats) == 3


@pytest.mark.parametrize("expression", ["Ｐ * Q", "`Ｐ` * Q", "Q * class"])
def test_an_expression_names_columns_as_they_stand(write_source, expression):
    toml = (
        "as_of = 2024-12-31\n[transactions]\nfile = 'transactions.csv'\n[transactions.columns]\n"
        f'amount = {{ expression = "{expression}" }}\n'
    )
    own = lines(["a,2024-01-01,100,5,2,5"], "customer_id,bought_at,P,Ｐ,Q,class")
    files = {"customers": PEOPLE, "transactions": own, "survey": "customer_id\na\n"}
    assert sold(write_source(toml, **files)) == [10]


def test_a_long_expression_is_refused_in_words(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(
        '[customers]\nfile = "c.csv"\n[transactions]\nfile = "t.csv"\n[transactions.columns]\n'
        f'amount = {{ expression = "{" + ".join(["A"] * 2000)}" }}\n'
    )
    with pytest.raises(DataError, match="more than 1000 characters"):
        sources.read(str(path))


def test_numbers_of_excel_beyond_any_integer_are_read(write_source):
    toml = "as_of = 2024-12-31\n[transactions]\nfile = 'lines.xlsx'\n"
    files = {"customers": PEOPLE, "transactions": None, "survey": "customer_id\na\n"}
    path = write_source(toml, **files)
    frame = {"customer_id": ["a"], "bought_at": ["2024-01-01"], "amount": [3], "order_id": [1e20]}
    pd.DataFrame(frame).to_excel(path.parent / "small" / "lines.xlsx", index=False)
    assert sold(path) == [3]
