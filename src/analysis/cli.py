"""The command `workbook`."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from analysis import dataset as datasets
from analysis import sources
from analysis.hypotheses import register
from analysis.sources import ROOT, DataError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Tests what the literature claims about customers against a region's own data.",
)
console = Console()

EXAMPLE = "example"

SourceName = Annotated[
    str, typer.Option("--source", "-s", help="Name of a source in data/, or a TOML file.")
]


@app.command()
def run(
    source: SourceName = EXAMPLE,
    region: Annotated[
        list[str], typer.Option("--region", "-r", help="Only this region; may be repeated.")
    ] = [],  # noqa: B006 - typer copies it
    notebook: Annotated[
        list[str], typer.Option("--notebook", "-n", help="Only this notebook; may be repeated.")
    ] = [],  # noqa: B006
    parameter: Annotated[
        list[str], typer.Option("--parameter", "-p", help="name=value for the notebooks.")
    ] = [],  # noqa: B006
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=1, help="Notebooks that run at once.")
    ] = os.cpu_count() or 1,
    reports: Annotated[Path, typer.Option(help="Where the reports go.")] = ROOT / "reports",
) -> None:
    """Run notebooks for regions, and write reports, findings and index."""
    from analysis import run as runner  # takes seconds to import, and other commands need it not

    dataset = _open(source)
    names = dataset.regions()["region"].tolist()
    if not names:
        raise DataError(f"{source}: no customer has a region that can be used: workbook check.")
    regions = runner.chosen(region, names, "region")
    known = runner.notebooks()
    paths = [known[name] for name in runner.chosen(notebook, list(known), "notebook")]
    given = {path: runner.parameters(path, parameter) for path in paths}
    given = {path: each | {"source": _portable(source)} for path, each in given.items()}
    tasks = runner.tasks(dataset, regions, given, reports)
    _say_what_is_wrong(dataset)
    reports.mkdir(parents=True, exist_ok=True)
    failed = _watch(runner.run(tasks, jobs), len(tasks))
    runner.rebuild(reports)
    failed += _watch(runner.run([runner.across(tasks[0])], 1), 1)
    runner.rebuild(reports)
    console.print(f"Index: {_relative(reports / 'index.html')}", soft_wrap=True)
    raise typer.Exit(1 if failed else 0)


@app.command(name="list")
def list_everything(source: SourceName = EXAMPLE) -> None:
    """List sources, a source's regions, the notebooks and their hypotheses."""
    from analysis import run as runner

    console.print("Sources:", ", ".join(sources.available()))
    for row in _open(source).regions().itertuples():
        console.print(f"Region of {source}: {row.region} ({row.customers:,} customers)")
    for name in runner.notebooks():
        tests = [key for key, each in register().items() if each.notebook == name]
        console.print(f"Notebook: {name} {' '.join(tests)}")


@app.command()
def check(source: Annotated[str, typer.Argument(help="Name of a source, or a TOML file.")]) -> None:
    """Say everything in a source that breaks the data contract."""
    dataset = _open(source)
    found = datasets.problems(dataset)
    for row in dataset.regions().itertuples():
        console.print(f"{row.region}: {row.customers:,} customers")
    if found.empty:
        console.print("Every table and every row keeps the contract.")
        return
    console.print(_table_of(found))
    raise typer.Exit(1)


@app.command()
def example(
    folder: Annotated[Path, typer.Option(help="Where the files go.")] = sources.DATA / EXAMPLE,
) -> None:
    """Make the example regions, whose true effects are known."""
    from analysis.example import write_example

    write_example(folder)
    console.print(f"Six regions in {_relative(folder)}", soft_wrap=True)


@app.command()
def index(
    reports: Annotated[Path, typer.Option(help="Where the reports are.")] = ROOT / "reports",
) -> None:
    """Write findings and index anew from the executed notebooks."""
    from analysis import run as runner

    entries = runner.rebuild(reports)
    console.print(f"{len(entries)} reports in {_relative(reports / 'index.html')}", soft_wrap=True)


