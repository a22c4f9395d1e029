"""A finding's record drawn for a reader: a chip, a small drawing, a card.

What is drawn is in `templates`; the style of a card in JupyterLab is in `templates/card.css`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from statistics import median

import jinja2
import pandas as pd

from analysis.claims import wording
from analysis.claims.deciding import on_card
from analysis.language import named

SYMBOLS = {
    "supported": "✓",
    "contradicted": "✗",
    "too small to matter": "≈",
    "inconclusive": "?",
    "not testable": "–",
    "failed": "!",
}
TEMPLATES = Path(__file__).parent / "templates"
WIDTH, HEIGHT, MARGIN = 120, 18, 6
LINE_HEIGHT, MOST_LINES = 26, 12


def chip(verdict: str, language: str = "en") -> str:
    """Return a verdict as symbol, word and colour class, in HTML."""
    known = {"words": wording.words(language)}
    macros = _environment().get_template("macros.html.j2").make_module(known)
    return str(macros.chip(verdict))


def slug(verdict: str) -> str:
    """Return a verdict as the name of its colour class."""
    return verdict.replace(" ", "-")


def card(record: Mapping) -> str:
    """Draw the record of a finding as HTML that reads well with and without a style sheet."""
    parts = [part for part in record["parts"] if "estimate" in part]
    said = wording.words(record["language"])["card"]
    noted = {"quick": record.get("is_quick"), "variant": record.get("variant")}
    notes = [said[name] for name, is_so in noted.items() if is_so]
    return _render("card.html.j2", record, parts=parts, notes=notes)


def comparison(registered: Mapping, record: Mapping, *, same_checks: bool) -> str:
    """Draw the record of a variant beside that of the finding as registered.

    `same_checks` says whether the variant was held to the checks of the registered finding.
    """
    return _render("compare.html.j2", record, registered=registered, same_checks=same_checks)


def styled(html: str) -> str:
    """Return HTML with the style of cards, for JupyterLab in light and dark."""
    style = (TEMPLATES / "card.css").read_text(encoding="utf-8")
    return f'<div class="lab"><style>{style}</style>{html}</div>'


def scale_of(parts: Sequence[Mapping]) -> tuple[float, float]:
    """Return the ends of one scale on which records of the same part, all estimated, are drawn.

    It shows "none", the claim's edge, the negligible band and every estimate; a very
    wide interval does not squeeze the others: it leaves the scale.
    """
    place, back = _axis(parts[0]["scale"])
    placed, ends = [], []
    for part in parts:
        fixed = [*wording.claim_ends(part), *(part["negligible"] or ())]
        marks = (part["null"], part["estimate"], *fixed)
        placed += [place(mark) for mark in marks if mark is not None]
        both = [end for end in (part["ci_low"], part["ci_high"]) if end is not None]
        ends.append([place(end) for end in both if end > 0 or part["scale"] != "log"])
    usual = median(max(pair) - min(pair) if pair else 0.0 for pair in ends)
    reach = max(0.75 * (max(placed) - min(placed)), usual) or 1.0
    every = placed + [end for pair in ends for end in pair]
    low, high = max(min(every), min(placed) - reach), min(max(every), max(placed) + reach)
    return back(low), back(high)


def interval_svg(part: Mapping, low: float, high: float) -> str:
    """Draw a part's interval on the scale from `low` to `high`.

    Grey is where an effect is too small to matter, the bar below is where the claim
    puts it, the tick is "none". The numbers stand beside it, so that a screen reader
    skips the drawing.
    """
    place, _ = _axis(part["scale"])
    start, span = place(low), (place(high) - place(low)) or 1.0

    def x(value: float) -> float:
        is_beyond = value <= 0 and part["scale"] == "log"
        share = -1.0 if is_beyond else (place(value) - start) / span
        return MARGIN + (WIDTH - 2 * MARGIN) * min(max(share, -0.05), 1.05)

    interval = wording.ends(part["ci_low"], part["ci_high"])
    places = {
        "band": [x(end) for end in part["negligible"] or ()],
        "claim": [x(end) for end in wording.ends(*part["claim"])],
        "null": x(part["null"]),
        "low": x(interval[0]),
        "high": x(interval[1]),
        "estimate": x(part["estimate"]),
    }
    size = {"width": WIDTH, "height": HEIGHT, "margin": MARGIN}
    return _environment().get_template("interval.svg.j2").render(places | size)


def line_svg(runs: pd.DataFrame, main: str, kind: str, low: float, high: float) -> str:
    """Draw effects (columns) over the runs (rows), the main one in ink, the others pale.

    `kind` is the scale on which effects add up; `low` and `high` are its ends, as in
    `interval_svg`. Runs without a value are passed over.
    """
    place, _ = _axis(kind)
    step, inner = (WIDTH - 2 * MARGIN) / max(len(runs) - 1, 1), LINE_HEIGHT - 4
    bottom, span = place(low), (place(high) - place(low)) or 1.0

    def points(values: pd.Series) -> str:
        heights = [
            (MARGIN + i * step, (place(value) - bottom) / span)
            for i, value in enumerate(values)
            if math.isfinite(value)
        ]
        return " ".join(f"{x:.1f},{2 + inner * (1 - min(max(y, 0), 1)):.1f}" for x, y in heights)

    others = [name for name in runs.columns if name != main][:MOST_LINES]
    lines = [("pale", points(runs[name])) for name in others] + [("main", points(runs[main]))]
    size = {"width": WIDTH, "height": LINE_HEIGHT}
    return _environment().get_template("runs.svg.j2").render(size, lines=lines)


def decided_svg(record: Mapping) -> str:
    """Draw how often the claim of a record is decided rightly, by the size of a region."""
    drawn = _environment().get_template("decidability.svg.j2").render(on_card.drawing(record))
    return jinja2.utils.markupsafe.Markup(drawn)


@cache
def _environment() -> jinja2.Environment:
    """Return the templates, each read again when its file changes."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    words = ("sentence", "calibration", "interval", "claim_range", "count", "failed_checks")
    words += ("checks_in_words", "method_in_words", "check_value")
    made.filters |= {name: getattr(wording, name) for name in words}
    made.filters |= {"slug": slug, "named": named, "scale_of": scale_of, "px": "{:.1f}".format}
    made.filters["drawn"] = lambda part, scale: jinja2.utils.markupsafe.Markup(
        interval_svg(part, *scale)
    )
    made.filters |= {"decidable": on_card.sentence, "decided_by_size": decided_svg}
    made.filters |= {"sizes": on_card.rows, "size_cells": on_card.cells}
    made.globals |= {"symbols": SYMBOLS, "information": wording.INFORMATION}
    return made


def _render(template: str, record: Mapping, **known: object) -> str:
    """Fill in a template for a record, in the record's language."""
    language = record["language"]
    known |= {"record": record, "language": language, "words": wording.words(language)}
    return _environment().get_template(template).render(known)


def _axis(scale: str) -> tuple[Callable[[float], float], Callable[[float], float]]:
    """Return where an effect lies on the drawing's axis, and the way back."""
    return (math.log, math.exp) if scale == "log" else (float, float)
