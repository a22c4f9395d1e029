"""Numbers as people write them: currency signs, separators, full-width digits."""

from __future__ import annotations

import re

import ibis
from ibis.expr.types import FloatingValue, StringValue

_WIDE, _NARROW = "０１２３４５６７８９．，－＋", "0123456789.,-+"
_CURRENCY = r"(?:\p{Sc}|[A-Z]{3}|元|圆|円)"
_SIGNED = rf"^([+-]?)\s*{_CURRENCY}?\s*([+-]?)\s*(\S.*?)\s*{_CURRENCY}?$"
_SPACES = "[ '’\u00a0\u2009\u202f]"


def number(text: StringValue, decimal: str, thousands: str) -> FloatingValue:
    """Return the numbers that texts are; nothing for other texts.

    A currency's sign or code on either side, full-width digits, and blanks or apostrophes between
    groups of three digits are read past. A comma (or a dot beside a decimal comma) separates
    thousands without being named where the text can't mean anything else: beside a decimal mark,
    or between several groups.
    """
    cleaned = _cleaned(text, decimal, thousands)
    used = ibis.ifelse(_is_plain(text, decimal), text.replace(decimal, "."), cleaned)
    value = used.try_cast("float64")
    return ibis.ifelse(value.isnan() | value.isinf(), ibis.null("float64"), value)


def _is_plain(text: StringValue, decimal: str) -> StringValue:
    """Tell whether a text is a number without anything else: 12, -3.5, 1e-5."""
    point = re.escape(decimal)
    return text.re_search(rf"^[+-]?(\d+{point}?\d*|{point}\d+)([eE][+-]?\d+)?$")


def _cleaned(text: StringValue, decimal: str, thousands: str) -> StringValue:
    """Return the digits of other numbers, with a dot; nothing where a text is none."""
    text = text.translate(_WIDE, _NARROW)
    signs = text.re_extract(_SIGNED, 1) + text.re_extract(_SIGNED, 2)
    digits = text.re_extract(_SIGNED, 3)
    point = re.escape(decimal)
    mark = re.escape(thousands) if thousands else _SPACES
    groups = rf"^\d{{1,3}}({mark}\d{{3}})+({point}\d+)?$"
    other = "," if decimal == "." else "."
    sure = rf"^\d{{1,3}}({re.escape(other)}\d{{3}})+{point}\d+$"
    sure = rf"{sure}|^\d{{1,3}}({re.escape(other)}\d{{3}}){{2,}}$"
    one = digits.re_search(rf"^(\d+{point}?\d*|{point}\d+)$")
    cases = [(one, digits), (digits.re_search(groups), digits.re_replace(mark, ""))]
    if not thousands:
        cases.append((digits.re_search(sure), digits.replace(other, "")))
    whole = ibis.cases(*cases, else_=ibis.null("string")).replace(decimal, ".")
    return ibis.ifelse(signs.length() > 1, ibis.null("string"), signs + whole)
