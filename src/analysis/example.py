"""Example regions: the contract's tables, drawn from a world whose every effect is known.

A customer has attitudes (quality seen, satisfaction, loyalty), a rate of visits, and a hazard of
lapsing. All that a claim is about is one named parameter of `World`, so that an effect can be set
to nothing, or a trap be set. Weeks count from `START`; week `LANDMARK` begins the last year.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy import ndarray
from numpy.random import Generator
from pandas import DataFrame
from scipy import special, stats

START = np.datetime64("2024-07-02")
N_WEEKS, LANDMARK = 104, 52
WAVES = {1: (20, 24), 2: (46, 51)}
SEED = 20260630

REGIONS = {
    "North 华北": 1800,
    "East 华东": 3000,
    "South 华南": 2200,
    "South-west 西南": 900,
    "North-west 西北": 300,
    "Central 华中": 600,
}

SEGMENTS = DataFrame(
    {
        "share": [0.63, 0.06, 0.05, 0.13, 0.13],
        "visits": [0.62, 3.55, 3.45, 1.25, 0.80],  # a week, median
        "visits_sd": [0.50, 0.12, 0.12, 0.45, 0.40],  # of the log
        "quantity": [33, 17.3, 17.3, 78, 215],  # litres (restaurant: cubic metres) a visit, median
        "quantity_sd": [0.30, 0.08, 0.10, 0.85, 0.70],
        "price": [7.5, 7.4, 7.4, 7.3, 4.0],  # CNY a litre or cubic metre
        "margin": [0.11, 0.10, 0.10, 0.09, 0.10],
        "evening": [0.30, 0.68, 0.60, 0.15, 0.10],
        "affinity": [0.3, 0.6, 0.4, -0.8, -1.2],  # to the fuel card
        "season": [0.10, 0.04, 0.05, 0.06, -0.18],  # summer above winter
        "business": [False, False, True, True, True],
    },
    index=["private", "ride_hailing", "van", "fleet", "restaurant"],
)
CORE = ("fleet", "restaurant")
SATISFACTION_UNIT = 0.8  # of an item's score per unit of satisfaction
VALUES = ("product_value", "service_value", "personnel_value", "image_value")
COSTS = ("money_cost", "time_cost", "energy_cost", "effort_cost")
SATISFACTION = ("satisfaction_1", "satisfaction_2", "satisfaction_3")
LOYALTY = ("loyalty_1", "loyalty_2", "loyalty_3")
ITEMS = ("expectation", "performance", *VALUES, *COSTS, *SATISFACTION, *LOYALTY)
ITEMS += ("price_sensitivity", "works_quality", "works_communication")
ITEMS += ("org_benefit", "personal_benefit", "added_service")
# How answers from 1 to 10 are spread: many sevens to nines, few below four.
CUTS = stats.norm.ppf([0.015, 0.04, 0.075, 0.13, 0.21, 0.33, 0.50, 0.71, 0.88])
# Holidays and their make-up days: no case spans them, so that every calendar counts the same days.
_CLOSED = """
    2024-09-14 2024-09-17 2024-09-29 2024-10-12 2025-01-01 2025-01-01 2025-01-26 2025-02-08
    2025-04-04 2025-04-06 2025-04-27 2025-05-05 2025-05-31 2025-06-02 2025-09-28 2025-10-11
    2026-01-01 2026-01-04 2026-02-14 2026-02-28 2026-04-04 2026-04-06 2026-05-01 2026-05-09
    2026-06-19 2026-06-30
