"""Numbers as people write them: currency signs, separators, full-width digits."""

from __future__ import annotations

import math
import re

import ibis
from ibis.expr.types import FloatingValue, StringValue

from analysis.data.mapping.types import LARGEST

WIDE, NARROW = "０１２３４５６７８９．，－＋−（）", "0123456789.,-+-()"
"""Digits and marks of full width, and what they mean."""
_ANY_CURRENCY = r"(?:\p{Sc}|[A-Z]{3}|元|圆|円)"
_SIGNS = {
    **{"CNY": "¥￥元圆", "RMB": "¥￥元圆", "JPY": "¥￥円圓", "EUR": "€", "GBP": "£", "INR": "₹"},
    **{"KRW": "₩", "RUB": "₽", "TRY": "₺", "UAH": "₴", "VND": "₫", "THB": "฿", "PHP": "₱"},
    **{"ILS": "₪", "TWD": "$＄元圆", "HKD": "$＄元圆"},
    **dict.fromkeys(("USD", "AUD", "CAD", "NZD", "SGD", "MXN", "BRL", "ARS", "CLP", "COP"), "$＄"),
}
"""Signs by the code of their currency; the amounts of others have their code alone."""
_SPACES = "[ '’\u00a0\u2009\u202f]"


def number(text: StringValue, decimal: str, thousands: str, currency: str = "") -> FloatingValue:
    """Return the numbers that texts are; nothing for other texts.

    A currency's sign or code on either side, full-width digits, and blanks or apostrophes between
    groups of three digits are read past. A number in brackets is negative, as accountants write
    it: (7.00). A comma (or a dot beside a decimal comma) separates
    thousands without being named where the text can't mean anything else: beside a decimal mark,
    or between several groups. Where the source has a currency, the sign of another is no number.
    """
    cleaned = _cleaned(text, decimal, thousands, currency)
    used = ibis.ifelse(_is_plain(text, decimal), text.replace(decimal, "."), cleaned)
    return used.try_cast("float64").nullif(math.inf).nullif(-math.inf)  # digits: never NaN


def finite(value: FloatingValue) -> FloatingValue:
    """Return numbers; nothing for those that are none, without bounds, or larger than any sum."""
    return ibis.ifelse(value.isnan() | (value.abs() > LARGEST), ibis.null("float64"), value)


def numeric_id(text: StringValue) -> StringValue:
    """Return identifiers that are numbers without zeros in front or behind: 00123 is 123."""
    return text.translate(WIDE, NARROW).re_replace(r"^0*(\d+)(\.0*)?$", r"\1")


def plain(text: StringValue, decimal: str) -> StringValue:
    """Return texts, whole numbers without zeros behind: 1.00 is 1, and 1.10 stays, as a code."""
    return text.re_replace(rf"^([+-]?\d+){re.escape(decimal)}0+$", r"\1")


def _is_plain(text: StringValue, decimal: str) -> StringValue:
    """Tell whether a text is a number without anything else: 12, -3.5, 1e-5."""
    point = re.escape(decimal)
    return text.re_search(rf"^[+-]?(\d+{point}?\d*|{point}\d+)([eE][+-]?\d+)?$")


def _currency(code: str) -> str:
    """Return the pattern of signs and codes of a currency, or of any."""
    if not code:
        return _ANY_CURRENCY
    signs, words = _SIGNS.get(code, ""), [re.escape(code)]
    words += [each for each in ("CNY", "RMB") if code in ("CNY", "RMB")]
    words += [f"[{signs}]"] if signs else []
    return f"(?:{'|'.join(words)})"


def _cleaned(text: StringValue, decimal: str, thousands: str, currency: str) -> StringValue:
    """Return the digits of other numbers, with a dot; nothing where a text is none."""
    text, sign = text.translate(WIDE, NARROW), _currency(currency)
    point = re.escape(decimal)
    text = text.re_replace(rf"(\d){point}(?:--?|–|—)(\D*)$", r"\1\2")  # 99,- as on price tags
    text = text.re_replace(rf"^([^+-]*{point}\d\d) ?-$", r"-\1")  # 18.50- as SAP writes it
    within = rf"^({sign}? *)\(([^()+-]+)\)( *{sign}?)$"  # (18.50) as accountants do
    text = text.re_replace(within, r"-\1\2\3")
    signed = rf"^([+-]?)\s*{sign}?\s*([+-]?)\s*(\S.*?)\s*{sign}?$"
    signs = text.re_extract(signed, 1) + text.re_extract(signed, 2)
    digits = text.re_extract(signed, 3)
    mark = re.escape(thousands) if thousands.strip() else _SPACES
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
