"""What looks wrong in a source: in its tables, between them, and in its files."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator

import ibis
import pandas as pd
from ibis.expr.types import BooleanValue, Table

from analysis.data.contract import TABLES
from analysis.data.dataset import Dataset
from analysis.data.errors import counted
from analysis.data.mapping.found import paths_of
from analysis.data.reading.raw import ROW, place
from analysis.data.suspicions.tables import FEW, of_table
from analysis.data.validation.numbers import numeric_id
from analysis.data.validation.regions import by_size
from analysis.data.validation.shown import described
from analysis.data.validation.tables import ORPHAN, CheckedTable

QUIET_DAYS = 60
"""Days between the last purchase and `as_of` from which on it is worth a word."""
UNKNOWN = 0.05
"""Share of rows of unknown customers from which on identifiers may be written in two ways."""


def suspicions(dataset: Dataset, shows_values: bool = False) -> list[str]:
    """Return what looks wrong in a source though it breaks no rule, a sentence each.

    Parameters
    ----------
    dataset : Dataset
        As from `dataset.open_source`.
    shows_values : bool
        Whether products of a few customers are shown as they are; else they are described.

    Returns
    -------
    list of str
        Each names the file, what was seen, and the key that would mend it.
    """
    found = [*_same_files(dataset), *_end(dataset), *_regions(dataset, shows_values)]
    for name, table in dataset.tables.items():
        file = dataset.source.tables[name].file
        found += [f"{file}: {each}" for each in of_table(name, table, shows_values)]
        if name != "customers":
            found += [f"{file}: {each}" for each in _identifiers(dataset, name, table)]
    return found


def _regions(dataset: Dataset, shows_values: bool) -> Iterator[str]:
    """Yield regions of one or two customers, and names that differ in case or blanks only."""
    table, file = dataset.tables["customers"], dataset.source.tables["customers"].file
    rare = by_size(table.good, rare=True)
    for each in rare.head(5).itertuples():
        where = "" if pd.isna(each.first) else f"{place(each.first, table.files)}: "
        said = repr(each.region) if shows_values else described(each.region)
        yield (
            f"{file}: {where}region {said} has {counted(each.customers, 'customer')}: no report "
            "is made of it, since it may be a person's name. Give it its region by values, or "
            "leave its rows out by drop."
        )
    names = dataset.regions()["region"]
    alike = names.groupby(names.str.casefold().str.split().str.join(" ")).agg(list)
    for each in alike[alike.str.len() > 1]:
        yield (
            f"{file}: regions {', '.join(map(repr, each))} may be one: "
            'region = { column = "...", values = { ... } } makes them so.'
        )


def _same_files(dataset: Dataset) -> Iterator[str]:
    """Yield files of one table with the same bytes."""
    if dataset.source.database is not None:
        return
    known: dict[bytes, str] = {}
    for path in paths_of(dataset.source):
        if path.is_file():
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").digest()
            if digest in known:
                yield f"{path.name}: the same content as {known[digest]}; it counts twice."
            known.setdefault(digest, path.name)


def _end(dataset: Dataset) -> Iterator[str]:
    """Yield that `as_of` lies before rows of a table, or long after the last purchase."""
    as_of = dataset.source.as_of
    for name, table in dataset.tables.items() if as_of else ():
        known = TABLES[name].columns
        moments = [c for c in table.rows.columns if c in known and known[c].kind == "moment"]
        if not moments:
            continue
        last = ibis.greatest(*(table.rows[each] for each in moments))
        last = ibis.ifelse(last < dt.date.today() + dt.timedelta(days=1), last, ibis.null())
        later = last >= as_of + dt.timedelta(days=1)
        row = table.rows.agg(last=last.max(), later=later.sum()).to_pandas().iloc[0]
        if row["later"] and row["later"] == row["later"]:
            n, is_bought = int(row["later"]), name == "transactions"
            what = counted(n, "purchase") if is_bought else f"{counted(n, 'row')} of {name}"
            yield f"{what} after as_of = {as_of}; as_of = {row['last'].date()} has them all."
        elif name == "transactions" and row["last"] == row["last"]:
            quiet = (as_of - row["last"].date()).days
            if quiet > QUIET_DAYS:
                yield (
                    f"as_of = {as_of}: nobody bought in the {quiet} days before it; "
                    f"as_of = {row['last'].date()} fits the data."
                )


def _identifiers(dataset: Dataset, name: str, table: CheckedTable) -> Iterator[str]:
    """Yield that identifiers of unknown customers are known when they are read as numbers."""
    people, rows = dataset.tables["customers"].rows, table.rows
    unknown = rows.filter(rows["customer_id"].notnull() & _is_orphan(table))
    n, total = int(unknown.count().execute()), int(rows.count().execute())
    if n < max(1, UNKNOWN * total):
        return
    known = people.select(own=numeric_id(people["customer_id"])).distinct()
    ids = unknown.mutate(own=numeric_id(unknown["customer_id"]))
    found = ids.semi_join(known, "own")
    if int(found.count().execute()) < n / 2:
        yield from _nobody(unknown, table.files) if name == "transactions" else ()
        return
    first = place(found[ROW].min().execute(), table.files)
    column, also = "{ column = '...', numeric = true }", ""
    if name == "assignments":
        also = f"unit = {column} "
    yield (
        f"{n:,} rows are of customers whom [customers] writes in another way (the first: {first}): "
        f"customer_id = {column} in [customers] and {also}in [{name}] reads 00123, 123 and 123.0 "
        "as one."
    )


def _nobody(unknown: Table, files: tuple[str, ...]) -> Iterator[str]:
    """Yield that one unknown customer has most of the lines of unknown customers."""
    groups = unknown.group_by("customer_id").agg(n=ibis._.count(), first=ibis._[ROW].min())
    row = groups.mutate(all=ibis._.n.sum().over()).order_by(ibis.desc("n")).limit(1).to_pandas()
    n, every, first = row.loc[0, ["n", "all", "first"]]
    if n >= FEW and n > every / 2:
        yield (
            f"{n:,} rows are of one customer whom [customers] does not have (the first: "
            f"{place(first, files)}): if this stands for nobody, customer_id = "
            "{ column = '...', missing = ['...'] } with the word that stands there."
        )


def _is_orphan(table: CheckedTable) -> BooleanValue:
    """Tell which rows are of a customer who is not in the table of customers."""
    number = next(i for i, rule in enumerate(table.rules) if rule.expected == ORPHAN.expected)
    return table.rows[f"broken_{number}"]
