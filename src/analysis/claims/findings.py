"""A finding, the way it travels inside a notebook, and tables of findings."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import nbformat
import pandas as pd

from analysis.claims import card
from analysis.claims.hypotheses import Hypothesis, Part, fingerprint
from analysis.claims.verdicts import Check, Verdict, judge, judge_part
from analysis.data.files import csv_safe, whole
from analysis.data.sources import DataError, reports_folder
from analysis.statistics.estimate import Estimate, NotEstimable

MIME_TYPE = "application/vnd.customer-workbook.finding+json"

COLUMNS = [
    "source", "region", "hypothesis", "part", "verdict", "part_verdict",
    "estimate", "ci_low", "ci_high", "df", "unit", "scale", "claim_low", "claim_high",
    "n_obs", "counts", "p_value", "method", "failed_checks", "blocked_by", "reason",
    "data_until", "data", "notebook", "module", "parameters", "register",
]  # fmt: skip
VARIANTS = [
    "source", "region", "hypothesis", "check", "variant", "part",
    "estimate", "ci_low", "ci_high", "df", "scale", "n_obs",
]  # fmt: skip
TESTS = ["source", "region", "hypothesis", "check", "bias", "value", "limit"]
NUMBERS = dict.fromkeys(
    ["estimate", "ci_low", "ci_high", "df", "claim_low", "claim_high", "n_obs", "p_value"], float
)
PRINTS = ("data_until", "data", "notebook", "module", "parameters")
"""Where a finding came from, as the notebook that was executed knows it."""


@dataclass(frozen=True)
class Finding:
    """What a region's data says about one hypothesis.

    Attributes
    ----------
    hypothesis : Hypothesis
        The entry of the register that was tested.
    source, region : str
        Whose data it was.
    estimates : dict of Estimate
        One for each part of the hypothesis; empty when not testable or failed.
    checks : tuple of Check
        What the estimates rest on.
    caveats : tuple of str
        What would change the answer.
    meaning : str
        The effect in a unit that a manager understands, as a sentence.
    reason : str
        Why it is not testable or failed; empty otherwise.
    verdict : str
        By `judge`, or "not testable" or "failed".
    calibration : dict or None
        How often such verdicts were wrong in simulations, as from `calibration.line`.
    """

    hypothesis: Hypothesis
    source: str
    region: str
    estimates: Mapping[str, Estimate]
    checks: tuple[Check, ...]
    caveats: tuple[str, ...]
    meaning: str
    reason: str
    verdict: Verdict
    language: str = "en"
    calibration: Mapping | None = None

    @property
    def is_blocked(self) -> bool:
        """Whether a check failed without which nothing can be concluded, of any part."""
        return any(check.blocking and not check.passed for check in self.checks)

    def record(self) -> dict:
        """Return the finding as plain values, as it is carried in a notebook."""
        return {
            "hypothesis": self.hypothesis.id,
            "source": self.source,
            "region": self.region,
            "verdict": self.verdict,
            "reading": self.hypothesis.reading,
            "title": self.hypothesis.title[self.language],
            "claim": self.hypothesis.claim[self.language],
            "meaning": self.meaning,
            "reason": self.reason,
            "parts": [self._part_record(part) for part in self.hypothesis.parts],
            "checks": [_check_record(check) for check in self.checks],
            "variants": [row for check in self.checks for row in _variant_records(check)],
            "caveats": list(self.caveats),
            "calibration": self.calibration,
            "register": fingerprint(),
            "language": self.language,
        }

    def _part_record(self, part: Part) -> dict:
        """Return one part with its rule and, where there is one, its estimate."""
        estimate = self.estimates.get(part.key)
        rule = _rule(part, self.language)
        if estimate is None:
            return rule
        numbers = {name: _finite(value) for name, value in asdict(estimate).items()}
        alone = judge_part(part, estimate, len(self.estimates))
        verdict = "inconclusive" if self.is_blocked else alone
        judged = {"p_value": _p_value(part, estimate), "alone": alone, "verdict": verdict}
        return rule | numbers | judged

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict:
        """Show a card in JupyterLab and carry the record beside it."""
        record = self.record()
        return {
            MIME_TYPE: record,
            "text/html": card.card(record),
            "text/plain": f"{record['hypothesis']} {record['region']}: {record['verdict']}",
        }


def part_record(part: Part, row: Mapping, language: str) -> dict:
    """Return an effect of a table as it is drawn and written: as a part of a finding's record.

    Parameters
    ----------
    part : Part
        The effect.
    row : mapping
        A row of `tidy` or of `synthesis.pooled`, with numbers.
    language : {"en", "zh"}
    """
    numbers = {name: _finite(float(row[name])) for name in ("estimate", "ci_low", "ci_high")}
    others = {"scale": row["scale"], "n_obs": int(row["n_obs"]), "verdict": row["part_verdict"]}
    return _rule(part, language) | numbers | others


def conclude(
    hypothesis: Hypothesis,
    source: str,
    region: str,
    estimates: Mapping[str, Estimate],
    *,
    checks: Sequence[Check] = (),
    caveats: Sequence[str] = (),
    meaning: str = "",
    language: str = "en",
    calibration: Mapping | None = None,
) -> Finding:
    """Judge the estimates of all parts of a hypothesis.

    Parameters
    ----------
    hypothesis : Hypothesis
        The entry of the register.
    source, region : str
        Whose data it was.
    estimates : mapping of str to Estimate
        One for each part of the hypothesis, by its key.
    checks, caveats, meaning, language, calibration
        As in `Finding`.

    Raises
    ------
    ValueError
        If a part has no estimate, or an estimate no part.
    NotEstimable
        If an estimate or an end of its interval is not finite, the interval has no width or does
        not hold its estimate, or the estimate lies where none can lie (`Part.sane`).
    """
    expected = [part.key for part in hypothesis.parts]
    if sorted(estimates) != sorted(expected):
        raise ValueError(f"{hypothesis.id} needs estimates of {expected}, got {sorted(estimates)}.")
    for part in hypothesis.parts:
        _refuse_absurd(part, estimates[part.key])
    verdict = judge(hypothesis, estimates, checks)
    texts = (tuple(checks), tuple(caveats), meaning, "")
    return Finding(
        hypothesis, source, region, dict(estimates), *texts, verdict, language, calibration
    )


def no_finding(
    hypothesis: Hypothesis,
    source: str,
    region: str,
    verdict: Literal["not testable", "failed"],
    reason: str,
    *,
    language: str = "en",
) -> Finding:
    """Say why a hypothesis has no estimate.

    Parameters
    ----------
    hypothesis, source, region, language
        As in `Finding`.
    verdict : {"not testable", "failed"}
        Whether the data is not there, or the computation broke.
    reason : str
        What is missing, or what broke, as a sentence.
    """
    nothing = ({}, (), (), "")
    return Finding(hypothesis, source, region, *nothing, reason, verdict, language)


def records(notebook: nbformat.NotebookNode) -> Iterator[dict]:
    """Yield the records of the findings that an executed notebook carries, in order."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            record = output.get("data", {}).get(MIME_TYPE)
            if record is not None:
                yield dict(record)


