"""Parquet files in an object store or on a web server, which DuckDB reads with httpfs."""

from __future__ import annotations

import os
import re

import duckdb
import ibis

from analysis.data.errors import DataError
from analysis.data.extraction.servers import DuckDB
from analysis.data.files import quoted
from analysis.data.mapping.source import Place
from analysis.data.reading import embedded

KINDS = ("s3", "https", "http")
_SECRET = {
    "KEY_ID": ("AWS_ACCESS_KEY_ID",),
    "SECRET": ("AWS_SECRET_ACCESS_KEY",),
    "SESSION_TOKEN": ("AWS_SESSION_TOKEN",),
    "REGION": ("AWS_REGION", "AWS_DEFAULT_REGION"),
}
_PARTITION = re.compile(r"/[^/]+=")
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


class ObjectStore(DuckDB):
    """Files below an address; a table is a file, a pattern, or a folder of Parquet files.

    Parameters
    ----------
    address : str
        Such as "s3://bucket/folder".
    timeout : float
        Seconds that one query may take.

    Raises
    ------
    DataError
        If httpfs is not installed; it is never installed from here.
    """

    def __init__(self, address: str, timeout: float) -> None:
        engine = embedded.unlocked()
        try:
            engine.raw_sql("LOAD httpfs")
        except duckdb.Error:
            raise DataError(
                "object stores are read by DuckDB's extension httpfs, which is not installed for "
                f"DuckDB {duckdb.__version__}: python -c \"import duckdb; duckdb.sql('INSTALL "
                "httpfs')\" installs it once for this user."
            ) from None
        if address.startswith("s3://") and (secret := _secret()):
            engine.raw_sql(f"CREATE SECRET (TYPE s3, {secret})")
        engine.raw_sql("SET lock_configuration = true")
        super().__init__(engine, timeout)
        self.address = address.rstrip("/")

    def tables(self, schema: str = "") -> list[str]:
        """Return the files and partitioned folders of a bucket; a web server has no list."""
        if not self.address.startswith("s3://"):
            return []
        found = self.backend.raw_sql(
            f"SELECT file FROM glob('{quoted(self.address)}/**/*.parquet')"
        )
        names = (file.removeprefix(f"{self.address}/") for (file,) in found.fetchall())
        return sorted({_PARTITION.split(name)[0] for name in names})

    def table(self, place: Place) -> ibis.Table:
        """Return a file, or the files of a pattern or a folder with its partitions.

        Raises
        ------
        DataError
            If no Parquet file is there.
        """
        path = f"{self.address}/{place.name.strip('/')}"
        path += "" if path.endswith(".parquet") else "/**/*.parquet"
        try:
            return self.backend.sql(
                f"SELECT * FROM read_parquet('{quoted(path)}', hive_partitioning = true)"
            )
        except duckdb.IOException as error:
            is_away = "connect" in str(error).lower() or "resolve" in str(error).lower()
            said = "the server does not answer" if is_away else "no Parquet file can be read there"
            code = getattr(error, "status_code", "")
            said = "the server refuses the key" if code in (401, 403) else said
            raise DataError(f"{str(place)!r}: {said}.") from None


def _secret() -> str:
    """Return what the environment says of a key and a server of S3, in DuckDB's SQL."""
    said = {
        name: next((os.environ[each] for each in own if os.environ.get(each)), "")
        for name, own in _SECRET.items()
    }
    endpoint = next((os.environ[each] for each in _ENDPOINTS if os.environ.get(each)), "")
    if endpoint:
        kind, _, host = endpoint.rpartition("://")
        said |= {"ENDPOINT": host.rstrip("/"), "URL_STYLE": "path"}
        said |= {"USE_SSL": "false"} if kind == "http" else {}
    return ", ".join(f"{name} '{quoted(text)}'" for name, text in said.items() if text)
