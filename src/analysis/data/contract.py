"""The data contract: tables, their columns and what every value must be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from analysis.data.files import NAMED, NOT_IN_NAMES

if TYPE_CHECKING:
    from ibis.expr.types import BooleanValue, StringValue, Value

# A region's name becomes the name of a folder, and stands in pages and addresses.
_NOT_IN_NAMES = "".join(rf"\x{{{ord(each):x}}}" for each in NOT_IN_NAMES) + r"\p{Cc}\p{Zl}\p{Zp}"
REGION_NAME = rf"^[^\s.\-{_NOT_IN_NAMES}][^{_NOT_IN_NAMES}]{{0,59}}$"

Kind = Literal["text", "number", "moment"]
DTYPES = {"text": "str", "number": "float64", "moment": "datetime64[us]"}
"""What a column of each kind is in pandas."""


@dataclass(frozen=True)
class OneOf:
    """A text with a few allowed values."""

    allowed: tuple[str, ...]

    def broken(self, value: Value) -> BooleanValue:
        """Return the rows that break the rule, as an expression that the engine evaluates."""
        return ~value.isin(self.allowed)

    def __str__(self) -> str:
        return f"one of {', '.join(self.allowed)}"


@dataclass(frozen=True)
class Between:
    """A number in a range, both ends included."""

    low: float
    high: float = float("inf")

    def broken(self, value: Value) -> BooleanValue:
        """Return the rows that break the rule, as an expression that the engine evaluates."""
        if self.high == float("inf"):
            return value < self.low
        return (value < self.low) | (value > self.high)

    def __str__(self) -> str:
        if self.high == float("inf"):
            return f"a number not below {self.low}"
        return f"a number from {self.low} to {self.high}"


@dataclass(frozen=True)
class Name:
    """A name that can be that of a folder."""

    def broken(self, value: Value) -> BooleanValue:
        """Return the rows that break the rule, as an expression that the engine evaluates."""
        return ~value.re_search(REGION_NAME)

    def __str__(self) -> str:
        return f"a name of at most 60 characters that {NAMED}"


@dataclass(frozen=True)
class Column:
    """What a column of the contract holds.

    Attributes
    ----------
    kind : {"text", "number", "moment"}
        A moment is a day or a time of a day; the source says from when to when they may be.
    description : str
        In a few words.
    rule : OneOf, Between or Name, optional
        What every value must be.
    required : bool
        Whether each row must have a value.
    whole : bool
        Whether each row must have a value if the table has the column.
    """

    kind: Kind
    description: str
    rule: OneOf | Between | Name | None = None
    required: bool = False
    whole: bool = False


@dataclass(frozen=True)
class Schema:
    """A table of the contract.

    Attributes
    ----------
    columns : dict of str to Column
        In their order.
    unique : str
        Column whose value stands once; empty where there is none.
    optional : bool
        Whether nothing is said where a source does not have it.
    """

    columns: Mapping[str, Column]
    unique: str = ""
    optional: bool = False


@dataclass(frozen=True)
class Link:
    """A rule between two columns of a row: `later` is not before `earlier`.

    `by_day` compares days alone, of which one may have a time and the other none.
    """

    earlier: str
    later: str
    by_day: bool = False


def as_allowed(text: StringValue, schema: Column) -> StringValue:
    """Return the values of a choice in lower case, and 1 and 0 as true and false."""
    if not isinstance(schema.rule, OneOf):
        return text
    if "true" in schema.rule.allowed:
        return text.lower().cases(("1", "true"), ("0", "false"), else_=text.lower())
    return text.lower()


def _text(description: str, rule: OneOf | Name | None = None, required: bool = False) -> Column:
    """Return a column of text; empty values are allowed unless it is required."""
    return Column("text", description, rule, required)


def _number(description: str, rule: Between | None = None, required: bool = False) -> Column:
    """Return a column of numbers."""
    return Column("number", description, rule, required)


def _day(description: str, required: bool = False) -> Column:
    """Return a column of days or moments."""
    return Column("moment", description, None, required)


def _choice(description: str, *allowed: str) -> Column:
    """Return a column of text with a few allowed values."""
    return _text(description, OneOf(allowed))


def _item(description: str) -> Column:
    """Return a survey item from 1 to 10."""
    return _number(description, Between(1, 10))


CUSTOMER_ID = _text("customer", required=True)
_NOT_NEGATIVE = Between(0)

ITEMS = {
    "expectation": "what the customer expected",
    "performance": "what the customer perceived",
    "product_value": "value of the product",
    "service_value": "value of the service",
    "personnel_value": "value of the staff",
    "image_value": "value of the brand",
    "money_cost": "cost in money",
    "time_cost": "cost in time",
    "energy_cost": "cost in attention",
    "effort_cost": "cost in physical effort",
    "satisfaction_1": "satisfaction, item 1",
    "satisfaction_2": "satisfaction, item 2",
    "satisfaction_3": "satisfaction, item 3",
    "loyalty_1": "loyalty, item 1",
    "loyalty_2": "loyalty, item 2",
    "loyalty_3": "loyalty, item 3",
    "price_sensitivity": "sensitivity to the price",
    "works_quality": "quality of works on site",
    "works_communication": "communication during works",
    "org_benefit": "benefit to the customer's organisation",
    "personal_benefit": "benefit to the person who buys",
    "added_service": "value-added service",
    "fuel_quality": "quality of the station's fuel",
    "price_rating": "price of the station's fuel",
    "location_rating": "location of the station",
}
"""The ratings of the survey, from 1 to 10."""

SCALES = {
    "satisfaction": ("satisfaction_1", "satisfaction_2", "satisfaction_3"),
    "loyalty": ("loyalty_1", "loyalty_2", "loyalty_3"),
}

TABLES: dict[str, Schema] = {
    "customers": Schema(
        {
            "customer_id": CUSTOMER_ID,
            "region": _text("region", Name(), required=True),
            "segment": _text("segment"),
            "area": _choice("area", "urban", "suburban"),
            "joined_on": _day("day of joining"),
            "card_since": _day("holder of a card since"),
        },
        unique="customer_id",
    ),
    "survey": Schema(
        {
            "customer_id": CUSTOMER_ID,
            "answered_on": _day("day of the answers"),
            "station_id": _text("station"),
            **{name: _item(description) for name, description in ITEMS.items()},
            "channel": _choice("channel of service", "online", "on_site", "phone"),
            "had_works": _choice("had works on site", "true", "false"),
            "told_others": _number("people told", _NOT_NEGATIVE),
            "recommend": _number("would recommend", Between(0, 10)),
            "weight": Column("number", "customers it stands for", _NOT_NEGATIVE, whole=True),
        }
    ),
    "complaints": Schema(
        {
            "complaint_id": _text("complaint"),
            "customer_id": CUSTOMER_ID,
            "kind": _text("kind of complaint"),
            "channel": _text("channel of the complaint"),
            "severity": _number("severity", Between(1, 5)),
            "opened_at": _day("opened", required=True),
            "explained_at": _day("explained"),
            "resolved_at": _day("resolved"),
            "satisfaction_after": _item("satisfaction after the complaint"),
        },
        unique="complaint_id",
    ),
    "transactions": Schema(
        {
            "customer_id": CUSTOMER_ID,
            "bought_at": _day("bought", required=True),
            "order_id": _text("order or receipt"),
            "station_id": _text("station"),
            "product": _text("kind of product"),
            "quantity": _number("quantity", _NOT_NEGATIVE),
            "amount": _number("sales", _NOT_NEGATIVE, required=True),
            "cost": _number("cost of sales", _NOT_NEGATIVE),
        }
    ),
    "contacts": Schema(
        {
            "customer_id": CUSTOMER_ID,
            "contacted_on": _day("contacted", required=True),
            "kind": _text("kind of contact"),
            "purpose": _text("purpose of the contact"),
            "cost": _number("cost of the contact", _NOT_NEGATIVE),
        }
    ),
    "assignments": Schema(
        {
            "trial": _text("trial", required=True),
            "unit": _text("what was drawn by lot: a customer or a case", required=True),
            "unit_is": _choice("kind of unit", "customer", "complaint"),
            "arm": _text("arm that the lot gave it", required=True),
            "assigned_on": _day("drawn by lot", required=True),
            "received_on": _day("received what the arm offers"),
        },
        optional=True,
    ),
}

ORDERED = {
    "complaints": (Link("opened_at", "explained_at"), Link("opened_at", "resolved_at")),
    "assignments": (Link("assigned_on", "received_on", by_day=True),),
}

COSTED = 0.99
"""Share of purchase lines that must have a cost, and one above 0, for margins to be used."""
FUEL = ("fuel", "gas")
