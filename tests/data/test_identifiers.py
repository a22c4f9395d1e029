"""Identifiers of several columns and of numbers, the one region of a customer, and wide files."""

import pandas as pd
import pytest
from messy import CUSTOMERS, HEAD, LINES, opened, parquet


def test_several_columns_are_one_identifier_and_no_two_become_the_same(tmp_path):
    key = '[{table}.columns]\ncustomer_id = {{ key = ["R", "No"], numeric = true }}\n'
    toml = CUSTOMERS + key.format(table="customers") + 'region = "R"\n'
    toml += LINES + key.format(table="transactions")
    people = "R,No\nN 1,2\nN,1 2\nS,007\nN|1,2\nN,1|2\n"
    lines = "R,No,bought_at,amount\nN 1,2,2025-01-01,1\nN,1 2,2025-01-01,2\nS,7.0,2025-01-01,4\n"
    lines += "S,,2025-01-01,8\nN,3,2025-01-01,16\n"
    own = opened(tmp_path, toml, {"t.csv": lines}, people)
    assert own.rows("amount", "region") == [(1, "N 1"), (2, "N"), (4, "S")]
    assert own.left_out == [("transactions", "without a customer", 1, 8)]
    assert [(column, example) for column, _, _, example in own.problems] == [
        ("region", "row 5: 'N|1'"),
        ("customer_id", "row 6: 'N|3'"),
    ]


@pytest.mark.parametrize("is_number", [False, True])
def test_identifiers_that_are_numbers(tmp_path, is_number):
    own = f'customer_id = {{ column = "customer_id", numeric = {str(is_number).lower()} }}\n'
    toml = f"{CUSTOMERS}[customers.columns]\n{own}{LINES}[transactions.columns]\n{own}"
    people = "customer_id,region\n00123,North\n0,South\n"
    texts = ["123", "123.0", "00123", "１２３", "000", "123.5", "A123"]
    lines = "".join(f"{each},2025-01-01,{2**i}\n" for i, each in enumerate(texts))
    own = opened(tmp_path, toml, {"t.csv": f"{HEAD}\n{lines}"}, people)
    assert [row[0] for row in own.rows("amount")] == ([1, 2, 4, 8, 16] if is_number else [4])


SPLIT = {  # by two files: sales of a are 10 in N, 5 + 7 in S, and 1 in W
    "t1.csv": f"{HEAD},R\na,2025-01-02,10,N\na,2025-01-03,5,S\nb,2025-01-01,1,N\n",
    "t2.csv": f"{HEAD},R\na,2025-01-01,1,W\na,2025-01-03,7,S\n",
}


@pytest.mark.parametrize(
    ("by", "region"), [("most sales", "S"), ("last", "S"), ("first", "W"), (None, None)]
)
def test_a_customer_in_several_regions_counts_in_one_and_with_all_lines(tmp_path, by, region):
    rule = f'{{ column = "R", by = "{by}" }}' if by else '"R"'
    toml = '[customers]\nsame_file_as = "transactions"\none_row_per = "customer_id"\n'
    toml += f'[customers.columns]\nregion = {rule}\n[transactions]\nfiles = "t*.csv"\n'
    own = opened(tmp_path, toml, SPLIT, people=None)
    expected = [(each, region) for each in (1, 5, 7, 10)] if by else []
    assert own.rows("amount", "region") == sorted([*expected, (1, "N")])
    people = own.rows("customer_id", "region", table="customers")
    assert people == ([("a", region)] if by else []) + [("b", "N")]
    assert (own.problems == []) == bool(by)
    if not by:
        assert "region = { by = 'most sales' }" in own.problems[0][2]


@pytest.mark.parametrize("is_text", [True, False])
@pytest.mark.parametrize(("by", "region"), [("last", "S"), ("first", "N")])
def test_the_last_region_in_an_hour_that_happens_twice_is_known_by_its_zone(
    tmp_path, by, region, is_text
):
    """On 27 October 2024 clocks in Berlin showed 02:10 +01:00 after 02:50 +02:00."""
    moments = ["2024-10-27 02:50+02:00", "2024-10-27 02:10+01:00"]
    lines = {"customer_id": ["a"] * 2, "bought_at": moments, "amount": [1, 2], "R": ["N", "S"]}
    zoned = parquet(**lines | {"bought_at": pd.to_datetime(moments, utc=True)})
    name = "t.csv" if is_text else "t.parquet"
    toml = 'timezone = "Europe/Berlin"\n[customers]\nsame_file_as = "transactions"\n'
    toml += 'one_row_per = "customer_id"\n[customers.columns]\nregion = { column = "R", by = '
    toml += f'"{by}" }}\n[transactions]\nfile = "{name}"\n'
    files = {name: pd.DataFrame(lines).to_csv(index=False) if is_text else zoned}
    own = opened(tmp_path, toml, files, people=None)
    assert own.rows("customer_id", "region", table="customers") == [("a", region)]


