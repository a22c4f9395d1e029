"""What every run found, and what changed since the run before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from analysis.files import whole
from analysis.sources import DataError

FILE = "history.parquet"
EVERYWHERE = ""
"""Stands for the region in the rows of what is pooled over a source's regions."""
KEYS = ["source", "region", "hypothesis", "part"]
NUMBERS = ["estimate", "ci_low", "ci_high", "n_obs"]
CAUSES = ["data", "notebook", "module", "register"]
"""What a finding comes from; each has a fingerprint."""
COLUMNS = ["run", *KEYS, "verdict", "part_verdict", *NUMBERS, "data_until", *CAUSES]
_KINDS = dict.fromkeys(COLUMNS, "str") | dict.fromkeys(NUMBERS, "float64") | {"run": "int64"}


def read(folder: Path) -> pd.DataFrame:
    """Read the history of a folder of reports.

    Returns
    -------
    DataFrame
        One row per run, source, region, hypothesis and part, with `COLUMNS`; a run is a
        number, from 1 on, and holds all that the folder's reports said after it. Empty
        where there is none.

    Raises
    ------
    DataError
        If the file is not a history.
    """
    path = folder / FILE
    if not path.exists():
        return pd.DataFrame(columns=COLUMNS).astype(_KINDS)
    try:
        return pd.read_parquet(path, columns=COLUMNS).astype(_KINDS)
    except (ValueError, OSError, KeyError):
        raise DataError(
            f"{path.name}: this is no history of findings; expected a Parquet file with the "
            f"columns {', '.join(COLUMNS)}. Put it back, or take it away to begin anew."
        ) from None


def append(folder: Path, found: pd.DataFrame, pools: pd.DataFrame) -> pd.DataFrame:
    """Add what was found to a folder's history, unless it is what the last run found, too.

    Parameters
    ----------
    folder : Path
        The folder of the reports.
    found, pools : DataFrame
        As from `findings.tidy` and `synthesis.pooled`.

    Returns
    -------
    DataFrame
        The history, as from `read`.
    """
    known = read(folder)
    last = int(known["run"].max()) if len(known) else 0
    rows = _rows(found, pools).assign(run=last + 1)[COLUMNS].astype(_KINDS)
    before = known[known["run"] == last].assign(run=last + 1)
    if rows.reset_index(drop=True).equals(before.reset_index(drop=True)) or rows.empty:
        return known
    everything = pd.concat([known, rows], ignore_index=True)
    with whole(folder / FILE) as draft:
        everything.to_parquet(draft, index=False)
    return everything


def changes(history: pd.DataFrame) -> pd.DataFrame:
    """Compare what the last run found with what the run before it found.

    Returns
    -------
    DataFrame
        One row per source, region and hypothesis of the two runs, in the order of their names,
        what is pooled before the regions: before and verdict (missing where one of them has
        none), moved (whether verdict or numbers differ), anew (whether it was computed anew) and
        causes (tuple out of `CAUSES` whose fingerprint differs; of what is pooled, those of the
        regions). Empty after the first run.
    """
    names = ["source", "region", "hypothesis", "before", "verdict", "moved", "anew", "causes"]
    last = int(history["run"].max()) if len(history) else 0
    if last < 2:
        return pd.DataFrame(columns=names)
    new, old = (history[history["run"] == run] for run in (last, last - 1))
    both = new.merge(old, on=KEYS, how="outer", suffixes=("", "_old"), sort=True)
    both = both.assign(moved=_differ(both, ["verdict", "part_verdict", *NUMBERS]))
    both = both.assign(**{f"new_{name}": _differ(both, [name]) for name in CAUSES})
    one = both.groupby(KEYS[:3], sort=False).agg(
        before=("verdict_old", "first"), verdict=("verdict", "first"), moved=("moved", "any"),
        **{name: (f"new_{name}", "any") for name in CAUSES},
    ).reset_index()  # fmt: skip
    one["causes"] = _causes(one)
    one["anew"] = one["causes"].map(len) > 0
    return one[names]


def lines(history: pd.DataFrame, source: str, hypothesis: str, part: str) -> pd.DataFrame:
    """Return how one effect stood after each run.

    Returns
    -------
    DataFrame
        By run, one column per region (`EVERYWHERE` for the pooled effect), the estimate.
    """
    own = history[
        (history["source"] == source)
        & (history["hypothesis"] == hypothesis)
        & (history["part"] == part)
    ]
    return own.pivot(index="run", columns="region", values="estimate")


def _rows(found: pd.DataFrame, pools: pd.DataFrame) -> pd.DataFrame:
    """Return findings and what is pooled as rows of a history, without the run."""
    numbers = pools[pools["estimate"].notna()].assign(region=EVERYWHERE)
    rows = pd.concat(
        [found.reindex(columns=COLUMNS[1:]), numbers.reindex(columns=COLUMNS[1:])],
        ignore_index=True,
    )
    texts = [name for name in COLUMNS[1:] if name not in NUMBERS]
    return rows.assign(**{name: rows[name].fillna("") for name in texts})


def _differ(both: pd.DataFrame, names: list[str]) -> pd.Series:
    """Mark the rows in which one of several columns is not what it was."""
    pairs = [(both[name], both[f"{name}_old"]) for name in names]
    differ = [(new != old) & ~(new.isna() & old.isna()) for new, old in pairs]
    return pd.Series(np.logical_or.reduce(differ), both.index)


def _causes(one: pd.DataFrame) -> pd.Series:
    """Return what each row's change comes from; a pooled one's are those of its regions."""
    own = one.set_index(["source", "region", "hypothesis"])[CAUSES]
    regions = own[own.index.get_level_values("region") != EVERYWHERE]
    everywhere = regions.groupby(["source", "hypothesis"]).any()
    rows = [
        everywhere.loc[(source, key)]
        if region == EVERYWHERE and (source, key) in everywhere.index
        else own.loc[(source, region, key)]
        for source, region, key in own.index
    ]
    return pd.Series([tuple(name for name in CAUSES if row[name]) for row in rows], one.index)
