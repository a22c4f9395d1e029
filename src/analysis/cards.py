"""A finding's record drawn for a reader: numbers, a sentence, a chip, a small drawing, a card."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from html import escape
from pathlib import Path
from statistics import median

SYMBOLS = {
    "supported": "✓",
    "contradicted": "✗",
    "too small to matter": "≈",
    "inconclusive": "?",
    "not testable": "–",
    "failed": "!",
}

_WORDS_FILE = Path(__file__).parent / "templates" / "words.toml"

_LEFT = 'style="text-align:left"'

WIDTH, HEIGHT, MARGIN = 120, 18, 6


@cache
def words(language: str) -> dict:
    """Return every fixed word that a reader sees, by its key.

    Parameters
    ----------
    language : {"en", "zh"}
    """
    return tomllib.loads(_WORDS_FILE.read_text(encoding="utf-8"))[language]


def format_value(
    value: float | None, show: str, *, decimals: int | None = None, signed: bool | None = None
) -> str:
    """Write a value for a reader: two to three significant digits and a true minus sign.

    Parameters
    ----------
    value : float or None
        An effect; None is an open end.
    show : {"number", "ratio", "percent", "share", "points"}
        "percent" writes a ratio as a change in percent.
    decimals : int, optional
        Digits after the point; by default those of two to three significant digits.
    signed : bool, optional
        Whether a positive value gets a plus sign; by default all but ratios and shares.

    Examples
    --------
    >>> format_value(0.21, "number"), format_value(1.12, "percent"), format_value(0.031, "points")
    ('+0.21', '+12 %', '+3.1 pp')
    """
    if value is None or math.isinf(value):
        return "−∞" if value is not None and value < 0 else "∞"
    if signed is None:
        signed = show not in ("ratio", "share")
    number = _shown(value, show)
    digits = _decimals([value], show) if decimals is None else decimals
    return _sign(number, digits, signed) + f"{abs(number):,.{digits}f}" + _suffix(show)


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
    word = words(language)["verdict"][verdict]
    return f'<strong class="chip {slug(verdict)}">{symbol} {word}</strong>'


def slug(verdict: str) -> str:
    """Return a verdict as the name of its colour class."""
    return verdict.replace(" ", "-")


def interval(part: Mapping) -> str:
    """Return a part's estimate and interval, such as "+12 % [+8, +16]"."""
    value, *ends = _values(part)
    low, high = (end.removesuffix(_suffix(part["show"])) for end in ends)
    return f"{value} [{low}, {high}]"


def claim_range(part: Mapping, language: str = "en") -> str:
    """Return where the claim puts the effect, in words: "at least +0.1", "2 to 5"."""
    low, high = _open_ends(part, *part["claim"])
    return _range_words(part, low, high, language)


def deciding_part(record: Mapping) -> Mapping:
    """Return the first part with the finding's own verdict, else the headline."""
    alike = (part for part in record["parts"] if part.get("verdict") == record["verdict"])
    return next(alike, record["parts"][0])


def failed_checks(record: Mapping, *, blocking: bool = False) -> list[str]:
    """Return the names of the checks that failed, or only of those that block a verdict."""
    failed = (check for check in record["checks"] if not check["passed"])
    return [check["name"] for check in failed if check["blocking"] or not blocking]


def sentence(record: Mapping) -> str:
    """Say in plain words what a finding found.

    Parameters
    ----------
    record : mapping
        As `Finding.record` returns it.

    Returns
    -------
    str
        Plain text in the record's language; not escaped.
    """
    say = words(record["language"])["say"]
    if "estimate" not in record["parts"][0]:
        return say[record["verdict"]].format(reason=record["reason"])
    part = deciding_part(record)
    facts = _facts(record, part)
    if blocking := failed_checks(record, blocking=True):
        return say["blocked"].format(names=_join(blocking, record["language"]), **facts)
    return _lead(record) + say[_case(record, part)].format(**facts)


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


def card(record: Mapping) -> str:
    """Draw a finding's record as HTML that reads well with and without a style sheet.

    Parameters
    ----------
    record : mapping
        As `Finding.record` returns it.
    """
    language = record["language"]
    title = escape(f"{record['hypothesis']} {record['title']}")
    claim = escape(words(language)["claim"] + record["claim"])
    blocks = [
        f'<p class="card-head">{chip(record["verdict"], language)} <b>{title}</b></p>',
        f'<p class="claim">{claim}</p>',
        f'<p class="sentence">{escape(sentence(record))}</p>',
    ]
    if record["meaning"]:
        blocks.append(f'<p class="meaning">{escape(record["meaning"])}</p>')
    blocks += [_effects(record), _checks(record), _caveats(record)]
    return f'<article class="card {slug(record["verdict"])}">{"".join(blocks)}</article>'


