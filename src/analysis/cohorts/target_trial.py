"""Emulated target trials: customers treated on a day, against those not treated by then."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.cohorts import churn, landmark, purchases
from analysis.data.cache import per_region
from analysis.data.region import Region
from analysis.language import text
from analysis.statistics.regression.controls import without_rare

BEFORE = ("segment", "area", "log_tenure", "log_visits", "log_pace", "trend")
"""Covariates that treated and untreated customers are compared at."""
PURCHASES = ("log_visits", "log_sales", "log_pace", "trend")
"""Covariates that say nearly the same of a customer: one benchmark of a hidden cause."""
CARD_TRAITS = ("segment", "area", "log_tenure", "log_visits", "log_pace")
"""Covariates that hazards are compared at."""


def emulate(
    region: Region,
    event: pd.Series,
    seed: int = 0,
    *,
    still: bool = False,
    starts: pd.Series | None = None,
    asked_before: int = 0,
) -> pd.DataFrame:
    """Emulate a trial of treated customers against those not treated by the same day.

    Treated customers start on the day of their event. The others get the day of a random treated
    customer, and may be treated later: to leave those out would leave out customers who are known
    to have stayed. So a treatment now is compared with none now. Everybody takes part who bought
    in the quarter before, and nothing of the day itself counts: it is neither before nor after.

    Parameters
    ----------
    region : Region
        The data.
    event : Series of datetime, by customer_id
        Day of the treatment; missing where there was none.
    seed : int
        Of the random days.
    still : bool
        Whether everybody must buy in the four weeks after, because a treatment shows that
        somebody is a customer still.
    starts : Series of datetime, by customer_id, optional
        Days on which treated customers start, and from which the others' are drawn, where these
        are not the days of the event.
    asked_before : int
        Days before the start from which on answers to the survey don't count.

    Returns
    -------
    DataFrame
        One row per customer and day that a quarter precedes and a year follows: customer_id,
        treated (1 or 0), the columns of `landmark.observe`, log_pace (log of pace over its mean),
        satisfaction and loyalty (before the day; missing where not asked).

    References
    ----------
    Hernan, M. A., & Robins, J. M. (2016). Using big data to emulate a target trial when a
    randomized trial is not available. American Journal of Epidemiology 183, 758-764.
    """
    event = event.dropna().dt.normalize()
    own_day = within_data(region, event) if starts is None else starts
    treated = _at_risk(region, own_day, still, asked_before)
    drawn_from = treated["own_day"] if starts is None else starts
    waiting = _comparison_days(region, drawn_from, event, seed)
    others = _at_risk(region, waiting, still, asked_before)
    trial = pd.concat([treated.assign(treated=1.0), others.assign(treated=0.0)])
    trial = trial.rename_axis("customer_id").reset_index()
    return trial.assign(log_pace=landmark.log_of_mean(trial["pace"]))


def within_data(region: Region, event: pd.Series, delay: int = 0) -> pd.Series:
    """Return the days with a quarter of data before, and after a delay a year, in order of ids."""
    first = pd.Timestamp(region.start) + pd.Timedelta(days=landmark.QUARTER)
    last = pd.Timestamp(region.end) - pd.Timedelta(days=landmark.YEAR + delay)
    return event[event.between(first, last)].sort_index()


def _comparison_days(
    region: Region, treated_on: pd.Series, event: pd.Series, seed: int
) -> pd.Series:
    """Give customers the day of a random treated one, unless their own event came before it."""
    ids = np.sort(region.customers["customer_id"].to_numpy(object))
    ids = pd.Index(ids if len(treated_on) else [], dtype=object, name="customer_id")
    days = treated_on.sort_index().to_numpy()
    drawn = np.random.default_rng(seed).choice(days, len(ids)) if len(ids) else []
    drawn = pd.Series(drawn, ids, dtype="datetime64[us]")
    own = event.reindex(ids)
    return drawn[own.isna() | (drawn < own)]


def _at_risk(region: Region, own_day: pd.Series, still: bool, asked_before: int) -> pd.DataFrame:
    """Return who could be lost after a day of their own, and what they thought before it."""
    people = landmark.observe(region, own_day, gap=1)
    is_customer = (people["active"] > 0) & (people["tenure_days"] > 0)
    people = people[is_customer & ((people["visits_soon"] > 0) | (not still))]
    asked = people["own_day"] - pd.Timedelta(days=asked_before)
    return people.join(landmark.opinions(region, asked))


def card_since(region: Region) -> pd.Series:
    """Return the day of each customer's card, by customer_id; not before that of joining."""
    people = region.customers.set_index("customer_id")
    card, joined = people["card_since"], people["joined_on"]
    return card.where(~(card < joined), joined)


