"""The contract's rules as expressions that the engine evaluates, row by row."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.operations as ops
from ibis.expr.types import BooleanValue, Table, Value

from analysis.data.contract import ORDERED, TABLES, failing, in_words, kind_of
from analysis.data.errors import DataError, nearest
from analysis.data.mapping.source import ColumnMap, Source
from analysis.data.reading.raw import REPEAT, ROW, RawTable
from analysis.data.validation import regions
from analysis.data.validation.filters import kept
from analysis.data.validation.moments import AFTER_TIME, NUMERIC, ZONE, local_time
from analysis.data.validation.regions import OWN_REGION
from analysis.data.validation.values import RawColumn

REST = "rest_of_row"
"""Column with a hash of what a purchase line holds beside the contract's values."""
WRITTEN = "written."
"""Prefix of the columns with the values as they were written."""
LEFT_OUT = "left_out"
"""Column that says why a row does not count although it breaks no rule; empty for most."""
EQUAL, ANONYMOUS, NETTED = "equal to an earlier row", "without a customer", "given back"
ZONE_EXPECTED = "after the time nothing, or a zone that is Z, UTC, GMT or an offset up to 14:00"
NUMBER_EXPECTED = (
    "a date; if these are days of Excel format = 'excel', if seconds or milliseconds since 1970 "
    "format = 'unix' or 'unix_ms'"
)
MISSING_WORDS = ("NA", "N/A", "#N/A", "NAN", "NULL", "NONE", "-", "--", ".", "无", "缺失")
MISSING_KEY = "this word stands for no value, missing = ['NA'] with this word"
_TYPES = {"text": "string", "number": "float64", "moment": "timestamp"}


@dataclass(frozen=True)
class Rule:
    """What a value must be.

    Attributes
    ----------
    column, expected : str
        Column of the contract; the rule in words.
    broken : BooleanValue
        True for the rows that break it.
    """

    column: str
    expected: str
    broken: BooleanValue


ORPHAN = Rule("customer_id", "a customer of the table 'customers'", ibis.literal(False))
FOLLOWER = Rule("customer_id", "a customer whose own row is valid", ibis.literal(False))


@dataclass(frozen=True)
class CheckedTable:
    """A table in the contract's columns, with the rules that each row breaks.

    Attributes
    ----------
    rows : Table
        Columns of the contract that the source has, `ROW`, `LEFT_OUT`, for each column "written."
        and its name, and for each rule "broken_" and its number; `region`, once customers are
        known. Of purchases also `REST`, where the file holds more.
    rules : tuple of Rule
        What every row must fulfil.
    files : tuple of str
        The table's files, in the order of `ROW`.
    filtered : int
        Rows that `keep` and `drop` took out.
    """

    rows: Table
    rules: tuple[Rule, ...]
    files: tuple[str, ...] = ()
    filtered: int = 0

    @property
    def broken(self) -> BooleanValue:
        """Whether a row breaks any rule."""
        flags = [self.rows[f"broken_{i}"] for i in range(len(self.rules))]
        return ibis.or_(*flags, ibis.literal(False))

    @property
    def good(self) -> Table:
        """The rows that break no rule, and count."""
        return self.rows.filter(~self.broken & self.rows[LEFT_OUT].isnull())

    def of_customers(self, customers: Table) -> CheckedTable:
        """Give each row the region of its customer; flag rows of unknown or rejected customers.

        Parameters
        ----------
        customers : Table
            `known_id` of all customers, and `region` of the valid ones: once for each customer,
            or for each of a customer's regions.
        """
        same = [self.rows["customer_id"] == customers["known_id"]]
        if OWN_REGION in self.rows.columns:
            same.append(self.rows[OWN_REGION] == customers["region"])
        placed = self.rows.left_join(customers, same)
        is_without = placed["region"].isnull() & placed["customer_id"].notnull()
        n, is_unknown = len(self.rules), placed["known_id"].isnull()
        flags = {
            f"broken_{n}": is_without & is_unknown,
            f"broken_{n + 1}": is_without & ~is_unknown,
        }
        rows = placed.mutate(**flags).drop("known_id", *({OWN_REGION} & set(placed.columns)))
        return CheckedTable(rows, (*self.rules, ORPHAN, FOLLOWER), self.files, self.filtered)


