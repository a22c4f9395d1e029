"""The truth of H17 to H22: who stays, and what keeps them.

Retained is to buy in the last 13 of 52 weeks.
"""

import numpy as np
import pandas as pd
from numpy import ndarray
from pandas import DataFrame

from simulation.drawing.accounts import VISITED_UNTIL, planned
from simulation.drawing.behaviour import cumulative_hazard, with_lapse
from simulation.drawing.people import another_week, card_pull
from simulation.sample import CHUNK, MOMENTS, QUARTER, Sample
from simulation.truth.comparison import (
    auc,
    bought_in,
    design,
    gain,
    logit,
    scaled,
    slopes,
    yearly_margin,
)
from simulation.world import LANDMARK, N_WEEKS, World


def h17(sample: Sample) -> dict[str, float]:
    """Odds of no purchase in the next 8 weeks per doubling of 1 + days since the last one.

    Of those who bought in the last 13 weeks, given log visits, log weeks observed and landmark,
    adjusted; AUC with, less without.
    """
    d = sample.moments[: 4 * CHUNK]
    at = [d["week"] == week for week in MOMENTS[1:]]
    lapse, pace = d["lapse"].to_numpy(), (d["log_visits"], d["log_weeks"], *at)
    found, area = logit(design(d, d["recency"], *pace), lapse)
    return {"odds_ratio": np.exp(found[0]), "auc_gain": area - logit(design(d, *pace), lapse)[1]}


def h18(sample: Sample) -> dict[str, float]:
    """AUC of the volume of 4 weeks against 20, seasons taken out; of a logit with it, less without.

    Of regulars (10 visits in weeks 24 to 5 before a landmark) who bought in the 4 weeks before and
    after it; lapse is no purchase in the 13 weeks that follow. The logit has recency and rate. And
    the median days of alarm (10 % false) unbroken up to the last purchase, of the lost who were
    regulars in the 26 weeks before it and alarmed at it: an alarm stays as it was last known.
    """
    d = sample.moments[sample.moments["watched"]]
    lapse, change = d["lapse_later"].to_numpy(), d["change"].to_numpy()
    base = np.column_stack([np.ones(len(d)), d["recency"], d["log_rate"]])
    with_it, without = (logit(each, lapse)[1] for each in (np.column_stack([base, change]), base))
    lead = sample.leads.median()
    return {"auc": auc(lapse, -change), "auc_gain": with_it - without, "lead_days": lead}


