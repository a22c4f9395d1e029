"""Example regions: the contract's tables, drawn from a world whose every effect is known.

A customer has attitudes (quality seen, satisfaction, loyalty), a rate of visits, and a hazard of
lapsing. All that a claim is about is one named parameter of `World`, so that an effect can be set
to nothing, or a trap be set. From parameters to files: `world`, `unrecorded`, `people`,
`behaviour`; `survey` and `lines`, `tables`; `sample`, `comparison` and `truth`; `writing`.
"""

from simulation.drawing.behaviour import simulate
from simulation.drawing.tables import draw
from simulation.truth.parts import TRUTHS, planted
from simulation.world import REGIONS, World, region_seed, regional_worlds
from simulation.writing import write_example

__all__ = ["REGIONS", "TRUTHS", "World", "draw", "planted"]
__all__ += ["region_seed", "regional_worlds", "simulate", "write_example"]
