"""The message of each picture, as its title: one short sentence with its numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from analysis.language import capitalised, named, phrase, text
from analysis.statistics.estimate import Estimate

NAIVE, ROBUST = re.compile(r"\b(naive|raw|alone|only|left out)\b"), "doubly robust"
"""What names of effects say that stand beside the finding, as what a first look gives."""
MOST_NAMED = 4
"""Groups that a title names; of more it names the ends."""


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
    form = "+.2f" if null == 0 else ".2f"
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
    listed = text("; ").join(text("{name} {value}", name=k, value=v) for k, v in values.items())
    return capitalised(text("{label}: {named}", label=label, named=listed))


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
        "{fewest:,} to {most:,} customers bought in a month, for {low:,.0f} to {high:,.0f} "
        "{currency}",
        fewest=table["customers"].min(), most=table["customers"].max(),
        low=table["sales"].min(), high=table["sales"].max(), currency=currency,
    )  # fmt: skip


def boxes(medians: pd.Series) -> str:
    """Compare the largest median with the smallest."""
    first, last = medians.idxmin(), medians.idxmax()
    facts = {"last": last, "first": first, "high": medians.max(), "low": medians.min()}
    return text("Half of {last} have more than {high:,.0f}, of {first} than {low:,.0f}", **facts)


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
    facts = {"x": labels[0], "y": labels[1], "low": _short(low["y"]), "high": _short(high["y"])}
    if _overlap(low, high):
        said = phrase("{y} hardly differs with {x}: {low} to {high}")
    elif _overlap(first, last) or {low.name, high.name} != {first.name, last.name}:
        said = phrase("{y} is lowest, {low}, at {x} of {where} and highest, {high}, at {peak}")
        facts |= {"where": _short(low["x"]), "peak": _short(high["x"])}
    else:
        said = phrase("{y} goes from {first} at low {x} to {last} at high")
        facts |= {"first": _short(first["y"]), "last": _short(last["y"])}
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
        "In the main model {middle} ({low} to {high}); {share:.0%} of {n} choices agree",
        middle=_number(main["estimate"], form), low=_number(main["ci_low"], form),
        high=_number(main["ci_high"], form), share=share, n=n,
    )  # fmt: skip


def pooled(label: str, written: Callable[[float], str], row: pd.Series) -> str:
    """Say what an effect is over all regions as `written`, or that nothing is pooled."""
    if pd.isna(row["estimate"]):
        return capitalised(text("{label}: nothing is pooled", label=label))
    numbers = {"middle": "estimate", "low": "ci_low", "high": "ci_high"}
    facts = {name: written(row[column]) for name, column in numbers.items()}
    facts |= {"label": label, "n": row["n_regions"]}
    return capitalised(text("{label}, {n} regions: {middle} ({low} to {high})", **facts))


def promised(tiers: Iterable[object], visited: pd.Series, claimed: np.ndarray, band: float) -> str:
    """Say which tiers are visited as often as promised."""
    near = [str(t) for t, v, c in zip(tiers, visited, claimed, strict=True) if abs(v - c) <= band]
    if not near:
        return text("No tier is visited as often as promised")
    return text("Visited about as often as promised: {tiers}", tiers=text(", ").join(near))


def gain_and_loss(means: pd.Series) -> str:
    """Compare the ends of mean satisfaction, by performance less expectation, with its middle."""
    at = means.get(0, np.nan)
    return text(
        "Below expectation satisfaction is {loss:.1f} points lower than at it, above {gain:.1f} "
        "higher",
        loss=at - means.iloc[0], gain=means.iloc[-1] - at,
    )  # fmt: skip


def channels(table: pd.DataFrame) -> str:
    """Say which channel has the highest mean in each area; columns area, channel, mean, sem."""
    best = table.loc[table.groupby("area")["mean"].idxmax()]
    highest = {
        text("{area}, {channel}", area=row.area, channel=row.channel): text(
            "{mean:.1f} ({low:.1f} to {high:.1f})",
            mean=row.mean, low=row.mean - 1.96 * row.sem, high=row.mean + 1.96 * row.sem,
        )
        for row in best.itertuples()
    }  # fmt: skip
    return groups(text("Highest satisfaction"), highest)


def largest_share(name: str, row: pd.Series) -> str:
    """Say which share is the largest, with its interval."""
    own = share(row["share"], row["ci_low"], row["ci_high"])
    return text("{name} has the largest share: {share}", name=capitalised(name), share=own)


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
