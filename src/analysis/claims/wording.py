"""A finding's record in words: numbers, ranges and a sentence, in the record's language."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

import numpy as np

from analysis.claims.words import join, words
from analysis.figures.numbers import decimals_of, format_value, is_signed, printed, sign, suffix
from analysis.language import capitalised, named

EDGE_DIGITS, MORE, SAME = 3, 7, 1e-9
"""Decimals of the register's numbers; decimals that an effect may get beyond its own, less one, to
be told from them; a distance that is none."""
INFORMATION = "for information"
"""In place of a check's rule: a fact beside the checks, which neither passes nor fails."""
NUMBER = re.compile(r"(?<![\w.])\d[\d,.]*\b")
"""A number in the name of a method, which is no part of a name such as HC3."""
HYPHEN = re.compile(r"(?<![\w.-])-(?=\d)")
"""A hyphen that stands for a minus sign."""


def interval(part: Mapping) -> str:
    """Return a part's estimate and interval, such as "+12% [+8, +16]"."""
    value, *limits = _values(part)
    low, high = (end.removesuffix(suffix(part["show"], part.get("language"))) for end in limits)
    return f"{value} [{low}, {high}]"


def unit(part: Mapping, language: str) -> str:
    """Return what is printed behind a number that is no share, ratio or percentage."""
    space = "" if language == "zh" else " "
    return f"{space}{part['unit']}" if part["show"] == "number" and part["unit"] else ""


def in_plain_unit(part: Mapping) -> Mapping:
    """Return an estimated part in a manager's unit, where its record has one (`plain`), once."""
    if not (plain := part.get("plain")) or "estimate" not in part:
        return part
    times = plain["times"]

    def scaled(ends: Sequence[float | None] | None) -> list[float | None] | None:
        return ends and [None if end is None else end * times for end in ends]

    names = ("estimate", "ci_low", "ci_high")
    own = dict(zip(names, scaled([part[name] for name in names]), strict=True))
    own |= {name: scaled(part[name]) for name in ("claim", "negligible")}
    return {**part, **own, "null": part["null"] * times, "unit": plain["unit"], "plain": None}


def method_in_words(method: str, language: str) -> str:
    """Return a method, such as "ordered probit model, 20 imputations", in a language."""
    found = []
    for piece in method.split(", "):
        numbers = NUMBER.findall(piece)
        said = named(NUMBER.sub("#", piece), language)
        for number in numbers:
            said = said.replace("#", number, 1)
        found.append(said)
    return words(language)["join"].join(found)


def claim_range(part: Mapping, language: str = "en") -> str:
    """Return where the claim puts the effect, in words: "at least +0.1", "2 to 5"."""
    return _range_words(part, *claim_ends(part), language)


def deciding_part(record: Mapping) -> Mapping:
    """Return the first part with the finding's own verdict, else the headline."""
    alike = (part for part in record["parts"] if part.get("verdict") == record["verdict"])
    return next(alike, record["parts"][0])


def failed_checks(record: Mapping, *, blocking: bool = False) -> list[str]:
    """Return the names of the checks that failed, or only of those that block a verdict."""
    failed = (check for check in record["checks"] if not check["passed"])
    names = [check["name"] for check in failed if check["blocking"] or not blocking]
    return [named(name, record["language"]) for name in names]


def checks_in_words(record: Mapping) -> str:
    """Say how many checks passed, and which failed."""
    said, failed = words(record["language"])["checks"], failed_checks(record)
    n = sum(check["rule"] != INFORMATION for check in record["checks"])
    text = said["count"].format(passed=n - len(failed), n=n)
    if failed:
        text += said["broken"].format(names=join(failed, record["language"]))
    return text


