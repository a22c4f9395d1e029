"""What does not count although it breaks no rule, and how much of it there is."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import ibis
import pandas as pd

from analysis.data.contract import ITEMS
from analysis.data.errors import DataError
from analysis.data.validation.refunds import KEPT, Refunds
from analysis.data.validation.tables import (
    ANONYMOUS,
    EMPTY,
    EQUAL,
    LATE,
    LEFT_OUT,
    NETTED,
    OF_DROPPED,
    REFUND,
    UNANSWERED,
    UNFOUND,
)
from analysis.language import Verbatim, money, text

if TYPE_CHECKING:
    from ibis.expr.types import Table, Value

    from analysis.data.dataset import Dataset
    from analysis.data.mapping.source import Source
    from analysis.data.region import Region

FILTERED = "not kept"
"""Reason of rows that `keep` and `drop` take out."""


def refunds(dataset: Dataset) -> pd.DataFrame:
    """Add up the lines with a negative amount of known customers.

    Returns
    -------
    DataFrame
        region, day (missing where it is not known), lines, amount (source currency, without
        the sign).
    """
    if "transactions" not in dataset.tables:
        return pd.DataFrame(columns=["region", "day", "lines", "amount"])
    rows = dataset.tables["transactions"].rows
    is_open = rows[LEFT_OUT].isnull() | (rows[LEFT_OUT] == REFUND)
    rows = rows.filter((rows["amount"] < 0) & is_open & rows["region"].notnull())
    days = rows.group_by("region", day=rows["bought_at"].truncate("D"))
    return days.agg(lines=rows.count(), amount=-rows["amount"].sum()).to_pandas()


def refunds_by_region(dataset: Dataset) -> dict[str, Refunds]:
    """Return the refunds of each region that has some."""
    sums = refunds(dataset).groupby("region")[["lines", "amount"]].sum()
    if sums.empty:
        return {}
    rows = dataset.tables["transactions"].good
    sales = rows.group_by("region").agg(sales=_kept_amount(rows).sum()).to_pandas()
    sums = sums.join(sales.set_index("region")).fillna({"sales": 0.0})
    return {row.Index: Refunds.of(row.lines, row.amount, row.sales) for row in sums.itertuples()}


def _kept_amount(lines: Table) -> Value:
    """Return the amounts of purchases without what was given back."""
    return lines["amount"] * (lines[KEPT][-1].fill_null(1.0) if KEPT in lines.columns else 1.0)


def refunds_until(
    of_source: pd.DataFrame, region: str, end: dt.date | None, sales: float
) -> Refunds:
    """Return a region's refunds until the last day that counts.

    Parameters
    ----------
    of_source : DataFrame
        As from `refunds`.
    region : str
        The region.
    end : date or None
        The last day; None where no day was asked for: refunds after the last purchase count, too.
    sales : float
        Sales until then.
    """
    own = of_source[of_source["region"] == region]
    if end is not None:
        own = own[~(own["day"] > pd.Timestamp(end))]
    return Refunds.of(own["lines"].sum(), own["amount"].sum(), 0.0 if pd.isna(sales) else sales)


def left_out(dataset: Dataset) -> pd.DataFrame:
    """Count the rows that do not count although they break no rule.

    Returns
    -------
    DataFrame
        table, region (missing where a row has none), reason, rows, amount (of purchases, source
        currency), share (of anonymous sales: of all sales);
        end (last day that counts) and last (latest moment of any row), of what lies after it;
        file (that has no rows, or whose rows find nothing), and of these rows other (the file that
        is joined), key, all (rows of the file) and numeric (those found by numbers).
    """
    names = "table region reason rows amount share end last file other key all numeric"
    end = dataset.end
    found = [pd.DataFrame(columns=names.split())]
    for name, table in dataset.tables.items():
        is_out = table.rows[LEFT_OUT].notnull() & (table.rows[LEFT_OUT] != REFUND)
        rows = table.rows.filter(is_out)
        amount = ibis.null("float64")
        if "amount" in rows.columns:  # anonymous sales are net of what was given back
            is_net = rows[LEFT_OUT] == ANONYMOUS
            amount = ibis.ifelse(is_net, rows["amount"], rows["amount"].abs()).sum()
        counts = rows.group_by("region", reason=LEFT_OUT).agg(rows=rows.count(), amount=amount)
        found.append(counts.to_pandas().assign(table=name))
        if table.filtered:
            filtered = {"table": name, "reason": FILTERED, "rows": table.filtered}
            found.append(pd.DataFrame([filtered]))
        found.append(table.late(name, end))
        found.append(pd.DataFrame(table.unfound).assign(table=name, reason=UNFOUND))
        found.append(pd.DataFrame({"file": table.empty}).assign(table=name, reason=EMPTY, rows=1))
    every = pd.concat([each for each in found if len(each)] or found, ignore_index=True)
    every = every.reindex(columns=found[0].columns)
    every["last"] = every["last"].max()
    is_anonymous = every["reason"] == ANONYMOUS
    if is_anonymous.any():
        sales = _kept_amount(dataset.tables["transactions"].good).sum().execute()
        own = every.loc[is_anonymous, "amount"].astype(float)
        sales = 0.0 if pd.isna(sales) else sales
        every.loc[is_anonymous, "share"] = own / (own.sum() + sales)
    return every.sort_values(["table", "reason", "region"], ignore_index=True)


def left_out_sentences(rows: pd.DataFrame, currency: str) -> list[str]:
    """Say what does not count.

    Parameters
    ----------
    rows : DataFrame
        As from `left_out`, of one region or of a source.
    currency : str
        Code of the currency.
    """
    sentences = []
    for row in rows.itertuples():
        amount = money(row.amount, currency)
        if row.reason == EQUAL:
            sentence = text(
                "{n:,} row of customers is equal to an earlier one, and counts once with it",
                "{n:,} rows of customers are equal to earlier ones, and count once with these",
                n=row.rows,
            )
        elif row.reason == ANONYMOUS:
            sentence = text(
                "{n:,} purchase line has no customer: {amount}, {share:.1f}% of all sales; it "
                "belongs to no region",
                "{n:,} purchase lines have no customer: {amount}, {share:.1f}% of all sales; they "
                "belong to no region",
                **{"n": row.rows, "amount": amount, "share": 100 * row.share},
            )
        elif row.reason == UNANSWERED:
            sentence = text(
                "{n:,} row of the survey has no answer, and is none",
                "{n:,} rows of the survey have no answer, and are none",
                n=row.rows,
            )
        elif row.reason == LATE:
            sentence = text(
                "{n:,} row of {table} lies after the last purchase of {end}; as_of = {last} would "
                "count it",
                "{n:,} rows of {table} lie after the last purchase of {end}; as_of = {last} would "
                "count them",
                **{"n": row.rows, "table": row.table, "end": row.end, "last": row.last.date()},
            )
        elif row.reason == UNFOUND:
            sentence = text(
                "{n:,} of {all:,} rows of {file} finds nothing in {other}, joined by {key}",
                "{n:,} of {all:,} rows of {file} find nothing in {other}, joined by {key}",
                **{"n": int(row.rows), "all": int(row.all), "file": Verbatim(row.file)},
                **{"other": Verbatim(row.other), "key": Verbatim(row.key)},
            )
            if row.numeric:
                sentence += text(
                    "; {n:,} stands there, written otherwise: {line}",
                    "; {n:,} stand there, written otherwise: {line}",
                    n=int(row.numeric),
                    line=Verbatim("joins = [{ ..., numeric = true }]"),
                )
        elif row.reason == OF_DROPPED:
            sentence = text(
                "{n:,} row of the table {table!r} is of a customer whom keep and drop leave out",
                "{n:,} rows of the table {table!r} are of customers whom keep and drop leave out",
                **{"n": row.rows, "table": row.table},
            )
        elif row.reason == EMPTY:
            sentence = text("{file} has no rows, and adds none", file=Verbatim(row.file))
        elif row.reason == NETTED:
            sentence = text(
                "{n:,} refund line, {amount}, is netted against the purchase that it undoes",
                "{n:,} refund lines, {amount}, are netted against the purchases that they undo",
                **{"n": row.rows, "amount": amount},
            )
        else:
            sentence = text(
                "{n:,} row of the table {table!r} is left out by keep and drop",
                "{n:,} rows of the table {table!r} are left out by keep and drop",
                **{"n": row.rows, "table": row.table},
            )
        sentences.append(sentence)
    return sentences


def sentences(here: Region) -> list[str]:
    """Say all that does not count in a region although it breaks no rule, and its refunds."""
    currency = here.source.currency
    said = left_out_sentences(here.left_out, currency)
    said += [here.refunds.sentence(currency)] if here.refunds.lines else []
    if here.repeated_answers:
        said.append(repeated_sentence(here.repeated_answers))
    return said


def repeated_answers(dataset: Dataset) -> dict[str, int]:
    """Count, by region, the answers beside which the same customer gave another on that day."""
    if "survey" not in dataset.tables or "answered_on" not in dataset.tables["survey"].rows.columns:
        return {}
    rows = dataset.tables["survey"].good.filter(ibis._["answered_on"].notnull())
    days = rows.group_by("region", "customer_id", day=rows["answered_on"].date())
    days = days.agg(others=rows.count() - 1).filter(ibis._.others > 0)
    sums = days.group_by("region").agg(others=ibis._["others"].sum()).to_pandas()
    return {row.region: int(row.others) for row in sums.itertuples()}


def repeated_sentence(answers: int) -> str:
    """Say how many answers do not count, since the same customer gave another on that day."""
    return text(
        "{n:,} answer is left out: the same customer gave one with more ratings, or a later one "
        "with as many, on that day",
        "{n:,} answers are left out: the same customer gave one with more ratings, or a later one "
        "with as many, on that day",
        n=answers,
    )


def one_a_day(survey: pd.DataFrame) -> pd.DataFrame:
    """Return one answer for each customer and day: that with most ratings, then the latest.

    Who breaks off and starts again leaves two answers of one day. What comes with an answer, such
    as its channel, makes it no more complete. Undated answers all stay.

    Parameters
    ----------
    survey : DataFrame
        Columns of the contract, in the order of the file.

    Returns
    -------
    DataFrame
        By customer_id; of one customer's, what counts before the others comes last.
    """
    day = survey["answered_on"].dt.normalize()
    ratings = survey[[name for name in ITEMS if name in survey]].notna().sum(axis=1)
    ratings = ratings.mask(survey.get("weight", ratings + 1) == 0, -1)
    order = survey.assign(day=day, ratings=ratings).sort_values(
        ["customer_id", "day", "ratings", "answered_on"], kind="stable", na_position="first"
    )
    is_older = order.duplicated(["customer_id", "day"], keep="last") & order["day"].notna()
    return order.loc[~is_older, survey.columns].reset_index(drop=True)


def weighed(answers: pd.DataFrame, source: Source, region: str) -> pd.DataFrame:
    """Return the answers that stand for somebody, or refuse weights that some or all lack."""
    without = int(answers["weight"].isna().sum())
    if without == len(answers):
        return answers
    file = source.tables["survey"].file
    if without:
        raise DataError(
            f"{file}: {without:,} of {len(answers):,} answers of {region} are from files without "
            "the column weight; expected a weight in every file of the survey, or in none: weight "
            "= { value = 1 } for answers that stand for one customer each."
        )
    if not answers["weight"].any():
        raise DataError(
            f"{file}: weight is 0 in all {len(answers):,} answers of {region}; expected how many "
            "customers each answer stands for, above 0 in some."
        )
    return answers[answers["weight"] > 0].reset_index(drop=True)
