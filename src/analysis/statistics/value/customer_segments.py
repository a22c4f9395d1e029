"""Classes, segments by recency and frequency, and stages of the relationship of customers."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.language import text
from analysis.statistics.estimate import NotEstimable
from analysis.statistics.value.concentration import A_LIMIT, B_LIMIT, checked

CLASSES = ("A", "B", "C")
SEGMENTS_FILE = Path(__file__).with_name("segments.toml")
STAGES = ("forming", "growing", "mature", "declining")
GROWTH = 0.20
"""Relative change of a customer's volume that counts as growing or declining."""


def abc_classes(sales: pd.Series) -> pd.Series:
    """Assign customers to class A, B or C by cumulated sales, largest first.

    Class A ends at `A_LIMIT` of all sales, class B at `B_LIMIT`. A customer belongs to the class
    in which their own sales begin: the one who takes the total past a limit is still in the class
    above it. Of customers with equal sales the earlier row comes first. Customers without sales
    are C.

    `sales` is a Series with a row per customer, and so are the ordered classes A < B < C; errors
    are those of `concentration`.
    """
    largest_first, order = checked(sales), np.argsort(-np.asarray(sales, float), kind="stable")
    before = np.cumsum(largest_first) - largest_first
    rounding = 1e-12 * largest_first.sum()
    codes = np.empty(len(order), dtype=int)
    limits = np.array([A_LIMIT, B_LIMIT]) * largest_first.sum() - rounding
    codes[order] = np.searchsorted(limits, before, side="right")
    return pd.Series(pd.Categorical.from_codes(codes, CLASSES, ordered=True), sales.index)


def tiers(sales: pd.Series) -> pd.Series:
    """Return the classes by sales as text; all are A where fewer than two have any."""
    if (sales > 0).sum() < 2:
        return pd.Series("A", sales.index, dtype=object)
    return abc_classes(sales).astype(str)


def abc_table(sales: pd.Series) -> pd.DataFrame:
    """Return customers, share_customers, sales, share_sales, lowest_sales, mean_sales by class.

    `sales` are as in `abc_classes`; an empty class has missing values.
    """
    groups = sales.groupby(abc_classes(sales), observed=False)
    table = groups.agg(customers="size", sales="sum", lowest_sales="min", mean_sales="mean")
    table.insert(1, "share_customers", table["customers"] / table["customers"].sum())
    table.insert(3, "share_sales", table["sales"] / table["sales"].sum())
    return table.set_axis(pd.Index(CLASSES, name="class"))


def migration(before: pd.Series, after: pd.Series) -> pd.DataFrame:
    """Return where the customers of each class went, as shares of the class.

    `before` and `after` are classes by customer, as from `abc_classes` in two periods. Who is only
    in `after` is left out, and who is only in `before` did not buy again: one row per class before,
    one column per class after and "none" for these; rows add up to 1.
    """
    later = after.astype(object).reindex(before.index).fillna("none")
    columns = pd.Categorical(later, [*CLASSES, "none"])
    rows = pd.Categorical(before.astype(object), CLASSES)
    table = pd.crosstab(rows, columns, normalize="index", dropna=False)
    return table.rename_axis(index="before", columns="after")


@cache
def segment_rules() -> dict:
    """Return the breaks and segments of segments.toml: recency, frequency and segments."""
    return tomllib.loads(SEGMENTS_FILE.read_text(encoding="utf-8"))


def segments(customers: pd.DataFrame, weeks: float) -> pd.DataFrame:
    """Sort every customer into one segment, by breaks that are the same everywhere.

    Parameters
    ----------
    customers : DataFrame
        recency_days (since the last purchase) and purchases (one or more) in a time, known for
        everybody.
    weeks : float
        Length of that time; purchases count for 52 weeks. A single one is never often.

    Returns
    -------
    DataFrame
        recency and frequency (ordered categories) and segment, with the index of `customers`.
    """
    columns = customers[["recency_days", "purchases"]].astype(float)
    if columns.isna().to_numpy().any():
        raise ValueError("Recency and purchases must be known for every customer.")
    if (columns < [0, 1]).to_numpy().any() or not 0 < weeks < np.inf:
        raise ValueError("Recency must be 0 or more, purchases 1 or more, and weeks above 0.")
    rules = segment_rules()
    yearly = (columns["purchases"] * 52 / weeks).where(columns["purchases"] > 1, 0.0)
    breaks, often = rules["recency"], rules["frequency"]
    recency = pd.cut(columns["recency_days"], [-1, *breaks.values()], labels=list(breaks))
    frequency = pd.cut(yearly, [0, *often.values()], right=False, labels=list(often))
    fits = [
        recency.isin(each["recency"]) & frequency.isin(each["frequency"])
        for each in rules["segments"]
    ]
    named = np.select(fits, [each["name"] for each in rules["segments"]], default="")
    return pd.DataFrame({"recency": recency, "frequency": frequency, "segment": named})


