"""A finding's record drawn for a reader: a chip, a small drawing, a card."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from statistics import median

import pandas as pd

from analysis.claims import wording

SYMBOLS = {
    "supported": "✓",
    "contradicted": "✗",
    "too small to matter": "≈",
    "inconclusive": "?",
    "not testable": "–",
    "failed": "!",
}

_LEFT = 'style="text-align:left"'

WIDTH, HEIGHT, MARGIN = 120, 18, 6
LINE_HEIGHT, MOST_LINES = 26, 12


def chip(verdict: str, language: str = "en") -> str:
    """Return a verdict as symbol, word and colour class.

    Parameters
    ----------
    verdict : str
        One of `SYMBOLS`.
    language : {"en", "zh"}
        Language of the word.
    """
    symbol = f'<span aria-hidden="true">{SYMBOLS[verdict]}</span>'
    word = wording.words(language)["verdict"][verdict]
    return f'<strong class="chip {slug(verdict)}">{symbol} {word}</strong>'


def slug(verdict: str) -> str:
    """Return a verdict as the name of its colour class."""
    return verdict.replace(" ", "-")


def scale_of(parts: Sequence[Mapping]) -> tuple[float, float]:
    """Return the ends of one scale on which the same part of several regions is drawn.

    It shows "none", the claim's edge, the negligible band and every estimate; a very
    wide interval does not squeeze the others: it leaves the scale.

    Parameters
    ----------
    parts : sequence of mapping
        Part records with an estimate, all of the same part.
    """
    place, back = _axis(parts[0])
    marks = [mark for part in parts for mark in _marks(part)]
    placed = [place(mark) for mark in marks]
    ends = [
        [place(part[end]) for end in ("ci_low", "ci_high") if _finite(part, end)] for part in parts
    ]
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

    Parameters
    ----------
    part : mapping
        A part record with an estimate.
    low, high : float
        Ends of the scale, in the unit of the effect.
    """
    x = _positions(part, low, high)
    drawn = [_band(part, x), _claim_bar(part, x), _tick(x(part["null"]))]
    drawn += [_line(part, x), f'<circle cx="{x(part["estimate"]):.1f}" cy="8" r="3.2"/>']
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    return (
        f'<svg class="interval" {size} fill="currentColor" aria-hidden="true" focusable="false">'
        f"{''.join(drawn)}</svg>"
    )


def line_svg(runs: pd.DataFrame, main: str, kind: str, low: float, high: float) -> str:
    """Draw effects over the runs, from left to right; the main one in ink, the others pale.

    Parameters
    ----------
    runs : DataFrame
        One row per run, one column per line.
    main : str
        Column that stands out.
    kind : {"identity", "log", "logit"}
        Scale on which effects add up.
    low, high : float
        Ends of the scale, as in `interval_svg`.
    """
    others = [name for name in runs.columns if name != main][:MOST_LINES]
    drawn = [_polyline(runs[name], kind, (low, high), "pale") for name in others]
    drawn.append(_polyline(runs[main], kind, (low, high), "main"))
    size = f'width="{WIDTH}" height="{LINE_HEIGHT}" viewBox="0 0 {WIDTH} {LINE_HEIGHT}"'
    return (
        f'<svg class="runs" {size} fill="none" stroke="currentColor" aria-hidden="true" '
        f'focusable="false">{"".join(drawn)}</svg>'
    )


def card(record: Mapping) -> str:
    """Draw a finding's record as HTML that reads well with and without a style sheet.

    Parameters
    ----------
    record : mapping
        As `Finding.record` returns it.
    """
    language = record["language"]
    title = escape(f"{record['hypothesis']} {record['title']}")
    claim = escape(wording.words(language)["claim"] + record["claim"])
    blocks = [
        f'<p class="card-head">{chip(record["verdict"], language)} <b>{title}</b></p>',
        f'<p class="claim">{claim}</p>',
        f'<p class="sentence">{escape(wording.sentence(record))}</p>',
    ]
    if record["meaning"]:
        blocks.append(f'<p class="meaning">{escape(record["meaning"])}</p>')
    blocks += [_effects(record), _calibration(record), _checks(record), _caveats(record)]
    return f'<article class="card {slug(record["verdict"])}">{"".join(blocks)}</article>'


def _polyline(values: pd.Series, kind: str, ends: tuple[float, float], name: str) -> str:
    """Draw one line over the runs; runs without a value are passed over."""
    step = (WIDTH - 2 * MARGIN) / max(len(values) - 1, 1)
    place, _ = _axis({"scale": kind})
    bottom, top = (place(end) for end in ends)
    points = [
        (MARGIN + i * step, (place(value) - bottom) / ((top - bottom) or 1.0))
        for i, value in enumerate(values)
        if math.isfinite(value)
    ]
    inner = LINE_HEIGHT - 4
    written = " ".join(f"{x:.1f},{2 + inner * (1 - min(max(y, 0), 1)):.1f}" for x, y in points)
    return f'<polyline class="{name}" points="{written}"/>'


def _effects(record: Mapping) -> str:
    """Return the table of effects, one row per part with an estimate."""
    parts = [part for part in record["parts"] if "estimate" in part]
    if not parts:
        return ""
    said = wording.words(record["language"])
    names = ["effect", "estimate", "claimed", "n"] + ["outcome"] * (len(parts) > 1)
    rows = [_effect(part, record["language"]) for part in parts]
    return _table("effects", [said[name] for name in names], rows)