def checked(source: Source, name: str, raws: Sequence[RawTable]) -> CheckedTable:
    """Bring the files of a table into the contract's columns, and check every row.

    Parameters
    ----------
    source : Source
        Whose table it is.
    name : str
        Table of the contract.
    raws : sequence of RawTable
        As their owner wrote them, from `raw.raw_tables`.

    Raises
    ------
    DataError
        If a column that is mapped or required is not there, or holds moments with a zone and
        it is not known which zone's days count.
    """
    parts = [_part(source, name, each) for each in raws]
    rows, rules = _union(name, parts)
    has_filter = any(each.part.keep or each.part.drop for each in raws)
    filtered = sum(_filtered(source, each) for each in raws) if has_filter else 0
    later = list(_rules_between(source, name, rows))
    own = {f"broken_{len(rules) + i}": each.broken.fill_null(False) for i, each in enumerate(later)}
    rows = rows.mutate(**own, **{LEFT_OUT: _left_out(name, rows)})
    if name == "customers":  # an equal row is the same customer, and breaks nothing
        is_equal = rows[LEFT_OUT].notnull()
        count = len(rules) + len(later)
        rows = rows.mutate(**{f"broken_{i}": rows[f"broken_{i}"] & ~is_equal for i in range(count)})
    return CheckedTable(rows, (*rules, *later), tuple(each.file for each in raws), filtered)


def _filtered(source: Source, raw: RawTable) -> int:
    """Return how many rows of a file `keep` and `drop` take out."""
    return int(raw.rows.count().execute()) - int(kept(source, raw).count().execute())


def _part(source: Source, name: str, raw: RawTable) -> tuple[Table, list[Rule]]:
    """Bring one file into the contract's columns; its rules are flags beside them."""
    part = raw.part
    maps = _maps(name, raw)
    rows = _in_local_time(source, raw.file, kept(source, raw), maps)
    columns = {
        column: RawColumn(rows, raw.file, source, name, column, each)
        for column, each in maps.items()
    }
    values = {column: each.value() for column, each in columns.items()}
    values |= {WRITTEN + column: each.text for column, each in columns.items()}
    if name == "transactions":
        values |= _rest(rows, maps)
    by, own = regions.rule_of(source), regions.region_map(source)
    if name == "customers":
        values |= regions.scores(source, raw, rows)
    elif by == regions.EACH and own.columns and set(own.used) <= set(rows.columns):
        region = RawColumn(rows, raw.file, source, "customers", "region", own)
        values[OWN_REGION] = region.value()
    found = rows.select(**values, **{ROW: rows[ROW]})
    if name == "customers" and by not in (None, regions.EACH):
        found = regions.one_region(found, by)
    if part.one_row_per:
        found = _one_row_per(found, maps)
    rules = [
        rule
        for column, each in columns.items()
        for rule in _column_rules(each, found[column], found[WRITTEN + column])
        if (name, column, rule.expected) != ("transactions", "customer_id", "a value")
    ]
    return found, rules


def _union(name: str, parts: list[tuple[Table, list[Rule]]]) -> tuple[Table, list[Rule]]:
    """Return all rows of a table, with a flag for each of its rules, and the rules."""
    order = list(TABLES[name].columns)
    keys = dict.fromkeys((rule.column, rule.expected) for _, rules in parts for rule in rules)
    keys = sorted(keys, key=lambda key: order.index(key[0]))  # stable: within a column as given
    known = {column: kind for rows, _ in parts for column, kind in rows.schema().items()}
    tables = []
    for rows, rules in parts:
        own = {(rule.column, rule.expected): rule.broken for rule in rules}
        flags = {
            f"broken_{i}": own[key].fill_null(False) if key in own else ibis.literal(False)
            for i, key in enumerate(keys)
        }
        absent = {
            column: ibis.null(_TYPES[kind_of(TABLES[name].columns[column])])
            if column in TABLES[name].columns
            else ibis.null(kind)
            for column, kind in known.items()
            if column not in rows.columns
        }
        tables.append(rows.mutate(**flags, **absent))
    names = tables[0].columns
    rows = tables[0]
    if len(tables) > 1:
        rows = ibis.union(*(each.select(*names) for each in tables))
    return rows, [Rule(*key, rows[f"broken_{i}"]) for i, key in enumerate(keys)]


