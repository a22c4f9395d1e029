"""The data contract: tables, their columns and what every value must be."""

from __future__ import annotations

from dataclasses import dataclass

import pandera.pandas as pa
from ibis.expr.types import BooleanValue, Value

# A region's name becomes the name of a folder, and stands in pages and addresses.
REGION_NAME = r"^[^\s.\-/\\<>:\"|?*{}$%~][^/\\<>:\"|?*{}$%~\t\r\n]{0,59}$"

CUSTOMER_ID = pa.Column(str, required=True, description="customer")


@dataclass(frozen=True)
class Link:
    """A rule between two columns of a row: `later` is not before `earlier`."""

    earlier: str
    later: str


def _text(description: str, *checks: pa.Check, required: bool = False) -> pa.Column:
    """Return a column of text; empty values are allowed unless it is required."""
    return pa.Column(
        str, list(checks), nullable=not required, required=required, description=description
    )


def _number(description: str, *checks: pa.Check, required: bool = False) -> pa.Column:
    """Return a column of numbers."""
    return pa.Column(
        float, list(checks), nullable=not required, required=required, description=description
    )


def _day(description: str, required: bool = False) -> pa.Column:
    """Return a column of days or moments; their range is set by the source."""
    return pa.Column(
        "datetime64[us]", nullable=not required, required=required, description=description
    )


def _choice(description: str, *allowed: str) -> pa.Column:
    """Return a column of text with a few allowed values."""
    return _text(description, pa.Check.isin(list(allowed)))


def _item(description: str) -> pa.Column:
    """Return a survey item from 1 to 10."""
    return _number(description, pa.Check.in_range(1, 10))


_NOT_NEGATIVE = pa.Check.greater_than_or_equal_to(0)

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

TABLES: dict[str, pa.DataFrameSchema] = {
    "customers": pa.DataFrameSchema(
        {
            "customer_id": CUSTOMER_ID,
            "region": _text("region", pa.Check.str_matches(REGION_NAME), required=True),
            "segment": _text("segment"),
            "area": _choice("area", "urban", "suburban"),
            "joined_on": _day("day of joining"),
            "card_since": _day("holder of a card since"),
        },
        unique=["customer_id"],
    ),
    "survey": pa.DataFrameSchema(
        {
            "customer_id": CUSTOMER_ID,
            "answered_on": _day("day of the answers"),
            "station_id": _text("station"),
            **{name: _item(description) for name, description in ITEMS.items()},
            "channel": _choice("channel of service", "online", "on_site", "phone"),
            "had_works": _choice("had works on site", "true", "false"),
            "told_others": _number("people told", _NOT_NEGATIVE),
            "recommend": _number("would recommend", pa.Check.in_range(0, 10)),
        }
    ),
    "complaints": pa.DataFrameSchema(
        {
            "complaint_id": _text("complaint"),
            "customer_id": CUSTOMER_ID,
            "kind": _text("kind of complaint"),
            "channel": _text("channel of the complaint"),
            "severity": _number("severity", pa.Check.in_range(1, 5)),
            "opened_at": _day("opened", required=True),
            "explained_at": _day("explained"),
            "resolved_at": _day("resolved"),
            "satisfaction_after": _item("satisfaction after the complaint"),
        },
        unique=["complaint_id"],
    ),
    "transactions": pa.DataFrameSchema(
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
    "contacts": pa.DataFrameSchema(
        {
            "customer_id": CUSTOMER_ID,
            "contacted_on": _day("contacted", required=True),
            "kind": _text("kind of contact"),
            "purpose": _text("purpose of the contact"),
            "cost": _number("cost of the contact", _NOT_NEGATIVE),
        }
    ),
}

ORDERED = {
    "complaints": (Link("opened_at", "explained_at"), Link("opened_at", "resolved_at")),
}

FUEL = ("fuel", "gas")


def kind_of(column: pa.Column) -> str:
    """Return "text", "number" or "moment" for a column of the contract."""
    return {"M": "moment", "f": "number"}.get(column.dtype.type.kind, "text")


def failing(check: pa.Check, value: Value) -> BooleanValue:
    """Return the rows that fail a check, as an expression that the engine evaluates."""
    limits = check.statistics
    if check.name == "isin":
        return ~value.isin(limits["allowed_values"])
    if check.name == "in_range":
        return (value < limits["min_value"]) | (value > limits["max_value"])
    if check.name == "greater_than_or_equal_to":
        return value < limits["min_value"]
    if check.name == "str_matches":
        return ~value.re_search(limits["pattern"])
    raise NotImplementedError(f"The check {check.name!r} has no expression for the engine.")


def in_words(check: pa.Check) -> str:
    """Return a check in words."""
    limits = check.statistics
    if check.name == "isin":
        return f"one of {', '.join(limits['allowed_values'])}"
    if check.name == "in_range":
        return f"a number from {limits['min_value']} to {limits['max_value']}"
    if check.name == "greater_than_or_equal_to":
        return f"a number not below {limits['min_value']}"
    return (
        "a name of at most 60 characters that begins with none of . - and has no "
        '/ \\ < > : " | ? * { } $ % ~'
    )
