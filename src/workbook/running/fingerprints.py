"""Fingerprints of what a finding came from: the data's files, the notebook, the module."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import analysis
import workbook
from analysis.claims import hypotheses
from analysis.data.sources import ROOT, Source, TableMap

PACKAGES = tuple(Path(each.__file__).parent for each in (analysis, workbook))
LENGTH = 12
"""Characters of a fingerprint."""
SETTINGS = (
    "name", "title", "currency", "calendar", "timezone", "earliest", "as_of", "max_set_aside",
    "notes", "tables",
)  # fmt: skip


def notebook(path: Path) -> str:
    """Return the fingerprint of a notebook's file."""
    return short([path.read_bytes()])


@cache
def module() -> str:
    """Return the fingerprint of both packages and of the versions that they run with.

    The register has its own, and the example regions are data.
    """
    files = [path for package in PACKAGES for path in sorted(package.rglob("*")) if path.is_file()]
    parts = [path for path in files if path.suffix != ".pyc" and path != hypotheses.REGISTER_FILE]
    lock = ROOT / "requirements.lock"
    return short(path.read_bytes() for path in [*parts, *([lock] if lock.exists() else [])])


def content(source: Source) -> str | None:
    """Return the fingerprint of a source's files, byte by byte; None for a database by address."""
    if "://" in (source.database or ""):
        return None
    files = [source.folder / name for table in source.tables.values() for name in _files(table)]
    if source.database is not None:
        files = [source.folder.parent / source.database]
    there = [path for path in dict.fromkeys(files) if path.is_file()]
    if len(there) < len(set(files)):
        return None
    return short([settings(source).encode(), *map(_bytes, there)])


def settings(source: Source) -> str:
    """Return what a source says of itself, without the address of a database."""
    return repr([getattr(source, name) for name in SETTINGS])


def short(parts: Iterable[bytes]) -> str:
    """Return a short SHA-256 of several parts."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(hashlib.sha256(part).digest())
    return whole.hexdigest()[:LENGTH]


def _files(table: TableMap) -> list[str]:
    """Return the files that a table is read from."""
    return [table.file, *(join.file for join in table.joins)]


def _bytes(path: Path) -> bytes:
    """Return the SHA-256 of a file, without holding all of it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
