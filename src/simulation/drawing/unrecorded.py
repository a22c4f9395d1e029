"""What nobody records of customers: traits that mislead, and roughness of what they do and say."""

import numpy as np
import pandas as pd
from numpy import ndarray
from numpy.random import Generator
from pandas import DataFrame

from simulation.world import N_WEEKS, World

PAUSE = (8, 20)  # weeks
STRETCH, FARTHEST = 3.0, 4.0  # of a standard deviation, where tails are heavy


def draw_unrecorded(world: World, n: int, rng: Generator) -> DataFrame:
    """Return one row per customer.

    attachment, halo and new_rate are standard normal. Tails are factors on a standard normal that
    make it Student's t, 1 where that is not planted. Pauses begin and end in weeks, `N_WEEKS` for
    those who make none.
    """
    attachment, halo, new_rate = rng.standard_normal((3, n))
    begins, first, last = rng.integers(0, N_WEEKS, n), *PAUSE
    pausing, alike = rng.random((2, n))
    resumes = begins + rng.integers(first, last + 1, n)
    away = pausing < world.pauses
    tails = rng.chisquare(world.tail_df or 1.0, (3, n))
    tails = np.minimum(np.sqrt((world.tail_df - 2) / tails), STRETCH) if world.tail_df else tails**0
    return DataFrame(
        {
            "attachment": attachment,
            "halo": halo,
            "new_rate": new_rate,
            "new_rate_week": rng.integers(N_WEEKS // 4, N_WEEKS * 3 // 4, n),
            "pauses": np.where(away, begins, N_WEEKS),
            "resumes": np.where(away, resumes, N_WEEKS),
            **dict(zip(("opinion_tail", "rate_tail", "size_tail"), tails, strict=True)),
            "one_number": alike < world.straight_lining,
        }
    )


def stretched(normal: ndarray, tail: pd.Series) -> ndarray:
    """Return normal numbers with heavier tails, cut where no customer would be; same shape."""
    heavy = np.clip(normal * tail.to_numpy(), -FARTHEST, FARTHEST)
    return np.where(tail.to_numpy() == 1, normal, heavy)


def odds_shifted(chance: pd.Series, log_odds: pd.Series) -> pd.Series:
    """Return chances after their log odds moved; those beyond 0 and 1 stay where nothing moves."""
    factor = np.exp(log_odds)
    return chance * factor / (1 - chance + chance * factor)
