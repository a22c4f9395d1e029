"""A claim held against a region: whether it can be tested, and the way to conclude."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from IPython import get_ipython
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import Markdown, display

from analysis.claims import answer_weights, calibration, finding
from analysis.claims import checks as standard
from analysis.claims.finding import Comparison, Finding, ShownOnce
from analysis.claims.hypotheses import Hypothesis, hypothesis, in_sales, of_worth
from analysis.claims.verdicts import Check
from analysis.cohorts import landmark
from analysis.cohorts.purchases import repeated
from analysis.data.region import Region
from analysis.figures.jupyter import end_notebook
from analysis.language import current, phrase, text
from analysis.statistics import effort
from analysis.statistics.estimate import Estimate, NotEstimable

MOST_REPEATED = 0.02
"""Share of purchase lines that may be loaded twice, where a claim is about money."""
MOST_REFUNDED = 0.02
"""Share of sales that refunds may have whose purchases stay in, where a claim is about money."""
Shown = TypeVar("Shown", bound=ShownOnce)


@dataclass(repr=False)
class Claim(ShownOnce):
    """A hypothesis in one region; a cell that ends with it prints the claim.

    `finding` is what was concluded, once it was, and `concluded_in` JupyterLab's id of the cell
    that did: it may be run again.
    """

    hypothesis: Hypothesis
    region: Region
    language: str = "en"
    finding: Finding | None = field(default=None, init=False)
    concluded_in: str = field(default="", init=False)

    @property
    def is_concluded(self) -> bool:
        """Whether there is a finding with estimates."""
        return self.finding is not None and bool(self.finding.estimates)

    def require(self, lacking: Sequence[str]) -> None:
        """End the notebook here, *not testable*, if the data lack anything.

        `lacking` says what, in sentences such as from `checks.lacking`. NotEstimable is raised if
        it is not empty.
        """
        if lacking:
            with self._named():
                raise NotEstimable(" ".join(lacking), standard.times_enough(lacking))

    def conclude(
        self,
        estimates: Mapping[str, Estimate],
        *,
        formula: str,
        checks: Sequence[Check],
        caveats: Sequence[str],
        meaning: str = "",
        plain: Mapping[str, float] | None = None,
        hidden: Sequence[Mapping[str, Estimate]] | None = None,
        hidden_as: str = "",
    ) -> Finding:
        """Judge the estimates, show the finding and return it.

        What every claim must meet is added to the checks here, so that no notebook can forget it:
        a causal claim survives a hidden cause, one about money has few open refunds and few lines
        that were loaded twice.

        Parameters
        ----------
        estimates, checks, formula, caveats, meaning
            As in `Finding`; a failed blocking check caps the verdict at *inconclusive*.
        plain : mapping of str to float, optional
            By part, how large the effect's unit is in plain ones (`Part.plain`), such as the points
            of a standard deviation.
        hidden : sequence of mapping
            For a causal claim, and only for one: estimates of parts, by key, as they would be with
            something hidden at work against the claim, and for it; as from
            `sensitivity.confounding`. Where nothing was recorded to tell it by, it is empty, and
            nothing can be concluded.
        hidden_as : str
            Name of that check, where something else than a recorded control tells the hidden cause.

        Raises
        ------
        ValueError
            If a causal claim has no `hidden`, or another one has; if another cell has concluded
            already; or as in `finding.conclude`, as is NotEstimable.
        """
        if (hidden is not None) != self.hypothesis.causal:
            rule = "needs" if self.hypothesis.causal else "is no causal claim and has no"
            raise ValueError(f"{self.hypothesis.id} {rule} estimates with a hidden cause.")
        if self.is_concluded and (not _cell() or _cell() != self.concluded_in):
            raise ValueError(
                f"{self.hypothesis.id} is concluded already; for another conclusion run its "
                "claim(...) again, for a variant use compare(...)."
            )
        texts = {"caveats": caveats, "meaning": meaning, "formula": formula}
        texts["plain"] = {key: float(times) for key, times in (plain or {}).items()}
        with self._named():
            added = self._standard_checks(estimates, hidden, hidden_as)
            self.finding = self._judged(estimates, checks=[*checks, *added], **texts)
        self.concluded_in = _cell()
        return _show(self.finding)

    def compare(
        self,
        parts: Mapping[str, Estimate],
        *,
        name: str = "my variant",
        formula: str = "",
        checks: Sequence[Check] | None = None,
    ) -> Comparison:
        """Show the verdict that a variant would have beside the registered one.

        A variant never becomes the region's finding.

        Parameters
        ----------
        parts : mapping of str to Estimate
            Of the variant, by key; parts that it does not name stay as concluded.
        name, formula : str
            What it is called beside the verdict as registered; of its regression.
        checks : sequence of Check, optional
            That it is held to; by default those of the finding as registered.

        Raises
        ------
        ValueError
            If nothing was concluded yet, the name is empty, or as in `finding.conclude`.
        """
        if not self.is_concluded:
            raise ValueError(f"{self.hypothesis.id} has no conclusion to compare a variant with.")
        if not name.strip():
            raise ValueError("A variant needs a name.")
        held_to = self.finding.checks if checks is None else checks
        estimates = {**self.finding.estimates, **parts}
        with self._named():
            variant = self._judged(estimates, checks=held_to, variant=name, formula=formula)
        return _show(Comparison(self.finding, variant, same_checks=checks is None))

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Name this claim in what the data do not allow: a notebook may have several."""
        try:
            yield
        except NotEstimable as why:
            why.claim = self
            raise

    def _judged(self, estimates: Mapping[str, Estimate], **known: object) -> Finding:
        """Return the finding of estimates in this region."""
        where = (self.hypothesis, self.region.source.name, self.region.name)
        known |= {"language": self.language, "is_quick": effort.is_quick()}
        size = len(self.region.customers)
        known |= {"days": self.region.days}
        known |= {"customers": size, "calibration": calibration.line(self.hypothesis.id, size)}
        return finding.conclude(*where, estimates, **known)

    def _standard_checks(
        self,
        estimates: Mapping[str, Estimate],
        hidden: Sequence[Mapping[str, Estimate]] | None,
        hidden_as: str,
    ) -> list[Check]:
        """Return the checks that follow from what the register says of the hypothesis."""
        found, name = [], hidden_as or phrase("with a hidden cause as strong as any recorded")
        if hidden:
            found.append(standard.same_verdict(self, estimates, name, hidden))
        elif self.hypothesis.causal:
            rule, value = text("the same verdict"), text("nothing recorded to tell")
            found.append(Check(name, rule, value, False))
        if self.hypothesis.money:
            name = phrase("refunds whose purchases stay in, share of sales")
            found.append(standard.at_most(name, self.region.refunds.share, MOST_REFUNDED))
            name, lines = phrase("purchase lines loaded twice"), repeated(self.region).sum()
            found.append(standard.at_most(name, lines["twice"] / lines["lines"], MOST_REPEATED))
        return [*found, *answer_weights.check(self.region, self.hypothesis.needs)]

    def not_testable(self, reason: str, times: float | None = None) -> Finding:
        """Show and return the finding that the data does not allow a test.

        A conclusion stays the finding; then the reason alone is shown. `times` is that of
        `NotEstimable`.
        """
        if self.is_concluded:
            display(Markdown(html.escape(reason, quote=False)))
            return self.finding
        where = (self.hypothesis, self.region.source.name, self.region.name)
        columns = self.region.columns
        known = {
            "language": self.language,
            "customers": len(self.region.customers),
            "times": times,
            "missing": tuple(each for each in self.hypothesis.needs if each not in columns),
        }
        self.finding = finding.no_finding(*where, "not testable", reason, **known)
        return _show(self.finding)

    def _say_why(
        self, shell: InteractiveShell, kind: type, why: NotEstimable, trace: object, **_: object
    ) -> None:
        """Show why a claim is not testable, and end the notebook.

        The claim is the one that the exception names, or else the last that was taken.
        """
        own = getattr(why, "claim", self)
        own.not_testable(str(why), why.times)
        key = {"id": own.hypothesis.id}
        if own.is_concluded:
            line = text("{id} is concluded; the notebook ends with this cell.", **key)
        else:
            line = text("{id} is not testable here; the notebook ends with this cell.", **key)
        end_notebook(shell, line)

    def __repr__(self) -> str:
        """Name hypothesis and region."""
        return f"<Claim {self.hypothesis.id} in {self.region.name!r}>"

    def _repr_html_(self) -> str:
        """Print the claim and its estimand from the register."""
        claim = html.escape(self.hypothesis.claim[self.language])
        sources = html.escape(text("; ").join(self.hypothesis.sources))
        estimand = text(self.hypothesis.estimand)
        if self.hypothesis.worth == "sales":
            estimand = in_sales(estimand, current())
        return (
            f"<blockquote><p><b>{self.hypothesis.id}</b> {claim}</p>"
            f"<footer>{sources}</footer></blockquote>"
            f"<p><b>{text('Estimand.')}</b> {html.escape(estimand)}</p>"
        )


