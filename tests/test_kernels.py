"""Forked kernels: like ordinary ones to a notebook, apart from each other, and gone at the end."""

import asyncio
import contextvars
import gc
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import papermill
import pytest
from distributed import Client, LocalCluster
from nbclient.exceptions import CellTimeoutError, DeadKernelError

from analysis.data import files
from analysis.data.sources import ROOT
from shells import PATIENCE, wait_for
from simulation import World, draw
from workbook.running import fork_server, kernels

NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))
SILENT = ["--IPKernelApp.log_level=CRITICAL"]

pytestmark = pytest.mark.skipif(not fork_server.available(), reason="kernels are not forked here")


@pytest.fixture(scope="module")
def warm():
    """The options of papermill for a warm kernel, once there can be one at once."""
    fork_server.start(fork_server.imports(NOTEBOOKS))
    in_kernel("print(1)", **kernels.options())
    return kernels.options()


def notebook(folder, *cells):
    """Write a notebook of code cells and return its path."""
    new = nbformat.v4
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    written = new.new_notebook(
        cells=[new.new_code_cell(each) for each in cells], metadata={"kernelspec": kernel}
    )
    path = folder / "small.ipynb"
    nbformat.write(written, path)
    return path


def execute(path, parameters=None, **options):
    """Run papermill and return what was executed."""
    options = {"kernel_name": "python3", "extra_arguments": SILENT} | options
    output = path.with_suffix(".out.ipynb")
    return contextvars.Context().run(
        papermill.execute_notebook, path, output, parameters, progress_bar=False, **options
    )


def printed(folder, code, **options):
    """Run one cell and return the JSON that it prints."""
    executed = execute(notebook(folder, f"import json\n{code}"), **options)
    (output,) = executed.cells[0].outputs
    return json.loads(output.text)


def in_kernel(code, **options):
    """Run one cell in a folder of its own and return the JSON that it prints."""
    with tempfile.TemporaryDirectory() as folder:
        return printed(Path(folder), code, **options)


def gone(pids):
    """Tell whether processes end."""
    return wait_for(lambda: not any(alive(pid) for pid in pids))


def alive(pid):
    """Tell whether a process runs; one that only waits to be reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_imports_are_found_and_magics_passed_over(tmp_path):
    path = notebook(
        tmp_path,
        "%load_ext autoreload\n!ls\nimport numpy as np, pandas.api",
        "from scipy import stats\n\ndef f():\n    from analysis.figures import (\n    display,\n)",
        "not python at all",
    )
    found = [
        "numpy",
        "pandas.api",
        "scipy",
        "scipy.stats",
        "analysis.figures",
        "analysis.figures.display",
    ]
    assert fork_server.imports([path]) == found


STATE = """
import locale, multiprocessing, os, signal, sys, threading, duckdb, matplotlib, numpy, pandas
import warnings
from matplotlib import pyplot
warnings.simplefilter("ignore")
names = [name for name in pandas._config.config._registered_options if "encoding" not in name]
handlers = [signal.getsignal(each) for each in sorted(signal.valid_signals())]
print(json.dumps({
    "pandas": {name: repr(pandas.get_option(name)) for name in names},
    "matplotlib": {name: repr(value) for name, value in matplotlib.rcParams.items()},
    "figures": [pyplot.get_backend(), pyplot.isinteractive(), pyplot.get_fignums()],
    "numpy": [repr(numpy.geterr()), repr(numpy.get_printoptions())],
    "arguments": [each for each in sys.argv[1:] if "kernel" not in each and "/" not in each],
    "environment": {  # the debugger sets a variable of its own when it is imported
        k: v for k, v in os.environ.items()
        if k not in ("JPY_PARENT_PID", "PYDEVD_USE_FRAME_EVAL", "WORKBOOK_KERNEL")
    },
    "folder": os.getcwd(),
    "handlers": [each if each is None else str(each).split(" at ")[0] for each in handlers],
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    "processes": [multiprocessing.get_start_method(allow_none=True),
                  multiprocessing.current_process().name,
                  multiprocessing.current_process().daemon],
    "leads": [os.getpid() == os.getsid(0), os.getpid() == os.getpgid(0)],
    "locale": locale.setlocale(locale.LC_ALL),
    "main": [sys.modules["__main__"].__name__, hasattr(sys.modules["__main__"], "__file__")],
    "query": duckdb.sql("select 6 * 7").fetchall(),
    "names": sorted(name for name in globals() if not name.startswith("_i")),
}))
"""


@pytest.mark.slow
def test_a_notebook_finds_what_it_finds_in_an_ordinary_kernel(warm, tmp_path):
    assert printed(tmp_path, STATE, **warm) == printed(tmp_path, STATE)


@pytest.mark.slow
def test_modules_are_looked_for_where_an_ordinary_kernel_looks(warm):
    found = [in_kernel("import sys; print(json.dumps(sys.path))", **each) for each in ({}, warm)]
    assert [folder for folder in found[1] if folder in found[0]] == found[0]


@pytest.mark.slow
def test_the_kernel_has_the_folder_and_the_environment_it_was_given(tmp_path, monkeypatch, warm):
    monkeypatch.setenv("GIVEN", "now")
    here = Path.cwd()
    code = "import os; print(json.dumps([os.getcwd(), os.environ['GIVEN']]))"
    assert printed(tmp_path, code, **kernels.options(cwd=tmp_path)) == [str(tmp_path), "now"]
    assert printed(tmp_path, code, **warm)[0] == str(here)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        printed(tmp_path, code, **kernels.options(cwd=tmp_path / "nowhere"))


@pytest.mark.slow
def test_chance_differs_between_kernels_and_seeds_do_not(warm):
    code = """
