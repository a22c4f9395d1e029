"""How the notebooks are written, and that one formula makes all that a notebook computes."""

import ast
import re
from types import SimpleNamespace

import nbformat
import papermill
import pytest

from analysis.claims.hypotheses import register
from simulation import World, draw, rehearsal
from workbook import notebooks

ALL = notebooks.discover()
CLAIMS = {name: each for name, each in ALL.items() if each.claim}
MOST_CELLS, MOST_LINES, MOST_LINES_OF_CELL = 20, 165, 28
PER_REGION = ["region", "source", "as_of", "language", "seed"]


def cells(notebook, kind="code"):
    read = nbformat.read(notebook.path, as_version=4).cells
    return [cell for cell in read if cell.cell_type == kind]


def tree(cell):
    """Return the syntax tree of a code cell, without the lines that are IPython's own."""
    return ast.parse("\n".join(line for line in cell.source.splitlines() if line[:1] != "%"))


def calls(notebook, name):
    """Return the calls of a function or method in a notebook."""
    return [
        node
        for cell in cells(notebook)
        for node in ast.walk(tree(cell))
        if isinstance(node, ast.Call)
        and name in (getattr(node.func, "id", ""), getattr(node.func, "attr", ""))
    ]


def formula_of(notebook):
    """Return the position of the cell that is one assignment of a text to `formula`, and the text.

    Columns of a driver that depend on the region may be filled in by an f-string.
    """
    found = []
    for place, cell in enumerate(cells(notebook)):
        body = tree(cell).body
        is_one = len(body) == 1 and isinstance(body[0], ast.Assign)
        if is_one and getattr(body[0].targets[0], "id", "") == "formula":
            assert isinstance(body[0].value, ast.Constant | ast.JoinedStr)
            found.append(place)
    assert len(found) == 1, "one cell that writes the formula, and nothing else"
    return found[0]


@pytest.mark.parametrize("notebook", ALL.values(), ids=ALL)
class TestEveryNotebook:
    def test_it_is_valid_and_has_no_outputs(self, notebook):
        nbformat.validate(nbformat.read(notebook.path, as_version=4))
        for cell in cells(notebook):
            assert cell.outputs == []
            assert cell.execution_count is None

    def test_the_parameters_are_literals(self, notebook):
        assert cells(notebook)[0].metadata["tags"] == ["parameters"]
        names = PER_REGION if notebook.is_per_region else ["source", "language"]
        assert list(notebook.defaults) == names
        assert set(papermill.inspect_notebook(str(notebook.path))) == set(names)

    def test_nothing_is_defined_and_no_warning_is_hidden(self, notebook):
        defined = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda
        for cell in cells(notebook):
            assert not [node for node in ast.walk(tree(cell)) if isinstance(node, defined)]
            assert "warnings" not in cell.source
            assert "raises-exception" not in cell.metadata.get("tags", [])

    def test_it_is_short(self, notebook):
        lines = [len(cell.source.splitlines()) for cell in cells(notebook)]
        assert max(lines) <= MOST_LINES_OF_CELL
        assert len(lines) <= MOST_CELLS
        assert sum(lines) <= MOST_LINES

    def test_it_argues_in_words(self, notebook):
        text = [cell.source for cell in cells(notebook, "markdown")]
        lines = sum(len(cell.source.splitlines()) for cell in cells(notebook))
        assert len(" ".join(text).split()) > 2.5 * lines
        headings = [line for cell in text for line in cell.splitlines() if line.startswith("#")]
        assert headings[0].startswith("# ")
        assert headings[1] == "## Question"

    def test_no_number_from_the_data_is_typed_into_the_text(self, notebook):
        for cell in cells(notebook, "markdown"):
            assert not re.search(r"\d+\.\d\d|\d,\d{3}|p\s*[=<]", cell.source), cell.source

    def test_customers_are_they(self, notebook):
        text = " ".join(cell.source for cell in nbformat.read(notebook.path, as_version=4).cells)
        assert not re.search(r"\b(he|his|him|she|her)\b", text)


def test_each_claim_of_the_register_has_one_notebook():
    assert sorted(each.claim for each in CLAIMS.values()) == sorted(register())


