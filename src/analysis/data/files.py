"""Files that are whole or not there and safe to open; temporary folders that go in the end."""

from __future__ import annotations

import hashlib
import os
import platform
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a text begins that a spreadsheet may take for a formula."""
HOST = hashlib.sha256(platform.node().encode()).hexdigest()[:6]
"""What tells this machine, or container, from others that may see the same temporary folders."""
TEMPORARY = f"workbook-{HOST}-"
"""How temporary folders begin; the number of the process that made them follows."""
SHORT = Path("/tmp")
"""Where sockets go if the folder for temporary files has a long name."""
SOCKET = 107
"""Bytes that the path of a socket may have."""
ROOM = 60
"""Bytes for what stands behind the folder in the path of a socket."""


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a draft to write to, which takes the place of `path` if all went well.

    The draft stands beside the file, hidden, and is gone afterwards, whatever happened.
    """
    draft = path.with_name(f".{path.name}.part")
    try:
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8 with plain line ends, whole or not at all."""
    with whole(path) as draft:
        draft.write_text(text, encoding="utf-8", newline="\n")


def csv_safe(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table for spreadsheets: an apostrophe stands before texts that could be formulas.

    Texts that begin as in `FORMULA`, also negative numbers that are texts; numbers are as they
    were.

    References
    ----------
    OWASP, CSV injection. https://owasp.org/www-community/attacks/CSV_Injection
    """
    return table.apply(_inert)


def temporary(place: str | None = None) -> tempfile.TemporaryDirectory:
    """Make a folder that goes with this process, or with the next run if it is killed."""
    return tempfile.TemporaryDirectory(prefix=prefix(), dir=place)


def prefix() -> str:
    """Return how the names of this process's temporary folders begin."""
    return f"{TEMPORARY}{os.getpid()}-"


def place_of_sockets() -> str:
    """Return where temporary folders with sockets go, whose paths must be short."""
    place = tempfile.gettempdir()
    is_long = len(os.fsencode(place)) + ROOM > SOCKET
    return str(SHORT) if is_long and SHORT.is_dir() else place


def _inert(column: pd.Series) -> pd.Series:
    """Return a column with an apostrophe before each text that could be a formula."""
    formula = [isinstance(value, str) and value.startswith(FORMULA) for value in column]
    if not any(formula):
        return column
    return column.astype(object).mask(formula, "'" + column.astype(str))
