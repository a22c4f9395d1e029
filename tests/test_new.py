"""`workbook new`: what it writes runs at once and decides nothing; what is there stays."""

import ast
import re
import shutil

import nbformat
import pytest
from typer.testing import CliRunner

from analysis.claims import hypotheses
from analysis.claims.hypotheses import hypothesis, register
from simulation import World, draw, rehearsal
from workbook import cli, new, notebooks


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with a register, and without any notebook."""
    table = shutil.copy(hypotheses.REGISTER_FILE, tmp_path / "hypotheses.toml")
    monkeypatch.setattr(hypotheses, "REGISTER_FILE", table)
    monkeypatch.setattr(notebooks, "FOLDER", tmp_path / "notebooks")
    for module in (new, rehearsal):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def here():
    return rehearsal.region_of(draw(World(), 600, 1))


@pytest.mark.parametrize("theme", new.THEMES)
def test_what_it_writes_runs_and_decides_nothing(project, here, theme):
    title = 'Loyal "friends" & {others}\\ """ + 1/0 "'
    paths = new.write("H97", title, theme)
    assert all(path.is_file() for path in paths)
    assert paths[0] == project / "notebooks" / theme / "H97_loyal_friends_others_1_0.ipynb"
    nbformat.validate(nbformat.read(paths[0], as_version=4))
    doc = ast.get_docstring(ast.parse(paths[1].read_text(encoding="utf-8")))
    assert doc == f"H97 {title}: its notebook in simulated regions."
    (found,) = notebooks.discover().values()
    assert (found.claim, found.theme, found.is_per_region) == ("H97", theme, True)
    assert hypothesis("H97").title["en"] == title
    assert list(register())[-1] == "H97"
    finding, known = rehearsal.run("H97", here)
    assert finding.verdict == "inconclusive"
    assert "filled in" in next(each.name for each in finding.checks if not each.passed)
    assert finding.formula == known["formula"]


def test_its_check_passes_only_when_every_marked_sentence_is_gone(project, here):
    notebook, _, table = new.write("H97", "Loyal friends", "value")

    def left_after(change):
        for path in (notebook, table):
            path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
        return new.unfilled("H97")

    marked = new.unfilled("H97")
    assert len(marked) == 11
    assert left_after(lambda text: text.replace(new.MARK + " ", "")) == marked
    for sentence in marked:
        last = left_after(lambda text, own=sentence: text.replace(own, "Our own words."))
        assert sentence not in last
    assert last == []
    finding, _ = rehearsal.run("H97", here)
    assert next(each.passed for each in finding.checks if "filled in" in each.name)


def test_a_region_without_the_columns_is_not_testable(project):
    tables = draw(World(), 60, 1)
    del tables["survey"]
    new.write("H97", "Loyal friends", "satisfaction")
    finding, _ = rehearsal.run("H97", rehearsal.region_of(tables))
    assert finding.verdict == "not testable"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("H01", "Again", "value"), "H01 is there already, in hypotheses.toml."),
        (("H9", "Again", "value"), "'H9' is no id of a claim"),
        (("H97", "满意", "value"), "needs a Latin letter"),
        (("H97", "Two\rlines", "value"), "in one line"),
        (("H97", "Again", "values"), "No theme 'values'. Did you mean 'value'?"),
    ],
)
def test_what_can_not_be_is_refused_in_one_message(project, given, words):
    before = hypotheses.REGISTER_FILE.read_bytes()
    with pytest.raises(notebooks.UsageError, match=re.escape(words)):
        new.write(*given)
    assert hypotheses.REGISTER_FILE.read_bytes() == before
    assert not (project / "notebooks").exists()


def test_the_same_claim_is_not_written_twice(project):
    said = CliRunner().invoke(cli.app, ["new", "H97", "Friends", "--theme", "value"])
    assert said.exit_code == 0
    assert "H97_friends.ipynb" in said.output
    with pytest.raises(notebooks.UsageError, match=r"H97_friends.*test_h97\.py.*hypotheses"):
        new.write("H97", "Others", "retention")
