"""A trial's plan in words: what is asked, of whom, how it is analysed, and when it ends."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.claims import wording
from analysis.claims.hypotheses import Part, hypothesis
from analysis.claims.trials.planning import Drawn
from analysis.claims.trials.plans import Plan
from analysis.claims.trials.reading import Reading, Result
from analysis.claims.trials.sizing import Money, Sizing
from analysis.claims.trials.tables import arm, factor, unit
from analysis.language import Verbatim, current, named, phrase, text
from analysis.statistics.regression.controls import in_words

Section = tuple[str, list[str]]
"""A title and its sentences."""
OUTCOME = {
    False: phrase("Outcome: {measured}, {horizon} days after the lot."),
    True: phrase(
        "Outcome: {measured}, known {horizon} days after the lot. The first answer within {within} "
        "days counts; the outcome of who gives none is lost."
    ),
}
RECEIVED = {
    "offer": phrase(
        "Received: {taken}. The effect that is judged is on those who received it because the lot "
        "offered it."
    ),
    "rating": phrase(
        "Moved by the offer: {taken}. The effect that is judged is per standard deviation of it, "
        "as far as the lot moves it. It is right only if the offer works in no other way."
    ),
    "money": phrase(
        "Received: {taken}. What is judged is the cost of winning a customer over that of keeping "
        "one: what the lot adds to spending, for each customer whom it keeps."
    ),
}
ASSUMED = {
    "offer": phrase("{compliance:.0%} take the offer and would not otherwise"),
    "rating": phrase("the offer moves {taken} by {compliance:.2f} standard deviations"),
    "money": phrase("{compliance:.0%} are contacted because of the lot, and would not otherwise"),
}
FOUND = {
    "offer": phrase(
        "By trial: **{verdict}**. On those who took what the lot offered them, the effect is "
        "{middle} (95% interval {low} to {high}). Taken because of the offer: {share:.0%}; {n:,} "
        "units."
    ),
    "rating": phrase(
        "By trial: **{verdict}**. Per standard deviation of what the offer moved ({taken}), the "
        "effect is {middle} (95% interval {low} to {high}). The offer moved it by {share:+.2f} "
        "standard deviations; {n:,} units."
    ),
    "money": phrase(
        "By trial: **{verdict}**. Winning a customer costs {middle} times what keeping one costs "
        "(95% interval {low} to {high}). The lot added {share:amount} to what was spent on each to "
        "keep them; {n:,} units. Another trial's contacts may cost, and keep, more or fewer."
    ),
}
"""Sentences on what was received: a yes or no, or a rating that the offer moves."""
PLANTED = {
    True: phrase(
        "Assumed: an effect of {effect}, twice the smallest that matters (of the smallest itself "
        "no number decides on which side it lies); {offer}; {attrition:.0%} of outcomes are lost. "
        "Outcomes vary as those of {past:,} units of the past did."
    ),
    False: phrase(
        "Assumed: {part} {effect}, the middle of what is claimed; {offer}; {attrition:.0%} of "
        "outcomes are lost. Outcomes vary as those of {past:,} units of the past did."
    ),
}
"""What is planted: where there is a smallest effect that matters, and where there is none."""
PLAIN = ("ratio", "percent")
"""Ways of showing an effect that need no unit beside it."""
FEW = 0.5
"""Power below which a region's own trial is not worth it."""


def effect(part: Part, value: float) -> str:
    """Return an effect with its unit."""
    if part.show in PLAIN:
        return part.written(value)
    named_unit = unit(part).removeprefix("个")  # which the sentence has itself
    return text("{value} {unit}", value=_number(part, value), unit=Verbatim(named_unit))


def _number(part: Part, value: float) -> str:
    """Return an effect in its unit, without it."""
    if part.show in PLAIN:
        return part.written(value)
    form = "+.1f" if part.show == "points" else "+.2f"
    return text(f"{{value:{form}}}", value=factor(part) * value)


def of_plan(plan: Plan) -> list[Section]:
    """Return what a plan fixes, section by section."""
    design, part = plan.as_designed, plan.as_designed.decides
    offer, none = map(arm, design.arms)
    facts = {"offer": offer, "none": none, "share": plan.share}
    names = text(", ").join(map(in_words, plan.adjusted_for))
    return [
        (text("Claim"), [hypothesis(plan.claim).claim[current()]]),
        (
            text("By lot"),
            [
                text("Drawn by lot: {drawn}.", drawn=text(design.drawn)),
                text("Eligible: {eligible}.", eligible=text(design.eligible)),
                text("Arms: {offer} ({share:.0%} of them) and {none}.", **facts),
                _how_many(plan),
            ],
        ),
        (
            text("Estimand"),
            [
                text(
                    OUTCOME[design.received_as == "rating"],
                    measured=text(design.measured),
                    horizon=design.horizon,
                    within=design.within,
                ),
                text(RECEIVED[design.received_as], taken=text(design.taken)),
                _claimed(plan, part),
            ],
        ),
        (
            text("Analysis"),
            [
                text(
                    "The effect of the offer by regression with the arm, what was known before and "
                    "their products (Lin 2013), errors HC2; of what was received by two-stage "
                    "least squares with the interval of Anderson and Rubin."
                ),
                text("Adjusted for: {names}.", names=Verbatim(names)),
                text(
                    "Beside it: the lots drawn again (randomisation inference), whether the arms "
                    "are as large as planned, and bounds for lost outcomes (Lee 2009)."
                ),
                text(
                    "The verdict follows from the claim's own rule. It is inconclusive if the "
                    "trial was not as planned, or more outcomes are lost in one arm."
                ),
            ],
        ),
        (
            text("Stopping rule"),
            [
                text(
                    "The outcome is looked at once, when all {size:,} lots are used and {n} days "
                    "have passed for the last unit; before, only recruitment and safety. A trial "
                    "that ends with fewer stays inconclusive.",
                    size=plan.size,
                    n=design.horizon,
                )
            ],
        ),
    ]


