"""The planted value of every part of the register, in the register's unit.

Structural where an effect has one size, otherwise the same estimand on a large draw from the same
world by plain definition. *Adjusted* is at equal segment, area and log(1 + years of tenure).
"""

import re

from pandas import DataFrame

from simulation.sample import CHUNK, large_draw
from simulation.truth import complaints, retention, satisfaction, value
from simulation.world import World

N_DRAW = 3 * CHUNK
TRUTHS = {
    name.upper(): function
    for module in (satisfaction, complaints, value, retention)
    for name, function in vars(module).items()
    if re.fullmatch(r"h\d\d", name)
}


def planted(world: World, seed: int, n_draw: int = N_DRAW) -> DataFrame:
    """Return the planted value of every part of the register, from a large draw.

    Columns region, hypothesis, part, truth (in the part's unit).
    """
    sample = large_draw(world, seed, n_draw)
    rows = [
        (world.region, hypothesis, part, float(value))
        for hypothesis, truth in TRUTHS.items()
        for part, value in truth(sample).items()
    ]
    return DataFrame(rows, columns=["region", "hypothesis", "part", "truth"])
