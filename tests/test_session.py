"""Whole runs: what a change makes run again, what is said of it, and what nobody may read."""

import json
import os
import sys

import duckdb
import pytest
from bs4 import BeautifulSoup

from analysis.claims import findings
from analysis.data.sources import ROOT
from shells import (
    CLAIMS,
    SECRET,
    index_of,
    ran,
    shown,
    write_notebook,
    write_notebooks,
    write_small,
)

pytestmark = pytest.mark.slow

EVERYTHING = ["North H12", "North H17", "South H12", "South H17", "across"]


def test_only_what_depends_on_a_change_is_run_again_and_the_index_says_so(shell, tmp_path):
    source, notebooks = write_small(tmp_path), write_notebooks(tmp_path / "notebooks")
    reports = tmp_path / "reports"
    words = ("run", "-s", source, "--reports", reports, "--json")
    assert ran(shell.workbook(notebooks, *words)[1]) == EVERYTHING
    before = shown(reports)
    code, said = shell.workbook(notebooks, *words[:-1])
    assert code == 0
    assert "5 reports are unchanged: same notebooks, parameters, data and code." in said
    assert ran(shell.workbook(notebooks, *words, "--force")[1]) == EVERYTHING
    assert shown(reports) == before

    with (tmp_path / "small" / "transactions.csv").open("a") as file:
        file.write("c,2024-04-02 09:00,S3,gas,100,410,350\n")  # c is a customer of South
    assert ran(shell.workbook(notebooks, *words)[1]) == ["South H12", "South H17", "across"]
    now = shown(reports)
    others = [name for name in now if "/North/" in name and not name.endswith("/index.html")]
    assert [name for name in others if now[name] != before[name]] == []
    index = BeautifulSoup(now["index.html"], "html.parser")
    told = [each.text for each in index.select(".changes li")]
    assert told[0].startswith("South: computed anew because of the data")
    assert told[1] == "1 region: nothing changed."

    write_notebook(notebooks / "retention", "H17_retention", CLAIMS, "1 + 1")
    assert ran(shell.workbook(notebooks, *words)[1]) == ["North H17", "South H17", "across"]
    assert ran(shell.workbook(notebooks, *words)[1]) == []

    assert ran(shell.workbook(notebooks, *words, "-p", "language=zh")[1]) == EVERYTHING
    assert "因参数变化而重新计算" in index_of(reports)


def test_a_region_of_another_name_is_run_and_the_old_one_counts_no_more(shell, tmp_path):
    source, notebooks = write_small(tmp_path), write_notebooks(tmp_path / "notebooks")
    reports, customers = tmp_path / "reports", tmp_path / "small" / "customers.csv"
    words = ("run", "-s", source, "--reports", reports, "--json")
    shell.workbook(notebooks, *words)
    customers.write_text(customers.read_text().replace("South", "Coast"))
    assert ran(shell.workbook(notebooks, *words)[1]) == ["Coast H12", "Coast H17", "across"]
    now = shown(reports)
    assert set(findings.read_all(reports)["region"]) == {"North", "Coast"}
    assert "No longer in the data of small: South." in index_of(reports)
    assert "small/South/H12_value.html" in now
    assert ran(shell.workbook(notebooks, *words)[1]) == []

    table = customers.read_text().splitlines(keepends=True)
    customers.write_text("".join(line for line in table if "Coast" not in line))
    assert "across" in ran(shell.workbook(notebooks, *words)[1])
    assert "No longer in the data of small: Coast, South." in index_of(reports)
    assert set(findings.read_all(reports)["region"]) == {"North"}


