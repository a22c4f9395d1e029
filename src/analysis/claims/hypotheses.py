"""The register: what each claim says, its estimand and the region its effect must lie in."""

from __future__ import annotations

import hashlib
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from analysis.data.errors import nearest
from analysis.figures.numbers import decimals_of, format_value, is_signed, suffix
from analysis.language import text

if TYPE_CHECKING:  # it brings SciPy, which takes a second, and only names a type here
    from analysis.statistics.estimate import Scale

REGISTER_FILE = Path(__file__).parent / "tables" / "hypotheses.toml"

Show = Literal["number", "ratio", "percent", "share", "points"]
Reading = Literal["causal", "association", "description"]

SANE = {
    "number": (-10.0, 10.0),
    "ratio": (0.01, 100.0),
    "percent": (0.01, 100.0),
    "share": (-10.0, 10.0),
    "points": (-1.0, 1.0),
}
"""Where an estimate can lie at all, by how it is shown, in its own unit (a ratio for "percent");
beyond it the model is wrong, whatever the data. A part of the register may state its own."""
SALES = {"en": ("margin", "sales"), "zh": ("毛利", "销售额")}
"""What the register calls the worth of a customer, and what it is where costs are not known."""
COUNTS = {"en": "customers", "zh": "位客户"}


@dataclass(frozen=True)
class Range:
    """A closed range of effects; an open end is infinite."""

    low: float
    high: float

    @property
    def ends(self) -> list[float]:
        """The ends that are not open."""
        return [end for end in (self.low, self.high) if math.isfinite(end)]

    def holds(self, low: float, high: float) -> bool:
        """Tell whether the interval from `low` to `high` lies inside the range."""
        return self.low <= low and high <= self.high

    def misses(self, low: float, high: float) -> bool:
        """Tell whether the interval from `low` to `high` lies wholly outside the range."""
        return high < self.low or low > self.high


@dataclass(frozen=True)
class Part:
    """One effect that a claim is about.

    Attributes
    ----------
    label, unit : dict of str
        Words for the reader, by language ("en", "zh").
    show : {"number", "ratio", "percent", "share", "points"}
        How a value is printed; "percent" prints a ratio as a change in percent.
    scale : {"identity", "log", "logit"}
        Where effects add up over regions.
    null : float
        The effect that means "none".
    claim : Range
        Where the whole interval must lie for *supported*.
    negligible : Range or None
        Where an effect is too small to matter; None where the claim has no such band.
    counts : mapping of str
        What `Estimate.n_obs` counts, by language.
    sane : Range
        Where an estimate can lie at all.
    plain : mapping of str
        A manager's unit, by language, where the data say how large the effect's own is in it.
    """

    key: str
    label: dict[str, str]
    unit: dict[str, str]
    show: Show
    scale: Scale
    null: float
    claim: Range
    negligible: Range | None
    counts: Mapping[str, str] = field(default_factory=COUNTS.copy)
    sane: Range = Range(-math.inf, math.inf)
    plain: Mapping[str, str] = field(default_factory=dict)

    @property
    def sesoi(self) -> float | None:
        """Smallest effect of interest, as a distance from none; None where there is none."""
        if self.negligible is None:
            return None
        return abs(self.claim.ends[0] - self.null)

    def between(self, low: float, high: float) -> str:
        """Return a range of effects as it is printed, in the reader's language."""
        return text("{low} to {high}", low=self.written(low), high=self.written(high))

    def written(self, value: float, language: str | None = None) -> str:
        """Return an effect as it is printed, in the reader's language."""
        signed = is_signed(self.null, self.negligible is not None, self.show)
        return format_value(value, self.show, signed=signed, language=language)

    def ranged(self, found: Mapping[str, float]) -> str:
        """Return an effect (estimate, ci_low, ci_high) with its interval, to the same decimals."""
        numbers = [found[name] for name in ("estimate", "ci_low", "ci_high")]
        signed = is_signed(self.null, self.negligible is not None, self.show)
        form = {"signed": signed, "decimals": decimals_of(numbers, self.show)}
        middle, low, high = (format_value(each, self.show, **form) for each in numbers)
        if self.show == "points":
            low, high = (each.removesuffix(suffix(self.show)) for each in (low, high))
        return text("{middle} ({low} to {high})", middle=middle, low=low, high=high)


