"""The command `workbook`."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from analysis.data import sources
from analysis.data.sources import ROOT, DataError
from workbook import notebooks
from workbook.running import fingerprints, fork_server, plan, run_lock, up_to_date

if TYPE_CHECKING:
    from analysis.data.dataset import Dataset

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Tests what the literature claims about customers against a region's own data.",
)
console = Console()

EXAMPLE = "example"
POOLED = "pooled over regions"
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES)
"""What keeps files from being written that is no error of ours."""

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
        list[str],
        typer.Option(
            "--notebook", "-n", help="Only this notebook, or those of this theme; may be repeated."
        ),
    ] = [],  # noqa: B006
    parameter: Annotated[
        list[str], typer.Option("--parameter", "-p", help="name=value for the notebooks.")
    ] = [],  # noqa: B006
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=1, help="Notebooks that run at once.")
    ] = os.cpu_count() or 1,
    reports: Annotated[Path, typer.Option(help="Where the reports go.")] = ROOT / "reports",
    force: Annotated[bool, typer.Option("--force", help="Run also what has not changed.")] = False,
    cold: Annotated[bool, typer.Option("--cold", help="A new Python for each notebook.")] = False,
    timeout: Annotated[
        float, typer.Option(min=0.01, help="Minutes after which a notebook is stopped.")
    ] = 30,
    scheduler: Annotated[str, typer.Option(help="Address of a Dask scheduler.")] = "",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only failures.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object for each event.")] = False,
) -> None:
    """Run notebooks for regions, and write reports, findings and index.

    What has not changed since its report was made is not run again.
    """
    chosen = notebooks.select(notebook)
    given = notebooks.parameters(chosen, parameter)
    as_of = next((str(own["as_of"]) for own in given.values() if "as_of" in own), "")
    given = {each: own | {"source": _portable(source)} for each, own in given.items()}
    style = "json" if as_json else "quiet" if quiet else "auto"
    name = _read(source).name
    data = _data(source, as_of, up_to_date.data(reports, name), style, not (cold or scheduler))
    regions = notebooks.choose(region, list(data.prints), "region")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    with run_lock.alone(reports, f"workbook run --source {source}"):
        up_to_date.note_data(reports, name, vars(data))
        asked = plan.Plan(name, data, regions, given, reports)
        tasks = asked.regional()
        todo = tasks if force else [task for task in tasks if not up_to_date.is_done(task)]
        todo = plan.in_turns(todo, jobs)
        failed = _perform(asked, todo, style, (jobs, scheduler), (cold, 60 * timeout))
    if style == "auto":
        _say_what_was_left_out(notebook)
        console.print(f"Index: {_relative(reports / 'index.html')}", soft_wrap=True)
    raise typer.Exit(1 if failed else 0)


def _data(source: str, as_of: str, noted: Mapping, style: str, warm: bool) -> plan.Data:
    """Return what a run must know of a source's data; its files are read only if they changed."""
    content = fingerprints.content(_read(source))
    if content is not None and (noted.get("content"), noted.get("as_of")) == (content, as_of):
        return plan.Data(**noted)
    if warm:
        fork_server.warm(notebooks.FOLDER)  # it imports while we read
    from analysis.data.region import last_day
    from workbook.running import contents

    dataset = _open(source)
    until = str(last_day(dataset, as_of) or "")
    prints = contents.regions(dataset, as_of)
    if not prints:
        raise DataError(f"{source}: no customer has a region that can be used: workbook check.")
    if style == "auto":
        _say_what_is_wrong(dataset)
    return plan.Data(prints, until, as_of, content)


def _perform(
    asked: plan.Plan,
    todo: list[plan.Task],
    style: str,
    where: tuple[int, str],
    how: tuple[bool, float],
) -> int:
    """Do what is to be done, and what follows from it; return how many reports failed."""
    across = asked.across()
    if not todo and all(map(up_to_date.is_done, across)) and up_to_date.is_indexed(asked.reports):
        if style == "auto":
            number = len(asked.regional()) + len(across)
            verb = "is" if number == 1 else "are"
            count = sources.counted(number, "report")
            console.print(f"{count} {verb} unchanged: same notebooks, parameters, data and code.")
        return 0
    if todo and not (how[0] or where[1]):
        fork_server.warm(notebooks.FOLDER)  # it imports while we do
    from workbook.running import session
    from workbook.running.execute import How

    try:
        return session.perform(asked, todo, style, console, session.Where(*where), How(*how))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _say_what_was_left_out(names: list[str]) -> None:
    """Name the notebooks that can't be run, where all were asked for."""
    for each in notebooks.discover().values() if not names else ():
        if each.defaults is None:
            why = 'no cell is tagged "parameters"'
            console.print(f"Not run: {each.name}, for {why}.", soft_wrap=True)


@app.command(name="list")
def list_everything(source: SourceName = EXAMPLE) -> None:
    """List sources, a source's regions, the notebooks and their hypotheses."""
    console.print("Sources:", ", ".join(sources.available()))
    for row in _open(source).regions().itertuples():
        console.print(
            f"Region of {source}: {row.region} ({sources.counted(row.customers, 'customer')})"
        )
    for each in notebooks.discover().values():
        about = [each.claim] if each.claim else []
        about += [] if each.is_per_region else ["over all regions"]
        about = ['not run, for no cell is tagged "parameters"'] if each.defaults is None else about
        place = f" ({', '.join([each.theme, *about])})".replace("(, ", "(").replace(" ()", "")
        console.print(f"Notebook: {each.name}{place}", soft_wrap=True)