def calibration(record: Mapping) -> str:
    """Say how often such verdicts were right where the truth was known; empty if not measured."""
    line = record.get("calibration")
    if not line:
        return ""
    said = words(record["language"])["calibration"]
    counts = _counts(line) | {"customers": f"{line['customers']:,}"}
    rates = line["coverage"].values()
    coverage, high = _percent(min(rates)), _percent(max(rates))
    if coverage != high:
        coverage = said["parts"].format(low=coverage.removesuffix("%"), high=high)
    text = said["covered"].format(coverage=coverage, **counts)
    if line["open"] == line["regions"]:
        text += said["undecided"].format(**counts)
    return text + "".join(_misled(record, world, i) for i, world in enumerate(line["misled"]))


def _misled(record: Mapping, world: Mapping, i: int) -> str:
    """Say how a verdict did in a world made to mislead it, the i-th that is told."""
    said = words(record["language"])["calibration"]
    worlds, coverage = record["calibration"]["worlds"], _percent(world["coverage"])
    if len(record["parts"]) > 1:
        label = next(part["label"] for part in record["parts"] if part["key"] == world["part"])
        coverage = said["part"].format(rate=coverage, label=label)
    scene = words(record["language"])["scenes"]["names"].get(world["scene"], world["scene"])
    facts = _counts(world) | {"worlds": worlds, "scene": scene}
    key = "another" if i else "worst" if worlds > 1 else "one"
    text = said[key].format(coverage=coverage, **facts)
    return text + said["untrusted"].format(**facts) if world["is_short"] else text


def _counts(line: Mapping) -> dict[str, str]:
    """Return a line's counts as they are printed, the bound rounded up."""
    counts = {name: f"{line[name]:,}" for name in ("regions", "wrong", "open")}
    return counts | {"bound": f"{math.ceil(100 * line['bound'])}%"}


def _percent(share: float) -> str:
    """Write a share in whole percent; 0% and 100% are none and all."""
    return f"{100 * share if share in (0, 1) else min(max(100 * share, 1), 99):.0f}%"


def sentence(record: Mapping) -> str:
    """Say what the record of a finding found, in its language; the text is not escaped."""
    language = record["language"]
    say = words(language)["say"]
    if "estimate" not in record["parts"][0]:
        return say[record["verdict"]].format(reason=record["reason"])
    part = deciding_part(record)
    facts = _facts(record, part)
    note = say["association"] if record.get("reading") == "association" else ""
    if blocking := [check for check in record["checks"] if _is_blocking(check)]:
        names = join([_why_failed(check, record["language"]) for check in blocking], language)
        return say["blocked"].format(names=names, **facts) + note
    if record["verdict"] == "inconclusive" and record["reason"]:  # of what is pooled
        return say["kept_open"].format(reason=record["reason"], **facts) + note
    return _lead(record) + say[_case(record, part)].format(**facts) + note


def check_value(check: Mapping, language: str) -> str:
    """Return what a check found, with true minus signs."""
    return HYPHEN.sub("−", named(check["value"], language))


def _is_blocking(check: Mapping) -> bool:
    """Tell whether a check keeps the verdict open."""
    return check["blocking"] and not check["passed"]


def _why_failed(check: Mapping, language: str) -> str:
    """Return a failed check, with its value and its rule where they are known.

    So in "customers (162; at least 200)"; tables of findings have the names only.
    """
    if "value" not in check:
        return named(check["name"], language)
    facts = {"value": check_value(check, language), "rule": named(check["rule"], language)}
    return words(language)["checks"]["why"].format(name=named(check["name"], language), **facts)


def count(part: Mapping, language: str) -> str:
    """Return how many of what an estimate rests on, such as "n = 1,234 cases"."""
    said = words(language)["index"]["n"]
    return said.format(n=f"{part['n_obs']:,}", counts=part.get("counts", "")).strip()


def ends(low: float | None, high: float | None) -> tuple[float, float]:
    """Return a range with infinity for an open end."""
    return (-math.inf if low is None else low, math.inf if high is None else high)


def claim_ends(part: Mapping) -> list[float | None]:
    """Return the ends of a claim, None where the effect cannot lie beyond anyway."""
    low, high = part["claim"]
    kind = part.get("scale")
    low = None if low == 0 and kind in ("log", "logit") else low
    return [low, None if high == 1 and kind == "logit" else high]


