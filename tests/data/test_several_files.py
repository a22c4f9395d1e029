"""Files of every kind get in: several as one table, packed, of any encoding, sheet and header."""

import datetime as dt
import gzip
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from messy import CUSTOMERS, HEAD, LINES, PEOPLE, excel, ods, opened, parquet

FILES = Path(__file__).parent / "files"
TWO = {"t_1.csv": f"{HEAD}\na,2024-02-01,6\n", "t_2.csv": f"amount,{HEAD[:-7]}\n8,b,2024-02-02\n"}


@pytest.mark.parametrize("files", ['["t_1.csv", "t_2.csv"]', '"t_*.csv"', '"t_?.csv"'])
def test_several_files_are_one_table(tmp_path, files):
    own = opened(tmp_path, f"{CUSTOMERS}[transactions]\nfiles = {files}\n", TWO)
    assert own.rows("amount", "customer_id") == [(6, "a"), (8, "b")]
    assert own.problems == []


def test_a_row_of_a_later_file_is_named_by_its_file(tmp_path):
    files = TWO | {"t_3.csv": f"{HEAD}\na,2024-02-01,6\nb,2024-02-01,x\n"}
    own = opened(tmp_path, f'{CUSTOMERS}[transactions]\nfiles = "t_*.csv"\n', files)
    assert [each[-1] for each in own.problems] == ["t_3.csv, row 3: 'x'"]


def test_brackets_in_a_name_are_no_pattern(tmp_path):
    files = {"t[1].csv": f"{HEAD}\na,2024-02-01,6\n", "t1.csv": f"{HEAD}\na,2024-02-01,99\n"}
    own = opened(tmp_path / "one", f'{CUSTOMERS}[transactions]\nfile = "t[1].csv"\n', files)
    assert own.rows("amount") == [(6,)]
    own = opened(tmp_path / "two", f'{CUSTOMERS}[transactions]\nfiles = "t[1]*.csv"\n', files)
    assert own.rows("amount") == [(6,)]


WRONG = {
    "a pattern that nothing matches": ('"sales_*.csv"', "sales_*.csv: no file in the folder own/"),
    "a file named twice": ('["t_1.csv", "t_*.csv"]', "t_1.csv: files = "),
    "a file of another layout": (
        '["t_1.csv", "other.csv"]',
        "other.csv: its columns are not those of t_1.csv: without 'amount', 'bought_at', "
        "'customer_id', with 'Nr', 'Summe', 'Tag'.",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_files_that_are_not_one_table_are_refused(tmp_path, case):
    files, message = WRONG[case]
    files = f"{CUSTOMERS}[transactions]\nfiles = {files}\n"
    own = opened(tmp_path, files, TWO | {"other.csv": "Nr,Tag,Summe\na,2024-02-01,6\n"})
    assert own.why.startswith(message)


def test_each_part_has_a_layout_of_its_own(tmp_path):
    toml = f"""{CUSTOMERS}
[[transactions]]
file = "t_1.csv"
[[transactions]]
file = "belege.csv"
delimiter = ";"
decimal = ","
encoding = "gb18030"
date_format = "%d.%m.%Y"
[transactions.columns]
customer_id = "Nr"
bought_at = "Tag"
amount = {{ column = "Summe", scale = 2 }}
product = "品"
"""
    lines = "Nr;Tag;Summe;品\nb;03.02.2024;1,5;油\nb;2024-02-03;1,5;油\n".encode("gb18030")
    own = opened(tmp_path, toml, TWO | {"belege.csv": lines})
    columns = ("amount", "bought_at", "product")
    assert own.rows(*columns) == [
        (3.0, "2024-02-03 00:00:00", "油"),
        (6.0, "2024-02-01 00:00:00", None),
    ]
    (problem,) = own.problems
    assert problem[-1] == "belege.csv, row 3: '2024-02-03'"


def test_a_folder_of_parquet_files_has_the_columns_of_its_folders_names(tmp_path):
    def write(place):
        for region, id, amount in (("North", "a", 1.0), ("007", "b", 2.0), ("华北", "c", 4.0)):
            (place / f"region={region}").mkdir(parents=True)
            frame = {"customer_id": [id], "bought_at": [pd.Timestamp("2024-02-01")]}
            frame = pd.DataFrame(frame | {"amount": [amount]})
            frame.to_parquet(place / f"region={region}" / "part.parquet")

    toml = '[customers]\nsame_file_as = "transactions"\n[transactions]\nfile = "sales"\n'
    own = opened(tmp_path, toml, {"sales": write}, people=None)
    assert own.rows("amount", "region") == [(1, "North"), (2, "007"), (4, "华北")]


def test_parquet_files_of_a_folder_have_the_same_columns(tmp_path):
    def write(place):
        place.mkdir()
        days = pd.to_datetime(["2024-02-01"])
        parquet(customer_id=["a"], bought_at=days, amount=[1.0])(place / "1.parquet")
        parquet(customer_id=["a"], bought_at=days, sum=[1.0])(place / "2.parquet")

    own = opened(tmp_path, f'{CUSTOMERS}[transactions]\nfile = "sales"\n', {"sales": write})
    assert "'amount', 'sum' in one of them only" in own.why


LINE = f"{HEAD}\na,2024-02-01,6\nb,2024-02-02,8\n".encode()


def zstd(path):
    with pa.CompressedOutputStream(str(path), "zstd") as file:
        file.write(LINE)


PACKED = {"t.csv.gz": gzip.compress(LINE), "t.CSV.GZ": gzip.compress(LINE), "t.csv.zst": zstd}


@pytest.mark.parametrize("name", PACKED)
def test_packed_files(tmp_path, name):
    toml = f'{CUSTOMERS}[transactions]\nfile = "{name}"\n'
    assert opened(tmp_path, toml, {name: PACKED[name]}).rows("amount") == [(6,), (8,)]


JSON = """{"customer_id": "a", "bought_at": "2024-02-01T23:00:00Z", "amount": 1.5}
{"customer_id": "b", "bought_at": "2024-02-02 10:00", "amount": "2.50", "note": null}
{"customer_id": 12345678901234567890, "bought_at": "2024-02-03", "amount": 4, "product": "fuel"}
"""


def test_lines_of_json(tmp_path):
    people = PEOPLE + "12345678901234567890,North\n"
    toml = f'timezone = "Asia/Shanghai"\n{CUSTOMERS}[transactions]\nfile = "t.jsonl"\n'
    own = opened(tmp_path, toml, {"t.jsonl": JSON}, people)
    assert own.rows("amount", "customer_id", "bought_at", "product") == [
        (1.5, "a", "2024-02-02 07:00:00", None),
        (2.5, "b", "2024-02-02 10:00:00", None),
        (4.0, "12345678901234567890", "2024-02-03 00:00:00", "fuel"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"customer_id": "a"}]\n', "one JSON object per line"),
        ('{"customer_id": "a", "amount": [1]}\n', "the values of 'amount' are lists or objects"),
        (
            '{"customer_id": "a"}\n{"customer_id":\n',
            "t.jsonl: the file can't be read: expected one JSON",
        ),
    ],
)
def test_json_that_is_no_table(tmp_path, text, message):
    own = opened(tmp_path, f'{CUSTOMERS}[transactions]\nfile = "t.jsonl"\n', {"t.jsonl": text})
    assert message in own.why
    assert str(tmp_path) not in own.why


