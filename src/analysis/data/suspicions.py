"""Suspicions: what keeps every rule, and yet looks as if it meant something else."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator

import ibis
import pandas as pd
from ibis.expr.types import BooleanValue, Table

from analysis.data.contract import FUEL, TABLES
from analysis.data.dataset import Dataset
from analysis.data.errors import counted
from analysis.data.mapping.found import paths_of
from analysis.data.reading.raw import ROW, place
from analysis.data.validation.numbers import numeric_id
from analysis.data.validation.regions import by_size
from analysis.data.validation.shown import LEAST_SHOWN, described
from analysis.data.validation.tables import ORPHAN, REST, CheckedTable

MOJIBAKE = r"\x{FFFD}|Ã[\x{80}-\x{BF}]|â€|锟斤|烫烫|[ÄÅÂÃÐÊËÖ×Ñ][\x{A1}-\x{FE}][ÄÅÂÃÐÊËÖ×Ñ]"
"""What texts hold that were read under a wrong encoding."""
QUIET_DAYS = 60
"""Days between the last purchase and `as_of` from which on it is worth a word."""
DOUBLED = 0.3
"""Share of a file's rows that stand there twice, from which on the file may be loaded twice."""
UNKNOWN = 0.05
"""Share of rows of unknown customers from which on identifiers may be written in two ways."""
FLAT = 0.05
"""Correlation of amount and quantity below which an amount may be the price of a unit."""
MUCH = 2
"""A line without a customer that is so many times the largest purchase may be a total."""
ABSURD = 5.0
"""Design effect of weights above which fewer than a fifth of the answers decide."""
FEW = 30
"""Rows below which nothing is suspected from shares and correlations."""


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
        found += [f"{file}: {each}" for each in _of_table(name, table, shows_values)]
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


def _of_table(name: str, table: CheckedTable, shows_values: bool) -> Iterator[str]:
    """Yield what looks wrong in one table by itself."""
    yield from _mojibake(name, table.rows)
    if name == "transactions":
        yield from _unit_prices(table)
        yield from _totals(table)
        yield from _no_fuel(table, shows_values)
    if name == "survey" and "weight" in table.rows.columns:
        yield from _weights(table.good)
    yield from _doubled(name, table)


def _mojibake(name: str, rows: Table) -> Iterator[str]:
    """Yield the columns of text that seem to be read under a wrong encoding."""
    columns = [
        column
        for column, each in TABLES[name].columns.items()
        if column in rows.columns and each.kind == "text"
    ]
    wrong = {column: rows[column].re_search(MOJIBAKE) for column in columns}
    if not wrong:
        return
    counts = rows.agg(**{column: each.sum() for column, each in wrong.items()}).to_pandas().iloc[0]
    for column, count in counts.items():
        if count and count == count:
            yield (
                f"{counted(int(count), 'value')} of {column!r} look like text under a wrong "
                "encoding: try encoding = 'gb18030', 'utf-8' or 'cp1252'."
            )


def _unit_prices(table: CheckedTable) -> Iterator[str]:
    """Yield that amounts look like prices of a unit: they do not grow with the quantity."""
    rows = table.good
    if not {"quantity", "amount"} <= set(rows.columns):
        return
    rows = rows.filter((rows["quantity"] > 0) & (rows["amount"] > 0))
    keys = ["product"] if "product" in rows.columns else []
    logs = rows.select(*keys, x=rows["quantity"].ln(), y=rows["amount"].ln())
    groups = logs.group_by(keys) if keys else logs.group_by(key=ibis.literal(1))
    found = groups.agg(n=logs.count(), r=logs["x"].corr(logs["y"], how="pop"), sd=logs["x"].std())
    found = found.filter((found["n"] >= FEW) & (found["sd"] > 0.1)).to_pandas()
    if len(found) and (found["r"].fillna(0).abs() * found["n"]).sum() < FLAT * found["n"].sum():
        yield (
            "amounts do not grow with quantities: if they are prices of a unit, "
            'amount = { expression = "quantity * amount" } with the file\'s names.'
        )


def _totals(table: CheckedTable) -> Iterator[str]:
    """Yield that lines without a customer are so large that they may be totals of a file."""
    rows = table.rows
    is_alone, amount = rows["customer_id"].isnull(), rows["amount"]
    largest = amount.max(where=~is_alone).execute()
    if largest is None or not largest > 0:
        return
    totals = rows.filter(is_alone & (amount > MUCH * largest))
    found = totals.agg(n=totals.count(), sum=totals["amount"].sum(), first=totals[ROW].min())
    row = found.to_pandas().iloc[0]
    if row["n"]:
        share = row["sum"] / amount.abs().sum().execute()
        yield (
            f"{counted(int(row['n']), 'line')} without a customer, together {share:.0%} of all "
            f"amounts (the first: {place(row['first'], table.files)}), are larger than any "
            "purchase: are they totals of the file? Then take them out: "
            'drop = { "column" = ["合计"] } with the words that stand there.'
        )


def _no_fuel(table: CheckedTable, shows_values: bool) -> Iterator[str]:
    """Yield that no product is called fuel or gas, which claims on fuel look for."""
    rows = table.good
    if "product" not in rows.columns:
        return
    known = rows.agg(n=rows["product"].count(), fuel=rows["product"].isin(FUEL).sum())
    row = known.to_pandas().iloc[0]
    if row["n"] and not row["fuel"]:
        names = rows.filter(rows["product"].notnull()).group_by("product")
        names = names.agg(n=ibis._.count(), customers=ibis._["customer_id"].nunique())
        words = [
            repr(each.product)
            if shows_values or each.customers >= LEAST_SHOWN
            else described(each.product)
            for each in names.order_by(ibis.desc("n"), "product").limit(3).to_pandas().itertuples()
        ]
        yield (
            f"no product is 'fuel' or 'gas', which claims on fuel look for; there are "
            f'{", ".join(words)}: product = {{ column = "...", values = {{ fuel = [...] }} }}.'
        )


def _weights(rows: Table) -> Iterator[str]:
    """Yield the regions in which a few answers have nearly all of the weight."""
    own = rows["weight"]
    found = rows.group_by("region").agg(n=own.count(), sum=own.sum(), squares=(own * own).sum())
    for row in found.order_by("region").to_pandas().itertuples():
        if row.n >= FEW and row.n * row.squares > ABSURD * row.sum**2 > 0:
            yield (
                f"the weights of {row.n:,} answers of {row.region} are so unequal that they tell "
                f"as much as {row.sum**2 / row.squares:,.0f} with equal weights (design effect "
                f"{row.n * row.squares / row.sum**2:.1f}): are these weights, and not counts or "
                "totals?"
            )


def _doubled(name: str, table: CheckedTable) -> Iterator[str]:
    """Yield that many rows of a file stand there twice, equal in all columns."""
    if name == "customers":
        return
    columns = [each for each in table.rows.columns if each in TABLES[name].columns]
    columns += [each for each in (REST,) if each in table.rows.columns]
    same = table.rows.group_by(columns).agg(n=table.rows.count())
    row = same.agg(n=same["n"].sum(), distinct=same.count()).to_pandas().iloc[0]
    extra = int(row["n"] - row["distinct"]) if row["n"] else 0
    if row["n"] >= FEW and extra > DOUBLED * row["n"]:
        yield (
            f"{extra:,} of {int(row['n']):,} rows are equal in all columns to another one: was "
            "the file, or a part of it, loaded twice?"
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
