"""What a card says of how often regions decide its claim: a sentence, a drawing, a table."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from analysis.claims.deciding import decidability
from analysis.claims.words import words
from analysis.language import named

WIDTH, HEIGHT, MARGIN, FOOT = 280, 96, 24, 18
LEFT = 34
"""Size of the drawing, its margins, and room for the numbers at its foot and left."""


def rows(record: Mapping) -> list[dict]:
    """Return what was counted for the claim of a record, by size; none where nothing was."""
    if not record.get("customers"):
        return []
    return decidability.by_size(record["hypothesis"]).to_dict("records")


def sentence(record: Mapping) -> str:
    """Say how large regions must be for the claim to be decided, and what leaves it open here."""
    known = decidability.by_size(record["hypothesis"])
    if known.empty or not record.get("customers"):
        return ""
    said = words(record["language"])["decidability"]
    best, here = decidability.enough(known), decidability.nearest(known, record["customers"])
    key, row = ("largest", known.iloc[-1]) if best is None else ("enough", best)
    text = said[key].format(**_counts(row), here=f"{record['customers']:,}")
    if here["open"]:
        facts = _counts(here) | {"cause": cause(here, record["language"])}
        text += said["left_open"].format(**facts)
    if here["untested"]:
        text += said["untested"].format(**_counts(here))
    return text


def cause(row: Mapping, language: str) -> str:
    """Return what most of the open regions of a row are left open by, in words."""
    name = row["left_open_by"]
    if name == decidability.INTERVAL:
        return words(language)["decidability"]["interval"]
    return words(language)["decidability"]["check"].format(name=named(name, language))


def cells(row: Mapping, language: str) -> list[str]:
    """Return the cells of a size in the table of all sizes."""
    said, counts = words(language)["decidability"], _counts(row)
    share = said["share"].format(low=f"{row['low']:.0%}", high=f"{row['high']:.0%}", **counts)
    by = cause(row, language) if row["open"] else ""
    return [counts["customers"], share, counts["wrong"], counts["open"], counts["untested"], by]


def drawing(record: Mapping) -> dict:
    """Return what the drawing shows, in its pixels.

    By size the share of regions decided rightly with its interval, where enough of them are, and
    the size of the record's region.
    """
    found = decidability.by_size(record["hypothesis"])
    first, last = (math.log(found["customers"].agg(end)) for end in ("min", "max"))

    def x(customers: float) -> float:
        share = (math.log(customers) - first) / ((last - first) or 1.0)
        return LEFT + (WIDTH - LEFT - MARGIN) * min(max(share, 0.0), 1.0)

    def y(share: float) -> float:
        return 6 + (HEIGHT - FOOT - 12) * (1 - share)

    points = [
        {"x": x(row.customers), "label": f"{row.customers:,}"}
        | {name: y(getattr(row, name)) for name in ("share", "low", "high")}
        for row in found.itertuples()
    ]
    size = {"width": WIDTH, "height": HEIGHT, "left": LEFT, "right": WIDTH - MARGIN}
    scale = [(y(share), f"{share:.0%}") for share in (0, 0.5, 1)]
    marks = {"enough": y(decidability.ENOUGH), "here": x(record["customers"]), "scale": scale}
    return size | marks | {"points": points, "foot": HEIGHT - 4}


def _counts(row: Mapping | pd.Series) -> dict[str, str]:
    """Return the counts of a row as they are printed."""
    return {name: f"{row[name]:,}" for name in ("customers", *decidability.COUNTS, "failing")}
