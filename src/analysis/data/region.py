"""One region's validated data."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

import ibis
import pandas as pd
from ibis.expr.types import Table

from analysis.data import cache, sources
from analysis.data.contract import ITEMS, TABLES
from analysis.data.dataset import (
    FOLLOWER,
    ORPHAN,
    Dataset,
    Refunds,
    Validated,
    open_source,
    validate,
)
from analysis.data.errors import DataError, nearest
from analysis.data.mapping import Source
from analysis.data.readers import ROW
from analysis.data.validation import REST, kind_of

MAX_SILENCE = 60
"""Days without any purchase before the end, after which nothing about a year can be said."""

COSTED = 0.99
"""Share of lines that must have a cost for margins to be used."""

_VALUES = "values of "


@dataclass(frozen=True, repr=False)
class Region:
    """One region's validated data.

    Attributes
    ----------
    source : Source
        Where it comes from.
    name : str
        The region.
    start, last, end : date or None
        First and last day of its purchases; last day that the data can show.
    customers, survey, complaints, contacts : DataFrame
        Tables of the contract (empty where the source has none), by customer_id. Of several
        answers of a customer on one day, `survey` has that with most ratings, or the latest of
        these.
    purchases : Table
        The table transactions, in the engine.
    columns : frozenset of str
        "table.column" names that hold at least one value.
    rows : dict of str to int
        Rows of each table that keep the contract.
    set_aside : DataFrame
        Rows that break it: table, column, expected, rows, share, example.
    problems : dict of str to str
        Why a table could not be read.
    refunds : Refunds
        What of its sales was given back, and is not netted.
    repeated_answers : int
        Answers that are not in `survey`, since another of that customer's on that day is.
    key : str
        Key of the region's data in the cache; empty where it was not loaded as it is, but
        simulated, or changed by `dataclasses.replace`.
    computed : dict
        What `cache.per_region` has computed from it.
    """

    source: Source
    name: str
    start: dt.date | None
    last: dt.date | None
    end: dt.date | None
    customers: pd.DataFrame
    survey: pd.DataFrame
    complaints: pd.DataFrame
    contacts: pd.DataFrame
    purchases: Table | None
    columns: frozenset[str]
    rows: Mapping[str, int]
    set_aside: pd.DataFrame
    problems: Mapping[str, str]
    refunds: Refunds = field(default_factory=Refunds)
    repeated_answers: int = 0
    key: str = field(default="", init=False)
    computed: dict[str, object] = field(default_factory=dict, init=False)

    def __repr__(self) -> str:
        """Name the region; its customers stay out of what a notebook keeps."""
        return f"<Region {self.name!r} of {self.source.name!r}>"

    @property
    def days(self) -> int:
        """Days from the first purchase to the end of the data."""
        return (self.end - self.start).days + 1 if self.start and self.end else 0

    def answers(self, until: dt.date | None = None) -> pd.DataFrame:
        """Return each customer's latest survey answers, of a day's end or of all time.

        Parameters
        ----------
        until : date, optional
            Later answers, and undated ones, are left out.

        Returns
        -------
        DataFrame
            The survey's columns, indexed by customer_id.
        """
        rows = self.survey.sort_values("answered_on", kind="stable", na_position="first")
        if until is not None:
            rows = rows[rows["answered_on"] < pd.Timestamp(until) + pd.Timedelta(days=1)]
        return rows.groupby("customer_id").tail(1).set_index("customer_id").sort_index()

    def missing(self, hypothesis: object) -> list[str]:
        """Say what a hypothesis needs and this region does not have, as sentences."""
        own = self.set_aside[self.set_aside["expected"] != ORPHAN.expected]
        broken = frozenset(own["table"]) if len(own) else frozenset()
        reasons = _missing_columns(hypothesis.needs, self.columns, self.problems, broken)
        if not reasons and self.days < hypothesis.min_days:
            are = "is 1" if self.days == 1 else f"are {self.days}"
            reasons = [f"It needs {hypothesis.min_days} days of purchases; there {are}."]
        silent = (self.end - self.last).days if self.last and hypothesis.min_days else 0
        if not reasons and silent > MAX_SILENCE:
            reasons = [f"Nobody bought in the last {silent} days: the data or the business ended."]
        return reasons


def load_region(source: str, region: str, as_of: str = "") -> Region:
    """Load one region of a source.

    Parameters
    ----------
    source : str
        Name of a source in data/, or a path to a TOML file.
    region : str
        Name of the region.
    as_of : str, default ""
        Day such as "2026-06-30" after which nothing is known; the source's own end
        when empty.

    Raises
    ------
    DataError
        If source or region are not there, or too many of the region's rows break
        the contract.
    """
    entry = sources.read(source)
    return cache.kept(cache.place(entry, region, as_of), lambda: _loaded(entry, region, as_of))


def _loaded(source: Source, region: str, as_of: str) -> Region:
    """Load one region, and the whole source for it unless another notebook has done so."""
    data, whole = cache.kept(
        cache.place(source), lambda: (cache.content(source), validate(open_source(source)))
    )
    here = of_validated(whole, region, as_of)
    object.__setattr__(here, "key", cache.key_of(data, source, region, as_of))
    return here


def of_validated(whole: Validated, region: str, as_of: str = "") -> Region:
    """Load one region of a source that was validated; see `load_region`."""
    if region not in whole.regions:
        raise DataError(
            f"No region {region!r} in the source {whole.source.name!r}."
            f"{nearest(region, whole.regions)}"
        )
    broken = _own(whole.set_aside, region)
    _refuse_if_many(whole.source, region, broken)
    end = last_day(whole, as_of)
    good = {name: _known_by(name, rows, region, end) for name, rows in whole.good.items()}
    frames = {name: _frame(name, good.get(name)) for name in TABLES if name != "transactions"}
    purchases = good.get("transactions")
    seen = _seen(purchases)
    rows = {name: len(frames[name]) if name in frames else int(seen["rows"]) for name in good}
    frames["survey"] = one_a_day(frames["survey"])
    return Region(
        source=whole.source,
        name=region,
        start=_day(seen["first"]),
        last=_day(seen["last"]),
        end=end,
        purchases=purchases,
        columns=frozenset(_filled(frames, seen)),
        rows=rows,
        set_aside=broken,
        problems=whole.problems,
        refunds=_refunds(whole.refunds, region, end, seen),
        repeated_answers=rows.get("survey", 0) - len(frames["survey"]),
        **frames,
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
    order = survey.assign(day=day, ratings=ratings).sort_values(
        ["customer_id", "day", "ratings", "answered_on"], kind="stable", na_position="first"
    )
    is_older = order.duplicated(["customer_id", "day"], keep="last") & order["day"].notna()
    return order.loc[~is_older, survey.columns].reset_index(drop=True)


def _refunds(
    whole: pd.DataFrame, region: str, end: dt.date | None, seen: Mapping[str, object]
) -> Refunds:
    """Return a region's refunds until the last day that counts."""
    own = whole[whole["region"] == region]
    if end is not None:
        own = own[~(own["day"] > pd.Timestamp(end))]
    sales = 0.0 if pd.isna(seen["sales"]) else seen["sales"]
    return Refunds.of(own["lines"].sum(), own["amount"].sum(), sales)


