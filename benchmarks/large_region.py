"""Memory and time of the notebook on retention in a region of 100,000 customers and 24 months.

    python benchmarks/large_region.py [customers]

Draws the region in parts, writes it as a source of Parquet files, and runs the notebook through
papermill as `workbook run` does. Prints the kernel's largest memory and the notebook's time.
"""

import re
import resource
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.claims import findings
from simulation import World, draw
from simulation.rehearsal import END
from workbook import notebooks
from workbook.running import execute, plan

PART = 10_000
NOTEBOOK = "H17_recency"


def write(folder: Path, customers: int) -> str:
    """Write a source of one region; return the path of its TOML file."""
    tables, writer = {}, None
    for number in range(customers // PART):
        world = replace(World(), region=f"{chr(65 + number)} Large")
        drawn = draw(world, PART, 1_000 + number)
        for name, rows in drawn.items():
            rows = rows.assign(**{"region": "Large"} if name == "customers" else {})
            if name != "transactions":
                tables.setdefault(name, []).append(rows)
                continue
            lines = pa.Table.from_pandas(rows, preserve_index=False)
            writer = writer or pq.ParquetWriter(folder / "transactions.parquet", lines.schema)
            writer.write_table(lines)
    writer.close()
    for name, parts in tables.items():
        pd.concat(parts, ignore_index=True).to_parquet(folder / f"{name}.parquet")
    toml = f"as_of = {END}\nfolder = '.'\n"
    toml += "".join(f"[{name}]\nfile = '{name}.parquet'\n" for name in (*tables, "transactions"))
    (folder / "large.toml").write_text(toml, encoding="utf-8")
    return str(folder / "large.toml")


def main() -> None:
    customers = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        source = write(folder, customers)
        lines = pq.ParquetFile(folder / "transactions.parquet").metadata.num_rows
        print(f"{customers:,} customers, {lines:,} purchase lines")
        task = plan.Task(
            notebooks.discover()[NOTEBOOK].path,
            "large",
            "Large",
            {"source": source},
            folder / "reports",
        )
        began = time.monotonic()
        outcome = execute.execute(task, execute.How(cold=True, timeout=3_600))
        seconds = time.monotonic() - began
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024**2
        print(f"{NOTEBOOK}: {seconds:.0f} s, largest memory of the kernel {peak:.2f} GB")
        print("failures:", outcome.failures or "none")
        for record in _findings(task.executed):
            print(record["hypothesis"], record["verdict"])
        pages = task.executed.with_suffix(".html").read_text("utf-8")
        words = re.sub(r"data:image/png;base64,[^\"]*", "", pages)
        named = bool(re.search(r"\b[A-Z]\d{5}\b", words))
        print(f"page {len(pages) / 1e6:.1f} MB, names a customer: {named}")


def _findings(executed: Path) -> list[dict]:
    import nbformat

    return list(findings.records(nbformat.read(executed, as_version=4)))


if __name__ == "__main__":
    main()