import numpy, random, tempfile, uuid
by_chance = [numpy.random.rand(), random.random(), tempfile.mktemp(), str(uuid.uuid4())]
print(json.dumps([*by_chance, numpy.random.default_rng(7).random()]))
"""
    first, second = in_kernel(code, **warm), in_kernel(code, **warm)
    assert all(a != b for a, b in zip(first[:4], second[:4], strict=True))
    assert first[4] == second[4] == 0.625095466604667


@pytest.mark.slow
def test_what_a_notebook_does_to_its_kernel_does_not_reach_the_next(warm, tmp_path):
    mischief = """
import os, numpy, pandas
os.chdir("/")
os.environ["MISCHIEF"] = "1"
pandas.set_option("display.max_rows", 3)
numpy.mean = lambda values: 42
print(json.dumps([numpy.mean([1.0, 3.0]), os.getcwd()]))
"""
    look = """
import os, numpy, pandas
seen = [numpy.mean([1.0, 3.0]), "MISCHIEF" in os.environ, pandas.get_option("display.max_rows")]
print(json.dumps([*seen, os.getcwd()]))
"""
    assert printed(tmp_path, mischief, **warm) == [42, "/"]
    assert printed(tmp_path, look, **warm) == [2.0, False, 60, str(Path.cwd())]
    assert "MISCHIEF" not in os.environ


@pytest.mark.slow
def test_the_process_that_is_forked_has_one_thread_and_nothing_open(warm):
    server = in_kernel("import os; print(os.getppid())", **warm)
    names = [each.read_text().strip() for each in Path(f"/proc/{server}/task").glob("*/comm")]
    threads = [each for each in names if each != "jemalloc_bg_thd"]  # pyarrow's, ready for forks
    assert len(threads) == 1
    files = [each for each in Path(f"/proc/{server}/fd").iterdir() if int(each.name) > 2]
    kinds = sorted(re.sub(r"\W*\d+\W*$", "", str(each.readlink())) for each in files)
    # its own listener, selector and signals; no context of ZeroMQ, no event loop, no file
    assert kinds == ["/dev/null", "anon_inode:[eventpoll]", "pipe", "pipe", "pipe", "socket"]


@pytest.mark.slow
def test_a_file_that_the_driver_has_open_is_not_open_in_the_kernel(warm, tmp_path):
    code = """
