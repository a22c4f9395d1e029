"""A table that was checked: its rows, and for each rule a flag of the rows that break it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

import ibis
import pandas as pd
from ibis.expr.types import BooleanValue, StringValue, Table

REST = "rest_of_row"
"""Column with a hash of what a purchase line holds beside the contract's values."""
WRITTEN = "written."
"""Prefix of the columns with the values as they were written."""
IN_UTC = "in_utc."
"""Prefix of the columns with the moments of another that have a zone, in UTC: what came first."""
LEFT_OUT = "left_out"
"""Column that says why a row does not count although it breaks no rule; empty for most."""
EQUAL, ANONYMOUS, NETTED = "equal to an earlier row", "without a customer", "given back"
UNANSWERED, LATE = "without an answer", "after the last purchase"
REFUND, UNFOUND, EMPTY = "refund", "not in a joined file", "file without rows"
OF_DROPPED = "of a customer not kept"
MOMENTS = {"survey": "answered_on", "complaints": "opened_at", "contacts": "contacted_on"}
MOMENTS |= {"assignments": "assigned_on"}
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
ELSEWHERE = Rule(
    "customer_id",
    "a customer whom the table 'customers' has in the region of this row",
    ibis.literal(False),
)
OF_CUSTOMER = (ORPHAN, FOLLOWER, ELSEWHERE)
"""Rules on the customer of a row, the last ones of a table beside customers."""
NO_CASE = Rule("unit", "a case of the table 'complaints'", ibis.literal(False))


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
    unfound : tuple of dict
        Of each joined file that some rows find nothing in: file, other, key, rows, all, numeric.
    empty : tuple of str
        Files without rows, beside others that have some.
    dropped : Table or None
        Of customers: the `customer_id` of rows that `keep` and `drop` took out.
    """

    rows: Table
    rules: tuple[Rule, ...]
    files: tuple[str, ...] = ()
    filtered: int = 0
    unused: tuple[tuple[str, frozenset[str]], ...] = ()
    others: int = 0
    unfound: tuple[dict[str, object], ...] = ()
    empty: tuple[str, ...] = ()
    dropped: Table | None = None

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
            or for each of a customer's regions; `is_dropped` of those who were not kept, whose
            rows break no rule and do not count.
        """
        people = customers.group_by("known_id").agg(
            is_valid=customers["region"].notnull().any(), is_dropped=customers["is_dropped"].any()
        )
        rows = self.rows.left_join(people, self.rows["customer_id"] == people["known_id"])
        is_dropped = rows["is_dropped"].fill_null(False)
        flags = [f"broken_{i}" for i in range(len(self.rules))]
        rows = rows.mutate(
            **{LEFT_OUT: ibis.ifelse(is_dropped, OF_DROPPED, rows[LEFT_OUT])},
            **{flag: rows[flag] & ~is_dropped for flag in flags},
        ).drop("known_id", "is_dropped")
        customers = customers.drop("is_dropped")
        same = [rows["customer_id"] == customers["known_id"]]
        if OWN_REGION in rows.columns:
            same.append(rows[OWN_REGION] == customers["region"])
        rows = rows.left_join(customers, same)
        is_without = rows["region"].isnull() & rows["customer_id"].notnull()
        is_without = is_without & rows[LEFT_OUT].isnull()
        is_valid = rows["is_valid"]
        broken = (is_valid.isnull(), ~is_valid.fill_null(True), is_valid.fill_null(False))
        flags = {
            f"broken_{i}": is_without & each for i, each in enumerate(broken, start=len(self.rules))
        }
        drop = {"known_id", "is_valid", OWN_REGION} & set(rows.columns)
        rows = rows.mutate(**flags).drop(*drop)
        column = "unit" if "unit" in rows.columns else "customer_id"
        own = (replace(each, column=column) for each in OF_CUSTOMER)
        return replace(self, rows=rows, rules=(*self.rules, *own))

    def of_units(self, cases: Table | None) -> CheckedTable:
        """Give each assignment the customer of its unit; flag cases that are unknown.

        Parameters
        ----------
        cases : Table, optional
            The table complaints, with `complaint_id` and `customer_id`.
        """
        rows = self.rows
        kind = kind_of_unit(rows)
        is_case = kind == "complaint"
        if cases is None or "complaint_id" not in cases.columns:
            whose, found = ibis.null("string"), ibis.literal(False)
        else:
            known = cases.filter(cases["complaint_id"].notnull()).group_by(case="complaint_id")
            known = known.agg(of_case=cases["customer_id"].min())
            rows = rows.left_join(known, rows["unit"] == known["case"])
            whose, found = rows["of_case"], rows["case"].notnull()
        rows = rows.mutate(
            customer_id=ibis.cases((is_case, whose), (kind == "customer", rows["unit"])),
            **{f"broken_{len(self.rules)}": is_case & ~found & rows["unit"].notnull()},
        )
        rows = rows.drop(*({"case", "of_case"} & set(rows.columns)))
        return replace(self, rows=rows, rules=(*self.rules, NO_CASE))


def kind_of_unit(rows: Table) -> StringValue:
    """Return what each unit of assignments is: "customer", or "complaint"."""
    if "unit_is" not in rows.columns:
        return ibis.literal("customer")
    return rows["unit_is"].fill_null("customer")