def _maps(name: str, raw: RawTable) -> dict[str, ColumnMap]:
    """Return the map of every column that the file has, in the contract's order."""
    part, rows = raw.part, raw.rows
    own = [column for column in rows.columns if column not in (ROW, REPEAT)]
    maps, missing = {}, []
    for column, schema in TABLES[name].columns.items():
        each = part.columns.get(column)
        if each is None and column in own:
            each = part.plain[column]
        if each is not None:
            maps[column] = each
            missing += [
                f"no column {used!r}.{nearest(used, own)}" for used in each.used if used not in own
            ]
        elif schema.required:
            hint = nearest(column, own)
            missing.append(f"no column {column!r}, which the table {name!r} needs.{hint}")
    if missing:
        raise DataError("\n".join(f"{raw.file}: {each}" for each in missing))
    return maps


def _in_local_time(source: Source, file: str, rows: Table, maps: Mapping[str, ColumnMap]) -> Table:
    """Turn the columns that the engine has with a zone into what the source's clocks showed."""
    used = dict.fromkeys(column for each in maps.values() for column in each.columns)
    zoned = [name for name in used if getattr(rows[name].type(), "timezone", None)]
    return rows.mutate(**{name: local_time(source, file, name, rows[name]) for name in zoned})


def _rest(rows: Table, maps: Mapping[str, ColumnMap]) -> dict[str, Value]:
    """Return a hash of what a row holds beside the contract's values; nothing if it is all there.

    Two lines are the same purchase only if all columns of the file agree. Where the engine has no
    hash, every row is unlike the others.
    """
    alone = {each.columns for each in maps.values() if len(each.columns) == 1 and not each.values}
    rest = {name: rows[name] for name in rows.columns if name != ROW and (name,) not in alone}
    if not rest:
        return {}
    can_hash = rows.get_backend().has_operation(ops.Hash)
    return {REST: ibis.struct(rest).hash() if can_hash else rows[ROW]}


def _one_row_per(rows: Table, maps: Mapping[str, ColumnMap]) -> Table:
    """Return the distinct rows, with the smallest value of the columns marked `first`."""
    least = [column for column, each in maps.items() if each.first]
    least = {name: rows[name].min() for column in least for name in (column, WRITTEN + column)}
    keys = [column for column in rows.columns if column not in least and column != ROW]
    return rows.group_by(keys).agg(**least, **{ROW: rows[ROW].min()})


def _left_out(name: str, rows: Table) -> Value:
    """Return why a row does not count although it breaks no rule; nothing where it does."""
    if name == "transactions":
        return ibis.ifelse(rows["customer_id"].isnull(), ANONYMOUS, ibis.null("string"))
    if name != "customers":
        return ibis.null("string")
    same = [column for column in rows.columns if column in TABLES[name].columns]
    before = ibis.row_number().over(group_by=same, order_by=rows[ROW])
    is_equal = rows["customer_id"].notnull() & (before > 0)
    return ibis.ifelse(is_equal, EQUAL, ibis.null("string"))


def _rules_between(source: Source, name: str, rows: Table) -> Iterator[Rule]:
    """Yield the rules between two columns, and between rows."""
    for link in ORDERED.get(name, ()):
        if {link.earlier, link.later} <= set(rows.columns):
            broken = rows[link.later] < rows[link.earlier]
            yield Rule(link.later, f"not before {link.earlier}", broken)
    for column in TABLES[name].unique or ():
        if column in rows.columns:
            yield from _identity_rules(source, name, rows, column)


