"""The fixed words that a reader sees, in a language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from analysis.language import translated_file

WORDS_FILE = Path(__file__).parent / "tables" / "words.toml"


def words(language: str) -> Mapping:
    """Return every fixed word that a reader sees, by its key; read again when the file changes."""
    return translated_file(WORDS_FILE, language)


def join(names: Sequence[str], language: str) -> str:
    """Return names as one enumeration."""
    return words(language)["join"].join(names)
