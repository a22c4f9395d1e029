"""Extraction methods for Babel: the sentences of modules, notebooks and TOML files.

A message is the first argument of `text`, `say` or `phrase`, with its plural as the second. Babel's
own method for Python counts arguments, and so can't have a plural that may be left out. In a
notebook every text with a blank that is no formula is a message as well: it may be shown.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from typing import BinaryIO

import nbformat

FUNCTIONS = ("text", "say", "phrase")
NO_PHRASE = re.compile(r"[~\[{]| [=<>]|^\W*$|^[\d ,]+$|^ | $|%m|C\(")
"""What formulas, formats and glue have and phrases have not."""

Message = tuple[int, str | None, str | tuple[str, str], list[str]]


def python(file: BinaryIO, *_: object, **__: object) -> Iterator[Message]:
    """Yield the messages of a module."""
    yield from _calls(file.read().decode())


def notebook(file: BinaryIO, *_: object, **__: object) -> Iterator[Message]:
    """Yield the text cells of a notebook, and the messages of its code; lines are cell numbers."""
    cells = nbformat.reads(file.read().decode(), as_version=4).cells
    for number, cell in enumerate(cells, start=1):
        if cell.cell_type == "markdown":
            yield number, None, cell.source, []
        else:
            lines = [line for line in cell.source.splitlines() if not line.startswith(("%", "!"))]
            code = "\n".join(lines)
            for _, *message in (*_calls(code), *_phrases(code)):
                yield number, *message


def toml(file: BinaryIO, *_: object, **__: object) -> Iterator[Message]:
    """Yield every text of a TOML file."""
    yield from ((1, None, value, []) for value in _texts(tomllib.loads(file.read().decode())))


def estimands(file: BinaryIO, *_: object, **__: object) -> Iterator[Message]:
    """Yield the estimands of the register, whose other words stand there in both languages."""
    for claim in tomllib.loads(file.read().decode()).values():
        yield 1, None, claim["estimand"], []


def designs(file: BinaryIO, *_: object, **__: object) -> Iterator[Message]:
    """Yield what the designs of trials say to a reader."""
    for design in tomllib.loads(file.read().decode()).values():
        for name in ("drawn", "eligible", "measured", "taken"):
            yield 1, None, design[name], []


def _calls(source: str) -> Iterator[Message]:
    """Yield the messages of some code."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        first = [each.value for each in node.args[:2] if isinstance(each, ast.Constant)]
        if name in FUNCTIONS and len(first) == 2:
            yield node.lineno, "ngettext", tuple(first), []
        elif name in FUNCTIONS and first:
            yield node.lineno, None, first[0], []


def _phrases(source: str) -> Iterator[Message]:
    """Yield what may be a phrase in some code, without messages and the pieces of others."""
    tree = ast.parse(source)
    joined = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    pieces = {id(each) for node in joined for each in node.values}
    for node in ast.walk(tree):
        value = node.value if isinstance(node, ast.Constant) else None
        is_whole = isinstance(value, str) and " " in value and id(node) not in pieces
        if is_whole and not NO_PHRASE.search(value):
            yield node.lineno, None, value, []


def _texts(value: object) -> Iterator[str]:
    """Yield the texts of a table, in order."""
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)
    elif isinstance(value, str) and value.strip():
        yield value