def _column_rules(each: RawColumn, value: Value, text: Value) -> Iterator[Rule]:
    """Yield the rules of one column: a value, of the right kind, that passes the checks.

    A column that has the right type in the engine has no value of another kind.
    """
    name = each.name
    conversion = _conversion(each.map)
    checks = [(in_words(own) + conversion, failing(own, value)) for own in each.schema.checks]
    if each.map.scale_of:
        low, high = each.map.scale_of
        checks = [(f"a number from {low:g} to {high:g}", broken) for _, broken in checks]
    if each.schema.required:
        yield Rule(name, "a value", value.isnull() if each.is_typed else text.isnull())
    if each.kind != "text" and not each.is_typed:
        unread = value.isnull() & text.notnull()
        if each.map.expression:  # a part may be missing, or a divisor 0: then there is no value
            unread = ibis.literal(False)
        if each.kind == "number":
            missing = text.upper().isin(MISSING_WORDS)
            yield Rule(name, f"a number; if {MISSING_KEY}", unread & missing)
            unread = unread & ~missing
        if each.kind == "moment" and not each.map.formats:
            zoned, numeric = text.re_search(AFTER_TIME), text.re_search(NUMERIC)
            yield Rule(name, ZONE_EXPECTED, unread & zoned)
            yield Rule(name, NUMBER_EXPECTED, unread & numeric)
            unread = unread & ~zoned & ~numeric
        yield Rule(name, _readable(each, [words for words, _ in checks]), unread)
    if each.kind == "moment":
        yield from _date_rules(each, value, text)
    for words, broken in checks:
        yield Rule(name, words, broken)


def _date_rules(each: RawColumn, value: Value, text: Value) -> Iterator[Rule]:
    """Yield the rules that a date lies between the source's first and last day."""
    source = each.source
    first, last = source.earliest, source.as_of or dt.date.today()
    outside = (value < first) | (value >= last + dt.timedelta(days=1))
    expected = f"a date from {first} to {last}"
    if source.timezone and not each.is_typed:
        has_zone = ibis.literal(each.map.is_zoned) if each.map.formats else text.re_search(ZONE)
        yield Rule(each.name, f"{expected} in the timezone {source.timezone}", outside & has_zone)
        outside = outside & ~has_zone
    yield Rule(each.name, expected, outside)


def _identity_rules(source: Source, name: str, rows: Table, column: str) -> Iterator[Rule]:
    """Yield the rules that a key stands once, and a customer in one region."""
    same = [rows[column]]
    if name == "customers":
        each = ibis.window(group_by=same)
        if regions.rule_of(source) is None:
            two = rows["region"].min().over(each) != rows["region"].max().over(each)
            words = "one region for each customer; otherwise region = { by = 'most sales' }"
            yield Rule("region", words, two)
        same = [rows[column], rows["region"]]
    before = ibis.row_number().over(group_by=same, order_by=rows[ROW])
    yield Rule(column, "each value once", rows[column].notnull() & (before > 0))


def _conversion(own: ColumnMap) -> str:
    """Return in words how the file's number becomes the contract's; nothing where it is that."""
    if own.scale_of or (own.scale == 1 and not own.scale_by and not own.offset):
        return ""
    factor = f"its scale by {own.scale_by}" if own.scale_by else f"{own.scale:g}"
    sign = "-" if own.offset < 0 else "+"
    return f" after times {factor}" + (f" {sign} {abs(own.offset):g}" if own.offset else "")


def _readable(each: RawColumn, limits: list[str]) -> str:
    """Return in words what a value that can't be read should have been."""
    own = each.map
    if each.kind == "moment":
        words = " or ".join(own.formats) or "YYYY-MM-DD"
        offset = ", a zone offset up to 14:00 for %z" if "%z" in words else ""
        return f"a date in the format {words}{offset}"
    if len(own.columns) > 1:
        return f"in each of {', '.join(own.columns)} {' and '.join(limits) or 'a number'}"
    if own.scale_by:
        return f"a number, and in {own.scale_by} one of {', '.join(own.scales)}"
    if own.values:
        words = [word for each_word in own.values.values() for word in each_word]
        return f"a number, or one of {', '.join(words)} (values)"
    separator = f"; {own.thousands!r} separates thousands" if own.thousands else ""
    return f"a number such as 1234{own.decimal}5{separator}"
