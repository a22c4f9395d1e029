"""The truth of H17 to H22: who stays, and what keeps them.

Retained is to buy in the last 13 of 52 weeks.
"""

import numpy as np
import pandas as pd
from pandas import DataFrame
from scipy import special, stats

from analysis.example.accounts import planned_by_tier
from analysis.example.behaviour import with_lapse
from analysis.example.comparison import (
    auc,
    bought_in,
    gain,
    likeliest,
    logit,
    scaled,
    slopes,
    yearly_margin,
)
from analysis.example.people import another_week
from analysis.example.sample import CHUNK, QUARTER, Sample
from analysis.example.world import LANDMARK, N_WEEKS, World


def h17(sample: Sample) -> dict[str, float]:
    """Odds of no purchase in the next 8 weeks per doubling of 1 + days since the last one.

    Of those who bought in the last 13 weeks, given log visits and log weeks observed, adjusted; AUC
    with, less without.
    """
    d = sample.moments[: 4 * CHUNK]
    lapse, pace = d["lapse"].to_numpy(), (d["log_visits"], d["log_weeks"])
    found, area = logit(d, lapse, d["recency"], *pace)
    return {"odds_ratio": np.exp(found[0]), "auc_gain": area - logit(d, lapse, *pace)[1]}


def h18(sample: Sample) -> dict[str, float]:
    """AUC of the volume of 4 weeks against 20, seasons taken out; of a logit with it, less without.

    Of regulars (10 visits in weeks 24 to 5 before a landmark) who bought in the 4 weeks before and
    after it; lapse is no purchase in the 13 weeks that follow. The logit has recency and rate. And
    the median days of alarm (10 % false) unbroken up to the last purchase.
    """
    d = sample.moments[sample.moments["watched"]]
    lapse, change = d["lapse_later"].to_numpy(), d["change"].to_numpy()
    base = np.column_stack([np.ones(len(d)), d["recency"], d["log_rate"]])
    areas = [
        auc(lapse, columns @ likeliest(columns, lapse, special.expit))
        for columns in (np.column_stack([base, change]), base)
    ]
    lead = sample.leads.median()
    return {"auc": auc(lapse, -change), "auc_gain": areas[0] - areas[1], "lead_days": lead}


def h19(sample: Sample) -> dict[str, float]:
    """Rate of lapse if all had a card over none; card at the landmark less adoption later.

    Retained, and margin over its mean, are those of who had joined 26 weeks before the landmark and
    bought in the last 13 of them; adoption later is at its natural pace.
    """
    d, world = sample.everyone, sample.world
    d = d[d["active"] & (d["joined"] <= LANDMARK - 2 * QUARTER)][:CHUNK]
    hazard = world.card_hazard * np.exp(world.card_affinity * d["affinity"])
    later = LANDMARK + stats.expon.ppf(np.random.default_rng(0).random(len(d))) / hazard
    card = with_lapse(world, d.assign(card_week=d["card_week"].clip(upper=LANDMARK)))
    gap = later.where(d["card_week"] <= LANDMARK, 0.0)
    none = with_lapse(world, d.assign(card_gap=gap))
    more = (yearly_margin(world, card) - yearly_margin(world, none)).mean()
    return {
        "hazard_ratio": _rate_ratio(world, sample.everyone[: 5 * CHUNK]),
        "retention": gain(world, LANDMARK, card, none),
        "margin": more / d["margin_after"].mean(),
    }


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
    that year who bought in the last quarter of the half year of visits.
    """
    d, world = sample.everyone, sample.world
    d = d[(d["tier"] != "") & (d["sales_before"] > 0)]
    d = d[d["active_later"]]
    arms = [with_lapse(world, d[:CHUNK].assign(visited=arm)) for arm in (True, False)]
    visits = planned_by_tier(world, d)
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
    """Product of org and personal benefit, in SD each, given both, of business customers.

    Loyalty index, SD; latent first item / SD left.
    """
    d = sample.answered[sample.answered["business"]]
    organisation, person = scaled(d["item_org_benefit"]), scaled(d["item_personal_benefit"])
    drivers = (organisation * person, organisation, person)
    index, _ = slopes(d, scaled(d["loyalty_index"]), *drivers)
    latent, left = slopes(d, d["latent_loyalty_1"], *drivers)
    return {"index": index[0], "latent": latent[0] / left}
