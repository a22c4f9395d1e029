"""The designs: how a trial would decide a claim of the register."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from analysis.claims.hypotheses import Part, hypothesis, of_worth
from analysis.cohorts.trials.units import CASES
from analysis.data.errors import DataError

DESIGNS_FILE = Path(__file__).parents[1] / "tables" / "designs.toml"

LONGEST = 3.0
"""Years in which a trial of cases must find its units."""


@dataclass(frozen=True)
class Design:
    """How a trial would decide a claim.

    Attributes
    ----------
    claim : str
        Its id.
    who, outcome : str
        As in `units.eligible` and `outcomes.measured`.
    part : str
        Key of the claim's part that the outcome decides.
    horizon : int
        Days from the lot until the outcome is known.
    arms : tuple of str
        Words of the column `arm`: with the offer, and without it.
    compliance : float
        Share who take what they are offered and would not otherwise, as a plan assumes; by how
        many standard deviations the offer moves the dose, where there is one.
    drawn, eligible, measured, taken : str
        For the reader, in English, which the catalogue translates: what is drawn by lot, of whom;
        the outcome, and what it is to receive what is offered.
    dose : str
        What is received, as in `outcomes.measured`: whether at all where it is empty.
    within : int
        Days in which an answer with the dose counts; 0 where it is in no answer.
    worth : {"margin", "sales"}
        What a customer's worth is where a plan was made, as `landmark.worth`.
    """

    claim: str
    who: str
    outcome: str
    part: str
    horizon: int
    arms: tuple[str, str]
    compliance: float
    drawn: str
    eligible: str
    measured: str
    taken: str
    dose: str = ""
    within: int = 0
    worth: str = "margin"

    @property
    def unit_is(self) -> str:
        """What a unit is in the table of assignments."""
        return "complaint" if self.who in CASES else "customer"

    @property
    def received_as(self) -> str:
        """What is received: an "offer" that is taken, a "rating" that it moves, or "money"."""
        return "rating" if self.within else "money" if self.dose else "offer"

    @property
    def measures(self) -> tuple[str, int, str, int]:
        """What `outcomes.measured` is asked for."""
        return self.outcome, self.horizon, self.dose, self.within

    @property
    def decides(self) -> Part:
        """The claim's part that the outcome decides."""
        parts = of_worth(hypothesis(self.claim), self.worth).parts
        return next(each for each in parts if each.key == self.part)


@lru_cache(maxsize=1)
def designs() -> dict[str, Design]:
    """Return all designs, by the id of their claim."""
    found = tomllib.loads(DESIGNS_FILE.read_text(encoding="utf-8"))
    return {
        key: Design(claim=key, **each | {"arms": tuple(each["arms"])})
        for key, each in found.items()
    }


def design(claim: str) -> Design:
    """Return the design of a claim.

    Raises
    ------
    DataError
        If the claim has none.
    """
    if claim not in designs():
        known = ", ".join(designs())
        raise DataError(f"{claim}: no trial is designed for this claim; there is one for {known}.")
    return designs()[claim]
