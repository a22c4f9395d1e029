"""The data profile: what a region's data contain, and whom its survey reached."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Mapping

import ibis
import numpy as np
import pandas as pd
from scipy import stats

from analysis.cohorts import landmark, purchases
from analysis.data.contract import TABLES
from analysis.data.region import Needs, Region
from analysis.data.validation import shown
from analysis.language import current, text
from analysis.statistics.measurement import scales

MIN_ANSWERS, LEAST_DAYS = 30, 28
"""Answers of a scale; days of a month, and days of data that a rate by month needs."""


def tables(region: Region) -> pd.DataFrame:
    """List the tables of the contract.

    Returns
    -------
    DataFrame
        Indexed by table: valid rows, columns with values, columns of the contract, and the names
        of the columns without any value ("no such table" without one).
    """
    rows = []
    for name, schema in ((n, s) for n, s in TABLES.items() if n in region.rows or not s.optional):
        known = [c for c in schema.columns if f"{name}.{c}" in region.columns]
        empty = [c for c, each in schema.columns.items() if c not in known and not each.whole]
        counts = len(known), len(known) + len(empty)  # an optional one, such as weights, if filled
        if name in region.problems or name not in region.rows:
            empty = [region.problems.get(name, text("no such table"))]
        rows.append((name, region.rows.get(name, 0), *counts, ", ".join(empty)))
    heads = [
        text("table"), text("rows"), text("columns with values"), text("columns of the contract"),
        text("without values"),
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=heads).set_index(heads[0])


def recorded(region: Region, period: str = "") -> str:
    """Say how many rows of each table there are, and which tables there are not.

    `period` follows the purchase lines, such as their days.
    """
    counts = {
        "transactions": (text("purchase lines"), region.rows.get("transactions")),
        "survey": (text("survey answers"), len(region.survey)),
        "complaints": (text("complaints"), len(region.complaints)),
        "contacts": (text("contacts"), len(region.contacts)),
    }
    parts = []
    for name, (what, count) in counts.items():
        if name in region.rows or count:
            after = period if name == "transactions" else ""
            parts.append(text("{what}: {n:,}{after}", n=count, what=what, after=after))
        else:
            parts.append(text("{what} not recorded", what=what))
    return text(", ").join(parts)


def requirements(region: Region, claims: Mapping[str, Needs]) -> pd.DataFrame:
    """Say of every claim whether the region has the tables, columns and days that it needs.

    Whether there are enough customers, answers or events is counted in the claim's notebook.

    Returns
    -------
    DataFrame
        Indexed by hypothesis of the register: claim, "has the data" ("yes" or "no"), lacks.
    """
    rows = {
        key: (each.title[current()], " ".join(region.missing(each))) for key, each in claims.items()
    }
    found = pd.DataFrame.from_dict(rows, orient="index", columns=["claim", "lacks"])
    found.insert(1, "has the data", np.where(found["lacks"] == "", "yes", "no"))
    return found.rename_axis("hypothesis")


def spans(region: Region) -> pd.DataFrame:
    """Return the first and last day of each table, and its customers.

    Returns
    -------
    DataFrame
        Indexed by table: first, last (ISO days), customers.
    """
    found = {}
    for name in ("survey", "complaints", "contacts"):
        frame, schema = getattr(region, name), TABLES[name].columns
        moment = next(column for column, each in schema.items() if each.kind == "moment")
        days = frame[moment].dropna()
        if len(days):
            found[name] = (days.min(), days.max(), frame["customer_id"].nunique())
    if region.days:
        last_on = purchases.per_customer(region, region.start, region.end)["last_on"].dropna()
        found["transactions"] = (pd.Timestamp(region.start), last_on.max(), len(last_on))
    rows = [(name, f"{a:%Y-%m-%d}", f"{b:%Y-%m-%d}", n) for name, (a, b, n) in found.items()]
    return pd.DataFrame(rows, columns=["table", "first", "last", "customers"]).set_index("table")


def per_month(region: Region) -> pd.DataFrame:
    """Count customers, lines and sales of each month.

    Returns
    -------
    DataFrame
        month (its first day), customers, lines, sales (source currency).
    """
    rows = region.purchases
    months = rows.group_by(month=rows["bought_at"].truncate("M")).agg(
        customers=rows["customer_id"].nunique(), lines=rows.count(), sales=rows["amount"].sum()
    )
    return months.order_by("month").to_pandas()


def per_product(region: Region) -> pd.DataFrame:
    """Count customers, lines and sales of each kind of product.

    Returns
    -------
    DataFrame
        product ("not named" where it is empty), customers, lines, sales, unit_price (median of
        amount over quantity), without_quantity (lines whose quantity is 0 or empty: no unit price).
    """
    rows = region.purchases
    buyers = rows.group_by("product").agg(n=rows["customer_id"].nunique()).to_pandas()
    is_rare = rows["product"].isin(shown.rare(buyers["product"], buyers["n"]))
    rows = rows.mutate(product=is_rare.ifelse(text("others"), rows["product"]))
    if "quantity" not in rows.columns:
        rows = rows.mutate(quantity=ibis.null("float64"))
    measured = rows["quantity"] > 0
    products = rows.group_by("product").agg(
        customers=rows["customer_id"].nunique(),
        lines=rows.count(),
        sales=rows["amount"].sum(),
        unit_price=(rows["amount"] / rows["quantity"]).median(where=measured),
        without_quantity=(~measured.fill_null(False)).cast("int64").sum(),
    )
    found = products.order_by(ibis.desc("sales"), "product").to_pandas()
    return found.fillna({"product": text("not named")})


def last_year(region: Region) -> str:
    """Say which days the last year of the data has, and which days of the data it leaves out."""
    left_out = region.days - landmark.YEAR
    rule = text(
        "A year is {weeks} weeks, {year} days, so that each has the same days of the week. The "
        "data has {days:,} days, from {start} to {end}.",
        weeks=landmark.YEAR // 7, year=landmark.YEAR, days=region.days,
        start=region.start, end=region.end,
    )  # fmt: skip
    if left_out < 0:
        return text("{rule} That is less than a year.", rule=rule)
    if left_out == 0:
        return text("{rule} All of them are in the last year.", rule=rule)
    return text(
        "{rule} The first day ({start}) is not in the last year, which begins on {begins}.",
        "{rule} The first {n:,} days are not in the last year, which begins on {begins}.",
        rule=rule, n=left_out, start=region.start,
        begins=landmark.landmark(region) + dt.timedelta(days=1),
    )  # fmt: skip


def monthly(region: Region) -> pd.DataFrame:
    """Return what each customer buys in a month, over the time in which they were one.

    Returns
    -------
    DataFrame
        Indexed by customer_id, customers with a purchase: segment ("all" where the source
        has none), visits_per_month, sales_per_month. Nobody where the data has fewer days than
        `LEAST_DAYS`, or among customers of fewer: a rate by month would be an extrapolation.
    """
    bought = purchases.per_customer(region, region.start, region.end)
    people = shown.by_customer(region.customers)
    since = people["joined_on"].clip(lower=pd.Timestamp(region.start))
    since = since.fillna(pd.Timestamp(region.start)).reindex(bought.index)
    days = (pd.Timestamp(region.end) - since).dt.days + 1
    months = days.where(days >= LEAST_DAYS) / landmark.MONTH
    found = pd.DataFrame(
        {
            "segment": people["segment"].reindex(bought.index).fillna(text("all")),
            "visits_per_month": bought["visits"] / months,
            "sales_per_month": bought["sales"] / months,
        }
    )
    return found[(bought["sales"] > 0) & months.notna()]


def over_days(region: Region) -> str:
    """Say over how many days the sales of a month are taken, or why there are none."""
    if not region.days:
        return text("There are no purchases.")
    if region.days < LEAST_DAYS:
        return text(
            "The data has purchases of {days:,} days: sales by month are told from {least} on.",
            days=region.days, least=LEAST_DAYS,
        )  # fmt: skip
    return text(
        "Sales by month are the sales of up to {days:,} days, divided by the months since a "
        "customer joined; who joined less than {least} days before the end is left out.",
        days=region.days, least=LEAST_DAYS,
    )  # fmt: skip


def quartiles(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return customers, quartiles and mean of a column by segment, the highest median first."""
    names = {"25%": "lower quarter", "50%": "median", "75%": "upper quarter", "mean": "mean"}
    found = (
        frame.groupby("segment")[column].describe().rename(columns={"count": "customers"} | names)
    )
    found = found[["customers", *names.values()]].astype({"customers": int})
    return found.sort_values("median", ascending=False)


