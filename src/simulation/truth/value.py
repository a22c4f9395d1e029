"""The truth of H12 to H16 and H24: what customers are worth.

The landmark is the first day of week `LANDMARK`; who answered wave 2 had joined before it.
"""

from itertools import pairwise

import numpy as np
from numpy import ndarray
from pandas import DataFrame

from analysis.statistics.value.concentration import A_LIMIT, TOP_SHARE, lorenz
from analysis.statistics.value.customer_segments import lifecycle_stage
from simulation.drawing.behaviour import beyond_probability, visit_rate, weekly_price, with_lapse
from simulation.sample import CHUNK, Sample
from simulation.truth.comparison import gain, log_slopes, scaled
from simulation.world import DRIVERS, LANDMARK, N_WEEKS, World

HALF_YEAR = 182  # days
BLOCKS_A_MONTH = 365.25 / 12 / 28


def h12(sample: Sample) -> dict[str, float]:
    """Last year's buyers: sales of the largest 20 %; customers, largest first, to 55 % of sales."""
    return concentration(sample.everyone["sales_after"])


def concentration(sales: ndarray) -> dict[str, float]:
    """Return the share of sales of the top 20 % of buyers, and the share of them with 55 %."""
    curve = lorenz(sales[sales > 0])
    customers, sold = curve["share_customers"], curve["share_sales"]
    top, a = np.interp(TOP_SHARE, customers, sold), np.interp(A_LIMIT, sold, customers)
    return {"top20_share": top, "a_share": a}


def h13(sample: Sample) -> dict[str, float]:
    """Visits in 26 weeks, index >= 9 over the rest, and over each other group, adjusted.

    Of those who bought in the 13 weeks before the landmark.
    """
    d = sample.answered[sample.answered["active"]]
    top = log_slopes(d, d["visits_after"], d["index"] >= 9)[0]
    edges = pairwise((0, 6, 7.5, 9))
    groups = [(d["index"] >= low) & (d["index"] < high) for low, high in edges]
    others = log_slopes(d, d["visits_after"], *groups)
    return {"top_vs_rest": np.exp(top), "highest": np.exp(-others.max())}


def h14(sample: Sample) -> dict[str, float]:
    """Margin of the last year per SD of the index, given log(1 + margin of the year before)."""
    d = sample.answered
    drivers = scaled(d["index"]), np.log1p(d["margin_before"])
    return {"margin": np.exp(log_slopes(d, d["margin_after"], *drivers)[0])}


def h15(sample: Sample) -> dict[str, float]:
    """Mean margin of the last year by stage at the landmark; differences / mean of all staged.

    The stage is told by sales of the two quarters before; forming is tenure under half a year.
    """
    d = sample.everyone[sample.everyone["tenure_days"] >= 0]
    quarters = d["sales_first"], d["sales_second"]
    stage = lifecycle_stage(*quarters, d["tenure_days"], forming_days=HALF_YEAR)
    mean = d["margin_after"].groupby(stage, observed=False).mean()
    mean /= d["margin_after"][stage.notna()].mean()
    steps = ("growing", "forming"), ("mature", "growing"), ("mature", "declining")
    return {f"{high}_{low}": mean[high] - mean[low] for high, low in steps}


def h16(sample: Sample) -> dict[str, float]:
    """All buying beyond fuel less none: margin of the last year / its mean; retained.

    Of those who bought in the 13 weeks before the landmark and have half a year of tenure. What the
    habit sold before it is a part of it: fuel sales, not all sales, make customers comparable.
    """
    d, world = sample.everyone, sample.world
    d = d[d["active"] & (d["tenure_days"] >= HALF_YEAR)][:CHUNK]
    arms = [with_lapse(world, d.assign(beyond=arm)) for arm in (True, False)]
    with_it, without = (_expected_margin(world, arm) for arm in arms)
    margin = (with_it - without).mean() / np.where(d["beyond"], with_it, without).mean()
    return {"margin": margin, "retention": gain(world, LANDMARK, *arms)}


def _expected_margin(world: World, people: DataFrame) -> ndarray:
    """Return each customer's expected margin of the last year, given when they lapse."""
    weeks = np.arange(LANDMARK, N_WEEKS)
    fuel = weekly_price(people, weeks) * (people["size"] * people["margin"]).to_numpy()[:, None]
    usual = (world.beyond_spend * people["size"] * people["price"]).to_numpy()[:, None]
    beyond = beyond_probability(world, people, weeks) * usual * world.beyond_margin
    return (visit_rate(world, people, weeks) * (fuel + beyond)).sum(axis=1)


def h24(sample: Sample) -> dict[str, float]:
    """Ride-hailing and vans: litres a month, visits a week, share from 17:00 on; means of drivers.

    Of the 4 weeks of the last year in which they bought, as in those before and after. An hour of
    those that are not evening is one of twelve, from 6 to 17.
    """
    d = sample.everyone
    d = d[d["segment"].isin(DRIVERS) & d["litres_in_block"].notna()]
    evening = d["evening"] + (1 - d["evening"]) / 12
    return {
        "litres": d["litres_in_block"].mean() * BLOCKS_A_MONTH,
        "visits": d["visits_in_block"].mean() / 4,
        "evening": evening.mean(),
    }
