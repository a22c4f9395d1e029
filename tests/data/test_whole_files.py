"""The file that was named is read, and all of it; or it is refused by its name."""

import csv
import gzip
import io
import sqlite3
import zipfile

import messy
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.data import dataset
from analysis.data.errors import DataError
from analysis.data.reading import raw
from tables import TRANSACTIONS, only_problem, opened

LINES = TRANSACTIONS.encode()
REFUSED = {
    "cut in a line": (LINES[:-20], "t.csv, row 6: expected 7 columns, found 2."),
    "an open quote": (
        LINES + b'c,2024-04-01,"S3',
        "row 7: the file can't be read: a quote is opened",
    ),
    "a long line": (LINES + b"c," + b"x" * 3_000_000, "a line is longer than 2 MB"),
    "a block of NUL": (LINES + b"\0" * 5000, "found a binary file"),
    "a late block of NUL": (LINES * 90 + b"\0" * 99, "row 541 holds a byte of no text (NUL)"),
}


def with_lines(write_source, content, name="t.csv"):
    path = write_source(f"as_of = 2024-12-31\n[transactions]\nfile = '{name}'\n", transactions=None)
    (path.parent / "small" / name).write_bytes(content)
    return path


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_is_not_whole_is_refused(write_source, case):
    content, message = REFUSED[case]
    assert message in only_problem(with_lines(write_source, content))["expected"]


def test_a_packed_file_in_two_parts_is_read_to_its_end_and_no_cut_one(write_source):
    twice = gzip.compress(LINES) + gzip.compress(LINES.partition(b"\n")[2])
    whole = opened(with_lines(write_source, twice, "t.csv.gz"))
    assert whole.tables["transactions"].good.count().execute() == 10
    cut = only_problem(with_lines(write_source, twice[:-9], "t.csv.gz"))
    assert "t.csv.gz: the file is damaged, or ends before its end" in cut["expected"]


@pytest.mark.parametrize("name", ["t*.csv", "t?.csv", "t[1].csv", "{t,u}.csv"])
def test_a_name_is_no_pattern(write_source, name):
    path = with_lines(write_source, LINES, name)
    for other in ("t1.csv", "tx.csv", "u.csv"):
        (path.parent / "small" / other).write_bytes(LINES * 2)
    assert opened(path).tables["transactions"].good.count().execute() == 5


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "gb18030"])
def test_a_last_line_without_an_end_is_refused_unless_it_is_said_to_be_whole(
    write_source, encoding
):
    path = with_lines(write_source, TRANSACTIONS.rstrip()[:-1].encode(encoding))
    path.write_text(f"encoding = '{encoding}'\n" + path.read_text())
    for name in ("customers", "survey"):
        text = path.parent / "small" / f"{name}.csv"
        text.write_bytes(text.read_text().encode(encoding))
    assert "t.csv: its last line has no end; was the file cut" in only_problem(path)["expected"]
    path.write_text("complete = true\n" + path.read_text())
    assert opened(path).tables["transactions"].good.count().execute() == 5


OBJECTS = pd.read_csv(io.StringIO(TRANSACTIONS)).to_json(orient="records", lines=True).rstrip()
WITHOUT_END = {
    "t.csv.gz": gzip.compress(LINES.rstrip()),
    "t.csv.zst": pa.compress(LINES.rstrip(), "zstd", asbytes=True),
    "t.jsonl": OBJECTS.encode(),
    "t.jsonl.gz": gzip.compress(OBJECTS.encode()),
}


@pytest.mark.parametrize("name", WITHOUT_END)
def test_a_file_that_says_itself_that_it_is_whole_needs_no_last_end(write_source, name):
    path = with_lines(write_source, WITHOUT_END[name], name)
    assert opened(path).tables["transactions"].good.count().execute() == 5


@pytest.mark.parametrize("name", ["t.csv.gz", "t.csv.zst", "t.jsonl", "t.jsonl.gz"])
def test_one_that_was_cut_off_is_refused(write_source, name):
    path = with_lines(write_source, WITHOUT_END[name][:-9], name)
    assert f"{name}: " in only_problem(path)["expected"]


