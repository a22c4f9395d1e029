"""Which files the names in a source's TOML file stand for."""

from __future__ import annotations

import contextlib
import os
import posixpath
from collections.abc import Iterator
from pathlib import Path

from analysis.data.errors import DataError, nearest
from analysis.data.files import is_file, is_folder, is_outside, names_in
from analysis.data.mapping.source import Part, Source


def files_of(source: Source, part: Part) -> list[str]:
    """Return the names of a part's files, patterns resolved.

    Raises
    ------
    DataError
        If a pattern matches nothing, or a file stands there twice.
    """
    if source.database is not None or not part.is_pattern:
        return list(part.files)
    found = [name for each in part.files for name in _matching(source.folder, each)]
    found = [posixpath.normpath(name) for name in found]
    twice = sorted({name for name in found if found.count(name) > 1})
    if twice:
        raise DataError(f"{twice[0]}: files = {list(part.files)!r} names it twice.")
    return found


def paths_of(source: Source) -> list[Path]:
    """Return the paths of all files that a source reads."""
    if source.database is not None:
        every = (*source.extracts.values(), *source.keys.values())
        files = [each for each in every if isinstance(each, Path)]
        return files or [source.folder.parent / source.database]
    names = {}
    for table in source.tables.values():
        for part in table.parts:
            with contextlib.suppress(DataError):  # reading says it
                names |= dict.fromkeys(files_of(source, part))
            names |= dict.fromkeys(join.file for join in part.joins)
    paths = [source.folder / name for name in names]
    return [each for path in paths for each in parquet_files(path)]


def parquet_files(path: Path) -> list[Path]:
    """Return the Parquet files of a folder; a file is itself."""
    if not is_folder(path):
        return [path]
    return [each for each in sorted(path.rglob("*.parquet")) if not is_hidden(each.name)]


def check_place(source: Source, file: str) -> None:
    """Refuse a file that a link, or a pattern, leads to outside of the source's folder.

    Raises
    ------
    DataError
        Unless the source says `outside = true`, or the file's whole path.
    """
    path = source.folder / file
    for each in parquet_files(path):
        own = Path(os.path.normpath(each))
        if is_outside(source.folder, each) and not any(map(own.is_relative_to, source.outside)):
            name = os.path.relpath(each, source.folder)
            raise DataError(
                f"{name}: it lies outside the folder {source.folder.name}/: expected "
                "outside = true, or its whole path."
            )


def _matching(folder: Path, pattern: str) -> Iterator[str]:
    """Yield the files that match a pattern, by name; a name without * and ? is that file."""
    if not set("*?") & set(pattern):
        yield pattern
        return
    try:
        place, inner = folder, pattern.replace("[", "[[]")
        if Path(pattern).is_absolute():
            place, inner = (
                Path(Path(pattern).anchor),
                str(Path(inner).relative_to(Path(inner).anchor)),
            )
        start = "" if place == folder else place.as_posix()
        found = sorted(start + path.relative_to(place).as_posix() for path in place.glob(inner))
    except (OSError, ValueError, NotImplementedError):
        found = []
    found = [name for name in found if is_file(folder / name) and not is_hidden(name)]
    if not found:
        there = names_in(folder)
        raise DataError(
            f"{pattern}: no file in the folder {folder.name}/ matches.{nearest(pattern, there)}"
        )
    yield from found


def is_hidden(name: str) -> bool:
    """Tell whether a name is a hidden file's, or that of Excel's own beside an open one."""
    return Path(name).name.startswith((".", "~$"))
