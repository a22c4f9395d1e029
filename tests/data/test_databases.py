"""What stands in a database gives what the same rows in files give."""

import contextlib
import os
import signal
import threading

import pandas as pd
import pyarrow.parquet as pq
import pytest
from database_servers import mariadb, postgresql

from analysis.data import dataset, sources
from analysis.data.errors import DataError
from analysis.data.extraction import store
from analysis.data.region import load_region, of_validated
from workbook import extracts as workbook_extracts
from workbook.running import contents

SHAPE = """
as_of = 2024-12-31
timezone = "Asia/Shanghai"
max_set_aside = 0.5
{database}
[customers]
file = "people{csv}"
[customers.columns]
customer_id = "id"
region = {{ column = "zone", values = {{ North = ["N"], South = ["S"] }} }}
joined_on = "since"
[transactions]
file = "{schema_dot}lines{csv}"
{schema}
[transactions.columns]
customer_id = "who"
bought_at = "at"
amount = "sum"
quantity = {{ column = "litres", decimal = "," }}
[survey]
file = "answers{csv}"
[survey.columns]
customer_id = "who"
answered_on = {{ column = "day", format = "%d.%m.%Y" }}
satisfaction_1 = {{ column = "mark", scale_of = [1, 5] }}
"""
PEOPLE = [
    (1, "N", "2020-01-01", "alice@example.org"),
    (2, "N", "2020-02-01", None),
    (3, "S", "2021-03-04", "x"),
    (4, "Q?", "2021-03-04", "x"),
]
LINES = [
    (10, 1, "2024-05-01 00:30:00", "12.50", "1,5"),
    (11, 1, "2024-05-01 00:30:00", "12.50", "1,5"),
    (12, 2, "2024-06-30 23:59:59.5", "99.99", None),
    (13, 3, "2024-07-01 12:00:00", "-3.00", "x"),
    (14, 3, "2024-07-02 12:00:00", "7.25", ""),
    (15, None, "2024-07-02 13:00:00", "1000.10", "2"),
    (16, 77, "2024-07-02 13:00:00", "5.00", "2"),
]
ANSWERS = [(1, "01.03.2024", 4), (3, "2.12.2024", 5), (3, "31.13.2024", 1)]
COLUMNS = {
    "people": (["id", "zone", "since", "email"], PEOPLE),
    "lines": (["no", "who", "at", "sum", "litres"], LINES),
    "answers": (["who", "day", "mark"], ANSWERS),
}
TYPES = {
    "postgresql": {
        "people": "id smallint, zone sales.letter, since date, email text",
        "lines": "no uuid, who int, at timestamptz, sum money, litres varchar(9)",
        "answers": "who numeric(9,0), day text, mark numeric",
    },
    "mariadb": {
        "people": "id smallint, zone enum('N','S','Q?'), since date, email text",
        "lines": "no int, who int, at timestamp(3) null, sum decimal(12,2), litres varchar(9)",
        "answers": "who decimal(9,0), day text, mark double",
    },
}


def files(folder):
    """Write the rows to text files, and return the source."""
    (folder / "files").mkdir()
    for name, (columns, rows) in COLUMNS.items():
        frame = pd.DataFrame(rows, columns=columns).astype(object)
        if name == "lines":
            frame["at"] += "+08"
            frame["who"] = frame["who"].astype("Int64")
        frame.to_csv(folder / "files" / f"{name}.csv", index=False)
    return written(folder, "files", csv=".csv")


def written(folder, name, database="", csv="", schema="", schema_dot=""):
    """Write a TOML file."""
    path = folder / f"{name}.toml"
    text = SHAPE.format(database=database, csv=csv, schema=schema, schema_dot=schema_dot)
    path.write_text(text, encoding="utf-8")
    return path


def regions(path):
    """Return each region's tables, purchases in an order of their own, and what was rejected."""
    whole, found = dataset.validate(dataset.open_source(sources.read(str(path)))), {}
    for name in ("North", "South"):
        here = of_validated(whole, name)
        lines = here.purchases.to_pandas()[["customer_id", "bought_at", "amount", "quantity"]]
        found[name] = {
            "lines": lines.sort_values(["customer_id", "bought_at"], ignore_index=True),
            "rejected": here.rejected.drop(columns="example").sort_values(
                ["table", "column", "expected"], ignore_index=True
            ),
            "left_out": here.left_out,
            **{each: here.tables[each] for each in ("customers", "survey")},
        }
    return found


