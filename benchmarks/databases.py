"""One region of a large source: the workbook beside the same SQL by hand, in one run.

    python benchmarks/databases.py [LINES [LINES_OF_POSTGRESQL [FOLDER]]]

Times are CPU seconds of this process, and those of the clock: a server's own work is not in the
former. Data are made in FOLDER, and kept there. Needs the test extras; PostgreSQL where it is
installed.
"""

import contextlib
import os
import sys
import tempfile
import time
from pathlib import Path

import duckdb

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "data"))
import pytest
from database_servers import postgresql

from analysis.data import dataset, files, sources
from analysis.data.extraction import store
from analysis.data.extraction.extract import extracted
from analysis.data.region import load_region

REGIONS = 50
LINES_PER_CUSTOMER = 100
MOST = 20_000_000
"""Lines up to which all regions are validated, too."""
CUSTOMERS = (
    "select i as customer_id, 'R' || lpad(cast(i % {r} as varchar), 3, '0') as region, "
    "date '2015-01-01' + cast(i % 3000 as int) as joined_on from {series} as t(i)"
)
LINES = (
    "select (i * 7919) % {n} as customer_id, timestamp '2023-01-01' + "
    "((i * 104729) % 63072000) * interval '1 second' as bought_at, "
    "20 + ((i * 31337) % 20000) / 100.0 as amount, 5 + ((i * 271) % 400) / 10.0 as quantity, "
    "case when i % 5 = 0 then 'shop' else 'fuel' end as product, "
    "'R' || lpad(cast(((i * 7919) % {n}) % {r} as varchar), 3, '0') as region "
    "from {series} as t(i)"
)
BY_HAND = (
    "select customer_id, count(*), sum(amount), max(bought_at) from read_parquet('{place}') "
    "where region = 'R000' group by customer_id"
)
OF_REGION = (
    "select t.* from transactions t join customers c using (customer_id) where c.region = 'R000'"
)
SCAN = (
    "select count(*), count(customer_id), max(bought_at), sum(amount), sum(quantity), "
    "count(product) from read_parquet('{place}')"
)
TOML = """as_of = 2024-12-31
{database}
[customers]
file = "customers{parquet}"
[transactions]
file = "transactions{slash}"
"""


@contextlib.contextmanager
def timed(what):
    """Print the CPU time and the time of the clock that something takes."""
    cpu, clock = time.process_time(), time.perf_counter()
    yield
    cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
    print(f"{what:60s} {cpu:8.2f} s CPU {clock:8.2f} s", flush=True)


def size(*folders):
    """Return the bytes of all files in some folders."""
    files = [path for each in folders for path in Path(each).rglob("*") if path.is_file()]
    return sum(path.stat().st_size for path in files)


def warm(folder):
    """Load a small region, so that what is imported is not measured."""
    parquet(folder / "warm", 10_000, quiet=True)


def parquet(folder, lines, quiet=False):
    """Measure one region of partitioned Parquet."""
    own, path = folder / "parquet", folder / "parquet.toml"
    with duckdb.connect() as engine:
        if not path.exists():
            own.mkdir(parents=True)
            people = CUSTOMERS.format(r=REGIONS, series=f"range({lines // LINES_PER_CUSTOMER})")
            engine.execute(f"copy ({people}) to '{own}/customers.parquet'")
            rows = LINES.format(n=lines // LINES_PER_CUSTOMER, r=REGIONS, series=f"range({lines})")
            engine.execute(
                f"copy ({rows}) to '{own}/transactions' (format parquet, partition_by (region))"
            )
            path.write_text(TOML.format(database="", parquet=".parquet", slash="/"))
    if quiet:
        load_region(str(path), "R000")
        return
    place = f"{own}/transactions/*/*.parquet"
    print(f"Parquet, {lines:,} lines, {REGIONS} regions")
    for name, query in {"one region by hand": BY_HAND, "one scan by hand": SCAN}.items():
        with timed(name), duckdb.connect() as engine:
            engine.execute(query.format(place=place)).fetchall()
    before = size(os.environ[store.FOLDER], files.scratch())
    with timed("first region, nothing cached"):
        load_region(str(path), "R000")
    after = size(os.environ[store.FOLDER], files.scratch())
    with timed("another region"):
        load_region(str(path), "R001")
    later = size(os.environ[store.FOLDER], files.scratch())
    region = size(own / "transactions" / "region=R001")
    print(f"disk: {(after - before) / region:.1f} and {(later - after) / region:.1f} regions")
    with timed("the same region again"):
        load_region(str(path), "R001")
    if lines <= MOST:
        with timed("open and validate all"):
            dataset.validate(dataset.open_source(sources.read(str(path))))


def postgres(folder, lines):
    """Measure a source in PostgreSQL."""
    import psycopg

    with postgresql() as server:
        address = f"host={server} user=boss password=first dbname=postgres"
        people, n = f"generate_series(0, {lines // LINES_PER_CUSTOMER - 1})", lines - 1
        with psycopg.connect(address, autocommit=True) as con:
            con.execute(f"create table customers as {CUSTOMERS.format(r=REGIONS, series=people)}")
            rows = LINES.format(
                n=lines // LINES_PER_CUSTOMER, r=REGIONS, series=f"generate_series(0, {n}::bigint)"
            )
            con.execute(f"create table transactions as {rows}")
            con.execute("analyze")
        path = folder / "server.toml"
        database = f'database = "postgresql://boss:first@/postgres?host={server}"'
        path.write_text(TOML.format(database=database, parquet="", slash=""))
        source = sources.read(str(path))
        print(f"PostgreSQL, {lines:,} lines")
        wanted = {"every row": "select * from transactions", "one region's rows": OF_REGION}
        for name, query in wanted.items():
            with (
                timed(f"COPY of {name} TO a file, by hand"),
                psycopg.connect(address) as con,
                con.cursor().copy(f"copy ({query}) to stdout (format csv)") as copy,
                (folder / "copy.csv").open("wb") as file,
            ):
                for block in copy:
                    file.write(block)
        with timed("first region"):
            load_region(str(path), "R000")
        with timed("another region"):
            load_region(str(path), "R001")
        with timed("the same region again, nothing changed"):
            load_region(str(path), "R001")
        with timed("extract all"):
            extracted(source)
        with timed("extract again, nothing changed"):
            extracted(source)


def main():
    """Run all that there is a server for."""
    asked = [*sys.argv[1:], *("1000000", "1000000", "")[len(sys.argv) - 1 :]]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(asked[2] or temporary).resolve()
        os.environ[store.FOLDER] = os.environ["XDG_CACHE_HOME"] = f"{temporary}/cache"
        warm(Path(temporary))
        parquet(folder, int(asked[0]))
        if not int(asked[1]):
            return
        try:
            postgres(Path(temporary), int(asked[1]))
        except pytest.skip.Exception as reason:
            print(reason)


if __name__ == "__main__":
    main()