"""
CLOSED = np.array(_CLOSED.split(), dtype="datetime64[D]").reshape(-1, 2)
LONGEST_CASE = 12  # working days
FILES = {"customers.csv", "survey.csv", "complaints.csv", "contacts.csv", "truth.csv"} | {
    "transactions.parquet"
}


@dataclass(frozen=True)
class World:
    """What is true in a region; every effect is zero when its parameter is.

    Attitudes are latent, with a standard deviation of about one; effects on visits and on lapse are
    on the log of a rate or hazard a week. Parameters that set a trap are zero by default.
    """

    region: str = "Example"
    # satisfaction
    station_sd: float = 0.25
    value_slopes: tuple[float, ...] = (0.35, 0.25, 0.15, 0.05)
    cost_slopes: tuple[float, ...] = (-0.25, -0.10, -0.05, 0.0)
    performance_quality: float = 0.5  # quality seen is in values and costs, too
    performance_slope: float = 0.20
    expectation_slope: float = -0.15
    loss_slope: float = 0.90  # per unit below expectation, on top of the two slopes
    satisfaction_sd: float = 0.50  # of what nothing explains
    acquiescence: float = 0.0  # trap: the same tendency to agree in every item
    item_noise: float = 0.72
    single_noise: float = 0.25
    wave_noise: float = 0.25
    online_suburban: float = 0.70
    on_site_urban: float = 0.10
    works_share: float = 0.45
    works_slope: float = 0.20
    works_communication: float = 0.90
    works_quality_gap: float = 0.20  # informed stations also work better
    service_price_slope: float = -0.30
    told_mean: float = 6.0
    told_slope: float = -0.45
    told_shape: float = 1.5  # of the gamma; smaller is more over-dispersed
    loyalty_slope: float = 0.60
    benefit_slope: float = 0.20
    synergy: float = 0.42
    # complaints
    complaint_level: float = -0.2  # log odds
    complaint_slope: float = -0.70
    promise_jump: float = 0.55
    day_slope: float = -0.04
    explanation_effect: float = 0.60
    severity_effect: float = -0.25
    sorting_share: float = 0.0  # trap: easy cases of days 4 and 5 pulled to day 3
    handling_effect: float = 1.00  # of a quick answer on satisfaction later
    quick_log_hazard: float = -0.10
    late_log_hazard: float = 0.40
    # visits
    visit_level: float = 0.0
    visit_spread: float = 1.0  # factor on the spread between customers
    key_account_spread: float = 1.0
    satisfaction_visits: float = 0.03
    loyalty_visits: float = 0.20
    ramp_depth: float = 0.6
    drift_sd: float = 0.20  # a customer's own growth in log visits a year
    # lapse
    lapse_hazard: float = 0.008
    satisfaction_log_hazard: float = -0.35
    affinity_log_hazard: float = -0.30
    card_hazard: float = 0.008
    card_affinity: float = 0.60
    card_by_loyalty: float = 0.0  # trap: loyal customers take the card
    card_log_hazard: float = -0.50
    decline_share: float = 0.90
    decline_depth: float = 0.95
    decline_weeks: int = 26
    # buying beyond fuel
    beyond_level: float = -0.3
    beyond_by_visits: float = 0.35
    beyond_by_satisfaction: float = 0.0  # trap: hidden selection
    beyond_log_hazard: float = -0.50
    beyond_visits: float = 0.04
    beyond_share: float = 0.10  # of visits, for those who do
    beyond_later_share: float = 0.03  # of visits after the landmark, for those who did not before
    beyond_spend: float = 0.12  # of the fuel bill of a usual visit
    beyond_margin: float = 0.27
    # contacts
    visit_plan: tuple[float, float, float] = (3.1, 2.1, 1.05)  # a month, tiers A, B, C
    adherent_share: float = 0.60
    visit_by_risk: float = 0.20  # more of the accounts whose volume falls are visited as planned
    under_visited: float = 0.65  # of the plan, where it is not kept
    visit_log_hazard: float = 0.0
    campaign_log_hazard: float = -0.60
    acquire_cost: float = 600.0  # CNY per customer won
    retain_cost: float = 8.4  # CNY per customer contacted
    campaign_sd: float = 0.40


# Parameters that vary over regions, by their share of the standard deviation between regions.
VARYING = {
    1.0: "loss_slope online_suburban on_site_urban works_communication promise_jump visit_level "
    "explanation_effect handling_effect late_log_hazard card_log_hazard campaign_log_hazard",
    0.7: "service_price_slope synergy key_account_spread beyond_log_hazard",
    0.5: "value_slopes cost_slopes performance_slope told_slope",
    0.3: "satisfaction_visits loyalty_visits",
}


@dataclass(frozen=True)
class History:
    """What a set of customers is and does, before it is written out as tables.

    Attributes
    ----------
    people : DataFrame
        One row per customer: attitudes, weeks of joining, card, case, campaign and lapse, habits.
    visits, volume, beyond, beyond_sales : ndarray, shape (n_customers, N_WEEKS)
        Visits; litres or cubic metres; visits that buy beyond fuel too; their sales in CNY.
    """

    people: DataFrame
    visits: ndarray
    volume: ndarray
    beyond: ndarray
    beyond_sales: ndarray

    @property
    def fuel_sales(self) -> ndarray:
        """Sales of fuel and gas in CNY, shape (n_customers, N_WEEKS)."""
        return self.volume * weekly_price(self.people, np.arange(N_WEEKS))


def regional_worlds(
    world: World | None = None, seed: int = SEED, tau: float = 0.08
) -> dict[str, World]:
    """Return the world of every region: parameters vary around those of `world`.

    Parameters
    ----------
    world : World, optional
        The mean over regions; the default world when omitted.
    seed : int
        The same seed gives the same regions.
    tau : float
        Standard deviation between regions of a standardised effect; `VARYING` scales it.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,)))
    base, worlds = world or World(), {}
    scales = {name: scale for scale, names in VARYING.items() for name in names.split()}
    for region in REGIONS:
        shifted = {}
        for name, scale in scales.items():
            value = getattr(base, name)
            moved = np.asarray(value) + tau * scale * rng.standard_normal(np.shape(value))
            shifted[name] = tuple(moved.tolist()) if isinstance(value, tuple) else float(moved)
        worlds[region] = replace(base, region=region, **shifted)
    return worlds


def region_seed(region: str, seed: int = SEED) -> int:
    """Return the seed of one region's draw."""
    place = list(REGIONS).index(region)
    return int(np.random.SeedSequence(seed, spawn_key=(1, place)).generate_state(1)[0])


