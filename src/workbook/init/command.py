"""The command `workbook init`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from workbook.console import PlainConsole


def init(
    address: Annotated[
        str,
        typer.Argument(
            metavar="PATH_OR_ADDRESS", help="A folder, an Excel file, or a database or its address."
        ),
    ],
    output: Annotated[
        Path | None, typer.Option(help="The TOML file; by default beside the data.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the TOML file.")] = False,
) -> None:
    """Look at files or a database, and write a source's TOML file with commented guesses."""
    from workbook.init import source  # the readers take a second to import

    written = source.write(address, output, force=force)
    console = PlainConsole()
    for title, lines in (
        ("Found", written.tables),
        ("Look at", written.unsure),
        ("Not used", written.passed),
    ):
        if lines:
            console.print(f"{title}:", style="bold")
        for line in lines:
            console.print(f"  {line}", soft_wrap=True)
    path = os.path.relpath(written.path)
    console.print(f"Written: {path}. Next: workbook check {path}", soft_wrap=True)
