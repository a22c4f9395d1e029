"""Parquet files on a server are read through DuckDB's httpfs, where it is installed."""

import functools
import http.server
import threading

import duckdb
import pandas as pd
import pytest

from analysis.data.errors import DataError
from analysis.data.extraction import object_stores
from tables import opened
from workbook.init import source


def has_httpfs():
    try:
        duckdb.connect(config={"autoinstall_known_extensions": False}).load_extension("httpfs")
    except duckdb.Error:
        return False
    return True


@pytest.fixture
def served(write_source, tmp_path):
    """A source whose three tables a web server has as Parquet files, and their folder."""
    path = write_source("as_of = 2024-12-31\n")
    folder = path.parent / "small"
    for name in ("customers", "transactions", "survey"):
        pd.read_csv(folder / f"{name}.csv").to_parquet(folder / f"{name}.parquet")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"database = 'http://127.0.0.1:{server.server_port}'\n"
        path.write_text(address + path.read_text().replace(".csv", ".parquet"))
        yield path
        server.shutdown()


@pytest.mark.skipif(has_httpfs(), reason="DuckDB's extension httpfs is installed here")
def test_without_the_extension_it_is_said_how_it_is_installed(served):
    with pytest.raises(DataError) as error:
        opened(served)
    assert str(error.value) == (
        "small.toml: object stores are read by DuckDB's extension httpfs, which is not installed "
        f"for DuckDB {duckdb.__version__}: python -c \"import duckdb; duckdb.sql('INSTALL "
        "httpfs')\" installs it once for this user."
    )


@pytest.mark.skipif(not has_httpfs(), reason="DuckDB's extension httpfs is not installed")
def test_files_of_a_server_give_what_files_of_a_folder_give(served):
    found = opened(served)
    sales = found.tables["transactions"].good["amount"].sum().execute()
    files = pd.read_parquet(served.parent / "small" / "transactions.parquet")
    assert sales == files["amount"].sum() == 1095
    (served.parent / "small" / "survey.parquet").unlink()
    assert "no Parquet file can be read there" in opened(served).problems["survey"]


@pytest.mark.parametrize(
    ("environment", "secret"),
    [
        ({}, ""),
        (
            {"AWS_ACCESS_KEY_ID": "me", "AWS_SECRET_ACCESS_KEY": "it's", "AWS_REGION": "eu"},
            "KEY_ID 'me', SECRET 'it''s', REGION 'eu'",
        ),
        (
            {"AWS_DEFAULT_REGION": "cn", "AWS_ENDPOINT_URL": "http://store:9000/"},
            "REGION 'cn', ENDPOINT 'store:9000', URL_STYLE 'path', USE_SSL 'false'",
        ),
        (
            {"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_S3": "https://b"},
            "ENDPOINT 'b', URL_STYLE 'path'",
        ),
    ],
)
def test_keys_are_those_of_the_environment(monkeypatch, environment, secret):
    names = [each for own in object_stores._SECRET.values() for each in own]
    for name in (*names, *object_stores._ENDPOINTS):
        monkeypatch.delenv(name, raising=False)
    for name, text in environment.items():
        monkeypatch.setenv(name, text)
    assert object_stores._secret() == secret


@pytest.mark.parametrize("key", ["file", "folder"])
def test_an_address_in_the_place_of_files_is_said_to_go_under_database(write_source, key):
    path = write_source("folder = 's3://bucket/small'\n" if key == "folder" else "")
    if key == "file":
        path.write_text(path.read_text().replace("customers.csv", "https://host/customers.parquet"))
    with pytest.raises(DataError, match=f"{key} = '.*://.*an address goes under database"):
        opened(path)


@pytest.mark.parametrize("address", ["gs://bucket/x", "az://bucket/x", "r2://b", "ftp://host/x"])
def test_of_an_unknown_kind_of_address_the_known_ones_are_said(write_source, address):
    path = write_source(f"database = '{address}'\n")
    with pytest.raises(DataError, match=r"small.toml: no such kind of address .*s3:// or https://"):
        opened(path)
    with pytest.raises(DataError, match=f"^{address}: no such kind of address"):
        source.write(address)
