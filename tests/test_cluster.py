"""Runs on a scheduler and workers in processes of their own, which break."""

import json
import subprocess
import sys

import pytest

from shells import HANG, WAIT, Family, Shell, drafts, index_of, shown, wait_for, write_notebooks

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster():
    """A scheduler and two workers, each a process of its own; the tests use them up in their order.

    The processes by their mark, the processes in a list, and the scheduler's address.
    """
    dask = [sys.executable, "-m"]
    with Family() as family:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        quiet["env"], found = family.environment, family.temporary / "scheduler.json"
        shared = ["--no-dashboard", "--scheduler-file", found]
        at = ["distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", *shared]
        worker = ["distributed.cli.dask_worker", "--nthreads", "1", "--no-nanny", *shared]
        processes = [subprocess.Popen([*dask, *each], **quiet) for each in (at, worker, worker)]
        assert wait_for(found.exists)
        yield family, processes, json.loads(found.read_text())["address"]
        for process in processes:
            process.kill()
            process.wait()


def worker_of(process, workers):
    """Return which of several workers has, far down, started a process."""
    ancestors = {each.pid for each in process.parents()}
    return next(each for each in workers if each.pid in ancestors)


def test_workers_elsewhere_do_the_same(cluster, shell, place, undisturbed, tmp_path):
    family, processes, address = cluster
    reports = tmp_path / "reports"
    words = ("run", "-s", place / "small.toml", "--reports", reports, "--scheduler", address)
    code, said = shell.workbook(place / "notebooks", *words)
    assert code == 0, said
    assert shown(reports) == undisturbed
    assert wait_for(lambda: not family.living(*processes))


def test_notebooks_end_on_workers_when_nobody_waits_for_them(cluster, place, tmp_path):
    family, processes, address = cluster
    notebooks = write_notebooks(tmp_path / "notebooks", hangs=HANG)
    words = ("run", "-s", place / "small.toml", "--reports", tmp_path / "reports")
    with Shell() as shell:
        shell.order(notebooks, *words, "--scheduler", address)
        assert wait_for(family.asleep)
        shell.process.kill()
    assert wait_for(lambda: not family.living(*processes))
    assert drafts(tmp_path / "reports") == []


def test_another_worker_does_the_work_of_one_that_is_killed(
    cluster, shell, place, undisturbed, tmp_path
):
    family, (scheduler, *workers), address = cluster
    notebooks, reports = write_notebooks(tmp_path / "notebooks", slow=WAIT), tmp_path / "reports"
    words = ("run", "-s", place / "small.toml", "--reports", reports, "--scheduler", address)
    shell.order(notebooks, *words)
    assert wait_for(family.asleep)
    lost = worker_of(family.asleep()[0], workers)
    lost.kill()
    lost.wait()
    (family.temporary / "go").touch()
    code, said = shell.answer()
    assert code == 0, said
    assert wait_for(lambda: not family.living(scheduler, *(set(workers) - {lost})))
    assert drafts(reports) == []
    there = {
        name: each
        for name, each in shown(reports).items()
        if name.count("/") == 2 and name.endswith("ipynb")
    }
    same = {name for name in there if there[name] == undisturbed.get(name)}
    assert {name for name in there if "slow" not in name} == same


def test_a_scheduler_that_goes_away_is_named_on_the_index(cluster, shell, place, tmp_path):
    family, (scheduler, *workers), address = cluster
    notebooks = write_notebooks(tmp_path / "notebooks", hangs=HANG)
    reports = tmp_path / "reports"
    words = ("run", "-s", place / "small.toml", "--reports", reports, "--scheduler", address)
    shell.order(notebooks, *words)
    assert wait_for(family.asleep)
    scheduler.kill()
    scheduler.wait()
    code, said = shell.answer()
    assert code == 1
    assert "The scheduler went away before this was done." in said
    assert "North · hangs: The scheduler went away before this was done." in index_of(reports)
    assert wait_for(lambda: not family.living(*workers))
    assert drafts(reports) == []
    shown(reports)
    code, said = shell.workbook(notebooks, *words)
    assert code == 2
    assert f"No scheduler answers at {address}" in said
