"""The reader's language: English where it is used, other languages from one gettext catalogue.

`locale/zh/LC_MESSAGES/workbook.po` has the Chinese; `make messages` brings it up to date with the
sources. What it lacks stays English. `names.toml` says what columns are called. Code, checks and
records hold English names, which are keys, and `named` shows them.
"""

from __future__ import annotations

import gettext
import io
import re
import string
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache, lru_cache
from math import floor, isfinite, isnan, log10
from numbers import Number
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LANGUAGES = ("en", "zh")
CATALOGUES = Path(__file__).parent / "locale"

NAMES_FILE = Path(__file__).parent / "names.toml"
ENGLISH = gettext.NullTranslations()
ZERO = re.compile(r"^[-+](?=0(\.0+)?%?$)")
"""The sign of what rounds to zero."""
DAY = re.compile(r"(\d{4})-(\d\d)-(\d\d)")
MANY, UNITS = 1e5, {1e8: "亿", 1e4: "万"}
"""From where on a Chinese reader counts in ten thousands, and in what."""
OF_CURRENCY = re.compile(
    r" ?[(（]\{currency\}[)）]|(,? in|[，的]单位为?|；销售额单位：)? ?\{currency\}"
)
"""What a sentence says of a currency."""
MOST_DIGITS = 8
"""Decimals of a number in three significant digits, at most."""

_current = "en"


def use(language: str) -> None:
    """Set the language of `text` for this process; ValueError is raised if there is none such."""
    global _current
    if language not in LANGUAGES:
        raise ValueError(f"No language {language!r}; expected one of {', '.join(LANGUAGES)}.")
    _current = language


def current() -> str:
    """Return the language of `text`."""
    return _current


def text(message: str, plural: str = "", /, **values: object) -> str:
    """Return a sentence in the reader's language, with values filled in.

    Parameters
    ----------
    message : str
        The English sentence, with named placeholders in the format language of Python:
        "{share:.0%} of {n:,} customers". An amount of money is "{sales:amount}", or with its
        sign "{more:+amount}": see `amount_format`.
    plural : str
        The sentence for other numbers than one; `n` decides.
    **values
        What the placeholders stand for. Without any, the sentence is returned as it is.
    """
    return translate(message, plural, _current, values)


def capitalised(words: str) -> str:
    """Return words with a capital at their start."""
    return words[:1].upper() + words[1:]


class Verbatim(str):
    """A name of the data, such as a column's, that a sentence shows as it is."""


def phrase(english: str) -> str:
    """Mark a phrase that is kept in English, as a key, and translated where it is shown."""
    return english


def named(name: object, language: str | None = None) -> str:
    """Return a name (of a column, a group, a check, a method) in the reader's words.

    What is no known name, such as that of a region, is returned as it is.
    """
    said = str(name)
    english = names().get(said) or names().get(said.replace(" ", "_"), said)
    return translate(english, "", language or _current, {})


@cache
def names() -> dict[str, str]:
    """Return what columns and categories are called in English, by their name in the code."""
    known = tomllib.loads(NAMES_FILE.read_text(encoding="utf-8"))
    named_ones = (each for group in known.values() for each in group.items())
    return {name: words for name, words in named_ones if isinstance(words, str)}


def translate(message: str, plural: str, language: str, values: Mapping[str, object]) -> str:
    """Return a sentence in a given language; see `text`."""
    known = catalogue(language)
    if plural:
        message = known.ngettext(message, plural, abs(values["n"]))
    elif message:  # the entry of the empty message is the catalogue's header
        message = known.gettext(message)
    if values.get("currency") == "":  # the source names none
        message = OF_CURRENCY.sub("", message)
    return _Formatter(language).vformat(message, (), values) if values else message


