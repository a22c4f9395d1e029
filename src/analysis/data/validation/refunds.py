"""Refunds and cancellations: negative purchase lines, netted against the purchase they undo."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import ibis
import pandas as pd
from ibis.expr.types import Table

from analysis.data.reading.raw import REPEAT, ROW
from analysis.data.validation.tables import LEFT_OUT, NETTED, CheckedTable

KEPT, UNDONE = "share_kept", "undone_at"
"""Columns of purchases: the share that was not given back, and when the rest was."""
LINE = "number_of_line"
"""Column that tells purchase lines apart."""
_CENT = 0.005


def netted(table: CheckedTable) -> CheckedTable:
    """Net negative lines against earlier purchases of the same customer.

    A refund undoes the purchase of the same order (`order_id`) with the same amount, else that
    order's lines in proportion; without an order, the customer's latest earlier purchase of the
    same product and amount that no other refund has undone. A refund of which no purchase is
    found stays a line that breaks a rule.

    Parameters
    ----------
    table : CheckedTable
        The purchases, stored.

    Returns
    -------
    CheckedTable
        With `KEPT` and `UNDONE` where something was netted; the refunds are left out.
    """
    rows = table.rows
    if REPEAT in rows.columns:  # a row that stands for several is several lines
        order = [rows[ROW], rows[REPEAT].fill_null(0)]
        rows = rows.mutate(**{LINE: ibis.row_number().over(order_by=order)})
    else:
        rows = rows.mutate(**{LINE: rows[ROW]})
    names = ["customer_id", "bought_at", "amount", LINE]
    names += [each for each in ("product", "order_id") if each in rows.columns]
    known = rows["customer_id"].notnull() & rows["bought_at"].notnull()
    back = rows.filter(known & (rows["amount"] < 0)).select(names).to_pandas()
    if back.empty:
        return table
    found = matched(back, _candidates(rows.filter(known & (rows["amount"] > 0)), back, names))
    if found.empty:
        return table
    netting = ibis.memtable(found)
    joined = rows.left_join(netting, rows[LINE] == netting["row"])
    is_refund = joined["is_refund"].fill_null(False)
    flags = {f"broken_{i}": joined[f"broken_{i}"] & ~is_refund for i in range(len(table.rules))}
    left_out = ibis.ifelse(is_refund, NETTED, joined[LEFT_OUT])
    joined = joined.mutate(**flags, **{LEFT_OUT: left_out}).drop("row", "is_refund", LINE)
    return replace(table, rows=joined)


def matched(back: pd.DataFrame, bought: pd.DataFrame) -> pd.DataFrame:
    """Match refunds to purchases.

    Parameters
    ----------
    back, bought : DataFrame
        Lines with a negative and with a positive amount: customer_id, bought_at, amount, `LINE`,
        and where they are known product and order_id.

    Returns
    -------
    DataFrame
        row (as `LINE`), is_refund, `KEPT` (of purchases, from 0 to 1), `UNDONE`.
    """
    lines = pd.concat([bought, back])
    lines = lines.assign(is_back=lines["amount"] < 0)  # of one moment, purchases come first
    lines = lines.sort_values(["bought_at", "is_back", LINE], ignore_index=True)
    lines["cents"] = (lines["amount"].abs() / (2 * _CENT)).round()
    for name in ("product", "order_id"):
        lines[name] = lines[name].astype("str").fillna("") if name in lines else ""
    pairs = []
    has_order = lines["order_id"] != ""
    pairs += _same_amount(lines[has_order], ["customer_id", "order_id", "product", "cents"])
    found = pd.DataFrame(pairs, columns=["row", "is_refund", KEPT, UNDONE])
    rest = lines[has_order & ~lines[LINE].isin(found["row"])]
    orders = list(_in_proportion(rest))
    found = pd.concat([found, pd.DataFrame(orders, columns=found.columns)]) if orders else found
    rest = lines[~lines[LINE].isin(found["row"])]
    alone = _same_amount(rest, ["customer_id", "product", "cents"])
    found = pd.concat([found, pd.DataFrame(alone, columns=found.columns)]) if alone else found
    return found.astype({"row": "int64", "is_refund": bool, KEPT: float, UNDONE: "datetime64[us]"})


def _same_amount(lines: pd.DataFrame, keys: list[str]) -> list[tuple]:
    """Pair each refund with the latest earlier purchase that is alike in these columns."""
    pairs = []
    for _, own in lines.groupby(keys, sort=False):
        open_rows: list[int] = []
        for line in own.itertuples():
            row = getattr(line, LINE)
            if line.amount > 0:
                open_rows.append(row)
            elif open_rows:
                pairs.append((open_rows.pop(), False, 0.0, line.bought_at))
                pairs.append((row, True, float("nan"), pd.NaT))
    return pairs


def _in_proportion(lines: pd.DataFrame) -> Iterator[tuple]:
    """Share an order's refunds among its purchases, if these are as large."""
    for _, own in lines.groupby(["customer_id", "order_id"], sort=False):
        back, bought = own[own["amount"] < 0], own[own["amount"] > 0]
        returned, total = -back["amount"].sum(), bought["amount"].sum()
        if not len(back) or returned > total + _CENT:
            continue
        for row in bought[LINE]:
            yield row, False, max(1 - returned / total, 0.0), back["bought_at"].max()
        for row in back[LINE]:
            yield row, True, float("nan"), pd.NaT


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
