"""Files outside of a source's folder, which it must ask for."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from analysis.data.errors import DataError
from analysis.data.files import is_outside
from analysis.data.mapping.keys import SourceKeys
from analysis.data.mapping.source import TableMap


def files_outside(maps: Mapping[str, TableMap], folder: Path) -> dict[str, Path]:
    """Return the files outside of the source's folder, if it says that these may be read."""
    found = {}
    for name, table in maps.items():
        for part in table.parts:
            for file in (*part.files, *(join.file for join in part.joins)):
                check_no_address(f"[{name}] file", file)
                fixed = re.split(r"[^/\\]*[*?]", file)[0] if part.is_pattern else file
                if not is_outside(folder, fixed):
                    found |= _linked(folder, file) if part.outside else {}
                    continue
                if not (part.outside or Path(file).is_absolute()):
                    raise DataError(
                        f"[{name}] file = {file!r} lies outside the folder {folder.name}/: "
                        "expected outside = true, or its whole path."
                    )
                found[file] = Path(os.path.normpath(folder / fixed))
    return found


def check_no_address(key: str, path: str) -> None:
    """Refuse the address of an object store, or of a web server, where files are expected."""
    if re.match(r"\w{2,}:/", path):
        raise DataError(
            f"{key} = {path!r}: an address goes under database, "
            'such as database = "s3://bucket/folder"; file is then the path below it.'
        )


def is_database_outside(own: SourceKeys, address: str | None, folder: Path) -> bool:
    """Tell whether a database is a file outside of a folder, which the source must ask for."""
    if not address or "://" in address or not is_outside(folder, address):
        return False
    if not (own.outside or Path(address).is_absolute()):
        raise DataError(
            f"database = {own.database!r} lies outside the folder {folder.name}/: "
            "expected outside = true, or its whole path."
        )
    return True


def _linked(folder: Path, pattern: str) -> dict[str, Path]:
    """Return the files of a pattern, or in a folder, to which links lead outside."""
    try:
        paths = [*folder.glob(pattern.replace("[", "[[]")), *folder.glob(f"{pattern}/**/*.parquet")]
    except (OSError, ValueError, NotImplementedError):  # no pattern: reading says it
        return {}
    found = {
        os.path.relpath(each, folder): Path(os.path.normpath(each))
        for each in paths
        if is_outside(folder, each)
    }
    return dict(sorted(found.items()))
