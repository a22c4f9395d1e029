"""A claim held against a region: whether it can be tested, and the way to conclude."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from IPython import get_ipython
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display

from analysis.claims import calibration, findings, verdicts
from analysis.claims.findings import Finding
from analysis.claims.hypotheses import Hypothesis, hypothesis
from analysis.claims.verdicts import Check
from analysis.data.region import Region
from analysis.statistics.estimate import Estimate, NotEstimable

MOST_REFUNDED = 0.02
"""Share of sales that refunds may have whose purchases stay in, where a claim is about money."""
HIDDEN = "with a hidden cause as strong as any recorded"


@dataclass(frozen=True, repr=False)
class Claim:
    """A hypothesis in one region; a cell that ends with it prints the claim.

    Attributes
    ----------
    hypothesis : Hypothesis
        The entry of the register.
    region : Region
        The data that it is held against.
    language : str
        "en" or "zh".
    """

    hypothesis: Hypothesis
    region: Region
    language: str = "en"

    def require(self, lacking: Sequence[str]) -> None:
        """End the notebook here, *not testable*, if the data lack anything.

        Parameters
        ----------
        lacking : sequence of str
            What the data do not have, as sentences, such as from `checks.lacking`.

        Raises
        ------
        NotEstimable
            If it is not empty.
        """
        if lacking:
            raise NotEstimable(" ".join(lacking))

    def conclude(
        self,
        estimates: Mapping[str, Estimate],
        *,
        checks: Sequence[Check],
        caveats: Sequence[str],
        meaning: str = "",
        hidden: Sequence[Mapping[str, Estimate]] | None = None,
        hidden_as: str = HIDDEN,
    ) -> Finding:
        """Judge the estimates, show the finding and return it; see `findings.conclude`.

        What every claim must meet is added to the checks here, so that no notebook can forget it:
        a causal claim survives a hidden cause, one about money has few open refunds.

        Parameters
        ----------
        estimates, checks, caveats, meaning
            As in `findings.conclude`.
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
            If a causal claim has no `hidden`, or another one has.
        """
        if (hidden is not None) != self.hypothesis.causal:
            rule = "needs" if self.hypothesis.causal else "is no causal claim and has no"
            raise ValueError(f"{self.hypothesis.id} {rule} estimates with a hidden cause.")
        checks = [*checks, *self._standard_checks(estimates, hidden, hidden_as)]
        finding = findings.conclude(
            self.hypothesis,
            self.region.source.name,
            self.region.name,
            estimates,
            checks=checks,
            caveats=caveats,
            meaning=meaning,
            language=self.language,
            calibration=calibration.line(self.hypothesis.id, len(self.region.customers)),
        )
        display(finding)
        return finding

    def _standard_checks(
        self,
        estimates: Mapping[str, Estimate],
        hidden: Sequence[Mapping[str, Estimate]] | None,
        hidden_as: str,
    ) -> list[Check]:
        """Return the checks that follow from what the register says of the hypothesis."""
        found = []
        if hidden:
            found.append(verdicts.same_verdict(self.hypothesis, estimates, hidden_as, hidden))
        elif self.hypothesis.causal:
            found.append(Check(hidden_as, "the same verdict", "nothing recorded to tell", False))
        if self.hypothesis.money:
            share = self.region.refunds.share
            rule, passed = f"at most {MOST_REFUNDED:.0%}", share <= MOST_REFUNDED
            name = "refunds whose purchases stay in, share of sales"
            found.append(Check(name, rule, f"{share:.1%}", passed))
        return found

    def not_testable(self, reason: str) -> Finding:
        """Show and return the finding that the data does not allow a test."""
        finding = findings.no_finding(
            self.hypothesis,
            self.region.source.name,
            self.region.name,
            "not testable",
            reason,
            language=self.language,
        )
        display(finding)
        return finding

    def _end_notebook(
        self, shell: InteractiveShell, kind: type, why: NotEstimable, trace: object, **_: object
    ) -> None:
        """Show why the claim is not testable, and end the notebook without a traceback."""
        self.not_testable(str(why))
        line = f"{self.hypothesis.id} is not testable here; the notebook ends with this cell."
        shell._showtraceback(SystemExit, "", [line])  # papermill's name for a regular end

    def __repr__(self) -> str:
        """Name hypothesis and region."""
        return f"<Claim {self.hypothesis.id} in {self.region.name!r}>"

    def _repr_html_(self) -> str:
        """Print the claim and its estimand from the register."""
        claim = html.escape(self.hypothesis.claim[self.language])
        sources = html.escape("; ".join(self.hypothesis.sources))
        return (
            f"<blockquote><p><b>{self.hypothesis.id}</b> {claim}</p>"
            f"<footer>{sources}</footer></blockquote>"
            f"<p><b>Estimand.</b> {html.escape(self.hypothesis.estimand)}</p>"
        )


def claim(key: str, region: Region, language: str = "en") -> Claim:
    """Take a hypothesis from the register, show it, and see whether a region can test it.

    From here on `NotEstimable`, raised by any cell, ends the notebook with the finding that says
    so: JupyterLab halts with one line, and papermill takes it for the end of the notebook.

    Parameters
    ----------
    key : str
        Id of the hypothesis, such as "H12".
    region : Region
        The data.
    language : {"en", "zh"}
        Language of the claim and of the finding.

    Raises
    ------
    ValueError
        If the register has no such id.
    NotEstimable
        If the region lacks columns or days that the register asks for.
    """
    found = Claim(hypothesis(key), region, language)
    if shell := get_ipython():
        shell.set_custom_exc((NotEstimable,), found._end_notebook)
    display(found)
    found.require(region.missing(found.hypothesis))
    return found
