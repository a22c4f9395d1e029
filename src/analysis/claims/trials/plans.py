"""The plan of a trial, registered before its outcome: once written it is not changed unsaid."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pandas as pd

from analysis.claims.trials.designs import Design, design
from analysis.data.errors import DataError
from analysis.data.files import csv_safe, write_text
from analysis.data.sources import DATA

FOLDER = DATA / "plans"
"""Where plans are registered: a folder for each source, and in it one for each trial."""
PLAN, LIST, REGISTERED = "plan.json", "assignments.csv", "registered.csv"
LENGTH = 12
"""Characters of a fingerprint."""


@dataclass(frozen=True)
class Plan:
    """What is fixed before the outcome of a trial is known.

    Attributes
    ----------
    trial, claim, source, region : str
        Its name, as in the table of assignments; of what, and where.
    data_until : str
        Last day of the data that it was made from (ISO).
    seed : int
        Of the lots.
    size : int
        Units that were drawn for (of cases: lots that are ready).
    share : float
        Of units with the offer.
    smallest : float or None
        Smallest effect that matters, in the unit of the claim's part; None where it has none.
    needed : int or None
        Units for 80% power; None where no history tells.
    power : float or None
        Of a trial of this size.
    compliance, attrition : float
        Share of the offered who take it and would not otherwise, and share whose outcome is lost,
        as assumed.
    adjusted_for, within : tuple of str
        Columns of the regression, and those that lots are drawn within.
    lots : str
        SHA-256 of units and arms, shortened.
    design : dict
        The design as it was.
    replaces : tuple of str
        Fingerprints of earlier plans of this trial.
    """

    trial: str
    claim: str
    source: str
    region: str
    data_until: str
    seed: int
    size: int
    share: float
    smallest: float | None
    needed: int | None
    power: float | None
    compliance: float
    attrition: float
    adjusted_for: tuple[str, ...]
    within: tuple[str, ...]
    lots: str
    design: dict
    replaces: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all that the plan fixes, shortened."""
        return short(json.dumps(asdict(self), sort_keys=True, ensure_ascii=False))

    @property
    def as_designed(self) -> Design:
        """The design that the plan was made from."""
        return Design(**self.design | {"arms": tuple(self.design["arms"])})

    @property
    def is_as_designed(self) -> bool:
        """Whether the workbook's design of the claim is still the plan's."""
        own = self.as_designed
        return own == replace(design(self.claim), worth=own.worth)


def short(text: str) -> str:
    """Return a text's SHA-256, shortened."""
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]


def of_lots(lots: pd.DataFrame) -> str:
    """Return the fingerprint of who is in which arm: of `place`, `unit` and `arm`."""
    return short("\n".join(f"{row.place}|{row.unit}|{row.arm}" for row in lots.itertuples()))


def folder_of(source: str, trial: str, folder: Path | None = None) -> Path:
    """Return where the plan of a trial is registered."""
    return (folder or FOLDER) / source / trial


def earlier(source: str, trial: str, folder: Path | None = None) -> list[dict[str, str]]:
    """Return the plans that were registered for a trial, as rows: trial, seed, fingerprint."""
    path = (folder or FOLDER) / source / REGISTERED
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["trial"] == trial]


def refuse_again(source: str, trial: str, seed: int, folder: Path | None, replace: bool) -> None:
    """Refuse a trial that has a plan already, and a seed that was tried for it before.

    Raises
    ------
    DataError
        Unless it is to be replaced, and by another seed.
    """
    known = earlier(source, trial, folder)
    if known and not replace:
        raise DataError(
            f"{trial}: a plan is registered (seed {known[-1]['seed']}, fingerprint "
            f"{known[-1]['fingerprint']}); --replace draws new lots, which its page will say."
        )
    if str(seed) in {each["seed"] for each in known}:
        raise DataError(f"{trial}: the seed {seed} was tried already; expected another one.")


def register(plan: Plan, lots: pd.DataFrame, folder: Path | None = None) -> Path:
    """Write a plan, its list of assignments and its line of the register; return their folder."""
    place = folder_of(plan.source, plan.trial, folder)
    place.mkdir(parents=True, exist_ok=True)
    content = json.dumps(asdict(plan), indent=1, sort_keys=True, ensure_ascii=False)
    write_text(place / PLAN, content + "\n")
    write_text(place / LIST, csv_safe(lots).to_csv(index=False, lineterminator="\n"))
    path = place.parent / REGISTERED
    known = path.read_text(encoding="utf-8") if path.exists() else "trial,seed,fingerprint\n"
    line = pd.DataFrame([[plan.trial, plan.seed, plan.fingerprint]])
    line = line.to_csv(index=False, header=False, lineterminator="\n")
    write_text(path, known + line)
    return place


def read(source: str, trial: str, folder: Path | None = None) -> Plan:
    """Return the plan of a trial as it stands in its file.

    Raises
    ------
    DataError
        If there is none, or its file is no plan.
    """
    path = folder_of(source, trial, folder) / PLAN
    if not path.exists():
        raise DataError(f"{trial}: no plan of this trial is registered (workbook trial plan).")
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
        lists = {name: tuple(entry[name]) for name in ("adjusted_for", "within", "replaces")}
        return Plan(**entry | lists)
    except (ValueError, KeyError, TypeError):
        raise DataError(
            f"{path.name} of {trial}: expected the plan as it was registered."
        ) from None


def read_lots(source: str, trial: str, folder: Path | None = None) -> pd.DataFrame:
    """Return the list of assignments that was registered with a plan, all of it as text."""
    path = folder_of(source, trial, folder) / LIST
    lots = pd.read_csv(path, dtype=str, keep_default_na=False)
    return lots.assign(unit=lots["unit"].str.removeprefix("'"))  # of `csv_safe`


def is_unchanged(plan: Plan, folder: Path | None = None) -> bool:
    """Tell whether a plan is, to its last letter, the one that was registered."""
    known = earlier(plan.source, plan.trial, folder)
    return bool(known) and known[-1]["fingerprint"] == plan.fingerprint


def trials_of(source: str, claims: Sequence[str] = (), folder: Path | None = None) -> list[Plan]:
    """Return the registered plans of a source, by name; of some claims, if these are given."""
    places = sorted(((folder or FOLDER) / source).glob(f"*/{PLAN}"))
    found = [read(source, path.parent.name, folder) for path in places]
    return [each for each in found if not claims or each.claim in claims]
