"""Purchases, aggregated in the engine: only one row per customer, month or product leaves it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import ibis
import pandas as pd
from ibis.expr.types import BooleanValue, NumericValue, Table

from analysis.data.cache import per_region
from analysis.data.contract import FUEL
from analysis.data.region import Region
from analysis.language import text
from analysis.statistics.estimate import NotEstimable

DAYS_IN_WEEK = 7
DECIMALS = 6
"""Of sums: beyond them they depend on the order in which the engine adds."""
LEAST_LINES = 10
"""Lines that a day needs to be recognised as loaded twice."""
LEAD_IN = 182
"""Days without a purchase that make a first purchase credible where joining is not known."""


@dataclass(frozen=True, repr=False)
class LastYear:
    """Who bought in the last year of 52 weeks; see `last_year`."""

    first: dt.date
    last: dt.date
    """First day of the year (of the data, where it has less than a year), and its last."""
    buyers: pd.DataFrame
    """Customers with sales above 0 in that time, as from `per_customer`."""
    n_customers: int
    """All customers of the region."""
    currency: str
    """Of the sales."""

    @property
    def weeks(self) -> float:
        """Length of the year in weeks: 52, or less."""
        return ((self.last - self.first).days + 1) / DAYS_IN_WEEK

    @property
    def summary(self) -> str:
        """How many bought, and for how much."""
        sales = self.buyers["sales"]
        return text(
            "{n:,} of {n_customers:,} customers bought in the {weeks:.3g} weeks from {first} to "
            "{last}; a year is 52 weeks here, so that each has as many Mondays. Their median "
            "sales were {median:amount} {currency}, the mean {mean:amount} {currency}.",
            n=len(self.buyers), n_customers=self.n_customers, weeks=self.weeks,
            first=self.first, last=self.last, median=sales.median(), mean=sales.mean(),
            currency=self.currency,
        )  # fmt: skip


@per_region
def last_year(region: Region) -> LastYear:
    """Return who bought in the last year of the data.

    Raises
    ------
    NotEstimable
        If fewer than 2 customers did.
    """
    if not region.days:
        raise NotEstimable(text("There are no purchases."))
    first = max(region.start, region.end - dt.timedelta(days=52 * DAYS_IN_WEEK - 1))
    buyers = per_customer(region, first, region.end).query("sales > 0")
    if len(buyers) < 2:
        raise NotEstimable(text("Fewer than 2 customers have sales above 0 in the last year."))
    return LastYear(first, region.end, buyers, len(region.customers), region.source.currency)


def per_customer(region: Region, first: dt.date, last: dt.date) -> pd.DataFrame:
    """Add up what each customer bought from one day to another, both included.

    Returns
    -------
    DataFrame
        One row per customer of the region, indexed by customer_id: visits (days with a
        purchase), sales, first_on, last_on; and, where the source has the columns, volume
        (quantity of fuel and gas, or of everything where products are not known), margin (sales
        less cost; every line with a cost), fuel_sales, fuel_margin, beyond_fuel (whether another
        kind than fuel or gas was bought). Customers without a purchase have zeros and no dates.
    """
    days, names = _customer_days(region, _between(region.purchases, first, last))
    totals = days.group_by("customer_id").agg(
        visits=days.count(),
        first_on=days["day"].min().cast("timestamp"),
        last_on=days["day"].max().cast("timestamp"),
        **{name: _total(days[name]) for name in names},
    )
    bought = totals.to_pandas().set_index("customer_id")
    everybody = bought.reindex(region.customers["customer_id"]).sort_index()
    return _filled(everybody, ["visits", *names])


def around(
    region: Region, own_day: pd.Series, spans: Mapping[str, tuple[int, int]]
) -> pd.DataFrame:
    """Add up what each customer bought before and after a day of their own.

    `spans` has, by name, the first and the last day counted from that day, such as (-90, 0).
    Indexed as `own_day` (by customer_id): visits_<name>, sales_<name> and so on, as in
    `per_customer`.
    """
    all_days, names = _customer_days(region, region.purchases)
    origin = pd.DataFrame({"customer_id": own_day.index, "own_day": own_day.dt.normalize().values})
    days = all_days.inner_join(ibis.memtable(origin), "customer_id")
    since = days["day"].delta(days["own_day"].date(), unit="day")
    totals = {}
    for span, (first, last) in spans.items():
        inside = since.between(first, last)
        totals[f"visits_{span}"] = inside.cast("int64").sum()
        totals |= {f"{name}_{span}": _total(days[name], inside) for name in names}
    bought = days.group_by("customer_id").agg(**totals).to_pandas().set_index("customer_id")
    return _filled(bought.reindex(own_day.index), list(totals))


def by_day(region: Region, first: dt.date, last: dt.date) -> pd.DataFrame:
    """Add up what each customer bought on each day, both ends included, in few bytes.

    One row per customer and day with a purchase: row (place of the customer among the sorted ids,
    int32), day (days after `first`, int32), volume (quantity of fuel and gas, or of everything
    where products are not known; 0 where quantities are not; float32).
    """
    ids = region.customers["customer_id"].sort_values(ignore_index=True)
    places = ibis.memtable(pd.DataFrame({"customer_id": ids, "row": ids.index}))
    days, names = _customer_days(region, _between(region.purchases, first, last))
    days = days.inner_join(places, "customer_id")
    volume = days["volume"].fill_null(0.0) if "volume" in names else ibis.literal(0.0)
    found = days.select("row", day=days["day"].delta(first, unit="day"), volume=volume)
    kinds = {"row": "int32", "day": "int32", "volume": "float32"}
    return found.cast(kinds).order_by("row", "day").to_pandas()


def first_silences(region: Region, limits: pd.DataFrame) -> pd.DataFrame:
    """Find each customer's first silence that is longer than a limit of their own.

    `limits` has, by customer_id, since (a silence that ended by that day does not count) and
    limit_days (days without a purchase that are too many). By customer_id: silent_from (day of the
    last purchase before the silence, which may lie before `since`; missing without one) and
    returned (whether they bought again by the end).
    """
    own_limits = limits[["since", "limit_days"]].rename_axis("customer_id").reset_index()
    rows = region.purchases.select("customer_id", day=region.purchases["bought_at"].date())
    days = rows.distinct().inner_join(ibis.memtable(own_limits), "customer_id")
    own = ibis.window(group_by="customer_id", order_by="day")
    next_day = days["day"].lead().over(own).fill_null(ibis.literal(region.end))
    days = days.mutate(next_day=next_day, silence=next_day.delta(days["day"], unit="day"))
    days = days.filter(days["next_day"] > days["since"].date())
    found = days.group_by("customer_id").agg(
        silent_from=days["day"].min(where=days["silence"] > days["limit_days"]).cast("timestamp"),
        last_on=days["day"].max().cast("timestamp"),
    )
    found = found.to_pandas().set_index("customer_id").sort_index()
    return found.assign(returned=found.pop("last_on") > found["silent_from"])


def repeated_days(region: Region) -> list[dt.date]:
    """Return the days with lines that were loaded more than once; see `repeated`."""
    lines = repeated(region)["twice"]
    return [day.date() for day in lines.index[lines > 0]]


@per_region
def repeated(region: Region) -> pd.DataFrame:
    """Count by day the lines, and of these the lines that were loaded at least `twice`.

    These are all lines of a day, or of one station's day or month, if each stands at least twice
    and they are ten or more: two equal lines may be two purchases. Lines are equal if all columns
    of the file are, also those that the contract does not have.
    """
    rows = region.purchases
    lines = rows.group_by([name for name in rows.columns if name != "region"]).agg(
        times=rows.count()
    )
    station = [name for name in ("station_id",) if name in rows.columns]
    groups = lines.mutate(day=lines["bought_at"].date().cast("timestamp")).group_by("day", *station)
    found = groups.agg(lines=ibis._["times"].sum(), fewest=ibis._["times"].min()).to_pandas()
    found["month"], is_twice = found["day"].dt.to_period("M"), pd.Series(False, found.index)
    for keys in (["day"], ["day", *station], ["month", *station]):
        own = found.groupby(keys, dropna=False)
        enough = own["lines"].transform("sum") >= LEAST_LINES
        is_twice |= enough & (own["fewest"].transform("min") >= 2)
    found["twice"] = found["lines"].where(is_twice, 0)
    return found.groupby("day")[["lines", "twice"]].sum()


def purchase_history(region: Region, first: dt.date, last: dt.date) -> pd.DataFrame:
    """Summarise each customer's purchases for a model of repeat buying.

    Purchases on the same day count as one. Customers who joined before `first` are left
    out: their first purchase was not seen. Where the day of joining is not known, so are
    those who bought in the first half year.

    Returns
    -------
    DataFrame
        Indexed by customer_id: frequency (days with a repeat purchase), recency_weeks
        (first to last purchase), age_weeks (first purchase to `last`), mean_amount
        (mean sales of a repeat day, 0 where there is none).

    References
    ----------
    Fader, P. S., Hardie, B. G. S. and Lee, K. L. (2005). "Counting your customers" the
    easy way. Marketing Science 24, 275-284.
    """
    days, _ = _customer_days(region, _between(region.purchases, first, last))
    first_day = days["day"].min().over(ibis.window(group_by="customer_id"))
    days = days.mutate(is_repeat=days["day"] > first_day)
    history = days.group_by("customer_id").agg(
        frequency=days["is_repeat"].cast("int64").sum(),
        first_day=days["day"].min().cast("timestamp"),
        last_day=days["day"].max().cast("timestamp"),
        mean_amount=days["sales"].mean(where=days["is_repeat"]).round(DECIMALS),
    )
    history = history.to_pandas().set_index("customer_id").sort_index()
    joined = region.customers.set_index("customer_id")["joined_on"].reindex(history.index)
    lead_in = pd.Timestamp(first) + pd.Timedelta(days=LEAD_IN)
    was_there = joined < pd.Timestamp(first)
    was_there |= joined.isna() & (history["first_day"] < lead_in)
    history, week = history[~was_there], pd.Timedelta(days=DAYS_IN_WEEK)
    return pd.DataFrame(
        {
            "frequency": history["frequency"].astype(int),
            "recency_weeks": (history["last_day"] - history["first_day"]) / week,
            "age_weeks": (pd.Timestamp(last) - history["first_day"]) / week,
            "mean_amount": history["mean_amount"].fillna(0.0),
        }
    )


def _between(rows: Table, first: dt.date, last: dt.date) -> Table:
    """Return the purchases from one day to another, both included."""
    moment = rows["bought_at"]
    return rows.filter((moment >= first) & (moment < last + dt.timedelta(days=1)))


def _customer_days(region: Region, rows: Table) -> tuple[Table, list[str]]:
    """Add up lines by customer and day; and return the names of what the source can tell."""
    amounts = {"sales": rows["amount"]}
    if "transactions.cost" in region.columns:
        amounts["margin"] = rows["amount"] - rows["cost"]
    if "transactions.quantity" in region.columns:
        amounts["volume"] = rows["quantity"]
    if "transactions.product" in region.columns:
        is_fuel = rows["product"].isin(FUEL).fill_null(False)
        for name in ("sales", "margin"):
            if name in amounts:
                amounts[f"fuel_{name}"] = is_fuel.ifelse(amounts[name], 0.0)
        if "volume" in amounts:
            amounts["volume"] = is_fuel.ifelse(rows["quantity"], 0.0)
        amounts["beyond_fuel"] = (rows["product"].notnull() & ~is_fuel).cast("int64")
    sums = {name: _total(value) for name, value in amounts.items()}
    days = rows.group_by("customer_id", day=rows["bought_at"].date()).agg(**sums)
    return days, list(sums)


def _total(values: NumericValue, where: BooleanValue | None = None) -> NumericValue:
    """Add up, the same in whatever order the engine does: to so many `DECIMALS`."""
    total = values.sum(where=where)
    return total if values.type().is_integer() else total.round(DECIMALS)


def _filled(bought: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Fill in zeros where nothing was bought; visits are integers, beyond_fuel true or false."""
    bought = bought.fillna(dict.fromkeys(names, 0))
    kinds = {"visits": int, "beyond_fuel": bool}
    return bought.astype(
        {name: kind for name in names for start, kind in kinds.items() if name.startswith(start)}
    )
