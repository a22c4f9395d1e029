"""A source whose tables are open and held against the contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import ibis
import pandas as pd
from ibis.expr.types import Table

from analysis import reading
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
    found = pd.concat([pd.DataFrame(whole), set_aside(dataset, None)], ignore_index=True)
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


def set_aside(dataset: Dataset, region: str | None) -> pd.DataFrame:
    """Count the rows that break each rule, of the whole source or of one region.

    Rows whose customer is not known belong to no region: they are counted with
    every region, as a share of the whole table.
    """
    found = []
    for name, held in dataset.tables.items():
        if region is None:
            found += _broken_rules(name, held, held.rows, held.rows)
        else:
            own = held.rows.filter(held.rows["region"] == region)
            nobody = held.rows.filter(held.rows["region"].isnull())
            found += _broken_rules(name, held, own, own)
            found += _broken_rules(name, held, nobody, held.rows)
    columns = ["table", "column", "expected", "rows", "share", "example"]
    return pd.DataFrame(found, columns=columns)


def _broken_rules(name: str, held: Held, rows: Table, whole: Table) -> list[dict]:
    """Describe each rule that some of the rows break, as a share of the whole."""
    flags = {str(i): rows[f"broken_{i}"].cast("int64").sum() for i in range(len(held.rules))}
    counts = rows.agg(**flags).to_pandas().iloc[0].fillna(0)
    broken = [i for i in range(len(held.rules)) if counts[str(i)] > 0]
    n = whole.count().execute() if broken else 0
    return [
        _broken(name, held.rules[i], rows.filter(rows[f"broken_{i}"]), counts[str(i)], n)
        for i in broken
    ]


def _broken(table: str, rule: Rule, rows: Table, count: float, n: float) -> dict:
    """Describe the rows that break one rule, with the first of them."""
    first = rows.order_by(ROW).limit(1).to_pandas().iloc[0]
    value = first[written(rule.column)]
    value = "nothing" if pd.isna(value) else repr(str(value))
    return {
        "table": table,
        "column": rule.column,
        "expected": rule.expected,
        "rows": int(count),
        "share": count / n,
        "example": f"row {first[ROW]}: {value}",
    }