@pytest.mark.parametrize("notebook", CLAIMS.values(), ids=CLAIMS)
class TestTheNotebookOfAClaim:
    def test_its_title_is_the_registers(self, notebook):
        title = register()[notebook.claim].title["en"]
        assert cells(notebook, "markdown")[0].source == f"# {notebook.claim} {title}"

    def test_the_claim_stands_at_the_top_and_is_its_own(self, notebook):
        (made,) = calls(notebook, "claim")
        assert made.args[0].value == notebook.claim
        assert "claim(" in cells(notebook)[2].source  # after parameters and imports

    def test_it_stops_instead_of_asking_whether_it_may_go_on(self, notebook):
        """No guard: what can't be tested ends the notebook, so that nothing runs in vain."""
        for cell in cells(notebook):
            assert "testable" not in cell.source
            body = tree(cell).body
            assert not (len(body) == 1 and isinstance(body[0], ast.If)), cell.source

    def test_it_concludes_once_with_the_formula(self, notebook):
        (concluded,) = calls(notebook, "conclude")
        given = {each.arg: each.value for each in concluded.keywords}
        assert given["formula"].id == "formula"
        assert ("hidden" in given) == register()[notebook.claim].causal

    def test_what_is_fitted_and_varied_takes_the_formula(self, notebook):
        place = formula_of(notebook)
        after = cells(notebook)[place + 1 :]
        names = [node for cell in after for node in ast.walk(tree(cell))]
        used = [each for each in names if getattr(each, "id", "") == "formula"]
        assert used
        found = calls(notebook, "curve")
        curves = [each for each in found if each.func.value.id != "early_warning"]
        for call in curves:
            first = call.args[0]
            assert isinstance(first, ast.Name)
            assert first.id.endswith("formula")
        typed = [
            each.value
            for each in names
            if isinstance(each, ast.Constant) and isinstance(each.value, str)
            and re.search(r"~.*(segment|area|log_tenure)", each.value)
        ]  # fmt: skip
        assert typed == []

    def test_what_it_says_is_held_equal_is_what_the_formula_says(self, notebook):
        made = [
            node.targets[0].id
            for cell in cells(notebook)
            for node in ast.walk(tree(cell))
            if isinstance(node, ast.Assign) and ast.unparse(node.value)[:14] == "formulas.held("
        ]
        assert {each.args[1].id for each in calls(notebook, "controls_in_words")} <= {*made}

    def test_no_riddle_about_expectation(self, notebook):
        assert not [c for c in cells(notebook, "markdown") if "Expectation tells" in c.source]


def edited(notebook, folder, old, new):
    """Write a notebook whose formula is another."""
    read = nbformat.read(notebook.path, as_version=4)
    cell = [cell for cell in read.cells if cell.cell_type == "code"][formula_of(notebook)]
    assert old in cell.source
    cell.source = cell.source.replace(old, new)
    path = folder / notebook.path.name
    nbformat.write(read, path)
    return path


def variables(path, here):
    """Return a notebook's variables at its end."""
    known, given = {}, {"region": here.name, "source": "simulated", "language": "en", "seed": 1}
    for _ in rehearsal.perform(path, known, given, here):
        pass
    return known


@pytest.fixture(scope="module")
def here():
    return rehearsal.region_of(draw(World(), 1500, 1))


@pytest.mark.parametrize(
    ("name", "old", "new", "moved"),
    [
        ("H14", "log_value + ", "", ("effect", "strong")),
        ("H07", " + segment", "", ("sensitive", "parts")),
    ],
)
def test_one_edit_of_the_formula_moves_fit_variants_curve_and_finding(
    here, tmp_path, name, old, new, moved
):
    notebook = next(each for each in CLAIMS.values() if each.claim == name)
    before = variables(notebook.path, here)
    after = variables(edited(notebook, tmp_path, old, new), here)
    for each in moved:
        assert before[each] != after[each]
    assert before["finding"].estimates != after["finding"].estimates
    assert after["finding"].formula == after["formula"] != before["finding"].formula
    main = [known["curve"].query("main")["estimate"].iloc[0] for known in (before, after)]
    assert main[0] != main[1]


@pytest.mark.parametrize("name", ["H13", "H07"])
def test_a_control_that_was_dropped_is_not_said_to_be_held(here, tmp_path, name):
    notebook = next(each for each in CLAIMS.values() if each.claim == name)
    known = variables(edited(notebook, tmp_path, " + segment", ""), here)
    assert known["held"] == ["area", "log_tenure"]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("H13", "visits_half ~", "visits_after ~"),
        ("H04", "z_satisfaction ~", "z_satisfaction_1 ~"),
        ("H16", "gain ~", "retained ~"),
        ("H24", "litres ~", "visits ~"),
    ],
)
def test_another_outcome_than_the_registered_one_is_refused(here, tmp_path, name, old, new):
    notebook = next(each for each in CLAIMS.values() if each.claim == name)
    with pytest.raises(ValueError, match=f'The claim is about "{old[:-2]}"'):
        variables(edited(notebook, tmp_path, old, new), here)


@pytest.mark.parametrize(
    ("slope", "bend", "words"),
    [
        ((-0.01, 0.01), (-0.01, 0.01), "acceptable"),
        ((-0.01, 0.01), (0.2, 0.3), "rejected"),
        ((-0.01, 0.01), (-0.3, 0.3), "can't be told"),
        ((0.2, 0.3), (-0.3, 0.3), "rejected"),
    ],
)
def test_a_difference_would_do_only_without_slope_and_bend(slope, bend, words):
    notebook = next(each for each in CLAIMS.values() if each.claim == "H01")
    (cell,) = (each for each in cells(notebook) if "along equality" in each.source)
    ends = {"slope": slope, "bend": bend}
    shape = {
        f"along equality, {name}": SimpleNamespace(ci_low=low, ci_high=high)
        for name, (low, high) in ends.items()
    }
    said = []
    small = register()["H01"].parts[0].negligible
    exec(cell.source[cell.source.index("along =") :], locals() | {"say": said.append})
    assert words in said[0]


def test_a_formula_that_names_an_unknown_column_says_which_there_are(here, tmp_path):
    notebook = next(each for each in CLAIMS.values() if each.claim == "H14")
    path = edited(notebook, tmp_path, "log_value", "log_wealth")
    with pytest.raises(ValueError, match=r"log_wealth, which the table does not have.*log_value"):
        variables(path, here)
