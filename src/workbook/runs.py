"""One call of `workbook run`: in each language what is to be run, and at the end who is told."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from analysis.data import cache, files, sources
from analysis.data.errors import counted
from workbook import notebooks
from workbook.console import styled
from workbook.running import fingerprints, fork_server, plan, run_lock, up_to_date
from workbook.running.progress import Style

STOPPED = 130


@dataclass(frozen=True)
class Asked:
    """What the command line asks for."""

    source: sources.Source
    name: str  # of the source, as it was given
    regions: Sequence[str]
    notebooks: Sequence[str]
    parameters: Sequence[str]
    languages: Sequence[str]  # none: as the parameters say
    jobs: int
    reports: Path
    force: bool
    cold: bool
    minutes: float
    scheduler: str
    style: Style

    @property
    def folders(self) -> dict[str, Path]:
        """The folder of each language: that of the first is the folder of reports itself."""
        first, *others = self.languages or [""]
        return {first: self.reports} | {each: self.reports / each for each in others}


def run(asked: Asked, console: Console) -> tuple[int, list[str]]:
    """Run what is asked for; return the exit code, and what failed or was refused."""
    failed: list[str] = []
    for language, folder in asked.folders.items():
        try:
            with _kept_data(asked.scheduler):
                failed += _in_language(asked, language, folder, console)
        except KeyboardInterrupt:
            return STOPPED, failed
    if asked.style == "auto":
        for each in notebooks.find_all() if not asked.notebooks else ():
            if each.defaults is None and not each.problem:
                console.print(f"Left out: {each.about}.", soft_wrap=True)
        for folder in asked.folders.values():
            console.print(f"Index: {os.path.relpath(folder / 'index.html')}", soft_wrap=True)
    return (1 if failed else 0), failed


@contextmanager
def _kept_data(scheduler: str) -> Iterator[None]:
    """Keep the data of regions for the notebooks of a run, on this machine."""
    if scheduler:  # whose workers may have other folders
        yield
        return
    with files.temporary() as folder:
        before = os.environ.get(cache.FOLDER)
        os.environ[cache.FOLDER] = folder
        try:
            yield
        finally:
            del os.environ[cache.FOLDER]
            if before is not None:
                os.environ[cache.FOLDER] = before


def _in_language(asked: Asked, language: str, reports: Path, console: Console) -> list[str]:
    """Run what is asked for in a language; an empty one is that of the notebooks' parameters."""
    run_lock.check_source(asked.source.name)
    chosen, refused = notebooks.select(asked.notebooks)
    if not asked.notebooks:
        chosen = notebooks.of_tables(chosen, asked.source.tables)
    texts = [*asked.parameters, *([f"language={language}"] if language else [])]
    given = notebooks.parameters(chosen, texts)
    as_of = next((str(own["as_of"]) for own in given.values() if "as_of" in own), "")
    given = {each: own | {"source": plan.portable(asked.name)} for each, own in given.items()}
    known, is_forked = asked.source, not (asked.cold or asked.scheduler)
    noted = _noted(asked, reports)
    data = plan.noted_data(known, as_of, noted)
    data = data or _read_data(asked, as_of, console, is_forked, noted.get("prints"))
    regions = notebooks.choose(asked.regions, list(data.prints), "region")
    with run_lock.alone(reports, f"workbook run --source {asked.name}"):
        up_to_date.note_data(reports, known.name, vars(data))
        todo_plan = plan.Plan(known.name, data, regions, given, reports, refused)
        return _perform(todo_plan, asked, console, is_forked)


def _perform(what: plan.Plan, asked: Asked, console: Console, is_forked: bool) -> list[str]:
    """Do what a plan says and is not done yet; return what failed or was refused."""
    tasks = what.regional()
    todo = tasks if asked.force else [task for task in tasks if not up_to_date.is_done(task)]
    across = what.across()
    is_done = not todo and not what.refused and all(map(up_to_date.is_done, across))
    if is_done and up_to_date.is_indexed(what.reports):
        number = len(tasks) + len(across)
        if asked.style == "auto":
            said = f"{counted(number, 'report')} {'is' if number == 1 else 'are'}"
            console.print(f"{said} unchanged: same notebooks, parameters, data and code.")
        return []
    if todo and is_forked:
        fork_server.warm(notebooks.FOLDER)  # it imports while we do
    from workbook.running import execute, session

    todo, how = plan.in_turns(todo, asked.jobs), execute.How(asked.cold, 60 * asked.minutes)
    return session.perform(what, todo, asked.style, console, asked.jobs, asked.scheduler, how)


def _noted(asked: Asked, reports: Path) -> Mapping[str, object]:
    """Return what was noted of the data: in this folder or, of another language, in the first."""
    own = up_to_date.data(reports, asked.source.name)
    return own or up_to_date.data(asked.reports, asked.source.name)


def _read_data(
    asked: Asked, as_of: str, console: Console, warm: bool, noted: object = None
) -> plan.Data:
    """Read what a run must know of a source's data, and say what is wrong with it.

    Where the fingerprints of its regions are not those that were `noted`, the notebooks find it
    read.
    """
    if warm:
        fork_server.warm(notebooks.FOLDER)  # it imports while we read
    from analysis.data import dataset
    from workbook.checking import problems

    content = fingerprints.content(asked.source)
    opened = dataset.open_source(asked.source)
    for sentence in problems.warnings(opened) if asked.style != "quiet" else ():
        if asked.style == "json":
            facts = {"event": "warning", "elapsed": 0.0, "region": "", "notebook": ""}
            console.out(json.dumps(facts | {"text": sentence}), highlight=False)
        else:
            console.print(styled(sentence, "yellow", ""), soft_wrap=True)
    data = plan.read_data(opened, as_of, content)
    if not asked.scheduler and (asked.force or data.prints != noted):
        from analysis.data import region

        with suppress(Exception):  # each notebook says what was wrong
            region.keep(lambda: opened, opened.source)
    return data
