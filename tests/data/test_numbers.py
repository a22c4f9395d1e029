"""Numbers as people write them: signs, words, whole scales, words for nothing, arithmetic."""

import ibis
import pytest
from messy import CUSTOMERS, HEAD, LINES, excel, opened

from analysis.data.validation.numbers import number


def amounts_of(tmp_path, texts, toml=""):
    """Return the amount of each text, or None where it is an error."""
    lines = "".join(f'a,2025-01-{day:02},"{text}"\n' for day, text in enumerate(texts, start=1))
    own = opened(tmp_path, f"{toml}{CUSTOMERS}{LINES}", {"t.csv": f"{HEAD}\n{lines}"})
    found = {int(day[8:10]): amount for day, amount in own.rows("bought_at", "amount")}
    broken = sum(each[1] for each in own.problems)
    assert len(found) + broken == len(texts)
    return [found.get(day) for day in range(1, len(texts) + 1)]


WRITTEN = {  # keys: texts and what they are
    "": {
        "12.5": 12.5,
        "1e2": 100,
        "１２．５": 12.5,
        "￥5": 5,
        "€ 5.10": 5.1,
        "1,234.50 CNY": 1234.5,
        "1,234,567": 1234567,
        "1 234.5": 1234.5,
        "1\u202f234": 1234,
        "1'234.50": 1234.5,
        "7元": 7,
        "1,234": None,  # thousands, or a decimal comma?
        "1_000": None,
        "12%": None,
        "(5.50)": None,  # negative, and no purchase of 5.50 that it undoes
        "5-": None,
        "0x10": None,
        "1,23,456": None,
        "12.5.1": None,
        "nan": None,
        "inf": None,
    },
    'currency = "CNY"\n': {"￥5": 5, "RMB 6": 6, "7 CNY": 7, "8 EUR": None, "$9": None, "€1": None},
    'currency = "EUR"\ndecimal = ","\n': {"5,10 €": 5.1, "1.234,50": 1234.5, "1.234": None},
    'thousands = ","\n': {"1,234": 1234, "12,34": None, "1234": 1234, "1,234.5": 1234.5},
    'decimal = ","\nthousands = " "\n': {"1 234,5": 1234.5, "1\u00a0234": 1234, "1.5": None},
}


@pytest.mark.parametrize("toml", WRITTEN)
def test_numbers_as_people_write_them(tmp_path, toml):
    texts = WRITTEN[toml]
    assert amounts_of(tmp_path, texts, toml) == list(texts.values())


def test_a_minus_stands_behind_a_sum_with_two_decimals():
    texts = {"1,205.00-": -1205, "18.50 -": -18.5, "5-": None, "-18.50-": None, "1-18.50-": None}
    rows = ibis.memtable({"text": list(texts)})
    found = rows.select(n=number(rows["text"], ".", ",")).execute()["n"]
    assert [None if each != each else each for each in found] == list(texts.values())


def test_brackets_of_accountants_and_dashes_of_price_tags():
    texts = {"99.-": 99, "1,205.-- CNY": 1205, "5.-3": None, "9.---": None, "-7.-": -7}
    texts |= {"(1,205.00)": -1205, "($7)": -7, "$ (7.5)": -7.5, "（7）": -7, "(7) CNY": -7}
    texts |= dict.fromkeys(["-(7)", "(-7)", "1(2)", "((7))", "(7", "()", "(7) 8", "(x)"])
    rows = ibis.memtable({"text": list(texts)})
    found = rows.select(n=number(rows["text"], ".", ",")).execute()["n"]
    assert [None if each != each else each for each in found] == list(texts.values())


def test_an_expression_is_computed_and_what_it_lacks_is_said(tmp_path):
    lines = "Nr,Tag,q,Unit Price,n\na,2025-01-01,2,3.5,1\na,2025-01-02,2,3,0\n"
    lines += "a,2025-01-03,x,3,1\na,2025-01-04,,3,1\na,2025-01-05,-4,3,-2\n"
    columns = 'customer_id = "Nr"\nbought_at = "Tag"\n'
    columns += 'amount = { expression = "(q + 0) * `Unit Price` / n", scale = 2 }\n'
    columns += 'cost = { expression = "-q / n" }\n'
    toml = f"{CUSTOMERS}{LINES}[transactions.columns]\n{columns}"
    own = opened(tmp_path, toml, {"t.csv": lines})
    assert own.rows("amount", "cost") == []  # both costs are negative
    rows = {(column, example): n for column, n, _, example in own.problems}
    assert rows == {
        ("amount", "row 5: nothing"): 1,
        ("amount", "row 3: '2 3 0'"): 1,
        ("amount", "row 4: 'x 3 1'"): 1,
        ("cost", "row 3: '2 0'"): 1,
        ("cost", "row 4: 'x 1'"): 1,
        ("cost", "row 2: '2 1'"): 2,
    }
    columns = columns.replace("-q / n", "q / (n * n)")
    toml = f"{CUSTOMERS}{LINES}[transactions.columns]\n{columns}"
    own = opened(tmp_path / "again", toml, {"t.csv": lines})
    assert own.rows("amount", "cost") == [(14, 2)]


def test_an_expression_of_a_sheet_s_numbers(tmp_path):
    lines = {"customer_id": ["a"], "bought_at": ["2025-01-01"], "q": [1.25], "p": ["4,5"]}
    toml = f'decimal = ","\nthousands = "."\nmissing = ["-"]\n{CUSTOMERS}[transactions]\n'
    toml += 'file = "t.xlsx"\n[transactions.columns]\namount = { expression = "q * p" }\n'
    assert opened(tmp_path, toml, {"t.xlsx": excel(A=lines)}).rows("amount") == [(5.625,)]


