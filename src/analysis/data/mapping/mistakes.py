"""Mistakes in a source's TOML file: a sentence for each, which names its place."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, time

from pydantic import ValidationError

from analysis.data.errors import DataError, nearest
from analysis.data.files import NAMED, is_name
from analysis.data.mapping.keys import ColumnKeys, JoinKeys, Keys, TableKeys

_EXPECTED = {
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "bool_type": "true or false",
    "float_type": "a number",
    "int_type": "a whole number",
    "date_type": "a date",
    "date_from_datetime_inexact": "a date",
    "greater_than_equal": "a number of at least {ge}",
    "less_than_equal": "a number of at most {le}",
    "finite_number": "a finite number",
    "literal_error": "{expected}",
    "too_short": "a list of at least {min_length}",
}


def check_name(name: str) -> None:
    """Refuse a file's name that can't be that of the folder with its reports."""
    if not is_name(name):
        raise DataError(
            f"the name of this file becomes that of a folder: expected one that {NAMED}."
        )


def checked(kind: type[Keys], entry: dict, where: str) -> Keys:
    """Return the keys of one part of the file, or say what is wrong with each."""
    try:
        return kind.model_validate(entry)
    except ValidationError as error:
        lines = dict.fromkeys(_sentences(error, kind, where))
        raise DataError("\n".join(lines)) from None


def _sentences(error: ValidationError, kind: type[Keys], where: str) -> Iterator[str]:
    """Yield a sentence for each mistake in one part of the file."""
    for each in error.errors(include_url=False):
        place, key = [part for part in each["loc"] if isinstance(part, str)], None
        names = kind.model_fields
        if "columns" in place[:1] and kind is TableKeys and len(place) > 1:
            prefix, key = f"{where[:-2]}.columns] ", ": ".join(place[1:3])
            names = ColumnKeys.model_fields
        elif "joins" in place[:1] and len(place) > 1:
            prefix, key, names = f"{where}joins: ", place[1], JoinKeys.model_fields
        else:
            prefix, key = where, place[0] if place else ""
        if place[0:1] in (["keep"], ["drop"]) and len(place) > 1:
            yield (
                f"{where}{place[0]}: {place[1]}: expected a word, a list of words, or a range of "
                "numbers or days such as { min = 1, max = 5 } and { min = 2024-01-01 }."
            )
        elif each["type"] == "extra_forbidden":
            own = f"{place[1]}: " if names is ColumnKeys.model_fields else ""
            yield f"{prefix}{own}unknown key {place[-1]!r}.{nearest(place[-1], names)}"
        elif each["type"] == "missing":
            yield f"{prefix}needs a key {place[-1]!r}."
        elif each["type"] == "value_error":
            yield f"{prefix}{key} = {shown(each['input'])}: {each['ctx']['error']}."
        else:
            expected = _EXPECTED.get(each["type"], each["msg"]).format(**each.get("ctx", {}))
            yield f"{prefix}{key} = {shown(each['input'])}: expected {expected}."


def shown(value: object) -> str:
    """Return a value as it stands in the file, or its beginning."""
    if isinstance(value, bool):
        text = str(value).lower()
    else:
        text = str(value) if isinstance(value, date | time) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
