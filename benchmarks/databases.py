"""One region of a large source: the workbook beside the same SQL by hand, in one run.

    python benchmarks/databases.py [LINES]

Times are CPU seconds of this process (of PostgreSQL also those of the clock): a server's own work
is not in them. Needs the test extras; PostgreSQL where it is installed.
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

from analysis.data import dataset, sources
from analysis.data.extraction import store
from analysis.data.extraction.extract import extracted
from analysis.data.region import load_region

REGIONS = 20
LINES_PER_CUSTOMER = 100
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


def parquet(folder, lines):
    """Measure one region of partitioned Parquet."""
    own = folder / "parquet"
    own.mkdir()
    series = f"range({lines})"
    with duckdb.connect() as engine:
        people = CUSTOMERS.format(r=REGIONS, series=f"range({lines // LINES_PER_CUSTOMER})")
        engine.execute(f"copy ({people}) to '{own}/customers.parquet'")
        rows = LINES.format(n=lines // LINES_PER_CUSTOMER, r=REGIONS, series=series)
        engine.execute(
            f"copy ({rows} order by region) to '{own}/transactions' "
            "(format parquet, partition_by (region))"
        )
    path = folder / "parquet.toml"
    path.write_text(TOML.format(database="", parquet=".parquet", slash="/"))
    place = f"{own}/transactions/*/*.parquet"
    print(f"Parquet, {lines:,} lines, {REGIONS} regions")
    for name, query in {"one region by hand": BY_HAND, "one scan by hand": SCAN}.items():
        with timed(name), duckdb.connect() as engine:
            engine.execute(query.format(place=place)).fetchall()
    with timed("open and validate all"):
        dataset.validate(dataset.open_source(sources.read(str(path))))
    with timed("first region, nothing cached"):
        load_region(str(path), "R000")
    with timed("another region"):
        load_region(str(path), "R001")


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
        query = "copy (select * from transactions) to stdout (format csv)"
        with (
            timed("COPY (SELECT * FROM transactions) TO a file, by hand"),
            psycopg.connect(address) as con,
            con.cursor().copy(query) as copy,
            (folder / "copy.csv").open("wb") as file,
        ):
            for block in copy:
                file.write(block)
        with timed("extract all"):
            extracted(source)
        with timed("extract again, nothing changed"):
            extracted(source)
        with timed("first region"):
            load_region(str(path), "R000")
        with timed("another region"):
            load_region(str(path), "R001")


def main():
    """Run all that there is a server for."""
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        os.environ[store.FOLDER] = os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        parquet(folder, lines)
        try:
            postgres(folder, lines)
        except pytest.skip.Exception as reason:
            print(reason)


if __name__ == "__main__":
    main()
