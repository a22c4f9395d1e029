"""A finding: what a region's data say about one claim, and its record inside a notebook."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

from IPython import get_ipython

from analysis.claims import card
from analysis.claims.hypotheses import Hypothesis, Part, Range, fingerprint
from analysis.claims.verdicts import Check, Verdict, judge, judge_part
from analysis.language import text
from analysis.statistics.estimate import Estimate, NotEstimable

MIME_TYPE = "application/vnd.customer-workbook.finding+json"
TRIAL_MIME_TYPE = "application/vnd.customer-workbook.trial+json"


class ShownOnce:
    """What a call shows; a cell that ends with the call does not show it a second time."""

    shown_in = None  # execution count of the cell

    def _ipython_display_(self) -> None:
        """Show nothing in the cell that shows it already, and the usual in any other."""
        if self.shown_in is None or self.shown_in != get_ipython().execution_count:
            raise NotImplementedError


@dataclass(frozen=True)
class Finding(ShownOnce):
    """What a region's data say about one hypothesis.

    Attributes
    ----------
    estimates : mapping of str to Estimate
        One for each part of the hypothesis; empty when not testable or failed.
    caveats : tuple of str
        What would change the answer.
    meaning : str
        The effect in a unit that a manager understands, as a sentence.
    reason : str
        Why it is not testable or failed; empty otherwise.
    formula : str
        Of the regression behind the estimates; empty where there is none.
    calibration : mapping or None
        How often such verdicts were wrong in simulations, as from `calibration.line`.
    customers : int
        Of the region; 0 where that is not known.
    days : int
        From the region's first purchase to the end of its data; 0 where that is not known.
    missing : tuple of str
        "table.column" names without which it is not testable.
    times : float or None
        How many times its customers the region would have for it to be testable, where what is too
        few grows with them; None where that is not known.
    plain : mapping of str to float
        How large an effect's unit is in plain ones (`Part.plain`), by part.
    variant : str
        Name of a researcher's variant, which is not the region's finding; empty otherwise.
    is_quick : bool
        Whether it was computed in quick mode, and so is not for reporting.
    """

    hypothesis: Hypothesis
    source: str
    region: str
    verdict: Verdict
    estimates: Mapping[str, Estimate] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    caveats: tuple[str, ...] = ()
    meaning: str = ""
    reason: str = ""
    formula: str = ""
    language: str = "en"
    calibration: Mapping | None = None
    customers: int = 0
    days: int = 0
    missing: tuple[str, ...] = ()
    times: float | None = None
    plain: Mapping[str, float] = field(default_factory=dict)
    variant: str = ""
    is_quick: bool = False

    @property
    def blocked_by(self) -> list[str]:
        """Names of the checks that failed without which nothing can be concluded, of any part."""
        return [check.name for check in self.checks if check.blocking and not check.passed]

    @property
    def is_blocked(self) -> bool:
        """Whether such a check failed."""
        return bool(self.blocked_by)

    def record(self) -> dict:
        """Return the finding as plain values, as it is carried in a notebook."""
        same = ("source", "region", "verdict", "meaning", "reason", "formula", "calibration")
        same += ("language", "variant", "is_quick")
        known = ("customers", "days", "missing", "times")  # earlier records have none
        same += tuple(name for name in known if getattr(self, name))
        return {name: getattr(self, name) for name in same} | {
            "hypothesis": self.hypothesis.id,
            "worth": self.hypothesis.worth,
            "reading": self.hypothesis.reading,
            "title": self.hypothesis.title[self.language],
            "claim": self.hypothesis.claim[self.language],
            "parts": [self._part_record(part) for part in self.hypothesis.parts],
            "checks": [
                {name: getattr(check, name) for name in ("name", "rule", "value", "blocking")}
                | {"passed": bool(check.passed)}
                for check in self.checks
            ],
            "variants": [row for check in self.checks for row in _variants(check)],
            "tests": [row for check in self.checks for row in _tests(check)],
            "caveats": list(self.caveats),
            "register": fingerprint(),
        }

    def _part_record(self, part: Part) -> dict:
        """Return one part with its rule and, where there is one, its estimate."""
        estimate, rule = self.estimates.get(part.key), _rule(part, self.language)
        if estimate is None:
            return rule
        alone = judge_part(part, estimate, len(self.estimates))
        if part.key in self.plain:
            rule["plain"] = {"unit": part.plain[self.language], "times": self.plain[part.key]}
        numbers = {name: _finite(value) for name, value in asdict(estimate).items()}
        return rule | numbers | {
            "p_value": max(map(estimate.p_value, part.claim.ends)),  # of the nearest edge
            "verdict": "inconclusive" if self.is_blocked else alone,
        }  # fmt: skip

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict:
        """Show a card in JupyterLab and carry the record beside it."""
        record = self.record()
        return {
            MIME_TYPE: record,
            "text/html": card.styled(card.card(record)),
            "text/plain": f"{record['hypothesis']} {record['region']}: {record['verdict']}",
        }


@dataclass(frozen=True)
class Comparison(ShownOnce):
    """A researcher's variant beside the finding as registered, and whether its checks are its own.

    A cell that ends with it shows both.
    """

    registered: Finding
    variant: Finding
    same_checks: bool

    def _repr_html_(self) -> str:
        """Draw both side by side."""
        records = self.registered.record(), self.variant.record()
        return card.styled(card.comparison(*records, same_checks=self.same_checks))

    def __repr__(self) -> str:
        """Give both verdicts."""
        found = f"{self.registered.verdict!r}, {self.variant.variant}: {self.variant.verdict!r}"
        return f"<{self.registered.hypothesis.id} as registered: {found}, not registered>"


def conclude(
    hypothesis: Hypothesis,
    source: str,
    region: str,
    estimates: Mapping[str, Estimate],
    *,
    checks: Sequence[Check] = (),
    caveats: Sequence[str] = (),
    **texts: object,
) -> Finding:
    """Judge the estimates of all parts of a hypothesis; `texts` are other attributes of `Finding`.

    Raises
    ------
    ValueError
        If a part has no estimate, an estimate no part, or another scale than its part.
    NotEstimable
        If an estimate or an end of its interval is not finite, the interval has no width or does
        not hold its estimate, or the estimate lies where none can lie (`Part.sane`).
    """
    expected = [part.key for part in hypothesis.parts]
    if sorted(estimates) != sorted(expected):
        raise ValueError(f"{hypothesis.id} needs estimates of {expected}, got {sorted(estimates)}.")
    for part in hypothesis.parts:
        if (scale := estimates[part.key].scale) != part.scale:
            raise ValueError(
                f"{hypothesis.id} needs {part.label['en']} ({part.unit['en']}) as an estimate on "
                f"the scale {part.scale!r}, got one on the scale {scale!r}."
            )
        _refuse_absurd(part, estimates[part.key], str(texts.get("language", "en")))
    verdict = judge(hypothesis, estimates, checks)
    known = {"estimates": dict(estimates), "checks": tuple(checks), "caveats": tuple(caveats)}
    return Finding(hypothesis, source, region, verdict, **known, **texts)


def no_finding(
    hypothesis: Hypothesis,
    source: str,
    region: str,
    verdict: Literal["not testable", "failed"],
    reason: str,
    *,
    language: str = "en",
    **known: object,
) -> Finding:
    """Say in a sentence why a hypothesis has no estimate: what is missing, or what broke.

    `known` are other attributes of `Finding`.
    """
    known |= {"reason": reason, "language": language}
    return Finding(hypothesis, source, region, verdict, **known)


def part_record(part: Part, row: Mapping, language: str) -> dict:
    """Return an effect of a table as it is drawn and written: as a part of a finding's record.

    The row is one of `findings.tidy` or of `across_regions.pooled`, with numbers.
    """
    numbers = {name: _finite(float(row[name])) for name in ("estimate", "ci_low", "ci_high")}
    others = {"scale": row["scale"], "n_obs": int(row["n_obs"]), "verdict": row["part_verdict"]}
    return _rule(part, language) | numbers | others


def _refuse_absurd(part: Part, estimate: Estimate, language: str) -> None:
    """Refuse an estimate without a finite and sane error, or where no effect can lie."""
    low, value, high = estimate.ci_low, estimate.estimate, estimate.ci_high
    facts = {"n": estimate.n_obs, "counts": part.counts[language], "label": part.label[language]}
    if not all(math.isfinite(each) for each in (low, value, high)):
        raise NotEstimable(text("{n:,} {counts} give no finite interval for {label}.", **facts))
    if not (low < high and low <= value <= high):
        said = text(
            "{n:,} {counts} give no error for {label}: its interval has no width or lies beside "
            "the estimate.",
            **facts,
        )
        raise NotEstimable(said)
    if not part.sane.holds(value, value):
        said = text(
            "{n:,} {counts} give {value:,.6g} for {label}, where only {low:g} to {high:g} make "
            "sense: they are too few, or too unlike.",
            value=value, low=part.sane.low, high=part.sane.high, **facts,
        )  # fmt: skip
        raise NotEstimable(said)


def _variants(check: Check) -> Iterator[dict]:
    """Yield the estimates of each part of each variant of a check."""
    names = ("estimate", "ci_low", "ci_high", "df", "scale", "n_obs")
    for number, parts in enumerate(check.variants, start=1):
        for key, each in parts.items():
            numbers = {name: _finite(getattr(each, name)) for name in names}
            yield {"check": check.name, "variant": number, "part": key} | numbers


def _tests(check: Check) -> Iterator[dict]:
    """Yield the numbers that regions together can fail though each passes, if the check blocks."""
    tests = {} if check.p_value is None else {"": (check.p_value, check.least)}
    tests |= {name: (float(value), check.most) for name, value in check.biases.items()}
    for bias, (value, limit) in tests.items() if check.blocking else ():
        yield {"check": check.name, "bias": bias, "value": _finite(value), "limit": limit}


def _rule(part: Part, language: str) -> dict:
    """Return what an effect is, and where its claim puts it."""
    words = {name: getattr(part, name)[language] for name in ("label", "unit", "counts")}
    ranges = {"claim": _ends(part.claim), "negligible": _ends(part.negligible)}
    known = {"key": part.key, "show": part.show, "null": part.null, "language": language}
    return known | words | ranges


def _ends(limits: Range | None) -> list | None:
    """Return both ends of a range, None for an open one."""
    return None if limits is None else [_finite(limits.low), _finite(limits.high)]


def _finite(value: object) -> object:
    """Return None for an infinite number, which JSON does not have."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
