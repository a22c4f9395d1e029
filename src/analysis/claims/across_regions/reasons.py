"""Why a pooled claim is open: a check, or parts whose intervals fit both a yes and a no."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from analysis.claims import wording
from analysis.claims.finding import part_record
from analysis.claims.hypotheses import register
from analysis.language import current, text


def why_open(pools: pd.DataFrame, plain: Mapping[tuple, dict] | None = None) -> pd.Series:
    """Return what keeps each pooled claim open.

    Parameters
    ----------
    pools : DataFrame
        As from `pooled`, all parts of each hypothesis.
    plain : mapping of tuple to dict, optional
        A manager's unit by source, hypothesis and part, as a part's record has it.

    Returns
    -------
    Series of str
        By the index of `pools`, the same for all parts of a hypothesis: its `reason` where it has
        one, else the parts that are open with their intervals; empty where it is decided.
    """
    found = pd.Series("", index=pools.index, dtype=object)
    for _, rows in pools.groupby(["source", "hypothesis"], sort=False):
        found[rows.index] = _of_one(rows, plain or {})
    return found


def _of_one(rows: pd.DataFrame, plain: Mapping[tuple, dict]) -> str:
    """Return why one hypothesis is open, from the rows of its parts."""
    first, language = rows.iloc[0], current()
    if first["reason"] or first["verdict"] != "inconclusive":
        return first["reason"]
    parts = {part.key: part for part in register()[first["hypothesis"]].parts}
    said = []
    for row in rows[rows["part_verdict"] == "inconclusive"].to_dict("records"):
        own = plain.get((row["source"], row["hypothesis"], row["part"]))
        record = part_record(parts[row["part"]], row, language) | ({"plain": own} if own else {})
        record = wording.in_plain_unit(record)
        claim = wording.claim_range(record, language)
        effect = wording.interval(record) + wording.unit(record, language)
        facts = {"label": record["label"], "effect": effect, "claim": claim}
        said.append(text("{label}: {effect}, claimed {claim}", **facts))
    return text("The interval fits both a yes and a no: {parts}.", parts=text("; ").join(said))
