"""Refunds and cancellations: negative purchase lines, netted against the purchase they undo."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import ibis
import numpy as np
import pandas as pd
from ibis.expr.types import Table

from analysis.data.contract import TABLES
from analysis.data.reading.raw import REPEAT, ROW
from analysis.data.validation.tables import (
    IN_UTC,
    LEFT_OUT,
    NETTED,
    OF_CUSTOMER,
    REFUND,
    CheckedTable,
)
from analysis.language import money, text

KEPT, UNDONE = "share_kept", "undone_at"
"""Columns of purchases: when something was given back, and the share that was kept from then on;
of each a list, in the order of time."""
LINE = "number_of_line"
"""Column that tells purchase lines apart."""
_IN_UTC = f"{IN_UTC}bought_at"
_CENT = 0.005
_NUMBERS = ("quantity", "amount", "cost")
_TYPES = {"row": "int64", "is_refund": "bool", KEPT: "array<float64>", UNDONE: "array<timestamp>"}


@dataclass(frozen=True)
class Refunds:
    """Lines with a negative amount: they are rejected, and the purchases they undo stay in.

    Attributes
    ----------
    lines : int
        Their number.
    amount, sales : float
        Their sum without its sign; that of all valid lines (source currency).
    share : float
        Amount as a share of sales; 1 where nothing was sold.
    """

    lines: int = 0
    amount: float = 0.0
    sales: float = 0.0
    share: float = 0.0

    @classmethod
    def of(cls, lines: int, amount: float, sales: float) -> Refunds:
        """Return refunds with their share of sales."""
        share = amount / sales if sales > 0 else float(amount > 0)
        return cls(int(lines), float(amount), float(sales), float(share))

    def sentence(self, currency: str) -> str:
        """Say how many refunds are excluded, and how much of sales that affects."""
        if self.sales <= 0:
            return text(
                "{n:,} refund line is excluded: {amount}; there are no sales that it could belong "
                "to",
                "{n:,} refund lines are excluded: {amount}; there are no sales that they could "
                "belong to",
                n=self.lines,
                amount=money(self.amount, currency),
            )
        return text(
            "{n:,} refund line is excluded: {amount:amount} of {sales}, {share:.1f}% of sales; the "
            "purchase it belongs to stays in",
            "{n:,} refund lines are excluded: {amount:amount} of {sales}, {share:.1f}% of sales; "
            "the purchases they belong to stay in",
            n=self.lines,
            amount=self.amount,
            sales=money(self.sales, currency),
            share=100 * self.share,
        )


def of_nobody(table: CheckedTable) -> CheckedTable:
    """Let refunds of nobody who is known break no rule but that.

    A negative line without a customer is an anonymous sale less, and one of an unknown or rejected
    customer is set aside as such.
    """
    rows, known = table.rows, len(table.rules) - len(OF_CUSTOMER)  # the last rules
    of_none = [rows[f"broken_{i}"] for i in range(known, len(table.rules))]
    of_none.append(rows["customer_id"].isnull())
    is_nobody = (rows["amount"] < 0).fill_null(False) & ibis.or_(*of_none)
    flags = {each: rows[each] & ~is_nobody for each in _signs(table)}
    return replace(table, rows=rows.mutate(**flags))


def left_out(table: CheckedTable) -> CheckedTable:
    """Leave out the negative lines that break no other rule, as it was asked for."""
    rows, signs = table.rows, _signs(table)
    others = [rows[f"broken_{i}"] for i in range(len(table.rules)) if f"broken_{i}" not in signs]
    is_refund = (rows["amount"] < 0).fill_null(False) & rows[LEFT_OUT].isnull()
    is_refund = is_refund & ~ibis.or_(*others, ibis.literal(False))
    flags = {each: rows[each] & ~is_refund for each in signs}
    rows = rows.mutate(**flags, **{LEFT_OUT: ibis.ifelse(is_refund, REFUND, rows[LEFT_OUT])})
    return replace(table, rows=rows)


def netted(table: CheckedTable) -> CheckedTable:
    """Net negative lines against earlier purchases of the same customer in the same region.

    A refund undoes the purchase of the same order (`order_id`) with the same amount, and product if
    it names one, else that order's lines in proportion, those of a product that it names first;
    without an order, or where that has no purchase, the customer's latest earlier purchase of the
    same product and amount that no other refund has undone. A refund of which no purchase is found
    stays a line that breaks a rule, and so does one that breaks another rule.

    Parameters
    ----------
    table : CheckedTable
        The purchases, stored.

    Returns
    -------
    CheckedTable
        With `KEPT` and `UNDONE` where something was netted; the refunds are left out.
    """
    rows, signs = table.rows, _signs(table)
    if REPEAT in rows.columns:  # a row that stands for several is several lines
        order = [rows[ROW], rows[REPEAT].fill_null(0)]
        rows = rows.mutate(**{LINE: ibis.row_number().over(order_by=order)})
    else:
        rows = rows.mutate(**{LINE: rows[ROW]})
    names = ["customer_id", "region", "bought_at", "amount", LINE]
    names += [each for each in ("product", "order_id", _IN_UTC) if each in rows.columns]
    known = rows["customer_id"].notnull() & rows["bought_at"].notnull()
    others = [rows[f"broken_{i}"] for i in range(len(table.rules)) if f"broken_{i}" not in signs]
    valid = known & ~ibis.or_(*others, ibis.literal(False))
    back = rows.filter(valid & (rows["amount"] < 0)).select(names).to_pandas()
    if back.empty:
        return table
    found = matched(back, _candidates(rows.filter(known & (rows["amount"] > 0)), back, names))
    if found.empty:
        return table
    netting = ibis.memtable(found, schema=ibis.schema(_TYPES))
    joined = rows.left_join(netting, rows[LINE] == netting["row"])
    is_refund = joined["is_refund"].fill_null(False)
    flags = {each: joined[each] & ~is_refund for each in signs}
    left_out = ibis.ifelse(is_refund, NETTED, joined[LEFT_OUT])
    joined = joined.mutate(**flags, **{LEFT_OUT: left_out}).drop("row", "is_refund", LINE)
    return replace(table, rows=joined)


def matched(back: pd.DataFrame, bought: pd.DataFrame) -> pd.DataFrame:
    """Match refunds to purchases.

    Parameters
    ----------
    back, bought : DataFrame
        Lines with a negative and with a positive amount: customer_id, region, bought_at, amount,
        `LINE`, and where they are known product and order_id.

    Returns
    -------
    DataFrame
        row (as `LINE`), is_refund; of purchases `KEPT` (from 0 to 1) and `UNDONE`.
    """
    lines = pd.concat([bought, back])
    lines = lines.assign(is_back=lines["amount"] < 0)  # of one moment, purchases come first
    is_known = _IN_UTC in lines and lines[_IN_UTC].notna().all()
    moment = _IN_UTC if is_known else "bought_at"  # a clock shows an hour twice
    lines = lines.sort_values([moment, "is_back", LINE], ignore_index=True)
    lines["cents"] = (lines["amount"].abs() / (2 * _CENT)).round()
    for name in ("product", "order_id"):
        lines[name] = lines[name].astype("str").fillna("") if name in lines else ""
    person, has_order = ["customer_id", "region"], lines["order_id"] != ""
    order, is_back = [*person, "order_id"], lines["is_back"]
    has_purchase = has_order & (lines.groupby(order)["amount"].transform("max") > 0)
    steps = (
        (has_order, lambda own: _same_amount(own, [*order, "product", "cents"])),
        (
            has_order & (~is_back | (lines["product"] == "")),
            lambda own: _same_amount(own, [*order, "cents"]),
        ),
        (has_order, lambda own: _in_proportion(own, order)),
        (~is_back | ~has_purchase, lambda own: _same_amount(own, [*person, "product", "cents"])),
    )
    found: list[tuple] = []
    for takes_part, match in steps:
        is_done = lines[LINE].isin([row for row, *_ in found])
        found += match(lines[takes_part & ~is_done])
    return pd.DataFrame(found, columns=list(_TYPES))


def _signs(table: CheckedTable) -> list[str]:
    """Return the flags of the rules that numbers are not negative."""
    columns = TABLES["transactions"].columns
    return [
        f"broken_{i}"
        for i, rule in enumerate(table.rules)
        if rule.column in _NUMBERS and rule.expected.startswith(str(columns[rule.column].rule))
    ]


def _same_amount(lines: pd.DataFrame, keys: list[str]) -> Iterator[tuple]:
    """Pair each refund with the latest earlier purchase that is alike in these columns."""
    for _, own in lines.groupby(keys, sort=False):
        open_rows: list[int] = []
        for line in own.itertuples():
            row = getattr(line, LINE)
            if line.amount > 0:
                open_rows.append(row)
            elif open_rows:
                yield open_rows.pop(), False, [0.0], [line.bought_at]
                yield row, True, None, None


def _in_proportion(lines: pd.DataFrame, keys: list[str]) -> Iterator[tuple]:
    """Share an order's refunds among its purchases, if these are as large; each from its day.

    A refund that names a product is taken off the purchases of that product first.
    """
    for _, own in lines.groupby(keys, sort=False):
        back, bought = own[own["is_back"]], own[~own["is_back"]]
        amounts, kept = bought["amount"].to_numpy(float), []
        if not len(back) or -back["amount"].sum() > amounts.sum() + _CENT:
            continue
        left = amounts.copy()
        for line in back.itertuples():
            due = -line.amount
            is_named = (bought["product"] == (line.product or None)).to_numpy()
            for pool in (is_named, left > 0):
                off = min(due, left[pool].sum())
                left[pool] *= 1 - off / left[pool].sum() if off > 0 else 1.0
                due -= off
            kept.append(left / amounts)
        for row, shares in zip(bought[LINE], np.transpose(kept).tolist(), strict=True):
            yield row, False, shares, back["bought_at"].tolist()
        for row in back[LINE]:
            yield row, True, None, None


def _candidates(bought: Table, back: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Return the purchases of which a refund has the customer and the amount, or the order."""
    cents = (bought["amount"] / (2 * _CENT)).round()
    keys = back.assign(cents=(back["amount"].abs() / (2 * _CENT)).round())
    keys = ibis.memtable(keys[["customer_id", "cents"]].drop_duplicates())
    found = bought.mutate(cents=cents).semi_join(keys, ["customer_id", "cents"]).select(names)
    if "order_id" not in names:
        return found.to_pandas()
    orders = back[["customer_id", "order_id"]].dropna().drop_duplicates()
    if orders.empty:
        return found.to_pandas()
    same = bought.semi_join(ibis.memtable(orders), ["customer_id", "order_id"]).select(names)
    return pd.concat([found.to_pandas(), same.to_pandas()]).drop_duplicates(LINE)