def answerers(region: Region) -> pd.DataFrame:
    """Compare customers who answered the survey with those who did not.

    Returns
    -------
    DataFrame
        Indexed by feature: estimate (difference of means in standard deviations), ci_low,
        ci_high (95 %), answered, others (means).
    """
    features = known_of_all(region)
    answered = features.index.isin(region.survey["customer_id"])
    rows = {
        name: _difference(values[answered].dropna(), values[~answered].dropna())
        for name, values in features.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").dropna(subset=["estimate"])


def known_of_all(region: Region) -> pd.DataFrame:
    """Return what is known of every customer, as numbers."""
    people = shown.by_customer(region.customers)
    end = pd.Timestamp(region.end or people["joined_on"].max())
    found = {
        text("years as a customer"): (end - people["joined_on"]).dt.days / 365.25,
        text("suburban"): people["area"].map({"suburban": 1.0, "urban": 0.0}),
        text("holds a card"): people["card_since"].notna().astype(float),
    }
    for segment in sorted(people["segment"].dropna().unique()):
        head = text("segment {segment}", segment=segment)
        found[head] = (people["segment"] == segment).astype(float)
    if region.days >= LEAST_DAYS:
        short = (end - people["joined_on"]).dt.days + 1 < LEAST_DAYS
        months = monthly(region).reindex(people.index)
        heads = text("visits a month (logarithm)"), text("sales a month (logarithm)")
        for head, what in zip(heads, ("visits_per_month", "sales_per_month"), strict=True):
            found[head] = np.log1p(months[what].fillna(0).mask(short))
    return pd.DataFrame(found)


def _difference(first: pd.Series, second: pd.Series) -> dict:
    """Return a standardised difference of means with its Welch interval."""
    sd = np.sqrt((first.var() + second.var()) / 2)
    if not sd > 0:  # missing for a single customer
        return {"estimate": np.nan}
    welch = stats.ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
    means = {"answered": first.mean(), "others": second.mean()}
    gap = {"estimate": first.mean() - second.mean(), "ci_low": welch.low, "ci_high": welch.high}
    return {name: value / sd for name, value in gap.items()} | means


def can_be_scored(items: pd.DataFrame) -> bool:
    """Tell whether a scale has enough complete answers that differ."""
    return len(items) >= MIN_ANSWERS and bool((items.nunique() > 1).all())


def reliability(answers: Mapping[str, pd.DataFrame], seed: int) -> pd.DataFrame:
    """Return alpha and omega of each scale.

    `answers` has complete answers, one row per customer, and their weights, by the name of the
    scale; the seed is that of the bootstrap.

    Returns
    -------
    DataFrame
        scale, coefficient, estimate, ci_low, ci_high, customers; nothing is estimated where the
        items have no common scale.
    """
    rows, interval = [], ("estimate", "ci_low", "ci_high")
    for name, items in answers.items():
        for kind, function in (("alpha", scales.alpha), ("omega", scales.omega)):
            row = {"scale": f"{name}, {kind}"} | dict.fromkeys(interval, np.nan)
            with contextlib.suppress(ValueError):
                found = function(items, seed=seed)
                row |= {key: getattr(found, key) for key in interval}
            rows.append(row | {"customers": len(items)})
    return pd.DataFrame(rows)