def h19(sample: Sample) -> dict[str, float]:
    """Rate of lapse if all had a card over none; a card now less one later, as it comes.

    Retained, and margin over its mean, a year after: of those who take a card, and of those with
    none in a week in which one of them takes it, who bought in the 13 weeks before and in 4 after.
    Who does so is told in each arm anew, as in a trial: a card keeps some who were gone without it.
    """
    d, world = sample.everyone, sample.world
    rng = np.random.default_rng(0)
    takers = d[d["card_week"].between(QUARTER, LANDMARK) & (d["card_week"] < d["lapse"])]
    takers = takers.assign(start=takers["card_week"].astype(int))
    others = d.assign(start=rng.choice(takers["start"], len(d)))
    others = others[others[["card_week", "lapse"]].min(axis=1) > others["start"]]
    both = pd.concat([takers, others])[:: 1 + (len(takers) + len(others)) // (3 * CHUNK)]
    takes = (both["card_week"] <= both["start"]).to_numpy()
    hazard = world.card_hazard * np.exp(card_pull(world, both))
    later = both["start"] + np.ceil(rng.exponential(1, len(both)) / hazard)
    later = later.where(takes, both["card_week"])
    luck = rng.exponential(1, len(both))  # of what is to come, the same in both arms
    now, then = (_from(world, both.assign(card_week=each), luck) for each in (both["start"], later))
    number = [(here * arm["weight"]).sum() for here, arm in ((takes, now), (~takes, then))]
    means = [np.average(arm["value"], weights=arm["weight"]) for arm in (now, then)]
    kept = [np.average(arm["retained"], weights=arm["weight"]) for arm in (now, then)]
    return {
        "hazard_ratio": _rate_ratio(world, sample.everyone[: 5 * CHUNK]),
        "retention": kept[0] - kept[1],
        "margin": (means[0] - means[1]) / np.average(means, weights=number),
    }


def _from(world: World, people: DataFrame, luck: ndarray) -> DataFrame:
    """Return what becomes of customers who are there at the start, in one arm.

    Margin of the year and the chance to be retained, weighted by the chance to have bought in the
    13 weeks before the start and in the 4 after it.
    """
    start = people["start"].to_numpy()
    before = cumulative_hazard(world, people)[np.arange(len(people)), start - 1]
    arm = with_lapse(world, people.assign(luck=before + luck))
    return DataFrame(
        {
            "weight": bought_in(world, arm, start - QUARTER, QUARTER)
            * bought_in(world, arm, start, 4),
            "value": yearly_margin(world, arm, start),
            "retained": bought_in(world, arm, start + 39, QUARTER),
        }
    )


def _rate_ratio(world: World, people: DataFrame) -> float:
    """Return the rate of lapse if all had a card over that if none had (Mantel-Haenszel).

    From half a year after joining on; strata are segment, area and quarter, so that the rate of
    those who are left is compared with that of those who are left.
    """
    entry = people["joined"].clip(lower=0) + 2 * QUARTER
    cells = []
    for card_week in (-N_WEEKS * 10, N_WEEKS):
        stop = with_lapse(world, people.assign(card_week=card_week))["lapse"]
        for start in range(0, N_WEEKS, QUARTER):
            low = np.maximum(entry, start)
            time = (np.minimum(stop, start + QUARTER) - low).clip(lower=0)
            lost = (stop > low) & (stop <= start + QUARTER) & (stop < N_WEEKS)
            sums = DataFrame({"time": time, "lost": lost})
            sums = sums.groupby([people["segment"], people["suburban"]]).sum()
            cells.append(sums.assign(start=start).set_index("start", append=True))
    n = len(cells) // 2
    card, none = pd.concat(cells[:n]), pd.concat(cells[n:])
    total = card["time"] + none["time"]
    weighted = [(a["lost"] * b["time"] / total).sum() for a, b in ((card, none), (none, card))]
    return weighted[0] / weighted[1]


def h20(sample: Sample) -> dict[str, float]:
    """Retained, all key accounts visited as promised less none; planned visits a month by tier.

    The tier is the class by fuel sales of the year before; both are of key accounts with sales in
    that year who bought in its last quarter, and in the last 4 weeks of the 13 of the visits.
    """
    d, world = sample.everyone, sample.world
    d = d[(d["tier"] != "") & (d["sales_before"] > 0)]
    d = d[d["active"]]
    chance = bought_in(world, d, VISITED_UNTIL - 4, 4)
    d = d[np.random.default_rng(0).random(len(d)) < chance]
    arms = [with_lapse(world, d[:CHUNK].assign(visited=arm)) for arm in (True, False)]
    visits = pd.Series(planned(world, d), d.index).groupby(d["tier"]).mean()
    monthly = {f"visits_{tier.lower()}": visits[tier] for tier in "ABC"}
    return {"retention": gain(world, LANDMARK, *arms)} | monthly


def h21(sample: Sample) -> dict[str, float]:
    """Cost per customer won over cost per customer kept: spent / retained, both now less not now.

    Of those who bought in the quarter before their campaign. Not now is as it comes: some of them
    are contacted in a later campaign, and some of those stay because of it.
    """
    d, world = sample.everyone, sample.world
    d = d[d["reached"]][:CHUNK]
    week = d["campaign_week"].to_numpy()
    later = another_week(world, d, np.random.default_rng(0))
    without = with_lapse(world, d.assign(campaign_week=later))
    kept = gain(world, week, d, without)
    again = bought_in(world, without, later - 13, 13) * (later < N_WEEKS)
    spent = world.retain_cost * (1 - again.mean())
    return {"cost_ratio": world.acquire_cost * kept / spent}


def h22(sample: Sample) -> dict[str, float]:
    """Product of org and personal benefit, in SD each, given both and squares, of businesses.

    Loyalty index, SD; latent first item / SD left.
    """
    d = sample.answered[sample.answered["business"]]
    organisation, person = scaled(d["item_org_benefit"]), scaled(d["item_personal_benefit"])
    squares = (organisation**2, person**2)
    drivers = (organisation * person, organisation, person, *squares)
    index, _ = slopes(d, scaled(d["loyalty_index"]), *drivers)
    latent, left = slopes(d, d["latent_loyalty_1"], *drivers)
    return {"index": index[0], "latent": latent[0] / left}