class _Formatter(string.Formatter):
    """Fill in a sentence as its language writes names, numbers and days."""

    def __init__(self, language: str) -> None:
        self._language, self._is_chinese = language, language == "zh"

    def format_field(self, value: object, spec: str) -> str:
        """Return a value as it is written: a true minus sign, 12.5万, 2026年6月29日."""
        if hasattr(value, "ci_low"):
            return self._with_range(value, spec)
        if isinstance(value, Number):
            spec = amount_format(spec, [value])
        if isinstance(value, str):
            if not isinstance(value, Verbatim):
                value = named(value, self._language)
            day = DAY.fullmatch(value) if self._is_chinese else None
            return format(chinese_day(date(*map(int, day.groups()))) if day else value, spec)
        if isinstance(value, date) and self._is_chinese:
            return chinese_day(value, spec)
        if not isinstance(value, Number) or isinstance(value, bool):
            return super().format_field(value, spec)
        written = (chinese_number if self._is_chinese else format)(value, spec)
        return ZERO.sub("", written).replace("-", "−")

    def _with_range(self, effect: object, spec: str) -> str:
        """Return an estimate with its 95% interval."""
        ends = {"middle": "estimate", "low": "ci_low", "high": "ci_high"}
        numbers = {key: getattr(effect, name) for key, name in ends.items()}
        if isnan(numbers["middle"]):
            return translate(phrase("unknown"), "", self._language, {})
        spec = amount_format(spec, numbers.values())
        facts = {
            key: self.format_field(number, spec).replace("inf", "∞")
            for key, number in numbers.items()
        }
        said = phrase("{middle} ({low} to {high})")
        if isnan(numbers["low"]) or isnan(numbers["high"]):
            said = phrase("{middle} (range unknown)")
        return translate(said, "", self._language, facts)


def amount_format(spec: str, values: Iterable[float]) -> str:
    """Return the format of amounts of money or goods that are shown side by side.

    In whatever unit they are, the largest has three significant digits at least, unless all are
    whole: those of 100 or more are whole numbers. A format that is no "amount" is returned as it
    is.

    Examples
    --------
    >>> amount_format("+amount", [61_234.4]), amount_format("amount", [0.0237, -1.5])
    ('+,.0f', ',.2f')
    """
    if not spec.endswith("amount"):
        return spec
    sizes = [abs(each) for each in values if isfinite(each)]
    largest, are_whole = max(sizes, default=0), all(each == round(each) for each in sizes)
    digits = 0 if are_whole else three_digits_need(largest)
    return f"{spec.removesuffix('amount')},.{digits}f"


def money(amount: float, currency: str) -> str:
    """Return an amount with its currency, where the source names one."""
    return text("{n:amount} {currency}", n=amount, currency=currency).rstrip()


def three_digits_need(size: float) -> int:
    """Return the decimals with which a positive number has three significant digits at least."""
    return min(max(2 - floor(log10(size)), 0), MOST_DIGITS)


def chinese_number(value: float, spec: str) -> str:
    """Return a number in a format; large ones with thousands separators in 万 or 亿.

    Examples
    --------
    >>> chinese_number(12_345, ","), chinese_number(1_234_567, ",.0f")
    ('12,345', '123.5万')
    """
    unit = next((each for each in UNITS if "," in spec and abs(value) >= max(each, MANY)), None)
    if unit is None:
        return format(value, spec)
    return format(value / unit, "+.4g" if "+" in spec else ".4g") + UNITS[unit]


def chinese_day(day: date, spec: str = "") -> str:
    """Return a day as a Chinese reader writes it, or its month where a format has no day.

    Examples
    --------
    >>> chinese_day(date(2026, 6, 29)), chinese_day(date(2026, 6, 29), "%B %Y")
    ('2026年6月29日', '2026年6月')
    """
    month = f"{day.year}年{day.month}月"
    return month if spec and "%d" not in spec else f"{month}{day.day}日"


def translated_file(path: Path, language: str) -> Mapping:
    """Return a TOML file of fixed words in a language; read again when it or the catalogue changes.

    A list of texts becomes a table, of texts by their English.
    """
    return _words(path, path.stat().st_mtime_ns, catalogue(language))


@lru_cache(maxsize=8)
def _words(path: Path, changed: int, known: gettext.NullTranslations) -> Mapping:
    """Read a file of words as of a change of it, in the language of a catalogue."""
    return _translated(tomllib.loads(path.read_text(encoding="utf-8")), known)


def _translated(value: object, known: gettext.NullTranslations) -> object:
    """Translate every text of a table."""
    if isinstance(value, list) and isinstance(value[0], str):
        return {each: known.gettext(each) for each in value}
    if isinstance(value, list):
        return [_translated(each, known) for each in value]
    if isinstance(value, dict):
        return {key: _translated(each, known) for key, each in value.items()}
    return known.gettext(value) if value else value


def catalogue(language: str) -> gettext.NullTranslations:
    """Return the catalogue of a language, read again when its file changes; English has none."""
    path = CATALOGUES / language / "LC_MESSAGES" / "workbook.po"
    if not path.exists():
        return ENGLISH
    return _read(path, language, path.stat().st_mtime_ns)


@cache
def _read(path: Path, language: str, changed: int) -> gettext.GNUTranslations:
    """Read a catalogue of a time; what is compiled stays in memory."""
    compiled = io.BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
