"""Claims over the regions of a source: pooled, as a family, and how much data would decide them."""

from analysis.claims.across_regions.families import (
    ALPHA,
    BEST_FIRST,
    best_first,
    by_region,
    family,
    ranked,
)
from analysis.claims.across_regions.pooling import (
    LEAST_REGIONS,
    LEAST_TO_PREDICT,
    estimates,
    pooled,
    taking_part,
    without_each,
)
from analysis.claims.across_regions.reasons import why_open

__all__ = [
    "ALPHA", "BEST_FIRST", "LEAST_REGIONS", "LEAST_TO_PREDICT", "best_first", "by_region",
    "estimates", "family", "pooled", "ranked", "taking_part", "why_open",
    "without_each",
]  # fmt: skip
