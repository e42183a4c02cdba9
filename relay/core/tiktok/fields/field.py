"""What a field of a destination is: data, in the order in which Segment reports its problems."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Type of a field's value, or of each value of a list."""

    STRING = "string"
    NUMBER = "number"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    OBJECT = "object"


@dataclass(frozen=True, slots=True)
class Field:
    """``title`` names it in messages. ``members`` are those of an object (or of each object of a list).

    ``as_written``: the members of a list's objects keep the order of the mapping instead of the schema's.
    """

    name: str
    title: str
    kind: Kind = Kind.STRING
    many: bool = False
    choices: tuple[str, ...] = ()
    required: bool = False
    members: tuple[Field, ...] = ()
    as_written: bool = False


@dataclass(frozen=True, slots=True)
class Demand:
    """Fields needed when ``field`` is written exactly as one of ``values``; one message each, in order."""

    field: str
    values: frozenset[str]
    needed: tuple[str, ...]


def text(name: str, title: str, *choices: str, required: bool = False) -> Field:
    """A text, free or one of a few."""
    return Field(name, title, choices=choices, required=required)


def texts(name: str, title: str) -> Field:
    """A list of texts."""
    return Field(name, title, many=True)


def number(name: str, title: str) -> Field:
    """A finite number."""
    return Field(name, title, Kind.NUMBER)


def boolean(name: str, title: str) -> Field:
    """True or false."""
    return Field(name, title, Kind.BOOLEAN)


def record(name: str, title: str, *members: Field, required: bool = False) -> Field:
    """An object; unknown members are dropped."""
    return Field(name, title, Kind.OBJECT, required=required, members=members)


CONTENTS = Field(
    "contents",
    "Contents",
    Kind.OBJECT,
    many=True,
    members=(
        number("price", "Price"),
        number("quantity", "Quantity"),
        text("content_category", "Content Category"),
        text("content_id", "Content ID"),
        text("content_name", "Content Name"),
        text("brand", "Brand"),
    ),
)
CONTENT_TYPE = text("content_type", "Content Type", "product", "product_group")
