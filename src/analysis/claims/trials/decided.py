"""What a trial decided, as a notebook shows it and index and region page read it."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from analysis.claims.finding import TRIAL_MIME_TYPE, part_record
from analysis.claims.trials import words
from analysis.claims.trials.reading import Reading, Result
from analysis.language import current


@dataclass(frozen=True, repr=False)
class Decided:
    """The verdict of a trial that is over; a cell that ends with it shows it in words.

    Attributes
    ----------
    trial : Reading
        As it was read back.
    result : Result
        As from `reading.analysed`.
    """

    trial: Reading
    result: Result

    def record(self) -> dict:
        """Return it as plain values, as it is carried in a notebook."""
        plan, language = self.trial.plan, current()
        judged = asdict(self.result.effect) | {"part_verdict": self.result.verdict}
        same = {name: getattr(plan, name) for name in ("trial", "source", "region")}
        return same | {
            "hypothesis": plan.claim,
            "verdict": self.result.verdict,
            "language": language,
            "part": part_record(plan.as_designed.decides, judged, language),
        }

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict:
        """Show the verdict in words and carry the record beside it."""
        said = words.of_result(self.trial, self.result)
        return {TRIAL_MIME_TYPE: self.record(), "text/markdown": said, "text/plain": said}
