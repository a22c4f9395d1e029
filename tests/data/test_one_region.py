"""One region is loaded by itself, and gives what it gives among all regions."""

import contextlib
import os
import resource

import numpy as np
import pandas as pd
import pytest
from database_servers import mariadb, postgresql

from analysis.data import dataset, sources
from analysis.data.errors import DataError
from analysis.data.extraction import store
from analysis.data.region import load_region, of_validated
from workbook.init import source as init

TOML = """
as_of = 2024-12-31
max_set_aside = 0.9
[customers]
file = "people.parquet"
[customers.columns]
region = {{ column = "zone", values = {{ North = ["N", "n"] }}{by} }}
[transactions]
{files}
[transactions.columns]
customer_id = {{ column = "who", numeric = true }}
amount = {{ column = "sum", missing = ["0.5"] }}
[survey]
file = "survey.parquet"
"""
LAYOUTS = {
    "a folder": 'file = "lines/"',
    "files": 'files = "lines_*.parquet"',
    "one file": 'file = "all.parquet"',
}
ID = 'customer_id = { column = "who", numeric = true }'
ODD = """'; drop table [*] "🚗"""
NAMES = ("North", "S'ü \"🚗", "West")


def lines(rng):
    """Return purchase lines with whatever a file may hold: nobody's, moved ones and refunds."""
    who = rng.integers(1, 42, 600)  # 40 customers, and one that nobody knows
    days = pd.Timestamp("2023-12-25") + pd.to_timedelta(rng.integers(0, 380, 600), unit="D")
    amounts = rng.integers(1, 9, 600) / 2 * rng.choice([1, 1, 1, -1], 600)
    frame = pd.DataFrame({"who": [f"0{each}" for each in who], "bought_at": days, "sum": amounts})
    frame["product"], frame["note"] = rng.choice(["fuel", "shop", None], 600), "x" * 3
    zone = np.array(["N", NAMES[1], "West"])[who % 3]
    frame["zone"] = np.where(rng.random(600) < 0.02, "West", zone)
    return pd.concat([frame, frame.head(5)])


def written(folder, layout="a folder", by="", change=None):
    """Write a source of Parquet files; return its TOML file."""
    rng, own = np.random.default_rng(5), folder / "own"
    own.mkdir()
    people = pd.DataFrame({"customer_id": [*range(1, 41), 7]})
    people["zone"] = np.array(["n", NAMES[1], "West"])[people["customer_id"] % 3]
    people["joined_on"] = pd.Timestamp("2020-01-01")
    people.loc[3, "joined_on"] = pd.Timestamp("1900-01-01")
    people.to_parquet(own / "people.parquet")
    survey = pd.DataFrame({"customer_id": rng.integers(1, 44, 80), "satisfaction_1": 7.0})
    survey.assign(answered_on=pd.Timestamp("2024-02-03")).to_parquet(own / "survey.parquet")
    rows = lines(rng)
    rows = change(rows) if change else rows
    rows.to_parquet(own / "all.parquet")
    for number, (_, part) in enumerate(rows.groupby("zone")):
        part.to_parquet(own / f"lines_{number}.parquet")
        (own / "lines" / f"region={number}{ODD}").mkdir(parents=True)
        part.to_parquet(own / "lines" / f"region={number}{ODD}" / "part.parquet")
    path = folder / "own.toml"
    path.write_text(TOML.format(files=LAYOUTS[layout], by=by), encoding="utf-8")
    return path


def as_frames(here):
    """Return all that is known of a region, as frames."""
    bought = here.purchases.to_pandas()
    bought = bought.drop(columns=["share_kept", "undone_at"], errors="ignore")
    return {
        **here.tables,
        "bought": bought.sort_values([*bought], ignore_index=True),
        "rejected": here.rejected.sort_values([*here.rejected], ignore_index=True),
        "left_out": here.left_out.reset_index(drop=True).astype(object),
        "others": pd.DataFrame(
            [[str(here.start), str(here.last), str(here.end), repr(here.refunds), str(here.rows),
              str(sorted(here.columns)), here.repeated_answers, str(here.problems)]]
        ),
    }  # fmt: skip


def plain(frame, is_server):
    """Return a frame without numbers of rows, which in a server are those of an extract."""
    texts = frame.select_dtypes(["object", "string"]).columns if is_server else []
    own = {each: frame[each].replace(r"^row \d+: .*", "a row", regex=True) for each in texts}
    return pd.DataFrame(dict(frame) | own)


