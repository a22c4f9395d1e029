"""The command `workbook trial`."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Annotated

import typer

from analysis.data.errors import DataError
from analysis.data.files import is_name
from analysis.language import use
from workbook import examples, notebooks
from workbook.console import PlainConsole

LONGEST = 80
"""Characters of a trial's name."""

app = typer.Typer(no_args_is_help=True, help="Trials that decide a claim.")


@app.callback()
def trials() -> None:
    """Trials that decide a claim."""


@app.command()
def plan(
    claim: Annotated[str, typer.Argument(help="Id of the claim, such as H19.")],
    region: Annotated[str, typer.Option("--region", "-r", help="Where.")],
    source: Annotated[
        str, typer.Option("--source", "-s", help="Name of a source in data/, or a TOML file.")
    ] = examples.EXAMPLE,
    name: Annotated[str, typer.Option(help="Of the trial; by default claim and region.")] = "",
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Of the lots; by default it follows from name and day."),
    ] = None,
    size: Annotated[
        int | None, typer.Option(min=16, help="Units; by default as many as decide.")
    ] = None,
    share: Annotated[float, typer.Option(help="Share with the offer.")] = 0.5,
    compliance: Annotated[
        float | None,
        typer.Option(help="Share who take the offer because of it; or SD of the dose it moves."),
    ] = None,
    as_of: Annotated[str, typer.Option(help="Last day of the data that is used.")] = "",
    replace: Annotated[
        bool, typer.Option("--replace", help="Draw new lots for a trial that has a plan.")
    ] = False,
    language: Annotated[str, typer.Option("--language", "-l", help="en or zh.")] = "en",
    folder: Annotated[
        Path | None, typer.Option(file_okay=False, help="Of plans; by default data/plans.")
    ] = None,
) -> None:
    """Plan a trial: its size, who gets what by lot (CSV), and a page; once, before the outcome."""
    from analysis.claims.trials import designs, plans
    from analysis.data.region import load_region
    from workbook.trial import making

    [language] = notebooks.choose([language], notebooks.LANGUAGES, "language")
    use(language)
    design = designs.design(claim)
    for option, value in (("share", share), ("compliance", compliance)):
        most = 0.95 if option == "share" else 1
        if value is not None and not 0.05 <= value <= most:
            raise DataError(f"--{option} {value:g}: expected a share from 0.05 to {most:g}.")
    examples.read(source)
    here = load_region(source, _whole_name(source, region), as_of)
    trial = name or f"{claim} {here.name}"
    if not is_name(trial) or len(trial) > LONGEST:
        raise DataError(f"--name {trial!r}: expected a name that can be that of a folder.")
    number = _seed(trial, str(here.end)) if seed is None else seed
    plans.refuse_again(here.source.name, trial, number, folder, replace)
    asked = making.Asked(trial, number, size, share, compliance or design.compliance, folder)
    found = making.make(here, design, asked)
    console = PlainConsole()
    for line in found.lines:
        console.print(line, soft_wrap=True)
    for path in found.paths:
        console.print(os.path.relpath(path), soft_wrap=True)


def _whole_name(source: str, region: str) -> str:
    """Return a region's whole name, also by its first word alone: "North" for "North 华北"."""
    if " " in region:
        return region
    from analysis.data import dataset

    names = dataset.open_source(examples.read(source)).regions()["region"]
    found = [each for each in names if each.split(" ")[0] == region]
    return found[0] if region not in set(names) and len(found) == 1 else region


def _seed(trial: str, day: str) -> int:
    """Return the seed that follows from a trial's name and the last day of its data."""
    return int.from_bytes(hashlib.sha256(f"{trial}|{day}".encode()).digest()[:4])