def tidy(found: Sequence[Mapping]) -> pd.DataFrame:
    """Return one row per finding and part.

    Parameters
    ----------
    found : sequence of mapping
        Records, as from `records`.

    Returns
    -------
    DataFrame
        Columns of `COLUMNS`; numbers are missing where there is no estimate. An open end of an
        interval, and infinitely many degrees of freedom, are infinite.
    """
    rows = [_row(record, part) for record in found for part in record["parts"]]
    return pd.DataFrame(rows, columns=COLUMNS).astype(NUMBERS)


def variants(found: Sequence[Mapping]) -> pd.DataFrame:
    """Return what findings would be if what their checks ask for were otherwise.

    Parameters
    ----------
    found : sequence of mapping
        Records, as from `records`.

    Returns
    -------
    DataFrame
        Columns of `VARIANTS`; one row per finding, check (its name), variant (its number, from 1
        on) and part. Open ends are infinite, as in `tidy`.
    """
    rows = [
        {name: record[name] for name in ("source", "region", "hypothesis")} | row | _open_ends(row)
        for record in found
        for row in record.get("variants", ())
    ]
    return _as_variants(pd.DataFrame(rows, columns=VARIANTS))


def tests(found: Sequence[Mapping]) -> pd.DataFrame:
    """Return the numbers of checks that many regions together can fail though each one passes.

    Parameters
    ----------
    found : sequence of mapping
        Records, as from `records`.

    Returns
    -------
    DataFrame
        Columns of `TESTS`; one row per finding and check with a p-value, which must be at least
        the limit (bias is empty), and per finding, check and bias, whose size must be below it.
    """
    rows = [
        {name: record[name] for name in ("source", "region", "hypothesis")} | row
        for record in found
        for check in record["checks"]
        for row in _test_rows(check)
    ]
    return _as_tests(pd.DataFrame(rows, columns=TESTS))