def _effects(record: Mapping) -> str:
    """Return the table of effects, one row per part with an estimate."""
    parts = [part for part in record["parts"] if "estimate" in part]
    if not parts:
        return ""
    said = words(record["language"])
    names = ["effect", "estimate", "claimed", "n"] + ["outcome"] * (len(parts) > 1)
    rows = [_effect(part, record["language"]) for part in parts]
    return _table("effects", [said[name] for name in names], rows)


def _effect(part: Mapping, language: str) -> list[str]:
    """Return the cells of a part: words, numbers, drawing and its own verdict."""
    drawing = interval_svg(part, *scale_of([part]))
    method = f"<br><small>{escape(part['method'])}</small>" if part["method"] else ""
    verdict = words(language)["verdict"][part["verdict"]]
    return [
        escape(part["label"]) + method,
        f'<span class="num">{interval(part)}</span> {drawing}'
        f"<br><small>{escape(part['unit'])}</small>",
        f'<span class="num">{claim_range(part, language)}</span>',
        f'<span class="num">{part["n_obs"]:,}</span>',
        f"{SYMBOLS[part['verdict']]} {verdict}",
    ]


def _checks(record: Mapping) -> str:
    """Return how many checks passed, with all of them folded below."""
    checks, said = record["checks"], words(record["language"])["checks"]
    if not checks:
        return ""
    failed = failed_checks(record)
    text = said["count"].format(passed=len(checks) - len(failed), n=len(checks))
    mark = '<span aria-hidden="true">⚠</span> ' if failed else ""
    if failed:
        text += said["broken"].format(names=_join(failed, record["language"]))
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
    items = "".join(f"<li>{escape(caveat)}</li>" for caveat in record["caveats"])
    return (
        f'<div class="caveats"><p>{words(record["language"])["caveats"]}</p><ul>{items}</ul></div>'
    )


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


def _join(names: Sequence[str], language: str) -> str:
    """Return names as one enumeration."""
    return words(language)["join"].join(names)


def _facts(record: Mapping, part: Mapping) -> dict:
    """Return what a sentence about a part can mention."""
    said, language = words(record["language"]), record["language"]
    value, low, high = _values(part)
    unit = f" {part['unit']}" if part["show"] == "number" and part["unit"] else ""
    label = part["label"][:1].upper() + part["label"][1:]
    between = said["range"].format(low=low, high=high)
    above = part["ci_low"] is not None and part["ci_low"] > part["null"]
    return {
        "fact": said["fact"].format(label=label, value=value + unit, interval=between),
        "claim": claim_range(part, language),
        "band": _range_words(part, *(part["negligible"] or (None, None)), language),
        "side": said["above" if above else "below"],
        "null": _edge(part, part["null"]),
        "n": len(record["parts"]),
    }


def _lead(record: Mapping) -> str:
    """Say how a claim with several parts came to its verdict; nothing for a single part."""
    verdicts = [part["verdict"] for part in record["parts"]]
    if len(verdicts) == 1:
        return ""
    leads = words(record["language"])["parts"]
    lead = leads.get(record["verdict"], leads["other"])
    return lead.format(n=len(verdicts), k=verdicts.count("supported"))


def _case(record: Mapping, part: Mapping) -> str:
    """Return which sentence of its verdict fits a part."""
    low, high = _ends(part, "ci_low", "ci_high")
    claim_low, claim_high = _infinite(*part["claim"])
    clear = low > part["null"] or high < part["null"]
    if record["verdict"] == "contradicted":
        other = high < part["null"] <= claim_low or low > part["null"] >= claim_high
        return "other_side" if other else "contradicted"
    if record["verdict"] != "inconclusive":
        return record["verdict"]
    if high < claim_low or low > claim_high:
        return "narrow"
    return "clear" if clear else "unclear"