def _facts(record: Mapping, part: Mapping) -> dict:
    """Return what a sentence about a part can mention."""
    said, language = words(record["language"]), record["language"]
    part = in_plain_unit(part)
    value, low, high = _values(part)
    value += unit(part, language)
    label = capitalised(part["label"])
    between = said["range"].format(low=low, high=high)
    above = part["ci_low"] is not None and part["ci_low"] > part["null"]
    return {
        "fact": said["fact"].format(label=label, value=value, interval=between),
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
    alike, key = verdicts.count(record["verdict"]), record["verdict"]
    if key == "inconclusive":
        key = "several_open" if alike > 1 else key
    elif key != "supported":
        key = "several_other" if alike > 1 else "other"
    lead = words(record["language"])["parts"][key]
    return lead.format(n=len(verdicts), k=verdicts.count("supported"), alike=alike)


def _case(record: Mapping, part: Mapping) -> str:
    """Return which sentence of its verdict fits a part."""
    low, high = ends(part["ci_low"], part["ci_high"])
    claim_low, claim_high = ends(*part["claim"])
    if record["verdict"] == "contradicted":
        other = high < part["null"] <= claim_low or low > part["null"] >= claim_high
        return "other_side" if other else "contradicted"
    if record["verdict"] != "inconclusive":
        return record["verdict"]
    if high < claim_low or low > claim_high:
        return "narrow"
    described = record.get("reading") == "description"  # a level has no direction
    return "clear" if excludes_none(part) and not described else "unclear"


def excludes_none(part: Mapping) -> bool:
    """Tell whether an interval does not hold "no effect"."""
    low, high = ends(part["ci_low"], part["ci_high"])
    return low > part["null"] or high < part["null"]


def fits_both(part: Mapping) -> bool:
    """Tell whether an interval reaches from inside to outside of what is claimed."""
    low, high = ends(part["ci_low"], part["ci_high"])
    return any(low < end < high for end in part["claim"] if end is not None)


def _values(part: Mapping) -> tuple[str, str, str]:
    """Return estimate and interval written with the same number of decimals."""
    low, high = ends(part["ci_low"], part["ci_high"])
    values = [part["estimate"], low, high]
    show, fixed = part["show"], [end for end in part["claim"] if end is not None]
    edges = [*fixed, *(part["negligible"] or ()), part["null"]]
    least = decimals_of(values + fixed, show)
    # Rounded, a number may seem to meet an edge that it misses: then it gets more digits.
    enough = (n for n in range(least, least + MORE) if _is_true(values, edges, n, show))
    style = {"decimals": next(enough, least), "signed": _signed(part)}
    style["language"] = part.get("language")
    return tuple(format_value(value, show, **style) for value in values)


def _is_true(values: Sequence[float], edges: Sequence[float], digits: int, show: str) -> bool:
    """Tell whether numbers as they are printed lie beside edges as the numbers themselves do."""
    return all(
        np.sign(round(printed(value, show), digits) - round(printed(edge, show), EDGE_DIGITS))
        == np.sign(value - edge)
        for value in values
        for edge in edges
        if math.isfinite(value) and abs(value - edge) > SAME
    )


def _range_words(part: Mapping, low: float | None, high: float | None, language: str) -> str:
    """Return a range of effects in words."""
    kind = "at_least" if high is None else "at_most" if low is None else "range"
    return words(language)[kind].format(low=_edge(part, low), high=_edge(part, high))


def _edge(part: Mapping, value: float | None) -> str:
    """Write a fixed number of the register without trailing zeros."""
    if value is None:
        return ""
    number = printed(value, part["show"])
    digits = f"{abs(number):,.{EDGE_DIGITS}f}".rstrip("0").rstrip(".")
    return (
        sign(number, EDGE_DIGITS, _signed(part))
        + digits
        + suffix(part["show"], part.get("language"))
    )


def _signed(part: Mapping) -> bool:
    """Tell whether a positive effect of the part is printed with a plus sign."""
    return is_signed(part["null"], part["negligible"] is not None, part["show"])
