"""The notebooks: which there are, the claim that each one tests, and their parameters."""

from __future__ import annotations

import ast
import difflib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from analysis.claims.hypotheses import nearest, register
from analysis.data.sources import ROOT, DataError
from analysis.language import LANGUAGES

FOLDER = ROOT / "notebooks"
NEEDED = ("region", "source", "as_of", "language", "seed")
"""Parameters of a notebook that is named after a claim."""
TRIALS = "trials"
"""The theme whose notebooks run where lots were drawn, or if they are asked for."""
OWN = ("region", "source")
"""Parameters that have options of their own on the command line."""


class UsageError(DataError):
    """A name or value on the command line that can't be right, as a message for the user."""


@dataclass(frozen=True)
class Notebook:
    """A notebook as it is in git, somewhere under `FOLDER`."""

    path: Path
    defaults: Mapping[str, object] | None = field(hash=False)
    """Of its parameters; None where it has no cell tagged "parameters"."""
    problem: str = field(default="", compare=False)
    """Why it can't be run, as a message for the user; empty where it can."""

    @property
    def name(self) -> str:
        """Its file name without the ending."""
        return self.path.stem

    @property
    def claim(self) -> str:
        """Id of the claim that it tests; empty where it tests none."""
        return claim_of(self.path)

    @property
    def theme(self) -> str:
        """The folder that it stands in, below `FOLDER`; empty for `FOLDER` and places elsewhere."""
        inside = self.path.is_relative_to(FOLDER) and self.path.parent != FOLDER
        return self.path.parent.relative_to(FOLDER).as_posix() if inside else ""

    @property
    def about(self) -> str:
        """Its name, theme and claim, and how it is run, for a list."""
        runs = "" if self.is_per_region else "over all regions"
        runs = 'not run, as no cell is tagged "parameters"' if self.defaults is None else runs
        runs = "can't be run" if self.problem else runs
        said = ", ".join(filter(None, [self.theme, self.claim, runs]))
        return f"{self.name} ({said})" if said else self.name

    @property
    def is_per_region(self) -> bool:
        """Whether it is run for each region, and not once over the findings of all."""
        return "region" in (self.defaults or ())


def claim_of(path: Path) -> str:
    """Return the id that the name of a notebook begins with, such as "H01"; else nothing."""
    found = re.match(r"H\d\d(?=_)", path.stem)
    return found[0] if found else ""


def paths() -> list[Path]:
    """Return the files of all notebooks below `FOLDER`, without JupyterLab's checkpoints."""
    found = FOLDER.rglob("*.ipynb")
    return [path for path in found if "/." not in f"/{path.relative_to(FOLDER).as_posix()}"]


def discover() -> dict[str, Notebook]:
    """Return all notebooks below `FOLDER`, in any folder, by name; see `find_all`."""
    return {each.name: each for each in find_all()}


def find_all() -> list[Notebook]:
    """Return all notebooks below `FOLDER`, theme by theme, each with what keeps it from being run.

    That is: its file is not a notebook, another one has its name or tests its claim, the register
    does not have the claim, or a parameter is missing. To have none is a `UsageError`.
    """
    found = sorted(map(_read, paths()), key=lambda each: (each.theme, each.path.name))
    if not found:
        raise UsageError(f"There is no notebook in {FOLDER.name}/.")
    return [replace(each, problem=each.problem or _problem(each, found)) for each in found]


def select(names: Sequence[str]) -> tuple[list[Notebook], list[str]]:
    """Return the notebooks of some names, claims or theme folders; all if none is given.

    A notebook without parameters is passed over, unless it is named or tests a claim.

    Returns
    -------
    list of Notebook, list of str
        Those that can be run, and why each other one that was asked for can't.

    Raises
    ------
    UsageError
        If a name is none of these, or if nothing that was asked for can be run.
    """
    found = find_all()
    known = [name for each in found for name in (each.name, each.claim, each.theme) if name]
    for name in names:
        if name not in known:
            (near,) = difflib.get_close_matches(name, dict.fromkeys(known), n=1, cutoff=0)
            raise UsageError(f"No notebook, claim or theme {name!r}. Did you mean {near!r}?")
    chosen = [
        each for each in found if not names or {each.name, each.claim, each.theme} & set(names)
    ]
    good = [each for each in chosen if each.defaults is not None and not each.problem]
    refused = dict.fromkeys(  # two notebooks for one claim have one message
        each.problem or _untagged(each)
        for each in chosen
        if each.problem or (each.defaults is None and each.name in names)
    )
    if refused and not good:
        raise UsageError("\n".join(refused))
    return good, list(refused)


