"""One region's validated data."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import ibis
import pandas as pd
from ibis.expr.types import Table

from analysis.data import cache, sources
from analysis.data.asked import unasked
from analysis.data.contract import COSTED, TABLES
from analysis.data.dataset import Dataset, Validated, last_day, open_source, validate
from analysis.data.errors import DataError, nearest
from analysis.data.exclusions import Refunds, one_a_day, refunds_until, weighed
from analysis.data.extraction import one_region
from analysis.data.extraction.extract import extracted
from analysis.data.mapping.source import Source
from analysis.data.validation.checked import in_pandas
from analysis.data.validation.tables import ORPHAN, REST
from analysis.language import Verbatim, text

MAX_SILENCE = 60
"""Days without any purchase before the end, after which a year can't be judged."""

_VALUES = "values of "


class Needs(Protocol):
    """What a claim needs: "table.column" names, days of purchases, and answers before the end."""

    needs: tuple[str, ...]
    min_days: int
    asked: int


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
    tables : Tables
        Each table of the contract but transactions, by customer_id (empty where the source has
        none); of several answers of one day, `survey` has that with most ratings.
    purchases : Table
        The table transactions, in the engine.
    columns : frozenset of str
        "table.column" names with at least one value.
    rows : dict of str to int
        Valid rows of each table.
    rejected : DataFrame
        As from `Validated.rejected_in`.
    problems : dict of str to str
        Why a table could not be read.
    refunds : Refunds
        What was given back, and is not netted.
    left_out : DataFrame
        As from `exclusions.left_out`: its own rows and those of no region.
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
    tables: Mapping[str, pd.DataFrame]
    purchases: Table | None
    columns: frozenset[str]
    rows: Mapping[str, int]
    rejected: pd.DataFrame
    problems: Mapping[str, str]
    refunds: Refunds = field(default_factory=Refunds)
    left_out: pd.DataFrame = field(default_factory=pd.DataFrame)
    repeated_answers: int = 0
    key: str = field(default="", init=False)
    computed: dict[str, object] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        """Keep the tables from being changed in place."""
        object.__setattr__(self, "tables", cache.Tables(self.tables))

    def __repr__(self) -> str:
        """Name the region; its customers stay out of saved notebooks."""
        return f"<Region {self.name!r} of {self.source.name!r}>"

    @property
    def customers(self) -> pd.DataFrame:
        """The table customers."""
        return self.tables["customers"]

    @property
    def survey(self) -> pd.DataFrame:
        """The table survey, one answer for each customer and day."""
        return self.tables["survey"]

    @property
    def complaints(self) -> pd.DataFrame:
        """The table complaints."""
        return self.tables["complaints"]

    @property
    def contacts(self) -> pd.DataFrame:
        """The table contacts."""
        return self.tables["contacts"]

    @property
    def days(self) -> int:
        """Days from the first purchase to the end of the data."""
        return (self.end - self.start).days + 1 if self.start and self.end else 0

    def with_tables(self, **tables: pd.DataFrame) -> Region:
        """Return the region with other tables."""
        return dataclasses.replace(self, tables={**self.tables, **tables})

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

    def missing(self, claim: Needs) -> list[str]:
        """Say what a claim needs and this region does not have, as sentences."""
        if reasons := self._missing_columns(claim.needs):
            return reasons
        if self.days < claim.min_days:
            return [text(
                "It needs {days} days of purchases; there is {n}.",
                "It needs {days} days of purchases; there are {n}.",
                n=self.days, days=claim.min_days,
            )]  # fmt: skip
        if claim.asked and (said := unasked(self.survey["answered_on"], self.end, claim.asked)):
            return [said]
        n = (self.end - self.last).days if self.last and claim.min_days else 0
        ended = text("Nobody bought in the last {n} days: the data or the business ended.", n=n)
        return [ended] if n > MAX_SILENCE else []

    def _missing_columns(self, needs: tuple[str, ...]) -> list[str]:
        """Say which tables and columns are missing, one sentence for each table."""
        missing: dict[str, list[str]] = {}
        for need in needs:
            if need not in self.columns:
                table, column = need.split(".")
                missing.setdefault(table, []).append(column)
        return [self._missing_of(table, names) for table, names in missing.items()]

    def _missing_of(self, table: str, names: list[str]) -> str:
        """Say what of one table is missing."""
        if table in self.problems:
            why = self.problems[table]
            return text("The table {table!r} can't be read: {why}", table=table, why=why)
        if any(each.startswith(f"{table}.") for each in self.columns):
            said = {"table": table, "columns": Verbatim(", ".join(names))}
            return text("The table {table!r} has no values in {columns}.", **said)
        own = self.rejected["expected"] != ORPHAN.expected
        if table in set(self.rejected.loc[own, "table"]):
            return text(
                "The table {table!r} has no row for this region that meets the data contract.",
                table=table,
            )
        return text("There is no table {table!r} for this region.", table=table)


