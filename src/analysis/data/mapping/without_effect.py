"""Keys that would do nothing where they stand: they are refused, since something was meant."""

from __future__ import annotations

from pathlib import Path

from analysis.data.contract import TABLES
from analysis.data.errors import DataError
from analysis.data.mapping.keys import Keys, SourceKeys, TableKeys

_KINDS = {
    "text": (".csv", ".txt"),
    "tsv": (".tsv",),
    "json": (".jsonl", ".ndjson"),
    "parquet": (".parquet",),
    "sheet": (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"),
}
_OF_KEYS = {
    "sheet": ("Excel and OpenDocument files", {"sheet"}),
    "skip": ("text and Excel files", {"text", "tsv", "sheet"}),
    "header": ("text and Excel files", {"text", "tsv", "sheet"}),
    "delimiter": ("text files, and .tsv has its own", {"text"}),
    "encoding": ("text files", {"text", "tsv"}),
    "complete": ("text files", {"text", "tsv"}),
    "schema_name": ("tables of a database", {"database"}),
    "catalog_name": ("tables of a database", {"database"}),
    "updated_at": ("tables of a database", {"database"}),
    "outside": ("files", {"files", "database file"}),
    "folder": ("files", {"files"}),
}
_SERVERS = ("postgres", "postgresql", "mysql")


def check_source(keys: SourceKeys) -> None:
    """Refuse what has no effect in a source of a database, or of files."""
    server = (keys.database or "").partition("://")[0]
    if "statement_timeout" in keys.model_fields_set and server not in _SERVERS:
        raise DataError("'statement_timeout' has no effect here: it is for PostgreSQL and MySQL.")
    if keys.database:
        is_file = server in (keys.database, "duckdb", "sqlite")
        _check(keys, "", {"database", *(["database file"] if is_file else [])})


def check_table(name: str, keys: TableKeys, where: str, database: str | None) -> None:
    """Refuse what has no effect on a table's files, or on a table of a database."""
    own, unique = keys.one_row_per, TABLES[name].unique
    if own and unique not in ("", own):
        raise DataError(f"{where}one_row_per = {own!r} has no effect: each row has its {unique!r}.")
    names = keys.files or [keys.file or ""]
    _check(keys, where, {"database"} if database else {"files", *map(_kind, names)})
    for join in keys.joins:
        _check(join, f"{where}joins: ", {"database"} if database else {"files", _kind(join.file)})


def _check(keys: Keys, where: str, kinds: set[str]) -> None:
    """Refuse keys that are for none of some kinds; a file of no known kind is refused elsewhere."""
    for key, (label, own) in _OF_KEYS.items():
        if key in keys.model_fields_set and not (own | {""}) & kinds:
            raise DataError(f"{where}{key!r} has no effect here: it is for {label}.")


def _kind(name: str) -> str:
    """Return of what kind a file is by its ending; nothing for others, and for folders."""
    path = Path(name.lower())
    path = path.with_suffix("") if path.suffix in (".gz", ".zst") else path
    return next((kind for kind, endings in _KINDS.items() if path.suffix in endings), "")