def test_a_customer_counts_in_each_region_with_what_they_did_there(tmp_path):
    toml = '[customers]\nsame_file_as = "transactions"\none_row_per = "customer_id"\n'
    toml += '[customers.columns]\nregion = { column = "R", by = "each" }\n'
    toml += '[transactions]\nfiles = "t*.csv"\n'
    own = opened(tmp_path, toml, SPLIT, people=None)
    assert own.rows("region", "amount") == [
        ("N", 1),
        ("N", 10),
        ("S", 5),
        ("S", 7),
        ("W", 1),
    ]
    assert own.rows("region", "customer_id", table="customers") == [
        ("N", "a"),
        ("N", "b"),
        ("S", "a"),
        ("W", "a"),
    ]


@pytest.mark.parametrize("by", ["each", "most sales"])
def test_a_rule_of_regions_needs_what_it_looks_at(tmp_path, by):
    toml = f'{CUSTOMERS}[customers.columns]\nregion = {{ column = "R", by = "{by}" }}\n{LINES}'
    files = {"t.csv": f"{HEAD}\na,2025-01-01,1\n"}
    people = "customer_id,R\na,N\na,S\n"
    if by == "each":
        assert "needs the region of each purchase" in opened(tmp_path, toml, files, people).why
    else:
        with pytest.raises(ValueError, match=r"c\.csv: region = .* same_file_as"):
            opened(tmp_path, toml, files, people)


@pytest.mark.parametrize("by", [', by = "last"', ""])
def test_lines_without_a_customer_make_no_customer(tmp_path, by):
    toml = '[customers]\nsame_file_as = "transactions"\none_row_per = "customer_id"\n'
    toml += f'[customers.columns]\nregion = {{ column = "R"{by} }}\n{LINES}'
    lines = f"{HEAD},R\na,2025-01-02,10,N\n,2025-01-03,5,N\n,2025-01-03,6,S\n"
    own = opened(tmp_path, toml, {"t.csv": lines}, people=None)
    assert own.rows("customer_id", "region", table="customers") == [("a", "N")]
    assert own.problems == []
    assert own.left_out == [("transactions", "without a customer", 2, 11)]


def test_the_first_of_a_customer_is_that_of_all_files(tmp_path):
    toml = '[customers]\nsame_file_as = "transactions"\none_row_per = "customer_id"\n'
    toml += '[customers.columns]\nregion = { value = "N" }\n'
    toml += 'joined_on = { column = "bought_at", first = true }\n'
    own = opened(tmp_path, f'{toml}[transactions]\nfiles = "t*.csv"\n', SPLIT, people=None)
    assert own.rows("customer_id", "joined_on", table="customers") == [
        ("a", "2025-01-01 00:00:00"),
        ("b", "2025-01-01 00:00:00"),
    ]
    assert (own.problems, own.left_out) == ([], [])


def test_a_wide_file_is_a_part_for_each_wave(tmp_path):
    waves = {"2024-01-01": '"s24"', "2025-01-01": '{ column = "s25", reverse = true }'}
    toml = "".join(
        f'[[survey]]\nfile = "c.csv"\nscale_of = [1, 5]\n[survey.columns]\n'
        f'answered_on = {{ value = "{day}" }}\nsatisfaction_1 = {item}\n'
        for day, item in waves.items()
    )
    people = "customer_id,region,s24,s25\na,North,5,1\nb,North,1,4\n"
    own = opened(tmp_path, CUSTOMERS + toml, {}, people)
    assert own.rows("answered_on", "customer_id", "satisfaction_1", table="survey") == [
        ("2024-01-01 00:00:00", "a", 10),
        ("2024-01-01 00:00:00", "b", 1),
        ("2025-01-01 00:00:00", "a", 10),
        ("2025-01-01 00:00:00", "b", 3.25),
    ]


@pytest.mark.parametrize("is_wide", [False, True])
def test_rows_without_an_identifier_are_people_of_their_file(tmp_path, is_wide):
    """Row 2 of one file is not row 2 of another; of one file in two waves it is."""
    row = "customer_id = { row = true }\n"
    files = '"q1.csv"' if is_wide else '"q*.csv"'
    part = f"[[survey]]\nfiles = {files}\n[survey.columns]\n{row}"
    toml = f'{part}answered_on = {{ value = "2024-01-01" }}\n'
    toml += f'{part}answered_on = {{ value = "2025-01-01" }}\n' if is_wide else ""
    toml += f'[customers]\nsame_file_as = "survey"\n[customers.columns]\n{row}'
    toml += 'region = { value = "N" }\n'
    texts = {"q1.csv": "satisfaction_1\n5\n6\n", "q2.csv": "satisfaction_1\n7\n"}
    own = opened(tmp_path, toml, texts, people=None)
    people = ["q1.csv 2", "q1.csv 3"] + ([] if is_wide else ["q2.csv 2"])
    assert [row[0] for row in own.rows("customer_id", table="customers")] == people
    scores = [row[0] for row in own.rows("satisfaction_1", table="survey")]
    assert scores == ([5, 5, 6, 6] if is_wide else [5, 6, 7])
