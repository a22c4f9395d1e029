"""What the notebooks on complaints and retention take from their formula and from the register."""

import ast

import nbformat
import pytest

from workbook import notebooks

CLAIMS = {
    name: each
    for name, each in notebooks.discover().items()
    if each.claim and each.path.parent.name in ("complaints", "retention")
}


def nodes(notebook):
    """Return all nodes of a notebook's code, cell by cell."""
    for cell in nbformat.read(notebook.path, as_version=4).cells:
        if cell.cell_type == "code":
            code = "\n".join(line for line in cell.source.splitlines() if line[:1] != "%")
            yield from ast.walk(ast.parse(code))


def calls(notebook, name):
    """Return the calls of a function or method."""
    found = [node for node in nodes(notebook) if isinstance(node, ast.Call)]
    return [
        each for each in found if name in (getattr(each.func, "attr", ""), ast.unparse(each.func))
    ]


@pytest.mark.parametrize("notebook", CLAIMS.values(), ids=CLAIMS)
class TestAClaimAboutRecords:
    def test_another_outcome_than_the_registered_one_is_refused(self, notebook):
        """Its finding is worded, and judged, in the unit of this outcome."""
        (written,) = [
            node.value.value
            for node in nodes(notebook)
            if isinstance(node, ast.Assign)
            and getattr(node.targets[0], "id", "") == "formula"
            and isinstance(node.value, ast.Constant)
        ]
        (required,) = calls(notebook, "require_outcome")
        assert required.args[1].value == written.partition(" ~")[0]

    def test_what_is_said_to_be_held_is_what_the_formula_holds(self, notebook):
        said = {ast.unparse(each.args[1]) for each in calls(notebook, "controls_in_words")}
        assert said <= {"held", "before"}
        made = [ast.unparse(each) for each in calls(notebook, "formulas.held")]
        assert len(made) == bool(said | set(made))

    def test_no_band_of_the_register_is_typed(self, notebook):
        given = [
            [*each.args[3:4], *(word.value for word in each.keywords if word.arg == "band")]
            for name in ("effects", "specifications")
            for each in calls(notebook, name)
        ]
        bands = [band for found in given for band in found]
        typed = [node for band in bands for node in ast.walk(band) if is_number(node)]
        assert typed == []


def is_number(node):
    """Tell a typed number, other than the place of a part."""
    return isinstance(node, ast.Constant) and isinstance(node.value, float)
