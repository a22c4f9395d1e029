"""The words of `workbook check`, for the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from analysis.data.dataset import Dataset
from analysis.data.errors import counted
from analysis.data.suspicions.source import suspicions
from workbook.checking import claims, problems
from workbook.checking.scales import other_scales
from workbook.console import styled

MOST_COLUMNS = 15
"""Columns to supply with a line each, those that most claims need first; others are named."""


def check(dataset: Dataset, console: Console, shows_values: bool = False) -> bool:
    """Print all that is known of a source before it is run; tell whether it breaks no rule.

    Values that break a rule are described, or shown as they are.
    """
    is_whole = problems.show(dataset, console, shows_values)
    for sentence in (*suspicions(dataset, shows_values), *other_scales(dataset)):
        console.print(styled("Look:", "yellow", sentence), soft_wrap=True)
    for sentence in problems.unused(dataset, shows_values):
        console.print(f"{sentence}.", soft_wrap=True)
    use = claims.use_of(dataset)
    for region, sentence in use.reversed.items():
        said = f"{region}: {sentence}. If 1 is the best answer: reverse = true."
        console.print(styled("Look:", "yellow", said), soft_wrap=True)
    for region, why in use.stopped.items():
        console.print(styled(f"{region} would be stopped:", "red", why), soft_wrap=True)
    _show_claims(use, console)
    return is_whole


def _show_claims(use: claims.Use, console: Console) -> None:
    """Print which claims the data can test, and which columns would make others testable."""
    if not use.regions:
        return
    everywhere = [key for key, n in use.testable.items() if n == use.regions]
    console.print(
        f"{len(everywhere)} of {counted(len(use.testable), 'claim')} have their tables, columns "
        f"and days in {'every region' if use.regions > 1 else 'the region'}"
        + (f": {', '.join(everywhere)}." if everywhere else "."),
        soft_wrap=True,
    )
    why = use.lacking[use.lacking["column"] == ""].groupby("claim")
    for claim, row in why.agg(regions=("regions", "sum"), why=("why", "first")).iterrows():
        where = f" ({counted(row['regions'], 'region')})" if use.regions > 1 else ""
        console.print(f"{claim}{where}: {row['why']}", soft_wrap=True)
    columns = claims.columns_to_supply(use.lacking)
    if columns.empty:
        return
    console.print("To make more claims testable, supply (a line for the TOML file each):")
    table = Table("for the claims", "line", box=None, pad_edge=False)
    for row in columns.head(MOST_COLUMNS).itertuples():
        table.add_row(", ".join(row.claims), row.example)
    console.print(table)
    rest = columns["column"][MOST_COLUMNS:]
    if len(rest):
        console.print(f"And {len(rest)} more: {', '.join(rest)}.", soft_wrap=True)
