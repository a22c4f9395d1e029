"""What pages, logs and messages may show of users' values: nothing that may be personal data."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from analysis.data.contract import TABLES
from analysis.data.errors import counted
from analysis.language import text as said

if TYPE_CHECKING:
    import pandas as pd

LEAST_SHOWN = 3
"""Customers from which on a segment or a product is named: one of fewer may be a person's name."""
LONGEST = 40
"""Characters of a value whose shape is shown."""
_NUMBER = re.compile(r"[+-]?\d{1,6}([.,]\d{1,6})?")

_OF_ENGINE = re.compile(r"Exception$|^Arrow|^(Operational|Programming|Integrity|Database)Error$")
_OF_CODE = ("AttributeError", "NameError", "ImportError", "ModuleNotFoundError", "SyntaxError")


def described(value: object, kind: str = "text") -> str:
    """Return what a message may say of a value: its shape and length, or a short number itself.

    Any other value may hold personal data, also in a column where only dates or words are allowed.

    Parameters
    ----------
    value : object
        As a file has it.
    kind : {"text", "number", "moment"}
        What the column holds.
    """
    text = str(value)
    if kind == "number" and _NUMBER.fullmatch(text):
        return repr(text)
    marks = "".join(_shape(character) for character in text[:LONGEST])
    more = "..." if len(text) > LONGEST else ""
    return f"{marks}{more} ({counted(len(text), 'character')})"


def without_values(text: str, kind: str = "") -> str:
    """Return the first line of an error's message, where what stands in quotes is described.

    It may be a value of a user's file. Names of the data contract, and others with an underscore,
    are none, and errors of some kinds name only code.
    """
    names = {*TABLES, *(column for table in TABLES.values() for column in table.columns)}

    def described_unless_named(match: re.Match) -> str:
        is_name = match[2] in names or re.fullmatch("[a-z0-9]+(_[a-z0-9]+)+", match[2])
        return match[0] if is_name else described(match[2])

    if kind in _OF_CODE:
        return text.strip()
    line = text.strip().partition("\n")[0]
    if _OF_ENGINE.search(kind):  # whose text holds values without quotes, too
        return line.partition(": ")[0] if re.match(r"[A-Z][\w ]{,40} Error: ", line) else ""
    return re.sub(r"(?<!\w)(['\"`])(.*?)\1(?!\w)", described_unless_named, line)


def _shape(character: str) -> str:
    """Return X, x or 9 for a letter or digit; marks of ASCII as they are, all others as ?."""
    if character.isalpha():
        return "X" if character.isupper() else "x"
    if character.isdigit():
        return "9"
    return character if " " <= character <= "~" else "?"


def rare(names: pd.Series, customers: pd.Series) -> list[str]:
    """Return the names of groups of fewer customers than `LEAST_SHOWN`.

    Parameters
    ----------
    names, customers : Series, shape (n,)
        Names of groups, some of them missing; how many customers each row stands for.
    """
    sizes = customers.groupby(names).sum()
    return sizes.index[sizes < LEAST_SHOWN].tolist()


def common(names: pd.Series, customers: pd.Series) -> pd.Series:
    """Return names of groups, the `rare` ones as others."""
    return names.mask(names.isin(rare(names, customers)), said("others"))


def by_customer(customers: pd.DataFrame) -> pd.DataFrame:
    """Return the table customers by their identifier, rare segments as others."""
    people = customers.set_index("customer_id")
    return people.assign(segment=common(people["segment"], people["segment"].notna()))
