"""Time a run of all regions and notebooks against a shell loop, and against its cells alone.

    python benchmarks/runs.py [times]
    python benchmarks/runs.py many [regions]

The first compares, in turn and with two workers each, (1) a shell loop over `papermill` and
`jupyter nbconvert`, (2) `workbook run`, (3) the same cells as a plain script in one warm process
per core, without any page; then a run in which nothing has changed. The second runs small regions
under one source: time for each report and the driver's memory with 6 regions and with many, and
how long a run takes in which nothing has changed.
"""

from __future__ import annotations

import ast
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import nbformat
import pandas as pd
import psutil

from analysis import plan
from analysis.example import World, draw
from analysis.example.world import REGIONS

WORKERS, CUSTOMERS, IMPORTS = 2, 60, (ast.Import, ast.ImportFrom)
BIN = Path(sys.executable).parent
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def main() -> None:
    """Print one of the two comparisons."""
    os.environ.update(ONE_THREAD)
    print(
        f"{os.cpu_count()} cores, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"
    )
    if sys.argv[1:2] == ["many"]:
        many(int(sys.argv[2]) if len(sys.argv) > 2 else 200)
    else:
        compare(int(sys.argv[1]) if len(sys.argv) > 1 else 5)


def compare(times: int) -> None:
    """Compare the ways to run six regions, in turn."""
    ways = {"workbook run": workbook, "cells alone": cells_alone, "shell loop": shell_loop}
    seconds: dict[str, list[float]] = {name: [] for name in [*ways, "nothing changed"]}
    for number in range(times):
        for name, way in ways.items():
            with tempfile.TemporaryDirectory() as place:
                seconds[name].append(timed(lambda way=way, place=place: way(Path(place))))
                if way is workbook:
                    again = timed(lambda place=place: workbook(Path(place)))
                    seconds["nothing changed"].append(again)
            print(f"{number + 1}: {name} {seconds[name][-1]:.1f} s", flush=True)
    middle = {name: statistics.median(each) for name, each in seconds.items()}
    for name, each in middle.items():
        ratio = middle["workbook run"] / each
        print(f"{name:18} {each:7.1f} s; workbook run is {ratio:.3f} of it")


def workbook(reports: Path, *more: str) -> None:
    """Run all notebooks for all regions, with pages and index."""
    command = [BIN / "workbook", "run", "--reports", reports, "--jobs", str(WORKERS), "-q", *more]
    subprocess.run(command, check=True)


def shell_loop(reports: Path) -> None:
    """Run papermill and nbconvert for each region and notebook, one after the other."""
    for region in REGIONS:
        for path in plan.notebooks().values():
            executed = reports / f"{region} {path.name}"
            given = ["-p", "region", region, "-p", "source", "example"]
            env = os.environ | {"WORKBOOK_REPORTS": str(reports)}
            for command in (
                [BIN / "papermill", path, executed, *given, "--no-progress-bar"],
                [BIN / "jupyter", "nbconvert", "--to", "html", executed],
            ):
                subprocess.run(command, check=True, env=env, capture_output=True)


def cells_alone(reports: Path) -> None:
    """Run the cells as plain scripts, in one process per core that has imported everything."""
    os.environ["WORKBOOK_REPORTS"] = str(reports)
    tasks = [(str(path), region) for region in REGIONS for path in plan.notebooks().values()]
    with get_context("fork").Pool(WORKERS, initializer=warm) as pool:
        pool.map(script, tasks, chunksize=1)


def warm() -> None:
    """Import what the notebooks import."""
    for path in plan.notebooks().values():
        for source in sources_of(path)[1:3]:
            imports = [row for row in ast.parse(source).body if isinstance(row, IMPORTS)]
            exec(compile(ast.Module(imports, []), path.name, "exec"), {})


def script(task: tuple[str, str]) -> None:
    """Run the cells of a notebook for a region."""
    path, region = task
    known: dict[str, object] = {}
    for number, source in enumerate(sources_of(Path(path))):
        exec(source, known)
        if number == 0:
            known["region"] = region


def sources_of(path: Path) -> list[str]:
    """Return the code of a notebook's cells, without magics and bare last lines' display."""
    cells = nbformat.read(path, as_version=4).cells
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    return ["\n".join(row for row in each.splitlines() if not row.startswith("%")) for each in code]


def many(regions: int) -> None:
    """Run few and many small regions: time for each report, memory, and nothing changed."""
    per_report = {}
    for number in (6, regions):
        with tempfile.TemporaryDirectory() as place:
            source, reports = small_regions(Path(place), number), Path(place) / "reports"
            command = [BIN / "workbook", "run", "--source", source, "--reports", reports, "-q",
                       "--jobs", str(WORKERS)]  # fmt: skip
            began = time.monotonic()
            peak = largest_memory(subprocess.Popen(command))
            seconds, count = time.monotonic() - began, number * len(plan.notebooks()) + 1
            again = timed(lambda command=command: subprocess.run(command, check=False))
            per_report[number] = seconds / count
            print(
                f"{number} regions: {seconds:.0f} s, {seconds / count:.2f} s a report, driver's "
                f"memory at most {peak:.0f} MB; nothing changed: {again:.2f} s", flush=True
            )  # fmt: skip
            shutil.rmtree(reports)
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


def largest_memory(process: subprocess.Popen) -> float:
    """Wait for a process and return the largest memory that it had, in MB."""
    known, peak = psutil.Process(process.pid), 0.0
    while process.poll() is None:
        try:
            peak = max(peak, known.memory_info().rss / 1024**2)
        except psutil.Error:
            break
        time.sleep(0.5)
    process.wait()
    return peak


def timed(function: Callable[[], object]) -> float:
    """Return the seconds that a function takes."""
    began = time.monotonic()
    function()
    return time.monotonic() - began


if __name__ == "__main__":
    main()
