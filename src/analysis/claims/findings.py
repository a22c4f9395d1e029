"""Tables of findings: from executed notebooks, and in the folder of reports."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import nbformat
import pandas as pd
from pyarrow import ArrowException
from pydantic import BaseModel, ConfigDict, Field

from analysis.claims import hypotheses
from analysis.claims.finding import MIME_TYPE, TRIAL_MIME_TYPE, no_finding
from analysis.claims.verdicts import Verdict
from analysis.data.files import csv_safe, whole
from analysis.data.sources import DataError, reports_folder
from analysis.figures.numbers import printed
from analysis.statistics.estimate import LINKS

COLUMNS = [
    "source", "region", "hypothesis", "part", "verdict", "part_verdict",
    "estimate", "ci_low", "ci_high", "df", "unit", "scale", "claim_low", "claim_high",
    "n_obs", "counts", "p_value", "method", "formula", "failed_checks", "blocked_by", "reason",
    "data_until", "data", "notebook", "module", "parameters", "register",
]  # fmt: skip
VARIANTS = [
    "source", "region", "hypothesis", "check", "variant", "part",
    "estimate", "ci_low", "ci_high", "df", "scale", "n_obs",
]  # fmt: skip
TESTS = ["source", "region", "hypothesis", "check", "bias", "value", "limit"]
NUMBERS = ["estimate", "ci_low", "ci_high", "df", "claim_low", "claim_high", "n_obs", "p_value"]
IN_UNIT = (
    "estimate", "ci_low", "ci_high", "prediction_low", "prediction_high", "claim_low", "claim_high",
)  # fmt: skip
"""Columns in the unit of the effect."""
FILLED = (*COLUMNS[:5], "failed_checks", "blocked_by", "reason", "check", "bias")
"""Columns that hold a text in every row."""
Ends = tuple[float | None, float | None]
PROVENANCE = ("data_until", "data", "notebook", "module", "parameters")
"""Where a finding came from, as the notebook that was executed knows it."""


class _Whole(BaseModel):
    """A part of a record: what pages and tables make of it needs these kinds of values."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class _Row(_Whole):
    part: str
    check: str
    scale: str
    variant: int
    n_obs: float
    estimate: float | None
    ci_low: float | None
    ci_high: float | None
    df: float | None


class _Test(_Whole):
    check: str
    bias: str
    value: float | None
    limit: float | None


class _Check(_Whole):
    name: str
    rule: str
    value: str
    blocking: bool
    passed: bool


class _Plain(_Whole):
    unit: str
    times: float


class _Part(_Whole):
    key: str
    label: str
    unit: str
    counts: str
    show: str
    null: float
    claim: Ends
    negligible: tuple[float, float] | None
    estimate: float = 0.0
    ci_low: float | None = None
    ci_high: float | None = None
    df: float | None = None
    p_value: float | None = None
    n_obs: Annotated[float, Field(ge=0)] = 0.0
    scale: Literal[*LINKS] = "identity"
    method: str = ""
    verdict: str | None = None
    plain: _Plain | None = None


class _Record(_Whole):
    verdict: Verdict
    parts: list[_Part]
    checks: list[_Check]
    variants: list[_Row]
    tests: list[_Test]
    caveats: list[str]


def records(notebook: nbformat.NotebookNode) -> Iterator[dict]:
    """Yield the records of the findings that an executed notebook carries, in order.

    A researcher's variant is not the region's finding: its record is passed over.
    """
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            record = output.get("data", {}).get(MIME_TYPE)
            if record is not None and not record.get("variant"):
                yield dict(record)


def of_trials(notebook: nbformat.NotebookNode) -> Iterator[dict]:
    """Yield what trials decided that an executed notebook has read back, as `Decided.record`."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            record = output.get("data", {}).get(TRIAL_MIME_TYPE)
            if record is not None:
                _Part.model_validate_json(json.dumps(record["part"]))
                yield dict(record)


def checked(record: dict) -> dict:
    """Return a record, if it has what those of findings have; it is a ValueError if not."""
    like = no_finding(hypotheses.hypothesis(record["hypothesis"]), "", "", "failed", "").record()
    parts = zip(like["parts"], record["parts"], strict=True)
    is_whole = _is_like(like, record) and all(_is_like(*pair) for pair in parts)
    if not is_whole:
        raise ValueError("The record of a finding is not whole.")
    _Record.model_validate_json(json.dumps(record))
    tidy([record]), variants([record]), tests([record])
    return record


def _is_like(known: Mapping, record: Mapping) -> bool:
    """Tell whether a record has the keys of another one, with texts and lists where that has."""
    kinds = (str, list, dict, bool)
    return all(
        key in record and (not isinstance(each, kinds) or isinstance(record[key], type(each)))
        for key, each in known.items()
    )


def tidy(found: Sequence[Mapping]) -> pd.DataFrame:
    """Return one row per finding (as from `records`) and part, with the columns of `COLUMNS`.

    Numbers are missing where there is no estimate. An open end of an interval, and infinitely many
    degrees of freedom, are infinite.
    """
    rows = [_row(record, part) for record in found for part in record["parts"]]
    return _typed(pd.DataFrame(rows, columns=COLUMNS))


def variants(found: Sequence[Mapping]) -> pd.DataFrame:
    """Return what findings (as from `records`) would be if what their checks ask for were not so.

    There is a row per finding, check (its name), variant (its number, from 1 on) and part, with the
    columns of `VARIANTS`. Open ends are infinite, as in `tidy`.
    """
    rows = [row | _open_ends(row) for row in _rows(found, "variants")]
    return _typed(pd.DataFrame(rows, columns=VARIANTS))


def tests(found: Sequence[Mapping]) -> pd.DataFrame:
    """Return the numbers of checks that many regions together can fail though each one passes.

    There is a row, with the columns of `TESTS`, per finding (as from `records`) and check with a
    p-value, which must be at least the limit (bias is empty), and per finding, check and bias,
    whose size must be below it.
    """
    return _typed(pd.DataFrame(_rows(found, "tests"), columns=TESTS))


def read(source: str) -> pd.DataFrame:
    """Read the findings of a source from the reports of the last run, as from `tidy`.

    DataError is raised if there are none.
    """
    rows = read_all(reports_folder())
    own = rows[rows["source"] == source].reset_index(drop=True)
    if own.empty:
        raise DataError(f"There are no findings of {source!r}: workbook run --source {source}.")
    return own


def read_all(folder: Path) -> pd.DataFrame:
    """Read all findings of a folder of reports, as from `tidy`; none where there is no file."""
    return _read(folder / "findings.parquet", COLUMNS)


def read_variants(folder: Path) -> pd.DataFrame:
    """Read the variants of a folder's findings, as from `variants`; none where there is no file."""
    return _read(folder / "variants.parquet", VARIANTS)


