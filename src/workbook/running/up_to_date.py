"""Up-to-date checks: which reports were made from what there is now.

Beside each report stands a small hidden file with the key of what it was made from and the
seconds that it took. It is written last, so that a report with the right key is whole.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.claims import hypotheses
from analysis.claims.hypotheses import register
from analysis.data.files import is_file, write_text
from analysis.language import LANGUAGES
from workbook import notebooks
from workbook.running import fingerprints

if TYPE_CHECKING:
    from workbook.running.plan import Task

INDEX = ("index.html", "findings.csv", "findings.parquet", "variants.parquet", "tests.parquet")
"""What is made from all reports together."""


CELLS = ("code", "markdown", "raw")
_HALF = re.compile(r"\\u[dD][89a-fA-F]")
"""Half of a character in JSON."""
_NOT_READ = (OSError, ValueError, RecursionError)


@dataclass(frozen=True)
class Record:
    """What stands beside a report."""

    key: str = ""  # fingerprint of all that the report was made from; empty if it failed
    seconds: float | None = None  # how long it took


def key(task: Task) -> str:
    """Return the fingerprint of all that a task's report depends on."""
    whole = {"given": task.given, "provenance": dict(task.provenance), "name": task.notebook.stem}
    whole["register"] = hypotheses.fingerprint()
    return fingerprints.short([json.dumps(whole, sort_keys=True, default=str).encode()])


def is_done(task: Task) -> bool:
    """Tell whether a task's report is there, whole, and made from what there is now."""
    there = task.executed.is_file() and task.executed.with_suffix(".html").is_file()
    return there and record(task.executed).key == key(task)


def record(executed: Path) -> Record:
    """Read what stands beside a report; an empty record where there is none."""
    try:
        found = Record(**json.loads(_text(_beside(executed))))
    except (OSError, ValueError, TypeError, RecursionError):
        return Record()
    is_whole = isinstance(found.key, str) and isinstance(found.seconds, float | int | None)
    return found if is_whole else Record()


def begin(task: Task) -> None:
    """Take back a report's key before anything of it is replaced; its seconds stay."""
    known = record(task.executed)
    if known.key:
        _write(task.executed, Record("", known.seconds))


def finish(task: Task, seconds: float, failed: bool) -> None:
    """Write down what a report was made from; one that failed is to be made again."""
    _write(task.executed, Record("" if failed else key(task), round(seconds, 2)))


def of_regions(reports: Path, gone: bool = False) -> list[Path]:
    """Return the executed notebooks of all sources' regions, in order.

    Those of notebooks that are no longer there are left out, and what is no report. So are those
    of regions that are no longer in their source's data, as `note_data` noted it; or, if `gone`,
    all others.
    """
    known = {path.stem for path in notebooks.paths()}
    there = sorted(
        path
        for path in reports.glob("*/*/*.ipynb")
        if path.stem in known and path.parts[-3] not in LANGUAGES  # whose folders are in this one
        if not is_linked(reports, path)
    )
    paths = [path for path in there if is_report(path)]
    noted = {name: data(reports, name).get("prints") for name in {path.parts[-3] for path in paths}}

    def is_gone(path: Path) -> bool:
        regions = noted[path.parts[-3]]
        return regions is not None and path.parts[-2] not in regions

    return [path for path in paths if is_gone(path) == gone]


def over_regions(reports: Path) -> list[Path]:
    """Return the executed notebooks that look at all regions of a source, in order."""
    paths = sorted(reports.glob("*/*.ipynb"))
    return [path for path in paths if is_report(path) and not is_linked(reports, path)]


def is_report(path: Path) -> bool:
    """Tell whether a notebook is one that a run has written, and whole."""
    try:
        about = path.stat()
    except OSError:
        return False
    return is_file(path) and _is_report(path, about.st_mtime_ns, about.st_size)


def is_linked(reports: Path, path: Path) -> bool:
    """Tell whether a file of a folder of reports, or a folder on the way to it, is a link."""
    steps = path.relative_to(reports).parts
    return any(reports.joinpath(*steps[: n + 1]).is_symlink() for n in range(len(steps)))


@lru_cache(maxsize=100_000)
def _is_report(path: Path, changed: int, size: int) -> bool:
    """Tell it of a file of a time."""
    try:
        text = _text(path)
        notebook = json.loads(text)
        if _HALF.search(text):  # which no file can hold: raises if it stands alone
            json.dumps(notebook, ensure_ascii=False).encode()
        about, cells = notebook["metadata"]["workbook"], notebook["cells"]
        is_own = all(isinstance(about[key], dict) for key in ("provenance", "parameters"))
        is_own &= all(isinstance(each, str) for each in about["provenance"].values())
        texts = ("source", "region", "notebook", "theme", "claim", "status", "error", "language")
        place = tuple(filter(None, (about["source"], about["region"])))
        is_own &= path.parent.parts[-len(place) :] == place  # else pages would go elsewhere
        is_own &= all(isinstance(about[key], str) for key in texts)
        is_own &= about["language"] in LANGUAGES and bool(cells)
        is_own &= about["status"] in ("ok", "failed") and about["claim"] in ("", *register())
        return is_own and all(map(_is_cell, cells))
    except (*_NOT_READ, KeyError, TypeError, AttributeError):
        return False


