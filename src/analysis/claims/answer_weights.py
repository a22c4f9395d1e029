"""What the weights of survey answers do to a claim, for its card and for the data profile."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from analysis.claims.verdicts import Check
from analysis.claims.wording import INFORMATION
from analysis.cohorts import data_profile
from analysis.data.region import Region
from analysis.data.suspicions.tables import ABSURD
from analysis.language import phrase, text
from analysis.statistics import weighting


def check(region: Region, needs: Sequence[str]) -> list[Check]:
    """Say whether a claim's models and tables are weighted; nothing where answers have no weights.

    Those of claims on the survey's answers are (`needs` has a column of the table survey). Those on
    purchases and cases are about all customers, whom nobody has drawn.
    """
    answers = region.answers()
    if weighting.of(answers) is None:
        return []
    name = phrase("weights of the survey's answers")
    if not any(each.startswith("survey.") for each in needs):
        value = text("not used in the estimate: purchases and cases are those of all customers")
        return [Check(name, INFORMATION, value, passed=True, blocking=False)]
    return [Check(name, INFORMATION, in_words(region), passed=True, blocking=False)]


def in_words(region: Region) -> str:
    """Say how much a region's weighted answers tell, and whether that is absurdly little."""
    answers = region.answers()
    n, size = len(answers), weighting.size(answers)
    said = text(
        "used throughout; answers of {n:,} customers tell as much as {size:,.0f} with equal "
        "weights (design effect {effect:.2f})",
        n=n, size=size, effect=n / size,
    )  # fmt: skip
    none = region.rows.get("survey", 0) - region.repeated_answers - len(region.survey)
    if none:
        said = text("{said}; answers of weight 0, left out: {none:,}", said=said, none=none)
    if n / size <= ABSURD:
        return said
    return text("{said}. So few decide all that follows: are these weights right?", said=said)


def balance(region: Region) -> pd.DataFrame:
    """Compare what is known of all customers with what weighted answers say of it.

    Returns
    -------
    DataFrame
        By feature: all (mean of the customers), answered (of who answered), weighted (of them, by
        weight), estimate (weighted less all, in standard deviations of all); empty without weights.
    """
    weight = region.answers()[weighting.COLUMN]
    if weighting.of(weight.to_frame()) is None:
        return pd.DataFrame()
    features = data_profile.known_of_all(region)
    rows = features.reindex(weight.index).assign(**{weighting.COLUMN: weight})
    found = pd.DataFrame({"all": features.mean(), "answered": rows[list(features)].mean()})
    found["weighted"] = weighting.means(rows, list(features))
    found["estimate"] = (found["weighted"] - found["all"]) / features.std().replace(0, float("nan"))
    return found.dropna().rename_axis("feature")


def counted(rows: float | pd.DataFrame) -> tuple[float, str]:
    """Return the number of rows, of weighted answers the effective one, and both in words."""
    if not isinstance(rows, pd.DataFrame) or weighting.of(rows) is None:
        n = len(rows) if isinstance(rows, pd.DataFrame) else rows
        return n, f"{n:,.0f}"
    n, size = len(rows), weighting.size(rows)
    return size, text("{n:,}, by their weights as good as {size:,.0f}", n=n, size=size)
