"""A source whose tables are open and validated."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import duckdb
import ibis
import pandas as pd
from ibis.expr.types import Table

from analysis.data import exclusions
from analysis.data.contract import TABLES
from analysis.data.errors import DataError
from analysis.data.extraction import one_region
from analysis.data.extraction.extract import extracted
from analysis.data.mapping.source import Source
from analysis.data.reading import engine as engines
from analysis.data.reading import failures
from analysis.data.reading.raw import ROW, check_unchanged, raw_tables
from analysis.data.validation.checked import checked
from analysis.data.validation.filters import known_by
from analysis.data.validation.refunds import KEPT, UNDONE, left_out, netted, of_nobody
from analysis.data.validation.regions import by_size, known_customers
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
    region : str
        The only region whose purchases were read; empty where they are those of all regions.
    """

    source: Source
    tables: Mapping[str, CheckedTable]
    problems: Mapping[str, str]
    region: str = ""

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
        """Return `region` and its number of `customers`, by name; see `by_size`."""
        return by_size(self.tables["customers"].good).drop(columns="first")

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
        return {name: known_by(name, each, end) if end else each for name, each in rows.items()}


def open_source(source: Source, region: str = "") -> Dataset:
    """Open a source and validate its tables.

    Parameters
    ----------
    source : Source
        As from `sources.read`.
    region : str, optional
        The only region whose purchases are needed, and read where no rule needs them all.

    Returns
    -------
    Dataset
        A table that can't be read is a problem, not an error.

    Raises
    ------
    DataError
        If the customers can't be read: without them there are no regions.
    """
    source = extracted(source, region)
    engine = engines.connect(source)
    raws, opened, problems = {}, {}, {}

    @contextlib.contextmanager
    def noted(name: str) -> Iterator[None]:
        try:
            yield
        except (DataError, duckdb.Error, OSError) as error:
            paths = [path for raw in raws.get(name, ()) for path in raw.paths]
            file = source.tables[name].parts[0].files[0]
            problems[name] = failures.of_table(error, file, source.folder, paths)

    for name in source.tables:
        with noted(name):
            is_later = region and name == one_region.TABLE
            if not (is_later and source.keys):
                raws[name] = raw_tables(engine, source, name)
            if not is_later:
                opened[name] = checked(source, name, raws[name])
    people = opened.pop("customers", None)
    if people is not None:
        with noted("customers"):
            people = engines.stored(engine, source, "customers", people)
            check_unchanged(raws["customers"])
    if "customers" in problems:
        raise DataError("\n".join(dict.fromkeys(problems.values())))
    known = engine.create_table(
        ibis.util.gen_name("known"), known_customers(source, people), temp=True
    )
    tables, others = {"customers": people}, None
    others_first = sorted(source.tables, key=lambda name: name == "assignments")
    for name in (each for each in others_first if each != "customers"):
        with noted(name):
            if region and name == one_region.TABLE and name not in problems:
                found = one_region.lines(engine, source, raws.get(name), known, region)
                raws[name], others = found
                opened[name] = replace(checked(source, name, raws[name]), others=others or 0)
            if name == "assignments" and name in opened:
                cases = tables.get("complaints")
                opened[name] = opened[name].of_units(cases and cases.rows)
            if name in opened:
                tables[name] = engines.stored(
                    engine, source, name, opened[name].of_customers(known)
                )
                check_unchanged(raws[name])
    if "transactions" in tables:
        tables["transactions"] = of_nobody(tables["transactions"])
        is_net = source.tables["transactions"].refunds == "net"
        tables["transactions"] = (netted if is_net else left_out)(tables["transactions"])
    return Dataset(source, tables, problems, region if others is not None else "")


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