def _values(part: Mapping) -> tuple[str, str, str]:
    """Return estimate and interval written with the same number of decimals."""
    low, high = _ends(part, "ci_low", "ci_high")
    values = [part["estimate"], low, high]
    fixed = [end for end in part["claim"] if end is not None]
    style = {"decimals": _decimals(values + fixed, part["show"]), "signed": _signed(part)}
    return tuple(format_value(value, part["show"], **style) for value in values)


def _range_words(part: Mapping, low: float | None, high: float | None, language: str) -> str:
    """Return a range of effects in words."""
    kind = "at_least" if high is None else "at_most" if low is None else "range"
    return words(language)[kind].format(low=_edge(part, low), high=_edge(part, high))


def _edge(part: Mapping, value: float | None) -> str:
    """Write a fixed number of the register without trailing zeros."""
    if value is None:
        return ""
    number = _shown(value, part["show"])
    digits = f"{abs(number):,.3f}".rstrip("0").rstrip(".")
    return _sign(number, 3, _signed(part)) + digits + _suffix(part["show"])


def _sign(number: float, digits: int, signed: bool) -> str:
    """Return the sign of a number as it is printed: none for what rounds to zero."""
    if round(abs(number), digits) == 0:
        return ""
    return "−" if number < 0 else "+" if signed else ""


def _signed(part: Mapping) -> bool:
    """Tell whether a positive effect of the part is printed with a plus sign."""
    around_zero = part["null"] == 0 and part["negligible"] is not None
    return around_zero or part["show"] in ("percent", "points")


def _shown(value: float, show: str) -> float:
    """Return the number that is printed for a value."""
    if show == "percent":
        return 100 * (value - 1)
    return 100 * value if show in ("share", "points") else value


def _suffix(show: str) -> str:
    """Return what is printed behind a number."""
    return {"percent": " %", "share": " %", "points": " pp"}.get(show, "")


def _decimals(values: Sequence[float], show: str) -> int:
    """Return the decimals at which the largest value has two to three significant digits."""
    largest = max((abs(_shown(value, show)) for value in values if math.isfinite(value)), default=0)
    if show in ("percent", "share", "points"):
        return 0 if show == "percent" and largest >= 10 else 1
    if largest == 0:
        return 2
    return min(max((1 if largest < 1 else 2) - math.floor(math.log10(largest)), 0), 4)


def _open_ends(part: Mapping, low: float | None, high: float | None) -> list[float | None]:
    """Return the ends of a claim, None where the effect cannot lie beyond anyway."""
    kind = part.get("scale")
    low = None if low == 0 and kind in ("log", "logit") else low
    return [low, None if high == 1 and kind == "logit" else high]


def _marks(part: Mapping) -> list[float]:
    """Return what a drawing of a part must show besides its interval."""
    fixed = _open_ends(part, *part["claim"]) + list(part["negligible"] or ())
    return [mark for mark in (part["null"], part["estimate"], *fixed) if mark is not None]


def _finite(part: Mapping, end: str) -> bool:
    """Tell whether an end of the interval can be placed on the scale."""
    log = part["scale"] == "log"
    return part[end] is not None and (part[end] > 0 or not log)


def _ends(part: Mapping, low: str, high: str) -> tuple[float, float]:
    """Return both ends of the interval, infinite where it is open."""
    return _infinite(part[low], part[high])


def _infinite(low: float | None, high: float | None) -> tuple[float, float]:
    """Return a range with infinity for an open end."""
    return (-math.inf if low is None else low, math.inf if high is None else high)


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
    left, right = (x(end) for end in _infinite(*part["claim"]))
    return f'<rect x="{left:.1f}" y="15.5" width="{right - left:.1f}" height="2" fill="#3d7fc4"/>'


def _tick(x: float) -> str:
    """Return the tick at "none"."""
    return f'<path d="M{x:.1f} 1V15" stroke="#7a8490"/>'


def _line(part: Mapping, x: Callable[[float], float]) -> str:
    """Return the interval, with an arrow where it leaves the scale."""
    left, right = (x(end) for end in _ends(part, "ci_low", "ci_high"))
    line = f'<path d="M{left:.1f} 8H{right:.1f}" stroke="currentColor" stroke-width="1.6"/>'
    if left < MARGIN - 0.1:
        line += f'<path d="M{left - 0.5:.1f} 8l4.5 -3.2v6.4z"/>'
    if right > WIDTH - MARGIN + 0.1:
        line += f'<path d="M{right + 0.5:.1f} 8l-4.5 -3.2v6.4z"/>'
    return line
