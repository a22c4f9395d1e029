"""A researcher's way: a real Jupyter server, its kernel, and an edit while it runs."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import requests
from jupyter_client import BlockingKernelClient, KernelManager
from jupyter_core.paths import jupyter_runtime_dir

import analysis
from analysis.claims import finding
from analysis.data import sources
from shells import PATIENCE, wait_for
from simulation import World, draw
from workbook import notebooks

SOME = ("data_profile", "H08", "H17")
"""What every region has, and two claims; other tests run the others."""
NOT_TESTABLE = "is not testable here; the notebook ends with this cell."


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """The example source's files: those in data/, or one region drawn for this test."""
    region = draw(World(), 400, 3)
    folder = tmp_path_factory.mktemp("lab") / "lab"
    folder.mkdir()
    for name, table in region.items():
        table.assign(**({"region": "East 华东"} if "region" in table else {})).to_csv(
            folder / f"{name}.csv", index=False
        )
    text = (sources.DATA / "example.toml").read_text(encoding="utf-8")
    toml = folder.parent / "lab.toml"
    toml.write_text(text.replace("transactions.parquet", "transactions.csv"), encoding="utf-8")
    return toml


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A Jupyter server of its own on this machine; yields its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    flags = ["--no-browser", f"--port={port}", "--ServerApp.port_retries=0", "--allow-root"]
    flags += ["--IdentityProvider.token=test", f"--ServerApp.root_dir={sources.ROOT}"]
    log = (tmp_path_factory.mktemp("server") / "log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "jupyter", "lab", *flags], stdout=log, stderr=log
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address)
        yield address
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _wait_for(address):
    def answers():
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(f"{address}/api/status?token=test", timeout=PATIENCE).ok

    assert wait_for(answers), "The Jupyter server did not start."


def is_ready(client):
    """Tell whether a kernel has answered; one that is still importing is taken for dead."""
    with contextlib.suppress(RuntimeError):
        client.wait_for_ready(PATIENCE)
        return True


def execute(client, code):
    """Execute code in a kernel; return what it printed, what it showed and how it ended."""
    seen = []
    reply = client.execute_interactive(code, timeout=PATIENCE, output_hook=seen.append)
    printed = "".join(m["content"]["text"] for m in seen if m["msg_type"] == "stream")
    found = [m["content"]["data"] for m in seen if m["msg_type"] == "display_data"]
    ends = [line for m in seen if m["msg_type"] == "error" for line in m["content"]["traceback"]]
    assert bool(ends) == (reply["content"]["status"] == "error")
    return printed, found, ends


@pytest.mark.slow
@pytest.mark.parametrize("name", SOME)
def test_a_notebook_runs_top_to_bottom_in_jupyterlab(server, example, name):
    path = next(notebooks.FOLDER.rglob(f"{name}*.ipynb"))
    session = {
        "path": path.relative_to(sources.ROOT).as_posix(),
        "name": name,
        "type": "notebook",
        "kernel": {"name": "python3"},
    }
    made = requests.post(f"{server}/api/sessions?token=test", json=session, timeout=PATIENCE).json()
    kernel = made["kernel"]["id"]
    client = BlockingKernelClient()
    client.load_connection_file(str(Path(jupyter_runtime_dir()) / f"kernel-{kernel}.json"))
    client.start_channels()
    try:
        assert wait_for(lambda: is_ready(client))
        where, _, _ = execute(client, "import os; print(os.getcwd())")
        assert where.strip() == str(path.parent)
        shown = []
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code":
                code = cell.source.replace('source = "example"', f"source = {str(example)!r}")
                _, found, ends = execute(client, code)
                shown += found
                if ends:
                    assert len(ends) == 1 and ends[0].endswith(NOT_TESTABLE), "\n".join(ends)
                    break
        cards = [each for each in shown if finding.MIME_TYPE in each]
        assert len(cards) == name.startswith("H")
        assert len(shown) > 1
    finally:
        client.stop_channels()
        requests.delete(f"{server}/api/kernels/{kernel}?token=test", timeout=PATIENCE)


@pytest.mark.slow
def test_a_change_of_the_module_is_picked_up_without_restarting(tmp_path):
    package = tmp_path / "analysis"
    shutil.copytree(Path(analysis.__file__).parent, package)
    module = package / "statistics" / "value" / "concentration.py"
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(env=os.environ | {"PYTHONPATH": str(tmp_path)})
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(PATIENCE)
        execute(client, "%load_ext autoreload\n%autoreload 2\nfrom analysis import concentration")
        where, _, _ = execute(client, "print(concentration.__file__)")
        assert where.strip() == str(module)
        with module.open("a", encoding="utf-8") as file:
            file.write("\n\nADDED = 'while the kernel runs'\n")
        later = module.stat().st_mtime + 10  # the file's time stamp must differ
        os.utime(module, (later, later))
        after, _, _ = execute(client, "print(concentration.ADDED)")
        assert after.strip() == "while the kernel runs"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
