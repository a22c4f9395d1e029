"""What of a database a source needs: its tables, and the columns that the mapping reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from analysis.data.contract import TABLES
from analysis.data.mapping.source import Part, Place, Source
from analysis.data.reading.joins import prefix_of


@dataclass
class Needed:
    """What of one table of a database is read.

    Attributes
    ----------
    columns : set of str
        Names, as the mapping has them; those that the database does not have are no matter here.
    is_whole : bool
        Whether two rows are the same only if they agree in all other columns, too: purchases.
    """

    columns: set[str] = field(default_factory=set)
    is_whole: bool = False


def needed(source: Source) -> dict[Place, Needed]:
    """Return what a source needs of each table of its database."""
    found: dict[Place, Needed] = {}
    regions = {name for each in _regions(source) for name in each}
    for name, table in source.tables.items():
        for part in table.parts:
            own = set(TABLES[name].columns) | regions | set(_columns(part))
            for file in part.files:
                each = found.setdefault(Place(part.catalog_name, part.schema_name, file), Needed())
                each.columns |= own
                each.is_whole |= name == "transactions"
            for join in part.joins:
                prefix = f"{prefix_of(join, part.joins)}."
                place = Place(part.catalog_name, part.schema_name, join.file)
                each = found.setdefault(place, Needed())
                each.columns |= {join.on}
                each.columns |= {c.removeprefix(prefix) for c in own if c.startswith(prefix)}
    return found


def _columns(part: Part) -> Iterator[str]:
    """Yield the columns of the file that a part names."""
    for each in part.columns.values():
        yield from each.used
    yield from part.keep
    yield from part.drop
    yield from (join.on for join in part.joins)
    if part.count is not None:
        yield part.count


def _regions(source: Source) -> Iterator[tuple[str, ...]]:
    """Yield the columns with the region of customers, which other tables may have, too."""
    for part in source.tables["customers"].parts:
        if "region" in part.columns:
            yield part.columns["region"].used
