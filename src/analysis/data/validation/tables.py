"""A table that was checked: its rows, and for each rule a flag of the rows that break it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

import ibis
import pandas as pd
from ibis.expr.types import BooleanValue, Table

REST = "rest_of_row"
"""Column with a hash of what a purchase line holds beside the contract's values."""
WRITTEN = "written."
"""Prefix of the columns with the values as they were written."""
LEFT_OUT = "left_out"
"""Column that says why a row does not count although it breaks no rule; empty for most."""
EQUAL, ANONYMOUS, NETTED = "equal to an earlier row", "without a customer", "given back"
UNANSWERED, LATE = "without an answer", "after the last purchase"
MOMENTS = {"survey": "answered_on", "complaints": "opened_at", "contacts": "contacted_on"}
"""Tables beside purchases, and since when a row of them is known."""
OWN_REGION = "own_region"
"""Column with the region that a row itself names, where a customer counts in each of several."""


@dataclass(frozen=True)
class Rule:
    """What a value must be.

    Attributes
    ----------
    column, expected : str
        Column of the contract; the rule in words.
    broken : BooleanValue
        True for the rows that break it.
    """

    column: str
    expected: str
    broken: BooleanValue


ORPHAN = Rule("customer_id", "a customer of the table 'customers'", ibis.literal(False))
FOLLOWER = Rule("customer_id", "a customer whose own row is valid", ibis.literal(False))


@dataclass(frozen=True)
class CheckedTable:
    """A table in the contract's columns, with the rules that each row breaks.

    Attributes
    ----------
    rows : Table
        Columns of the contract that the source has, `ROW`, `LEFT_OUT`, for each column "written."
        and its name, and for each rule "broken_" and its number; `region`, once customers are
        known. Of purchases also `REST`, where the file holds more.
    rules : tuple of Rule
        What every row must fulfil.
    files : tuple of str
        The table's files, in the order of `ROW`.
    filtered : int
        Rows that `keep` and `drop` took out.
    unused : tuple of tuple
        Each file, or sheet, and the columns of it of which nothing is made.
    others : int
        Rows of other regions that are not among `rows`, where one region was asked for.
    """

    rows: Table
    rules: tuple[Rule, ...]
    files: tuple[str, ...] = ()
    filtered: int = 0
    unused: tuple[tuple[str, frozenset[str]], ...] = ()
    others: int = 0

    @property
    def broken(self) -> BooleanValue:
        """Whether a row breaks any rule."""
        flags = [self.rows[f"broken_{i}"] for i in range(len(self.rules))]
        return ibis.or_(*flags, ibis.literal(False))

    @property
    def good(self) -> Table:
        """The rows that break no rule, and count."""
        return self.rows.filter(~self.broken & self.rows[LEFT_OUT].isnull())

    def late(self, name: str, end: dt.date | None) -> pd.DataFrame:
        """Count the valid rows after the last day that counts, by region; `last` is the latest."""
        moment = MOMENTS.get(name)
        if end is None or moment not in self.rows.columns:
            return pd.DataFrame()
        rows = self.good.filter(ibis._[moment] >= end + dt.timedelta(days=1))
        late = rows.group_by("region").agg(rows=rows.count(), last=rows[moment].max())
        return late.to_pandas().assign(table=name, reason=LATE, end=end)

    def of_customers(self, customers: Table) -> CheckedTable:
        """Give each row the region of its customer; flag rows of unknown or rejected customers.

        Parameters
        ----------
        customers : Table
            `known_id` of all customers, and `region` of the valid ones: once for each customer,
            or for each of a customer's regions.
        """
        same = [self.rows["customer_id"] == customers["known_id"]]
        if OWN_REGION in self.rows.columns:
            same.append(self.rows[OWN_REGION] == customers["region"])
        placed = self.rows.left_join(customers, same)
        is_without = placed["region"].isnull() & placed["customer_id"].notnull()
        is_without = is_without & placed[LEFT_OUT].isnull()
        n, is_unknown = len(self.rules), placed["known_id"].isnull()
        flags = {
            f"broken_{n}": is_without & is_unknown,
            f"broken_{n + 1}": is_without & ~is_unknown,
        }
        rows = placed.mutate(**flags).drop("known_id", *({OWN_REGION} & set(placed.columns)))
        return replace(self, rows=rows, rules=(*self.rules, ORPHAN, FOLLOWER))
