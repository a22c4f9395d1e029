"""The TOML file as text, each guess with a comment of what was seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from workbook.init.drafting.drafts import DEFAULTS, OF_SOURCE, Draft
from workbook.init.drafting.entries import Entry
from workbook.init.drafting.toml_text import commented, line

MOST = 200
"""Characters of the names of columns that are not used."""


def lifted(drafts: Sequence[Draft]) -> tuple[dict[str, object], dict[str, str], list[Draft]]:
    """Take what all tables agree on out of them.

    Returns
    -------
    dict of str to object
        Keys of the source.
    dict of str to str
        What was seen, by key.
    list of Draft
        Without these keys, and without those that say what holds anyway.
    """
    keys: dict[str, object] = {}
    saw: dict[str, str] = {}
    left = list(drafts)
    for key in OF_SOURCE:
        about = [each for each in left if _concerns(each, key)]
        values = [each.keys.get(key, DEFAULTS.get(key)) for each in about]
        if key == "thousands":  # belongs to its decimal mark
            is_same = len({each.keys["decimal"] for each in drafts if "decimal" in each.keys}) == 1
            values = [each for each in values if each] if is_same else []
        if key == "missing" and len(about) < len(drafts):
            values = []
        if values and all(value == values[0] for value in values) and values[0] is not None:
            if values[0] != DEFAULTS.get(key):
                keys[key] = values[0]
                saw[key] = next((each.saw[key] for each in about if each.saw.get(key)), "")
            left = [_without(each, key) for each in left]
        else:
            default = DEFAULTS.get(key)
            left = [_without(each, key) if each.keys.get(key) == default else each for each in left]
    return keys, saw, left


def text_of(head: Sequence[str], drafts: Sequence[Draft]) -> str:
    """Return the TOML file.

    Parameters
    ----------
    head : sequence of str
        Lines of the source itself.
    drafts : sequence of Draft
        The tables; parts of one stand one after the other.
    """
    lines = list(head)
    names = [each.table for each in drafts]
    for each in drafts:
        is_part = names.count(each.table) > 1
        title = f"[[{each.table}]]" if is_part else f"[{each.table}]"
        lines += ["", commented(title, each.saw.get("", ""))]
        for key, value in each.keys.items():
            lines.append(line(key, value, each.saw.get(key, "")))
        lines += [f"# {advice}" for advice in each.advice]
        if each.unused:
            lines.append(commented("", f"not used: {named(each.unused)}").lstrip())
        if each.columns:
            lines += ["", f"[{each.table}.columns]"]
            lines += [_column(own) for own in each.columns]
    return "\n".join(lines) + "\n"


def named(columns: Sequence[str]) -> str:
    """Return names of columns for a line or two; how many are left out, where there are many."""
    kept = list(columns)
    while len(kept) > 1 and sum(len(each) + 2 for each in kept) > MOST:
        kept.pop()
    more = f" and {len(columns) - len(kept)} more" if len(kept) < len(columns) else ""
    return ", ".join(kept) + more


def _column(entry: Entry) -> str:
    """Return the line of one column."""
    keys = {key: each for key, each in entry.keys.items() if each is not None}
    value = keys["column"] if set(keys) == {"column"} else keys
    saw = "; ".join(
        each for each in (entry.saw, f"CHECK: {entry.unsure}" * bool(entry.unsure)) if each
    )
    return line(entry.name, value, saw)


def _concerns(draft: Draft, key: str) -> bool:
    """Tell whether a key says something of a table."""
    if "same_file_as" in draft.keys and key in ("encoding", "delimiter"):
        return False
    if key in ("encoding", "delimiter"):
        return draft.is_text
    return key in draft.keys


def _without(draft: Draft, key: str) -> Draft:
    return replace(draft, keys={name: each for name, each in draft.keys.items() if name != key})
