"""What changed since the run before, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from analysis.claims import across_regions, wording
from workbook.pages import history, plain


def changes(past: pd.DataFrame, found: pd.DataFrame, language: str) -> list[str]:
    """Say what changed since the run before, one sentence for each region.

    Regions in which nothing changed are counted together at the end. The tables are as from
    `history.read` and `history.changes`.
    """
    words = wording.words(language)["changes"]
    if past.empty:
        return []
    if past["run"].max() == 1:
        return [words["first"]]
    return list(_sentences(found, words, language))


def of_region(past: pd.DataFrame, found: pd.DataFrame, language: str) -> str:
    """Say what changed in a region, given its rows as from `history.changes`."""
    words = wording.words(language)["changes"]
    if past.empty or past["run"].max() == 1:
        return words["first"]
    if found.empty or not found[["moved", "anew"]].any(axis=None):
        return words["none"]
    return _what(found, words, language)


def at_run(run: int, day: str, effect: str, language: str) -> str:
    """Say what an effect was after a run, with the last day of the data where it is known."""
    words = wording.words(language)["index"]["at_run" if day else "at_undated_run"]
    day = day if language == "en" else plain.day(day, language)
    return words.format(run=run, day=day, effect=effect)


def _sentences(found: pd.DataFrame, words: Mapping, language: str) -> Iterator[str]:
    """Yield a sentence for each region in which something changed, and one for the others."""
    several, calm = found["source"].nunique() > 1, 0
    for (source, region), own in found.groupby(["source", "region"], sort=False):
        if not own[["moved", "anew"]].any(axis=None):
            calm += region != history.EVERYWHERE
            continue
        where = region or words["everywhere"]
        where = f"{source} · {where}" if several else where
        yield words["region"].format(where=where, what=_what(own, words, language))
    if calm:
        yield words["calm_one" if calm == 1 else "calm"].format(n=calm)


def _what(own: pd.DataFrame, words: Mapping, language: str) -> str:
    """Say what changed in a region: new, gone, or by which cause, with the verdicts that moved."""
    if own["before"].isna().all() or own["verdict"].isna().all():
        return words["new" if own["before"].isna().all() else "gone"]
    own = own.fillna({"before": "", "verdict": ""})
    turned = own["before"] != own["verdict"]
    turns = [*_turns(own[turned], words, language), *_stands(own, words)]
    counts = words["counts"].format(
        moved=(own["moved"] & ~turned).sum(), same=(~own["moved"] & ~turned).sum()
    )
    causes = set().union(*own["causes"])
    names = [words["causes"][name] for name in history.REASONS if name in causes]
    why = words["because"].format(causes=wording.join(names, language))
    why = why if names else words["unexplained"]
    turns = wording.join(turns, language) or words["none"]
    return words["what"].format(why=why, turns=turns, counts=counts)


def _turns(turned: pd.DataFrame, words: Mapping, language: str) -> Iterator[str]:
    """Say of each claim whose verdict moved what it was and what it is."""
    verdict = wording.words(language)["verdict"] | {"": "–"}
    for row in turned.itertuples():
        before, after = verdict[row.before], verdict[row.verdict]
        yield words["turn"].format(key=row.hypothesis, before=before, after=after)


def _stands(own: pd.DataFrame, words: Mapping) -> Iterator[str]:
    """Say of each claim that is decided whether its standing in the family was won or lost."""
    for row in own[own["verdict"].isin(across_regions.BEST_FIRST[:3])].itertuples():
        if row.stood and row.stands and row.stood != row.stands:
            yield words["stands" if row.stands == "yes" else "falls"].format(key=row.hypothesis)
