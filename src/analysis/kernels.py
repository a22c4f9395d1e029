"""Kernels that are forked from a process in which everything is imported already.

A new Python takes seconds to import what a notebook needs; a fork of one that has it takes
none. Python's own fork server forks: a process that starts clean, with none of the driver's
threads, locks, files or state. What comes out is an ordinary kernel in all that a notebook
can see. It differs in this: what Python and BLAS read from the environment at their start
was read before the fork, changes to a module's file since then are not seen, and functions
left with `atexit` do not run, for the kernel is killed.

On Linux only. Windows cannot fork, and on macOS system libraries may start threads, which
do not survive a fork (multiprocessing, "Contexts and start methods"); there, kernels start
as they always do.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import gc
import importlib
import json
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import ClassVar, Self

import zmq
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import LocalProvisioner

from analysis import guard

LAUNCHER = [sys.executable, "-m", "ipykernel_launcher"]
LOOK = 0.5
"""Seconds between two looks at whether a kernel is still wanted."""
INLINE = "module://matplotlib_inline.backend_inline"
PRELOAD = "WORKBOOK_PRELOAD"
"""The environment variable by which the fork server learns what to import."""
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
LATE = (
    "ipykernel.kernelapp",
    "IPython.core.pylabtools",
    "IPython.extensions.autoreload",
    "matplotlib.backends.backend_agg",
    "ibis.backends.duckdb",
    "pandera.backends.pandas.builtin_checks",
    "holidays.countries",
    "analysis.cli",  # the command's main module, which multiprocessing imports in each child
)
"""Slow modules that no notebook names: they are imported when something is first used."""

_PATH = [folder for folder in sys.path if folder]


def available() -> bool:
    """Tell whether kernels can be forked here."""
    return sys.platform == "linux" and "forkserver" in multiprocessing.get_all_start_methods()


def imports(notebooks: Iterable[Path]) -> list[str]:
    """Return the modules that notebooks import.

    Parameters
    ----------
    notebooks : iterable of Path

    Returns
    -------
    list of str
        Also names that are taken from a module, for they may be modules themselves.
    """
    found: dict[str, None] = {}
    for path in notebooks:
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                found |= dict.fromkeys(_imported("".join(cell["source"])))
    return list(found)


def start(modules: Iterable[str] = ()) -> None:
    """Start the process that kernels are forked from; it imports while the caller goes on.

    One thread per kernel for BLAS, unless the environment says otherwise: kernels run side
    by side. The first call decides; kernels come without it too, but import everything.

    Parameters
    ----------
    modules : iterable of str
        What to import beside `LATE`; what cannot be imported is passed over.
    """
    for name in THREADS:
        os.environ.setdefault(name, "1")
    os.environ[PRELOAD] = " ".join([*LATE, *modules])
    if available():
        multiprocessing.get_context("forkserver").set_forkserver_preload([__name__])
        forkserver.ensure_running()


class Limit:
    """The time that an execution may take: its kernels are killed at the end of it.

    As a context it also sees to it that no kernel of the execution outlives it.

    Parameters
    ----------
    seconds : float
        From the beginning of the context on.
    is_wanted : callable
        Tells, from another thread, whether anybody waits for the execution.

    Attributes
    ----------
    is_over : bool
        Whether the time was up before the execution had ended.
    is_vain : bool
        Whether nobody waited for it any more.
    has_ended : bool
        Whether its kernels were killed; one that starts later is killed at once.
    """

    def __init__(self, seconds: float, is_wanted: Callable[[], bool] = lambda: True) -> None:
        self.is_over = self.is_vain = self.has_ended = False
        self._seconds, self._is_wanted = seconds, is_wanted
        self._left = threading.Event()
        self._managers: list[ColdKernelManager] = []

    def __enter__(self) -> Self:
        _limits.add(self)
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._left.set()
        _limits.discard(self)
        self.end()

    def add(self, manager: ColdKernelManager) -> None:
        """Let a kernel's manager know of the limit."""
        self._managers.append(manager)

    def end(self) -> None:
        """Kill the kernels, and all that they have started."""
        self.has_ended = True
        for manager in self._managers:
            manager.end()

    def _watch(self) -> None:
        """Kill the kernels when the time is up or nobody waits for them any more."""
        deadline = time.monotonic() + self._seconds
        while not self._left.wait(min(LOOK, max(deadline - time.monotonic(), 0))):
            self.is_over, self.is_vain = time.monotonic() >= deadline, not self._is_wanted()
            if self.is_over or self.is_vain:
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

    Parameters
    ----------
    limit : Limit, optional
        The time that the execution may take.
    cold : bool
        Start a new Python, also where kernels can be forked.
    cwd : Path, optional
        The kernel's working directory. papermill's own argument of this name changes the
        directory of the whole process, and with it that of other threads.

    Returns
    -------
    dict
        Keyword arguments. The kernel is killed after the last cell.
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
    stdin: ClassVar[None] = None
    stdout: ClassVar[None] = None
    stderr: ClassVar[None] = None

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
        if not available() or cmd[:3] != LAUNCHER:
            return await super().launch_kernel(cmd, **kwargs)
        self.cwd = Path(kwargs.get("cwd") or Path.cwd()).resolve(strict=True)
        process = _fork(cmd[3:], kwargs["env"], self.cwd)
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
        self._folder = tempfile.TemporaryDirectory(prefix=f"{guard.FOLDER}{os.getpid()}-")
        super().__init__(**kwargs)
        if self.limit is not None:
            self.limit.add(self)
        self.connection_file = str(Path(self._folder.name, "kernel.json"))
        longest = os.fsencode(f"{self._folder.name}/kernel-ipc-5")
        if os.name == "posix" and len(longest) <= zmq.IPC_PATH_MAX_LEN:
            self.transport = "ipc"

    async def start_kernel(self, **options: object) -> None:
        """Start the kernel, and kill it if its limit ended while it was starting."""
        await super().start_kernel(**options)
        if self.limit is not None and self.limit.has_ended:
            self.end()

    def end(self) -> None:
        """Kill the kernel and all that it has started, from whatever thread."""
        group = getattr(self.provisioner, "pgid", None)
        if group:
            with contextlib.suppress(OSError):
                os.killpg(group, signal.SIGKILL)

    def cleanup_connection_file(self) -> None:
        """Remove the folder with the connection file and the sockets."""
        super().cleanup_connection_file()
        self._folder.cleanup()