def test_an_expression_of_a_column_that_is_not_there(tmp_path):
    toml = f'{CUSTOMERS}{LINES}[transactions.columns]\namount = {{ expression = "Quantty * 2" }}\n'
    own = opened(tmp_path, toml, {"t.csv": "customer_id,bought_at,Quantity\na,2025-01-01,2\n"})
    assert own.why == "t.csv: no column 'Quantty'. Did you mean 'Quantity'?"


def test_a_word_for_nothing_changes_no_mark_of_a_sheet_s_numbers(tmp_path):
    """1.234 in a cell is that number, though a dot separates thousands in the source's texts."""
    lines = {"customer_id": ["a", "b"], "bought_at": ["2025-01-01"] * 2, "amount": [1.234, 99.0]}
    toml = f'decimal = ","\nthousands = "."\nmissing = ["99"]\n{CUSTOMERS}[transactions]\n'
    own = opened(tmp_path, toml + 'file = "t.xlsx"\n', {"t.xlsx": excel(A=lines)})
    assert own.rows("amount") == [(1.234,)]
    assert own.problems == [("amount", 1, "a value", "row 3: nothing")]


def test_a_number_among_texts_of_a_sheet_is_that_number_whatever_the_marks(tmp_path):
    """One dash in a column makes it one of texts; a dot in its numbers separates no thousands."""
    days = ["2025-01-01", "2025-01-02", "2025-01-03"]
    lines = {"customer_id": ["a"] * 3, "bought_at": days, "k": [1, 2, 3], "n": [1.234, 2, "1,5"]}
    lines |= {"quantity": [1.234, "1.234,5", "-"], "product": [1.5, "x", "y"]}
    prices = {"k": [1, 2, 3], "p": [1.125, "2,5 €", 2]}
    toml = f"""decimal = ","
thousands = "."
missing = ["-"]
{CUSTOMERS}[transactions]
file = "t.xlsx"
joins = [{{ file = "p.xlsx", on = "k" }}]
keep = {{ n = {{ min = 1.2 }} }}
[transactions.columns]
amount = {{ expression = "n * `p.p`" }}
"""
    own = opened(tmp_path, toml, {"t.xlsx": excel(A=lines), "p.xlsx": excel(A=prices)})
    assert own.rows("amount", "quantity", "product") == [
        (1.234 * 1.125, 1.234, "1.5"),
        (3, None, "y"),
        (5, 1234.5, "x"),
    ]


def test_words_for_nothing_of_a_source_a_table_and_a_column(tmp_path):
    toml = f'missing = ["NA"]\n{CUSTOMERS}{LINES}missing = [99, "-"]\n[transactions.columns]\n'
    toml += 'product = { column = "product", missing = ["?"] }\n'
    lines = f"{HEAD},quantity,cost,product\na,2025-01-01,1,99.0,-,-\nb,2025-01-01,2,990,99.5,?\n"
    own = opened(tmp_path, toml, {"t.csv": lines})
    columns = ("amount", "quantity", "cost", "product")
    assert own.rows(*columns) == [(1, None, None, "-"), (2, 990, 99.5, None)]
    files = {"t.csv": f"{HEAD},quantity\na,2025-01-01,1,NA\n"}
    ((column, rows, expected, example),) = opened(tmp_path / "b", CUSTOMERS + LINES, files).problems
    assert (column, rows, example) == ("quantity", 1, "row 2: 'NA'")
    assert "missing = ['NA']" in expected


SURVEY = '[survey]\nfile = "q.csv"\nscale_of = [1, 5]\n[survey.columns]\n'


def test_words_become_numbers_and_whole_scales_those_of_the_contract(tmp_path):
    toml = CUSTOMERS + SURVEY
    toml += 'satisfaction_1 = { column = "q", values = { 5 = ["5 - very good", "非常满意"] } }\n'
    toml += 'loyalty_1 = { column = "l", reverse = true }\n'
    toml += 'performance = { column = "p", scale_of = [0, 100] }\n'
    toml += 'expectation = { column = "e", scale = 2 }\n'
    answers = "customer_id,q,l,p,e\na,5 - very good,1,0,1\nb,非常满意,5,50,2\nc,3,2,100,5\n"
    answers += "a,6,0,101,6\na,高,3,7,1\n"
    own = opened(tmp_path, toml, {"q.csv": answers})
    columns = ("customer_id", "satisfaction_1", "loyalty_1", "performance", "expectation")
    assert own.rows(*columns, table="survey") == [
        ("a", 10, 10, 1, 2),
        ("b", 10, 1, 5.5, 4),
        ("c", 5.5, 7.75, 10, 10),
    ]
    said = {(column, expected): example for column, _, expected, example in own.problems}
    assert said == {
        ("satisfaction_1", "a number from 1 to 5"): "row 5: '6'",
        ("satisfaction_1", "a number, or one of 5 - very good, 非常满意 (values)"): "row 6: '高'",
        ("loyalty_1", "a number from 1 to 5"): "row 5: '0'",
        ("performance", "a number from 0 to 100"): "row 5: '101'",
        ("expectation", "a number from 1 to 10 after times 2"): "row 5: '6'",
    }


def test_words_stand_for_the_numbers_of_a_sheet_too(tmp_path):
    answers = {"customer_id": ["a", "b"], "q": [1, 4]}
    toml = CUSTOMERS + SURVEY.replace(".csv", ".xlsx")
    toml += 'satisfaction_1 = { column = "q", values = { 5 = [1] } }\n'
    own = opened(tmp_path, toml, {"q.xlsx": excel(A=answers)})
    assert own.rows("satisfaction_1", table="survey") == [(7.75,), (10,)]
