"""A source whose tables are open and held against the contract."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import ibis
import pandas as pd
from ibis.expr.types import Table

from analysis.data import readers
from analysis.data.contract import TABLES
from analysis.data.errors import DataError
from analysis.data.mapping import Source
from analysis.data.readers import ROW
from analysis.data.sources import counted
from analysis.data.validation import REST, Rule, mapped, written

ORPHAN = Rule("customer_id", "a customer of the table 'customers'", ibis.literal(False))
NO_REFUNDS = pd.DataFrame(columns=["region", "day", "lines", "amount"])
FOLLOWER = Rule("customer_id", "a customer whose own row is not set aside", ibis.literal(False))


@dataclass(frozen=True)
class Held:
    """One table held against the contract.

    Attributes
    ----------
    rows : Table
        Columns of the contract, `region`, `ROW`, "written.<column>" and "broken_<i>".
    rules : tuple of Rule
        The i-th belongs to "broken_<i>".
    """

    rows: Table
    rules: tuple[Rule, ...]

    @property
    def good(self) -> Table:
        """The rows that break no rule."""
        broken = [self.rows[f"broken_{i}"] for i in range(len(self.rules))]
        return self.rows.filter(~ibis.or_(*broken))


@dataclass(frozen=True)
class Dataset:
    """A source whose tables are open.

    Attributes
    ----------
    source : Source
        What was opened.
    tables : dict of str to Held
        The tables that could be read.
    problems : dict of str to str
        Why a table could not be read, by its name.
    """

    source: Source
    tables: Mapping[str, Held]
    problems: Mapping[str, str]

    def traits(self) -> pd.DataFrame:
        """Return what sets regions apart, by region: customers, shares of areas and segments.

        Returns
        -------
        DataFrame
            Indexed by region: customers, and for each area and segment that is known the share
            of the customers, named "share_" and its value.
        """
        people = self.tables["customers"].good
        names = [name for name in ("area", "segment") if name in people.columns]
        counts = people.group_by(["region", *names]).agg(customers=people.count()).to_pandas()
        found = counts.groupby("region")[["customers"]].sum()
        for name in names:
            own = counts.pivot_table("customers", "region", name, aggfunc="sum", fill_value=0)
            found = found.join(own.div(own.sum(axis=1), axis=0).add_prefix("share_"))
        return found.sort_index()

    def regions(self) -> pd.DataFrame:
        """Return `region` and its number of `customers`, by name."""
        customers = self.tables["customers"].good
        found = customers.group_by("region").agg(customers=customers.count())
        return found.order_by("region").to_pandas()

    @property
    def end(self) -> dt.date | None:
        """The last day that the data can show: as stated, or that of the last purchase."""
        if self.source.as_of is not None or "transactions" not in self.tables:
            return self.source.as_of
        last = self.tables["transactions"].good["bought_at"].max().execute()
        return None if pd.isna(last) else last.date()


@dataclass(frozen=True)
class Validated:
    """What there is to know of a source before one of its regions is looked at.

    Attributes
    ----------
    source : Source
        What was opened.
    good : dict of str to Table
        Rows of each table that keep the contract: its columns and `region`; of the survey also
        `ROW`, of purchases `REST` where the file holds more than the contract.
    regions : tuple of str
        Names of the regions.
    set_aside : DataFrame
        Rows that break the contract, by region; as from `set_aside`.
    refunds : DataFrame
        As from `refunds`.
    end : date or None
        The last day that the data can show.
    problems : dict of str to str
        Why a table could not be read, by its name.
    """

    source: Source
    good: Mapping[str, Table]
    regions: tuple[str, ...]
    set_aside: pd.DataFrame
    refunds: pd.DataFrame
    end: dt.date | None
    problems: Mapping[str, str]


@dataclass(frozen=True)
class Refunds:
    """Lines with a negative amount: they are set aside, and purchases they undo stay in.

    Attributes
    ----------
    lines : int
        Their number.
    amount, sales : float
        Their sum without its sign; that of all lines that keep the contract (source currency).
    share : float
        Amount as a share of sales; 1 where nothing was sold.
    """

    lines: int = 0
    amount: float = 0.0
    sales: float = 0.0
    share: float = 0.0

    @classmethod
    def of(cls, lines: int, amount: float, sales: float) -> Refunds:
        """Return refunds with their share of sales."""
        share = amount / sales if sales > 0 else float(amount > 0)
        return cls(int(lines), float(amount), float(sales), float(share))

    def sentence(self, currency: str) -> str:
        """Say how many refunds are set aside, and how much of sales that affects."""
        is_one = self.lines == 1
        lines = counted(self.lines, "refund line")
        if self.sales <= 0:
            they, amount = "it" if is_one else "they", f"{self.amount:,.0f} {currency}".rstrip()
            return f"{lines} set aside: {amount}; there are no sales that {they} could belong to"
        rest = "purchase it belongs to stays" if is_one else "purchases they belong to stay"
        amounts = f"{self.amount:,.0f} of {self.sales:,.0f} {currency}".rstrip()
        return f"{lines} set aside: {amounts}, {100 * self.share:.1f} % of sales; the {rest} in"


def repeated_sentence(answers: int) -> str:
    """Say how many answers do not count, since the same customer gave another on that day."""
    left_out = f"{counted(answers, 'answer')} {'is' if answers == 1 else 'are'}"
    return (
        f"{left_out} left out: the same customer gave one with more ratings, or a later one with "
        "as many, on that day"
    )


def open_source(source: Source) -> Dataset:
    """Open a source and hold its tables against the contract.

    Parameters
    ----------
    source : Source
        As from `sources.read`.

    Returns
    -------
    Dataset
        A table that can't be read is a problem, not an error.

    Raises
    ------
    DataError
        If the customers can't be read: without them there are no regions.
    """
    engine = readers.connect(source)
    opened, problems = {}, {}
    for name in source.tables:
        try:
            raw = readers.raw_table(engine, source, source.tables[name])
            opened[name] = mapped(source, name, raw)
        except DataError as error:
            problems[name] = str(error)
    if "customers" in problems:
        raise DataError("\n".join(problems.values()))
    held = {name: _flagged(each.rows, each.rules) for name, each in opened.items()}
    customers = readers.kept(engine, source, "customers", held.pop("customers").rows)
    tables = {"customers": Held(customers, opened["customers"].rules)}
    good = tables["customers"].good.select("customer_id", "region")
    good = readers.kept(engine, source, "customers", good)
    everybody = customers.select(known_id="customer_id").distinct()
    everybody = readers.kept(engine, source, "customers", everybody)
    for name, each in held.items():
        placed = _of_customers(each, good, everybody)
        tables[name] = Held(readers.kept(engine, source, name, placed.rows), placed.rules)
    return Dataset(source, tables, problems)


def problems(dataset: Dataset) -> pd.DataFrame:
    """Return everything in a source that breaks the contract.

    Returns
    -------
    DataFrame
        table, file, column, rows, share, expected, example; tables that can't be
        read come first.
    """
    files = {name: table.file for name, table in dataset.source.tables.items()}
    whole = [
        {"table": name, "file": files[name], "expected": text}
        for name, text in dataset.problems.items()
    ]
    found = pd.concat([pd.DataFrame(whole), set_aside(dataset, by_region=False)], ignore_index=True)
    found["file"] = found["table"].map(files)
    columns = ["table", "file", "column", "rows", "share", "expected", "example"]
    return found.reindex(columns=columns)


def _flagged(rows: Table, rules: tuple[Rule, ...]) -> Held:
    """Add to each row which rules it breaks."""
    flags = {f"broken_{i}": rule.broken.fill_null(False) for i, rule in enumerate(rules)}
    return Held(rows.mutate(**flags), rules)


def _of_customers(held: Held, good: Table, everybody: Table) -> Held:
    """Give each row the region of its customer; flag those of unknown or set-aside ones."""
    placed = held.rows.left_join(good, "customer_id").drop("customer_id_right")
    placed = placed.left_join(everybody, placed["customer_id"] == everybody["known_id"])
    lost = placed["region"].isnull() & placed["customer_id"].notnull()
    n, unknown = len(held.rules), placed["known_id"].isnull()
    flags = {f"broken_{n}": lost & unknown, f"broken_{n + 1}": lost & ~unknown}
    return Held(placed.mutate(**flags).drop("known_id"), (*held.rules, ORPHAN, FOLLOWER))


def validate(dataset: Dataset) -> Validated:
    """Hold a source's rows against the contract, those of all regions at once."""
    good = {}
    for name, held in dataset.tables.items():
        also = {"survey": [ROW], "transactions": [REST]}.get(name, [])
        columns = [each for each in held.rows.columns if each in [*TABLES[name].columns, *also]]
        good[name] = held.good.select(*dict.fromkeys([*columns, "region"]))
    broken = set_aside(dataset)
    is_amount = broken["table"].eq("transactions") & broken["column"].eq("amount")
    return Validated(
        source=dataset.source,
        good=good,
        regions=tuple(dataset.regions()["region"]),
        set_aside=broken,
        refunds=refunds(dataset) if is_amount.any() else NO_REFUNDS,
        end=dataset.end,
        problems=dataset.problems,
    )