import os
links = [f"/proc/self/fd/{each}" for each in os.listdir("/proc/self/fd")]
print(json.dumps([os.readlink(each) for each in links if os.path.lexists(each)]))
"""
    with (tmp_path / "secret").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        assert str(tmp_path / "secret") not in printed(tmp_path, code, **warm)


@pytest.mark.slow
def test_a_plot_is_shown(warm, tmp_path):
    executed = execute(
        notebook(tmp_path, "from matplotlib import pyplot\npyplot.plot([1, 2]);"), **warm
    )
    (output,) = executed.cells[0].outputs
    assert sorted(output["data"]) == ["image/png", "text/plain"]


@pytest.mark.slow
def test_a_running_cell_can_be_interrupted(warm, tmp_path):
    begun = f"import pathlib, time\npathlib.Path({str(tmp_path / 'begun')!r}).touch()\n"
    path = notebook(tmp_path, f"{begun}while True:\n    time.sleep(60)")
    caught = stopped(path, tmp_path / "begun", interrupt_on_timeout=True, **warm)
    assert caught.ename == "KeyboardInterrupt"


def stopped(path, begun, **options):
    """Return in what a notebook ends that runs on until its time is up, once it had begun by then.

    The time counts from before the kernel gets to the cell, which can take long.
    """
    for seconds in (2, 20, 200):
        with pytest.raises((papermill.PapermillExecutionError, CellTimeoutError)) as caught:
            execute(path, execution_timeout=seconds, **options)
        if begun.exists():
            return caught.value
    raise AssertionError("The cell never began.")


ENDINGS = {
    "pass": None,
    "1 / 0": papermill.PapermillExecutionError,
    "time.sleep(1000)": CellTimeoutError,
    "os.kill(os.getpid(), 9)": DeadKernelError,
}


@pytest.mark.slow
@pytest.mark.parametrize("ending", ENDINGS)
def test_nothing_is_left_however_a_notebook_ends(warm, tmp_path, monkeypatch, ending):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    pids = tmp_path / "pids"
    path = notebook(
        tmp_path,
        "import os, pathlib, subprocess, time\n"
        "child = subprocess.Popen(['sleep', '1000'])\n"
        f"pathlib.Path({str(pids)!r}).write_text(f'{{os.getpid()}} {{child.pid}}')\n{ending}",
    )
    if ENDINGS[ending] is None:
        execute(path, **warm)
    elif ENDINGS[ending] is CellTimeoutError:
        assert isinstance(stopped(path, pids, **warm), CellTimeoutError)
    else:
        with pytest.raises(ENDINGS[ending]):
            execute(path, **warm)
    assert gone(pids.read_text().split())
    assert list(tmp_path.glob("kernel-*")) == []


DRIVER = """
import sys, papermill
from analysis.data import files
from workbook.running import fork_server, kernels
if __name__ == "__main__":
    fork_server.start(sys.argv[2:])
    silent = ["--IPKernelApp.log_level=CRITICAL"]
    options = {"extra_arguments": silent, "progress_bar": False} | kernels.options()
    papermill.execute_notebook(sys.argv[1], None, **options)
