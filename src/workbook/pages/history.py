"""What every run found, and what changed since the run before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from pyarrow import ArrowException

from analysis.data.files import whole
from analysis.data.sources import DataError

FILE = "history.parquet"
EVERYWHERE = ""
"""Stands for the region in the rows of what is pooled over a source's regions."""
KEYS = ["source", "region", "hypothesis", "part"]
NUMBERS = ["estimate", "ci_low", "ci_high", "n_obs"]
VERDICTS = ["verdict", "part_verdict"]
CAUSES = ["data", "notebook", "module", "register", "parameters"]
"""What a finding comes from; each has a fingerprint."""
REASONS = [*CAUSES, "regions", "claims"]
"""Why something is not what it was: also regions or claims that were added, or are gone."""
LATER = ["p_holm", "survives", "parameters"]
"""Columns that files of earlier versions do not have."""
COLUMNS = ["run", *KEYS, *VERDICTS, *NUMBERS, "p_holm", "survives", "data_until", *CAUSES]
NEAR = 1e-9
"""Numbers that differ by a smaller share are the same."""
_FLOATS = [*NUMBERS, "p_holm"]
_KINDS = dict.fromkeys(COLUMNS, "str") | dict.fromkeys(_FLOATS, "float64") | {"run": "int64"}


def read(folder: Path) -> pd.DataFrame:
    """Read the history of a folder of reports; no row where there is no file.

    One row per run, source, region, hypothesis and part, with `COLUMNS`; a run is a number, from
    1 on, and holds all that the folder's reports said after it; survives ("yes" or "no") is
    whether a pooled verdict stands in its family. What a file of an earlier version does not have
    is empty; a file that is not a history is a `DataError`.
    """
    path = folder / FILE
    if not path.exists():
        return empty()
    try:
        table = pd.read_parquet(path)
        if set(COLUMNS) - set(table) - set(LATER):
            raise ValueError("It lacks columns.")
        one = _filled(table).drop_duplicates(["run", *KEYS], ignore_index=True)
        return one.astype(_KINDS)
    except (ValueError, OSError, TypeError, ArrowException):
        raise DataError(
            f"{path.name}: this is no history of findings; expected a Parquet file with the "
            f"columns {', '.join(COLUMNS)}. Put it back, or take it away to begin anew."
        ) from None


def empty() -> pd.DataFrame:
    """Return a history without a run."""
    return pd.DataFrame(columns=COLUMNS).astype(_KINDS)


def append(folder: Path, found: pd.DataFrame, pools: pd.DataFrame) -> pd.DataFrame:
    """Add what was found to a folder's history, unless it is what the last run found, too.

    `found` and `pools` are as from `findings.tidy` and `across_regions.pooled`; the history as
    from `read`.
    """
    known = read(folder)
    last = int(known["run"].max()) if len(known) else 0
    rows = _rows(found, pools).assign(run=last + 1)[COLUMNS].astype(_KINDS)
    if rows.empty or _same(rows, known[known["run"] == last]):
        return known
    everything = pd.concat([known, rows], ignore_index=True)
    with whole(folder / FILE) as draft:
        everything.to_parquet(draft, index=False)
    return everything


def changes(history: pd.DataFrame) -> pd.DataFrame:
    """Compare what the last run found with what the run before it found.

    One row per source, region and hypothesis of the two runs, in the order of their names, what
    is pooled before the regions: before and verdict (missing where one of them has none), stood
    and stands (whether they did in their family: "yes", "no" or, where that is not known, ""),
    moved (whether verdict or numbers differ), anew (whether it was computed anew) and causes
    (tuple out of `REASONS`: fingerprints that are known of both runs and differ, regions or claims
    that only one of them has; of what is pooled, those of the regions). Empty after the first run.
    """
    names = [*KEYS[:3], "before", "verdict", "stood", "stands", "moved", "anew", "causes"]
    last = int(history["run"].max()) if len(history) else 0
    if last < 2:
        return pd.DataFrame(columns=names)
    new, old = (history[history["run"] == run] for run in (last, last - 1))
    both = new.merge(old, on=KEYS, how="outer", suffixes=("", "_old"), sort=True)
    both = both.assign(moved=_moved(both), alone=both["run"].isna() | both["run_old"].isna())
    both = both.assign(**{f"new_{name}": _known_to_differ(both, name) for name in CAUSES})
    one = both.groupby(KEYS[:3], sort=False).agg(
        before=("verdict_old", "first"), verdict=("verdict", "first"), moved=("moved", "any"),
        stood=("survives_old", "first"), stands=("survives", "first"), alone=("alone", "all"),
        **{name: (f"new_{name}", "any") for name in CAUSES},
    ).reset_index()  # fmt: skip
    one = one.fillna({"stood": "", "stands": ""}).assign(causes=_causes(one))
    return one.assign(anew=one["causes"].map(len) > 0)[names]


