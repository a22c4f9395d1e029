"""Processes that are forked from one in which everything is imported already, and become kernels.

A new Python takes seconds to import what a notebook needs; a fork of one that has it takes
none. Python's own fork server forks: a process that starts clean, with none of the driver's
threads, locks, files or state. What comes out is an ordinary kernel in all that a notebook
can see. It differs in this: what Python and BLAS read from the environment at their start
was read before the fork, changes to a module's file since then are not seen, and functions
left with `atexit` do not run, for the kernel is killed.

On Linux only. Windows cannot fork, and on macOS system libraries may start threads, which
do not survive a fork (multiprocessing, "Contexts and start methods").
"""

from __future__ import annotations

import ast
import contextlib
import gc
import json
import multiprocessing
import multiprocessing.util
import os
import pkgutil
import shutil
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.data import files
from workbook import children

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

INLINE = "module://matplotlib_inline.backend_inline"
PRELOAD = "WORKBOOK_PRELOAD"
"""The environment variable by which the fork server learns what to import."""
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
LATE = (
    "ipykernel.kernelapp",
    "ipykernel.debugger",  # which takes longer than all else at a kernel's start
    "IPython.core.pylabtools",
    "IPython.extensions.autoreload",
    "matplotlib.backends.backend_agg",
    "ibis.backends.duckdb",
    "holidays.countries",
    "workbook.cli",  # the command's main module, which multiprocessing imports in each child
)
"""Slow modules that no notebook names: they are imported when something is first used."""
STOPS = (signal.SIGINT, signal.SIGTERM)  # what stops a run
LAST = -200
"""Below the priority of multiprocessing's own end, which removes a folder inside of ours."""

_PATH = [folder for folder in sys.path if folder]


def available() -> bool:
    """Tell whether processes can be forked here."""
    if sys.platform != "linux" or "forkserver" not in multiprocessing.get_all_start_methods():
        return False
    return len(os.fsencode(_folder())) + len("/listener-abcdefgh") <= files.SOCKET


def imports(notebooks: Iterable[Path]) -> list[str]:
    """Return the modules that notebooks import, and names taken from them, maybe modules, too.

    A file that is broken has none: others will tell of it.
    """
    found = []
    for path in notebooks:
        with contextlib.suppress(OSError, ValueError, KeyError):
            for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
                if cell["cell_type"] == "code":
                    found += _imported("".join(cell["source"]))
    return list(dict.fromkeys(found))


@cache
def warm(folder: Path) -> None:
    """Start, once, the process that kernels for the notebooks of a folder are forked from."""
    start(imports(sorted(folder.rglob("*.ipynb"))))


def start(modules: Iterable[str] = ()) -> None:
    """Start the process that kernels are forked from; it imports while the caller goes on.

    That is `LATE` and `modules`; what cannot be imported is passed over. One thread per kernel
    for BLAS, unless the environment says otherwise: kernels run side by side. The first call
    decides; kernels come without it too, but import everything.
    """
    for name in THREADS:
        os.environ.setdefault(name, "1")
    children.mark_run()
    os.environ[PRELOAD] = " ".join([*LATE, *modules])
    with uninterrupted():
        if not available():
            return
        multiprocessing.get_context("forkserver").set_forkserver_preload([__name__])
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # until it ignores it
        try:
            forkserver.ensure_running()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C back until a block is through; in another thread than the main one none comes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came = []
    before = [signal.signal(each, lambda *_: came.append(1)) for each in STOPS]
    try:
        yield
    finally:
        for each, handler in zip(STOPS, before, strict=True):
            signal.signal(each, handler)
    if came:
        raise KeyboardInterrupt


@cache
def _folder() -> str:
    """Return multiprocessing's folder; one that is made now is swept away if we are killed."""
    usual = tempfile.tempdir
    own = tempfile.mkdtemp(prefix=files.prefix(), dir=files.place_of_sockets())
    multiprocessing.util.Finalize(None, shutil.rmtree, (own, True), exitpriority=LAST)
    try:
        tempfile.tempdir = own
        return multiprocessing.util.get_temp_dir()
    finally:
        tempfile.tempdir = usual


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


def kernel(arguments: list[str], env: Mapping[str, str], cwd: Path) -> BaseProcess:
    """Start a forked kernel, given arguments for ipykernel's launcher.

    It leads a process group of its own, and ends with this process at the latest.
    """
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
    children.adopt()
    threading.Thread(target=_end_with_driver, daemon=True).start()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    with Path(os.devnull).open("w") as nothing:  # not the driver's terminal; the notebook has it
        os.dup2(nothing.fileno(), 1)
        os.dup2(nothing.fileno(), 2)
    _be_as_started()
    sys.argv = ["ipykernel_launcher", *arguments]
    IPKernelApp.launch_instance(argv=arguments, parent_handle=os.getppid())


def _end_with_driver() -> None:
    """Kill this kernel and what it started as soon as its driver has ended."""
    multiprocessing.parent_process().join()
    children.end("", os.getpid())
    os.killpg(0, signal.SIGKILL)


def _be_as_started() -> None:
    """Set what the fork, or an import before there was a kernel, left other than usual."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    multiprocessing.current_process().daemon = False
    multiprocessing.set_start_method(None, force=True)
    sys.path[:] = _PATH
    time.tzset()
    if "IPython.extensions.autoreload" in sys.modules:  # it would look at all files in every cell
        sys.modules["IPython.extensions.autoreload"].load_ipython_extension = _never_reload
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()  # else all kernels draw the same
    if "matplotlib" in sys.modules:
        sys.modules["matplotlib"].rcParams["backend"] = os.environ.get("MPLBACKEND") or INLINE
    if "pandas" in sys.modules:
        sys.modules["pandas"].set_option("display.max_columns", 20)  # 0 outside of notebooks


def _never_reload(shell: InteractiveShell) -> None:
    """Offer %autoreload, which has nothing to do where a kernel lives for one notebook."""
    shell.register_magic_function(lambda line: None, magic_name="autoreload")


def _preload(modules: Iterable[str]) -> None:
    """Import what kernels need, then stop what would not survive a fork.

    A module that is broken is an error of the notebooks that import it, not of all others.
    """
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # else the debugger warns on the terminal
    # `python -m workbook.cli` would warn in each kernel that its main module is there already.
    warnings.filterwarnings("ignore", category=RuntimeWarning, module="runpy")
    for name in modules:
        with contextlib.suppress(Exception, SystemExit):
            pkgutil.resolve_name(name)  # a module, or what a package offers under this name
    if "duckdb" in sys.modules:
        sys.modules["duckdb"].default_connection().close()  # it opens, with threads, on import
    gc.collect()
    gc.freeze()  # what is shared stays shared: no kernel's garbage collector writes to it


if getattr(sys.modules["__main__"], "main", None) is forkserver.main:  # in the fork server
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    _preload(os.environ.get(PRELOAD, "").split())