@dataclass(frozen=True)
class Hypothesis:
    """A claim of the literature, fixed before any data is read.

    Attributes
    ----------
    id : str
        Such as "H01".
    title, claim : dict of str
        By language ("en", "zh").
    sources : tuple of str
        Titles of the texts that make the claim.
    estimand : str
        What is estimated, in words.
    needs : tuple of str
        "table.column" names without which it is not testable.
    min_days : int
        Days of purchases without which it is not testable.
    asked : int
        Days before the end of the data, in the quarter before which it needs answers; 0 where it
        needs none at a time.
    parts : tuple of Part
        The effects it is about, the headline first.
    reading : {"causal", "association", "description"}
        How an effect is read: what it brings about, what it goes with, or how things are. A causal
        one must survive a hidden cause.
    money : bool
        Whether it rests on amounts of sales, which refunds that are set aside would change.
    worth : {"margin", "sales"}
        What its words call the worth of a customer, as `landmark.worth`.
    """

    id: str
    title: dict[str, str]
    claim: dict[str, str]
    sources: tuple[str, ...]
    estimand: str
    needs: tuple[str, ...]
    min_days: int
    parts: tuple[Part, ...]
    reading: Reading = "description"
    money: bool = False
    worth: str = "margin"
    asked: int = 0

    @property
    def causal(self) -> bool:
        """Whether the claim says that one thing brings about another."""
        return self.reading == "causal"


def register() -> dict[str, Hypothesis]:
    """Return all hypotheses, by id, in the order of the register; read again when it changes."""
    return _read(REGISTER_FILE.stat().st_mtime_ns)


def hypothesis(key: str) -> Hypothesis:
    """Return the hypothesis with the id `key`.

    Raises
    ------
    ValueError
        If the register has no such id; the message names the nearest one.
    """
    if key not in register():
        raise ValueError(f"No hypothesis {key!r} in the register.{nearest(key, register())}")
    return register()[key]


def of_worth(known: Hypothesis, worth: str) -> Hypothesis:
    """Return a hypothesis in the words of a source in which a customer's worth is their sales.

    Its estimand stays English, as it is in the register, until it is shown: see `in_sales`.
    """
    if worth == known.worth:
        return known
    parts = tuple(
        replace(
            part,
            label={key: in_sales(each, key) for key, each in part.label.items()},
            unit={key: in_sales(each, key) for key, each in part.unit.items()},
        )
        for part in known.parts
    )
    return replace(known, parts=parts, worth=worth)


def in_sales(words: str, language: str) -> str:
    """Return words on margin as words on sales."""
    margin, sales = SALES[language]
    return words.replace(margin, sales)


def fingerprint() -> str:
    """Return the register's SHA-256, shortened, as printed in every report."""
    text = REGISTER_FILE.read_text(encoding="utf-8")
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@lru_cache(maxsize=1)
def _read(changed: int) -> dict[str, Hypothesis]:
    """Read the register as of a change of its file."""
    found = {}
    for key, entry in tomllib.loads(REGISTER_FILE.read_text(encoding="utf-8")).items():
        lists = {name: tuple(entry[name]) for name in ("sources", "needs")}
        lists["parts"] = tuple(_part(part) for part in entry["parts"])
        found[key] = Hypothesis(id=key, **entry | lists)
    return found


def _part(entry: dict) -> Part:
    """Build a part from its table in the file."""
    ranges = {name: entry.get(name) for name in ("claim", "negligible")}
    ranges["sane"] = entry.get("sane", SANE[entry["show"]])
    return Part(**entry | {name: ends and Range(*ends) for name, ends in ranges.items()})