def breaks_in_words() -> str:
    """Return the breaks of the segments as a sentence."""
    rules = segment_rules()
    (lately, days), (while_ago, more), (long_ago, _) = rules["recency"].items()
    (seldom, few), (often, many), (very_often, _) = rules["frequency"].items()
    return text(
        "Last purchase: {lately} within {days} days, {while_ago} within {more}, {long_ago} before "
        "that. Purchases in 52 weeks: {seldom} fewer than {few}, or a single one, {often} fewer "
        "than {many}, {very_often} {many} or more.",
        lately=lately, days=days, while_ago=while_ago, more=more, long_ago=long_ago,
        seldom=seldom, few=few, often=often, many=many, very_often=very_often,
    )  # fmt: skip


def segment_table(segments: pd.Series, customers: pd.DataFrame) -> pd.DataFrame:
    """Add up customers and sales by segment, the largest first.

    `segments` is the segment of each customer, `customers` has their sales and visits by the same
    index. The table has who (in words), customers, sales, share_of_sales and median_visits.
    """
    words = {each["name"]: each["words"] for each in segment_rules()["segments"]}
    groups = customers.groupby(segments)
    table = groups.agg(customers=("sales", "size"), sales=("sales", "sum"))
    table.insert(0, "who", table.index.map(words))
    table["share_of_sales"] = table["sales"] / table["sales"].sum()
    table["median_visits"] = groups["visits"].median()
    return table.sort_values("sales", ascending=False)


def lifecycle_stage(
    first_half: pd.Series,
    second_half: pd.Series,
    tenure_days: pd.Series,
    forming_days: int,
) -> pd.Series:
    """Assign each customer's stage of the relationship from the past alone.

    The two halves are equal periods next to each other, of at most `forming_days` in all,
    that end where the stage is assigned. So whoever is no longer forming was a customer
    throughout both. The change is second over first half, divided by the same ratio of all
    who are no longer forming, which takes out season and trend. In this order:

    1. none: no purchase in either half;
    2. forming: tenure under `forming_days`;
    3. growing: change above 1 + `GROWTH`, also after an empty first half;
    4. declining: change below 1 - `GROWTH`, also with an empty second half;
    5. mature: all others.

    Parameters
    ----------
    first_half, second_half : Series, shape (n,)
        Volume (litres, amount or visits) per customer, zero if none.
    tenure_days : Series, shape (n,)
        Since the first purchase, or since joining if the data begin later.

    Returns
    -------
    Series of ordered categories, missing for "none", with the index of `first_half`.

    Raises
    ------
    ValueError
        If a volume is missing, negative or infinite.
    NotEstimable
        If a half is without any purchase of those who are no longer forming.
    """
    table = pd.DataFrame({"first": first_half, "second": second_half, "tenure": tenure_days})
    volumes = table[["first", "second"]].to_numpy(float)
    if table.isna().to_numpy().any() or not ((volumes >= 0) & (volumes < np.inf)).all():
        raise ValueError("Volumes and tenure must be known, and volumes not negative or infinite.")
    forming = table["tenure"] < forming_days
    total = table.loc[~forming, ["first", "second"]].sum()
    if not forming.all() and total.min() <= 0:
        raise NotEstimable(
            text("Nobody bought in one of the two halves, so no change can be told.")
        )
    season = 1.0 if forming.all() else total["second"] / total["first"]
    expected = season * table["first"]
    bought = (table["first"] > 0) | (table["second"] > 0)
    rules = {
        "forming": forming,
        "growing": table["second"] > (1 + GROWTH) * expected,
        "declining": table["second"] < (1 - GROWTH) * expected,
    }
    stage = np.select(list(rules.values()), list(rules), default="mature")
    stage = pd.Series(pd.Categorical(stage, STAGES, ordered=True), index=table.index)
    return stage.where(bought)
