"""The reference of keys in data/README.md, from the schema that checks them.

`python -m analysis.data.mapping.reference` writes it anew.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from datetime import date

from pydantic.fields import FieldInfo

from analysis.data.files import write_text
from analysis.data.mapping.keys import ColumnKeys, JoinKeys, Keys, Limits, SourceKeys, TableKeys

BEGIN, END = "<!-- keys: begin -->", "<!-- keys: end -->"
"""Lines of data/README.md between which the reference stands."""
_PARTS = {
    "Of the source (at the top of the file)": SourceKeys,
    "Of a table (`[transactions]`, or `[[transactions]]` for each of several parts)": TableKeys,
    'Of a column (`[transactions.columns]`: `amount = { column = "Summe", ... }`)': ColumnKeys,
    "Of a range in `keep` and `drop`": Limits,
    "Of a file in `joins`": JoinKeys,
}
_NAMES = {str: "text", int: "whole number", float: "number", bool: "true or false", date: "date"}


def reference() -> str:
    """Return the keys of a source's TOML file as tables in Markdown."""
    return "\n\n".join(f"#### {title}\n\n{_table(keys)}" for title, keys in _PARTS.items())


def written(page: str) -> str:
    """Return a page with the reference between its two marks."""
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}\n\n{reference()}\n\n{END}{rest.split(END)[1]}"


def _table(keys: type[Keys]) -> str:
    """Return the keys of one part of the file as a table."""
    lines = ["| key | is | meaning |", "|---|---|---|"]
    for name, field in keys.model_fields.items():
        kind = ", or ".join(dict.fromkeys(_kinds(field.annotation)))
        meaning = (field.description or "").replace("|", "\\|")
        lines.append(f"| `{name}` | {kind}{_limits(field)} | {meaning} |")
    return "\n".join(lines)


def _limits(field: FieldInfo) -> str:
    """Return the range of a number in words."""
    ends = {
        key: getattr(each, key)
        for each in field.metadata
        for key in ("ge", "le")
        if hasattr(each, key)
    }
    if set(ends) == {"ge", "le"}:
        return f" from {ends['ge']:g} to {ends['le']:g}"
    return f", at least {ends['ge']:g}" if "ge" in ends else ""


def _kinds(annotation: object) -> Iterator[str]:
    """Yield in words what a key may be."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        yield from _kinds(arguments[0])
    elif origin in (typing.Union, types.UnionType):
        for each in arguments:
            if each is not type(None):
                yield from _kinds(each)
    elif origin is typing.Literal:
        yield from (f"`{each}`" for each in arguments)
    elif origin is list:
        yield f"list of {' or '.join(_kinds(arguments[0]))}s"
    elif origin is dict or (isinstance(annotation, type) and issubclass(annotation, Keys)):
        yield "table"
    else:
        yield _NAMES[annotation]


if __name__ == "__main__":
    from analysis.data.sources import DATA

    path = DATA / "README.md"
    write_text(path, written(path.read_text(encoding="utf-8")))
