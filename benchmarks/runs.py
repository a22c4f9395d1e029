"""Time a run of all regions and notebooks against a shell loop, and against its cells alone.

    python benchmarks/runs.py [times] [loops]
    python benchmarks/runs.py many [regions]
    python benchmarks/runs.py one [times]

The first compares in turn, each with one thread per process for BLAS, (1) `workbook run` with two
workers, then a run in which nothing has changed, (2) the same cells as plain scripts in one warm
process per core, with nothing written, (3) a shell loop over `papermill` and `jupyter nbconvert`,
which takes long and may be run fewer times. The second runs two notebooks for small regions of one
source: time for each report with 6 regions and with many, the driver's memory as the reports grow
in number, and how long a run takes in which nothing has changed. The third times a notebook that
only loads its region, with two at once: what kernel, load and page cost for each notebook.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.pool import Pool
from pathlib import Path

import nbformat
import pandas as pd
import psutil

from simulation import World, draw
from simulation.world import REGIONS
from workbook import notebooks
from workbook.running import execute, fork_server, plan

WORKERS, CUSTOMERS = 2, 60
FEW = ("data_profile", "H12_concentration_of_sales")
BIN = Path(sys.executable).parent
ACROSS = notebooks.FOLDER / f"{plan.ACROSS}.ipynb"


def main() -> None:
    """Print one of the two comparisons."""
    os.environ.update(dict.fromkeys(fork_server.THREADS, "1") | {"MPLBACKEND": "agg"})
    print(
        f"{os.cpu_count()} cores, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"
    )
    if sys.argv[1:2] == ["one"]:
        one(*map(int, sys.argv[2:]))
    elif sys.argv[1:2] == ["many"]:
        many(int(sys.argv[2]) if len(sys.argv) > 2 else 200)
    else:
        compare(*map(int, sys.argv[1:]))


def compare(times: int = 5, loops: int = 5) -> None:
    """Compare the ways to run six regions, in turn."""
    seconds: dict[str, list[float]] = {}
    for number in range(times):
        with tempfile.TemporaryDirectory() as place, warm_pool() as pool:
            done = Path(place)
            ways = {
                "workbook run": lambda done=done: workbook(done),
                "nothing changed": lambda done=done: workbook(done),
                "cells alone": lambda done=done, pool=pool: cells_alone(done, pool),
                "shell loop": lambda done=done: shell_loop(done),
            }
            for name in list(ways)[: 4 if number < loops else 3]:
                seconds.setdefault(name, []).append(timed(ways[name]))
                print(f"{number + 1}: {name} {seconds[name][-1]:.1f} s", flush=True)
    middle = {name: statistics.median(each) for name, each in seconds.items()}
    for name, each in middle.items():
        share, count = middle["workbook run"] / each, len(seconds[name])
        print(f"{name:18} {each:7.1f} s (median of {count}); workbook run is {share:.3f} of it")


def per_region() -> list[Path]:
    """Return the notebooks that are run for each region."""
    return [each.path for each in notebooks.discover().values() if each.is_per_region]


def workbook(reports: Path) -> None:
    """Run all notebooks for all regions, with pages and index."""
    command = [BIN / "workbook", "run", "--reports", reports, "--jobs", str(WORKERS), "--quiet"]
    subprocess.run(command, check=True)


def shell_loop(done: Path) -> None:
    """Run papermill and nbconvert for each region and notebook, one after the other."""
    tasks = [(path, region) for region in REGIONS for path in per_region()]
    with tempfile.TemporaryDirectory() as place:
        for path, region in [*tasks, (ACROSS, "")]:
            executed = Path(place) / f"{region} {path.name}"
            given = ["-p", "source", "example", *(["-p", "region", region] if region else [])]
            env = os.environ | {"WORKBOOK_REPORTS": place if region else str(done)}
            for command in (
                [BIN / "papermill", path, executed, *given, "--no-progress-bar"],
                [BIN / "jupyter", "nbconvert", "--to", "html", executed],
            ):
                subprocess.run(command, check=True, env=env, capture_output=True)


@contextlib.contextmanager
def warm_pool() -> Pool:
    """Start one process per core and wait until it has imported all that notebooks import."""
    with get_context("spawn").Pool(WORKERS, initializer=warm) as pool:
        pool.map(time.sleep, [1] * WORKERS, chunksize=1)
        yield pool


def cells_alone(done: Path, pool: Pool) -> None:
    """Run the cells as plain scripts; those over all regions read the reports that are done."""
    tasks = [(path, region) for region in REGIONS for path in per_region()]
    pool.starmap(script, [(*task, str(done)) for task in tasks], chunksize=1)
    pool.apply(script, (ACROSS, "", str(done)))


def warm() -> None:
    """Import what the notebooks import, and what is imported when something is first used."""
    for name in [*fork_server.LATE, *fork_server.imports([*per_region(), ACROSS])]:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def script(path: Path, region: str, reports: str) -> None:
    """Run the cells of a notebook for a region."""
    from matplotlib import pyplot

    os.environ["WORKBOOK_REPORTS"] = reports
    known: dict[str, object] = {}
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):  # noqa: PTH123
        for number, source in enumerate(sources_of(path)):
            exec(source, known)
            if number == 0 and region:
                known["region"] = region
    pyplot.close("all")


def sources_of(path: Path) -> list[str]:
    """Return the code of a notebook's cells, without magics."""
    cells = nbformat.read(path, as_version=4).cells
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    return ["\n".join(row for row in each.splitlines() if not row.startswith("%")) for each in code]


