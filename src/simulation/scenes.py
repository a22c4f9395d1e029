"""Worlds in which verdicts are put to the test: as planted, without effects, with traps."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from analysis.claims.calibration import PLANTED
from simulation.world import CLEAR_WORLD, World

SURVEY = ("H01", "H02", "H03", "H04", "H05", "H06", "H07")
CASES = ("H08", "H09", "H10", "H11")
VALUE = ("H12", "H13", "H14", "H15", "H16")
ADDED = ("H23", "H24", "H25")  # on a second reading of the texts
RETENTION = ("H17", "H18", "H19", "H20", "H21", "H22")


@dataclass(frozen=True)
class Scene:
    """A world in which hypotheses are rehearsed: what is true there in words and in numbers.

    The true values are those of `told_by`, by default of the same world without what only changes
    the answers or who gives them: styles, halos, single numbers throughout, a sample with weights.
    """

    name: str
    world: World
    hypotheses: tuple[str, ...]
    sizes: tuple[int, ...] = (3_000,)  # customers of a region
    without: tuple[str, ...] = ()  # "table.column" names that these regions did not record
    told_by: World | None = field(default=None, repr=False)

    @property
    def truth(self) -> World:
        """The world that the true values are taken from."""
        return self.told_by or replace(self.world, **_HONEST)


def _none(names: str) -> dict[str, float]:
    """Set each of these parameters to nothing."""
    return dict.fromkeys(names.split(), 0.0)


_HONEST = _none("acquiescence halo halo_on_loyalty straight_lining chosen")
_NO_VIEWS = {"value_slopes": (0.0,) * 4, "cost_slopes": (0.0,) * 4}
_NO_VIEWS |= _none("performance_quality performance_slope expectation_slope loss_slope")
_NO_EFFECT = World(
    **_NO_VIEWS,
    **_none("online_suburban on_site_urban works_slope works_communication service_price_slope"),
    **_none("told_slope promise_jump day_slope explanation_effect handling_effect"),
)
_NO_HABIT = _none("beyond_log_hazard beyond_visits beyond_margin")
_NO_VIEW_COUNTS = _none("satisfaction_visits loyalty_visits satisfaction_log_hazard")
_NO_LINK = {**_NO_HABIT, **_NO_VIEW_COUNTS, **_none("quick_log_hazard late_log_hazard")}
_NO_LINK |= {"beyond_by_visits": 0.7}  # the frequent buy everything more often
_NOTHING_KEEPS = World(card_log_hazard=0.0, campaign_log_hazard=0.0, synergy=0.0)
_CARD_OF_THE_LOYAL = World(
    card_by_loyalty=0.8, card_log_hazard=0.0, satisfaction_log_hazard=-0.8, affinity_log_hazard=0.0
)
_ONLY_EXPECTATION = replace(World(**_NO_VIEWS), expectation_slope=-0.40)
_COSTS_MATTER = World(value_slopes=(0.15,) * 4, cost_slopes=(-0.30,) * 4, performance_quality=0.0)
_NO_PROMISE = World(promise_jump=0.0, explanation_effect=0.0, day_slope=-0.15)
_ALIKE = World(performance_slope=0.6, expectation_slope=-0.6, loss_slope=0.0)
_ATTACHED = replace(_NOTHING_KEEPS, **_NO_HABIT, attachment=0.7)
_ATTACHED_VIEWS = World(**_NO_VIEW_COUNTS, attachment=0.7, attachment_satisfaction=0.5)
_ROUGH_ANSWERS = {"tail_df": 3.0, "j_shaped": True, "silence": 0.5}
_ROUGH_PURCHASES = {"tail_df": 3.0, "two_rates": 0.4, "pauses": 0.3, "cost_outliers": 1.0}
_NOT_LOYAL = World(loyalty_slope=0.0)
_ALL_ALIKE = World(choice=(0.4, 0.4, 0.4))
_NEITHER = replace(_NOTHING_KEEPS, **_NO_HABIT, **_NO_VIEW_COUNTS)

_SIZES = (300, 1_000, 3_000, 10_000)

SCENES = (
    Scene(PLANTED, World(), (*SURVEY, *CASES, *VALUE, *RETENTION, *ADDED), _SIZES),
    Scene("no effect", _NO_EFFECT, (*SURVEY, "H08", "H09", "H11")),
    Scene("no effect on purchases", World(**_NO_LINK), ("H13", "H14", "H16")),
    Scene(
        "only expectation matters, and a style of answering",
        replace(_ONLY_EXPECTATION, acquiescence=0.5),
        ("H01",),
    ),
    Scene(
        "costs matter more, and a style of answering",
        replace(_COSTS_MATTER, acquiescence=0.5),
        ("H02",),
    ),
    Scene(
        "no effect, and a style of answering",
        replace(_NO_EFFECT, acquiescence=0.5),
        ("H01", "H02", "H07"),
    ),
    Scene("gains and losses weigh alike, at the top of the scale", _ALIKE, ("H03",)),
    Scene(
        "gains and losses weigh alike, and a halo half as strong on expectation",
        replace(_ALIKE, halo=1.5),
        ("H03",),
    ),
    Scene(
        "only expectation matters, and a halo half as strong on expectation",
        replace(_ONLY_EXPECTATION, halo=0.6),
        ("H01",),
    ),
    Scene(
        "no effect, and a halo half as strong on expectation",
        replace(_NO_EFFECT, halo=1.0),
        ("H01", "H03"),
    ),
    Scene(
        "a mood of its own comes to the stations that inform",
        World(works_communication=0.0, station_mood=(0.0, 0.0, 0.6)),
        ("H05",),
    ),
    Scene(
        "a mood grows at the stations that are to inform",
        World(works_communication=0.0, station_mood=(-0.6, 0.0, 0.6)),
        ("H05",),
    ),
    Scene(
        "only the quality of works matters",
        World(works_communication=0.0, works_slope=0.8),
        ("H05",),
    ),
    Scene("speed matters, not the promise", _NO_PROMISE, ("H08", "H09")),
    Scene(
        "easy cases pulled into the promise",
        replace(_NO_PROMISE, day_slope=-0.04, sorting_share=0.5),
        ("H08", "H09"),
    ),
    Scene(
        "hard cases take long, and nobody records it",
        replace(_NO_PROMISE, day_slope=0.0, severity_effect=-0.5),
        ("H08", "H09"),
        without=("complaints.severity",),
    ),
    Scene(
        "the dissatisfied complain, and leave anyway",
        World(complaint_slope=-1.4, satisfaction_log_hazard=-0.8),
        ("H10",),
    ),
    Scene("a complaint drives customers away", World(quick_log_hazard=0.25), ("H10",)),
    Scene("nobody leaves", World(lapse_hazard=0.0), ("H17",)),
    Scene(
        "strong seasons, and nobody buys less before leaving",
        World(season=4.0, decline_share=0.0),
        ("H17", "H18"),
    ),
    Scene(
        "many newcomers shortly before",
        World(late_newcomers=0.8),
        ("H12", "H15", "H17", "H18", "H24"),
    ),
    Scene("nothing keeps customers", _NOTHING_KEEPS, ("H19", "H20", "H21", "H22")),
    Scene("the loyal take the card", _CARD_OF_THE_LOYAL, ("H19",)),
    Scene(
        "the card makes customers buy more, and keeps nobody",
        World(card_visits=0.3, card_log_hazard=0.0),
        ("H19",),
    ),
    Scene(
        "visits keep, and the dissatisfied are visited",
        World(visit_log_hazard=-0.8, visit_by_risk=0.3, satisfaction_log_hazard=-0.8),
        ("H20",),
    ),
    Scene(
        "campaigns go to the satisfied and keep nobody",
        World(campaign_by_loyalty=0.2, campaign_log_hazard=0.0, satisfaction_log_hazard=-0.8),
        ("H21",),
    ),
    Scene(
        "a hidden attachment moves card, shop, visits, campaigns and staying",
        _ATTACHED,
        ("H16", "H19", "H20", "H21"),
    ),
    Scene(
        "a hidden attachment moves satisfaction and buying",
        _ATTACHED_VIEWS,
        ("H13", "H14"),
        told_by=replace(_ATTACHED_VIEWS, attachment=0.0, attachment_satisfaction=0.0),
    ),
    Scene(
        "a complaint drives customers away, and those with a hidden attachment complain",
        World(quick_log_hazard=0.40, attachment=0.7),
        ("H10",),
    ),
    Scene("customers pause", World(pauses=0.5), ("H17", "H18", "H19", "H24")),
    Scene(
        "nothing keeps customers, and they pause",
        replace(_NOTHING_KEEPS, pauses=0.5),
        ("H19", "H20", "H21"),
    ),
    Scene("rough answers", replace(World(**_ROUGH_ANSWERS), straight_lining=0.15), SURVEY),
    Scene(
        "no effect, and rough answers",
        replace(_NO_EFFECT, **_ROUGH_ANSWERS, straight_lining=0.15),
        (*SURVEY, "H08", "H09"),
    ),
    Scene("rough purchases", World(**_ROUGH_PURCHASES), (*VALUE, *RETENTION[:-1])),
    Scene(
        "nothing keeps customers, and rough purchases",
        replace(_NEITHER, **_ROUGH_PURCHASES),
        ("H13", "H14", "H16", "H19", "H20", "H21"),
    ),
    Scene("no synergy, at the top of the scale", World(synergy=0.0, loyalty_slope=1.4), ("H22",)),
    Scene("satisfaction has nothing to do with loyalty", _NOT_LOYAL, ("H23",)),
    Scene(
        "satisfaction has nothing to do with loyalty, and a style of answering",
        replace(_NOT_LOYAL, acquiescence=0.5),
        ("H23",),
    ),
    Scene("drivers come half as often", World(driver_pace=-0.7), ("H24",)),
    Scene("fuel, price and location weigh alike", _ALL_ALIKE, ("H25",)),
    Scene(
        "fuel, price and location weigh alike, and a halo on fuel and loyalty",
        replace(_ALL_ALIKE, halo_on_loyalty=0.6),
        ("H25",),
    ),
    Scene(
        "the satisfied are asked more often, and weights say so",
        World(chosen=1.0),
        ("H01", "H02", "H03", "H06", "H07", "H23"),
    ),
)

CLEAR_REGIONS = {1_000: 20, 3_000: 8, 10_000: 5, 30_000: 6, 100_000: 1}
"""Simulated regions of each size in which it is counted how often a claim is decided."""
CLEAR = Scene("clear effects", CLEAR_WORLD, SCENES[0].hypotheses, tuple(CLEAR_REGIONS))
"""Every effect that a world can move lies 1.5 smallest effects or more from the claim's edges."""