def read(source: str) -> pd.DataFrame:
    """Read the findings of a source from the reports of the last run.

    Parameters
    ----------
    source : str
        Name of the source.

    Returns
    -------
    DataFrame
        As from `tidy`.

    Raises
    ------
    DataError
        If there are none.
    """
    rows = read_all(reports_folder())
    own = rows[rows["source"] == source].reset_index(drop=True)
    if own.empty:
        raise DataError(f"There are no findings of {source!r}: workbook run --source {source}.")
    return own


def read_all(folder: Path) -> pd.DataFrame:
    """Read all findings of a folder of reports, as from `tidy`; none where there is no file."""
    path = folder / "findings.parquet"
    return pd.read_parquet(path).astype(NUMBERS) if path.exists() else tidy([])


def read_variants(folder: Path) -> pd.DataFrame:
    """Read the variants of a folder's findings, as from `variants`; none where there is no file."""
    path = folder / "variants.parquet"
    return _as_variants(pd.read_parquet(path)) if path.exists() else variants([])


def read_tests(folder: Path) -> pd.DataFrame:
    """Read the tests of a folder's findings, as from `tests`; none where there is no file."""
    path = folder / "tests.parquet"
    return _as_tests(pd.read_parquet(path)) if path.exists() else tests([])


def write(
    table: pd.DataFrame, others: pd.DataFrame, folder: Path, tested: pd.DataFrame | None = None
) -> None:
    """Write findings, their variants and tests into `folder`, each file whole or not at all.

    Parameters
    ----------
    table, others : DataFrame
        As from `tidy` and `variants`: findings.csv and findings.parquet, and variants.parquet.
    folder : Path
        The folder of the reports.
    tested : DataFrame, optional
        As from `tests`: tests.parquet.
    """
    tested = tests([]) if tested is None else tested
    for name, save in {"csv": save_csv, "parquet": pd.DataFrame.to_parquet}.items():
        with whole(folder / f"findings.{name}") as draft:
            save(table, draft)
    for name, rows in {"variants": others, "tests": tested}.items():
        with whole(folder / f"{name}.parquet") as draft:
            rows.to_parquet(draft)


def save_csv(table: pd.DataFrame, path: Path) -> None:
    """Write UTF-8 with a byte order mark, which Excel needs to read Chinese, and no formula."""
    table = csv_safe(table).replace("\r", " ", regex=True)  # which csv takes for an end of line
    table.to_csv(path, index=False, encoding="utf-8-sig", lineterminator="\n")


def _row(record: Mapping, part: Mapping) -> dict:
    """Return the row of one part of a record."""
    part = part if "estimate" not in part else part | _open_ends(part)
    failed = [check for check in record["checks"] if not check["passed"]]
    low, high = part["claim"]
    same = {name: part.get(name) for name in COLUMNS if name in part}
    return {name: record[name] for name in ("source", "region", "hypothesis", "reason")} | {
        **same,
        **{name: record.get(name, "") for name in PRINTS},
        "part": part["key"],
        "verdict": record["verdict"],
        "part_verdict": part.get("verdict"),
        "claim_low": low,
        "claim_high": high,
        "failed_checks": "; ".join(check["name"] for check in failed),
        "blocked_by": "; ".join(check["name"] for check in failed if check["blocking"]),
        "register": record["register"],
    }


