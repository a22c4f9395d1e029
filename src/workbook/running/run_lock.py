"""One run at a time in a folder of reports, and nothing left over from one that was killed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from analysis.data.files import SHORT, TEMPORARY, is_folder, is_link, make_room, write_text
from analysis.data.sources import DataError
from analysis.language import LANGUAGES
from workbook import children
from workbook.running.up_to_date import INDEX
from workbook.unforeseen import LOG

LOCK, OWNER, HISTORY = ".lock", ".owner", "history.parquet"
EXPORT = "export"
"""Folder in that of the reports for what is exported."""
LONGEST_NUMBER = 9
"""Digits of a process's number."""


@contextmanager
def alone(reports: Path, what: str) -> Iterator[None]:
    """Hold a folder of reports, and sweep away what an earlier run has left half-written.

    The system lets go of the lock when its process ends, however it ends. `what` this process
    does is for whoever comes second, who gets a `DataError` that names it.
    """
    refuse_links(reports)
    try:
        reports.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{reports.name}: the folder can't be made: {error.strerror}.") from None
    _make_room(reports)
    lock = FileLock(reports / LOCK, blocking=False)
    try:
        lock.acquire()
    except Timeout:
        who = "it has just begun"
        with suppress(OSError, ValueError):
            who = (reports / OWNER).read_text(encoding="utf-8")
        raise DataError(f"Another run writes to {reports.name}: {who}.") from None
    try:
        sweep(reports)
        write_text(reports / OWNER, f"process {os.getpid()}, {what}")
        yield
    finally:
        (reports / OWNER).unlink(missing_ok=True)
        lock.release()


def check_source(name: str) -> None:
    """Refuse a source whose folder in the reports would be another thing there."""
    if name in (*LANGUAGES, EXPORT, LOG, HISTORY, *INDEX):
        raise DataError(f"{name}.toml: {name} in the reports is another thing; rename the file.")


def refuse_links(reports: Path) -> None:
    """Refuse a folder that is none, and one of a language or an export that a link leads away from.

    The folder of reports itself may be a link, since its user has named it.
    """
    if os.path.lexists(reports) and not is_folder(reports):
        raise DataError(f"{reports.name}: this is a file; expected a folder for the reports.")
    inner = [reports] if reports.name in (*LANGUAGES, EXPORT) else []
    for path in [*inner, *(reports / name for name in (*LANGUAGES, EXPORT))]:
        if is_link(path):
            raise DataError(
                f"{path.parent.name}/{path.name} is a link, and nothing is written through one; "
                "expected a folder."
            )


def _make_room(reports: Path) -> None:
    """Take links away that bear the name of a file of ours, and rename such folders."""
    own = (LOCK, OWNER, LOG, HISTORY, ".index.json", *INDEX)
    for path in [*(reports / name for name in own), *reports.glob(".data-*.json")]:
        make_room(path)


def sweep(reports: Path) -> None:
    """Remove what only a run that was killed leaves behind: drafts, sockets and kept data."""
    children.end_left()
    for place in {Path(tempfile.gettempdir()), SHORT}:
        for folder in place.glob(f"{TEMPORARY}*"):
            process = folder.name.removeprefix(TEMPORARY).split("-")[0]
            if _is_left(process):
                shutil.rmtree(folder, ignore_errors=True)
    for draft in [*reports.rglob(".*.part"), *reports.rglob(".*.part.ipynb")]:
        with suppress(OSError):  # a folder, which is not ours
            draft.unlink()


def _is_left(process: str) -> bool:
    """Tell whether a name of a folder says a process, and one that has ended."""
    is_number = process.isascii() and process.isdecimal() and len(process) <= LONGEST_NUMBER
    return is_number and not psutil.pid_exists(int(process))
