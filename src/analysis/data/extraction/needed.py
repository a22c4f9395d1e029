"""What of a database a source needs: its tables, and the columns that the mapping reads."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from analysis.data.contract import TABLES
from analysis.data.mapping.source import ColumnMap, Part, Place, Source
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
    updated_at : str
        The column that says when a row last changed; empty where none is named.
    """

    columns: set[str] = field(default_factory=set)
    is_whole: bool = False
    updated_at: str = ""


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
                each.updated_at = each.updated_at or part.updated_at
            for join in part.joins:
                prefix = f"{prefix_of(join, part.joins)}."
                place = Place(part.catalog_name, part.schema_name, join.file)
                each = found.setdefault(place, Needed())
                each.columns |= {join.on}
                each.columns |= {c.removeprefix(prefix) for c in own if c.startswith(prefix)}
    return found


def whose(source: Source) -> dict[Place, tuple[str, ...]]:
    """Return, by table of purchases, the columns that say whose a line is.

    None where lines of one region can't be told from others before all of them are checked. All
    are needed for the last day of a source that does not state it, for customers who are in the
    table of purchases, and to count what `keep` and `drop` take out. Rows that are completed,
    repeated or merged are not those of the table.
    """
    people = source.tables["customers"].parts
    files = {file for part in people for file in part.files}
    parts = source.tables["transactions"].parts if "transactions" in source.tables else ()
    own = [part.columns.get("region", part.plain["region"]) for part in people]
    regions = own[0].used if "each" in {each.by for each in own} else ()
    for each in parts:
        is_changed = each.keep or each.drop or each.joins or each.count or each.one_row_per
        if is_changed or source.as_of is None or not files.isdisjoint(each.files):
            return {}
    return {
        Place(part.catalog_name, part.schema_name, file): tuple(
            dict.fromkeys((*map_of(part, "customer_id").used, *regions))
        )
        for part in parts
        for file in part.files
    }


def may_have_zones(source: Source, part: Part, texts: Collection[str]) -> bool:
    """Tell whether columns of texts may hold moments with a zone, and the source states none.

    Then all of them are read, to see whether one has a zone.
    """
    return source.timezone is None and not set(map_of(part, "bought_at").used).isdisjoint(texts)


def map_of(part: Part, name: str) -> ColumnMap:
    """Return where a column of the contract comes from."""
    return part.columns.get(name, part.plain[name])


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
