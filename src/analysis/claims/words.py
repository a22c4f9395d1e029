"""The fixed words that a reader sees, in a language."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import lru_cache
from gettext import NullTranslations
from pathlib import Path

from analysis.language import catalogue

WORDS_FILE = Path(__file__).parent / "tables" / "words.toml"


def words(language: str) -> dict:
    """Return every fixed word that a reader sees, by its key; read again when a file changes."""
    return _words(WORDS_FILE.stat().st_mtime_ns, catalogue(language))


@lru_cache(maxsize=8)
def _words(changed: int, known: NullTranslations) -> dict:
    """Read the words as of a change of their file, in the language of a catalogue."""
    return _translated(tomllib.loads(WORDS_FILE.read_text(encoding="utf-8")), known)


def _translated(value: object, known: NullTranslations) -> object:
    """Translate every text of a table; a list becomes texts by their English."""
    if isinstance(value, dict):
        return {key: _translated(each, known) for key, each in value.items()}
    if isinstance(value, list):
        return {each: known.gettext(each) for each in value}
    return known.gettext(value) if value else value


def join(names: Sequence[str], language: str) -> str:
    """Return names as one enumeration."""
    return words(language)["join"].join(names)
