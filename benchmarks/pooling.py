"""Time pooling over regions against refits and adjustments by statsmodels, in one run."""

from __future__ import annotations

import platform
from collections.abc import Callable
from statistics import median
from time import process_time

import numpy as np
import pandas as pd
import statsmodels
from scipy import optimize
from statsmodels.stats.meta_analysis import combine_effects
from statsmodels.stats.multitest import multipletests

from analysis.claims import across_regions, findings, verdicts
from analysis.claims.hypotheses import register
from analysis.statistics import meta_analysis
from analysis.statistics.estimate import LINKS, Estimate, from_se
from simulation.pooled_regions import errors

N_EFFECTS, N_REGIONS, N_DRAWS, N_DRAWN, N_LEFT_OUT, RUNS = 40, 1_000, 25_000, 100, 20, 5
CHECK = "with a hidden cause as strong as any"


def main() -> None:
    """Print the comparisons."""
    print(
        f"Python {platform.python_version()}, numpy {np.__version__}, "
        f"statsmodels {statsmodels.__version__}; CPU time, medians of {RUNS} runs"
    )
    effects = [drawn(N_REGIONS, 0.1, seed) for seed in range(N_EFFECTS)]
    compare_pooling(effects)
    compare_prediction(effects[0])
    compare_leaving_out(effects[0])
    compare_synthesis(found_in(N_REGIONS))


def drawn(k: int, tau: float, seed: int) -> list[Estimate]:
    """Return regions of 100 to 1,500 customers around a mean of 0.2."""
    rng, ses = np.random.default_rng(seed), errors(k)
    effects = 0.2 + tau * rng.normal(size=k) + ses * rng.normal(size=k)
    return [from_se(effect, se, 400) for effect, se in zip(effects, ses, strict=True)]


def arrays(estimates: list[Estimate]) -> tuple[np.ndarray, np.ndarray]:
    """Return effects and variances."""
    return np.array([(each.estimate, each.se**2) for each in estimates]).T


def compare_pooling(effects: list[list[Estimate]]) -> None:
    """Compare all that `pool` returns with the mean and tau by statsmodels."""
    ours, found = timed(lambda: [meta_analysis.pool(each) for each in effects])
    ready = [arrays(each) for each in effects]
    theirs, other = timed(lambda: [combine_effects(*each, "pm") for each in ready])
    away = max(
        abs(one.tau**2 / two.tau2 - 1) for one, two in zip(found, other, strict=True) if two.tau2
    )
    print(f"\n{N_EFFECTS} effects over {N_REGIONS:,} regions")
    print(f"  pool, with all its intervals   {1000 * ours:10.1f} ms")
    print(f"  statsmodels, mean and tau only {1000 * theirs:10.1f} ms, ratio {theirs / ours:.2f}")
    print(f"    largest relative difference between the tau2 {away:.1e}")


def compare_prediction(estimates: list[Estimate]) -> None:
    """Compare quantiles of the distributions with random draws, one root for each."""
    ours, _ = timed(lambda: meta_analysis.pool(estimates))
    effects, variances = arrays(estimates)
    start, df = process_time(), len(effects) - 1
    for target in np.random.default_rng(0).chisquare(df, N_DRAWN):
        optimize.brentq(excess, 0, 100, args=(target, effects, variances))
    theirs = (process_time() - start) / N_DRAWN * N_DRAWS
    print(f"\nPrediction interval over {N_REGIONS:,} regions")
    print(f"  pool, with all its intervals   {1000 * ours:10.1f} ms")
    print(f"  {N_DRAWS:,} draws, a root each   {theirs:10.1f} s, ratio {theirs / ours:,.0f}")
    print(f"    extrapolated from {N_DRAWN} draws")
    for k in (3, 6, 12):
        found = meta_analysis.pool(drawn(k, 0.1, k))
        ends = np.array([found.prediction_low, found.prediction_high])
        away = np.abs(ends - by_draws(drawn(k, 0.1, k))).max() / np.ptp(ends)
        print(f"    {k} regions: ends differ from those of 1,000,000 draws by {away:.1e} widths")


def excess(tau2: float, target: float, effects: np.ndarray, variances: np.ndarray) -> float:
    """Return how far Q is above a value."""
    weights = 1 / (variances + tau2)
    return weights @ (effects - np.average(effects, weights=weights)) ** 2 - target


def by_draws(estimates: list[Estimate], n: int = 1_000_000, seed: int = 0) -> np.ndarray:
    """Return the prediction interval by random draws, with roots read from a fine table."""
    (effects, variances), rng = arrays(estimates), np.random.default_rng(seed)
    k, grid = len(effects), np.append(0, np.geomspace(1e-7, 1e4, 4_000))
    weights = 1 / (variances + grid[:, None])
    total = weights.sum(axis=1)
    means = weights @ effects / total
    q = (weights * (effects - means[:, None]) ** 2).sum(axis=1)
    tau2 = np.interp(-rng.chisquare(k - 1, n), -q, grid)
    error = np.sqrt(np.interp(tau2, grid, np.maximum(q / (k - 1), 1) / total))
    new = np.interp(tau2, grid, means) + np.sqrt(tau2) * rng.normal(size=n)
    return np.quantile(new + error * rng.standard_t(k - 1, n), [0.025, 0.975])