def test_an_old_excel_file_with_a_cover_and_rows_above_the_header(tmp_path):
    toml = f'{CUSTOMERS}[transactions]\nfile = "l.xls"\n'
    files = {"l.xls": (FILES / "lines.xls").read_bytes()}
    people = PEOPLE + "1,North\n2,North\n"
    own = opened(tmp_path / "a", f'{toml}sheet = "Belege"\nskip = 2\n', files, people)
    assert own.rows("amount", "customer_id", "bought_at") == [
        (20.0, "a", "2024-03-15 00:00:00"),
        (150.0, "2", "2024-02-20 00:00:00"),
        (300.5, "1", "2024-02-01 00:00:00"),
    ]
    assert "expected sheet = 'Belege'" in opened(tmp_path / "b", toml, files, people).why


def test_an_opendocument_sheet(tmp_path):
    rows = [HEAD.split(","), ["a", dt.date(2024, 2, 1), 300.5], ["b", dt.date(2024, 3, 1), 7]]
    toml = f'{CUSTOMERS}[transactions]\nfile = "l.ods"\n'
    own = opened(tmp_path, toml, {"l.ods": ods(*rows)})
    assert own.rows("amount", "bought_at") == [
        (7.0, "2024-03-01 00:00:00"),
        (300.5, "2024-02-01 00:00:00"),
    ]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-16-le"])
def test_utf_16(tmp_path, encoding):
    lines = f"{HEAD}\r\na,2024-02-01,6\r\n".encode(encoding)
    people = "customer_id,region\r\na,华北\r\n".encode(encoding)
    toml = f'encoding = "{encoding}"\n{CUSTOMERS}{LINES}'
    own = opened(tmp_path, toml, {"c.csv": people, "t.csv": lines}, people=None)
    assert own.rows("amount", "region") == [(6, "华北")]


def test_utf_16_that_is_not_said(tmp_path):
    own = opened(tmp_path, CUSTOMERS + LINES, {"t.csv": LINE.decode().encode("utf-16")})
    assert own.why == "t.csv: a text file in UTF-16; expected the key encoding = 'utf-16'."


