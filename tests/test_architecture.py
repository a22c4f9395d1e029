"""Imports point one way, files and folders stay small, and every document's links are there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SRC = ROOT / "src"
MAY_IMPORT = {
    "analysis.language": set(),
    "analysis.statistics": {"analysis.language"},
    "analysis.data": {"analysis.language"},
    "analysis.cohorts": {"analysis.language", "analysis.statistics", "analysis.data"},
}
MAY_IMPORT["analysis.figures"] = MAY_IMPORT["analysis.cohorts"] | {"analysis.cohorts"}
MAY_IMPORT["analysis.claims"] = MAY_IMPORT["analysis.figures"] | {"analysis.figures"}
MAY_IMPORT["analysis"] = set(MAY_IMPORT)
MAY_IMPORT["simulation"] = set(MAY_IMPORT)
MAY_IMPORT["workbook"] = MAY_IMPORT["simulation"] | {"simulation"}
MODULES = sorted(SRC.rglob("*.py"))


def package(name):
    """Return the part of the house that a module belongs to."""
    parts = name.split(".")
    inner = ".".join(parts[:2])
    return inner if inner in MAY_IMPORT else parts[0]


def imports(path):
    """Return the project's modules that a module imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import"
            names = [f"{node.module}.{each.name}" for each in node.names]
        else:
            continue
        yield from (
            each for each in names if each.split(".")[0] in ("analysis", "simulation", "workbook")
        )


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SRC)))
def test_imports_point_down(path):
    own = package(".".join(path.relative_to(SRC).with_suffix("").parts))
    found = {package(name) for name in imports(path)} - {own}
    assert found <= MAY_IMPORT[own]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SRC)))
def test_no_file_is_long(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


def test_no_folder_is_full():
    folders = {path.parent for path in MODULES}
    counts = {str(each.relative_to(SRC)): len(list(each.glob("*.py"))) for each in folders}
    assert {name: n for name, n in counts.items() if n > 12} == {}


DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    links = re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_the_readme_is_short_and_links_every_document_once():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 150
    for path in DOCUMENTS[2:]:
        assert text.count(f"](docs/{path.name})") == 1