def _is_cell(cell: Mapping) -> bool:
    """Tell whether a cell of a notebook has what all have."""
    outputs = cell.get("outputs", [])
    is_whole = all(isinstance(each["output_type"], str) for each in outputs)
    is_whole &= all(isinstance(each.get("data", {}), dict) for each in outputs)
    is_whole &= isinstance(cell["source"], str | list) and isinstance(cell["metadata"], dict)
    return is_whole and cell["cell_type"] in CELLS


def _text(path: Path) -> str:
    """Return the text of a regular file; another kind of file would be waited for."""
    if not is_file(path):
        raise FileNotFoundError(errno.ENOENT, "This is no file", str(path))
    return path.read_text(encoding="utf-8")


def _is_page(path: Path) -> bool:
    """Tell whether a page is there, and a text."""
    try:
        _text(path)
    except _NOT_READ:
        return False
    return True


def unreadable(reports: Path) -> list[str]:
    """Return a sentence for each notebook, page and link in a folder that no run has written."""
    links = {path for path in [*reports.glob("*"), *reports.glob("*/*")] if path.is_symlink()}
    notebooks = {*reports.glob("*/*.ipynb"), *reports.glob("*/*/*.ipynb")}
    notebooks = {path for path in notebooks if not is_linked(reports, path)}
    reported = {path for path in notebooks if is_report(path)}
    pages = {path.with_suffix(".html") for path in reported}
    said = dict.fromkeys(links, "not read; it is a link, and nothing is written there.")
    said |= dict.fromkeys(notebooks - reported, "not read; it is no whole report of a run.")
    said |= {
        path: "this is no page of a run." for path in pages if path.exists() and not _is_page(path)
    }
    names = {path.relative_to(reports): why for path, why in said.items()}
    shown = [name for name in names if not any(part.startswith(".") for part in name.parts)]
    return [f"{_readable(name)}: {names[name]}" for name in sorted(shown)]


def _readable(name: Path) -> str:
    """Return a path as text; what is none in UTF-8 becomes a mark."""
    return os.fsencode(name.as_posix()).decode("utf-8", errors="replace")


def of_reports(reports: Path, source: str) -> str:
    """Return the fingerprint of the reports of a source's regions, as they stand."""
    return _fingerprint(reports, (p for p in of_regions(reports) if p.parts[-3] == source))


def is_indexed(reports: Path) -> bool:
    """Tell whether the index and the findings are those of the reports as they stand."""
    there = all((reports / name).is_file() for name in INDEX)
    return there and record(reports / "index.html").key == _of_all(reports)


def indexed(reports: Path) -> None:
    """Write down which reports the index and the findings were made from."""
    _write(reports / "index.html", Record(_of_all(reports)))


def data(reports: Path, source: str) -> Mapping[str, object]:
    """Return what was noted of a source's data, by `note_data`; empty where nothing was."""
    try:
        known = json.loads(_text(_noted(reports, source)))
    except (OSError, ValueError, RecursionError):
        return {}
    kinds = {"prints": dict, "until": str, "as_of": str, "content": str | None}
    is_whole = isinstance(known, dict) and set(known) == set(kinds)
    return known if is_whole and all(isinstance(known[key], kinds[key]) for key in kinds) else {}


def note_data(reports: Path, source: str, known: Mapping[str, object]) -> None:
    """Note what is known of a source's data, so that equal files need not be read again."""
    write_text(_noted(reports, source), json.dumps(known, ensure_ascii=False, indent=1) + "\n")


def _of_all(reports: Path) -> str:
    """Return the fingerprint of all reports of a folder, and of the module that shows them."""
    over = over_regions(reports)
    strange = fingerprints.short(each.encode() for each in unreadable(reports))
    return (
        _fingerprint(reports, sorted([*over, *of_regions(reports)]))
        + strange
        + fingerprints.module()
    )


def _fingerprint(reports: Path, paths: Iterable[Path]) -> str:
    """Return the fingerprint of reports: of their keys, or of their bytes where they have none."""
    parts = []
    for path in paths:
        if not path.name.startswith("."):
            content = record(path).key.encode() or path.read_bytes()
            parts += [path.relative_to(reports).as_posix().encode(), content]
    return fingerprints.short(parts)


def _write(executed: Path, known: Record) -> None:
    """Write what stands beside a report."""
    write_text(_beside(executed), json.dumps(vars(known)) + "\n")


def _beside(executed: Path) -> Path:
    """Return the file beside a report."""
    return executed.with_name(f".{executed.stem}.json")


def _noted(reports: Path, source: str) -> Path:
    """Return the file in which the data of a source is noted."""
    return reports / f".data-{source}.json"


def files_of(executed: Path) -> list[Path]:
    """Return the files that a notebook wrote beside its page, for the region's team."""
    return sorted(executed.parent.glob(f"{executed.stem}_*.csv"))