def test_two_sheets_of_one_file_complete_each_row_whatever_their_numbers_look_like(tmp_path):
    book = excel(Artikel={"k": [7.0, None], "p": ["fuel", None]}, Orte={"k": ["7"], "q": ["S1"]})
    joins = ", ".join(f'{{file = "b.xlsx", sheet = "{s}", on = "k"}}' for s in ("Artikel", "Orte"))
    columns = 'product = "b.Artikel.p"\nstation_id = "b.Orte.q"\n'
    toml = f"{CUSTOMERS}{LINES}joins = [{joins}]\n[transactions.columns]\n{columns}"
    own = opened(tmp_path, toml, {"t.csv": f"{HEAD},k\na,2024-02-01,6, 7\n", "b.xlsx": book})
    assert own.rows("amount", "product", "station_id") == [(6, "fuel", "S1")]


def test_a_join_in_which_no_key_is_found_is_refused(tmp_path):
    toml = f'{CUSTOMERS}{LINES}joins = [{{ file = "b.csv", on = "k" }}]\n'
    files = {"t.csv": f"{HEAD},k\na,2024-02-01,6,7\n", "b.csv": "k,p\n007,fuel\n"}
    assert "no value of 'k' in t.csv stands there" in opened(tmp_path, toml, files).why


def test_rows_above_the_header_are_skipped_and_rows_keep_their_numbers(tmp_path):
    text = f'Report "Q1\n\na,b\n{HEAD}\na,2024-02-01,6\nb,2024-02-01,x\n'
    own = opened(tmp_path / "text", f"{CUSTOMERS}{LINES}skip = 3\n", {"t.csv": text})
    assert own.rows("amount") == [(6,)]
    assert own.problems[0][-1] == "row 6: 'x'"
    rows = [["Report", None, None], [None] * 3, HEAD.split(","), ["a", "2024-02-01", "y"]]
    toml = f'{CUSTOMERS}[transactions]\nfile = "t.xlsx"\nskip = 2\n'
    own = opened(tmp_path / "sheet", toml, {"t.xlsx": excel(A=rows)})
    assert own.problems[0][-1] == "row 4: 'y'"


@pytest.mark.parametrize("skip", [3, 9])
def test_a_skip_past_the_header_is_said(tmp_path, skip):
    files = {"t.csv": f"{HEAD}\na,2024-02-01,6\n"}
    own = opened(tmp_path, f"{CUSTOMERS}{LINES}skip = {skip}\n", files)
    assert f"skip = {skip}" in own.why


def test_blanks_of_every_width_are_trimmed_in_headers_and_identifiers(tmp_path):
    people = "　customer_id , region\na　,\u00a0North\n"
    lines = "\ufeffcustomer_id ,bought_at　,amount\n a,2024-02-01, 6\u3000\n,,\n"
    own = opened(tmp_path, CUSTOMERS + LINES, {"t.csv": lines}, people)
    assert own.rows("amount", "region") == [(6, "North")]
    assert (own.problems, own.left_out) == ([], [])  # a row of nothing is no row


@pytest.mark.parametrize(("mark", "skip"), [(",", 0), (";", 1)])
def test_the_line_that_tells_excel_the_delimiter_is_named(tmp_path, mark, skip):
    text = "x\n" * skip + f"sep={mark}\n{HEAD}\na,2024-02-01,6\n".replace(",", mark)
    people = PEOPLE.replace(",", mark)
    toml = f'delimiter = "{mark}"\n{CUSTOMERS}{LINES}'
    why = opened(tmp_path, f"{toml}skip = {skip}\n", {"t.csv": text}, people).why
    said = f"row {skip + 1} is for Excel, sep=...: skip = {skip + 1} leaves it out."
    assert why == f"t.csv: its {said}"
    own = opened(tmp_path / "b", f"{toml}skip = {skip + 1}\n", {"t.csv": text}, people)
    assert own.rows("amount") == [(6,)]


def test_true_and_false_of_a_sheet_are_written_as_elsewhere(tmp_path):
    sheet = {"customer_id": ["a", "b", "c"], "had_works": [True, False, None], "ok": [True] * 3}
    toml = f'{CUSTOMERS}[survey]\nfile = "s.xlsx"\nkeep = {{ ok = true }}\n'
    own = opened(tmp_path, toml, {"s.xlsx": excel(A=sheet | {"satisfaction_1": [5, 6, 7]})})
    found = own.rows("satisfaction_1", "had_works", table="survey")
    assert found == [(5, "true"), (6, "false"), (7, None)]


@pytest.mark.parametrize("text", [f"{HEAD},Amount\na,2024-02-01,6,9\n", f"\n{HEAD}\n"])
def test_a_header_that_is_none_is_named(tmp_path, text):
    why = opened(tmp_path, CUSTOMERS + LINES, {"t.csv": text}).why
    assert why.startswith("t.csv: the file can't be read: ")
    assert "'Amount' stands twice" in why or "skip = 1" in why
