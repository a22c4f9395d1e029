"""What `workbook init` prints: which file is which table, and what to look at."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.data.errors import counted
from workbook.init.drafting import writing
from workbook.init.drafting.drafts import Draft


def table_line(draft: Draft) -> str:
    """Return a line on which file is a table."""
    found = counted(sum("value" not in each.keys for each in draft.columns), "column")
    return f"{draft.table}: {_place(draft)} ({draft.saw['']}, {found} recognised)"


def unsure(made: Sequence[Draft]) -> list[str]:
    """Return what a reader should look at."""
    lines = [
        f"{each.table}.{own.name}: {own.unsure}"
        for each in made
        for own in each.columns
        if own.unsure
    ]
    lines += [
        f"{each.table}: {advice}"
        for each in made
        for advice in each.advice
        if advice.startswith("not found") or advice.endswith("to leave them out:")
    ]
    lines += [
        f"{each.table}: {each.saw['scale_of']}"
        for each in made
        if ";" in each.saw.get("scale_of", "")
    ]
    lines += [
        f"{_place(each)}: columns not used: {writing.named(each.unused)}"
        for each in made
        if each.unused
    ]
    return lines


def _place(draft: Draft) -> str:
    """Return the files of a part, and their sheet."""
    place = draft.keys.get("file") or draft.keys.get("files") or draft.keys.get("same_file_as")
    place = ", ".join(place) if isinstance(place, list) else str(place)
    return f"{place}, sheet {draft.keys['sheet']}" if "sheet" in draft.keys else place
