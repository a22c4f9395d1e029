"""The engine reads the files that a source names, and nothing else."""

import io
import sqlite3
import tempfile

import duckdb
import ibis
import pandas as pd
import pytest

from analysis.data import dataset, files, sources
from analysis.data.errors import DataError
from analysis.data.reading import embedded, engine
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


def test_a_table_of_the_same_file_may_lie_outside_and_no_other_part(write_source):
    shared = "[customers]\nsame_file_as = 'transactions'\none_row_per = 'customer_id'\n"
    shared += "[customers.columns]\nregion = 'station_id'\n"
    path = write_source(f"[transactions]\nfile = '../t.csv'\noutside = true\n{shared}")
    (path.parent / "t.csv").write_text(TRANSACTIONS)
    assert [part.outside for part in sources.read(str(path)).tables["customers"].parts] == [True]
    for other in ("", "outside = false\n"):
        part = f"[[transactions]]\nfile = '../u.csv'\n{other}"
        path = write_source(f"[[transactions]]\nfile = '../t.csv'\noutside = true\n{part}")
        with pytest.raises(DataError, match=r"file = '\.\./u\.csv' lies outside the folder small/"):
            sources.read(str(path))


@pytest.mark.parametrize("kind", ["named", "linked"])
def test_a_database_file_outside_the_folder_is_asked_for_and_said(write_source, tmp_path, kind):
    path = write_source()
    (tmp_path / "own").mkdir()
    source, there = tmp_path / "own" / "small.toml", tmp_path / "own.duckdb"
    with duckdb.connect(str(there)) as own:
        for name in ("customers", "transactions", "survey"):
            own.sql(f"create table {name} as from read_csv('{tmp_path}/small/{name}.csv')")
    (tmp_path / "own" / "link.duckdb").symlink_to(there)
    name = "../own.duckdb" if kind == "named" else "link.duckdb"
    text = f"database = '{name}'\n" + path.read_text().replace('.csv"', '"')
    source.write_text(text)
    with pytest.raises(DataError, match="outside the folder own/: expected outside = true, or its"):
        sources.read(str(source))
    for allowed in (f"outside = true\n{text}", text.replace(name, str(there))):
        source.write_text(allowed)
        assert len(opened(source).regions()) == 2
        said = sources.read(str(source)).notes
        assert [each.endswith("lies outside the folder of the source.") for each in said] == [True]


def reached_by_link(path, kind):
    """Put purchases beside the source's folder, and a link to them into it; return their key."""
    there, small = path.parent / "elsewhere", path.parent / "small"
    there.mkdir()
    (there / "t.csv").write_text(TRANSACTIONS)
    pd.read_csv(there / "t.csv").to_parquet(there / "t.parquet")
    if kind == "a link to a file":
        (small / "t_1.csv").symlink_to("../elsewhere/t.csv")
        return "files = 't_*.csv'"
    if kind == "a link to a folder":
        (small / "own").symlink_to("../elsewhere")
        return "files = '*/t.csv'"
    (small / "own").mkdir()
    if kind == "a way up":
        return "files = 'ow*/../../elsewhere/*.csv'"
    (small / "own" / "t.parquet").symlink_to("../../elsewhere/t.parquet")
    return "file = 'own'"


@pytest.mark.parametrize(
    "kind", ["a link to a file", "a link to a folder", "a way up", "a folder of links"]
)
def test_no_pattern_and_no_folder_leads_outside_unless_asked_for(write_source, kind):
    path = write_source()
    text = f"as_of = 2024-12-31\n[transactions]\n{reached_by_link(path, kind)}\n"
    write_source(text)
    with pytest.raises(DataError, match="outside the folder small/: expected outside = true") as e:
        raise DataError(opened(path).problems["transactions"])
    assert str(path.parent) not in str(e.value)
    path.write_text("outside = true\n" + path.read_text())
    assert opened(path).tables["transactions"].good.count().execute() == 5


@pytest.mark.parametrize("kind", ["a file", "a folder for what is temporary"])
def test_a_quote_in_a_path_is_no_mistake(write_source, tmp_path, monkeypatch, kind):
    name = "it's.parquet" if kind == "a file" else "t.parquet"
    path = write_source(f'as_of = 2024-12-31\n[transactions]\nfile = "{name}"\n')
    pd.read_csv(io.StringIO(TRANSACTIONS)).to_parquet(path.parent / "small" / name)
    files.drop_scratch()
    (tmp_path / "it's").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "it's"))
    assert opened(path).tables["transactions"].good.count().execute() == 5
    files.drop_scratch()


def test_no_engine_draws_a_progress_bar_into_a_notebook(tmp_path):
    ibis.duckdb.connect(tmp_path / "one.duckdb").create_table("one", ibis.memtable({"a": [1]}))
    engines = [embedded.embedded(), embedded.unlocked(), embedded.opened(tmp_path / "one.duckdb")]
    asked = "select value from duckdb_settings() where name = 'enable_progress_bar'"
    assert [engine.raw_sql(asked).fetchall() for engine in engines] == 3 * [[("false",)]]
