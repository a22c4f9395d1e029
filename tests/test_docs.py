"""The commands of README and docs, run in their order in a copy of the project."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import gas_export
from simulation import draw, regional_worlds
from simulation.pilot import write_pilot

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
REGION = "North 华北"
ELSEWHERE = {
    "make": "this very test run, or the report that CI makes",
    "dask": "test_cluster starts a scheduler and workers",
    "--scheduler": "test_cluster runs notebooks on them",
    "--notify": "test_unattended tells a command of a run",
    "shop": "test_databases reads servers",
    "SHOP_PASSWORD=...": "test_databases has passwords",
    "pip": "this very environment",
    "conda": "needs conda",
}
"""Commands that other tests run, or that can't be run here."""
FEW = ("data_profile", "across_regions", "card_offered_by_lot", "H08", "H12")
"""Notebooks of the project's copy, beside those that a command names."""
FOLDERS = ("src", "notebooks", "tests", "docs")


def commands(path):
    """Return the commands of a document's shell blocks, but of those that start a cluster."""
    blocks = re.findall(r"```sh\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    blocks = [block for block in blocks if "dask" not in block.split()]
    lines = [line.split("   #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line and not ELSEWHERE.keys() & set(line.split())]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Copy the project, with a small example, `ours` of two tables, and the folder of the trial."""
    root = tmp_path_factory.mktemp("docs") / "project"
    ignored = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, root / name, ignore=ignored)
    words = [word for path in DOCUMENTS for line in commands(path) for word in line.split()]
    for path in (root / "notebooks").rglob("*.ipynb"):  # the commands, not the claims, are tested
        if not path.stem.startswith((*FEW, *(word for word in words if word[:1] == "H"))):
            path.unlink()
    for name in ("pyproject.toml", "requirements.lock", "README.md"):
        shutil.copy(ROOT / name, root)
    for source, tables in (("example", None), ("ours", ("customers", "complaints"))):
        folder = root / "data" / source
        folder.mkdir(parents=True)
        for name, frame in draw(regional_worlds()[REGION], 120, 1).items():
            if tables is None or name in tables:
                frame.to_csv(folder / f"{name}.csv", index=False)
    text = (ROOT / "data" / "example.toml").read_text(encoding="utf-8")
    text = text.replace("transactions.parquet", "transactions.csv")
    (root / "data" / "example.toml").write_text(text, encoding="utf-8")
    shutil.copy(ROOT / "data" / "pilot.toml", root / "data")
    write_pilot(root / "data" / "pilot", size=600)
    gas_export.write(root / "data" / "gas", customers=40)
    program = root / "bin" / "workbook"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m workbook.cli "$@"\n')
    program.chmod(0o755)
    return root


@pytest.mark.slow
@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_commands_of_a_document_run(project, path):
    environment = os.environ | {
        "PATH": f"{project / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(project / "src"),
    }
    for command in commands(path):
        done = subprocess.run(
            command, shell=True, cwd=project, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, (command, done.stdout[-2000:], done.stderr[-2000:])


def test_every_document_s_commands_are_found():
    found = [command.split()[1] for path in DOCUMENTS for command in commands(path)]
    assert {"init", "check", "run", "new", "list", "index", "export", "trial"} <= set(found)
