"""The TOML file as text, each guess with a comment of what was seen."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from analysis.data.errors import listed
from workbook.init.drafting.drafts import Draft
from workbook.init.drafting.entries import Entry

OF_SOURCE = ("encoding", "delimiter", "decimal", "thousands", "date_format", "missing")
"""Keys that stand at the top of the file where all tables agree."""
DEFAULTS = {"encoding": "utf-8", "delimiter": ",", "decimal": "."}
WIDTH = 44
"""Column in which comments begin, where there is room."""
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def lifted(drafts: Sequence[Draft]) -> tuple[list[str], list[Draft]]:
    """Take what all tables agree on out of them; return it as lines, and the tables without it."""
    lines, left = [], [replace(each, keys=dict(each.keys)) for each in drafts]
    for key in OF_SOURCE:
        needs_all = key in ("date_format", "missing")  # what a table has not, it must not get
        about = [each for each in left if each.keys.get(key) or (needs_all and key in each.keys)]
        values = [each.keys[key] for each in about]
        is_shared = values and all(each == values[0] for each in values)
        if key == "thousands":  # belongs to its decimal mark
            is_shared = is_shared and any(line.startswith("decimal") for line in lines)
        if key == "missing":
            is_shared = is_shared and len(about) == len(left)
        if is_shared and values[0] and values[0] != DEFAULTS.get(key):
            saw = next((each.saw[key] for each in about if each.saw.get(key)), "")
            lines.append(line(key, values[0], saw))
        elif not is_shared:
            about = [each for each in about if each.keys[key] == DEFAULTS.get(key)]
        for each in about:
            each.keys.pop(key)
    return lines, [replace(each, keys=_filled(each.keys)) for each in left]


def text_of(drafts: Sequence[Draft]) -> str:
    """Return the tables of the TOML file; parts of one stand one after the other."""
    lines = []
    names = [each.table for each in drafts]
    for each in drafts:
        title = f"[[{each.table}]]" if names.count(each.table) > 1 else f"[{each.table}]"
        lines += ["", commented(title, each.saw.get("", ""))]
        lines += [line(key, value, each.saw.get(key, "")) for key, value in each.keys.items()]
        lines += [comment(said) for said in each.unsure if said != each.saw.get("scale_of")]
        lines += [comment(f"not used: {listed(each.unused)}")] if each.unused else []
        lines += ["", f"[{each.table}.columns]"]
        lines += [row for own in each.columns for row in _column(own)]
    return "\n".join(lines) + "\n"


def strange(entry: Entry) -> str:
    """Return the words of a column of which it is not known what they mean, and their rows."""
    counts = sorted(entry.strange.items(), key=lambda each: -each[1])
    words = listed(f"{_quoted(word)} ({n:,})" for word, n in counts)
    return f"not known (rows): {words}" if words else ""


def line(key: str, value: object, saw: str = "") -> str:
    """Return a key and its value, with a comment."""
    return commented(f"{_key(key)} = {_value(value)}", saw)


def commented(text: str, saw: str) -> str:
    """Return a line with a comment behind it."""
    return f"{text:<{WIDTH}}  {comment(saw)}" if saw.strip() else text


def comment(text: str) -> str:
    """Return a text as a comment, which ends with its line."""
    return "# " + " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _column(entry: Entry) -> Iterator[str]:
    """Yield the line of one column, and one for its words that are not known."""
    keys = {key: each for key, each in entry.keys.items() if each is not None}
    value = keys["column"] if set(keys) == {"column"} else keys
    said = (entry.saw, f"CHECK: {entry.unsure}" if entry.unsure else "")
    yield line(entry.name, value, "; ".join(filter(None, said)))
    if entry.strange:
        said = f'CHECK: {entry.name}: {strange(entry)}: add each to "values", or to "missing"'
        yield comment(said)


def _filled(keys: dict[str, object]) -> dict[str, object]:
    return {key: each for key, each in keys.items() if each not in (None, "", 0, [], {}, ())}


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _quoted(name)


def _value(value: object) -> str:
    """Return a value as TOML has it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, dict):
        own = ", ".join(f"{_key(str(key))} = {_value(each)}" for key, each in value.items())
        return f"{{ {own} }}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _quoted(text: str) -> str:
    """Return a text in quotes; JSON and TOML write it alike, but for the character DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