def read_tests(folder: Path) -> pd.DataFrame:
    """Read the tests of a folder's findings, as from `tests`; none where there is no file."""
    return _read(folder / "tests.parquet", TESTS)


def write(table: pd.DataFrame, others: pd.DataFrame, folder: Path, tested: pd.DataFrame) -> None:
    """Write findings, their variants and tests into the folder of reports.

    It gets findings.csv, findings.parquet, variants.parquet and tests.parquet, each whole or not at
    all.
    """
    with whole(folder / "findings.csv") as draft:
        save_csv(in_units(table), draft)
    for name, rows in {"findings": table, "variants": others, "tests": tested}.items():
        with whole(folder / f"{name}.parquet") as draft:
            rows.to_parquet(draft)


def in_units(table: pd.DataFrame) -> pd.DataFrame:
    """Return findings or pooled effects with points and percent as such, and not as shares."""
    parts = ((key, part) for key, known in hypotheses.register().items() for part in known.parts)
    shows = {(key, part.key): part.show for key, part in parts}
    own = pd.Series(list(zip(table["hypothesis"], table["part"], strict=True)), table.index)
    columns, made = [name for name in IN_UNIT if name in table], table.copy()
    for show in ("points", "percent"):
        rows = own.map(shows.get) == show
        made.loc[rows, columns] = printed(made.loc[rows, columns].astype(float), show)
    return made


def save_csv(table: pd.DataFrame, path: Path) -> None:
    """Write UTF-8 with a byte order mark, which Excel needs to read Chinese, and no formula."""
    table = csv_safe(table).replace("\r", " ", regex=True)  # which csv takes for an end of line
    table.to_csv(path, index=False, encoding="utf-8-sig", lineterminator="\n")


def _row(record: Mapping, part: Mapping) -> dict:
    """Return the row of one part of a record."""
    failed = [check for check in record["checks"] if not check["passed"]]
    low, high = part["claim"]
    of_part = {*part, *NUMBERS, "scale", "method"}
    row = {name: part.get(name) if name in of_part else record.get(name, "") for name in COLUMNS}
    row |= _open_ends(part) if "estimate" in part else {}
    return row | {
        "part": part["key"],
        "verdict": record["verdict"],
        "part_verdict": part.get("verdict"),
        "claim_low": low,
        "claim_high": high,
        "failed_checks": "; ".join(check["name"] for check in failed),
        "blocked_by": "; ".join(check["name"] for check in failed if check["blocking"]),
    }


def _rows(found: Sequence[Mapping], kind: str) -> list[dict]:
    """Return the rows of a kind that records carry, each with its source, region, hypothesis."""
    return [
        {name: record[name] for name in ("source", "region", "hypothesis")} | row
        for record in found
        for row in record.get(kind, ())
    ]


def _read(path: Path, columns: list[str]) -> pd.DataFrame:
    """Read a table; an empty one where there is no file."""
    if not path.exists():
        return _typed(pd.DataFrame(columns=columns))
    try:
        table = _typed(pd.read_parquet(path).reindex(columns=columns))
        texts = table[[name for name in columns if name in FILLED]].to_numpy().ravel()
        is_whole = all(isinstance(each, str) for each in texts)
        if not (is_whole and set(table["hypothesis"]) <= {*hypotheses.register()}):
            raise ValueError("It is no table of findings.")
        return table
    except (ValueError, TypeError, OSError, ArrowException):
        raise DataError(f"{path.name}: it is damaged; workbook index makes it anew.") from None


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    """Give numbers their type, also where a table is empty."""
    kinds = dict.fromkeys([*NUMBERS, "value", "limit"], float) | {"variant": int}
    return table.astype({name: kind for name, kind in kinds.items() if name in table})


def _open_ends(part: Mapping) -> dict:
    """Return the numbers that JSON has no word for."""
    open_ends = {"ci_low": -math.inf, "ci_high": math.inf, "df": math.inf}
    return {name: end for name, end in open_ends.items() if part.get(name) is None}