@app.command()
def export(
    reports: Annotated[Path, typer.Option(help="Where the reports are.")] = ROOT / "reports",
    folder: Annotated[Path, typer.Option(help="Where the files go.")] = ROOT / "reports" / "export",
    language: Annotated[str, typer.Option(help="Language of the words: en or zh.")] = "en",
) -> None:
    """Write the findings for colleagues: Excel, CSV and a summary of one page."""
    from analysis import export as exporter
    from analysis import findings, synthesis
    from analysis import run as runner

    [language] = runner.chosen([language], runner.LANGUAGES, "language")
    found = findings.read_all(reports)
    if found.empty:
        raise DataError(f"There are no findings in {_relative(reports)}: workbook run.")
    for path in exporter.write(found, synthesis.pooled(found), folder, language):
        console.print(_relative(path), soft_wrap=True)


@app.command()
def calibrate(
    replicates: Annotated[
        int, typer.Option(min=10, help="Simulated regions of each size and world.")
    ] = 1_000,
    scene: Annotated[
        list[str], typer.Option("--scene", help="Only this world; may be repeated.")
    ] = [],  # noqa: B006
    size: Annotated[
        list[int], typer.Option("--size", help="Only regions of so many customers.")
    ] = [],  # noqa: B006
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1)] = os.cpu_count() or 1,
) -> None:
    """Measure how often verdicts are wrong, in simulated regions; takes hours."""
    from analysis import calibration
    from analysis import run as runner
    from analysis.example.rehearsal import SCENES
    from analysis.example.rehearsal import calibrate as measure

    names = runner.chosen(scene, list(dict.fromkeys(each.name for each in SCENES)), "scene")
    chosen = [
        replace(each, sizes=tuple(n for n in each.sizes if not size or n in size))
        for each in SCENES
        if each.name in names
    ]
    for rows in measure(replicates, jobs=jobs, scenes=chosen):
        calibration.write(calibration.merged(rows))
        first = rows.iloc[0]
        console.print(f"{first['scene']}, {first['customers']:,} customers: done", soft_wrap=True)


def main() -> None:
    """Run the command; a mistake of the user's ends in a message and exit code 2."""
    try:
        app()
    except DataError as error:
        console.print(f"[bold red]Error:[/] {escape(str(error))}", soft_wrap=True)
        sys.exit(2)


def _open(source: str) -> datasets.Dataset:
    """Open a source; the example is made when it is not there."""
    if source == EXAMPLE and not (sources.DATA / EXAMPLE).is_dir():
        example(sources.DATA / EXAMPLE)
    return datasets.open_source(sources.read(source))


def _portable(source: str) -> str:
    """Return a source as a name, or as a path from where the workbook is."""
    if not source.endswith(".toml"):
        return source
    return Path(os.path.relpath(sources.find(source), ROOT)).as_posix()


def _relative(path: Path) -> str:
    """Return a path from here, for the reader."""
    return os.path.relpath(path)


def _say_what_is_wrong(dataset: datasets.Dataset) -> None:
    """Point to the rows that are set aside, and to tables that can't be read."""
    for name, text in dataset.problems.items():
        console.print(f"[yellow]Table {name} can't be read:[/] {escape(text)}", soft_wrap=True)
    found = datasets.problems(dataset)
    rows = int(found["rows"].fillna(0).sum())
    if rows:
        console.print(
            f"{rows:,} times a row breaks the data contract and is set aside: "
            f"workbook check {dataset.source.name}",
            soft_wrap=True,
        )


def _watch(outcomes: object, total: int) -> int:
    """Print each outcome as it comes, with the time left; return how many failed."""
    failed = 0
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        bar = progress.add_task("Reports", total=total)
        for outcome in outcomes:
            failed += bool(outcome.failures)
            mark = "[red]failed[/]" if outcome.failures else "[green]done[/]"
            where = f"{outcome.task.region} · {outcome.task.notebook.stem}"
            progress.console.print(f"{mark} {escape(where)} ({outcome.seconds:.0f} s)")
            for failure in outcome.failures:
                progress.console.print(f"  {escape(failure)}", soft_wrap=True)
            progress.advance(bar)
    return failed


def _table_of(found: object) -> Table:
    """Return the problems of a source as a table for the terminal."""
    table = Table("file", "column", "rows", "where", "expected", box=None, pad_edge=False)
    for row in found.itertuples():
        whole = row.rows != row.rows
        table.add_row(
            row.file,
            "" if whole else row.column,
            "" if whole else f"{row.rows:,.0f} ({row.share:.1%})",
            "whole table" if whole else escape(row.example),
            escape(row.expected),
        )
    return table


if __name__ == "__main__":
    main()
