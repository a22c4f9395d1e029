"""What in a source breaks the data contract, for the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from analysis.data import exclusions
from analysis.data.dataset import Dataset, problems
from analysis.data.errors import counted, listed
from analysis.data.reading import names
from analysis.data.validation.shown import described


def show(dataset: Dataset, console: Console, shows_values: bool = False) -> bool:
    """Print each region, what is left out of it, and all problems; tell whether there is none.

    Values that break a rule are described, or shown as they are.
    """
    found = problems(dataset, shows_values)
    refunds, repeated = exclusions.refunds_by_region(dataset), exclusions.repeated_answers(dataset)
    currency, left_out = dataset.source.currency, exclusions.left_out(dataset)
    of_none = left_out[left_out["region"].isna()]
    for sentence in exclusions.left_out_sentences(of_none, currency):
        console.print(f"{sentence}.", soft_wrap=True)
    for row in dataset.regions().itertuples():
        said = [counted(row.customers, "customer")]
        if row.region in refunds:
            said.append(refunds[row.region].sentence(currency))
        own = left_out[left_out["region"] == row.region]
        said += exclusions.left_out_sentences(own, currency)
        if row.region in repeated:
            said.append(exclusions.repeated_sentence(repeated[row.region]))
        for sentence in said:
            console.print(f"{row.region}: {sentence}", soft_wrap=True)
    if found.empty:
        console.print("Every table and every row keeps the contract.")
        return True
    table = Table("file", "column", "rows", "where", "expected", box=None, pad_edge=False)
    for row in found.itertuples():
        where = ["", "", "whole table"]
        if row.rows == row.rows:  # a number
            where = [row.column, f"{row.rows:,.0f} ({row.share:.1%})", row.example]
        table.add_row(row.file, *where, row.expected)
    console.print(table)
    return False


def unused(dataset: Dataset, shows_values: bool = False) -> Iterator[str]:
    """Yield the columns of each file of which no table makes anything, once for files alike.

    Of a file that seems to have no header, whose first row is a row of data, they are described.
    """
    left: dict[str, frozenset[str]] = {}
    for table in dataset.tables.values():
        for label, columns in table.unused:
            left[label] = left.get(label, columns) & columns
    for columns in dict.fromkeys(each for each in left.values() if each):
        files = [label for label, own in left.items() if own == columns]
        is_data = names.look_like_data(columns) and not shows_values
        shown = sorted(map(described, columns) if is_data else columns)
        yield f"{listed(files, 80)}: columns not used: {listed(shown)}"


def warnings(dataset: Dataset) -> list[str]:
    """Point to the rows that are excluded, and to tables that can't be read."""
    said = [f"Table {name} can't be read: {text}" for name, text in dataset.problems.items()]
    rows = int(problems(dataset)["rows"].fillna(0).sum())
    if rows:
        verb = "row is" if rows == 1 else "rows are"
        said.append(
            f"{counted(rows, 'rule violation')}; the {verb} excluded: "
            f"workbook check {dataset.source.name}"
        )
    return said
