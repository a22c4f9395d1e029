"""Errors that nobody foresaw: one line for the reader, the rest in the log, no value in either."""

from __future__ import annotations

import errno
import os
import re
import traceback
from collections.abc import Iterable
from pathlib import Path

from analysis.data.files import make_room
from analysis.data.sources import ROOT
from analysis.data.validation.shown import without_values

reports = ROOT / "reports"
"""Folder whose log is written; a run sets its own."""
LOG = "run.log"
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES)
UNWRITABLE += (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ELOOP)
"""Why nothing can be written."""
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_FRAME = re.compile(r"\s*(File |Cell In|-+> *\d|\d+ )")
_ERROR = re.compile(r"[A-Za-z_][\w.]*(?:Error|Exception|Warning|Interrupt|Exit|Fault)\b")
_FOLDERS = re.compile(r"(?:/[^/\s\"':]+)+/(?=[\w.-]+)")


def said(error: Exception) -> str:
    """Return a line about an error: what could not be written, or what the log has of it."""
    if isinstance(error, OSError) and error.errno in UNWRITABLE:
        name = f"{os.path.relpath(error.filename)}: " if error.filename else ""
        return f"{name}{os.strerror(error.errno)}. What was finished stays."
    return _noted(error)


def _noted(error: Exception) -> str:
    """Write an error and where it came from into the log; return one line about it."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    kind = type(error).__name__
    told = f"{kind}: {without_values(str(error), kind)}".rstrip(": ")
    lines = [
        f"File {Path(each.filename).name}, line {each.lineno}, in {each.name}: {each.line}"
        for each in frames
    ]
    try:
        reports.mkdir(parents=True, exist_ok=True)
        make_room(reports / LOG)
        with (reports / LOG).open("a", encoding="utf-8", newline="\n") as log:
            log.writelines(f"{line}\n" for line in [*lines, told])
    except OSError:
        return f"This was not foreseen: {told}{where}."
    return f"This was not foreseen: {told}{where}. More is in {reports.name}/{LOG}."


def story(lines: Iterable[str]) -> list[str]:
    """Return the frames and the errors of a notebook's traceback, without values and folders."""
    found = []
    for line in _COLOUR.sub("", "\n".join(lines)).splitlines():
        if _FRAME.match(line):
            found.append(_FOLDERS.sub("", line))
        elif match := _ERROR.match(line):
            said = line[match.end() :].lstrip(": ")
            is_heading = "Traceback (most recent call last)" in said
            found.append(
                match[0] if is_heading else f"{match[0]}: {without_values(said, match[0])}"
            )
    return found