@pytest.fixture(scope="module")
def of_files(tmp_path_factory):
    """What the same rows give in text files."""
    return regions(files(tmp_path_factory.mktemp("files")))


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Give each test a cache of its own."""
    monkeypatch.setenv(store.FOLDER, str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def postgres():
    """A server with the rows in a schema, a view, and a user who can only read."""
    with postgresql() as folder:
        import psycopg

        with psycopg.connect(
            f"host={folder} user=boss password=first dbname=postgres", autocommit=True
        ) as con:
            con.execute("set timezone to 'Asia/Shanghai'")
            con.execute("create schema sales")
            con.execute("create type sales.letter as enum ('Q?', 'S', 'N')")
            for name, kinds in TYPES["postgresql"].items():
                con.execute(f"create table sales.{name} ({kinds})")
            for name, (_, rows) in COLUMNS.items():
                values = ", ".join(["%s"] * len(rows[0]))
                for row in rows:
                    own = list(row)
                    if name == "lines":
                        own[0] = f"00000000-0000-0000-0000-0000000000{row[0]}"
                    con.execute(f"insert into sales.{name} values ({values})", own)
            con.execute("create view people as select * from sales.people")
            con.execute("create table answers as select *, '{}'::jsonb as extra from sales.answers")
            con.execute("create table secret (who int)")
            con.execute("create role reader login password 'p@ss/word'")
            con.execute("grant usage on schema sales to reader")
            con.execute("grant select on people, answers, sales.lines to reader")
        yield folder


@pytest.fixture
def of_postgres(postgres, tmp_path, monkeypatch):
    """The source whose rows are in PostgreSQL."""
    monkeypatch.setenv("OUR_PASSWORD", "p%40ss%2Fword")
    address = f"postgresql://reader:${{OUR_PASSWORD}}@/postgres?host={postgres}"
    return written(tmp_path, "pg", f'database = "{address}"', schema='schema_name = "sales"')


@pytest.fixture(scope="module")
def maria():
    """A MariaDB server with the rows, and a user who can only read."""
    with mariadb() as folder:
        import pymysql

        con = pymysql.connect(unix_socket=str(folder / "socket"), user="root", autocommit=True)
        with contextlib.closing(con), con.cursor() as cursor:
            cursor.execute("set time_zone = '+08:00'")
            cursor.execute("create database shop character set utf8mb4")
            cursor.execute("create database sales character set utf8mb4")
            for name, kinds in TYPES["mariadb"].items():
                where = f"sales.{name}" if name == "lines" else f"shop.{name}"
                cursor.execute(f"create table {where} ({kinds})")
                for row in COLUMNS[name][1]:
                    cursor.execute(
                        f"insert into {where} values ({', '.join(['%s'] * len(row))})", row
                    )
            cursor.execute("create user reader@localhost identified by 'p@ss/word'")
            cursor.execute("grant select on shop.* to reader@localhost")
            cursor.execute("grant select on sales.* to reader@localhost")
        yield folder


@pytest.fixture
def of_maria(maria, tmp_path, monkeypatch):
    """The source whose rows are in MariaDB."""
    monkeypatch.setenv("OUR_PASSWORD", "p%40ss%2Fword")
    address = f"mysql://reader:${{OUR_PASSWORD}}@localhost/shop?unix_socket={maria / 'socket'}"
    return written(tmp_path, "my", f'database = "{address}"', schema='schema_name = "sales"')


@pytest.mark.parametrize("name", ["of_postgres", "of_maria"])
def test_a_server_gives_what_the_files_give(name, request, of_files):
    own, other = regions(request.getfixturevalue(name)), of_files
    assert own.keys() == other.keys()
    for region, tables in other.items():
        for each, frame in tables.items():
            pd.testing.assert_frame_equal(
                own[region][each], frame, rtol=1e-12, obj=f"{region} {each}"
            )
    north = own["North"]["lines"]
    assert north["amount"].tolist() == [12.5, 12.5, 99.99]
    assert north["bought_at"].max() == pd.Timestamp("2024-06-30 23:59:59.5")


def problems_of(path):
    """Return why tables of a source can't be read."""
    return dict(dataset.open_source(sources.read(str(path))).problems)


