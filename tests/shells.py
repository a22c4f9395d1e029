"""The command `workbook` as a process, with small notebooks and data, so that runs take seconds."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from threading import Timer

import nbformat
import psutil

from analysis.claims import findings
from tables import CUSTOMERS, SURVEY, TRANSACTIONS
from workbook.pages import history

SECRET = "s3cret&pass'<w>ord"
WIDE = os.environ | {"COLUMNS": "300", "NO_COLOR": "1"}
PATIENCE = 600
"""Seconds after which a process hangs, on however busy a machine; shorter than what sleeps here."""

DRIVER = Path(__file__).with_name("driver.py")
CLAIMS = """from IPython.display import display
from analysis.claims.finding import conclude
from analysis.claims.hypotheses import hypothesis
from analysis.data.region import load_region
from analysis.statistics.estimate import from_se
here = load_region(source, region)
share = float(here.purchases.amount.sum().execute()) / 2_000
claim = hypothesis(NAME[:3])
found = {part.key: from_se(share, 0.1, 99, scale=part.scale) for part in claim.parts}
display(conclude(claim, here.source.name, region, found))"""
ACROSS = """from analysis.claims import findings
from analysis.data import sources
print(len(findings.read(sources.read(source).name)))"""
HANG = """import subprocess, time
subprocess.Popen(["sleep", "1000"])
time.sleep(1000)"""
WAIT = """import os, subprocess, time
subprocess.Popen(["sleep", "1000"])
while not os.path.exists(os.environ["TMPDIR"] + "/go"):
    time.sleep(0.05)"""
DIE = """import os, subprocess
from pathlib import Path
subprocess.Popen(["sleep", "1000"])
tries = Path(os.environ["TMPDIR"], NAME + region)
tries.open("a").write("x")
if len(tries.read_text()) < LIVES:
    os.kill(os.getpid(), 9)"""


def write_notebook(folder, name, *cells):
    """Write a small notebook; NAME in a cell is its name."""
    new = nbformat.v4
    first = "" if name == "across_regions" else 'region = "North"\nas_of = ""\nseed = 1\n'
    tags = {"tags": ["parameters"]}
    first = new.new_code_cell(first + 'source = "small"\nlanguage = "en"', metadata=tags)
    made = [first, *(new.new_code_cell(cell.replace("NAME", repr(name))) for cell in cells)]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    for number, cell in enumerate(made):
        cell["id"] = f"cell-{number}"
    folder.mkdir(parents=True, exist_ok=True)
    written = new.new_notebook(cells=made, metadata={"kernelspec": kernel})
    nbformat.write(written, folder / f"{name}.ipynb")


def write_notebooks(folder, **others):
    """Write notebooks that find something in each region and in all, and others by their name."""
    write_notebook(folder / "value", "H12_value", CLAIMS)
    write_notebook(folder / "retention", "H17_retention", CLAIMS)
    write_notebook(folder, "across_regions", ACROSS)
    for name, cell in others.items():
        write_notebook(folder, name, cell)
    return folder


def write_small(folder, database=""):
    """Write a source of two regions, and return its TOML file."""
    data = folder / "small"
    data.mkdir(parents=True)
    tables = {"customers": CUSTOMERS, "transactions": TRANSACTIONS, "survey": SURVEY}
    ending = "" if database else ".csv"
    for name, text in tables.items():
        (data / f"{name}.csv").write_text(text, encoding="utf-8")
    sections = "".join(f'[{name}]\nfile = "{name}{ending}"\n' for name in tables)
    top = f"as_of = 2024-12-31\nmax_set_aside = 1.0\n{database}\n"
    (folder / "small.toml").write_text(top + sections, encoding="utf-8")
    return folder / "small.toml"


class Family:
    """Processes that are known by a mark in their environment, with a place for temporary files."""

    def __init__(self, temporary=None):
        self.temporary = Path(temporary or tempfile.mkdtemp(prefix="test-"))
        self._is_ours = temporary is None
        self._mark = f"{id(self)}-{time.monotonic_ns()}"
        own = {"STARTED_BY": self._mark, "TMPDIR": str(self.temporary), "OUR_PASSWORD": SECRET}
        self.environment = WIDE | own | {"IPYTHONDIR": str(self.temporary / "ipython")}

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for process in self.living():
            process.kill()
        if self._is_ours:
            shutil.rmtree(self.temporary, ignore_errors=True)

    def living(self, *but):
        """Return the processes that live, but some and their children."""
        found, known = [], {each.pid for each in but}
        for process in psutil.process_iter(["name"]):
            try:
                is_ours = process.environ().get("STARTED_BY") == self._mark
                if is_ours and not {process.pid, process.ppid()} & known:
                    found.append(process)
            except psutil.Error:  # it has just ended
                pass
        return found

    def asleep(self):
        """Return the processes that notebooks have started and that sleep on."""
        return [each for each in self.living() if each.info["name"] == "sleep"]

    def folders(self):
        """Return the temporary folders of runs, but the one that a process has for its kernels."""
        return [each for each in self.temporary.glob("workbook-*") if not list(each.glob("pymp-*"))]


class Shell(Family):
    """A process that is the command `workbook` again and again."""

    def __init__(self, temporary=None):
        super().__init__(temporary)
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        how = pipes | {"env": self.environment, "text": True, "start_new_session": True}
        self.process = subprocess.Popen([sys.executable, DRIVER], **how)

    def __exit__(self, *error):
        self.process.stdin.close()
        if error[0]:
            self.process.kill()
        self.process.wait(PATIENCE)
        self.process.stdout.close()
        super().__exit__(*error)

    def order(self, notebooks, *words):
        """Tell the process to be the command with some words, for the notebooks of a folder."""
        self.process.stdin.write(json.dumps([str(word) for word in (notebooks, *words)]) + "\n")
        self.process.stdin.flush()

    def answer(self):
        """Return the exit code of what was ordered, and what it printed."""
        timer, said = Timer(PATIENCE, self.process.kill), ""
        timer.start()
        for line in self.process.stdout:
            if line.startswith("exit "):
                timer.cancel()
                return int(line.split()[1]), said
            said += line
        raise AssertionError(f"The process ended:\n{said}")

    def workbook(self, notebooks, *words):
        """Let the process be the command, and wait for it."""
        self.order(notebooks, *words)
        return self.answer()

    def is_left_alone(self):
        """Tell whether kernels, what they started, and temporary folders are gone in time."""
        return wait_for(lambda: not (self.living(self.process) or self.folders()))


def ran(said):
    """Return what `--json` said was run, as "region notebook"."""
    events = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    done = [each for each in events if each["event"] in ("done", "failed")]
    return sorted(f"{each['region']} {each['notebook'].split('_')[0]}".strip() for each in done)


def wait_for(what):
    """Wait until something is so, mostly asleep; tell whether it became so in time."""
    deadline, began = time.monotonic() + PATIENCE, time.monotonic()
    while not (found := what()) and time.monotonic() < deadline:
        time.sleep(max(0.02, 4 * (time.monotonic() - began)))
        began = time.monotonic()
    return found


def drafts(reports):
    """Return the drafts in a folder of reports."""
    return [path for path in reports.rglob(".*") if ".part" in path.name]


def shown(reports):
    """Return the bytes of all that a reader sees, by path; all of it must be whole."""
    paths = [path for path in reports.rglob("*") if path.is_file() and path.name[0] != "."]
    for path in paths:
        if path.suffix == ".html":
            assert path.read_text(encoding="utf-8").rstrip().endswith("</html>"), path
        elif path.suffix == ".ipynb":
            nbformat.validate(nbformat.read(path, as_version=4))
    findings.read_all(reports)
    history.read(reports)
    return {
        path.relative_to(reports).as_posix(): path.read_bytes()
        for path in paths
        if path.name != "run.log"
    }


def index_of(reports):
    """Return the source of the index."""
    return (reports / "index.html").read_text(encoding="utf-8")
