"""Runs without a person: languages side by side, warnings, and a command that is told."""

import json
import re

import pytest
from bs4 import BeautifulSoup

from analysis.data.sources import DataError
from shells import CLAIMS, write_notebook, write_notebooks, write_small
from workbook import notify

pytestmark = pytest.mark.slow

WARN = "import warnings; warnings.warn('no font was found')"
HEAR = "sh -c 'cat > {0}/said; printenv WORKBOOK_SUMMARY > {0}/facts; echo x >> {0}/calls'"


@pytest.fixture(scope="module")
def both(shell, tmp_path_factory):
    """Reports of two regions in both languages, and what the run printed."""
    folder = tmp_path_factory.mktemp("both")
    source, notebooks = write_small(folder), write_notebooks(folder / "notebooks")
    write_notebook(notebooks / "value", "H12_value", WARN, CLAIMS)
    words = ("run", "-s", source, "--reports", folder / "reports", "--language", "both")
    code, said = shell.workbook(notebooks, *words, "--notify", HEAR.format(folder), "--json")
    assert code == 0, said
    return folder, [json.loads(line) for line in said.splitlines() if line.startswith("{")]


def links(page):
    """Return the addresses of a page's links to other languages."""
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    return soup.html["lang"], {a["lang"]: a["href"] for a in soup.select(".languages a")}


@pytest.mark.parametrize(
    "name", ["index.html", "small/North/index.html", "small/North/H12_value.html"]
)
def test_every_page_has_the_other_language_beside_it(both, name):
    english, chinese = (both[0] / "reports" / each / name for each in ("", "zh"))
    for page, own, other, target in (
        (english, "en", "zh", chinese), (chinese, "zh", "en", english),
    ):  # fmt: skip
        language, found = links(page)
        assert (language, list(found)) == (own, [other])
        assert (page.parent / found[other]).resolve() == target.resolve()


def test_the_folder_of_another_language_is_no_source_of_the_first(both):
    index = (both[0] / "reports" / "index.html").read_text(encoding="utf-8")
    heads = BeautifulSoup(index, "html.parser").select("thead [data-size]")
    assert [head.text for head in heads] == ["North", "South"]


def test_a_warning_is_told_once(both):
    told = [each for each in both[1] if each["event"] == "warning" and "font" in each["text"]]
    assert [each["text"] for each in told] == ["no font was found"] * 2  # once in each language


def test_a_command_is_told_once_what_came_of_a_run(both):
    folder = both[0]
    facts = json.loads((folder / "facts").read_text(encoding="utf-8"))
    assert (folder / "calls").read_text() == "x\n"
    assert (facts["source"], facts["exit_code"], facts["failed"]) == ("small", 0, [])
    assert facts["index"] == str(folder / "reports" / "index.html")
    assert (folder / "said").read_text(encoding="utf-8").startswith("workbook run --source small")


def test_it_is_told_of_verdicts_that_moved_and_of_what_failed(shell, tmp_path):
    source, notebooks = write_small(tmp_path), write_notebooks(tmp_path / "notebooks")
    words = ("run", "-s", source, "--reports", tmp_path / "reports")
    told = (*words, "--notify", HEAR.format(tmp_path))
    assert shell.workbook(notebooks, *words)[0] == 0
    assert shell.workbook(notebooks, *told)[0] == 0
    assert json.loads((tmp_path / "facts").read_text())["moved"] == []
    write_notebook(notebooks / "retention", "H17_retention", "1 / 0")
    assert shell.workbook(notebooks, *told)[0] == 1
    facts = json.loads((tmp_path / "facts").read_text())
    assert [each.split(":")[0] for each in facts["failed"]] == [
        "North · H17_retention", "South · H17_retention",
    ]  # fmt: skip
    moved = [each for each in facts["moved"] if each["region"] == "North"]
    assert [(each["claim"], each["after"]) for each in moved] == [("H17", "failed")]
    assert "notebook" in moved[0]["causes"]
    said = (tmp_path / "said").read_text(encoding="utf-8")
    assert re.search(r"^H17 in North: \w[\w ]* -> failed \(because of: .*notebook", said, re.M)


def test_it_is_told_why_nothing_ran(shell, tmp_path):
    words = ("run", "-s", write_small(tmp_path), "--reports", tmp_path / "reports")
    words = (*words, "--region", "Nroth", "--notify", HEAR.format(tmp_path))
    code, said = shell.workbook(write_notebooks(tmp_path / "notebooks"), *words)
    assert code == 2
    facts = json.loads((tmp_path / "facts").read_text())
    assert "No region 'Nroth'" in facts["error"]
    assert facts["exit_code"] == 2
    assert "No region 'Nroth'" in said


def test_a_command_that_fails_changes_no_exit_code(shell, tmp_path):
    words = ("run", "-s", write_small(tmp_path), "--reports", tmp_path / "reports")
    notebooks = write_notebooks(tmp_path / "notebooks")
    code, said = shell.workbook(notebooks, *words, "--notify", "no-such-command")
    assert code == 0
    assert "--notify: no-such-command: No such file or directory." in said
    code, said = shell.workbook(notebooks, *words, "--notify", "false")
    assert (code, "--notify: false ended with 1." in said) == (0, True)


@pytest.mark.parametrize("command", ["   ", "mail 'unfinished"])
def test_a_command_that_is_none_is_refused_before_anything_runs(command):
    with pytest.raises(DataError, match="--notify"):
        notify.arguments(command)