def of_size(drawn: Drawn, size: Sizing | None, why: str) -> Section:
    """Return how many units decide, how likely this trial does, and how long cases take to come."""
    title, plan, eligible = text("Size"), drawn.plan, drawn.eligible
    if size is None:
        return title, [why, *drawn.how_long]
    design, part = plan.as_designed, plan.as_designed.decides
    assumed = {"effect": effect(part, size.effect), "past": size.past}
    assumed["part"] = Verbatim(part.label[current()])
    taken = {"compliance": size.compliance, "taken": text(design.taken)}
    assumed |= {"offer": text(ASSUMED[design.received_as], **taken), "attrition": size.attrition}
    said = [
        text(PLANTED[plan.smallest is not None], **assumed),
        text("For 80% power {needed:,} units are needed.", needed=size.needed)
        if size.needed
        else text("For 80% power more units are needed than any region has."),
    ]  # fmt: skip
    if plan.power is not None:
        decides = text(
            "This one, of {n:,}, decides in {power:.0%} of simulated trials.",
            n=plan.size,
            power=plan.power,
        )
        said.append(decides)
        is_small = eligible is not None and plan.power < FEW and plan.size >= eligible
        if is_small:
            said.append(
                text(
                    "A trial in this region alone is not worth it: {eligible:,} could take part. "
                    "Several regions together decide only if as many as are needed could take part "
                    "in them.",
                    eligible=eligible,
                )
            )
    return title, [*said, *drawn.how_long]


def of_money(money: Money | None) -> list[Section]:
    """Return what an offer costs and brings, where that is known."""
    if money is None:
        return []
    facts = {name: getattr(money, name) for name in ("cost", "value", "brings", "currency")}
    said = text(
        "An offer costs {cost:,.2f} {currency} (mean contact to keep a customer). If the claim is "
        "just true it brings {brings:,.2f} {currency}: the smallest effect that matters, times "
        "those who take it, times the {worth} of a customer who could take part "
        "({value:,.0f} {currency} in the last year).",
        worth=money.worth, **facts,
    )  # fmt: skip
    decision = text("So an offer pays if the claim is true.")
    if not money.pays:
        decision = text("So an offer does not pay even then: the trial is not worth it.")
    return [(text("Cost"), [said, decision])]


def of_lots(plan: Plan) -> Section:
    """Return how the lots were drawn, and what fixes them."""
    within = text(", ").join(named(each) for each in plan.within)
    said = [
        text(
            "Seed: {seed}, written down before the lots were drawn. Drawn within blocks of: "
            "{within}.",
            seed=Verbatim(plan.seed),
            within=Verbatim(within),
        ),
        text(
            "Data until {day}. Fingerprint of the plan: {fingerprint}; of the lots: {lots}.",
            day=plan.data_until,
            fingerprint=Verbatim(plan.fingerprint),
            lots=Verbatim(plan.lots),
        ),
    ]
    if plan.replaces:
        said.append(
            text(
                "This plan replaces {n} earlier one ({earlier}).",
                "This plan replaces {n} earlier ones ({earlier}).",
                n=len(plan.replaces),
                earlier=Verbatim(", ".join(plan.replaces)),
            )
        )
    return text("Lots"), said


def of_result(trial: Reading, result: Result) -> str:
    """Return the verdict of a trial, with the effect that it rests on and what holds it back."""
    part, found = trial.plan.as_designed.decides, result.effect
    ends = {"low": _number(part, found.ci_low), "high": _number(part, found.ci_high)}
    design = trial.plan.as_designed
    said = text(
        FOUND[design.received_as],
        taken=text(design.taken),
        verdict=Verbatim(wording.words(current())["verdict"][result.verdict]),
        middle=effect(part, found.estimate),
        share=result.received.compliance,
        n=found.n_obs,
        **ends,
    )
    failed = [named(each.name) for each in result.checks if each.blocking and not each.passed]
    if failed:
        said += text(" What holds it back: {checks}.", checks=Verbatim(text(", ").join(failed)))
    return said


def lines(sections: Sequence[Section]) -> str:
    """Return sections as Markdown."""
    return "\n\n".join(f"**{title}.** {' '.join(said)}" for title, said in sections)


def _claimed(plan: Plan, part: Part) -> str:
    """Say from where on an effect is what the claim says."""
    label = Verbatim(part.label[current()])
    if plan.smallest is None:
        return text("Claimed: {ends} ({part}).", ends=part.between(*part.claim.ends), part=label)
    smallest = effect(part, part.null + _sign(part) * plan.smallest)
    return text("Smallest effect that matters: {smallest} ({part}).", smallest=smallest, part=label)


def _how_many(plan: Plan) -> str:
    """Say how many were drawn for."""
    if plan.as_designed.unit_is == "complaint":
        return text(
            "{n:,} lots lie ready, in their order: the next case that is eligible takes the next "
            "line of the list and writes its number there.",
            n=plan.size,
        )
    return text("{n:,} customers of {region}.", n=plan.size, region=Verbatim(plan.region))


def _sign(part: Part) -> int:
    """Return 1 where the claim is of an increase, -1 of a decrease."""
    return 1 if part.claim.ends and part.claim.ends[0] > part.null else -1