def _effect(part: Mapping, language: str) -> list[str]:
    """Return the cells of a part: words, numbers, drawing and its own verdict."""
    drawing = interval_svg(part, *scale_of([part]))
    method = f"<br><small>{escape(part['method'])}</small>" if part["method"] else ""
    verdict = wording.words(language)["verdict"][part["verdict"]]
    return [
        escape(part["label"]) + method,
        f'<span class="num">{wording.interval(part)}</span> {drawing}'
        f"<br><small>{escape(part['unit'])}</small>",
        f'<span class="num">{wording.claim_range(part, language)}</span>',
        escape(wording.count(part, language)),
        f"{SYMBOLS[part['verdict']]} {verdict}",
    ]


def _calibration(record: Mapping) -> str:
    """Return how often such verdicts were wrong in simulations."""
    text = wording.calibration(record)
    return f'<p class="calibration"><small>{escape(text)}</small></p>' if text else ""


def _checks(record: Mapping) -> str:
    """Return how many checks passed, with all of them folded below."""
    checks, said = record["checks"], wording.words(record["language"])["checks"]
    if not checks:
        return ""
    failed = wording.failed_checks(record)
    text = said["count"].format(passed=len(checks) - len(failed), n=len(checks))
    mark = '<span aria-hidden="true">⚠</span> ' if failed else ""
    if failed:
        text += said["broken"].format(names=wording.join(failed, record["language"]))
    names = [said[key] for key in ("name", "outcome", "value", "rule")]
    table = _table("all-checks", names, [_check(check, said) for check in checks])
    return f'<details class="checks"><summary>{mark}{escape(text)}</summary>{table}</details>'


def _check(check: Mapping, said: Mapping) -> list[str]:
    """Return the cells of a check."""
    failed = "blocking" if check["blocking"] else "advisory"
    outcome = said["passed" if check["passed"] else failed]
    return [escape(str(cell)) for cell in (check["name"], outcome, check["value"], check["rule"])]


def _caveats(record: Mapping) -> str:
    """Return the list of caveats, with the line that says what they are."""
    if not record["caveats"]:
        return ""
    said = wording.words(record["language"])["caveats"]
    items = "".join(f"<li>{escape(caveat)}</li>" for caveat in record["caveats"])
    return f'<div class="caveats"><p>{said}</p><ul>{items}</ul></div>'


def _table(kind: str, names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; each cell repeats its head for screens too narrow for columns."""
    head = "".join(f'<th scope="col" {_LEFT}>{name}</th>' for name in names)
    body = "".join(f"<tr>{_cells(names, row)}</tr>" for row in rows)
    return f'<table class="{kind}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _cells(names: Sequence[str], row: Sequence[str]) -> str:
    """Return the cells of a row, as many as there are names; the first is its head."""
    rest = zip(names[1:], row[1:], strict=False)
    cells = "".join(f'<td data-label="{name}" {_LEFT}>{cell}</td>' for name, cell in rest)
    return f'<th scope="row" {_LEFT}>{row[0]}</th>{cells}'


def _marks(part: Mapping) -> list[float]:
    """Return what a drawing of a part must show besides its interval."""
    fixed = wording.claim_ends(part) + list(part["negligible"] or ())
    return [mark for mark in (part["null"], part["estimate"], *fixed) if mark is not None]


def _finite(part: Mapping, end: str) -> bool:
    """Tell whether an end of the interval can be placed on the scale."""
    log = part["scale"] == "log"
    return part[end] is not None and (part[end] > 0 or not log)


def _axis(part: Mapping) -> tuple[Callable[[float], float], Callable[[float], float]]:
    """Return where an effect lies on the drawing's axis, and the way back."""
    if part["scale"] == "log":
        return math.log, math.exp
    return float, float


def _positions(part: Mapping, low: float, high: float) -> Callable[[float], float]:
    """Return the function from an effect to its place in the drawing, in pixels."""
    place, _ = _axis(part)
    start, span = place(low), (place(high) - place(low)) or 1.0

    def x(value: float) -> float:
        beyond = value <= 0 and part["scale"] == "log"
        share = -1.0 if beyond else (place(value) - start) / span
        return MARGIN + (WIDTH - 2 * MARGIN) * min(max(share, -0.05), 1.05)

    return x


def _band(part: Mapping, x: Callable[[float], float]) -> str:
    """Return the grey band in which an effect is too small to matter."""
    if part["negligible"] is None:
        return ""
    left, right = (x(end) for end in part["negligible"])
    box = f'x="{left:.1f}" y="1" width="{right - left:.1f}" height="14"'
    return f'<rect {box} fill="#8a93a0" fill-opacity=".28"/>'


def _claim_bar(part: Mapping, x: Callable[[float], float]) -> str:
    """Return the bar below the interval that marks where the claim puts the effect."""
    left, right = (x(end) for end in wording.ends(*part["claim"]))
    return f'<rect x="{left:.1f}" y="15.5" width="{right - left:.1f}" height="2" fill="#3d7fc4"/>'


def _tick(x: float) -> str:
    """Return the tick at "none"."""
    return f'<path d="M{x:.1f} 1V15" stroke="#7a8490"/>'


def _line(part: Mapping, x: Callable[[float], float]) -> str:
    """Return the interval, with an arrow where it leaves the scale."""
    left, right = (x(end) for end in wording.ends(part["ci_low"], part["ci_high"]))
    line = f'<path d="M{left:.1f} 8H{right:.1f}" stroke="currentColor" stroke-width="1.6"/>'
    if left < MARGIN - 0.1:
        line += f'<path d="M{left - 0.5:.1f} 8l4.5 -3.2v6.4z"/>'
    if right > WIDTH - MARGIN + 0.1:
        line += f'<path d="M{right + 0.5:.1f} 8l-4.5 -3.2v6.4z"/>'
    return line