def _refuse_absurd(part: Part, estimate: Estimate) -> None:
    """Refuse an estimate without a finite and sane error, or where no effect can lie."""
    label, n = part.label["en"], f"{estimate.n_obs:,} {part.counts['en']}"
    low, value, high = estimate.ci_low, estimate.estimate, estimate.ci_high
    if not all(math.isfinite(each) for each in (low, value, high)):
        raise NotEstimable(f"{n} give no finite interval for {label}.")
    if not (low < high and low <= value <= high):
        raise NotEstimable(
            f"{n} give no error for {label}: its interval has no width or lies beside the estimate."
        )
    if not part.sane.holds(value, value):
        raise NotEstimable(
            f"{n} give {value:,.6g} for {label}, where only {part.sane.low:g} to "
            f"{part.sane.high:g} make sense: they are too few, or too unlike."
        )


def _check_record(check: Check) -> dict:
    """Return a check as it is shown."""
    names = ("name", "rule", "value", "blocking", "p_value", "least", "most")
    shown = {name: _finite(getattr(check, name)) for name in names}
    biases = {name: _finite(float(value)) for name, value in check.biases.items()}
    return shown | {"passed": bool(check.passed), "biases": biases}


def _test_rows(check: Mapping) -> Iterator[dict]:
    """Yield the numbers of a check that blocks, as rows of `tests`."""
    if not check["blocking"]:
        return
    known = {"check": check["name"]}
    if check.get("p_value") is not None:
        yield known | {"bias": "", "value": check["p_value"], "limit": check["least"]}
    for name, value in check.get("biases", {}).items():
        yield known | {"bias": name, "value": value, "limit": check["most"]}


def _variant_records(check: Check) -> Iterator[dict]:
    """Yield the estimates of each part of each variant of a check."""
    names = ("estimate", "ci_low", "ci_high", "df", "scale", "n_obs")
    for number, parts in enumerate(check.variants, start=1):
        for key, each in parts.items():
            numbers = {name: _finite(getattr(each, name)) for name in names}
            yield {"check": check.name, "variant": number, "part": key} | numbers


def _as_variants(table: pd.DataFrame) -> pd.DataFrame:
    """Give the columns of a table of variants their types, also where it is empty."""
    numbers = {name: float for name in NUMBERS if name in VARIANTS}
    return table[VARIANTS].astype(numbers | {"variant": int})


def _as_tests(table: pd.DataFrame) -> pd.DataFrame:
    """Give the columns of a table of tests their types, also where it is empty."""
    return table[TESTS].astype({"value": float, "limit": float})


def _rule(part: Part, language: str) -> dict:
    """Return what an effect is, and where its claim puts it."""
    return {
        "key": part.key,
        "label": part.label[language],
        "unit": part.unit[language],
        "counts": part.counts[language],
        "show": part.show,
        "null": part.null,
        "claim": _ends(part.claim),
        "negligible": _ends(part.negligible),
    }


def _open_ends(part: Mapping) -> dict:
    """Return the numbers that JSON has no word for."""
    open_ends = {"ci_low": -math.inf, "ci_high": math.inf, "df": math.inf}
    return {name: end for name, end in open_ends.items() if part.get(name) is None}


def _p_value(part: Part, estimate: Estimate) -> float:
    """Return the two-sided p of "the effect is on the edge of the claim region"."""
    ends = (part.claim.low, part.claim.high)
    return max(estimate.p_value(end) for end in ends if math.isfinite(end))


def _ends(limits: object) -> list | None:
    """Return both ends of a range, None for an open one."""
    return None if limits is None else [_finite(limits.low), _finite(limits.high)]


def _finite(value: object) -> object:
    """Return None for an infinite number, which JSON does not have."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
