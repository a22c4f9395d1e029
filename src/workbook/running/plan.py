"""What is to be done: notebooks x regions, with the parameters that are asked for."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from analysis.claims.hypotheses import nearest, register
from analysis.data.sources import ROOT, DataError
from workbook.running import fingerprints, up_to_date

LANGUAGES = ("en", "zh")
NOTEBOOKS = ROOT / "notebooks"
ACROSS = "90_across_regions"
"""The notebook that is run once per source, over the findings of its regions."""


class UsageError(DataError):
    """A name or value on the command line that can't be right, as a message for the user."""


@dataclass(frozen=True)
class Task:
    """One notebook to be executed for one region.

    Attributes
    ----------
    notebook : Path
        The notebook, as it is in git.
    source : str
        Name of the source.
    region : str
        Name of the region; empty for a notebook over all regions.
    parameters : dict
        All parameters that are given to the notebook.
    reports : Path
        Where the executed notebook and its page go.
    prints : dict of str
        Fingerprints of what its findings come from; see `findings.PRINTS`.
    """

    notebook: Path
    source: str
    region: str
    parameters: Mapping[str, object]
    reports: Path
    prints: Mapping[str, str] = field(default_factory=dict)

    @property
    def executed(self) -> Path:
        """Where the executed notebook goes; its page stands beside it."""
        return self.reports / self.source / self.region / self.notebook.name

    @property
    def given(self) -> dict[str, object]:
        """What the notebook is given: its parameters and, if it is run per region, the region."""
        return dict(self.parameters) | ({"region": self.region} if self.region else {})


@dataclass(frozen=True)
class Data:
    """What a run must know of a source's data.

    Attributes
    ----------
    prints : dict of str to str
        Fingerprint of each region's data, by region.
    until : str
        The last day that counts, as a date; empty where there is none.
    as_of : str
        The day that was asked for; empty for the data's own end.
    content : str or None
        Fingerprint of the source's files; None where it is not known.
    """

    prints: Mapping[str, str]
    until: str
    as_of: str = ""
    content: str | None = None


def notebooks() -> dict[str, Path]:
    """Return the notebooks that are run per region, by name.

    Raises
    ------
    UsageError
        If there is none.
    """
    found = {path.stem: path for path in sorted(NOTEBOOKS.glob("[0-8]*.ipynb"))}
    if not found:
        raise UsageError(f"There is no notebook in {NOTEBOOKS.name}/ that is run per region.")
    return found


def chosen(names: Sequence[str], known: Sequence[str], kind: str) -> list[str]:
    """Return the chosen names, or all that are known when none is chosen.

    Raises
    ------
    UsageError
        If a name is not known; the message has the nearest one.
    """
    for name in names:
        if name not in known:
            raise UsageError(f"No {kind} {name!r}.{nearest(name, known)}")
    return list(dict.fromkeys(names)) or list(known)


def parameters(notebook: Path, given: Sequence[str]) -> dict[str, object]:
    """Read "name=value" parameters for a notebook, in the type of its defaults.

    Raises
    ------
    UsageError
        If a name is not a parameter of the notebook, or a value is of another type.
    """
    known, found = _defaults(notebook), {}
    for text in given:
        name, _, value = text.partition("=")
        if name not in known or name in ("region", "source"):
            free = [each for each in known if each not in ("region", "source")]
            raise UsageError(f"{notebook.stem} has no parameter {name!r}.{nearest(name, free)}")
        found[name] = _like(known[name], name, value)
        if name == "language" and value not in LANGUAGES:
            raise UsageError(f"Parameter language = {value!r}: expected one of en, zh.")
    return found


def _defaults(notebook: Path) -> dict[str, object]:
    """Return the parameters of a notebook and their defaults, which are literals."""
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        tagged = (cell for cell in cells if "parameters" in cell["metadata"].get("tags", ()))
        lines = ast.parse("".join(next(tagged)["source"])).body
        return {line.targets[0].id: ast.literal_eval(line.value) for line in lines}
    except ValueError as error:  # also of JSON, of UTF-8 and of literals
        raise UsageError(f"{notebook.name}: not a notebook with parameters: {error}.") from None
    except (AttributeError, KeyError, StopIteration, SyntaxError, TypeError):
        raise UsageError(f'{notebook.name}: no cell tagged "parameters", of literals.') from None


def _like(default: object, name: str, value: str) -> object:
    """Return a value in the type of the parameter's default."""
    try:
        return type(default)(value)
    except ValueError:
        kind = {"int": "a whole number", "float": "a number"}.get(type(default).__name__, "text")
        raise UsageError(f"Parameter {name} = {value!r}: expected {kind}.") from None


def tasks(
    source: str,
    data: Data,
    regions: Sequence[str],
    given: Mapping[Path, Mapping[str, object]],
    reports: Path,
) -> list[Task]:
    """Return what is to be done: every notebook for every region.

    Parameters
    ----------
    source : str
        Name of the source.
    data : Data
        What is known of its data.
    regions : sequence of str
        Names of its regions.
    given : mapping of Path to dict
        Parameters of each notebook.
    reports : Path
        Where reports go.
    """
    whole = {"data_until": data.until, "module": fingerprints.module()}
    of_notebooks = {
        path: {"notebook": fingerprints.notebook(path), "parameters": _print(parameters)}
        for path, parameters in given.items()
    }
    return [
        Task(path, source, region, parameters, reports, prints)
        for region in regions
        for path, parameters in given.items()
        for prints in [whole | of_notebooks[path] | {"data": data.prints[region]}]
    ]


def in_turns(tasks: Sequence[Task], jobs: int) -> list[Task]:
    """Return tasks in an order in which as many regions take turns as notebooks run at once.

    The first notebook of a region prepares its data, and the next ones need not wait for it.
    """
    regions = dict.fromkeys(task.region for task in tasks)
    turn = {region: number // jobs for number, region in enumerate(regions)}
    return sorted(tasks, key=lambda task: (turn[task.region], task.notebook.name))


def across(tasks: Sequence[Task]) -> list[Task]:
    """Return the task that looks at all regions of a source together, if there is anything to see.

    What it depends on are the reports of the regions that stand in the folder by now.

    Parameters
    ----------
    tasks : sequence of Task
        Tasks of the source's regions.

    Returns
    -------
    list of Task
        One, or none where no notebook that tests a hypothesis is or will be there.

    Raises
    ------
    UsageError
        If its file is not a notebook.
    """
    task, testing = tasks[0], {each.notebook for each in register().values()}
    done = up_to_date.of_regions(task.reports)
    there = {path.stem for path in done if path.parts[-3] == task.source}
    path = NOTEBOOKS / f"{ACROSS}.ipynb"
    if not path.is_file() or not testing & (there | {each.notebook.stem for each in tasks}):
        return []
    shared = {name: task.parameters[name] for name in _defaults(path) if name in task.parameters}
    prints = {
        "data_until": task.prints.get("data_until", ""),
        "data": up_to_date.of_reports(task.reports, task.source),
        "notebook": fingerprints.notebook(path),
        "module": fingerprints.module(),
        "parameters": _print(shared),
    }
    return [Task(path, task.source, "", shared, task.reports, prints)]


def _print(parameters: Mapping[str, object]) -> str:
    """Return the fingerprint of parameters without the source, which may be a path from here."""
    own = {name: value for name, value in parameters.items() if name != "source"}
    return fingerprints.short([json.dumps(own, sort_keys=True).encode()])
