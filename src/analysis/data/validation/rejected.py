"""Rejected rows: how many break each rule, and the first of them."""

from __future__ import annotations

from collections.abc import Mapping

import ibis
import pandas as pd
from ibis.expr.types import Table

from analysis.data.contract import TABLES
from analysis.data.reading.raw import ROW, place
from analysis.data.validation.shown import described
from analysis.data.validation.tables import WRITTEN, CheckedTable


def rejected(
    tables: Mapping[str, CheckedTable], by_region: bool = True, shows_values: bool = False
) -> pd.DataFrame:
    """Count the rows that break each rule, in each region or in the whole source.

    Parameters
    ----------
    tables : mapping of str to CheckedTable
        By the contract's name.
    by_region : bool
        Whether regions are counted apart.
    shows_values : bool
        Whether examples have the values themselves, for nobody but who has the data; else what
        `errors.described` says of them.

    Returns
    -------
    DataFrame
        region, table, column, expected, rows, share, example (the first such row). Rows whose
        customer is not known have no region, and are a share of the whole table.
    """
    rows = [
        row
        for name, table in tables.items()
        for row in _broken_rules(name, table, by_region, shows_values)
    ]
    columns = ["region", "table", "column", "expected", "rows", "share", "example"]
    return pd.DataFrame(rows, columns=columns)


def _broken_rules(
    name: str, table: CheckedTable, by_region: bool, shows_values: bool
) -> list[dict]:
    """Describe each rule that some rows of a table break; rows without a region come last."""
    rows = table.rows if by_region else table.rows.mutate(region=ibis.null("string"))
    flags = {f"broken_{i}": rule for i, rule in enumerate(table.rules)}
    sums = {flag: rows[flag].cast("int64").sum() for flag in flags}
    counts = rows.group_by("region").agg(n=rows.count(), **sums).to_pandas()
    counts = counts.set_index(counts.pop("region").astype(object)).sort_index()  # missing: last
    counts["n"] = counts["n"].mask(counts.index.isna(), counts["n"].sum() + table.others)
    columns = TABLES[name].columns
    first = {
        flag: _first(
            rows.filter(rows[flag]),
            WRITTEN + rule.column,
            table.files,
            None if shows_values else columns[rule.column].kind,
        )
        for flag, rule in flags.items()
        if counts[flag].any()
    }
    return [
        {"region": region, "table": name, "column": rule.column, "expected": rule.expected}
        | {"rows": int(own[flag]), "share": own[flag] / own["n"], "example": first[flag][region]}
        for region, own in zip(_keys(counts.index), counts.to_dict("records"), strict=True)
        for flag, rule in flags.items()
        if own[flag]
    ]


def _first(
    broken: Table, value: str, files: tuple[str, ...], kind: str | None
) -> dict[str | None, str]:
    """Return the first row that breaks a rule, and what stands there, for each region.

    It is described as a value of a kind, or shown as it is where there is none.
    """
    own = ibis.window(group_by="region", order_by=ROW)
    placed = broken.mutate(nth=ibis.row_number().over(own))
    first = placed.filter(placed["nth"] == 0).select("region", ROW, value).to_pandas()
    texts = [
        "nothing" if pd.isna(each) else described(each, kind) if kind else repr(str(each))
        for each in first[value]
    ]
    examples = [f"{place(row, files)}: {text}" for row, text in zip(first[ROW], texts, strict=True)]
    return dict(zip(_keys(first["region"]), examples, strict=True))


def _keys(regions: pd.Index | pd.Series) -> list[str | None]:
    """Return names of regions; None for the rows that have none."""
    return [None if pd.isna(region) else region for region in regions]
