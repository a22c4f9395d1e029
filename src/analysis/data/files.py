"""Atomic writes, CSV escaping, and temporary folders."""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import re
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

NOT_IN_NAMES = '/\\<>:"|?*{}$%~\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069'
"""What no name of a folder holds, beside characters that control a terminal."""
NAMED = (
    'begins with none of . - and has no / \\ < > : " | ? * { } $ % ~ and no character that '
    "controls a terminal or turns a text"
)
"""What is expected of such a name."""
LONGEST_NAME = 200
"""Bytes of a name to which others are added."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters of a text that a spreadsheet may take for a formula."""
HOST = hashlib.sha256(platform.node().encode()).hexdigest()[:6]
"""Tells this machine, or container, from others that may see the same temporary folders."""
TEMPORARY = f"workbook-{HOST}-"
"""Prefix of temporary folders; the number of the process that made them follows."""
SHORT = Path("/tmp")
"""Folder for sockets if the folder for temporary files has a long name."""
SOCKET = 107
"""Longest path of a socket, in bytes."""
ROOM = 60
"""Bytes reserved for what follows the folder in the path of a socket."""
RUN_FOLDER = "WORKBOOK_CACHE"
"""Environment variable: the folder of a run for copies of data, which is deleted with the run."""
NO_ROOM = "no room is left on the disk"

_scratch: dict[int, tempfile.TemporaryDirectory] = {}


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Write atomically: give a draft, which replaces `path` unless an exception is raised.

    The draft is a hidden file in the same folder, and is always removed.
    """
    draft = path.with_name(f".{path.name}.part")
    make_room(draft)
    try:
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write text atomically, as UTF-8 with Unix line ends."""
    with whole(path) as draft:
        draft.write_text(text, encoding="utf-8", newline="\n")


def make_room(path: Path) -> None:
    """Take a link away from where a file is to be, and rename a folder or a pipe there."""
    if path.is_symlink():
        path.unlink()
    elif path.exists() and not path.is_file():
        names = (f"{path.name}.folder{n}" for n in ("", *range(2, 1000)))
        free = (path.with_name(name) for name in names)
        path.rename(next(each for each in free if not os.path.lexists(each)))


def is_full(error: Exception) -> bool:
    """Tell whether something could not be written because there is no room."""
    is_own = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    said = "No space left|File too large|Disk quota|max_temp_directory_size"
    return is_own or bool(re.search(said, str(error)))


def is_name(text: str) -> bool:
    """Tell whether a text can be the name of a folder, on pages and in addresses.

    As `contract.Name` of regions, but for its length.
    """
    kinds = {unicodedata.category(each) for each in text}
    is_plain = not kinds & {"Cc", "Cs", "Zl", "Zp"} and not set(NOT_IN_NAMES) & set(text)
    is_short = is_plain and len(text.encode()) <= LONGEST_NAME
    return is_short and text[:1] not in ("", ".", "-") and not text[:1].isspace()


def is_file(path: Path) -> bool:
    """Tell whether there is a file; there is none where a name can't be that of a file."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # longer than the file system takes; with NUL
        return False


def is_folder(path: Path) -> bool:
    """Tell whether there is a folder; there is none where a name can't be that of one."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def is_link(path: Path) -> bool:
    """Tell whether there is a link; there is none where a name can't be that of one."""
    try:
        return path.is_symlink()
    except (OSError, ValueError):
        return False


def names_in(folder: Path) -> list[str]:
    """Return the names of the files in a folder; there are none in one that can't be."""
    try:
        return sorted(each.name for each in folder.glob("*") if each.is_file())
    except (OSError, ValueError):  # as in `is_file`
        return []


def is_outside(folder: Path, name: str | Path) -> bool:
    """Tell whether a file lies outside of a folder, also by a link."""
    written = Path(os.path.normpath(folder / name))
    is_within = written.is_relative_to(os.path.normpath(folder))
    return not (
        is_within and Path(os.path.realpath(written)).is_relative_to(os.path.realpath(folder))
    )


def quoted(text: Path | str) -> str:
    """Return a text as it stands between the quotes of an SQL text."""
    return str(text).replace("'", "''")


def quoted_name(name: str) -> str:
    """Return the name of a table or column in SQL."""
    return '"' + name.replace('"', '""') + '"'


def csv_safe(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table for spreadsheets, with an apostrophe before texts that could be formulas.

    These are texts that begin as in `FORMULA`, negative numbers stored as text included.

    References
    ----------
    OWASP, CSV injection. https://owasp.org/www-community/attacks/CSV_Injection
    """
    return table.apply(_inert)


def temporary(place: str | None = None) -> tempfile.TemporaryDirectory:
    """Make a temporary folder, removed with this process, or by the next run if it is killed."""
    return tempfile.TemporaryDirectory(prefix=prefix(), dir=place)


def scratch() -> Path:
    """Return this process's own folder for copies of data, in that of its run where there is one.

    It is deleted by `drop_scratch`, with the process, with its run, or by the next run.
    """
    own = _scratch.get(os.getpid())
    if own is None or not Path(own.name).is_dir():
        run = os.environ.get(RUN_FOLDER, "")
        own = _scratch[os.getpid()] = temporary(run if run and Path(run).is_dir() else None)
    return Path(own.name)


def drop_scratch() -> None:
    """Delete this process's own folder for copies of data."""
    if own := _scratch.pop(os.getpid(), None):
        own.cleanup()


def prefix() -> str:
    """Return the prefix of this process's temporary folders."""
    return f"{TEMPORARY}{os.getpid()}-"


def place_of_sockets() -> str:
    """Return the folder for temporary folders with sockets, whose paths must be short."""
    place = tempfile.gettempdir()
    is_long = len(os.fsencode(place)) + ROOM > SOCKET
    return str(SHORT) if is_long and SHORT.is_dir() else place


def _inert(column: pd.Series) -> pd.Series:
    """Return a column with an apostrophe before each text that could be a formula."""
    formula = [isinstance(value, str) and value.startswith(FORMULA) for value in column]
    if not any(formula):
        return column
    return column.astype(object).mask(formula, "'" + column.astype(str))