class WarmKernelManager(ColdKernelManager):
    """Manages a kernel that is forked where that can be done."""

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.provisioner = WarmProvisioner(parent=self, kernel_spec=self.kernel_spec)


def _imported(code: str) -> Iterator[str]:
    """Return the modules that code may import; none when it is not Python."""
    lines = [line for line in code.splitlines() if not line.startswith(("%", "!"))]
    with contextlib.suppress(SyntaxError):
        for node in ast.walk(ast.parse("\n".join(lines))):
            if isinstance(node, ast.Import):
                yield from (each.name for each in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module
                yield from (f"{node.module}.{each.name}" for each in node.names)


def _fork(arguments: list[str], env: Mapping[str, str], cwd: Path) -> BaseProcess:
    """Start a forked kernel; it ends with this process at the latest."""
    multiprocessing.current_process().daemon = False  # Dask's workers are, and may have no children
    process = multiprocessing.get_context("forkserver").Process(
        target=_become_kernel, args=(arguments, dict(env), cwd), name="MainProcess", daemon=True
    )
    process.start()
    return process


def _become_kernel(arguments: list[str], env: Mapping[str, str], cwd: Path) -> None:
    """Be a kernel until it ends."""
    from ipykernel.kernelapp import IPKernelApp  # the driver has no need of it

    os.setsid()
    threading.Thread(target=_end_with_driver, daemon=True).start()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    _be_silent()
    _be_as_started()
    sys.argv = [LAUNCHER[-1], *arguments]
    IPKernelApp.launch_instance(argv=arguments, parent_handle=os.getppid())


def _end_with_driver() -> None:
    """Kill this kernel and what it started as soon as its driver has ended."""
    multiprocessing.parent_process().join()
    os.killpg(0, signal.SIGKILL)


def _be_silent() -> None:
    """Write nothing to the driver's terminal; the notebook has it all."""
    with Path(os.devnull).open("w") as nothing:
        os.dup2(nothing.fileno(), 1)
        os.dup2(nothing.fileno(), 2)


def _be_as_started() -> None:
    """Set what the fork, or an import before there was a kernel, left other than usual."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    multiprocessing.current_process().daemon = False
    multiprocessing.set_start_method(None, force=True)
    sys.path[:] = _PATH
    time.tzset()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()  # else all kernels draw the same
    if "matplotlib" in sys.modules:
        sys.modules["matplotlib"].rcParams["backend"] = os.environ.get("MPLBACKEND") or INLINE
    if "pandas" in sys.modules:
        sys.modules["pandas"].set_option("display.max_columns", 20)  # 0 outside of notebooks


def _preload(modules: Iterable[str]) -> None:
    """Import what kernels need, then stop what would not survive a fork.

    A module that is broken is an error of the notebooks that import it, not of all others.
    """
    for name in modules:
        with contextlib.suppress(Exception, SystemExit):
            importlib.import_module(name)
    if "duckdb" in sys.modules:
        sys.modules["duckdb"].default_connection().close()  # it opens, with threads, on import
    gc.collect()
    gc.freeze()  # what is shared stays shared: no kernel's garbage collector writes to it


if getattr(sys.modules["__main__"], "main", None) is forkserver.main:  # in the fork server
    _preload(os.environ.get(PRELOAD, "").split())
