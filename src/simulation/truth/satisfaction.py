"""The truth of H01 to H07, H23 and H25: satisfaction, by everybody's latest answers.

Those of H05 are of wave 2, when stations inform.

The index is the mean of three items; latent is an item before it becomes a whole number.
"""

from itertools import combinations
from math import factorial

import numpy as np
import pandas as pd
from numpy import ndarray
from pandas import DataFrame

from simulation.drawing.people import COSTS, REASONS, VALUES
from simulation.drawing.survey import SATISFACTION, SATISFACTION_UNIT, to_scale
from simulation.sample import Sample
from simulation.truth.comparison import log_slopes, scaled, slopes
from simulation.world import World


def h01(sample: Sample) -> dict[str, float]:
    """Slopes on performance and expectation in the quadratic surface, at 5.5; SD per SD."""
    d = sample.latest
    high, wanted = d["item_performance"] - 5.5, d["item_expectation"] - 5.5
    bent = (high**2, high * wanted, wanted**2)
    found, _ = slopes(d, scaled(d["index"]), high, wanted, *bent)
    return {"performance": found[0] * high.std(), "expectation": found[1] * wanted.std()}


def h02(sample: Sample) -> dict[str, float]:
    """Slope on mean of values less mean of costs, SD per SD; LMG share of R2, values less costs."""
    d = sample.latest
    values, costs = (d[[f"item_{name}" for name in names]] for names in (VALUES, COSTS))
    delivered = scaled(values.mean(axis=1) - costs.mean(axis=1))
    found, _ = slopes(d, scaled(d["index"]), delivered)
    shares = importance(pd.concat([values, costs, d["index"]], axis=1).corr().to_numpy())
    return {"delivered_value": found[0], "value_minus_cost": shares[:4].sum() - shares[4:].sum()}


def importance(correlation: ndarray) -> ndarray:
    """Return each driver's share of R2, averaged over all orders (LMG); the outcome is last."""
    p = len(correlation) - 1
    explained, shares = {(): 0.0}, np.zeros(p)
    for chosen in (list(each) for k in range(1, p + 1) for each in combinations(range(p), k)):
        link, among = correlation[chosen, -1], correlation[np.ix_(chosen, chosen)]
        explained[tuple(chosen)] = link @ np.linalg.solve(among, link)
    for chosen, value in explained.items():
        weight = factorial(len(chosen)) * factorial(p - len(chosen) - 1) if len(chosen) < p else 0
        for driver in set(range(p)) - set(chosen):
            shares[driver] += weight * (explained[tuple(sorted((*chosen, driver)))] - value)
    return shares / shares.sum()


def h03(sample: Sample) -> dict[str, float]:
    """Latent first item on shortfall and surplus, points, and expectation; difference / SD left."""
    d = sample.latest
    gap = d["item_performance"] - d["item_expectation"]
    drivers = gap.clip(lower=0), -gap.clip(upper=0), d["item_expectation"]
    (surplus, shortfall, _), left = slopes(d, d["latent_satisfaction_1"], *drivers)
    return {"asymmetry": (-shortfall - surplus) / left}


def _index_change(world: World, d: DataFrame, has: pd.Series, effect: float) -> float:
    """Return the mean change of the index by an effect on satisfaction that some already have."""
    latent = d[[f"latent_{name}" for name in SATISFACTION]].to_numpy()
    without = latent - SATISFACTION_UNIT * effect * has.to_numpy()[:, None]
    with_it = without + SATISFACTION_UNIT * effect
    return (to_scale(world, with_it) - to_scale(world, without)).mean()


def h04(sample: Sample) -> dict[str, float]:
    """Change of the index by the channel: online (suburban), on site (urban) / SD."""
    d, world, sd = sample.latest, sample.world, sample.latest["index"].std()
    suburban, urban = d[d["suburban"]], d[~d["suburban"]]
    online = _index_change(world, suburban, suburban["channel"] == "online", world.online_suburban)
    on_site = _index_change(world, urban, urban["channel"] == "on_site", world.on_site_urban)
    return {"online_suburban": online / sd, "on_site_urban": on_site / sd}


def h05(sample: Sample) -> dict[str, float]:
    """Change of the index by communication, of those with works at informed stations / SD."""
    d, world = sample.answered, sample.world
    told = d[d["had_works"] & d["informed"]]
    change = _index_change(world, told, told["had_works"], world.works_communication)
    return {"communication": change / d["index"].std()}


def h06(sample: Sample) -> dict[str, float]:
    """Ratio of mean told, adjusted: lowest third by index over highest, equal ones by lot."""
    d = sample.latest
    share = d["index"].rank(method="first", pct=True)
    found = log_slopes(d, d["told_others"], share <= 1 / 3, share > 2 / 3)
    return {"told_ratio": np.exp(found[0] - found[1])}


def h07(sample: Sample) -> dict[str, float]:
    """Latent price sensitivity on mean of added service and staff items, per SD / SD left."""
    d = sample.latest
    service = scaled(d["item_added_service"] + d["item_personnel_value"])
    found, left = slopes(d, d["latent_price_sensitivity"], service)
    return {"price_sensitivity": found[0] / left}


def h23(sample: Sample) -> dict[str, float]:
    """Latent first item of loyalty: step of the index from 8 to 10 less that from 6 to 8 / SD left.

    The line of the index bends at 6 and at 8, adjusted.
    """
    d = sample.latest
    pieces = [d["index"].clip(*ends) for ends in ((0, 6), (6, 8), (8, 10))]
    (_, middle, top), left = slopes(d, d["latent_loyalty_1"], *pieces)
    return {"convexity": 2 * (top - middle) / left}


def h25(sample: Sample) -> dict[str, float]:
    """LMG shares of R2 of the loyalty index: rating of fuel less price, price less location."""
    d = sample.latest
    ratings = d[[f"item_{name}" for name in REASONS]]
    shares = importance(pd.concat([ratings, d["loyalty_index"]], axis=1).corr().to_numpy())
    return dict(zip(("fuel_over_price", "price_over_location"), -np.diff(shares), strict=True))