"""


def drive(folder, path, *modules):
    """Start a process that starts a fork server of its own and runs a notebook."""
    script = folder / "driver.py"
    script.write_text(DRIVER)
    given = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [sys.executable, script, path, *modules]
    return subprocess.Popen(command, env=given, text=True, **pipes)


@pytest.mark.slow
def test_all_ends_when_the_driver_is_killed(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    pids = tmp_path / "pids"
    path = notebook(
        tmp_path,
        "import os, pathlib, subprocess, time\n"
        "found = [os.getpid(), os.getppid(), subprocess.Popen(['sleep', '1000']).pid]\n"
        f"pathlib.Path({str(pids)!r}).write_text(' '.join(map(str, found)) + ' .')\n"
        "time.sleep(1000)",
    )
    with drive(tmp_path, path) as driver:
        while not pids.exists() or not pids.read_text().endswith("."):
            assert driver.poll() is None
            time.sleep(0.1)
        driver.kill()
    kernel, server, child, _ = pids.read_text().split()
    assert gone([kernel, child, server])


@pytest.mark.slow
def test_a_module_that_breaks_stops_only_notebooks_that_import_it(tmp_path, monkeypatch):
    (tmp_path / "broken.py").write_text("raise SystemError('broken')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    path = notebook(tmp_path, "import sys\nassert 'cmd' in sys.modules")
    with drive(tmp_path, path, "broken", "no.such.module", "cmd") as driver:
        driver.communicate(timeout=PATIENCE)
    assert driver.returncode == 0


@pytest.mark.slow
def test_nothing_that_a_kernel_writes_reaches_the_terminal(tmp_path):
    code = "import os, sys\nprint(1, file=sys.stderr)\nos.write(1, b'2')\nos.write(2, b'3')"
    with drive(tmp_path, notebook(tmp_path, code)) as driver:
        written = driver.communicate(timeout=PATIENCE)
    assert driver.returncode == 0
    assert written == ("", "")


@pytest.mark.slow
def test_a_dead_kernel_is_known_as_dead_at_once(warm):
    """So that it is reported as soon as an ordinary one, which is asked every second."""

    async def die():
        manager = kernels.WarmKernelManager(kernel_name="python3")
        await manager.start_kernel(extra_arguments=SILENT)
        assert await manager.is_alive()
        os.kill(manager.provisioner.pid, signal.SIGKILL)
        manager.provisioner.process.wait()
        is_alive = await manager.is_alive()
        await manager.shutdown_kernel(now=True)
        return is_alive

    assert asyncio.run(die()) is False


@pytest.mark.slow
def test_twenty_kernels_leave_neither_memory_nor_files_behind(warm, tmp_path):
    path = notebook(tmp_path, "import os\nserver = os.getppid()\nserver")
    server = execute(path, **warm).cells[0].outputs[0].data["text/plain"]

    def used():
        status = Path(f"/proc/{server}/status").read_text()
        files = [len(list(Path(f"/proc/{each}/fd").iterdir())) for each in (server, "self")]
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]), *files

    gc.collect()
    before = used()
    for _ in range(20):
        execute(path, **warm)
    gc.collect()
    after = used()
    assert after[0] < before[0] + 2_000  # kB
    assert after[1:] == before[1:]


@pytest.mark.slow
def test_threads_have_kernels_of_their_own(warm):
    with ThreadPoolExecutor(4) as pool:
        code = "import os; print(json.dumps([{0}, os.getpid(), os.getppid()]))"
        found = list(pool.map(lambda n: in_kernel(code.format(n), **warm), range(12)))
    assert [each[0] for each in found] == list(range(12))
    assert len({each[1] for each in found}) == 12
    assert len({each[2] for each in found}) == 1


@pytest.mark.slow
def test_processes_of_dask_have_fork_servers_of_their_own():
    code = "import os; print(json.dumps([os.getppid()]))"
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        found = client.run(in_kernel, code, **kernels.options())
    assert len({each[0] for each in found.values()}) == 2


@pytest.mark.slow
def test_a_kernel_that_is_not_this_pythons_is_started_as_always(tmp_path, monkeypatch, warm):
    spec = tmp_path / "kernels" / "other"
    spec.mkdir(parents=True)
    run = "from ipykernel.kernelapp import launch_new_instance as run; run()"
    argv = [sys.executable, "-c", run, "-f", "{connection_file}"]
    content = {"argv": argv, "display_name": "Other", "language": "python"}
    (spec / "kernel.json").write_text(json.dumps(content))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    code = "import os; print(os.getppid())"
    assert printed(tmp_path, code, kernel_name="other", **warm) == os.getpid()


@pytest.fixture
def long(tmp_path):
    """A folder whose name is too long for the path of a socket."""
    folder = tmp_path / ("long" * 25)
    folder.mkdir()
    return folder


def test_where_paths_are_too_long_sockets_go_to_a_short_one_or_ports_are_used(long, monkeypatch):
    assert kernels.WarmKernelManager().transport == "ipc"
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    manager = kernels.WarmKernelManager()
    assert (manager.transport, list(long.iterdir())) == ("ipc", [])
    manager.cleanup_connection_file()
    monkeypatch.setattr(files, "SHORT", long / "none")
    manager = kernels.WarmKernelManager()
    assert (manager.transport, len(list(long.iterdir()))) == ("tcp", 1)
    manager.cleanup_connection_file()
    assert list(long.iterdir()) == []


@pytest.mark.slow
def test_kernels_are_forked_also_where_temporary_paths_are_long(tmp_path, long, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(long))
    code = "import sys\nassert 'cmd' in sys.modules"
    with drive(tmp_path, notebook(tmp_path, code), "cmd") as driver:
        written = driver.communicate(timeout=PATIENCE)
    assert (driver.returncode, written) == (0, ("", ""))
    assert list(long.iterdir()) == []


@pytest.mark.slow
def test_a_report_is_the_same_from_either_kernel(warm, tmp_path):
    (tmp_path / "one").mkdir()
    toml = "as_of = 2026-06-29\n"
    for name, frame in draw(World(), 300, 1).items():
        frame.to_csv(tmp_path / "one" / f"{name}.csv", index=False)
        toml += f"[{name}]\nfile = '{name}.csv'\n"
    (tmp_path / "one.toml").write_text(toml, encoding="utf-8")
    parameters = {"source": str(tmp_path / "one.toml"), "region": World().region}
    original = ROOT / "notebooks" / "value" / "H12_concentration_of_sales.ipynb"
    path = tmp_path / original.name
    path.write_bytes(original.read_bytes())
    outputs = [
        [cell.get("outputs") for cell in execute(path, parameters, **options).cells]
        for options in ({}, warm)
    ]
    assert json.dumps(outputs[0]) == json.dumps(outputs[1])
