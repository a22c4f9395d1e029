"""Whether a trial is the one that was planned."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from analysis.claims import checks
from analysis.claims.trials import plans
from analysis.claims.verdicts import Check
from analysis.cohorts.trials import units
from analysis.data.region import Region
from analysis.language import phrase

if TYPE_CHECKING:
    from analysis.claims.trials.reading import Reading


def as_planned(
    region: Region,
    found: Reading,
    rows: pd.DataFrame,
    lots: pd.DataFrame,
    folder: Path | None,
) -> list[Check]:
    """Return the checks that a trial is the one that was planned.

    Parameters
    ----------
    region : Region
    found : Reading
        Without its checks.
    rows, lots : DataFrame
        What was assigned, by unit, and the list that was registered.
    folder : Path, optional
        Where plans are registered.
    """
    plan, people = found.plan, found.people
    design = plan.as_designed
    is_same = plans.is_unchanged(plan, folder) and plans.of_lots(lots) == plan.lots
    planned_before = people["assigned_on"].min() > pd.Timestamp(plan.data_until)
    ratio = found.ratio
    made = [
        checks.holds(phrase("the plan as it was registered"), is_same),
        checks.holds(phrase("analysed by the design of the plan"), plan.is_as_designed),
        checks.holds(phrase("planned before the first assignment"), planned_before),
        checks.holds(phrase("nobody assigned after the outcome"), not _late(region, found).any()),
        checks.not_by_chance(phrase("arms as large as planned"), ratio.p_value, 0.001),
        checks.at_most(
            phrase("units of which nothing was known before"), 1 - len(people) / len(rows), 0.02
        ),
    ]
    left = plan.size - len(rows)
    missing, beyond = max(left, 0) / plan.size, max(-left, 0) / plan.size
    if design.unit_is == "customer":
        drawn = lots.set_index("unit")["arm"]
        same = (drawn.reindex(rows.index) == rows["arm"]).mean()
        missing = float(1 - drawn.index.isin(rows.index).mean())
        made.append(checks.at_most(phrase("units in another arm than drawn"), 1 - float(same), 0.0))
    made += [
        checks.at_most(phrase("units of the list without assignment"), missing, 0.05),
        checks.at_most(phrase("units beyond the list"), beyond, 0.0),
    ]
    return made


def _late(region: Region, found: Reading) -> pd.Series:
    """Tell which units were assigned when what is to be changed had happened."""
    people, design = found.people, found.plan.as_designed
    day = people["assigned_on"].dt.normalize()
    if design.unit_is == "complaint":
        resolved = units.recorded_cases(region)["resolved_at"].reindex(people.index)
        return resolved.dt.normalize() < day
    if design.who == "without_card":
        cards = region.customers.set_index("customer_id")["card_since"].reindex(people.index)
        return cards.dt.normalize() < day
    return pd.Series(False, people.index)
