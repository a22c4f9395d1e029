"""Databases that Ibis knows and no test has a server of: what they are asked for."""

import ibis
import pytest

from analysis.data.extraction.servers import selected

QUOTES = {
    "trino": '""',
    "snowflake": '""',
    "oracle": '""',
    "bigquery": "``",
    "databricks": "``",
    "mssql": "[]",
}


@pytest.mark.parametrize("dialect", QUOTES)
def test_what_a_database_is_asked_for(dialect):
    schema = {"who": "int64", "sum net": "decimal(12, 2)", "other": "json"}
    table = ibis.table(schema, name="lines", catalog="lake", database="sales")
    query = str(ibis.to_sql(selected(table, ["who", "sum net"]), dialect=dialect))
    start, end = QUOTES[dialect]
    expected = "SELECT <t0>.<who> AS <c0>, <t0>.<sum net> AS <c1> FROM <lake>.<sales>.<lines>"
    expected = expected.replace("<", start).replace(">", end)
    assert " ".join(query.split()).replace(" AS ", " ").startswith(expected.replace(" AS ", " "))
    assert "other" not in query
