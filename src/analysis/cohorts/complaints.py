"""Complaints and requests: how long they took, how they ended, and who never had one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.cohorts import landmark, per_region, purchases, survey
from analysis.data.region import Region
from analysis.data.workdays import working_days, working_days_later
from analysis.statistics.estimate import NotEstimable
from analysis.statistics.measurement import scales

FOUR_WEEKS = 28
PROMISE = 3
"""Working days within which a case is to be settled."""
SETTLED = pd.Timedelta(days=21)
"""Time after which a case is taken to have been settled when the customer is asked."""
HANDLING, TRAITS = ("severity", "channel", "kind"), ("segment", "area")
BEFORE = (*HANDLING, *TRAITS, "log_tenure", "prior", "prior_known")
"""What is known of a case and its customer before the answer."""
WORDS = {
    "satisfaction_after": "satisfaction after",
    "within": "being in time",
    "days": "days to the answer",
    "told": "being told on day three",
    "log_sales": "sales in the year after",
}
"""What the reader calls the columns, where the name does not say it."""


@dataclass(frozen=True, repr=False)
class Cases:
    """A region's complaints and requests, as the notebooks on complaints use them; see `cases`.

    Attributes
    ----------
    opened : DataFrame
        All cases, as from `table`.
    rated : DataFrame
        The settled ones with an answer on satisfaction, as from `rated`; maybe none.
    groups : str or None
        Column of the groups within which errors are correlated: "customer_id" where a customer has
        several rated cases, otherwise None.
    calendar : str
        Calendar that working days are counted by.
    """

    opened: pd.DataFrame
    rated: pd.DataFrame
    groups: str | None
    calendar: str

    @property
    def summary(self) -> str:
        """How many cases are settled, in time, and rated."""
        opened = self.opened
        return (
            f"{opened['days'].notna().sum():,} of {len(opened):,} cases are settled, "
            f"{opened['within'].mean():.0%} within {PROMISE} working days; "
            f"{len(self.rated):,} settled cases have an answer on satisfaction. "
            f"Calendar: {self.calendar}. Before the case, "
            f"the satisfaction of {opened['prior_known'].mean():.0%} was known."
        )


@per_region
def cases(region: Region) -> Cases:
    """Return a region's complaints and requests.

    Raises
    ------
    NotEstimable
        If there are none.
    """
    opened = table(region)
    if opened.empty:
        raise NotEstimable("There are no complaints or requests.")
    answered = rated(opened)
    groups = "customer_id" if answered["customer_id"].duplicated().any() else None
    return Cases(opened, answered, groups, region.source.calendar)


def table(region: Region) -> pd.DataFrame:
    """Return the region's cases with what was known when they were opened.

    Returns
    -------
    DataFrame
        One row per case: customer_id, opened_at, days (working days to the answer; missing
        while open), explained_days (working days to an explanation), within (1 if settled
        within three working days, else 0), told (1 if explained on the third working day),
        satisfaction_after; severity, channel and kind as categories, difficulty (severity from
        1 to 5 as a number); segment, area, log_tenure
        (log of 1 + years as a customer); prior (satisfaction index of the latest answer before
        the day of the case, in standard deviations; 0 where unknown) and prior_known (0 or 1).
    """
    rows, country = region.complaints, region.source.calendar
    days = working_days(rows["opened_at"], rows["resolved_at"], country)
    explained = working_days(rows["opened_at"], rows["explained_at"], country)
    found = rows[["customer_id", "opened_at", "satisfaction_after"]].assign(
        days=days,
        explained_days=explained,
        within=(days <= PROMISE).astype(float),
        told=(explained == PROMISE).astype(float),
        difficulty=rows["severity"],
        **{name: rows[name].astype("string").fillna("unknown").astype(object) for name in HANDLING},
    )
    found = found.join(landmark.traits(region), on="customer_id")
    tenure = (found["opened_at"] - found.pop("joined_on")).dt.days
    return found.assign(log_tenure=landmark.log_years(tenure), **_prior(region, found))


def rated(cases: pd.DataFrame) -> pd.DataFrame:
    """Return the settled cases with an answer, and z_after: it, in standard deviations.

    Categories of few such cases are held together (`landmark.without_rare`).
    """
    found = cases.dropna(subset=["days", "satisfaction_after"])
    found = landmark.without_rare(found, (*HANDLING, *TRAITS))
    return survey.standardised(found, ["satisfaction_after"]).rename(
        columns={"z_satisfaction_after": "z_after"}
    )


def still_open(cases: pd.DataFrame) -> pd.DataFrame:
    """Return the cases open at the end of day three, but for those explained before that day."""
    early = cases["explained_days"] < PROMISE
    found = cases[(cases["within"] == 0) & ~early]
    return landmark.without_rare(found, (*HANDLING, *TRAITS))


def followed(region: Region, cases: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Compare who had a case with who had none yet, from a day on which both could have left.

    The clock of a customer with a case starts three working days after their first one was
    opened, whether it was settled by then or not. The others get the day of a random case
    (the same seed, the same days); those whose own case comes later are among them, since
    to leave them out would leave out customers who are known to have stayed. Whoever
    complains is a customer still; so that the others are too, everybody takes part who bought
    in the quarter before and in the four weeks after.

    Parameters
    ----------
    region : Region
        The data.
    cases : DataFrame
        As from `table`.
    seed : int
        Seed of the random days.

    Returns
    -------
    DataFrame
        One row per customer and clock: customer_id, own_day, had_case, within (as in `table`, 0
        without a case), log_visits and log_sales of the year before, trend (log of the
        quarter's visits against the quarter before), prior (satisfaction index before day 0,
        missing if unknown), segment, area, log_tenure; retained (1 if bought in the last quarter of
        the year after).

    References
    ----------
    Suissa, S. (2008). Immortal time bias in pharmacoepidemiology. American Journal of
    Epidemiology 167, 492-499.
    """
    first = _first(cases)
    starts = _promised(region, first["opened_at"])
    drawn = _random_days(region, starts, seed)
    own_case = first["opened_at"].reindex(drawn.index)
    waiting = drawn[own_case.isna() | (drawn < own_case)]
    had = _clocked(region, starts).assign(had_case=1.0)
    none = _clocked(region, waiting).assign(had_case=0.0, within=0.0)
    had = had.assign(within=first["within"].reindex(had.index))
    people = pd.concat([had, none]).reset_index()
    sales = people.pop("sales_year")
    return people.assign(log_sales=np.log1p(sales / (sales.mean() if sales.mean() > 0 else 1.0)))


