"""How numbers are written: their decimal mark and what separates thousands."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from analysis.data.validation.numbers import NARROW, WIDE
from workbook.init.values.synonyms import is_word, known

_NARROWED = str.maketrans(WIDE, NARROW)
_SPACES = "'’ \u00a0\u2009\u202f"
_AROUND = r"(?:[\s+\-()]|[A-Z]{3}|元|圆|円|[$€£¥￥]|Kč|Fr\.)+"
_NO_CENTS = re.compile(r"(?<=\d)[.,](?:--?|–|—)(?=\D*$)")
"""What stands in place of the cents of 99,-"""
_ENDS = re.compile(f"^{_AROUND}|{_AROUND}$")
_NUMBER = re.compile(
    rf"\d{{1,3}}([{_SPACES}.,])\d{{3}}(?:\1\d{{3}})*(?:[.,]\d+)?|(?:\d+[.,]?\d*|[.,]\d+)(?:[eE][+-]?\d+)?"
)


@dataclass(frozen=True)
class Marks:
    """The marks of numbers, and whether any number has one."""

    decimal: str = "."
    thousands: str = ""
    is_seen: bool = False
    is_sure: bool = False


def marks(texts: Iterable[str]) -> Marks:
    """Return how the numbers in some texts are written; they are sure if a decimal mark is."""
    points, groups = Counter(), Counter()
    for text in texts:
        core = re.sub(f"[{_SPACES}]", "", _core(text) or "")
        used = [each for each in core if each in ",."]
        if not used:
            continue
        whole, _, rest = core.rpartition(used[-1])
        if len(set(used)) == 2:  # 1.234,50
            points[used[-1]] += 1
            groups[used[0]] += 1
        elif len(used) > 1 or (len(rest) == 3 and re.fullmatch(r"[1-9]\d{0,2}", whole)):
            groups[used[0]] += 1  # 1,234,567, and 1,234, which may be either
        else:  # 12,5 and 0,512
            points[used[0]] += 1
    decimal, other = (",", ".") if points[","] > points["."] else (".", ",")
    thousands = other if groups[other] else ""
    return Marks(decimal, thousands, bool(points or groups), bool(points))


def share(texts: Sequence[str]) -> float:
    """Return how many of some texts are numbers, words for no value apart."""
    texts = [each for each in texts if not is_word(each, "missing")]
    return sum(_core(each) is not None for each in texts) / len(texts) if texts else 0.0


def values(texts: Iterable[str], marks: Marks = Marks()) -> list[float]:
    """Return the numbers that some texts are; others are passed over."""
    found = []
    for text in texts:
        core = re.sub(f"[{_SPACES}{marks.thousands}]", "", _core(text) or "")
        with contextlib.suppress(ValueError):
            number = float(core.replace(marks.decimal, "."))
            own = _NO_CENTS.sub("", text)
            is_negative = "-" in (*own[:2], own[-1]) or "(" in own
            found.append(-number if is_negative else number)
    return found


def currency(texts: Iterable[str]) -> str:
    """Return the code of the currency whose sign stands in texts; nothing without a sure one."""
    joined = " ".join(texts)
    codes = {code for code, signs in known()["currencies"].items() for s in signs if s in joined}
    return codes.pop() if len(codes) == 1 else ""


def _core(text: str) -> str | None:
    """Return a number's digits and marks, without sign and currency; None if it is none."""
    core = _ENDS.sub("", _NO_CENTS.sub("", text.translate(_NARROWED)))
    return core if _NUMBER.fullmatch(core) else None
