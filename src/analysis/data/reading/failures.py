"""Why a file can't be read, in words: without its values, and without folders of this machine."""

from __future__ import annotations

import csv
import re
import zlib
from collections.abc import Sequence
from pathlib import Path

import duckdb
from pyarrow import ArrowException, ArrowInvalid

from analysis.data.errors import DataError, counted
from analysis.data.files import NO_ROOM, is_full
from analysis.data.reading import parquet

UNREADABLE = (
    *(duckdb.Error, ArrowException, UnicodeError, ValueError, OSError, EOFError, zlib.error),
    csv.Error,
)
"""What is raised on a file that is not what it should be."""
_UNFIT = (duckdb.ConversionException, duckdb.InvalidInputException, duckdb.OutOfRangeException)
_UNFIT += (ArrowInvalid, OverflowError)
_VALUES = (
    "a whole number of more than 15 digits in a column without a number of digits",
    "infinity",
)
"""What an engine's text may say of a value: no other part of it is repeated."""
_KNOWN = {
    "field larger than field limit": "a value is longer than can be read; a quote may be open.",
    "Maximum line size": "a line is longer than 2 MB; a quote may be open.",
    "quote": "a quote is opened and not closed, or stands within a value.",
    "JSON": "expected one JSON object per line.",
}


def in_words(error: Exception, file: str, encoding: str, skip: int = 0) -> str:
    """Return what is wrong with a file in a sentence that begins with its name, and maybe a row.

    Parameters
    ----------
    error : Exception
        One of `UNREADABLE`. What the project's own readers say is repeated; what others say is not,
        since it may hold values of the file.
    file, encoding : str
        Its name; under what encoding it was read.
    skip : int
        Lines above the header.
    """
    said = str(error)
    line = re.search(r"Line: (\d+)", said)
    where = f"{file}, row {int(line[1]) + skip}" if line else file
    return f"{where}: {_reason(error, said, file, encoding)}"


def of_table(error: Exception, file: str, folder: Path, paths: Sequence[Path]) -> str:
    """Return why the rows of a table can't be read to their end, in a sentence.

    Parameters
    ----------
    error : Exception
        A `DataError`, or the engine's own.
    file, folder : str, Path
        The table's first file, or folder of files, and the folder in which it is.
    paths : sequence of Path
        Its Parquet files, which are read again to name one that is damaged.

    Raises
    ------
    DataError
        If it is not the table's fault: the disk is full.
    """
    said = str(error)
    if isinstance(error, DataError):
        return said
    if is_full(error):
        raise DataError(f"{file}: a copy of its rows can't be written: {NO_ROOM}.") from None
    if found := parquet.damaged(paths):
        return f"{found[0].relative_to(folder)}: the file is damaged, or no Parquet file."
    return f"{file}: the file can't be read: {of_engine(error)}"


def _reason(error: Exception, said: str, file: str, encoding: str) -> str:
    """Return the sentence without its beginning."""
    if isinstance(error, DataError):  # of our own readers
        return said if said.startswith(("the file ", "its ")) else f"the file can't be read: {said}"
    columns = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", said)
    if columns:
        return f"expected {counted(int(columns[1]), 'column')}, found {columns[2]}."
    if isinstance(error, UnicodeError) or "unicode" in said or "utf-8" in said:
        return (
            f"not text in {encoding!r}; name its encoding, such as encoding = 'gb18030' (Chinese) "
            "or 'cp1252' (Western Europe)."
        )
    if ".parquet" in file.lower() or isinstance(error, ArrowException):
        return "the file is damaged, or no Parquet file."
    if isinstance(error, OSError | EOFError | zlib.error):
        return f"the file is damaged, or ends before its end ({type(error).__name__})."
    known = next((words for mark, words in _KNOWN.items() if mark in said), "")
    return f"the file can't be read: {known or of_engine(error)}"


def of_engine(error: Exception) -> str:
    """Return the kind of an engine's error; its text is never shown, since it may hold values."""
    known = next((mark for mark in _VALUES if mark in str(error).lower()), "")
    if isinstance(error, _UNFIT) and known:
        return f"a value is {known}."
    if isinstance(error, _UNFIT):
        return "a value does not fit the type of its column, or of a view's."
    return f"the engine says {type(error).__name__}."
