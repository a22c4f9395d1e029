"""The engine reads the files that a source names, and nothing else."""

import sqlite3

import duckdb
import pytest

from analysis.data import dataset, sources
from analysis.data.errors import DataError
from analysis.data.reading import engine
from tables import CUSTOMERS, TRANSACTIONS, opened


@pytest.mark.parametrize(
    "told",
    [
        "select * from read_csv('{outside}')",
        "select * from read_text('/etc/passwd')",
        "copy (select 1) to '{outside}.out'",
        "attach '{outside}.duckdb'",
        "install httpfs",
        "set enable_external_access = true",
        "set allowed_directories = ['/']",
        "set autoinstall_known_extensions = true",
    ],
)
def test_the_engine_can_not_be_told_to_read_or_load_anything_else(tmp_path, told):
    (tmp_path / "own").mkdir()
    (tmp_path / "outside.csv").write_text("a\n1\n")
    own = engine.embedded([tmp_path / "own"])
    with pytest.raises(duckdb.Error):
        own.raw_sql(told.format(outside=tmp_path / "outside.csv"))


def test_a_view_in_a_foreign_database_reads_no_file(write_source):
    path = write_source("as_of = 2024-12-31\ndatabase = 'own.duckdb'\n")
    secret = path.parent / "secret.csv"
    secret.write_text(CUSTOMERS)
    path.write_text(path.read_text().replace('.csv"', '"'))
    with duckdb.connect(str(path.parent / "own.duckdb")) as own:
        own.sql(f"create view customers as from read_csv('{secret}')")
        for name in ("transactions", "survey"):
            own.sql(f"create table {name} as from read_csv('{path.parent}/small/{name}.csv')")
    with pytest.raises(DataError, match=r"own\.duckdb: 'customers' is a view that reads files"):
        opened(path)


def test_a_foreign_sqlite_file_is_only_read(write_source):
    path = write_source("as_of = 2024-12-31\ndatabase = 'own.db'\n")
    path.write_text(path.read_text().replace('.csv"', '"'))
    with sqlite3.connect(path.parent / "own.db") as own:
        own.execute("create view customers as select load_extension('x') as customer_id")
    with pytest.raises(DataError, match=r"own\.db"):
        opened(path)


@pytest.mark.parametrize("file", ["../elsewhere/t.csv", "link.csv"])
def test_a_file_outside_the_folder_is_asked_for_and_said(write_source, file):
    path = write_source(f"as_of = 2024-12-31\n[transactions]\nfile = '{file}'\n")
    there = path.parent / "elsewhere" / "t.csv"
    there.parent.mkdir()
    there.write_text(TRANSACTIONS)
    (path.parent / "small" / "link.csv").symlink_to(there)
    with pytest.raises(DataError, match="lies outside the folder small/: expected outside = true"):
        sources.read(str(path))
    path.write_text("outside = true\n" + path.read_text())
    assert dataset.problems(opened(path)).empty
    assert sources.read(str(path)).notes == (f"{file!r} lies outside the folder of the source.",)
    path.write_text(path.read_text().replace("outside = true\n", "").replace(file, str(there)))
    assert dataset.problems(opened(path)).empty
