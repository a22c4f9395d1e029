"""A source whose tables are open and validated."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import ibis
import pandas as pd
from ibis.expr.types import Table

from analysis.data import exclusions
from analysis.data.contract import TABLES
from analysis.data.errors import DataError
from analysis.data.extraction.extract import extracted
from analysis.data.mapping.source import Source
from analysis.data.reading import engine as engines
from analysis.data.reading.raw import ROW, raw_tables
from analysis.data.validation.checked import checked
from analysis.data.validation.refunds import KEPT, UNDONE, netted, of_nobody
from analysis.data.validation.regions import EACH, rule_of
from analysis.data.validation.rejected import rejected
from analysis.data.validation.shown import common
from analysis.data.validation.tables import FOLLOWER, LEFT_OUT, NETTED, REST, CheckedTable


@dataclass(frozen=True)
class Dataset:
    """A source whose tables are open.

    Attributes
    ----------
    source : Source
        What was opened.
    tables : dict of str to CheckedTable
        The tables that could be read.
    problems : dict of str to str
        Why a table could not be read, by its name.
    """

    source: Source
    tables: Mapping[str, CheckedTable]
    problems: Mapping[str, str]

    def traits(self) -> pd.DataFrame:
        """Return how regions differ.

        Returns
        -------
        DataFrame
            Indexed by region: customers, and for each area and segment that is known the share
            of the customers, named "share_" and its value.
        """
        people = self.tables["customers"].good
        names = [name for name in ("area", "segment") if name in people.columns]
        counts = people.group_by(["region", *names]).agg(customers=people.count()).to_pandas()
        if "segment" in names:
            counts["segment"] = common(counts["segment"], counts["customers"])
        traits = counts.groupby("region")[["customers"]].sum()
        for name in names:
            n = counts.pivot_table("customers", "region", name, aggfunc="sum", fill_value=0)
            traits = traits.join(n.div(n.sum(axis=1), axis=0).add_prefix("share_"))
        return traits.sort_index()

    def regions(self) -> pd.DataFrame:
        """Return `region` and its number of `customers`, by name."""
        people = self.tables["customers"].good
        counts = people.group_by("region").agg(customers=people.count())
        return counts.order_by("region").to_pandas()

    @property
    def end(self) -> dt.date | None:
        """The last day that the data can show: as stated, or of the last purchase or refund."""
        if self.source.as_of is not None or "transactions" not in self.tables:
            return self.source.as_of
        table = self.tables["transactions"]
        counts = table.rows[LEFT_OUT].isnull() | (table.rows[LEFT_OUT] == NETTED)
        last = table.rows["bought_at"].max(where=counts & ~table.broken).execute()
        return None if pd.isna(last) else last.date()


@dataclass(frozen=True)
class Validated:
    """All that is known of a source before one of its regions is loaded.

    Attributes
    ----------
    source : Source
        What was opened.
    good : dict of str to Table
        Valid rows of each table: its columns and `region`; of the survey also `ROW`, of
        purchases `REST` where the file holds more than the contract.
    regions : tuple of str
        Names of the regions.
    rejected : DataFrame
        Rows that break the contract, by region; as from `rejected`.
    refunds : DataFrame
        As from `exclusions.refunds`.
    left_out : DataFrame
        As from `exclusions.left_out`.
    end : date or None
        The last day that the data can show.
    problems : dict of str to str
        Why a table could not be read, by its name.
    """

    source: Source
    good: Mapping[str, Table]
    regions: tuple[str, ...]
    rejected: pd.DataFrame
    refunds: pd.DataFrame
    left_out: pd.DataFrame
    end: dt.date | None
    problems: Mapping[str, str]

    def rejected_in(self, region: str) -> pd.DataFrame:
        """Return what was rejected in a region, and rows of unknown customers.

        Raises
        ------
        DataError
            If more rows of a table break a rule than the source allows.
        """
        own = self.rejected[self.rejected["region"].eq(region) | self.rejected["region"].isna()]
        own = own.drop(columns="region").reset_index(drop=True)
        is_own = own["expected"] != FOLLOWER.expected  # those are counted with their customer
        many = own[is_own & (own["share"] > self.source.max_set_aside)]
        if len(many):
            worst = many.loc[many["share"].idxmax()]
            raise DataError(
                f"{self.source.tables[worst['table']].file}: {worst['share']:.1%} of the rows of "
                f"{region} break the contract in {worst['column']} ({worst['example']}; expected "
                f"{worst['expected']}); at most {self.source.max_set_aside:.0%} may "
                "(max_set_aside)."
            )
        return own

    def left_out_of(self, region: str) -> pd.DataFrame:
        """Return what does not count in a region, and what belongs to none."""
        own = self.left_out["region"]
        return self.left_out[own.isna() | (own == region)]

    def known_by(self, end: dt.date | None, region: str) -> dict[str, Table]:
        """Return a region's valid rows of each table, as far as they were known on a day."""
        rows = {name: each.filter(each["region"] == region) for name, each in self.good.items()}
        return {name: _known_by(name, each, end) if end else each for name, each in rows.items()}


