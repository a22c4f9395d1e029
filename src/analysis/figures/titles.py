"""The message of each picture, as its title: one short sentence with its numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from analysis.figures.numbers import decimals_of
from analysis.language import MOST_DIGITS, capitalised, named, phrase, text
from analysis.statistics.estimate import Estimate, from_se, share_of

NAIVE, ROBUST = re.compile(r"\b(naive|raw|alone|only|left out)\b"), "doubly robust"
"""What names of effects say that stand beside the finding, as what a first look gives."""
MOST_NAMED = 4
"""Groups that a title names; of more it names the ends."""


def mean_of(row: Mapping[str, float]) -> Estimate:
    """Return the mean of a row of `weighting.by_group` with its 95% interval."""
    return from_se(row["mean"], row["sem"], row.get("size", 0))


def ranges(table: pd.DataFrame, value: str = "estimate") -> list[str]:
    """Return the values of a table with ci_low and ci_high, each with its interval."""
    numbers = table[[value, "ci_low", "ci_high"]].to_numpy(float)
    form = f",.{decimals_of(numbers.ravel(), 'number', MOST_DIGITS)}f"
    return [text(f"{{each:{form}}}", each=Estimate(*row, 0)) for row in numbers]


def main_of(names: Sequence[object]) -> int:
    """Return which of several effects is the one to look at: the first that is not naive.

    Where a naive one comes first, what is said to be doubly robust goes before other steps to it.
    """
    plain = [str(name) for name in names]
    if not NAIVE.search(plain[0]):
        return 0
    kept = (i for i, name in enumerate(plain) if not NAIVE.search(name))
    return plain.index(ROBUST) if ROBUST in plain else next(kept, 0)


def effects(table: pd.DataFrame, null: float, band: tuple[float, float] | None) -> str:
    """Say what the first effect of a table is, with its interval, and whether it is clear."""
    first = table.iloc[0]
    low, high = float(first["ci_low"]), float(first["ci_high"])
    form = ("+" if null == 0 else "") + (".2f" if max(abs(low), abs(high)) < 10 else ".1f")
    facts = {"name": capitalised(named(table.index[0])), "middle": _number(first["estimate"], form)}
    facts |= {"low": _number(low, form), "high": _number(high, form)}
    if band is not None and band[0] <= low and high <= band[1]:
        return text("{name}: {middle} ({low} to {high}), too small to matter", **facts)
    if low > null or high < null:
        return text("{name}: {middle} ({low} to {high}), clear of no effect", **facts)
    return text("{name}: {middle} ({low} to {high}), may be no effect", **facts)


def groups(label: str, values: Mapping[object, str]) -> str:
    """Say what a few groups have, or the first and the last of many."""
    if len(values) > MOST_NAMED:
        ends = next(iter(values)), next(reversed(values))
        values = {name: values[name] for name in ends}
    listed = text("; ").join(
        text("{name}: {value}" if str(k)[-1:].isdigit() else "{name} {value}", name=k, value=v)
        for k, v in values.items()
    )
    return capitalised(text("{label}: {named}", label=label, named=listed))


def within_bounds(share: float, error: float) -> str:
    """Return a share with its 95% interval from a standard error, cut at 0 and 100%."""
    low, high = np.clip([share - 1.96 * error, share + 1.96 * error], 0, 1)
    return text("{share:.0%}", share=Estimate(share, low, high, 0))


def share(estimate: float, low: float, high: float) -> str:
    """Return a share with its 95% interval, or without one that is not known."""
    if pd.isna(estimate):
        return text("unknown")
    if pd.isna(low) or pd.isna(high):
        return f"{estimate:.0%}"
    return text("{share:.0%} ({low:.0%} to {high:.0%})", share=estimate, low=low, high=high)


def months(table: pd.DataFrame, currency: str) -> str:
    """Say how many bought in a month, and for how much."""
    return text(
        "{fewest:,} to {most:,} customers bought in a month, for {low:amount} to {high:amount} "
        "{currency}",
        fewest=table["customers"].min(), most=table["customers"].max(),
        low=table["sales"].min(), high=table["sales"].max(), currency=currency,
    )  # fmt: skip


def boxes(medians: pd.Series) -> str:
    """Compare the largest median with the smallest."""
    first, last = medians.idxmin(), medians.idxmax()
    facts = {"last": last, "first": first, "high": medians.max(), "low": medians.min()}
    return text(
        "Half of {last} have more than {high:amount}, of {first} than {low:amount}", **facts
    )


def concentration(top: Estimate, claimed: float) -> str:
    """Say what the best fifth brings."""
    return text(
        "The best 20% of customers bring {top} of sales; claimed: {claimed:.0%}",
        top=share(top.estimate, top.ci_low, top.ci_high), claimed=claimed,
    )  # fmt: skip


def bins(means: pd.DataFrame, labels: tuple[str, str]) -> str:
    """Say where a mean starts and ends, or where it is lowest and highest if that is between."""
    first, last = means.iloc[0], means.iloc[-1]
    low, high = means.loc[means["y"].idxmin()], means.loc[means["y"].idxmax()]
    facts = {"x": labels[0], "y": labels[1]}
    rows = pd.DataFrame([low, high, first, last])
    facts |= dict(zip(("low", "high", "first", "last"), ranges(rows, "y"), strict=True))
    if _overlap(low, high):
        said = phrase("{y} hardly differs with {x}: lowest {low}, highest {high}")
    elif _overlap(first, last) or {low.name, high.name} != {first.name, last.name}:
        said = phrase("{y} is lowest, {low}, at {x} of {where} and highest, {high}, at {peak}")
        facts |= {"where": _short(low["x"]), "peak": _short(high["x"])}
    else:
        said = phrase("{y} goes from {first} at low {x} to {last} at high")
    return capitalised(text(said, **facts))


def _overlap(one: pd.Series, other: pd.Series) -> bool:
    """Tell whether two intervals meet; one that is missing meets all others."""
    ends = max(one["ci_low"], other["ci_low"]), min(one["ci_high"], other["ci_high"])
    return not ends[0] > ends[1]


def balance(before: pd.Series, after: pd.Series) -> str:
    """Say what weighting does to the largest difference."""
    return text(
        "Weighting brings the largest difference from {before:.2f} to {after:.2f} SD",
        before=before.abs().max(), after=after.abs().max(),
    )  # fmt: skip


def overlap(arms: list[pd.Series], names: tuple[str, str]) -> str:
    """Say how many of both groups lie where the other has customers as well."""
    inside = []
    for own, other in (arms, arms[::-1]):
        inside.append(own.between(other.min(), other.max()).mean() if len(other) else np.nan)
    return text(
        "{first:.0%} of {first_name} and {second:.0%} of {second_name} have a counterpart",
        first=inside[0], second=inside[1], first_name=names[0], second_name=names[1],
    )  # fmt: skip


def agreement(main: pd.Series, share: float, n: int) -> str:
    """Say what the main estimate is, and how many others agree."""
    form = ".2f" if abs(main["ci_high"]) < 10 else ",.0f"
    return text(
        "By the formula above {middle} ({low} to {high}); {share:.0%} of {n} choices agree",
        middle=_number(main["estimate"], form), low=_number(main["ci_low"], form),
        high=_number(main["ci_high"], form), share=share, n=n,
    )  # fmt: skip


def pooled(label: str, ranged: Callable[[pd.Series], str], row: pd.Series) -> str:
    """Say what an effect is over all regions, as `ranged`, or that nothing is pooled."""
    if pd.isna(row["estimate"]):
        return capitalised(text("{label}: nothing is pooled", label=label))
    facts = {"label": label, "n": row["n_regions"], "effect": ranged(row)}
    return capitalised(text("{label}, {n} regions: {effect}", **facts))


def promised(table: pd.DataFrame, claimed: np.ndarray, band: float) -> str:
    """Say for which tiers the whole interval of visits lies near what was promised."""
    is_near = (table["ci_low"] >= claimed - band) & (table["ci_high"] <= claimed + band)
    if not is_near.any():
        return text("Of no tier is it clear that they are visited as often as promised")
    return text(
        "Visited about as often as promised: {tiers}",
        tiers=text(", ").join(map(str, table.index[is_near])),
    )


def gain_and_loss(means: pd.DataFrame) -> str:
    """Compare the ends of mean satisfaction, by performance less expectation, with its middle.

    Columns are mean, sem and size.
    """
    at = means.reindex([0]).iloc[0]

    def less(one: pd.Series, other: pd.Series) -> Estimate:
        return from_se(one["mean"] - other["mean"], np.hypot(one["sem"], other["sem"]), 0)

    return text(
        "Below expectation satisfaction is {loss:.1f} points lower than at it, above {gain:.1f} "
        "higher",
        loss=less(at, means.iloc[0]), gain=less(means.iloc[-1], at),
    )  # fmt: skip


def channels(table: pd.DataFrame) -> str:
    """Say which channel has the highest mean in each area; columns area, channel, mean, sem."""
    best = table.loc[table.groupby("area")["mean"].idxmax()]
    highest = {
        text("{area}, {channel}", area=row["area"], channel=row["channel"]): mean(row)
        for _, row in best.iterrows()
    }
    return groups(text("Highest satisfaction"), highest)


def largest_share(name: str, row: pd.Series) -> str:
    """Say which share is the largest, with its interval."""
    own = share(row["share"], row["ci_low"], row["ci_high"])
    return text("{name} has the largest share: {share}", name=capitalised(name), share=own)


def mean(row: Mapping[str, float]) -> str:
    """Return the mean of a row (mean, sem) with its interval, to one decimal."""
    return text("{mean:.1f}", mean=mean_of(row))


def highest_answers(tops: Mapping[str, Estimate]) -> str:
    """Say how many gave the highest answer to each item."""
    return groups(
        text("Highest answer, 10"), {name: text("{top:.0%}", top=top) for name, top in tops.items()}
    )


def surface(above: Estimate, below: Estimate) -> str:
    """Say how satisfied those are who got more, and less, than they expected."""
    return text(
        "Fitted satisfaction is {beyond:+.1f} SD for customers above their expectation, "
        "{short:+.1f} SD for those below",
        beyond=above, short=below,
    )  # fmt: skip


def interaction(outcome: str, both: Estimate, first: Estimate, second: Estimate) -> str:
    """Say how high an outcome is where both drivers are high, and where one is."""
    return text(
        "Fitted {outcome}: {both:+.1f} SD where both are high, {first:+.1f} and {second:+.1f} SD "
        "where one is",
        outcome=outcome, both=both, first=first, second=second,
    )  # fmt: skip


def stations(informing: Estimate, others: Estimate) -> str:
    """Say how satisfaction changed at stations that began to inform, and at others."""
    return text(
        "Satisfaction changed by {informing:+.2f} points where stations began to inform, by "
        "{others:+.2f} elsewhere",
        informing=informing, others=others,
    )  # fmt: skip


def drop(means: pd.DataFrame, day: int) -> str:
    """Say how satisfied customers are on both sides of a promise; columns mean, sem and size."""
    last, after = (mean_of(row) for _, row in means.reindex([day, day + 1]).iterrows())
    return text(
        "Satisfaction is {last:+.2f} SD after cases settled on day {day}, {after:+.2f} SD on day "
        "{next}",
        last=last, day=day, after=after, next=day + 1,
    )  # fmt: skip


def rule(row: pd.Series) -> str:
    """Say how many a rule calls lost, and how many of these come back."""
    lost = share_of(row["lost"], row["customers"])
    returned = share_of(row["returned"], round(row["lost"] * row["customers"]))
    return text(
        "The main rule calls {lost:.0%} lost; of these {returned:.0%} come back",
        lost=lost, returned=returned,
    )  # fmt: skip


def lists(table: pd.DataFrame, base_rate: float) -> str:
    """Say how many of the first on the first list were lost."""
    first = table.iloc[0]
    return text(
        "Of the first on the list “{name}” {share} were lost, by chance {rate:.0%}",
        name=table.index[0], rate=base_rate,
        share=share(first["precision"], first["ci_low"], first["ci_high"]),
    )  # fmt: skip


def _number(value: float, form: str) -> str:
    """Return a number, or the sign of infinity."""
    return text(f"{{value:{form}}}", value=value).replace("inf", "∞")


def _short(value: float) -> str:
    """Return a number in three digits, or all digits before the point."""
    form = ",.0f" if abs(value) >= 100 else ".3g"
    return text(f"{{value:{form}}}", value=value)
