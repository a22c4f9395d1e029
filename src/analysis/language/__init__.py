"""The reader's language: English where it is used, other languages from one gettext catalogue.

`locale/zh/LC_MESSAGES/workbook.po` has the Chinese; `make messages` brings it up to date with the
sources. What it lacks stays English.
"""

from __future__ import annotations

import gettext
import io
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LANGUAGES = ("en", "zh")
CATALOGUES = Path(__file__).parent / "locale"

ENGLISH = gettext.NullTranslations()

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
        "{share:.0%} of {n:,} customers".
    plural : str
        The sentence for other numbers than one; `n` decides.
    **values
        What the placeholders stand for. Without any, the sentence is returned as it is.
    """
    return translate(message, plural, _current, values)


def translate(message: str, plural: str, language: str, values: Mapping[str, object]) -> str:
    """Return a sentence in a given language; see `text`."""
    known = catalogue(language)
    if plural:
        message = known.ngettext(message, plural, abs(values["n"]))
    elif message:  # the entry of the empty message is the catalogue's header
        message = known.gettext(message)
    return message.format(**values) if values else message


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
