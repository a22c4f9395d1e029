"""Keys, values and comments as TOML has them."""

from __future__ import annotations

import json
import re

WIDTH = 44
"""Column in which comments begin, where there is room."""
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def line(key: str, value: object, saw: str = "") -> str:
    """Return a key and its value, with a comment."""
    return commented(f"{_key(key)} = {_value(value)}", saw)


def commented(text: str, saw: str) -> str:
    """Return a line with a comment behind it."""
    words = " ".join("".join(c if c.isprintable() else " " for c in saw).split())
    return f"{text:<{WIDTH}}  # {words}" if words else text


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else quoted(name)


def _value(value: object) -> str:
    """Return a value as TOML has it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, dict):
        own = ", ".join(f"{_key(str(key))} = {_value(each)}" for key, each in value.items())
        return f"{{ {own} }}"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def quoted(text: str) -> str:
    """Return a text in quotes; JSON and TOML write it alike, but for the character DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