def test_a_last_line_that_ends_with_a_quote_is_whole(write_source):
    text = TRANSACTIONS.rstrip().removesuffix("350") + '"350"'
    path = with_lines(write_source, text.encode())
    assert opened(path).tables["transactions"].good.count().execute() == 5


@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
def test_a_header_that_stands_there_once_more_is_refused(write_source, ending):
    path = with_lines(write_source, LINES * 2, f"t{ending}")
    if ending == ".xlsx":
        lines = [line.split(",") for line in (TRANSACTIONS * 2).splitlines()]
        table = pd.DataFrame(lines[1:], columns=lines[0])
        table.to_excel(path.parent / "small" / "t.xlsx", index=False)
    assert f"t{ending}, row 7: the header stands there" in only_problem(path)["expected"]


@pytest.mark.parametrize("name", ["amount", "Amount"])
def test_a_doubled_column_of_parquet_is_refused_as_in_text(write_source, name):
    path = with_lines(write_source, b"", "t.parquet")
    rows = pa.table(pd.read_csv(io.StringIO(TRANSACTIONS)))
    twice = rows.append_column(name, rows["amount"])
    pq.write_table(twice, path.parent / "small" / "t.parquet")
    assert "stands twice in the header" in only_problem(path)["expected"]


def with_sheet(write_source, **cells):
    """Write a source whose purchases are a sheet in which some cells hold something else."""
    path = with_lines(write_source, b"", "t.xlsx")
    book = openpyxl.Workbook()
    for line in csv.reader(io.StringIO(TRANSACTIONS)):
        book.active.append([float(each) if each.isdigit() else each for each in line])
    for cell, value in cells.items():
        book.active[cell] = value
    return path, book, path.parent / "small" / "t.xlsx"


def test_an_error_of_excel_is_a_text_as_in_csv(write_source):
    path, book, file = with_sheet(write_source, F3="#VALUE!")
    book.save(file)
    problem = only_problem(path)
    assert problem["column"] == "amount"
    assert "#VALUE!" in problem["example"]


def test_a_formula_without_a_result_is_refused_with_its_cell(write_source):
    path, book, file = with_sheet(write_source, F4="=1+2")
    book.save(file)
    assert (
        "the cell F4 of the sheet 'Sheet' has a formula without a" in only_problem(path)["expected"]
    )


def with_open_document(write_source, written):
    """Write a source whose purchases are an .ods file in which the cell F2 is written so."""
    path = with_lines(write_source, b"", "t.ods")
    messy.ods(*csv.reader(io.StringIO(TRANSACTIONS)))(file := path.parent / "small" / "t.ods")
    with zipfile.ZipFile(file) as book:
        content = {each: book.read(each) for each in book.namelist()}
    cell = b'<table:table-cell office:value-type="string"><text:p>300</text:p></table:table-cell>'
    assert content["content.xml"].count(cell) == 1
    with zipfile.ZipFile(file, "w") as book:
        for name, own in content.items():
            book.writestr(name, own.replace(cell, f"<table:table-cell {written}".encode()))
    return path


@pytest.mark.parametrize("kind", ['string" office:string-value="', 'float" office:value="0'])
def test_an_error_in_an_open_document_is_a_text(write_source, kind):
    error = f'table:formula="of:=1/0" office:value-type="{kind}"><text:p>#DIV/0!</text:p>'
    problem = only_problem(with_open_document(write_source, f"{error}</table:table-cell>"))
    assert problem["column"] == "amount"
    assert "row 2: '#DIV/0!'" in problem["example"]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('table:formula="of:=1+2"/>', "the cell F2 of the sheet 'Belege' has a formula without a"),
        (
            'office:value-type="float" office:value="1" table:number-columns-repeated="99999999"/>',
            "the cells of the sheet 'Belege' go to ",
        ),
    ],
)
def test_an_open_document_that_can_t_be_read_as_shown_is_refused(write_source, written, said):
    assert said in only_problem(with_open_document(write_source, written))["expected"]


