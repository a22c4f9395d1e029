"""A source whose tables are open and held against the contract."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import ibis
import pandas as pd
from ibis.expr.types import Table

from analysis import reading
from analysis.contract import TABLES
from analysis.reading import ROW
from analysis.rules import Rule, mapped, written
from analysis.sources import DataError, Source

ORPHAN = Rule("customer_id", "a customer of the table 'customers'", ibis.literal(False))
FOLLOWER = Rule("customer_id", "a customer who is not set aside himself", ibis.literal(False))


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
        Rows of each table that keep the contract: its columns, and `region`.
    regions : tuple of str
        Names of the regions.
    set_aside : DataFrame
        Rows that break the contract, by region; as from `set_aside`.
    end : date or None
        The last day that the data can show.
    problems : dict of str to str
        Why a table could not be read, by its name.
    """

    source: Source
    good: Mapping[str, Table]
    regions: tuple[str, ...]
    set_aside: pd.DataFrame
    end: dt.date | None
    problems: Mapping[str, str]


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
    engine = reading.connect(source)
    opened, problems = {}, {}
    for name in source.tables:
        try:
            raw = reading.raw_table(engine, source, source.tables[name])
            opened[name] = mapped(source, name, raw)
        except DataError as error:
            problems[name] = str(error)
    if "customers" in problems:
        raise DataError("\n".join(problems.values()))
    held = {name: _flagged(each.rows, each.rules) for name, each in opened.items()}
    customers = reading.kept(engine, source, "customers", held.pop("customers").rows)
    tables = {"customers": Held(customers, opened["customers"].rules)}
    good = tables["customers"].good.select("customer_id", "region")
    good = reading.kept(engine, source, "customers", good)
    everybody = customers.select(known_id="customer_id").distinct()
    everybody = reading.kept(engine, source, "customers", everybody)
    for name, each in held.items():
        placed = _of_customers(each, good, everybody)
        tables[name] = Held(reading.kept(engine, source, name, placed.rows), placed.rules)
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
        columns = [column for column in held.rows.columns if column in TABLES[name].columns]
        good[name] = held.good.select(*dict.fromkeys([*columns, "region"]))
    return Validated(
        source=dataset.source,
        good=good,
        regions=tuple(dataset.regions()["region"]),
        set_aside=set_aside(dataset),
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
