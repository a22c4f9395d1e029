"""Processes that notebooks start: they end with their kernel, also those that left its group.

Children are known by their parents, and by a mark in the environment that they inherit. On Linux a
kernel adopts what its children leave behind (`PR_SET_CHILD_SUBREAPER`). What can't be reached: a
process that left its parents and cleared its environment, or was forked without a new program,
after its kernel was killed by somebody else.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import time
from collections.abc import Callable, Iterator

import psutil

from analysis.data.files import HOST

KERNEL, RUN = "WORKBOOK_KERNEL", "WORKBOOK_RUN"
"""Environment variables: which kernel, and which run, a process comes from."""
_SUBREAPER = 36
"""`PR_SET_CHILD_SUBREAPER` of Linux."""
_ROUNDS, _WAIT = 300, 0.01
"""Times that processes are looked for, since one that is killed may just have started another, and
seconds between two of them."""


def adopt() -> None:
    """Become the parent of what this process's children leave behind, where the system can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)


def mark_run() -> None:
    """Mark all that this process will start as its own."""
    os.environ[RUN] = _name(psutil.Process())


def end(mark: str, kernel: int | None = None) -> None:
    """Kill the processes with a kernel's mark, and the children of that process."""
    if kernel is not None:
        with contextlib.suppress(psutil.Error):
            parent = psutil.Process(kernel)
            _kill_all(lambda: filter(_lives, parent.children(recursive=True)))
    _kill_all(lambda: _having(lambda environment: environment.get(KERNEL) == mark))


def end_left() -> None:
    """Kill what runs have left that were themselves killed on this machine."""
    _kill_all(lambda: _having(lambda environment: _is_over(environment.get(RUN, ""))))


def _is_over(run: str) -> bool:
    """Tell whether a run was one on this machine, and has ended."""
    host, _, number = run.rpartition("-")[0].partition("-")
    if host != HOST or not number.isdecimal():
        return False
    try:
        return _name(psutil.Process(int(number))) != run
    except psutil.NoSuchProcess:
        return True
    except (psutil.Error, ValueError, OverflowError):
        return False


def _lives(process: psutil.Process) -> bool:
    """Tell whether a process is more than an entry that its parent has not read."""
    with contextlib.suppress(psutil.Error):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


def _kill_all(living: Callable[[], Iterator[psutil.Process]]) -> None:
    """Kill the processes that are found, until there is none."""
    for _ in range(_ROUNDS):
        if not _kill(living()):
            return
        time.sleep(_WAIT)


def _having(is_meant: Callable[[dict[str, str]], bool]) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and is_meant(process.environ()):
                yield process


def _kill(processes: Iterator[psutil.Process]) -> int:
    """Kill processes; return how many there were."""
    found = 0
    for process in processes:
        found += 1
        with contextlib.suppress(psutil.Error):
            process.kill()
    return found


def _name(process: psutil.Process) -> str:
    """Return what tells a process from all others, also from a later one of its number."""
    return f"{HOST}-{process.pid}-{process.create_time():.0f}"
