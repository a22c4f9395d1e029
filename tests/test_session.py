"""Whole runs as processes of their own: what a change makes run again, and what is left."""

import os
import re
import subprocess
import sys
import time

import nbformat
import psutil
import pytest
from bs4 import BeautifulSoup

from conftest import TRANSACTIONS

pytestmark = pytest.mark.slow

DRIVER = """import sys
from pathlib import Path
from analysis import plan
plan.NOTEBOOKS = Path(__file__).with_name("notebooks")
if __name__ == "__main__":
    from analysis.cli import main
    main()
"""
DATA = """from analysis import data, findings
from analysis.estimates import Estimate
from analysis.hypotheses import hypothesis
from analysis.show import say
here = data.load(source, region)
sales = float(here.purchases["amount"].sum().execute())
say(f"{region}: {len(here.customers)} customers, sales of {sales:.0f}")"""
CLAIM = """known = hypothesis("H12")
found = {part.key: Estimate(sales / 1e4, sales / 2e4, sales / 5e3, 9) for part in known.parts}
findings.conclude(known, here.source.name, region, found)"""
OVER = """from analysis import findings
len(findings.read("small"))"""


def notebook(folder, name, cells, parameters='region = "North"\nsource = "small"'):
    new = nbformat.v4
    parts = [new.new_markdown_cell("# A small notebook")]
    parts.append(new.new_code_cell(parameters, metadata={"tags": ["parameters"]}))
    for heading, code in cells.items():
        parts.append(new.new_markdown_cell(f"## {heading}"))
        parts.append(new.new_code_cell(code, metadata={"tags": ["raises-exception"]}))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    for number, cell in enumerate(parts):
        cell["id"] = f"cell-{number}"
    written = new.new_notebook(cells=parts, metadata={"kernelspec": kernel})
    nbformat.write(written, folder / f"{name}.ipynb")


class Workbook:
    """A place with small notebooks and a small source, and its `workbook run`."""

    def __init__(self, folder, write_source):
        self.folder, self.write_source = folder, write_source
        self.reports, self.notebooks = folder / "reports", folder / "notebooks"
        self.temporary = folder / "tmp"
        for each in (self.notebooks, self.temporary):
            each.mkdir()
        (folder / "driver.py").write_text(DRIVER)
        notebook(self.notebooks, "01_data_profile", {"Data": DATA})
        notebook(self.notebooks, "04_customer_value", {"Data": DATA, "H12 A claim": CLAIM})
        notebook(self.notebooks, "90_across_regions", {"All": OVER}, 'source = "small"')
        self.source = str(write_source())

    def start(self, *more):
        command = [sys.executable, str(self.folder / "driver.py"), "run", "--source", self.source]
        command += ["--reports", str(self.reports), "--jobs", "2", *more]
        env = os.environ | {"TMPDIR": str(self.temporary), "NO_COLOR": "1"}
        out = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(command, env=env, start_new_session=True, **out)

    def run(self, *more):
        process = self.start(*more)
        said, _ = process.communicate(timeout=240)
        return process.returncode, said

    def files(self):
        """Return the bytes of all that is content."""
        return {
            str(path.relative_to(self.reports)): path.read_bytes()
            for path in self.reports.rglob("*")
            if path.is_file() and path.name[0] != "." and path.name != "run.log"
        }

    def nothing_is_left(self):
        """Check that no draft, no kept data and no process of a run is there."""
        assert not list(self.reports.rglob(".*.part*"))
        assert not list(self.temporary.glob("workbook-*"))
        self.no_process_is_left()

    def no_process_is_left(self):
        until = time.monotonic() + 15
        while time.monotonic() < until and self._processes():
            time.sleep(0.2)
        assert self._processes() == []

    def _processes(self):
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("TMPDIR") == str(self.temporary):
                    found.append(process.cmdline())
            except psutil.Error:
                continue
        return found


@pytest.fixture
def workbook(tmp_path, write_source):
    return Workbook(tmp_path, write_source)


def done(said):
    """Return what was run, as region and number of the notebook."""
    return sorted(re.findall(r"^(?:done|failed) (?:(\w+) · )?(\d\d)_", said, re.MULTILINE))


def test_only_what_depends_on_a_change_is_run_again_and_the_index_says_so(workbook):
    code, said = workbook.run()
    assert (code, len(done(said))) == (0, 5), said
    first = workbook.files()
    code, said = workbook.run()
    assert code == 0
    assert "5 reports are unchanged" in said
    assert workbook.files() == first

    changed = TRANSACTIONS.replace("S3,gas,100,400", "S3,gas,100,500")
    workbook.write_source(transactions=changed)
    code, said = workbook.run()
    assert done(said) == [("", "90"), ("South", "01"), ("South", "04")], said
    now = workbook.files()
    assert all(now[name] == first[name] for name in now if "/North/" in name)
    index = BeautifulSoup(now["index.html"], "html.parser")
    told = [each.text for each in index.select(".changes li")]
    assert told[0].startswith("South: computed anew because of the data")
    assert told[1] == "1 regions: nothing changed."

    notebook(workbook.notebooks, "01_data_profile", {"Data": DATA, "More": "1"})
    assert done(workbook.run()[1]) == [("", "90"), ("North", "01"), ("South", "01")]
    assert len(done(workbook.run("--force")[1])) == 5
    workbook.nothing_is_left()