def weekly_price(people: DataFrame, weeks: ndarray) -> ndarray:
    """Return CNY per litre or cubic metre, shape (n_customers, n_weeks)."""
    season = 1 + 0.03 * np.sin(2 * np.pi * weeks / 40)
    return people["price"].to_numpy()[:, None] * season


def simulate(world: World, n_customers: int, seed: int) -> History:
    """Draw customers and their weekly purchases, without single lines or answers.

    Parameters
    ----------
    world : World
        What is true.
    n_customers : int
        Number of customers who ever buy.
    seed : int
        The same seed gives the same customers.
    """
    rng = _generators(seed)["people"]
    people = _people(world, n_customers, rng)
    for block in (_attitudes, _cases, _bonds, _fates):
        people = people.assign(**block(world, people, rng))
    return _history(world, people, rng)


def _generators(seed: int) -> dict[str, Generator]:
    tables = ("people", "survey", "complaints", "transactions", "contacts")
    children = map(np.random.default_rng, np.random.SeedSequence(seed).spawn(len(tables)))
    return dict(zip(tables, children, strict=True))


def _people(world: World, n: int, rng: Generator) -> DataFrame:
    kind = rng.choice(len(SEGMENTS), n, p=SEGMENTS["share"])
    traits = SEGMENTS.iloc[kind].reset_index(names="segment").drop(columns="share")
    before = rng.random(n) < 0.55
    tenure = np.minimum(rng.exponential(150, n).astype(int) + 1, 700)
    spread = np.where(traits["segment"].isin(CORE), world.key_account_spread, 1.0)
    n_stations = int(np.clip(n // 40, 12, 24))
    weights = rng.dirichlet(np.full(n_stations, 12.0))
    return traits.assign(
        suburban=rng.random(n) < 0.45,
        station=rng.choice(n_stations, n, p=weights),
        informed=lambda d: d["station"] % 4 == 0,
        joined=np.where(before, -tenure, rng.integers(0, N_WEEKS, n)),
        log_rate=np.log(traits["visits"])
        + world.visit_level
        + world.visit_spread * traits["visits_sd"] * rng.standard_normal(n),
        drift=world.drift_sd * rng.standard_normal(n),
        size=traits["quantity"] * np.exp(spread * traits["quantity_sd"] * rng.standard_normal(n)),
        station_effect=lambda d: world.station_sd * rng.standard_normal(n_stations)[d["station"]],
    )


def _attitudes(world: World, people: DataFrame, rng: Generator) -> dict:
    n = len(people)
    quality, noise = rng.standard_normal(n), rng.standard_normal((10, n))
    values = np.sqrt(0.5) * (quality + noise[:4])
    costs = -np.sqrt(0.2) * quality + np.sqrt(0.8) * noise[4:8]
    expected = noise[8]
    own = np.sqrt(0.91 - world.performance_quality**2)
    performance = world.performance_quality * quality + 0.3 * expected + own * noise[9]
    channel = _channels(people, rng)
    satisfaction = (
        np.asarray(world.value_slopes) @ values
        + np.asarray(world.cost_slopes) @ costs
        + world.performance_slope * performance
        + world.expectation_slope * expected
        - world.loss_slope * (np.maximum(expected - performance, 0) - 0.47)
        + world.online_suburban * (people["suburban"] & (channel == "online"))
        + world.on_site_urban * (~people["suburban"] & (channel == "on_site"))
        + people["station_effect"]
        + world.satisfaction_sd * rng.standard_normal(n)
    )
    attitudes = dict(zip(VALUES + COSTS, np.vstack([values, costs]), strict=True))
    return attitudes | {
        "expectation": expected,
        "performance": performance,
        "channel": channel,
        "satisfaction": satisfaction,
        "added_service": 0.4 * quality + np.sqrt(0.84) * rng.standard_normal(n),
    }


def _channels(people: DataFrame, rng: Generator) -> ndarray:
    """Choose online, on site or phone; the suburban use the web a little less."""
    online = np.where(people["suburban"], 0.35, 0.45)
    draw = rng.random(len(people))
    return np.select([draw < online, draw < online + 0.35], ["online", "on_site"], "phone")


def _cases(world: World, people: DataFrame, rng: Generator) -> dict:
    """Give every customer at most one case: its day, its severity and its days to the answer."""
    n = len(people)
    odds = world.complaint_level + world.complaint_slope * people["satisfaction"]
    opened = rng.choice(_opening_days(), n)
    severity = 1 + rng.binomial(4, 0.45, n)
    difficulty = (severity - 2.8) / 0.995
    took = np.exp(1.05 + 0.35 * difficulty + 0.55 * rng.standard_normal(n))
    days = np.minimum(took.astype(int), LONGEST_CASE)
    pulled = (severity <= 2) & np.isin(days, (4, 5)) & (rng.random(n) < world.sorting_share)
    days = np.where(pulled, 3, days)
    complains = rng.random(n) < special.expit(odds)
    return {
        "case_day": opened,
        "case_week": np.where(complains, opened // 7, N_WEEKS),
        "severity": severity,
        "case_days": days,
        "explained": rng.random(n) < 0.5,
        "case_log_hazard": np.where(days <= 3, world.quick_log_hazard, world.late_log_hazard),
    }


def _opening_days() -> ndarray:
    """Return the days since the start on which a case can open: no holiday until it is settled."""
    days = START + np.arange(N_WEEKS * 7)
    last = days + 18
    closed = (days[:, None] <= CLOSED[:, 1]) & (last[:, None] >= CLOSED[:, 0])
    return np.flatnonzero(np.is_busday(days) & ~closed.any(axis=1))


def _bonds(world: World, people: DataFrame, rng: Generator) -> dict:
    """Return what follows from satisfaction: after a case, loyalty, price sensitivity."""
    n = len(people)
    early = (people["case_week"] < WAVES[2][0]) & (people["case_week"] > people["joined"])
    handled = world.handling_effect * np.where(people["case_days"] <= 3, 0.5, -0.5)
    later = people["satisfaction"] + np.where(early, handled, 0)
    organisation, person = rng.standard_normal((2, n))
    person = 0.3 * organisation + np.sqrt(0.91) * person
    benefits = world.benefit_slope * (organisation + person) + world.synergy * organisation * person
    service = (people["added_service"] + people["personnel_value"]) / np.sqrt(2)
    return {
        "satisfaction_later": later,
        "loyalty": world.loyalty_slope * later
        + np.where(people["business"], benefits, 0)
        + 0.8 * rng.standard_normal(n),
        "org_benefit": organisation,
        "personal_benefit": person,
        "price_sensitivity": world.service_price_slope * service + rng.standard_normal(n),
    }


def _fates(world: World, people: DataFrame, rng: Generator) -> dict:
    """Return affinity, weeks of card and campaign, and each customer's luck against lapse."""
    n = len(people)
    affinity = people["affinity"] + 0.5 * (people["suburban"] - 0.45)
    pull = world.card_affinity * affinity + world.card_by_loyalty * people["loyalty"]
    waiting = rng.exponential(1, n) / (world.card_hazard * np.exp(pull))
    targeted = rng.random(n) < 0.5
    return {
        "affinity": affinity,
        "card_week": np.ceil(np.maximum(people["joined"], -150) + waiting),
        "card_gap": 0.0,
        "campaign_week": np.where(targeted, rng.choice(np.arange(30, 53, 2), n), N_WEEKS),
        "luck": rng.exponential(1, n),
        "declines": rng.random(n) < world.decline_share,
        "beyond": False,
        "adherent": False,
        "tier": "",
    }


def _columns(people: DataFrame) -> dict[str, ndarray]:
    """Return every number as a column that spreads over weeks, shape (n_customers, 1)."""
    numbers = people.select_dtypes(["number", "bool"])
    return {name: numbers[name].to_numpy(np.float32)[:, None] for name in numbers}


def lapse_week(world: World, people: DataFrame) -> ndarray:
    """Return the first week without the customer, `N_WEEKS` for those who stay; shape (n,).

    All that matters is a column of `people`, so that an arm of an experiment is another column.
    """
    week = np.arange(N_WEEKS, dtype=np.float32)
    column = _columns(people)
    card = (week >= column["card_week"]) & ((week < LANDMARK) | (week >= column["card_gap"]))
    campaign = (week >= column["campaign_week"]) & (week < column["campaign_week"] + 52)
    habits = (
        world.beyond_log_hazard * column["beyond"] + world.visit_log_hazard * column["adherent"]
    )
    log_factor = (
        world.satisfaction_log_hazard * column["satisfaction"]
        + world.affinity_log_hazard * column["affinity"]
        + world.card_log_hazard * card
        + column["case_log_hazard"] * (week > column["case_week"])
        + world.campaign_log_hazard * campaign
        + habits * (week >= LANDMARK)
    )
    hazard = world.lapse_hazard * np.exp(log_factor) * (week > column["joined"])
    return (np.cumsum(hazard, axis=1) < column["luck"]).sum(axis=1)


def visit_rate(world: World, people: DataFrame, lapse: ndarray, weeks: ndarray) -> ndarray:
    """Return expected visits a week of customers who lapse then, shape (n_customers, n_weeks)."""
    column = _columns(people)
    week = weeks.astype(np.float32)
    age, left = week - column["joined"], lapse[:, None].astype(np.float32) - week
    bond = (
        world.satisfaction_visits * column["satisfaction_later"]
        + world.loyalty_visits * column["loyalty"]
        + world.beyond_visits * column["beyond"]
    )
    log_rate = (
        column["log_rate"]
        + column["drift"] * (week - LANDMARK) / 52
        + column["season"] * np.cos(2 * np.pi * (week - 3) / 52)
        + bond * (week >= LANDMARK)
    )
    ramp = 1 - world.ramp_depth * np.exp(-np.maximum(age, 0) / 10)
    fading = column["declines"] * (lapse[:, None] < N_WEEKS)
    fade = 1 - fading * world.decline_depth * np.clip(1 - left / world.decline_weeks, 0, 1)
    return np.exp(log_rate) * ramp * fade * ((age >= 0) & (left > 0))


def _history(world: World, people: DataFrame, rng: Generator) -> History:
    """Live the first year, form habits from what is visible in it, live the second."""
    first, second = np.split(np.arange(N_WEEKS), [LANDMARK])
    early = _visits(world, people, lapse_week(world, people), first, rng)
    early_volume = _volume(people, early, rng)
    people = people.assign(**_habits(world, people, early, early_volume, rng))
    people = people.assign(lapse=lapse_week(world, people))
    late = _visits(world, people, people["lapse"].to_numpy(), second, rng)
    visits = np.hstack([early, late])
    beyond, spent = _beyond(world, people, visits, rng)
    return History(
        people, visits, np.hstack([early_volume, _volume(people, late, rng)]), beyond, spent
    )


def _visits(
    world: World, people: DataFrame, lapse: ndarray, weeks: ndarray, rng: Generator
) -> ndarray:
    visits = np.minimum(rng.poisson(visit_rate(world, people, lapse, weeks)), 7).astype(np.int8)
    joins = np.flatnonzero(people["joined"].between(weeks[0], weeks[-1]))
    week = people["joined"].to_numpy()[joins] - weeks[0]
    visits[joins, week] = np.maximum(visits[joins, week], 1)
    return visits


def _volume(people: DataFrame, visits: ndarray, rng: Generator) -> ndarray:
    """Draw a week's volume as the sum of its visits' gamma volumes (shape 16)."""
    volume = np.zeros(visits.shape)
    bought = visits > 0
    row = np.nonzero(bought)[0]
    volume[bought] = rng.gamma(16.0 * visits[bought]) / 16 * people["size"].to_numpy()[row]
    return volume


def _habits(
    world: World, people: DataFrame, visits: ndarray, volume: ndarray, rng: Generator
) -> dict:
    """Form habits from the first year's purchases: buying beyond fuel, tier, visits as planned."""
    n = len(people)
    sales = (volume * weekly_price(people, np.arange(LANDMARK))).sum(axis=1)
    years = np.log1p(np.maximum(LANDMARK - people["joined"], 0) / 52)
    odds = (
        world.beyond_level
        + world.beyond_by_visits * (np.log1p(visits.sum(axis=1)) - 3)
        + 0.2 * (years - 1)
        + 0.2 * (~people["suburban"])
        + world.beyond_by_satisfaction * people["satisfaction"]
    )
    half = volume[:, :26].sum(axis=1)
    falling = volume[:, 26:].sum(axis=1) < 0.8 * half
    core = people["segment"].isin(CORE)
    kept = rng.random(n) < world.adherent_share + world.visit_by_risk * falling
    return {
        "beyond": (rng.random(n) < special.expit(odds)) & (sales > 0),
        "tier": np.where(core, tiers(np.where(core, sales, 0)), ""),
        "adherent": core & kept,
    }


def tiers(sales: ndarray) -> ndarray:
    """Return class A (largest, to 55 % of the sales), B (to 85 %) or C per customer, shape (n,)."""
    order = np.argsort(-sales, kind="stable")
    before = np.empty(len(sales))
    before[order] = np.cumsum(sales[order]) - sales[order]
    share = before / max(sales.sum(), 1e-9)
    return np.where(sales <= 0, "C", np.select([share < 0.55, share < 0.85], ["A", "B"], "C"))


def beyond_probability(world: World, people: DataFrame, weeks: ndarray) -> ndarray:
    """Return the share of visits that buy beyond fuel too, shape (n_customers, n_weeks)."""
    habit = people["beyond"].to_numpy()[:, None]
    later = np.where(weeks >= LANDMARK, world.beyond_later_share, 0)
    return np.where(habit, world.beyond_share, later)


def _beyond(
    world: World, people: DataFrame, visits: ndarray, rng: Generator
) -> tuple[ndarray, ndarray]:
    counts = rng.binomial(visits, beyond_probability(world, people, np.arange(N_WEEKS)))
    none = np.flatnonzero(people["beyond"] & (counts[:, :LANDMARK].sum(axis=1) == 0))
    counts[none, visits[none, :LANDMARK].argmax(axis=1)] = 1
    spent = np.zeros(visits.shape)
    some = counts > 0
    usual = (world.beyond_spend * people["size"] * people["price"]).to_numpy()
    spent[some] = rng.gamma(2.0 * counts[some]) / 2 * usual[np.nonzero(some)[0]]
    return counts, spent


def draw(world: World, n_customers: int, seed: int) -> dict[str, DataFrame]:
    """Return the five tables of one region, with the contract's columns.

    Parameters
    ----------
    world : World
        What is true in the region.
    n_customers : int
        Rows of the customers table.
    seed : int
        The same seed gives the same tables.
    """
    history, rng = simulate(world, n_customers, seed), _generators(seed)
    people = history.people
    code = "".join(part[0] for part in re.split(r"[\s-]+", world.region.rpartition(" ")[0] or "X"))
    ids = np.array([f"{code.upper()}{number:05d}" for number in range(1, n_customers + 1)])
    lines = _transactions(world, history, ids, rng["transactions"])
    return {
        "customers": _customers(world, people, ids, lines),
        "survey": pd.concat([_wave(world, people, ids, k, rng["survey"]) for k in WAVES]),
        "complaints": _complaints(world, people, ids, rng["complaints"]),
        "transactions": lines,
        "contacts": _contacts(world, people, ids, rng["contacts"]),
    }


def _day(days: ndarray) -> ndarray:
    """Return days since the start as dates; a missing number gives a missing date."""
    return START.astype("datetime64[s]") + pd.to_timedelta(np.asarray(days), unit="D")


def _customers(world: World, people: DataFrame, ids: ndarray, lines: DataFrame) -> DataFrame:
    first = lines.groupby("customer_id")["bought_at"].min().dt.normalize().reindex(ids)
    old = people["joined"].to_numpy() < 0
    joined = np.where(old, _day(people["joined"] * 7 + people.index % 7), first)
    has_card = people["card_week"] < people["lapse"]
    card = np.maximum(_day((people["card_week"] * 7).where(has_card)), joined)
    return DataFrame(
        {
            "customer_id": ids,
            "region": world.region,
            "segment": people["segment"],
            "area": np.where(people["suburban"], "suburban", "urban"),
            "joined_on": joined,
            "card_since": pd.Series(card).where(has_card),
        }
    )


def answers(world: World, people: DataFrame, wave: int, rng: Generator) -> DataFrame:
    """Return everyone's latent answers in a wave, one row per customer.

    A score per item with a spread of about one, before it becomes a whole number (`to_scale`); and
    had_works (bool), told_others (people), responds (bool). Stations inform from wave 2 on.
    """
    n = len(people)
    informed = people["informed"].to_numpy() & (wave == 2)
    had_works = rng.random(n) < world.works_share
    quality = world.works_quality_gap * informed + rng.standard_normal(n)
    latent = people["satisfaction" if wave == 1 else "satisfaction_later"].to_numpy()
    works = world.works_slope * quality + world.works_communication * informed
    mood = latent + world.wave_noise * rng.standard_normal(n) + had_works * works
    agree = world.acquiescence * rng.standard_normal(n)
    single = [name for name in ITEMS if name in people]
    scores = people[single] + world.single_noise * rng.standard_normal((n, len(single)))
    scores[list(COSTS)] -= 0.5
    scores["works_quality"] = quality
    scores["works_communication"] = -0.9 + 1.8 * informed + 0.7 * rng.standard_normal(n)
    bond = people["loyalty"].to_numpy() / 1.1
    for items, score in ((SATISFACTION, SATISFACTION_UNIT * mood), (LOYALTY, bond)):
        scores[list(items)] = score[:, None] + world.item_noise * rng.standard_normal((n, 3))
    engaged = -0.1 + 0.35 * people["log_rate"] + 0.25 * people["loyalty"]
    told = world.told_mean * np.exp(world.told_slope * mood) * rng.gamma(world.told_shape, size=n)
    return (scores + agree[:, None]).assign(
        had_works=had_works,
        told_others=_heaped(rng.poisson(told / world.told_shape), rng),
        responds=rng.random(n) < special.expit(engaged),
    )


def to_scale(scores: ndarray) -> ndarray:
    """Return answers from 1 to 10 for latent scores; same shape."""
    return 1 + np.searchsorted(CUTS * 1.1, scores)


def to_items(latent: DataFrame) -> DataFrame:
    """Return every item from 1 to 10; a point of expectation and performance is equally large."""
    items = DataFrame(to_scale(latent[[*ITEMS]].to_numpy()), columns=[*ITEMS])
    for name in ("expectation", "performance"):
        items[name] = np.clip(np.rint(6.8 + 1.7 * latent[name]), 1, 10).astype(int)
    return items


def _heaped(counts: ndarray, rng: Generator) -> ndarray:
    """Round some of the larger counts to fives, as people do."""
    rounded = (counts > 4) & (rng.random(len(counts)) < 0.4)
    return np.where(rounded, 5 * np.rint(counts / 5), counts).astype(int)


def took_part(people: DataFrame, latent: DataFrame, wave: int) -> ndarray:
    """Return who answered a wave: customers at the time who respond; shape (n_customers,)."""
    first, last = WAVES[wave]
    return (latent["responds"] & (people["joined"] < first) & (people["lapse"] > last)).to_numpy()


def _wave(world: World, people: DataFrame, ids: ndarray, wave: int, rng: Generator) -> DataFrame:
    latent = answers(world, people, wave, rng)
    first, last = WAVES[wave]
    days = rng.integers(first * 7, last * 7 + 7, len(people))
    scale = to_items(latent).astype("Int64")
    scale = scale.mask(rng.random(scale.shape) < 0.03)
    scale.loc[~latent["had_works"], ["works_quality", "works_communication"]] = pd.NA
    scale.loc[~people["business"], ["org_benefit", "personal_benefit"]] = pd.NA
    frame = DataFrame(
        {
            "customer_id": ids,
            "answered_on": _day(days),
            "station_id": _stations(people["station"]),
            **{name: scale[name] for name in ITEMS},
            "channel": people["channel"],
            "had_works": np.where(latent["had_works"], "true", "false"),
            "told_others": latent["told_others"].astype("Int64"),
        }
    )
    return frame[took_part(people, latent, wave)]


def _stations(numbers: ndarray) -> ndarray:
    return np.array([f"S{number + 1:02d}" for number in numbers])


def case_scores(
    world: World, people: DataFrame, within: ndarray, told: ndarray, noise: ndarray
) -> ndarray:
    """Return latent satisfaction after a case settled within three days or later, explained or not.

    All of shape (n_customers,): `within` and `told` are bool, `noise` is standard normal.
    """
    explanation = world.explanation_effect * np.where(told, 0.5, -0.5)
    return (
        0.45 * people["satisfaction"]
        + world.day_slope * (people["case_days"] - 3)
        + world.severity_effect * (people["severity"] - 2.8)
        + np.where(within, world.promise_jump, explanation)
        + 0.8 * noise
    ).to_numpy()


def has_case(people: DataFrame) -> ndarray:
    """Return who complained while a customer, shape (n_customers,)."""
    return people["case_week"].between(people["joined"] + 1, people["lapse"] - 1).to_numpy()


def _complaints(world: World, people: DataFrame, ids: ndarray, rng: Generator) -> DataFrame:
    ids, people = ids[has_case(people)], people[has_case(people)]
    n, days = len(people), people["case_days"].to_numpy()
    opened = START + people["case_day"].to_numpy()
    late = days > 3
    told = late & people["explained"].to_numpy()
    after = to_scale(case_scores(world, people, ~late, told, rng.standard_normal(n)) / 1.05)
    settled = rng.random(n) > 0.02
    minutes = rng.integers(0, 240, (3, n)).astype("timedelta64[m]")
    morning, afternoon = np.timedelta64(8 * 60 + 30, "m"), np.timedelta64(13 * 60, "m")
    answered = pd.Series(np.busday_offset(opened, days) + afternoon + minutes[1])
    explained = pd.Series(np.busday_offset(opened, 3) + afternoon + minutes[2])
    return DataFrame(
        {
            "complaint_id": [f"{customer}-1" for customer in ids],
            "customer_id": ids,
            "kind": rng.choice(["billing", "delivery", "equipment", "quality", "service"], n),
            "channel": people["channel"].to_numpy(),
            "severity": people["severity"].to_numpy(),
            "opened_at": opened + morning + minutes[0],
            "explained_at": explained.where(told),
            "resolved_at": answered.where(settled),
            "satisfaction_after": pd.Series(after, dtype="Int64").where(
                settled & (rng.random(n) < 0.9)
            ),
        }
    ).sort_values(["opened_at", "complaint_id"], ignore_index=True)


def _transactions(world: World, history: History, ids: ndarray, rng: Generator) -> DataFrame:
    who, week = np.nonzero(history.visits)
    counts = history.visits[who, week]
    place = np.repeat(np.arange(len(who)), counts)
    turn = np.arange(len(place)) - np.repeat(np.cumsum(counts) - counts, counts)
    days = rng.random((len(who), 7)).argsort(axis=1)[place, turn] + 7 * week[place]
    person, week = who[place], week[place]
    people = history.people
    visit = DataFrame(
        {
            "person": person,
            "bought_at": _day(days) + _moments(people["evening"].to_numpy()[person], rng),
            "station_id": _visited(people, person, rng),
        }
    )
    price = weekly_price(people, np.arange(N_WEEKS))[person, week]
    quantity = history.volume[person, week] * _shares(place, rng, 16.0)
    fuel = visit.assign(
        product=np.where(people["segment"] == "restaurant", "gas", "fuel")[person],
        quantity=quantity,
        amount=quantity * price,
        margin=people["margin"].to_numpy()[person],
    )
    extra = turn < history.beyond[person, week]
    spent = history.beyond_sales[person, week][extra] * _shares(place[extra], rng, 2.0)
    other = visit[extra].assign(
        product=rng.choice(["shop", "lubricants", "services"], extra.sum(), p=[0.7, 0.15, 0.15]),
        quantity=1.0 + rng.poisson(0.5, extra.sum()),
        amount=spent,
        margin=world.beyond_margin,
    )
    return _tidy_lines(pd.concat([fuel, other]), ids, rng)


def _shares(group: ndarray, rng: Generator, shape: float) -> ndarray:
    """Split every week's total at random over its lines (Dirichlet)."""
    weight = pd.Series(rng.gamma(shape, size=len(group)))
    return (weight / weight.groupby(group).transform("sum")).to_numpy()


def _moments(evening: ndarray, rng: Generator) -> ndarray:
    late = rng.random(len(evening)) < evening
    hour = np.where(late, rng.integers(18, 23, len(late)), rng.integers(6, 18, len(late)))
    return pd.to_timedelta(hour * 60 + rng.integers(0, 60, len(late)), unit="m")


def _visited(people: DataFrame, person: ndarray, rng: Generator) -> ndarray:
    names = _stations(np.arange(people["station"].max() + 1))
    home = people["station"].to_numpy()[person]
    away = rng.integers(0, len(names), len(person))
    return names[np.where(rng.random(len(person)) < 0.85, home, away)]


def _tidy_lines(lines: DataFrame, ids: ndarray, rng: Generator) -> DataFrame:
    amount = lines["amount"].clip(lower=0.01).round(2)
    margin = lines["margin"] + 0.01 * rng.standard_normal(len(lines))
    lines = lines.assign(
        customer_id=ids[lines["person"]],
        quantity=lines["quantity"].clip(lower=0.01).round(2),
        amount=amount,
        cost=(amount * (1 - margin)).round(2),
    ).sort_values(["bought_at", "customer_id", "product"], ignore_index=True)
    columns = ["customer_id", "bought_at", "station_id", "product", "quantity", "amount", "cost"]
    return lines[columns]


def _contacts(world: World, people: DataFrame, ids: ndarray, rng: Generator) -> DataFrame:
    blocks = [
        _campaign(world, people, "acquire", rng),
        _campaign(world, people, "retain", rng),
        _calls(people, rng),
        _account_visits(world, people, rng),
    ]
    frame = pd.concat(blocks, ignore_index=True)
    frame.insert(0, "customer_id", ids[frame.pop("person")])
    frame["contacted_on"] = _day(frame["contacted_on"])
    return frame.sort_values(["contacted_on", "customer_id", "kind"], ignore_index=True)


def _campaign(world: World, people: DataFrame, purpose: str, rng: Generator) -> DataFrame:
    """Return a row per customer won (campaign of the four weeks) or per customer contacted."""
    if purpose == "acquire":
        week = (people["joined"] // 4 * 4).where(people["joined"] >= 0)
    else:
        open_to = people["campaign_week"].between(people["joined"] + 1, people["lapse"] - 1)
        week = people["campaign_week"].where(open_to & (people["campaign_week"] < N_WEEKS))
    week = week.dropna().astype(int)
    mean = world.acquire_cost if purpose == "acquire" else world.retain_cost
    sd = world.campaign_sd
    level = mean * np.exp(sd * rng.standard_normal(N_WEEKS) - sd**2 / 2)
    return _contact_rows(week.index, week * 7, "campaign", purpose, level[week])


def _calls(people: DataFrame, rng: Generator) -> DataFrame:
    person = np.flatnonzero(rng.random(len(people)) < 0.3)
    first = np.maximum(people["joined"].to_numpy()[person], 0) * 7
    day = rng.integers(first, N_WEEKS * 7)
    return _contact_rows(person, day, "call", "service", np.full(len(person), 5.0))


def _account_visits(world: World, people: DataFrame, rng: Generator) -> DataFrame:
    core = people[people["tier"] != ""]
    first = np.maximum(core["joined"].to_numpy(), 0) * 7
    months = (N_WEEKS * 7 - first) / (364 / 12)
    count = rng.poisson(months * planned_visits(world, core))
    person, first = np.repeat(core.index, count), np.repeat(first, count)
    day = rng.integers(first, N_WEEKS * 7)
    return _contact_rows(person, day, "visit", "service", rng.gamma(9, 80 / 9, len(person)))


def planned_visits(world: World, people: DataFrame) -> ndarray:
    """Return expected visits a month to key accounts, shape (n_customers,)."""
    plan = people["tier"].map(dict(zip("ABC", world.visit_plan, strict=True))).to_numpy()
    return plan * np.where(people["adherent"], 1.0, world.under_visited)


def _contact_rows(
    person: ndarray, day: ndarray, kind: str, purpose: str, cost: ndarray
) -> DataFrame:
    return DataFrame(
        {
            "person": np.asarray(person),
            "contacted_on": np.asarray(day),
            "kind": kind,
            "purpose": purpose,
            "cost": np.round(np.asarray(cost, float), 2),
        }
    )


def write_example(folder: Path, seed: int = SEED) -> None:
    """Write the tables of all regions and the truth planted in them; all of it or nothing.

    Parameters
    ----------
    folder : Path
        Replaced if it holds an earlier example: customers, survey, complaints, contacts and truth
        as CSV, transactions as Parquet.
    seed : int
        The same seed gives the same bytes.

    Raises
    ------
    FileExistsError
        If the folder holds anything else.
    """
    from analysis.example_truth import truth_table

    folder = Path(folder)
    strangers = {path.name for path in folder.glob("*")} - FILES
    if strangers:
        raise FileExistsError(f"{folder} holds other files: {', '.join(sorted(strangers))}")
    worlds = regional_worlds(seed=seed)
    drawn = [draw(world, REGIONS[name], region_seed(name, seed)) for name, world in worlds.items()]
    tables = {name: pd.concat([each[name] for each in drawn]) for name in drawn[0]}
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as parent:
        fresh, old = Path(parent) / "fresh", Path(parent) / "old"
        _write_tables(tables | {"truth": truth_table(worlds, seed)}, fresh)
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)


def _write_tables(tables: dict[str, DataFrame], folder: Path) -> None:
    folder.mkdir()
    for name, table in tables.items():
        if name == "transactions":
            lines = table.sort_values(["bought_at", "customer_id", "product"])
            lines.to_parquet(folder / f"{name}.parquet", index=False, compression="zstd")
        else:
            table.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
