"""Sources: find and read the TOML file that says where data are and what their names mean."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

from analysis.data.errors import DataError, nearest
from analysis.data.files import is_file
from analysis.data.mapping.schema import build, filled, variables
from analysis.data.mapping.source import Source

ROOT = Path(__file__).resolve().parents[3]
DATA = ROOT / "data"
SHORTEST_SECRET = 4
"""Characters from which on a value of the environment is a secret: shorter ones are in any text."""


_WORD = re.compile(r"[A-Za-z]{1,15}|[0-9]{1,7}")
"""A secret that is a word or a number, which reports are full of: it is hidden in an address."""
_PLACES = (":{}@", "password={}", "password='{}'", "pwd={}")


def reports_folder() -> Path:
    """Return where reports go: as the run that executes a notebook says, or the project's own."""
    return Path(os.environ.get("WORKBOOK_REPORTS", ROOT / "reports"))


def available() -> list[str]:
    """Return the names of the sources in data/."""
    return sorted(path.stem for path in DATA.glob("*.toml"))


def find(source: str) -> Path:
    """Return the TOML file of a source.

    Parameters
    ----------
    source : str
        Name of a file in data/, without its ending, or a path to a TOML file
        (a relative one starts where the workbook is).

    Raises
    ------
    DataError
        If there is none; the message names the nearest source.
    """
    paths = [Path(source), ROOT / source] if source.endswith(".toml") else [DATA / f"{source}.toml"]
    for path in paths:
        if is_file(path):
            return path.resolve()
    raise DataError(f"No source {source!r}.{nearest(source, available())}")


def read(source: str) -> Source:
    """Read and check a source's TOML file.

    Parameters
    ----------
    source : str
        As in `find`.

    Raises
    ------
    DataError
        If the file is not TOML, a key is unknown or a value is not what it must be.
    """
    path = find(source)
    try:
        return build(path, tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except DataError as error:
        lines = str(error).splitlines()
        raise DataError("\n".join(f"{path.name}: {line}" for line in lines)) from None
    except ValueError as error:  # also of bytes, and of a number with too many digits
        quotes = " A key with other letters than A to Z stands in quotes." * ("key" in str(error))
        said = str(error).partition(":")[0] if type(error) is ValueError else error
        raise DataError(f"{path.name}: not a TOML file in UTF-8: {said}.{quotes}") from None
    except RecursionError:
        raise DataError(f"{path.name}: tables or lists stand in each other too deeply.") from None


def secrets(source: str) -> list[str]:
    """Return what a source takes from the environment: no report, log or message may show it.

    Parameters
    ----------
    source : str
        As in `find`.
    """
    address = tomllib.loads(find(source).read_text(encoding="utf-8-sig")).get("database", "")
    values = {os.environ.get(name, "") for name in variables(address)}
    found = set()
    for value in (each for each in values if len(each) >= SHORTEST_SECRET):
        in_place = {each.format(value) for each in _PLACES} | {filled(address)}
        found |= in_place if _WORD.fullmatch(value) else {value}
    return sorted(found, key=len, reverse=True)
