"""Findings for colleagues: one Excel file, tables as CSV, and a summary of one page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from analysis.claims import across_regions, card, findings, wording
from analysis.claims.finding import part_record
from analysis.claims.hypotheses import hypothesis, register
from analysis.data.files import whole
from workbook.pages import index, overview, plain, remarks, report
from workbook.pages.exports import excel
from workbook.pages.exports.rows import Line


def write(
    found: pd.DataFrame,
    pools: pd.DataFrame,
    folder: Path,
    language: str,
    said: Sequence[Line] = (),
    *,
    with_slides: bool = False,
) -> list[Path]:
    """Write findings and pooled effects for colleagues, each file whole or not at all.

    Parameters
    ----------
    found : DataFrame
        As from `findings.tidy`.
    pools : DataFrame
        As from `across_regions.pooled`.
    folder : Path
        Where the files go; made where it is missing.
    language : {"en", "zh"}
        Language of the words; CSV files have none but those of the findings.
    said : sequence of Line
        What was found, as from `rows.lines`: the first sheet, and the slides.
    with_slides : bool
        Whether to make slides, too.

    Returns
    -------
    list of Path
        findings.csv, pooled.csv, findings.xlsx, summary.html and maybe findings.pptx; equal input
        makes equal bytes.

    Raises
    ------
    ValueError
        If the register lacks a part.
    """
    book, page = excel.workbook(found, pools, language, said), summary(found, pools, language)
    saves = {
        "findings.csv": lambda path: findings.save_csv(findings.in_units(found), path),
        "pooled.csv": lambda path: findings.save_csv(findings.in_units(pools), path),
        "findings.xlsx": lambda path: path.write_bytes(book),
        "summary.html": lambda path: path.write_text(page, encoding="utf-8", newline="\n"),
    }
    if with_slides:
        from workbook.pages.exports import slides  # which few ask for

        show = slides.presentation(said, language)
        saves["findings.pptx"] = lambda path: path.write_bytes(show)
    folder.mkdir(parents=True, exist_ok=True)
    for name, save in saves.items():
        with whole(folder / name) as draft:
            save(draft)
    return [folder / name for name in saves]


def summary(found: pd.DataFrame, pools: pd.DataFrame, language: str) -> str:
    """Return a page with one line per hypothesis, best claims first, that prints on one A4.

    Sources have a table each. Where nothing is pooled, each region has a table of its own
    verdicts.
    """
    words, assets = wording.words(language), report.assets()
    blocks = [
        block
        for source, own in found.groupby("source", sort=False)
        for block in _blocks(own, pools[pools["source"] == source], language)
    ]
    template = index.environment(language).get_template("summary.html.j2")
    return template.render(
        language=language,
        words=words["export"],
        same=words,
        blocks=blocks,
        associations=_associations(found, language),
        symbols=card.SYMBOLS,
        fingerprint=report.fingerprint(found.to_dict("records")),
        css=assets["css"],
        policy=assets["policy"],
    )


def _blocks(own: pd.DataFrame, pools: pd.DataFrame, language: str) -> Iterator[dict]:
    """Yield the tables of a source: the pooled one, or one per region where nothing is pooled."""
    source, family = own["source"].iloc[0], across_regions.family(own, pools).iloc[0]
    if family["is_pooled"]:
        yield {"title": source, "is_pooled": True} | _pooled_block(own, pools, language)
        return
    table, said = across_regions.by_region(own), remarks.why_not_pooled(source, family, language)
    for region, rows in own.groupby("region", sort=False):
        heads = across_regions.best_first(table[table["region"] == region]).to_dict("records")
        lines = [_line(head, rows, language) for head in heads]
        yield {"title": f"{source} · {region}", "note": said, "lines": lines}


def _pooled_block(own: pd.DataFrame, pools: pd.DataFrame, language: str) -> dict:
    """Return the lines of a source's pooled hypotheses, and by reason of those not pooled."""
    words, regions = wording.words(language)["export"], own["region"].unique().tolist()
    said = words["regions" if len(regions) <= remarks.MOST_NAMED else "many_regions"]
    verdicts = own.drop_duplicates(["hypothesis", "region"]).groupby("hypothesis")["verdict"]
    lines, not_pooled = [], {}
    for head in across_regions.ranked(pools).to_dict("records"):
        counts = verdicts.get_group(head["hypothesis"]).value_counts().to_dict()
        line = _line(head, pools, language) | {"counts": counts}
        if pd.notna(head["estimate"]):
            lines.append(line)
            continue
        least, n = across_regions.LEAST_REGIONS, sum(counts.values())
        reason = words["too_few"].format(n=head["n_regions"], regions=n, least=least)
        not_pooled.setdefault(reason, []).append(line)
    return {
        "note": said.format(n=len(regions), names=wording.join(regions, language)),
        "lines": lines,
        "not_pooled": not_pooled,
    }


def _line(head: Mapping, table: pd.DataFrame, language: str) -> dict:
    """Return what the summary says of a hypothesis; `table` has a row for each of its parts."""
    own = table[table["hypothesis"] == head["hypothesis"]]
    line = {
        "id": head["hypothesis"],
        "title": hypothesis(head["hypothesis"]).title[language],
        "verdict": head["verdict"],
        "stands": _stands(head, language),
        "reason": own["reason"].iloc[0],
    }
    return line if own["estimate"].isna().any() else line | _effect(head, own, language)


def _effect(head: Mapping, own: pd.DataFrame, language: str) -> dict:
    """Return the headline's effect in words and drawn, and the part that gave the verdict."""
    rows, known = own.set_index("part").to_dict("index"), hypothesis(head["hypothesis"])
    parts = [part_record(part, rows[part.key], language) for part in known.parts]
    record = {"verdict": head["verdict"], "parts": parts, "checks": [], "language": language}
    decider = [] if head.get("blocked_by") else plain.decider(record)
    drawn = overview.drawn(parts[0], card.scale_of(parts[:1]))
    return drawn | {"notes": [parts[0]["unit"], *decider]}


def _associations(found: pd.DataFrame, language: str) -> str:
    """Name the hypotheses that are associations; nothing where there are none."""
    keys = found["hypothesis"].unique()
    names = [key for key in register() if key in keys and hypothesis(key).reading == "association"]
    said = wording.words(language)["export"]["associations"]
    return said.format(names=wording.join(names, language)) if names else ""


def _stands(head: Mapping, language: str) -> str:
    """Say whether a verdict stands in its family; nothing where there is no verdict to stand."""
    p = head["p_holm"]
    if head["verdict"] not in across_regions.BEST_FIRST[:3] or pd.isna(p):
        return ""
    said = wording.words(language)["export"]["stands" if head["survives"] else "falls"]
    return said.format(p=f"p = {p:.3f}" if p >= 0.001 else "p < 0.001")