def open_source(source: Source) -> Dataset:
    """Open a source and validate its tables.

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
    source = extracted(source)
    engine = engines.connect(source)
    opened, problems = {}, {}
    for name in source.tables:
        try:
            opened[name] = checked(source, name, raw_tables(engine, source, name))
        except DataError as error:
            problems[name] = str(error)
    if "customers" in problems:
        raise DataError("\n".join(problems.values()))
    people = opened.pop("customers")
    people = engines.stored(engine, source, "customers", people)
    known = engine.create_table(ibis.util.gen_name("known"), _known(source, people), temp=True)
    tables = {"customers": people}
    for name, each in opened.items():
        stored = engines.stored(engine, source, name, each.of_customers(known))
        if name == "transactions":
            stored = of_nobody(stored)
        is_net = name == "transactions" and source.tables[name].refunds == "net"
        tables[name] = netted(stored) if is_net else stored
    return Dataset(source, tables, problems)


def _known(source: Source, people: CheckedTable) -> Table:
    """Return `known_id` of all customers, and `region` of the valid ones."""
    rows = people.rows
    known = rows.group_by(known_id="customer_id")
    known = known.agg(region=rows["region"].max(where=~people.broken))
    if rule_of(source) != EACH:
        return known
    each = people.good.select(known_id="customer_id", region="region").distinct()
    return each.union(known.filter(known["region"].isnull()).select("known_id", "region"))


def validate(dataset: Dataset) -> Validated:
    """Return the valid rows of a source, and what was rejected, of all regions at once."""
    good = {}
    for name, table in dataset.tables.items():
        also = {"survey": [ROW], "transactions": [REST, KEPT, UNDONE]}.get(name, [])
        columns = [each for each in table.rows.columns if each in [*TABLES[name].columns, *also]]
        good[name] = table.good.select(*dict.fromkeys([*columns, "region"]))
    return Validated(
        source=dataset.source,
        good=good,
        regions=tuple(dataset.regions()["region"]),
        rejected=rejected(dataset.tables),
        refunds=exclusions.refunds(dataset),
        left_out=exclusions.left_out(dataset),
        end=dataset.end,
        problems=dataset.problems,
    )


def last_day(opened: Dataset | Validated, as_of: str = "") -> dt.date | None:
    """Return the last day that counts: as asked for, or the data's own end.

    Raises
    ------
    DataError
        If `as_of` is no date, or after the data's own end.
    """
    end = opened.end
    if not as_of:
        return end
    try:
        day = dt.date.fromisoformat(as_of)
    except ValueError:
        raise DataError(f"as_of = {as_of!r}: expected a date such as 2026-06-30.") from None
    if end is not None and day > end:
        raise DataError(f"as_of = {as_of}: the data ends on {end}.")
    return day


def problems(dataset: Dataset, shows_values: bool = False) -> pd.DataFrame:
    """Return everything in a source that breaks the contract.

    Parameters
    ----------
    dataset : Dataset
        As from `open_source`.
    shows_values : bool
        As in `rejected`.

    Returns
    -------
    DataFrame
        table, file, column, rows, share, expected, example; tables that can't be
        read come first.
    """
    files = {name: table.file for name, table in dataset.source.tables.items()}
    unread = [{"table": name, "expected": text} for name, text in dataset.problems.items()]
    broken = rejected(dataset.tables, by_region=False, shows_values=shows_values)
    every = pd.concat([pd.DataFrame(unread), broken], ignore_index=True)
    columns = ["table", "file", "column", "rows", "share", "expected", "example"]
    return every.assign(file=every["table"].map(files)).reindex(columns=columns)


def _known_by(name: str, rows: Table, end: dt.date) -> Table:
    """Return the rows of a table that were known on a day, without what came later."""
    schema, tomorrow = TABLES[name].columns, end + dt.timedelta(days=1)
    moments = [each for each in rows.columns if each in schema and schema[each].kind == "moment"]
    first = next((each for each in moments if each != "card_since"), None)
    if first is not None:
        rows = rows.filter(rows[first].isnull() | (rows[first] < tomorrow))
    if UNDONE in rows.columns:
        rows = _without_refunds(rows, tomorrow)
    return _without_later(rows, [each for each in moments if each != first], tomorrow)


def _without_refunds(rows: Table, tomorrow: dt.date) -> Table:
    """Take what was given back by a day out of purchases."""
    given_back = rows[UNDONE].filter(lambda moment: moment < tomorrow).length().fill_null(0)
    kept = ibis.ifelse(given_back > 0, rows[KEPT][given_back - 1], 1.0)
    left = rows.mutate(**{KEPT: kept}).filter(ibis._[KEPT] > 0)
    names = [each for each in ("amount", "quantity", "cost") if each in rows.columns]
    return left.mutate(**{each: left[each] * left[KEPT] for each in names}).drop(KEPT, UNDONE)


def _without_later(rows: Table, later: list[str], tomorrow: dt.date) -> Table:
    """Empty what a row says of days to come: a card, an answer to a complaint."""
    known = {column: rows[column] < tomorrow for column in later}
    values = {column: known[column].ifelse(rows[column], ibis.null()) for column in later}
    if "resolved_at" in known and "satisfaction_after" in rows.columns:
        settled = known["resolved_at"].fill_null(True)
        values["satisfaction_after"] = settled.ifelse(rows["satisfaction_after"], ibis.null())
    return rows.mutate(**values) if values else rows
