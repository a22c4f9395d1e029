"""The example as files: the tables of all regions and the truth planted in them."""

import os
import tempfile
from pathlib import Path

import pandas as pd
from pandas import DataFrame

from simulation.drawing.tables import draw
from simulation.processes import one_core_each
from simulation.truth.parts import N_DRAW, planted
from simulation.world import REGIONS, SEED, World, region_seed, regional_worlds

FILES = {"customers.csv", "survey.csv", "complaints.csv", "contacts.csv", "truth.csv"}
FILES |= {"transactions.parquet"}
OF_TRIALS = {"assignments.csv"}


def write_example(
    folder: Path, seed: int = SEED, *, n_draw: int = N_DRAW, workers: int | None = None
) -> None:
    """Write the tables of all regions and the truth planted in them; all of it or nothing.

    Parameters
    ----------
    folder : Path
        Replaced if it holds an earlier example: customers, survey, complaints, contacts and truth
        as CSV, transactions as Parquet.
    seed : int
        The same seed gives the same bytes.
    n_draw : int
        Customers of the large draws that tell the truth.
    workers : int, optional
        Processes that share the regions (`one_core_each`), one per processor when omitted.

    Raises
    ------
    FileExistsError
        If the folder holds anything else.
    """
    refuse_strangers(Path(folder))
    replaced(_regions(seed, n_draw, workers or os.cpu_count() or 1), Path(folder))


def refuse_strangers(folder: Path) -> None:
    """Refuse a folder that holds anything but an earlier example, as a FileExistsError."""
    strangers = {path.name for path in folder.glob("*")} - FILES - OF_TRIALS
    if strangers:
        raise FileExistsError(f"{folder} holds other files: {', '.join(sorted(strangers))}")


def replaced(tables: dict[str, DataFrame], folder: Path) -> None:
    """Write tables in the place of those that the folder holds; all of them or nothing."""
    refuse_strangers(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as parent:
        fresh, old = Path(parent) / "fresh", Path(parent) / "old"
        _write_tables(tables, fresh)
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)


def _regions(seed: int, n_draw: int, workers: int) -> dict[str, DataFrame]:
    jobs = [
        (world, REGIONS[name], region_seed(name, seed), seed, n_draw)
        for name, world in regional_worlds(seed).items()
    ]
    if workers == 1:
        drawn = list(map(_region, *zip(*jobs, strict=True)))
    else:
        with one_core_each(min(workers, len(jobs))) as pool:
            drawn = list(pool.map(_region, *zip(*jobs, strict=True)))
    return {name: pd.concat([each[name] for each in drawn]) for name in drawn[0]}


def _region(world: World, size: int, own_seed: int, seed: int, n_draw: int) -> dict[str, DataFrame]:
    return draw(world, size, own_seed) | {"truth": planted(world, seed, n_draw)}


def _write_tables(tables: dict[str, DataFrame], folder: Path) -> None:
    """Write the tables; the truth to nine digits, which no order of adding up changes."""
    folder.mkdir()
    lines = tables["transactions"].sort_values(["bought_at", "customer_id", "product"])
    lines.to_parquet(folder / "transactions.parquet", index=False, compression="zstd")
    for name in tables.keys() - {"transactions"}:
        digits = "%.9g" if name == "truth" else None
        path = folder / f"{name}.csv"
        tables[name].to_csv(path, index=False, lineterminator="\n", float_format=digits)