LOAD = """from analysis.data.region import load_region
here = load_region(source, region, as_of)"""


def one(times: int = 5, copies: int = 20) -> None:
    """Time copies of a notebook that only loads its region, beyond the first two."""
    parameters = 'region = "North 华北"\nsource = "example"\nas_of = ""'
    new, seconds = nbformat.v4, []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for number in range(copies):
            tags = {"tags": ["parameters"]}
            cells = [new.new_code_cell(parameters, metadata=tags), new.new_code_cell(LOAD)]
            nbformat.write(new.new_notebook(cells=cells), folder / f"load_{number}.ipynb")
        notebooks.FOLDER = folder
        for number in range(times):
            tasks = [
                plan.Task(
                    each.path, "example", "North 华北", {"source": "example"}, folder / "done"
                )
                for each in notebooks.discover().values()
            ]
            done = execute.run(tasks, WORKERS)
            failures = [next(done).failure, next(done).failure]
            began = time.monotonic()
            failures += [outcome.failure for outcome in done]
            assert not any(failures), failures
            seconds.append((time.monotonic() - began) / (copies - 2))
            print(f"{number + 1}: {seconds[-1]:.3f} s a notebook", flush=True)
    print(f"{statistics.median(seconds):.3f} s a notebook (median of {times})")


def many(regions: int) -> None:
    """Run few and many small regions: time for each report, memory, and nothing changed."""
    per_report = {}
    for number in (6, regions):
        with tempfile.TemporaryDirectory() as place:
            source, reports = small_regions(Path(place), number), Path(place) / "reports"
            command = [BIN / "workbook", "run", "--source", source, "--reports", reports, "-q",
                       "--jobs", str(WORKERS), *(f"--notebook={name}" for name in FEW)]  # fmt: skip
            began = time.monotonic()
            memory = memory_of(subprocess.Popen(command), reports)
            seconds, count = time.monotonic() - began, number * len(FEW) + 1
            again = timed(lambda command=command: subprocess.run(command, check=False))
            per_report[number] = seconds / count
            spent = f"{seconds:.0f} s, {seconds / count:.2f} s a report"
            print(f"{number} regions: {spent}; nothing changed: {again:.2f} s", flush=True)
            print("driver's memory in MB, by reports that are there:", *memory.items(), flush=True)
    print(f"time for a report: {per_report[regions] / per_report[6]:.3f} of that with 6 regions")


def small_regions(folder: Path, number: int) -> str:
    """Write a source of small regions; return the path of its TOML file."""
    drawn = draw(World(), CUSTOMERS, 1)
    (folder / "small").mkdir()
    for name, rows in drawn.items():
        copies = []
        for i in range(number):
            own = rows.assign(customer_id=f"r{i}-" + rows["customer_id"].astype(str))
            if "complaint_id" in own:
                own["complaint_id"] = f"r{i}-" + own["complaint_id"].astype(str)
            copies.append(own.assign(region=f"Region {i}") if name == "customers" else own)
        pd.concat(copies, ignore_index=True).to_parquet(folder / "small" / f"{name}.parquet")
    toml = "".join(f"[{name}]\nfile = '{name}.parquet'\n" for name in drawn)
    (folder / "small.toml").write_text(f"as_of = 2026-06-29\n{toml}", encoding="utf-8")
    return str(folder / "small.toml")


def memory_of(process: subprocess.Popen, reports: Path) -> dict[int, int]:
    """Wait for a process; return its largest memory, in MB, by tens of reports that are there."""
    known, most = psutil.Process(process.pid), {}
    while process.poll() is None:
        there = len(list(reports.glob("*/*/*.html"))) // 10 * 10
        try:
            most[there] = max(most.get(there, 0), known.memory_info().rss // 1024**2)
        except psutil.Error:
            break
        time.sleep(0.5)
    process.wait()
    return most


def timed(function: Callable[[], object]) -> float:
    """Return the seconds that a function takes."""
    began = time.monotonic()
    function()
    return time.monotonic() - began


if __name__ == "__main__":
    main()