def replaced(path, *pairs):
    """Replace texts of a TOML file."""
    text = path.read_text(encoding="utf-8")
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("of_postgres", "OUR_PASSWORD", "OTHER", "refuses the user's name or password"),
        ("of_postgres", "/postgres?", "/nothing?", "there is no such database on the server"),
        ("of_postgres", "host=/", "host=/nowhere/", "the server does not answer"),
        ("of_maria", "OUR_PASSWORD", "OTHER", "refuses the user's name or password"),
        ("of_maria", "/shop?", "/nothing?", "does not let this user in"),
        ("of_maria", "socket=/", "socket=/nowhere/", "the server does not answer"),
        ("of_maria", "mysql://", "trino://", r"pip install 'ibis-framework\[trino\]'"),
    ],
)
def test_a_database_that_can_not_be_opened(name, old, new, said, request, monkeypatch):
    path = replaced(request.getfixturevalue(name), (old, new))
    monkeypatch.setenv("OTHER", "first-password")
    with pytest.raises(DataError, match=rf"^\w+\.toml: .*{said}") as caught:
        dataset.open_source(sources.read(str(path)))
    assert "word" not in str(caught.value).replace("name or password", "")
    assert "/tmp" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"answers"', '"secret"', "secret: the user of the database has no right to read"),
        ('"answers"', '"answer"', "no table 'answer'. Did you mean 'answers'?"),
        ('"who"\nanswered', '"extra"\nanswered', "the column 'extra' is jsonb; expected single"),
        ('"day"', '"days"', "no column 'days'. Did you mean 'day'?"),
    ],
)
def test_a_table_that_can_not_be_read(of_postgres, old, new, said):
    found = problems_of(replaced(of_postgres, (old, new)))
    assert said in found.pop("survey")
    assert not found  # the other tables are there


def test_a_query_may_take_so_long(of_postgres, postgres):
    import psycopg

    with psycopg.connect(f"host={postgres} user=boss password=first dbname=postgres") as con:
        con.execute("create or replace view slow as select a.* from answers a, pg_sleep(60)")
        con.execute("grant select on slow to reader")
    path = replaced(
        of_postgres, ('"answers"', '"slow"'), ("max_set", "statement_timeout = 1.0\nmax_set")
    )
    assert problems_of(path) == {
        "survey": "slow: reading it took longer than statement_timeout = 1 seconds."
    }


def test_names_of_any_letters(of_postgres, postgres):
    import psycopg

    table, column = """we"ird 'n; drop table people-- 🚗""", 'שלום "mark" %s {}'
    quoted = '"' + table.replace('"', '""') + '"'
    own = '"' + column.replace('"', '""') + '"'
    with psycopg.connect(f"host={postgres} user=boss password=first dbname=postgres") as con:
        con.execute(f"create table {quoted} (who int, day text, {own} int)".encode())
        con.execute(f"insert into {quoted} values (3, '01.03.2024', 5)".encode())
        con.execute(f"grant select on {quoted} to reader".encode())
    path = replaced(of_postgres, ('"answers"', f"'''{table}'''"), ('"mark"', f"'{column}'"))
    assert load_region(str(path), "South").survey["satisfaction_1"].tolist() == [10]


def extracts():
    """Return the names and contents of all extracts."""
    return {path.name: path.read_bytes() for path, _, _ in store.listed()}


def prints(path):
    """Return the fingerprint of each region."""
    return contents.regions(dataset.open_source(sources.read(str(path))))


def test_what_has_changed_is_seen_whatever_the_order_of_rows(of_postgres, postgres):
    import psycopg

    first, files_before = prints(of_postgres), extracts()
    assert prints(of_postgres) == first
    assert extracts() == files_before
    with psycopg.connect(
        f"host={postgres} user=boss password=first dbname=postgres", autocommit=True
    ) as con:
        con.execute("create table moved as select * from sales.lines order by no desc")
        con.execute("truncate sales.lines")
        con.execute("insert into sales.lines select * from moved")
        con.execute("vacuum full sales.lines")
        assert prints(of_postgres) == first
        assert {name: len(each) for name, each in extracts().items()}.keys() == files_before.keys()
        swap = "update sales.people set since = date '2020-01-01' + (date '2020-02-01' - since)"
        con.execute(f"{swap} where id < 3")
        try:
            assert {name for name, each in prints(of_postgres).items() if each != first[name]} == {
                "North"
            }
        finally:
            con.execute(f"{swap} where id < 3")
    assert prints(of_postgres) == first


def test_a_column_that_says_what_changed_decides_alone(of_postgres, postgres):
    import psycopg

    path = replaced(of_postgres, ('file = "lines"', 'file = "lines"\nupdated_at = "changed"'))
    assert "no column 'changed' (updated_at)" in "\n".join(problems_of(path).values())
    with psycopg.connect(
        f"host={postgres} user=boss password=first dbname=postgres", autocommit=True
    ) as con:
        con.execute("alter table sales.lines add changed timestamp default '2024-07-01'")
        try:
            first = prints(path)
            con.execute("update sales.lines set sum = sum + '1'::money where who = 2")
            assert prints(path) == first  # the blind spot that docs/databases.md names
            con.execute("update sales.lines set changed = '2024-07-02' where who = 2")
            later = prints(path)
            assert {name for name in first if later[name] != first[name]} == {"North"}
            assert prints(path) == later
        finally:
            con.execute("alter table sales.lines drop changed")
            con.execute("update sales.lines set sum = sum - '1'::money where who = 2")


