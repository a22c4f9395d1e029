"""What a database's own errors mean, in one plain sentence without its address."""

from __future__ import annotations

import re

from analysis.data.errors import LOCKED, DataError
from analysis.data.mapping.source import Place, Source

_EXTRAS = {"postgres": "postgresql", "postgresql": "postgresql", "mysql": "mysql"}
_CUT_STATES = ("08", "57P01", "57P02", "57P03")
_CUT_NUMBERS = (2006, 2013, 2055, 1927)
_MEANINGS = {
    r"password authentication failed|no password supplied|\b1045\b": (
        "the database refuses the user's name or password"
    ),
    r"database .* does not exist|\b1049\b": "there is no such database on the server",
    r"role .* does not exist|pg_hba\.conf|\b1044\b|\b1130\b": (
        "the database does not let this user in"
    ),
    r"Could not set lock on file": LOCKED,
    r"too many (clients )?connections|connection slots": "the database has no connection left",
    r"don't know how to connect": (
        "no such kind of address is known; expected postgres://, mysql://, duckdb://, sqlite://, "
        "pyspark://, another that ibis can connect to, or s3:// or https:// for Parquet files"
    ),
    r"timeout|timed out|refused|could not translate host|name or service|no such file|unreachable|"
    r"server closed|can't connect|failed to resolve|\b200[235]\b": "the server does not answer",
}
"""What is wrong where a database can't be opened, by what its message holds."""


class ConnectionCutError(Exception):
    """A connection that was there and is gone."""


def missing_driver(toml: str, address: str, error: ImportError) -> DataError:
    """Say which package is missing to reach a database."""
    kind = address.split("://")[0].split("+")[0]
    package = _EXTRAS.get(kind)
    wanted = f"customer-research-workbook[{package}]" if package else f"ibis-framework[{kind}]"
    name = f" ({error.name})" if error.name else ""
    return DataError(
        f"{toml}: the driver for {kind} is not installed{name}: pip install '{wanted}'."
    )


def not_opened(toml: str, error: Exception) -> DataError:
    """Say why a database could not be opened."""
    said = _said(error)
    for pattern, meaning in _MEANINGS.items():
        if re.search(pattern, said, re.IGNORECASE):
            return DataError(f"{toml}: {meaning}.")
    return DataError(f"{toml}: the database can't be opened ({type(error).__name__}).")


def not_read(source: Source, place: Place, error: Exception) -> DataError:
    """Say why a table could not be read.

    Raises
    ------
    ConnectionCutError
        If the connection is gone.
    """
    state, said = _state(error), _said(error)
    if state.startswith(_CUT_STATES) or _number(error) in _CUT_NUMBERS or "closed" in said:
        raise ConnectionCutError
    if "PermissionException" in type(error).__name__:
        return DataError(
            f"{source.stated}: {str(place)!r} is a view that reads files outside of the database; "
            "expected a table, or a view of tables."
        )
    if state == "42501" or _number(error) in (1142, 1143) or "permission denied" in said:
        return DataError(f"{place}: the user of the database has no right to read this table.")
    if state == "57014" or _number(error) in (1317, 1969, 3024):
        limit = f"statement_timeout = {source.statement_timeout:g} seconds"
        return DataError(f"{place}: reading it took longer than {limit}.")
    if "BinderException" in type(error).__name__:
        return DataError(f"{str(place)!r} is a view that does not work: what it reads has changed.")
    if state in ("42P01", "42703") or _number(error) in (1146, 1054):
        return DataError(f"{place}: the table changed while it was read.")
    return DataError(f"{place}: the database can't give this table ({type(error).__name__}).")


def _state(error: Exception) -> str:
    """Return the five characters by which PostgreSQL names an error; empty for other databases."""
    return str(getattr(error, "sqlstate", None) or "")


def _number(error: Exception) -> int:
    """Return the number by which MySQL names an error; 0 for other databases."""
    first = error.args[0] if error.args else 0
    return first if isinstance(first, int) else 0


def _said(error: Exception) -> str:
    return f"{error} {_number(error) or ''}"
