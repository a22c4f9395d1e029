"""What looks wrong in one table by itself."""

from __future__ import annotations

from collections.abc import Iterator

import ibis
from ibis.expr.types import Table

from analysis.data.contract import COSTED, FUEL, TABLES
from analysis.data.errors import counted
from analysis.data.reading.raw import ROW, place
from analysis.data.validation.shown import LEAST_SHOWN, described
from analysis.data.validation.tables import REST, CheckedTable

MOJIBAKE = r"\x{FFFD}|Ã[\x{80}-\x{BF}]|â€|锟斤|烫烫|[ÄÅÂÃÐÊËÖ×Ñ][\x{A1}-\x{FE}][ÄÅÂÃÐÊËÖ×Ñ]"
"""What texts hold that were read under a wrong encoding."""
DOUBLED = 0.3
"""Share of a file's rows that stand there twice, from which on the file may be loaded twice."""
FLAT = 0.05
"""Correlation of amount and quantity below which an amount may be the price of a unit."""
MUCH = 2
"""A line without a customer that is so many times the largest purchase may be a total."""
ABSURD = 5.0
"""Design effect of weights above which fewer than a fifth of the answers decide."""
CODE, FAR = 1e6, 1000
"""What a code or a telephone number is at least, and is so many times the usual number."""
FEW = 30
"""Rows below which nothing is suspected from shares and correlations."""


def of_table(name: str, table: CheckedTable, shows_values: bool) -> Iterator[str]:
    """Yield what looks wrong in one table by itself; see `source.suspicions`."""
    yield from _mojibake(name, table.rows)
    yield from _codes(name, table)
    if name == "transactions":
        yield from _unit_prices(table)
        yield from _totals(table)
        yield from _no_cost(table.good)
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
                f"{counted(int(count), 'value')} of {column!r} may be text under a wrong "
                "encoding: try encoding = 'gb18030', 'utf-8' or 'cp1252'."
            )


def _codes(name: str, table: CheckedTable) -> Iterator[str]:
    """Yield the columns of numbers with some that are so large that they may be codes."""
    rows, known = table.good, TABLES[name].columns
    own = {c: rows[c].abs() for c in rows.columns if c in known and known[c].kind == "number"}
    sizes = {f"most_{c}": each.max() for c, each in own.items()}
    sizes |= {f"usual_{c}": each.nullif(0).ln().mean().exp() for c, each in own.items()}
    found = rows.agg(**sizes).to_pandas().iloc[0] if own else {}
    for column, each in own.items():
        bound = max(CODE, FAR * found[f"usual_{column}"])
        if found[f"most_{column}"] > bound:
            far = rows.filter(each > bound)
            row = far.agg(n=far.count(), first=far[ROW].min()).to_pandas().iloc[0]
            yield (
                f"{counted(int(row['n']), 'value')} of {column!r} (the first: "
                f"{place(row['first'], table.files)}) may be a telephone number or a code: more "
                f'than {FAR:,} times the usual number. {column} = {{ column = "...", missing = '
                '["..."] } leaves it out.'
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


def _no_cost(rows: Table) -> Iterator[str]:
    """Yield that a cost of 0 stands beside amounts, so often that no margin is known."""
    if "cost" not in rows.columns:
        return
    found = rows.filter(rows["amount"] > 0)
    found = found.agg(n=found["cost"].count(), none=(found["cost"] == 0).sum()).to_pandas().iloc[0]
    if found["n"] and found["none"] > (1 - COSTED) * found["n"]:
        yield (
            f"{int(found['none']):,} of {int(found['n']):,} costs are 0 beside an amount, which is "
            "taken as not known: claims about margin are about sales then."
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
    place = same["station_id"] if "station_id" in columns else ibis.literal("")
    stations = same.group_by(place=place).agg(n=same["n"].sum(), distinct=same.count()).to_pandas()
    total = stations[["n", "distinct"]].sum()
    for rows, where in ((total.to_frame().T, ""), (stations, " of one station")):
        extra = rows["n"] - rows["distinct"]
        many = rows[(rows["n"] >= FEW) & (extra > DOUBLED * rows["n"])]
        if len(many):
            n, distinct = many.sort_values("n")[["n", "distinct"]].astype(int).iloc[-1]
            yield (
                f"{n - distinct:,} of {n:,} rows{where} are equal in all columns to another one: "
                "was the file, or a part of it, loaded twice?"
            )
            return
