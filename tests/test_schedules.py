"""The timer, the cron line and the CI job of the documents are ones that would run."""

import re
import shlex
import shutil
import subprocess

import pytest
import yaml

from analysis.data.sources import ROOT

TEXT = (ROOT / "docs" / "running.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, re.S)


def blocks(kind):
    return [text for name, text in BLOCKS if name == kind]


def test_systemd_takes_the_units(tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is needed to read the units.")
    service, timer = blocks("ini")
    service = service.replace("/srv/workbook/.venv/bin/workbook", shutil.which("true"))
    service = service.replace("User=research", "User=root").replace("/srv/workbook", "/")
    paths = [tmp_path / "workbook.service", tmp_path / "workbook.timer"]
    for path, text in zip(paths, (service, timer), strict=True):
        path.write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *paths], capture_output=True, text=True
    )
    assert [line for line in done.stderr.splitlines() if "workbook." in line] == []
    when = re.search(r"OnCalendar=(.*)", timer)[1]
    subprocess.run(["systemd-analyze", "calendar", when], check=True, capture_output=True)


def test_the_cron_line_has_five_fields_and_a_command():
    (line,) = blocks("crontab")
    *fields, command = line.strip().split(maxsplit=5)
    assert all(re.fullmatch(r"[\d*/,-]+", field) for field in fields)
    assert "%" not in command  # which cron takes for the end of a line
    words = shlex.split(command)
    assert words[:3] == ["cd", "/srv/workbook", "&&"]
    assert words[3:5] == [".venv/bin/workbook", "run"]


def test_the_ci_job_is_yaml_and_runs_what_make_knows():
    (job,) = blocks("yaml")
    steps = yaml.safe_load(job)["jobs"]["reports"]["steps"]
    ran = [step["run"] for step in steps if "run" in step]
    assert "make report" in ran
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    assert all(each.split()[1] in targets for each in ran if each.startswith("make "))
