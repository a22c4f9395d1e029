"""How numbers are written: their decimal mark and what separates thousands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from workbook.init.values.synonyms import is_word, known

_DIGITS = re.compile(r"\d[\d.,'’ \u00a0\u2009\u202f]*\d|\d")
_AROUND = re.compile(r"[\s+\-]|[A-Z]{3}|元|圆|円|[$€£¥￥]|Kč|Fr\.")
_WIDE = str.maketrans("０１２３４５６７８９．，－＋", "0123456789.,-+")
_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_SPACES = "'’ \u00a0\u2009\u202f"


@dataclass(frozen=True)
class Marks:
    """Evidence on how numbers are written.

    Attributes
    ----------
    comma, dot : int
        Values whose comma, or dot, can only be a decimal mark.
    commas, dots : int
        Values whose comma, or dot, separates groups of three digits, or could.
    """

    comma: int = 0
    dot: int = 0
    commas: int = 0
    dots: int = 0

    def __add__(self, other: Marks) -> Marks:
        return Marks(
            *(getattr(self, each) + getattr(other, each) for each in self.__dataclass_fields__)
        )

    @property
    def decimal(self) -> str:
        """The decimal mark: a dot unless more values say that it is a comma."""
        if self.comma == self.dot == 0:  # 1.234 and 2.345.678 alone: groups of three
            return "."
        return "," if self.comma > self.dot else "."

    @property
    def thousands(self) -> str:
        """What separates thousands, where values have it and the decimal mark is another."""
        if self.decimal == ",":
            return "." if self.dots else ""
        return "," if self.commas else ""


def marks(texts: Iterable[str]) -> Marks:
    """Return what the numbers in texts say about their marks."""
    return sum((_marks(_core(each)) for each in texts), Marks())


def share(texts: Sequence[str]) -> float:
    """Return how many of some texts are numbers, words for no value apart."""
    texts = [each for each in texts if not is_word(each, "missing")]
    return sum(_core(each) is not None for each in texts) / len(texts) if texts else 0.0


def values(texts: Iterable[str], decimal: str = ".", thousands: str = "") -> list[float]:
    """Return the numbers that some texts are; others are passed over."""
    found = []
    for text in texts:
        core = _core(text)
        if core is None:
            continue
        if not _PLAIN.fullmatch(core) or decimal != ".":
            core = re.sub(f"[{_SPACES}{thousands}]", "", core).replace(decimal, ".")
        if _PLAIN.fullmatch(core):
            found.append(float(core) * (-1 if "-" in text.translate(_WIDE)[:2] else 1))
    return found


def currency(texts: Iterable[str]) -> str | None:
    """Return the code of the currency whose sign stands in texts; None without a sure one."""
    joined = " ".join(texts)
    codes = {code for code, signs in known()["currencies"].items() for s in signs if s in joined}
    return codes.pop() if len(codes) == 1 else None


def _core(text: str) -> str | None:
    """Return a number's digits and marks, without sign and currency; None if it is none."""
    text = text.translate(_WIDE).strip()
    if _PLAIN.fullmatch(text):
        return text.lstrip("+-")
    found = _DIGITS.search(text)
    if not found or _AROUND.sub("", text.replace(found[0], "", 1)):
        return None
    return found[0]


def _marks(core: str | None) -> Marks:
    """Return what one number says."""
    if core is None or not set(",.") & set(core):
        return Marks()
    core = re.sub(f"[{_SPACES}]", "", core)
    last = max(core.rfind(","), core.rfind("."))
    mark, whole, rest = core[last], core[:last], core[last + 1 :]
    other = "." if mark == "," else ","
    if other in whole:  # 1.234,50
        own = {"comma": 1, "dots": 1} if mark == "," else {"dot": 1, "commas": 1}
    elif mark in whole:  # 1,234,567
        own = {"commas" if mark == "," else "dots": 1}
    elif len(rest) != 3 or not re.fullmatch("[1-9]\\d{0,2}", whole):  # 12,5 and 0,512
        own = {"comma" if mark == "," else "dot": 1}
    else:  # 1,234
        own = {"commas" if mark == "," else "dots": 1}
    return Marks(**own)
