"""Write the notebook, the register's entry and the test of a new claim, from templates."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import jinja2
import nbformat

from analysis.claims import hypotheses
from analysis.claims.hypotheses import nearest, register
from analysis.data.files import whole
from analysis.data.sources import ROOT
from workbook import notebooks
from workbook.lab import METADATA
from workbook.notebooks import UsageError

TEMPLATES = Path(__file__).parent / "templates"
MARK = "✎"
"""Stands before each sentence of the templates that the author has to replace."""
FACE = (
    "checks", "claim", "coefficients", "formulas", "load_region", "models", "say",
    "specification_curve", "survey_charts", "use_theme",
)  # fmt: skip
"""What every new notebook imports; a theme adds what it loads."""

THEMES = tomllib.loads((TEMPLATES / "themes.toml").read_text(encoding="utf-8"))


def write(key: str, title: str, theme: str) -> list[Path]:
    """Write what a new claim needs, all of it or nothing.

    The notebook runs at once, with an example of a regression. It concludes *inconclusive*
    until its author has written their own sentences in the place of the template's; see
    `unfilled`. Returned are the paths of notebook, test and register.

    Raises
    ------
    UsageError
        If the claim is there already, or a name can't be used.
    """
    words = re.findall(r"[a-z0-9]+", title.lower())
    if not re.fullmatch(r"H\d\d", key):
        raise UsageError(f"{key!r} is no id of a claim: expected H and two digits, such as H23.")
    if not words or len(title.splitlines()) > 1 or "\0" in title:
        raise UsageError(f"The title {title!r} needs a Latin letter or digit, in one line.")
    if theme not in THEMES:
        raise UsageError(f"No theme {theme!r}.{nearest(theme, THEMES)}")
    name, variable = "_".join([key, *words])[:60], key.lower()
    test = ROOT / "tests" / "claims" / f"test_{variable}.py"
    taken = [*notebooks.FOLDER.rglob(f"{key}_*.ipynb"), *[test] * test.exists()]
    if key in register():
        taken.append(hypotheses.REGISTER_FILE)
    if taken:
        places = ", ".join(path.relative_to(ROOT).as_posix() for path in taken)
        raise UsageError(f"{key} is there already, in {places}. Nothing was written.")
    start = {"rows": "customers", "fitted": "fit", "min_days": 0} | THEMES[theme]
    start |= {"key": key, "title": title, "notebook": name, "variable": variable}
    start["imports"] = sorted({*FACE, *start["imports"]}, key=str.lower)
    start["fit"] = start["fit"].format(**start)
    entry = hypotheses.REGISTER_FILE.read_text(encoding="utf-8") + _rendered("entry.toml", start)
    tomllib.loads(entry)  # a mistake of the template must not break the register
    texts = {
        notebooks.FOLDER / theme / f"{name}.ipynb": _notebook(_rendered("notebook.py", start)),
        test: _rendered("test.py", start),
        hypotheses.REGISTER_FILE: entry,
    }
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as draft:
            draft.write_text(text, encoding="utf-8")
    return list(texts)


def unfilled(key: str) -> list[str]:
    """Return the sentences of the templates that still stand in a claim's notebook or entry.

    In the templates they begin with `MARK`; taking out the mark alone leaves them there.
    """
    cells = (
        cell["source"]
        for path in notebooks.FOLDER.rglob(f"{key}_*.ipynb")
        for cell in nbformat.read(path, as_version=4).cells
    )
    entry = tomllib.loads(hypotheses.REGISTER_FILE.read_text(encoding="utf-8"))[key]
    text = "\n".join([*cells, json.dumps(entry, ensure_ascii=False)])
    marked = (
        re.findall(f'{MARK} ([^"\n]+)', (TEMPLATES / name).read_text(encoding="utf-8"))
        for name in ("notebook.py.j2", "entry.toml.j2")
    )
    return [sentence for found in marked for sentence in found if sentence in text]


def _rendered(name: str, values: dict) -> str:
    """Fill in a template."""
    loader = jinja2.FileSystemLoader(TEMPLATES)
    environment = jinja2.Environment(loader=loader, trim_blocks=True, keep_trailing_newline=True)
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False}
    return environment.get_template(f"{name}.j2").render(values)


def _notebook(text: str) -> str:
    """Return the JSON of a notebook whose cells are marked by lines that begin with `# %%`."""
    found = nbformat.v4.new_notebook(nbformat_minor=5)
    found.metadata = METADATA
    for number, cell in enumerate(re.split(r"^# %%", text, flags=re.MULTILINE)[1:]):
        kind, _, source = cell.partition("\n")
        is_text = "markdown" in kind
        new = nbformat.v4.new_markdown_cell if is_text else nbformat.v4.new_code_cell
        tags = {"tags": ["parameters"]} if "parameters" in kind else {}
        found.cells.append(new(source.strip("\n"), id=f"cell-{number}", metadata=tags))
    nbformat.validate(found)
    return nbformat.writes(found, indent=1, ensure_ascii=False) + "\n"