def test_what_is_kept_is_the_user_s_alone_and_only_what_is_needed(of_postgres):
    problems_of(of_postgres)
    assert store.folder().stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path, _, _ in store.listed()} == {0o600}
    held = b"".join(extracts().values())
    every = [repr(pq.read_table(path).to_pydict()) for path, _, _ in store.listed()]
    assert "2024" in "".join(every)
    assert "alice" not in "".join(every)
    assert b"word" not in held
    assert not [path for path in store.folder().iterdir() if ".part" in path.name]


def test_a_connection_that_is_cut_is_tried_once_more(of_postgres, postgres):
    import psycopg

    with psycopg.connect(
        f"host={postgres} user=boss password=first dbname=postgres", autocommit=True
    ) as con:
        con.execute("create view cut as select a.* from answers a, (select pg_sleep(0.3)) x")
        con.execute("grant select on cut to reader")
        path = replaced(of_postgres, ('"answers"', '"cut"'))
        stop = (
            "select pid, pg_terminate_backend(pid) from pg_stat_activity "
            "where query like '%\"cut\"%' and usename = 'reader'"
        )
        for times in (1, 2):
            store.clear()
            ended = threading.Event()

            def cut(times=times, ended=ended):
                killed = set()  # a process that is ended is listed for a while
                while len(killed) < times and not ended.is_set():
                    killed |= set(con.execute(stop).fetchall())

            thread = threading.Thread(target=cut)
            thread.start()
            try:
                if times == 1:
                    assert problems_of(path) == {}
                else:
                    with pytest.raises(
                        DataError, match="the connection to the database was cut twice"
                    ):
                        problems_of(path)
            finally:
                ended.set()
                thread.join()


def test_what_is_kept_is_listed_and_deleted(of_postgres):
    problems_of(of_postgres)
    lines = list(workbook_extracts.lines())
    assert sorted(each.split(":")[0] + each.split(":")[1] for each in lines[:-1]) == [
        "pg answers",
        "pg people",
        "pg sales.lines",
    ]
    assert lines[-1].startswith("3 extracts, 0.0 of 21,475 MB, in ")
    store.clear()
    assert next(workbook_extracts.lines()).startswith("0 extracts, ")


def test_the_least_recently_used_extract_goes_first(of_postgres, monkeypatch):
    problems_of(of_postgres)
    first = store.listed()
    monkeypatch.setattr(store, "MAX_BYTES", sum(size for _, size, _ in first))
    problems_of(replaced(of_postgres, ('"mark"', '"who"')))
    left = {path for path, _, _ in store.listed()}
    assert len({path for path, _, _ in first} - left) == 1


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("12345678901234567890::numeric", "a whole number of more than 15 digits in a column"),
        ("'infinity'::timestamp", "infinity"),
    ],
)
def test_a_value_without_a_place_in_a_file(of_postgres, postgres, value, said):
    import psycopg

    with psycopg.connect(f"host={postgres} user=boss password=first dbname=postgres") as con:
        con.execute("drop view if exists odd")
        con.execute(f"create view odd as select a.who, {value} as day, a.mark from answers a")
        con.execute("grant select on odd to reader")
    found = problems_of(replaced(of_postgres, ('"answers"', '"odd"')))
    assert list(found) == ["survey"]
    assert found["survey"].startswith("odd: it can't be read: a value is ")
    assert said in found["survey"]


def test_ctrl_c_ends_the_query_and_leaves_nothing(of_postgres, postgres):
    import psycopg

    active = "select count(*) from pg_stat_activity where usename = 'reader' and state = 'active'"
    with psycopg.connect(
        f"host={postgres} user=boss password=first dbname=postgres", autocommit=True
    ) as con:
        con.execute("create view endless as select a.* from answers a, pg_sleep(600)")
        con.execute("grant select on endless to reader")
        path = replaced(of_postgres, ('"answers"', '"endless"'))

        def press():
            while not con.execute(active).fetchone()[0]:
                pass
            while (
                "endless"
                not in con.execute(
                    "select coalesce(string_agg(query, ''), '') from pg_stat_activity "
                    "where usename = 'reader' and query like 'copy%'"
                ).fetchone()[0]
            ):
                pass
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=press, daemon=True)
        before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may ignore it
        try:
            with pytest.raises(KeyboardInterrupt):
                thread.start()
                problems_of(path)
        finally:
            signal.signal(signal.SIGINT, before)
        thread.join()
        while con.execute(active).fetchone()[0]:  # the server takes a moment
            pass
    assert not [each for each in store.folder().iterdir() if ".part" in each.name]
