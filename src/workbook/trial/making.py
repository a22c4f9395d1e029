"""Make a trial's plan: its size from the past, its lots, its page; and register it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from analysis.claims.trials import planning, plans, sizing, words
from analysis.claims.trials.designs import Design
from analysis.claims.trials.in_units import AS_IT_IS, Unit, unit_of
from analysis.data.errors import DataError
from analysis.data.files import write_text
from analysis.data.region import Region
from analysis.statistics.estimate import NotEstimable
from workbook.trial.page import page

PAGE = "plan.html"


@dataclass(frozen=True)
class Asked:
    """What the command line asks for."""

    trial: str
    seed: int
    size: int | None
    share: float
    compliance: float
    folder: Path | None


@dataclass(frozen=True)
class Made:
    """What was made: sentences for the terminal, and files."""

    lines: Sequence[str]
    paths: Sequence[Path]


def make(here: Region, design: Design, asked: Asked) -> Made:
    """Plan a trial in a region and register it.

    Raises
    ------
    DataError
        If too few can take part.
    """
    past, size, unit, why = _sized(here, design, asked)
    wanted = asked.size or (size.needed if size else None)
    known = plans.earlier(here.source.name, asked.trial, asked.folder)
    fixed = {
        "past": past,
        "needed": size.needed if size else None,
        "compliance": asked.compliance,
        "attrition": size.attrition if size else 0.0,
        "replaces": tuple(each["fingerprint"] for each in known),
    }
    try:
        drawn = planning.drawn(
            here, design, asked.trial, asked.seed, size=wanted, share=asked.share, power=None,
            **fixed,
        )  # fmt: skip
    except NotEstimable as error:
        raise DataError(f"{asked.trial}: {error}") from None
    if size is not None:
        power = sizing.power_of(past, design, size, drawn.plan.size, asked.share, asked.seed, unit)
        drawn = planning.with_power(drawn, power)
    money = sizing.money(here, design, asked.compliance)
    place = plans.register(drawn.plan, drawn.lots, asked.folder)
    write_text(place / PAGE, page(drawn, size, why, money))
    said = [
        *words.of_size(drawn, size, why)[1],
        *(sentence for _, each in words.of_money(money) for sentence in each),
        *words.of_lots(drawn.plan)[1],
    ]
    return Made(said, [place / name for name in (PAGE, plans.LIST, plans.PLAN)])


def _sized(
    here: Region, design: Design, asked: Asked
) -> tuple[pd.DataFrame, sizing.Sizing | None, Unit, str]:
    """Return the past, how many units decide, in what unit, and why that is not known."""
    past, unit = pd.DataFrame(), AS_IT_IS
    try:
        past, unit = planning.history(here, design), unit_of(here, design)
        given = (asked.compliance, asked.share, asked.seed)
        found = sizing.sizing(past, design, *given, unit=unit)
    except NotEstimable as error:
        return past, None, unit, str(error)
    return past, found, unit, ""