def bought_again(region: Region, cases: pd.DataFrame) -> pd.Series:
    """Return who bought in the year after a case that was settled in time, by customer_id."""
    opened = _first(cases[cases["within"] == 1])["opened_at"]
    found = purchases.around(region, _promised(region, opened), {"year": (1, landmark.YEAR)})
    return found["visits_year"] > 0


def chain(region: Region, cases: pd.DataFrame) -> pd.DataFrame:
    """Follow customers with a case from its handling to what they bought in the year after.

    Parameters
    ----------
    region : Region
        The data.
    cases : DataFrame
        As from `table`.

    Returns
    -------
    DataFrame
        By customer_id, those who answered in the quarter before the last year and had a case
        before that answer: within, difficulty, satisfaction and loyalty (that answer),
        satisfaction_earlier (of the first answer after the case, if that is another; missing
        otherwise), log_sales (of the year after, missing without sales), segment, area,
        log_tenure; and the rating items of the answer.
    """
    day = landmark.landmark(region)
    answers = survey.by_wave(region)
    answers["index"] = scales.index(answers, "satisfaction")
    answers = answers[answers["answered_on"] < pd.Timestamp(day) + pd.Timedelta(days=1)]
    recent = answers["answered_on"] > pd.Timestamp(day) - pd.Timedelta(days=landmark.QUARTER)
    last = answers[recent].groupby(level=0).tail(1)
    opened = _first(cases)[["opened_at", "days", "within", "difficulty"]]
    found = last.join(opened, how="inner")
    found = found[found["opened_at"] + SETTLED < found["answered_on"]].dropna(subset=["days"])
    is_last = answers.groupby(level=0).cumcount(ascending=False) == 0
    earlier = answers[~is_last].join(opened["opened_at"])
    earlier = earlier[earlier["opened_at"] + SETTLED < earlier["answered_on"]]
    sales = landmark.table(region, day)["sales_after"]
    return found.assign(
        satisfaction=found["index"],
        loyalty=scales.index(found, "loyalty"),
        satisfaction_earlier=earlier["index"].groupby(level=0).first().reindex(found.index),
        log_sales=np.log(sales.where(sales > 0)).reindex(found.index),
    )


