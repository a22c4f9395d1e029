"""The file that was named is read, and all of it; or it is refused by its name."""

import gzip
import io
import sqlite3

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.data.errors import DataError
from analysis.data.reading import raw
from analysis.data.suspicions import suspicions
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


def test_a_last_line_without_an_end_is_pointed_out(write_source):
    found = suspicions(opened(with_lines(write_source, LINES.rstrip())))
    assert "t.csv: its last line has no end; was the file cut off?" in found
    assert not [each for each in suspicions(opened(write_source())) if "no end" in each]


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


def test_a_damaged_parquet_file_is_called_so(write_source):
    path = with_lines(write_source, b"", "t.parquet")
    file = path.parent / "small" / "t.parquet"
    pd.read_csv(io.BytesIO(LINES)).to_parquet(file)
    content = bytearray(file.read_bytes())
    content[4:44] = b"\xff" * 40
    file.write_bytes(content)
    assert "t.parquet: the file is damaged" in only_problem(path)["expected"]
