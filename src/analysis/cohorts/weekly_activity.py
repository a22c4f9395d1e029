"""Purchases by week, as arrays; covariates and outcomes of customers at several landmarks."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.cohorts import landmark, purchases
from analysis.data.cache import per_region
from analysis.data.region import Region
from analysis.language import text
from analysis.statistics.estimate import NotEstimable
from analysis.statistics.regression.controls import without_rare

BEFORE = ("log_visits", "segment", "area", "landmark", "log_weeks", "log_tenure")
"""Covariates that forecasts at several landmarks hold equal."""
WEEK = purchases.DAYS_IN_WEEK
MOST = 104
"""Weeks before the end of the data that are looked at."""
RECENT, USUAL, REGULAR = 4, 20, 10
"""Weeks of the recent volume and of the usual one before it; visits in these that are regular."""
QUARTER, HORIZON, GAP = 13, 8, 4
"""Weeks: a customer counts who bought in the last quarter; outcome; gap of an early warning."""
YEAR = 52
"""Weeks of inactivity that are no pause."""
STEP, LAST, JUDGED = 8, GAP + QUARTER + 3, 5
"""Weeks between landmarks, weeks from the last one to the end, and landmarks that are judged."""
STEEPEST = 3.0
"""On the log scale: a fall to a twentieth says as much as a fall to nothing."""
LEAST_REGULAR = 20
"""Regulars that a segment needs for a season of its own."""
NEEDED = RECENT + USUAL + LAST
"""Weeks of purchases that are needed for one landmark."""


@dataclass(frozen=True, repr=False)
class Weeks:
    """A region's purchases of the last two years at most; week 0 is the first."""

    people: pd.DataFrame
    """One row per customer, sorted by customer_id: customer_id, segment, area, joined (week of
    joining, negative before the first one)."""
    bought: np.ndarray
    """Days with a purchase."""
    volume: np.ndarray
    """Quantity of fuel and gas."""

    @property
    def n_weeks(self) -> int:
        """Number of weeks."""
        return self.volume.shape[1]

    @property
    def visits(self) -> np.ndarray:
        """Days with a purchase in each week, shape (n_customers, n_weeks)."""
        shape = (len(self.people), self.n_weeks, WEEK)
        return self.bought.reshape(shape).sum(axis=2, dtype=np.int8)


@dataclass(frozen=True, repr=False)
class Landmarks:
    """Customers at several landmarks, as the notebooks on retention use them; see `landmarks`."""

    weeks: Weeks
    """Purchases week by week."""
    changed: np.ndarray
    """Change of each regular's volume, as from `changes`."""
    moments: pd.DataFrame
    """One row per customer and landmark, as from `moments`, with rare segments and areas merged."""
    judged: list[int]
    """The weeks of those landmarks at which predictions are judged, as from `judged`."""

    @property
    def summary(self) -> str:
        """How many landmarks and customers there are, and how many of them stopped buying."""
        rows, count = self.moments, self.moments["week"].nunique()
        return text(
            "Landmarks: {landmarks}, customers: {customers:,}. At a landmark, {buyers:,.0f} had "
            "bought in the quarter before, {lapse:.1%} of whom bought nothing in the eight weeks "
            "after.",
            landmarks=count, customers=rows["customer_id"].nunique(), buyers=len(rows) / count,
            lapse=rows["lapse"].mean(),
        )  # fmt: skip


@per_region
def landmarks(region: Region) -> Landmarks:
    """Return what was known of customers at several landmarks, and what came after.

    Raises
    ------
    NotEstimable
        If there are fewer than `NEEDED` weeks of purchases, or nobody had bought in the quarter
        before a landmark.
    """
    if region.days < WEEK * NEEDED:
        raise NotEstimable(text("There are not {n} weeks of purchases.", n=NEEDED))
    weeks = read(region)
    changed = changes(weeks)
    rows = moments(weeks, changed)
    if rows.empty:
        raise NotEstimable(text("Nobody had bought in the quarter before a landmark."))
    rows = without_rare(rows, ("segment", "area"))
    return Landmarks(weeks, changed, rows, judged(weeks))