def _first(cases: pd.DataFrame) -> pd.DataFrame:
    """Return each customer's first case, by customer_id."""
    in_time = cases.sort_values("opened_at", kind="stable")
    return in_time.drop_duplicates("customer_id").set_index("customer_id")


def _promised(region: Region, opened: pd.Series) -> pd.Series:
    """Return the promised day of cases that a quarter precedes and a year of data follows."""
    last = pd.Timestamp(region.end) - pd.Timedelta(days=landmark.YEAR + 21)
    first = pd.Timestamp(region.start) + pd.Timedelta(days=landmark.QUARTER)
    usable = opened[(opened >= first) & (opened <= last)].sort_index()
    return working_days_later(usable, PROMISE, region.source.calendar)


def _random_days(region: Region, starts: pd.Series, seed: int) -> pd.Series:
    """Give every customer the day of a random case."""
    ids = np.sort(region.customers["customer_id"].to_numpy(object))
    days = np.random.default_rng(seed).choice(starts.to_numpy(), len(ids)) if len(starts) else []
    ids = ids if len(starts) else []
    return pd.Series(days, pd.Index(ids, name="customer_id", dtype=object), dtype="datetime64[us]")


def _clocked(region: Region, own_day: pd.Series) -> pd.DataFrame:
    """Return what is known of customers on a day of their own, and what came after it."""
    people = landmark.traits(region).join(own_day.rename("own_day"), how="inner")
    tenure = (people["own_day"] - people.pop("joined_on")).dt.days
    people["log_tenure"] = landmark.log_years(tenure)
    people = people.join(_bought(region, own_day))
    three_weeks = pd.Timedelta(days=21)  # before day 0, the promised day, no case was open yet
    people["prior"] = landmark.opinions(region, own_day - three_weeks)["satisfaction"]
    return people[people.pop("is_customer") & (tenure > 0)]


def _bought(region: Region, own_day: pd.Series) -> pd.DataFrame:
    """Return what each customer bought before and after a day of their own."""
    year, quarter = landmark.YEAR, landmark.QUARTER
    spans = {
        "year": (-year, -1), "earlier": (-2 * quarter, -quarter - 1), "quarter": (-quarter, -1),
        "next": (1, FOUR_WEEKS), "last": (year - quarter + 1, year),
    }  # fmt: skip
    found = purchases.around(region, own_day, spans)
    return pd.DataFrame(
        {
            "is_customer": (found[["visits_quarter", "visits_next"]] > 0).all(axis=1),
            "log_visits": np.log1p(found["visits_year"]),
            "sales_year": found["sales_year"],
            "trend": np.log1p(found["visits_quarter"]) - np.log1p(found["visits_earlier"]),
            "retained": (found["visits_last"] > 0).astype(float),
        }
    )


def _prior(region: Region, cases: pd.DataFrame) -> dict:
    """Return the satisfaction before each case, standardised, and whether it is known."""
    answers = region.survey.dropna(subset=["answered_on"])
    answers = answers.assign(score=scales.index(answers, "satisfaction"))
    answers = answers.dropna(subset=["score"]).sort_values("answered_on", kind="stable")
    order = cases[["customer_id"]].assign(opened_on=cases["opened_at"].dt.normalize())
    order = order.dropna(subset=["opened_on"]).reset_index().sort_values("opened_on")
    if answers.empty:
        return {"prior": 0.0, "prior_known": 0.0}
    joined = pd.merge_asof(
        order, answers[["customer_id", "answered_on", "score"]],
        left_on="opened_on", right_on="answered_on", by="customer_id",
        allow_exact_matches=False,
    )  # fmt: skip
    score = joined.set_index("index")["score"].reindex(cases.index)
    spread = score.std()
    prior = (score - score.mean()) / (spread if spread > 0 else 1.0)
    return {"prior": prior.fillna(0.0), "prior_known": score.notna().astype(float)}
