"""Indirect effects: products of the paths of a chain, and intervals for them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.statistics.estimate import Estimate


def indirect(paths: Sequence[Estimate], *, draws: int = 20_000, seed: int = 0) -> Estimate:
    """Estimate an indirect effect, the product of the paths from cause to result.

    A product of estimates is skewed, so that its interval is no multiple of a standard
    error: every path is drawn from its own distribution (t, or normal if its degrees of
    freedom are infinite), and the interval runs from the 2.5th to the 97.5th percentile
    of the products.

    Parameters
    ----------
    paths : sequence of Estimate, at least 2
        Coefficients of separate regressions, each controlling for what comes earlier in
        the chain: their errors are then independent. For a logarithmic path take the
        coefficient: ``contrast(fit, name, scale="identity")``.
    draws, seed : int
        Simulated products, and the seed that makes them the same again.

    Returns
    -------
    Estimate
        In the unit of the last result per unit of the first cause; `n_obs` is that of the
        smallest regression. The interval need not be symmetric around the estimate.

    Raises
    ------
    ValueError
        If there are fewer than 2 paths, or one is a ratio.

    References
    ----------
    MacKinnon, Lockwood & Williams (2004). Confidence limits for the indirect effect. Multivariate
    Behavioral Research 39, 99-128.
    """
    _check_paths(paths)
    rng = np.random.default_rng(seed)
    low, high = -np.inf, np.inf  # of a path of which nothing is known
    if all(path.ci_high < np.inf for path in paths):
        products = np.ones(draws)
        for path in paths:
            finite = np.isfinite(path.df)
            noise = rng.standard_t(path.df, draws) if finite else rng.standard_normal(draws)
            products *= path.estimate + path.se * noise
        low, high = np.quantile(products, [0.025, 0.975])
    return Estimate(
        estimate=float(np.prod([path.estimate for path in paths])),
        ci_low=float(low),
        ci_high=float(high),
        n_obs=min(path.n_obs for path in paths),
        method=f"product of {len(paths)} paths, Monte Carlo interval",
    )


def joint_significance(paths: Sequence[Estimate]) -> bool:
    """Return whether the 95 % interval of every path excludes 0.

    An indirect effect exists only if each of its paths does; this test needs no
    distribution of the product. Paths and errors are those of `indirect`.

    References
    ----------
    MacKinnon, Lockwood, Hoffman, West & Sheets (2002). A comparison of methods to test mediation.
    Psychological Methods 7, 83-104.
    """
    _check_paths(paths)
    return all(path.ci_low > 0 or path.ci_high < 0 for path in paths)


def _check_paths(paths: Sequence[Estimate]) -> None:
    """Refuse what is no chain of coefficients."""
    if len(paths) < 2:
        raise ValueError(f"An indirect effect needs at least 2 paths, not {len(paths)}.")
    if any(path.scale != "identity" for path in paths):
        raise ValueError('Paths must be coefficients, of scale "identity", not ratios.')
