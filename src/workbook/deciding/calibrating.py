"""The command `workbook calibrate`: how often verdicts are wrong, and claims decided."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import typer

from workbook import notebooks
from workbook.console import PlainConsole

POOLED = "pooled over regions"

console = PlainConsole()


def calibrate(
    replicates: Annotated[
        int, typer.Option(min=10, help="Simulated regions of each size and world.")
    ] = 1_000,
    scene: Annotated[
        list[str], typer.Option("--scene", help="Only this world; may be repeated.")
    ] = [],  # noqa: B006 - typer copies it
    size: Annotated[
        list[int], typer.Option("--size", help="Only regions of so many customers.")
    ] = [],  # noqa: B006
    decidability: Annotated[
        bool,
        typer.Option(
            "--decidability",
            help="How often clear effects are decided, instead, in fewer regions.",
        ),
    ] = False,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1)] = os.cpu_count() or 1,
) -> None:
    """Measure how often verdicts are wrong, in simulated regions; takes hours."""
    if decidability:
        _decide(replicates, size, jobs)
    else:
        _calibrate(replicates, scene, size, jobs)


def _calibrate(replicates: int, scene: Sequence[str], size: Sequence[int], jobs: int) -> None:
    """Measure error rates, and write the lines of each world and size as soon as they are known."""
    from analysis.claims import calibration
    from simulation import pooled_regions
    from simulation.error_rates import calibrate as measure
    from simulation.scenes import SCENES

    names = notebooks.choose(scene, [*dict.fromkeys(each.name for each in SCENES), POOLED], "scene")
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


def _decide(replicates: int, size: Sequence[int], jobs: int) -> None:
    """Count decided regions, and write the lines of each size as soon as they are known."""
    from analysis.claims.calibration import write
    from analysis.claims.deciding.decidability import FILE, merged
    from simulation.error_rates import decide
    from simulation.scenes import CLEAR_REGIONS

    names = notebooks.choose(list(map(str, size)), list(map(str, CLEAR_REGIONS)), "size")
    chosen = {int(each): min(replicates, CLEAR_REGIONS[int(each)]) for each in names}
    for rows in decide(chosen, jobs=jobs):
        write(merged(rows), FILE)
        first = rows.iloc[0]
        said = f"{first['scene']}, {first['customers']:,} customers, {first['regions']:,} regions"
        console.print(f"{said}: done", soft_wrap=True)
