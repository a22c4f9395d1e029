"""Complaints and requests: how long they took, how they ended, and who never had one."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.cohorts import landmark, purchases, survey, target_trial
from analysis.data.cache import per_region
from analysis.data.calendars import working_days, working_days_later
from analysis.data.region import Region
from analysis.language import text
from analysis.statistics.estimate import NotEstimable
from analysis.statistics.measurement import scales
from analysis.statistics.regression.controls import without_rare

PROMISE = 3
"""Working days within which a case is to be settled."""
THREE_WEEKS = 21
"""Days within which a case is taken to be settled, weekends and holidays included."""
HANDLING, TRAITS = ("severity", "channel", "kind"), ("segment", "area")
BEFORE = (*HANDLING, *TRAITS, "log_tenure", "prior", "prior_known")
"""What is known of a case and its customer before the answer."""


def words() -> dict[str, str]:
    """Return what the reader calls the columns, where the name does not say it."""
    return {
        "satisfaction_after": text("satisfaction after"),
        "within": text("being in time"),
        "days": text("days to the answer"),
        "told": text("being told on day three"),
        "log_sales": text("sales in the year after"),
    }


@dataclass(frozen=True, repr=False)
class Cases:
    """A region's complaints and requests, as the notebooks on complaints use them; see `cases`."""

    opened: pd.DataFrame
    """All cases, as from `table`."""
    rated: pd.DataFrame
    """The settled ones with an answer on satisfaction, as from `rated`; maybe none."""
    groups: str | None
    """Column of the groups within which errors are correlated: "customer_id" where a customer has
    several rated cases, otherwise None."""
    calendar: str
    """Calendar that working days are counted by."""

    @property
    def summary(self) -> str:
        """How many cases are settled, in time, and rated."""
        opened = self.opened
        return text(
            "Cases: {n_opened:,}; settled: {settled:,}, {within:.0%} of all within {promise} "
            "working days; settled with an answer on satisfaction: {rated:,}. Calendar: "
            "{calendar}. Before the case, the satisfaction of {known:.0%} was known.",
            n_opened=len(opened), settled=opened["days"].notna().sum(),
            within=opened["within"].mean(), promise=PROMISE, rated=len(self.rated),
            calendar=self.calendar, known=opened["prior_known"].mean(),
        )  # fmt: skip


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
        raise NotEstimable(text("There are no complaints or requests."))
    answered = rated(opened)
    groups = "customer_id" if answered["customer_id"].duplicated().any() else None
    return Cases(opened, answered, groups, region.source.calendar)


def table(region: Region) -> pd.DataFrame:
    """Return the region's cases with what was known when they were opened, one row per case.

    Columns: customer_id, opened_at, days (working days to the answer; missing while open),
    explained_days (to an explanation), within (1 if settled within three working days, else 0),
    told (1 if explained on the third), satisfaction_after; severity, channel and kind as
    categories, difficulty (severity from 1 to 5 as a number); segment, area, log_tenure (log of
    1 + years as a customer); prior (satisfaction index of the latest answer before the day of the
    case, in standard deviations; 0 where unknown) and prior_known (0 or 1).
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

    Rare categories are merged (`controls.without_rare`).
    """
    found = cases.dropna(subset=["days", "satisfaction_after"])
    found = without_rare(found, (*HANDLING, *TRAITS))
    return survey.standardised(found, ["satisfaction_after"]).rename(
        columns={"z_satisfaction_after": "z_after"}
    )


def still_open(cases: pd.DataFrame) -> pd.DataFrame:
    """Return the cases open at the end of day three, but for those explained before that day."""
    early = cases["explained_days"] < PROMISE
    found = cases[(cases["within"] == 0) & ~early]
    return without_rare(found, (*HANDLING, *TRAITS))


def followed(region: Region, cases: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Compare customers with a case to those without one yet, as in `target_trial.emulate`.

    A customer with a case starts three working days after their first one was opened, whether it
    was settled by then or not. Since somebody who complains is a customer still, all must buy in
    the four weeks after. The cases are those of `table`.

    Returns
    -------
    DataFrame
        As from `emulate`, with had_case for treated; within (as in `table`, 0 without a case),
        log_sales (of the year before, in multiples of the mean), and prior for satisfaction
        (before a case was open, missing if unknown).

    References
    ----------
    Suissa, S. (2008). Immortal time bias in pharmacoepidemiology. American Journal of
    Epidemiology 167, 492-499.
    """
    first = _first(cases)
    trial = target_trial.emulate(
        region,
        first["opened_at"].dt.ceil("D"),  # opened in the course of a day: not by its beginning
        seed,
        still=True,
        starts=_promised(region, first["opened_at"]),
        asked_before=THREE_WEEKS,
    )
    within, sales = trial["customer_id"].map(first["within"]), trial["sales_before"]
    return trial.rename(columns={"treated": "had_case", "satisfaction": "prior"}).assign(
        within=within.where(trial["treated"] == 1, 0.0),
        log_sales=np.log1p(sales / (sales.mean() if sales.mean() > 0 else 1.0)),
    )


def bought_again(region: Region, cases: pd.DataFrame) -> pd.Series:
    """Return who bought in the year after a case that was settled in time, by customer_id."""
    promised = _promised(region, _first(cases[cases["within"] == 1])["opened_at"])
    bought = purchases.around(region, promised, {"year": (1, landmark.YEAR)})
    return bought["visits_year"] > 0


def chain(region: Region, cases: pd.DataFrame) -> pd.DataFrame:
    """Follow customers with a case from its handling to what they bought in the year after.

    The cases are those of `table`.

    Returns
    -------
    DataFrame
        By customer_id, those who answered in the quarter before the last year and had a case
        before that answer: within, difficulty, satisfaction and loyalty (that answer),
        satisfaction_earlier (of the first answer after the case, if that is another; missing
        otherwise), log_sales (of the year after, missing without sales), segment, area,
        log_tenure; and the rating items of the answer.
    """
    day, settled = landmark.landmark(region), pd.Timedelta(days=THREE_WEEKS)
    answers = survey.by_wave(region)
    answers["index"] = scales.index(answers, "satisfaction")
    answers = answers[answers["answered_on"] < pd.Timestamp(day) + pd.Timedelta(days=1)]
    recent = answers["answered_on"] > pd.Timestamp(day) - pd.Timedelta(days=landmark.QUARTER)
    last = answers[recent].groupby(level=0).tail(1)
    opened = _first(cases)[["opened_at", "days", "within", "difficulty"]]
    found = last.join(opened, how="inner")
    found = found[found["opened_at"] + settled < found["answered_on"]].dropna(subset=["days"])
    is_last = answers.groupby(level=0).cumcount(ascending=False) == 0
    earlier = answers[~is_last].join(opened["opened_at"])
    earlier = earlier[earlier["opened_at"] + settled < earlier["answered_on"]]
    sales = purchases.per_customer(region, day + dt.timedelta(days=1), region.end)["sales"]
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
    usable = target_trial.within_data(region, opened, THREE_WEEKS)
    return working_days_later(usable, PROMISE, region.source.calendar)


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
