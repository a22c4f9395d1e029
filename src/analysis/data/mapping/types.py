"""Types of the values of keys, each with the check that it makes: a mark, a format, a range."""

from __future__ import annotations

import re
import unicodedata
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from analysis.data.mapping.expressions import parse

TIME = r"%-?[HIMSfgnpTXc]"
"""A part of a date's format that is of a time."""
LARGEST = 1e15
"""Largest number in the file: products of larger ones would have no bounds."""
NAMED_FORMATS = ("excel", "unix", "unix_ms")
"""Formats of dates that are numbers: days of Excel, seconds and milliseconds since 1970."""

_CODES = re.compile(r"%(-?.)?", re.DOTALL)
_KNOWN_CODES = set("aAbBcdfgGHIjmMnpSuUVwWxXyYzZ%")
_LITERAL_ZONE = re.compile(
    rf"{TIME} ?((?:UTC|GMT)?[+-]\d\d?:?\d\d(?!\d)|\+\d\d?|UTC|GMT|[Zz](?![A-Za-z])|[A-Z]{{2,4}}T\b"
    r"|\[?[A-Z][A-Za-z]+/[A-Z]\w+)"
)
_UTC_AT_END = re.compile(rf"{TIME} ?(?:[Zz]|UTC|GMT)$")


def is_utc(format: str | None) -> bool:
    """Tell whether a format of dates ends in a Z, UTC or GMT that is written out."""
    return bool(_UTC_AT_END.search(format or ""))


def _one_character(text: str) -> str:
    if len(text) != 1 or text.isalnum() or text in "+-" or _is_of_a_file(text):
        raise ValueError(
            "expected one character that is no letter, digit, sign, quote or end of a line"
        )
    return text


def _mark(text: str) -> str:
    return text and _one_character(text)


def _delimiter(text: str) -> str:
    if text not in ("whitespace", "\t") and (len(text) != 1 or _is_of_a_file(text)):
        raise ValueError(
            "expected one character that is no quote and no end of a line, or 'whitespace'"
        )
    return text


def _is_of_a_file(character: str) -> bool:
    """Tell whether a character has a meaning of its own in text files, or controls them."""
    return character == '"' or unicodedata.category(character) in ("Cc", "Zl", "Zp")


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("expected a text that is not empty")
    return text


def _encoding(text: str) -> str:
    try:
        "a".encode(text)
    except (LookupError, UnicodeError):  # of bytes, such as hex, or of none
        raise ValueError("expected one such as 'utf-8' or 'gb18030'") from None
    return text


def _format(text: str) -> str:
    if text in NAMED_FORMATS:
        return text
    codes = [code[1] or "" for code in _CODES.finditer(text)]
    unknown = [code for code in codes if code.removeprefix("-") not in _KNOWN_CODES]
    if unknown or not codes:
        what = f"%{unknown[0]} is no code of a date" if unknown else "it has no code of a date"
        raise ValueError(
            f"{what}; expected a format such as '%d.%m.%Y', or one of {', '.join(NAMED_FORMATS)}"
        )
    zone = _LITERAL_ZONE.search(text)
    if zone and not (is_utc(text) or re.search("%[zZ]", text)):
        raise ValueError(
            f"{zone[1]!r} would be read as letters; "
            "use %z for the zone (an offset such as +08:00), or %Z (its name)"
        )
    return text


def _finite(number: float) -> float:
    if not abs(number) <= LARGEST:
        raise ValueError(f"expected a finite number of at most {LARGEST:.0e}")
    return number


def _factor(number: float) -> float:
    if not number or not 1 / LARGEST <= abs(number) <= LARGEST:
        raise ValueError(
            f"expected a finite number that is not 0, of {1 / LARGEST:.0e} to {LARGEST:.0e}"
        )
    return number


def _range(ends: list[float]) -> list[float]:
    if len(ends) != 2 or ends[0] >= ends[1]:
        raise ValueError("expected the lowest and the highest answer, such as [1, 5]")
    return ends


def _day(value: date) -> date:
    if isinstance(value, datetime):
        raise ValueError("expected a date")
    if not 1900 <= value.year < 2200:
        raise ValueError("expected a date from 1900 to 2199")
    return value


def as_list(value: Any) -> Any:
    """Return a text alone as a list."""
    return [value] if isinstance(value, str) else value


def _as_texts(value: Any) -> Any:
    return [_as_text(each) for each in (value if isinstance(value, list) else [value])]


def _as_text(value: Any) -> Any:
    """Return numbers, days, and true and false as a file has them."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).lower() if isinstance(value, bool | int | float | date) else value


Mark = Annotated[str, AfterValidator(_mark)]
Decimal = Annotated[str, AfterValidator(_one_character)]
Delimiter = Annotated[str, AfterValidator(_delimiter)]
Filled = Annotated[str, AfterValidator(_filled)]
Encoding = Annotated[str, AfterValidator(_encoding)]
Format = Annotated[str, AfterValidator(_format)]
Formats = Annotated[list[Format], BeforeValidator(as_list)]
Texts = Annotated[list[str], BeforeValidator(_as_texts)]
Text = Annotated[str, BeforeValidator(_as_text)]
Number = Annotated[float, AfterValidator(_finite)]
Factor = Annotated[float, AfterValidator(_factor)]
Range = Annotated[list[Number], AfterValidator(_range)]
Day = Annotated[date, AfterValidator(_day)]
Formula = Annotated[str, AfterValidator(lambda text: (parse(text), text)[1])]
