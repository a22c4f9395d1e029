"""What a file is: by its ending, and whether its first bytes agree."""

from __future__ import annotations

import contextlib
import mmap
from pathlib import Path

from analysis.data.errors import DataError, nearest
from analysis.data.files import is_file, names_in
from analysis.data.mapping.found import parquet_files
from analysis.data.reading import sheets, text

_TEXT = (".csv", ".txt", ".tsv")
JSON = (".jsonl", ".ndjson")
_PACKED = (".gz", ".zst")
_ENDINGS = (*_TEXT, *JSON, ".parquet", *sheets.ENDINGS)
_START = 4096
"""Bytes of a file's beginning that are looked at."""
_ZIP = "an Excel, OpenDocument or zip file"
_OLE = b"\xd0\xcf\x11\xe0"
_SIGNATURES = {
    b"PK\x03\x04": _ZIP,
    _OLE: "an old Excel file",
    b"PAR1": "a Parquet file",
    b"\x1f\x8b": "a file packed by gzip",
    b"\x28\xb5\x2f\xfd": "a file packed by zstd",
}


def ending_of(path: Path) -> str:
    """Return a file's ending in lower case, without that of the program that packed it."""
    suffix = path.suffix.lower()
    return path.with_suffix("").suffix.lower() if suffix in _PACKED else suffix


def state(path: Path) -> list[tuple[int, int, int]]:
    """Return what changes with a file, or with one in a folder: its place, size and time."""
    stats = [each.stat() for each in parquet_files(path)]
    return [(each.st_ino, each.st_size, each.st_mtime_ns) for each in stats]


def is_blank(path: Path) -> bool:
    """Tell whether a file is there and holds nothing, or only blanks."""
    try:
        return is_file(path) and path.stat().st_size <= _START and not path.read_bytes().strip()
    except OSError:  # opening says it
        return False


def existing(folder: Path, file: str, encoding: str) -> Path:
    """Return the path of a file, if it exists and its first bytes fit its ending."""
    path = folder / file
    if not is_file(path):
        with contextlib.suppress(OSError, ValueError):
            if path.is_dir() and next(path.rglob("*.parquet"), None):
                return path
        there = names_in(folder)
        raise DataError(f"{file}: no such file in the folder {folder.name}/.{nearest(file, there)}")
    ending = ending_of(path)
    if ending not in _ENDINGS:
        raise DataError(f"{file}: expected a file that ends in one of {', '.join(_ENDINGS)}.")
    with path.open("rb") as opened:
        start = opened.read(_START)
    if not start.strip():
        raise DataError(f"{file}: the file is empty; expected a header and at least one row.")
    _check_kind(file, path, ending, start, encoding)
    return path


def _is_protected(path: Path) -> bool:
    """Tell whether an Office file of the old kind holds one of the new kind, encrypted."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return data.find("EncryptedPackage".encode("utf-16-le")) >= 0


def _check_kind(file: str, path: Path, ending: str, start: bytes, encoding: str) -> None:
    """Refuse a file whose first bytes are not of the kind that its ending says."""
    found = next((kind for mark, kind in _SIGNATURES.items() if start.startswith(mark)), None)
    wide = next((name for mark, name in text.WIDE.items() if start.startswith(mark)), "")
    if found is None and wide and wide[-2:] not in encoding and ending in JSON:
        raise DataError(f"{file}: a text file in {wide.upper()}; expected JSON lines in UTF-8.")
    if found is None and wide and wide[-2:] not in encoding:
        raise DataError(
            f"{file}: a text file in {wide.upper()}; expected the key encoding = {wide!r}."
        )
    is_wide = encoding.lower().replace("_", "-").startswith(("utf-16", "utf-32", "utf16", "utf32"))
    if found is None:
        found = "a binary file" if b"\0" in start and not is_wide else "a text file"
    expected = {
        ".parquet": ["a Parquet file"],
        ".xls": ["an old Excel file", _ZIP],
    }.get(ending, [_ZIP if ending in sheets.ENDINGS else "a text file"])
    packed = {".gz": "a file packed by gzip", ".zst": "a file packed by zstd"}
    if path.suffix.lower() in packed:
        expected = [packed[path.suffix.lower()]]
    if found == _SIGNATURES[_OLE] and ending in sheets.ENDINGS and _is_protected(path):
        raise DataError(f"{file}: the file is protected by a password; save it without one.")
    if found not in expected:
        raise DataError(
            f"{file}: expected {expected[0]} by its ending {path.suffix.lower()}, found {found}."
        )