def test_two_notebooks_for_one_claim_are_refused_and_the_others_run(shell, tmp_path):
    source, notebooks = write_small(tmp_path), write_notebooks(tmp_path / "notebooks")
    write_notebook(notebooks, "H12_again", CLAIMS)
    write_notebook(notebooks, "H92_new", CLAIMS)
    reports = tmp_path / "reports"
    words = ("run", "-s", source, "--reports", reports)
    both = "Two notebooks test H12: notebooks/H12_again.ipynb and notebooks/value/H12_value.ipynb"
    code, said = shell.workbook(notebooks, *words, "-n", "H12")
    assert (code, both in said, reports.exists()) == (2, True, False)
    code, said = shell.workbook(notebooks, *words)
    assert code == 1
    assert said.count(f"refused {both}") == 1
    assert said.count("refused H92_new.ipynb: the register has no claim H92.") == 1
    assert "3 reports in" in said
    assert all(f"done {region} · H17_retention" in said for region in ("North", "South"))
    assert both in index_of(reports)
    assert {path.stem for path in reports.glob("small/*/H*.ipynb")} == {"H17_retention"}
    code, said = shell.workbook(notebooks, *words, "--json")
    events = [json.loads(line) for line in said.splitlines()]
    assert code == 1
    assert [each["event"] for each in events[:3]] == ["skipped", "refused", "refused"]
    (notebooks / "H12_again.ipynb").unlink()
    (notebooks / "H92_new.ipynb").unlink()
    code, said = shell.workbook(notebooks, *words, "-n", "H17")
    assert code == 0
    assert "Two notebooks" not in index_of(reports)


def test_json_has_one_object_a_line_and_the_log_stands_beside_the_index(shell, place, tmp_path):
    words = ("run", "-s", place / "small.toml", "--reports", tmp_path, "-r", "North", "--json")
    code, said = shell.workbook(place / "notebooks", *words)
    events = [json.loads(line) for line in said.splitlines()]
    assert code == 0
    names = [each["event"] for each in events]
    assert (names.count("started"), names.count("done"), names[-1]) == (3, 3, "end")
    assert events[-1]["slowest_notebooks"]
    assert "3 reports in" in (tmp_path / "run.log").read_text(encoding="utf-8")


def test_no_report_names_a_folder_of_the_machine(undisturbed, place, shell):
    everything = b"".join(undisturbed.values())
    for folder in (place, ROOT, sys.prefix, shell.temporary):
        assert os.fsencode(folder) not in everything


TELL = """import logging, os, sys
import pandas as pd
from analysis.data.region import load_region
here = load_region(source, region)
address = here.source.database
print(here.source, address, repr(address))
print(os.environ["OUR_PASSWORD"], file=sys.stderr)
logging.error(address)
pd.DataFrame({address: [address]})"""


def test_a_password_is_found_nowhere(shell, tmp_path):
    address = 'database = "duckdb:///FOLDER/${OUR_PASSWORD}/data.duckdb?read_only=True"'
    source = write_small(tmp_path, address.replace("/FOLDER", str(tmp_path)))
    secret = tmp_path / SECRET
    secret.mkdir()
    with duckdb.connect(secret / "data.duckdb") as database:
        for path in sorted((tmp_path / "small").glob("*.csv")):
            database.execute(f"create table {path.stem} as select * from read_csv('{path}')")
    notebooks = write_notebooks(tmp_path / "notebooks", tells=TELL)
    leak = TELL + "\nraise ValueError(f'{address} {here.source} {dict(os.environ)}')"
    write_notebook(notebooks / "retention", "H17_retention", leak)
    reports = tmp_path / "reports"
    code, said = shell.workbook(notebooks, "run", "-s", source, "--reports", reports)
    assert code == 1  # the notebook that raises
    assert "H17_retention" in said
    said += shell.workbook(notebooks, "check", source)[1]
    (secret / "data.duckdb").write_text("no database", encoding="utf-8")
    for words in (["check", source], ["run", "-s", source, "--reports", reports]):
        code, more = shell.workbook(notebooks, *words)
        assert code == 2
        assert "small.toml: the database can't be opened" in more
        said += more
    paths = [*reports.rglob("*"), *shell.temporary.rglob("*")]
    known = {str(path): path.read_bytes() for path in paths if path.is_file()}
    known["terminal"] = said.encode()
    assert b"***" in b"".join(known.values())
    assert [name for name, content in known.items() if SECRET[:6].encode() in content] == []
