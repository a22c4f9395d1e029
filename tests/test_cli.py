"""The command `workbook`, as a user types it."""

import html
import os
import subprocess
import sys
from pathlib import Path

import pytest

from analysis.claims import findings
from sample_findings import loss_against_gain
from tables import CUSTOMERS, SURVEY, TRANSACTIONS

COMMAND = Path(sys.executable).with_name("workbook")


def workbook(*words):
    """Run the command; return its exit code and all that it printed."""
    plain = os.environ | {"COLUMNS": "200", "NO_COLOR": "1"}
    done = subprocess.run(
        [COMMAND, *map(str, words)], capture_output=True, text=True, encoding="utf-8", env=plain
    )
    return done.returncode, done.stdout + done.stderr


def snapshot(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_check_says_everything_at_once(write_source):
    path = write_source(
        survey=SURVEY.replace(",9,", ",11,"),
        transactions=TRANSACTIONS.replace(",40,", ",-40,").replace(",300,", ',"1,300",'),
        customers=CUSTOMERS + "d,../x,van,urban,1900-01-01,\n",
    )
    code, text = workbook("check", path, "--show-values")
    assert code == 1
    for words in (
        "survey.csv satisfaction_3 1 (50.0%) row 2: '11' a number from 1 to 10",
        "transactions.csv quantity 1 (20.0%) row 2: '-40' a number not below 0",
        "transactions.csv amount 1 (20.0%) row 2: '1,300' a number such as 1234.5",
        "customers.csv region 1 (25.0%) row 5: '../x' a name of at most 60 characters",
        "customers.csv joined_on 1 (25.0%) row 5: '1900-01-01' a date from 1980-01-01",
    ):
        assert words in " ".join(text.split())
    assert "Traceback" not in text


def test_check_of_a_whole_source(write_source):
    code, text = workbook("check", write_source())
    assert code == 0
    assert "North: 2 customers\n" in text
    assert "South: 1 customer\n" in text
    assert "Every table and every row keeps the contract." in text


def test_check_says_what_refunds_and_repeated_answers_do(write_source):
    back = "a,2024-02-02 09:00,S1,shop,-1,-20,12\nb,2024-03-02,S1,shop,-1,-7,4\n"
    path = write_source(
        'as_of = 2024-12-31\ncurrency = "CNY"\n',
        transactions=TRANSACTIONS + back,
        survey=SURVEY + "b,2024-03-02,9,,,,\n",
    )
    code, text = workbook("check", path)
    assert code == 1  # one refund of nothing breaks the contract
    assert "North: 1 refund line, 20 CNY, is netted against the purchase that it undoes\n" in text
    assert (
        "North: 1 refund line is excluded: 7 of 675 CNY, 1.0% of sales; the purchase it belongs "
        "to stays in\n"
    ) in text
    assert (
        "North: 1 answer is left out: the same customer gave one with more ratings, or a later "
        "one with as many, on that day\n"
    ) in text
    assert "South: 1 refund" not in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "-s", "exmple"], "No source 'exmple'. Did you mean 'example'?"),
        (["run", "-s", "SOURCE", "-r", "Nroth"], "No region 'Nroth'. Did you mean 'North'?"),
        (
            ["run", "-s", "SOURCE", "-n", "H12_concentration_of_sale"],
            "Did you mean 'H12_concentration_of_sales'?",
        ),
        (["run", "-s", "SOURCE", "-p", "sed=3"], "no parameter 'sed'. Did you mean 'seed'?"),
        (["run", "-s", "SOURCE", "-p", "seed=x"], "Parameter seed = 'x': expected a whole number."),
        (["check", "SOURCE2"], "No source"),
    ],
)
def test_a_misspelt_name_is_refused_before_anything_runs(write_source, tmp_path, words, message):
    path = write_source()
    words = [str(path) if word == "SOURCE" else word for word in words]
    if words[0] == "run":
        words += ["--reports", tmp_path / "reports"]
    code, text = workbook(*words)
    assert code == 2
    assert message in " ".join(text.split())
    assert "Traceback" not in text
    assert not (tmp_path / "reports").exists()


@pytest.mark.slow
def test_bad_input_stands_in_the_report_and_damages_nothing(write_source, tmp_path):
    reports = tmp_path / "reports"
    path = write_source(survey=SURVEY.replace(",9,", ",11,"))
    run = ["run", "-s", path, "-n", "data_profile", "--reports", reports]
    code, text = workbook(*run, "-r", "North")
    assert code == 0, text
    page = (reports / "small" / "North" / "data_profile.html").read_text(encoding="utf-8")
    for words in ("satisfaction, item 3", "row 2: '11'", "a number from 1 to 10"):
        assert words in html.unescape(page)
    before = snapshot(reports)
    (path.parent / "small" / "customers.csv").write_bytes(b"")
    code, text = workbook(*run)
    assert code == 2
    assert "customers.csv: the file is empty; expected a header and at least one row." in text
    assert snapshot(reports) == before


@pytest.mark.slow
def test_a_region_with_too_many_bad_rows_fails_alone(write_source, tmp_path):
    toml = "as_of = 2024-12-31\nmax_set_aside = 0.1\n"
    path = write_source(toml, survey=SURVEY.replace(",9,", ",11,"))
    reports = tmp_path / "reports"
    code, text = workbook("run", "-s", path, "-n", "data_profile", "--reports", reports)
    assert code == 1
    assert "done South" in text
    assert "failed North" in text
    assert "survey.csv: 50.0% of the rows of North break the contract" in text
    index = (reports / "index.html").read_text(encoding="utf-8")
    assert "break the contract in satisfaction_3" in index


def test_list_names_what_there_is(write_source):
    code, text = workbook("list", "-s", write_source())
    assert code == 0
    assert "Region of" in text
    assert "North (2 customers)" in text
    assert "South (1 customer)" in text
    assert "H12_concentration_of_sales (value, H12)" in text


@pytest.mark.parametrize("folder", [None, "elsewhere"])
def test_export_writes_beside_the_reports_unless_told_where(tmp_path, folder):
    records = [loss_against_gain(0.3, 0.05, region=name).record() for name in ("A", "B", "C")]
    reports = tmp_path / "reports"
    reports.mkdir()
    findings.write(
        findings.tidy(records), findings.variants(records), reports, findings.tests(records)
    )
    words = [] if folder is None else ["--folder", tmp_path / folder]
    code, said = workbook("export", "--reports", reports, *words)
    assert code == 0, said
    there = reports / "export" if folder is None else tmp_path / folder
    names = ["findings.csv", "findings.xlsx", "pooled.csv", "summary.html"]
    assert sorted(path.name for path in there.iterdir()) == names
    assert all(name in said for name in names)
    assert (reports / "export").exists() == (folder is None)


def test_export_without_findings_and_in_an_unknown_language_says_so(tmp_path):
    code, said = workbook("export", "--reports", tmp_path)
    assert code == 2
    assert "There are no findings in" in said
    code, said = workbook("export", "--reports", tmp_path, "--language", "fr")
    assert code == 2
    assert "No language 'fr'" in said
    assert list(tmp_path.iterdir()) == []


def test_a_misspelt_world_is_refused_before_anything_is_measured():
    code, said = workbook("calibrate", "--scene", "no efect")
    assert code == 2
    assert "No scene 'no efect'. Did you mean 'no effect'?" in said