def load_region(source: str, region: str, as_of: str = "") -> Region:
    """Load one region of a source.

    Parameters
    ----------
    source : str
        Name of a source in data/, or a path to a TOML file.
    region : str
        Name of the region.
    as_of : str, default ""
        Day such as "2026-06-30" after which nothing is known; empty for the source's own end.

    Raises
    ------
    DataError
        If source or region are not there, or too many of its rows break the contract.
    """
    entry = extracted(sources.read(source), region if one_region.is_alone() else "")
    which = (entry, region, as_of)
    return cache.load_or_compute(cache.path_of(*which), lambda: _loaded(*which))


def _loaded(source: Source, region: str, as_of: str) -> Region:
    """Load one region, and the whole source for it unless another notebook has done so."""
    place = cache.path_of(source)
    if one_region.is_alone() and not (place and place.exists()):
        data, opened = cache.content(source), open_source(source, region)
        known = validate(opened)
        if not opened.region:
            cache.load_or_compute(place, lambda: (data, known))
    else:
        data, known = keep(lambda: open_source(source), source)
    here = of_validated(known, region, as_of)
    if data:  # a day after today is an error, so that tomorrow's data may be other data
        parts = (data, source.as_of or dt.date.today(), region, as_of)
        object.__setattr__(here, "key", cache.short(str(each).encode() for each in parts))
    return here


def keep(reader: Callable[[], Dataset], source: Source) -> tuple[str | None, Validated]:
    """Open and validate a source unless another has in this run; return its fingerprint, too."""
    place = cache.path_of(source)
    return cache.load_or_compute(place, lambda: (cache.content(source), validate(reader())))


def of_validated(whole: Validated, region: str, as_of: str = "") -> Region:
    """Load one region of a source that was validated; see `load_region`."""
    if region not in whole.regions:
        raise DataError(
            f"No region {region!r} in the source {whole.source.name!r}."
            f"{nearest(region, whole.regions)}"
        )
    rejected, end = whole.rejected_in(region), last_day(whole, as_of)
    good, until = whole.known_by(end, region), end if as_of else whole.source.as_of
    purchases = good.get("transactions")
    frames = {name: in_pandas(name, good.get(name)) for name in TABLES if name != "transactions"}
    bought = _summary(purchases)
    rows = {name: len(frames[name]) if name in frames else int(bought["rows"]) for name in good}
    answers = one_a_day(frames["survey"])
    frames["survey"] = weighed(answers, whole.source, region)
    return Region(
        source=whole.source,
        name=region,
        start=None if pd.isna(bought["first"]) else bought["first"].date(),
        last=None if pd.isna(bought["last"]) else bought["last"].date(),
        end=end,
        tables=frames,
        purchases=purchases,
        columns=frozenset(_filled(frames, bought)),
        rows=rows,
        rejected=rejected,
        problems=whole.problems,
        refunds=refunds_until(whole.refunds, region, until, bought["sales"]),
        left_out=whole.left_out_of(region),
        repeated_answers=rows.get("survey", 0) - len(answers),
    )


def _summary(purchases: Table | None) -> pd.Series:
    """Return rows, first and last moment, sales, and how many values each column has."""
    if purchases is None:
        return pd.Series({"rows": 0, "first": None, "last": None, "sales": 0.0})
    known = {column: purchases[column] for column in purchases.columns if column != REST}
    if "cost" in known:  # 0 beside an amount is not known
        known["cost"] = ibis.ifelse(known["amount"] > 0, known["cost"].nullif(0), known["cost"])
    summary = purchases.agg(
        rows=purchases.count(),
        first=purchases["bought_at"].min(),
        last=purchases["bought_at"].max(),
        sales=purchases["amount"].sum(),
        **{_VALUES + column: each.count() for column, each in known.items()},
    )
    return summary.to_pandas().astype(object).iloc[0]


def _filled(frames: Mapping[str, pd.DataFrame], bought: pd.Series) -> list[str]:
    """Return the "table.column" names with at least one value."""
    filled = [
        f"{name}.{column}"
        for name, frame in frames.items()
        for column in frame.columns[frame.notna().any()]
    ]
    counts = {name.removeprefix(_VALUES): bought[name] for name in bought.index if _VALUES in name}
    least = {"cost": COSTED * counts.get("amount", 0)}
    return filled + [
        f"transactions.{column}" for column, n in counts.items() if n > least.get(column, 0)
    ]
