"""Which regions would be stopped, which claims can be tested, and what the others lack."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from analysis.claims.hypotheses import register
from analysis.cohorts.answer_quality import item_coding
from analysis.data.dataset import Dataset, validate
from analysis.data.errors import DataError
from analysis.data.region import Region, of_validated

LEAST_ANSWERS = 30
"""Answers below which nothing is said of how items are coded."""


@dataclass(frozen=True)
class Use:
    """What a source can be used for.

    Attributes
    ----------
    stopped : dict of str to str
        Why a region would be stopped, by its name.
    regions : int
        Regions that would run.
    testable : dict of str to int
        Regions in which a claim has its tables, columns and days, by its key.
    lacking : DataFrame
        claim, column ("table.column") and regions: what a claim lacks, and in how many regions;
        without a column what else is missing, as a sentence in `why`.
    reversed : dict of str to str
        By region: which ratings go against the others, in words.
    """

    stopped: dict[str, str]
    regions: int
    testable: dict[str, int]
    lacking: pd.DataFrame
    reversed: dict[str, str]


def use_of(dataset: Dataset) -> Use:
    """Load every region of a source, and see which claims its data would test."""
    whole, stopped, loaded = validate(dataset), {}, []
    for name in whole.regions:
        try:
            loaded.append(of_validated(whole, name))
        except DataError as error:
            stopped[name] = str(error)
    there = {
        f"{name}.{each}" for name, table in dataset.tables.items() for each in table.rows.columns
    }
    rows, testable = [], {}
    for claim in register().values():
        reasons = {here.name: here.missing(claim) for here in loaded}
        testable[claim.id] = sum(not each for each in reasons.values())
        for here in loaded:
            if not reasons[here.name]:
                continue
            columns = [need for need in claim.needs if need not in here.columns | there]
            rows += [(claim.id, column, "") for column in columns]
            if not columns:
                rows.append((claim.id, "", reasons[here.name][0]))
    lacking = pd.DataFrame(rows, columns=["claim", "column", "why"])
    lacking = lacking.groupby(["claim", "column", "why"]).size().rename("regions").reset_index()
    turned = {here.name: _turned(here) for here in loaded}
    return Use(
        stopped,
        len(loaded),
        testable,
        lacking,
        {name: each for name, each in turned.items() if each},
    )


def columns_to_supply(lacking: pd.DataFrame) -> pd.DataFrame:
    """Return the columns that would make claims testable, those of most claims first.

    Returns
    -------
    DataFrame
        column ("table.column"), claims (their keys), example (a line of TOML).
    """
    rows = lacking[lacking["column"] != ""]
    claims = rows.groupby("column")["claim"].agg(lambda keys: sorted(set(keys)))
    order = claims.map(len).sort_values(ascending=False, kind="stable").index
    examples = [f'[{c.split(".")[0]}.columns] {c.split(".")[1]} = "your column"' for c in order]
    return pd.DataFrame({"column": order, "claims": claims[order].to_list(), "example": examples})


def _turned(here: Region) -> str:
    """Say which ratings seem to be coded the other way round."""
    answers = here.answers()
    if len(answers) < LEAST_ANSWERS:
        return ""
    return "; ".join(
        f"{each.name} goes against {each.scale or each.worst} (r = {each.r:+.2f})"
        for each in item_coding(answers).reversed
    )
