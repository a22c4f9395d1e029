"""Refunds and cancellations: negative purchase lines, netted against the purchase they undo."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import ibis
import pandas as pd
from ibis.expr.types import Table

from analysis.data.contract import TABLES
from analysis.data.reading.raw import REPEAT, ROW
from analysis.data.validation.tables import LEFT_OUT, NETTED, CheckedTable

KEPT, UNDONE = "share_kept", "undone_at"
"""Columns of purchases: when something was given back, and the share that was kept from then on;
of each a list, in the order of time."""
LINE = "number_of_line"
"""Column that tells purchase lines apart."""
_CENT = 0.005
_NUMBERS = ("quantity", "amount", "cost")
_TYPES = {"row": "int64", "is_refund": "bool", KEPT: "array<float64>", UNDONE: "array<timestamp>"}


def of_nobody(table: CheckedTable) -> CheckedTable:
    """Let refunds of nobody who is known break no rule but that.

    A negative line without a customer is an anonymous sale less, and one of an unknown or rejected
    customer is set aside as such.
    """
    rows, known = table.rows, len(table.rules) - 2  # the last two rules are those of the customer
    of_none = [rows[f"broken_{known}"], rows[f"broken_{known + 1}"], rows["customer_id"].isnull()]
    is_nobody = (rows["amount"] < 0).fill_null(False) & ibis.or_(*of_none)
    flags = {each: rows[each] & ~is_nobody for each in _signs(table)}
    return replace(table, rows=rows.mutate(**flags))


def netted(table: CheckedTable) -> CheckedTable:
    """Net negative lines against earlier purchases of the same customer in the same region.

    A refund undoes the purchase of the same order (`order_id`) with the same amount, and product
    if it names one, else that order's lines in proportion; without an order, or where that has no
    purchase, the customer's latest earlier purchase of the same product and amount that no other
    refund has undone. A refund of which no purchase is found stays a line that breaks a rule, and
    so does one that breaks another rule.

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
    names += [each for each in ("product", "order_id") if each in rows.columns]
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
    lines = lines.sort_values(["bought_at", "is_back", LINE], ignore_index=True)
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
    """Share an order's refunds among its purchases, if these are as large; each from its day."""
    for _, own in lines.groupby(keys, sort=False):
        back, bought = own[own["is_back"]], own[~own["is_back"]]
        returned, total = -back["amount"].cumsum(), bought["amount"].sum()
        if not len(back) or returned.iloc[-1] > total + _CENT:
            continue
        kept = (1 - returned / total).clip(lower=0.0).tolist()
        for row in bought[LINE]:
            yield row, False, kept, back["bought_at"].tolist()
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
