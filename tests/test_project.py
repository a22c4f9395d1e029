"""The project's own files agree with each other."""

import os
import pkgutil
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
from jupyter_server.services.contents.filemanager import FileContentsManager

from workbook import lab

ROOT = Path(__file__).resolve().parents[1]
CONDA_NAMES = {
    "ibis-duckdb": "ibis-framework",
    "python-duckdb": "duckdb",
    "python-tzdata": "tzdata",
    "uv-build": "uv_build",
}


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def parts(requirement):
    """Split "name[extra]>=1,<2" into its name and its limits."""
    name, limits = re.fullmatch(r"([\w.-]+)(?:\[\w+\])? ?(.*)", requirement).groups()
    return name, limits


@pytest.fixture(scope="module")
def project():
    return tomllib.loads(read("pyproject.toml"))["project"]


def test_conda_and_pip_get_the_same_packages(project):
    extras = project["optional-dependencies"]
    pip = dict(map(parts, [*project["dependencies"], *extras["test"], *extras["build"]]))
    lines = re.findall(r"^ +- (\w[\w-]* .*|\w[\w-]*)$", read("environment.yml"), re.MULTILINE)
    conda = dict(map(parts, lines))
    assert f">={conda.pop('python').removeprefix('>=')}" == project["requires-python"]
    del conda["conda-forge"], conda["pip"]
    assert {CONDA_NAMES.get(name, name): limits for name, limits in conda.items()} == pip


def test_the_lock_has_every_package_with_hashes_and_no_address(project):
    lock = read("requirements.lock")
    locked = dict(re.findall(r"^([\w.-]+)==([\w.]+)", lock, re.MULTILINE))
    for requirement in [*project["dependencies"], *project["optional-dependencies"]["test"]]:
        assert parts(requirement)[0] in locked
    assert "://" not in lock
    entries = re.split(r"^(?=\S)", lock, flags=re.MULTILINE)[1:]
    assert all(entry.count("--hash=sha256:") for entry in entries)


def test_what_runs_here_is_what_is_locked():
    locked = dict(re.findall(r"^([\w.-]+)==([\w.]+)", read("requirements.lock"), re.MULTILINE))
    from importlib.metadata import version

    for name in ("jupyterlab", "statsmodels", "seaborn", "papermill", "ibis-framework", "duckdb"):
        assert version(name) == locked[name]


@pytest.mark.skipif(not (shutil.which("make") and shutil.which("bash")), reason="needs make")
def test_the_age_of_the_lock_is_said_and_that_it_could_not_be_audited(tmp_path):
    told = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    age = re.search(
        r"requirements\.lock anew from pyproject\.toml; it is (\d+) days old", told.stdout
    )
    assert int(age[1]) < 10_000
    (tmp_path / "python3").write_text("#!/bin/sh\nexit 1\n")  # nothing can be installed
    (tmp_path / "python3").chmod(0o755)
    path = os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    told = subprocess.run([ROOT / ".ci" / "audit"], env=path, capture_output=True, text=True)
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.startswith("requirements.lock was NOT audited: the database of vulner")


def test_hooks_use_the_locked_versions():
    locked = dict(re.findall(r"^([\w.-]+)==([\w.]+)", read("requirements.lock"), re.MULTILINE))
    pinned = re.findall(r'"([\w-]+)==([\w.]+)"', read(".pre-commit-config.yaml"))
    assert {name for name, _ in pinned} == {"ruff", "nbstripout", "nbformat"}
    assert all(locked[name] == version for name, version in pinned)


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]])
def test_ruff_finds_nothing(command):
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "."], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_every_target_and_command_of_the_readme_is_there():
    readme, makefile = read("README.md"), read("Makefile")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    assert {"report", "test"} <= set(re.findall(r"^make (\w+)", readme, re.MULTILINE)) <= targets
    from workbook.cli import app

    commands = {each.name or each.callback.__name__ for each in app.registered_commands}
    assert set(re.findall(r"^workbook (\w+)", readme, re.MULTILINE)) <= commands


def test_the_tree_of_the_readme_is_the_tree():
    tree = re.search(r"```text\n(.*?)```", read("README.md"), re.DOTALL)[1]
    named = set(re.findall(r"^src/(\w+)/", tree, re.MULTILINE))
    assert named == {path.parent.name for path in (ROOT / "src").glob("*/__init__.py")}


def test_a_notebook_that_was_run_in_jupyterlab_is_saved_as_it_is_in_git():
    path = ROOT / "notebooks" / "data_profile.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.kernelspec.name = "customer-research-workbook"
    notebook.metadata.language_info |= {"version": "3.11.7", "pygments_lexer": "ipython3"}
    for cell in notebook.cells:
        cell.metadata |= {"execution": {"iopub.execute_input": "2026-01-01"}, "scrolled": True}
        if cell.cell_type == "code":
            cell.execution_count = 3
            cell.outputs = [nbformat.v4.new_output("stream", text="something")]
    manager = FileContentsManager(root_dir=str(ROOT))
    for place in ("reports/data_profile.ipynb", "notebooks/data_profile.ipynb"):
        before = nbformat.writes(notebook)
        model = {"type": "notebook", "content": notebook}
        lab.save_as_in_git(model, path=place, contents_manager=manager)
        assert (nbformat.writes(notebook) == before) == place.startswith("reports")
    assert nbformat.writes(notebook) + "\n" == path.read_text(encoding="utf-8")


def test_make_tells_jupyterlab_to_save_so():
    hook = "workbook.lab.save_as_in_git"
    assert pkgutil.resolve_name(hook) is lab.save_as_in_git
    assert f'"pre_save_hook": "{hook}"' in read("Makefile")