def compare_leaving_out(estimates: list[Estimate]) -> None:
    """Compare leaving each region out at once with pooling the others again."""
    ours, found = timed(lambda: meta_analysis.leave_one_out(estimates))
    chosen = np.linspace(0, N_REGIONS - 1, N_LEFT_OUT).astype(int)
    effects, variances = arrays(estimates)
    refits = {
        "pool": lambda i: meta_analysis.pool(estimates[:i] + estimates[i + 1 :]).tau,
        "statsmodels": lambda i: np.sqrt(
            combine_effects(np.delete(effects, i), np.delete(variances, i), "pm").tau2
        ),
    }
    print(f"\nLeaving out each of {N_REGIONS:,} regions")
    print(f"  leave_one_out                  {1000 * ours:10.1f} ms")
    for name, refit in refits.items():
        time, taus = timed(lambda refit=refit: [refit(i) for i in chosen])
        theirs, away = time * N_REGIONS / N_LEFT_OUT, np.abs(found["tau"][chosen] / taus - 1).max()
        print(f"  {name + ' of the others':30} {1000 * theirs:10.1f} ms, ratio {theirs / ours:.0f}")
        print(f"    extrapolated from {N_LEFT_OUT}; largest relative difference of tau {away:.1e}")


def found_in(n: int) -> pd.DataFrame:
    """Return findings on all hypotheses in n regions, all open."""
    tables, rng, ses = [], np.random.default_rng(0), errors(n)
    for known in register().values():
        for part in known.parts:
            middle = 0.3 + 0.1 * rng.normal(size=n) + ses * rng.normal(size=n)
            ends = LINKS[part.scale][1](middle + 1.96 * np.array([[-1], [0], [1]]) * ses)
            numbers = dict(zip(("ci_low", "estimate", "ci_high"), ends, strict=True))
            same = {"hypothesis": known.id, "part": part.key, "scale": part.scale}
            tables.append(pd.DataFrame({"region": [f"R{i}" for i in range(n)], **same, **numbers}))
    texts = dict.fromkeys(("blocked_by", "failed_checks", "reason"), "")
    texts |= dict.fromkeys(("verdict", "part_verdict"), "inconclusive")
    return pd.concat(tables, ignore_index=True).assign(source="s", df=np.inf, n_obs=400, **texts)


def compare_synthesis(found: pd.DataFrame) -> None:
    """Time all hypotheses over all regions, and compare with statsmodels and with scalars."""
    others = pd.concat([found.assign(check=CHECK, variant=i) for i in (1, 2)])[findings.VARIANTS]
    pooled, pools = timed(lambda: across_regions.pooled(found))
    checked, _ = timed(lambda: across_regions.pooled(found, others))
    parts = [
        arrays(across_regions.estimates(own)) for _, own in found.groupby(["hypothesis", "part"])
    ]
    theirs, _ = timed(lambda: [combine_effects(*each, "pm") for each in parts])
    own, _ = timed(lambda: across_regions.by_region(found))
    some = found[found["region"].isin([f"R{i}" for i in range(N_LEFT_OUT)])]
    each, _ = timed(lambda: [by_scalars(rows) for _, rows in some.groupby("region")])
    each *= found["region"].nunique() / N_LEFT_OUT
    print(f"\n{len(register())} hypotheses ({len(pools)} parts) over {N_REGIONS:,} regions")
    print(f"  across_regions.pooled               {1000 * pooled:10.1f} ms")
    print(f"    two variants of each         {1000 * checked:10.1f} ms")
    print(f"  statsmodels, mean and tau only {1000 * theirs:10.1f} ms, ratio {theirs / pooled:.2f}")
    print(f"  across_regions.by_region            {1000 * own:10.1f} ms")
    print(f"  scalars and multipletests      {1000 * each:10.1f} ms, ratio {each / own:.0f}")
    print(f"    extrapolated from {N_LEFT_OUT} regions")


def by_scalars(rows: pd.DataFrame) -> np.ndarray:
    """Return the adjusted p-values of one region, one effect after the other."""
    p = [
        verdicts.p_value(
            register()[key], dict(zip(own["part"], across_regions.estimates(own), strict=True))
        )
        for key, own in rows.groupby("hypothesis", sort=False)
    ]
    return multipletests(p, method="holm")[1]


def timed(function: Callable) -> tuple[float, object]:
    """Return the median time of several runs, in seconds, and the result."""
    times = []
    for _ in range(RUNS):
        start = process_time()
        result = function()
        times.append(process_time() - start)
    return median(times), result


if __name__ == "__main__":
    main()