def _own(set_aside: pd.DataFrame, region: str) -> pd.DataFrame:
    """Return what is set aside in a region, and of customers that nobody knows, without ids."""
    own = set_aside[set_aside["region"].eq(region) | set_aside["region"].isna()]
    return _without_ids(own.drop(columns="region").reset_index(drop=True))


def _without_ids(broken: pd.DataFrame) -> pd.DataFrame:
    """Take customers' identifiers out of the examples: reports do not show them."""
    rows = broken["example"].str.split(":").str[0]
    is_id = broken["column"].isin(["customer_id", "complaint_id"])
    return broken.assign(example=broken["example"].mask(is_id, rows))


def _refuse_if_many(source: Source, region: str, held: pd.DataFrame) -> None:
    """Stop when more rows of a table break a rule than the source allows."""
    own = held["expected"] != FOLLOWER.expected  # those are counted with their customer
    many = held[own & (held["share"] > source.max_set_aside)]
    if len(many):
        worst = many.loc[many["share"].idxmax()]
        raise DataError(
            f"{source.tables[worst['table']].file}: {worst['share']:.1%} of the rows of {region} "
            f"break the contract in {worst['column']} ({worst['example']}; expected "
            f"{worst['expected']}); at most {source.max_set_aside:.0%} may (max_set_aside)."
        )


def _known_by(name: str, good: Table, region: str, end: dt.date | None) -> Table:
    """Return a region's good rows of a table, as far as they were known on the last day."""
    schema, rows = TABLES[name].columns, good.filter(good["region"] == region)
    moments = [
        each for each in good.columns if each in schema and kind_of(schema[each]) == "moment"
    ]
    first = next((each for each in moments if each not in ("card_since",)), None)
    if end is not None:
        tomorrow = end + dt.timedelta(days=1)
        if first is not None:
            rows = rows.filter(rows[first].isnull() | (rows[first] < tomorrow))
        rows = _not_yet_hidden(rows, [each for each in moments if each != first], tomorrow)
    return rows