def test_a_cell_far_from_all_others_is_named(write_source):
    path, book, file = with_sheet(write_source, XFD1048576=1)
    book.save(file)
    assert "cells of the sheet 'Sheet' go to XFD1048576" in only_problem(path)["expected"]


@pytest.mark.parametrize("state", ["hidden", "veryHidden"])
def test_a_hidden_sheet_is_read_only_by_its_name(write_source, state):
    path, book, file = with_sheet(write_source)
    for line in (["read"], ["me"]):
        (book["Notes"] if "Notes" in book else book.create_sheet("Notes")).append(line)
    book["Sheet"].sheet_state = state
    book.active = 1
    book.save(file)
    assert "t.xlsx: no column 'customer_id'" in only_problem(path)["expected"]
    path.write_text(path.read_text().replace("'t.xlsx'\n", "'t.xlsx'\nsheet = 'Sheet'\n"))
    assert opened(path).tables["transactions"].good.count().execute() == 5


def test_an_encrypted_workbook_is_called_protected(write_source):
    path = with_lines(write_source, b"\xd0\xcf\x11\xe0" + b"\0" * 600, "t.xlsx")
    assert "expected an Excel" in only_problem(path)["expected"]
    file = path.parent / "small" / "t.xlsx"
    file.write_bytes(file.read_bytes() + "EncryptedPackage".encode("utf-16-le"))
    assert "t.xlsx: the file is protected by a password" in only_problem(path)["expected"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.csv", TRANSACTIONS.encode("utf-32"), "in UTF-32; expected the key encoding = 'utf-32'"),
        ("t.jsonl", b"\xef\xbb\xbf{}\n", "t.jsonl: the file begins with a mark (BOM)"),
        ("t.jsonl", '{"a": 1}\n'.encode("utf-16"), "in UTF-16; expected JSON lines in UTF-8"),
        ("t.csv", b"x" * 90_000 + b"," + LINES, "a name of 90,000 characters; expected a header"),
    ],
)
def test_a_text_that_is_read_in_another_way_is_called_so(write_source, name, content, said):
    assert said in only_problem(with_lines(write_source, content, name))["expected"]


@pytest.mark.parametrize("day", ["10000-01-01", "99999-12-31", "epoch", "infinity", "-0044-03-15"])
def test_a_day_beyond_all_years_breaks_its_rule(write_source, day):
    text = TRANSACTIONS.replace("2024-02-20 18:00", day)
    problem = only_problem(with_lines(write_source, text.encode()))
    assert (problem["column"], problem["rows"]) == ("bought_at", 1)


@pytest.mark.parametrize("days", [2**31 - 2, 4_000_000, -(2**31) + 2])
def test_a_day_of_parquet_beyond_all_years_breaks_its_rule(write_source, days):
    path = with_lines(write_source, b"", "t.parquet")
    rows = pd.read_csv(io.StringIO(TRANSACTIONS)).drop(columns="bought_at")
    own = pa.array([days] * len(rows), pa.int32()).cast(pa.date32())
    table = pa.table(rows).append_column("bought_at", own)
    pq.write_table(table, path.parent / "small" / "t.parquet")
    problem = only_problem(path)
    assert (problem["column"], problem["rows"]) == ("bought_at", 5)


@pytest.mark.parametrize("amount", ["1e308", "-1e300", "99999999999999999999"])
def test_a_number_larger_than_any_sum_breaks_its_rule(write_source, amount):
    text = TRANSACTIONS.replace(",300,", f",{amount},")
    problem = only_problem(with_lines(write_source, text.encode()))
    assert (problem["column"], problem["rows"]) == ("amount", 1)


@pytest.mark.parametrize("more", [1_100, 5_000])
def test_a_file_of_many_columns_is_read_or_refused(write_source, more):
    header, *rows = TRANSACTIONS.splitlines()
    lines = [f"{header},{','.join(f'c{i}' for i in range(more))}", *(r + "," * more for r in rows)]
    path = with_lines(write_source, "\n".join([*lines, ""]).encode())
    if more < 5_000:
        assert opened(path).tables["transactions"].good.count().execute() == 5
    else:
        assert "t.csv: its first row has 5,007 columns" in only_problem(path)["expected"]


