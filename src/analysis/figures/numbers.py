"""Numbers as they are printed: two to three significant digits and a true minus sign."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.language import ZERO, current, phrase, text, three_digits_need, translate

if TYPE_CHECKING:  # it brings SciPy, which takes a second, and only names a type here
    from analysis.statistics.estimate import Estimate


def format_value(
    value: float | None,
    show: str,
    *,
    decimals: int | None = None,
    signed: bool | None = None,
    language: str | None = None,
) -> str:
    """Write an effect for a reader; None is an open end.

    It is shown as `Part.show` says: "percent" writes a ratio as a change in percent. By default it
    has two to three significant digits, and a plus sign if it is neither a ratio nor a share.

    Examples
    --------
    >>> format_value(0.21, "number"), format_value(1.12, "percent"), format_value(0.031, "points")
    ('+0.21', '+12%', '+3.1 pp')
    """
    if value is None or math.isinf(value):
        return "−∞" if value is not None and value < 0 else "∞"
    if signed is None:
        signed = show not in ("ratio", "share")
    number = printed(value, show)
    digits = decimals_of([value], show) if decimals is None else decimals
    return sign(number, digits, signed) + f"{abs(number):,.{digits}f}" + suffix(show, language)


def is_signed(null: float, has_band: bool, show: str) -> bool:
    """Tell whether a positive effect is printed with a plus sign: a ratio or a level has none."""
    return (null == 0 and has_band) or show in ("percent", "points")


def printed(value: float, show: str) -> float:
    """Return the number that is printed for an effect."""
    if show == "percent":
        return 100 * (value - 1)
    return 100 * value if show in ("share", "points") else value


def suffix(show: str, language: str | None = None) -> str:
    """Return what is printed behind a number, in a language or else the reader's."""
    if show == "points":
        return translate(phrase(" pp"), "", language or current(), {})
    return "%" if show in ("percent", "share") else ""


def sign(number: float, digits: int, signed: bool) -> str:
    """Return the sign of a number as it is printed: none for what rounds to zero."""
    if round(abs(number), digits) == 0:
        return ""
    return "−" if number < 0 else "+" if signed else ""


def decimals_of(values: Sequence[float], show: str, most: int = 4) -> int:
    """Return the decimals, up to `most`, that give the largest effect two to three digits."""
    numbers = (abs(printed(value, show)) for value in values if math.isfinite(value))
    largest = max(numbers, default=0)
    if show in ("percent", "share", "points"):
        return 0 if show == "percent" and largest >= 10 else 1
    if largest == 0:
        return 2
    return min(max((1 if largest < 1 else 2) - math.floor(math.log10(largest)), 0), most)


def three_digits(value: float) -> str:
    """Return a number with three significant digits and thousands separators."""
    if not math.isfinite(value) or value == 0:
        return minus(f"{value:g}".replace("inf", "∞"))
    return minus(f"{value:,.{three_digits_need(abs(value))}f}")


def ranged(found: Estimate) -> str:
    """Return an estimate with its 95% interval, each in three significant digits."""
    if math.isnan(found.estimate):
        return text("unknown")
    if math.isnan(found.ci_low) or math.isnan(found.ci_high):
        return text("{middle} (range unknown)", middle=three_digits(found.estimate))
    ends = {"middle": found.estimate, "low": found.ci_low, "high": found.ci_high}
    return text(
        "{middle} ({low} to {high})", **{name: three_digits(value) for name, value in ends.items()}
    )


def minus(number: str) -> str:
    """Return a number with a true minus sign; what rounds to zero has none."""
    return ZERO.sub("", number).replace("-", "−")
