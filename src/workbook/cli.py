"""The command `workbook`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from analysis.data import files, sources
from analysis.data.errors import counted
from analysis.data.sources import ROOT, DataError
from analysis.language import use
from workbook import examples, extracts, notebooks, notify, runs, unforeseen
from workbook.console import PlainConsole, styled
from workbook.deciding.calibrating import calibrate
from workbook.deciding.next_command import what_next
from workbook.examples import EXAMPLE
from workbook.init import command
from workbook.running import run_lock
from workbook.trial.command import app as trial

if TYPE_CHECKING:
    from analysis.data.dataset import Dataset

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Tests what the literature claims about customers against a region's own data.",
)
app.command()(command.init)
app.command()(calibrate)
app.command(name="next")(what_next)
app.add_typer(trial, name="trial")
console = PlainConsole()

Folder = Annotated[Path, typer.Option(file_okay=False, help="Folder of the reports.")]
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
        typer.Option("--notebook", "-n", help="Only this notebook, claim or theme; repeatable."),
    ] = [],  # noqa: B006
    parameter: Annotated[
        list[str], typer.Option("--parameter", "-p", help="name=value for the notebooks.")
    ] = [],  # noqa: B006
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=1, help="Notebooks that run at once.")
    ] = os.cpu_count() or 1,
    reports: Folder = ROOT / "reports",
    force: Annotated[bool, typer.Option("--force", help="Run also what has not changed.")] = False,
    cold: Annotated[bool, typer.Option("--cold", help="A new Python for each notebook.")] = False,
    timeout: Annotated[
        float, typer.Option(min=0.01, help="Minutes after which a notebook is stopped.")
    ] = 30,
    scheduler: Annotated[str, typer.Option(help="Address of a Dask scheduler.")] = "",
    language: Annotated[
        list[str],
        typer.Option("--language", "-l", help="en, zh or both: side by side; repeatable."),
    ] = [],  # noqa: B006
    notify_by: Annotated[
        str, typer.Option("--notify", help="Command that is called once, with a summary.")
    ] = "",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only failures.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object for each event.")] = False,
) -> None:
    """Run notebooks for regions, and write reports, findings and index.

    What has not changed since its report was made is not run again.
    """
    unforeseen.reports = reports
    words = notify.arguments(notify_by) if notify_by else []
    before = notify.last_run(reports) if words else 0
    languages = notebooks.choose(_both(language), notebooks.LANGUAGES, "language")
    style = "json" if as_json else "quiet" if quiet else "auto"
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    try:
        asked = runs.Asked(
            extracts.of_run(examples.read(source)), source, region, notebook, parameter,
            languages if language else (), jobs, reports, force, cold, timeout, scheduler, style,
        )  # fmt: skip
        code, failed = runs.run(asked, console)
        told = notify.summary(asked.source.name, reports, before, code, failed) if words else {}
    except DataError as error:
        if words:
            _say(notify.tell(words, notify.summary(source, reports, before, 2, (), str(error))))
        raise
    if words:
        _say(notify.tell(words, told))
    raise typer.Exit(code)


def _both(languages: list[str]) -> list[str]:
    """Return languages, of which "both" are all."""
    return list(notebooks.LANGUAGES) if "both" in languages else languages


def _say(problem: str) -> None:
    """Print why a command could not be called, where it could not."""
    if problem:
        console.print(styled(problem, "yellow", ""), soft_wrap=True)


@app.command(name="list")
def list_everything(source: SourceName = EXAMPLE) -> None:
    """List sources, a source's regions, the notebooks and their hypotheses."""
    console.print("Sources:", ", ".join(sources.available()))
    for row in _open(source).regions().itertuples():
        console.print(f"Region of {source}: {row.region} ({counted(row.customers, 'customer')})")
    for each in notebooks.find_all():
        console.print(f"Notebook: {each.about}", soft_wrap=True)
        if each.problem:
            console.print(styled("", "none", each.problem), style="yellow", soft_wrap=True)


@app.command()
def check(
    source: Annotated[str, typer.Argument(help="Name of a source, or a TOML file.")],
    show_values: Annotated[
        bool, typer.Option("--show-values", help="Values that break a rule as they are.")
    ] = False,
) -> None:
    """Say what in a source breaks the data contract, looks wrong, and what it can test."""
    from workbook.checking import report

    opened = _open(source)
    if not report.check(opened, console, show_values):
        raise typer.Exit(2 if opened.problems else 1)  # 2: a table can't be read