def of_tables(chosen: Sequence[Notebook], tables: Collection[str]) -> list[Notebook]:
    """Leave out the notebooks on trials where a source has no table of assignments."""
    return [each for each in chosen if each.theme != TRIALS or "assignments" in tables]


def _read(path: Path) -> Notebook:
    """Read a notebook, or why it can't be read."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        tagged = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", ())]
        code = "".join(tagged[0]["source"]) if tagged else None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        why = f"{type(error).__name__}: {error}"
        return Notebook(path, None, f"{_shown(path)}: not a notebook ({why}).")
    try:
        lines = ast.parse(code or "").body
        found = {line.targets[0].id: ast.literal_eval(line.value) for line in lines}
    except (ValueError, AttributeError, SyntaxError, TypeError):
        expected = "must assign plain values only, such as: seed = 1"
        why = f'{_shown(path)}: the cell tagged "parameters" {expected}.'
        return Notebook(path, None, why)
    return Notebook(path, None if code is None else found)


def _problem(notebook: Notebook, others: Sequence[Notebook]) -> str:
    """Say what keeps a notebook from being run beside others; nothing where nothing does."""
    claim = notebook.claim
    alike = (
        each
        for each in others
        if each.path != notebook.path
        and (each.name == notebook.name or (claim and each.claim == claim))
    )
    if other := next(alike, None):
        both = " and ".join(_shown(each.path) for each in others if each in (notebook, other))
        if other.name == notebook.name:
            return f"Two notebooks have one name: {both}. Rename one of them."
        return (
            f"Two notebooks test {claim}: {both}. Rename one of them, so that its name "
            f"does not begin with {claim}_."
        )
    if not claim:
        return ""
    if claim not in register():
        missing = f"the register has no claim {claim}."
        return f"{notebook.path.name}: {missing}{nearest(claim, register())}"
    if notebook.defaults is None:
        return _untagged(notebook)
    lacks = [name for name in NEEDED if name not in notebook.defaults]
    if not lacks:
        return ""
    return (
        f"{_shown(notebook.path)}: a notebook named after a claim needs the parameters "
        f"{', '.join(NEEDED)}; it lacks {', '.join(lacks)}."
    )


def _untagged(notebook: Notebook) -> str:
    """Say that a notebook has no cell of parameters."""
    return (
        f'{_shown(notebook.path)}: no cell is tagged "parameters", so it can\'t be run for a '
        'region. Add one, such as: region = "North".'
    )


def choose(names: Sequence[str], known: Sequence[str], kind: str) -> list[str]:
    """Return the names that are asked for, or all that are known when none is.

    A name that is not known is a `UsageError`, with the nearest one.
    """
    for name in names:
        if name not in known:
            raise UsageError(f"No {kind} {name!r}.{nearest(name, known)}")
    return list(dict.fromkeys(names)) or list(known)


def parameters(notebooks: Sequence[Notebook], texts: Sequence[str]) -> dict[Notebook, dict]:
    """Read "name=value" for notebooks; each gets those that it has, in the type of its default.

    A name that none of them has, or a value of another type, is a `UsageError`.
    """
    given = {each: {} for each in notebooks}
    free = {name for each in notebooks for name in each.defaults if name not in OWN}
    for text in texts:
        name, _, value = text.partition("=")
        if name not in free:
            whose = f"{notebooks[0].name} has" if len(given) == 1 else "The notebooks have"
            raise UsageError(f"{whose} no parameter {name!r}.{nearest(name, sorted(free))}")
        if name == "language" and value not in LANGUAGES:
            raise UsageError(f"Parameter language = {value!r}: expected one of en, zh.")
        for each in notebooks:
            if name in each.defaults:
                given[each][name] = _like(each.defaults[name], name, value)
    return given


def _like(default: object, name: str, value: str) -> object:
    """Return a value in the type of the parameter's default."""
    try:
        return type(default)(value)
    except ValueError:
        kind = {"int": "a whole number", "float": "a number"}.get(type(default).__name__, "text")
        raise UsageError(f"Parameter {name} = {value!r}: expected {kind}.") from None


def _shown(path: Path) -> str:
    """Return a notebook's path as a user knows it."""
    return path.relative_to(FOLDER.parent).as_posix()