def test_a_file_that_grows_while_it_is_read_is_refused(write_source, monkeypatch):
    path, read = with_lines(write_source, LINES), raw._open

    def while_it_grows(engine, place, *how):
        found = read(engine, place, *how)
        with place.open("ab") as file:
            file.write(b"c,2024-04-02 09:00,S3,gas,100,400,350\n")
        return found

    monkeypatch.setattr(raw, "_open", while_it_grows)
    with pytest.raises(DataError, match=r"customers\.csv: the file was changed while it was read"):
        opened(path)


@pytest.mark.parametrize("change", ["replaced", "gone"])
@pytest.mark.parametrize("name", ["t.parquet", "joined.parquet"])
def test_parquet_files_that_change_before_their_rows_are_read_are_refused(
    write_source, monkeypatch, name, change
):
    joins = "[{ file = 'joined.parquet', on = 'station_id' }]"
    path = write_source(
        f"as_of = 2024-12-31\n[transactions]\nfile = 't.parquet'\njoins = {joins}\n"
    )
    folder, rows = path.parent / "small", pd.read_csv(io.StringIO(TRANSACTIONS))
    rows.to_parquet(folder / "t.parquet")
    pd.DataFrame({"station_id": ["S1", "S2", "S3"]}).to_parquet(folder / "joined.parquet")
    assert opened(path).tables["transactions"].good.count().execute() == 5
    stored = dataset.engines.stored

    def while_it_changes(engine, source, table, *how):
        if table == "transactions" and change == "gone":
            (folder / name).unlink()
        elif table == "transactions":
            pd.concat([pd.read_parquet(folder / name)] * 3).to_parquet(folder / name)
        return stored(engine, source, table, *how)

    monkeypatch.setattr(dataset.engines, "stored", while_it_changes)
    assert only_problem(path)["expected"].startswith("t.parquet: ")


@pytest.mark.parametrize("values", [[b"\xff\0"], [[1, 2]], [{"a": 1}]])
def test_a_column_of_no_single_values_is_named(write_source, values):
    path = with_lines(write_source, b"", "t.parquet")
    columns = {"customer_id": ["a"], "bought_at": ["2024-02-01"], "amount": values}
    pq.write_table(pa.table(columns), path.parent / "small" / "t.parquet")
    assert "the values of 'amount' are of the kind" in only_problem(path)["expected"]


def test_a_blob_of_sqlite_is_named(write_source):
    path = write_source("as_of = 2024-12-31\ndatabase = 'own.sqlite'\n")
    path.write_text(path.read_text().replace('.csv"', '"'))
    with sqlite3.connect(path.parent / "own.sqlite") as own:
        own.execute("create table customers as select x'ff00' as customer_id, 'N' as region")
    with pytest.raises(DataError, match=r"own\.sqlite: 'customers' holds bytes \(BLOB\)"):
        opened(path)


def test_a_view_of_sqlite_that_does_not_work_is_named(write_source):
    path = write_source("as_of = 2024-12-31\ndatabase = 'own.sqlite'\n")
    path.write_text(path.read_text().replace('"customers.csv"', "'a\"b'").replace('.csv"', '"'))
    with sqlite3.connect(path.parent / "own.sqlite") as own:
        own.execute("""create view "a""b" as select * from gone""")
    with pytest.raises(DataError, match=r"own\.sqlite: 'a\"b' can't be read; expected a"):
        opened(path)


def test_a_damaged_parquet_file_is_called_so(write_source):
    path = with_lines(write_source, b"", "t.parquet")
    file = path.parent / "small" / "t.parquet"
    pd.read_csv(io.BytesIO(LINES)).to_parquet(file)
    content = bytearray(file.read_bytes())
    content[4:44] = b"\xff" * 40
    file.write_bytes(content)
    assert "t.parquet: the file is damaged" in only_problem(path)["expected"]