def claim(key: str, region: Region, language: str = "en") -> Claim:
    """Take a hypothesis from the register, show it, and see whether a region can test it.

    From here on `NotEstimable`, raised by any cell, ends the notebook with the finding that says
    so: JupyterLab halts with one line, and papermill takes it for the end of the notebook.

    Parameters
    ----------
    key : str
        Id of the hypothesis, such as "H12"; any that the register lacks is refused.
    region : Region
        The data; if it lacks columns or days that the register asks for, NotEstimable is raised.
    language : {"en", "zh"}
        Language of the claim and of the finding.
    """
    found = Claim(of_worth(hypothesis(key), landmark.worth(region)), region, language)
    if shell := get_ipython():
        shell.set_custom_exc((NotEstimable,), found._say_why)
    _show(found).require(region.missing(found.hypothesis))
    return found


def _show(value: Shown) -> Shown:
    """Show a value, and not once more where the cell ends with it."""
    display(value)
    if shell := get_ipython():
        object.__setattr__(value, "shown_in", shell.execution_count)
    return value


def _cell() -> str:
    """Return JupyterLab's id of the cell that runs; empty elsewhere."""
    parent = getattr(get_ipython(), "get_parent", dict)() or {}
    return parent.get("metadata", {}).get("cellId", "")
