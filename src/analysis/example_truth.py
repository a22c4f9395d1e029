"""The planted value of every part of the register, in the register's unit.

Structural where an effect has one size, otherwise the same estimand on a large draw from the same
world by plain definition. Items are the answers of all who answered wave 2; *index* is the mean of
three items; *adjusted* is at equal segment, area and log(1 + years of tenure); *retained* is to buy
in the last 13 of 52 weeks; effects on it compare two arms that share their random numbers.

H01  slopes of the index on performance and expectation in the quadratic surface, at 5.5, per SD.
H02  slope on mean of values less mean of costs, per SD; LMG share of R2, values less costs.
H03  latent first item on shortfall and surplus of performance, in points; difference / SD left.
H04  change of the index by the channel: online (suburban), on site (urban) / SD.
H05  change of the index by communication, of those with works at informed stations / SD.
H06  adjusted ratio of mean told: index up to its lower tercile over index from its upper one.
H07  latent price sensitivity on the mean of added service and staff items, per SD / SD left.
H08  policy: <= 3 days less later at equal severity and channel, adjusted / SD after cases; jump:
     change by the third day itself in cases of 3 and 4 days, half of the later ones explained.
H09  change by explanation on day three in cases of more than 3 days / SD after cases.
H10  retained after a first-year case settled in 3 days, less the same customers without a case.
H11  product of adjusted slopes per SD, cases before wave 2: settled in 3 days -> index -> loyalty
     index -> log sales of the last year, each given all that comes before it.
H12  last year's buyers: sales of the largest 20 %; customers, largest first, to 55 % of sales.
H13  visits in 26 weeks, index >= 9 over the rest, and over each other group, adjusted.
H14  margin of the last year per SD of the index, given log(1 + margin of the year before).
H15  mean margin of the last year by stage at the landmark; differences / mean of all staged.
H16  all buying beyond fuel less none: margin of the last year / its mean; retained. What the habit
     sold before the landmark is a part of it: fuel sales, not all sales, make customers comparable.
H17  of those who bought in the last 13 weeks: odds of no purchase in the next 8 per doubling of
     1 + days since the last, given log visits and log weeks observed, adjusted; AUC with, less
     without.
H18  regulars (10 visits in weeks 24 to 5 before a landmark) who bought in the 4 weeks before and
     after it; lapse is no purchase in the 13 weeks that follow. AUC of volume of 4 against 20
     weeks; AUC of the adjusted logit with trend and recency, less with recency; median days of
     alarm (10 % false) unbroken up to the last purchase.
H19  hazard ratio as planted; retained with a card from the landmark on less natural adoption later,
     of those who bought in the 13 weeks before it.
H20  retained, all key accounts visited as planned less none; planned visits a month by tier, which
     is the class by fuel sales of the year before, among key accounts with sales.
H21  cost per customer won over (cost per contact / gain of retained in the year after the contact).
H22  product of org and personal benefit, in SD each, given both: loyalty index per SD; latent first
     item / SD left. Business customers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from math import factorial

import numpy as np
import pandas as pd
from numpy import ndarray
from pandas import DataFrame
from scipy import special, stats

from analysis import example as ex
from analysis.example import LANDMARK, N_WEEKS, History, World

CHUNK = 20_000
YEAR_BEFORE, YEAR_AFTER = slice(0, LANDMARK), slice(LANDMARK, N_WEEKS)


@dataclass(frozen=True)
class Sample:
    """A large draw.

    Attributes
    ----------
    world : World
        What is true.
    everyone : DataFrame
        One row per customer: traits, purchases by period, items and latent answers of wave 2.
    moments : DataFrame
        One row per customer and landmark: recency, trend, lapse.
    leads : ndarray, shape (n_lapsed,)
        Days of unbroken alarm before the last purchase.
    """

    world: World
    everyone: DataFrame
    moments: DataFrame
    leads: ndarray

    @property
    def answered(self) -> DataFrame:
        """Those who answered wave 2."""
        return self.everyone[self.everyone["answered"]]

    @property
    def cases(self) -> DataFrame:
        """Those who complained."""
        return self.everyone[self.everyone["complained"]]


def truth_table(worlds: dict[str, World], seed: int, n_draw: int = 3 * CHUNK) -> DataFrame:
    """Return the planted values of several regions.

    Parameters
    ----------
    worlds : dict of str to World
        One per region.
    seed : int
        Seed of the large draws.
    n_draw : int
        Customers per draw.

    Returns
    -------
    DataFrame
        Columns region, hypothesis, part, truth.
    """
    frames = {name: planted(world, seed, n_draw) for name, world in worlds.items()}
    return pd.concat(frames, names=["region"]).reset_index("region").reset_index(drop=True)


def planted(world: World, seed: int, n_draw: int = 5 * CHUNK) -> DataFrame:
    """Return the planted value of every part of the register.

    Parameters
    ----------
    world : World
        What is true.
    seed : int
        Seed of the large draw.
    n_draw : int
        Customers in it.

    Returns
    -------
    DataFrame
        Columns hypothesis, part, truth (in the part's unit).
    """
    sample = large_draw(world, seed, n_draw)
    rows = [
        (hypothesis, part, float(value))
        for hypothesis, truth in TRUTHS.items()
        for part, value in truth(sample).items()
    ]
    return DataFrame(rows, columns=["hypothesis", "part", "truth"])


def large_draw(world: World, seed: int, n_draw: int) -> Sample:
    """Return a large draw, simulated in chunks.

    Parameters
    ----------
    world : World
        What is true.
    seed : int
        The same seed gives the same draw.
    n_draw : int
        Customers, rounded up to whole chunks of at most `CHUNK`.
    """
    n_chunks = -(-n_draw // CHUNK)
    size = -(-n_draw // n_chunks)
    seeds = np.random.SeedSequence(seed, spawn_key=(2,)).generate_state(n_chunks)
    parts = [_chunk(world, ex.simulate(world, size, int(one)), int(one)) for one in seeds]
    everyone, moments, leads = zip(*parts, strict=True)
    return Sample(
        world,
        pd.concat(everyone, ignore_index=True),
        pd.concat(moments, ignore_index=True),
        np.concatenate(leads),
    )


def _chunk(world: World, history: History, seed: int) -> tuple:
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(3,)))
    people = history.people
    blocks = [
        _purchases(world, history),
        _wave_two(world, people, rng),
        _after_cases(world, people, rng),
    ]
    everyone = pd.concat([people, *map(DataFrame, blocks)], axis=1)
    moments = pd.concat([_moment(history, week, rng) for week in (52, 60, 68, 76, 84)])
    return everyone, moments, _leads(history, moments)


def _purchases(world: World, history: History) -> dict:
    fuel, beyond = history.fuel_sales, history.beyond_sales
    sales = fuel + beyond
    margin = fuel * history.people["margin"].to_numpy()[:, None] + beyond * world.beyond_margin
    return {
        "sales_before": sales[:, YEAR_BEFORE].sum(axis=1),
        "first_half": sales[:, :26].sum(axis=1),
        "second_half": sales[:, 26:LANDMARK].sum(axis=1),
        "sales_after": sales[:, YEAR_AFTER].sum(axis=1),
        "margin_before": margin[:, YEAR_BEFORE].sum(axis=1),
        "margin_after": margin[:, YEAR_AFTER].sum(axis=1),
        "visits_after": history.visits[:, LANDMARK : LANDMARK + 26].sum(axis=1),
        "active": history.visits[:, LANDMARK - 13 : LANDMARK].sum(axis=1) > 0,
        "years": np.log1p((LANDMARK - history.people["joined"]).clip(lower=0) / 52),
    }


def _wave_two(world: World, people: DataFrame, rng: np.random.Generator) -> dict:
    latent = ex.answers(world, people, 2, rng)
    items = latent[[*ex.ITEMS]]
    scale = ex.to_items(latent)
    return {
        **{f"item_{name}": scale[name] for name in scale},
        **{f"latent_{name}": items[name] for name in items},
        "index": scale[list(ex.SATISFACTION)].mean(axis=1),
        "loyalty_index": scale[list(ex.LOYALTY)].mean(axis=1),
        "had_works": latent["had_works"],
        "told_others": latent["told_others"],
        "answered": ex.took_part(people, latent, 2),
    }


def _after_cases(world: World, people: DataFrame, rng: np.random.Generator) -> dict:
    """Return satisfaction after a case as it was, and as it would be under each course of it."""
    noise = rng.standard_normal(len(people))
    within, told = people["case_days"] <= 3, people["explained"]

    def after(settled: ndarray, explained: ndarray) -> ndarray:
        return ex.to_scale(ex.case_scores(world, people, settled, explained, noise) / 1.05)

    return {
        "complained": ex.has_case(people),
        "within": within,
        "after": after(within, told),
        "after_within": after(within | True, told),
        "after_told": after(within & False, told | True),
        "after_untold": after(within & False, told & False),
    }


def _moment(history: History, week: int, rng: np.random.Generator) -> DataFrame:
    """Return recency, trend and lapse of everyone who bought in the 13 weeks before a landmark."""
    people, visits, volume = history.people, history.visits, history.volume
    seen = visits[:, week - 13 : week].sum(axis=1) > 0
    past = visits[:, :week]
    ago = past[:, ::-1].argmax(axis=1)
    last = past[np.arange(len(past)), week - 1 - ago]
    days = 7 * ago + np.floor(7 * (1 - rng.random(len(past)) ** (1 / np.maximum(last, 1))))
    base = volume[:, max(week - 24, 0) : week - 4].mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        trend = volume[:, week - 4 : week].mean(axis=1) / base
    frame = DataFrame(
        {
            "person": np.arange(len(people)),
            "week": week,
            "segment": people["segment"],
            "suburban": people["suburban"],
            "years": np.log1p((week - people["joined"]).clip(lower=0) / 52),
            "recency": np.log2(1 + days),
            "log_visits": np.log(np.maximum(past.sum(axis=1), 1)),
            "log_weeks": np.log(np.minimum(week - people["joined"], week).clip(lower=1)),
            "trend": np.where(base > 0, trend, np.nan),
            "lapse": visits[:, week : week + 8].sum(axis=1) == 0,
            "lapse_later": visits[:, week + 4 : week + 17].sum(axis=1) == 0,
            "watched": (visits[:, week - 4 : week].sum(axis=1) > 0)
            & (visits[:, week : week + 4].sum(axis=1) > 0)
            & (visits[:, week - 24 : week - 4].sum(axis=1) >= 10)
            & (people["joined"] <= week - 24),
        }
    )
    return frame[seen]


def _leads(history: History, moments: DataFrame) -> ndarray:
    """Return days of unbroken alarm before the last purchase, of regulars who lapsed alarmed."""
    calm = moments[moments["watched"] & ~moments["lapse_later"]]
    limit = calm["trend"].quantile(0.10)
    last = N_WEEKS - 1 - (history.visits > 0)[:, ::-1].argmax(axis=1)
    gone = (last >= LANDMARK) & (last < N_WEEKS - 13) & (history.people["joined"] <= last - 50)
    start = last[gone][:, None] - 24 - np.arange(26)
    recent = np.lib.stride_tricks.sliding_window_view(history.volume[gone], 24, axis=1)
    alarm = recent[..., 20:].mean(axis=-1) < limit * recent[..., :20].mean(axis=-1)
    visits = np.lib.stride_tricks.sliding_window_view(history.visits[gone], 20, axis=1).sum(axis=-1)
    run = np.cumprod(np.take_along_axis(alarm, start, axis=1), axis=1).sum(axis=1)
    regular = np.take_along_axis(visits, start[:, :1], axis=1)[:, 0] >= 10
    return 7 * run[regular & (run > 0)]


def _controls(frame: DataFrame) -> ndarray:
    segments = [frame["segment"] == name for name in ex.SEGMENTS.index[1:]]
    return np.column_stack([np.ones(len(frame)), *segments, frame["suburban"], frame["years"]])


def _design(frame: DataFrame, *drivers: ndarray) -> ndarray:
    return np.column_stack([*drivers, _controls(frame)]).astype(float)


def _solve(gram: ndarray, score: ndarray) -> ndarray:
    """Solve a linear system in which a control may be constant (a segment nobody is in)."""
    return np.linalg.pinv(gram, rcond=1e-12, hermitian=True) @ score


def _slopes(frame: DataFrame, outcome: ndarray, *drivers: ndarray) -> tuple:
    """Return least-squares slopes of the drivers at equal controls, and the SD left over."""
    design, outcome = _design(frame, *drivers), np.asarray(outcome, float)
    slopes = _solve(design.T @ design, design.T @ outcome)
    return slopes[: len(drivers)], np.std(outcome - design @ slopes)


def _likeliest(design: ndarray, outcome: ndarray, mean: Callable) -> ndarray:
    """Return coefficients of a Poisson (mean=exp) or logit (mean=expit) regression by Newton."""
    slopes = np.zeros(design.shape[1])
    for _ in range(50):
        expected = mean(design @ slopes)
        weight = expected if mean is np.exp else expected * (1 - expected)
        score = design.T @ (outcome - expected)
        step = _solve((design * weight[:, None]).T @ design, score)
        slopes += np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-9:
            return slopes
    raise RuntimeError("the regression did not converge")


def _log_slopes(frame: DataFrame, counts: ndarray, *drivers: ndarray) -> ndarray:
    """Return slopes of the log of the mean (Poisson) at equal controls."""
    counts = np.asarray(counts, float) / np.mean(counts)
    return _likeliest(_design(frame, *drivers), counts, np.exp)[: len(drivers)]


def _scaled(values: pd.Series) -> ndarray:
    return ((values - values.mean()) / values.std()).to_numpy()


def _surface(sample: Sample) -> dict:
    d = sample.answered
    high, wanted = d["item_performance"] - 5.5, d["item_expectation"] - 5.5
    bent = (high**2, high * wanted, wanted**2)
    slopes, _ = _slopes(d, d["index"], high, wanted, *bent)
    sd = d["index"].std()
    return {
        "performance": slopes[0] * high.std() / sd,
        "expectation": slopes[1] * wanted.std() / sd,
    }


def _delivered(sample: Sample) -> dict:
    d = sample.answered
    values, costs = [d[[f"item_{name}" for name in names]] for names in (ex.VALUES, ex.COSTS)]
    delivered = _scaled(values.mean(axis=1) - costs.mean(axis=1))
    slopes, _ = _slopes(d, _scaled(d["index"]), delivered)
    shares = importance(pd.concat([values, costs, d["index"]], axis=1).corr().to_numpy())
    return {"delivered_value": slopes[0], "value_minus_cost": shares[:4].sum() - shares[4:].sum()}


def importance(correlation: ndarray) -> ndarray:
    """Return each driver's share of R2, averaged over all orders (LMG); shape (n_drivers,).

    Parameters
    ----------
    correlation : ndarray, shape (n_drivers + 1, n_drivers + 1)
        The outcome is last.
    """
    p = len(correlation) - 1
    explained = {(): 0.0}
    for size in range(1, p + 1):
        for chosen in map(list, combinations(range(p), size)):
            link = correlation[chosen, -1]
            explained[tuple(chosen)] = link @ np.linalg.solve(
                correlation[np.ix_(chosen, chosen)], link
            )
    shares = np.zeros(p)
    for chosen, value in explained.items():
        for driver in set(range(p)) - set(chosen):
            weight = factorial(len(chosen)) * factorial(p - len(chosen) - 1) / factorial(p)
            shares[driver] += weight * (explained[tuple(sorted((*chosen, driver)))] - value)
    return shares / shares.sum()


def _asymmetry(sample: Sample) -> dict:
    d = sample.answered
    gap = d["item_performance"] - d["item_expectation"]
    (gain, loss), left = _slopes(
        d, d["latent_satisfaction_1"], gap.clip(lower=0), -gap.clip(upper=0)
    )
    return {"asymmetry": (-loss - gain) / left}


def _index_change(d: DataFrame, has: pd.Series, effect: float) -> float:
    """Return the mean change of the index by an effect on satisfaction that some already have."""
    latent = d[[f"latent_{name}" for name in ex.SATISFACTION]].to_numpy()
    without = latent - ex.SATISFACTION_UNIT * effect * has.to_numpy()[:, None]
    return (ex.to_scale(without + ex.SATISFACTION_UNIT * effect) - ex.to_scale(without)).mean()


def _channels(sample: Sample) -> dict:
    d, world, sd = sample.answered, sample.world, sample.answered["index"].std()
    suburban, urban = d[d["suburban"]], d[~d["suburban"]]
    online = _index_change(suburban, suburban["channel"] == "online", world.online_suburban)
    on_site = _index_change(urban, urban["channel"] == "on_site", world.on_site_urban)
    return {"online_suburban": online / sd, "on_site_urban": on_site / sd}


def _works(sample: Sample) -> dict:
    d = sample.answered
    told = d[d["had_works"] & d["informed"]]
    change = _index_change(told, told["had_works"], sample.world.works_communication)
    return {"communication": change / d["index"].std()}


def _told(sample: Sample) -> dict:
    d = sample.answered
    low, high = d["index"].quantile([1 / 3, 2 / 3])
    slopes = _log_slopes(d, d["told_others"], d["index"] <= low, d["index"] >= high)
    return {"told_ratio": np.exp(slopes[0] - slopes[1])}


def _price(sample: Sample) -> dict:
    d = sample.answered
    service = _scaled(d["item_added_service"] + d["item_personnel_value"])
    slopes, left = _slopes(d, d["latent_price_sensitivity"], service)
    return {"price_sensitivity": slopes[0] / left}


def _promise(sample: Sample) -> dict:
    d = sample.cases
    severity = [d["severity"] == level for level in (2, 3, 4, 5)]
    channel = [d["channel"] == name for name in ("online", "on_site")]
    slopes, _ = _slopes(d, d["after"], d["within"], *severity, *channel)
    near = d[d["case_days"].isin((3, 4))]
    later = (near["after_told"] + near["after_untold"]) / 2
    sd = d["after"].std()
    return {"policy": slopes[0] / sd, "jump": (near["after_within"] - later).mean() / sd}


def _explanation(sample: Sample) -> dict:
    late = sample.cases[~sample.cases["within"]]
    change = (late["after_told"] - late["after_untold"]).mean()
    return {"explanation": change / sample.cases["after"].std()}


def _retained(world: World, people: DataFrame, start: ndarray | int, **arm) -> ndarray:
    """Return each customer's chance to buy in weeks 39 to 51 after `start` in an arm."""
    people = people.assign(**arm)
    week = np.arange(N_WEEKS)
    rate = ex.visit_rate(world, people, ex.lapse_week(world, people), week)
    since = week - np.asarray(start).reshape(-1, 1)
    return 1 - np.exp(-(rate * ((since >= 39) & (since < 52))).sum(axis=1))


def _gain(sample: Sample, people: DataFrame, start, treated: dict, untreated: dict) -> float:
    arms = [_retained(sample.world, people, start, **arm) for arm in (treated, untreated)]
    return (arms[0] - arms[1]).mean()


def _recovery(sample: Sample) -> dict:
    d = sample.cases
    d = d[d["within"] & (d["case_week"] < LANDMARK)][:CHUNK]
    gain = _gain(sample, d, d["case_week"].to_numpy(), {}, {"case_week": N_WEEKS})
    return {"retention": gain}


def _chain(sample: Sample) -> dict:
    d = sample.answered
    d = d[d["complained"] & (d["case_week"] < ex.WAVES[2][0]) & (d["sales_after"] > 0)]
    steps = [_scaled(d["within"].astype(float)), _scaled(d["index"]), _scaled(d["loyalty_index"])]
    steps.append(_scaled(np.log(d["sales_after"])))
    paths = [_slopes(d, steps[k], *steps[k - 1 :: -1][:k])[0][0] for k in (1, 2, 3)]
    return {"indirect": np.prod(paths)}


def _concentration(sample: Sample) -> dict:
    sales = sample.everyone["sales_after"]
    return concentration(sales[sales > 0].to_numpy())


def concentration(sales: ndarray) -> dict[str, float]:
    """Return the share of sales of the top 20 %, and the share of customers with 55 % of sales.

    Parameters
    ----------
    sales : ndarray, shape (n,)
        Sales in CNY, positive.
    """
    lorenz = np.append(0, np.cumsum(np.sort(sales)[::-1])) / sales.sum()
    customers = np.linspace(0, 1, len(lorenz))
    return {
        "top20_share": np.interp(0.20, customers, lorenz),
        "a_share": np.interp(0.55, lorenz, customers),
    }


def _frequency(sample: Sample) -> dict:
    d = sample.answered[sample.answered["active"]]
    top = _log_slopes(d, d["visits_after"], d["index"] >= 9)[0]
    edges = ((0, 6), (6, 7.5), (7.5, 9))
    groups = [(d["index"] >= low) & (d["index"] < high) for low, high in edges]
    others = _log_slopes(d, d["visits_after"], *groups)
    return {"top_vs_rest": np.exp(top), "highest": np.exp(-others.max())}


def _value(sample: Sample) -> dict:
    d = sample.answered
    before = np.log1p(d["margin_before"])
    return {"margin": np.exp(_log_slopes(d, d["margin_after"], _scaled(d["index"]), before)[0])}


def stages(frame: DataFrame) -> pd.Series:
    """Return forming, growing, mature or declining per customer at the landmark; missing if none.

    Parameters
    ----------
    frame : DataFrame
        Columns joined (week), first_half and second_half (sales of the year before, CNY).
    """
    known = frame["joined"] < LANDMARK
    new = known & (frame["joined"] > 25)
    old = known & ~new
    first, second = frame["first_half"].where(old), frame["second_half"].where(old)
    ratio = second / first / (second.sum() / first.sum())
    rules = [new, ratio > 1.2, ratio < 0.8, ratio.notna()]
    stage = np.select(rules, ["forming", "growing", "declining", "mature"], "")
    return pd.Series(stage, frame.index).replace("", pd.NA)


def _stage_values(sample: Sample) -> dict:
    margin = sample.everyone["margin_after"].groupby(stages(sample.everyone))
    mean = margin.mean() / (margin.sum().sum() / margin.size().sum())
    return {
        f"{high}_{low}": mean[high] - mean[low]
        for high, low in (("growing", "forming"), ("mature", "growing"), ("mature", "declining"))
    }


def _beyond(sample: Sample) -> dict:
    d = sample.everyone
    d = d[(d["sales_before"] > 0) & (d["joined"] <= 25)][:CHUNK]
    with_it, without = (
        _expected_margin(sample.world, d.assign(beyond=arm)) for arm in (True, False)
    )
    actual = np.where(d["beyond"], with_it, without)
    gain = _gain(sample, d, LANDMARK, {"beyond": True}, {"beyond": False})
    return {"margin": (with_it - without).mean() / actual.mean(), "retention": gain}


def _expected_margin(world: World, people: DataFrame) -> ndarray:
    """Return each customer's expected margin of the last year, given when they lapse."""
    weeks = np.arange(LANDMARK, N_WEEKS)
    rate = ex.visit_rate(world, people, ex.lapse_week(world, people), weeks)
    fuel = ex.weekly_price(people, weeks) * (people["size"] * people["margin"]).to_numpy()[:, None]
    usual = (world.beyond_spend * people["size"] * people["price"]).to_numpy()[:, None]
    beyond = ex.beyond_probability(world, people, weeks) * usual * world.beyond_margin
    return (rate * (fuel + beyond)).sum(axis=1)


def _auc(lapse: ndarray, score: ndarray) -> float:
    ranks, lost = stats.rankdata(score), int(np.sum(lapse))
    return (ranks[lapse].sum() - lost * (lost + 1) / 2) / (lost * (len(lapse) - lost))


def _logit(frame: DataFrame, lapse: ndarray, *drivers: ndarray) -> tuple:
    design = _design(frame, *drivers)
    slopes = _likeliest(design, lapse, special.expit)
    return slopes, _auc(lapse, design @ slopes)


def _recency(sample: Sample) -> dict:
    d = sample.moments[: 4 * CHUNK]
    lapse, pace = d["lapse"].to_numpy(), (d["log_visits"], d["log_weeks"])
    slopes, auc = _logit(d, lapse, d["recency"], *pace)
    return {"odds_ratio": np.exp(slopes[0]), "auc_gain": auc - _logit(d, lapse, *pace)[1]}


def _warning(sample: Sample) -> dict:
    d = sample.moments[sample.moments["watched"]].dropna(subset="trend")
    lapse, trend = d["lapse_later"].to_numpy(), np.log(d["trend"].to_numpy())
    alone, recency = _auc(lapse, -trend), d["recency"].to_numpy()
    gain = _logit(d, lapse, trend, recency)[1] - _logit(d, lapse, recency)[1]
    return {"auc": alone, "auc_gain": gain, "lead_days": np.median(sample.leads)}


def _card(sample: Sample) -> dict:
    d = sample.everyone[sample.everyone["active"]][:CHUNK]
    hazard = sample.world.card_hazard * np.exp(sample.world.card_affinity * d["affinity"])
    later = LANDMARK + stats.expon.ppf(np.random.default_rng(0).random(len(d))) / hazard
    held = d["card_week"] <= LANDMARK
    gain = _gain(
        sample,
        d,
        LANDMARK,
        {"card_week": d["card_week"].clip(upper=LANDMARK)},
        {"card_gap": later.where(held, 0.0)},
    )
    return {"hazard_ratio": np.exp(sample.world.card_log_hazard), "retention": gain}


def _account_visits(sample: Sample) -> dict:
    d = sample.everyone
    d = d[(d["tier"] != "") & (d["sales_before"] > 0)]
    gain = _gain(sample, d[:CHUNK], LANDMARK, {"adherent": True}, {"adherent": False})
    visits = ex.planned_visits(sample.world, d)
    return {"retention": gain} | {
        f"visits_{tier.lower()}": visits[d["tier"] == tier].mean() for tier in "ABC"
    }


def _campaigns(sample: Sample) -> dict:
    d = sample.everyone
    reached = d["campaign_week"].between(d["joined"] + 1, d["lapse"] - 1)
    d = d[reached & (d["campaign_week"] < N_WEEKS)][:CHUNK]
    gain = _gain(sample, d, d["campaign_week"].to_numpy(), {}, {"campaign_week": N_WEEKS})
    return {"cost_ratio": sample.world.acquire_cost * gain / sample.world.retain_cost}


def _partners(sample: Sample) -> dict:
    d = sample.answered[sample.answered["business"]]
    both = [_scaled(d[f"item_{name}_benefit"]) for name in ("org", "personal")]
    drivers = (both[0] * both[1], *both)
    index, _ = _slopes(d, _scaled(d["loyalty_index"]), *drivers)
    latent, left = _slopes(d, d["latent_loyalty_1"], *drivers)
    return {"index": index[0], "latent": latent[0] / left}


TRUTHS = {
    "H01": _surface,
    "H02": _delivered,
    "H03": _asymmetry,
    "H04": _channels,
    "H05": _works,
    "H06": _told,
    "H07": _price,
    "H08": _promise,
    "H09": _explanation,
    "H10": _recovery,
    "H11": _chain,
    "H12": _concentration,
    "H13": _frequency,
    "H14": _value,
    "H15": _stage_values,
    "H16": _beyond,
    "H17": _recency,
    "H18": _warning,
    "H19": _card,
    "H20": _account_visits,
    "H21": _campaigns,
    "H22": _partners,
}
