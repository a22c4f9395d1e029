"""How much is computed: all of it for reports, less in quick mode, for trying things out."""

from __future__ import annotations

import os

QUICK, REPORTS = "WORKBOOK_QUICK", "WORKBOOK_REPORTS"
IMPUTATIONS, DRAWS = 5, 200


def quick_mode(on: bool = True) -> None:
    """Switch quick mode on or off for what is computed from now on in this process.

    Missing answers are imputed 5 times and bootstraps have 200 draws; every card says so. In
    `workbook run` it has no effect.
    """
    os.environ[QUICK] = "1" if on else ""


def is_quick() -> bool:
    """Tell whether quick mode is on; never where reports are written."""
    return bool(os.environ.get(QUICK)) and REPORTS not in os.environ


def imputations(usual: int) -> int:
    """Return how often missing answers are imputed."""
    return min(usual, IMPUTATIONS) if is_quick() else usual


def draws(usual: int) -> int:
    """Return how many draws a bootstrap has."""
    return min(usual, DRAWS) if is_quick() else usual