def cards_in_words(region: Region) -> str:
    """Say how many customers took a card, or that this is not recorded."""
    if "customers.card_since" not in region.columns:
        return text("cards are not recorded")
    return text("{cards:,} took a card", cards=region.customers["card_since"].notna().sum())


def cards_of_one_day(region: Region) -> float:
    """Return the share of cards with the commonest date: a roll-out, or a filled-in date."""
    days = region.customers["card_since"].dropna().dt.normalize()
    return float(days.value_counts(normalize=True).max()) if len(days) else 0.0


def early_cards(region: Region) -> float:
    """Return the share of cards that are dated before their customer joined."""
    people = region.customers.dropna(subset=["card_since"])
    earlier = people["card_since"].dt.normalize() < people["joined_on"].dt.normalize()
    return float(earlier.mean()) if len(people) else 0.0


@per_region
def card_holders(region: Region, seed: int = 0) -> pd.DataFrame:
    """Compare new holders of a card with those without one, from the day of the card on.

    Long-standing holders are not compared: their purchases before some other day would be an
    effect of the card already.

    Returns
    -------
    DataFrame
        As from `emulate`, with card for treated, and tenure_bend (square of log_tenure about its
        mean: who takes a card does so early, or hardly ever).
    """
    trial = emulate(region, card_since(region), seed, still=True)
    trial = trial.rename(columns={"treated": "card"})
    bend = (trial["log_tenure"] - trial["log_tenure"].mean()) ** 2
    trial = trial.assign(tenure_bend=bend)
    return without_rare(trial, ("segment", "area"), trial["card"], least=10)


@per_region
def card_spells(region: Region, factor: float = churn.FACTOR) -> pd.DataFrame:
    """Follow customers who had no card after their first half year, before and with one.

    A customer who takes a card is one row until that day and another from then on: the time
    before the card is not the card's (Suissa 2008; see `complaints.followed`).

    Returns
    -------
    DataFrame
        One row per customer and status: customer_id, from_day, to_day (days since the start of
        the data), lost (1 or 0, in the last row), card (1 or 0), ever (1 if a card was taken in
        the time followed); segment, area, log_tenure, log_visits, log_pace (log of
        sales over their mean, both of the half year before).
    """
    people, card_day = landmark.traits(region), card_since(region)
    start = pd.Timestamp(region.start)
    entry = people["joined_on"].clip(lower=start) + pd.Timedelta(days=landmark.HALF_YEAR)
    entry = entry[~(card_day.reindex(entry.index) <= entry)].dropna()
    spans = {"half": (-landmark.HALF_YEAR, -1), "quarter": (-landmark.QUARTER, -1)}
    bought = purchases.around(region, entry, spans)
    before = people[["segment", "area"]].assign(
        log_tenure=landmark.log_years((entry - people["joined_on"]).dt.days),
        log_visits=np.log1p(bought["visits_half"]),
        log_pace=landmark.log_of_mean(bought["sales_half"]),
    )
    spells = churn.spells(region, entry, factor).join(before)
    spells = spells[bought["visits_quarter"].reindex(spells.index) > 0]
    spells = without_rare(spells, ("segment", "area"), spells["lost"])
    card_day = (card_day.reindex(spells.index) - start).dt.days
    return _split(spells, card_day).drop(columns=["returned", "limit_days"])


def _split(spells: pd.DataFrame, card_day: pd.Series) -> pd.DataFrame:
    """Return each customer's time before and after the day of the card as rows of their own."""
    before = spells[~(card_day <= spells["from_day"])].assign(card=0.0)
    day = card_day.reindex(before.index)
    takes = day < before["to_day"]
    before = before.assign(
        to_day=before["to_day"].where(~takes, day), lost=before["lost"].where(~takes, 0.0)
    )
    after = spells[card_day < spells["to_day"]].assign(card=1.0)
    after["from_day"] = after["from_day"].clip(lower=card_day.reindex(after.index))
    rows = pd.concat([before, after]).rename_axis("customer_id").reset_index()
    rows["ever"] = rows.groupby("customer_id")["card"].transform("max")
    return rows.sort_values(["customer_id", "from_day"], ignore_index=True)