def check(path, is_alone=True):
    """Compare regions by themselves with what they are among all; return the first one's lines."""
    source = sources.read(str(path))
    is_server = source.database is not None
    whole = dataset.validate(dataset.open_source(source))
    store.clear()  # else a database whose tables were extracted whole is not asked again
    opened = dataset.open_source(source, "North")
    assert opened.region == ("North" if is_alone else "")
    for region in whole.regions if is_alone else ["North"]:
        expected = as_frames(of_validated(whole, region))
        for name, frame in as_frames(load_region(str(path), region)).items():
            pd.testing.assert_frame_equal(
                plain(frame, is_server),
                plain(expected[name], is_server),
                check_dtype=False,
                obj=f"{region} {name}",
            )
    return opened.tables["transactions"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Give each test a cache of its own."""
    monkeypatch.setenv(store.FOLDER, str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize(
    ("layout", "by"),
    [("a folder", ""), ("files", ', by = "each"'), ("one file", ', by = "last"')],
)
def test_a_region_alone_is_what_it_is_among_all(tmp_path, layout, by):
    own = check(written(tmp_path, layout, by))
    read = int(own.rows.count().execute())
    assert 150 < read < 500
    assert read + own.others == 605


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("as_of = 2024-12-31", ""),  # whose last day is that of the last purchase of all
        ("[transactions]", '[transactions]\nkeep = { note = ["xxx"] }'),
        ("[transactions]", '[transactions]\ncount = "one"'),
        ('file = "people.parquet"', 'same_file_as = "transactions"\none_row_per = "customer_id"'),
    ],
)
def test_where_a_rule_needs_all_lines_they_are_read(tmp_path, old, new):
    path = written(tmp_path, change=lambda rows: rows.assign(one=1))
    text = path.read_text(encoding="utf-8").replace(old, new, 1)
    if "same_file_as" in new:
        text = text.replace("[customers.columns]", f"[customers.columns]\n{ID}")
        text = text.replace('"n"] }', '"n"] }, by = "last"')
    path.write_text(text, encoding="utf-8")
    check(path, is_alone=False)


def test_lines_without_a_customer_are_a_share_of_all(tmp_path):
    path = written(tmp_path, change=lambda rows: rows.assign(who=rows["who"].replace("041", None)))
    check(path, is_alone=False)
    said = load_region(str(path), "North").left_out.set_index("reason")["share"]
    assert 0 < said["without a customer"] < 0.1


def test_a_region_does_not_need_the_files_of_others(tmp_path):
    zones = {"zone": lambda rows: np.array(["N", NAMES[1], "West"])[rows["who"].astype(int) % 3]}
    path = written(tmp_path, change=lambda rows: rows[rows["who"] != "041"].assign(**zones))
    first = as_frames(load_region(str(path), "North"))
    west = tmp_path / "own" / "lines" / f"region=2{ODD}" / "part.parquet"
    content, state = bytearray(west.read_bytes()), west.stat()
    content[4:400] = b"\xff" * 396
    with west.open("r+b") as file:
        file.write(content)
    os.utime(west, ns=(state.st_atime_ns, state.st_mtime_ns))
    for name, frame in as_frames(load_region(str(path), "North")).items():
        pd.testing.assert_frame_equal(frame, first[name])
    store.clear()
    why = f"lines/region=2{ODD}/part.parquet: the file is damaged, or no Parquet file."
    assert load_region(str(path), "West").problems["transactions"] == why
    west.write_bytes(content[:-9])  # cut short
    why = f"lines/: the file region=2{ODD}/part.parquet in it is damaged, or no Parquet file."
    assert load_region(str(path), "West").problems["transactions"] == why


def test_parts_whose_columns_have_several_types_lose_nothing(tmp_path):
    path = written(tmp_path, change=lambda rows: rows[rows["who"] != "041"])
    for number, kind in enumerate(("int64", "float64", "str")):
        part = tmp_path / "own" / "lines" / f"region={number}{ODD}" / "part.parquet"
        rows = pd.read_parquet(part)
        rows.assign(sum=(rows["sum"].abs() + 1 - number / 4).astype(kind)).to_parquet(part)
    own = check(path, is_alone=False)
    assert set((own.rows["amount"].to_pandas() * 4 % 4).astype(int)) == {0, 1, 2, 3}


@contextlib.contextmanager
def full_disk():
    """Let no file grow beyond a few bytes."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, limit[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)


def test_a_disk_that_fills_is_said_and_leaves_nothing(tmp_path):
    path = written(tmp_path)
    with (
        full_disk(),
        pytest.raises(
            DataError, match="a copy of its rows can't be written: no room is left on the disk"
        ),
    ):
        load_region(str(path), "North")
    assert not list(store.folder().glob("*.p*"))
    assert load_region(str(path), "North").rows["transactions"]


def stored(path, execute, types, address):
    """Put the rows of a source into a database; return its TOML file."""
    own = path.parent / "own"
    for name, file in (("people", "people"), ("facts", "all"), ("survey", "survey")):
        frame = pd.read_parquet(own / f"{file}.parquet")
        if name == "facts":
            frame["changed"] = pd.Timestamp("2024-02-01")
        columns = ", ".join(f"{column} {types[column]}" for column in frame)
        execute(f"create table {name} ({columns})")
        for start in range(0, len(frame), 50):
            rows = frame[start : start + 50]
            values = ", ".join(
                "(" + ", ".join("null" if pd.isna(v) else "'" + str(v).replace("'", "''") + "'"
                                for v in row) + ")"
                for row in rows.itertuples(index=False)
            )  # fmt: skip
            execute(f"insert into {name} values {values}")
    text = path.read_text(encoding="utf-8").replace(".parquet", "").replace('"lines/"', '"facts"')
    path.write_text(f'database = "{address}"\n{text}', encoding="utf-8")
    return path


TYPES = {
    "customer_id": "int",
    "satisfaction_1": "numeric(4, 1)",
    **dict.fromkeys(["zone", "product", "note", "who"], "varchar(20)"),
    **dict.fromkeys(["joined_on", "bought_at", "answered_on", "changed"], "timestamp"),
    "sum": "numeric(9, 2)",
}


@pytest.fixture(scope="module")
def postgres():
    with postgresql() as folder:
        yield folder


@contextlib.contextmanager
def in_postgres(postgres, path):
    """Put a source into PostgreSQL."""
    import psycopg

    about = f"host={postgres} user=boss password=first"
    name = f"own{os.urandom(4).hex()}"
    with psycopg.connect(f"{about} dbname=postgres", autocommit=True) as con:
        con.execute(f"create database {name}")
    with psycopg.connect(f"{about} dbname={name}", autocommit=True) as con:
        stored(path, con.execute, TYPES, f"postgresql://boss:first@/{name}?host={postgres}")
        yield con


def tokens(path):
    """Return the state in which the lines of two regions were extracted."""
    found = {}
    for region in ("North", "West"):
        dataset.open_source(sources.read(str(path)), region)
        kept = [each for each, *_ in store.listed() if store.about(each).endswith(f" {region}")]
        found[region] = store.token_of(kept[0])
    return found


def test_a_region_alone_in_postgresql(tmp_path, postgres):
    path = written(tmp_path, by=', by = "each"')
    with in_postgres(postgres, path) as con:
        own = check(path)
        assert 0 < own.others < 605
        assert int(own.rows.count().execute()) + own.others == 605
        first = tokens(path)
        con.execute("create table moved as select * from facts order by random()")
        con.execute("truncate facts")
        con.execute("insert into facts select * from moved")
        assert tokens(path) == first
        con.execute("update facts set sum = sum + 1 where zone = 'N' and product = 'fuel'")
        later = tokens(path)
        assert {name for name, token in later.items() if token != first[name]} == {"North"}


def test_a_server_that_changes_meanwhile_or_a_disk_that_fills(tmp_path, postgres):
    path = written(tmp_path)
    with in_postgres(postgres, path) as con:
        with (
            full_disk(),
            pytest.raises(
                DataError,
                match=r"^people: the extract can't be written: no room is left on the disk",
            ),
        ):
            load_region(str(path), "North")
        assert not list(store.folder().glob("*.p*"))
        con.execute("create view moving as select * from facts where random() < 0.5")
        path.write_text(path.read_text(encoding="utf-8").replace('"facts"', '"moving"'))
        tries = [load_region(str(path), "North").problems.get("transactions") for _ in range(6)]
        said = set(tries) - {None}  # two reads in a row may have as many lines by chance
        assert said == {"moving: the table changed while it was read."}


def looked_at(address, execute, folder):
    """Write a source's TOML file from a look at a server; return what it says of two tables."""
    execute("create table clients (customer_id int, region varchar(9), joined_on date)")
    execute("create table purchases (customer_id int, bought_at timestamp null, amount int)")
    execute("insert into clients values (1, 'North', '2020-01-01'), (2, 'West', '2020-01-02')")
    execute("insert into purchases values (1, '2024-02-01', 5), (2, '2024-02-02 10:00', 7)")
    init.write(address, folder / "looked.toml")
    return load_region(str(folder / "looked.toml"), "West")


def test_a_look_at_a_server_writes_a_source_that_loads(tmp_path, postgres, monkeypatch):
    import psycopg

    monkeypatch.setenv("DATABASE_PASSWORD", "first")
    about = f"host={postgres} user=boss password=first dbname=postgres"
    with psycopg.connect(about, autocommit=True) as con:
        address = f"postgresql://boss:first@/postgres?host={postgres}"
        here = looked_at(address, con.execute, tmp_path)
    assert here.rows == {"customers": 1, "transactions": 1}
    assert "first" not in (tmp_path / "looked.toml").read_text(encoding="utf-8")


def test_a_region_alone_in_mariadb(tmp_path):
    with mariadb() as folder:
        import pymysql

        path = written(tmp_path)
        address = f"mysql://root@localhost/shop?unix_socket={folder / 'socket'}"
        con = pymysql.connect(unix_socket=str(folder / "socket"), user="root", autocommit=True)
        with contextlib.closing(con), con.cursor() as cursor:
            cursor.execute("create database shop character set utf8mb4")
            cursor.execute("use shop")
            types = TYPES | {"who": "int"} | dict.fromkeys(
                ["joined_on", "bought_at", "answered_on", "changed"], "datetime"
            )  # fmt: skip
            stored(path, cursor.execute, types, address)
            cursor.execute("create database look")
            cursor.execute("use look")
            here = looked_at(address.replace("/shop?", "/look?"), cursor.execute, tmp_path)
            assert here.rows == {"customers": 1, "transactions": 1}
        own = check(path)
        assert 0 < own.others < 605