def _not_yet_hidden(rows: Table, later: list[str], tomorrow: dt.date) -> Table:
    """Empty what a row says of days to come: a card, an answer to a complaint."""
    known = {column: rows[column] < tomorrow for column in later}
    values = {column: known[column].ifelse(rows[column], ibis.null()) for column in later}
    if "resolved_at" in known and "satisfaction_after" in rows.columns:
        settled = known["resolved_at"].fill_null(True)
        values["satisfaction_after"] = settled.ifelse(rows["satisfaction_after"], ibis.null())
    return rows.mutate(**values) if values else rows


def _frame(name: str, rows: Table | None) -> pd.DataFrame:
    """Bring a table's rows into pandas and hold them against its schema once more.

    They are in the order of the file where it counts, and of their values otherwise.
    """
    schema = TABLES[name]
    kinds = {column: each.dtype.type for column, each in schema.columns.items()}
    if rows is None:
        return pd.DataFrame(columns=list(kinds)).astype(kinds)
    frame = rows.drop(*({"region"} - set(schema.columns))).to_pandas()
    order = [ROW] if ROW in frame else list(kinds)
    frame = frame.reindex(columns=list(dict.fromkeys([*kinds, *order]))).astype(kinds)
    return schema.validate(frame.sort_values(order, ignore_index=True)[list(kinds)])


def last_day(opened: Dataset | Validated, as_of: str = "") -> dt.date | None:
    """Return the last day that counts: as asked for, or that of the data.

    Raises
    ------
    DataError
        If `as_of` is no date, or after the data's own end.
    """
    end = opened.end
    if not as_of:
        return end
    try:
        day = dt.date.fromisoformat(as_of)
    except ValueError:
        raise DataError(f"as_of = {as_of!r}: expected a date such as 2026-06-30.") from None
    if end is not None and day > end:
        raise DataError(f"as_of = {as_of}: the data ends on {end}.")
    return day


def _seen(purchases: Table | None) -> pd.Series:
    """Return rows, first and last moment of purchases, and how many values each column has."""
    if purchases is None:
        return pd.Series({"rows": 0, "first": None, "last": None, "sales": 0.0})
    moment = purchases["bought_at"]
    own = [column for column in purchases.columns if column != REST]
    values = {_VALUES + column: purchases[column].count() for column in own}
    found = purchases.agg(
        rows=purchases.count(),
        first=moment.min(),
        last=moment.max(),
        sales=purchases["amount"].sum(),
        **values,
    )
    return found.to_pandas().astype(object).iloc[0]


def _day(moment: pd.Timestamp | None) -> dt.date | None:
    """Return the day of a moment; None where there is none."""
    return None if pd.isna(moment) else moment.date()


def _filled(frames: Mapping[str, pd.DataFrame], seen: pd.Series) -> list[str]:
    """Return the "table.column" names that hold at least one value."""
    found = [
        f"{name}.{column}"
        for name, frame in frames.items()
        for column in frame.columns[frame.notna().any()]
    ]
    counts = {name.removeprefix(_VALUES): seen[name] for name in seen.index if _VALUES in name}
    least = {"cost": COSTED * counts.get("amount", 0)}
    return found + [
        f"transactions.{column}" for column, n in counts.items() if n > least.get(column, 0)
    ]


def _missing_columns(
    needs: tuple[str, ...],
    columns: frozenset[str],
    problems: Mapping[str, str],
    broken: frozenset[str],
) -> list[str]:
    """Say which tables and columns are not there, one sentence for each table."""
    lacking: dict[str, list[str]] = {}
    for need in needs:
        if need not in columns:
            table, column = need.split(".")
            lacking.setdefault(table, []).append(column)
    return [_lack(table, names, columns, problems, broken) for table, names in lacking.items()]


def _lack(
    table: str,
    names: list[str],
    columns: frozenset[str],
    problems: Mapping[str, str],
    broken: frozenset[str],
) -> str:
    """Say what of one table is missing."""
    if table in problems:
        return f"The table {table!r} can't be read: {problems[table]}"
    is_empty = not any(each.startswith(f"{table}.") for each in columns)
    if is_empty and table in broken:
        return f"The table {table!r} has no row for this region that keeps the data contract."
    if is_empty:
        return f"There is no table {table!r} for this region."
    return f"The table {table!r} has no values in {', '.join(names)}."
