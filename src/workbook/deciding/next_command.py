"""The command `workbook next`: the cheapest way to decide every open claim of the last run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from analysis.data import sources
from analysis.data.errors import DataError
from analysis.language import use
from workbook import examples, notebooks
from workbook.console import PlainConsole


def what_next(
    source: Annotated[
        str, typer.Option("--source", "-s", help="Name of a source in data/, or a TOML file.")
    ] = examples.EXAMPLE,
    reports: Annotated[
        Path, typer.Option(file_okay=False, help="Folder of the reports.")
    ] = sources.ROOT / "reports",
    language: Annotated[str, typer.Option("--language", "-l", help="en or zh.")] = "en",
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object for each.")] = False,
) -> None:
    """List every open claim of the last run, with the cheapest way to decide it."""
    from workbook.deciding import shown
    from workbook.pages import collect, plain

    [language] = notebooks.choose([language], notebooks.LANGUAGES, "language")
    use(language)
    name, said = Path(source).stem, plain.words(language)["next"]
    entries = [each for each in collect.collect(reports) if each.source == name]
    if not any(each.claim for each in entries):
        name = sources.read(source).name  # whatever is no source is said here
        raise DataError(f"No run of {name} yet: workbook run --source {source}.")
    known, console = shown.of_entries(entries, language), PlainConsole()
    todo, together = shown.of_source(name, known), shown.settled_together(name, known)
    if as_json:
        for step in todo:
            content = json.dumps(shown.as_json(step, source, language), ensure_ascii=False)
            console.out(content, highlight=False)
        return
    if not todo:
        console.print(together or said["nothing"], soft_wrap=True)
        return
    table = Table()
    for name in said["columns"].values():
        table.add_column(name, overflow="fold")
    for step in todo:
        row = shown.row(step, source, language)
        table.add_row(*(row[name] for name in ("claim", "regions", "says", "cost", "worth")))
    console.print(table)
    for step in todo:
        if line := shown.command(step, source):
            console.print(line, soft_wrap=True)
    for line in filter(None, (together, shown.assumptions(language))):
        console.print(line, soft_wrap=True)
