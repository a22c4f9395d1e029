"""The truth of H17 to H22: who stays, and what keeps them.

Retained is to buy in the last 13 of 52 weeks.
"""

import numpy as np
from scipy import stats

from analysis.example.behaviour import with_lapse
from analysis.example.comparison import auc, gain, logit, scaled, slopes
from analysis.example.sample import CHUNK, Sample
from analysis.example.tables import planned_visits
from analysis.example.world import LANDMARK, N_WEEKS


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
    """AUC of volume of 4 against 20 weeks; of the adjusted logit with it and recency, less without.

    Of regulars (10 visits in weeks 24 to 5 before a landmark) who bought in the 4 weeks before and
    after it; lapse is no purchase in the 13 weeks that follow. And the median days of alarm (10 %
    false) unbroken up to the last purchase.
    """
    d = sample.moments[sample.moments["watched"]].dropna(subset="trend")
    lapse, trend = d["lapse_later"].to_numpy(), np.log(d["trend"].to_numpy())
    more = logit(d, lapse, trend, d["recency"])[1] - logit(d, lapse, d["recency"])[1]
    return {"auc": auc(lapse, -trend), "auc_gain": more, "lead_days": sample.leads.median()}


def h19(sample: Sample) -> dict[str, float]:
    """Hazard ratio as planted; retained with a card from the landmark on less adoption later.

    Of those who bought in the 13 weeks before; adoption later is at its natural pace.
    """
    d, world = sample.everyone[sample.everyone["active"]][:CHUNK], sample.world
    hazard = world.card_hazard * np.exp(world.card_affinity * d["affinity"])
    later = LANDMARK + stats.expon.ppf(np.random.default_rng(0).random(len(d))) / hazard
    card = with_lapse(world, d.assign(card_week=d["card_week"].clip(upper=LANDMARK)))
    gap = later.where(d["card_week"] <= LANDMARK, 0.0)
    retention = gain(world, LANDMARK, card, with_lapse(world, d.assign(card_gap=gap)))
    return {"hazard_ratio": np.exp(world.card_log_hazard), "retention": retention}


def h20(sample: Sample) -> dict[str, float]:
    """Retained, all key accounts visited as planned less none; planned visits a month by tier.

    Key accounts with sales; the tier is the class by fuel sales of the year before.
    """
    d, world = sample.everyone, sample.world
    d = d[(d["tier"] != "") & (d["sales_before"] > 0)]
    arms = [with_lapse(world, d[:CHUNK].assign(adherent=arm)) for arm in (True, False)]
    visits = planned_visits(world, d)
    monthly = {f"visits_{tier.lower()}": visits[d["tier"] == tier].mean() for tier in "ABC"}
    return {"retention": gain(world, LANDMARK, *arms)} | monthly


def h21(sample: Sample) -> dict[str, float]:
    """Cost per customer won over (cost per contact / gain of retained in the year after it)."""
    d, world = sample.everyone, sample.world
    reached = d["campaign_week"].between(d["joined"] + 1, d["lapse"] - 1)
    d = d[reached & (d["campaign_week"] < N_WEEKS)][:CHUNK]
    without = with_lapse(world, d.assign(campaign_week=N_WEEKS))
    kept = gain(world, d["campaign_week"].to_numpy(), d, without)
    return {"cost_ratio": world.acquire_cost * kept / world.retain_cost}


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