def lines(history: pd.DataFrame, source: str, hypothesis: str, part: str) -> pd.DataFrame:
    """Return an effect by run, one column per region (`EVERYWHERE` for what is pooled)."""
    is_own = history[["source", "hypothesis", "part"]] == [source, hypothesis, part]
    own = history[is_own.all(axis=1)]
    return own.pivot(index="run", columns="region", values="estimate")


def days(history: pd.DataFrame) -> dict[tuple[str, str], pd.Series]:
    """Return the last day of the data by run, of each region (with its source) and of all.

    It is empty where it is not known.
    """
    rows = history[history["region"] != EVERYWHERE]
    both = pd.concat([rows, rows.assign(region=EVERYWHERE)])
    by_run = both.groupby(["source", "region"])
    return {key: own.groupby("run")["data_until"].max() for key, own in by_run}


def _rows(found: pd.DataFrame, pools: pd.DataFrame) -> pd.DataFrame:
    """Return findings and what is pooled as rows of a history, without the run."""
    numbers = pools[pools["estimate"].notna()].assign(region=EVERYWHERE)
    numbers["survives"] = np.where(numbers["survives"].astype(bool), "yes", "no")
    both = [table.reindex(columns=COLUMNS[1:]) for table in (found, numbers)]
    return _filled(pd.concat(both, ignore_index=True).drop_duplicates(KEYS, ignore_index=True))


def _filled(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with all columns, texts that are not there empty."""
    table = table.reindex(columns=COLUMNS)
    texts = [name for name in COLUMNS[1:] if name not in _FLOATS]
    return table.assign(**{name: table[name].astype(object).fillna("") for name in texts})


def _same(rows: pd.DataFrame, before: pd.DataFrame) -> bool:
    """Tell whether two runs found the same, as far as the first of them recorded it."""
    if len(rows) != len(before):
        return False
    recorded = [name for name in COLUMNS[1:] if not before[name].isin(["", np.nan]).all()]
    floats = [name for name in recorded if name in _FLOATS]
    texts = [name for name in recorded if name not in _FLOATS]
    same_texts = (rows[texts].to_numpy() == before[texts].to_numpy()).all()
    return bool(same_texts and _near(rows[floats], before[floats]).all())


def _near(new: pd.DataFrame, old: pd.DataFrame) -> np.ndarray:
    """Mark the numbers of two tables that are the same but for rounding."""
    pair = new.to_numpy(float), old.to_numpy(float)
    return np.isclose(*pair, rtol=NEAR, atol=0, equal_nan=True)


def _moved(both: pd.DataFrame) -> pd.Series:
    """Mark the rows in which a verdict, whether it stands, or a number is not what it was."""
    new, old = (both[[f"{name}{end}" for name in NUMBERS]] for end in ("", "_old"))
    verdicts = [both[name].fillna("") != both[f"{name}_old"].fillna("") for name in VERDICTS]
    stands = _known_to_differ(both, "survives")
    return np.logical_or.reduce([*verdicts, stands, ~_near(new, old).all(axis=1)])


def _known_to_differ(both: pd.DataFrame, name: str) -> pd.Series:
    """Mark the rows in which a column is known of both runs, and not the same."""
    new, old = (both[column].fillna("") for column in (name, f"{name}_old"))
    return (new != "") & (old != "") & (new != old)


def _causes(one: pd.DataFrame) -> pd.Series:
    """Return what each row's change comes from; a pooled one's are those of its regions."""
    own = one.set_index(KEYS[:3])[[*CAUSES, "alone"]].rename(columns={"alone": "claims"})
    own["regions"] = False
    regions = own[own.index.get_level_values("region") != EVERYWHERE]
    by_claim = regions.groupby(["source", "hypothesis"])
    everywhere = by_claim.any().assign(claims=by_claim["claims"].all())
    everywhere["regions"] = by_claim["claims"].any() & ~everywhere["claims"]
    rows = [
        everywhere.loc[(source, key)] if region == EVERYWHERE else own.loc[(source, region, key)]
        for source, region, key in own.index
    ]
    return pd.Series([tuple(name for name in REASONS if row[name]) for row in rows], one.index)