def set_aside(dataset: Dataset, by_region: bool = True) -> pd.DataFrame:
    """Count the rows that break each rule, in each region or in the whole source.

    Returns
    -------
    DataFrame
        region, table, column, expected, rows, share, example (the first such row). Rows whose
        customer is not known have no region, and are a share of the whole table.
    """
    found = [
        row for name, held in dataset.tables.items() for row in _broken_rules(name, held, by_region)
    ]
    columns = ["region", "table", "column", "expected", "rows", "share", "example"]
    return pd.DataFrame(found, columns=columns)


def refunds(dataset: Dataset) -> pd.DataFrame:
    """Add up the lines with a negative amount that were set aside, those of known customers.

    Returns
    -------
    DataFrame
        region, day (missing where it is not known), lines, amount (source currency, without
        the sign).
    """
    if "transactions" not in dataset.tables:
        return NO_REFUNDS
    rows = dataset.tables["transactions"].rows
    rows = rows.filter((rows["amount"] < 0) & rows["region"].notnull())
    days = rows.group_by("region", day=rows["bought_at"].truncate("D"))
    return days.agg(lines=rows.count(), amount=-rows["amount"].sum()).to_pandas()


def refunds_by_region(dataset: Dataset) -> dict[str, Refunds]:
    """Return the refunds of each region that has some."""
    found = refunds(dataset).groupby("region")[["lines", "amount"]].sum()
    if found.empty:
        return {}
    rows = dataset.tables["transactions"].good
    sales = rows.group_by("region").agg(sales=rows["amount"].sum()).to_pandas()
    found = found.join(sales.set_index("region")).fillna({"sales": 0.0})
    return {row.Index: Refunds.of(row.lines, row.amount, row.sales) for row in found.itertuples()}


