"""The truth of H08 to H11: complaints and what follows from their handling."""

import numpy as np

from simulation.drawing.behaviour import with_lapse
from simulation.sample import CHUNK, Sample
from simulation.truth.comparison import gain, scaled, slopes
from simulation.world import LANDMARK, N_WEEKS, WAVES


def h08(sample: Sample) -> dict[str, float]:
    """Settled in 3 days, less later; both / SD after cases.

    Policy: at equal severity and channel, adjusted. Jump: change by the third day itself in cases
    of 3 and 4 days, half of the later ones explained.
    """
    d, sd = sample.cases, sample.cases["after"].std()
    severity = [d["severity"] == level for level in (2, 3, 4, 5)]
    channel = [d["channel"] == name for name in ("online", "on_site")]
    found, _ = slopes(d, d["after"], d["within"], *severity, *channel)
    near = d[d["case_days"].isin((3, 4))]
    later = (near["after_told"] + near["after_untold"]) / 2
    return {"policy": found[0] / sd, "jump": (near["after_within"] - later).mean() / sd}


def h09(sample: Sample) -> dict[str, float]:
    """Change by explanation on day three in cases of more than 3 days / SD after cases."""
    late = sample.cases[~sample.cases["within"]]
    change = (late["after_told"] - late["after_untold"]).mean()
    return {"explanation": change / sample.cases["after"].std()}


def h10(sample: Sample) -> dict[str, float]:
    """Retained after a first-year case settled in 3 days, less the same people without a case."""
    d = sample.cases
    d = d[d["within"] & (d["case_week"] < LANDMARK)][:CHUNK]
    without = with_lapse(sample.world, d.assign(case_week=N_WEEKS))
    return {"retention": gain(sample.world, d["case_week"].to_numpy(), d, without)}


def h11(sample: Sample) -> dict[str, float]:
    """Product of adjusted slopes per SD, cases before wave 2, each given all that comes before it.

    Settled in 3 days -> index -> loyalty index -> log sales of the last year.
    """
    d = sample.answered
    d = d[d["complained"] & (d["case_week"] < WAVES[2][0]) & (d["sales_after"] > 0)]
    chain = d["within"].astype(float), d["index"], d["loyalty_index"], np.log(d["sales_after"])
    steps = [scaled(step) for step in chain]
    paths = [slopes(d, steps[k], *reversed(steps[:k]))[0][0] for k in (1, 2, 3)]
    return {"indirect": np.prod(paths)}
