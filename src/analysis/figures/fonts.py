"""Fonts with Chinese characters: found where there are some, and done without where not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from unicodedata import east_asian_width

from matplotlib import font_manager, ft2font, rcParams

from analysis.language import phrase, translate

CHINESE_FONTS = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "PingFang SC", "Hiragino Sans GB",
    "Microsoft YaHei", "SimHei", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei",
    "Droid Sans Fallback", "Arial Unicode MS", "Noto Sans CJK JP",
)  # fmt: skip


def chinese_font(fonts: Sequence[str] = CHINESE_FONTS) -> str | None:
    """Return the first of several fonts that is installed, None if there is none.

    Where matplotlib's list of fonts has none, it may be older than a font: then the folders of
    fonts are looked through.
    """
    found = _installed(fonts)
    if found is None:
        _add_new_fonts()
        found = _installed(fonts)
    return found


def advice(names: Iterable[str], language: str = "en") -> str:
    """Say how to get a font with Chinese characters, where one is needed and there is none.

    Parameters
    ----------
    names : iterable of str
        Of regions, or of whatever pictures name.
    language : {"en", "zh"}
        Of the pictures.
    """
    is_needed = language == "zh" or any("\u4e00" <= each <= "\u9fff" for each in "".join(names))
    if not is_needed or chinese_font() is not None:
        return ""
    message = phrase(
        "No font with Chinese characters was found: pictures show names by their Latin part or by "
        "a number with a key. Install one, such as Noto Sans CJK (Debian and Ubuntu: apt install "
        "fonts-noto-cjk), and run again with --force."
    )
    return translate(message, "", language, {})


def drawable(words: str) -> bool:
    """Return whether the fonts in use have every character of a text."""
    known = [font_manager.findfont(name) for name in _families()]
    return all(
        any(ord(letter) in _letters(path) for path in known)
        for letter in set(words)
        if not letter.isspace()
    )


def latin_part(words: str) -> str:
    """Return what is left of a text without the characters that no font has; may be empty."""
    left = "".join(letter if drawable(letter) else " " for letter in words)
    return " ".join(left.split()) if re.search(r"[^\W\d_]", left) else ""


def wrapped(words: str, width: int) -> str:
    """Return a text in lines of so many Latin letters; a Chinese one counts as two."""
    lines, used = [""], 0
    for piece in re.findall(r"[^\s\u2e80-\uffef]+\s?|[\u2e80-\uffef][，。；：、）”％]*|\s", words):
        taken = sum(2 if east_asian_width(letter) in "WF" else 1 for letter in piece)
        if used + taken > width + 1 and lines[-1]:
            lines, used = [*lines, ""], 0
        lines[-1] += piece
        used += taken
    return "\n".join(line.strip() for line in lines)


def _installed(fonts: Sequence[str]) -> str | None:
    """Return the first of several fonts that matplotlib knows."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return next((name for name in fonts if name in installed), None)


@cache
def _add_new_fonts() -> None:
    """Add the fonts that were installed after matplotlib made its list."""
    known = {font.fname for font in font_manager.fontManager.ttflist}
    for path in sorted(set(font_manager.findSystemFonts()) - known):
        try:
            font_manager.fontManager.addfont(path)
        except (OSError, RuntimeError):  # a font that matplotlib can't read
            continue


def _families() -> list[str]:
    """Return the names of the fonts in use."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    named = (rcParams.get(f"font.{name}", [name]) for name in rcParams["font.family"])
    return [name for family in named for name in family if name in installed]


@cache
def _letters(path: str) -> frozenset[int]:
    """Return the characters of a font."""
    return frozenset(ft2font.FT2Font(path).get_charmap())
