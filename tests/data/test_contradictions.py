"""Keys of the TOML file that contradict each other, or do nothing, get one message."""

import pytest

from analysis.data import sources
from analysis.data.errors import DataError

COLUMNS = {  # a column of transactions, and what is said of it
    'amount = { expression = "a; drop table x" }': "expected column names",
    'amount = { expression = "abs(a)" }': "expected column names",
    'amount = { expression = "a ** 2" }': "expected column names",
    'amount = { expression = "a.b * 2" }': "expected column names",
    'amount = { expression = "" }': "expected column names",
    'amount = { expression = "3 * 4" }': "it names no column",
    'amount = { expression = "a / 0" }': "it divides by 0",
    'amount = { expression = "a / -0" }': "it divides by 0",
    'amount = { expression = "a / (2 - 2)" }': "it divides by 0",
    'amount = { expression = "a * 1e400" }': "a number in it is too large",
    'amount = { expression = "a", column = "b" }': "expected one of 'column', 'columns', 'key'",
    'product = { expression = "a * 2" }': "'expression' is for columns of numbers",
    'amount = { column = "a", values = { many = "x" } }': "'many' is no number",
    'amount = { column = "a", values = { 1 = "x" }, default = "y" }': "'y' is no number",
    'bought_at = { column = "a", values = { x = "y" } }': "'values' is for columns of text and",
    'customer_id = { key = ["a"] }': "key = ['a']: expected a list of at least 2",
    'product = { key = ["a", "b"] }': "'key' is for customer_id, complaint_id and unit",
    'product = { column = "a", numeric = true }': "'numeric' is for customer_id",
    'customer_id = { column = "a", by = "last" }': "'by' is for the region of [customers]",
    'bought_at = { column = "a", format = ["%d/%m/%Y", "%m/%d/%Y"] }': "as different days",
    'bought_at = { column = "a", format = "Excel" }': "one of excel, unix, unix_ms",
    'amount = { column = "a", thousands = ".", decimal = "." }': "are both '.'",
    'amount = { column = "a", scale = 2, scale_by = "b", scales = { x = 1 } }': "'scale_by' contra",
    'amount = { column = "a", reverse = true }': "'scale_of' and 'reverse' are for ratings",
}
TABLES = {  # keys of transactions
    'keep = { D = { min = "2024-01-01" } }': "keep: D: expected a word, a list of words, or a ra",
    "drop = { D = { mn = 7 } }": "drop: D: expected a word",
    "keep = { D = {} }": "keep: D: expected min, max, or both",
    "keep = { D = { min = 2024-01-01, max = 5 } }": "keep: D: min and max contradict",
    "keep = { D = { min = 7, max = 5 } }": "keep: D: min and max contradict",
    'keep = { D = "a" }\ndrop = { D = ["b", "a"] }': "keep and drop name the same value of 'D'",
    'files = "a*.csv"': "'file' and 'files' contradict each other",
    "skip = -1": "skip = -1: expected a number of at least 0",
    'header = ["a"]\nskip = 2': "skip is for rows above a header",
    'header = ["a", "b", "a"]': "header names 'a' twice",
    "scale_of = [1, 5]": "scale_of is for the ratings of [survey]",
    'refunds = "nett"': "refunds = 'nett': expected 'net' or 'leave_out'",
    'joins = [{ file = "x", onn = "y" }]': "joins: unknown key 'onn'. Did you mean 'on'?",
}
OTHERS = {
    '[customers.columns]\nregion = { column = "r", by = "mode" }': "expected 'most sales', 'last'",
    '[customers.columns]\nregion = { column = "r", first = true, by = "last" }': "contradict",
    '[customers.columns]\nregion = { column = "r", first = true }': "a region needs by = 'most s",
    '[survey]\nfile = "q"\nscale_of = [5, 1]': "expected the lowest and the highest answer",
    '[survey]\nfile = "q"\n[survey.columns]\nloyalty_1 = { column = "a", reverse = true, '
    "offset = 1 }": "'scale_of' and 'reverse' contradict 'scale'",
    '[survey]\nfile = "q"\nrefunds = "net"': "refunds is for [transactions]",
    '[complaints]\nfile = "q"\none_row_per = "customer_id"': "each row has its 'complaint_id'",
    '[complaints]\nsame_file_as = "survey"': "same_file_as = 'survey' is no other table",
}
TEXTS = {f"[transactions.columns]\n{text}": said for text, said in COLUMNS.items()} | TABLES


@pytest.mark.parametrize("text", [*TEXTS, *OTHERS])
def test_keys_that_contradict_each_other_get_one_message(tmp_path, text):
    path = tmp_path / "own.toml"
    start = f'[transactions]\nfile = "t.csv"\n{text if text in TEXTS else ""}\n'
    start += '[customers]\nfile = "c.csv"\none_row_per = "customer_id"\n'
    path.write_text(start + (text if text in OTHERS else ""), encoding="utf-8")
    with pytest.raises(DataError) as error:
        sources.read(str(path))
    said = str(error.value)
    assert (TEXTS | OTHERS)[text] in said
    assert len(set(said.splitlines())) <= 2
    assert all(line.startswith("own.toml: ") for line in said.splitlines())


def test_parts_of_a_table_agree_on_the_region_that_counts(tmp_path):
    part = '[[customers]]\nfile = "{0}"\n[customers.columns]\n'
    part += 'region = {{ column = "r", by = "{0}" }}\n'
    path = tmp_path / "own.toml"
    parts = part.format("last") + part.format("first")
    path.write_text(f'{parts}[survey]\nfile = "q.csv"\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"region: by: the parts .* say different things"):
        sources.read(str(path))