@app.command()
def check(source: Annotated[str, typer.Argument(help="Name of a source, or a TOML file.")]) -> None:
    """Say everything in a source that breaks the data contract."""
    from analysis.data import dataset as opened
    from analysis.data import exclusions

    dataset = _open(source)
    found = opened.problems(dataset)
    refunds, repeated = exclusions.refunds_by_region(dataset), exclusions.repeated_answers(dataset)
    for row in dataset.regions().itertuples():
        console.print(f"{row.region}: {sources.counted(row.customers, 'customer')}")
        if row.region in refunds:
            said = refunds[row.region].sentence(dataset.source.currency)
            console.print(f"{row.region}: {said}", soft_wrap=True)
        if row.region in repeated:
            said = exclusions.repeated_sentence(repeated[row.region])
            console.print(f"{row.region}: {said}", soft_wrap=True)
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
    from simulation import write_example

    write_example(folder)
    console.print(f"Six regions in {_relative(folder)}", soft_wrap=True)


@app.command(name="clear-cache")
def clear_cache() -> None:
    """Delete what notebooks in JupyterLab have computed and kept; they compute it again."""
    from analysis.data import cache

    cache.clear()
    console.print("The cache is empty.")


@app.command()
def index(
    reports: Annotated[Path, typer.Option(help="Where the reports are.")] = ROOT / "reports",
) -> None:
    """Write findings and index anew from the executed notebooks."""
    from workbook.pages.collect import rebuild

    with run_lock.alone(reports, "workbook index"):
        entries = rebuild(reports)
    count = sources.counted(len(entries), "report")
    console.print(f"{count} in {_relative(reports / 'index.html')}", soft_wrap=True)


@app.command()
def export(
    reports: Annotated[Path, typer.Option(help="Where the reports are.")] = ROOT / "reports",
    folder: Annotated[
        Path | None, typer.Option(help="Where the files go; by default export/ in the reports.")
    ] = None,
    language: Annotated[str, typer.Option(help="Language of the words: en or zh.")] = "en",
) -> None:
    """Write the findings for colleagues: Excel, CSV and a summary of one page."""
    from analysis.claims import across_regions, findings
    from workbook.pages import export as exporter

    [language] = notebooks.choose([language], notebooks.LANGUAGES, "language")
    found = findings.read_all(reports)
    if found.empty:
        raise DataError(f"There are no findings in {_relative(reports)}: workbook run.")
    others, tested = findings.read_variants(reports), findings.read_tests(reports)
    pools = across_regions.pooled(found, others, tested)
    for path in exporter.write(found, pools, folder or reports / "export", language):
        console.print(_relative(path), soft_wrap=True)


@app.command()
def new(
    claim: Annotated[str, typer.Argument(help="Id of the claim, such as H23.")],
    title: Annotated[str, typer.Argument(help="A few words.")],
    theme: Annotated[str, typer.Option(help="Folder of notebooks/ that it belongs to.")],
) -> None:
    """Write the notebook, the register's entry and the test of a new claim."""
    from workbook.new import write

    for path in write(claim, title, theme):
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
    from analysis.claims import calibration
    from simulation import pooled_regions
    from simulation.error_rates import calibrate as measure
    from simulation.scenes import SCENES

    worlds = list(dict.fromkeys(each.name for each in SCENES))
    names = notebooks.choose(scene, [*worlds, POOLED], "scene")
    chosen = [
        replace(each, sizes=tuple(n for n in each.sizes if not size or n in size))
        for each in SCENES
        if each.name in names
    ]
    for rows in measure(replicates, jobs=jobs, scenes=chosen):
        calibration.write(calibration.merged(rows))
        first = rows.iloc[0]
        console.print(f"{first['scene']}, {first['customers']:,} customers: done", soft_wrap=True)
    if POOLED in names:
        calibration.write(pooled_regions.rates(replicates), calibration.POOLED)
        console.print(f"{POOLED}: done")


def main() -> None:
    """Run the command; a mistake of the user's ends in a message and exit code 2.

    Where nothing can be written the code is 1, as for reports that failed.
    """
    try:
        app()
    except DataError as error:
        _say_error(str(error))
        sys.exit(2)
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        name = f"{_relative(Path(error.filename))}: " if error.filename else ""
        _say_error(f"{name}{os.strerror(error.errno)}. What was finished stays.")
        sys.exit(1)


def _say_error(text: str) -> None:
    """Say why the command ends."""
    console.print(f"[bold red]Error:[/] {escape(text)}", soft_wrap=True)


def _read(source: str) -> sources.Source:
    """Read a source's TOML file; the example is made when it is not there."""
    if source == EXAMPLE and not (sources.DATA / EXAMPLE).is_dir():
        example(sources.DATA / EXAMPLE)
    return sources.read(source)


def _open(source: str) -> Dataset:
    """Open a source."""
    from analysis.data import dataset

    return dataset.open_source(_read(source))


def _portable(source: str) -> str:
    """Return a source as a name, or as a path from where the workbook is."""
    if not source.endswith(".toml"):
        return source
    return Path(os.path.relpath(sources.find(source), ROOT)).as_posix()


def _relative(path: Path) -> str:
    """Return a path from here, for the reader."""
    return os.path.relpath(path)


def _say_what_is_wrong(dataset: Dataset) -> None:
    """Point to the rows that are set aside, and to tables that can't be read."""
    from analysis.data.dataset import problems

    for name, text in dataset.problems.items():
        console.print(f"[yellow]Table {name} can't be read:[/] {escape(text)}", soft_wrap=True)
    found = problems(dataset)
    rows = int(found["rows"].fillna(0).sum())
    if rows:
        console.print(
            f"{sources.counted(rows, 'time')} a row breaks the data contract and is set aside: "
            f"workbook check {dataset.source.name}",
            soft_wrap=True,
        )


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
