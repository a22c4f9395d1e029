"""Kernels for papermill: forked where that can be done, with a time limit, leaving nothing.

What comes out is an ordinary kernel in all that a notebook can see; `fork_server` says where
it differs. On Linux only; elsewhere, kernels start as they always do.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import ClassVar, Self

import zmq
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import LocalProvisioner

from analysis.data import files
from workbook import children
from workbook.running import fork_server

LAUNCHER = [sys.executable, "-m", "ipykernel_launcher"]
LOOK = 0.5
"""Seconds between two looks at whether a kernel is still wanted."""


class Limit:
    """The time that an execution may take: its kernels are killed at the end of it.

    As a context, which begins the time, it also sees to it that no kernel of the execution
    outlives it. `is_wanted` tells, from another thread, whether anybody waits for the execution.
    """

    def __init__(self, seconds: float, is_wanted: Callable[[], bool] = lambda: True) -> None:
        self.is_over = False  # the time was up before the execution had ended
        self.is_abandoned = False  # nobody waited for it any more
        self.has_ended = False  # its kernels were killed; one that starts later is killed at once
        self.managers: list[ColdKernelManager] = []
        self._seconds, self._is_wanted = seconds, is_wanted
        self._left = threading.Event()

    def __enter__(self) -> Self:
        _limits.add(self)
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._left.set()
        _limits.discard(self)
        self.end()
        for manager in self.managers:  # one whose kernel never came keeps its folder
            manager.folder.cleanup()

    def end(self) -> None:
        """Kill the kernels, and all that they have started."""
        self.has_ended = True
        for manager in self.managers:
            manager.end()

    def _watch(self) -> None:
        """Kill the kernels when the time is up or nobody waits for them any more."""
        deadline = time.monotonic() + self._seconds
        while not self._left.wait(min(LOOK, max(deadline - time.monotonic(), 0))):
            self.is_over, self.is_abandoned = time.monotonic() >= deadline, not self._is_wanted()
            if self.is_over or self.is_abandoned:
                self.end()
                return


_limits: set[Limit] = set()


def end_all() -> None:
    """Kill all kernels that run under a limit in this process."""
    for limit in list(_limits):
        limit.end()


def options(
    cwd: Path | None = None, limit: Limit | None = None, *, cold: bool = False
) -> dict[str, object]:
    """Return what makes `papermill.execute_notebook` use a warm kernel, or an ordinary one.

    The kernel is killed after the last cell. `cwd` is its working directory: papermill's own
    argument of this name changes that of the whole process, and with it that of other threads.
    """
    kind = ColdKernelManager if cold else WarmKernelManager
    if limit is not None:
        kind = type(kind.__name__, (kind,), {"limit": limit})
    return {
        "kernel_manager_class": kind,
        "shutdown_kernel": "immediate",
        "resources": {"metadata": {"path": str(cwd or "")}},
    }


@dataclass(frozen=True)
class _Forked:
    """A forked process under the names of `subprocess.Popen`."""

    process: BaseProcess
    stdin = stdout = stderr = None

    def poll(self) -> int | None:
        """Return the exit code, or None while the process runs."""
        return self.process.exitcode

    def wait(self) -> int:
        """Return the exit code once the process has ended."""
        self.process.join()
        return self.process.exitcode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.process.pid, number)


class WarmProvisioner(LocalProvisioner):
    """Forks this Python's kernels where that can be done; starts all others as always."""

    async def launch_kernel(self, cmd: list[str], **kwargs: object) -> dict[str, object]:
        """Start a kernel and return how to reach it."""
        if not fork_server.available() or cmd[:3] != LAUNCHER:
            return await super().launch_kernel(cmd, **kwargs)
        self.cwd = Path(kwargs.get("cwd") or Path.cwd()).resolve(strict=True)
        process = fork_server.kernel(cmd[3:], kwargs["env"], self.cwd)
        self.process = _Forked(process)
        self.pid = self.pgid = process.pid
        return self.connection_info

    async def kill(self, restart: bool = False) -> None:
        """Kill the kernel and what it started, and wait until it is gone."""
        await super().kill(restart)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                while await self.poll() is None:
                    await asyncio.sleep(0.005)

    async def cleanup(self, restart: bool = False) -> None:
        """Kill what a kernel that died by itself had started."""
        if self.pgid:
            with contextlib.suppress(OSError):
                os.killpg(self.pgid, signal.SIGKILL)
            self.pgid = None
        await super().cleanup(restart)


class ColdKernelManager(AsyncKernelManager):
    """Manages a kernel, and gives it sockets in a folder of its own.

    Ports are picked by closing one that was free, and until the kernel takes it another may.
    """

    limit: ClassVar[Limit | None] = None

    def __init__(self, **kwargs: object) -> None:
        self.folder = files.temporary(files.place_of_sockets())
        self._mark = secrets.token_hex(8)
        super().__init__(**kwargs)
        if self.limit is not None:
            self.limit.managers.append(self)
        self.connection_file = str(Path(self.folder.name, "kernel.json"))
        longest = os.fsencode(f"{self.folder.name}/kernel-ipc-5")
        if os.name == "posix" and len(longest) <= zmq.IPC_PATH_MAX_LEN:
            self.transport = "ipc"

    async def start_kernel(self, **options: object) -> None:
        """Start the kernel, and kill it if its limit ended while it was starting."""
        options["env"] = {**(options.get("env") or os.environ), children.KERNEL: self._mark}
        await super().start_kernel(**options)
        if self.limit is not None and self.limit.has_ended:
            self.end()

    async def shutdown_kernel(self, *how: object, **options: object) -> None:
        """End the kernel, after all that it has started: it has adopted what left its group."""
        self._end_children()
        await super().shutdown_kernel(*how, **options)

    def end(self) -> None:
        """Kill the kernel and all that it has started, from whatever thread."""
        leader = getattr(self.provisioner, "pgid", None)
        self._end_children()
        for kill in (os.killpg, os.kill) if leader else ():  # it may not lead its group yet
            with contextlib.suppress(OSError):
                kill(leader, signal.SIGKILL)

    def _end_children(self) -> None:
        children.end(self._mark, getattr(self.provisioner, "pid", None))

    def cleanup_connection_file(self) -> None:
        """Remove the folder with the connection file and the sockets."""
        super().cleanup_connection_file()
        self.folder.cleanup()


class WarmKernelManager(ColdKernelManager):
    """Manages a kernel that is forked where that can be done."""

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.provisioner = WarmProvisioner(parent=self, kernel_spec=self.kernel_spec)