def read(region: Region) -> Weeks:
    """Read a region's purchases of its last whole weeks, at most `MOST`.

    Customers of whom neither the day of joining nor a purchase is known are left out.
    """
    n_weeks = min(region.days // WEEK, MOST)
    first = region.end - dt.timedelta(days=WEEK * n_weeks - 1)
    people = landmark.traits(region).sort_index().reset_index()
    lines = purchases.by_day(region, first, region.end)
    row, day = lines["row"].to_numpy(), lines["day"].to_numpy()
    bought = np.zeros((len(people), WEEK * n_weeks), dtype=bool)
    bought[row, day] = True
    volume = np.zeros((len(people), n_weeks), dtype=np.float32)
    np.add.at(volume, (row, day // WEEK), lines["volume"].to_numpy())
    people["joined"] = (people.pop("joined_on") - pd.Timestamp(first)).dt.days // WEEK
    known = people["joined"].notna().to_numpy()
    return Weeks(people[known].reset_index(drop=True), bought[known], volume[known])


def changes(weeks: Weeks) -> np.ndarray:
    """Return how each regular customer's volume has changed against that of their segment.

    The log of the volume of 4 weeks over that of the 20 weeks before, less its median among the
    regulars of the segment (of the region, where a segment has fewer than 20): what the season
    does to all of them at that time is taken out, and nothing later is used.

    Of shape (n_customers, n_weeks + 1); column w is as of the beginning of week w. Missing for who
    had not 10 visits in the 20 weeks, or joined less than 24 weeks before; -inf for a volume of
    nothing.
    """
    recent, usual = _spans(weeks.volume)
    visits = _spans(weeks.visits)[1]
    at = np.arange(RECENT + USUAL, weeks.n_weeks + 1)
    joined = weeks.people["joined"].to_numpy()[:, None]
    regular = (USUAL * visits >= REGULAR - 0.5) & (joined <= at - RECENT - USUAL) & (usual > 0)
    found = np.full((len(joined), weeks.n_weeks + 1), np.nan, dtype=np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):
        change = np.log(recent / usual) - _season(weeks.people["segment"], recent, usual, regular)
    found[:, at] = np.where(regular, change, np.nan)
    return found


def moments(weeks: Weeks, changed: np.ndarray, at: list[int] | None = None) -> pd.DataFrame:
    """Return what was known of customers at landmarks, and what came after.

    Landmarks are the beginnings of the weeks `at`; by default all of `every`.

    Returns
    -------
    DataFrame
        One row per customer and landmark, of those who had bought in the 13 weeks before: week,
        customer_id, segment, area, log_tenure, recency (log2 of 1 + days since the last
        purchase), log_visits and log_weeks (purchase days and weeks observed so far), log_rate
        (purchase days in weeks 24 to 5 before), change (as from `changes`), fall (less the change,
        a fall to a twentieth or less as one to a twentieth), regular (1 or 0);
        lapse (1: no purchase in the next 8 weeks), lapse_year (in the next 52), gone (in weeks 14
        to 26: lost by the end of the next 13), again (1: bought after the 8 weeks), lapse_later (in
        weeks 5 to 17 after), watched (regular, and bought in the 4 weeks before and after). An
        outcome that lies beyond the data is missing.
    """
    at = every(weeks) if at is None else at
    visits = np.pad(np.cumsum(weeks.visits, axis=1, dtype=np.int32), ((0, 0), (1, 0)))
    found = [_moment(weeks, visits, changed, week) for week in at]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def every(weeks: Weeks) -> list[int]:
    """Return all landmarks with 24 weeks before and 20 after them, eight weeks apart."""
    return list(range(weeks.n_weeks - LAST, RECENT + USUAL - 1, -STEP))[::-1]


def judged(weeks: Weeks) -> list[int]:
    """Return the landmarks of the last year: predictions are judged at these."""
    return every(weeks)[-JUDGED:]


def _moment(weeks: Weeks, visits: np.ndarray, changed: np.ndarray, week: int) -> pd.DataFrame:
    """Return the rows of one landmark."""
    joined = weeks.people["joined"].to_numpy()

    def count(start: int, end: int) -> np.ndarray:
        low, high = np.clip([week + start, week + end], 0, weeks.n_weeks)
        return visits[:, high] - visits[:, low]

    def empty(start: int, end: int) -> np.ndarray:
        none = (count(start, end) == 0).astype(float)
        return none if week + end <= weeks.n_weeks else np.full(len(joined), np.nan)

    regular = ~np.isnan(changed[:, week])
    days = pd.Series(WEEK * (week - joined))
    frame = weeks.people[["customer_id", "segment", "area"]].assign(
        week=week,
        log_tenure=landmark.log_years(days),
        recency=np.log2(1 + weeks.bought[:, : WEEK * week][:, ::-1].argmax(axis=1)),
        log_visits=np.log(np.maximum(count(-week, 0), 1)),
        log_weeks=np.log((week - joined).clip(1, week)),
        log_rate=np.log(np.maximum(count(-RECENT - USUAL, -RECENT), 1)),
        change=np.where(regular, changed[:, week], np.nan),
        fall=np.where(regular, np.clip(-changed[:, week], -STEEPEST, STEEPEST), np.nan),
        regular=regular.astype(float),
        lapse=empty(0, HORIZON),
        lapse_year=empty(0, YEAR),
        gone=empty(QUARTER, 2 * QUARTER),
        again=(count(HORIZON, weeks.n_weeks) > 0).astype(float),
        lapse_later=empty(GAP, GAP + QUARTER),
        watched=regular & (count(-RECENT, 0) > 0) & (count(0, GAP) > 0),
    )
    return frame[count(-QUARTER, 0) > 0]


def _spans(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return means of the last 4 weeks and of the 20 before them, as of week 24 and all later."""
    total = np.pad(np.cumsum(values, axis=1, dtype=float), ((0, 0), (1, 0)))
    span = RECENT + USUAL
    recent, usual = total[:, span:] - total[:, USUAL:-RECENT], total[:, USUAL:-RECENT]
    return recent / RECENT, (usual - total[:, :-span]) / USUAL


def _season(
    segments: pd.Series, recent: np.ndarray, usual: np.ndarray, regular: np.ndarray
) -> np.ndarray:
    """Return the median log change of the regulars of each customer's segment, same shape."""
    change = np.where(regular, np.maximum(np.log(recent / usual), -STEEPEST), np.nan)
    together, some = np.full(change.shape[1], np.nan), regular.any(axis=0)
    together[some] = np.nanmedian(change[:, some], axis=0)
    found = np.broadcast_to(together, recent.shape).copy()
    for rows in segments.groupby(segments).indices.values():
        enough = regular[rows].sum(axis=0) >= LEAST_REGULAR
        found[rows[:, None], enough] = np.nanmedian(change[rows][:, enough], axis=0)
    return found
