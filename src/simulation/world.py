"""What is true in an example region: its calendar, segments and effects, and how regions differ.

Weeks count from `START`; week `LANDMARK` begins the last year.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy import ndarray
from numpy.random import Generator
from pandas import DataFrame

START = np.datetime64("2024-07-02")
N_WEEKS, LANDMARK = 104, 52
WAVES = {0: (4, 8), 1: (20, 24), 2: (46, 51)}  # first and last week of asking
SEED = 20260630
REGIONS = {"North 华北": 5400, "East 华东": 9000, "South 华南": 6600}  # customers
REGIONS |= {"South-west 西南": 2700, "North-west 西北": 900, "Central 华中": 1800}
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
DRIVERS = ("ride_hailing", "van")


@dataclass(frozen=True)
class World:
    """What is true in a region; every effect is zero when its parameter is.

    Attitudes are latent, with a standard deviation of about one; effects on visits and on lapse are
    on the log of a rate or hazard a week. Parameters that set a trap are zero by default.
    """

    region: str = "Example"
    # satisfaction
    station_sd: float = 0.25
    station_size: float = np.inf  # customers of a station, where that makes more than 24 of them
    value_slopes: tuple[float, ...] = (0.35, 0.25, 0.15, 0.05)
    cost_slopes: tuple[float, ...] = (-0.25, -0.10, -0.05, 0.0)
    performance_quality: float = 0.5  # quality seen is in values and costs, too
    performance_slope: float = 0.20
    expectation_slope: float = -0.15
    loss_slope: float = 0.90  # per unit below expectation, on top of the two slopes
    acquiescence: float = 0.0  # trap: the same tendency to agree in every item
    halo: float = 0.0  # trap: one impression in the items of performance and satisfaction
    halo_on_expectation: float = 0.5  # as a share of it
    item_noise: float = 0.72
    online_suburban: float = 0.70
    on_site_urban: float = 0.10
    works_slope: float = 0.20
    works_communication: float = 0.90
    station_mood: tuple[float, float, float] = (0.0, 0.0, 0.0)  # trap: by wave, where they inform
    service_price_slope: float = -0.30
    told_slope: float = -0.45
    told_shape: float = 1.5  # of the gamma; smaller is more over-dispersed
    loyalty_slope: float = 0.60
    synergy: float = 0.42
    choice: tuple[float, float, float] = (0.60, 0.40, 0.20)  # loyalty by fuel, price, location
    halo_on_loyalty: float = 0.0  # trap: of the impression, in ratings of fuel and loyalty
    # complaints
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
    season: float = 1.0  # trap: factor on the seasons of the segments
    late_newcomers: float = 0.0  # trap: share of newcomers who join shortly before a landmark
    visit_level: float = 0.0
    driver_pace: float = 0.0  # of ride-hailing and vans, on the log of their visits
    key_account_spread: float = 1.0  # factor on the spread of their quantities
    satisfaction_visits: float = 0.03
    loyalty_visits: float = 0.20
    # lapse
    lapse_hazard: float = 0.008
    satisfaction_log_hazard: float = -0.35
    affinity_log_hazard: float = -0.30
    card_hazard: float = 0.008
    card_affinity: float = 0.60
    card_by_loyalty: float = 0.0  # trap: loyal customers take the card
    card_log_hazard: float = -0.50
    card_visits: float = 0.0  # trap: with the card they come more often, and leave no later
    decline_share: float = 0.90
    decline_weeks: float = 26.0  # before they leave
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
    visit_log_hazard: float = 0.0  # of accounts visited as promised in the quarter after
    visit_by_risk: float = 0.0  # trap: whoever is dissatisfied is visited
    campaign_log_hazard: float = -0.60
    acquire_cost: float = 600.0  # CNY per customer won
    retain_cost: float = 8.4  # CNY per customer contacted
    campaign_by_loyalty: float = 0.0  # trap: the satisfied are contacted
    cost_outliers: float = 0.0  # rough: SD of the log of each contact's own cost in a campaign
    # an attachment that nobody records: log odds of shop, complaint, campaign and visits as
    # planned, log hazard of the card, and less of lapse
    attachment: float = 0.0  # trap
    attachment_visits: float = 0.25  # of it, on the log of visits in the last year
    attachment_satisfaction: float = 0.0  # trap: of its SD, on satisfaction
    # rough data
    tail_df: float = 0.0  # of Student's t for attitudes, rates and quantities; 0 is the normal
    j_shaped: bool = False  # most answers at the top, some at the bottom
    straight_lining: float = 0.0  # share who give one number throughout
    silence: float = 0.0  # log odds to answer, per unit of satisfaction
    chosen: float = (
        0.0  # trap: log odds to be asked, per unit of satisfaction; answers have weights
    )
    pauses: float = 0.0  # share who buy nothing for 8 to 20 weeks, and come back
    two_rates: float = 0.0  # SD of the log by which each one's visits change, once


CLEAR_WORLD = World(
    station_sd=0.15,
    station_size=125,
    item_noise=0.40,
    loss_slope=1.35,
    online_suburban=1.05,
    on_site_urban=1.05,
    works_communication=1.20,
    told_slope=-0.345,
    synergy=0.60,
    promise_jump=0.70,
    explanation_effect=0.70,
    handling_effect=1.80,
    quick_log_hazard=-0.20,
    season=0.80,
    key_account_spread=0.40,
    driver_pace=-0.06,
    loyalty_visits=0.25,
    lapse_hazard=0.015,
    decline_share=1.0,
    decline_weeks=39.0,
    card_log_hazard=-0.90,
    beyond_log_hazard=-0.80,
    beyond_visits=0.10,
    visit_plan=(3.4, 2.3, 1.15),
    visit_log_hazard=-0.90,
    campaign_log_hazard=-0.70,
    acquire_cost=1_500.0,
)
"""Every effect that a world can move lies 1.5 smallest effects or more from its claim's edges."""

# Parameters that vary over regions, by their share of the standard deviation between regions.
VARYING = {
    1.0: "loss_slope online_suburban on_site_urban works_communication promise_jump visit_level "
    "explanation_effect handling_effect late_log_hazard card_log_hazard campaign_log_hazard",
    0.7: "service_price_slope synergy key_account_spread beyond_log_hazard",
    0.5: "value_slopes cost_slopes performance_slope told_slope",
    0.3: "satisfaction_visits loyalty_visits",
}


def regional_worlds(seed: int = SEED, tau: float = 0.08) -> dict[str, World]:
    """Return the world of every region: parameters vary around those of `CLEAR_WORLD`.

    `tau` is the standard deviation between regions of a standardised effect; `VARYING` scales it.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,)))
    return {region: replace(CLEAR_WORLD, region=region, **_shifted(tau, rng)) for region in REGIONS}


def _shifted(tau: float, rng: Generator) -> dict:
    shifted = {}
    for scale, names in VARYING.items():
        for name in names.split():
            mean = np.asarray(getattr(CLEAR_WORLD, name))
            value = mean + tau * scale * rng.standard_normal(mean.shape)
            shifted[name] = tuple(value.tolist()) if mean.shape else float(value)
    return shifted


def region_seed(region: str, seed: int = SEED) -> int:
    """Return the seed of one region's draw."""
    place = list(REGIONS).index(region)
    return int(np.random.SeedSequence(seed, spawn_key=(1, place)).generate_state(1)[0])


def dates(days: ndarray) -> pd.DatetimeIndex:
    """Return days since the start as dates; a missing number gives a missing date."""
    return START.astype("datetime64[s]") + pd.to_timedelta(np.asarray(days), unit="D")