def repeated_answers(dataset: Dataset) -> dict[str, int]:
    """Count, by region, the answers beside which the same customer gave another on that day."""
    if "survey" not in dataset.tables or "answered_on" not in dataset.tables["survey"].rows.columns:
        return {}
    rows = dataset.tables["survey"].good
    rows = rows.filter(rows["answered_on"].notnull())
    days = rows.group_by("region", "customer_id", day=rows["answered_on"].date())
    days = days.agg(others=rows.count() - 1).filter(ibis._.others > 0)
    found = days.group_by("region").agg(others=days["others"].sum()).to_pandas()
    return {row.region: int(row.others) for row in found.itertuples()}


def _broken_rules(name: str, held: Held, by_region: bool) -> list[dict]:
    """Describe each rule that some rows of a table break; rows without a region come last."""
    rows = held.rows if by_region else held.rows.mutate(region=ibis.null("string"))
    flags = {f"broken_{i}": rows[f"broken_{i}"].cast("int64").sum() for i in range(len(held.rules))}
    counts = rows.group_by("region").agg(n=rows.count(), **flags).to_pandas()
    counts = counts.set_index(counts.pop("region").astype(object)).sort_index()  # missing: last
    whole = counts["n"].sum()
    counts["n"] = counts["n"].mask(counts.index.isna(), whole)
    first = {flag: _first(rows, flag, held) for flag in flags if counts[flag].any()}
    return [
        {"region": region, "table": name, "column": rule.column, "expected": rule.expected}
        | {"rows": int(own[flag]), "share": own[flag] / own["n"], "example": first[flag][region]}
        for region, own in zip(_keys(counts.index), counts.to_dict("records"), strict=True)
        for flag, rule in zip(flags, held.rules, strict=True)
        if own[flag]
    ]


def _first(rows: Table, flag: str, held: Held) -> dict[str | None, str]:
    """Return the first row that breaks a rule, and what stands there, for each region."""
    value = written(held.rules[int(flag.removeprefix("broken_"))].column)
    own = ibis.window(group_by="region", order_by=ROW)
    broken = rows.filter(rows[flag]).mutate(place=ibis.row_number().over(own))
    found = broken.filter(broken["place"] == 0).select("region", ROW, value).to_pandas()
    texts = ["nothing" if pd.isna(text) else repr(str(text)) for text in found[value]]
    examples = [f"row {row}: {text}" for row, text in zip(found[ROW], texts, strict=True)]
    return dict(zip(_keys(found["region"]), examples, strict=True))


def _keys(regions: pd.Index | pd.Series) -> list[str | None]:
    """Return names of regions; None for the rows that have none."""
    return [None if pd.isna(region) else region for region in regions]
