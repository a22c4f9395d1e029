"""What tests share: small sources and runs of the command on them, and real data where they are."""

import os
import tempfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, settings

import shells
from analysis.data import cache, sources
from analysis.data.extraction import store
from tables import CUSTOMERS, SURVEY, TRANSACTIONS

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
CASES = SHARED.parent / "cases" / "data"

# A busy machine takes longer than any deadline; and a property that fails in one place must fail in
# another: examples follow from the test alone, and no database of earlier failures adds to them.
settings.register_profile(
    "reproducible",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("reproducible")

pd.set_option("io.excel.xlsx.writer", "openpyxl")  # where there is another, too
os.environ[cache.FOLDER] = ""  # tests leave the user's own cache alone
EXTRACTS = tempfile.TemporaryDirectory()
os.environ[store.FOLDER] = EXTRACTS.name

LONGEST = ("test_notebook_reports", "test_error_rates", "test_bad_retention", "test_docs")
LONGEST += ("test_bad_regions", "test_cli", "test_faults", "test_example", "test_whole_files")
LONGEST += ("test_time_zones", "test_jupyter", "test_check", "test_cluster", "test_contacts")
"""Files that take minutes; they begin first, so that no process is left alone with one."""


def pytest_collection_modifyitems(items):
    """Put the longest files first; all others keep their order."""
    items.sort(key=lambda item: (*LONGEST, item.path.stem).index(item.path.stem))


@pytest.fixture(autouse=True)
def environment():
    """Leave the environment as it was: a run in this process sets variables for its kernels."""
    before = dict(os.environ)
    yield
    if os.environ != before:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture
def shared():
    """The folder of real data beside the project; without it the test is skipped."""
    if not SHARED.is_dir():
        pytest.skip("the real data (../shared/data) is not on this machine")
    return SHARED


@pytest.fixture
def case():
    """Return a function that gives the TOML file of a small input that once came out wrong."""

    def find(name):
        if not CASES.is_dir():
            pytest.skip("the small inputs (../shared/cases/data) are not on this machine")
        return str(next((CASES / name).glob("*.toml")))

    return find


@pytest.fixture
def real_source(shared, tmp_path):
    """Return a function that puts a shipped TOML file beside its real data."""

    def place(name, folder=None):
        path = tmp_path / f"{name}.toml"
        path.write_bytes((sources.DATA / f"{name}.toml").read_bytes())
        (tmp_path / name).symlink_to(shared / (folder or name))
        return path

    return place


@pytest.fixture
def write_source(tmp_path):
    """Return a function that writes a source of small tables and returns its TOML file."""

    def write(toml="", **files):
        folder = tmp_path / "small"
        folder.mkdir(exist_ok=True)
        tables = {"customers": CUSTOMERS, "transactions": TRANSACTIONS, "survey": SURVEY} | files
        for name, text in tables.items():
            if text is not None:
                (folder / f"{name}.csv").write_text(text, encoding="utf-8")
        sections = "".join(
            f'[{name}]\nfile = "{name}.csv"\n'
            for name in tables
            if f"[{name}]" not in toml and name in ("customers", "transactions", "survey")
        )
        path = tmp_path / "small.toml"
        top, _, rest = toml.partition("[")
        settings = "as_of = 2024-12-31\nmax_set_aside = 1.0\n" if "as_of" not in top else ""
        path.write_text(
            f"{settings}{top}\n{'[' + rest if rest else ''}\n{sections}", encoding="utf-8"
        )
        return path

    return write


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a small source and small notebooks."""
    folder = tmp_path_factory.mktemp("place")
    shells.write_small(folder)
    shells.write_notebooks(folder / "notebooks")
    return folder


@pytest.fixture(scope="module")
def shell():
    """A process that is the command again and again; nothing of it is left at its end."""
    with shells.Shell() as shell:
        yield shell
        assert shell.is_left_alone()
    assert shells.wait_for(lambda: not shell.living())  # what was killed takes a moment to end


@pytest.fixture(scope="module")
def undisturbed(place, shell):
    """What a run that nothing disturbs leaves for readers."""
    words = ("run", "-s", place / "small.toml", "--reports", place / "reports")
    code, said = shell.workbook(place / "notebooks", *words)
    assert code == 0, said
    return shells.shown(place / "reports")
