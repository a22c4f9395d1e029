"""Bring the catalogues up to date with the sentences of the sources: `make messages`."""

from __future__ import annotations

import io
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from analysis.language import CATALOGUES, LANGUAGES

ROOT = Path(__file__).resolve().parents[3]
METHODS = {
    "notebooks/**.ipynb": "analysis.language.extract:notebook",
    "src/analysis/**.py": "analysis.language.extract:python",
    "src/workbook/**.py": "analysis.language.extract:python",
    "src/analysis/claims/tables/words.toml": "analysis.language.extract:toml",
    "src/workbook/pages/words.toml": "analysis.language.extract:toml",
    "src/analysis/statistics/value/segments.toml": "analysis.language.extract:toml",
    "src/analysis/language/names.toml": "analysis.language.extract:toml",
    "src/analysis/claims/tables/hypotheses.toml": "analysis.language.extract:estimands",
    "src/analysis/claims/tables/designs.toml": "analysis.language.extract:designs",
}
HEADER = """msgid ""
msgstr ""
"Project-Id-Version: customer-research-workbook\\n"
"Language: {language}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""
"""Without dates: the same sources make the same file."""


def messages(root: Path = ROOT) -> Catalog:
    """Return every sentence of the sources."""
    found = Catalog()
    folders = ("notebooks", "src")
    for folder in folders:
        own = {path: each for path, each in METHODS.items() if path.startswith(folder)}
        pairs = [(path.partition("/")[2], method) for path, method in own.items()]
        for _, _, message, _, _ in extract_from_dir(root / folder, pairs, options_map={}):
            found.add(message)
    return found


def update(path: Path, language: str, template: Catalog) -> None:
    """Add new sentences to a catalogue, untranslated, and take out those that nothing says."""
    with path.open("rb") as file:
        catalogue = read_po(file, locale=language)
    catalogue.update(template, no_fuzzy_matching=True)
    written = io.BytesIO()
    write_po(written, catalogue, width=98, sort_output=True, omit_header=True, ignore_obsolete=True)
    text = HEADER.format(language=language) + written.getvalue().decode().lstrip("\n")
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for name in LANGUAGES:
        file = CATALOGUES / name / "LC_MESSAGES" / "workbook.po"
        if file.exists():
            update(file, name, messages())
