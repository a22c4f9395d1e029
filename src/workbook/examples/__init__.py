"""The sources that are simulated: they are made when they are first asked for."""

from __future__ import annotations

from pathlib import Path

from analysis.data import sources

EXAMPLE, PILOT = "example", "pilot"


def make(name: str, folder: Path) -> None:
    """Write a simulated source."""
    if name == EXAMPLE:
        from simulation import write_example

        write_example(folder)
        return
    from simulation.pilot import write_pilot

    write_pilot(folder)


def read(source: str) -> sources.Source:
    """Read a source's TOML file; a simulated one is made when it is not there."""
    name = Path(source).stem
    is_ours = name in (EXAMPLE, PILOT) and sources.find(source) == sources.DATA / f"{name}.toml"
    if is_ours and not (sources.DATA / name).is_dir():
        make(name, sources.DATA / name)
    return sources.read(source)