@app.command()
def example(
    folder: Annotated[Path, typer.Option(help="Where the files go.")] = sources.DATA / EXAMPLE,
) -> None:
    """Make the example regions, whose true effects are known."""
    examples.make(EXAMPLE, folder)
    console.print(f"Six regions in {os.path.relpath(folder)}", soft_wrap=True)


@app.command()
def cache() -> None:
    """List what was extracted from databases and kept; `clear-cache` deletes it."""
    for line in extracts.lines():
        console.print(line, soft_wrap=True)


@app.command(name="clear-cache")
def clear_cache() -> None:
    """Delete what was extracted from databases, and what notebooks in JupyterLab have computed."""
    from analysis.data.cache import clear
    from analysis.data.extraction import store

    store.clear()
    clear()
    console.print("The cache is empty.")


@app.command()
def index(
    reports: Folder = ROOT / "reports",
) -> None:
    """Write findings and index anew from the executed notebooks."""
    from workbook.pages.collect import rebuild

    unforeseen.reports = reports
    with run_lock.alone(reports, "workbook index"):
        entries = rebuild(reports)
    count = counted(len(entries), "report")
    console.print(f"{count} in {os.path.relpath(reports / 'index.html')}", soft_wrap=True)


@app.command()
def export(
    reports: Folder = ROOT / "reports",
    folder: Annotated[
        Path | None, typer.Option(help="Where the files go; by default export/ in the reports.")
    ] = None,
    language: Annotated[str, typer.Option(help="Language of the words: en or zh.")] = "en",
    slides: Annotated[
        bool, typer.Option("--slides", help="PowerPoint, too: a slide a claim.")
    ] = False,
) -> None:
    """Write the findings for colleagues: Excel, CSV, a summary of one page, and slides."""
    from analysis.claims import across_regions, findings
    from workbook.pages import collect
    from workbook.pages.exports import export as exporter
    from workbook.pages.exports import rows

    unforeseen.reports = reports
    [language] = notebooks.choose([language], notebooks.LANGUAGES, "language")
    found = findings.read_all(reports)
    if found.empty:
        raise DataError(f"There are no findings in {os.path.relpath(reports)}: workbook run.")
    use(language)  # reasons are worded where effects are pooled
    others, tested = findings.read_variants(reports), findings.read_tests(reports)
    pools = across_regions.pooled(found, others, tested)
    entries = collect.collect(reports)
    units = rows.units([entry.record for entry in entries if entry.record], language)
    trials = rows.by_trial(entries, language)
    keys = zip(found["source"], found["region"], found["hypothesis"], strict=True)
    found["by_trial"] = [trials.get(key, "") for key in keys]
    said = rows.lines(found, pools, language, units, reports, trials)
    run_lock.refuse_links(reports)
    where = folder or reports / run_lock.EXPORT
    for path in exporter.write(found, pools, where, language, said, with_slides=slides):
        console.print(os.path.relpath(path), soft_wrap=True)


@app.command()
def new(
    claim: Annotated[str, typer.Argument(help="Id of the claim, such as H23.")],
    title: Annotated[str, typer.Argument(help="A few words.")],
    theme: Annotated[str, typer.Option(help="Folder of notebooks/ that it belongs to.")],
) -> None:
    """Write the notebook, the register's entry and the test of a new claim."""
    from workbook.new import write

    for path in write(claim, title, theme):
        console.print(os.path.relpath(path), soft_wrap=True)


def main() -> None:
    """Run the command; a mistake of the user's ends in a message and exit code 2.

    Where nothing can be written the code is 1, as for reports that failed; and for whatever was
    not foreseen, which goes to the log.
    """
    try:
        app()
        return
    except DataError as error:
        text, code = str(error), 2
    except Exception as error:
        text, code = unforeseen.said(error), 1
    finally:
        files.drop_scratch()
        os.environ.pop(extracts.SINCE, None)
    console.print(styled("Error:", "bold red", text), soft_wrap=True)
    sys.exit(code)


def _open(source: str) -> Dataset:
    """Open a source."""
    from analysis.data import dataset

    return dataset.open_source(examples.read(source))


if __name__ == "__main__":
    main()
